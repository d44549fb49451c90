/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about sockets: options, names, addresses, ports, and what the broker knows of itself. */
#include "unit/posix/bed.h"

#include "posix/internal.h"

static void the_environment_names_run_and_token(void **state)
{
	const char *env = tern_broker_env(broker);

	(void)state;
	assert_int_equal(strncmp(env, TERN_POSIX_ENV "=", sizeof(TERN_POSIX_ENV)), 0);
	assert_int_equal(strlen(env), sizeof(TERN_POSIX_ENV) + TERN_POSIX_RUN_LEN + 1 +
					      2 * (size_t)TERN_POSIX_TOKEN_LEN);
	assert_int_equal(env[sizeof(TERN_POSIX_ENV) + TERN_POSIX_RUN_LEN], ':');
}

static void open_fails_as_socket_does(void **state)
{
	static const struct {
		int domain, type, protocol, result;
	} wrong[] = {
		{ AF_UNIX, SOCK_STREAM, 0, -EAFNOSUPPORT },
		{ AF_INET, SOCK_RAW, IPPROTO_ICMP, -ESOCKTNOSUPPORT },
		{ AF_INET, SOCK_STREAM, IPPROTO_UDP, -EPROTONOSUPPORT },
		{ AF_INET, SOCK_DGRAM, IPPROTO_TCP, -EPROTONOSUPPORT },
		{ AF_INET, 77, 0, -EINVAL },
		{ AF_INET, -1, 0, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(wrong); i++) {
		assert_int_equal(ask_with(TERN_POSIX_OPEN, 0, wrong[i].domain, wrong[i].type,
					  wrong[i].protocol, NULL, 0),
				 wrong[i].result);
		assert_int_equal(answer_fd, -1);
	}
	assert_int_equal(tern_broker_sockets(broker), 0);
}

static void sockets_run_out_with_enfile_and_come_back(void **state)
{
	static struct sock all[4096];
	unsigned int n = 0;

	(void)state;
	while (ask_with(TERN_POSIX_OPEN, 0, AF_INET, SOCK_STREAM, 0, NULL, 0) == 0)
		all[n++] = (struct sock){ answer_fd, answer.id };
	assert_int_equal(answer.result, -ENFILE);
	assert_int_equal(answer_fd, -1);
	assert_true(n > 1000);
	assert_int_equal(tern_broker_sockets(broker), n);
	for (unsigned int i = 0; i < n; i++)
		drop(&all[i]);
	for (int i = 0; i < 200; i++)
		turn();
	assert_int_equal(tern_broker_sockets(broker), 0);
	all[0] = open_stream();
	drop(&all[0]);
}

static void o_nonblock_is_the_programs_ends(void **state)
{
	struct sock s = open_as(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
	struct sock blocking = open_as(AF_INET, SOCK_STREAM);

	(void)state;
	assert_true(fcntl(s.fd, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(blocking.fd, F_GETFL) & O_NONBLOCK);
	drop(&s);
	drop(&blocking);
}

static int ask_bind(struct sock s, uint16_t port, int may)
{
	struct sockaddr_in addr = at(port);

	return ask_with(TERN_POSIX_BIND, s.id, may, 0, 0, &addr, sizeof(addr));
}

static void low_ports_want_the_capability(void **state)
{
	static const struct {
		uint16_t port;
		int may, result;
	} cases[] = {
		{ 1, 0, -EACCES }, { 1023, 0, -EACCES }, { 1023, 1, 0 },
		{ 1024, 0, 0 },    { 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct sock s = open_stream();

		assert_int_equal(ask_bind(s, cases[i].port, cases[i].may), cases[i].result);
		drop(&s);
		settle();
	}
}

static void a_port_is_free_again_when_its_socket_is_closed(void **state)
{
	struct sock s = open_listener(PORT, 1), other = open_stream();

	(void)state;
	assert_int_equal(ask_bind(other, PORT, 0), -EADDRINUSE);
	drop(&s);
	settle();
	assert_int_equal(ask_bind(other, PORT, 0), 0);
	drop(&other);
}

static void options_are_set_read_and_remembered(void **state)
{
	const struct linger off = { 0, 0 }, some = { 1, 7 };
	struct sock s = open_stream();
	struct tern_posix_setting got[8];

	(void)state;
	assert_int_equal(set_int(s, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	assert_int_equal(set_int(s, SOL_TCP, TCP_KEEPIDLE, 77), 0);
	assert_int_equal(set_int(s, SOL_TCP, TCP_KEEPIDLE, 78), 0);
	assert_int_equal(get_int(s, SOL_TCP, TCP_KEEPIDLE), 78);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_DOMAIN), AF_INET);
	assert_int_equal(get_int(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, s.id, SOL_SOCKET, SO_LINGER, 0, &some,
				  sizeof(some)),
			 0);
	assert_int_equal(broker->page->lingers, 1);
	assert_int_equal(ask(TERN_POSIX_SETTINGS, s.id, 0), 0);
	assert_int_equal(answer.len, 3 * sizeof(got[0]));
	memcpy(got, answer.data, answer.len);
	assert_int_equal(got[1].level, SOL_TCP);
	assert_int_equal(got[1].name, TCP_KEEPIDLE);
	assert_int_equal(got[1].len, sizeof(int));
	assert_int_equal(got[1].value[0], 78);
	assert_memory_equal(got[2].value, &some, sizeof(some));
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, s.id, SOL_SOCKET, SO_LINGER, 0, &off,
				  sizeof(off)),
			 0);
	assert_int_equal(broker->page->lingers, 0);
	drop(&s);
}

static void a_socket_that_lingers_is_counted_until_it_is_closed(void **state)
{
	const struct linger some = { 1, 7 };
	struct sock s = open_stream();

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, s.id, SOL_SOCKET, SO_LINGER, 0, &some,
				  sizeof(some)),
			 0);
	drop(&s);
	settle();
	assert_int_equal(broker->page->lingers, 0);
}

