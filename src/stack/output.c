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
#include "stack/internal.h"
#include "wire/tcp.h"

#define LOOP_MAX 64

/* The event ring's record of a segment that leaves. */
static void trace_segment(struct tern_stack *st, const struct tern_flow *flow,
			  const struct tern_segment *seg, uint8_t state)
{
	struct tern_trace_record *r = tern_trace_next(&st->trace);

	if (!r)
		return;
	r->time_ns = st->tcp.now;
	r->kind = TERN_TRACE_SEGMENT_OUT;
	r->local = (struct tern_endpoint){ flow->local, flow->lport };
	r->remote = (struct tern_endpoint){ flow->remote, flow->rport };
	r->seq = seg->seq;
	r->ack = seg->ack;
	r->window = seg->wnd;
	r->length = seg->len;
	r->tsval = seg->opt.tsval;
	r->tsecr = seg->opt.tsecr;
	r->mss = seg->opt.mss;
	r->flags = seg->flags;
	r->options = seg->opt.present;
	r->wscale = seg->opt.wscale;
	r->before = state;
	r->after = state;
}

static void count_out(struct tern_stack *st, uint8_t family)
{
	tern_count(&st->trace,
		   family == TERN_INET6 ? TERN_CNT_Ip6OutRequests : TERN_CNT_IpOutRequests);
}

/* Writes IP and TCP headers and the checksum; the payload's pieces are in place behind piece[0]. */
static void emit_segment(struct tern_stack *st, struct tern_out *out, const struct tern_flow *flow,
			 const struct tern_segment *seg, uint8_t ttl, uint8_t tos)
{
	struct tern_packet pkt = { .src = flow->local,
				   .dst = flow->remote,
				   .proto = TERN_PROTO_TCP,
				   .tos = tos,
				   .df = true,
				   .ttl = ttl ? ttl : (uint8_t)st->knobs.ip_default_ttl };
	uint32_t ip_len = flow->local.family == TERN_INET ? TERN_IP4_HEADER : TERN_IP6_HEADER;
	uint8_t *tcp = out->header + ip_len;
	uint32_t tcp_len = tern_tcp_emit(tcp, TERN_OUT_HEADER - ip_len, seg);

	pkt.payload_len = tcp_len + seg->len;
	if (ip_len == TERN_IP6_HEADER)
		pkt.flow_label = tern_flow_hash(st->port_key, flow) & 0xfffff;
	tern_ip_emit(out->header, ip_len, &pkt);
	if (st->cfg.csum_offload)
		tern_tcp_cksum_partial(&pkt.src, &pkt.dst, tcp, tcp_len, seg->len);
	else
		tern_tcp_cksum_full(&pkt.src, &pkt.dst, tcp, tcp_len, out->piece + 1,
				    out->pieces - 1);
	out->csum = st->cfg.csum_offload ? TERN_CSUM_PARTIAL : TERN_CSUM_FULL;
	out->csum_start = (uint16_t)ip_len;
	out->csum_offset = TERN_TCP_CKSUM_OFFSET;
	out->header_len = (uint16_t)(ip_len + tcp_len);
	out->piece[0] = (struct tern_piece){ out->header, out->header_len };
	out->len = out->header_len + seg->len;
	out->family = flow->local.family;
}

static void fill_reply(struct tern_stack *st, const struct tern_reply *reply, struct tern_out *out)
{
	struct tern_segment seg = { .sport = reply->flow.lport,
				    .dport = reply->flow.rport,
				    .seq = reply->seq,
				    .ack = reply->ack,
				    .wnd = reply->wnd,
				    .flags = reply->flags };

	seg.opt.present = reply->options;
	seg.opt.mss = reply->mss;
	seg.opt.wscale = reply->wscale;
	seg.opt.tsval = reply->tsval;
	seg.opt.tsecr = reply->tsecr;
	out->pieces = 1;
	out->gso_size = 0;
	emit_segment(st, out, &reply->flow, &seg, reply->ttl, reply->tos);
	trace_segment(st, &reply->flow, &seg, reply->state);
	tern_count(&st->trace, reply->flags & TERN_RST ? TERN_CNT_TcpOutRsts : TERN_CNT_TcpOutSegs);
}

static void fill_segment(struct tern_stack *st, const struct tern_tx *tx, struct tern_out *out)
{
	for (unsigned int i = 0; i < tx->pieces; i++)
		out->piece[i + 1] = tx->piece[i];
	out->pieces = tx->pieces + 1;
	out->gso_size = tx->gso_size;
	emit_segment(st, out, &tx->flow, &tx->seg, tx->ttl, tx->tos);
	trace_segment(st, &tx->flow, &tx->seg, tx->state);
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

/* Fills in the next frame, whoever it is for. ret_dest is where it goes. */
static bool next_frame(struct tern_stack *st, struct tern_out *out, struct tern_addr *ret_dest)
{
	const struct tern_reply *reply = tern_ring_pop(&st->tcp.replies.ring);
	struct tern_packet pkt;
	struct tern_tx tx;

	if (reply) {
		fill_reply(st, reply, out);
		*ret_dest = reply->flow.remote;
		return true;
	}
	if (tern_tcp_output(&st->tcp, &tx)) {
		fill_segment(st, &tx, out);
		*ret_dest = tx.flow.remote;
		return true;
	}
	if (tern_queue_pop(st, &pkt)) {
		fill_packet(&pkt, out);
		*ret_dest = pkt.dst;
		return true;
	}
	return false;
}

/* Most entries end in asking for a frame that is not there. */
static bool nothing_waits(const struct tern_stack *st)
{
	return !tern_ring_count(&st->tcp.replies.ring) && !st->tcp.out.head &&
	       tern_queue_is_empty(st->queue);
}

/* Carries a frame to ourselves. Without memory for it, it is lost as on a wire. */
static void loop_back(struct tern_stack *st, const struct tern_out *out)
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
	tern_input_frame(st, &frame, true);
}

unsigned int tern_stack_output(struct tern_stack *st, uint64_t now, struct tern_out *outs,
			       unsigned int n)
{
	unsigned int filled = 0, looped = 0;
	struct tern_addr dest;

	st->tcp.now = now;
	st->loop_more = false;
	tern_queue_reap(st->queue);
	while (filled < n && !nothing_waits(st) && next_frame(st, &outs[filled], &dest)) {
		count_out(st, dest.family);
		if (TERN_LIKELY(!tern_route_is_local(st, &dest))) {
			filled++;
			continue;
		}
		loop_back(st, &outs[filled]);
		if (++looped == LOOP_MAX) {
			st->loop_more = true;
			break;
		}
	}
	return filled;
}
