/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/addr.c: struct sockaddr to endpoint and back.
 *
 * The engine knows IPv4 and IPv6 endpoints. A program on an AF_INET6 socket sees IPv4 peers as
 * ::ffff:a.b.c.d (RFC 4291 §2.5.5.2); that form exists here only: it is undone on the way in and
 * made on the way out. An IPv4 wildcard of a dual-stack socket is ::ffff:0.0.0.0 to it.
 */
#include "sock/addr.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static int read_in(const void *addr, uint32_t len, struct tern_endpoint *ret)
{
	struct tern_sockaddr_in in;

	if (len < sizeof(in))
		return -EINVAL;
	memcpy(&in, addr, sizeof(in));
	/* bind(AF_UNSPEC) to 0.0.0.0 was common once, and Linux still takes it. */
	if (in.family != TERN_AF_INET &&
	    !(in.family == TERN_AF_UNSPEC && tern_get_u32(in.addr) == 0))
		return -EAFNOSUPPORT;
	ret->addr = tern_addr_from_bytes(TERN_INET, in.addr);
	ret->port = tern_get_u16(in.port);
	return 0;
}

static int read_in6(const void *addr, uint32_t len, struct tern_endpoint *ret)
{
	struct tern_sockaddr_in6 in6;

	if (len < TERN_SOCKADDR_IN6_MIN)
		return -EINVAL;
	memset(&in6, 0, sizeof(in6));
	memcpy(&in6, addr, len < sizeof(in6) ? len : sizeof(in6));
	if (in6.family != TERN_AF_INET6)
		return -EAFNOSUPPORT;
	if (memcmp(in6.addr, mapped_prefix, sizeof(mapped_prefix)) == 0)
		ret->addr = tern_addr_from_bytes(TERN_INET, in6.addr + sizeof(mapped_prefix));
	else
		ret->addr = tern_addr_from_bytes(TERN_INET6, in6.addr);
	ret->port = tern_get_u16(in6.port);
	return 0;
}

int tern_sockaddr_read(int domain, const void *addr, uint32_t len, struct tern_endpoint *ret)
{
	struct tern_endpoint ep;
	int err = domain == TERN_AF_INET ? read_in(addr, len, &ep) : read_in6(addr, len, &ep);

	if (!err)
		*ret = ep;
	return err;
}

uint32_t tern_sockaddr_write(int domain, const struct tern_endpoint *ep, union tern_sockaddr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (domain == TERN_AF_INET) {
		ret->in.family = TERN_AF_INET;
		tern_put_u16(ret->in.port, ep->port);
		memcpy(ret->in.addr, ep->addr.b, sizeof(ret->in.addr));
		return sizeof(ret->in);
	}
	ret->in6.family = TERN_AF_INET6;
	tern_put_u16(ret->in6.port, ep->port);
	if (ep->addr.family == TERN_INET) {
		memcpy(ret->in6.addr, mapped_prefix, sizeof(mapped_prefix));
		memcpy(ret->in6.addr + sizeof(mapped_prefix), ep->addr.b, 4);
	} else {
		memcpy(ret->in6.addr, ep->addr.b, sizeof(ret->in6.addr));
	}
	return sizeof(ret->in6);
}

void tern_sockaddr_give(int domain, const struct tern_endpoint *ep, void *addr, uint32_t *len)
{
	union tern_sockaddr sa;
	uint32_t full = tern_sockaddr_write(domain, ep, &sa);

	if (!addr || !len)
		return;
	memcpy(addr, &sa, *len < full ? *len : full);
	*len = full;
}
