/* SPDX-License-Identifier: BSD-2-Clause */
/* What knobs are called, and what is said when a name or a value is none. */
#include "trace/sysctl_name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"

static struct tern_knobs knobs;

static int set_up(void **unused)
{
	(void)unused;
	tern_knobs_init(&knobs);
	return 0;
}

static void assert_value(const char *name, const char *value)
{
	char text[64];

	assert_int_equal(tern_knob_get(&knobs, name, text, sizeof(text)), 0);
	assert_string_equal(text, value);
}

static void a_path_below_proc_sys_is_a_name(void **unused)
{
	static const char *const names[] = { "net.ipv4.tcp_fin_timeout", "tcp_fin_timeout",
					     "/proc/sys/net/ipv4/tcp_fin_timeout",
					     "net/ipv4/tcp_fin_timeout" };
	static const char *const bad[] = { "/proc/sys/", "/proc/net/ipv4/tcp_fin_timeout",
					   "net/ipv6/tcp_fin_timeout", "net.ipv4.", "/" };

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(names); i++) {
		assert_value(names[i], "60");
		assert_int_equal(tern_knob_set(&knobs, names[i], "60"), 0);
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(bad); i++)
		assert_int_equal(tern_knob_set(&knobs, bad[i], "1"), -ENOENT);
}

static void one_msl_in_milliseconds_is_half_of_tern_timewait_len(void **unused)
{
	static const struct {
		const char *ms;
		uint32_t seconds;
		const char *back;
	} cases[] = {
		{ "30000", 60, "30000" }, { "0", 0, "0" },      { "1", 1, "500" },
		{ "500", 1, "500" },      { "501", 2, "1000" }, { "1800000", 3600, "1800000" },
	};

	(void)unused;
	assert_value("net.inet.tcp.msl", "30000");
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.msl", cases[i].ms), 0);
		assert_int_equal(knobs.tern_timewait_len, cases[i].seconds);
		assert_value("net.inet.tcp.msl", cases[i].back);
	}
	assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.msl", "1800001"), -ERANGE);
	assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.msl", "x"), -EINVAL);
	assert_int_equal(knobs.tern_timewait_len, 3600);
}

static void other_names_of_freebsd_mean_the_same_knob(void **unused)
{
	(void)unused;
	assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.insecure_rst", "1"), 0);
	assert_int_equal(knobs.tern_insecure_rst, 1);
	assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.keepidle", "10000"), 0);
	assert_int_equal(knobs.tcp_keepalive_time, 10);
	assert_value("net.inet.tcp.keepidle", "10000");
	assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.recvspace", "65536"), 0);
	assert_int_equal(knobs.tcp_rmem_default, 65536);
	for (unsigned int i = 0; tern_knob_alias(i); i++) {
		const struct tern_knob_alias *alias = tern_knob_alias(i);
		char text[32];

		assert_int_equal(tern_knob_get(&knobs, alias->name, text, sizeof(text)), 0);
		assert_int_equal(tern_knob_set(&knobs, alias->name, text), 0);
		assert_value(alias->name, text);
	}
}

static void rfc1323_is_timestamps_and_window_scaling(void **unused)
{
	static const char *const values[] = { "0", "1", "2", "3" };

	(void)unused;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(values); i++) {
		assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.rfc1323", values[i]), 0);
		assert_int_equal(knobs.tcp_window_scaling, i == 1 || i == 2);
		assert_int_equal(knobs.tcp_timestamps, i == 1 || i == 3);
		assert_value("net.inet.tcp.rfc1323", values[i]);
	}
	assert_int_equal(tern_knob_set(&knobs, "net.inet.tcp.rfc1323", "4"), -ERANGE);
}