static void wrong_options_fail_and_are_not_remembered(void **state)
{
	struct sock s = open_stream();

	(void)state;
	assert_int_equal(set_int(s, SOL_TCP, 9999, 1), -ENOPROTOOPT);
	assert_int_equal(logged_lines, 1);
	assert_int_equal(set_int(s, SOL_TCP, 9999, 1), -ENOPROTOOPT);
	assert_int_equal(logged_lines, 1);
	assert_int_equal(set_int(s, SOL_TCP, TCP_KEEPIDLE, 0), -EINVAL);
	assert_int_equal(ask_with(TERN_POSIX_GETSOCKOPT, s.id, SOL_TCP, TCP_NODELAY, -1, NULL, 0),
			 -EINVAL);
	assert_int_equal(ask_with(TERN_POSIX_GETSOCKOPT, s.id, SOL_TCP, TCP_NODELAY, 2, NULL, 0),
			 0);
	assert_int_equal(answer.len, 2);
	assert_int_equal(ask(TERN_POSIX_SETTINGS, s.id, 0), 0);
	assert_int_equal(answer.len, 0);
	drop(&s);
}

static void a_line_says_what_the_option_is_called(void **state)
{
	static const struct {
		int level, name;
		const char *line;
	} unknown[] = {
		{ SOL_SOCKET, SO_TIMESTAMP, "setsockopt(): SO_TIMESTAMP is not supported" },
		{ SOL_IP, IP_PKTINFO, "setsockopt(): IP_PKTINFO is not supported" },
		{ SOL_IPV6, IPV6_RECVERR, "setsockopt(): IPV6_RECVERR is not supported" },
		{ SOL_TCP, 9999, "setsockopt(): option 9999 of level 6 is not supported" },
		{ 270, 1, "setsockopt(): option 1 of level 270 is not supported" },
	};
	struct sock s = open_as(AF_INET6, SOCK_STREAM);

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(unknown); i++) {
		assert_int_equal(set_int(s, unknown[i].level, unknown[i].name, 1), -ENOPROTOOPT);
		assert_string_equal(logged, unknown[i].line);
	}
	assert_int_equal(ask_with(TERN_POSIX_GETSOCKOPT, s.id, SOL_TCP, TCP_MD5SIG, 4, NULL, 0),
			 -ENOPROTOOPT);
	assert_string_equal(logged, "getsockopt(): TCP_MD5SIG is not supported");
	drop(&s);
}

