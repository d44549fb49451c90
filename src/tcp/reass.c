/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Early bytes are kept as at most 64 disjoint ranges in order of sequence, each with a chain of
 * buffers of its own. A segment finds its place by binary search and is copied in where there are
 * holes; bytes that came first stay (attack I01). Work for a segment is bounded by the number of
 * ranges, whatever a peer sends (SegmentSmack, D01); so is memory, by the window and by tcp_mem.
 */
#include "tcp/reass.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "tcp/window.h"

static struct tern_reass *reass_of(const struct tern_tcp *t, const struct tern_traffic *x)
{
	return x->recv.reass ? tern_pool_at(&t->reass, x->recv.reass) : NULL;
}

static struct tern_reass *need_reass(struct tern_tcp *t, struct tern_traffic *x)
{
	if (!x->recv.reass)
		x->recv.reass = tern_pool_get(&t->reass);
	return reass_of(t, x);
}

/* The first range that ends at or after seq: it touches, holds or follows seq. */
static unsigned int find(const struct tern_reass *r, tern_seq seq)
{
	unsigned int low = 0, high = r->count;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (tern_seq_lt(r->range[mid].right, seq))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void remove_ranges(struct tern_reass *r, unsigned int at, unsigned int n)
{
	memmove(&r->range[at], &r->range[at + n], (r->count - at - n) * sizeof(r->range[0]));
	r->count = (uint8_t)(r->count - n);
}

/* An empty range at seq in place `at`. -ENOBUFS when there are too many. */
static int add_range(struct tern_reass *r, unsigned int at, tern_seq seq)
{
	if (r->count == TERN_REASS_RANGES)
		return -ENOBUFS;
	memmove(&r->range[at + 1], &r->range[at], (r->count - at) * sizeof(r->range[0]));
	r->range[at] = (struct tern_range){ .left = seq, .right = seq };
	r->count++;
	return 0;
}

/* Copies bytes to the end of a range. */
static int extend(struct tern_tcp *t, struct tern_traffic *x, struct tern_range *range,
		  const uint8_t *data, uint32_t len)
{
	int64_t charged = tern_chain_append(&t->bufs, &range->chain, range->right, data, len,
					    range->right - range->left);

	if (charged < 0)
		return -ENOBUFS;
	range->right += len;
	x->rmem += (uint32_t)charged;
	x->recv.early_bytes += len;
	return 0;
}

/* Hangs the next range on this one if there is no hole between them any more. */
static void merge_next(struct tern_tcp *t, struct tern_reass *r, unsigned int at)
{
	struct tern_range *range = &r->range[at];

	if (at + 1 >= r->count || r->range[at + 1].left != range->right)
		return;
	range->right = r->range[at + 1].right;
	tern_chain_join(&t->bufs, &range->chain, &r->range[at + 1].chain);
	remove_ranges(r, at + 1, 1);
}

/*
 * Fills the holes of [seq, end) from range `at` on, which begins at or before seq and touches it.
 */
static int fill(struct tern_tcp *t, struct tern_traffic *x, struct tern_reass *r, unsigned int at,
		tern_seq seq, tern_seq end, const uint8_t *data)
{
	for (;;) {
		struct tern_range *range = &r->range[at];
		tern_seq stop = end;
		int err;

		if (tern_seq_ge(range->right, end))
			return 0;
		if (at + 1 < r->count)
			stop = tern_seq_min(end, r->range[at + 1].left);
		err = extend(t, x, range, data + (range->right - seq), stop - range->right);
		if (err)
			return err;
		merge_next(t, r, at);
	}
}

/* A segment went into this range: it is reported first, the others stay in their order. */
static void note_recent(struct tern_reass *r, const struct tern_range *range)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->recents; i++)
		if (!tern_seq_in(r->recent[i], range->left, range->right - range->left))
			r->recent[n++] = r->recent[i];
	n = TERN_MIN(n, (unsigned int)TERN_SACK_BLOCKS_MAX - 1);
	memmove(&r->recent[1], &r->recent[0], n * sizeof(r->recent[0]));
	r->recent[0] = range->left;
	r->recents = (uint8_t)(n + 1);
}

