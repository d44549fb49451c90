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
 * used next. One bitmap says which items are in use or in hand: nothing is put twice, and a pool
 * can be walked in order of index. All of it is O(1).
 *
 * Generations: the word holds 24 bits of generation, of the next life while the item is not in use.
 * The chunk remembers the latest one that any of its items was laid down with; when the memory is
 * given back and taken again later, the items start from there. A handle is therefore met again
 * only after 2^24 lives of the item. Comparisons are modulo 2^24.
 */
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 65536u
#define ITEM_MAX    (UINT32_C(1) << 20)
#define ITEM_ALIGN  64u

#define RAW_CHUNKS      2048u   /* of a raw pool, about, where chunks may grow for it */
#define RAW_CHUNK_BYTES 262144u /* as far as they may grow */
#define RAW_SPARE_BYTES 2097152u

#define GENERATION_MASK TERN_GENERATION_MAX

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

/* Words of the bitmap of taken items. */
static size_t taken_words(const struct tern_pool *p)
{
	return (size_t)p->max / 64 + 1;
}

/* The chunks, behind them their origins, and the bitmap. */
static size_t directory_bytes(const struct tern_pool *p)
{
	return p->nchunks * (sizeof(*p->chunks) + sizeof(*p->origins)) +
	       taken_words(p) * sizeof(*p->taken);
}

/* How many wholly free chunks are kept. */
static uint32_t spares_max(const struct tern_pool *p)
{
	return p->raw ? RAW_SPARE_BYTES / ((p->mask + 1) * (uint32_t)p->item_size) : 1;
}

/* Slots of a chunk that may be used: the last chunk ends at max. */
static uint32_t chunk_slots(const struct tern_pool *p, uint32_t number)
{
	return number == p->max >> p->shift ? (p->max & p->mask) + 1 : p->mask + 1;
}

static size_t chunk_bytes(const struct tern_pool *p, uint32_t number)
{
	return chunk_slots(p, number) * p->item_size + ITEM_ALIGN;
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

	tern_mem_free(p->mem, c->items - c->items[-1], chunk_bytes(p, number));
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
	raw = mem_take(p->mem, chunk_bytes(p, number), !p->raw);
	if (!raw)
		return -ENOMEM;
	c = &p->chunks[number];
	p->vacant = c->next;
	c->items = align_items(raw);
	p->origins[number] = (uintptr_t)c->items - (uintptr_t)(number << p->shift) * p->item_size;
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

/*
 * What a chunk of buffers holds: 64 KiB of them, more where the pool is large, so that its
 * directory stays small.
 */
static uint32_t raw_shift(const struct tern_pool *p)
{
	uint64_t share = (uint64_t)p->item_size * p->max / RAW_CHUNKS;
	uint64_t goal = TERN_MIN(TERN_MAX(share, CHUNK_BYTES), RAW_CHUNK_BYTES);
	uint32_t shift = 0;

	while ((uint64_t)p->item_size << (shift + 1) <= goal)
		shift++;
	return shift;
}

static int pool_init(struct tern_pool *p, size_t item_size, bool cleared, struct tern_pool made)
{
	uint32_t max = made.max;
	size_t least = made.kept + sizeof(uint32_t);

	if (!item_size || item_size > ITEM_MAX || !max || max > INT32_MAX)
		return -EINVAL;
	made.item_size = (TERN_MAX(item_size, least) + 3) & ~(size_t)3;
	made.cleared = cleared ? (uint32_t)made.item_size - made.kept : 0;
	made.shift = made.raw ? raw_shift(&made) : TERN_POOL_SHIFT;
	made.mask = (1u << made.shift) - 1;
	made.nchunks = (max >> made.shift) + 1;
	made.chunks = tern_mem_alloc(made.mem, directory_bytes(&made));
	if (!made.chunks)
		return -ENOMEM;
	made.origins = (uintptr_t *)(void *)(made.chunks + made.nchunks);
	made.taken = (uint64_t *)(void *)(made.origins + made.nchunks);
	vacant_init(&made);
	*p = made;
	return 0;
}

int tern_pool_init(struct tern_pool *p, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	return pool_init(p, item_size, true, (struct tern_pool){ .mem = mem, .max = max });
}

int tern_pool_init_bare(struct tern_pool *p, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	return pool_init(p, item_size, false, (struct tern_pool){ .mem = mem, .max = max });
}

int tern_pool_init_raw(struct tern_pool *p, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	return pool_init(p, item_size, false,
			 (struct tern_pool){ .mem = mem, .max = max, .raw = true });
}

int tern_pool_init_gen(struct tern_pool *p, struct tern_mem *mem, size_t item_size, uint32_t max)
{
	return pool_init(p, item_size, true,
			 (struct tern_pool){ .mem = mem,
					     .max = max,
					     .kept = sizeof(uint32_t),
					     .handles = max });
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

	if (p->handles)
		store(c->items + slot * p->item_size, c->generation);
	return slot;
}

/* Clear an item that has been in use before, but for its generation. */
static void item_clear(const struct tern_pool *p, uint8_t *item)
{
	memset(item + p->kept, 0, p->cleared);
}

static void count_one_more(struct tern_pool *p)
{
	if (++p->used > p->peak)
		p->peak = p->used;
}

/* An item out of a chunk: the one that was laid there last, else one that nobody has used yet. */
static __attribute__((noinline)) uint32_t take_from_chunk(struct tern_pool *p)
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
		item = c->items + slot * p->item_size;
		c->free = load(item + p->kept);
		if (p->cleared)
			item_clear(p, item);
	} else {
		slot = fresh_slot(p, number);
	}
	if (c->used++ == 0)
		p->spares--;
	if (!has_free(c))
		partial_unlink(p, number);
	slot |= number << p->shift;
	p->taken[slot / 64] |= UINT64_C(1) << slot % 64;
	count_one_more(p);
	return slot;
}

