/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP_DEFER_ACCEPT: no connection before its data. */
#include <errno.h>

#include "harness/puppet.h"

static struct puppet *deferring(enum kind k, int64_t seconds)
{
	struct puppet *p = puppet_new(k);

	open_listener(p, 8);
	set_option(p, p->listener, TERN_SO_DEFER_ACCEPT, seconds);
	return p;
}

/* SYN, SYN-ACK, and a last ACK that is not enough. */
static void shakes_hands(struct puppet *p)
{
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq));
	say(p);
	assert_dropped(p, TCP_DEFER_ACCEPT);
	assert_state(p, TERN_SYN_RECEIVED);
	assert_int_equal(COUNT(p, TcpExtTCPDeferAcceptDrop), 1);
}

static void seconds_are_kept_in_whole_syn_ack_timeouts(void **state)
{
	static const int64_t set_and_read[][2] = { { 0, 0 },     { 1, 1 },    { 2, 3 },
						   { 3, 3 },     { 4, 7 },    { 7, 7 },
						   { 8, 15 },    { 63, 63 },  { 64, 127 },
						   { 127, 127 }, { 128, 247 } };
	struct puppet *p = deferring(PASSIVE4, 0);

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(set_and_read); i++) {
		set_option(p, p->listener, TERN_SO_DEFER_ACCEPT, set_and_read[i][0]);
		assert_int_equal(option(p, p->listener, TERN_SO_DEFER_ACCEPT), set_and_read[i][1]);
	}
	done(p);
}

static void data_makes_the_connection(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = deferring(k, 3);

		shakes_hands(p);
		say(p, .flags = IS(TERN_ACK | TERN_PSH), .len = IS(10));
		assert_state(p, TERN_ESTABLISHED);
		app_accepts(p);
		app_reads(p, 10);
		done(p);
	}
}

static void a_fin_makes_the_connection(void **state)
{
	struct puppet *p = deferring(PASSIVE4, 3);

	(void)state;
	shakes_hands(p);
	say(p, .flags = IS(TERN_ACK | TERN_FIN));
	assert_state(p, TERN_CLOSE_WAIT);
	done(p);
}

static void who_has_answered_is_left_in_peace_until_the_last_timeout(void **state)
{
	struct puppet *p = deferring(PASSIVE4, 7);

	(void)state;
	shakes_hands(p);
	expect_after(p, 7 * SECOND, .flags = IS(TERN_SYN | TERN_ACK));
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	app_accepts(p);
	assert_int_equal(app_recv(p), -EAGAIN);
	done(p);
}

static void who_has_not_answered_gets_the_syn_ack_again_as_ever(void **state)
{
	struct puppet *p = deferring(PASSIVE4, 7);

	(void)state;
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK));
	expect_after(p, 1000, .flags = IS(TERN_SYN | TERN_ACK));
	expect_after(p, 2000, .flags = IS(TERN_SYN | TERN_ACK));
	done(p);
}

static void a_client_that_defers_saves_the_ack_for_its_request(void **state)
{
	(void)state;
	for (int writes = 0; writes < 2; writes++) {
		struct puppet *p = puppet_new(ACTIVE4);

		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
		set_option(p, p->id, TERN_SO_DEFER_ACCEPT, 1);
		open_active(p);
		say(p, .flags = IS(TERN_SYN | TERN_ACK));
		expect_silence(p);
		assert_state(p, TERN_ESTABLISHED);
		if (writes) {
			app_writes(p, 10);
			expect(p, .flags = IS(TERN_ACK), .len = IS(10), .ack = IS(p->seq));
		} else {
			expect_after(p, 200, .flags = IS(TERN_ACK), .len = IS(0));
		}
		done(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seconds_are_kept_in_whole_syn_ack_timeouts),
		cmocka_unit_test(data_makes_the_connection),
		cmocka_unit_test(a_fin_makes_the_connection),
		cmocka_unit_test(who_has_answered_is_left_in_peace_until_the_last_timeout),
		cmocka_unit_test(who_has_not_answered_gets_the_syn_ack_again_as_ever),
		cmocka_unit_test(a_client_that_defers_saves_the_ack_for_its_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
