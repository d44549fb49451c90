/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A segment for a half-open connection: RFC 9293 §3.10.7.4 in SYN-RECEIVED after a passive open,
 * with RFC 5961 and RFC 7323. In this order:
 *
 *	flags no one sends		drop
 *	RST at RCV.NXT			the record is gone: back to LISTEN
 *	RST elsewhere in the window	challenge ACK (RFC 5961 §3.2), or as tern_insecure_rst says
 *	the same SYN again		the same SYN-ACK again (any SYN, by tern_syn_again)
 *	wrong ACK			RST with its number; the record stays (§3.5.2, group 2)
 *	old or missing timestamp	ACK, or drop (RFC 7323 §3.2, §5.3)
 *	outside the window		ACK
 *	another SYN			challenge ACK (RFC 5961 §4.2), or as tern_insecure_syn says
 *	no ACK				drop
 *	else				the handshake is complete
 *
 * Whatever passes here passes the same tests in tern_tcp_input too, where the new connection meets
 * the segment next: with FIN, data, or beyond a gap, it makes the connection ESTABLISHED at least.
 *
 * Answers are limited for each record (tcp_invalid_ratelimit), never for all of them together.
 */
#include "syn/internal.h"
#include "tcp/oow.h"

/* One segment and what it meets. */
struct visit {
	struct tern_syn *s;
	struct tern_half *h;
	struct tern_listener *l;
	const struct tern_conn *parent;
	const struct tern_flow *flow;
	const struct tern_segment *seg;
};

static bool may_answer(const struct visit *v, enum tern_counter skipped)
{
	const struct tern_tcp *t = v->s->tcp;

	if (tern_oow_may_answer(&v->h->oow_ms, v->seg, t->now_ms, t->knobs->tcp_invalid_ratelimit))
		return true;
	tern_count(t->trace, skipped);
	return false;
}

/* An ACK that says where we are. */
static void answer(const struct visit *v)
{
	if (may_answer(v, TERN_CNT_TcpExtTCPACKSkippedSynRecv))
		tern_half_send_ack(v->s, v->h, v->parent, v->flow);
}

static void challenge(const struct visit *v)
{
	if (!v->s->tcp->knobs->tcp_challenge_ack_limit) {
		tern_count(v->s->tcp->trace, TERN_CNT_TcpExtTCPACKSkippedChallenge);
		return;
	}
	if (!may_answer(v, TERN_CNT_TcpExtTCPACKSkippedChallenge))
		return;
	tern_count(v->s->tcp->trace, TERN_CNT_TcpExtTCPChallengeACK);
	tern_half_send_ack(v->s, v->h, v->parent, v->flow);
}

/* RST: TCP_RESET if it is believed. */
static enum tern_drop judge_reset(const struct visit *v)
{
	tern_seq rcv_nxt = v->h->irs + 1;

	/* RFC9293:U-5 RFC5961:3.2b */
	if (v->seg->seq == rcv_nxt)
		return TERN_DROP_TCP_RESET;
	/* RFC5961:3.2a */
	if (!tern_seq_in(v->seg->seq, rcv_nxt, tern_half_window(v->s, v->h, v->parent)))
		return TERN_DROP_TCP_INVALID_RST;
	if (v->s->tcp->knobs->tern_insecure_rst)
		return TERN_DROP_TCP_RESET;
	challenge(v);
	/* RFC9293:U-6 RFC9293:U-7 RFC5961:3.2c */
	return TERN_DROP_TCP_RST_CHALLENGED;
}

/* Another SYN, in the window. */
static enum tern_drop judge_syn(const struct visit *v)
{
	struct tern_tcp *t = v->s->tcp;

	if (t->knobs->tern_insecure_syn) { /* RFC 793: back to LISTEN */
		if (t->knobs->tern_syn_reset)
			tern_half_send_reset(v->s, v->h, v->parent, v->flow);
		else
			tern_reply_reset(&t->replies, v->flow, v->seg);
		return TERN_DROP_TCP_INVALID_SYN;
	}
	tern_count(t->trace, TERN_CNT_TcpExtTCPSYNChallenge);
	challenge(v);
	return TERN_DROP_TCP_SYN_CHALLENGED;
}

