/* SPDX-License-Identifier: BSD-2-Clause */
/* Sequence, ACK and timestamp tests of a standing connection, and what SYNs agree on. */
#include <errno.h>

#include "harness/puppet.h"

/* ---- the sequence number (RFC 9293 §3.4) ---- */

static void segments_are_judged_at_both_edges_of_the_window(void **state)
{
	static const struct {
		int32_t from; /* of the left edge; the window is 65535 */
		uint32_t len;
		enum tern_drop reason;
		uint32_t taken; /* bytes that can be read then */
	} cases[] = {
		{ -10, 10, TERN_DROP_TCP_OLD_SEQUENCE, 0 },
		{ -10, 11, TERN_DROP_NONE, 1 },
		{ -1, 1, TERN_DROP_TCP_OLD_SEQUENCE, 0 },
		{ -1, 0, TERN_DROP_TCP_OLD_SEQUENCE, 0 },
		{ 0, 0, TERN_DROP_NONE, 0 },
		{ 0, 1, TERN_DROP_NONE, 1 },
		{ 65534, 0, TERN_DROP_NONE, 0 },
		{ 65536, 0, TERN_DROP_TCP_INVALID_SEQUENCE, 0 },
		{ 65534, 1, TERN_DROP_NONE, 0 },
		{ 65535, 1, TERN_DROP_TCP_INVALID_SEQUENCE, 0 },
		{ 65536, 1, TERN_DROP_TCP_INVALID_SEQUENCE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
		uint32_t left = p->seq;

		say(p, .seq = IS(left + (uint32_t)cases[i].from), .len = IS(cases[i].len));
		assert_int_equal(p->reason, cases[i].reason);
		assert_int_equal(option(p, p->id, TERN_SO_INQ), cases[i].taken);
		if (cases[i].len || cases[i].reason)
			expect(p, .flags = IS(TERN_ACK), .seq = IS(p->ack),
			       .ack = IS(left + cases[i].taken));
		expect_silence(p);
		done(p);
	}
}

/* As in Linux: whole or not at all. RFC 9293 §3.10.7.4 would allow to cut it. */
static void what_reaches_beyond_the_window_is_taken_only_while_nothing_waits(void **state)
{
	struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);

	(void)state;
	set_option(p, p->listener, TERN_SO_RCVBUF, 8192);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .wnd = IS(2920));
	say(p, .len = IS(100));
	app_accepts(p);
	ignore(p);
	say(p, .len = IS(4000));
	p->seq -= 4000;
	assert_dropped(p, TCP_INVALID_END_SEQUENCE);
	assert_int_equal(COUNT(p, TcpExtBeyondWindow), 1);
	expect(p, .flags = IS(TERN_ACK), .ack = IS(p->seq));
	app_reads(p, 100);
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(4000));
	assert_taken(p);
	assert_state(p, TERN_CLOSE_WAIT);
	expect(p, .flags = IS(TERN_ACK), .ack = IS(p->seq), .wnd = IS(0));
	app_reads(p, 4000);
	done(p);
}

static void a_fin_at_the_right_edge_needs_no_room(void **state)
{
	struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);

	(void)state;
	set_option(p, p->listener, TERN_SO_RCVBUF, 4096);
	say(p, .flags = IS(TERN_SYN));
	ignore(p);
	p->irs = 0;
	p->ack = 0;
	done(p);

	p = in_state(TERN_LISTEN, PASSIVE4);
	set_option(p, p->listener, TERN_SO_RCVBUF, 4096);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .wnd = IS(1460));
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(1460));
	assert_taken(p);
	expect(p, .flags = IS(TERN_ACK), .ack = IS(p->seq), .wnd = IS(0));
	app_accepts(p);
	assert_state(p, TERN_CLOSE_WAIT);
	app_reads(p, 1460);
	assert_int_equal(app_recv(p), 0);
	say(p, .seq = IS(p->seq + 100), .len = IS(10)); /* no window of 4 GiB behind it */
	assert_true(p->reason != TERN_DROP_NONE);
	assert_state(p, TERN_CLOSE_WAIT);
	done(p);
}

/* ---- zero window ---- */

/* A connection whose receive buffer is full. */
static struct puppet *closed_window(void)
{
	struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);

	set_option(p, p->listener, TERN_SO_RCVBUF, 4096);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .wnd = IS(1460));
	say(p, .len = IS(1460));
	expect(p, .flags = IS(TERN_ACK), .wnd = IS(0), .ack = IS(p->seq));
	app_accepts(p);
	return p;
}

