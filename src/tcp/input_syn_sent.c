/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * SYN-SENT (RFC 9293 §3.10.7.3): first the ACK field, then RST, then SYN. A SYN-ACK that fits leads
 * to ESTABLISHED, a bare SYN to SYN-RECEIVED (simultaneous open, MUST-10). Text and FIN that came
 * along are left to the sender's retransmission in the simultaneous case, and taken at once in the
 * other, where the connection stands.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/marks.h"
#include "tcp/recovery.h"
#include "tcp/state.h"
#include "tcp/timers.h"

#define HANDSHAKE_ACK_NS UINT64_C(200000000) /* Linux' TCP_DELACK_MAX */

/* Tells the peer that what it acknowledges was never sent by this connection. */
static enum tern_step refuse_ack(struct tern_input *in, enum tern_drop reason)
{
	struct tern_flow flow;

	if (!(in->flags & TERN_RST)) {
		tern_conn_flow(in->c, &flow);
		tern_reply_reset(&in->t->replies, &flow, in->seg);
	}
	return tern_input_drop(in, reason);
}

/* First: does it acknowledge our SYN (and nothing else)? */
static enum tern_step check_ack(struct tern_input *in)
{
	const struct tern_conn *c = in->c;
	const struct tern_tcp_options *opt = &in->seg->opt;
	uint32_t clock = in->t->now_ms + c->ts.offset;

	if (!(in->flags & TERN_ACK))
		return TERN_NEXT;
	if (tern_seq_le(in->seg->ack, c->snd.iss) || tern_seq_gt(in->seg->ack, c->snd.nxt))
		return refuse_ack(in, TERN_DROP_TCP_INVALID_ACK_SEQUENCE);
	if ((c->options & TERN_OPT_TS) && (opt->present & TERN_OPT_TS) && !(in->flags & TERN_RST) &&
	    tern_seq_gt(opt->tsecr, clock)) {
		tern_count(in->t->trace, TERN_CNT_TcpExtPAWSActive);
		return refuse_ack(in, TERN_DROP_TCP_RFC7323_TSECR);
	}
	return TERN_NEXT;
}

/* What the peer's SYN says about the peer. */
static void learn(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	const struct tern_segment *seg = in->seg;
	struct tern_terms terms;

	tern_negotiate(in->t->knobs, c->family, c->options, c->rcv_wscale, &seg->opt, &terms);
	c->peer_mss = terms.peer_mss;
	c->options = terms.options;
	if (TERN_UNLIKELY(c->marks & TERN_MARK_ECN))
		tern_ecn_answered(c, seg);
	c->snd_wscale = terms.snd_wscale;
	c->rcv_wscale = terms.rcv_wscale;
	c->rcv.irs = seg->seq;
	c->rcv.nxt = seg->seq + 1;
	c->rcv.adv += c->rcv.nxt; /* the window of our SYN, relative so far */
	c->rcv.acked = c->rcv.nxt;
	c->snd.wnd = seg->wnd;
	c->snd.max_wnd = seg->wnd;
	c->snd.wl1 = seg->seq;
	c->snd.wl2 = seg->ack;
	if (terms.options & TERN_OPT_TS) {
		c->ts.recent = seg->opt.tsval;
		c->ts.recent_ms = in->t->now_ms;
	}
	tern_conn_traffic(in->t, c)->recv.read = c->rcv.nxt;
}

/* A bare SYN: simultaneous open. Our SYN goes again, as SYN-ACK. */
static enum tern_step cross(struct tern_input *in)
{
	struct tern_traffic *x = tern_conn_traffic(in->t, in->c);

	in->c->passive = (struct tern_passive){ 0 };
	learn(in);
	tern_conn_set_state(in->t, in->c, TERN_SYN_RECEIVED);
	tern_flight_repeat_first(in->t, &x->flight);
	tern_conn_want_output(in->t, in->idx, in->c);
	return TERN_DONE;
}

