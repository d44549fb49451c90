/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/port.c: the choice of local ports, and bind conflicts.
 *
 * Where the search begins is drawn anew for each choice: one third after the other of SipHash under
 * a secret key over a counter that no one sees. Nothing that one peer learns from the ports it saw
 * says anything about the next port, or about what was opened to others in between (RFC 6056
 * §3.3.1 with a keyed generator; CVE-2022-1012 and CVE-2022-32296 were about algorithms that share
 * counters between destinations). That a port is not met again too soon is
 * ensured by our own TIME-WAIT records, and at the peer by sequence numbers that grow (RFC 6528,
 * RFC 6191).
 *
 * connect() then takes the first of these that there is:
 *
 *	1. the port where the search begins, if nothing at all uses it
 *	2. the next port that nothing uses (O(1): the ledger's set)
 *	3. towards a crowded destination: the next port free towards it (O(1): its own set)
 *	4. towards any other: the first of PROBES drawn ports whose flow is free. If all of them
 *	   are taken, the destination is crowded: its set is made, once, by looking at every
 *	   flow, and 3. decides. Each is drawn: ports taken side by side would make long runs
 *	   of taken ones, and a destination look crowded that is not.
 *	5. a port whose flow is a TIME-WAIT that may be taken over (tcp_tw_reuse): some ports
 *	   are tried each time, the whole range at most every SEARCH_NS.
 *
 * So each port of the range is found before EADDRNOTAVAIL, and none of the steps depends on how
 * full the range is. As in Linux, ports that some socket is bound to are left out, whatever its
 * address, and those of ip_local_reserved_ports: the sets do not know these, they are passed over,
 * a range at a time. Other than in Linux, so is the port that would connect a socket to itself.
 *
 * bind() to port 0 takes a port that nothing uses, or, when there is none, one without a conflict.
 */
#include "stack/internal.h"

#include <errno.h>

#include "base/siphash.h"
#include "tcp/port.h"

enum {
	PROBES = 8,
	REUSE_PROBES = 64,
	DRAW_BITS = 21, /* a place in a range of 2^16 ports, even to a few percent */
};

#define SEARCH_NS UINT64_C(100000000)

struct range {
	uint16_t low, high, from; /* from: where the search begins */
};

/*
 * DRAW_BITS bits that nobody foresees: a third of a hash of how many hashes there were. The bit
 * above the thirds is set: when it has come down to the end, all three are spent.
 */
static uint32_t draw(struct tern_stack *st)
{
	uint32_t third;

	if (st->port_random <= 1) {
		st->port_random = tern_siphash24_words(st->port_key, &st->port_draws, 1);
		st->port_random |= UINT64_C(1) << 3 * DRAW_BITS;
		st->port_draws++;
	}
	third = (uint32_t)st->port_random & ((1u << DRAW_BITS) - 1);
	st->port_random >>= DRAW_BITS;
	return third;
}

/* A place in the range. */
static uint16_t draw_place(struct tern_stack *st, uint32_t low, uint32_t high)
{
	return (uint16_t)(low + ((uint64_t)draw(st) * (high - low + 1) >> DRAW_BITS));
}

/*
 * The knobs' range, and a place in it. Knobs are set one by one: the smaller one is the lower
 * end.
 */
static struct range draw_range(struct tern_stack *st)
{
	uint32_t a = st->knobs.ip_local_port_low, b = st->knobs.ip_local_port_high;
	uint32_t low = TERN_MIN(a, b), high = TERN_MAX(a, b);

	return (struct range){ .low = (uint16_t)low,
			       .high = (uint16_t)high,
			       .from = draw_place(st, low, high) };
}

/* The port behind another one in the range. */
static uint16_t next_port(const struct range *r, uint16_t port)
{
	return port == r->high ? r->low : (uint16_t)(port + 1);
}

/* Would a socket on this port be connected to itself? */
static bool is_itself(const struct tern_flow *flow, uint16_t port)
{
	return port == flow->rport && tern_addr_eq(&flow->local, &flow->remote);
}

/* The records that hold the flow with this local port. */
static uint32_t find_conn(const struct tern_stack *st, const struct tern_flow *flow, uint32_t hash)
{
	return tern_conn_find(&st->tcp, hash, flow);
}

static uint32_t find_timewait(const struct tern_stack *st, const struct tern_flow *flow,
			      uint32_t hash)
{
	return tern_timewait_find(&st->tw, hash, flow);
}

/* Can the flow be ours, with flow->lport as it is? */
static bool flow_is_free(const struct tern_stack *st, const struct tern_flow *flow)
{
	uint32_t hash;

	if (tern_ports_bound(st->ports, flow->lport) || is_itself(flow, flow->lport) ||
	    tern_knob_port_reserved(&st->knobs, flow->lport))
		return false;
	hash = tern_flow_hash(st->tcp.map_key, flow);
	return !find_conn(st, flow, hash) && !find_timewait(st, flow, hash);
}

/* The last port from this one on that connect() must not take, or 0 if it may take this one. */
static uint16_t refused_to(const struct tern_stack *st, const struct tern_flow *flow, uint16_t port)
{
	if (is_itself(flow, port))
		return port;
	return TERN_UNLIKELY(st->knobs.ip_local_reserved_ports.count != 0)
		       ? tern_knob_port_reserved(&st->knobs, port)
		       : 0;
}

/*
 * The first port that is free in the crowd (else: that nothing uses) and may be taken. Reserved
 * ranges are passed over whole; each can be met twice, since the search goes around.
 */
static bool choose_gap(struct tern_stack *st, const struct range *r, const struct tern_crowd *crowd,
		       struct tern_flow *flow)
{
	uint16_t from = r->from;

	for (unsigned int i = 0; i < 2 * TERN_KNOB_RANGES_MAX + 3; i++) {
		uint16_t port = crowd ? tern_crowd_gap(crowd, from)
				      : tern_ports_unused(st->ports, r->low, r->high, from);
		uint16_t last = port ? refused_to(st, flow, port) : 0;

		flow->lport = port;
		if (!last)
			return port != 0;
		from = last < r->high ? next_port(r, last) : r->low;
	}
	return false;
}

/* Step 4, before the destination is called crowded. */
static bool choose_probing(struct tern_stack *st, const struct range *r, struct tern_flow *flow)
{
	uint32_t n = TERN_MIN((uint32_t)PROBES, (uint32_t)r->high - r->low + 1);

	flow->lport = r->from;
	while (n--) {
		if (flow_is_free(st, flow))
			return true;
		flow->lport = draw_place(st, r->low, r->high);
	}
	return false;
}

/* Enters every flow to the destination into its record. */
static void fill_crowd(struct tern_stack *st, const struct range *r, const struct tern_flow *flow,
		       struct tern_crowd *crowd)
{
	struct tern_flow f = *flow;

	for (uint32_t port = r->low; port <= r->high; port++) {
		uint32_t hash;

		f.lport = (uint16_t)port;
		if (!tern_ports_used(st->ports, f.lport))
			continue;
		hash = tern_flow_hash(st->tcp.map_key, &f);
		if (find_conn(st, &f, hash))
			tern_crowd_mark(crowd, f.lport);
		if (find_timewait(st, &f, hash))
			tern_crowd_mark(crowd, f.lport);
		if (tern_ports_bound(st->ports, f.lport))
			tern_crowd_mark(crowd, f.lport);
	}
}

/* When memory for the record is out: the same answer, by looking at every flow. */
static bool choose_scanning(struct tern_stack *st, const struct range *r, struct tern_flow *flow)
{
	uint32_t n = (uint32_t)r->high - r->low + 1;

	flow->lport = r->from;
	while (n--) {
		if (flow_is_free(st, flow))
			return true;
		flow->lport = next_port(r, flow->lport);
	}
	return false;
}

/* May the flow of flow->lport be taken from a TIME-WAIT? */
static bool may_take_over(struct tern_stack *st, const struct tern_flow *flow, bool loopback,
			  uint32_t *ret_tw)
{
	uint32_t hash, tw, ts_offset;
	tern_seq iss;

	if (tern_ports_bound(st->ports, flow->lport) || is_itself(flow, flow->lport) ||
	    tern_knob_port_reserved(&st->knobs, flow->lport))
		return false;
	hash = tern_flow_hash(st->tcp.map_key, flow);
	tw = find_timewait(st, flow, hash);
	if (!tw || find_conn(st, flow, hash) ||
	    !tern_timewait_may_connect(&st->tw, tw, loopback, &iss, &ts_offset))
		return false;
	*ret_tw = tw;
	return true;
}

/* Step 5. */
static bool choose_timewait(struct tern_stack *st, const struct range *r, struct tern_crowd *crowd,
			    struct tern_flow *flow, uint32_t *ret_tw)
{
	bool loopback = tern_route_is_local(st, &flow->remote);
	uint32_t n = (uint32_t)r->high - r->low + 1;
	uint64_t *searched_ns = crowd ? tern_crowd_searched_ns(crowd) : NULL;

	if (!st->knobs.tcp_tw_reuse || (st->knobs.tcp_tw_reuse == 2 && !loopback))
		return false;
	if (searched_ns && *searched_ns && st->tcp.now - *searched_ns < SEARCH_NS)
		n = TERN_MIN(n, (uint32_t)REUSE_PROBES);
	flow->lport = r->from;
	for (uint32_t i = 0; i < n; i++) {
		if (may_take_over(st, flow, loopback, ret_tw))
			return true;
		flow->lport = next_port(r, flow->lport);
	}
	if (searched_ns && n > REUSE_PROBES)
		*searched_ns = st->tcp.now;
	return false;
}

/* Steps 3 to 5: every port of the range is in use by somebody. */
TERN_COLD static bool choose_used(struct tern_stack *st, const struct range *r,
				  struct tern_flow *flow, uint32_t *ret_tw)
{
	struct tern_crowd *crowd = tern_ports_crowd(st->ports, flow, r->low, r->high);
	bool found = false;

	if (!crowd) {
		found = choose_probing(st, r, flow);
		if (!found)
			crowd = tern_ports_crowd_new(st->ports, flow, r->low, r->high);
		if (crowd)
			fill_crowd(st, r, flow, crowd);
	}
	if (crowd)
		found = choose_gap(st, r, crowd, flow);
	else if (!found)
		found = choose_scanning(st, r, flow);
	return found || choose_timewait(st, r, crowd, flow, ret_tw);
}

int tern_port_choose(struct tern_stack *st, struct tern_flow *flow, uint32_t *ret_tw)
{
	struct range r = draw_range(st);
	uint32_t tw = 0;

	if (!choose_gap(st, &r, NULL, flow) && !choose_used(st, &r, flow, &tw)) {
		tern_count(&st->trace, TERN_CNT_TernEphemeralExhausted);
		return -EADDRNOTAVAIL;
	}
	*ret_tw = tw;
	return 0;
}

bool tern_port_bind_conflict(struct tern_stack *st, enum tern_proto proto,
			     const struct tern_endpoint *local, bool v6only, unsigned int reuse)
{
	if (proto == TERN_PROTO_UDP)
		return tern_udp_port_used(st->udp, local, v6only, reuse);
	/* Without anything on the port there is no listener either. RFC9293:MUST-42 */
	return tern_ports_used(st->ports, local->port) &&
	       (tern_ports_conflict(st->ports, local, v6only, reuse) ||
		tern_listener_conflicts(&st->syn, local, v6only, reuse));
}

int tern_port_choose_bind(struct tern_stack *st, enum tern_proto proto,
			  const struct tern_addr *addr, uint16_t *ret_port)
{
	struct range r = draw_range(st);
	struct tern_endpoint local = { .addr = *addr, .port = r.from };
	uint32_t n = (uint32_t)r.high - r.low + 1;
	uint16_t port = 0;

	if (proto == TERN_PROTO_TCP)
		port = tern_ports_unused(st->ports, r.low, r.high, r.from);
	if (port && tern_knob_port_reserved(&st->knobs, port))
		port = 0;
	for (; !port && n; n--) {
		if (!tern_knob_port_reserved(&st->knobs, local.port) &&
		    !tern_port_bind_conflict(st, proto, &local, false, 0))
			port = local.port;
		local.port = next_port(&r, local.port);
	}
	if (!port) {
		tern_count(&st->trace, TERN_CNT_TernEphemeralExhausted);
		return -EADDRINUSE;
	}
	*ret_port = port;
	return 0;
}
