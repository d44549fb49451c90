/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_stream.c: bytes between programs and established connections.
 *
 * To the program: what the stack has received is sent into the pair from where it lies, and taken
 * from the stack as far as the pair took it; so what the program does not read fills the stack's
 * receive buffer and closes the window. After the last byte the peer's FIN becomes a shutdown of
 * our end. After an error and what came before it, the pair ends.
 *
 * From the program: all but one byte of what lies in the pair is read, the last one looked at, so
 * that p->tail = 1 byte that was passed on stays unread (see posix/protocol.h). Little is looked at
 * first and thrown away after (two system calls); much is counted first, then read to where the
 * stack wants to have it (three, but one copy). What the stack does not take stays in the pair,
 * where the program finds it full.
 *
 *	news of the pair		what follows
 *	IN				bytes to the stack
 *	READ_END			after them, a FIN
 *	HANGUP, closed			after them, close() of the tern socket
 *	HANGUP, ERROR			it was closed with unread data: a RST, at once (RFC 2525)
 *	HANGUP, not closed		both halves are shut: wait for the next one
 *	OUT				bytes to the program
 *
 * Urgent bytes (RFC 6093) are AF_UNIX' own in the pair. To the program the byte at the mark is sent
 * with MSG_OOB. From it a look ends at a mark, which only those who have said TERN_POSIX_URGENT are
 * watched for: they are never counted first.
 *
 * Our end is watched for room only while it has been full: each byte that a program reads would
 * wake us otherwise.
 *
 * With Fast Open the program may write, shut down and close before the connection stands: a SYN
 * takes what fits, the rest and the end wait for the answer.
 *
 * A program that has shut its reading half down has what comes thrown away, and acknowledged.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "posix/internal.h"
#include "sock/abi.h"

enum {
	LITTLE = 16384, /* bytes: up to here they are copied twice */
	PIECES = 64,
	ROOMS = 16,
};

/* What a step of the pump says. */
enum step {
	STEP_MORE, /* there may be more to do */
	STEP_DONE, /* not now: waits for an event */
	STEP_GONE, /* the record is free */
};

static void clear(struct tern_pair *p, unsigned int bits)
{
	p->bits &= (uint8_t)~bits;
}

/* Our end is full, or, with nothing to send, need not be watched for room. */
static void wait_for_room(struct tern_pair *p)
{
	p->bits |= TERN_PB_PAIR_FULL;
	if (!(p->flags & TERN_PF_WATCH_OUT) && tern_pair_watch(p, true) < 0) {
		clear(p, TERN_PB_PAIR_FULL);
		tern_pair_queue(p);
	}
}

/* Nothing (more) can be sent or received: the pair ends when the program has all that came. */
static enum step fail(struct tern_pair *p, int err)
{
	if (!p->error)
		p->error = err;
	return STEP_DONE;
}

/* The pair did not take what was sent to the program. */
static enum step refused(struct tern_pair *p, int err)
{
	switch (err) {
	case EAGAIN:
		wait_for_room(p);
		return STEP_DONE;
	case EPIPE:
		/* It has closed, which a hang-up will tell, or it reads no more. */
		p->flags |= TERN_PF_DISCARD;
		return p->flags & TERN_PF_SHUT_OP ? STEP_MORE : STEP_DONE;
	case ECONNRESET:
		p->bits |= TERN_PB_HANGUP | TERN_PB_ERROR;
		tern_pair_queue(p);
		return STEP_DONE;
	default: /* no memory */
		tern_pair_queue(p);
		return STEP_DONE;
	}
}

/* The peer's FIN; and an error that came after it, which only writing would meet. */
static void pass_end(struct tern_pair *p)
{
	if (tern_sock_poll(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock) &
	    TERN_SOCK_ERR)
		(void)fail(p, tern_connect_error(p));
	if (p->flags & TERN_PF_FIN_IN)
		return;
	p->flags |= TERN_PF_FIN_IN;
	(void)shutdown(p->fd, SHUT_WR);
}

/*
 * To the program, as much of the pieces as it takes. A byte at the mark is urgent there as well,
 * where the kernel knows how.
 */
static ssize_t send_in(struct tern_pair *p, struct msghdr *msg)
{
	int at = 0, flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	(void)tern_sock_atmark(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock,
			       &at);
	if (TERN_UNLIKELY(at && p->broker->urgent))
		return send(p->fd, msg->msg_iov[0].iov_base, 1, flags | MSG_OOB);
	if (msg->msg_iovlen == 1)
		return send(p->fd, msg->msg_iov[0].iov_base, msg->msg_iov[0].iov_len, flags);
	return sendmsg(p->fd, msg, flags);
}

