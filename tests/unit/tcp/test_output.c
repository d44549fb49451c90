/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#define DATA (TERN_ACK | TERN_PSH)

/* RFC9293:MUST-61 RFC9293:SHLD-27 RFC9293:SHLD-28 */
static void data_leaves_in_full_segments_and_the_last_one_is_pushed(void **state)
{
	struct room *r = room_new((struct setup){ .iss = 0xfffffff0, .mss = 1000 });

	(void)state;
	assert_int_equal(app_send(r, 0, 2500), 2500);
	assert_out(r, 1, 1000, TERN_ACK);
	assert_payload(r);
	assert_out(r, 1001, 1000, TERN_ACK);
	assert_payload(r);
	assert_out(r, 2001, 500, DATA);
	assert_payload(r);
	assert_quiet(r);
	assert_int_equal(r->c->snd.nxt, r->iss + 2501);
	room_free(r);
}

static void the_initial_window_limits_what_leaves_at_first(void **state)
{
	struct room *r = room_new((struct setup){ .sndbuf = 400000 });

	(void)state;
	assert_int_equal(app_send(r, 0, 100000), 100000);
	assert_int_equal(drain(r), 10);
	FEED(r, .seq = 1, .ack = 1 + 2 * 1460, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(drain(r), 4);
	room_free(r);
}

static void the_peers_window_limits_what_leaves(void **state)
{
	for (uint32_t window = 1459; window <= 1461; window++) {
		struct room *r = room_new((struct setup){ .window = window });

		(void)state;
		app_send(r, 0, 5000);
		assert_out(r, 1, TERN_MIN(window, 1460u), TERN_ACK);
		assert_quiet(r);
		room_free(r);
	}
}

/* RFC9293:SHLD-7 */
static void nagle_holds_a_small_segment_behind_a_small_one_only(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 1000);
	assert_out(r, 1, 1000, DATA);
	app_send(r, 1000, 10);
	assert_out(r, 1001, 10, DATA); /* only full ones are out: Minshall lets it go */
	app_send(r, 1010, 10);
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_quiet(r);
	app_send(r, 1020, 10);
	FEED(r, .seq = 1, .ack = 1011, .flags = TERN_ACK, .wnd = 65535);
	assert_out(r, 1011, 20, DATA);
	room_free(r);
}

static void full_segments_pass_nagle(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 10);
	assert_out(r, 1, 10, DATA);
	app_send(r, 10, 999);
	assert_quiet(r);
	app_send(r, 1009, 1);
	assert_out(r, 11, 1000, DATA);
	room_free(r);
}

/* RFC9293:MUST-17 */
static void nodelay_switches_nagle_off_also_for_what_waits(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 10);
	assert_out(r, 1, 10, DATA);
	app_send(r, 10, 10);
	assert_quiet(r);
	assert_int_equal(tern_tcp_set_option(&r->t, r->idx, TERN_SO_NODELAY, 1), 0);
	assert_out(r, 11, 10, DATA);
	app_send(r, 20, 10);
	assert_out(r, 21, 10, DATA);
	room_free(r);
}

static void a_fin_takes_the_small_rest_along(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 10);
	assert_out(r, 1, 10, DATA);
	app_send(r, 10, 10);
	assert_quiet(r);
	assert_int_equal(tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_WR), 0);
	assert_out(r, 11, 10, DATA | TERN_FIN);
	assert_quiet(r);
	room_free(r);
}

/* RFC9293:MUST-60 */
static void a_cork_holds_small_segments_for_an_rto(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_CORK, 1);
	app_send(r, 0, 1500);
	assert_out(r, 1, 1000, TERN_ACK);
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_quiet(r);
	pass(r, 199 * MS);
	assert_quiet(r);
	pass(r, 5 * MS);
	assert_out(r, 1001, 500, DATA);
	assert_quiet(r);
	room_free(r);
}

/* RFC9293:MAY-16 */
static void pulling_the_cork_sends_the_rest(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_CORK, 1);
	app_send(r, 0, 10);
	assert_quiet(r);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_CORK, 0);
	assert_out(r, 1, 10, DATA);
	room_free(r);
}

