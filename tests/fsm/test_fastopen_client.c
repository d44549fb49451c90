/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Open at the client: cookies asked for and kept, data in the SYN, what if not (RFC 7413). */
#include <errno.h>

#include "harness/puppet.h"

#define COOKIE "\x12\x34\x56\x78\x9a\xbc\xde\xf0"

static void new_socket(struct puppet *p)
{
	enum tern_family family = (enum tern_family)p->peer.addr.family;

	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, family, &p->id), 0);
}

/* connect(), which may leave the SYN to the first send(). Returns whether it does. */
static bool connects(struct puppet *p)
{
	struct tern_endpoint local;

	if (!p->id)
		new_socket(p);
	assert_int_equal(tern_stack_connect_fastopen(p->st, p->now, p->id, &p->peer), 0);
	assert_int_equal(tern_stack_local(p->st, p->id, &local), 0);
	p->us = local;
	return option(p, p->id, TERN_SO_FASTOPEN_DEFERRED);
}

/* The first send(): so much of n bytes goes with the SYN. */
static void sends(struct puppet *p, uint32_t n, uint32_t taken)
{
	static uint8_t data[70000];

	for (uint32_t i = 0; i < n; i++)
		data[i] = stream_byte(i);
	assert_int_equal(tern_stack_send(p->st, p->now, p->id, data, n, 0),
			 taken ? (int64_t)taken : -EINPROGRESS);
	p->written = taken;
	expect(p, .flags = IS(TERN_SYN), .len = IS(taken), .ack = IS(0));
}

/* The puppet's SYN-ACK acknowledges so much data, and says a cookie of so many bytes. */
static void is_answered(struct puppet *p, uint32_t acked, int cookie_len)
{
	p->fastopen = cookie_len >= 0;
	p->cookie_len = (uint8_t)(cookie_len > 0 ? cookie_len : 0);
	memcpy(p->cookie, COOKIE COOKIE, sizeof(p->cookie));
	say(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->irs + 1 + acked));
	p->fastopen = false;
}

static void forget(struct puppet *p)
{
	assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
	ignore(p);
	next_peer(p);
	p->peer.port--;
}

/* A client that knows the puppet's cookie. */
static struct puppet *knowing(enum kind k, uint8_t len)
{
	struct puppet *p = puppet_new(k);

	assert_false(connects(p));
	expect(p, .flags = IS(TERN_SYN), .len = IS(0));
	is_answered(p, 0, len);
	expect_ack(p);
	assert_state(p, TERN_ESTABLISHED);
	forget(p);
	return p;
}

static bool has_option(const struct puppet *p)
{
	return p->got.seg.opt.present & TERN_OPT_FASTOPEN;
}

static void assert_cookie(const struct puppet *p, uint8_t len)
{
	assert_true(has_option(p));
	assert_int_equal(p->got.seg.opt.fastopen_len, len);
	assert_memory_equal(p->got.seg.opt.fastopen, COOKIE COOKIE, len);
}

/* ---- the ordinary way ---- */

/* RFC7413:4.2c RFC7413:4.1.3 */
static void the_first_syn_asks_for_a_cookie_and_the_second_has_it(void **state)
{
	(void)state;
	for (enum kind k = ACTIVE4; k < KINDS; k += 2) {
		for (uint8_t len = 4; len <= 16; len += 2) {
			struct puppet *p = puppet_new(k);

			assert_false(connects(p));
			expect(p, .flags = IS(TERN_SYN), .len = IS(0));
			assert_true(has_option(p));
			assert_int_equal(p->got.seg.opt.fastopen_len, 0);
			assert_false(p->got.seg.opt.fastopen_exp);
			is_answered(p, 0, len);
			expect_ack(p);
			forget(p);
			assert_true(connects(p));
			expect_silence(p);
			sends(p, 100, 100);
			assert_cookie(p, len);
			is_answered(p, 100, -1);
			expect_ack(p);
			assert_state(p, TERN_ESTABLISHED);
			assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
			assert_int_equal(COUNT(p, TcpExtTCPFastOpenActive), 1);
			app_writes(p, 50);
			expect(p, .seq = IS(p->ack), .len = IS(50));
			done(p);
		}
	}
}

