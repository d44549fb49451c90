/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences of RFC 9293 that no other test is about: docs/rfc9293.md says which and where. */
#include "base/compiler.h"
#include "harness/puppet.h"
#include "wire/ip.h"

/* ---- §3.1, windows ---- */

/* As a signed number it would be negative. RFC9293:MUST-1 RFC9293:REC-1 */
static void a_window_with_its_highest_bit_set_is_a_large_one(void **state)
{
	static const uint32_t windows[] = { 0x7fff, 0x8000, 0x8001, 0xffff };

	(void)state;
	FOR_EACH_KIND(k)
	{
		for (size_t i = 0; i < TERN_ARRAY_SIZE(windows); i++) {
			struct puppet *p = puppet_new(k);
			struct tern_socket_info row;

			p->wscale = -1;
			p->window = windows[i];
			bring_to(p, TERN_ESTABLISHED);
			say(p);
			assert_true(find_row(p, &row));
			assert_int_equal(row.snd_wnd, windows[i]);
			app_writes(p, 3000);
			expect(p, .len = IS(k < PASSIVE6 ? 1448 : 1428));
			done(p);
		}
	}
}

/* RFC9293:REC-1 RFC7323:2.3a */
static void a_scaled_window_needs_more_than_16_bits(void **state)
{
	(void)state;
	for (int scale = 1; scale <= 14; scale++) {
		struct puppet *p = puppet_new(PASSIVE4);
		struct tern_socket_info row;

		p->wscale = scale;
		bring_to(p, TERN_ESTABLISHED);
		say(p, .wnd = IS(65535));
		assert_true(find_row(p, &row));
		assert_int_equal(row.snd_wnd, 65535u << scale);
		done(p);
	}
}

/* ---- §3.8.3, R1 ---- */

/* What was learnt of the way is forgotten, and the application told; nothing else changes. */
static void expect_doubt_at(struct puppet *p, int64_t r1)
{
	for (int64_t timeouts = 0; timeouts <= r1 + 2; timeouts++) {
		assert_int_equal(option(p, p->id, TERN_SO_TIMEOUTS), timeouts);
		assert_int_equal(tern_path_mtu(p->st, &p->peer.addr), timeouts < r1 ? 1400 : 1500);
		assert_int_equal(events(p) & TERN_EV_REPORT, timeouts == r1 ? TERN_EV_REPORT : 0);
		while (option(p, p->id, TERN_SO_TIMEOUTS) == timeouts)
			wait_ms(p, 10);
	}
	assert_int_equal(so_error(p), 0);
	ignore(p);
}

/* RFC9293:MUST-20 RFC9293:SHLD-9 RFC9293:SHLD-10 RFC9293:U-2 */
static void at_r1_the_way_is_in_doubt_and_the_application_told(void **state)
{
	static const char *const r1[] = { "3", "1", "6" };

	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		if (k)
			knob(p, "tcp_retries1", r1[k % 3]);
		tern_path_lower(p->st, &p->peer.addr, 1400);
		app_writes(p, 10);
		expect_doubt_at(p, r1[k % 3][0] - '0');
		tern_path_lower(p->st, &p->peer.addr, 1300); /* learnt anew, it counts again */
		assert_int_equal(tern_path_mtu(p->st, &p->peer.addr), 1300);
		done(p);
	}
}

/* RFC9293:MUST-20 RFC9293:MUST-22 RFC9293:U-1 */
static void r1_holds_for_a_syn_as_well(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);

	(void)state;
	tern_path_lower(p->st, &p->peer.addr, 1400);
	bring_to(p, TERN_SYN_SENT);
	expect_doubt_at(p, 3);
	done(p);
}

/* ---- §3.9.1.1, local addresses ---- */

enum { SECOND_NET = 99 };

/* A stack with an address in each of two networks, and a peer in one of them. */
static struct puppet *two_networks(enum kind k, uint8_t peers_net)
{
	struct tern_config cfg = puppet_config();
	struct puppet *p;

	cfg.addrs[2] = (struct tern_prefix){ tern_addr_v4(10, SECOND_NET, 0, 2), 24 };
	cfg.addr_count = 3;
	p = puppet_new_cfg(k, &cfg);
	p->peer.addr = tern_addr_v4(10, peers_net, 0, 1);
	return p;
}

