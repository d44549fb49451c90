/* SPDX-License-Identifier: BSD-2-Clause */
/* A segment for a half-open connection: every test of SYN-RECEIVED, at its edges. */
#include "world.h"

/* After a segment that changes nothing: the record is as it was, but for its memory of answers. */
static void assert_unchanged(const struct world *w, const struct tern_half *before)
{
	struct tern_half now = *half_of(w, 1);

	now.oow_ms = before->oow_ms;
	assert_memory_equal(&now, before, sizeof(now));
}

/* The ACK that answers an invalid segment. */
static void assert_answer(struct world *w)
{
	const struct tern_half *h = half_of(w, 1);
	struct tern_reply r = next_reply(w);

	assert_int_equal(r.flags, TERN_ACK);
	assert_int_equal(r.seq, h->iss + 1);
	assert_int_equal(r.ack, PEER_ISN + 1);
	assert_int_equal(r.wnd, 65535 >> (h->wscales & 15));
	assert_int_equal(r.options, TERN_OPT_TS);
	assert_int_equal(r.tsval, w->tcp.now_ms + h->ts_offset);
	assert_int_equal(r.tsecr, h->ts_recent);
	assert_int_equal(replies(w), 0);
}

/* Longer than any limit between two answers. */
static void wait_a_second(struct world *w)
{
	tern_tcp_set_now(&w->tcp, w->tcp.now + NS_PER_S);
}

static void only_the_ack_of_our_syn_completes_the_handshake(void **state)
{
	(void)state;
	for (int d = -2; d <= 2; d++) {
		struct tern_segment seg;
		struct tern_half before;
		struct world w;
		uint32_t conn;

		world_open(&w, 5);
		half_open(&w, 1);
		before = *half_of(&w, 1);
		seg = an_ack(&w, 1);
		seg.ack += (tern_seq)d;
		conn = input(&w, 1, &seg);
		if (!d) {
			assert_int_equal(tern_conn_at(&w.tcp, conn)->state, TERN_ESTABLISHED);
			assert_int_equal(find_half(&w, 1), 0);
			assert_int_equal(replies(&w), 0);
		} else {
			assert_int_equal(conn, 0);
			assert_reason(&w, TCP_INVALID_ACK_SEQUENCE);
			assert_only_reply(&w, TERN_RST, seg.ack, 0);
			assert_unchanged(&w, &before);
		}
		world_close(&w);
	}
}

static void a_wrong_ack_is_reset_wherever_its_sequence_number_is(void **state)
{
	struct tern_segment seg;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.seq -= 1000000;
	seg.ack += 77;
	input(&w, 1, &seg);
	assert_reason(&w, TCP_INVALID_ACK_SEQUENCE);
	assert_only_reply(&w, TERN_RST, seg.ack, 0);
	assert_int_not_equal(find_half(&w, 1), 0);
	world_close(&w);
}

/* RFC9293:U-5 RFC9293:U-6 RFC9293:U-7 RFC5961:3.2 */
static void a_reset_is_believed_only_at_the_very_edge_of_the_window(void **state)
{
	static const struct {
		uint32_t from_edge;
		enum tern_drop reason;
	} cases[] = {
		{ (uint32_t)-1, TERN_DROP_TCP_INVALID_RST },
		{ 0, TERN_DROP_TCP_RESET },
		{ 1, TERN_DROP_TCP_RST_CHALLENGED },
		{ 65534, TERN_DROP_TCP_RST_CHALLENGED },
		{ 65535, TERN_DROP_TCP_INVALID_RST },
		{ 65536, TERN_DROP_TCP_INVALID_RST },
	};

	(void)state;
	for (size_t i = 0; i < 2 * TERN_ARRAY_SIZE(cases); i++) {
		enum tern_drop reason = cases[i / 2].reason;
		struct tern_segment seg;
		struct tern_half before;
		struct world w;

		world_open(&w, 5);
		half_open(&w, 1);
		before = *half_of(&w, 1);
		seg = an_ack(&w, 1);
		seg.opt.present = 0;
		seg.flags = i % 2 ? TERN_RST : TERN_RST | TERN_ACK;
		seg.seq += cases[i / 2].from_edge;
		assert_int_equal(input(&w, 1, &seg), 0);
		assert_int_equal(w.reason, reason);
		if (reason == TERN_DROP_TCP_RST_CHALLENGED)
			assert_answer(&w);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(COUNT(&w, TcpExtTCPChallengeACK),
				 reason == TERN_DROP_TCP_RST_CHALLENGED);
		assert_int_equal(COUNT(&w, TcpExtEmbryonicRsts), reason == TERN_DROP_TCP_RESET);
		assert_int_equal(COUNT(&w, TcpAttemptFails), reason == TERN_DROP_TCP_RESET);
		if (reason == TERN_DROP_TCP_RESET)
			assert_int_equal(w.syn.halves.used, 0);
		else
			assert_unchanged(&w, &before);
		world_close(&w);
	}
}