static void a_syn_holds_what_leaves_room_for_all_options(void **state)
{
	(void)state;
	for (uint32_t n = 1419; n <= 1421; n++) {
		struct puppet *p = knowing(ACTIVE4, 8);

		assert_true(connects(p));
		sends(p, n, TERN_MIN(n, 1420u));
		is_answered(p, TERN_MIN(n, 1420u), -1);
		expect_ack(p);
		done(p);
	}
}

/* RFC7413:4.1.3b */
static void a_syn_holds_no_more_than_the_server_said_it_takes(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	p->mss = 1000;
	assert_false(connects(p));
	expect(p, .flags = IS(TERN_SYN));
	is_answered(p, 0, 8);
	expect_ack(p);
	forget(p);
	assert_true(connects(p));
	sends(p, 2000, 960);
	done(p);
}

static void a_send_of_nothing_sends_a_syn_with_the_cookie(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 0, 0);
	assert_cookie(p, 8);
	is_answered(p, 0, -1);
	expect_ack(p);
	done(p);
}

static void data_with_the_syn_ack_can_be_read(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 100, 100);
	say(p, .flags = IS(TERN_SYN | TERN_ACK), .len = IS(30));
	expect_ack(p);
	app_reads(p, 30);
	done(p);
}

static void who_is_connected_without_data_waits_for_no_answer(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	assert_state(p, TERN_SYN_SENT);
	set_option(p, p->id, TERN_SO_KEEPALIVE, 1); /* nothing draws the SYN out */
	wait_ms(p, MINUTE);
	expect_silence(p);
	p->irs = 77;
	say(p, .flags = IS(TERN_SYN));
	assert_dropped(p, NO_SOCKET);
	say(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(1));
	assert_dropped(p, NO_SOCKET);
	expect_silence(p);
	p->seq = p->iss;
	sends(p, 10, 10);
	is_answered(p, 10, -1);
	expect_ack(p);
	done(p);
}

static void a_deferred_connection_that_is_closed_never_says_a_word(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	app_closes(p);
	expect_silence(p);
	done(p);
}

static void bytes_without_a_copy_go_with_the_syn(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);
	struct tern_room room;

	(void)state;
	assert_true(connects(p));
	assert_int_equal(tern_stack_reserve(p->st, p->now, p->id, 2000, &room, 1), 1);
	for (uint32_t i = 0; i < 2000; i++)
		((uint8_t *)room.ptr)[i] = stream_byte(i);
	assert_int_equal(tern_stack_commit(p->st, p->now, p->id, 2000, 0), 2000);
	expect(p, .flags = IS(TERN_SYN), .len = IS(1420));
	is_answered(p, 1420, -1);
	expect(p, .flags = IS(TERN_ACK), .seq = IS(p->irs + 1421), .len = IS(580));
	done(p);
}

/* ---- what else a server may say ---- */

/* RFC7413:4.2d */
static void data_that_the_syn_ack_leaves_out_goes_again_at_once(void **state)
{
	(void)state;
	for (uint32_t acked = 0; acked <= 100; acked += 50) {
		struct puppet *p = knowing(ACTIVE4, 8);

		assert_true(connects(p));
		sends(p, 100, 100);
		is_answered(p, acked, 8);
		if (acked < 100) {
			expect(p, .flags = IS(TERN_ACK), .seq = IS(p->irs + 1 + acked),
			       .ack = IS(p->seq), .len = IS(100 - acked));
			assert_int_equal(COUNT(p, TcpExtTCPFastOpenActiveFail), 1);
		} else {
			expect_ack(p);
		}
		expect_silence(p);
		say(p, .ack = IS(p->irs + 101));
		assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
		done(p);
	}
}

static void a_new_cookie_takes_the_place_of_the_old(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 100, 100);
	is_answered(p, 0, 12);
	expect(p, .len = IS(100));
	forget(p);
	assert_true(connects(p));
	sends(p, 10, 10);
	assert_cookie(p, 12);
	done(p);
}

static void a_cookie_that_was_not_asked_for_is_not_kept(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	open_active(p);
	assert_false(has_option(p));
	is_answered(p, 0, 8);
	expect_ack(p);
	forget(p);
	assert_false(connects(p));
	expect(p, .flags = IS(TERN_SYN));
	assert_int_equal(p->got.seg.opt.fastopen_len, 0);
	done(p);
}

