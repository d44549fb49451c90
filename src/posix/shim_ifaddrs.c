/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_ifaddrs.c: getifaddrs() and freeifaddrs().
 *
 * The list a program gets: the stack's addresses, as of one interface, and behind them what the
 * kernel says about its loopback, which stays the kernel's. It is one block of our own; a list of
 * libc's is told from it by where the first name stands (ours right in front of the first entry).
 */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "posix/shim.h"

struct entry {
	char name[IFNAMSIZ]; /* in front: this is how a block of ours is known */
	struct ifaddrs ifa;
	struct sockaddr_storage addr, netmask, broadcast;
};

TERN_API int tern_shim_getifaddrs(struct ifaddrs **ret_list) __asm__("getifaddrs");
TERN_API void tern_shim_freeifaddrs(struct ifaddrs *list) __asm__("freeifaddrs");

static struct entry *entry_of(struct ifaddrs *ifa)
{
	return (struct entry *)(void *)((char *)ifa - offsetof(struct entry, ifa));
}

static struct sockaddr *keep(struct sockaddr_storage *where, const void *addr, size_t len)
{
	if (len == 0)
		return NULL;
	memcpy(where, addr, len);
	return (struct sockaddr *)where;
}

static void add(struct entry *e, const char *name, unsigned int flags)
{
	tern_shim_copy_ifname(e->name, name);
	e->ifa.ifa_name = e->name;
	e->ifa.ifa_flags = flags;
}

static void add_tern(struct entry *e, const struct tern_posix_ifaddr *a)
{
	add(e, TERN_SHIM_IFNAME, IFF_UP | IFF_RUNNING | IFF_POINTOPOINT | IFF_NOARP);
	e->ifa.ifa_addr = keep(&e->addr, &a->addr, tern_shim_addr_len(a->addr.any.sa_family));
	e->ifa.ifa_netmask =
		keep(&e->netmask, &a->netmask, tern_shim_addr_len(a->netmask.any.sa_family));
	e->ifa.ifa_broadaddr =
		keep(&e->broadcast, &a->broadcast, tern_shim_addr_len(a->broadcast.any.sa_family));
}

static socklen_t inet_len(const struct sockaddr *addr)
{
	return addr ? tern_shim_addr_len(addr->sa_family) : 0;
}

static bool is_lo(const struct ifaddrs *ifa)
{
	return (ifa->ifa_flags & IFF_LOOPBACK) && inet_len(ifa->ifa_addr) != 0;
}

static void add_lo(struct entry *e, const struct ifaddrs *ifa)
{
	add(e, ifa->ifa_name, ifa->ifa_flags);
	e->ifa.ifa_addr = keep(&e->addr, ifa->ifa_addr, inet_len(ifa->ifa_addr));
	e->ifa.ifa_netmask = keep(&e->netmask, ifa->ifa_netmask, inet_len(ifa->ifa_netmask));
}

static int list(struct ifaddrs **ret_list)
{
	struct tern_posix_ifaddr addrs[TERN_SHIM_IFADDRS];
	struct ifaddrs *kernel = NULL, *ifa;
	int count = tern_shim_addresses(addrs), n = 0, all, i;
	struct entry *entries;

	if (count < 0)
		return count;
	if (tern_shim_next.getifaddrs(&kernel) < 0)
		kernel = NULL;
	all = count;
	for (ifa = kernel; ifa; ifa = ifa->ifa_next)
		all += is_lo(ifa);
	entries = calloc(all ? (size_t)all : 1, sizeof(*entries));
	for (; entries && n < count; n++)
		add_tern(&entries[n], &addrs[n]);
	for (ifa = kernel; entries && ifa; ifa = ifa->ifa_next)
		if (is_lo(ifa))
			add_lo(&entries[n++], ifa);
	if (kernel)
		tern_shim_next.freeifaddrs(kernel);
	if (!entries)
		return -ENOMEM;
	for (i = 0; i + 1 < n; i++)
		entries[i].ifa.ifa_next = &entries[i + 1].ifa;
	if (n == 0)
		free(entries);
	*ret_list = n ? &entries->ifa : NULL;
	return 0;
}

int tern_shim_getifaddrs(struct ifaddrs **ret_list)
{
	if (!tern_shim_on())
		return tern_shim_next.getifaddrs(ret_list);
	return tern_shim_result(list(ret_list));
}

void tern_shim_freeifaddrs(struct ifaddrs *list)
{
	if (list && tern_shim_on() && list->ifa_name == entry_of(list)->name)
		free(entry_of(list));
	else
		tern_shim_next.freeifaddrs(list);
}
