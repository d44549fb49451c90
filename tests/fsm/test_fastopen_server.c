/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Open at the server: cookies, early children, their end, the limit (RFC 7413). */
#include <errno.h>

#include "harness/puppet.h"

#define KEY  "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"
#define KEY2 "00000001-00000002-00000003-00000004"

static const uint32_t key[4] = { 0xa1a1a1a1, 0xb2b2b2b2, 0xc3c3c3c3, 0xd4d4d4d4 };
static const uint32_t key2[4] = { 1, 2, 3, 4 };

static void cookie_under(const struct puppet *p, const uint32_t *k, uint8_t *ret)
{
	struct tern_flow flow = { .local = p->us.addr, .remote = p->peer.addr };

	tern_fastopen_cookie(k, &flow, ret);
}

/* The puppet's SYNs carry the cookie that it should have. */
static void has_cookie(struct puppet *p, const uint32_t *k)
{
	p->fastopen = true;
	p->cookie_len = TERN_FASTOPEN_COOKIE;
	cookie_under(p, k, p->cookie);
}

/* A listener that takes so many early children. */
static struct puppet *listening(enum kind k, int64_t max)
{
	struct puppet *p = puppet_new(k);

	knob(p, "tcp_fastopen", "3");
	knob(p, "tcp_fastopen_key", KEY);
	open_listener(p, 64);
	set_option(p, p->listener, TERN_SO_FASTOPEN, max);
	has_cookie(p, key);
	return p;
}

/* A SYN with data is answered at once, and both are acknowledged. */
static void opens_early(struct puppet *p, uint32_t len)
{
	say(p, .flags = IS(TERN_SYN), .len = IS(len));
	assert_taken(p);
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 1 + len), .len = IS(0));
	assert_false(p->got.seg.opt.present & TERN_OPT_FASTOPEN);
}

/* … or is not: only the SYN is, and the data comes again. */
static void opens_late(struct puppet *p, uint32_t len)
{
	uint64_t before = COUNT(p, TcpPassiveOpens);

	say(p, .flags = IS(TERN_SYN), .len = IS(len));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 1), .len = IS(0));
	assert_int_equal(COUNT(p, TcpPassiveOpens), before);
	p->seq = p->iss + 1;
}

static bool has_option(const struct puppet *p)
{
	return p->got.seg.opt.present & TERN_OPT_FASTOPEN;
}

static void assert_cookie(const struct puppet *p, const uint32_t *k)
{
	uint8_t cookie[TERN_FASTOPEN_COOKIE];

	cookie_under(p, k, cookie);
	assert_true(has_option(p));
	assert_int_equal(p->got.seg.opt.fastopen_len, TERN_FASTOPEN_COOKIE);
	assert_memory_equal(p->got.seg.opt.fastopen, cookie, TERN_FASTOPEN_COOKIE);
	assert_int_equal(p->got.seg.opt.fastopen_exp, p->cookie_exp);
}

/* ---- the way of an early child ---- */

static void data_of_a_syn_with_a_cookie_can_be_read_before_the_handshake_is_done(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = listening(k, 5);

		opens_early(p, 10);
		assert_state(p, TERN_SYN_RECEIVED);
		app_accepts(p);
		assert_int_equal(events(p) & TERN_EV_READABLE, TERN_EV_READABLE);
		app_reads(p, 10);
		assert_int_equal(app_recv(p), -EAGAIN);
		say(p);
		assert_state(p, TERN_ESTABLISHED);
		assert_int_equal(app_recv(p), -EAGAIN);
		assert_int_equal(COUNT(p, TcpExtTCPFastOpenPassive), 1);
		assert_int_equal(COUNT(p, TcpPassiveOpens), 1);
		done(p);
	}
}

static void an_early_child_answers_before_the_handshake_is_done(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	app_accepts(p);
	app_reads(p, 10);
	app_writes(p, 4000);
	expect(p, .flags = IS(TERN_ACK), .seq = IS(p->irs + 1), .ack = IS(p->seq), .len = IS(1448));
	expect(p, .flags = IS(TERN_ACK), .len = IS(1448));
	expect(p, .flags = IS(TERN_ACK), .len = IS(4000 - 2 * 1448));
	expect_silence(p);
	assert_state(p, TERN_SYN_RECEIVED);
	say(p); /* of all */
	assert_state(p, TERN_ESTABLISHED);
	expect_silence(p);
	assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
	done(p);
}

