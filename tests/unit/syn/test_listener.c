/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners: table, backlog, lookup, conflicts, and how they end. */
#include "world.h"

#include <errno.h>
#include <limits.h>

static void records_keep_to_their_sizes(void **state)
{
	(void)state;
	print_message("struct tern_half: %zu bytes, %zu with an IPv4 flow\n",
		      sizeof(struct tern_half), sizeof(struct tern_half) + 8);
	assert_true(sizeof(struct tern_half) + 8 <= 64);
	assert_true(offsetof(struct tern_half, addrs) == sizeof(struct tern_half));
}

static void a_listener_moves_its_socket_to_listen(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 5);
	assert_int_equal(tern_conn_at(&w.tcp, w.sock)->state, TERN_LISTEN);
	assert_int_equal(AT(&w)->conn, w.sock);
	assert_int_equal(AT(&w)->backlog, 5);
	world_close(&w);
}

static void a_backlog_is_clamped_to_somaxconn(void **state)
{
	const int asked[] = { INT_MIN, -1, 0, 1, 4095, 4096, 4097, INT_MAX };
	const uint32_t given[] = { 4096, 4096, 0, 1, 4095, 4096, 4096, 4096 };
	struct world w;

	(void)state;
	world_open(&w, 5);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(asked); i++) {
		tern_listener_set_backlog(&w.syn, w.listener, asked[i]);
		assert_int_equal(AT(&w)->backlog, given[i]);
	}
	w.knobs.somaxconn = 3;
	tern_listener_set_backlog(&w.syn, w.listener, 4);
	assert_int_equal(AT(&w)->backlog, 3);
	world_close(&w);
}

static void listening_again_changes_only_the_backlog(void **state)
{
	struct tern_listener before;
	struct world w;

	(void)state;
	world_open(&w, 5);
	half_open(&w, 1);
	open_fully(&w, 2);
	before = *AT(&w);
	tern_listener_set_backlog(&w.syn, w.listener, 9);
	before.backlog = 9;
	assert_memory_equal(AT(&w), &before, sizeof(before));
	world_close(&w);
}

/* Opens a listener; 0 or the error. */
static int try_listen(struct world *w, const char *addr, uint16_t port, bool v6only)
{
	struct tern_endpoint local = { .port = port };

	assert_int_equal(tern_addr_parse(addr, &local.addr), 0);
	return tern_listener_open(&w->syn, new_socket(w), &local, v6only, 5);
}

/* Is there a listener for a destination? */
static bool finds(struct world *w, const char *addr, uint16_t port)
{
	struct tern_addr a;

	assert_int_equal(tern_addr_parse(addr, &a), 0);
	return tern_listener_find(&w->syn, &a, port, 0) != 0;
}

/* RFC9293:MUST-43 */
static void an_exact_address_takes_only_its_own(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	assert_int_equal(try_listen(&w, "10.0.0.1", 80, false), 0);
	assert_true(finds(&w, "10.0.0.1", 80));
	assert_false(finds(&w, "10.0.0.3", 80));
	assert_false(finds(&w, "10.0.0.1", 81));
	assert_false(finds(&w, "10.0.0.1", 79));
	assert_false(finds(&w, "a00:1::", 80)); /* the same first bytes in the other family */
	world_close(&w);
}

static void a_wildcard_takes_its_family_and_the_v6_one_both(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	assert_int_equal(try_listen(&w, "0.0.0.0", 1, false), 0);
	assert_int_equal(try_listen(&w, "::", 2, false), 0);
	assert_int_equal(try_listen(&w, "::", 3, true), 0);
	assert_true(finds(&w, "10.0.0.1", 1));
	assert_false(finds(&w, "fd00::1", 1));
	assert_true(finds(&w, "10.0.0.1", 2));
	assert_true(finds(&w, "fd00::1", 2));
	assert_false(finds(&w, "10.0.0.1", 3));
	assert_true(finds(&w, "fd00::1", 3));
	world_close(&w);
}

