/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/state.h: the one writer of a connection's state.
 */
#ifndef TERN_TCP_STATE_H
#define TERN_TCP_STATE_H

#include <assert.h>

#include "base/compiler.h"
#include "tcp/conn.h"

/* Counts a move to one of these states, before it is made; records any move, if it is to be. */
#define TERN_STATES_COUNTED \
	(TERN_STATES(CLOSED) | TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED))
void tern_conn_count_move(struct tern_tcp *t, const struct tern_conn *c, enum tern_state to);
TERN_COLD void tern_conn_trace_move(struct tern_tcp *t, const struct tern_conn *c,
				    enum tern_state to);

/* Moves a connection to another state: the move must be legal; it is counted and traced. */
static inline void tern_conn_set_state(struct tern_tcp *t, struct tern_conn *c, enum tern_state to)
{
	assert(tern_state_may_move(c->state, to));
	if (tern_state_in(to, TERN_STATES_COUNTED))
		tern_conn_count_move(t, c, to);
	if (TERN_UNLIKELY(tern_trace_is_on(t->trace)))
		tern_conn_trace_move(t, c, to);
	c->state = (uint8_t)to;
	c->state_ms = t->now_ms;
}

/*
 * The end of a connection from inside: CLOSED, out of the map, timer off, what was to be sent is
 * dropped, what was received stays to be read. The application learns `error` (a positive errno,
 * 0: none). A record that nobody owns is freed: idx may be gone afterwards.
 */
void tern_conn_finish_at(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, int error);

static inline void tern_conn_finish(struct tern_tcp *t, uint32_t idx, int error)
{
	tern_conn_finish_at(t, idx, tern_conn_at(t, idx), error);
}

#endif
