/* SPDX-License-Identifier: BSD-2-Clause */
/* Records: made, found, timed, freed. */
#include "world.h"

#include <errno.h>

static void records_keep_to_their_size(void **state)
{
	(void)state;
	print_message("struct tern_tw: %zu bytes, %zu with an IPv4 flow\n", sizeof(struct tern_tw),
		      sizeof(struct tern_tw) + 8);
	assert_true(sizeof(struct tern_tw) + 8 <= 48);
	assert_true(offsetof(struct tern_tw, addrs) == sizeof(struct tern_tw));
}

static void a_record_keeps_what_the_connection_knew(void **state)
{
	const struct tern_tw *r;
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	r = tern_tw_at(&w.tw, w.idx);
	assert_int_equal(find(&w, &w.flow), w.idx);
	assert_int_equal(r->snd_nxt, SND_NXT);
	assert_int_equal(r->rcv_nxt, RCV_NXT);
	assert_int_equal(r->rcv_wnd, WINDOW >> 2);
	assert_int_equal(r->wscale, 2);
	assert_int_equal(r->ts_recent, TS_RECENT);
	assert_int_equal(r->ts_offset, TS_OFFSET);
	assert_int_equal(r->timestamps, 1);
	assert_int_equal(tern_timewait_state(&w.tw, w.idx), TERN_TIME_WAIT);
	assert_int_equal(COUNT(&w, TcpExtTW), 1);
	assert_int_equal(w.tw.finwait2, 0);
	assert_int_equal(replies(&w), 0);
	world_close(&w);
}

static void an_ipv6_record_is_found_too(void **state)
{
	struct tern_flow flow = { .lport = 80, .rport = 9 }, other;
	struct world w;

	(void)state;
	world_start(&w);
	assert_int_equal(tern_addr_parse("fd00::1", &flow.local), 0);
	assert_int_equal(tern_addr_parse("fd00::2", &flow.remote), 0);
	w.idx = leave(&w, &flow, TERN_TIME_WAIT, false);
	assert_int_equal(find(&w, &flow), w.idx);
	other = flow;
	other.remote.b[15] ^= 1;
	assert_int_equal(find(&w, &other), 0);
	world_close(&w);
}

static void the_window_is_kept_as_it_was_shown(void **state)
{
	const uint32_t left[] = { 0, 3, 4, 65535u << 2, 65536u << 2, (uint32_t)-1 };
	const uint16_t kept[] = { 0, 1, 1, 65535, 65535, 0 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(left); i++) {
		struct tern_flow flow = peer(1);
		struct tern_conn *c;
		struct world w;
		uint32_t conn;

		world_start(&w);
		conn = conn_of(&w, &flow);
		c = tern_conn_at(&w.tcp, conn);
		c->rcv.adv = c->rcv.nxt + left[i];
		w.idx = tern_timewait_add(&w.tw, conn, c, TERN_TIME_WAIT, false);
		assert_int_equal(tern_tw_at(&w.tw, w.idx)->rcv_wnd, kept[i]);
		world_close(&w);
	}
}

static void the_peers_fin_is_acknowledged_when_asked_for(void **state)
{
	struct world w;
	const struct tern_ring *ring = &w.tcp.replies.ring;

	(void)state;
	world_start(&w);
	w.flow = peer(1);
	w.idx = leave(&w, &w.flow, TERN_TIME_WAIT, true);
	assert_int_equal(((struct tern_reply *)tern_ring_slot(ring, ring->head))->wnd, WINDOW >> 2);
	assert_acked(&w, RCV_NXT);
	world_close(&w);
}

