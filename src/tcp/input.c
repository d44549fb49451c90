/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A segment walks the steps of RFC 9293 §3.10.7.4 in their order, one function a step, with the
 * changes of RFC 5961 (challenge ACKs) and RFC 7323 (timestamps) where those texts put them. A
 * step lets it pass, ends its way, or drops it with the one reason that will be counted. Nearly all
 * segments are those expected next: the first four steps, which can only refuse, are not asked
 * about them. SYN-SENT has a way of its own (§3.10.7.3, input_syn_sent.c).
 *
 * Nothing is sent from here: steps leave flags (an ACK is owed, something is to be repeated) and
 * output reads them.
 */
#include "tcp/input.h"

#include <errno.h>

#include "base/compiler.h"
#include "tcp/keepalive.h"
#include "tcp/marks.h"
#include "tcp/paws.h"
#include "tcp/reset.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/window.h"

/* Before the first: timestamps (RFC 7323 §3.2, §5.3 R1). */
static enum tern_step check_timestamp(struct tern_input *in)
{
	const struct tern_tcp_options *opt = &in->seg->opt;
	struct tern_conn *c = in->c;

	/* RFC7323:3.2d RFC7323:5.3b */
	if (!(c->options & TERN_OPT_TS) || (in->flags & (TERN_RST | TERN_SYN)))
		return TERN_NEXT;
	/* RFC7323:3.2c */
	if (!(opt->present & TERN_OPT_TS))
		return in->t->knobs->tern_tolerate_missing_ts
			       ? TERN_NEXT
			       : tern_input_drop(in, TERN_DROP_TCP_NO_TIMESTAMP);
	/* RFC7323:5.3a */
	if (!tern_paws_old(opt->tsval, c->ts.recent, c->ts.recent_ms, in->t->now_ms))
		return TERN_NEXT;
	tern_count(in->t->trace, TERN_CNT_TcpExtPAWSEstab);
	tern_conn_answer_invalid(in->t, in->idx, c, TERN_CNT_TcpExtTCPACKSkippedPAWS);
	return tern_input_drop(in, in->len || (in->flags & TERN_FIN)
					   ? TERN_DROP_TCP_RFC7323_PAWS
					   : TERN_DROP_TCP_RFC7323_PAWS_ACK);
}

/*
 * Why a segment is outside the window; NONE if it is not (RFC 9293 §3.4, the four cases). Of a RST
 * only the number counts, whatever it carries (RFC 5961 §3.2).
 */
static enum tern_drop judge_sequence(const struct tern_input *in, uint32_t wnd)
{
	tern_seq nxt = in->c->rcv.nxt;
	/* RFC9293:SHLD-2 */
	uint32_t len = in->flags & TERN_RST ? 0 : in->len + ((in->flags & TERN_FIN) != 0);
	bool first = tern_seq_in(in->seq, nxt, wnd);
	bool last = len && tern_seq_in(in->seq + len - 1, nxt, wnd);

	/* RFC9293:MUST-66 */
	if (first || last || (!len && in->seq == nxt))
		return TERN_DROP_NONE;
	/* Who has filled our window sends bare ACKs from its right edge: they count. */
	if (!len && in->seq == nxt + wnd && !(in->flags & TERN_RST))
		return TERN_DROP_NONE;
	if (tern_seq_lt(in->seq, nxt))
		return TERN_DROP_TCP_OLD_SEQUENCE;
	return wnd ? TERN_DROP_TCP_INVALID_SEQUENCE : TERN_DROP_TCP_ZEROWINDOW;
}

/* Cuts off what lies before the window. */
static void trim(struct tern_input *in)
{
	tern_seq nxt = in->c->rcv.nxt;

	if (tern_seq_lt(in->seq, nxt)) {
		uint32_t old = TERN_MIN(nxt - in->seq, in->len);

		tern_input_twice(in, in->seq, in->seq + old);
		in->seq += old;
		in->data += old;
		in->len -= old;
	}
}

/*
 * An ACK for what is outside the window. Segments with data or FIN cannot be part of an ACK loop,
 * and their sender waits: they are always answered. All others are limited.
 */
