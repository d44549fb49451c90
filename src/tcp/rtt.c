/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * srtt is kept times 8 and rttvar times 4, so that the smoothing of RFC 6298 2.3 is a shift. The
 * RTO is srtt + max(4 * rttvar, tcp_rto_min): at least the smallest one above the round trip, as
 * Linux has it, so that a delayed ACK of the peer is not taken for a loss.
 */
#include "tcp/rtt.h"

#include "base/compiler.h"

void tern_rtt_sample(struct tern_rtt *rtt, uint64_t sample_us, uint32_t rto_min_us)
{
	uint32_t r = (uint32_t)TERN_MIN(sample_us, (uint64_t)TERN_RTO_MAX_US);
	uint32_t delta, srtt, rto;

	r = TERN_MAX(r, 1u);
	/* RFC6298:2.2 */
	if (!rtt->srtt8_us) {
		rtt->srtt8_us = r * 8;
		rtt->rttvar4_us = r * 2;
		rtt->min_us = r;
	} else {
		srtt = rtt->srtt8_us / 8;
		delta = r > srtt ? r - srtt : srtt - r;
		/* RFC6298:2.3 */
		rtt->rttvar4_us += delta - rtt->rttvar4_us / 4;
		rtt->srtt8_us += r - srtt;
		rtt->min_us = TERN_MIN(rtt->min_us, r);
	}
	rto = rtt->srtt8_us / 8 + TERN_MAX(rtt->rttvar4_us, rto_min_us);
	/* RFC9293:MUST-18 RFC6298:2.5 */
	rtt->rto_us = TERN_MIN(rto, TERN_RTO_MAX_US);
}
