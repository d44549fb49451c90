/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Every change of a connection's state goes through tern_conn_set_state: it asserts that RFC 9293
 * figure 5 knows the move (trace/state.c holds the table), counts what Linux counts at that
 * move, and records it. Nobody else writes the field.
 *
 * tern_conn_finish is the common end: FINs done, reset, given up, aborted.
 */
#include "tcp/state.h"

#include "tcp/tcp.h"
#include "tcp/timers.h"

#define CONNECTING (TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED))
#define CONNECTED  (TERN_STATES(ESTABLISHED) | TERN_STATES(CLOSE_WAIT))

/* Linux counts opens, failed attempts and resets of established connections by the move. */
void tern_conn_count_move(struct tern_tcp *t, const struct tern_conn *c, enum tern_state to)
{
	if (to == TERN_CLOSED && tern_state_in(c->state, CONNECTING))
		tern_count(t->trace, TERN_CNT_TcpAttemptFails);
	else if (to == TERN_CLOSED && tern_state_in(c->state, CONNECTED))
		tern_count(t->trace, TERN_CNT_TcpEstabResets);
	else if (to == TERN_SYN_SENT)
		tern_count(t->trace, TERN_CNT_TcpActiveOpens);
	else if (to == TERN_SYN_RECEIVED && (c->flags & TERN_CF_PASSIVE))
		tern_count(t->trace, TERN_CNT_TcpPassiveOpens);
}

void tern_conn_trace_move(struct tern_tcp *t, const struct tern_conn *c, enum tern_state to)
{
	struct tern_trace_record *record;
	struct tern_flow flow;

	if (!(c->flags & TERN_CF_HASHED))
		return;
	record = tern_trace_take(t->trace);
	tern_conn_flow(c, &flow);
	record->time_ns = t->now;
	record->kind = TERN_TRACE_STATE;
	record->local = (struct tern_endpoint){ flow.local, flow.lport };
	record->remote = (struct tern_endpoint){ flow.remote, flow.rport };
	record->before = c->state;
	record->after = (uint8_t)to;
}

/* What is left for the application that holds the record, or that will accept it. */
TERN_NOINLINE static void leave_dead(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
				     int error)
{
	unsigned int bits = TERN_EV_CLOSED | TERN_EV_READABLE | TERN_EV_WRITABLE;

	tern_fastopen_forget(t, c);
	tern_conn_unhash(t, idx, c);
	tern_conn_drop_unsent(t, idx);
	c->flags |= TERN_CF_DEAD;
	if (error) {
		c->error = (uint8_t)error;
		bits |= TERN_EV_ERROR;
	}
	tern_conn_notify(t, idx, c, bits);
}

/* The end of a connection whose SYN was more than a SYN. */
TERN_COLD static void end_fast_open(struct tern_tcp *t, struct tern_conn *c)
{
	if (c->flags & TERN_CF_EARLY)
		tern_fastopen_settle(t, c, false);
	else if (!(c->flags & TERN_CF_PASSIVE))
		tern_fastopen_ended(t, c);
}

void tern_conn_finish_at(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, int error)
{
	if (TERN_UNLIKELY(c->fastopen & TERN_FO_USED))
		end_fast_open(t, c);
	if (c->state != TERN_CLOSED)
		tern_conn_set_state(t, c, TERN_CLOSED);
	if (c->flags & (TERN_CF_OWNED | TERN_CF_IN_ACCEPTQ))
		leave_dead(t, idx, c, error);
	else
		tern_conn_free_at(t, idx, c);
}
