/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc/cc.h: congestion control behind a const vtable.
 *
 * An algorithm says how the window grows and where it shrinks to. When it shrinks, how it gets
 * there (proportional rate reduction), and what is undone when a reduction proves wrong, is the
 * business of src/tcp: it calls
 *
 *	init        when the connection opens
 *	grow        for what an ACK delivered outside a reduction, if the window was in use
 *	ssthresh    when a reduction begins, for the window to end at
 *	lost        when the retransmission timer ran out
 *	sample      for each measured round trip
 *
 * The window is kept in bytes, and changes by whole segments. After every call
 * 1 MSS <= cwnd <= 2^30 and ssthresh >= 2 MSS.
 */
#ifndef TERN_CC_CC_H
#define TERN_CC_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"

/* Largest window anybody can use: 65,535 << 14 (RFC 7323), and no sum of two overflows. */
#define TERN_CC_CWND_MAX (UINT32_C(1) << 30)

/* ssthresh before the first loss: slow start knows no bound (RFC 5681 §3.1). */
#define TERN_CC_SSTHRESH_NONE UINT32_MAX

/* The least that ssthresh is ever set to, in segments (RFC 5681 equation 4). */
#define TERN_CC_SSTHRESH_MIN 2u

/* What a connection keeps as long as it stands. */
struct tern_cc {
	uint32_t cwnd;     /* congestion window, bytes */
	uint32_t ssthresh; /* slow start below it, bytes */
	uint32_t mss;      /* SMSS, bytes; the caller may change it between calls */
	uint32_t avoid;    /* segments acknowledged since cwnd last grew in congestion avoidance */
};

/* What CUBIC keeps while there is traffic. Windows in segments; zeroed: nothing known yet. */
struct tern_cubic {
	uint32_t count;        /* ACKed segments for which cwnd grows by one */
	uint32_t max, origin;  /* W_max of the last reduction; where this epoch's curve is flat */
	uint32_t last_cwnd;    /* … and … */
	uint32_t last_ms;      /* … when the curve was last asked */
	uint32_t epoch_ms;     /* when the epoch began */
	uint32_t k;            /* K of RFC 9438 §4.2, in 1/1024 s */
	uint32_t acked, reno;  /* W_est (§4.3) and the segments acknowledged since it grew */
	uint32_t delay_min_us; /* shortest round trip */
	/* HyStart++'s ancestor, as Linux has it: a round, its train of ACKs, its shortest trip */
	uint32_t round_us, train_us, round_min_us;
	tern_seq round_end;
	uint8_t samples;
	bool epoch;   /* epoch_ms holds */
	bool round;   /* a round has begun */
	bool leaving; /* slow start has been left */
};

/* What is known of the moment, for those who ask for it. */
struct tern_cc_now {
	uint32_t us; /* a clock that may wrap */
	uint32_t ms;
	tern_seq una, nxt;
};

struct tern_cc_ops {
	const char *name; /* as in net.ipv4.tcp_congestion_control */

	/* Segments that were delivered while the window was in use. */
	void (*grow)(struct tern_cc *cc, struct tern_cubic *q, uint32_t segments,
		     const struct tern_cc_now *now);

	/* Where a reduction of the present window ends, in segments. */
	uint32_t (*ssthresh)(struct tern_cc *cc, struct tern_cubic *q);

	/* The retransmission timer ran out: what was learnt of the path is old. */
	void (*lost)(struct tern_cubic *q);

	/* A round trip was measured. */
	void (*sample)(struct tern_cc *cc, struct tern_cubic *q, uint32_t rtt_us,
		       const struct tern_cc_now *now);
};

/*
 * The initial window, RFC 6928: ten segments, but no more than 14,600 bytes unless that is less
 * than two. After a lost SYN the caller sets cwnd to one MSS instead.
 */
static inline uint32_t tern_cc_initial_window(uint32_t mss)
{
	uint32_t most = 2 * mss > 14600 ? 2 * mss : 14600;

	return 10 * mss < most ? 10 * mss : most / mss * mss;
}

static inline void tern_cc_init(struct tern_cc *cc, uint32_t mss)
{
	cc->mss = mss;
	cc->cwnd = tern_cc_initial_window(mss);
	cc->ssthresh = TERN_CC_SSTHRESH_NONE;
	cc->avoid = 0;
}

/* The window in whole segments, at least one. */
static inline uint32_t tern_cc_segments(const struct tern_cc *cc)
{
	return cc->cwnd > cc->mss ? cc->cwnd / cc->mss : 1;
}

static inline bool tern_cc_in_slow_start(const struct tern_cc *cc)
{
	return cc->cwnd < cc->ssthresh;
}

/* Sets the window, in segments. */
void tern_cc_set_window(struct tern_cc *cc, uint32_t segments);

/* Sets ssthresh, in segments. */
void tern_cc_set_ssthresh(struct tern_cc *cc, uint32_t segments);

/*
 * Slow start (RFC 5681 §3.1) with what was delivered counted, at most up to ssthresh. Returns the
 * segments that are left for congestion avoidance.
 */
uint32_t tern_cc_slow_start(struct tern_cc *cc, uint32_t segments);

/* Congestion avoidance: a segment more for every `each` that were delivered. */
void tern_cc_avoid(struct tern_cc *cc, uint32_t each, uint32_t segments);

/*
 * Nothing was sent for idle_us, more than the RTO: the window is halved for each RTO that passed,
 * down to the initial one (RFC 5681 §4.1, as Linux).
 */
void tern_cc_idle(struct tern_cc *cc, uint64_t idle_us, uint32_t rto_us);

/* The algorithm of a number (as in tcp_congestion_control: 0 cubic, 1 reno), or of a name; NULL. */
const struct tern_cc_ops *tern_cc_by_number(uint32_t number);
int tern_cc_number(const char *name, uint32_t len);

extern const struct tern_cc_ops tern_cc_cubic; /* RFC 9438 */
extern const struct tern_cc_ops tern_cc_reno;  /* RFC 5681 */

#endif
