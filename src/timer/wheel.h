/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer/wheel.h: a hierarchical timing wheel over the items of one pool.
 *
 * A timer is 12 bytes inside an item and is named by the item's index; a pool whose items have two
 * timers has two wheels. A tick is 2^18 ns (262,144 ns). A timer never fires early, and fires in
 * the first tick that begins at or after its time. Setting and cancelling are O(1).
 */
#ifndef TERN_TIMER_WHEEL_H
#define TERN_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

#define TERN_TICK_SHIFT 18
#define TERN_TICK_NS    (UINT64_C(1) << TERN_TICK_SHIFT)

#define TERN_WHEEL_LEVELS 6
#define TERN_WHEEL_SLOTS  64

/* Farthest a timer may be set, in ticks ahead of the last expire: 6.5 days. */
#define TERN_WHEEL_HORIZON INT32_MAX

/* A zeroed timer is unset. next and prev are links (see wheel.c), 0 when unset. */
struct tern_timer {
	uint32_t next, prev;
	uint32_t expires; /* tick, modulo 2^32; means nothing when unset */
};

struct tern_wheel {
	uint64_t tick; /* every slot up to this tick has been emptied into the due list */
	uint64_t next; /* no timer is due, and no slot to be sorted, before this tick */
	const struct tern_pool *pool;
	uint32_t timer_offset;
	uint32_t count; /* timers set, those due and not yet popped included */
	uint64_t occupied[TERN_WHEEL_LEVELS]; /* bit s: slot s has timers */
	/* list heads: level * 64 + slot; the last one is the due list */
	struct {
		uint32_t next, prev;
	} head[TERN_WHEEL_LEVELS * TERN_WHEEL_SLOTS + 1];
};

/* An empty wheel whose time is now_ns, for the struct tern_timer at this offset in the items. */
void tern_wheel_init(struct tern_wheel *w, const struct tern_pool *pool, size_t timer_offset,
		     uint64_t now_ns);

/* The timer of an item. */
static inline struct tern_timer *tern_wheel_timer(const struct tern_wheel *w, uint32_t idx)
{
	return (struct tern_timer *)(void *)((uint8_t *)tern_pool_at(w->pool, idx) +
					     w->timer_offset);
}

/*
 * Set the timer t of an item to when_ns, wherever it stood before. A time that has passed is due at
 * once; one beyond the horizon is brought down to it, so that who waits longer must look again.
 */
void tern_wheel_start(struct tern_wheel *w, uint32_t idx, struct tern_timer *t, uint64_t when_ns);

/* Unset a timer that is set. */
void tern_wheel_stop(struct tern_wheel *w, struct tern_timer *t);

/* tern_wheel_start() where only the item is known. */
static inline void tern_wheel_set(struct tern_wheel *w, uint32_t idx, uint64_t when_ns)
{
	tern_wheel_start(w, idx, tern_wheel_timer(w, idx), when_ns);
}

/* Unset the timer of an item; an unset one stays so. An item must be cancelled before it is put. */
static inline void tern_wheel_cancel(struct tern_wheel *w, uint32_t idx)
{
	struct tern_timer *t = tern_wheel_timer(w, idx);

	if (t->next)
		tern_wheel_stop(w, t);
}

/* tern_wheel_expire() at or behind the tick w->next. */
TERN_NODISCARD uint32_t tern_wheel_take(struct tern_wheel *w, uint64_t target);

/*
 * Take one due timer: unset it and return its item, or 0 when none is due at now_ns. Call until 0.
 * Earlier ticks come first, and within a tick those set first. Time that goes back stands still.
 */
TERN_NODISCARD static inline uint32_t tern_wheel_expire(struct tern_wheel *w, uint64_t now_ns)
{
	uint64_t target = now_ns >> TERN_TICK_SHIFT;

	if (target >= w->next)
		return tern_wheel_take(w, target);
	if (target > w->tick)
		w->tick = target;
	return 0;
}

/*
 * When to call tern_wheel_expire next: never later than the next timer is due, and earlier only to
 * sort a slot of an upper level (at most five times for one timer). TERN_NEVER when none is set.
 */
uint64_t tern_wheel_deadline(const struct tern_wheel *w);

/* The 64-bit tick of a set timer, which is never behind the wheel: it waits for the due ones. */
static inline uint64_t tern_timer_tick(const struct tern_wheel *w, const struct tern_timer *t)
{
	return w->tick + (t->expires - (uint32_t)w->tick);
}

/* When a timer fires, in ns, rounded up to the tick; TERN_NEVER when unset. */
static inline uint64_t tern_timer_when(const struct tern_wheel *w, const struct tern_timer *t)
{
	return t->next ? tern_timer_tick(w, t) << TERN_TICK_SHIFT : TERN_NEVER;
}

/* The same of the timer of an item. */
static inline uint64_t tern_wheel_when(const struct tern_wheel *w, uint32_t idx)
{
	return tern_timer_when(w, tern_wheel_timer(w, idx));
}

/* Is the timer of an item set? */
static inline bool tern_wheel_armed(const struct tern_wheel *w, uint32_t idx)
{
	return tern_wheel_timer(w, idx)->next != 0;
}

#endif