static void a_probe_of_a_closed_window_is_answered_each_time(void **state)
{
	struct puppet *p = closed_window();

	(void)state;
	for (int i = 0; i < 5; i++) {
		say(p, .len = IS(1));
		p->seq--;
		assert_dropped(p, TCP_ZEROWINDOW);
		expect(p, .flags = IS(TERN_ACK), .wnd = IS(0), .ack = IS(p->seq));
		expect_silence(p);
	}
	done(p);
}

/* RFC9293:MUST-66 */
static void an_ack_counts_while_our_window_is_closed(void **state)
{
	struct puppet *p = closed_window();

	(void)state;
	app_writes(p, 100);
	expect(p, .len = IS(100));
	say(p, .len = IS(1)); /* with data that finds no room */
	p->seq--;
	assert_dropped(p, TCP_ZEROWINDOW);
	assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
	expect_ack(p);
	app_writes(p, 50);
	expect(p, .len = IS(50));
	say(p);
	assert_taken(p);
	assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 0);
	done(p);
}

static void a_fin_comes_through_a_closed_window(void **state)
{
	struct puppet *p = closed_window();

	(void)state;
	say(p, .flags = IS(TERN_FIN | TERN_ACK));
	assert_taken(p);
	expect_ack(p);
	assert_state(p, TERN_CLOSE_WAIT);
	app_reads(p, 1460);
	assert_int_equal(app_recv(p), 0);
	done(p);
}

static void a_fin_behind_data_that_finds_no_room_is_not_taken(void **state)
{
	struct puppet *p = closed_window();

	(void)state;
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(1));
	p->seq -= 2;
	assert_dropped(p, TCP_ZEROWINDOW);
	expect_ack(p);
	assert_state(p, TERN_ESTABLISHED);
	app_reads(p, 1460);
	expect_ack(p);
	assert_int_equal(app_recv(p), -EAGAIN);
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(1));
	app_reads(p, 1);
	assert_int_equal(app_recv(p), 0);
	done(p);
}

static void reading_opens_the_window_again(void **state)
{
	struct puppet *p = closed_window();

	(void)state;
	app_reads(p, 1460);
	expect(p, .flags = IS(TERN_ACK), .wnd = IS(1460), .ack = IS(p->seq));
	say(p, .len = IS(100));
	assert_taken(p);
	app_reads(p, 100);
	done(p);
}

/* ---- the ACK (RFC 5961 §5.2) ---- */

/* An established connection that sent 1000 bytes, of which 500 are acknowledged. */
static struct puppet *half_acked(enum kind k)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, k);
	uint32_t from;

	app_writes(p, 1000);
	from = p->ack;
	expect(p, .len = IS(1000));
	say(p, .ack = IS(from + 500));
	assert_int_equal(option(p, p->id, TERN_SO_OUTQ), 500);
	return p;
}

/* RFC9293:MAY-12 RFC9293:U-10 RFC9293:U-11 RFC5961:5.2 */
static void acks_are_judged_at_both_ends_of_what_they_may_be(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		const uint32_t una = 500, nxt = 1000, max_wnd = 65535 >> 7 << 7;
		const struct {
			uint32_t ack; /* behind the SYN */
			enum tern_drop reason;
			uint32_t unacked;
		} cases[] = {
			{ una - 1, TERN_DROP_NONE, 500 },
			{ una, TERN_DROP_NONE, 500 },
			{ una + 1, TERN_DROP_NONE, 499 },
			{ nxt - 1, TERN_DROP_NONE, 1 },
			{ nxt, TERN_DROP_NONE, 0 },
			{ nxt + 1, TERN_DROP_TCP_ACK_UNSENT_DATA, 500 },
			{ nxt + 0x7ff00000, TERN_DROP_TCP_ACK_UNSENT_DATA, 500 },
			{ una - max_wnd, TERN_DROP_NONE, 500 },
			{ una - 65536 - 1, TERN_DROP_TCP_TOO_OLD_ACK, 500 },
			{ una - 0x7ff00000, TERN_DROP_TCP_TOO_OLD_ACK, 500 },
		};

		for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
			struct puppet *p = half_acked(k);

			say(p, .ack = IS(p->irs + 1 + cases[i].ack), .len = IS(3));
			assert_int_equal(p->reason, cases[i].reason);
			assert_int_equal(option(p, p->id, TERN_SO_OUTQ), cases[i].unacked);
			assert_int_equal(option(p, p->id, TERN_SO_INQ),
					 cases[i].reason == TERN_DROP_NONE ? 3 : 0);
			p->seq -= cases[i].reason == TERN_DROP_NONE ? 0 : 3;
			expect(p, .flags = IS(TERN_ACK), .ack = IS(p->seq));
			expect_silence(p);
			assert_state(p, TERN_ESTABLISHED);
			done(p);
		}
	}
}

