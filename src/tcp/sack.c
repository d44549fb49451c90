/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * SACK blocks as they come from the peer (RFC 2018). A first block that lies below the ACK, or
 * inside the second, is no news of what arrived but a D-SACK (RFC 2883): something arrived twice.
 * Blocks that are not plausible are counted and not looked at (attack A15); the rest are looked up
 * in the flight, whose bursts are cut at their borders. Sacked neighbours are joined, so what is to
 * be walked is bounded by the holes.
 *
 * What arrives late though it was never sent again shows reordering; how far it went becomes the
 * number of duplicates that are no loss.
 */
#include "base/compiler.h"
#include "tcp/recovery.h"

#define REORDERING_MAX 300u /* as Linux' tcp_max_reordering */
#define BLOCKS_MAX     4

void tern_sack_reordered(struct tern_news *n, tern_seq low, bool by_stamp)
{
	struct tern_conn *c = n->c;
	tern_seq high = tern_high_sacked(c, n->x);
	uint32_t segments;

	if (!tern_seq_lt(low, high))
		return;
	segments = (high - low + c->cc.mss - 1) / c->cc.mss;
	if (segments > tern_reordering(n->t, c))
		c->totals.reordering = (uint16_t)TERN_MIN(segments, REORDERING_MAX);
	if (c->totals.reord_seen < UINT8_MAX)
		c->totals.reord_seen++;
	tern_count(n->t->trace,
		   by_stamp ? TERN_CNT_TcpExtTCPTSReorder : TERN_CNT_TcpExtTCPSACKReorder);
}

/* How many segments a D-SACK says arrived twice; 0 if it cannot be true. */
static uint32_t duplicates(struct tern_news *n, const struct tern_sack_block *b)
{
	struct tern_repairs *r = &n->x->repair;
	uint32_t len = b->right - b->left, segments = 1;

	if (!tern_seq_lt(b->left, b->right) || len > n->c->snd.max_wnd)
		return 0;
	if (len > n->c->cc.mss)
		segments = (len + n->c->cc.mss - 1) / n->c->cc.mss;
	else if (r->probing && r->probe_end == b->right)
		n->flags |= TERN_NEWS_DSACK_PROBE;
	n->c->totals.dsack_dups += segments;
	if (n->c->totals.dsack_dups > n->c->totals.retrans) /* not our doing: the network's */
		return 0;
	if (n->c->totals.reord_seen && !(n->flags & TERN_NEWS_DSACK_PROBE))
		r->rack.dsack_seen = true;
	n->flags |= TERN_NEWS_DSACK;
	tern_news_deliver(n, segments);
	return segments;
}

/* Is the first block a D-SACK, and a plausible one? */
static bool check_dsack(struct tern_news *n, const struct tern_sack_block *b, unsigned int count)
{
	struct tern_repairs *r = &n->x->repair;
	uint32_t segments;

	if (tern_seq_lt(b[0].left, n->seg->ack))
		tern_count(n->t->trace, TERN_CNT_TcpExtTCPDSACKRecv);
	else if (count > 1 && tern_seq_le(b[0].right, b[1].right) &&
		 tern_seq_ge(b[0].left, b[1].left))
		tern_count(n->t->trace, TERN_CNT_TcpExtTCPDSACKOfoRecv);
	else
		return false;
	segments = duplicates(n, &b[0]);
	if (!segments) {
		tern_count(n->t->trace, TERN_CNT_TcpExtTCPDSACKIgnoredDubious);
		return false;
	}
	tern_count_n(n->t->trace, TERN_CNT_TcpExtTCPDSACKRecvSegs, segments);
	if (r->undo && r->undo_again > 0 && tern_seq_le(b[0].right, n->prior_una) &&
	    tern_seq_gt(b[0].right, r->undo_una))
		r->undo_again = TERN_MAX(r->undo_again - (int32_t)segments, 0);
	return true;
}

