/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/fastopen.h: TCP Fast Open (RFC 7413), both ends: cookies, what is remembered of servers, and
 * how many early children a listener has.
 */
#ifndef TERN_TCP_FASTOPEN_H
#define TERN_TCP_FASTOPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/pool.h"
#include "tern/stack.h"
#include "wire/segment.h"

struct tern_tcp;
struct tern_conn;
struct tern_traffic;

enum {
	TERN_FASTOPEN_COOKIE = 8, /* bytes of the cookies that we make */
	TERN_FASTOPEN_KEY = 16,   /* bytes of a key */
	TERN_FASTOPEN_KEYS = 2,   /* the one that cookies are made under, and one still taken */
	TERN_FASTOPEN_RESETS = 32,
};

/* Bits of the knob tcp_fastopen. */
enum tern_fastopen_knob {
	TERN_FASTOPEN_CLIENT = 0x1,
	TERN_FASTOPEN_SERVER = 0x2,
	TERN_FASTOPEN_CLIENT_NO_COOKIE = 0x4,
	TERN_FASTOPEN_SERVER_NO_COOKIE = 0x200,
	TERN_FASTOPEN_EVERY_LISTENER = 0x400,
};

/* Bits of tern_conn.fastopen; the two at the top are an enum tern_fastopen_fail. */
enum tern_fastopen_bit {
	TERN_FO_CONNECT = 1,   /* TCP_FASTOPEN_CONNECT */
	TERN_FO_NO_COOKIE = 2, /* TCP_FASTOPEN_NO_COOKIE */
	TERN_FO_DEFERRED = 4,  /* SYN-SENT, but the SYN waits for the first send() */
	TERN_FO_SYN_DATA = 8,  /* data came or went with the SYN and was taken */
	TERN_FO_USED = 16,  /* our SYN had the option or data; of a child: it was born by a SYN */
	TERN_FO_CHECK = 32, /* begun when the time of a black hole was over */
	TERN_FO_FAIL_SHIFT = 6,
};

/* Why a client's attempt came to nothing: Linux' tcpi_fastopen_client_fail. */
enum tern_fastopen_fail {
	TERN_FASTOPEN_FAIL_NONE,
	TERN_FASTOPEN_NO_COOKIE,
	TERN_FASTOPEN_NOT_ACKED,
	TERN_FASTOPEN_SYN_REPEATED,
};

/* What goes with a SYN or, from an early child, with its first SYN-ACK; of one traffic record. */
enum tern_fastopen_syn {
	TERN_FASTOPEN_PLAIN,
	TERN_FASTOPEN_REQUEST,     /* an empty option: a cookie, please */
	TERN_FASTOPEN_WITH_COOKIE, /* the cookie, and data */
	TERN_FASTOPEN_BARE,        /* data alone */
	TERN_FASTOPEN_RENEW,       /* of a SYN-ACK: a cookie under the present key */
	TERN_FASTOPEN_RENEW_EXP,   /* … in the experimental form */
};

/* A server, as a client remembers it. */
struct tern_fastopen_peer {
	struct tern_addr addr;
	uint16_t mss;    /* of its SYN; 0: not known */
	uint8_t len;     /* of the cookie; 0: none yet */
	bool exp;        /* it speaks the experimental form */
	uint8_t try_exp; /* it did not answer: 1 the standard form, 2 the experimental one either */
	uint8_t cookie[TERN_FASTOPEN_MAX];
};

/* Early children that were reset, and until when they go on counting. */
struct tern_fastopen_reset {
	uint64_t until_ns;
	uint32_t count;
};

/* What a listening socket knows of Fast Open; goes when neither socket nor child refers to it. */
struct tern_fastopen_queue {
	uint32_t max;      /* early children at a time; 0: Fast Open is off */
	uint32_t pending;  /* those there are, resets that still count among them */
	uint32_t children; /* those that refer to this */
	uint32_t first_reset, resets;
	bool owned;   /* the socket refers to it, too */
	uint8_t keys; /* of its own */
	uint32_t key[TERN_FASTOPEN_KEYS][TERN_FASTOPEN_KEY / 4];
	struct tern_fastopen_reset reset[TERN_FASTOPEN_RESETS]; /* ring */
};

/* What all connections of a stack share. */
struct tern_fastopen {
	struct tern_fastopen_peer *peers; /* a table; NULL until something was learned */
	struct tern_pool queues;
	uint64_t disabled_ns;    /* when a black hole was last seen */
	uint32_t disabled_times; /* in a row; 0: none seen */
	uint32_t key[TERN_FASTOPEN_KEY / 4];
	bool key_made;
};

/* tcp is set up as far as its memory. -ENOMEM. */
int tern_fastopen_init(struct tern_tcp *t, uint32_t queues_max);
void tern_fastopen_free(struct tern_tcp *t);

