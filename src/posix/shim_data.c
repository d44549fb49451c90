/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_data.c: read() and write() and all their kin.
 *
 * Of a stream these are the kernel's business, on the pair: the wrapper makes the call first and
 * looks only at what went wrong.
 *
 *	ECONNRESET on reading	The pair knows one error. What it stands for (ETIMEDOUT,
 *				EHOSTUNREACH ...) the broker knows.
 *	EPIPE on writing	The first one after a reset is ECONNRESET without a signal on
 *				Linux; the pair's own error, not yet fetched, tells it from later
 *				ones. send() and its kin ask the kernel for no signal and raise
 *				SIGPIPE themselves; write() and writev() cannot.
 *
 * Before it looks where there are narrow streams in this run, which a word in the shared page says:
 * those never connected (ENOTCONN, EPIPE), and those that connect() made while the program waited
 * by poll(), which still have the send buffer of a handshake.
 *
 * Flags and arguments that mean something else to AF_UNIX than to TCP (MSG_TRUNC, MSG_ERRQUEUE,
 * MSG_FASTOPEN, an address, control data) are looked at before the call, and only if they are
 * there. MSG_OOB is right as the kernel does it on the pair, once the broker knows; where pairs
 * have no urgent data it is left out. MSG_MORE the broker is told before the first such write, and
 * its end before the first one without, for which a word in the shared page makes us look.
 *
 * Of a datagram socket all of these go through shim_dgram.c. As long as there is none in this run,
 * a word in the shared page says so and nobody looks.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "posix/shim.h"

#define NARROW     16384 /* below any send buffer but that of a handshake */
#define RECV_FLAGS (MSG_TRUNC | MSG_ERRQUEUE)
#define SEND_FLAGS (MSG_OOB | MSG_FASTOPEN | MSG_MORE)

static bool is_dgram(int fd, struct tern_shim_sock *ret_sock)
{
	return tern_shim_dgrams() && tern_shim_find(fd, ret_sock) && ret_sock->type == SOCK_DGRAM;
}

static bool is_stream(int fd, struct tern_shim_sock *ret_sock)
{
	return tern_shim_find(fd, ret_sock) && ret_sock->type == SOCK_STREAM;
}

/* ---- What went wrong */

static int last_error(int fd, const struct tern_shim_sock *sock)
{
	struct tern_shim_call call = { .op = TERN_POSIX_LAST_ERROR };
	int error = tern_shim_ask(fd, sock, &call);

	return error > 0 ? error : ECONNRESET;
}

/* After a failed read: puts errno right. */
static TERN_COLD ssize_t read_failed(int fd)
{
	struct tern_shim_sock sock;
	int error = errno;

	if (error == ECONNRESET && is_stream(fd, &sock))
		error = last_error(fd, &sock);
	else if (error == EOPNOTSUPP && is_stream(fd, &sock))
		error = EINVAL; /* pairs of this kernel have no urgent data */
	errno = error;
	return -1;
}

static inline ssize_t after_read(int fd, ssize_t n)
{
	return TERN_LIKELY(n >= 0) ? n : read_failed(fd);
}

static int int_option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (TERN_SHIM_SYS5(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &len) < 0)
		return -1;
	return value;
}

/*
 * Of a stream with the narrow send buffer of a fresh one: is it connected? If so its buffer becomes
 * what it should be. 0, or -ENOTCONN.
 */
static TERN_COLD int look_at_narrow(int fd)
{
	struct tern_shim_sock sock;
	struct tern_shim_call call = { .op = TERN_POSIX_LAST_ERROR };
	int bytes = int_option(fd, SO_SNDBUF);

	if (bytes <= 0 || bytes >= NARROW || tern_shim_marked(fd, TERN_SHIM_MARK_LISTENING) ||
	    !is_stream(fd, &sock))
		return 0;
	return tern_shim_ask(fd, &sock, &call) == -ENOTCONN ? -ENOTCONN : 0;
}