static void listeners_on_one_port_are_told_apart_by_address(void **state)
{
	struct tern_addr a = tern_addr_v4(10, 0, 0, 1), b = tern_addr_v4(10, 0, 0, 2);
	struct world w;

	(void)state;
	world_start(&w);
	assert_int_equal(try_listen(&w, "10.0.0.1", 80, false), 0);
	assert_int_equal(try_listen(&w, "10.0.0.2", 80, false), 0);
	assert_int_equal(try_listen(&w, "::", 80, true), 0);
	assert_true(tern_addr_eq(
		&tern_listener_at(&w.syn, tern_listener_find(&w.syn, &a, 80, 0))->addr, &a));
	assert_true(tern_addr_eq(
		&tern_listener_at(&w.syn, tern_listener_find(&w.syn, &b, 80, 0))->addr, &b));
	assert_true(finds(&w, "fd00::1", 80));
	world_close(&w);
}

/* Opens a listener with SO_REUSEPORT; returns it. */
static uint32_t share(struct world *w, const char *addr, bool v6only)
{
	struct tern_endpoint local = { .port = 80 };
	uint32_t sock = new_socket(w);

	assert_int_equal(tern_addr_parse(addr, &local.addr), 0);
	tern_conn_at(&w->tcp, sock)->flags |= TERN_CF_REUSEPORT;
	assert_int_equal(tern_listener_open(&w->syn, sock, &local, v6only, 5), 0);
	return tern_conn_at(&w->tcp, sock)->listener;
}

static void listeners_that_share_a_port_get_like_parts_of_the_flows(void **state)
{
	enum { GROUP = 5, FLOWS = 50000 };
	static uint32_t owner[FLOWS];
	struct tern_addr to = tern_addr_v4(10, 0, 0, 1);
	uint32_t group[GROUP], got[64] = { 0 };
	struct tern_rng rng = { 0 };
	struct world w;

	(void)state;
	world_start(&w);
	tern_rng_init(&rng, (const uint8_t[TERN_RNG_SEED_LEN]){ 5 });
	for (unsigned int i = 0; i < GROUP; i++)
		group[i] = share(&w, "0.0.0.0", false);
	for (unsigned int i = 0; i < FLOWS; i++)
		got[tern_listener_find(&w.syn, &to, 80, tern_rng_u32(&rng)) % 64]++;
	for (unsigned int i = 0; i < GROUP; i++)
		assert_in_range(got[group[i]], FLOWS / GROUP * 95 / 100, FLOWS / GROUP * 105 / 100);

	/* One goes: its flows find others, nobody else's move. */
	for (uint32_t i = 0; i < FLOWS; i++)
		owner[i] = tern_listener_find(&w.syn, &to, 80, i * 0x01234567u);
	tern_listener_close(&w.syn, group[2]);
	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t found = tern_listener_find(&w.syn, &to, 80, i * 0x01234567u);

		assert_int_not_equal(found, group[2]);
		assert_true(found == owner[i] || owner[i] == group[2]);
	}
	world_close(&w);
}

static void the_listener_that_is_meant_most_closely_is_found(void **state)
{
	struct tern_addr v4 = tern_addr_v4(10, 0, 0, 1), v6;
	struct world w;

	(void)state;
	world_start(&w);
	assert_int_equal(tern_addr_parse("fd00::1", &v6), 0);
	for (unsigned int turn = 0; turn < 2; turn++) { /* in either order of opening */
		uint32_t dual = 0, any4 = 0, one4 = 0, one6 = 0;

		for (unsigned int i = 0; i < 4; i++) {
			switch (turn ? 3 - i : i) {
			case 0:
				dual = share(&w, "::", false);
				break;
			case 1:
				any4 = share(&w, "0.0.0.0", false);
				break;
			case 2:
				one4 = share(&w, "10.0.0.1", false);
				break;
			default:
				one6 = share(&w, "fd00::1", false);
			}
		}
		for (uint32_t hash = 0; hash < 100; hash++) {
			assert_int_equal(tern_listener_find(&w.syn, &v4, 80, hash), one4);
			assert_int_equal(tern_listener_find(&w.syn, &v6, 80, hash), one6);
		}
		tern_listener_close(&w.syn, one4);
		tern_listener_close(&w.syn, one6);
		for (uint32_t hash = 0; hash < 100; hash++) {
			assert_int_equal(tern_listener_find(&w.syn, &v4, 80, hash), any4);
			assert_int_equal(tern_listener_find(&w.syn, &v6, 80, hash), dual);
		}
		tern_listener_close(&w.syn, any4);
		assert_int_equal(tern_listener_find(&w.syn, &v4, 80, 0), dual);
		tern_listener_close(&w.syn, dual);
	}
	world_close(&w);
}