static void time_wait_lasts_two_msl_and_is_gone(void **state)
{
	const uint32_t len_s[] = { 60, 5, 0 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(len_s); i++) {
		struct world w;

		world_start(&w);
		w.knobs.tern_timewait_len = len_s[i];
		w.flow = peer(1);
		w.idx = leave(&w, &w.flow, TERN_TIME_WAIT, false);
		if (len_s[i]) {
			later(&w, len_s[i] * NS_PER_S - 1);
			assert_int_equal(find(&w, &w.flow), w.idx);
		}
		later(&w, 1 + TERN_TICK_NS);
		assert_int_equal(find(&w, &w.flow), 0);
		assert_int_equal(w.tw.pool.used, 0);
		assert_int_equal(w.tw.map.count, 0);
		assert_int_equal(tern_timewait_deadline(&w.tw), TERN_NEVER);
		assert_int_equal(COUNT(&w, TcpExtTWKilled), 0);
		world_close(&w);
	}
}

static void an_orphan_in_fin_wait_2_is_gone_at_tcp_fin_timeout(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	w.knobs.tcp_fin_timeout = 7;
	w.flow = peer(1);
	w.idx = leave(&w, &w.flow, TERN_FIN_WAIT_2, false);
	assert_int_equal(tern_timewait_state(&w.tw, w.idx), TERN_FIN_WAIT_2);
	assert_int_equal(w.tw.finwait2, 1);
	assert_int_equal(COUNT(&w, TernFinWait2Orphans), 1);
	assert_int_equal(COUNT(&w, TcpExtTW), 0);
	later(&w, 7 * NS_PER_S - 1);
	assert_int_equal(find(&w, &w.flow), w.idx);
	later(&w, 1 + TERN_TICK_NS);
	assert_int_equal(find(&w, &w.flow), 0);
	assert_int_equal(w.tw.finwait2, 0);
	assert_int_equal(COUNT(&w, TcpExtTWKilled), 1);
	assert_int_equal(COUNT(&w, TcpExtTW), 0);
	world_close(&w);
}

static void the_end_of_a_record_is_traced(void **state)
{
	const enum tern_state states[] = { TERN_TIME_WAIT, TERN_FIN_WAIT_2 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(states); i++) {
		struct tern_trace_record record, last = { .time_ns = 0 };
		uint64_t cursor = 0;
		struct world w;

		world_open(&w, states[i]);
		later(&w, 60 * NS_PER_S + TERN_TICK_NS);
		while (tern_trace_read(&w.trace, &cursor, &record))
			last = record;
		assert_int_equal(last.kind, TERN_TRACE_STATE);
		assert_in_range(w.tcp.now - last.time_ns, 0, TERN_TICK_NS);
		assert_int_equal(last.before, states[i]);
		assert_int_equal(last.after, TERN_CLOSED);
		assert_int_equal(last.local.port, 80);
		assert_int_equal(last.remote.port, w.flow.rport);
		world_close(&w);
	}
}

static void records_hold_their_port_and_give_it_back(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TERN_TIME_WAIT);
	assert_true(tern_ports_used(w.tcp.ports, 80));
	tern_timewait_remove(&w.tw, w.idx);
	assert_false(tern_ports_used(w.tcp.ports, 80));
	assert_int_equal(w.tw.pool.used, 0);
	assert_int_equal(tern_timewait_deadline(&w.tw), TERN_NEVER);
	world_close(&w);
}

static void tcp_max_tw_buckets_is_the_limit(void **state)
{
	(void)state;
	for (unsigned int limit = 0; limit < 3; limit++) {
		struct tern_flow flow;
		struct world w;

		world_start(&w);
		w.knobs.tcp_max_tw_buckets = limit;
		for (unsigned int n = 0; n < limit; n++) {
			flow = peer(n);
			assert_int_not_equal(leave(&w, &flow, TERN_TIME_WAIT, false), 0);
		}
		flow = peer(9);
		assert_int_equal(leave(&w, &flow, TERN_TIME_WAIT, true), 0);
		assert_int_equal(replies(&w), 1); /* the FIN is acknowledged all the same */
		assert_int_equal(COUNT(&w, TcpExtTCPTimeWaitOverflow), 1);
		assert_int_equal(COUNT(&w, TcpExtTW), limit);
		world_close(&w);
	}
}