static void answer_outside(struct tern_input *in)
{
	uint32_t len = in->len + ((in->flags & TERN_FIN) != 0);

	if (len) {
		if (tern_seq_lt(in->seq, in->c->rcv.nxt))
			tern_input_twice(in, in->seq, tern_seq_min(in->seq + len, in->c->rcv.nxt));
		in->c->flags |= TERN_CF_ACK_NOW;
		tern_conn_want_output(in->t, in->idx, in->c);
	} else {
		tern_conn_answer_invalid(in->t, in->idx, in->c, TERN_CNT_TcpExtTCPACKSkippedSeq);
	}
}

/*
 * MUST-66: with a window of zero the segment at its edge still brings ACK, RST and URG.
 * RFC9293:MUST-66
 */
static enum tern_step refuse_text(struct tern_input *in)
{
	tern_count(in->t->trace, TERN_CNT_TcpExtTCPZeroWindowDrop);
	answer_outside(in);
	in->len = 0;
	in->flags &= (uint16_t)~TERN_FIN;
	in->out.reason = TERN_DROP_TCP_ZEROWINDOW;
	return TERN_NEXT;
}

static enum tern_step refuse_beyond(struct tern_input *in, enum tern_drop reason)
{
	tern_count(in->t->trace, TERN_CNT_TcpExtBeyondWindow);
	answer_outside(in);
	return tern_input_drop(in, reason);
}

/*
 * Text that is at least in part in the window, and begins there. As in Linux it is not cut at the
 * right edge: one segment may go beyond while nothing waits to be read, others are dropped; the
 * first of RFC 9293 3.10.7.4 could be trimmed, it need not. What was taken back of the window
 * takes no text.
 */
static enum tern_step check_text(struct tern_input *in, tern_seq edge)
{
	const struct tern_traffic *x = tern_conn_traffic(in->t, in->c);
	const struct tern_rcv *rcv = &in->c->rcv;

	if (tern_seq_gt(in->seq + in->len, edge) && x && x->recv.bytes)
		return refuse_beyond(in, TERN_DROP_TCP_INVALID_END_SEQUENCE);
	if (rcv->adv == rcv->nxt && in->seq == rcv->nxt)
		return refuse_text(in);
	if (tern_seq_ge(in->seq, rcv->adv))
		return refuse_beyond(in, TERN_DROP_TCP_OVERWINDOW);
	return TERN_NEXT;
}

/* First: the sequence number. What is acceptable in part is trimmed to what is new. */
static enum tern_step check_sequence(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	tern_seq edge = tern_window_edge(c, tern_conn_traffic(in->t, c));
	enum tern_drop reason;

	/*
	 * Simultaneous open: the SYN-ACK repeats the SYN that brought us here; only its ACK is new.
	 * RFC9293:MUST-10
	 */
	if (c->state == TERN_SYN_RECEIVED && in->seq == c->rcv.irs &&
	    (in->flags & (TERN_SYN | TERN_ACK)) == (TERN_SYN | TERN_ACK)) {
		in->flags &= (uint16_t)~TERN_SYN;
		in->seq++;
	}
	/* Any other SYN is challenged, wherever it stands (RFC 5961 §4.2). */
	if ((in->flags & (TERN_SYN | TERN_RST)) == TERN_SYN)
		return TERN_NEXT;
	reason = judge_sequence(in, edge - c->rcv.nxt);
	/* A FIN needs no room. */
	if (reason == TERN_DROP_TCP_ZEROWINDOW && in->seq == c->rcv.nxt && !in->len)
		return TERN_NEXT;
	if (reason == TERN_DROP_TCP_ZEROWINDOW && in->seq == c->rcv.nxt)
		return refuse_text(in);
	if (reason == TERN_DROP_NONE) {
		if (in->flags & TERN_RST) /* judged whole by the next step */
			return TERN_NEXT;
		trim(in);
		return in->len ? check_text(in, edge) : TERN_NEXT;
	}
	if (in->flags & TERN_RST)
		/* RFC5961:3.2a */
		return tern_input_drop(in, TERN_DROP_TCP_INVALID_RST);
	if (reason == TERN_DROP_TCP_INVALID_SEQUENCE)
		return refuse_beyond(in, reason);
	answer_outside(in);
	return tern_input_drop(in, reason);
}

