/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/call.c: the verbs of a socket's life: open, bind, listen, accept, connect, shutdown, close.
 *
 * connect() follows Linux' __inet_stream_connect(). It tells its end exactly once:
 *
 *	UNCONNECTED	starts the open		-> CONNECTING, -EINPROGRESS
 *			or will, by a send	-> CONNECTING, 0 (fastopen.c)
 *	CONNECTING	in SYN-SENT		-> -EALREADY
 *			established		-> CONNECTED, 0
 *			failed			-> UNCONNECTED (renewed), the error; -ECONNABORTED
 *						   where SO_ERROR has told it already
 *	CONNECTED				-> -EISCONN
 *
 * so a caller that waits calls it again when the socket becomes writable.
 *
 * close() with SO_LINGER sends the FIN by a shutdown and keeps the descriptor until the engine's
 * connection has left FIN-WAIT-1, CLOSING and LAST-ACK, or the time is over. Unread data makes
 * close() a reset (RFC 2525 §2.17), which needs no waiting.
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "sock/record.h"
#include "trace/state.h"

static bool protocol_ok(int type, int protocol)
{
	return protocol == 0 ||
	       protocol == (type == TERN_SOCK_STREAM ? TERN_PROTO_TCP : TERN_PROTO_UDP);
}

int tern_sock_open(struct tern_socks *ss, uint64_t now, int domain, int type, int protocol)
{
	struct tern_sock *s;
	tern_id id;
	int err, fd;

	if (domain != TERN_AF_INET && domain != TERN_AF_INET6)
		return -EAFNOSUPPORT;
	if (type != TERN_SOCK_STREAM && type != TERN_SOCK_DGRAM)
		return type < 0 || type > 10 ? -EINVAL : -ESOCKTNOSUPPORT;
	if (!protocol_ok(type, protocol))
		return protocol < 0 || protocol > 255 ? -EINVAL : -EPROTONOSUPPORT;
	fd = tern_sock_alloc(ss);
	if (fd < 0)
		return fd;
	s = &ss->table[fd];
	s->domain = (uint8_t)domain;
	s->type = (uint8_t)type;
	err = tern_stack_open(ss->st, now, type == TERN_SOCK_STREAM ? TERN_STREAM : TERN_DGRAM,
			      domain == TERN_AF_INET ? TERN_INET : TERN_INET6, &id);
	if (err) {
		tern_sock_release(ss, fd);
		return err;
	}
	tern_sock_adopt(ss, now, fd, id);
	return fd;
}

int tern_sock_bind_engine(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
			  const struct tern_endpoint *at)
{
	if (s->kept[TERN_KEPT_FREEBIND])
		return tern_stack_bind_foreign(ss->st, now, s->id, at);
	return tern_stack_bind(ss->st, now, s->id, at);
}

int tern_sock_bind(struct tern_socks *ss, uint64_t now, int fd, const void *addr, uint32_t len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	struct tern_endpoint ep;
	int err;

	if (!s)
		return -EBADF;
	err = tern_sockaddr_read(s->domain, addr, len, &ep);
	if (err)
		return err;
	if ((s->flags & TERN_SF_V6ONLY) && ep.addr.family == TERN_INET)
		return -EINVAL;
	tern_sock_poll_events(ss, now);
	if (s->phase != TERN_PHASE_UNCONNECTED || (s->flags & (TERN_SF_LISTENING | TERN_SF_BOUND)))
		return -EINVAL;
	err = tern_sock_bind_engine(ss, now, s, &ep);
	if (!err) {
		s->bound = ep;
		s->flags |= TERN_SF_BOUND;
	}
	return err;
}

int tern_sock_listen(struct tern_socks *ss, uint64_t now, int fd, int backlog)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	int err;

	if (!s)
		return -EBADF;
	if (!tern_sock_is_stream(s))
		return -EOPNOTSUPP;
	if (s->phase != TERN_PHASE_UNCONNECTED)
		return -EINVAL;
	err = tern_stack_listen(ss->st, now, s->id, backlog);
	if (!err)
		s->flags |= TERN_SF_LISTENING;
	return err;
}

/* What a connection takes from the socket it was accepted on. */
static void inherit(struct tern_sock *s, const struct tern_sock *listener)
{
	s->flags |= listener->flags & TERN_SF_INHERITED;
	s->options = listener->options;
	s->max_seg = listener->max_seg;
	s->switches = listener->switches;
	memcpy(s->kept, listener->kept, sizeof(s->kept));
	s->notsent_lowat = listener->notsent_lowat;
	s->window_clamp = listener->window_clamp;
	s->rcvbuf = listener->rcvbuf;
	s->rcvlowat = listener->rcvlowat;
	s->linger_s = listener->linger_s;
	s->rcvtimeo_ns = listener->rcvtimeo_ns;
	s->sndtimeo_ns = listener->sndtimeo_ns;
	s->domain = listener->domain;
	s->type = listener->type;
	s->phase = TERN_PHASE_CONNECTED;
}

