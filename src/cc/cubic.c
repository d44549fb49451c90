/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc/cubic.c: CUBIC (RFC 9438), with the numbers and the grain of Linux.
 *
 * After a loss the window falls to beta (0.7) of itself and then follows, in the time since, a
 * cubic curve: fast up to near W_max, where the loss was, flat there, and fast again beyond:
 *
 *	W(t) = C * (t - K)^3 + W_max,	K = cbrt((W_max - cwnd) / C),	C = 0.4
 *
 * t counts from the first ACK after the loss (the epoch) in 1/1024 s. The curve gives the number of
 * segments to be delivered for each one that the window grows. Where Reno would be faster (short
 * round trips), the window grows as Reno's (§4.3). A flow that loses before it reached its last
 * W_max gives way to newcomers: W_max is then set lower (fast convergence, §4.7).
 *
 * Slow start ends before the first loss when ACKs of a round come in a train longer than half the
 * shortest round trip, or when round trips grow by an eighth: HyStart.
 */
#include "base/compiler.h"
#include "cc/cc.h"

enum {
	SCALE = 1024,          /* of beta, and of time: 1/1024 s */
	BETA = 717,            /* 0.7 */
	C_SCALED = 41,         /* C * 1024 / 10 … */
	C_TEN = 10 * C_SCALED, /* C * 1024 */
	CURVE_SHIFT = 40,      /* C_TEN * t^3 >> 40: segments */
	/* 3 * (1 - beta) / (1 + beta) is 1 / RENO_EIGHTHS in eighths (alpha of §4.3) */
	RENO_EIGHTHS = 8 * (SCALE + BETA) / 3 / (SCALE - BETA),
	ASK_AGAIN_MS = 31,    /* the curve of an unchanged window */
	FIRST_COUNT_MAX = 20, /* before there was a loss, grow at least by 5 % a round trip */
	LEAVE_WINDOW = 16,    /* segments below which slow start is not left early */
	TRAIN_GAP_US = 2000,
	TRAIN_SLACK_US = 1000,
	ROUND_SAMPLES = 8,
	DELAY_LEAST_US = 4000,
	DELAY_MOST_US = 16000,
};

/* The integer part of the cubic root, by bits. */
static uint32_t cubic_root(uint64_t a)
{
	uint32_t root = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t with = root | (uint32_t)1 << bit;

		if (with * with * with <= a)
			root = (uint32_t)with;
	}
	return root;
}

static void begin_epoch(struct tern_cubic *q, uint32_t cwnd, uint32_t segments, uint32_t now_ms)
{
	q->epoch = true;
	q->epoch_ms = now_ms;
	q->acked = segments;
	q->reno = cwnd;
	q->k = 0;
	q->origin = cwnd;
	if (q->max > cwnd) {
		q->k = cubic_root((UINT64_C(1) << CURVE_SHIFT) / C_TEN * (q->max - cwnd));
		q->origin = q->max;
	}
}

/* W(t + shortest round trip), and from that how many segments each step takes. */
static uint32_t count_by_curve(const struct tern_cubic *q, uint32_t cwnd, uint32_t now_ms)
{
	uint64_t t_ms = (uint64_t)(now_ms - q->epoch_ms) + q->delay_min_us / 1000;
	uint64_t t = TERN_MIN(t_ms * SCALE / 1000, UINT64_C(1) << 18);
	uint64_t off = t < q->k ? q->k - t : t - q->k;
	uint32_t delta = (uint32_t)TERN_MIN((C_TEN * off * off * off) >> CURVE_SHIFT,
					    (uint64_t)TERN_CC_CWND_MAX);
	uint32_t target = q->origin + delta;

	if (t < q->k)
		target = q->origin > delta ? q->origin - delta : 0;
	return target > cwnd ? cwnd / (target - cwnd) : 100 * cwnd;
}

/* The window that Reno would have (§4.3); a smaller count if it is larger. */
static uint32_t count_as_reno(struct tern_cubic *q, uint32_t cwnd, uint32_t count)
{
	uint32_t each = cwnd * RENO_EIGHTHS / 8;

	if (q->acked > each) {
		q->reno += (q->acked - 1) / each;
		q->acked = (q->acked - 1) % each + 1;
	}
	return q->reno > cwnd ? TERN_MIN(count, cwnd / (q->reno - cwnd)) : count;
}

