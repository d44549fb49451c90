/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_data.c: the calls that move bytes.
 *
 * What is sent is zeros, and what comes is looked at no further than how much there is. A blocking
 * send hands over all, as room comes; a blocking receive returns with the first data, or with
 * MSG_WAITALL and SO_RCVLOWAT with as much as they say. A pipe is a number of bytes, and a file
 * that open() gave has endless zeros.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "sim/drill_internal.h"
#include "sock/abi.h"

enum {
	OPTION_INQ = 36, /* TCP_CM_INQ */
	MSG_FAST = 0x20000000,
};

/* ---- out ---- */

/* The address of sendto(); 0 where there is none, -1 where it is wrong. */
static int target(struct drill *d, const struct drill_fd *fd, const struct drill_transfer *t,
		  uint8_t *addr)
{
	const struct tern_expr *e = t->address;

	if (!e || (e->kind == TERN_EXPR_NUMBER && e->value == 0))
		return 0;
	/* msg_name(...)=... of a connection, and sendto(..., ..., ...) without MSG_FASTOPEN. */
	if (e->kind == TERN_EXPR_ELLIPSIS && !fd->flow->udp && !(t->flags & MSG_FAST))
		return 0;
	return tern_drill_sockaddr(d, e, true, addr);
}

/* A SYN may leave with the data: then it is a connect() as well. */
static void note_fastopen(struct drill *d, struct drill_fd *fd, const uint8_t *addr, int64_t n)
{
	if (n < 0 && n != -EINPROGRESS)
		return;
	fd->flow->remote = (struct tern_endpoint){ d->remote, tern_get_u16(addr + 2) };
	if (fd->flow->phase == DRILL_NEW)
		fd->flow->phase = DRILL_CONNECTING;
	d->under_test = fd->flow;
}

/* Hands over as much of what is left as is taken now. */
static int64_t send_part(struct drill *d, struct drill_call *c, const struct drill_transfer *t,
			 const uint8_t *data, const uint8_t *addr, uint32_t addr_len)
{
	int flags = t->flags & ~(c->begun ? MSG_DONTWAIT | MSG_FAST : MSG_DONTWAIT);
	int64_t n = tern_sock_sendto(d->ss, d->now, c->fd->live, data, (size_t)(t->len - c->count),
				     flags, addr_len ? addr : NULL, addr_len);

	if (flags & MSG_FAST)
		note_fastopen(d, c->fd, addr, n);
	c->begun = true;
	c->count += n > 0 ? (uint64_t)n : 0;
	return n;
}

/* Hands over what is left. True: the call is over. */
static bool send_more(struct drill *d, struct drill_call *c, const struct drill_transfer *t,
		      const uint8_t *data)
{
	uint8_t addr[sizeof(struct tern_sockaddr_in6)];
	int addr_len = target(d, c->fd, t, addr);
	bool wait = !c->fd->nonblock && !(t->flags & MSG_DONTWAIT);
	int64_t n;

	if (addr_len < 0)
		return false;
	for (;;) {
		n = send_part(d, c, t, data, addr, (uint32_t)addr_len);
		if (wait && tern_sock_opening(d->ss, d->now, c->fd->live)) /* Fast Open */
			return tern_drill_wait(d, c, TERN_SOCK_OP_SEND);
		if (n >= 0 && c->count >= t->len)
			return tern_drill_done(c, (int64_t)c->count);
		if (n < 0 && n != -EAGAIN && !(n == -EINPROGRESS && wait))
			return tern_drill_done(c, c->count ? (int64_t)c->count : n);
		if (!wait)
			return tern_drill_done(c, c->count ? (int64_t)c->count : -EAGAIN);
		if (n < 0 || !(tern_sock_poll(d->ss, d->now, c->fd->live) & TERN_SOCK_OUT))
			return tern_drill_wait(d, c, TERN_SOCK_OP_SEND);
	}
}

