/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 sockets of a host that has IPv4 addresses only. The kernel's side is a network namespace
 * whose loopback has no IPv6 address.
 */
#include "unit/host/two_worlds.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>

static const char *why_not; /* … there is no such namespace to compare with */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return done;
}

static bool bring_loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool done;

	ifr.ifr_flags = IFF_UP;
	done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
	if (fd >= 0)
		(void)close(fd);
	return done;
}

static int enter(void **state)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	(void)state;
	if (fd < 0)
		why_not = "the kernel has no IPv6";
	else if (unshare(CLONE_NEWNET) < 0)
		why_not = "no right to make a network namespace; run as root";
	else if (!write_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1"))
		why_not = "no right to take its IPv6 address from the loopback";
	else if (!bring_loopback_up())
		why_not = "the loopback cannot be brought up";
	if (fd >= 0)
		(void)close(fd);
	return 0;
}

static void need_namespace(void)
{
	if (!why_not)
		return;
	printf("SKIP: %s\n", why_not);
	skip();
}

#define TWO_WORLDS_V4ONLY(name) TWO_WORLDS_IF(name, need_namespace(), true)

static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
static const char *const type_names[] = { "stream", "dgram" };

static struct sockaddr_in6 at6(const char *text, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return in6;
}

/* ::ffff: and the world's own address. */
static struct sockaddr_in6 mapped(const struct world *w, uint16_t port)
{
	return at6(w->tern ? "::ffff:10.77.0.2" : "::ffff:127.0.0.1", port);
}

static int bind6(struct world *w, int fd, struct sockaddr_in6 at)
{
	return w_bind_to(w, fd, &at, sizeof(at));
}

static int connect6(struct world *w, int fd, struct sockaddr_in6 to)
{
	return w_connect_to(w, fd, &to, sizeof(to));
}

static int six(struct world *w, int type)
{
	int fd = w_socket(w, AF_INET6, type);

	note_result(w, "socket", fd < 0 ? fd : 0);
	return fd;
}

/* A name as text: the world's own address is "own" in both of them. */
static void note_name(struct world *w, const char *what, int fd, bool peer)
{
	struct sockaddr_storage got;
	struct sockaddr_in6 in6, own = mapped(w, 0);
	char text[INET6_ADDRSTRLEN];
	int err = w_name(w, fd, peer, &got);

	if (err) {
		note_result(w, what, err);
		return;
	}
	assert_int_equal(got.ss_family, AF_INET6);
	memcpy(&in6, &got, sizeof(in6));
	(void)inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
	if (!memcmp(&in6.sin6_addr, &own.sin6_addr, sizeof(own.sin6_addr)))
		(void)snprintf(text, sizeof(text), "own");
	note(w, "%s: %s %s\n", what, text, in6.sin6_port ? "port" : "no port");
}

