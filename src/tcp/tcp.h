/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/tcp.h: the verbs of a connection, as the rooms above use them.
 *
 * A record leaves the room in one of two ways: tern_conn_free, or a move to the room timewait,
 * which these verbs ask for and the stack carries out.
 */
#ifndef TERN_TCP_TCP_H
#define TERN_TCP_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp/conn.h"
#include "tern/snapshot.h"
#include "tern/stack.h"
#include "trace/drop.h"
#include "wire/icmp.h"
#include "wire/segment.h"

/* Where a connection's record goes next. */
enum tern_move {
	TERN_MOVE_NONE,
	TERN_MOVE_TIME_WAIT,  /* to a TIME-WAIT record: both FINs are done */
	TERN_MOVE_FIN_WAIT_2, /* to the small record of an orphan in FIN-WAIT-2 */
};

/* What became of a segment. */
struct tern_outcome {
	enum tern_drop reason; /* TERN_DROP_NONE: taken */
	enum tern_move move;
	bool ack; /* with TERN_MOVE_TIME_WAIT: the segment is to be acknowledged */
};

/* What a half-open connection (or, later, a cookie) knows when it becomes a connection. */
struct tern_birth {
	const struct tern_flow *flow;
	tern_seq iss, irs;
	struct tern_terms terms;
	uint32_t ts_offset, ts_recent;
	uint32_t window;     /* of the SYN, unscaled */
	uint16_t advertised; /* window in our SYN-ACK */
	uint64_t synack_ns;  /* when the SYN-ACK left, for the RTT; 0: sent more than once (Karn) */
	uint32_t settings;   /* connection record whose options the child takes: the listener's */
	bool retransmitted;  /* the SYN-ACK was: start with one segment (RFC 5681 §3.1) */
	uint32_t fastopen;   /* an early child: its listener's tern_fastopen_queue; else 0 */
	enum tern_fastopen_syn answer; /* … and what its first SYN-ACK has */
};

/*
 * A segment to be sent: header fields, addresses, and payload by reference. Of seg, data is not
 * used, and of the options only what is present is set.
 */
struct tern_tx {
	struct tern_segment seg;
	const uint8_t *addrs; /* packed, as they stand in the record */
	uint8_t family, state, ttl, tos;
	unsigned int pieces;
	uint32_t gso_size; /* 0: one segment */
	struct tern_piece piece[TERN_OUT_PIECES];
};

/*
 * A connection in SYN-RECEIVED, hashed, with TERN_CF_PASSIVE; the caller then gives it the segment
 * that completes the handshake, or an early child the text of its SYN (tern_fastopen_take). 0
 * when a table or the memory is full (counted).
 */
uint32_t tern_tcp_adopt(struct tern_tcp *t, const struct tern_birth *birth);

/*
 * Active open (RFC 9293 §3.10.1): flow is complete, iss and ts_offset chosen. The SYN leaves with
 * the next output. -ENOBUFS.
 */
int tern_tcp_connect(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		     const struct tern_flow *flow, tern_seq iss, uint32_t ts_offset, uint32_t pmtu);

/* A segment for a connection that is neither CLOSED nor LISTEN (RFC 9293 §3.10.7.3 and .4). */
void tern_tcp_input(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		    const struct tern_segment *seg, struct tern_outcome *ret);

/* May some connection have a segment to send? */
static inline bool tern_tcp_wants_output(const struct tern_tcp *t)
{
	return t->out.head != 0;
}

/* Fills in the next segment of the connections that have one. False when none has. */
bool tern_tcp_output(struct tern_tcp *t, struct tern_tx *tx);

/* Runs due timers of connections. */
void tern_tcp_tick(struct tern_tcp *t);

/* SEND, RECEIVE (§3.10.2, §3.10.3); see tern_stack_send, tern_stack_recv. */
int64_t tern_tcp_send(struct tern_tcp *t, uint32_t idx, const void *data, size_t len,
		      unsigned int flags);
int64_t tern_tcp_recv(struct tern_tcp *t, uint32_t idx, void *data, size_t len, unsigned int flags);

/* Bytes without a copy; see tern_stack_peek, tern_stack_reserve, tern_stack_commit. */
int tern_tcp_peek(struct tern_tcp *t, uint32_t idx, struct tern_piece *pieces, unsigned int n);
int tern_tcp_reserve(struct tern_tcp *t, uint32_t idx, size_t len, struct tern_room *rooms,
		     unsigned int n);
int64_t tern_tcp_commit(struct tern_tcp *t, uint32_t idx, size_t len, unsigned int flags);

/* Frees the room that is lent and was not used. */
void tern_tcp_unlend(struct tern_tcp *t);

/* CLOSE and its halves (§3.10.4). */
int tern_tcp_shutdown(struct tern_tcp *t, uint32_t idx, enum tern_how how);

/*
 * The application lets go of the record: it goes on closing as an orphan, is reset, or is gone.
 * After TERN_MOVE_NONE the caller must not touch idx again; else it moves the record and calls
 * tern_tcp_retire.
 */
enum tern_move tern_tcp_close(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/* ABORT (§3.10.5): RST where the state asks for one. The record stays if an application owns it. */
void tern_tcp_abort(struct tern_tcp *t, uint32_t idx, int error);

/* Ends a connection for good: the peer gets a RST in whatever state, CLOSING and LAST-ACK too. */
void tern_tcp_give_up(struct tern_tcp *t, uint32_t idx);

/*
 * After a move: the flow now belongs to the small record. An owned record becomes CLOSED, keeping
 * what is still to be read; an orphan is freed.
 */
void tern_tcp_retire(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/* An ICMP error about a segment that began at quoted_seq (RFC 5927, RFC 9293 §3.9.2.2). */
void tern_tcp_icmp(struct tern_tcp *t, uint32_t idx, enum tern_icmp_kind kind, int error,
		   uint32_t mtu, tern_seq quoted_seq);

/* Options; see enum tern_option. -ENOPROTOOPT, -EINVAL. */
int tern_tcp_set_option(struct tern_tcp *t, uint32_t idx, enum tern_option option, int64_t value);
int tern_tcp_get_option(struct tern_tcp *t, uint32_t idx, enum tern_option option,
			int64_t *ret_value);

/* One row for a snapshot; id and cookie are the caller's. */
void tern_tcp_describe(const struct tern_tcp *t, uint64_t now, uint32_t idx,
		       struct tern_socket_info *ret);

#endif
