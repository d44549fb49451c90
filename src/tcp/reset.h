/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/reset.h: RST and challenge ACKs.
 */
#ifndef TERN_TCP_RESET_H
#define TERN_TCP_RESET_H

#include "tcp/conn.h"
#include "trace/counter.h"

/*
 * <SEQ=SND.NXT><CTL=RST,ACK>: tells the peer that the connection is no more. The state is left
 * alone; the caller ends the connection next.
 */
void tern_conn_reset_peer(struct tern_tcp *t, uint32_t idx);

/* A reset without a record, as far as it is not the flow's. */
struct tern_reset {
	tern_seq seq, ack;
	uint8_t ttl, tos;
};

/*
 * A reset that found the ring of replies full, and that has no record of its own to wait in: one is
 * made for it. Without memory for that it is lost (counted).
 */
void tern_tcp_owe_reset(struct tern_tcp *t, const struct tern_flow *flow,
			const struct tern_reset *reset);

/*
 * An ACK in answer to a segment that cannot be taken, at most one each tcp_invalid_ratelimit for
 * this connection alone (RFC 5961 §7; a limit shared by connections would be a side channel,
 * CVE-2016-5696). Returns whether it will be sent; `skipped` counts when not.
 */
bool tern_conn_answer_invalid(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			      enum tern_counter skipped);

/* The same, counted as challenge ACK (RFC 5961 §3.2, §4.2, §5.2). */
void tern_conn_challenge(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

#endif
