/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/invariants.h: what holds of every connection of a stack after every entry into it,
 * whatever the network did. Looks inside; changes nothing.
 *
 *	numbers		SND.UNA <= SND.NXT; nothing sent that was not queued, or beyond the
 *			farthest edge the peer showed; RCV.NXT and our edge never go back
 *	queues		chains follow on, hold what the counts say, charged for what they are
 *	early data	ranges sorted, apart, behind RCV.NXT, inside the window
 *	timers		one of retransmission and persist, exactly when it has to be; none overdue
 *	stack		buffers, records, timers and orphans of connections add up to the totals;
 *			so do early children (Fast Open) and what a listener counts of them
 */
#ifndef TERN_TESTS_HARNESS_INVARIANTS_H
#define TERN_TESTS_HARNESS_INVARIANTS_H

#include "stack/internal.h"

enum { INVARIANTS_CONNS = 64 };

/* What is remembered of a connection between two checks. */
struct invariants_past {
	uint32_t gen;
	bool stood; /* synchronized at the last check */
	tern_seq una, nxt, rcv_nxt, adv, edge;
};

struct invariants {
	struct invariants_past past[INVARIANTS_CONNS];
};

/*
 * Checks all connections of a stack whose output was drained, if `drained`. Returns NULL, or which
 * invariant does not hold; *ret_conn is the connection, 0 for the stack as a whole.
 */
const char *invariants_check(struct invariants *inv, const struct tern_stack *st, bool drained,
			     uint32_t *ret_conn);

#endif
