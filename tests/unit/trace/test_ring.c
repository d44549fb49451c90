/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void write_numbered(struct tern_trace *trace, uint64_t from, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		tern_trace_next(trace)->time_ns = from + i;
}

/* Reads on from *cursor and expects the numbers from .. from + count - 1 and then no more. */
static void expect_numbered(const struct tern_trace *trace, uint64_t *cursor, uint64_t from,
			    uint64_t count)
{
	struct tern_trace_record record;

	for (uint64_t i = 0; i < count; i++) {
		assert_true(tern_trace_read(trace, cursor, &record));
		assert_int_equal(record.time_ns, from + i);
	}
	assert_false(tern_trace_read(trace, cursor, &record));
}

static void a_ring_of_no_records_is_off_and_still_counts(void **unused)
{
	struct tern_mem mem = { 0 };
	struct tern_trace trace;
	struct tern_trace_record record;
	uint64_t cursor = 0;

	(void)unused;
	assert_int_equal(tern_trace_init(&trace, &mem, 0), 0);
	assert_int_equal(mem.used, 0);
	assert_null(tern_trace_next(&trace));
	assert_false(tern_trace_read(&trace, &cursor, &record));
	tern_count(&trace, TERN_CNT_TcpInSegs);
	tern_count_n(&trace, TERN_CNT_TcpInSegs, 41);
	assert_int_equal(trace.counters[TERN_CNT_TcpInSegs], 42);
	tern_trace_free(&trace, &mem);
}

static void a_record_is_read_once_and_in_order(void **unused)
{
	struct tern_mem mem = { 0 };
	struct tern_trace trace;
	uint64_t cursor = 0;

	(void)unused;
	assert_int_equal(tern_trace_init(&trace, &mem, 8), 0);
	write_numbered(&trace, 100, 3);
	expect_numbered(&trace, &cursor, 100, 3);
	write_numbered(&trace, 103, 1);
	expect_numbered(&trace, &cursor, 103, 1);
	tern_trace_free(&trace, &mem);
	assert_int_equal(mem.used, 0);
}

static void a_slow_reader_goes_on_with_the_oldest_record_there_is(void **unused)
{
	struct tern_mem mem = { 0 };
	struct tern_trace trace;

	(void)unused;
	for (uint64_t written = 7; written <= 9; written++) {
		uint64_t cursor = 0;

		assert_int_equal(tern_trace_init(&trace, &mem, 8), 0);
		write_numbered(&trace, 0, written);
		expect_numbered(&trace, &cursor, written > 8 ? written - 8 : 0,
				written > 8 ? 8 : written);
		tern_trace_free(&trace, &mem);
	}
}

static void the_capacity_is_rounded_up_to_a_power_of_two(void **unused)
{
	static const uint32_t max[] = { 1, 2, 3, 4, 5, 1023, 1024, 1025 };
	static const uint32_t mask[] = { 0, 1, 3, 3, 7, 1023, 1023, 2047 };
	struct tern_mem mem = { 0 };
	struct tern_trace trace;

	(void)unused;
	for (size_t i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		assert_int_equal(tern_trace_init(&trace, &mem, max[i]), 0);
		assert_int_equal(trace.mask, mask[i]);
		tern_trace_free(&trace, &mem);
		assert_int_equal(mem.used, 0);
	}
}

static void a_new_record_holds_nothing_of_the_one_it_overwrites(void **unused)
{
	struct tern_mem mem = { 0 };
	struct tern_trace trace;

	(void)unused;
	assert_int_equal(tern_trace_init(&trace, &mem, 1), 0);
	tern_trace_next(&trace)->reason = 7;
	assert_int_equal(tern_trace_next(&trace)->reason, 0);
	tern_trace_free(&trace, &mem);
}

static void a_ring_for_which_there_is_no_memory_is_refused_and_off(void **unused)
{
	struct tern_mem mem = { .fail_in = 1 };
	struct tern_trace trace;

	(void)unused;
	assert_int_equal(tern_trace_init(&trace, &mem, 8), -ENOMEM);
	assert_null(tern_trace_next(&trace));
	tern_trace_free(&trace, &mem);
	assert_int_equal(tern_trace_init(&trace, &mem, UINT32_MAX), -ENOMEM);
	tern_trace_free(&trace, &mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_of_no_records_is_off_and_still_counts),
		cmocka_unit_test(a_record_is_read_once_and_in_order),
		cmocka_unit_test(a_slow_reader_goes_on_with_the_oldest_record_there_is),
		cmocka_unit_test(the_capacity_is_rounded_up_to_a_power_of_two),
		cmocka_unit_test(a_new_record_holds_nothing_of_the_one_it_overwrites),
		cmocka_unit_test(a_ring_for_which_there_is_no_memory_is_refused_and_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
