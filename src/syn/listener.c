/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A listener is found by its port: the map's hash is the port alone, and the few listeners of one
 * port (one for each own address, or one wildcard, or one for each family) are looked through.
 * Outsiders cannot add entries, so the hash needs no key. No two of them may cover the same address
 * unless both have SO_REUSEPORT. Then the one that is meant most closely is taken, and of several
 * that are meant alike the one on which the keyed hash of the flow falls: the same one for a SYN
 * that comes again, while another in the group comes or goes as well. Nobody pays for that while no
 * two listeners share anything (sharers).
 *
 * A listener that closes takes everything with it that its application has not accepted: half-open
 * connections are answered by RST, connections are reset. Nobody is left believing in a connection
 * that no application will ever see.
 */
#include <assert.h>
#include <errno.h>

#include "syn/internal.h"
#include "tcp/port.h"
#include "tcp/reset.h"
#include "tcp/state.h"

/* A flood is what these are counted in: what they may weigh (IPv4) is part of the design. */
static_assert(sizeof(struct tern_half) + 8 <= 64, "a half-open connection takes 64 bytes");

static uint32_t port_hash(uint16_t port)
{
	return port * UINT32_C(0x9e3779b1);
}

int tern_syn_init(struct tern_syn *s, struct tern_tcp *tcp, uint32_t listeners_max,
		  uint32_t halfopens_max, size_t addrs_len, uint64_t now)
{
	int err;

	*s = (struct tern_syn){ .tcp = tcp };
	err = tern_pool_init(&s->listeners, tcp->mem, sizeof(struct tern_listener), listeners_max);
	if (!err)
		err = tern_pool_init_bare(&s->halves, tcp->mem,
					  sizeof(struct tern_half) + addrs_len, halfopens_max);
	if (!err)
		err = tern_map_init(&s->listener_map, tcp->mem, listeners_max);
	if (!err)
		err = tern_map_init(&s->half_map, tcp->mem, halfopens_max);
	if (err) {
		tern_syn_free(s);
		return err;
	}
	s->tick = now >> TERN_TICK_SHIFT;
	s->next = UINT64_MAX;
	return 0;
}

void tern_syn_free(struct tern_syn *s)
{
	tern_map_free(&s->half_map);
	tern_map_free(&s->listener_map);
	tern_pool_free(&s->halves);
	tern_pool_free(&s->listeners);
}

/* Does a wildcard of this family take connections to addr? */
static bool wildcard_covers(const struct tern_addr *any, bool v6only, const struct tern_addr *addr)
{
	return any->family == addr->family || (any->family == TERN_INET6 && !v6only);
}

/* Is there an address that both would take? */
static bool overlaps(const struct tern_addr *a, bool a_v6only, const struct tern_addr *b,
		     bool b_v6only)
{
	if (tern_addr_is_any(a) && wildcard_covers(a, a_v6only, b))
		return true;
	if (tern_addr_is_any(b) && wildcard_covers(b, b_v6only, a))
		return true;
	return tern_addr_eq(a, b);
}

bool tern_listener_conflicts(const struct tern_syn *s, const struct tern_endpoint *local,
			     bool v6only, unsigned int reuse)
{
	struct tern_map_it it = tern_map_find(&s->listener_map, port_hash(local->port));

	for (; it.idx; tern_map_next(&s->listener_map, &it)) {
		const struct tern_listener *l = tern_listener_at(s, it.idx);

		if (l->port == local->port && overlaps(&l->addr, l->v6only, &local->addr, v6only) &&
		    !(reuse & tern_conn_reuse(tern_conn_at(s->tcp, l->conn)) & TERN_REUSE_PORT))
			return true;
	}
	return false;
}

/* How closely a listener is meant by a destination address: 0, not at all. */
static unsigned int closeness(const struct tern_listener *l, const struct tern_addr *addr)
{
	/* RFC9293:MUST-43 */
	if (!tern_addr_is_any(&l->addr))
		return tern_addr_eq(&l->addr, addr) ? 3 : 0;
	if (l->addr.family == addr->family)
		return 2;
	return wildcard_covers(&l->addr, l->v6only, addr) ? 1 : 0;
}

/* … where listeners share the port. */
TERN_COLD static uint32_t find_shared(const struct tern_syn *s, const struct tern_addr *addr,
				      uint16_t port, uint32_t hash)
{
	struct tern_map_it it = tern_map_find(&s->listener_map, port_hash(port));
	unsigned int best_close = 0;
	uint32_t best = 0, best_weight = 0;

	for (; it.idx; tern_map_next(&s->listener_map, &it)) {
		const struct tern_listener *l = tern_listener_at(s, it.idx);
		unsigned int close = l->port == port ? closeness(l, addr) : 0;
		uint32_t weight;

		if (!close || close < best_close)
			continue;
		weight = tern_ports_weight(hash, it.idx);
		if (close == best_close && weight <= best_weight)
			continue;
		best = it.idx;
		best_close = close;
		best_weight = weight;
	}
	return best;
}

uint32_t tern_listener_find(const struct tern_syn *s, const struct tern_addr *addr, uint16_t port,
			    uint32_t hash)
{
	struct tern_map_it it;

	if (TERN_UNLIKELY(s->sharers))
		return find_shared(s, addr, port, hash);
	it = tern_map_find(&s->listener_map, port_hash(port));
	for (; it.idx; tern_map_next(&s->listener_map, &it)) {
		const struct tern_listener *l = tern_listener_at(s, it.idx);

		if (l->port == port && closeness(l, addr))
			break;
	}
	return it.idx;
}

