/* SPDX-License-Identifier: BSD-2-Clause */
/* connect(): in progress, its end, its failures, and the sockets that live on after them. */
#include "unit/posix/bed.h"

static void a_fresh_socket_is_neither_readable_nor_writable(void **state)
{
	struct sock s = open_stream();

	(void)state;
	settle();
	assert_int_equal(look(s.fd, POLLIN | POLLOUT), 0);
	assert_int_equal(send(s.fd, "x", 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	drop(&s);
}

static void a_connect_that_succeeds_makes_the_socket_writable(void **state)
{
	struct sock l = open_listener(PORT, 8), s = open_stream();

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLOUT | POLLIN), POLLOUT);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	assert_true(answer.flags & TERN_POSIX_ESTABLISHED);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	assert_false(answer.flags & TERN_POSIX_ESTABLISHED);
	drop(&s);
	drop(&l);
}

static void the_page_counts_streams_on_which_read_and_write_must_look(void **state)
{
	struct sock l = open_stream(), s = open_stream();
	struct sockaddr_in addr = at(PORT);

	(void)state;
	assert_int_equal(broker->page->narrow, 2);
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, s.id, 0), -ENOTCONN);
	assert_int_equal(ask_with(TERN_POSIX_BIND, l.id, 0, 0, 0, &addr, sizeof(addr)), 0);
	assert_int_equal(ask(TERN_POSIX_LISTEN, l.id, 8), 0);
	assert_int_equal(broker->page->narrow, 1);
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, l.id, 0), 0);
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_int_equal(broker->page->narrow, 0);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	assert_int_equal(broker->page->narrow, 1);
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, s.id, 0), 0);
	assert_true(answer.flags & TERN_POSIX_ESTABLISHED);
	assert_int_equal(broker->page->narrow, 0);
	drop(&s);
	drop(&l);
}

static void a_connect_tells_its_success_once(void **state)
{
	struct sock l = open_listener(PORT, 8), s = open_stream();

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	assert_int_equal(ask_connect(s, PORT, 0), 0);
	assert_int_equal(ask_connect(s, PORT, 0), -EISCONN);
	drop(&s);
	drop(&l);
}

static void the_byte_of_a_waiting_connect_is_nobodys_data(void **state)
{
	struct sock l = open_listener(PORT, 8), s = open_stream(), server;

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 1), -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	assert_int_equal(send(s.fd, "h", 1, MSG_DONTWAIT), 1);
	assert_int_equal(send(s.fd, "data", 4, MSG_DONTWAIT), 4);
	server = accept_from(l);
	expect_data(server.fd, "data", 4);
	assert_int_equal(ask_connect(s, PORT, 1), -EISCONN);
	drop(&server);
	drop(&s);
	drop(&l);
}

static void the_byte_of_a_connect_that_waits_no_more_does_not_come(void **state)
{
	struct sock l = open_listener(PORT, 8), s = open_stream(), server;

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 1), -EINPROGRESS);
	assert_int_equal(ask(TERN_POSIX_CONNECT_UNWAIT, s.id, 0), 0);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	assert_int_equal(send(s.fd, "data", 4, MSG_DONTWAIT), 4);
	server = accept_from(l);
	expect_data(server.fd, "data", 4);
	drop(&server);
	drop(&s);
	drop(&l);
}

static void a_refused_connect_wakes_with_an_error_and_so_error_tells_it_once(void **state)
{
	struct sock s = open_stream();

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLERR | POLLHUP);
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, s.id, 0), ECONNREFUSED);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, s.id, 0), ECONNREFUSED);
	assert_int_equal(tern_broker_sockets(broker), 0);
	drop(&s);
}

/* RENEW as the shim does it. */
static struct sock renew(struct sock s)
{
	assert_int_equal(ask(TERN_POSIX_RENEW, s.id, 0), 0);
	assert_true(answer_fd >= 0);
	drop(&s);
	return (struct sock){ answer_fd, answer.id };
}

