/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners on a wildcard address listen on the kernel's loopback, too. */
#include <sched.h>

#include <net/if.h>

#include "unit/posix/bed.h"

/* A network namespace of our own whose loopback is up; without the right to one, this one. */
static int set_up(void **state)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return bed_set_up(state);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo.ifr_flags = IFF_UP;
	(void)ioctl(fd, SIOCSIFFLAGS, &lo);
	(void)close(fd);
	return bed_set_up(state);
}

static struct sock listen_at(uint16_t port, uint32_t addr)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(addr) };
	struct sock s = open_stream();

	assert_int_equal(ask_with(TERN_POSIX_BIND, s.id, 1, 0, 0, &any, sizeof(any)), 0);
	assert_int_equal(ask(TERN_POSIX_LISTEN, s.id, 64), 0);
	return s;
}

/* A client of the kernel's loopback; -errno of connect(). */
static int local_client(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (connect(fd, (void *)&addr, sizeof(addr)) == 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}

static void a_wildcard_listener_serves_the_loopback_too(void **state)
{
	struct sock l = listen_at(PORT, INADDR_ANY);
	int client = local_client(PORT), server;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	(void)state;
	assert_true(client >= 0);
	assert_true(look(l.fd, POLLIN) & POLLIN);
	server = take(l.fd);
	assert_true(server >= 0);
	assert_int_equal(accepted.kernel, 1);
	assert_int_equal(accepted.nonblock, 0);
	assert_int_equal(accepted.remote.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(getpeername(server, (void *)&peer, &len), 0);
	assert_int_equal(peer.sin_family, AF_INET);
	assert_int_equal(peer.sin_port, accepted.remote.in.sin_port);
	assert_int_equal(send(client, "local", 5, 0), 5);
	expect_data(server, "local", 5);
	(void)close(server);
	(void)close(client);
	drop(&l);
}

static void a_listener_on_an_address_does_not(void **state)
{
	struct sock l = listen_at(PORT, 0x0a4d0002);

	(void)state;
	assert_int_equal(local_client(PORT), -ECONNREFUSED);
	drop(&l);
}

static void both_kinds_come_in_one_queue(void **state)
{
	struct sock l = listen_at(PORT, INADDR_ANY), s = open_stream();
	int client = local_client(PORT), kernel = 0, tern = 0;

	(void)state;
	assert_int_equal(ask_connect(s, PORT, 0), -EINPROGRESS);
	settle();
	for (int i = 0; i < 2; i++) {
		int fd;

		assert_true(look(l.fd, POLLIN) & POLLIN);
		fd = take(l.fd);
		kernel += accepted.kernel == 1;
		tern += accepted.kernel == 0;
		(void)close(fd);
	}
	assert_int_equal(kernel, 1);
	assert_int_equal(tern, 1);
	(void)close(client);
	drop(&s);
	drop(&l);
}

static void closing_the_listener_ends_it_on_the_loopback(void **state)
{
	struct sock l = listen_at(PORT, INADDR_ANY);

	(void)state;
	drop(&l);
	settle();
	assert_int_equal(local_client(PORT), -ECONNREFUSED);
}

static void more_than_may_be_handed_over_wait_at_the_kernel(void **state)
{
	struct sock l = listen_at(PORT, INADDR_ANY);
	int clients[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		clients[i] = local_client(PORT);
		assert_true(clients[i] >= 0);
		turn();
	}
	for (int i = 0; i < 20; i++) {
		assert_true(look(l.fd, POLLIN) & POLLIN);
		(void)close(take(l.fd));
	}
	assert_int_equal(take(l.fd), -1);
	for (int i = 0; i < 20; i++)
		(void)close(clients[i]);
	drop(&l);
}

static void a_port_that_is_taken_there_is_a_line_in_the_log(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(PORT),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sock l;

	(void)state;
	/* Connections of the cases before may be in TIME-WAIT there. */
	assert_int_equal(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(other, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(other, 1), 0);
	l = listen_at(PORT, INADDR_ANY);
	assert_int_equal(logged_lines, 1);
	assert_non_null(strstr(logged, "7000"));
	drop(&l);
	(void)close(other);
}

static void options_of_the_listener_go_for_its_local_connections(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sock l = open_stream();
	int client, server, value = 0;
	socklen_t len = sizeof(value);

	(void)state;
	assert_int_equal(set_int(l, SOL_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(ask_with(TERN_POSIX_BIND, l.id, 1, 0, 0, &any, sizeof(any)), 0);
	assert_int_equal(ask(TERN_POSIX_LISTEN, l.id, 64), 0);
	client = local_client(PORT);
	assert_true(look(l.fd, POLLIN) & POLLIN);
	server = take(l.fd);
	assert_int_equal(getsockopt(server, SOL_TCP, TCP_NODELAY, &value, &len), 0);
	assert_int_equal(value, 1);
	(void)close(server);
	(void)close(client);
	drop(&l);
}

#define LOOPBACK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOPBACK_TEST(a_wildcard_listener_serves_the_loopback_too),
		LOOPBACK_TEST(a_listener_on_an_address_does_not),
		LOOPBACK_TEST(both_kinds_come_in_one_queue),
		LOOPBACK_TEST(closing_the_listener_ends_it_on_the_loopback),
		LOOPBACK_TEST(more_than_may_be_handed_over_wait_at_the_kernel),
		LOOPBACK_TEST(a_port_that_is_taken_there_is_a_line_in_the_log),
		LOOPBACK_TEST(options_of_the_listener_go_for_its_local_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
