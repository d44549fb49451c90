/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The calls of a socket's life, its options and its flags. Each is an entry (pdrill.c) around one
 * of room sock; those that block ask again when something has happened, until SO_RCVTIMEO or
 * SO_SNDTIMEO. socket, listen and connect first read the settings that the script may have changed.
 * O_NONBLOCK is kept here, for sock never blocks. A descriptor that is not ours is libc's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/addr.h"
#include "pdrill/pdrill.h"
#include "sock/addr.h"

/* What F_SETFL may change. */
#define FL_MASK (O_NONBLOCK | O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME)

static int fault(void)
{
	errno = EFAULT;
	return -1;
}

int tern_pdrill_socket(void *ud, int domain, int type, int protocol)
{
	struct tern_pdrill *d = ud;
	uint64_t now = tern_pdrill_enter(d);
	int sock;

	tern_pdrill_knobs_read(d);
	tern_pdrill_device_read(d);
	sock = tern_sock_open(d->socks, now, domain, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC),
			      protocol);
	if (sock >= 0) {
		d->fl[sock] = type & SOCK_NONBLOCK ? O_NONBLOCK : 0;
		d->fdfl[sock] = type & SOCK_CLOEXEC ? FD_CLOEXEC : 0;
		sock += d->first;
	}
	return (int)tern_pdrill_leave(d, sock);
}

/*
 * An address that a script binds to and that lies beside one of ours is ours too: packetdrill can
 * choose its own by chance (--is_anyip).
 */
static void learn_neighbour(struct tern_pdrill *d, const void *addr, socklen_t len)
{
	const struct tern_prefix *own = d->host.addrs;
	struct tern_endpoint ep;

	if (tern_sockaddr_read(TERN_AF_INET, addr, len, &ep) < 0 &&
	    tern_sockaddr_read(TERN_AF_INET6, addr, len, &ep) < 0)
		return;
	for (unsigned int i = 0; i < d->host.addr_count; i++)
		if (ep.addr.family == own[i].addr.family &&
		    tern_addr_in_prefix(&ep.addr, &own[i].addr, own[i].length)) {
			tern_pdrill_learn(d, &ep.addr);
			return;
		}
}

int tern_pdrill_bind(void *ud, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tern_pdrill *d = ud;
	uint64_t now;
	int err;

	if (!tern_pdrill_is_socket(d, fd))
		return bind(fd, addr, len);
	if (!tern_pdrill_readable(addr, len))
		return fault();
	now = tern_pdrill_enter(d);
	err = tern_sock_bind(d->socks, now, fd - d->first, addr, len);
	if (err == -EADDRNOTAVAIL) {
		learn_neighbour(d, addr, len);
		err = tern_sock_bind(d->socks, now, fd - d->first, addr, len);
	}
	return (int)tern_pdrill_leave(d, err);
}

int tern_pdrill_listen(void *ud, int fd, int backlog)
{
	struct tern_pdrill *d = ud;
	uint64_t now;

	if (!tern_pdrill_is_socket(d, fd))
		return listen(fd, backlog);
	now = tern_pdrill_enter(d);
	tern_pdrill_knobs_read(d);
	return (int)tern_pdrill_leave(d, tern_sock_listen(d->socks, now, fd - d->first, backlog));
}

/* accept() asks for the address only with room for its length. 0 or a negative errno. */
static int check_room(struct sockaddr *addr, socklen_t *len)
{
	if (!addr)
		return 0;
	if (!tern_pdrill_writable(len, sizeof(*len)))
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	return tern_pdrill_writable(addr, *len) ? 0 : -EFAULT;
}

int tern_pdrill_accept(void *ud, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct tern_pdrill *d = ud;
	int sock = fd - d->first, child, err;
	uint64_t until;

	if (!tern_pdrill_is_socket(d, fd))
		return accept(fd, addr, len);
	err = check_room(addr, len);
	(void)tern_pdrill_enter(d);
	child = err;
	until = tern_pdrill_until(d, sock, TERN_SOCK_OP_ACCEPT);
	while (!err) {
		child = tern_sock_accept(d->socks, d->now, sock, addr, addr ? len : NULL);
		if (child != -EAGAIN || (d->fl[sock] & O_NONBLOCK))
			break;
		err = tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_ACCEPT, until);
		child = err;
	}
	if (child >= 0) {
		d->fl[child] = d->fdfl[child] = 0;
		child += d->first;
	}
	return (int)tern_pdrill_leave(d, child);
}

int tern_pdrill_connect(void *ud, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tern_pdrill *d = ud;
	int sock = fd - d->first, err;
	uint64_t until;

	if (!tern_pdrill_is_socket(d, fd))
		return connect(fd, addr, len);
	if (!tern_pdrill_readable(addr, len))
		return fault();
	(void)tern_pdrill_enter(d);
	tern_pdrill_knobs_read(d);
	err = tern_sock_connect(d->socks, d->now, sock, addr, len);
	until = tern_pdrill_until(d, sock, TERN_SOCK_OP_CONNECT);
	while ((err == -EINPROGRESS || err == -EALREADY) && !(d->fl[sock] & O_NONBLOCK)) {
		int waited = tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_CONNECT, until);

		if (waited) {
			err = waited == -EAGAIN ? -EINPROGRESS : waited;
			break;
		}
		err = tern_sock_connect(d->socks, d->now, sock, addr, len);
	}
	return (int)tern_pdrill_leave(d, err);
}

int tern_pdrill_shutdown(void *ud, int fd, int how)
{
	struct tern_pdrill *d = ud;
	uint64_t now;

	if (!tern_pdrill_is_socket(d, fd))
		return shutdown(fd, how);
	now = tern_pdrill_enter(d);
	return (int)tern_pdrill_leave(d, tern_sock_shutdown(d->socks, now, fd - d->first, how));
}

