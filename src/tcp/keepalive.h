/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/keepalive.h: probing an idle peer (RFC 9293 §3.8.4). Off unless asked for.
 */
#ifndef TERN_TCP_KEEPALIVE_H
#define TERN_TCP_KEEPALIVE_H

#include "tcp/conn.h"

/* tern_keepalive_due() where keepalive is on. */
uint64_t tern_keepalive_next(const struct tern_tcp *t, const struct tern_conn *c);

/*
 * The application is gone, the peer's FIN is awaited, for as long as TCP_LINGER2 says (above 0):
 * the connection stays a connection, and the keepalive timer ends it.
 */
void tern_keepalive_await_fin(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/*
 * When the next probe, or the end, is due; TERN_NEVER when keepalive is off or something is in
 * flight.
 */
static inline uint64_t tern_keepalive_due(const struct tern_tcp *t, const struct tern_conn *c)
{
	/* RFC9293:MUST-25 */
	return c->flags & TERN_CF_KEEPALIVE ? tern_keepalive_next(t, c) : TERN_NEVER;
}

/* It is due: probe, or give up. The record may be gone. */
void tern_keepalive_timeout(struct tern_tcp *t, uint32_t idx);

#endif