static void challenges_of_resets_are_limited_even_with_data(void **state)
{
	struct tern_segment seg;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.flags = TERN_RST | TERN_ACK;
	seg.seq += 5;
	seg.len = 3;
	seg.data = (const uint8_t *)"why";
	for (int i = 0; i < 10; i++)
		input(&w, 1, &seg);
	assert_answer(&w);
	assert_int_equal(COUNT(&w, TcpExtTCPACKSkippedChallenge), 9);
	world_close(&w);
}

static void the_same_syn_again_gets_the_same_synack_again(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct tern_half before;
	struct tern_reply r;
	struct world w;
	uint64_t due;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	before = *half_of(&w, 1);
	due = tern_half_when(&w.syn, find_half(&w, 1));
	tern_tcp_set_now(&w.tcp, w.tcp.now + 600 * NS_PER_MS);
	seg.opt.tsval += 600;
	assert_int_equal(input(&w, 1, &seg), 0);
	assert_reason(&w, TCP_OLD_SEQUENCE);
	r = next_reply(&w);
	assert_int_equal(r.flags, TERN_SYN | TERN_ACK);
	assert_int_equal(r.seq, before.iss);
	assert_int_equal(r.ack, PEER_ISN + 1);
	assert_int_equal(r.mss, 1460);
	assert_int_equal(r.tsval, w.tcp.now_ms + before.ts_offset);
	assert_int_equal(r.tsecr, PEER_TS + 600);
	assert_int_equal(replies(&w), 0);
	assert_int_equal(COUNT(&w, TcpExtTCPSynRetrans), 1);
	assert_true((half_of(&w, 1)->flags & TERN_HALF_RESENT) != 0);
	/* Repeated SYNs must not hold a place: the deadline stays. */
	assert_int_equal(tern_half_when(&w.syn, find_half(&w, 1)), due);
	assert_int_equal(half_of(&w, 1)->retries, 0);
	assert_int_equal(AT(&w)->synq.count, 1);
	world_close(&w);
}

static void an_older_copy_of_the_syn_does_not_turn_the_clock_back(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg.opt.tsval = PEER_TS - 1;
	input(&w, 1, &seg);
	assert_int_equal(next_reply(&w).tsecr, PEER_TS);
	world_close(&w);
}

static void repeated_syns_are_answered_once_in_tcp_invalid_ratelimit(void **state)
{
	const uint64_t after_ms[] = { 0, 499, 500, 501 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(after_ms); i++) {
		struct tern_flow flow = peer(1);
		struct tern_segment seg = a_syn(&flow);
		struct world w;

		world_open(&w, 5);
		half_open(&w, 1);
		input(&w, 1, &seg);
		next_reply(&w);
		tern_tcp_set_now(&w.tcp, w.tcp.now + after_ms[i] * NS_PER_MS);
		input(&w, 1, &seg);
		assert_reason(&w, TCP_OLD_SEQUENCE);
		assert_int_equal(replies(&w), after_ms[i] >= 500);
		assert_int_equal(COUNT(&w, TcpExtTCPACKSkippedSynRecv), after_ms[i] < 500);
		world_close(&w);
	}
}

