/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 sockets of stacks that have IPv4 addresses only: what a server that listens on :: and means
 * every address asks for.
 */
#include "unit/sock/two_stacks.h"

static int six(struct side *side, int type)
{
	int fd = tern_sock_open(side->ss, now, TERN_AF_INET6, type, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A sockaddr_in6: text is read by tern_addr_parse; mapped addresses are written as such. */
static union tern_sockaddr at6(const char *text, uint16_t port)
{
	struct tern_endpoint ep = { .port = port };
	union tern_sockaddr sa;

	assert_int_equal(tern_addr_parse(text, &ep.addr), 0);
	(void)tern_sockaddr_write(TERN_AF_INET6, &ep, &sa);
	return sa;
}

static int bind6(struct side *side, int fd, const char *text, uint16_t port)
{
	union tern_sockaddr sa = at6(text, port);

	return tern_sock_bind(side->ss, now, fd, &sa, sizeof(sa.in6));
}

static int connect6(struct side *side, int fd, const char *text, uint16_t port)
{
	union tern_sockaddr sa = at6(text, port);

	return tern_sock_connect(side->ss, now, fd, &sa, sizeof(sa.in6));
}

/* The name is this address of AF_INET6; a port of 0 is any but that. */
static void assert_name(struct side *side, int fd, bool peer, const char *text, uint16_t port)
{
	union tern_sockaddr want = at6(text, port), got;
	uint32_t len = sizeof(got);

	if (peer)
		assert_int_equal(tern_sock_getpeername(side->ss, fd, &got, &len), 0);
	else
		assert_int_equal(tern_sock_getsockname(side->ss, fd, &got, &len), 0);
	assert_int_equal(len, sizeof(got.in6));
	assert_int_equal(got.family, TERN_AF_INET6);
	assert_memory_equal(got.in6.addr, want.in6.addr, sizeof(got.in6.addr));
	if (port)
		assert_int_equal(tern_get_u16(got.in6.port), port);
	else
		assert_int_not_equal(tern_get_u16(got.in6.port), 0);
}

static int set_v6only(struct side *side, int fd, int value)
{
	return tern_sock_setsockopt(side->ss, now, fd, TERN_ABI_SOL_IPV6, TERN_ABI_IPV6_V6ONLY,
				    &value, sizeof(value));
}

static struct tern_socket_info row_of(struct side *side, int fd)
{
	struct tern_socket_info row;

	assert_int_equal(tern_stack_socket(side->st, now, tern_sock_id(side->ss, fd), &row), 0);
	return row;
}

static void a_listener_on_the_ipv6_wildcard_serves_ipv4(void **state)
{
	int listener = six(&b, TERN_SOCK_STREAM), client = stream(&a), server;
	union tern_sockaddr from;
	uint32_t len = sizeof(from);
	char byte;

	(void)state;
	assert_int_equal(bind6(&b, listener, "::", PORT), 0);
	assert_int_equal(tern_sock_listen(b.ss, now, listener, 8), 0);
	assert_name(&b, listener, false, "::", PORT);
	assert_int_equal(bind_at(&a, client, 1, 5000), 0);
	assert_int_equal(connect_to(&a, client, 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect_to(&a, client, 2, PORT), 0);
	server = tern_sock_accept(b.ss, now, listener, &from, &len);
	assert_true(server >= 0);
	assert_int_equal(len, sizeof(from.in6));
	assert_int_equal(tern_get_u16(from.in6.port), 5000);
	assert_name(&b, server, false, "::ffff:10.77.0.2", PORT);
	assert_name(&b, server, true, "::ffff:10.77.0.1", 5000);
	assert_int_equal(send_on(&a, client, "x", 1), 1);
	exchange();
	assert_int_equal(recv_on(&b, server, &byte, 1), 1);
	assert_name(&b, listener, false, "::", PORT);
}

/* Records stand side by side, and there is no room for an IPv6 address in one. */
static void the_wildcard_touches_no_other_record(void **state)
{
	int fds[8];

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		fds[i] = six(&b, TERN_SOCK_STREAM);
	for (unsigned int i = 0; i < 8; i += 2)
		assert_int_equal(bind6(&b, fds[i], "::ffff:10.77.0.2", (uint16_t)(PORT + i)), 0);
	for (unsigned int i = 1; i < 8; i += 2)
		assert_int_equal(bind6(&b, fds[i], "::", (uint16_t)(PORT + i)), 0);
	for (unsigned int i = 0; i < 8; i++) {
		const char *name = i % 2 ? "::" : "::ffff:10.77.0.2";

		assert_name(&b, fds[i], false, name, (uint16_t)(PORT + i));
		assert_int_equal(tern_sock_listen(b.ss, now, fds[i], 8), 0);
		assert_name(&b, fds[i], false, name, (uint16_t)(PORT + i));
	}
	for (unsigned int i = 0; i < 8; i++) {
		int client = stream(&a);

		assert_int_equal(connect_to(&a, client, 2, (uint16_t)(PORT + i)), -EINPROGRESS);
		exchange();
		assert_int_equal(connect_to(&a, client, 2, (uint16_t)(PORT + i)), 0);
	}
}

static void a_listener_without_bind_serves_ipv4(void **state)
{
	int listener = six(&b, TERN_SOCK_STREAM), client = stream(&a);
	union tern_sockaddr sa;
	uint32_t len = sizeof(sa);

	(void)state;
	assert_int_equal(tern_sock_listen(b.ss, now, listener, 8), 0);
	assert_name(&b, listener, false, "::", 0);
	assert_int_equal(tern_sock_getsockname(b.ss, listener, &sa, &len), 0);
	assert_int_equal(connect_to(&a, client, 2, tern_get_u16(sa.in6.port)), -EINPROGRESS);
	exchange();
	assert_int_equal(connect_to(&a, client, 2, tern_get_u16(sa.in6.port)), 0);
}

static void a_listener_for_ipv6_only_is_reached_by_nobody(void **state)
{
	int listener = six(&b, TERN_SOCK_STREAM), client = stream(&a), v4;

	(void)state;
	assert_int_equal(set_v6only(&b, listener, 1), 0);
	assert_int_equal(bind6(&b, listener, "::", PORT), 0);
	assert_int_equal(set_v6only(&b, listener, 0), -EINVAL); /* too late */
	assert_int_equal(tern_sock_listen(b.ss, now, listener, 8), 0);
	assert_int_equal(connect_to(&a, client, 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect_to(&a, client, 2, PORT), -ECONNREFUSED);
	v4 = stream(&b); /* the port is IPv4's own */
	assert_int_equal(bind_at(&b, v4, 2, PORT), 0);
	assert_int_equal(tern_sock_listen(b.ss, now, v4, 8), 0);
}

/* The family says which wildcard it is: ss prints *, [::] and 0.0.0.0. */
static void rows_tell_the_wildcards_apart(void **state)
{
	int dual = six(&b, TERN_SOCK_STREAM), only = six(&b, TERN_SOCK_STREAM), v4 = stream(&b);
	union tern_sockaddr any = { .family = TERN_AF_INET };
	struct tern_socket_info row;

	(void)state;
	tern_put_u16(any.in.port, PORT + 2);
	assert_int_equal(bind6(&b, dual, "::", PORT), 0);
	assert_int_equal(set_v6only(&b, only, 1), 0);
	assert_int_equal(bind6(&b, only, "::", PORT + 1), 0);
	assert_int_equal(tern_sock_bind(b.ss, now, v4, &any, sizeof(any.in)), 0);
	assert_int_equal(row_of(&b, dual).local.addr.family, TERN_INET6);
	assert_int_equal(tern_sock_listen(b.ss, now, dual, 1), 0);
	assert_int_equal(tern_sock_listen(b.ss, now, only, 1), 0);
	assert_int_equal(tern_sock_listen(b.ss, now, v4, 1), 0);
	row = row_of(&b, dual);
	assert_int_equal(row.local.addr.family, TERN_UNSPEC);
	assert_int_equal(row.remote.addr.family, TERN_UNSPEC);
	assert_int_equal(row.local.port, PORT);
	assert_int_equal(row_of(&b, only).local.addr.family, TERN_INET6);
	assert_int_equal(row_of(&b, only).remote.addr.family, TERN_INET6);
	assert_int_equal(row_of(&b, v4).local.addr.family, TERN_INET);
}

static void a_socket_for_both_connects_to_mapped_addresses(void **state)
{
	int fd = six(&a, TERN_SOCK_STREAM), bound = six(&a, TERN_SOCK_STREAM);

	(void)state;
	(void)listen_at_b();
	assert_int_equal(connect6(&a, fd, "::ffff:10.77.0.2", PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect6(&a, fd, "::ffff:10.77.0.2", PORT), 0);
	assert_name(&a, fd, true, "::ffff:10.77.0.2", PORT);
	assert_name(&a, fd, false, "::ffff:10.77.0.1", 0);
	/* From a port of the wildcard, too. */
	assert_int_equal(bind6(&a, bound, "::", 5001), 0);
	assert_int_equal(connect6(&a, bound, "::ffff:10.77.0.2", PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect6(&a, bound, "::ffff:10.77.0.2", PORT), 0);
	assert_name(&a, bound, false, "::ffff:10.77.0.1", 5001);
}

static void there_is_no_way_to_an_ipv6_address(void **state)
{
	static const int types[] = { TERN_SOCK_STREAM, TERN_SOCK_DGRAM };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		int fd = six(&a, types[i]);

		assert_int_equal(bind6(&a, fd, "fd00::1", PORT), -EADDRNOTAVAIL);
		assert_int_equal(connect6(&a, fd, "fd00::1", PORT), -EADDRNOTAVAIL);
		fd = six(&a, types[i]);
		assert_int_equal(bind6(&a, fd, "::", PORT), 0);
		assert_int_equal(connect6(&a, fd, "fd00::1", PORT), -EADDRNOTAVAIL);
		assert_name(&a, fd, false, "::", PORT);
		fd = six(&a, types[i]);
		assert_int_equal(bind6(&a, fd, "::ffff:10.77.0.1", PORT + 1), 0);
		assert_int_equal(connect6(&a, fd, "fd00::1", PORT), -ENETUNREACH);
	}
}

/* What connect(AF_UNSPEC) leaves is bound as before. */
static void a_socket_that_starts_over_keeps_the_wildcard(void **state)
{
	int fd = six(&b, TERN_SOCK_STREAM);
	uint16_t none = TERN_AF_UNSPEC;

	(void)state;
	assert_int_equal(bind6(&b, fd, "::", PORT), 0);
	assert_int_equal(bind6(&b, fd, "::", PORT), -EINVAL);
	assert_int_equal(tern_sock_connect(b.ss, now, fd, &none, sizeof(none)), 0);
	assert_name(&b, fd, false, "::", PORT);
	assert_int_equal(tern_sock_listen(b.ss, now, fd, 8), 0);
}

static void datagrams_of_both_kinds_of_sockets_meet(void **state)
{
	int server = six(&b, TERN_SOCK_DGRAM), client = six(&a, TERN_SOCK_DGRAM);
	int v4 = tern_sock_open(a.ss, now, TERN_AF_INET, TERN_SOCK_DGRAM, 0);
	union tern_sockaddr to = at6("::ffff:10.77.0.2", PORT), to4 = at(2, PORT), from;
	uint32_t len = sizeof(from);
	char byte;

	(void)state;
	assert_int_equal(bind6(&b, server, "::", PORT), 0);
	assert_name(&b, server, false, "::", PORT);
	assert_int_equal(row_of(&b, server).local.addr.family, TERN_UNSPEC);
	assert_int_equal(tern_sock_sendto(a.ss, now, client, "6", 1, 0, &to, sizeof(to.in6)), 1);
	assert_name(&a, client, false, "::", 0);
	assert_int_equal(tern_sock_sendto(a.ss, now, v4, "4", 1, 0, &to4, sizeof(to4.in)), 1);
	exchange();
	for (const char *want = "64"; *want; want++) {
		assert_int_equal(tern_sock_recvfrom(b.ss, now, server, &byte, 1, 0, &from, &len),
				 1);
		assert_int_equal(byte, *want);
		assert_int_equal(from.family, TERN_AF_INET6);
		assert_int_equal(tern_sock_sendto(b.ss, now, server, want, 1, 0, &from, len), 1);
	}
	exchange();
	assert_int_equal(recv_on(&a, client, &byte, 1), 1);
	assert_int_equal(recv_on(&a, v4, &byte, 1), 1);
	to = at6("fd00::1", PORT);
	assert_int_equal(tern_sock_sendto(a.ss, now, client, "x", 1, 0, &to, sizeof(to.in6)),
			 -EADDRNOTAVAIL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_listener_on_the_ipv6_wildcard_serves_ipv4),
		CASE(the_wildcard_touches_no_other_record),
		CASE(a_listener_without_bind_serves_ipv4),
		CASE(a_listener_for_ipv6_only_is_reached_by_nobody),
		CASE(rows_tell_the_wildcards_apart),
		CASE(a_socket_for_both_connects_to_mapped_addresses),
		CASE(there_is_no_way_to_an_ipv6_address),
		CASE(a_socket_that_starts_over_keeps_the_wildcard),
		CASE(datagrams_of_both_kinds_of_sockets_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
