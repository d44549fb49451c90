/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The calls that give and take bytes without a copy: what is received is read where it lies, what
 * is to be sent is written where it will lie. Both lend memory of the stack until the next entry.
 * They are for callers that move bytes between sockets and descriptors by the thousand; a program
 * with a buffer of its own has no use for them.
 */
#include <errno.h>

#include "stack/internal.h"

/* The connection of an id, with the time of this entry. */
static int enter(struct tern_stack *st, uint64_t now, tern_id id, uint32_t *ret_idx)
{
	tern_tcp_set_now(&st->tcp, now);
	*ret_idx = tern_call_conn(st, id);
	if (*ret_idx)
		return 0;
	return tern_id_kind(id) == TERN_ID_UDP ? -EOPNOTSUPP : -EBADF;
}

int tern_stack_peek(struct tern_stack *st, uint64_t now, tern_id id, struct tern_piece *pieces,
		    unsigned int n)
{
	uint32_t idx;
	int err = enter(st, now, id, &idx);

	return err ? err : tern_tcp_peek(&st->tcp, idx, pieces, n);
}

int tern_stack_reserve(struct tern_stack *st, uint64_t now, tern_id id, size_t len,
		       struct tern_room *rooms, unsigned int n)
{
	uint32_t idx;
	int err = enter(st, now, id, &idx);

	return err ? err : tern_tcp_reserve(&st->tcp, idx, len, rooms, n);
}

int64_t tern_stack_commit(struct tern_stack *st, uint64_t now, tern_id id, size_t len,
			  unsigned int flags)
{
	uint32_t idx;
	int err = enter(st, now, id, &idx);

	return err ? err : tern_tcp_commit(&st->tcp, idx, len, flags);
}