uint32_t tern_pool_get(struct tern_pool *p)
{
	uint32_t idx = p->hand;

	if (TERN_UNLIKELY(!idx))
		return take_from_chunk(p);
	p->hand = 0;
	count_one_more(p);
	if (p->cleared)
		item_clear(p, tern_pool_at(p, idx));
	return idx;
}

/* A chunk has become wholly free, and there are enough such: give its memory back. */
TERN_COLD static void chunk_give_back(struct tern_pool *p, uint32_t number)
{
	partial_unlink(p, number);
	chunk_release(p, number);
	p->chunks[number].next = p->vacant;
	p->vacant = number + 1;
}

uint32_t tern_pool_next(const struct tern_pool *p, uint32_t idx)
{
	while (++idx <= p->max) {
		uint64_t bits = p->taken[idx / 64] >> idx % 64;

		if (!bits) {
			idx |= 63;
			continue;
		}
		idx += (uint32_t)__builtin_ctzll(bits);
		if (idx != p->hand)
			return idx;
	}
	return 0;
}

/* The generation of an item that is laid down may be the latest of its chunk. */
static void generation_note(struct tern_pool_chunk *c, uint32_t generation)
{
	if (((generation - c->generation) & GENERATION_MASK) <= GENERATION_MASK / 2)
		c->generation = generation;
}

/* Lay the item in hand into its chunk. */
static void lay_down(struct tern_pool *p)
{
	uint32_t idx = p->hand, number = idx >> p->shift, slot = idx & p->mask;
	struct tern_pool_chunk *c = &p->chunks[number];
	uint8_t *item = c->items + slot * p->item_size;

	if (p->partial != number + 1) {
		if (has_free(c))
			partial_unlink(p, number);
		partial_push(p, number);
	}
	if (p->handles)
		generation_note(c, load(item));
	p->taken[idx / 64] &= ~(UINT64_C(1) << idx % 64);
	store(item + p->kept, c->free);
	c->free = slot + 1;
	if (--c->used)
		return;
	if (p->spares < spares_max(p))
		p->spares++;
	else
		chunk_give_back(p, number);
}

/* Nothing is in use: the chunk of the item in hand is a spare one, perhaps one too many. */
TERN_COLD static void empty(struct tern_pool *p)
{
	uint32_t number = p->partial - 1;

	if (p->spares < spares_max(p))
		return;
	if (p->chunks[number].used)
		number = p->chunks[number].next - 1;
	p->spares--;
	chunk_give_back(p, number);
}

/* This item is the one in hand now. */
static inline void take_in_hand(struct tern_pool *p, uint32_t idx)
{
	p->hand = idx;
	if (TERN_UNLIKELY(p->spares) && !p->used)
		empty(p);
}

/* … instead of another. */
static __attribute__((noinline)) void change_hand(struct tern_pool *p, uint32_t idx)
{
	lay_down(p);
	take_in_hand(p, idx);
}

/* End the life of a generation: the next one, which is never 0. */
static void generation_bump(uint8_t *item)
{
	uint32_t generation = (load(item) + 1) & GENERATION_MASK;

	store(item, generation ? generation : 1);
}

void tern_pool_put(struct tern_pool *p, uint32_t idx)
{
	assert(tern_pool_is_used(p, idx)); /* 0 never is */
	if (p->handles)
		generation_bump(tern_pool_at(p, idx));
	p->used--;
	if (p->hand)
		change_hand(p, idx);
	else
		take_in_hand(p, idx);
}
