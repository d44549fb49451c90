/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A timeout doubles the RTO until a round trip is measured (Karn) and marks what is in flight as
 * lost (loss.c); how much of it is sent again, and when, is output's business. R2 (RFC 9293
 * §3.8.3) is a number of timeouts in a row:
 * tcp_syn_retries, tcp_synack_retries, tcp_retries2, or tcp_orphan_retries for what no application
 * holds any more; TCP_USER_TIMEOUT puts a time in its place (RFC 5482).
 *
 * Zero windows are not failures: a peer that answers probes may keep its window closed for
 * ever (MUST-37). Only an orphan is not allowed to be held that way (attack D06), nor data whose
 * user has set a time: that runs from the last byte that was acknowledged, or from when the window
 * was found closed.
 */
#include "tcp/rto.h"

#include <errno.h>

#include "base/compiler.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timers.h"

#define NS_PER_US      UINT64_C(1000)
#define NS_PER_MS      UINT64_C(1000000)
#define ORPHAN_RETRIES 8 /* what tcp_orphan_retries = 0 means */
#define SYN_STATES     (TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED))

/* A timeout must not come later than the user's patience ends (as Linux). */
static uint64_t clamp_to_user_timeout(const struct tern_tcp *t, const struct tern_conn *c,
				      const struct tern_traffic *x, uint64_t rto_ns)
{
	uint64_t limit_ns = (uint64_t)c->patience.user_timeout_ms * NS_PER_MS;
	uint64_t waited_ns = c->patience.retries ? t->now - x->first_ns : 0;

	return waited_ns < limit_ns ? TERN_MIN(rto_ns, limit_ns - waited_ns) : rto_ns;
}

uint64_t tern_rto_backed_off_ns(const struct tern_tcp *t, const struct tern_conn *c,
				const struct tern_traffic *x)
{
	/* RFC6298:2.1 */
	uint32_t rto_us = c->rtt.rto_us ? c->rtt.rto_us : TERN_RTO_INITIAL_US;
	bool counted = tern_state_in(c->state, SYN_STATES) || x->due == TERN_DUE_PERSIST;
	uint32_t shift = counted ? c->patience.retries : x->repair.backoff;
	uint64_t rto_ns;

	if (c->state == TERN_SYN_SENT) {
		uint32_t linear = t->knobs->tcp_syn_linear_timeouts;

		shift = shift > linear ? shift - linear : 0;
	}
	if (shift > 16)
		shift = 16;
	/* RFC9293:MUST-19 RFC6298:5.5 */
	rto_ns = TERN_MIN(((uint64_t)rto_us << shift) * NS_PER_US,
			  t->knobs->tcp_rto_max_ms * NS_PER_MS);
	return clamp_to_user_timeout(t, c, x, rto_ns);
}

/* R2 of this connection in timeouts. */
static uint32_t retries_max(const struct tern_tcp *t, const struct tern_conn *c)
{
	const struct tern_knobs *k = t->knobs;

	/* RFC9293:MUST-22 RFC9293:U-1 */
	if (c->state == TERN_SYN_SENT)
		return c->patience.syn_retries ? c->patience.syn_retries
					       : k->tcp_syn_retries + k->tcp_syn_linear_timeouts;
	if (c->state == TERN_SYN_RECEIVED && (c->flags & TERN_CF_EARLY)) /* one more, as Linux */
		return c->patience.syn_retries ? c->patience.syn_retries
					       : k->tcp_synack_retries + 1;
	if (c->state == TERN_SYN_RECEIVED)
		return k->tcp_synack_retries;
	if (c->flags & TERN_CF_ORPHAN)
		return k->tcp_orphan_retries ? k->tcp_orphan_retries : ORPHAN_RETRIES;
	return k->tcp_retries2;
}

static bool user_timeout_passed(const struct tern_tcp *t, const struct tern_conn *c,
				const struct tern_traffic *x)
{
	uint64_t limit_ns = (uint64_t)c->patience.user_timeout_ms * NS_PER_MS;

	return limit_ns && t->now - x->first_ns >= limit_ns;
}

/*
 * Does the peer with the closed window still answer? Then R2 does not count (SHLD-17), unless the
 * user has said how long data may wait.
 */
