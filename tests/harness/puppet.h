/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/puppet.h: one stack, and a peer whose every segment the test makes by hand.
 *
 * The peer (the puppet) is no TCP: it has numbers of its own and uses them for whatever the test
 * does not say. Time is virtual. What the test leaves out of a segment to send has the puppet's
 * value; what it leaves out of a segment to expect matches anything:
 *
 *	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
 *	say(p, .flags = IS(TERN_FIN | TERN_ACK));
 *	expect(p, .flags = IS(TERN_ACK), .ack = IS(p->seq));
 *	assert_state(p, TERN_CLOSE_WAIT);
 *	done(p);
 *
 * Whatever leaves the stack is checked as it leaves: it parses, its checksums are right, its
 * options are legal, its payload is what the application wrote, it keeps to the puppet's window and
 * to its own promises. done() closes what is open, lets virtual time pass, and wants everything
 * back: records, buffers, timers, ports.
 */
#ifndef TERN_TESTS_HARNESS_PUPPET_H
#define TERN_TESTS_HARNESS_PUPPET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/internal.h"
#include "tern/stack.h"
#include "wire/tcp.h"

#define NS_PER_MS UINT64_C(1000000)
#define SECOND    1000u /* ms */
#define MINUTE    60000u

enum {
	CAUGHT_MAX = 256,  /* frames waiting to be expected */
	PAYLOAD_MAX = 256, /* bytes of each that are kept; all are checked */
	SLACK_MS = 2,      /* a timer may be late by this much */
};

/* Byte i behind the SYN, in either direction. */
static inline uint8_t stream_byte(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 3 + 1);
}

/* Who opens, and over what. */
enum kind {
	PASSIVE4,
	ACTIVE4,
	PASSIVE6,
	ACTIVE6,
	KINDS,
};

#define FOR_EACH_KIND(k) for (enum kind k = PASSIVE4; (k) < KINDS; (k)++)
/* Where who opened makes no difference. */
#define FOR_EACH_FAMILY(k) for (enum kind k = PASSIVE4; (k) < KINDS; (k) += 2)

static inline bool is_active(enum kind k)
{
	return k == ACTIVE4 || k == ACTIVE6;
}

/* A value that was said. */
struct is {
	bool set;
	uint32_t value;
};

#define IS(v)                       \
	{                           \
		true, (uint32_t)(v) \
	}

/* A segment, as far as it is said. */
struct shape {
	struct is flags, seq, ack, wnd, len;
	struct is mss, wscale; /* of a SYN */
	struct is sackok, ts;  /* 0 or 1: whether the option is there */
	struct is tsval, tsecr;
	struct is sack_left, sack_right; /* the first block */
	struct is urgent;
	struct is tos; /* of the packet */
};

/* A segment that came out, and when. */
struct caught {
	uint64_t at; /* ns */
	struct tern_segment seg;
	struct tern_flow flow; /* as the stack sees it: local is the stack */
	uint8_t proto, ttl, tos;
	uint8_t payload[PAYLOAD_MAX]; /* of anything but TCP: the whole packet behind IP */
	uint32_t len;
};

struct puppet {
	struct tern_stack *st;
	uint64_t now; /* ns */
	enum kind kind;
	struct tern_endpoint us, peer; /* the stack's end, the puppet's end */
	tern_id listener, id;          /* 0: none */

	/* What the puppet says of itself in a SYN; set before the handshake. */
	uint32_t mss; /* 0: no option */
	int wscale;   /* -1: no option */
	bool ts, sackok;
	bool fastopen; /* a Fast Open option: cookie of cookie_len bytes, cookie_exp its form */
	uint8_t cookie_len;
	bool cookie_exp;
	uint8_t cookie[TERN_FASTOPEN_MAX];

	/* Where it stands. */
	uint32_t iss, seq; /* its first number, and the next */
	uint32_t irs, ack; /* the stack's first number, and the next it expects */
	uint32_t window;   /* bytes it offers */
	bool scaled;       /* both ends offered window scaling */
	bool stamped;      /* both ends offered timestamps */
	uint8_t stack_wscale;
	uint32_t ts_base, tsecr; /* its clock's offset; the last TSval it saw */

	/* What the stack said last. */
	struct caught got; /* by expect() */
	uint32_t edge;     /* right edge of the stack's window: never goes back */
	bool edge_known;
	uint32_t room; /* right edge of the puppet's window, the farthest it ever showed */

	/* What applications did. */
	uint32_t written, read; /* bytes, in order */

	enum tern_drop reason; /* why the last segment was dropped; NONE if it was not */
	uint64_t drops;        /* sum of all reasons so far */
	uint8_t tos;           /* of packets that the puppet sends */
	struct caught caught[CAUGHT_MAX];
	unsigned int first, count;
};

/* ---- puppet.c: a stack and its peer ---- */

/* A stack with one address of each family, without sockets. */
struct puppet *puppet_new(enum kind kind);
struct puppet *puppet_new_cfg(enum kind kind, const struct tern_config *cfg);

/* The configuration that puppet_new() takes. */
struct tern_config puppet_config(void);

/* Sets a knob, which must exist. */
void knob(struct puppet *p, const char *name, const char *value);

