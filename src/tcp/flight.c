/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The flight of a connection is a list of bursts in order of sequence: what left in one frame,
 * when, and what is known of it. Bursts come from a pool of the stack, but one stands in the
 * traffic record: who sends a segment at a time never needs another. Where the link does not cut
 * frames, segments of one time make one burst, since repair goes by segments there.
 *
 * A burst is cut where a SACK block ends inside it, at the border of a segment, and where a part of
 * it is to be sent again. Sacked neighbours become one again. A connection has at most 4,096: so
 * looking up what blocks a peer sends is bounded work. Where no record is to be had, what leaves is
 * added to the last burst, and none is cut: repair is coarser then, and goes on.
 */
#include "tcp/flight.h"

#include <assert.h>

#include "base/compiler.h"
#include "tcp/conn.h"

struct tern_burst *tern_burst_of(const struct tern_tcp *t, const struct tern_flight *f,
				 uint32_t idx)
{
	return idx == TERN_BURST_OWN ? (struct tern_burst *)&f->own : tern_pool_at(&t->bursts, idx);
}

static uint32_t segments_of(const struct tern_burst *burst)
{
	uint32_t bytes = tern_burst_bytes(burst);

	return bytes > burst->size ? (bytes + burst->size - 1) / burst->size : 1;
}

/* A record; 0 where there is none. */
static uint32_t take_record(struct tern_tcp *t, struct tern_flight *f)
{
	if (!f->bursts || (f->head != TERN_BURST_OWN && !f->own.count))
		return TERN_BURST_OWN;
	return f->bursts < TERN_BURSTS_MAX ? tern_pool_get(&t->bursts) : 0;
}

static void put_record(struct tern_tcp *t, struct tern_flight *f, uint32_t idx)
{
	if (idx == TERN_BURST_OWN)
		f->own.count = 0;
	else
		tern_pool_put(&t->bursts, idx);
}

/* Hangs a record behind `before`, or at the front. */
static void link_behind(const struct tern_tcp *t, struct tern_flight *f, uint32_t before,
			uint32_t idx)
{
	struct tern_burst *burst = tern_burst_of(t, f, idx);

	burst->prev = before;
	burst->next = before ? tern_burst_of(t, f, before)->next : f->head;
	if (burst->next)
		tern_burst_of(t, f, burst->next)->prev = idx;
	else
		f->tail = idx;
	if (before)
		tern_burst_of(t, f, before)->next = idx;
	else
		f->head = idx;
	f->bursts++;
}

static void unlink_burst(const struct tern_tcp *t, struct tern_flight *f, uint32_t idx)
{
	const struct tern_burst *burst = tern_burst_of(t, f, idx);

	if (burst->next)
		tern_burst_of(t, f, burst->next)->prev = burst->prev;
	else
		f->tail = burst->prev;
	if (burst->prev)
		tern_burst_of(t, f, burst->prev)->next = burst->next;
	else
		f->head = burst->next;
	f->bursts--;
	if (f->cursor == idx)
		f->cursor = 0;
}

/* What left now, and is of the same kind as what leaves now, may be one with it. */
static bool is_more_of(const struct tern_tcp *t, const struct tern_burst *tail,
		       const struct tern_burst *burst)
{
	return !t->gso_max && tail->sent_ns == burst->sent_ns && tail->size == burst->size &&
	       !tail->flags && tern_burst_bytes(tail) % burst->size == 0;
}

static void extend(struct tern_burst *tail, const struct tern_burst *burst)
{
	tail->end = burst->end;
	tail->count += burst->count;
	tail->flags |= burst->flags;
	tail->sent_ns = burst->sent_ns;
}

void tern_flight_sent_more(struct tern_tcp *t, struct tern_flight *f,
			   const struct tern_burst *burst)
{
	uint32_t tail = f->tail, idx;

	f->packets += burst->count;
	if (is_more_of(t, tern_burst_of(t, f, tail), burst)) {
		extend(tern_burst_of(t, f, tail), burst);
		return;
	}
	idx = take_record(t, f);
	if (!idx) { /* what is known of the burst before holds for both from now on */
		tern_flight_unmark(f, tern_burst_of(t, f, tail),
				   TERN_BURST_SACKED | TERN_BURST_LOST | TERN_BURST_AGAIN);
		extend(tern_burst_of(t, f, tail), burst);
		return;
	}
	*tern_burst_of(t, f, idx) = *burst;
	link_behind(t, f, tail, idx);
}

void tern_flight_sent_again(struct tern_flight *f, struct tern_burst *burst, uint64_t now,
			    uint32_t delivered)
{
	if (!(burst->flags & TERN_BURST_AGAIN))
		f->again += burst->count;
	burst->flags |= TERN_BURST_AGAIN | TERN_BURST_EVER_AGAIN;
	burst->sent_ns = now;
	burst->delivered = delivered;
}

