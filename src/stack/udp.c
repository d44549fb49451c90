/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/udp.c: datagram sockets (RFC 768, RFC 8085 where it concerns a stack).
 *
 * A socket is a record with a flow: remote is the wildcard, port 0, until connect() sets it.
 * Records that have a port are entered in a map by that flow and in a chain by their port. A
 * datagram finds its socket by trying the flows that it could belong to, most exact first:
 *
 *	connected		local address, remote address
 *	bound to an address	local address
 *	bound to any		the family's wildcard
 *	dual stack		for IPv4 also ::, unless the socket is IPv6 only
 *
 * Of several sockets that share an endpoint by SO_REUSEADDR the newest gets it, as in Linux; by
 * SO_REUSEPORT the one on which the keyed hash of the datagram's flow falls.
 *
 * Datagrams received wait in a list, charged at true size to SO_RCVBUF; one is always taken,
 * however small the buffer. Datagrams sent are copied to the stack's queue (queue.c) and charged
 * to SO_SNDBUF until they leave; one may always be queued. All sockets together hold RX_MAX
 * bytes.
 *
 * Errors that routers and peers report reach connected sockets only, as in Linux: there alone the
 * quoted flow says that it was this socket who asked. Hard ones become SO_ERROR.
 */
#include <assert.h>
#include <errno.h>

#include "stack/udp.h"

enum {
	RX_MAX = 64 << 20,
	DATA_MAX4 = TERN_IP_PACKET_MAX - TERN_IP4_HEADER - TERN_UDP_HEADER,
};

struct tern_udp *tern_udp_new(struct tern_stack *st, uint32_t max)
{
	struct tern_udp *u = tern_mem_alloc(&st->mem, sizeof(*u));

	if (!u)
		return NULL;
	u->mem = &st->mem;
	u->pool.max = max;
	u->live = tern_mem_alloc(u->mem, (size_t)max + 1);
	if (!u->live || tern_map_init(&u->map, u->mem, max) < 0 ||
	    tern_pool_init_gen(&u->pool, u->mem, sizeof(struct tern_udp_socket), max) < 0) {
		tern_udp_free(u);
		return NULL;
	}
	return u;
}

static void clear_received(struct tern_udp *u, struct tern_udp_socket *s)
{
	while (s->head) {
		struct tern_dgram *d = s->head;

		s->head = d->next;
		u->rx_bytes -= sizeof(*d) + d->len;
		tern_mem_free(u->mem, d, sizeof(*d) + d->len);
	}
	s->tail = NULL;
	s->rmem = 0;
}

void tern_udp_free(struct tern_udp *u)
{
	uint32_t max;

	if (!u)
		return;
	max = u->pool.max;
	for (uint32_t idx = 1; u->pool.used && idx <= max; idx++)
		if (u->live[idx])
			clear_received(u, tern_udp_at(u, idx));
	tern_mem_free(u->mem, u->live, (size_t)max + 1);
	tern_map_free(&u->map);
	tern_pool_free(&u->pool);
	tern_mem_free(u->mem, u, sizeof(*u));
}

static void notify(struct tern_udp *u, uint32_t idx, struct tern_udp_socket *s, unsigned int bits)
{
	s->events |= (uint8_t)bits;
	if (s->flags & TERN_UDP_EVENT)
		return;
	s->flags |= TERN_UDP_EVENT;
	tern_list_push_back(&u->events, &u->pool, offsetof(struct tern_udp_socket, event), idx);
}

bool tern_udp_event(struct tern_stack *st, struct tern_event *ev)
{
	struct tern_udp *u = st->udp;
	uint32_t idx =
		tern_list_pop_front(&u->events, &u->pool, offsetof(struct tern_udp_socket, event));
	struct tern_udp_socket *s;

	if (!idx)
		return false;
	s = tern_udp_at(u, idx);
	s->flags &= (uint16_t)~TERN_UDP_EVENT;
	*ev = (struct tern_event){ .id = tern_id_make(TERN_ID_UDP, s->gen, idx),
				   .user = s->user,
				   .bits = s->events };
	s->events = 0;
	return true;
}

