/* SPDX-License-Identifier: BSD-2-Clause */
/* How long records wait: lengths that change while others wait, beginnings anew, odd clocks. */
#include "world.h"

/* A record of flow n that is asked to wait len_s seconds. */
static uint32_t wait_for(struct world *w, unsigned int n, uint32_t len_s)
{
	struct tern_flow flow = peer(n);

	w->knobs.tern_timewait_len = len_s;
	return leave(w, &flow, TERN_TIME_WAIT, false);
}

static void assert_waits(const struct world *w, uint32_t idx, uint32_t len_s)
{
	uint64_t end = w->tcp.now + len_s * NS_PER_S;

	assert_in_range(tern_timewait_when(&w->tw, idx), end, end + TERN_TICK_NS - 1);
}

static void a_shorter_length_does_not_wait_for_a_longer_one(void **state)
{
	struct world w;
	uint32_t first;

	(void)state;
	world_start(&w);
	first = wait_for(&w, 1, 60);
	assert_waits(&w, wait_for(&w, 2, 1), 1);
	assert_waits(&w, wait_for(&w, 3, 60), 60);
	assert_waits(&w, wait_for(&w, 4, 1), 1);
	assert_waits(&w, first, 60);
	later(&w, NS_PER_S + TERN_TICK_NS);
	assert_int_equal(w.tw.pool.used, 2);
	later(&w, 58 * NS_PER_S);
	assert_int_equal(w.tw.pool.used, 2);
	later(&w, NS_PER_S);
	assert_int_equal(w.tw.pool.used, 0);
	world_close(&w);
}

static void a_third_length_waits_for_the_next_longer(void **state)
{
	const struct {
		uint32_t asked, waits;
	} cases[] = { { 9, 10 },  { 10, 10 }, { 11, 60 }, { 59, 60 },
		      { 60, 60 }, { 61, 61 }, { 0, 10 },  { 3600, 3600 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct world w;

		world_start(&w);
		assert_waits(&w, wait_for(&w, 1, 60), 60);
		assert_waits(&w, wait_for(&w, 2, 10), 10);
		assert_waits(&w, wait_for(&w, 3, cases[i].asked), cases[i].waits);
		later(&w, 60 * NS_PER_S + TERN_TICK_NS);
		assert_int_equal(w.tw.pool.used, cases[i].waits > 60);
		later(&w, 3600 * NS_PER_S);
		assert_int_equal(w.tw.pool.used, 0);
		assert_waits(&w, wait_for(&w, 4, 7), 7);
		world_close(&w);
	}
}

static void the_states_do_not_wait_for_each_other(void **state)
{
	struct tern_flow flow = peer(1);
	struct world w;

	(void)state;
	world_start(&w);
	w.knobs.tcp_fin_timeout = 5;
	w.idx = leave(&w, &flow, TERN_FIN_WAIT_2, false);
	wait_for(&w, 2, 60);
	assert_waits(&w, w.idx, 5);
	later(&w, NS_PER_S);
	tern_tw_enter(&w.tw, w.idx, tern_tw_at(&w.tw, w.idx));
	assert_waits(&w, w.idx, 60);
	later(&w, 59 * NS_PER_S + TERN_TICK_NS);
	assert_int_equal(w.tw.pool.used, 1);
	assert_int_equal(find(&w, &flow), w.idx);
	later(&w, NS_PER_S);
	assert_int_equal(w.tw.pool.used, 0);
	world_close(&w);
}

static void who_begins_anew_goes_behind_the_others(void **state)
{
	struct world w;
	uint32_t idx[3];

	(void)state;
	world_start(&w);
	for (unsigned int i = 0; i < 3; i++)
		idx[i] = wait_for(&w, i, 60);
	later(&w, 30 * NS_PER_S);
	tern_tw_restart(&w.tw, idx[1], tern_tw_at(&w.tw, idx[1]));
	assert_waits(&w, idx[0], 30);
	assert_waits(&w, idx[2], 30);
	assert_waits(&w, idx[1], 60);
	later(&w, 30 * NS_PER_S + TERN_TICK_NS);
	assert_int_equal(w.tw.pool.used, 1);
	assert_true(tern_pool_is_used(&w.tw.pool, idx[1]));
	world_close(&w);
}

static void time_that_goes_back_stands_still(void **state)
{
	struct world w;
	uint32_t first;
	uint64_t end;

	(void)state;
	world_start(&w);
	first = wait_for(&w, 1, 60);
	end = tern_timewait_when(&w.tw, first);
	tern_tcp_set_now(&w.tcp, w.tcp.now - 5 * NS_PER_S);
	tern_timewait_tick(&w.tw);
	assert_int_equal(tern_timewait_when(&w.tw, wait_for(&w, 2, 60)), end);
	assert_int_equal(tern_timewait_deadline(&w.tw), end);
	tern_tcp_set_now(&w.tcp, end - 1);
	tern_timewait_tick(&w.tw);
	assert_int_equal(w.tw.pool.used, 2);
	tern_tcp_set_now(&w.tcp, end);
	tern_timewait_tick(&w.tw);
	assert_int_equal(w.tw.pool.used, 0);
	world_close(&w);
}

static void a_stack_that_slept_for_weeks_wakes_up_without_records(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	wait_for(&w, 1, 60);
	wait_for(&w, 2, 3600);
	tern_tcp_set_now(&w.tcp, w.tcp.now + 30 * 86400 * NS_PER_S);
	tern_timewait_tick(&w.tw);
	assert_int_equal(w.tw.pool.used, 0);
	assert_waits(&w, wait_for(&w, 3, 60), 60);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shorter_length_does_not_wait_for_a_longer_one),
		cmocka_unit_test(a_third_length_waits_for_the_next_longer),
		cmocka_unit_test(the_states_do_not_wait_for_each_other),
		cmocka_unit_test(who_begins_anew_goes_behind_the_others),
		cmocka_unit_test(time_that_goes_back_stands_still),
		cmocka_unit_test(a_stack_that_slept_for_weeks_wakes_up_without_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
