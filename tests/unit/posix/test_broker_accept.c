/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening sockets: what is handed over, how much of it, and what becomes of it. */
#include "unit/posix/bed.h"

#include "posix/internal.h"
#include "trace/counter.h"

/* Clients whose connections are established. */
static void connect_all(struct sock *clients, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		clients[i] = open_stream();
		assert_int_equal(ask_connect(clients[i], PORT, 0), -EINPROGRESS);
	}
	settle();
}

static void drop_all(struct sock *clients, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		drop(&clients[i]);
	settle();
}

/* Recv-Q of a listener. */
static uint32_t waiting(struct sock listener)
{
	struct tern_socket_info row;
	struct tern_pair *p = tern_pair_find(broker, listener.id);

	assert_int_equal(tern_stack_socket(host->st, host->now, tern_sock_id(host->socks, p->sock),
					   &row),
			 0);
	return row.acceptq;
}

static void an_accepted_connection_says_who_it_is(void **state)
{
	struct both x = join();
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	struct tern_posix_name name;
	struct sockaddr_in local, remote;

	(void)state;
	assert_int_equal(getpeername(x.server.fd, (void *)&un, &len), 0);
	memcpy(&name, un.sun_path, sizeof(name));
	memcpy(&local, name.local, sizeof(local));
	memcpy(&remote, name.remote, sizeof(remote));
	assert_int_equal(name.accepted, 1);
	assert_int_equal(name.type, SOCK_STREAM);
	assert_int_equal(name.domain, AF_INET);
	assert_int_equal(local.sin_port, htons(PORT));
	assert_int_equal(remote.sin_addr.s_addr, htonl(0x0a4d0002));
	assert_int_equal(remote.sin_port, accepted.remote.in.sin_port);
	assert_int_equal(accepted.kernel, 0);
	part(&x);
}

static void a_listener_is_readable_while_a_connection_waits_and_never_writable(void **state)
{
	struct sock l = open_listener(PORT, 8), clients[1];

	(void)state;
	settle();
	assert_int_equal(look(l.fd, POLLIN | POLLOUT), 0);
	connect_all(clients, 1);
	assert_int_equal(look(l.fd, POLLIN | POLLOUT), POLLIN);
	(void)close(take(l.fd));
	assert_int_equal(look(l.fd, POLLIN | POLLOUT), 0);
	drop_all(clients, 1);
	drop(&l);
}

static void few_are_handed_over_and_all_count_in_the_stacks_queue(void **state)
{
	struct sock l = open_listener(PORT, 64), clients[20];
	struct tern_pair *p = tern_pair_find(broker, l.id);

	(void)state;
	connect_all(clients, 20);
	assert_int_equal(waiting(l), 20);
	assert_int_equal(tern_accept_room(p), 0);
	assert_int_equal(tern_broker_sockets(broker), 1 + 20 + 64 / 16);
	(void)close(take(l.fd));
	settle();
	assert_int_equal(waiting(l), 19);
	for (int left = 18; left >= 0; left--) {
		assert_true(look(l.fd, POLLIN) & POLLIN);
		(void)close(take(l.fd));
		settle();
		assert_int_equal(waiting(l), left);
	}
	assert_int_equal(take(l.fd), -1);
	drop_all(clients, 20);
	drop(&l);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 0);
	assert_int_equal(tern_socks_count(host->socks), 0);
}

static void the_backlog_is_the_stacks(void **state)
{
	struct sock l = open_listener(PORT, 3), clients[12];
	int established = 0;

	(void)state;
	connect_all(clients, 12);
	assert_int_equal(waiting(l), 3 + 1);
	for (unsigned int i = 0; i < 12; i++)
		established += look(clients[i].fd, POLLOUT) == POLLOUT;
	assert_true(established >= 4);
	assert_true(tern_stack_counter(host->st, TERN_CNT_TcpExtListenOverflows) > 0);
	drop_all(clients, 12);
	drop(&l);
}

static void one_message_is_one_connection_whoever_takes_it(void **state)
{
	struct sock l = open_listener(PORT, 128), clients[5];
	int copy = dup(l.fd), got[5];

	(void)state;
	connect_all(clients, 5);
	for (unsigned int i = 0; i < 5; i++) {
		got[i] = take(i % 2 ? copy : l.fd);
		assert_true(got[i] >= 0);
		for (unsigned int k = 0; k < i; k++)
			assert_true(name_of(got[i]).id != name_of(got[k]).id);
	}
	for (unsigned int i = 0; i < 5; i++)
		(void)close(got[i]);
	drop(&l);
	settle();
	assert_int_equal(tern_broker_listeners(broker), 1);
	(void)close(copy);
	settle();
	assert_int_equal(tern_broker_listeners(broker), 0);
	drop_all(clients, 5);
}

