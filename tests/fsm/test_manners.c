/* SPDX-License-Identifier: BSD-2-Clause */
/* Knobs in which stacks differ: what RFC 5961 and RFC 1337 changed, errors, FIN, personas. */
#include <errno.h>
#include <stdio.h>

#include "harness/puppet.h"

static const enum tern_state standing[] = {
	TERN_SYN_RECEIVED, TERN_ESTABLISHED, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2,
	TERN_CLOSE_WAIT,   TERN_CLOSING,     TERN_LAST_ACK,
};

#define FOR_EACH_STANDING(s, k) \
	FOR_EACH_KIND(k)        \
	for (size_t s = 0; s < TERN_ARRAY_SIZE(standing); s++)

static uint32_t shown_window(const struct puppet *p)
{
	return p->edge_known ? p->edge - p->seq : 65535;
}

/* ---- tern_insecure_rst ---- */

static void with_tern_insecure_rst_any_reset_in_the_window_is_believed(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		for (int edge = 0; edge < 4; edge++) {
			struct puppet *p = in_state(standing[s], k);
			const uint32_t at[] = { UINT32_MAX, 1, shown_window(p) - 1,
						shown_window(p) };
			bool inside = edge == 1 || edge == 2;

			knob(p, "tern_insecure_rst", "1");
			say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + at[edge]));
			expect_silence(p);
			if (inside)
				assert_dropped(p, TCP_RESET);
			else
				assert_dropped(p, TCP_INVALID_RST);
			if (!inside)
				assert_state(p, standing[s]);
			else if (standing[s] == TERN_SYN_RECEIVED && !is_active(k))
				assert_state(p, TERN_LISTEN);
			else
				assert_state(p, TERN_CLOSED);
			done(p);
		}
	}
}

static void with_tern_insecure_rst_an_orphan_in_fin_wait_2_and_time_wait_end_as_well(void **state)
{
	(void)state;
	for (int tw = 0; tw < 2; tw++) {
		struct puppet *p = in_state(tw ? TERN_TIME_WAIT : TERN_FIN_WAIT_2, PASSIVE4);

		if (!tw)
			app_closes(p);
		knob(p, "tern_insecure_rst", "1");
		say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + 7));
		assert_dropped(p, TCP_RESET);
		expect_silence(p);
		assert_state(p, TERN_LISTEN);
		done(p);
	}
}

/* ---- tern_insecure_syn ---- */

static void with_tern_insecure_syn_a_syn_in_the_window_resets(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		for (int own = 0; own < 2; own++) {
			struct puppet *p = in_state(standing[s], k);

			knob(p, "tern_insecure_syn", "1");
			knob(p, "tern_syn_reset", own ? "connection" : "answer");
			say(p, .flags = IS(TERN_SYN), .seq = IS(p->seq + 1));
			assert_dropped(p, TCP_INVALID_SYN);
			if (own)
				expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->ack),
				       .ack = IS(p->seq));
			else
				expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(0),
				       .ack = IS(p->seq + 2));
			expect_silence(p);
			if (p->id)
				assert_int_equal(so_error(p), ECONNRESET);
			assert_state(p, standing[s] == TERN_SYN_RECEIVED && !is_active(k)
						? TERN_LISTEN
						: TERN_CLOSED);
			done(p);
		}
	}
}

static void with_tern_insecure_syn_a_syn_outside_the_window_draws_an_ack(void **state)
{
	(void)state;
	FOR_EACH_STANDING(s, k)
	{
		for (int right = 0; right < 2; right++) {
			struct puppet *p = in_state(standing[s], k);
			uint32_t at = right ? shown_window(p) + 10 : UINT32_MAX - 9;

			knob(p, "tern_insecure_syn", "1");
			say(p, .flags = IS(TERN_SYN), .seq = IS(p->seq + at));
			expect_ack(p);
			expect_silence(p);
			assert_state(p, standing[s]);
			done(p);
		}
	}
}

