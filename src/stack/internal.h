/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/internal.h: the stack itself, and what its files offer each other.
 *
 *	stack.c    new, free, the verbs tick, deadline, event, and the realtime
 *	input.c    a frame in: IP, reassembly, martians, protocol
 *	demux.c    a TCP segment to its record: connection, SYN queue, TIME-WAIT, listener, closed port
 *	output.c   a frame out: replies, connections, datagrams; delivery to ourselves
 *	reass.c    fragments
 *	icmp.c     echo, errors in and out
 *	udp.c      datagram sockets
 *	route.c    own addresses, source addresses, which destinations are ours
 *	port.c     the choice of local ports (RFC 6056), bind conflicts
 *	call.c     the calls on sockets
 *	config.c   configuration checked and completed
 *	snapshot.c rows and totals
 */
#ifndef TERN_STACK_INTERNAL_H
#define TERN_STACK_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/rng.h"
#include "syn/syn.h"
#include "tcp/tcp.h"
#include "tern/stack.h"
#include "timewait/timewait.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/udp.h"

/* Kinds of tern_id, its top byte. */
enum tern_id_kind {
	TERN_ID_CONN = 1, /* stream sockets: connections and listeners */
	TERN_ID_UDP = 2,
};

struct tern_frags; /* fragments: see reass.c */
struct tern_udp;   /* datagram sockets: see udp.c */
struct tern_queue; /* whole packets waiting for output: ICMP, UDP; see output.c */

struct tern_stack {
	struct tern_mem mem;
	struct tern_config cfg;
	struct tern_knobs knobs;
	struct tern_trace trace;
	struct tern_rng rng;
	struct tern_tcp tcp;
	struct tern_syn syn;
	struct tern_timewait tw;
	struct tern_ports *ports;
	struct tern_udp *udp;
	struct tern_frags *frags;
	struct tern_queue *queue;
	uint64_t port_key[2];
	uint64_t icmp_key[2];
	struct tern_bucket rst_bucket, icmp_bucket;
	uint64_t realtime_offset_ns;
	bool ipv6;
};

static inline tern_id tern_id_make(enum tern_id_kind kind, uint32_t gen, uint32_t idx)
{
	return (uint64_t)kind << 56 | (uint64_t)(gen & 0xffffff) << 32 | idx;
}

static inline enum tern_id_kind tern_id_kind(tern_id id)
{
	return (enum tern_id_kind)(id >> 56);
}

static inline uint32_t tern_id_gen(tern_id id)
{
	return (uint32_t)(id >> 32) & 0xffffff;
}

/* ---- route.c ---- */

/* Is it one of our addresses? */
bool tern_route_is_local(const struct tern_stack *st, const struct tern_addr *addr);

/* Is it the broadcast address of one of our prefixes, or 255.255.255.255? */
bool tern_route_is_broadcast(const struct tern_stack *st, const struct tern_addr *addr);

/* May a packet come from this source: neither multicast, broadcast, unspecified, loopback nor our own? */
bool tern_route_is_martian(const struct tern_stack *st, const struct tern_addr *source);

/* The address to speak from to a destination: itself if local, else longest common prefix. -ENETUNREACH. */
int tern_route_source(const struct tern_stack *st, const struct tern_addr *dest, struct tern_addr *ret_source);

/* ---- port.c ---- */

/*
 * Chooses a local port for flow (lport is filled in) by RFC 6056 algorithm 3 with SipHash; O(1) also when 99 %
 * of the range is held. Takes over a TIME-WAIT that may be (then *ret_tw is its index). -EADDRNOTAVAIL (counted).
 */
int tern_port_choose(struct tern_stack *st, struct tern_flow *flow, uint32_t *ret_tw);

/* A free port to bind to at addr. proto is TERN_PROTO_TCP or _UDP. -EADDRINUSE. */
int tern_port_choose_bind(struct tern_stack *st, enum tern_proto proto, const struct tern_addr *addr, uint16_t *ret_port);

/* Does a socket of the protocol forbid a bind to it (listeners, bound sockets, live flows unless reuse)? */
bool tern_port_bind_conflict(struct tern_stack *st, enum tern_proto proto, const struct tern_endpoint *local, bool v6only, bool reuse);

