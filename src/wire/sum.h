/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/sum.h: checksums of headers, for the files of this room.
 *
 * Most segments are a header and nothing else. For those a call of base/cksum costs more than the
 * adding: here short runs of words are summed in place. Partial sums are those of base/cksum.h.
 */
#ifndef TERN_WIRE_SUM_H
#define TERN_WIRE_SUM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cksum.h"
#include "base/compiler.h"

enum {
	TERN_SUM_SHORT = 60, /* bytes: the longest TCP or IPv4 header */
};

/* Add 8 or 4 bytes; the carry comes back in at the low end. */
static inline uint64_t tern_sum_word(uint64_t sum, const uint8_t *p)
{
	uint64_t word;
	bool carry;

	memcpy(&word, p, sizeof(word));
	carry = __builtin_add_overflow(sum, word, &sum);
	return sum + carry;
}

static inline uint64_t tern_sum_half(uint64_t sum, const uint8_t *p)
{
	uint32_t half;
	bool carry;

	memcpy(&half, p, sizeof(half));
	carry = __builtin_add_overflow(sum, half, &sum);
	return sum + carry;
}

/* Adds 32 bytes, in a straight line: a TCP header with timestamps. */
static inline uint64_t tern_sum_32(uint64_t sum, const uint8_t *p)
{
	sum = tern_sum_word(tern_sum_word(sum, p), p + 8);
	return tern_sum_word(tern_sum_word(sum, p + 16), p + 24);
}

/* Adds len bytes that begin at an even offset; only the last piece may be odd. */
static inline uint64_t tern_sum_add(uint64_t sum, const uint8_t *p, uint32_t len)
{
	if (TERN_UNLIKELY(len > TERN_SUM_SHORT || len % 4 != 0))
		return tern_cksum_add(p, len, sum);
	if (TERN_LIKELY(len >= 32)) {
		sum = tern_sum_32(sum, p);
		p += 32;
		len -= 32;
	}
	for (; len >= 8; len -= 8, p += 8)
		sum = tern_sum_word(sum, p);
	if (len)
		sum = tern_sum_half(sum, p);
	return (sum & UINT32_MAX) + (sum >> 32);
}

/* tern_cksum_pseudo(), with IPv4 in place. */
static inline uint64_t tern_sum_pseudo(const struct tern_addr *src, const struct tern_addr *dst,
				       uint8_t proto, uint32_t len)
{
	uint32_t a, b;

	if (TERN_UNLIKELY(src->family != TERN_INET || len > UINT16_MAX))
		return tern_cksum_pseudo(src, dst, proto, len);
	memcpy(&a, src->b, sizeof(a));
	memcpy(&b, dst->b, sizeof(b));
	return (uint64_t)a + b + tern_swap_u16((uint16_t)len) + tern_swap_u16(proto);
}

/*
 * Whether a sum over everything, checksum included, is right: it folds to 0xffff. Folding is taking
 * the remainder by 0xffff, so a sum that is not 0 (no header sums to 0) must be divisible by it,
 * and that is one multiplication.
 */
static inline bool tern_sum_is_whole(uint64_t sum)
{
	return sum % 0xffff == 0;
}

#endif
