/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/fault.c: the fault wrapper.
 *
 * Each direction is a lane: a queue of copied frames, each with the time it is due. For every frame
 * that enters a lane the same seven numbers are drawn from the lane's own generator, used or not,
 * so that the fate of a frame depends on the seed and on its place in the lane and on nothing else.
 *
 *	lost?  no further.	corrupt?  one byte of the copy changes.
 *	due = now + delay ± jitter; it waits for the frame in front all the same, so that jitter
 *		keeps the order.
 *	reorder?  it waits beside the queue until 1 … 4 later frames have entered the queue (it is
 *		then queued behind them) or until 2 ms after it was due. Eight can wait at once.
 *	duplicate?  a second copy right behind the first.
 *
 * In: receive reads the inner link into the lane and gives what is due; what it gave stays in its
 * slots until the next receive. Out: send puts frames into the lane and passes on what is due. If
 * the inner link has no room the lane keeps them; only when the lane is full as well does the
 * caller hear -EAGAIN. A lane that is full otherwise loses frames, as a router's queue does.
 *
 * Timers: one, the deadline: the first due time of both lanes. Out frames that wait for the inner
 * link have none: whoever polls its fd for room calls send again.
 *
 * Memory: slots of one MTU for queue_max frames in each lane, touched as they are used, the one
 * given back last first. A frame longer than the MTU (one that the inner link merged before its
 * offload was switched off) is lost as overflowed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "link/fault.h"

enum {
	FAULT_BURST = 32,
	FAULT_HELD_MAX = 8,
	FAULT_BEHIND_MAX = 4,
	FAULT_QUEUE_DEFAULT = 4096,
	FAULT_QUEUE_MAX = 1 << 20,
	PPM = 1000000,
};

#define FAULT_HOLD_NS     UINT64_C(2000000)
#define FAULT_TIME_MAX_NS (UINT64_C(3600) * 1000000000)

/* A frame in a slot. */
struct item {
	uint64_t due;
	uint32_t slot, len, gso_size;
	enum tern_csum csum;
};

struct held {
	struct item item; /* due: when it goes at the latest */
	uint32_t behind;  /* frames it still lets pass */
};

struct lane {
	struct tern_fault_rates rates;
	struct tern_fault_counts counts;
	struct tern_rng rng;
	uint8_t *bytes;     /* slots */
	uint32_t *free;     /* stack of free slots */
	struct item *queue; /* ring in the order of due; mask + 1 of them */
	uint32_t slots, frees, stride, mask;
	uint32_t first, next; /* positions in the ring */
	struct held held[FAULT_HELD_MAX];
	unsigned int helds;
};

struct fault {
	struct tern_link link;
	struct tern_link *inner;
	struct lane in, out;
	uint32_t lent; /* oldest entries of in, which the last receive gave */
	bool more;     /* the inner link may have more to receive */
	bool blocked;  /* the inner link had no room */
};

static uint32_t queued(const struct lane *lane)
{
	return lane->next - lane->first;
}

static struct item *item_at(const struct lane *lane, uint32_t i)
{
	return &lane->queue[(lane->first + i) & lane->mask];
}

static uint8_t *slot_bytes(const struct lane *lane, const struct item *item)
{
	return lane->bytes + (size_t)item->slot * lane->stride;
}

static void drop_first(struct lane *lane, uint32_t n)
{
	while (n--)
		lane->free[lane->frees++] = lane->queue[lane->first++ & lane->mask].slot;
}

static void enqueue(struct lane *lane, const struct item *item)
{
	lane->queue[lane->next++ & lane->mask] = *item;
}

static void release(struct lane *lane, unsigned int i)
{
	enqueue(lane, &lane->held[i].item);
	memmove(&lane->held[i], &lane->held[i + 1], (--lane->helds - i) * sizeof(lane->held[0]));
}

/* Held frames whose patience is over join the queue, the one held first leading. */
static void release_late(struct lane *lane, uint64_t now)
{
	unsigned int i = 0;

	while (i < lane->helds) {
		if (lane->held[i].item.due <= now)
			release(lane, i);
		else
			i++;
	}
}

