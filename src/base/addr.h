/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/addr.h: questions about addresses, and flows (a connection's two addresses and two ports).
 *
 * Addresses follow include/tern/wire.h: network order, and behind an IPv4 address twelve zero
 * bytes; every function here keeps that, and equality relies on it. Records keep a flow packed:
 * the address bytes, local before remote (8 for IPv4, 32 for IPv6), the ports and family apart.
 */
#ifndef TERN_BASE_ADDR_H
#define TERN_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/siphash.h"
#include "tern/wire.h"

/* Room for the packed addresses of a flow of any family, in bytes. */
#define TERN_FLOW_ADDRS_MAX 32

/* Length of an address of this family on the wire: 4, 16, or 0 for no family. */
static inline size_t tern_addr_len(uint8_t family)
{
	return family == TERN_INET ? 4 : family == TERN_INET6 ? 16 : 0;
}

/* The address whose 4 or 16 network-order bytes stand at ptr; of no family: the empty address. */
static inline struct tern_addr tern_addr_from_bytes(uint8_t family, const void *ptr)
{
	struct tern_addr a = { .family = family };

	if (family == TERN_INET)
		memcpy(a.b, ptr, 4);
	else if (family == TERN_INET6)
		memcpy(a.b, ptr, 16);
	else
		a.family = TERN_UNSPEC;
	return a;
}

/* The IPv4 address whose 4 network-order bytes stand at ptr, in place. */
static inline void tern_addr_set_v4(struct tern_addr *a, const void *ptr)
{
	memset(a->b, 0, sizeof(a->b));
	memcpy(a->b, ptr, 4);
	a->family = TERN_INET;
}

/* a.b.c.d */
static inline struct tern_addr tern_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct tern_addr){ .family = TERN_INET, .b = { a, b, c, d } };
}

/* The wildcard address of a family: 0.0.0.0 or ::. */
static inline struct tern_addr tern_addr_any(uint8_t family)
{
	return (struct tern_addr){ .family = family };
}

/* Same family and same bytes. */
static inline bool tern_addr_eq(const struct tern_addr *a, const struct tern_addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->b, sizeof(x));
	memcpy(y, b->b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a->family == b->family;
}

/* Is it the wildcard of its family (or the empty address)? */
static inline bool tern_addr_is_any(const struct tern_addr *a)
{
	uint64_t x[2];

	memcpy(x, a->b, sizeof(x));
	return (x[0] | x[1]) == 0;
}

/* 224.0.0.0/4 or ff00::/8. */
static inline bool tern_addr_is_multicast(const struct tern_addr *a)
{
	return a->family == TERN_INET ? (a->b[0] & 0xf0) == 0xe0
				      : a->family == TERN_INET6 && a->b[0] == 0xff;
}

/* 255.255.255.255, the limited broadcast; the broadcast of a subnet is the caller's knowledge. */
static inline bool tern_addr_is_v4_broadcast(const struct tern_addr *a)
{
	return a->family == TERN_INET && tern_get_u32(a->b) == UINT32_MAX;
}

/* fe80::/10. */
static inline bool tern_addr_is_linklocal6(const struct tern_addr *a)
{
	return a->family == TERN_INET6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* 127.0.0.0/8 or ::1. */
static inline bool tern_addr_is_loopback(const struct tern_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == TERN_INET)
		return a->b[0] == 127;
	return a->family == TERN_INET6 && memcmp(a->b, one, sizeof(one)) == 0;
}

/* Are the first plen bits of a those of net? False across families and for a plen too long. */
bool tern_addr_in_prefix(const struct tern_addr *a, const struct tern_addr *net, unsigned int plen);

/*
 * Read the text of one address: four decimal numbers 0..255 without leading zeros, or any form of
 * RFC 4291 §2.2 (with :: and with an embedded IPv4 address; no zone). Nothing may follow.
 * Returns 0 or -EINVAL.
 */
TERN_NODISCARD int tern_addr_parse(const char *text, struct tern_addr *ret);

/* Who talks to whom, seen from our side; ports in host order, both addresses of one family. */
struct tern_flow {
	struct tern_addr local, remote;
	uint16_t lport, rport;
};

static inline bool tern_flow_eq(const struct tern_flow *a, const struct tern_flow *b)
{
	if (a->lport != b->lport || a->rport != b->rport || a->local.family != b->local.family)
		return false;
	if (TERN_LIKELY(a->local.family == TERN_INET))
		return tern_get_u32(a->remote.b) == tern_get_u32(b->remote.b) &&
		       tern_get_u32(a->local.b) == tern_get_u32(b->local.b);
	return tern_addr_eq(&a->remote, &b->remote) && tern_addr_eq(&a->local, &b->local);
}

