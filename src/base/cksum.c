/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/cksum.c: the sum is taken over 32-bit words in the byte order of the machine, each widened
 * to 64 bits, so that no carry is lost and none has to be looked at before the end. That is allowed
 * because the ones' complement sum does not care about byte order (RFC 1071 §2 (B)) nor about the
 * width it is taken in, as long as 2^n - 1 is a multiple of 2^16 - 1.
 *
 * The bulk goes in blocks of 64 bytes as two vectors of four 64-bit lanes; the low and the high
 * halves of the lanes are added up apart. The compiler makes one version with AVX2 and one for
 * every x86-64, and the dynamic linker picks: 1460 bytes take half the time of an
 * add-with-carry chain. What is left (headers are nothing else) is scalar and inline.
 */
#include "base/cksum.h"

#include "base/addr.h"

/* The dynamic linker would ask before the thread sanitizer is there to be asked. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1 /* as gcc says it */
#endif
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

#define BLOCK 64
#define LOW   UINT64_C(0xffffffff)

typedef uint64_t lanes __attribute__((vector_size(32)));

CLONES static uint64_t sum_blocks(const uint8_t *p, size_t blocks)
{
	lanes low = { 0 }, high = { 0 }, low2 = { 0 }, high2 = { 0 };

	for (; blocks; blocks--, p += BLOCK) {
		lanes v, v2;

		memcpy(&v, p, sizeof(v));
		memcpy(&v2, p + sizeof(v), sizeof(v2));
		low += v & LOW;
		high += v >> 32;
		low2 += v2 & LOW;
		high2 += v2 >> 32;
	}
	low += high + low2 + high2;
	return low[0] + low[1] + low[2] + low[3];
}

/* The sum of fewer than 64 bytes, a missing last byte taken as zero. */
static inline uint64_t sum_rest(const uint8_t *p, size_t len)
{
	uint64_t sum = 0, v;
	uint32_t v32;
	uint16_t v16 = 0;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, 8);
		sum += (v & LOW) + (v >> 32);
	}
	if (len & 4) {
		memcpy(&v32, p, 4);
		sum += v32;
		p += 4;
	}
	if (len & 2) {
		memcpy(&v16, p, 2);
		sum += v16;
		p += 2;
	}
	if (len & 1) {
		v16 = 0;
		memcpy(&v16, p, 1);
		sum += v16;
	}
	return sum;
}

/* Below 2^33, and the same modulo 2^32 - 1. */
static inline uint64_t reduce(uint64_t sum)
{
	return (sum & LOW) + (sum >> 32);
}

uint64_t tern_cksum_add(const void *ptr, size_t len, uint64_t sum)
{
	const uint8_t *p = ptr;
	size_t bulk = len & ~(size_t)(BLOCK - 1);

	if (!len)
		return sum;
	if (bulk)
		sum = reduce(sum) + sum_blocks(p, bulk / BLOCK);
	return reduce(sum) + sum_rest(p + bulk, len - bulk);
}

/* At an odd offset each byte stands in the other half of its word (RFC 1071 §2 (B)). */
uint64_t tern_cksum_piece(uint64_t sum, const void *ptr, size_t len, bool offset_is_odd)
{
	uint16_t part;

	if (!offset_is_odd)
		return tern_cksum_add(ptr, len, sum);
	part = tern_cksum_fold(tern_cksum_add(ptr, len, 0));
	return reduce(sum) + __builtin_bswap16(tern_swap_u16(part));
}

uint64_t tern_cksum_pseudo(const struct tern_addr *src, const struct tern_addr *dst, uint8_t proto,
			   uint32_t len)
{
	size_t addr_len = tern_addr_len(src->family);
	uint64_t sum = tern_swap_u16(proto);

	sum += tern_swap_u32(len);
	sum += sum_rest(src->b, addr_len);
	return sum + sum_rest(dst->b, addr_len);
}
