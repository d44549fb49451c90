/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/pool.c: the memory account, and pools.
 *
 * This is the only file of the pure rooms that knows malloc.
 *
 * A pool is a directory of chunks; an index is a chunk number and a slot in it (shift and mask).
 * Slot 0 of chunk 0 is index 0, which means "none": it is never given out. A chunk is in one of
 * four states:
 *	vacant   no memory; on the vacant list (lowest number first, as far as never used)
 *	partial  has free slots; on the partial list, where the next item comes from
 *	spare    partial without a used item; at most one, RAW_SPARES in a raw pool: then the next
 *	         one to empty is given back
 *	full     on no list
 * Free slots of a chunk form a list through the items (after the generation, if there is one);
 * slots that were never used are not on it but counted by `fresh`, so that a new chunk is touched
 * only as far as it is used. Putting an item moves its chunk to the front of the partial list and
 * the item to the front of its chunk: the warmest item is used next. A bitmap behind the items of
 * a chunk says which are in use, so that a pool can be walked in order of index.
 * All of it is O(1).
 *
 * Generations: the word holds 24 bits of generation, and FREE while the item is not in use. The
 * chunk remembers the latest one that any of its items has reached; when the memory is given back
 * and taken again later, the items start from there. A handle is therefore met again only after
 * 2^24 lives of the item. Comparisons are modulo 2^24. A slot that was never used reads as 0, which
 * is no generation.
 */
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 65536u
#define ITEM_MAX    (UINT32_C(1) << 24)
#define ITEM_ALIGN  64u
#define RAW_SPARES  32u

#define GENERATION_MASK 0xffffffu
#define FREE            0x80000000u

static void *mem_take(struct tern_mem *mem, size_t size, bool zeroed)
{
	void *ptr = NULL;
	bool injected = mem->fail_in && --mem->fail_in == 0;
	uint64_t room = mem->limit ? mem->limit - TERN_MIN(mem->limit, mem->used) : UINT64_MAX;

	if (!injected && size <= room)
		ptr = zeroed ? calloc(1, size ? size : 1) : malloc(size);
	if (!ptr) {
		mem->fails++;
		return NULL;
	}
	mem->used += size;
	mem->peak = TERN_MAX(mem->peak, mem->used);
	return ptr;
}

void *tern_mem_alloc(struct tern_mem *mem, size_t size)
{
	return mem_take(mem, size, true);
}

void tern_mem_free(struct tern_mem *mem, void *ptr, size_t size)
{
	if (!ptr)
		return;
	assert(mem->used >= size);
	mem->used -= size;
	free(ptr);
}

/* Words of the bitmap of used slots, which stands behind the items. */
static size_t used_words(const struct tern_pool *p)
{
	return ((size_t)p->mask + 64) / 64;
}

static size_t chunk_bytes(const struct tern_pool *p)
{
	return p->bits_at + used_words(p) * sizeof(uint64_t) + ITEM_ALIGN;
}

static uint64_t *used_bits(const struct tern_pool *p, const struct tern_pool_chunk *c)
{
	return (uint64_t *)(void *)(c->items + p->bits_at);
}

/* Slots of a chunk that may be used: the last chunk ends at max. */
static uint32_t chunk_slots(const struct tern_pool *p, uint32_t number)
{
	return number == p->max >> p->shift ? (p->max & p->mask) + 1 : p->mask + 1;
}

static void partial_unlink(struct tern_pool *p, uint32_t number)
{
	struct tern_pool_chunk *c = &p->chunks[number];

	if (c->next)
		p->chunks[c->next - 1].prev = c->prev;
	if (c->prev)
		p->chunks[c->prev - 1].next = c->next;
	else
		p->partial = c->next;
	c->next = 0;
	c->prev = 0;
}

static void partial_push(struct tern_pool *p, uint32_t number)
{
	struct tern_pool_chunk *c = &p->chunks[number];

	c->prev = 0;
	c->next = p->partial;
	if (c->next)
		p->chunks[c->next - 1].prev = number + 1;
	p->partial = number + 1;
}

/* Does this chunk stand on the partial list? */
static bool has_free(const struct tern_pool *p, uint32_t number)
{
	const struct tern_pool_chunk *c = &p->chunks[number];

	return c->free || c->fresh < chunk_slots(p, number);
}

