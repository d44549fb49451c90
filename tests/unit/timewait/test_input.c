/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments in TIME-WAIT and in FIN-WAIT-2. */
#include "world.h"

static const uint8_t data[8];

/* How long the record still has, to the tick. */
static uint64_t left_ns(const struct world *w)
{
	return tern_timewait_when(&w->tw, w->idx) - w->tcp.now;
}

/* ---- TIME-WAIT ---- */

static void a_repeated_fin_is_acknowledged_and_restarts_two_msl(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	later(&w, 50 * NS_PER_S);
	seg.seq = RCV_NXT - 1;
	refuse(&w, &seg);
	assert_reason(&w, TCP_TIMEWAIT);
	assert_acked(&w, RCV_NXT);
	assert_in_range(left_ns(&w), 60 * NS_PER_S, 60 * NS_PER_S + TERN_TICK_NS);
	assert_int_equal(tern_tw_at(&w.tw, w.idx)->ts_recent, TS_RECENT + 1);
	refuse(&w, &seg); /* at once again: FINs are not limited */
	assert_acked(&w, RCV_NXT);
	world_close(&w);
}

static void a_fin_repeated_with_its_data_restarts_it_too(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	later(&w, 50 * NS_PER_S);
	seg.data = data;
	seg.len = 5;
	seg.seq = RCV_NXT - 6;
	refuse(&w, &seg);
	assert_acked(&w, RCV_NXT);
	assert_true(left_ns(&w) > 59 * NS_PER_S);
	world_close(&w);
}

