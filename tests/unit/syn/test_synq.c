/* SPDX-License-Identifier: BSD-2-Clause */
/* The SYN queue: its timer, its end, ICMP. */
#include "world.h"

#include <errno.h>

/* Runs to some seconds after a time, and the few ticks that timers are late. */
static void run_to(struct world *w, uint64_t born, uint64_t s)
{
	uint64_t end = born + s * NS_PER_S + 10 * TERN_TICK_NS, due;

	while ((due = tern_syn_deadline(&w->syn)) <= end)
		later(w, due > w->tcp.now ? due - w->tcp.now : 0);
	later(w, end - w->tcp.now);
}

static void a_synack_is_repeated_after_1_2_4_8_16_seconds_and_given_up_after_63(void **state)
{
	const uint64_t at_s[] = { 1, 3, 7, 15, 31 };
	struct tern_half before;
	struct world w;
	uint64_t born;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	before = *half_of(&w, 1);
	born = w.tcp.now;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(at_s); i++) {
		struct tern_reply r;

		later(&w, born + at_s[i] * NS_PER_S - 1 - w.tcp.now);
		assert_int_equal(replies(&w), 0);
		run_to(&w, born, at_s[i]);
		r = next_reply(&w);
		assert_int_equal(r.flags, TERN_SYN | TERN_ACK);
		assert_int_equal(r.seq, before.iss);
		assert_int_equal(r.ack, PEER_ISN + 1);
		assert_in_range(w.tcp.now_ms + before.ts_offset - r.tsval, 0, 3);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(half_of(&w, 1)->retries, i + 1);
	}
	assert_int_equal(COUNT(&w, TcpExtTCPSynRetrans), 5);
	assert_int_equal(COUNT(&w, TcpRetransSegs), 5);
	assert_int_equal(COUNT(&w, TcpAttemptFails), 0);
	later(&w, born + 63 * NS_PER_S - 1 - w.tcp.now);
	assert_int_not_equal(find_half(&w, 1), 0);
	run_to(&w, born, 63);
	assert_int_equal(find_half(&w, 1), 0);
	assert_int_equal(replies(&w), 0);
	assert_int_equal(COUNT(&w, TcpAttemptFails), 1);
	assert_int_equal(COUNT(&w, TcpExtTCPTimeouts), 6);
	assert_int_equal(w.syn.halves.used, 0);
	assert_int_equal(AT(&w)->synq.count, 0);
	assert_int_equal(AT(&w)->young, 0);
	assert_int_equal(w.syn.half_map.count, 0);
	world_close(&w);
}

static void the_number_of_repeats_is_a_knob_and_an_option(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct world w;

		world_open(&w, 5);
		w.knobs.tcp_synack_retries = i < 2 ? i : 5;
		tern_conn_at(&w.tcp, w.sock)->patience.syn_retries = i < 2 ? 0 : (uint8_t)(i - 1);
		half_open(&w, 1);
		run_to(&w, w.tcp.now, 100);
		run_to(&w, w.tcp.now, 100);
		run_to(&w, w.tcp.now, 100);
		assert_int_equal(replies(&w), i < 2 ? i : i - 1);
		assert_int_equal(w.syn.halves.used, 0);
		world_close(&w);
	}
}

static void repeats_are_never_more_than_120_seconds_apart(void **state)
{
	struct world w;
	uint64_t born;

	(void)state;
	world_open(&w, 5);
	w.knobs.tcp_synack_retries = 100;
	half_open(&w, 1);
	born = w.tcp.now;
	for (uint64_t s = 1; s < 128; s = 2 * s + 1)
		run_to(&w, born, s);
	assert_int_equal(half_of(&w, 1)->retries, 7);
	forget_replies(&w);
	run_to(&w, born, 127 + 119);
	assert_int_equal(replies(&w), 0);
	run_to(&w, born, 127 + 120);
	assert_int_equal(replies(&w), 1);
	run_to(&w, born, 127 + 120 + 119);
	assert_int_equal(replies(&w), 1);
	run_to(&w, born, 127 + 120 + 120);
	assert_int_equal(replies(&w), 2);
	world_close(&w);
}

/*
 * A queue of `old` records whose timers have run out once and `young` ones; then time goes on. How
 * many old ones are left when only young ones have not yet had their last chance of two repeats?
 */
static unsigned int left_of(unsigned int old, unsigned int young, int backlog)
{
	unsigned int left = 0;
	struct world w;
	uint64_t born;

	world_open(&w, backlog);
	born = w.tcp.now;
	for (unsigned int n = 0; n < old; n++)
		half_open(&w, n);
	run_to(&w, born, 3); /* two repeats; the third timeout is at 7 s */
	tern_tcp_set_now(&w.tcp, born + 6 * NS_PER_S + NS_PER_S / 2);
	for (unsigned int n = 0; n < young; n++)
		half_open(&w, 100 + n);
	assert_int_equal(AT(&w)->young, young);
	run_to(&w, born, 7);
	for (unsigned int n = 0; n < old; n++)
		left += find_half(&w, n) != 0;
	forget_replies(&w);
	world_close(&w);
	return left;
}

