/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The calls of tern/stack.h. Each resolves the id, asks the room it belongs to, and carries records
 * between rooms where that is the outcome. No call sends anything: output does.
 *
 * A stream socket is a connection record from open to close. bind writes its local half; listen
 * puts a listener beside it; connect completes the flow; accept hands out a record that syn made.
 * After close the record may live on as an orphan, but its id is dead.
 */
#include <errno.h>

#include "stack/internal.h"

/* The connection record of an id that its application still holds, or NULL. Its index is in id. */
TERN_INLINE struct tern_conn *held_conn(const struct tern_stack *st, tern_id id)
{
	/* The number of an id of another kind is no generation at all. */
	uint32_t gen = (uint32_t)(id >> 32) - ((uint32_t)TERN_ID_CONN << 24);
	struct tern_conn *c = tern_pool_check(&st->tcp.conns, (uint32_t)id, gen);

	return c && (c->flags & TERN_CF_OWNED) ? c : NULL;
}

uint32_t tern_call_conn(const struct tern_stack *st, tern_id id)
{
	return held_conn(st, id) ? (uint32_t)id : 0;
}

static bool is_udp(tern_id id)
{
	return tern_id_kind(id) == TERN_ID_UDP;
}

static int open_stream(struct tern_stack *st, enum tern_family family, tern_id *ret_id)
{
	uint32_t idx = tern_conn_new(&st->tcp, TERN_CLOSED);
	struct tern_conn *c;

	if (!idx)
		return -ENOBUFS;
	c = tern_conn_at(&st->tcp, idx);
	c->flags |= TERN_CF_OWNED;
	c->open_family = (uint8_t)family;
	*ret_id = tern_id_make(TERN_ID_CONN, c->gen, idx);
	return 0;
}

int tern_stack_open(struct tern_stack *st, uint64_t now, enum tern_type type,
		    enum tern_family family, tern_id *ret_id)
{
	tern_tcp_set_now(&st->tcp, now);
	if (family != TERN_INET && family != TERN_INET6)
		return -EAFNOSUPPORT;
	if (type == TERN_DGRAM)
		return tern_udp_open(st, family, ret_id);
	if (type != TERN_STREAM)
		return -EPROTONOSUPPORT;
	return open_stream(st, family, ret_id);
}

/*
 * Is it an address that this socket may have: one of ours, or any if `foreign`, or the wildcard of
 * its family?
 */
static int check_local(const struct tern_stack *st, const struct tern_conn *c,
		       const struct tern_addr *addr, bool foreign)
{
	bool v6 = addr->family == TERN_INET6;

	if (addr->family != TERN_INET && !v6)
		return -EAFNOSUPPORT;
	if (v6 != (c->open_family == TERN_INET6) && (v6 || (c->flags & TERN_CF_V6ONLY)))
		return -EAFNOSUPPORT;
	if (foreign || tern_addr_is_any(addr) || tern_route_is_local(st, addr))
		return 0;
	return -EADDRNOTAVAIL;
}

static int bind_stream(struct tern_stack *st, uint32_t idx, const struct tern_endpoint *local,
		       bool foreign)
{
	struct tern_conn *c = tern_conn_at(&st->tcp, idx);
	struct tern_endpoint at = *local;
	struct tern_flow flow = { .local = at.addr, .remote = tern_addr_any(at.addr.family) };
	bool v6only = c->flags & TERN_CF_V6ONLY;
	unsigned int reuse = tern_conn_reuse(c);
	int err;

	if (c->lport || c->state != TERN_CLOSED)
		return -EINVAL;
	err = check_local(st, c, &at.addr, foreign);
	if (err)
		return err;
	if (!at.port) {
		err = tern_port_choose_bind(st, TERN_PROTO_TCP, &at.addr, &at.port);
		if (err)
			return err;
	} else if (tern_port_bind_conflict(st, TERN_PROTO_TCP, &at, v6only, reuse)) {
		return -EADDRINUSE;
	}
	err = tern_ports_bind(st->ports, idx, &at, v6only, reuse);
	if (err)
		return err;
	c->lport = at.port;
	c->flags |= TERN_CF_BOUND;
	if (at.addr.family == TERN_INET6 && tern_addr_is_any(&at.addr))
		return 0; /* see tern_conn_local() */
	c->family = at.addr.family;
	/* RFC9293:MUST-43 */
	tern_flow_pack(&flow, c->addrs);
	return 0;
}

