/* SPDX-License-Identifier: BSD-2-Clause */
/* A segment for a port in LISTEN: SYNs and everything else. */
#include "world.h"

/* RFC9293:MUST-14 RFC9293:SHLD-5 RFC9293:SHLD-6 RFC9293:MAY-3 */
static void a_syn_makes_a_half_open_connection_and_a_synack(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct tern_reply r;
	struct world w;

	(void)state;
	world_open(&w, 5);
	tern_conn_at(&w.tcp, w.sock)->ttl = 33;
	tern_conn_at(&w.tcp, w.sock)->tos = 8;
	input(&w, 1, &seg);
	assert_reason(&w, NONE);
	r = next_reply(&w);
	assert_true(is_of(&r, &flow));
	assert_int_equal(r.flags, TERN_SYN | TERN_ACK);
	assert_int_equal(r.seq, tern_isn(&w.tcp.isn, &flow, w.tcp.now));
	assert_int_equal(r.ack, PEER_ISN + 1);
	assert_int_equal(r.wnd, 65535);
	assert_int_equal(r.options, TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS);
	assert_int_equal(r.mss, 1460);
	assert_int_equal(r.wscale, tern_window_scale(&w.knobs, w.knobs.tcp_rmem_default, false));
	assert_int_equal(r.tsval, w.tcp.now_ms + tern_ts_offset(&w.tcp.isn, &flow, 1));
	assert_int_equal(r.tsecr, PEER_TS);
	assert_int_equal(r.ttl, 33);
	assert_int_equal(r.tos, 8);
	assert_int_equal(r.state, TERN_SYN_RECEIVED);
	assert_int_equal(replies(&w), 0);
	assert_int_equal(half_of(&w, 1)->peer_mss, 1400);
	assert_int_equal(half_of(&w, 1)->wscales >> 4, 10);
	assert_int_equal(AT(&w)->synq.count, 1);
	world_close(&w);
}

static void an_ipv6_syn_makes_one_too(void **state)
{
	struct tern_endpoint any = { tern_addr_any(TERN_INET6), 81 };
	struct tern_flow flow = { .lport = 81, .rport = 9 };
	struct tern_segment seg;
	struct tern_reply r;
	struct world w;

	(void)state;
	world_start(&w);
	assert_int_equal(tern_addr_parse("fd00::1", &flow.local), 0);
	assert_int_equal(tern_addr_parse("fd00::2", &flow.remote), 0);
	assert_int_equal(tern_listener_open(&w.syn, new_socket(&w), &any, false, 5), 0);
	seg = a_syn(&flow);
	input_flow(&w, &flow, &seg);
	assert_reason(&w, NONE);
	r = next_reply(&w);
	assert_true(is_of(&r, &flow));
	assert_int_equal(r.mss, 1440);
	assert_int_not_equal(tern_half_find(&w.syn, hash_of(&w, &flow), &flow), 0);
	world_close(&w);
}

static void options_are_agreed_only_if_both_sides_want_them(void **state)
{
	const uint16_t all[] = { TERN_OPT_WSCALE, TERN_OPT_SACKOK, TERN_OPT_TS };
	struct tern_flow flow = peer(1);

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		uint16_t without = all[i % 3];
		struct tern_segment seg = a_syn(&flow);
		struct tern_reply r;
		struct world w;

		world_open(&w, 5);
		if (i < 3)
			seg.opt.present &= (uint16_t)~without;
		else
			*(i == 3   ? &w.knobs.tcp_window_scaling
			  : i == 4 ? &w.knobs.tcp_sack
				   : &w.knobs.tcp_timestamps) = 0;
		input(&w, 1, &seg);
		r = next_reply(&w);
		assert_int_equal(r.options,
				 (TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS) &
					 ~without);
		if (without == TERN_OPT_WSCALE)
			assert_int_equal(half_of(&w, 1)->wscales, 0);
		world_close(&w);
	}
}

static void the_sockets_limits_show_in_the_synack(void **state)
{
	const uint32_t bufs[] = { 131068, 131069, 131070, 131072, 4096 };
	const uint16_t wnds[] = { 64196, 64240, 65535, 65535, 1460 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(bufs); i++) {
		struct tern_flow flow = peer(1);
		struct tern_segment seg = a_syn(&flow);
		struct tern_reply r;
		struct world w;

		world_open(&w, 5);
		tern_conn_at(&w.tcp, w.sock)->rcv.buf = bufs[i];
		tern_conn_at(&w.tcp, w.sock)->max_seg = (uint16_t)(1459 + i);
		input(&w, 1, &seg);
		r = next_reply(&w);
		assert_int_equal(r.wnd, wnds[i]);
		assert_int_equal(r.mss, TERN_MIN(1459 + (int)i, 1460));
		world_close(&w);
	}
}