/* A frame joins the queue; held ones that it was the last to overtake follow. */
static void pass(struct lane *lane, const struct item *item)
{
	unsigned int i = 0;

	enqueue(lane, item);
	while (i < lane->helds) {
		if (--lane->held[i].behind == 0) {
			lane->held[i].item.due = item->due;
			release(lane, i);
		} else {
			i++;
		}
	}
}

/* Takes a slot and fills it with a copy of another. False, and counted, if none is free. */
static bool copy_item(struct lane *lane, const struct item *item, struct item *ret)
{
	if (!lane->frees) {
		lane->counts.overflowed++;
		return false;
	}
	*ret = *item;
	ret->slot = lane->free[--lane->frees];
	memcpy(slot_bytes(lane, ret), slot_bytes(lane, item), item->len);
	return true;
}

/* What was drawn for one frame. */
struct fate {
	bool lost, duplicated, corrupted, reordered;
	uint32_t where, flip, behind;
	uint64_t due;
};

static struct fate draw(struct lane *lane, uint64_t now, uint32_t len)
{
	const struct tern_fault_rates *rates = &lane->rates;
	struct tern_rng *rng = &lane->rng;
	uint64_t jitter, spread = 2 * rates->jitter_ns + 1;
	struct fate fate;

	fate.lost = tern_rng_below(rng, PPM) < rates->loss_ppm;
	fate.duplicated = tern_rng_below(rng, PPM) < rates->dup_ppm;
	fate.corrupted = tern_rng_below(rng, PPM) < rates->corrupt_ppm;
	fate.reordered = tern_rng_below(rng, PPM) < rates->reorder_ppm;
	fate.where = tern_rng_u32(rng);
	fate.flip = fate.where >> 24;
	fate.where = len ? (fate.where & 0xffffff) % len : 0;
	fate.flip = 1 + fate.flip % 255;
	fate.behind = 1 + tern_rng_below(rng, FAULT_BEHIND_MAX);
	jitter = tern_rng_u64(rng) % spread;
	fate.due = now + rates->delay_ns + jitter;
	fate.due = fate.due > now + rates->jitter_ns ? fate.due - rates->jitter_ns : now;
	return fate;
}

/* The frame in item->slot meets its fate. */
static void judge(struct lane *lane, uint64_t now, struct item *item)
{
	struct fate fate = draw(lane, now, item->len);
	struct item twin;

	lane->counts.frames++;
	if (fate.lost) {
		lane->counts.lost++;
		lane->free[lane->frees++] = item->slot;
		return;
	}
	if (fate.corrupted && item->len) {
		lane->counts.corrupted++;
		slot_bytes(lane, item)[fate.where] ^= (uint8_t)fate.flip;
		item->csum = TERN_CSUM_FULL;
	}
	item->due = fate.due;
	if (fate.reordered && lane->helds < FAULT_HELD_MAX) {
		lane->counts.reordered++;
		item->due += FAULT_HOLD_NS;
		lane->held[lane->helds++] = (struct held){ *item, fate.behind };
	} else {
		pass(lane, item);
	}
	if (fate.duplicated && copy_item(lane, item, &twin)) {
		lane->counts.duplicated++;
		twin.due = fate.due;
		pass(lane, &twin);
	}
}

/* Takes a slot for a frame that enters the lane. False, and counted, if there is none for it. */
static bool enter(struct lane *lane, uint32_t len, struct item *ret)
{
	if (!lane->frees || len > lane->stride) {
		lane->counts.frames++;
		lane->counts.overflowed++;
		return false;
	}
	*ret = (struct item){ .slot = lane->free[--lane->frees], .len = len };
	return true;
}

/* Number of frames at the head of the queue that are due; n at most. */
static unsigned int due(const struct lane *lane, uint64_t now, unsigned int n)
{
	unsigned int i = 0;

	while (i < n && i < queued(lane) && item_at(lane, i)->due <= now)
		i++;
	return i;
}

static uint64_t lane_deadline(const struct lane *lane, uint32_t lent)
{
	uint64_t first = queued(lane) > lent ? item_at(lane, lent)->due : TERN_NEVER;
	unsigned int i;

	for (i = 0; i < lane->helds; i++)
		first = TERN_MIN(first, lane->held[i].item.due);
	return first;
}

