/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_socket.c: the calls that make, name, join and end sockets.
 *
 * Where the script writes "..." for an address it is the usual one: bind() takes our address and
 * --bind_port, connect() the peer's and --connect_port. Descriptors are the script's: what a call
 * is expected to return becomes the number of what it did return.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "sim/drill_internal.h"
#include "sock/abi.h"

/* ---- addresses ---- */

/* An endpoint as sockaddr_in, or as sockaddr_in6 where the script's sockets are of that family. */
static int put_endpoint(const struct drill *d, const struct tern_endpoint *ep, uint8_t *to)
{
	struct tern_sockaddr_in6 in6 = { .family = TERN_AF_INET6 };
	struct tern_sockaddr_in in = { .family = TERN_AF_INET };

	if (d->script.options.version == TERN_SCRIPT_IPV4) {
		tern_put_u16(in.port, ep->port);
		memcpy(in.addr, ep->addr.b, 4);
		memcpy(to, &in, sizeof(in));
		return sizeof(in);
	}
	tern_put_u16(in6.port, ep->port);
	memcpy(in6.addr, ep->addr.b, 16);
	if (ep->addr.family == TERN_INET) {
		memset(in6.addr, 0, 16);
		if (!tern_addr_is_any(&ep->addr)) {
			in6.addr[10] = in6.addr[11] = 0xff;
			memcpy(in6.addr + 12, ep->addr.b, 4);
		}
	}
	memcpy(to, &in6, sizeof(in6));
	return sizeof(in6);
}

static const struct tern_expr *first_of(const struct tern_expr *e, const char *a, const char *b)
{
	const struct tern_expr *found = tern_drill_member(e, a);

	return found ? found : tern_drill_member(e, b);
}

/* inet_addr("192.0.2.1"), INADDR_ANY. */
static bool read_addr(struct drill *d, const struct tern_expr *e, struct tern_addr *addr)
{
	char text[64];

	if (e->kind == TERN_EXPR_NUMBER) {
		*addr = tern_addr_any(TERN_INET);
		tern_put_u32(addr->b, (uint32_t)e->value);
		return true;
	}
	if (e->kind == TERN_EXPR_STRING && e->length < sizeof(text)) {
		memcpy(text, e->text, e->length);
		text[e->length] = '\0';
		if (tern_addr_parse(text, addr) == 0)
			return true;
	}
	tern_drill_broken(d, e->place, "an address expected here");
	return false;
}

/* {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")} */
static int read_struct(struct drill *d, const struct tern_expr *e, bool remote, uint8_t *to)
{
	const struct tern_expr *family = first_of(e, "sa_family", "sin_family");
	const struct tern_expr *port = first_of(e, "sin_port", "sin6_port");
	const struct tern_expr *addr = first_of(e, "sin_addr", "sin6_addr");
	struct tern_endpoint ep = { remote ? d->remote : d->local, 0 };
	uint16_t wanted;
	int64_t n;
	int len;

	if (port && (!tern_drill_number(d, port, &n)))
		return -1;
	ep.port = port     ? (uint16_t)n
		  : remote ? d->script.options.connect_port
			   : d->script.options.bind_port;
	if (addr && addr->kind != TERN_EXPR_ELLIPSIS && !read_addr(d, addr, &ep.addr))
		return -1;
	len = put_endpoint(d, &ep, to);
	if (family && family->kind == TERN_EXPR_NUMBER) {
		wanted = (uint16_t)family->value;
		memcpy(to, &wanted, sizeof(wanted));
	}
	return len;
}

int tern_drill_sockaddr(struct drill *d, const struct tern_expr *e, bool remote, uint8_t *to)
{
	const struct tern_script_options *o = &d->script.options;
	struct tern_endpoint ep = { remote ? d->remote : d->local,
				    remote ? o->connect_port : o->bind_port };
	uint16_t family;

	memset(to, 0, sizeof(struct tern_sockaddr_in6));
	if (e->kind == TERN_EXPR_ELLIPSIS)
		return put_endpoint(d, &ep, to);
	if (e->kind == TERN_EXPR_STRUCT)
		return read_struct(d, e, remote, to);
	if (e->kind != TERN_EXPR_NUMBER) {
		tern_drill_broken(d, e->place, "an address expected here: ... or {sa_family=...}");
		return -1;
	}
	family = (uint16_t)e->value; /* connect(3, AF_UNSPEC, ...) */
	memcpy(to, &family, sizeof(family));
	return sizeof(struct tern_sockaddr_in);
}

