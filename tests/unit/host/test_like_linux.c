/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of stream sockets: every answer is the kernel's. See two_worlds.h. */
#include "unit/host/two_worlds.h"

TWO_WORLDS(a_fresh_stream_is_no_connection)
{
	int fd = w_socket(w, AF_INET, SOCK_STREAM);
	struct sockaddr_storage addr;
	char byte = 0;

	note_poll(w, "fresh", fd);
	note_result(w, "send", w_send(w, fd, &byte, 1, 0));
	note_result(w, "recv", w_recv(w, fd, &byte, 1, 0));
	note_result(w, "peer", w_name(w, fd, true, &addr));
	note_result(w, "name", w_name(w, fd, false, &addr));
	note(w, "family %d port %d\n", addr.ss_family, w_port(w, fd));
	note_result(w, "accept", w_accept(w, fd));
	note_result(w, "inq", w_inq(w, fd));
	note_result(w, "outq", w_outq(w, fd));
	note_result(w, "shutdown", w_shutdown(w, fd, SHUT_RD));
	note_poll(w, "shut", fd);
	note_result(w, "how", w_shutdown(w, fd, 3));
	note_result(w, "close", w_close(w, fd));
	note_result(w, "closed", w_send(w, fd, &byte, 1, 0));
}

/* A port that nobody listens on: one that was just given back. */
static uint16_t closed_port(struct world *w)
{
	int fd = w_socket(w, AF_INET, SOCK_STREAM);
	uint16_t port;

	assert_int_equal(w_bind(w, fd, AF_INET, 0), 0);
	port = w_port(w, fd);
	assert_int_equal(w_close(w, fd), 0);
	return port;
}

TWO_WORLDS(a_refused_connect_tells_it_once_and_may_be_tried_again)
{
	uint16_t port = closed_port(w);
	int fd = w_socket(w, AF_INET, SOCK_STREAM);
	char byte = 0;

	note_result(w, "connect", w_connect(w, fd, AF_INET, port));
	settle(w);
	note_poll(w, "refused", fd);
	note_result(w, "again", w_connect(w, fd, AF_INET, port));
	note_poll(w, "told", fd);
	note_result(w, "error", w_get_int(w, fd, SOL_SOCKET, SO_ERROR));
	note_result(w, "send", w_send(w, fd, &byte, 1, 0));
	note_result(w, "recv", w_recv(w, fd, &byte, 1, 0));
	note_result(w, "third", w_connect(w, fd, AF_INET, port));
	settle(w);
	note_result(w, "fourth", w_connect(w, fd, AF_INET, port));
}

TWO_WORLDS(so_error_tells_a_refusal_and_connect_then_says_aborted)
{
	uint16_t port = closed_port(w);
	int fd = w_socket(w, AF_INET, SOCK_STREAM);

	note_result(w, "connect", w_connect(w, fd, AF_INET, port));
	settle(w);
	note_result(w, "error", w_get_int(w, fd, SOL_SOCKET, SO_ERROR));
	note_result(w, "error again", w_get_int(w, fd, SOL_SOCKET, SO_ERROR));
	note_poll(w, "told", fd);
	note_result(w, "connect again", w_connect(w, fd, AF_INET, port));
	note_poll(w, "anew", fd);
}

TWO_WORLDS(recv_and_send_tell_a_refusal_too)
{
	uint16_t port = closed_port(w);
	int one = w_socket(w, AF_INET, SOCK_STREAM), two = w_socket(w, AF_INET, SOCK_STREAM);
	char byte = 0;

	note_result(w, "one", w_connect(w, one, AF_INET, port));
	note_result(w, "two", w_connect(w, two, AF_INET, port));
	settle(w);
	note_result(w, "recv", w_recv(w, one, &byte, 1, 0));
	note_result(w, "recv again", w_recv(w, one, &byte, 1, 0));
	note_result(w, "send", w_send(w, two, &byte, 1, 0));
	note_result(w, "send again", w_send(w, two, &byte, 1, 0));
	note_result(w, "error", w_get_int(w, two, SOL_SOCKET, SO_ERROR));
}

