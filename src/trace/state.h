/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/state.h: facts about the eleven states, as tables.
 */
#ifndef TERN_TRACE_STATE_H
#define TERN_TRACE_STATE_H

#include <stdbool.h>

#include "tern/trace.h"

#define TERN_STATE_MAX 12 /* one more than the highest state number */

/* A set of states as bits: TERN_STATES(ESTABLISHED) | TERN_STATES(CLOSE_WAIT). */
#define TERN_STATES(name) (1u << TERN_##name)

/* Is state one of the set? */
static inline bool tern_state_in(unsigned int state, unsigned int set)
{
	return (set >> state) & 1;
}

/* RFC 9293 §3.3.2: ESTABLISHED and what follows it. */
#define TERN_STATES_SYNCHRONIZED                                                        \
	(TERN_STATES(ESTABLISHED) | TERN_STATES(FIN_WAIT_1) | TERN_STATES(FIN_WAIT_2) | \
	 TERN_STATES(CLOSE_WAIT) | TERN_STATES(CLOSING) | TERN_STATES(LAST_ACK) |       \
	 TERN_STATES(TIME_WAIT))

/* States in which our end may still send new data. */
#define TERN_STATES_MAY_SEND (TERN_STATES(ESTABLISHED) | TERN_STATES(CLOSE_WAIT))

/* States in which data of the peer is still to come. */
#define TERN_STATES_MAY_RECEIVE \
	(TERN_STATES(ESTABLISHED) | TERN_STATES(FIN_WAIT_1) | TERN_STATES(FIN_WAIT_2))

/* For each state the set of those it may move to. */
extern const uint16_t tern_state_moves[TERN_STATE_MAX];

/* The same for a state that is one. */
static inline bool tern_state_may_move(enum tern_state from, enum tern_state to)
{
	return tern_state_in(to, tern_state_moves[from]);
}

/* Is the move legal (RFC 9293 figure 5, with RST, timeouts and aborts to CLOSED)? */
static inline bool tern_state_legal(unsigned int from, unsigned int to)
{
	return from < TERN_STATE_MAX && to < TERN_STATE_MAX &&
	       tern_state_in(to, tern_state_moves[from]);
}

/*
 * State by any of its spellings: RFC 9293, ss, netstat, Linux' /proc; case does not matter. 0 if
 * unknown.
 */
unsigned int tern_state_find(const char *name);

#endif
