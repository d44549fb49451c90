/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * TIME-WAIT (RFC 9293 §3.10.7.4). The peer's FIN is taken and ours is acknowledged: nothing that
 * comes can be news, except a SYN that may reopen the connection (reuse.c).
 *
 *	RST			ignored (RFC 1337); with tcp_rfc1337=0, as in Linux, it ends the
 *				wait if it stands exactly at RCV.NXT and is not old
 *	SYN			reopens, else challenge ACK
 *	old timestamp		ACK
 *	the FIN again		ACK, and the 2 MSL begin anew; nothing else restarts them
 *	empty, at RCV.NXT	taken: two ends in TIME-WAIT would answer each other for ever
 *	anything else		ACK
 *
 * FIN-WAIT-2 of an orphan: nobody will read, so the only welcome segment is the FIN.
 *
 *	RST			at RCV.NXT: gone; elsewhere in the window: challenge ACK
 *	SYN			challenge ACK (RFC 5961 §4.2)
 *	old timestamp		ACK
 *	outside the window	ACK
 *	the FIN, in order	on to TIME-WAIT, ACK
 *	new data		RST, gone (RFC 9293 §3.6.1: the application closed before reading)
 *
 * With tern_insecure_rst and tern_insecure_syn a RST or SYN anywhere in the window ends either.
 *
 * Answers without data to acknowledge are limited for each record (tcp_invalid_ratelimit).
 */
#include "tcp/oow.h"
#include "tcp/paws.h"
#include "timewait/internal.h"

/* One segment and the record that it meets. */
struct visit {
	struct tern_timewait *tw;
	struct tern_tw *w;
	const struct tern_flow *flow;
	const struct tern_segment *seg;
	uint32_t idx;
};

/* An ACK that says where we are, if the record has not said so just now. */
static bool answer(const struct visit *v)
{
	struct tern_tcp *t = v->tw->tcp;

	if (!tern_oow_may_answer(&v->w->oow_ms, v->seg, t->now_ms,
				 t->knobs->tcp_invalid_ratelimit)) {
		tern_count(t->trace, v->w->finwait2 ? TERN_CNT_TcpExtTCPACKSkippedFinWait2
						    : TERN_CNT_TcpExtTCPACKSkippedTimeWait);
		return false;
	}
	tern_tw_send_ack(v->tw, v->w, v->flow);
	return true;
}

static void challenge(const struct visit *v)
{
	if (v->tw->tcp->knobs->tcp_challenge_ack_limit && answer(v))
		tern_count(v->tw->tcp->trace, TERN_CNT_TcpExtTCPChallengeACK);
}

static enum tern_drop challenge_syn(const struct visit *v)
{
	tern_count(v->tw->tcp->trace, TERN_CNT_TcpExtTCPSYNChallenge);
	challenge(v);
	return TERN_DROP_TCP_SYN_CHALLENGED;
}

/* RFC 9293 §3.4: is any of it in the window? What begins at RCV.NXT is: a FIN needs no room. */
static bool in_window(const struct visit *v)
{
	uint32_t len = tern_segment_len(v->seg), wnd = (uint32_t)v->w->rcv_wnd << v->w->wscale;
	tern_seq seq = v->seg->seq, nxt = v->w->rcv_nxt;

	return seq == nxt || tern_seq_in(seq, nxt, wnd) ||
	       (len && tern_seq_in(seq + len - 1, nxt, wnd));
}

/* A SYN that opens nothing: a challenge ACK, or RFC 793's reset of what it meets in the window. */
static enum tern_drop judge_syn(const struct visit *v)
{
	struct tern_tcp *t = v->tw->tcp;

	if (t->knobs->tern_insecure_syn && in_window(v)) {
		if (t->knobs->tern_syn_reset)
			tern_tw_send_reset(v->tw, v->w, v->flow);
		else
			tern_reply_reset(&t->replies, v->flow, v->seg);
		tern_timewait_remove(v->tw, v->idx);
		return TERN_DROP_TCP_INVALID_SYN;
	}
	return challenge_syn(v);
}