static int bind_any(struct tern_stack *st, uint64_t now, tern_id id,
		    const struct tern_endpoint *local, bool foreign)
{
	uint32_t idx;

	tern_tcp_set_now(&st->tcp, now);
	if (is_udp(id))
		return tern_udp_bind(st, id, local, foreign);
	idx = tern_call_conn(st, id);
	return idx ? bind_stream(st, idx, local, foreign) : -EBADF;
}

int tern_stack_bind(struct tern_stack *st, uint64_t now, tern_id id,
		    const struct tern_endpoint *local)
{
	return bind_any(st, now, id, local, false);
}

int tern_stack_bind_foreign(struct tern_stack *st, uint64_t now, tern_id id,
			    const struct tern_endpoint *local)
{
	return bind_any(st, now, id, local, true);
}

int tern_stack_listen(struct tern_stack *st, uint64_t now, tern_id id, int backlog)
{
	uint32_t idx = tern_call_conn(st, id);
	struct tern_endpoint local;
	struct tern_conn *c;
	int err;

	tern_tcp_set_now(&st->tcp, now);
	if (is_udp(id))
		return -EOPNOTSUPP;
	if (!idx)
		return -EBADF;
	c = tern_conn_at(&st->tcp, idx);
	if (c->state == TERN_LISTEN) {
		tern_listener_set_backlog(&st->syn, c->listener, backlog);
		return 0;
	}
	if (c->state != TERN_CLOSED || (c->flags & TERN_CF_DEAD))
		return -EINVAL;
	local = tern_conn_local(c);
	if (!c->lport) {
		err = bind_stream(st, idx, &local, false);
		if (err)
			return err;
		local.port = c->lport;
	}
	return tern_listener_open(&st->syn, idx, &local, c->flags & TERN_CF_V6ONLY, backlog);
}

/* May a socket that was opened for the other family reach this one? A bound one its own alone. */
static bool speaks(const struct tern_conn *c, uint8_t family)
{
	return family == TERN_INET && !(c->flags & TERN_CF_V6ONLY);
}

/* Why connect() cannot begin; 0 if it can. */
static int check_connect(const struct tern_stack *st, const struct tern_conn *c,
			 const struct tern_endpoint *remote)
{
	bool known;

	if (c->state == TERN_LISTEN)
		return -EOPNOTSUPP;
	if (c->state == TERN_SYN_SENT || c->state == TERN_SYN_RECEIVED)
		return -EALREADY;
	if (c->state != TERN_CLOSED || (c->flags & TERN_CF_DEAD))
		return -EISCONN;
	if (remote->addr.family != c->open_family && !speaks(c, remote->addr.family))
		return -EAFNOSUPPORT;
	if (c->family && c->family != remote->addr.family)
		return st->ipv6 ? -EAFNOSUPPORT : -ENETUNREACH;
	known = tern_addr_eq(&remote->addr, &st->good_dest);
	/* RFC9293:MUST-46 */
	if (!known && (tern_addr_is_multicast(&remote->addr) || tern_addr_is_any(&remote->addr)))
		return -ENETUNREACH;
	if (!remote->port)
		return -ECONNREFUSED; /* Linux asks the peer, and hears this */
	/* RFC9293:MUST-46 */
	return !known && tern_route_is_broadcast(st, &remote->addr) ? -EACCES : 0;
}

/* The source for a destination that passed check_connect(). Whoever connects does so again. */
static int choose_source(struct tern_stack *st, const struct tern_addr *dest,
			 struct tern_addr *ret_source)
{
	if (TERN_UNLIKELY(!tern_addr_eq(dest, &st->good_dest))) {
		int err = tern_route_source(st, dest, &st->dest_source);

		if (err)
			return err;
		st->good_dest = *dest;
	}
	*ret_source = st->dest_source;
	return 0;
}

