/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/rtt.h: round-trip time and the retransmission timeout (RFC 6298).
 */
#ifndef TERN_TCP_RTT_H
#define TERN_TCP_RTT_H

#include <stdint.h>

#include "tcp/conn.h"

/* RTO before the first sample: 1 s (RFC 6298 2.1). */
#define TERN_RTO_INITIAL_US UINT32_C(1000000)
#define TERN_RTO_MAX_US     UINT32_C(120000000)

/* RTO of data when the SYN timed out and nothing was measured (5.7). */
#define TERN_RTO_FALLBACK_US UINT32_C(3000000)

/*
 * Takes a measured round trip; min_us is the knob tcp_rto_min_us. Never of a repeated segment
 * (Karn).
 */
void tern_rtt_sample(struct tern_rtt *rtt, uint64_t sample_us, uint32_t rto_min_us);

#endif
