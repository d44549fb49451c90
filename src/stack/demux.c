/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A segment belongs to the first of these that knows its flow: a connection, a half-open
 * connection, a TIME-WAIT record (which may give way to a SYN and let it fall through), a listener.
 * Else its port is closed. The hash of the flow is computed once for all tables. Segments of a flow
 * come in runs: while one lasts and its connection stands, no table is asked at all.
 *
 * Records move between rooms here: half-open to connection (one way in), connection to TIME-WAIT.
 */
#include "stack/internal.h"

/*
 * State of whoever stands for a flow. Where no record does: LISTEN if somebody listens and nothing
 * stood there before, else CLOSED.
 */
static enum tern_state state_of(const struct tern_stack *st, uint32_t hash,
				const struct tern_flow *flow, enum tern_state before)
{
	uint32_t idx = tern_conn_find(&st->tcp, hash, flow);

	if (idx)
		return tern_conn_at(&st->tcp, idx)->state;
	if (tern_half_find(&st->syn, hash, flow))
		return TERN_SYN_RECEIVED;
	idx = tern_timewait_find(&st->tw, hash, flow);
	if (idx)
		return tern_timewait_state(&st->tw, idx);
	if (before != TERN_LISTEN)
		return TERN_CLOSED;
	return tern_listener_find(&st->syn, &flow->local, flow->lport, hash) ? TERN_LISTEN
									     : TERN_CLOSED;
}

/* The event ring's record of an arriving segment. */
static struct tern_trace_record *trace_segment(struct tern_stack *st, const struct tern_flow *flow,
					       const struct tern_segment *seg)
{
	struct tern_trace_record *r = tern_trace_take(&st->trace);

	r->time_ns = st->tcp.now;
	r->kind = TERN_TRACE_SEGMENT_IN;
	r->local = (struct tern_endpoint){ flow->local, flow->lport };
	r->remote = (struct tern_endpoint){ flow->remote, flow->rport };
	r->seq = seg->seq;
	r->ack = seg->ack;
	r->window = seg->wnd;
	r->length = seg->len;
	r->tsval = seg->opt.tsval;
	r->tsecr = seg->opt.tsecr;
	r->mss = seg->opt.mss;
	r->flags = seg->flags;
	r->options = seg->opt.present;
	r->wscale = seg->opt.wscale;
	return r;
}

static enum tern_drop to_connection(struct tern_stack *st, uint32_t conn, struct tern_conn *c,
				    const struct tern_segment *seg)
{
	struct tern_outcome outcome;

	tern_tcp_input(&st->tcp, conn, c, seg, &outcome);
	if (outcome.move != TERN_MOVE_NONE)
		tern_stack_move(st, conn, c, outcome.move, outcome.ack);
	return outcome.reason;
}

/* Returns the connection that the segment has made of the half-open one: it is for that then. */
TERN_NOINLINE static uint32_t to_half_open(struct tern_stack *st, uint32_t half,
					   const struct tern_flow *flow, uint32_t hash,
					   const struct tern_segment *seg,
					   enum tern_drop *ret_reason)
{
	bool reopens = tern_half_reopens(&st->syn, half);
	uint32_t conn = tern_half_input(&st->syn, half, flow, hash, seg, ret_reason);
	uint32_t tw;

	if (!conn)
		return 0;
	tw = reopens ? tern_timewait_find(&st->tw, hash, flow) : 0;
	if (tw) {
		tern_timewait_remove(&st->tw, tw);
		tern_count(&st->trace, TERN_CNT_TernTimeWaitAccepted);
	}
	return conn;
}

/*
 * A SYN that a TIME-WAIT gives way to. The record stays behind the half-open connection until that
 * is promoted: if the SYN was an old duplicate, the flow is in TIME-WAIT again (RFC 9293 MAY-2).
 */
TERN_NOINLINE static enum tern_drop to_timewait(struct tern_stack *st, uint32_t tw,
						const struct tern_flow *flow, uint32_t hash,
						const struct tern_segment *seg)
{
	enum tern_drop reason = TERN_DROP_NONE;
	struct tern_reopen reopen;
	uint32_t listener;

	if (tern_timewait_input(&st->tw, tw, flow, seg, &reopen.iss, &reopen.ts_offset, &reason) !=
	    TERN_TW_REOPEN)
		return reason;
	listener = tern_listener_find(&st->syn, &flow->local, flow->lport, hash);
	if (!listener) {
		tern_timewait_refuse(&st->tw, tw, flow, seg, &reason);
		return reason;
	}
	tern_listener_input(&st->syn, listener, flow, hash, seg, &reopen, &reason);
	return reason;
}

/* RFC 9293 §3.10.7.1: nobody is there. */
static enum tern_drop to_closed_port(struct tern_stack *st, const struct tern_flow *flow,
				     const struct tern_segment *seg)
{
	if (!(seg->flags & TERN_RST))
		tern_reply_reset(&st->tcp.replies, flow, seg);
	return TERN_DROP_NO_SOCKET;
}

/* A segment of no connection. Returns the one that it has made, or 0 and why it was dropped. */
static uint32_t to_others(struct tern_stack *st, const struct tern_flow *flow, uint32_t hash,
			  const struct tern_segment *seg, enum tern_drop *ret_reason)
{
	uint32_t idx;

	*ret_reason = TERN_DROP_NONE;
	idx = tern_half_find(&st->syn, hash, flow);
	if (idx)
		return to_half_open(st, idx, flow, hash, seg, ret_reason);
	idx = tern_timewait_find(&st->tw, hash, flow);
	if (idx) {
		*ret_reason = to_timewait(st, idx, flow, hash, seg);
		return 0;
	}
	idx = tern_listener_find(&st->syn, &flow->local, flow->lport, hash);
	if (idx)
		tern_listener_input(&st->syn, idx, flow, hash, seg, NULL, ret_reason);
	else
		*ret_reason = to_closed_port(st, flow, seg);
	return 0;
}

enum tern_drop tern_demux(struct tern_stack *st, const struct tern_flow *flow, uint32_t hash,
			  const struct tern_segment *seg)
{
	struct tern_tcp *t = &st->tcp;
	uint32_t conn = t->last_conn;
	enum tern_drop reason;

	if (!conn) {
		conn = tern_conn_find(t, hash, flow);
		if (!conn)
			conn = to_others(st, flow, hash, seg, &reason);
		if (!conn)
			return reason;
		t->last_conn = conn;
		t->last_conn_at = tern_conn_at(t, conn);
	}
	return to_connection(st, conn, t->last_conn_at, seg);
}

enum tern_drop tern_demux_traced(struct tern_stack *st, const struct tern_flow *flow, uint32_t hash,
				 const struct tern_segment *seg)
{
	struct tern_trace_record *record = trace_segment(st, flow, seg);
	enum tern_drop reason;

	record->before = (uint8_t)state_of(st, hash, flow, TERN_LISTEN);
	reason = tern_demux(st, flow, hash, seg);
	record->after = (uint8_t)state_of(st, hash, flow, record->before);
	record->reason = (uint16_t)reason;
	return reason;
}
