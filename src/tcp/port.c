/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/port.c: the ledger of local TCP ports.
 *
 * Three views of the same facts, each as cheap as its readers are frequent:
 *
 *	refs, used	for every port the number of records and bindings on it, and the set of
 *			those with any: "a port nobody uses" is free towards every destination, and
 *			is found without looking at a single flow
 *	bindings	for every bound socket its address and flags, chained by port: bind() asks
 *	crowds		for a few destinations the set of ports used towards them
 *
 * A set is a bitmap with a second one above it that has a bit for each full word; above that come
 * sixteen words, which are simply looked at in turn. So the nearest gap costs at most eighteen
 * loads, however full the set is.
 *
 * Crowds. Only when every port of the range is in use by somebody and several hashed candidates
 * were taken does the choice look at all flows to one destination, once, and keeps the result here.
 * From then on claims and releases of that destination's flows keep it true. A flow may be held
 * three times at once (its connection, the TIME-WAIT record that is about to replace it, a binding
 * of the port), so each port has a count of two bits, in two planes; a port is in the set while its
 * count is not 0. The record goes when less than a quarter of its range is left in use. Claims find
 * it by an unkeyed hash of 64 places: it holds destinations that our own side connected to, so
 * nobody outside can make its chains long, and while there is none it costs one comparison.
 *
 * Addresses of flows. Bind conflicts need to know whether a flow on the port has an overlapping
 * local address. Each port keeps one byte: a hash of the local address of its flows, MIXED when
 * they were not all the same since the port was last without one. That errs on the side of
 * refusing.
 *
 * Memory: 0.3 MiB of address space for the counts, touched where ports are used; 48 bytes a
 * binding; 24 KiB a crowd, at most 64, each allocated by itself.
 */
#include "tcp/port.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	BINDINGS_MAX = 1 << 20,
	BINDING_HEADS = 4096,
	CROWD_HEADS = 64,
	MIXED = 255,
};

struct binding {
	uint32_t next; /* in the chain of its head */
	uint32_t owner;
	struct tern_addr addr;
	uint16_t port;
	bool v6only, reuse;
};

struct tern_crowd {
	struct tern_crowd *next; /* in the chain of its head */
	uint16_t low, high, rport;
	struct tern_addr local, remote;
	uint32_t count; /* ports of the range that are in use */
	uint64_t asked; /* value of the ledger's clock at the last question */
	uint64_t searched_ns;
	struct tern_portset used;          /* count not 0 */
	uint64_t low_bit[TERN_PORT_WORDS]; /* the counts: two planes */
	uint64_t high_bit[TERN_PORT_WORDS];
};

struct tern_ports {
	struct tern_mem *mem;
	uint32_t crowd_count;
	uint64_t clock; /* questions about crowds so far */
	struct tern_pool bindings;
	struct tern_crowd *crowd_heads[CROWD_HEADS];
	uint32_t binding_heads[BINDING_HEADS];
	struct tern_portset used;
	uint64_t bound[TERN_PORT_WORDS];
	uint8_t addr_tags[TERN_PORTS]; /* of flows; 0: none since the port was last free */
	uint32_t flows[TERN_PORTS];
};

/* ---- sets ---- */

/* Bits of a word from bit n on. */
static uint64_t bits_from(unsigned int n)
{
	return UINT64_MAX << n;
}

/* The first port >= from that is not in the set; TERN_PORTS when there is none. */
static uint32_t gap_above(const struct tern_portset *s, uint32_t from)
{
	uint32_t w = from / 64, f;
	uint64_t open = ~s->word[w] & bits_from(from % 64);

	if (open)
		return w * 64 + (uint32_t)__builtin_ctzll(open);
	if (++w == TERN_PORT_WORDS)
		return TERN_PORTS;
	f = w / 64;
	open = ~s->full[f] & bits_from(w % 64);
	while (!open) {
		if (++f == TERN_PORT_WORDS / 64)
			return TERN_PORTS;
		open = ~s->full[f];
	}
	w = f * 64 + (uint32_t)__builtin_ctzll(open);
	return w * 64 + (uint32_t)__builtin_ctzll(~s->word[w]);
}

