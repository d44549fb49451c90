/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_poll.c: poll() and epoll: who is ready.
 *
 * Readiness is sock's. An edge is an event of the stack about the socket, or the EPOLL_CTL_ADD and
 * _MOD that begin to watch it.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "sim/drill_internal.h"
#include "sock/abi.h"

#define ALWAYS ((uint32_t)(TERN_SOCK_ERR | TERN_SOCK_HUP))

static uint32_t ready(const struct drill *d, int64_t script_fd)
{
	const struct drill_fd *fd;

	if (script_fd < 0 || script_fd >= DRILL_FDS)
		return TERN_SOCK_NVAL;
	fd = &d->fds[script_fd];
	switch (fd->kind) {
	case DRILL_FD_SOCKET:
		return tern_sock_poll(d->ss, d->now, fd->live);
	case DRILL_FD_PIPE:
		if (fd->end)
			return fd->pipe->bytes < DRILL_PIPE ? TERN_SOCK_OUT : 0;
		return (fd->pipe->bytes ? TERN_SOCK_IN : 0) |
		       (fd->pipe->closed[1] ? TERN_SOCK_HUP : 0);
	case DRILL_FD_FILE:
		return TERN_SOCK_IN | TERN_SOCK_OUT;
	default:
		return TERN_SOCK_NVAL;
	}
}

/* The wait is for anything: the caller looks again whenever something has happened. */
static bool wait_ms(struct drill *d, struct drill_call *c, int64_t timeout_ms)
{
	if (!c->waits) {
		c->waits = true;
		c->deadline = timeout_ms < 0 ? TERN_NEVER
					     : d->now + (uint64_t)timeout_ms * DRILL_MS;
	}
	return d->now >= c->deadline ? tern_drill_done(c, 0) : false;
}

static bool member(struct drill *d, const struct tern_expr *e, const char *name, int64_t *ret)
{
	const struct tern_expr *m = e->kind == TERN_EXPR_STRUCT ? tern_drill_member(e, name) : NULL;

	if (m)
		return tern_drill_number(d, m, ret);
	tern_drill_broken(d, e->place, "{... %s=...} expected here", name);
	return false;
}

/* ---- poll ---- */

/* Are the entries' revents what the script says? */
static bool check_poll(struct drill *d, const struct tern_expr *list)
{
	for (const struct tern_expr *e = list->first; e; e = e->next) {
		int64_t fd, events, wanted;
		uint32_t got;

		if (!tern_drill_member(e, "revents"))
			continue;
		if (!member(d, e, "fd", &fd) || !member(d, e, "events", &events) ||
		    !member(d, e, "revents", &wanted))
			return false;
		got = ready(d, fd) & ((uint32_t)events | ALWAYS | TERN_SOCK_NVAL);
		if (got != (uint32_t)wanted) {
			tern_drill_fail(d, "revents of %d is 0x%x, not 0x%x", (int)fd, got,
					(unsigned int)wanted);
			return false;
		}
	}
	return true;
}

bool tern_drill_call_poll(struct drill *d, struct drill_call *c)
{
	const struct tern_expr *list = tern_drill_arg(c, 0);
	int64_t timeout, fd, events;
	int n = 0;

	if (list->kind != TERN_EXPR_LIST) {
		tern_drill_broken(d, list->place,
				  "[{fd=..., events=..., revents=...}] expected here");
		return false;
	}
	if (!tern_drill_number(d, tern_drill_arg(c, 2), &timeout))
		return false;
	for (const struct tern_expr *e = list->first; e; e = e->next) {
		if (!member(d, e, "fd", &fd) || !member(d, e, "events", &events))
			return false;
		n += fd >= 0 && (ready(d, fd) & ((uint32_t)events | ALWAYS | TERN_SOCK_NVAL)) != 0;
	}
	if (!n && !wait_ms(d, c, timeout))
		return false;
	if (!check_poll(d, list))
		return false;
	return tern_drill_done(c, n);
}

/* ---- epoll ---- */

bool tern_drill_call_epoll_create(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd;
	int64_t size;

	if (!tern_drill_number(d, tern_drill_arg(c, 0), &size))
		return false;
	if (c->call->name == TERN_CALL_EPOLL_CREATE && size <= 0)
		return tern_drill_done(c, -EINVAL);
	fd = tern_drill_fd_new(d, c->call->result->value, DRILL_FD_EPOLL);
	if (!fd)
		return false;
	fd->epoll = tern_arena_alloc(&d->script.arena, sizeof(*fd->epoll));
	if (!fd->epoll) {
		tern_drill_fail(d, "no memory");
		return false;
	}
	return tern_drill_done(c, c->call->result->value);
}

void tern_drill_epoll_edge(struct drill *d, int live)
{
	for (int i = 0; i < DRILL_FDS; i++) {
		struct drill_epoll *ep = d->fds[i].kind == DRILL_FD_EPOLL ? d->fds[i].epoll : NULL;

		for (int j = 0; ep && j < DRILL_WATCHED; j++) {
			struct drill_watch *w = &ep->watched[j];

			if (w->used && !(w->events & EPOLLONESHOT) &&
			    d->fds[w->fd].kind == DRILL_FD_SOCKET && d->fds[w->fd].live == live)
				w->armed = true;
		}
	}
}

