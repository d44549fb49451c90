/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/seq.h: sequence number arithmetic modulo 2^32 (RFC 9293 §3.4).
 *
 * Two numbers compare by their signed distance, so all of these are right only for numbers less
 * than 2^31 apart; exactly 2^31 apart, each is "lt" the other.
 */
#ifndef TERN_BASE_SEQ_H
#define TERN_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* A TCP sequence (or acknowledgment) number. Also right for RFC 7323 timestamp values. */
typedef uint32_t tern_seq;

/* a - b as a signed distance. */
static inline int32_t tern_seq_diff(tern_seq a, tern_seq b)
{
	return (int32_t)(a - b);
}

static inline bool tern_seq_lt(tern_seq a, tern_seq b)
{
	return tern_seq_diff(a, b) < 0;
}

static inline bool tern_seq_le(tern_seq a, tern_seq b)
{
	return tern_seq_diff(a, b) <= 0;
}

static inline bool tern_seq_gt(tern_seq a, tern_seq b)
{
	return tern_seq_diff(a, b) > 0;
}

static inline bool tern_seq_ge(tern_seq a, tern_seq b)
{
	return tern_seq_diff(a, b) >= 0;
}

/* The later and the earlier of two. */
static inline tern_seq tern_seq_max(tern_seq a, tern_seq b)
{
	return tern_seq_gt(a, b) ? a : b;
}

static inline tern_seq tern_seq_min(tern_seq a, tern_seq b)
{
	return tern_seq_lt(a, b) ? a : b;
}

/* Does seq lie in the window of `len` numbers that begins at `left`? Any len up to 2^32-1. */
static inline bool tern_seq_in(tern_seq seq, tern_seq left, uint32_t len)
{
	return seq - left < len;
}

#endif
