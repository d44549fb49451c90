/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/emit.h: the headers of the usual segment, written in line and summed as they are written.
 *
 * Every connection pays for these with each segment, and most segments are nothing else. A header
 * that is summed while its words are in registers need not be read again. Other packets leave by
 * wire/ip.h and wire/tcp.h. Partial sums are those of base/cksum.h.
 */
#ifndef TERN_WIRE_EMIT_H
#define TERN_WIRE_EMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cksum.h"
#include "base/compiler.h"
#include "wire/ip.h"
#include "wire/sum.h"
#include "wire/tcp.h"

/* Writes a word and adds it to the sum. */
static inline uint64_t tern_emit_word(uint64_t sum, uint8_t *p, uint32_t word)
{
	word = tern_swap_u32(word);
	memcpy(p, &word, sizeof(word));
	return sum + word;
}

/*
 * The IPv4 header of an atomic datagram, which no router may cut: DF, identification 0 (RFC 6864
 * 4.1). Writes 20 bytes. payload_len is TERN_IP_PACKET_MAX - 20 at most.
 */
static inline void tern_ip4_emit_atomic(uint8_t *buf, const struct tern_addr *src,
					const struct tern_addr *dst, uint8_t proto, uint8_t ttl,
					uint8_t tos, uint32_t payload_len)
{
	uint32_t total = payload_len + TERN_IP4_HEADER, from, to;
	uint64_t sum = tern_emit_word(0, buf, 0x45000000u | (uint32_t)tos << 16 | total);

	memcpy(&from, src->b, sizeof(from));
	memcpy(&to, dst->b, sizeof(to));
	sum = tern_emit_word(sum, buf + 4, 0x4000); /* DF */
	sum = tern_emit_word(sum, buf + 8, (uint32_t)ttl << 24 | (uint32_t)proto << 16);
	sum += (uint64_t)from + to;
	tern_put_u16(buf + 10, (uint16_t)~tern_cksum_fold(sum));
	memcpy(buf + 12, &from, sizeof(from));
	memcpy(buf + 16, &to, sizeof(to));
}

/* Options that are more than timestamps: those of a SYN, or SACK blocks. Returns their sum. */
static inline uint64_t tern_tcp_emit_options(uint8_t *p, const struct tern_segment *seg)
{
	return tern_sum_add(0, p, tern_tcp_option_emit(p, &seg->opt, seg->flags & TERN_SYN));
}

/* tern_tcp_emit(); *ret_sum is the sum of what was written. */
static inline uint32_t tern_tcp_emit_sum(uint8_t *buf, uint32_t cap, const struct tern_segment *seg,
					 uint64_t *ret_sum)
{
	bool ts_alone = seg->opt.present == TERN_OPT_TS;
	uint32_t header_len = TERN_TCP_HEADER;
	uint64_t sum;

	if (ts_alone)
		header_len += TERN_TCP_TS_LEN;
	else if (seg->opt.present)
		header_len += tern_tcp_option_len(&seg->opt, seg->flags & TERN_SYN);
	if (header_len > cap)
		return 0;
	sum = tern_emit_word(0, buf, (uint32_t)seg->sport << 16 | seg->dport);
	sum = tern_emit_word(sum, buf + 4, seg->seq);
	sum = tern_emit_word(sum, buf + 8, seg->ack);
	sum = tern_emit_word(sum, buf + 12,
			     header_len / 4 << 28 | (uint32_t)(seg->flags & TERN_TCP_FLAGS) << 16 |
				     seg->wnd);
	sum = tern_emit_word(sum, buf + 16, seg->urgent);
	if (ts_alone) {
		sum = tern_emit_word(sum, buf + 20, TERN_TCP_TS_WORD);
		sum = tern_emit_word(sum, buf + 24, seg->opt.tsval);
		sum = tern_emit_word(sum, buf + 28, seg->opt.tsecr);
	} else if (seg->opt.present) {
		sum += tern_tcp_emit_options(buf + TERN_TCP_HEADER, seg);
	}
	*ret_sum = sum;
	return header_len;
}

/*
 * tern_tcp_emit() and tern_tcp_cksum_full() in one: the checksum is over pseudo header, header and
 * `count` pieces of payload, of seg->len bytes together.
 */
static inline uint32_t tern_tcp_emit_full(uint8_t *buf, uint32_t cap,
					  const struct tern_segment *seg,
					  const struct tern_addr *src, const struct tern_addr *dst,
					  const struct tern_piece *pieces, uint32_t count)
{
	uint64_t sum;
	uint32_t header_len = tern_tcp_emit_sum(buf, cap, seg, &sum), len = header_len;

	if (!header_len)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		sum = tern_cksum_piece(sum, pieces[i].ptr, pieces[i].len, len % 2 != 0);
		len += pieces[i].len;
	}
	sum += tern_sum_pseudo(src, dst, TERN_PROTO_TCP, len);
	tern_put_u16(buf + TERN_TCP_CKSUM_OFFSET, (uint16_t)~tern_cksum_fold(sum));
	return header_len;
}

#endif
