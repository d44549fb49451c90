/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/setup.c: from the words of a configuration to a link, addresses and knobs, and to one line
 * that says what was wrong with them.
 *
 * The kernel's end of a TUN device gets, for each own prefix of the stack, an address of its own:
 * the first peer that lies in the prefix; else the first peer of that family, as a point-to-point
 * pair; else the first free host address of the prefix. The address brings the route to the stack
 * with it. An address that a device of this host has already cannot be the stack's as well.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"
#include "host/host.h"
#include "link/fault.h"
#include "link/mem.h"
#include "link/netdev.h"
#include "link/tun.h"

enum {
	KNOB_NAME_MAX = 128,
	WORD_MAX = 64,   /* what of a user's word is shown in an error */
	MTU_MIN6 = 1280, /* RFC 8200 §5 */
};

/* "10.77.0.2/24": 0 or -EINVAL. */
static int read_prefix(const char *text, struct tern_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char addr[TERN_TEXT_ADDR_MAX];
	uint64_t length;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (tern_addr_parse(addr, &ret->addr) < 0 || tern_text_parse_u64(slash + 1, &length) < 0 ||
	    length > 8 * tern_addr_len(ret->addr.family) || length == 0)
		return -EINVAL;
	ret->length = (uint8_t)length;
	return 0;
}

/* May a stack have this address in this prefix? The rules of stack/config.c. */
static bool is_host_address(const struct tern_prefix *own)
{
	static const struct tern_addr mapped = { .family = TERN_INET6,
						 .b = { [10] = 0xff, [11] = 0xff } };
	const struct tern_addr *addr = &own->addr;
	uint32_t hosts = UINT32_MAX >> own->length % 32, v4 = tern_get_u32(addr->b);

	if (tern_addr_is_any(addr) || tern_addr_is_multicast(addr) || tern_addr_is_loopback(addr))
		return false;
	if (addr->family == TERN_INET6)
		return !tern_addr_in_prefix(addr, &mapped, 96);
	return addr->b[0] != 0 && addr->b[0] < 240 && (own->length >= 31 || (v4 & hosts) != hosts);
}

/* What is wrong with the i-th own address among those before it? 0, or -EINVAL and why. */
static int check_own(const struct tern_host_config *cfg, const struct tern_prefix *addrs,
		     unsigned int i, char *error)
{
	if (!is_host_address(&addrs[i]))
		return tern_host_fail(error, -EINVAL,
				      "'%.*s' cannot be a host's own address; "
				      "take a unicast one, as 10.77.0.2/24",
				      WORD_MAX, cfg->addrs[i]);
	if (addrs[i].addr.family == TERN_INET6 && cfg->mtu && cfg->mtu < MTU_MIN6)
		return tern_host_fail(error, -EINVAL, "an MTU of %u is too small for IPv6; take %d",
				      cfg->mtu, MTU_MIN6);
	for (unsigned int j = 0; j < i; j++)
		if (tern_addr_eq(&addrs[j].addr, &addrs[i].addr))
			return tern_host_fail(error, -EINVAL,
					      "'%.*s' is given twice; once is enough", WORD_MAX,
					      cfg->addrs[i]);
	return 0;
}

int tern_host_addresses(const struct tern_host_config *cfg, struct tern_config *stack_cfg,
			char *error)
{
	if (cfg->addr_count < 1 || cfg->addr_count > TERN_ADDRS_MAX)
		return tern_host_fail(error, -EINVAL,
				      "%u own addresses; a stack has 1 to %d, as 10.77.0.2/24",
				      cfg->addr_count, TERN_ADDRS_MAX);
	for (unsigned int i = 0; i < cfg->addr_count; i++) {
		struct tern_prefix *own = &stack_cfg->addrs[i];
		const char *text = cfg->addrs[i];
		int err;

		if (read_prefix(text, own) < 0)
			return tern_host_fail(error, -EINVAL,
					      "'%.*s' is not an address with its prefix length; "
					      "write it as 10.77.0.2/24 or fd00::2/64",
					      WORD_MAX, text);
		err = check_own(cfg, stack_cfg->addrs, i, error);
		if (err)
			return err;
	}
	stack_cfg->addr_count = cfg->addr_count;
	return 0;
}

