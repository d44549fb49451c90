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
 * slot can hold timers, so within a tick timers stay in the order in which they were set. A timer
 * that is alone in its slot, and due, needs none of that and is taken at once. The tick before
 * which nothing can happen is kept, so that expiring in vain is a comparison; cancelling leaves it
 * alone while there are other timers, and it is found out anew when it has come.
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
static inline void place(struct tern_wheel *w, uint32_t idx, struct tern_timer *t, uint64_t tick)
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

/* Set a timer that is set already. */
static __attribute__((noinline)) void move(struct tern_wheel *w, uint32_t idx, struct tern_timer *t,
					   uint64_t tick)
{
	list_remove(w, t);
	t->expires = (uint32_t)tick;
	place(w, idx, t, tick);
}

void tern_wheel_start(struct tern_wheel *w, uint32_t idx, struct tern_timer *t, uint64_t when_ns)
{
	uint64_t tick = (when_ns >> TERN_TICK_SHIFT) + ((when_ns & (TERN_TICK_NS - 1)) != 0);

	tick = TERN_MIN(TERN_MAX(tick, w->tick), w->tick + TERN_WHEEL_HORIZON);
	if (t->next) {
		bool stays = t->expires == (uint32_t)tick && (t->next & HEAD); /* as the last */

		if (!stays)
			move(w, idx, t, tick);
		return;
	}
	t->expires = (uint32_t)tick;
	w->count++;
	place(w, idx, t, tick);
}

void tern_wheel_stop(struct tern_wheel *w, struct tern_timer *t)
{
	list_remove(w, t);
	if (!--w->count)
		w->next = NOTHING;
}

/* The slot that comes next, as a list number. Returns the tick at which it begins, or NOTHING. */
static inline uint64_t next_slot(const struct tern_wheel *w, uint32_t *ret_slot)
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
		return (own + ahead) << (level * SLOT_BITS);
	}
	return NOTHING;
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

/* Takes what is due by target out of a slot where it is alone, which needs no sorting. */
static uint32_t take_single(struct tern_wheel *w, uint32_t slot, uint64_t target)
{
	uint32_t idx = w->head[slot].next;
	struct tern_timer *t = tern_wheel_timer(w, idx);

	if (t->next != (HEAD | slot) || tern_timer_tick(w, t) > target)
		return 0;
	w->tick = tern_timer_tick(w, t);
	list_remove(w, t);
	w->count--;
	return idx;
}

uint32_t tern_wheel_take(struct tern_wheel *w, uint64_t target)
{
	uint32_t slot = 0, idx;

	while (list_empty(w, DUE)) {
		w->next = next_slot(w, &slot);
		if (w->next > target) {
			w->tick = TERN_MAX(w->tick, target);
			return 0;
		}
		idx = take_single(w, slot, target);
		if (idx)
			return idx;
		w->tick = w->next;
		sink(w, slot);
	}
	idx = w->head[DUE].next;
	list_remove(w, tern_wheel_timer(w, idx));
	w->count--;
	return idx;
}

uint64_t tern_wheel_deadline(const struct tern_wheel *w)
{
	uint32_t slot;

	if (!w->count)
		return TERN_NEVER;
	return (list_empty(w, DUE) ? next_slot(w, &slot) : w->tick) << TERN_TICK_SHIFT;
}