/* Adds `count` segments to the sums of what the burst is, or takes them off if negative. */
static void account(struct tern_flight *f, const struct tern_burst *burst, uint32_t count)
{
	f->packets += count;
	if (burst->flags & TERN_BURST_SACKED)
		f->sacked += count;
	if (burst->flags & TERN_BURST_LOST)
		f->lost += count;
	if (burst->flags & TERN_BURST_AGAIN)
		f->again += count;
}

bool tern_flight_split(struct tern_tcp *t, struct tern_flight *f, uint32_t idx, tern_seq seq)
{
	struct tern_burst *burst = tern_burst_of(t, f, idx), *rest;
	uint32_t behind = take_record(t, f);

	assert(tern_seq_gt(seq, burst->seq) && tern_seq_lt(seq, burst->end));
	if (!behind)
		return false;
	account(f, burst, 0u - burst->count);
	rest = tern_burst_of(t, f, behind);
	*rest = *burst;
	rest->seq = seq;
	rest->flags &= (uint8_t)~TERN_BURST_SYN;
	burst->end = seq;
	burst->flags &= (uint8_t) ~(TERN_BURST_PSH | TERN_BURST_FIN);
	burst->count = segments_of(burst);
	rest->count = segments_of(rest);
	account(f, burst, burst->count);
	account(f, rest, rest->count);
	link_behind(t, f, idx, behind);
	return true;
}

void tern_flight_join(struct tern_tcp *t, struct tern_flight *f, uint32_t idx)
{
	struct tern_burst *burst = tern_burst_of(t, f, idx);
	uint32_t behind = burst->next;
	const struct tern_burst *rest = tern_burst_of(t, f, behind);

	account(f, burst, 0u - burst->count);
	account(f, rest, 0u - rest->count);
	burst->end = rest->end;
	burst->flags |= rest->flags & (TERN_BURST_PSH | TERN_BURST_FIN | TERN_BURST_EVER_AGAIN);
	burst->count = segments_of(burst);
	account(f, burst, burst->count);
	unlink_burst(t, f, behind);
	put_record(t, f, behind);
}

uint32_t tern_flight_trim(struct tern_flight *f, struct tern_burst *burst, tern_seq una)
{
	uint32_t before = burst->count;

	account(f, burst, 0u - before);
	burst->seq = una;
	burst->flags &= (uint8_t)~TERN_BURST_SYN;
	if (before == 1)
		burst->flags |= TERN_BURST_PART;
	burst->count = segments_of(burst);
	account(f, burst, burst->count);
	return before - burst->count;
}

void tern_flight_pop_first(struct tern_tcp *t, struct tern_flight *f)
{
	uint32_t idx = f->head;
	const struct tern_burst *burst = tern_burst_of(t, f, idx);

	account(f, burst, 0u - burst->count);
	unlink_burst(t, f, idx);
	put_record(t, f, idx);
}

void tern_flight_resize(struct tern_tcp *t, struct tern_flight *f, uint32_t mss)
{
	for (uint32_t idx = f->head; idx; idx = tern_burst_of(t, f, idx)->next) {
		struct tern_burst *burst = tern_burst_of(t, f, idx);

		account(f, burst, 0u - burst->count);
		burst->size = (uint16_t)mss;
		burst->count = segments_of(burst);
		account(f, burst, burst->count);
	}
}

void tern_flight_mark_sacked(struct tern_flight *f, struct tern_burst *burst)
{
	if (!(burst->flags & TERN_BURST_SACKED))
		f->sacked += burst->count;
	burst->flags |= TERN_BURST_SACKED;
}

void tern_flight_unmark(struct tern_flight *f, struct tern_burst *burst, uint8_t flags)
{
	account(f, burst, 0u - burst->count);
	burst->flags &= (uint8_t)~flags;
	account(f, burst, burst->count);
}

uint32_t tern_flight_mark_lost(struct tern_tcp *t, struct tern_flight *f, struct tern_burst *burst)
{
	if (burst->flags & TERN_BURST_SACKED)
		return 0;
	if (!(burst->flags & TERN_BURST_LOST)) {
		f->lost += burst->count;
		f->cursor = 0;
		burst->flags |= TERN_BURST_LOST;
		return burst->count;
	}
	if (!(burst->flags & TERN_BURST_AGAIN))
		return 0;
	tern_flight_unmark(f, burst, TERN_BURST_AGAIN);
	f->cursor = 0;
	tern_count_n(t->trace, TERN_CNT_TcpExtTCPLostRetransmit, burst->count);
	return burst->count;
}

void tern_flight_repeat_first(struct tern_tcp *t, struct tern_flight *f)
{
	if (f->head)
		tern_flight_mark_lost(t, f, tern_burst_of(t, f, f->head));
}
