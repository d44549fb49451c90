/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/tcp.h: the TCP header (RFC 9293 3.1) and its options, read and written.
 */
#ifndef TERN_WIRE_TCP_H
#define TERN_WIRE_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "wire/ip.h"
#include "wire/segment.h"
#include "wire/verdict.h"

enum {
	TERN_TCP_HEADER = 20, /* bytes, without options */
	TERN_TCP_HEADER_MAX = 60,
	TERN_TCP_OPTIONS_MAX = 40,
	TERN_TCP_CKSUM_OFFSET = 16,    /* of the checksum in the header: virtio's csum_offset */
	TERN_TCP_TS_LEN = 12,          /* bytes of timestamps alone: the word below, and two more */
	TERN_TCP_TS_WORD = 0x0101080a, /* nop, nop, kind, length */
};

/* A SYN as Linux and we write it carries mss, sackOK, TS, nop, wscale; and the words of that. */
enum {
	TERN_TCP_SYN_USUAL = TERN_OPT_MSS | TERN_OPT_SACKOK | TERN_OPT_TS | TERN_OPT_WSCALE,
	TERN_TCP_SYN_USUAL_LEN = 20,
	TERN_TCP_MSS_WORD = 0x02040000, /* kind, length, and the value to be added */
	TERN_TCP_SACKOK_TS_WORD = 0x0402080a,
	TERN_TCP_WSCALE_WORD = 0x01030300, /* the value is added */
};

/* Option kinds on the wire. */
enum tern_tcp_kind {
	TERN_KIND_EOL = 0,
	TERN_KIND_NOP = 1,
	TERN_KIND_MSS = 2,
	TERN_KIND_WSCALE = 3,
	TERN_KIND_SACKOK = 4,
	TERN_KIND_SACK = 5,
	TERN_KIND_TS = 8,
	TERN_KIND_FASTOPEN = 34,
	TERN_KIND_EXPERIMENT = 254, /* RFC 6994: what follows tells whose */
};

#define TERN_TCP_FASTOPEN_MAGIC 0xf989 /* Fast Open before it had a number of its own */

/*
 * Reads `len` bytes of options into opt; returns false when one has an illegal length (0, 1 or
 * beyond the end): what stood before it is kept, the rest is not read (RFC 9293 MUST-6, MUST-7).
 * Unknown kinds and known ones of a wrong length are skipped. Of duplicates the first wins. MSS,
 * window scale, SACK-permitted and Fast Open (of either form) count only with `syn`, SACK only
 * without it. sack[] and fastopen[] are written only as far as counted, fastopen_exp with them.
 */
bool tern_tcp_option_parse(const uint8_t *p, uint32_t len, bool syn, struct tern_tcp_options *opt);

/* tern_tcp_option_parse(), with what nearly every segment carries, timestamps alone, in place. */
static inline bool tern_tcp_option_read(const uint8_t *p, uint32_t len, bool syn,
					struct tern_tcp_options *opt)
{
	if (TERN_UNLIKELY(len != TERN_TCP_TS_LEN || tern_get_u32(p) != TERN_TCP_TS_WORD))
		return tern_tcp_option_parse(p, len, syn, opt);
	opt->present = TERN_OPT_TS;
	opt->mss = 0;
	opt->wscale = 0;
	opt->sack_count = 0;
	opt->fastopen_len = 0;
	opt->fastopen_exp = false; /* so that all of them are one word */
	opt->tsval = tern_get_u32(p + 4);
	opt->tsecr = tern_get_u32(p + 8);
	return true;
}

/*
 * Reads a TCP header and its options; p is the IP payload of len bytes. The checksum is not looked
 * at (tern_tcp_cksum_ok). Returns TERN_PARSE_OK, _TRUNCATED or _BAD_OFFSET; ret_seg is written only
 * with TERN_PARSE_OK, and its data points into p.
 */
TERN_INLINE enum tern_parse tern_tcp_parse(const uint8_t *p, uint32_t len,
					   struct tern_segment *ret_seg)
{
	uint32_t word, options;

	if (len < TERN_TCP_HEADER)
		return TERN_PARSE_TRUNCATED;
	len -= TERN_TCP_HEADER;
	options = (uint32_t)(p[12] >> 4) * 4 - TERN_TCP_HEADER;
	if (options > len) /* or would be negative */
		return TERN_PARSE_BAD_OFFSET;
	word = tern_get_u32(p + 12);
	ret_seg->sport = tern_get_u16(p);
	ret_seg->dport = tern_get_u16(p + 2);
	ret_seg->seq = tern_get_u32(p + 4);
	ret_seg->ack = tern_get_u32(p + 8);
	ret_seg->wnd = (uint16_t)word;
	ret_seg->flags = (word >> 16) & TERN_TCP_FLAGS;
	ret_seg->urgent = tern_get_u16(p + 18);
	ret_seg->options_malformed = !tern_tcp_option_read(
		p + TERN_TCP_HEADER, options, (ret_seg->flags & TERN_SYN) != 0, &ret_seg->opt);
	ret_seg->data = p + TERN_TCP_HEADER + options;
	ret_seg->len = len - options;
	return TERN_PARSE_OK;
}

/*
 * Bytes that the options take on the wire, padding included: a multiple of 4, 0..40. With syn: MSS,
 * SACK-permitted, timestamps, window scale, Fast Open; without: timestamps and SACK, whose last
 * blocks are left off when 40 bytes do not hold them (4 blocks, 3 beside timestamps).
 */
uint32_t tern_tcp_option_len(const struct tern_tcp_options *opt, bool syn);

/*
 * Writes exactly tern_tcp_option_len() bytes to p, in the order in which Linux writes them:
 * mss, sackOK, TS, nop, wscale, fastopen on a SYN; nop, nop, TS, nop, nop, SACK else.
 * Returns the bytes written.
 */
uint32_t tern_tcp_option_emit(uint8_t *p, const struct tern_tcp_options *opt, bool syn);

/*
 * Writes header and options of seg, without the payload, the checksum field zero.
 * Returns the header length in bytes; 0 when it does not fit in cap.
 */
uint32_t tern_tcp_emit(uint8_t *buf, uint32_t cap, const struct tern_segment *seg);

/* Whether the TCP checksum of a whole packet (not a fragment) is right (RFC 9293 MUST-3). */
bool tern_tcp_cksum_ok(const struct tern_packet *pkt);

/*
 * Computes the checksum over pseudo header, the hdr_len bytes at hdr (the checksum field taken as
 * zero), and `count` pieces of payload of any length, odd ones too, and stores it in hdr.
 */
void tern_tcp_cksum_full(const struct tern_addr *src, const struct tern_addr *dst, uint8_t *hdr,
			 uint32_t hdr_len, const struct tern_piece *pieces, uint32_t count);

/*
 * Stores only the folded sum of the pseudo header, not complemented: what virtio's NEEDS_CSUM and
 * the kernel's CHECKSUM_PARTIAL expect; whoever sends the frame adds the rest. payload_len is
 * that of the whole super-frame when it is to be segmented.
 */
void tern_tcp_cksum_partial(const struct tern_addr *src, const struct tern_addr *dst, uint8_t *hdr,
			    uint32_t hdr_len, uint32_t payload_len);

#endif
