/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How loss is found and repaired without SACK: RFC 5681, RFC 6582, RFC 6937, RFC 6298 (5.4) to
 * (5.7); and the loss probe, RFC 8985 §7.
 */
#include "fixture.h"

#define DATA (TERN_ACK | TERN_PSH)
#define MSS  1000u

/* n full segments in flight behind an ACK for nothing; ISNs such that 2^32 is among them. */
static struct room *room_flight(unsigned int n)
{
	struct room *r = room_new((struct setup){ .iss = 0u - 3500,
						  .mss = MSS,
						  .wscale = 7,
						  .sndbuf = 1 << 21,
						  .no_sack = true });

	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = (1 << 20) >> 7);
	r->c->cc.cwnd = n * MSS;
	app_send(r, 0, 400 * MSS);
	assert_int_equal(drain(r), n);
	return r;
}

static void ack(struct room *r, uint32_t segments)
{
	FEED(r, .seq = 1, .ack = 1 + segments * MSS, .flags = TERN_ACK, .wnd = (1 << 20) >> 7);
}

static uint32_t cwnd(const struct room *r)
{
	return r->c->cc.cwnd / MSS;
}

static void the_third_duplicate_starts_recovery_and_not_the_second(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	for (uint32_t i = 0; i < 2; i++) { /* RFC 3042: each lets a new segment out */
		ack(r, 0);
		assert_out(r, 1 + (20 + i) * MSS, MSS, TERN_ACK);
		assert_quiet(r);
	}
	ack(r, 0);
	assert_out(r, 1, MSS, TERN_ACK);
	assert_payload(r);
	assert_int_equal(r->c->cc.ssthresh, 14 * MSS); /* RFC 9438 §4.6 */
	assert_int_equal(cwnd(r), 19);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPFastRetrans), 1);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPRenoRecovery), 1);
	assert_quiet(r);
	room_free(r);
}

static void what_is_no_duplicate_does_not_count(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		/* a window update, and data */
		FEED(r, .seq = 1 + i, .ack = 1, .flags = TERN_ACK, .wnd = (uint16_t)(9000 + i));
		FEED(r, .seq = 1 + i, .ack = 1, .flags = TERN_ACK, .wnd = (uint16_t)(9000 + i),
		     .len = 1);
	}
	while (pull(r))
		assert_int_equal(r->tx.seg.len, 0);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_OPEN);
	room_free(r);
}

/* With two or three in flight there are not three duplicates: the timeout has to do. */
static void few_segments_in_flight_wait_for_the_timeout(void **state)
{
	for (uint32_t n = 1; n <= 5; n++) {
		struct room *r = room_flight(n);
		uint32_t dupacks = 0;

		(void)state;
		r->c->snd.wnd = n * MSS; /* no limited transmit */
		while (dupacks + 1 < n && !pull(r)) {
			FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = (uint16_t)(n * 7));
			dupacks++;
		}
		assert_int_equal(dupacks, n < 4 ? n - 1 : 3);
		assert_int_equal(traffic(r)->repair.state, n < 2   ? TERN_CA_OPEN
							   : n < 4 ? TERN_CA_DISORDER
								   : TERN_CA_RECOVERY);
		room_free(r);
	}
}

/* RFC 6937: as it ends, seven tenths of what arrived has been sent. */
static void seven_of_ten_duplicates_in_recovery_let_one_out(void **state)
{
	struct room *r = room_flight(20);
	unsigned int out = 0;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		ack(r, 0);
		assert_int_equal(drain(r), 1);
	}
	for (unsigned int i = 0; i < 10; i++) {
		ack(r, 0);
		out += drain(r);
	}
	assert_int_equal(out, 7);
	assert_int_equal(traffic(r)->repair.prr_out, 8);
	room_free(r);
}

static void a_partial_ack_repairs_the_next_hole(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		ack(r, 0);
		assert_int_equal(drain(r), 1);
	}
	ack(r, 5);
	assert_out(r, 1 + 5 * MSS, MSS, TERN_ACK);
	assert_payload(r);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_RECOVERY);
	drain(r);
	ack(r, 22); /* RFC 6582 §3.2 step 2: not beyond where it began */
	assert_int_equal(traffic(r)->repair.state, TERN_CA_RECOVERY);
	drain(r);
	ack(r, 23);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_OPEN);
	assert_int_equal(r->c->cc.cwnd, r->c->cc.ssthresh);
	while (pull(r))
		assert_true(r->tx.seg.seq >= 1 + 23 * MSS);
	room_free(r);
}

