/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/mem.h: two ends joined in memory. What one sends the other receives, in order, at once.
 *
 * No system call, no clock, no chance: with it two stacks run in one process, the same way every
 * time. Checksums are full unless csum_offload says that a partial one may be carried through.
 */
#ifndef TERN_LINK_MEM_H
#define TERN_LINK_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "link/link.h"

/* Zero means the default. */
struct tern_mem_link_config {
	uint32_t mtu;      /* default 1500; 68 … 65535 */
	uint32_t gso_max;  /* default 0; up to 65535: a merged frame stays one frame */
	bool csum_offload; /* partial checksums are carried, and trusted by the receiver */
	uint32_t frames;   /* in a queue; default 1024; up to 2^20 */
	uint32_t bytes; /* in a queue; default 1 MiB, and no less than two of the largest frames */
};

/*
 * Makes the two ends. Each is closed for itself, and what is then sent to it is lost; the memory
 * goes with the second one. Returns 0, -EINVAL (a limit out of range) or -ENOMEM.
 */
TERN_NODISCARD int tern_mem_link_new(const struct tern_mem_link_config *cfg,
				     struct tern_link *ret_ends[2]);

#endif