/* RFC5961:7 */
static void the_limit_is_a_knob_and_every_record_has_its_own(void **state)
{
	struct tern_flow flow[2] = { peer(1), peer(2) };
	struct tern_segment seg[2] = { a_syn(&flow[0]), a_syn(&flow[1]) };
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	half_open(&w, 2);
	input(&w, 1, &seg[0]);
	input(&w, 2, &seg[1]);
	assert_int_equal(replies(&w), 2);
	w.knobs.tcp_invalid_ratelimit = 0;
	input(&w, 1, &seg[0]);
	assert_int_equal(replies(&w), 3);
	w.knobs.tcp_invalid_ratelimit = UINT32_MAX; /* taken as 30 s */
	tern_tcp_set_now(&w.tcp, w.tcp.now + 29999 * NS_PER_MS);
	input(&w, 1, &seg[0]);
	assert_int_equal(replies(&w), 3);
	tern_tcp_set_now(&w.tcp, w.tcp.now + NS_PER_MS);
	input(&w, 1, &seg[0]);
	assert_int_equal(replies(&w), 4);
	world_close(&w);
}

static void another_syn_in_the_window_is_challenged_and_outside_acknowledged(void **state)
{
	const uint32_t from_isn[] = { (uint32_t)-1, 1, 2, 65534, 65535, 65536 };
	const bool inside[] = { false, true, true, true, true, false };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(from_isn); i++) {
		struct tern_flow flow = peer(1);
		struct tern_segment seg = a_syn(&flow);
		struct tern_half before;
		struct world w;

		world_open(&w, 5);
		half_open(&w, 1);
		before = *half_of(&w, 1);
		seg.seq += from_isn[i];
		assert_int_equal(input(&w, 1, &seg), 0);
		assert_answer(&w);
		if (inside[i])
			assert_reason(&w, TCP_SYN_CHALLENGED);
		else
			assert_int_equal(w.reason, tern_seq_lt(seg.seq, PEER_ISN)
							   ? TERN_DROP_TCP_OLD_SEQUENCE
							   : TERN_DROP_TCP_INVALID_SEQUENCE);
		assert_int_equal(COUNT(&w, TcpExtTCPSYNChallenge), inside[i]);
		assert_int_equal(COUNT(&w, TcpExtTCPChallengeACK), inside[i]);
		assert_unchanged(&w, &before);
		world_close(&w);
	}
}

static void a_synack_for_a_half_is_acknowledged_not_taken(void **state)
{
	struct tern_segment seg;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.flags = TERN_SYN | TERN_ACK;
	seg.seq = PEER_ISN;
	assert_int_equal(input(&w, 1, &seg), 0);
	assert_reason(&w, TCP_OLD_SEQUENCE);
	assert_answer(&w);
	world_close(&w);
}

static void what_lies_outside_the_window_is_acknowledged(void **state)
{
	static const struct {
		uint32_t from_edge, len;
		bool inside;
	} cases[] = {
		{ (uint32_t)-1, 0, false },
		{ 0, 0, true },
		{ 1, 0, true },
		{ 65534, 0, true },
		{ 65535, 0, false },
		{ (uint32_t)-1, 1, false },
		{ (uint32_t)-1, 2, true },
		{ 65534, 1, true },
		{ 65534, 9, true },
		{ 65535, 1, false },
		{ (uint32_t)-10, 10, false },
		{ (uint32_t)-10, 11, true },
	};
	static const uint8_t data[16];

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg;
		struct world w;
		uint32_t conn;

		world_open(&w, 5);
		half_open(&w, 1);
		seg = an_ack(&w, 1);
		seg.seq += cases[i].from_edge;
		seg.data = data;
		seg.len = cases[i].len;
		conn = input(&w, 1, &seg);
		assert_int_equal(conn != 0, cases[i].inside);
		if (!cases[i].inside) {
			assert_answer(&w);
			assert_true(w.reason == TERN_DROP_TCP_OLD_SEQUENCE ||
				    w.reason == TERN_DROP_TCP_INVALID_SEQUENCE);
		} else {
			assert_int_equal(tern_conn_at(&w.tcp, conn)->state, TERN_ESTABLISHED);
		}
		world_close(&w);
	}
}