static void segments_that_open_nothing_are_dropped_in_listen(void **state)
{
	static const struct {
		uint16_t flags;
		enum tern_drop reason;
	} cases[] = {
		{ TERN_RST, TERN_DROP_TCP_INVALID_RST },
		{ TERN_RST | TERN_ACK, TERN_DROP_TCP_INVALID_RST },
		{ TERN_RST | TERN_SYN, TERN_DROP_TCP_FLAGS },
		{ 0, TERN_DROP_TCP_FLAGS },
		{ TERN_FIN, TERN_DROP_TCP_FLAGS },
		{ TERN_PSH | TERN_URG, TERN_DROP_TCP_FLAGS },
		{ TERN_SYN | TERN_FIN, TERN_DROP_TCP_SYN_FIN },
	};
	struct tern_flow flow = peer(1);
	struct world w;

	(void)state;
	world_open(&w, 5);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_segment seg = a_syn(&flow);

		seg.flags = cases[i].flags;
		input(&w, 1, &seg);
		assert_int_equal(w.reason, cases[i].reason);
		assert_int_equal(replies(&w), 0);
	}
	assert_int_equal(w.syn.halves.used, 0);
	world_close(&w);
}

static void an_ack_in_listen_is_reset(void **state)
{
	const uint16_t flags[] = { TERN_ACK, TERN_ACK | TERN_SYN, TERN_ACK | TERN_FIN };
	struct tern_flow flow = peer(1);
	struct world w;

	(void)state;
	world_open(&w, 5);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(flags); i++) {
		struct tern_segment seg = a_syn(&flow);

		seg.flags = flags[i];
		seg.ack = 12345;
		input(&w, 1, &seg);
		assert_reason(&w, TCP_INVALID_ACK_SEQUENCE);
		assert_only_reply(&w, TERN_RST, 12345, 0);
	}
	assert_int_equal(w.syn.halves.used, 0);
	world_close(&w);
}

static void a_syn_with_malformed_options_is_dropped(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct world w;

	(void)state;
	world_open(&w, 5);
	seg.options_malformed = true;
	input(&w, 1, &seg);
	assert_reason(&w, TCP_OPTIONS);
	assert_int_equal(replies(&w), 0);
	assert_int_equal(w.syn.halves.used, 0);
	world_close(&w);
}

static void data_on_a_syn_is_left_unacknowledged(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct world w;

	(void)state;
	world_open(&w, 5);
	seg.data = (const uint8_t *)"early";
	seg.len = 5;
	input(&w, 1, &seg);
	assert_reason(&w, NONE);
	assert_int_equal(next_reply(&w).ack, PEER_ISN + 1);
	world_close(&w);
}

static void the_syn_queue_takes_one_more_than_the_backlog(void **state)
{
	struct tern_flow flow = peer(9);
	struct tern_segment seg = a_syn(&flow);

	(void)state;
	for (unsigned int backlog = 0; backlog < 4; backlog++) {
		struct world w;

		world_open(&w, (int)backlog);
		for (unsigned int n = 0; n <= backlog; n++)
			half_open(&w, n);
		input(&w, 9, &seg);
		assert_reason(&w, TCP_REQQFULL_DROP);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(AT(&w)->synq.count, backlog + 1);
		assert_int_equal(COUNT(&w, TcpExtTCPReqQFullDrop), 1);
		assert_int_equal(COUNT(&w, TcpExtListenDrops), 1);
		assert_int_equal(COUNT(&w, TcpExtListenOverflows), 0);
		world_close(&w);
	}
}

static void the_syn_queue_takes_no_more_than_tcp_max_syn_backlog(void **state)
{
	struct tern_flow flow = peer(9);
	struct tern_segment seg = a_syn(&flow);

	(void)state;
	for (unsigned int limit = 0; limit < 4; limit++) {
		struct world w;

		world_open(&w, 20);
		w.knobs.tcp_max_syn_backlog = limit;
		for (unsigned int n = 0; n < limit; n++)
			half_open(&w, n);
		input(&w, 9, &seg);
		assert_reason(&w, TCP_REQQFULL_DROP);
		assert_int_equal(AT(&w)->synq.count, limit);
		world_close(&w);
	}
}

static void a_full_accept_queue_takes_no_syn(void **state)
{
	struct tern_flow flow = peer(9);
	struct tern_segment seg = a_syn(&flow);

	(void)state;
	for (unsigned int backlog = 0; backlog < 4; backlog++) {
		struct world w;

		world_open(&w, (int)backlog);
		for (unsigned int n = 0; n <= backlog; n++)
			open_fully(&w, n);
		input(&w, 9, &seg);
		assert_reason(&w, TCP_LISTEN_OVERFLOW);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(w.syn.halves.used, 0);
		assert_int_equal(COUNT(&w, TcpExtListenOverflows), 1);
		assert_int_equal(COUNT(&w, TcpExtListenDrops), 1);
		assert_int_equal(AT(&w)->overflows, 1);
		assert_int_not_equal(tern_listener_accept(&w.syn, w.listener), 0);
		input(&w, 9, &seg);
		assert_reason(&w, NONE);
		world_close(&w);
	}
}

