/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/internal.h: the stack itself, and what its files offer each other.
 *
 *	stack.c    new, free, the verbs tick, deadline, event, and the realtime
 *	input.c    a frame in: IP, reassembly, martians, protocol
 *	demux.c    a TCP segment to its record: connection, SYN queue, TIME-WAIT, listener,
 *		   closed port
 *	output.c   a frame out: replies, connections, datagrams; delivery to ourselves
 *	queue.c    packets that are whole when they are queued; cut into fragments as they leave
 *	reass.c    fragments
 *	icmp.c     echo, errors in and out
 *	udp.c, udp_option.c  datagram sockets
 *	route.c    own addresses, source addresses, which destinations are ours
 *	path.c     what is known about destinations: path MTU, allowance of ICMP errors
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
#include "base/list.h"
#include "base/rng.h"
#include "syn/syn.h"
#include "tcp/tcp.h"
#include "tern/stack.h"
#include "timewait/timewait.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/plain.h"
#include "wire/udp.h"

/* Room for the largest packet to ourselves: 65,535 bytes behind an IPv6 header. */
enum { TERN_LOOP_SIZE = TERN_IP_PACKET_MAX + TERN_IP6_HEADER };

/* Kinds of tern_id, its top byte. */
enum tern_id_kind {
	TERN_ID_CONN = 1, /* stream sockets: connections and listeners */
	TERN_ID_UDP = 2,
};

struct tern_frags; /* fragments: see reass.c */
struct tern_udp;   /* datagram sockets: see udp.c */
struct tern_queue; /* whole packets waiting for output: ICMP, UDP; see queue.c */
struct tern_paths; /* destinations: see path.c */

/*
 * The flow of the last plain segment whose addresses were good. Segments of a flow come in runs:
 * what was found out about the first holds for the others.
 */
struct tern_run {
	struct tern_plain_flow wire;
	uint32_t hash;
	struct tern_flow flow;
};

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
	struct tern_paths *paths;
	uint64_t port_key[2];
	uint64_t port_draws;  /* hashes drawn from for choices of a port so far */
	uint64_t port_random; /* what they are made by: see port.c */
	uint64_t icmp_key[2];
	struct tern_bucket icmp_bucket;
	uint64_t realtime_offset_ns;
	uint8_t *loop;  /* frame on its way from ourselves to ourselves, made when first needed */
	bool loop_more; /* such frames wait: output was left early */
	bool ipv6;      /* we have an IPv6 address */
	uint32_t own4[TERN_ADDRS_MAX]; /* own IPv4 addresses, as they stand in a packet */
	unsigned int own4_count;
	struct tern_addr good_source; /* the last one that was no martian */
	struct tern_addr good_dest;   /* the last one that a connect() may have gone to, … */
	struct tern_addr dest_source; /* … and the source for it, unless one is bound */
	struct tern_run run;
};

/* ---- input.c ---- */

/* A frame that comes from ourselves. st->tcp.now is set. */
void tern_input_looped(struct tern_stack *st, const struct tern_frame *frame);

/* ---- demux.c ---- */

/*
 * A TCP segment whose checksum is good, to whom it belongs. hash is tern_tcp_hash() of its flow.
 * Returns why it was dropped, if it was.
 */
enum tern_drop tern_demux(struct tern_stack *st, const struct tern_flow *flow, uint32_t hash,
			  const struct tern_segment *seg);

/* The same, told to the event ring: where that is on. */
enum tern_drop tern_demux_traced(struct tern_stack *st, const struct tern_flow *flow, uint32_t hash,
				 const struct tern_segment *seg);

/* ---- call.c ---- */

/* The connection record of an id that its application still holds, or 0. */
uint32_t tern_call_conn(const struct tern_stack *st, tern_id id);

/* Carries a record to the room timewait where a verb of tcp asked for it. */
void tern_stack_move(struct tern_stack *st, uint32_t conn, struct tern_conn *c, enum tern_move move,
		     bool ack);

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

/* ---- config.c ---- */

/* Checks a configuration and fills in the defaults; see struct tern_config. -EINVAL. */
int tern_config_complete(const struct tern_config *in, struct tern_config *ret);

/* The same for the i-th own address, among those in front of it. -EINVAL. */
int tern_config_complete_addr(struct tern_config *cfg, unsigned int i);

/* ---- route.c ---- */

/* Fills in own4 and ipv6. */
void tern_route_init(struct tern_stack *st);

/* Is the IPv4 address that stands at p one of ours? */
static inline bool tern_route_is_local4(const struct tern_stack *st, const uint8_t *p)
{
	uint32_t addr;

	memcpy(&addr, p, sizeof(addr));
	if (st->own4[0] == addr)
		return st->own4_count != 0;
	for (unsigned int i = 1; TERN_UNLIKELY(i < st->own4_count); i++)
		if (st->own4[i] == addr)
			return true;
	return false;
}

/* Is it one of our addresses? */
static inline bool tern_route_is_local(const struct tern_stack *st, const struct tern_addr *addr)
{
	if (TERN_LIKELY(addr->family == TERN_INET))
		return tern_route_is_local4(st, addr->b);
	for (unsigned int i = 0; i < st->cfg.addr_count; i++)
		if (tern_addr_eq(&st->cfg.addrs[i].addr, addr))
			return true;
	return false;
}