/* Can a block be true? A D-SACK may be about what was acknowledged since the window was reduced. */
static bool is_valid(const struct tern_news *n, const struct tern_sack_block *b, bool dsack)
{
	const struct tern_repairs *r = &n->x->repair;
	const struct tern_snd *snd = &n->c->snd;

	if (tern_seq_gt(b->right, snd->nxt) || !tern_seq_lt(b->left, b->right) ||
	    !tern_seq_lt(b->left, snd->nxt))
		return false;
	if (tern_seq_gt(b->left, snd->una))
		return true;
	if (!dsack || !r->undo || tern_seq_gt(b->right, snd->una))
		return false;
	if (tern_seq_ge(b->left, r->undo_una))
		return true;
	return tern_seq_gt(b->right, r->undo_una) && tern_seq_ge(b->left, b->right - snd->max_wnd);
}

static void count_invalid(const struct tern_news *n, const struct tern_sack_block *b, bool dsack)
{
	enum tern_counter which = TERN_CNT_TcpExtTCPSACKDiscard;

	if (dsack)
		which = n->x->repair.undo ? TERN_CNT_TcpExtTCPDSACKIgnoredOld
					  : TERN_CNT_TcpExtTCPDSACKIgnoredNoUndo;
	else if (n->seg->ack != n->c->snd.una && tern_seq_le(b->right, n->c->snd.una))
		return; /* ACKs changed places: nobody's fault */
	tern_count(n->t->trace, which);
}

/* A burst is in a block: a D-SACK says that it is there twice, any other that it is there. */
static void tag(struct tern_news *n, struct tern_burst *burst, bool dsack)
{
	struct tern_flight *f = &n->x->flight;
	struct tern_repairs *r = &n->x->repair;

	if (dsack && (burst->flags & TERN_BURST_EVER_AGAIN)) {
		if (r->undo && r->undo_again > 0 && tern_seq_gt(burst->end, r->undo_una))
			r->undo_again = TERN_MAX(r->undo_again - (int32_t)burst->count, 0);
		if (burst->flags & TERN_BURST_SACKED)
			n->reorder = tern_seq_min(n->reorder, burst->seq);
	}
	if (!(burst->flags & TERN_BURST_SACKED)) {
		tern_rack_advance(n, burst);
		if (!(burst->flags & TERN_BURST_EVER_AGAIN)) {
			if (tern_seq_lt(burst->seq, tern_high_sacked(n->c, n->x)))
				n->reorder = tern_seq_min(n->reorder, burst->seq);
			if (tern_seq_le(burst->end, r->high))
				n->flags |= TERN_NEWS_ORIGINAL;
			if (!n->first_sacked_ns)
				n->first_sacked_ns = burst->sent_ns;
			n->last_sacked_ns = burst->sent_ns;
		}
		if (burst->flags & TERN_BURST_LOST)
			tern_flight_unmark(f, burst, TERN_BURST_LOST | TERN_BURST_AGAIN);
		f->high = f->sacked ? tern_seq_max(f->high, burst->end) : burst->end;
		tern_flight_mark_sacked(f, burst);
		n->flags |= TERN_NEWS_SACKED;
		tern_news_deliver(n, burst->count);
	}
	if (dsack && (burst->flags & TERN_BURST_AGAIN))
		tern_flight_unmark(f, burst, TERN_BURST_AGAIN);
}

/*
 * Cuts a burst so that what begins at idx is wholly inside the block or wholly before it. Only
 * whole segments count. Returns whether it is inside.
 */
static bool cut(struct tern_news *n, uint32_t idx, const struct tern_sack_block *b)
{
	struct tern_flight *f = &n->x->flight;
	const struct tern_burst *burst = tern_burst_of(n->t, f, idx);
	bool inside = tern_seq_le(b->left, burst->seq);
	uint32_t size = burst->size, len;

	if (inside && tern_seq_ge(b->right, burst->end))
		return true;
	if (burst->count == 1 || tern_seq_le(burst->end, b->left))
		return false;
	if (inside)
		len = (b->right - burst->seq) / size * size;
	else
		len = (b->left - burst->seq + size - 1) / size * size;
	if (!len || len >= tern_burst_bytes(burst))
		return false;
	return tern_flight_split(n->t, f, idx, burst->seq + len) && inside;
}

