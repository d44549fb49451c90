/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_packet.h: as much of IP and TCP as a test needs that talks to the kernel through a link by
 * hand: take a segment apart, answer it.
 */
#ifndef TERN_TESTS_UNIT_LINK_TCP_PACKET_H
#define TERN_TESTS_UNIT_LINK_TCP_PACKET_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/cksum.h"
#include "link/link.h"

enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };

struct packet {
	struct tern_addr src, dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	uint32_t ip_len, tcp_len; /* of the headers */
	const uint8_t *payload;
	uint32_t len; /* of the payload */
};

/* False for what is no TCP packet. */
static inline bool packet_parse(const struct tern_frame *frame, struct packet *ret)
{
	const uint8_t *p = frame->data;
	const uint8_t *tcp;
	bool v6 = frame->len >= 40 && p[0] >> 4 == 6;

	if (!v6 && (frame->len < 40 || p[0] != 0x45))
		return false;
	if (p[v6 ? 6 : 9] != TERN_PROTO_TCP)
		return false;
	ret->src = tern_addr_from_bytes(v6 ? TERN_INET6 : TERN_INET, p + (v6 ? 8 : 12));
	ret->dst = tern_addr_from_bytes(v6 ? TERN_INET6 : TERN_INET, p + (v6 ? 24 : 16));
	ret->ip_len = v6 ? 40 : 20;
	tcp = p + ret->ip_len;
	ret->sport = tern_get_u16(tcp);
	ret->dport = tern_get_u16(tcp + 2);
	ret->seq = tern_get_u32(tcp + 4);
	ret->ack = tern_get_u32(tcp + 8);
	ret->tcp_len = tcp[12] / 16 * 4;
	ret->flags = tcp[13];
	ret->payload = tcp + ret->tcp_len;
	ret->len = frame->len - ret->ip_len - ret->tcp_len;
	return true;
}

/* What the transport checksum of a frame adds up to: 0xffff is right. */
static inline uint16_t packet_sum(const struct packet *pkt)
{
	uint32_t len = pkt->tcp_len + pkt->len;
	uint64_t sum = tern_cksum_pseudo(&pkt->src, &pkt->dst, TERN_PROTO_TCP, len);

	return tern_cksum_fold(tern_cksum_add(pkt->payload - pkt->tcp_len, len, sum));
}

static inline void packet_ip(uint8_t *p, const struct packet *pkt, uint32_t tcp_total)
{
	if (pkt->src.family == TERN_INET6) {
		memset(p, 0, 40);
		p[0] = 0x60;
		tern_put_u16(p + 4, (uint16_t)tcp_total);
		p[6] = TERN_PROTO_TCP;
		p[7] = 64;
		memcpy(p + 8, pkt->src.b, 16);
		memcpy(p + 24, pkt->dst.b, 16);
		return;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	tern_put_u16(p + 2, (uint16_t)(20 + tcp_total));
	p[8] = 64;
	p[9] = TERN_PROTO_TCP;
	memcpy(p + 12, pkt->src.b, 4);
	memcpy(p + 16, pkt->dst.b, 4);
	tern_put_u16(p + 10, (uint16_t)~tern_cksum_fold(tern_cksum_add(p, 20, 0)));
}

/*
 * Makes *ret_out of pkt (src, dst, ports, seq, ack, flags, payload). A SYN carries the options MSS
 * 1460 (in either family) and window scale 10. With `partial` the checksum is left to the link.
 */
static inline void packet_build(struct tern_out *ret_out, const struct packet *pkt,
				uint32_t gso_size, bool partial)
{
	static const uint8_t syn_options[8] = { 2, 4, 1460 >> 8, 1460 & 0xff, 1, 3, 3, 10 };
	uint32_t ip_len = pkt->src.family == TERN_INET6 ? 40 : 20;
	uint32_t tcp_len = pkt->flags & FLAG_SYN ? 28 : 20;
	uint8_t *tcp = ret_out->header + ip_len;
	uint64_t sum = tern_cksum_pseudo(&pkt->src, &pkt->dst, TERN_PROTO_TCP, tcp_len + pkt->len);

	packet_ip(ret_out->header, pkt, tcp_len + pkt->len);
	memset(tcp, 0, tcp_len);
	tern_put_u16(tcp, pkt->sport);
	tern_put_u16(tcp + 2, pkt->dport);
	tern_put_u32(tcp + 4, pkt->seq);
	tern_put_u32(tcp + 8, pkt->ack);
	tcp[12] = (uint8_t)(tcp_len / 4 * 16);
	tcp[13] = pkt->flags;
	tern_put_u16(tcp + 14, 0xffff);
	if (pkt->flags & FLAG_SYN)
		memcpy(tcp + 20, syn_options, sizeof(syn_options));
	if (!partial) {
		sum = tern_cksum_add(tcp, tcp_len, sum);
		sum = pkt->len ? tern_cksum_add(pkt->payload, pkt->len, sum) : sum;
	}
	sum = tern_cksum_fold(sum);
	tern_put_u16(tcp + 16, partial ? (uint16_t)sum : (uint16_t)~sum);
	ret_out->piece[0] = (struct tern_piece){ ret_out->header, ip_len + tcp_len };
	ret_out->pieces = 1;
	/* The payload in two pieces, so that gathering has something to do. */
	if (pkt->len) {
		uint32_t third = pkt->len / 3;

		ret_out->piece[1] = (struct tern_piece){ pkt->payload, third };
		ret_out->piece[2] = (struct tern_piece){ pkt->payload + third, pkt->len - third };
		ret_out->pieces = 3;
	}
	ret_out->len = ip_len + tcp_len + pkt->len;
	ret_out->gso_size = gso_size;
	ret_out->header_len = (uint16_t)(ip_len + tcp_len);
	ret_out->csum_start = (uint16_t)ip_len;
	ret_out->csum_offset = 16;
	ret_out->family = pkt->src.family;
	ret_out->csum = partial ? TERN_CSUM_PARTIAL : TERN_CSUM_FULL;
}

/* A segment in answer to `in`. */
static inline struct packet packet_answer(const struct packet *in, uint32_t seq, uint8_t flags)
{
	return (struct packet){ .src = in->dst,
				.dst = in->src,
				.sport = in->dport,
				.dport = in->sport,
				.seq = seq,
				.ack = in->seq + in->len + !!(in->flags & (FLAG_SYN | FLAG_FIN)),
				.flags = flags };
}

#endif
