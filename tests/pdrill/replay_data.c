/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that move bytes, and those that tell when they can: see replay.h. Each is handed to the
 * library as the call that it is.
 */
#undef _FILE_OFFSET_BITS /* else sendfile() is called sendfile64() */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/bytes.h"
#include "pdrill/replay.h"
#include "sock/abi.h"

enum {
	WATCHED = 16,
	CONTROL = 256,
	MSG_FAST = 0x20000000,
};

/* Everything that a call which moves bytes may want. */
struct parts {
	struct drill_transfer t;
	uint8_t *buffer; /* NULL where the script says NULL */
	struct iovec iov[2];
	struct msghdr msg;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	uint8_t control[CONTROL];
};

/* False: the arguments are wrong, and that was said. */
static bool gather(struct drill *d, struct drill_call *c, struct parts *p, bool out)
{
	const struct tern_expr *e;
	int len;

	memset(p, 0, sizeof(*p));
	if (!tern_drill_transfer(d, c, &p->t))
		return false;
	if (!p->t.fault) {
		p->buffer = tern_drill_data(d, p->t.len ? p->t.len : 1);
		if (!p->buffer)
			return false;
		memset(p->buffer, 0, p->t.len ? p->t.len : 1);
	}
	p->iov[0] = (struct iovec){ p->buffer, p->t.len / 2 };
	p->iov[1] = (struct iovec){ p->buffer ? p->buffer + p->t.len / 2 : NULL,
				    p->t.len - p->t.len / 2 };
	p->msg.msg_iov = p->iov;
	p->msg.msg_iovlen = 2;
	if (!out) {
		p->msg.msg_control = p->control;
		p->msg.msg_controllen = sizeof(p->control);
		return true;
	}
	e = p->t.address;
	if (!e || (e->kind == TERN_EXPR_NUMBER && e->value == 0) ||
	    (e->kind == TERN_EXPR_ELLIPSIS && !c->fd->flow->udp && !(p->t.flags & MSG_FAST)))
		return true;
	len = tern_drill_sockaddr(d, e, true, (uint8_t *)&p->addr);
	if (len < 0)
		return false;
	p->addr_len = (socklen_t)len;
	p->msg.msg_name = &p->addr;
	p->msg.msg_namelen = p->addr_len;
	return true;
}

/* ---- out ---- */

/* A SYN may leave with the data: then it is a connect() as well. */
static void begin_fastopen(struct drill *d, struct drill_fd *fd, const struct parts *p)
{
	fd->flow->remote =
		(struct tern_endpoint){ d->remote, tern_get_u16((const uint8_t *)&p->addr + 2) };
	if (fd->flow->phase == DRILL_NEW)
		fd->flow->phase = DRILL_CONNECTING;
	d->under_test = fd->flow;
}

static ssize_t hand_over(const struct drill_call *c, struct parts *p)
{
	const struct sockaddr *addr = p->addr_len ? (const struct sockaddr *)(const void *)&p->addr
						  : NULL;
	int fd = c->fd->live;

	switch (c->call->name) {
	case TERN_CALL_WRITE:
		return so.write(so.userdata, fd, p->buffer, p->t.len);
	case TERN_CALL_WRITEV:
		return so.writev(so.userdata, fd, p->iov, 2);
	case TERN_CALL_SEND:
		return so.send(so.userdata, fd, p->buffer, p->t.len, p->t.flags);
	case TERN_CALL_SENDTO:
		return so.sendto(so.userdata, fd, p->buffer, p->t.len, p->t.flags, addr,
				 p->addr_len);
	default:
		return so.sendmsg(so.userdata, fd, &p->msg, p->t.flags);
	}
}

bool replay_send(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	struct parts p;

	if (!fd || !gather(d, c, &p, true))
		return false;
	if (p.t.flags & MSG_FAST && fd->flow->phase == DRILL_NEW)
		begin_fastopen(d, fd, &p);
	replay_begin();
	return tern_drill_done(c, replay_end(hand_over(c, &p)));
}

/* ---- in ---- */

