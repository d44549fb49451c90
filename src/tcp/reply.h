/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/reply.h: segments without payload that no connection record stands behind any more, or yet:
 * SYN-ACKs of half-open connections, resets, acknowledgments of TIME-WAIT. They wait in a bounded
 * ring for the next output.
 */
#ifndef TERN_TCP_REPLY_H
#define TERN_TCP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/bucket.h"
#include "base/ring.h"
#include "base/seq.h"
#include "trace/ring.h"
#include "trace/sysctl.h"
#include "wire/segment.h"

enum { TERN_REPLIES_MAX = 1024 };

/* It begins as a struct tern_segment does, up to its SACK blocks: that much is copied in one. */
struct tern_reply {
	uint16_t lport, rport;
	tern_seq seq, ack;
	uint16_t wnd, flags;
	uint32_t unused;  /* by segments that leave: how they came in; and no urgent pointer */
	uint16_t options; /* enum tern_tcp_option bits present: MSS, WSCALE, SACKOK, TS, FASTOPEN */
	uint16_t mss;
	uint8_t wscale, sack_count;
	uint8_t fastopen_len; /* with TERN_OPT_FASTOPEN: the form of the option … */
	bool fastopen_exp;
	uint32_t tsval, tsecr;
	uint8_t family;
	uint8_t state; /* ours, for the trace */
	uint8_t ttl, tos;
	uint8_t addrs[TERN_FLOW_ADDRS_MAX]; /* packed, of the flow as we see it */
	uint8_t fastopen[8];                /* … and the cookie */
};

struct tern_replies {
	struct tern_ring ring;
	struct tern_trace *trace;
	const struct tern_knobs *knobs; /* tern_rst_per_sec */
	const uint64_t *now;
	struct tern_bucket resets;
};

/* now is read when a reset is to be sent. -ENOMEM. */
int tern_replies_init(struct tern_replies *r, struct tern_mem *mem, struct tern_trace *trace,
		      const struct tern_knobs *knobs, const uint64_t *now);
void tern_replies_free(struct tern_replies *r);

static inline bool tern_replies_full(const struct tern_replies *r)
{
	return tern_ring_count(&r->ring) == TERN_REPLIES_MAX;
}

/*
 * A place for a reply of a flow, zeroed but for that, or NULL (counted as TernReplyDrops) when the
 * ring is full.
 */
struct tern_reply *tern_reply_push(struct tern_replies *r, const struct tern_flow *flow);

/*
 * The reset that answers a segment which belongs to nothing (RFC 9293 §3.10.7.1):
 * <SEQ=SEG.ACK><CTL=RST>, or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> if it had no ACK. Never
 * called for a segment with RST. At most tern_rst_per_sec in all (TernRstLimited), so that we do
 * not serve as a mirror (attack C03).
 */
void tern_reply_reset(struct tern_replies *r, const struct tern_flow *flow,
		      const struct tern_segment *seg);

#endif
