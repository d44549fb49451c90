/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/call.c: the calls that make, join and end sockets, and how any call waits.
 *
 * A call asks the sock room, which answers at once. Where the answer is "would block" and the
 * socket blocks, the loop turns until the socket is ready for that kind of call, and the call asks
 * again. connect() does so, too: asked again, sock tells how the attempt ended.
 */
#include <errno.h>
#include <string.h>

#include "host/host.h"
#include "host/wait.h"

static bool has_nonblock(const struct tern_host *host, int fd)
{
	return fd >= 0 && (uint32_t)fd < host->sockets_max &&
	       (host->nonblock[fd / 64] >> (fd % 64) & 1);
}

static void put_nonblock(struct tern_host *host, int fd, bool nonblock)
{
	uint64_t bit = UINT64_C(1) << (fd % 64);

	if (nonblock)
		host->nonblock[fd / 64] |= bit;
	else
		host->nonblock[fd / 64] &= ~bit;
}

bool tern_host_is_nonblock(const struct tern_host *host, int fd, int flags)
{
	return (flags & MSG_DONTWAIT) || has_nonblock(host, fd);
}

uint64_t tern_host_deadline(const struct tern_host *host, int fd, enum tern_sock_op op)
{
	struct tern_sock_wait wait;

	if (tern_sock_wait(host->socks, fd, op, &wait) < 0)
		return 0;
	return tern_host_until(host->now, wait.timeout_ns);
}

int tern_host_wait(struct tern_host *host, int fd, enum tern_sock_op op, uint64_t deadline)
{
	struct tern_sock_wait wait;
	int err = tern_sock_wait(host->socks, fd, op, &wait);

	while (!err && !(tern_sock_poll(host->socks, host->now, fd) & wait.bits)) {
		if (host->now >= deadline)
			return -EAGAIN;
		err = tern_host_turn(host,
				     deadline == TERN_NEVER ? TERN_NEVER : deadline - host->now);
	}
	return err;
}

TERN_API int tern_socket(struct tern_host *host, int domain, int type, int protocol)
{
	bool nonblock = type & SOCK_NONBLOCK;
	int fd = tern_sock_open(host->socks, tern_host_enter(host), domain,
				type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol);

	if (fd >= 0)
		put_nonblock(host, fd, nonblock);
	return fd;
}

TERN_API int tern_bind(struct tern_host *host, int fd, const struct sockaddr *addr, socklen_t len)
{
	return tern_sock_bind(host->socks, tern_host_enter(host), fd, addr, len);
}

TERN_API int tern_listen(struct tern_host *host, int fd, int backlog)
{
	return tern_sock_listen(host->socks, tern_host_enter(host), fd, backlog);
}

TERN_API int tern_accept(struct tern_host *host, int fd, struct sockaddr *addr, socklen_t *len,
			 int flags)
{
	uint64_t deadline;
	int child, err = 0;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	child = tern_sock_accept(host->socks, tern_host_enter(host), fd, addr, len);
	if (child == -EAGAIN) {
		/* What has just arrived counts, also for a socket that does not block. */
		tern_host_flush(host);
		child = tern_sock_accept(host->socks, host->now, fd, addr, len);
	}
	deadline = tern_host_deadline(host, fd, TERN_SOCK_OP_ACCEPT);
	while (child == -EAGAIN && !err && !has_nonblock(host, fd)) {
		err = tern_host_wait(host, fd, TERN_SOCK_OP_ACCEPT, deadline);
		if (!err)
			child = tern_sock_accept(host->socks, host->now, fd, addr, len);
	}
	if (child >= 0)
		put_nonblock(host, child, flags & SOCK_NONBLOCK);
	return err ? err : child;
}

TERN_API int tern_connect(struct tern_host *host, int fd, const struct sockaddr *addr,
			  socklen_t len)
{
	int err = tern_sock_connect(host->socks, tern_host_enter(host), fd, addr, len);
	uint64_t deadline = tern_host_deadline(host, fd, TERN_SOCK_OP_CONNECT);
	int waited;

	tern_host_flush(host);
	while ((err == -EINPROGRESS || err == -EALREADY) && !has_nonblock(host, fd)) {
		waited = tern_host_wait(host, fd, TERN_SOCK_OP_CONNECT, deadline);
		if (waited)
			return waited == -EAGAIN ? -EINPROGRESS : waited;
		err = tern_sock_connect(host->socks, host->now, fd, addr, len);
	}
	return err;
}

TERN_API int tern_shutdown(struct tern_host *host, int fd, int how)
{
	int err = tern_sock_shutdown(host->socks, tern_host_enter(host), fd, how);

	tern_host_flush(host);
	return err;
}

TERN_API int tern_close(struct tern_host *host, int fd)
{
	uint64_t until = 0;
	int err = tern_sock_close(host->socks, tern_host_enter(host), fd, &until);

	if (err != -EINPROGRESS) {
		tern_host_flush(host);
		return err;
	}
	do {
		err = host->now < until ? tern_host_turn(host, until - host->now) : -ETIMEDOUT;
		if (err)
			(void)tern_sock_linger(host->socks, host->now, fd, true);
		else
			err = tern_sock_linger(host->socks, host->now, fd, false);
	} while (err == -EAGAIN);
	tern_host_flush(host);
	/* As on Linux: the descriptor is gone also after a signal, and a time over is no error. */
	return err == -EINTR ? err : 0;
}

TERN_API int tern_setsockopt(struct tern_host *host, int fd, int level, int name, const void *value,
			     socklen_t len)
{
	int err = tern_sock_setsockopt(host->socks, tern_host_enter(host), fd, level, name, value,
				       len);

	tern_host_flush(host); /* TCP_NODELAY and TCP_CORK may let data go */
	return err;
}

TERN_API int tern_getsockopt(struct tern_host *host, int fd, int level, int name, void *value,
			     socklen_t *len)
{
	return tern_sock_getsockopt(host->socks, tern_host_enter(host), fd, level, name, value,
				    len);
}

TERN_API int tern_getsockname(struct tern_host *host, int fd, struct sockaddr *addr, socklen_t *len)
{
	return tern_sock_getsockname(host->socks, fd, addr, len);
}

TERN_API int tern_getpeername(struct tern_host *host, int fd, struct sockaddr *addr, socklen_t *len)
{
	return tern_sock_getpeername(host->socks, fd, addr, len);
}

TERN_API int tern_set_nonblock(struct tern_host *host, int fd, bool nonblock)
{
	if (!tern_sock_id(host->socks, fd))
		return -EBADF;
	put_nonblock(host, fd, nonblock);
	return 0;
}

TERN_API int tern_inq(struct tern_host *host, int fd, int *ret_bytes)
{
	return tern_sock_inq(host->socks, tern_host_enter(host), fd, ret_bytes);
}

TERN_API int tern_outq(struct tern_host *host, int fd, int *ret_bytes)
{
	return tern_sock_outq(host->socks, tern_host_enter(host), fd, ret_bytes);
}

TERN_API int tern_outqnsd(struct tern_host *host, int fd, int *ret_bytes)
{
	return tern_sock_outqnsd(host->socks, tern_host_enter(host), fd, ret_bytes);
}

TERN_API int tern_atmark(struct tern_host *host, int fd, int *ret_at)
{
	return tern_sock_atmark(host->socks, tern_host_enter(host), fd, ret_at);
}
