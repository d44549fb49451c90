/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timewait/internal.h: what the files of the room offer each other.
 *
 *	table.c  the records: made, found, timed, freed
 *	queue.c  how long they wait
 *	input.c  a segment for a record
 *	reuse.c  when a tuple may be used again, and what the new connection starts from
 *	reply.c  what records send
 */
#ifndef TERN_TIMEWAIT_INTERNAL_H
#define TERN_TIMEWAIT_INTERNAL_H

#include "timewait/timewait.h"

#define TERN_TW_LINK offsetof(struct tern_tw, queue)

static inline void tern_tw_flow(const struct tern_tw *w, struct tern_flow *ret)
{
	tern_flow_unpack(w->inet6 ? TERN_INET6 : TERN_INET, w->lport, w->rport, w->addrs, ret);
}

/* ---- table.c ---- */

/* From FIN-WAIT-2 to TIME-WAIT: state, age, the full length to wait; counted. */
void tern_tw_enter(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w);

/* The 2 MSL begin anew. */
void tern_tw_restart(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w);

/* ---- queue.c ---- */

/* A record that waits for nothing yet begins to: it ends len_ns from now. Its state is set. */
void tern_tw_wait(struct tern_timewait *tw, uint32_t idx, struct tern_tw *w, uint64_t len_ns);

/* The record does not wait any more. To be called before its state changes. */
void tern_tw_unwait(struct tern_timewait *tw, struct tern_tw *w);

/* A record that has ended by this tick, or 0 after the last one. */
uint32_t tern_tw_ended(struct tern_timewait *tw, uint64_t tick);

/* ---- reuse.c ---- */

/* May this SYN reopen the connection (RFC 6191 §2, RFC 9293 MAY-2)? */
bool tern_tw_may_reopen(const struct tern_timewait *tw, const struct tern_tw *w,
			const struct tern_segment *seg);

/* What a new connection on the tuple starts from. */
void tern_tw_reopen(const struct tern_timewait *tw, const struct tern_tw *w,
		    const struct tern_flow *flow, tern_seq *ret_iss, uint32_t *ret_ts_offset);

/* ---- reply.c ---- */

/* Queues <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
void tern_tw_send_ack(struct tern_timewait *tw, const struct tern_tw *w,
		      const struct tern_flow *flow);

/* Queues <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>. */
void tern_tw_send_reset(struct tern_timewait *tw, const struct tern_tw *w,
			const struct tern_flow *flow);

#endif