static void one_byte_more_than_fits_still_leaves(void **state)
{
	(void)state;
	for (uint32_t n = 1447; n <= 1449; n++) {
		struct puppet *p = listening(PASSIVE4, 5);

		opens_early(p, 10);
		app_accepts(p);
		set_option(p, p->id, TERN_SO_NODELAY, 1);
		app_reads(p, 10);
		app_writes(p, n);
		expect(p, .len = IS(n < 1448 ? n : 1448));
		if (n > 1448)
			expect(p, .len = IS(1));
		expect_silence(p);
		done(p);
	}
}

static void an_early_child_writes_no_more_than_the_window_of_the_syn(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	p->window = 1000;
	opens_early(p, 10);
	app_accepts(p);
	app_writes(p, 3000);
	expect(p, .len = IS(1000));
	expect_silence(p);
	p->window = 60000;
	say(p);
	expect(p, .len = IS(1448));
	expect(p, .len = IS(552));
	done(p);
}

static void an_early_child_without_data_is_one_too(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 0);
	app_accepts(p);
	assert_int_equal(app_recv(p), -EAGAIN);
	app_writes(p, 5);
	expect(p, .flags = IS(TERN_ACK), .len = IS(5));
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

static void the_last_ack_of_the_handshake_may_carry_data_and_fin(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	say(p, .flags = IS(TERN_ACK | TERN_FIN | TERN_PSH), .len = IS(20));
	expect_ack(p);
	assert_state(p, TERN_CLOSE_WAIT);
	app_accepts(p);
	app_reads(p, 30);
	assert_int_equal(app_recv(p), 0);
	done(p);
}

static void the_same_syn_again_gets_the_same_syn_ack(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	wait_ms(p, 900);
	say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss), .len = IS(10));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->irs), .ack = IS(p->seq));
	app_accepts(p);
	app_reads(p, 10);
	assert_int_equal(app_recv(p), -EAGAIN); /* once */
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

static void a_syn_ack_that_nobody_answers_goes_again_and_at_last_the_child_goes(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);
	int64_t since_ms = 0;

	(void)state;
	knob(p, "tcp_synack_retries", "2");
	opens_early(p, 10);
	app_accepts(p);
	app_writes(p, 100);
	expect(p, .len = IS(100));
	events(p);
	for (uint64_t ms = 1000; ms <= 4000; ms *= 2, since_ms++)
		expect_after(p, ms, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq),
			     .len = IS(0));
	assert_int_equal(since_ms, 3); /* one more than an ordinary one */
	wait_ms(p, 8 * SECOND + 10);
	expect_silence(p);
	assert_state(p, TERN_CLOSED);
	app_reads(p, 10);
	assert_int_equal(app_recv(p), -ETIMEDOUT);
	done(p);
}

static void a_lost_first_answer_is_sent_again_after_the_handshake(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	app_accepts(p);
	app_writes(p, 100);
	expect(p, .len = IS(100));
	say(p, .ack = IS(p->irs + 1));
	assert_state(p, TERN_ESTABLISHED);
	wait_ms(p, 1100);
	expect(p, .seq = IS(p->irs + 1), .len = IS(100));
	done(p);
}

/* ---- how early children end ---- */

static void close_before_the_ack_sends_fin_at_once(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	app_accepts(p);
	app_reads(p, 10);
	app_writes(p, 100);
	expect(p, .len = IS(100));
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->irs + 101), .ack = IS(p->seq));
	say(p, .ack = IS(p->irs + 1));
	assert_state(p, TERN_FIN_WAIT_1);
	say(p, .ack = IS(p->irs + 102));
	assert_state(p, TERN_FIN_WAIT_2);
	done(p);
}

