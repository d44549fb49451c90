/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The ACK field of a segment (RFC 9293 §3.10.7.4, fifth). In this order: is it acceptable (RFC 5961
 * §5.2), does it complete the handshake, what does it acknowledge, what does it say about loss
 * (RFC 5681, NewReno RFC 6582), what window does it give, and what follows from our FIN being
 * acknowledged.
 *
 * What it acknowledges leaves the flight: each burst that does is a round trip, unless it was sent
 * again (Karn), and a segment delivered. Whether anything is amiss is then recovery.c's to say; the
 * window grows by what was delivered.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/input.h"
#include "tcp/recovery.h"
#include "tcp/reset.h"
#include "tcp/rtt.h"
#include "tcp/sndbuf.h"
#include "tcp/state.h"
#include "tcp/timers.h"

/* SEG.WND in bytes. On a SYN it is never scaled (RFC 7323 §2.2). */
static uint32_t segment_window(const struct tern_input *in)
{
	/* RFC9293:MUST-1 RFC9293:REC-1 RFC7323:2.2b RFC7323:2.3a */
	return (uint32_t)in->seg->wnd << (in->seg->flags & TERN_SYN ? 0 : in->c->snd_wscale);
}

/* A round trip was measured. */
static void take_sample(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
			uint64_t rtt_us)
{
	tern_rtt_sample(&c->rtt, rtt_us, t->knobs->tcp_rto_min_us);
	x->repair.backoff = 0;
}