/* The address and its length, as bind() and connect() take them. False: the call has ended. */
static bool read_address(struct drill *d, struct drill_call *c, bool remote, uint8_t *to,
			 uint32_t *ret_len)
{
	const struct tern_expr *length = tern_drill_arg(c, 2);
	int len = tern_drill_sockaddr(d, tern_drill_arg(c, 1), remote, to);
	int64_t n = len;

	if (len < 0 || (length->kind != TERN_EXPR_ELLIPSIS && !tern_drill_number(d, length, &n)))
		return false;
	*ret_len = n < 0 || n > (int64_t)sizeof(struct tern_sockaddr_in6) ? (uint32_t)len
									  : (uint32_t)n;
	return true;
}

/* ---- making and joining ---- */

bool tern_drill_call_socket(struct drill *d, struct drill_call *c)
{
	const struct tern_expr *domain = tern_drill_arg(c, 0);
	int64_t family = d->script.options.version == TERN_SCRIPT_IPV4 ? AF_INET : AF_INET6;
	int64_t type, protocol;
	struct drill_fd *fd;
	int live;

	if ((domain->kind != TERN_EXPR_ELLIPSIS && !tern_drill_number(d, domain, &family)) ||
	    !tern_drill_number(d, tern_drill_arg(c, 1), &type) ||
	    !tern_drill_number(d, tern_drill_arg(c, 2), &protocol))
		return false;
	live = tern_sock_open(d->ss, d->now, (int)family,
			      (int)type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), (int)protocol);
	if (live < 0)
		return tern_drill_done(c, live);
	fd = tern_drill_fd_new(d, c->call->result->value, DRILL_FD_SOCKET);
	if (!fd)
		return false;
	fd->live = live;
	fd->nonblock = type & SOCK_NONBLOCK;
	fd->flow = tern_drill_flow_new(d, DRILL_NEW);
	if (!fd->flow)
		return false;
	fd->flow->fd = (int)c->call->result->value;
	fd->flow->udp = (type & 0xf) == SOCK_DGRAM;
	if (fd->flow->udp)
		fd->flow->remote.port = d->script.options.connect_port;
	if (!d->under_test || fd->flow->udp)
		d->under_test = fd->flow;
	return tern_drill_done(c, c->call->result->value);
}

static bool read_port(struct drill *d, struct drill_fd *fd)
{
	struct tern_endpoint ep;

	if (tern_stack_local(d->st, tern_sock_id(d->ss, fd->live), &ep) < 0)
		return false;
	fd->flow->local.port = ep.port;
	return true;
}

bool tern_drill_call_bind(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	uint8_t addr[sizeof(struct tern_sockaddr_in6)];
	uint32_t len;
	int err;

	if (!fd || !read_address(d, c, false, addr, &len))
		return false;
	err = tern_sock_bind(d->ss, d->now, fd->live, addr, len);
	if (!err)
		(void)read_port(d, fd);
	return tern_drill_done(c, err);
}

bool tern_drill_call_listen(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	int64_t backlog;
	int err;

	if (!fd || !tern_drill_number(d, tern_drill_arg(c, 1), &backlog))
		return false;
	err = tern_sock_listen(d->ss, d->now, fd->live, (int)backlog);
	if (!err) {
		fd->flow->phase = DRILL_LISTENING;
		d->under_test = fd->flow;
		(void)read_port(d, fd);
	}
	return tern_drill_done(c, err);
}

