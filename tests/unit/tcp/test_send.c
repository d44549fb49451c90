/* SPDX-License-Identifier: BSD-2-Clause */
/* SEND and RECEIVE: how much is taken, what is refused, and when there is news. */
#include "fixture.h"

static unsigned int news(struct room *r)
{
	unsigned int bits = 0;

	return tern_conn_next_event(&r->t, &bits) ? bits : 0;
}

static int64_t send_one(struct room *r)
{
	return app_send(r, 0, 1);
}

static int64_t recv_one(struct room *r)
{
	uint8_t byte;

	return tern_tcp_recv(&r->t, r->idx, &byte, 1, 0);
}

static void a_socket_that_was_never_open_is_not_connected(void **state)
{
	struct setup s = { 0 };
	struct room *r = room_bare(&s);

	(void)state;
	r->idx = tern_conn_new(&r->t, TERN_CLOSED);
	r->c = tern_conn_at(&r->t, r->idx);
	r->c->flags |= TERN_CF_OWNED;
	assert_int_equal(send_one(r), -ENOTCONN);
	assert_int_equal(recv_one(r), -ENOTCONN);
	room_free(r);
}

static void a_reset_is_told_once(void **state)
{
	for (unsigned int by_send = 0; by_send < 2; by_send++) {
		struct room *r = room_new((struct setup){ .mss = 1000 });

		(void)state;
		news(r);
		FEED(r, .seq = 1, .flags = TERN_RST);
		assert_int_equal(news(r), TERN_EV_ERROR | TERN_EV_CLOSED | TERN_EV_READABLE |
						  TERN_EV_WRITABLE);
		assert_int_equal(by_send ? send_one(r) : recv_one(r), -ECONNRESET);
		assert_int_equal(send_one(r), -EPIPE);
		assert_int_equal(recv_one(r), 0);
		room_free(r);
	}
}

static void a_side_that_was_shut_takes_no_more(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	assert_int_equal(recv_one(r), -EAGAIN);
	tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_WR);
	assert_int_equal(send_one(r), -EPIPE);
	assert_int_equal(recv_one(r), -EAGAIN);
	tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_RD);
	assert_int_equal(recv_one(r), 0);
	room_free(r);
}

static void bytes_written_while_connecting_leave_on_the_third_segment(void **state)
{
	struct setup s = { .iss = 0xffffffff };
	struct room *r = room_connecting(&s);

	(void)state;
	assert_int_equal(app_send(r, 0, 700), 700);
	assert_out(r, 0, 0, TERN_SYN);
	assert_quiet(r);
	assert_int_equal(app_send(r, 700, 300), 300);
	assert_quiet(r);
	FEED(r, .ack = 1, .flags = TERN_SYN | TERN_ACK, .wnd = 65535,
	     .opt = { .present = TERN_OPT_MSS, .mss = 1460 });
	assert_out(r, 1, 1000, TERN_ACK | TERN_PSH);
	assert_payload(r);
	assert_quiet(r);
	room_free(r);
}

/* Chunks are of half the window, 4,000 bytes, and cost 1,280 each beside them; see sndbuf.c. */
static void a_send_that_fell_short_is_told_when_a_third_is_free(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 8000, .sndbuf = 12000 });

	(void)state;
	news(r);
	assert_int_equal(app_send(r, 0, 20000), 12000);
	assert_int_equal(app_send(r, 12000, 1), -EAGAIN);
	drain(r);
	FEED(r, .seq = 1, .ack = 6001, .flags = TERN_ACK, .wnd = 8000);
	assert_int_equal(news(r), 0);
	FEED(r, .seq = 1, .ack = 7001, .flags = TERN_ACK, .wnd = 8000);
	assert_int_equal(news(r), TERN_EV_WRITABLE);
	assert_int_equal(app_send(r, 12000, 20000), 4000 + 3000); /* of it 3,000 leave at once */
	FEED(r, .seq = 1, .ack = 7001, .flags = TERN_ACK, .wnd = 8000);
	assert_int_equal(news(r), 0);
	room_free(r);
}

/* The last chunk is begun while less is charged than the buffer is large. */
static void a_send_goes_beyond_the_buffer_by_less_than_a_chunk(void **state)
{
	static const struct {
		uint32_t sndbuf, takes;
	} rows[] = {
		{ 4608, 4000 },  { 5279, 4000 },   { 5280, 4000 },   { 5281, 8000 },
		{ 10560, 8000 }, { 10561, 12000 }, { 52800, 40000 }, { 52801, 44000 },
	};

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(rows); i++) {
		struct room *r = room_new(
			(struct setup){ .mss = 1000, .window = 8000, .sndbuf = rows[i].sndbuf });

		assert_int_equal(app_send(r, 0, 100000), rows[i].takes);
		room_free(r);
	}
}