/*
 * The local half of the flow: bound before, or chosen now. *ret_tw is a TIME-WAIT to take over,
 * *ret_loopback whether the other half is ours too: it would be its own best source.
 */
static int choose_local(struct tern_stack *st, const struct tern_conn *c, struct tern_flow *flow,
			uint32_t *ret_tw, bool *ret_loopback)
{
	struct tern_endpoint bound;
	/* RFC9293:MUST-44 */
	int err = choose_source(st, &flow->remote, &flow->local);

	if (err)
		return err;
	*ret_loopback = tern_addr_eq(&flow->local, &flow->remote);
	if (!c->lport)
		return tern_port_choose(st, flow, ret_tw);
	bound = tern_conn_local(c);
	/* RFC9293:MUST-43 */
	if (!tern_addr_is_any(&bound.addr))
		flow->local = bound.addr;
	flow->lport = bound.port;
	return tern_route_is_local(st, &flow->local) ? 0 : -EINVAL;
}

/*
 * A bound flow must be free: no connection has it, and a TIME-WAIT only if it may be taken over.
 * A port that was chosen just now has been chosen for that.
 */
static int check_flow(struct tern_stack *st, const struct tern_flow *flow, bool chosen,
		      bool loopback, uint32_t *tw, tern_seq *iss, uint32_t *ts_offset)
{
	uint32_t hash;

	tern_isn_choose(&st->tcp.isn, flow, st->tcp.now, st->knobs.tcp_timestamps, iss, ts_offset);
	if (chosen && !*tw)
		return 0;
	hash = tern_tcp_hash(&st->tcp, flow);
	if (tern_conn_find(&st->tcp, hash, flow) || tern_half_find(&st->syn, hash, flow))
		return -EADDRNOTAVAIL;
	*tw = tern_timewait_find(&st->tw, hash, flow);
	if (*tw && !tern_timewait_may_connect(&st->tw, *tw, loopback, iss, ts_offset))
		return -EADDRNOTAVAIL;
	return 0;
}

static int connect_stream(struct tern_stack *st, uint32_t idx, struct tern_conn *c,
			  const struct tern_endpoint *remote)
{
	struct tern_flow flow = { .remote = remote->addr, .rport = remote->port };
	uint32_t ts_offset, tw = 0, mtu;
	bool loopback;
	tern_seq iss;
	int err = check_connect(st, c, remote);

	if (!err)
		err = choose_local(st, c, &flow, &tw, &loopback);
	if (!err)
		err = check_flow(st, &flow, !c->lport, loopback, &tw, &iss, &ts_offset);
	if (err)
		return err;
	mtu = loopback ? st->cfg.mtu : tern_path_mtu(st, &flow.remote);
	err = tern_tcp_connect(&st->tcp, idx, c, &flow, iss, ts_offset, mtu);
	if (err)
		return err;
	if (c->flags & TERN_CF_BOUND)
		tern_ports_move(st->ports, idx, flow.lport, &flow.local);
	if (tw) {
		tern_count(&st->trace, TERN_CNT_TcpExtTWRecycled);
		tern_timewait_remove(&st->tw, tw);
	}
	return 0;
}

/* As Linux: who asks for no address in particular means this machine, by its first address. */
TERN_COLD static int connect_to_self(struct tern_stack *st, uint32_t idx, struct tern_conn *c,
				     const struct tern_endpoint *remote)
{
	for (unsigned int i = 0; i < st->cfg.addr_count; i++) {
		struct tern_endpoint self = { st->cfg.addrs[i].addr, remote->port };

		if (self.addr.family == remote->addr.family)
			return connect_stream(st, idx, c, &self);
	}
	return -ENETUNREACH;
}

int tern_stack_connect(struct tern_stack *st, uint64_t now, tern_id id,
		       const struct tern_endpoint *remote)
{
	struct tern_conn *c = held_conn(st, id);
	int err;

	tern_tcp_set_now(&st->tcp, now);
	if (!c)
		return is_udp(id) ? tern_udp_connect(st, id, remote) : -EBADF;
	err = connect_stream(st, (uint32_t)id, c, remote);
	if (TERN_UNLIKELY(err == -ENETUNREACH) && tern_addr_is_any(&remote->addr))
		err = connect_to_self(st, (uint32_t)id, c, remote);
	return err;
}

