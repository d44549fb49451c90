/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The ACK field of a segment (RFC 9293 §3.10.7.4, fifth). In this order: is it acceptable (RFC 5961
 * §5.2), does it complete the handshake, what does it acknowledge, what does it say about loss
 * (RFC 5681, NewReno RFC 6582), what window does it give, and what follows from our FIN being
 * acknowledged.
 *
 * Repair has two phases. FAST begins with the third duplicate ACK: the first segment is sent again,
 * then one for each partial ACK, until SND.NXT of the beginning is acknowledged. LOSS begins with a
 * timeout: everything from SND.UNA on is sent again as the window opens.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/input.h"
#include "tcp/reset.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timers.h"

#define DUPACKS 3

/* SEG.WND in bytes. On a SYN it is never scaled (RFC 7323 §2.2). */
static uint32_t segment_window(const struct tern_input *in)
{
	/* RFC9293:MUST-1 RFC9293:REC-1 RFC7323:2.2b RFC7323:2.3a */
	return (uint32_t)in->seg->wnd << (in->seg->flags & TERN_SYN ? 0 : in->c->snd_wscale);
}

/* A round trip, if the segment that is being timed is acknowledged (Karn: it was sent once). */
static void sample_rtt(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
		       tern_seq ack)
{
	/* RFC9293:MUST-18 RFC6298:3 */
	if (!x->repair.timed || tern_seq_lt(ack, x->repair.timed_seq))
		return;
	x->repair.timed = false;
	tern_rtt_sample(&c->rtt, (t->now - x->repair.timed_ns) / 1000, t->knobs->tcp_rto_min_us);
}

/* In SYN-RECEIVED: our SYN-ACK is acknowledged, or the peer is told that it is not (RST). */
static enum tern_step complete_handshake(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x = tern_conn_traffic(in->t, c);
	tern_seq ack = in->seg->ack;
	bool lost;

	if (tern_seq_le(ack, c->snd.una) || tern_seq_gt(ack, c->snd.nxt)) {
		struct tern_flow flow;

		tern_conn_flow(c, &flow);
		tern_reply_reset(&in->t->replies, &flow, in->seg);
		return tern_input_drop(in, TERN_DROP_TCP_INVALID_ACK_SEQUENCE);
	}
	c->snd.wnd = segment_window(in);
	c->snd.max_wnd = TERN_MAX(c->snd.max_wnd, c->snd.wnd);
	c->snd.wl1 = in->seg->seq;
	c->snd.wl2 = ack;
	c->snd.una = c->snd.iss + 1;
	lost = c->patience.retries > 0;
	c->patience.retries = 0;
	if (x) {
		sample_rtt(in->t, c, x, ack);
		x->repair = (struct tern_repairs){ .recover = c->snd.iss };
	}
	tern_conn_establish(in->t, in->idx, c, lost);
	if (x)
		tern_timers_acked(in->t, in->idx, c, x);
	else
		tern_timers_keepalive(in->t, in->idx, c);
	return TERN_NEXT;
}

/* RFC 5961 §5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. */
static enum tern_step check_range(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	tern_seq ack = in->seg->ack;

	/* RFC9293:MAY-12 RFC9293:U-10 RFC9293:U-11 RFC5961:5.2 */
	if (tern_seq_gt(ack, c->snd.nxt)) {
		tern_conn_challenge(in->t, in->idx, c);
		return tern_input_drop(in, TERN_DROP_TCP_ACK_UNSENT_DATA);
	}
	/* RFC9293:MAY-12 RFC9293:U-10 RFC9293:U-11 RFC5961:5.2 */
	if (tern_seq_lt(ack, c->snd.una - c->snd.max_wnd)) {
		tern_conn_challenge(in->t, in->idx, c);
		return tern_input_drop(in, TERN_DROP_TCP_TOO_OLD_ACK);
	}
	return TERN_NEXT;
}

/* Loss repair and congestion control after `acked` new bytes, of which data. */
static void advance_repair(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
			   uint32_t acked, uint32_t flight)
{
	struct tern_repairs *r = &x->repair;
	bool done = tern_seq_ge(c->snd.una, r->recover);
	bool app_limited;

	r->dupacks = 0;
	r->probed = false;
	if (r->phase == TERN_REPAIR_FAST && !done) {
		t->cc->partial_ack(&c->cc, acked);
		r->rtx_nxt = c->snd.una;
		r->rtx_end = c->snd.una + TERN_MIN(c->cc.mss, c->snd.nxt - c->snd.una);
		x->send.at_rtx = 0;
		return;
	}
	if (r->phase == TERN_REPAIR_FAST) {
		t->cc->exit_recovery(&c->cc, c->snd.nxt - c->snd.una);
		r->phase = TERN_REPAIR_NONE;
		r->rtx_end = r->rtx_nxt;
		return;
	}
	app_limited = r->phase == TERN_REPAIR_NONE && flight + c->cc.mss <= c->cc.cwnd;
	t->cc->ack(&c->cc, acked, flight, app_limited);
	if (r->phase == TERN_REPAIR_LOSS) {
		r->rtx_nxt = tern_seq_max(r->rtx_nxt, c->snd.una);
		if (done) {
			r->phase = TERN_REPAIR_NONE;
			r->rtx_end = r->rtx_nxt;
		}
	}
}