/* RFC 6582 §3.2 step 2: duplicates of what recovery ended with say nothing about new losses. */
static void duplicates_of_the_recovery_point_start_no_second_recovery(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	pass(r, 10 * S);
	assert_int_equal(drain(r), 1);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_LOSS);
	ack(r, 20);
	assert_true(drain(r) > 0);
	for (unsigned int i = 0; i < 5; i++)
		ack(r, 20);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_LOSS);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPRenoRecovery), 0);
	ack(r, 21);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_OPEN);
	drain(r);
	for (unsigned int i = 0; i < 3; i++)
		ack(r, 21);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_RECOVERY);
	room_free(r);
}

static void the_first_segment_ever_may_be_repaired_fast(void **state)
{
	for (uint32_t iss = 0x7ffffffe; iss != 0x80000002; iss++) {
		struct room *r =
			room_new((struct setup){ .iss = iss, .mss = MSS, .no_sack = true });

		(void)state;
		FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 65535);
		app_send(r, 0, 8000);
		drain(r);
		for (unsigned int i = 0; i < 3; i++)
			FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 65535);
		assert_out(r, 1, MSS, TERN_ACK);
		room_free(r);
	}
}

/* D08: a peer that sends duplicates by the thousand does not get more than it could have earned. */
static void forged_duplicates_do_not_inflate_the_window_without_end(void **state)
{
	struct room *r = room_flight(20);
	uint32_t sent = 0;

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		ack(r, 0);
		while (pull(r))
			sent += r->tx.seg.seq > 20 * MSS;
	}
	assert_true(sent <= 20);
	room_free(r);
}

/* RFC6298:5.4 */
static void a_timeout_repeats_everything_as_the_window_opens(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	r->knobs.tcp_frto = 0;
	pass(r, 10 * S);
	assert_out(r, 1, MSS, TERN_ACK);
	assert_quiet(r);
	assert_int_equal(cwnd(r), 1);
	assert_int_equal(r->c->cc.ssthresh, 14 * MSS);
	ack(r, 1);
	assert_out(r, 1 + MSS, MSS, TERN_ACK);
	assert_out(r, 1 + 2 * MSS, MSS, TERN_ACK);
	assert_payload(r);
	assert_quiet(r);
	ack(r, 3);
	assert_int_equal(drain(r), 4);
	ack(r, 19);
	assert_int_equal(cwnd(r), 14);
	assert_out(r, 1 + 19 * MSS, MSS, TERN_ACK);
	assert_true(pull(r));
	assert_int_equal(r->tx.seg.seq, 1 + 20 * MSS); /* and on to what was never sent */
	room_free(r);
}

/* RFC 5682: new data before what may not be lost at all. */
static void a_timeout_that_was_none_is_taken_back(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	pass(r, 10 * S);
	assert_out(r, 1, MSS, TERN_ACK);
	ack(r, 1);
	assert_out(r, 1 + 20 * MSS, MSS, TERN_ACK);
	assert_out(r, 1 + 21 * MSS, MSS, TERN_ACK);
	assert_quiet(r);
	ack(r, 2); /* this was sent once only */
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPSpuriousRTOs), 1);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_OPEN);
	assert_int_equal(cwnd(r), 21); /* in slow start as before */
	assert_int_equal(r->c->cc.ssthresh, TERN_CC_SSTHRESH_NONE);
	room_free(r);
}

static void a_duplicate_after_a_timeout_says_that_it_was_a_loss(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	pass(r, 10 * S);
	assert_int_equal(drain(r), 1);
	ack(r, 1);
	assert_int_equal(drain(r), 2);
	ack(r, 1);
	assert_out(r, 1 + MSS, MSS, TERN_ACK);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPSpuriousRTOs), 0);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_LOSS);
	room_free(r);
}

