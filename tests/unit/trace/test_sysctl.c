/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/sysctl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct tern_knobs knobs;

static int set_up(void **unused)
{
	(void)unused;
	tern_knobs_init(&knobs);
	return 0;
}

static uint32_t value_of(const struct tern_knob_row *row)
{
	uint32_t value;

	memcpy(&value, (const char *)&knobs + row->offset, sizeof(value));
	return value;
}

static void every_knob_starts_at_its_default_which_is_in_range(void **unused)
{
	const struct tern_knob_row *row;
	unsigned int count = 0;

	(void)unused;
	for (; (row = tern_knob_row(count)); count++) {
		assert_int_equal(value_of(row), row->standard);
		assert_true(row->min <= row->standard && row->standard <= row->max);
		assert_true(strlen(row->text) > 0 && strlen(row->unit) > 0);
	}
	assert_int_equal(count * sizeof(uint32_t), sizeof(knobs));
	assert_null(tern_knob_row(UINT32_MAX));
}

static void a_knob_takes_its_range_and_nothing_beside_it(void **unused)
{
	const struct tern_knob_row *row;
	char text[32];

	(void)unused;
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		const struct tern_knob_row *next = tern_knob_row(i + 1);

		if ((next && !strcmp(next->name, row->name)) ||
		    (i && !strcmp(tern_knob_row(i - 1)->name, row->name)))
			continue;
		for (int step = -1; step <= 1; step++) {
			snprintf(text, sizeof(text), "%lld", (long long)row->min + step);
			assert_int_equal(tern_knob_set(&knobs, row->name, text), step >= 0 ? 0
										 : row->min == 0
											 ? -EINVAL
											 : -ERANGE);
			snprintf(text, sizeof(text), "%lld", (long long)row->max + step);
			assert_int_equal(tern_knob_set(&knobs, row->name, text),
					 step <= 0 ? 0 : -ERANGE);
		}
		assert_int_equal(value_of(row), row->min + 1);
	}
}

static void a_knob_is_found_with_and_without_its_prefix(void **unused)
{
	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "net.ipv4.tcp_fin_timeout", "5"), 0);
	assert_int_equal(knobs.tcp_fin_timeout, 5);
	assert_int_equal(tern_knob_set(&knobs, "tcp_fin_timeout", "6"), 0);
	assert_int_equal(knobs.tcp_fin_timeout, 6);
	assert_int_equal(tern_knob_set(&knobs, "net.core.tcp_fin_timeout", "7"), -ENOENT);
	assert_int_equal(tern_knob_set(&knobs, "fin_timeout", "7"), -ENOENT);
	assert_int_equal(tern_knob_set(&knobs, "", "7"), -ENOENT);
	assert_int_equal(knobs.tcp_fin_timeout, 6);
}

static void a_triple_takes_all_its_numbers(void **unused)
{
	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "tcp_rmem", "5000 6000\t7000\n"), 0);
	assert_int_equal(knobs.tcp_rmem_min, 5000);
	assert_int_equal(knobs.tcp_rmem_default, 6000);
	assert_int_equal(knobs.tcp_rmem_max, 7000);
}

static void nothing_changes_when_a_value_is_refused(void **unused)
{
	static const struct {
		const char *value;
		int err;
	} bad[] = {
		{ "", -EINVAL },
		{ " ", -EINVAL },
		{ "5000 6000", -EINVAL },
		{ "5000 6000 7000 8000", -EINVAL },
		{ "5000 6000 x", -EINVAL },
		{ "5000 6000 -7000", -EINVAL },
		{ "5000,6000,7000", -EINVAL },
		{ "5000 6000 0x7000", -EINVAL },
		{ "5000 6000 1073741825", -ERANGE },
		{ "5000 6000 99999999999999999999", -ERANGE },
		{ "5000 6000 999999999999999999999", -EINVAL },
	};
	struct tern_knobs before = knobs;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(tern_knob_set(&knobs, "tcp_rmem", bad[i].value), bad[i].err);
		assert_memory_equal(&knobs, &before, sizeof(knobs));
	}
}

static void a_port_range_must_not_run_backwards(void **unused)
{
	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "ip_local_port_range", "2000 1999"), -EDOM);
	assert_int_equal(tern_knob_set(&knobs, "ip_local_port_range", "2000 2000"), 0);
	assert_int_equal(knobs.ip_local_port_low, 2000);
	assert_int_equal(knobs.ip_local_port_high, 2000);
}

static void a_knob_is_printed_as_sysctl_prints_it(void **unused)
{
	char text[64];

	(void)unused;
	assert_int_equal(tern_knob_get(&knobs, "net.ipv4.tcp_fin_timeout", text, sizeof(text)), 0);
	assert_string_equal(text, "60");
	assert_int_equal(tern_knob_get(&knobs, "net.ipv4.tcp_wmem", text, sizeof(text)), 0);
	assert_string_equal(text, "4096\t16384\t4194304");
	assert_int_equal(tern_knob_get(&knobs, "net.ipv4.ip_unprivileged_port_start", text,
				       sizeof(text)),
			 0);
	assert_string_equal(text, "1024");
	assert_int_equal(tern_knob_get(&knobs, "net.ipv4.nothing", text, sizeof(text)), -ENOENT);
}

static void a_value_that_does_not_fit_is_not_cut_silently(void **unused)
{
	char text[19];

	(void)unused;
	assert_int_equal(strlen("4096\t16384\t4194304"), 18);
	assert_int_equal(tern_knob_get(&knobs, "tcp_wmem", text, 18), -ENOSPC);
	assert_int_equal(tern_knob_get(&knobs, "tcp_wmem", text, 19), 0);
	assert_int_equal(tern_knob_get(&knobs, "tcp_wmem", text, 0), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_knob_starts_at_its_default_which_is_in_range, set_up),
		cmocka_unit_test_setup(a_knob_takes_its_range_and_nothing_beside_it, set_up),
		cmocka_unit_test_setup(a_knob_is_found_with_and_without_its_prefix, set_up),
		cmocka_unit_test_setup(a_triple_takes_all_its_numbers, set_up),
		cmocka_unit_test_setup(nothing_changes_when_a_value_is_refused, set_up),
		cmocka_unit_test_setup(a_port_range_must_not_run_backwards, set_up),
		cmocka_unit_test_setup(a_knob_is_printed_as_sysctl_prints_it, set_up),
		cmocka_unit_test_setup(a_value_that_does_not_fit_is_not_cut_silently, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
