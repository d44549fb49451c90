/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/arena.h: memory that is given back all at once. What a script becomes lives in one.
 */
#ifndef TERN_SIM_ARENA_H
#define TERN_SIM_ARENA_H

#include <stddef.h>

struct tern_arena_chunk;

/* All zero is an empty arena. */
struct tern_arena {
	struct tern_arena_chunk *chunks;
};

/* Zeroed memory for any type, or NULL when the system has none. */
void *tern_arena_alloc(struct tern_arena *arena, size_t size);

/* A copy of n bytes with a NUL behind them, or NULL. */
char *tern_arena_copy(struct tern_arena *arena, const char *text, size_t n);

void tern_arena_free(struct tern_arena *arena);

#endif