static bool window_closed_but_alive(const struct tern_tcp *t, const struct tern_conn *c)
{
	/* RFC9293:SHLD-17 */
	return !c->snd.wnd && !tern_state_in(c->state, SYN_STATES) &&
	       !(c->flags & TERN_CF_ORPHAN) && !c->patience.user_timeout_ms &&
	       t->now_ms - c->rcv_ms <= 2 * TERN_RTO_MAX_US / 1000;
}

/* R2: a user timeout stands in the place of the number of tries; of SYNs both count (as Linux). */
static bool patience_ended(const struct tern_tcp *t, const struct tern_conn *c,
			   const struct tern_traffic *x)
{
	bool tried = c->patience.retries >= retries_max(t, c);

	if (!c->patience.user_timeout_ms)
		return tried;
	/* RFC9293:MUST-21 RFC5482:3.1 */
	return user_timeout_passed(t, c, x) || (tried && tern_state_in(c->state, SYN_STATES));
}

static void give_up(struct tern_tcp *t, uint32_t idx)
{
	const struct tern_conn *c = tern_conn_at(t, idx);

	if (c->state != TERN_SYN_SENT)
		tern_count(t->trace, TERN_CNT_TcpExtTCPAbortOnTimeout);
	tern_conn_finish(t, idx, c->soft_error ? c->soft_error : ETIMEDOUT);
}

uint64_t tern_rto_due_ns(const struct tern_tcp *t, const struct tern_conn *c,
			 const struct tern_traffic *x)
{
	uint64_t from = x->flight.head ? tern_burst_at(t, x, x->flight.head)->sent_ns : t->now;

	return TERN_MAX(from + tern_rto_ns(t, c, x), t->now + 1);
}

/* What the first timeout in a row says of the repair that was under way. */
static void count_timeout(struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x)
{
	bool sack = tern_conn_sacks(c);

	if (c->patience.retries)
		return;
	if (x->repair.state == TERN_CA_RECOVERY)
		tern_count(t->trace, sack ? TERN_CNT_TcpExtTCPSackRecoveryFail
					  : TERN_CNT_TcpExtTCPRenoRecoveryFail);
	else if (x->repair.state == TERN_CA_LOSS)
		tern_count(t->trace, TERN_CNT_TcpExtTCPLossFailures);
	else if (x->repair.state == TERN_CA_DISORDER || x->flight.sacked)
		tern_count(t->trace,
			   sack ? TERN_CNT_TcpExtTCPSackFailures : TERN_CNT_TcpExtTCPRenoFailures);
}

void tern_rto_timeout(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_traffic *x = tern_conn_traffic(t, c);

	tern_count(t->trace, TERN_CNT_TcpExtTCPTimeouts);
	if (TERN_UNLIKELY(c->fastopen & TERN_FO_USED) && !(c->flags & TERN_CF_PASSIVE))
		tern_fastopen_timeout(t, c, patience_ended(t, c, x));
	/* RFC9293:MUST-20 */
	if (!window_closed_but_alive(t, c) && patience_ended(t, c, x)) {
		give_up(t, idx);
		return;
	}
	if (tern_state_in(c->state, SYN_STATES)) {
		tern_flight_repeat_first(t, &x->flight);
	} else {
		count_timeout(t, c, x);
		tern_loss_enter(t, c, x);
	}
	if (c->patience.retries < UINT8_MAX)
		c->patience.retries++;
	tern_doubt_timeout(t, idx, c);
	if (x->repair.backoff < UINT8_MAX)
		x->repair.backoff++;
	tern_timers_timeout_in(t, idx, c, x, tern_rto_ns(t, c, x));
	tern_conn_want_output(t, idx, c);
}

void tern_persist_timeout(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_traffic *x = tern_conn_traffic(t, c);
	bool orphan = c->flags & TERN_CF_ORPHAN;

	/* RFC9293:MUST-37 */
	if (c->patience.keep_probes >= retries_max(t, c) ||
	    (orphan && c->patience.retries > retries_max(t, c)) ||
	    (!c->snd.wnd && user_timeout_passed(t, c, x))) {
		give_up(t, idx);
		return;
	}
	c->flags |= TERN_CF_PROBE;
	tern_conn_want_output(t, idx, c);
}