/* Is it the broadcast address of one of our prefixes, or 255.255.255.255? */
bool tern_route_is_broadcast(const struct tern_stack *st, const struct tern_addr *addr);

/*
 * May a packet come from this source: neither multicast, broadcast, unspecified, loopback nor
 * our own?
 */
bool tern_route_is_martian(const struct tern_stack *st, const struct tern_addr *source);

/*
 * The address to speak from to a destination: itself if local, else longest common prefix.
 * -ENETUNREACH, -EADDRNOTAVAIL (IPv6, and no address of it is ours).
 */
int tern_route_source(const struct tern_stack *st, const struct tern_addr *dest,
		      struct tern_addr *ret_source);

/* ---- port.c ---- */

/*
 * Chooses a local port for flow (lport is filled in) from the range of ip_local_port_range, from a
 * start that nobody foresees (RFC 6056); O(1) also when 99 % of the range is held. Takes over a
 * TIME-WAIT that may be (then *ret_tw is its index, else 0). -EADDRNOTAVAIL (counted): lport may
 * be anything then.
 */
int tern_port_choose(struct tern_stack *st, struct tern_flow *flow, uint32_t *ret_tw);

/* A free port to bind to at addr. proto is TERN_PROTO_TCP or _UDP. -EADDRINUSE. */
int tern_port_choose_bind(struct tern_stack *st, enum tern_proto proto,
			  const struct tern_addr *addr, uint16_t *ret_port);

/*
 * Does a socket of the protocol forbid a bind to it (listeners, bound sockets, live flows unless
 * reuse)?
 */
bool tern_port_bind_conflict(struct tern_stack *st, enum tern_proto proto,
			     const struct tern_endpoint *local, bool v6only, unsigned int reuse);

/* ---- path.c ---- */

/* A table, or NULL when memory is out. */
struct tern_paths *tern_paths_new(struct tern_mem *mem);
void tern_paths_free(struct tern_mem *mem, struct tern_paths *paths);

/* Bytes that a packet to the destination may have, IP header included: the link's MTU at most. */
uint32_t tern_path_mtu(const struct tern_stack *st, const struct tern_addr *dest);

/*
 * A router says that mtu bytes are the most (0: it does not say how many). Clamped; never
 * raises.
 */
void tern_path_lower(struct tern_stack *st, const struct tern_addr *dest, uint32_t mtu);

/*
 * May an ICMP error be sent there now (icmp_ratelimit, icmp_msgs_per_sec)? If so, it is counted
 * off.
 */
bool tern_path_may_answer(struct tern_stack *st, const struct tern_addr *dest);

/* ---- queue.c: packets that are whole when they are queued ---- */

enum { TERN_QUEUE_ID_SLOTS = 256 };

struct tern_queue {
	struct tern_mem *mem;
	struct tern_pool pool;
	struct tern_list ready, spent; /* still to leave; popped, and perhaps being read */
	uint64_t bytes;
	uint32_t ids[TERN_QUEUE_ID_SLOTS]; /* IPv4 and IPv6 identifications of fragments */
};

/* A queue, or NULL when memory is out. */
struct tern_queue *tern_queue_new(struct tern_mem *mem);
void tern_queue_free(struct tern_queue *q);

/*
 * Queues a packet of len bytes behind the IP header: the header fields of pkt (src, dst, proto,
 * ttl, tos, flow_label; df: it must not be cut). The caller fills *ret_payload at once. owner is
 * a datagram socket that tern_udp_sent is told about when the packet has left, or 0. -EMSGSIZE,
 * -ENOBUFS (limit of the queue, or memory).
 */
int tern_queue_room(struct tern_stack *st, const struct tern_packet *pkt, uint32_t len,
		    tern_id owner, uint8_t **ret_payload);

/* What a packet with len bytes behind the IP header is charged at. */
uint32_t tern_queue_charge(uint32_t len);

/*
 * Takes the next packet, or the next fragment of it, cut to the MTU of the path; a packet to
 * ourselves is never cut. ret_pkt is what tern_ip_emit needs; its payload, with the transport
 * header complete, is valid until tern_queue_reap. False when the queue is empty.
 */
bool tern_queue_pop(struct tern_stack *st, struct tern_packet *ret_pkt);

void tern_queue_free_spent(struct tern_queue *q);

/* Frees what was popped. To be called first in tern_stack_output. */
static inline void tern_queue_reap(struct tern_queue *q)
{
	if (q->spent.head)
		tern_queue_free_spent(q);
}

static inline bool tern_queue_is_empty(const struct tern_queue *q)
{
	return !q->ready.head;
}

/* Bytes held, at true size, popped packets included until they are reaped. */
uint64_t tern_queue_bytes(const struct tern_queue *q);

/* ---- reass.c ---- */