/* ---- server: fastopen_server.c ---- */

/* The queue of a socket in CLOSED or LISTEN; NULL if it has none. */
struct tern_fastopen_queue *tern_fastopen_queue(const struct tern_tcp *t,
						const struct tern_conn *c);

/* TCP_FASTOPEN: so many early children at a time, somaxconn at most. -ENOBUFS. */
int tern_fastopen_set_max(struct tern_tcp *t, struct tern_conn *c, uint32_t max);

/* A socket begins to listen: tcp_fastopen may turn Fast Open on for every listener. */
void tern_fastopen_listen(struct tern_tcp *t, struct tern_conn *c, uint32_t backlog);

/*
 * TCP_FASTOPEN_KEY: one key or two, of 16 bytes each. -EINVAL (length), -ENOBUFS. What is read are
 * those in force: the socket's, else the knob's, else what we drew. Returns the bytes written.
 */
int tern_fastopen_set_keys(struct tern_tcp *t, struct tern_conn *c, const uint8_t *keys,
			   size_t len);
size_t tern_fastopen_get_keys(struct tern_tcp *t, const struct tern_conn *c, uint8_t *keys,
			      size_t cap);

/* The socket goes, or turns to something else. */
void tern_fastopen_forget(struct tern_tcp *t, struct tern_conn *c);

/*
 * What a SYN with the option or with data gets. ret is the cookie for the SYN-ACK: present is
 * TERN_OPT_FASTOPEN if there is to be one.
 */
enum tern_fastopen_verdict {
	TERN_FASTOPEN_NONE,       /* an ordinary handshake */
	TERN_FASTOPEN_TAKE,       /* an early child */
	TERN_FASTOPEN_TAKE_RENEW, /* the same; the cookie was made under the second key */
};
enum tern_fastopen_verdict tern_fastopen_judge(struct tern_tcp *t, const struct tern_conn *listener,
					       const struct tern_flow *flow,
					       const struct tern_segment *seg,
					       struct tern_tcp_options *ret);

/*
 * The cookie of a client under a key: SipHash-2-4 of its address and ours, as Linux computes it
 * (RFC 7413 4.1.2).
 */
void tern_fastopen_cookie(const uint32_t key[4], const struct tern_flow *flow,
			  uint8_t ret[TERN_FASTOPEN_COOKIE]);

/* An early child is born: it counts, and writes its SYN-ACK itself. -ENOBUFS. */
int tern_fastopen_adopt(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, uint32_t queue,
			enum tern_fastopen_syn answer);

/* The bytes of the SYN, for an early child. */
void tern_fastopen_take(struct tern_tcp *t, uint32_t idx, const struct tern_segment *seg);

/* An early child is one no more: its handshake is complete, or it ended; reset: by the peer. */
void tern_fastopen_settle(struct tern_tcp *t, struct tern_conn *c, bool reset);

/* The option of an early child's first SYN-ACK: a cookie under the present key. */
void tern_fastopen_renew(struct tern_tcp *t, const struct tern_conn *c,
			 const struct tern_traffic *x, struct tern_tcp_options *opt);

/* ---- client: fastopen_client.c ---- */

/*
 * connect() on a socket with TERN_FO_CONNECT, in SYN-SENT: the SYN waits for data if it may carry
 * any, else it will ask for a cookie, if that makes sense.
 */
void tern_fastopen_connect(struct tern_tcp *t, struct tern_conn *c);

/*
 * The first send() of a deferred connection: the SYN goes, with as much data as it holds. Returns
 * how much that is, or -EINPROGRESS.
 */
int64_t tern_fastopen_send(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, const void *data,
			   size_t len);

/* The same for data that is in the send queue already. */
void tern_fastopen_start(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/* Writes the option of the first SYN. */
void tern_fastopen_option(struct tern_tcp *t, struct tern_conn *c, const struct tern_traffic *x,
			  struct tern_tcp_options *opt);

/*
 * A SYN-ACK came for a SYN of ours; what it acknowledges is off the send queue, c->patience is as
 * it was. Returns whether data of the SYN has to be sent again.
 */
bool tern_fastopen_synack(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
			  const struct tern_segment *seg);

/* The retransmission timer of a Fast Open client ran out; last: it was for the last time. */
void tern_fastopen_timeout(struct tern_tcp *t, const struct tern_conn *c, bool last);

/* A client's segment came to nothing where a middlebox is to blame: no Fast Open for a while. */
void tern_fastopen_black_hole(struct tern_tcp *t);

/* A Fast Open client's connection ends: what does that tell of the path? */
void tern_fastopen_ended(struct tern_tcp *t, const struct tern_conn *c);

#endif
