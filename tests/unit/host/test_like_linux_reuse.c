/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may share a port with whom: every mixture of SO_REUSEADDR and SO_REUSEPORT, of sockets that
 * are bound, listen, are connected or were.
 */
#include "unit/host/two_worlds.h"

enum { REUSE_ADDR = 1, REUSE_PORT = 2 };

static const char *const reuse_names[] = { "plain", "addr", "port", "both" };

/* A socket that allows reuse, not yet bound. */
static int make(struct world *w, int domain, int type, int reuse)
{
	int fd = w_socket(w, domain, type);

	assert_true(fd >= 0);
	assert_int_equal(w_set_int(w, fd, SOL_SOCKET, SO_REUSEADDR, reuse & REUSE_ADDR), 0);
	assert_int_equal(w_set_int(w, fd, SOL_SOCKET, SO_REUSEPORT, (reuse & REUSE_PORT) / 2), 0);
	return fd;
}

/* To our own address or to the wildcard. */
static int bind_one(struct world *w, int fd, int domain, bool any, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t len = here(w, domain, port, &addr);

	if (any && domain == AF_INET)
		((struct sockaddr_in *)&addr)->sin_addr.s_addr = 0;
	else if (any)
		((struct sockaddr_in6 *)&addr)->sin6_addr = in6addr_any;
	return w_bind_to(w, fd, &addr, len);
}

/* A second socket on the port, of each kind; it goes again. */
static void others(struct world *w, int domain, int type, const char *what, uint16_t port)
{
	for (int i = 0; i < 8; i++) {
		int fd = make(w, domain, type, i / 2), bound;

		bound = bind_one(w, fd, domain, i % 2, port);
		note(w, "%s, then %s%s ", what, reuse_names[i / 2], i % 2 ? " any" : "");
		note_result(w, "bind", bound);
		if (!bound && type == SOCK_STREAM)
			note_result(w, "listen", w_listen(w, fd, 1));
		note_result(w, "close", w_close(w, fd));
	}
	/* The places of closed descriptors in the world's list. */
	while (w->fd_count && w->fds[w->fd_count - 1] < 0)
		w->fd_count--;
}

static void mixtures(struct world *w, int domain, int type)
{
	for (int i = 0; i < 16; i++) {
		int reuse = i / 4, fd = make(w, domain, type, reuse);
		bool any = i % 2, listens = i / 2 % 2;
		char what[64];

		if (listens && type == SOCK_DGRAM) {
			(void)w_close(w, fd);
			continue;
		}
		(void)snprintf(what, sizeof(what), "%s%s%s", reuse_names[reuse], any ? " any" : "",
			       listens ? " listening" : "");
		note_result(w, what, bind_one(w, fd, domain, any, 0));
		if (listens)
			note_result(w, "listen", w_listen(w, fd, 1));
		others(w, domain, type, what, w_port(w, fd));
		(void)w_close(w, fd);
		w->fd_count--;
	}
}

TWO_WORLDS(streams_share_a_port_as_both_allow)
{
	mixtures(w, AF_INET, SOCK_STREAM);
}

TWO_WORLDS_V6(streams_share_a_port_of_ipv6_as_both_allow)
{
	mixtures(w, AF_INET6, SOCK_STREAM);
}

TWO_WORLDS(datagram_sockets_share_a_port_as_both_allow)
{
	mixtures(w, AF_INET, SOCK_DGRAM);
}

/* The IPv6 wildcard takes IPv4, too. */
TWO_WORLDS_V6(families_share_a_port_as_both_allow)
{
	for (int reuse = 0; reuse < 4; reuse++) {
		int fd = make(w, AF_INET6, SOCK_STREAM, reuse);

		note_result(w, "any", bind_one(w, fd, AF_INET6, true, 0));
		note_result(w, "listen", w_listen(w, fd, 1));
		others(w, AF_INET, SOCK_STREAM, reuse_names[reuse], w_port(w, fd));
		(void)w_close(w, fd);
		w->fd_count--;
	}
}