static int close_epoll(struct tern_pdrill *d, int fd)
{
	struct tern_pdrill_epoll *set;

	(void)tern_pdrill_enter(d);
	set = tern_pdrill_epoll_at(d, fd);
	if (set)
		tern_pdrill_epoll_free(set);
	return (int)tern_pdrill_leave(d, set ? 0 : -EBADF);
}

int tern_pdrill_close(void *ud, int fd)
{
	struct tern_pdrill *d = ud;
	int sock = fd - d->first, err;
	uint64_t until = 0;

	if (fd < d->first || fd >= d->first + TERN_PDRILL_FDS)
		return close(fd);
	if (!tern_pdrill_is_socket(d, fd))
		return close_epoll(d, fd);
	(void)tern_pdrill_enter(d);
	err = tern_sock_close(d->socks, d->now, sock, &until);
	if (err != -EBADF)
		tern_pdrill_epoll_forget(d, fd);
	if (err == -EINPROGRESS && (d->fl[sock] & O_NONBLOCK))
		err = tern_sock_linger(d->socks, d->now, sock, true);
	if (err == -EINPROGRESS)
		err = -EAGAIN;
	while (err == -EAGAIN) {
		int waited = tern_pdrill_wait(d, until);

		err = tern_sock_linger(d->socks, d->now, sock, waited < 0 || d->now >= until);
	}
	return (int)tern_pdrill_leave(d, err);
}

int tern_pdrill_getsockopt(void *ud, int fd, int level, int name, void *value, socklen_t *len)
{
	struct tern_pdrill *d = ud;
	uint64_t now;

	if (!tern_pdrill_is_socket(d, fd))
		return getsockopt(fd, level, name, value, len);
	if (!tern_pdrill_writable(len, sizeof(*len)) ||
	    ((int)*len > 0 && !tern_pdrill_writable(value, *len)))
		return fault();
	now = tern_pdrill_enter(d);
	return (int)tern_pdrill_leave(d, tern_sock_getsockopt(d->socks, now, fd - d->first, level,
							      name, value, len));
}

int tern_pdrill_setsockopt(void *ud, int fd, int level, int name, const void *value, socklen_t len)
{
	struct tern_pdrill *d = ud;
	uint64_t now;

	if (!tern_pdrill_is_socket(d, fd))
		return setsockopt(fd, level, name, value, len);
	if ((int)len < 0) {
		errno = EINVAL;
		return -1;
	}
	if (!tern_pdrill_readable(value, len))
		return fault();
	now = tern_pdrill_enter(d);
	return (int)tern_pdrill_leave(d, tern_sock_setsockopt(d->socks, now, fd - d->first, level,
							      name, value, len));
}

/* fcntl() of a descriptor of ours, under the lock. */
static int control(struct tern_pdrill *d, int fd, int cmd, long arg)
{
	int sock = fd - d->first;

	if (!tern_pdrill_is_socket(d, fd))
		return tern_pdrill_epoll_at(d, fd) ? -EINVAL : -EBADF;
	if (!tern_sock_id(d->socks, sock))
		return -EBADF;
	switch (cmd) {
	case F_GETFL:
		return O_RDWR | d->fl[sock];
	case F_SETFL:
		d->fl[sock] = (int)arg & FL_MASK;
		return 0;
	case F_GETFD:
		return d->fdfl[sock];
	case F_SETFD:
		d->fdfl[sock] = (int)arg & FD_CLOEXEC;
		return 0;
	default:
		return -EINVAL;
	}
}

int tern_pdrill_fcntl(void *ud, int fd, int cmd, ...)
{
	struct tern_pdrill *d = ud;
	va_list args;
	long arg;

	va_start(args, cmd);
	arg = va_arg(args, long);
	va_end(args);
	if (fd < d->first || fd >= d->first + TERN_PDRILL_FDS)
		return fcntl(fd, cmd, arg);
	(void)tern_pdrill_enter(d);
	return (int)tern_pdrill_leave(d, control(d, fd, cmd, arg));
}

/* ioctl() of a socket of ours, under the lock. value is good for reading and writing. */
static int request_of(struct tern_pdrill *d, int sock, unsigned long request, int *value)
{
	if (!tern_sock_id(d->socks, sock))
		return -EBADF;
	switch (request) {
	case FIONREAD: /* SIOCINQ */
		return tern_sock_inq(d->socks, d->now, sock, value);
	case SIOCOUTQ:
		return tern_sock_outq(d->socks, d->now, sock, value);
	case SIOCOUTQNSD:
		return tern_sock_outqnsd(d->socks, d->now, sock, value);
	case SIOCATMARK:
		return tern_sock_atmark(d->socks, d->now, sock, value);
	case FIONBIO:
		d->fl[sock] = (d->fl[sock] & ~O_NONBLOCK) | (*value ? O_NONBLOCK : 0);
		return 0;
	default:
		return -ENOTTY;
	}
}

int tern_pdrill_ioctl(void *ud, int fd, unsigned long request, ...)
{
	struct tern_pdrill *d = ud;
	va_list args;
	int *value;

	va_start(args, request);
	value = va_arg(args, int *);
	va_end(args);
	if (!tern_pdrill_is_socket(d, fd))
		return ioctl(fd, request, value);
	if (!tern_pdrill_writable(value, sizeof(*value)))
		return fault();
	(void)tern_pdrill_enter(d);
	return (int)tern_pdrill_leave(d, request_of(d, fd - d->first, request, value));
}