/* The sequence number behind the segment. */
static tern_seq end_of(const struct tern_segment *seg)
{
	return seg->seq + tern_segment_len(seg);
}

/* RFC 5961 §5.2: an ACK of what was never sent makes the whole segment unacceptable. */
static bool ack_is_possible(const struct visit *v)
{
	return tern_seq_le(v->seg->ack, v->w->snd_nxt);
}

/* Takes the segment's timestamp: it is in order and not older (RFC 7323 §4.3). */
static void note_timestamp(const struct visit *v)
{
	if (v->w->timestamps && (v->seg->opt.present & TERN_OPT_TS) &&
	    tern_seq_le(v->seg->seq, v->w->rcv_nxt))
		v->w->ts_recent = v->seg->opt.tsval;
}

/* What both states ask of a segment that is neither RST nor SYN. */
static enum tern_drop judge_form(const struct visit *v)
{
	const struct tern_segment *seg = v->seg;
	struct tern_trace *trace = v->tw->tcp->trace;

	if (seg->options_malformed)
		return TERN_DROP_TCP_OPTIONS;
	if (!v->w->timestamps)
		return TERN_DROP_NONE;
	if (!(seg->opt.present & TERN_OPT_TS))
		return v->tw->tcp->knobs->tern_tolerate_missing_ts ? TERN_DROP_NONE
								   : TERN_DROP_TCP_NO_TIMESTAMP;
	if (!tern_seq_lt(seg->opt.tsval, v->w->ts_recent))
		return TERN_DROP_NONE;
	if (v->w->finwait2) {
		tern_count(trace, TERN_CNT_TcpExtPAWSEstab);
		answer(v);
		return TERN_DROP_TCP_RFC7323_PAWS;
	}
	tern_count(trace, TERN_CNT_TcpExtPAWSTimewait);
	answer(v);
	return TERN_DROP_TCP_RFC7323_TW_PAWS;
}

static enum tern_drop refuse_outside(const struct visit *v)
{
	answer(v);
	return tern_seq_lt(v->seg->seq, v->w->rcv_nxt) ? TERN_DROP_TCP_OLD_SEQUENCE
						       : TERN_DROP_TCP_INVALID_SEQUENCE;
}

/* ---- FIN-WAIT-2 ---- */

static enum tern_drop finwait2_reset(const struct visit *v)
{
	uint32_t wnd = (uint32_t)v->w->rcv_wnd << v->w->wscale;

	if (v->seg->seq == v->w->rcv_nxt) {
		tern_timewait_remove(v->tw, v->idx);
		return TERN_DROP_TCP_RESET;
	}
	if (!tern_seq_in(v->seg->seq, v->w->rcv_nxt, wnd))
		return TERN_DROP_TCP_INVALID_RST;
	if (v->tw->tcp->knobs->tern_insecure_rst) {
		tern_timewait_remove(v->tw, v->idx);
		return TERN_DROP_TCP_RESET;
	}
	challenge(v);
	return TERN_DROP_TCP_RST_CHALLENGED;
}

/* The peer's FIN in order: the way RFC 9293 wants it to end. */
static enum tern_drop finwait2_fin(const struct visit *v)
{
	/* The window stays: a unit of it may be many bytes, and none must be lost. */
	v->w->rcv_nxt++;
	tern_tw_enter(v->tw, v->idx, v->w);
	tern_tw_send_ack(v->tw, v->w, v->flow);
	return TERN_DROP_NONE;
}

static enum tern_drop finwait2_input(const struct visit *v)
{
	const struct tern_segment *seg = v->seg;
	enum tern_drop reason;

