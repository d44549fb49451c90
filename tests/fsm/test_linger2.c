/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP_LINGER2: how long a closed socket waits in FIN-WAIT-2 for the peer's FIN. */
#include "harness/puppet.h"

/* Closed, and its FIN acknowledged, with TCP_LINGER2 set before. */
static struct puppet *closed_with(int seconds)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	set_option(p, p->id, TERN_SO_LINGER2, seconds);
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	say(p);
	return p;
}

static void a_socket_may_have_a_time_of_its_own_in_fin_wait_2(void **state)
{
	struct puppet *p = closed_with(3);

	(void)state;
	assert_state(p, TERN_FIN_WAIT_2);
	wait_ms(p, 2990);
	assert_state(p, TERN_FIN_WAIT_2);
	wait_ms(p, 20);
	expect_silence(p);
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void closing_in_fin_wait_2_begins_that_time(void **state)
{
	struct puppet *p = in_state(TERN_FIN_WAIT_2, PASSIVE4);

	(void)state;
	set_option(p, p->id, TERN_SO_LINGER2, 3);
	wait_ms(p, 10 * SECOND);
	app_closes(p);
	wait_ms(p, 2990);
	assert_state(p, TERN_FIN_WAIT_2);
	wait_ms(p, 20);
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void a_fin_in_that_time_leads_to_time_wait(void **state)
{
	struct puppet *p = closed_with(3);

	(void)state;
	wait_ms(p, SECOND);
	say(p, .flags = IS(TERN_FIN | TERN_ACK));
	expect_ack(p);
	assert_state(p, TERN_TIME_WAIT);
	done(p);
}

static void below_zero_there_is_no_fin_wait_2(void **state)
{
	struct puppet *p = closed_with(-1);

	(void)state;
	assert_state(p, TERN_CLOSED);
	expect(p, .flags = IS(TERN_RST));
	done(p);
	p = in_state(TERN_FIN_WAIT_2, PASSIVE4);
	set_option(p, p->id, TERN_SO_LINGER2, -1);
	app_closes(p);
	expect_reset(p);
	assert_state(p, TERN_CLOSED);
	assert_int_equal(COUNT(p, TcpExtTCPAbortOnLinger), 1);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_may_have_a_time_of_its_own_in_fin_wait_2),
		cmocka_unit_test(closing_in_fin_wait_2_begins_that_time),
		cmocka_unit_test(a_fin_in_that_time_leads_to_time_wait),
		cmocka_unit_test(below_zero_there_is_no_fin_wait_2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
