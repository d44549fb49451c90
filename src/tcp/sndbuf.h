/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/sndbuf.h: how much an application may queue.
 */
#ifndef TERN_TCP_SNDBUF_H
#define TERN_TCP_SNDBUF_H

#include "tcp/conn.h"

/* Bytes that the send queue takes now, at most; 0: none, wait. */
uint32_t tern_sndbuf_room(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x);

/* Is there so much room that a writer who waits for some is to be woken? */
bool tern_sndbuf_is_roomy(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x);

#endif