/*
 * The error that a reset means to the application, by state: RFC 9293 §3.10.7.4 has others in
 * SYN-RECEIVED and CLOSE-WAIT than Linux.
 */
static int reset_error(const struct tern_knobs *knobs, const struct tern_conn *c)
{
	switch (c->state) {
	/* RFC9293:MUST-11 */
	case TERN_SYN_RECEIVED:
		return knobs->tern_rst_syn_received ? ECONNREFUSED : ECONNRESET;
	case TERN_CLOSE_WAIT:
		return knobs->tern_rst_close_wait ? ECONNRESET : EPIPE;
	default:
		return ECONNRESET;
	}
}

/* Second: RST (RFC 5961 §3.2: only at the very edge). */
static enum tern_step check_reset(struct tern_input *in)
{
	const struct tern_knobs *knobs = in->t->knobs;
	struct tern_conn *c = in->c;

	if (!(in->flags & TERN_RST))
		return TERN_NEXT;
	/* RFC9293:U-6 RFC9293:U-7 RFC5961:3.2c */
	if (in->seg->seq != c->rcv.nxt && !knobs->tern_insecure_rst) {
		if ((c->fastopen & TERN_FO_USED) && !(c->flags & TERN_CF_PASSIVE) &&
		    !c->totals.data_segs_in && c->state == TERN_ESTABLISHED)
			tern_fastopen_black_hole(in->t);
		tern_conn_challenge(in->t, in->idx, c);
		return tern_input_drop(in, TERN_DROP_TCP_RST_CHALLENGED);
	}
	if (c->flags & TERN_CF_EARLY)
		tern_fastopen_settle(in->t, c, true);
	in->out.reason = TERN_DROP_TCP_RESET;
	/* RFC9293:MUST-12 RFC9293:U-5 RFC5961:3.2b */
	tern_conn_finish(in->t, in->idx, reset_error(knobs, c));
	return TERN_GONE;
}

/* RFC 793: a SYN in the window is an error, and the connection is reset. */
TERN_COLD static enum tern_step reset_by_syn(struct tern_input *in)
{
	struct tern_flow flow;

	tern_conn_flow(in->c, &flow);
	if (in->t->knobs->tern_syn_reset)
		tern_conn_reset_peer(in->t, in->idx);
	else
		tern_reply_reset(&in->t->replies, &flow, in->seg);
	in->out.reason = TERN_DROP_TCP_INVALID_SYN;
	tern_conn_finish(in->t, in->idx, ECONNRESET);
	return TERN_GONE;
}

/* The SYN that an early child was born by, once more: its SYN-ACK was lost, or is late. */
static enum tern_step repeat_synack(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x = tern_conn_traffic(in->t, c);

	if (tern_conn_answer_invalid(in->t, in->idx, c, TERN_CNT_TcpExtTCPACKSkippedSynRecv)) {
		c->flags &= ~(uint32_t)TERN_CF_ACK_NOW;
		tern_flight_repeat_first(in->t, &x->flight);
	}
	return tern_input_drop(in, TERN_DROP_TCP_OLD_SEQUENCE);
}

/* Fourth: SYN on a connection that stands, or half stands (RFC 5961 §4.2). */
static enum tern_step check_syn(struct tern_input *in)
{
	const struct tern_conn *c = in->c;

	if (!(in->flags & TERN_SYN))
		return TERN_NEXT;
	if (in->t->knobs->tern_insecure_syn &&
	    tern_seq_in(in->seg->seq, c->rcv.nxt, c->rcv.adv - c->rcv.nxt))
		return reset_by_syn(in);
	if ((in->c->flags & TERN_CF_EARLY) && in->seg->seq == in->c->rcv.irs &&
	    !(in->flags & TERN_ACK))
		return repeat_synack(in);
	/* RFC9293:U-8 RFC9293:U-9 RFC5961:4.2 */
	tern_count(in->t->trace, TERN_CNT_TcpExtTCPSYNChallenge);
	tern_conn_challenge(in->t, in->idx, in->c);
	return tern_input_drop(in, TERN_DROP_TCP_SYN_CHALLENGED);
}

/*
 * Fifth, done with the ACK: TS.Recent (RFC 7323 §4.3), now that sequence and ACK are known to be
 * good.
 */
