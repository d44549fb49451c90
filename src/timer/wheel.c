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
 * slot can hold timers, so within a tick timers stay in the order in which they were set.
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

/* The links of an item's timer, or of a list head. */
struct links {
	uint32_t *next, *prev;
};

static struct links links_of(struct tern_wheel *w, uint32_t node)
{
	struct tern_timer *t;

	if (node & HEAD)
		return (struct links){ &w->head[node & ~HEAD].next, &w->head[node & ~HEAD].prev };
	t = tern_wheel_timer(w, node);
	return (struct links){ &t->next, &t->prev };
}

static bool list_empty(const struct tern_wheel *w, uint32_t slot)
{
	return w->head[slot].next == (HEAD | slot);
}

static void list_append(struct tern_wheel *w, uint32_t slot, uint32_t idx)
{
	struct tern_timer *t = tern_wheel_timer(w, idx);
	uint32_t last = w->head[slot].prev;

	t->next = HEAD | slot;
	t->prev = last;
	*links_of(w, last).next = idx;
	w->head[slot].prev = idx;
}

/* Unlink a set timer; a slot that becomes empty loses its bit. */
static void list_remove(struct tern_wheel *w, struct tern_timer *t)
{
	*links_of(w, t->next).prev = t->prev;
	*links_of(w, t->prev).next = t->next;
	if (t->next == t->prev && (t->next & ~HEAD) < DUE && (t->next & HEAD)) {
		uint32_t slot = t->next & ~HEAD;

		w->occupied[slot >> SLOT_BITS] &= ~(UINT64_C(1) << (slot & SLOT_MASK));
	}
	t->next = 0;
	t->prev = 0;
}

/* The 64-bit tick of a set timer, which is never behind the wheel: it waits for the due ones. */
static uint64_t timer_tick(const struct tern_wheel *w, const struct tern_timer *t)
{
	return w->tick + (t->expires - (uint32_t)w->tick);
}

/* Link an unlinked timer where its tick belongs. */
static void place(struct tern_wheel *w, uint32_t idx)
{
	uint64_t tick = timer_tick(w, tern_wheel_timer(w, idx));
	unsigned int level, slot;

	if (tick <= w->tick) {
		list_append(w, DUE, idx);
		return;
	}
	level = (63u - (unsigned int)__builtin_clzll(tick ^ w->tick)) / SLOT_BITS;
	if (level >= TERN_WHEEL_LEVELS)
		level = TERN_WHEEL_LEVELS - 1;
	slot = (unsigned int)(tick >> (level * SLOT_BITS)) & SLOT_MASK;
	w->occupied[level] |= UINT64_C(1) << slot;
	list_append(w, level << SLOT_BITS | slot, idx);
}

void tern_wheel_init(struct tern_wheel *w, const struct tern_pool *pool, size_t timer_offset,
		     uint64_t now_ns)
{
	*w = (struct tern_wheel){ .tick = now_ns >> TERN_TICK_SHIFT,
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
	place(w, idx);
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
		uint32_t next = tern_wheel_timer(w, idx)->next;

		place(w, idx);
		idx = next;
	}
}

uint32_t tern_wheel_expire(struct tern_wheel *w, uint64_t now_ns)
{
	uint64_t target = now_ns >> TERN_TICK_SHIFT, tick;
	uint32_t slot, idx;

	while (list_empty(w, DUE)) {
		if (!w->count || !next_slot(w, &slot, &tick) || tick > target) {
			w->tick = target > w->tick ? target : w->tick;
			return 0;
		}
		w->tick = tick;
		sink(w, slot);
	}
	idx = w->head[DUE].next;
	list_remove(w, tern_wheel_timer(w, idx));
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

uint64_t tern_wheel_when(const struct tern_wheel *w, uint32_t idx)
{
	const struct tern_timer *t = tern_wheel_timer(w, idx);

	return t->next ? timer_tick(w, t) << TERN_TICK_SHIFT : TERN_NEVER;
}
