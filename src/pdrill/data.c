/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Bytes in and out. A blocking send goes on until all is handed over, a blocking receive until it
 * has SO_RCVLOWAT bytes (with MSG_WAITALL all), the end of data, an error, or its time is over;
 * what was moved until then counts. Several pieces (readv, sendmsg, ...) are one call of room sock,
 * as they are one call of the system: they are gathered into one block, or scattered out of it.
 *
 * A blocking send that opens a connection (Fast Open) waits until it stands, and sends the rest.
 *
 * A pointer that leads nowhere is EFAULT only where the call would have touched it: what is wrong
 * with the socket comes first, a receive waits for data first and leaves it where it is, and a
 * MSG_FASTOPEN sends its SYN without data.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pdrill/pdrill.h"
#include "sock/abi.h"

enum { PIECES_MAX = 1024, LINUX_SYN_SENT = 2 };

/* Keeps the result of the parts: a count once there is one, else the error. */
static int64_t result(size_t done, int64_t n)
{
	return done || n >= 0 ? (int64_t)done : n;
}

/* Is this the client's end of a Fast Open that is under way? */
static bool is_opening(struct tern_pdrill *d, int sock)
{
	struct tern_tcp_info info = { 0 };
	uint32_t len = sizeof(info);

	return tern_sock_getsockopt(d->socks, d->now, sock, TERN_ABI_SOL_TCP, TERN_ABI_TCP_INFO,
				    &info, &len) == 0 &&
	       info.state == LINUX_SYN_SENT;
}

/* Waits for the end of a Fast Open: 0, its error, or -EINPROGRESS when time is over. */
static int finish_opening(struct tern_pdrill *d, int sock, uint64_t until)
{
	int error = 0, err = tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_CONNECT, until);
	uint32_t len = sizeof(error);

	if (err)
		return err == -EAGAIN ? -EINPROGRESS : err;
	if (tern_sock_getsockopt(d->socks, d->now, sock, TERN_ABI_SOL_SOCKET, TERN_ABI_SO_ERROR,
				 &error, &len) < 0)
		return 0;
	return -error;
}

static int64_t send_all(struct tern_pdrill *d, int sock, const void *data, size_t len, int flags,
			const void *addr, socklen_t addr_len)
{
	bool wait = !(flags & MSG_DONTWAIT) && !(d->fl[sock] & O_NONBLOCK);
	uint64_t until = tern_pdrill_until(d, sock, TERN_SOCK_OP_SEND);
	const uint8_t *bytes = data;
	size_t done = 0;
	int64_t n;

	for (;;) {
		n = tern_sock_sendto(d->socks, d->now, sock, done ? bytes + done : data, len - done,
				     flags, addr, addr_len);
		done += n > 0 ? (size_t)n : 0;
		if (wait && (n >= 0 || n == -EINPROGRESS) && is_opening(d, sock)) {
			int err = finish_opening(d, sock, until);

			if (err)
				return err == -EINPROGRESS ? result(done, err) : err;
			flags &= ~MSG_FASTOPEN;
			addr = NULL;
			addr_len = 0;
			n = done || !len ? 0 : -EAGAIN;
		}
		if (!wait || (n >= 0 && done >= len) || (n < 0 && n != -EAGAIN))
			break;
		n = tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_SEND, until);
		if (n)
			break;
	}
	return result(done, n);
}

/* Waits until a receive has more to take than it has. */
static int wait_more(struct tern_pdrill *d, int sock, bool first, uint64_t until)
{
	const uint32_t over = TERN_SOCK_RDHUP | TERN_SOCK_ERR | TERN_SOCK_HUP | TERN_SOCK_NVAL;
	int queued = 0, err = 0;

	if (first)
		return tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_RECV, until);
	while (!err) {
		if (tern_sock_inq(d->socks, d->now, sock, &queued) == 0 && queued > 0)
			return 0;
		if (tern_sock_poll(d->socks, d->now, sock) & over)
			return 0;
		if (d->now >= until)
			return -EAGAIN;
		err = tern_pdrill_wait(d, until);
	}
	return err;
}

