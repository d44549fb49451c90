/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixture.h: the room tcp by itself, with one connection and a puppet for a peer. Segments go in
 * and come out as plain data; the clock stands still until a test moves it. Sequence numbers are
 * written relative to the two ISNs, which a test may choose: 1 is the first byte of each side.
 */
#ifndef TERN_TESTS_UNIT_TCP_FIXTURE_H
#define TERN_TESTS_UNIT_TCP_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/tcp.h"
#include "tcp/timers.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

enum { BIG = 1 << 22 };

struct room {
	struct tern_mem mem;
	struct tern_trace trace;
	struct tern_knobs knobs;
	struct tern_rng rng;
	struct tern_ports *ports;
	struct tern_tcp t;
	uint32_t idx;
	struct tern_conn *c;
	tern_seq iss, irs;  /* ours and the peer's */
	uint32_t tsval;     /* the peer's clock, where timestamps are on */
	struct tern_tx tx;  /* the segment pulled last */
	uint8_t bytes[BIG]; /* byte i of either stream, i from 0, is pattern(i) */
};

/* How a connection is to be made; 0 is the usual. */
struct setup {
	tern_seq iss, irs;
	uint16_t mss;     /* the peer's; 1460 */
	uint32_t window;  /* the peer's, at the start; 65535 */
	uint8_t wscale;   /* the peer's; no option when 0 */
	bool ts;          /* timestamps; then the peer's window scale option is sent, too */
	uint32_t gso_max; /* of the link */
	uint32_t rcvbuf, sndbuf;
	uint32_t rmem; /* the receive buffer, not fixed as by rcvbuf */
	bool probes;   /* loss probes (tcp_early_retrans) */
	bool no_sack;  /* the peer does not know SACK */
};

static inline uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* A segment from the peer: fields that are left out are 0; seq and ack are relative. */
#define FEED(r, ...) feed((r), (struct tern_segment){ __VA_ARGS__ })

static inline struct tern_outcome feed(struct room *r, struct tern_segment seg)
{
	struct tern_outcome outcome;

	if (!seg.data && seg.len)
		seg.data = r->bytes + seg.seq - 1;
	seg.seq += r->irs;
	seg.ack += r->iss;
	seg.sport = 80;
	seg.dport = 40000;
	if (r->tsval && !(seg.opt.present & TERN_OPT_TS)) {
		seg.opt.present |= TERN_OPT_TS;
		seg.opt.tsval = r->tsval;
	}
	tern_tcp_input(&r->t, r->idx, tern_conn_at(&r->t, r->idx), &seg, &outcome);
	return outcome;
}

/* The next segment out, or false. Its numbers are then relative in tx.seg. */
static inline bool pull(struct room *r)
{
	if (!tern_tcp_output(&r->t, &r->tx))
		return false;
	r->tx.seg.seq -= r->iss;
	if (r->tx.seg.flags & TERN_ACK)
		r->tx.seg.ack -= r->irs;
	return true;
}

/* The next segment out has this sequence number, length and these flags. */
#define assert_out(r, seq_, len_, flags_)                      \
	do {                                                   \
		assert_true(pull(r));                          \
		assert_int_equal((r)->tx.seg.seq, (seq_));     \
		assert_int_equal((r)->tx.seg.len, (len_));     \
		assert_int_equal((r)->tx.seg.flags, (flags_)); \
	} while (0)

#define assert_quiet(r) assert_false(pull(r))

/* Throws away what is to be sent; returns how many segments. */
static inline unsigned int drain(struct room *r)
{
	unsigned int n = 0;

	while (pull(r))
		n++;
	return n;
}

/* The bytes of the segment pulled last are those of the stream. */
static inline void assert_payload(const struct room *r)
{
	uint32_t at = r->tx.seg.seq - 1;

	for (unsigned int i = 0; i < r->tx.pieces; i++) {
		assert_memory_equal(r->tx.piece[i].ptr, r->bytes + at, r->tx.piece[i].len);
		at += r->tx.piece[i].len;
	}
	assert_int_equal(at, r->tx.seg.seq - 1 + r->tx.seg.len);
}

/* Moves the clock and runs timers on the way; the last of them may be due a tick late. */
static inline void pass(struct room *r, uint64_t ns)
{
	uint64_t end = r->t.now + ns;

	for (;;) {
		uint64_t due = tern_wheel_deadline(&r->t.wheel);

		if (due > end)
			break;
		tern_tcp_set_now(&r->t, TERN_MAX(r->t.now, due));
		tern_tcp_tick(&r->t);
		if (r->t.out.head)
			return;
	}
	tern_tcp_set_now(&r->t, end);
}

static inline struct tern_traffic *traffic(const struct room *r)
{
	return tern_conn_traffic(&r->t, r->c);
}

/* The application sends n bytes of the stream from byte `at` (from 0) on. */
static inline int64_t app_send(struct room *r, uint32_t at, uint32_t n)
{
	return tern_tcp_send(&r->t, r->idx, r->bytes + at, n, 0);
}

