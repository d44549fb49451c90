/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/timers.h: callers say what happened, this file decides what to arm.
 *
 *	retransmission	from the first unacknowledged segment, RTO, doubled at each timeout
 *	loss probe	two round trips after the last segment, in the place of an RTO that is later
 *	reordering	when what was overtaken counts as lost; the RTO follows
 *	persist		window closed, or data held back, and nothing in flight
 *	delayed ACK	40 ms after the first segment that is not yet acknowledged
 *	keepalive	TCP_KEEPIDLE after the last segment heard, then each TCP_KEEPINTVL
 *
 * The first four share a deadline: only one of them is on. One wheel entry stands for the
 * earliest of all, and may fire before it.
 */
#ifndef TERN_TCP_TIMERS_H
#define TERN_TCP_TIMERS_H

#include "tcp/conn.h"
#include "tcp/rto.h"
#include "tern/snapshot.h"

/* Makes the wheel fire no later than due_ns, a deadline that is new. */
static inline void tern_timers_arm(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
				   uint64_t due_ns)
{
	if (tern_timer_when(&t->wheel, &c->timer) > due_ns + TERN_TICK_NS)
		tern_wheel_start(&t->wheel, idx, &c->timer, due_ns);
}

/* Starts the wait for an acknowledgment: for a loss probe if one comes first, else for the RTO. */
void tern_timers_await_ack(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			   struct tern_traffic *x);

/* tern_timers_sent() with something in flight before. */
void tern_timers_sent_more(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			   struct tern_traffic *x);

/* What was late is lost `ns` from now. */
void tern_timers_reorder(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			 struct tern_traffic *x, uint64_t ns);

/* The retransmission timer runs out `ns` from now, whatever was due before. */
void tern_timers_timeout_in(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			    struct tern_traffic *x, uint64_t ns);

/*
 * The same for the first segment in flight of a connection that stands, and where a loss probe, if
 * there is one, comes with the RTO: all that FINs and single segments need.
 */
static inline void tern_timers_await_one(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
					 struct tern_traffic *x)
{
	uint32_t rto_us = c->rtt.rto_us; /* 0 in a handshake: not below any limit then */
	uint32_t limit_us = c->rtt.srtt8_us / 4 + t->knobs->tcp_rto_min_us;

	if (TERN_UNLIKELY(c->patience.retries | c->patience.user_timeout_ms | x->repair.backoff |
			  x->repair.state | x->due) ||
	    x->flight.packets > 1 || rto_us - 1 >= limit_us) {
		tern_timers_await_ack(t, idx, c, x);
		return;
	}
	if ((c->options & TERN_OPT_SACKOK) && t->knobs->tcp_early_retrans >= 3)
		x->due = TERN_DUE_LOSS_PROBE;
	x->rexmt_ns = t->now + rto_us * UINT64_C(1000);
	tern_timers_arm(t, idx, c, x->rexmt_ns);
}

/* Something new that must be acknowledged has left. */
static inline void tern_timers_sent(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
				    struct tern_traffic *x)
{
	if (x->rexmt_ns != TERN_NEVER && x->due != TERN_DUE_PERSIST) {
		tern_timers_sent_more(t, idx, c, x);
		return;
	}
	/* RFC6298:5.1 */
	tern_timers_await_one(t, idx, c, x);
	if (!c->patience.retries)
		x->first_ns = t->now;
}

/* The first SYN or SYN-ACK has left, with nothing in flight before it. */
static inline void tern_timers_syn_sent(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
					struct tern_traffic *x)
{
	/* RFC6298:5.1 */
	x->rexmt_ns = t->now + tern_rto_ns(t, c, x);
	x->first_ns = t->now;
	tern_timers_arm(t, idx, c, x->rexmt_ns);
}

/* Something new was acknowledged. */
void tern_timers_acked(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		       struct tern_traffic *x);

/*
 * Data waits, nothing is in flight, and output may not send now: the window is closed, or it is
 * corked.
 */
void tern_timers_blocked(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			 struct tern_traffic *x);

/* In-order data came whose ACK may wait. */
void tern_timers_ack_owed(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			  struct tern_traffic *x);

/* A segment left that acknowledges all that came. x may be NULL. */
static inline void tern_timers_ack_sent(struct tern_conn *c, struct tern_traffic *x)
{
	c->rcv.acked = c->rcv.nxt;
	c->flags &= ~(uint32_t)TERN_CF_ACK_NOW;
	if (x) {
		x->unacked = 0;
		x->delack_ns = TERN_NEVER;
	}
}

/* tern_timers_keepalive() where keepalive is on. */
void tern_timers_keepalive_on(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/* Keepalive was switched, or its times were changed, or the connection was established. */
static inline void tern_timers_keepalive(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	if (c->flags & TERN_CF_KEEPALIVE)
		tern_timers_keepalive_on(t, idx, c);
}

/* What the row of a snapshot shows: which timer, and in *ret_ns until when. */
enum tern_timer_kind tern_timers_describe(const struct tern_tcp *t, const struct tern_conn *c,
					  uint64_t now, uint64_t *ret_ns);

#endif
