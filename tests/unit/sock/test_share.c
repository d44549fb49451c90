/* SPDX-License-Identifier: BSD-2-Clause */
/* SO_REUSEPORT: several listeners on one port, and what becomes of theirs when one closes. */
#include "unit/sock/two_stacks.h"

enum { GROUP = 4, CLIENTS = 100 };

static int listener_of_b(int backlog)
{
	const int on = 1;
	int fd = stream(&b);

	assert_int_equal(tern_sock_setsockopt(b.ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_REUSEPORT, &on, sizeof(on)),
			 0);
	assert_int_equal(bind_at(&b, fd, 2, PORT), 0);
	assert_int_equal(tern_sock_listen(b.ss, now, fd, backlog), 0);
	return fd;
}

static uint32_t queued(int listener)
{
	struct tern_socket_info row;

	assert_int_equal(tern_stack_socket(b.st, now, tern_sock_id(b.ss, listener), &row), 0);
	assert_int_equal(row.local.port, PORT);
	assert_int_equal(row.state, TERN_LISTEN);
	return row.recv_q;
}

static void connections_are_spread_and_those_of_a_closed_listener_are_reset(void **state)
{
	int listeners[GROUP], clients[CLIENTS], reset = 0;
	uint32_t sum = 0, lost;

	(void)state;
	for (int i = 0; i < GROUP; i++)
		listeners[i] = listener_of_b(CLIENTS);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = stream(&a);
		assert_int_equal(connect_to(&a, clients[i], 2, PORT), -EINPROGRESS);
		exchange();
		assert_int_equal(connect_to(&a, clients[i], 2, PORT), 0);
	}
	for (int i = 0; i < GROUP; i++) {
		assert_in_range(queued(listeners[i]), 10, 45);
		sum += queued(listeners[i]);
	}
	assert_int_equal(sum, CLIENTS);

	lost = queued(listeners[1]);
	assert_int_equal(tern_sock_close(b.ss, now, listeners[1], NULL), 0);
	exchange();
	for (int i = 0; i < CLIENTS; i++)
		reset += (poll_on(&a, clients[i]) & TERN_SOCK_ERR) != 0;
	assert_int_equal(reset, lost);
	assert_int_equal(queued(listeners[0]) + queued(listeners[2]) + queued(listeners[3]),
			 CLIENTS - lost);

	/* The others take what comes now. */
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(tern_sock_close(a.ss, now, clients[i], NULL), 0);
	for (int i = 0; i < 20; i++) {
		clients[i] = stream(&a);
		assert_int_equal(connect_to(&a, clients[i], 2, PORT), -EINPROGRESS);
		exchange();
		assert_int_equal(connect_to(&a, clients[i], 2, PORT), 0);
	}
}

/* Its handshake under way, a client is the listener's that took its SYN. */
static void a_handshake_ends_where_it_began(void **state)
{
	int first = listener_of_b(8), client = stream(&a), more[8];

	(void)state;
	assert_int_equal(connect_to(&a, client, 2, PORT), -EINPROGRESS);
	assert_int_equal(carry(&a, &b), 1);
	for (int i = 0; i < 8; i++)
		more[i] = listener_of_b(8);
	exchange();
	assert_int_equal(queued(first), 1);
	for (int i = 0; i < 8; i++)
		assert_int_equal(queued(more[i]), 0);
}

static void one_that_does_not_say_so_stays_outside(void **state)
{
	int other = stream(&b);

	(void)state;
	(void)listener_of_b(8);
	assert_int_equal(bind_at(&b, other, 2, PORT), -EADDRINUSE);
}

#define SHARE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARE_TEST(connections_are_spread_and_those_of_a_closed_listener_are_reset),
		SHARE_TEST(a_handshake_ends_where_it_began),
		SHARE_TEST(one_that_does_not_say_so_stays_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
