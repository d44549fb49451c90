/* SPDX-License-Identifier: BSD-2-Clause */
/* Explicit congestion notification (RFC 3168): who asks, who agrees, and what both ends do then. */
#include "harness/puppet.h"

#define ASKS   (TERN_SYN | TERN_ECE | TERN_CWR)
#define AGREES (TERN_SYN | TERN_ACK | TERN_ECE)

static bool agreed(const struct puppet *p)
{
	struct tern_socket_info row;

	assert_true(find_row(p, &row));
	return row.options & TERN_OPT_ECN;
}

/* A connection whose SYN asked for ECN, made by either side. */
static struct puppet *with_ecn(enum kind kind)
{
	struct puppet *p = puppet_new(kind);

	knob(p, "tcp_ecn", "1");
	if (is_active(kind)) {
		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM,
						 (enum tern_family)p->us.addr.family, &p->id),
				 0);
		assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), 0);
		assert_int_equal(tern_stack_local(p->st, p->id, &p->us), 0);
		expect(p, .flags = IS(ASKS), .tos = IS(0));
		say(p, .flags = IS(AGREES));
		expect(p, .flags = IS(TERN_ACK), .tos = IS(0));
	} else {
		open_listener(p, 8);
		say(p, .flags = IS(ASKS));
		expect(p, .flags = IS(AGREES), .tos = IS(0));
		say(p);
		app_accepts(p);
	}
	events(p);
	assert_true(agreed(p));
	return p;
}

static void a_stack_agrees_to_ecn_that_a_syn_asks_for_unless_it_is_off(void **state)
{
	static const struct {
		const char *knob;
		uint16_t flags;
		uint8_t tos;
		bool agrees;
	} cases[] = {
		{ "0", ASKS, 0, false },
		{ "1", ASKS, 0, true },
		{ "2", ASKS, 0, true },
		{ "2", TERN_SYN, 0, false },
		{ "2", TERN_SYN | TERN_ECE, 0, false },
		{ "2", TERN_SYN | TERN_CWR, 0, false },
		{ "2", ASKS, TERN_ECN_ECT0, false }, /* somebody plays with the field */
		{ "2", ASKS | TERN_AE, 0, true },    /* RFC 9768 §3.1.2: as classic ECN */
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		FOR_EACH_FAMILY(k)
		{
			struct puppet *p = puppet_new(k);

			knob(p, "tcp_ecn", cases[i].knob);
			open_listener(p, 8);
			say(p, .flags = IS(cases[i].flags), .tos = IS(cases[i].tos));
			expect(p, .flags = IS(cases[i].agrees ? AGREES : TERN_SYN | TERN_ACK));
			say(p);
			app_accepts(p);
			assert_int_equal(agreed(p), cases[i].agrees);
			app_writes(p, 10);
			expect(p, .len = IS(10),
			       .tos = IS(cases[i].agrees ? TERN_ECN_ECT0 : TERN_ECN_NOT_ECT));
			say(p);
			done(p);
		}
	}
}

static void an_answer_that_does_not_agree_means_no_ecn(void **state)
{
	static const uint16_t answers[] = { TERN_SYN | TERN_ACK, AGREES | TERN_CWR,
					    TERN_SYN | TERN_ACK | TERN_CWR };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(answers); i++) {
		struct puppet *p = puppet_new(ACTIVE4);

		knob(p, "tcp_ecn", "1");
		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
		assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), 0);
		assert_int_equal(tern_stack_local(p->st, p->id, &p->us), 0);
		expect(p, .flags = IS(ASKS));
		say(p, .flags = IS(answers[i]));
		expect(p, .flags = IS(TERN_ACK));
		assert_false(agreed(p));
		app_writes(p, 10);
		expect(p, .len = IS(10), .tos = IS(0));
		say(p);
		done(p);
	}
}

/* RFC 3168 §6.1.1.1: somebody on the way may throw away what asks. */
static void a_syn_that_is_sent_again_does_not_ask_any_more(void **state)
{
	(void)state;
	for (int fallback = 0; fallback < 2; fallback++) {
		struct puppet *p = puppet_new(ACTIVE4);

		knob(p, "tcp_ecn", "1");
		knob(p, "tcp_ecn_fallback", fallback ? "1" : "0");
		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
		assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), 0);
		assert_int_equal(tern_stack_local(p->st, p->id, &p->us), 0);
		expect(p, .flags = IS(ASKS));
		expect_after(p, SECOND, .flags = IS(fallback ? TERN_SYN : ASKS));
		say(p, .flags = IS(TERN_SYN | TERN_ACK));
		expect(p, .flags = IS(TERN_ACK));
		assert_false(agreed(p));
		done(p);
	}
}

static void crossing_syns_that_both_ask_agree(void **state)
{
	(void)state;
	for (int asks = 0; asks < 2; asks++) {
		struct puppet *p = puppet_new(ACTIVE4);

		knob(p, "tcp_ecn", "1");
		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
		assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), 0);
		assert_int_equal(tern_stack_local(p->st, p->id, &p->us), 0);
		expect(p, .flags = IS(ASKS));
		say(p, .flags = IS(asks ? ASKS : TERN_SYN));
		expect(p, .seq = IS(p->irs), .len = IS(0));
		say(p);
		assert_state(p, TERN_ESTABLISHED);
		assert_int_equal(agreed(p), asks);
		done(p);
	}
}

