/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "cc/cc.h"

#define MSS 1460u

static const struct tern_cc_ops *const reno = &tern_cc_newreno;

/* A connection of this window and threshold. */
static struct tern_cc window(uint32_t cwnd, uint32_t ssthresh)
{
	struct tern_cc cc;

	reno->init(&cc, MSS);
	cc.cwnd = cwnd;
	cc.ssthresh = ssthresh;
	return cc;
}

/* RFC 6928 §2: min(10 MSS, max(2 MSS, 14600)). */
static void the_initial_window_is_ten_segments_within_bounds(void **state)
{
	static const struct {
		uint32_t mss, want;
	} table[] = {
		{ 1, 10 },       { 536, 5360 },     { 1459, 14590 }, { 1460, 14600 },
		{ 1461, 14600 }, { 7299, 14600 },   { 7300, 14600 }, { 7301, 14602 },
		{ 8960, 17920 }, { 65495, 130990 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(table); i++) {
		struct tern_cc cc;

		reno->init(&cc, table[i].mss);
		assert_int_equal(cc.cwnd, table[i].want);
		assert_int_equal(cc.mss, table[i].mss);
		assert_int_equal(cc.ssthresh, TERN_CC_SSTHRESH_NONE);
	}
}

static void the_first_slow_start_adds_what_is_acknowledged_up_to_two_segments(void **state)
{
	static const uint32_t acked[] = { 1, MSS, 2 * MSS - 1, 2 * MSS, 2 * MSS + 1, 10 * MSS };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(acked); i++) {
		struct tern_cc cc = window(10 * MSS, TERN_CC_SSTHRESH_NONE);

		reno->ack(&cc, acked[i], 10 * MSS, false);
		assert_int_equal(cc.cwnd, 10 * MSS + TERN_MIN(acked[i], 2 * MSS));
	}
}

static void a_later_slow_start_adds_one_segment_at_most(void **state)
{
	static const uint32_t acked[] = { 1, MSS - 1, MSS, MSS + 1, 10 * MSS };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(acked); i++) {
		struct tern_cc cc = window(2 * MSS, 10 * MSS);

		reno->ack(&cc, acked[i], 2 * MSS, false);
		assert_int_equal(cc.cwnd, 2 * MSS + TERN_MIN(acked[i], MSS));
	}
}

/* RFC9293:MUST-19 */
static void slow_start_doubles_the_window_in_a_round_trip(void **state)
{
	struct tern_cc cc;

	(void)state;
	reno->init(&cc, MSS);
	for (int ack = 0; ack < 5; ack++)
		reno->ack(&cc, 2 * MSS, 10 * MSS, false);
	assert_int_equal(cc.cwnd, 20 * MSS);
}

static void slow_start_ends_at_the_threshold(void **state)
{
	struct tern_cc cc = window(10 * MSS - 1, 10 * MSS);

	(void)state;
	reno->ack(&cc, MSS, 10 * MSS, false);
	assert_int_equal(cc.cwnd, 11 * MSS - 1);
	reno->ack(&cc, MSS, 11 * MSS, false);
	assert_int_equal(cc.cwnd, 11 * MSS - 1);
	cc = window(10 * MSS, 10 * MSS);
	reno->ack(&cc, MSS, 10 * MSS, false);
	assert_int_equal(cc.cwnd, 10 * MSS);
}

/* RFC9293:MUST-19 */
static void avoidance_adds_one_segment_for_each_window_acknowledged(void **state)
{
	struct tern_cc cc = window(10 * MSS, 5 * MSS);

	(void)state;
	for (uint32_t w = 10; w < 15; w++) {
		for (uint32_t i = 0; i < w; i++) {
			assert_int_equal(cc.cwnd, w * MSS);
			reno->ack(&cc, MSS, cc.cwnd, false);
		}
		assert_int_equal(cc.cwnd, (w + 1) * MSS);
	}
}