/*
 * Takes a fragment. When it completes a packet, pkt becomes that packet (valid until the next
 * call or tick) and true is returned; else *ret_reason is TERN_DROP_NONE (kept) or why it went.
 * Overlaps lose the whole packet (RFC 5722). The whole packet stands in memory behind an IP
 * header of pkt->header_len bytes (no options): it begins at pkt->payload - pkt->header_len. In
 * IPv6 further extension headers may follow: tern_ip_resume. Fragments that were kept and are
 * given up later are counted in st->trace.drops here.
 */
bool tern_frags_input(struct tern_stack *st, struct tern_packet *pkt, enum tern_drop *ret_reason);
struct tern_frags *tern_frags_new(struct tern_mem *mem, uint32_t max, uint64_t now);
void tern_frags_free(struct tern_frags *f);
void tern_frags_tick(struct tern_stack *st);
uint64_t tern_frags_deadline(const struct tern_frags *f);
uint64_t tern_frags_bytes(const struct tern_frags *f);

/* ---- icmp.c ---- */

/* An ICMP or ICMPv6 packet: echo is answered, errors go to whom they concern. */
void tern_icmp_input(struct tern_stack *st, const struct tern_packet *pkt, bool trusted,
		     enum tern_drop *ret_reason);

/* Errors that we answer packets by. */
enum tern_answer {
	TERN_ANSWER_PORT,   /* nobody on the port */
	TERN_ANSWER_PROTO,  /* protocol unreachable; IPv6: unknown next header, at pkt->pointer */
	TERN_ANSWER_HEADER, /* IPv6 only: bad header field at pkt->pointer */
	TERN_ANSWER_OPTION, /* IPv6 only: unknown option at pkt->pointer */
	TERN_ANSWER_REASSEMBLY_TIME, /* fragments missing for too long */
};

/*
 * Answers pkt by an ICMP error, if one may be sent (tern_icmp_may_answer, limits); frame/len is
 * the whole offending packet as received. Of pkt, src, dst, proto, frag_offset, payload and
 * pointer are read.
 */
void tern_icmp_send_error(struct tern_stack *st, const struct tern_packet *pkt,
			  enum tern_answer answer, const uint8_t *frame, uint32_t len);

/*
 * Answers pkt by port unreachable, rate-limited; frame/len is the whole offending packet as
 * received.
 */
void tern_icmp_send_unreachable(struct tern_stack *st, const struct tern_packet *pkt,
				const uint8_t *frame, uint32_t len);

/* ---- udp.c ---- */

struct tern_udp *tern_udp_new(struct tern_stack *st, uint32_t max);
void tern_udp_free(struct tern_udp *u);
void tern_udp_input(struct tern_stack *st, const struct tern_packet *pkt, const uint8_t *frame,
		    uint32_t len, bool trusted, enum tern_drop *ret_reason);
/*
 * An ICMP error about a datagram of flow. error is a positive errno. False when no socket can
 * have sent it.
 */
bool tern_udp_icmp(struct tern_stack *st, const struct tern_flow *flow, enum tern_icmp_kind kind,
		   int error);
/* The calls of stack.h for datagram sockets, id already known to be of kind TERN_ID_UDP. */
int tern_udp_open(struct tern_stack *st, enum tern_family family, tern_id *ret_id);
int tern_udp_bind(struct tern_stack *st, tern_id id, const struct tern_endpoint *local,
		  bool foreign);
int tern_udp_connect(struct tern_stack *st, tern_id id, const struct tern_endpoint *remote);
int64_t tern_udp_sendto(struct tern_stack *st, tern_id id, const void *data, size_t len,
			const struct tern_endpoint *remote);
int64_t tern_udp_recvfrom(struct tern_stack *st, tern_id id, void *data, size_t len,
			  unsigned int flags, struct tern_endpoint *ret_remote);
int tern_udp_shutdown(struct tern_stack *st, tern_id id, enum tern_how how);
int tern_udp_close(struct tern_stack *st, tern_id id);
int tern_udp_set_option(struct tern_stack *st, tern_id id, enum tern_option option, int64_t value);
int tern_udp_get_option(struct tern_stack *st, tern_id id, enum tern_option option,
			int64_t *ret_value);
int tern_udp_set_user(struct tern_stack *st, tern_id id, uint64_t user);
int tern_udp_local(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_local);
int tern_udp_remote(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_remote);
bool tern_udp_event(struct tern_stack *st, struct tern_event *ev);
/* A datagram that was charged `bytes` has left the queue. */
void tern_udp_sent(struct tern_stack *st, tern_id id, uint32_t bytes);
/* Does a socket forbid a bind to the endpoint? */
bool tern_udp_port_used(const struct tern_udp *u, const struct tern_endpoint *local, bool v6only,
			unsigned int reuse);
/* Rows: *cursor starts at 0, false at the end. Info by id: -EBADF. */
bool tern_udp_next_row(const struct tern_stack *st, uint32_t *cursor,
		       struct tern_socket_info *ret_row);
int tern_udp_describe(const struct tern_stack *st, tern_id id, struct tern_socket_info *ret_row);
/* Bytes charged to sockets, at true size. */
uint64_t tern_udp_bytes(const struct tern_udp *u);
uint32_t tern_udp_count(const struct tern_udp *u);

#endif