/* As Linux: the number is taken as unsigned, so -1 asks for as many as there may be. */
static uint32_t clamp_backlog(const struct tern_syn *s, int backlog)
{
	return TERN_MIN((uint32_t)backlog, s->tcp->knobs->somaxconn);
}

int tern_listener_open(struct tern_syn *s, uint32_t conn, const struct tern_endpoint *local,
		       bool v6only, int backlog)
{
	struct tern_listener *l;
	uint32_t idx;
	int err;

	/* RFC9293:MUST-41 */
	if (tern_listener_conflicts(s, local, v6only, tern_conn_reuse(tern_conn_at(s->tcp, conn))))
		return -EADDRINUSE;
	idx = tern_pool_get(&s->listeners);
	if (!idx) {
		tern_count(s->tcp->trace, TERN_CNT_TernAllocFailures);
		return -ENOBUFS;
	}
	l = tern_listener_at(s, idx);
	l->conn = conn;
	l->port = local->port;
	l->addr = local->addr;
	l->v6only = v6only;
	l->shares = tern_listener_conflicts(s, local, v6only, 0);
	s->sharers += l->shares;
	l->backlog = clamp_backlog(s, backlog);
	err = tern_map_insert(&s->listener_map, port_hash(l->port), idx);
	assert(!err); /* it has room for as many as the pool */
	tern_conn_at(s->tcp, conn)->listener = idx;
	tern_fastopen_listen(s->tcp, tern_conn_at(s->tcp, conn), l->backlog);
	tern_conn_set_state(s->tcp, tern_conn_at(s->tcp, conn), TERN_LISTEN);
	return 0;
}

void tern_listener_set_backlog(struct tern_syn *s, uint32_t listener, int backlog)
{
	tern_listener_at(s, listener)->backlog = clamp_backlog(s, backlog);
}

void tern_listener_hold(struct tern_syn *s, uint32_t listener, uint32_t count)
{
	/* No more than this, so that sums of it do not wrap. */
	tern_listener_at(s, listener)->held = TERN_MIN(count, UINT32_MAX / 2);
}

/* The reset of a half-open connection, where more are due than the ring of replies holds. */
static void owe_reset(struct tern_tcp *t, const struct tern_half *h, const struct tern_conn *parent,
		      const struct tern_flow *flow)
{
	struct tern_reset reset = { .seq = h->iss + 1,
				    .ack = h->irs + 1,
				    .ttl = parent->ttl,
				    .tos = parent->tos };

	tern_tcp_owe_reset(t, flow, &reset);
}

/* Half-open connections are told and forgotten. */
static void drop_halves(struct tern_syn *s, struct tern_listener *l)
{
	const struct tern_conn *parent = tern_conn_at(s->tcp, l->conn);

	while (l->synq.head) {
		uint32_t idx = l->synq.head;
		struct tern_half *h = tern_half_at(s, idx);
		struct tern_flow flow;

		tern_half_flow(h, &flow);
		if (tern_replies_full(&s->tcp->replies))
			owe_reset(s->tcp, h, parent, &flow);
		else
			tern_half_send_reset(s, h, parent, &flow);
		tern_count(s->tcp->trace, TERN_CNT_TcpAttemptFails);
		tern_half_remove(s, idx, h, l, tern_tcp_hash(s->tcp, &flow));
	}
}

/* Connections that nobody accepted are reset; one that is CLOSED already has nobody to be told. */
static void drop_children(struct tern_syn *s, const struct tern_listener *l)
{
	while (l->acceptq.head) {
		uint32_t idx = l->acceptq.head;

		tern_listener_forget(s, idx);
		if (tern_conn_at(s->tcp, idx)->state == TERN_CLOSED)
			tern_conn_free(s->tcp, idx);
		else
			tern_tcp_abort(s->tcp, idx, ECONNABORTED);
	}
}

void tern_listener_close(struct tern_syn *s, uint32_t listener)
{
	struct tern_listener *l = tern_listener_at(s, listener);

	drop_halves(s, l);
	drop_children(s, l);
	s->sharers -= l->shares;
	tern_conn_at(s->tcp, l->conn)->listener = 0;
	tern_conn_set_state(s->tcp, tern_conn_at(s->tcp, l->conn), TERN_CLOSED);
	tern_map_remove(&s->listener_map, port_hash(l->port), listener);
	tern_pool_put(&s->listeners, listener);
}

void tern_listener_count_drop(struct tern_syn *s, uint32_t listener)
{
	tern_listener_at(s, listener)->drops++;
	tern_count(s->tcp->trace, TERN_CNT_TcpExtListenDrops);
}

void tern_listener_count_overflow(struct tern_syn *s, uint32_t listener)
{
	tern_listener_at(s, listener)->overflows++;
	tern_count(s->tcp->trace, TERN_CNT_TcpExtListenOverflows);
	tern_listener_count_drop(s, listener);
}

void tern_listener_describe(const struct tern_syn *s, uint32_t listener,
			    struct tern_socket_info *ret)
{
	const struct tern_listener *l = tern_listener_at(s, listener);

	ret->has |= TERN_INFO_LISTEN;
	ret->recv_q = l->acceptq.count + l->held;
	ret->send_q = l->backlog;
	ret->synq = l->synq.count;
	ret->synq_max = TERN_MIN(l->backlog, s->tcp->knobs->tcp_max_syn_backlog);
	ret->acceptq = l->acceptq.count + l->held;
	ret->acceptq_max = l->backlog;
	ret->listen_drops = l->drops;
	ret->listen_overflows = l->overflows;
}
