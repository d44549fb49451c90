/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening: passive, active, simultaneous (RFC 9293 §3.5), with everything lost or sent twice. */
#include <errno.h>

#include "harness/puppet.h"

static void every_state_can_be_constructed(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (unsigned int s = TERN_ESTABLISHED; s <= TERN_CLOSING; s++)
			done(in_state((enum tern_state)s, k));
	}
}

/* ---- passive ---- */

static void a_syn_is_answered_and_its_ack_makes_a_connection(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_LISTEN, k);

		say(p, .flags = IS(TERN_SYN));
		assert_taken(p);
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 1), .len = IS(0),
		       .mss = IS(p->mss), .sackok = IS(1), .ts = IS(1), .wnd = IS(65535));
		assert_int_equal(p->got.seg.opt.tsecr, (uint32_t)(p->now / NS_PER_MS) + p->ts_base);
		assert_state(p, TERN_SYN_RECEIVED);
		assert_int_equal(tern_stack_accept(p->st, p->now, p->listener, &p->id), -EAGAIN);
		say(p);
		assert_taken(p);
		expect_silence(p);
		assert_state(p, TERN_ESTABLISHED);
		app_accepts(p);
		assert_int_equal(app_recv(p), -EAGAIN);
		assert_int_equal(COUNT(p, TcpPassiveOpens), 1);
		assert_int_equal(COUNT(p, TcpAttemptFails), 0);
		done(p);
	}
}

static void a_syn_sent_again_draws_the_same_syn_ack(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_SYN_RECEIVED, k);
		uint32_t irs = p->irs;

		wait_ms(p, 900);
		say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(irs), .ack = IS(p->iss + 1));
		assert_state(p, TERN_SYN_RECEIVED);
		say(p);
		assert_state(p, TERN_ESTABLISHED);
		done(p);
	}
}

static void a_lost_syn_ack_is_sent_again_until_patience_ends(void **state)
{
	static const uint32_t gaps[] = { 1, 2, 4, 8, 16 };

	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_SYN_RECEIVED, k);
		uint32_t irs = p->irs;

		for (size_t i = 0; i < TERN_ARRAY_SIZE(gaps); i++)
			expect_after(p, gaps[i] * SECOND, .flags = IS(TERN_SYN | TERN_ACK),
				     .seq = IS(irs), .ack = IS(p->seq));
		wait_ms(p, 31 * SECOND);
		assert_state(p, TERN_SYN_RECEIVED);
		wait_ms(p, 2 * SECOND);
		assert_state(p, TERN_LISTEN);
		expect_silence(p);
		say(p); /* too late */
		expect(p, .flags = IS(TERN_RST), .seq = IS(p->ack));
		assert_int_equal(COUNT(p, TcpExtTCPSynRetrans), 5);
		assert_int_equal(COUNT(p, TcpAttemptFails), 1);
		done(p);
	}
}

static void tcp_synack_retries_is_the_number_of_repetitions(void **state)
{
	(void)state;
	for (uint32_t n = 0; n <= 2; n++) {
		struct puppet *p = puppet_new(PASSIVE4);

		knob(p, "tcp_synack_retries", (const char[]){ (char)('0' + n), 0 });
		bring_to(p, TERN_SYN_RECEIVED);
		for (uint32_t i = 0; i < n; i++)
			expect_after(p, SECOND << i, .flags = IS(TERN_SYN | TERN_ACK));
		wait_ms(p, (SECOND << n) + SECOND);
		expect_silence(p);
		assert_state(p, TERN_LISTEN);
		done(p);
	}
}

static void data_on_the_third_segment_is_there_at_accept(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_SYN_RECEIVED, k);

		say(p, .len = IS(100)); /* the bare ACK was lost, or never sent */
		assert_taken(p);
		expect_ack(p);
		assert_state(p, TERN_ESTABLISHED);
		app_accepts(p);
		assert_int_equal(option(p, p->id, TERN_SO_INQ), 100);
		app_reads(p, 100);
		done(p);
	}
}

