/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_accept.c: listening sockets, and how their connections reach the program.
 *
 * A connection is accepted from the stack, gets a pair and goes through the listening pair to
 * whoever calls accept() first. The queue that a busy program fills is to be the stack's, where its
 * limit, its drops and its counters are: so only a few connections are handed over before they are
 * asked for, and those that have not been taken count in the stack's queue (tern_sock_hold).
 *
 * What has been taken, the pair tells: SIOCOUTQ is the memory of all messages in it, each of which
 * takes the same (measured with the first), and an edge says that one has gone.
 *
 * When a listener is closed its connections that nobody has taken are reset, as Linux does. Those
 * in the stack's queue are reset there; of those in the pair, the last ones handed over, the broker
 * knows the ids.
 *
 * A connection is not accepted before there are descriptors for it: two spare ones are given up for
 * the last, and until they are back nothing is accepted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "posix/internal.h"
#include "sock/abi.h"

enum {
	SHARE = 16, /* of the backlog: so much of it may be handed over */
};

struct tern_acceptor {
	struct tern_loopback *loopback;
	unsigned int limit, held; /* handed over and not taken: at most, now */
	int cost;                 /* bytes of a message in the pair; 0: not known */
	uint64_t ids[TERN_BROKER_HELD];
	unsigned int handed; /* ids[] is a ring: so many were put in */
};

struct tern_loopback **tern_accept_loopback(struct tern_pair *p)
{
	return &p->acceptor->loopback;
}

int tern_accept_listen(struct tern_pair *p, int backlog)
{
	struct tern_acceptor *a = p->acceptor;
	unsigned int share = (unsigned int)backlog / SHARE;

	if (p->kind != TERN_PAIR_LISTENER) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		p->acceptor = a;
		p->kind = TERN_PAIR_LISTENER;
		tern_pair_set_narrow(p, false);
		p->broker->listeners++;
		if (tern_pair_watch(p, true) < 0)
			return -ENOBUFS;
	}
	a->limit = TERN_MAX(TERN_MIN(share, (unsigned int)TERN_BROKER_HELD), 1u);
	tern_pair_queue(p);
	return 0;
}

/* Asks the pair how many were not taken. */
static void count_held(struct tern_pair *p)
{
	struct tern_acceptor *a = p->acceptor;
	unsigned int held = 0;
	int bytes = 0;

	if (!a->held)
		return;
	if (ioctl(p->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0)
		held = a->cost ? (unsigned int)((bytes + a->cost - 1) / a->cost) : a->held;
	if (held == a->held)
		return;
	a->held = TERN_MIN(held, a->limit);
	(void)tern_sock_hold(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock,
			     (int)a->held);
}

unsigned int tern_accept_room(struct tern_pair *p)
{
	struct tern_acceptor *a = p->acceptor;

	if (a->held >= a->limit)
		count_held(p);
	return a->limit > a->held ? a->limit - a->held : 0;
}

/* Something was handed over. */
static void count_handed(struct tern_pair *p, uint64_t id)
{
	struct tern_acceptor *a = p->acceptor;

	/* One that lies there alone tells what each costs. It may have been taken already. */
	if (!a->cost && !a->held)
		(void)ioctl(p->fd, SIOCOUTQ, &a->cost);
	a->ids[a->handed++ % TERN_BROKER_HELD] = id;
	a->held++;
	(void)tern_sock_hold(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock,
			     (int)a->held);
}

static int hand(struct tern_pair *p, int fd, const struct tern_posix_accepted *accepted,
		uint64_t id)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)accepted,
			     .iov_len = sizeof(*accepted) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_LEN(sizeof(int)) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(p->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	count_handed(p, id);
	return 0;
}

int tern_accept_hand(struct tern_pair *p, int fd, bool kernel, bool nonblock,
		     const union tern_posix_addr *remote)
{
	struct tern_posix_accepted accepted = { .kernel = kernel,
						.nonblock = nonblock,
						.remote = *remote };

	return hand(p, fd, &accepted, 0);
}

/* Are the spare descriptors there? They are duplicates of the page's. */
static bool has_spares(struct tern_broker *b)
{
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(b->spares); i++) {
		if (b->spares[i] < 0)
			b->spares[i] = fcntl(b->page_fd, F_DUPFD_CLOEXEC, 0);
		if (b->spares[i] < 0)
			return false;
	}
	return true;
}

