/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_connect.c: connect().
 *
 * The broker answers CONNECT at once; for a stream that is -EINPROGRESS as a rule, and what happens
 * next it tells through the pair: as long as the connection is not established, the pair is full
 * and nothing is writable. So a program that does not block returns with that error and
 * waits for POLLOUT as ever. For one that blocks, the shim waits where the program would: in a
 * send() of one byte on the descriptor itself. EINTR, SA_RESTART, SO_SNDTIMEO, pthread_cancel() and
 * another thread's shutdown() then do what they do to any blocking call. The byte belongs to the
 * handshake; if it will not come, the broker is told so.
 *
 * A connect() that failed ends the pair. The errno is the broker's to tell. The next attempt
 * begins with a new pair (shim_replace.c).
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "posix/shim.h"

static int errno_of_socket(int fd, const struct tern_shim_sock *sock)
{
	int error = 0;
	struct tern_shim_call call = {
		.op = TERN_POSIX_GETSOCKOPT,
		.args = { SOL_SOCKET, SO_ERROR, sizeof(error) },
		.ret = &error,
		.ret_max = sizeof(error),
	};

	if (tern_shim_ask(fd, sock, &call) < 0 || error <= 0)
		return ECONNRESET;
	return error;
}

/*
 * Waits for the end of a handshake, of which the broker said that it is under way. 0, or a negative
 * errno of connect(): what the broker said when the time is over.
 */
static int wait_connected(int fd, const struct tern_shim_sock *sock, int said)
{
	struct tern_shim_call unwait = { .op = TERN_POSIX_CONNECT_UNWAIT };
	int saved = errno, error;

	if (tern_shim_next.sendto(fd, "", 1, MSG_NOSIGNAL, NULL, 0) == 1) {
		tern_shim_raise(fd);
		return 0;
	}
	error = errno;
	errno = saved;
	switch (error) {
	case EINTR:
	case EAGAIN:
		tern_shim_ask(fd, sock, &unwait);
		return error == EINTR ? -EINTR : said;
	case EPIPE:
	case ECONNRESET:
		return -errno_of_socket(fd, sock);
	default:
		return -error;
	}
}

static bool waits(int fd)
{
	long flags = TERN_SHIM_SYS2(SYS_fcntl, fd, F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

static int connect_stream(int fd, struct tern_shim_sock *sock, const struct sockaddr *addr,
			  socklen_t len)
{
	bool blocks = waits(fd);
	struct tern_shim_call call = {
		.op = TERN_POSIX_CONNECT,
		.args = { blocks },
		.data = addr,
		.len = len,
	};
	int done;

	done = tern_shim_ask_fresh(fd, sock, &call);
	if (blocks && (done == -EINPROGRESS || done == -EALREADY))
		done = wait_connected(fd, sock, done);
	return done;
}

/* The first bytes of a message. */
static size_t gather(const struct msghdr *msg, uint8_t *data, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < msg->msg_iovlen && n < room; i++) {
		size_t len = msg->msg_iov[i].iov_len;

		len = len < room - n ? len : room - n;
		memcpy(data + n, msg->msg_iov[i].iov_base, len);
		n += len;
	}
	return n;
}

ssize_t tern_shim_fastopen(int fd, struct tern_shim_sock *sock, const struct msghdr *msg, int flags,
			   bool *ret_more)
{
	uint8_t data[TERN_POSIX_DATA_MAX];
	bool blocks = !(flags & MSG_DONTWAIT) && waits(fd);
	struct tern_shim_call call = {
		.op = TERN_POSIX_FASTOPEN,
		.args = { blocks, (int32_t)msg->msg_namelen },
		.data = data,
		.len = msg->msg_namelen,
	};
	int taken, done;

	if (msg->msg_namelen > sizeof(struct sockaddr_storage))
		return -EINVAL;
	if (msg->msg_namelen)
		memcpy(data, msg->msg_name, msg->msg_namelen);
	call.len += (uint32_t)gather(msg, data + call.len, sizeof(data) - call.len);
	taken = tern_shim_ask_fresh(fd, sock, &call);
	done = taken;
	if (blocks && (taken > 0 || taken == -EINPROGRESS || taken == -EALREADY))
		done = wait_connected(fd, sock, taken);
	*ret_more = done == 0;
	return done || taken < 0 ? done : taken;
}

static int connect_dgram(int fd, const struct tern_shim_sock *sock, const struct sockaddr *addr,
			 socklen_t len)
{
	struct tern_shim_call call = { .op = TERN_POSIX_CONNECT, .data = addr, .len = len };
	int done = tern_shim_ask(fd, sock, &call);

	if (done >= 0)
		tern_shim_mark(fd, addr->sa_family == AF_UNSPEC ? TERN_SHIM_MARK_NONE
								: TERN_SHIM_MARK_CONNECTED);
	return done;
}

int tern_shim_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tern_shim_sock sock;
	int done;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.connect(fd, addr, len);
	if (!addr)
		return tern_shim_result(-EFAULT);
	if (len < sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage))
		return tern_shim_result(-EINVAL);
	if (!sock.accepted && (tern_shim_is_loopback(addr, len) || tern_shim_is_any(addr, len))) {
		done = tern_shim_to_kernel(fd, &sock);
		return done < 0 ? tern_shim_result(done) : tern_shim_next.connect(fd, addr, len);
	}
	if (sock.type == SOCK_DGRAM)
		return tern_shim_result(connect_dgram(fd, &sock, addr, len));
	return tern_shim_result(connect_stream(fd, &sock, addr, len));
}