int tern_reass_insert(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x, tern_seq seq,
		      const uint8_t *data, uint32_t len)
{
	struct tern_reass *r = need_reass(t, x);
	tern_seq end = seq + len;
	unsigned int at;
	bool fresh = false;
	int err = 0;

	assert(tern_seq_gt(seq, c->rcv.nxt));
	if (!r)
		return -ENOBUFS;
	at = find(r, seq);
	if (at == r->count || tern_seq_gt(r->range[at].left, seq)) {
		err = add_range(r, at, seq);
		fresh = !err;
	}
	if (!err)
		err = fill(t, x, r, at, seq, end, data);
	if (err) {
		if (fresh && r->range[at].left == r->range[at].right)
			remove_ranges(r, at, 1);
		if (!r->count && !r->fin)
			tern_reass_clear(t, x);
		return err;
	}
	note_recent(r, &r->range[at]);
	return 0;
}

int tern_reass_note_fin(struct tern_tcp *t, struct tern_traffic *x, tern_seq seq)
{
	struct tern_reass *r = need_reass(t, x);

	if (!r)
		return -ENOBUFS;
	if (!r->fin || tern_seq_lt(seq, r->fin_seq)) {
		r->fin = true;
		r->fin_seq = seq;
	}
	return 0;
}

/* Hangs the first range, which begins at RCV.NXT, on the receive queue; returns its end. */
static tern_seq deliver(struct tern_tcp *t, struct tern_traffic *x, struct tern_reass *r)
{
	struct tern_range *range = &r->range[0];
	tern_seq right = range->right;

	x->recv.early_bytes -= right - range->left;
	x->recv.bytes += right - range->left;
	tern_chain_join(&t->bufs, &x->recv.chain, &range->chain);
	remove_ranges(r, 0, 1);
	return right;
}

tern_seq tern_reass_advance(struct tern_tcp *t, struct tern_traffic *x, tern_seq nxt, bool *ret_fin)
{
	struct tern_reass *r = reass_of(t, x);

	*ret_fin = false;
	if (!r)
		return nxt;
	assert(!r->count || tern_seq_ge(r->range[0].left, nxt));
	if (r->count && r->range[0].left == nxt)
		nxt = deliver(t, x, r);
	*ret_fin = r->fin && r->fin_seq == nxt;
	if (r->fin && tern_seq_lt(r->fin_seq, nxt))
		r->fin = false; /* data went past it: a lie, as Linux sees it */
	if (!r->count && (!r->fin || *ret_fin))
		tern_reass_clear(t, x);
	return nxt;
}

uint32_t tern_reass_room(const struct tern_tcp *t, const struct tern_traffic *x, tern_seq nxt,
			 uint32_t len)
{
	const struct tern_reass *r = reass_of(t, x);

	return r && r->count ? TERN_MIN(len, r->range[0].left - nxt) : len;
}

void tern_reass_clear(struct tern_tcp *t, struct tern_traffic *x)
{
	struct tern_reass *r = reass_of(t, x);

	if (!r)
		return;
	tern_window_released(x, x->recv.early_bytes);
	for (unsigned int i = 0; i < r->count; i++)
		x->rmem -= tern_chain_clear(&t->bufs, &r->range[i].chain);
	x->recv.early_bytes = 0;
	tern_pool_put(&t->reass, x->recv.reass);
	x->recv.reass = 0;
}

/* The range that holds a byte, or NULL. */
static const struct tern_range *holder(const struct tern_reass *r, tern_seq seq)
{
	unsigned int at = find(r, seq + 1);

	if (at == r->count || tern_seq_gt(r->range[at].left, seq))
		return NULL;
	return &r->range[at];
}

bool tern_reass_finds(const struct tern_tcp *t, const struct tern_traffic *x, tern_seq seq,
		      uint32_t len, struct tern_sack_block *ret)
{
	const struct tern_reass *r = reass_of(t, x);
	unsigned int at = r ? find(r, seq + 1) : 0;

	if (!r || at == r->count || tern_seq_ge(r->range[at].left, seq + len))
		return false;
	ret->left = tern_seq_max(seq, r->range[at].left);
	ret->right = tern_seq_min(seq + len, r->range[at].right);
	return true;
}

unsigned int tern_reass_blocks(const struct tern_tcp *t, const struct tern_traffic *x,
			       struct tern_sack_block *blocks, unsigned int max)
{
	const struct tern_reass *r = reass_of(t, x);
	unsigned int n = 0;

	for (unsigned int i = 0; r && i < r->recents && n < max; i++) {
		const struct tern_range *range = holder(r, r->recent[i]);

		if (!range) /* it is in order by now */
			continue;
		blocks[n].left = range->left;
		blocks[n].right = range->right;
		n++;
	}
	return n;
}