static void data_and_fin_on_the_third_segment_end_in_close_wait(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_SYN_RECEIVED, k);

		say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(10));
		assert_taken(p);
		expect_ack(p);
		assert_state(p, TERN_CLOSE_WAIT);
		app_accepts(p);
		app_reads(p, 10);
		assert_int_equal(app_recv(p), 0);
		done(p);
	}
}

static void data_beyond_a_gap_completes_the_handshake_too(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_SYN_RECEIVED, k);

		say(p, .seq = IS(p->seq + 50), .len = IS(50));
		expect(p, .flags = IS(TERN_ACK), .ack = IS(p->iss + 1),
		       .sack_left = IS(p->iss + 51), .sack_right = IS(p->iss + 101));
		assert_state(p, TERN_ESTABLISHED);
		app_accepts(p);
		assert_int_equal(app_recv(p), -EAGAIN);
		say(p, .len = IS(50));
		p->seq += 50;
		expect_ack(p);
		app_reads(p, 100);
		done(p);
	}
}

static void data_on_a_syn_is_left_for_later(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_LISTEN, k);

		say(p, .flags = IS(TERN_SYN), .len = IS(20));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 1));
		p->seq = p->iss + 1;
		say(p, .len = IS(20));
		expect_ack(p);
		app_accepts(p);
		app_reads(p, 20);
		done(p);
	}
}

/* ---- active ---- */

/* RFC9293:MUST-14 RFC9293:SHLD-5 RFC9293:MAY-3 */
static void connect_sends_a_syn_and_takes_the_answer(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = puppet_new((enum kind)(passive + 1));

		open_active(p);
		assert_int_equal(p->got.seg.opt.mss, p->mss);
		assert_int_equal(p->got.seg.opt.present,
				 TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS);
		assert_int_equal(p->got.seg.opt.tsecr, 0);
		assert_int_equal(events(p), 0);
		say(p, .flags = IS(TERN_SYN | TERN_ACK));
		assert_taken(p);
		expect_ack(p);
		assert_int_equal(events(p), TERN_EV_CONNECTED | TERN_EV_WRITABLE);
		assert_state(p, TERN_ESTABLISHED);
		assert_int_equal(COUNT(p, TcpActiveOpens), 1);
		done(p);
	}
}

/* RFC9293:MUST-22 RFC9293:U-1 RFC6298:2.1 */
static void a_lost_syn_is_sent_again_first_every_second_then_slower(void **state)
{
	static const uint32_t gaps[] = { 1, 1, 1, 1, 1, 2, 4, 8, 16, 32 };

	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = in_state(TERN_SYN_SENT, (enum kind)(passive + 1));

		for (size_t i = 0; i < TERN_ARRAY_SIZE(gaps); i++)
			expect_after(p, gaps[i] * SECOND, .flags = IS(TERN_SYN), .seq = IS(p->irs),
				     .mss = IS(p->mss));
		wait_ms(p, 63 * SECOND);
		assert_state(p, TERN_SYN_SENT);
		wait_ms(p, 2 * SECOND);
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(events(p) & TERN_EV_ERROR, TERN_EV_ERROR);
		assert_int_equal(so_error(p), ETIMEDOUT);
		assert_int_equal(COUNT(p, TcpExtTCPSynRetrans), 10);
		assert_int_equal(COUNT(p, TcpAttemptFails), 1);
		done(p);
	}
}

static void tcp_syn_retries_and_linear_timeouts_make_the_schedule(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	knob(p, "tcp_syn_retries", "2");
	knob(p, "tcp_syn_linear_timeouts", "0");
	open_active(p);
	expect_after(p, 1 * SECOND, .flags = IS(TERN_SYN));
	expect_after(p, 2 * SECOND, .flags = IS(TERN_SYN));
	wait_ms(p, 3900);
	assert_state(p, TERN_SYN_SENT);
	wait_ms(p, 200);
	assert_state(p, TERN_CLOSED);
	assert_int_equal(so_error(p), ETIMEDOUT);
	done(p);
}

