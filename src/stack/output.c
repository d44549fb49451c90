/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A frame out. Three sources, in this order: replies that no connection stands behind, connections,
 * whole packets (UDP, ICMP). Headers are written into the caller's frame, payload is pointed to.
 *
 * A packet for one of our own addresses never reaches the link: it is put together in one buffer
 * and goes through input at once, at most LOOP_MAX of them in an entry; when more wait, the
 * deadline is now.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "stack/internal.h"
#include "wire/emit.h"

#define LOOP_MAX 64

static_assert(
	offsetof(struct tern_reply, seq) == offsetof(struct tern_segment, seq) &&
		offsetof(struct tern_reply, wnd) == offsetof(struct tern_segment, wnd) &&
		offsetof(struct tern_reply, unused) == offsetof(struct tern_segment, ecn) &&
		offsetof(struct tern_reply, options) ==
			offsetof(struct tern_segment, opt.present) &&
		offsetof(struct tern_reply, wscale) == offsetof(struct tern_segment, opt.wscale) &&
		offsetof(struct tern_reply, fastopen_exp) ==
			offsetof(struct tern_segment, opt.fastopen_exp) &&
		offsetof(struct tern_reply, tsecr) == offsetof(struct tern_segment, opt.tsecr) &&
		offsetof(struct tern_reply, family) == offsetof(struct tern_segment, opt.sack),
	"a reply begins as a segment does, up to its SACK blocks");
static_assert(TERN_OUT_HEADER >= TERN_IP6_HEADER + TERN_TCP_HEADER_MAX, "headers have room");

/* The event ring's record of a segment that leaves. */
static TERN_COLD void trace_segment(struct tern_stack *st, const struct tern_tx *tx)
{
	struct tern_trace_record *r = tern_trace_take(&st->trace);
	const struct tern_segment *seg = &tx->seg;
	struct tern_flow flow;

	tern_flow_unpack(tx->family, seg->sport, seg->dport, tx->addrs, &flow);
	r->time_ns = st->tcp.now;
	r->kind = TERN_TRACE_SEGMENT_OUT;
	r->local = (struct tern_endpoint){ flow.local, flow.lport };
	r->remote = (struct tern_endpoint){ flow.remote, flow.rport };
	r->seq = seg->seq;
	r->ack = seg->ack;
	r->window = seg->wnd;
	r->length = seg->len;
	r->flags = seg->flags;
	r->options = seg->opt.present;
	if (seg->opt.present & TERN_OPT_TS) {
		r->tsval = seg->opt.tsval;
		r->tsecr = seg->opt.tsecr;
	}
	if (seg->opt.present & TERN_OPT_MSS)
		r->mss = seg->opt.mss;
	if (seg->opt.present & TERN_OPT_WSCALE)
		r->wscale = seg->opt.wscale;
	r->before = tx->state;
	r->after = tx->state;
}

/* The headers in IPv6, written by the common emitters. Returns their length. */
static uint32_t emit_ip6(struct tern_stack *st, struct tern_out *out, const struct tern_tx *tx,
			 uint8_t ttl)
{
	struct tern_packet pkt = { .proto = TERN_PROTO_TCP, .ttl = ttl, .tos = tx->tos };
	uint8_t *tcp = out->header + TERN_IP6_HEADER;
	uint32_t len = tern_tcp_emit(tcp, TERN_TCP_HEADER_MAX, &tx->seg);
	struct tern_flow flow;

	tern_flow_unpack(tx->family, tx->seg.sport, tx->seg.dport, tx->addrs, &flow);
	pkt.src = flow.local;
	pkt.dst = flow.remote;
	pkt.payload_len = len + tx->seg.len;
	pkt.flow_label = tern_flow_hash(st->port_key, &flow) & 0xfffff;
	if (st->cfg.csum_offload)
		tern_tcp_cksum_partial(&pkt.src, &pkt.dst, tcp, len, tx->seg.len);
	else
		tern_tcp_cksum_full(&pkt.src, &pkt.dst, tcp, len, tx->piece, tx->pieces);
	tern_ip6_emit(out->header, TERN_IP6_HEADER, &pkt);
	return TERN_IP6_HEADER + len;
}

