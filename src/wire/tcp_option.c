/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/tcp_option.c: TCP options, read and written.
 *
 * Nearly every segment of a Linux peer carries exactly nop, nop, timestamps: one 32-bit compare
 * recognises it, and whatever follows (SACK blocks) goes through the general loop. A Linux SYN has
 * one form, too, and is recognised whole. The loop reads
 * kind and length and asks the cursor for the body; it advances by at least one byte each turn and
 * never beyond the end, whatever the bytes say (attacks A01, A02).
 *
 * An illegal length ends the reading, because nothing behind it can be told apart from garbage. A
 * known kind of an unexpected length, and an unknown kind, is passed over by its length. What comes
 * twice counts once, the first time, so that a proxy and the stack can never disagree (A14).
 *
 * Written options are built as whole 32-bit words.
 */
#include "wire/tcp.h"

#include "base/bytes.h"

enum {
	WORD_SACKOK = 0x01010402, /* nop, nop, SACK permitted */
	WORD_SACK = 0x01010500,   /* nop, nop, SACK; its length is added */
};

static void take_sack(struct tern_tcp_options *opt, const uint8_t *body, uint32_t len)
{
	if (len == 0 || len % 8 != 0 || len / 8 > TERN_SACK_BLOCKS_MAX)
		return;
	opt->present |= TERN_OPT_SACK;
	opt->sack_count = (uint8_t)(len / 8);
	for (uint32_t i = 0; i < opt->sack_count; i++) {
		opt->sack[i].left = tern_get_u32(body + i * 8);
		opt->sack[i].right = tern_get_u32(body + i * 8 + 4);
	}
}

static void take_fastopen(struct tern_tcp_options *opt, const uint8_t *body, uint32_t len,
			  bool experimental)
{
	if (opt->present & TERN_OPT_FASTOPEN)
		return;
	/* RFC7413:4.1.1 */
	if (len != 0 && (len < TERN_FASTOPEN_MIN || len > TERN_FASTOPEN_MAX || len % 2 != 0))
		return;
	opt->present |= TERN_OPT_FASTOPEN;
	opt->fastopen_len = (uint8_t)len;
	opt->fastopen_exp = experimental;
	memcpy(opt->fastopen, body, len);
}

static void take_ts(struct tern_tcp_options *opt, const uint8_t *body)
{
	opt->present |= TERN_OPT_TS;
	opt->tsval = tern_get_u32(body);
	opt->tsecr = tern_get_u32(body + 4);
}

/* The options that mean something on a SYN only. */
static void take_syn_option(struct tern_tcp_options *opt, uint8_t kind, const uint8_t *body,
			    uint32_t len)
{
	/* RFC9293:MUST-4 RFC9293:MUST-14 */
	if (kind == TERN_KIND_MSS && len == 2 && !(opt->present & TERN_OPT_MSS)) {
		opt->present |= TERN_OPT_MSS;
		opt->mss = tern_get_u16(body);
	} else if (kind == TERN_KIND_WSCALE && len == 1 && !(opt->present & TERN_OPT_WSCALE)) {
		opt->present |= TERN_OPT_WSCALE;
		opt->wscale = body[0];
	} else if (kind == TERN_KIND_SACKOK && len == 0) {
		opt->present |= TERN_OPT_SACKOK;
	} else if (kind == TERN_KIND_FASTOPEN) {
		take_fastopen(opt, body, len, false);
	} else if (kind == TERN_KIND_EXPERIMENT && len >= 2 &&
		   tern_get_u16(body) == TERN_TCP_FASTOPEN_MAGIC) {
		take_fastopen(opt, body + 2, len - 2, true);
	}
}

/* A SYN as Linux and put_syn_options() write it: mss, sackOK, TS, nop, wscale. */
static bool take_usual_syn(const uint8_t *p, uint32_t len, struct tern_tcp_options *opt)
{
	if (len != TERN_TCP_SYN_USUAL_LEN || (tern_get_u32(p) & 0xffff0000) != TERN_TCP_MSS_WORD ||
	    tern_get_u32(p + 4) != TERN_TCP_SACKOK_TS_WORD ||
	    (tern_get_u32(p + 16) & 0xffffff00) != TERN_TCP_WSCALE_WORD)
		return false;
	take_ts(opt, p + 8);
	opt->present = TERN_TCP_SYN_USUAL;
	opt->mss = tern_get_u16(p + 2);
	opt->wscale = p[19];
	return true;
}

