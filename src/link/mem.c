/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/mem.c: the in-memory link.
 *
 * Each end owns the queue of frames on their way to it: a ring of entries, and an arena that their
 * bytes lie in, one frame in one piece, in the order of the entries. A frame is copied once, when
 * it is gathered into the arena. The arena is a circle that a frame never spans: if it does not
 * fit before the end, it begins at 0.
 *
 * Frames given by receive stay in the queue until the next receive, because the receiver looks at
 * them in place. Whenever the queue runs empty the arena begins at 0 again, so that a short queue
 * stays in the cache however large the arena is.
 *
 * Limits: entries and bytes of each queue, fixed at the start. A full queue is -EAGAIN; a frame
 * longer than the link allows is lost and counted.
 */
#include <errno.h>
#include <stdlib.h>

#include "link/mem.h"

enum {
	MEM_ALIGN = 64,
	MEM_MTU_MIN = 68,
	MEM_LEN_MAX = 65535,
	MEM_FRAMES_MAX = 1 << 20,
	MEM_BYTES_MAX = 1 << 30,
};

struct entry {
	uint32_t at, len; /* bytes of the arena */
	uint32_t gso_size;
	enum tern_csum csum;
};

struct end {
	struct tern_link link;
	struct end *peer;
	struct entry *entries; /* to be received here; mask + 1 of them */
	uint8_t *arena;
	uint32_t mask, max, arena_size;
	uint32_t first, next;      /* positions of the oldest entry and of the one to come */
	uint32_t lent;             /* entries that the last receive gave */
	uint32_t head, tail;       /* arena: oldest byte in use, first free one */
	uint32_t gso_max;          /* as configured; caps say what is switched on */
	bool csum_offload, closed; /* likewise */
};

/* Finds room for len bytes behind the newest frame. False if there is none. */
static bool arena_take(struct end *to, uint32_t len, uint32_t *ret_at)
{
	if (to->first == to->next)
		to->head = to->tail = 0;
	if (to->tail >= to->head && to->arena_size - to->tail >= len)
		*ret_at = to->tail;
	else if (to->tail >= to->head && to->head > len)
		*ret_at = 0;
	else if (to->tail < to->head && to->head - to->tail > len)
		*ret_at = to->tail;
	else
		return false;
	to->tail = *ret_at + len;
	return true;
}

static int mem_receive(struct tern_link *link, uint64_t now, struct tern_frame *frames,
		       unsigned int n)
{
	struct end *end = (struct end *)link;
	unsigned int i;

	(void)now;
	end->first += end->lent;
	if (end->first != end->next)
		end->head = end->entries[end->first & end->mask].at;
	for (i = 0; i < n && end->first + i != end->next; i++) {
		const struct entry *entry = &end->entries[(end->first + i) & end->mask];

		frames[i] = (struct tern_frame){ .data = end->arena + entry->at,
						 .len = entry->len,
						 .gso_size = entry->gso_size,
						 .csum = entry->csum };
		link->counts.bytes_in += entry->len;
	}
	end->lent = i;
	link->counts.frames_in += i;
	return (int)i;
}

/* Could a frame like this never pass, however empty the queue? */
static bool is_refused(const struct end *end, const struct tern_out *out)
{
	const struct tern_link_caps *caps = &end->link.caps;

	return end->peer->closed || out->len > (out->gso_size ? caps->gso_max : caps->mtu);
}

static int mem_send(struct tern_link *link, uint64_t now, const struct tern_out *outs,
		    unsigned int n)
{
	struct end *end = (struct end *)link;
	struct end *to = end->peer;
	unsigned int i;
	uint32_t at;

	(void)now;
	for (i = 0; i < n; i++) {
		const struct tern_out *out = &outs[i];
		uint32_t room = (out->len + MEM_ALIGN - 1) & ~(uint32_t)(MEM_ALIGN - 1);

		if (is_refused(end, out)) {
			link->counts.drops_out++;
			continue;
		}
		if (to->next - to->first >= to->max || !arena_take(to, room, &at))
			break;
		to->entries[to->next++ & to->mask] =
			(struct entry){ .at = at,
					.len = tern_link_gather(to->arena + at, out),
					.gso_size = out->gso_size,
					.csum = out->csum };
		link->counts.frames_out++;
		link->counts.bytes_out += out->len;
	}
	return n && !i ? -EAGAIN : (int)i;
}

/* Of both ends at once: what one may send the other must be ready to take. */
static int mem_offload(struct tern_link *link, bool on)
{
	struct end *end = (struct end *)link;
	struct tern_link_caps caps = { .mtu = link->caps.mtu,
				       .gso_max = on ? end->gso_max : 0,
				       .csum_offload = on && end->csum_offload };

	end->link.caps = caps;
	end->peer->link.caps = caps;
	return 0;
}

static int mem_fd(const struct tern_link *link)
{
	(void)link;
	return -1;
}

static uint64_t mem_deadline(const struct tern_link *link)
{
	(void)link;
	return TERN_NEVER;
}

static void free_ends(struct end *ends)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		free(ends[i].entries);
		free(ends[i].arena);
	}
	free(ends);
}

static void mem_close(struct tern_link *link)
{
	struct end *end = (struct end *)link;

	end->closed = true;
	if (end->peer->closed)
		free_ends(end < end->peer ? end : end->peer);
}

static const struct tern_link_ops mem_ops = {
	.kind = "mem",
	.receive = mem_receive,
	.send = mem_send,
	.offload = mem_offload,
	.fd = mem_fd,
	.deadline = mem_deadline,
	.close = mem_close,
};

/* Fills in defaults. 0 or -EINVAL. */
static int complete(struct tern_mem_link_config *cfg)
{
	uint32_t largest;

	cfg->mtu = cfg->mtu ? cfg->mtu : 1500;
	cfg->frames = cfg->frames ? cfg->frames : 1024;
	cfg->bytes = cfg->bytes ? cfg->bytes : 1 << 20;
	if (cfg->mtu < MEM_MTU_MIN || cfg->mtu > MEM_LEN_MAX || cfg->gso_max > MEM_LEN_MAX ||
	    cfg->frames > MEM_FRAMES_MAX || cfg->bytes > MEM_BYTES_MAX)
		return -EINVAL;
	largest = TERN_MAX(cfg->mtu, cfg->gso_max) + MEM_ALIGN;
	cfg->bytes = TERN_MAX(cfg->bytes, 2 * largest);
	return 0;
}

int tern_mem_link_new(const struct tern_mem_link_config *cfg, struct tern_link *ret_ends[2])
{
	struct tern_mem_link_config full = *cfg;
	struct end *ends;
	uint32_t slots = 1;
	unsigned int i;

	if (complete(&full) < 0)
		return -EINVAL;
	while (slots < full.frames)
		slots *= 2;
	ends = calloc(2, sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	for (i = 0; i < 2; i++) {
		ends[i] = (struct end){ .link = { .ops = &mem_ops, .caps.mtu = full.mtu },
					.peer = &ends[!i],
					.entries = calloc(slots, sizeof(struct entry)),
					.arena = malloc(full.bytes),
					.mask = slots - 1,
					.max = full.frames,
					.arena_size = full.bytes,
					.gso_max = full.gso_max,
					.csum_offload = full.csum_offload };
	}
	if (!ends[0].entries || !ends[0].arena || !ends[1].entries || !ends[1].arena) {
		free_ends(ends);
		return -ENOMEM;
	}
	(void)mem_offload(&ends[0].link, true);
	ret_ends[0] = &ends[0].link;
	ret_ends[1] = &ends[1].link;
	return 0;
}