static void a_socket_lives_on_after_a_refused_connect(void **state)
{
	struct sock s = open_stream(), l;

	(void)state;
	assert_int_equal(set_int(s, SOL_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(ask_connect(s, PORT, 1), -EINPROGRESS);
	assert_true(look(s.fd, POLLOUT) & POLLERR);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	assert_int_equal(ask_connect(s, PORT, 1), -ESTALE);
	l = open_listener(PORT, 8);
	s = renew(s);
	assert_int_equal(get_int(s, SOL_TCP, TCP_NODELAY), 1);
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	drop(&s);
	drop(&l);
}

static void a_connect_that_failed_in_the_background_tells_it_when_repeated(void **state)
{
	struct sock s = open_stream();

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_true(look(s.fd, POLLOUT) & POLLERR);
	s = renew(s);
	assert_int_equal(ask_connect(s, PORT, 0), -ECONNREFUSED);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_true(look(s.fd, POLLOUT) & POLLERR);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	s = renew(s);
	assert_int_equal(ask_connect(s, PORT, 0), -ECONNABORTED);
	drop(&s);
}

static void a_renewed_socket_is_bound_to_what_it_was_bound_to(void **state)
{
	struct sock s = open_stream();
	struct sockaddr_in addr = at(7777), got;

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_BIND, s.id, 0, 0, 0, &addr, sizeof(addr)), 0);
	assert_int_equal(ask_connect(s, PORT, 1), -EINPROGRESS);
	assert_true(look(s.fd, POLLOUT) & POLLERR);
	assert_int_equal(ask(TERN_POSIX_GETSOCKNAME, s.id, 0), 0);
	s = renew(s);
	assert_int_equal(ask(TERN_POSIX_GETSOCKNAME, s.id, 0), 0);
	memcpy(&got, answer.data, sizeof(got));
	assert_int_equal(got.sin_port, addr.sin_port);
	drop(&s);
}

static void a_socket_in_use_is_not_renewed(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(ask(TERN_POSIX_RENEW, x.client.id, 0), -EISCONN);
	assert_int_equal(answer_fd, -1);
	assert_int_equal(ask(TERN_POSIX_RENEW, x.listener.id, 0), -EINVAL);
	part(&x);
}

static void closing_before_the_end_of_the_handshake_leaves_nothing(void **state)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET,
				      .sin_port = htons(9),
				      .sin_addr.s_addr = htonl(0x0a4d0009) };
	struct sock s = open_stream();

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_CONNECT, s.id, 0, 0, 0, &nobody, sizeof(nobody)),
			 -EINPROGRESS);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 1);
	drop(&s);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 0);
	assert_int_equal(tern_socks_count(host->socks), 0);
}

static void shutdown_ends_a_connect_in_progress(void **state)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET,
				      .sin_port = htons(9),
				      .sin_addr.s_addr = htonl(0x0a4d0009) };
	struct sock s = open_stream();

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_CONNECT, s.id, 1, 0, 0, &nobody, sizeof(nobody)),
			 -EINPROGRESS);
	assert_int_equal(ask(TERN_POSIX_SHUTDOWN, s.id, SHUT_RDWR), 0);
	assert_true(look(s.fd, POLLOUT) & POLLHUP);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), ECONNRESET);
	drop(&s);
}

static void connect_to_nobody_knows_its_peer_only_afterwards(void **state)
{
	struct sock l = open_listener(PORT, 8), s = open_stream();

	(void)state;
	assert_int_equal(ask(TERN_POSIX_GETPEERNAME, s.id, 0), -ENOTCONN);
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	assert_int_equal(ask(TERN_POSIX_GETPEERNAME, s.id, 0), 0);
	assert_int_equal(((struct sockaddr_in *)(void *)answer.data)->sin_port, htons(PORT));
	drop(&s);
	drop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(a_fresh_socket_is_neither_readable_nor_writable),
		BROKER_TEST(a_connect_that_succeeds_makes_the_socket_writable),
		BROKER_TEST(the_page_counts_streams_on_which_read_and_write_must_look),
		BROKER_TEST(a_connect_tells_its_success_once),
		BROKER_TEST(the_byte_of_a_waiting_connect_is_nobodys_data),
		BROKER_TEST(the_byte_of_a_connect_that_waits_no_more_does_not_come),
		BROKER_TEST(a_refused_connect_wakes_with_an_error_and_so_error_tells_it_once),
		BROKER_TEST(a_socket_lives_on_after_a_refused_connect),
		BROKER_TEST(a_connect_that_failed_in_the_background_tells_it_when_repeated),
		BROKER_TEST(a_renewed_socket_is_bound_to_what_it_was_bound_to),
		BROKER_TEST(a_socket_in_use_is_not_renewed),
		BROKER_TEST(closing_before_the_end_of_the_handshake_leaves_nothing),
		BROKER_TEST(shutdown_ends_a_connect_in_progress),
		BROKER_TEST(connect_to_nobody_knows_its_peer_only_afterwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
