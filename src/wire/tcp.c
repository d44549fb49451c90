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

uint32_t tern_tcp_emit(uint8_t *buf, uint32_t cap, const struct tern_segment *seg)
{
	uint64_t sum;

	return tern_tcp_emit_sum(buf, cap, seg, &sum);
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
	tern_put_u16(hdr + TERN_TCP_CKSUM_OFFSET, (uint16_t)~tern_cksum_fold(sum));
}

void tern_tcp_cksum_partial(const struct tern_addr *src, const struct tern_addr *dst, uint8_t *hdr,
			    uint32_t hdr_len, uint32_t payload_len)
{
	uint64_t sum = tern_cksum_pseudo(src, dst, TERN_PROTO_TCP, hdr_len + payload_len);

	tern_put_u16(hdr + TERN_TCP_CKSUM_OFFSET, tern_cksum_fold(sum));
}