static void avoidance_counts_bytes_and_not_acks(void **state)
{
	struct tern_cc few = window(10 * MSS, 5 * MSS), many = few;

	(void)state;
	reno->ack(&few, 10 * MSS, 10 * MSS, false);
	for (uint32_t i = 0; i < 100; i++)
		reno->ack(&many, MSS / 10, 10 * MSS, false);
	assert_int_equal(few.cwnd, 11 * MSS);
	assert_int_equal(many.cwnd, few.cwnd);
	/* one ACK for more than a window still is worth one segment only */
	reno->ack(&few, 1000 * MSS, 11 * MSS, false);
	assert_int_equal(few.cwnd, 12 * MSS);
	reno->ack(&few, 1, 12 * MSS, false);
	assert_int_equal(few.cwnd, 12 * MSS);
}

static void what_was_acknowledged_beyond_a_window_counts_for_the_next(void **state)
{
	struct tern_cc cc = window(10 * MSS, 5 * MSS);

	(void)state;
	reno->ack(&cc, 9 * MSS, 10 * MSS, false);
	reno->ack(&cc, 2 * MSS, 10 * MSS, false);
	assert_int_equal(cc.cwnd, 11 * MSS);
	reno->ack(&cc, 10 * MSS - 1, 11 * MSS, false);
	assert_int_equal(cc.cwnd, 11 * MSS);
	reno->ack(&cc, 1, 11 * MSS, false);
	assert_int_equal(cc.cwnd, 12 * MSS);
}

static void a_window_that_is_not_used_does_not_grow(void **state)
{
	(void)state;
	for (int avoiding = 0; avoiding < 2; avoiding++) {
		struct tern_cc cc = window(10 * MSS, avoiding ? MSS : TERN_CC_SSTHRESH_NONE);

		reno->ack(&cc, 10 * MSS, 10 * MSS, true);
		reno->ack(&cc, 10 * MSS, 5 * MSS - 1, false);
		assert_int_equal(cc.cwnd, 10 * MSS);
		assert_int_equal(cc.avoid, 0);
		reno->ack(&cc, 10 * MSS, 5 * MSS, false);
		assert_int_equal(cc.cwnd, avoiding ? 11 * MSS : 12 * MSS);
	}
}

static void the_window_stops_at_its_bound(void **state)
{
	struct tern_cc cc = window(TERN_CC_CWND_MAX - 1, TERN_CC_SSTHRESH_NONE);

	(void)state;
	for (int i = 0; i < 3; i++) {
		reno->ack(&cc, UINT32_MAX, UINT32_MAX, false);
		assert_int_equal(cc.cwnd, TERN_CC_CWND_MAX);
	}
	cc.ssthresh = MSS;
	for (int i = 0; i < 3; i++)
		reno->ack(&cc, UINT32_MAX, UINT32_MAX, false);
	assert_int_equal(cc.cwnd, TERN_CC_CWND_MAX);
	reno->enter_recovery(&cc, UINT32_MAX);
	assert_int_equal(cc.cwnd, TERN_CC_CWND_MAX);
	reno->dup_ack(&cc);
	assert_int_equal(cc.cwnd, TERN_CC_CWND_MAX);
}

/* RFC 5681 §3.2: half of the flight, not of the window; the three duplicates are added. */
static void a_loss_halves_the_flight_and_inflates_by_three(void **state)
{
	struct tern_cc cc = window(20 * MSS, TERN_CC_SSTHRESH_NONE);

	(void)state;
	reno->enter_recovery(&cc, 10 * MSS);
	assert_int_equal(cc.ssthresh, 5 * MSS);
	assert_int_equal(cc.cwnd, 8 * MSS);
	reno->dup_ack(&cc);
	assert_int_equal(cc.cwnd, 9 * MSS);
}

static void the_threshold_is_never_below_two_segments(void **state)
{
	static const uint32_t flights[] = { 0, 1, MSS, 3 * MSS, 4 * MSS - 1, 4 * MSS, 4 * MSS + 2 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(flights); i++) {
		struct tern_cc cc = window(20 * MSS, TERN_CC_SSTHRESH_NONE);
		uint32_t want = flights[i] <= 4 * MSS ? 2 * MSS : 2 * MSS + 1;

		reno->enter_recovery(&cc, flights[i]);
		assert_int_equal(cc.ssthresh, want);
		cc = window(20 * MSS, TERN_CC_SSTHRESH_NONE);
		reno->rto(&cc, flights[i]);
		assert_int_equal(cc.ssthresh, want);
	}
}

