/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The one way from half-open to open. Nothing is taken from the tables of the room: h may be the
 * record of the SYN queue or, with the flood-proof listener, one rebuilt from a cookie.
 *
 * The child starts from what the record knows. The window is taken from the segment that completes
 * the handshake, which is newer than the SYN's and all that a cookie would have.
 */
#include "syn/internal.h"

/* When the SYN-ACK left; 0 if more than one did (Karn), or its ACK was refused for lack of room. */
static uint64_t synack_ns(const struct tern_half *h, uint64_t now)
{
	uint32_t age = (uint32_t)(now >> TERN_HALF_CLOCK_SHIFT) - h->born;

	if (h->flags & (TERN_HALF_RESENT | TERN_HALF_ACKED))
		return 0;
	return now - ((uint64_t)age << TERN_HALF_CLOCK_SHIFT);
}

void tern_half_birth(const struct tern_syn *s, const struct tern_half *h, uint32_t parent,
		     const struct tern_flow *flow, const struct tern_segment *seg,
		     struct tern_birth *ret)
{
	*ret = (struct tern_birth){
		.flow = flow,
		.iss = h->iss,
		.irs = h->irs,
		.terms = { .peer_mss = h->peer_mss,
			   .options = h->options,
			   .snd_wscale = h->wscales >> 4,
			   .rcv_wscale = h->wscales & 15 },
		.ts_offset = h->ts_offset,
		.ts_recent = h->ts_recent,
		.window = seg->wnd,
		.advertised = tern_half_window(tern_conn_at(s->tcp, parent)),
		.synack_ns = synack_ns(h, s->tcp->now),
		.settings = parent,
		.retransmitted = h->retries != 0,
	};
}

uint32_t tern_half_promote(struct tern_syn *s, const struct tern_half *h, struct tern_listener *l,
			   const struct tern_flow *flow, const struct tern_segment *seg,
			   enum tern_drop *ret_reason)
{
	struct tern_birth birth;
	uint32_t conn;

	if (tern_acceptq_full(l)) {
		tern_listener_count_overflow(s, h->listener);
		*ret_reason = TERN_DROP_TCP_LISTEN_OVERFLOW;
		return 0;
	}
	tern_half_birth(s, h, l->conn, flow, seg, &birth);
	conn = tern_tcp_adopt(s->tcp, &birth);
	if (!conn) {
		tern_listener_count_drop(s, h->listener);
		*ret_reason = TERN_DROP_NOMEM;
		return 0;
	}
	tern_acceptq_push(s, h->listener, l, conn);
	*ret_reason = TERN_DROP_NONE;
	return conn;
}
