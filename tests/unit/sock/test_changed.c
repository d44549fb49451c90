/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sockets something has happened to. */
#include "unit/sock/two_stacks.h"

static int next(struct side *side)
{
	tern_sock_poll_events(side->ss, now);
	return tern_sock_next_changed(side->ss);
}

static void assert_no_more(struct side *side)
{
	assert_int_equal(next(side), -1);
}

static void forget(struct side *side)
{
	while (next(side) >= 0)
		continue;
}

/* Connections from a to b, n of them; what they went through is forgotten. */
static void make_pairs(int *clients, int *servers, int n)
{
	int listener = listen_at_b();

	for (int i = 0; i < n; i++) {
		clients[i] = stream(&a);
		assert_int_equal(connect_to(&a, clients[i], 2, PORT), -EINPROGRESS);
		exchange();
		assert_int_equal(connect_to(&a, clients[i], 2, PORT), 0);
		servers[i] = tern_sock_accept(b.ss, now, listener, NULL, NULL);
		assert_true(servers[i] >= 0);
	}
	forget(&a);
	forget(&b);
}

static void a_socket_is_told_once_however_much_happens(void **state)
{
	int client, server;

	(void)state;
	assert_no_more(&b);
	make_pairs(&client, &server, 1);
	assert_no_more(&b);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_on(&a, client, "x", 1), 1);
		exchange();
		tern_sock_poll_events(b.ss, now);
	}
	assert_int_equal(next(&b), server);
	assert_no_more(&b);
	/* What was not read is no news, what comes now is. */
	assert_int_equal(send_on(&a, client, "x", 1), 1);
	exchange();
	assert_int_equal(next(&b), server);
	assert_no_more(&b);
	assert_int_equal(tern_sock_close(a.ss, now, client, NULL), 0);
	exchange();
	assert_int_equal(next(&b), server);
	assert_no_more(&b);
}

static void sockets_come_in_the_order_in_which_they_changed(void **state)
{
	static const int order[] = { 2, 0, 2, 3, 1, 0 }, want[] = { 2, 0, 3, 1 };
	int clients[4], servers[4];

	(void)state;
	make_pairs(clients, servers, 4);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(order); i++) {
		assert_int_equal(send_on(&a, clients[order[i]], "x", 1), 1);
		exchange();
		tern_sock_poll_events(b.ss, now);
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(want); i++)
		assert_int_equal(tern_sock_next_changed(b.ss), servers[want[i]]);
	assert_no_more(&b);
}

/* First, in the middle, last, and the only one. */
static void a_socket_that_was_closed_meanwhile_is_not_told(void **state)
{
	static const int close_first[] = { 0, 2, 4 };
	int clients[5], servers[5];

	(void)state;
	make_pairs(clients, servers, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(send_on(&a, clients[i], "x", 1), 1);
		exchange();
		tern_sock_poll_events(b.ss, now);
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(close_first); i++)
		assert_int_equal(tern_sock_close(b.ss, now, servers[close_first[i]], NULL), 0);
	assert_int_equal(tern_sock_next_changed(b.ss), servers[1]);
	assert_int_equal(tern_sock_close(b.ss, now, servers[3], NULL), 0);
	assert_no_more(&b);

	/* Its number again, with another socket. */
	assert_int_equal(stream(&b), servers[0]);
	assert_no_more(&b);
	assert_int_equal(send_on(&a, clients[1], "x", 1), 1);
	exchange();
	assert_int_equal(next(&b), servers[1]);
	assert_no_more(&b);
}

static void attempts_listeners_datagrams_and_lingering_sockets_are_told(void **state)
{
	const struct tern_linger linger = { 1, 10 };
	union tern_sockaddr sa = at(2, 53);
	int listener = listen_at_b(), client = stream(&a), server, from, to;
	uint64_t until;

	(void)state;
	assert_int_equal(connect_to(&a, client, 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(next(&a), client);
	assert_no_more(&a);
	assert_int_equal(next(&b), listener);
	assert_no_more(&b);
	server = tern_sock_accept(b.ss, now, listener, NULL, NULL);
	assert_int_equal(next(&b), server);
	assert_no_more(&b);

	from = tern_sock_open(a.ss, now, TERN_AF_INET, TERN_SOCK_DGRAM, 0);
	to = tern_sock_open(b.ss, now, TERN_AF_INET, TERN_SOCK_DGRAM, 0);
	assert_int_equal(bind_at(&b, to, 2, 53), 0);
	assert_int_equal(tern_sock_sendto(a.ss, now, from, NULL, 0, 0, &sa, sizeof(sa.in)), 0);
	exchange();
	assert_int_equal(next(&b), to);
	assert_no_more(&b);

	assert_int_equal(tern_sock_setsockopt(b.ss, now, server, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_LINGER, &linger, sizeof(linger)),
			 0);
	cut = true;
	assert_int_equal(send_on(&b, server, "x", 1), 1);
	assert_int_equal(tern_sock_close(b.ss, now, server, &until), -EINPROGRESS);
	exchange();
	forget(&b);
	cut = false;
	assert_int_equal(tern_sock_shutdown(a.ss, now, client, TERN_SHUT_WR), 0);
	pass(5 * S);
	assert_int_equal(next(&b), server);
	assert_no_more(&b);
	assert_int_equal(tern_sock_linger(b.ss, now, server, false), 0);
}

#define CHANGED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANGED_TEST(a_socket_is_told_once_however_much_happens),
		CHANGED_TEST(sockets_come_in_the_order_in_which_they_changed),
		CHANGED_TEST(a_socket_that_was_closed_meanwhile_is_not_told),
		CHANGED_TEST(attempts_listeners_datagrams_and_lingering_sockets_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