static void ssthresh_is_set_by_the_first_timeout_only(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		pass(r, 100 * S);
		assert_int_equal(drain(r), 1);
	}
	assert_int_equal(r->c->cc.ssthresh, 14 * MSS);
	room_free(r);
}

static void a_fin_in_flight_is_repeated_with_the_last_data(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS });

	(void)state;
	app_send(r, 0, 500);
	tern_tcp_shutdown(&r->t, r->idx, TERN_SHUT_WR);
	assert_out(r, 1, 500, DATA | TERN_FIN);
	assert_quiet(r);
	pass(r, 10 * S);
	assert_out(r, 1, 500, DATA | TERN_FIN);
	FEED(r, .seq = 1, .ack = 501, .flags = TERN_ACK, .wnd = 65535);
	assert_quiet(r);
	pass(r, 10 * S);
	assert_out(r, 501, 0, TERN_ACK | TERN_FIN);
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 502, .flags = TERN_ACK, .wnd = 65535);
	assert_int_equal(r->c->state, TERN_FIN_WAIT_2);
	room_free(r);
}

static void small_segments_are_repeated_as_one(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS });

	(void)state;
	tern_tcp_set_option(&r->t, r->idx, TERN_SO_NODELAY, 1);
	for (uint32_t i = 0; i < 5; i++) {
		app_send(r, i * 10, 10);
		assert_out(r, 1 + i * 10, 10, DATA);
	}
	assert_quiet(r);
	pass(r, 10 * S);
	assert_out(r, 1, 50, DATA);
	assert_payload(r);
	room_free(r);
}

/* RFC 5927: smaller segments at once, and no sign of congestion. */
static void a_smaller_path_mtu_repeats_in_smaller_segments(void **state)
{
	struct room *r = room_new((struct setup){ .sndbuf = 100000 });
	uint32_t at = 1;

	(void)state;
	app_send(r, 0, 20000);
	assert_int_equal(drain(r), 10);
	tern_tcp_icmp(&r->t, r->idx, TERN_ICMP_TOO_BIG, EMSGSIZE, 1000, r->iss + 1);
	assert_int_equal(tern_conn_mss(r->c), 960);
	while (pull(r)) {
		assert_int_equal(r->tx.seg.seq, at);
		assert_true(r->tx.seg.len <= 960);
		assert_payload(r);
		at += r->tx.seg.len;
	}
	assert_int_equal(at, 1 + 10 * 960); /* the window, in segments of the new size */
	assert_int_equal(r->c->cc.ssthresh, TERN_CC_SSTHRESH_NONE);
	FEED(r, .seq = 1, .ack = at, .flags = TERN_ACK, .wnd = 65535);
	while (pull(r))
		assert_true(r->tx.seg.len <= 960);
	room_free(r);
}

static void a_path_mtu_lie_about_what_is_not_in_flight_changes_nothing(void **state)
{
	for (int64_t off = -1; off <= 1; off += 2) {
		struct room *r = room_new((struct setup){ .iss = 0xffffff00 });

		(void)state;
		app_send(r, 0, 500);
		drain(r);
		tern_tcp_icmp(&r->t, r->idx, TERN_ICMP_TOO_BIG, EMSGSIZE, 1000,
			      r->iss + (off < 0 ? 0u : 501u));
		assert_int_equal(tern_conn_mss(r->c), 1460);
		assert_quiet(r);
		room_free(r);
	}
}

static void repair_uses_super_segments_where_the_link_cuts(void **state)
{
	struct room *r =
		room_new((struct setup){ .gso_max = 65535, .wscale = 7, .sndbuf = 1 << 21 });
	uint32_t at = 1;

	(void)state;
	r->c->snd.wnd = 1 << 20;
	r->c->cc.cwnd = 100 * 1460;
	app_send(r, 0, 100 * 1460);
	drain(r);
	pass(r, 10 * S);
	assert_out(r, 1, 1460, TERN_ACK);
	r->c->cc.cwnd = 50 * 1460;
	FEED(r, .seq = 1, .ack = 1461, .flags = TERN_ACK, .wnd = (1 << 20) >> 7);
	at = 1461;
	while (pull(r)) {
		assert_int_equal(r->tx.seg.seq, at);
		assert_payload(r);
		at += r->tx.seg.len;
	}
	assert_true(at >= 1461 + 50 * 1460 && at <= 1461 + 51 * 1460);
	assert_int_equal(r->c->totals.retrans, 1 + (at - 1461) / 1460);
	room_free(r);
}