/* Reads the inner link empty: a frame's delay begins when it comes. 0 or -ENODEV. */
static int read_inner(struct fault *fault, uint64_t now)
{
	struct lane *lane = &fault->in;
	struct tern_frame raw[FAULT_BURST];
	uint32_t budget = lane->slots;
	struct item item;
	int i, got;

	do {
		got = tern_link_receive(fault->inner, now, raw, FAULT_BURST);
		if (got < 0)
			return got;
		for (i = 0; i < got; i++) {
			if (!enter(lane, raw[i].len, &item))
				continue;
			memcpy(slot_bytes(lane, &item), raw[i].data, raw[i].len);
			item.gso_size = raw[i].gso_size;
			item.csum = raw[i].csum;
			judge(lane, now, &item);
		}
		budget -= TERN_MIN(budget, (uint32_t)got);
	} while (got && budget);
	fault->more = got > 0;
	return 0;
}

static int fault_receive(struct tern_link *link, uint64_t now, struct tern_frame *frames,
			 unsigned int n)
{
	struct fault *fault = (struct fault *)link;
	struct lane *lane = &fault->in;
	unsigned int i;
	int err;

	drop_first(lane, fault->lent);
	fault->lent = 0;
	err = read_inner(fault, now);
	release_late(lane, now);
	n = due(lane, now, n);
	if (!n)
		return err;
	for (i = 0; i < n; i++) {
		const struct item *it = item_at(lane, i);

		frames[i] = (struct tern_frame){ .data = slot_bytes(lane, it),
						 .len = it->len,
						 .gso_size = it->gso_size,
						 .csum = it->csum };
		link->counts.bytes_in += it->len;
	}
	link->counts.frames_in += n;
	fault->lent = n;
	return (int)n;
}

/* Passes on what is due. 0, -EAGAIN when the inner link has no room, -ENODEV. */
static int flush(struct fault *fault, uint64_t now)
{
	struct lane *lane = &fault->out;
	struct tern_out outs[FAULT_BURST];
	unsigned int i, n;
	int took;

	release_late(lane, now);
	fault->blocked = false;
	while ((n = due(lane, now, FAULT_BURST)) > 0) {
		for (i = 0; i < n; i++) {
			const struct item *item = item_at(lane, i);
			const uint8_t *bytes = slot_bytes(lane, item);

			outs[i].piece[0] = (struct tern_piece){ bytes, item->len };
			outs[i].pieces = 1;
			outs[i].len = item->len;
			outs[i].gso_size = 0;
			outs[i].header_len = outs[i].csum_start = outs[i].csum_offset = 0;
			outs[i].family = item->len ? bytes[0] >> 4 : 0;
			outs[i].csum = TERN_CSUM_FULL;
		}
		took = tern_link_send(fault->inner, now, outs, n);
		if (took <= 0) {
			fault->blocked = took == -EAGAIN;
			return took;
		}
		drop_first(lane, (uint32_t)took);
	}
	return tern_link_send(fault->inner, now, NULL, 0);
}

static int fault_send(struct tern_link *link, uint64_t now, const struct tern_out *outs,
		      unsigned int n)
{
	struct fault *fault = (struct fault *)link;
	struct lane *lane = &fault->out;
	struct item item;
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		if (!lane->frees && flush(fault, now) < 0)
			break;
		link->counts.frames_out++;
		link->counts.bytes_out += outs[i].len;
		if (!enter(lane, outs[i].len, &item))
			continue;
		(void)tern_link_gather(slot_bytes(lane, &item), &outs[i]);
		judge(lane, now, &item);
	}
	err = flush(fault, now);
	if (err == -ENODEV || (n == 0 && err < 0))
		return err;
	return n && !i ? -EAGAIN : (int)i;
}

/* There is none to switch on. */
static int fault_offload(struct tern_link *link, bool on)
{
	(void)link;
	return on ? -EOPNOTSUPP : 0;
}

static int fault_fd(const struct tern_link *link)
{
	return tern_link_fd(((const struct fault *)link)->inner);
}