static void nothing_else_restarts_it(void **state)
{
	const struct {
		uint16_t flags;
		int32_t from_edge, ack;
		uint32_t len;
	} cases[] = {
		{ TERN_FIN | TERN_ACK, -2, 0, 0 }, /* a FIN elsewhere */
		{ TERN_FIN | TERN_ACK, 0, 0, 0 },
		{ TERN_FIN | TERN_ACK, -1, 1, 0 }, /* an ACK of what we never sent */
		{ TERN_ACK, 0, 0, 0 },
		{ TERN_ACK, -1, 0, 1 },
		{ TERN_ACK, 0, 0, 3 },
		{ TERN_RST, 0, 0, 0 },
		{ TERN_SYN, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg = segment(cases[i].flags);
		struct world w;

		world_open(&w, TERN_TIME_WAIT);
		later(&w, 50 * NS_PER_S);
		seg.seq += (uint32_t)cases[i].from_edge;
		seg.ack += (uint32_t)cases[i].ack;
		seg.data = data;
		seg.len = cases[i].len;
		if (seg.flags == TERN_SYN)
			seg.opt.tsval = TS_RECENT;
		refuse(&w, &seg);
		assert_true(left_ns(&w) <= 10 * NS_PER_S + TERN_TICK_NS);
		assert_int_equal(tern_tw_at(&w.tw, w.idx)->rcv_nxt, RCV_NXT);
		world_close(&w);
	}
}

static void an_empty_segment_in_order_is_taken_in_silence(void **state)
{
	struct tern_segment seg = segment(TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	refuse(&w, &seg);
	assert_reason(&w, NONE);
	assert_int_equal(replies(&w), 0);
	assert_int_equal(tern_tw_at(&w.tw, w.idx)->ts_recent, TS_RECENT + 1);
	world_close(&w);
}

static void two_ends_in_time_wait_fall_silent(void **state)
{
	struct tern_segment seg = segment(TERN_ACK);
	unsigned int answers = 0;
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	/* The other end is just like ours: what we answer comes back with the ends swapped. */
	seg.seq = RCV_NXT - 1;
	for (int i = 0; i < 10; i++) {
		refuse(&w, &seg);
		if (!replies(&w))
			break;
		answers++;
		next_reply(&w);
		seg.seq = RCV_NXT;
	}
	assert_int_equal(answers, 1);
	world_close(&w);
}

static void late_data_is_acknowledged_again(void **state)
{
	const int32_t from_edge[] = { -100, -1, 0, 1, 100000 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(from_edge); i++) {
		struct tern_segment seg = segment(TERN_ACK);
		struct world w;

		world_open(&w, TERN_TIME_WAIT);
		seg.seq += (uint32_t)from_edge[i];
		seg.data = data;
		seg.len = 4;
		refuse(&w, &seg);
		assert_reason(&w, TCP_TIMEWAIT);
		assert_acked(&w, RCV_NXT);
		assert_int_equal(tern_tw_at(&w.tw, w.idx)->rcv_nxt, RCV_NXT);
		world_close(&w);
	}
}

static void answers_to_empty_segments_are_limited(void **state)
{
	const uint64_t after_ms[] = { 0, 499, 500, 501 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(after_ms); i++) {
		struct tern_segment seg = segment(TERN_ACK);
		struct world w;

		world_open(&w, TERN_TIME_WAIT);
		seg.seq = RCV_NXT - 1;
		refuse(&w, &seg);
		assert_acked(&w, RCV_NXT);
		later(&w, after_ms[i] * NS_PER_MS);
		refuse(&w, &seg);
		assert_reason(&w, TCP_TIMEWAIT);
		assert_int_equal(replies(&w), after_ms[i] >= 500);
		assert_int_equal(COUNT(&w, TcpExtTCPACKSkippedTimeWait), after_ms[i] < 500);
		world_close(&w);
	}
}

/* RFC1337:3 */
static void a_reset_ends_time_wait_at_the_edge_if_tcp_rfc1337_lets_it(void **state)
{
	(void)state;
	for (uint32_t rfc1337 = 0; rfc1337 < 2; rfc1337++) {
		for (int d = -1; d <= 1; d++) {
			struct tern_segment seg = segment(d ? TERN_RST | TERN_ACK : TERN_RST);
			struct world w;

			world_open(&w, TERN_TIME_WAIT);
			w.knobs.tcp_rfc1337 = rfc1337;
			seg.seq += (uint32_t)d;
			refuse(&w, &seg);
			assert_int_equal(replies(&w), 0);
			if (d || rfc1337) {
				assert_reason(&w, TCP_TIMEWAIT_RST);
				assert_int_equal(find(&w, &w.flow), w.idx);
			} else {
				assert_reason(&w, TCP_RESET);
				assert_int_equal(find(&w, &w.flow), 0);
			}
			world_close(&w);
		}
	}
}

static void an_old_timestamp_in_time_wait_is_refused(void **state)
{
	(void)state;
	for (int d = -1; d <= 1; d++) {
		struct tern_segment seg = segment(TERN_ACK);
		struct world w;

		world_open(&w, TERN_TIME_WAIT);
		seg.opt.tsval = TS_RECENT + (uint32_t)d;
		refuse(&w, &seg);
		assert_int_equal(COUNT(&w, TcpExtPAWSTimewait), d < 0);
		if (d < 0) {
			assert_reason(&w, TCP_RFC7323_TW_PAWS);
			assert_acked(&w, RCV_NXT);
		} else {
			assert_reason(&w, NONE);
		}
		assert_int_equal(tern_tw_at(&w.tw, w.idx)->ts_recent,
				 TS_RECENT + (uint32_t)(d > 0));
		world_close(&w);
	}
}

static void forms_that_nobody_sends_are_dropped_without_a_word(void **state)
{
	const enum tern_state states[] = { TERN_TIME_WAIT, TERN_FIN_WAIT_2 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(states); i++) {
		struct tern_segment seg = segment(TERN_FIN | TERN_PSH);
		struct world w;

		world_open(&w, states[i]);
		refuse(&w, &seg);
		assert_reason(&w, TCP_NO_ACK);
		seg = segment(TERN_FIN | TERN_ACK);
		seg.options_malformed = true;
		refuse(&w, &seg);
		assert_reason(&w, TCP_OPTIONS);
		seg = segment(TERN_FIN | TERN_ACK);
		seg.opt.present = 0;
		w.knobs.tern_tolerate_missing_ts = 0;
		refuse(&w, &seg);
		assert_reason(&w, TCP_NO_TIMESTAMP);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(tern_timewait_state(&w.tw, w.idx), states[i]);
		world_close(&w);
	}
}

static void a_record_without_timestamps_asks_for_none(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct tern_reply r;
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	tern_tw_at(&w.tw, w.idx)->timestamps = 0;
	seg.seq = RCV_NXT - 1;
	seg.opt.tsval = TS_RECENT - 100; /* means nothing */
	refuse(&w, &seg);
	assert_reason(&w, TCP_TIMEWAIT);
	r = next_reply(&w);
	assert_int_equal(r.options, 0);
	assert_int_equal(r.wnd, WINDOW >> 2);
	assert_int_equal(tern_tw_at(&w.tw, w.idx)->ts_recent, TS_RECENT);
	world_close(&w);
}

/* ---- FIN-WAIT-2 ---- */

static void a_fin_in_time_moves_fin_wait_2_to_time_wait(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_FIN_WAIT_2);
	later(&w, 50 * NS_PER_S);
	refuse(&w, &seg);
	assert_reason(&w, NONE);
	assert_int_equal(tern_timewait_state(&w.tw, w.idx), TERN_TIME_WAIT);
	/* The right edge of the window must not move left (SHLD-14). */
	assert_int_equal(tern_tw_at(&w.tw, w.idx)->rcv_wnd, WINDOW >> 2);
	assert_acked(&w, RCV_NXT + 1);
	assert_in_range(left_ns(&w), 60 * NS_PER_S, 60 * NS_PER_S + TERN_TICK_NS);
	assert_int_equal(w.tw.finwait2, 0);
	assert_int_equal(COUNT(&w, TcpExtTW), 1);
	assert_int_equal(tern_tw_at(&w.tw, w.idx)->ts_recent, TS_RECENT + 1);
	refuse(&w, &seg); /* the same FIN again is a repeated one now */
	assert_reason(&w, TCP_TIMEWAIT);
	assert_acked(&w, RCV_NXT + 1);
	world_close(&w);
}

static void a_fin_behind_known_data_counts_too(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_FIN_WAIT_2);
	seg.seq -= 4;
	seg.data = data;
	seg.len = 4;
	refuse(&w, &seg);
	assert_reason(&w, NONE);
	assert_int_equal(tern_timewait_state(&w.tw, w.idx), TERN_TIME_WAIT);
	assert_acked(&w, RCV_NXT + 1);
	world_close(&w);
}