bool tern_tcp_option_parse(const uint8_t *p, uint32_t len, bool syn, struct tern_tcp_options *opt)
{
	struct tern_rd rd;

	opt->present = 0;
	opt->mss = 0;
	opt->wscale = 0;
	opt->sack_count = 0;
	opt->fastopen_len = 0;
	opt->tsval = 0;
	opt->tsecr = 0;
	if (syn && take_usual_syn(p, len, opt))
		return true;
	tern_rd_init(&rd, p, len);
	if (len >= TERN_TCP_TS_LEN && tern_get_u32(p) == TERN_TCP_TS_WORD) {
		take_ts(opt, p + 4);
		tern_rd_skip(&rd, TERN_TCP_TS_LEN);
	}
	/* RFC9293:MUST-64 */
	while (tern_rd_left(&rd) > 0) {
		uint8_t kind = tern_rd_u8(&rd), size;
		const uint8_t *body;

		/* RFC9293:MUST-4 RFC9293:MUST-69 */
		if (kind == TERN_KIND_EOL)
			break;
		/* RFC9293:MUST-4 */
		if (kind == TERN_KIND_NOP)
			continue;
		/* RFC9293:MUST-68 */
		size = tern_rd_u8(&rd);
		/* RFC9293:MUST-7 */
		if (size < 2)
			return false;
		/* RFC9293:MUST-6 RFC5482:3.3 */
		body = tern_rd_bytes(&rd, size - 2u);
		if (!body)
			return false;
		/* RFC9293:MUST-5 */
		if (kind == TERN_KIND_TS && size == 10 && !(opt->present & TERN_OPT_TS))
			take_ts(opt, body);
		else if (kind == TERN_KIND_SACK && !syn && !(opt->present & TERN_OPT_SACK))
			take_sack(opt, body, size - 2u);
		else if (syn)
			take_syn_option(opt, kind, body, size - 2u);
	}
	return true;
}

static uint32_t cookie_len(const struct tern_tcp_options *opt)
{
	return opt->fastopen_len < TERN_FASTOPEN_MAX ? opt->fastopen_len & ~1u : TERN_FASTOPEN_MAX;
}

/* Bytes of a Fast Open option without its cookie. */
static uint32_t fastopen_head(const struct tern_tcp_options *opt)
{
	return opt->fastopen_exp ? 4 : 2;
}

/* Blocks that find room. */
static uint32_t sack_blocks(const struct tern_tcp_options *opt)
{
	uint32_t max = opt->present & TERN_OPT_TS ? 3 : TERN_SACK_BLOCKS_MAX;

	if (!(opt->present & TERN_OPT_SACK))
		return 0;
	return opt->sack_count < max ? opt->sack_count : max;
}

uint32_t tern_tcp_option_len(const struct tern_tcp_options *opt, bool syn)
{
	uint32_t len = opt->present & TERN_OPT_TS ? TERN_TCP_TS_LEN : 0;

	if (!syn) {
		uint32_t blocks = sack_blocks(opt);

		return len + (blocks ? 4 + blocks * 8 : 0);
	}
	if (opt->present & TERN_OPT_MSS)
		len += 4;
	if ((opt->present & (TERN_OPT_SACKOK | TERN_OPT_TS)) == TERN_OPT_SACKOK)
		len += 4;
	if (opt->present & TERN_OPT_WSCALE)
		len += 4;
	if (opt->present & TERN_OPT_FASTOPEN)
		len += (fastopen_head(opt) + cookie_len(opt) + 3) & ~3u;
	return len;
}

/* Writes one word and returns where the next one goes. */
static uint8_t *put_word(uint8_t *p, uint32_t word)
{
	tern_put_u32(p, word);
	return p + 4;
}

static uint8_t *put_ts(uint8_t *p, uint32_t first, const struct tern_tcp_options *opt)
{
	p = put_word(p, first);
	p = put_word(p, opt->tsval);
	return put_word(p, opt->tsecr);
}

static uint8_t *put_fastopen(uint8_t *p, const struct tern_tcp_options *opt)
{
	uint32_t n = cookie_len(opt), head = fastopen_head(opt), size = n + head;

	p[0] = opt->fastopen_exp ? TERN_KIND_EXPERIMENT : TERN_KIND_FASTOPEN;
	p[1] = (uint8_t)size;
	if (opt->fastopen_exp)
		tern_put_u16(p + 2, TERN_TCP_FASTOPEN_MAGIC);
	memcpy(p + head, opt->fastopen, n);
	for (; size % 4 != 0; size++)
		p[size] = TERN_KIND_NOP;
	return p + size;
}

static uint8_t *put_syn_options(uint8_t *p, const struct tern_tcp_options *opt)
{
	bool sackok = (opt->present & TERN_OPT_SACKOK) != 0;

	if (opt->present & TERN_OPT_MSS)
		p = put_word(p, TERN_TCP_MSS_WORD | opt->mss);
	if (opt->present & TERN_OPT_TS)
		p = put_ts(p, sackok ? TERN_TCP_SACKOK_TS_WORD : TERN_TCP_TS_WORD, opt);
	else if (sackok)
		p = put_word(p, WORD_SACKOK);
	if (opt->present & TERN_OPT_WSCALE)
		p = put_word(p, (uint32_t)TERN_TCP_WSCALE_WORD | opt->wscale);
	if (opt->present & TERN_OPT_FASTOPEN)
		p = put_fastopen(p, opt);
	return p;
}

uint32_t tern_tcp_option_emit(uint8_t *p, const struct tern_tcp_options *opt, bool syn)
{
	uint8_t *start = p;
	uint32_t blocks;

	if (syn)
		/* RFC9293:MUST-65 */
		return (uint32_t)(put_syn_options(p, opt) - start);
	if (opt->present & TERN_OPT_TS)
		p = put_ts(p, TERN_TCP_TS_WORD, opt);
	blocks = sack_blocks(opt);
	if (blocks)
		p = put_word(p, WORD_SACK + 2 + blocks * 8);
	for (uint32_t i = 0; i < blocks; i++) {
		p = put_word(p, opt->sack[i].left);
		p = put_word(p, opt->sack[i].right);
	}
	return (uint32_t)(p - start);
}
