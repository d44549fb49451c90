/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#define DATA (TERN_ACK | TERN_PSH)

/* A timer fires up to a tick late, and ages are whole milliseconds. */
#define assert_about(got, want) assert_in_range(got, (want)-MS, (want) + 2 * TERN_TICK_NS)

/* Time until the next segment leaves, which is the only one then. */
static uint64_t wait_out(struct room *r, uint64_t most)
{
	uint64_t start = r->t.now;

	while (r->t.now < start + most) {
		pass(r, start + most - r->t.now);
		if (pull(r)) {
			struct tern_tx tx = r->tx;

			assert_quiet(r);
			r->tx = tx;
			return r->t.now - start;
		}
	}
	return most;
}

/* RFC9293:MUST-20 RFC6298:5.5 RFC9293:MUST-19 RFC9293:SHLD-11 RFC6298:5.1 */
static void the_rto_doubles_until_r2_and_then_the_connection_times_out(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	uint64_t rto = (uint64_t)r->c->rtt.rto_us * 1000, sum = 0;

	(void)state;
	app_send(r, 0, 100);
	assert_out(r, 1, 100, DATA);
	for (unsigned int i = 0; i < 15; i++) {
		uint64_t waited = wait_out(r, 200 * S);

		assert_about(waited, TERN_MIN(rto << i, 120 * S));
		assert_int_equal(r->tx.seg.seq, 1);
		assert_int_equal(r->tx.seg.len, 100);
		sum += waited;
	}
	assert_true(sum > 100 * S); /* SHLD-11 */
	pass(r, 119 * S);
	assert_int_equal(r->c->state, TERN_ESTABLISHED);
	pass(r, 2 * S);
	assert_int_equal(r->c->state, TERN_CLOSED);
	assert_int_equal(r->c->error, ETIMEDOUT);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPAbortOnTimeout), 1);
	assert_quiet(r);
	room_free(r);
}

/* RFC6298:5.2 RFC6298:5.3 Karn: what was sent again measures nothing: the doubled timeout stays. */
static void the_backoff_lasts_until_a_round_trip_is_measured(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	uint64_t rto = (uint64_t)r->c->rtt.rto_us * 1000;

	(void)state;
	app_send(r, 0, 2000);
	drain(r);
	wait_out(r, 10 * S);
	wait_out(r, 10 * S);
	assert_int_equal(r->c->patience.retries, 2);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(r->c->patience.retries, 0);
	drain(r);
	assert_about(wait_out(r, 10 * S), rto << 2);
	FEED(r, .seq = 1, .ack = 2001, .flags = TERN_ACK, .wnd = 65535);
	app_send(r, 2000, 1000);
	drain(r);
	pass(r, MS);
	FEED(r, .seq = 1, .ack = 3001, .flags = TERN_ACK, .wnd = 65535);
	app_send(r, 3000, 1000);
	drain(r);
	assert_about(wait_out(r, 10 * S), rto);
	room_free(r);
}

/* RFC9293:MUST-18 RFC6298:3 */
static void a_repeated_segment_is_not_timed(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	struct tern_rtt before;

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	wait_out(r, 10 * S);
	before = r->c->rtt;
	pass(r, MS);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_memory_equal(&before, &r->c->rtt, sizeof(before));
	room_free(r);
}

static void a_segment_sent_once_is_timed(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	pass(r, 81 * MS);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(r->c->rtt.srtt8_us, 7 * 1000 + 81000); /* the handshake took 1 ms */
	room_free(r);
}

/* RFC 6298 (5.3): each ACK of new data restarts the timer. RFC6298:5.3 RFC6298:5.2 */
static void the_timer_runs_from_the_last_ack(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 2000);
	drain(r);
	pass(r, 150 * MS);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_about(wait_out(r, 10 * S), (uint64_t)r->c->rtt.rto_us * 1000);
	FEED(r, .seq = 1, .ack = 2001, .flags = TERN_ACK, .wnd = 65535);
	assert_quiet(r);
	pass(r, S); /* the entry in the wheel fires once more, for nothing */
	assert_quiet(r);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPTimeouts), 1);
	assert_int_equal(tern_wheel_deadline(&r->t.wheel), TERN_NEVER);
	room_free(r);
}