static int64_t recv_some(struct tern_pdrill *d, int sock, void *data, size_t len, int flags,
			 void *addr, socklen_t *addr_len)
{
	bool wait = !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) && !(d->fl[sock] & O_NONBLOCK);
	bool stream = tern_sock_type(d->socks, sock) == TERN_SOCK_STREAM;
	bool whole = stream && wait && !(flags & (MSG_PEEK | MSG_TRUNC | MSG_OOB));
	uint64_t until = tern_pdrill_until(d, sock, TERN_SOCK_OP_RECV);
	size_t want = 1, done = 0;
	uint8_t *bytes = data;
	int64_t n;

	if (whole)
		want = flags & MSG_WAITALL ? len : tern_sock_rcvlowat(d->socks, sock, len);
	if (!wait)
		flags |= MSG_DONTWAIT;
	for (;;) {
		n = tern_sock_recvfrom(d->socks, d->now, sock, done ? bytes + done : data,
				       len - done, flags, addr, addr_len);
		done += n > 0 ? (size_t)n : 0;
		if (!wait || n == 0 || done >= want || (n < 0 && n != -EAGAIN))
			break;
		n = wait_more(d, sock, done == 0, until);
		if (n)
			break;
	}
	return result(done, n);
}

/* A send from a place that cannot be read. */
static int64_t send_nowhere(struct tern_pdrill *d, int sock, int flags, const void *addr,
			    socklen_t len)
{
	int64_t n = send_all(d, sock, "", 0, flags, addr, len);

	return n < 0 ? n : -EFAULT;
}

/* A receive to a place that cannot be written. */
static int64_t recv_nowhere(struct tern_pdrill *d, int sock, int flags)
{
	uint8_t byte;
	int64_t n = recv_some(d, sock, &byte, 1, (flags & ~MSG_WAITALL) | MSG_PEEK, NULL, NULL);

	return n > 0 ? -EFAULT : n;
}

ssize_t tern_pdrill_sendto(void *ud, int fd, const void *buf, size_t n, int flags,
			   const struct sockaddr *addr, socklen_t len)
{
	struct tern_pdrill *d = ud;
	int sock = fd - d->first;
	int64_t sent;

	if (!tern_pdrill_is_socket(d, fd))
		return sendto(fd, buf, n, flags, addr, len);
	if (addr && !tern_pdrill_readable(addr, len)) {
		errno = EFAULT;
		return -1;
	}
	(void)tern_pdrill_enter(d);
	if (tern_pdrill_readable(buf, n))
		sent = send_all(d, sock, buf, n, flags, addr, len);
	else
		sent = send_nowhere(d, sock, flags, addr, len);
	return tern_pdrill_leave(d, sent);
}

ssize_t tern_pdrill_send(void *ud, int fd, const void *buf, size_t n, int flags)
{
	return tern_pdrill_sendto(ud, fd, buf, n, flags, NULL, 0);
}

ssize_t tern_pdrill_write(void *ud, int fd, const void *buf, size_t n)
{
	if (!tern_pdrill_is_socket(ud, fd))
		return write(fd, buf, n);
	return tern_pdrill_sendto(ud, fd, buf, n, 0, NULL, 0);
}

ssize_t tern_pdrill_recvfrom(void *ud, int fd, void *buf, size_t n, int flags,
			     struct sockaddr *addr, socklen_t *len)
{
	struct tern_pdrill *d = ud;
	int sock = fd - d->first;
	int64_t got;

	if (!tern_pdrill_is_socket(d, fd))
		return recvfrom(fd, buf, n, flags, addr, len);
	if (addr &&
	    (!tern_pdrill_writable(len, sizeof(*len)) || !tern_pdrill_writable(addr, *len))) {
		errno = EFAULT;
		return -1;
	}
	(void)tern_pdrill_enter(d);
	/* MSG_TRUNC discards: nothing is written. */
	if ((flags & MSG_TRUNC) || tern_pdrill_writable(buf, n))
		got = recv_some(d, sock, buf, n, flags, addr, addr ? len : NULL);
	else
		got = recv_nowhere(d, sock, flags);
	return tern_pdrill_leave(d, got);
}