uint16_t tern_portset_gap(const struct tern_portset *s, uint16_t low, uint16_t high, uint16_t from)
{
	uint32_t port = gap_above(s, from);

	if (port > high)
		port = gap_above(s, low);
	return port <= high ? (uint16_t)port : 0;
}

/* ---- the ledger ---- */

/* The place of a destination among the chains of crowds. */
static uint32_t crowd_head(const struct tern_flow *flow)
{
	uint32_t v = tern_flow_le32(flow->remote.b) ^ tern_flow_le32(flow->remote.b + 12);

	v ^= tern_flow_le32(flow->local.b) * 31 ^ (uint32_t)flow->rport << 8;
	return v * 0x9e3779b1u >> 26;
}

static void crowd_drop(struct tern_ports *p, struct tern_crowd *c)
{
	struct tern_flow flow = { .local = c->local, .remote = c->remote, .rport = c->rport };
	struct tern_crowd **link = &p->crowd_heads[crowd_head(&flow)];

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	tern_mem_free(p->mem, c, sizeof(*c));
	p->crowd_count--;
}

struct tern_ports *tern_ports_new(struct tern_mem *mem)
{
	struct tern_ports *p = tern_mem_alloc(mem, sizeof(*p));

	if (!p)
		return NULL;
	p->mem = mem;
	if (tern_pool_init(&p->bindings, mem, sizeof(struct binding), BINDINGS_MAX) < 0) {
		tern_ports_free(p);
		return NULL;
	}
	return p;
}

void tern_ports_free(struct tern_ports *p)
{
	if (!p)
		return;
	for (uint32_t h = 0; h < CROWD_HEADS; h++)
		while (p->crowd_heads[h])
			crowd_drop(p, p->crowd_heads[h]);
	tern_pool_free(&p->bindings);
	tern_mem_free(p->mem, p, sizeof(*p));
}

bool tern_ports_bound(const struct tern_ports *p, uint16_t port)
{
	return p->bound[port / 64] >> port % 64 & 1;
}

bool tern_ports_used(const struct tern_ports *p, uint16_t port)
{
	return tern_portset_has(&p->used, port);
}

uint16_t tern_ports_unused(const struct tern_ports *p, uint16_t low, uint16_t high, uint16_t from)
{
	return tern_portset_gap(&p->used, low, high, from);
}

/* 1 … 254: equal for equal addresses. */
static uint8_t addr_tag(const struct tern_addr *addr)
{
	uint32_t v = tern_flow_le32(addr->b) ^ tern_flow_le32(addr->b + 12);

	return (uint8_t)(1 + ((v * 0x9e3779b1u >> 16) * 254 >> 16));
}

/* ---- crowds ---- */

static struct tern_crowd *crowd_find(const struct tern_ports *p, const struct tern_flow *flow)
{
	struct tern_crowd *c = p->crowd_heads[crowd_head(flow)];

	while (c && (c->rport != flow->rport || !tern_addr_eq(&c->remote, &flow->remote) ||
		     !tern_addr_eq(&c->local, &flow->local)))
		c = c->next;
	return c;
}

void tern_crowd_mark(struct tern_crowd *c, uint16_t port)
{
	uint64_t bit = UINT64_C(1) << port % 64;
	uint64_t *low = &c->low_bit[port / 64], *high = &c->high_bit[port / 64];

	if (port < c->low || port > c->high)
		return;
	assert(!(*low & *high & bit));
	if (!((*low | *high) & bit)) {
		tern_portset_add(&c->used, port);
		c->count++;
	}
	if (*low & bit)
		*high ^= bit;
	*low ^= bit;
}

static void crowd_unmark(struct tern_crowd *c, uint16_t port)
{
	uint64_t bit = UINT64_C(1) << port % 64;
	uint64_t *low = &c->low_bit[port / 64], *high = &c->high_bit[port / 64];

	if (port < c->low || port > c->high)
		return;
	assert((*low | *high) & bit);
	if (!(*low & bit))
		*high ^= bit;
	*low ^= bit;
	if (!((*low | *high) & bit)) {
		tern_portset_remove(&c->used, port);
		c->count--;
	}
}

uint16_t tern_crowd_gap(const struct tern_crowd *c, uint16_t from)
{
	return tern_portset_gap(&c->used, c->low, c->high, from);
}

uint64_t *tern_crowd_searched_ns(struct tern_crowd *c)
{
	return &c->searched_ns;
}

