/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/arena.c: memory that is given back all at once.
 *
 * Chunks of 16 KiB, or larger where one object wants more; an object is cut off the newest one.
 */
#include "sim/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum { CHUNK = 16384 };

struct tern_arena_chunk {
	struct tern_arena_chunk *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

void *tern_arena_alloc(struct tern_arena *arena, size_t size)
{
	struct tern_arena_chunk *c = arena->chunks;
	size_t align = alignof(max_align_t);
	void *p;

	size = (size + align - 1) / align * align;
	if (!c || c->size - c->used < size) {
		size_t room = TERN_MAX(size, (size_t)CHUNK);

		c = calloc(1, sizeof(*c) + room);
		if (!c)
			return NULL;
		c->size = room;
		c->next = arena->chunks;
		arena->chunks = c;
	}
	p = c->bytes + c->used;
	c->used += size;
	return p;
}

char *tern_arena_copy(struct tern_arena *arena, const char *text, size_t n)
{
	char *copy = tern_arena_alloc(arena, n + 1);

	if (copy && n)
		memcpy(copy, text, n);
	return copy;
}

void tern_arena_free(struct tern_arena *arena)
{
	while (arena->chunks) {
		struct tern_arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
}
