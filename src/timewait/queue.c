/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * All records of a state wait equally long, so they end in the order in which they began: they need
 * a queue and no wheel. Only where the knob has been changed do some wait for another length. So
 * each state has two queues, for those of the old length and those of the new one. If the knob is
 * changed again while both are in use, a record waits for the next longer of the two lengths; or,
 * when there is none, the longer one becomes longer still, which leaves its queue in order.
 *
 * Ends are ticks of the wheel's length (timer/wheel.h), and rounded as there: never early, and at
 * most a tick late. A record keeps 32 bits of its tick: it ends less than 2^31 ticks after
 * tw->tick, the last tick whose records have gone. The tick before which none ends is kept, so that
 * looking in vain is a comparison; it is found out anew when it has come.
 */
#include "timewait/internal.h"

#define HORIZON INT32_MAX /* ticks; 6.5 days */

static struct tern_tw_queue *queue_of(struct tern_timewait *tw, const struct tern_tw *w)
{
	return &tw->queues[w->finwait2][w->second];
}

/* Which of the two queues of a state is for this length, if the first is not? */
TERN_NOINLINE static unsigned int choose(struct tern_tw_queue *q, uint64_t len_ns)
{
	unsigned int longer;

	if (q[1].len_ns == len_ns)
		return 1;
	for (unsigned int i = 0; i < 2; i++) {
		if (!q[i].list.count) {
			q[i].len_ns = len_ns;
			return i;
		}
	}
	longer = q[1].len_ns > q[0].len_ns;
	if (len_ns < q[!longer].len_ns)
		return !longer;
	q[longer].len_ns = TERN_MAX(q[longer].len_ns, len_ns);
	return longer;
}

/* The 64-bit tick at which a record ends. */
static uint64_t end_tick(const struct tern_timewait *tw, const struct tern_tw *w)
{
	return tw->tick + (w->expires - (uint32_t)tw->tick);
}

void tern_tw_wait(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w, uint64_t len_ns)
{
	struct tern_tw_queue *q = tw->queues[w->finwait2];
	unsigned int second = q->len_ns == len_ns ? 0 : choose(q, len_ns);
	uint64_t tick, least;

	q += second;
	tick = (tw->tcp->now + q->len_ns + TERN_TICK_NS - 1) >> TERN_TICK_SHIFT;
	least = q->list.tail ? q->last : tw->tick;

	/* Time that goes back stands still: nobody overtakes. */
	tick = TERN_MIN(TERN_MAX(tick, least), tw->tick + HORIZON);
	q->last = tick;
	tw->next = TERN_MIN(tw->next, tick);
	w->second = second & 1u;
	w->expires = (uint32_t)tick;
	tern_list_append(&q->list, &tw->pool, TERN_TW_LINK, idx, &w->queue);
}

void tern_tw_unwait(struct tern_timewait *tw, struct tern_tw *w)
{
	tern_list_unlink(&queue_of(tw, w)->list, &tw->pool, TERN_TW_LINK, &w->queue);
}

uint32_t tern_tw_ended(struct tern_timewait *tw, uint64_t tick)
{
	tw->next = UINT64_MAX;
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t idx = tw->queues[i / 2][i % 2].list.head;
		uint64_t end = idx ? end_tick(tw, tern_tw_at(tw, idx)) : UINT64_MAX;

		if (end <= tick)
			return idx;
		tw->next = TERN_MIN(tw->next, end);
	}
	return 0;
}

uint64_t tern_timewait_deadline(const struct tern_timewait *tw)
{
	uint64_t due = TERN_NEVER;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t idx = tw->queues[i / 2][i % 2].list.head;

		if (idx)
			due = TERN_MIN(due, tern_timewait_when(tw, idx));
	}
	return due;
}

uint64_t tern_timewait_when(const struct tern_timewait *tw, uint32_t idx)
{
	return end_tick(tw, tern_tw_at(tw, idx)) << TERN_TICK_SHIFT;
}