/* Is what waits to leave half of TCP_NOTSENT_LOWAT at most? */
static bool few_unsent(const struct tern_tcp *t, const struct tern_conn *c,
		       const struct tern_traffic *x)
{
	uint32_t low = tern_conn_lowat(c, t->knobs->tcp_notsent_lowat);

	return low == UINT32_MAX || x->send.bytes - (c->snd.nxt - c->snd.una) < low / 2;
}

/* Room for the application: the send buffer grows with the window, and a short send is told. */
static void make_room(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		      const struct tern_traffic *x)
{
	if (!(c->flags & TERN_CF_SNDBUF_LOCK) && c->snd_buf < t->knobs->tcp_wmem_max &&
	    c->snd_buf / 4 < c->cc.cwnd && !tern_bufs_pressure(&t->bufs))
		c->snd_buf = TERN_MIN(c->cc.cwnd * 4, t->knobs->tcp_wmem_max);
	if ((c->flags & TERN_CF_NOSPACE) && x->send.bytes <= c->snd_buf / 2 / 3 * 2 &&
	    few_unsent(t, c, x)) {
		c->flags &= ~(uint32_t)TERN_CF_NOSPACE;
		tern_conn_notify(t, idx, c, TERN_EV_WRITABLE);
	}
}

/* SEG.ACK > SND.UNA: what it covers leaves the send queue. */
static void take_ack(struct tern_input *in, struct tern_traffic *x)
{
	struct tern_tcp *t = in->t;
	struct tern_conn *c = in->c;
	tern_seq ack = in->seg->ack;
	uint32_t flight = c->snd.nxt - c->snd.una;
	uint32_t acked = ack - c->snd.una;
	uint32_t data = TERN_MIN(acked, x->send.bytes);

	c->snd.una = ack;
	x->send.bytes -= data;
	if (data)
		x->wmem -= tern_chain_trim(&t->bufs, &x->send.chain, ack);
	if (ack == c->snd.nxt) /* else the buffer that holds the last byte sent is still there */
		x->send.at_nxt = 0;
	x->send.at_rtx = 0;
	c->totals.bytes_acked += data;
	c->patience.retries = 0;
	sample_rtt(t, c, x, ack);
	advance_repair(t, c, x, acked, flight);
	tern_count(t->trace, TERN_CNT_TcpExtTCPDelivered);
	tern_timers_acked(t, in->idx, c, x);
	make_room(t, in->idx, c, x);
}

/*
 * How many duplicate ACKs mean a loss: three, or as many as there can be where fewer segments are
 * in flight and nothing is left to send (early retransmit, RFC 5827 §3.1).
 */
static uint32_t loss_threshold(const struct tern_conn *c, const struct tern_traffic *x)
{
	uint32_t flight = c->snd.nxt - c->snd.una;
	uint32_t segments = (flight + c->cc.mss - 1) / c->cc.mss;

	if (x->repair.probed) /* what the probe repeated arrived, what stands before it did not */
		return 1;
	if (x->send.bytes > flight || segments > DUPACKS || segments < 2)
		return DUPACKS;
	return segments - 1;
}

/*
 * SEG.ACK = SND.UNA: a duplicate in the sense of RFC 5681 §2? The third one starts fast recovery.
 */
static void count_duplicate(struct tern_input *in, struct tern_traffic *x, bool window_changed)
{
	struct tern_tcp *t = in->t;
	struct tern_conn *c = in->c;
	struct tern_repairs *r = &x->repair;
	uint32_t flight = c->snd.nxt - c->snd.una;
	bool sack = in->seg->opt.present & TERN_OPT_SACK; /* bytes came early: no mere update */

	if (in->seg->len || (in->seg->flags & (TERN_SYN | TERN_FIN)) || (window_changed && !sack) ||
	    !flight || x->persist)
		return;
	if (r->phase == TERN_REPAIR_FAST) {
		/* No more can have left the network than was in it (RFC 5681 §3.2; attack D08). */
		if (c->cc.cwnd < c->cc.ssthresh + (r->recover - c->snd.una))
			t->cc->dup_ack(&c->cc);
		return;
	}
	/* Up to where the last repair ended, duplicates may be its doing (RFC 6582 §3.2 step 2). */
	if (r->phase != TERN_REPAIR_NONE || (!sack && tern_seq_le(c->snd.una, r->recover)) ||
	    ++r->dupacks < loss_threshold(c, x))
		return;
	tern_count(t->trace, TERN_CNT_TcpExtTCPRenoRecovery);
	/* What limited transmit sent on top of cwnd does not count (RFC 5681 §3.2 step 2). */
	t->cc->enter_recovery(&c->cc, TERN_MIN(flight, c->cc.cwnd));
	r->phase = TERN_REPAIR_FAST;
	r->probed = false;
	r->recover = c->snd.nxt;
	r->rtx_nxt = c->snd.una;
	r->rtx_end = c->snd.una + TERN_MIN(c->cc.mss, c->snd.nxt - c->snd.una);
	r->timed = false;
	x->send.at_rtx = 0;
}

