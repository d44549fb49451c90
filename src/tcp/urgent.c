/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Urgent data (RFC 9293 §3.8.5, RFC 6093). There is a mark in the stream, and both ends know where:
 * the sender's pointer names the byte behind the last urgent one (MUST-62), however many there are
 * (MUST-31). It is repeated in every segment until what stands before it is acknowledged, also in
 * those that carry nothing while the window is closed. Urgent data does not wait for Nagle or a
 * cork.
 *
 * The receiver tells the application as soon as it knows of the mark (MUST-32), before the byte has
 * come, and how many bytes stand before it. As in Linux one mark is kept, the latest; the last
 * urgent byte is taken out of the stream for recv(MSG_OOB) unless SO_OOBINLINE is set; a read ends
 * at the mark, so that the application can ask whether it stands there (SIOCATMARK).
 *
 *	oob = 0		no mark
 *	NOTYET		there is one at recv.mark, the byte has not come
 *	VALID + byte	it has come
 *	READ		the application has it
 *
 * until reading has passed the mark.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "tcp/marks.h"

void tern_urgent_announce(struct tern_conn *c, const struct tern_traffic *x,
			  struct tern_segment *seg)
{
	tern_seq up;

	if (!x || tern_seq_le(x->send.urgent, c->snd.una)) {
		c->marks &= (uint8_t)~TERN_MARK_URGENT;
		return;
	}
	up = x->send.urgent;
	if (!tern_seq_lt(seg->seq, up))
		return;
	/* RFC9293:MUST-31 */
	if (up - seg->seq < 0x10000)
		/* RFC9293:MUST-62 */
		seg->urgent = (uint16_t)(up - seg->seq);
	else if (tern_seq_gt(seg->seq + 0xffff, c->snd.nxt))
		/* RFC9293:MUST-31 */
		seg->urgent = 0xffff;
	else
		return;
	seg->flags |= TERN_URG;
}

void tern_urgent_queued(struct tern_conn *c, struct tern_traffic *x)
{
	bool syn = tern_state_in(c->state, TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED));

	/* RFC9293:MUST-30 */
	x->send.urgent = c->snd.una + syn + x->send.bytes;
	c->marks |= TERN_MARK_URGENT;
}

int64_t tern_urgent_recv(struct tern_tcp *t, struct tern_conn *c, void *data, size_t len,
			 unsigned int flags)
{
	struct tern_traffic *x = tern_conn_traffic(t, c);
	uint16_t oob = c->marks & TERN_MARK_OOB ? x->recv.oob : 0;
	uint8_t byte = (uint8_t)oob;

	if ((c->flags & TERN_CF_OOBINLINE) || !oob || oob == TERN_OOB_READ)
		return -EINVAL;
	if (oob & TERN_OOB_VALID) {
		if (!(flags & TERN_MSG_PEEK))
			x->recv.oob = TERN_OOB_READ;
		if (len && !(flags & TERN_MSG_TRUNC))
			memcpy(data, &byte, 1);
		return len != 0;
	}
	return c->flags & (TERN_CF_FIN_RCVD | TERN_CF_RD_SHUT | TERN_CF_DEAD) ? 0 : -EAGAIN;
}

/* The mark stands in what is queued. */
static bool is_here(const struct tern_conn *c, const struct tern_traffic *x)
{
	return (c->marks & TERN_MARK_OOB) && tern_seq_in(x->recv.mark, x->recv.read, x->recv.bytes);
}

struct tern_reach tern_urgent_reach(const struct tern_conn *c, const struct tern_traffic *x)
{
	struct tern_reach reach = { .len = x->recv.bytes };
	uint32_t ahead = x->recv.mark - x->recv.read;

	if (!is_here(c, x))
		return reach;
	if (ahead) {
		reach.len = ahead;
	} else if (!(c->flags & TERN_CF_OOBINLINE)) {
		reach.skip = 1;
		reach.len--;
	}
	return reach;
}

void tern_urgent_forget(struct tern_conn *c, struct tern_traffic *x)
{
	c->marks &= (uint8_t)~TERN_MARK_OOB;
	x->recv.oob = 0;
}

void tern_urgent_passed(struct tern_conn *c, struct tern_traffic *x)
{
	if (tern_seq_gt(x->recv.read, x->recv.mark))
		tern_urgent_forget(c, x);
}

int64_t tern_urgent_option(const struct tern_conn *c, const struct tern_traffic *x,
			   enum tern_option option)
{
	bool marked = c->marks & TERN_MARK_OOB;
	bool here = x && is_here(c, x) && !(c->flags & TERN_CF_OOBINLINE);

	switch (option) {
	case TERN_SO_ATMARK:
		return marked && x->recv.mark == x->recv.read;
	case TERN_SO_URGENT:
		return marked && (x->recv.oob & TERN_OOB_VALID);
	case TERN_SO_INQ:
		/* RFC9293:MUST-33 */
		return here ? x->recv.mark - x->recv.read : x ? x->recv.bytes : 0;
	default: /* TERN_SO_UNREAD */
		return x ? x->recv.bytes - (here && x->recv.mark == x->recv.read) : 0;
	}
}

/*
 * A read has taken the last byte before the byte that was urgent until now: that one, which nobody
 * asked for, is out of the way of the next.
 */
static void skip_old_mark(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x)
{
	struct tern_recv_queue *q = &x->recv;

	if (!q->oob || q->mark != q->read || (c->flags & TERN_CF_OOBINLINE) || !q->bytes)
		return;
	q->read++;
	q->bytes--;
	x->rmem -= tern_chain_trim(&t->bufs, &q->chain, q->read);
}

/* A new urgent pointer? As Linux' tcp_check_urg(). */
static void check_pointer(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x = tern_conn_need_traffic(in->t, c);
	uint32_t pointer = in->seg->urgent;
	tern_seq mark;

	if (!x)
		return;
	if (pointer && !in->t->knobs->tcp_stdurg)
		pointer--;
	mark = in->seg->seq + pointer;
	if (tern_seq_gt(x->recv.read, mark) || tern_seq_lt(mark, c->rcv.nxt))
		return;
	if ((c->marks & TERN_MARK_OOB) && tern_seq_le(mark, x->recv.mark))
		return;
	skip_old_mark(in->t, c, x);
	x->recv.oob = TERN_OOB_NOTYET;
	x->recv.mark = mark;
	c->marks |= TERN_MARK_OOB;
	/* RFC9293:MUST-32 */
	tern_conn_notify(in->t, in->idx, c, TERN_EV_REPORT);
}

void tern_urgent_input(struct tern_input *in)
{
	struct tern_conn *c = in->c;
	struct tern_traffic *x;
	uint32_t ahead;

	if (!tern_state_in(c->state, TERN_STATES_MAY_RECEIVE) || (c->flags & TERN_CF_RD_SHUT))
		return;
	/* RFC9293:MUST-30 */
	if (in->flags & TERN_URG)
		check_pointer(in);
	x = tern_conn_traffic(in->t, c);
	if (!(c->marks & TERN_MARK_OOB) || x->recv.oob != TERN_OOB_NOTYET)
		return;
	ahead = x->recv.mark - in->seq;
	if (ahead >= in->len)
		return;
	x->recv.oob = (uint16_t)(TERN_OOB_VALID | in->data[ahead]);
	tern_conn_notify(in->t, in->idx, c, TERN_EV_REPORT);
}
