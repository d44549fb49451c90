/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The states are Linux' (enum tern_ca_state). An ACK that is not simply the expected next walks
 * through tern_recovery_alert(): a state whose end was acknowledged is left, what the ACK says of
 * losses is marked in the flight, and with the first loss fast recovery begins. What is marked and
 * not sent again yet is output's to send, as far as the window allows.
 *
 * In recovery the window follows what arrives, so that as it ends it is ssthresh (proportional rate
 * reduction, RFC 6937 with the bis' rules): with more in flight than ssthresh, ssthresh / cwnd of
 * what arrived is sent; with less, as much as arrived, and one more while nothing new is lost.
 *
 * A peer without SACK has its duplicate ACKs counted as segments that arrived; NewReno (RFC 6582)
 * then finds one hole with each partial ACK.
 */
#include "tcp/recovery.h"

#include "base/compiler.h"
#include "tcp/allow.h"
#include "tcp/timers.h"

/* ---- without SACK: duplicates stand for segments ---- */

void tern_recovery_forget_dupacks(struct tern_traffic *x)
{
	x->flight.sacked = 0;
}

bool tern_recovery_limit_dupacks(struct tern_flight *f)
{
	uint32_t holes = TERN_MIN(TERN_MAX(f->lost, 1u), f->packets);

	if (f->sacked + holes <= f->packets)
		return false;
	f->sacked = f->packets - holes;
	return true;
}

/* More duplicates than segments behind a hole: they overtook each other. */
static void limit_dupacks(struct tern_news *n, uint32_t more)
{
	struct tern_flight *f = &n->x->flight;

	if (!tern_recovery_limit_dupacks(f))
		return;
	n->c->totals.reordering = (uint16_t)TERN_MIN(f->packets + more, 300u);
	if (n->c->totals.reord_seen < UINT8_MAX)
		n->c->totals.reord_seen++;
	tern_count(n->t->trace, TERN_CNT_TcpExtTCPRenoReorder);
}

/*
 * Has every segment that was in flight when recovery began drawn its duplicate? More of them would
 * be forged, and let out as many new segments (attack D08).
 */
static bool all_told(const struct tern_news *n)
{
	const struct tern_repairs *r = &n->x->repair;

	return r->state == TERN_CA_RECOVERY &&
	       n->x->flight.sacked >= (r->high - n->c->snd.una) / n->c->cc.mss;
}

void tern_recovery_count_dupacks(struct tern_news *n)
{
	uint32_t before = n->x->flight.sacked;

	if (!n->dupacks || all_told(n))
		return;
	n->x->flight.sacked += n->dupacks;
	limit_dupacks(n, 0);
	if (n->x->flight.sacked > before)
		tern_news_deliver(n, n->x->flight.sacked - before);
}

void tern_recovery_uncount_dupacks(struct tern_news *n, uint32_t acked)
{
	struct tern_flight *f = &n->x->flight;

	if (acked) { /* one segment was the hole; of the rest duplicates have told */
		tern_news_deliver(n, acked > f->sacked + 1 ? acked - f->sacked : 1);
		f->sacked -= TERN_MIN(acked - 1, f->sacked);
	}
	limit_dupacks(n, acked);
}

/* ---- the window ---- */

uint32_t tern_recovery_current_ssthresh(const struct tern_conn *c, const struct tern_traffic *x)
{
	uint32_t cwnd = tern_cc_segments(&c->cc);

	if (tern_recovery_reduces(&x->repair))
		return c->cc.ssthresh;
	return TERN_MAX(c->cc.ssthresh, (cwnd / 2 + cwnd / 4) * c->cc.mss);
}

void tern_recovery_reduce(struct tern_conn *c, struct tern_traffic *x)
{
	struct tern_repairs *r = &x->repair;

	r->high = c->snd.nxt;
	r->probing = false;
	c->cc.avoid = 0;
	r->prior_cwnd = tern_cc_segments(&c->cc);
	r->prr_delivered = 0;
	r->prr_out = 0;
	tern_cc_set_ssthresh(&c->cc, tern_conn_cc(c)->ssthresh(&c->cc, tern_traffic_cubic(x)));
	tern_recovery_tell(c);
}

void tern_recovery_reduced(struct tern_conn *c, struct tern_traffic *x)
{
	if (c->cc.ssthresh != TERN_CC_SSTHRESH_NONE &&
	    (x->repair.state == TERN_CA_CWR || x->repair.undo))
		tern_cc_set_window(&c->cc, c->cc.ssthresh / c->cc.mss);
}

/* Proportional rate reduction: how many segments may be in flight after this ACK. */
static void reduce_by_rate(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;
	int64_t pipe = tern_flight_pipe(&n->x->flight);
	int64_t ssthresh = n->c->cc.ssthresh / n->c->cc.mss;
	int64_t send;

	if (!n->delivered || !r->prior_cwnd)
		return;
	r->prr_delivered += n->delivered;
	if (pipe > ssthresh) {
		send = (ssthresh * r->prr_delivered + r->prior_cwnd - 1) / r->prior_cwnd -
		       (int64_t)r->prr_out;
	} else {
		send = TERN_MAX((int64_t)r->prr_delivered - (int64_t)r->prr_out,
				(int64_t)n->delivered);
		if ((n->flags & TERN_NEWS_ADVANCED) && !n->lost)
			send++;
		send = TERN_MIN(send, ssthresh - pipe);
	}
	send = TERN_MAX(send, (int64_t)(r->prr_out == 0)); /* the first goes again at once */
	tern_cc_set_window(&n->c->cc, (uint32_t)(pipe + send));
}

void tern_recovery_window(struct tern_news *n)
{
	struct tern_conn *c = n->c;
	uint32_t raises = TERN_NEWS_ACKED;
	struct tern_cc_now now;

	if (tern_recovery_reduces(&n->x->repair)) {
		reduce_by_rate(n);
		return;
	}
	if (c->totals.reordering > n->t->knobs->tcp_reordering)
		raises |= TERN_NEWS_SACKED;
	if (!(n->flags & raises) || !n->delivered || !tern_allowed_is_used(c, n->x))
		return;
	now = (struct tern_cc_now){ (uint32_t)(n->t->now / 1000), n->t->now_ms, c->snd.una,
				    c->snd.nxt };
	tern_conn_cc(c)->grow(&c->cc, tern_traffic_cubic(n->x), n->delivered, &now);
}

/* ---- states ---- */

bool tern_recovery_any_again(const struct tern_tcp *t, const struct tern_traffic *x)
{
	const struct tern_flight *f = &x->flight;

	return f->again ||
	       (f->head && (tern_burst_at(t, x, f->head)->flags & TERN_BURST_EVER_AGAIN));
}

void tern_recovery_keep_open(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x)
{
	uint8_t state = x->flight.sacked || x->flight.lost || tern_recovery_any_again(t, x)
				? TERN_CA_DISORDER
				: TERN_CA_OPEN;

	if (x->repair.state == state)
		return;
	x->repair.state = state;
	x->repair.high = c->snd.nxt;
}

static void try_to_open(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;

	if (!tern_recovery_any_again(n->t, n->x))
		r->again = false;
	if (n->flags & TERN_NEWS_ECE)
		tern_recovery_congestion(n->t, n->c);
	if (r->state != TERN_CA_CWR)
		tern_recovery_keep_open(n->t, n->c, n->x);
}

void tern_recovery_congestion(struct tern_tcp *t, struct tern_conn *c)
{
	struct tern_traffic *x = tern_conn_traffic(t, c);

	if (!x)
		return;
	x->repair.prior_ssthresh = 0;
	if (x->repair.state >= TERN_CA_CWR)
		return;
	x->repair.undo = false;
	tern_recovery_reduce(c, x);
	x->repair.state = TERN_CA_CWR;
}

void tern_recovery_enter(struct tern_news *n)
{
	struct tern_conn *c = n->c;
	struct tern_repairs *r = &n->x->repair;

	if (!tern_recovery_any_again(n->t, n->x))
		r->again = false;
	tern_count(n->t->trace, tern_conn_sacks(c) ? TERN_CNT_TcpExtTCPSackRecovery
						   : TERN_CNT_TcpExtTCPRenoRecovery);
	r->prior_ssthresh = 0;
	tern_undo_init(c, n->x);
	if (!tern_recovery_reduces(r)) {
		if (!(n->flags & TERN_NEWS_ECE))
			r->prior_ssthresh = tern_recovery_current_ssthresh(c, n->x);
		tern_recovery_reduce(c, n->x);
	}
	r->state = TERN_CA_RECOVERY;
}

/* ---- losses ---- */

/* Without SACK: the first in flight, by duplicates or by a partial ACK. */
static void mark_lost_newreno(struct tern_news *n)
{
	struct tern_flight *f = &n->x->flight;
	uint8_t state = n->x->repair.state;
	struct tern_burst *burst = tern_burst_of(n->t, f, f->head);

	if (!(state < TERN_CA_RECOVERY && f->sacked >= tern_reordering(n->t, n->c)) &&
	    !(state == TERN_CA_RECOVERY && (n->flags & TERN_NEWS_ADVANCED)))
		return;
	if (burst->flags & TERN_BURST_LOST)
		return;
	if (burst->count > 1)
		tern_flight_split(n->t, f, f->head, burst->seq + burst->size);
	n->lost += tern_flight_mark_lost(n->t, f, burst);
}

static void identify_losses(struct tern_news *n)
{
	uint32_t again = n->x->flight.again;

	if (!n->x->flight.head)
		return;
	if (!tern_conn_sacks(n->c)) {
		mark_lost_newreno(n);
		return;
	}
	tern_rack_mark_lost(n);
	if (again > n->x->flight.again)
		n->flags |= TERN_NEWS_LOST_AGAIN;
}

/* The peer acknowledges up to what it had SACKed and not beyond: did it throw that away? */
static bool check_reneging(struct tern_news *n)
{
	uint64_t wait_us;

	if (!(n->flags & TERN_NEWS_RENEGED) || !(n->flags & TERN_NEWS_ADVANCED))
		return false;
	wait_us = TERN_MAX(n->c->rtt.srtt8_us / 16, 10000u);
	tern_timers_timeout_in(n->t, n->idx, n->c, n->x, wait_us * 1000);
	n->flags &= ~(uint32_t)TERN_NEWS_TIMER;
	return true;
}

/* A state that ends with this ACK. False: there is nothing more to do. */
static bool leave_state(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;
	struct tern_conn *c = n->c;

	if (r->state == TERN_CA_OPEN) {
		r->again = false;
		return true;
	}
	if (tern_seq_lt(c->snd.una, r->high))
		return true;
	if (r->state == TERN_CA_CWR && c->snd.una != r->high) {
		tern_recovery_reduced(c, n->x);
		r->state = TERN_CA_OPEN;
	} else if (r->state == TERN_CA_RECOVERY) {
		if (!tern_conn_sacks(c))
			tern_recovery_forget_dupacks(n->x);
		if (tern_undo_recovery(n))
			return false;
		tern_recovery_reduced(c, n->x);
	}
	return true;
}

/* An ACK in fast recovery. False: there is nothing more to do. */
static bool process_recovery(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;

	if (!(n->flags & TERN_NEWS_ADVANCED)) {
		if (!tern_conn_sacks(n->c))
			tern_recovery_count_dupacks(n);
	} else if (tern_undo_partial(n)) {
		r->hold = true;
		return false;
	}
	if (tern_undo_by_dsack(n))
		try_to_open(n);
	identify_losses(n);
	if (r->state == TERN_CA_RECOVERY)
		return true;
	if (!n->x->flight.lost)
		return false;
	tern_recovery_enter(n);
	return true;
}

/* An ACK in OPEN, DISORDER or CWR, or in LOSS when that has proved wrong. */
static bool process_open(struct tern_news *n)
{
	if (!tern_conn_sacks(n->c)) {
		if (n->flags & TERN_NEWS_ADVANCED)
			tern_recovery_forget_dupacks(n->x);
		tern_recovery_count_dupacks(n);
	}
	if (n->x->repair.state <= TERN_CA_DISORDER)
		tern_undo_by_dsack(n);
	identify_losses(n);
	if (!n->x->flight.lost) {
		try_to_open(n);
		return false;
	}
	tern_recovery_enter(n);
	return true;
}

static bool process_loss(struct tern_news *n)
{
	tern_loss_process(n);
	identify_losses(n);
	if (n->x->repair.state != TERN_CA_OPEN && !(n->flags & TERN_NEWS_LOST_AGAIN))
		return false;
	return process_open(n);
}

void tern_recovery_alert(struct tern_news *n)
{
	struct tern_repairs *r = &n->x->repair;
	bool repair;

	if (!n->x->flight.packets)
		n->x->flight.sacked = 0;
	if (n->flags & TERN_NEWS_ECE)
		r->prior_ssthresh = 0;
	if (check_reneging(n) || !leave_state(n))
		return;
	if (r->state == TERN_CA_RECOVERY)
		repair = process_recovery(n);
	else if (r->state == TERN_CA_LOSS)
		repair = process_loss(n);
	else
		repair = process_open(n);
	if (repair)
		r->hold = false;
}
