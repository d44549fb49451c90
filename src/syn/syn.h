/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syn/syn.h: listeners, the SYN queue and the accept queue.
 *
 * A listening socket is a connection record in LISTEN (it keeps the options that children inherit)
 * and a struct tern_listener. A SYN makes a struct tern_half, at most 64 bytes; the ACK that
 * completes it is promoted: the half-open record is given up, tern_tcp_adopt makes a connection in
 * SYN-RECEIVED, which waits in the accept queue while the same segment goes through tern_tcp_input
 * like any other. That is the one way in: a cookie will be rebuilt into a struct tern_half and
 * promoted the same way.
 */
#ifndef TERN_SYN_SYN_H
#define TERN_SYN_SYN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "tcp/tcp.h"
#include "tern/snapshot.h"
#include "timer/wheel.h"

/*
 * A half-open connection: we got a SYN and sent a SYN-ACK. State SYN-RECEIVED. 56 bytes and the
 * flow. RFC4987:3.5
 */
struct tern_half {
	struct tern_list_link wait;  /* for the next expiry, among those that wait as long */
	struct tern_list_link queue; /* the listener's SYN queue */
	uint32_t due;                /* tick of the next expiry, modulo 2^32 */
	uint32_t listener;
	tern_seq iss, irs;
	uint32_t ts_offset, ts_recent;
	uint32_t born; /* when the SYN came, in units of 2^TERN_HALF_CLOCK_SHIFT ns */
	uint16_t lport, rport;
	uint16_t peer_mss;
	uint16_t oow_ms; /* last answer to an invalid segment, see tcp/oow.h */
	uint8_t options; /* agreed on: WSCALE, SACKOK, TS, ECN */
	uint8_t wscales; /* send shift << 4 | receive shift */
	uint8_t retries; /* times the timer sent the SYN-ACK again */
	uint8_t flags;   /* enum tern_half_flag */
	uint8_t addrs[]; /* packed flow: 8 bytes, 32 where the stack speaks IPv6 */
};

/* 16 µs: fine enough for a round-trip time; wraps after 19 hours, longer than any half lives. */
#define TERN_HALF_CLOCK_SHIFT 14

enum tern_half_flag {
	TERN_HALF_ACKED = 1,  /* the ACK came, but the accept queue or the table was full */
	TERN_HALF_REOPEN = 2, /* took over a TIME-WAIT tuple: not evictable */
	TERN_HALF_RESENT = 4, /* the SYN-ACK left more than once: no RTT sample (Karn) */
	TERN_HALF_INET6 = 8,
};

struct tern_listener {
	uint32_t conn; /* the socket: state LISTEN */
	uint16_t port;
	bool v6only;
	bool shares;           /* another one covered some address of it when it was opened */
	struct tern_addr addr; /* unspecified: any of the family; :: takes IPv4 too unless v6only */
	uint32_t backlog;      /* as given to listen(), clamped to somaxconn */
	struct tern_list synq; /* halves, oldest first */
	struct tern_list acceptq; /* connections, in order of completion */
	uint32_t held;            /* accepted ones that count as if they were there */
	uint32_t young;           /* halves whose timer has not yet run out */
	uint64_t drops, overflows;
};

/* Halves that wait equally long for their next expiry, in the order in which it comes. */
struct tern_half_queue {
	struct tern_list list;
	uint64_t last; /* tick at which the last one is due, if there is one */
};

#define TERN_HALF_WAITS 8 /* 1, 2, 4, … 64, 120 s */

struct tern_syn {
	struct tern_tcp *tcp;
	struct tern_pool listeners, halves;
	struct tern_map listener_map, half_map;
	struct tern_half_queue waits[TERN_HALF_WAITS];
	uint64_t tick; /* halves that were due by then have been served */
	uint64_t next; /* none is due before this tick */
	uint32_t accept_queued;
	uint32_t sharers; /* listeners with `shares` */
};

/* What a TIME-WAIT record that gives way to a SYN hands on (RFC 6191, RFC 9293 MAY-2). */
struct tern_reopen {
	tern_seq iss;       /* above the old SND.NXT */
	uint32_t ts_offset; /* TSval above the last one sent */
};

/* tcp is set up before. addrs_len as in tern_tcp_init. -EINVAL (a maximum of 0), -ENOMEM. */
int tern_syn_init(struct tern_syn *s, struct tern_tcp *tcp, uint32_t listeners_max,
		  uint32_t halfopens_max, size_t addrs_len, uint64_t now);
void tern_syn_free(struct tern_syn *s);

/*
 * LISTEN on an endpoint for the connection record conn, which is CLOSED and moves to LISTEN; its
 * c->listener is set (RFC 9293 §3.10.1, passive). A backlog that is negative or above somaxconn
 * means somaxconn. -EADDRINUSE (see tern_listener_conflicts), -ENOBUFS (counted).
 */
