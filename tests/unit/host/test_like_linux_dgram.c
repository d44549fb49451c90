/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagram sockets: every answer is the kernel's. See two_worlds.h. */
#include "unit/host/two_worlds.h"

TWO_WORLDS(a_fresh_datagram_socket_can_only_name_its_target)
{
	int fd = w_socket(w, AF_INET, SOCK_DGRAM);
	struct sockaddr_storage addr;
	char byte = 0;

	note_result(w, "bind", w_bind(w, fd, AF_INET, 0));
	note_result(w, "twice", w_bind(w, fd, AF_INET, 0));
	note_poll(w, "fresh", fd);
	note_result(w, "send", w_send(w, fd, &byte, 1, 0));
	note_result(w, "recv", w_recv(w, fd, &byte, 1, 0));
	note_result(w, "peer", w_name(w, fd, true, &addr));
	note_result(w, "accept", w_accept(w, fd));
	note_result(w, "listen", w_listen(w, fd, 1));
	note_result(w, "port 0", w_sendto(w, fd, &byte, 1, AF_INET, 0));
	note_result(w, "family", w_sendto(w, fd, &byte, 1, AF_INET6, 9));
	note_result(w, "inq", w_inq(w, fd));
	note_result(w, "outq", w_outq(w, fd));
}

TWO_WORLDS(datagrams_keep_their_borders)
{
	int to = w_socket(w, AF_INET, SOCK_DGRAM), from = w_socket(w, AF_INET, SOCK_DGRAM);
	char buf[16] = { 0 };
	uint16_t port;

	note_result(w, "bind", w_bind(w, to, AF_INET, 0));
	port = w_port(w, to);
	note_result(w, "send", w_sendto(w, from, "eleven more", 11, AF_INET, port));
	note_result(w, "empty", w_sendto(w, from, "", 0, AF_INET, port));
	note_result(w, "third", w_sendto(w, from, "abc", 3, AF_INET, port));
	settle(w);
	note_poll(w, "three", to);
	note_result(w, "inq", w_inq(w, to));
	note_result(w, "peek", w_recv(w, to, buf, 4, MSG_PEEK));
	note_result(w, "peek trunc", w_recv(w, to, buf, 4, MSG_PEEK | MSG_TRUNC));
	note_result(w, "recv", w_recv(w, to, buf, 4, 0));
	note(w, "%.4s\n", buf);
	note_poll(w, "empty one", to);
	note_result(w, "inq", w_inq(w, to));
	note_result(w, "recv", w_recv(w, to, buf, sizeof(buf), 0));
	note_result(w, "recv", w_recv(w, to, buf, sizeof(buf), 0));
	note_poll(w, "none", to);
	note_result(w, "recv", w_recv(w, to, buf, sizeof(buf), 0));
	note(w, "sender bound %d\n", w_port(w, from) != 0);
}

TWO_WORLDS(a_connected_datagram_socket_has_one_peer)
{
	int a = w_socket(w, AF_INET, SOCK_DGRAM), b = w_socket(w, AF_INET, SOCK_DGRAM);
	int other = w_socket(w, AF_INET, SOCK_DGRAM);
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage addr;
	char buf[16];

	note_result(w, "bind", w_bind(w, b, AF_INET, 0));
	note_result(w, "connect", w_connect(w, a, AF_INET, w_port(w, b)));
	note_result(w, "peer", w_name(w, a, true, &addr));
	note_result(w, "again", w_connect(w, a, AF_INET, w_port(w, b)));
	note_result(w, "send", w_send(w, a, "to b", 4, 0));
	note_result(w, "bind connected", w_bind(w, a, AF_INET, 0));
	note_result(w, "stranger", w_sendto(w, other, "x", 1, AF_INET, w_port(w, a)));
	settle(w);
	note_poll(w, "a", a);
	note_result(w, "recv", w_recv(w, b, buf, sizeof(buf), 0));
	note_result(w, "back", w_sendto(w, b, "to a", 4, AF_INET, w_port(w, a)));
	settle(w);
	note_poll(w, "a", a);
	note_result(w, "recv", w_recv(w, a, buf, sizeof(buf), 0));
	note_result(w, "dissolve", w_connect_to(w, a, &none, sizeof(none)));
	note_result(w, "peer", w_name(w, a, true, &addr));
	note_result(w, "send", w_send(w, a, "x", 1, 0));
}

