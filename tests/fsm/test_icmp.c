/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors about our segments (RFC 9293 §3.9.2.2, RFC 5927): believed, soft, or ignored. */
#include <errno.h>

#include "harness/puppet.h"

struct error {
	uint8_t type, code;
	int error; /* what the application learns in the end */
};

static const struct error errors4[] = {
	{ TERN_ICMP4_UNREACH, TERN_ICMP4_NET, ENETUNREACH },
	{ TERN_ICMP4_UNREACH, TERN_ICMP4_HOST, EHOSTUNREACH },
	{ TERN_ICMP4_UNREACH, TERN_ICMP4_PROTO, ENOPROTOOPT },
	{ TERN_ICMP4_UNREACH, TERN_ICMP4_PORT, ECONNREFUSED },
	{ TERN_ICMP4_UNREACH, 5, EOPNOTSUPP },
	{ TERN_ICMP4_TIME_EXCEEDED, 0, EHOSTUNREACH },
	{ TERN_ICMP4_TIME_EXCEEDED, 1, EHOSTUNREACH },
	{ TERN_ICMP4_PARAM_PROBLEM, 0, EPROTO },
};

static const struct error errors6[] = {
	{ TERN_ICMP6_UNREACH, TERN_ICMP6_NO_ROUTE, ENETUNREACH },
	{ TERN_ICMP6_UNREACH, TERN_ICMP6_ADDRESS, EHOSTUNREACH },
	{ TERN_ICMP6_UNREACH, TERN_ICMP6_PORT, ECONNREFUSED },
	{ TERN_ICMP6_TIME_EXCEEDED, 0, EHOSTUNREACH },
	{ TERN_ICMP6_PARAM_PROBLEM, TERN_ICMP6_BAD_FIELD, EPROTO },
	{ TERN_ICMP6_PARAM_PROBLEM, TERN_ICMP6_UNKNOWN_NEXT, EPROTO },
	{ TERN_ICMP6_PARAM_PROBLEM, TERN_ICMP6_UNKNOWN_OPTION, EPROTO },
};

/* RFC9293:SHLD-26 */
static void every_error_ends_syn_sent(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const struct error *list = v6 ? errors6 : errors4;
		size_t n = v6 ? TERN_ARRAY_SIZE(errors6) : TERN_ARRAY_SIZE(errors4);

		for (size_t i = 0; i < n; i++) {
			struct puppet *p = in_state(TERN_SYN_SENT, v6 ? ACTIVE6 : ACTIVE4);

			say_icmp(p, list[i].type, list[i].code, 0, p->irs);
			assert_taken(p);
			expect_silence(p);
			assert_state(p, TERN_CLOSED);
			assert_true(events(p) & TERN_EV_ERROR);
			assert_int_equal(so_error(p), list[i].error);
			done(p);
		}
	}
}

/* RFC9293:MUST-47 RFC9293:MUST-54 RFC9293:MUST-56 RFC9293:SHLD-25 RFC9293:U-2 */
static void no_error_ends_a_synchronized_connection(void **state)
{
	static const enum tern_state standing[] = { TERN_ESTABLISHED, TERN_FIN_WAIT_1,
						    TERN_CLOSE_WAIT, TERN_LAST_ACK };

	(void)state;
	FOR_EACH_KIND(k)
	{
		const struct error *list = k >= PASSIVE6 ? errors6 : errors4;
		size_t n = k >= PASSIVE6 ? TERN_ARRAY_SIZE(errors6) : TERN_ARRAY_SIZE(errors4);

		for (size_t i = 0; i < n; i++) {
			struct puppet *p = in_state(standing[i % 4], k);
			bool fin = i % 2;

			if (!fin) {
				app_writes(p, 10);
				ignore(p);
			}
			say_icmp(p, list[i].type, list[i].code, 0, fin ? p->ack - 1 : p->ack);
			assert_taken(p);
			expect_silence(p);
			assert_state(p, standing[i % 4]);
			assert_int_equal(so_error(p), 0);
			assert_true(events(p) & TERN_EV_REPORT);
			assert_int_equal(option(p, p->id, TERN_SO_SOFT_ERROR), list[i].error);
			assert_int_equal(option(p, p->id, TERN_SO_SOFT_ERROR), 0);
			done(p);
		}
	}
}

