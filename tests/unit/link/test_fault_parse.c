/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of a fault configuration. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "link/fault.h"

static struct tern_fault_config cfg;
static const char *at, *why;

static void rates_and_times_hold_for_both_directions(void **state)
{
	const struct tern_fault_rates expected = { .loss_ppm = 10000,
						   .dup_ppm = 5000,
						   .corrupt_ppm = 1000,
						   .reorder_ppm = 250,
						   .delay_ns = 10000000,
						   .jitter_ns = 1500000 };

	(void)state;
	assert_int_equal(tern_fault_parse("loss=1%,dup=0.5%,reorder=250ppm,delay=10ms,"
					  "jitter=1.5ms,corrupt=0.1%,seed=7,queue=99",
					  &cfg, &at, &why),
			 0);
	assert_memory_equal(&cfg.in, &expected, sizeof(expected));
	assert_memory_equal(&cfg.out, &expected, sizeof(expected));
	assert_int_equal(cfg.seed, 7);
	assert_int_equal(cfg.queue_max, 99);
}

static void a_direction_can_be_named(void **state)
{
	(void)state;
	assert_int_equal(tern_fault_parse("loss=2%,in.loss=3%,out.delay=7us", &cfg, &at, &why), 0);
	assert_int_equal(cfg.in.loss_ppm, 30000);
	assert_int_equal(cfg.out.loss_ppm, 20000);
	assert_int_equal(cfg.in.delay_ns, 0);
	assert_int_equal(cfg.out.delay_ns, 7000);
}

static void nothing_is_a_wire_without_faults(void **state)
{
	const struct tern_fault_config zero = { 0 };

	(void)state;
	memset(&cfg, 0xff, sizeof(cfg));
	assert_int_equal(tern_fault_parse("", &cfg, &at, &why), 0);
	assert_memory_equal(&cfg, &zero, sizeof(zero));
}

static void every_unit_means_what_it_says(void **state)
{
	const struct {
		const char *text;
		uint64_t ns;
	} times[] = { { "delay=1ns", 1 },
		      { "delay=1us", 1000 },
		      { "delay=1ms", 1000000 },
		      { "delay=1s", 1000000000 },
		      { "delay=0.000000001s", 1 },
		      { "delay=1.9ns", 1 },
		      { "delay=3600s", 3600000000000 } };
	size_t i;

	(void)state;
	for (i = 0; i < TERN_ARRAY_SIZE(times); i++) {
		assert_int_equal(tern_fault_parse(times[i].text, &cfg, &at, &why), 0);
		assert_true(cfg.in.delay_ns == times[i].ns);
	}
}

static void what_is_wrong_is_pointed_at(void **state)
{
	const struct {
		const char *text;
		size_t offset;
	} wrong[] = {
		{ "los=1%", 0 },
		{ "loss", 0 },
		{ "loss=1", 0 },
		{ "loss=", 0 },
		{ "loss=%", 0 },
		{ "loss=-1%", 0 },
		{ "loss=1%%", 0 },
		{ "loss=100.0001%", 0 },
		{ "loss=1000001ppm", 0 },
		{ "loss=1%,dup=2x", 8 },
		{ "loss=1%,,dup=1%", 8 },
		{ "delay=10", 0 },
		{ "delay=3601s", 0 },
		{ "delay=.5s", 0 },
		{ "delay=1.s", 0 },
		{ "delay=1234567890ns", 0 },
		{ "in.seed=1", 0 },
		{ "seed=1,queue=0", 7 },
		{ "queue=1048577", 0 },
		{ "seed=x", 0 },
		{ "seed=18446744073709551616", 0 },
		{ "loss=1%,in.out.loss=1%", 8 },
		{ "loss=00000000000000000000000000000000000000000000000000000000000000001%", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < TERN_ARRAY_SIZE(wrong); i++) {
		at = why = NULL;
		cfg.seed = 4711;
		assert_int_equal(tern_fault_parse(wrong[i].text, &cfg, &at, &why), -EINVAL);
		assert_ptr_equal(at, wrong[i].text + wrong[i].offset);
		assert_non_null(why);
		assert_int_equal(cfg.seed, 4711);
	}
}

static void the_ends_of_the_ranges_are_allowed(void **state)
{
	(void)state;
	assert_int_equal(tern_fault_parse("loss=100%,dup=1000000ppm,corrupt=0%,queue=1048576,"
					  "seed=18446744073709551615",
					  &cfg, &at, &why),
			 0);
	assert_int_equal(cfg.in.loss_ppm, 1000000);
	assert_int_equal(cfg.out.dup_ppm, 1000000);
	assert_true(cfg.seed == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_and_times_hold_for_both_directions),
		cmocka_unit_test(a_direction_can_be_named),
		cmocka_unit_test(nothing_is_a_wire_without_faults),
		cmocka_unit_test(every_unit_means_what_it_says),
		cmocka_unit_test(what_is_wrong_is_pointed_at),
		cmocka_unit_test(the_ends_of_the_ranges_are_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
