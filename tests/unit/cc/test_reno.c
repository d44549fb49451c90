/* SPDX-License-Identifier: BSD-2-Clause */
/* Reno's window: RFC 5681. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cc/cc.h"

#define MSS 1000u

static const struct tern_cc_now never = { 0, 0, 0, 0 };

static struct tern_cc with(uint32_t cwnd, uint32_t ssthresh)
{
	struct tern_cc cc;

	tern_cc_init(&cc, MSS);
	tern_cc_set_window(&cc, cwnd);
	if (ssthresh)
		tern_cc_set_ssthresh(&cc, ssthresh);
	return cc;
}

/* RFC9293:MUST-19 */
static void slow_start_grows_by_what_was_delivered(void **state)
{
	struct tern_cc cc = with(10, 0);

	(void)state;
	tern_cc_reno.grow(&cc, NULL, 1, &never);
	assert_int_equal(cc.cwnd, 11 * MSS);
	tern_cc_reno.grow(&cc, NULL, 11, &never);
	assert_int_equal(cc.cwnd, 22 * MSS);
}

static void slow_start_ends_at_ssthresh_and_the_rest_counts_for_avoidance(void **state)
{
	for (uint32_t delivered = 4; delivered <= 6; delivered++) {
		struct tern_cc cc = with(15, 20);

		(void)state;
		tern_cc_reno.grow(&cc, NULL, delivered, &never);
		assert_int_equal(cc.cwnd, TERN_MIN(15 + delivered, 20u) * MSS);
		assert_int_equal(cc.avoid, delivered > 5 ? delivered - 5 : 0);
	}
}

/* RFC9293:MUST-19 */
static void avoidance_grows_by_a_segment_for_each_window(void **state)
{
	struct tern_cc cc = with(10, 5);

	(void)state;
	for (unsigned int i = 1; i < 10; i++)
		tern_cc_reno.grow(&cc, NULL, 1, &never);
	assert_int_equal(cc.cwnd, 10 * MSS);
	tern_cc_reno.grow(&cc, NULL, 1, &never);
	assert_int_equal(cc.cwnd, 11 * MSS);
	tern_cc_reno.grow(&cc, NULL, 22, &never); /* two windows at once */
	assert_int_equal(cc.cwnd, 13 * MSS);
}

static void a_loss_halves_the_window_but_not_below_two_segments(void **state)
{
	static const struct {
		uint32_t cwnd, ssthresh;
	} cases[] = { { 1, 2 }, { 3, 2 }, { 4, 2 }, { 5, 2 }, { 6, 3 }, { 20, 10 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_cc cc = with(cases[i].cwnd, 0);

		assert_int_equal(tern_cc_reno.ssthresh(&cc, NULL), cases[i].ssthresh);
		assert_int_equal(cc.cwnd, cases[i].cwnd * MSS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_start_grows_by_what_was_delivered),
		cmocka_unit_test(slow_start_ends_at_ssthresh_and_the_rest_counts_for_avoidance),
		cmocka_unit_test(avoidance_grows_by_a_segment_for_each_window),
		cmocka_unit_test(a_loss_halves_the_window_but_not_below_two_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
