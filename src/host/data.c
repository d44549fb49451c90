/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/data.c: sending and receiving.
 *
 * A blocking send hands over as much as the send buffer takes, turns the loop until there is room
 * again (the engine tells when a good part is free), and goes on: a megabyte costs tens of turns,
 * not one for each segment. Every send ends with a turn that does not wait, so that the data leave
 * although the program may now do something else. With MSG_MORE that turn is left out: the program
 * has said that it goes on. A receive ends so, for the sake of the window, when it has emptied the
 * queue, or 64 KiB were taken since the last turn.
 *
 * A blocking receive returns with the first data; with MSG_WAITALL or SO_RCVLOWAT it goes on until
 * it has as much as they say, the peer's FIN, an error, or its time is over.
 *
 * A call that does not wait and finds nothing takes what has just arrived and looks once more: a
 * program that only polls by recv() must see its data, too.
 */
#include <errno.h>

#include "host/host.h"
#include "host/wait.h"

enum { TAKEN_MAX = 65536 };

/* Keeps the result of the parts: a count once there is one, else the error. */
static ssize_t result(size_t done, int64_t n)
{
	return done || n >= 0 ? (ssize_t)done : (ssize_t)n;
}

static ssize_t send_all(struct tern_host *host, int fd, const void *data, size_t len, int flags,
			const struct sockaddr *addr, socklen_t addr_len)
{
	bool wait = !tern_host_is_nonblock(host, fd, flags), again = true;
	uint64_t deadline = tern_host_deadline(host, fd, TERN_SOCK_OP_SEND);
	const uint8_t *bytes = data;
	size_t done = 0;
	int64_t n;

	for (;;) {
		bool opens;

		n = tern_sock_sendto(host->socks, host->now, fd, done ? bytes + done : data,
				     len - done, flags, addr, addr_len);
		done += n > 0 ? (size_t)n : 0;
		opens = wait && tern_sock_opening(host->socks, host->now, fd); /* Fast Open */
		flags &= ~MSG_FASTOPEN;
		if (!opens && ((n >= 0 && done >= len) || (n < 0 && n != -EAGAIN)))
			break;
		if (wait) {
			int err = tern_host_wait(host, fd, TERN_SOCK_OP_SEND, deadline);

			if (err) {
				n = err;
				break;
			}
		} else if (again) {
			tern_host_flush(host);
			again = false;
		} else {
			break;
		}
	}
	return result(done, n);
}

TERN_API ssize_t tern_sendto(struct tern_host *host, int fd, const void *data, size_t len,
			     int flags, const struct sockaddr *addr, socklen_t addr_len)
{
	ssize_t n;

	(void)tern_host_enter(host);
	n = send_all(host, fd, data, len, flags, addr, addr_len);
	if (n >= 0 && !(flags & MSG_MORE))
		tern_host_flush(host);
	return n;
}

TERN_API ssize_t tern_send(struct tern_host *host, int fd, const void *data, size_t len, int flags)
{
	return tern_sendto(host, fd, data, len, flags, NULL, 0);
}

/* Waits until there is something to receive: less than SO_RCVLOWAT will do after a first part. */
static int wait_more(struct tern_host *host, int fd, bool first, uint64_t deadline)
{
	int queued = 0, err;

	for (;;) {
		if (!first && tern_sock_inq(host->socks, host->now, fd, &queued) == 0 && queued > 0)
			return 0;
		if (first)
			return tern_host_wait(host, fd, TERN_SOCK_OP_RECV, deadline);
		if (tern_sock_poll(host->socks, host->now, fd) &
		    (TERN_SOCK_RDHUP | TERN_SOCK_ERR | TERN_SOCK_HUP))
			return 0;
		if (host->now >= deadline)
			return -EAGAIN;
		err = tern_host_turn(host,
				     deadline == TERN_NEVER ? TERN_NEVER : deadline - host->now);
		if (err)
			return err;
	}
}

static ssize_t recv_some(struct tern_host *host, int fd, void *data, size_t len, int flags,
			 struct sockaddr *addr, socklen_t *addr_len)
{
	bool wait = !tern_host_is_nonblock(host, fd, flags), again = true;
	bool stream = tern_sock_type(host->socks, fd) == TERN_SOCK_STREAM;
	bool whole = stream && wait && !(flags & (MSG_PEEK | MSG_TRUNC));
	uint64_t deadline = tern_host_deadline(host, fd, TERN_SOCK_OP_RECV);
	size_t want = 1, done = 0;
	uint8_t *bytes = data;
	int64_t n;

	if (whole)
		want = flags & MSG_WAITALL ? len : tern_sock_rcvlowat(host->socks, fd, len);
	if (!wait)
		flags |= MSG_DONTWAIT;
	for (;;) {
		n = tern_sock_recvfrom(host->socks, host->now, fd, done ? bytes + done : data,
				       len - done, flags, addr, addr_len);
		done += n > 0 ? (size_t)n : 0;
		if (n == 0 || done >= want || (n < 0 && n != -EAGAIN))
			break;
		if (wait) {
			int err = wait_more(host, fd, done == 0, deadline);

			if (err) {
				n = err;
				break;
			}
		} else if (again) {
			tern_host_flush(host);
			again = false;
		} else {
			break;
		}
	}
	return result(done, n);
}

TERN_API ssize_t tern_recvfrom(struct tern_host *host, int fd, void *data, size_t len, int flags,
			       struct sockaddr *addr, socklen_t *addr_len)
{
	ssize_t n;

	(void)tern_host_enter(host);
	n = recv_some(host, fd, data, len, flags, addr, addr_len);
	if (n <= 0 || (flags & MSG_PEEK))
		return n;
	host->taken += (size_t)n;
	if ((size_t)n < len || host->taken >= TAKEN_MAX)
		tern_host_flush(host);
	return n;
}

TERN_API ssize_t tern_recv(struct tern_host *host, int fd, void *data, size_t len, int flags)
{
	return tern_recvfrom(host, fd, data, len, flags, NULL, NULL);
}
