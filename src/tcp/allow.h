/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/allow.h: how much may leave now: both windows, Nagle, corks, ends of records.
 */
#ifndef TERN_TCP_ALLOW_H
#define TERN_TCP_ALLOW_H

#include "tcp/conn.h"

/* New data that may leave in one frame. */
struct tern_allowed {
	uint32_t len; /* bytes; 0: none */
	bool push;    /* the last of them is to be pushed, whatever send said */
};

/* Largest payload of one frame: a segment, or a super-segment where the link cuts. */
uint32_t tern_allowed_payload(const struct tern_tcp *t, const struct tern_conn *c);

/* How many segments the congestion window still has room for. */
uint32_t tern_allowed_segments(const struct tern_tcp *t, const struct tern_conn *c,
			       const struct tern_traffic *x);

/* `len` bytes at seq, or those up to the end of a record. */
struct tern_allowed tern_allowed_record(const struct tern_tcp *t, const struct tern_traffic *x,
					tern_seq seq, uint32_t len);

/*
 * Of `available` bytes of new data, those that leave next: whole segments, and a small one behind
 * them if it may. force: the persist timer has waited long enough for one.
 */
struct tern_allowed tern_allowed_new(const struct tern_tcp *t, struct tern_conn *c,
				     struct tern_traffic *x, uint32_t available, bool force);

/* Is the window used? Remembered for the growth of it, until a window's data is acknowledged. */
static inline void tern_allowed_used(const struct tern_conn *c, struct tern_traffic *x, bool full)
{
	struct tern_repairs *r = &x->repair;
	uint32_t packets = x->flight.packets;

	if (tern_seq_lt(c->snd.una, r->usage_end) && !full &&
	    (r->window_full || packets <= r->packets_max))
		return;
	r->window_full = full;
	r->packets_max = packets;
	r->usage_end = c->snd.nxt;
}

/* Is the congestion window what limits us? In slow start half of it may be unused (as Linux). */
static inline bool tern_allowed_is_used(const struct tern_conn *c, const struct tern_traffic *x)
{
	return x->repair.window_full || (tern_cc_in_slow_start(&c->cc) &&
					 tern_cc_segments(&c->cc) < 2 * x->repair.packets_max);
}

#endif
