/* SPDX-License-Identifier: BSD-2-Clause */
/* How long we wait for a peer that says nothing: R2, user timeout, keepalive, closed windows. */
#include <errno.h>

#include "harness/puppet.h"

/* ---- retransmission (RFC 9293 §3.8.3) ---- */

/* RFC9293:SHLD-11 */
static void data_is_sent_again_ever_more_slowly_and_then_given_up(void **state)
{
	static const uint32_t gaps[] = { 200 /* a loss probe */, 200, 400, 800 };

	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = puppet_new(k);
		uint32_t una;

		knob(p, "tcp_retries2", "3");
		bring_to(p, TERN_ESTABLISHED);
		una = p->ack;
		app_writes(p, 100);
		expect(p, .seq = IS(una), .len = IS(100));
		for (size_t i = 0; i < TERN_ARRAY_SIZE(gaps); i++)
			expect_after(p, gaps[i], .seq = IS(una), .len = IS(100));
		wait_ms(p, 1590);
		assert_state(p, TERN_ESTABLISHED);
		wait_ms(p, 15);
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		assert_true(events(p) & TERN_EV_ERROR);
		assert_int_equal(app_recv(p), -ETIMEDOUT);
		assert_int_equal(COUNT(p, TcpExtTCPAbortOnTimeout), 1);
		done(p);
	}
}

static void with_the_standard_knobs_a_silent_peer_is_given_up_after_15_minutes(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	app_writes(p, 100);
	wait_ms(p, 924 * SECOND + 200); /* a loss probe comes first */
	assert_state(p, TERN_ESTABLISHED);
	wait_ms(p, SECOND);
	assert_state(p, TERN_CLOSED);
	assert_int_equal(p->count, 17);
	ignore(p);
	done(p);
}

static void an_answer_in_time_starts_patience_anew(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_retries2", "2");
	bring_to(p, TERN_ESTABLISHED);
	for (int i = 0; i < 5; i++) {
		app_writes(p, 100);
		expect(p, .len = IS(100));
		expect_after(p, 200, .len = IS(100), .seq = IS(p->ack - 100)); /* a probe */
		expect_after(p, 200, .len = IS(100), .seq = IS(p->ack - 100));
		expect_after(p, 400, .len = IS(100), .seq = IS(p->ack - 100));
		say(p);
		app_writes(p, 1); /* a round trip that can be measured ends the backoff */
		expect(p, .len = IS(1));
		say(p);
	}
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

/* ---- TCP_USER_TIMEOUT (RFC 5482) ---- */

static void a_user_timeout_is_a_time_not_a_number_of_tries(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		set_option(p, p->id, TERN_SO_USER_TIMEOUT, 2500);
		app_writes(p, 100);
		wait_ms(p, 2499);
		assert_state(p, TERN_ESTABLISHED);
		wait_ms(p, 5);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(so_error(p), ETIMEDOUT);
		ignore(p);
		done(p);
	}
}

static void a_user_timeout_may_be_longer_than_r2(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_retries2", "1");
	bring_to(p, TERN_ESTABLISHED);
	set_option(p, p->id, TERN_SO_USER_TIMEOUT, 30 * SECOND);
	app_writes(p, 100);
	wait_ms(p, 29 * SECOND);
	assert_state(p, TERN_ESTABLISHED);
	wait_ms(p, 2 * SECOND);
	assert_state(p, TERN_CLOSED);
	ignore(p);
	done(p);
}

static void a_user_timeout_ends_connecting_early_but_never_prolongs_it(void **state)
{
	(void)state;
	for (int longer = 0; longer < 2; longer++) {
		struct puppet *p = puppet_new(ACTIVE4);

		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
		set_option(p, p->id, TERN_SO_USER_TIMEOUT, longer ? 1000 * SECOND : 2500);
		open_active(p);
		wait_ms(p, longer ? 130 * SECOND : 2499);
		assert_state(p, TERN_SYN_SENT);
		wait_ms(p, longer ? 2 * SECOND : 5);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(so_error(p), ETIMEDOUT);
		ignore(p);
		done(p);
	}
}

