/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * two_worlds.h: a case is played twice, on the kernel's sockets over 127.0.0.1 and on a tern host
 * over its own address, and writes down every answer it gets. The two journals must be the same:
 * what a socket call means is not what we believe of Linux, but what Linux does.
 */
#ifndef TERN_TESTS_UNIT_HOST_TWO_WORLDS_H
#define TERN_TESTS_UNIT_HOST_TWO_WORLDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "tern/socket.h"

#define FDS_MAX 64

struct world {
	bool tern;
	bool v4only; /* no IPv6 addresses */
	struct tern_host *host;
	int fds[FDS_MAX];
	unsigned int fd_count;
	size_t len;
	char journal[16384];
};

__attribute__((format(printf, 2, 3))) static inline void note(struct world *w, const char *format,
							      ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->journal + w->len, sizeof(w->journal) - w->len, format, args);
	va_end(args);
	assert_true(n >= 0 && (size_t)n < sizeof(w->journal) - w->len);
	w->len += (size_t)n;
}

/* A result as text: a number, or the name of the error. */
static inline void note_result(struct world *w, const char *what, long result)
{
	if (result < 0)
		note(w, "%s: %s\n", what, strerrorname_np((int)-result));
	else
		note(w, "%s: %ld\n", what, result);
}

static inline long errno_of(long result)
{
	return result < 0 ? -errno : result;
}

/* Time for what is under way to arrive. */
static inline void settle(struct world *w)
{
	if (w->tern)
		(void)tern_host_run(w->host, 5000000);
	else
		(void)usleep(5000);
}

static inline int w_keep(struct world *w, int fd)
{
	if (fd < 0)
		return fd;
	assert_true(w->fd_count < FDS_MAX);
	w->fds[w->fd_count++] = fd;
	return fd;
}

static inline int w_socket(struct world *w, int domain, int type)
{
	type |= SOCK_NONBLOCK;
	return w_keep(w, w->tern ? tern_socket(w->host, domain, type, 0)
				 : (int)errno_of(socket(domain, type, 0)));
}

static inline int w_close(struct world *w, int fd)
{
	for (unsigned int i = 0; i < w->fd_count; i++)
		if (w->fds[i] == fd)
			w->fds[i] = -1;
	return w->tern ? tern_close(w->host, fd) : (int)errno_of(close(fd));
}

/* The world's own address; v6 is its other one. */
static inline socklen_t here(const struct world *w, int domain, uint16_t port,
			     struct sockaddr_storage *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ret, 0, sizeof(*ret));
	in.sin_addr.s_addr = htonl(w->tern ? 0x0a4d0002 : 0x7f000001);
	in6.sin6_addr.s6_addr[15] = w->tern ? 2 : 1;
	if (w->tern)
		in6.sin6_addr.s6_addr[0] = 0xfd;
	if (domain == AF_INET)
		memcpy(ret, &in, sizeof(in));
	else
		memcpy(ret, &in6, sizeof(in6));
	return domain == AF_INET ? sizeof(in) : sizeof(in6);
}

static inline int w_bind_to(struct world *w, int fd, const void *addr, socklen_t len)
{
	return w->tern ? tern_bind(w->host, fd, addr, len) : (int)errno_of(bind(fd, addr, len));
}

static inline int w_bind(struct world *w, int fd, int domain, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t len = here(w, domain, port, &addr);

	return w_bind_to(w, fd, &addr, len);
}

static inline int w_listen(struct world *w, int fd, int backlog)
{
	return w->tern ? tern_listen(w->host, fd, backlog) : (int)errno_of(listen(fd, backlog));
}

static inline int w_accept(struct world *w, int fd)
{
	return w_keep(w, w->tern ? tern_accept(w->host, fd, NULL, NULL, SOCK_NONBLOCK)
				 : (int)errno_of(accept4(fd, NULL, NULL, SOCK_NONBLOCK)));
}

static inline int w_connect_to(struct world *w, int fd, const void *addr, socklen_t len)
{
	return w->tern ? tern_connect(w->host, fd, addr, len)
		       : (int)errno_of(connect(fd, addr, len));
}

static inline int w_connect(struct world *w, int fd, int domain, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t len = here(w, domain, port, &addr);

	return w_connect_to(w, fd, &addr, len);
}

