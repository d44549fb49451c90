/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/seq.h"

/* Places around the wrap and around the middle, where comparisons go wrong. */
static const tern_seq places[] = { 0,          1,          0x7ffffffe, 0x7fffffff,
				   0x80000000, 0x80000001, 0xfffffffe, 0xffffffff };

static void a_number_is_before_all_that_follow_within_half_the_space(void **state)
{
	static const uint32_t ahead[] = { 1, 2, 0x7ffffffe, 0x7fffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		for (size_t k = 0; k < sizeof(ahead) / sizeof(*ahead); k++) {
			tern_seq a = places[i], b = a + ahead[k];

			assert_true(tern_seq_lt(a, b) && tern_seq_le(a, b));
			assert_false(tern_seq_gt(a, b) || tern_seq_ge(a, b));
			assert_true(tern_seq_gt(b, a) && tern_seq_ge(b, a));
			assert_false(tern_seq_lt(b, a) || tern_seq_le(b, a));
			assert_int_equal(tern_seq_diff(b, a), (int32_t)ahead[k]);
			assert_int_equal(tern_seq_diff(a, b), -(int32_t)ahead[k]);
			assert_int_equal(tern_seq_max(a, b), b);
			assert_int_equal(tern_seq_max(b, a), b);
			assert_int_equal(tern_seq_min(a, b), a);
			assert_int_equal(tern_seq_min(b, a), a);
		}
	}
}

static void a_number_is_neither_before_nor_behind_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		tern_seq a = places[i];

		assert_true(tern_seq_le(a, a) && tern_seq_ge(a, a));
		assert_false(tern_seq_lt(a, a) || tern_seq_gt(a, a));
		assert_int_equal(tern_seq_diff(a, a), 0);
	}
}

static void numbers_half_the_space_apart_are_each_before_the_other(void **state)
{
	(void)state;
	assert_true(tern_seq_lt(0, 0x80000000));
	assert_true(tern_seq_lt(0x80000000, 0));
}

static void a_window_holds_its_left_edge_and_not_its_right_one(void **state)
{
	static const uint32_t lens[] = { 1, 2, 65535, 0x40000000, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		tern_seq left = places[i];

		assert_false(tern_seq_in(left, left, 0));
		for (size_t k = 0; k < sizeof(lens) / sizeof(*lens); k++) {
			assert_false(tern_seq_in(left - 1, left, lens[k]));
			assert_true(tern_seq_in(left, left, lens[k]));
			assert_true(tern_seq_in(left + lens[k] - 1, left, lens[k]));
			assert_false(tern_seq_in(left + lens[k], left, lens[k]));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_before_all_that_follow_within_half_the_space),
		cmocka_unit_test(a_number_is_neither_before_nor_behind_itself),
		cmocka_unit_test(numbers_half_the_space_apart_are_each_before_the_other),
		cmocka_unit_test(a_window_holds_its_left_edge_and_not_its_right_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