/* The connection that accept() gave gets its descriptor. */
static bool accepted(struct drill *d, struct drill_call *c, int live)
{
	struct tern_endpoint remote = { 0 };
	struct drill_fd *fd;
	int64_t flags = 0;

	tern_drill_fd_give_up(d, c->call->result->value);
	fd = tern_drill_fd_new(d, c->call->result->value, DRILL_FD_SOCKET);
	if (!fd)
		return false;
	if (c->call->name == TERN_CALL_ACCEPT4 &&
	    !tern_drill_number(d, tern_drill_arg(c, 3), &flags))
		return false;
	fd->live = live;
	fd->nonblock = flags & SOCK_NONBLOCK;
	(void)tern_stack_remote(d->st, tern_sock_id(d->ss, live), &remote);
	for (struct drill_flow *flow = d->flows; flow; flow = flow->next)
		if (flow->remote.port == remote.port && flow->phase >= DRILL_PACKET_RECEIVED &&
		    flow->phase < DRILL_CONNECTING && flow->fd < 0)
			fd->flow = flow;
	if (!fd->flow) {
		tern_drill_fail(d, "the connection that accept() gave is not one of the script's");
		return false;
	}
	fd->flow->fd = (int)c->call->result->value;
	return tern_drill_done(c, c->call->result->value);
}

bool tern_drill_call_accept(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	int live;

	if (!fd)
		return false;
	live = tern_sock_accept(d->ss, d->now, fd->live, NULL, NULL);
	if (live >= 0)
		return accepted(d, c, live);
	if (live == -EAGAIN && !fd->nonblock)
		return tern_drill_wait(d, c, TERN_SOCK_OP_ACCEPT);
	return tern_drill_done(c, live);
}

static void note_connect(struct drill *d, struct drill_fd *fd, const uint8_t *addr)
{
	struct tern_endpoint remote;

	if (tern_stack_remote(d->st, tern_sock_id(d->ss, fd->live), &remote) == 0)
		fd->flow->remote = remote;
	else
		fd->flow->remote = (struct tern_endpoint){ d->remote, tern_get_u16(addr + 2) };
	if (fd->flow->udp)
		(void)read_port(d, fd);
	else if (fd->flow->phase == DRILL_NEW || fd->flow->phase == DRILL_LISTENING)
		fd->flow->phase = DRILL_CONNECTING;
	d->under_test = fd->flow;
}

/* A connect() after AF_UNSPEC, or after one that failed, is of a new connection. */
static bool renew_flow(struct drill *d, struct drill_fd *fd)
{
	struct drill_flow *flow;

	if (fd->flow->udp || fd->flow->phase == DRILL_NEW)
		return true;
	flow = tern_drill_flow_new(d, DRILL_NEW);
	if (!flow)
		return false;
	flow->fd = fd->flow->fd;
	fd->flow = flow;
	return true;
}

bool tern_drill_call_connect(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	uint8_t addr[sizeof(struct tern_sockaddr_in6)];
	uint16_t family;
	uint32_t len;
	int err;

	if (!fd || !read_address(d, c, true, addr, &len))
		return false;
	memcpy(&family, addr, sizeof(family));
	err = tern_sock_connect(d->ss, d->now, fd->live, addr, len);
	if (!c->begun && (err == -EINPROGRESS || (err == 0 && family != AF_UNSPEC))) {
		if (err == -EINPROGRESS && !renew_flow(d, fd))
			return false;
		note_connect(d, fd, addr);
	}
	c->begun = true;
	if ((err == -EINPROGRESS || err == -EALREADY) && !fd->nonblock)
		return tern_drill_wait(d, c, TERN_SOCK_OP_CONNECT);
	return tern_drill_done(c, err);
}

/* ---- ending ---- */

bool tern_drill_call_shutdown(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	int64_t how;

	if (!fd || !tern_drill_number(d, tern_drill_arg(c, 1), &how))
		return false;
	return tern_drill_done(c, tern_sock_shutdown(d->ss, d->now, fd->live, (int)how));
}

/* SO_LINGER: the socket lives on behind its descriptor until it is sent, or time is over. */
static bool close_socket(struct drill *d, struct drill_call *c)
{
	uint64_t until = 0;
	int err;

	if (!c->begun) {
		err = tern_sock_close(d->ss, d->now, c->fd->live, &until);
		c->begun = true;
		c->deadline = until;
	} else {
		err = tern_sock_linger(d->ss, d->now, c->fd->live, d->now >= c->deadline);
	}
	if ((err == -EINPROGRESS || err == -EAGAIN) && c->fd->nonblock)
		err = tern_sock_linger(d->ss, d->now, c->fd->live, true);
	if ((err == -EINPROGRESS || err == -EAGAIN) && d->now < c->deadline)
		return false;
	return tern_drill_done(c, err == -EAGAIN || err == -EINPROGRESS || err == -ETIMEDOUT ? 0
											     : err);
}

