/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/config.c: a configuration checked, and completed by the defaults.
 *
 * Everything that other files take for granted about the configuration is established here: own
 * addresses are addresses of hosts, each once, with zero bytes behind IPv4 ones; an MTU that every
 * family in use can live with; limits that pools and maps can have.
 */
#include <errno.h>

#include "stack/internal.h"

enum {
	MTU_DEFAULT = 1500,
	MTU_MIN = 576,   /* RFC 1122 §3.3.2 */
	MTU_MIN6 = 1280, /* RFC 8200 §5 */
	MTU_MAX = 65535,
	GSO_MAX = 65535 + TERN_IP6_HEADER,
	RECORDS_MAX = 1 << 24,
	FRAGS_LIMIT = 1 << 16,
};

/* May a host have this address? 0.0.0.0/8 and 240.0.0.0/4 name none, nor do mapped addresses. */
static bool is_host(const struct tern_addr *addr)
{
	static const struct tern_addr mapped = { .family = TERN_INET6,
						 .b = { [10] = 0xff, [11] = 0xff } };

	if (tern_addr_is_any(addr) || tern_addr_is_multicast(addr))
		return false;
	if (addr->family == TERN_INET)
		return addr->b[0] != 0 && addr->b[0] < 240;
	return !tern_addr_in_prefix(addr, &mapped, 96);
}

/* Is it the address that its own prefix uses for broadcast? */
static bool is_own_broadcast(const struct tern_prefix *p)
{
	uint32_t hosts = UINT32_MAX >> p->length % 32;

	return p->addr.family == TERN_INET && p->length > 0 && p->length < 31 &&
	       (tern_get_u32(p->addr.b) & hosts) == hosts;
}

int tern_config_complete_addr(struct tern_config *cfg, unsigned int i)
{
	struct tern_prefix *p = &cfg->addrs[i];
	size_t len = tern_addr_len(p->addr.family);

	if (len == 0)
		return -EINVAL;
	p->addr = tern_addr_from_bytes(p->addr.family, p->addr.b);
	if (p->length > len * 8 || !is_host(&p->addr) || is_own_broadcast(p))
		return -EINVAL;
	if (p->addr.family == TERN_INET6 && cfg->mtu < MTU_MIN6)
		return -EINVAL;
	for (unsigned int j = 0; j < i; j++)
		if (tern_addr_eq(&cfg->addrs[j].addr, &p->addr))
			return -EINVAL;
	return 0;
}

static int complete_addrs(struct tern_config *cfg)
{
	int err = 0;

	if (cfg->addr_count == 0 || cfg->addr_count > TERN_ADDRS_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < cfg->addr_count && !err; i++)
		err = tern_config_complete_addr(cfg, i);
	return err;
}

/* Replaces 0 by the default. False when the value is beyond what can be. */
static bool complete(uint32_t *value, uint32_t standard, uint32_t max)
{
	if (!*value)
		*value = standard;
	return *value <= max;
}

int tern_config_complete(const struct tern_config *in, struct tern_config *ret)
{
	struct tern_config cfg = *in;

	if (!complete(&cfg.mtu, MTU_DEFAULT, MTU_MAX) || cfg.mtu < MTU_MIN ||
	    cfg.gso_max > GSO_MAX || !complete(&cfg.conns_max, 65536, RECORDS_MAX) ||
	    !complete(&cfg.halfopens_max, 16384, RECORDS_MAX) ||
	    !complete(&cfg.timewaits_max, 131072, RECORDS_MAX) ||
	    !complete(&cfg.listeners_max, 1024, RECORDS_MAX) ||
	    !complete(&cfg.udps_max, 1024, RECORDS_MAX) ||
	    !complete(&cfg.frags_max, 64, FRAGS_LIMIT) ||
	    !complete(&cfg.trace_max, 0, RECORDS_MAX) || complete_addrs(&cfg) < 0)
		return -EINVAL;
	if (cfg.gso_max <= cfg.mtu)
		cfg.gso_max = 0;
	*ret = cfg;
	return 0;
}
