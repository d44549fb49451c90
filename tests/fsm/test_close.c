/* SPDX-License-Identifier: BSD-2-Clause */
/* Closing (RFC 9293 §3.6): halves, both at once, FINs in every order, orphans, resets instead. */
#include <errno.h>

#include "harness/puppet.h"

/* ---- we close first ---- */

static void closing_walks_through_both_fin_waits_to_time_wait(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		app_shuts(p, TERN_SHUT_WR);
		assert_state(p, TERN_FIN_WAIT_1);
		expect(p, .flags = IS(TERN_FIN | TERN_ACK), .ack = IS(p->seq), .len = IS(0));
		say(p);
		assert_state(p, TERN_FIN_WAIT_2);
		wait_ms(p, 1000 * MINUTE); /* E07: the application still reads: no timer */
		expect_silence(p);
		assert_state(p, TERN_FIN_WAIT_2);
		say(p, .len = IS(100));
		ignore(p);
		app_reads(p, 100);
		events(p);
		say(p, .flags = IS(TERN_FIN | TERN_ACK));
		assert_taken(p);
		expect_ack(p);
		assert_state(p, TERN_TIME_WAIT);
		assert_int_equal(events(p) & (TERN_EV_PEER_CLOSED | TERN_EV_CLOSED),
				 TERN_EV_PEER_CLOSED | TERN_EV_CLOSED);
		assert_int_equal(app_recv(p), 0);
		done(p);
	}
}

static void fin_and_ack_of_ours_at_once_lead_straight_to_time_wait(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_FIN_WAIT_1, k);

		say(p, .flags = IS(TERN_FIN | TERN_ACK));
		expect_ack(p);
		assert_state(p, TERN_TIME_WAIT);
		done(p);
	}
}

static void fins_that_cross_lead_through_closing(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_CLOSING, k);

		say(p);
		assert_taken(p);
		expect_silence(p);
		assert_state(p, TERN_TIME_WAIT);
		done(p);
	}
}

static void a_lost_fin_is_sent_again_in_every_state_that_owes_one(void **state)
{
	static const enum tern_state owing[] = { TERN_FIN_WAIT_1, TERN_CLOSING, TERN_LAST_ACK };

	(void)state;
	FOR_EACH_KIND(k)
	{
		for (size_t i = 0; i < TERN_ARRAY_SIZE(owing); i++) {
			struct puppet *p = in_state(owing[i], k);
			uint64_t sent = p->now;

			for (int n = 0; n < 3; n++) {
				wait_ms(p, SECOND << 2 * n);
				expect(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->ack - 1),
				       .ack = IS(p->seq), .len = IS(0));
				assert_true(p->got.at > sent);
				ignore(p);
			}
			assert_state(p, owing[i]);
			say(p);
			assert_true(state_of(p) != owing[i]);
			wait_ms(p, 30 * SECOND);
			expect_silence(p);
			done(p);
		}
	}
}

static void a_fin_waits_behind_the_data_and_rides_on_the_last_of_it(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		app_writes(p, 2000);
		app_shuts(p, TERN_SHUT_WR);
		expect(p, .flags = IS(TERN_ACK));
		expect(p, .flags = IS(TERN_FIN | TERN_ACK));
		expect_silence(p);
		assert_int_equal(p->ack - p->irs, 2002);
		assert_int_equal(tern_stack_send(p->st, p->now, p->id, "x", 1, 0), -EPIPE);
		say(p);
		assert_state(p, TERN_FIN_WAIT_2);
		done(p);
	}
}

static void an_ack_of_the_data_alone_leaves_fin_wait_1(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	app_writes(p, 10);
	app_shuts(p, TERN_SHUT_WR);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(10));
	say(p, .ack = IS(p->ack - 1));
	assert_state(p, TERN_FIN_WAIT_1);
	expect_after(p, 200, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->ack - 1), .len = IS(0));
	say(p);
	assert_state(p, TERN_FIN_WAIT_2);
	done(p);
}

/* ---- the peer closes first ---- */

/* RFC9293:MUST-12 */
static void the_peers_fin_leaves_our_half_open(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(5));
		expect_ack(p);
		assert_state(p, TERN_CLOSE_WAIT);
		assert_true(events(p) & TERN_EV_PEER_CLOSED);
		app_reads(p, 5);
		assert_int_equal(app_recv(p), 0);
		app_writes(p, 50);
		expect(p, .flags = IS(TERN_ACK), .len = IS(50));
		say(p);
		app_closes(p);
		expect(p, .flags = IS(TERN_FIN | TERN_ACK));
		assert_state(p, TERN_LAST_ACK);
		say(p);
		assert_taken(p);
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		done(p);
	}
}

