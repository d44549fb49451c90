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
		assert_true(strlen(row->text) > 0 && strlen(row->unit) > 0);
		if (row->kind > TERN_KNOB_NAME)
			continue;
		assert_int_equal(value_of(row), row->standard);
		assert_true(row->min <= row->standard && row->standard <= row->max);
	}
	assert_true(count > 40);
	assert_null(tern_knob_row(UINT32_MAX));
}

static void a_knob_takes_its_range_and_nothing_beside_it(void **unused)
{
	const struct tern_knob_row *row;
	char text[32];

	(void)unused;
	/* Which bounds ip_unprivileged_port_start. */
	assert_int_equal(tern_knob_set(&knobs, "ip_local_port_range", "65535 65535"), 0);
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		const struct tern_knob_row *next = tern_knob_row(i + 1);

		if (row->kind != TERN_KNOB_NUMBER || (next && !strcmp(next->name, row->name)) ||
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

static void a_number_may_be_hexadecimal(void **unused)
{
	char text[32];

	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "tcp_fastopen", "0x70403\n"), 0);
	assert_int_equal(knobs.tcp_fastopen, 0x70403);
	assert_int_equal(tern_knob_set(&knobs, "tcp_rmem", "0X1388 0x1770 7000"), 0);
	assert_int_equal(tern_knob_get(&knobs, "tcp_rmem", text, sizeof(text)), 0);
	assert_string_equal(text, "5000\t6000\t7000");
}

static void a_name_is_one_of_its_list(void **unused)
{
	static const char *const bad[] = { "", "cub", "cubics", "cubic reno", "0", "bbr" };
	char text[32];

	(void)unused;
	assert_int_equal(tern_knob_get(&knobs, "tcp_congestion_control", text, sizeof(text)), 0);
	assert_string_equal(text, "cubic");
	assert_int_equal(tern_knob_set(&knobs, "tcp_congestion_control", " reno\n"), 0);
	assert_int_equal(knobs.tcp_congestion_control, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(tern_knob_set(&knobs, "tcp_congestion_control", bad[i]), -EINVAL);
		assert_int_equal(knobs.tcp_congestion_control, 1);
	}
}

static void what_can_only_be_read_is_not_set(void **unused)
{
	char text[32];

	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "tcp_available_congestion_control", "reno"),
			 -EACCES);
	assert_int_equal(
		tern_knob_get(&knobs, "tcp_available_congestion_control", text, sizeof(text)), 0);
	assert_string_equal(text, "cubic reno");
}

static void a_key_is_read_back_as_it_was_written(void **unused)
{
	static const struct {
		const char *in, *out;
		uint32_t count;
	} keys[] = {
		{ "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", NULL, 1 },
		{ "00000001-00000002-00000003-00000004,a-b-c-d",
		  "00000001-00000002-00000003-00000004,0000000a-0000000b-0000000c-0000000d", 2 },
		{ "0-0-0-F\n", "00000000-00000000-00000000-0000000f", 1 },
	};
	static const char *const bad[] = {
		"",       "1",       "1-2-3",     "1-2-3-4-5", "1-2-3-4,",        "1-2-3-4,5-6-7",
		"-1-2-3", "1-2-3-x", "1,2-3-4-5", "1-2-3-4 5", "123456789-2-3-4",
	};
	char text[80];

	(void)unused;
	assert_int_equal(tern_knob_get(&knobs, "tcp_fastopen_key", text, sizeof(text)), 0);
	assert_string_equal(text, "00000000-00000000-00000000-00000000");
	assert_int_equal(knobs.tcp_fastopen_key_count, 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_int_equal(tern_knob_set(&knobs, "tcp_fastopen_key", keys[i].in), 0);
		assert_int_equal(knobs.tcp_fastopen_key_count, keys[i].count);
		assert_int_equal(tern_knob_get(&knobs, "tcp_fastopen_key", text, sizeof(text)), 0);
		assert_string_equal(text, keys[i].out ? keys[i].out : keys[i].in);
	}
	assert_int_equal(knobs.tcp_fastopen_key[3], 15);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(tern_knob_set(&knobs, "tcp_fastopen_key", bad[i]), -EINVAL);
		assert_int_equal(knobs.tcp_fastopen_key[3], 15);
	}
}

static void reserved_ports_are_kept_in_order_and_joined(void **unused)
{
	static const struct {
		const char *in, *out;
	} lists[] = {
		{ "8080", NULL },
		{ "8080,9000-9010", NULL },
		{ "9000-9010,8080\n", "8080,9000-9010" },
		{ "5,6,7", "5-7" },
		{ "5,7", NULL },
		{ "5-9,1-3,4", "1-9" },
		{ "10-20,1-2,5,8-12,30,2-9", "1-20,30" },
		{ "0-65535,7", "0-65535" },
		{ "65535,65534", "65534-65535" },
		{ "7,7,7,", "7" },
		{ "", NULL },
	};
	char text[TERN_KNOB_VALUE_MAX];

	(void)unused;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		assert_int_equal(tern_knob_set(&knobs, "ip_local_reserved_ports", lists[i].in), 0);
		assert_int_equal(
			tern_knob_get(&knobs, "ip_local_reserved_ports", text, sizeof(text)), 0);
		assert_string_equal(text, lists[i].out ? lists[i].out : lists[i].in);
	}
}