/* The peer's SYN once more: our SYN-ACK was lost, or is late. */
static enum tern_drop repeat_synack(const struct visit *v)
{
	struct tern_half *h = v->h;

	if ((h->options & v->seg->opt.present & TERN_OPT_TS) &&
	    tern_seq_ge(v->seg->opt.tsval, h->ts_recent))
		h->ts_recent = v->seg->opt.tsval;
	if (may_answer(v, TERN_CNT_TcpExtTCPACKSkippedSynRecv))
		tern_half_resend_synack(v->s, h, v->parent, v->flow);
	return TERN_DROP_TCP_OLD_SEQUENCE;
}

/* Did one of our SYN-ACKs, or an answer since, carry this TSval? */
static bool tsecr_was_sent(const struct visit *v)
{
	uint64_t now = v->s->tcp->now;
	uint32_t age = (uint32_t)(now >> TERN_HALF_CLOCK_SHIFT) - v->h->born;
	uint32_t last = v->s->tcp->now_ms + v->h->ts_offset;
	uint32_t span = tern_ms((uint64_t)age << TERN_HALF_CLOCK_SHIFT) + 1;

	return last - v->seg->opt.tsecr <= span;
}

/* RFC 7323: PAWS, and echoes. SYN and RST are not asked for timestamps. */
static enum tern_drop judge_timestamp(const struct visit *v)
{
	const struct tern_tcp_options *opt = &v->seg->opt;

	if (!(v->h->options & TERN_OPT_TS) || (v->seg->flags & TERN_SYN))
		return TERN_DROP_NONE;
	if (!(opt->present & TERN_OPT_TS))
		return v->s->tcp->knobs->tern_tolerate_missing_ts ? TERN_DROP_NONE
								  : TERN_DROP_TCP_NO_TIMESTAMP;
	if (tern_seq_lt(opt->tsval, v->h->ts_recent)) {
		tern_count(v->s->tcp->trace, TERN_CNT_TcpExtPAWSEstab);
		answer(v);
		return TERN_DROP_TCP_RFC7323_PAWS;
	}
	if (opt->tsecr && !tsecr_was_sent(v)) {
		answer(v);
		return TERN_DROP_TCP_RFC7323_TSECR;
	}
	return TERN_DROP_NONE;
}

/* RFC 9293 §3.4: is any of it in the window? */
static enum tern_drop judge_sequence(const struct visit *v)
{
	tern_seq seq = v->seg->seq, rcv_nxt = v->h->irs + 1;
	uint32_t len = tern_segment_len(v->seg), wnd = tern_half_window(v->s, v->h, v->parent);

	if (tern_seq_in(seq, rcv_nxt, wnd) || (len && tern_seq_in(seq + len - 1, rcv_nxt, wnd)))
		return TERN_DROP_NONE;
	answer(v);
	return tern_seq_lt(seq, rcv_nxt) ? TERN_DROP_TCP_OLD_SEQUENCE
					 : TERN_DROP_TCP_INVALID_SEQUENCE;
}

/* Flags that no honest peer combines, options that cannot be read. */
static enum tern_drop judge_form(const struct tern_segment *seg, const struct tern_knobs *knobs)
{
	if (TERN_LIKELY((seg->flags & (TERN_SYN | TERN_RST | TERN_ACK)) == TERN_ACK))
		return seg->options_malformed ? TERN_DROP_TCP_OPTIONS : TERN_DROP_NONE;
	if ((seg->flags & (TERN_SYN | TERN_RST)) == (TERN_SYN | TERN_RST))
		return TERN_DROP_TCP_FLAGS;
	if ((seg->flags & (TERN_SYN | TERN_FIN)) == (TERN_SYN | TERN_FIN) &&
	    knobs->tern_drop_synfin)
		return TERN_DROP_TCP_SYN_FIN;
	return seg->options_malformed ? TERN_DROP_TCP_OPTIONS : TERN_DROP_NONE;
}

