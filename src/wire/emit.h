/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/emit.h: the headers of the usual segment, written in line and summed as they are written.
 *
 * Every connection pays for these with each segment, and most segments are nothing else. A header
 * that is summed while its words are in registers need not be read again. Other packets leave by
 * wire/ip.h and wire/tcp.h.
 *
 * The words are added up as numbers, before they are put into network order: the ones' complement
 * sum is the same but for the order of its two bytes. The sums of base/cksum.h count in the byte
 * order of the machine: the two kinds do not mix.
 */
#ifndef TERN_WIRE_EMIT_H
#define TERN_WIRE_EMIT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cksum.h"
#include "base/compiler.h"
#include "wire/ip.h"
#include "wire/sum.h"
#include "wire/tcp.h"

/* Writes a word and adds it to the sum. */
static inline void tern_emit_word(uint64_t *sum, uint8_t *p, uint32_t word)
{
	*sum += word;
	tern_put_u32(p, word);
}

/* The sum of words reduced to 16 bits, not complemented. */
static inline uint16_t tern_emit_fold(uint64_t sum)
{
	return tern_swap_u16(tern_cksum_fold(sum));
}

/* The sum of the words of the two IPv4 addresses that stand at p, one behind the other. */
static inline uint64_t tern_emit_pair(const uint8_t *p)
{
	uint64_t pair = tern_get_u64(p);

	return (pair & UINT32_MAX) + (pair >> 32);
}

/*
 * The IPv4 header of an atomic datagram, which no router may cut: DF, identification 0 (RFC 6864
 * 4.1). Writes 20 bytes. payload_len is TERN_IP_PACKET_MAX - 20 at most. addrs are the packed
 * addresses, source first (base/addr.h), and pair is their sum.
 */
static inline void tern_ip4_emit_atomic(uint8_t *buf, const uint8_t *addrs, uint64_t pair,
					uint8_t proto, uint8_t ttl, uint8_t tos,
					uint32_t payload_len)
{
	uint32_t word = (uint32_t)ttl << 24 | (uint32_t)proto << 16;
	uint64_t sum = pair;

	tern_emit_word(&sum, buf,
		       0x45000000u + ((uint32_t)tos << 16) + TERN_IP4_HEADER + payload_len);
	tern_emit_word(&sum, buf + 4, 0x4000); /* DF */
	sum += word >> 16;
	tern_put_u32(buf + 8, word | (tern_emit_fold(sum) ^ 0xffffu));
	memcpy(buf + 12, addrs, 8);
}

/* Timestamps alone: TERN_TCP_TS_LEN bytes. */
static inline void tern_tcp_emit_ts(uint64_t *sum, uint8_t *p, const struct tern_tcp_options *opt)
{
	tern_emit_word(sum, p, TERN_TCP_TS_WORD);
	tern_emit_word(sum, p + 4, opt->tsval);
	tern_emit_word(sum, p + 8, opt->tsecr);
}

/* The options of a usual SYN: TERN_TCP_SYN_USUAL_LEN bytes. */
static inline void tern_tcp_emit_syn(uint64_t *sum, uint8_t *p, const struct tern_tcp_options *opt)
{
	tern_emit_word(sum, p, (uint32_t)TERN_TCP_MSS_WORD | opt->mss);
	tern_emit_word(sum, p + 4, TERN_TCP_SACKOK_TS_WORD);
	tern_emit_word(sum, p + 8, opt->tsval);
	tern_emit_word(sum, p + 12, opt->tsecr);
	tern_emit_word(sum, p + 16, (uint32_t)TERN_TCP_WSCALE_WORD | opt->wscale);
}

static_assert(offsetof(struct tern_segment, dport) == offsetof(struct tern_segment, sport) + 2 &&
		      offsetof(struct tern_segment, flags) ==
			      offsetof(struct tern_segment, wnd) + 2 &&
		      offsetof(struct tern_segment, opt.present) ==
			      offsetof(struct tern_segment, urgent) + 2,
	      "these are read two at a time");

/* Two fields of 16 bits, one behind the other, as one number: the second above the first. */
static inline uint32_t tern_emit_fields(const void *p)
{
	uint32_t both;

	memcpy(&both, p, sizeof(both));
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	both = both << 16 | both >> 16;
#endif
	return both;
}

/* The TCP header but for checksum and urgent pointer; header_len is with the options. */
static inline void tern_tcp_emit_start(uint64_t *sum, uint8_t *p, const struct tern_segment *seg,
				       uint32_t header_len)
{
	uint32_t ports = tern_emit_fields(&seg->sport), flags_wnd = tern_emit_fields(&seg->wnd);

	tern_emit_word(sum, p, ports << 16 | ports >> 16);
	*sum += (uint64_t)seg->seq + seg->ack;
	tern_put_u64(p + 4, (uint64_t)seg->seq << 32 | seg->ack);
	tern_emit_word(sum, p + 12,
		       header_len << 26 | (flags_wnd & ((uint32_t)TERN_TCP_FLAGS << 16 | 0xffff)));
}

/*
 * The headers of a TCP segment over IPv4, both checksums included: up to 80 bytes. Returns their
 * length. The payload, seg->len bytes, stands in `count` pieces. partial: as
 * tern_tcp_cksum_partial().
 */
uint32_t tern_tcp4_emit(uint8_t *buf, const struct tern_segment *seg, const uint8_t *addrs,
			uint8_t ttl, uint8_t tos, const struct tern_piece *pieces, uint32_t count,
			bool partial);

/*
 * tern_tcp4_emit() in place, of a segment without payload or urgent pointer whose options are as
 * usual: timestamps alone or, with `syn`, a constant, TERN_TCP_SYN_USUAL. Of a short connection
 * these are all.
 */
TERN_INLINE uint32_t tern_tcp4_emit_usual(uint8_t *buf, const struct tern_segment *seg,
					  const uint8_t *addrs, uint8_t ttl, uint8_t tos, bool syn)
{
	uint32_t len = TERN_TCP_HEADER + (syn ? TERN_TCP_SYN_USUAL_LEN : TERN_TCP_TS_LEN);
	uint8_t *tcp = buf + TERN_IP4_HEADER;
	uint64_t pair = tern_emit_pair(addrs), sum = pair + TERN_PROTO_TCP + len;

	tern_ip4_emit_atomic(buf, addrs, pair, TERN_PROTO_TCP, ttl, tos, len);
	tern_tcp_emit_start(&sum, tcp, seg, len);
	if (syn)
		tern_tcp_emit_syn(&sum, tcp + TERN_TCP_HEADER, &seg->opt);
	else
		tern_tcp_emit_ts(&sum, tcp + TERN_TCP_HEADER, &seg->opt);
	/* RFC9293:MUST-2 */
	tern_put_u32(tcp + TERN_TCP_CKSUM_OFFSET, (uint32_t)~tern_emit_fold(sum) << 16);
	return TERN_IP4_HEADER + len;
}

#endif