/*
 * malloc aligns to 16 only; items of 64 bytes shall not straddle two cache lines. The distance to
 * the start of the allocation is kept in the byte before the items, at least 1 and at most 64.
 */
static uint8_t *align_items(uint8_t *raw)
{
	size_t shift = ITEM_ALIGN - ((uintptr_t)raw & (ITEM_ALIGN - 1));

	raw[shift - 1] = (uint8_t)shift;
	return raw + shift;
}

static void chunk_release(struct tern_pool *p, uint32_t number)
{
	struct tern_pool_chunk *c = &p->chunks[number];

	tern_mem_free(p->mem, c->items - c->items[-1], chunk_bytes(p));
	c->items = NULL;
}

/* Give a vacant chunk memory and put it on the partial list. */
static int chunk_acquire(struct tern_pool *p)
{
	uint32_t number = p->vacant - 1;
	struct tern_pool_chunk *c;
	uint8_t *raw;

	if (!p->vacant)
		return -ENOBUFS;
	raw = mem_take(p->mem, chunk_bytes(p), !p->raw);
	if (!raw)
		return -ENOMEM;
	c = &p->chunks[number];
	p->vacant = c->next;
	c->items = align_items(raw);
	memset(used_bits(p, c), 0, used_words(p) * sizeof(uint64_t));
	c->free = 0;
	c->fresh = number ? 0 : 1;
	p->spares++;
	partial_push(p, number);
	return 0;
}

/* Chunk 0 of one slot holds nothing but index 0, so the list of vacant ones begins behind it. */
static void vacant_init(struct tern_pool *p)
{
	for (uint32_t i = 0; i + 1 < p->nchunks; i++)
		p->chunks[i].next = i + 2;
	p->vacant = p->mask ? 1 : 2;
	for (uint32_t i = 0; i < p->nchunks; i++)
		p->chunks[i].generation = 1;
}

static int pool_init(struct tern_pool *p, size_t item_size, struct tern_pool made)
{
	uint32_t max = made.max;
	size_t least = made.generations ? 2 * sizeof(uint32_t) : sizeof(uint32_t);

	if (!item_size || item_size > ITEM_MAX || !max || max > INT32_MAX)
		return -EINVAL;
	item_size = TERN_MAX(item_size, least);
	made.item_size = (uint32_t)(item_size + 3) & ~3u;
	while (2ul * made.item_size << made.shift <= CHUNK_BYTES)
		made.shift++;
	made.mask = (1u << made.shift) - 1;
	made.bits_at = ((made.mask + 1) * made.item_size + 7) & ~7u;
	made.nchunks = (max >> made.shift) + 1;
	made.chunks = tern_mem_alloc(made.mem, made.nchunks * sizeof(*made.chunks));
	if (!made.chunks)
		return -ENOMEM;
	vacant_init(&made);
	*p = made;
	return 0;
}

int tern_pool_init(struct tern_pool *p, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	return pool_init(p, item_size, (struct tern_pool){ .mem = mem, .max = max });
}

int tern_pool_init_raw(struct tern_pool *p, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	return pool_init(p, item_size, (struct tern_pool){ .mem = mem, .max = max, .raw = true });
}

int tern_pool_init_gen(struct tern_pool *p, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	return pool_init(p, item_size,
			 (struct tern_pool){ .mem = mem, .max = max, .generations = true });
}

void tern_pool_free(struct tern_pool *p)
{
	for (uint32_t i = 0; i < p->nchunks; i++)
		if (p->chunks[i].items)
			chunk_release(p, i);
	if (p->chunks)
		tern_mem_free(p->mem, p->chunks, p->nchunks * sizeof(*p->chunks));
	*p = (struct tern_pool){ 0 };
}

static uint32_t load(const uint8_t *ptr)
{
	uint32_t v;

	memcpy(&v, ptr, sizeof(v));
	return v;
}

static void store(uint8_t *ptr, uint32_t v)
{
	memcpy(ptr, &v, sizeof(v));
}

/* Where a free item keeps the link to the next one. */
static uint8_t *free_link(const struct tern_pool *p, uint8_t *item)
{
	return p->generations ? item + sizeof(uint32_t) : item;
}