bool tern_drill_call_close(struct drill *d, struct drill_call *c)
{
	if (!c->fd) {
		c->fd = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
		if (!c->fd)
			return false;
		tern_drill_epoll_forget(d, (int)(c->fd - d->fds));
	}
	if (c->fd->kind == DRILL_FD_SOCKET && !close_socket(d, c))
		return false;
	if (c->fd->kind == DRILL_FD_PIPE)
		c->fd->pipe->closed[c->fd->end] = true;
	if (c->fd->kind != DRILL_FD_SOCKET)
		(void)tern_drill_done(c, 0);
	c->fd->kind = DRILL_FD_NONE;
	return true;
}

/* ---- flags and names ---- */

bool tern_drill_call_fcntl(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
	int64_t cmd, flags = 0;

	if (!fd || !tern_drill_number(d, tern_drill_arg(c, 1), &cmd) ||
	    (tern_drill_arg(c, 2) && !tern_drill_number(d, tern_drill_arg(c, 2), &flags)))
		return false;
	switch (cmd) {
	case F_GETFL:
		return tern_drill_done(c, O_RDWR | (fd->nonblock ? O_NONBLOCK : 0));
	case F_SETFL:
		fd->nonblock = flags & O_NONBLOCK;
		return tern_drill_done(c, 0);
	case F_GETFD:
	case F_SETFD:
		return tern_drill_done(c, 0);
	default:
		return tern_drill_done(c, -EINVAL);
	}
}

/* The number that a call gave out is the one in the argument. */
static bool compare(struct drill *d, struct drill_call *c, const struct tern_expr *e, int64_t got)
{
	int64_t wanted;

	if (e->kind == TERN_EXPR_ELLIPSIS)
		return tern_drill_done(c, 0);
	if (!tern_drill_number(d, e, &wanted))
		return false;
	if (wanted != got)
		tern_drill_fail(d, "the call gave %lld, not %lld", (long long)got,
				(long long)wanted);
	return tern_drill_done(c, 0);
}

bool tern_drill_call_ioctl(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	const struct tern_expr *e = tern_drill_arg(c, 2);
	int64_t cmd, n;
	int got = 0, err = -EINVAL;

	if (!fd || !tern_drill_number(d, tern_drill_arg(c, 1), &cmd))
		return false;
	if (!e) {
		tern_drill_broken(d, c->event->place, "ioctl() wants a third argument");
		return false;
	}
	switch (cmd) {
	case FIONBIO:
		if (!tern_drill_number(d, e, &n))
			return false;
		fd->nonblock = n != 0;
		return tern_drill_done(c, 0);
	case SIOCINQ:
		err = tern_sock_inq(d->ss, d->now, fd->live, &got);
		break;
	case SIOCOUTQ:
		err = tern_sock_outq(d->ss, d->now, fd->live, &got);
		break;
	case SIOCOUTQNSD:
		err = tern_sock_outqnsd(d->ss, d->now, fd->live, &got);
		break;
	case SIOCATMARK:
		err = tern_sock_atmark(d->ss, d->now, fd->live, &got);
		break;
	default:
		break;
	}
	return err ? tern_drill_done(c, err) : compare(d, c, e, got);
}

/* getsockname, getpeername: what comes out is compared as far as the script says it. */
bool tern_drill_call_name(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	const struct tern_expr *e = tern_drill_arg(c, 1);
	bool peer = c->call->name == TERN_CALL_GETPEERNAME;
	uint8_t got[sizeof(struct tern_sockaddr_in6)], wanted[sizeof(got)];
	uint32_t len = sizeof(got);
	int err;

	if (!fd)
		return false;
	err = peer ? tern_sock_getpeername(d->ss, fd->live, got, &len)
		   : tern_sock_getsockname(d->ss, fd->live, got, &len);
	if (err || e->kind == TERN_EXPR_ELLIPSIS)
		return tern_drill_done(c, err);
	if (tern_drill_sockaddr(d, e, peer, wanted) < 0)
		return false;
	if (memcmp(got, wanted, len) != 0)
		tern_drill_fail(d, "the call gave another address (port %u)",
				tern_get_u16(got + 2));
	return tern_drill_done(c, 0);
}
