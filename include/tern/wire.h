/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tern/wire.h: addresses as every room and every user of tern writes them.
 *
 * Plain data, no functions, no system headers: it may be included anywhere.
 */
#ifndef TERN_WIRE_H
#define TERN_WIRE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Address families; the value is the IP version, as it stands in the first nibble of a packet. */
enum tern_family {
	TERN_UNSPEC = 0,
	TERN_INET = 4,
	TERN_INET6 = 6,
};

/* An IP address in network byte order; an IPv4 address stands in b[0..3], the rest is zero. */
struct tern_addr {
	uint8_t family; /* enum tern_family */
	uint8_t b[16];
};

/* An address and a port in host byte order: what ss prints as Address:Port. */
struct tern_endpoint {
	struct tern_addr addr;
	uint16_t port;
};

/* IP protocol numbers that tern speaks. */
enum tern_proto {
	TERN_PROTO_ICMP = 1,
	TERN_PROTO_TCP = 6,
	TERN_PROTO_UDP = 17,
	TERN_PROTO_ICMPV6 = 58,
};

/* A piece of payload in memory, borrowed: frames out are made of several. */
struct tern_piece {
	const uint8_t *ptr;
	uint32_t len;
};

/* Room for payload in memory, borrowed: the caller writes into it. */
struct tern_room {
	uint8_t *ptr;
	uint32_t len;
};

#ifdef __cplusplus
}
#endif

#endif