static void last_ack_ends_only_by_the_ack_of_our_fin(void **state)
{
	struct puppet *p = in_state(TERN_LAST_ACK, PASSIVE4);

	(void)state;
	say(p, .ack = IS(p->ack - 1));
	assert_state(p, TERN_LAST_ACK);
	say(p, .ack = IS(p->ack + 1));
	assert_dropped(p, TCP_ACK_UNSENT_DATA);
	assert_state(p, TERN_LAST_ACK);
	ignore(p);
	say(p);
	assert_state(p, TERN_CLOSED);
	assert_true(events(p) & TERN_EV_CLOSED);
	assert_int_equal(so_error(p), 0);
	done(p);
}

/* ---- FINs in every order ---- */

static void a_fin_out_of_order_waits_for_what_is_before_it(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		uint32_t left = p->seq;

		say(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(left + 200));
		expect(p, .flags = IS(TERN_ACK), .ack = IS(left));
		say(p, .seq = IS(left + 100), .len = IS(100));
		expect(p, .flags = IS(TERN_ACK), .ack = IS(left));
		assert_state(p, TERN_ESTABLISHED);
		say(p, .len = IS(100));
		expect(p, .flags = IS(TERN_ACK), .ack = IS(left + 201));
		assert_state(p, TERN_CLOSE_WAIT);
		app_reads(p, 200);
		assert_int_equal(app_recv(p), 0);
		p->seq = left + 201;
		done(p);
	}
}

static void a_fin_with_data_out_of_order_is_not_forgotten(void **state)
{
	struct puppet *p = in_state(TERN_FIN_WAIT_2, PASSIVE4);
	uint32_t left = p->seq;

	(void)state;
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(left + 100), .len = IS(100));
	expect(p, .flags = IS(TERN_ACK), .ack = IS(left));
	say(p, .len = IS(100));
	expect(p, .flags = IS(TERN_ACK), .ack = IS(left + 201));
	assert_state(p, TERN_TIME_WAIT);
	app_reads(p, 200);
	assert_int_equal(app_recv(p), 0);
	done(p);
}

static void nothing_behind_a_fin_is_delivered(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_CLOSE_WAIT, k);

		say(p, .len = IS(10));
		p->seq -= 10;
		assert_dropped(p, TCP_DATA_AFTER_FIN);
		say(p, .seq = IS(p->seq - 1), .len = IS(11));
		assert_dropped(p, TCP_DATA_AFTER_FIN);
		assert_int_equal(app_recv(p), 0);
		assert_state(p, TERN_CLOSE_WAIT);
		ignore(p);
		done(p);
	}
}

static void a_fin_before_data_that_came_early_is_a_lie(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint32_t left = p->seq;

	(void)state;
	say(p, .seq = IS(left + 10), .len = IS(20));
	ignore(p);
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(10)); /* its FIN at left + 10 */
	p->seq = left + 30;
	expect_ack(p);
	assert_dropped(p, TCP_DATA_AFTER_FIN);
	assert_state(p, TERN_ESTABLISHED);
	app_reads(p, 30);
	assert_int_equal(app_recv(p), -EAGAIN);
	done(p);
}

static void early_data_behind_a_fin_is_forgotten(void **state)
{
	(void)state;
	for (int early_fin = 0; early_fin < 2; early_fin++) {
		struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
		uint32_t left = p->seq;

		say(p, .seq = IS(left + 20), .len = IS(20)); /* behind the FIN */
		if (early_fin)
			say(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(left + 10));
		say(p, .flags = IS(early_fin ? TERN_ACK : TERN_FIN | TERN_ACK), .len = IS(10));
		p->seq = left + 11;
		ignore(p);
		assert_state(p, TERN_CLOSE_WAIT);
		app_reads(p, 10);
		assert_int_equal(app_recv(p), 0);
		app_closes(p); /* nothing unread: no reset */
		expect(p, .flags = IS(TERN_FIN | TERN_ACK), .ack = IS(p->seq));
		assert_state(p, TERN_LAST_ACK);
		done(p);
	}
}

static void an_early_fin_that_data_went_past_is_forgotten(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->seq + 10));
	ignore(p);
	say(p, .len = IS(30));
	expect_ack(p);
	assert_state(p, TERN_ESTABLISHED);
	app_reads(p, 30);
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	assert_state(p, TERN_FIN_WAIT_1);
	done(p);
}