static void a_reserved_port_is_one_within_a_range(void **unused)
{
	(void)unused;
	assert_int_equal(tern_knob_port_reserved(&knobs, 8080), 0);
	assert_int_equal(tern_knob_set(&knobs, "ip_local_reserved_ports", "8080,9000-9010"), 0);
	assert_int_equal(tern_knob_port_reserved(&knobs, 8079), 0);
	assert_int_equal(tern_knob_port_reserved(&knobs, 8080), 8080);
	assert_int_equal(tern_knob_port_reserved(&knobs, 8081), 0);
	assert_int_equal(tern_knob_port_reserved(&knobs, 8999), 0);
	assert_int_equal(tern_knob_port_reserved(&knobs, 9000), 9010);
	assert_int_equal(tern_knob_port_reserved(&knobs, 9010), 9010);
	assert_int_equal(tern_knob_port_reserved(&knobs, 9011), 0);
}

static void a_list_of_ports_that_is_none_changes_nothing(void **unused)
{
	static const struct {
		const char *value;
		int err;
	} bad[] = {
		{ "x", -EINVAL },     { "1-", -EINVAL },      { "-1", -EINVAL },
		{ "9-8", -EINVAL },   { "1 2", -EINVAL },     { ",1", -EINVAL },
		{ "65536", -ERANGE }, { "1-65536", -ERANGE }, { "99999999999", -ERANGE },
	};
	char text[TERN_KNOB_VALUE_MAX];

	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "ip_local_reserved_ports", "7"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(tern_knob_set(&knobs, "ip_local_reserved_ports", bad[i].value),
				 bad[i].err);
		assert_int_equal(
			tern_knob_get(&knobs, "ip_local_reserved_ports", text, sizeof(text)), 0);
		assert_string_equal(text, "7");
	}
}

static void as_many_ranges_of_ports_as_there_is_room_for(void **unused)
{
	char list[2048], text[TERN_KNOB_VALUE_MAX];
	size_t len = 0;

	(void)unused;
	for (unsigned int i = 0; i < TERN_KNOB_RANGES_MAX; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%u-%u", i ? "," : "",
					10000 + 3 * i, 10001 + 3 * i);
	assert_int_equal(tern_knob_set(&knobs, "ip_local_reserved_ports", list), 0);
	assert_int_equal(tern_knob_get(&knobs, "ip_local_reserved_ports", text, sizeof(text)), 0);
	assert_string_equal(text, list);
	snprintf(list + len, sizeof(list) - len, ",60000");
	assert_int_equal(tern_knob_set(&knobs, "ip_local_reserved_ports", list), -E2BIG);
	snprintf(list + len, sizeof(list) - len, ",10002");
	assert_int_equal(tern_knob_set(&knobs, "ip_local_reserved_ports", list), 0);
}

static void a_persona_sets_the_knobs_in_which_it_differs(void **unused)
{
	struct tern_knobs before = knobs;

	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "tern_persona", "freebsd"), 0);
	assert_int_equal(knobs.tern_persona, 1);
	assert_int_equal(knobs.tern_drop_synfin, 0);
	assert_int_equal(knobs.tern_rst_close_wait, 1);
	assert_int_equal(knobs.tcp_rfc1337, 1);
	assert_int_equal(knobs.tcp_fin_timeout, before.tcp_fin_timeout);
	assert_int_equal(tern_knob_set(&knobs, "tern_persona", "openbsd"), -EINVAL);
	assert_int_equal(knobs.tern_persona, 1);
	assert_int_equal(tern_knob_set(&knobs, "tern_persona", "linux"), 0);
	assert_memory_equal(&knobs, &before, sizeof(knobs)); /* its column is the defaults */
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
		{ "5000 6000 0x", -EINVAL },
		{ "5000 6000 0x7g", -EINVAL },
		{ "5000 6000 0x11111111111111111", -EINVAL },
		{ "5000 6000 0x40000001", -ERANGE },
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

static void ports_that_need_a_capability_are_not_ephemeral(void **unused)
{
	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "ip_local_port_range", "1023 2000"), -EADDRINUSE);
	assert_int_equal(tern_knob_set(&knobs, "ip_local_port_range", "1024 2000"), 0);
	assert_int_equal(tern_knob_set(&knobs, "ip_unprivileged_port_start", "1025"), -EADDRINUSE);
	assert_int_equal(tern_knob_set(&knobs, "ip_unprivileged_port_start", "1023"), 0);
	assert_int_equal(tern_knob_set(&knobs, "ip_local_port_range", "1023 2000"), 0);
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
		cmocka_unit_test_setup(a_number_may_be_hexadecimal, set_up),
		cmocka_unit_test_setup(a_name_is_one_of_its_list, set_up),
		cmocka_unit_test_setup(what_can_only_be_read_is_not_set, set_up),
		cmocka_unit_test_setup(a_key_is_read_back_as_it_was_written, set_up),
		cmocka_unit_test_setup(reserved_ports_are_kept_in_order_and_joined, set_up),
		cmocka_unit_test_setup(a_reserved_port_is_one_within_a_range, set_up),
		cmocka_unit_test_setup(a_list_of_ports_that_is_none_changes_nothing, set_up),
		cmocka_unit_test_setup(as_many_ranges_of_ports_as_there_is_room_for, set_up),
		cmocka_unit_test_setup(a_persona_sets_the_knobs_in_which_it_differs, set_up),
		cmocka_unit_test_setup(nothing_changes_when_a_value_is_refused, set_up),
		cmocka_unit_test_setup(a_port_range_must_not_run_backwards, set_up),
		cmocka_unit_test_setup(ports_that_need_a_capability_are_not_ephemeral, set_up),
		cmocka_unit_test_setup(a_knob_is_printed_as_sysctl_prints_it, set_up),
		cmocka_unit_test_setup(a_value_that_does_not_fit_is_not_cut_silently, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
