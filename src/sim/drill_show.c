/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_show.c: a segment in the script's own words, to be laid beside what the script expects.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "sim/drill_show.h"
#include "wire/tcp.h"

static void put_blocks(struct tern_text *t, const uint8_t *o, uint32_t len)
{
	for (uint32_t at = 2; at + 8 <= len; at += 8) {
		tern_text_char(t, ' ');
		tern_text_u64(t, tern_get_u32(o + at));
		tern_text_char(t, ':');
		tern_text_u64(t, tern_get_u32(o + at + 4));
	}
}

static void put_hex(struct tern_text *t, const uint8_t *bytes, uint32_t n)
{
	if (n)
		tern_text_char(t, ' ');
	for (uint32_t i = 0; i < n; i++)
		tern_text_hex(t, bytes[i], 2);
}

static void put_value(struct tern_text *t, const char *name, uint32_t value)
{
	tern_text_str(t, name);
	tern_text_u64(t, value);
}

/* One option of len bytes, kind and length included. */
static void put_option(struct tern_text *t, const uint8_t *o, uint32_t len)
{
	if (o[0] == TERN_KIND_MSS && len == 4) {
		put_value(t, "mss ", tern_get_u16(o + 2));
	} else if (o[0] == TERN_KIND_WSCALE && len == 3) {
		put_value(t, "wscale ", o[2]);
	} else if (o[0] == TERN_KIND_SACKOK && len == 2) {
		tern_text_str(t, "sackOK");
	} else if (o[0] == TERN_KIND_SACK) {
		tern_text_str(t, "sack");
		put_blocks(t, o, len);
	} else if (o[0] == TERN_KIND_TS && len == 10) {
		put_value(t, "TS val ", tern_get_u32(o + 2));
		put_value(t, " ecr ", tern_get_u32(o + 6));
	} else if (o[0] == TERN_KIND_FASTOPEN) {
		tern_text_str(t, "FO");
		put_hex(t, o + 2, len - 2);
	} else if (o[0] == 254 && len >= 4 && tern_get_u16(o + 2) == 0xf989) {
		tern_text_str(t, "FOEXP");
		put_hex(t, o + 4, len - 4);
	} else {
		put_value(t, "kind ", o[0]);
		put_hex(t, o + 2, len - 2);
	}
}

static void put_options(struct tern_text *t, const uint8_t *o, uint32_t len)
{
	uint32_t i = 0, n;

	if (!len)
		return;
	tern_text_str(t, " <");
	while (i < len) {
		if (i)
			tern_text_char(t, ',');
		n = 1;
		if (o[i] == TERN_KIND_NOP || o[i] == TERN_KIND_EOL) {
			tern_text_str(t, o[i] ? "nop" : "eol");
		} else if (i + 1 >= len || o[i + 1] < 2 || i + o[i + 1] > len) {
			tern_text_str(t, "malformed");
			break;
		} else {
			n = o[i + 1];
			put_option(t, o + i, n);
		}
		i += n;
	}
	tern_text_char(t, '>');
}

static void put_flags(struct tern_text *t, unsigned int flags)
{
	static const char letters[] = "FSRP.UEWA";
	bool any = false;

	for (unsigned int i = 0; letters[i]; i++) {
		if (!(flags & 1u << i) || letters[i] == '.')
			continue;
		tern_text_char(t, letters[i]);
		any = true;
	}
	if (flags & TERN_ACK)
		tern_text_char(t, '.');
	else if (!any)
		tern_text_char(t, '-');
}

void tern_drill_show_segment(const struct tern_segment *seg, uint32_t len, const uint8_t *option,
			     uint32_t option_len, char *text, size_t cap)
{
	struct tern_text t;

	tern_text_init(&t, text, cap);
	tern_text_str(&t, "> ");
	put_flags(&t, seg->flags);
	put_value(&t, " ", seg->seq);
	put_value(&t, ":", seg->seq + len);
	put_value(&t, "(", len);
	tern_text_char(&t, ')');
	if (seg->flags & TERN_ACK)
		put_value(&t, " ack ", seg->ack);
	put_value(&t, " win ", seg->wnd);
	if (seg->flags & TERN_URG)
		put_value(&t, " urg ", seg->urgent);
	put_options(&t, option, option_len);
}