static void a_complaint_says_what_is_right(void **unused)
{
	static const struct {
		const char *name, *value;
		int err;
		const char *said;
	} cases[] = {
		{ "net.ipv4.tcp_sak", "1", -ENOENT,
		  "there is no knob 'net.ipv4.tcp_sak'; the nearest is net.ipv4.tcp_sack" },
		{ "tcp_keepalive_timer", "1", -ENOENT,
		  "there is no knob 'tcp_keepalive_timer'; the nearest is "
		  "net.ipv4.tcp_keepalive_time" },
		{ "/proc/sys/net/ipv4/tcp_fin_time_out", "", -ENOENT,
		  "there is no knob 'net.ipv4.tcp_fin_time_out'; the nearest is "
		  "net.ipv4.tcp_fin_timeout" },
		{ "net.inet.tcp.mls", "1", -ENOENT,
		  "there is no knob 'net.inet.tcp.mls'; the nearest is net.inet.tcp.msl" },
		{ "vm.swappiness", "1", -ENOENT,
		  "there is no knob 'vm.swappiness'; tern sysctl -a lists them" },
		{ "", "1", -ENOENT, "there is no knob ''; tern sysctl -a lists them" },
		{ "net.ipv4.tcp_tw_recycle", "1", -ENOENT,
		  "net.ipv4.tcp_tw_recycle was removed in Linux 4.12: broke clients behind NAT; "
		  "connect() takes over a TIME-WAIT by net.ipv4.tcp_tw_reuse, and a SYN "
		  "with a newer "
		  "timestamp or a higher number reopens one anyway (RFC 6191)" },
		{ "/proc/sys/net/ipv4/tcp_abc", "1", -ENOENT,
		  "net.ipv4.tcp_abc was removed in Linux 3.9: bytes are always counted; "
		  "so they are "
		  "here (RFC 3465)" },
		{ "tcp_fin_timeout", "9999", -ERANGE,
		  "net.ipv4.tcp_fin_timeout does not take '9999'; it takes 0 to 3600 "
		  "seconds" },
		{ "tcp_rmem", "4096", -EINVAL,
		  "net.ipv4.tcp_rmem does not take '4096'; it takes 3 numbers, each 4096 to "
		  "1073741824 bytes" },
		{ "tcp_sack", "7", -ERANGE,
		  "net.ipv4.tcp_sack does not take '7'; it takes 0 to 1, a switch" },
		{ "tcp_congestion_control", "bbr", -EINVAL,
		  "net.ipv4.tcp_congestion_control does not take 'bbr'; it takes cubic or reno" },
		{ "tcp_fastopen_key", "x", -EINVAL,
		  "net.ipv4.tcp_fastopen_key does not take 'x'; it takes a key as "
		  "01234567-89abcdef-01234567-89abcdef, or two with a comma between" },
		{ "ip_local_reserved_ports", "x", -EINVAL,
		  "net.ipv4.ip_local_reserved_ports does not take 'x'; it takes ports "
		  "and ranges of "
		  "them as 8080,9000-9010" },
		{ "tcp_available_congestion_control", "x", -EACCES,
		  "net.ipv4.tcp_available_congestion_control can only be read" },
		{ "net.inet.tcp.msl", "x", -EINVAL,
		  "net.inet.tcp.msl does not take 'x'; here it stands for "
		  "net.ipv4.tern_timewait_len" },
		{ "ip_local_port_range", "9 8", -EDOM,
		  "the range '9 8' of net.ipv4.ip_local_port_range runs backwards; write the lower "
		  "port first" },
	};

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		char why[TERN_KNOB_WHY_MAX], value[TERN_KNOB_VALUE_MAX];

		if (cases[i].value[0])
			assert_int_equal(tern_knob_set(&knobs, cases[i].name, cases[i].value),
					 cases[i].err);
		else
			assert_int_equal(tern_knob_get(&knobs, cases[i].name, value, sizeof(value)),
					 cases[i].err);
		tern_knob_complain(cases[i].name, cases[i].value, cases[i].err, why, sizeof(why));
		assert_string_equal(why, cases[i].said);
	}
}

static void a_range_of_privileged_ports_is_told_what_bounds_it(void **unused)
{
	char why[TERN_KNOB_WHY_MAX];

	(void)unused;
	tern_knob_complain("ip_local_port_range", "8 9", -EADDRINUSE, why, sizeof(why));
	assert_string_equal(why, "net.ipv4.ip_local_port_range does not take '8 9': "
				 "ip_local_port_range must begin at or above "
				 "ip_unprivileged_port_start");
}

static void a_name_longer_than_any_other_is_none(void **unused)
{
	char name[400], why[TERN_KNOB_WHY_MAX];

	(void)unused;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(tern_knob_set(&knobs, name, "1"), -ENOENT);
	tern_knob_complain(name, "1", -ENOENT, why, sizeof(why));
	assert_non_null(strstr(why, "there is no knob 'aaa"));
}

static void no_name_is_known_twice(void **unused)
{
	const struct tern_knob_row *row;
	char whole[TERN_KNOB_NAME_MAX];

	(void)unused;
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		unsigned int count = 0;
		const struct tern_knob_row *first = tern_knob_find(row->name, &count);

		assert_non_null(first);
		for (unsigned int k = 0; k < count; k++) /* rows of a name stand together */
			assert_string_equal(first[k].name, row->name);
		tern_knob_normalize(row->name, whole, sizeof(whole));
		assert_string_equal(whole, row->name);
		assert_null(tern_knob_alias_find(row->name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_path_below_proc_sys_is_a_name, set_up),
		cmocka_unit_test_setup(one_msl_in_milliseconds_is_half_of_tern_timewait_len,
				       set_up),
		cmocka_unit_test_setup(other_names_of_freebsd_mean_the_same_knob, set_up),
		cmocka_unit_test_setup(rfc1323_is_timestamps_and_window_scaling, set_up),
		cmocka_unit_test_setup(a_complaint_says_what_is_right, set_up),
		cmocka_unit_test(a_range_of_privileged_ports_is_told_what_bounds_it),
		cmocka_unit_test_setup(a_name_longer_than_any_other_is_none, set_up),
		cmocka_unit_test_setup(no_name_is_known_twice, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
