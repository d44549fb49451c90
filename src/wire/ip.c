/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/ip.c: IP headers: the dispatch on the version, and IPv4.
 *
 * Reading checks every length before it is used, in the order in which the fields depend on each
 * other: fixed header there, IHL within the frame, total length between the two, then the checksum,
 * then the options, then what a fragment must satisfy. Everything behind the total length is link
 * padding and cut off.
 *
 * Options are walked only to find the two that are refused: loose and strict source routes let a
 * stranger choose our paths (attack A21). The others are skipped, as RFC 1122 3.2.1.8 allows.
 *
 * Headers are written as five or ten 32-bit words; the IPv4 checksum is summed from the same words
 * while they are in registers.
 */
#include "wire/ip.h"

#include "base/addr.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "wire/ip6.h"
#include "wire/sum.h"

enum {
	FLAG_DF = 0x4000,
	FLAG_MF = 0x2000,
	OFFSET_MASK = 0x1fff, /* in units of 8 bytes */
	OPT_EOL = 0,
	OPT_NOP = 1,
	OPT_LSRR = 131,
	OPT_SSRR = 137,
	TCP_HEADER = 20,
};

enum tern_parse tern_ip_check_fragment(const struct tern_packet *pkt)
{
	/* What counts against 65,535 besides the payload: the header in IPv4, in IPv6 only the
	 * extension headers ahead of the fragment header. */
	uint32_t overhead = pkt->src.family == TERN_INET
				    ? pkt->header_len
				    : pkt->header_len - TERN_IP6_HEADER - TERN_IP6_FRAGMENT_HEADER;

	if (pkt->payload_len == 0 || (pkt->more_fragments && pkt->payload_len % 8 != 0) ||
	    pkt->frag_offset + pkt->payload_len + overhead > TERN_IP_PACKET_MAX)
		return TERN_PARSE_BAD_FRAGMENT;
	if (pkt->proto != TERN_PROTO_TCP)
		return TERN_PARSE_OK;
	if (pkt->frag_offset ? pkt->frag_offset < TCP_HEADER : pkt->payload_len < TCP_HEADER)
		return TERN_PARSE_TINY_FRAGMENT;
	return TERN_PARSE_OK;
}

static enum tern_parse walk_options(const uint8_t *p, uint32_t len)
{
	struct tern_rd rd;

	tern_rd_init(&rd, p, len);
	while (tern_rd_left(&rd) > 0) {
		uint8_t kind = tern_rd_u8(&rd), size;

		if (kind == OPT_EOL)
			break;
		if (kind == OPT_NOP)
			continue;
		if (kind == OPT_LSRR || kind == OPT_SSRR)
			return TERN_PARSE_SOURCE_ROUTE;
		size = tern_rd_u8(&rd);
		if (size < 2)
			return TERN_PARSE_BAD_OPTION;
		/* RFC9293:MUST-50 */
		tern_rd_skip(&rd, size - 2u);
		if (rd.failed)
			return TERN_PARSE_BAD_OPTION;
	}
	return TERN_PARSE_OK;
}

/* The fixed fields, from a header of which IHL and total length have been checked. */
static void read_fields(const uint8_t *frame, uint32_t header_len, uint32_t total,
			struct tern_packet *pkt)
{
	uint16_t frag = tern_get_u16(frame + 6);

	tern_addr_set_v4(&pkt->src, frame + 12);
	tern_addr_set_v4(&pkt->dst, frame + 16);
	pkt->proto = frame[9];
	pkt->ttl = frame[8];
	pkt->tos = frame[1];
	pkt->df = (frag & FLAG_DF) != 0;
	pkt->more_fragments = (frag & FLAG_MF) != 0;
	pkt->frag_offset = (frag & OFFSET_MASK) * 8u;
	pkt->fragment = pkt->more_fragments || pkt->frag_offset != 0;
	pkt->options = header_len > TERN_IP4_HEADER;
	pkt->flow_label = 0;
	pkt->frag_id = tern_get_u16(frame + 4);
	pkt->header_len = header_len;
	pkt->pointer = 9;
	pkt->headers = 0;
	pkt->payload = frame + header_len;
	pkt->payload_len = total - header_len;
}

static enum tern_parse parse4(const uint8_t *frame, uint32_t len, bool trusted,
			      struct tern_packet *pkt)
{
	uint32_t header_len, total;

