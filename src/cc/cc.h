/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc/cc.h: congestion control behind a const vtable.
 *
 * An algorithm owns four words and answers to events. What is outstanding, when a recovery began
 * and ends and how many duplicate ACKs there were is the business of src/tcp: it calls
 *
 *	init                               when the connection opens
 *	ack                                for an ACK of new data outside recovery
 *	enter_recovery                     when a loss is detected (third duplicate ACK, RACK)
 *	dup_ack, partial_ack               for ACKs in recovery, by a sender without SACK
 *	exit_recovery                      when the recovery point is acknowledged
 *	rto                                when the timer retransmits a segment for the first time
 *	idle_restart                       before sending after an idle time longer than the RTO
 *
 * All amounts are payload bytes. After every call 1 MSS <= cwnd <= 2^30 and ssthresh >= 2 MSS.
 */
#ifndef TERN_CC_CC_H
#define TERN_CC_CC_H

#include <stdbool.h>
#include <stdint.h>

/* Largest window anybody can use: 65,535 << 14 (RFC 7323), and no sum of two overflows. */
#define TERN_CC_CWND_MAX (UINT32_C(1) << 30)

/* ssthresh before the first loss: slow start knows no bound (RFC 5681 §3.1). */
#define TERN_CC_SSTHRESH_NONE UINT32_MAX

struct tern_cc {
	uint32_t cwnd;     /* congestion window, bytes */
	uint32_t ssthresh; /* slow start below it, bytes */
	uint32_t mss;      /* SMSS, bytes; the caller may change it between calls */
	uint32_t avoid;    /* bytes acknowledged since cwnd last grew in congestion avoidance */
};

struct tern_cc_ops {
	const char *name; /* as in net.ipv4.tcp_congestion_control */

	/* Start with the initial window for segments of mss bytes (at least 1). */
	void (*init)(struct tern_cc *cc, uint32_t mss);

	/*
	 * acked_bytes were acknowledged while flight_bytes, these included, were outstanding.
	 * app_limited: the application or the peer's window, not cwnd, limited the sender.
	 */
	void (*ack)(struct tern_cc *cc, uint32_t acked_bytes, uint32_t flight_bytes,
		    bool app_limited);

	/* A loss was detected with flight_bytes outstanding: reduce the window. */
	void (*enter_recovery)(struct tern_cc *cc, uint32_t flight_bytes);

	/* A duplicate ACK says that one more segment has left the network (not with SACK). */
	void (*dup_ack)(struct tern_cc *cc);

	/* acked_bytes were acknowledged, but not the recovery point (not with SACK). */
	void (*partial_ack)(struct tern_cc *cc, uint32_t acked_bytes);

	/* The recovery point is acknowledged; flight_bytes are still outstanding. */
	void (*exit_recovery)(struct tern_cc *cc, uint32_t flight_bytes);

	/*
	 * The retransmission timer ran out with flight_bytes outstanding. Not to be called when it
	 * runs out again for the same segment: ssthresh stays then, and cwnd is one MSS already.
	 */
	void (*rto)(struct tern_cc *cc, uint32_t flight_bytes);

	/* Nothing was sent for longer than the RTO: the window is no longer known to be good. */
	void (*idle_restart)(struct tern_cc *cc);
};

/*
 * The initial window, RFC 6928: ten segments, but no more than 14,600 bytes unless that is less
 * than two. After a lost SYN the caller sets cwnd to one MSS instead.
 */
static inline uint32_t tern_cc_initial_window(uint32_t mss)
{
	uint32_t most = 2 * mss > 14600 ? 2 * mss : 14600;

	return 10 * mss < most ? 10 * mss : most;
}

/* RFC 5681 with byte counting (RFC 3465, L = 2) and NewReno recovery (RFC 6582). */
extern const struct tern_cc_ops tern_cc_newreno;

#endif