/* Is there a narrow stream in this run, and is it this one? 0, or -ENOTCONN. */
static inline int narrow(int fd)
{
	const volatile struct tern_posix_page *page = tern_shim.page;

	return TERN_UNLIKELY(page && page->narrow) ? look_at_narrow(fd) : 0;
}

static void raise_sigpipe(void)
{
	TERN_SHIM_SYS3(SYS_tgkill, TERN_SHIM_SYS0(SYS_getpid), TERN_SHIM_SYS0(SYS_gettid), SIGPIPE);
}

/* Writing to who was never connected. */
static ssize_t no_reader(bool signal)
{
	if (signal)
		raise_sigpipe();
	errno = EPIPE;
	return -1;
}

/* After a failed write: puts errno right. signal: SIGPIPE is still to be raised. */
static TERN_COLD ssize_t write_failed(int fd, bool signal)
{
	struct tern_shim_sock sock;
	int error = errno;

	if (error == EPIPE) {
		if (is_stream(fd, &sock) && int_option(fd, SO_ERROR) > 0)
			error = last_error(fd, &sock);
		if (error == EPIPE && signal)
			raise_sigpipe();
	} else if (error == ECONNRESET && is_stream(fd, &sock)) {
		error = last_error(fd, &sock);
	}
	errno = error;
	return -1;
}

static inline ssize_t after_write(int fd, ssize_t n, bool signal)
{
	return TERN_LIKELY(n >= 0) ? n : write_failed(fd, signal);
}

/* Tells the broker whether more comes. */
static TERN_COLD void tell_more(int fd, bool more)
{
	struct tern_shim_sock sock;
	struct tern_shim_call call = { .op = TERN_POSIX_MORE, .args = { more } };

	if (tern_shim_marked(fd, TERN_SHIM_MARK_MORE) == more || !is_stream(fd, &sock) ||
	    tern_shim_ask(fd, &sock, &call) < 0)
		return;
	tern_shim_mark(fd, more ? TERN_SHIM_MARK_MORE : TERN_SHIM_MARK_NONE);
}

/* Before a write without MSG_MORE. */
static inline void no_more(int fd)
{
	const volatile struct tern_posix_page *page = tern_shim.page;

	if (TERN_UNLIKELY(page && page->more))
		tell_more(fd, false);
}

static size_t total(const struct iovec *iov, size_t count)
{
	size_t i, sum = 0;

	for (i = 0; i < count; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* ---- read(), readv(), write(), writev() */

ssize_t tern_shim_read(int fd, void *buf, size_t len)
{
	struct tern_shim_sock sock;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && is_dgram(fd, &sock)) {
		struct iovec iov = { buf, len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		return tern_shim_size(tern_shim_dgram_recv(fd, &msg, 0));
	}
	if (TERN_UNLIKELY(narrow(fd)))
		return tern_shim_size(-ENOTCONN);
	return after_read(fd, tern_shim_next.read(fd, buf, len));
}

ssize_t tern_shim_readv(int fd, const struct iovec *iov, int count)
{
	struct tern_shim_sock sock;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && count >= 0 && is_dgram(fd, &sock)) {
		struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
				      .msg_iovlen = (size_t)count };

		return tern_shim_size(tern_shim_dgram_recv(fd, &msg, 0));
	}
	if (TERN_UNLIKELY(narrow(fd)))
		return tern_shim_size(-ENOTCONN);
	return after_read(fd, tern_shim_next.readv(fd, iov, count));
}

ssize_t tern_shim_write(int fd, const void *buf, size_t len)
{
	struct tern_shim_sock sock;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && is_dgram(fd, &sock)) {
		struct iovec iov = { (void *)(uintptr_t)buf, len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		return tern_shim_size(tern_shim_dgram_send(fd, &sock, &msg, 0));
	}
	if (TERN_UNLIKELY(narrow(fd)))
		return no_reader(true);
	no_more(fd);
	return after_write(fd, tern_shim_next.write(fd, buf, len), false);
}

