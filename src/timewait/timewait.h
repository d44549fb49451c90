/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timewait/timewait.h: TIME-WAIT, and orphans in FIN-WAIT-2, as records of at most 48 bytes (IPv4).
 */
#ifndef TERN_TIMEWAIT_TIMEWAIT_H
#define TERN_TIMEWAIT_TIMEWAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "tcp/port.h"
#include "tcp/tcp.h"
#include "timer/wheel.h"

/* 40 bytes and the flow. */
struct tern_tw {
	struct tern_list_link queue;
	uint32_t expires; /* tick at which it ends, modulo 2^32: see queue.c */
	tern_seq snd_nxt, rcv_nxt;
	uint32_t ts_recent;
	uint32_t ts_offset;
	uint32_t entered_ms : 24; /* when the state was entered, modulo 4.6 hours */
	uint32_t wscale : 4;      /* our window shift */
	uint32_t timestamps : 1;  /* were agreed on */
	uint32_t inet6 : 1;
	uint32_t finwait2 : 1; /* FIN-WAIT-2, not yet TIME-WAIT */
	uint32_t second : 1;   /* in the second queue of its state */
	uint16_t lport, rport;
	uint16_t rcv_wnd; /* as it stood in the last segment, scaled down */
	uint16_t oow_ms;  /* last answer to an invalid segment, see tcp/oow.h */
	uint8_t addrs[];  /* packed flow: 8 bytes, 32 where the stack speaks IPv6 */
};

/* Records that wait equally long, in the order in which they end. */
struct tern_tw_queue {
	struct tern_list list;
	uint64_t len_ns;
	uint64_t last; /* tick at which the last record ends, if there is one */
};

struct tern_timewait {
	struct tern_tcp *tcp; /* for trace, knobs, replies, hash key, clock */
	struct tern_ports *ports;
	struct tern_pool pool;
	struct tern_map map;
	struct tern_tw_queue queues[2][2]; /* of TIME-WAIT, of FIN-WAIT-2 */
	uint64_t tick;                     /* records that ended by then are gone */
	uint64_t next;                     /* no record ends before this tick */
	uint32_t finwait2;                 /* how many of the records are FIN-WAIT-2 */
};

/* What a TIME-WAIT record wants done with a segment. */
enum tern_tw_verdict {
	TERN_TW_DROP, /* done; the reason says how, a reply may be queued; the record may be gone */
	TERN_TW_REOPEN, /* gives way to this SYN: on to the listener with what *ret_iss etc. say */
};

static inline struct tern_tw *tern_tw_at(const struct tern_timewait *tw, uint32_t idx)
{
	return tern_pool_at(&tw->pool, idx);
}

/* TIME-WAIT or FIN-WAIT-2. */
static inline enum tern_state tern_timewait_state(const struct tern_timewait *tw, uint32_t idx)
{
	return tern_tw_at(tw, idx)->finwait2 ? TERN_FIN_WAIT_2 : TERN_TIME_WAIT;
}

/* tcp is set up before. addrs_len as in tern_tcp_init. -EINVAL (a maximum of 0), -ENOMEM. */
int tern_timewait_init(struct tern_timewait *tw, struct tern_tcp *tcp, struct tern_ports *ports,
		       uint32_t max, size_t addrs_len, uint64_t now);
void tern_timewait_free(struct tern_timewait *tw);

/*
 * Makes the record that a connection leaves behind, from its flow, sequence numbers and timestamps,
 * as TIME-WAIT (tern_timewait_len) or FIN-WAIT-2 (tcp_fin_timeout), takes over its flow and its
 * claim on the port, and counts it. With ack, the peer's FIN is acknowledged, also when there is no
 * record: 0 when tcp_max_tw_buckets or memory is reached (TCPTimeWaitOverflow); the connection is
 * still hashed then. tern_tcp_retire comes after.
 */
uint32_t tern_timewait_add(struct tern_timewait *tw, uint32_t conn, struct tern_conn *c,
			   enum tern_state state, bool ack);

/* The record of a flow, or 0. hash is the flow's in tcp->map_key. */
uint32_t tern_timewait_find(const struct tern_timewait *tw, uint32_t hash,
			    const struct tern_flow *flow);

/*
 * A segment for it (RFC 9293 §3.10.7.4, RFC 1337, RFC 6191, RFC 7323). On TERN_TW_REOPEN the record
 * still stands: the caller drops it with tern_timewait_remove when a connection was opened, and
 * calls tern_timewait_refuse if no one listens; *ret_iss and *ret_ts_offset are what the new
 * connection must start from. *ret_reason is set on TERN_TW_DROP: TERN_DROP_NONE for a segment that
 * moved the record on (a FIN in FIN-WAIT-2), or was in order and has nothing to say.
 */
enum tern_tw_verdict tern_timewait_input(struct tern_timewait *tw, uint32_t idx,
					 const struct tern_flow *flow,
					 const struct tern_segment *seg, tern_seq *ret_iss,
					 uint32_t *ret_ts_offset, enum tern_drop *ret_reason);

/* After TERN_TW_REOPEN nobody took the SYN: it is acknowledged like any other late segment. */
void tern_timewait_refuse(struct tern_timewait *tw, uint32_t idx, const struct tern_flow *flow,
			  const struct tern_segment *seg, enum tern_drop *ret_reason);

/*
 * May connect() take the tuple over now (tcp_tw_reuse, tcp_tw_reuse_delay)? loopback: both ends are
 * ours. Only TIME-WAIT with timestamps, and while tcp_timestamps is on. If so, *ret_iss and
 * *ret_ts_offset are what the new connection must start from.
 */
bool tern_timewait_may_connect(const struct tern_timewait *tw, uint32_t idx, bool loopback,
			       tern_seq *ret_iss, uint32_t *ret_ts_offset);

/* Frees a record and releases its port. */
void tern_timewait_remove(struct tern_timewait *tw, uint32_t idx);

/* Frees the records whose time is over. */
void tern_timewait_tick(struct tern_timewait *tw);

/* When the first record's time is over (TERN_NEVER: there is none), and when one record's is. */
uint64_t tern_timewait_deadline(const struct tern_timewait *tw);
uint64_t tern_timewait_when(const struct tern_timewait *tw, uint32_t idx);

/* The row of a record: flow, state, timer:(timewait,...), age. id is 0, cookie too. */
void tern_timewait_describe(const struct tern_timewait *tw, uint32_t idx,
			    struct tern_socket_info *ret);

#endif