static void answers_to_data_are_not_limited_and_others_are(void **state)
{
	struct tern_segment seg;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.seq -= 1;
	for (int i = 0; i < 3; i++)
		input(&w, 1, &seg);
	assert_int_equal(replies(&w), 1);
	assert_int_equal(COUNT(&w, TcpExtTCPACKSkippedSynRecv), 2);
	seg.len = 1;
	seg.data = (const uint8_t *)"x";
	for (int i = 0; i < 3; i++)
		input(&w, 1, &seg);
	assert_int_equal(replies(&w), 4);
	world_close(&w);
}

static void an_older_timestamp_is_refused(void **state)
{
	(void)state;
	for (int d = -1; d <= 1; d++) {
		struct tern_segment seg;
		struct world w;
		uint32_t conn;

		world_open(&w, 5);
		half_open(&w, 1);
		seg = an_ack(&w, 1);
		seg.opt.tsval = PEER_TS + (uint32_t)d;
		conn = input(&w, 1, &seg);
		assert_int_equal(conn != 0, d >= 0);
		assert_int_equal(COUNT(&w, TcpExtPAWSEstab), d < 0);
		if (d < 0) {
			assert_reason(&w, TCP_RFC7323_PAWS);
			assert_answer(&w);
		} else {
			assert_int_equal(tern_conn_at(&w.tcp, conn)->ts.recent,
					 PEER_TS + (uint32_t)d);
		}
		world_close(&w);
	}
}

static void an_echo_of_a_time_we_never_sent_is_refused(void **state)
{
	/* The SYN-ACK left at 0 ms; it is 100 ms now. One millisecond of grain is granted below. */
	const int32_t echo_ms[] = { -1000, -2, 0, 1, 100, 101 };
	const bool good[] = { false, false, true, true, true, false };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(echo_ms); i++) {
		struct tern_segment seg;
		struct world w;
		uint32_t first, conn;

		world_open(&w, 5);
		half_open(&w, 1);
		first = w.tcp.now_ms + half_of(&w, 1)->ts_offset;
		tern_tcp_set_now(&w.tcp, w.tcp.now + 100 * NS_PER_MS);
		seg = an_ack(&w, 1);
		seg.opt.tsecr = first + (uint32_t)echo_ms[i];
		conn = input(&w, 1, &seg);
		assert_int_equal(conn != 0, good[i]);
		if (!good[i]) {
			assert_reason(&w, TCP_RFC7323_TSECR);
			assert_answer(&w);
		}
		world_close(&w);
	}
}

static void an_echo_of_nothing_is_let_pass(void **state)
{
	struct tern_segment seg;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.opt.tsecr = 0;
	assert_int_not_equal(input(&w, 1, &seg), 0);
	world_close(&w);
}

static void timestamps_once_agreed_on_must_come_if_the_knob_says_so(void **state)
{
	struct tern_segment seg;
	struct tern_half before;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	before = *half_of(&w, 1);
	seg = an_ack(&w, 1);
	seg.opt.present = 0;
	w.knobs.tern_tolerate_missing_ts = 0;
	assert_int_equal(input(&w, 1, &seg), 0);
	assert_reason(&w, TCP_NO_TIMESTAMP);
	assert_int_equal(replies(&w), 0);
	assert_unchanged(&w, &before);
	w.knobs.tern_tolerate_missing_ts = 1;
	assert_int_not_equal(input(&w, 1, &seg), 0);
	world_close(&w);
}

