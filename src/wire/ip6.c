/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/ip6.c: IPv6: the fixed header and the chain of extension headers behind it.
 *
 * The chain is walked by one loop with one state, struct tern_packet itself: proto names the header
 * that payload points to, header_len is the offset of payload in the frame. Each step checks that
 * the header lies within the payload, then passes over it; at most TERN_IP6_HEADERS_MAX of them, so
 * that no chain costs more than a bounded time (attack F09). ESP, AH, mobility and everything else
 * unknown ends the walk as a protocol that nobody serves.
 *
 * A fragment header with offset 0 and nothing to follow is an atomic fragment (RFC 6946): passed
 * over, the packet is whole. Any other ends the walk, the rest of the chain can be read only when
 * the packet is whole; but of a first fragment the chain up to the transport header must be there
 * (RFC 7112), which a trial walk over a copy finds out.
 *
 * Routing header type 0 is refused even with no segments left, where RFC 5095 would let it pass: no
 * honest sender of today writes one (attack F10).
 */
#include "wire/ip6.h"

#include "base/addr.h"
#include "base/bytes.h"

enum {
	OPT_PAD1 = 0,
	OPT_PADN = 1,
	OPT_ROUTER_ALERT = 5,
	OPT_JUMBO = 0xc2,
	TCP_HEADER = 20,
};

enum walk {
	WALK_WHOLE,  /* a frame from the link */
	WALK_QUOTED, /* what is left of one in an ICMP error: looks behind first fragment headers */
	WALK_RESUMED, /* a reassembled packet: no fragment may be in it again */
};

/* Options of a hop-by-hop or destination options header whose length has been checked. */
static enum tern_parse walk_options(struct tern_packet *pkt, uint32_t len)
{
	struct tern_rd rd;

	tern_rd_init(&rd, pkt->payload + 2, len - 2);
	while (tern_rd_left(&rd) > 0) {
		uint32_t offset = len - (uint32_t)tern_rd_left(&rd);
		uint8_t type = tern_rd_u8(&rd);

		if (type == OPT_PAD1)
			continue;
		tern_rd_skip(&rd, tern_rd_u8(&rd));
		if (rd.failed)
			return TERN_PARSE_BAD_OPTION;
		if (type == OPT_PADN || type == OPT_ROUTER_ALERT || type >> 6 == 0)
			continue;
		if (type == OPT_JUMBO)
			return TERN_PARSE_JUMBOGRAM;
		if (type >> 6 == 1)
			return TERN_PARSE_BAD_OPTION;
		pkt->pointer = pkt->header_len + offset;
		return TERN_PARSE_UNKNOWN_OPTION;
	}
	return TERN_PARSE_OK;
}

static void pass_header(struct tern_packet *pkt, uint32_t len)
{
	pkt->proto = pkt->payload[0];
	pkt->pointer = pkt->header_len;
	pkt->payload += len;
	pkt->payload_len -= len;
	pkt->header_len += len;
	pkt->options = true;
}

static enum tern_parse pass_options(struct tern_packet *pkt, uint32_t len)
{
	enum tern_parse verdict;

	if (pkt->proto == TERN_IP6_HOPOPTS && pkt->headers != 1)
		return TERN_PARSE_MISPLACED_HEADER;
	verdict = walk_options(pkt, len);
	if (verdict == TERN_PARSE_OK)
		pass_header(pkt, len);
	return verdict;
}

static enum tern_parse pass_routing(struct tern_packet *pkt, uint32_t len)
{
	if (pkt->payload[2] == 0)
		return TERN_PARSE_RH0;
	if (pkt->payload[3] != 0) {
		pkt->pointer = pkt->header_len + 2;
		return TERN_PARSE_UNKNOWN_ROUTING;
	}
	pass_header(pkt, len);
	return TERN_PARSE_OK;
}

static enum tern_parse pass_fragment(struct tern_packet *pkt)
{
	uint16_t word = tern_get_u16(pkt->payload + 2);

	pkt->frag_offset = word & 0xfff8u;
	pkt->more_fragments = (word & 1) != 0;
	pkt->frag_id = tern_get_u32(pkt->payload + 4);
	pkt->fragment = pkt->more_fragments || pkt->frag_offset != 0;
	pkt->df = !pkt->fragment;
	pass_header(pkt, TERN_IP6_FRAGMENT_HEADER);
	return TERN_PARSE_OK;
}

/* Passes the extension header that payload points to. */
static enum tern_parse pass_one(struct tern_packet *pkt, enum walk walk)
{
	uint32_t len;

	if (pkt->headers == TERN_IP6_HEADERS_MAX)
		return TERN_PARSE_TOO_MANY_HEADERS;
	if (pkt->payload_len < 8)
		return TERN_PARSE_TRUNCATED;
	pkt->headers++;
	if (pkt->proto == TERN_IP6_FRAGMENT)
		return walk == WALK_RESUMED ? TERN_PARSE_BAD_FRAGMENT : pass_fragment(pkt);
	len = (pkt->payload[1] + 1u) * 8u;
	if (len > pkt->payload_len)
		return TERN_PARSE_TRUNCATED;
	return pkt->proto == TERN_IP6_ROUTING ? pass_routing(pkt, len) : pass_options(pkt, len);
}