/* Take a slot out of a chunk that has one, and clear it. */
static uint32_t slot_take(const struct tern_pool *p, struct tern_pool_chunk *c)
{
	uint32_t slot, generation;
	uint8_t *item;

	if (!c->free) {
		slot = c->fresh++;
		item = c->items + (size_t)slot * p->item_size;
		generation = c->generation;
	} else {
		slot = c->free - 1;
		item = c->items + (size_t)slot * p->item_size;
		generation = load(item) & GENERATION_MASK;
		c->free = load(free_link(p, item));
		if (!p->raw)
			memset(item, 0, p->item_size);
	}
	used_bits(p, c)[slot / 64] |= UINT64_C(1) << slot % 64;
	if (p->generations)
		store(item, generation);
	return slot;
}

uint32_t tern_pool_get(struct tern_pool *p)
{
	struct tern_pool_chunk *c;
	uint32_t number, slot;

	if (!p->partial && chunk_acquire(p) < 0)
		return 0;
	number = p->partial - 1;
	c = &p->chunks[number];
	slot = slot_take(p, c);
	if (c->used++ == 0)
		p->spares--;
	if (!has_free(p, number))
		partial_unlink(p, number);
	p->used++;
	p->peak = TERN_MAX(p->peak, p->used);
	return number << p->shift | slot;
}

/* End the life of a generation: the next one, never 0, and the mark of a free item. */
static void generation_bump(struct tern_pool_chunk *c, uint8_t *item)
{
	uint32_t generation = (load(item) + 1) & GENERATION_MASK;

	if (!generation)
		generation = 1;
	if (((generation - c->generation) & GENERATION_MASK) <= GENERATION_MASK / 2)
		c->generation = generation;
	store(item, generation | FREE);
}

/* A chunk has become wholly free: keep it if it is the only one, else give its memory back. */
static void chunk_emptied(struct tern_pool *p, uint32_t number)
{
	if (p->spares < (p->raw ? RAW_SPARES : 1u)) {
		p->spares++;
		return;
	}
	partial_unlink(p, number);
	chunk_release(p, number);
	p->chunks[number].next = p->vacant;
	p->vacant = number + 1;
}

bool tern_pool_is_used(const struct tern_pool *p, uint32_t idx)
{
	const struct tern_pool_chunk *c = &p->chunks[idx >> p->shift];
	uint32_t slot = idx & p->mask;

	return c->items && (used_bits(p, c)[slot / 64] >> slot % 64 & 1);
}

uint32_t tern_pool_next(const struct tern_pool *p, uint32_t idx)
{
	while (++idx <= p->max) {
		const struct tern_pool_chunk *c = &p->chunks[idx >> p->shift];

		if (!c->used)
			idx |= p->mask;
		else if (tern_pool_is_used(p, idx))
			return idx;
	}
	return 0;
}

void tern_pool_put(struct tern_pool *p, uint32_t idx)
{
	uint32_t number = idx >> p->shift;
	struct tern_pool_chunk *c = &p->chunks[number];
	uint8_t *item;

	assert(idx && idx <= p->max && c->items && tern_pool_is_used(p, idx));
	used_bits(p, c)[(idx & p->mask) / 64] &= ~(UINT64_C(1) << (idx & p->mask) % 64);
	item = tern_pool_at(p, idx);
	if (p->partial != number + 1) {
		if (has_free(p, number))
			partial_unlink(p, number);
		partial_push(p, number);
	}
	if (p->generations)
		generation_bump(c, item);
	store(free_link(p, item), c->free);
	c->free = (idx & p->mask) + 1;
	p->used--;
	if (--c->used == 0)
		chunk_emptied(p, number);
}

void *tern_pool_check(const struct tern_pool *p, uint32_t idx, uint32_t generation)
{
	const struct tern_pool_chunk *c;
	uint8_t *item;

	if (!p->generations || !idx || idx > p->max || !generation || generation > GENERATION_MASK)
		return NULL;
	c = &p->chunks[idx >> p->shift];
	if (!c->items)
		return NULL;
	item = tern_pool_at(p, idx);
	return load(item) == generation ? item : NULL;
}
