/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * What a half-open connection sends is made from its record alone and queued as a reply, SYN-ACKs
 * repeated from the queue included: each shows the clock of its own time, so that the peer's echo
 * says which of them arrived. TTL, TOS and the window come from the listening socket.
 */
#include <assert.h>

#include "syn/internal.h"

static_assert((int)TERN_OPT_ECN == (int)TERN_ECE, "what was agreed on is the flag that says so");

/* A reply with everything that SYN-ACK, ACK and RST have in common; NULL when the ring is full. */
static struct tern_reply *reply_new(struct tern_syn *s, const struct tern_half *h,
				    const struct tern_conn *parent, const struct tern_flow *flow,
				    uint16_t flags)
{
	struct tern_reply *reply = tern_reply_push(&s->tcp->replies, flow);

	if (!reply)
		return NULL;
	reply->flags = flags;
	reply->seq = flags & TERN_SYN ? h->iss : h->iss + 1;
	reply->ack = h->irs + 1;
	reply->ttl = parent->ttl;
	reply->tos = parent->tos;
	reply->state = TERN_SYN_RECEIVED;
	if ((h->options & TERN_OPT_TS) && !(flags & TERN_RST)) {
		reply->options = TERN_OPT_TS;
		reply->tsval = s->tcp->now_ms + h->ts_offset;
		reply->tsecr = h->ts_recent;
	}
	return reply;
}

struct tern_reply *tern_half_send_synack(struct tern_syn *s, const struct tern_half *h,
					 const struct tern_conn *parent,
					 const struct tern_flow *flow)
{
	uint16_t flags = TERN_SYN | TERN_ACK | (h->options & TERN_ECE);
	struct tern_reply *reply = reply_new(s, h, parent, flow, flags);

	if (!reply)
		return NULL;
	reply->wnd = tern_half_window(s, h, parent);
	/* RFC9293:SHLD-6 */
	reply->mss = tern_advertised_mss(flow->local.family, s->tcp->mtu);
	if (parent->max_seg && parent->max_seg < reply->mss)
		reply->mss = parent->max_seg;
	reply->wscale = h->wscales & 15;
	/* RFC9293:MUST-14 RFC9293:SHLD-5 RFC9293:MAY-3 */
	reply->options |= TERN_OPT_MSS | (h->options & (TERN_OPT_WSCALE | TERN_OPT_SACKOK));
	return reply;
}

void tern_half_resend_synack(struct tern_syn *s, struct tern_half *h,
			     const struct tern_conn *parent, const struct tern_flow *flow)
{
	struct tern_reply *reply;

	h->flags |= TERN_HALF_RESENT;
	reply = tern_half_send_synack(s, h, parent, flow);
	if (!reply)
		return;
	/* One more was lost, or their answers: something on the way may not like ECE (as Linux). */
	if (h->retries)
		reply->flags &= (uint16_t)~TERN_ECE;
	tern_count(s->tcp->trace, TERN_CNT_TcpRetransSegs);
	tern_count(s->tcp->trace, TERN_CNT_TcpExtTCPSynRetrans);
}

void tern_half_send_ack(struct tern_syn *s, const struct tern_half *h,
			const struct tern_conn *parent, const struct tern_flow *flow)
{
	struct tern_reply *reply = reply_new(s, h, parent, flow, TERN_ACK);

	if (reply)
		reply->wnd = (uint16_t)(tern_half_window(s, h, parent) >> (h->wscales & 15));
}

void tern_half_send_reset(struct tern_syn *s, const struct tern_half *h,
			  const struct tern_conn *parent, const struct tern_flow *flow)
{
	reply_new(s, h, parent, flow, TERN_RST | TERN_ACK);
}