TWO_WORLDS(an_unreachable_port_is_told_once)
{
	int gone = w_socket(w, AF_INET, SOCK_DGRAM), fd = w_socket(w, AF_INET, SOCK_DGRAM);
	uint16_t port;
	char byte = 0;

	assert_int_equal(w_bind(w, gone, AF_INET, 0), 0);
	port = w_port(w, gone);
	assert_int_equal(w_close(w, gone), 0);
	note_result(w, "connect", w_connect(w, fd, AF_INET, port));
	for (int i = 0; i < 4; i++) {
		note_result(w, "send", w_send(w, fd, &byte, 1, 0));
		settle(w);
		note_poll(w, "refused", fd);
		if (i == 0)
			note_result(w, "recv", w_recv(w, fd, &byte, 1, 0));
		if (i == 1)
			note_result(w, "error", w_get_int(w, fd, SOL_SOCKET, SO_ERROR));
		if (i == 2)
			note_result(w, "send", w_send(w, fd, &byte, 1, 0));
		note_poll(w, "told", fd);
	}
}

TWO_WORLDS(sizes_go_up_to_what_udp_holds)
{
	static char big[65536];
	int a = w_socket(w, AF_INET, SOCK_DGRAM), b = w_socket(w, AF_INET, SOCK_DGRAM);

	assert_int_equal(w_bind(w, b, AF_INET, 0), 0);
	assert_int_equal(w_connect(w, a, AF_INET, w_port(w, b)), 0);
	for (size_t len = 65506; len <= 65508; len++) {
		note_result(w, "send", w_send(w, a, big, len, 0));
		settle(w);
		note_result(w, "recv", w_recv(w, b, big, sizeof(big), 0));
	}
	note_result(w, "beyond", w_send(w, a, big, 65536, 0));
}

TWO_WORLDS(shutdown_of_a_datagram_socket_ends_its_halves)
{
	int a = w_socket(w, AF_INET, SOCK_DGRAM), b = w_socket(w, AF_INET, SOCK_DGRAM);
	int fresh = w_socket(w, AF_INET, SOCK_DGRAM);
	char byte = 0;

	assert_int_equal(w_bind(w, b, AF_INET, 0), 0);
	assert_int_equal(w_connect(w, a, AF_INET, w_port(w, b)), 0);
	note_result(w, "write", w_shutdown(w, a, SHUT_WR));
	note_poll(w, "write", a);
	note_result(w, "send", w_send(w, a, &byte, 1, 0));
	note_result(w, "read", w_shutdown(w, a, SHUT_RD));
	note_poll(w, "both", a);
	note_result(w, "recv", w_recv(w, a, &byte, 1, 0));
	note_result(w, "fresh", w_shutdown(w, fresh, SHUT_RDWR));
	note_poll(w, "fresh", fresh);
	note_result(w, "fresh send", w_sendto(w, fresh, &byte, 1, AF_INET, w_port(w, b)));
}

TWO_WORLDS(broadcast_wants_permission)
{
	const struct sockaddr_in all = { .sin_family = AF_INET,
					 .sin_port = htons(9),
					 .sin_addr.s_addr = 0xffffffff };
	int fd = w_socket(w, AF_INET, SOCK_DGRAM);

	note_result(w, "connect", w_connect_to(w, fd, &all, sizeof(all)));
}

TWO_WORLDS_V6(a_v6_datagram_socket_speaks_v4_by_mapped_addresses)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, peer;
	struct sockaddr_storage addr;
	int a = w_socket(w, AF_INET, SOCK_DGRAM), b = w_socket(w, AF_INET6, SOCK_DGRAM);
	socklen_t len = sizeof(addr);
	char buf[8];
	long n;

	note_result(w, "bind", w_bind_to(w, b, &any, sizeof(any)));
	note_result(w, "send", w_sendto(w, a, "v4", 2, AF_INET, w_port(w, b)));
	settle(w);
	if (w->tern)
		n = tern_recvfrom(w->host, b, buf, sizeof(buf), 0, (struct sockaddr *)&addr, &len);
	else
		n = errno_of(recvfrom(b, buf, sizeof(buf), 0, (struct sockaddr *)&addr, &len));
	note_result(w, "recv", n);
	memcpy(&peer, &addr, sizeof(peer));
	note(w, "family %d mapped %d len %u\n", peer.sin6_family,
	     IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr), len);
	if (w->tern)
		n = tern_sendto(w->host, b, "back", 4, 0, (struct sockaddr *)&addr, len);
	else
		n = errno_of(sendto(b, "back", 4, 0, (struct sockaddr *)&addr, len));
	note_result(w, "send", n);
	settle(w);
	note_result(w, "recv", w_recv(w, a, buf, sizeof(buf), 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_datagram_socket_can_only_name_its_target),
		cmocka_unit_test(datagrams_keep_their_borders),
		cmocka_unit_test(a_connected_datagram_socket_has_one_peer),
		cmocka_unit_test(an_unreachable_port_is_told_once),
		cmocka_unit_test(sizes_go_up_to_what_udp_holds),
		cmocka_unit_test(shutdown_of_a_datagram_socket_ends_its_halves),
		cmocka_unit_test(broadcast_wants_permission),
		cmocka_unit_test(a_v6_datagram_socket_speaks_v4_by_mapped_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
