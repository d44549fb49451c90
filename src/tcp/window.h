/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/window.h: the window that we advertise (RFC 9293 §3.8.6).
 */
#ifndef TERN_TCP_WINDOW_H
#define TERN_TCP_WINDOW_H

#include "base/compiler.h"
#include "tcp/conn.h"

/* The window of a SYN, which is never scaled: half of the receive buffer. */
static inline uint16_t tern_window_first(const struct tern_conn *c)
{
	return (uint16_t)TERN_MIN(c->rcv.buf / 2, 65535u);
}

/*
 * How far the right edge would move in a segment that left now, in bytes; 0 while the step would be
 * small (silly window avoidance, MUST-39). `queued` is what the application has not yet read.
 */
uint32_t tern_window_gain(const struct tern_tcp *t, const struct tern_conn *c, uint32_t queued);

/* tern_window_advertise() where what is shown may change. */
uint16_t tern_window_move(struct tern_tcp *t, struct tern_conn *c, uint32_t queued);

/*
 * The window field of a segment that leaves now, in units of the scale, and the new right edge,
 * rcv.adv. That never moves left (SHLD-14). Who sends more than he receives shows the same again,
 * since there is no room beyond it.
 */
static inline uint16_t tern_window_advertise(struct tern_tcp *t, struct tern_conn *c,
					     uint32_t queued)
{
	uint32_t left = c->rcv.adv - c->rcv.nxt, units = left >> c->rcv_wscale;

	if (units << c->rcv_wscale != left || units - 1 >= 65535 ||
	    c->rcv.buf / 2 > left + queued || (c->flags & (TERN_CF_NOMEM | TERN_CF_ZERO_WINDOW)))
		return tern_window_move(t, c, queued);
	return (uint16_t)units;
}

#endif
