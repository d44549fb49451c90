/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Explicit congestion notification (RFC 3168). Agreed on in the handshake: SYN with ECE and CWR,
 * SYN-ACK with ECE. A SYN that has to be sent again does not ask any more (tcp_ecn_fallback): there
 * are boxes that throw away what asks.
 *
 *	sender		New data leave with ECT(0), nothing else does: not what is sent again,
 *			nor bare ACKs, nor probes. An ACK with ECE reduces the window, once for each
 *			window of data (recovery.c); the next new data has CWR.
 *	receiver	After CE every ACK has ECE until a segment with CWR comes. ACKs are not
 *			delayed for a moment: the sender may be down to one segment.
 *
 * A segment without ECT from a peer that has sent ECT is most likely sent again, and so its ACK is
 * not delayed either (as Linux).
 */
#include "tcp/marks.h"

#define QUICK_ACKS 2 /* data segments acknowledged at once after news about congestion */

uint16_t tern_ecn_syn_flags(const struct tern_tcp *t, const struct tern_conn *c)
{
	bool again = c->snd.nxt != c->snd.iss;

	if (c->state != TERN_SYN_SENT)
		return TERN_ECE;
	return again && t->knobs->tcp_ecn_fallback ? 0 : TERN_ECE | TERN_CWR;
}

void tern_ecn_answered(struct tern_conn *c, const struct tern_segment *seg)
{
	uint16_t flags = seg->flags & (TERN_ECE | TERN_CWR);

	if (flags == (seg->flags & TERN_ACK ? TERN_ECE : TERN_ECE | TERN_CWR))
		c->options |= TERN_OPT_ECN;
	else
		c->marks &= (uint8_t)~TERN_MARK_ECN;
}

void tern_ecn_mark_data(struct tern_conn *c, struct tern_tx *tx)
{
	/* RFC9293:SHLD-8 */
	tx->tos |= TERN_ECN_ECT0;
	if (!(c->marks & TERN_MARK_CWR))
		return;
	c->marks &= (uint8_t)~TERN_MARK_CWR;
	tx->seg.flags |= TERN_CWR;
}

static void hurry_acks(struct tern_conn *c)
{
	c->flags &= ~(uint32_t)TERN_CF_PINGPONG;
	if (c->quick_acks < QUICK_ACKS)
		c->quick_acks = QUICK_ACKS;
}

/* What the packet went through on its way here. */
static void note_field(struct tern_conn *c, uint8_t ecn)
{
	if (ecn == TERN_ECN_NOT_ECT) {
		if (c->marks & TERN_MARK_ECT_SEEN)
			hurry_acks(c);
		return;
	}
	c->marks |= TERN_MARK_ECT_SEEN;
	/* RFC9293:SHLD-8 */
	if (ecn != TERN_ECN_CE || (c->marks & TERN_MARK_ECE))
		return;
	hurry_acks(c);
	c->marks |= TERN_MARK_ECE;
}

void tern_ecn_input(struct tern_input *in)
{
	struct tern_conn *c = in->c;

	if (!(c->marks & TERN_MARK_ECN) || (in->seg->flags & TERN_SYN))
		return;
	if (in->flags & TERN_CWR) {
		c->marks &= (uint8_t)~TERN_MARK_ECE;
		if (in->len) {
			c->flags |= TERN_CF_ACK_NOW;
			tern_conn_want_output(in->t, in->idx, c);
		}
	}
	if (in->len)
		note_field(c, in->seg->ecn);
}