static void the_experimental_form_is_tried_once_and_kept_where_it_works(void **state)
{
	(void)state;
	for (int works = 0; works < 2; works++) {
		struct puppet *p = knowing(ACTIVE4, 0); /* an empty answer is none */

		assert_false(connects(p));
		expect(p, .flags = IS(TERN_SYN));
		is_answered(p, 0, -1);
		expect_ack(p);
		forget(p);
		assert_false(connects(p));
		expect(p, .flags = IS(TERN_SYN));
		assert_true(has_option(p) && p->got.seg.opt.fastopen_exp);
		p->cookie_exp = works;
		is_answered(p, 0, works ? 8 : -1);
		expect_ack(p);
		forget(p);
		assert_int_equal(connects(p), works);
		if (works) {
			sends(p, 10, 10);
			assert_cookie(p, 8);
		} else {
			expect(p, .flags = IS(TERN_SYN));
		}
		assert_int_equal(p->got.seg.opt.fastopen_exp, works);
		done(p);
	}
}

/* ---- losses ---- */

static void a_syn_goes_again_without_option_and_data(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 100, 100);
	expect_after(p, 1000, .flags = IS(TERN_SYN), .seq = IS(p->irs), .len = IS(0));
	assert_false(has_option(p));
	is_answered(p, 0, -1);
	expect(p, .flags = IS(TERN_ACK), .seq = IS(p->irs + 1), .len = IS(100));
	expect_silence(p);
	say(p);
	assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
	done(p);
}

static void a_late_syn_ack_may_still_acknowledge_the_data(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 100, 100);
	expect_after(p, 1000, .flags = IS(TERN_SYN), .len = IS(0));
	is_answered(p, 100, -1);
	expect_ack(p);
	assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
	done(p);
}

static void an_ack_beyond_the_data_of_the_syn_is_refused(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 100, 100);
	is_answered(p, 101, -1);
	assert_dropped(p, TCP_INVALID_ACK_SEQUENCE);
	expect(p, .flags = IS(TERN_RST));
	assert_state(p, TERN_SYN_SENT);
	p->seq = p->iss;
	is_answered(p, 100, -1);
	expect_ack(p);
	done(p);
}

static void a_reset_for_the_syn_refuses_the_connection(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 100, 100);
	say(p, .flags = IS(TERN_RST | TERN_ACK));
	assert_int_equal(so_error(p), ECONNREFUSED);
	done(p);
}

static void a_simultaneous_open_sends_the_data_again(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	assert_true(connects(p));
	sends(p, 100, 100);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->irs), .len = IS(0));
	say(p, .ack = IS(p->irs + 1));
	assert_state(p, TERN_ESTABLISHED);
	wait_ms(p, 3000);
	expect(p, .seq = IS(p->irs + 1), .len = IS(100));
	done(p);
}

/* ---- who may ---- */

static void fast_open_is_off_where_the_knob_says_so(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	knob(p, "tcp_fastopen", "2");
	new_socket(p);
	assert_int_equal(tern_stack_connect_fastopen(p->st, p->now, p->id, &p->peer), -EOPNOTSUPP);
	done(p);
}

static void data_may_go_without_a_cookie(void **state)
{
	(void)state;
	for (int by_knob = 0; by_knob < 2; by_knob++) {
		struct puppet *p = puppet_new(ACTIVE4);

		new_socket(p);
		if (by_knob)
			knob(p, "tcp_fastopen", "5");
		else
			set_option(p, p->id, TERN_SO_FASTOPEN_NO_COOKIE, 1);
		assert_true(connects(p));
		sends(p, 100, 100);
		assert_false(has_option(p));
		is_answered(p, 100, -1);
		expect_ack(p);
		done(p);
	}
}

static void the_option_defers_the_syn_of_connect(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	new_socket(p);
	set_option(p, p->id, TERN_SO_FASTOPEN_CONNECT, 1);
	assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), 0);
	assert_int_equal(option(p, p->id, TERN_SO_FASTOPEN_DEFERRED), 1);
	expect_silence(p);
	assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), -EALREADY);
	assert_int_equal(tern_stack_option(p->st, p->now, p->id, TERN_SO_FASTOPEN_CONNECT, 1),
			 -EINVAL);
	done(p);
}

/* ---- black holes ---- */

/* A connection with data in its SYN that times out so often. */
static void times_out(struct puppet *p, int times)
{
	assert_true(connects(p));
	sends(p, 10, 10);
	for (int i = 0; i < times; i++)
		wait_ms(p, 1001);
	forget(p);
}