/* Who of them gets a datagram, by SO_REUSEADDR alone: one after the other is closed. */
TWO_WORLDS(of_datagram_sockets_on_one_address_the_newest_receives)
{
	int fds[3], from = w_socket(w, AF_INET, SOCK_DGRAM);
	char byte;

	for (int i = 0; i < 3; i++) {
		fds[i] = make(w, AF_INET, SOCK_DGRAM, REUSE_ADDR);
		note_result(w, "bind",
			    bind_one(w, fds[i], AF_INET, false, i ? w_port(w, fds[0]) : 0));
	}
	for (int left = 3; left; left--) {
		note_result(w, "send", w_sendto(w, from, "x", 1, AF_INET, w_port(w, fds[0])));
		settle(w);
		for (int i = 0; i < left; i++)
			note_result(w, "received", w_recv(w, fds[i], &byte, 1, 0));
		(void)w_close(w, fds[left - 1]);
	}
}

/* The listener is gone; its connection lives, or was closed by its server. */
static void leavings(struct world *w, bool lives)
{
	for (int reuse = 0; reuse < 4; reuse++) {
		int listener = make(w, AF_INET, SOCK_STREAM, reuse), client, server;
		uint16_t port;

		assert_int_equal(bind_one(w, listener, AF_INET, reuse & 1, 0), 0);
		assert_int_equal(w_listen(w, listener, 4), 0);
		port = w_port(w, listener);
		client = w_socket(w, AF_INET, SOCK_STREAM);
		(void)w_connect(w, client, AF_INET, port);
		settle(w);
		server = w_accept(w, listener);
		assert_true(server >= 0);
		note_result(w, "inherited", w_get_int(w, server, SOL_SOCKET, SO_REUSEPORT));
		note_result(w, "and", w_get_int(w, server, SOL_SOCKET, SO_REUSEADDR));
		others(w, AF_INET, SOCK_STREAM, "while it listens", port);
		(void)w_close(w, listener);
		if (!lives) {
			(void)w_close(w, server);
			settle(w);
			(void)w_close(w, client);
			settle(w);
		}
		others(w, AF_INET, SOCK_STREAM, reuse_names[reuse], port);
	}
}

TWO_WORLDS(a_connection_that_lives_shares_its_port_as_its_listener_did)
{
	leavings(w, true);
}

TWO_WORLDS(a_time_wait_shares_its_port_as_its_listener_did)
{
	leavings(w, false);
}

/* An outgoing connection holds its port as well. */
TWO_WORLDS(a_client_shares_its_port_as_it_allowed)
{
	for (int reuse = 0; reuse < 4; reuse++) {
		struct pair p;
		int client;

		make_listener(w, AF_INET, &p);
		client = make(w, AF_INET, SOCK_STREAM, reuse);
		(void)w_connect(w, client, AF_INET, p.port);
		settle(w);
		others(w, AF_INET, SOCK_STREAM, reuse_names[reuse], w_port(w, client));
		(void)w_close(w, client);
		(void)w_close(w, p.listener);
	}
}

TWO_WORLDS(what_is_allowed_may_be_set_after_bind)
{
	int one = make(w, AF_INET, SOCK_STREAM, 0);
	uint16_t port;

	assert_int_equal(bind_one(w, one, AF_INET, false, 0), 0);
	port = w_port(w, one);
	others(w, AF_INET, SOCK_STREAM, "before", port);
	note_result(w, "set", w_set_int(w, one, SOL_SOCKET, SO_REUSEPORT, 1));
	others(w, AF_INET, SOCK_STREAM, "after", port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_share_a_port_as_both_allow),
		cmocka_unit_test(streams_share_a_port_of_ipv6_as_both_allow),
		cmocka_unit_test(datagram_sockets_share_a_port_as_both_allow),
		cmocka_unit_test(families_share_a_port_as_both_allow),
		cmocka_unit_test(of_datagram_sockets_on_one_address_the_newest_receives),
		cmocka_unit_test(a_connection_that_lives_shares_its_port_as_its_listener_did),
		cmocka_unit_test(a_time_wait_shares_its_port_as_its_listener_did),
		cmocka_unit_test(a_client_shares_its_port_as_it_allowed),
		cmocka_unit_test(what_is_allowed_may_be_set_after_bind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
