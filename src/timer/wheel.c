/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer/wheel.c: six levels of 64 slots; a slot of level n covers 64^n ticks.
 *
 * Where a timer stands. Let x be the exclusive or of its tick and the wheel's. The highest bit of
 * x says in which level (bit / 6) the two part, and the six bits of the timer's tick at that level
 * say which slot. So a timer is always in a slot ahead of the wheel's own slot of that level,
 * within the same turn, and every timer of a lower level is due before every timer of a higher
 * one: the next event is the first occupied slot of the lowest occupied level. The top level alone
 * may turn over (every 208 days); there slots are counted from the wheel's own, and since no timer
 * is more than 2^31 ticks, two slots, ahead, that is unambiguous.
 *
 * Moving on. Expiring goes from event to event, never tick by tick. When the wheel enters an
 * occupied slot of an upper level, the timers of that slot are placed anew, in order: each sinks at
 * least one level. A slot of level 0 goes to the due list as a whole. Between the two no lower
 * slot can hold timers, so within a tick timers stay in the order in which they were set. The tick
 * before which nothing can happen is kept, so that expiring in vain is a comparison; cancelling
 * leaves it alone, and it is found out anew when it has come.
 *
 * The lists are circular; their heads are named by indices with HEAD set, so a timer unlinks itself
 * without knowing its list, and a link is never 0 while the timer is set. A tick is kept as 32 bits
 * in the timer and as 64 in the wheel: all set timers are less than 2^31 away.
 */
#include "timer/wheel.h"

#define SLOT_BITS 6
#define SLOT_MASK (TERN_WHEEL_SLOTS - 1u)
#define DUE       (TERN_WHEEL_LEVELS * TERN_WHEEL_SLOTS)
#define HEAD      0x80000000u
#define NOTHING   UINT64_MAX /* tick of the next event when there is none */

static bool list_empty(const struct tern_wheel *w, uint32_t slot)
{
	return w->head[slot].next == (HEAD | slot);
}

static inline void list_append(struct tern_wheel *w, uint32_t slot, uint32_t idx,
			       struct tern_timer *t)
{
	uint32_t last = w->head[slot].prev;

	t->next = HEAD | slot;
	t->prev = last;
	w->head[slot].prev = idx;
	if (last & HEAD)
		w->head[slot].next = idx;
	else
		tern_wheel_timer(w, last)->next = idx;
}

/* Unlink a set timer; a slot that becomes empty loses its bit. */
static void list_remove(struct tern_wheel *w, struct tern_timer *t)
{
	uint32_t next = t->next, prev = t->prev, slot = next & ~HEAD;

	t->next = 0;
	t->prev = 0;
	if (next & HEAD)
		w->head[slot].prev = prev;
	else
		tern_wheel_timer(w, next)->prev = prev;
	if (prev & HEAD)
		w->head[prev & ~HEAD].next = next;
	else
		tern_wheel_timer(w, prev)->next = next;
	if (next == prev && slot < DUE) /* it was alone: both are the head */
		w->occupied[slot >> SLOT_BITS] &= ~(UINT64_C(1) << (slot & SLOT_MASK));
}

/* Link an unlinked timer where its tick belongs, which is not behind the wheel. */
static void place(struct tern_wheel *w, uint32_t idx, struct tern_timer *t, uint64_t tick)
{
	unsigned int level, slot, shift;

	if (tick <= w->tick) {
		w->next = w->tick;
		list_append(w, DUE, idx, t);
		return;
	}
	level = (63u - (unsigned int)__builtin_clzll(tick ^ w->tick)) / SLOT_BITS;
	if (level >= TERN_WHEEL_LEVELS)
		level = TERN_WHEEL_LEVELS - 1;
	shift = level * SLOT_BITS;
	slot = (unsigned int)(tick >> shift) & SLOT_MASK;
	w->occupied[level] |= UINT64_C(1) << slot;
	w->next = TERN_MIN(w->next, tick >> shift << shift);
	list_append(w, level << SLOT_BITS | slot, idx, t);
}

