/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/pool.c: the memory account, and pools.
 *
 * This is the only file of the pure rooms that knows malloc.
 *
 * A pool is a directory of chunks; an index is a chunk number and a slot in it (shift and mask).
 * Each chunk has an origin, so far before its items that they stand at their indices from there.
 * Slot 0 of chunk 0 is index 0, which means "none": it is never given out. A chunk is in one of
 * four states:
 *	vacant   no memory; on the vacant list (lowest number first, as far as never used)
 *	partial  has free slots; on the partial list, where the next item comes from
 *	spare    partial without a used item; at most one, 2 MiB in a raw pool: then the next
 *	         one to empty is given back
 *	full     on no list
 * Free slots of a chunk form a list through the items (after the generation, if there is one);
 * slots that were never used are not on it but counted by `untouched`, so that a new chunk is
 * touched only as far as it is used. The item that was put last stays in hand and is the next to be
 * had; its chunk does not miss it. When another one is put, it is laid down: its chunk moves to the
 * front of the partial list and the item to the front of its chunk, so the warmest item is always
 * used next. A bitmap behind the items of a chunk says which are in use or in hand, so that a pool
 * can be walked in order of index. All of it is O(1).
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

#define RAW_CHUNKS      2048u   /* of a raw pool, about, where chunks may grow for it */
#define RAW_CHUNK_BYTES 262144u /* as far as they may grow */
#define RAW_SPARE_BYTES 2097152u

#define GENERATION_MASK TERN_GENERATION_MAX
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

/* The chunks, and behind them their origins. */
static size_t directory_bytes(const struct tern_pool *p)
{
	return p->nchunks * (sizeof(*p->chunks) + sizeof(*p->origins));
}

/* How many wholly free chunks are kept. */
static uint32_t spares_max(const struct tern_pool *p)
{
	return p->raw ? RAW_SPARE_BYTES / ((p->mask + 1) * p->item_size) : 1;
}

/* Slots of a chunk that may be used: the last chunk ends at max. */
static uint32_t chunk_slots(const struct tern_pool *p, uint32_t number)
{
	return number == p->max >> p->shift ? (p->max & p->mask) + 1 : p->mask + 1;
}

TERN_COLD static void partial_unlink(struct tern_pool *p, uint32_t number)
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
static bool has_free(const struct tern_pool_chunk *c)
{
	return (c->free | c->untouched) != 0;
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
TERN_COLD static int chunk_acquire(struct tern_pool *p)
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
	p->origins[number] = (uintptr_t)c->items - (uintptr_t)(number << p->shift) * p->item_size;
	memset(used_bits(p, c), 0, used_words(p) * sizeof(uint64_t));
	c->free = 0;
	c->untouched = chunk_slots(p, number) - !number;
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

/* Bytes of a chunk. Those of a large raw pool are larger, so that its directory stays small. */
static size_t chunk_goal(const struct tern_pool *p)
{
	uint64_t share = (uint64_t)p->item_size * p->max / RAW_CHUNKS;

	if (!p->raw || share < CHUNK_BYTES)
		return CHUNK_BYTES;
	return share < RAW_CHUNK_BYTES ? (size_t)share : RAW_CHUNK_BYTES;
}

static int pool_init(struct tern_pool *p, size_t item_size, struct tern_pool made)
{
	uint32_t max = made.max;
	size_t least = made.generations ? 2 * sizeof(uint32_t) : sizeof(uint32_t);

	if (!item_size || item_size > ITEM_MAX || !max || max > INT32_MAX)
		return -EINVAL;
	item_size = TERN_MAX(item_size, least);
	made.item_size = (uint32_t)(item_size + 3) & ~3u;
	while (2ul * made.item_size << made.shift <= chunk_goal(&made))
		made.shift++;
	made.mask = (1u << made.shift) - 1;
	made.bits_at = ((made.mask + 1) * made.item_size + 7) & ~7u;
	made.nchunks = (max >> made.shift) + 1;
	made.chunks = tern_mem_alloc(made.mem, directory_bytes(&made));
	if (!made.chunks)
		return -ENOMEM;
	made.origins = (uintptr_t *)(void *)(made.chunks + made.nchunks);
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
			 (struct tern_pool){ .mem = mem,
					     .max = max,
					     .kept = sizeof(uint32_t),
					     .generations = true });
}