static void a_send_that_was_taken_whole_is_no_news(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 12000 });

	(void)state;
	news(r);
	assert_int_equal(app_send(r, 0, 6000), 6000);
	drain(r);
	FEED(r, .seq = 1, .ack = 6001, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(news(r), 0);
	assert_int_equal(tern_tcp_send(&r->t, r->idx, r->bytes, 0, 0), 0);
	assert_null(traffic(r));
	room_free(r);
}

/* tcp_mem: wait for what is in flight; where nothing is, no ACK would ever bring room. */
static void a_send_without_memory_waits_or_fails(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	news(r);
	r->t.bufs.limit = 0;
	assert_int_equal(send_one(r), -ENOBUFS);
	assert_null(traffic(r));
	r->t.bufs.limit = 512;
	assert_int_equal(app_send(r, 0, 300), 300);
	drain(r);
	assert_int_equal(app_send(r, 300, 300), -EAGAIN);
	assert_int_equal(traffic(r)->send.bytes, 300);
	FEED(r, .seq = 1, .ack = 301, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(news(r), TERN_EV_WRITABLE);
	assert_int_equal(app_send(r, 300, 300), 300);
	room_free(r);
}

static void the_send_buffer_follows_the_congestion_window(void **state)
{
	struct room *r = room_new((struct setup){ .wscale = 7, .mss = 1000 });
	uint32_t at = 0, acked = 0, before = r->c->snd_buf;

	(void)state;
	r->c->snd.wnd = 1 << 20;
	r->c->snd.max_wnd = 1 << 20;
	for (unsigned int i = 0; i < 200; i++) {
		at += (uint32_t)TERN_MAX(app_send(r, at % 1000000, 100000), 0);
		drain(r);
		acked = r->c->snd.nxt - r->iss - 1;
		FEED(r, .seq = 1, .ack = 1 + acked, .flags = TERN_ACK, .wnd = 8192);
	}
	assert_true(r->c->snd_buf >= 8 * before);
	assert_true(r->c->snd_buf <= r->knobs.tcp_wmem_max);
	room_free(r);
}

static void a_fixed_send_buffer_stays(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 20000 });

	(void)state;
	for (uint32_t at = 0; at < 500000; at += 10000) {
		app_send(r, at, 10000);
		drain(r);
		FEED(r, .seq = 1, .ack = r->c->snd.nxt - r->iss, .flags = TERN_ACK, .wnd = 65535);
		drain(r);
	}
	assert_int_equal(r->c->snd_buf, 20000);
	room_free(r);
}

static struct tern_socket_info row_of(const struct room *r)
{
	struct tern_socket_info row = { .id = 0 };

	tern_tcp_describe(&r->t, r->t.now, r->idx, &row);
	return row;
}

#define assert_busy(r, all, window, buffer)                                     \
	do {                                                                    \
		struct tern_socket_info row = row_of(r);                        \
		assert_in_range(row.busy_ms, (all), (all) + 1);                 \
		assert_in_range(row.window_limited_ms, (window), (window) + 1); \
		assert_in_range(row.buffer_limited_ms, (buffer), (buffer) + 1); \
	} while (0)

static void what_sending_waits_for_is_timed(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000, .window = 4000, .sndbuf = 100000 });

	(void)state;
	pass(r, 50 * MS);
	assert_busy(r, 0, 0, 0);
	app_send(r, 0, 5000);
	assert_int_equal(drain(r), 4);
	pass(r, 50 * MS);
	assert_busy(r, 50, 50, 0);
	FEED(r, .seq = 1, .ack = 4001, .flags = TERN_ACK, .wnd = 4000);
	assert_int_equal(drain(r), 1);
	pass(r, 20 * MS);
	assert_busy(r, 70, 50, 0);
	FEED(r, .seq = 1, .ack = 5001, .flags = TERN_ACK, .wnd = 4000);
	pass(r, 30 * MS);
	assert_null(traffic(r));
	assert_busy(r, 70, 50, 0);
	room_free(r);
}

/* In slow start a window that is half used is in use; a larger one was not the limit. */
static void so_is_a_send_buffer_that_is_too_small(void **state)
{
	static const uint32_t cwnds[] = { 8, 15, 16, 100 };

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(cwnds); i++) {
		struct room *r =
			room_new((struct setup){ .mss = 1000, .window = 16000, .sndbuf = 4608 });
		uint32_t limited = cwnds[i] < 16 ? 0 : 40;

		tern_cc_set_window(&r->c->cc, cwnds[i]);
		assert_int_equal(app_send(r, 0, 20000), 8000);
		assert_int_equal(drain(r), 8);
		pass(r, 40 * MS);
		assert_busy(r, 40, 0, limited);
		FEED(r, .seq = 1, .ack = 8001, .flags = TERN_ACK, .wnd = 16000);
		pass(r, 40 * MS);
		assert_busy(r, 40, 0, limited);
		room_free(r);
	}
}

