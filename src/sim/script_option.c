/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script_option.c: TCP options as a script writes them, into the bytes that they are.
 *
 *	<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>	<sack 1:2 3:4>	<FO a1b2>	<...>
 *
 * A packet's options are compared as bytes: order and padding count. So they must fill words here
 * as well, and what does not is an error.
 */
#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/reader.h"
#include "wire/tcp.h"

enum {
	KIND_MD5 = 19,
	KIND_ACCECN0 = 172,
	KIND_ACCECN1 = 174,
	KIND_EXPERIMENT = 254,
	FASTOPEN_MAGIC = 0xf989, /* RFC 7413 appendix A */
	HEX_MAX = 36,
};

static bool put(struct tern_reader *r, struct tern_script_packet *packet, const char *from,
		const uint8_t *bytes, size_t n)
{
	if (packet->option_len + n > TERN_SCRIPT_OPTIONS)
		return tern_reader_fail(r, from, "the options are longer than 40 bytes");
	memcpy(packet->option + packet->option_len, bytes, n);
	packet->option_len += (uint32_t)n;
	return true;
}

/* Hexadecimal digits at the cursor, or what -D says of the word there. */
static bool read_hex(struct tern_reader *r, uint8_t *ret, size_t *ret_len)
{
	const char *from, *digits;
	size_t n = 0, count;

	tern_reader_skip_blanks(r);
	from = r->p;
	while (r->p < r->end && (isalnum((unsigned char)*r->p) || *r->p == '_'))
		r->p++;
	count = (size_t)(r->p - from);
	digits = tern_reader_define(r, from, count);
	if (digits)
		count = strlen(digits);
	else
		digits = from;
	if (count % 2 || count / 2 > HEX_MAX)
		return tern_reader_fail(r, from, "hexadecimal digits in pairs expected, at most %d",
					2 * HEX_MAX);
	for (size_t i = 0; i < count; i += 2) {
		unsigned int byte = 0;

		for (size_t j = i; j < i + 2; j++) {
			char c = (char)tolower((unsigned char)digits[j]);

			if (!isxdigit((unsigned char)c))
				return tern_reader_fail(r, from,
							"'%.*s' is not hexadecimal, nor defined",
							(int)count, digits);
			byte = byte << 4 |
			       (unsigned int)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
		}
		ret[n++] = (uint8_t)byte;
	}
	*ret_len = n;
	return true;
}

static bool read_mss(struct tern_reader *r, uint8_t *o, size_t *n)
{
	int64_t mss;

	if (!tern_reader_number(r, 0, UINT16_MAX, &mss))
		return false;
	o[0] = TERN_KIND_MSS;
	tern_put_u16(o + 2, (uint16_t)mss);
	*n = 4;
	return true;
}

static bool read_wscale(struct tern_reader *r, uint8_t *o, size_t *n)
{
	int64_t shift;

	if (!tern_reader_number(r, 0, UINT8_MAX, &shift))
		return false;
	o[0] = TERN_KIND_WSCALE;
	o[2] = (uint8_t)shift;
	*n = 3;
	return true;
}

static bool read_sackok(struct tern_reader *r, uint8_t *o, size_t *n)
{
	(void)r;
	o[0] = TERN_KIND_SACKOK;
	*n = 2;
	return true;
}

static bool read_ts(struct tern_reader *r, uint8_t *o, size_t *n)
{
	uint32_t val, ecr;

	if (!tern_reader_take_word(r, "val"))
		return tern_reader_expected(r, "val");
	if (!tern_reader_u32(r, &val))
		return false;
	if (!tern_reader_take_word(r, "ecr"))
		return tern_reader_expected(r, "ecr");
	if (!tern_reader_u32(r, &ecr))
		return false;
	o[0] = TERN_KIND_TS;
	tern_put_u32(o + 2, val);
	tern_put_u32(o + 6, ecr);
	*n = 10;
	return true;
}

static bool read_sack(struct tern_reader *r, uint8_t *o, size_t *n)
{
	uint32_t left, right;

	o[0] = TERN_KIND_SACK;
	*n = 2;
	do {
		if (!tern_reader_u32(r, &left) || !tern_reader_want(r, ":") ||
		    !tern_reader_u32(r, &right))
			return false;
		if (*n + 8 > TERN_SCRIPT_OPTIONS)
			return tern_reader_fail(r, r->p, "more SACK blocks than fit");
		tern_put_u32(o + *n, left);
		tern_put_u32(o + *n + 4, right);
		*n += 8;
	} while (tern_reader_at_number(r));
	return true;
}