/* RFC 3168 §6.1.4, §6.1.5: bare ACKs, and what is sent again, are not ECT. RFC9293:SHLD-8 */
static void new_data_alone_is_ect(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = with_ecn(k);

		say(p, .len = IS(100));
		expect(p, .flags = IS(TERN_ACK), .len = IS(0), .tos = IS(0));
		app_reads(p, 100);
		set_option(p, p->id, TERN_SO_TOS, 0x10);
		app_writes(p, 500);
		expect(p, .len = IS(500), .tos = IS(0x10 | TERN_ECN_ECT0));
		expect_after(p, 200, .len = IS(500), .tos = IS(0x10));
		say(p);
		app_shuts(p, TERN_SHUT_WR);
		expect(p, .flags = IS(TERN_FIN | TERN_ACK), .tos = IS(0x10));
		say(p);
		done(p);
	}
}

/* RFC 3168 §6.1.3: the receiver. RFC9293:SHLD-8 */
static void congestion_met_is_echoed_until_the_peer_has_slowed_down(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = with_ecn(k);

		say(p, .len = IS(100), .tos = IS(TERN_ECN_ECT0));
		expect(p, .flags = IS(TERN_ACK));
		say(p, .len = IS(100), .tos = IS(TERN_ECN_CE));
		expect(p, .flags = IS(TERN_ACK | TERN_ECE), .ack = IS(p->seq));
		say(p, .len = IS(100), .tos = IS(TERN_ECN_ECT0));
		expect(p, .flags = IS(TERN_ACK | TERN_ECE));
		app_writes(p, 10);
		expect(p, .flags = IS(TERN_ACK | TERN_ECE), .len = IS(10));
		say(p);
		say(p, .flags = IS(TERN_ACK | TERN_CWR), .len = IS(100), .tos = IS(TERN_ECN_ECT0));
		expect(p, .flags = IS(TERN_ACK));
		app_reads(p, 400);
		ignore(p);
		done(p);
	}
}

/* RFC 3168 §6.1.2: the sender, once for each window of data. RFC9293:SHLD-8 */
static void an_echo_takes_the_window_back_once_and_is_answered_by_cwr(void **state)
{
	struct tern_socket_info before, after;
	struct puppet *p = with_ecn(PASSIVE4);
	uint32_t una = p->ack;

	(void)state;
	set_option(p, p->id, TERN_SO_NODELAY, 1);
	for (int i = 0; i < 6; i++) {
		app_writes(p, 1000);
		expect(p, .flags = IS(TERN_ACK), .len = IS(1000), .tos = IS(TERN_ECN_ECT0));
	}
	assert_true(find_row(p, &before));
	say(p, .flags = IS(TERN_ACK | TERN_ECE), .ack = IS(una + 1000));
	assert_true(find_row(p, &after));
	assert_in_range(after.cwnd, 1, before.cwnd * 7 / 10);
	before = after;
	say(p, .flags = IS(TERN_ACK | TERN_ECE), .ack = IS(una + 2000));
	assert_true(find_row(p, &after));
	assert_true(after.cwnd >= before.cwnd);
	say(p);
	app_writes(p, 1000);
	expect(p, .flags = IS(TERN_ACK | TERN_CWR), .len = IS(1000));
	app_writes(p, 1000);
	expect(p, .flags = IS(TERN_ACK), .len = IS(1000));
	assert_true(find_row(p, &before));
	say(p, .flags = IS(TERN_ACK | TERN_ECE), .ack = IS(p->ack - 1000));
	assert_true(find_row(p, &after));
	assert_true(after.cwnd <= before.cwnd);
	app_writes(p, 1000);
	expect(p, .flags = IS(TERN_ACK | TERN_CWR), .len = IS(1000));
	say(p);
	done(p);
}

static void without_agreement_flags_and_field_mean_nothing(void **state)
{
	struct tern_socket_info before, after;
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	app_writes(p, 1000);
	expect(p, .len = IS(1000), .tos = IS(0));
	assert_true(find_row(p, &before));
	say(p, .flags = IS(TERN_ACK | TERN_ECE), .ack = IS(p->ack - 500));
	assert_true(find_row(p, &after));
	assert_true(after.cwnd >= before.cwnd);
	say(p, .len = IS(10), .tos = IS(TERN_ECN_CE));
	expect(p, .flags = IS(TERN_ACK));
	app_reads(p, 10);
	app_writes(p, 10);
	expect(p, .flags = IS(TERN_ACK), .len = IS(10), .tos = IS(0));
	say(p);
	done(p);
}

static void packets_are_counted_by_their_field(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint64_t none = COUNT(p, IpExtInNoECTPkts);

	(void)state;
	say(p, .tos = IS(0));
	say(p, .tos = IS(TERN_ECN_ECT1));
	say(p, .tos = IS(TERN_ECN_ECT0));
	say(p, .tos = IS(TERN_ECN_CE));
	say(p, .tos = IS(TERN_ECN_CE));
	assert_int_equal(COUNT(p, IpExtInNoECTPkts) - none, 1);
	assert_int_equal(COUNT(p, IpExtInECT1Pkts), 1);
	assert_int_equal(COUNT(p, IpExtInECT0Pkts), 1);
	assert_int_equal(COUNT(p, IpExtInCEPkts), 2);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_agrees_to_ecn_that_a_syn_asks_for_unless_it_is_off),
		cmocka_unit_test(an_answer_that_does_not_agree_means_no_ecn),
		cmocka_unit_test(a_syn_that_is_sent_again_does_not_ask_any_more),
		cmocka_unit_test(crossing_syns_that_both_ask_agree),
		cmocka_unit_test(new_data_alone_is_ect),
		cmocka_unit_test(congestion_met_is_echoed_until_the_peer_has_slowed_down),
		cmocka_unit_test(an_echo_takes_the_window_back_once_and_is_answered_by_cwr),
		cmocka_unit_test(without_agreement_flags_and_field_mean_nothing),
		cmocka_unit_test(packets_are_counted_by_their_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