/* ---- close() with something left ---- */

/* RFC9293:SHLD-3 RFC9293:MAY-1 */
static void closing_with_unread_data_resets_in_every_state(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (int step = 0; step < 4; step++) {
			struct puppet *p = in_state(TERN_ESTABLISHED, k);

			say(p, .len = IS(10));
			expect_ack(p);
			if (step & 1) {
				say(p, .flags = IS(TERN_FIN | TERN_ACK));
				wait_ms(p, 50);
				expect_ack(p);
			}
			if (step & 2) {
				app_shuts(p, TERN_SHUT_WR);
				expect(p, .flags = IS(TERN_FIN | TERN_ACK));
			}
			app_closes(p);
			expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->ack),
			       .ack = IS(p->seq));
			expect_silence(p);
			assert_state(p, TERN_CLOSED);
			assert_int_equal(COUNT(p, TcpExtTCPAbortOnClose), 1);
			done(p);
		}
	}
}

static void closing_with_early_data_resets_too(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	say(p, .seq = IS(p->seq + 10), .len = IS(10));
	ignore(p);
	app_closes(p);
	expect_reset(p);
	done(p);
}

/* RFC9293:SHLD-3 RFC9293:MAY-1 */
static void data_after_close_is_answered_by_a_reset(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (int acked = 0; acked < 2; acked++) {
			struct puppet *p = in_state(TERN_ESTABLISHED, k);

			app_closes(p);
			expect(p, .flags = IS(TERN_FIN | TERN_ACK));
			if (acked) {
				say(p);
				assert_state(p, TERN_FIN_WAIT_2);
			}
			say(p, .len = IS(10), .ack = IS(p->ack - !acked));
			assert_dropped(p, TCP_ABORT_ON_DATA);
			expect(p, .flags = IS(TERN_RST), .seq = IS(p->ack - !acked));
			expect_silence(p);
			assert_state(p, TERN_CLOSED);
			assert_int_equal(COUNT(p, TcpExtTCPAbortOnData), 1);
			done(p);
		}
	}
}

static void data_that_came_before_is_no_data_after_close(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	say(p, .len = IS(10));
	expect_ack(p);
	app_reads(p, 10);
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	say(p, .seq = IS(p->seq - 10), .len = IS(10));
	assert_dropped(p, TCP_OLD_SEQUENCE);
	expect_ack(p);
	say(p, .seq = IS(p->seq - 10), .len = IS(10), .flags = IS(TERN_FIN | TERN_ACK));
	p->seq++;
	expect_ack(p);
	assert_state(p, TERN_TIME_WAIT);
	done(p);
}

static void linger_zero_resets_and_drops_what_was_to_be_sent(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		app_writes(p, 5000);
		set_option(p, p->id, TERN_SO_LINGER, 0);
		app_closes(p);
		expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->ack), .len = IS(0));
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(COUNT(p, TcpExtTCPAbortOnData), 1);
		done(p);
	}
}

static void linger_zero_ends_closing_and_last_ack_without_a_word(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct puppet *p = in_state(i ? TERN_CLOSING : TERN_LAST_ACK, PASSIVE4);

		set_option(p, p->id, TERN_SO_LINGER, 0);
		app_closes(p);
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		done(p);
	}
}

static void a_linger_time_closes_like_any_other(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	set_option(p, p->id, TERN_SO_LINGER, 5);
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	assert_state(p, TERN_FIN_WAIT_1);
	done(p);
}

static void data_after_shutdown_of_both_halves_is_answered_by_a_reset(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	app_shuts(p, TERN_SHUT_RDWR);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	say(p, .len = IS(1));
	assert_dropped(p, TCP_ABORT_ON_DATA);
	expect(p, .flags = IS(TERN_RST), .seq = IS(p->ack));
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void shutdown_is_refused_where_there_is_no_connection(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	assert_int_equal(tern_stack_shutdown(p->st, p->now, p->id, TERN_SHUT_WR), -ENOTCONN);
	assert_int_equal(tern_stack_shutdown(p->st, p->now, p->id, TERN_SHUT_RD), -ENOTCONN);
	done(p);
}

/* ---- orphans ---- */

static void an_orphan_carries_its_data_through(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		struct tern_socket_info row;

		app_writes(p, 100);
		app_closes(p);
		assert_true(find_row(p, &row));
		assert_true(row.orphan);
		assert_int_equal(row.id, 0);
		ignore(p); /* lost */
		wait_ms(p, SECOND);
		expect(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(100));
		say(p, .flags = IS(TERN_FIN | TERN_ACK));
		ignore(p);
		assert_state(p, TERN_TIME_WAIT);
		done(p);
	}
}

