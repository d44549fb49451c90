/* SPDX-License-Identifier: BSD-2-Clause */
/* SEND and RECEIVE without a copy: what is lent, what becomes of it, and misuse. */
#include "fixture.h"

enum { ROOMS = 8 };

/* Writes the stream from byte `at` on into room that was lent; returns how many bytes. */
static uint32_t write_rooms(const struct room *r, const struct tern_room *rooms, int n, uint32_t at)
{
	uint32_t len = 0;

	for (int i = 0; i < n; i++) {
		assert_true(rooms[i].len > 0);
		memcpy(rooms[i].ptr, r->bytes + at + len, rooms[i].len);
		len += rooms[i].len;
	}
	return len;
}

/* The application sends up to n bytes of the stream, of which it then commits at most `take`. */
static int64_t lend_send(struct room *r, uint32_t at, uint32_t n, uint32_t take)
{
	struct tern_room rooms[ROOMS];
	int got = tern_tcp_reserve(&r->t, r->idx, n, rooms, ROOMS);

	if (got <= 0)
		return got;
	n = write_rooms(r, rooms, got, at);
	return tern_tcp_commit(&r->t, r->idx, TERN_MIN(n, take), 0);
}

static unsigned int news(struct room *r)
{
	unsigned int bits = 0;

	return tern_conn_next_event(&r->t, &bits) ? bits : 0;
}

/* By turns with sends that copy, in all sizes, acknowledged in between: one stream leaves. */
static void what_is_written_into_lent_room_is_sent(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 400000, .wscale = 7 });
	uint32_t at = 0, left = 0;
	struct tern_rng rng;

	(void)state;
	tern_rng_init(&rng, (const uint8_t[TERN_RNG_SEED_LEN]){ 3 });
	r->c->snd.wnd = r->c->snd.max_wnd = 1 << 20;
	while (at < 1000000) {
		uint32_t n = 1 + tern_rng_below(&rng, tern_rng_below(&rng, 2) ? 70000 : 700);
		uint32_t take = tern_rng_below(&rng, 3) ? n : tern_rng_below(&rng, n + 1);
		int64_t k = tern_rng_below(&rng, 3) ? lend_send(r, at, n, take)
						    : app_send(r, at, n);

		assert_true(k >= 0 || k == -EAGAIN);
		at += (uint32_t)TERN_MAX(k, 0);
		assert_int_equal(traffic(r) ? traffic(r)->send.bytes : 0, at - left);
		assert_true(!traffic(r) || r->t.bufs.used == traffic(r)->wmem);
		while (pull(r))
			assert_payload(r);
		if (!tern_rng_below(&rng, 2))
			continue;
		left = r->c->snd.nxt - r->iss - 1;
		FEED(r, .seq = 1, .ack = 1 + left, .flags = TERN_ACK, .wnd = 8192);
	}
	room_free(r);
}

static void room_is_lent_as_far_as_the_send_buffer_goes(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 8000, .sndbuf = 12000 });
	struct tern_room rooms[ROOMS];

	(void)state;
	news(r);
	assert_int_equal(lend_send(r, 0, 5999, UINT32_MAX), 5999);
	assert_int_equal(lend_send(r, 5999, 1, UINT32_MAX),
			 1); /* all that was asked for: no news */
	drain(r);
	FEED(r, .seq = 1, .ack = 6001, .flags = TERN_ACK, .wnd = 8000);
	assert_int_equal(news(r), 0);

	assert_int_equal(lend_send(r, 6000, 12001, UINT32_MAX), 12000);
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 1, rooms, ROOMS), -EAGAIN);
	drain(r);
	FEED(r, .seq = 1, .ack = 12001, .flags = TERN_ACK, .wnd = 8000);
	assert_int_equal(news(r), 0);
	FEED(r, .seq = 1, .ack = 13001, .flags = TERN_ACK, .wnd = 8000);
	assert_int_equal(news(r), TERN_EV_WRITABLE);
	room_free(r);
}

static void few_pieces_make_a_short_send(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 400000 });
	struct tern_room rooms[ROOMS];
	uint32_t n;

	(void)state;
	news(r);
	assert_int_equal(app_send(r, 0, 1), 1); /* 495 bytes are left in its buffer */
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 60000, rooms, 0), 0);
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 0, rooms, 1), 0);
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 60000, rooms, 1), 1);
	n = write_rooms(r, rooms, 1, 1);
	assert_true(n > 0 && n < 60000);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, n, 0), n);
	drain(r);
	FEED(r, .seq = 1, .ack = 2 + n, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(news(r), TERN_EV_WRITABLE);
	room_free(r);
}

static void what_is_not_committed_costs_nothing(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 400000 });
	struct tern_room rooms[ROOMS];

	(void)state;
	assert_int_equal(lend_send(r, 0, 60000, 0), 0);
	assert_int_equal(r->t.bufs.used, 0);
	assert_null(traffic(r));
	assert_quiet(r);
	assert_true(tern_tcp_reserve(&r->t, r->idx, 60000, rooms, ROOMS) > 0);
	assert_int_equal(lend_send(r, 0, 100, 1), 1); /* what stood open is void */
	assert_int_equal(r->t.bufs.used, 512);
	assert_out(r, 1, 1, TERN_ACK | TERN_PSH);
	assert_payload(r);
	room_free(r);
}

