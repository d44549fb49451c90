/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/netdev.c: rtnetlink, as much as a TUN device needs.
 *
 * One request, one answer: each call opens a socket, sends one message with NLM_F_ACK and reads the
 * error code of the reply. A request is built in a fixed buffer; attributes are appended with their
 * 4-byte alignment, nested ones by patching the length afterwards.
 *
 * Silence. A TUN device is IFF_NOARP, so the kernel does no duplicate address detection on it. What
 * would remain is router solicitation (needs a link-local address: addr_gen_mode none, set before
 * the device comes up, gives it none) and multicast reports (clearing IFF_MULTICAST ends them).
 *
 * Readiness. The kernel acknowledges a new IPv6 address before it takes packets to it: the route to
 * itself comes from a work queue a moment later, and a SYN that is quicker is lost. So adding an
 * address ends when the kernel says that the address is local.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "link/netdev.h"

enum { NETDEV_TRIES = 1000 }; /* of 1 ms */

_Static_assert(TERN_NETDEV_NAME_MAX == IFNAMSIZ, "names of devices");

struct request {
	union {
		struct nlmsghdr nlh;
		uint8_t bytes[256];
	};
};

static void *request_init(struct request *req, uint16_t type, uint16_t flags, size_t body)
{
	memset(req, 0, sizeof(*req));
	req->nlh.nlmsg_type = type;
	req->nlh.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	req->nlh.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	return NLMSG_DATA(&req->nlh);
}

/* Appends an attribute (all that is asked for here fits). Returns it, for a nest to be ended. */
static struct rtattr *request_add(struct request *req, uint16_t type, const void *data, size_t len)
{
	struct rtattr *rta =
		(struct rtattr *)(void *)(req->bytes + NLMSG_ALIGN(req->nlh.nlmsg_len));

	rta->rta_type = type;
	rta->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(rta), data, len);
	req->nlh.nlmsg_len = (uint32_t)(NLMSG_ALIGN(req->nlh.nlmsg_len) + RTA_ALIGN(rta->rta_len));
	return rta;
}

static void request_end(struct request *req, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)(req->bytes + req->nlh.nlmsg_len - (uint8_t *)nest);
}

struct reply {
	struct nlmsghdr nlh;
	union {
		struct nlmsgerr err;
		struct rtmsg rtm;
		uint8_t more[512];
	};
};

/* Sends the request and takes the first message of the answer. 0 or a negative errno. */
static int exchange(const struct request *req, struct reply *reply)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t len;
	int err = 0;

	if (fd < 0)
		return -errno;
	memset(reply, 0, sizeof(*reply));
	if (send(fd, req, req->nlh.nlmsg_len, 0) < 0) {
		err = -errno;
	} else {
		do {
			len = recv(fd, reply, sizeof(*reply), 0);
		} while (len < 0 && errno == EINTR);
		if (len < 0)
			err = -errno;
		else if ((size_t)len < NLMSG_LENGTH(sizeof(reply->rtm)))
			err = -EPROTO;
	}
	(void)close(fd);
	return err;
}

/* The kernel's verdict on a request: 0 or a negative errno. */
static int request_run(const struct request *req)
{
	struct reply reply;
	int err = exchange(req, &reply);

	if (err < 0)
		return err;
	return reply.nlh.nlmsg_type == NLMSG_ERROR ? reply.err.error : -EPROTO;
}

/* Flags and MTU as they are. 0 or a negative errno. */
static int link_state(const char *name, unsigned int *ret_flags, uint32_t *ret_mtu)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0) {
		err = -errno;
	} else {
		*ret_flags = (unsigned short)ifr.ifr_flags;
		if (ioctl(fd, SIOCGIFMTU, &ifr) < 0)
			err = -errno;
		else
			*ret_mtu = (uint32_t)ifr.ifr_mtu;
	}
	(void)close(fd);
	return err;
}

/* Index of a device, or -ENODEV. */
static int find(const char *name, const char **ret_stage)
{
	unsigned int index = strlen(name) < IFNAMSIZ ? if_nametoindex(name) : 0;

	*ret_stage = "find device";
	return index ? (int)index : -ENODEV;
}

static int set_mtu(int index, uint32_t mtu)
{
	struct request req;
	struct ifinfomsg *ifi = request_init(&req, RTM_NEWLINK, 0, sizeof(*ifi));

	ifi->ifi_index = index;
	(void)request_add(&req, IFLA_MTU, &mtu, sizeof(mtu));
	return request_run(&req);
}

/* No link-local address of its own. A kernel without IPv6 needs none of this. */
static void silence_v6(int index)
{
	struct request req;
	struct ifinfomsg *ifi = request_init(&req, RTM_NEWLINK, 0, sizeof(*ifi));
	struct rtattr *spec, *inet6;
	uint8_t none = 1; /* IN6_ADDR_GEN_MODE_NONE */

	ifi->ifi_index = index;
	spec = request_add(&req, IFLA_AF_SPEC, NULL, 0);
	inet6 = request_add(&req, AF_INET6, NULL, 0);
	(void)request_add(&req, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof(none));
	request_end(&req, inet6);
	request_end(&req, spec);
	(void)request_run(&req);
}