static void an_orphan_is_given_up_after_tcp_orphan_retries(void **state)
{
	(void)state;
	for (int n = 1; n <= 3; n++) {
		struct puppet *p = puppet_new(PASSIVE4);
		int sent = 0;

		knob(p, "tcp_orphan_retries", (const char[]){ (char)('0' + n), 0 });
		bring_to(p, TERN_ESTABLISHED);
		app_closes(p);
		expect(p, .flags = IS(TERN_FIN | TERN_ACK));
		while (state_of(p) == TERN_FIN_WAIT_1) {
			struct tern_stack_info info;

			tern_stack_info(p->st, p->now, &info);
			assert_int_equal(info.orphans, 1);
			wait_ms(p, 100);
		}
		while (p->count) {
			expect(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->ack - 1));
			sent++;
		}
		assert_int_equal(sent, n + 1); /* the first of them is a loss probe */
		assert_int_equal(COUNT(p, TcpExtTCPAbortOnTimeout), 1);
		done(p);
	}
}

static void beyond_tcp_max_orphans_closing_resets(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_max_orphans", "1");
	bring_to(p, TERN_ESTABLISHED);
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	next_peer(p);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK));
	say(p);
	app_accepts(p);
	app_closes(p);
	expect_reset(p);
	expect_silence(p);
	assert_state(p, TERN_CLOSED);
	assert_int_equal(COUNT(p, TcpExtTCPAbortOnMemory), 1);
	done(p);
}

/* ---- orphans in FIN-WAIT-2 ---- */

static struct puppet *orphan_in_fin_wait_2(enum kind k)
{
	struct puppet *p = in_state(TERN_FIN_WAIT_2, k);

	app_closes(p);
	expect_silence(p);
	assert_state(p, TERN_FIN_WAIT_2);
	return p;
}

static void an_orphan_in_fin_wait_2_is_a_small_record_with_an_end(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (int early = 0; early < 2; early++) {
			struct puppet *p = early ? in_state(TERN_ESTABLISHED, k)
						 : orphan_in_fin_wait_2(k);
			struct tern_socket_info row;
			struct tern_stack_info info;

			if (early) { /* closed before the ACK of the FIN came */
				app_closes(p);
				expect(p, .flags = IS(TERN_FIN | TERN_ACK));
				say(p);
			}
			assert_true(find_row(p, &row));
			assert_int_equal(row.state, TERN_FIN_WAIT_2);
			assert_int_equal(row.timer, TERN_TIMER_TIMEWAIT);
			assert_true(row.timer_ns <= 60 * SECOND * NS_PER_MS + TERN_TICK_NS);
			tern_stack_info(p->st, p->now, &info);
			assert_int_equal(info.conns, 0);
			assert_int_equal(info.orphans, 0);
			assert_int_equal(COUNT(p, TernFinWait2Orphans), 1);
			wait_ms(p, 60 * SECOND - 1);
			assert_state(p, TERN_FIN_WAIT_2);
			wait_ms(p, 3);
			assert_state(p, TERN_CLOSED);
			expect_silence(p);
			say(p, .flags = IS(TERN_FIN | TERN_ACK)); /* too late */
			expect(p, .flags = IS(TERN_RST), .seq = IS(p->ack));
			done(p);
		}
	}
}

static void tcp_fin_timeout_is_the_life_of_an_orphan_in_fin_wait_2(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_fin_timeout", "5");
	bring_to(p, TERN_FIN_WAIT_2);
	app_closes(p);
	wait_ms(p, 4999);
	assert_state(p, TERN_FIN_WAIT_2);
	wait_ms(p, 3);
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void a_fin_in_time_moves_an_orphan_to_time_wait(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = orphan_in_fin_wait_2(k);

		wait_ms(p, 50 * SECOND);
		say(p, .flags = IS(TERN_FIN | TERN_ACK));
		assert_taken(p);
		expect_ack(p);
		assert_state(p, TERN_TIME_WAIT);
		wait_ms(p, 59 * SECOND);
		assert_state(p, TERN_TIME_WAIT);
		wait_ms(p, 2 * SECOND);
		assert_state(p, TERN_CLOSED);
		done(p);
	}
}

