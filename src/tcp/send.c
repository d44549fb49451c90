/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * SEND and RECEIVE (RFC 9293 §3.10.2, §3.10.3): bytes between the application and the queues of the
 * traffic record. How many the send queue takes, sndbuf.c says. Of the receive buffer half is data,
 * the other half is what keeping it costs. Unless the application fixed it, it grows when the
 * application reads most of a window within a round trip.
 *
 * Both have a form without a copy. Reading lists the pieces of the receive queue. Sending lends
 * room (t->lent): the rest of the last buffer of the send queue, and new ones behind it that are
 * not yet part of it. commit makes them so; if it does not come, the next reserve or the end of the
 * connection frees them.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/marks.h"
#include "tcp/sndbuf.h"
#include "tcp/window.h"

#define MAY_QUEUE (TERN_STATES_MAY_SEND | TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED))

/* The pending error, once. */
static int64_t take_error(struct tern_conn *c)
{
	int64_t error = c->error;

	c->error = 0;
	return -error;
}

/* Sequence number behind the last byte queued. */
static tern_seq queue_end(const struct tern_conn *c, const struct tern_traffic *x)
{
	bool syn = tern_state_in(c->state, TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED));

	return c->snd.una + syn + x->send.bytes;
}

/* Why nothing can be sent at all; 0 if something can. */
static int64_t send_refused(struct tern_conn *c)
{
	if (c->error)
		return take_error(c);
	if (c->state == TERN_LISTEN || (c->state == TERN_CLOSED && !(c->flags & TERN_CF_DEAD)))
		return -ENOTCONN;
	if ((c->flags & TERN_CF_FIN_QUEUED) || !tern_state_in(c->state, MAY_QUEUE))
		return -EPIPE;
	return 0;
}

/* May what is queued leave at once? */
static bool may_leave(const struct tern_conn *c)
{
	return tern_state_in(c->state, TERN_STATES_MAY_SEND) || (c->flags & TERN_CF_EARLY);
}

/* Memory is out: wait for what is in flight, or fail if nothing is. */
static int64_t send_no_memory(struct tern_tcp *t, struct tern_conn *c)
{
	tern_count(t->trace, TERN_CNT_TernAllocFailures);
	tern_conn_rest(t, c);
	if (c->snd.una == c->snd.nxt)
		return -ENOBUFS;
	c->flags |= TERN_CF_NOSPACE;
	return -EAGAIN;
}

/*
 * What a send of n bytes says of the segments they leave in; whole: it took all it was given. Its
 * end is pushed unless more follows, or is known as the end of a record.
 */
static void note_end(const struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
		     uint32_t n, unsigned int flags, bool whole)
{
	struct tern_send_queue *q = &x->send;
	tern_seq end = queue_end(c, x), before = end - n;

	c->flags &= ~(uint32_t)TERN_CF_MORE;
	if (!tern_seq_lt(c->snd.nxt, before))
		q->hurry = false;
	if (q->bytes == n) {
		q->records = false;
		tern_busy_begin(t, c, q, TERN_BUSY_SENDING);
	}
	if (!(flags & TERN_MSG_MORE) || !whole) {
		q->push = end;
	} else {
		c->flags |= TERN_CF_MORE;
		if (q->push == before)
			q->push = c->snd.una;
	}
	if (TERN_UNLIKELY(flags & TERN_MSG_EOR) && whole) {
		tern_chain_end_record(&t->bufs, &q->chain);
		q->records = true;
	}
}

