/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_in.c: a packet of the script, into the stack.
 *
 * Built as the script says it, byte by byte, with right checksums. What is about our side is
 * carried over to live numbers: acknowledgements, SACK blocks, echoed timestamps.
 */
#include <string.h>

#include "base/bytes.h"
#include "sim/drill_internal.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum {
	PEER_TTL = 255,
	QUOTED = 8, /* bytes of transport header that an ICMP error quotes */
};

/* An IP header from the peer for len bytes of payload. */
static uint32_t put_ip(struct drill *d, const struct tern_script_packet *packet, uint8_t proto,
		       uint32_t len)
{
	struct tern_packet pkt = { .src = d->remote,
				   .dst = d->local,
				   .proto = proto,
				   .ttl = packet->ttl >= 0 ? (uint8_t)packet->ttl : PEER_TTL,
				   .tos = packet->tos,
				   .payload_len = len };

	if (packet->flow_label >= 0)
		pkt.flow_label = (uint32_t)packet->flow_label;
	return tern_ip_emit(d->frame, DRILL_FRAME, &pkt);
}

/* The options of the script with live numbers in them. */
static void carry_options(const struct drill_flow *flow, uint32_t shift, uint8_t *o, uint32_t len)
{
	uint32_t i = 0;

	while (i + 1 < len && o[i] != TERN_KIND_EOL) {
		if (o[i] == TERN_KIND_NOP) {
			i++;
			continue;
		}
		if (o[i + 1] < 2 || i + o[i + 1] > len)
			return;
		if (o[i] == TERN_KIND_TS && o[i + 1] == 10)
			tern_put_u32(o + i + 6,
				     tern_drill_stamp_live(flow, tern_get_u32(o + i + 6)));
		for (uint32_t at = 2; o[i] == TERN_KIND_SACK && at + 4 <= o[i + 1]; at += 4)
			tern_put_u32(o + i + at, tern_get_u32(o + i + at) + shift);
		i += o[i + 1];
	}
}

static void follow(struct drill_flow *flow, const struct tern_script_packet *packet)
{
	if ((packet->flags & TERN_SYN) && !flow->peer_spoke) {
		flow->peer_spoke = true;
		flow->peer_isn = packet->seq;
	}
	if (flow->phase == DRILL_SYNACK_SENT && (packet->flags & TERN_ACK))
		flow->phase = DRILL_SYNACK_ACKED;
	else if (flow->phase == DRILL_SYN_SENT && (packet->flags & TERN_SYN) &&
		 (packet->flags & TERN_ACK))
		flow->phase = DRILL_SYN_ACKED;
}

static void tcp_in(struct drill *d, struct drill_flow *flow,
		   const struct tern_script_packet *packet)
{
	uint32_t header = TERN_TCP_HEADER + packet->option_len;
	struct tern_segment seg = { .sport = flow->remote.port,
				    .dport = flow->local.port,
				    .seq = packet->seq,
				    .ack = packet->ack,
				    .wnd = (uint16_t)packet->window,
				    .flags = packet->flags,
				    .urgent = packet->urgent };
	struct tern_piece piece = { .len = packet->len };
	uint32_t ip = put_ip(d, packet, TERN_PROTO_TCP, header + packet->len);
	bool syn = packet->flags & TERN_SYN;
	uint32_t shift = tern_drill_flow_shift(flow, syn);
	uint8_t *tcp = d->frame + ip;

	follow(flow, packet);
	if (packet->flags & TERN_ACK)
		seg.ack += shift;
	if (!syn)
		seg.seq += flow->peer_isn;
	(void)tern_tcp_emit(tcp, TERN_TCP_HEADER, &seg);
	tcp[12] = (uint8_t)((tcp[12] & 0x0f) | header / 4 << 4);
	memcpy(tcp + TERN_TCP_HEADER, packet->option, packet->option_len);
	carry_options(flow, shift, tcp + TERN_TCP_HEADER, packet->option_len);
	memset(tcp + header, 0, packet->len);
	piece.ptr = tcp + header;
	tern_tcp_cksum_full(&d->remote, &d->local, tcp, header, &piece, 1);
	tern_drill_input(d, d->frame, ip + header + packet->len);
}

static void udp_in(struct drill *d, const struct drill_flow *flow,
		   const struct tern_script_packet *packet)
{
	uint32_t ip = put_ip(d, packet, TERN_PROTO_UDP, TERN_UDP_HEADER + packet->len);
	uint8_t *udp = d->frame + ip;
	struct tern_piece piece = { .ptr = udp + TERN_UDP_HEADER, .len = packet->len };

	(void)tern_udp_emit(udp, TERN_UDP_HEADER, flow->remote.port, flow->local.port, packet->len);
	memset(udp + TERN_UDP_HEADER, 0, packet->len);
	tern_udp_cksum_full(&d->remote, &d->local, udp, &piece, 1);
	tern_drill_input(d, d->frame, ip + TERN_UDP_HEADER + packet->len);
}

/* The beginning of a packet of ours, as an error message quotes it. Returns its length. */
static uint32_t put_quote(const struct drill *d, const struct drill_flow *flow,
			  const struct tern_script_packet *packet, uint8_t *to, uint32_t cap)
{
	bool tcp = packet->quoted == TERN_SCRIPT_TCP;
	struct tern_packet pkt = { .src = d->local,
				   .dst = d->remote,
				   .proto = tcp ? TERN_PROTO_TCP : TERN_PROTO_UDP,
				   .ttl = 64,
				   .df = true };
	uint32_t ip;

	pkt.payload_len = packet->quoted_len + (tcp ? TERN_TCP_HEADER : TERN_UDP_HEADER);
	ip = tern_ip_emit(to, cap, &pkt);
	tern_put_u16(to + ip, flow->local.port);
	tern_put_u16(to + ip + 2, flow->remote.port);
	if (tcp)
		tern_put_u32(to + ip + 4, packet->quoted_seq + tern_drill_flow_shift(flow, false));
	else
		tern_put_u32(to + ip + 4, (packet->quoted_len + TERN_UDP_HEADER) << 16);
	return ip + QUOTED;
}

static void icmp_in(struct drill *d, const struct drill_flow *flow,
		    const struct tern_script_packet *packet)
{
	bool v6 = d->local.family == TERN_INET6;
	uint8_t quote[TERN_IP_HEADER_MAX + QUOTED], message[TERN_ICMP_HEADER + sizeof(quote)];
	struct tern_icmp icmp = { .v6 = v6,
				  .type = packet->type,
				  .code = packet->code,
				  .rest = packet->mtu,
				  .body = quote };
	uint32_t ip, len;

	if (packet->quotes)
		icmp.body_len = put_quote(d, flow, packet, quote, sizeof(quote));
	len = tern_icmp_emit(message, sizeof(message), &d->remote, &d->local, &icmp);
	ip = put_ip(d, packet, v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP, len);
	memcpy(d->frame + ip, message, len);
	tern_drill_input(d, d->frame, ip + len);
}

void tern_drill_packet_in(struct drill *d, const struct tern_script_packet *packet)
{
	struct drill_flow *flow = tern_drill_flow_of_script(d, packet);

	if (!flow)
		return;
	if (packet->protocol == TERN_SCRIPT_TCP)
		tcp_in(d, flow, packet);
	else if (packet->protocol == TERN_SCRIPT_UDP)
		udp_in(d, flow, packet);
	else
		icmp_in(d, flow, packet);
}
