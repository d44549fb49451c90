/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/summary.h"

#include "report/json.h"
#include "report/sink.h"
#include "unit/golden.h"
#include "unit/report/rows.h"

static char buf[8192];
static struct tern_sink sink;

static const struct tern_stack_info info = {
	.version = "0.1.0",
	.conns = 7,
	.conns_max = 65536,
	.halfopens = 2,
	.halfopens_max = 16384,
	.timewaits = 1,
	.timewaits_max = 131072,
	.accept_queued = 1,
	.tcp_buffer_bytes = 131840,
	.tcp_buffer_limit = 536870912,
	.memory_bytes = 1048576,
	.memory_peak_bytes = 2097152,
};

static void the_summary_counts_as_ss_does(void **unused)
{
	struct tern_socket_info rows[ROWS + 3];

	(void)unused;
	make_rows(rows);
	rows[ROWS] = tcp_row(TERN_SYN_RECEIVED, v4(8080), v4(1));
	rows[ROWS + 1] = tcp_row(TERN_CLOSED, v4(0), v4(0));
	rows[ROWS + 2] = tcp_row(TERN_SYN_RECEIVED, v4(9), v4(10));
	rows[ROWS + 2].has = TERN_INFO_TCP;
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_summary_text(&sink, &info, rows, ROWS + 3);
	assert_golden("ss-s.txt", buf, sink.len);
}

static void an_empty_stack_has_a_summary_of_zeros(void **unused)
{
	const struct tern_stack_info empty = { .pressure = true };

	(void)unused;
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_summary_text(&sink, &empty, NULL, 0);
	tern_sink_char(&sink, '\0');
	assert_non_null(strstr(buf, "Total: 0\n"));
	assert_non_null(strstr(buf, "TCP:   0 (estab 0, closed 0, orphaned 0, timewait 0)\n"));
	assert_non_null(strstr(buf, "(pressure)"));
}

static void the_json_summary_is_the_committed_one(void **unused)
{
	struct tern_socket_info rows[ROWS];
	struct tern_json json;

	(void)unused;
	make_rows(rows);
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_json_init(&json, &sink, true);
	tern_summary_json(&json, &info, rows, ROWS);
	assert_golden("ss-s.json", buf, sink.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_summary_counts_as_ss_does),
		cmocka_unit_test(an_empty_stack_has_a_summary_of_zeros),
		cmocka_unit_test(the_json_summary_is_the_committed_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
