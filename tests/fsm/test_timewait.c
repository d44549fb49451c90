/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME-WAIT: how long, what it answers, when its tuple may be used again (RFC 6191, RFC 1337). */
#include <errno.h>

#include "harness/puppet.h"

/* RFC9293:MUST-13 */
static void time_wait_lasts_a_minute(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_TIME_WAIT, k);
		struct tern_socket_info row;

		assert_true(find_row(p, &row));
		assert_int_equal(row.timer, TERN_TIMER_TIMEWAIT);
		assert_int_equal(row.id, 0);
		wait_ms(p, MINUTE - 1);
		assert_state(p, TERN_TIME_WAIT);
		wait_ms(p, 3);
		assert_state(p, TERN_CLOSED);
		expect_silence(p);
		assert_int_equal(COUNT(p, TcpExtTW), 1);
		done(p);
	}
}

static void a_fin_sent_again_starts_the_minute_anew(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_TIME_WAIT, k);

		wait_ms(p, 50 * SECOND);
		say(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->seq - 1));
		assert_dropped(p, TCP_TIMEWAIT);
		expect_ack(p);
		wait_ms(p, 50 * SECOND);
		assert_state(p, TERN_TIME_WAIT);
		wait_ms(p, 10 * SECOND + 2);
		assert_state(p, TERN_CLOSED);
		done(p);
	}
}

static void nothing_else_starts_it_anew(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_TIME_WAIT, k);

		wait_ms(p, 59 * SECOND);
		say(p); /* nothing in it: no answer, which another TIME-WAIT would answer */
		assert_taken(p);
		expect_silence(p);
		say(p, .len = IS(10));
		p->seq -= 10;
		assert_dropped(p, TCP_TIMEWAIT);
		expect_ack(p);
		say(p, .seq = IS(p->seq - 100), .len = IS(10));
		assert_dropped(p, TCP_TIMEWAIT);
		expect_ack(p);
		say(p, .flags = IS(TERN_RST));
		wait_ms(p, SECOND + 2);
		assert_state(p, TERN_CLOSED);
		done(p);
	}
}

static void the_application_may_keep_its_socket_longer_than_time_wait(void **state)
{
	struct puppet *p = in_state(TERN_FIN_WAIT_2, PASSIVE4);

	(void)state;
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(30));
	expect_ack(p);
	assert_int_equal(option(p, p->id, TERN_SO_STATE), TERN_CLOSED);
	wait_ms(p, 2 * MINUTE);
	app_reads(p, 30);
	assert_int_equal(app_recv(p), 0);
	done(p);
}

/* RFC9293:MUST-13 */
static void tern_timewait_len_is_its_length(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tern_timewait_len", "5");
	bring_to(p, TERN_TIME_WAIT);
	wait_ms(p, 4999);
	assert_state(p, TERN_TIME_WAIT);
	wait_ms(p, 3);
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void beyond_tcp_max_tw_buckets_connections_close_at_once(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_max_tw_buckets", "0");
	bring_to(p, TERN_FIN_WAIT_2);
	say(p, .flags = IS(TERN_FIN | TERN_ACK));
	expect_ack(p);
	assert_state(p, TERN_CLOSED);
	assert_int_equal(COUNT(p, TcpExtTCPTimeWaitOverflow), 1);
	done(p);
}

/* ---- a SYN for the tuple ---- */

/* The puppet opens again, from another number and another time. */
static void syn_again(struct puppet *p, int32_t seq_ahead, int32_t ts_ahead)
{
	p->iss = p->seq + (uint32_t)seq_ahead;
	p->ts_base += (uint32_t)ts_ahead;
	say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss));
	p->edge_known = false;
	p->room = 0;
}

static void a_syn_reopens_by_timestamp_or_sequence(void **state)
{
	static const struct {
		bool ts;
		int32_t seq, tsval; /* ahead of the last ones */
		bool reopens;
	} cases[] = {
		{ true, -1000, 1, true },   { true, 1000, 1, true },      { true, 1, 0, true },
		{ true, 0, 0, false },      { true, -1, 0, false },       { true, 1000, -1, false },
		{ false, 1, 0, true },      { false, 0, 0, false },       { false, -1, 0, false },
		{ false, 100000, 0, true }, { false, -100000, 0, false },
	};

	(void)state;
	FOR_EACH_FAMILY(k)
	{
		for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
			struct puppet *p = puppet_new(k);
			uint32_t old, seq;

			p->ts = cases[i].ts;
			bring_to(p, TERN_TIME_WAIT);
			old = p->ack;
			seq = p->seq;
			syn_again(p, cases[i].seq, cases[i].tsval);
			if (!cases[i].reopens) {
				p->seq = seq;
				assert_dropped(p, TCP_SYN_CHALLENGED);
				expect_ack(p);
				assert_state(p, TERN_TIME_WAIT);
				done(p);
				continue;
			}
			assert_taken(p);
			expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 1));
			assert_true(tern_seq_gt(p->got.seg.seq, old + 65535));
			p->seq = p->iss + 1;
			assert_int_equal(tern_stack_close(p->st, p->now, p->id), 0);
			say(p, .len = IS(4));
			assert_state(p, TERN_ESTABLISHED);
			app_accepts(p);
			p->read = 0;
			app_reads(p, 4);
			assert_int_equal(COUNT(p, TernTimeWaitAccepted), 1);
			ignore(p);
			done(p);
		}
	}
}