static int bring_up(int index)
{
	struct request req;
	struct ifinfomsg *ifi = request_init(&req, RTM_NEWLINK, 0, sizeof(*ifi));

	ifi->ifi_index = index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP | IFF_MULTICAST;
	return request_run(&req);
}

int tern_netdev_up(const char *name, uint32_t mtu, const char **ret_stage)
{
	int index = find(name, ret_stage);
	unsigned int flags = 0;
	uint32_t mtu_now = 0;
	int err;

	if (index < 0)
		return index;
	err = link_state(name, &flags, &mtu_now);
	if (err < 0)
		return err;
	*ret_stage = "set MTU";
	if (mtu_now != mtu) {
		err = set_mtu(index, mtu);
		if (err < 0)
			return err;
	}
	*ret_stage = "set up";
	if (flags & IFF_UP)
		return 0;
	silence_v6(index);
	return bring_up(index);
}

/* Would the kernel take a packet to this address for its own? */
static bool is_local(const struct tern_addr *addr)
{
	size_t len = tern_addr_len(addr->family);
	struct request req;
	struct reply reply;
	struct rtmsg *rtm = request_init(&req, RTM_GETROUTE, 0, sizeof(*rtm));

	req.nlh.nlmsg_flags = NLM_F_REQUEST;
	rtm->rtm_family = addr->family == TERN_INET ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = (uint8_t)(8 * len);
	(void)request_add(&req, RTA_DST, addr->b, len);
	return exchange(&req, &reply) == 0 && reply.nlh.nlmsg_type == RTM_NEWROUTE &&
	       reply.rtm.rtm_type == RTN_LOCAL;
}

int tern_netdev_add_address(const char *name, const struct tern_prefix *local,
			    const struct tern_addr *remote, const char **ret_stage)
{
	size_t len = tern_addr_len(local->addr.family);
	int index = find(name, ret_stage);
	struct request req;
	struct ifaddrmsg *ifa;
	unsigned int tries;
	int err;

	if (index < 0)
		return index;
	*ret_stage = "add address";
	if (!len || local->length > 8 * len || tern_addr_is_multicast(&local->addr) ||
	    (remote && remote->family != local->addr.family))
		return -EINVAL;
	ifa = request_init(&req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifa));
	ifa->ifa_family = local->addr.family == TERN_INET ? AF_INET : AF_INET6;
	ifa->ifa_prefixlen = remote ? (uint8_t)(8 * len) : local->length;
	ifa->ifa_flags = IFA_F_NODAD;
	ifa->ifa_index = (uint32_t)index;
	(void)request_add(&req, IFA_LOCAL, local->addr.b, len);
	(void)request_add(&req, IFA_ADDRESS, remote ? remote->b : local->addr.b, len);
	err = request_run(&req);
	if (err < 0 && err != -EEXIST)
		return err;
	for (tries = 0; tries < NETDEV_TRIES && !is_local(&local->addr); tries++)
		(void)poll(NULL, 0, 1);
	return tries < NETDEV_TRIES ? 0 : -ETIMEDOUT;
}

/* The address in a sockaddr; of no family where it is none of IP. */
static struct tern_addr from_sockaddr(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa && sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		return tern_addr_from_bytes(TERN_INET, &in.sin_addr);
	}
	if (sa && sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		return tern_addr_from_bytes(TERN_INET6, &in6.sin6_addr);
	}
	return tern_addr_any(TERN_UNSPEC);
}

int tern_netdev_find_address(const struct tern_addr *addr, char ret_name[TERN_NETDEV_NAME_MAX])
{
	struct ifaddrs *list, *ifa;
	int err = -ENOENT;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (ifa = list; ifa && err; ifa = ifa->ifa_next) {
		struct tern_addr has = from_sockaddr(ifa->ifa_addr);

		if (has.family == TERN_UNSPEC || !tern_addr_eq(&has, addr))
			continue;
		memset(ret_name, 0, TERN_NETDEV_NAME_MAX);
		memcpy(ret_name, ifa->ifa_name,
		       TERN_MIN(strlen(ifa->ifa_name), (size_t)TERN_NETDEV_NAME_MAX - 1));
		err = 0;
	}
	freeifaddrs(list);
	return err;
}

int tern_netdev_default_peer(const struct tern_prefix *own, struct tern_addr *ret_peer)
{
	unsigned int bits = 8 * (unsigned int)tern_addr_len(own->addr.family);
	unsigned int host_bits = bits - own->length;
	struct tern_addr peer = own->addr;
	unsigned int bit, last;

	if (!bits || own->length >= bits)
		return -EADDRNOTAVAIL;
	/* The network's own number is a host only where there are just two (RFC 3021, RFC 6164). */
	for (bit = own->length; bit < bits; bit++)
		peer.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	last = bits / 8 - 1;
	if (host_bits > 1)
		peer.b[last] |= 1;
	if (tern_addr_eq(&peer, &own->addr))
		peer.b[last] ^= host_bits > 1 ? 3 : 1;
	*ret_peer = peer;
	return 0;
}