static void an_ack_of_nothing_new_is_taken_in_silence(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	for (int i = 0; i < 10; i++) {
		say(p);
		assert_taken(p);
	}
	expect_silence(p);
	done(p);
}

static void an_old_ack_says_nothing_about_the_window(void **state)
{
	struct puppet *p = half_acked(PASSIVE4);
	struct tern_socket_info row;
	uint32_t una = p->irs + 1 + 500;

	(void)state;
	say(p, .ack = IS(una), .wnd = IS(100), .len = IS(1));
	say(p, .ack = IS(una - 1), .wnd = IS(300), .len = IS(1)); /* newer number, older ACK */
	assert_taken(p);
	assert_true(find_row(p, &row));
	assert_int_equal(row.snd_wnd, 100 << 7);
	say(p, .ack = IS(una), .wnd = IS(200), .seq = IS(p->seq - 2), .len = IS(2)); /* older */
	say(p, .ack = IS(una), .wnd = IS(201));
	assert_true(find_row(p, &row));
	assert_int_equal(row.snd_wnd, 201 << 7);
	ignore(p);
	done(p);
}

static void acks_of_unsent_data_cannot_storm(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	for (int i = 0; i < 100; i++)
		say(p, .ack = IS(p->ack + 1));
	expect_ack(p);
	expect_silence(p);
	done(p);
}

static void a_fin_sent_again_is_acknowledged_each_time(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_CLOSE_WAIT, k);

		for (int i = 0; i < 5; i++) {
			say(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->seq - 1));
			assert_dropped(p, TCP_OLD_SEQUENCE);
			expect_ack(p);
			expect_silence(p);
		}
		done(p);
	}
}

/* ---- timestamps (RFC 7323) ---- */

/* RFC7323:5.3a */
static void an_older_timestamp_is_refused(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (int d = -1; d <= 1; d++) {
			struct puppet *p = in_state(TERN_ESTABLISHED, k);
			uint32_t recent, seq;

			wait_ms(p, 10);
			say(p, .len = IS(10));
			recent = (uint32_t)(p->now / NS_PER_MS) + p->ts_base;
			expect(p, .ack = IS(p->seq), .tsecr = IS(recent));
			seq = p->seq;
			say(p, .len = IS(10), .tsval = IS(recent + (uint32_t)d));
			assert_int_equal(p->reason,
					 d < 0 ? TERN_DROP_TCP_RFC7323_PAWS : TERN_DROP_NONE);
			assert_int_equal(option(p, p->id, TERN_SO_INQ), d < 0 ? 10 : 20);
			expect(p, .flags = IS(TERN_ACK), .ack = IS(d < 0 ? seq : p->seq),
			       .tsecr = IS(d < 0 ? recent : recent + (uint32_t)d));
			assert_int_equal(COUNT(p, TcpExtPAWSEstab), d < 0);
			done(p);
		}
	}
}

static void answers_to_old_timestamps_are_limited(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	for (int i = 0; i < 10; i++) {
		say(p, .tsval = IS(p->ts_base));
		assert_dropped(p, TCP_RFC7323_PAWS_ACK);
	}
	expect_ack(p);
	expect_silence(p);
	assert_int_equal(COUNT(p, TcpExtTCPACKSkippedPAWS), 9);
	done(p);
}

/* RFC7323:3.2c */
static void a_segment_that_lost_its_timestamp_is_ignored(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		knob(p, "tern_tolerate_missing_ts", "0");
		say(p, .len = IS(10), .ts = IS(0));
		p->seq -= 10;
		assert_dropped(p, TCP_NO_TIMESTAMP);
		expect_silence(p);
		assert_int_equal(option(p, p->id, TERN_SO_INQ), 0);
		say(p, .len = IS(10));
		assert_taken(p);
		done(p);
	}
}

/* E03: the timestamp of what is not in order must not become TS.Recent. RFC7323:4.3 */
static void only_a_segment_at_the_left_edge_renews_ts_recent(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint32_t recent = (uint32_t)(p->now / NS_PER_MS) + p->ts_base;

	(void)state;
	say(p, .seq = IS(p->seq + 1000), .len = IS(10), .tsval = IS(recent + 500000));
	expect(p, .flags = IS(TERN_ACK), .tsecr = IS(recent));
	say(p, .ack = IS(p->ack + 50000), .tsval = IS(recent + 500000));
	assert_dropped(p, TCP_ACK_UNSENT_DATA);
	expect(p, .flags = IS(TERN_ACK), .tsecr = IS(recent));
	say(p, .len = IS(10));
	assert_taken(p);
	done(p);
}

