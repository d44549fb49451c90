/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery with SACK: the scoreboard (RFC 2018, RFC 6675), D-SACK (RFC 2883), RACK (RFC 8985), and
 * what is taken back (RFC 3522, RFC 3708). Blocks are written in segments.
 */
#include "fixture.h"
#include "tcp/recovery.h"

#define MSS 1000u

struct block {
	uint32_t from, to;
};

/* Ten segments in flight, ten more to send; 10 ms later. */
static struct room *ten_in_flight(struct setup s)
{
	struct room *r;

	s.mss = MSS;
	s.wscale = 7;
	s.sndbuf = 1 << 20;
	s.iss = 0u - 3500;
	r = room_new(s);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 2000);
	r->c->cc.mss = MSS;
	tern_cc_set_window(&r->c->cc, 10);
	app_send(r, 0, 20 * MSS);
	assert_int_equal(drain(r), 10);
	pass(r, 10 * MS);
	return r;
}

static void sack2(struct room *r, uint32_t ack, struct block a, struct block b)
{
	struct tern_tcp_options opt = { .present = TERN_OPT_SACK, .sack_count = 1 };

	opt.sack[0].left = r->iss + 1 + a.from * MSS;
	opt.sack[0].right = r->iss + 1 + a.to * MSS;
	if (b.to) {
		opt.sack[opt.sack_count].left = r->iss + 1 + b.from * MSS;
		opt.sack[opt.sack_count++].right = r->iss + 1 + b.to * MSS;
	}
	FEED(r, .seq = 1, .ack = 1 + ack * MSS, .flags = TERN_ACK, .wnd = 2000, .opt = opt);
}

static void sack(struct room *r, uint32_t ack, uint32_t from, uint32_t to)
{
	sack2(r, ack, (struct block){ from, to }, (struct block){ 0, 0 });
}

static uint8_t ca(const struct room *r)
{
	return traffic(r)->repair.state;
}

/* Three SACKed segments, one at a time; the first has gone again then. */
static void lose_the_first(struct room *r)
{
	for (uint32_t i = 2; i <= 3; i++) {
		sack(r, 0, 1, i);
		assert_out(r, 1 + (8 + i) * MSS, MSS, TERN_ACK);
		assert_int_equal(ca(r), TERN_CA_DISORDER);
		assert_quiet(r);
	}
	sack(r, 0, 1, 4);
	assert_int_equal(ca(r), TERN_CA_RECOVERY);
	assert_out(r, 1, MSS, TERN_ACK);
	assert_quiet(r);
}

static void three_sacked_segments_mean_that_the_one_before_is_lost(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	lose_the_first(r);
	assert_int_equal(r->c->cc.ssthresh, 7 * MSS);
	assert_int_equal(traffic(r)->flight.sacked, 3);
	assert_int_equal(traffic(r)->flight.lost, 1);
	assert_int_equal(traffic(r)->flight.again, 1);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPSackRecovery), 1);
	sack(r, 12, 12, 12);
	assert_int_equal(ca(r), TERN_CA_OPEN);
	assert_int_equal(r->c->cc.cwnd, 8 * MSS); /* ssthresh, and CUBIC's first step */
	room_free(r);
}

/* RFC 6937: proportional rate reduction: 7 of 10. */
static void in_recovery_seven_of_ten_are_sent(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });
	unsigned int out = 1;

	(void)state;
	lose_the_first(r);
	for (uint32_t i = 5; i <= 12; i++) {
		sack(r, 0, 1, i);
		out += drain(r);
	}
	/* eleven arrived: eight by the rate, and up to ssthresh what is missing there */
	assert_int_equal(tern_flight_pipe(&traffic(r)->flight), 7);
	assert_int_equal(traffic(r)->repair.prr_delivered, 9);
	assert_int_equal(out, traffic(r)->repair.prr_out);
	room_free(r);
}

static void what_is_overtaken_is_lost_a_quarter_of_the_least_round_trip_later(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });
	uint64_t start = r->t.now;

	(void)state;
	sack(r, 0, 1, 2);
	assert_int_equal(drain(r), 1);
	assert_int_equal(traffic(r)->due, TERN_DUE_REORDER);
	pass(r, S);
	assert_in_range(r->t.now - start, 2 * MS, 5 * MS); /* 250 us, and the timer's slack */
	assert_int_equal(ca(r), TERN_CA_RECOVERY);
	assert_out(r, 1, MSS, TERN_ACK);
	room_free(r);
}

static void what_arrives_late_is_reordering_and_no_loss(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	sack(r, 0, 1, 3);
	drain(r);
	FEED(r, .seq = 1, .ack = 1 + 3 * MSS, .flags = TERN_ACK, .wnd = 2000);
	assert_int_equal(ca(r), TERN_CA_OPEN);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPSACKReorder), 1);
	assert_int_equal(r->c->totals.reord_seen, 1);
	assert_int_equal(counter(r, TERN_CNT_TcpRetransSegs), 0);
	room_free(r);
}