/*
 * Fast Open: what the SYN-ACK acknowledges of the SYN's data leaves the send queue. Returns whether
 * some of it has to be sent again.
 */
TERN_COLD static bool take_synack(struct tern_input *in, struct tern_traffic *x)
{
	struct tern_conn *c = in->c;
	uint32_t acked = in->seg->ack - c->snd.una;

	if (acked) {
		c->snd.una = in->seg->ack;
		x->send.bytes -= acked;
		x->send.at_nxt = 0;
		x->wmem -= tern_chain_trim(&in->t->bufs, &x->send.chain, in->seg->ack);
		c->totals.bytes_acked = acked;
	}
	return tern_fastopen_synack(in->t, c, x, in->seg);
}

/* The peer did not take the data of the SYN: once more, and at once. */
TERN_COLD static void repeat_data(struct tern_tcp *t, struct tern_traffic *x)
{
	for (uint32_t idx = x->flight.head; idx; idx = tern_burst_at(t, x, idx)->next)
		tern_flight_mark_lost(t, &x->flight, tern_burst_at(t, x, idx));
}

/* TCP_DEFER_ACCEPT of a client (as Linux): its request may carry the ACK of the handshake. */
TERN_COLD static void wait_for_data(struct tern_input *in, struct tern_traffic *x)
{
	in->c->passive = (struct tern_passive){ 0 };
	x->delack_ns = in->t->now + HANDSHAKE_ACK_NS;
	tern_timers_arm(in->t, in->idx, in->c, x->delack_ns);
}

/* SYN-ACK: the connection stands. */
static enum tern_step connected(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x = tern_conn_traffic(in->t, c);
	bool lost = c->patience.retries > 0, again = false;

	learn(in);
	c->snd.una = c->snd.iss + 1;
	if (TERN_UNLIKELY(x->early.syn))
		again = take_synack(in, x);
	tern_input_syn_acked(in, x);
	c->patience.retries = 0;
	tern_conn_establish(in->t, in->idx, c, lost);
	tern_timers_acked(in->t, in->idx, c, x);
	if (TERN_UNLIKELY(again))
		repeat_data(in->t, x); /* which acknowledges, too */
	else if (TERN_UNLIKELY(c->passive.defer_accept))
		wait_for_data(in, x);
	else
		c->flags |= TERN_CF_ACK_NOW;
	tern_conn_want_output(in->t, in->idx, c);
	in->seq++;
	in->flags &= (uint16_t)~TERN_SYN;
	if (in->len > c->rcv.adv - c->rcv.nxt) { /* beyond the window of our SYN */
		in->len = c->rcv.adv - c->rcv.nxt;
		in->flags &= (uint16_t)~TERN_FIN;
	}
	return TERN_NEXT;
}

enum tern_step tern_input_syn_sent(struct tern_input *in)
{
	enum tern_step step;

	if (TERN_UNLIKELY(in->c->fastopen & TERN_FO_DEFERRED)) /* we have not said a word yet */
		return tern_input_drop(in, TERN_DROP_NO_SOCKET);
	step = check_ack(in);
	if (step != TERN_NEXT)
		return step;
	if (in->flags & TERN_RST) {
		if (!(in->flags & TERN_ACK))
			return tern_input_drop(in, TERN_DROP_TCP_INVALID_RST);
		in->out.reason = TERN_DROP_TCP_RESET;
		tern_conn_finish(in->t, in->idx, ECONNREFUSED);
		return TERN_GONE;
	}
	if (!(in->flags & TERN_SYN))
		return tern_input_drop(in, TERN_DROP_TCP_FLAGS);
	/* RFC9293:MUST-10 */
	if (!(in->flags & TERN_ACK))
		return cross(in);
	step = connected(in);
	if (in->flags & TERN_URG)
		tern_urgent_input(in);
	return step == TERN_NEXT ? tern_input_payload(in) : step;
}