int tern_listener_open(struct tern_syn *s, uint32_t conn, const struct tern_endpoint *local,
		       bool v6only, int backlog);

/*
 * Does a listener stand in the way of another on local? One does on the same port at the same
 * address, or where one of the two is a wildcard that covers the other, unless both have
 * SO_REUSEPORT (reuse is enum tern_reuse bits). SO_REUSEADDR does not help, as in Linux.
 */
bool tern_listener_conflicts(const struct tern_syn *s, const struct tern_endpoint *local,
			     bool v6only, unsigned int reuse);

/* A new backlog, nothing else. */
void tern_listener_set_backlog(struct tern_syn *s, uint32_t listener, int backlog);

/* Accepted connections that still count in the accept queue; see tern_stack_hold. */
void tern_listener_hold(struct tern_syn *s, uint32_t listener, uint32_t count);

/*
 * The listener goes: half-open connections are forgotten and answered by RST, unaccepted ones reset
 * (C13: all RST, none dangling). Its connection record becomes CLOSED and stays the caller's.
 */
void tern_listener_close(struct tern_syn *s, uint32_t listener);

/*
 * Takes the oldest unaccepted connection that is at least ESTABLISHED, or an early child of Fast
 * Open; 0 when there is none. As in
 * Linux that may be one that was reset since: its record is CLOSED and holds the error. The caller
 * owns it now (it sets TERN_CF_OWNED).
 */
uint32_t tern_listener_accept(struct tern_syn *s, uint32_t listener);

/* Takes an unaccepted connection off its queue; the record stays. Nothing to do for any other. */
void tern_listener_forget(struct tern_syn *s, uint32_t conn);

/*
 * The listener for a destination: of the address, or else of a wildcard of its family, or else of
 * one that covers it; of several (SO_REUSEPORT) the same for the same hash, which is the flow's in
 * tcp->map_key. 0: none.
 */
uint32_t tern_listener_find(const struct tern_syn *s, const struct tern_addr *addr, uint16_t port,
			    uint32_t hash);

/*
 * A segment for a port that listens and belongs to nothing else (RFC 9293 §3.10.7.2): RST is
 * ignored, ACK is reset, SYN makes a half-open connection and queues its SYN-ACK. reopen is not
 * NULL when a TIME-WAIT gave way. hash is the flow's in tcp->map_key. *ret_reason is TERN_DROP_NONE
 * when a half-open connection was made, else why not.
 */
void tern_listener_input(struct tern_syn *s, uint32_t listener, const struct tern_flow *flow,
			 uint32_t hash, const struct tern_segment *seg,
			 const struct tern_reopen *reopen, enum tern_drop *ret_reason);

/* The half-open connection of a flow, or 0. hash is the flow's in tcp->map_key. */
uint32_t tern_half_find(const struct tern_syn *s, uint32_t hash, const struct tern_flow *flow);

/*
 * Did it take over a TIME-WAIT tuple? Whoever keeps that record until the peer has answered the
 * SYN-ACK returns to TIME-WAIT if the SYN was an old duplicate (RFC 9293 MAY-2).
 */
static inline bool tern_half_reopens(const struct tern_syn *s, uint32_t half)
{
	return ((const struct tern_half *)tern_pool_at(&s->halves, half))->flags & TERN_HALF_REOPEN;
}

/*
 * A segment for a half-open connection (RFC 9293 §3.10.7.4 in SYN-RECEIVED). Returns the connection
 * it was promoted to, which the caller gives the same segment, or 0; then *ret_reason tells what
 * became of it. The record may be gone afterwards either way.
 */
uint32_t tern_half_input(struct tern_syn *s, uint32_t half, const struct tern_flow *flow,
			 uint32_t hash, const struct tern_segment *seg, enum tern_drop *ret_reason);

/*
 * An ICMP error about a SYN-ACK of ours; error is a positive errno if it is a hard one, 0 if not.
 * As Linux does, a hard one drops the half-open connection if quoted_seq is that of the SYN-ACK.
 */
void tern_half_icmp(struct tern_syn *s, uint32_t half, int error, tern_seq quoted_seq);

/* Runs due SYN-ACK retransmissions (tcp_synack_retries) and gives up. */
void tern_syn_tick(struct tern_syn *s);

/* When the first SYN-ACK is due again (TERN_NEVER: there is none), and when one record's is. */
uint64_t tern_syn_deadline(const struct tern_syn *s);
uint64_t tern_half_when(const struct tern_syn *s, uint32_t half);

/* Adds a listener's queue lengths, limits and drops to the row of its connection record. */
void tern_listener_describe(const struct tern_syn *s, uint32_t listener,
			    struct tern_socket_info *ret);

/* The row of a half-open connection: flow, timer, age, what was agreed on. id is 0, cookie too. */
void tern_half_describe(const struct tern_syn *s, uint32_t half, struct tern_socket_info *ret);

#endif