/* The messages that the script lists have to be those that came. */
static void check_control(struct drill *d, const struct parts *p)
{
	const struct tern_expr *list = p->t.message ? tern_drill_member(p->t.message, "msg_control")
						    : NULL;
	struct msghdr msg = p->msg;
	struct cmsghdr *at = CMSG_FIRSTHDR(&msg);
	int64_t type, wanted;
	int got;

	if (!list || list->kind != TERN_EXPR_LIST)
		return;
	for (const struct tern_expr *e = list->first; e; e = e->next) {
		const struct tern_expr *kind = tern_drill_member(e, "cmsg_type");
		const struct tern_expr *data = tern_drill_member(e, "cmsg_data");

		if (!kind || !data || !tern_drill_number(d, kind, &type) ||
		    !tern_drill_number(d, data, &wanted))
			return;
		if (!at || at->cmsg_type != type) {
			tern_drill_fail(d, "there is no such control message");
			return;
		}
		memcpy(&got, CMSG_DATA(at), sizeof(got));
		if (got != wanted)
			tern_drill_fail(d, "cmsg_data is %d, not %lld", got, (long long)wanted);
		at = CMSG_NXTHDR(&msg, at);
	}
}

static ssize_t take(const struct drill_call *c, struct parts *p)
{
	socklen_t len = sizeof(p->addr);
	int fd = c->fd->live;

	switch (c->call->name) {
	case TERN_CALL_READ:
		return so.read(so.userdata, fd, p->buffer, p->t.len);
	case TERN_CALL_READV:
		return so.readv(so.userdata, fd, p->iov, 2);
	case TERN_CALL_RECV:
		return so.recv(so.userdata, fd, p->buffer, p->t.len, p->t.flags);
	case TERN_CALL_RECVFROM:
		return so.recvfrom(so.userdata, fd, p->buffer, p->t.len, p->t.flags,
				   (struct sockaddr *)(void *)&p->addr, &len);
	default:
		return so.recvmsg(so.userdata, fd, &p->msg, p->t.flags);
	}
}

bool replay_recv(struct drill *d, struct drill_call *c)
{
	struct parts p;
	int64_t n;

	if (!tern_drill_socket_at(d, c) || !gather(d, c, &p, false))
		return false;
	replay_begin();
	n = replay_end(take(c, &p));
	if (n >= 0)
		check_control(d, &p);
	return tern_drill_done(c, n);
}

/* ---- pipes and files ---- */

bool replay_open(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_fd_new(d, c->call->result->value, DRILL_FD_FILE);

	if (!fd)
		return false;
	fd->live = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	return tern_drill_done(c, c->call->result->value);
}

/* Past the table, as packetdrill calls it. */
bool replay_sendfile(struct drill *d, struct drill_call *c)
{
	struct drill_fd *to = tern_drill_socket_at(d, c);
	struct drill_fd *from = to ? tern_drill_fd_at(d, c, tern_drill_arg(c, 1)) : NULL;
	off_t off = 0;
	int64_t n;

	if (!from || !tern_drill_number(d, tern_drill_arg(c, 3), &n))
		return false;
	replay_begin();
	return tern_drill_done(c, replay_end(sendfile(to->live, from->live, &off, (size_t)n)));
}

bool replay_pipe(struct drill *d, struct drill_call *c)
{
	const struct tern_expr *e = tern_drill_arg(c, 0)->first;
	int ends[2];
	int64_t n;

	if (so.pipe(so.userdata, ends))
		return tern_drill_done(c, -errno);
	for (int end = 0; end < 2 && e; end++, e = e->next) {
		struct drill_fd *fd;

		if (!tern_drill_number(d, e, &n))
			return false;
		fd = tern_drill_fd_new(d, n, DRILL_FD_PIPE);
		if (!fd)
			return false;
		fd->live = ends[end];
	}
	return tern_drill_done(c, 0);
}

bool replay_splice(struct drill *d, struct drill_call *c)
{
	struct drill_fd *from = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
	struct drill_fd *to = from ? tern_drill_fd_at(d, c, tern_drill_arg(c, 2)) : NULL;
	int64_t n, flags;

	if (!to || !tern_drill_number(d, tern_drill_arg(c, 4), &n) ||
	    !tern_drill_number(d, tern_drill_arg(c, 5), &flags))
		return false;
	replay_begin();
	return tern_drill_done(c, replay_end(so.splice(so.userdata, from->live, NULL, to->live,
						       NULL, (size_t)n, (unsigned int)flags)));
}

/* ---- who is ready ---- */

static bool member(struct drill *d, const struct tern_expr *e, const char *name, int64_t *ret)
{
	const struct tern_expr *m = e->kind == TERN_EXPR_STRUCT ? tern_drill_member(e, name) : NULL;

	if (m)
		return tern_drill_number(d, m, ret);
	tern_drill_broken(d, e->place, "{... %s=...} expected here", name);
	return false;
}

