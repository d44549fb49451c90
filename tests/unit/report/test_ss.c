/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/ss.h"

#include "base/text.h"
#include "report/json.h"
#include "report/json_read.h"
#include "report/sink.h"
#include "unit/golden.h"
#include "unit/report/rows.h"

static char buf[128 * 1024];
static struct tern_sink sink;
static struct tern_filter filter;
static struct tern_socket_info rows[ROWS];

static struct tern_ss_options begin(unsigned int protos, const char *words)
{
	static const struct tern_services none = { 0 };
	char wrong[200];
	struct tern_text error;

	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_filter_init(&filter, protos, true, false);
	tern_text_init(&error, wrong, sizeof(wrong));
	assert_int_equal(tern_filter_parse(&filter, words, &none, &error), 0);
	make_rows(rows);
	return (struct tern_ss_options){ .filter = &filter };
}

static void print(const struct tern_ss_options *options, const char *golden)
{
	tern_ss_table(&sink, options, rows, ROWS);
	assert_false(sink.failed);
	assert_golden(golden, buf, sink.len);
}

static void the_plain_table_is_the_one_ss_prints(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "");

	(void)unused;
	print(&options, "ss-tan.txt");
}

static void the_table_spreads_over_a_terminal_as_that_of_ss(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "");

	(void)unused;
	options.width = 120;
	print(&options, "ss-tan-120.txt");
	tern_sink_reset(&sink);
	options.width = 125;
	print(&options, "ss-tan-125.txt");
}

static void two_protocols_get_a_netid_and_timers_come_with_ages(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP | TERN_FILTER_UDP, "");

	(void)unused;
	options.timers = true;
	print(&options, "ss-tuano.txt");
}

static void one_state_needs_no_state_column(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "state established");

	(void)unused;
	print(&options, "ss-tan-established.txt");
}

static void four_digit_ports_leave_a_blank_before_process(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "state listening");

	(void)unused;
	print(&options, "ss-tan-listening.txt");
}

static void details_and_memory_follow_on_a_second_line(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "");

	(void)unused;
	options.timers = options.extended = options.memory = true;
	print(&options, "ss-tanoem.txt");
}

static void oneline_keeps_memory_on_the_row(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "sport = :8080");

	(void)unused;
	options.memory = options.oneline = options.no_header = true;
	print(&options, "ss-tanOHm.txt");
}

static void ports_have_names_when_a_table_of_them_is_given(void **unused)
{
	static const struct tern_service known[] = {
		{ "http-alt", 8080, TERN_PROTO_TCP },
		{ "tproxy", 8081, TERN_PROTO_TCP },
		{ "wrong", 8082, TERN_PROTO_UDP },
	};
	const struct tern_services services = { known, 3 };
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "");

	(void)unused;
	options.services = &services;
	print(&options, "ss-ta.txt");
}

/* A server of two processes, a client with a second descriptor; nobody has the others. */
static const struct tern_holder users[] = {
	{ 1, 7, 6, "nginx" },  { 1, 8, 6, "nginx" },  { 2, 8, 11, "nginx" },
	{ 3, 900, 3, "curl" }, { 3, 900, 4, "c\nl" },
};

static struct tern_ss_options with_users(struct tern_ss_options options)
{
	rows[0].id = 1;
	rows[6].id = 2;
	rows[5].id = 3;
	rows[3].id = 4; /* an orphan */
	options.processes = true;
	options.holders = (struct tern_holders){ users, 5 };
	return options;
}

static void processes_come_first_in_the_last_column(void **unused)
{
	struct tern_ss_options options = with_users(begin(TERN_FILTER_TCP, ""));

	(void)unused;
	print(&options, "ss-tanp.txt");
	tern_sink_reset(&sink);
	options.timers = options.extended = true;
	print(&options, "ss-tanpoe.txt");
}

static void a_socket_may_be_held_by_any_number_of_processes(void **unused)
{
	static struct tern_holder many[1000];
	struct tern_ss_options options = with_users(begin(TERN_FILTER_TCP, "sport = :42064"));
	const char *at;

	(void)unused;
	for (int i = 0; i < 1000; i++)
		many[i] = (struct tern_holder){ 3, 4000000 + i, 1000 + i, "pre-forking-ser" };
	options.holders = (struct tern_holders){ many, 1000 };
	options.timers = true;
	tern_ss_table(&sink, &options, rows, ROWS);
	tern_sink_char(&sink, '\0');
	assert_false(sink.failed);
	assert_non_null(strstr(buf, " users:((\"pre-forking-ser\",pid=4000000,fd=1000),("));
	at = strstr(buf, "(\"pre-forking-ser\",pid=4000999,fd=1999)) timer:(keepalive,");
	assert_non_null(at);
}

static void without_processes_the_column_is_as_before(void **unused)
{
	struct tern_ss_options options = with_users(begin(TERN_FILTER_TCP, ""));

	(void)unused;
	options.holders = (struct tern_holders){ 0 };
	print(&options, "ss-tan.txt");
}

static unsigned int count_of(const char *word)
{
	unsigned int n = 0;

	for (const char *at = buf; (at = strstr(at, word)); at++)
		n++;
	return n;
}

