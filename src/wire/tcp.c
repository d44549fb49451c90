/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/tcp.c: the fixed TCP header and its checksum.
 *
 *	word 0   source port (16)  | destination port (16)
 *	word 1   sequence number (32)
 *	word 2   acknowledgment number (32)
 *	word 3   data offset in words (4) | reserved (3) | AE CWR ECE URG ACK PSH RST SYN FIN (9) |
 *		 window (16)
 *	word 4   checksum (16)	   | urgent pointer (16)		(RFC 9293 3.1, RFC 9768 3)
 *
 * Reading judges nothing but lengths: every combination of flags, every port, every sequence number
 * is a segment (attacks A17, A19 are the state machine's). Reserved bits are ignored and sent as
 * zero. The urgent pointer is a number for the rooms above to clamp; no arithmetic is done with it
 * here (A06, A07).
 *
 * Checksums cover header and payload in pieces, because a segment leaves as a header and references
 * into the send buffer; a piece may begin at an odd offset.
 */
#include "wire/tcp.h"

#include "base/bytes.h"
#include "base/cksum.h"
#include "wire/emit.h"

/* tern_tcp_option_emit(); what is written is added to *sum. */
static uint32_t emit_options(uint64_t *sum, uint8_t *p, const struct tern_segment *seg)
{
	uint32_t len;

	if (seg->opt.present == TERN_OPT_TS) {
		tern_tcp_emit_ts(sum, p, &seg->opt);
		return TERN_TCP_TS_LEN;
	}
	len = tern_tcp_option_emit(p, &seg->opt, seg->flags & TERN_SYN);
	*sum += tern_cksum_fold(tern_sum_add(0, p, len));
	return len;
}

uint32_t tern_tcp_emit(uint8_t *buf, uint32_t cap, const struct tern_segment *seg)
{
	uint32_t len = TERN_TCP_HEADER + tern_tcp_option_len(&seg->opt, seg->flags & TERN_SYN);
	uint64_t sum = 0;

	if (len > cap)
		return 0;
	tern_tcp_emit_start(&sum, buf, seg, len);
	tern_put_u32(buf + TERN_TCP_CKSUM_OFFSET, seg->urgent);
	tern_tcp_option_emit(buf + TERN_TCP_HEADER, &seg->opt, seg->flags & TERN_SYN);
	return len;
}

/* The sum of the payload, as a number. */
static uint64_t payload_sum(const struct tern_piece *pieces, uint32_t count)
{
	uint64_t sum = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		sum = tern_cksum_piece(sum, pieces[i].ptr, pieces[i].len, at % 2 != 0);
		at += pieces[i].len;
	}
	return tern_cksum_fold(sum);
}

uint32_t tern_tcp4_emit(uint8_t *buf, const struct tern_segment *seg, const uint8_t *addrs,
			uint8_t ttl, uint8_t tos, const struct tern_piece *pieces, uint32_t count,
			bool partial)
{
	uint8_t *tcp = buf + TERN_IP4_HEADER;
	uint64_t pair = tern_emit_pair(addrs), sum = 0;
	uint32_t header_len = TERN_TCP_HEADER + emit_options(&sum, tcp + TERN_TCP_HEADER, seg);
	uint32_t len = header_len + seg->len;
	uint64_t pseudo = pair + TERN_PROTO_TCP + len;
	uint16_t cksum;

	tern_ip4_emit_atomic(buf, addrs, pair, TERN_PROTO_TCP, ttl, tos, len);
	tern_tcp_emit_start(&sum, tcp, seg, header_len);
	sum += seg->urgent;
	if (partial) {
		cksum = tern_emit_fold(pseudo);
	} else {
		sum += count ? payload_sum(pieces, count) : 0;
		/* RFC9293:MUST-2 */
		cksum = (uint16_t)~tern_emit_fold(sum + pseudo);
	}
	tern_put_u32(tcp + TERN_TCP_CKSUM_OFFSET, (uint32_t)cksum << 16 | seg->urgent);
	return TERN_IP4_HEADER + header_len;
}

bool tern_tcp_cksum_ok(const struct tern_packet *pkt)
{
	uint64_t sum = tern_sum_pseudo(&pkt->src, &pkt->dst, TERN_PROTO_TCP, pkt->payload_len);

	return tern_sum_is_whole(tern_sum_add(sum, pkt->payload, pkt->payload_len));
}

void tern_tcp_cksum_full(const struct tern_addr *src, const struct tern_addr *dst, uint8_t *hdr,
			 uint32_t hdr_len, const struct tern_piece *pieces, uint32_t count)
{
	uint32_t len = hdr_len;
	uint64_t sum;

	tern_put_u16(hdr + TERN_TCP_CKSUM_OFFSET, 0);
	sum = tern_sum_add(0, hdr, hdr_len);
	for (uint32_t i = 0; i < count; i++) {
		sum = tern_cksum_piece(sum, pieces[i].ptr, pieces[i].len, len % 2 != 0);
		len += pieces[i].len;
	}
	sum += tern_sum_pseudo(src, dst, TERN_PROTO_TCP, len);
	/* RFC9293:MUST-2 */
	tern_put_u16(hdr + TERN_TCP_CKSUM_OFFSET, (uint16_t)~tern_cksum_fold(sum));
}

void tern_tcp_cksum_partial(const struct tern_addr *src, const struct tern_addr *dst, uint8_t *hdr,
			    uint32_t hdr_len, uint32_t payload_len)
{
	uint64_t sum = tern_cksum_pseudo(src, dst, TERN_PROTO_TCP, hdr_len + payload_len);

	/* RFC9293:MUST-2 */
	tern_put_u16(hdr + TERN_TCP_CKSUM_OFFSET, tern_cksum_fold(sum));
}