/* The application reads up to n bytes; they must be those of the stream from `at` on. */
static inline int64_t app_recv(struct room *r, uint32_t at, uint32_t n)
{
	uint8_t *got = malloc(n);
	int64_t k;

	assert_non_null(got);
	k = tern_tcp_recv(&r->t, r->idx, got, n, 0);
	if (k > 0)
		assert_memory_equal(got, r->bytes + at, (size_t)k);
	free(got);
	return k;
}

static inline uint64_t counter(const struct room *r, enum tern_counter which)
{
	return r->trace.counters[which];
}

static inline struct room *room_bare(const struct setup *s)
{
	static const uint8_t seed[TERN_RNG_SEED_LEN] = { 7 };
	struct room *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	for (uint32_t i = 0; i < BIG; i++)
		r->bytes[i] = pattern(i);
	tern_knobs_init(&r->knobs);
	r->knobs.tcp_early_retrans = s->probes ? 3 : 0;
	tern_rng_init(&r->rng, seed);
	assert_int_equal(tern_trace_init(&r->trace, &r->mem, 0), 0);
	r->ports = tern_ports_new(&r->mem);
	assert_non_null(r->ports);
	r->t = (struct tern_tcp){ .mem = &r->mem,
				  .trace = &r->trace,
				  .knobs = &r->knobs,
				  .rng = &r->rng,
				  .ports = r->ports,
				  .mtu = 1500,
				  .gso_max = s->gso_max };
	assert_int_equal(tern_tcp_init(&r->t, 16, 64 << 20, 8, 1000 * S), 0);
	return r;
}

/* A connection in SYN-SENT whose SYN has not left yet. */
static inline struct room *room_connecting(const struct setup *s)
{
	struct room *r = room_bare(s);
	struct tern_flow flow = { .local = tern_addr_v4(10, 0, 0, 1),
				  .remote = tern_addr_v4(10, 0, 0, 2),
				  .lport = 40000,
				  .rport = 80 };

	r->iss = s->iss;
	r->irs = s->irs;
	r->idx = tern_conn_new(&r->t, TERN_CLOSED);
	r->c = tern_conn_at(&r->t, r->idx);
	r->c->flags |= TERN_CF_OWNED;
	if (s->rcvbuf)
		tern_tcp_set_option(&r->t, r->idx, TERN_SO_RCVBUF, s->rcvbuf);
	if (s->rmem)
		r->c->rcv.buf = s->rmem;
	if (s->sndbuf)
		tern_tcp_set_option(&r->t, r->idx, TERN_SO_SNDBUF, s->sndbuf);
	assert_int_equal(tern_tcp_connect(&r->t, r->idx, tern_conn_at(&r->t, r->idx), &flow, r->iss,
					  0, 1500),
			 0);
	return r;
}

/* A connection that stands, with nothing owed. The handshake took 1 ms; the clock then moves. */
static inline struct room *room_new(struct setup s)
{
	struct room *r = room_connecting(&s);
	struct tern_tcp_options opt = { .present = TERN_OPT_MSS | TERN_OPT_SACKOK,
					.mss = s.mss ? s.mss : 1460 };

	assert_out(r, 0, 0, TERN_SYN);
	pass(r, MS);
	if (s.no_sack)
		opt.present &= (uint16_t)~TERN_OPT_SACKOK;
	if (s.wscale || s.ts)
		opt.present |= TERN_OPT_WSCALE;
	opt.wscale = s.wscale;
	if (s.ts)
		r->tsval = 1;
	FEED(r, .ack = 1, .flags = TERN_SYN | TERN_ACK, .opt = opt,
	     .wnd = (uint16_t)TERN_MIN(s.window ? s.window : 65535u, 65535u));
	assert_out(r, 1, 0, TERN_ACK);
	assert_quiet(r);
	assert_int_equal(r->c->state, TERN_ESTABLISHED);
	return r;
}

/* Ends the test: every byte and every record must come back. */
static inline void room_free(struct room *r)
{
	if (tern_pool_is_used(&r->t.conns, r->idx)) {
		tern_conn_finish(&r->t, r->idx, 0);
		if (tern_pool_is_used(&r->t.conns, r->idx))
			tern_tcp_close(&r->t, r->idx, tern_conn_at(&r->t, r->idx));
	}
	assert_int_equal(r->t.bufs.used, 0);
	assert_int_equal(r->t.conns.used, 0);
	assert_int_equal(tern_tcp_traffics(&r->t), 0);
	assert_int_equal(r->t.reass.used, 0);
	assert_int_equal(r->t.bursts.used, 0);
	assert_int_equal(r->t.wheel.count, 0);
	assert_int_equal(r->t.out.head, 0);
	tern_tcp_free(&r->t);
	tern_ports_free(r->ports);
	tern_trace_free(&r->trace, &r->mem);
	assert_int_equal(r->mem.used, 0);
	free(r);
}

#endif
