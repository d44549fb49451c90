/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_argument.c: what calls are given, and what they give: numbers, members of structures,
 * descriptors of the script.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/drill_internal.h"

#define DATA_MAX (UINT64_C(64) << 20)

bool tern_drill_done(struct drill_call *c, int64_t result)
{
	c->done = true;
	c->result = result;
	return true;
}

const struct tern_expr *tern_drill_arg(const struct drill_call *c, unsigned int i)
{
	const struct tern_expr *e = c->call->args;

	while (e && i--)
		e = e->next;
	return e;
}

bool tern_drill_number(struct drill *d, const struct tern_expr *e, int64_t *ret)
{
	if (e && e->kind == TERN_EXPR_LIST && e->first && !e->first->next)
		e = e->first;
	if (e && e->kind == TERN_EXPR_NUMBER) {
		*ret = e->value;
		return true;
	}
	tern_drill_broken(d, e ? e->place : d->event->place, "a number expected here");
	return false;
}

const struct tern_expr *tern_drill_member(const struct tern_expr *e, const char *name)
{
	for (e = e->first; e; e = e->next)
		if (e->name && strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

struct drill_fd *tern_drill_fd_at(struct drill *d, struct drill_call *c, const struct tern_expr *e)
{
	int64_t n;

	if (!tern_drill_number(d, e, &n))
		return NULL;
	if (n >= 0 && n < DRILL_FDS && d->fds[n].kind != DRILL_FD_NONE)
		return &d->fds[n];
	(void)tern_drill_done(c, -EBADF);
	return NULL;
}

struct drill_fd *tern_drill_fd_new(struct drill *d, int64_t script_fd, enum drill_fd_kind kind)
{
	struct drill_fd *fd;

	if (script_fd < 0 || script_fd >= DRILL_FDS) {
		tern_drill_broken(d, d->event->place, "descriptors are 0 to %d here",
				  DRILL_FDS - 1);
		return NULL;
	}
	fd = &d->fds[script_fd];
	if (fd->kind != DRILL_FD_NONE) {
		tern_drill_broken(d, d->event->place, "the descriptor %d is in use already",
				  (int)script_fd);
		return NULL;
	}
	*fd = (struct drill_fd){ .kind = kind, .live = -1 };
	return fd;
}

void tern_drill_fd_give_up(struct drill *d, int64_t script_fd)
{
	if (script_fd < 0 || script_fd >= DRILL_FDS || d->fds[script_fd].kind != DRILL_FD_SOCKET)
		return;
	tern_drill_epoll_forget(d, (int)script_fd);
	if (d->fds[script_fd].flow)
		d->fds[script_fd].flow->fd = -1;
	d->fds[script_fd].kind = DRILL_FD_NONE;
}

struct drill_fd *tern_drill_socket_at(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = c->fd ? c->fd : tern_drill_fd_at(d, c, tern_drill_arg(c, 0));

	if (!fd || fd->kind == DRILL_FD_SOCKET) {
		c->fd = fd;
		return fd;
	}
	(void)tern_drill_done(c, -ENOTSOCK);
	return NULL;
}

uint8_t *tern_drill_data(struct drill *d, uint64_t n)
{
	if (n > DATA_MAX) {
		tern_drill_broken(d, d->event->place, "more than 64 MiB at a time");
		return NULL;
	}
	if (n > d->data_size) {
		free(d->data);
		d->data_size = (size_t)n;
		d->data = malloc((size_t)n);
		if (!d->data) {
			d->data_size = 0;
			tern_drill_fail(d, "no memory");
			return NULL;
		}
	}
	return d->data;
}