TWO_WORLDS(connect_says_zero_once_when_it_is_done)
{
	struct pair p;
	struct sockaddr_storage addr;

	make_listener(w, AF_INET, &p);
	note_poll(w, "listener", p.listener);
	p.client = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "connect", w_connect(w, p.client, AF_INET, p.port));
	settle(w);
	note_poll(w, "client", p.client);
	note_poll(w, "listener", p.listener);
	note_result(w, "error", w_get_int(w, p.client, SOL_SOCKET, SO_ERROR));
	note_result(w, "peer", w_name(w, p.client, true, &addr));
	note_result(w, "done", w_connect(w, p.client, AF_INET, p.port));
	note_result(w, "more", w_connect(w, p.client, AF_INET, p.port));
	p.server = w_accept(w, p.listener);
	note(w, "accepted %d\n", p.server >= 0);
	note_poll(w, "server", p.server);
	note_poll(w, "listener", p.listener);
	note_result(w, "accept", w_accept(w, p.listener));
	note_result(w, "bind", w_bind(w, p.client, AF_INET, 0));
	note_result(w, "listen", w_listen(w, p.client, 1));
}

TWO_WORLDS(data_goes_both_ways_and_is_counted)
{
	struct pair p;
	char buf[16];

	make_pair(w, &p);
	note_result(w, "nothing", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_result(w, "send", w_send(w, p.client, "hello", 5, 0));
	settle(w);
	note_poll(w, "server", p.server);
	note_result(w, "inq", w_inq(w, p.server));
	note_result(w, "outq", w_outq(w, p.client));
	note_result(w, "peek", w_recv(w, p.server, buf, 3, MSG_PEEK));
	note_result(w, "zero", w_recv(w, p.server, buf, 0, 0));
	note_result(w, "recv", w_recv(w, p.server, buf, 3, 0));
	note(w, "%.3s\n", buf);
	note_result(w, "rest", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_result(w, "none", w_recv(w, p.server, buf, 0, 0));
	note_poll(w, "empty", p.server);
	note_result(w, "back", w_send(w, p.server, "answer", 6, 0));
	settle(w);
	note_result(w, "trunc peek", w_recv(w, p.client, NULL, 4, MSG_TRUNC | MSG_PEEK));
	note_result(w, "trunc", w_recv(w, p.client, NULL, 4, MSG_TRUNC));
	note_result(w, "left", w_recv(w, p.client, buf, sizeof(buf), 0));
	note(w, "%.2s\n", buf);
	note_result(w, "send nothing", w_send(w, p.client, buf, 0, 0));
	note_result(w, "oob", w_recv(w, p.client, buf, 1, MSG_OOB));
	note_result(w, "errqueue", w_recv(w, p.client, buf, 1, MSG_ERRQUEUE));
}

TWO_WORLDS(a_half_closed_connection_works_the_other_way)
{
	struct pair p;
	char buf[16];

	make_pair(w, &p);
	note_result(w, "send", w_send(w, p.client, "last", 4, 0));
	note_result(w, "shutdown", w_shutdown(w, p.client, SHUT_WR));
	note_result(w, "again", w_shutdown(w, p.client, SHUT_WR));
	settle(w);
	note_poll(w, "client", p.client);
	note_poll(w, "server", p.server);
	note_result(w, "send after", w_send(w, p.client, "x", 1, 0));
	note_result(w, "recv", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_result(w, "end", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_result(w, "end again", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_poll(w, "read", p.server);
	note_result(w, "back", w_send(w, p.server, "back", 4, 0));
	settle(w);
	note_poll(w, "client", p.client);
	note_result(w, "got", w_recv(w, p.client, buf, sizeof(buf), 0));
	note_result(w, "server shutdown", w_shutdown(w, p.server, SHUT_WR));
	settle(w);
	note_poll(w, "client", p.client);
	note_poll(w, "server", p.server);
	note_result(w, "client end", w_recv(w, p.client, buf, sizeof(buf), 0));
	note_result(w, "error", w_get_int(w, p.client, SOL_SOCKET, SO_ERROR));
	note_result(w, "send", w_send(w, p.server, "x", 1, 0));
	note_result(w, "shutdown late", w_shutdown(w, p.server, SHUT_RDWR));
}

TWO_WORLDS(a_shut_reader_sees_the_end_after_what_is_queued)
{
	struct pair p;
	char buf[16];

	make_pair(w, &p);
	note_result(w, "shutdown", w_shutdown(w, p.server, SHUT_RD));
	note_poll(w, "server", p.server);
	note_result(w, "end", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_result(w, "send", w_send(w, p.server, "still", 5, 0));
	settle(w);
	note_result(w, "client", w_recv(w, p.client, buf, sizeof(buf), 0));
	note_poll(w, "client", p.client);
	note_result(w, "both", w_shutdown(w, p.server, SHUT_RDWR));
	note_poll(w, "server", p.server);
}

TWO_WORLDS(a_reset_is_told_once_and_then_is_the_end)
{
	struct pair p;
	char buf[16];

	make_pair(w, &p);
	note_result(w, "send", w_send(w, p.client, "unread", 6, 0));
	settle(w);
	note_result(w, "close with unread data", w_close(w, p.server));
	settle(w);
	note_poll(w, "reset", p.client);
	note_result(w, "recv", w_recv(w, p.client, buf, sizeof(buf), 0));
	note_poll(w, "told", p.client);
	note_result(w, "recv again", w_recv(w, p.client, buf, sizeof(buf), 0));
	note_result(w, "send", w_send(w, p.client, "x", 1, 0));
	note_result(w, "error", w_get_int(w, p.client, SOL_SOCKET, SO_ERROR));
	note_result(w, "connect", w_connect(w, p.client, AF_INET, p.port));
}

TWO_WORLDS(data_before_a_reset_can_still_be_read)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct sockaddr_storage addr;
	struct pair p;
	char buf[16];

	make_pair(w, &p);
	note_result(w, "send", w_send(w, p.server, "data", 4, 0));
	settle(w);
	note_result(w, "linger", w_set(w, p.server, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	note_result(w, "close", w_close(w, p.server));
	settle(w);
	note_poll(w, "client", p.client);
	note_result(w, "peer", w_name(w, p.client, true, &addr));
	note_result(w, "recv", w_recv(w, p.client, buf, sizeof(buf), 0));
	note_result(w, "then", w_recv(w, p.client, buf, sizeof(buf), 0));
	note_result(w, "end", w_recv(w, p.client, buf, sizeof(buf), 0));
}

TWO_WORLDS(a_send_after_a_reset_tells_it_and_then_breaks_the_pipe)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct pair p;

	make_pair(w, &p);
	note_result(w, "linger", w_set(w, p.server, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	note_result(w, "close", w_close(w, p.server));
	settle(w);
	note_result(w, "send", w_send(w, p.client, "x", 1, 0));
	note_result(w, "again", w_send(w, p.client, "x", 1, 0));
	note_poll(w, "client", p.client);
	note_result(w, "shutdown", w_shutdown(w, p.client, SHUT_WR));
}

TWO_WORLDS(a_reset_before_accept_is_found_after_it)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct pair p;
	char byte;

	make_listener(w, AF_INET, &p);
	p.client = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "connect", w_connect(w, p.client, AF_INET, p.port));
	settle(w);
	note_result(w, "linger", w_set(w, p.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	note_result(w, "close", w_close(w, p.client));
	settle(w);
	note_poll(w, "listener", p.listener);
	p.server = w_accept(w, p.listener);
	note(w, "accepted %d\n", p.server >= 0);
	note_poll(w, "server", p.server);
	note_result(w, "recv", w_recv(w, p.server, &byte, 1, 0));
	note_result(w, "recv again", w_recv(w, p.server, &byte, 1, 0));
}

TWO_WORLDS(data_and_fin_before_accept_are_found_after_it)
{
	struct pair p;
	char buf[8];

	make_listener(w, AF_INET, &p);
	p.client = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "connect", w_connect(w, p.client, AF_INET, p.port));
	settle(w);
	note_result(w, "send", w_send(w, p.client, "early", 5, 0));
	note_result(w, "close", w_close(w, p.client));
	settle(w);
	p.server = w_accept(w, p.listener);
	note(w, "accepted %d\n", p.server >= 0);
	note_poll(w, "server", p.server);
	note_result(w, "recv", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_result(w, "end", w_recv(w, p.server, buf, sizeof(buf), 0));
}

TWO_WORLDS(a_listener_does_nothing_but_listen)
{
	struct sockaddr_storage addr;
	struct pair p;
	char byte = 0;

	make_listener(w, AF_INET, &p);
	note_result(w, "acceptconn", w_get_int(w, p.listener, SOL_SOCKET, SO_ACCEPTCONN));
	note_result(w, "listen", w_listen(w, p.listener, 1));
	note_result(w, "bind", w_bind(w, p.listener, AF_INET, 0));
	note_result(w, "connect", w_connect(w, p.listener, AF_INET, p.port));
	note_result(w, "send", w_send(w, p.listener, &byte, 1, 0));
	note_result(w, "recv", w_recv(w, p.listener, &byte, 1, 0));
	note_result(w, "peer", w_name(w, p.listener, true, &addr));
	note_result(w, "inq", w_inq(w, p.listener));
	note_result(w, "outq", w_outq(w, p.listener));
	note_result(w, "shutdown writing", w_shutdown(w, p.listener, SHUT_WR));
	note_poll(w, "still", p.listener);
	note_result(w, "shutdown reading", w_shutdown(w, p.listener, SHUT_RD));
	note_result(w, "acceptconn", w_get_int(w, p.listener, SOL_SOCKET, SO_ACCEPTCONN));
	note_poll(w, "no more", p.listener);
	note_result(w, "accept", w_accept(w, p.listener));
	note_result(w, "listen again", w_listen(w, p.listener, 1));
	note_poll(w, "again", p.listener);
}

TWO_WORLDS(a_listener_without_bind_takes_a_port)
{
	int fd = w_socket(w, AF_INET, SOCK_STREAM);

	note_result(w, "listen", w_listen(w, fd, 1));
	note(w, "port %d\n", w_port(w, fd) != 0);
}

TWO_WORLDS(connect_to_no_family_dissolves_the_connection)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage addr;
	struct pair p;
	char byte;

	make_pair(w, &p);
	note_result(w, "short", w_connect_to(w, p.client, &none, 1));
	note_result(w, "dissolve", w_connect_to(w, p.client, &none, sizeof(none)));
	note_poll(w, "client", p.client);
	note_result(w, "peer", w_name(w, p.client, true, &addr));
	settle(w);
	note_result(w, "server", w_recv(w, p.server, &byte, 1, 0));
	note_result(w, "connect", w_connect(w, p.client, AF_INET, p.port));
	settle(w);
	note_result(w, "done", w_connect(w, p.client, AF_INET, p.port));
}

TWO_WORLDS(bind_refuses_what_is_not_ours_or_taken)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	int one = w_socket(w, AF_INET, SOCK_STREAM), two = w_socket(w, AF_INET, SOCK_STREAM);

	note_result(w, "reuse", w_set_int(w, one, SOL_SOCKET, SO_REUSEADDR, 1));
	note_result(w, "short", w_bind_to(w, one, &in, sizeof(in) - 1));
	note_result(w, "family", w_bind_to(w, one, &in6, sizeof(in6)));
	in.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	note_result(w, "foreign", w_bind_to(w, one, &in, sizeof(in)));
	note_result(w, "bind", w_bind(w, one, AF_INET, 0));
	note_result(w, "twice", w_bind(w, one, AF_INET, 0));
	note_result(w, "taken", w_bind(w, two, AF_INET, w_port(w, one)));
	note_result(w, "wildcard taken",
		    w_bind_to(w, two,
			      &(struct sockaddr_in){ .sin_family = AF_INET,
						     .sin_port = htons(w_port(w, one)) },
			      sizeof(in)));
	note_result(w, "reuse too", w_set_int(w, two, SOL_SOCKET, SO_REUSEADDR, 1));
	note_result(w, "shared", w_bind(w, two, AF_INET, w_port(w, one)));
	note_result(w, "listen", w_listen(w, one, 1));
	note_result(w, "listen too", w_listen(w, two, 1));
}

TWO_WORLDS(a_used_port_is_free_again_for_a_listener_that_says_reuse)
{
	struct pair p, q;

	make_listener(w, AF_INET, &p);
	note_result(w, "reuse", w_set_int(w, p.listener, SOL_SOCKET, SO_REUSEADDR, 1));
	p.client = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "connect", w_connect(w, p.client, AF_INET, p.port));
	settle(w);
	p.server = w_accept(w, p.listener);
	note_result(w, "server closes first", w_close(w, p.server));
	settle(w);
	note_result(w, "client", w_close(w, p.client));
	note_result(w, "listener", w_close(w, p.listener));
	settle(w);
	q.listener = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "bind", w_bind(w, q.listener, AF_INET, p.port));
	note_result(w, "reuse", w_set_int(w, q.listener, SOL_SOCKET, SO_REUSEADDR, 1));
	note_result(w, "bind", w_bind(w, q.listener, AF_INET, p.port));
	note_result(w, "listen", w_listen(w, q.listener, 1));
}

TWO_WORLDS_V6(a_v6_socket_takes_v4_peers_unless_it_says_v6_only)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct sockaddr_storage addr;
	int fd = w_socket(w, AF_INET6, SOCK_STREAM), only = w_socket(w, AF_INET6, SOCK_STREAM);
	int client = w_socket(w, AF_INET, SOCK_STREAM), server;
	struct sockaddr_in6 peer;

	note_result(w, "v6only", w_get_int(w, fd, IPPROTO_IPV6, IPV6_V6ONLY));
	note_result(w, "bind", w_bind_to(w, fd, &any, sizeof(any)));
	note_result(w, "too late", w_set_int(w, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	note_result(w, "listen", w_listen(w, fd, 4));
	note_result(w, "connect", w_connect(w, client, AF_INET, w_port(w, fd)));
	settle(w);
	server = w_accept(w, fd);
	note(w, "accepted %d\n", server >= 0);
	note_result(w, "peer", w_name(w, server, true, &addr));
	memcpy(&peer, &addr, sizeof(peer));
	note(w, "family %d mapped %d\n", peer.sin6_family, IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
	note_result(w, "domain", w_get_int(w, server, SOL_SOCKET, SO_DOMAIN));
	note_result(w, "set", w_set_int(w, only, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	note_result(w, "get", w_get_int(w, only, IPPROTO_IPV6, IPV6_V6ONLY));
	note_result(w, "bind", w_bind_to(w, only, &any, sizeof(any)));
	note_result(w, "listen", w_listen(w, only, 4));
	client = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "connect", w_connect(w, client, AF_INET, w_port(w, only)));
	settle(w);
	note_result(w, "refused", w_connect(w, client, AF_INET, w_port(w, only)));
}

TWO_WORLDS_V6(a_v6_connection_is_like_a_v4_one)
{
	struct pair p;
	char buf[8];

	make_listener(w, AF_INET6, &p);
	p.client = w_socket(w, AF_INET6, SOCK_STREAM);
	note_result(w, "connect", w_connect(w, p.client, AF_INET6, p.port));
	settle(w);
	p.server = w_accept(w, p.listener);
	note(w, "accepted %d\n", p.server >= 0);
	note_result(w, "send", w_send(w, p.client, "six", 3, 0));
	settle(w);
	note_result(w, "recv", w_recv(w, p.server, buf, sizeof(buf), 0));
	note_result(w, "close", w_close(w, p.client));
	settle(w);
	note_poll(w, "server", p.server);
}

/* The world's IPv4 address as an IPv6 socket writes it. */
static struct sockaddr_in6 mapped(struct world *w, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_storage addr;

	(void)here(w, AF_INET, port, &addr);
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(in6.sin6_addr.s6_addr + 12, (char *)&addr + 4, 4);
	return in6;
}

TWO_WORLDS_V6(a_v6_socket_reaches_v4_by_a_mapped_address)
{
	struct sockaddr_storage addr;
	struct sockaddr_in6 to, name;
	struct pair p;
	int only;

	make_listener(w, AF_INET, &p);
	to = mapped(w, p.port);
	p.client = w_socket(w, AF_INET6, SOCK_STREAM);
	note_result(w, "connect", w_connect_to(w, p.client, &to, sizeof(to)));
	settle(w);
	note_result(w, "done", w_connect_to(w, p.client, &to, sizeof(to)));
	note_result(w, "peer", w_name(w, p.client, true, &addr));
	note(w, "same %d\n", memcmp(&addr, &to, sizeof(to)) == 0);
	note_result(w, "name", w_name(w, p.client, false, &addr));
	memcpy(&name, &addr, sizeof(name));
	note(w, "mapped %d\n", IN6_IS_ADDR_V4MAPPED(&name.sin6_addr));
	only = w_socket(w, AF_INET6, SOCK_STREAM);
	note_result(w, "v6only", w_set_int(w, only, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	note_result(w, "connect", w_connect_to(w, only, &to, sizeof(to)));
	note_result(w, "bind", w_bind_to(w, only, &to, sizeof(to)));
	note_result(w, "bound to mapped",
		    w_bind_to(w, w_socket(w, AF_INET6, SOCK_STREAM), &(struct sockaddr_in6){ 0 },
			      sizeof(to)));
}

TWO_WORLDS_V6(connect_looks_at_its_address)
{
	struct sockaddr_storage addr;
	int fd = w_socket(w, AF_INET, SOCK_STREAM), six = w_socket(w, AF_INET6, SOCK_STREAM);
	socklen_t len = here(w, AF_INET, 9, &addr);

	note_result(w, "short", w_connect_to(w, fd, &addr, len - 1));
	note_result(w, "shorter", w_connect_to(w, fd, &addr, 2));
	note_result(w, "four to six", w_connect_to(w, six, &addr, sizeof(struct sockaddr_in6)));
	len = here(w, AF_INET6, 9, &addr);
	note_result(w, "six to four", w_connect_to(w, fd, &addr, len));
	note_result(w, "short six", w_connect_to(w, six, &addr, 23));
	note_poll(w, "nothing happened", fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_stream_is_no_connection),
		cmocka_unit_test(a_refused_connect_tells_it_once_and_may_be_tried_again),
		cmocka_unit_test(so_error_tells_a_refusal_and_connect_then_says_aborted),
		cmocka_unit_test(recv_and_send_tell_a_refusal_too),
		cmocka_unit_test(connect_says_zero_once_when_it_is_done),
		cmocka_unit_test(data_goes_both_ways_and_is_counted),
		cmocka_unit_test(a_half_closed_connection_works_the_other_way),
		cmocka_unit_test(a_shut_reader_sees_the_end_after_what_is_queued),
		cmocka_unit_test(a_reset_is_told_once_and_then_is_the_end),
		cmocka_unit_test(data_before_a_reset_can_still_be_read),
		cmocka_unit_test(a_send_after_a_reset_tells_it_and_then_breaks_the_pipe),
		cmocka_unit_test(a_reset_before_accept_is_found_after_it),
		cmocka_unit_test(data_and_fin_before_accept_are_found_after_it),
		cmocka_unit_test(a_listener_does_nothing_but_listen),
		cmocka_unit_test(a_listener_without_bind_takes_a_port),
		cmocka_unit_test(connect_to_no_family_dissolves_the_connection),
		cmocka_unit_test(bind_refuses_what_is_not_ours_or_taken),
		cmocka_unit_test(a_used_port_is_free_again_for_a_listener_that_says_reuse),
		cmocka_unit_test(a_v6_socket_takes_v4_peers_unless_it_says_v6_only),
		cmocka_unit_test(a_v6_connection_is_like_a_v4_one),
		cmocka_unit_test(a_v6_socket_reaches_v4_by_a_mapped_address),
		cmocka_unit_test(connect_looks_at_its_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