static void a_retransmission_that_is_lost_is_sent_again(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	lose_the_first(r);
	pass(r, 2 * MS);
	sack(r, 0, 1, 12); /* lets new data out, later than the retransmission */
	assert_true(drain(r) > 0);
	pass(r, 12 * MS);
	sack(r, 0, 1, 13);
	/* once: of what left at the instant of the retransmission all was earlier */
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPLostRetransmit), 1);
	assert_out(r, 1, MSS, TERN_ACK);
	room_free(r);
}

static void a_dsack_for_the_retransmission_takes_the_reduction_back(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	lose_the_first(r);
	sack(r, 12, 0, 1);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPDSACKRecv), 1);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPFullUndo), 1);
	assert_int_equal(ca(r), TERN_CA_OPEN);
	assert_true(tern_cc_segments(&r->c->cc) >= 10);
	assert_int_equal(r->c->cc.ssthresh, TERN_CC_SSTHRESH_NONE);
	room_free(r);
}

/* … also when it comes after recovery has ended. */
static void a_dsack_may_be_late(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	lose_the_first(r);
	FEED(r, .seq = 1, .ack = 1 + 12 * MSS, .flags = TERN_ACK, .wnd = 2000);
	assert_int_equal(r->c->cc.ssthresh, 7 * MSS);
	drain(r);
	sack(r, 12, 0, 1);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPDSACKUndo), 1);
	assert_int_equal(r->c->cc.ssthresh, TERN_CC_SSTHRESH_NONE);
	assert_true(tern_cc_segments(&r->c->cc) >= 10);
	room_free(r);
}

static void a_dsack_for_what_was_never_sent_again_is_not_believed(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	FEED(r, .seq = 1, .ack = 1 + 5 * MSS, .flags = TERN_ACK, .wnd = 2000);
	drain(r);
	sack(r, 5, 0, 1);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPDSACKIgnoredDubious), 1);
	assert_int_equal(ca(r), TERN_CA_OPEN);
	room_free(r);
}

/* Eifel: the ACK echoes the timestamp of the first transmission. */
static void an_old_echo_takes_the_reduction_back_and_a_new_one_does_not(void **state)
{
	for (uint32_t late = 0; late < 2; late++) {
		struct room *r = ten_in_flight((struct setup){ .ts = true });
		struct tern_tcp_options opt = { .present = TERN_OPT_TS, .tsval = 1 };

		(void)state;
		for (uint32_t i = 2; i <= 4; i++) {
			struct tern_tcp_options s = {
				.present = TERN_OPT_TS | TERN_OPT_SACK,
				.tsval = 1,
				.tsecr = tern_ms(r->t.now) - 10,
				.sack_count = 1,
				.sack = { { r->iss + 1 + r->c->cc.mss,
					    r->iss + 1 + i * r->c->cc.mss } },
			};

			FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 2000, .opt = s);
			drain(r);
		}
		assert_int_equal(ca(r), TERN_CA_RECOVERY);
		opt.tsecr = tern_ms(r->t.now) - !late;
		FEED(r, .seq = 1, .ack = 1 + 12 * r->c->cc.mss, .flags = TERN_ACK, .wnd = 2000,
		     .opt = opt);
		assert_int_equal(counter(r, TERN_CNT_TcpExtTCPFullUndo), !late);
		assert_int_equal(ca(r), TERN_CA_OPEN);
		room_free(r);
	}
}

/* A15: reversed, beyond SND.NXT, below SND.UNA, empty. */
static void blocks_that_cannot_be_true_are_not_looked_at(void **state)
{
	static const struct block lies[] = { { 5, 4 }, { 8, 14 }, { 12, 14 }, { 0, 2 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(lies); i++) {
		struct room *r = ten_in_flight((struct setup){ 0 });

		sack(r, 0, lies[i].from, lies[i].to);
		assert_int_equal(traffic(r)->flight.sacked, 0);
		assert_int_equal(counter(r, TERN_CNT_TcpExtTCPSACKDiscard), 1);
		room_free(r);
	}
}

/* A part of a segment is no segment. */
static void a_block_counts_by_whole_segments(void **state)
{
	for (int off = -1; off <= 1; off++) {
		struct room *r = ten_in_flight((struct setup){ 0 });
		struct tern_sack_block b = { r->iss + 1 + 2 * MSS,
					     r->iss + 1 + 4 * MSS + (uint32_t)off };

		(void)state;
		FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 2000,
		     .opt = { .present = TERN_OPT_SACK, .sack_count = 1, .sack = { b } });
		assert_int_equal(traffic(r)->flight.sacked, off < 0 ? 1 : 2);
		room_free(r);
	}
}

/* RFC 2018 §8: the peer may throw away what it has SACKed. */
static void who_throws_away_what_he_sacked_is_sent_it_again(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });
	uint64_t start;

	(void)state;
	sack(r, 0, 1, 10);
	drain(r);
	start = r->t.now;
	sack2(r, 1, (struct block){ 5, 6 }, (struct block){ 0, 0 });
	drain(r);
	pass(r, S);
	assert_in_range(r->t.now - start, 10 * MS, 13 * MS);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPSACKReneging), 1);
	assert_int_equal(traffic(r)->flight.sacked, 0);
	assert_out(r, 1 + MSS, MSS, TERN_ACK);
	room_free(r);
}

