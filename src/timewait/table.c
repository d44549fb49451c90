/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A connection that has nothing more to say leaves one small record behind: in TIME-WAIT for
 * tern_timewait_len (2 MSL) from entering it, or from the last time the peer repeated its FIN; or,
 * when its application has closed it, in FIN-WAIT-2 for tcp_fin_timeout, after which it is CLOSED.
 * A FIN in time moves FIN-WAIT-2 on to TIME-WAIT.
 *
 * Records stand in a keyed map of flows and in a queue. How many there may be is the smaller of the
 * pool's size, fixed at the start, and tcp_max_tw_buckets; beyond it connections are CLOSED at once
 * and that is counted (TCPTimeWaitOverflow), as Linux does.
 */
#include <assert.h>
#include <string.h>

#include "timewait/internal.h"

#define NS_PER_S UINT64_C(1000000000)

/* There may be a hundred thousand of these: what they may weigh (IPv4) is part of the design. */
static_assert(sizeof(struct tern_tw) + 8 <= 48, "a TIME-WAIT record takes 48 bytes");

int tern_timewait_init(struct tern_timewait *tw, struct tern_tcp *tcp, struct tern_ports *ports,
		       uint32_t max, size_t addrs_len, uint64_t now)
{
	int err;

	*tw = (struct tern_timewait){ .tcp = tcp, .ports = ports };
	err = tern_pool_init_bare(&tw->pool, tcp->mem, sizeof(struct tern_tw) + addrs_len, max);
	if (!err)
		err = tern_map_init(&tw->map, tcp->mem, max);
	if (err) {
		tern_timewait_free(tw);
		return err;
	}
	tw->tick = now >> TERN_TICK_SHIFT;
	tw->next = UINT64_MAX;
	return 0;
}

void tern_timewait_free(struct tern_timewait *tw)
{
	tern_map_free(&tw->map);
	tern_pool_free(&tw->pool);
}

/* The 2 MSL of a record that waits for nothing. */
static void wait_2msl(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w)
{
	/* RFC9293:MUST-13 */
	tern_tw_wait(tw, idx, w, tw->tcp->knobs->tern_timewait_len * NS_PER_S);
}

void tern_tw_restart(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w)
{
	tern_tw_unwait(tw, w);
	wait_2msl(tw, idx, w);
}

/* Notes when the record came to its state. */
static void stamp(struct tern_timewait *tw, struct tern_tw *w)
{
	w->entered_ms = tw->tcp->now_ms & 0xffffff;
}

/* Enters TIME-WAIT. */
static void enter(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w)
{
	stamp(tw, w);
	tern_count(tw->tcp->trace, TERN_CNT_TcpExtTW);
	wait_2msl(tw, idx, w);
}

void tern_tw_enter(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w)
{
	tern_tw_unwait(tw, w);
	w->finwait2 = 0;
	tw->finwait2--;
	enter(tw, idx, w);
}

/* The window as the last segment showed it: 16 bits, scaled down, never less than shown. */
static uint16_t shown_window(const struct tern_conn *c)
{
	int32_t left = tern_seq_diff(c->rcv.adv, c->rcv.nxt);
	uint32_t unit = 1u << c->rcv_wscale;

	if (left <= 0)
		return 0;
	return (uint16_t)TERN_MIN(((uint32_t)left + unit - 1) >> c->rcv_wscale, 65535u);
}

static void fill(struct tern_tw *w, const struct tern_conn *c)
{
	w->snd_nxt = c->snd.nxt;
	w->rcv_nxt = c->rcv.nxt;
	w->ts_recent = c->ts.recent;
	w->ts_offset = c->ts.offset;
	w->timestamps = (c->options & TERN_OPT_TS) != 0;
	w->wscale = c->rcv_wscale & 15u;
	w->inet6 = c->family == TERN_INET6;
	w->lport = c->lport;
	w->rport = c->rport;
	w->rcv_wnd = shown_window(c);
	w->oow_ms = 0;
	w->finwait2 = 0;
}

/* The record of a connection, filled in; 0, counted, when there can be none. */
static uint32_t record_new(struct tern_timewait *tw, uint32_t conn, struct tern_conn *c)
{
	struct tern_tcp *t = tw->tcp;
	const struct tern_flow *flow;
	struct tern_tw *w;
	uint32_t idx = 0;
	int err;

	if (tw->pool.used < t->knobs->tcp_max_tw_buckets)
		idx = tern_pool_get(&tw->pool);
	if (!idx) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPTimeWaitOverflow);
		return 0;
	}
	flow = tern_conn_hand_over(t, conn, c);
	w = tern_tw_at(tw, idx);
	fill(w, c);
	tern_flow_pack(flow, w->addrs);
	err = tern_map_insert(&tw->map, t->last_hash, idx);
	assert(!err); /* it has room for as many as the pool */
	return idx;
}

