/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/path.c: the little that is remembered about destinations outside of connections: the MTU of
 * the path, for datagrams, and how many ICMP errors may still be sent there.
 *
 * A fixed table, one slot for each value of a keyed hash of the address: nothing to allocate,
 * nothing to search, and nobody outside knows who shares a slot with whom. The two tenants of a
 * slot differ:
 *
 *	allowance	belongs to the slot: destinations that meet in one share it. It is kept as
 *			time: it grows as the clock does, an answer costs icmp_ratelimit, and six
 *			answers are the most that can be saved up (Linux' XRLIM_BURST_FACTOR).
 *	path MTU	belongs to the address that stands in the slot; whoever learns one last has
 *			the slot. It only ever goes down, to FLOOR4 or FLOOR6 at least (RFC 5927
 *			§7.2, RFC 8201 §4), and is forgotten after ten minutes (RFC 1191 §6.3), or
 *			when TCP doubts the way (tcp/doubt.h).
 *
 * The limit of all answers together is a bucket of half answers, of which each answer takes one,
 * two or three by chance: with a fixed price, who shares the limit could count what others had used
 * up, and find out open ports of resolvers by that (CVE-2020-25705).
 */
#include "base/siphash.h"
#include "stack/internal.h"

enum {
	SLOTS = 256,
	FLOOR4 = 552, /* net.ipv4.route.min_pmtu */
	FLOOR6 = 1280,
	BURST_FACTOR = 6,
	GLOBAL_BURST = 50, /* net.ipv4.icmp_msgs_burst */
	MS_NS = 1000000,
};

#define MTU_LIFE_NS (600 * UINT64_C(1000000000))

struct path {
	struct tern_addr addr; /* whose MTU it is */
	uint16_t mtu;          /* 0: not known to be smaller than the link's */
	uint64_t mtu_until_ns;
	uint64_t spent_ns; /* allowance missing below full */
	uint64_t stamp_ns; /* when that was so */
};

struct tern_paths {
	uint64_t until_ns; /* from then on no MTU is known that was learned so far */
	struct path slots[SLOTS];
};

struct tern_paths *tern_paths_new(struct tern_mem *mem)
{
	return tern_mem_alloc(mem, sizeof(struct tern_paths));
}

void tern_paths_free(struct tern_mem *mem, struct tern_paths *paths)
{
	tern_mem_free(mem, paths, sizeof(*paths));
}

static struct path *path_of(const struct tern_stack *st, const struct tern_addr *dest)
{
	uint64_t w[3] = { 0, 0, dest->family };

	memcpy(w, dest->b, 16);
	return &st->paths->slots[tern_siphash13_words(st->icmp_key, w, 3) % SLOTS];
}

uint32_t tern_path_mtu(const struct tern_stack *st, const struct tern_addr *dest)
{
	const struct path *p;

	if (st->paths->until_ns <= st->tcp.now)
		return st->cfg.mtu;
	p = path_of(st, dest);
	/* RFC9293:MUST-20 */
	if (tern_doubted_since(&st->tcp.doubts, dest, p->mtu_until_ns - MTU_LIFE_NS))
		return st->cfg.mtu;
	if (p->mtu && p->mtu_until_ns > st->tcp.now && tern_addr_eq(&p->addr, dest))
		return TERN_MIN((uint32_t)p->mtu, st->cfg.mtu);
	return st->cfg.mtu;
}

void tern_path_lower(struct tern_stack *st, const struct tern_addr *dest, uint32_t mtu)
{
	struct path *p = path_of(st, dest);
	uint32_t floor = dest->family == TERN_INET ? FLOOR4 : FLOOR6;

	mtu = TERN_MAX(mtu, floor);
	if (mtu >= tern_path_mtu(st, dest))
		return;
	p->addr = *dest;
	p->mtu = (uint16_t)mtu;
	p->mtu_until_ns = st->tcp.now + MTU_LIFE_NS;
	st->paths->until_ns = p->mtu_until_ns;
}

/* Takes one answer out of the allowance of a destination. */
static bool path_take(struct path *p, uint64_t now, uint64_t price_ns)
{
	uint64_t passed = now - p->stamp_ns;

	p->spent_ns -= TERN_MIN(p->spent_ns, passed);
	p->stamp_ns = now;
	if (price_ns && p->spent_ns + price_ns > BURST_FACTOR * price_ns)
		return false;
	p->spent_ns += price_ns;
	return true;
}

bool tern_path_may_answer(struct tern_stack *st, const struct tern_addr *dest)
{
	uint32_t rate = 2 * st->knobs.icmp_msgs_per_sec, price = 1 + tern_rng_below(&st->rng, 3);

	if (tern_route_is_local(st, dest))
		return true;
	if (!path_take(path_of(st, dest), st->tcp.now,
		       (uint64_t)st->knobs.icmp_ratelimit * MS_NS) ||
	    rate == 0)
		return false;
	while (price--)
		if (!tern_bucket_take(&st->icmp_bucket, st->tcp.now, rate, 2 * GLOBAL_BURST))
			return false;
	return true;
}