static void tcp_info_is_linux_layout(void **state)
{
	struct both x = join();
	struct tcp_info info;

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_GETSOCKOPT, x.client.id, SOL_TCP, TCP_INFO,
				  sizeof(info), NULL, 0),
			 0);
	memcpy(&info, answer.data, sizeof(info));
	assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
	assert_in_range(info.tcpi_snd_mss, 500, 65535);
	part(&x);
}

static void a_dead_socket_has_state_close_and_no_peer(void **state)
{
	struct sock s = open_stream();
	struct tcp_info info;

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	assert_true(look(s.fd, POLLOUT) & POLLERR);
	assert_int_equal(
		ask_with(TERN_POSIX_GETSOCKOPT, s.id, SOL_TCP, TCP_INFO, sizeof(info), NULL, 0), 0);
	memcpy(&info, answer.data, TERN_MIN(sizeof(info), (size_t)answer.len));
	assert_int_equal(info.tcpi_state, TCP_CLOSE);
	assert_int_equal(ask(TERN_POSIX_GETPEERNAME, s.id, 0), -ENOTCONN);
	assert_int_equal(ask(TERN_POSIX_SHUTDOWN, s.id, SHUT_WR), -ENOTCONN);
	assert_int_equal(ask(TERN_POSIX_OUTQ, s.id, 0), 0);
	assert_int_equal(set_int(s, SOL_TCP, TCP_NODELAY, 1), 0);
	drop(&s);
}

static void dead_sockets_are_remembered_for_a_while_only(void **state)
{
	struct sock first = open_stream();

	(void)state;
	assert_int_equal(ask_connect(first, PORT, 0), -EINPROGRESS);
	assert_true(look(first.fd, POLLOUT) & POLLERR);
	for (unsigned int i = 0; i < TERN_BROKER_DEADS; i++) {
		struct sock s;

		assert_int_equal(ask(TERN_POSIX_LAST_ERROR, first.id, 0), ECONNREFUSED);
		s = open_stream();
		assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
		assert_true(look(s.fd, POLLOUT) & POLLERR);
		drop(&s);
	}
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, first.id, 0), -EBADF);
	assert_int_equal(tern_broker_sockets(broker), 0);
	assert_int_equal(tern_socks_count(host->socks), 0);
	drop(&first);
}

static void the_addresses_of_the_stack_are_told(void **state)
{
	struct tern_posix_ifaddr got[2];

	(void)state;
	assert_int_equal(ask(TERN_POSIX_ADDRESSES, 0, 0), 0);
	assert_int_equal(answer.len, sizeof(got));
	memcpy(got, answer.data, sizeof(got));
	assert_int_equal(got[0].addr.in.sin_family, AF_INET);
	assert_int_equal(got[0].addr.in.sin_addr.s_addr, htonl(0x0a4d0002));
	assert_int_equal(got[0].netmask.in.sin_addr.s_addr, htonl(0xffffff00));
	assert_int_equal(got[0].broadcast.in.sin_addr.s_addr, htonl(0x0a4d00ff));
	assert_int_equal(got[0].length, 24);
	assert_true(got[0].mtu >= 576);
	assert_int_equal(got[1].addr.in6.sin6_family, AF_INET6);
	assert_int_equal(got[1].netmask.in6.sin6_addr.s6_addr[7], 0xff);
	assert_int_equal(got[1].netmask.in6.sin6_addr.s6_addr[8], 0);
	assert_int_equal(got[1].broadcast.any.sa_family, AF_UNSPEC);
	assert_int_equal(got[1].length, 64);
}