static bool read_fastopen(struct tern_reader *r, uint8_t *o, size_t *n)
{
	o[0] = TERN_KIND_FASTOPEN;
	if (!read_hex(r, o + 2, n))
		return false;
	*n += 2;
	return true;
}

static bool read_fastopen_exp(struct tern_reader *r, uint8_t *o, size_t *n)
{
	o[0] = KIND_EXPERIMENT;
	tern_put_u16(o + 2, FASTOPEN_MAGIC);
	if (!read_hex(r, o + 4, n))
		return false;
	*n += 4;
	return true;
}

static bool read_md5(struct tern_reader *r, uint8_t *o, size_t *n)
{
	o[0] = KIND_MD5;
	if (!read_hex(r, o + 2, n))
		return false;
	if (*n != 16 && *n != 0)
		return tern_reader_fail(r, r->p, "an MD5 digest has 32 digits");
	*n = 18;
	return true;
}

/* ECN e1b N ceb N e0b N, in the order of kind 174, or of 172 where e0b comes first. */
static bool read_accecn(struct tern_reader *r, uint8_t *o, size_t *n)
{
	uint32_t counter;

	o[0] = tern_reader_peek(r, "e0b") ? KIND_ACCECN0 : KIND_ACCECN1;
	*n = 2;
	while (tern_reader_take_word(r, "e0b") || tern_reader_take_word(r, "e1b") ||
	       tern_reader_take_word(r, "ceb")) {
		if (*n + 3 > 11)
			return tern_reader_fail(r, r->p, "more than three counters");
		if (!tern_reader_u32(r, &counter))
			return false;
		o[*n] = (uint8_t)(counter >> 16);
		tern_put_u16(o + *n + 1, (uint16_t)counter);
		*n += 3;
	}
	return true;
}

/* An option of any kind: "kind 253 0a0b". */
static bool read_raw(struct tern_reader *r, uint8_t *o, size_t *n)
{
	int64_t kind;

	if (!tern_reader_number(r, 2, UINT8_MAX, &kind) || !read_hex(r, o + 2, n))
		return false;
	o[0] = (uint8_t)kind;
	*n += 2;
	return true;
}

static bool read_option(struct tern_reader *r, struct tern_script_packet *packet)
{
	static const struct {
		const char *word;
		bool (*read)(struct tern_reader *r, uint8_t *o, size_t *n);
	} options[] = {
		{ "mss", read_mss },
		{ "wscale", read_wscale },
		{ "sackOK", read_sackok },
		{ "TS", read_ts },
		{ "sack", read_sack },
		{ "FO", read_fastopen },
		{ "FOEXP", read_fastopen_exp },
		{ "md5", read_md5 },
		{ "ECN", read_accecn },
		{ "kind", read_raw },
	};
	uint8_t bytes[64] = { 0 };
	const char *from;
	size_t n = 1;

	tern_reader_skip_blanks(r);
	from = r->p;
	if (tern_reader_take_word(r, "nop") || tern_reader_take_word(r, "eol")) {
		bytes[0] = *from == 'n' ? TERN_KIND_NOP : TERN_KIND_EOL;
		return put(r, packet, from, bytes, 1);
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(options); i++) {
		if (!tern_reader_take_word(r, options[i].word))
			continue;
		if (!options[i].read(r, bytes, &n))
			return false;
		bytes[1] = (uint8_t)n;
		return put(r, packet, from, bytes, n);
	}
	return tern_reader_expected(r, "a TCP option (mss wscale sackOK TS sack nop eol FO FOEXP "
				       "md5 ECN kind)");
}

bool tern_script_read_options(struct tern_reader *r, struct tern_script_packet *packet)
{
	const char *from = r->p;

	if (!tern_reader_want(r, "<"))
		return false;
	if (tern_reader_take(r, "...")) {
		packet->any_options = true;
		return tern_reader_want(r, ">");
	}
	if (tern_reader_take(r, ">"))
		return true;
	do {
		tern_reader_skip(r);
		if (!read_option(r, packet))
			return false;
	} while (tern_reader_take(r, ","));
	if (!tern_reader_want(r, ">"))
		return false;
	if (packet->option_len % 4)
		return tern_reader_fail(r, from,
					"these options are %u bytes, not a multiple of 4: nop or "
					"eol is missing",
					packet->option_len);
	return true;
}