static void a_port_is_shared_only_if_all_say_so(void **state)
{
	struct tern_endpoint local = { tern_addr_v4(10, 0, 0, 1), 80 };
	struct world w;

	(void)state;
	world_start(&w);
	for (unsigned int first = 0; first < 4; first++) {
		for (unsigned int second = 0; second < 4; second++) {
			uint32_t a = new_socket(&w), b = new_socket(&w);

			tern_conn_at(&w.tcp, a)->flags |= first & 1 ? TERN_CF_REUSEADDR : 0u;
			tern_conn_at(&w.tcp, a)->flags |= first & 2 ? TERN_CF_REUSEPORT : 0u;
			tern_conn_at(&w.tcp, b)->flags |= second & 1 ? TERN_CF_REUSEADDR : 0u;
			tern_conn_at(&w.tcp, b)->flags |= second & 2 ? TERN_CF_REUSEPORT : 0u;
			assert_int_equal(tern_listener_open(&w.syn, a, &local, false, 5), 0);
			assert_int_equal(tern_listener_open(&w.syn, b, &local, false, 5),
					 first & second & 2 ? 0 : -EADDRINUSE);
			tern_listener_close(&w.syn, tern_conn_at(&w.tcp, a)->listener);
			if (tern_conn_at(&w.tcp, b)->listener)
				tern_listener_close(&w.syn, tern_conn_at(&w.tcp, b)->listener);
			tern_conn_free(&w.tcp, a);
			tern_conn_free(&w.tcp, b);
		}
	}
	world_close(&w);
}