static void shutdown_fails_as_linux_does(void **state)
{
	struct sock s = open_stream();
	struct both x = join();

	(void)state;
	assert_int_equal(ask(TERN_POSIX_SHUTDOWN, s.id, SHUT_WR), -ENOTCONN);
	assert_int_equal(ask(TERN_POSIX_SHUTDOWN, x.client.id, 3), -EINVAL);
	assert_int_equal(ask(TERN_POSIX_SHUTDOWN, x.client.id, -1), -EINVAL);
	assert_int_equal(ask_shutdown(x.client, SHUT_WR), 0);
	expect_end(x.server.fd);
	assert_int_equal(ask_shutdown(x.client, SHUT_WR), 0);
	drop(&s);
	part(&x);
}

static void ipv6_connections_say_so(void **state)
{
	struct sock l = open_as(AF_INET6, SOCK_STREAM), s = open_as(AF_INET6, SOCK_STREAM), server;
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	static const uint8_t own[16] = { 0xfd, 0, 0, 0x77, [15] = 2 };

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_BIND, l.id, 0, 0, 0, &addr, sizeof(addr)), 0);
	assert_int_equal(ask(TERN_POSIX_LISTEN, l.id, 4), 0);
	memcpy(&addr.sin6_addr, own, sizeof(own));
	assert_int_equal(ask_with(TERN_POSIX_CONNECT, s.id, 0, 0, 0, &addr, sizeof(addr)),
			 -EINPROGRESS);
	assert_int_equal(look(s.fd, POLLOUT), POLLOUT);
	server = accept_from(l);
	assert_int_equal(accepted.remote.in6.sin6_family, AF_INET6);
	assert_memory_equal(&accepted.remote.in6.sin6_addr, own, sizeof(own));
	drop(&server);
	drop(&s);
	drop(&l);
}

static void the_limit_of_descriptors_is_raised_and_given_back(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, limit.rlim_max);
	tern_broker_child(broker);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, broker->nofile.rlim_cur);
}

static void the_end_of_the_broker_resets_its_programs(void **state)
{
	struct both x = join();
	char byte;

	assert_int_equal(send(x.client.fd, "some", 4, MSG_DONTWAIT), 4);
	expect_data(x.server.fd, "some", 4);
	bed_tear_down(state);
	assert_int_equal(recv(x.client.fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	(void)close(x.client.fd);
	(void)close(x.server.fd);
	(void)close(x.listener.fd);
	assert_int_equal(bed_set_up(state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(the_environment_names_run_and_token),
		BROKER_TEST(open_fails_as_socket_does),
		BROKER_TEST(sockets_run_out_with_enfile_and_come_back),
		BROKER_TEST(o_nonblock_is_the_programs_ends),
		BROKER_TEST(low_ports_want_the_capability),
		BROKER_TEST(a_port_is_free_again_when_its_socket_is_closed),
		BROKER_TEST(options_are_set_read_and_remembered),
		BROKER_TEST(a_socket_that_lingers_is_counted_until_it_is_closed),
		BROKER_TEST(wrong_options_fail_and_are_not_remembered),
		BROKER_TEST(a_line_says_what_the_option_is_called),
		BROKER_TEST(tcp_info_is_linux_layout),
		BROKER_TEST(a_dead_socket_has_state_close_and_no_peer),
		BROKER_TEST(dead_sockets_are_remembered_for_a_while_only),
		BROKER_TEST(the_addresses_of_the_stack_are_told),
		BROKER_TEST(shutdown_fails_as_linux_does),
		BROKER_TEST(ipv6_connections_say_so),
		BROKER_TEST(the_limit_of_descriptors_is_raised_and_given_back),
		BROKER_TEST(the_end_of_the_broker_resets_its_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