static void an_error_about_what_is_not_in_flight_is_ignored(void **state)
{
	(void)state;
	for (int d = -1; d <= 2; d++) {
		struct puppet *p = in_state(TERN_SYN_SENT, ACTIVE4);
		uint32_t seq = p->irs + (uint32_t)d;

		say_icmp(p, TERN_ICMP4_UNREACH, TERN_ICMP4_PORT, 0, seq);
		assert_state(p, d ? TERN_SYN_SENT : TERN_CLOSED);
		assert_int_equal(COUNT(p, TcpExtOutOfWindowIcmps), d != 0);
		done(p);
	}
	for (int d = -1; d <= 1; d++) {
		struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
		uint32_t una = p->ack;

		app_writes(p, 10);
		ignore(p);
		say_icmp(p, TERN_ICMP4_UNREACH, TERN_ICMP4_HOST, 0, una + (uint32_t)(d * 10));
		assert_int_equal(option(p, p->id, TERN_SO_SOFT_ERROR), d ? 0 : EHOSTUNREACH);
		assert_int_equal(COUNT(p, TcpExtOutOfWindowIcmps), d != 0);
		done(p);
	}
}

/* Is it one of those that MUST-56 counts up? */
static bool is_soft(const struct error *e, bool v6)
{
	if (v6)
		return e->type != TERN_ICMP6_UNREACH || e->code == TERN_ICMP6_NO_ROUTE ||
		       e->code == TERN_ICMP6_ADDRESS;
	return e->type != TERN_ICMP4_UNREACH || e->code == TERN_ICMP4_NET ||
	       e->code == TERN_ICMP4_HOST || e->code == 5;
}

/* RFC9293:MUST-56 RFC9293:SHLD-25 RFC9293:SHLD-26 */
static void soft_errors_end_no_open_under_way_if_the_knob_says_so(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		bool v6 = k >= PASSIVE6;
		const struct error *list = v6 ? errors6 : errors4;
		size_t n = v6 ? TERN_ARRAY_SIZE(errors6) : TERN_ARRAY_SIZE(errors4);

		for (size_t i = 0; i < n; i++) {
			struct puppet *p = puppet_new(k);
			enum tern_state before = is_active(k) ? TERN_SYN_SENT : TERN_SYN_RECEIVED;
			enum tern_state after = is_active(k) ? TERN_CLOSED : TERN_LISTEN;
			bool soft = is_soft(&list[i], v6);

			knob(p, "tern_soft_errors", "1");
			bring_to(p, before);
			say_icmp(p, list[i].type, list[i].code, 0, p->irs);
			assert_taken(p);
			expect_silence(p);
			assert_state(p, soft ? before : after);
			if (is_active(k) && soft) {
				assert_true(events(p) & TERN_EV_REPORT);
				assert_int_equal(so_error(p), 0);
				assert_int_equal(option(p, p->id, TERN_SO_SOFT_ERROR),
						 list[i].error);
				say(p, .flags = IS(TERN_SYN | TERN_ACK));
				expect_ack(p);
				assert_state(p, TERN_ESTABLISHED);
			}
			done(p);
		}
	}
}

/* RFC9293:SHLD-26 */
static void hard_errors_end_a_half_open_connection(void **state)
{
	struct puppet *p = in_state(TERN_SYN_RECEIVED, PASSIVE4);

	(void)state;
	say_icmp(p, TERN_ICMP4_UNREACH, TERN_ICMP4_PORT, 0, p->irs + 1);
	assert_state(p, TERN_SYN_RECEIVED);
	say_icmp(p, TERN_ICMP4_UNREACH, TERN_ICMP4_HOST, 0, p->irs);
	assert_state(p, TERN_SYN_RECEIVED);
	say_icmp(p, TERN_ICMP4_UNREACH, TERN_ICMP4_PORT, 0, p->irs);
	assert_state(p, TERN_LISTEN);
	done(p);
}

