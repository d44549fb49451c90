/* SPDX-License-Identifier: BSD-2-Clause */
/* RST and SYN in every state: what is believed, what is challenged (RFC 5961), what is answered. */
#include <errno.h>

#include "harness/puppet.h"

/* States with a record whose numbers are known to both sides. */
static const enum tern_state standing[] = {
	TERN_SYN_RECEIVED, TERN_ESTABLISHED, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2,
	TERN_CLOSE_WAIT,   TERN_CLOSING,     TERN_LAST_ACK,
};

#define FOR_EACH_STANDING(s, k) \
	FOR_EACH_KIND(k)        \
	for (size_t s = 0; s < TERN_ARRAY_SIZE(standing); s++)

/* The window that the puppet was shown last. */
static uint32_t shown_window(const struct puppet *p)
{
	return p->edge_known ? p->edge - p->seq : 65535;
}

static int error_of_reset(enum tern_state s)
{
	switch (s) {
	case TERN_CLOSE_WAIT:
		return EPIPE;
	default:
		return ECONNRESET;
	}
}

/* ---- RST ---- */

/* RFC9293:MUST-11 RFC9293:MUST-12 RFC9293:U-5 RFC5961:3.2b */
static void a_reset_at_the_left_edge_ends_every_state(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		struct puppet *p = in_state(standing[s], k);

		events(p);
		say(p, .flags = IS(TERN_RST));
		assert_dropped(p, TCP_RESET);
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(COUNT(p, TcpEstabResets),
				 standing[s] == TERN_ESTABLISHED || standing[s] == TERN_CLOSE_WAIT);
		assert_int_equal(COUNT(p, TcpAttemptFails), standing[s] == TERN_SYN_RECEIVED);
		if (p->id) {
			uint32_t bits = events(p);

			assert_true(bits & TERN_EV_ERROR);
			assert_true(bits & TERN_EV_CLOSED);
			assert_int_equal(so_error(p), error_of_reset(standing[s]));
			assert_int_equal(so_error(p), 0);
		}
		done(p);
	}
}

/* RFC9293:U-6 RFC9293:U-7 RFC5961:3.2c */
static void a_reset_elsewhere_in_the_window_is_challenged_in_every_state(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		for (int edge = 0; edge < 2; edge++) {
			struct puppet *p = in_state(standing[s], k);
			uint32_t at = edge ? shown_window(p) - 1 : 1;

			say(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->seq + at));
			assert_dropped(p, TCP_RST_CHALLENGED);
			expect_ack(p);
			expect_silence(p);
			assert_state(p, standing[s]);
			assert_int_equal(COUNT(p, TcpExtTCPChallengeACK), 1);
			done(p);
		}
	}
}

/* RFC5961:3.2a */
static void a_reset_outside_the_window_is_ignored_in_every_state(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		struct puppet *p = in_state(standing[s], k);
		uint32_t wnd = shown_window(p);

		say(p, .flags = IS(TERN_RST), .seq = IS(p->seq - 1));
		assert_dropped(p, TCP_INVALID_RST);
		say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + wnd));
		assert_dropped(p, TCP_INVALID_RST);
		expect_silence(p);
		assert_state(p, standing[s]);
		done(p);
	}
}

/* RFC9293:SHLD-2 */
static void data_on_a_reset_does_not_move_it_into_the_window(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	say(p, .flags = IS(TERN_RST), .seq = IS(p->seq - 10), .len = IS(20));
	assert_dropped(p, TCP_INVALID_RST);
	expect_silence(p);
	say(p, .flags = IS(TERN_RST), .len = IS(20)); /* SHLD-2 */
	assert_dropped(p, TCP_RESET);
	assert_state(p, TERN_CLOSED);
	assert_int_equal(app_recv(p), -ECONNRESET);
	assert_int_equal(app_recv(p), 0);
	done(p);
}

/* RFC7323:3.2c RFC7323:5.3b */
static void a_reset_needs_no_timestamp(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	say(p, .flags = IS(TERN_RST), .ts = IS(1), .tsval = IS(p->ts_base - 100000));
	assert_dropped(p, TCP_RESET);
	assert_state(p, TERN_CLOSED);
	done(p);
}

static void what_came_before_a_reset_can_still_be_read(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	say(p, .len = IS(30));
	ignore(p);
	say(p, .flags = IS(TERN_RST));
	app_reads(p, 30);
	assert_int_equal(app_recv(p), -ECONNRESET);
	done(p);
}

