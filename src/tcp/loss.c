/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A timeout takes all for lost that had the time to arrive, and the window is one segment. What is
 * lost then goes again in slow start.
 *
 * Was it one? F-RTO (RFC 5682): if the first ACK moves SND.UNA, new data is sent before anything
 * but the first segment is repeated. An ACK for something that was never sent again then shows that
 * the peer had it all along, and all is taken back; a duplicate shows that it was a loss.
 */
#include "base/compiler.h"
#include "tcp/recovery.h"

/* Marks what is lost; a peer that had SACKed what is first in flight has thrown all that away. */
static void mark_all(struct tern_tcp *t, const struct tern_conn *c, struct tern_traffic *x)
{
	struct tern_flight *f = &x->flight;
	bool reneged = f->head && (tern_burst_at(t, x, f->head)->flags & TERN_BURST_SACKED);

	if (reneged) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPSACKReneging);
		x->repair.reneged = true;
	} else if (!tern_conn_sacks(c)) {
		tern_recovery_forget_dupacks(x);
	}
	for (uint32_t idx = f->head; idx; idx = tern_burst_at(t, x, idx)->next) {
		struct tern_burst *burst = tern_burst_at(t, x, idx);

		if (reneged)
			tern_flight_unmark(f, burst, TERN_BURST_SACKED);
		else if (idx != f->head && tern_rack_remaining_us(t, x, burst, 0) > 0)
			continue;
		/* RFC6298:5.4 */
		tern_flight_mark_lost(t, f, burst);
	}
}

void tern_loss_enter(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x)
{
	struct tern_repairs *r = &x->repair;
	bool first = r->state < TERN_CA_RECOVERY;

	mark_all(t, c, x);
	if (r->state <= TERN_CA_DISORDER || tern_seq_le(r->high, c->snd.una) ||
	    (r->state == TERN_CA_LOSS && !c->patience.retries)) {
		r->prior_ssthresh = tern_recovery_current_ssthresh(c, x);
		r->prior_cwnd = tern_cc_segments(&c->cc);
		tern_cc_set_ssthresh(&c->cc,
				     tern_conn_cc(c)->ssthresh(&c->cc, tern_traffic_cubic(x)));
		tern_undo_init(c, x);
	}
	tern_cc_set_window(&c->cc, tern_flight_pipe(&x->flight) + 1);
	c->cc.avoid = 0;
	if (r->state <= TERN_CA_DISORDER && x->flight.sacked >= t->knobs->tcp_reordering)
		c->totals.reordering = (uint16_t)TERN_MIN((uint32_t)c->totals.reordering,
							  t->knobs->tcp_reordering);
	tern_conn_cc(c)->lost(tern_traffic_cubic(x));
	tern_recovery_tell(c);
	r->state = TERN_CA_LOSS;
	r->high = c->snd.nxt;
	r->probing = false;
	r->hold = false;
	r->new_first = false;
	r->frto = t->knobs->tcp_frto && (first || c->patience.retries);
}

void tern_loss_resize(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x, uint32_t mss)
{
	struct tern_repairs *r = &x->repair;
	struct tern_flight *f = &x->flight;
	uint32_t cwnd = tern_cc_segments(&c->cc), lost = 0;

	for (uint32_t idx = f->head; idx; idx = tern_burst_at(t, x, idx)->next) {
		struct tern_burst *burst = tern_burst_at(t, x, idx);

		if (TERN_MIN(burst->size, tern_burst_bytes(burst)) > mss)
			lost += tern_flight_mark_lost(t, f, burst);
	}
	c->cc.mss = mss;
	tern_cc_set_window(&c->cc, cwnd);
	tern_flight_resize(t, f, mss);
	if (!tern_conn_sacks(c))
		(void)tern_recovery_limit_dupacks(f);
	if (!lost || r->state == TERN_CA_LOSS)
		return;
	r->high = c->snd.nxt;
	if (c->cc.ssthresh != TERN_CC_SSTHRESH_NONE)
		c->cc.ssthresh = tern_recovery_current_ssthresh(c, x);
	r->prior_ssthresh = 0;
	r->undo = false;
	r->frto = false;
	r->hold = false;
	r->state = TERN_CA_LOSS;
}

/* Steps 2 and 3 of F-RTO. True: the state of affairs is settled by it. */
static bool forward_rto(struct tern_news *n, bool recovered)
{
	struct tern_repairs *r = &n->x->repair;
	const struct tern_conn *c = n->c;

	if ((n->flags & TERN_NEWS_ORIGINAL) && tern_undo_loss(n, true))
		return true;
	if (tern_seq_gt(c->snd.nxt, r->high)) {
		if ((n->flags & TERN_NEWS_SACKED) || n->dupacks)
			r->frto = false;
	} else if ((n->flags & TERN_NEWS_ADVANCED) && !recovered) {
		r->high = c->snd.nxt;
		if (tern_seq_gt(c->snd.una + n->x->send.bytes, c->snd.nxt) &&
		    c->snd.nxt - c->snd.una < c->snd.wnd) {
			r->new_first = true;
			return true;
		}
		r->frto = false;
	}
	return false;
}

void tern_loss_process(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;
	bool recovered = tern_seq_ge(n->c->snd.una, r->high);

	r->new_first = false;
	r->hold = false;
	if ((n->flags & TERN_NEWS_ADVANCED) && tern_undo_loss(n, false))
		return;
	if (r->frto && forward_rto(n, recovered))
		return;
	if (recovered) {
		tern_undo_recovery(n);
		return;
	}
	if (tern_conn_sacks(n->c))
		return;
	if (tern_seq_gt(n->c->snd.nxt, r->high) && n->dupacks)
		tern_recovery_count_dupacks(n);
	else if (n->flags & TERN_NEWS_ADVANCED)
		tern_recovery_forget_dupacks(n->x);
}