static void the_third_timeout_turns_fast_open_off_for_a_while_each_time_longer(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	knob(p, "tcp_fastopen_blackhole_timeout_sec", "100");
	knob(p, "tcp_syn_linear_timeouts", "10");
	times_out(p, 2);
	for (uint64_t s = 100; s <= 400; s *= 2) {
		times_out(p, 3);
		wait_ms(p, s * 1000 - 50);
		assert_false(connects(p));
		expect(p, .flags = IS(TERN_SYN), .len = IS(0));
		assert_false(has_option(p));
		forget(p);
		wait_ms(p, 50);
	}
	assert_int_equal(COUNT(p, TcpExtTCPFastOpenBlackhole), 3);
	/* Data that is received ends the row. */
	assert_true(connects(p));
	sends(p, 10, 10);
	is_answered(p, 10, -1);
	say(p, .len = IS(5));
	ignore(p);
	forget(p);
	times_out(p, 3);
	wait_ms(p, 100 * 1000);
	times_out(p, 1);
	done(p);
}

static void by_default_no_black_hole_is_seen(void **state)
{
	struct puppet *p = knowing(ACTIVE4, 8);

	(void)state;
	times_out(p, 3);
	assert_int_equal(COUNT(p, TcpExtTCPFastOpenBlackhole), 0);
	times_out(p, 1);
	done(p);
}

/* RFC7413:4.1.3.1 */
static void a_reset_or_a_fin_beyond_a_hole_hints_at_a_black_hole(void **state)
{
	(void)state;
	for (int fin = 0; fin < 2; fin++) {
		struct puppet *p = knowing(ACTIVE4, 8);

		knob(p, "tcp_fastopen_blackhole_timeout_sec", "100");
		assert_true(connects(p));
		sends(p, 10, 10);
		is_answered(p, 10, -1);
		say(p, .seq = IS(p->seq + 5),
		    .flags = IS(fin ? TERN_FIN | TERN_ACK : TERN_RST | TERN_ACK));
		ignore(p);
		forget(p);
		assert_int_equal(COUNT(p, TcpExtTCPFastOpenBlackhole), 1);
		assert_false(connects(p));
		expect(p, .flags = IS(TERN_SYN), .len = IS(0));
		done(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_syn_asks_for_a_cookie_and_the_second_has_it),
		cmocka_unit_test(a_syn_holds_what_leaves_room_for_all_options),
		cmocka_unit_test(a_syn_holds_no_more_than_the_server_said_it_takes),
		cmocka_unit_test(a_send_of_nothing_sends_a_syn_with_the_cookie),
		cmocka_unit_test(data_with_the_syn_ack_can_be_read),
		cmocka_unit_test(who_is_connected_without_data_waits_for_no_answer),
		cmocka_unit_test(a_deferred_connection_that_is_closed_never_says_a_word),
		cmocka_unit_test(bytes_without_a_copy_go_with_the_syn),
		cmocka_unit_test(data_that_the_syn_ack_leaves_out_goes_again_at_once),
		cmocka_unit_test(a_new_cookie_takes_the_place_of_the_old),
		cmocka_unit_test(a_cookie_that_was_not_asked_for_is_not_kept),
		cmocka_unit_test(the_experimental_form_is_tried_once_and_kept_where_it_works),
		cmocka_unit_test(a_syn_goes_again_without_option_and_data),
		cmocka_unit_test(a_late_syn_ack_may_still_acknowledge_the_data),
		cmocka_unit_test(an_ack_beyond_the_data_of_the_syn_is_refused),
		cmocka_unit_test(a_reset_for_the_syn_refuses_the_connection),
		cmocka_unit_test(a_simultaneous_open_sends_the_data_again),
		cmocka_unit_test(fast_open_is_off_where_the_knob_says_so),
		cmocka_unit_test(data_may_go_without_a_cookie),
		cmocka_unit_test(the_option_defers_the_syn_of_connect),
		cmocka_unit_test(
			the_third_timeout_turns_fast_open_off_for_a_while_each_time_longer),
		cmocka_unit_test(by_default_no_black_hole_is_seen),
		cmocka_unit_test(a_reset_or_a_fin_beyond_a_hole_hints_at_a_black_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
