/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The window is half the receive buffer (the other half is what keeping the bytes costs) less what
 * waits to be read. Its right edge stands in rcv.adv and only moves right, by a full segment or
 * a quarter of the buffer at least. Under memory pressure it moves no further than four segments
 * ahead.
 *
 * The field counts units of the scale. It is rounded up while there is room for that, else down:
 * the edge that the peer sees then moves left by less than a unit (RFC 7323 §2.4), but what came is
 * taken up to rcv.adv. Rounding up always would let the edge creep with every small segment, and
 * the window would never close.
 *
 * Data inside the window for which there is no memory is answered by a closed window, once: the
 * peer then probes, and does not count timeouts.
 */
#include "tcp/window.h"

#include "base/compiler.h"

/* The smallest step of the right edge that is worth telling. */
static uint32_t step_of(const struct tern_conn *c)
{
	return TERN_MIN(c->rcv.buf / 4, c->cc.mss ? c->cc.mss : 536u);
}

/* What may still come in. */
static uint32_t room_of(const struct tern_conn *c, uint32_t queued)
{
	uint32_t half = c->rcv.buf / 2;
	/* RFC9293:MAY-8 */
	return half > queued ? half - queued : 0;
}

static inline uint32_t gain(const struct tern_tcp *t, const struct tern_conn *c, uint32_t room)
{
	uint32_t left = c->rcv.adv - c->rcv.nxt, step = step_of(c);

	/* RFC9293:MUST-39 */
	if (room < left + step)
		return 0;
	if (tern_bufs_pressure(&t->bufs))
		room = TERN_MIN(room, TERN_MAX(left, 4 * step));
	return room >= left + step ? room - left : 0;
}

uint32_t tern_window_gain(const struct tern_tcp *t, const struct tern_conn *c, uint32_t queued)
{
	uint32_t shown = UINT32_C(65535) << c->rcv_wscale; /* no segment can say more */

	return gain(t, c, TERN_MIN(room_of(c, queued), shown));
}

/* The window closes, or opens again, or is to be shown closed; returns the units to show. */
static uint32_t turn(struct tern_tcp *t, struct tern_conn *c, uint32_t units)
{
	if (c->flags & TERN_CF_NOMEM) {
		c->flags &= ~(uint32_t)TERN_CF_NOMEM;
		units = 0;
	}
	if (!units != !!(c->flags & TERN_CF_ZERO_WINDOW)) {
		tern_count(t->trace, units ? TERN_CNT_TcpExtTCPFromZeroWindowAdv
					   : TERN_CNT_TcpExtTCPToZeroWindowAdv);
		c->flags ^= TERN_CF_ZERO_WINDOW;
	}
	return units;
}

uint16_t tern_window_move(struct tern_tcp *t, struct tern_conn *c, uint32_t queued)
{
	uint32_t left = c->rcv.adv - c->rcv.nxt, room = room_of(c, queued);
	uint32_t window = left + gain(t, c, room), scale = c->rcv_wscale;
	uint32_t units = TERN_MIN(window >> scale, 65535u);

	if (units << scale < left && units < 65535 && (units + 1) << scale <= room)
		units++;
	if (TERN_UNLIKELY(!units || (c->flags & (TERN_CF_NOMEM | TERN_CF_ZERO_WINDOW))))
		units = turn(t, c, units);
	/* RFC9293:SHLD-14 RFC7323:2.4 */
	if (tern_seq_gt(units << scale, left))
		c->rcv.adv = c->rcv.nxt + (units << scale);
	return (uint16_t)units;
}