	if (seg->flags & TERN_RST)
		return finwait2_reset(v);
	if (seg->flags & TERN_SYN)
		return judge_syn(v);
	reason = judge_form(v);
	if (reason != TERN_DROP_NONE)
		return reason;
	if (!in_window(v))
		return refuse_outside(v);
	if (!(seg->flags & TERN_ACK))
		return TERN_DROP_TCP_NO_ACK;
	if (!ack_is_possible(v)) {
		answer(v);
		return TERN_DROP_TCP_ACK_UNSENT_DATA;
	}
	note_timestamp(v);
	if (!tern_segment_len(seg))
		return TERN_DROP_NONE;
	if ((seg->flags & TERN_FIN) && end_of(seg) == v->w->rcv_nxt + 1)
		return finwait2_fin(v);
	tern_count(v->tw->tcp->trace, TERN_CNT_TcpExtTCPAbortOnData);
	/* RFC9293:SHLD-3 */
	tern_reply_reset(&v->tw->tcp->replies, v->flow, seg);
	tern_timewait_remove(v->tw, v->idx);
	return TERN_DROP_TCP_ABORT_ON_DATA;
}

/* ---- TIME-WAIT ---- */

/*
 * A RST: TIME-WAIT is there to outlast it (RFC 1337), yet what Linux believes, at RCV.NXT and not
 * older than what came before, ends it unless tcp_rfc1337 forbids.
 */
static enum tern_drop timewait_reset(const struct visit *v)
{
	const struct tern_knobs *knobs = v->tw->tcp->knobs;
	const struct tern_tcp_options *opt = &v->seg->opt;
	bool old = v->w->timestamps && (opt->present & TERN_OPT_TS) &&
		   tern_seq_lt(opt->tsval, v->w->ts_recent);
	bool at_edge = v->seg->seq == v->w->rcv_nxt;

	/* RFC1337:3 */
	if (knobs->tcp_rfc1337 || old || !(at_edge || (knobs->tern_insecure_rst && in_window(v))))
		return TERN_DROP_TCP_TIMEWAIT_RST;
	tern_timewait_remove(v->tw, v->idx);
	return TERN_DROP_TCP_RESET;
}

static enum tern_drop timewait_input(const struct visit *v)
{
	const struct tern_segment *seg = v->seg;
	enum tern_drop reason;

	if (seg->flags & TERN_RST)
		return timewait_reset(v);
	if (seg->flags & TERN_SYN)
		return judge_syn(v);
	reason = judge_form(v);
	if (reason != TERN_DROP_NONE)
		return reason;
	if (!(seg->flags & TERN_ACK))
		return in_window(v) ? TERN_DROP_TCP_NO_ACK : refuse_outside(v);
	if (ack_is_possible(v)) {
		bool fin_again = (seg->flags & TERN_FIN) && end_of(seg) == v->w->rcv_nxt;

		if (fin_again || seg->seq == v->w->rcv_nxt)
			note_timestamp(v);
		if (fin_again)
			tern_tw_restart(v->tw, v->idx, v->w);
		if (seg->seq == v->w->rcv_nxt && !tern_segment_len(seg))
			return TERN_DROP_NONE;
	}
	answer(v);
	return TERN_DROP_TCP_TIMEWAIT;
}

enum tern_tw_verdict tern_timewait_input(struct tern_timewait *tw, uint32_t idx,
					 const struct tern_flow *flow,
					 const struct tern_segment *seg, tern_seq *ret_iss,
					 uint32_t *ret_ts_offset, enum tern_drop *ret_reason)
{
	struct visit v = { tw, tern_tw_at(tw, idx), flow, seg, idx };

	if (tern_tw_may_reopen(tw, v.w, seg)) {
		tern_tw_reopen(tw, v.w, flow, ret_iss, ret_ts_offset);
		return TERN_TW_REOPEN;
	}
	*ret_reason = v.w->finwait2 ? finwait2_input(&v) : timewait_input(&v);
	return TERN_TW_DROP;
}

void tern_timewait_refuse(struct tern_timewait *tw, uint32_t idx, const struct tern_flow *flow,
			  const struct tern_segment *seg, enum tern_drop *ret_reason)
{
	struct visit v = { tw, tern_tw_at(tw, idx), flow, seg, idx };

	*ret_reason = challenge_syn(&v);
}