static void json_names_the_users_of_each_socket(void **unused)
{
	struct tern_ss_options options = with_users(begin(TERN_FILTER_TCP, ""));
	struct tern_json json;

	(void)unused;
	tern_json_init(&json, &sink, false);
	tern_ss_json(&json, &options, rows, ROWS);
	tern_sink_char(&sink, '\0');
	assert_int_equal(count_of("\"users\":[{"), 3);
	assert_int_equal(count_of("\"users\":[]"), ROWS - 1 - 3);
	assert_int_equal(count_of("{\"name\":\"nginx\",\"pid\":8,\"fd\":6}"), 1);
	assert_int_equal(count_of("\"pid\":"), 5);
}

static void no_row_leaves_the_header_alone(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP, "sport = :1");

	(void)unused;
	tern_ss_table(&sink, &options, rows, ROWS);
	tern_sink_char(&sink, '\0');
	assert_string_equal(buf,
			    "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n");
}

static void no_line_ends_with_a_blank(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP | TERN_FILTER_UDP, "");

	(void)unused;
	options = with_users(options);
	for (unsigned int bits = 0; bits < 64; bits++) {
		options.timers = bits & 1;
		options.extended = bits & 2;
		options.memory = bits & 4;
		options.oneline = bits & 8;
		options.width = bits & 16 ? 200 : 0;
		options.processes = bits & 32;
		tern_sink_reset(&sink);
		tern_ss_table(&sink, &options, rows, ROWS);
		tern_sink_char(&sink, '\0');
		assert_false(sink.failed);
		assert_null(strstr(buf, " \n"));
	}
}

static void the_json_form_is_complete_and_well_formed(void **unused)
{
	struct tern_ss_options options = begin(TERN_FILTER_TCP | TERN_FILTER_UDP, "");
	struct tern_json_reader reader;
	struct tern_json_token token;
	struct tern_json json;
	unsigned int found = 0;
	int got;

	(void)unused;
	tern_json_init(&json, &sink, true);
	tern_ss_json(&json, &options, rows, ROWS);
	assert_false(sink.failed);
	tern_json_reader_init(&reader, buf, sink.len, TERN_JSON_READ_DEPTH);
	while ((got = tern_json_next(&reader, &token)) > 0)
		found += strcmp(token.key, "cookie") == 0;
	assert_int_equal(got, 0);
	assert_int_equal(found, ROWS);
	assert_memory_equal(buf, "{\n    \"schema\": \"tern.ss\",\n    \"version\": 1,", 44);
}

static void timers_have_the_units_of_ss(void **unused)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} times[] = {
		{ 0, "" },
		{ 1, "001ms" },
		{ 40, "040ms" },
		{ 999, "999ms" },
		{ 1000, "1sec" },
		{ 1001, "1.001ms" },
		{ 9488, "9.488ms" },
		{ 9999, "9.999ms" },
		{ 10000, "10sec" },
		{ 10001, "10sec" },
		{ 59999, "59sec" },
		{ 60000, "1min" },
		{ 60488, "1min" },
		{ 61000, "1min1sec" },
		{ 64488, "1min4sec" },
		{ 598488, "9min58sec" },
		{ 599999, "9min59sec" },
		{ 600000, "10min" },
		{ 601000, "10min" },
		{ 7199000, "119min" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char out[32];
		struct tern_text text;

		tern_text_init(&text, out, sizeof(out));
		tern_ss_timer(&text, times[i].ms);
		assert_string_equal(out, times[i].text);
	}
}

static void ages_have_two_units_at_most(void **unused)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} ages[] = {
		{ 0, "0ms" },        { 1, "1s" },        { 59, "59s" },       { 60, "1m00s" },
		{ 192, "3m12s" },    { 3599, "59m59s" }, { 3600, "1h00m" },   { 7500, "2h05m" },
		{ 86399, "23h59m" }, { 86400, "1d00h" }, { 273600, "3d04h" },
	};
	char out[32];
	struct tern_text text;

	(void)unused;
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		tern_text_init(&text, out, sizeof(out));
		tern_ss_age(&text, ages[i].seconds * SECOND);
		assert_string_equal(out, ages[i].text);
	}
	tern_text_init(&text, out, sizeof(out));
	tern_ss_age(&text, 999 * MS + 999999);
	assert_string_equal(out, "999ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_plain_table_is_the_one_ss_prints),
		cmocka_unit_test(the_table_spreads_over_a_terminal_as_that_of_ss),
		cmocka_unit_test(two_protocols_get_a_netid_and_timers_come_with_ages),
		cmocka_unit_test(one_state_needs_no_state_column),
		cmocka_unit_test(four_digit_ports_leave_a_blank_before_process),
		cmocka_unit_test(details_and_memory_follow_on_a_second_line),
		cmocka_unit_test(oneline_keeps_memory_on_the_row),
		cmocka_unit_test(ports_have_names_when_a_table_of_them_is_given),
		cmocka_unit_test(processes_come_first_in_the_last_column),
		cmocka_unit_test(a_socket_may_be_held_by_any_number_of_processes),
		cmocka_unit_test(without_processes_the_column_is_as_before),
		cmocka_unit_test(json_names_the_users_of_each_socket),
		cmocka_unit_test(no_row_leaves_the_header_alone),
		cmocka_unit_test(no_line_ends_with_a_blank),
		cmocka_unit_test(the_json_form_is_complete_and_well_formed),
		cmocka_unit_test(timers_have_the_units_of_ss),
		cmocka_unit_test(ages_have_two_units_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
