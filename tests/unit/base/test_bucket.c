/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/bucket.h"

#define SECOND UINT64_C(1000000000)

static uint32_t drain(struct tern_bucket *b, uint64_t now_ns, uint32_t rate, uint32_t burst)
{
	uint32_t n = 0;

	while (n < 1000000 && tern_bucket_take(b, now_ns, rate, burst))
		n++;
	return n;
}

static void a_zeroed_bucket_is_full_at_any_time(void **state)
{
	(void)state;
	for (uint64_t now = 0; now < 5 * SECOND; now += SECOND / 2) {
		struct tern_bucket b = { 0 };

		assert_int_equal(drain(&b, now, 100, 7), 7);
		assert_false(tern_bucket_take(&b, now, 100, 7));
	}
}

static void a_token_comes_back_after_its_time_and_not_a_nanosecond_before(void **state)
{
	struct tern_bucket b = { 0 };

	(void)state;
	assert_int_equal(drain(&b, SECOND, 100, 3), 3);
	assert_false(tern_bucket_take(&b, SECOND + 9999999, 100, 3));
	assert_true(tern_bucket_take(&b, SECOND + 10000000, 100, 3));
	assert_false(tern_bucket_take(&b, SECOND + 10000000, 100, 3));
}

static void no_more_than_the_burst_is_saved_up(void **state)
{
	struct tern_bucket b = { 0 };

	(void)state;
	assert_int_equal(drain(&b, 0, 1000, 50), 50);
	assert_int_equal(drain(&b, 1000 * SECOND, 1000, 50), 50);
	assert_int_equal(drain(&b, UINT64_MAX / 2, UINT32_MAX, 50), 50);
}

static void asking_often_loses_nothing_to_rounding(void **state)
{
	struct tern_bucket b = { 0 };
	uint32_t taken = 0;

	(void)state;
	(void)drain(&b, 0, 7, 1);
	for (uint64_t now = 1; now <= 10 * SECOND; now += 99991)
		taken += tern_bucket_take(&b, now, 7, 1);
	assert_in_range(taken, 69, 70);
}

static void a_rate_of_zero_never_refills_and_a_burst_of_zero_never_gives(void **state)
{
	struct tern_bucket b = { 0 };

	(void)state;
	assert_int_equal(drain(&b, 0, 0, 2), 2);
	assert_false(tern_bucket_take(&b, UINT64_MAX - 1, 0, 2));
	b = (struct tern_bucket){ 0 };
	assert_false(tern_bucket_take(&b, SECOND, 1000, 0));
}

static void the_largest_rate_and_burst_do_not_overflow(void **state)
{
	struct tern_bucket b = { 0 };

	(void)state;
	b.missing = (uint64_t)UINT32_MAX * TERN_BUCKET_TOKEN;
	assert_false(tern_bucket_take(&b, 0, UINT32_MAX, UINT32_MAX));
	assert_int_equal(drain(&b, 1000, UINT32_MAX, UINT32_MAX), 4294);
	assert_true(tern_bucket_take(&b, UINT64_MAX - 1, UINT32_MAX, UINT32_MAX));
	assert_true(b.missing == TERN_BUCKET_TOKEN);
}

static void a_burst_that_shrinks_takes_tokens_away(void **state)
{
	struct tern_bucket b = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(tern_bucket_take(&b, 0, 1, 10));
	assert_false(tern_bucket_take(&b, 0, 1, 5));
	assert_true(tern_bucket_take(&b, SECOND, 1, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_bucket_is_full_at_any_time),
		cmocka_unit_test(a_token_comes_back_after_its_time_and_not_a_nanosecond_before),
		cmocka_unit_test(no_more_than_the_burst_is_saved_up),
		cmocka_unit_test(asking_often_loses_nothing_to_rounding),
		cmocka_unit_test(a_rate_of_zero_never_refills_and_a_burst_of_zero_never_gives),
		cmocka_unit_test(the_largest_rate_and_burst_do_not_overflow),
		cmocka_unit_test(a_burst_that_shrinks_takes_tokens_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
