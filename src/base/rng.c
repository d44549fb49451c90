/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/rng.c: output n is SipHash-2-4 of (seed bytes 16..31, n) under the key of seed bytes 0..15.
 *
 * The hash being a pseudorandom function, outputs reveal nothing about each other; the counter
 * makes the period 2^64. Words are little-endian, so a seed gives one sequence on every machine.
 */
#include "base/rng.h"

#include "base/siphash.h"

static uint64_t seed_word(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

void tern_rng_init(struct tern_rng *rng, const uint8_t seed[TERN_RNG_SEED_LEN])
{
	rng->key[0] = seed_word(seed);
	rng->key[1] = seed_word(seed + 8);
	rng->word[0] = seed_word(seed + 16);
	rng->word[1] = seed_word(seed + 24);
	rng->word[2] = 0;
}

uint64_t tern_rng_u64(struct tern_rng *rng)
{
	uint64_t v = tern_siphash24_words(rng->key, rng->word, 3);

	rng->word[2]++;
	return v;
}

uint32_t tern_rng_u32(struct tern_rng *rng)
{
	return (uint32_t)(tern_rng_u64(rng) >> 32);
}

/*
 * Lemire's method: of the 64-bit product of a random number and n the high half is the result. The
 * products whose low half is below 2^32 mod n are the surplus ones that would make some results
 * likelier; they are drawn again.
 */
uint32_t tern_rng_below(struct tern_rng *rng, uint32_t n)
{
	uint32_t surplus;
	uint64_t product;

	if (!n)
		return 0;
	surplus = -n % n;
	do {
		product = (uint64_t)tern_rng_u32(rng) * n;
	} while ((uint32_t)product < surplus);
	return (uint32_t)(product >> 32);
}

void tern_rng_bytes(struct tern_rng *rng, void *ptr, size_t len)
{
	uint8_t *p = ptr;
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			v = tern_rng_u64(rng);
		p[i] = (uint8_t)v;
		v >>= 8;
	}
}