/* RFC4987:3.3 */
static void a_queue_more_than_half_full_of_old_records_gives_them_up_sooner(void **state)
{
	(void)state;
	assert_int_equal(left_of(8, 0, 16), 8);  /* exactly half: no hurry */
	assert_int_equal(left_of(9, 0, 16), 8);  /* one more: it goes, and it is half again */
	assert_int_equal(left_of(17, 0, 16), 8); /* two repeats are enough for all above half */
	assert_int_equal(left_of(4, 0, 3), 4);   /* four are never hurried */
	assert_int_equal(left_of(5, 0, 4), 4);
	assert_int_equal(left_of(8, 10, 20), 8); /* mostly young: no hurry */
	assert_int_equal(left_of(8, 9, 20), 8);
	assert_int_equal(left_of(8, 4, 20), 8);
	assert_int_equal(left_of(16, 2, 20), 13); /* an eighth young at most: three repeats less */
}

static void the_end_of_a_half_is_traced(void **state)
{
	struct tern_trace_record record, last = { .time_ns = 0 };
	struct tern_flow flow = peer(1);
	uint64_t cursor = 0;
	struct world w;

	(void)state;
	world_open(&w, 5);
	w.knobs.tcp_synack_retries = 0;
	half_open(&w, 1);
	run_to(&w, w.tcp.now, 1);
	while (tern_trace_read(&w.trace, &cursor, &record))
		last = record;
	assert_int_equal(last.kind, TERN_TRACE_STATE);
	assert_in_range(w.tcp.now - last.time_ns, 0, 10 * TERN_TICK_NS);
	assert_int_equal(last.before, TERN_SYN_RECEIVED);
	assert_int_equal(last.after, TERN_CLOSED);
	assert_int_equal(last.remote.port, flow.rport);
	assert_true(tern_addr_eq(&last.remote.addr, &flow.remote));
	assert_true(tern_addr_eq(&last.local.addr, &flow.local));
	world_close(&w);
}

static void a_hard_icmp_error_ends_the_half_whose_synack_it_quotes(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	for (int d = -1; d <= 1; d += 2)
		tern_half_icmp(&w.syn, find_half(&w, 1), EHOSTUNREACH,
			       half_of(&w, 1)->iss + (tern_seq)d);
	assert_int_equal(COUNT(&w, TcpExtOutOfWindowIcmps), 2);
	tern_half_icmp(&w.syn, find_half(&w, 1), 0, half_of(&w, 1)->iss);
	assert_int_not_equal(find_half(&w, 1), 0);
	assert_int_equal(COUNT(&w, TcpExtListenDrops), 0);
	tern_half_icmp(&w.syn, find_half(&w, 1), EHOSTUNREACH, half_of(&w, 1)->iss);
	assert_int_equal(find_half(&w, 1), 0);
	assert_int_equal(COUNT(&w, TcpExtListenDrops), 1);
	assert_int_equal(COUNT(&w, TcpAttemptFails), 1);
	assert_int_equal(COUNT(&w, TcpExtOutOfWindowIcmps), 2);
	world_close(&w);
}

static void a_row_shows_timer_and_age(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_socket_info row;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	run_to(&w, w.tcp.now, 1);
	tern_tcp_set_now(&w.tcp, w.tcp.now + NS_PER_S / 2);
	tern_half_describe(&w.syn, find_half(&w, 1), &row);
	assert_true(tern_addr_eq(&row.local.addr, &flow.local));
	assert_true(tern_addr_eq(&row.remote.addr, &flow.remote));
	assert_int_equal(row.local.port, flow.lport);
	assert_int_equal(row.remote.port, flow.rport);
	assert_int_equal(row.proto, TERN_PROTO_TCP);
	assert_int_equal(row.state, TERN_SYN_RECEIVED);
	assert_int_equal(row.timer, TERN_TIMER_ON);
	assert_int_equal(row.retrans, 1);
	assert_in_range(row.timer_ns, 1495 * NS_PER_MS, 1505 * NS_PER_MS);
	assert_in_range(row.age_ns, 1500 * NS_PER_MS, 1505 * NS_PER_MS);
	assert_int_equal(row.options, TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS);
	assert_int_equal(row.snd_wscale, 10);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_synack_is_repeated_after_1_2_4_8_16_seconds_and_given_up_after_63),
		cmocka_unit_test(the_number_of_repeats_is_a_knob_and_an_option),
		cmocka_unit_test(repeats_are_never_more_than_120_seconds_apart),
		cmocka_unit_test(a_queue_more_than_half_full_of_old_records_gives_them_up_sooner),
		cmocka_unit_test(the_end_of_a_half_is_traced),
		cmocka_unit_test(a_hard_icmp_error_ends_the_half_whose_synack_it_quotes),
		cmocka_unit_test(a_row_shows_timer_and_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
