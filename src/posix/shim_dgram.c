/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_dgram.c: one datagram of UDP out and in.
 *
 * A message of the pair is struct tern_posix_dgram and the payload behind it. So sending puts a
 * head before the caller's buffers, receiving takes one off; the message is never copied here.
 *
 * What Linux says at once, the shim says at once: EDESTADDRREQ without a peer (the mark knows),
 * EMSGSIZE. What comes back later, ECONNREFUSED from ICMP say, arrives as a message in the queue,
 * in its place among the datagrams; the next call that receives returns it. A call that sends looks
 * at the head of the queue for it, if there was ever an error in this run.
 *
 * A message of no bytes, head missing, is the broker's end closed: ECONNRESET, once, and then
 * nothing any more; or the end of a socket that was shut down for reading.
 */
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>

#include "posix/shim.h"

#define MAX_INET  (65535 - 20 - 8)
#define MAX_INET6 (65535 - 8)
#define FEW       15

static int take_error(int fd, int error)
{
	struct tern_posix_dgram head;

	TERN_SHIM_SYS6(SYS_recvfrom, fd, &head, sizeof(head), MSG_DONTWAIT | MSG_TRUNC, NULL, NULL);
	return error;
}

int tern_shim_dgram_error(int fd)
{
	const volatile struct tern_posix_page *page = tern_shim.page;
	struct tern_posix_dgram head;

	if (page && page->dgram_error == 0)
		return 0;
	if (TERN_SHIM_SYS6(SYS_recvfrom, fd, &head, sizeof(head), MSG_PEEK | MSG_DONTWAIT, NULL,
			   NULL) != sizeof(head) ||
	    head.error == 0)
		return 0;
	return take_error(fd, head.error);
}

int tern_shim_dgram_size(int fd)
{
	struct tern_posix_dgram head;
	long n = TERN_SHIM_SYS6(SYS_recvfrom, fd, &head, sizeof(head),
				MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC, NULL, NULL);

	return n < (long)sizeof(head) ? 0 : (int)(n - (long)sizeof(head));
}

/* The end of the queue: why? 0: shut down for reading. */
static ssize_t ended(int fd)
{
	struct tern_shim_sock sock;
	struct tern_shim_call call = { .op = TERN_POSIX_LAST_ERROR };

	if (!tern_shim_find(fd, &sock) || tern_shim_ask(fd, &sock, &call) != -ENETDOWN)
		return 0;
	tern_shim_to_idle(fd, SOCK_DGRAM);
	return -ECONNRESET;
}

static void give_from(struct msghdr *msg, const struct tern_posix_dgram *head)
{
	socklen_t whole = tern_shim_addr_len(head->remote.any.sa_family);

	if (!msg->msg_name)
		return;
	memcpy(msg->msg_name, &head->remote, msg->msg_namelen < whole ? msg->msg_namelen : whole);
	msg->msg_namelen = whole;
}

/* With iov one longer than the caller's. */
static ssize_t receive(int fd, struct msghdr *msg, int flags, struct iovec *iov)
{
	struct tern_posix_dgram head;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = msg->msg_iovlen + 1 };
	int saved = errno;
	ssize_t n;

	iov[0].iov_base = &head;
	iov[0].iov_len = sizeof(head);
	if (msg->msg_iovlen)
		memcpy(iov + 1, msg->msg_iov, msg->msg_iovlen * sizeof(*iov));
	n = tern_shim_next.recvmsg(fd, &m, flags);
	if (n < 0) {
		n = -errno;
		errno = saved;
		return n;
	}
	if (n < (ssize_t)sizeof(head))
		return ended(fd);
	if (head.error)
		return -(flags & MSG_PEEK ? take_error(fd, head.error) : head.error);
	give_from(msg, &head);
	msg->msg_controllen = 0;
	msg->msg_flags = m.msg_flags & MSG_TRUNC;
	return n - (ssize_t)sizeof(head);
}

static __attribute__((noinline)) ssize_t receive_many(int fd, struct msghdr *msg, int flags)
{
	struct iovec iov[IOV_MAX];

	return receive(fd, msg, flags, iov);
}

ssize_t tern_shim_dgram_recv(int fd, struct msghdr *msg, int flags)
{
	struct iovec iov[FEW + 1];

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (msg->msg_iovlen >= IOV_MAX)
		return -EMSGSIZE;
	if (msg->msg_iovlen > FEW)
		return receive_many(fd, msg, flags);
	return receive(fd, msg, flags, iov);
}

