/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/poll.c: poll(2) over the host's sockets and the process's descriptors.
 *
 * Every call turns the loop at least once, so that a program that finds something ready each time
 * does not starve its stack. The process's descriptors are asked by poll(2) itself: its bits are
 * right for terminals, pipes and files alike. Only when nothing is ready are they watched by the
 * loop as well, which then waits for both; before the call returns they are forgotten again, since
 * the program may close them.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "host/host.h"

enum {
	POLL_MAX = 65536,
	POLL_ON_STACK = 32,
};

_Static_assert(POLLIN == TERN_SOCK_IN && POLLOUT == TERN_SOCK_OUT && POLLERR == TERN_SOCK_ERR &&
		       POLLHUP == TERN_SOCK_HUP && POLLRDHUP == TERN_SOCK_RDHUP &&
		       POLLNVAL == TERN_SOCK_NVAL,
	       "sock's readiness is poll(2)'s");

/* The process's descriptors of a set, as poll(2) wants them: the others are negative. */
static void split(const struct tern_pollfd *fds, unsigned int n, struct pollfd *own)
{
	for (unsigned int i = 0; i < n; i++) {
		bool process = fds[i].kind == TERN_POLL_PROCESS;

		own[i] = (struct pollfd){ .fd = process ? fds[i].fd : -1, .events = fds[i].events };
	}
}

/* Fills in revents; how many entries have some, or a negative errno. */
static int look(struct tern_host *host, struct tern_pollfd *fds, unsigned int n, struct pollfd *own,
		bool any_own)
{
	const uint32_t always = TERN_SOCK_ERR | TERN_SOCK_HUP | TERN_SOCK_NVAL;
	int ready = 0;

	if (any_own && poll(own, n, 0) < 0 && errno != EINTR)
		return -errno;
	for (unsigned int i = 0; i < n; i++) {
		uint32_t bits = 0;

		if (fds[i].kind == TERN_POLL_PROCESS)
			bits = (uint16_t)own[i].revents;
		else if (fds[i].fd >= 0)
			bits = tern_sock_poll(host->socks, host->now, fds[i].fd) &
			       ((uint16_t)fds[i].events | always);
		fds[i].revents = (short)bits;
		ready += bits != 0;
	}
	return ready;
}

/* What the loop is to watch a descriptor for: all that its entries ask, however many they are. */
static unsigned int wanted(const struct pollfd *own, unsigned int n, int fd)
{
	unsigned int events = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (own[i].fd != fd)
			continue;
		events |= own[i].events & (POLLIN | POLLRDNORM) ? TERN_LOOP_IN : 0u;
		events |= own[i].events & (POLLOUT | POLLWRNORM) ? TERN_LOOP_OUT : 0u;
	}
	return events;
}

static void forget(struct tern_host *host, const struct pollfd *own, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (own[i].fd >= 0)
			tern_loop_forget(host->loop, own[i].fd);
}

static int watch(struct tern_host *host, const struct pollfd *own, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int err;

		if (own[i].fd < 0)
			continue;
		err = tern_host_watch(host, own[i].fd, wanted(own, n, own[i].fd), NULL);
		if (err) {
			forget(host, own, i);
			return err;
		}
	}
	return 0;
}

static int wait_ready(struct tern_host *host, struct tern_pollfd *fds, unsigned int n,
		      struct pollfd *own, bool any_own, uint64_t until)
{
	int ready = 0, err = any_own ? watch(host, own, n) : 0;

	if (err)
		return err;
	while (ready == 0 && host->now < until) {
		err = tern_host_turn(host, until == TERN_NEVER ? TERN_NEVER : until - host->now);
		ready = err ? err : look(host, fds, n, own, any_own);
	}
	if (any_own)
		forget(host, own, n);
	return ready;
}

TERN_API int tern_poll(struct tern_host *host, struct tern_pollfd *fds, unsigned int n,
		       uint64_t timeout_ns)
{
	uint64_t until = tern_host_until(tern_host_enter(host), timeout_ns);
	struct pollfd few[POLL_ON_STACK], *own = few;
	bool any_own = false;
	int ready;

	if (n > POLL_MAX)
		return -EINVAL;
	if (n > POLL_ON_STACK) {
		own = calloc(n, sizeof(*own));
		if (!own)
			return -ENOMEM;
	}
	split(fds, n, own);
	for (unsigned int i = 0; i < n; i++)
		any_own = any_own || own[i].fd >= 0;
	ready = tern_host_turn(host, 0);
	if (ready == 0)
		ready = look(host, fds, n, own, any_own);
	if (ready == 0 && timeout_ns)
		ready = wait_ready(host, fds, n, own, any_own, until);
	if (own != few)
		free(own);
	return ready;
}