int tern_sock_accept(struct tern_socks *ss, uint64_t now, int fd, void *addr, uint32_t *len)
{
	struct tern_sock *listener = tern_sock_at(ss, fd);
	struct tern_endpoint ep = { 0 };
	tern_id id;
	int err, child;

	if (!listener)
		return -EBADF;
	if (!tern_sock_is_stream(listener))
		return -EOPNOTSUPP;
	if (!(listener->flags & TERN_SF_LISTENING))
		return -EINVAL;
	child = tern_sock_alloc(ss);
	if (child < 0)
		return child;
	tern_sock_poll_events(ss, now);
	err = tern_stack_accept(ss->st, now, listener->id, &id);
	if (err) {
		if (err == -EAGAIN)
			listener->flags &= ~(uint32_t)TERN_SF_ACCEPTABLE;
		tern_sock_release(ss, child);
		return err;
	}
	inherit(&ss->table[child], listener);
	tern_sock_adopt(ss, now, child, id);
	(void)tern_stack_remote(ss->st, id, &ep);
	tern_sockaddr_give(listener->domain, &ep, addr, len);
	return child;
}

int tern_sock_hold(struct tern_socks *ss, uint64_t now, int fd, int n)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	int err;

	if (!s)
		return -EBADF;
	if (n < 0)
		return -EINVAL;
	err = tern_stack_hold(ss->st, now, s->id, (uint32_t)n);
	if (!err)
		s->held = (uint32_t)n;
	return err;
}

static bool has_family(const void *addr, uint32_t len, uint16_t family)
{
	uint16_t value;

	if (len < sizeof(value))
		return false;
	memcpy(&value, addr, sizeof(value));
	return value == family;
}

int tern_sock_connect_end(struct tern_socks *ss, uint64_t now, int fd)
{
	struct tern_sock *s = &ss->table[fd];
	int err;

	if (s->flags & TERN_SF_CLOSED) {
		err = tern_sock_take_error(s);
		(void)tern_sock_renew(ss, now, fd);
		s->phase = TERN_PHASE_UNCONNECTED;
		return err ? err : -ECONNABORTED;
	}
	if (!(s->flags & TERN_SF_ESTABLISHED))
		return -EALREADY;
	s->phase = TERN_PHASE_CONNECTED;
	return 0;
}

static int connect_stream(struct tern_socks *ss, uint64_t now, int fd, struct tern_sock *s,
			  const void *addr, uint32_t len)
{
	struct tern_endpoint ep;
	int err;

	if (s->phase == TERN_PHASE_CONNECTED || (s->flags & TERN_SF_LISTENING))
		return -EISCONN;
	if (s->phase == TERN_PHASE_CONNECTING)
		return s->flags & TERN_SF_DEFERRED ? -EISCONN : tern_sock_connect_end(ss, now, fd);
	err = tern_sockaddr_read(s->domain, addr, len, &ep);
	if (err)
		return err;
	if ((s->flags & TERN_SF_V6ONLY) && ep.addr.family == TERN_INET)
		return -ENETUNREACH;
	err = tern_stack_connect(ss->st, now, s->id, &ep);
	if (err)
		return err;
	s->phase = TERN_PHASE_CONNECTING;
	s->error = 0;
	if ((s->options & UINT64_C(1) << TERN_SO_FASTOPEN_CONNECT) &&
	    tern_sock_engine_option(ss, now, s, TERN_SO_FASTOPEN_DEFERRED)) {
		s->flags |= TERN_SF_DEFERRED;
		return 0;
	}
	return -EINPROGRESS;
}

static int connect_dgram(struct tern_socks *ss, uint64_t now, struct tern_sock *s, const void *addr,
			 uint32_t len)
{
	struct tern_endpoint ep;
	int err = tern_sockaddr_read(s->domain, addr, len, &ep);

	if (err)
		return err;
	if ((s->flags & TERN_SF_V6ONLY) && ep.addr.family == TERN_INET)
		return -ENETUNREACH;
	if (tern_addr_is_v4_broadcast(&ep.addr) && !(s->flags & TERN_SF_BROADCAST))
		return -EACCES;
	err = tern_stack_connect(ss->st, now, s->id, &ep);
	if (!err)
		s->flags |= TERN_SF_ESTABLISHED;
	return err;
}

int tern_sock_connect(struct tern_socks *ss, uint64_t now, int fd, const void *addr, uint32_t len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);

	if (!s)
		return -EBADF;
	tern_sock_poll_events(ss, now);
	if (len < sizeof(uint16_t))
		return -EINVAL;
	if (has_family(addr, len, TERN_AF_UNSPEC))
		return tern_sock_renew(ss, now, fd);
	if (tern_sock_is_stream(s))
		return connect_stream(ss, now, fd, s, addr, len);
	return connect_dgram(ss, now, s, addr, len);
}

