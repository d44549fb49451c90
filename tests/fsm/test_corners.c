/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Corners that one peer can show: handshakes that are split, numbers that wrap in the middle of any
 * transition, timestamps that wrap, probes that never mean to connect, queues that are full at the
 * wrong moment, records that are dead and not yet gone.
 */
#include "harness/puppet.h"

#include <errno.h>
#include <stdlib.h>

/* ---- split handshakes (RFC 9293 §3.5) ---- */

/* The peer sends its SYN and its ACK apart: SYN first. */
static void a_split_handshake_may_begin_with_the_syn(void **state)
{
	(void)state;
	for (enum kind k = ACTIVE4; k < KINDS; k += 2) {
		for (int ack_only = 0; ack_only < 2; ack_only++) {
			struct puppet *p = in_state(TERN_SYN_SENT, k);

			say(p, .flags = IS(TERN_SYN));
			expect(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->irs),
			       .ack = IS(p->seq));
			assert_state(p, TERN_SYN_RECEIVED);
			if (ack_only)
				say(p);
			else
				say(p, .flags = IS(TERN_SYN | TERN_ACK), .seq = IS(p->iss));
			assert_taken(p);
			assert_state(p, TERN_ESTABLISHED);
			say(p, .len = IS(9));
			app_reads(p, 9);
			ignore(p);
			app_writes(p, 9);
			expect(p, .len = IS(9));
			say(p);
			done(p);
		}
	}
}

/* … or the ACK first, which says nothing without a SYN (§3.10.7.3 fifth). */
static void a_split_handshake_may_begin_with_the_ack(void **state)
{
	(void)state;
	for (enum kind k = ACTIVE4; k < KINDS; k += 2) {
		struct puppet *p = in_state(TERN_SYN_SENT, k);

		say(p, .seq = IS(p->iss));
		assert_dropped(p, TCP_FLAGS);
		expect_silence(p);
		assert_state(p, TERN_SYN_SENT);
		say(p, .flags = IS(TERN_SYN));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq));
		say(p);
		assert_state(p, TERN_ESTABLISHED);
		done(p);
	}
}

/* ---- SYNs of another time ---- */

/* Figure 8: an old SYN is answered in good faith, and the peer's reset undoes it. */
static void an_old_duplicate_syn_is_undone_by_the_peers_reset(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_LISTEN, k);
		uint32_t fresh = p->iss;

		say(p, .flags = IS(TERN_SYN), .seq = IS(fresh - 5000));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(fresh - 4999));
		say(p, .flags = IS(TERN_RST), .seq = IS(fresh - 4999));
		assert_dropped(p, TCP_RESET);
		assert_state(p, TERN_LISTEN);
		say(p, .flags = IS(TERN_SYN));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(fresh + 1));
		say(p);
		assert_state(p, TERN_ESTABLISHED);
		app_accepts(p);
		done(p);
	}
}

/* The old SYN comes between the new one and its ACK: the handshake under way is not disturbed. */
static void an_old_duplicate_syn_does_not_disturb_a_handshake(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_SYN_RECEIVED, k);

		say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss - 5000));
		expect_ack(p);
		assert_state(p, TERN_SYN_RECEIVED);
		say(p);
		assert_state(p, TERN_ESTABLISHED);
		done(p);
	}
}

/* §3.10.7.4 fourth and RFC 5961 §4.2: the same SYN or another one, a number inside or outside. */
static void a_duplicate_syn_leaves_a_connection_as_it_is(void **state)
{
	static const uint32_t offsets[] = { 0, 1, 2, 1000, 0x80000000, 0xffff0000 };

	(void)state;
	FOR_EACH_KIND(k)
	{
		for (size_t i = 0; i < TERN_ARRAY_SIZE(offsets); i++) {
			struct puppet *p = in_state(TERN_ESTABLISHED, k);
			uint32_t next = p->seq;

			say(p, .flags = IS(TERN_SYN), .seq = IS(p->iss + offsets[i]));
			p->seq = next;
			assert_dropped(p, TCP_SYN_CHALLENGED);
			expect_ack(p);
			say(p, .len = IS(7));
			app_reads(p, 7);
			ignore(p);
			done(p);
		}
	}
}

/* A record that the peer has reset and that the application has not closed yet is no flow. */
static void a_syn_reaches_the_listener_past_a_record_that_is_dead(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		tern_id dead = p->id;

		say(p, .flags = IS(TERN_RST));
		assert_state(p, TERN_CLOSED);
		p->seq = p->iss = p->iss + 70000;
		p->edge_known = false;
		p->irs = 0;
		say(p, .flags = IS(TERN_SYN));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->iss + 1));
		say(p);
		app_accepts(p);
		assert_true(p->id != dead);
		assert_int_equal(option(p, dead, TERN_SO_ERROR), ECONNRESET);
		assert_int_equal(tern_stack_close(p->st, p->now, dead), 0);
		assert_state(p, TERN_ESTABLISHED);
		done(p);
	}
}

/* ---- numbers across 2^32 ---- */

