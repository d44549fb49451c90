/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/check.c: what holds for every frame that leaves, and what must be left at the end:
 * nothing.
 */
#include "harness/puppet.h"

#include <errno.h>
#include <stdlib.h>

/* One packet in one piece. */
static uint8_t *flatten(const struct tern_out *out)
{
	uint8_t *frame = malloc(out->len), *to = frame;

	assert_non_null(frame);
	for (unsigned int i = 0; i < out->pieces; i++) {
		memcpy(to, out->piece[i].ptr, out->piece[i].len);
		to += out->piece[i].len;
	}
	assert_ptr_equal(to, frame + out->len);
	return frame;
}

/* Options that the flags allow, and timestamps if and only if they were agreed on. */
static void check_options(const struct puppet *p, const struct tern_segment *seg, bool ours)
{
	uint16_t only_syn = TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_FASTOPEN;
	uint16_t present = seg->opt.present;

	assert_false(seg->options_malformed);
	if (seg->flags & TERN_RST) {
		assert_int_equal(present & ~TERN_OPT_TS, 0);
		assert_int_equal(seg->len, 0);
	} else if (seg->flags & TERN_SYN) {
		assert_true(present & TERN_OPT_MSS);
		assert_false(present & TERN_OPT_SACK);
	} else {
		assert_int_equal(present & only_syn, 0); /* MUST-65 */
		if (ours)
			assert_int_equal(!!(present & TERN_OPT_TS), p->stamped);
	}
}

/* The payload is what the application wrote, and in the window; window edges never go back. */
static void check_promises(struct puppet *p, const struct tern_segment *seg)
{
	uint32_t offset = seg->seq - p->irs - 1;
	uint32_t end = seg->seq + seg->len, edge;
	uint32_t unit = 1u << (p->scaled ? p->stack_wscale : 0);

	if (seg->flags & (TERN_SYN | TERN_RST))
		return;
	for (uint32_t i = 0; i < seg->len; i++)
		if (seg->data[i] != stream_byte(offset + i))
			fail_msg("byte %u is not what the application wrote", offset + i);
	if (seg->len && tern_seq_gt(end, p->room + 1))
		fail_msg("%u bytes beyond the peer's window", end - p->room);
	edge = seg->ack + seg->wnd * unit;
	/* A part of a unit may be cut off, and all of it for want of memory. */
	if (p->edge_known && tern_seq_le(edge + unit, p->edge) && seg->wnd)
		fail_msg("the window shrank by %u bytes", p->edge - edge);
	p->edge = p->edge_known ? tern_seq_max(p->edge, edge) : edge;
	p->edge_known = true;
}

/* Data that goes with a SYN is the stream's first. */
static void check_syn_data(const struct tern_segment *seg)
{
	for (uint32_t i = 0; i < seg->len; i++)
		assert_int_equal(seg->data[i], stream_byte(i));
}

static void check_segment(struct puppet *p, const struct tern_packet *pkt, struct caught *ret)
{
	struct tern_segment *seg = &ret->seg;
	bool ours;

	assert_int_equal(tern_tcp_parse(pkt->payload, pkt->payload_len, seg), TERN_PARSE_OK);
	assert_true(tern_tcp_cksum_ok(pkt));
	ret->flow = (struct tern_flow){ .local = pkt->src,
					.remote = pkt->dst,
					.lport = seg->sport,
					.rport = seg->dport };
	ours = seg->dport == p->peer.port && tern_addr_eq(&pkt->dst, &p->peer.addr) &&
	       seg->sport == p->us.port;
	check_options(p, seg, ours && p->irs);
	if (ours && (seg->flags & TERN_SYN))
		check_syn_data(seg);
	if (ours && p->irs)
		check_promises(p, seg);
	memcpy(ret->payload, seg->data, TERN_MIN(seg->len, (uint32_t)PAYLOAD_MAX));
	ret->len = seg->len;
	seg->data = NULL;
}

