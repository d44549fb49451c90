/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/holder.c: finds the holders of a socket.
 *
 * There may be as many as sockets, and a table asks for each row: all are put in order once, and
 * those of a row found by halving.
 */
#include "report/holder.h"

int tern_holder_order(const void *a, const void *b)
{
	const struct tern_holder *one = a, *other = b;

	if (one->id != other->id)
		return one->id < other->id ? -1 : 1;
	if (one->pid != other->pid)
		return one->pid < other->pid ? -1 : 1;
	return (one->fd > other->fd) - (one->fd < other->fd);
}

struct tern_holders tern_holders_of(const struct tern_holders *all, uint64_t id)
{
	struct tern_holders found = { 0 };
	size_t from = 0, to = all->count;

	if (!id)
		return found;
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (all->rows[middle].id < id)
			from = middle + 1;
		else
			to = middle;
	}
	while (from + found.count < all->count && all->rows[from + found.count].id == id)
		found.count++;
	if (found.count)
		found.rows = &all->rows[from];
	return found;
}