/* RFC 6298 (5.7). RFC6298:5.7 */
static void after_a_lost_syn_the_first_timeout_of_data_is_3_s(void **state)
{
	struct setup s = { .mss = 1000 };
	struct room *r = room_connecting(&s);

	(void)state;
	assert_out(r, 0, 0, TERN_SYN);
	assert_about(wait_out(r, 10 * S), S);
	FEED(r, .ack = 1, .flags = TERN_SYN | TERN_ACK, .wnd = 65535);
	drain(r);
	app_send(r, 0, 100);
	assert_out(r, 1, 100, DATA);
	assert_about(wait_out(r, 10 * S), 3 * S);
	room_free(r);
}

/* RFC9293:MUST-21 RFC5482:3.1 */
static void a_user_timeout_stands_in_for_r2(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	uint64_t start;

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_USER_TIMEOUT, 5000);
	app_send(r, 0, 100);
	drain(r);
	start = r->t.now;
	while (r->c->state != TERN_CLOSED && r->t.now < start + 30 * S)
		wait_out(r, S);
	assert_int_equal(r->c->error, ETIMEDOUT);
	assert_true(r->t.now - start >= 5 * S && r->t.now - start < 10 * S);
	room_free(r);
}

/* A connection whose peer has closed its window, with 5000 bytes waiting. */
static struct room *room_closed_window(void)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 1000, .sndbuf = 40000 });

	app_send(r, 0, 6000);
	assert_out(r, 1, 1000, TERN_ACK);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 0);
	assert_quiet(r);
	return r;
}

/* RFC9293:MUST-36, RFC9293:SHLD-29, RFC9293:SHLD-30. RFC9293:MUST-35 */
static void a_closed_window_is_probed_after_an_rto_and_then_ever_later(void **state)
{
	struct room *r = room_closed_window();
	uint64_t rto = (uint64_t)r->c->rtt.rto_us * 1000;

	(void)state;
	assert_int_equal(traffic(r)->due, TERN_DUE_PERSIST);
	for (unsigned int i = 0; i < 8; i++) {
		assert_about(wait_out(r, 200 * S), TERN_MIN(rto << i, 120 * S));
		assert_int_equal(r->tx.seg.seq, 1000);
		assert_int_equal(r->tx.seg.len, 0);
		FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 0);
		assert_quiet(r);
	}
	room_free(r);
}

/* RFC9293:MUST-37: for as long as probes are answered. */
static void a_window_may_stay_closed_for_a_day(void **state)
{
	struct room *r = room_closed_window();
	uint64_t end = r->t.now + 86400 * S;

	(void)state;
	while (r->t.now < end) {
		wait_out(r, 200 * S);
		FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 0);
	}
	assert_int_equal(r->c->state, TERN_ESTABLISHED);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 5000);
	assert_out(r, 1001, 1000, TERN_ACK);
	assert_int_equal(r->c->patience.retries, 0);
	room_free(r);
}

static void probes_that_nobody_answers_come_to_an_end(void **state)
{
	struct room *r = room_closed_window();
	unsigned int probes = 0;

	(void)state;
	while (r->c->state == TERN_ESTABLISHED && probes < 100)
		probes += wait_out(r, 130 * S) < 130 * S;
	assert_int_equal(probes, 15);
	assert_int_equal(r->c->error, ETIMEDOUT);
	room_free(r);
}

/* D06: a peer cannot hold the memory of a connection that nobody has any more. */
static void an_orphan_is_not_held_by_a_closed_window(void **state)
{
	struct room *r = room_closed_window();
	unsigned int probes = 0;

	(void)state;
	assert_int_equal(tern_tcp_close(&r->t, r->idx, tern_conn_at(&r->t, r->idx)),
			 TERN_MOVE_NONE);
	while (tern_pool_is_used(&r->t.conns, r->idx) && probes < 100) {
		if (wait_out(r, 130 * S) == 130 * S)
			continue;
		probes++;
		FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 0);
	}
	assert_true(probes >= 8 && probes <= 10);
	assert_int_equal(r->t.orphans, 0);
	room_free(r);
}