/* RFC9293:MUST-66 */
static void a_reset_is_believed_while_the_window_is_zero(void **state)
{
	(void)state;
	for (int d = -1; d <= 1; d++) {
		struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);

		set_option(p, p->listener, TERN_SO_RCVBUF, 4096);
		say(p, .flags = IS(TERN_SYN));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .wnd = IS(1460));
		say(p, .len = IS(1460));
		app_accepts(p);
		expect(p, .flags = IS(TERN_ACK), .wnd = IS(0));
		say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + (uint32_t)d));
		if (d)
			assert_dropped(p, TCP_INVALID_RST);
		else
			assert_dropped(p, TCP_RESET);
		assert_state(p, d ? TERN_ESTABLISHED : TERN_CLOSED);
		expect_silence(p);
		done(p);
	}
}

/* RFC1337:3 */
static void a_reset_in_time_wait_is_ignored(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_TIME_WAIT, k);

		knob(p, "tcp_rfc1337", "1");
		for (int d = -1; d <= 1; d++) {
			say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + (uint32_t)d));
			assert_dropped(p, TCP_TIMEWAIT_RST);
		}
		expect_silence(p);
		assert_state(p, TERN_TIME_WAIT);
		done(p);
	}
}

/* ---- SYN ---- */

/* RFC9293:U-8 RFC9293:U-9 RFC5961:4.2 */
static void a_syn_is_challenged_in_every_synchronized_state(void **state)
{
	static const int32_t offsets[] = { -1000, -1, 0, 1, 70000 };

	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		for (size_t i = 0; i < TERN_ARRAY_SIZE(offsets); i++) {
			struct puppet *p;

			if (standing[s] == TERN_SYN_RECEIVED)
				continue;
			p = in_state(standing[s], k);
			say(p, .flags = IS(TERN_SYN), .seq = IS(p->seq + (uint32_t)offsets[i]),
			    .tsecr = IS(0));
			p->seq -= offsets[i] ? 0 : 1; /* it was not taken */
			assert_dropped(p, TCP_SYN_CHALLENGED);
			expect_ack(p);
			expect_silence(p);
			assert_state(p, standing[s]);
			assert_int_equal(COUNT(p, TcpExtTCPSYNChallenge), 1);
			assert_int_equal(COUNT(p, TcpExtTCPChallengeACK), 1);
			say(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->seq + 5));
			assert_dropped(p, TCP_SYN_CHALLENGED);
			expect_silence(p); /* the limit of a connection */
			assert_int_equal(COUNT(p, TcpExtTCPACKSkippedChallenge), 1);
			done(p);
		}
	}
}

static void another_syn_in_syn_received_is_answered_and_changes_nothing(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (int d = -1; d <= 1; d += 2) {
			struct puppet *p = in_state(TERN_SYN_RECEIVED, k);

			say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss + (uint32_t)d));
			p->seq = p->iss + 1;
			assert_true(p->reason != TERN_DROP_NONE);
			expect_ack(p);
			expect_silence(p);
			assert_state(p, TERN_SYN_RECEIVED);
			say(p);
			assert_state(p, TERN_ESTABLISHED);
			done(p);
		}
	}
}

/* RFC5961:7a RFC5961:7b */
static void challenge_acks_are_limited_per_connection(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	for (int i = 0; i < 20; i++) {
		say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + 7));
		assert_dropped(p, TCP_RST_CHALLENGED);
	}
	expect_ack(p);
	expect_silence(p);
	wait_ms(p, 498);
	say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + 7));
	expect_silence(p);
	wait_ms(p, 4);
	say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + 7));
	expect_ack(p);
	assert_int_equal(COUNT(p, TcpExtTCPChallengeACK), 2);
	assert_int_equal(COUNT(p, TcpExtTCPACKSkippedChallenge), 20);
	done(p);
}

/* CVE-2016-5696: what one connection is answered must not depend on another. */
static void a_connections_limit_is_its_own(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	tern_id first = p->id;

	(void)state;
	for (int i = 0; i < 200; i++)
		say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + 7));
	ignore(p);
	next_peer(p);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK));
	say(p);
	app_accepts(p);
	say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + 7));
	expect_ack(p);
	assert_int_equal(tern_stack_close(p->st, p->now, first), 0);
	done(p);
}

/* ---- no connection (RFC 9293 §3.10.7.1) ---- */