static void a_fin_needs_no_room_in_the_window(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_FIN_WAIT_2);
	tern_tw_at(&w.tw, w.idx)->rcv_wnd = 0;
	refuse(&w, &seg);
	assert_int_equal(tern_timewait_state(&w.tw, w.idx), TERN_TIME_WAIT);
	assert_int_equal(next_reply(&w).wnd, 0);
	world_close(&w);
}

static void new_data_for_an_orphan_is_reset(void **state)
{
	const struct {
		uint16_t flags;
		int32_t from_edge;
		uint32_t len;
	} cases[] = {
		{ TERN_ACK, 0, 1 },
		{ TERN_ACK, -1, 2 },
		{ TERN_ACK, 5, 1 },
		{ TERN_ACK | TERN_FIN, 0, 1 },
		{ TERN_ACK | TERN_FIN, 1, 0 }, /* a FIN beyond a gap: there is data in the gap */
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg = segment(cases[i].flags);
		struct tern_reply r;
		struct world w;

		world_open(&w, TERN_FIN_WAIT_2);
		seg.seq += (uint32_t)cases[i].from_edge;
		seg.data = data;
		seg.len = cases[i].len;
		refuse(&w, &seg);
		assert_reason(&w, TCP_ABORT_ON_DATA);
		r = next_reply(&w);
		assert_int_equal(r.flags, TERN_RST);
		assert_int_equal(r.seq, seg.ack);
		assert_int_equal(find(&w, &w.flow), 0);
		assert_int_equal(w.tw.finwait2, 0);
		assert_int_equal(COUNT(&w, TcpExtTCPAbortOnData), 1);
		world_close(&w);
	}
}

static void fin_wait_2_judges_the_window_at_its_edges(void **state)
{
	static const struct {
		int32_t from_edge;
		uint32_t len;
		enum tern_drop reason;
	} cases[] = {
		{ -1, 0, TERN_DROP_TCP_OLD_SEQUENCE },
		{ -1, 1, TERN_DROP_TCP_OLD_SEQUENCE },
		{ 0, 0, TERN_DROP_NONE },
		{ WINDOW - 1, 0, TERN_DROP_NONE },
		{ WINDOW - 1, 1, TERN_DROP_TCP_ABORT_ON_DATA },
		{ WINDOW, 0, TERN_DROP_TCP_INVALID_SEQUENCE },
		{ WINDOW, 1, TERN_DROP_TCP_INVALID_SEQUENCE },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg = segment(TERN_ACK);
		struct world w;

		world_open(&w, TERN_FIN_WAIT_2);
		seg.seq += (uint32_t)cases[i].from_edge;
		seg.data = data;
		seg.len = cases[i].len;
		refuse(&w, &seg);
		assert_int_equal(w.reason, cases[i].reason);
		if (w.reason == TERN_DROP_TCP_OLD_SEQUENCE ||
		    w.reason == TERN_DROP_TCP_INVALID_SEQUENCE)
			assert_acked(&w, RCV_NXT);
		world_close(&w);
	}
}