static void an_error_about_no_connection_is_dropped(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	say_icmp(p, TERN_ICMP4_UNREACH, TERN_ICMP4_PORT, 0, 1);
	assert_dropped(p, NO_SOCKET);
	expect_silence(p);
	done(p);
}

/* RFC9293:MUST-55 */
static void source_quench_is_ignored(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	app_writes(p, 10);
	ignore(p);
	say_icmp(p, TERN_ICMP4_SOURCE_QUENCH, 0, 0, p->ack);
	assert_dropped(p, INVALID_PROTO);
	expect_silence(p);
	assert_state(p, TERN_ESTABLISHED);
	assert_int_equal(option(p, p->id, TERN_SO_SOFT_ERROR), 0);
	done(p);
}

/* ---- too big ---- */

static void say_too_big(struct puppet *p, uint32_t mtu, uint32_t seq)
{
	if (p->us.addr.family == TERN_INET6)
		say_icmp(p, TERN_ICMP6_TOO_BIG, 0, mtu, seq);
	else
		say_icmp(p, TERN_ICMP4_UNREACH, TERN_ICMP4_FRAG_NEEDED, mtu, seq);
}

static void too_big_lowers_the_segment_size_and_sends_again_at_once(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		const uint32_t headers = (k < PASSIVE6 ? 20 : 40) + 20 + 12;
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		uint32_t una = p->ack, sent = 0;

		app_writes(p, 2500);
		ignore(p); /* too big for some router */
		say_too_big(p, 1300, una);
		assert_taken(p);
		while (sent < 2500) {
			expect(p, .flags = IS(TERN_ACK), .seq = IS(una + sent));
			assert_true(p->got.seg.len <= 1300 - headers);
			sent += p->got.seg.len;
		}
		assert_int_equal(COUNT(p, TernPmtuLowered), 1);
		say(p);
		app_writes(p, 5000);
		expect(p, .len = IS(1300 - headers));
		ignore(p);
		done(p);
	}
}

static void too_big_is_clamped_never_raises_and_must_be_plausible(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		const uint32_t least = k < PASSIVE6 ? 552 : 1280;
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		struct tern_socket_info row;

		app_writes(p, 1000);
		ignore(p);
		say_too_big(p, 700, p->ack + 1000); /* not in flight */
		assert_true(find_row(p, &row));
		assert_int_equal(row.pmtu, 1500);
		say_too_big(p, 1500, p->ack);
		say_too_big(p, 9000, p->ack);
		assert_true(find_row(p, &row));
		assert_int_equal(row.pmtu, 1500);
		assert_int_equal(COUNT(p, TernPmtuLowered), 0);
		expect_silence(p);
		say_too_big(p, 68, p->ack);
		assert_true(find_row(p, &row));
		assert_int_equal(row.pmtu, least);
		ignore(p);
		done(p);
	}
}

static void too_big_about_a_syn_lowers_what_follows(void **state)
{
	struct puppet *p = in_state(TERN_SYN_SENT, ACTIVE4);

	(void)state;
	say_too_big(p, 1000, p->irs);
	assert_state(p, TERN_SYN_SENT);
	expect_silence(p);
	say(p, .flags = IS(TERN_SYN | TERN_ACK));
	expect_ack(p);
	app_writes(p, 3000);
	expect(p, .len = IS(1000 - 52));
	ignore(p);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_ends_syn_sent),
		cmocka_unit_test(no_error_ends_a_synchronized_connection),
		cmocka_unit_test(an_error_about_what_is_not_in_flight_is_ignored),
		cmocka_unit_test(soft_errors_end_no_open_under_way_if_the_knob_says_so),
		cmocka_unit_test(hard_errors_end_a_half_open_connection),
		cmocka_unit_test(an_error_about_no_connection_is_dropped),
		cmocka_unit_test(source_quench_is_ignored),
		cmocka_unit_test(too_big_lowers_the_segment_size_and_sends_again_at_once),
		cmocka_unit_test(too_big_is_clamped_never_raises_and_must_be_plausible),
		cmocka_unit_test(too_big_about_a_syn_lowers_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
