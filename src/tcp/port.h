/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/port.h: the ledger of local TCP ports: which are in use, by how many records, and by whom.
 *
 * Everything that holds a flow (connections, TIME-WAIT records) claims and releases it here, every
 * socket with an address of its own choice binds and unbinds; the choice of a port (stack/port.c,
 * RFC 6056) reads it. A claim is an increment. Only for a crowded destination, one that the choice
 * found nearly full, a set of the ports used towards it is kept too, so that the choice stays O(1)
 * when 99 % of the range is taken.
 */
#ifndef TERN_TCP_PORT_H
#define TERN_TCP_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/pool.h"

enum {
	TERN_PORTS = 65536,
	TERN_PORT_WORDS = TERN_PORTS / 64,
	TERN_CROWDS_MAX = 64, /* crowded destinations known at once */
};

/* A set of ports. The nearest port that is not in it is found in O(1): see tern_portset_gap. */
struct tern_portset {
	uint64_t word[TERN_PORT_WORDS];
	uint64_t full[TERN_PORT_WORDS / 64]; /* words of which all bits are set */
};

static inline bool tern_portset_has(const struct tern_portset *s, uint16_t port)
{
	return s->word[port / 64] >> port % 64 & 1;
}

static inline void tern_portset_add(struct tern_portset *s, uint16_t port)
{
	uint64_t *word = &s->word[port / 64];

	*word |= UINT64_C(1) << port % 64;
	if (*word == UINT64_MAX)
		s->full[port / 4096] |= UINT64_C(1) << port / 64 % 64;
}

static inline void tern_portset_remove(struct tern_portset *s, uint16_t port)
{
	s->word[port / 64] &= ~(UINT64_C(1) << port % 64);
	s->full[port / 4096] &= ~(UINT64_C(1) << port / 64 % 64);
}

/*
 * The first port not in the set from `from` on, up to high and then from low on. low <= from <=
 * high, low is not 0. 0 when the set holds the whole range.
 */
uint16_t tern_portset_gap(const struct tern_portset *s, uint16_t low, uint16_t high, uint16_t from);

struct tern_ports;
struct tern_crowd;

/* A ledger, or NULL when memory is out. Freed by tern_ports_free; NULL is allowed there. */
struct tern_ports *tern_ports_new(struct tern_mem *mem);
void tern_ports_free(struct tern_ports *p);

/* A record of this flow appears and goes. Every claim is released once. */
void tern_ports_claim(struct tern_ports *p, const struct tern_flow *flow);
void tern_ports_release(struct tern_ports *p, const struct tern_flow *flow);

/* The same of a record that keeps its flow packed. */
void tern_ports_release_packed(struct tern_ports *p, uint8_t family, uint16_t lport, uint16_t rport,
			       const uint8_t *addrs);

/*
 * A socket is bound to an endpoint by bind(), or by a listen() that chose the port, whatever
 * becomes of it later. owner is its connection record: it names the binding to tern_ports_unbind
 * and tern_ports_move. It may have one binding at a time. reuse is SO_REUSEADDR. -ENOBUFS.
 */
TERN_NODISCARD int tern_ports_bind(struct tern_ports *p, uint32_t owner,
				   const struct tern_endpoint *local, bool v6only, bool reuse);
void tern_ports_unbind(struct tern_ports *p, uint32_t owner, uint16_t port);

/* The owner's binding to a wildcard address has become one to addr, by connect(). */
void tern_ports_move(struct tern_ports *p, uint32_t owner, uint16_t port,
		     const struct tern_addr *addr);

/* SO_REUSEADDR of a bound socket was set or cleared. */
void tern_ports_set_reuse(struct tern_ports *p, uint32_t owner, uint16_t port, bool reuse);

/*
 * Does a binding or a flow forbid another bind to the endpoint? As in Linux: addresses that do not
 * overlap never do; bindings do unless both allow reuse; flows do unless the newcomer does. Where
 * flows of several local addresses share the port, they count as flows of every address.
 */
bool tern_ports_conflict(const struct tern_ports *p, const struct tern_endpoint *local, bool v6only,
			 bool reuse);

/* Does any record or binding use the port; is it bound? */
bool tern_ports_used(const struct tern_ports *p, uint16_t port);
bool tern_ports_bound(const struct tern_ports *p, uint16_t port);

/* A port that nothing uses, searched as by tern_portset_gap; 0 when there is none. */
uint16_t tern_ports_unused(const struct tern_ports *p, uint16_t low, uint16_t high, uint16_t from);

/* Do endpoints at these addresses, one of which may be a wildcard, share the port? */
bool tern_ports_overlap(const struct tern_addr *a, bool a_v6only, const struct tern_addr *b,
			bool b_v6only);

/*
 * The record of the flow's destination (local and remote address, remote port) if it is crowded and
 * was made for this range of ports; else NULL. Valid until the next claim or release.
 */
struct tern_crowd *tern_ports_crowd(struct tern_ports *p, const struct tern_flow *flow,
				    uint16_t low, uint16_t high);

/*
 * Makes the record; the caller fills it by tern_crowd_mark from all flows to the destination, and
 * from bound ports, at once. The one that was asked for longest ago makes room. NULL: no memory.
 */
struct tern_crowd *tern_ports_crowd_new(struct tern_ports *p, const struct tern_flow *flow,
					uint16_t low, uint16_t high);

/* A record holds the port; called once for each of them, at most three times a port. */
void tern_crowd_mark(struct tern_crowd *crowd, uint16_t port);

/* The first port free towards the destination from `from` on, around the range; 0: none. */
uint16_t tern_crowd_gap(const struct tern_crowd *crowd, uint16_t from);

/*
 * When the choice last looked in vain for a TIME-WAIT to take over, in ns; 0 is never. Theirs to
 * keep it here: the record has the life that this needs.
 */
uint64_t *tern_crowd_searched_ns(struct tern_crowd *crowd);

/* Number of crowded destinations known. */
uint32_t tern_ports_crowds(const struct tern_ports *p);

#endif