bool tern_drill_call_send(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	struct drill_transfer t;
	uint8_t *data;

	if (!fd || !tern_drill_transfer(d, c, &t))
		return false;
	if (t.fault)
		return tern_drill_done(c, -EFAULT);
	data = tern_drill_data(d, t.len ? t.len : 1);
	if (!data)
		return false;
	memset(data, 0, (size_t)t.len);
	return send_more(d, c, &t, data);
}

/* ---- in ---- */

/* TCP_CM_INQ: what is left, and one where the end of data is still to be read. */
static bool check_control(struct drill *d, const struct drill_call *c,
			  const struct drill_transfer *t)
{
	const struct tern_expr *list = tern_drill_member(t->message, "msg_control"), *e, *data;
	int64_t type, wanted;
	int left = 0;

	if (!list || list->kind != TERN_EXPR_LIST)
		return true;
	for (e = list->first; e; e = e->next) {
		const struct tern_expr *kind = tern_drill_member(e, "cmsg_type");

		data = tern_drill_member(e, "cmsg_data");
		if (!kind || !data || !tern_drill_number(d, kind, &type))
			return false;
		if (type != OPTION_INQ || !c->fd->inq) {
			tern_drill_fail(d, "there is no such control message");
			return false;
		}
		(void)tern_sock_inq(d->ss, d->now, c->fd->live, &left);
		left += (tern_sock_poll(d->ss, d->now, c->fd->live) & TERN_SOCK_RDHUP) != 0;
		if (!tern_drill_number(d, data, &wanted))
			return false;
		if (wanted != left)
			tern_drill_fail(d, "cmsg_data is %d, not %lld", left, (long long)wanted);
	}
	return true;
}

static bool recv_done(struct drill *d, struct drill_call *c, const struct drill_transfer *t,
		      int64_t n)
{
	if (n >= 0 && t->message && !check_control(d, c, t))
		return false;
	return tern_drill_done(c, n);
}

/* Bytes that a receive waits for. */
static uint64_t least(struct drill *d, const struct drill_fd *fd, const struct drill_transfer *t,
		      bool wait)
{
	if (!wait || fd->flow->udp || (t->flags & (MSG_PEEK | MSG_TRUNC)))
		return 1;
	if (t->flags & MSG_WAITALL)
		return t->len;
	return tern_sock_rcvlowat(d->ss, fd->live, (size_t)t->len);
}

/* A receive into NULL: it is found out when there is something to put there. */
static bool recv_nowhere(struct drill *d, struct drill_call *c)
{
	uint8_t byte;
	int64_t n = tern_sock_recvfrom(d->ss, d->now, c->fd->live, &byte, 1, MSG_PEEK, NULL, NULL);

	return tern_drill_done(c, n > 0 ? -EFAULT : n);
}

bool tern_drill_call_recv(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	struct drill_transfer t;
	uint8_t *data;
	bool wait;
	int64_t n;

	if (!fd || !tern_drill_transfer(d, c, &t))
		return false;
	if (t.fault)
		return recv_nowhere(d, c);
	data = tern_drill_data(d, t.len ? t.len : 1);
	if (!data)
		return false;
	wait = !fd->nonblock && !(t.flags & MSG_DONTWAIT);
	n = tern_sock_recvfrom(d->ss, d->now, fd->live, data, (size_t)(t.len - c->count),
			       t.flags | (wait ? 0 : MSG_DONTWAIT), NULL, NULL);
	c->count += n > 0 ? (uint64_t)n : 0;
	if ((n == -EAGAIN && wait) || (n > 0 && c->count < least(d, fd, &t, wait)))
		return tern_drill_wait(d, c, TERN_SOCK_OP_RECV);
	return recv_done(d, c, &t, c->count ? (int64_t)c->count : n);
}

/* ---- pipes and files ---- */

bool tern_drill_call_open(struct drill *d, struct drill_call *c)
{
	if (!tern_drill_fd_new(d, c->call->result->value, DRILL_FD_FILE))
		return false;
	return tern_drill_done(c, c->call->result->value);
}

