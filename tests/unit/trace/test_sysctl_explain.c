/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said of each knob: some in tests/golden/sysctl-explain.txt, all in docs/KNOBS.md, which
 * this test writes anew with TERN_GOLDEN_UPDATE=1.
 */
#include "trace/sysctl_explain.h"

#include <errno.h>

#include "base/compiler.h"
#include "unit/golden.h"

static struct tern_knobs knobs;

static int set_up(void **unused)
{
	(void)unused;
	tern_knobs_init(&knobs);
	return 0;
}

static void explanations_are_as_in_the_golden_file(void **unused)
{
	static const struct {
		const char *name, *value; /* NULL: as it is */
	} cases[] = {
		{ "tcp_synack_retries", NULL },
		{ "tcp_synack_retries", "0" },
		{ "tcp_syn_retries", NULL },
		{ "tcp_retries2", NULL },
		{ "tcp_orphan_retries", NULL },
		{ "tcp_tw_reuse", NULL },
		{ "tcp_tw_reuse", "0" },
		{ "tcp_fin_timeout", "3600" },
		{ "somaxconn", NULL },
		{ "tcp_keepalive_time", NULL },
		{ "tcp_fastopen", "0x403" },
		{ "tcp_fastopen", "0" },
		{ "tcp_rmem", NULL },
		{ "tcp_congestion_control", NULL },
		{ "tern_rst_close_wait", "ECONNRESET" },
		{ "tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4" },
		{ "ip_local_reserved_ports", NULL },
		{ "ip_local_reserved_ports", "8080,9000-9010" },
		{ "tcp_available_congestion_control", NULL },
		{ "tcp_rto_min_us", NULL },
		{ "net.inet.tcp.msl", "10000" },
		{ "ip_unprivileged_port_start", NULL },
		{ "tcp_rto_max_ms", "4000" },
		{ "tcp_synack_retries", "5" },
	};
	static char text[65536];
	struct tern_text out;

	(void)unused;
	tern_text_init(&out, text, sizeof(text));
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		if (cases[i].value)
			assert_int_equal(tern_knob_set(&knobs, cases[i].name, cases[i].value), 0);
		assert_int_equal(tern_knob_explain(&knobs, cases[i].name, &out), 0);
		tern_text_char(&out, '\n');
	}
	assert_golden("sysctl-explain.txt", text, out.len);
}

static void every_knob_is_explained_in_lines_of_80_columns(void **unused)
{
	const struct tern_knob_row *row;

	(void)unused;
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		char text[TERN_KNOB_EXPLAIN_MAX];
		struct tern_text out;
		unsigned int column = 0;

		tern_text_init(&out, text, sizeof(text));
		assert_int_equal(tern_knob_explain(&knobs, row->name, &out), 0);
		for (size_t c = 0; c < out.len; c++) {
			column = text[c] == '\n' ? 0 : column + ((text[c] & 0xc0) != 0x80);
			assert_true(column <= 80);
		}
		assert_true(!row->myth == !row->fact);
	}
}

static void what_is_no_knob_is_not_explained(void **unused)
{
	char text[64];
	struct tern_text out;

	(void)unused;
	tern_text_init(&out, text, sizeof(text));
	assert_int_equal(tern_knob_explain(&knobs, "net.ipv4.nothing", &out), -ENOENT);
	assert_int_equal(out.len, 0);
	assert_int_equal(tern_knob_explain(&knobs, "tcp_syn_retries", &out), -ENOSPC);
}

static void docs_knobs_md_is_up_to_date(void **unused)
{
	static const char head[] =
		"# The knobs of a stack\n\n"
		"Written by `TERN_GOLDEN_UPDATE=1 build/tests/test_trace_sysctl_explain` from\n"
		"`src/trace/sysctl.def`, with defaults; `tern sysctl --explain NAME` has the "
		"values of a running\nstack.\n\n```\n";
	static char text[GOLDEN_MAX];
	const struct tern_knob_row *row, *before = NULL;
	struct tern_text out;

	(void)unused;
	tern_text_init(&out, text, sizeof(text));
	tern_text_str(&out, head);
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		if (before && strcmp(before->name, row->name) == 0)
			continue;
		if (before)
			tern_text_char(&out, '\n');
		assert_int_equal(tern_knob_explain(&knobs, row->name, &out), 0);
		before = row;
	}
	tern_text_str(&out, "```\n");
	assert_false(out.cut);
	assert_golden("../../docs/KNOBS.md", text, out.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(explanations_are_as_in_the_golden_file, set_up),
		cmocka_unit_test_setup(every_knob_is_explained_in_lines_of_80_columns, set_up),
		cmocka_unit_test_setup(what_is_no_knob_is_not_explained, set_up),
		cmocka_unit_test_setup(docs_knobs_md_is_up_to_date, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