/* ---- output.c: packets that are whole when they are queued ---- */

/*
 * Copies a packet for output: header fields of pkt, then transport bytes. Cut into fragments by tern_stack_output where
 * it is larger than the MTU. -ENOBUFS when the queue's limit is reached.
 */
int tern_queue_packet(struct tern_stack *st, const struct tern_packet *pkt, const struct tern_piece *pieces, unsigned int n);

/* ---- reass.c ---- */

/*
 * Takes a fragment. When it completes a packet, pkt becomes that packet (payload valid until the next call) and true is
 * returned; else *ret_reason is TERN_DROP_NONE (kept) or why it went. Overlaps lose the whole packet (RFC 5722).
 */
bool tern_frags_input(struct tern_stack *st, struct tern_packet *pkt, enum tern_drop *ret_reason);
struct tern_frags *tern_frags_new(struct tern_mem *mem, uint32_t max, uint64_t now);
void tern_frags_free(struct tern_frags *f);
void tern_frags_tick(struct tern_stack *st);
uint64_t tern_frags_deadline(const struct tern_frags *f);

/* ---- icmp.c ---- */

/* An ICMP or ICMPv6 packet: echo is answered, errors go to whom they concern. */
void tern_icmp_input(struct tern_stack *st, const struct tern_packet *pkt, bool trusted, enum tern_drop *ret_reason);

/* Answers pkt by port unreachable, rate-limited; frame/len is the whole offending packet as received. */
void tern_icmp_send_unreachable(struct tern_stack *st, const struct tern_packet *pkt, const uint8_t *frame, uint32_t len);

/* ---- udp.c ---- */

struct tern_udp *tern_udp_new(struct tern_stack *st, uint32_t max);
void tern_udp_free(struct tern_udp *u);
void tern_udp_input(struct tern_stack *st, const struct tern_packet *pkt, const uint8_t *frame, uint32_t len,
		    bool trusted, enum tern_drop *ret_reason);
/* An ICMP error about a datagram of flow. error is a positive errno. */
void tern_udp_icmp(struct tern_stack *st, const struct tern_flow *flow, enum tern_icmp_kind kind, int error);
/* The calls of stack.h for datagram sockets, id already known to be of kind TERN_ID_UDP. */
int tern_udp_open(struct tern_stack *st, enum tern_family family, tern_id *ret_id);
int tern_udp_bind(struct tern_stack *st, tern_id id, const struct tern_endpoint *local);
int tern_udp_connect(struct tern_stack *st, tern_id id, const struct tern_endpoint *remote);
int64_t tern_udp_sendto(struct tern_stack *st, tern_id id, const void *data, size_t len, const struct tern_endpoint *remote);
int64_t tern_udp_recvfrom(struct tern_stack *st, tern_id id, void *data, size_t len, unsigned int flags,
			  struct tern_endpoint *ret_remote);
int tern_udp_shutdown(struct tern_stack *st, tern_id id, enum tern_how how);
int tern_udp_close(struct tern_stack *st, tern_id id);
int tern_udp_set_option(struct tern_stack *st, tern_id id, enum tern_option option, int64_t value);
int tern_udp_get_option(struct tern_stack *st, tern_id id, enum tern_option option, int64_t *ret_value);
int tern_udp_set_user(struct tern_stack *st, tern_id id, uint64_t user);
int tern_udp_local(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_local);
int tern_udp_remote(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_remote);
bool tern_udp_event(struct tern_stack *st, struct tern_event *ev);
bool tern_udp_port_used(const struct tern_udp *u, const struct tern_endpoint *local, bool v6only, bool reuse);
/* Rows: *cursor starts at 0, false at the end. Info by id: -EBADF. */
bool tern_udp_next_row(const struct tern_stack *st, uint32_t *cursor, struct tern_socket_info *ret_row);
int tern_udp_describe(const struct tern_stack *st, tern_id id, struct tern_socket_info *ret_row);
uint64_t tern_udp_bytes(const struct tern_udp *u);
uint32_t tern_udp_count(const struct tern_udp *u);

#endif
