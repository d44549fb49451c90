/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/addr.h: struct sockaddr, as bytes in Linux' layout, to and from endpoints.
 */
#ifndef TERN_SOCK_ADDR_H
#define TERN_SOCK_ADDR_H

#include <stdint.h>

#include "sock/abi.h"
#include "tern/wire.h"

/* Room for either kind of address. */
union tern_sockaddr {
	uint16_t family;
	struct tern_sockaddr_in in;
	struct tern_sockaddr_in6 in6;
};

/*
 * Reads the address of len bytes at addr for a socket of domain TERN_AF_INET or TERN_AF_INET6. An
 * IPv4-mapped IPv6 address becomes an IPv4 endpoint. -EINVAL (too short), -EAFNOSUPPORT.
 */
int tern_sockaddr_read(int domain, const void *addr, uint32_t len, struct tern_endpoint *ret);

/* Writes an endpoint as a socket of that domain shows it; returns the length it has. */
uint32_t tern_sockaddr_write(int domain, const struct tern_endpoint *ep, union tern_sockaddr *ret);

/*
 * Copies what fits of an endpoint into *len bytes at addr (NULL: nothing) and sets *len to the
 * length it has, as accept and getsockname do.
 */
void tern_sockaddr_give(int domain, const struct tern_endpoint *ep, void *addr, uint32_t *len);

#endif
