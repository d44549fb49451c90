/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/bucket.h: a token bucket, for everything that is sent at most so many times a second.
 *
 * It keeps what is missing rather than what is there, so a zeroed bucket is a full one. Nothing is
 * lost to rounding: the unit is a billionth of a token, which `rate` per second makes rate per ns.
 */
#ifndef TERN_BASE_BUCKET_H
#define TERN_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define TERN_BUCKET_TOKEN 1000000000u

struct tern_bucket {
	uint64_t missing;  /* billionths of a token below full */
	uint64_t stamp_ns; /* when that was true */
};

/*
 * Take one token if there is one. rate_per_s tokens come back each second, up to burst; both may
 * change from call to call. A rate of 0 never refills, a burst of 0 never gives. now_ns does not
 * go back. Returns whether there was a token.
 */
static inline bool tern_bucket_take(struct tern_bucket *b, uint64_t now_ns, uint32_t rate_per_s,
				    uint32_t burst)
{
	uint64_t full = (uint64_t)burst * TERN_BUCKET_TOKEN;
	uint64_t passed_ns = now_ns - b->stamp_ns;

	if (rate_per_s && passed_ns > b->missing / rate_per_s)
		b->missing = 0;
	else
		b->missing -= passed_ns * rate_per_s;
	b->stamp_ns = now_ns;
	if (b->missing + TERN_BUCKET_TOKEN > full)
		return false;
	b->missing += TERN_BUCKET_TOKEN;
	return true;
}

#endif
