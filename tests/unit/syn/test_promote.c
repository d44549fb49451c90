/* SPDX-License-Identifier: BSD-2-Clause */
/* From half-open to open, and the accept queue. */
#include "world.h"

#include <errno.h>

static void a_promoted_child_knows_what_the_half_knew(void **state)
{
	const struct tern_conn *c;
	struct tern_segment seg;
	struct tern_half h;
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	tern_conn_at(&w.tcp, w.sock)->rcv.buf = 20000;
	half_open(&w, 1);
	h = *half_of(&w, 1);
	tern_tcp_set_now(&w.tcp, w.tcp.now + 37 * NS_PER_MS);
	seg = an_ack(&w, 1);
	conn = input(&w, 1, &seg);
	c = tern_conn_at(&w.tcp, conn);
	assert_int_equal(c->state, TERN_ESTABLISHED);
	assert_int_equal(c->snd.iss, h.iss);
	assert_int_equal(c->snd.una, h.iss + 1);
	assert_int_equal(c->snd.nxt, h.iss + 1);
	assert_int_equal(c->snd.wnd, 500 << 10);
	assert_int_equal(c->rcv.irs, PEER_ISN);
	assert_int_equal(c->rcv.nxt, PEER_ISN + 1);
	assert_int_equal(c->rcv.adv, PEER_ISN + 1 + 8760);
	assert_int_equal(c->rcv.buf, 20000);
	assert_int_equal(c->options, TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS);
	assert_int_equal(c->peer_mss, 1400);
	assert_int_equal(c->snd_wscale, 10);
	assert_int_equal(c->rcv_wscale, h.wscales & 15);
	assert_int_equal(c->ts.offset, h.ts_offset);
	assert_int_equal(c->ts.recent, PEER_TS + 1);
	assert_in_range(c->rtt.srtt8_us / 8, 37000 - 17, 37000 + 17); /* grain of 16 µs */
	assert_int_equal(c->listener, w.listener);
	assert_true((c->flags & TERN_CF_IN_ACCEPTQ) != 0);
	assert_true((c->flags & TERN_CF_PASSIVE) != 0);
	assert_int_equal(COUNT(&w, TcpPassiveOpens), 1);
	assert_int_equal(w.syn.halves.used, 0);
	assert_int_equal(AT(&w)->young, 0);
	assert_int_equal(w.syn.accept_queued, 1);
	world_close(&w);
}

static void a_synack_sent_twice_gives_no_round_trip_time(void **state)
{
	struct tern_segment seg;
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	later(&w, NS_PER_S + TERN_TICK_NS);
	forget_replies(&w);
	seg = an_ack(&w, 1);
	conn = input(&w, 1, &seg);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->rtt.srtt8_us, 0);
	assert_int_equal(
		tern_conn_at(&w.tcp, conn)->cc.cwnd,
		tern_conn_at(&w.tcp, conn)->cc.mss); /* one segment: the SYN-ACK was lost */
	world_close(&w);
}

static void the_socket_is_told_that_it_can_accept(void **state)
{
	unsigned int bits = 0;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	assert_int_equal(tern_conn_next_event(&w.tcp, &bits), 0);
	open_fully(&w, 2);
	assert_int_equal(tern_conn_next_event(&w.tcp, &bits), w.sock);
	assert_int_equal(bits, TERN_EV_ACCEPTABLE);
	world_close(&w);
}

static void data_with_the_third_segment_is_there_at_accept(void **state)
{
	struct tern_segment seg;
	char buf[8] = "";
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.data = (const uint8_t *)"hello";
	seg.len = 5;
	seg.flags |= TERN_PSH;
	input(&w, 1, &seg);
	assert_reason(&w, NONE);
	conn = tern_listener_accept(&w.syn, w.listener);
	assert_int_not_equal(conn, 0);
	assert_int_equal(tern_tcp_recv(&w.tcp, conn, buf, sizeof(buf), 0), 5);
	assert_string_equal(buf, "hello");
	world_close(&w);
}

static void a_fin_with_the_third_segment_makes_it_close_wait(void **state)
{
	struct tern_segment seg;
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.flags |= TERN_FIN;
	conn = input(&w, 1, &seg);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->state, TERN_CLOSE_WAIT);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), conn);
	world_close(&w);
}

static void data_beyond_a_gap_completes_the_handshake(void **state)
{
	struct tern_segment seg;
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	seg.seq += 100;
	seg.data = (const uint8_t *)"later";
	seg.len = 5;
	conn = input(&w, 1, &seg);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->state, TERN_ESTABLISHED);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->rcv.nxt, PEER_ISN + 1);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->ts.recent, PEER_TS);
	world_close(&w);
}