/* MUST-60: not even a talkative peer may keep what is held back from leaving in time. */
static void segments_of_the_peer_do_not_prolong_a_cork(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	uint32_t got = 0;

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_CORK, 1);
	app_send(r, 0, 10);
	assert_quiet(r);
	for (unsigned int i = 0; i < 15 && !got; i++) {
		FEED(r, .seq = 1 + i, .ack = 1, .flags = TERN_ACK, .len = 1, .wnd = 65535);
		pass(r, 20 * MS);
		while (pull(r))
			got += r->tx.seg.len;
	}
	assert_int_equal(got, 10);
	assert_true(r->t.now < 1000 * S + 225 * MS);
	room_free(r);
}

static void more_to_come_holds_a_small_segment_until_the_rest_is_there(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_send(&r->t, r->idx, r->bytes, 300, TERN_MSG_MORE);
	assert_quiet(r);
	tern_tcp_send(&r->t, r->idx, r->bytes + 300, 300, TERN_MSG_MORE);
	assert_quiet(r);
	tern_tcp_send(&r->t, r->idx, r->bytes + 600, 300, 0);
	assert_out(r, 1, 900, DATA);
	assert_payload(r);
	room_free(r);
}

/*
 * RFC9293:MUST-38: less than a full segment leaves only if it is half of the largest window seen.
 */
static void silly_windows_are_not_filled(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 4000, .sndbuf = 100000 });

	(void)state;
	app_send(r, 0, 20000);
	assert_int_equal(drain(r), 4);
	FEED(r, .seq = 1, .ack = 4001, .flags = TERN_ACK, .wnd = 999);
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 4001, .flags = TERN_ACK, .wnd = 1000);
	assert_out(r, 4001, 1000, TERN_ACK);
	room_free(r);
}

/*
 * … and in the end the smallest window is used (RFC 9293 §3.8.6.2.1, the override timeout).
 * RFC9293:MUST-60
 */
static void a_window_that_stays_small_is_used_after_a_while(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 4000, .sndbuf = 100000 });

	(void)state;
	app_send(r, 0, 20000);
	drain(r);
	FEED(r, .seq = 1, .ack = 4001, .flags = TERN_ACK, .wnd = 100);
	assert_quiet(r);
	pass(r, S);
	assert_out(r, 4001, 100, DATA);
	assert_payload(r);
	room_free(r);
}

/* RFC9293:MUST-34 RFC9293:SHLD-15 */
static void a_window_that_shrank_takes_no_new_data(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 8000, .sndbuf = 100000 });

	(void)state;
	app_send(r, 0, 20000);
	assert_int_equal(drain(r), 8);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 2000); /* usable: -5000 */
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 8001, .flags = TERN_ACK, .wnd = 2000);
	assert_int_equal(drain(r), 2);
	room_free(r);
}

static void super_segments_hold_whole_segments_of_the_stream(void **state)
{
	struct room *r =
		room_new((struct setup){ .gso_max = 65535, .wscale = 7, .sndbuf = 1 << 21 });
	uint32_t at = 1, biggest = 0;

	(void)state;
	r->c->cc.cwnd = 1 << 20;
	r->c->snd.wnd = 1 << 20;
	assert_int_equal(app_send(r, 0, 300000), 300000);
	while (pull(r)) {
		assert_int_equal(r->tx.seg.seq, at);
		assert_payload(r);
		if (r->tx.seg.len > 1460)
			assert_int_equal(r->tx.gso_size, 1460);
		if (!(r->tx.seg.flags & TERN_PSH))
			assert_int_equal(r->tx.seg.len % 1460, 0);
		assert_true(r->tx.seg.len + 120 <= 65535);
		at += r->tx.seg.len;
		biggest = TERN_MAX(biggest, r->tx.seg.len);
	}
	assert_int_equal(at, 300001);
	assert_int_equal(biggest, (65535 - 120) / 1460 * 1460);
	room_free(r);
}

/* A frame has a limited number of pieces; many small buffers are no reason for a silly segment. */
static void super_segments_of_small_buffers_are_cut_between_segments(void **state)
{
	struct room *r = room_new((struct setup){ .gso_max = 65535, .sndbuf = 1 << 21 });
	uint32_t at = 1, n = 0;

	(void)state;
	r->c->cc.cwnd = 1 << 20;
	for (unsigned int i = 0; i < 60; i++) {
		r->t.bufs.limit = r->t.bufs.used + 512; /* nothing larger is to be had */
		n += (uint32_t)app_send(r, n, 490);
	}
	while (pull(r)) {
		assert_int_equal(r->tx.seg.seq, at);
		assert_payload(r);
		if (!(r->tx.seg.flags & TERN_PSH))
			assert_int_equal(r->tx.seg.len % 1460, 0);
		at += r->tx.seg.len;
	}
	assert_int_equal(at, n + 1);
	assert_int_equal(n, 60 * 490);
	room_free(r);
}

