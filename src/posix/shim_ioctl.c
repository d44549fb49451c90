/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_ioctl.c: ioctl() on tern's sockets.
 *
 * FIONBIO, FIOASYNC and, of streams, FIONREAD and SIOCATMARK are right as the kernel does them on
 * the pair. What is in flight (SIOCOUTQ, SIOCOUTQNSD) the broker knows. Questions
 * about interfaces are answered with the stack's addresses whatever the interface is called, "lo"
 * apart: a program asks with the name it was configured with, or SIOCGIFCONF's. What the kernel
 * knows of an interface of that name and what is not an address (flags, index, hardware address)
 * is the kernel's; of names it does not know the shim speaks as of a point-to-point link.
 */
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "posix/shim.h"

int tern_shim_addresses(struct tern_posix_ifaddr *ret_addrs)
{
	struct tern_shim_call call = {
		.op = TERN_POSIX_ADDRESSES,
		.ret = ret_addrs,
		.ret_max = TERN_SHIM_IFADDRS * sizeof(*ret_addrs),
	};
	int done = tern_shim_call(&call);

	return done < 0 ? done : (int)(call.ret_len / sizeof(*ret_addrs));
}

void tern_shim_copy_ifname(char *ret_name, const char *name)
{
	unsigned int i;

	for (i = 0; i < IFNAMSIZ - 1 && name[i]; i++)
		ret_name[i] = name[i];
	ret_name[i] = '\0';
}

static void put_in(struct sockaddr *where, const union tern_posix_addr *addr)
{
	memset(where, 0, sizeof(*where));
	memcpy(where, addr, sizeof(addr->in));
}

static union tern_posix_addr in_addr_of(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	union tern_posix_addr addr = { .in.sin_family = AF_INET };
	uint8_t bytes[4] = { a, b, c, d };

	memcpy(&addr.in.sin_addr, bytes, sizeof(bytes));
	return addr;
}

