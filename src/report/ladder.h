/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/ladder.h: a connection drawn from its trace, with the states of both ends.
 */
#ifndef TERN_REPORT_LADDER_H
#define TERN_REPORT_LADDER_H

#include <stdbool.h>
#include <stddef.h>

#include "tern/trace.h"

struct tern_sink;

struct tern_ladder_options {
	struct tern_endpoint local, remote; /* which connection */
	/*
	 * The peer's own trace, where it is a tern stack too; the same array as the records where
	 * both ends are in one stack. NULL: its states are inferred, and the head says so.
	 */
	const struct tern_trace_record *peer;
	size_t peer_count;
	unsigned int lines; /* summarise what makes it longer than this; 0: 40 */
	bool ascii;         /* no characters beyond ASCII */
};

/*
 * Draws the connection that the options name out of n records in order of time. At most 100 columns
 * wide. Sequence numbers are relative to the SYNs. A long transfer becomes one line for each
 * stretch without event; handshake, close, drops and retransmissions stay, of the latter two as
 * many as there are lines for. Returns the number of records it is about; 0 if there are none of
 * it, and then nothing is written.
 */
size_t tern_ladder_text(struct tern_sink *out, const struct tern_ladder_options *options,
			const struct tern_trace_record *records, size_t n);

#endif
