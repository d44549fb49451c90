/* SPDX-License-Identifier: BSD-2-Clause */
/* What arrives: order, windows, memory, and the ACKs that follow. */
#include "fixture.h"

/* n bytes of the peer's stream from byte `at` (from 0) on. */
static struct tern_outcome data(struct room *r, uint32_t at, uint32_t n)
{
	return FEED(r, .seq = 1 + at, .ack = 1, .flags = TERN_ACK, .len = n, .wnd = 65535);
}

/* Bytes that the window advertised last leaves room for, counted from byte 0 of the stream. */
static uint32_t edge(const struct room *r)
{
	return r->tx.seg.ack - 1 + ((uint32_t)r->tx.seg.wnd << r->c->rcv_wscale);
}

/* RFC9293:MAY-13 RFC9293:SHLD-31 */
static void each_early_segment_draws_a_duplicate_ack(void **state)
{
	struct room *r = room_new((struct setup){ .irs = 0xfffff000, .mss = 1000 });

	(void)state;
	data(r, 1000, 1000);
	data(r, 3000, 1000);
	data(r, 2000, 1000);
	for (unsigned int i = 0; i < 3; i++) {
		assert_out(r, 1, 0, TERN_ACK);
		assert_int_equal(r->tx.seg.ack, 1);
		assert_int_equal(r->tx.seg.opt.sack_count, 1);
		assert_int_equal(r->tx.seg.opt.sack[0].left - r->irs, 1001);
		assert_int_equal(r->tx.seg.opt.sack[0].right - r->irs, 4001);
	}
	assert_quiet(r);
	data(r, 0, 1000);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.ack, 4001);
	assert_false(r->tx.seg.opt.present & TERN_OPT_SACK);
	assert_quiet(r);
	assert_int_equal(app_recv(r, 0, 10000), 4000);
	room_free(r);
}

/* Four ACKs of the same number would be three duplicates: a loss that never was. RFC9293:MUST-58 */
static void a_hole_filled_in_the_same_burst_draws_one_ack(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	for (uint32_t at = 1000; at < 5000; at += 1000)
		data(r, at, 1000);
	data(r, 0, 1000);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.ack, 5001);
	assert_quiet(r);
	room_free(r);
}

/*
 * RFC9293:SHLD-14, as RFC 7323 §2.4 has it: the edge moves left by less than a unit of the scale.
 * RFC9293:MAY-8 RFC7323:2.4
 */
static void the_window_closes_and_does_not_creep(void **state)
{
	for (uint32_t len = 1; len < 3000; len = len * 3 + 1) {
		struct room *r =
			room_new((struct setup){ .wscale = 2, .rmem = 65536, .irs = 0xfffffff0 });
		uint32_t at = 0, furthest, before = 0;

		(void)state;
		assert_int_equal(r->c->rcv_wscale, 10);
		data(r, 0, 1);
		assert_true(pull(r));
		furthest = edge(r);
		before = furthest;
		for (at = 1; at < edge(r);) {
			uint32_t n = TERN_MIN(len, edge(r) - at);

			data(r, at, n);
			at += n;
			if (!pull(r)) {
				pass(r, 40 * MS + TERN_TICK_NS);
				assert_true(pull(r));
			}
			assert_quiet(r);
			assert_true(edge(r) + 1024 > before);
			before = edge(r);
			furthest = TERN_MAX(furthest, before);
		}
		assert_int_equal(r->tx.seg.wnd, 0);
		assert_true(furthest <= 65536);
		assert_true(traffic(r)->rmem <= 2 * 65536);
		assert_int_equal(app_recv(r, 0, 65536), at);
		assert_true(pull(r)); /* the window opens again */
		assert_in_range(edge(r) - at, 32768, 65536);
		room_free(r);
	}
}