/* ---- places in the map and in the chains ---- */

static uint32_t hash_of(const struct tern_stack *st, const struct tern_flow *flow)
{
	return tern_flow_hash(st->tcp.map_key, flow);
}

/* The socket of exactly this flow; of several the newest, or the one on which `spread` falls. */
static uint32_t find_exact(const struct tern_stack *st, const struct tern_flow *flow,
			   bool skip_v6only, uint32_t spread)
{
	const struct tern_udp *u = st->udp;
	uint32_t newest = 0, best = 0, best_weight = 0;

	for (struct tern_map_it it = tern_map_find(&u->map, hash_of(st, flow)); it.idx;
	     tern_map_next(&u->map, &it)) {
		const struct tern_udp_socket *s = tern_udp_at(u, it.idx);
		uint32_t weight;

		if (!tern_flow_eq(&s->flow, flow) || (skip_v6only && (s->flags & TERN_UDP_V6ONLY)))
			continue;
		newest = it.idx;
		weight = tern_ports_weight(spread, it.idx);
		if (!(s->flags & TERN_UDP_REUSEPORT) || (best && weight <= best_weight))
			continue;
		best = it.idx;
		best_weight = weight;
	}
	return newest && (tern_udp_at(u, newest)->flags & TERN_UDP_REUSEPORT) ? best : newest;
}

/* The socket that takes datagrams of the flow, or 0. */
static uint32_t find(const struct tern_stack *st, const struct tern_flow *flow)
{
	struct tern_flow f = *flow;
	uint32_t spread = hash_of(st, flow);
	uint32_t idx = find_exact(st, &f, false, spread);

	if (idx)
		return idx;
	f.rport = 0;
	f.remote = tern_addr_any(f.remote.family);
	idx = find_exact(st, &f, false, spread);
	if (idx)
		return idx;
	f.local = f.remote;
	idx = find_exact(st, &f, false, spread);
	if (idx || f.local.family != TERN_INET)
		return idx;
	f.local = tern_addr_any(TERN_INET6);
	f.remote = f.local;
	return find_exact(st, &f, true, spread);
}

static void chain_remove(struct tern_udp *u, uint32_t idx)
{
	struct tern_udp_socket *s = tern_udp_at(u, idx);
	uint32_t *link = &u->heads[s->flow.lport % TERN_UDP_PORT_HEADS];

	while (*link != idx)
		link = &tern_udp_at(u, *link)->same;
	*link = s->same;
}

/*
 * Gives the socket, which has a place if it has a port, another flow, and the place that goes
 * with it.
 */
static void place(struct tern_stack *st, uint32_t idx, const struct tern_flow *flow)
{
	struct tern_udp *u = st->udp;
	struct tern_udp_socket *s = tern_udp_at(u, idx);
	int ret;

	if (s->flow.lport) {
		chain_remove(u, idx);
		tern_map_remove(&u->map, hash_of(st, &s->flow), idx);
	}
	s->flow = *flow;
	if (!flow->lport)
		return;
	s->same = u->heads[flow->lport % TERN_UDP_PORT_HEADS];
	u->heads[flow->lport % TERN_UDP_PORT_HEADS] = idx;
	ret = tern_map_insert(&u->map, hash_of(st, flow), idx);
	assert(ret == 0); /* the map has as many places as the pool */
}

/* What a socket allows others on its port. */
static unsigned int reuse_of(const struct tern_udp_socket *s)
{
	return (s->flags & TERN_UDP_REUSE ? TERN_REUSE_ADDR : 0u) |
	       (s->flags & TERN_UDP_REUSEPORT ? TERN_REUSE_PORT : 0u);
}

bool tern_udp_port_used(const struct tern_udp *u, const struct tern_endpoint *local, bool v6only,
			unsigned int reuse)
{
	for (uint32_t idx = u->heads[local->port % TERN_UDP_PORT_HEADS]; idx;) {
		const struct tern_udp_socket *s = tern_udp_at(u, idx);

		if (s->flow.lport == local->port && !(reuse & reuse_of(s)) &&
		    tern_ports_overlap(&s->flow.local, (s->flags & TERN_UDP_V6ONLY) != 0,
				       &local->addr, v6only))
			return true;
		idx = s->same;
	}
	return false;
}

