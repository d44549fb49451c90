/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/input.h: one segment on its way through the steps of RFC 9293 §3.10.7.
 */
#ifndef TERN_TCP_INPUT_H
#define TERN_TCP_INPUT_H

#include "tcp/tcp.h"

/* What a step says. */
enum tern_step {
	TERN_NEXT,    /* on to the next step */
	TERN_DONE,    /* taken; no more to do */
	TERN_DROPPED, /* not taken: in->out.reason says why */
	TERN_GONE,    /* taken, and the record may be gone */
};

/* A segment, its connection, and what is left of it after trimming. */
struct tern_input {
	struct tern_tcp *t;
	struct tern_conn *c;
	const struct tern_segment *seg;
	const uint8_t *data;
	tern_seq seq; /* of data[0], or of the FIN where there is no data left */
	uint16_t flags;
	bool fin_now; /* the peer's FIN was taken with this segment */
	uint32_t len;
	struct tern_outcome out;
	uint32_t idx;
};

/* Ends the segment's way: not taken, for this reason. */
static inline enum tern_step tern_input_drop(struct tern_input *in, enum tern_drop reason)
{
	in->out.reason = reason;
	return TERN_DROPPED;
}

/* §3.10.7.3: SYN-SENT. */
enum tern_step tern_input_syn_sent(struct tern_input *in);

/* §3.10.7.4, fifth: the ACK field. */
enum tern_step tern_input_ack(struct tern_input *in);

/* §3.10.7.4, seventh: the text; and eighth: the FIN. */
enum tern_step tern_input_text(struct tern_input *in);
enum tern_step tern_input_fin(struct tern_input *in);

/* The text of a SYN, which starts an early child's stream (tcp/fastopen.h). */
void tern_input_early_text(struct tern_input *in);

/* Nobody is there for what the peer sends: the segment is reset, and the connection is over. */
void tern_input_abort(struct tern_input *in);

/* [left, right) has come a second time: the next ACK tells (RFC 2883), with tcp_dsack. */
void tern_input_twice(struct tern_input *in, tern_seq left, tern_seq right);

/* Both, as far as the segment has them. */
static inline enum tern_step tern_input_payload(struct tern_input *in)
{
	enum tern_step step = TERN_NEXT;

	if (in->len)
		step = tern_input_text(in);
	if (step == TERN_NEXT && (in->flags & TERN_FIN))
		step = tern_input_fin(in);
	return step;
}

/* Our SYN is acknowledged: a round trip, and repair starts afresh. */
void tern_input_syn_acked(struct tern_input *in, struct tern_traffic *x);

/* Enters ESTABLISHED: congestion window, buffers, the news. The caller then tells the timers. */
void tern_conn_establish(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, bool syn_was_lost);

#endif
