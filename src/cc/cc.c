/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc/cc.c: what all algorithms share: the window's bounds, slow start, the counting of congestion
 * avoidance, the window after a silence, and who is called what.
 */
#include "cc/cc.h"

#include <string.h>

#include "base/compiler.h"

static const struct tern_cc_ops *const algorithms[] = { &tern_cc_cubic, &tern_cc_reno };

void tern_cc_set_window(struct tern_cc *cc, uint32_t segments)
{
	uint64_t cwnd = (uint64_t)TERN_MAX(segments, 1u) * cc->mss;

	if (cwnd > TERN_CC_CWND_MAX)
		cwnd = TERN_MAX(TERN_CC_CWND_MAX / cc->mss, 1u) * cc->mss;
	cc->cwnd = (uint32_t)cwnd;
}

void tern_cc_set_ssthresh(struct tern_cc *cc, uint32_t segments)
{
	uint64_t bytes = (uint64_t)TERN_MAX(segments, TERN_CC_SSTHRESH_MIN) * cc->mss;

	cc->ssthresh = (uint32_t)TERN_MIN(bytes, (uint64_t)TERN_CC_SSTHRESH_NONE);
}

uint32_t tern_cc_slow_start(struct tern_cc *cc, uint32_t segments)
{
	uint32_t before = tern_cc_segments(cc);
	uint32_t until = cc->ssthresh == TERN_CC_SSTHRESH_NONE ? UINT32_MAX
							       : cc->ssthresh / cc->mss;
	uint32_t step = TERN_MIN(segments, until > before ? until - before : 0);

	/* RFC9293:MUST-19 */
	tern_cc_set_window(cc, before + step);
	return segments - step;
}

void tern_cc_avoid(struct tern_cc *cc, uint32_t each, uint32_t segments)
{
	uint32_t steps = 0;

	if (cc->avoid >= each) {
		cc->avoid = 0;
		steps = 1;
	}
	cc->avoid += segments;
	if (cc->avoid >= each) {
		steps += cc->avoid / each;
		cc->avoid %= each;
	}
	/* RFC9293:MUST-19 */
	if (steps)
		/* RFC9293:MUST-19 */
		tern_cc_set_window(cc, tern_cc_segments(cc) + steps);
}

void tern_cc_idle(struct tern_cc *cc, uint64_t idle_us, uint32_t rto_us)
{
	uint32_t cwnd = tern_cc_segments(cc);
	uint32_t least = TERN_MIN(tern_cc_initial_window(cc->mss) / cc->mss, cwnd);

	if (cc->ssthresh != TERN_CC_SSTHRESH_NONE)
		cc->ssthresh = TERN_MAX(cc->ssthresh, cwnd * 3 / 4 * cc->mss);
	for (; idle_us > rto_us && cwnd > least; idle_us -= rto_us)
		cwnd /= 2;
	tern_cc_set_window(cc, TERN_MAX(cwnd, least));
}

const struct tern_cc_ops *tern_cc_by_number(uint32_t number)
{
	return number < TERN_ARRAY_SIZE(algorithms) ? algorithms[number] : NULL;
}

int tern_cc_number(const char *name, uint32_t len)
{
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(algorithms); i++)
		if (strlen(algorithms[i]->name) == len && !memcmp(algorithms[i]->name, name, len))
			return (int)i;
	return -1;
}
