/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/pump.c: moving frames between two stacks, without a loop, a clock or the system.
 *
 * Tests, examples and benchmarks join two stacks by a link whose two ends lie in one process (the
 * in-memory link, perhaps with the fault wrapper around an end). The pump is what the loop is to a
 * device: it drains output into the link and what arrives into input, side after side, so that the
 * same stacks in the same order give the same run.
 *
 * What output gave is valid until the next entry into that stack. When a link has no room, the
 * pump therefore empties the far end first and then goes on with the same frames.
 */
#include "link/link.h"

enum { PUMP_BURST = 32 };

/* Everything that waits at this side's end of the link goes into its stack. */
static unsigned int arrive(const struct tern_link_side *side, uint64_t now)
{
	struct tern_frame frames[PUMP_BURST];
	unsigned int moved = 0;
	int n;

	while ((n = tern_link_receive(side->link, now, frames, PUMP_BURST)) > 0) {
		tern_stack_input(side->stack, now, frames, (unsigned int)n);
		moved += (unsigned int)n;
	}
	return moved;
}

/* One burst of output leaves; the far side is emptied where the link has no room. */
static unsigned int leave(const struct tern_link_side *from, const struct tern_link_side *to,
			  uint64_t now)
{
	struct tern_out outs[PUMP_BURST];
	unsigned int n = tern_stack_output(from->stack, now, outs, PUMP_BURST);
	unsigned int sent = 0, moved = 0;

	while (sent < n) {
		int took = tern_link_send(from->link, now, outs + sent, n - sent);

		if (took > 0) {
			sent += (unsigned int)took;
		} else {
			unsigned int emptied = arrive(to, now);

			if (!emptied)
				break; /* the link is gone, or jammed: lost, as on any wire */
			moved += emptied;
		}
	}
	from->link->counts.drops_out += n - sent;
	return moved + n;
}

unsigned int tern_link_pump_round(const struct tern_link_side sides[2], uint64_t now)
{
	unsigned int moved = 0;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		moved += leave(&sides[i], &sides[!i], now);
		(void)tern_link_send(sides[i].link, now, NULL, 0);
		moved += arrive(&sides[!i], now);
	}
	return moved;
}

uint64_t tern_link_pump(const struct tern_link_side sides[2], uint64_t now)
{
	uint64_t total = 0;
	unsigned int moved;

	while ((moved = tern_link_pump_round(sides, now)) > 0)
		total += moved;
	return total;
}

uint64_t tern_link_pump_deadline(const struct tern_link_side sides[2])
{
	uint64_t first = TERN_NEVER;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		first = TERN_MIN(first, tern_stack_deadline(sides[i].stack));
		first = TERN_MIN(first, tern_link_deadline(sides[i].link));
	}
	return first;
}
