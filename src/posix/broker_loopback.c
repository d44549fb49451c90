/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_loopback.c: the kernel's loopback beside listeners of the stack.
 *
 * 127.0.0.1 and ::1 are the kernel's: a program that talks to them has a kernel socket for it. So
 * that it finds there what another program of the same machine (or it itself) serves on a wildcard
 * address, the broker listens there too, on the same port, and hands what it accepts over in the
 * queue of the listener, marked as a kernel socket.
 *
 *	bound to		listens on
 *	0.0.0.0			127.0.0.1
 *	::, IPV6_V6ONLY		::1
 *	::			::1, and ::ffff:127.0.0.1 with connections of mapped addresses
 *
 * Options that the program has set on its listener are set on these too, so that connections
 * inherit them. A port that is taken there, or may not be had, is told to the log and no more.
 *
 * Watched by edges: who has been told of connections goes on as long as there is room in the
 * listener's queue, and again when the queue says so (tern_loopback_room).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "posix/internal.h"

enum {
	KERNEL_MAX = 2,
};

/* One listener of the kernel. */
struct kernel_listener {
	struct tern_host_service service; /* first: the loop knows us by it */
	struct tern_loopback *loopback;
	int fd;     /* -1: none */
	bool ready; /* told of connections, which are not all accepted */
};

struct tern_loopback {
	struct tern_pair *pair;
	struct kernel_listener at[KERNEL_MAX];
};

static const uint8_t mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 };

