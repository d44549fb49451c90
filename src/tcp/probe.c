/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The loss probe (RFC 8985 §7). When ACKs stop coming, nothing behind the last segments can draw
 * duplicates, and only the timeout would find out that they are lost. So, two round trips after the
 * last transmission, one segment is sent: new data if there is some, else the last segment again.
 * What the ACK of it says starts fast recovery. With one segment in flight its ACK may be delayed:
 * the wait is longer then.
 *
 * A probe that was a retransmission may have repaired the only loss, unseen. If SND.UNA passes the
 * probe, and nothing has shown that both arrived, the window is reduced for it (§7.4).
 */
#include "base/compiler.h"
#include "tcp/recovery.h"
#include "tcp/timers.h"

#define NS_PER_US      UINT64_C(1000)
#define PROBE_SLACK_US 2000u

uint64_t tern_loss_probe_wait_ns(const struct tern_tcp *t, const struct tern_conn *c,
				 const struct tern_traffic *x)
{
	uint64_t wait_us = c->rtt.srtt8_us / 4;

	if (t->knobs->tcp_early_retrans < 3 || !x->flight.packets)
		return TERN_NEVER;
	if (!c->rtt.srtt8_us)
		return TERN_RTO_INITIAL_US * NS_PER_US;
	wait_us += x->flight.packets == 1 ? t->knobs->tcp_rto_min_us : PROBE_SLACK_US;
	return wait_us * NS_PER_US;
}

void tern_loss_probe_timeout(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_traffic *x = tern_conn_traffic(t, c);

	if (!x->repair.probing) {
		x->repair.probe_due = true;
		tern_timers_timeout_in(t, idx, c, x, tern_rto_ns(t, c, x));
		tern_conn_want_output(t, idx, c);
	} else {
		tern_timers_timeout_in(t, idx, c, x, tern_rto_due_ns(t, c, x) - t->now);
	}
}

void tern_probe_acked(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;
	tern_seq ack = n->seg->ack;

	if (tern_seq_lt(ack, r->probe_end))
		return;
	if (!r->probe_again || (n->flags & TERN_NEWS_DSACK_PROBE)) {
		r->probing = false;
	} else if (tern_seq_gt(ack, r->probe_end)) {
		tern_recovery_reduce(n->c, n->x);
		r->state = TERN_CA_CWR;
		tern_recovery_reduced(n->c, n->x);
		tern_recovery_keep_open(n->t, n->c, n->x);
		tern_count(n->t->trace, TERN_CNT_TcpExtTCPLossProbeRecovery);
	} else if (!(n->flags & (TERN_NEWS_ADVANCED | TERN_NEWS_NO_DUP | TERN_NEWS_SACKED))) {
		r->probing = false; /* a duplicate: both arrived */
	}
}