static inline long w_send(struct world *w, int fd, const void *data, size_t len, int flags)
{
	flags |= MSG_NOSIGNAL;
	return w->tern ? tern_send(w->host, fd, data, len, flags)
		       : errno_of(send(fd, data, len, flags));
}

static inline long w_sendto(struct world *w, int fd, const void *data, size_t len, int domain,
			    uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t alen = here(w, domain, port, &addr);
	const struct sockaddr *sa = (const struct sockaddr *)&addr;

	return w->tern ? tern_sendto(w->host, fd, data, len, 0, sa, alen)
		       : errno_of(sendto(fd, data, len, 0, sa, alen));
}

static inline long w_recv(struct world *w, int fd, void *data, size_t len, int flags)
{
	return w->tern ? tern_recv(w->host, fd, data, len, flags)
		       : errno_of(recv(fd, data, len, flags));
}

static inline int w_shutdown(struct world *w, int fd, int how)
{
	return w->tern ? tern_shutdown(w->host, fd, how) : (int)errno_of(shutdown(fd, how));
}

static inline int w_set(struct world *w, int fd, int level, int name, const void *value,
			socklen_t len)
{
	return w->tern ? tern_setsockopt(w->host, fd, level, name, value, len)
		       : (int)errno_of(setsockopt(fd, level, name, value, len));
}

static inline int w_set_int(struct world *w, int fd, int level, int name, int value)
{
	return w_set(w, fd, level, name, &value, sizeof(value));
}

static inline int w_get(struct world *w, int fd, int level, int name, void *value, socklen_t *len)
{
	return w->tern ? tern_getsockopt(w->host, fd, level, name, value, len)
		       : (int)errno_of(getsockopt(fd, level, name, value, len));
}

/* The value of an option that is not negative, or the error. */
static inline long w_get_int(struct world *w, int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	int err = w_get(w, fd, level, name, &value, &len);

	return err ? err : value;
}

static inline int w_name(struct world *w, int fd, bool peer, struct sockaddr_storage *ret)
{
	socklen_t len = sizeof(*ret);
	struct sockaddr *sa = (struct sockaddr *)ret;

	memset(ret, 0, sizeof(*ret));
	if (w->tern)
		return peer ? tern_getpeername(w->host, fd, sa, &len)
			    : tern_getsockname(w->host, fd, sa, &len);
	return (int)errno_of(peer ? getpeername(fd, sa, &len) : getsockname(fd, sa, &len));
}

static inline uint16_t w_port(struct world *w, int fd)
{
	struct sockaddr_storage addr;
	struct sockaddr_in in;

	assert_int_equal(w_name(w, fd, false, &addr), 0);
	memcpy(&in, &addr, sizeof(in)); /* the port stands at the same place in both families */
	return ntohs(in.sin_port);
}

static inline long w_inq(struct world *w, int fd)
{
	int n = 0,
	    err = w->tern ? tern_inq(w->host, fd, &n) : (int)errno_of(ioctl(fd, FIONREAD, &n));

	return err ? err : n;
}

static inline long w_outq(struct world *w, int fd)
{
	int n = 0,
	    err = w->tern ? tern_outq(w->host, fd, &n) : (int)errno_of(ioctl(fd, SIOCOUTQ, &n));

	return err ? err : n;
}

/* Readiness as words. */
static inline void note_poll(struct world *w, const char *what, int fd)
{
	static const struct {
		short bit;
		const char *name;
	} names[] = {
		{ POLLIN, "IN" },   { POLLPRI, "PRI" }, { POLLOUT, "OUT" },
		{ POLLERR, "ERR" }, { POLLHUP, "HUP" }, { POLLRDHUP, "RDHUP" },
	};
	const short events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP;
	short revents;

	if (w->tern) {
		struct tern_pollfd pfd = { .fd = fd, .events = events };

		assert_true(tern_poll(w->host, &pfd, 1, 0) >= 0);
		revents = pfd.revents;
	} else {
		struct pollfd pfd = { .fd = fd, .events = events };

		assert_true(poll(&pfd, 1, 0) >= 0);
		revents = pfd.revents;
	}
	note(w, "%s poll:", what);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (revents & names[i].bit)
			note(w, " %s", names[i].name);
	note(w, "\n");
}

/* A listener on a free port, and a connection over it. */
struct pair {
	int listener, client, server;
	uint16_t port;
};