/* The stack's first IPv4 address, or the loopback's. 0, -EADDRNOTAVAIL, -ENETDOWN. */
static int first_in(const char *name, struct tern_posix_ifaddr *ret_addr)
{
	struct tern_posix_ifaddr addrs[TERN_SHIM_IFADDRS];
	int count, i;

	if (strncmp(name, "lo", IFNAMSIZ) == 0) {
		memset(ret_addr, 0, sizeof(*ret_addr));
		ret_addr->addr = ret_addr->broadcast = in_addr_of(127, 0, 0, 1);
		ret_addr->netmask = in_addr_of(255, 0, 0, 0);
		ret_addr->mtu = 65536;
		return 0;
	}
	count = tern_shim_addresses(addrs);
	if (count < 0)
		return count;
	for (i = 0; i < count; i++) {
		if (addrs[i].addr.any.sa_family == AF_INET) {
			*ret_addr = addrs[i];
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}

/* SIOCGIFADDR and its like. */
static int interface(int fd, unsigned long request, struct ifreq *ifr)
{
	struct tern_posix_ifaddr a;
	int done = first_in(ifr->ifr_name, &a);

	if (request == SIOCGIFFLAGS || request == SIOCGIFINDEX || request == SIOCGIFHWADDR) {
		if (TERN_SHIM_SYS3(SYS_ioctl, fd, request, ifr) >= 0)
			return 0;
	} else if (done < 0) {
		return done;
	}
	switch (request) {
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
		put_in(&ifr->ifr_addr, &a.addr);
		return 0;
	case SIOCGIFNETMASK:
		put_in(&ifr->ifr_netmask, &a.netmask);
		return 0;
	case SIOCGIFBRDADDR:
		put_in(&ifr->ifr_broadaddr, &a.broadcast);
		return 0;
	case SIOCGIFMTU:
		ifr->ifr_mtu = (int)a.mtu;
		return 0;
	case SIOCGIFFLAGS:
		ifr->ifr_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT | IFF_NOARP;
		return 0;
	case SIOCGIFINDEX:
		ifr->ifr_ifindex = 2;
		return 0;
	default: /* SIOCGIFHWADDR */
		memset(&ifr->ifr_hwaddr, 0, sizeof(ifr->ifr_hwaddr));
		ifr->ifr_hwaddr.sa_family = ARPHRD_NONE;
		return 0;
	}
}

static void add_interface(struct ifconf *conf, int room, const char *name,
			  const union tern_posix_addr *addr)
{
	struct ifreq ifr = { 0 };

	tern_shim_copy_ifname(ifr.ifr_name, name);
	put_in(&ifr.ifr_addr, addr);
	/* without a buffer the question is how long it should be */
	if (conf->ifc_buf && conf->ifc_len + (int)sizeof(ifr) > room)
		return;
	if (conf->ifc_buf)
		memcpy(conf->ifc_buf + conf->ifc_len, &ifr, sizeof(ifr));
	conf->ifc_len += (int)sizeof(ifr);
}

static int configuration(struct ifconf *conf)
{
	struct tern_posix_ifaddr addrs[TERN_SHIM_IFADDRS];
	union tern_posix_addr lo = in_addr_of(127, 0, 0, 1);
	int count = tern_shim_addresses(addrs), room = conf->ifc_len, i;

	if (count < 0)
		return count;
	conf->ifc_len = 0;
	add_interface(conf, room, "lo", &lo);
	for (i = 0; i < count; i++)
		if (addrs[i].addr.any.sa_family == AF_INET)
			add_interface(conf, room, TERN_SHIM_IFNAME, &addrs[i].addr);
	return 0;
}

/* Any but these is the kernel's to answer. */
static bool is_ours(unsigned long request)
{
	switch (request) {
	case FIONREAD:
	case SIOCOUTQ:
	case SIOCOUTQNSD:
	case SIOCATMARK:
	case SIOCGIFCONF:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
	case SIOCGIFMTU:
	case SIOCGIFFLAGS:
	case SIOCGIFINDEX:
	case SIOCGIFHWADDR:
		return true;
	default:
		return false;
	}
}

static int answer(int fd, const struct tern_shim_sock *sock, unsigned long request, void *arg)
{
	struct tern_shim_call call = { .op = TERN_POSIX_OUTQ };
	int done;

	switch (request) {
	case FIONREAD:
		if (tern_shim_marked(fd, TERN_SHIM_MARK_LISTENING))
			return -EINVAL;
		if (sock->type == SOCK_STREAM)
			return (int)TERN_SHIM_SYS3(SYS_ioctl, fd, request, arg);
		*(int *)arg = tern_shim_dgram_size(fd);
		return 0;
	case SIOCATMARK:
		if (sock->type != SOCK_STREAM)
			return -ENOTTY;
		/* pairs of a kernel without urgent data have no mark */
		if (TERN_SHIM_SYS3(SYS_ioctl, fd, request, arg) < 0)
			*(int *)arg = 0;
		return 0;
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		if (request == SIOCOUTQNSD && sock->type != SOCK_STREAM)
			return -ENOTTY;
		call.args[0] = request == SIOCOUTQNSD;
		done = tern_shim_ask(fd, sock, &call);
		if (done < 0)
			return done;
		*(int *)arg = done;
		return 0;
	case SIOCGIFCONF:
		return configuration(arg);
	default:
		return interface(fd, request, arg);
	}
}

/*
 * ioctl() is variadic to its callers; on the machines we build for, one more argument of a word
 * comes the same way.
 */
int tern_shim_ioctl(int fd, unsigned long request, void *arg)
{
	struct tern_shim_sock sock;

	if (TERN_LIKELY(!is_ours(request)) || !tern_shim_find(fd, &sock))
		return tern_shim_next.ioctl(fd, request, arg);
	if (!arg)
		return tern_shim_result(-EFAULT);
	return tern_shim_result(answer(fd, &sock, request, arg));
}
