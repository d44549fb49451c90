/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_flow.c: which connection a packet is about.
 *
 * A script's packets have no addresses. As in packetdrill they are about the socket under test:
 * the one that connect() was last called on, or that listen() was; the first packet to a listener,
 * whatever it is, makes a connection out of a new port of the peer, and that is under test from
 * then on. Where a script gives ports (`< 40001 > 8080 S ...`), they choose among the connections,
 * or make one.
 */
#include "base/addr.h"
#include "sim/drill_internal.h"

struct drill_flow *tern_drill_flow_new(struct drill *d, enum drill_phase phase)
{
	struct drill_flow *flow = tern_arena_alloc(&d->script.arena, sizeof(*flow));

	if (!flow) {
		tern_drill_fail(d, "no memory");
		return NULL;
	}
	flow->phase = phase;
	flow->fd = -1;
	flow->local = (struct tern_endpoint){ d->local, d->script.options.bind_port };
	flow->remote = (struct tern_endpoint){ d->remote, 0 };
	flow->next = d->flows;
	d->flows = flow;
	return flow;
}

/* The connection that the first packet from a peer makes of a listener. */
static struct drill_flow *make_child(struct drill *d, const struct drill_flow *parent,
				     const struct tern_script_packet *packet)
{
	struct drill_flow *flow = tern_drill_flow_new(d, DRILL_PACKET_RECEIVED);

	if (!flow)
		return NULL;
	flow->local = parent->local;
	flow->remote.port = packet->sport ? packet->sport : d->next_port++;
	flow->script_sport = packet->sport;
	flow->script_dport = packet->dport;
	d->under_test = flow;
	return flow;
}

static struct drill_flow *listener(const struct drill *d)
{
	for (struct drill_flow *flow = d->flows; flow; flow = flow->next)
		if (flow->phase == DRILL_LISTENING)
			return flow;
	return NULL;
}

/* The flow with the ports that the script gives, seen from the peer. */
static struct drill_flow *by_ports(const struct drill *d, const struct tern_script_packet *packet)
{
	uint16_t sport = packet->out ? packet->dport : packet->sport;
	uint16_t dport = packet->out ? packet->sport : packet->dport;

	for (struct drill_flow *flow = d->flows; flow; flow = flow->next)
		if (flow->phase != DRILL_LISTENING &&
		    ((flow->script_sport == sport && flow->script_dport == dport) ||
		     (flow->phase >= DRILL_CONNECTING && !flow->script_sport)))
			return flow;
	return NULL;
}

struct drill_flow *tern_drill_flow_of_script(struct drill *d,
					     const struct tern_script_packet *packet)
{
	struct drill_flow *flow = d->under_test, *parent;
	bool ports = packet->sport && packet->protocol == TERN_SCRIPT_TCP;

	if (ports)
		flow = by_ports(d, packet);
	if (flow && ports && !flow->script_sport) {
		flow->script_sport = packet->out ? packet->dport : packet->sport;
		flow->script_dport = packet->out ? packet->sport : packet->dport;
	}
	if (!packet->out && packet->protocol == TERN_SCRIPT_TCP) {
		parent = ports ? listener(d) : flow;
		if (parent && (ports ? !flow
				     : parent->phase == DRILL_LISTENING ||
					       (parent->phase == DRILL_NEW && !parent->udp)))
			return make_child(d, parent, packet);
	}
	if (!flow)
		tern_drill_broken(d, d->event->place,
				  "there is no socket that this could be about");
	return flow;
}

static bool is_end(const struct tern_endpoint *ep, const struct tern_addr *addr, uint16_t port)
{
	return ep->port == port && tern_addr_eq(&ep->addr, addr);
}

struct drill_flow *tern_drill_flow_of_frame(struct drill *d, const struct tern_packet *pkt,
					    const struct tern_segment *seg)
{
	bool opens = (seg->flags & (TERN_SYN | TERN_ACK)) == TERN_SYN;
	struct drill_flow *flow;

	/* With other numbers a SYN is of a connection that takes the ports over. */
	for (flow = d->flows; flow; flow = flow->next)
		if (!flow->udp && flow->phase != DRILL_LISTENING &&
		    flow->phase != DRILL_CONNECTING && (!opens || seg->seq == flow->live_isn) &&
		    is_end(&flow->local, &pkt->src, seg->sport) &&
		    is_end(&flow->remote, &pkt->dst, seg->dport))
			return flow;
	/* A SYN of a connect() whose port is not known yet. */
	for (flow = d->flows; flow; flow = flow->next)
		if (flow->phase == DRILL_CONNECTING && opens &&
		    is_end(&flow->remote, &pkt->dst, seg->dport))
			return flow;
	return NULL;
}

uint32_t tern_drill_flow_shift(const struct drill_flow *flow, bool syn)
{
	return syn ? flow->live_isn - flow->script_isn : flow->live_isn;
}

uint32_t tern_drill_stamp_live(const struct drill_flow *flow, uint32_t script)
{
	uint32_t n = TERN_MIN(flow->stamp_count, (uint32_t)DRILL_STAMPS);

	for (uint32_t i = 1; i <= n; i++) {
		const struct drill_stamp *s = &flow->stamps[(flow->stamp_count - i) % DRILL_STAMPS];

		if (s->script == script)
			return s->live;
	}
	return script;
}

void tern_drill_stamp_note(struct drill_flow *flow, uint32_t script, uint32_t live)
{
	flow->stamps[flow->stamp_count++ % DRILL_STAMPS] = (struct drill_stamp){ script, live };
	if (!flow->stamped) {
		flow->stamped = true;
		flow->first = (struct drill_stamp){ script, live };
	}
}