static void a_window_that_opens_ends_probing(void **state)
{
	struct room *r = room_closed_window();

	(void)state;
	wait_out(r, 10 * S);
	wait_out(r, 10 * S);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 2000);
	assert_out(r, 1001, 1000, TERN_ACK);
	assert_out(r, 2001, 1000, TERN_ACK);
	assert_quiet(r);
	assert_int_not_equal(traffic(r)->due, TERN_DUE_PERSIST);
	assert_about(wait_out(r, 10 * S), (uint64_t)r->c->rtt.rto_us * 1000);
	assert_int_equal(r->tx.seg.seq, 1001);
	room_free(r);
}

/* SHLD-16, RFC9293:SHLD-17: what the window had room for once is sent again, and is no failure. */
static void data_behind_a_window_that_closed_is_repeated_without_an_end(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 1000 });

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 0);
	for (unsigned int i = 0; i < 40; i++) {
		assert_true(wait_out(r, 130 * S) < 130 * S);
		assert_int_equal(r->tx.seg.seq, 1);
		FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 0);
	}
	assert_int_equal(r->c->state, TERN_ESTABLISHED);
	room_free(r);
}

/* RFC 5482: but not where the user has set an end; that the peer answers is no progress. */
static void a_user_timeout_ends_data_behind_a_window_that_closed(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 1000 });
	uint64_t start;

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_USER_TIMEOUT, 5000);
	app_send(r, 0, 1000);
	drain(r);
	start = r->t.now;
	while (r->c->state != TERN_CLOSED && r->t.now < start + 30 * S) {
		FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 0);
		wait_out(r, S);
	}
	assert_int_equal(r->c->error, ETIMEDOUT);
	assert_true(r->t.now - start >= 5 * S && r->t.now - start < 7 * S);
	room_free(r);
}

static void a_fin_waits_for_room_in_the_window(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 1000 });

	(void)state;
	app_send(r, 0, 1000);
	tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_WR);
	assert_out(r, 1, 1000, DATA);
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 0);
	assert_quiet(r);
	assert_true(wait_out(r, 10 * S) < S);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 1);
	assert_out(r, 1001, 0, TERN_FIN | TERN_ACK);
	assert_quiet(r);
	room_free(r);
}

/* RFC9293:MUST-40 RFC9293:SHLD-18 */
static void an_ack_waits_40_ms_once_the_start_is_over(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		FEED(r, .seq = 1 + i, .ack = 1, .flags = TERN_ACK, .len = 1, .wnd = 65535);
		assert_out(r, 1, 0, TERN_ACK);
		app_recv(r, i, 1);
	}
	FEED(r, .seq = 17, .ack = 1, .flags = TERN_ACK, .len = 1, .wnd = 65535);
	assert_quiet(r);
	assert_about(wait_out(r, S), 40 * MS);
	assert_int_equal(r->tx.seg.ack, 18);
	assert_int_equal(counter(r, TERN_CNT_TcpExtDelayedACKs), 1);
	app_recv(r, 16, 1);
	assert_null(traffic(r));
	room_free(r);
}

/* RFC9293:SHLD-19: every second full segment, when the application keeps up. */
static void every_second_full_segment_is_acknowledged(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	uint32_t at = 0;

	(void)state;
	for (unsigned int i = 0; i < 16; i++, at += 1000) {
		FEED(r, .seq = 1 + at, .ack = 1, .flags = TERN_ACK, .len = 1000, .wnd = 65535);
		app_recv(r, at, 1000);
		assert_int_equal(drain(r), 1);
	}
	for (unsigned int i = 0; i < 20; i++, at += 1000) {
		FEED(r, .seq = 1 + at, .ack = 1, .flags = TERN_ACK, .len = 1000, .wnd = 65535);
		assert_int_equal(drain(r), i % 2);
		app_recv(r, at, 1000);
		assert_quiet(r);
	}
	room_free(r);
}

/* While it cannot move the window, an ACK of two full segments waits for the application. */
static void an_ack_of_full_segments_waits_for_reading(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	r->c->quick_acks = 0;
	for (uint32_t at = 0; at < 3000; at += 1000)
		FEED(r, .seq = 1 + at, .ack = 1, .flags = TERN_ACK, .len = 1000, .wnd = 65535);
	assert_quiet(r);
	app_recv(r, 0, 3000);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.ack, 3001);
	room_free(r);
}

