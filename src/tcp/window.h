/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/window.h: the window that we advertise (RFC 9293 §3.8.6).
 */
#ifndef TERN_TCP_WINDOW_H
#define TERN_TCP_WINDOW_H

#include "base/compiler.h"
#include "tcp/conn.h"

/* Of a small buffer: whole segments of the size that we advertise, if it holds one. */
uint16_t tern_window_first_small(const struct tern_conn *c, uint8_t family, uint32_t mtu);

/* The window of a SYN, which is never scaled: half of the receive buffer. */
static inline uint16_t tern_window_first(const struct tern_conn *c, uint8_t family, uint32_t mtu)
{
	return TERN_UNLIKELY(c->rcv.buf / 2 < 65535) ? tern_window_first_small(c, family, mtu)
						     : 65535;
}

/* What a segment with len bytes is charged at, in bytes. */
uint32_t tern_window_cost(uint32_t len);

/*
 * len new bytes of a segment are kept, in order or early. They are charged, and the segment tells
 * what the next ones will be like.
 */
void tern_window_took(const struct tern_tcp *t, const struct tern_conn *c, struct tern_traffic *x,
		      uint32_t len);

/*
 * The same for early bytes, the last of which is before `end`. Behind them comes what is missing,
 * and what a peer sends meanwhile: the buffer grows to hold both, once the application has the
 * connection.
 */
void tern_window_took_early(const struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
			    uint32_t len, tern_seq end);

/* The receive buffer grows to a size that makes such a window, if it may (tcp_moderate_rcvbuf). */
void tern_window_make_room(const struct tern_tcp *t, struct tern_conn *c,
			   const struct tern_traffic *x, uint32_t window);

/* n of the bytes that are kept are about to go: read or thrown away. */
void tern_window_released(struct tern_traffic *x, uint32_t n);

/* RCV.NXT is right of the edge, since a segment was taken that went beyond it. */
void tern_window_passed(struct tern_conn *c, struct tern_traffic *x);

/* Is less than half of the receive buffer free? */
bool tern_window_is_scarce(const struct tern_conn *c, const struct tern_traffic *x);

/*
 * How far the right edge would move in a segment that left now, in bytes; 0 while the step would be
 * small (silly window avoidance, MUST-39).
 */
uint32_t tern_window_gain(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x);

/* Is it worth telling at once that there is room: less than half was open, and is to be doubled? */
bool tern_window_doubles(const struct tern_tcp *t, const struct tern_conn *c,
			 const struct tern_traffic *x);

/* Size of the peer's segments, and what the window grows to, as TCP_INFO tells them. */
uint32_t tern_window_peer_mss(const struct tern_tcp *t, const struct tern_conn *c);
uint32_t tern_window_limit(const struct tern_tcp *t, const struct tern_conn *c);

/* The largest right edge that was ever shown: what ends left of it is in the window. */
static inline tern_seq tern_window_edge(const struct tern_conn *c, const struct tern_traffic *x)
{
	return x && TERN_UNLIKELY(x->credit.less) ? x->credit.max : c->rcv.adv;
}

/* tern_window_advertise() where what is shown may change; x may be NULL. */
uint16_t tern_window_move(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x);

/*
 * The window field of a segment that leaves now, in units of the scale, and the new right edge,
 * rcv.adv. Who sends more than he receives shows the same again, since there is no room beyond it.
 */
static inline uint16_t tern_window_advertise(struct tern_tcp *t, struct tern_conn *c,
					     struct tern_traffic *x)
{
	uint32_t left = c->rcv.adv - c->rcv.nxt, units = left >> c->rcv_wscale;

	if (units << c->rcv_wscale != left || units - 1 >= 65535 || c->rcv.buf / 2 > left ||
	    (x && x->credit.cost) || (c->flags & (TERN_CF_NOMEM | TERN_CF_ZERO_WINDOW)))
		return tern_window_move(t, c, x);
	return (uint16_t)units;
}

#endif
