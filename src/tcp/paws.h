/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/paws.h: protection against wrapped sequence numbers (RFC 7323 §5).
 */
#ifndef TERN_TCP_PAWS_H
#define TERN_TCP_PAWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"

/* 24 days in ms: older than that, TS.Recent says nothing (RFC 7323 §5.5). */
#define TERN_PAWS_IDLE_MS (UINT32_C(24) * 24 * 3600 * 1000)

/* Is tsval older than what was taken `recent_ms` before, seen at now_ms? */
static inline bool tern_paws_old(uint32_t tsval, uint32_t recent, uint32_t recent_ms,
				 uint32_t now_ms)
{
	/* RFC7323:5.5 */
	return tern_seq_lt(tsval, recent) && now_ms - recent_ms <= TERN_PAWS_IDLE_MS;
}

#endif
