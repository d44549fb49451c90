/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A record sends segments without payload only, queued as replies. They carry the window and the
 * timestamps that the connection's own would have carried; TTL and TOS are the standard ones.
 */
#include "timewait/internal.h"

static struct tern_reply *reply_new(struct tern_timewait *tw, const struct tern_tw *w,
				    const struct tern_flow *flow, uint16_t flags)
{
	struct tern_reply *reply = tern_reply_push(&tw->tcp->replies, flow);

	if (!reply)
		return NULL;
	reply->flags = flags;
	reply->seq = w->snd_nxt;
	reply->ack = w->rcv_nxt;
	reply->state = w->finwait2 ? TERN_FIN_WAIT_2 : TERN_TIME_WAIT;
	return reply;
}

void tern_tw_send_ack(struct tern_timewait *tw, const struct tern_tw *w,
		      const struct tern_flow *flow)
{
	struct tern_reply *reply = reply_new(tw, w, flow, TERN_ACK);

	if (!reply)
		return;
	reply->wnd = w->rcv_wnd;
	if (w->timestamps) {
		reply->options = TERN_OPT_TS;
		reply->tsval = tw->tcp->now_ms + w->ts_offset;
		reply->tsecr = w->ts_recent;
	}
}

void tern_tw_send_reset(struct tern_timewait *tw, const struct tern_tw *w,
			const struct tern_flow *flow)
{
	reply_new(tw, w, flow, TERN_RST | TERN_ACK);
}