static int live_of(const struct drill *d, int64_t fd)
{
	return fd >= 0 && fd < DRILL_FDS && d->fds[fd].kind != DRILL_FD_NONE ? d->fds[fd].live : -1;
}

bool replay_poll(struct drill *d, struct drill_call *c)
{
	const struct tern_expr *e = tern_drill_arg(c, 0)->first;
	struct pollfd fds[WATCHED];
	int64_t fd, events, wanted, timeout;
	nfds_t n = 0;
	int got;

	if (!tern_drill_number(d, tern_drill_arg(c, 2), &timeout))
		return false;
	for (; e && n < WATCHED; e = e->next, n++) {
		if (!member(d, e, "fd", &fd) || !member(d, e, "events", &events))
			return false;
		fds[n] = (struct pollfd){ .fd = live_of(d, fd), .events = (short)events };
	}
	replay_begin();
	got = (int)replay_end(so.poll(so.userdata, fds, n, (int)timeout));
	n = 0;
	for (e = tern_drill_arg(c, 0)->first; e && n < WATCHED; e = e->next, n++) {
		if (!tern_drill_member(e, "revents"))
			continue;
		if (!member(d, e, "revents", &wanted))
			return false;
		if (fds[n].revents != (short)wanted)
			tern_drill_fail(d, "revents are 0x%x, not 0x%x", fds[n].revents,
					(unsigned int)wanted);
	}
	return tern_drill_done(c, got);
}

bool replay_epoll_create(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd;
	int64_t size;
	int live;

	if (!tern_drill_number(d, tern_drill_arg(c, 0), &size))
		return false;
	live = so.epoll_create(so.userdata,
			       c->call->name == TERN_CALL_EPOLL_CREATE ? (int)size : 1);
	if (live < 0)
		return tern_drill_done(c, -errno);
	fd = tern_drill_fd_new(d, c->call->result->value, DRILL_FD_EPOLL);
	if (!fd)
		return false;
	fd->live = live;
	return tern_drill_done(c, c->call->result->value);
}

static bool read_event(struct drill *d, const struct tern_expr *e, struct epoll_event *ret)
{
	static const char *const names[] = { "fd", "ptr", "u32", "u64", "data" };
	int64_t n;

	memset(ret, 0, sizeof(*ret));
	if (!member(d, e, "events", &n))
		return false;
	ret->events = (uint32_t)n;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(names); i++) {
		if (!tern_drill_member(e, names[i]))
			continue;
		if (!member(d, e, names[i], &n))
			return false;
		ret->data.u64 = (uint64_t)n;
	}
	return true;
}

bool replay_epoll_ctl(struct drill *d, struct drill_call *c)
{
	struct drill_fd *set = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
	const struct tern_expr *e = tern_drill_arg(c, 3);
	struct epoll_event event = { 0 };
	int64_t op, fd;

	if (!set || !tern_drill_number(d, tern_drill_arg(c, 1), &op) ||
	    !tern_drill_number(d, tern_drill_arg(c, 2), &fd) ||
	    (e->kind == TERN_EXPR_STRUCT && !read_event(d, e, &event)))
		return false;
	replay_begin();
	return tern_drill_done(c, replay_end(so.epoll_ctl(so.userdata, set->live, (int)op,
							  live_of(d, fd), &event)));
}

bool replay_epoll_wait(struct drill *d, struct drill_call *c)
{
	struct drill_fd *set = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
	const struct tern_expr *e = tern_drill_arg(c, 1);
	struct epoll_event got[WATCHED], wanted;
	int64_t most, timeout;
	int n;

	if (!set || !tern_drill_number(d, tern_drill_arg(c, 2), &most) ||
	    !tern_drill_number(d, tern_drill_arg(c, 3), &timeout))
		return false;
	replay_begin();
	n = (int)replay_end(so.epoll_wait(so.userdata, set->live, got,
					  (int)TERN_MIN(most, (int64_t)WATCHED), (int)timeout));
	if (e->kind == TERN_EXPR_LIST)
		e = e->first;
	for (int i = 0; i < n && e && e->kind == TERN_EXPR_STRUCT; i++, e = e->next) {
		if (!read_event(d, e, &wanted))
			return false;
		if (wanted.events != got[i].events || wanted.data.u64 != got[i].data.u64)
			tern_drill_fail(d, "the event is 0x%x of %llu", got[i].events,
					(unsigned long long)got[i].data.u64);
	}
	return tern_drill_done(c, n);
}