ssize_t tern_shim_writev(int fd, const struct iovec *iov, int count)
{
	struct tern_shim_sock sock;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && count >= 0 && is_dgram(fd, &sock)) {
		struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
				      .msg_iovlen = (size_t)count };

		return tern_shim_size(tern_shim_dgram_send(fd, &sock, &msg, 0));
	}
	if (TERN_UNLIKELY(narrow(fd)))
		return no_reader(true);
	no_more(fd);
	return after_write(fd, tern_shim_next.writev(fd, iov, count), false);
}

/* A stranger to sockets otherwise: only the pair has to be ready for it. */
ssize_t tern_shim_sendfile(int fd, int from, off_t *offset, size_t len)
{
	if (TERN_UNLIKELY(narrow(fd)))
		return no_reader(true);
	no_more(fd);
	return after_write(fd, tern_shim_next.sendfile(fd, from, offset, len), false);
}

/* ---- recv(), recvfrom(), recvmsg(), recvmmsg() */

/* MSG_TRUNC: bytes of a stream are thrown away, whatever the buffer. Nobody reads this. */
static char waste[65536];

static ssize_t discard(int fd, size_t len, int flags)
{
	return after_read(fd, tern_shim_next.recvfrom(fd, waste,
						      len < sizeof(waste) ? len : sizeof(waste),
						      flags & ~MSG_TRUNC, NULL, NULL));
}

/* Flags that AF_UNIX would take for something else. True: *ret_n is the answer. */
static bool odd_recv(int fd, size_t len, int flags, ssize_t *ret_n)
{
	struct tern_shim_sock sock;

	if (!is_stream(fd, &sock))
		return false;
	if (flags & MSG_ERRQUEUE)
		*ret_n = tern_shim_size(-EAGAIN);
	else if (flags & MSG_OOB)
		return false; /* one byte, with or without a buffer */
	else
		*ret_n = discard(fd, len, flags);
	return true;
}

/* Is this the address of a broker's end, which AF_UNIX gives as the sender? TCP gives none. */
static bool is_pair_name(const struct sockaddr_storage *addr, socklen_t len)
{
	return tern_shim.on &&
	       len >= offsetof(struct sockaddr_un, sun_path) + sizeof(tern_shim.prefix) &&
	       addr->ss_family == AF_UNIX &&
	       memcmp(((const struct sockaddr_un *)(const void *)addr)->sun_path, tern_shim.prefix,
		      sizeof(tern_shim.prefix)) == 0;
}

ssize_t tern_shim_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
			   socklen_t *fromlen)
{
	struct tern_shim_sock sock;
	struct sockaddr_storage addr;
	socklen_t addrlen = sizeof(addr);
	ssize_t n;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && is_dgram(fd, &sock)) {
		struct iovec iov = { buf, len };
		struct msghdr msg = { .msg_name = fromlen ? from : NULL,
				      .msg_namelen = fromlen ? *fromlen : 0,
				      .msg_iov = &iov,
				      .msg_iovlen = 1 };

		n = tern_shim_size(tern_shim_dgram_recv(fd, &msg, flags));
		if (n >= 0 && from && fromlen)
			*fromlen = msg.msg_namelen;
		return n;
	}
	if (TERN_UNLIKELY(narrow(fd)))
		return tern_shim_size(-ENOTCONN);
	if (TERN_UNLIKELY(flags & RECV_FLAGS) && odd_recv(fd, len, flags, &n))
		return n;
	if (TERN_LIKELY(!from || !fromlen || !tern_shim.on))
		return after_read(fd, tern_shim_next.recvfrom(fd, buf, len, flags, from, fromlen));
	n = tern_shim_next.recvfrom(fd, buf, len, flags, (struct sockaddr *)&addr, &addrlen);
	if (n < 0)
		return read_failed(fd);
	if (is_pair_name(&addr, addrlen))
		addrlen = 0;
	memcpy(from, &addr, *fromlen < addrlen ? *fromlen : addrlen);
	*fromlen = addrlen;
	return n;
}

/*
 * Descriptors came with a message. Where this process has never talked to the broker, one of them
 * may be its first socket of tern's: then the shared page is needed.
 */
static TERN_COLD void look_at_gifts(struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (tern_shim.on && !tern_shim.page && c && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS)
		tern_shim_inherit();
}

