/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/state.h: the one writer of a connection's state.
 */
#ifndef TERN_TCP_STATE_H
#define TERN_TCP_STATE_H

#include "tcp/conn.h"

/* Moves a connection to another state: the move must be legal; it is counted and traced. */
void tern_conn_set_state(struct tern_tcp *t, uint32_t idx, enum tern_state to);

/*
 * The end of a connection from inside: CLOSED, out of the map, timer off, what was to be sent is
 * dropped, what was received stays to be read. The application learns `error` (a positive errno,
 * 0: none). A record that nobody owns is freed: idx may be gone afterwards.
 */
void tern_conn_finish(struct tern_tcp *t, uint32_t idx, int error);

#endif