static void unread_data_of_the_syn_makes_close_a_reset(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	app_accepts(p);
	app_closes(p);
	expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->irs + 1), .ack = IS(p->seq));
	assert_state(p, TERN_LISTEN);
	done(p);
}

static void a_listener_that_closes_resets_early_children(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->irs + 1), .ack = IS(p->seq));
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void an_accepted_early_child_outlives_its_listener(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	app_accepts(p);
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	expect_silence(p);
	say(p);
	assert_state(p, TERN_ESTABLISHED);
	app_reads(p, 10);
	done(p);
}

static void a_reset_before_accept_leaves_data_and_error(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	say(p, .flags = IS(TERN_RST));
	assert_dropped(p, TCP_RESET);
	app_accepts(p);
	assert_int_equal(option(p, p->id, TERN_SO_STATE), TERN_CLOSED);
	app_reads(p, 10);
	assert_int_equal(app_recv(p), -ECONNRESET);
	done(p);
}

static void a_reset_after_accept_is_told(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	opens_early(p, 10);
	app_accepts(p);
	events(p);
	say(p, .flags = IS(TERN_RST | TERN_ACK));
	assert_int_equal(events(p) & TERN_EV_ERROR, TERN_EV_ERROR);
	assert_int_equal(so_error(p), ECONNRESET);
	done(p);
}

static void an_icmp_error_ends_an_early_child_unless_it_was_accepted(void **state)
{
	(void)state;
	for (int accepted = 0; accepted < 2; accepted++) {
		struct puppet *p = listening(PASSIVE4, 5);

		opens_early(p, 10);
		if (accepted)
			app_accepts(p);
		say_icmp(p, TERN_ICMP4_UNREACH, 1, 0, p->irs);
		if (!accepted)
			app_accepts(p);
		assert_int_equal(option(p, p->id, TERN_SO_STATE),
				 accepted ? TERN_SYN_RECEIVED : TERN_CLOSED);
		app_reads(p, 10);
		assert_int_equal(app_recv(p), accepted ? -EAGAIN : -EHOSTUNREACH);
		done(p);
	}
}

/* ---- cookies ---- */

static void a_request_gets_a_cookie_that_is_good(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = listening(k, 5);

		p->cookie_len = 0;
		opens_late(p, 10); /* data of a request is not taken */
		assert_cookie(p, key);
		assert_int_equal(COUNT(p, TcpExtTCPFastOpenCookieReqd), 1);
		wait_ms(p, 1005);
		expect(p, .flags = IS(TERN_SYN | TERN_ACK));
		assert_false(has_option(p)); /* once: a middlebox may be to blame */
		p->cookie_len = 8;
		next_peer(p);
		opens_early(p, 10);
		done(p);
	}
}

/* RFC7413:4.2a */
static void a_wrong_cookie_gets_the_right_one_and_a_late_handshake(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TERN_FASTOPEN_COOKIE; i++) {
		struct puppet *p = listening(PASSIVE4, 5);

		p->cookie[i] ^= 0x80;
		opens_late(p, 10);
		assert_cookie(p, key);
		assert_int_equal(COUNT(p, TcpExtTCPFastOpenPassiveFail), 1);
		say(p);
		app_accepts(p);
		say(p, .flags = IS(TERN_ACK | TERN_PSH), .len = IS(10));
		app_reads(p, 10);
		done(p);
	}
}

static void a_cookie_of_another_length_is_wrong(void **state)
{
	(void)state;
	for (uint8_t len = 4; len <= 16; len += 2) {
		struct puppet *p = listening(PASSIVE4, 5);

		p->cookie_len = len;
		if (len == 8) {
			opens_early(p, 10);
		} else {
			opens_late(p, 10);
			assert_cookie(p, key);
		}
		done(p);
	}
}

/* RFC7413:4.1.2 */
static void a_cookie_of_another_address_is_wrong(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	p->peer.addr.b[3] ^= 4;
	opens_late(p, 10);
	assert_cookie(p, key);
	done(p);
}