/* Answers whatever comes by a closed window until nothing has come for ms. */
static void keep_the_window_closed(struct puppet *p, uint64_t ms)
{
	for (uint64_t waited = 0; waited < ms; waited += 5) {
		wait_ms(p, 5);
		if (p->count)
			say(p);
		ignore(p);
	}
}

/* An answer to a probe is no progress. */
static void a_user_timeout_ends_the_wait_for_a_closed_window(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		set_option(p, p->id, TERN_SO_USER_TIMEOUT, 2500);
		p->window = 0;
		say(p);
		app_writes(p, 500);
		keep_the_window_closed(p, 2495);
		assert_state(p, TERN_ESTABLISHED);
		keep_the_window_closed(p, 10);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(so_error(p), ETIMEDOUT);
		ignore(p);
		done(p);
	}
}

/* The peer takes its window back and refuses what is on its way. */
static void a_user_timeout_ends_data_that_a_closing_window_refuses(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		uint32_t una = p->ack;

		set_option(p, p->id, TERN_SO_USER_TIMEOUT, 2500);
		app_writes(p, 500);
		expect(p, .seq = IS(una), .len = IS(500));
		p->ack = una;
		p->window = 0;
		say(p, .ack = IS(una));
		for (int i = 0; i < 499; i++) {
			wait_ms(p, 5);
			if (p->count)
				say(p, .ack = IS(una));
			ignore(p);
		}
		assert_state(p, TERN_ESTABLISHED);
		wait_ms(p, 10);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(so_error(p), ETIMEDOUT);
		ignore(p);
		done(p);
	}
}

/* What a cork holds back is not held back by the peer. */
static void a_user_timeout_does_not_end_a_connection_for_its_own_cork(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	set_option(p, p->id, TERN_SO_USER_TIMEOUT, 50);
	set_option(p, p->id, TERN_SO_CORK, 1);
	app_writes(p, 100);
	expect_silence(p);
	expect_after(p, 200, .len = IS(100));
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

/* ---- no state lasts for ever by itself ---- */

static void every_passing_state_has_a_timer(void **state)
{
	static const struct {
		enum tern_state state;
		enum tern_timer_kind timer;
	} cases[] = {
		{ TERN_SYN_SENT, TERN_TIMER_ON },        { TERN_SYN_RECEIVED, TERN_TIMER_ON },
		{ TERN_ESTABLISHED, TERN_TIMER_NONE },   { TERN_CLOSE_WAIT, TERN_TIMER_NONE },
		{ TERN_FIN_WAIT_1, TERN_TIMER_ON },      { TERN_FIN_WAIT_2, TERN_TIMER_NONE },
		{ TERN_CLOSING, TERN_TIMER_ON },         { TERN_LAST_ACK, TERN_TIMER_ON },
		{ TERN_TIME_WAIT, TERN_TIMER_TIMEWAIT },
	};

	(void)state;
	FOR_EACH_KIND(k)
	{
		for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
			struct puppet *p = in_state(cases[i].state, k);
			struct tern_socket_info row;

			assert_true(find_row(p, &row));
			assert_int_equal(row.timer, cases[i].timer);
			assert_int_equal(row.timer_ns != 0, cases[i].timer != TERN_TIMER_NONE);
			if (cases[i].timer == TERN_TIMER_NONE) /* what is left fires for nothing */
				wait_ms(p, 2 * SECOND);
			assert_int_equal(tern_stack_deadline(p->st) != TERN_NEVER,
					 cases[i].timer != TERN_TIMER_NONE);
			done(p);
		}
	}
}

/* ---- SYNs of one socket ---- */

static void tcp_syncnt_is_the_sockets_own_number_of_syns(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	set_option(p, p->id, TERN_SO_SYNCNT, 2);
	open_active(p);
	expect_after(p, SECOND, .flags = IS(TERN_SYN));
	expect_after(p, SECOND, .flags = IS(TERN_SYN));
	wait_ms(p, SECOND - 2);
	assert_state(p, TERN_SYN_SENT);
	wait_ms(p, 4);
	expect_silence(p);
	assert_state(p, TERN_CLOSED);
	done(p);
}

/* ---- keepalive (RFC 9293 §3.8.4) ---- */