static enum step pass_in(struct tern_pair *p, size_t *budget)
{
	struct tern_socks *socks = tern_broker_socks(p->broker);
	uint64_t now = tern_broker_now(p->broker);
	struct tern_piece pieces[PIECES];
	struct iovec iov[PIECES];
	struct msghdr msg = { .msg_iov = iov };
	int n = tern_sock_peek_pieces(socks, now, p->sock, pieces, PIECES);
	size_t total = 0;
	ssize_t sent;

	if (n <= 0) {
		clear(p, TERN_PB_SOCK_IN);
		/* An error that a send has met is still to be told: EPIPE says that a FIN was. */
		if (n == 0 && (!p->error || p->error == EPIPE))
			pass_end(p);
		return n == 0 || n == -EAGAIN ? STEP_DONE : fail(p, -n);
	}
	for (; msg.msg_iovlen < (size_t)n && total < *budget; msg.msg_iovlen++) {
		iov[msg.msg_iovlen] =
			(struct iovec){ .iov_base = (void *)(uintptr_t)pieces[msg.msg_iovlen].ptr,
					.iov_len = pieces[msg.msg_iovlen].len };
		total += pieces[msg.msg_iovlen].len;
	}
	if (p->flags & TERN_PF_DISCARD)
		sent = (ssize_t)total;
	else
		sent = send_in(p, &msg);
	if (sent < 0)
		return refused(p, errno);
	(void)tern_sock_consume(socks, now, p->sock, (size_t)sent);
	*budget -= TERN_MIN(*budget, (size_t)sent);
	/* One: that at the mark, perhaps, and there is room for more. */
	if ((size_t)sent == total || sent == 1)
		return STEP_MORE;
	wait_for_room(p);
	return STEP_DONE;
}

/* From the stack to the program. False: the record is free. */
static bool to_program(struct tern_pair *p)
{
	size_t budget = TERN_BROKER_BUDGET;
	enum step step = STEP_MORE;

	while (step == STEP_MORE && (p->bits & TERN_PB_SOCK_IN) && !(p->bits & TERN_PB_PAIR_FULL)) {
		if (!budget) {
			tern_pair_queue(p);
			break;
		}
		step = pass_in(p, &budget);
	}
	/* Nobody needs an edge for each byte read. */
	if (budget == TERN_BROKER_BUDGET && (p->flags & TERN_PF_WATCH_OUT) &&
	    !(p->bits & TERN_PB_PAIR_FULL))
		(void)tern_pair_watch(p, false);
	if (p->error && !(p->bits & TERN_PB_SOCK_IN)) {
		tern_pair_die(p, p->error);
		return false;
	}
	return true;
}

/* What the stack said to bytes of the program's. */
static enum step stack_refused(struct tern_pair *p, int64_t err)
{
	if (err != -EAGAIN && err != -ENOBUFS) {
		p->bits |= TERN_PB_SOCK_IN; /* to see what came before, and end */
		tern_pair_queue(p);
		return fail(p, (int)-err);
	}
	p->bits |= TERN_PB_SOCK_FULL;
	if (err == -ENOBUFS) /* no event will follow */
		tern_pair_queue(p);
	return STEP_DONE;
}

/* Throws away what was passed on, but for the tail. */
static void take_from_pair(struct tern_pair *p, size_t passed)
{
	size_t unread = p->tail + passed;

	p->tail = unread ? 1 : 0;
	if (unread > 1)
		(void)recv(p->fd, p->broker->scratch, unread - 1, MSG_DONTWAIT);
}

static int more(const struct tern_pair *p)
{
	return p->flags & TERN_PF_MORE ? TERN_SOCK_MORE : 0;
}

/* Few bytes: looked at, sent, thrown away. */
static enum step pass_little(struct tern_pair *p, size_t *budget)
{
	struct tern_broker *b = p->broker;
	size_t cap = p->tail + LITTLE, skip, fresh;
	ssize_t n = recv(p->fd, b->scratch, cap, MSG_PEEK | MSG_DONTWAIT);
	int64_t sent = 0;

