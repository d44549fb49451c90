/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/compiler.h"

static void min_and_max_pick_by_value_and_not_by_order(void **state)
{
	(void)state;
	assert_int_equal(TERN_MIN(-1, 2), -1);
	assert_int_equal(TERN_MIN(2, -1), -1);
	assert_int_equal(TERN_MAX(-1, 2), 2);
	assert_int_equal(TERN_MAX(2, -1), 2);
	assert_int_equal(TERN_MIN(3u, UINT32_MAX), 3);
	assert_true(TERN_MAX(UINT64_C(1), UINT64_MAX) == UINT64_MAX);
	assert_true(TERN_MIN(INT64_MIN, INT64_C(0)) == INT64_MIN);
	assert_true(TERN_MAX(1ull, 2ull) == 2ull && TERN_MAX(-2ll, -1ll) == -1ll);
}

static void min_evaluates_its_arguments_once_and_nests(void **state)
{
	int a = 5, b = 7;

	(void)state;
	assert_int_equal(TERN_MIN(a++, b++), 5);
	assert_int_equal(a, 6);
	assert_int_equal(b, 8);
	assert_int_equal(TERN_MAX(TERN_MIN(1, 2), TERN_MIN(4, 3)), 3);
}

static void array_size_counts_elements(void **state)
{
	uint16_t a[7];

	(void)state;
	(void)a;
	assert_int_equal(TERN_ARRAY_SIZE(a), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(min_and_max_pick_by_value_and_not_by_order),
		cmocka_unit_test(min_evaluates_its_arguments_once_and_nests),
		cmocka_unit_test(array_size_counts_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
