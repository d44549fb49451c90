/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/flows.h"

#include "report/sink.h"
#include "trace/drop.h"
#include "unit/golden.h"
#include "unit/report/segments.h"

static struct script script;

static int set_up(void **unused)
{
	(void)unused;
	script_begin(&script);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	script_end(&script);
	return 0;
}

static void connections_are_listed_in_the_order_they_begin(void **unused)
{
	struct tern_trace_flow flows[4];
	struct tern_sink sink;
	char buf[2048];
	size_t count;

	(void)unused;
	passive_open(&script);
	script.remote.port = 50261;
	script.now_us += 1500000;
	active_open(&script);
	script.remote.port = 50260;
	in(&script, PA, 1, 1, 1400000, TERN_ESTABLISHED, TERN_ESTABLISHED);
	out(&script, PA, 1, 1400001, 6, TERN_ESTABLISHED, TERN_ESTABLISHED);
	script.remote.port = 50261;
	in(&script, TERN_ACK, 1, 1, 0, TERN_ESTABLISHED, TERN_ESTABLISHED)->reason =
		TERN_DROP_TCP_TOO_OLD_ACK;
	active_close(&script, 0, 0);
	count = tern_flows_list(script.records, script.count, flows, 4);
	assert_int_equal(count, 2);
	assert_int_equal(flows[0].segments, 5);
	assert_int_equal(flows[0].bytes_in, 1400000);
	assert_int_equal(flows[0].bytes_out, 6);
	assert_int_equal(flows[0].state, TERN_ESTABLISHED);
	assert_int_equal(flows[1].segments, 8);
	assert_int_equal(flows[1].drops, 1);
	assert_int_equal(flows[1].state, TERN_TIME_WAIT);
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_flows_text(&sink, flows, count);
	assert_golden("flows.txt", buf, sink.len);
}

static void more_connections_than_there_is_room_for_are_passed_over(void **unused)
{
	struct tern_trace_flow flows[3];

	(void)unused;
	assert_int_equal(tern_flows_list(NULL, 0, flows, 3), 0);
	for (unsigned int i = 0; i < 12; i++) {
		script.remote.port = (uint16_t)(1 + i % 4);
		out(&script, TERN_ACK, 1, 1, 1, TERN_ESTABLISHED, TERN_ESTABLISHED);
	}
	assert_int_equal(tern_flows_list(script.records, script.count, flows, 3), 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(flows[i].remote.port, i + 1);
		assert_int_equal(flows[i].segments, 3);
	}
	assert_int_equal(tern_flows_list(script.records, script.count, flows, 0), 0);
}

static void endpoints_match_as_a_whole(void **unused)
{
	const struct tern_trace_record *record;

	(void)unused;
	record = out(&script, TERN_ACK, 1, 1, 0, 1, 1);
	assert_true(tern_flows_match(record, &script.local, &script.remote));
	assert_false(tern_flows_match(record, &script.remote, &script.local));
	script.local.port++;
	assert_false(tern_flows_match(record, &script.local, &script.remote));
	script.local.port--;
	script.remote.addr.b[3]++;
	assert_false(tern_flows_match(record, &script.local, &script.remote));
}

static void sizes_are_written_as_people_read_them(void **unused)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 kB" },
		{ 1099, "1.0 kB" },
		{ 999999, "999.9 kB" },
		{ 1000000, "1.0 MB" },
		{ 1073741824, "1.0 GB" },
		{ 999999999999, "999.9 GB" },
		{ UINT64_MAX, "18.4 EB" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct tern_sink sink;
		char buf[32];

		tern_sink_init_fixed(&sink, buf, sizeof(buf));
		tern_flows_bytes(&sink, sizes[i].bytes);
		tern_sink_char(&sink, '\0');
		assert_string_equal(buf, sizes[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connections_are_listed_in_the_order_they_begin,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			more_connections_than_there_is_room_for_are_passed_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(endpoints_match_as_a_whole, set_up, tear_down),
		cmocka_unit_test(sizes_are_written_as_people_read_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