/* The send window (RFC 9293 §3.10.7.4). Returns whether it changed. */
static bool update_window(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	uint32_t wnd = segment_window(in);
	bool changed = wnd != c->snd.wnd;

	if (tern_seq_lt(in->seg->ack, c->snd.una)) /* it counts from where that ACK stood */
		return false;
	if (!tern_seq_lt(c->snd.wl1, in->seg->seq) &&
	    !(c->snd.wl1 == in->seg->seq && tern_seq_le(c->snd.wl2, in->seg->ack)))
		return false;
	c->snd.wnd = wnd;
	c->snd.max_wnd = TERN_MAX(c->snd.max_wnd, wnd);
	c->snd.wl1 = in->seg->seq;
	c->snd.wl2 = in->seg->ack;
	return changed;
}

/*
 * The window opened that the persist timer probed: back to ordinary sending. What a cork or a silly
 * window holds back goes on waiting for its time.
 */
static void leave_persist(struct tern_conn *c, struct tern_traffic *x, uint32_t wnd_before)
{
	if (!x->persist || wnd_before || !c->snd.wnd)
		return;
	x->persist = false;
	x->rexmt_ns = TERN_NEVER;
	c->patience.retries = 0;
}

/* What follows from our FIN being acknowledged. */
static enum tern_step fin_acked(struct tern_input *in)
{
	switch (in->c->state) {
	case TERN_FIN_WAIT_1:
		tern_conn_set_state(in->t, in->c, TERN_FIN_WAIT_2);
		return TERN_NEXT;
	case TERN_CLOSING:
		tern_conn_set_state(in->t, in->c, TERN_TIME_WAIT);
		return TERN_DONE;
	case TERN_LAST_ACK:
		tern_conn_finish_at(in->t, in->idx, in->c, 0);
		return TERN_GONE;
	default:
		return TERN_NEXT;
	}
}

/* The peer was heard: keepalive and probes start over. */
static void heard(struct tern_input *in)
{
	in->c->rcv_ms = in->t->now_ms;
	in->c->patience.keep_probes = 0;
	if (!in->seg->len && !(in->seg->flags & (TERN_SYN | TERN_FIN)))
		tern_count(in->t->trace, TERN_CNT_TcpExtTCPPureAcks);
}

/*
 * Does it acknowledge the FIN of an orphan, and so all that was ever sent? The record leaves the
 * room with it: what repair, timers and buffers would learn, nobody would ask for.
 */
static bool ends_orphan(const struct tern_input *in)
{
	const struct tern_conn *c = in->c;

	return (c->flags & TERN_CF_FIN_SENT) && (c->flags & TERN_CF_ORPHAN) &&
	       in->seg->ack == c->snd.nxt && c->snd.una != c->snd.nxt;
}

enum tern_step tern_input_ack(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x;
	enum tern_step step = TERN_NEXT;
	uint32_t wnd;
	bool changed;

	if (!(in->flags & TERN_ACK))
		return tern_input_drop(in, TERN_DROP_TCP_NO_ACK);
	if (c->state == TERN_SYN_RECEIVED)
		step = complete_handshake(in);
	else
		step = check_range(in);
	if (step != TERN_NEXT)
		return step;
	heard(in);
	if (ends_orphan(in)) {
		tern_count(in->t->trace, TERN_CNT_TcpExtTCPDelivered);
		c->snd.una = c->snd.nxt;
		return fin_acked(in);
	}
	wnd = c->snd.wnd;
	changed = update_window(in);
	x = tern_conn_traffic(in->t, c);
	if (!x)
		return TERN_NEXT;
	if (tern_seq_gt(in->seg->ack, c->snd.una))
		take_ack(in, x);
	else if (in->seg->ack == c->snd.una)
		count_duplicate(in, x, changed);
	leave_persist(c, x, wnd);
	if (x->send.bytes || (c->flags & TERN_CF_FIN_QUEUED) || x->repair.phase)
		tern_conn_want_output(in->t, in->idx, c);
	if ((c->flags & TERN_CF_FIN_SENT) && c->snd.una == c->snd.nxt)
		return fin_acked(in);
	return TERN_NEXT;
}
