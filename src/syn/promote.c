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
