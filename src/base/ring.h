/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/ring.h: a first-in, first-out queue of fixed-size elements with a fixed capacity.
 *
 * The capacity is exact; the memory behind it is rounded up to a power of two, so that a place is
 * found by a mask. Positions count up and wrap.
 */
#ifndef TERN_BASE_RING_H
#define TERN_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/pool.h"

struct tern_ring {
	uint8_t *slots;
	uint32_t item_size, mask, max;
	uint32_t head, tail; /* oldest element, place of the next one */
	struct tern_mem *mem;
};

/* Returns 0, -EINVAL (item_size or max 0, max above 2^30) or -ENOMEM. */
TERN_NODISCARD int tern_ring_init(struct tern_ring *r, struct tern_mem *mem, size_t item_size,
				  uint32_t max);

/* Give the memory back. A zeroed or freed ring is allowed. */
void tern_ring_free(struct tern_ring *r);

/* Number of elements in the queue. */
static inline uint32_t tern_ring_count(const struct tern_ring *r)
{
	return r->tail - r->head;
}

static inline void *tern_ring_slot(const struct tern_ring *r, uint32_t pos)
{
	return r->slots + (size_t)(pos & r->mask) * r->item_size;
}

/* Append an element: its place, for the caller to fill (it holds old bytes), or NULL when full. */
static inline void *tern_ring_push(struct tern_ring *r)
{
	return tern_ring_count(r) < r->max ? tern_ring_slot(r, r->tail++) : NULL;
}

/* Remove the oldest element: its place, valid until the next push, or NULL when empty. */
static inline void *tern_ring_pop(struct tern_ring *r)
{
	return tern_ring_count(r) ? tern_ring_slot(r, r->head++) : NULL;
}

#endif
