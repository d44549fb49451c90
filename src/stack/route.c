/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/route.c: which addresses are ours, which are no host's, and which of ours to speak from.
 *
 * There is one link, so there is no table: what is ours stays inside, everything else goes out.
 * Loopback addresses are ours only where the configuration has them; otherwise nothing can be sent
 * to them, since they must never appear on a link (RFC 1122 §3.2.1.3 g, RFC 4291 §2.5.3).
 *
 * Source addresses (RFC 6724 §5, as far as one link with fixed addresses needs it): the destination
 * itself if it is ours (rule 1); of the same scope, which in IPv6 keeps link-local addresses to
 * link-local destinations and away from others (rule 2); then the longest prefix in common, counted
 * up to the length of the own prefix (rule 8); then the first configured.
 */
#include <errno.h>

#include "stack/internal.h"

static void take_own(struct tern_stack *st, const struct tern_addr *addr)
{
	if (addr->family == TERN_INET)
		memcpy(&st->own4[st->own4_count++], addr->b, sizeof(st->own4[0]));
	else
		st->ipv6 = true;
}

void tern_route_init(struct tern_stack *st)
{
	for (unsigned int i = 0; i < st->cfg.addr_count; i++)
		take_own(st, &st->cfg.addrs[i].addr);
}

int tern_stack_add_address(struct tern_stack *st, uint64_t now, const struct tern_prefix *own)
{
	unsigned int i = st->cfg.addr_count;
	int err;

	tern_tcp_set_now(&st->tcp, now);
	if (tern_route_is_local(st, &own->addr))
		return 0;
	if (own->addr.family == TERN_INET6 && !st->ipv6)
		return -EAFNOSUPPORT;
	if (i == TERN_ADDRS_MAX)
		return -ENOSPC;
	st->cfg.addrs[i] = *own;
	err = tern_config_complete_addr(&st->cfg, i);
	if (err)
		return err;
	st->cfg.addr_count++;
	take_own(st, &st->cfg.addrs[i].addr);
	/* What was found out about addresses may no longer be so. */
	st->good_source = st->good_dest = st->dest_source = (struct tern_addr){ 0 };
	st->run = (struct tern_run){ 0 };
	return 0;
}

/* All ones behind the prefix; a prefix of 31 or 32 bits has no broadcast address (RFC 3021). */
static bool is_broadcast_of(const struct tern_prefix *prefix, const struct tern_addr *addr)
{
	uint32_t hosts = UINT32_MAX >> prefix->length % 32;

	if (prefix->addr.family != TERN_INET || prefix->length == 0 || prefix->length > 30)
		return false;
	return tern_get_u32(addr->b) == (tern_get_u32(prefix->addr.b) | hosts);
}

bool tern_route_is_broadcast(const struct tern_stack *st, const struct tern_addr *addr)
{
	if (addr->family != TERN_INET)
		return false;
	if (tern_addr_is_v4_broadcast(addr))
		return true;
	for (unsigned int i = 0; i < st->cfg.addr_count; i++)
		if (is_broadcast_of(&st->cfg.addrs[i], addr))
			return true;
	return false;
}

/* 0.0.0.0/8, "this network" (RFC 1122 §3.2.1.3 a, b); ::ffff:0:0/96, which is only for programs. */
static bool is_no_source(const struct tern_addr *addr)
{
	static const struct tern_addr mapped = { .family = TERN_INET6,
						 .b = { [10] = 0xff, [11] = 0xff } };

	if (addr->family == TERN_INET)
		return addr->b[0] == 0;
	return tern_addr_is_any(addr) || tern_addr_in_prefix(addr, &mapped, 96);
}

bool tern_route_is_martian(const struct tern_stack *st, const struct tern_addr *source)
{
	return tern_addr_is_multicast(source) || is_no_source(source) ||
	       tern_addr_is_loopback(source) || tern_route_is_broadcast(st, source) ||
	       tern_route_is_local(st, source);
}

/* Number of leading bits that two addresses of one family share, max at most. */
static unsigned int common_bits(const struct tern_addr *a, const struct tern_addr *b,
				unsigned int max)
{
	unsigned int n = 0;

	while (n < max && a->b[n / 8] == b->b[n / 8])
		n += 8;
	if (n < max)
		n += (unsigned int)__builtin_clz((unsigned int)(a->b[n / 8] ^ b->b[n / 8])) - 24;
	return TERN_MIN(n, max);
}

/* Is the destination, unicast or multicast, one of the link only (RFC 4291 §2.5.6, §2.7)? */
static bool is_link_scope(const struct tern_addr *dest)
{
	return tern_addr_is_linklocal6(dest) ||
	       (dest->family == TERN_INET6 && dest->b[0] == 0xff && (dest->b[1] & 15) == 2);
}

int tern_route_source(const struct tern_stack *st, const struct tern_addr *dest,
		      struct tern_addr *ret_source)
{
	const struct tern_prefix *best = NULL;

	if (tern_route_is_local(st, dest)) {
		*ret_source = *dest;
		return 0;
	}
	if (dest->family == TERN_INET6 && !st->ipv6)
		return -EADDRNOTAVAIL; /* as Linux without a single IPv6 address */
	if (tern_addr_is_any(dest) || tern_addr_is_loopback(dest))
		return -ENETUNREACH;
	for (unsigned int i = 0; i < st->cfg.addr_count; i++) {
		const struct tern_prefix *p = &st->cfg.addrs[i];

		if (p->addr.family != dest->family || tern_addr_is_loopback(&p->addr) ||
		    tern_addr_is_linklocal6(&p->addr) != is_link_scope(dest))
			continue;
		if (!best || common_bits(&p->addr, dest, p->length) >
				     common_bits(&best->addr, dest, best->length))
			best = p;
	}
	if (!best)
		return -ENETUNREACH;
	*ret_source = best->addr;
	return 0;
}