static void with_tern_insecure_syn_an_orphan_in_fin_wait_2_is_reset(void **state)
{
	(void)state;
	for (int own = 0; own < 2; own++) {
		struct puppet *p = in_state(TERN_FIN_WAIT_2, PASSIVE4);

		app_closes(p);
		knob(p, "tern_insecure_syn", "1");
		knob(p, "tern_syn_reset", own ? "connection" : "answer");
		say(p, .flags = IS(TERN_SYN), .seq = IS(p->seq + 1));
		assert_dropped(p, TCP_INVALID_SYN);
		expect(p, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(own ? p->ack : 0),
		       .ack = IS(own ? p->seq : p->seq + 2));
		assert_state(p, TERN_LISTEN);
		done(p);
	}
}

/* ---- tcp_rfc1337 ---- */

static void a_reset_at_the_left_edge_ends_time_wait_unless_tcp_rfc1337_forbids(void **state)
{
	static const struct {
		const char *knob;
		int32_t seq, tsval; /* beside what is right */
		bool ends;
	} cases[] = {
		{ "0", 0, 0, true },   { "0", -1, 0, false }, { "0", 1, 0, false },
		{ "0", 0, -1, false }, { "1", 0, 0, false },
	};

	(void)state;
	FOR_EACH_FAMILY(k)
	{
		for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
			struct puppet *p = puppet_new(k);

			p->ts = true;
			knob(p, "tcp_rfc1337", cases[i].knob);
			bring_to(p, TERN_TIME_WAIT);
			p->ts_base += (uint32_t)cases[i].tsval;
			say(p, .flags = IS(TERN_RST), .seq = IS(p->seq + (uint32_t)cases[i].seq),
			    .ts = IS(1));
			if (cases[i].ends)
				assert_dropped(p, TCP_RESET);
			else
				assert_dropped(p, TCP_TIMEWAIT_RST);
			expect_silence(p);
			assert_state(p, cases[i].ends ? TERN_LISTEN : TERN_TIME_WAIT);
			done(p);
		}
	}
}

/* ---- tern_drop_synfin ---- */

static void a_syn_with_fin_opens_a_connection_if_tern_drop_synfin_lets_it(void **state)
{
	(void)state;
	for (int drop = 0; drop < 2; drop++) {
		struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);

		knob(p, "tern_drop_synfin", drop ? "1" : "0");
		say(p, .flags = IS(TERN_SYN | TERN_FIN));
		if (drop) {
			assert_dropped(p, TCP_SYN_FIN);
			expect_silence(p);
			assert_state(p, TERN_LISTEN);
		} else {
			p->seq = p->iss + 1; /* the FIN is not taken, and comes again */
			expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq));
			say(p, .flags = IS(TERN_FIN | TERN_ACK));
			expect_ack(p);
			assert_state(p, TERN_CLOSE_WAIT);
		}
		done(p);
	}
}

/* ---- errors of a reset ---- */

static void the_error_of_a_reset_is_as_the_knobs_say(void **state)
{
	static const struct {
		enum tern_state state;
		const char *name, *value;
		int error;
	} cases[] = {
		{ TERN_SYN_RECEIVED, "tern_rst_syn_received", "ECONNRESET", ECONNRESET },
		{ TERN_SYN_RECEIVED, "tern_rst_syn_received", "ECONNREFUSED", ECONNREFUSED },
		{ TERN_CLOSE_WAIT, "tern_rst_close_wait", "EPIPE", EPIPE },
		{ TERN_CLOSE_WAIT, "tern_rst_close_wait", "ECONNRESET", ECONNRESET },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct puppet *p = in_state(cases[i].state, ACTIVE4);

		knob(p, cases[i].name, cases[i].value);
		say(p, .flags = IS(TERN_RST));
		assert_int_equal(so_error(p), cases[i].error);
		done(p);
	}
}