void tern_pool_free(struct tern_pool *p)
{
	for (uint32_t i = 0; i < p->nchunks; i++)
		if (p->chunks[i].items)
			chunk_release(p, i);
	if (p->chunks)
		tern_mem_free(p->mem, p->chunks, directory_bytes(p));
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

/* A slot that nobody has used yet, in a chunk that has one; its memory is still zero. */
TERN_COLD static uint32_t fresh_slot(const struct tern_pool *p, uint32_t number)
{
	struct tern_pool_chunk *c = &p->chunks[number];
	uint32_t slot = chunk_slots(p, number) - c->untouched--;

	if (p->generations)
		store(c->items + (size_t)slot * p->item_size, c->generation);
	return slot;
}

/* Clear an item that has been in use before, but for its generation, which is its own again. */
static void item_clear(const struct tern_pool *p, uint8_t *item)
{
	if (p->generations)
		store(item, load(item) & GENERATION_MASK);
	if (!p->raw)
		memset(item + p->kept, 0, p->item_size - p->kept);
}

/* An item out of a chunk: the one that was laid there last, else one that nobody has used yet. */
static uint32_t take_from_chunk(struct tern_pool *p)
{
	struct tern_pool_chunk *c;
	uint32_t number, slot;

	if (!p->partial && chunk_acquire(p) < 0)
		return 0;
	number = p->partial - 1;
	c = &p->chunks[number];
	if (c->free) {
		uint8_t *item;

		slot = c->free - 1;
		item = c->items + (size_t)slot * p->item_size;
		c->free = load(item + p->kept);
		item_clear(p, item);
	} else {
		slot = fresh_slot(p, number);
	}
	used_bits(p, c)[slot / 64] |= UINT64_C(1) << slot % 64;
	if (c->used++ == 0)
		p->spares--;
	if (!has_free(c))
		partial_unlink(p, number);
	return number << p->shift | slot;
}

uint32_t tern_pool_get(struct tern_pool *p)
{
	uint32_t idx = p->hand;

	if (TERN_LIKELY(idx)) {
		p->hand = 0;
		item_clear(p, tern_pool_at(p, idx));
	} else {
		idx = take_from_chunk(p);
		if (!idx)
			return 0;
	}
	if (++p->used > p->peak)
		p->peak = p->used;
	return idx;
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

/* A chunk has become wholly free, and there are enough such: give its memory back. */
TERN_COLD static void chunk_give_back(struct tern_pool *p, uint32_t number)
{
	partial_unlink(p, number);
	chunk_release(p, number);
	p->chunks[number].next = p->vacant;
	p->vacant = number + 1;
}

bool tern_pool_is_used(const struct tern_pool *p, uint32_t idx)
{
	const struct tern_pool_chunk *c = &p->chunks[idx >> p->shift];
	uint32_t slot = idx & p->mask;

	return c->items && idx != p->hand && (used_bits(p, c)[slot / 64] >> slot % 64 & 1);
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

/* Lay the item in hand into its chunk. */
static __attribute__((noinline)) void lay_down(struct tern_pool *p)
{
	uint32_t number = p->hand >> p->shift, slot = p->hand & p->mask;
	struct tern_pool_chunk *c = &p->chunks[number];

	if (p->partial != number + 1) {
		if (has_free(c))
			partial_unlink(p, number);
		partial_push(p, number);
	}
	used_bits(p, c)[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	store(c->items + (size_t)slot * p->item_size + p->kept, c->free);
	c->free = slot + 1;
	if (--c->used)
		return;
	if (p->spares < spares_max(p))
		p->spares++;
	else
		chunk_give_back(p, number);
}

/* Nothing is in use any more, so the chunk of the item in hand is a spare one, and one too many. */
TERN_COLD static void give_spare_back(struct tern_pool *p)
{
	uint32_t number = p->partial - 1;

	if (p->chunks[number].used)
		number = p->chunks[number].next - 1;
	p->spares--;
	chunk_give_back(p, number);
}

void tern_pool_put(struct tern_pool *p, uint32_t idx)
{
	assert(idx <= p->max && tern_pool_is_used(p, idx)); /* 0 never is */
	if (p->generations)
		generation_bump(&p->chunks[idx >> p->shift], tern_pool_at(p, idx));
	if (p->hand)
		lay_down(p);
	p->hand = idx;
	if (--p->used == 0 && p->spares == spares_max(p))
		give_spare_back(p);
}