/* RFC7323:5.5 */
static void a_timestamp_is_forgotten_after_24_idle_days(void **state)
{
	const uint64_t day = 24 * 60 * MINUTE;

	(void)state;
	for (int late = 0; late < 2; late++) {
		struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
		uint32_t old = (uint32_t)(p->now / NS_PER_MS) + p->ts_base - 5;

		wait_ms(p, 24 * day + (late ? SECOND : 0) - (late ? 0 : SECOND));
		say(p, .len = IS(10), .tsval = IS(old));
		if (!late) {
			assert_dropped(p, TCP_RFC7323_PAWS);
		} else {
			assert_taken(p);
			expect(p, .flags = IS(TERN_ACK), .tsecr = IS(old));
			say(p, .len = IS(10), .tsval = IS(old - 1)); /* PAWS is back */
			assert_dropped(p, TCP_RFC7323_PAWS);
		}
		done(p);
	}
}

static void an_echo_of_what_was_never_sent_is_refused_in_syn_sent(void **state)
{
	struct puppet *p = in_state(TERN_SYN_SENT, ACTIVE4);

	(void)state;
	say(p, .flags = IS(TERN_SYN | TERN_ACK), .tsecr = IS(p->tsecr + 1000));
	assert_dropped(p, TCP_RFC7323_TSECR);
	expect(p, .flags = IS(TERN_RST));
	assert_state(p, TERN_SYN_SENT);
	assert_int_equal(COUNT(p, TcpExtPAWSActive), 1);
	done(p);
}

/* ---- what SYNs agree on ---- */

static void options_are_agreed_on_only_if_both_offer_them(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (unsigned int offer = 0; offer < 8; offer++) {
			struct puppet *p = puppet_new(k);
			struct tern_socket_info row;

			p->ts = offer & 1;
			p->sackok = offer & 2;
			p->wscale = offer & 4 ? 3 : -1;
			bring_to(p, TERN_SYN_RECEIVED);
			assert_int_equal(p->got.seg.opt.present & ~TERN_OPT_MSS,
					 (p->ts ? TERN_OPT_TS : 0) |
						 (p->sackok ? TERN_OPT_SACKOK : 0) |
						 (offer & 4 ? TERN_OPT_WSCALE : 0));
			say(p);
			assert_true(find_row(p, &row));
			assert_int_equal(row.state, TERN_ESTABLISHED);
			assert_int_equal(row.snd_wscale, offer & 4 ? 3 : 0);
			assert_int_equal(row.snd_wnd, offer & 4 ? 65528 : 65535);
			done(p);
		}
	}
}

static void nothing_is_offered_that_a_knob_forbids(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = puppet_new(k);

		knob(p, "tcp_timestamps", "0");
		knob(p, "tcp_window_scaling", "0");
		knob(p, "tcp_sack", "0");
		bring_to(p, TERN_SYN_RECEIVED);
		assert_int_equal(p->got.seg.opt.present, TERN_OPT_MSS);
		done(p);
	}
}

static void a_window_scale_above_14_counts_as_14(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (int scale = 13; scale <= 15; scale++) {
			struct puppet *p = puppet_new(k);
			struct tern_socket_info row;

			p->wscale = scale;
			bring_to(p, TERN_SYN_RECEIVED);
			say(p, .wnd = IS(1));
			assert_true(find_row(p, &row));
			assert_int_equal(row.snd_wscale, scale > 14 ? 14 : scale);
			assert_int_equal(row.snd_wnd, 1u << (scale > 14 ? 14 : scale));
			done(p);
		}
	}
}

/* RFC9293:MUST-14 RFC9293:MUST-15 RFC9293:MUST-16 */
static void segments_are_as_large_as_the_peer_allows_and_no_smaller_than_the_floor(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		const uint32_t without = k < PASSIVE6 ? 536 : 1220,
			       most = k < PASSIVE6 ? 1460 : 1440;
		const uint32_t said[] = { 0, 1, 47, 48, 49, 500, most, most + 1, 65535 };

		for (size_t i = 0; i < TERN_ARRAY_SIZE(said); i++) {
			struct puppet *p = puppet_new(k);
			uint32_t mss = said[i] ? said[i] : without;

			mss = TERN_MIN(TERN_MAX(mss, 48u), most);
			p->mss = said[i];
			bring_to(p, TERN_ESTABLISHED);
			set_option(p, p->id, TERN_SO_NODELAY, 1);
			app_writes(p, 3000);
			expect(p, .len = IS(mss - 12)); /* timestamps */
			ignore(p);
			done(p);
		}
	}
}

