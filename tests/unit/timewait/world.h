/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A room of small records above a real src/tcp, and connections that are about to leave one: ours
 * is 10.0.0.1:80, the peer 10.0.0.2; SND.NXT 70000, RCV.NXT 3000, window 1000 (shift 2), TS.Recent
 * 500.
 */
#ifndef TERN_TESTS_UNIT_TIMEWAIT_WORLD_H
#define TERN_TESTS_UNIT_TIMEWAIT_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "timewait/internal.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

#define SND_NXT   70000u
#define RCV_NXT   3000u
#define WINDOW    1000u
#define TS_RECENT 500u
#define TS_OFFSET 123456u

enum { RECORDS = 16 };

struct world {
	struct tern_mem mem;
	struct tern_trace trace;
	struct tern_knobs knobs;
	struct tern_rng rng;
	struct tern_tcp tcp;
	struct tern_timewait tw;
	uint32_t idx;          /* the record made by world_open */
	struct tern_flow flow; /* and its flow */
	enum tern_drop reason; /* of the last segment */
	tern_seq iss;          /* of the last reopening */
	uint32_t ts_offset;
};

#define COUNT(w, name)      ((w)->trace.counters[TERN_CNT_##name])
#define assert_reason(w, r) assert_int_equal((w)->reason, TERN_DROP_##r)

static inline struct tern_flow peer(unsigned int n)
{
	return (struct tern_flow){ .local = tern_addr_v4(10, 0, 0, 1),
				   .remote = tern_addr_v4(10, 0, 0, 2),
				   .lport = 80,
				   .rport = (uint16_t)(40000 + n) };
}

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
	assert_int_equal(tern_tcp_init(&w->tcp, 32, 1 << 20, 32, 1000 * NS_PER_S), 0);
	assert_int_equal(tern_timewait_init(&w->tw, &w->tcp, w->tcp.ports, RECORDS, 32, w->tcp.now),
			 0);
}

/* A connection of a flow with the numbers above. */
static inline uint32_t conn_of(struct world *w, const struct tern_flow *flow)
{
	uint32_t idx = tern_conn_new(&w->tcp, TERN_CLOSED);
	struct tern_conn *c;

	assert_int_not_equal(idx, 0);
	assert_int_equal(tern_conn_hash(&w->tcp, idx, tern_conn_at(&w->tcp, idx), flow), 0);
	c = tern_conn_at(&w->tcp, idx);
	c->snd.nxt = SND_NXT;
	c->rcv.nxt = RCV_NXT;
	c->rcv.adv = RCV_NXT + WINDOW;
	c->rcv_wscale = 2;
	c->options = TERN_OPT_TS | TERN_OPT_WSCALE;
	c->ts.recent = TS_RECENT;
	c->ts.offset = TS_OFFSET;
	return idx;
}

/* The record that a connection leaves; the connection goes, as the stack would have it. */
static inline uint32_t leave(struct world *w, const struct tern_flow *flow, enum tern_state state,
			     bool ack)
{
	uint32_t conn = conn_of(w, flow);
	uint32_t idx = tern_timewait_add(&w->tw, conn, tern_conn_at(&w->tcp, conn), state, ack);

	tern_conn_free(&w->tcp, conn);
	return idx;
}

static inline void world_open(struct world *w, enum tern_state state)
{
	world_start(w);
	w->flow = peer(0);
	w->idx = leave(w, &w->flow, state, false);
	assert_int_not_equal(w->idx, 0);
}

static inline void world_close(struct world *w)
{
	tern_timewait_free(&w->tw);
	tern_tcp_free(&w->tcp);
	tern_ports_free(w->tcp.ports);
	tern_trace_free(&w->trace, &w->mem);
	assert_int_equal(w->mem.used, 0);
}

static inline uint32_t find(const struct world *w, const struct tern_flow *flow)
{
	return tern_timewait_find(&w->tw, tern_flow_hash(w->tcp.map_key, flow), flow);
}

/* Time passes, each timer runs when it is due. */
static inline void later(struct world *w, uint64_t ns)
{
	uint64_t end = w->tcp.now + ns, due;

	while ((due = tern_timewait_deadline(&w->tw)) <= end) {
		tern_tcp_set_now(&w->tcp, TERN_MAX(due, w->tcp.now));
		tern_timewait_tick(&w->tw);
	}
	tern_tcp_set_now(&w->tcp, end);
	tern_timewait_tick(&w->tw);
}

/* A segment of the peer's, in order and with the next timestamp. */
static inline struct tern_segment segment(uint16_t flags)
{
	return (struct tern_segment){
		.seq = RCV_NXT,
		.ack = SND_NXT,
		.flags = flags,
		.wnd = 100,
		.opt = { .present = TERN_OPT_TS, .tsval = TS_RECENT + 1, .tsecr = 1 },
	};
}

static inline enum tern_tw_verdict input(struct world *w, const struct tern_segment *seg)
{
	w->reason = TERN_DROPS;
	return tern_timewait_input(&w->tw, w->idx, &w->flow, seg, &w->iss, &w->ts_offset,
				   &w->reason);
}

/* The same for a segment that must not reopen anything. */
static inline void refuse(struct world *w, const struct tern_segment *seg)
{
	assert_int_equal(input(w, seg), TERN_TW_DROP);
	assert_int_not_equal(w->reason, TERN_DROPS);
}

static inline unsigned int replies(const struct world *w)
{
	return tern_ring_count(&w->tcp.replies.ring);
}

static inline struct tern_reply next_reply(struct world *w)
{
	struct tern_reply *reply = tern_ring_pop(&w->tcp.replies.ring);

	assert_non_null(reply);
	return *reply;
}

/* The one reply there is: an ACK of everything up to rcv_nxt. */
static inline void assert_acked(struct world *w, tern_seq rcv_nxt)
{
	struct tern_reply r = next_reply(w);

	assert_true(tern_flow_matches(&w->flow, r.family, r.lport, r.rport, r.addrs));
	assert_int_equal(r.flags, TERN_ACK);
	assert_int_equal(r.seq, SND_NXT);
	assert_int_equal(r.ack, rcv_nxt);
	assert_int_equal(r.wnd, tern_tw_at(&w->tw, w->idx)->rcv_wnd);
	assert_int_equal(r.state, tern_timewait_state(&w->tw, w->idx));
	assert_int_equal(r.options, TERN_OPT_TS);
	assert_int_equal(r.tsval, w->tcp.now_ms + TS_OFFSET);
	assert_int_equal(r.tsecr, tern_tw_at(&w->tw, w->idx)->ts_recent);
	assert_int_equal(replies(w), 0);
}

#endif