static void totals_of_bytes_go_on_beyond_32_bits(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 1000);
	drain(r);
	FEED(r, .seq = 1, .ack = 1001, .flags = TERN_ACK, .len = 700, .wnd = 65535);
	assert_int_equal(row_of(r).bytes_received, 700);
	r->c->rcv.irs += 701; /* as if 4 GiB less one byte had come */
	r->c->totals.bytes_sent = UINT32_MAX;
	r->c->totals.bytes_acked = UINT32_MAX;
	assert_int_equal(row_of(r).bytes_received, 0);
	r->c->rcv.irs++;
	r->irs += 2;
	assert_int_equal(row_of(r).bytes_received, UINT32_MAX - 1);
	FEED(r, .seq = 699, .ack = 1001, .flags = TERN_ACK, .len = 5, .wnd = 65535);
	assert_int_equal(row_of(r).bytes_received, UINT64_C(0x100000003));
	app_send(r, 1000, 1000);
	drain(r);
	FEED(r, .seq = 704, .ack = 2001, .flags = TERN_ACK | TERN_FIN, .wnd = 65535);
	assert_int_equal(row_of(r).bytes_received, UINT64_C(0x100000003));
	assert_int_equal(row_of(r).bytes_sent, UINT64_C(0x1000003e7));
	assert_int_equal(row_of(r).bytes_acked, UINT64_C(0x1000003e7));
	room_free(r);
}

static void peeking_leaves_the_bytes(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });
	uint8_t got[100];

	(void)state;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = 50, .wnd = 65535);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(tern_tcp_recv(&r->t, r->idx, got, 100, TERN_MSG_PEEK), 50);
		assert_memory_equal(got, r->bytes, 50);
	}
	assert_int_equal(tern_tcp_recv(&r->t, r->idx, got, 0, 0), 0);
	assert_int_equal(app_recv(r, 0, 20), 20);
	assert_int_equal(app_recv(r, 20, 100), 30);
	assert_int_equal(app_recv(r, 50, 100), -EAGAIN);
	room_free(r);
}

static void what_came_before_a_reset_can_still_be_read(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = 50, .wnd = 65535);
	FEED(r, .seq = 51, .flags = TERN_RST);
	assert_int_equal(app_recv(r, 0, 100), 50);
	assert_int_equal(app_recv(r, 50, 100), -ECONNRESET);
	assert_int_equal(app_recv(r, 50, 100), 0);
	assert_null(traffic(r));
	room_free(r);
}

/* D20, G5: every allocation of a transfer fails once; the call says so, nothing else happens. */
static void each_allocation_may_fail(void **state)
{
	for (uint64_t nth = 1; nth < 12; nth++) {
		struct room *r = room_new((struct setup){ .mss = 1000, .sndbuf = 100000 });
		uint32_t sent = 0, at = 0;

		(void)state;
		r->mem.fail_in = nth;
		while (sent < 40000) {
			int64_t k = app_send(r, sent, 20000);

			assert_true(k > 0 || k == -ENOBUFS || k == -EAGAIN);
			sent += (uint32_t)TERN_MAX(k, 0);
			while (pull(r))
				if (r->tx.seg.len)
					assert_payload(r);
			FEED(r, .seq = 1 + at, .ack = r->c->snd.nxt - r->iss, .flags = TERN_ACK,
			     .len = 1000, .wnd = 65535);
			FEED(r, .seq = 2001 + at, .ack = r->c->snd.nxt - r->iss, .flags = TERN_ACK,
			     .len = 1000, .wnd = 65535);
			k = app_recv(r, at, 10000);
			assert_true(k > 0 || k == -EAGAIN);
			at += (uint32_t)TERN_MAX(k, 0);
		}
		room_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_that_was_never_open_is_not_connected),
		cmocka_unit_test(a_reset_is_told_once),
		cmocka_unit_test(a_side_that_was_shut_takes_no_more),
		cmocka_unit_test(bytes_written_while_connecting_leave_on_the_third_segment),
		cmocka_unit_test(a_send_that_fell_short_is_told_when_a_third_is_free),
		cmocka_unit_test(a_send_goes_beyond_the_buffer_by_less_than_a_chunk),
		cmocka_unit_test(what_sending_waits_for_is_timed),
		cmocka_unit_test(so_is_a_send_buffer_that_is_too_small),
		cmocka_unit_test(totals_of_bytes_go_on_beyond_32_bits),
		cmocka_unit_test(a_send_that_was_taken_whole_is_no_news),
		cmocka_unit_test(a_send_without_memory_waits_or_fails),
		cmocka_unit_test(the_send_buffer_follows_the_congestion_window),
		cmocka_unit_test(a_fixed_send_buffer_stays),
		cmocka_unit_test(peeking_leaves_the_bytes),
		cmocka_unit_test(what_came_before_a_reset_can_still_be_read),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