ssize_t tern_pdrill_recv(void *ud, int fd, void *buf, size_t n, int flags)
{
	return tern_pdrill_recvfrom(ud, fd, buf, n, flags, NULL, NULL);
}

ssize_t tern_pdrill_read(void *ud, int fd, void *buf, size_t n)
{
	if (!tern_pdrill_is_socket(ud, fd))
		return read(fd, buf, n);
	return tern_pdrill_recvfrom(ud, fd, buf, n, 0, NULL, NULL);
}

/* The length of all pieces. -EFAULT, -EINVAL, -EMSGSIZE as the system says them. */
static int64_t total_of(const struct iovec *iov, size_t n, bool message)
{
	size_t total = 0;

	if (n > PIECES_MAX)
		return message ? -EMSGSIZE : -EINVAL;
	if (!tern_pdrill_readable(iov, n * sizeof(*iov)))
		return -EFAULT;
	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > (size_t)SSIZE_MAX - total)
			return -EINVAL;
		total += iov[i].iov_len;
	}
	return (int64_t)total;
}

/* Sends pieces as one. The lock is not held. */
static ssize_t send_pieces(struct tern_pdrill *d, int fd, const struct iovec *iov, size_t n,
			   int flags, const struct msghdr *msg)
{
	int64_t total = total_of(iov, n, msg != NULL);
	size_t at = 0;
	uint8_t *block;
	ssize_t sent;

	if (total < 0) {
		errno = (int)-total;
		return -1;
	}
	block = malloc(total ? (size_t)total : 1);
	if (!block)
		return -1;
	for (size_t i = 0; i < n; at += iov[i++].iov_len) {
		if (!tern_pdrill_readable(iov[i].iov_base, iov[i].iov_len))
			break;
		memcpy(block + at, iov[i].iov_base, iov[i].iov_len);
	}
	/* What stands in front of a bad piece goes out. */
	if (at < (size_t)total && at == 0)
		sent = tern_pdrill_sendto(d, fd, NULL, 1, flags, msg ? msg->msg_name : NULL,
					  msg ? msg->msg_namelen : 0);
	else
		sent = tern_pdrill_sendto(d, fd, block, at, flags, msg ? msg->msg_name : NULL,
					  msg ? msg->msg_namelen : 0);
	free(block);
	return sent;
}

/* Receives into pieces as one. The lock is not held. */
static ssize_t recv_pieces(struct tern_pdrill *d, int fd, const struct iovec *iov, size_t n,
			   int flags, struct msghdr *msg)
{
	int64_t total = total_of(iov, n, msg != NULL);
	uint8_t *block;
	size_t at = 0;
	ssize_t got;

	for (size_t i = 0; i < n && total >= 0; i++)
		if (!tern_pdrill_writable(iov[i].iov_base, iov[i].iov_len))
			return tern_pdrill_recvfrom(d, fd, NULL, 1, flags, NULL, NULL);
	if (total < 0) {
		errno = (int)-total;
		return -1;
	}
	block = malloc(total ? (size_t)total : 1);
	if (!block)
		return -1;
	got = tern_pdrill_recvfrom(d, fd, block, (size_t)total, flags, msg ? msg->msg_name : NULL,
				   msg && msg->msg_name ? &msg->msg_namelen : NULL);
	for (size_t i = 0; i < n && !(flags & MSG_TRUNC) && got > 0 && at < (size_t)got; i++) {
		size_t part = TERN_MIN(iov[i].iov_len, (size_t)got - at);

		memcpy(iov[i].iov_base, block + at, part);
		at += part;
	}
	free(block);
	return got;
}