static void the_accept_queue_takes_one_more_than_the_backlog(void **state)
{
	(void)state;
	for (unsigned int backlog = 0; backlog < 4; backlog++) {
		struct tern_segment seg;
		struct world w;

		world_open(&w, 10);
		for (unsigned int n = 0; n <= backlog + 1; n++)
			half_open(&w, n);
		tern_listener_set_backlog(&w.syn, w.listener, (int)backlog);
		for (unsigned int n = 0; n <= backlog; n++) {
			seg = an_ack(&w, n);
			assert_int_not_equal(input(&w, n, &seg), 0);
		}
		seg = an_ack(&w, backlog + 1);
		assert_int_equal(input(&w, backlog + 1, &seg), 0);
		assert_reason(&w, TCP_LISTEN_OVERFLOW);
		assert_int_equal(replies(&w), 0);
		assert_int_equal(AT(&w)->acceptq.count, backlog + 1);
		assert_int_equal(COUNT(&w, TcpExtListenOverflows), 1);
		assert_int_equal(COUNT(&w, TcpExtListenDrops), 1);
		assert_true((half_of(&w, backlog + 1)->flags & TERN_HALF_ACKED) != 0);
		world_close(&w);
	}
}

/* Peer 1 holds the only place, peer 2 has sent its ACK in vain. */
static void overflow(struct world *w)
{
	struct tern_segment seg;

	world_open(w, 0);
	half_open(w, 1);
	tern_listener_set_backlog(&w->syn, w->listener, 1);
	half_open(w, 2);
	tern_listener_set_backlog(&w->syn, w->listener, 0);
	seg = an_ack(w, 1);
	input(w, 1, &seg);
	seg = an_ack(w, 2);
	assert_int_equal(input(w, 2, &seg), 0);
}

static void a_refused_peer_hears_the_synack_again_and_gets_in_with_its_data(void **state)
{
	struct tern_segment seg;
	struct tern_reply r;
	struct world w;
	uint32_t conn;

	(void)state;
	overflow(&w);
	later(&w, NS_PER_S + TERN_TICK_NS);
	r = next_reply(&w);
	assert_int_equal(r.flags, TERN_SYN | TERN_ACK);
	assert_int_equal(r.rport, peer(2).rport);
	assert_int_not_equal(tern_listener_accept(&w.syn, w.listener), 0);
	seg = an_ack(&w, 2);
	seg.data = (const uint8_t *)"still here";
	seg.len = 10;
	conn = input(&w, 2, &seg);
	assert_reason(&w, NONE);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->rcv.nxt, PEER_ISN + 11);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), conn);
	world_close(&w);
}

static void a_refused_ack_gives_no_round_trip_time_later(void **state)
{
	struct tern_segment seg;
	struct world w;

	(void)state;
	overflow(&w);
	tern_listener_accept(&w.syn, w.listener);
	tern_tcp_set_now(&w.tcp, w.tcp.now + 900 * NS_PER_MS);
	seg = an_ack(&w, 2);
	assert_int_equal(tern_conn_at(&w.tcp, input(&w, 2, &seg))->rtt.srtt8_us, 0);
	world_close(&w);
}

static void tcp_abort_on_overflow_resets_the_refused(void **state)
{
	struct tern_segment seg;
	struct tern_half h;
	struct world w;

	(void)state;
	overflow(&w);
	w.knobs.tcp_abort_on_overflow = 1;
	h = *half_of(&w, 2);
	seg = an_ack(&w, 2);
	assert_int_equal(input(&w, 2, &seg), 0);
	assert_reason(&w, TCP_LISTEN_OVERFLOW);
	assert_only_reply(&w, TERN_RST, h.iss + 1, 0);
	assert_int_equal(find_half(&w, 2), 0);
	assert_int_equal(COUNT(&w, TcpAttemptFails), 1);
	world_close(&w);
}

static void a_full_table_of_connections_keeps_the_half(void **state)
{
	struct tern_segment seg;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	while (tern_pool_get(&w.tcp.conns))
		;
	seg = an_ack(&w, 1);
	assert_int_equal(input(&w, 1, &seg), 0);
	assert_reason(&w, NOMEM);
	assert_int_equal(COUNT(&w, TernConnLimit), 1);
	assert_int_equal(COUNT(&w, TcpExtListenDrops), 1);
	assert_int_equal(COUNT(&w, TcpPassiveOpens), 0);
	assert_true((half_of(&w, 1)->flags & TERN_HALF_ACKED) != 0);
	assert_int_equal(w.syn.accept_queued, 0);
	tern_pool_put(&w.tcp.conns, w.tcp.conns.max);
	assert_int_not_equal(input(&w, 1, &seg), 0);
	world_close(&w);
}