static uint64_t fault_deadline(const struct tern_link *link)
{
	const struct fault *fault = (const struct fault *)link;
	uint64_t first = fault->more ? 0 : tern_link_deadline(fault->inner);

	first = TERN_MIN(first, lane_deadline(&fault->in, fault->lent));
	return fault->blocked ? first : TERN_MIN(first, lane_deadline(&fault->out, 0));
}

static void lane_free(struct lane *lane)
{
	free(lane->bytes);
	free(lane->free);
	free(lane->queue);
}

static void fault_close(struct tern_link *link)
{
	struct fault *fault = (struct fault *)link;

	tern_link_close(fault->inner);
	lane_free(&fault->in);
	lane_free(&fault->out);
	free(fault);
}

static const struct tern_link_ops fault_ops = {
	.kind = "fault",
	.receive = fault_receive,
	.send = fault_send,
	.offload = fault_offload,
	.fd = fault_fd,
	.deadline = fault_deadline,
	.close = fault_close,
};

/* Everything in a lane fits into its ring: there is an entry for each slot. 0 or -ENOMEM. */
static int lane_init(struct lane *lane, const struct tern_fault_rates *rates, uint32_t slots,
		     uint32_t mtu, uint64_t seed, uint8_t direction)
{
	uint8_t key[TERN_RNG_SEED_LEN] = { 0 };
	uint32_t entries = 1;
	unsigned int i;

	for (i = 0; i < 8; i++)
		key[i] = (uint8_t)(seed >> 8 * i);
	key[8] = direction;
	tern_rng_init(&lane->rng, key);
	while (entries < slots)
		entries *= 2;
	lane->rates = *rates;
	lane->slots = lane->frees = slots;
	lane->stride = mtu;
	lane->mask = entries - 1;
	lane->bytes = malloc((size_t)slots * mtu);
	lane->free = malloc(slots * sizeof(*lane->free));
	lane->queue = malloc(entries * sizeof(*lane->queue));
	if (!lane->bytes || !lane->free || !lane->queue)
		return -ENOMEM;
	for (i = 0; i < slots; i++)
		lane->free[i] = slots - 1 - i;
	return 0;
}

static bool rates_are_valid(const struct tern_fault_rates *rates)
{
	return rates->loss_ppm <= PPM && rates->dup_ppm <= PPM && rates->corrupt_ppm <= PPM &&
	       rates->reorder_ppm <= PPM && rates->delay_ns <= FAULT_TIME_MAX_NS &&
	       rates->jitter_ns <= FAULT_TIME_MAX_NS;
}

int tern_fault_new(struct tern_link *inner, const struct tern_fault_config *cfg,
		   struct tern_link **ret_link)
{
	uint32_t slots = cfg->queue_max ? cfg->queue_max : FAULT_QUEUE_DEFAULT;
	struct fault *fault;
	int err;

	if (!rates_are_valid(&cfg->in) || !rates_are_valid(&cfg->out) || slots > FAULT_QUEUE_MAX)
		return -EINVAL;
	fault = calloc(1, sizeof(*fault));
	if (!fault)
		return -ENOMEM;
	err = lane_init(&fault->in, &cfg->in, slots, inner->caps.mtu, cfg->seed, 0);
	if (!err)
		err = lane_init(&fault->out, &cfg->out, slots, inner->caps.mtu, cfg->seed, 1);
	if (!err)
		err = tern_link_offload(inner, false);
	if (err < 0) {
		lane_free(&fault->in);
		lane_free(&fault->out);
		free(fault);
		return err;
	}
	fault->link.ops = &fault_ops;
	fault->link.caps.mtu = inner->caps.mtu;
	fault->inner = inner;
	*ret_link = &fault->link;
	return 0;
}

void tern_fault_counts(const struct tern_link *link, struct tern_fault_counts *ret_in,
		       struct tern_fault_counts *ret_out)
{
	const struct fault *fault = link->ops == &fault_ops ? (const struct fault *)link : NULL;
	const struct tern_fault_counts none = { 0 };

	if (ret_in)
		*ret_in = fault ? fault->in.counts : none;
	if (ret_out)
		*ret_out = fault ? fault->out.counts : none;
}
