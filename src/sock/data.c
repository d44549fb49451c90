/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/data.c: bytes and datagrams through a socket.
 *
 * What comes first is Linux' order. Receiving from a stream: queued data, the peer's FIN, the
 * pending error (once), a shut or closed connection (end of data), never connected (-ENOTCONN).
 * Sending: the pending error (once), -EPIPE where our half is shut or there is no connection,
 * -EAGAIN in SYN-SENT and where there is no room. A datagram socket tells its pending error before
 * anything else.
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "sock/fastopen.h"
#include "sock/record.h"

enum {
	DATAGRAM_MAX = 65535,
	PEEK_PIECES = 256,
};

/* The engine tells of room only if the last send fell short: what an earlier one left is void. */
static int64_t fell_short(struct tern_sock *s, int64_t n, size_t len)
{
	if (n == -EAGAIN || (n >= 0 && (uint64_t)n < len))
		s->flags |= TERN_SF_NOSPACE;
	else if (n >= 0)
		s->flags &= ~(uint32_t)TERN_SF_NOSPACE;
	return n;
}

/* Why nothing can be sent on a stream; 0 if something can. */
static int send_refused(struct tern_sock *s)
{
	if (s->error)
		return tern_sock_take_error(s);
	if (s->phase == TERN_PHASE_UNCONNECTED || (s->shut & TERN_SHUT_SND))
		return -EPIPE;
	return s->flags & (TERN_SF_ESTABLISHED | TERN_SF_DEFERRED) ? 0 : -EAGAIN;
}

/* The engine's flags for those of a send. */
static unsigned int engine_flags(int flags)
{
	return (flags & TERN_SOCK_MORE ? TERN_MSG_MORE : 0u) |
	       (flags & TERN_SOCK_OOB ? TERN_MSG_OOB : 0u) |
	       (flags & TERN_SOCK_EOR ? TERN_MSG_EOR : 0u);
}

static int64_t send_stream(struct tern_socks *ss, uint64_t now, struct tern_sock *s,
			   const void *data, size_t len, int flags)
{
	int64_t n;

	n = send_refused(s);
	if (n < 0 || len == 0)
		return n;
	n = tern_stack_send(ss->st, now, s->id, data, len, engine_flags(flags));
	return n == -ENOTCONN ? -EPIPE : fell_short(s, n, len);
}

static int send_target(const struct tern_sock *s, const void *addr, uint32_t addr_len,
		       struct tern_endpoint *ret)
{
	int err = tern_sockaddr_read(s->domain, addr, addr_len, ret);

	if (err)
		return err;
	if (ret->port == 0)
		return -EINVAL;
	if ((s->flags & TERN_SF_V6ONLY) && ret->addr.family == TERN_INET)
		return -ENETUNREACH;
	if (tern_addr_is_v4_broadcast(&ret->addr) && !(s->flags & TERN_SF_BROADCAST))
		return -EACCES;
	return 0;
}

static int64_t send_dgram(struct tern_socks *ss, uint64_t now, struct tern_sock *s,
			  const void *data, size_t len, int flags, const void *addr,
			  uint32_t addr_len)
{
	struct tern_endpoint ep;
	int err;

	if (len > DATAGRAM_MAX)
		return -EMSGSIZE;
	if (flags & TERN_SOCK_OOB)
		return -EOPNOTSUPP;
	if (addr) {
		err = send_target(s, addr, addr_len, &ep);
		if (err)
			return err;
	} else if (!(s->flags & TERN_SF_ESTABLISHED)) {
		return -EDESTADDRREQ;
	}
	if (s->error)
		return tern_sock_take_error(s);
	if (s->shut & TERN_SHUT_SND)
		return -EPIPE;
	return fell_short(s, tern_stack_sendto(ss->st, now, s->id, data, len, addr ? &ep : NULL),
			  0);
}

int64_t tern_sock_sendto(struct tern_socks *ss, uint64_t now, int fd, const void *data, size_t len,
			 int flags, const void *addr, uint32_t addr_len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	bool done = false;
	int64_t n;

	if (!s)
		return -EBADF;
	tern_sock_poll_events(ss, now);
	if (tern_sock_is_stream(s) &&
	    ((flags & TERN_SOCK_FASTOPEN) || (s->flags & TERN_SF_DEFERRED))) {
		n = tern_fastopen_sendto(ss, now, fd, data, len, flags, addr, addr_len, &done);
		if (done)
			return n;
	}
	if (tern_sock_is_stream(s))
		return send_stream(ss, now, s, data, len, flags);
	return send_dgram(ss, now, s, data, len, flags, addr, addr_len);
}

/* What a receive without data returns; n is what the engine said. */
static int64_t no_data(struct tern_sock *s, int64_t n)
{
	if (s->flags & TERN_SF_PEER_FIN)
		return 0;
	if (s->error)
		return tern_sock_take_error(s);
	if (n < 0 && n != -EAGAIN && n != -ENOTCONN)
		return n;
	if (n == 0 || (s->shut & TERN_SHUT_RCV))
		return 0;
	return s->phase == TERN_PHASE_UNCONNECTED ? -ENOTCONN : -EAGAIN;
}