/* RFC 6582 §3.2 step 3. */
static void a_partial_ack_deflates_and_puts_one_segment_back(void **state)
{
	static const struct {
		uint32_t acked, want;
	} table[] = {
		{ 1, 8 * MSS - 1 },       { MSS - 1, 7 * MSS + 1 }, { MSS, 8 * MSS },
		{ MSS + 1, 8 * MSS - 1 }, { 4 * MSS, 5 * MSS },     { 8 * MSS, MSS },
		{ 9 * MSS, MSS },         { UINT32_MAX, MSS },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(table); i++) {
		struct tern_cc cc = window(8 * MSS, 5 * MSS);

		reno->partial_ack(&cc, table[i].acked);
		assert_int_equal(cc.cwnd, table[i].want);
	}
}

static void recovery_ends_at_the_threshold_but_without_a_burst(void **state)
{
	static const struct {
		uint32_t flight, want;
	} table[] = {
		{ 0, 2 * MSS },           { 1, 2 * MSS },       { MSS, 2 * MSS },
		{ MSS + 1, 2 * MSS + 1 }, { 4 * MSS, 5 * MSS }, { 4 * MSS + 1, 5 * MSS },
		{ UINT32_MAX, 5 * MSS },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(table); i++) {
		struct tern_cc cc = window(30 * MSS, 5 * MSS);

		reno->exit_recovery(&cc, table[i].flight);
		assert_int_equal(cc.cwnd, table[i].want);
		assert_int_equal(cc.ssthresh, 5 * MSS);
	}
}

static void a_timeout_leaves_one_segment_and_starts_slowly(void **state)
{
	struct tern_cc cc = window(20 * MSS, TERN_CC_SSTHRESH_NONE);

	(void)state;
	cc.avoid = 7 * MSS;
	reno->rto(&cc, 16 * MSS);
	assert_int_equal(cc.cwnd, MSS);
	assert_int_equal(cc.ssthresh, 8 * MSS);
	assert_int_equal(cc.avoid, 0);
	reno->ack(&cc, 5 * MSS, MSS, false);
	assert_int_equal(cc.cwnd, 2 * MSS);
}

/* RFC 5681 §4.1. */
static void idleness_leaves_the_initial_window_at_most(void **state)
{
	struct tern_cc cc = window(50 * MSS, 30 * MSS);

	(void)state;
	reno->idle_restart(&cc);
	assert_int_equal(cc.cwnd, 10 * MSS);
	assert_int_equal(cc.ssthresh, 30 * MSS);
	cc.cwnd = 3 * MSS;
	reno->idle_restart(&cc);
	assert_int_equal(cc.cwnd, 3 * MSS);
}

static void a_segment_size_that_changes_keeps_one_segment_in_the_window(void **state)
{
	struct tern_cc cc = window(MSS, 2 * MSS);

	(void)state;
	cc.mss = 8960;
	reno->idle_restart(&cc);
	assert_int_equal(cc.cwnd, 8960);
	reno->rto(&cc, 0);
	assert_int_equal(cc.ssthresh, 2 * 8960);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_initial_window_is_ten_segments_within_bounds),
		cmocka_unit_test(the_first_slow_start_adds_what_is_acknowledged_up_to_two_segments),
		cmocka_unit_test(a_later_slow_start_adds_one_segment_at_most),
		cmocka_unit_test(slow_start_doubles_the_window_in_a_round_trip),
		cmocka_unit_test(slow_start_ends_at_the_threshold),
		cmocka_unit_test(avoidance_adds_one_segment_for_each_window_acknowledged),
		cmocka_unit_test(avoidance_counts_bytes_and_not_acks),
		cmocka_unit_test(what_was_acknowledged_beyond_a_window_counts_for_the_next),
		cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
		cmocka_unit_test(the_window_stops_at_its_bound),
		cmocka_unit_test(a_loss_halves_the_flight_and_inflates_by_three),
		cmocka_unit_test(the_threshold_is_never_below_two_segments),
		cmocka_unit_test(a_partial_ack_deflates_and_puts_one_segment_back),
		cmocka_unit_test(recovery_ends_at_the_threshold_but_without_a_burst),
		cmocka_unit_test(a_timeout_leaves_one_segment_and_starts_slowly),
		cmocka_unit_test(idleness_leaves_the_initial_window_at_most),
		cmocka_unit_test(a_segment_size_that_changes_keeps_one_segment_in_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