/* RFC9293:MUST-41 */
static void listeners_that_overlap_are_refused(void **state)
{
	static const struct {
		const char *first, *second;
		bool first_v6only, second_v6only;
		int result;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1", false, false, -EADDRINUSE },
		{ "10.0.0.1", "10.0.0.2", false, false, 0 },
		{ "0.0.0.0", "10.0.0.1", false, false, -EADDRINUSE },
		{ "10.0.0.1", "0.0.0.0", false, false, -EADDRINUSE },
		{ "0.0.0.0", "0.0.0.0", false, false, -EADDRINUSE },
		{ "::", "0.0.0.0", false, false, -EADDRINUSE },
		{ "0.0.0.0", "::", false, false, -EADDRINUSE },
		{ "::", "0.0.0.0", true, false, 0 },
		{ "0.0.0.0", "::", false, true, 0 },
		{ "::", "10.0.0.1", false, false, -EADDRINUSE },
		{ "10.0.0.1", "::", false, false, -EADDRINUSE },
		{ "::", "10.0.0.1", true, false, 0 },
		{ "::", "fd00::1", true, false, -EADDRINUSE },
		{ "fd00::1", "::", false, true, -EADDRINUSE },
		{ "::", "::", true, true, -EADDRINUSE },
		{ "fd00::1", "fd00::1", false, true, -EADDRINUSE },
		{ "fd00::1", "fd00::2", false, false, 0 },
		{ "fd00::1", "0.0.0.0", false, false, 0 },
		{ "fd00::1", "10.0.0.1", false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct world w;

		world_start(&w);
		assert_int_equal(try_listen(&w, cases[i].first, 80, cases[i].first_v6only), 0);
		assert_int_equal(try_listen(&w, cases[i].second, 80, cases[i].second_v6only),
				 cases[i].result);
		assert_int_equal(try_listen(&w, cases[i].second, 81, cases[i].second_v6only), 0);
		world_close(&w);
	}
}

static void a_refused_socket_stays_closed(void **state)
{
	struct tern_endpoint local = here();
	uint32_t sock;
	struct world w;

	(void)state;
	world_open(&w, 5);
	sock = new_socket(&w);
	assert_int_equal(tern_listener_open(&w.syn, sock, &local, false, 5), -EADDRINUSE);
	assert_int_equal(tern_conn_at(&w.tcp, sock)->state, TERN_CLOSED);
	assert_int_equal(tern_conn_at(&w.tcp, sock)->listener, 0);
	world_close(&w);
}

static void a_full_table_of_listeners_says_so(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	for (uint16_t i = 0; i < LISTENERS; i++)
		assert_int_equal(try_listen(&w, "10.0.0.1", (uint16_t)(80 + i), false), 0);
	assert_int_equal(try_listen(&w, "10.0.0.1", 99, false), -ENOBUFS);
	assert_int_equal(COUNT(&w, TernAllocFailures), 1);
	world_close(&w);
}

static void no_memory_for_a_listener_is_an_error(void **state)
{
	struct tern_endpoint local = here();
	struct world w;
	uint32_t sock;

	(void)state;
	world_start(&w);
	sock = new_socket(&w);
	w.mem.fail_in = 1;
	assert_int_equal(tern_listener_open(&w.syn, sock, &local, false, 5), -ENOBUFS);
	assert_int_equal(COUNT(&w, TernAllocFailures), 1);
	assert_int_equal(tern_listener_open(&w.syn, sock, &local, false, 5), 0);
	world_close(&w);
}

static void the_room_is_reserved_whole_or_not_at_all(void **state)
{
	struct tern_syn syn;
	struct world w;
	uint64_t used;
	int err = -ENOMEM;

	(void)state;
	world_start(&w);
	used = w.mem.used;
	for (uint64_t n = 1; err; n++) {
		w.mem.fail_in = n;
		err = tern_syn_init(&syn, &w.tcp, 4, 4, 8, w.tcp.now);
		assert_true(err == 0 ? n == 5 : err == -ENOMEM && w.mem.used == used);
	}
	w.mem.fail_in = 0;
	tern_syn_free(&syn);
	assert_int_equal(w.mem.used, used);
	world_close(&w);
}

static void a_listener_that_closes_resets_half_open_connections(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 5);
	for (unsigned int n = 0; n < 3; n++)
		half_open(&w, n);
	tern_listener_close(&w.syn, w.listener);
	for (unsigned int n = 0; n < 3; n++) {
		struct tern_flow flow = peer(n);
		struct tern_reply reply = next_reply(&w);

		assert_true(is_of(&reply, &flow));
		assert_int_equal(reply.flags, TERN_RST | TERN_ACK);
		assert_int_equal(reply.seq, tern_isn(&w.tcp.isn, &flow, w.tcp.now) + 1);
		assert_int_equal(reply.ack, PEER_ISN + 1);
		assert_int_equal(find_half(&w, n), 0);
	}
	assert_int_equal(replies(&w), 0);
	assert_int_equal(w.syn.halves.used, 0);
	assert_true(tern_syn_deadline(&w.syn) == TERN_NEVER);
	assert_int_equal(COUNT(&w, TcpAttemptFails), 3);
	world_close(&w);
}

static void a_listener_that_closes_resets_unaccepted_connections(void **state)
{
	struct tern_flow flow = peer(1);
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	conn = open_fully(&w, 1);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->state, TERN_ESTABLISHED);
	tern_listener_close(&w.syn, w.listener);
	assert_true((next_reply(&w).flags & TERN_RST) != 0);
	assert_int_equal(replies(&w), 0);
	assert_int_equal(tern_conn_find(&w.tcp, hash_of(&w, &flow), &flow), 0);
	assert_int_equal(w.tcp.conns.used, 1); /* the socket */
	assert_int_equal(w.syn.accept_queued, 0);
	world_close(&w);
}

static void a_listener_that_closes_frees_children_that_were_reset(void **state)
{
	struct tern_segment rst;
	struct tern_outcome out;
	struct world w;
	uint32_t conn;

	(void)state;
	world_open(&w, 5);
	conn = open_fully(&w, 1);
	rst = (struct tern_segment){ .flags = TERN_RST, .seq = PEER_ISN + 1 };
	tern_tcp_input(&w.tcp, conn, tern_conn_at(&w.tcp, conn), &rst, &out);
	assert_int_equal(tern_conn_at(&w.tcp, conn)->state, TERN_CLOSED);
	tern_listener_close(&w.syn, w.listener);
	assert_int_equal(replies(&w), 0);
	assert_int_equal(w.tcp.conns.used, 1);
	world_close(&w);
}