static void without_memory_for_the_scoreboard_the_timeout_repairs(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	r->mem.limit = r->mem.used;
	sack(r, 0, 3, 4);
	assert_int_equal(traffic(r)->flight.sacked, 0);
	drain(r);
	pass(r, 10 * S);
	assert_out(r, 1, MSS, TERN_ACK);
	room_free(r);
}

/* CVE-2019-11477 and its kin: what is kept of a flight, and looked through, has a limit. */
static void a_flight_has_at_most_4096_bursts(void **state)
{
	struct room *r = ten_in_flight((struct setup){ 0 });

	(void)state;
	FEED(r, .seq = 1, .ack = 1 + 10 * MSS, .flags = TERN_ACK, .wnd = 2000);
	drain(r);
	FEED(r, .seq = 1, .ack = 1 + 20 * MSS, .flags = TERN_ACK, .wnd = 2000);
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_NODELAY, 1);
	tern_cc_set_window(&r->c->cc, 10000);
	r->c->snd_buf = 1 << 24; /* each of the bursts is charged */
	for (uint32_t i = 0; i < 5000; i++) {
		app_send(r, 20 * MSS + i, 1);
		assert_int_equal(drain(r), 1);
	}
	assert_int_equal(traffic(r)->flight.bursts, TERN_BURSTS_MAX);
	assert_int_equal(traffic(r)->flight.packets, 5000);
	FEED(r, .seq = 1, .ack = 1 + 20 * MSS + 5000, .flags = TERN_ACK, .wnd = 2000);
	assert_int_equal(r->t.bursts.used, 0);
	room_free(r);
}

/* ---- as receiver ---- */

static void what_comes_twice_is_told_once(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS });

	(void)state;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = 2 * MSS, .wnd = 65535);
	assert_int_equal(drain(r), 1);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = MSS, .wnd = 65535);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.opt.sack_count, 1);
	assert_int_equal(r->tx.seg.opt.sack[0].left - r->irs, 1);
	assert_int_equal(r->tx.seg.opt.sack[0].right - r->irs, 1 + MSS);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPDSACKOldSent), 1);
	assert_quiet(r);
	FEED(r, .seq = 4001, .ack = 1, .flags = TERN_ACK, .len = MSS, .wnd = 65535);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.opt.sack_count, 1);
	FEED(r, .seq = 4501, .ack = 1, .flags = TERN_ACK, .len = 100, .wnd = 65535);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.opt.sack_count, 2); /* RFC 2883 §4.1: inside the second */
	assert_int_equal(r->tx.seg.opt.sack[0].left - r->irs, 4501);
	assert_int_equal(r->tx.seg.opt.sack[0].right - r->irs, 4601);
	assert_int_equal(r->tx.seg.opt.sack[1].left - r->irs, 4001);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPDSACKOfoSent), 1);
	r->knobs.tcp_dsack = 0;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .len = MSS, .wnd = 65535);
	assert_out(r, 1, 0, TERN_ACK);
	assert_int_equal(r->tx.seg.opt.sack_count, 1);
	room_free(r);
}

/* RFC 2018 §4: first what came last, then what was reported before that. */
static void blocks_are_reported_latest_first(void **state)
{
	static const uint32_t order[] = { 3001, 9001, 5001, 9101, 7001 };
	static const uint32_t reported[] = { 7001, 9001, 5001, 3001 };
	struct room *r = room_new((struct setup){ .mss = MSS });

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(order); i++)
		FEED(r, .seq = order[i], .ack = 1, .flags = TERN_ACK, .len = 100, .wnd = 65535);
	drain(r);
	assert_int_equal(r->tx.seg.opt.sack_count, 4);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(reported); i++)
		assert_int_equal(r->tx.seg.opt.sack[i].left - r->irs, reported[i]);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_sacked_segments_mean_that_the_one_before_is_lost),
		cmocka_unit_test(in_recovery_seven_of_ten_are_sent),
		cmocka_unit_test(what_is_overtaken_is_lost_a_quarter_of_the_least_round_trip_later),
		cmocka_unit_test(what_arrives_late_is_reordering_and_no_loss),
		cmocka_unit_test(a_retransmission_that_is_lost_is_sent_again),
		cmocka_unit_test(a_dsack_for_the_retransmission_takes_the_reduction_back),
		cmocka_unit_test(a_dsack_may_be_late),
		cmocka_unit_test(a_dsack_for_what_was_never_sent_again_is_not_believed),
		cmocka_unit_test(an_old_echo_takes_the_reduction_back_and_a_new_one_does_not),
		cmocka_unit_test(blocks_that_cannot_be_true_are_not_looked_at),
		cmocka_unit_test(a_block_counts_by_whole_segments),
		cmocka_unit_test(who_throws_away_what_he_sacked_is_sent_it_again),
		cmocka_unit_test(without_memory_for_the_scoreboard_the_timeout_repairs),
		cmocka_unit_test(a_flight_has_at_most_4096_bursts),
		cmocka_unit_test(what_comes_twice_is_told_once),
		cmocka_unit_test(blocks_are_reported_latest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