static void an_answer_to_a_late_syn_is_taken_like_one_to_the_first(void **state)
{
	struct puppet *p = in_state(TERN_SYN_SENT, ACTIVE4);

	(void)state;
	expect_after(p, 1 * SECOND, .flags = IS(TERN_SYN));
	expect_after(p, 1 * SECOND, .flags = IS(TERN_SYN));
	say(p, .flags = IS(TERN_SYN | TERN_ACK));
	expect_ack(p);
	assert_state(p, TERN_ESTABLISHED);
	wait_ms(p, 10 * SECOND);
	expect_silence(p);
	app_writes(p, 10);
	expect(p, .len = IS(10));
	expect_after(p, 1 * SECOND, .seq = IS(p->ack - 10), .len = IS(10)); /* a loss probe */
	expect_after(p, 3 * SECOND, .seq = IS(p->ack - 10), .len = IS(10)); /* RFC 6298 5.7 */
	done(p);
}

static void a_syn_ack_sent_again_is_acknowledged_again(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, (enum kind)(passive + 1));

		say(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->iss));
		expect_ack(p);
		assert_state(p, TERN_ESTABLISHED);
		done(p);
	}
}

/* RFC9293:U-4 */
static void data_written_while_connecting_leaves_on_the_third_segment(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = in_state(TERN_SYN_SENT, (enum kind)(passive + 1));

		app_writes(p, 300);
		expect_silence(p);
		assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 300);
		say(p, .flags = IS(TERN_SYN | TERN_ACK));
		expect(p, .flags = IS(TERN_ACK), .ack = IS(p->seq), .len = IS(300));
		expect_silence(p);
		say(p);
		assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
		done(p);
	}
}

static void data_on_the_syn_ack_is_readable_at_once(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = in_state(TERN_SYN_SENT, (enum kind)(passive + 1));

		say(p, .flags = IS(TERN_SYN | TERN_ACK), .len = IS(40));
		expect_ack(p);
		assert_true(events(p) & TERN_EV_READABLE);
		app_reads(p, 40);
		done(p);
	}
}

static void connect_is_refused_by_a_reset(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = in_state(TERN_SYN_SENT, (enum kind)(passive + 1));

		say(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(0));
		assert_dropped(p, TCP_RESET);
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(events(p) & (TERN_EV_ERROR | TERN_EV_CLOSED),
				 TERN_EV_ERROR | TERN_EV_CLOSED);
		assert_int_equal(so_error(p), ECONNREFUSED);
		assert_int_equal(so_error(p), 0);
		done(p);
	}
}

/* RFC 9293 §3.10.7.3, first: SEG.ACK =< ISS or > SND.NXT. */
static void a_syn_ack_of_another_connection_is_reset_and_changes_nothing(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		for (int d = -1; d <= 1; d++) {
			struct puppet *p = in_state(TERN_SYN_SENT, (enum kind)(passive + 1));
			uint32_t ack = p->irs + 1 + (uint32_t)d;

			say(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(ack));
			if (!d) {
				assert_state(p, TERN_ESTABLISHED);
				ignore(p);
			} else {
				assert_dropped(p, TCP_INVALID_ACK_SEQUENCE);
				expect(p, .flags = IS(TERN_RST), .seq = IS(ack));
				assert_state(p, TERN_SYN_SENT);
			}
			done(p);
		}
	}
}

