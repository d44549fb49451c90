/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/pcapng.c: the three blocks a capture needs.
 *
 * Every block is type (4), total length (4), body, total length again (4); options inside are code
 * (2), length (2), value padded to 4 bytes, closed by an empty one. The total length is known only
 * when the body is written, so it is put in behind. Integers are little-endian, byte by byte, on
 * every machine: the same capture is the same file.
 */
#include "wire/pcapng.h"

#include <stddef.h>
#include <string.h>

#include "base/bytes.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_IF_NAME = 2,
	OPT_USER_APPLICATION = 4,
	OPT_IF_TSRESOL = 9,
};

static void put_le16(struct tern_wr *wr, uint32_t v)
{
	tern_wr_u8(wr, (uint8_t)v);
	tern_wr_u8(wr, (uint8_t)(v >> 8));
}

static void put_le32(struct tern_wr *wr, uint32_t v)
{
	put_le16(wr, v & 0xffff);
	put_le16(wr, v >> 16);
}

static void put_padding(struct tern_wr *wr, size_t len)
{
	tern_wr_zero(wr, (4 - len % 4) % 4);
}

static void put_option(struct tern_wr *wr, uint32_t code, const void *value, size_t len)
{
	put_le16(wr, code);
	put_le16(wr, (uint32_t)len);
	tern_wr_bytes(wr, value, len);
	put_padding(wr, len);
}

/* A text option; one cut at the limit does not end inside a UTF-8 character. */
static void put_text(struct tern_wr *wr, uint32_t code, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len > TERN_PCAPNG_COMMENT_MAX) {
		len = TERN_PCAPNG_COMMENT_MAX;
		while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
			len--;
	}
	if (len)
		put_option(wr, code, text, len);
}

static void begin_block(struct tern_wr *wr, uint8_t *buf, uint32_t cap, uint32_t type)
{
	tern_wr_init(wr, buf, cap);
	put_le32(wr, type);
	put_le32(wr, 0);
}

/* Puts the total length at both ends; returns it, or 0 when something did not fit. */
static uint32_t end_block(struct tern_wr *wr)
{
	uint32_t total = (uint32_t)tern_wr_len(wr) + 4;
	struct tern_wr head;

	put_le32(wr, total);
	if (wr->failed)
		return 0;
	tern_wr_init(&head, wr->base + 4, 4);
	put_le32(&head, total);
	return total;
}

uint32_t tern_pcapng_section(uint8_t *buf, uint32_t cap, const char *application)
{
	struct tern_wr wr;

	begin_block(&wr, buf, cap, BLOCK_SECTION);
	put_le32(&wr, BYTE_ORDER_MAGIC);
	put_le16(&wr, 1); /* version 1.0 */
	put_le16(&wr, 0);
	put_le32(&wr, UINT32_MAX); /* section length: not known */
	put_le32(&wr, UINT32_MAX);
	put_text(&wr, OPT_USER_APPLICATION, application);
	put_option(&wr, OPT_END, NULL, 0);
	return end_block(&wr);
}

uint32_t tern_pcapng_interface(uint8_t *buf, uint32_t cap, const char *name, uint32_t snaplen)
{
	static const uint8_t nanoseconds = 9; /* 10^-9 s */
	struct tern_wr wr;

	begin_block(&wr, buf, cap, BLOCK_INTERFACE);
	put_le16(&wr, TERN_PCAPNG_LINKTYPE_RAW);
	put_le16(&wr, 0);
	put_le32(&wr, snaplen);
	put_text(&wr, OPT_IF_NAME, name);
	put_option(&wr, OPT_IF_TSRESOL, &nanoseconds, 1);
	put_option(&wr, OPT_END, NULL, 0);
	return end_block(&wr);
}

uint32_t tern_pcapng_packet(uint8_t *buf, uint32_t cap, uint32_t iface, uint64_t realtime_ns,
			    const struct tern_piece *pieces, uint32_t count, uint32_t orig_len,
			    const char *comment)
{
	struct tern_wr wr;
	uint32_t len = 0;

	for (uint32_t i = 0; i < count; i++)
		len += pieces[i].len;
	begin_block(&wr, buf, cap, BLOCK_PACKET);
	put_le32(&wr, iface);
	put_le32(&wr, (uint32_t)(realtime_ns >> 32));
	put_le32(&wr, (uint32_t)realtime_ns);
	put_le32(&wr, len);
	put_le32(&wr, orig_len < len ? len : orig_len);
	for (uint32_t i = 0; i < count; i++)
		tern_wr_bytes(&wr, pieces[i].ptr, pieces[i].len);
	put_padding(&wr, len);
	if (comment && *comment) {
		put_text(&wr, OPT_COMMENT, comment);
		put_option(&wr, OPT_END, NULL, 0);
	}
	return end_block(&wr);
}
