/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/map.h: from a keyed 32-bit hash to pool indices.
 *
 * Open addressing with linear probing, at most half full, fixed in size, no tombstones: removal
 * shifts the cluster back. The map knows hashes only; the caller compares the record that each
 * candidate names. The hash must be keyed (siphash.h), else outsiders choose the clusters.
 *
 *	for (struct tern_map_it it = tern_map_find(m, hash); it.idx; tern_map_next(m, &it))
 *		if (this is the record)
 *			return it.idx;
 */
#ifndef TERN_BASE_MAP_H
#define TERN_BASE_MAP_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/pool.h"

struct tern_map_slot {
	uint32_t hash;
	uint32_t idx; /* 0: empty */
};

struct tern_map {
	struct tern_map_slot *slots;
	uint32_t mask;       /* slots - 1 */
	uint32_t count, max; /* entries now, and the most there may be */
	struct tern_mem *mem;
};

/* Place of a lookup; idx is the candidate, 0 when there are no more. */
struct tern_map_it {
	uint32_t idx, hash, pos;
};

/*
 * A map of at most max_entries entries; the slots (16 to 32 bytes per entry) come zeroed from the
 * system and are touched only as entries come. Returns 0, -EINVAL (max_entries above 2^30) or
 * -ENOMEM.
 */
TERN_NODISCARD int tern_map_init(struct tern_map *m, struct tern_mem *mem, uint32_t max_entries);

/* Give the slots back. A zeroed or freed map is allowed. */
void tern_map_free(struct tern_map *m);

/*
 * Add idx (not 0) under hash. Other entries may have the same hash; lookups meet the oldest first.
 * Returns 0 or -ENOBUFS.
 */
TERN_NODISCARD int tern_map_insert(struct tern_map *m, uint32_t hash, uint32_t idx);

/* Take out the entry (hash, idx). Returns 0 or -ENOENT. No lookup may be under way. */
int tern_map_remove(struct tern_map *m, uint32_t hash, uint32_t idx);

/* The first entry at or behind pos with this hash; idx 0 if the cluster ends before. */
static inline struct tern_map_it tern_map_probe(const struct tern_map *m, uint32_t hash,
						uint32_t pos)
{
	for (;; pos++) {
		struct tern_map_slot s = m->slots[pos & m->mask];

		if (!s.idx || s.hash == hash)
			return (struct tern_map_it){ .idx = s.idx, .hash = hash, .pos = pos };
	}
}

/* The first candidate for a hash. */
static inline struct tern_map_it tern_map_find(const struct tern_map *m, uint32_t hash)
{
	return tern_map_probe(m, hash, hash);
}

/* The next candidate. */
static inline void tern_map_next(const struct tern_map *m, struct tern_map_it *it)
{
	*it = tern_map_probe(m, it->hash, it->pos + 1);
}

#endif
