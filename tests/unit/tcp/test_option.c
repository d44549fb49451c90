/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

/* What every option takes, and what it reads as. */
static const struct {
	enum tern_option option;
	int64_t standard, min, max;
} rows[] = {
	{ TERN_SO_NODELAY, 0, 0, 1 },
	{ TERN_SO_CORK, 0, 0, 1 },
	{ TERN_SO_QUICKACK, 1, 0, 1 },
	{ TERN_SO_KEEPALIVE, 0, 0, 1 },
	{ TERN_SO_KEEPIDLE, 7200, 1, 32767 },
	{ TERN_SO_KEEPINTVL, 75, 1, 32767 },
	{ TERN_SO_KEEPCNT, 9, 1, 127 },
	{ TERN_SO_USER_TIMEOUT, 0, 0, INT32_MAX },
	{ TERN_SO_SYNCNT, 6, 1, 127 },
	{ TERN_SO_LINGER, -1, -1, 65534 },
	{ TERN_SO_SNDBUF, 16384, 4608, INT32_MAX },
	{ TERN_SO_RCVBUF, 131072, 2304, INT32_MAX },
	{ TERN_SO_MAXSEG, 536, 88, 32767 },
	{ TERN_SO_TTL, 64, 1, 255 },
	{ TERN_SO_TOS, 0, 0, 255 },
	{ TERN_SO_REUSEADDR, 0, 0, 1 },
	{ TERN_SO_REUSEPORT, 0, 0, 1 },
	{ TERN_SO_V6ONLY, 0, 0, 1 },
	{ TERN_SO_OOBINLINE, 0, 0, 1 },
	{ TERN_SO_LINGER2, 0, -1, 120 },
};

static struct room *room_closed(void)
{
	struct setup s = { 0 };
	struct room *r = room_bare(&s);

	r->idx = tern_conn_new(&r->t, TERN_CLOSED);
	r->c = tern_conn_at(&r->t, r->idx);
	r->c->flags |= TERN_CF_OWNED;
	return r;
}

static int64_t get(struct room *r, enum tern_option option)
{
	int64_t value = INT64_MIN;

	assert_int_equal(tern_tcp_get_option(&r->t, r->idx, option, &value), 0);
	return value;
}

static int set(struct room *r, enum tern_option option, int64_t value)
{
	return tern_tcp_set_option(&r->t, r->idx, option, value);
}

static void options_read_as_they_were_set_and_range_as_they_say(void **state)
{
	struct room *r = room_closed();

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(rows); i++)
		assert_int_equal(get(r, rows[i].option), rows[i].standard);
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(rows); i++) {
		assert_int_equal(set(r, rows[i].option, rows[i].min), 0);
		assert_int_equal(get(r, rows[i].option), rows[i].min);
		assert_int_equal(set(r, rows[i].option, rows[i].max), 0);
		assert_int_equal(get(r, rows[i].option), rows[i].max);
		assert_int_equal(set(r, rows[i].option, rows[i].max + 1), -EINVAL);
		if (rows[i].option == TERN_SO_SNDBUF || rows[i].option == TERN_SO_RCVBUF) {
			assert_int_equal(set(r, rows[i].option, 1), 0); /* as Linux: raised */
			assert_int_equal(get(r, rows[i].option), rows[i].min);
			assert_int_equal(set(r, rows[i].option, 0), -EINVAL);
		} else {
			assert_int_equal(set(r, rows[i].option, rows[i].min - 1), -EINVAL);
			assert_int_equal(get(r, rows[i].option), rows[i].max);
		}
	}
	room_free(r);
}

static void what_can_only_be_read_cannot_be_set(void **state)
{
	static const enum tern_option options[] = { TERN_SO_ERROR, TERN_SO_SOFT_ERROR, TERN_SO_INQ,
						    TERN_SO_OUTQ, TERN_SO_STATE };
	struct room *r = room_closed();
	int64_t value = 7;

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(options); i++)
		assert_int_equal(set(r, options[i], 1), -ENOPROTOOPT);
	assert_int_equal(set(r, (enum tern_option)1000, 1), -ENOPROTOOPT);
	assert_int_equal(tern_tcp_get_option(&r->t, r->idx, (enum tern_option)1000, &value),
			 -ENOPROTOOPT);
	assert_int_equal(value, 7);
	room_free(r);
}

static void queues_and_state_are_told(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	assert_int_equal(get(r, TERN_SO_INQ), 0);
	assert_int_equal(get(r, TERN_SO_OUTQ), 0);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = 123, .wnd = 65535);
	app_send(r, 0, 456);
	assert_int_equal(get(r, TERN_SO_INQ), 123);
	assert_int_equal(get(r, TERN_SO_OUTQ), 456);
	assert_int_equal(get(r, TERN_SO_STATE), TERN_ESTABLISHED);
	assert_int_equal(get(r, TERN_SO_MAXSEG), 1000);
	room_free(r);
}

static void reading_an_error_clears_it(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	app_send(r, 0, 10);
	drain(r);
	tern_tcp_icmp(&r->t, r->idx, TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, 0, r->iss + 1);
	assert_int_equal(get(r, TERN_SO_SOFT_ERROR), EHOSTUNREACH);
	assert_int_equal(get(r, TERN_SO_SOFT_ERROR), 0);
	FEED(r, .seq = 1, .flags = TERN_RST);
	assert_int_equal(get(r, TERN_SO_ERROR), ECONNRESET);
	assert_int_equal(get(r, TERN_SO_ERROR), 0);
	room_free(r);
}

static void v6only_is_for_sockets_without_an_address(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	assert_int_equal(set(r, TERN_SO_V6ONLY, 1), -EINVAL);
	assert_int_equal(get(r, TERN_SO_V6ONLY), 0);
	room_free(r);
}

/* RFC9293:MUST-48 RFC9293:MUST-49 RFC9293:SHLD-21 RFC9293:SHLD-22 */
static void ttl_and_tos_stand_in_every_segment_from_then_on(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	set(r, TERN_SO_TTL, 17);
	set(r, TERN_SO_TOS, 0xb8);
	app_send(r, 0, 10);
	assert_true(pull(r));
	assert_int_equal(r->tx.ttl, 17);
	assert_int_equal(r->tx.tos, 0xb8);
	room_free(r);
}

static void maxseg_limits_what_both_sides_send(void **state)
{
	struct setup s = { .mss = 1460 };
	struct room *r = room_connecting(&s);

	(void)state;
	set(r, TERN_SO_MAXSEG, 700);
	assert_out(r, 0, 0, TERN_SYN);
	assert_int_equal(r->tx.seg.opt.mss, 700);
	FEED(r, .ack = 1, .flags = TERN_SYN | TERN_ACK, .wnd = 65535,
	     .opt = { .present = TERN_OPT_MSS, .mss = 1460 });
	assert_out(r, 1, 0, TERN_ACK);
	app_send(r, 0, 1000);
	assert_out(r, 1, 700, TERN_ACK);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_read_as_they_were_set_and_range_as_they_say),
		cmocka_unit_test(what_can_only_be_read_cannot_be_set),
		cmocka_unit_test(queues_and_state_are_told),
		cmocka_unit_test(reading_an_error_clears_it),
		cmocka_unit_test(v6only_is_for_sockets_without_an_address),
		cmocka_unit_test(ttl_and_tos_stand_in_every_segment_from_then_on),
		cmocka_unit_test(maxseg_limits_what_both_sides_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