/* RFC9293:SHLD-3 */
static void an_orphan_in_fin_wait_2_wants_no_data(void **state)
{
	struct puppet *p = orphan_in_fin_wait_2(PASSIVE4);

	(void)state;
	say(p, .len = IS(1));
	assert_dropped(p, TCP_ABORT_ON_DATA);
	expect(p, .flags = IS(TERN_RST), .seq = IS(p->ack));
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void an_orphan_in_fin_wait_2_believes_only_exact_resets(void **state)
{
	(void)state;
	for (int d = -1; d <= 1; d++) {
		struct puppet *p = orphan_in_fin_wait_2(PASSIVE4);

		say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + (uint32_t)d));
		if (d > 0)
			expect_ack(p);
		expect_silence(p);
		assert_state(p, d ? TERN_FIN_WAIT_2 : TERN_CLOSED);
		done(p);
	}
}

static void old_and_impossible_segments_do_not_end_an_orphan(void **state)
{
	struct puppet *p = orphan_in_fin_wait_2(PASSIVE4);

	(void)state;
	say(p, .ack = IS(p->ack + 1));
	assert_dropped(p, TCP_ACK_UNSENT_DATA);
	expect_ack(p);
	wait_ms(p, SECOND);
	say(p, .flags = IS(TERN_SYN), .seq = IS(p->seq + 1000));
	assert_dropped(p, TCP_SYN_CHALLENGED);
	expect_ack(p);
	wait_ms(p, SECOND);
	say(p, .seq = IS(p->seq - 1), .len = IS(1));
	assert_dropped(p, TCP_OLD_SEQUENCE);
	expect_ack(p);
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .tsval = IS(p->ts_base));
	p->seq--;
	assert_dropped(p, TCP_RFC7323_PAWS);
	assert_state(p, TERN_FIN_WAIT_2);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closing_walks_through_both_fin_waits_to_time_wait),
		cmocka_unit_test(fin_and_ack_of_ours_at_once_lead_straight_to_time_wait),
		cmocka_unit_test(fins_that_cross_lead_through_closing),
		cmocka_unit_test(a_lost_fin_is_sent_again_in_every_state_that_owes_one),
		cmocka_unit_test(a_fin_waits_behind_the_data_and_rides_on_the_last_of_it),
		cmocka_unit_test(an_ack_of_the_data_alone_leaves_fin_wait_1),
		cmocka_unit_test(the_peers_fin_leaves_our_half_open),
		cmocka_unit_test(last_ack_ends_only_by_the_ack_of_our_fin),
		cmocka_unit_test(a_fin_out_of_order_waits_for_what_is_before_it),
		cmocka_unit_test(a_fin_with_data_out_of_order_is_not_forgotten),
		cmocka_unit_test(nothing_behind_a_fin_is_delivered),
		cmocka_unit_test(a_fin_before_data_that_came_early_is_a_lie),
		cmocka_unit_test(early_data_behind_a_fin_is_forgotten),
		cmocka_unit_test(an_early_fin_that_data_went_past_is_forgotten),
		cmocka_unit_test(closing_with_unread_data_resets_in_every_state),
		cmocka_unit_test(closing_with_early_data_resets_too),
		cmocka_unit_test(data_after_close_is_answered_by_a_reset),
		cmocka_unit_test(data_that_came_before_is_no_data_after_close),
		cmocka_unit_test(linger_zero_resets_and_drops_what_was_to_be_sent),
		cmocka_unit_test(linger_zero_ends_closing_and_last_ack_without_a_word),
		cmocka_unit_test(a_linger_time_closes_like_any_other),
		cmocka_unit_test(data_after_shutdown_of_both_halves_is_answered_by_a_reset),
		cmocka_unit_test(shutdown_is_refused_where_there_is_no_connection),
		cmocka_unit_test(an_orphan_carries_its_data_through),
		cmocka_unit_test(an_orphan_is_given_up_after_tcp_orphan_retries),
		cmocka_unit_test(beyond_tcp_max_orphans_closing_resets),
		cmocka_unit_test(an_orphan_in_fin_wait_2_is_a_small_record_with_an_end),
		cmocka_unit_test(tcp_fin_timeout_is_the_life_of_an_orphan_in_fin_wait_2),
		cmocka_unit_test(a_fin_in_time_moves_an_orphan_to_time_wait),
		cmocka_unit_test(an_orphan_in_fin_wait_2_wants_no_data),
		cmocka_unit_test(an_orphan_in_fin_wait_2_believes_only_exact_resets),
		cmocka_unit_test(old_and_impossible_segments_do_not_end_an_orphan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
