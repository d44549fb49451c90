/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/segment.h: a TCP segment as plain data in host order, and nothing else.
 *
 * This is what the rooms above `wire` talk about; no byte order, no offsets. wire/tcp.h turns it
 * into bytes and back.
 */
#ifndef TERN_WIRE_SEGMENT_H
#define TERN_WIRE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"
#include "tern/wire.h"

/* Control bits (RFC 9293 3.1, RFC 3168, RFC 9768), as they stand in the 16-bit word on the wire. */
enum tern_tcp_flag {
	TERN_FIN = 1,
	TERN_SYN = 2,
	TERN_RST = 4,
	TERN_PSH = 8,
	TERN_ACK = 16,
	TERN_URG = 32,
	TERN_ECE = 64,
	TERN_CWR = 128,
	TERN_AE = 256,
	TERN_TCP_FLAGS = 511, /* all of them */
};

/* The ECN field of a packet, the low two bits of TOS (RFC 3168 §5). */
enum tern_ecn {
	TERN_ECN_NOT_ECT,
	TERN_ECN_ECT1,
	TERN_ECN_ECT0,
	TERN_ECN_CE,
	TERN_ECN_MASK = 3,
};

/* Bits of tern_tcp_options.present. */
enum tern_tcp_option {
	TERN_OPT_MSS = 1,
	TERN_OPT_WSCALE = 2,
	TERN_OPT_SACKOK = 4,
	TERN_OPT_TS = 8,
	TERN_OPT_SACK = 16,
	TERN_OPT_FASTOPEN = 32,
	TERN_OPT_ECN = TERN_ECE, /* no option: what connections note among these as agreed on */
};

enum {
	TERN_SACK_BLOCKS_MAX = 4, /* what 40 bytes of options hold; 3 beside timestamps */
	TERN_FASTOPEN_MIN = 4,    /* bytes of a cookie, RFC 7413 4.1.1 */
	TERN_FASTOPEN_MAX = 16,
};

/* One SACK block: [left, right), RFC 2018 3. */
struct tern_sack_block {
	tern_seq left;
	tern_seq right;
};

/*
 * The options of one segment. A value means something only when its bit in `present` is set. Values
 * stand as received: mss may be 0, wscale may be above 14, SACK blocks may be nonsense.
 */
struct tern_tcp_options {
	uint16_t present; /* TERN_OPT_* */
	uint16_t mss;     /* bytes */
	uint8_t wscale;
	uint8_t sack_count;   /* valid blocks in sack[], 0 without TERN_OPT_SACK */
	uint8_t fastopen_len; /* bytes of cookie: 0 is a request, else 4..16, even */
	bool fastopen_exp;    /* … in the experimental form, kind 254 */
	uint32_t tsval;
	uint32_t tsecr;
	struct tern_sack_block sack[TERN_SACK_BLOCKS_MAX];
	uint8_t fastopen[TERN_FASTOPEN_MAX];
};

struct tern_segment {
	uint16_t sport;
	uint16_t dport;
	tern_seq seq;
	tern_seq ack;           /* as received, whether or not TERN_ACK is set */
	uint16_t wnd;           /* raw 16 bits, unscaled */
	uint16_t flags;         /* enum tern_tcp_flag */
	uint8_t ecn;            /* of the packet it came in: enum tern_ecn */
	bool options_malformed; /* an option had an illegal length; those before it are in opt */
	uint16_t urgent;        /* as received, whether or not TERN_URG is set */
	struct tern_tcp_options opt;
	const uint8_t *data; /* payload, borrowed from the frame; emit ignores it */
	uint32_t len;        /* bytes of payload */
};

/* SEG.LEN: what the segment takes in sequence space, SYN and FIN counted (RFC 9293 3.4). */
static inline uint32_t tern_segment_len(const struct tern_segment *seg)
{
	return seg->len + ((seg->flags & TERN_SYN) != 0) + ((seg->flags & TERN_FIN) != 0);
}

#endif
