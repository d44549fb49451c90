/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_stack.h: a stack that only remembers. Tests of what drives a stack (pump, loop) give it
 * frames to send and look at what went in and when. It stands in front of the engine's library, so
 * that none of the engine is linked.
 */
#ifndef TERN_TESTS_UNIT_LINK_FAKE_STACK_H
#define TERN_TESTS_UNIT_LINK_FAKE_STACK_H

#include "unit/link/frames.h"

enum { FAKE_FRAMES = 4096 };

struct tern_stack {
	uint32_t to_send, sent; /* numbers of frames: sent … to_send - 1 are waiting */
	uint32_t len;           /* of each frame */
	uint32_t answer_with;   /* for each frame that comes in, so many are sent */
	uint32_t got[FAKE_FRAMES], gots;
	uint64_t got_at;
	uint64_t deadline, tick_at;
	uint64_t realtime, realtime_at;
	uint64_t now; /* of the last entry */
	unsigned int ticks, realtimes;
	uint8_t payload[32][FRAME_MAX]; /* what output refers to; any entry may destroy it */
};

static inline void fake_enter(struct tern_stack *st, uint64_t now)
{
	unsigned int i;

	assert_true(now >= st->now);
	st->now = now;
	for (i = 0; i < 32; i++)
		memset(st->payload[i], 0xee, st->len);
}

void tern_stack_input(struct tern_stack *st, uint64_t now, const struct tern_frame *frames,
		      unsigned int n)
{
	unsigned int i;

	fake_enter(st, now);
	for (i = 0; i < n; i++) {
		assert_int_equal(frame_errors(&frames[i], frame_number(&frames[i])), 0);
		assert_true(st->gots < FAKE_FRAMES);
		st->got[st->gots++] = frame_number(&frames[i]);
	}
	st->got_at = now;
	st->to_send += n * st->answer_with;
}

void tern_stack_tick(struct tern_stack *st, uint64_t now)
{
	fake_enter(st, now);
	st->ticks++;
	st->tick_at = now;
	st->deadline = TERN_NEVER;
}

unsigned int tern_stack_output(struct tern_stack *st, uint64_t now, struct tern_out *outs,
			       unsigned int n)
{
	unsigned int i;

	fake_enter(st, now);
	for (i = 0; i < n && i < 32 && st->sent < st->to_send; i++)
		frame_make(&outs[i], st->payload[i], st->sent++, st->len);
	return i;
}

uint64_t tern_stack_deadline(const struct tern_stack *st)
{
	return st->deadline;
}

void tern_stack_set_realtime(struct tern_stack *st, uint64_t now, uint64_t realtime_ns)
{
	fake_enter(st, now);
	st->realtimes++;
	st->realtime = realtime_ns;
	st->realtime_at = now;
}

static inline void fake_init(struct tern_stack *st, uint32_t len)
{
	memset(st, 0, sizeof(*st));
	st->len = len;
	st->deadline = TERN_NEVER;
}

/* Asserts that frames 0 … n - 1 went in, in order. */
static inline void fake_expect(const struct tern_stack *st, uint32_t n)
{
	uint32_t i;

	assert_int_equal(st->gots, n);
	for (i = 0; i < n; i++)
		assert_int_equal(st->got[i], i);
}

#endif
