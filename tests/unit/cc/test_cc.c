/* SPDX-License-Identifier: BSD-2-Clause */
/* What all algorithms of congestion control share: bounds, initial window, silence, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cc/cc.h"

static void the_initial_window_is_ten_segments_or_14600_bytes(void **state)
{
	static const struct {
		uint32_t mss, window;
	} cases[] = { { 1, 10 },       { 536, 5360 },   { 1459, 14590 }, { 1460, 14600 },
		      { 1461, 13149 }, { 7300, 14600 }, { 7301, 14602 }, { 65495, 130990 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++)
		assert_int_equal(tern_cc_initial_window(cases[i].mss), cases[i].window);
}

static void the_window_stays_within_its_bounds(void **state)
{
	static const uint32_t sizes[] = { 1, 536, 1460, 65495 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(sizes); i++) {
		struct tern_cc cc;

		tern_cc_init(&cc, sizes[i]);
		tern_cc_set_window(&cc, 0);
		assert_int_equal(cc.cwnd, sizes[i]);
		tern_cc_set_window(&cc, UINT32_MAX);
		assert_true(cc.cwnd <= TERN_CC_CWND_MAX && cc.cwnd % sizes[i] == 0);
		assert_true(cc.cwnd > TERN_CC_CWND_MAX - sizes[i]);
		for (uint32_t n = 0; n < 4; n++) {
			tern_cc_set_ssthresh(&cc, n);
			assert_int_equal(cc.ssthresh, TERN_MAX(n, 2u) * sizes[i]);
		}
	}
}

/* RFC 5681 §4.1: halved for each RTO that passed in silence, not below the initial window. */
static void a_silence_takes_the_window_back_step_by_step(void **state)
{
	static const struct {
		uint64_t idle_us;
		uint32_t cwnd;
	} cases[] = { { 200000, 100 }, { 200001, 50 }, { 400000, 50 },  { 400001, 25 },
		      { 600001, 12 },  { 800001, 10 }, { 60000000, 10 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_cc cc;

		tern_cc_init(&cc, 1000);
		tern_cc_set_window(&cc, 100);
		tern_cc_set_ssthresh(&cc, 20);
		tern_cc_idle(&cc, cases[i].idle_us, 200000);
		assert_int_equal(cc.cwnd, cases[i].cwnd * 1000);
		assert_int_equal(cc.ssthresh, 75000); /* three quarters of what was good */
	}
}

static void a_small_window_does_not_grow_by_silence(void **state)
{
	struct tern_cc cc;

	(void)state;
	tern_cc_init(&cc, 1000);
	tern_cc_set_window(&cc, 3);
	tern_cc_idle(&cc, 10000000, 200000);
	assert_int_equal(cc.cwnd, 3000);
}

static void names_and_numbers_belong_together(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		const char *name = tern_cc_by_number(i)->name;

		assert_int_equal(tern_cc_number(name, i ? 4 : 5), i);
	}
	assert_null(tern_cc_by_number(2));
	assert_ptr_equal(tern_cc_by_number(0), &tern_cc_cubic);
	assert_int_equal(tern_cc_number("cubi", 4), -1);
	assert_int_equal(tern_cc_number("cubicx", 6), -1);
	assert_int_equal(tern_cc_number("", 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_initial_window_is_ten_segments_or_14600_bytes),
		cmocka_unit_test(the_window_stays_within_its_bounds),
		cmocka_unit_test(a_silence_takes_the_window_back_step_by_step),
		cmocka_unit_test(a_small_window_does_not_grow_by_silence),
		cmocka_unit_test(names_and_numbers_belong_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
