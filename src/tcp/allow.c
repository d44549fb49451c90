/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * New data leaves as far as the peer's window and the congestion window have room. Whole segments
 * wait for nothing else. A smaller one waits, if it is all there is to send, for what Nagle,
 * TCP_CORK or MSG_MORE say; if the window cut it, for room or for half the largest window (SWS).
 *
 * MSG_MORE holds back only in the turn that the send itself asks for: what comes later, an ACK or a
 * timer, sends what Nagle and TCP_CORK allow. TCP_NODELAY, when it is set, sends what is queued by
 * then, past a cork, too. All as Linux has it.
 *
 * A record (MSG_EOR) ends its segment. With something behind it, it is not all there is to send.
 */
#include "tcp/allow.h"

#include "base/compiler.h"
#include "tcp/marks.h"

uint32_t tern_allowed_payload(const struct tern_tcp *t, const struct tern_conn *c)
{
	uint32_t mss = c->cc.mss;

	/* Of a super-segment all would have the same urgent pointer, and each CWR. */
	if (t->gso_max < 120 + 2 * mss || (c->marks & (TERN_MARK_URGENT | TERN_MARK_CWR)))
		return mss;
	return (t->gso_max - 120) / mss * mss;
}

uint32_t tern_allowed_segments(const struct tern_tcp *t, const struct tern_conn *c,
			       const struct tern_traffic *x)
{
	uint32_t cwnd = tern_cc_segments(&c->cc), pipe = tern_flight_pipe(&x->flight);
	uint32_t room = cwnd > pipe ? cwnd - pipe : 0;

	/* Of super-segments two at least are to be under way (as Linux). */
	return t->gso_max ? TERN_MIN(room, TERN_MAX(cwnd / 2, 1u)) : room;
}

struct tern_allowed tern_allowed_record(const struct tern_tcp *t, const struct tern_traffic *x,
					tern_seq seq, uint32_t len)
{
	struct tern_allowed allowed = { len, false };

	if (TERN_UNLIKELY(x->send.records) && len) {
		allowed.len = tern_chain_record(&t->bufs, &x->send.chain, x->send.at_nxt, seq, len);
		allowed.push = allowed.len < len;
	}
	return allowed;
}

/* May a last piece below full size leave now? It is all there is to send. */
static bool may_send_small(const struct tern_conn *c, const struct tern_send_queue *q, uint32_t len)
{
	if ((c->flags & TERN_CF_FIN_QUEUED) || (c->marks & TERN_MARK_URGENT))
		return true;
	/* RFC9293:MAY-16 */
	if ((c->flags & TERN_CF_MORE) || ((c->flags & TERN_CF_CORK) && !q->hurry))
		return false;
	/* RFC9293:MUST-17 */
	if ((c->flags & TERN_CF_NODELAY) || len >= TERN_MAX(c->snd.max_wnd / 2, 1u))
		return true;
	/* RFC9293:SHLD-7 */
	return !q->small_out || tern_seq_le(q->small, c->snd.una);
}

/*
 * Before new data after a silence: the old congestion window is not known to be good (RFC 5681
 * 4.1).
 */
static void check_idle(const struct tern_tcp *t, struct tern_conn *c)
{
	if (c->snd.una == c->snd.nxt && c->snd.wnd && t->knobs->tcp_slow_start_after_idle &&
	    t->now_ms - c->snd_ms > c->rtt.rto_us / 1000)
		tern_cc_idle(&c->cc, (t->now_ms - c->snd_ms) * UINT64_C(1000), c->rtt.rto_us);
}

struct tern_allowed tern_allowed_new(const struct tern_tcp *t, struct tern_conn *c,
				     struct tern_traffic *x, uint32_t available, bool force)
{
	uint32_t mss = c->cc.mss;
	uint32_t flight = c->snd.nxt - c->snd.una;
	/* RFC9293:MUST-34 RFC9293:SHLD-15 */
	uint32_t usable = c->snd.wnd > flight ? c->snd.wnd - flight : 0;
	struct tern_allowed whole = tern_allowed_record(t, x, c->snd.nxt, available);
	uint32_t room, len, small;

	check_idle(t, c);
	room = tern_allowed_segments(t, c, x);
	/* RFC9293:SHLD-27 RFC9293:SHLD-28 */
	len = TERN_MIN(TERN_MIN(whole.len, usable), tern_allowed_payload(t, c));
	if (room && usable < TERN_MIN(whole.len, mss))
		tern_busy_begin(t, c, &x->send, TERN_BUSY_WINDOW);
	else
		tern_busy_end(t, c, &x->send, TERN_BUSY_WINDOW);
	if (len > room * mss)
		len = room * mss;
	if (!room)
		tern_allowed_used(c, x, true);
	small = len % mss;
	/* RFC9293:MUST-38 */
	if (small && !force &&
	    !(len == whole.len ? whole.push || may_send_small(c, &x->send, len)
			       : len < mss && !flight && len >= TERN_MAX(c->snd.max_wnd / 2, 1u)))
		len -= small;
	return (struct tern_allowed){ len, force || (whole.push && len == whole.len) };
}
