/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/record.h: what the room keeps about a socket. Private to the room.
 */
#ifndef TERN_SOCK_RECORD_H
#define TERN_SOCK_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "sock/addr.h"
#include "sock/sock.h"

/* What connect() knows of its own doings; Linux' SS_UNCONNECTED and its kin. */
enum tern_sock_phase {
	TERN_PHASE_UNCONNECTED,
	TERN_PHASE_CONNECTING, /* connect() has not yet been told the end */
	TERN_PHASE_CONNECTED,
};

enum tern_sock_flag {
	TERN_SF_OPEN = 1 << 0,
	TERN_SF_LISTENING = 1 << 1,
	TERN_SF_ESTABLISHED = 1 << 2, /* the handshake is done; of a datagram socket: has a peer */
	TERN_SF_CLOSED = 1 << 3,      /* the engine's state is CLOSED again */
	TERN_SF_PEER_FIN = 1 << 4,    /* end of data, not an error: Linux' SOCK_DONE */
	TERN_SF_NOSPACE = 1 << 5,     /* a send fell short, TERN_EV_WRITABLE not yet seen */
	TERN_SF_ACCEPTABLE = 1 << 6,  /* the accept queue was not empty when last looked at */
	TERN_SF_LINGERING = 1 << 7,   /* closed, waiting for tern_sock_linger() */
	TERN_SF_BOUND = 1 << 8,       /* bind() was called */
	TERN_SF_BROADCAST = 1 << 9,
	TERN_SF_OOBINLINE = 1 << 10,
	TERN_SF_KEEPALIVE = 1 << 11, /* of a datagram socket, where it means nothing */
	TERN_SF_V6ONLY = 1 << 12,
	TERN_SF_CHANGED = 1 << 13,  /* on the list of tern_sock_next_changed() */
	TERN_SF_DEFERRED = 1 << 14, /* connect() has left the SYN to the first send */
};

/* Options of sock/kept.c that are numbers. */
enum tern_kept {
	TERN_KEPT_PRIORITY,
	TERN_KEPT_MARK,
	TERN_KEPT_BUSY_POLL,
	TERN_KEPT_CPU,
	TERN_KEPT_PEEK_OFF,
	TERN_KEPT_PACING,
	TERN_KEPT_TXREHASH,
	TERN_KEPT_THIN,
	TERN_KEPT_TCP_INQ,
	TERN_KEPT_PMTUD4,
	TERN_KEPT_PMTUD6,
	TERN_KEPT_FREEBIND,
	TERN_KEPTS,
};

/* Flags that a connection takes from its listener. */
#define TERN_SF_INHERITED (TERN_SF_BROADCAST | TERN_SF_OOBINLINE | TERN_SF_V6ONLY)

/* Bits of tern_sock.shut, as Linux' sk_shutdown. */
enum {
	TERN_SHUT_RCV = 1,
	TERN_SHUT_SND = 2,
	TERN_SHUT_BOTH = 3,
};

struct tern_sock {
	tern_id id; /* the engine's, whose user number is the descriptor + 1 */
	uint32_t flags;
	uint64_t options;     /* enum tern_option bits that the program has set */
	uint32_t rcvlowat;    /* bytes, at least 1 */
	int32_t linger_s;     /* -1: off */
	uint8_t domain, type; /* TERN_AF_*, TERN_SOCK_* */
	uint8_t phase;        /* enum tern_sock_phase */
	uint8_t shut;
	int32_t error;              /* pending, a positive errno: SO_ERROR */
	uint16_t max_seg;           /* TCP_MAXSEG as set, 0: not */
	uint8_t switches;           /* of sock/kept.c, a bit each */
	int32_t kept[TERN_KEPTS];   /* of sock/kept.c */
	uint32_t notsent_lowat;     /* TCP_NOTSENT_LOWAT as set, 0: not */
	uint32_t window_clamp;      /* TCP_WINDOW_CLAMP, 0: none */
	uint32_t rcvbuf;            /* SO_RCVBUF, while the clamp makes the engine's smaller */
	uint32_t held;              /* tern_sock_hold() */
	struct tern_endpoint bound; /* as given to bind() */
	uint64_t rcvtimeo_ns, sndtimeo_ns; /* TERN_NEVER: none */
	uint64_t linger_until;
	uint32_t changed_next, changed_prev; /* descriptor + 1; with TERN_SF_CHANGED */
};

struct tern_socks {
	struct tern_stack *st;
	struct tern_mem mem;
	struct tern_sock *table;
	uint64_t *used; /* bit per descriptor */
	uint32_t max, count;
	uint32_t first_word; /* no free descriptor stands in a word of `used` before this one */
	uint32_t changed_head, changed_tail; /* descriptor + 1; 0: nothing has changed */
};

/* The socket of a descriptor, or NULL; one that lingers is none. */
static inline struct tern_sock *tern_sock_at(const struct tern_socks *ss, int fd)
{
	struct tern_sock *s;

	if (fd < 0 || (uint32_t)fd >= ss->max)
		return NULL;
	s = &ss->table[fd];
	return (s->flags & (TERN_SF_OPEN | TERN_SF_LINGERING)) == TERN_SF_OPEN ? s : NULL;
}

static inline bool tern_sock_is_stream(const struct tern_sock *s)
{
	return s->type == TERN_SOCK_STREAM;
}

/* The pending error as a negative errno, which is then no longer pending; 0 if there is none. */
static inline int tern_sock_take_error(struct tern_sock *s)
{
	int err = -s->error;

	s->error = 0;
	return err;
}

/* A free descriptor, marked used, its record fresh but without id; -EMFILE. */
int tern_sock_alloc(struct tern_socks *ss);

/* Frees a descriptor. The engine's socket is gone already. */
void tern_sock_release(struct tern_socks *ss, int fd);

/* Binds the engine's socket as IP_FREEBIND says. Errors of tern_stack_bind(). */
int tern_sock_bind_engine(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
			  const struct tern_endpoint *at);

/*
 * Makes the record of fd refer to id, and takes over what already happened to it: state, pending
 * error.
 */
void tern_sock_adopt(struct tern_socks *ss, uint64_t now, int fd, tern_id id);

/*
 * Gives the socket a new engine socket in place of one that is used up: options and what bind()
 * said are kept, the old one is reset where it still lives. Linux' tcp_disconnect(). -ENOBUFS, or
 * what bind() says.
 */
int tern_sock_renew(struct tern_socks *ss, uint64_t now, int fd);

/* The end of a connect() under way, once: 0, -EALREADY (not yet), or what came of it. */
int tern_sock_connect_end(struct tern_socks *ss, uint64_t now, int fd);

/* Reads the engine's pending error into the socket. */
void tern_sock_fetch_error(struct tern_socks *ss, uint64_t now, struct tern_sock *s);

/* An engine option as a number; 0 where it has none. */
int64_t tern_sock_engine_option(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
				enum tern_option option);

/* Fills Linux' TCP_INFO from the engine's row. -ENOTCONN and what the engine says. */
int tern_sock_tcp_info(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
		       struct tern_tcp_info *ret_info);

#endif