/* Is the segment for one of our own addresses? */
static bool is_for_us(const struct tern_stack *st, const struct tern_tx *tx)
{
	struct tern_addr to;

	if (tx->family == TERN_INET)
		return tern_route_is_local4(st, tx->addrs + 4);
	to = tern_addr_from_bytes(TERN_INET6, tx->addrs + 16);
	return tern_route_is_local(st, &to);
}

/* The frame of any segment: headers, checksums, references to the payload. Is it for us? */
static TERN_OUTLINE bool fill_any(struct tern_stack *st, const struct tern_tx *tx, uint8_t ttl,
				  struct tern_out *out)
{
	bool v6 = tx->family == TERN_INET6, offload = st->cfg.csum_offload;
	uint32_t len = v6 ? emit_ip6(st, out, tx, ttl)
			  : tern_tcp4_emit(out->header, &tx->seg, tx->addrs, ttl, tx->tos,
					   tx->piece, tx->pieces, offload);

	for (unsigned int i = 0; i < tx->pieces; i++)
		out->piece[i + 1] = tx->piece[i];
	out->piece[0].ptr = out->header;
	out->piece[0].len = len;
	out->pieces = tx->pieces + 1;
	out->len = len + tx->seg.len;
	out->gso_size = tx->gso_size;
	out->header_len = (uint16_t)len;
	out->csum_start = v6 ? TERN_IP6_HEADER : TERN_IP4_HEADER;
	out->csum_offset = TERN_TCP_CKSUM_OFFSET;
	out->family = tx->family;
	out->csum = offload ? TERN_CSUM_PARTIAL : TERN_CSUM_FULL;
	tern_count(&st->trace, v6 ? TERN_CNT_Ip6OutRequests : TERN_CNT_IpOutRequests);
	return is_for_us(st, tx);
}

/* The same of a usual segment over IPv4: see tern_tcp4_emit_usual(). */
TERN_INLINE bool fill_usual(struct tern_stack *st, const struct tern_tx *tx, uint8_t ttl,
			    struct tern_out *out, bool syn)
{
	uint32_t len = tern_tcp4_emit_usual(out->header, &tx->seg, tx->addrs, ttl, tx->tos, syn);

	out->piece[0].ptr = out->header;
	out->piece[0].len = len;
	out->pieces = 1;
	out->len = len;
	out->gso_size = 0;
	out->header_len = (uint16_t)len;
	out->csum_start = TERN_IP4_HEADER;
	out->csum_offset = TERN_TCP_CKSUM_OFFSET;
	out->family = TERN_INET;
	out->csum = TERN_CSUM_FULL;
	tern_count(&st->trace, TERN_CNT_IpOutRequests);
	return tern_route_is_local4(st, tx->addrs + 4);
}

TERN_INLINE bool fill_segment(struct tern_stack *st, const struct tern_tx *tx, struct tern_out *out)
{
	uint8_t ttl = tx->ttl ? tx->ttl : (uint8_t)st->knobs.ip_default_ttl;
	uint32_t usual;

	if (TERN_UNLIKELY(tern_trace_is_on(&st->trace)))
		trace_segment(st, tx);
	if (tx->family != TERN_INET || tx->pieces || st->cfg.csum_offload)
		return fill_any(st, tx, ttl, out);
	/* Urgent pointer and options at once; the first is 0 with all that is usual. */
	usual = tern_emit_fields(&tx->seg.urgent);
	if (usual == (uint32_t)TERN_OPT_TS << 16)
		return fill_usual(st, tx, ttl, out, false);
	if (usual == (uint32_t)TERN_TCP_SYN_USUAL << 16) /* on a SYN only, as we use them */
		return fill_usual(st, tx, ttl, out, true);
	return fill_any(st, tx, ttl, out);
}

/* The segment that a reply asks for. */
static inline void build_reply(struct tern_stack *st, const struct tern_reply *reply,
			       struct tern_tx *tx)
{
	struct tern_segment *seg = &tx->seg;
	uint8_t family = reply->family, state = reply->state, ttl = reply->ttl, tos = reply->tos;