void check_frame(struct puppet *p, const struct tern_out *out, struct caught *ret)
{
	uint8_t *frame = flatten(out);
	struct tern_packet pkt;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(tern_ip_parse(frame, out->len, false, &pkt), TERN_PARSE_OK);
	assert_int_equal(pkt.header_len + pkt.payload_len, out->len);
	assert_true(out->len <= p->st->cfg.mtu);
	assert_true(tern_route_is_local(p->st, &pkt.src));
	assert_false(tern_addr_is_multicast(&pkt.dst));
	ret->at = p->now;
	ret->proto = pkt.proto;
	ret->ttl = pkt.ttl;
	ret->tos = pkt.tos;
	if (pkt.proto == TERN_PROTO_TCP) {
		check_segment(p, &pkt, ret);
	} else {
		ret->len = TERN_MIN(pkt.payload_len, (uint32_t)PAYLOAD_MAX);
		memcpy(ret->payload, pkt.payload, ret->len);
	}
	free(frame);
}

/* ---- rows ---- */

bool find_row(const struct puppet *p, struct tern_socket_info *ret)
{
	struct tern_socket_info row;
	uint64_t cursor = 0;
	bool found = false;

	while (tern_stack_next_socket(p->st, p->now, &cursor, &row)) {
		if (row.remote.port != p->peer.port || row.local.port != p->us.port ||
		    !tern_addr_eq(&row.remote.addr, &p->peer.addr) || row.state == TERN_CLOSED)
			continue;
		if (found && ret->state == TERN_SYN_RECEIVED && row.state == TERN_TIME_WAIT)
			continue; /* it waits for the handshake of its successor */
		if (found)
			fail_msg("two rows for one connection");
		found = true;
		*ret = row;
	}
	return found;
}

enum tern_state state_of(const struct puppet *p)
{
	struct tern_socket_info row;

	if (find_row(p, &row))
		return (enum tern_state)row.state;
	return p->listener ? TERN_LISTEN : TERN_CLOSED;
}

void puppet_assert_state(const struct puppet *p, enum tern_state state, const char *file, int line)
{
	enum tern_state is = state_of(p);

	if (is == state || (state == TERN_CLOSED && is == TERN_LISTEN))
		return;
	print_error("state is %s, not %s (kind %d)\n", tern_state_name(is), tern_state_name(state),
		    (int)p->kind);
	_fail(file, line);
}

void puppet_assert_reason(const struct puppet *p, enum tern_drop reason, const char *file, int line)
{
	if (p->reason == reason)
		return;
	print_error("dropped as %s, not %s (kind %d, %s)\n", tern_drop_name(p->reason),
		    tern_drop_name(reason), (int)p->kind, tern_state_name(state_of(p)));
	_fail(file, line);
}

/* ---- the end ---- */

void assert_all_back(struct puppet *p)
{
	struct tern_stack *st = p->st;
	struct tern_stack_info info;
	struct tern_socket_info row;
	uint64_t cursor = 0;

	tern_stack_info(st, p->now, &info);
	assert_int_equal(info.tcp_buffer_bytes, 0);
	assert_int_equal(info.orphans, 0);
	assert_int_equal(info.halfopens, 0);
	assert_int_equal(info.accept_queued, 0);
	assert_int_equal(info.listeners, 0);
	assert_int_equal(info.timewaits, 0);
	assert_int_equal(info.conns, 0);
	assert_false(tern_stack_next_socket(st, p->now, &cursor, &row));
	assert_int_equal(tern_tcp_traffics(&st->tcp), 0);
	assert_int_equal(st->tcp.reass.used, 0);
	assert_int_equal(st->tcp.fastopen.queues.used, 0);
	assert_int_equal(st->tcp.bursts.used, 0);
	assert_int_equal(st->tcp.map.count, 0);
	assert_int_equal(st->tcp.out.count, 0);
	assert_int_equal(st->tcp.events.count, 0);
	assert_int_equal(st->tw.finwait2, 0);
	assert_true(tern_stack_deadline(st) == TERN_NEVER);
	for (unsigned int port = 1; port < TERN_PORTS; port++)
		assert_false(tern_ports_used(st->ports, (uint16_t)port));
}

void done(struct puppet *p)
{
	struct tern_event ev;

	if (p->id)
		assert_int_equal(tern_stack_close(p->st, p->now, p->id), 0);
	if (p->listener)
		assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	ignore(p);
	/* Nobody answers any more: the longest way is an orphan's retransmissions. */
	for (int i = 0; i < 60 && tern_stack_deadline(p->st) != TERN_NEVER; i++) {
		wait_ms(p, MINUTE);
		ignore(p);
	}
	ignore(p);
	while (tern_stack_event(p->st, &ev))
		;
	assert_all_back(p);
	tern_stack_free(p->st);
	free(p);
}