static void a_cookie_under_the_second_key_is_taken_and_renewed(void **state)
{
	(void)state;
	for (int exp = 0; exp < 2; exp++) {
		struct puppet *p = listening(PASSIVE4, 5);

		knob(p, "tcp_fastopen_key", KEY2 "," KEY);
		p->cookie_exp = exp;
		say(p, .flags = IS(TERN_SYN), .len = IS(10));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 11));
		assert_cookie(p, key2);
		assert_int_equal(COUNT(p, TcpExtTCPFastOpenPassiveAltKey), 1);
		done(p);
	}
}

static void the_experimental_form_is_answered_in_kind(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	p->cookie_exp = true;
	p->cookie_len = 0;
	opens_late(p, 10);
	assert_cookie(p, key);
	p->cookie_len = 8;
	next_peer(p);
	opens_early(p, 10);
	done(p);
}

static void a_listener_may_have_keys_of_its_own(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);
	uint8_t keys[40], bytes[32] = { [0] = 1, [4] = 2, [8] = 3, [12] = 4 };

	(void)state;
	memset(bytes + 16, 0xa1, 4);
	memset(bytes + 20, 0xb2, 4);
	memset(bytes + 24, 0xc3, 4);
	memset(bytes + 28, 0xd4, 4);
	assert_int_equal(tern_stack_get_fastopen_key(p->st, p->now, p->listener, keys, 40), 16);
	assert_memory_equal(keys, bytes + 16, 16); /* the knob's */
	assert_int_equal(tern_stack_fastopen_key(p->st, p->now, p->listener, bytes, 15), -EINVAL);
	assert_int_equal(tern_stack_fastopen_key(p->st, p->now, p->listener, bytes, 16), 0);
	opens_late(p, 10);
	assert_cookie(p, key2);
	next_peer(p);
	assert_int_equal(tern_stack_fastopen_key(p->st, p->now, p->listener, bytes, 32), 0);
	assert_int_equal(tern_stack_get_fastopen_key(p->st, p->now, p->listener, keys, 40), 32);
	assert_memory_equal(keys, bytes, 32);
	assert_int_equal(tern_stack_get_fastopen_key(p->st, p->now, p->listener, keys, 20), 20);
	say(p, .flags = IS(TERN_SYN), .len = IS(10));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 11));
	assert_cookie(p, key2); /* ours was under the second */
	done(p);
}

static void without_a_key_one_is_drawn(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_fastopen", "3");
	open_listener(p, 8);
	set_option(p, p->listener, TERN_SO_FASTOPEN, 5);
	p->fastopen = true;
	opens_late(p, 0);
	assert_true(has_option(p));
	memcpy(p->cookie, p->got.seg.opt.fastopen, 8);
	p->cookie_len = 8;
	next_peer(p);
	opens_early(p, 10);
	done(p);
}

/* ---- who takes it ---- */

/* RFC7413:2.1 */
static void fast_open_is_off_unless_knob_and_option_say_so(void **state)
{
	static const struct {
		const char *mask;
		int64_t max;
		bool cookie, early;
	} cases[] = {
		{ "1", 5, true, false },      { "3", 0, true, false },
		{ "3", 5, true, true },       { "2", 1, true, true },
		{ "3", 5, false, false },     { "0x203", 5, false, true },
		{ "0x203", 0, false, false }, { "0x200", 5, false, false },
	};

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct puppet *p = listening(PASSIVE4, cases[i].max);

		knob(p, "tcp_fastopen", cases[i].mask);
		p->fastopen = cases[i].cookie;
		if (cases[i].early) {
			opens_early(p, 10);
		} else {
			opens_late(p, 10);
			assert_false(has_option(p));
		}
		done(p);
	}
}

static void a_bit_of_the_knob_opens_every_listener_as_far_as_its_backlog(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_fastopen", "0x403");
	knob(p, "tcp_fastopen_key", KEY);
	open_listener(p, 8);
	assert_int_equal(option(p, p->listener, TERN_SO_FASTOPEN), 8);
	has_cookie(p, key);
	opens_early(p, 10);
	done(p);
}

static void a_listener_may_do_without_cookies(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	set_option(p, p->listener, TERN_SO_FASTOPEN_NO_COOKIE, 1);
	p->fastopen = false;
	opens_early(p, 10);
	done(p);
}