/* RFC9293:MUST-6 RFC9293:MUST-7 RFC5482:3.3 */
static void options_that_are_unknown_or_broken_do_no_harm(void **state)
{
	static const uint8_t unknown[] = { 254, 6, 1, 2, 3, 4, 1, 1 };
	static const uint8_t zero[] = { 254, 0, 1, 1 };
	static const uint8_t one[] = { 8, 1, 1, 1 };
	static const uint8_t beyond[] = { 2, 40, 1, 1 };
	static const struct {
		const uint8_t *bytes;
		uint32_t len;
		enum tern_drop on_syn;
	} cases[] = {
		{ unknown, sizeof(unknown), TERN_DROP_NONE },
		{ zero, sizeof(zero), TERN_DROP_TCP_OPTIONS },
		{ one, sizeof(one), TERN_DROP_TCP_OPTIONS },
		{ beyond, sizeof(beyond), TERN_DROP_TCP_OPTIONS },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);

		say_with_options(p, TERN_SYN, cases[i].bytes, cases[i].len);
		assert_int_equal(p->reason, cases[i].on_syn);
		ignore(p);
		done(p);

		p = puppet_new(PASSIVE4);
		p->ts = false;
		bring_to(p, TERN_ESTABLISHED);
		say_with_options(p, TERN_ACK, cases[i].bytes, cases[i].len);
		assert_taken(p);
		assert_state(p, TERN_ESTABLISHED);
		expect_silence(p);
		done(p);
	}
}

/* As Linux counts: neither data nor a FIN makes an ACK pure. */
static void an_ack_is_counted_as_pure_only_if_it_takes_no_sequence_number(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		uint64_t before = COUNT(p, TcpExtTCPPureAcks);

		say(p, .flags = IS(TERN_ACK), .len = IS(1));
		assert_int_equal(COUNT(p, TcpExtTCPPureAcks), before);
		say(p, .flags = IS(TERN_ACK));
		assert_int_equal(COUNT(p, TcpExtTCPPureAcks), before + 1);
		say(p, .flags = IS(TERN_FIN | TERN_ACK));
		assert_int_equal(COUNT(p, TcpExtTCPPureAcks), before + 1);
		ignore(p);
		done(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_are_judged_at_both_edges_of_the_window),
		cmocka_unit_test(what_reaches_beyond_the_window_is_taken_only_while_nothing_waits),
		cmocka_unit_test(a_fin_at_the_right_edge_needs_no_room),
		cmocka_unit_test(a_probe_of_a_closed_window_is_answered_each_time),
		cmocka_unit_test(an_ack_counts_while_our_window_is_closed),
		cmocka_unit_test(a_fin_comes_through_a_closed_window),
		cmocka_unit_test(a_fin_behind_data_that_finds_no_room_is_not_taken),
		cmocka_unit_test(reading_opens_the_window_again),
		cmocka_unit_test(acks_are_judged_at_both_ends_of_what_they_may_be),
		cmocka_unit_test(an_ack_of_nothing_new_is_taken_in_silence),
		cmocka_unit_test(an_old_ack_says_nothing_about_the_window),
		cmocka_unit_test(acks_of_unsent_data_cannot_storm),
		cmocka_unit_test(a_fin_sent_again_is_acknowledged_each_time),
		cmocka_unit_test(an_older_timestamp_is_refused),
		cmocka_unit_test(answers_to_old_timestamps_are_limited),
		cmocka_unit_test(a_segment_that_lost_its_timestamp_is_ignored),
		cmocka_unit_test(only_a_segment_at_the_left_edge_renews_ts_recent),
		cmocka_unit_test(a_timestamp_is_forgotten_after_24_idle_days),
		cmocka_unit_test(an_echo_of_what_was_never_sent_is_refused_in_syn_sent),
		cmocka_unit_test(options_are_agreed_on_only_if_both_offer_them),
		cmocka_unit_test(nothing_is_offered_that_a_knob_forbids),
		cmocka_unit_test(a_window_scale_above_14_counts_as_14),
		cmocka_unit_test(
			segments_are_as_large_as_the_peer_allows_and_no_smaller_than_the_floor),
		cmocka_unit_test(options_that_are_unknown_or_broken_do_no_harm),
		cmocka_unit_test(an_ack_is_counted_as_pure_only_if_it_takes_no_sequence_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
