/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_loopback.c: the kernel's loopback beside sockets of the stack.
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
 * A datagram socket that is bound to a wildcard has such companions as well, and one that sends to
 * the loopback gets them: what it sends there leaves through them, what they hear is handed to the
 * program (tern_near_...). So it goes on to hear the outside.
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

/* A kernel socket bound to addr, with what the program has set; or a negative errno. */
static int bind_at(const struct tern_pair *p, const union tern_posix_addr *addr, bool v6only)
{
	socklen_t len = addr->any.sa_family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
	int fd = socket(addr->any.sa_family, p->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, only = v6only, err;

	if (fd < 0)
		return -errno;
	replay(p, fd);
	/* What the kernel still holds in TIME-WAIT is no concern of the program's. */
	if (p->type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, &addr->any, len) == 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}

/* A kernel socket that listens on addr, or a negative errno. */
static int listen_at(const struct tern_pair *p, const union tern_posix_addr *addr, bool v6only,
		     int backlog)
{
	int fd = bind_at(p, addr, v6only), err;

	if (fd < 0 || listen(fd, backlog) == 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}

/* One line about an address that could not be had there. */
static void tell(struct tern_pair *p, const union tern_posix_addr *addr, bool v6only, int err)
{
	bool v4 = addr->any.sa_family == AF_INET;

	if (err == -EADDRNOTAVAIL)
		return; /* the kernel's loopback is down, or without IPv6: nobody misses us there */
	tern_broker_log(p->broker, "cannot be on port %u of the kernel's %s too: %s",
			tern_swap_u16(v4 ? addr->in.sin_port : addr->in6.sin6_port),
			v4 || !v6only ? "127.0.0.1" : "::1", strerror(-err));
}

static void open_one(struct tern_loopback *l, const union tern_posix_addr *addr, bool v6only,
		     int backlog)
{
	struct tern_pair *p = l->pair;
	struct kernel_listener *k = &l->at[l->at[0].fd >= 0 ? 1 : 0];
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
	tell(p, addr, v6only, err);
}

/* Is it bound to a wildcard address, and to which port (0: none)? */
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

/* The loopback's addresses for a socket: how many, at most KERNEL_MAX; of IPv6 ::1 is the first. */
static unsigned int addresses(struct tern_pair *p, in_port_t port,
			      union tern_posix_addr at[KERNEL_MAX])
{
	memset(at, 0, KERNEL_MAX * sizeof(*at));
	if (p->domain == AF_INET) {
		at[0].in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
		at[0].in.sin_addr.s_addr = tern_swap_u32(INADDR_LOOPBACK);
		return 1;
	}
	at[0].in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
	at[1] = at[0];
	at[0].in6.sin6_addr = in6addr_loopback;
	memcpy(&at[1].in6.sin6_addr, mapped, sizeof(mapped));
	return is_v6only(p) ? 1 : 2;
}

static struct tern_loopback *new_loopback(struct tern_pair *p, in_port_t port, int backlog)
{
	struct tern_loopback *l = calloc(1, sizeof(*l));
	union tern_posix_addr at[KERNEL_MAX];
	unsigned int n = addresses(p, port, at);

	if (!l)
		return NULL;
	l->pair = p;
	l->at[0].fd = l->at[1].fd = -1;
	for (unsigned int i = 0; i < n; i++)
		open_one(l, &at[i], p->domain == AF_INET6 && i == 0, backlog);
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

/* ---- datagrams */

/* A companion: a datagram socket of the kernel's. */
struct near_end {
	struct tern_host_service service; /* first: the loop knows us by it */
	struct tern_pair *pair;
	int fd;     /* -1: none */
	bool ready; /* told of datagrams, which are not all passed on */
};

struct tern_near {
	struct near_end at[KERNEL_MAX];
	struct near_end *looked; /* whose first datagram tern_near_look() has shown */
};

static void hear(struct tern_host_service *service, int fd, unsigned int events)
{
	struct near_end *e = (struct near_end *)service;

	(void)fd;
	(void)events;
	e->ready = true;
	tern_pair_queue(e->pair);
}

/* Binds a companion; any port will do if that one is not to be had and `must` is set. */
static void open_near(struct tern_pair *p, unsigned int i, union tern_posix_addr *addr, bool v6only,
		      bool must)
{
	struct near_end *e = &p->near->at[i];
	int err;

	e->fd = bind_at(p, addr, v6only);
	if (e->fd < 0 && must) {
		addr->in.sin_port = 0; /* sin6_port lies there, too */
		e->fd = bind_at(p, addr, v6only);
	}
	err = e->fd;
	if (e->fd >= 0) {
		e->service.ready = hear;
		e->pair = p;
		err = tern_host_watch(p->broker->host, e->fd, TERN_LOOP_IN | TERN_LOOP_EDGE,
				      &e->service);
	}
	if (err >= 0)
		return;
	if (e->fd >= 0)
		(void)close(e->fd);
	e->fd = -1;
	tell(p, addr, v6only, err);
}

static int make_near(struct tern_pair *p, bool must)
{
	union tern_posix_addr at[KERNEL_MAX];
	in_port_t port = 0;
	unsigned int n;

	if (!is_wildcard(p, &port))
		return -EINVAL;
	p->near = calloc(1, sizeof(*p->near));
	if (!p->near)
		return -ENOMEM;
	p->near->at[0].fd = p->near->at[1].fd = -1;
	n = addresses(p, port, at);
	for (unsigned int i = 0; i < n; i++)
		open_near(p, i, &at[i], p->domain == AF_INET6 && i == 0, must);
	return 0;
}

void tern_near_open(struct tern_pair *p)
{
	if (!p->near)
		(void)make_near(p, false);
}

void tern_near_close(struct tern_pair *p)
{
	for (unsigned int i = 0; p->near && i < KERNEL_MAX; i++) {
		struct near_end *e = &p->near->at[i];

		if (e->fd < 0)
			continue;
		tern_loop_forget(p->broker->host->loop, e->fd);
		(void)close(e->fd);
	}
	free(p->near);
	p->near = NULL;
}

bool tern_near_is(const union tern_posix_addr *addr)
{
	static const uint8_t none[16];
	const uint8_t *b;

	if (addr->any.sa_family == AF_INET) {
		b = (const uint8_t *)&addr->in.sin_addr;
		return b[0] == 127 || memcmp(b, none, 4) == 0;
	}
	b = addr->in6.sin6_addr.s6_addr;
	return memcmp(b, &in6addr_loopback, 16) == 0 || memcmp(b, none, 16) == 0 ||
	       memcmp(b, mapped, 13) == 0;
}

/* The address as sendto() wants it: the wildcard means this host. */
static socklen_t destination(const union tern_posix_addr *addr, union tern_posix_addr *ret)
{
	*ret = *addr;
	if (addr->any.sa_family == AF_INET) {
		if (ret->in.sin_addr.s_addr == INADDR_ANY)
			ret->in.sin_addr.s_addr = tern_swap_u32(INADDR_LOOPBACK);
		return sizeof(ret->in);
	}
	if (IN6_IS_ADDR_UNSPECIFIED(&ret->in6.sin6_addr))
		ret->in6.sin6_addr = in6addr_loopback;
	return sizeof(ret->in6);
}

int tern_near_send(struct tern_pair *p, const union tern_posix_addr *addr, const void *data,
		   size_t len)
{
	struct tern_broker *b = p->broker;
	union tern_posix_addr any = { .any.sa_family = p->domain }, to;
	socklen_t to_len = destination(addr, &to);
	bool v6 = to.any.sa_family == AF_INET6;
	in_port_t port = 0;
	int fd, err = 0;

	if (!p->near && is_wildcard(p, &port) && port == 0)
		err = tern_sock_bind(tern_broker_socks(b), tern_broker_now(b), p->sock, &any,
				     p->domain == AF_INET ? sizeof(any.in) : sizeof(any.in6));
	if (!err && !p->near)
		err = make_near(p, true);
	if (err)
		return err;
	fd = p->near->at[v6 && IN6_IS_ADDR_V4MAPPED(&to.in6.sin6_addr) ? 1 : 0].fd;
	if (fd < 0)
		return -ENETUNREACH;
	if (sendto(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, &to.any, to_len) >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno; /* lost, as datagrams may be */
}

ssize_t tern_near_look(struct tern_pair *p, union tern_posix_addr *ret_from)
{
	struct tern_broker *b = p->broker;

	for (unsigned int i = 0; p->near && i < KERNEL_MAX; i++) {
		struct near_end *e = &p->near->at[i];
		socklen_t len = sizeof(*ret_from);
		ssize_t n;

		if (!e->ready)
			continue;
		n = recvfrom(e->fd, b->scratch, sizeof(b->scratch), MSG_PEEK | MSG_DONTWAIT,
			     &ret_from->any, &len);
		if (n >= 0) {
			p->near->looked = e;
			return n;
		}
		e->ready = errno == EINTR;
	}
	return -EAGAIN;
}

void tern_near_drop(struct tern_pair *p)
{
	(void)recv(p->near->looked->fd, p->broker->scratch, 0, MSG_DONTWAIT);
}
