/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/arrow.h: one line of a ladder.
 *
 *	  0.000012  SYN-RECEIVED  ─── SYN+ACK seq=0 ack=1 win=65535 mss=1460 ───►  ESTABLISHED
 */
#ifndef TERN_REPORT_ARROW_H
#define TERN_REPORT_ARROW_H

#include <stdbool.h>
#include <stdint.h>

#include "tern/trace.h"

struct tern_sink;

#define TERN_LADDER_TIME    10 /* columns of the time */
#define TERN_LADDER_STATE   12 /* columns of a state */
#define TERN_LADDER_ARROW   60 /* columns between the states */
#define TERN_LADDER_COLUMNS (TERN_LADDER_TIME + 2 * TERN_LADDER_STATE + TERN_LADDER_ARROW + 6)

/* A segment, or a change of state when record->kind says so. */
struct tern_arrow {
	const struct tern_trace_record *record;
	uint64_t time_ns;     /* since the first line */
	uint32_t seq, ack;    /* relative */
	uint8_t peer_state;   /* enum tern_state, 0 for unknown */
	uint16_t peer_reason; /* why the peer dropped it, where that is known */
	bool lost;            /* it never arrived, where that is known */
	bool again;           /* a retransmission */
};

/* Many segments in one line. */
struct tern_arrow_run {
	uint64_t count, bytes_in, bytes_out, again, drops;
	uint64_t first_ns;         /* of the first, since the first line */
	uint8_t state, peer_state; /* after it */
};

/* Write a line. ascii: without characters beyond ASCII. */
void tern_arrow_draw(struct tern_sink *out, const struct tern_arrow *arrow, bool ascii);
void tern_arrow_draw_run(struct tern_sink *out, const struct tern_arrow_run *run, bool ascii);

/* Writes what stands at the head: both endpoints, then the states before the first segment. */
void tern_arrow_draw_head(struct tern_sink *out, const struct tern_endpoint *local,
			  const struct tern_endpoint *remote, bool inferred);
void tern_arrow_draw_states(struct tern_sink *out, uint8_t state, uint8_t peer_state);

#endif
