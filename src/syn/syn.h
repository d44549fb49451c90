/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syn/syn.h: listeners, the SYN queue and the accept queue.
 *
 * A listening socket is a connection record in LISTEN (it keeps the options that children inherit) and a
 * struct tern_listener. A SYN makes a struct tern_half, at most 64 bytes; the ACK that completes it
 * is promoted: the half-open record is given up, tern_tcp_adopt makes a connection in SYN-RECEIVED, which
 * waits in the accept queue while the same segment goes through tern_tcp_input like any other.
 * That is the one way in: a cookie will be rebuilt into a struct tern_half and promoted the same way.
 */
#ifndef TERN_SYN_SYN_H
#define TERN_SYN_SYN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "tcp/tcp.h"
#include "tern/snapshot.h"
#include "timer/wheel.h"

/* A half-open connection: we got a SYN and sent a SYN-ACK. State SYN-RECEIVED. */
struct tern_half {
	struct tern_timer timer;
	struct tern_link queue; /* the listener's SYN queue */
	uint32_t listener;
	tern_seq iss, irs;
	uint32_t ts_offset, ts_recent;
	uint32_t born_ms; /* when the SYN came */
	uint16_t lport, rport;
	uint16_t window;   /* of the SYN, unscaled */
	uint16_t peer_mss;
	uint16_t oow_ds;   /* last answer to an invalid segment, 100 ms units + 1; 0: none */
	uint8_t options;   /* agreed on */
	uint8_t wscales;   /* send shift << 4 | receive shift */
	uint8_t retries;   /* SYN-ACKs sent again */
	uint8_t flags;	   /* enum tern_half_flag */
	uint8_t family;
	uint8_t addrs[]; /* packed flow: 8 bytes, 32 where the stack speaks IPv6 */
};

enum tern_half_flag {
	TERN_HALF_ACKED = 1,  /* the ACK came, but the accept queue was full */
	TERN_HALF_REOPEN = 2, /* took over a TIME-WAIT tuple: not evictable */
};

struct tern_listener {
	uint32_t conn; /* the socket: state LISTEN */
	uint16_t port;
	bool v6only;
	struct tern_addr addr; /* unspecified: any of the family; :: takes IPv4 too unless v6only */
	uint32_t backlog;      /* as given to listen(), clamped to somaxconn */
	struct tern_list synq;	  /* halves, oldest first */
	struct tern_list acceptq; /* connections, in order of completion */
	uint64_t drops, overflows;
};

struct tern_syn {
	struct tern_tcp *tcp;
	struct tern_pool listeners, halves;
	struct tern_map listener_map, half_map;
	struct tern_wheel wheel; /* of halves */
	uint32_t accept_queued;
};

/* What a TIME-WAIT record that gives way to a SYN hands on (RFC 6191, RFC 9293 MAY-2). */
struct tern_reopen {
	tern_seq iss;	    /* above the old SND.NXT */
	uint32_t ts_offset; /* TSval above the last one sent */
};

/* tcp is set up before. addrs_len as in tern_tcp_init. -ENOMEM. */
int tern_syn_init(struct tern_syn *s, struct tern_tcp *tcp, uint32_t listeners_max, uint32_t halfopens_max,
		  size_t addrs_len, uint64_t now);
void tern_syn_free(struct tern_syn *s);

/*
 * LISTEN on an endpoint for the connection record conn, which is CLOSED and moves to LISTEN; its c->listener is set.
 * -EADDRINUSE (another listener there, or one on the wildcard), -ENOBUFS.
 */
int tern_listener_open(struct tern_syn *s, uint32_t conn, const struct tern_endpoint *local, bool v6only, int backlog);

/* A new backlog, nothing else. */
void tern_listener_set_backlog(struct tern_syn *s, uint32_t listener, int backlog);

/*
 * The listener goes: half-open connections are forgotten and answered by RST, unaccepted ones reset
 * (C13: all RST, none dangling). Its connection record becomes CLOSED and stays the caller's.
 */
void tern_listener_close(struct tern_syn *s, uint32_t listener);

/* Takes the oldest unaccepted connection that is at least ESTABLISHED; 0 when there is none. */
uint32_t tern_listener_accept(struct tern_syn *s, uint32_t listener);

/* An unaccepted connection is going away (reset, timed out): takes it off its queue. */
void tern_listener_forget(struct tern_syn *s, uint32_t conn);

/* The listener for a destination: the exact address before the wildcard; 0 when there is none. */
uint32_t tern_listener_find(const struct tern_syn *s, const struct tern_addr *addr, uint16_t port);

/*
 * A segment for a port that listens and belongs to nothing else (RFC 9293 §3.10.7.2): RST is ignored, ACK is
 * reset, SYN makes a half-open connection and queues its SYN-ACK. reopen is not NULL when a TIME-WAIT gave
 * way. hash is the flow's in tcp->map_key. *ret_reason tells what happened to it.
 */
void tern_listener_input(struct tern_syn *s, uint32_t listener, const struct tern_flow *flow, uint32_t hash,
			 const struct tern_segment *seg, const struct tern_reopen *reopen,
			 enum tern_drop *ret_reason);

/* The half-open connection of a flow, or 0. */
uint32_t tern_half_find(const struct tern_syn *s, uint32_t hash, const struct tern_flow *flow);

/*
 * A segment for a half-open connection (RFC 9293 §3.10.7.4 in SYN-RECEIVED). Returns the connection it
 * was promoted to, which the caller gives the same segment, or 0; then *ret_reason tells what became of it.
 */
uint32_t tern_half_input(struct tern_syn *s, uint32_t half, const struct tern_flow *flow, uint32_t hash,
			 const struct tern_segment *seg, enum tern_drop *ret_reason);

/* A hard ICMP error about a SYN-ACK of ours: as Linux, the half-open connection is dropped if seq fits. */
void tern_half_icmp(struct tern_syn *s, uint32_t half, int error, tern_seq quoted_seq);

/* Runs due SYN-ACK retransmissions (tcp_synack_retries) and gives up. */
void tern_syn_tick(struct tern_syn *s);

/* Rows for a snapshot. Of a listener: queue lengths, limits, drops; of a half: flow, timer, age. */
void tern_listener_describe(const struct tern_syn *s, uint32_t listener, struct tern_socket_info *ret);
void tern_half_describe(const struct tern_syn *s, uint32_t half, struct tern_socket_info *ret);

#endif