int tern_stack_connect_fastopen(struct tern_stack *st, uint64_t now, tern_id id,
				const struct tern_endpoint *remote)
{
	struct tern_conn *c = held_conn(st, id);
	uint8_t set;
	int err;

	tern_tcp_set_now(&st->tcp, now);
	if (!c)
		return is_udp(id) ? -EOPNOTSUPP : -EBADF;
	if (!(st->knobs.tcp_fastopen & TERN_FASTOPEN_CLIENT))
		return -EOPNOTSUPP;
	set = c->fastopen & TERN_FO_CONNECT;
	c->fastopen |= TERN_FO_CONNECT;
	err = connect_stream(st, (uint32_t)id, c, remote);
	if (!set)
		c->fastopen &= (uint8_t)~TERN_FO_CONNECT;
	return err;
}

/* What happened to a connection since it stands. */
static unsigned int late_news(const struct tern_stack *st, const struct tern_conn *c)
{
	const struct tern_traffic *x = tern_conn_traffic(&st->tcp, c);
	unsigned int bits = 0;

	if (x && x->recv.bytes)
		bits |= TERN_EV_READABLE;
	if (c->flags & TERN_CF_FIN_RCVD)
		bits |= TERN_EV_READABLE | TERN_EV_PEER_CLOSED;
	if (c->flags & TERN_CF_DEAD)
		bits |= TERN_EV_READABLE | TERN_EV_CLOSED;
	if (c->error)
		bits |= TERN_EV_ERROR;
	return bits;
}

/* What happened to a connection before anybody held it is news to who does now. */
static void catch_up(struct tern_stack *st, uint32_t idx, struct tern_conn *c)
{
	unsigned int bits = TERN_EV_CONNECTED | TERN_EV_WRITABLE;

	if (TERN_UNLIKELY(c->traffic || c->state != TERN_ESTABLISHED))
		bits |= late_news(st, c);
	tern_conn_notify(&st->tcp, idx, c, bits);
}

int tern_stack_accept(struct tern_stack *st, uint64_t now, tern_id listener, tern_id *ret_id)
{
	struct tern_conn *c = held_conn(st, listener);
	uint32_t idx;

	tern_tcp_set_now(&st->tcp, now);
	if (!c)
		return is_udp(listener) ? -EOPNOTSUPP : -EBADF;
	if (c->state != TERN_LISTEN)
		return -EINVAL;
	idx = tern_listener_accept(&st->syn, c->listener);
	if (!idx)
		return -EAGAIN;
	c = tern_conn_at(&st->tcp, idx);
	c->flags |= TERN_CF_OWNED;
	*ret_id = tern_id_make(TERN_ID_CONN, c->gen, idx);
	catch_up(st, idx, c);
	return 0;
}

int64_t tern_stack_send(struct tern_stack *st, uint64_t now, tern_id id, const void *data,
			size_t len, unsigned int flags)
{
	tern_tcp_set_now(&st->tcp, now);
	if (held_conn(st, id))
		return tern_tcp_send(&st->tcp, (uint32_t)id, data, len, flags);
	return is_udp(id) ? tern_udp_sendto(st, id, data, len, NULL) : -EBADF;
}

int64_t tern_stack_recv(struct tern_stack *st, uint64_t now, tern_id id, void *data, size_t len,
			unsigned int flags)
{
	tern_tcp_set_now(&st->tcp, now);
	if (held_conn(st, id))
		return tern_tcp_recv(&st->tcp, (uint32_t)id, data, len, flags);
	return is_udp(id) ? tern_udp_recvfrom(st, id, data, len, flags, NULL) : -EBADF;
}

int64_t tern_stack_sendto(struct tern_stack *st, uint64_t now, tern_id id, const void *data,
			  size_t len, const struct tern_endpoint *remote)
{
	uint32_t idx;

	tern_tcp_set_now(&st->tcp, now);
	if (is_udp(id))
		return tern_udp_sendto(st, id, data, len, remote);
	idx = tern_call_conn(st, id);
	if (!idx)
		return -EBADF;
	return remote ? -EISCONN : tern_tcp_send(&st->tcp, idx, data, len, 0);
}