/* ---- calls ---- */

int tern_udp_open(struct tern_stack *st, enum tern_family family, tern_id *ret_id)
{
	struct tern_udp *u = st->udp;
	struct tern_udp_socket *s;
	uint32_t idx;

	if (family != TERN_INET && family != TERN_INET6)
		return -EAFNOSUPPORT;
	idx = tern_pool_get(&u->pool);
	if (!idx) {
		tern_count(&st->trace, TERN_CNT_TernAllocFailures);
		return -ENOBUFS;
	}
	s = tern_udp_at(u, idx);
	s->family = (uint8_t)family;
	s->flow.local = tern_addr_any(s->family);
	s->flow.remote = s->flow.local;
	s->rcvbuf = st->knobs.rmem_default;
	s->sndbuf = st->knobs.wmem_default;
	u->live[idx] = 1;
	*ret_id = tern_id_make(TERN_ID_UDP, s->gen, idx);
	return 0;
}

int tern_udp_close(struct tern_stack *st, tern_id id)
{
	struct tern_udp *u = st->udp;
	struct tern_udp_socket *s = tern_udp_of(st, id);
	struct tern_flow none = { .lport = 0 };
	uint32_t idx = (uint32_t)id;

	if (!s)
		return -EBADF;
	place(st, idx, &none);
	clear_received(u, s);
	u->tx_bytes -= s->wmem;
	if (s->flags & TERN_UDP_EVENT)
		tern_list_remove(&u->events, &u->pool, offsetof(struct tern_udp_socket, event),
				 idx);
	u->live[idx] = 0;
	tern_pool_put(&u->pool, idx);
	return 0;
}

/* May the socket use an address of this family? */
static bool speaks(const struct tern_udp_socket *s, uint8_t family)
{
	return family == s->family ||
	       (family == TERN_INET && s->family == TERN_INET6 && !(s->flags & TERN_UDP_V6ONLY));
}

int tern_udp_bind(struct tern_stack *st, tern_id id, const struct tern_endpoint *local,
		  bool foreign)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);
	struct tern_endpoint ep = *local;
	struct tern_flow flow;
	int ret;

	if (!s)
		return -EBADF;
	if (s->flow.lport)
		return -EINVAL;
	if (!speaks(s, ep.addr.family))
		return -EAFNOSUPPORT;
	if (!foreign && !tern_addr_is_any(&ep.addr) && !tern_route_is_local(st, &ep.addr))
		return -EADDRNOTAVAIL;
	if (!ep.port) {
		ret = tern_port_choose_bind(st, TERN_PROTO_UDP, &ep.addr, &ep.port);
		if (ret < 0)
			return ret;
	} else if (tern_udp_port_used(st->udp, &ep, (s->flags & TERN_UDP_V6ONLY) != 0,
				      reuse_of(s))) {
		return -EADDRINUSE;
	}
	flow = (struct tern_flow){ .local = ep.addr,
				   .remote = tern_addr_any(ep.addr.family),
				   .lport = ep.port };
	if (!tern_addr_is_any(&ep.addr))
		s->flags |= TERN_UDP_ADDR_CHOSEN;
	place(st, (uint32_t)id, &flow);
	return 0;
}

/* A port for a socket that sends without one. Linux calls its absence EAGAIN. */
static int autobind(struct tern_stack *st, uint32_t idx)
{
	struct tern_flow flow = tern_udp_at(st->udp, idx)->flow;

	if (flow.lport)
		return 0;
	if (tern_port_choose_bind(st, TERN_PROTO_UDP, &flow.local, &flow.lport) < 0)
		return -EAGAIN;
	place(st, idx, &flow);
	return 0;
}