/* Waits until a connection of this flow gets the ISN `iss`: they follow a clock of 4 us. */
static void wait_for_isn(struct puppet *p, uint32_t iss)
{
	struct tern_flow flow = { .local = p->us.addr,
				  .remote = p->peer.addr,
				  .lport = p->us.port,
				  .rport = p->peer.port };

	p->now += (uint64_t)(iss - tern_isn(&p->st->tcp.isn, &flow, p->now)) * 4000;
	tern_stack_tick(p->st, p->now);
}

/* A puppet whose connection will begin `before` numbers before the wrap, at both ends. */
static struct puppet *near_wrap(enum kind k, uint32_t before)
{
	struct puppet *p = puppet_new(k);
	enum tern_family family = (enum tern_family)p->us.addr.family;

	if (is_active(k)) {
		p->us.port = 5555;
		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, family, &p->id), 0);
		assert_int_equal(tern_stack_bind(p->st, p->now, p->id, &p->us), 0);
	}
	p->iss = p->seq = 0 - before;
	wait_for_isn(p, 0 - before);
	return p;
}

/* Both ends' first numbers stand right before the wrap, one by one, on the way into each state. */
static void every_state_is_reached_across_the_wrap(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		for (enum tern_state s = TERN_ESTABLISHED; s < TERN_STATE_MAX; s++) {
			if (s == TERN_LISTEN || s == TERN_CLOSED ||
			    (s == TERN_SYN_SENT && !is_active(k)))
				continue;
			for (uint32_t before = 0; before < 4; before++) {
				struct puppet *p = near_wrap(k, before);

				bring_to(p, s);
				assert_int_equal(p->irs, 0 - before);
				done(p);
			}
		}
	}
}

static void data_both_ways_crosses_the_wrap_at_every_byte(void **state)
{
	(void)state;
	for (uint32_t before = 0; before < 40; before++) {
		struct puppet *p = near_wrap(before % 2 ? PASSIVE4 : ACTIVE4, before);

		bring_to(p, TERN_ESTABLISHED);
		say(p, .seq = IS(p->seq + 10), .len = IS(10)); /* out of order around it */
		p->seq += 10;
		ignore(p);
		say(p, .seq = IS(p->seq - 10), .len = IS(10));
		p->seq += 10;
		app_reads(p, 20);
		expect_ack(p);
		app_writes(p, 30);
		expect(p, .len = IS(30));
		p->ack -= 15;
		say(p); /* of half of it */
		p->ack += 15;
		say(p);
		app_shuts(p, TERN_SHUT_WR);
		expect(p, .flags = IS(TERN_FIN | TERN_ACK));
		say(p, .flags = IS(TERN_FIN | TERN_ACK));
		expect_ack(p);
		assert_state(p, TERN_TIME_WAIT);
		done(p);
	}
}

/* ---- timestamps (RFC 7323 §5) ---- */

/* The puppet's clock wraps after 32 s. What is newer stays newer, what is older stays older. */
static void timestamps_may_wrap(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = puppet_new(k);
		uint32_t old = 0xffffff00;

		p->ts_base = 0 - (uint32_t)(p->now / NS_PER_MS) - 32000;
		bring_to(p, TERN_ESTABLISHED);
		wait_ms(p, 31900);
		say(p, .len = IS(5), .tsval = IS(0xfffffff0));
		expect_ack(p);
		wait_ms(p, 2000);
		say(p, .len = IS(5), .tsval = IS(5)); /* across the wrap: newer */
		assert_taken(p);
		expect_ack(p);
		wait_ms(p, 1000);
		say(p, .len = IS(5), .tsval = IS(old), .seq = IS(p->seq - 10));
		assert_dropped(p, TCP_RFC7323_PAWS);
		expect_ack(p);
		app_reads(p, 10);
		done(p);
	}
}

/* §5.5: after 24 days TS.Recent says nothing, and half of the circle lies behind it. */
static void after_24_days_of_silence_any_timestamp_is_taken(void **state)
{
	static const struct {
		uint64_t days;
		bool taken;
	} cases[] = { { 23, false }, { 25, true } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
		uint32_t recent = (uint32_t)(p->now / NS_PER_MS) + p->ts_base;

		p->now += cases[i].days * 24 * 3600 * UINT64_C(1000000000);
		tern_stack_tick(p->st, p->now);
		say(p, .len = IS(5), .tsval = IS(recent - 1));
		if (!cases[i].taken)
			p->seq -= 5;
		assert_int_equal(p->reason,
				 cases[i].taken ? TERN_DROP_NONE : TERN_DROP_TCP_RFC7323_PAWS);
		expect_ack(p);
		done(p);
	}
}

/* Trap: they were agreed on, then some come without. What broke others was to drop them. */
static void a_peer_that_omits_timestamps_is_served_without(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);
		uint32_t recent;

		say(p, .len = IS(100), .ts = IS(0));
		assert_taken(p);
		expect_ack(p);
		recent = p->got.seg.opt.tsecr; /* that of the handshake */
		app_reads(p, 100);
		app_writes(p, 100);
		expect(p, .len = IS(100), .tsecr = IS(recent));
		say(p, .ts = IS(0));
		say(p, .flags = IS(TERN_FIN | TERN_ACK), .ts = IS(0));
		wait_ms(p, 50);
		expect_ack(p);
		assert_state(p, TERN_CLOSE_WAIT);
		done(p);
	}
}

