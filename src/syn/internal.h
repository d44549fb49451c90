/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syn/internal.h: what the files of the room offer each other.
 *
 *	listener.c  listeners: table, backlog, lookup
 *	request.c   a SYN for a listener: admission, the half-open record
 *	synq.c      half-open records: table, timer, ICMP, end
 *	synack.c    what half-open connections send
 *	check.c     a segment for a half-open connection
 *	promote.c   from half-open to open
 *	fastopen.c  from a SYN to open
 *	acceptq.c   connections that wait for accept()
 */
#ifndef TERN_SYN_INTERNAL_H
#define TERN_SYN_INTERNAL_H

#include <stddef.h>

#include "syn/syn.h"
#include "tcp/window.h"

#define TERN_SYNQ_LINK    offsetof(struct tern_half, queue)
#define TERN_WAIT_LINK    offsetof(struct tern_half, wait)
#define TERN_ACCEPTQ_LINK offsetof(struct tern_conn, queue)

static inline struct tern_half *tern_half_at(const struct tern_syn *s, uint32_t idx)
{
	return tern_pool_at(&s->halves, idx);
}

static inline struct tern_listener *tern_listener_at(const struct tern_syn *s, uint32_t idx)
{
	return tern_pool_at(&s->listeners, idx);
}

static inline uint8_t tern_half_family(const struct tern_half *h)
{
	return h->flags & TERN_HALF_INET6 ? TERN_INET6 : TERN_INET;
}

static inline void tern_half_flow(const struct tern_half *h, struct tern_flow *ret)
{
	tern_flow_unpack(tern_half_family(h), h->lport, h->rport, h->addrs, ret);
}

/* ---- listener.c ---- */

/* A segment that would have become a connection is lost to the listener. */
void tern_listener_count_drop(struct tern_syn *s, uint32_t listener);

/* … because its accept queue is full. */
void tern_listener_count_overflow(struct tern_syn *s, uint32_t listener);

/* ---- synq.c ---- */

/* Links a new record, its fields filled in, into map and SYN queue and starts its timer. */
void tern_half_enter(struct tern_syn *s, uint32_t half, struct tern_half *h,
		     struct tern_listener *l, uint32_t hash);

/* Takes the record out of map and queues and frees it. */
void tern_half_remove(struct tern_syn *s, uint32_t half, struct tern_half *h,
		      struct tern_listener *l, uint32_t hash);

/* ---- synack.c ---- */

/* parent is the listening socket: the connection record that the children take after. */

/* Window in our SYN-ACK, bytes: never scaled there, and half of the children's receive buffer. */
static inline uint16_t tern_half_window(const struct tern_syn *s, const struct tern_half *h,
					const struct tern_conn *parent)
{
	return tern_window_first(parent, h->flags & TERN_HALF_INET6 ? TERN_INET6 : TERN_INET,
				 s->tcp->mtu);
}

/* Queues <SEQ=ISS><ACK=IRS+1><CTL=SYN,ACK>, and returns it. NULL: the ring of replies is full. */
struct tern_reply *tern_half_send_synack(struct tern_syn *s, const struct tern_half *h,
					 const struct tern_conn *parent,
					 const struct tern_flow *flow);

/* The same once more: counted, and no RTT sample any more. */
void tern_half_resend_synack(struct tern_syn *s, struct tern_half *h,
			     const struct tern_conn *parent, const struct tern_flow *flow);

/* Queues <SEQ=ISS+1><ACK=IRS+1><CTL=ACK>. */
void tern_half_send_ack(struct tern_syn *s, const struct tern_half *h,
			const struct tern_conn *parent, const struct tern_flow *flow);

/* Queues <SEQ=ISS+1><ACK=IRS+1><CTL=RST,ACK>: the peer believes it before and after our SYN-ACK. */
void tern_half_send_reset(struct tern_syn *s, const struct tern_half *h,
			  const struct tern_conn *parent, const struct tern_flow *flow);

/* ---- promote.c ---- */

/*
 * Makes the connection of h, which the segment completes, and puts it into the accept queue. h need
 * not be in the table: a rebuilt record will do. Returns the connection, or 0 with *ret_reason.
 */
uint32_t tern_half_promote(struct tern_syn *s, const struct tern_half *h, struct tern_listener *l,
			   const struct tern_flow *flow, const struct tern_segment *seg,
			   enum tern_drop *ret_reason);

/* When the SYN-ACK left; 0 if more than one did (Karn), or its ACK was refused for lack of room. */
static inline uint64_t tern_half_synack_ns(const struct tern_half *h, uint64_t now)
{
	uint32_t age = (uint32_t)(now >> TERN_HALF_CLOCK_SHIFT) - h->born;

	if (h->flags & (TERN_HALF_RESENT | TERN_HALF_ACKED))
		return 0;
	return now - ((uint64_t)age << TERN_HALF_CLOCK_SHIFT);
}

/* What h knows and seg says, for tern_tcp_adopt. */
TERN_INLINE void tern_half_birth(const struct tern_syn *s, const struct tern_half *h,
				 uint32_t parent, const struct tern_flow *flow,
				 const struct tern_segment *seg, struct tern_birth *ret)
{
	*ret = (struct tern_birth){
		.flow = flow,
		.iss = h->iss,
		.irs = h->irs,
		.terms = { .peer_mss = h->peer_mss,
			   .options = h->options,
			   .snd_wscale = h->wscales >> 4,
			   .rcv_wscale = h->wscales & 15 },
		.ts_offset = h->ts_offset,
		.ts_recent = h->ts_recent,
		.window = seg->wnd,
		.advertised = tern_half_window(s, h, tern_conn_at(s->tcp, parent)),
		.synack_ns = tern_half_synack_ns(h, s->tcp->now),
		.settings = parent,
		.retransmitted = h->retries != 0,
	};
}

/* ---- fastopen.c ---- */

/*
 * A SYN with data or with the Fast Open option, for which h was filled in. Makes it a connection at
 * once, if its cookie is ours: then h is not needed any more. Else *ret_cookie is what the SYN-ACK
 * answers, if present is set.
 */
bool tern_half_open_early(struct tern_syn *s, const struct tern_half *h, struct tern_listener *l,
			  const struct tern_flow *flow, const struct tern_segment *seg,
			  struct tern_tcp_options *ret_cookie);

/* Adds the cookie to a SYN-ACK. */
void tern_half_add_cookie(struct tern_reply *synack, const struct tern_tcp_options *cookie);

/* ---- acceptq.c ---- */

/* As in Linux, the queue is full with more than backlog in it: it holds one more than asked for. */
static inline bool tern_acceptq_full(const struct tern_listener *l)
{
	return l->acceptq.count + l->held > l->backlog;
}

/* Appends a child and tells the listening socket. */
void tern_acceptq_push(struct tern_syn *s, uint32_t listener, struct tern_listener *l,
		       uint32_t conn);

#endif
