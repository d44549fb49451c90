/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_address.c: what the shim has to know about addresses: which of them mean this host
 * itself (loopback stays with the kernel), and how an address is handed to a caller. They come from
 * programs, so a family may be any and a length too short.
 */
#include <string.h>

#include "posix/shim.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

socklen_t tern_shim_addr_len(sa_family_t family)
{
	switch (family) {
	case AF_INET:
		return sizeof(struct sockaddr_in);
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	default:
		return 0;
	}
}

/* A whole address of IPv4 or IPv6, copied: it may stand anywhere. */
static sa_family_t read_addr(const struct sockaddr *addr, socklen_t len,
			     union tern_posix_addr *ret_addr)
{
	sa_family_t family;
	socklen_t need;

	if (!addr || len < sizeof(sa_family_t))
		return AF_UNSPEC;
	memcpy(&family, addr, sizeof(family));
	need = tern_shim_addr_len(family);
	if (need == 0 || len < need)
		return AF_UNSPEC;
	memcpy(ret_addr, addr, need);
	return family;
}

bool tern_shim_is_loopback(const struct sockaddr *addr, socklen_t len)
{
	static const uint8_t one[16] = { [15] = 1 };
	union tern_posix_addr a;
	const uint8_t *b;

	switch (read_addr(addr, len, &a)) {
	case AF_INET:
		return *(const uint8_t *)&a.in.sin_addr == 127;
	case AF_INET6:
		b = a.in6.sin6_addr.s6_addr;
		return memcmp(b, one, sizeof(one)) == 0 ||
		       (memcmp(b, mapped, sizeof(mapped)) == 0 && b[12] == 127);
	default:
		return false;
	}
}

bool tern_shim_is_any(const struct sockaddr *addr, socklen_t len)
{
	static const uint8_t zero[16];
	union tern_posix_addr a;
	const uint8_t *b;

	switch (read_addr(addr, len, &a)) {
	case AF_INET:
		return a.in.sin_addr.s_addr == 0;
	case AF_INET6:
		b = a.in6.sin6_addr.s6_addr;
		return memcmp(b, zero, sizeof(zero)) == 0 ||
		       (memcmp(b, mapped, sizeof(mapped)) == 0 && memcmp(b + 12, zero, 4) == 0);
	default:
		return false;
	}
}

unsigned int tern_shim_port(const struct sockaddr *addr, socklen_t len)
{
	union tern_posix_addr a;
	const uint8_t *b;

	if (read_addr(addr, len, &a) == AF_UNSPEC)
		return 0;
	/* in the same place in both families */
	b = (const uint8_t *)&a.in.sin_port;
	return (unsigned int)b[0] << 8 | b[1];
}

int tern_shim_give_addr(const union tern_posix_addr *from, struct sockaddr *addr, socklen_t *len)
{
	socklen_t whole = tern_shim_addr_len(from->any.sa_family);

	if (!addr || !len)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	memcpy(addr, from, *len < whole ? *len : whole);
	*len = whole;
	return 0;
}