static bool is_extension(uint8_t proto)
{
	return proto == TERN_IP6_HOPOPTS || proto == TERN_IP6_ROUTING ||
	       proto == TERN_IP6_FRAGMENT || proto == TERN_IP6_DSTOPTS;
}

static enum tern_parse walk_headers(struct tern_packet *pkt, enum walk walk)
{
	while (is_extension(pkt->proto)) {
		enum tern_parse verdict = pass_one(pkt, walk);

		if (verdict != TERN_PARSE_OK)
			return verdict;
		if (pkt->fragment && (walk != WALK_QUOTED || pkt->frag_offset != 0))
			break;
	}
	return TERN_PARSE_OK;
}

/* RFC 7112: the first fragment holds the chain up to and including the transport header. */
static enum tern_parse check_first_fragment(const struct tern_packet *pkt)
{
	struct tern_packet trial = *pkt;
	enum tern_parse verdict;

	trial.fragment = false;
	verdict = walk_headers(&trial, WALK_RESUMED);
	if (verdict == TERN_PARSE_TRUNCATED)
		return TERN_PARSE_TINY_FRAGMENT;
	if (verdict == TERN_PARSE_OK && trial.proto == TERN_PROTO_TCP &&
	    trial.payload_len < TCP_HEADER)
		return TERN_PARSE_TINY_FRAGMENT;
	return verdict;
}

enum tern_parse tern_ip6_parse(const uint8_t *frame, uint32_t len, bool quoted,
			       struct tern_packet *pkt)
{
	uint32_t word, payload_len;
	enum tern_parse verdict;

	if (len < TERN_IP6_HEADER)
		return TERN_PARSE_TRUNCATED;
	word = tern_get_u32(frame);
	payload_len = tern_get_u16(frame + 4);
	if (quoted)
		payload_len = len - TERN_IP6_HEADER;
	if (payload_len > len - TERN_IP6_HEADER)
		return TERN_PARSE_BAD_LENGTH;
	if (payload_len == 0 && frame[6] == TERN_IP6_HOPOPTS && !quoted)
		return TERN_PARSE_JUMBOGRAM;
	*pkt = (struct tern_packet){
		.src = tern_addr_from_bytes(TERN_INET6, frame + 8),
		.dst = tern_addr_from_bytes(TERN_INET6, frame + 24),
		.proto = frame[6],
		.ttl = frame[7],
		.tos = (uint8_t)(word >> 20),
		.df = true,
		.flow_label = word & 0xfffff,
		.header_len = TERN_IP6_HEADER,
		.pointer = 6,
		.payload = frame + TERN_IP6_HEADER,
		.payload_len = payload_len,
	};
	verdict = walk_headers(pkt, quoted ? WALK_QUOTED : WALK_WHOLE);
	if (verdict != TERN_PARSE_OK || !pkt->fragment || quoted)
		return verdict;
	verdict = tern_ip_check_fragment(pkt);
	if (verdict == TERN_PARSE_OK && pkt->frag_offset == 0)
		verdict = check_first_fragment(pkt);
	return verdict;
}

enum tern_parse tern_ip_resume(struct tern_packet *pkt)
{
	if (pkt->src.family != TERN_INET6)
		return TERN_PARSE_OK;
	return walk_headers(pkt, WALK_RESUMED);
}

uint32_t tern_ip6_emit(uint8_t *buf, uint32_t cap, const struct tern_packet *pkt)
{
	uint32_t extra = pkt->fragment ? TERN_IP6_FRAGMENT_HEADER : 0;
	uint8_t next = pkt->fragment ? TERN_IP6_FRAGMENT : pkt->proto;

	if (cap < TERN_IP6_HEADER + extra || pkt->payload_len > TERN_IP_PACKET_MAX - extra ||
	    pkt->frag_offset % 8 != 0 || pkt->frag_offset > TERN_IP_PACKET_MAX)
		return 0;
	tern_put_u32(buf, 0x60000000u | (uint32_t)pkt->tos << 20 | (pkt->flow_label & 0xfffff));
	tern_put_u32(buf + 4, (pkt->payload_len + extra) << 16 | (uint32_t)next << 8 | pkt->ttl);
	memcpy(buf + 8, pkt->src.b, 16);
	memcpy(buf + 24, pkt->dst.b, 16);
	if (pkt->fragment) {
		tern_put_u32(buf + 40, (uint32_t)pkt->proto << 24 | pkt->frag_offset |
					       (pkt->more_fragments ? 1u : 0u));
		tern_put_u32(buf + 44, pkt->frag_id);
	}
	return TERN_IP6_HEADER + extra;
}
