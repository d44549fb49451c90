/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Replies that no connection stands behind wait here, in the order in which they were asked for.
 * The ring is as large as a few bursts of input; when it is full the reply is dropped and counted,
 * and the peer's retransmission asks again: no flood of questions can make us owe more than that.
 * What we say unasked, that a connection is no more, finds another way then (reset.c).
 */
#include "tcp/reply.h"

#include <stddef.h>
#include <string.h>

int tern_replies_init(struct tern_replies *r, struct tern_mem *mem, struct tern_trace *trace,
		      const struct tern_knobs *knobs, const uint64_t *now)
{
	r->trace = trace;
	r->knobs = knobs;
	r->now = now;
	return tern_ring_init(&r->ring, mem, sizeof(struct tern_reply), TERN_REPLIES_MAX);
}

void tern_replies_free(struct tern_replies *r)
{
	tern_ring_free(&r->ring);
}

struct tern_reply *tern_reply_push(struct tern_replies *r, const struct tern_flow *flow)
{
	struct tern_reply *reply = tern_ring_push(&r->ring);

	if (!reply) {
		tern_count(r->trace, TERN_CNT_TernReplyDrops);
		return NULL;
	}
	memset(reply, 0, offsetof(struct tern_reply, addrs));
	reply->family = flow->local.family;
	reply->lport = flow->lport;
	reply->rport = flow->rport;
	tern_flow_pack(flow, reply->addrs);
	return reply;
}

/* Is there a reset left in this second's allowance? */
static bool may_reset(struct tern_replies *r)
{
	uint32_t rate = r->knobs->tern_rst_per_sec;

	if (!rate || tern_bucket_take(&r->resets, *r->now, rate, rate))
		return true;
	tern_count(r->trace, TERN_CNT_TernRstLimited);
	return false;
}

void tern_reply_reset(struct tern_replies *r, const struct tern_flow *flow,
		      const struct tern_segment *seg)
{
	struct tern_reply *reply = may_reset(r) ? tern_reply_push(r, flow) : NULL;

	if (!reply)
		return;
	reply->state = TERN_CLOSED;
	if (seg->flags & TERN_ACK) {
		reply->seq = seg->ack;
		reply->flags = TERN_RST;
	} else {
		reply->ack = seg->seq + tern_segment_len(seg);
		reply->flags = TERN_RST | TERN_ACK;
	}
}
