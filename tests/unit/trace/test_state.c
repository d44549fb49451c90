/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/state.h"

#include "unit/golden.h"

static void the_table_of_moves_is_the_committed_one(void **unused)
{
	char text[8192];
	int len = 0;

	(void)unused;
	for (unsigned int from = 1; from < TERN_STATE_MAX; from++) {
		for (unsigned int to = 1; to < TERN_STATE_MAX; to++)
			len += snprintf(text + len, sizeof(text) - (size_t)len,
					"%-12s -> %-12s %s\n", tern_state_name(from),
					tern_state_name(to),
					tern_state_legal(from, to) ? "legal" : "-");
	}
	assert_golden("moves.txt", text, (size_t)len);
}

static void every_state_but_closed_may_end_in_closed(void **unused)
{
	(void)unused;
	for (unsigned int from = 1; from < TERN_STATE_MAX; from++)
		assert_int_equal(tern_state_legal(from, TERN_CLOSED), from != TERN_CLOSED);
}

static void staying_in_a_state_is_no_move(void **unused)
{
	(void)unused;
	for (unsigned int state = 0; state < TERN_STATE_MAX + 1; state++)
		assert_false(tern_state_legal(state, state));
}

static void numbers_that_are_no_state_have_no_legal_move(void **unused)
{
	static const unsigned int bad[] = { 0, TERN_STATE_MAX, TERN_STATE_MAX + 1, 255,
					    0xffffffff };

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (unsigned int state = 0; state < TERN_STATE_MAX; state++) {
			assert_false(tern_state_legal(bad[i], state));
			assert_false(tern_state_legal(state, bad[i]));
		}
		assert_string_equal(tern_state_name(bad[i]), "?");
		assert_string_equal(tern_state_ss_name(bad[i]), "?");
	}
}

static void a_state_is_found_by_every_name_it_is_printed_with(void **unused)
{
	(void)unused;
	for (unsigned int state = 1; state < TERN_STATE_MAX; state++) {
		assert_int_equal(tern_state_find(tern_state_name(state)), state);
		assert_int_equal(tern_state_find(tern_state_ss_name(state)), state);
	}
}

static void a_state_is_found_by_the_spellings_of_other_tools(void **unused)
{
	(void)unused;
	assert_int_equal(tern_state_find("established"), TERN_ESTABLISHED);
	assert_int_equal(tern_state_find("estab"), TERN_ESTABLISHED);
	assert_int_equal(tern_state_find("SYN_RECV"), TERN_SYN_RECEIVED);
	assert_int_equal(tern_state_find("syn-received"), TERN_SYN_RECEIVED);
	assert_int_equal(tern_state_find("Syn_Rcvd"), TERN_SYN_RECEIVED);
	assert_int_equal(tern_state_find("FIN_WAIT1"), TERN_FIN_WAIT_1);
	assert_int_equal(tern_state_find("fin-wait-2"), TERN_FIN_WAIT_2);
	assert_int_equal(tern_state_find("time_wait"), TERN_TIME_WAIT);
	assert_int_equal(tern_state_find("listening"), TERN_LISTEN);
	assert_int_equal(tern_state_find("closed"), TERN_CLOSED);
	assert_int_equal(tern_state_find("unconn"), TERN_CLOSED);
	assert_int_equal(tern_state_find("TCP_LAST_ACK"), TERN_LAST_ACK);
	assert_int_equal(tern_state_find("0A"), TERN_LISTEN);
	assert_int_equal(tern_state_find("0b"), TERN_CLOSING);
}

static void what_is_no_state_is_not_found(void **unused)
{
	static const char *const bad[] = {
		"", "tcp_", "TCP-", "estab ", "listen-", "syn", "0D", "?"
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tern_state_find(bad[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_moves_is_the_committed_one),
		cmocka_unit_test(every_state_but_closed_may_end_in_closed),
		cmocka_unit_test(staying_in_a_state_is_no_move),
		cmocka_unit_test(numbers_that_are_no_state_have_no_legal_move),
		cmocka_unit_test(a_state_is_found_by_every_name_it_is_printed_with),
		cmocka_unit_test(a_state_is_found_by_the_spellings_of_other_tools),
		cmocka_unit_test(what_is_no_state_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
