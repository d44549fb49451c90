/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/poll.c: readiness of a socket, and what a call that would block waits for.
 *
 * The bits are those of Linux' tcp_poll() and datagram_poll(), level:
 *
 *	stream			bits
 *	never connected		OUT HUP
 *	listener		IN while the accept queue is not empty
 *	SYN-SENT		none; OUT if the SYN waits for data (fastopen.c)
 *	open			IN with SO_RCVLOWAT bytes, OUT with room
 *	peer's FIN, or SHUT_RD	+ IN RDHUP
 *	SHUT_WR			+ OUT
 *	both halves, CLOSED	+ HUP
 *	pending error		+ ERR
 *	urgent byte not taken	+ PRI
 *
 * Room is known from the last send: one that fell short takes OUT away until the engine says that
 * there is room again (TERN_EV_WRITABLE), so that a full buffer is not reported at every byte.
 */
#include <errno.h>

#include "sock/record.h"

enum {
	READ_BITS = TERN_SOCK_IN | TERN_SOCK_RDNORM,
	WRITE_BITS = TERN_SOCK_OUT | TERN_SOCK_WRNORM,
};

static uint32_t poll_listener(struct tern_socks *ss, uint64_t now, struct tern_sock *s)
{
	struct tern_socket_info row;

	if (!(s->flags & TERN_SF_ACCEPTABLE))
		return 0;
	if (tern_stack_socket(ss->st, now, s->id, &row) < 0 || row.acceptq <= s->held) {
		s->flags &= ~(uint32_t)TERN_SF_ACCEPTABLE;
		return 0;
	}
	return READ_BITS;
}

static uint32_t poll_shut(const struct tern_sock *s)
{
	uint32_t bits = 0;

	if (s->shut == TERN_SHUT_BOTH)
		bits |= TERN_SOCK_HUP;
	if (s->shut & TERN_SHUT_RCV)
		bits |= READ_BITS | TERN_SOCK_RDHUP;
	if (s->error)
		bits |= TERN_SOCK_ERR;
	return bits;
}

/* With TCP_NOTSENT_LOWAT the engine is asked: it then also tells when there is room again. */
static bool has_room(struct tern_socks *ss, uint64_t now, struct tern_sock *s)
{
	struct tern_room room;

	if (s->flags & TERN_SF_NOSPACE)
		return false;
	if (!s->notsent_lowat || tern_stack_reserve(ss->st, now, s->id, 1, &room, 1) != -EAGAIN)
		return true;
	s->flags |= TERN_SF_NOSPACE;
	return false;
}

static uint32_t poll_stream(struct tern_socks *ss, uint64_t now, struct tern_sock *s)
{
	uint32_t bits = poll_shut(s);
	bool closed = s->phase == TERN_PHASE_UNCONNECTED || (s->flags & TERN_SF_CLOSED);

	if (closed)
		bits |= TERN_SOCK_HUP;
	else if (!(s->flags & TERN_SF_ESTABLISHED))
		return bits | (s->flags & TERN_SF_DEFERRED ? WRITE_BITS : 0u); /* SYN-SENT */
	if (!(bits & TERN_SOCK_IN) &&
	    tern_sock_engine_option(ss, now, s, TERN_SO_UNREAD) >= (int64_t)s->rcvlowat)
		bits |= READ_BITS;
	if ((s->shut & TERN_SHUT_SND) || has_room(ss, now, s))
		bits |= WRITE_BITS;
	if (tern_sock_engine_option(ss, now, s, TERN_SO_URGENT))
		bits |= TERN_SOCK_PRI;
	return bits;
}

static uint32_t poll_dgram(struct tern_socks *ss, uint64_t now, struct tern_sock *s)
{
	uint8_t none;
	int64_t n;

	/* A datagram may be empty, so only a look at it tells whether there is one. */
	n = tern_stack_recvfrom(ss->st, now, s->id, &none, 0, TERN_MSG_PEEK, NULL);
	if (n < 0 && n != -EAGAIN) {
		s->error = (int32_t)-n; /* the look has taken the engine's pending error */
		n = tern_stack_recvfrom(ss->st, now, s->id, &none, 0, TERN_MSG_PEEK, NULL);
	}
	return poll_shut(s) | (n >= 0 ? READ_BITS : 0u) |
	       (s->flags & TERN_SF_NOSPACE ? 0u : WRITE_BITS);
}

uint32_t tern_sock_poll(struct tern_socks *ss, uint64_t now, int fd)
{
	struct tern_sock *s = tern_sock_at(ss, fd);

	if (!s)
		return TERN_SOCK_NVAL;
	tern_sock_poll_events(ss, now);
	if (s->flags & TERN_SF_LISTENING)
		return poll_listener(ss, now, s);
	return tern_sock_is_stream(s) ? poll_stream(ss, now, s) : poll_dgram(ss, now, s);
}

int tern_sock_wait(const struct tern_socks *ss, int fd, enum tern_sock_op op,
		   struct tern_sock_wait *ret_wait)
{
	const struct tern_sock *s = tern_sock_at(ss, fd);
	bool in = op == TERN_SOCK_OP_ACCEPT || op == TERN_SOCK_OP_RECV;

	if (!s)
		return -EBADF;
	ret_wait->bits = TERN_SOCK_ERR | TERN_SOCK_HUP |
			 (in ? TERN_SOCK_IN : (uint32_t)TERN_SOCK_OUT);
	ret_wait->timeout_ns = in ? s->rcvtimeo_ns : s->sndtimeo_ns;
	return 0;
}

size_t tern_sock_rcvlowat(const struct tern_socks *ss, int fd, size_t len)
{
	const struct tern_sock *s = tern_sock_at(ss, fd);
	size_t low = s ? s->rcvlowat : 1;

	low = TERN_MIN(low, len);
	return low ? low : 1;
}