int64_t tern_stack_recvfrom(struct tern_stack *st, uint64_t now, tern_id id, void *data, size_t len,
			    unsigned int flags, struct tern_endpoint *ret_remote)
{
	tern_tcp_set_now(&st->tcp, now);
	if (is_udp(id))
		return tern_udp_recvfrom(st, id, data, len, flags, ret_remote);
	return tern_stack_recv(st, now, id, data, len, flags);
}

/* LISTEN ends; the record stays, CLOSED, and keeps its binding. */
TERN_COLD static void stop_listening(struct tern_stack *st, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(&st->tcp, idx);

	tern_listener_close(&st->syn, c->listener);
	c->listener = 0;
}

int tern_stack_shutdown(struct tern_stack *st, uint64_t now, tern_id id, enum tern_how how)
{
	uint32_t idx;

	tern_tcp_set_now(&st->tcp, now);
	if (is_udp(id))
		return tern_udp_shutdown(st, id, how);
	idx = tern_call_conn(st, id);
	if (!idx)
		return -EBADF;
	if (tern_conn_at(&st->tcp, idx)->state == TERN_LISTEN && how != TERN_SHUT_WR) {
		stop_listening(st, idx);
		return 0;
	}
	return tern_tcp_shutdown(&st->tcp, idx, how);
}

/*
 * What both ways of giving a stream socket up have in common: LISTEN ends, the bound port is let
 * go.
 */
static void release(struct tern_stack *st, uint32_t idx, struct tern_conn *c)
{
	if (c->state == TERN_LISTEN)
		stop_listening(st, idx);
	if (!(c->flags & TERN_CF_BOUND))
		return;
	tern_ports_unbind(st->ports, idx, c->lport);
	c->flags &= ~(uint32_t)TERN_CF_BOUND;
}

int tern_stack_close(struct tern_stack *st, uint64_t now, tern_id id)
{
	struct tern_conn *c = held_conn(st, id);
	uint32_t idx = (uint32_t)id;

	tern_tcp_set_now(&st->tcp, now);
	if (!c)
		return is_udp(id) ? tern_udp_close(st, id) : -EBADF;
	release(st, idx, c);
	tern_stack_move(st, idx, c, tern_tcp_close(&st->tcp, idx, c), false);
	return 0;
}

int tern_stack_abort(struct tern_stack *st, uint64_t now, tern_id id)
{
	struct tern_conn *c = held_conn(st, id);
	uint32_t idx = (uint32_t)id;

	tern_tcp_set_now(&st->tcp, now);
	if (!c)
		return is_udp(id) ? tern_udp_close(st, id) : -EBADF;
	release(st, idx, c);
	tern_tcp_abort(&st->tcp, idx, 0);
	return tern_tcp_close(&st->tcp, idx, c) == TERN_MOVE_NONE ? 0 : -EINVAL;
}

/* Is there a peer that waits for something? In FIN-WAIT-2 only while the socket is held. */
static bool is_awaited(const struct tern_conn *c)
{
	static const uint32_t states = TERN_STATES(SYN_RECEIVED) | TERN_STATES(ESTABLISHED) |
				       TERN_STATES(FIN_WAIT_1) | TERN_STATES(CLOSE_WAIT) |
				       TERN_STATES(CLOSING) | TERN_STATES(LAST_ACK);

	return tern_state_in(c->state, states) ||
	       (c->state == TERN_FIN_WAIT_2 && (c->flags & TERN_CF_OWNED));
}

uint32_t tern_stack_reset(struct tern_stack *st, uint64_t now)
{
	const struct tern_ring *replies = &st->tcp.replies.ring;
	uint32_t count = 0, idx = 0;

	tern_tcp_set_now(&st->tcp, now);
	while (tern_ring_count(replies) < TERN_REPLIES_MAX) {
		idx = tern_pool_next(&st->tcp.conns, idx);
		if (!idx)
			break;
		if (!is_awaited(tern_conn_at(&st->tcp, idx)))
			continue;
		tern_tcp_give_up(&st->tcp, idx);
		count++;
	}
	return count;
}

