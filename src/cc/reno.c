/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc/reno.c: Reno's window (RFC 5681). Below ssthresh it grows by what was delivered, above by a
 * segment for every window delivered. A loss halves it.
 */
#include "base/compiler.h"
#include "cc/cc.h"

static void reno_grow(struct tern_cc *cc, struct tern_cubic *q, uint32_t segments,
		      const struct tern_cc_now *now)
{
	(void)q;
	(void)now;
	if (tern_cc_in_slow_start(cc))
		segments = tern_cc_slow_start(cc, segments);
	if (segments)
		tern_cc_avoid(cc, tern_cc_segments(cc), segments);
}

static uint32_t reno_ssthresh(struct tern_cc *cc, struct tern_cubic *q)
{
	(void)q;
	return TERN_MAX(tern_cc_segments(cc) / 2, TERN_CC_SSTHRESH_MIN);
}

static void reno_lost(struct tern_cubic *q)
{
	(void)q;
}

static void reno_sample(struct tern_cc *cc, struct tern_cubic *q, uint32_t rtt_us,
			const struct tern_cc_now *now)
{
	(void)cc;
	(void)q;
	(void)rtt_us;
	(void)now;
}

const struct tern_cc_ops tern_cc_reno = {
	.name = "reno",
	.grow = reno_grow,
	.ssthresh = reno_ssthresh,
	.lost = reno_lost,
	.sample = reno_sample,
};
