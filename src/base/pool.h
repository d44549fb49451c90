/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/pool.h: the memory of the engine. One account (tern_mem) that every byte is charged to, and
 * pools of fixed-size records that are named by index.
 *
 * An index is 1-based and 32 bits wide; 0 is none. Items never move while they are in use. A pool
 * grows by chunks of 256 items (of buffers: about 64 KiB) when it needs them and gives wholly free
 * chunks back, but for one that it keeps against flapping. Nothing depends on an address: same
 * calls, same indices.
 */
#ifndef TERN_BASE_POOL_H
#define TERN_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Generations count 1 … TERN_GENERATION_MAX, and begin anew: a handle has 24 bits for them. */
#define TERN_GENERATION_MAX 0xffffffu

/* The account. All zero is a good start: no limit, no injected failure. */
struct tern_mem {
	uint64_t used;    /* bytes allocated now */
	uint64_t limit;   /* bytes; 0 is no limit */
	uint64_t peak;    /* highest `used` so far */
	uint64_t fails;   /* allocations refused, for any reason */
	uint64_t fail_in; /* tests: the fail_in-th allocation from now fails, once; 0 is never */
};

/* Zeroed memory, or NULL above the limit, when the system has none, or when injected. */
TERN_NODISCARD void *tern_mem_alloc(struct tern_mem *mem, size_t size);

/* Give back what tern_mem_alloc returned, with the same size. NULL is allowed. */
void tern_mem_free(struct tern_mem *mem, void *ptr, size_t size);

/* A chunk of records holds 2^8: a constant, since every access to one divides by it. */
#define TERN_POOL_SHIFT 8

/* What the pool knows about one chunk of items. */
struct tern_pool_chunk {
	uint8_t *items;      /* NULL: not allocated */
	uint32_t used;       /* items in use, or in hand */
	uint32_t untouched;  /* slots at the end that were never handed out */
	uint32_t free;       /* head of the free list, a slot in the chunk + 1; 0 is empty */
	uint32_t generation; /* the latest that any item of the chunk has reached */
	uint32_t next, prev; /* list of chunks with free slots, chunk number + 1 */
};

struct tern_pool {
	uintptr_t *origins; /* by chunk: where the item of index 0 would be, were all in a row */
	size_t item_size;
	uint64_t *taken;    /* by index, a bit: in use, or in hand */
	uint32_t hand;      /* the item put last, 0: none */
	uint32_t used, max; /* items in use, and the most there may be */
	uint32_t peak;      /* highest `used` so far */
	uint32_t kept;      /* bytes at the start of an item that outlive it: its generation */
	uint32_t cleared;   /* bytes behind these that are zeroed for the next life */
	uint32_t handles;   /* highest index there may be a handle of: max, or 0 */
	bool raw;
	uint32_t shift, mask; /* index -> chunk, slot; TERN_POOL_SHIFT unless raw */
	uint32_t nchunks;     /* entries of the directory */
	uint32_t partial;     /* first chunk with free slots + 1 */
	uint32_t spares;      /* allocated chunks without used items */
	uint32_t vacant;      /* first chunk without memory + 1 (linked by next) */
	struct tern_pool_chunk *chunks;
	struct tern_mem *mem;
};

/*
 * A pool of at most max records of item_size bytes (the sizeof of what is kept, for alignment).
 * Only the chunk directory is allocated. Returns 0, -EINVAL (item_size or max 0 or absurdly large:
 * item_size is at most 2^20, max below 2^31) or -ENOMEM.
 */
TERN_NODISCARD int tern_pool_init(struct tern_pool *p, struct tern_mem *mem, size_t item_size,
				  uint32_t max);

/*
 * The same for items whose first uint32_t is their generation: 1..2^24-1, kept by tern_pool_get,
 * bumped by tern_pool_put, read by the owner to make a handle, never written by anyone but the
 * pool. Generations outlive the chunk, so chunks of these pools are given back as well.
 */
TERN_NODISCARD int tern_pool_init_gen(struct tern_pool *p, struct tern_mem *mem, size_t item_size,
				      uint32_t max);

/* The same for records that their maker writes whole: they come as they are, not zeroed. */
TERN_NODISCARD int tern_pool_init_bare(struct tern_pool *p, struct tern_mem *mem, size_t item_size,
				       uint32_t max);

/*
 * The same for buffers, which are found by tern_pool_at_raw: items come as they are, not zeroed,
 * and more spare chunks are kept.
 */
TERN_NODISCARD int tern_pool_init_raw(struct tern_pool *p, struct tern_mem *mem, size_t item_size,
				      uint32_t max);

/* Give everything back, items in use included. A zeroed or freed pool is allowed. */
void tern_pool_free(struct tern_pool *p);

/*
 * Take an item: zeroed (but for its generation), at an address aligned like the items of an array
 * that begins at a 64-byte boundary. The one given back last comes first. 0 when max are in use
 * or there is no memory.
 */
TERN_NODISCARD uint32_t tern_pool_get(struct tern_pool *p);

/* Give an item back. */
void tern_pool_put(struct tern_pool *p, uint32_t idx);

/* Is an index that is not above the pool's maximum in use? */
static inline bool tern_pool_is_taken(const struct tern_pool *p, uint32_t idx)
{
	return (p->taken[idx / 64] >> idx % 64 & 1) && idx != p->hand;
}

/* Is this index in use? */
static inline bool tern_pool_is_used(const struct tern_pool *p, uint32_t idx)
{
	return idx <= p->max && tern_pool_is_taken(p, idx);
}

/* The lowest index in use above idx, or 0: a walk over a pool begins at 0. */
uint32_t tern_pool_next(const struct tern_pool *p, uint32_t idx);

/* The record of an index that tern_pool_get returned and nobody has put back. Valid until then. */
static inline void *tern_pool_at(const struct tern_pool *p, uint32_t idx)
{
	return (void *)(p->origins[idx >> TERN_POOL_SHIFT] + idx * p->item_size);
}

/* The same of a pool made by tern_pool_init_raw. */
static inline void *tern_pool_at_raw(const struct tern_pool *p, uint32_t idx)
{
	return (void *)(p->origins[idx >> p->shift] + idx * p->item_size);
}

/*
 * The item of a handle that came from outside, or NULL if the index was never given out or the
 * item has been put back since. Only for pools made by tern_pool_init_gen; NULL from any other.
 */
static inline void *tern_pool_check(const struct tern_pool *p, uint32_t idx, uint32_t generation)
{
	uint32_t *item;

	if (idx > p->handles || !tern_pool_is_taken(p, idx))
		return NULL;
	item = tern_pool_at(p, idx);
	return *item == generation ? item : NULL;
}

#endif