static void a_closed_port_resets_whatever_is_no_reset(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = puppet_new(k);

		for (uint16_t flags = 0; flags < 64; flags++) {
			uint32_t len = 10u + (flags & TERN_SYN ? 1u : 0) + (flags & TERN_FIN);

			say(p, .flags = IS(flags), .seq = IS(5000), .ack = IS(777), .len = IS(10));
			assert_dropped(p, NO_SOCKET);
			if (flags & TERN_RST)
				expect_silence(p);
			else if (flags & TERN_ACK)
				expect(p, .flags = IS(TERN_RST), .seq = IS(777), .ack = IS(0));
			else
				expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(0),
				       .ack = IS(5000 + len));
		}
		done(p);
	}
}

static void a_listener_resets_acks_and_ignores_the_rest(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_LISTEN, k);

		say(p, .flags = IS(TERN_ACK), .ack = IS(4711));
		assert_dropped(p, TCP_INVALID_ACK_SEQUENCE);
		expect(p, .flags = IS(TERN_RST), .seq = IS(4711));
		say(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(4711));
		expect(p, .flags = IS(TERN_RST), .seq = IS(4711));
		say(p, .flags = IS(TERN_RST));
		assert_dropped(p, TCP_INVALID_RST);
		say(p, .flags = IS(TERN_RST | TERN_ACK));
		assert_dropped(p, TCP_INVALID_RST);
		say(p, .flags = IS(TERN_SYN | TERN_FIN));
		assert_dropped(p, TCP_SYN_FIN);
		say(p, .flags = IS(TERN_SYN | TERN_RST));
		assert_dropped(p, TCP_FLAGS);
		say(p, .flags = IS(0));
		assert_dropped(p, TCP_FLAGS);
		say(p, .flags = IS(TERN_FIN));
		assert_dropped(p, TCP_FLAGS);
		expect_silence(p);
		assert_state(p, TERN_LISTEN);
		done(p);
	}
}

static void an_ack_of_what_was_never_sent_is_reset_in_syn_received(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (int d = -1; d <= 1; d += 2) {
			struct puppet *p = in_state(TERN_SYN_RECEIVED, k);
			uint32_t ack = p->ack + (uint32_t)d;

			say(p, .ack = IS(ack));
			assert_dropped(p, TCP_INVALID_ACK_SEQUENCE);
			expect(p, .flags = IS(TERN_RST), .seq = IS(ack));
			assert_state(p, TERN_SYN_RECEIVED);
			say(p);
			assert_state(p, TERN_ESTABLISHED);
			done(p);
		}
	}
}

/* A segment without ACK is none in a connection (RFC 9293 §3.10.7.4, fifth). */
static void a_segment_without_ack_is_dropped_in_every_state(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		struct puppet *p = in_state(standing[s], k);

		say(p, .flags = IS(TERN_PSH), .len = IS(9), .ts = IS(p->stamped));
		p->seq -= 9;
		assert_dropped(p, TCP_NO_ACK);
		expect_silence(p);
		assert_state(p, standing[s]);
		done(p);
	}
}

/* ---- bad headers: one reason each, no answer ---- */

/* RFC9293:MUST-3 RFC9293:MUST-63 */
static void unreadable_segments_are_dropped_for_one_reason(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint8_t tcp[24] = { 0x9c, 0x40, 0, 80, [12] = 0x50, [13] = TERN_ACK, [15] = 9 };

	(void)state;
	for (uint32_t len = 0; len < 20; len++) {
		say_packet(p, &p->peer.addr, &p->us.addr, TERN_PROTO_TCP, tcp, len);
		assert_dropped(p, PKT_TOO_SMALL);
	}
	say_packet(p, &p->peer.addr, &p->us.addr, TERN_PROTO_TCP, tcp, 20);
	assert_dropped(p, TCP_CSUM);
	for (uint8_t offset = 0; offset < 16; offset++) {
		if (offset == 5 || offset == 6)
			continue;
		tcp[12] = (uint8_t)(offset << 4);
		say_packet(p, &p->peer.addr, &p->us.addr, TERN_PROTO_TCP, tcp, 24);
		assert_dropped(p, TCP_BAD_OFFSET);
	}
	expect_silence(p);
	p->peer.port = 0;
	say(p);
	assert_dropped(p, TCP_PORT_ZERO);
	expect_silence(p);
	p->peer.port = 40000;
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

/* ---- abort ---- */

static void abort_resets_the_peer_where_the_state_asks_for_it(void **state)
{
	static const uint32_t resets = TERN_STATES(SYN_RECEIVED) | TERN_STATES(ESTABLISHED) |
				       TERN_STATES(FIN_WAIT_1) | TERN_STATES(FIN_WAIT_2) |
				       TERN_STATES(CLOSE_WAIT);

	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		struct puppet *p = in_state(standing[s], k);

		if (!p->id) {
			done(p);
			continue;
		}
		if (standing[s] == TERN_ESTABLISHED || standing[s] == TERN_CLOSE_WAIT) {
			app_writes(p, 100);
			ignore(p); /* lost */
			p->ack += 100;
		}
		assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
		if (tern_state_in(standing[s], resets))
			expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->ack),
			       .ack = IS(p->seq), .len = IS(0));
		expect_silence(p);
		assert_state(p, TERN_CLOSED);
		assert_int_equal(tern_stack_close(p->st, p->now, p->id), -EBADF);
		p->id = 0;
		done(p);
	}
}

