/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/utf8.c: well-formed UTF-8 by the table of RFC 3629 §4: no overlong forms, no surrogates,
 * nothing above U+10FFFF. What each leading byte allows for the byte behind it is a table; all
 * further bytes are 80..BF.
 */
#include "report/utf8.h"

#include "base/compiler.h"

struct lead {
	uint8_t first, last; /* range of the leading byte */
	uint8_t length;      /* bytes in all */
	uint8_t least, most; /* range of the second byte */
};

static const struct lead leads[] = {
	{ 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct lead *lead_of(uint8_t byte)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(leads); i++) {
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	}
	return NULL;
}

size_t tern_utf8_length(const char *p, size_t n)
{
	const uint8_t *b = (const uint8_t *)p;
	const struct lead *lead = n ? lead_of(b[0]) : NULL;

	if (!lead || lead->length > n)
		return 0;
	if (lead->length > 1 && (b[1] < lead->least || b[1] > lead->most))
		return 0;
	for (size_t i = 2; i < lead->length; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	}
	return lead->length;
}

size_t tern_utf8_encode(uint32_t code, char out[4])
{
	size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint8_t marks[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

	for (size_t i = length - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(marks[length] | code);
	return length;
}

size_t tern_utf8_columns(const char *s)
{
	size_t columns = 0;

	for (; *s; s++)
		columns += ((uint8_t)*s & 0xc0) != 0x80;
	return columns;
}
