/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Open: data with the SYN, by MSG_FASTOPEN and behind a connect() that sends none. */
#include "unit/posix/bed.h"

static struct sock open_early_listener(void)
{
	struct sock l = open_listener(PORT, 8);

	assert_int_equal(tern_stack_knob(host->st, tern_broker_now(broker), "net.ipv4.tcp_fastopen",
					 "3"),
			 0);
	assert_int_equal(set_int(l, SOL_TCP, TCP_FASTOPEN, 8), 0);
	return l;
}

static int ask_fastopen(struct sock s, const char *data, int waits)
{
	struct sockaddr_in addr = at(PORT);
	uint8_t room[64];

	memcpy(room, &addr, sizeof(addr));
	memcpy(room + sizeof(addr), data, strlen(data));
	return ask_with(TERN_POSIX_FASTOPEN, s.id, waits, sizeof(addr), 0, room,
			sizeof(addr) + strlen(data));
}

/* A connection that brings the cookie. */
static void learn(struct sock l)
{
	struct sock s = open_stream(), server;

	assert_int_equal(ask_fastopen(s, "x", 0), -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	server = accept_from(l);
	drop(&server);
	drop(&s);
	settle();
}

static bool came_with_the_syn(struct sock server)
{
	assert_int_equal(ask_with(TERN_POSIX_GETSOCKOPT, server.id, SOL_TCP, TCP_INFO, 8, NULL, 0),
			 0);
	return answer.data[5] & 32; /* TCPI_OPT_SYN_DATA */
}

static void a_send_with_fast_open_is_taken_with_the_syn(void **state)
{
	struct sock l = open_early_listener(), s, server;

	(void)state;
	learn(l);
	s = open_stream();
	assert_int_equal(ask_fastopen(s, "early", 1), 5);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	assert_int_equal(send(s.fd, "h", 1, MSG_DONTWAIT), 1); /* of the shim that waits */
	assert_int_equal(send(s.fd, " late", 5, MSG_DONTWAIT), 5);
	server = accept_from(l);
	expect_data(server.fd, "early late", 10);
	assert_true(came_with_the_syn(server));
	assert_int_equal(ask_fastopen(s, "x", 1), -EISCONN);
	drop(&server);
	drop(&s);
	drop(&l);
}

static void a_connect_that_waits_for_data_is_writable_at_once(void **state)
{
	struct sock l = open_early_listener(), s, server;

	(void)state;
	learn(l);
	s = open_stream();
	assert_int_equal(set_int(s, SOL_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	assert_int_equal(ask_connect(s, PORT, 1), 0);
	assert_true(answer.flags & TERN_POSIX_ESTABLISHED);
	assert_int_equal(look(s.fd, POLLOUT | POLLIN), POLLOUT);
	assert_int_equal(ask_fastopen(s, "x", 0), 0); /* the pair has the order of bytes */
	assert_int_equal(look(l.fd, POLLIN), 0);
	assert_int_equal(send(s.fd, "early", 5, MSG_DONTWAIT), 5);
	drop(&s); /* the end waits for the answer */
	server = accept_from(l);
	expect_data(server.fd, "early", 5);
	assert_true(came_with_the_syn(server));
	expect_end(server.fd);
	drop(&server);
	drop(&l);
}

static void a_connect_that_waited_for_data_is_refused_at_the_next_call(void **state)
{
	struct sock l = open_early_listener(), s;

	(void)state;
	learn(l);
	drop(&l);
	settle();
	s = open_stream();
	assert_int_equal(set_int(s, SOL_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	assert_int_equal(ask_connect(s, PORT, 0), 0);
	assert_int_equal(send(s.fd, "early", 5, MSG_DONTWAIT), 5);
	assert_true(look(s.fd, POLLIN) & POLLHUP);
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, s.id, 0), ECONNREFUSED);
	assert_int_equal(ask_fastopen(s, "x", 0), -ESTALE);
	drop(&s);
}

static void a_fast_open_of_nonsense_is_refused(void **state)
{
	struct sock s = open_stream();
	struct sockaddr_in addr = at(PORT);

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_FASTOPEN, s.id, 0, 17, 0, &addr, sizeof(addr)),
			 -EINVAL);
	assert_int_equal(ask_with(TERN_POSIX_FASTOPEN, s.id, 0, -1, 0, &addr, sizeof(addr)),
			 -EINVAL);
	assert_int_equal(ask_with(TERN_POSIX_FASTOPEN, s.id, 0, 0, 0, "x", 1), -EINVAL);
	assert_int_equal(tern_stack_knob(host->st, tern_broker_now(broker), "net.ipv4.tcp_fastopen",
					 "0"),
			 0);
	assert_int_equal(ask_fastopen(s, "x", 0), -EOPNOTSUPP);
	drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(a_send_with_fast_open_is_taken_with_the_syn),
		BROKER_TEST(a_connect_that_waits_for_data_is_writable_at_once),
		BROKER_TEST(a_connect_that_waited_for_data_is_refused_at_the_next_call),
		BROKER_TEST(a_fast_open_of_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
