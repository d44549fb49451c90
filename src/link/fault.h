/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/fault.h: a bad wire. A wrapper around any link that loses, repeats, reorders, delays and
 * corrupts frames, each direction by itself, all by a seed: same frames in the same order, same
 * faults.
 *
 * The wrapped link is without offload (gso_max 0, full checksums), whatever the inner one could do:
 * so one fault strikes one segment, and a corrupt one can be found out. "in" is towards the stack,
 * "out" away from it.
 */
#ifndef TERN_LINK_FAULT_H
#define TERN_LINK_FAULT_H

#include <stdint.h>

#include "base/compiler.h"
#include "link/link.h"

/* What happens to the frames of one direction. Rates in millionths of the frames, 0 … 1000000. */
struct tern_fault_rates {
	uint32_t loss_ppm;
	uint32_t dup_ppm;     /* arrives twice */
	uint32_t corrupt_ppm; /* one byte is changed to another value */
	uint32_t reorder_ppm; /* held back until 1 … 4 later frames have passed, or 2 ms */
	uint64_t delay_ns;    /* every frame; up to an hour */
	uint64_t jitter_ns;   /* plus or minus up to this; does not reorder; up to an hour */
};

struct tern_fault_config {
	struct tern_fault_rates in, out;
	uint64_t seed;
	uint32_t queue_max; /* frames kept in each direction, more are lost; default 4096 */
};

/* What has happened to the frames of one direction. */
struct tern_fault_counts {
	uint64_t frames; /* came in at the one end */
	uint64_t lost, duplicated, corrupted, reordered;
	uint64_t overflowed; /* no room for it: lost as well */
};

/*
 * Wraps a link. The wrapper owns it from now on: closing the wrapper closes it. To be done before a
 * stack is made for the link. Returns 0, -EINVAL (a rate, a time or the queue out of range),
 * -EOPNOTSUPP (the inner link cannot do without offload) or -ENOMEM; then inner is as it was.
 */
TERN_NODISCARD int tern_fault_new(struct tern_link *inner, const struct tern_fault_config *cfg,
				  struct tern_link **ret_link);

/* What has happened so far; all 0 of a link that is no fault wrapper. Either may be NULL. */
void tern_fault_counts(const struct tern_link *link, struct tern_fault_counts *ret_in,
		       struct tern_fault_counts *ret_out);

/*
 * Reads "loss=1%,dup=0.5%,reorder=100ppm,corrupt=0.1%,delay=10ms,jitter=2ms,queue=1000,seed=7" into
 * *ret_cfg, in any order; of two that say the same thing the last one holds. Rates take % or ppm,
 * times ns, us, ms or s; both may have decimals. A name holds for both directions, or for one as
 * in.loss or out.loss (not seed and queue). "" is a wire without faults. Returns 0, or -EINVAL with
 * *ret_at at the word that is wrong and *ret_why what is right (a constant string).
 */
TERN_NODISCARD int tern_fault_parse(const char *spec, struct tern_fault_config *ret_cfg,
				    const char **ret_at, const char **ret_why);

#endif
