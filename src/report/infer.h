/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/infer.h: the state of a peer that we cannot ask, from the segments it sent and received.
 */
#ifndef TERN_REPORT_INFER_H
#define TERN_REPORT_INFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/seq.h"
#include "tern/trace.h"

struct tern_infer {
	const struct tern_trace_record *records;
	size_t count;
	struct tern_endpoint local, remote;
	uint8_t state;             /* enum tern_state, 0 for unknown */
	bool syn_sent, fin_sent;   /* by the peer */
	bool syn_ours;             /* we sent a SYN without having seen the peer's */
	bool fin_crosses;          /* our FIN arrives after the peer sends its own */
	tern_seq syn_end, fin_end; /* what acknowledges them */
};

/*
 * Begins at the first of n records, which stay the caller's, for the connection with these
 * endpoints (ours is local). Returns the state the peer was in before it received anything:
 * SYN-SENT if it opened, LISTEN if it answered us; 0 if the trace does not tell.
 */
uint8_t tern_infer_begin(struct tern_infer *infer, const struct tern_trace_record *records,
			 size_t n, const struct tern_endpoint *local,
			 const struct tern_endpoint *remote);

/*
 * The peer's state after record number i, which is a segment of the connection; records are given
 * in order. Later records are looked at to learn whether a segment of ours arrived.
 */
uint8_t tern_infer_step(struct tern_infer *infer, size_t i);

#endif