/* Acknowledges the peer's FIN for a connection that leaves no record. */
static void send_last_ack(struct tern_timewait *tw, const struct tern_conn *c)
{
	struct tern_tw local = { .snd_nxt = 0 };

	fill(&local, c);
	tern_tw_send_ack(tw, &local,
			 tern_tcp_flow(tw->tcp, c->family, c->lport, c->rport, c->addrs));
}

uint32_t tern_timewait_add(struct tern_timewait *tw, uint32_t conn, struct tern_conn *c,
			   enum tern_state state, bool ack)
{
	struct tern_tcp *t = tw->tcp;
	uint32_t idx = record_new(tw, conn, c);
	struct tern_tw *w;

	if (!idx) {
		if (ack)
			send_last_ack(tw, c);
		return 0;
	}
	w = tern_tw_at(tw, idx);
	if (ack)
		tern_tw_send_ack(tw, w, tern_tcp_flow(t, c->family, c->lport, c->rport, c->addrs));
	if (state == TERN_TIME_WAIT) {
		enter(tw, idx, w);
		return idx;
	}
	w->finwait2 = 1;
	tw->finwait2++;
	stamp(tw, w);
	tern_count(t->trace, TERN_CNT_TernFinWait2Orphans);
	tern_tw_wait(tw, idx, w, t->knobs->tcp_fin_timeout * NS_PER_S);
	return idx;
}

static uint8_t family_of(const struct tern_tw *w)
{
	return w->inet6 ? TERN_INET6 : TERN_INET;
}

uint32_t tern_timewait_find(const struct tern_timewait *tw, uint32_t hash,
			    const struct tern_flow *flow)
{
	struct tern_map_it it = tern_map_find(&tw->map, hash);

	for (; it.idx; tern_map_next(&tw->map, &it)) {
		const struct tern_tw *w = tern_tw_at(tw, it.idx);

		if (tern_flow_matches(flow, family_of(w), w->lport, w->rport, w->addrs))
			break;
	}
	return it.idx;
}

static void record_free(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w)
{
	uint32_t hash =
		tern_flow_hash_packed(tw->tcp->map_key, family_of(w), w->lport, w->rport, w->addrs);

	tern_tw_unwait(tw, w);
	tern_map_remove(&tw->map, hash, idx);
	tern_ports_release_packed(tw->ports, family_of(w), w->lport, w->rport, w->addrs);
	if (w->finwait2)
		tw->finwait2--;
	tern_pool_put(&tw->pool, idx);
}

void tern_timewait_remove(struct tern_timewait *tw, uint32_t idx)
{
	record_free(tw, idx, tern_tw_at(tw, idx));
}

/* The record's time is over: CLOSED, outside of any segment. */
static void expired(struct tern_timewait *tw, uint32_t idx)
{
	struct tern_tw *w = tern_tw_at(tw, idx);
	struct tern_trace_record *record = tern_trace_next(tw->tcp->trace);

	if (w->finwait2)
		tern_count(tw->tcp->trace, TERN_CNT_TcpExtTWKilled);
	if (record) {
		struct tern_flow flow;

		tern_tw_flow(w, &flow);
		record->time_ns = tw->tcp->now;
		record->kind = TERN_TRACE_STATE;
		record->local = (struct tern_endpoint){ flow.local, flow.lport };
		record->remote = (struct tern_endpoint){ flow.remote, flow.rport };
		record->before = (uint8_t)tern_timewait_state(tw, idx);
		record->after = TERN_CLOSED;
	}
	record_free(tw, idx, w);
}

static __attribute__((noinline)) void sweep(struct tern_timewait *tw, uint64_t tick)
{
	uint32_t idx;

	while ((idx = tern_tw_ended(tw, tick)) != 0)
		expired(tw, idx);
}

void tern_timewait_tick(struct tern_timewait *tw)
{
	uint64_t tick = tw->tcp->now >> TERN_TICK_SHIFT;

	if (tick >= tw->next)
		sweep(tw, tick);
	tw->tick = TERN_MAX(tw->tick, tick);
}

void tern_timewait_describe(const struct tern_timewait *tw, uint32_t idx,
			    struct tern_socket_info *ret)
{
	const struct tern_tw *w = tern_tw_at(tw, idx);
	uint64_t now = tw->tcp->now, due = tern_timewait_when(tw, idx);
	struct tern_flow flow;

	tern_tw_flow(w, &flow);
	*ret = (struct tern_socket_info){
		.local = { flow.local, flow.lport },
		.remote = { flow.remote, flow.rport },
		.proto = TERN_PROTO_TCP,
		.state = (uint8_t)tern_timewait_state(tw, idx),
		.timer = TERN_TIMER_TIMEWAIT,
		.timer_ns = due > now ? due - now : 0,
		.age_ns = ((tern_ms(now) - w->entered_ms) & 0xffffff) * UINT64_C(1000000),
		.orphan = w->finwait2,
	};
}