/* A SYN that took a TIME-WAIT tuple over, as the stack hands it in. */
static void reopen(struct world *w, unsigned int n)
{
	const struct tern_reopen from = { .iss = 777000, .ts_offset = 4242 };
	struct tern_flow flow = peer(n);
	struct tern_segment seg = a_syn(&flow);

	tern_listener_input(&w->syn, w->listener, &flow, hash_of(w, &flow), &seg, &from,
			    &w->reason);
}

static void a_reopening_syn_starts_from_what_time_wait_says(void **state)
{
	struct tern_reply r;
	struct world w;

	(void)state;
	world_open(&w, 5);
	reopen(&w, 1);
	assert_reason(&w, NONE);
	r = next_reply(&w);
	assert_int_equal(r.seq, 777000);
	assert_int_equal(r.tsval, w.tcp.now_ms + 4242);
	assert_true(tern_half_reopens(&w.syn, find_half(&w, 1)));
	half_open(&w, 2);
	assert_false(tern_half_reopens(&w.syn, find_half(&w, 2)));
	world_close(&w);
}

static void a_reopening_syn_is_proven_and_passes_a_full_syn_queue(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 0);
	half_open(&w, 1);
	w.knobs.tcp_max_syn_backlog = 0;
	reopen(&w, 2);
	assert_reason(&w, NONE);
	assert_int_equal(AT(&w)->synq.count, 2);
	world_close(&w);
}

static void a_reopening_syn_does_not_pass_a_full_accept_queue(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 0);
	open_fully(&w, 1);
	reopen(&w, 2);
	assert_reason(&w, TCP_LISTEN_OVERFLOW);
	assert_int_equal(w.syn.halves.used, 0);
	world_close(&w);
}

static void the_stacks_table_of_halves_is_a_limit_of_its_own(void **state)
{
	struct tern_flow flow = peer(HALVES);
	struct tern_segment seg = a_syn(&flow);
	struct world w;

	(void)state;
	world_open(&w, 1000);
	for (unsigned int n = 0; n < HALVES; n++)
		half_open(&w, n);
	input(&w, HALVES, &seg);
	assert_reason(&w, TCP_HALFOPEN_LIMIT);
	assert_int_equal(COUNT(&w, TernHalfOpenLimit), 1);
	assert_int_equal(COUNT(&w, TernAllocFailures), 0);
	assert_int_equal(COUNT(&w, TcpExtListenDrops), 1);
	assert_int_equal(replies(&w), 0);
	world_close(&w);
}

static void no_memory_for_a_half_is_a_drop(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct world w;

	(void)state;
	world_open(&w, 5);
	w.mem.fail_in = 1;
	input(&w, 1, &seg);
	assert_reason(&w, NOMEM);
	assert_int_equal(COUNT(&w, TernAllocFailures), 1);
	assert_int_equal(COUNT(&w, TernHalfOpenLimit), 0);
	assert_int_equal(COUNT(&w, TcpExtListenDrops), 1);
	assert_int_equal(replies(&w), 0);
	input(&w, 1, &seg);
	assert_reason(&w, NONE);
	world_close(&w);
}

static void a_synack_that_found_no_place_leaves_with_the_timer(void **state)
{
	struct tern_flow flow = peer(1);
	struct tern_segment seg = a_syn(&flow);
	struct world w;

	(void)state;
	world_open(&w, 5);
	while (tern_reply_push(&w.tcp.replies, &flow))
		;
	input(&w, 1, &seg);
	assert_reason(&w, NONE);
	assert_int_equal(replies(&w), TERN_REPLIES_MAX);
	forget_replies(&w);
	later(&w, NS_PER_S + TERN_TICK_NS);
	assert_int_equal(next_reply(&w).flags, TERN_SYN | TERN_ACK);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_makes_a_half_open_connection_and_a_synack),
		cmocka_unit_test(an_ipv6_syn_makes_one_too),
		cmocka_unit_test(options_are_agreed_only_if_both_sides_want_them),
		cmocka_unit_test(the_sockets_limits_show_in_the_synack),
		cmocka_unit_test(segments_that_open_nothing_are_dropped_in_listen),
		cmocka_unit_test(an_ack_in_listen_is_reset),
		cmocka_unit_test(a_syn_with_malformed_options_is_dropped),
		cmocka_unit_test(data_on_a_syn_is_left_unacknowledged),
		cmocka_unit_test(the_syn_queue_takes_one_more_than_the_backlog),
		cmocka_unit_test(the_syn_queue_takes_no_more_than_tcp_max_syn_backlog),
		cmocka_unit_test(a_full_accept_queue_takes_no_syn),
		cmocka_unit_test(a_reopening_syn_starts_from_what_time_wait_says),
		cmocka_unit_test(a_reopening_syn_is_proven_and_passes_a_full_syn_queue),
		cmocka_unit_test(a_reopening_syn_does_not_pass_a_full_accept_queue),
		cmocka_unit_test(the_stacks_table_of_halves_is_a_limit_of_its_own),
		cmocka_unit_test(no_memory_for_a_half_is_a_drop),
		cmocka_unit_test(a_synack_that_found_no_place_leaves_with_the_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
