/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

static void a_path_mtu_goes_down_to_the_floor_and_never_up(void **state)
{
	static const struct {
		const char *dest;
		uint32_t told, mtu;
	} cases[] = {
		{ "198.51.100.1", 1501, 1500 },
		{ "198.51.100.1", 1500, 1500 },
		{ "198.51.100.1", 1499, 1499 },
		{ "198.51.100.1", 553, 553 },
		{ "198.51.100.1", 552, 552 },
		{ "198.51.100.1", 551, 552 },
		{ "198.51.100.1", 0, 552 },
		{ "2001:db8:9::1", 1281, 1281 },
		{ "2001:db8:9::1", 1280, 1280 },
		{ "2001:db8:9::1", 1279, 1280 },
		{ "2001:db8:9::1", UINT32_MAX, 1500 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_stack *st = usual_stack();
		struct tern_addr dest = addr(cases[i].dest);

		assert_int_equal(tern_path_mtu(st, &dest), 1500);
		tern_path_lower(st, &dest, cases[i].told);
		assert_int_equal(tern_path_mtu(st, &dest), cases[i].mtu);
		tern_path_lower(st, &dest, 1500);
		assert_int_equal(tern_path_mtu(st, &dest), cases[i].mtu);
		close_stack(st);
	}
}

static void a_path_mtu_is_forgotten_after_ten_minutes(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_addr dest = addr("198.51.100.1"), other;

	(void)state;
	tern_path_lower(st, &dest, 1000);
	for (uint32_t i = 0; i < 2000; i++) { /* some of them share its slot */
		other = tern_addr_v4(203, 0, (uint8_t)(i >> 8), (uint8_t)i);
		assert_int_equal(tern_path_mtu(st, &other), 1500);
	}
	tern_tcp_set_now(&st->tcp, st->tcp.now + 600 * S - 1);
	assert_int_equal(tern_path_mtu(st, &dest), 1000);
	tern_tcp_set_now(&st->tcp, st->tcp.now + 1);
	assert_int_equal(tern_path_mtu(st, &dest), 1500);
	tern_path_lower(st, &dest, 1400);
	assert_int_equal(tern_path_mtu(st, &dest), 1400);
	close_stack(st);
}

static void six_answers_at_once_then_one_for_each_interval(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_addr dest = addr("198.51.100.1");

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_true(tern_path_may_answer(st, &dest));
	assert_false(tern_path_may_answer(st, &dest));
	tern_tcp_set_now(&st->tcp, st->tcp.now + 1 * S - 1);
	assert_false(tern_path_may_answer(st, &dest));
	tern_tcp_set_now(&st->tcp, st->tcp.now + 1);
	assert_true(tern_path_may_answer(st, &dest));
	assert_false(tern_path_may_answer(st, &dest));
	st->knobs.icmp_ratelimit = 0;
	for (int i = 0; i < 20; i++)
		assert_true(tern_path_may_answer(st, &dest));
	close_stack(st);
}

/* CVE-2020-25705: how many answers there are in a burst must not be the same each time. */
static void the_limit_of_all_answers_is_blurred_by_chance(void **state)
{
	struct tern_stack *st = usual_stack();
	unsigned int least = UINT32_MAX, most = 0;

	(void)state;
	for (uint8_t round = 0; round < 20; round++) {
		unsigned int n = 0;

		tern_tcp_set_now(&st->tcp, st->tcp.now + 100 * S);
		for (unsigned int i = 0; i < 250; i++) {
			struct tern_addr dest = tern_addr_v4(198, 51, round, (uint8_t)i);

			n += tern_path_may_answer(st, &dest);
		}
		least = TERN_MIN(least, n);
		most = TERN_MAX(most, n);
	}
	assert_in_range(least, 20, 100);
	assert_in_range(most, least + 5, 180);
	close_stack(st);
}

static void the_limit_of_all_answers_may_be_zero_but_not_for_ourselves(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_addr dest = addr("198.51.100.1"), mine = addr("10.77.0.2");

	(void)state;
	st->knobs.icmp_msgs_per_sec = 0;
	assert_false(tern_path_may_answer(st, &dest));
	for (int i = 0; i < 100; i++)
		assert_true(tern_path_may_answer(st, &mine));
	close_stack(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_mtu_goes_down_to_the_floor_and_never_up),
		cmocka_unit_test(a_path_mtu_is_forgotten_after_ten_minutes),
		cmocka_unit_test(six_answers_at_once_then_one_for_each_interval),
		cmocka_unit_test(the_limit_of_all_answers_is_blurred_by_chance),
		cmocka_unit_test(the_limit_of_all_answers_may_be_zero_but_not_for_ourselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
