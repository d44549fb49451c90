/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A reset is queued as a reply, so that the record may be freed at once. Where many are due in one
 * turn and the ring of replies is full, the record stays on the output list, dead, until its reset
 * has left: nobody is left believing in a connection that is no more. Its number lies in the
 * window: a peer whose buffer was full when the last segments came has thrown them away, and beyond
 * its window it takes no reset either (RFC 5961 §3.2). It carries a timestamp as every segment of
 * the connection does (RFC 7323 §3.2, as Linux). Challenge ACKs are ordinary ACKs of the
 * connection: asking twice before the next output sends one.
 */
#include "tcp/reset.h"

#include "tcp/oow.h"

/* SND.NXT, or the end of the window where that has gone back behind it. */
static tern_seq acceptable_seq(const struct tern_conn *c)
{
	tern_seq end = c->snd.una + c->snd.wnd;

	return c->state != TERN_SYN_RECEIVED && tern_seq_lt(end, c->snd.nxt) ? end : c->snd.nxt;
}

static void owe_reset(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	c->flags |= TERN_CF_RST_OWED;
	tern_conn_want_output(t, idx, c);
}

void tern_conn_reset_peer(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_reply *reply;
	struct tern_flow flow;

	if (tern_replies_full(&t->replies)) {
		c->snd.nxt = acceptable_seq(c);
		owe_reset(t, idx, c);
		return;
	}
	tern_conn_flow(c, &flow);
	reply = tern_reply_push(&t->replies, &flow);
	reply->seq = acceptable_seq(c);
	reply->ack = c->rcv.nxt;
	reply->wnd = (uint16_t)TERN_MIN((c->rcv.adv - c->rcv.nxt) >> c->rcv_wscale, 65535u);
	reply->flags = TERN_RST | TERN_ACK;
	reply->ttl = c->ttl;
	reply->tos = c->tos;
	reply->state = c->state;
	if (c->options & TERN_OPT_TS) {
		reply->options = TERN_OPT_TS;
		reply->tsval = t->now_ms + c->ts.offset;
		reply->tsecr = c->ts.recent;
	}
}

void tern_tcp_owe_reset(struct tern_tcp *t, const struct tern_flow *flow,
			const struct tern_reset *reset)
{
	uint32_t idx = tern_conn_new(t, TERN_CLOSED);
	struct tern_conn *c;

	if (!idx)
		return;
	c = tern_conn_at(t, idx);
	c->family = flow->local.family;
	c->lport = flow->lport;
	c->rport = flow->rport;
	tern_flow_pack(flow, c->addrs);
	c->snd.nxt = reset->seq;
	c->rcv.nxt = reset->ack;
	c->ttl = reset->ttl;
	c->tos = reset->tos;
	owe_reset(t, idx, c);
}

bool tern_conn_answer_invalid(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			      enum tern_counter skipped)
{
	if (!tern_oow_again(&c->oow_ms, t->now_ms, t->knobs->tcp_invalid_ratelimit)) {
		tern_count(t->trace, skipped);
		return false;
	}
	c->flags |= TERN_CF_ACK_NOW;
	tern_conn_want_output(t, idx, c);
	return true;
}

void tern_conn_challenge(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	struct tern_traffic *x = tern_conn_traffic(t, c);

	if (!t->knobs->tcp_challenge_ack_limit) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPACKSkippedChallenge);
		return;
	}
	if (!tern_conn_answer_invalid(t, idx, c, TERN_CNT_TcpExtTCPACKSkippedChallenge))
		return;
	if (t->knobs->tern_fin_again && x)
		x->challenge = true;
	tern_count(t->trace, TERN_CNT_TcpExtTCPChallengeACK);
}