static void data_of_a_syn_without_fast_open_comes_again(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = puppet_new(k);

		open_listener(p, 8);
		opens_late(p, 10);
		say(p, .flags = IS(TERN_ACK | TERN_PSH), .len = IS(10));
		app_accepts(p);
		app_reads(p, 10);
		assert_int_equal(app_recv(p), -EAGAIN);
		done(p);
	}
}

static void the_option_has_a_range(void **state)
{
	struct puppet *p = listening(PASSIVE4, 5);

	(void)state;
	assert_int_equal(option(p, p->listener, TERN_SO_FASTOPEN), 5);
	set_option(p, p->listener, TERN_SO_FASTOPEN, INT32_MAX);
	assert_int_equal(option(p, p->listener, TERN_SO_FASTOPEN), 4096); /* somaxconn */
	assert_int_equal(tern_stack_option(p->st, p->now, p->listener, TERN_SO_FASTOPEN, -1),
			 -EINVAL);
	opens_early(p, 10);
	app_accepts(p);
	assert_int_equal(tern_stack_option(p->st, p->now, p->id, TERN_SO_FASTOPEN, 1), -EINVAL);
	assert_int_equal(option(p, p->id, TERN_SO_FASTOPEN), 0);
	done(p);
}

/* ---- the limit ---- */

/* RFC7413:4.2b */
static void so_many_early_children_and_no_more(void **state)
{
	(void)state;
	for (int64_t max = 1; max <= 3; max++) {
		struct puppet *p = listening(PASSIVE4, max);

		for (int64_t i = 0; i < max; i++) {
			opens_early(p, 10);
			next_peer(p);
		}
		opens_late(p, 10);
		assert_false(has_option(p)); /* no cookie is looked at or made */
		assert_int_equal(COUNT(p, TcpExtTCPFastOpenListenOverflow), 1);
		done(p);
	}
}

static void a_complete_handshake_makes_room_for_another(void **state)
{
	struct puppet *p = listening(PASSIVE4, 1);

	(void)state;
	for (int i = 0; i < 3; i++) {
		opens_early(p, 10);
		say(p);
		next_peer(p);
	}
	assert_int_equal(COUNT(p, TcpExtTCPFastOpenListenOverflow), 0);
	done(p);
}

/* RFC7413:5.1 */
static void a_child_that_was_reset_after_accept_counts_for_a_minute(void **state)
{
	struct puppet *p = listening(PASSIVE4, 1);

	(void)state;
	opens_early(p, 10);
	app_accepts(p);
	say(p, .flags = IS(TERN_RST));
	app_closes(p);
	next_peer(p);
	wait_ms(p, 59990);
	opens_late(p, 10);
	next_peer(p);
	wait_ms(p, 20);
	ignore(p);
	opens_early(p, 10);
	done(p);
}

static void more_resets_than_are_told_apart_count_all_the_same(void **state)
{
	struct puppet *p = listening(PASSIVE4, 40);

	(void)state;
	for (int i = 0; i < 40; i++) {
		opens_early(p, 10);
		app_accepts(p);
		say(p, .flags = IS(TERN_RST));
		app_closes(p);
		next_peer(p);
		wait_ms(p, 10);
	}
	opens_late(p, 0);
	next_peer(p);
	wait_ms(p, MINUTE);
	ignore(p);
	for (int i = 0; i < 40; i++) {
		opens_early(p, 10);
		next_peer(p);
	}
	opens_late(p, 10);
	done(p);
}

static void a_child_that_was_reset_before_accept_counts_in_the_accept_queue_alone(void **state)
{
	struct puppet *p = listening(PASSIVE4, 1);

	(void)state;
	opens_early(p, 10);
	say(p, .flags = IS(TERN_RST));
	next_peer(p);
	opens_early(p, 10);
	done(p);
}