/* Two sacked neighbours of the same time and kind. */
static void join_sacked(struct tern_news *n, uint32_t idx)
{
	struct tern_flight *f = &n->x->flight;
	const struct tern_burst *burst = tern_burst_of(n->t, f, idx), *before;

	if (!burst->prev)
		return;
	before = tern_burst_of(n->t, f, burst->prev);
	if ((before->flags & (TERN_BURST_SACKED | TERN_BURST_AGAIN | TERN_BURST_FIN)) ==
		    TERN_BURST_SACKED &&
	    !(burst->flags & TERN_BURST_AGAIN) && before->size == burst->size &&
	    tern_burst_bytes(before) % before->size == 0 && before->count + burst->count < 4096 &&
	    ((before->flags ^ burst->flags) & TERN_BURST_EVER_AGAIN) == 0)
		tern_flight_join(n->t, f, burst->prev);
}

/* Walks the flight from *at on to the end of a block; *at is where the next may begin. */
static void walk(struct tern_news *n, uint32_t *at, const struct tern_sack_block *b, bool dsack)
{
	struct tern_flight *f = &n->x->flight;
	uint32_t idx = *at, next;

	for (; idx; idx = next) {
		struct tern_burst *burst = tern_burst_of(n->t, f, idx);

		if (tern_seq_ge(burst->seq, b->right))
			break;
		if (tern_seq_gt(burst->end, b->left) && cut(n, idx, b))
			tag(n, burst, dsack);
		next = burst->next;
		*at = idx;
		if (burst->flags & TERN_BURST_SACKED) {
			uint32_t before = burst->prev;

			join_sacked(n, idx);
			if (before && tern_burst_of(n->t, f, before)->next == next)
				*at = before;
		}
	}
}

/* The blocks that are to be looked up, by sequence. *dsack: the place of the D-SACK, or -1. */
static unsigned int choose(struct tern_news *n, struct tern_sack_block *ret, int *dsack)
{
	const struct tern_sack_block *b = n->seg->opt.sack;
	bool is_dsack = *dsack == 0;
	unsigned int count = 0;

	*dsack = -1;
	for (unsigned int i = 0; i < n->seg->opt.sack_count; i++) {
		bool dup = is_dsack && !i;
		unsigned int at = count;

		if (!is_valid(n, &b[i], dup)) {
			count_invalid(n, &b[i], dup);
			continue;
		}
		if (tern_seq_le(b[i].right, n->prior_una))
			continue;
		for (; at && tern_seq_lt(b[i].left, ret[at - 1].left); at--)
			ret[at] = ret[at - 1];
		if (*dsack >= (int)at)
			++*dsack;
		ret[at] = b[i];
		count++;
		if (dup)
			*dsack = (int)at;
	}
	return count;
}

void tern_sack_take(struct tern_news *n)
{
	const struct tern_tcp_options *opt = &n->seg->opt;
	struct tern_sack_block blocks[BLOCKS_MAX];
	uint32_t at = n->x->flight.head;
	int dsack = check_dsack(n, opt->sack, opt->sack_count) ? 0 : -1;
	unsigned int count;

	if (tern_seq_lt(n->seg->ack, n->prior_una - n->c->snd.max_wnd) || !at)
		return;
	n->reorder = n->c->snd.nxt;
	count = choose(n, blocks, &dsack);
	for (unsigned int i = 0; i < count; i++) {
		if (i && tern_seq_lt(blocks[i].left, blocks[i - 1].right))
			at = n->x->flight.head;
		walk(n, &at, &blocks[i], dsack == (int)i);
	}
	if (n->x->repair.state != TERN_CA_LOSS || n->x->repair.undo)
		tern_sack_reordered(n, n->reorder, false);
	n->reorder = n->c->snd.nxt;
}