ssize_t tern_pdrill_writev(void *ud, int fd, const struct iovec *iov, int n)
{
	if (!tern_pdrill_is_socket(ud, fd))
		return writev(fd, iov, n);
	if (n < 0) {
		errno = EINVAL;
		return -1;
	}
	return send_pieces(ud, fd, iov, (size_t)n, 0, NULL);
}

ssize_t tern_pdrill_readv(void *ud, int fd, const struct iovec *iov, int n)
{
	if (!tern_pdrill_is_socket(ud, fd))
		return readv(fd, iov, n);
	if (n < 0) {
		errno = EINVAL;
		return -1;
	}
	return recv_pieces(ud, fd, iov, (size_t)n, 0, NULL);
}

/* Control messages of sendmsg: Linux passes over other levels, and knows none of these. */
static int check_control(const struct msghdr *msg)
{
	struct msghdr copy = *msg;

	if (!msg->msg_controllen)
		return 0;
	if (!tern_pdrill_readable(msg->msg_control, msg->msg_controllen))
		return -EFAULT;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c; c = CMSG_NXTHDR(&copy, c)) {
		if (c->cmsg_len < sizeof(*c))
			return -EINVAL;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type != SCM_RIGHTS &&
		    c->cmsg_type != SCM_CREDENTIALS)
			return -EINVAL;
	}
	return 0;
}

ssize_t tern_pdrill_sendmsg(void *ud, int fd, const struct msghdr *msg, int flags)
{
	int err;

	if (!tern_pdrill_is_socket(ud, fd))
		return sendmsg(fd, msg, flags);
	err = tern_pdrill_readable(msg, sizeof(*msg)) ? check_control(msg) : -EFAULT;
	if (err) {
		errno = -err;
		return -1;
	}
	return send_pieces(ud, fd, msg->msg_iov, msg->msg_iovlen, flags, msg);
}

/*
 * What TCP_INQ has asked for: the bytes that are still there, or 1 where only the end of data is
 * (Linux' tcp_inq_hint()).
 */
static void add_inq(struct tern_pdrill *d, int fd, struct msghdr *msg)
{
	int on = 0, queued = 0, sock = fd - d->first;
	socklen_t len = sizeof(on);
	struct cmsghdr *c;

	(void)tern_pdrill_enter(d);
	if (tern_sock_getsockopt(d->socks, d->now, sock, TERN_ABI_SOL_TCP, TERN_ABI_TCP_INQ, &on,
				 &len) < 0 ||
	    tern_sock_inq(d->socks, d->now, sock, &queued) < 0)
		on = 0;
	if (queued == 0 && (tern_sock_poll(d->socks, d->now, sock) & TERN_SOCK_RDHUP))
		queued = 1;
	(void)tern_pdrill_leave(d, 0);
	if (!on || msg->msg_controllen < CMSG_SPACE(sizeof(queued))) {
		if (on && msg->msg_control)
			msg->msg_flags |= MSG_CTRUNC;
		msg->msg_controllen = 0;
		return;
	}
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = TERN_ABI_SOL_TCP;
	c->cmsg_type = TERN_ABI_TCP_INQ; /* TCP_CM_INQ is the same number */
	c->cmsg_len = CMSG_LEN(sizeof(queued));
	memcpy(CMSG_DATA(c), &queued, sizeof(queued));
	msg->msg_controllen = CMSG_SPACE(sizeof(queued));
}

ssize_t tern_pdrill_recvmsg(void *ud, int fd, struct msghdr *msg, int flags)
{
	struct tern_pdrill *d = ud;
	ssize_t got;

	if (!tern_pdrill_is_socket(d, fd))
		return recvmsg(fd, msg, flags);
	if (!tern_pdrill_writable(msg, sizeof(*msg)) ||
	    !tern_pdrill_writable(msg->msg_control, msg->msg_controllen)) {
		errno = EFAULT;
		return -1;
	}
	got = recv_pieces(d, fd, msg->msg_iov, msg->msg_iovlen, flags, msg);
	if (got < 0)
		return got;
	msg->msg_flags = 0;
	add_inq(d, fd, msg);
	return got;
}