/* MSG_OOB: the urgent byte, without waiting for it. */
static int64_t recv_urgent(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
			   void *data, size_t len, int flags)
{
	return tern_stack_recv(ss->st, now, s->id, data, len,
			       TERN_MSG_OOB | (flags & TERN_SOCK_PEEK ? TERN_MSG_PEEK : 0u) |
				       (flags & TERN_SOCK_TRUNC ? TERN_MSG_TRUNC : 0u));
}

/* What was read is behind SO_PEEK_OFF. */
static int64_t took(struct tern_sock *s, int64_t n, int flags)
{
	int32_t *off = &s->kept[TERN_KEPT_PEEK_OFF];

	if (!(flags & TERN_SOCK_PEEK) && *off > 0)
		*off = n < *off ? *off - (int32_t)n : 0;
	return n;
}

/* MSG_PEEK with SO_PEEK_OFF: from there on, and the next one behind it. */
static int64_t peek_further(struct tern_socks *ss, uint64_t now, struct tern_sock *s, void *data,
			    size_t len, int flags)
{
	struct tern_piece pieces[PEEK_PIECES];
	size_t skip = (size_t)s->kept[TERN_KEPT_PEEK_OFF], done = 0;
	int n = tern_stack_peek(ss->st, now, s->id, pieces, PEEK_PIECES);

	for (int i = 0; i < n && done < len; i++) {
		size_t from = TERN_MIN(skip, (size_t)pieces[i].len);
		size_t part = TERN_MIN(len - done, pieces[i].len - from);

		if (!(flags & TERN_SOCK_TRUNC))
			memcpy((uint8_t *)data + done, (const uint8_t *)pieces[i].ptr + from, part);
		skip -= from;
		done += part;
	}
	if (!done)
		return no_data(s, n > 0 ? -EAGAIN : n);
	s->kept[TERN_KEPT_PEEK_OFF] += (int32_t)done;
	return (int64_t)done;
}

/* MSG_TRUNC of a stream: the bytes are taken, or with MSG_PEEK counted, but go nowhere. */
static int64_t discard(struct tern_socks *ss, uint64_t now, struct tern_sock *s, size_t len,
		       int flags)
{
	int64_t n;

	if (flags & TERN_SOCK_PEEK) {
		n = tern_sock_engine_option(ss, now, s, TERN_SO_UNREAD);
		return n == 0 ? no_data(s, -EAGAIN) : (int64_t)TERN_MIN((uint64_t)n, (uint64_t)len);
	}
	n = tern_stack_recv(ss->st, now, s->id, NULL, len, TERN_MSG_TRUNC);
	return n > 0 ? took(s, n, flags) : no_data(s, n);
}

static int64_t recv_stream(struct tern_socks *ss, uint64_t now, struct tern_sock *s, void *data,
			   size_t len, int flags)
{
	int64_t n;

	if (s->flags & TERN_SF_LISTENING)
		return -ENOTCONN;
	if (flags & TERN_SOCK_OOB)
		return recv_urgent(ss, now, s, data, len, flags);
	if (len == 0)
		return tern_sock_engine_option(ss, now, s, TERN_SO_UNREAD) ? 0
									   : no_data(s, -EAGAIN);
	if ((flags & TERN_SOCK_PEEK) && s->kept[TERN_KEPT_PEEK_OFF] >= 0)
		return peek_further(ss, now, s, data, len, flags);
	if (flags & TERN_SOCK_TRUNC)
		return discard(ss, now, s, len, flags);
	n = tern_stack_recv(ss->st, now, s->id, data, len,
			    flags & TERN_SOCK_PEEK ? TERN_MSG_PEEK : 0);
	return n > 0 ? took(s, n, flags) : no_data(s, n);
}

static int64_t recv_dgram(struct tern_socks *ss, uint64_t now, struct tern_sock *s, void *data,
			  size_t len, int flags, struct tern_endpoint *ret_from)
{
	int64_t n;

	if (s->error)
		return tern_sock_take_error(s);
	n = tern_stack_recvfrom(ss->st, now, s->id, data, len,
				flags & TERN_SOCK_PEEK ? TERN_MSG_PEEK : 0, ret_from);
	/* Linux' waiting receive ends at SHUT_RD, its non-blocking one does not see it. */
	if (n == -EAGAIN && (s->shut & TERN_SHUT_RCV) && !(flags & TERN_SOCK_DONTWAIT))
		return 0;
	if (n < 0 || (flags & TERN_SOCK_TRUNC))
		return n;
	return (int64_t)TERN_MIN((uint64_t)n, (uint64_t)len);
}