int tern_host_sysctls(const struct tern_host_config *cfg, struct tern_stack *st, uint64_t now,
		      char *error)
{
	for (unsigned int i = 0; i < cfg->sysctl_count; i++) {
		const char *text = cfg->sysctls[i];
		const char *equals = strchr(text, '=');
		char name[KNOB_NAME_MAX];
		size_t len = equals ? (size_t)(equals - text) : 0;
		int err;

		if (len == 0 || len >= sizeof(name))
			return tern_host_fail(error, -EINVAL,
					      "'%.*s' is not a sysctl setting; write it as "
					      "net.ipv4.tcp_fin_timeout=30",
					      WORD_MAX, text);
		memcpy(name, text, len);
		name[len] = '\0';
		err = tern_stack_knob(st, now, name, equals + 1);
		if (err == -ENOENT)
			return tern_host_fail(error, -EINVAL, "there is no sysctl '%.*s'", WORD_MAX,
					      name);
		if (err)
			return tern_host_fail(error, -EINVAL, "sysctl %s does not take '%.*s': %s",
					      name, WORD_MAX, equals + 1,
					      err == -ERANGE ? "out of its range"
					      : err == -EDOM ? "write the lower port first"
							     : "not what it wants");
	}
	return 0;
}

/* A link that leads nowhere: one end of a pair whose other end is gone. */
static int open_none(const struct tern_host_config *cfg, struct tern_link **ret_link, char *error)
{
	struct tern_mem_link_config mem_cfg = { .mtu = cfg->mtu };
	struct tern_link *ends[2];
	int err;

	if (cfg->peer_count)
		return tern_host_fail(error, -EINVAL,
				      "a peer address is the kernel's end of a TUN device, which "
				      "--link none has not; take --link tun:NAME, or no --peer");
	err = tern_mem_link_new(&mem_cfg, ends);
	if (err == -EINVAL)
		return tern_host_fail(error, err, "an MTU of %u cannot be; 576 to 65535", cfg->mtu);
	if (err)
		return tern_host_fail(error, err, "cannot make a link: %s", strerror(-err));
	tern_link_close(ends[1]);
	*ret_link = ends[0];
	return 0;
}

static int open_tun(const char *name, uint32_t mtu, struct tern_link **ret_link, char *error)
{
	struct tern_tun_config cfg = { .name = *name ? name : NULL, .mtu = mtu };
	const char *stage, *why;
	int err = tern_tun_open(&cfg, ret_link, &stage);

	if (!err)
		return 0;
	why = tern_tun_explain(stage, err);
	(void)tern_host_fail(error, err, "cannot open TUN device '%.*s': %s", WORD_MAX, name,
			     why ? why : strerror(-err));
	if (err == -ENOENT || err == -ENXIO)
		return -ENODEV;
	return err == -EACCES ? -EPERM : err;
}

static int add_fault(const char *spec, struct tern_link **link, char *error)
{
	struct tern_fault_config cfg;
	const char *at, *why;
	struct tern_link *bad;
	int err = tern_fault_parse(spec, &cfg, &at, &why);

	if (err)
		return tern_host_fail(error, -EINVAL, "fault '%.*s': at '%.*s': %s", WORD_MAX, spec,
				      WORD_MAX, at, why);
	err = tern_fault_new(*link, &cfg, &bad);
	if (err == -EINVAL)
		return tern_host_fail(
			error, err, "fault '%.*s': a rate is above 100 %%, or a time above an hour",
			WORD_MAX, spec);
	if (err)
		return tern_host_fail(error, err, "cannot put a fault on the link: %s",
				      strerror(-err));
	*link = bad;
	return 0;
}

int tern_host_open_link(const struct tern_host_config *cfg, struct tern_link **ret_link,
			char device[16], char *error)
{
	const char *spec = cfg->link ? cfg->link : "tun:tern0";
	struct tern_link *link;
	int err;

	if (strcmp(spec, "none") == 0)
		err = open_none(cfg, &link, error);
	else if (strncmp(spec, "tun:", 4) == 0)
		err = open_tun(spec + 4, cfg->mtu, &link, error);
	else
		err = tern_host_fail(error, -EINVAL,
				     "there is no link '%.*s'; links are tun:NAME and none",
				     WORD_MAX, spec);
	if (err)
		return err;
	if (tern_tun_name(link))
		(void)snprintf(device, 16, "%s", tern_tun_name(link));
	err = cfg->fault && cfg->fault[0] ? add_fault(cfg->fault, &link, error) : 0;
	if (err)
		tern_link_close(link);
	else
		*ret_link = link;
	return err;
}

/* -EADDRINUSE where a device of this host has the address. */
static int check_free(const struct tern_addr *addr, const char *device, char *error)
{
	char text[TERN_TEXT_ADDR_MAX], holder[TERN_NETDEV_NAME_MAX];
	struct tern_text t;

	if (tern_netdev_find_address(addr, holder) < 0 || strcmp(holder, device) == 0)
		return 0;
	tern_text_init(&t, text, sizeof(text));
	tern_text_addr(&t, addr);
	return tern_host_fail(error, -EADDRINUSE,
			      "address %s is taken: this host's device %s has it; take another",
			      text, holder);
}

