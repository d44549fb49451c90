/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A reduction of the window proves wrong in one of two ways. The ACK of what was sent again echoes
 * a timestamp older than the retransmission: it is the first transmission that arrived (Eifel,
 * RFC 3522, RFC 4015). Or the peer says by D-SACK of all that was sent again that it had it already
 * (RFC 3708). Window and ssthresh are then what they were before, and what was called lost is late.
 *
 * ECN's signs are no error: with ECE there is nothing to go back to (prior_ssthresh is 0).
 */
#include "base/compiler.h"
#include "tcp/recovery.h"

#define PERSIST_MAX 16u

void tern_undo_init(struct tern_conn *c, struct tern_traffic *x)
{
	struct tern_repairs *r = &x->repair;

	r->undo = true;
	r->undo_una = c->snd.una;
	r->undo_again = (int32_t)x->flight.again + (r->probing && r->probe_again);
	if (!r->undo_again)
		r->undo_again = -1;
}

/* Does the ACK echo a timestamp from before the first retransmission? */
static bool is_from_before(const struct tern_news *n)
{
	const struct tern_tcp_options *opt = &n->seg->opt;

	return n->x->repair.again && (n->c->options & TERN_OPT_TS) &&
	       (opt->present & TERN_OPT_TS) && opt->tsecr &&
	       tern_seq_lt(opt->tsecr, n->x->repair.again_ts);
}

static bool may_undo(const struct tern_news *n)
{
	return n->x->repair.undo && (!n->x->repair.undo_again || is_from_before(n));
}

static void undo(struct tern_news *n, bool forget_losses)
{
	struct tern_traffic *x = n->x;
	struct tern_repairs *r = &x->repair;
	struct tern_cc *cc = &n->c->cc;

	if (forget_losses)
		for (uint32_t i = x->flight.head; i; i = tern_burst_at(n->t, x, i)->next)
			tern_flight_unmark(&x->flight, tern_burst_at(n->t, x, i), TERN_BURST_LOST);
	if (r->prior_ssthresh) {
		tern_cc_set_window(cc, TERN_MAX(tern_cc_segments(cc), r->prior_cwnd));
		if (r->prior_ssthresh > cc->ssthresh) {
			cc->ssthresh = r->prior_ssthresh;
			n->c->marks &= (uint8_t)~TERN_MARK_CWR;
		}
	}
	r->undo = false;
	r->rack.advanced = true; /* look for losses anew */
}

/*
 * Without SACK, duplicates of the very end may be due to what was sent again: the state is held
 * until something above it is acknowledged (RFC 6582 §3.2 step 2).
 */
static bool prevents_reopening(const struct tern_news *n)
{
	if (n->c->snd.una != n->x->repair.high || tern_conn_sacks(n->c))
		return false;
	if (!tern_recovery_any_again(n->t, n->x))
		n->x->repair.again = false;
	return true;
}

bool tern_undo_recovery(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;

	if (may_undo(n)) {
		tern_count(n->t->trace, r->state == TERN_CA_LOSS ? TERN_CNT_TcpExtTCPLossUndo
								 : TERN_CNT_TcpExtTCPFullUndo);
		undo(n, false);
	} else if (r->rack.persist) {
		r->rack.persist--;
	}
	if (prevents_reopening(n))
		return true;
	r->state = TERN_CA_OPEN;
	r->reneged = false;
	return false;
}

bool tern_undo_by_dsack(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;

	if (!r->undo || r->undo_again)
		return false;
	r->rack.persist = (uint8_t)TERN_MIN(r->rack.persist + 1u, PERSIST_MAX);
	undo(n, false);
	tern_count(n->t->trace, TERN_CNT_TcpExtTCPDSACKUndo);
	return true;
}

bool tern_undo_partial(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;

	if (!r->undo || !is_from_before(n))
		return false;
	tern_sack_reordered(n, n->prior_una, true);
	if (n->x->flight.again)
		return true;
	if (!tern_recovery_any_again(n->t, n->x))
		r->again = false;
	undo(n, true);
	tern_count(n->t->trace, TERN_CNT_TcpExtTCPPartialUndo);
	tern_recovery_keep_open(n->t, n->c, n->x);
	return false;
}

bool tern_undo_loss(struct tern_news *n, bool frto)
{
	struct tern_repairs *r = &n->x->repair;

	if (!frto && !may_undo(n))
		return false;
	undo(n, true);
	tern_count(n->t->trace, TERN_CNT_TcpExtTCPLossUndo);
	if (frto)
		tern_count(n->t->trace, TERN_CNT_TcpExtTCPSpuriousRTOs);
	n->c->patience.retries = 0;
	if (prevents_reopening(n))
		return true;
	if (frto || tern_conn_sacks(n->c)) {
		r->state = TERN_CA_OPEN;
		r->reneged = false;
	}
	return true;
}
