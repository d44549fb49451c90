/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_dgram.c: datagrams between programs and the stack.
 *
 * Each message of the pair is a struct tern_posix_dgram and the payload. A datagram leaves the side
 * it comes from only when the other one has taken it: it is looked at (MSG_PEEK), passed on, then
 * thrown away. So a program that does not read fills the stack's receive queue, which drops and
 * counts as UDP does, and one that sends too fast fills the pair and waits in its own send().
 *
 * Errors travel as messages without payload, in order with the datagrams: what ICMP said of a
 * connected socket, and what a datagram turned out to be when it was sent on (no route, too large,
 * not allowed). Linux returns the latter from the very send(); here the call after it tells.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "posix/internal.h"

enum {
	HEAD = sizeof(struct tern_posix_dgram),
	COST = 256, /* bytes of the budget that a datagram costs beside its own */
};

/* Our end takes no more: the edge that says it does is waited for. */
static void wait_for_room(struct tern_pair *p)
{
	p->bits |= TERN_PB_PAIR_FULL;
	/* Without the watch the socket waits for the next event of either side. */
	(void)tern_pair_watch(p, true);
}

/* Passes one message on to the program: 0 or -EAGAIN. One that reads no more has it thrown away. */
static int to_program(struct tern_pair *p, const struct tern_posix_dgram *head, const void *data,
		      size_t len)
{
	struct iovec parts[2] = { { .iov_base = (void *)(uintptr_t)head, .iov_len = HEAD },
				  { .iov_base = (void *)(uintptr_t)data, .iov_len = len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };

	if (sendmsg(p->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : 0;
}

/* The error that waits to be told, if any. False: our end has no room for it now. */
static bool tell_error(struct tern_pair *p)
{
	struct tern_posix_dgram head = { .error = p->error, .magic = TERN_POSIX_DGRAM };

	if (!p->error)
		return true;
	if ((p->bits & TERN_PB_PAIR_FULL) || to_program(p, &head, NULL, 0) == -EAGAIN) {
		wait_for_room(p);
		return false;
	}
	p->error = 0;
	p->broker->page->dgram_error++;
	return true;
}

/* Is this how Linux' send() would have failed, and not a lack of memory, which loses datagrams? */
static bool is_senders_business(int64_t err)
{
	return err != -ENOBUFS && err != -ENOMEM;
}

/*
 * Where a message of the program's in scratch goes to, and where its payload begins. One that was
 * written past the shim has no head, and goes to the connected peer.
 */
static const void *destination(struct tern_broker *b, size_t len, struct tern_posix_dgram *head,
			       uint32_t *ret_addr_len, size_t *ret_start)
{
	*ret_addr_len = 0;
	*ret_start = 0;
	if (len < HEAD)
		return NULL;
	memcpy(head, b->scratch, HEAD);
	if (head->magic != TERN_POSIX_DGRAM)
		return NULL;
	*ret_start = HEAD;
	if (head->remote.any.sa_family == AF_UNSPEC)
		return NULL;
	*ret_addr_len = head->remote.any.sa_family == AF_INET ? sizeof(head->remote.in)
							      : sizeof(head->remote.in6);
	return &head->remote;
}

/*
 * Sends one message of the program's, read into scratch, to where it says. False: the stack takes
 * no more now.
 */
static bool send_one(struct tern_pair *p, size_t len)
{
	struct tern_broker *b = p->broker;
	struct tern_posix_dgram head;
	uint32_t addr_len;
	size_t start;
	const void *addr = destination(b, len, &head, &addr_len, &start);
	int64_t n;

	if (addr && tern_near_is(&head.remote)) {
		n = tern_near_send(p, &head.remote, b->scratch + start, len - start);
		if (n < 0 && is_senders_business(n) && !p->error)
			p->error = (int32_t)-n;
		return true;
	}
	do {
		/* An error that is pending is told; the datagram goes out all the same. */
		n = tern_sock_sendto(tern_broker_socks(b), tern_broker_now(b), p->sock,
				     b->scratch + start, len - start, MSG_DONTWAIT, addr, addr_len);
		if (n == -EAGAIN) {
			p->bits |= TERN_PB_SOCK_FULL;
			return false;
		}
		if (n < 0 && is_senders_business(n) && !p->error)
			p->error = (int32_t)-n;
	} while (n == -ECONNREFUSED);
	return true;
}

/* From the program to the stack, within the budget. */
static void send_out(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	size_t done = 0;

	while ((p->bits & TERN_PB_PAIR_IN) && !(p->bits & TERN_PB_SOCK_FULL)) {
		ssize_t n;

		if (done > TERN_BROKER_BUDGET) {
			tern_pair_queue(p);
			return;
		}
		n = recv(p->fd, b->scratch, sizeof(b->scratch), MSG_PEEK | MSG_DONTWAIT);
		if (n <= 0) { /* nothing, the end, or it closed with datagrams unread */
			p->bits &= (uint8_t)~TERN_PB_PAIR_IN;
			return;
		}
		if (!send_one(p, (size_t)n))
			return;
		(void)recv(p->fd, b->scratch, 0, MSG_DONTWAIT);
		done += (size_t)n + COST;
	}
}

/* From the stack to the program, within the budget. */
static void bring_in(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	struct tern_socks *socks = tern_broker_socks(b);
	size_t done = 0;

	while ((p->bits & TERN_PB_SOCK_IN) && !(p->bits & TERN_PB_PAIR_FULL)) {
		struct tern_posix_dgram head = { .magic = TERN_POSIX_DGRAM };
		uint32_t addr_len = sizeof(head.remote);
		int64_t n;

		if (done > TERN_BROKER_BUDGET) {
			tern_pair_queue(p);
			return;
		}
		n = tern_sock_recvfrom(socks, tern_broker_now(b), p->sock, b->scratch,
				       sizeof(b->scratch), MSG_PEEK | MSG_DONTWAIT, &head.remote,
				       &addr_len);
		if (n == -EAGAIN) {
			p->bits &= (uint8_t)~TERN_PB_SOCK_IN;
			return;
		}
		if (n < 0) {
			p->error = (int32_t)-n;
			if (!tell_error(p))
				return;
			continue;
		}
		if (to_program(p, &head, b->scratch, (size_t)n) == -EAGAIN) {
			wait_for_room(p);
			return;
		}
		(void)tern_sock_recvfrom(socks, tern_broker_now(b), p->sock, b->scratch, 0,
					 MSG_DONTWAIT, NULL, NULL);
		done += (size_t)n + COST;
	}
}

/* From the loopback to the program, within the budget. */
static void bring_near(struct tern_pair *p)
{
	size_t done = 0;

	while (p->near && !(p->bits & TERN_PB_PAIR_FULL)) {
		struct tern_posix_dgram head = { .magic = TERN_POSIX_DGRAM };
		ssize_t n;

		if (done > TERN_BROKER_BUDGET) {
			tern_pair_queue(p);
			return;
		}
		n = tern_near_look(p, &head.remote);
		if (n < 0)
			return;
		if (to_program(p, &head, p->broker->scratch, (size_t)n) == -EAGAIN) {
			wait_for_room(p);
			return;
		}
		tern_near_drop(p);
		done += (size_t)n + COST;
	}
}

void tern_dgram_catch_up(struct tern_pair *p)
{
	p->bits |= TERN_PB_PAIR_IN;
	send_out(p);
}

void tern_dgram_run(struct tern_pair *p)
{
	if (p->bits & TERN_PB_CHANGED) {
		p->bits &= (uint8_t) ~(TERN_PB_CHANGED | TERN_PB_SOCK_FULL);
		p->bits |= TERN_PB_SOCK_IN;
	}
	if (!(p->bits & TERN_PB_PAIR_FULL) && (p->flags & TERN_PF_WATCH_OUT))
		(void)tern_pair_watch(p, false);
	send_out(p);
	if (tell_error(p)) {
		bring_in(p);
		bring_near(p);
	}
	/* Who has closed may have left datagrams that are still to be sent. */
	if ((p->bits & TERN_PB_HANGUP) && !(p->bits & TERN_PB_PAIR_IN) && tern_pair_is_closed(p))
		tern_pair_close(p);
}
