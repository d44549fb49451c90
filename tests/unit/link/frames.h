/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.h: frames that are no packets, for tests of links, which never look inside: a number in
 * front, and then bytes that follow from it.
 */
#ifndef TERN_TESTS_UNIT_LINK_FRAMES_H
#define TERN_TESTS_UNIT_LINK_FRAMES_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "link/link.h"

#define FRAME_MAX 65535

/* Byte i of frame number n. */
static inline uint8_t frame_byte(uint32_t number, uint32_t i)
{
	return i < 4 ? (uint8_t)(number >> 8 * i)
		     : (uint8_t)(number * 7 + (number >> 8) * 5 + i * 13);
}

/* Fills bytes with frame `number` of len bytes, and *ret_out with that frame in three pieces. */
static inline void frame_make(struct tern_out *ret_out, uint8_t *bytes, uint32_t number,
			      uint32_t len)
{
	uint32_t a = len / 3, b = len / 2, i;

	for (i = 0; i < len; i++)
		bytes[i] = frame_byte(number, i);
	memset(ret_out, 0, sizeof(*ret_out));
	ret_out->piece[0] = (struct tern_piece){ bytes, a };
	ret_out->piece[1] = (struct tern_piece){ bytes + a, b - a };
	ret_out->piece[2] = (struct tern_piece){ bytes + b, len - b };
	ret_out->pieces = 3;
	ret_out->len = len;
}

static inline uint32_t frame_number(const struct tern_frame *frame)
{
	const uint8_t *p = frame->data;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* How many bytes of a frame differ from what frame `number` holds. */
static inline uint32_t frame_errors(const struct tern_frame *frame, uint32_t number)
{
	const uint8_t *p = frame->data;
	uint32_t errors = 0, i;

	for (i = 0; i < frame->len; i++)
		errors += p[i] != frame_byte(number, i);
	return errors;
}

/* Sends one frame; what the link said. */
static inline int frame_send(struct tern_link *link, uint64_t now, uint32_t number, uint32_t len)
{
	static uint8_t bytes[FRAME_MAX];
	struct tern_out out;

	frame_make(&out, bytes, number, len);
	return tern_link_send(link, now, &out, 1);
}

/* Takes one frame and asserts that it is this one, whole. */
static inline void frame_expect(struct tern_link *link, uint64_t now, uint32_t number, uint32_t len)
{
	struct tern_frame frame;

	assert_int_equal(tern_link_receive(link, now, &frame, 1), 1);
	assert_int_equal(frame.len, len);
	assert_int_equal(frame_number(&frame), number);
	assert_int_equal(frame_errors(&frame, number), 0);
}

static inline void frame_expect_none(struct tern_link *link, uint64_t now)
{
	struct tern_frame frame;

	assert_int_equal(tern_link_receive(link, now, &frame, 1), 0);
}

#endif