/* Sends a segment. p->reason is why it was dropped; more than one reason for it is a failure. */
void puppet_say(struct puppet *p, const struct shape *s);
#define say(p, ...) puppet_say(p, &(struct shape){ __VA_ARGS__ })

/* The same with TCP options given as bytes (a multiple of 4). */
void say_with_options(struct puppet *p, uint16_t flags, const uint8_t *options, uint32_t len);

/* A packet of any kind, behind its IP header, from src to dst. */
void say_packet(struct puppet *p, const struct tern_addr *src, const struct tern_addr *dst,
		uint8_t proto, const uint8_t *payload, uint32_t len);

/* An ICMP or ICMPv6 error from a router, quoting the stack's segment at seq. */
void say_icmp(struct puppet *p, uint8_t type, uint8_t code, uint32_t rest, uint32_t seq);

/* Takes the next segment that left the stack; it must be there and have this shape. */
void puppet_expect(struct puppet *p, const struct shape *s, const char *file, int line);
#define expect(p, ...) puppet_expect(p, &(struct shape){ __VA_ARGS__ }, __FILE__, __LINE__)

/* The next frame comes `ms` from now, not sooner, not (much) later; time stands there then. */
void puppet_expect_after(struct puppet *p, uint64_t ms, const struct shape *s, const char *file,
			 int line);
#define expect_after(p, ms, ...) \
	puppet_expect_after(p, ms, &(struct shape){ __VA_ARGS__ }, __FILE__, __LINE__)

/* A whole segment: nothing but an ACK of all that the puppet sent, from where the stack stands. */
#define expect_ack(p) \
	expect(p, .flags = IS(TERN_ACK), .seq = IS((p)->ack), .ack = IS((p)->seq), .len = IS(0))

/* The reset of a connection: from where the stack stands. */
#define expect_reset(p) \
	expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS((p)->ack), .len = IS(0))

/* Takes the next frame, whatever it is, into p->got; false if nothing has left the stack. */
bool hear(struct puppet *p);

/* Nothing has left the stack. */
void puppet_expect_silence(struct puppet *p, const char *file, int line);
#define expect_silence(p) puppet_expect_silence(p, __FILE__, __LINE__)

/* Lets time pass; what leaves the stack meanwhile waits for expect(). */
void wait_ms(struct puppet *p, uint64_t ms);

/* Forgets what has left the stack so far. */
void ignore(struct puppet *p);

/* The application's side: n bytes written; n bytes read and compared; nothing to read. */
void app_writes(struct puppet *p, uint32_t n);
void app_reads(struct puppet *p, uint32_t n);
void app_accepts(struct puppet *p);
void app_closes(struct puppet *p);
void app_shuts(struct puppet *p, enum tern_how how);

/* Result of recv() when there is nothing: 0 is the end, else -errno. */
int64_t app_recv(struct puppet *p);

/* Bits of the next event of the socket, all events of it put together; 0 if there is none. */
uint32_t events(struct puppet *p);

int64_t option(struct puppet *p, tern_id id, enum tern_option option);
void set_option(struct puppet *p, tern_id id, enum tern_option option, int64_t value);
#define so_error(p) ((int)option(p, (p)->id, TERN_SO_ERROR))

uint64_t counter(const struct puppet *p, enum tern_counter c);
#define COUNT(p, name) counter(p, TERN_CNT_##name)

/* ---- check.c: what the stack shows of itself ---- */

/* Looks at a frame on its way out, whatever it is. */
void check_frame(struct puppet *p, const struct tern_out *out, struct caught *ret);

/* The row of the puppet's connection; false if there is none. */
bool find_row(const struct puppet *p, struct tern_socket_info *ret);

/* State of the stack's end: of the row, LISTEN if there is only a listener, else CLOSED. */
enum tern_state state_of(const struct puppet *p);
void puppet_assert_state(const struct puppet *p, enum tern_state state, const char *file, int line);
#define assert_state(p, s) puppet_assert_state(p, s, __FILE__, __LINE__)

void puppet_assert_reason(const struct puppet *p, enum tern_drop reason, const char *file,
			  int line);
#define assert_dropped(p, r) puppet_assert_reason(p, TERN_DROP_##r, __FILE__, __LINE__)
#define assert_taken(p)      puppet_assert_reason(p, TERN_DROP_NONE, __FILE__, __LINE__)

/* Closes what is open, lets everything time out, and wants all back. Frees the puppet. */
void done(struct puppet *p);

/* Nothing is held any more: records, buffers, timers, lists, ports. */
void assert_all_back(struct puppet *p);

/* ---- states.c: a constructor for each state ---- */

/* A listener; and a connection in SYN-SENT whose SYN was seen. */
void open_listener(struct puppet *p, int backlog);
void open_active(struct puppet *p);

/* A stack whose connection with the puppet is in the state; the handshake's frames are taken. */
struct puppet *in_state(enum tern_state state, enum kind kind);

/* The same for a puppet that was set up by the test. */
void bring_to(struct puppet *p, enum tern_state state);

/* Becomes another peer: next port, numbers from the start. */
void next_peer(struct puppet *p);

#endif