/* All tests in order: NONE if the segment completes the handshake, TCP_RESET if it ends it. */
static enum tern_drop judge(const struct visit *v)
{
	const struct tern_segment *seg = v->seg;
	enum tern_drop reason = judge_form(seg, v->s->tcp->knobs);

	if (reason != TERN_DROP_NONE)
		return reason;
	if (seg->flags & TERN_RST)
		return judge_reset(v);
	if ((seg->flags & (TERN_SYN | TERN_ACK)) == TERN_SYN &&
	    (seg->seq == v->h->irs || v->s->tcp->knobs->tern_syn_again))
		return repeat_synack(v);
	if ((seg->flags & TERN_ACK) && seg->ack != v->h->iss + 1) {
		tern_reply_reset(&v->s->tcp->replies, v->flow, seg);
		return TERN_DROP_TCP_INVALID_ACK_SEQUENCE;
	}
	reason = judge_timestamp(v);
	if (reason == TERN_DROP_NONE)
		reason = judge_sequence(v);
	if (reason == TERN_DROP_NONE && (seg->flags & (TERN_SYN | TERN_ACK)) != TERN_ACK)
		reason = seg->flags & TERN_SYN ? judge_syn(v) : TERN_DROP_TCP_NO_ACK;
	return reason;
}

/*
 * TCP_DEFER_ACCEPT: does a bare ACK wait for data? Once the time is over it is good enough, if it
 * comes again.
 */
static bool is_deferred(const struct visit *v)
{
	return v->h->retries < v->parent->passive.defer_accept && !v->seg->len &&
	       !(v->seg->flags & TERN_FIN) && v->seg->seq == v->h->irs + 1;
}

/* The ACK that completes the handshake: a connection, or the half-open one stays. */
static uint32_t complete(const struct visit *v, uint32_t half, uint32_t hash,
			 enum tern_drop *ret_reason)
{
	uint32_t conn;

	if (TERN_UNLIKELY(v->parent->passive.defer_accept) && is_deferred(v)) {
		v->h->flags |= TERN_HALF_ACKED;
		tern_count(v->s->tcp->trace, TERN_CNT_TcpExtTCPDeferAcceptDrop);
		*ret_reason = TERN_DROP_TCP_DEFER_ACCEPT;
		return 0;
	}
	conn = tern_half_promote(v->s, v->h, v->l, v->flow, v->seg, ret_reason);
	if (conn) {
		tern_half_remove(v->s, half, v->h, v->l, hash);
		return conn;
	}
	if (v->s->tcp->knobs->tcp_abort_on_overflow) {
		tern_reply_reset(&v->s->tcp->replies, v->flow, v->seg);
		tern_count(v->s->tcp->trace, TERN_CNT_TcpAttemptFails);
		tern_half_remove(v->s, half, v->h, v->l, hash);
	} else {
		v->h->flags |= TERN_HALF_ACKED;
	}
	return 0;
}

uint32_t tern_half_input(struct tern_syn *s, uint32_t half, const struct tern_flow *flow,
			 uint32_t hash, const struct tern_segment *seg, enum tern_drop *ret_reason)
{
	struct tern_half *h = tern_half_at(s, half);
	struct tern_listener *l = tern_listener_at(s, h->listener);
	struct visit v = { s, h, l, tern_conn_at(s->tcp, l->conn), flow, seg };
	enum tern_drop reason = judge(&v);

	if (reason == TERN_DROP_NONE)
		return complete(&v, half, hash, ret_reason);
	/* RFC9293:MUST-11 */
	if (reason == TERN_DROP_TCP_RESET || reason == TERN_DROP_TCP_INVALID_SYN) {
		tern_count(s->tcp->trace, TERN_CNT_TcpExtEmbryonicRsts);
		tern_count(s->tcp->trace, TERN_CNT_TcpAttemptFails);
		tern_half_remove(s, half, h, l, hash);
	}
	*ret_reason = reason;
	return 0;
}