/* ---- tern_syn_again ---- */

static void any_syn_draws_the_syn_ack_again_if_tern_syn_again_says_so(void **state)
{
	static const uint32_t offsets[] = { 0, 1, 1000, 100000, 0x80000000 };

	(void)state;
	for (int any = 0; any < 2; any++)
		for (size_t i = 0; i < TERN_ARRAY_SIZE(offsets); i++) {
			struct puppet *p = in_state(TERN_SYN_RECEIVED, PASSIVE4);
			uint32_t next = p->seq;

			knob(p, "tern_syn_again", any ? "any" : "same");
			say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss + offsets[i]));
			p->seq = next;
			if (any || !i)
				expect(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->irs),
				       .ack = IS(next));
			else
				expect_ack(p);
			say(p);
			assert_state(p, TERN_ESTABLISHED);
			done(p);
		}
}

/* ---- tern_fin_again ---- */

/* In FIN-WAIT-1, with the puppet's FIN or data to come. */
static void a_crossing_fin_is_answered_with_our_fin_if_tern_fin_again_says_so(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (uint32_t again = 0; again < 2; again++) {
			struct puppet *p = in_state(TERN_FIN_WAIT_1, k);

			knob(p, "tern_fin_again", again ? "1" : "0");
			say(p, .flags = IS(TERN_FIN | TERN_ACK), .ack = IS(p->ack - 1));
			assert_state(p, TERN_CLOSING);
			expect(p, .flags = IS(again ? TERN_FIN | TERN_ACK : TERN_ACK),
			       .seq = IS(p->ack - again), .ack = IS(p->seq));
			expect_silence(p);
			say(p); /* acknowledges the FIN */
			assert_state(p, TERN_TIME_WAIT);
			done(p);
		}
	}
}

static void a_challenge_carries_no_fin_and_nothing_does_once_ours_is_acknowledged(void **state)
{
	struct puppet *p = in_state(TERN_FIN_WAIT_1, ACTIVE4);

	(void)state;
	knob(p, "tern_fin_again", "1");
	say(p, .flags = IS(TERN_SYN), .seq = IS(p->seq));
	p->seq--;
	expect_ack(p);
	say(p, .len = IS(10), .ack = IS(p->ack - 1));
	expect(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->ack - 1), .ack = IS(p->seq));
	say(p, .len = IS(10));
	assert_state(p, TERN_FIN_WAIT_2);
	expect_ack(p);
	app_reads(p, 20);
	done(p);
}

/* ---- tern_unread_reset ---- */

static void closing_with_unread_bytes_resets_unless_tern_unread_reset_is_off(void **state)
{
	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

		knob(p, "tern_unread_reset", reset ? "1" : "0");
		say(p, .len = IS(100));
		expect_ack(p);
		app_closes(p);
		if (reset) {
			expect_reset(p);
			assert_state(p, TERN_LISTEN);
		} else {
			expect(p, .flags = IS(TERN_FIN | TERN_ACK));
			say(p, .flags = IS(TERN_FIN | TERN_ACK));
			expect_ack(p);
			assert_state(p, TERN_TIME_WAIT);
		}
		done(p);
	}
}

/* ---- tcp_challenge_ack_limit ---- */

static void with_tcp_challenge_ack_limit_0_nothing_is_challenged(void **state)
{
	static const enum tern_state states[] = { TERN_SYN_RECEIVED, TERN_ESTABLISHED,
						  TERN_FIN_WAIT_2, TERN_TIME_WAIT };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(states); i++) {
		for (int limit = 0; limit < 2; limit++) {
			struct puppet *p = in_state(states[i], PASSIVE4);

			if (states[i] == TERN_FIN_WAIT_2)
				app_closes(p);
			knob(p, "tcp_challenge_ack_limit", limit ? "1" : "0");
			say(p, .flags = IS(TERN_SYN), .seq = IS(p->seq - 10));
			p->seq = p->iss + (states[i] == TERN_TIME_WAIT ? 2 : 1);
			if (limit ||
			    states[i] == TERN_SYN_RECEIVED) /* outside: an ACK, no challenge */
				expect_ack(p);
			expect_silence(p);
			assert_int_equal(COUNT(p, TcpExtTCPChallengeACK),
					 limit && states[i] != TERN_SYN_RECEIVED);
			done(p);
		}
	}
}

