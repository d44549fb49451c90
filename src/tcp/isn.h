/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/isn.h: initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 §5.4), both keyed
 * by the flow.
 */
#ifndef TERN_TCP_ISN_H
#define TERN_TCP_ISN_H

#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"
#include "base/seq.h"

struct tern_isn_keys {
	uint64_t key[2];
};

void tern_isn_init(struct tern_isn_keys *keys, struct tern_rng *rng);

/* ISN = M + F(flow): M counts 4 µs (MUST-8), F is SipHash-2-4 (MUST-9, SHLD-1). */
tern_seq tern_isn(const struct tern_isn_keys *keys, const struct tern_flow *flow, uint64_t now);

/* What is added to the millisecond clock in the TSvals of a flow; 0 under tcp_timestamps = 2. */
uint32_t tern_ts_offset(const struct tern_isn_keys *keys, const struct tern_flow *flow,
			uint32_t tcp_timestamps);

/* Both at once, for the price of one. */
void tern_isn_choose(const struct tern_isn_keys *keys, const struct tern_flow *flow, uint64_t now,
		     uint32_t tcp_timestamps, tern_seq *ret_iss, uint32_t *ret_ts_offset);

#endif
