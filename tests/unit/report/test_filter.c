/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/filter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "trace/state.h"
#include "unit/report/rows.h"

#define BOTH (TERN_FILTER_TCP | TERN_FILTER_UDP)

static const struct tern_service known[] = { { "http-alt", 8080, TERN_PROTO_TCP } };
static const struct tern_services services = { known, 1 };
static struct tern_filter filter;
static char wrong[300];

static int parse(const char *words)
{
	struct tern_text error;

	tern_filter_init(&filter, BOTH, true, false);
	tern_text_init(&error, wrong, sizeof(wrong));
	return tern_filter_parse(&filter, words, &services, &error);
}

/* The rows that match, as letters: a is the first. */
static const char *matches(const char *words)
{
	static char found[ROWS + 1];
	struct tern_socket_info rows[ROWS];
	size_t len = 0;

	make_rows(rows);
	if (parse(words))
		fail_msg("%s: %s", words, wrong);
	for (unsigned int i = 0; i < ROWS; i++) {
		if (tern_filter_match(&filter, &rows[i]))
			found[len++] = (char)('a' + i);
	}
	found[len] = '\0';
	return found;
}

static uint32_t states(const char *words)
{
	if (parse(words))
		fail_msg("%s: %s", words, wrong);
	return filter.states;
}

static void macros_stand_for_the_states_ss_lists(void **unused)
{
	const uint32_t all = (1u << TERN_STATE_MAX) - 2;
	const uint32_t connected = all & ~(TERN_STATES(LISTEN) | TERN_STATES(CLOSED));
	const uint32_t bucket = TERN_STATES(SYN_RECEIVED) | TERN_STATES(TIME_WAIT);

	(void)unused;
	assert_int_equal(states("state all"), all);
	assert_int_equal(states("state connected"), connected);
	assert_int_equal(states("state synchronized"), connected & ~TERN_STATES(SYN_SENT));
	assert_int_equal(states("state bucket"), bucket);
	assert_int_equal(states("state big"), all & ~bucket);
	assert_int_equal(states("state half-open"), TERN_STATES(SYN_RECEIVED));
	assert_int_equal(states("state closing-family"),
			 TERN_STATES_SYNCHRONIZED & ~TERN_STATES(ESTABLISHED));
}

static void states_add_up_and_are_excluded(void **unused)
{
	(void)unused;
	assert_int_equal(states("state established state TIME_WAIT"),
			 TERN_STATES(ESTABLISHED) | TERN_STATES(TIME_WAIT));
	assert_int_equal(states("state connected exclude syn-sent exclude estab"),
			 (TERN_STATES_SYNCHRONIZED & ~TERN_STATES(ESTABLISHED)) |
				 TERN_STATES(SYN_RECEIVED));
	assert_int_equal(states("exclude listening"),
			 ((1u << TERN_STATE_MAX) - 2) & ~TERN_STATES(LISTEN));
	assert_true(tern_filter_one_state(&filter) == false);
	parse("state listening");
	assert_true(tern_filter_one_state(&filter));
}

static void options_choose_the_states_ss_shows(void **unused)
{
	(void)unused;
	tern_filter_init(&filter, BOTH, false, false);
	assert_int_equal(filter.states, TERN_STATES(SYN_SENT) | (TERN_STATES_SYNCHRONIZED &
								 ~TERN_STATES(TIME_WAIT)));
	tern_filter_init(&filter, BOTH, false, true);
	assert_int_equal(filter.states, TERN_STATES(LISTEN) | TERN_STATES(CLOSED));
	tern_filter_init(&filter, BOTH, true, true);
	assert_int_equal(filter.states, (1u << TERN_STATE_MAX) - 2);
}

static void an_empty_filter_matches_every_row(void **unused)
{
	(void)unused;
	assert_string_equal(matches(""), "abcdefghijklm");
	assert_string_equal(matches(" \t"), "abcdefghijklm");
}

static void protocols_and_families_are_told_apart(void **unused)
{
	struct tern_socket_info rows[ROWS];
	unsigned int tcp = 0, udp = 0, inet = 0, inet6 = 0;

	(void)unused;
	make_rows(rows);
	for (unsigned int i = 0; i < ROWS; i++) {
		tern_filter_init(&filter, TERN_FILTER_TCP, true, false);
		tcp += tern_filter_match(&filter, &rows[i]);
		tern_filter_init(&filter, TERN_FILTER_UDP, true, false);
		udp += tern_filter_match(&filter, &rows[i]);
		tern_filter_init(&filter, BOTH, true, false);
		filter.family = TERN_INET;
		inet += tern_filter_match(&filter, &rows[i]);
		filter.family = TERN_INET6;
		inet6 += tern_filter_match(&filter, &rows[i]);
	}
	assert_int_equal(tcp, 12);
	assert_int_equal(udp, 1);
	assert_int_equal(inet, 9);
	assert_int_equal(inet6, 4);
}

