/* SPDX-License-Identifier: BSD-2-Clause */
/* The pump: two stacks, driven without a loop. */
#include "unit/link/fake_stack.h"

#include "link/fault.h"
#include "link/mem.h"

static struct tern_stack a, b;
static struct tern_link_side sides[2];

static void join(struct tern_mem_link_config cfg)
{
	struct tern_link *end[2];

	assert_int_equal(tern_mem_link_new(&cfg, end), 0);
	fake_init(&a, 100);
	fake_init(&b, 200);
	sides[0] = (struct tern_link_side){ &a, end[0] };
	sides[1] = (struct tern_link_side){ &b, end[1] };
}

static void part(void)
{
	tern_link_close(sides[0].link);
	tern_link_close(sides[1].link);
}

static void everything_goes_over_and_then_it_is_quiet(void **state)
{
	(void)state;
	join((struct tern_mem_link_config){ 0 });
	a.to_send = 1000;
	b.to_send = 10;
	assert_int_equal(tern_link_pump(sides, 5), 2 * 1010);
	fake_expect(&b, 1000);
	fake_expect(&a, 10);
	assert_true(a.now == 5 && b.now == 5);
	assert_int_equal(tern_link_pump_round(sides, 5), 0);
	assert_int_equal(a.ticks + b.ticks, 0);
	part();
}

static void answers_are_pumped_as_well(void **state)
{
	(void)state;
	join((struct tern_mem_link_config){ 0 });
	a.to_send = 100;
	b.answer_with = 3;
	(void)tern_link_pump(sides, 0);
	fake_expect(&b, 100);
	fake_expect(&a, 300);
	part();
}

static void a_queue_of_one_frame_loses_nothing(void **state)
{
	(void)state;
	join((struct tern_mem_link_config){ .frames = 1 });
	a.to_send = 500;
	b.answer_with = 2;
	(void)tern_link_pump(sides, 0);
	fake_expect(&b, 500);
	fake_expect(&a, 1000);
	assert_int_equal(sides[0].link->counts.drops_out, 0);
	part();
}

static void frames_under_way_have_a_deadline(void **state)
{
	const struct tern_fault_config cfg = { .in.delay_ns = 700, .out.delay_ns = 300 };
	struct tern_link *wrapped;

	(void)state;
	join((struct tern_mem_link_config){ 0 });
	assert_int_equal(tern_fault_new(sides[0].link, &cfg, &wrapped), 0);
	sides[0].link = wrapped;
	a.to_send = 100;
	b.answer_with = 1;
	(void)tern_link_pump(sides, 1000);
	fake_expect(&b, 0);
	assert_true(tern_link_pump_deadline(sides) == 1300);
	(void)tern_link_pump(sides, 1300);
	fake_expect(&b, 100);
	fake_expect(&a, 0);
	assert_true(tern_link_pump_deadline(sides) == 2000);
	(void)tern_link_pump(sides, 2000);
	fake_expect(&a, 100);
	assert_true(tern_link_pump_deadline(sides) == TERN_NEVER);
	b.deadline = 4000;
	a.deadline = 5000;
	assert_true(tern_link_pump_deadline(sides) == 4000);
	part();
}

static void a_full_fault_queue_over_a_full_link_still_drains(void **state)
{
	const struct tern_fault_config cfg = { .queue_max = 3 };
	struct tern_link *wrapped;

	(void)state;
	join((struct tern_mem_link_config){ .frames = 2 });
	assert_int_equal(tern_fault_new(sides[0].link, &cfg, &wrapped), 0);
	sides[0].link = wrapped;
	a.to_send = 200;
	b.answer_with = 1;
	(void)tern_link_pump(sides, 0);
	fake_expect(&b, 200);
	fake_expect(&a, 200);
	part();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_goes_over_and_then_it_is_quiet),
		cmocka_unit_test(answers_are_pumped_as_well),
		cmocka_unit_test(a_queue_of_one_frame_loses_nothing),
		cmocka_unit_test(frames_under_way_have_a_deadline),
		cmocka_unit_test(a_full_fault_queue_over_a_full_link_still_drains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