/* RFC9293:MUST-25 RFC9293:MUST-27 RFC9293:MUST-29 RFC9293:SHLD-12 */
static void keepalive_probes_come_by_their_options_and_end_in_a_reset(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPIDLE, 10);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPINTVL, 3);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPCNT, 4);
	assert_quiet(r);
	assert_int_equal(wait_out(r, 100 * S), 100 * S); /* MUST-25: off */
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 65535);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPALIVE, 1);
	assert_quiet(r);
	assert_about(wait_out(r, 100 * S), 10 * S);
	assert_int_equal(r->tx.seg.seq, 0);
	assert_int_equal(r->tx.seg.len, 0); /* SHLD-12 */
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 65535);
	assert_about(wait_out(r, 100 * S), 10 * S);
	for (unsigned int i = 0; i < 3; i++)
		assert_about(wait_out(r, 100 * S), 3 * S); /* MUST-29 */
	pass(r, 4 * S);
	assert_int_equal(r->c->state, TERN_CLOSED);
	assert_int_equal(r->c->error, ETIMEDOUT);
	assert_non_null(tern_ring_pop(&r->t.replies.ring));
	room_free(r);
}

/* RFC9293:MUST-26. */
static void keepalive_does_not_probe_while_data_is_outstanding(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPIDLE, 1);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPALIVE, 1);
	app_send(r, 0, 100);
	drain(r);
	for (unsigned int i = 0; i < 5; i++) {
		assert_true(wait_out(r, 100 * S) < 100 * S);
		assert_int_equal(r->tx.seg.seq, 1);
		assert_int_equal(r->tx.seg.len, 100);
	}
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPKeepAlive), 0);
	room_free(r);
}

static void data_queued_when_a_keepalive_probe_is_due_takes_its_place(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPIDLE, 1);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPALIVE, 1);
	drain(r);
	pass(r, 2 * S);
	app_send(r, 0, 100);
	assert_out(r, 1, 100, DATA);
	assert_quiet(r);
	assert_int_equal(r->c->patience.retries, 0);
	room_free(r);
}

static void keepalive_in_fin_wait_2_is_no_window_probe(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPIDLE, 1);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_KEEPALIVE, 1);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = 10, .wnd = 65535);
	tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_WR);
	drain(r);
	FEED(r, .seq = 11, .ack = 2, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(r->c->state, TERN_FIN_WAIT_2);
	drain(r);
	assert_about(wait_out(r, 10 * S), S);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPKeepAlive), 1);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPWinProbe), 0);
	assert_int_equal(r->c->patience.keep_probes, 1);
	assert_int_not_equal(traffic(r)->due, TERN_DUE_PERSIST);
	room_free(r);
}

static void each_segment_is_timed_by_itself(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	pass(r, 50 * MS);
	app_send(r, 1000, 1000);
	drain(r);
	pass(r, 31 * MS);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(r->c->rtt.srtt8_us, 7 * 1000 + 81000);
	pass(r, 100 * MS);
	FEED(r, .seq = 1, .ack = 2001, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(r->c->rtt.srtt8_us, 88000 - 88000 / 8 + 131000);
	room_free(r);
}

/* Karn: while a loss is repaired nothing is timed, not even what is new. */
static void nothing_is_timed_during_repair(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 100000, .no_sack = true });
	struct tern_rtt before;

	(void)state;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 65535);
	app_send(r, 0, 20000);
	drain(r);
	for (unsigned int i = 0; i < 10; i++)
		FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 65535);
	assert_true(drain(r) > 1);
	before = r->c->rtt;
	pass(r, 50 * MS);
	FEED(r, .seq = 1, .ack = r->c->snd.nxt - r->iss, .flags = TERN_ACK, .wnd = 65535);
	assert_memory_equal(&before, &r->c->rtt, sizeof(before));
	room_free(r);
}

static void a_pause_shorter_than_the_timeout_keeps_the_congestion_window(void **state)
{
	for (unsigned int late = 0; late < 2; late++) {
		struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 200000 });
		uint64_t rto = r->c->rtt.rto_us * UINT64_C(1000);

		(void)state;
		pass(r, 10 * S);
		app_send(r, 0, 1000);
		drain(r);
		FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
		r->c->cc.cwnd = 40000;
		pass(r, rto - 2 * MS + late * 4 * MS);
		app_send(r, 1000, 60000);
		assert_int_equal(drain(r), late ? 20 : 40);
		room_free(r);
	}
}