static void what_is_sent_before_accept_is_there_after_it(void **state)
{
	struct sock l = open_listener(PORT, 8), clients[1], server;

	(void)state;
	connect_all(clients, 1);
	assert_int_equal(send(clients[0].fd, "early", 5, MSG_DONTWAIT), 5);
	settle();
	server = accept_from(l);
	expect_data(server.fd, "early", 5);
	drop(&server);
	drop_all(clients, 1);
	drop(&l);
}

static void closing_a_listener_resets_who_was_not_accepted(void **state)
{
	struct sock l = open_listener(PORT, 64), clients[10], server;

	(void)state;
	connect_all(clients, 10);
	server = accept_from(l);
	settle();
	drop(&l);
	for (unsigned int i = 0; i < 10; i++)
		if (i != 0)
			expect_reset(clients[i].fd);
	assert_int_equal(look(clients[0].fd, POLLOUT | POLLIN), POLLOUT);
	drop(&server);
	drop_all(clients, 10);
	assert_int_equal(tern_broker_sockets(broker), 0);
}

static void shutdown_wakes_accept_with_the_end_and_the_socket_can_listen_again(void **state)
{
	struct sock l = open_listener(PORT, 8), clients[1], server;
	char byte;

	(void)state;
	assert_int_equal(ask(TERN_POSIX_SHUTDOWN, l.id, SHUT_WR), 0);
	assert_int_equal(look(l.fd, POLLIN), 0);
	assert_int_equal(ask(TERN_POSIX_SHUTDOWN, l.id, SHUT_RD), 0);
	assert_int_equal(recv(l.fd, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(ask(TERN_POSIX_LISTEN, l.id, 8), -ESTALE);
	assert_int_equal(ask(TERN_POSIX_RENEW, l.id, 0), 0);
	drop(&l);
	l = (struct sock){ answer_fd, answer.id };
	assert_int_equal(ask(TERN_POSIX_LISTEN, l.id, 8), 0);
	connect_all(clients, 1);
	server = accept_from(l);
	drop(&server);
	drop_all(clients, 1);
	drop(&l);
}

static void an_accepted_socket_has_its_listeners_options(void **state)
{
	struct sock l = open_listener(PORT, 8), clients[1], server;

	(void)state;
	assert_int_equal(set_int(l, SOL_TCP, TCP_NODELAY, 1), 0);
	connect_all(clients, 1);
	server = accept_from(l);
	assert_int_equal(get_int(server, SOL_TCP, TCP_NODELAY), 1);
	drop(&server);
	drop_all(clients, 1);
	drop(&l);
}

static void no_connection_is_lost_for_lack_of_descriptors(void **state)
{
	struct sock l = open_listener(PORT, 128), clients[6];
	struct rlimit before, tight;
	int got = 0, probe = dup(0);

	(void)state;
	connect_all(clients, 3);
	/* Nothing beyond what is open now, except what was given up. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned int i = 3; i < 6; i++) {
		clients[i] = open_stream();
	}
	(void)close(probe);
	probe = dup(0);
	tight = before;
	tight.rlim_cur = (rlim_t)probe + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (unsigned int i = 3; i < 6; i++)
		assert_int_equal(ask_connect(clients[i], PORT, 0), -EINPROGRESS);
	settle();
	assert_int_equal(waiting(l), 6);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	while (got < 6) {
		struct sock s = accept_from(l);

		drop(&s);
		got++;
	}
	assert_int_equal(logged_lines, 0);
	(void)close(probe);
	drop_all(clients, 6);
	drop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(an_accepted_connection_says_who_it_is),
		BROKER_TEST(a_listener_is_readable_while_a_connection_waits_and_never_writable),
		BROKER_TEST(few_are_handed_over_and_all_count_in_the_stacks_queue),
		BROKER_TEST(the_backlog_is_the_stacks),
		BROKER_TEST(one_message_is_one_connection_whoever_takes_it),
		BROKER_TEST(what_is_sent_before_accept_is_there_after_it),
		BROKER_TEST(closing_a_listener_resets_who_was_not_accepted),
		BROKER_TEST(shutdown_wakes_accept_with_the_end_and_the_socket_can_listen_again),
		BROKER_TEST(an_accepted_socket_has_its_listeners_options),
		BROKER_TEST(no_connection_is_lost_for_lack_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