	if (n <= (ssize_t)p->tail) {
		clear(p, TERN_PB_PAIR_IN);
		return STEP_DONE;
	}
	fresh = (size_t)n - p->tail;
	skip = TERN_MIN((size_t)p->handshakes, fresh);
	if (fresh > skip)
		sent = tern_sock_sendto(tern_broker_socks(b), tern_broker_now(b), p->sock,
					b->scratch + p->tail + skip, fresh - skip, more(p), NULL,
					0);
	p->handshakes = (uint8_t)(p->handshakes - skip);
	take_from_pair(p, skip + (size_t)TERN_MAX(sent, 0));
	if (sent < 0)
		return stack_refused(p, sent);
	*budget -= TERN_MIN(*budget, fresh);
	if ((size_t)sent < fresh - skip)
		return stack_refused(p, -EAGAIN);
	if ((size_t)n == cap) {
		p->flags |= TERN_PF_BULK;
		return STEP_MORE;
	}
	clear(p, TERN_PB_PAIR_IN);
	return STEP_DONE;
}

/*
 * A look ended at the tail, or would begin without one: is there a mark, and the byte at it the
 * next? The tail is taken out to see that.
 */
static bool at_mark(struct tern_pair *p)
{
	int waiting = 0, at = 0;

	if (ioctl(p->fd, FIONREAD, &waiting) < 0 || waiting <= (int)p->tail)
		return false;
	if (p->tail)
		(void)recv(p->fd, p->broker->scratch, p->tail, MSG_DONTWAIT);
	p->tail = 0;
	return ioctl(p->fd, SIOCATMARK, &at) == 0 && at;
}