/* RFC9293:MUST-44 */
static void the_source_of_a_connect_is_the_address_nearest_to_the_peer(void **state)
{
	(void)state;
	for (uint8_t net = 77; net <= SECOND_NET; net += SECOND_NET - 77) {
		struct puppet *p = two_networks(ACTIVE4, net);
		struct tern_addr nearest = tern_addr_v4(10, net, 0, 2);

		open_active(p);
		assert_true(tern_addr_eq(&p->got.flow.local, &nearest));
		say(p, .flags = IS(TERN_SYN | TERN_ACK));
		expect_ack(p);
		assert_true(tern_addr_eq(&p->got.flow.local, &nearest));
		done(p);
	}
}

/* RFC9293:MUST-43 */
static void the_source_of_a_connect_is_the_address_it_was_bound_to(void **state)
{
	struct puppet *p = two_networks(ACTIVE4, 77);
	struct tern_endpoint at = { tern_addr_v4(10, SECOND_NET, 0, 2), 5000 };

	(void)state;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	assert_int_equal(tern_stack_bind(p->st, p->now, p->id, &at), 0);
	open_active(p);
	assert_int_equal(p->us.port, 5000);
	assert_true(tern_addr_eq(&p->got.flow.local, &at.addr));
	done(p);
}

/* From the SYN-ACK to the last ACK. RFC9293:MUST-45 */
static void a_connection_keeps_the_address_that_the_peer_has_called(void **state)
{
	struct puppet *p = two_networks(PASSIVE4, 77);
	struct tern_addr called = tern_addr_v4(10, SECOND_NET, 0, 2);

	(void)state;
	p->us.addr = tern_addr_any(TERN_INET);
	open_listener(p, 8);
	p->us.addr = called;
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK));
	assert_true(tern_addr_eq(&p->got.flow.local, &called));
	say(p);
	app_accepts(p);
	app_writes(p, 10);
	expect(p, .len = IS(10));
	assert_true(tern_addr_eq(&p->got.flow.local, &called));
	say(p, .flags = IS(TERN_FIN | TERN_ACK));
	expect_ack(p);
	assert_true(tern_addr_eq(&p->got.flow.local, &called));
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	assert_true(tern_addr_eq(&p->got.flow.local, &called));
	done(p);
}

/* ---- §3.10.7.4, bursts ---- */

enum { BURST = 8, PIECE = 100 };

/* Frames of PIECE bytes each, next in order one after the other. */
static void fill_burst(const struct puppet *p, uint8_t frames[BURST][20 + 20 + PIECE],
		       struct tern_frame *ret)
{
	for (uint32_t i = 0; i < BURST; i++) {
		struct tern_segment seg = { .sport = p->peer.port,
					    .dport = p->us.port,
					    .seq = p->seq + i * PIECE,
					    .ack = p->ack,
					    .flags = TERN_ACK,
					    .wnd = 65535,
					    .len = PIECE };
		struct tern_packet pkt = { .src = p->peer.addr,
					   .dst = p->us.addr,
					   .proto = TERN_PROTO_TCP,
					   .ttl = 64,
					   .payload_len = 20 + PIECE };
		uint8_t *at = frames[i];

		tern_ip_emit(at, 20, &pkt);
		tern_tcp_emit(at + 20, 20, &seg);
		for (uint32_t n = 0; n < PIECE; n++)
			at[40 + n] = stream_byte(i * PIECE + n);
		tern_tcp_cksum_full(&pkt.src, &pkt.dst, at + 20, 20,
				    &(struct tern_piece){ at + 40, PIECE }, 1);
		ret[i] = (struct tern_frame){ .data = at, .len = sizeof(frames[i]) };
	}
}

/* RFC9293:MUST-58 RFC9293:MUST-59 */
static void a_burst_is_taken_whole_before_one_ack_answers_it(void **state)
{
	static uint8_t bytes[BURST][20 + 20 + PIECE];
	struct puppet *p = puppet_new(PASSIVE4);
	struct tern_frame frames[BURST];

	(void)state;
	p->ts = false;
	bring_to(p, TERN_ESTABLISHED);
	fill_burst(p, bytes, frames);
	tern_stack_input(p->st, p->now, frames, BURST);
	p->seq += BURST * PIECE;
	expect_ack(p);
	expect_silence(p);
	app_reads(p, BURST * PIECE);
	done(p);
}

/* ---- §3.8.5, urgent data ---- */