/* Where datagrams to dest come from: the bound address, else as routed. */
static int choose_source(const struct tern_stack *st, const struct tern_udp_socket *s,
			 const struct tern_addr *dest, struct tern_addr *ret_source)
{
	if (!speaks(s, dest->family))
		return dest->family == TERN_INET ? -ENETUNREACH : -EAFNOSUPPORT;
	if (tern_route_is_broadcast(st, dest))
		return -EACCES;
	if (s->flags & (TERN_UDP_ADDR_CHOSEN | TERN_UDP_CONNECTED)) {
		struct tern_addr routed;
		int ret = tern_route_source(st, dest, &routed);

		if (ret < 0 || s->flow.local.family != dest->family)
			return -ENETUNREACH;
		*ret_source = s->flow.local;
		return tern_route_is_local(st, ret_source) ? 0 : -EINVAL;
	}
	return tern_route_source(st, dest, ret_source);
}

/* Forgets the peer, and the local address that was chosen for it. */
static void disconnect(struct tern_stack *st, uint32_t idx)
{
	struct tern_udp_socket *s = tern_udp_at(st->udp, idx);
	struct tern_flow flow = s->flow;

	if (!(s->flags & TERN_UDP_CONNECTED))
		return;
	if (!(s->flags & TERN_UDP_ADDR_CHOSEN))
		flow.local = tern_addr_any(s->family);
	flow.remote = tern_addr_any(flow.local.family);
	flow.rport = 0;
	s->flags &= (uint16_t)~TERN_UDP_CONNECTED;
	place(st, idx, &flow);
}

int tern_udp_connect(struct tern_stack *st, tern_id id, const struct tern_endpoint *remote)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);
	uint32_t idx = (uint32_t)id;
	struct tern_flow flow;
	int ret;

	if (!s)
		return -EBADF;
	disconnect(st, idx);
	if (remote->addr.family == TERN_UNSPEC)
		return 0;
	ret = autobind(st, idx); /* it has a port also when the rest fails, as in Linux */
	if (ret == 0)
		ret = choose_source(st, s, &remote->addr, &flow.local);
	if (ret < 0)
		return ret;
	flow.lport = s->flow.lport;
	flow.remote = remote->addr;
	flow.rport = remote->port;
	s->flags |= TERN_UDP_CONNECTED;
	place(st, idx, &flow);
	return 0;
}

/* Checks a send and completes the flow of the datagram. */
static int prepare_send(struct tern_stack *st, uint32_t idx, size_t len,
			const struct tern_endpoint *remote, struct tern_flow *ret_flow)
{
	struct tern_udp_socket *s = tern_udp_at(st->udp, idx);
	struct tern_flow flow = s->flow;
	int ret = tern_udp_take_error(s);

	if (ret < 0)
		return ret;
	if (s->flags & TERN_UDP_WR_SHUT)
		return -EPIPE;
	if (remote) {
		flow.remote = remote->addr;
		flow.rport = remote->port;
	} else if (!(s->flags & TERN_UDP_CONNECTED)) {
		return -EDESTADDRREQ;
	}
	if (!flow.rport)
		return -EINVAL;
	if (len > (flow.remote.family == TERN_INET ? DATA_MAX4 : TERN_UDP_DATA_MAX))
		return -EMSGSIZE;
	ret = choose_source(st, s, &flow.remote, &flow.local);
	if (ret == 0)
		ret = autobind(st, idx);
	if (ret < 0)
		return ret;
	flow.lport = s->flow.lport;
	*ret_flow = flow;
	return 0;
}