int64_t tern_sock_recvfrom(struct tern_socks *ss, uint64_t now, int fd, void *data, size_t len,
			   int flags, void *addr, uint32_t *addr_len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	struct tern_endpoint from = { 0 };
	int64_t n;

	if (!s)
		return -EBADF;
	tern_sock_poll_events(ss, now);
	if (flags & TERN_SOCK_ERRQUEUE)
		return -EAGAIN;
	if (tern_sock_is_stream(s))
		n = recv_stream(ss, now, s, data, len, flags);
	else
		n = recv_dgram(ss, now, s, data, len, flags, &from);
	if (n < 0 || !addr || !addr_len)
		return n;
	if (from.addr.family)
		tern_sockaddr_give(s->domain, &from, addr, addr_len);
	else
		*addr_len = 0;
	return n;
}

/* The stream of a descriptor, after its events. -EBADF, -EOPNOTSUPP. */
static int stream_at(struct tern_socks *ss, uint64_t now, int fd, struct tern_sock **ret)
{
	struct tern_sock *s = tern_sock_at(ss, fd);

	if (!s)
		return -EBADF;
	tern_sock_poll_events(ss, now);
	*ret = s;
	return tern_sock_is_stream(s) ? 0 : -EOPNOTSUPP;
}

int tern_sock_peek_pieces(struct tern_socks *ss, uint64_t now, int fd, struct tern_piece *pieces,
			  unsigned int n)
{
	struct tern_sock *s;
	int got = stream_at(ss, now, fd, &s);

	if (got)
		return got;
	if (s->flags & TERN_SF_LISTENING)
		return -ENOTCONN;
	got = tern_stack_peek(ss->st, now, s->id, pieces, n);
	return got > 0 ? got : (int)no_data(s, got);
}

int64_t tern_sock_consume(struct tern_socks *ss, uint64_t now, int fd, size_t len)
{
	struct tern_sock *s;
	int err = stream_at(ss, now, fd, &s);

	return err ? err : recv_stream(ss, now, s, NULL, len, TERN_SOCK_TRUNC);
}

int tern_sock_reserve(struct tern_socks *ss, uint64_t now, int fd, size_t len,
		      struct tern_room *rooms, unsigned int n)
{
	struct tern_sock *s;
	size_t total = 0;
	int got = stream_at(ss, now, fd, &s);

	if (!got)
		got = send_refused(s);
	if (got || len == 0 || n == 0)
		return got;
	got = tern_stack_reserve(ss->st, now, s->id, len, rooms, n);
	for (int i = 0; i < got; i++)
		total += rooms[i].len;
	if (got < 0)
		return (int)(got == -ENOTCONN ? -EPIPE : fell_short(s, got, len));
	(void)fell_short(s, (int64_t)total, len);
	return got;
}

int64_t tern_sock_commit(struct tern_socks *ss, uint64_t now, int fd, size_t len, int flags)
{
	struct tern_sock *s = tern_sock_at(ss, fd);

	if (!s)
		return -EBADF;
	if (len)
		s->flags &= ~(uint32_t)TERN_SF_DEFERRED; /* they go with the SYN */
	return tern_stack_commit(ss->st, now, s->id, len, engine_flags(flags));
}

/* A number that ioctl() tells of a stream, after its events. */
static int count(struct tern_socks *ss, uint64_t now, int fd, enum tern_option option,
		 int *ret_value)
{
	struct tern_sock *s = tern_sock_at(ss, fd);

	if (!s)
		return -EBADF;
	if (s->flags & TERN_SF_LISTENING)
		return -EINVAL;
	*ret_value = (int)tern_sock_engine_option(ss, now, s, option);
	return 0;
}

int tern_sock_inq(struct tern_socks *ss, uint64_t now, int fd, int *ret_bytes)
{
	return count(ss, now, fd, TERN_SO_INQ, ret_bytes);
}

/* Before the handshake is done nothing counts. */
static bool has_queue(const struct tern_socks *ss, int fd)
{
	const struct tern_sock *s = tern_sock_at(ss, fd);

	return !s || !tern_sock_is_stream(s) || s->phase != TERN_PHASE_CONNECTING ||
	       (s->flags & TERN_SF_ESTABLISHED);
}

int tern_sock_outq(struct tern_socks *ss, uint64_t now, int fd, int *ret_bytes)
{
	int err = count(ss, now, fd, TERN_SO_OUTQ, ret_bytes);

	if (!err && !has_queue(ss, fd))
		*ret_bytes = 0;
	return err;
}

int tern_sock_outqnsd(struct tern_socks *ss, uint64_t now, int fd, int *ret_bytes)
{
	int err = tern_sock_type(ss, fd) == TERN_SOCK_DGRAM
			  ? -ENOTTY
			  : count(ss, now, fd, TERN_SO_OUTQNSD, ret_bytes);

	if (!err && !has_queue(ss, fd))
		*ret_bytes = 0;
	return err;
}

int tern_sock_atmark(struct tern_socks *ss, uint64_t now, int fd, int *ret_at)
{
	if (tern_sock_type(ss, fd) == TERN_SOCK_DGRAM)
		return -ENOTTY;
	*ret_at = 0;
	return count(ss, now, fd, TERN_SO_ATMARK, ret_at) == -EBADF ? -EBADF : 0;
}