static void a_commit_must_follow_its_reserve(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 400000 });
	struct tern_room rooms[ROOMS];

	(void)state;
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 0, 0), -EINVAL);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 1, 0), -EINVAL);
	assert_true(tern_tcp_reserve(&r->t, r->idx, 100, rooms, ROOMS) > 0);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 101, 0), -EINVAL);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 100, 0),
			 -EINVAL); /* it was void with that */
	assert_true(tern_tcp_reserve(&r->t, r->idx, 100, rooms, ROOMS) > 0);
	write_rooms(r, rooms, 1, 0);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 100, 0), 100);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 1, 0), -EINVAL); /* once */

	/* Something else was sent in between. */
	assert_true(tern_tcp_reserve(&r->t, r->idx, 100, rooms, ROOMS) > 0);
	assert_int_equal(app_send(r, 100, 50), 50);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 100, 0), -EINVAL);

	/* The buffer whose rest was lent is gone. */
	assert_true(tern_tcp_reserve(&r->t, r->idx, 100, rooms, ROOMS) > 0);
	drain(r);
	FEED(r, .seq = 1, .ack = 151, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 100, 0), -EINVAL);
	assert_int_equal(r->t.bufs.used, 0);
	room_free(r);
}

static void what_cannot_be_sent_is_lent_no_room(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	struct tern_room rooms[ROOMS];

	(void)state;
	r->t.bufs.limit = 0;
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 1, rooms, ROOMS), -ENOBUFS);
	assert_null(traffic(r));
	r->t.bufs.limit = 512;
	assert_int_equal(lend_send(r, 0, 60000, UINT32_MAX), 496);
	drain(r);
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 1, rooms, ROOMS), -EAGAIN);
	r->t.bufs.limit = 1 << 20;
	tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_WR);
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 1, rooms, ROOMS), -EPIPE);
	FEED(r, .seq = 1, .flags = TERN_RST);
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 1, rooms, ROOMS), -ECONNRESET);
	assert_int_equal(tern_tcp_reserve(&r->t, r->idx, 1, rooms, ROOMS), -EPIPE);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 0, 0), -EPIPE);
	room_free(r);
}

static void more_holds_a_partial_segment_back(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 400000 });
	struct tern_room rooms[ROOMS];

	(void)state;
	write_rooms(r, rooms, tern_tcp_reserve(&r->t, r->idx, 300, rooms, ROOMS), 0);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 300, TERN_MSG_MORE), 300);
	assert_quiet(r);
	write_rooms(r, rooms, tern_tcp_reserve(&r->t, r->idx, 100, rooms, ROOMS), 300);
	assert_int_equal(tern_tcp_commit(&r->t, r->idx, 100, 0), 100);
	assert_out(r, 1, 400, TERN_ACK | TERN_PSH);
	assert_payload(r);
	room_free(r);
}

static void what_came_is_read_where_it_lies(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	struct tern_piece pieces[ROOMS];
	uint32_t at = 0;
	int n;

	(void)state;
	assert_int_equal(tern_tcp_peek(&r->t, r->idx, pieces, ROOMS), -EAGAIN);
	for (uint32_t i = 0; i < 5; i++)
		FEED(r, .seq = 1 + 1000 * i, .ack = 1, .flags = TERN_ACK, .len = 1000,
		     .wnd = 65535);
	n = tern_tcp_peek(&r->t, r->idx, pieces, ROOMS);
	assert_in_range(n, 2, ROOMS);
	for (int i = 0; i < n; i++) {
		assert_memory_equal(pieces[i].ptr, r->bytes + at, pieces[i].len);
		at += pieces[i].len;
	}
	assert_int_equal(at, 5000);
	assert_int_equal(tern_tcp_peek(&r->t, r->idx, pieces, 1), 1);

	/* Taken without a copy, from the middle of a piece on. */
	assert_int_equal(tern_tcp_recv(&r->t, r->idx, NULL, 777, TERN_MSG_TRUNC), 777);
	assert_true(tern_tcp_peek(&r->t, r->idx, pieces, ROOMS) > 0);
	assert_memory_equal(pieces[0].ptr, r->bytes + 777, pieces[0].len);
	assert_int_equal(app_recv(r, 777, 1000), 1000);
	assert_int_equal(tern_tcp_recv(&r->t, r->idx, NULL, 9000, TERN_MSG_TRUNC), 3223);
	assert_int_equal(tern_tcp_recv(&r->t, r->idx, NULL, 1, TERN_MSG_TRUNC), -EAGAIN);
	FEED(r, .seq = 5001, .ack = 1, .flags = TERN_ACK | TERN_FIN, .wnd = 65535);
	assert_int_equal(tern_tcp_peek(&r->t, r->idx, pieces, ROOMS), 0);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_into_lent_room_is_sent),
		cmocka_unit_test(room_is_lent_as_far_as_the_send_buffer_goes),
		cmocka_unit_test(few_pieces_make_a_short_send),
		cmocka_unit_test(what_is_not_committed_costs_nothing),
		cmocka_unit_test(a_commit_must_follow_its_reserve),
		cmocka_unit_test(what_cannot_be_sent_is_lent_no_room),
		cmocka_unit_test(more_holds_a_partial_segment_back),
		cmocka_unit_test(what_came_is_read_where_it_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