/* ---- ip_local_reserved_ports ---- */

static uint16_t port_of_connect(struct puppet *p)
{
	struct tern_endpoint local;
	tern_id id;
	int err;

	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &id), 0);
	p->peer.port++;
	err = tern_stack_connect(p->st, p->now, id, &p->peer);
	if (err) {
		assert_int_equal(err, -EADDRNOTAVAIL);
		local.port = 0;
	} else {
		assert_int_equal(tern_stack_local(p->st, id, &local), 0);
	}
	assert_int_equal(tern_stack_close(p->st, p->now, id), 0);
	ignore(p);
	return local.port;
}

static uint16_t port_of_bind(struct puppet *p, enum tern_type type)
{
	struct tern_endpoint at = { tern_addr_any(TERN_INET), 0 };
	tern_id id;
	int err;

	assert_int_equal(tern_stack_open(p->st, p->now, type, TERN_INET, &id), 0);
	err = tern_stack_bind(p->st, p->now, id, &at);
	if (!err)
		assert_int_equal(tern_stack_local(p->st, id, &at), 0);
	assert_int_equal(tern_stack_close(p->st, p->now, id), 0);
	return err ? 0 : at.port;
}

static void a_reserved_port_is_chosen_for_nobody(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	knob(p, "ip_local_port_range", "40000 40009");
	knob(p, "ip_local_reserved_ports", "39999-40003,40005-40007,40009-40020");
	for (int i = 0; i < 40; i++) {
		uint16_t tcp = port_of_connect(p), tcp_bind = port_of_bind(p, TERN_STREAM),
			 udp = port_of_bind(p, TERN_DGRAM);

		assert_true(tcp == 40004 || tcp == 40008);
		assert_true(tcp_bind == 40004 || tcp_bind == 40008);
		assert_true(udp == 40004 || udp == 40008);
	}
	knob(p, "ip_local_reserved_ports", "1-65535");
	assert_int_equal(port_of_connect(p), 0);
	assert_int_equal(port_of_bind(p, TERN_STREAM), 0);
	assert_int_equal(port_of_bind(p, TERN_DGRAM), 0);
	knob(p, "ip_local_reserved_ports", "");
	assert_int_not_equal(port_of_connect(p), 0);
	done(p);
}

static void a_reserved_port_can_be_bound_by_its_number(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);
	char port[8];

	(void)state;
	snprintf(port, sizeof(port), "%u", p->us.port);
	knob(p, "ip_local_reserved_ports", port);
	bring_to(p, TERN_ESTABLISHED);
	done(p);
}

/* Ports that one connection holds are free for another destination, and reserved ones still not. */
static void reserved_ports_are_left_out_where_all_others_are_in_use(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);
	struct tern_endpoint local;
	tern_id id[6];

	(void)state;
	knob(p, "ip_local_port_range", "40000 40003");
	knob(p, "ip_local_reserved_ports", "40001");
	for (size_t i = 0; i < TERN_ARRAY_SIZE(id); i++) {
		if (i == 3)
			p->peer.port++;
		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &id[i]), 0);
		assert_int_equal(tern_stack_connect(p->st, p->now, id[i], &p->peer), 0);
		assert_int_equal(tern_stack_local(p->st, id[i], &local), 0);
		assert_int_not_equal(local.port, 40001);
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(id); i++)
		assert_int_equal(tern_stack_close(p->st, p->now, id[i]), 0);
	ignore(p);
	done(p);
}

