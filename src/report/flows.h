/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/flows.h: which connections a trace holds.
 */
#ifndef TERN_REPORT_FLOWS_H
#define TERN_REPORT_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tern/trace.h"

struct tern_sink;

/* One pair of endpoints, as our end saw it. */
struct tern_trace_flow {
	struct tern_endpoint local, remote;
	uint64_t first_ns, last_ns; /* time of the first and the last record */
	uint64_t segments, bytes_in, bytes_out, drops;
	uint8_t state; /* of our end after the last record; enum tern_state */
};

/* Is it a record of the connection with these endpoints? */
bool tern_flows_match(const struct tern_trace_record *record, const struct tern_endpoint *local,
		      const struct tern_endpoint *remote);

/*
 * Fills at most max flows, in the order in which they begin in the n records. Returns how many were
 * filled; records of further ones are passed over.
 */
size_t tern_flows_list(const struct tern_trace_record *records, size_t n,
		       struct tern_trace_flow *flows, size_t max);

/* Writes them as a table: number (from 1), endpoints, time, segments, bytes, drops, state. */
void tern_flows_text(struct tern_sink *out, const struct tern_trace_flow *flows, size_t n);

/* Writes a size as people read it: 17 B, 1.4 MB. Powers of 1000. */
void tern_flows_bytes(struct tern_sink *out, uint64_t bytes);

#endif