static void update(struct tern_cubic *q, uint32_t cwnd, uint32_t segments, uint32_t now_ms)
{
	q->acked += segments;
	if (q->epoch && q->last_cwnd == cwnd && now_ms - q->last_ms <= ASK_AGAIN_MS)
		return;
	if (!q->epoch || now_ms != q->last_ms) {
		q->last_cwnd = cwnd;
		q->last_ms = now_ms;
		if (!q->epoch)
			begin_epoch(q, cwnd, segments, now_ms);
		q->count = count_by_curve(q, cwnd, now_ms);
		if (!q->max)
			q->count = TERN_MIN(q->count, (uint32_t)FIRST_COUNT_MAX);
	}
	q->count = TERN_MAX(count_as_reno(q, cwnd, q->count), 2u);
}

static void cubic_grow(struct tern_cc *cc, struct tern_cubic *q, uint32_t segments,
		       const struct tern_cc_now *now)
{
	if (tern_cc_in_slow_start(cc))
		segments = tern_cc_slow_start(cc, segments);
	if (!segments)
		return;
	/* RFC9293:MAY-18 */
	update(q, tern_cc_segments(cc), segments, now->ms);
	tern_cc_avoid(cc, q->count, segments);
}

static uint32_t cubic_ssthresh(struct tern_cc *cc, struct tern_cubic *q)
{
	uint32_t cwnd = tern_cc_segments(cc);

	q->epoch = false;
	q->max = cwnd < q->max ? (uint32_t)((uint64_t)cwnd * (SCALE + BETA) / (2 * SCALE)) : cwnd;
	return TERN_MAX((uint32_t)((uint64_t)cwnd * BETA / SCALE), TERN_CC_SSTHRESH_MIN);
}

static void cubic_lost(struct tern_cubic *q)
{
	*q = (struct tern_cubic){ 0 };
}

static void begin_round(struct tern_cubic *q, const struct tern_cc_now *now)
{
	q->round = true;
	q->round_us = now->us;
	q->train_us = now->us;
	q->round_end = now->nxt;
	q->round_min_us = UINT32_MAX;
	q->samples = 0;
}

/* Do ACKs of this round come in so long a train that the path is full? */
static bool train_is_long(struct tern_cubic *q, const struct tern_cc_now *now)
{
	if (now->us - q->train_us > TRAIN_GAP_US)
		return false;
	q->train_us = now->us;
	return now->us - q->round_us > (q->delay_min_us + TRAIN_SLACK_US) / 2;
}

/* Have all round trips of this round been longer than the shortest by an eighth? */
static bool trips_grow(struct tern_cubic *q, uint32_t rtt_us)
{
	uint32_t slack = TERN_MAX(q->delay_min_us / 8, (uint32_t)DELAY_LEAST_US);

	q->round_min_us = TERN_MIN(q->round_min_us, rtt_us);
	if (q->samples < ROUND_SAMPLES) {
		q->samples++;
		return false;
	}
	return q->round_min_us > q->delay_min_us + TERN_MIN(slack, (uint32_t)DELAY_MOST_US);
}

static void cubic_sample(struct tern_cc *cc, struct tern_cubic *q, uint32_t rtt_us,
			 const struct tern_cc_now *now)
{
	bool train, trips;

	if (q->epoch && now->ms - q->epoch_ms < 1000) /* fast recovery stretched it */
		return;
	rtt_us = TERN_MAX(rtt_us, 1u);
	if (!q->delay_min_us || q->delay_min_us > rtt_us)
		q->delay_min_us = rtt_us;
	if (q->leaving || !tern_cc_in_slow_start(cc) || tern_cc_segments(cc) < LEAVE_WINDOW)
		return;
	if (!q->round || tern_seq_gt(now->una, q->round_end))
		begin_round(q, now);
	train = train_is_long(q, now);
	trips = trips_grow(q, rtt_us);
	if (train || trips) {
		q->leaving = true;
		tern_cc_set_ssthresh(cc, tern_cc_segments(cc));
	}
}

const struct tern_cc_ops tern_cc_cubic = {
	.name = "cubic",
	.grow = cubic_grow,
	.ssthresh = cubic_ssthresh,
	.lost = cubic_lost,
	.sample = cubic_sample,
};
