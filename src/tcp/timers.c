/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Deadlines live in the records: retransmission/persist and delayed ACK in the traffic record,
 * since only traffic needs them; keepalive follows from the time the peer was last heard. The wheel
 * holds one entry for a connection, at the earliest deadline or before it: a deadline that moves
 * later, or goes, leaves the entry alone, and when that fires early it is only set anew if anything
 * is to come. So the timer that is restarted with every ACK costs a store.
 */
#include "tcp/timers.h"

#include "base/compiler.h"
#include "tcp/keepalive.h"
#include "tcp/recovery.h"
#include "tcp/rto.h"
#include "tcp/tcp.h"

/* RFC9293:MUST-40 */
#define DELACK_NS UINT64_C(40000000)
#define PROBE_NS  UINT64_C(200000000) /* no sooner, however short the RTO is */

/* When the next thing is due for a connection; x may be NULL. */
static inline uint64_t next_due(const struct tern_tcp *t, const struct tern_conn *c,
				const struct tern_traffic *x)
{
	uint64_t due = tern_keepalive_due(t, c);

	if (x)
		due = TERN_MIN(due, TERN_MIN(x->rexmt_ns, x->delack_ns));
	return due;
}

/* Makes the wheel fire no later than the earliest deadline there is. */
static void update(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		   const struct tern_traffic *x)
{
	uint64_t due = next_due(t, c, x);

	if (due != TERN_NEVER)
		tern_timers_arm(t, idx, c, due);
}

static void start(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, struct tern_traffic *x,
		  enum tern_due due, uint64_t due_ns)
{
	x->due = (uint8_t)due;
	x->rexmt_ns = due_ns;
	tern_timers_arm(t, idx, c, due_ns);
}

void tern_timers_await_ack(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			   struct tern_traffic *x)
{
	uint64_t probe_ns = tern_loss_probe_ns(t, c, x), rto_ns;
	bool late = x->due == TERN_DUE_LOSS_PROBE || x->due == TERN_DUE_REORDER;

	x->due = TERN_DUE_RTO;
	rto_ns = tern_rto_ns(t, c, x);
	if (probe_ns != TERN_NEVER)
		start(t, idx, c, x, TERN_DUE_LOSS_PROBE, t->now + TERN_MIN(probe_ns, rto_ns));
	else /* the time that a probe or reordering took counts */
		start(t, idx, c, x, TERN_DUE_RTO,
		      late ? tern_rto_due_ns(t, c, x) : t->now + rto_ns);
}

void tern_timers_sent_more(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			   struct tern_traffic *x)
{
	const struct tern_burst *last = tern_burst_at(t, x, x->flight.tail);
	uint64_t probe_ns;

	/* Those before it left at the same time: they have set it. */
	if (!t->gso_max && last->count > 2 && x->due == TERN_DUE_LOSS_PROBE)
		return;
	probe_ns = x->due == TERN_DUE_REORDER ? TERN_NEVER : tern_loss_probe_ns(t, c, x);
	if (probe_ns == TERN_NEVER || x->rexmt_ns <= t->now)
		return;
	start(t, idx, c, x, TERN_DUE_LOSS_PROBE,
	      TERN_MIN(t->now + probe_ns, tern_rto_due_ns(t, c, x)));
}

void tern_timers_reorder(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			 struct tern_traffic *x, uint64_t ns)
{
	start(t, idx, c, x, TERN_DUE_REORDER, t->now + ns);
}

void tern_timers_timeout_in(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			    struct tern_traffic *x, uint64_t ns)
{
	start(t, idx, c, x, TERN_DUE_RTO, t->now + ns);
}

void tern_timers_acked(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		       struct tern_traffic *x)
{
	x->first_ns = t->now;
	if (c->snd.una != c->snd.nxt) {
		/* RFC6298:5.3 */
		tern_timers_await_ack(t, idx, c, x);
		return;
	}
	x->due = TERN_DUE_RTO;
	/* RFC6298:5.2 */
	x->rexmt_ns = TERN_NEVER;
	tern_timers_keepalive(t, idx, c);
}

void tern_timers_blocked(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			 struct tern_traffic *x)
{
	if (x->rexmt_ns != TERN_NEVER)
		return;
	x->due = TERN_DUE_PERSIST;
	/* RFC9293:MUST-60 RFC9293:SHLD-29 RFC9293:SHLD-30 */
	x->rexmt_ns = t->now + TERN_MAX(tern_rto_ns(t, c, x), PROBE_NS);
	if (!c->patience.retries)
		x->first_ns = t->now;
	tern_timers_arm(t, idx, c, x->rexmt_ns);
}

void tern_timers_ack_owed(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			  struct tern_traffic *x)
{
	if (x->delack_ns != TERN_NEVER)
		return;
	x->delack_ns = t->now + DELACK_NS;
	tern_timers_arm(t, idx, c, x->delack_ns);
}

void tern_timers_keepalive_on(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	update(t, idx, c, tern_conn_traffic(t, c));
}

static void (*const timeouts[])(struct tern_tcp *t, uint32_t idx) = {
	[TERN_DUE_RTO] = tern_rto_timeout,
	[TERN_DUE_PERSIST] = tern_persist_timeout,
	[TERN_DUE_LOSS_PROBE] = tern_loss_probe_timeout,
	[TERN_DUE_REORDER] = tern_rack_timeout,
};

/* What is due for one connection; its record may be gone afterwards. */
static TERN_OUTLINE void run(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	uint32_t gen = c->gen;
	struct tern_traffic *x = tern_conn_traffic(t, c);

	if (x && x->delack_ns <= t->now) {
		x->delack_ns = TERN_NEVER;
		c->flags |= TERN_CF_ACK_NOW;
		tern_count(t->trace, TERN_CNT_TcpExtDelayedACKs);
		tern_conn_want_output(t, idx, c);
	}
	if (x && x->rexmt_ns <= t->now) {
		x->rexmt_ns = TERN_NEVER;
		timeouts[x->due](t, idx);
	} else if (tern_keepalive_due(t, c) <= t->now) {
		tern_keepalive_timeout(t, idx);
	}
	c = tern_pool_check(&t->conns, idx, gen);
	if (c && (c->flags & TERN_CF_HASHED))
		update(t, idx, c, tern_conn_traffic(t, c));
}

void tern_tcp_tick(struct tern_tcp *t)
{
	uint32_t idx;

	while ((idx = tern_wheel_expire(&t->wheel, t->now)))
		run(t, idx);
}

enum tern_timer_kind tern_timers_describe(const struct tern_tcp *t, const struct tern_conn *c,
					  uint64_t now, uint64_t *ret_ns)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);
	uint64_t due = TERN_NEVER;
	enum tern_timer_kind kind = TERN_TIMER_NONE;

	if (x && x->rexmt_ns != TERN_NEVER) {
		kind = x->due == TERN_DUE_PERSIST ? TERN_TIMER_PERSIST : TERN_TIMER_ON;
		due = x->rexmt_ns;
	} else if (tern_keepalive_due(t, c) != TERN_NEVER) {
		kind = TERN_TIMER_KEEPALIVE;
		due = tern_keepalive_due(t, c);
	}
	*ret_ns = kind != TERN_TIMER_NONE && due > now ? due - now : 0;
	return kind;
}
