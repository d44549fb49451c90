/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"

static void a_sink_grows_and_gives_everything_back(void **unused)
{
	struct tern_mem mem = { 0 };
	struct tern_sink sink;

	(void)unused;
	tern_sink_init(&sink, &mem, 0);
	for (unsigned int i = 0; i < 10000; i++)
		tern_sink_u64(&sink, i % 10);
	assert_false(sink.failed);
	assert_int_equal(sink.len, 10000);
	for (unsigned int i = 0; i < 10000; i++)
		assert_int_equal(sink.buf[i], '0' + i % 10);
	assert_true(mem.used >= 10000);
	tern_sink_free(&sink);
	assert_int_equal(mem.used, 0);
}

static void a_fixed_sink_takes_its_size_and_no_byte_more(void **unused)
{
	char buf[8];
	struct tern_sink sink;

	(void)unused;
	for (size_t n = 7; n <= 9; n++) {
		tern_sink_init_fixed(&sink, buf, sizeof(buf));
		tern_sink_fill(&sink, 'x', n);
		assert_int_equal(sink.failed, n > 8);
		assert_int_equal(sink.len, n > 8 ? 0 : n);
	}
}

static void a_failure_sticks_until_the_sink_is_reset(void **unused)
{
	char buf[4];
	struct tern_sink sink;

	(void)unused;
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_sink_str(&sink, "abc");
	tern_sink_str(&sink, "de");
	tern_sink_char(&sink, 'f');
	assert_true(sink.failed);
	assert_int_equal(sink.len, 3);
	assert_memory_equal(buf, "abc", 3);
	tern_sink_reset(&sink);
	tern_sink_str(&sink, "de");
	assert_false(sink.failed);
	assert_memory_equal(buf, "de", 2);
}

static void a_limit_and_lack_of_memory_fail_the_sink(void **unused)
{
	struct tern_mem mem = { 0 }, poor = { .limit = 6000 };
	struct tern_sink sink;

	(void)unused;
	tern_sink_init(&sink, &mem, 5000);
	tern_sink_fill(&sink, 'x', 4999);
	tern_sink_char(&sink, 'x');
	assert_false(sink.failed);
	tern_sink_char(&sink, 'x');
	assert_true(sink.failed);
	tern_sink_free(&sink);
	assert_int_equal(mem.used, 0);
	tern_sink_init(&sink, &poor, 0);
	tern_sink_fill(&sink, 'x', 4096);
	assert_false(sink.failed);
	tern_sink_char(&sink, 'x');
	assert_true(sink.failed);
	assert_int_equal(sink.len, 4096);
	tern_sink_free(&sink);
	assert_int_equal(poor.used, 0);
}

static void a_line_ends_without_blanks(void **unused)
{
	char buf[32];
	struct tern_sink sink;

	(void)unused;
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_sink_str(&sink, "a  b   ");
	tern_sink_newline(&sink);
	tern_sink_fill(&sink, ' ', 5);
	tern_sink_newline(&sink);
	assert_int_equal(sink.len, 6);
	assert_memory_equal(buf, "a  b\n\n", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sink_grows_and_gives_everything_back),
		cmocka_unit_test(a_fixed_sink_takes_its_size_and_no_byte_more),
		cmocka_unit_test(a_failure_sticks_until_the_sink_is_reset),
		cmocka_unit_test(a_limit_and_lack_of_memory_fail_the_sink),
		cmocka_unit_test(a_line_ends_without_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