int64_t tern_tcp_send(struct tern_tcp *t, uint32_t idx, const void *data, size_t len,
		      unsigned int flags)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	int64_t charged = send_refused(c);
	struct tern_traffic *x;
	uint32_t room, n;

	if (TERN_UNLIKELY(c->fastopen & TERN_FO_DEFERRED) && !charged)
		return tern_fastopen_send(t, idx, c, data, len);
	if (charged || !len)
		return charged;
	x = tern_conn_need_traffic(t, c);
	if (!x)
		return send_no_memory(t, c);
	room = tern_sndbuf_room(t, c, x);
	if (!room) {
		c->flags |= TERN_CF_NOSPACE;
		return -EAGAIN;
	}
	n = (uint32_t)TERN_MIN(len, (size_t)room);
	charged = tern_chain_append(&t->bufs, &x->send.chain, queue_end(c, x), data, n,
				    x->send.bytes);
	if (charged < 0)
		return send_no_memory(t, c);
	x->wmem += (uint32_t)charged;
	x->send.bytes += n;
	c->flags &= ~(uint32_t)TERN_CF_NOSPACE;
	if (n < len)
		c->flags |= TERN_CF_NOSPACE;
	note_end(t, c, x, n, flags, n == len);
	if (TERN_UNLIKELY(flags & TERN_MSG_OOB) && n == len)
		tern_urgent_queued(c, x);
	if (may_leave(c))
		tern_conn_want_output(t, idx, c);
	return n;
}

void tern_tcp_unlend(struct tern_tcp *t)
{
	tern_chain_clear(&t->bufs, &t->lent.fresh);
	t->lent = (struct tern_lent){ 0 };
}

int tern_tcp_reserve(struct tern_tcp *t, uint32_t idx, size_t len, struct tern_room *rooms,
		     unsigned int n)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	int err = (int)send_refused(c);
	const struct tern_buf *tail;
	struct tern_traffic *x;
	uint32_t want;

	tern_tcp_unlend(t);
	if (err || !len || !n)
		return err;
	x = tern_conn_need_traffic(t, c);
	if (!x)
		return (int)send_no_memory(t, c);
	want = (uint32_t)TERN_MIN(len, (size_t)tern_sndbuf_room(t, c, x));
	if (!want) {
		c->flags |= TERN_CF_NOSPACE;
		return -EAGAIN;
	}
	n = tern_chain_lend(&t->bufs, &x->send.chain, want, x->send.bytes, &t->lent.fresh, rooms, n,
			    &t->lent.len);
	if (!n)
		return (int)send_no_memory(t, c);
	tail = x->send.chain.tail ? tern_buf_at(&t->bufs, x->send.chain.tail) : NULL;
	t->lent.conn = idx;
	t->lent.tail_room = tail ? tail->cap - tail->len : 0;
	t->lent.seq = queue_end(c, x);
	if (t->lent.len < len)
		c->flags |= TERN_CF_NOSPACE;
	else
		c->flags &= ~(uint32_t)TERN_CF_NOSPACE;
	return (int)n;
}

/* Is the room that was lent still behind the send queue of this connection? */
static bool still_lent(const struct tern_tcp *t, uint32_t idx, const struct tern_conn *c)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);
	const struct tern_buf *tail;

	if (t->lent.conn != idx || !x || t->lent.seq != queue_end(c, x))
		return false;
	tail = x->send.chain.tail ? tern_buf_at(&t->bufs, x->send.chain.tail) : NULL;
	return t->lent.tail_room == (tail ? tail->cap - tail->len : 0);
}

int64_t tern_tcp_commit(struct tern_tcp *t, uint32_t idx, size_t len, unsigned int flags)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_traffic *x = tern_conn_traffic(t, c);
	int64_t result = send_refused(c);

	if (!result)
		result = still_lent(t, idx, c) && len <= t->lent.len ? (int64_t)len : -EINVAL;
	if (result > 0) {
		x->wmem += tern_chain_take(&t->bufs, &x->send.chain, &t->lent.fresh, t->lent.seq,
					   (uint32_t)len);
		x->send.bytes += (uint32_t)len;
		note_end(t, c, x, (uint32_t)len, flags, !(c->flags & TERN_CF_NOSPACE));
		if (may_leave(c))
			tern_conn_want_output(t, idx, c);
		else if (c->fastopen & TERN_FO_DEFERRED)
			tern_fastopen_start(t, idx, c);
	}
	tern_tcp_unlend(t);
	tern_conn_rest(t, c);
	return result;
}