void tern_input_syn_acked(struct tern_input *in, struct tern_traffic *x)
{
	struct tern_flight *f = &x->flight;
	tern_seq una = in->c->snd.una;
	struct tern_burst *burst;

	x->repair.high = una;
	x->repair.usage_end = una;
	x->repair.backoff = 0;
	if (!f->head)
		return;
	burst = tern_burst_of(in->t, f, f->head);
	if (!(burst->flags & TERN_BURST_EVER_AGAIN))
		take_sample(in->t, in->c, x, (in->t->now - burst->sent_ns) / 1000);
	tern_flight_pop(in->t, f);
	if (TERN_LIKELY(!f->head))
		return;
	burst = tern_burst_of(in->t, f, f->head); /* Fast Open: of the SYN's data */
	if (tern_seq_le(burst->end, una))
		tern_flight_pop(in->t, f);
	else if (tern_seq_lt(burst->seq, una))
		tern_flight_trim(f, burst, una);
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
	if (x)
		tern_input_syn_acked(in, x);
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

/* Room for the application: the send buffer grows with the window, and a short send is told. */
static void make_room(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, struct tern_traffic *x)
{
	if (!(c->flags & TERN_CF_SNDBUF_LOCK) && c->snd_buf < t->knobs->tcp_wmem_max &&
	    c->snd_buf / 4 < c->cc.cwnd && !tern_bufs_pressure(&t->bufs))
		c->snd_buf = TERN_MIN(c->cc.cwnd * 4, t->knobs->tcp_wmem_max);
	if ((c->flags & TERN_CF_NOSPACE) && tern_sndbuf_is_roomy(t, c, x)) {
		c->flags &= ~(uint32_t)TERN_CF_NOSPACE;
		tern_busy_end(t, c, &x->send, TERN_BUSY_BUFFER);
		tern_conn_notify(t, idx, c, TERN_EV_WRITABLE);
	}
}

/* What the bursts that an ACK takes off the flight say of round trips. */
struct trips {
	uint64_t first_ns, last_ns; /* when what was sent once had left; 0: nothing was */
	tern_seq reorder;           /* the lowest of that */
	uint32_t acked;             /* segments */
};

/* `count` segments at the front of the flight are acknowledged: the first burst or a part of it. */
static void take_burst(struct tern_news *n, const struct tern_burst *burst, uint32_t count,
		       struct trips *trips)
{
	n->flags |= TERN_NEWS_ACKED;
	trips->acked += count;
	/* RFC9293:MUST-18 RFC6298:3 */
	if (burst->flags & TERN_BURST_EVER_AGAIN) {
		n->flags |= TERN_NEWS_AGAIN_ACKED;
	} else if (!(burst->flags & TERN_BURST_SACKED)) {
		trips->last_ns = burst->sent_ns;
		if (!trips->first_ns) {
			trips->first_ns = burst->sent_ns;
			/* To Linux a segment that takes two ACKs has come late. */
			trips->reorder = burst->seq - ((burst->flags & TERN_BURST_PART) != 0);
		}
		if (tern_seq_le(burst->end, n->x->repair.high))
			n->flags |= TERN_NEWS_ORIGINAL;
	}
	if (!(burst->flags & TERN_BURST_SACKED) && tern_conn_sacks(n->c)) {
		tern_news_deliver(n, count);
		tern_rack_advance(n, burst);
	}
}

/* What SEG.ACK covers leaves the flight. */
static void clean_flight(struct tern_news *n, struct trips *trips)
{
	struct tern_flight *f = &n->x->flight;
	tern_seq una = n->c->snd.una;

	while (f->head) {
		struct tern_burst *burst = tern_burst_of(n->t, f, f->head);

		if (tern_seq_le(burst->end, una)) {
			take_burst(n, burst, burst->count, trips);
			tern_flight_pop(n->t, f);
			continue;
		}
		if (tern_seq_gt(una, burst->seq)) {
			struct tern_burst part = *burst;
			uint32_t count = tern_flight_trim(f, burst, una);

			part.end = una;
			if (count)
				take_burst(n, &part, count, trips);
		}
		if (burst->flags & TERN_BURST_SACKED)
			n->flags |= TERN_NEWS_RENEGED;
		break;
	}
}

/* Did the SACKed segments leave later than what is first in flight? Then that is not only late. */
static bool sacked_later(const struct tern_news *n)
{
	const struct tern_flight *f = &n->x->flight;

	return n->first_sacked_ns && f->head &&
	       n->first_sacked_ns < tern_burst_of(n->t, f, f->head)->sent_ns;
}

/*
 * The round trip of an ACK: of what was acknowledged, else of what was SACKed, else by the echo of
 * our timestamp, which retransmissions have, too (RFC 7323 §4.1).
 */
static bool measure(struct tern_news *n, const struct trips *trips)
{
	const struct tern_tcp_options *opt = &n->seg->opt;
	struct tern_conn *c = n->c;
	uint64_t now = n->t->now, rtt_us = TERN_NEVER;

	n->rtt_us = TERN_NEVER;
	if (trips->first_ns && !(n->flags & TERN_NEWS_AGAIN_ACKED)) {
		rtt_us = (now - trips->first_ns) / 1000;
		n->rtt_us = (now - trips->last_ns) / 1000;
	}
	if (n->first_sacked_ns) {
		n->rtt_us = (now - n->last_sacked_ns) / 1000;
		if (rtt_us == TERN_NEVER)
			rtt_us = (now - n->first_sacked_ns) / 1000;
	}
	if (rtt_us == TERN_NEVER && (c->options & opt->present & TERN_OPT_TS) && opt->tsecr &&
	    (n->flags & TERN_NEWS_ACKED)) {
		uint32_t ms = n->t->now_ms + c->ts.offset - opt->tsecr;

		if (ms < TERN_RTO_MAX_US / 1000)
			rtt_us = n->rtt_us = TERN_MAX(ms, 1u) * UINT64_C(1000);
	}
	if (rtt_us == TERN_NEVER)
		return false;
	if (n->rtt_us < c->rtt.min_us)
		c->rtt.min_us = (uint32_t)TERN_MAX(n->rtt_us, UINT64_C(1));
	take_sample(n->t, c, n->x, rtt_us);
	return true;
}

/* What is acknowledged leaves the flight, and is measured. */
static void take_acked(struct tern_news *n)
{
	struct trips trips = { .reorder = n->c->snd.nxt };
	struct tern_cc_now now;
	bool measured;

	clean_flight(n, &trips);
	measured = measure(n, &trips);
	if (n->flags & TERN_NEWS_ACKED) {
		n->flags |= TERN_NEWS_TIMER;
		if (!tern_conn_sacks(n->c)) {
			tern_recovery_uncount_dupacks(n, trips.acked);
			if (n->flags & TERN_NEWS_AGAIN_ACKED)
				n->flags &= ~(uint32_t)TERN_NEWS_ORIGINAL;
		} else if (tern_seq_lt(trips.reorder, n->prior_high)) {
			tern_sack_reordered(n, trips.reorder, false);
		}
	} else if (measured && sacked_later(n)) {
		n->flags |= TERN_NEWS_TIMER;
	}
	if (n->rtt_us == TERN_NEVER)
		return;
	now = (struct tern_cc_now){ (uint32_t)(n->t->now / 1000), n->t->now_ms, n->c->snd.una,
				    n->c->snd.nxt };
	tern_conn_cc(n->c)->sample(&n->c->cc, tern_traffic_cubic(n->x), (uint32_t)n->rtt_us, &now);
}

/* SEG.ACK > SND.UNA: what it covers leaves the send queue. */
static void advance(struct tern_news *n)
{
	struct tern_conn *c = n->c;
	struct tern_traffic *x = n->x;
	uint32_t data = TERN_MIN(n->seg->ack - c->snd.una, x->send.bytes);

	n->flags |= TERN_NEWS_ADVANCED;
	c->snd.una = n->seg->ack;
	if (data) {
		x->send.bytes -= data;
		if (!x->send.bytes)
			tern_busy_set(n->t, c, &x->send, TERN_BUSY_NOT);
		x->wmem -= tern_chain_trim(&n->t->bufs, &x->send.chain, c->snd.una);
		tern_total_add(&c->totals.bytes_acked, &c->totals.acked_high, data);
	}
	if (c->snd.una == c->snd.nxt) /* else the buffer of the last byte sent is still there */
		x->send.at_nxt = 0;
	x->send.at_rtx = 0;
	c->patience.retries = 0;
}

/* An ACK, with what it says of the flight. update: of the window, too. */
static TERN_OUTLINE void take_news(const struct tern_input *in, struct tern_traffic *x, bool update)
{
	struct tern_conn *c = in->c;
	struct tern_news n = { .t = in->t,
			       .c = c,
			       .x = x,
			       .seg = in->seg,
			       .idx = in->idx,
			       .prior_una = c->snd.una,
			       .prior_high = tern_high_sacked(c, x),
			       .flags = update ? TERN_NEWS_WINDOW : 0 };
	bool flight = c->snd.una != c->snd.nxt && tern_seq_ge(in->seg->ack, c->snd.una);

	if (in->seg->len || (in->seg->flags & (TERN_SYN | TERN_FIN)))
		n.flags |= TERN_NEWS_DATA;
	if ((in->seg->flags & TERN_ECE) && (c->options & TERN_OPT_ECN))
		n.flags |= TERN_NEWS_ECE;
	if (tern_seq_gt(in->seg->ack, c->snd.una))
		advance(&n);
	if ((in->seg->opt.present & TERN_OPT_SACK) && tern_conn_sacks(c))
		tern_sack_take(&n);
	if (flight) {
		take_acked(&n);
		tern_rack_update(&n);
	}
	if (TERN_UNLIKELY(x->repair.probing))
		tern_probe_acked(&n);
	if (flight ? tern_news_dubious(&n)
		   : (n.flags & (TERN_NEWS_SACKED | TERN_NEWS_DSACK)) != 0) {
		n.dupacks = flight &&
			    !(n.flags & (TERN_NEWS_ADVANCED | TERN_NEWS_NO_DUP | TERN_NEWS_DSACK));
		tern_recovery_alert(&n);
	}
	if (n.flags & TERN_NEWS_TIMER)
		tern_timers_acked(n.t, n.idx, c, x);
	if (flight)
		tern_recovery_window(&n);
	tern_count_n(n.t->trace, TERN_CNT_TcpExtTCPDelivered, n.delivered);
}

/*
 * The send window (RFC 9293 §3.10.7.4). Returns whether the segment is to be called an update: a
 * window that shrinks is none (as Linux has it).
 */
static bool update_window(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	uint32_t wnd = segment_window(in);
	bool update;

	if (tern_seq_lt(in->seg->ack, c->snd.una)) /* it counts from where that ACK stood */
		return false;
	if (!tern_seq_lt(c->snd.wl1, in->seg->seq) &&
	    !(c->snd.wl1 == in->seg->seq && tern_seq_le(c->snd.wl2, in->seg->ack)))
		return false;
	update = tern_seq_gt(in->seg->ack, c->snd.una) || tern_seq_lt(c->snd.wl1, in->seg->seq) ||
		 wnd > c->snd.wnd || !wnd;
	c->snd.wnd = wnd;
	c->snd.max_wnd = TERN_MAX(c->snd.max_wnd, wnd);
	c->snd.wl1 = in->seg->seq;
	c->snd.wl2 = in->seg->ack;
	return update;
}

/*
 * The window opened that the persist timer probed: back to ordinary sending. What a cork or a silly
 * window holds back goes on waiting for its time.
 */
static void leave_persist(struct tern_conn *c, struct tern_traffic *x, uint32_t wnd_before)
{
	if (x->due != TERN_DUE_PERSIST || wnd_before || !c->snd.wnd)
		return;
	x->due = TERN_DUE_RTO;
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

/* Who has nothing in flight hears no more than what came twice: receivers mostly do not. */
static inline bool may_be_news(const struct tern_input *in, const struct tern_traffic *x)
{
	return in->c->snd.una != in->c->snd.nxt || (in->seg->opt.present & TERN_OPT_SACK) ||
	       x->repair.probing;
}

enum tern_step tern_input_ack(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x;
	enum tern_step step = TERN_NEXT;
	uint32_t wnd;
	bool update;

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
	update = update_window(in);
	x = tern_conn_traffic(in->t, c);
	if (!x)
		return TERN_NEXT;
	if (may_be_news(in, x))
		take_news(in, x, update);
	make_room(in->t, in->idx, c, x);
	leave_persist(c, x, wnd);
	if (x->send.bytes || (c->flags & TERN_CF_FIN_QUEUED) || x->repair.state)
		tern_conn_want_output(in->t, in->idx, c);
	if ((c->flags & TERN_CF_FIN_SENT) && c->snd.una == c->snd.nxt)
		return fin_acked(in);
	return TERN_NEXT;
}