static void timestamps_not_agreed_on_mean_nothing(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct world w;

	(void)state;
	world_open(&w, 5);
	seg.opt.present = TERN_OPT_MSS;
	input(&w, 1, &seg);
	assert_int_equal(next_reply(&w).options, TERN_OPT_MSS);
	seg = an_ack(&w, 1);
	seg.opt = (struct tern_tcp_options){ .present = TERN_OPT_TS, .tsval = 1, .tsecr = 2 };
	assert_int_not_equal(input(&w, 1, &seg), 0);
	assert_reason(&w, NONE);
	world_close(&w);
}

static void forms_that_nobody_sends_are_dropped_without_a_word(void **state)
{
	static const struct {
		uint16_t flags;
		bool malformed;
		enum tern_drop reason;
	} cases[] = {
		{ TERN_SYN | TERN_RST, false, TERN_DROP_TCP_FLAGS },
		{ TERN_SYN | TERN_FIN, false, TERN_DROP_TCP_SYN_FIN },
		{ 0, false, TERN_DROP_TCP_NO_ACK },
		{ TERN_FIN | TERN_PSH, false, TERN_DROP_TCP_NO_ACK },
		{ TERN_ACK, true, TERN_DROP_TCP_OPTIONS },
		{ TERN_RST, true, TERN_DROP_TCP_OPTIONS },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg;
		struct tern_half before;
		struct world w;

		world_open(&w, 5);
		half_open(&w, 1);
		before = *half_of(&w, 1);
		seg = an_ack(&w, 1);
		seg.flags = cases[i].flags;
		seg.options_malformed = cases[i].malformed;
		assert_int_equal(input(&w, 1, &seg), 0);
		assert_int_equal(w.reason, cases[i].reason);
		assert_int_equal(replies(&w), 0);
		assert_unchanged(&w, &before);
		world_close(&w);
	}
}

/* RFC9293:MUST-11 */
static void after_a_reset_the_peer_may_begin_anew(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow), rst;
	struct tern_reply r;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	wait_a_second(&w);
	seg.seq += 5000; /* the peer has restarted: it does not know the old connection */
	input(&w, 1, &seg);
	r = next_reply(&w);
	rst = (struct tern_segment){ .flags = TERN_RST, .seq = r.ack };
	input(&w, 1, &rst);
	assert_reason(&w, TCP_RESET);
	input(&w, 1, &seg);
	assert_reason(&w, NONE);
	assert_int_equal(next_reply(&w).ack, seg.seq + 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_ack_of_our_syn_completes_the_handshake),
		cmocka_unit_test(a_wrong_ack_is_reset_wherever_its_sequence_number_is),
		cmocka_unit_test(a_reset_is_believed_only_at_the_very_edge_of_the_window),
		cmocka_unit_test(challenges_of_resets_are_limited_even_with_data),
		cmocka_unit_test(the_same_syn_again_gets_the_same_synack_again),
		cmocka_unit_test(an_older_copy_of_the_syn_does_not_turn_the_clock_back),
		cmocka_unit_test(repeated_syns_are_answered_once_in_tcp_invalid_ratelimit),
		cmocka_unit_test(the_limit_is_a_knob_and_every_record_has_its_own),
		cmocka_unit_test(another_syn_in_the_window_is_challenged_and_outside_acknowledged),
		cmocka_unit_test(a_synack_for_a_half_is_acknowledged_not_taken),
		cmocka_unit_test(what_lies_outside_the_window_is_acknowledged),
		cmocka_unit_test(answers_to_data_are_not_limited_and_others_are),
		cmocka_unit_test(an_older_timestamp_is_refused),
		cmocka_unit_test(an_echo_of_a_time_we_never_sent_is_refused),
		cmocka_unit_test(an_echo_of_nothing_is_let_pass),
		cmocka_unit_test(timestamps_once_agreed_on_must_come_if_the_knob_says_so),
		cmocka_unit_test(timestamps_not_agreed_on_mean_nothing),
		cmocka_unit_test(forms_that_nobody_sends_are_dropped_without_a_word),
		cmocka_unit_test(after_a_reset_the_peer_may_begin_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