static void a_stack_that_goes_away_resets_whoever_waits_for_it(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		for (int orphan = 0; orphan < 2; orphan++) {
			struct puppet *p = in_state(standing[s], k);
			bool half_open = !p->id;
			bool awaited = !half_open && !(orphan && standing[s] == TERN_FIN_WAIT_2);

			if (orphan && !half_open) {
				app_closes(p);
				ignore(p);
			}
			assert_int_equal(tern_stack_reset(p->st, p->now), awaited);
			if (awaited)
				expect(p, .flags = IS(TERN_RST | TERN_ACK), .ack = IS(p->seq),
				       .len = IS(0));
			expect_silence(p);
			assert_int_equal(tern_stack_reset(p->st, p->now), 0);
			done(p);
		}
	}
}

static void a_stack_that_goes_away_lets_time_wait_be(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_TIME_WAIT, k);

		assert_int_equal(tern_stack_reset(p->st, p->now), 0);
		expect_silence(p);
		done(p);
	}
}

/* The peer's buffer was full when the last bytes came: it has thrown them away. */
static void the_number_of_a_reset_is_not_beyond_the_peers_window(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		uint32_t at = p->ack;

		app_writes(p, 100);
		ignore(p);
		p->ack = at;
		say(p, .wnd = IS(0));
		assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
		p->id = 0;
		expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(at), .len = IS(0));
		expect_silence(p);
		done(p);
	}
}

/* RFC 7323 §3.2: it may carry timestamps; as Linux' do, of the time when it leaves. */
static void a_reset_of_ours_carries_a_timestamp_where_they_were_agreed_on(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++)
		FOR_EACH_KIND(k)
		{
			struct puppet *p = puppet_new(k);
			uint32_t before;

			p->ts = ts;
			bring_to(p, TERN_ESTABLISHED);
			say(p, .len = IS(10));
			expect_ack(p);
			before = p->tsecr;
			wait_ms(p, 1000);
			app_closes(p); /* with bytes unread */
			expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->ack),
			       .ack = IS(p->seq), .ts = IS(ts));
			if (ts)
				assert_int_equal(p->got.seg.opt.tsval, before + 1000);
			done(p);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_at_the_left_edge_ends_every_state),
		cmocka_unit_test(a_reset_elsewhere_in_the_window_is_challenged_in_every_state),
		cmocka_unit_test(a_reset_outside_the_window_is_ignored_in_every_state),
		cmocka_unit_test(data_on_a_reset_does_not_move_it_into_the_window),
		cmocka_unit_test(a_reset_needs_no_timestamp),
		cmocka_unit_test(what_came_before_a_reset_can_still_be_read),
		cmocka_unit_test(a_reset_is_believed_while_the_window_is_zero),
		cmocka_unit_test(a_reset_in_time_wait_is_ignored),
		cmocka_unit_test(a_syn_is_challenged_in_every_synchronized_state),
		cmocka_unit_test(another_syn_in_syn_received_is_answered_and_changes_nothing),
		cmocka_unit_test(challenge_acks_are_limited_per_connection),
		cmocka_unit_test(a_connections_limit_is_its_own),
		cmocka_unit_test(a_closed_port_resets_whatever_is_no_reset),
		cmocka_unit_test(a_listener_resets_acks_and_ignores_the_rest),
		cmocka_unit_test(an_ack_of_what_was_never_sent_is_reset_in_syn_received),
		cmocka_unit_test(a_segment_without_ack_is_dropped_in_every_state),
		cmocka_unit_test(unreadable_segments_are_dropped_for_one_reason),
		cmocka_unit_test(abort_resets_the_peer_where_the_state_asks_for_it),
		cmocka_unit_test(a_stack_that_goes_away_resets_whoever_waits_for_it),
		cmocka_unit_test(a_stack_that_goes_away_lets_time_wait_be),
		cmocka_unit_test(the_number_of_a_reset_is_not_beyond_the_peers_window),
		cmocka_unit_test(a_reset_of_ours_carries_a_timestamp_where_they_were_agreed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