/* What reading means when nothing is queued. */
static int64_t recv_nothing(struct tern_conn *c)
{
	if (c->error)
		return take_error(c);
	if (c->flags & (TERN_CF_FIN_RCVD | TERN_CF_RD_SHUT | TERN_CF_DEAD))
		return 0;
	if (c->state == TERN_CLOSED || c->state == TERN_LISTEN)
		return -ENOTCONN;
	return -EAGAIN;
}

/* The receive buffer follows the application's reading, a round trip at a time. */
static void tune(struct tern_tcp *t, struct tern_conn *c, const struct tern_traffic *x)
{
	uint32_t now_ms = t->now_ms, bytes;
	tern_seq read = x->recv.read;

	if (!c->tune.ms)
		c->tune = (struct tern_tune){ .read = c->rcv.irs + 1, .ms = c->state_ms | 1 };
	/* a stamp is odd, and may lie a millisecond ahead */
	if ((int64_t)(int32_t)(now_ms - c->tune.ms) * 1000 < c->rtt.srtt8_us / 8)
		return;
	bytes = read - c->tune.read;
	tern_window_make_room(t, c, x, bytes < UINT32_MAX / 2 ? bytes * 2 : UINT32_MAX);
	c->tune = (struct tern_tune){ .read = read, .ms = now_ms | 1 };
}

/*
 * Reading made room. Tell the peer at once if an ACK was held back for it, if a small window has
 * doubled, or if the window was closed for lack of memory.
 */
static void update_window(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
			  const struct tern_traffic *x)
{
	uint32_t left = c->rcv.adv - c->rcv.nxt;
	bool closed = (c->flags & TERN_CF_ZERO_WINDOW) != 0;

	if (!tern_state_in(c->state, TERN_STATES_MAY_RECEIVE))
		return;
	if (!(closed && (left >= c->cc.mss || tern_window_gain(t, c, x))) &&
	    x->unacked <= x->credit.mss && !tern_window_doubles(t, c, x))
		return;
	c->flags |= TERN_CF_ACK_NOW;
	tern_conn_want_output(t, idx, c);
}

int64_t tern_tcp_recv(struct tern_tcp *t, uint32_t idx, void *data, size_t len, unsigned int flags)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_traffic *x = tern_conn_traffic(t, c);
	struct tern_recv_queue *q = x ? &x->recv : NULL;
	struct tern_reach reach;
	uint32_t n;

	if (flags & TERN_MSG_OOB)
		return tern_urgent_recv(t, c, data, len, flags);
	if (!q || !q->bytes)
		return recv_nothing(c);
	reach = TERN_UNLIKELY(c->marks & TERN_MARK_OOB) ? tern_urgent_reach(c, x)
							: (struct tern_reach){ 0, q->bytes };
	n = (uint32_t)TERN_MIN(len, (size_t)reach.len);
	if (!n && !reach.skip)
		return 0;
	if (!(flags & TERN_MSG_TRUNC))
		tern_chain_copy(&t->bufs, &q->chain, q->read + reach.skip, data, n);
	if (flags & TERN_MSG_PEEK)
		return n ? n : recv_nothing(c);
	q->read += n + reach.skip;
	tern_window_released(x, n + reach.skip);
	q->bytes -= n + reach.skip;
	x->rmem -= tern_chain_trim(&t->bufs, &q->chain, q->read);
	if (TERN_UNLIKELY(c->marks & TERN_MARK_OOB))
		tern_urgent_passed(c, x);
	tune(t, c, x);
	update_window(t, idx, c, x);
	tern_conn_rest(t, c);
	return n || !len ? n : recv_nothing(c);
}

int tern_tcp_peek(struct tern_tcp *t, uint32_t idx, struct tern_piece *pieces, unsigned int n)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	const struct tern_traffic *x = tern_conn_traffic(t, c);
	struct tern_reach reach;
	uint32_t cursor = 0, len;

	if (!x || !x->recv.bytes)
		return (int)recv_nothing(c);
	reach = tern_urgent_reach(c, x);
	if (!reach.len)
		return (int)recv_nothing(c);
	return (int)tern_chain_pieces(&t->bufs, &x->recv.chain, &cursor, x->recv.read + reach.skip,
				      reach.len, pieces, n, &len);
}