int64_t tern_udp_sendto(struct tern_stack *st, tern_id id, const void *data, size_t len,
			const struct tern_endpoint *remote)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);
	struct tern_packet pkt = { .proto = TERN_PROTO_UDP };
	struct tern_piece piece;
	struct tern_flow flow;
	uint32_t size, charge;
	uint8_t *payload;
	int ret;

	if (!s)
		return -EBADF;
	ret = prepare_send(st, (uint32_t)id, len, remote, &flow);
	if (ret < 0)
		return ret;
	size = (uint32_t)len + TERN_UDP_HEADER;
	charge = tern_queue_charge(size);
	if (s->wmem && s->wmem + charge > s->sndbuf) {
		s->flags |= TERN_UDP_NOSPACE;
		tern_count(&st->trace, TERN_CNT_UdpSndbufErrors);
		return -EAGAIN;
	}
	pkt.src = flow.local;
	pkt.dst = flow.remote;
	pkt.ttl = s->ttl ? s->ttl : (uint8_t)st->knobs.ip_default_ttl;
	pkt.tos = s->tos;
	if (flow.remote.family == TERN_INET6)
		pkt.flow_label = tern_flow_hash(st->icmp_key, &flow) & 0xfffff; /* RFC 6437 */
	ret = tern_queue_room(st, &pkt, size, id, &payload);
	if (ret < 0) {
		tern_count(&st->trace, TERN_CNT_UdpSndbufErrors);
		return ret;
	}
	if (len)
		memcpy(payload + TERN_UDP_HEADER, data, len);
	tern_udp_emit(payload, TERN_UDP_HEADER, flow.lport, flow.rport, (uint32_t)len);
	piece = (struct tern_piece){ .ptr = payload + TERN_UDP_HEADER, .len = (uint32_t)len };
	tern_udp_cksum_full(&pkt.src, &pkt.dst, payload, &piece, 1);
	s->wmem += charge;
	st->udp->tx_bytes += charge;
	tern_count(&st->trace, TERN_CNT_UdpOutDatagrams);
	return (int64_t)len;
}

void tern_udp_sent(struct tern_stack *st, tern_id id, uint32_t bytes)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return; /* closed meanwhile */
	s->wmem -= bytes;
	st->udp->tx_bytes -= bytes;
	if ((s->flags & TERN_UDP_NOSPACE) && s->wmem <= s->sndbuf / 2) {
		s->flags &= (uint16_t)~TERN_UDP_NOSPACE;
		notify(st->udp, (uint32_t)id, s, TERN_EV_WRITABLE);
	}
}

int64_t tern_udp_recvfrom(struct tern_stack *st, tern_id id, void *data, size_t len,
			  unsigned int flags, struct tern_endpoint *ret_remote)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);
	struct tern_dgram *d;
	int64_t ret;

	if (!s)
		return -EBADF;
	ret = tern_udp_take_error(s);
	if (ret < 0)
		return ret;
	d = s->head;
	if (!d)
		return s->flags & TERN_UDP_RD_SHUT ? 0 : -EAGAIN;
	ret = d->len;
	len = TERN_MIN(len, (size_t)d->len);
	if (len)
		memcpy(data, d->data, len);
	if (ret_remote)
		*ret_remote = d->from;
	if (flags & TERN_MSG_PEEK)
		return ret;
	s->head = d->next;
	if (!s->head)
		s->tail = NULL;
	s->rmem -= (uint32_t)sizeof(*d) + d->len;
	st->udp->rx_bytes -= sizeof(*d) + d->len;
	tern_mem_free(st->udp->mem, d, sizeof(*d) + d->len);
	return ret;
}

int tern_udp_shutdown(struct tern_stack *st, tern_id id, enum tern_how how)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return -EBADF;
	if (how == TERN_SHUT_WR || how == TERN_SHUT_RDWR)
		s->flags |= TERN_UDP_WR_SHUT;
	if (how == TERN_SHUT_RD || how == TERN_SHUT_RDWR) {
		s->flags |= TERN_UDP_RD_SHUT;
		notify(st->udp, (uint32_t)id, s, TERN_EV_READABLE);
	}
	return s->flags & TERN_UDP_CONNECTED ? 0 : -ENOTCONN;
}

/* ---- in ---- */

