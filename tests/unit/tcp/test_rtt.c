/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tcp/rtt.h"

/* RFC9293:MUST-18 RFC6298:2.2 */
static void the_first_sample_sets_both_averages(void **state)
{
	struct tern_rtt rtt = { 0 };

	(void)state;
	tern_rtt_sample(&rtt, 300000, 200000);
	assert_int_equal(rtt.srtt8_us / 8, 300000);
	assert_int_equal(rtt.rttvar4_us / 4, 150000);
	assert_int_equal(rtt.rto_us, 900000); /* R + 4 * R/2 */
	assert_int_equal(rtt.min_us, 300000);
}

/*
 * RFC 6298 2.3 in whole numbers: SRTT 7/8 + 1/8 R', RTTVAR 3/4 + 1/4 |SRTT - R'|, old SRTT.
 * RFC9293:MUST-18 RFC6298:2.3
 */
static void further_samples_are_smoothed(void **state)
{
	struct tern_rtt rtt = { 0 };

	(void)state;
	tern_rtt_sample(&rtt, 80000, 1000);
	tern_rtt_sample(&rtt, 160000, 1000);
	assert_int_equal(rtt.srtt8_us / 8, 90000);
	assert_int_equal(rtt.rttvar4_us / 4, 50000);
	assert_int_equal(rtt.rto_us, 290000);
	tern_rtt_sample(&rtt, 10000, 1000);
	assert_int_equal(rtt.srtt8_us / 8, 80000);
	assert_int_equal(rtt.rttvar4_us / 4, 57500);
	assert_int_equal(rtt.min_us, 10000);
}

static void a_steady_round_trip_leaves_the_smallest_timeout_above_it(void **state)
{
	struct tern_rtt rtt = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 200; i++)
		tern_rtt_sample(&rtt, 50000, 200000);
	assert_int_equal(rtt.srtt8_us / 8, 50000);
	assert_int_equal(rtt.rto_us, 250000);
}

/* RFC6298:2.5 */
static void samples_out_of_range_are_brought_in(void **state)
{
	static const uint64_t samples[] = { 0, 1, 119999999, 120000000, 120000001, UINT64_MAX };

	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		for (unsigned int j = 0; j < 6; j++) {
			struct tern_rtt rtt = { 0 };

			tern_rtt_sample(&rtt, samples[i], 200000);
			for (unsigned int k = 0; k < 100; k++) {
				tern_rtt_sample(&rtt, samples[j], 200000);
				assert_true(rtt.srtt8_us >= 1);
				assert_in_range(rtt.rto_us, 200001, TERN_RTO_MAX_US);
				assert_in_range(rtt.min_us, 1, TERN_RTO_MAX_US);
				assert_true(rtt.srtt8_us / 8 <= TERN_RTO_MAX_US);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_sample_sets_both_averages),
		cmocka_unit_test(further_samples_are_smoothed),
		cmocka_unit_test(a_steady_round_trip_leaves_the_smallest_timeout_above_it),
		cmocka_unit_test(samples_out_of_range_are_brought_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