/* RFC 8985 §7: two round trips without an ACK, and the last segment goes again, before the RTO. */
static void a_lost_tail_is_probed_for_before_the_timeout(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS, .probes = true });
	struct tern_sack_block tail = { r->iss + 1 + 2 * MSS, r->iss + 1 + 3 * MSS };
	uint64_t start = r->t.now;

	(void)state;
	r->c->rtt.srtt8_us = 8 * 20000;
	app_send(r, 0, 3 * MSS);
	assert_int_equal(drain(r), 3);
	pass(r, 10 * S);
	assert_in_range(r->t.now - start, 42 * MS, 43 * MS);
	assert_out(r, 1 + 2 * MSS, MSS, DATA);
	assert_quiet(r);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPLossProbes), 1);
	assert_int_equal(r->c->patience.retries, 0);
	pass(r, 20 * MS);
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = 65535,
	     .opt = { .present = TERN_OPT_SACK, .sack_count = 1, .sack = { tail } });
	assert_out(r, 1, MSS, TERN_ACK); /* what the probe found out needs no two more duplicates */
	assert_quiet(r);
	FEED(r, .seq = 1, .ack = 1 + MSS, .flags = TERN_ACK, .wnd = 65535);
	assert_out(r, 1 + MSS, MSS, TERN_ACK);
	FEED(r, .seq = 1, .ack = 1 + 3 * MSS, .flags = TERN_ACK, .wnd = 65535);
	assert_quiet(r);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPTimeouts), 0);
	room_free(r);
}

/* … also when what is left in flight after an ACK is the tail. */
static void a_tail_behind_an_ack_is_probed_for(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS, .probes = true });

	(void)state;
	r->c->rtt.srtt8_us = 8 * 20000;
	app_send(r, 0, 4 * MSS);
	assert_int_equal(drain(r), 4);
	FEED(r, .seq = 1, .ack = 1 + 2 * MSS, .flags = TERN_ACK, .wnd = 65535);
	assert_quiet(r);
	pass(r, S);
	assert_out(r, 1 + 3 * MSS, MSS, DATA);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPLossProbes), 1);
	assert_int_equal(r->c->patience.retries, 0);
	room_free(r);
}

static void a_probe_that_nobody_answers_is_followed_by_the_timeout(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS, .probes = true });
	uint64_t start;

	(void)state;
	app_send(r, 0, 3 * MSS);
	assert_int_equal(drain(r), 3);
	pass(r, 10 * S);
	start = r->t.now;
	assert_int_equal(drain(r), 1);
	pass(r, 10 * S);
	assert_in_range(r->t.now - start, r->c->rtt.rto_us * UINT64_C(1000),
			r->c->rtt.rto_us * UINT64_C(1000) + 2 * TERN_TICK_NS);
	assert_out(r, 1, MSS, TERN_ACK);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPTimeouts), 1);
	assert_quiet(r);
	pass(r, 10 * S);
	assert_out(r, 1, MSS, TERN_ACK);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPLossProbes), 1);
	room_free(r);
}

static void a_timeout_in_recovery_counts_as_its_failure_and_starts_over(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		ack(r, 0);
	drain(r);
	pass(r, 10 * S);
	assert_out(r, 1, MSS, TERN_ACK);
	assert_quiet(r);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPRenoRecoveryFail), 1);
	assert_int_equal(traffic(r)->repair.state, TERN_CA_LOSS);
	assert_int_equal(traffic(r)->flight.sacked, 0);
	room_free(r);
}

/* The application was slow to tick: what it sends then puts no probe in the timeout's place. */
static void a_timeout_that_is_overdue_is_not_put_off_by_a_probe(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS, .probes = true });
	uint64_t due;

	(void)state;
	app_send(r, 0, MSS);
	drain(r);
	due = traffic(r)->rexmt_ns;
	for (int d = -1; d <= 1; d++) {
		tern_tcp_set_now(&r->t, due + (uint64_t)(int64_t)d);
		app_send(r, MSS + MSS * (uint32_t)(d + 1), MSS);
		drain(r);
		assert_int_equal(traffic(r)->rexmt_ns, due);
	}
	room_free(r);
}