	memcpy(seg, reply, offsetof(struct tern_reply, family));
	seg->len = 0;
	if (TERN_UNLIKELY(reply->options & TERN_OPT_FASTOPEN))
		memcpy(seg->opt.fastopen, reply->fastopen, sizeof(reply->fastopen));
	tx->addrs = reply->addrs;
	tx->family = family;
	tx->state = state;
	tx->ttl = ttl;
	tx->tos = tos;
	tx->pieces = 0;
	tx->gso_size = 0;
	if (TERN_UNLIKELY(reply->flags & TERN_RST))
		tern_count(&st->trace, TERN_CNT_TcpOutRsts);
	else
		tern_count(&st->trace, TERN_CNT_TcpOutSegs);
}

static void fill_packet(const struct tern_packet *pkt, struct tern_out *out)
{
	out->header_len = (uint16_t)tern_ip_emit(out->header, TERN_OUT_HEADER, pkt);
	out->piece[0] = (struct tern_piece){ out->header, out->header_len };
	out->piece[1] = (struct tern_piece){ pkt->payload, pkt->payload_len };
	out->pieces = pkt->payload_len ? 2 : 1;
	out->len = out->header_len + pkt->payload_len;
	out->gso_size = 0;
	out->family = pkt->dst.family;
	out->csum = TERN_CSUM_FULL;
	out->csum_start = 0;
	out->csum_offset = 0;
}

/* The next whole packet; the queue is not empty. */
static TERN_OUTLINE bool next_packet(struct tern_stack *st, struct tern_out *out, bool *ret_local)
{
	struct tern_packet pkt;

	if (!tern_queue_pop(st, &pkt))
		return false;
	fill_packet(&pkt, out);
	tern_count(&st->trace,
		   out->family == TERN_INET6 ? TERN_CNT_Ip6OutRequests : TERN_CNT_IpOutRequests);
	*ret_local = tern_route_is_local(st, &pkt.dst);
	return true;
}

/* Fills in the next frame, whoever it is for. *ret_local: it is for us. */
static bool next_frame(struct tern_stack *st, struct tern_out *out, bool *ret_local)
{
	const struct tern_reply *reply = tern_ring_pop(&st->tcp.replies.ring);
	struct tern_tx tx;

	if (reply)
		build_reply(st, reply, &tx);
	else if (!tern_tcp_wants_output(&st->tcp) || !tern_tcp_output(&st->tcp, &tx))
		return !tern_queue_is_empty(st->queue) && next_packet(st, out, ret_local);
	*ret_local = fill_segment(st, &tx, out);
	return true;
}

/* Carries a frame to ourselves. Without memory for it, it is lost as on a wire. */
static TERN_OUTLINE void loop_back(struct tern_stack *st, const struct tern_out *out)
{
	struct tern_frame frame = { .len = out->len,
				    .gso_size = out->gso_size,
				    .csum = TERN_CSUM_GOOD };
	uint8_t *to;

	if (!st->loop)
		st->loop = tern_mem_alloc(&st->mem, TERN_LOOP_SIZE);
	if (!st->loop) {
		tern_count(&st->trace, TERN_CNT_TernAllocFailures);
		return;
	}
	to = st->loop;
	for (unsigned int i = 0; i < out->pieces; i++) {
		memcpy(to, out->piece[i].ptr, out->piece[i].len);
		to += out->piece[i].len;
	}
	frame.data = st->loop;
	tern_count(&st->trace, TERN_CNT_TernLoopback);
	tern_input_looped(st, &frame);
}

static inline unsigned int drain(struct tern_stack *st, struct tern_out *out, unsigned int n)
{
	unsigned int filled = 0, looped = 0;
	bool local;

	while (filled < n && next_frame(st, out, &local)) {
		if (TERN_LIKELY(!local)) {
			filled++;
			out++;
			continue;
		}
		loop_back(st, out);
		if (++looped == LOOP_MAX) {
			st->loop_more = true;
			break;
		}
	}
	return filled;
}

unsigned int tern_stack_output(struct tern_stack *st, uint64_t now, struct tern_out *outs,
			       unsigned int n)
{
	tern_tcp_set_now(&st->tcp, now);
	st->loop_more = false;
	tern_queue_reap(st->queue);
	return drain(st, outs, n);
}
