/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit/wire/frame.h: frames for the tests of the room.
 *
 * guarded() puts a frame right in front of a page that cannot be read, so that a parser that reads
 * one byte too far dies in every build, not only under a sanitizer.
 */
#ifndef TERN_TESTS_UNIT_WIRE_FRAME_H
#define TERN_TESTS_UNIT_WIRE_FRAME_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/rng.h"
#include "wire/segment.h"

#define GUARDED_MAX (1u << 17)

/* A copy of len bytes, valid until the next call, with nothing readable behind it. */
static inline uint8_t *guarded(const void *bytes, uint32_t len)
{
	static uint8_t *area;
	uint8_t *at;

	if (!area) {
		area = mmap(NULL, 2 * GUARDED_MAX, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(area != MAP_FAILED);
		assert_int_equal(mprotect(area + GUARDED_MAX, GUARDED_MAX, PROT_NONE), 0);
	}
	assert_true(len <= GUARDED_MAX);
	at = area + GUARDED_MAX - len;
	if (len)
		memcpy(at, bytes, len);
	return at;
}

/* The addresses of the examples: 10.77.0.x and fd77::x. */
static inline struct tern_addr host4(uint8_t x)
{
	return tern_addr_v4(10, 77, 0, x);
}

static inline struct tern_addr host6(uint8_t x)
{
	return (struct tern_addr){ .family = TERN_INET6, .b = { 0xfd, 0x77, [15] = x } };
}

static inline void seed(struct tern_rng *rng, uint8_t x)
{
	uint8_t bytes[TERN_RNG_SEED_LEN] = { x };

	tern_rng_init(rng, bytes);
}

static inline struct tern_addr random_addr(struct tern_rng *rng, uint8_t family)
{
	uint8_t bytes[16];

	tern_rng_bytes(rng, bytes, sizeof(bytes));
	return tern_addr_from_bytes(family, bytes);
}

/* The Internet checksum as RFC 1071 defines it, in the slowest way there is. */
static inline uint32_t plain_sum(const uint8_t *p, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The sum of a pseudo header, the same way. */
static inline uint32_t plain_pseudo(const struct tern_addr *src, const struct tern_addr *dst,
				    uint8_t proto, uint32_t len)
{
	uint8_t p[40] = { 0 };
	uint32_t n = (uint32_t)tern_addr_len(src->family);

	memcpy(p, src->b, n);
	memcpy(p + n, dst->b, n);
	tern_put_u32(p + 2 * n, len);
	p[2 * n + 7] = proto;
	return plain_sum(p, 2 * n + 8);
}

#endif