void tern_wheel_init(struct tern_wheel *w, const struct tern_pool *pool, size_t timer_offset,
		     uint64_t now_ns)
{
	*w = (struct tern_wheel){ .tick = now_ns >> TERN_TICK_SHIFT,
				  .next = NOTHING,
				  .pool = pool,
				  .timer_offset = (uint32_t)timer_offset };
	for (uint32_t i = 0; i <= DUE; i++) {
		w->head[i].next = HEAD | i;
		w->head[i].prev = HEAD | i;
	}
}

void tern_wheel_set(struct tern_wheel *w, uint32_t idx, uint64_t when_ns)
{
	struct tern_timer *t = tern_wheel_timer(w, idx);
	uint64_t tick = (when_ns >> TERN_TICK_SHIFT) + ((when_ns & (TERN_TICK_NS - 1)) != 0);

	if (t->next)
		list_remove(w, t);
	else
		w->count++;
	if (tick < w->tick)
		tick = w->tick;
	if (tick - w->tick > TERN_WHEEL_HORIZON)
		tick = w->tick + TERN_WHEEL_HORIZON;
	t->expires = (uint32_t)tick;
	place(w, idx, t, tick);
}

void tern_wheel_cancel(struct tern_wheel *w, uint32_t idx)
{
	struct tern_timer *t = tern_wheel_timer(w, idx);

	if (!t->next)
		return;
	list_remove(w, t);
	w->count--;
}

/* The slot that comes next, as a list number, and the tick at which it begins. */
static bool next_slot(const struct tern_wheel *w, uint32_t *ret_slot, uint64_t *ret_tick)
{
	for (unsigned int level = 0; level < TERN_WHEEL_LEVELS; level++) {
		uint64_t own = w->tick >> (level * SLOT_BITS);
		unsigned int turn = (unsigned int)own & SLOT_MASK;
		uint64_t bits = w->occupied[level];
		unsigned int ahead;

		if (!bits)
			continue;
		if (turn)
			bits = bits >> turn | bits << (TERN_WHEEL_SLOTS - turn);
		ahead = (unsigned int)__builtin_ctzll(bits);
		*ret_slot = level << SLOT_BITS | ((turn + ahead) & SLOT_MASK);
		*ret_tick = (own + ahead) << (level * SLOT_BITS);
		return true;
	}
	return false;
}

/* Enter a slot: its timers sink to lower levels, or become due. */
static void sink(struct tern_wheel *w, uint32_t slot)
{
	uint32_t idx = w->head[slot].next;

	w->head[slot].next = HEAD | slot;
	w->head[slot].prev = HEAD | slot;
	w->occupied[slot >> SLOT_BITS] &= ~(UINT64_C(1) << (slot & SLOT_MASK));
	while (idx != (HEAD | slot)) {
		struct tern_timer *t = tern_wheel_timer(w, idx);
		uint32_t next = t->next;

		place(w, idx, t, tern_timer_tick(w, t));
		idx = next;
	}
}

uint32_t tern_wheel_take(struct tern_wheel *w, uint64_t target)
{
	struct tern_timer *t;
	uint32_t slot, idx;

	while (list_empty(w, DUE)) {
		if (!next_slot(w, &slot, &w->next))
			w->next = NOTHING;
		if (w->next > target) {
			w->tick = TERN_MAX(w->tick, target);
			return 0;
		}
		w->tick = w->next;
		sink(w, slot);
	}
	idx = w->head[DUE].next;
	t = tern_wheel_timer(w, idx);
	w->head[DUE].next = t->next;
	if (t->next & HEAD)
		w->head[DUE].prev = HEAD | DUE;
	else
		tern_wheel_timer(w, t->next)->prev = HEAD | DUE;
	t->next = 0;
	t->prev = 0;
	w->count--;
	return idx;
}

uint64_t tern_wheel_deadline(const struct tern_wheel *w)
{
	uint64_t tick;
	uint32_t slot;

	if (!w->count)
		return TERN_NEVER;
	if (!list_empty(w, DUE))
		return w->tick << TERN_TICK_SHIFT;
	return next_slot(w, &slot, &tick) ? tick << TERN_TICK_SHIFT : TERN_NEVER;
}