/* RFC9293:MUST-39: the right edge moves by a segment or a quarter of the buffer, or not at all. */
static void reading_a_little_does_not_open_the_window(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1460, .rcvbuf = 8192 });
	uint32_t at, read;

	(void)state;
	for (at = 0; at < 4380; at += 1460) {
		data(r, at, 1460);
		assert_int_equal(drain(r), 1);
	}
	assert_int_equal(r->tx.seg.wnd, 0);
	for (read = 0; read < at && !pull(r); read++)
		assert_int_equal(app_recv(r, read, 1), 1);
	assert_in_range(read, 1000, 1460);
	assert_int_equal(r->tx.seg.wnd, 1460);
	room_free(r);
}

/* Early data must never stand in the way of what is in order (RFC 2018 §8: it may be dropped). */
static void early_data_gives_way_when_memory_is_full(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .rcvbuf = 4000, .irs = 0xfffffc00 });

	(void)state;
	for (uint32_t at = 1990; at >= 1000; at -= 20)
		data(r, at, 1);
	assert_true(traffic(r)->rmem > 2 * 4000);
	assert_int_equal(data(r, 0, 500).reason, TERN_DROP_NONE);
	assert_int_equal(traffic(r)->recv.early_bytes, 0);
	assert_int_equal(counter(r, TERN_CNT_TcpExtOfoPruned), 1);
	assert_int_equal(app_recv(r, 0, 4000), 500);
	room_free(r);
}

/* A burst of early segments may not make us owe ever more. */
static void duplicate_acks_owed_are_limited(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		data(r, 1000 + 10 * i, 10);
	assert_int_equal(drain(r), 32);
	room_free(r);
}

static void early_data_gives_way_to_tcp_mem_as_well(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	data(r, 1000, 100);
	data(r, 3000, 100);
	r->t.bufs.limit = r->t.bufs.used;
	assert_int_equal(data(r, 0, 500).reason, TERN_DROP_NONE);
	assert_int_equal(app_recv(r, 0, 4000), 500);
	room_free(r);
}

/*
 * Data inside the window that cannot be kept: the ACK closes the window, so that the peer probes
 * instead of counting timeouts.
 */
static void memory_that_is_out_closes_the_window_for_an_ack(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	r->t.bufs.limit = 0;
	assert_int_equal(data(r, 0, 500).reason, TERN_DROP_PROTO_MEM);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.ack, 1);
	assert_int_equal(r->tx.seg.wnd, 0);
	assert_quiet(r);
	r->t.bufs.limit = 1 << 20;
	FEED(r, .seq = 0, .ack = 1, .flags = TERN_ACK, .wnd = 65535); /* the peer's probe */
	assert_out(r, 1, 0, TERN_ACK);
	assert_true(r->tx.seg.wnd > 60000);
	assert_int_equal(data(r, 0, 500).reason, TERN_DROP_NONE);
	assert_int_equal(app_recv(r, 0, 500), 500);
	room_free(r);
}

static void pressure_keeps_the_window_at_four_segments(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	uint32_t at = 0;

	(void)state;
	r->t.bufs.pressed = true;
	r->t.bufs.low = 0;
	for (; at < 100000; at += 1000) {
		data(r, at, 1000);
		app_recv(r, at, 1000);
		drain(r);
	}
	assert_true(r->c->rcv.adv - r->c->rcv.nxt <= 4000);
	assert_true(r->c->rcv.adv - r->c->rcv.nxt >= 1000);
	room_free(r);
}

/* The buffer follows what is read in a round trip, also where each read empties it. */
static void the_receive_buffer_grows_with_a_fast_reader(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1460, .wscale = 7 });
	uint32_t at = 0, buf = r->c->rcv.buf;

	(void)state;
	r->c->rtt.srtt8_us = 8 * 20000;
	for (unsigned int rtt = 0; rtt < 30; rtt++) {
		uint32_t window = r->c->rcv.adv - r->c->rcv.nxt;

		for (uint32_t n = 0; n + 1460 <= window && at + 1460 < BIG; n += 1460) {
			data(r, at, 1460);
			assert_int_equal(app_recv(r, at, 1460), 1460);
			at += 1460;
			drain(r);
		}
		pass(r, 20 * MS);
		drain(r);
	}
	assert_true(r->c->rcv.buf >= 8 * buf);
	room_free(r);
}