static bool has_family(const struct tern_config *stack_cfg, uint8_t family)
{
	for (unsigned int i = 0; i < stack_cfg->addr_count; i++)
		if (stack_cfg->addrs[i].addr.family == family)
			return true;
	return false;
}

/* The configured peers, read. */
static int read_peers(const struct tern_host_config *cfg, const struct tern_config *stack_cfg,
		      struct tern_addr *peers, char *error)
{
	if (cfg->peer_count > TERN_ADDRS_MAX)
		return tern_host_fail(error, -EINVAL, "%u peer addresses; at most %d",
				      cfg->peer_count, TERN_ADDRS_MAX);
	for (unsigned int i = 0; i < cfg->peer_count; i++) {
		if (tern_addr_parse(cfg->peers[i], &peers[i]) < 0 || tern_addr_is_any(&peers[i]) ||
		    tern_addr_is_multicast(&peers[i]))
			return tern_host_fail(error, -EINVAL,
					      "'%.*s' is not a peer address; write it as 10.77.0.1",
					      WORD_MAX, cfg->peers[i]);
		if (!has_family(stack_cfg, peers[i].family))
			return tern_host_fail(error, -EINVAL,
					      "the stack has no address of the family of peer "
					      "'%.*s'; give it one",
					      WORD_MAX, cfg->peers[i]);
	}
	return 0;
}

/* The kernel's address for an own prefix. *ret_pair: it lies outside of the prefix. */
static int choose_peer(const struct tern_prefix *own, const struct tern_addr *peers, unsigned int n,
		       struct tern_addr *ret_peer, bool *ret_pair)
{
	const struct tern_addr *found = NULL;

	*ret_pair = own->length == 8 * tern_addr_len(own->addr.family);
	for (unsigned int i = 0; i < n && !*ret_pair; i++)
		if (tern_addr_in_prefix(&peers[i], &own->addr, own->length)) {
			*ret_peer = peers[i];
			return 0;
		}
	for (unsigned int i = 0; i < n && !found; i++)
		if (peers[i].family == own->addr.family)
			found = &peers[i];
	if (!found)
		return tern_netdev_default_peer(own, ret_peer);
	*ret_pair = true;
	*ret_peer = *found;
	return 0;
}

static int add_peer(const struct tern_prefix *own, const struct tern_addr *peers, unsigned int n,
		    const char *device, char *error)
{
	struct tern_prefix kernel;
	const char *stage, *why;
	bool pair;
	int err = choose_peer(own, peers, n, &kernel.addr, &pair);

	if (err)
		return tern_host_fail(error, -EINVAL,
				      "a prefix of %u bits has no room for the kernel's end of %s; "
				      "name its address (--peer)",
				      own->length, device);
	if (tern_addr_eq(&kernel.addr, &own->addr))
		return tern_host_fail(error, -EINVAL,
				      "the stack and the kernel's end of %s cannot have the same "
				      "address; take two",
				      device);
	err = check_free(&kernel.addr, device, error);
	if (err)
		return err;
	kernel.length = pair ? (uint8_t)(8 * tern_addr_len(own->addr.family)) : own->length;
	err = tern_netdev_add_address(device, &kernel, pair ? &own->addr : NULL, &stage);
	if (!err)
		return 0;
	why = tern_tun_explain(stage, err);
	return tern_host_fail(error, err, "cannot give device %s its address: %s", device,
			      why ? why : strerror(-err));
}

int tern_host_set_up_device(const struct tern_host_config *cfg, const struct tern_config *stack_cfg,
			    const char *device, char *error)
{
	struct tern_addr peers[TERN_ADDRS_MAX];
	const char *stage, *why;
	int err = read_peers(cfg, stack_cfg, peers, error);

	for (unsigned int i = 0; i < stack_cfg->addr_count && !err; i++)
		err = check_free(&stack_cfg->addrs[i].addr, device, error);
	if (err)
		return err;
	err = tern_netdev_up(device, stack_cfg->mtu, &stage);
	if (err) {
		why = tern_tun_explain(stage, err);
		return tern_host_fail(error, err, "cannot bring device %s up: %s", device,
				      why ? why : strerror(-err));
	}
	for (unsigned int i = 0; i < stack_cfg->addr_count && !err; i++)
		err = add_peer(&stack_cfg->addrs[i], peers, cfg->peer_count, device, error);
	return err;
}