static struct puppet *kept_alive(enum kind k)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, k);

	set_option(p, p->id, TERN_SO_KEEPALIVE, 1);
	set_option(p, p->id, TERN_SO_KEEPIDLE, 100);
	set_option(p, p->id, TERN_SO_KEEPINTVL, 10);
	set_option(p, p->id, TERN_SO_KEEPCNT, 3);
	return p;
}

/* RFC9293:MUST-25 */
static void keepalive_is_off_unless_asked_for(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	wait_ms(p, 100 * 60 * MINUTE);
	expect_silence(p);
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

/* RFC9293:MUST-24 RFC9293:MUST-28 */
static void keepalive_waits_two_hours_by_itself(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	set_option(p, p->id, TERN_SO_KEEPALIVE, 1);
	expect_after(p, 7200 * SECOND, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1), .len = IS(0));
	for (int i = 1; i < 9; i++)
		expect_after(p, 75 * SECOND, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1));
	expect_after(p, 75 * SECOND, .flags = IS(TERN_RST | TERN_ACK));
	assert_int_equal(so_error(p), ETIMEDOUT);
	done(p);
}

/* RFC9293:MUST-24 RFC9293:MUST-29 RFC9293:MAY-5 */
static void keepalive_probes_and_gives_up_with_a_reset(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = kept_alive(k);
		struct tern_socket_info row;

		assert_true(find_row(p, &row));
		assert_int_equal(row.timer, TERN_TIMER_KEEPALIVE);
		expect_after(p, 100 * SECOND, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1),
			     .ack = IS(p->seq), .len = IS(0));
		expect_after(p, 10 * SECOND, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1));
		expect_after(p, 10 * SECOND, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1));
		assert_state(p, TERN_ESTABLISHED);
		expect_after(p, 10 * SECOND, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->ack));
		assert_state(p, TERN_CLOSED);
		assert_int_equal(so_error(p), ETIMEDOUT);
		assert_int_equal(COUNT(p, TcpExtTCPKeepAlive), 3);
		done(p);
	}
}

/* RFC9293:MUST-29: one lost answer is no death; any segment starts over. RFC9293:MUST-26 */
static void an_answer_to_a_keepalive_probe_starts_over(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = kept_alive(k);

		for (int i = 0; i < 3; i++) {
			expect_after(p, 100 * SECOND, .seq = IS(p->ack - 1));
			expect_after(p, 10 * SECOND, .seq = IS(p->ack - 1));
			say(p);
			assert_taken(p);
			expect_silence(p);
		}
		assert_state(p, TERN_ESTABLISHED);
		done(p);
	}
}

/* RFC9293:MUST-26. */
static void keepalive_is_silent_while_data_is_outstanding(void **state)
{
	struct puppet *p = kept_alive(PASSIVE4);

	(void)state;
	app_writes(p, 10);
	wait_ms(p, 800 * SECOND);
	assert_int_equal(COUNT(p, TcpExtTCPKeepAlive), 0);
	ignore(p);
	p->ack += 10;
	say(p);
	wait_ms(p, 99 * SECOND);
	expect_silence(p);
	done(p);
}

static void keepalive_goes_on_in_half_closed_states(void **state)
{
	static const enum tern_state half[] = { TERN_CLOSE_WAIT, TERN_FIN_WAIT_2 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(half); i++) {
		struct puppet *p = in_state(half[i], PASSIVE4);

		set_option(p, p->id, TERN_SO_KEEPIDLE, 100);
		set_option(p, p->id, TERN_SO_KEEPALIVE, 1);
		expect_after(p, 100 * SECOND, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1));
		say(p);
		set_option(p, p->id, TERN_SO_KEEPALIVE, 0);
		wait_ms(p, 1000 * SECOND);
		expect_silence(p);
		done(p);
	}
}

static void keepalive_set_late_counts_from_when_the_peer_was_heard(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	wait_ms(p, 60 * SECOND);
	set_option(p, p->id, TERN_SO_KEEPIDLE, 100);
	set_option(p, p->id, TERN_SO_KEEPALIVE, 1);
	expect_after(p, 40 * SECOND, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1));
	done(p);
}

