/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/arrow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "report/sink.h"
#include "report/utf8.h"
#include "trace/drop.h"
#include "trace/state.h"
#include "wire/segment.h"

static char buf[1024];
static struct tern_sink sink;

static const char *drawn(void)
{
	assert_false(sink.failed);
	tern_sink_char(&sink, '\0');
	return buf;
}

static const char *draw(const struct tern_arrow *arrow, bool ascii)
{
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_arrow_draw(&sink, arrow, ascii);
	return drawn();
}

static const char *draw_run(const struct tern_arrow_run *run)
{
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_arrow_draw_run(&sink, run, false);
	return drawn();
}

static void every_segment_fits_a_hundred_columns_and_fills_the_shaft(void **unused)
{
	struct tern_trace_record record = {
		.length = UINT32_MAX,
		.window = 65535,
		.options = 63,
		.mss = 65535,
		.wscale = 255,
		.before = TERN_SYN_RECEIVED,
		.after = TERN_SYN_RECEIVED,
	};
	struct tern_arrow arrow = {
		.record = &record,
		.seq = UINT32_MAX,
		.ack = UINT32_MAX,
		.again = true,
		.peer_state = TERN_SYN_RECEIVED,
	};

	(void)unused;
	for (unsigned int i = 0; i < 4u * 512 * TERN_DROPS; i++) {
		record.flags = (uint16_t)(i / 4 % 512);
		record.kind = i & 1 ? TERN_TRACE_SEGMENT_IN : TERN_TRACE_SEGMENT_OUT;
		record.reason = arrow.peer_reason = (uint16_t)(i / 2048);
		draw(&arrow, i & 2);
		assert_int_equal(tern_utf8_columns(buf), 101);
	}
}

static void a_state_of_the_peer_that_is_not_known_is_a_question_mark(void **unused)
{
	struct tern_trace_record record = { .kind = TERN_TRACE_SEGMENT_OUT, .flags = TERN_ACK };
	struct tern_arrow arrow = { .record = &record };

	(void)unused;
	draw(&arrow, true);
	assert_string_equal(strrchr(buf, '>'), ">  ?\n");
	assert_memory_equal(buf, "  0.000000  CLOSED ", 19);
}

static void a_change_of_state_has_no_arrow(void **unused)
{
	struct tern_trace_record record = { .kind = TERN_TRACE_STATE, .after = TERN_CLOSED };
	struct tern_arrow arrow = { .record = &record, .peer_state = TERN_CLOSED };

	(void)unused;
	draw(&arrow, false);
	assert_null(strstr(buf, "─"));
	assert_int_equal(strlen(buf), 95);
}

static void times_lose_decimals_before_they_need_more_room(void **unused)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} times[] = {
		{ 999, "  0.000000" },
		{ 1000, "  0.000001" },
		{ 999999999999, "999.999999" },
		{ 1000000000000, "1000.00000" },
		{ 86400000000000, "86400.0000" },
	};
	struct tern_trace_record record = { .kind = TERN_TRACE_STATE, .after = TERN_CLOSED };

	(void)unused;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct tern_arrow arrow = { .record = &record, .time_ns = times[i].ns };

		assert_memory_equal(draw(&arrow, false), times[i].text, 10);
	}
}

static void a_run_takes_a_second_line_for_its_events_only_if_it_must(void **unused)
{
	struct tern_arrow_run run = {
		.count = 1024,
		.bytes_in = 1400000,
		.bytes_out = 999,
		.state = TERN_ESTABLISHED,
		.peer_state = TERN_ESTABLISHED,
	};

	(void)unused;
	draw_run(&run);
	assert_non_null(strstr(buf, "⋮ 1,024 segments, 999 B out, 1.4 MB in ⋮"));
	run.drops = 7;
	draw_run(&run);
	assert_non_null(strstr(buf, "1.4 MB in, 7 dropped ⋮"));
	assert_int_equal(tern_utf8_columns(buf), 100);
	run.again = 1482910;
	run.drops = 14829;
	draw_run(&run);
	assert_non_null(strstr(buf, "1.4 MB in ⋮"));
	assert_non_null(strstr(buf, "⋮ 1,482,910 again, 14,829 dropped ⋮\n"));
	run.drops = 0;
	run.bytes_out = run.bytes_in = 999900000;
	run.count = 99482910;
	draw_run(&run);
	assert_non_null(strstr(buf, "⋮ 1,482,910 again ⋮\n"));
}

static void a_run_of_any_size_is_drawn(void **unused)
{
	struct tern_arrow_run run = {
		.count = UINT64_MAX,
		.bytes_in = UINT64_MAX,
		.bytes_out = UINT64_MAX,
		.again = UINT64_MAX,
		.drops = UINT64_MAX,
	};

	(void)unused;
	draw_run(&run);
	assert_non_null(strstr(buf, "18,446,744,073,709,551,615 segments, 18.4 EB out"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_segment_fits_a_hundred_columns_and_fills_the_shaft),
		cmocka_unit_test(a_state_of_the_peer_that_is_not_known_is_a_question_mark),
		cmocka_unit_test(a_change_of_state_has_no_arrow),
		cmocka_unit_test(times_lose_decimals_before_they_need_more_room),
		cmocka_unit_test(a_run_takes_a_second_line_for_its_events_only_if_it_must),
		cmocka_unit_test(a_run_of_any_size_is_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
