/* SPDX-License-Identifier: BSD-2-Clause */
/* When a tuple in TIME-WAIT may be used again, and from where. */
#include "world.h"

/* RFC9293:MAY-2 RFC9293:SHLD-4 RFC6191:2 */
static void a_syn_reopens_by_timestamp_or_sequence_number(void **state)
{
	/* old and new: with timestamps? d_ts and d_seq: beyond TS.Recent and RCV.NXT */
	static const struct {
		bool old_ts, new_ts;
		int32_t d_ts, d_seq;
		bool reopens;
	} cases[] = {
		{ true, true, 1, -1000, true },
		{ true, true, 1, 0, true },
		{ true, true, 0, -1, false },
		{ true, true, 0, 0, false },
		{ true, true, 0, 1, true },
		{ true, true, -1, -1, false },
		{ true, true, -1, 1, false },
		{ true, true, -1, 100000, false },
		{ true, false, 0, -1, false },
		{ true, false, 0, 0, false },
		{ true, false, 0, 1, true },
		{ false, true, 0, -1000, true },
		{ false, false, 0, -1, false },
		{ false, false, 0, 0, false },
		{ false, false, 0, 1, true },
		{ false, false, 0, INT32_MAX, true },
		{ false, false, 0, INT32_MIN + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg = segment(TERN_SYN);
		struct world w;

		world_open(&w, TERN_TIME_WAIT);
		tern_tw_at(&w.tw, w.idx)->timestamps = cases[i].old_ts;
		seg.opt.present = cases[i].new_ts ? TERN_OPT_TS : 0;
		seg.opt.tsval = TS_RECENT + (uint32_t)cases[i].d_ts;
		seg.seq += (uint32_t)cases[i].d_seq;
		assert_int_equal(input(&w, &seg), cases[i].reopens ? TERN_TW_REOPEN : TERN_TW_DROP);
		if (cases[i].reopens) {
			assert_int_equal(replies(&w), 0);
			assert_int_equal(find(&w, &w.flow), w.idx); /* it still stands */
		} else {
			assert_reason(&w, TCP_SYN_CHALLENGED);
			assert_int_equal(next_reply(&w).flags, TERN_ACK);
			assert_int_equal(COUNT(&w, TcpExtTCPSYNChallenge), 1);
			assert_int_equal(COUNT(&w, TcpExtTCPChallengeACK), 1);
		}
		world_close(&w);
	}
}

static void without_the_knob_a_timestamp_proves_nothing(void **state)
{
	struct tern_segment seg = segment(TERN_SYN);
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	w.knobs.tcp_timestamps = 0;
	seg.opt.tsval = TS_RECENT + 1000;
	assert_int_equal(input(&w, &seg), TERN_TW_DROP);
	seg.seq++;
	assert_int_equal(input(&w, &seg), TERN_TW_REOPEN);
	world_close(&w);
}

static void only_a_plain_syn_reopens(void **state)
{
	const uint16_t flags[] = { TERN_SYN | TERN_ACK, TERN_SYN | TERN_FIN, TERN_SYN | TERN_RST,
				   TERN_ACK };

	(void)state;
	for (size_t i = 0; i <= TERN_ARRAY_SIZE(flags); i++) {
		struct tern_segment seg = segment(TERN_SYN);
		struct world w;

		world_open(&w, TERN_TIME_WAIT);
		seg.seq += 1000;
		seg.opt.tsval += 1000;
		if (i < TERN_ARRAY_SIZE(flags))
			seg.flags = flags[i];
		else
			seg.options_malformed = true;
		refuse(&w, &seg);
		world_close(&w);
	}
}

static void fin_wait_2_never_reopens(void **state)
{
	struct tern_segment seg = segment(TERN_SYN);
	struct world w;

	(void)state;
	world_open(&w, TERN_FIN_WAIT_2);
	seg.seq += 1000;
	seg.opt.tsval += 1000;
	refuse(&w, &seg);
	world_close(&w);
}

static void a_syn_nobody_takes_is_acknowledged(void **state)
{
	struct tern_segment seg = segment(TERN_SYN);
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	assert_int_equal(input(&w, &seg), TERN_TW_REOPEN);
	tern_timewait_refuse(&w.tw, w.idx, &w.flow, &seg, &w.reason);
	assert_reason(&w, TCP_SYN_CHALLENGED);
	assert_acked(&w, RCV_NXT);
	world_close(&w);
}

static void the_new_connection_starts_beyond_the_old_one(void **state)
{
	struct tern_segment seg = segment(TERN_SYN);
	struct world w;
	tern_seq clock;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	clock = tern_isn(&w.tcp.isn, &w.flow, w.tcp.now);
	/* Beyond SND.NXT by more than a window where the clock is behind, else by the clock. */
	for (int d = -1; d <= 1; d++) {
		tern_tw_at(&w.tw, w.idx)->snd_nxt = clock - 65537 + (uint32_t)d;
		assert_int_equal(input(&w, &seg), TERN_TW_REOPEN);
		assert_int_equal(w.iss, clock + (d > 0));
	}
	tern_tw_at(&w.tw, w.idx)->snd_nxt = clock + 1000000000;
	input(&w, &seg);
	assert_int_equal(w.iss, clock + 1000000000 + 65537);
	/* One more than the TSval that this very moment would show. */
	assert_int_equal(w.ts_offset, TS_OFFSET + 1);
	tern_tw_at(&w.tw, w.idx)->timestamps = 0;
	input(&w, &seg);
	assert_int_equal(w.ts_offset, tern_ts_offset(&w.tcp.isn, &w.flow, 1));
	w.knobs.tcp_timestamps = 2;
	input(&w, &seg);
	assert_int_equal(w.ts_offset, 0);
	world_close(&w);
}

static bool may_connect(struct world *w, bool loopback)
{
	return tern_timewait_may_connect(&w->tw, w->idx, loopback, &w->iss, &w->ts_offset);
}

static void our_own_connect_waits_for_tcp_tw_reuse_delay(void **state)
{
	const uint64_t age_ms[] = { 0, 999, 1000, 1001, 59000 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(age_ms); i++) {
		struct world w;

		world_open(&w, TERN_TIME_WAIT);
		w.knobs.tcp_tw_reuse = 1;
		later(&w, age_ms[i] * NS_PER_MS);
		assert_int_equal(may_connect(&w, false), age_ms[i] > 1000);
		w.knobs.tcp_tw_reuse_delay = 5;
		assert_int_equal(may_connect(&w, false), age_ms[i] > 5);
		world_close(&w);
	}
}

static void the_delay_counts_from_time_wait_not_from_fin_wait_2(void **state)
{
	struct tern_segment seg = segment(TERN_FIN | TERN_ACK);
	struct world w;

	(void)state;
	world_open(&w, TERN_FIN_WAIT_2);
	w.knobs.tcp_tw_reuse = 1;
	later(&w, 10 * NS_PER_S);
	refuse(&w, &seg);
	assert_false(may_connect(&w, false));
	later(&w, 1001 * NS_PER_MS);
	assert_true(may_connect(&w, false));
	world_close(&w);
}

static void tcp_tw_reuse_has_three_modes(void **state)
{
	const bool expected[3][2] = { { false, false }, { true, true }, { false, true } };

	(void)state;
	for (uint32_t mode = 0; mode < 3; mode++) {
		for (unsigned int loopback = 0; loopback < 2; loopback++) {
			struct world w;

			world_open(&w, TERN_TIME_WAIT);
			w.knobs.tcp_tw_reuse = mode;
			later(&w, 2 * NS_PER_S);
			assert_int_equal(may_connect(&w, loopback), expected[mode][loopback]);
			world_close(&w);
		}
	}
}

static void our_own_connect_needs_timestamps_and_time_wait(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	w.knobs.tcp_tw_reuse = 1;
	later(&w, 2 * NS_PER_S);
	assert_true(may_connect(&w, false));
	assert_int_equal(w.ts_offset, TS_OFFSET + 1);
	assert_int_equal(w.iss,
			 tern_seq_max(SND_NXT + 65537, tern_isn(&w.tcp.isn, &w.flow, w.tcp.now)));
	tern_tw_at(&w.tw, w.idx)->snd_nxt = tern_isn(&w.tcp.isn, &w.flow, w.tcp.now) - 1000000;
	assert_true(may_connect(&w, false));
	assert_int_equal(w.iss, tern_isn(&w.tcp.isn, &w.flow, w.tcp.now));
	w.knobs.tcp_timestamps = 0;
	assert_false(may_connect(&w, false));
	w.knobs.tcp_timestamps = 1;
	tern_tw_at(&w.tw, w.idx)->timestamps = 0;
	assert_false(may_connect(&w, false));
	world_close(&w);
	world_open(&w, TERN_FIN_WAIT_2);
	w.knobs.tcp_tw_reuse = 1;
	later(&w, 2 * NS_PER_S);
	assert_false(may_connect(&w, false));
	world_close(&w);
}

static void the_age_survives_the_turn_of_its_clock(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	w.knobs.tcp_tw_reuse = 1;
	tern_tcp_set_now(&w.tcp, (UINT64_C(3) << 24) * NS_PER_MS - 500 * NS_PER_MS);
	tern_timewait_tick(&w.tw);
	w.flow = peer(1);
	w.idx = leave(&w, &w.flow, TERN_TIME_WAIT, false);
	later(&w, 1000 * NS_PER_MS);
	assert_false(may_connect(&w, false));
	later(&w, NS_PER_MS);
	assert_true(may_connect(&w, false));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_reopens_by_timestamp_or_sequence_number),
		cmocka_unit_test(without_the_knob_a_timestamp_proves_nothing),
		cmocka_unit_test(only_a_plain_syn_reopens),
		cmocka_unit_test(fin_wait_2_never_reopens),
		cmocka_unit_test(a_syn_nobody_takes_is_acknowledged),
		cmocka_unit_test(the_new_connection_starts_beyond_the_old_one),
		cmocka_unit_test(our_own_connect_waits_for_tcp_tw_reuse_delay),
		cmocka_unit_test(the_delay_counts_from_time_wait_not_from_fin_wait_2),
		cmocka_unit_test(tcp_tw_reuse_has_three_modes),
		cmocka_unit_test(our_own_connect_needs_timestamps_and_time_wait),
		cmocka_unit_test(the_age_survives_the_turn_of_its_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
