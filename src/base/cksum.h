/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/cksum.h: the Internet checksum (RFC 1071) in pieces.
 *
 * A partial sum is a uint64_t that starts at 0 and is only ever passed on: it counts in the byte
 * order of the machine and is not folded. To make a checksum:
 *
 *	uint64_t sum = tern_cksum_pseudo(&src, &dst, TERN_PROTO_TCP, len);
 *	sum = tern_cksum_add(segment, len, sum);     (with the checksum field zero)
 *	tern_put_u16(field, (uint16_t)~tern_cksum_fold(sum));
 *
 * To check one, add everything with the field as it came: it is right if tern_cksum_fold gives
 * 0xffff. Partial sums may be added with + (up to 2^30 of them).
 */
#ifndef TERN_BASE_CKSUM_H
#define TERN_BASE_CKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tern/wire.h"

/*
 * Add len bytes (below 2^32, any alignment) that begin at an even offset of what is summed. An odd
 * len counts as if a zero byte followed, so only the last piece may be odd; see tern_cksum_piece.
 */
uint64_t tern_cksum_add(const void *ptr, size_t len, uint64_t sum);

/*
 * Reduce to 16 bits: the ones' complement sum, as the host-order number that tern_get_u16 would
 * have read from the packet. Not complemented. 0 only if every byte added was 0.
 */
static inline uint16_t tern_cksum_fold(uint64_t sum)
{
	uint32_t half;

	/* Added to itself with its halves exchanged, either half carries into the other. */
	sum += sum >> 32 | sum << 32;
	half = (uint32_t)(sum >> 32);
	half += half >> 16 | half << 16;
	return tern_swap_u16((uint16_t)(half >> 16));
}

/* Add a piece whose first byte lies at an odd (or even) offset of what is summed. */
uint64_t tern_cksum_piece(uint64_t sum, const void *ptr, size_t len, bool offset_is_odd);

/*
 * The partial sum of the pseudo header: addresses of one family, protocol (enum tern_proto or
 * another IP protocol number) and upper-layer length in bytes (RFC 9293 §3.1, RFC 8200 §8.1).
 */
uint64_t tern_cksum_pseudo(const struct tern_addr *src, const struct tern_addr *dst, uint8_t proto,
			   uint32_t len);

#endif
