/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stack's worth of rooms below and including syn, one listening socket on 10.0.0.1:80, and peers
 * on 10.0.0.2 that talk to it in segments.
 */
#ifndef TERN_TESTS_UNIT_SYN_WORLD_H
#define TERN_TESTS_UNIT_SYN_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "syn/internal.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

enum {
	LISTENERS = 8,
	HALVES = 64,
	PEER_ISN = 1000, /* of every peer's SYN */
	PEER_TS = 5000,  /* and its TSval */
};

struct world {
	struct tern_mem mem;
	struct tern_trace trace;
	struct tern_knobs knobs;
	struct tern_rng rng;
	struct tern_tcp tcp;
	struct tern_syn syn;
	uint32_t sock, listener;
	enum tern_drop reason; /* of the last segment */
};

#define COUNT(w, name)      ((w)->trace.counters[TERN_CNT_##name])
#define AT(w)               tern_listener_at(&(w)->syn, (w)->listener)
#define assert_reason(w, r) assert_int_equal((w)->reason, TERN_DROP_##r)

static inline uint32_t new_socket(struct world *w)
{
	uint32_t idx = tern_conn_new(&w->tcp, TERN_CLOSED);

	assert_int_not_equal(idx, 0);
	tern_conn_at(&w->tcp, idx)->flags |= TERN_CF_OWNED;
	return idx;
}

/* Everything but the listener. */
static inline void world_start(struct world *w)
{
	uint8_t seed[TERN_RNG_SEED_LEN] = { 7 };

	memset(w, 0, sizeof(*w));
	tern_knobs_init(&w->knobs);
	tern_rng_init(&w->rng, seed);
	assert_int_equal(tern_trace_init(&w->trace, &w->mem, 64), 0);
	w->tcp.mem = &w->mem;
	w->tcp.trace = &w->trace;
	w->tcp.knobs = &w->knobs;
	w->tcp.rng = &w->rng;
	w->tcp.mtu = 1500;
	w->tcp.ports = tern_ports_new(&w->mem);
	assert_non_null(w->tcp.ports);
	assert_int_equal(tern_tcp_init(&w->tcp, 64, 1 << 20, 32, 1000 * NS_PER_S), 0);
	assert_int_equal(tern_syn_init(&w->syn, &w->tcp, LISTENERS, HALVES, 32, w->tcp.now), 0);
}

static inline struct tern_endpoint here(void)
{
	return (struct tern_endpoint){ tern_addr_v4(10, 0, 0, 1), 80 };
}

static inline void world_open(struct world *w, int backlog)
{
	struct tern_endpoint local = here();

	world_start(w);
	w->sock = new_socket(w);
	assert_int_equal(tern_listener_open(&w->syn, w->sock, &local, false, backlog), 0);
	w->listener = tern_conn_at(&w->tcp, w->sock)->listener;
}

/* Frees all of it and looks whether all of it came back. */
static inline void world_close(struct world *w)
{
	tern_syn_free(&w->syn);
	tern_tcp_free(&w->tcp);
	tern_ports_free(w->tcp.ports);
	tern_trace_free(&w->trace, &w->mem);
	assert_int_equal(w->mem.used, 0);
}

/* The flow of peer n, from our side. */
static inline struct tern_flow peer(unsigned int n)
{
	return (struct tern_flow){ .local = here().addr,
				   .remote = tern_addr_v4(10, 0, 0, 2),
				   .lport = here().port,
				   .rport = (uint16_t)(40000 + n) };
}

static inline uint32_t hash_of(const struct world *w, const struct tern_flow *flow)
{
	return tern_flow_hash(w->tcp.map_key, flow);
}

/* A SYN with the options of a modern system. */
static inline struct tern_segment a_syn(const struct tern_flow *flow)
{
	return (struct tern_segment){
		.sport = flow->rport,
		.dport = flow->lport,
		.seq = PEER_ISN,
		.flags = TERN_SYN,
		.wnd = 64240,
		.opt = { .present = TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS,
			 .mss = 1400,
			 .wscale = 10,
			 .tsval = PEER_TS },
	};
}

static inline uint32_t find_half(const struct world *w, unsigned int n)
{
	struct tern_flow flow = peer(n);

	return tern_half_find(&w->syn, hash_of(w, &flow), &flow);
}