/* ---- timers and buffers ---- */

static void tcp_rto_max_ms_ends_the_doubling(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	knob(p, "tcp_rto_max_ms", "1000");
	app_writes(p, 10);
	expect(p, .len = IS(10));
	wait_ms(p, 5 * SECOND); /* a probe for the loss, and three doublings */
	ignore(p);
	while (!hear(p))
		wait_ms(p, 1);
	expect_after(p, 1000, .len = IS(10));
	expect_after(p, 1000, .len = IS(10));
	done(p);
}

static int64_t buffer_of_one_who_reads_much(const char *moderate)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	int64_t size;

	knob(p, "tcp_moderate_rcvbuf", moderate);
	for (int i = 0; i < 200; i++) {
		say(p, .len = IS(1400));
		app_reads(p, 1400);
		if (i % 40 == 39)
			wait_ms(p, 50);
		ignore(p);
	}
	size = option(p, p->id, TERN_SO_RCVBUF);
	done(p);
	return size;
}

static void the_receive_buffer_grows_unless_tcp_moderate_rcvbuf_is_off(void **state)
{
	int64_t fixed = buffer_of_one_who_reads_much("0");

	(void)state;
	assert_int_equal(fixed, 131072);
	assert_true(buffer_of_one_who_reads_much("1") > fixed);
}

/* ---- personas ---- */

static void the_freebsd_persona_has_bsd_manners(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	knob(p, "tern_persona", "freebsd");
	p->wscale = 7;
	open_active(p);
	assert_int_equal(p->got.seg.wnd, 65535);
	assert_int_equal(p->got.seg.opt.wscale, 6);
	say(p, .flags = IS(TERN_SYN | TERN_ACK));
	expect_ack(p);
	say(p, .flags = IS(TERN_FIN | TERN_ACK));
	expect_ack(p);
	say(p, .flags = IS(TERN_RST));
	assert_int_equal(so_error(p), ECONNRESET);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_tern_insecure_rst_any_reset_in_the_window_is_believed),
		cmocka_unit_test(
			with_tern_insecure_rst_an_orphan_in_fin_wait_2_and_time_wait_end_as_well),
		cmocka_unit_test(with_tern_insecure_syn_a_syn_in_the_window_resets),
		cmocka_unit_test(with_tern_insecure_syn_a_syn_outside_the_window_draws_an_ack),
		cmocka_unit_test(with_tern_insecure_syn_an_orphan_in_fin_wait_2_is_reset),
		cmocka_unit_test(
			a_reset_at_the_left_edge_ends_time_wait_unless_tcp_rfc1337_forbids),
		cmocka_unit_test(a_syn_with_fin_opens_a_connection_if_tern_drop_synfin_lets_it),
		cmocka_unit_test(the_error_of_a_reset_is_as_the_knobs_say),
		cmocka_unit_test(any_syn_draws_the_syn_ack_again_if_tern_syn_again_says_so),
		cmocka_unit_test(a_crossing_fin_is_answered_with_our_fin_if_tern_fin_again_says_so),
		cmocka_unit_test(
			a_challenge_carries_no_fin_and_nothing_does_once_ours_is_acknowledged),
		cmocka_unit_test(closing_with_unread_bytes_resets_unless_tern_unread_reset_is_off),
		cmocka_unit_test(with_tcp_challenge_ack_limit_0_nothing_is_challenged),
		cmocka_unit_test(a_reserved_port_is_chosen_for_nobody),
		cmocka_unit_test(a_reserved_port_can_be_bound_by_its_number),
		cmocka_unit_test(reserved_ports_are_left_out_where_all_others_are_in_use),
		cmocka_unit_test(tcp_rto_max_ms_ends_the_doubling),
		cmocka_unit_test(the_receive_buffer_grows_unless_tcp_moderate_rcvbuf_is_off),
		cmocka_unit_test(the_freebsd_persona_has_bsd_manners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