/* A listener on :: as servers make it. */
static int listen_on_any(struct world *w, int v6only)
{
	int fd = six(w, SOCK_STREAM);

	note_result(w, "v6only", w_get_int(w, fd, IPPROTO_IPV6, IPV6_V6ONLY));
	if (v6only)
		note_result(w, "only", w_set_int(w, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	note_name(w, "fresh", fd, false);
	note_result(w, "bind", bind6(w, fd, at6("::", 0)));
	note_name(w, "bound", fd, false);
	note_result(w, "listen", w_listen(w, fd, 8));
	note_name(w, "listener", fd, false);
	note_name(w, "its peer", fd, true);
	return fd;
}

TWO_WORLDS_V4ONLY(a_server_on_the_ipv6_wildcard_serves_ipv4)
{
	int listener = listen_on_any(w, 0), server;
	int clients[2] = { w_socket(w, AF_INET, SOCK_STREAM), six(w, SOCK_STREAM) };
	uint16_t port = w_port(w, listener);

	for (unsigned int i = 0; i < 2; i++) {
		note_result(w, "connect",
			    i ? connect6(w, clients[i], mapped(w, port))
			      : w_connect(w, clients[i], AF_INET, port));
		settle(w);
		server = w_accept(w, listener);
		note_result(w, "accept", server < 0 ? server : 0);
		note_name(w, "server", server, false);
		note_name(w, "its peer", server, true);
		note_result(w, "send", w_send(w, clients[i], "x", 1, 0));
		settle(w);
		note_poll(w, "server", server);
	}
	note_name(w, "client", clients[1], false);
	note_name(w, "its peer", clients[1], true);
	note_result(w, "domain", w_get_int(w, server, SOL_SOCKET, SO_DOMAIN));
	note_result(w, "v6only", w_get_int(w, server, IPPROTO_IPV6, IPV6_V6ONLY));
}

TWO_WORLDS_V4ONLY(a_server_for_ipv6_only_is_reached_by_nobody)
{
	int listener = listen_on_any(w, 1), v4 = w_socket(w, AF_INET, SOCK_STREAM);
	int clients[2] = { w_socket(w, AF_INET, SOCK_STREAM), six(w, SOCK_STREAM) };
	uint16_t port = w_port(w, listener);

	(void)w_connect(w, clients[0], AF_INET, port);
	(void)connect6(w, clients[1], mapped(w, port));
	settle(w);
	for (unsigned int i = 0; i < 2; i++)
		note_result(w, "error", w_get_int(w, clients[i], SOL_SOCKET, SO_ERROR));
	note_result(w, "only, connect", connect6(w, listener, mapped(w, port)));
	note_result(w, "bind of IPv4", w_bind(w, v4, AF_INET, port));
	note_result(w, "listen", w_listen(w, v4, 1));
}

TWO_WORLDS_V4ONLY(the_wildcards_share_a_port_as_they_may)
{
	int listener = listen_on_any(w, 0), fd;
	uint16_t port = w_port(w, listener);

	fd = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "bind of IPv4", w_bind(w, fd, AF_INET, port));
	fd = six(w, SOCK_STREAM);
	note_result(w, "bind of both", bind6(w, fd, at6("::", port)));
	note_result(w, "bind of mapped", bind6(w, fd, mapped(w, port)));
	note_result(w, "only", w_set_int(w, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	note_result(w, "bind of IPv6", bind6(w, fd, at6("::", port)));
}

TWO_WORLDS_V4ONLY(ipv6_addresses_are_not_there)
{
	static const char *const addrs[] = { "::1", "2001:db8::1", "fd00::2", "2002::1" };

	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < 4; k++) {
			int fd = six(w, types[i]);

			note(w, "%s %s\n", type_names[i], addrs[k]);
			note_result(w, "bind", bind6(w, fd, at6(addrs[k], 0)));
			note_result(w, "connect", connect6(w, fd, at6(addrs[k], 9)));
			note_name(w, "then", fd, false);
			note_result(w, "wildcard", bind6(w, fd, at6("::", 0)));
			note_result(w, "connect", connect6(w, fd, at6(addrs[k], 9)));
			note_name(w, "then", fd, false);
			note_name(w, "its peer", fd, true);
		}
	}
}

TWO_WORLDS_V4ONLY(a_socket_bound_to_an_ipv4_address_does_not_reach_ipv6)
{
	for (unsigned int i = 0; i < 2; i++) {
		int fd = six(w, types[i]);

		note_result(w, type_names[i], bind6(w, fd, mapped(w, 0)));
		note_name(w, "bound", fd, false);
		note_result(w, "connect", connect6(w, fd, at6("2001:db8::1", 9)));
		note_name(w, "then", fd, false);
	}
}

TWO_WORLDS_V4ONLY(the_wildcard_is_an_ipv4_source_too)
{
	int listener = listen_on_any(w, 0), fd = six(w, SOCK_STREAM);

	note_result(w, "bind", bind6(w, fd, at6("::", 0)));
	note_result(w, "connect", connect6(w, fd, mapped(w, w_port(w, listener))));
	settle(w);
	note_result(w, "error", w_get_int(w, fd, SOL_SOCKET, SO_ERROR));
	note_name(w, "client", fd, false);
	note_name(w, "its peer", fd, true);
}

static void note_datagram(struct world *w, int fd, struct sockaddr_in6 *ret_from)
{
	socklen_t len = sizeof(*ret_from);
	char text[8] = "";
	long n = w->tern ? tern_recvfrom(w->host, fd, text, 7, 0, (struct sockaddr *)ret_from, &len)
			 : errno_of(recvfrom(fd, text, 7, 0, (struct sockaddr *)ret_from, &len));

	note_result(w, "received", n);
	note(w, "%s of family %d\n", text, ret_from->sin6_family);
}

static long send6(struct world *w, int fd, const char *text, struct sockaddr_in6 to)
{
	const struct sockaddr *sa = (const struct sockaddr *)&to;

	return w->tern ? tern_sendto(w->host, fd, text, strlen(text), 0, sa, sizeof(to))
		       : errno_of(sendto(fd, text, strlen(text), 0, sa, sizeof(to)));
}

TWO_WORLDS_V4ONLY(datagrams_come_and_go_by_mapped_addresses)
{
	int server = six(w, SOCK_DGRAM), client = six(w, SOCK_DGRAM);
	struct sockaddr_in6 from;
	uint16_t port;

	note_result(w, "bind", bind6(w, server, at6("::", 0)));
	note_name(w, "server", server, false);
	port = w_port(w, server);
	note_result(w, "send", send6(w, client, "one", mapped(w, port)));
	note_name(w, "client", client, false);
	settle(w);
	note_datagram(w, server, &from);
	note_result(w, "connect", connect6(w, server, from));
	note_name(w, "server", server, false);
	note_name(w, "its peer", server, true);
	note_result(w, "answer", w_send(w, server, "two", 3, 0));
	settle(w);
	note_datagram(w, client, &from);
	note_result(w, "send to IPv6", send6(w, client, "x", at6("2001:db8::1", 9)));
	note_result(w, "connected, to IPv6", send6(w, server, "x", at6("2001:db8::1", 9)));
}

TWO_WORLDS_V4ONLY(datagrams_for_ipv6_only_are_nobodys)
{
	int server = six(w, SOCK_DGRAM), client = w_socket(w, AF_INET, SOCK_DGRAM);
	char byte;

	note_result(w, "only", w_set_int(w, server, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	note_result(w, "bind", bind6(w, server, at6("::", 0)));
	note_result(w, "send", send6(w, server, "x", mapped(w, 9)));
	note_result(w, "connect", w_connect(w, client, AF_INET, w_port(w, server)));
	note_result(w, "send", w_send(w, client, "x", 1, 0));
	settle(w);
	note_result(w, "error", w_get_int(w, client, SOL_SOCKET, SO_ERROR));
	note_result(w, "receive", w_recv(w, server, &byte, 1, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_on_the_ipv6_wildcard_serves_ipv4),
		cmocka_unit_test(a_server_for_ipv6_only_is_reached_by_nobody),
		cmocka_unit_test(the_wildcards_share_a_port_as_they_may),
		cmocka_unit_test(ipv6_addresses_are_not_there),
		cmocka_unit_test(a_socket_bound_to_an_ipv4_address_does_not_reach_ipv6),
		cmocka_unit_test(the_wildcard_is_an_ipv4_source_too),
		cmocka_unit_test(datagrams_come_and_go_by_mapped_addresses),
		cmocka_unit_test(datagrams_for_ipv6_only_are_nobodys),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