/* Accepts while the listener's queue has room. */
static void accept_all(struct kernel_listener *k)
{
	struct tern_pair *p = k->loopback->pair;
	struct tern_broker *b = p->broker;

	while (k->ready && tern_accept_room(p) > 0) {
		union tern_posix_addr remote = { 0 };
		socklen_t len = sizeof(remote);
		int fd = accept4(k->fd, &remote.any, &len, SOCK_CLOEXEC);

		if (fd >= 0) {
			if (tern_accept_hand(p, fd, true, false, &remote) < 0)
				tern_broker_log(b, "a connection over the loopback is lost");
			(void)close(fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM) {
			b->retry_at = TERN_MIN(b->retry_at, tern_host_until(tern_broker_now(b),
									    TERN_BROKER_RETRY_NS));
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			k->ready = false;
		}
	}
}

static void ready(struct tern_host_service *service, int fd, unsigned int events)
{
	struct kernel_listener *k = (struct kernel_listener *)service;

	(void)fd;
	(void)events;
	k->ready = true;
	accept_all(k);
}

/* What the program has set goes for its connections over the loopback, too. */
static void replay(const struct tern_pair *p, int fd)
{
	for (unsigned int i = 0; i < p->settings_len; i++) {
		const struct tern_posix_setting *s = &p->settings[i];

		if (s->level != IPPROTO_IPV6 || s->name != IPV6_V6ONLY)
			(void)setsockopt(fd, s->level, s->name, s->value, s->len);
	}
}

/* A kernel socket that listens on addr, or a negative errno. */
static int listen_at(const struct tern_pair *p, const union tern_posix_addr *addr, bool v6only,
		     int backlog)
{
	socklen_t len = addr->any.sa_family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
	int fd = socket(addr->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, only = v6only, err;

	if (fd < 0)
		return -errno;
	replay(p, fd);
	/* What the kernel still holds in TIME-WAIT is no concern of the program's. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, &addr->any, len) == 0 && listen(fd, backlog) == 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}

static void open_one(struct tern_loopback *l, const union tern_posix_addr *addr, bool v6only,
		     int backlog)
{
	struct tern_pair *p = l->pair;
	struct kernel_listener *k = &l->at[l->at[0].fd >= 0 ? 1 : 0];
	bool v4 = addr->any.sa_family == AF_INET;
	int err;

	k->fd = listen_at(p, addr, v6only, backlog);
	err = k->fd;
	if (k->fd >= 0) {
		k->service.ready = ready;
		k->loopback = l;
		err = tern_host_watch(p->broker->host, k->fd, TERN_LOOP_IN | TERN_LOOP_EDGE,
				      &k->service);
	}
	if (err >= 0)
		return;
	if (k->fd >= 0)
		(void)close(k->fd);
	k->fd = -1;
	if (err == -EADDRNOTAVAIL)
		return; /* the kernel's loopback is down, or without IPv6: nobody misses us there */
	tern_broker_log(p->broker, "cannot listen on port %u of the kernel's %s too: %s",
			tern_swap_u16(v4 ? addr->in.sin_port : addr->in6.sin6_port),
			v4 || !v6only ? "127.0.0.1" : "::1", strerror(-err));
}

/* Where a listener is bound to: is it a wildcard, does it speak IPv4, IPv6? */
static bool is_wildcard(struct tern_pair *p, in_port_t *ret_port)
{
	union tern_posix_addr local = { 0 };
	uint32_t len = sizeof(local);
	static const struct in6_addr any6 = { 0 };

	if (tern_sock_getsockname(tern_broker_socks(p->broker), p->sock, &local, &len) < 0)
		return false;
	if (p->domain == AF_INET) {
		*ret_port = local.in.sin_port;
		return local.in.sin_addr.s_addr == INADDR_ANY;
	}
	*ret_port = local.in6.sin6_port;
	return memcmp(&local.in6.sin6_addr, &any6, sizeof(any6)) == 0;
}

static bool is_v6only(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	int only = 0;
	uint32_t len = sizeof(only);

	return tern_sock_getsockopt(tern_broker_socks(b), tern_broker_now(b), p->sock, IPPROTO_IPV6,
				    IPV6_V6ONLY, &only, &len) == 0 &&
	       only;
}

static struct tern_loopback *new_loopback(struct tern_pair *p, in_port_t port, int backlog)
{
	union tern_posix_addr four = { .in = { .sin_family = AF_INET, .sin_port = port } };
	union tern_posix_addr six = { .in6 = { .sin6_family = AF_INET6, .sin6_port = port } };
	struct tern_loopback *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->pair = p;
	l->at[0].fd = l->at[1].fd = -1;
	if (p->domain == AF_INET) {
		four.in.sin_addr.s_addr = tern_swap_u32(INADDR_LOOPBACK);
		open_one(l, &four, false, backlog);
		return l;
	}
	six.in6.sin6_addr = in6addr_loopback;
	open_one(l, &six, true, backlog);
	if (!is_v6only(p)) {
		memcpy(&six.in6.sin6_addr, mapped, sizeof(mapped));
		open_one(l, &six, false, backlog);
	}
	return l;
}

void tern_loopback_listen(struct tern_pair *p, int backlog)
{
	struct tern_loopback **place = tern_accept_loopback(p);
	in_port_t port;

	if (!*place) {
		if (is_wildcard(p, &port))
			*place = new_loopback(p, port, backlog);
		return;
	}
	for (unsigned int i = 0; i < KERNEL_MAX; i++)
		if ((*place)->at[i].fd >= 0)
			(void)listen((*place)->at[i].fd, backlog);
}

void tern_loopback_room(struct tern_pair *p)
{
	struct tern_loopback *l = *tern_accept_loopback(p);

	for (unsigned int i = 0; l && i < KERNEL_MAX; i++)
		if (l->at[i].fd >= 0)
			accept_all(&l->at[i]);
}

void tern_loopback_close(struct tern_pair *p)
{
	struct tern_loopback **place = tern_accept_loopback(p);

	for (unsigned int i = 0; *place && i < KERNEL_MAX; i++) {
		struct kernel_listener *k = &(*place)->at[i];

		if (k->fd < 0)
			continue;
		tern_loop_forget(p->broker->host->loop, k->fd);
		(void)close(k->fd);
	}
	free(*place);
	*place = NULL;
}
