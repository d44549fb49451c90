/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/oow.h: when did a record last answer an invalid segment? In 16 bits.
 */
#ifndef TERN_TCP_OOW_H
#define TERN_TCP_OOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "wire/segment.h"

/*
 * May an answer leave now? At most one each limit_ms (tcp_invalid_ratelimit) of one record, so that
 * two ends that disagree cannot storm (RFC 5961 §7). *stamp is the record's memory: milliseconds
 * modulo 2^16, 0 while there was no answer; it is brought up to date when the answer may leave. A
 * limit above 30 s is taken as 30 s, so that the stamp cannot lap it for long.
 */
static inline bool tern_oow_again(uint16_t *stamp, uint32_t now_ms, uint32_t limit_ms)
{
	uint16_t ms = (uint16_t)now_ms;

	/* RFC5961:7a RFC5961:7b */
	if (*stamp && (uint16_t)(ms - *stamp) < TERN_MIN(limit_ms, 30000u))
		return false;
	*stamp = ms ? ms : UINT16_MAX; /* one millisecond early where 0 would mean none */
	return true;
}

/*
 * The same of a small record (half-open, TIME-WAIT). As in Linux, segments with data and an ACK are
 * not limited: no answer of ours can provoke one.
 */
static inline bool tern_oow_may_answer(uint16_t *stamp, const struct tern_segment *seg,
				       uint32_t now_ms, uint32_t limit_ms)
{
	if ((seg->flags & (TERN_SYN | TERN_RST | TERN_ACK)) == TERN_ACK && tern_segment_len(seg))
		return true;
	return tern_oow_again(stamp, now_ms, limit_ms);
}

#endif