static void give_spares_up(struct tern_broker *b)
{
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(b->spares); i++) {
		(void)close(b->spares[i]);
		b->spares[i] = -1;
	}
}

static void retry_later(struct tern_broker *b)
{
	b->retry_at =
		TERN_MIN(b->retry_at, tern_host_until(tern_broker_now(b), TERN_BROKER_RETRY_NS));
}

/* The pair of an accepted connection. */
static int make_pair(struct tern_broker *b, const struct tern_pair *listener, int sock,
		     const union tern_posix_addr *remote, struct tern_pair **ret_child,
		     int *ret_end)
{
	union tern_posix_addr local = { 0 };
	uint32_t len = sizeof(local);
	int err;

	(void)tern_sock_getsockname(tern_broker_socks(b), sock, &local, &len);
	err = tern_pair_new(b, sock, listener->domain, SOCK_STREAM, &local, remote, ret_child,
			    ret_end);
	if (err != -EMFILE && err != -ENFILE)
		return err;
	give_spares_up(b);
	return tern_pair_new(b, sock, listener->domain, SOCK_STREAM, &local, remote, ret_child,
			     ret_end);
}

/* Nobody will ever have this connection. */
static void abandon(struct tern_broker *b, int sock)
{
	struct tern_linger none = { .onoff = 1, .seconds = 0 };
	uint64_t now = tern_broker_now(b), until;

	(void)tern_sock_setsockopt(tern_broker_socks(b), now, sock, TERN_ABI_SOL_SOCKET,
				   TERN_ABI_SO_LINGER, &none, sizeof(none));
	(void)tern_sock_close(tern_broker_socks(b), now, sock, &until);
}

/* Accepts one connection and hands it over. False: there is none, or none can be taken now. */
static bool accept_one(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	struct tern_posix_accepted accepted = { 0 };
	uint32_t len = sizeof(accepted.remote);
	struct tern_pair *child;
	int sock, end, err;

	if (!has_spares(b)) {
		retry_later(b);
		return false;
	}
	sock = tern_sock_accept(tern_broker_socks(b), tern_broker_now(b), p->sock, &accepted.remote,
				&len);
	if (sock == -EMFILE)
		retry_later(b);
	if (sock < 0)
		return false;
	err = make_pair(b, p, sock, &accepted.remote, &child, &end);
	if (err) {
		tern_broker_log(b, "a connection is lost: %s", strerror(-err));
		abandon(b, sock);
		return true;
	}
	if (p->flags & TERN_PF_LINGER)
		tern_pair_count_linger(child);
	tern_settings_put_in_line(p->settings, p->settings_len, end);
	err = hand(p, end, &accepted, child->id);
	(void)close(end);
	if (err) {
		tern_broker_log(b, "a connection is lost: %s", strerror(-err));
		child->flags |= TERN_PF_ABORT;
		tern_pair_close(child);
		return true;
	}
	tern_stream_begin(child);
	return true;
}

/* Has nobody taken it? Who does gives his end a name (see posix/protocol.h). */
static bool is_untaken(const struct tern_pair *child)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	return getpeername(child->fd, (struct sockaddr *)&un, &len) == 0 &&
	       len <= offsetof(struct sockaddr_un, sun_path);
}

/* Those that nobody has taken get a RST when their pairs tell that they are gone. */
static void reset_untaken(struct tern_pair *p)
{
	const struct tern_acceptor *a = p->acceptor;

	for (unsigned int i = 1; i <= a->held; i++) {
		uint64_t id = a->ids[(a->handed - i) % TERN_BROKER_HELD];
		struct tern_pair *child = tern_pair_find(p->broker, id);

		if (child && is_untaken(child))
			child->flags |= TERN_PF_ABORT;
	}
}

void tern_accept_run(struct tern_pair *p)
{
	bool hung_up = p->bits & TERN_PB_HANGUP;

	p->bits = 0;
	if (hung_up && tern_pair_is_closed(p)) {
		reset_untaken(p);
		tern_pair_close(p);
		return;
	}
	count_held(p);
	while (tern_accept_room(p) && accept_one(p))
		continue;
	if (p->acceptor->loopback && tern_accept_room(p))
		tern_loopback_room(p);
}

void tern_accept_free(struct tern_pair *p)
{
	tern_loopback_close(p);
	free(p->acceptor);
	p->acceptor = NULL;
	p->broker->listeners--;
}