static void we_answer_the_peers_keepalive_probes(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		for (int i = 0; i < 3; i++) {
			wait_ms(p, 10 * SECOND);
			say(p, .seq = IS(p->seq - 1));
			assert_dropped(p, TCP_OLD_SEQUENCE);
			expect_ack(p);
		}
		done(p);
	}
}

/* ---- a closed window (RFC 9293 §3.8.6.1) ---- */

static void a_closed_window_is_probed_and_never_given_up_while_it_is_answered(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);
	uint64_t gap = 200;

	(void)state;
	knob(p, "tcp_retries2", "3");
	bring_to(p, TERN_ESTABLISHED);
	p->window = 0;
	say(p);
	app_writes(p, 500);
	expect_silence(p);
	for (int i = 0; i < 20; i++) {
		expect_after(p, gap, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1), .len = IS(0));
		gap = TERN_MIN(gap * 2, (uint64_t)120 * SECOND);
		say(p);
		expect_silence(p);
	}
	assert_state(p, TERN_ESTABLISHED);
	p->window = 65535;
	say(p);
	expect(p, .len = IS(500));
	done(p);
}

static void a_closed_window_whose_peer_is_dead_is_given_up(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_retries2", "3");
	bring_to(p, TERN_ESTABLISHED);
	p->window = 0;
	say(p);
	app_writes(p, 500);
	wait_ms(p, 60 * SECOND);
	assert_state(p, TERN_CLOSED);
	assert_int_equal(so_error(p), ETIMEDOUT);
	assert_int_equal(COUNT(p, TcpExtTCPWinProbe), 3);
	ignore(p);
	done(p);
}

static void an_orphan_behind_a_closed_window_is_given_up_although_it_is_answered(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	p->window = 0;
	say(p);
	app_writes(p, 500);
	app_closes(p);
	for (int i = 0; i < 40 && state_of(p) == TERN_FIN_WAIT_1; i++) {
		wait_ms(p, 30 * SECOND);
		ignore(p);
		say(p);
		ignore(p);
	}
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void a_fin_waits_for_the_window_too(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	p->window = 0;
	say(p);
	app_shuts(p, TERN_SHUT_WR);
	expect_silence(p);
	expect_after(p, 200, .flags = IS(TERN_ACK), .seq = IS(p->ack - 1));
	p->window = 65535;
	say(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_sent_again_ever_more_slowly_and_then_given_up),
		cmocka_unit_test(
			with_the_standard_knobs_a_silent_peer_is_given_up_after_15_minutes),
		cmocka_unit_test(an_answer_in_time_starts_patience_anew),
		cmocka_unit_test(a_user_timeout_is_a_time_not_a_number_of_tries),
		cmocka_unit_test(a_user_timeout_may_be_longer_than_r2),
		cmocka_unit_test(a_user_timeout_ends_connecting_early_but_never_prolongs_it),
		cmocka_unit_test(a_user_timeout_ends_the_wait_for_a_closed_window),
		cmocka_unit_test(a_user_timeout_ends_data_that_a_closing_window_refuses),
		cmocka_unit_test(a_user_timeout_does_not_end_a_connection_for_its_own_cork),
		cmocka_unit_test(every_passing_state_has_a_timer),
		cmocka_unit_test(tcp_syncnt_is_the_sockets_own_number_of_syns),
		cmocka_unit_test(keepalive_is_off_unless_asked_for),
		cmocka_unit_test(keepalive_waits_two_hours_by_itself),
		cmocka_unit_test(keepalive_probes_and_gives_up_with_a_reset),
		cmocka_unit_test(an_answer_to_a_keepalive_probe_starts_over),
		cmocka_unit_test(keepalive_is_silent_while_data_is_outstanding),
		cmocka_unit_test(keepalive_goes_on_in_half_closed_states),
		cmocka_unit_test(keepalive_set_late_counts_from_when_the_peer_was_heard),
		cmocka_unit_test(we_answer_the_peers_keepalive_probes),
		cmocka_unit_test(a_closed_window_is_probed_and_never_given_up_while_it_is_answered),
		cmocka_unit_test(a_closed_window_whose_peer_is_dead_is_given_up),
		cmocka_unit_test(
			an_orphan_behind_a_closed_window_is_given_up_although_it_is_answered),
		cmocka_unit_test(a_fin_waits_for_the_window_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
