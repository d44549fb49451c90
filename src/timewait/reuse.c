/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A tuple in TIME-WAIT may be used again before its time is over when nothing of the old connection
 * can be taken for the new one's, and the other way round.
 *
 * A SYN from the peer (RFC 6191 §2, RFC 9293 MAY-2), by the new connection's timestamps where it
 * will have them (SYN and tcp_timestamps), else by its sequence number:
 *
 *	old with, new with	TSval newer than the last; or the same and the number higher
 *	old without, new with	yes: what the old one sent carries no timestamp and is refused
 *	new without		the number is higher than RCV.NXT
 *
 * A connect() of ours (tcp_tw_reuse): only with timestamps, after tcp_tw_reuse_delay.
 *
 * The new connection starts where neither number can repeat: its ISN is beyond SND.NXT by more than
 * any unscaled window, or the keyed clock's if that is further on; its TSval is larger than any
 * that the record may have sent by now.
 */
#include "timewait/internal.h"

#define ISN_GAP (65535 + 2)

bool tern_tw_may_reopen(const struct tern_timewait *tw, const struct tern_tw *w,
			const struct tern_segment *seg)
{
	/* RFC9293:MAY-2 RFC6191:2d */
	bool higher = tern_seq_gt(seg->seq, w->rcv_nxt);

	if (w->finwait2 || seg->options_malformed ||
	    (seg->flags & (TERN_SYN | TERN_ACK | TERN_RST | TERN_FIN)) != TERN_SYN)
		return false;
	if (!(seg->opt.present & TERN_OPT_TS) || !tw->tcp->knobs->tcp_timestamps)
		return higher;
	/* RFC9293:SHLD-4 RFC6191:2a RFC6191:2c */
	if (!w->timestamps || tern_seq_gt(seg->opt.tsval, w->ts_recent))
		return true;
	/* RFC6191:2b */
	return higher && seg->opt.tsval == w->ts_recent;
}

void tern_tw_reopen(const struct tern_timewait *tw, const struct tern_tw *w,
		    const struct tern_flow *flow, tern_seq *ret_iss, uint32_t *ret_ts_offset)
{
	const struct tern_tcp *t = tw->tcp;

	*ret_iss = tern_seq_max(w->snd_nxt + ISN_GAP, tern_isn(&t->isn, flow, t->now));
	*ret_ts_offset = w->timestamps ? w->ts_offset + 1
				       : tern_ts_offset(&t->isn, flow, t->knobs->tcp_timestamps);
}

bool tern_timewait_may_connect(const struct tern_timewait *tw, uint32_t idx, bool loopback,
			       tern_seq *ret_iss, uint32_t *ret_ts_offset)
{
	const struct tern_tw *w = tern_tw_at(tw, idx);
	const struct tern_knobs *knobs = tw->tcp->knobs;
	uint32_t age_ms = (tw->tcp->now_ms - w->entered_ms) & 0xffffff;
	struct tern_flow flow;

	if (w->finwait2 || !w->timestamps || !knobs->tcp_timestamps || !knobs->tcp_tw_reuse)
		return false;
	if (knobs->tcp_tw_reuse == 2 && !loopback)
		return false;
	if (age_ms <= knobs->tcp_tw_reuse_delay)
		return false;
	tern_tw_flow(w, &flow);
	tern_tw_reopen(tw, w, &flow, ret_iss, ret_ts_offset);
	return true;
}