void tern_drill_epoll_forget(struct drill *d, int script_fd)
{
	for (int i = 0; i < DRILL_FDS; i++)
		for (int j = 0; d->fds[i].kind == DRILL_FD_EPOLL && j < DRILL_WATCHED; j++)
			if (d->fds[i].epoll->watched[j].fd == script_fd)
				d->fds[i].epoll->watched[j].used = false;
}

static struct drill_epoll *epoll_at(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));

	if (fd && fd->kind != DRILL_FD_EPOLL) {
		(void)tern_drill_done(c, -EINVAL);
		return NULL;
	}
	return fd ? fd->epoll : NULL;
}

static struct drill_watch *find(struct drill_epoll *ep, int64_t fd, bool used)
{
	for (int i = 0; i < DRILL_WATCHED; i++)
		if (ep->watched[i].used == used && (!used || ep->watched[i].fd == fd))
			return &ep->watched[i];
	return NULL;
}

/* {events=EPOLLIN, fd=4}, or ptr=, u32=, u64= */
static bool read_event(struct drill *d, const struct tern_expr *e, uint32_t *events, uint64_t *data)
{
	static const char *const names[] = { "fd", "ptr", "u32", "u64", "data" };
	int64_t n;

	if (!member(d, e, "events", &n))
		return false;
	*events = (uint32_t)n;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(names); i++) {
		if (!tern_drill_member(e, names[i]))
			continue;
		if (!member(d, e, names[i], &n))
			return false;
		*data = (uint64_t)n;
		return true;
	}
	*data = 0;
	return true;
}

bool tern_drill_call_epoll_ctl(struct drill *d, struct drill_call *c)
{
	struct drill_epoll *ep = epoll_at(d, c);
	const struct tern_expr *e = tern_drill_arg(c, 3);
	struct drill_watch *w;
	uint32_t events = 0;
	uint64_t data = 0;
	int64_t op, fd;

	if (!ep || !tern_drill_number(d, tern_drill_arg(c, 1), &op) ||
	    !tern_drill_number(d, tern_drill_arg(c, 2), &fd) ||
	    !tern_drill_fd_at(d, c, tern_drill_arg(c, 2)))
		return false;
	if (op != EPOLL_CTL_DEL && !read_event(d, e, &events, &data))
		return false;
	w = find(ep, fd, true);
	if (op == EPOLL_CTL_ADD && w)
		return tern_drill_done(c, -EEXIST);
	if (op != EPOLL_CTL_ADD && !w)
		return tern_drill_done(c, -ENOENT);
	if (op == EPOLL_CTL_DEL) {
		w->used = false;
		return tern_drill_done(c, 0);
	}
	if (!w)
		w = find(ep, fd, false);
	if (!w)
		return tern_drill_done(c, -ENOSPC);
	*w = (struct drill_watch){ .fd = (int)fd,
				   .events = events,
				   .data = data,
				   .used = true,
				   .armed = true };
	return tern_drill_done(c, 0);
}

/* What there is to tell of a descriptor that is watched. */
static uint32_t told(const struct drill *d, const struct drill_watch *w)
{
	bool edges = w->events & (EPOLLET | EPOLLONESHOT);

	if (!w->used || (edges && !w->armed))
		return 0;
	return ready(d, w->fd) & (w->events | ALWAYS);
}

/* Entry i of what epoll_wait() is to fill in; NULL: the script says no more. */
static const struct tern_expr *entry(const struct tern_expr *e, int i)
{
	if (e->kind == TERN_EXPR_STRUCT)
		return i == 0 ? e : NULL;
	for (e = e->kind == TERN_EXPR_LIST ? e->first : NULL; e && i; i--)
		e = e->next;
	return e;
}

static bool check_entry(struct drill *d, const struct tern_expr *e, const struct drill_watch *w,
			uint32_t got)
{
	uint32_t events;
	uint64_t data;

	if (!e || e->kind != TERN_EXPR_STRUCT)
		return true;
	if (!read_event(d, e, &events, &data))
		return false;
	if (events != got)
		tern_drill_fail(d, "the events are 0x%x, not 0x%x", got, events);
	else if (data != w->data)
		tern_drill_fail(d, "the event is of %llu, not of %llu", (unsigned long long)w->data,
				(unsigned long long)data);
	return true;
}

bool tern_drill_call_epoll_wait(struct drill *d, struct drill_call *c)
{
	struct drill_epoll *ep = epoll_at(d, c);
	int64_t most, timeout;
	int n = 0;

	if (!ep || !tern_drill_number(d, tern_drill_arg(c, 2), &most) ||
	    !tern_drill_number(d, tern_drill_arg(c, 3), &timeout))
		return false;
	for (int i = 0; i < DRILL_WATCHED && n < most; i++) {
		struct drill_watch *w = &ep->watched[i];
		uint32_t got = told(d, w);

		if (!got)
			continue;
		w->armed = false;
		if (!check_entry(d, entry(tern_drill_arg(c, 1), n), w, got))
			return false;
		n++;
	}
	return n ? tern_drill_done(c, n) : wait_ms(d, c, timeout);
}