static void a_fixed_receive_buffer_stays(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1460, .rcvbuf = 50000 });

	(void)state;
	for (uint32_t at = 0; at < 1000000; at += 1000) {
		data(r, at, 1000);
		app_recv(r, at, 1000);
		drain(r);
		pass(r, MS);
		drain(r);
	}
	assert_int_equal(r->c->rcv.buf, 50000);
	room_free(r);
}

static void shutting_the_reading_side_keeps_early_data_until_its_turn(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_RD);
	data(r, 2000, 1000);
	data(r, 0, 1000);
	data(r, 1000, 1000);
	assert_int_equal(drain(r), 1);
	assert_int_equal(r->tx.seg.ack, 3001);
	assert_null(traffic(r));
	room_free(r);
}

static void an_early_fin_waits_for_the_bytes_before_it(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .irs = 0u - 1500 });

	(void)state;
	FEED(r, .seq = 1001, .ack = 1, .flags = TERN_ACK | TERN_FIN, .len = 500, .wnd = 65535);
	assert_int_equal(r->c->state, TERN_ESTABLISHED);
	drain(r);
	data(r, 0, 1000);
	assert_int_equal(r->c->state, TERN_CLOSE_WAIT);
	assert_int_equal(drain(r), 1);
	assert_int_equal(r->tx.seg.ack, 1502);
	assert_int_equal(app_recv(r, 0, 4000), 1500);
	assert_int_equal(app_recv(r, 0, 4000), 0);
	room_free(r);
}

/* RFC 7323 §4.3: the echo of a delayed ACK is the time of the first segment that it answers. */
static void timestamps_echo_the_first_segment_that_an_ack_answers(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .ts = true });
	uint32_t tsval;

	(void)state;
	r->c->quick_acks = 0; /* the quick ACKs of the start are over */
	r->tsval = 10;
	data(r, 0, 100);
	r->tsval = 20;
	data(r, 100, 100);
	r->tsval = 30;
	data(r, 1000, 100); /* early: its time is not taken */
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.opt.tsecr, 10);
	tsval = r->tx.seg.opt.tsval;
	pass(r, 25 * MS);
	data(r, 200, 800);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.ack, 1101);
	assert_int_equal(r->tx.seg.opt.tsecr, 30);
	assert_int_equal(r->tx.seg.opt.tsval - tsval, 25);
	room_free(r);
}

static void timestamps_leave_room_for_three_sack_blocks(void **state)
{
	for (unsigned int ts = 0; ts < 2; ts++) {
		struct room *r = room_new((struct setup){ .mss = 1000, .ts = ts });

		(void)state;
		for (uint32_t i = 1; i <= 5; i++)
			data(r, 2000 * i, 10);
		drain(r);
		assert_int_equal(r->tx.seg.opt.sack_count, ts ? 3 : 4);
		room_free(r);
	}
}

/* One that lies about its end does not end the stream sooner or later than its bytes say. */
static void the_first_of_two_early_fins_ends_the_stream(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	FEED(r, .seq = 501, .ack = 1, .flags = TERN_ACK | TERN_FIN, .len = 100, .wnd = 65535);
	FEED(r, .seq = 301, .ack = 1, .flags = TERN_ACK | TERN_FIN, .len = 100, .wnd = 65535);
	FEED(r, .seq = 501, .ack = 1, .flags = TERN_ACK | TERN_FIN, .len = 100, .wnd = 65535);
	data(r, 0, 299);
	assert_int_equal(r->c->state, TERN_ESTABLISHED);
	data(r, 299, 1);
	assert_int_equal(r->c->state, TERN_CLOSE_WAIT);
	assert_int_equal(app_recv(r, 0, 1000), 400);
	assert_int_equal(app_recv(r, 0, 1000), 0);
	room_free(r);
}

static void a_fin_behind_a_second_hole_waits_for_that_too(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	data(r, 100, 100);
	FEED(r, .seq = 301, .ack = 1, .flags = TERN_ACK | TERN_FIN, .len = 100, .wnd = 65535);
	data(r, 0, 100);
	assert_int_equal(r->c->state, TERN_ESTABLISHED);
	drain(r);
	assert_int_equal(r->tx.seg.opt.sack_count, 1);
	assert_int_equal(r->tx.seg.opt.sack[0].left - r->irs, 301);
	data(r, 200, 100);
	assert_int_equal(r->c->state, TERN_CLOSE_WAIT);
	room_free(r);
}

