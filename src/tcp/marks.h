/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/marks.h: what is rare and marks every segment while it lasts: congestion that routers told of
 * (RFC 3168), and urgent data (RFC 6093). Nobody asks for it but where a flag of the segment or a
 * mark of the connection says that there is something (enum tern_conn_mark).
 */
#ifndef TERN_TCP_MARKS_H
#define TERN_TCP_MARKS_H

#include "tcp/input.h"

/* ---- ecn.c ---- */

/* May a SYN have ECN (RFC 3168 §6.1.1)? The field of its own packet must not say ECT already. */
static inline bool tern_ecn_accepts(const struct tern_knobs *knobs, const struct tern_segment *seg)
{
	return (seg->flags & (TERN_ECE | TERN_CWR)) == (TERN_ECE | TERN_CWR) &&
	       seg->ecn == TERN_ECN_NOT_ECT && knobs->tcp_ecn;
}

/* Our SYN asked for ECN; this is the peer's SYN or SYN-ACK. */
void tern_ecn_answered(struct tern_conn *c, const struct tern_segment *seg);

/* The flags of our SYN or SYN-ACK that is about to leave. */
uint16_t tern_ecn_syn_flags(const struct tern_tcp *t, const struct tern_conn *c);

/* The marks of a segment with new data: ECT(0), and CWR once after each reduction. */
void tern_ecn_mark_data(struct tern_conn *c, struct tern_tx *tx);

/* ---- urgent.c ---- */

/* The urgent pointer of a segment that leaves (RFC 9293 §3.8.5), while there is urgent data. */
void tern_urgent_announce(struct tern_conn *c, const struct tern_traffic *x,
			  struct tern_segment *seg);

/* The last byte that was queued is urgent, and all before it. x is c's. */
void tern_urgent_queued(struct tern_conn *c, struct tern_traffic *x);

/*
 * MSG_OOB of recv: the urgent byte. Returns 1, 0 (len 0; or the stream is over and had none),
 * -EINVAL (none, it was read, or it is in line), -EAGAIN (announced, not yet here).
 */
int64_t tern_urgent_recv(struct tern_tcp *t, struct tern_conn *c, void *data, size_t len,
			 unsigned int flags);

/* Where a read stands that may meet the mark. */
struct tern_reach {
	uint32_t skip; /* bytes to leave out first: the urgent byte, 0 or 1 */
	uint32_t len;  /* bytes up to the mark or the end of what is queued */
};

/* How far a read from the oldest byte goes: it ends before the mark, and jumps over the byte. */
struct tern_reach tern_urgent_reach(const struct tern_conn *c, const struct tern_traffic *x);

/* The application has read up to recv.read: is the mark behind it? */
void tern_urgent_passed(struct tern_conn *c, struct tern_traffic *x);

/* No urgent byte is expected or kept any more. */
void tern_urgent_forget(struct tern_conn *c, struct tern_traffic *x);

/* Numbers of urgent data: see TERN_SO_ATMARK, TERN_SO_URGENT, TERN_SO_INQ, TERN_SO_UNREAD. */
int64_t tern_urgent_option(const struct tern_conn *c, const struct tern_traffic *x,
			   enum tern_option option);

/* Takes the segment's URG flag; its number and ACK are good. */
void tern_urgent_input(struct tern_input *in);

/* ---- both ---- */

/* ECE, CE, CWR of a segment whose number and ACK are good, before its text is taken. */
void tern_ecn_input(struct tern_input *in);

#endif