ssize_t tern_shim_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct tern_shim_sock sock;
	struct sockaddr_storage addr;
	struct msghdr m;
	ssize_t n;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && is_dgram(fd, &sock))
		return tern_shim_size(tern_shim_dgram_recv(fd, msg, flags));
	if (TERN_UNLIKELY(narrow(fd)))
		return tern_shim_size(-ENOTCONN);
	if (TERN_UNLIKELY(flags & RECV_FLAGS) &&
	    odd_recv(fd, total(msg->msg_iov, msg->msg_iovlen), flags, &n)) {
		if (n >= 0)
			msg->msg_namelen = 0;
		return n;
	}
	if (TERN_LIKELY(!msg->msg_name || !tern_shim.on)) {
		n = after_read(fd, tern_shim_next.recvmsg(fd, msg, flags));
		if (TERN_UNLIKELY(n >= 0 && msg->msg_controllen))
			look_at_gifts(msg);
		return n;
	}
	m = *msg;
	m.msg_name = &addr;
	m.msg_namelen = sizeof(addr);
	n = tern_shim_next.recvmsg(fd, &m, flags);
	if (n < 0)
		return read_failed(fd);
	if (is_pair_name(&addr, m.msg_namelen))
		m.msg_namelen = 0;
	memcpy(msg->msg_name, &addr,
	       msg->msg_namelen < m.msg_namelen ? msg->msg_namelen : m.msg_namelen);
	msg->msg_namelen = m.msg_namelen;
	msg->msg_controllen = m.msg_controllen;
	msg->msg_flags = m.msg_flags;
	return n;
}

int tern_shim_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags,
		       struct timespec *limit)
{
	struct tern_shim_sock sock;
	unsigned int i;
	ssize_t n;

	if (TERN_LIKELY(!tern_shim_dgrams()) || !is_dgram(fd, &sock))
		return (int)after_read(fd, tern_shim_next.recvmmsg(fd, msgs, count, flags, limit));
	if (limit)
		tern_shim_log("the time limit of recvmmsg() on UDP is ignored");
	for (i = 0; i < count; i++) {
		n = tern_shim_dgram_recv(fd, &msgs[i].msg_hdr, flags & ~MSG_WAITFORONE);
		if (n < 0)
			return i > 0 ? (int)i : tern_shim_result(n);
		msgs[i].msg_len = (unsigned int)n;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
	}
	return (int)count;
}

/* ---- send(), sendto(), sendmsg(), sendmmsg() */

/* What of a message is left behind `gone` bytes. */
static ssize_t send_rest(int fd, const struct msghdr *msg, ssize_t gone, int flags)
{
	size_t skip = (size_t)gone;
	ssize_t n;

	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		const struct iovec *v = &msg->msg_iov[i];
		size_t over = skip < v->iov_len ? skip : v->iov_len;

		skip -= over;
		if (over == v->iov_len)
			continue;
		n = tern_shim_sendto(fd, (const char *)v->iov_base + over, v->iov_len - over, flags,
				     NULL, 0);
		if (n < 0)
			return gone ? gone : -1;
		gone += n;
		if ((size_t)n < v->iov_len - over)
			break;
	}
	return gone;
}

/* MSG_FASTOPEN: connect(), and what the SYN and then the connection take. */
static ssize_t fastopen(int fd, struct tern_shim_sock *sock, const struct msghdr *msg, int flags)
{
	const struct sockaddr *to = msg->msg_name;
	bool more = false;
	ssize_t n;

	if (to && !sock->accepted &&
	    (tern_shim_is_loopback(to, msg->msg_namelen) ||
	     tern_shim_is_any(to, msg->msg_namelen))) {
		n = tern_shim_to_kernel(fd, sock);
		return n < 0 ? tern_shim_size(n) : tern_shim_next.sendmsg(fd, msg, flags);
	}
	n = tern_shim_fastopen(fd, sock, msg, flags, &more);
	return more ? send_rest(fd, msg, n, flags & ~MSG_FASTOPEN) : tern_shim_size(n);
}