/* Only calls are shut, the network goes on. Marked even where the answer is "not connected". */
static int shutdown_dgram(struct tern_sock *s, enum tern_how how)
{
	s->shut |= (uint8_t)(how + 1);
	return s->flags & TERN_SF_ESTABLISHED ? 0 : -ENOTCONN;
}

/*
 * LISTEN ends. The port is kept if bind() was asked for it by number, even where nobody could bind
 * it now: connections may still use it.
 */
static int shutdown_listener(struct tern_socks *ss, uint64_t now, int fd, struct tern_sock *s,
			     enum tern_how how)
{
	if (how == TERN_SHUT_WR)
		return 0;
	if (!s->bound.port)
		return tern_sock_renew(ss, now, fd);
	s->flags &= ~(uint32_t)(TERN_SF_LISTENING | TERN_SF_ACCEPTABLE);
	s->held = 0;
	return tern_stack_shutdown(ss->st, now, s->id, how);
}

static int shutdown_stream(struct tern_socks *ss, uint64_t now, int fd, struct tern_sock *s,
			   enum tern_how how)
{
	if (s->flags & TERN_SF_LISTENING)
		return shutdown_listener(ss, now, fd, s, how);
	if (s->phase == TERN_PHASE_UNCONNECTED || (s->flags & TERN_SF_CLOSED)) {
		s->shut |= (uint8_t)(how + 1);
		return -ENOTCONN;
	}
	if (tern_sock_engine_option(ss, now, s, TERN_SO_STATE) == TERN_SYN_SENT)
		return tern_sock_renew(ss, now, fd); /* the attempt ends */
	s->phase = TERN_PHASE_CONNECTED;
	s->shut |= (uint8_t)(how + 1);
	(void)tern_stack_shutdown(ss->st, now, s->id, how);
	return 0;
}

int tern_sock_shutdown(struct tern_socks *ss, uint64_t now, int fd, int how)
{
	struct tern_sock *s = tern_sock_at(ss, fd);

	if (!s)
		return -EBADF;
	if (how < TERN_SHUT_RD || how > TERN_SHUT_RDWR)
		return -EINVAL;
	tern_sock_poll_events(ss, now);
	if (tern_sock_is_stream(s))
		return shutdown_stream(ss, now, fd, s, (enum tern_how)how);
	return shutdown_dgram(s, (enum tern_how)how);
}

/* Does the engine's connection still owe what SO_LINGER waits for? */
static bool owes(struct tern_socks *ss, uint64_t now, const struct tern_sock *s)
{
	unsigned int state = (unsigned int)tern_sock_engine_option(ss, now, s, TERN_SO_STATE);

	return tern_state_in(state, TERN_STATES(FIN_WAIT_1) | TERN_STATES(CLOSING) |
					    TERN_STATES(LAST_ACK));
}

static bool wants_linger(struct tern_socks *ss, uint64_t now, const struct tern_sock *s)
{
	return tern_sock_is_stream(s) && s->linger_s > 0 &&
	       (s->flags & (TERN_SF_ESTABLISHED | TERN_SF_CLOSED)) == TERN_SF_ESTABLISHED &&
	       tern_sock_engine_option(ss, now, s, TERN_SO_UNREAD) == 0;
}

int tern_sock_close(struct tern_socks *ss, uint64_t now, int fd, uint64_t *ret_until)
{
	struct tern_sock *s = tern_sock_at(ss, fd);

	if (!s)
		return -EBADF;
	tern_sock_poll_events(ss, now);
	if (wants_linger(ss, now, s)) {
		(void)tern_stack_shutdown(ss->st, now, s->id, TERN_SHUT_RDWR);
		s->flags |= TERN_SF_LINGERING;
		s->linger_until = now + (uint64_t)s->linger_s * 1000000000u;
		if (tern_sock_linger(ss, now, fd, false) == -EAGAIN) {
			*ret_until = s->linger_until;
			return -EINPROGRESS;
		}
		return 0;
	}
	(void)tern_stack_close(ss->st, now, s->id);
	tern_sock_release(ss, fd);
	return 0;
}

int tern_sock_linger(struct tern_socks *ss, uint64_t now, int fd, bool give_up)
{
	struct tern_sock *s;

	if (fd < 0 || (uint32_t)fd >= ss->max)
		return -EBADF;
	s = &ss->table[fd];
	if (!(s->flags & TERN_SF_LINGERING))
		return -EBADF;
	if (!give_up && now < s->linger_until && owes(ss, now, s))
		return -EAGAIN;
	(void)tern_stack_close(ss->st, now, s->id);
	tern_sock_release(ss, fd);
	return 0;
}