static void a_reset_with_a_wrong_ack_does_not_end_syn_sent(void **state)
{
	struct puppet *p = in_state(TERN_SYN_SENT, ACTIVE4);

	(void)state;
	for (int d = -1; d <= 1; d += 2) {
		say(p, .flags = IS(TERN_RST | TERN_ACK), .ack = IS(p->irs + 1 + (uint32_t)d));
		assert_dropped(p, TCP_INVALID_ACK_SEQUENCE);
	}
	say(p, .flags = IS(TERN_RST));
	assert_dropped(p, TCP_INVALID_RST);
	expect_silence(p);
	assert_state(p, TERN_SYN_SENT);
	done(p);
}

static void an_ack_without_syn_in_syn_sent_is_ignored(void **state)
{
	struct puppet *p = in_state(TERN_SYN_SENT, ACTIVE4);

	(void)state;
	say(p, .flags = IS(TERN_ACK), .ts = IS(0));
	assert_dropped(p, TCP_FLAGS);
	say(p, .flags = IS(0));
	assert_dropped(p, TCP_FLAGS);
	expect_silence(p);
	assert_state(p, TERN_SYN_SENT);
	done(p);
}

static void closing_in_syn_sent_forgets_the_connection(void **state)
{
	struct puppet *p = in_state(TERN_SYN_SENT, ACTIVE4);

	(void)state;
	app_writes(p, 10);
	app_closes(p);
	expect_silence(p);
	assert_state(p, TERN_CLOSED);
	say(p, .flags = IS(TERN_SYN | TERN_ACK));
	expect(p, .flags = IS(TERN_RST), .seq = IS(p->ack));
	done(p);
}

/* ---- simultaneous (MUST-10, figure 8) ---- */

/* RFC9293:MUST-10 */
static void crossing_syns_end_in_one_connection(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = in_state(TERN_SYN_SENT, (enum kind)(passive + 1));

		say(p, .flags = IS(TERN_SYN));
		assert_taken(p);
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->irs), .ack = IS(p->seq),
		       .mss = IS(p->mss), .ts = IS(1));
		assert_state(p, TERN_SYN_RECEIVED);
		assert_int_equal(events(p), 0);
		say(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->iss));
		assert_taken(p);
		assert_state(p, TERN_ESTABLISHED);
		assert_int_equal(events(p), TERN_EV_CONNECTED | TERN_EV_WRITABLE);
		app_writes(p, 5);
		expect(p, .flags = IS(TERN_ACK), .ack = IS(p->seq), .len = IS(5));
		done(p);
	}
}

/* RFC9293:MUST-10 */
static void crossing_syns_may_be_completed_by_an_ack_alone(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(passive)
	{
		struct puppet *p = in_state(TERN_SYN_RECEIVED, (enum kind)(passive + 1));

		say(p, .len = IS(7));
		expect_ack(p);
		assert_state(p, TERN_ESTABLISHED);
		app_reads(p, 7);
		done(p);
	}
}

static void a_syn_before_ours_has_left_is_a_simultaneous_open_too(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);
	struct tern_endpoint at = p->us;

	(void)state;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	assert_int_equal(tern_stack_bind(p->st, p->now, p->id, &at), 0);
	assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), 0);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq));
	expect_silence(p);
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

static void crossing_syn_acks_are_sent_again_when_lost(void **state)
{
	struct puppet *p = in_state(TERN_SYN_RECEIVED, ACTIVE4);

	(void)state;
	expect_after(p, 1 * SECOND, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->irs));
	expect_after(p, 2 * SECOND, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->irs));
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	wait_ms(p, 20 * SECOND);
	expect_silence(p);
	done(p);
}

static void a_crossing_syn_sent_again_is_answered(void **state)
{
	struct puppet *p = in_state(TERN_SYN_RECEIVED, ACTIVE4);

	(void)state;
	say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss));
	expect(p, .flags = IS(TERN_ACK), .seq = IS(p->ack), .ack = IS(p->seq));
	assert_state(p, TERN_SYN_RECEIVED);
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

