/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A listener is found by its port: the map's hash is the port alone, and the few listeners of one
 * port (one for each own address, or one wildcard, or one for each family) are looked through.
 * Since no two of them may cover the same address, at most one matches a destination, and there is
 * no "best" among several. Outsiders cannot add entries, so the hash needs no key.
 *
 * A listener that closes takes everything with it that its application has not accepted: half-open
 * connections are answered by RST, connections are reset. Nobody is left believing in a connection
 * that no application will ever see.
 */
#include <assert.h>
#include <errno.h>

#include "syn/internal.h"
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
			     bool v6only)
{
	struct tern_map_it it = tern_map_find(&s->listener_map, port_hash(local->port));

	for (; it.idx; tern_map_next(&s->listener_map, &it)) {
		const struct tern_listener *l = tern_listener_at(s, it.idx);

		if (l->port == local->port && overlaps(&l->addr, l->v6only, &local->addr, v6only))
			return true;
	}
	return false;
}

uint32_t tern_listener_find(const struct tern_syn *s, const struct tern_addr *addr, uint16_t port)
{
	struct tern_map_it it = tern_map_find(&s->listener_map, port_hash(port));

	for (; it.idx; tern_map_next(&s->listener_map, &it)) {
		const struct tern_listener *l = tern_listener_at(s, it.idx);

		if (l->port != port)
			continue;
		if (tern_addr_is_any(&l->addr) ? wildcard_covers(&l->addr, l->v6only, addr)
					       : tern_addr_eq(&l->addr, addr))
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

	if (tern_listener_conflicts(s, local, v6only))
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
	l->backlog = clamp_backlog(s, backlog);
	err = tern_map_insert(&s->listener_map, port_hash(l->port), idx);
	assert(!err); /* it has room for as many as the pool */
	tern_conn_at(s->tcp, conn)->listener = idx;
	tern_conn_set_state(s->tcp, tern_conn_at(s->tcp, conn), TERN_LISTEN);
	return 0;
}

void tern_listener_set_backlog(struct tern_syn *s, uint32_t listener, int backlog)
{
	tern_listener_at(s, listener)->backlog = clamp_backlog(s, backlog);
}

void tern_listener_hold(struct tern_syn *s, uint32_t listener, uint32_t count)
{
	tern_listener_at(s, listener)->held = count;
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
