/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/map.c: changing a map; lookups are inline in the header.
 *
 * Linear probing: an entry stands in the first free slot at or behind its home, hash & mask, so a
 * lookup may stop at the first empty slot. Removing keeps that true without tombstones: each
 * entry behind the hole whose home is not inside (hole, its place] moves into the hole, and the
 * hole moves on, to the end of the cluster. At most half of the slots are ever used, so clusters
 * are short (1.5 probes for a hit and 2.5 for a miss when full) and every search ends.
 */
#include "base/map.h"

#include <assert.h>
#include <errno.h>

#define MAP_MAX (UINT32_C(1) << 30)

static size_t map_bytes(const struct tern_map *m)
{
	return ((size_t)m->mask + 1) * sizeof(*m->slots);
}

int tern_map_init(struct tern_map *m, struct tern_mem *mem, uint32_t max_entries)
{
	struct tern_map made = { .mem = mem, .max = max_entries };
	uint32_t slots = 2;

	if (max_entries > MAP_MAX)
		return -EINVAL;
	while (slots < 2 * max_entries)
		slots <<= 1;
	made.mask = slots - 1;
	made.slots = tern_mem_alloc(mem, map_bytes(&made));
	if (!made.slots)
		return -ENOMEM;
	*m = made;
	return 0;
}

void tern_map_free(struct tern_map *m)
{
	if (m->slots)
		tern_mem_free(m->mem, m->slots, map_bytes(m));
	*m = (struct tern_map){ 0 };
}

int tern_map_insert(struct tern_map *m, uint32_t hash, uint32_t idx)
{
	uint32_t pos = hash & m->mask;

	assert(idx);
	if (m->count >= m->max)
		return -ENOBUFS;
	while (TERN_UNLIKELY(m->slots[pos].idx))
		pos = (pos + 1) & m->mask;
	m->slots[pos] = (struct tern_map_slot){ .hash = hash, .idx = idx };
	m->count++;
	return 0;
}

/* Move the rest of the cluster forward; pos is the slot behind the hole, and in use. */
static uint32_t close_up(struct tern_map *m, uint32_t hole, uint32_t pos)
{
	for (; m->slots[pos].idx; pos = (pos + 1) & m->mask) {
		uint32_t from_home = (pos - m->slots[pos].hash) & m->mask;

		if (from_home >= ((pos - hole) & m->mask)) {
			m->slots[hole] = m->slots[pos];
			hole = pos;
		}
	}
	return hole;
}

int tern_map_remove(struct tern_map *m, uint32_t hash, uint32_t idx)
{
	uint32_t hole = hash & m->mask, next;

	while (TERN_UNLIKELY(m->slots[hole].idx != idx || m->slots[hole].hash != hash)) {
		if (!m->slots[hole].idx)
			return -ENOENT;
		hole = (hole + 1) & m->mask;
	}
	next = (hole + 1) & m->mask;
	if (TERN_UNLIKELY(m->slots[next].idx))
		hole = close_up(m, hole, next);
	m->slots[hole] = (struct tern_map_slot){ 0 };
	m->count--;
	return 0;
}