static void a_full_accept_queue_takes_no_early_child(void **state)
{
	struct puppet *p = listening(PASSIVE4, 100);

	(void)state;
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, 8), 0);
	for (int i = 0; i < 9; i++) {
		opens_early(p, 10);
		next_peer(p);
	}
	say(p, .flags = IS(TERN_SYN), .len = IS(10));
	assert_dropped(p, TCP_LISTEN_OVERFLOW);
	expect_silence(p);
	done(p);
}

static void without_memory_the_handshake_is_an_ordinary_one(void **state)
{
	struct tern_config cfg = puppet_config();
	struct puppet *p;

	(void)state;
	cfg.conns_max = 2; /* the listener, and one more */
	p = puppet_new_cfg(PASSIVE4, &cfg);
	knob(p, "tcp_fastopen", "3");
	knob(p, "tcp_fastopen_key", KEY);
	open_listener(p, 8);
	set_option(p, p->listener, TERN_SO_FASTOPEN, 5);
	has_cookie(p, key);
	opens_early(p, 10);
	next_peer(p);
	say(p, .flags = IS(TERN_SYN), .len = IS(10));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 1));
	assert_cookie(p, key); /* it was right */
	assert_int_equal(COUNT(p, TcpExtTCPFastOpenPassiveFail), 1);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			data_of_a_syn_with_a_cookie_can_be_read_before_the_handshake_is_done),
		cmocka_unit_test(an_early_child_answers_before_the_handshake_is_done),
		cmocka_unit_test(one_byte_more_than_fits_still_leaves),
		cmocka_unit_test(an_early_child_writes_no_more_than_the_window_of_the_syn),
		cmocka_unit_test(an_early_child_without_data_is_one_too),
		cmocka_unit_test(the_last_ack_of_the_handshake_may_carry_data_and_fin),
		cmocka_unit_test(the_same_syn_again_gets_the_same_syn_ack),
		cmocka_unit_test(
			a_syn_ack_that_nobody_answers_goes_again_and_at_last_the_child_goes),
		cmocka_unit_test(a_lost_first_answer_is_sent_again_after_the_handshake),
		cmocka_unit_test(close_before_the_ack_sends_fin_at_once),
		cmocka_unit_test(unread_data_of_the_syn_makes_close_a_reset),
		cmocka_unit_test(a_listener_that_closes_resets_early_children),
		cmocka_unit_test(an_accepted_early_child_outlives_its_listener),
		cmocka_unit_test(a_reset_before_accept_leaves_data_and_error),
		cmocka_unit_test(a_reset_after_accept_is_told),
		cmocka_unit_test(an_icmp_error_ends_an_early_child_unless_it_was_accepted),
		cmocka_unit_test(a_request_gets_a_cookie_that_is_good),
		cmocka_unit_test(a_wrong_cookie_gets_the_right_one_and_a_late_handshake),
		cmocka_unit_test(a_cookie_of_another_length_is_wrong),
		cmocka_unit_test(a_cookie_of_another_address_is_wrong),
		cmocka_unit_test(a_cookie_under_the_second_key_is_taken_and_renewed),
		cmocka_unit_test(the_experimental_form_is_answered_in_kind),
		cmocka_unit_test(a_listener_may_have_keys_of_its_own),
		cmocka_unit_test(without_a_key_one_is_drawn),
		cmocka_unit_test(fast_open_is_off_unless_knob_and_option_say_so),
		cmocka_unit_test(a_bit_of_the_knob_opens_every_listener_as_far_as_its_backlog),
		cmocka_unit_test(a_listener_may_do_without_cookies),
		cmocka_unit_test(data_of_a_syn_without_fast_open_comes_again),
		cmocka_unit_test(the_option_has_a_range),
		cmocka_unit_test(so_many_early_children_and_no_more),
		cmocka_unit_test(a_complete_handshake_makes_room_for_another),
		cmocka_unit_test(a_child_that_was_reset_after_accept_counts_for_a_minute),
		cmocka_unit_test(more_resets_than_are_told_apart_count_all_the_same),
		cmocka_unit_test(
			a_child_that_was_reset_before_accept_counts_in_the_accept_queue_alone),
		cmocka_unit_test(a_full_accept_queue_takes_no_early_child),
		cmocka_unit_test(without_memory_the_handshake_is_an_ordinary_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
