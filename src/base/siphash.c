/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/siphash.c: SipHash over bytes.
 *
 * The message is cut into little-endian 64-bit words; the last one holds the remaining 0..7 bytes
 * and the length modulo 256 in its top byte. Everything else is in the header, where the callers
 * with whole words get it inlined.
 */
#include "base/siphash.h"

#include <string.h>

static uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

TERN_INLINE uint64_t siphash(const uint64_t key[2], const void *data, size_t len, unsigned int c,
			     unsigned int d)
{
	const uint8_t *p = data;
	size_t words = len / 8;
	struct tern_sip s;
	uint64_t last = (uint64_t)len << 56;

	tern_sip_start(&s, key);
	for (size_t i = 0; i < words; i++)
		tern_sip_word(&s, load_le64(p + 8 * i), c);
	for (size_t i = 0; i < len % 8; i++)
		last |= (uint64_t)p[8 * words + i] << (8 * i);
	tern_sip_word(&s, last, c);
	return tern_sip_end(&s, d);
}

uint64_t tern_siphash24(const uint64_t key[2], const void *data, size_t len)
{
	return siphash(key, data, len, 2, 4);
}

uint64_t tern_siphash13(const uint64_t key[2], const void *data, size_t len)
{
	return siphash(key, data, len, 1, 3);
}