/* The window of a segment with SYN is never scaled (RFC 7323 §2.2). RFC7323:2.2b */
static void the_window_of_a_crossing_syn_ack_is_not_scaled(void **state)
{
	struct puppet *p = in_state(TERN_SYN_RECEIVED, ACTIVE4);
	struct tern_socket_info row;

	(void)state;
	say(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->iss), .wnd = IS(1000));
	assert_true(find_row(p, &row));
	assert_int_equal(row.state, TERN_ESTABLISHED);
	assert_int_equal(row.snd_wnd, 1000);
	done(p);
}

static void data_written_between_crossing_syns_leaves_when_the_connection_stands(void **state)
{
	struct puppet *p = in_state(TERN_SYN_RECEIVED, ACTIVE4);

	(void)state;
	app_writes(p, 20);
	expect_silence(p);
	say(p);
	expect(p, .flags = IS(TERN_ACK), .len = IS(20));
	done(p);
}

static void closing_between_crossing_syns_sends_the_fin_when_the_connection_stands(void **state)
{
	struct puppet *p = in_state(TERN_SYN_RECEIVED, ACTIVE4);

	(void)state;
	app_writes(p, 20);
	app_shuts(p, TERN_SHUT_WR);
	expect_silence(p);
	assert_state(p, TERN_SYN_RECEIVED);
	say(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(20));
	assert_state(p, TERN_FIN_WAIT_1);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_can_be_constructed),
		cmocka_unit_test(a_syn_is_answered_and_its_ack_makes_a_connection),
		cmocka_unit_test(a_syn_sent_again_draws_the_same_syn_ack),
		cmocka_unit_test(a_lost_syn_ack_is_sent_again_until_patience_ends),
		cmocka_unit_test(tcp_synack_retries_is_the_number_of_repetitions),
		cmocka_unit_test(data_on_the_third_segment_is_there_at_accept),
		cmocka_unit_test(data_and_fin_on_the_third_segment_end_in_close_wait),
		cmocka_unit_test(data_beyond_a_gap_completes_the_handshake_too),
		cmocka_unit_test(data_on_a_syn_is_left_for_later),
		cmocka_unit_test(connect_sends_a_syn_and_takes_the_answer),
		cmocka_unit_test(a_lost_syn_is_sent_again_first_every_second_then_slower),
		cmocka_unit_test(tcp_syn_retries_and_linear_timeouts_make_the_schedule),
		cmocka_unit_test(an_answer_to_a_late_syn_is_taken_like_one_to_the_first),
		cmocka_unit_test(a_syn_ack_sent_again_is_acknowledged_again),
		cmocka_unit_test(data_written_while_connecting_leaves_on_the_third_segment),
		cmocka_unit_test(data_on_the_syn_ack_is_readable_at_once),
		cmocka_unit_test(connect_is_refused_by_a_reset),
		cmocka_unit_test(a_syn_ack_of_another_connection_is_reset_and_changes_nothing),
		cmocka_unit_test(a_reset_with_a_wrong_ack_does_not_end_syn_sent),
		cmocka_unit_test(an_ack_without_syn_in_syn_sent_is_ignored),
		cmocka_unit_test(closing_in_syn_sent_forgets_the_connection),
		cmocka_unit_test(crossing_syns_end_in_one_connection),
		cmocka_unit_test(crossing_syns_may_be_completed_by_an_ack_alone),
		cmocka_unit_test(a_syn_before_ours_has_left_is_a_simultaneous_open_too),
		cmocka_unit_test(crossing_syn_acks_are_sent_again_when_lost),
		cmocka_unit_test(a_crossing_syn_sent_again_is_answered),
		cmocka_unit_test(the_window_of_a_crossing_syn_ack_is_not_scaled),
		cmocka_unit_test(
			data_written_between_crossing_syns_leaves_when_the_connection_stands),
		cmocka_unit_test(
			closing_between_crossing_syns_sends_the_fin_when_the_connection_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