/* A peer that asks and waits for the answer: the ACK rides on it. */
static void the_ack_of_a_question_rides_on_the_answer(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	data(r, 0, 10);
	app_send(r, 0, 10);
	assert_out(r, 1, 10, TERN_ACK | TERN_PSH);
	assert_quiet(r);
	FEED(r, .seq = 11, .ack = 11, .flags = TERN_ACK, .len = 10, .wnd = 65535);
	assert_quiet(r); /* the second question is not acknowledged at once */
	app_send(r, 10, 10);
	assert_out(r, 11, 10, TERN_ACK | TERN_PSH);
	assert_int_equal(r->tx.seg.ack, 21);
	room_free(r);
}

static void the_receive_buffer_grows_to_its_knob_and_not_under_pressure(void **state)
{
	for (unsigned int pressed = 0; pressed < 2; pressed++) {
		struct room *r = room_new((struct setup){ .mss = 1000, .wscale = 7 });

		(void)state;
		r->knobs.tcp_rmem_max = 200000;
		r->t.bufs.pressed = pressed;
		r->t.bufs.low = 0;
		for (uint32_t at = 0; at < 2000000; at += 1000) {
			data(r, at, 1000);
			app_recv(r, at, 1000);
			drain(r);
			if (at % 60000 == 0)
				pass(r, 2 * MS);
		}
		assert_int_equal(r->c->rcv.buf, pressed ? 131072 : 200000);
		room_free(r);
	}
}

/* What is read of a window that was nearly full is told at once when it has doubled. */
static void a_small_window_is_told_when_it_doubles(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .rcvbuf = 40000 });
	uint32_t at, read = 0;

	(void)state;
	for (at = 0; at < 17000; at += 1000)
		data(r, at, 1000);
	pass(r, S);
	drain(r);
	assert_int_equal(r->tx.seg.wnd, 1980);
	for (uint32_t wnd = 4000; wnd <= 16000; wnd *= 2) {
		for (; read < at && !pull(r); read++)
			app_recv(r, read, 1);
		assert_int_equal(r->tx.seg.wnd, wnd);
	}
	assert_int_equal(app_recv(r, read, at), at - read);
	assert_quiet(r); /* half of it is open: no hurry */
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_early_segment_draws_a_duplicate_ack),
		cmocka_unit_test(a_hole_filled_in_the_same_burst_draws_one_ack),
		cmocka_unit_test(the_window_closes_and_does_not_creep),
		cmocka_unit_test(reading_a_little_does_not_open_the_window),
		cmocka_unit_test(early_data_gives_way_when_memory_is_full),
		cmocka_unit_test(duplicate_acks_owed_are_limited),
		cmocka_unit_test(early_data_gives_way_to_tcp_mem_as_well),
		cmocka_unit_test(memory_that_is_out_closes_the_window_for_an_ack),
		cmocka_unit_test(pressure_keeps_the_window_at_four_segments),
		cmocka_unit_test(the_receive_buffer_grows_with_a_fast_reader),
		cmocka_unit_test(a_fixed_receive_buffer_stays),
		cmocka_unit_test(shutting_the_reading_side_keeps_early_data_until_its_turn),
		cmocka_unit_test(an_early_fin_waits_for_the_bytes_before_it),
		cmocka_unit_test(timestamps_echo_the_first_segment_that_an_ack_answers),
		cmocka_unit_test(timestamps_leave_room_for_three_sack_blocks),
		cmocka_unit_test(the_first_of_two_early_fins_ends_the_stream),
		cmocka_unit_test(a_fin_behind_a_second_hole_waits_for_that_too),
		cmocka_unit_test(the_ack_of_a_question_rides_on_the_answer),
		cmocka_unit_test(the_receive_buffer_grows_to_its_knob_and_not_under_pressure),
		cmocka_unit_test(a_small_window_is_told_when_it_doubles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