static void connections_are_accepted_in_the_order_of_their_completion(void **state)
{
	const unsigned int order[] = { 3, 1, 2 };
	uint32_t conns[3];
	struct world w;

	(void)state;
	world_open(&w, 5);
	for (unsigned int n = 1; n <= 3; n++)
		half_open(&w, n);
	for (size_t i = 0; i < 3; i++) {
		struct tern_segment seg = an_ack(&w, order[i]);

		conns[i] = input(&w, order[i], &seg);
	}
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(w.syn.accept_queued, 3 - i);
		assert_int_equal(tern_listener_accept(&w.syn, w.listener), conns[i]);
		assert_int_equal(tern_conn_at(&w.tcp, conns[i])->listener, 0);
		assert_false(tern_conn_at(&w.tcp, conns[i])->flags & TERN_CF_IN_ACCEPTQ);
	}
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), 0);
	world_close(&w);
}

static void accept_passes_over_a_child_that_is_not_yet_established(void **state)
{
	struct tern_flow flow = peer(1);
	enum tern_drop reason;
	struct tern_segment seg;
	struct world w;
	uint32_t first, second;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	seg = an_ack(&w, 1);
	first = tern_half_input(&w.syn, find_half(&w, 1), &flow, hash_of(&w, &flow), &seg, &reason);
	assert_int_equal(tern_conn_at(&w.tcp, first)->state, TERN_SYN_RECEIVED);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), 0);
	second = open_fully(&w, 2);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), second);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), 0);
	assert_int_equal(AT(&w)->acceptq.count, 1);
	world_close(&w);
}

static void a_child_that_was_reset_is_still_handed_out(void **state)
{
	struct tern_segment rst = { .flags = TERN_RST, .seq = PEER_ISN + 1 };
	struct tern_outcome out;
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	conn = open_fully(&w, 1);
	tern_tcp_input(&w.tcp, conn, tern_conn_at(&w.tcp, conn), &rst, &out);
	assert_int_equal(out.reason, TERN_DROP_TCP_RESET);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), conn);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->state, TERN_CLOSED);
	assert_int_equal(tern_tcp_recv(&w.tcp, conn, &out, 1, 0), -ECONNRESET);
	world_close(&w);
}

static void a_forgotten_child_leaves_the_queue_and_others_keep_their_places(void **state)
{
	uint32_t conns[3];
	struct world w;

	(void)state;
	world_open(&w, 5);
	for (unsigned int n = 0; n < 3; n++)
		conns[n] = open_fully(&w, n);
	tern_listener_forget(&w.syn, conns[1]);
	tern_listener_forget(&w.syn, conns[1]); /* it is on no queue: nothing to do */
	assert_int_equal(w.syn.accept_queued, 2);
	assert_int_equal(AT(&w)->acceptq.count, 2);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), conns[0]);
	assert_int_equal(tern_listener_accept(&w.syn, w.listener), conns[2]);
	world_close(&w);
}

static void children_take_after_the_socket(void **state)
{
	struct tern_conn *sock;
	const struct tern_conn *c;
	struct world w;

	(void)state;
	world_open(&w, 5);
	sock = tern_conn_at(&w.tcp, w.sock);
	sock->flags |= TERN_CF_NODELAY | TERN_CF_KEEPALIVE;
	sock->patience.keep_idle_s = 77;
	sock->ttl = 9;
	c = tern_conn_at(&w.tcp, open_fully(&w, 1));
	assert_true((c->flags & TERN_CF_NODELAY) != 0);
	assert_int_equal(c->patience.keep_idle_s, 77);
	assert_int_equal(c->ttl, 9);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_promoted_child_knows_what_the_half_knew),
		cmocka_unit_test(a_synack_sent_twice_gives_no_round_trip_time),
		cmocka_unit_test(the_socket_is_told_that_it_can_accept),
		cmocka_unit_test(data_with_the_third_segment_is_there_at_accept),
		cmocka_unit_test(a_fin_with_the_third_segment_makes_it_close_wait),
		cmocka_unit_test(data_beyond_a_gap_completes_the_handshake),
		cmocka_unit_test(the_accept_queue_takes_one_more_than_the_backlog),
		cmocka_unit_test(a_refused_peer_hears_the_synack_again_and_gets_in_with_its_data),
		cmocka_unit_test(a_refused_ack_gives_no_round_trip_time_later),
		cmocka_unit_test(tcp_abort_on_overflow_resets_the_refused),
		cmocka_unit_test(a_full_table_of_connections_keeps_the_half),
		cmocka_unit_test(connections_are_accepted_in_the_order_of_their_completion),
		cmocka_unit_test(accept_passes_over_a_child_that_is_not_yet_established),
		cmocka_unit_test(a_child_that_was_reset_is_still_handed_out),
		cmocka_unit_test(a_forgotten_child_leaves_the_queue_and_others_keep_their_places),
		cmocka_unit_test(children_take_after_the_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