/* Queues a datagram for its socket. */
static enum tern_drop deliver(struct tern_stack *st, uint32_t idx, const struct tern_flow *flow,
			      const struct tern_datagram *dgram)
{
	struct tern_udp *u = st->udp;
	struct tern_udp_socket *s = tern_udp_at(u, idx);
	uint32_t size = (uint32_t)sizeof(struct tern_dgram) + dgram->len;
	struct tern_dgram *d;

	if (s->rmem && s->rmem + size > s->rcvbuf)
		return TERN_DROP_SOCKET_RCVBUFF;
	if (u->rx_bytes + size > RX_MAX)
		return TERN_DROP_PROTO_MEM;
	d = tern_mem_alloc(u->mem, size);
	if (!d)
		return TERN_DROP_NOMEM;
	d->from = (struct tern_endpoint){ .addr = flow->remote, .port = flow->rport };
	d->len = dgram->len;
	if (d->len)
		memcpy(d->data, dgram->data, d->len);
	if (s->tail)
		s->tail->next = d;
	else
		s->head = d;
	s->tail = d;
	s->rmem += size;
	u->rx_bytes += size;
	notify(u, idx, s, TERN_EV_READABLE);
	return TERN_DROP_NONE;
}

static enum tern_drop check(struct tern_stack *st, const struct tern_packet *pkt, bool trusted,
			    struct tern_datagram *dgram)
{
	switch (tern_udp_parse(pkt->payload, pkt->payload_len, dgram)) {
	case TERN_PARSE_OK:
		break;
	case TERN_PARSE_TRUNCATED:
		return TERN_DROP_PKT_TOO_SMALL;
	default:
		return TERN_DROP_UDP_LENGTH;
	}
	if (!trusted && !tern_udp_cksum_ok(pkt)) {
		tern_count(&st->trace, TERN_CNT_UdpInCsumErrors);
		return TERN_DROP_UDP_CSUM;
	}
	if (!dgram->sport || !dgram->dport)
		return TERN_DROP_TCP_PORT_ZERO;
	if (!tern_route_is_local(st, &pkt->dst))
		return TERN_DROP_IP_INVALID_DEST;
	return TERN_DROP_NONE;
}

void tern_udp_input(struct tern_stack *st, const struct tern_packet *pkt, const uint8_t *frame,
		    uint32_t len, bool trusted, enum tern_drop *ret_reason)
{
	struct tern_datagram dgram;
	struct tern_flow flow;
	uint32_t idx;

	*ret_reason = check(st, pkt, trusted, &dgram);
	if (*ret_reason != TERN_DROP_NONE) {
		tern_count(&st->trace, TERN_CNT_UdpInErrors);
		return;
	}
	flow = (struct tern_flow){ .local = pkt->dst,
				   .remote = pkt->src,
				   .lport = dgram.dport,
				   .rport = dgram.sport };
	idx = find(st, &flow);
	if (!idx) {
		tern_count(&st->trace, TERN_CNT_UdpNoPorts);
		tern_icmp_send_unreachable(st, pkt, frame, len);
		*ret_reason = TERN_DROP_NO_SOCKET;
		return;
	}
	*ret_reason = deliver(st, idx, &flow, &dgram);
	if (*ret_reason == TERN_DROP_NONE) {
		tern_count(&st->trace, TERN_CNT_UdpInDatagrams);
		return;
	}
	tern_udp_at(st->udp, idx)->drops++;
	tern_count(&st->trace, TERN_CNT_UdpInErrors);
	if (*ret_reason == TERN_DROP_SOCKET_RCVBUFF)
		tern_count(&st->trace, TERN_CNT_UdpRcvbufErrors);
	if (*ret_reason == TERN_DROP_NOMEM)
		tern_count(&st->trace, TERN_CNT_TernAllocFailures);
}

bool tern_udp_icmp(struct tern_stack *st, const struct tern_flow *flow, enum tern_icmp_kind kind,
		   int error)
{
	uint32_t idx = find(st, flow);
	struct tern_udp_socket *s;

	if (!idx)
		return false;
	s = tern_udp_at(st->udp, idx);
	if (!(s->flags & TERN_UDP_CONNECTED) || kind == TERN_ICMP_TOO_BIG)
		return true;
	if (kind == TERN_ICMP_PORT_UNREACH || kind == TERN_ICMP_PROTO_UNREACH ||
	    kind == TERN_ICMP_ADMIN_PROHIBITED || kind == TERN_ICMP_PARAM_PROBLEM) {
		s->error = (uint8_t)error;
		notify(st->udp, idx, s, TERN_EV_ERROR);
	} else {
		s->soft_error = (uint8_t)error;
	}
	return true;
}
