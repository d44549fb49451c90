/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The text of a segment (RFC 9293 §3.10.7.4, seventh) and its FIN (eighth). Bytes at RCV.NXT go to
 * the receive queue, later ones to reass.c. An ACK is owed: at once for what came early or filled a
 * hole (RFC 5681 §4.2), for every second full segment, at the start of a connection, and with a
 * FIN; else after 40 ms or with the next segment that leaves anyway.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/input.h"
#include "tcp/reass.h"
#include "tcp/reset.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/window.h"

#define DUP_ACKS_MAX 32 /* duplicate ACKs owed at a time */

static void ack_at_once(struct tern_input *in)
{
	in->c->flags |= TERN_CF_ACK_NOW;
	tern_conn_want_output(in->t, in->idx, in->c);
}

/*
 * In-order data came: at once or later? To what went beyond our window and fills the buffer the
 * reader may answer.
 */
static void owe_ack(struct tern_input *in, struct tern_traffic *x, uint32_t len, bool filled_hole,
		    bool beyond)
{
	struct tern_conn *c = in->c;
	bool quick = c->quick_acks && !(c->flags & TERN_CF_PINGPONG);
	bool twice = x->recv.twice_left != x->recv.twice_right;
	bool owed = (c->flags & TERN_CF_ACK_NOW) != 0; /* by a segment of the same burst */

	x->unacked += len;
	if (c->quick_acks)
		c->quick_acks--;
	/* RFC9293:SHLD-19 */
	if (!owed && x->unacked > x->credit.mss && tern_window_gain(in->t, c, x))
		quick = true;
	if (beyond && tern_window_is_scarce(c, x)) {
		c->quick_acks = 0;
		quick = false;
	}
	if (quick || filled_hole || twice)
		ack_at_once(in);
	else if (!owed)
		/* RFC9293:SHLD-18 */
		tern_timers_ack_owed(in->t, in->idx, c, x);
}

/* Memory for more bytes? At true size, twice the buffer is the end. */
static bool has_room(const struct tern_conn *c, const struct tern_traffic *x)
{
	return x->rmem <= 2 * c->rcv.buf;
}

static enum tern_step refuse(struct tern_input *in, enum tern_counter counter,
			     enum tern_drop reason)
{
	if (in->c->drops < UINT8_MAX)
		in->c->drops++;
	tern_count(in->t->trace, counter);
	ack_at_once(in);
	return tern_input_drop(in, reason);
}

/* Data that is next in order and inside the window, and no memory for it. */
static enum tern_step refuse_in_order(struct tern_input *in)
{
	in->c->flags |= TERN_CF_NOMEM;
	return refuse(in, TERN_CNT_TcpExtTCPRcvQDrop, TERN_DROP_PROTO_MEM);
}

void tern_input_twice(struct tern_input *in, tern_seq left, tern_seq right)
{
	struct tern_traffic *x;

	if (!in->t->knobs->tcp_dsack || !(in->c->options & TERN_OPT_SACKOK) || left == right)
		return;
	x = tern_conn_need_traffic(in->t, in->c);
	if (!x)
		return;
	if (x->recv.twice_left == x->recv.twice_right)
		tern_count(in->t->trace, tern_seq_lt(left, in->c->rcv.nxt)
						 ? TERN_CNT_TcpExtTCPDSACKOldSent
						 : TERN_CNT_TcpExtTCPDSACKOfoSent);
	x->recv.twice_left = left;
	x->recv.twice_right = right;
}

/* Ahead of RCV.NXT: kept for later, and each such segment draws a duplicate ACK. */
static enum tern_step take_early(struct tern_input *in, struct tern_traffic *x)
{
	struct tern_conn *c = in->c;
	int err = has_room(c, x) ? 0 : -ENOBUFS;
	uint32_t early = x->recv.early_bytes;
	struct tern_sack_block twice;

