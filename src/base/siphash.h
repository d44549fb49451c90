/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/siphash.h: SipHash (Aumasson, Bernstein 2012), the keyed hash behind everything that an
 * outsider must not foresee. 2-4 is a pseudorandom function: cookies, ISNs, the generator. 1-3 is
 * enough where only the place in a table is at stake.
 *
 * Keys are two words, as little-endian loads of the 16 key bytes of the paper. Messages are words
 * too, and are hashed as their little-endian bytes; with a constant word count the functions unroll
 * into straight code.
 */
#ifndef TERN_BASE_SIPHASH_H
#define TERN_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct tern_sip {
	uint64_t v0, v1, v2, v3;
};

TERN_INLINE uint64_t tern_sip_rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

TERN_INLINE void tern_sip_round(struct tern_sip *s)
{
	s->v0 += s->v1;
	s->v1 = tern_sip_rotl(s->v1, 13) ^ s->v0;
	s->v0 = tern_sip_rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = tern_sip_rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = tern_sip_rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = tern_sip_rotl(s->v1, 17) ^ s->v2;
	s->v2 = tern_sip_rotl(s->v2, 32);
}

TERN_INLINE void tern_sip_start(struct tern_sip *s, const uint64_t key[2])
{
	s->v0 = key[0] ^ 0x736f6d6570736575u;
	s->v1 = key[1] ^ 0x646f72616e646f6du;
	s->v2 = key[0] ^ 0x6c7967656e657261u;
	s->v3 = key[1] ^ 0x7465646279746573u;
}

/* Take in one message word with `rounds` compression rounds. */
TERN_INLINE void tern_sip_word(struct tern_sip *s, uint64_t m, unsigned int rounds)
{
	s->v3 ^= m;
	for (unsigned int i = 0; i < rounds; i++)
		tern_sip_round(s);
	s->v0 ^= m;
}

TERN_INLINE uint64_t tern_sip_end(struct tern_sip *s, unsigned int rounds)
{
	s->v2 ^= 0xff;
	for (unsigned int i = 0; i < rounds; i++)
		tern_sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* n words, then tail_len (0..7) bytes that stand in the low end of tail. */
TERN_INLINE uint64_t tern_sip_words(const uint64_t key[2], const uint64_t *words, size_t n,
				    uint64_t tail, size_t tail_len, unsigned int c, unsigned int d)
{
	struct tern_sip s;

	tern_sip_start(&s, key);
	for (size_t i = 0; i < n; i++)
		tern_sip_word(&s, words[i], c);
	tern_sip_word(&s, tail | (uint64_t)(8 * n + tail_len) << 56, c);
	return tern_sip_end(&s, d);
}

/* SipHash-2-4 of n words (8n bytes). */
TERN_INLINE uint64_t tern_siphash24_words(const uint64_t key[2], const uint64_t *words, size_t n)
{
	return tern_sip_words(key, words, n, 0, 0, 2, 4);
}

/* SipHash-1-3 of n words (8n bytes). */
TERN_INLINE uint64_t tern_siphash13_words(const uint64_t key[2], const uint64_t *words, size_t n)
{
	return tern_sip_words(key, words, n, 0, 0, 1, 3);
}

/* SipHash-2-4 of n words and one half word (8n + 4 bytes). */
TERN_INLINE uint64_t tern_siphash24_words_u32(const uint64_t key[2], const uint64_t *words,
					      size_t n, uint32_t tail)
{
	return tern_sip_words(key, words, n, tail, 4, 2, 4);
}

/* SipHash-1-3 of n words and one half word (8n + 4 bytes). */
TERN_INLINE uint64_t tern_siphash13_words_u32(const uint64_t key[2], const uint64_t *words,
					      size_t n, uint32_t tail)
{
	return tern_sip_words(key, words, n, tail, 4, 1, 3);
}

#endif
