/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * RACK (RFC 8985): of what arrived, one segment left last. What had left before it, and has had a
 * round trip and a reordering window's time since, is lost, retransmissions included. What has not
 * had the time is looked at again when a timer bursts out.
 *
 * As long as no reordering was seen the window is nothing in recovery, and nothing once as many
 * segments are SACKed as duplicate ACKs used to be counted (tcp_reordering). Else it is a quarter
 * of the least round trip, one more for each round in which D-SACK called a retransmission
 * needless, at most a smoothed round trip; after 16 recoveries without that it is a quarter again.
 */
#include "base/compiler.h"
#include "tcp/recovery.h"
#include "tcp/timers.h"

#define NS_PER_US      1000
#define SLACK_US       2000 /* of the timer */
#define PERSIST_ROUNDS 16
#define STATIC_WINDOW  2 /* bits of tcp_recovery */
#define NO_DUPTHRESH   4

/* Did a segment leave after another? Of those that left together, the higher is later. */
static bool is_after(uint64_t a_ns, tern_seq a_end, uint64_t b_ns, tern_seq b_end)
{
	return a_ns > b_ns || (a_ns == b_ns && tern_seq_gt(a_end, b_end));
}

/* Did a burst leave before what arrived? What is in flight as repair begins left before repair. */
static bool left_before(const struct tern_repairs *r, const struct tern_burst *burst)
{
	const struct tern_rack *k = &r->rack;

	if (k->sent_ns == burst->sent_ns && (burst->flags & TERN_BURST_AGAIN) &&
	    k->end != k->again_end && tern_seq_le(k->end, r->high))
		return false;
	return is_after(k->sent_ns, k->end, burst->sent_ns, burst->end);
}

void tern_rack_advance(struct tern_news *n, const struct tern_burst *burst)
{
	struct tern_rack *k = &n->x->repair.rack;
	uint64_t rtt_us = (n->t->now - burst->sent_ns) / NS_PER_US;

	if (burst->flags & TERN_BURST_EVER_AGAIN) {
		if (rtt_us < n->c->rtt.min_us)
			return; /* more likely it is the first transmission that arrived */
		k->again_end = burst->end;
	}
	k->advanced = true;
	k->rtt_us = (uint32_t)TERN_MIN(rtt_us, (uint64_t)TERN_RTO_MAX_US);
	if (is_after(burst->sent_ns, burst->end, k->sent_ns, k->end)) {
		k->sent_ns = burst->sent_ns;
		k->end = burst->end;
	}
	n->prior_delivered = TERN_MAX(n->prior_delivered, burst->delivered);
}

/* How long something may be late before it is lost. */
static uint32_t window_us(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x)
{
	if (!c->totals.reord_seen) {
		if (x->repair.state >= TERN_CA_RECOVERY)
			return 0;
		if (x->flight.sacked >= tern_reordering(t, c) &&
		    !(t->knobs->tcp_recovery & NO_DUPTHRESH))
			return 0;
	}
	return (uint32_t)TERN_MIN((uint64_t)(c->rtt.min_us / 4) * (x->repair.rack.steps + 1u),
				  (uint64_t)c->rtt.srtt8_us / 8);
}

int64_t tern_rack_remaining_us(const struct tern_tcp *t, const struct tern_traffic *x,
			       const struct tern_burst *burst, uint32_t slack_us)
{
	return (int64_t)x->repair.rack.rtt_us + slack_us -
	       (int64_t)((t->now - burst->sent_ns) / NS_PER_US);
}

/* Marks what is overdue. Returns how long the rest has, at most, in us; 0 if there is none. */
static uint32_t detect(struct tern_tcp *t, const struct tern_conn *c, struct tern_traffic *x,
		       uint32_t *lost)
{
	uint32_t slack_us = window_us(t, c, x), wait_us = 0;

	for (uint32_t idx = x->flight.head; idx; idx = tern_burst_at(t, x, idx)->next) {
		struct tern_burst *burst = tern_burst_at(t, x, idx);
		bool waits = (burst->flags & (TERN_BURST_LOST | TERN_BURST_AGAIN)) ==
			     TERN_BURST_LOST;
		int64_t remaining;

		if ((burst->flags & TERN_BURST_SACKED) || waits || !left_before(&x->repair, burst))
			continue;
		remaining = tern_rack_remaining_us(t, x, burst, slack_us);
		if (remaining <= 0)
			*lost += tern_flight_mark_lost(t, &x->flight, burst);
		else
			wait_us = TERN_MAX(wait_us, (uint32_t)remaining);
	}
	return wait_us;
}

void tern_rack_mark_lost(struct tern_news *n)
{
	struct tern_traffic *x = n->x;
	uint32_t wait_us;

	if (!x->repair.rack.advanced)
		return;
	x->repair.rack.advanced = false;
	wait_us = detect(n->t, n->c, x, &n->lost);
	if (wait_us) {
		tern_timers_reorder(n->t, n->idx, n->c, x,
				    (uint64_t)(wait_us + SLACK_US) * NS_PER_US);
		n->flags &= ~(uint32_t)TERN_NEWS_TIMER;
	}
}

void tern_rack_update(struct tern_news *n)
{
	struct tern_rack *k = &n->x->repair.rack;

	if ((n->t->knobs->tcp_recovery & STATIC_WINDOW) || !n->prior_delivered)
		return;
	if (tern_seq_lt(n->prior_delivered, k->rounds_from)) /* not a round trip ago */
		k->dsack_seen = false;
	if (k->dsack_seen) {
		k->steps = (uint8_t)TERN_MIN(k->steps + 1u, 254u);
		k->dsack_seen = false;
		k->rounds_from = n->c->totals.delivered;
		k->persist = PERSIST_ROUNDS;
	} else if (!k->persist) {
		k->steps = 0;
	}
}

void tern_rack_timeout(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_traffic *x = tern_conn_traffic(t, c);
	struct tern_news n = { .t = t, .c = c, .x = x, .idx = idx };
	uint32_t pipe = tern_flight_pipe(&x->flight);

	detect(t, c, x, &n.lost);
	if (pipe != tern_flight_pipe(&x->flight) && x->repair.state != TERN_CA_RECOVERY) {
		tern_recovery_enter(&n);
		n.delivered = 1;
		tern_recovery_window(&n);
	}
	x->repair.hold = false;
	tern_timers_await_ack(t, idx, c, x);
	tern_conn_want_output(t, idx, c);
}