static void the_table_is_a_limit_and_so_is_memory(void **state)
{
	struct tern_flow flow;
	struct world w;

	(void)state;
	world_start(&w);
	flow = peer(99);
	tern_conn_free(&w.tcp, tern_conn_new(&w.tcp, TERN_CLOSED)); /* its memory is there now */
	w.mem.fail_in = 1;
	assert_int_equal(leave(&w, &flow, TERN_TIME_WAIT, false), 0);
	assert_int_equal(COUNT(&w, TcpExtTCPTimeWaitOverflow), 1);
	for (unsigned int n = 0; n < RECORDS; n++) {
		flow = peer(n);
		assert_int_not_equal(leave(&w, &flow, TERN_TIME_WAIT, false), 0);
	}
	flow = peer(99);
	assert_int_equal(leave(&w, &flow, TERN_FIN_WAIT_2, false), 0);
	assert_int_equal(COUNT(&w, TcpExtTCPTimeWaitOverflow), 2);
	assert_int_equal(COUNT(&w, TernFinWait2Orphans), 0);
	assert_int_equal(w.tw.finwait2, 0);
	world_close(&w);
}

static void the_room_is_reserved_whole_or_not_at_all(void **state)
{
	struct tern_timewait tw;
	struct world w;
	uint64_t used;
	int err = -ENOMEM;

	(void)state;
	world_start(&w);
	used = w.mem.used;
	for (uint64_t n = 1; err; n++) {
		w.mem.fail_in = n;
		err = tern_timewait_init(&tw, &w.tcp, w.tcp.ports, 4, 8, w.tcp.now);
		assert_true(err == 0 ? n == 3 : err == -ENOMEM && w.mem.used == used);
	}
	w.mem.fail_in = 0;
	tern_timewait_free(&tw);
	assert_int_equal(w.mem.used, used);
	world_close(&w);
}

static void a_row_shows_state_and_timer(void **state)
{
	const enum tern_state states[] = { TERN_TIME_WAIT, TERN_FIN_WAIT_2 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(states); i++) {
		struct tern_socket_info row;
		struct world w;

		world_open(&w, states[i]);
		later(&w, 20 * NS_PER_S);
		tern_timewait_describe(&w.tw, w.idx, &row);
		assert_true(tern_addr_eq(&row.local.addr, &w.flow.local));
		assert_true(tern_addr_eq(&row.remote.addr, &w.flow.remote));
		assert_int_equal(row.local.port, 80);
		assert_int_equal(row.remote.port, w.flow.rport);
		assert_int_equal(row.proto, TERN_PROTO_TCP);
		assert_int_equal(row.state, states[i]);
		assert_int_equal(row.timer, TERN_TIMER_TIMEWAIT);
		assert_in_range(row.timer_ns, 40 * NS_PER_S, 40 * NS_PER_S + TERN_TICK_NS);
		assert_int_equal(row.age_ns, 20 * NS_PER_S);
		assert_int_equal(row.orphan, states[i] == TERN_FIN_WAIT_2);
		assert_int_equal(row.id, 0);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_keep_to_their_size),
		cmocka_unit_test(a_record_keeps_what_the_connection_knew),
		cmocka_unit_test(an_ipv6_record_is_found_too),
		cmocka_unit_test(the_window_is_kept_as_it_was_shown),
		cmocka_unit_test(the_peers_fin_is_acknowledged_when_asked_for),
		cmocka_unit_test(time_wait_lasts_two_msl_and_is_gone),
		cmocka_unit_test(an_orphan_in_fin_wait_2_is_gone_at_tcp_fin_timeout),
		cmocka_unit_test(the_end_of_a_record_is_traced),
		cmocka_unit_test(records_hold_their_port_and_give_it_back),
		cmocka_unit_test(tcp_max_tw_buckets_is_the_limit),
		cmocka_unit_test(the_table_is_a_limit_and_so_is_memory),
		cmocka_unit_test(the_room_is_reserved_whole_or_not_at_all),
		cmocka_unit_test(a_row_shows_state_and_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