static inline struct tern_half *half_of(const struct world *w, unsigned int n)
{
	uint32_t idx = find_half(w, n);

	assert_int_not_equal(idx, 0);
	return tern_half_at(&w->syn, idx);
}

/* The segment with which peer n answers our SYN-ACK, as its half-open record stands. */
static inline struct tern_segment an_ack(const struct world *w, unsigned int n)
{
	const struct tern_half *h = half_of(w, n);
	struct tern_segment seg = { .sport = h->rport,
				    .dport = h->lport,
				    .seq = h->irs + 1,
				    .ack = h->iss + 1,
				    .flags = TERN_ACK,
				    .wnd = 500 };

	if (h->options & TERN_OPT_TS) {
		seg.opt.present = TERN_OPT_TS;
		seg.opt.tsval = h->ts_recent + 1;
		seg.opt.tsecr = w->tcp.now_ms + h->ts_offset;
	}
	return seg;
}

/* A segment in, as the stack would route it. Returns the connection that it promoted, or 0. */
static inline uint32_t input_flow(struct world *w, const struct tern_flow *flow,
				  const struct tern_segment *seg)
{
	uint32_t hash = hash_of(w, flow), half = tern_half_find(&w->syn, hash, flow), conn, l;
	struct tern_outcome out;

	w->reason = TERN_DROPS;
	if (!half) {
		l = tern_listener_find(&w->syn, &flow->local, flow->lport, 0);
		assert_int_not_equal(l, 0);
		tern_listener_input(&w->syn, l, flow, hash, seg, NULL, &w->reason);
		assert_int_not_equal(w->reason, TERN_DROPS);
		return 0;
	}
	conn = tern_half_input(&w->syn, half, flow, hash, seg, &w->reason);
	assert_int_not_equal(w->reason, TERN_DROPS);
	if (conn) {
		tern_tcp_input(&w->tcp, conn, tern_conn_at(&w->tcp, conn), seg, &out);
		w->reason = out.reason;
	}
	return conn;
}

static inline uint32_t input(struct world *w, unsigned int n, const struct tern_segment *seg)
{
	struct tern_flow flow = peer(n);

	return input_flow(w, &flow, seg);
}

/* Time passes, and timers run. */
static inline void later(struct world *w, uint64_t ns)
{
	tern_tcp_set_now(&w->tcp, w->tcp.now + ns);
	tern_syn_tick(&w->syn);
}

static inline unsigned int replies(const struct world *w)
{
	return tern_ring_count(&w->tcp.replies.ring);
}

/* Is the reply one of this flow? */
static inline bool is_of(const struct tern_reply *reply, const struct tern_flow *flow)
{
	return tern_flow_matches(flow, reply->family, reply->lport, reply->rport, reply->addrs);
}

/* The oldest reply, which must be there. */
static inline struct tern_reply next_reply(struct world *w)
{
	struct tern_reply *reply = tern_ring_pop(&w->tcp.replies.ring);

	assert_non_null(reply);
	return *reply;
}

static inline void forget_replies(struct world *w)
{
	while (tern_ring_pop(&w->tcp.replies.ring))
		;
}

/* The one reply there is: a segment with these flags, number and acknowledgment. */
static inline void assert_only_reply(struct world *w, uint16_t flags, tern_seq seq, tern_seq ack)
{
	struct tern_reply reply = next_reply(w);

	assert_int_equal(reply.flags, flags);
	assert_int_equal(reply.seq, seq);
	assert_int_equal(reply.ack, ack);
	assert_int_equal(replies(w), 0);
}

/* Peer n sends its SYN and gets the SYN-ACK. */
static inline void half_open(struct world *w, unsigned int n)
{
	struct tern_flow flow = peer(n);
	struct tern_segment seg = a_syn(&flow);

	input(w, n, &seg);
	assert_reason(w, NONE);
	next_reply(w);
}

/* Peer n completes a handshake. */
static inline uint32_t open_fully(struct world *w, unsigned int n)
{
	struct tern_segment seg;
	uint32_t conn;

	half_open(w, n);
	seg = an_ack(w, n);
	conn = input(w, n, &seg);
	assert_int_not_equal(conn, 0);
	assert_reason(w, NONE);
	return conn;
}

#endif