/* Of a single segment the ACK may be delayed: the probe waits for that. After a timeout: none. */
static void a_single_segment_is_probed_for_late_and_a_timed_out_one_not(void **state)
{
	struct room *r = room_new((struct setup){ .mss = MSS, .probes = true });
	uint64_t start = r->t.now;

	(void)state;
	app_send(r, 0, MSS);
	assert_int_equal(drain(r), 1);
	pass(r, 10 * S);
	assert_in_range(r->t.now - start, 200 * MS, 203 * MS);
	assert_int_equal(drain(r), 1);
	assert_int_equal(r->c->patience.retries, 0);
	for (unsigned int i = 1; i <= 3; i++) {
		pass(r, 10 * S);
		assert_int_equal(drain(r), 1);
		assert_int_equal(r->c->patience.retries, i);
	}
	app_send(r, MSS, 3 * MSS);
	drain(r);
	pass(r, 10 * S);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPLossProbes), 1);
	room_free(r);
}

/*
 * A peer that took its window back: what is beyond it waits, the first segment does not.
 * RFC9293:SHLD-16
 */
static void repair_keeps_to_a_window_that_shrank(void **state)
{
	struct room *r = room_flight(20);

	(void)state;
	FEED(r, .seq = 1, .ack = 1, .flags = TERN_ACK, .wnd = (2 * MSS) >> 7);
	assert_quiet(r);
	pass(r, 10 * S);
	assert_out(r, 1, MSS, TERN_ACK);
	assert_quiet(r);
	r->c->cc.cwnd = 20 * MSS;
	FEED(r, .seq = 1, .ack = 1 + MSS, .flags = TERN_ACK, .wnd = (2 * MSS) >> 7);
	assert_out(r, 1 + MSS, MSS, TERN_ACK);
	assert_out(r, 1 + 2 * MSS, 15 * 128 - MSS, TERN_ACK);
	assert_quiet(r);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_third_duplicate_starts_recovery_and_not_the_second),
		cmocka_unit_test(what_is_no_duplicate_does_not_count),
		cmocka_unit_test(few_segments_in_flight_wait_for_the_timeout),
		cmocka_unit_test(seven_of_ten_duplicates_in_recovery_let_one_out),
		cmocka_unit_test(a_partial_ack_repairs_the_next_hole),
		cmocka_unit_test(duplicates_of_the_recovery_point_start_no_second_recovery),
		cmocka_unit_test(the_first_segment_ever_may_be_repaired_fast),
		cmocka_unit_test(forged_duplicates_do_not_inflate_the_window_without_end),
		cmocka_unit_test(a_timeout_repeats_everything_as_the_window_opens),
		cmocka_unit_test(a_timeout_that_was_none_is_taken_back),
		cmocka_unit_test(a_duplicate_after_a_timeout_says_that_it_was_a_loss),
		cmocka_unit_test(ssthresh_is_set_by_the_first_timeout_only),
		cmocka_unit_test(a_fin_in_flight_is_repeated_with_the_last_data),
		cmocka_unit_test(small_segments_are_repeated_as_one),
		cmocka_unit_test(a_smaller_path_mtu_repeats_in_smaller_segments),
		cmocka_unit_test(a_path_mtu_lie_about_what_is_not_in_flight_changes_nothing),
		cmocka_unit_test(a_lost_tail_is_probed_for_before_the_timeout),
		cmocka_unit_test(a_tail_behind_an_ack_is_probed_for),
		cmocka_unit_test(a_probe_that_nobody_answers_is_followed_by_the_timeout),
		cmocka_unit_test(repair_uses_super_segments_where_the_link_cuts),
		cmocka_unit_test(a_timeout_in_recovery_counts_as_its_failure_and_starts_over),
		cmocka_unit_test(a_single_segment_is_probed_for_late_and_a_timed_out_one_not),
		cmocka_unit_test(a_timeout_that_is_overdue_is_not_put_off_by_a_probe),
		cmocka_unit_test(repair_keeps_to_a_window_that_shrank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
