/* SPDX-License-Identifier: BSD-2-Clause */
/* MSG_EOR, MSG_MORE, TCP_NODELAY and TCP_CORK: what a send says of the segments it leaves in. */
#include "fixture.h"

#define DATA (TERN_ACK | TERN_PSH)

/* Sends n bytes of the stream from byte `from` on. */
static void app_sends(struct room *r, uint32_t from, uint32_t n, unsigned int flags)
{
	assert_int_equal(tern_tcp_send(&r->t, r->idx, r->bytes + from, n, flags), n);
}

static void a_record_shares_no_segment_with_what_follows(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_sends(r, 0, 300, 0);
	app_sends(r, 300, 300, TERN_MSG_EOR);
	app_sends(r, 600, 100, TERN_MSG_EOR);
	app_sends(r, 700, 1500, 0);
	assert_out(r, 1, 600, DATA);
	assert_payload(r);
	assert_out(r, 601, 100, DATA);
	assert_out(r, 701, 1000, TERN_ACK);
	assert_quiet(r); /* Nagle: a small one is out, and this is the last there is */
	FEED(r, .seq = 1, .ack = 701, .flags = TERN_ACK, .wnd = 65535);
	assert_out(r, 1701, 500, DATA);
	assert_payload(r);
	room_free(r);
}

static void the_last_record_waits_as_nagle_says(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_sends(r, 0, 100, TERN_MSG_EOR);
	assert_out(r, 1, 100, DATA);
	app_sends(r, 100, 100, TERN_MSG_EOR);
	assert_quiet(r);
	app_sends(r, 200, 100, 0);
	assert_out(r, 101, 100, DATA);
	assert_quiet(r);
	room_free(r);
}

static void a_record_is_sent_again_alone(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_NODELAY, 1);
	app_sends(r, 0, 100, TERN_MSG_EOR);
	app_sends(r, 100, 100, TERN_MSG_EOR);
	app_sends(r, 200, 100, 0);
	app_sends(r, 300, 100, 0);
	assert_int_equal(drain(r), 3);
	pass(r, 2 * S);
	assert_out(r, 1, 100, DATA);
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 101, .flags = TERN_ACK, .wnd = 65535);
	assert_out(r, 101, 100, DATA);
	assert_payload(r);
	assert_out(r, 201, 200, DATA);
	room_free(r);
}

static void super_segments_end_with_a_record(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .gso_max = 65535 });

	(void)state;
	app_sends(r, 0, 3500, TERN_MSG_EOR);
	app_sends(r, 3500, 1500, TERN_MSG_EOR);
	app_sends(r, 5000, 1000, 0);
	assert_out(r, 1, 3500, DATA);
	assert_out(r, 3501, 1500, DATA);
	assert_out(r, 5001, 1000, DATA);
	room_free(r);
}

static void what_more_held_back_leaves_with_the_next_ack(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_sends(r, 0, 2300, TERN_MSG_MORE);
	assert_out(r, 1, 1000, TERN_ACK);
	assert_out(r, 1001, 1000, TERN_ACK);
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .wnd = 65535);
	assert_out(r, 2001, 300, TERN_ACK); /* and nobody asked for a push */
	assert_quiet(r);
	room_free(r);
}

static void more_takes_the_push_off_what_has_not_left(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 4000 });

	(void)state;
	app_sends(r, 0, 4000, 0);
	assert_int_equal(drain(r), 4);
	app_sends(r, 4000, 1000, 0);
	app_sends(r, 5000, 1000, TERN_MSG_MORE);
	FEED(r, .seq = 1, .ack = 4001, .flags = TERN_ACK, .wnd = 4000);
	assert_out(r, 4001, 1000, TERN_ACK);
	assert_out(r, 5001, 1000, TERN_ACK);
	assert_quiet(r);
	room_free(r);
}

static void nodelay_sends_what_a_cork_holds_and_the_cork_stays(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_CORK, 1);
	app_sends(r, 0, 100, 0);
	assert_quiet(r);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_NODELAY, 1);
	assert_out(r, 1, 100, DATA);
	app_sends(r, 100, 100, 0);
	assert_quiet(r);
	room_free(r);
}

static void a_closed_window_is_no_silence_for_the_congestion_window(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 100000 });
	uint32_t cwnd;

	(void)state;
	app_sends(r, 0, 10000, 0);
	assert_int_equal(drain(r), 10);
	FEED(r, .seq = 1, .ack = 10001, .flags = TERN_ACK, .wnd = 0);
	cwnd = r->c->cc.cwnd;
	app_sends(r, 10000, 20000, 0);
	assert_quiet(r);
	pass(r, S);
	assert_out(r, 10000, 0, TERN_ACK);
	assert_int_equal(r->c->cc.cwnd, cwnd);
	pass(r, 2 * S);
	drain(r);
	assert_int_equal(r->c->cc.cwnd, cwnd);
	FEED(r, .seq = 1, .ack = 10001, .flags = TERN_ACK, .wnd = 65535);
	assert_true(pull(r)); /* the silence is seen only now */
	assert_int_equal(r->c->cc.cwnd, 10000);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_shares_no_segment_with_what_follows),
		cmocka_unit_test(the_last_record_waits_as_nagle_says),
		cmocka_unit_test(a_record_is_sent_again_alone),
		cmocka_unit_test(super_segments_end_with_a_record),
		cmocka_unit_test(what_more_held_back_leaves_with_the_next_ack),
		cmocka_unit_test(more_takes_the_push_off_what_has_not_left),
		cmocka_unit_test(nodelay_sends_what_a_cork_holds_and_the_cork_stays),
		cmocka_unit_test(a_closed_window_is_no_silence_for_the_congestion_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
