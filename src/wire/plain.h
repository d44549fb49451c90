/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/plain.h: the plain segment, read in one go.
 *
 * Plain is TCP in an IPv4 packet that has no options, does not know ECN and is in one piece, with
 * nothing wrong with it: nearly all that ever comes. Whatever is anything else is refused here
 * without a word, and goes through tern_ip_parse(), tern_tcp_parse() and tern_tcp_cksum_ok(), which
 * say what it is.
 */
#ifndef TERN_WIRE_PLAIN_H
#define TERN_WIRE_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "wire/sum.h"
#include "wire/tcp.h"

enum {
	TERN_PLAIN_FLOW = 12, /* where addresses and ports stand, 12 bytes in a row */
	TERN_PLAIN_MIN = TERN_IP4_HEADER + TERN_TCP_HEADER,
};

/*
 * The first eight bytes of a packet, and what they are to be: IPv4, a header of 20 bytes, no ECN,
 * neither MF nor an offset.
 */
#define TERN_PLAIN_MASK  UINT64_C(0xff03000000003fff)
#define TERN_PLAIN_START UINT64_C(0x4500000000000000)

/* Both addresses and both ports of a plain segment, source first, as they stand in the frame. */
struct tern_plain_flow {
	uint64_t addrs;
	uint32_t ports;
};

static inline struct tern_plain_flow tern_plain_flow(const uint8_t *frame)
{
	struct tern_plain_flow flow;

	memcpy(&flow.addrs, frame + TERN_PLAIN_FLOW, sizeof(flow.addrs));
	memcpy(&flow.ports, frame + TERN_PLAIN_FLOW + 8, sizeof(flow.ports));
	return flow;
}

static inline bool tern_plain_flow_eq(const struct tern_plain_flow *a,
				      const struct tern_plain_flow *b)
{
	return a->addrs == b->addrs && a->ports == b->ports;
}

static inline void tern_plain_addrs(const uint8_t *frame, struct tern_addr *ret_src,
				    struct tern_addr *ret_dst)
{
	tern_addr_set_v4(ret_src, frame + TERN_PLAIN_FLOW);
	tern_addr_set_v4(ret_dst, frame + TERN_PLAIN_FLOW + 4);
}

/*
 * Are both checksums right, of the header and of the tcp_len bytes behind it (20 at least)? Most
 * often these are a TCP header with timestamps and nothing else. tcp_len is that of the packet less
 * a header: for a sum, to which 0xffff is nothing, the subtraction can be done in its byte order.
 */
static inline bool tern_plain_cksum_ok(const uint8_t *frame, uint32_t tcp_len)
{
	const uint8_t *p = frame + TERN_IP4_HEADER;
	uint64_t header = tern_sum_word(tern_sum_half(0, frame + 16), frame);
	uint64_t sum = 0xffffu + tern_swap_u16(TERN_PROTO_TCP) - tern_swap_u16(TERN_IP4_HEADER);
	uint16_t total;

	if (!tern_sum_is_whole(tern_sum_word(header, frame + 8)))
		return false;
	memcpy(&total, frame + 2, sizeof(total));
	sum = tern_sum_word(sum + total, frame + TERN_PLAIN_FLOW);
	if (TERN_LIKELY(tcp_len == TERN_TCP_HEADER + TERN_TCP_TS_LEN))
		sum = tern_sum_32(sum, p);
	else
		sum = tern_sum_add(sum, p, tcp_len);
	return tern_sum_is_whole(sum);
}

/*
 * Reads a frame of `len` bytes if it is a plain segment. `trusted`: the link vouches for the bytes,
 * no checksum is computed. Neither addresses nor ports are judged. False: ret_seg is undefined.
 */
static inline bool tern_plain_parse(const uint8_t *frame, uint32_t len, bool trusted,
				    struct tern_segment *ret_seg)
{
	uint32_t more; /* bytes, beyond those that it must have */
	uint64_t start;

	if (len < TERN_PLAIN_MIN || frame[9] != TERN_PROTO_TCP)
		return false;
	memcpy(&start, frame, sizeof(start));
	if ((start & tern_swap_u64(TERN_PLAIN_MASK)) != tern_swap_u64(TERN_PLAIN_START))
		return false;
	more = tern_get_u16(frame + 2) - (uint32_t)TERN_PLAIN_MIN;
	if (more > len - TERN_PLAIN_MIN) /* or would be negative */
		return false;
	/* RFC9293:MUST-3 */
	if (!trusted && !tern_plain_cksum_ok(frame, TERN_TCP_HEADER + more))
		return false;
	ret_seg->ecn = TERN_ECN_NOT_ECT;
	return tern_tcp_parse(frame + TERN_IP4_HEADER, TERN_TCP_HEADER + more, ret_seg) ==
	       TERN_PARSE_OK;
}

#endif
