/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/ring.c: making and ending a ring; the queue operations are inline.
 *
 * head and tail run freely modulo 2^32, so full and empty differ without a spare slot: the count is
 * tail - head. The slots are a power of two at least as large as the capacity.
 */
#include "base/ring.h"

#include <errno.h>

#define RING_ITEM_MAX (UINT32_C(1) << 24)
#define RING_MAX      (UINT32_C(1) << 30)

static size_t ring_bytes(const struct tern_ring *r)
{
	return ((size_t)r->mask + 1) * r->item_size;
}

int tern_ring_init(struct tern_ring *r, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	struct tern_ring made = { .mem = mem, .max = max };
	uint32_t slots = 1;

	if (!item_size || item_size > RING_ITEM_MAX || !max || max > RING_MAX)
		return -EINVAL;
	while (slots < max)
		slots <<= 1;
	made.item_size = (uint32_t)item_size;
	made.mask = slots - 1;
	made.slots = tern_mem_alloc(mem, ring_bytes(&made));
	if (!made.slots)
		return -ENOMEM;
	*r = made;
	return 0;
}

void tern_ring_free(struct tern_ring *r)
{
	if (r->slots)
		tern_mem_free(r->mem, r->slots, ring_bytes(r));
	*r = (struct tern_ring){ 0 };
}