static void a_reset_ends_fin_wait_2_only_at_the_very_edge(void **state)
{
	static const struct {
		int32_t from_edge;
		enum tern_drop reason;
	} cases[] = {
		{ -1, TERN_DROP_TCP_INVALID_RST },     { 0, TERN_DROP_TCP_RESET },
		{ 1, TERN_DROP_TCP_RST_CHALLENGED },   { WINDOW - 1, TERN_DROP_TCP_RST_CHALLENGED },
		{ WINDOW, TERN_DROP_TCP_INVALID_RST },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg = segment(TERN_RST);
		struct world w;

		world_open(&w, TERN_FIN_WAIT_2);
		seg.seq += (uint32_t)cases[i].from_edge;
		refuse(&w, &seg);
		assert_int_equal(w.reason, cases[i].reason);
		assert_int_equal(find(&w, &w.flow) == 0, cases[i].reason == TERN_DROP_TCP_RESET);
		if (w.reason == TERN_DROP_TCP_RST_CHALLENGED)
			assert_acked(&w, RCV_NXT);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(COUNT(&w, TcpExtTCPChallengeACK),
				 cases[i].reason == TERN_DROP_TCP_RST_CHALLENGED);
		world_close(&w);
	}
}

static void a_syn_in_fin_wait_2_is_challenged_wherever_it_is(void **state)
{
	const int32_t from_edge[] = { -1000, -1, 0, 1, WINDOW, 1000000 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(from_edge); i++) {
		struct tern_segment seg = segment(TERN_SYN);
		struct world w;

		world_open(&w, TERN_FIN_WAIT_2);
		seg.seq += (uint32_t)from_edge[i];
		refuse(&w, &seg);
		assert_reason(&w, TCP_SYN_CHALLENGED);
		assert_acked(&w, RCV_NXT);
		refuse(&w, &seg);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(COUNT(&w, TcpExtTCPSYNChallenge), 2);
		assert_int_equal(COUNT(&w, TcpExtTCPChallengeACK), 1);
		assert_int_equal(COUNT(&w, TcpExtTCPACKSkippedFinWait2), 1);
		assert_int_equal(tern_timewait_state(&w.tw, w.idx), TERN_FIN_WAIT_2);
		world_close(&w);
	}
}

static void an_old_timestamp_in_fin_wait_2_is_refused(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_FIN_WAIT_2);
	seg.opt.tsval = TS_RECENT - 1;
	refuse(&w, &seg);
	assert_reason(&w, TCP_RFC7323_PAWS);
	assert_acked(&w, RCV_NXT);
	assert_int_equal(COUNT(&w, TcpExtPAWSEstab), 1);
	assert_int_equal(tern_timewait_state(&w.tw, w.idx), TERN_FIN_WAIT_2);
	world_close(&w);
}

static void a_fin_that_acknowledges_what_we_never_sent_is_refused(void **state)
{
	(void)state;
	for (int d = -1; d <= 1; d++) {
		struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
		struct world w;

		world_open(&w, TERN_FIN_WAIT_2);
		seg.ack += (uint32_t)d;
		refuse(&w, &seg);
		assert_int_equal(w.reason, d > 0 ? TERN_DROP_TCP_ACK_UNSENT_DATA : TERN_DROP_NONE);
		assert_int_equal(tern_timewait_state(&w.tw, w.idx),
				 d > 0 ? TERN_FIN_WAIT_2 : TERN_TIME_WAIT);
		assert_acked(&w, d > 0 ? RCV_NXT : RCV_NXT + 1);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repeated_fin_is_acknowledged_and_restarts_two_msl),
		cmocka_unit_test(a_fin_repeated_with_its_data_restarts_it_too),
		cmocka_unit_test(nothing_else_restarts_it),
		cmocka_unit_test(an_empty_segment_in_order_is_taken_in_silence),
		cmocka_unit_test(two_ends_in_time_wait_fall_silent),
		cmocka_unit_test(late_data_is_acknowledged_again),
		cmocka_unit_test(answers_to_empty_segments_are_limited),
		cmocka_unit_test(a_reset_ends_time_wait_at_the_edge_if_tcp_rfc1337_lets_it),
		cmocka_unit_test(an_old_timestamp_in_time_wait_is_refused),
		cmocka_unit_test(forms_that_nobody_sends_are_dropped_without_a_word),
		cmocka_unit_test(a_record_without_timestamps_asks_for_none),
		cmocka_unit_test(a_fin_in_time_moves_fin_wait_2_to_time_wait),
		cmocka_unit_test(a_fin_behind_known_data_counts_too),
		cmocka_unit_test(a_fin_needs_no_room_in_the_window),
		cmocka_unit_test(new_data_for_an_orphan_is_reset),
		cmocka_unit_test(fin_wait_2_judges_the_window_at_its_edges),
		cmocka_unit_test(a_reset_ends_fin_wait_2_only_at_the_very_edge),
		cmocka_unit_test(a_syn_in_fin_wait_2_is_challenged_wherever_it_is),
		cmocka_unit_test(an_old_timestamp_in_fin_wait_2_is_refused),
		cmocka_unit_test(a_fin_that_acknowledges_what_we_never_sent_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
