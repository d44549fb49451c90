/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/rto.h: what happens when the retransmission or the persist timer runs out.
 */
#ifndef TERN_TCP_RTO_H
#define TERN_TCP_RTO_H

#include "base/compiler.h"
#include "tcp/conn.h"
#include "tcp/rtt.h"

/* tern_rto_ns() after timeouts, or with a user timeout to heed. */
uint64_t tern_rto_backed_off_ns(const struct tern_tcp *t, const struct tern_conn *c,
				const struct tern_traffic *x);

/* The timeout in force, backoff included, in ns. */
static inline uint64_t tern_rto_ns(const struct tern_tcp *t, const struct tern_conn *c,
				   const struct tern_traffic *x)
{
	uint32_t rto_us = c->rtt.rto_us ? c->rtt.rto_us : TERN_RTO_INITIAL_US;

	if (TERN_UNLIKELY(c->patience.retries | c->patience.user_timeout_ms | x->repair.backoff))
		return tern_rto_backed_off_ns(t, c, x);
	return rto_us * UINT64_C(1000);
}

/* When the timeout of what is first in flight is due: from when it left last. */
uint64_t tern_rto_due_ns(const struct tern_tcp *t, const struct tern_conn *c,
			 const struct tern_traffic *x);

/* How long to wait for a loss probe where there may be one, in ns; TERN_NEVER: there is none. */
uint64_t tern_loss_probe_wait_ns(const struct tern_tcp *t, const struct tern_conn *c,
				 const struct tern_traffic *x);

/*
 * How long to wait for an ACK before a loss probe (RFC 8985 §7.2), in ns; TERN_NEVER where there is
 * none: without SACK, during repair, in the handshake.
 */
static inline uint64_t tern_loss_probe_ns(const struct tern_tcp *t, const struct tern_conn *c,
					  const struct tern_traffic *x)
{
	if (!(c->options & TERN_OPT_SACKOK) || !(c->flags & TERN_CF_CONNECTED) ||
	    (x->repair.state != TERN_CA_OPEN && x->repair.state != TERN_CA_CWR))
		return TERN_NEVER;
	return tern_loss_probe_wait_ns(t, c, x);
}

/* It is due: a probe, and the RTO from then. */
void tern_loss_probe_timeout(struct tern_tcp *t, uint32_t idx);

/*
 * The retransmission timer ran out: what is in flight is lost, or R2 is reached. The record may be
 * gone.
 */
void tern_rto_timeout(struct tern_tcp *t, uint32_t idx);

/* The persist timer ran out: probe, or give up. The record may be gone. */
void tern_persist_timeout(struct tern_tcp *t, uint32_t idx);

#endif
