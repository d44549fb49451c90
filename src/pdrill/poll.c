/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * poll and epoll over our descriptors. Both ask room sock for the level of each socket whenever
 * something has happened, until there is something to tell or time is over.
 *
 * An epoll set is a list in the order of EPOLL_CTL_ADD. For EPOLLET an entry is told of when its
 * level holds *and* something has happened to the socket since it was last told of: each event of
 * the stack marks it (tern_pdrill_epoll_mark), and so does adding or modifying it. EPOLLONESHOT
 * silences an entry that was told of until it is modified.
 *
 * poll also takes descriptors of the process, pipes that is: with such ones in it, it looks every
 * millisecond. epoll refuses them.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "pdrill/pdrill.h"

#define LOOK_NS UINT64_C(1000000)

/* What is told of unasked. */
#define ALWAYS ((uint32_t)(POLLERR | POLLHUP | POLLNVAL))

struct tern_pdrill_epoll *tern_pdrill_epoll_at(struct tern_pdrill *d, int fd)
{
	int i = fd - d->first - TERN_PDRILL_SOCKETS;

	return i >= 0 && i < TERN_PDRILL_EPOLLS && d->epolls[i].open ? &d->epolls[i] : NULL;
}

void tern_pdrill_epoll_free(struct tern_pdrill_epoll *set)
{
	free(set->watches);
	*set = (struct tern_pdrill_epoll){ 0 };
}

void tern_pdrill_epoll_mark(struct tern_pdrill *d, int fd)
{
	for (unsigned int i = 0; i < TERN_PDRILL_EPOLLS; i++)
		for (unsigned int j = 0; j < d->epolls[i].len; j++)
			if (d->epolls[i].watches[j].fd == fd)
				d->epolls[i].watches[j].pending = true;
}

static void remove_watch(struct tern_pdrill_epoll *set, unsigned int at)
{
	set->len--;
	memmove(&set->watches[at], &set->watches[at + 1],
		(set->len - at) * sizeof(set->watches[0]));
}

static struct tern_pdrill_watch *find(struct tern_pdrill_epoll *set, int fd)
{
	for (unsigned int i = 0; i < set->len; i++)
		if (set->watches[i].fd == fd)
			return &set->watches[i];
	return NULL;
}

void tern_pdrill_epoll_forget(struct tern_pdrill *d, int fd)
{
	for (unsigned int i = 0; i < TERN_PDRILL_EPOLLS; i++) {
		struct tern_pdrill_watch *w = find(&d->epolls[i], fd);

		if (w)
			remove_watch(&d->epolls[i], (unsigned int)(w - d->epolls[i].watches));
	}
}

/* What an entry has to tell now; 0: nothing. */
static uint32_t told(struct tern_pdrill *d, const struct tern_pdrill_watch *w)
{
	uint32_t bits;

	if (w->spent || ((w->events & EPOLLET) && !w->pending))
		return 0;
	bits = tern_sock_poll(d->socks, d->now, w->fd - d->first);
	return bits & (w->events | EPOLLERR | EPOLLHUP);
}

/* Is anything to be told by a set? */
static bool is_ready(struct tern_pdrill *d, const struct tern_pdrill_epoll *set)
{
	for (unsigned int i = 0; i < set->len; i++)
		if (told(d, &set->watches[i]))
			return true;
	return false;
}

/* Fills in the events of one descriptor of ours; true if there are some. */
static bool look_at(struct tern_pdrill *d, struct pollfd *p)
{
	const struct tern_pdrill_epoll *set;
	uint32_t bits = POLLNVAL;

	if (tern_pdrill_is_socket(d, p->fd)) {
		bits = tern_sock_poll(d->socks, d->now, p->fd - d->first);
	} else {
		set = tern_pdrill_epoll_at(d, p->fd);
		if (set)
			bits = is_ready(d, set) ? POLLIN | POLLRDNORM : 0;
	}
	p->revents = (short)(bits & ((uint16_t)p->events | ALWAYS));
	return p->revents != 0;
}

/* One look at all; how many have events, or negative errno. *foreign: some are not ours. */
static int look(struct tern_pdrill *d, struct pollfd *fds, nfds_t n, bool *foreign)
{
	int ready = 0;

	*foreign = false;
	for (nfds_t i = 0; i < n; i++) {
		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		if (fds[i].fd >= d->first && fds[i].fd < d->first + TERN_PDRILL_FDS) {
			ready += look_at(d, &fds[i]);
		} else {
			*foreign = true;
			ready += poll(&fds[i], 1, 0) > 0;
		}
	}
	return ready;
}

/* When a wait of so many ms ends; negative: never. */
static uint64_t end_of(const struct tern_pdrill *d, int timeout_ms)
{
	if (timeout_ms < 0)
		return TERN_NEVER;
	return tern_pdrill_later(d, (uint64_t)timeout_ms * 1000000);
}