/* The delay of an ACK is that of the first segment, whatever comes after it. */
static void further_segments_do_not_prolong_a_delayed_ack(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	r->c->quick_acks = 0;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = 1, .wnd = 65535);
	assert_quiet(r);
	pass(r, 30 * MS);
	FEED(r, .seq = 2, .ack = 1, .flags = TERN_ACK, .len = 1, .wnd = 65535);
	assert_quiet(r);
	assert_about(wait_out(r, S), 10 * MS);
	FEED(r, .seq = 3, .ack = 1, .flags = TERN_ACK, .len = 1000, .wnd = 65535);
	assert_quiet(r); /* two of them had been answered: this is the first again */
	room_free(r);
}

static void an_orphan_whose_window_closed_with_data_in_flight_comes_to_an_end(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	unsigned int n = 0;

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 0);
	assert_int_equal(tern_tcp_close(&r->t, r->idx, tern_conn_at(&r->t, r->idx)),
			 TERN_MOVE_NONE);
	drain(r);
	while (tern_pool_is_used(&r->t.conns, r->idx) && n++ < 50) {
		pass(r, 130 * S);
		while (pull(r))
			FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 0);
	}
	assert_true(n < 50);
	room_free(r);
}

static void a_soft_error_is_the_reason_of_a_timeout(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	tern_tcp_icmp(&r->t, r->idx, TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, 0, r->iss + 1);
	for (unsigned int i = 0; i < 20; i++) {
		pass(r, 130 * S);
		drain(r);
	}
	assert_int_equal(r->c->state, TERN_CLOSED);
	assert_int_equal(r->c->error, EHOSTUNREACH);
	room_free(r);
}

/* A peer with a closed window that says nothing any more is no better than any other. */
static void a_closed_window_is_no_excuse_for_silence(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 1000 });
	unsigned int n = 0;

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 0);
	for (; r->c->state == TERN_ESTABLISHED && n < 40; n++)
		wait_out(r, 130 * S);
	assert_in_range(n, 15, 18);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rto_doubles_until_r2_and_then_the_connection_times_out),
		cmocka_unit_test(the_backoff_lasts_until_a_round_trip_is_measured),
		cmocka_unit_test(a_repeated_segment_is_not_timed),
		cmocka_unit_test(a_segment_sent_once_is_timed),
		cmocka_unit_test(the_timer_runs_from_the_last_ack),
		cmocka_unit_test(after_a_lost_syn_the_first_timeout_of_data_is_3_s),
		cmocka_unit_test(a_user_timeout_stands_in_for_r2),
		cmocka_unit_test(a_closed_window_is_probed_after_an_rto_and_then_ever_later),
		cmocka_unit_test(a_window_may_stay_closed_for_a_day),
		cmocka_unit_test(probes_that_nobody_answers_come_to_an_end),
		cmocka_unit_test(an_orphan_is_not_held_by_a_closed_window),
		cmocka_unit_test(a_window_that_opens_ends_probing),
		cmocka_unit_test(data_behind_a_window_that_closed_is_repeated_without_an_end),
		cmocka_unit_test(a_user_timeout_ends_data_behind_a_window_that_closed),
		cmocka_unit_test(a_fin_waits_for_room_in_the_window),
		cmocka_unit_test(an_ack_waits_40_ms_once_the_start_is_over),
		cmocka_unit_test(every_second_full_segment_is_acknowledged),
		cmocka_unit_test(an_ack_of_full_segments_waits_for_reading),
		cmocka_unit_test(keepalive_probes_come_by_their_options_and_end_in_a_reset),
		cmocka_unit_test(keepalive_does_not_probe_while_data_is_outstanding),
		cmocka_unit_test(data_queued_when_a_keepalive_probe_is_due_takes_its_place),
		cmocka_unit_test(keepalive_in_fin_wait_2_is_no_window_probe),
		cmocka_unit_test(each_segment_is_timed_by_itself),
		cmocka_unit_test(nothing_is_timed_during_repair),
		cmocka_unit_test(a_pause_shorter_than_the_timeout_keeps_the_congestion_window),
		cmocka_unit_test(further_segments_do_not_prolong_a_delayed_ack),
		cmocka_unit_test(an_orphan_whose_window_closed_with_data_in_flight_comes_to_an_end),
		cmocka_unit_test(a_soft_error_is_the_reason_of_a_timeout),
		cmocka_unit_test(a_closed_window_is_no_excuse_for_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