static void connections_take_turns(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	struct tern_flow flow = { .local = tern_addr_v4(10, 0, 0, 1),
				  .remote = tern_addr_v4(10, 0, 0, 2),
				  .lport = 40001,
				  .rport = 80 };
	uint32_t other = tern_conn_new(&r->t, TERN_CLOSED);

	(void)state;
	app_send(r, 0, 3000);
	assert_int_equal(
		tern_tcp_connect(&r->t, other, tern_conn_at(&r->t, other), &flow, 0, 0, 1500), 0);
	assert_out(r, 1, 1000, TERN_ACK);
	assert_out(r, 0, 0, TERN_SYN);
	assert_out(r, 1001, 1000, TERN_ACK);
	assert_out(r, 2001, 1000, DATA);
	assert_quiet(r);
	tern_conn_free(&r->t, other);
	room_free(r);
}

static void an_idle_connection_starts_slowly_again(void **state)
{
	struct room *r = room_new((struct setup){ .sndbuf = 1 << 20, .wscale = 7 });

	(void)state;
	r->c->cc.cwnd = 100 * 1460;
	r->c->snd.wnd = 1 << 20;
	pass(r, 10 * S);
	app_send(r, 0, 200000);
	assert_int_equal(drain(r), 10);
	room_free(r);
}

static void data_crosses_the_end_of_the_sequence_space(void **state)
{
	for (uint32_t before = 999; before <= 1001; before++) {
		struct room *r = room_new((struct setup){ .iss = 0u - 1u - before, .mss = 1000 });

		(void)state;
		app_send(r, 0, 5000);
		for (uint32_t at = 1; at < 5001; at += 1000) {
			assert_out(r, at, 1000, at == 4001 ? DATA : TERN_ACK);
			assert_payload(r);
		}
		FEED(r, .seq = 1, .ack = 2001, .flags = TERN_ACK, .wnd = 65535);
		assert_int_equal(traffic(r)->send.bytes, 3000);
		FEED(r, .seq = 1, .ack = 5001, .flags = TERN_ACK, .wnd = 65535);
		assert_quiet(r);
		assert_null(traffic(r));
		room_free(r);
	}
}

/* RFC9293:MUST-58 */
static void a_segment_acknowledges_what_came(void **state)
{
	struct room *r = room_new((struct setup){ .irs = 0xfffffffe });

	(void)state;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = 100, .wnd = 65535);
	app_send(r, 0, 10);
	assert_out(r, 1, 10, DATA);
	assert_int_equal(r->tx.seg.ack, 101);
	assert_quiet(r); /* the ACK rode along (MUST-58) */
	assert_int_equal(app_recv(r, 0, 200), 100);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_leaves_in_full_segments_and_the_last_one_is_pushed),
		cmocka_unit_test(the_initial_window_limits_what_leaves_at_first),
		cmocka_unit_test(the_peers_window_limits_what_leaves),
		cmocka_unit_test(nagle_holds_a_small_segment_behind_a_small_one_only),
		cmocka_unit_test(full_segments_pass_nagle),
		cmocka_unit_test(nodelay_switches_nagle_off_also_for_what_waits),
		cmocka_unit_test(a_fin_takes_the_small_rest_along),
		cmocka_unit_test(a_cork_holds_small_segments_for_an_rto),
		cmocka_unit_test(pulling_the_cork_sends_the_rest),
		cmocka_unit_test(segments_of_the_peer_do_not_prolong_a_cork),
		cmocka_unit_test(more_to_come_holds_a_small_segment_until_the_rest_is_there),
		cmocka_unit_test(silly_windows_are_not_filled),
		cmocka_unit_test(a_window_that_stays_small_is_used_after_a_while),
		cmocka_unit_test(a_window_that_shrank_takes_no_new_data),
		cmocka_unit_test(super_segments_hold_whole_segments_of_the_stream),
		cmocka_unit_test(super_segments_of_small_buffers_are_cut_between_segments),
		cmocka_unit_test(connections_take_turns),
		cmocka_unit_test(an_idle_connection_starts_slowly_again),
		cmocka_unit_test(data_crosses_the_end_of_the_sequence_space),
		cmocka_unit_test(a_segment_acknowledges_what_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
