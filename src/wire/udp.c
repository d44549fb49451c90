/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/udp.c: the UDP header.
 *
 *	source port (16) | destination port (16) | length with header (16) | checksum (16)
 *
 * The length field, not the packet, says where a datagram ends; it may be shorter than the IP
 * payload (the rest is ignored, as Linux does) and never longer. A checksum of zero on the wire
 * means "none"; a computed zero is therefore sent as its other representation, all ones.
 */
#include "wire/udp.h"

#include "base/bytes.h"
#include "base/cksum.h"

enum tern_parse tern_udp_parse(const uint8_t *p, uint32_t len, struct tern_datagram *ret_dgram)
{
	uint32_t size;

	if (len < TERN_UDP_HEADER)
		return TERN_PARSE_TRUNCATED;
	size = tern_get_u16(p + 4);
	if (size < TERN_UDP_HEADER || size > len)
		return TERN_PARSE_BAD_LENGTH;
	ret_dgram->sport = tern_get_u16(p);
	ret_dgram->dport = tern_get_u16(p + 2);
	ret_dgram->unchecked = tern_get_u16(p + TERN_UDP_CKSUM_OFFSET) == 0;
	ret_dgram->data = p + TERN_UDP_HEADER;
	ret_dgram->len = size - TERN_UDP_HEADER;
	return TERN_PARSE_OK;
}

bool tern_udp_cksum_ok(const struct tern_packet *pkt)
{
	struct tern_datagram dgram;
	uint32_t len;
	uint64_t sum;

	if (tern_udp_parse(pkt->payload, pkt->payload_len, &dgram) != TERN_PARSE_OK)
		return false;
	if (dgram.unchecked)
		return pkt->src.family == TERN_INET;
	len = dgram.len + TERN_UDP_HEADER;
	sum = tern_cksum_pseudo(&pkt->src, &pkt->dst, TERN_PROTO_UDP, len);
	return tern_cksum_fold(tern_cksum_add(pkt->payload, len, sum)) == 0xffff;
}

uint32_t tern_udp_emit(uint8_t *buf, uint32_t cap, uint16_t sport, uint16_t dport, uint32_t len)
{
	if (cap < TERN_UDP_HEADER || len > TERN_UDP_DATA_MAX)
		return 0;
	tern_put_u32(buf, (uint32_t)sport << 16 | dport);
	tern_put_u32(buf + 4, (len + TERN_UDP_HEADER) << 16);
	return TERN_UDP_HEADER;
}

void tern_udp_cksum_full(const struct tern_addr *src, const struct tern_addr *dst, uint8_t *hdr,
			 const struct tern_piece *pieces, uint32_t count)
{
	uint32_t len = TERN_UDP_HEADER;
	uint64_t sum = 0;
	uint16_t cksum;

	tern_put_u16(hdr + TERN_UDP_CKSUM_OFFSET, 0);
	sum = tern_cksum_add(hdr, TERN_UDP_HEADER, sum);
	for (uint32_t i = 0; i < count; i++) {
		sum = tern_cksum_piece(sum, pieces[i].ptr, pieces[i].len, len % 2 != 0);
		len += pieces[i].len;
	}
	sum += tern_cksum_pseudo(src, dst, TERN_PROTO_UDP, len);
	cksum = (uint16_t)~tern_cksum_fold(sum);
	tern_put_u16(hdr + TERN_UDP_CKSUM_OFFSET, cksum ? cksum : 0xffff);
}