/*
 * Flags that AF_UNIX does not know as TCP does: *flags may lose MSG_OOB. True: all is done, and
 * *ret_n is the answer.
 */
static bool odd_send(int fd, const struct msghdr *msg, int *flags, ssize_t *ret_n)
{
	struct tern_shim_call urgent = { .op = TERN_POSIX_URGENT };
	struct tern_shim_sock sock;
	size_t len;

	if (!is_stream(fd, &sock))
		return false;
	if (*flags & MSG_FASTOPEN) {
		*ret_n = fastopen(fd, &sock, msg, *flags);
		return true;
	}
	if (*flags & MSG_MORE)
		tell_more(fd, true);
	if (!(*flags & MSG_OOB))
		return false;
	len = total(msg->msg_iov, msg->msg_iovlen);
	if (len && tern_shim_ask(fd, &sock, &urgent) >= 0)
		return false;
	if (len)
		tern_shim_log("MSG_OOB: urgent data is sent as any other");
	*flags &= ~MSG_OOB;
	return false;
}

ssize_t tern_shim_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
			 socklen_t tolen)
{
	struct tern_shim_sock sock;
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr msg = { .msg_name = (void *)(uintptr_t)to,
			      .msg_namelen = tolen,
			      .msg_iov = &iov,
			      .msg_iovlen = 1 };
	ssize_t n;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && is_dgram(fd, &sock))
		return tern_shim_size(tern_shim_dgram_send(fd, &sock, &msg, flags));
	if (TERN_UNLIKELY(!tern_shim_on()))
		return tern_shim_next.sendto(fd, buf, len, flags, to, tolen);
	if (!(flags & MSG_MORE))
		no_more(fd);
	if (TERN_UNLIKELY(flags & SEND_FLAGS) && odd_send(fd, &msg, &flags, &n))
		return n;
	if (TERN_UNLIKELY(to != NULL) && is_stream(fd, &sock)) {
		to = NULL; /* TCP does not look at it */
		tolen = 0;
	}
	if (TERN_UNLIKELY(narrow(fd)))
		return no_reader(!(flags & MSG_NOSIGNAL));
	return after_write(fd, tern_shim_next.sendto(fd, buf, len, flags | MSG_NOSIGNAL, to, tolen),
			   !(flags & MSG_NOSIGNAL));
}

ssize_t tern_shim_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct tern_shim_sock sock;
	struct msghdr m;
	ssize_t n;

	if (TERN_UNLIKELY(tern_shim_dgrams()) && is_dgram(fd, &sock))
		return tern_shim_size(tern_shim_dgram_send(fd, &sock, msg, flags));
	if (TERN_UNLIKELY(!tern_shim_on()))
		return tern_shim_next.sendmsg(fd, msg, flags);
	if (!(flags & MSG_MORE))
		no_more(fd);
	if (TERN_UNLIKELY(flags & SEND_FLAGS) && odd_send(fd, msg, &flags, &n))
		return n;
	if ((msg->msg_name || msg->msg_controllen) && is_stream(fd, &sock)) {
		/* descriptors would go to the broker; TCP sends neither these nor addresses */
		m = *msg;
		m.msg_name = m.msg_control = NULL;
		m.msg_namelen = 0;
		m.msg_controllen = 0;
		msg = &m;
	}
	if (TERN_UNLIKELY(narrow(fd)))
		return no_reader(!(flags & MSG_NOSIGNAL));
	return after_write(fd, tern_shim_next.sendmsg(fd, msg, flags | MSG_NOSIGNAL),
			   !(flags & MSG_NOSIGNAL));
}

int tern_shim_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags)
{
	struct tern_shim_sock sock;
	unsigned int i;
	ssize_t n;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.sendmmsg(fd, msgs, count, flags);
	for (i = 0; i < count && i < 1024; i++) {
		n = tern_shim_sendmsg(fd, &msgs[i].msg_hdr, flags);
		if (n < 0)
			return i > 0 ? (int)i : -1;
		msgs[i].msg_len = (unsigned int)n;
	}
	return (int)i;
}