int tern_pdrill_poll(void *ud, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct tern_pdrill *d = ud;
	int ready, err = 0;
	uint64_t until;
	bool foreign;

	if (n > TERN_PDRILL_FDS) {
		errno = EINVAL;
		return -1;
	}
	if (!tern_pdrill_writable(fds, n * sizeof(*fds))) {
		errno = EFAULT;
		return -1;
	}
	(void)tern_pdrill_enter(d);
	until = end_of(d, timeout_ms);
	while ((ready = look(d, fds, n, &foreign)) == 0 && d->now < until && !err)
		err = tern_pdrill_wait(d, foreign ? TERN_MIN(until, d->now + LOOK_NS) : until);
	return (int)tern_pdrill_leave(d, ready ? ready : err);
}

int tern_pdrill_epoll_create(void *ud, int size)
{
	struct tern_pdrill *d = ud;
	int fd = size <= 0 ? -EINVAL : -EMFILE;

	(void)tern_pdrill_enter(d);
	for (int i = 0; i < TERN_PDRILL_EPOLLS && fd == -EMFILE; i++) {
		if (d->epolls[i].open)
			continue;
		d->epolls[i].open = true;
		fd = d->first + TERN_PDRILL_SOCKETS + i;
	}
	return (int)tern_pdrill_leave(d, fd);
}

static int add(struct tern_pdrill_epoll *set, int fd, const struct epoll_event *event)
{
	if (find(set, fd))
		return -EEXIST;
	if (set->len == set->cap) {
		unsigned int cap = set->cap ? 2 * set->cap : 16;
		struct tern_pdrill_watch *grown = realloc(set->watches, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->watches = grown;
		set->cap = cap;
	}
	set->watches[set->len++] = (struct tern_pdrill_watch){
		.fd = fd,
		.events = event->events,
		.data = event->data,
		.pending = true,
	};
	return 0;
}

static int control(struct tern_pdrill *d, int epfd, int op, int fd, const struct epoll_event *event)
{
	struct tern_pdrill_epoll *set = tern_pdrill_epoll_at(d, epfd);
	struct tern_pdrill_watch *w;

	if (fd >= 0 && (fd < d->first || fd >= d->first + TERN_PDRILL_FDS))
		return -EPERM;
	if (!set && !tern_sock_id(d->socks, epfd - d->first))
		return -EBADF;
	if (set && tern_pdrill_epoll_at(d, fd))
		return -EINVAL; /* sets in sets */
	if (!tern_sock_id(d->socks, fd - d->first))
		return -EBADF;
	if (!set)
		return -EINVAL;
	if (op == EPOLL_CTL_ADD)
		return add(set, fd, event);
	w = find(set, fd);
	if (op != EPOLL_CTL_DEL && op != EPOLL_CTL_MOD)
		return -EINVAL;
	if (!w)
		return -ENOENT;
	if (op == EPOLL_CTL_DEL) {
		remove_watch(set, (unsigned int)(w - set->watches));
		return 0;
	}
	w->events = event->events;
	w->data = event->data;
	w->pending = true;
	w->spent = false;
	return 0;
}

int tern_pdrill_epoll_ctl(void *ud, int epfd, int op, int fd, struct epoll_event *event)
{
	struct tern_pdrill *d = ud;

	if (op != EPOLL_CTL_DEL && !tern_pdrill_readable(event, sizeof(*event))) {
		errno = EFAULT;
		return -1;
	}
	(void)tern_pdrill_enter(d);
	return (int)tern_pdrill_leave(d, control(d, epfd, op, fd, event));
}

/* Takes what there is to tell; how many. */
static int collect(struct tern_pdrill *d, struct tern_pdrill_epoll *set, struct epoll_event *events,
		   int max)
{
	int n = 0;

	for (unsigned int i = 0; i < set->len && n < max; i++) {
		struct tern_pdrill_watch *w = &set->watches[i];
		uint32_t bits = told(d, w);

		if (w->pending && !w->spent)
			w->pending = false;
		if (!bits)
			continue;
		events[n].events = bits;
		events[n++].data = w->data;
		w->spent = (w->events & EPOLLONESHOT) != 0;
	}
	return n;
}

int tern_pdrill_epoll_wait(void *ud, int epfd, struct epoll_event *events, int max, int timeout_ms)
{
	struct tern_pdrill *d = ud;
	struct tern_pdrill_epoll *set;
	uint64_t until;
	int n = 0, err = 0;

	if (max <= 0 || max > TERN_PDRILL_FDS) {
		errno = EINVAL;
		return -1;
	}
	if (!tern_pdrill_writable(events, (size_t)max * sizeof(*events))) {
		errno = EFAULT;
		return -1;
	}
	(void)tern_pdrill_enter(d);
	until = end_of(d, timeout_ms);
	while (!err) {
		set = tern_pdrill_epoll_at(d, epfd);
		if (!set)
			err = tern_sock_id(d->socks, epfd - d->first) ? -EINVAL : -EBADF;
		else
			n = collect(d, set, events, max);
		if (err || n || d->now >= until)
			break;
		err = tern_pdrill_wait(d, until);
	}
	return (int)tern_pdrill_leave(d, n ? n : err);
}