/* To the letter of RFC 7323 §3.2 such segments are dropped; a reset needs no timestamp. */
static void a_peer_that_omits_timestamps_loses_those_segments_if_the_knob_says_so(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		knob(p, "tern_tolerate_missing_ts", "0");
		say(p, .len = IS(100), .ts = IS(0));
		assert_dropped(p, TCP_NO_TIMESTAMP);
		expect_silence(p);
		p->seq -= 100;
		say(p, .len = IS(100)); /* sent again, with */
		assert_taken(p);
		expect_ack(p);
		app_reads(p, 100);
		say(p, .flags = IS(TERN_FIN | TERN_ACK), .ts = IS(0));
		assert_dropped(p, TCP_NO_TIMESTAMP);
		p->seq--;
		assert_state(p, TERN_ESTABLISHED);
		say(p, .flags = IS(TERN_RST), .ts = IS(0));
		assert_state(p, TERN_CLOSED);
		done(p);
	}
}

/* ---- traps of listeners ---- */

/* SYN, SYN-ACK, RST: a port scanner's way. A thousand of them leave nothing behind. */
static void probes_that_reset_the_syn_ack_leave_no_trace(void **state)
{
	struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);
	tern_id id;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		say(p, .flags = IS(TERN_SYN));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK));
		say(p, .flags = IS(TERN_RST));
		assert_dropped(p, TCP_RESET);
		expect_silence(p);
		next_peer(p);
	}
	assert_int_equal(COUNT(p, TcpExtEmbryonicRsts), 1000);
	assert_int_equal(COUNT(p, TcpExtListenDrops), 0);
	assert_int_equal(tern_stack_accept(p->st, p->now, p->listener, &id), -EAGAIN);
	assert_true(tern_stack_deadline(p->st) == TERN_NEVER);
	say(p, .flags = IS(TERN_SYN)); /* and somebody who means it */
	expect(p, .flags = IS(TERN_SYN | TERN_ACK));
	say(p);
	app_accepts(p);
	done(p);
}

/* Another peer of the same stack, whose handshake goes as far as a SYN-ACK. */
static struct puppet half_open(const struct puppet *p, uint16_t port)
{
	struct puppet other = *p;

	next_peer(&other);
	other.peer.port = port;
	say(&other, .flags = IS(TERN_SYN));
	expect(&other, .flags = IS(TERN_SYN | TERN_ACK));
	return other;
}

/*
 * The queue is full when the last ACK comes: it is dropped, and the client, which believes in its
 * connection, sends data. That is enough, once there is room: nothing is lost.
 */
static void data_after_a_final_ack_that_found_no_room_completes_the_handshake(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4), late, other;

	(void)state;
	open_listener(p, 1);
	late = half_open(p, 50000);
	for (uint16_t i = 0; i < 2; i++) {
		other = half_open(p, (uint16_t)(50001 + i));
		say(&other);
		assert_taken(&other);
	}
	say(&late);
	assert_dropped(&late, TCP_LISTEN_OVERFLOW);
	say(&late, .len = IS(10));
	assert_dropped(&late, TCP_LISTEN_OVERFLOW);
	expect_silence(&late);
	app_accepts(p);
	assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
	p->id = 0;
	ignore(p);
	late.seq -= 10;
	say(&late, .len = IS(10)); /* sent again */
	assert_taken(&late);
	assert_state(&late, TERN_ESTABLISHED);
	expect_ack(&late);
	app_accepts(p); /* those before it */
	assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
	p->id = 0;
	app_accepts(&late);
	app_reads(&late, 10);
	assert_int_equal(tern_stack_abort(p->st, p->now, late.id), 0);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_split_handshake_may_begin_with_the_syn),
		cmocka_unit_test(a_split_handshake_may_begin_with_the_ack),
		cmocka_unit_test(an_old_duplicate_syn_is_undone_by_the_peers_reset),
		cmocka_unit_test(an_old_duplicate_syn_does_not_disturb_a_handshake),
		cmocka_unit_test(a_duplicate_syn_leaves_a_connection_as_it_is),
		cmocka_unit_test(a_syn_reaches_the_listener_past_a_record_that_is_dead),
		cmocka_unit_test(every_state_is_reached_across_the_wrap),
		cmocka_unit_test(data_both_ways_crosses_the_wrap_at_every_byte),
		cmocka_unit_test(timestamps_may_wrap),
		cmocka_unit_test(after_24_days_of_silence_any_timestamp_is_taken),
		cmocka_unit_test(
			a_peer_that_omits_timestamps_loses_those_segments_if_the_knob_says_so),
		cmocka_unit_test(a_peer_that_omits_timestamps_is_served_without),
		cmocka_unit_test(probes_that_reset_the_syn_ack_leave_no_trace),
		cmocka_unit_test(data_after_a_final_ack_that_found_no_room_completes_the_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