static void the_new_connections_timestamps_go_on(void **state)
{
	struct puppet *p = in_state(TERN_TIME_WAIT, PASSIVE4);
	uint32_t last = p->tsecr;

	(void)state;
	wait_ms(p, 10);
	syn_again(p, 1000, 1);
	expect(p, .flags = IS(TERN_SYN | TERN_ACK));
	assert_true(tern_seq_gt(p->got.seg.opt.tsval, last));
	done(p);
}

/* RFC9293:MAY-2: "return to TIME-WAIT if the SYN turns out to be an old duplicate". */
static void an_old_duplicate_syn_leads_back_to_time_wait(void **state)
{
	struct puppet *p = in_state(TERN_TIME_WAIT, PASSIVE4);

	(void)state;
	syn_again(p, 1000, 1);
	expect(p, .flags = IS(TERN_SYN | TERN_ACK));
	say(p, .flags = IS(TERN_RST), .seq = IS(p->iss + 1)); /* the peer knows nothing of it */
	assert_dropped(p, TCP_RESET);
	assert_state(p, TERN_TIME_WAIT);
	done(p);
}

static void a_syn_that_nobody_listens_for_is_challenged(void **state)
{
	struct puppet *p = in_state(TERN_TIME_WAIT, PASSIVE4);
	uint32_t seq = p->seq;

	(void)state;
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	syn_again(p, 1000, 1);
	p->seq = seq;
	assert_dropped(p, TCP_SYN_CHALLENGED);
	expect_ack(p);
	assert_state(p, TERN_TIME_WAIT);
	done(p);
}

static void a_full_queue_keeps_the_time_wait(void **state)
{
	struct puppet *p = in_state(TERN_TIME_WAIT, PASSIVE4);
	struct puppet other = *p;

	(void)state;
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, 0), 0);
	next_peer(&other);
	say(&other, .flags = IS(TERN_SYN)); /* fills the accept queue */
	expect(&other, .flags = IS(TERN_SYN | TERN_ACK));
	say(&other);
	syn_again(p, 1000, 1);
	assert_dropped(p, TCP_LISTEN_OVERFLOW);
	expect_silence(p);
	assert_state(p, TERN_TIME_WAIT);
	done(p);
}

/* ---- connect() from the tuple (tcp_tw_reuse) ---- */

/* TIME-WAIT of a bound port; returns what connecting from it again gives, `ms` later. */
static int connect_again(const char *reuse, bool ts, uint64_t ms)
{
	struct puppet *p = puppet_new(ACTIVE4);
	struct tern_endpoint at;
	uint32_t irs;
	int ret;

	knob(p, "tcp_tw_reuse", reuse);
	p->ts = ts;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	set_option(p, p->id, TERN_SO_REUSEADDR, 1); /* both have to allow it */
	bring_to(p, TERN_TIME_WAIT);
	at = p->us;
	irs = p->ack;
	assert_int_equal(tern_stack_close(p->st, p->now, p->id), 0);
	wait_ms(p, ms);
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	set_option(p, p->id, TERN_SO_REUSEADDR, 1);
	assert_int_equal(tern_stack_bind(p->st, p->now, p->id, &at), 0);
	ret = tern_stack_connect(p->st, p->now, p->id, &p->peer);
	p->edge_known = false;
	if (!ret) {
		expect(p, .flags = IS(TERN_SYN));
		assert_true(tern_seq_gt(p->irs, irs + 65535));
		assert_state(p, TERN_SYN_SENT);
		assert_int_equal(COUNT(p, TcpExtTWRecycled), 1);
	}
	done(p);
	return ret;
}

static void connect_takes_a_time_wait_over_only_as_the_knob_allows(void **state)
{
	(void)state;
	assert_int_equal(connect_again("1", true, 1002), 0);
	assert_int_equal(connect_again("1", true, 999), -EADDRNOTAVAIL);
	assert_int_equal(connect_again("1", false, 1002), -EADDRNOTAVAIL);
	assert_int_equal(connect_again("0", true, 1002), -EADDRNOTAVAIL);
	assert_int_equal(connect_again("2", true, 1002), -EADDRNOTAVAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_wait_lasts_a_minute),
		cmocka_unit_test(a_fin_sent_again_starts_the_minute_anew),
		cmocka_unit_test(nothing_else_starts_it_anew),
		cmocka_unit_test(the_application_may_keep_its_socket_longer_than_time_wait),
		cmocka_unit_test(tern_timewait_len_is_its_length),
		cmocka_unit_test(beyond_tcp_max_tw_buckets_connections_close_at_once),
		cmocka_unit_test(a_syn_reopens_by_timestamp_or_sequence),
		cmocka_unit_test(the_new_connections_timestamps_go_on),
		cmocka_unit_test(an_old_duplicate_syn_leads_back_to_time_wait),
		cmocka_unit_test(a_syn_that_nobody_listens_for_is_challenged),
		cmocka_unit_test(a_full_queue_keeps_the_time_wait),
		cmocka_unit_test(connect_takes_a_time_wait_over_only_as_the_knob_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