static void note_timestamp(struct tern_input *in)
{
	const struct tern_tcp_options *opt = &in->seg->opt;
	struct tern_conn *c = in->c;
	uint32_t now_ms = in->t->now_ms;

	/* RFC7323:4.3 */
	if ((c->options & opt->present & TERN_OPT_TS) && tern_seq_le(in->seg->seq, c->rcv.acked) &&
	    !tern_paws_old(opt->tsval, c->ts.recent, c->ts.recent_ms, now_ms)) {
		c->ts.recent = opt->tsval;
		c->ts.recent_ms = now_ms;
	}
}

static enum tern_step (*const tests[])(struct tern_input *) = {
	check_timestamp,
	check_sequence,
	check_reset,
	check_syn,
};

/*
 * Is it what nearly all segments are: next in order, with room for it, of an age that is right,
 * neither SYN nor RST, and nothing of what is rare? Then the tests have nothing to say about it.
 */
static bool is_expected(const struct tern_input *in)
{
	const struct tern_tcp_options *opt = &in->seg->opt;
	const struct tern_conn *c = in->c;

	if (in->seq != c->rcv.nxt || in->len > c->rcv.adv - c->rcv.nxt ||
	    (in->flags & (TERN_SYN | TERN_RST | TERN_URG)) || c->marks)
		return false;
	if (c->options & opt->present & TERN_OPT_TS)
		return tern_seq_ge(opt->tsval, c->ts.recent);
	return !(c->options & TERN_OPT_TS);
}

/* Sixth: URG; and what routers have to say. */
TERN_COLD static void take_marks(struct tern_input *in)
{
	tern_ecn_input(in);
	if ((in->flags & TERN_URG) || (in->c->marks & TERN_MARK_OOB))
		tern_urgent_input(in);
}

/* §3.10.7.4 from the first step to the last. */
static inline enum tern_step walk(struct tern_input *in)
{
	enum tern_step step = TERN_NEXT;

	bool expected = is_expected(in);

	if (TERN_UNLIKELY(!expected))
		for (unsigned int i = 0; step == TERN_NEXT && i < TERN_ARRAY_SIZE(tests); i++)
			step = tests[i](in);
	if (step == TERN_NEXT)
		step = tern_input_ack(in);
	if (step != TERN_NEXT)
		return step;
	note_timestamp(in);
	if (TERN_UNLIKELY(!expected))
		take_marks(in);
	return tern_input_payload(in);
}

/*
 * An orphan in FIN-WAIT-2 with TCP_LINGER2: it has a time of its own, or none at all. Segments that
 * come meanwhile do not prolong it.
 */
TERN_COLD static void linger(struct tern_input *in)
{
	struct tern_conn *c = in->c;

	if (c->linger2_s < 0) {
		tern_input_abort(in);
	} else if (c->state_ms == in->t->now_ms) {
		tern_conn_drop_unsent(in->t, in->idx); /* all is acknowledged: timers end */
		tern_keepalive_await_fin(in->t, in->idx, c);
	}
}

/* After the last step: does the record have to leave the room? */
static void settle(struct tern_input *in)
{
	struct tern_conn *c = in->c;

	if (c->state == TERN_FIN_WAIT_2 && (c->flags & TERN_CF_ORPHAN)) {
		if (TERN_UNLIKELY(c->linger2_s))
			linger(in);
		else
			in->out.move = TERN_MOVE_FIN_WAIT_2;
	} else if (c->state == TERN_TIME_WAIT) {
		in->out.move = TERN_MOVE_TIME_WAIT;
		in->out.ack = in->fin_now;
	} else {
		tern_conn_rest(in->t, c);
	}
}

void tern_tcp_input(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		    const struct tern_segment *seg, struct tern_outcome *ret)
{
	struct tern_input in = { .t = t,
				 .c = c,
				 .seg = seg,
				 .idx = idx,
				 .seq = seg->seq,
				 .len = seg->len,
				 .data = seg->data,
				 .flags = seg->flags };
	enum tern_step step;

	c->totals.segs_in++;
	c->totals.data_segs_in += seg->len != 0;
	if (c->state == TERN_SYN_SENT)
		step = tern_input_syn_sent(&in);
	else
		step = walk(&in);
	if (step != TERN_GONE)
		settle(&in);
	*ret = in.out;
}