	if (x->recv.reass && tern_reass_finds(in->t, x, in->seq, in->len, &twice))
		tern_input_twice(in, twice.left, twice.right);
	if (x->dup_acks < DUP_ACKS_MAX)
		/* RFC9293:MAY-13 */
		x->dup_acks++;
	tern_conn_want_output(in->t, in->idx, c);
	if (!err && in->len)
		/* RFC9293:SHLD-31 */
		err = tern_reass_insert(in->t, c, x, in->seq, in->data, in->len);
	if (x->recv.early_bytes > early)
		tern_window_took_early(in->t, c, x, x->recv.early_bytes - early, in->seq + in->len);
	if (!err && (in->flags & TERN_FIN))
		err = tern_reass_note_fin(in->t, x, in->seq + in->len);
	if (err)
		return refuse(in, TERN_CNT_TcpExtTCPOFODrop, TERN_DROP_TCP_OFO_DROP);
	tern_count(in->t->trace, TERN_CNT_TcpExtTCPOFOQueue);
	return TERN_DONE;
}

/* Bytes at RCV.NXT, up to the first that came early; then whatever stands behind them. */
static int take_in_order(struct tern_input *in, struct tern_traffic *x, bool *ret_early_fin)
{
	struct tern_conn *c = in->c;

	while (in->len) {
		uint32_t n = tern_reass_room(in->t, x, c->rcv.nxt, in->len);
		tern_seq nxt = c->rcv.nxt;
		int64_t charged;

		charged = tern_chain_append(&in->t->bufs, &x->recv.chain, nxt, in->data, n,
					    x->recv.bytes);
		if (charged < 0)
			return -ENOBUFS;
		x->rmem += (uint32_t)charged;
		x->recv.bytes += n;
		tern_window_took(in->t, c, x, n);
		nxt = tern_reass_advance(in->t, x, nxt + n, ret_early_fin);
		n = TERN_MIN(in->len, nxt - c->rcv.nxt);
		if (TERN_UNLIKELY(nxt - c->rcv.irs - 1 < nxt - c->rcv.nxt))
			c->totals.received_high++;
		c->rcv.nxt = nxt;
		in->seq += n;
		in->data += n;
		in->len -= n;
	}
	return 0;
}

/*
 * Early data makes room for what is in order (attack D09); the peer still has it (RFC 2018 §8).
 * Returns whether there was any.
 */
static bool forget_early(struct tern_input *in, struct tern_traffic *x)
{
	if (!x->recv.reass)
		return false;
	tern_count(in->t->trace, TERN_CNT_TcpExtOfoPruned);
	tern_reass_clear(in->t, x);
	return true;
}

/* Data for an application that is gone, or that half-closed both ways: tell the peer (SHLD-3). */
static bool nobody_reads(const struct tern_conn *c)
{
	if (!tern_state_in(c->state, TERN_STATES(FIN_WAIT_1) | TERN_STATES(FIN_WAIT_2)))
		return false;
	/* RFC9293:SHLD-3 RFC9293:MAY-1 */
	return (c->flags & (TERN_CF_ORPHAN | TERN_CF_RD_SHUT)) != 0;
}

static enum tern_step receive(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x = tern_conn_need_traffic(in->t, c);
	uint32_t len = in->len;
	bool hole, beyond, early_fin = false;
	struct tern_sack_block twice;
	int err;

	if (!x)
		return refuse_in_order(in);
	if (in->seq != c->rcv.nxt)
		return take_early(in, x);
	hole = x->recv.reass != 0;
	if (hole && tern_reass_finds(in->t, x, in->seq, len, &twice))
		tern_input_twice(in, twice.left, twice.right);
	err = has_room(c, x) ? take_in_order(in, x, &early_fin) : -ENOBUFS;
	if (err && forget_early(in, x))
		err = take_in_order(in, x, &early_fin);
	beyond = tern_seq_gt(c->rcv.nxt, c->rcv.adv);
	tern_window_passed(c, x);
	/* RFC9293:MUST-58 */
	x->dup_acks = 0; /* one ACK says all: more of the same would be duplicates of it */
	if (c->flags & TERN_CF_RD_SHUT)
		tern_conn_drop_unread(in->t, c);
	else
		tern_conn_notify(in->t, in->idx, c, TERN_EV_READABLE);
	if (err)
		return refuse_in_order(in);
	x = tern_conn_need_traffic(in->t, c);
	if (x)
		owe_ack(in, x, len, hole, beyond);
	if (early_fin) {
		in->flags |= TERN_FIN;
		in->seq = c->rcv.nxt;
	}
	return TERN_NEXT;
}