uint32_t tern_ports_crowds(const struct tern_ports *p)
{
	return p->crowd_count;
}

/* Does so little remain that looking at candidates one by one does as well? */
static bool crowd_is_thin(const struct tern_crowd *c)
{
	return c->count < ((uint32_t)c->high - c->low + 1) / 4;
}

struct tern_crowd *tern_ports_crowd(struct tern_ports *p, const struct tern_flow *flow,
				    uint16_t low, uint16_t high)
{
	struct tern_crowd *c = p->crowd_count ? crowd_find(p, flow) : NULL;

	if (!c || c->low != low || c->high != high)
		return NULL;
	c->asked = ++p->clock;
	return c;
}

/* The record that was asked for longest ago. */
static struct tern_crowd *crowd_oldest(const struct tern_ports *p)
{
	struct tern_crowd *oldest = NULL;

	for (uint32_t h = 0; h < CROWD_HEADS; h++) {
		for (struct tern_crowd *c = p->crowd_heads[h]; c; c = c->next)
			if (!oldest || c->asked < oldest->asked)
				oldest = c;
	}
	return oldest;
}

struct tern_crowd *tern_ports_crowd_new(struct tern_ports *p, const struct tern_flow *flow,
					uint16_t low, uint16_t high)
{
	struct tern_crowd *c = p->crowd_count ? crowd_find(p, flow) : NULL;
	struct tern_crowd **head = &p->crowd_heads[crowd_head(flow)];

	if (c)
		crowd_drop(p, c); /* made for another range */
	else if (p->crowd_count == TERN_CROWDS_MAX)
		crowd_drop(p, crowd_oldest(p));
	c = tern_mem_alloc(p->mem, sizeof(*c));
	if (!c)
		return NULL;
	c->next = *head;
	c->low = low;
	c->high = high;
	c->local = flow->local;
	c->remote = flow->remote;
	c->rport = flow->rport;
	c->asked = ++p->clock;
	*head = c;
	p->crowd_count++;
	return c;
}

/* ---- claims ---- */

void tern_ports_claim(struct tern_ports *p, const struct tern_flow *flow)
{
	uint16_t port = flow->lport;
	uint8_t tag = addr_tag(&flow->local);

	if (p->flows[port]++ == 0)
		p->addr_tags[port] = tag;
	else if (p->addr_tags[port] != tag)
		p->addr_tags[port] = MIXED;
	tern_portset_add(&p->used, port);
	if (TERN_UNLIKELY(p->crowd_count)) {
		struct tern_crowd *c = crowd_find(p, flow);

		if (c)
			tern_crowd_mark(c, port);
	}
}

static void flow_leaves(struct tern_ports *p, uint16_t port)
{
	assert(p->flows[port]);
	if (--p->flows[port] == 0 && !tern_ports_bound(p, port))
		tern_portset_remove(&p->used, port);
}

TERN_COLD static void flow_leaves_crowd(struct tern_ports *p, const struct tern_flow *flow)
{
	struct tern_crowd *c = crowd_find(p, flow);

	if (!c)
		return;
	crowd_unmark(c, flow->lport);
	if (crowd_is_thin(c))
		crowd_drop(p, c);
}

void tern_ports_release(struct tern_ports *p, const struct tern_flow *flow)
{
	flow_leaves(p, flow->lport);
	if (TERN_UNLIKELY(p->crowd_count))
		flow_leaves_crowd(p, flow);
}

void tern_ports_release_packed(struct tern_ports *p, uint8_t family, uint16_t lport, uint16_t rport,
			       const uint8_t *addrs)
{
	flow_leaves(p, lport);
	if (TERN_UNLIKELY(p->crowd_count)) {
		struct tern_flow flow;

		tern_flow_unpack(family, lport, rport, addrs, &flow);
		flow_leaves_crowd(p, &flow);
	}
}

/* ---- bindings ---- */

/* Where the binding of owner on the port hangs; what is there is 0 if it has none. */
static uint32_t *binding_link(struct tern_ports *p, uint32_t owner, uint16_t port)
{
	uint32_t *link = &p->binding_heads[port % BINDING_HEADS];

	while (*link) {
		struct binding *b = tern_pool_at(&p->bindings, *link);

		if (b->owner == owner && b->port == port)
			break;
		link = &b->next;
	}
	return link;
}

