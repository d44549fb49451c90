/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc/newreno.c: Reno's window (RFC 5681), grown by bytes (RFC 3465), with NewReno's recovery
 * (RFC 6582).
 *
 * Growing. Below ssthresh an ACK adds what it acknowledges, at most two segments in the first slow
 * start and at most one in later ones, which follow a timeout (RFC 3465 §2.3: there, ACKs may
 * cover what was received long ago). The first one is known by its ssthresh, which no loss has
 * lowered yet. From ssthresh on, one segment is added for every cwnd acknowledged. A window that
 * was not used is not grown (RFC 5681 §3.1 wants the flight to prove it): neither when the
 * application was the limit nor when less than half of the window was out.
 *
 * Shrinking. A loss sets ssthresh to half of the flight, not of cwnd, and at least two segments.
 * Fast recovery inflates cwnd by what has left the network and takes that back at the end; a
 * timeout leaves one segment; a long silence leaves the initial window at most.
 */
#include "cc/cc.h"

#include "base/compiler.h"

/* Segments that duplicate ACKs have reported gone when recovery begins (RFC 5681 §3.2). */
#define DUP_THRESH 3

static void set_cwnd(struct tern_cc *cc, uint64_t cwnd)
{
	cc->cwnd =
		(uint32_t)TERN_MIN(TERN_MAX(cwnd, (uint64_t)cc->mss), (uint64_t)TERN_CC_CWND_MAX);
}

/* RFC 5681 equation (4). */
static void halve_ssthresh(struct tern_cc *cc, uint32_t flight_bytes)
{
	cc->ssthresh = TERN_MAX(flight_bytes / 2, 2 * cc->mss);
	cc->avoid = 0;
}

static void newreno_init(struct tern_cc *cc, uint32_t mss)
{
	*cc = (struct tern_cc){ .mss = mss, .ssthresh = TERN_CC_SSTHRESH_NONE };
	set_cwnd(cc, tern_cc_initial_window(mss));
}

static void newreno_ack(struct tern_cc *cc, uint32_t acked_bytes, uint32_t flight_bytes,
			bool app_limited)
{
	bool first = cc->ssthresh == TERN_CC_SSTHRESH_NONE;
	uint32_t most = first ? 2 * cc->mss : cc->mss;

	if (app_limited || flight_bytes < cc->cwnd / 2)
		return;
	if (cc->cwnd < cc->ssthresh) {
		/* RFC9293:MUST-19 */
		set_cwnd(cc, (uint64_t)cc->cwnd + TERN_MIN(acked_bytes, most));
		return;
	}
	/* RFC9293:MUST-19 */
	cc->avoid += TERN_MIN(acked_bytes, cc->cwnd);
	if (cc->avoid >= cc->cwnd) {
		cc->avoid -= cc->cwnd;
		set_cwnd(cc, (uint64_t)cc->cwnd + cc->mss);
	}
}

static void newreno_enter_recovery(struct tern_cc *cc, uint32_t flight_bytes)
{
	halve_ssthresh(cc, flight_bytes);
	set_cwnd(cc, (uint64_t)cc->ssthresh + DUP_THRESH * cc->mss);
}

static void newreno_dup_ack(struct tern_cc *cc)
{
	set_cwnd(cc, (uint64_t)cc->cwnd + cc->mss);
}

/* RFC 6582 §3.2 step 3: deflate by what was acknowledged, and put one segment back. */
static void newreno_partial_ack(struct tern_cc *cc, uint32_t acked_bytes)
{
	uint64_t cwnd = cc->cwnd - TERN_MIN(acked_bytes, cc->cwnd);

	set_cwnd(cc, acked_bytes >= cc->mss ? cwnd + cc->mss : cwnd);
}

/* RFC 6582 §3.2 step 3, a full acknowledgment, option (1): no burst after recovery. */
static void newreno_exit_recovery(struct tern_cc *cc, uint32_t flight_bytes)
{
	uint64_t flight = TERN_MAX(flight_bytes, cc->mss);

	set_cwnd(cc, TERN_MIN((uint64_t)cc->ssthresh, flight + cc->mss));
}

static void newreno_rto(struct tern_cc *cc, uint32_t flight_bytes)
{
	halve_ssthresh(cc, flight_bytes);
	set_cwnd(cc, cc->mss);
}

/* RFC 5681 §4.1. */
static void newreno_idle_restart(struct tern_cc *cc)
{
	set_cwnd(cc, TERN_MIN(cc->cwnd, tern_cc_initial_window(cc->mss)));
}

const struct tern_cc_ops tern_cc_newreno = {
	.name = "newreno",
	.init = newreno_init,
	.ack = newreno_ack,
	.enter_recovery = newreno_enter_recovery,
	.dup_ack = newreno_dup_ack,
	.partial_ack = newreno_partial_ack,
	.exit_recovery = newreno_exit_recovery,
	.rto = newreno_rto,
	.idle_restart = newreno_idle_restart,
};