void tern_input_early_text(struct tern_input *in)
{
	bool fin;

	/* Without memory for it the SYN-ACK leaves it out. Nothing can have come before it. */
	(void)take_in_order(in, tern_conn_traffic(in->t, in->c), &fin);
}

void tern_input_abort(struct tern_input *in)
{
	struct tern_flow flow;

	tern_conn_flow(in->c, &flow);
	tern_count(in->t->trace, TERN_CNT_TcpExtTCPAbortOnData);
	tern_reply_reset(&in->t->replies, &flow, in->seg);
	in->out.reason = TERN_DROP_TCP_ABORT_ON_DATA;
	tern_conn_finish(in->t, in->idx, ECONNRESET);
}

enum tern_step tern_input_text(struct tern_input *in)
{
	struct tern_conn *c = in->c;

	if (!in->len)
		return TERN_NEXT;
	if (!tern_state_in(c->state, TERN_STATES_MAY_RECEIVE))
		return tern_input_drop(in, TERN_DROP_TCP_DATA_AFTER_FIN);
	if (nobody_reads(c)) {
		tern_input_abort(in);
		return TERN_GONE;
	}
	return receive(in);
}

/*
 * May the ACK of a FIN wait for ours, which often follows at once? As in Linux: after data that was
 * acknowledged, while our window is open; of who never sent any it is not known that he can wait.
 */
TERN_COLD static bool fin_may_wait(const struct tern_input *in)
{
	const struct tern_conn *c = in->c;
	uint32_t with_syn = (c->fastopen & TERN_FO_SYN_DATA) != 0;

	return in->t->knobs->tern_fin_delack && c->state == TERN_ESTABLISHED &&
	       c->totals.data_segs_in > with_syn && !(c->flags & TERN_CF_ACK_NOW) &&
	       c->rcv.adv != c->rcv.nxt;
}

/* The FIN is acknowledged: at once, unless it may wait. */
static inline void owe_fin_ack(struct tern_input *in)
{
	if (TERN_UNLIKELY(in->c->totals.data_segs_in) && fin_may_wait(in)) {
		struct tern_traffic *x = tern_conn_need_traffic(in->t, in->c);
		if (x) {
			tern_timers_ack_owed(in->t, in->idx, in->c, x);
			return;
		}
	}
	ack_at_once(in);
}

enum tern_step tern_input_fin(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x;

	if (!(in->flags & TERN_FIN) || !tern_state_in(c->state, TERN_STATES_MAY_RECEIVE))
		return TERN_NEXT;
	if (tern_seq_lt(in->seq, c->rcv.nxt)) /* data from beyond it was there already: a lie */
		return tern_input_drop(in, TERN_DROP_TCP_DATA_AFTER_FIN);
	if (in->seq != c->rcv.nxt) {
		x = tern_conn_need_traffic(in->t, c);
		return x ? take_early(in, x) : tern_input_drop(in, TERN_DROP_NOMEM);
	}
	x = tern_conn_traffic(in->t, c);
	if (x) {
		tern_reass_clear(in->t, x); /* nothing comes behind a FIN */
		x->recv.twice_left = x->recv.twice_right;
	}
	c->rcv.nxt++;
	c->rcv.adv++; /* it needed no room: the window stays as it was */
	c->flags |= TERN_CF_FIN_RCVD;
	in->fin_now = true;
	owe_fin_ack(in);
	if (c->state == TERN_ESTABLISHED)
		tern_conn_set_state(in->t, in->c, TERN_CLOSE_WAIT);
	else if (c->state == TERN_FIN_WAIT_1)
		tern_conn_set_state(in->t, in->c, TERN_CLOSING);
	else
		tern_conn_set_state(in->t, in->c, TERN_TIME_WAIT);
	/* RFC9293:MUST-12 */
	tern_conn_notify(in->t, in->idx, c, TERN_EV_READABLE | TERN_EV_PEER_CLOSED);
	return TERN_DONE;
}