/* The port becomes bound, or is not any more: every crowd sees it. */
static void crowds_set_bound(struct tern_ports *p, uint16_t port, bool bound)
{
	for (uint32_t h = 0; h < CROWD_HEADS && p->crowd_count; h++) {
		for (struct tern_crowd *c = p->crowd_heads[h]; c; c = c->next) {
			if (bound)
				tern_crowd_mark(c, port);
			else
				crowd_unmark(c, port);
		}
	}
}

int tern_ports_bind(struct tern_ports *p, uint32_t owner, const struct tern_endpoint *local,
		    bool v6only, bool reuse)
{
	uint32_t *head = &p->binding_heads[local->port % BINDING_HEADS];
	uint32_t idx = tern_pool_get(&p->bindings);
	struct binding *b;

	if (!idx)
		return -ENOBUFS;
	b = tern_pool_at(&p->bindings, idx);
	*b = (struct binding){ .next = *head,
			       .owner = owner,
			       .addr = local->addr,
			       .port = local->port,
			       .v6only = v6only,
			       .reuse = reuse };
	*head = idx;
	if (!tern_ports_bound(p, local->port)) {
		p->bound[local->port / 64] |= UINT64_C(1) << local->port % 64;
		crowds_set_bound(p, local->port, true);
	}
	tern_portset_add(&p->used, local->port);
	return 0;
}

/* Is any binding on the port? */
static bool still_bound(const struct tern_ports *p, uint16_t port)
{
	for (uint32_t idx = p->binding_heads[port % BINDING_HEADS]; idx;) {
		const struct binding *b = tern_pool_at(&p->bindings, idx);

		if (b->port == port)
			return true;
		idx = b->next;
	}
	return false;
}

void tern_ports_unbind(struct tern_ports *p, uint32_t owner, uint16_t port)
{
	uint32_t *link = binding_link(p, owner, port);
	uint32_t idx = *link;

	assert(idx);
	*link = ((struct binding *)tern_pool_at(&p->bindings, idx))->next;
	tern_pool_put(&p->bindings, idx);
	if (still_bound(p, port))
		return;
	p->bound[port / 64] &= ~(UINT64_C(1) << port % 64);
	if (!p->flows[port])
		tern_portset_remove(&p->used, port);
	crowds_set_bound(p, port, false);
}

void tern_ports_move(struct tern_ports *p, uint32_t owner, uint16_t port,
		     const struct tern_addr *addr)
{
	uint32_t idx = *binding_link(p, owner, port);

	assert(idx);
	((struct binding *)tern_pool_at(&p->bindings, idx))->addr = *addr;
}

void tern_ports_set_reuse(struct tern_ports *p, uint32_t owner, uint16_t port, bool reuse)
{
	uint32_t idx = *binding_link(p, owner, port);

	assert(idx);
	((struct binding *)tern_pool_at(&p->bindings, idx))->reuse = reuse;
}

bool tern_ports_overlap(const struct tern_addr *a, bool a_v6only, const struct tern_addr *b,
			bool b_v6only)
{
	if (a->family == b->family)
		return tern_addr_is_any(a) || tern_addr_is_any(b) || tern_addr_eq(a, b);
	if (a->family == TERN_INET6)
		return tern_addr_is_any(a) && !a_v6only;
	return tern_addr_is_any(b) && !b_v6only;
}

/* May a flow on the port have this local address? */
static bool flow_overlaps(const struct tern_ports *p, const struct tern_endpoint *local)
{
	uint8_t tag = p->addr_tags[local->port];

	return p->flows[local->port] &&
	       (tern_addr_is_any(&local->addr) || tag == MIXED || tag == addr_tag(&local->addr));
}

bool tern_ports_conflict(const struct tern_ports *p, const struct tern_endpoint *local, bool v6only,
			 bool reuse)
{
	for (uint32_t idx = p->binding_heads[local->port % BINDING_HEADS]; idx;) {
		const struct binding *b = tern_pool_at(&p->bindings, idx);

		if (b->port == local->port && !(reuse && b->reuse) &&
		    tern_ports_overlap(&b->addr, b->v6only, &local->addr, v6only))
			return true;
		idx = b->next;
	}
	return !reuse && flow_overlaps(p, local);
}