/* The same flow seen from the other end. */
static inline struct tern_flow tern_flow_reverse(const struct tern_flow *flow)
{
	return (struct tern_flow){ .local = flow->remote,
				   .remote = flow->local,
				   .lport = flow->rport,
				   .rport = flow->lport };
}

/* Write the packed addresses of a flow: 8 bytes (IPv4) or 32 (IPv6); returns how many. */
static inline size_t tern_flow_pack(const struct tern_flow *flow, uint8_t *addrs)
{
	size_t len = tern_addr_len(flow->local.family);

	if (len == 4) {
		memcpy(addrs, flow->local.b, 4);
		memcpy(addrs + 4, flow->remote.b, 4);
	} else if (len == 16) {
		memcpy(addrs, flow->local.b, 16);
		memcpy(addrs + 16, flow->remote.b, 16);
	}
	return 2 * len;
}

/* The flow that tern_flow_pack wrote. */
static inline void tern_flow_unpack(uint8_t family, uint16_t lport, uint16_t rport,
				    const uint8_t *addrs, struct tern_flow *ret)
{
	ret->lport = lport;
	ret->rport = rport;
	if (TERN_LIKELY(family == TERN_INET)) {
		memset(&ret->local, 0, sizeof(ret->local));
		memset(&ret->remote, 0, sizeof(ret->remote));
		memcpy(ret->local.b, addrs, 4);
		memcpy(ret->remote.b, addrs + 4, 4);
		ret->local.family = TERN_INET;
		ret->remote.family = TERN_INET;
		return;
	}
	ret->local = tern_addr_from_bytes(family, addrs);
	ret->remote = tern_addr_from_bytes(family, addrs + tern_addr_len(family));
}

/* Is the packed record the one of this flow? The last test of every demultiplexing. */
static inline bool tern_flow_matches(const struct tern_flow *flow, uint8_t family, uint16_t lport,
				     uint16_t rport, const uint8_t *addrs)
{
	if (flow->local.family != family || flow->lport != lport || flow->rport != rport)
		return false;
	if (TERN_LIKELY(family == TERN_INET))
		return tern_get_u32(flow->remote.b) == tern_get_u32(addrs + 4) &&
		       tern_get_u32(flow->local.b) == tern_get_u32(addrs);
	return memcmp(flow->remote.b, addrs + 16, 16) == 0 && memcmp(flow->local.b, addrs, 16) == 0;
}

/* Little-endian load of 4 or 8 bytes: the words SipHash works on. */
static inline uint32_t tern_flow_le32(const void *ptr)
{
	uint32_t v;

	memcpy(&v, ptr, sizeof(v));
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	return v;
}

static inline uint64_t tern_flow_le64(const void *ptr)
{
	uint64_t v;

	memcpy(&v, ptr, sizeof(v));
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/*
 * SipHash-1-3 over local address, remote address, local port, remote port in network order (12 or
 * 36 bytes). Its low 32 bits: an outsider without the key can neither foresee nor collide it.
 */
static inline uint32_t tern_flow_hash(const uint64_t key[2], const struct tern_flow *flow)
{
	uint32_t ports = __builtin_bswap32((uint32_t)flow->lport << 16 | flow->rport);
	uint64_t w[4];

	if (TERN_LIKELY(flow->local.family == TERN_INET)) {
		w[0] = tern_flow_le32(flow->remote.b);
		w[0] = tern_flow_le32(flow->local.b) | w[0] << 32;
		return (uint32_t)tern_siphash13_words_u32(key, w, 1, ports);
	}
	w[0] = tern_flow_le64(flow->local.b);
	w[1] = tern_flow_le64(flow->local.b + 8);
	w[2] = tern_flow_le64(flow->remote.b);
	w[3] = tern_flow_le64(flow->remote.b + 8);
	return (uint32_t)tern_siphash13_words_u32(key, w, 4, ports);
}

/* The same of a flow that tern_flow_pack wrote. */
static inline uint32_t tern_flow_hash_packed(const uint64_t key[2], uint8_t family, uint16_t lport,
					     uint16_t rport, const uint8_t *addrs)
{
	uint32_t ports = __builtin_bswap32((uint32_t)lport << 16 | rport);
	uint64_t w[4] = { tern_flow_le64(addrs) };

	if (TERN_LIKELY(family == TERN_INET))
		return (uint32_t)tern_siphash13_words_u32(key, w, 1, ports);
	for (unsigned int i = 1; i < 4; i++)
		w[i] = tern_flow_le64(addrs + 8 * i);
	return (uint32_t)tern_siphash13_words_u32(key, w, 4, ports);
}

#endif