	if (len < TERN_IP4_HEADER)
		return TERN_PARSE_TRUNCATED;
	header_len = (frame[0] & 15u) * 4u;
	total = tern_get_u16(frame + 2);
	if (header_len < TERN_IP4_HEADER)
		return TERN_PARSE_BAD_HEADER_LENGTH;
	if (total < header_len || total > len)
		return TERN_PARSE_BAD_LENGTH;
	if (!trusted && !tern_sum_is_whole(tern_sum_add(0, frame, header_len)))
		return TERN_PARSE_BAD_CHECKSUM;
	if (header_len > TERN_IP4_HEADER) {
		enum tern_parse verdict =
			walk_options(frame + TERN_IP4_HEADER, header_len - TERN_IP4_HEADER);

		if (verdict != TERN_PARSE_OK)
			return verdict;
	}
	read_fields(frame, header_len, total, pkt);
	return pkt->fragment ? tern_ip_check_fragment(pkt) : TERN_PARSE_OK;
}

/* Some systems quote a total length that is in host order or lacks the header: not to be used. */
static enum tern_parse parse4_quoted(const uint8_t *frame, uint32_t len, struct tern_packet *pkt)
{
	uint32_t header_len;

	if (len < TERN_IP4_HEADER)
		return TERN_PARSE_TRUNCATED;
	header_len = (frame[0] & 15u) * 4u;
	if (header_len < TERN_IP4_HEADER)
		return TERN_PARSE_BAD_HEADER_LENGTH;
	if (header_len > len)
		return TERN_PARSE_TRUNCATED;
	read_fields(frame, header_len, len, pkt);
	return TERN_PARSE_OK;
}

enum tern_parse tern_ip_parse(const uint8_t *frame, uint32_t len, bool trusted,
			      struct tern_packet *pkt)
{
	if (len == 0)
		return TERN_PARSE_TRUNCATED;
	if (TERN_LIKELY(frame[0] >> 4 == TERN_INET))
		return parse4(frame, len, trusted, pkt);
	if (frame[0] >> 4 == TERN_INET6)
		return tern_ip6_parse(frame, len, false, pkt);
	return TERN_PARSE_BAD_VERSION;
}

enum tern_parse tern_ip_parse_quoted(const uint8_t *frame, uint32_t len, struct tern_packet *pkt)
{
	if (len == 0)
		return TERN_PARSE_TRUNCATED;
	if (frame[0] >> 4 == TERN_INET)
		return parse4_quoted(frame, len, pkt);
	if (frame[0] >> 4 == TERN_INET6)
		return tern_ip6_parse(frame, len, true, pkt);
	return TERN_PARSE_BAD_VERSION;
}

uint32_t tern_ip_header_len(const struct tern_packet *pkt)
{
	if (pkt->dst.family == TERN_INET)
		return TERN_IP4_HEADER;
	return TERN_IP6_HEADER + (pkt->fragment ? TERN_IP6_FRAGMENT_HEADER : 0u);
}

uint32_t tern_ip4_emit(uint8_t *buf, uint32_t cap, const struct tern_packet *pkt)
{
	uint32_t w0, w1, w2, w3, w4, rest, flags = 0;
	uint64_t sum;

	if (cap < TERN_IP4_HEADER || pkt->payload_len > TERN_IP_PACKET_MAX - TERN_IP4_HEADER ||
	    pkt->frag_offset % 8 != 0 || pkt->frag_offset / 8 > OFFSET_MASK)
		return 0;
	if (pkt->df)
		flags |= FLAG_DF;
	if (pkt->more_fragments)
		flags |= FLAG_MF;
	w0 = 0x45000000u | (uint32_t)pkt->tos << 16 | (pkt->payload_len + TERN_IP4_HEADER);
	w1 = pkt->frag_id << 16 | flags | pkt->frag_offset / 8;
	w2 = (uint32_t)pkt->ttl << 24 | (uint32_t)pkt->proto << 16;
	w3 = tern_get_u32(pkt->src.b);
	w4 = tern_get_u32(pkt->dst.b);
	/* Folding to 16 bits is the remainder by 0xffff, but for 0, which folds to 0xffff. */
	sum = (uint64_t)w0 + w1 + w2 + w3 + w4;
	rest = (uint32_t)(sum % 0xffff);
	w2 |= rest ? 0xffff - rest : 0;
	tern_put_u32(buf, w0);
	tern_put_u32(buf + 4, w1);
	tern_put_u32(buf + 8, w2);
	tern_put_u32(buf + 12, w3);
	tern_put_u32(buf + 16, w4);
	return TERN_IP4_HEADER;
}

uint32_t tern_ip_emit(uint8_t *buf, uint32_t cap, const struct tern_packet *pkt)
{
	return pkt->dst.family == TERN_INET ? tern_ip4_emit(buf, cap, pkt)
					    : tern_ip6_emit(buf, cap, pkt);
}