static inline void make_listener(struct world *w, int domain, struct pair *p)
{
	p->listener = w_socket(w, domain, SOCK_STREAM);
	assert_true(p->listener >= 0);
	assert_int_equal(w_bind(w, p->listener, domain, 0), 0);
	assert_int_equal(w_listen(w, p->listener, 8), 0);
	p->port = w_port(w, p->listener);
}

static inline void make_pair(struct world *w, struct pair *p)
{
	make_listener(w, AF_INET, p);
	p->client = w_socket(w, AF_INET, SOCK_STREAM);
	assert_int_equal(w_connect(w, p->client, AF_INET, p->port), -EINPROGRESS);
	settle(w);
	assert_int_equal(w_connect(w, p->client, AF_INET, p->port), 0);
	p->server = w_accept(w, p->listener);
	assert_true(p->server >= 0);
}

/* The kernel's knobs that show in answers, as settings for the host: "name=value" each. */
static inline unsigned int copy_knobs(char settings[][128], const char *list[], unsigned int max)
{
	static const char *const names[] = {
		"net/ipv4/tcp_rmem",
		"net/ipv4/tcp_wmem",
		"net/ipv4/tcp_syn_retries",
		"net/ipv4/tcp_keepalive_time",
		"net/ipv4/tcp_keepalive_intvl",
		"net/ipv4/tcp_keepalive_probes",
		"net/ipv4/ip_default_ttl",
		"net/core/rmem_max",
		"net/core/wmem_max",
		"net/core/rmem_default",
		"net/core/wmem_default",
	};
	unsigned int n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && n < max; i++) {
		char path[64], value[64];
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		f = fopen(path, "r");
		if (f && fgets(value, sizeof(value), f)) {
			value[strcspn(value, "\n")] = '\0';
			(void)snprintf(settings[n], 128, "%s=%s", names[i], value);
			for (char *c = settings[n]; *c != '='; c++)
				*c = *c == '/' ? '.' : *c;
			list[n] = settings[n];
			n++;
		}
		if (f)
			(void)fclose(f);
	}
	return n;
}

static inline void play(struct world *w, void (*scene)(struct world *w))
{
	static const char *const addrs[] = { "10.77.0.2/24", "fd00::2/64" };
	struct tern_host_config cfg = {
		.link = "none",
		.addrs = addrs,
		.addr_count = w->v4only ? 1 : 2,
	};
	static char settings[16][128];
	const char *list[16];
	char why[TERN_ERROR_MAX] = "";

	cfg.sysctl_count = copy_knobs(settings, list, 16);
	cfg.sysctls = list;
	if (w->tern && tern_host_new(&cfg, &w->host, why) < 0)
		fail_msg("%s", why);
	scene(w);
	for (unsigned int i = 0; i < w->fd_count; i++)
		if (w->fds[i] >= 0)
			(void)w_close(w, w->fds[i]);
	tern_host_free(w->host);
}

/* Plays the scene in both worlds and compares. */
static inline void compare(void (*scene)(struct world *w), bool v4only)
{
	static struct world kernel, tern;

	memset(&kernel, 0, sizeof(kernel));
	memset(&tern, 0, sizeof(tern));
	tern.tern = true;
	kernel.v4only = v4only;
	tern.v4only = v4only;
	play(&kernel, scene);
	play(&tern, scene);
	assert_true(kernel.len > 0);
	if (strcmp(kernel.journal, tern.journal) != 0)
		fail_msg("the kernel:\n%s\ntern:\n%s", kernel.journal, tern.journal);
}

/* The kernel here may be without IPv6; then a scene that needs it is skipped. */
static inline void need_v6(void)
{
	const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
					  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&in6, sizeof(in6)) == 0;

	if (fd >= 0)
		(void)close(fd);
	if (!has) {
		printf("SKIP: the kernel has no IPv6 loopback address to compare with\n");
		skip();
	}
}

/* Defines the cmocka case `name` around the scene that follows; `need` is called first. */
#define TWO_WORLDS_IF(name, need, v4only)          \
	static void name##_scene(struct world *w); \
	static void name(void **state)             \
	{                                          \
		(void)state;                       \
		need;                              \
		compare(name##_scene, v4only);     \
	}                                          \
	static void name##_scene(struct world *w)

#define TWO_WORLDS(name)    TWO_WORLDS_IF(name, (void)0, false)
#define TWO_WORLDS_V6(name) TWO_WORLDS_IF(name, need_v6(), false)

#endif