static void ports_are_compared_in_every_spelling(void **unused)
{
	static const char *const same[] = {
		"sport = :8080",
		"sport == 8080",
		"sport eq :http-alt",
		"sport :8080",
		"sport=:8080",
		"( sport = :8080 )",
		"not sport != :8080",
		"!(sport ne 8080)",
		"sport >= :8080 and sport <= :8080",
		"sport ge 8080 sport le 8080",
		"sport gt :8079 && sport lt :8081",
		"src :8080",
		"src = *:8080",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_string_equal(matches(same[i]), "abgh");
	assert_string_equal(matches("dport = :8080"), "cdef");
	assert_string_equal(matches("sport lt :8080"), "m");
	assert_string_equal(matches("sport > :8081 and sport < :42052"), "cjl");
}

static void addresses_are_compared_by_prefix(void **unused)
{
	(void)unused;
	assert_string_equal(matches("dst 127.0.0.1"), "bcdefgh");
	assert_string_equal(matches("dst 127/8"), "bcdefgh");
	assert_string_equal(matches("dst 127.0.0.0/8"), "bcdefgh");
	assert_string_equal(matches("dst 127.0.0.1/32:8080"), "cdef");
	assert_string_equal(matches("dst = 127.0.0.1:8080"), "cdef");
	assert_string_equal(matches("src [::1]"), "jkl");
	assert_string_equal(matches("src ::1"), "jkl");
	assert_string_equal(matches("src [::1]:8082"), "jl");
	assert_string_equal(matches("src [::]/0:8082"), "jl");
	assert_string_equal(matches("src ::/64"), "jkl");
	assert_string_equal(matches("src != 127.0.0.1 and src != ::1"), "i");
	assert_string_equal(matches("src 127.0.0.2"), "");
}

static void and_binds_closer_than_or_and_not_closest(void **unused)
{
	(void)unused;
	assert_string_equal(matches("sport = :53 or sport = :8080 and dport = :42064"), "bm");
	assert_string_equal(matches("( sport = :53 or sport = :8080 ) and dport = :42064"), "b");
	assert_string_equal(matches("sport = :53 | dport = :42064 & sport = :8080 || sport = 8081"),
			    "bim");
	assert_string_equal(matches("not sport = :53 and not dport = :8080 src 127/8"), "abgh");
	assert_string_equal(matches("not not sport = :53"), "m");
	assert_string_equal(matches("state listening sport = :8080"), "a");
	assert_string_equal(matches("state unaccepted"), "b");
}

static void what_is_no_filter_is_refused_with_a_reason(void **unused)
{
	static const char *const bad[] = {
		"state",
		"state foo",
		"exclude",
		"exclude unaccepted",
		"sport",
		"sport =",
		"sport = =",
		"sport = :65536",
		"sport = :-1",
		"sport = :nothing",
		"sport = :",
		"dport 1x",
		"(",
		"( sport = 1",
		"sport = 1 )",
		")",
		"not",
		"and",
		"sport = 1 and",
		"or sport = 1",
		"sport = 1 or",
		"src < 10.0.0.1",
		"src 10.0.0.256",
		"src 10.0.0.0/33",
		"src ::/129",
		"src 1.2.3.4:x",
		"src [::1",
		"dev eth0",
		"sport = 1 state listening",
		"src 10.0.0.0/",
		"src",
		"sport = 1 & & dport = 2",
		"=",
		"sport state",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i]) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_memory_equal(wrong, "filter: ", 8);
		assert_non_null(strchr(wrong, ';'));
	}
	parse("state foo");
	assert_non_null(strstr(wrong, "unknown state at \"foo\"; write established"));
}

static void length_and_nesting_are_limited(void **unused)
{
	char words[4096];

	(void)unused;
	for (unsigned int n = 31; n <= 34; n++) {
		for (unsigned int i = 0; i < n; i++)
			memcpy(words + 12 * i, "sport = :80 ", 13);
		assert_int_equal(parse(words), n <= 32 ? 0 : -EINVAL);
	}
	for (size_t n = 15; n <= 17; n++) {
		memset(words, '(', n);
		memcpy(words + n, "sport 80", 8);
		memset(words + n + 8, ')', n);
		words[2 * n + 8] = '\0';
		assert_int_equal(parse(words), n < 16 ? 0 : -EINVAL);
	}
	for (size_t n = 78; n <= 82; n++) {
		memset(words, 'x', n);
		words[n] = '\0';
		assert_int_equal(parse(words), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(macros_stand_for_the_states_ss_lists),
		cmocka_unit_test(states_add_up_and_are_excluded),
		cmocka_unit_test(options_choose_the_states_ss_shows),
		cmocka_unit_test(an_empty_filter_matches_every_row),
		cmocka_unit_test(protocols_and_families_are_told_apart),
		cmocka_unit_test(ports_are_compared_in_every_spelling),
		cmocka_unit_test(addresses_are_compared_by_prefix),
		cmocka_unit_test(and_binds_closer_than_or_and_not_closest),
		cmocka_unit_test(what_is_no_filter_is_refused_with_a_reason),
		cmocka_unit_test(length_and_nesting_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
