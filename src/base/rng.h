/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/rng.h: the seeded generator of a stack: SipHash-2-4 in counter mode.
 *
 * Who does not know the seed cannot tell the output from chance; who knows it can replay it. Good
 * for ports, ISN secrets, jitter and simulation; 2^64 outputs, no backtracking resistance.
 */
#ifndef TERN_BASE_RNG_H
#define TERN_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#define TERN_RNG_SEED_LEN 32

struct tern_rng {
	uint64_t key[2];
	uint64_t word[3]; /* hashed for each output: the rest of the seed, and the counter */
};

/* Start the sequence that belongs to a seed; the seed is copied. */
void tern_rng_init(struct tern_rng *rng, const uint8_t seed[TERN_RNG_SEED_LEN]);

/* The next 64 or 32 random bits (each call takes one step of the counter). */
uint64_t tern_rng_u64(struct tern_rng *rng);
uint32_t tern_rng_u32(struct tern_rng *rng);

/* A number below n, every one equally likely; 0 if n is 0. May take more than one step. */
uint32_t tern_rng_below(struct tern_rng *rng, uint32_t n);

/* Fill len bytes. */
void tern_rng_bytes(struct tern_rng *rng, void *ptr, size_t len);

#endif
