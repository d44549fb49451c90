/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/text.h: formatting into a bounded buffer, without printf, locale or allocation.
 *
 * The buffer is NUL-terminated after every call. What does not fit is left out and `cut` is set;
 * later pieces are left out as well, so that a cut text is always a true beginning.
 */
#ifndef TERN_BASE_TEXT_H
#define TERN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "tern/wire.h"

/* Room for the longest address and endpoint with the NUL: "[ffff:...:255.255.255.255]:65535". */
#define TERN_TEXT_ADDR_MAX     46
#define TERN_TEXT_ENDPOINT_MAX 54

struct tern_text {
	char *buf;
	size_t cap, len;
	bool cut;
};

/* Begin an empty text in cap bytes at buf, which stay the caller's. A cap of 0 is cut at once. */
void tern_text_init(struct tern_text *t, char *buf, size_t cap);

/* Append one character, a string, or n characters (NUL bytes among them are copied too). */
void tern_text_char(struct tern_text *t, char c);
void tern_text_str(struct tern_text *t, const char *s);
void tern_text_strn(struct tern_text *t, const char *s, size_t n);

/* Append a decimal number. */
void tern_text_u64(struct tern_text *t, uint64_t v);

/* Append lower-case hexadecimal without prefix, zero-filled to min_digits (at most 16). */
void tern_text_hex(struct tern_text *t, uint64_t v, unsigned int min_digits);

/* Append value / 10^decimals with that many decimals (at most 19): 1234, 3 gives 1.234. */
void tern_text_fixed(struct tern_text *t, uint64_t value, unsigned int decimals);

/*
 * Append an address: dotted quad, or RFC 5952 for IPv6 (lower case, the first longest run of two
 * or more zero groups as ::, IPv4-mapped with a dotted tail). The empty address is "*".
 */
void tern_text_addr(struct tern_text *t, const struct tern_addr *addr);

/* Append address:port, IPv6 in brackets (RFC 5952 §6). */
void tern_text_endpoint(struct tern_text *t, const struct tern_endpoint *ep);

/*
 * Slips between two words: letters too many, too few or other ones (Levenshtein). Words beyond
 * TERN_TEXT_WORD_MAX have as many.
 */
#define TERN_TEXT_WORD_MAX 64
unsigned int tern_text_slips(const char *a, const char *b);

/* Read a decimal number: digits only, all of the string, up to 2^64-1. 0 or -EINVAL, -ERANGE. */
TERN_NODISCARD int tern_text_parse_u64(const char *s, uint64_t *ret);

#endif