/*
 * The pointer has 16 bits. While the end is further away it shows the most that it can, if that is
 * beyond what was sent, else none is needed. RFC9293:MUST-31
 */
static void urgent_data_may_be_longer_than_the_pointer_reaches(void **state)
{
	enum { LONG = 100000 };
	static uint8_t bytes[LONG];
	struct puppet *p = puppet_new(PASSIVE4);
	uint32_t sent = 0, far = 0;

	(void)state;
	p->window = 4 * LONG;
	bring_to(p, TERN_ESTABLISHED);
	set_option(p, p->id, TERN_SO_SNDBUF, 8 * LONG);
	for (uint32_t i = 0; i < LONG; i++)
		bytes[i] = stream_byte(i);
	assert_int_equal(tern_stack_send(p->st, p->now, p->id, bytes, LONG, TERN_MSG_OOB), LONG);
	p->written += LONG;
	while (sent < LONG) {
		assert_true(hear(p));
		if (p->got.seg.flags & TERN_URG)
			assert_int_equal(p->got.seg.urgent, TERN_MIN(LONG - sent, 65535u));
		far += LONG - sent <= 65535 && (p->got.seg.flags & TERN_URG);
		sent += p->got.seg.len;
		say(p, .ack = IS(p->ack));
	}
	assert_int_equal(far, 46); /* all from which the end can be seen */
	done(p);
}

/* ---- RFC 7323 §3.2 ---- */

/* RFC7323:3.2b */
static void timestamps_once_agreed_on_are_in_every_segment(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = puppet_new(k);

		bring_to(p, TERN_ESTABLISHED);
		app_writes(p, 10);
		expect(p, .len = IS(10), .ts = IS(1));
		say(p, .len = IS(10), .ack = IS(p->ack - 10));
		expect(p, .flags = IS(TERN_ACK), .ts = IS(1));
		wait_ms(p, 500);
		expect(p, .seq = IS(p->ack - 10), .len = IS(10), .ts = IS(1));
		ignore(p);
		app_reads(p, 10);
		say(p);
		app_shuts(p, TERN_SHUT_WR);
		expect(p, .flags = IS(TERN_FIN | TERN_ACK), .ts = IS(1));
		say(p, .len = IS(10));
		ignore(p);
		app_closes(p);
		expect(p, .flags = IS(TERN_RST | TERN_ACK), .ts = IS(1));
		done(p);
	}
}

/* RFC7323:3.2d */
static void timestamps_that_were_not_agreed_on_mean_nothing(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = puppet_new(k);

		p->ts = false;
		bring_to(p, TERN_ESTABLISHED);
		for (uint32_t i = 0; i < 3; i++) {
			say(p, .len = IS(10), .ts = IS(1), .tsval = IS(3000 - 1000 * i));
			assert_taken(p);
			expect(p, .ack = IS(p->seq), .ts = IS(0));
		}
		say(p, .len = IS(10));
		assert_taken(p);
		expect(p, .ack = IS(p->seq), .ts = IS(0));
		for (uint32_t i = 0; i < 3; i++) { /* out of order each step is asked */
			say(p, .seq = IS(p->seq + 30 - 10 * i), .len = IS(10), .ts = IS(i % 2),
			    .tsval = IS(1));
			assert_taken(p);
			expect(p, .ack = IS(p->seq), .ts = IS(0));
		}
		say(p, .len = IS(10));
		expect(p, .ack = IS(p->seq + 30));
		p->seq += 30;
		app_reads(p, 80);
		done(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_with_its_highest_bit_set_is_a_large_one),
		cmocka_unit_test(a_scaled_window_needs_more_than_16_bits),
		cmocka_unit_test(at_r1_the_way_is_in_doubt_and_the_application_told),
		cmocka_unit_test(r1_holds_for_a_syn_as_well),
		cmocka_unit_test(the_source_of_a_connect_is_the_address_nearest_to_the_peer),
		cmocka_unit_test(the_source_of_a_connect_is_the_address_it_was_bound_to),
		cmocka_unit_test(a_connection_keeps_the_address_that_the_peer_has_called),
		cmocka_unit_test(a_burst_is_taken_whole_before_one_ack_answers_it),
		cmocka_unit_test(urgent_data_may_be_longer_than_the_pointer_reaches),
		cmocka_unit_test(timestamps_once_agreed_on_are_in_every_segment),
		cmocka_unit_test(timestamps_that_were_not_agreed_on_mean_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
