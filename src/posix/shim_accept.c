/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_accept.c: accept() and accept4().
 *
 * Established connections lie in the listening pair as messages (struct tern_posix_accepted) with
 * the descriptor by SCM_RIGHTS: recvmsg() on the descriptor itself is accept(): it blocks, is
 * interrupted and times out as accept() is, processes that share the socket share the queue, and
 * shutdown() ends it (no bytes: EINVAL).
 *
 * A message received when there is no free descriptor is lost with its connection. So a descriptor
 * is taken and given back first: EMFILE or ENFILE then leaves the message where it is, as Linux
 * leaves the connection in its queue. A socket that blocks waits before that by looking (MSG_PEEK);
 * who finds the message gone, taken by another thread, waits again.
 *
 * A listener whose broker has died says ENETDOWN once, and is then one to which nobody comes.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "posix/shim.h"

/* Is there a connection? Waits for one. 0, negative errno; -ESHUTDOWN: there will be none. */
static int await(int fd)
{
	struct tern_posix_accepted got;
	struct iovec iov = { &got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int saved = errno, error;
	ssize_t n = tern_shim_next.recvmsg(fd, &msg, MSG_PEEK);

	if (n > 0)
		return 0;
	error = n == 0 ? ESHUTDOWN : errno;
	errno = saved;
	return -error;
}

/* Is there a number for one more descriptor? 0, -EMFILE. */
static int reserve(int fd)
{
	long spare = TERN_SHIM_SYS3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);

	if (spare < 0)
		return spare == -EINVAL ? -EMFILE : (int)spare;
	TERN_SHIM_SYS1(SYS_close, spare);
	return 0;
}

/* Takes a connection without waiting: its descriptor; -EAGAIN: there is none. */
static int take(int fd, bool cloexec, struct tern_posix_accepted *ret_got)
{
	struct iovec iov = { ret_got, sizeof(*ret_got) };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	long n = TERN_SHIM_SYS3(SYS_recvmsg, fd, &msg,
				MSG_DONTWAIT | (cloexec ? MSG_CMSG_CLOEXEC : 0));
	int got;

	if (n <= 0)
		return n == 0 ? -ESHUTDOWN : (int)n;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(got)))
		return -ECONNABORTED;
	memcpy(&got, CMSG_DATA(c), sizeof(got));
	return got;
}

static int accept_one(int fd, const struct tern_shim_sock *sock, int flags,
		      struct tern_posix_accepted *ret_got)
{
	long mode = TERN_SHIM_SYS2(SYS_fcntl, fd, F_GETFL);
	bool blocks = mode >= 0 && !(mode & O_NONBLOCK);
	int got;

	if (sock->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (sock->accepted || !tern_shim_marked(fd, TERN_SHIM_MARK_LISTENING))
		return -EINVAL;
	do {
		/* who has none to begin with does not wait */
		got = blocks ? reserve(fd) : 0;
		if (got >= 0 && blocks)
			got = await(fd);
		if (got < 0)
			return got;
		got = reserve(fd);
		if (got < 0)
			return got;
		got = take(fd, flags & SOCK_CLOEXEC, ret_got);
	} while (blocks && got == -EAGAIN);
	return got;
}

/* No connection will come any more: the program's doing, or the broker's death? */
static int ended(int fd, const struct tern_shim_sock *sock)
{
	struct tern_shim_call call = { .op = TERN_POSIX_LAST_ERROR };

	if (tern_shim_ask(fd, sock, &call) != -ENETDOWN)
		return -EINVAL;
	tern_shim_to_idle(fd, SOCK_STREAM);
	return -ENETDOWN;
}

static int accept_any(int fd, struct sockaddr *addr, socklen_t *len, int flags,
		      const struct tern_shim_sock *sock)
{
	struct tern_posix_accepted got;
	bool nonblock = flags & SOCK_NONBLOCK;
	int conn, done;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	conn = accept_one(fd, sock, flags, &got);
	if (conn == -ESHUTDOWN || conn == -ECONNRESET)
		return ended(fd, sock);
	if (conn < 0)
		return conn;
	if (!got.kernel)
		tern_shim_say_alive(conn);
	if (nonblock != (got.nonblock != 0)) {
		long mode = TERN_SHIM_SYS2(SYS_fcntl, conn, F_GETFL);

		TERN_SHIM_SYS3(SYS_fcntl, conn, F_SETFL,
			       nonblock ? mode | O_NONBLOCK : mode & ~O_NONBLOCK);
	}
	if (!addr)
		return conn;
	done = tern_shim_give_addr(&got.remote, addr, len);
	if (done < 0) {
		TERN_SHIM_SYS1(SYS_close, conn);
		return done;
	}
	return conn;
}

int tern_shim_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct tern_shim_sock sock;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.accept4(fd, addr, len, flags);
	return tern_shim_result(accept_any(fd, addr, len, flags, &sock));
}

int tern_shim_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct tern_shim_sock sock;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.accept(fd, addr, len);
	return tern_shim_result(accept_any(fd, addr, len, 0, &sock));
}