/* The byte at the mark. */
static enum step pass_urgent(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	int64_t sent;

	if (recv(p->fd, b->scratch, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
		return STEP_DONE;
	sent = tern_sock_sendto(tern_broker_socks(b), tern_broker_now(b), p->sock, b->scratch, 1,
				TERN_SOCK_OOB | more(p), NULL, 0);
	if (sent != 1)
		return stack_refused(p, sent < 0 ? sent : -EAGAIN);
	p->tail = 1;
	return STEP_MORE;
}

/* Who sends urgent data: bytes up to a mark are as any, that at it is not. */
static enum step pass_marked(struct tern_pair *p, size_t *budget)
{
	enum step step;

	if (!p->tail && at_mark(p))
		return pass_urgent(p);
	step = pass_little(p, budget);
	if (step != STEP_DONE || (p->bits & (TERN_PB_PAIR_IN | TERN_PB_SOCK_FULL)) || p->error)
		return step;
	if (at_mark(p))
		step = pass_urgent(p);
	else if (!p->tail)
		step = STEP_MORE;
	if (step == STEP_MORE || (p->bits & TERN_PB_SOCK_FULL))
		p->bits |= TERN_PB_PAIR_IN;
	return step;
}

/* Reads the tail and `total` bytes of the pair's, the last one by looking only. */
static int64_t read_into(struct tern_pair *p, const struct tern_room *rooms, unsigned int n,
			 size_t total)
{
	struct iovec iov[ROOMS + 1] = { { .iov_base = p->broker->scratch, .iov_len = p->tail } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n + 1 };
	size_t want = p->tail + total - 1;
	const struct tern_room *last = &rooms[n - 1];
	ssize_t got = 0;

	for (unsigned int i = 0; i < n; i++)
		iov[i + 1] = (struct iovec){ .iov_base = rooms[i].ptr, .iov_len = rooms[i].len };
	iov[n].iov_len--;
	if (want)
		got = recvmsg(p->fd, &msg, MSG_DONTWAIT);
	if (got < 0 || (size_t)got != want ||
	    recv(p->fd, last->ptr + last->len - 1, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
		return -EIO;
	p->tail = 1;
	return (int64_t)total;
}

/* Many bytes: counted, then read to where the stack keeps them. */
static enum step pass_much(struct tern_pair *p, size_t *budget)
{
	struct tern_socks *socks = tern_broker_socks(p->broker);
	uint64_t now = tern_broker_now(p->broker);
	struct tern_room rooms[ROOMS];
	int waiting = 0, n, flags;
	size_t want, total = 0;
	int64_t got;

	(void)ioctl(p->fd, FIONREAD, &waiting);
	if (waiting < (int)p->tail + LITTLE) {
		p->flags &= (uint16_t)~TERN_PF_BULK;
		return pass_little(p, budget);
	}
	want = TERN_MIN((size_t)waiting - p->tail, *budget);
	n = tern_sock_reserve(socks, now, p->sock, want, rooms, ROOMS);
	if (n <= 0)
		return stack_refused(p, n ? n : -EAGAIN);
	for (int i = 0; i < n; i++)
		total += rooms[i].len;
	/* With more to come, what does not fill a segment waits for it. */
	flags = (size_t)waiting > p->tail + total ? TERN_SOCK_MORE : more(p);
	got = read_into(p, rooms, (unsigned int)n, total);
	(void)tern_sock_commit(socks, now, p->sock, got < 0 ? 0 : (size_t)got, flags);
	if (got < 0)
		return fail(p, EIO);
	*budget -= TERN_MIN(*budget, total);
	return total < want ? stack_refused(p, -EAGAIN) : STEP_MORE;
}

/* Fast Open: its first bytes have gone with the SYN, and that is not answered yet. */
static bool is_opening(const struct tern_pair *p)
{
	return tern_sock_opening(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock);
}

/* From the program to the stack. */
static void from_program(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	size_t budget = TERN_BROKER_BUDGET;
	enum step step = STEP_MORE;

	while (step == STEP_MORE && (p->bits & TERN_PB_PAIR_IN) && !(p->bits & TERN_PB_SOCK_FULL) &&
	       !(p->flags & TERN_PF_FIN_OUT) && !p->error) {
		if (!budget) {
			tern_pair_queue(p);
			return;
		}
		if (TERN_UNLIKELY(p->flags & TERN_PF_URGENT))
			step = pass_marked(p, &budget);
		else if ((p->flags & TERN_PF_BULK) && !p->handshakes)
			step = pass_much(p, &budget);
		else
			step = pass_little(p, &budget);
	}
	if ((p->bits & (TERN_PB_PAIR_IN | TERN_PB_READ_END)) == TERN_PB_READ_END && !p->error &&
	    !(p->flags & (TERN_PF_FIN_OUT | TERN_PF_CLOSED)) && !is_opening(p)) {
		p->flags |= TERN_PF_FIN_OUT;
		(void)tern_sock_shutdown(tern_broker_socks(b), tern_broker_now(b), p->sock,
					 TERN_SHUT_WR);
	}
}

/* The program has closed: what it wrote goes out first. */
static void finish(struct tern_pair *p)
{
	if (!(p->bits & TERN_PB_ERROR))
		from_program(p);
	if (is_opening(p) && !(p->bits & TERN_PB_ERROR) && !(p->flags & TERN_PF_ABORT))
		return;
	if ((p->bits & (TERN_PB_PAIR_IN | TERN_PB_ERROR)) != TERN_PB_PAIR_IN || p->error ||
	    (p->flags & (TERN_PF_FIN_OUT | TERN_PF_ABORT)))
		tern_pair_close(p);
}

static void take_change(struct tern_pair *p)
{
	uint32_t ready;

	clear(p, TERN_PB_CHANGED);
	p->bits |= TERN_PB_SOCK_IN;
	if (!(p->bits & TERN_PB_SOCK_FULL))
		return;
	ready = tern_sock_poll(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock);
	if (ready & (TERN_SOCK_OUT | TERN_SOCK_ERR | TERN_SOCK_HUP))
		clear(p, TERN_PB_SOCK_FULL);
}

void tern_stream_run(struct tern_pair *p)
{
	if (p->bits & TERN_PB_CHANGED)
		take_change(p);
	if ((p->bits & TERN_PB_HANGUP) && !(p->flags & TERN_PF_CLOSED)) {
		if (!tern_pair_is_closed(p)) {
			clear(p, TERN_PB_HANGUP);
		} else {
			p->flags |= TERN_PF_CLOSED;
			tern_pair_begin_linger(p);
		}
	}
	if (p->flags & TERN_PF_CLOSED)
		finish(p);
	else if (to_program(p))
		from_program(p);
}

void tern_stream_begin(struct tern_pair *p)
{
	p->kind = TERN_PAIR_STREAM;
	p->tail = 1;
	p->bits |= TERN_PB_SOCK_IN;
	tern_stream_run(p);
}

void tern_stream_catch_up(struct tern_pair *p)
{
	if (p->kind != TERN_PAIR_STREAM || (p->flags & TERN_PF_CLOSED))
		return;
	p->bits |= TERN_PB_PAIR_IN;
	from_program(p);
}

uint64_t tern_stream_unsent(const struct tern_pair *p)
{
	uint64_t passed = (uint64_t)p->tail + p->handshakes;
	int waiting = 0;

	if (p->error || (p->flags & TERN_PF_FIN_OUT) || ioctl(p->fd, FIONREAD, &waiting) < 0)
		return 0;
	return (uint64_t)waiting > passed ? (uint64_t)waiting - passed : 0;
}

bool tern_stream_is_open(struct tern_pair *p)
{
	return !(tern_sock_poll(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock) &
		 TERN_SOCK_HUP);
}

void tern_fresh_run(struct tern_pair *p)
{
	bool hung_up = p->bits & TERN_PB_HANGUP;

	p->bits = 0;
	if (hung_up && tern_pair_is_closed(p))
		tern_pair_close(p);
}