int tern_stack_option(struct tern_stack *st, uint64_t now, tern_id id, enum tern_option option,
		      int64_t value)
{
	const struct tern_conn *c;
	uint32_t idx;
	int err;

	tern_tcp_set_now(&st->tcp, now);
	if (is_udp(id))
		return tern_udp_set_option(st, id, option, value);
	idx = tern_call_conn(st, id);
	if (!idx)
		return -EBADF;
	err = tern_tcp_set_option(&st->tcp, idx, option, value);
	c = tern_conn_at(&st->tcp, idx);
	if (!err && (option == TERN_SO_REUSEADDR || option == TERN_SO_REUSEPORT) &&
	    (c->flags & TERN_CF_BOUND))
		tern_ports_set_reuse(st->ports, idx, c->lport, tern_conn_reuse(c));
	return err;
}

int tern_stack_get_option(struct tern_stack *st, uint64_t now, tern_id id, enum tern_option option,
			  int64_t *ret_value)
{
	uint32_t idx;

	tern_tcp_set_now(&st->tcp, now);
	if (is_udp(id))
		return tern_udp_get_option(st, id, option, ret_value);
	idx = tern_call_conn(st, id);
	return idx ? tern_tcp_get_option(&st->tcp, idx, option, ret_value) : -EBADF;
}

int tern_stack_fastopen_key(struct tern_stack *st, uint64_t now, tern_id id, const void *keys,
			    size_t len)
{
	uint32_t idx = tern_call_conn(st, id);

	tern_tcp_set_now(&st->tcp, now);
	if (!idx)
		return is_udp(id) ? -EINVAL : -EBADF;
	return tern_fastopen_set_keys(&st->tcp, tern_conn_at(&st->tcp, idx), keys, len);
}

int tern_stack_get_fastopen_key(struct tern_stack *st, uint64_t now, tern_id id, void *keys,
				size_t cap)
{
	uint32_t idx = tern_call_conn(st, id);

	tern_tcp_set_now(&st->tcp, now);
	if (!idx)
		return is_udp(id) ? -EINVAL : -EBADF;
	return (int)tern_fastopen_get_keys(&st->tcp, tern_conn_at(&st->tcp, idx), keys, cap);
}

int tern_stack_set_user(struct tern_stack *st, tern_id id, uint64_t user)
{
	uint32_t idx;

	if (is_udp(id))
		return tern_udp_set_user(st, id, user);
	idx = tern_call_conn(st, id);
	if (!idx)
		return -EBADF;
	tern_conn_at(&st->tcp, idx)->user = user;
	return 0;
}

int tern_stack_local(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_local)
{
	uint32_t idx;

	if (is_udp(id))
		return tern_udp_local(st, id, ret_local);
	idx = tern_call_conn(st, id);
	if (!idx)
		return -EBADF;
	*ret_local = tern_conn_local(tern_conn_at(&st->tcp, idx));
	return 0;
}

int tern_stack_remote(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_remote)
{
	struct tern_flow flow;
	struct tern_conn *c;
	uint32_t idx;

	if (is_udp(id))
		return tern_udp_remote(st, id, ret_remote);
	idx = tern_call_conn(st, id);
	if (!idx)
		return -EBADF;
	c = tern_conn_at(&st->tcp, idx);
	/* accept() tells whom even a connection came from that is dead by then. */
	if (!c->rport || (c->state == TERN_CLOSED && !(c->flags & TERN_CF_PASSIVE)))
		return -ENOTCONN;
	tern_conn_flow(c, &flow);
	*ret_remote = (struct tern_endpoint){ flow.remote, flow.rport };
	return 0;
}

int tern_stack_hold(struct tern_stack *st, uint64_t now, tern_id listener, uint32_t count)
{
	uint32_t idx = tern_call_conn(st, listener);
	const struct tern_conn *c;

	tern_tcp_set_now(&st->tcp, now);
	if (!idx)
		return is_udp(listener) ? -EINVAL : -EBADF;
	c = tern_conn_at(&st->tcp, idx);
	if (c->state != TERN_LISTEN)
		return -EINVAL;
	tern_listener_hold(&st->syn, c->listener, count);
	return 0;
}