bool tern_drill_call_pipe(struct drill *d, struct drill_call *c)
{
	const struct tern_expr *e = tern_drill_arg(c, 0);
	struct drill_pipe *pipe = tern_arena_alloc(&d->script.arena, sizeof(*pipe));
	struct drill_fd *fd;
	int64_t n;

	if (e->kind != TERN_EXPR_LIST || !e->first || !e->first->next) {
		tern_drill_broken(d, e->place, "[FD, FD] expected here");
		return false;
	}
	e = e->first;
	for (int end = 0; end < 2; end++, e = e->next) {
		if (!tern_drill_number(d, e, &n))
			return false;
		fd = tern_drill_fd_new(d, n, DRILL_FD_PIPE);
		if (!fd || !pipe)
			return false;
		fd->end = end;
		fd->pipe = pipe;
	}
	return tern_drill_done(c, 0);
}

/* n zeros to the socket of the call. */
static bool send_zeros(struct drill *d, struct drill_call *c, uint64_t n, int flags)
{
	struct drill_transfer t = { .len = n, .flags = flags };
	uint8_t *data = tern_drill_data(d, n ? n : 1);

	if (!data)
		return false;
	memset(data, 0, (size_t)n);
	return send_more(d, c, &t, data);
}

bool tern_drill_call_sendfile(struct drill *d, struct drill_call *c)
{
	struct drill_fd *to = tern_drill_socket_at(d, c);
	struct drill_fd *from = to ? tern_drill_fd_at(d, c, tern_drill_arg(c, 1)) : NULL;
	int64_t n;

	if (!from || !tern_drill_number(d, tern_drill_arg(c, 3), &n))
		return false;
	if (from->kind != DRILL_FD_FILE || n < 0)
		return tern_drill_done(c, -EINVAL);
	return send_zeros(d, c, (uint64_t)n, 0);
}

static bool splice_in(struct drill *d, struct drill_call *c, struct drill_pipe *pipe, uint64_t n)
{
	uint64_t room = TERN_MIN(n, (uint64_t)(DRILL_PIPE - pipe->bytes));
	uint8_t *data = tern_drill_data(d, room ? room : 1);
	int at_mark = 0;
	int64_t got;

	if (!data)
		return false;
	/* As in Linux: splice() ends at urgent data, and does not wait there. */
	if (!tern_sock_atmark(d->ss, d->now, c->fd->live, &at_mark) && at_mark)
		return tern_drill_done(c, c->fd->nonblock ? -EAGAIN : 0);
	got = tern_sock_recvfrom(d->ss, d->now, c->fd->live, data, (size_t)room, 0, NULL, NULL);
	if (got == -EAGAIN && !c->fd->nonblock)
		return tern_drill_wait(d, c, TERN_SOCK_OP_RECV);
	if (got > 0)
		pipe->bytes += (uint32_t)got;
	return tern_drill_done(c, got);
}

static bool splice_out(struct drill *d, struct drill_call *c, struct drill_pipe *pipe, uint64_t n)
{
	n = TERN_MIN(n, (uint64_t)pipe->bytes);
	if (n == 0 && c->count == 0)
		return tern_drill_done(c, pipe->closed[1] ? 0 : -EAGAIN);
	if (!send_zeros(d, c, n, 0))
		return false;
	if (c->result > 0)
		pipe->bytes -= (uint32_t)c->result;
	return true;
}

bool tern_drill_call_splice(struct drill *d, struct drill_call *c)
{
	struct drill_fd *from = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
	struct drill_fd *to = from ? tern_drill_fd_at(d, c, tern_drill_arg(c, 2)) : NULL;
	int64_t n;

	if (!to || !tern_drill_number(d, tern_drill_arg(c, 4), &n))
		return false;
	if (n < 0 || (from->kind == DRILL_FD_PIPE) == (to->kind == DRILL_FD_PIPE))
		return tern_drill_done(c, -EINVAL);
	c->fd = from->kind == DRILL_FD_PIPE ? to : from;
	if (c->fd->kind != DRILL_FD_SOCKET)
		return tern_drill_done(c, -EINVAL);
	return c->fd == from ? splice_in(d, c, to->pipe, (uint64_t)n)
			     : splice_out(d, c, from->pipe, (uint64_t)n);
}