/* Where to, written into the head. 0 or a negative errno. */
static int destination(int fd, const struct tern_shim_sock *sock, const struct msghdr *msg,
		       struct tern_posix_dgram *head)
{
	const struct sockaddr *to = msg->msg_name;
	sa_family_t family;

	*head = (struct tern_posix_dgram){ .magic = TERN_POSIX_DGRAM };
	if (!to || msg->msg_namelen == 0)
		return tern_shim_marked(fd, TERN_SHIM_MARK_CONNECTED) ? 0 : -EDESTADDRREQ;
	if (msg->msg_namelen < sizeof(family))
		return -EINVAL;
	memcpy(&family, to, sizeof(family));
	if (family == AF_UNSPEC && sock->domain == AF_INET)
		family = AF_INET; /* as Linux takes it */
	if (family != sock->domain && !(family == AF_INET && sock->domain == AF_INET6))
		return -EAFNOSUPPORT;
	if (msg->msg_namelen < tern_shim_addr_len(family))
		return -EINVAL;
	memcpy(&head->remote, to, tern_shim_addr_len(family));
	head->remote.any.sa_family = family;
	if (family != sock->domain) {
		struct sockaddr_in in = head->remote.in;
		struct sockaddr_in6 *in6 = &head->remote.in6;

		memset(in6, 0, sizeof(*in6));
		in6->sin6_family = AF_INET6;
		in6->sin6_port = in.sin_port;
		memset(in6->sin6_addr.s6_addr + 10, 0xff, 2);
		memcpy(in6->sin6_addr.s6_addr + 12, &in.sin_addr, 4);
	}
	return tern_shim_port(&head->remote.any, sizeof(head->remote)) ? 0 : -EINVAL;
}

static ssize_t send_out(int fd, struct tern_posix_dgram *head, const struct msghdr *msg, int flags,
			struct iovec *iov)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = msg->msg_iovlen + 1 };
	int saved = errno;
	ssize_t n;

	iov[0].iov_base = head;
	iov[0].iov_len = sizeof(*head);
	if (msg->msg_iovlen)
		memcpy(iov + 1, msg->msg_iov, msg->msg_iovlen * sizeof(*iov));
	n = tern_shim_next.sendmsg(fd, &m, (flags & MSG_DONTWAIT) | MSG_NOSIGNAL);
	if (n >= 0)
		return n - (ssize_t)sizeof(*head);
	n = errno == EPIPE || errno == ECONNRESET ? -ENETDOWN : -errno;
	errno = saved;
	return n;
}

static __attribute__((noinline)) ssize_t send_many(int fd, struct tern_posix_dgram *head,
						   const struct msghdr *msg, int flags)
{
	struct iovec iov[IOV_MAX];

	return send_out(fd, head, msg, flags, iov);
}

/* What is the matter with the message itself: 0, -EMSGSIZE, -EOPNOTSUPP. */
static int check(const struct tern_shim_sock *sock, const struct msghdr *msg, int flags)
{
	size_t i, total = 0;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (msg->msg_iovlen >= IOV_MAX)
		return -EMSGSIZE;
	for (i = 0; i < msg->msg_iovlen && total <= MAX_INET6; i++)
		total += msg->msg_iov[i].iov_len;
	if (total > (sock->domain == AF_INET ? MAX_INET : MAX_INET6))
		return -EMSGSIZE;
	if (msg->msg_controllen)
		tern_shim_log("control data of sendmsg() on UDP is ignored");
	if (flags & MSG_MORE)
		tern_shim_log("MSG_MORE on UDP is ignored: each call sends a datagram");
	return 0;
}

ssize_t tern_shim_dgram_send(int fd, const struct tern_shim_sock *sock, const struct msghdr *msg,
			     int flags)
{
	struct tern_posix_dgram head;
	struct iovec iov[FEW + 1];
	int done = check(sock, msg, flags);

	if (done == 0)
		done = destination(fd, sock, msg, &head);
	if (done == 0)
		done = -tern_shim_dgram_error(fd);
	if (done < 0)
		return done;
	if (msg->msg_iovlen > FEW)
		return send_many(fd, &head, msg, flags);
	return send_out(fd, &head, msg, flags, iov);
}