static void a_closed_listener_leaves_its_socket_and_its_port(void **state)
{
	struct tern_endpoint local = here();
	struct world w;

	(void)state;
	world_open(&w, 5);
	tern_listener_close(&w.syn, w.listener);
	assert_int_equal(tern_conn_at(&w.tcp, w.sock)->state, TERN_CLOSED);
	assert_int_equal(tern_conn_at(&w.tcp, w.sock)->listener, 0);
	assert_int_equal(tern_listener_find(&w.syn, &local.addr, local.port, 0), 0);
	assert_int_equal(w.syn.listeners.used, 0);
	assert_int_equal(tern_listener_open(&w.syn, w.sock, &local, false, 1), 0);
	world_close(&w);
}

static void a_row_shows_queues_and_drops(void **state)
{
	struct tern_socket_info row = { .id = 4711 };
	struct tern_segment seg;
	struct tern_flow flow = peer(3);
	struct world w;

	(void)state;
	world_open(&w, 0);
	open_fully(&w, 1);
	w.knobs.tcp_max_syn_backlog = 0;
	seg = a_syn(&flow);
	input(&w, 3, &seg); /* no place in the SYN queue */
	w.knobs.tcp_max_syn_backlog = 2048;
	input(&w, 3, &seg); /* the accept queue is full */
	tern_listener_describe(&w.syn, w.listener, &row);
	assert_int_equal(row.id, 4711);
	assert_int_equal(row.has, TERN_INFO_LISTEN);
	assert_int_equal(row.recv_q, 1);
	assert_int_equal(row.send_q, 0);
	assert_int_equal(row.acceptq, 1);
	assert_int_equal(row.acceptq_max, 0);
	assert_int_equal(row.synq, 0);
	assert_int_equal(row.listen_drops, 2);
	assert_int_equal(row.listen_overflows, 1);
	tern_listener_set_backlog(&w.syn, w.listener, 100);
	w.knobs.tcp_max_syn_backlog = 50;
	half_open(&w, 3);
	tern_listener_describe(&w.syn, w.listener, &row);
	assert_int_equal(row.synq, 1);
	assert_int_equal(row.synq_max, 50);
	assert_int_equal(row.acceptq_max, 100);
	assert_int_equal(row.send_q, 100);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_keep_to_their_sizes),
		cmocka_unit_test(a_listener_moves_its_socket_to_listen),
		cmocka_unit_test(a_backlog_is_clamped_to_somaxconn),
		cmocka_unit_test(listening_again_changes_only_the_backlog),
		cmocka_unit_test(an_exact_address_takes_only_its_own),
		cmocka_unit_test(a_wildcard_takes_its_family_and_the_v6_one_both),
		cmocka_unit_test(listeners_on_one_port_are_told_apart_by_address),
		cmocka_unit_test(listeners_that_share_a_port_get_like_parts_of_the_flows),
		cmocka_unit_test(the_listener_that_is_meant_most_closely_is_found),
		cmocka_unit_test(a_port_is_shared_only_if_all_say_so),
		cmocka_unit_test(listeners_that_overlap_are_refused),
		cmocka_unit_test(a_refused_socket_stays_closed),
		cmocka_unit_test(a_full_table_of_listeners_says_so),
		cmocka_unit_test(no_memory_for_a_listener_is_an_error),
		cmocka_unit_test(the_room_is_reserved_whole_or_not_at_all),
		cmocka_unit_test(a_listener_that_closes_resets_half_open_connections),
		cmocka_unit_test(a_listener_that_closes_resets_unaccepted_connections),
		cmocka_unit_test(a_listener_that_closes_frees_children_that_were_reset),
		cmocka_unit_test(a_closed_listener_leaves_its_socket_and_its_port),
		cmocka_unit_test(a_row_shows_queues_and_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
