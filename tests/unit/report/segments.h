/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit/report/segments.h: traces for tests, written down segment by segment.
 */
#ifndef TERN_TESTS_UNIT_REPORT_SEGMENTS_H
#define TERN_TESTS_UNIT_REPORT_SEGMENTS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "tern/trace.h"
#include "wire/segment.h"

#define OUR_ISN  0xfffffff0u /* so that relative numbers wrap */
#define PEER_ISN 1000000u
#define SA       (TERN_SYN | TERN_ACK)
#define FA       (TERN_FIN | TERN_ACK)
#define PA       (TERN_PSH | TERN_ACK)

/* A trace that grows; now_us is the time of the next record. */
struct script {
	struct tern_trace_record *records;
	size_t count, room;
	uint64_t now_us;
	struct tern_endpoint local, remote;
};

static inline void script_begin(struct script *script)
{
	memset(script, 0, sizeof(*script));
	script->now_us = 5000000;
	script->local = (struct tern_endpoint){ tern_addr_v4(10, 77, 0, 2), 7 };
	script->remote = (struct tern_endpoint){ tern_addr_v4(10, 77, 0, 1), 50260 };
}

static inline void script_end(struct script *script)
{
	free(script->records);
}

static inline struct tern_trace_record *script_add(struct script *script, unsigned int kind,
						   unsigned int before, unsigned int after)
{
	struct tern_trace_record *record;

	if (script->count == script->room) {
		script->room = script->room ? 2 * script->room : 64;
		script->records = realloc(script->records, script->room * sizeof(*script->records));
		if (!script->records)
			abort();
	}
	record = &script->records[script->count++];
	*record = (struct tern_trace_record){
		.time_ns = script->now_us * 1000,
		.local = script->local,
		.remote = script->remote,
		.kind = (uint8_t)kind,
		.before = (uint8_t)before,
		.after = (uint8_t)after,
		.window = 64240,
	};
	script->now_us += 12;
	return record;
}

/* A segment from the peer; seq and ack are relative to the ISNs. */
static inline struct tern_trace_record *in(struct script *script, unsigned int flags, uint32_t seq,
					   uint32_t ack, uint32_t length, unsigned int before,
					   unsigned int after)
{
	struct tern_trace_record *record = script_add(script, TERN_TRACE_SEGMENT_IN, before, after);

	record->flags = (uint16_t)flags;
	record->seq = PEER_ISN + seq;
	record->ack = flags & TERN_ACK ? OUR_ISN + ack : 0;
	record->length = length;
	return record;
}

/* A segment of ours. */
static inline struct tern_trace_record *out(struct script *script, unsigned int flags, uint32_t seq,
					    uint32_t ack, uint32_t length, unsigned int before,
					    unsigned int after)
{
	struct tern_trace_record *record =
		script_add(script, TERN_TRACE_SEGMENT_OUT, before, after);

	record->flags = (uint16_t)flags;
	record->seq = OUR_ISN + seq;
	record->ack = flags & TERN_ACK ? PEER_ISN + ack : 0;
	record->length = length;
	return record;
}

/* The options that Linux sends with a SYN. */
static inline void with_options(struct tern_trace_record *record)
{
	record->options = TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS;
	record->mss = 1460;
	record->wscale = 10;
}

/* A passive open: the peer connects to us. */
static inline void passive_open(struct script *script)
{
	with_options(in(script, TERN_SYN, 0, 0, 0, TERN_LISTEN, TERN_SYN_RECEIVED));
	with_options(out(script, SA, 0, 1, 0, TERN_SYN_RECEIVED, TERN_SYN_RECEIVED));
	in(script, TERN_ACK, 1, 1, 0, TERN_SYN_RECEIVED, TERN_ESTABLISHED);
}

/* An active open: we connect. */
static inline void active_open(struct script *script)
{
	script_add(script, TERN_TRACE_STATE, TERN_CLOSED, TERN_SYN_SENT);
	script->now_us -= 12;
	with_options(out(script, TERN_SYN, 0, 0, 0, TERN_SYN_SENT, TERN_SYN_SENT));
	with_options(in(script, SA, 0, 1, 0, TERN_SYN_SENT, TERN_ESTABLISHED));
	out(script, TERN_ACK, 1, 1, 0, TERN_ESTABLISHED, TERN_ESTABLISHED);
}

/* The peer closes first, after `got` bytes of ours and `sent` of its own. */
static inline void passive_close(struct script *script, uint32_t sent, uint32_t got)
{
	in(script, FA, 1 + sent, 1 + got, 0, TERN_ESTABLISHED, TERN_CLOSE_WAIT);
	out(script, TERN_ACK, 1 + got, 2 + sent, 0, TERN_CLOSE_WAIT, TERN_CLOSE_WAIT);
	out(script, FA, 1 + got, 2 + sent, 0, TERN_LAST_ACK, TERN_LAST_ACK);
	in(script, TERN_ACK, 2 + sent, 2 + got, 0, TERN_LAST_ACK, TERN_CLOSED);
}

/* We close first. */
static inline void active_close(struct script *script, uint32_t sent, uint32_t got)
{
	out(script, FA, 1 + got, 1 + sent, 0, TERN_FIN_WAIT_1, TERN_FIN_WAIT_1);
	in(script, TERN_ACK, 1 + sent, 2 + got, 0, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2);
	in(script, FA, 1 + sent, 2 + got, 0, TERN_FIN_WAIT_2, TERN_TIME_WAIT);
	out(script, TERN_ACK, 2 + got, 2 + sent, 0, TERN_TIME_WAIT, TERN_TIME_WAIT);
}

#endif
