/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of sockets: every answer is the kernel's. See two_worlds.h. */
#include "unit/host/two_worlds.h"

#include <limits.h>
#include <sys/time.h>

struct option {
	const char *text;
	int level, name;
};

#define OPTION(so_level, so_name)           \
	{                                   \
#so_name, so_level, so_name \
	}

static const struct option stream_options[] = {
	OPTION(SOL_SOCKET, SO_REUSEADDR),   OPTION(SOL_SOCKET, SO_REUSEPORT),
	OPTION(SOL_SOCKET, SO_TYPE),        OPTION(SOL_SOCKET, SO_ERROR),
	OPTION(SOL_SOCKET, SO_BROADCAST),   OPTION(SOL_SOCKET, SO_SNDBUF),
	OPTION(SOL_SOCKET, SO_RCVBUF),      OPTION(SOL_SOCKET, SO_KEEPALIVE),
	OPTION(SOL_SOCKET, SO_OOBINLINE),   OPTION(SOL_SOCKET, SO_RCVLOWAT),
	OPTION(SOL_SOCKET, SO_SNDLOWAT),    OPTION(SOL_SOCKET, SO_ACCEPTCONN),
	OPTION(SOL_SOCKET, SO_PROTOCOL),    OPTION(SOL_SOCKET, SO_DOMAIN),
	OPTION(IPPROTO_TCP, TCP_NODELAY),   OPTION(IPPROTO_TCP, TCP_MAXSEG),
	OPTION(IPPROTO_TCP, TCP_CORK),      OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(IPPROTO_TCP, TCP_KEEPINTVL), OPTION(IPPROTO_TCP, TCP_KEEPCNT),
	OPTION(IPPROTO_TCP, TCP_SYNCNT),    OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
	OPTION(IPPROTO_IP, IP_TOS),         OPTION(IPPROTO_IP, IP_TTL),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY),  OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_TCLASS),
};

static void note_options(struct world *w, int fd)
{
	for (size_t i = 0; i < sizeof(stream_options) / sizeof(stream_options[0]); i++)
		note_result(w, stream_options[i].text,
			    w_get_int(w, fd, stream_options[i].level, stream_options[i].name));
}

TWO_WORLDS(a_fresh_stream_has_the_kernels_defaults)
{
	note_options(w, w_socket(w, AF_INET, SOCK_STREAM));
}

TWO_WORLDS_V6(a_fresh_v6_stream_has_the_kernels_defaults)
{
	note_options(w, w_socket(w, AF_INET6, SOCK_STREAM));
}

TWO_WORLDS(a_fresh_datagram_socket_has_the_kernels_defaults)
{
	note_options(w, w_socket(w, AF_INET, SOCK_DGRAM));
}

/* Sets values at and around every edge and reads back what came of it. */
static void note_edges(struct world *w, int fd, const struct option *so, const int *values,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		note(w, "%s = %d\n", so->text, values[i]);
		note_result(w, "  set", w_set_int(w, fd, so->level, so->name, values[i]));
		note_result(w, "  get", w_get_int(w, fd, so->level, so->name));
	}
}

#define EDGES(w, fd, so_level, so_name, ...)                                     \
	note_edges(w, fd, &(const struct option){ #so_name, so_level, so_name }, \
		   (const int[]){ __VA_ARGS__ },                                 \
		   sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

TWO_WORLDS(numbers_are_taken_up_to_their_edges)
{
	int fd = w_socket(w, AF_INET, SOCK_STREAM);

	EDGES(w, fd, SOL_SOCKET, SO_REUSEADDR, 1, 7, 0, -1);
	EDGES(w, fd, SOL_SOCKET, SO_REUSEPORT, 1, 7, 0, -1);
	EDGES(w, fd, SOL_SOCKET, SO_KEEPALIVE, 1, 7, 0, -1);
	EDGES(w, fd, SOL_SOCKET, SO_BROADCAST, 1, 0);
	EDGES(w, fd, SOL_SOCKET, SO_OOBINLINE, 1, 0);
	EDGES(w, fd, SOL_SOCKET, SO_RCVLOWAT, 0, 1, 2, 100);
	EDGES(w, fd, SOL_SOCKET, SO_TYPE, 1);
	EDGES(w, fd, SOL_SOCKET, SO_ERROR, 1);
	EDGES(w, fd, SOL_SOCKET, SO_ACCEPTCONN, 1);
	EDGES(w, fd, SOL_SOCKET, SO_DOMAIN, 2);
	EDGES(w, fd, SOL_SOCKET, SO_PROTOCOL, 6);
	EDGES(w, fd, SOL_SOCKET, SO_SNDLOWAT, 1);
	EDGES(w, fd, IPPROTO_TCP, TCP_NODELAY, 1, 0, 5);
	EDGES(w, fd, IPPROTO_TCP, TCP_CORK, 1, 0);
	EDGES(w, fd, IPPROTO_TCP, TCP_KEEPIDLE, 0, 1, 32767, 32768, -1);
	EDGES(w, fd, IPPROTO_TCP, TCP_KEEPINTVL, 0, 1, 32767, 32768);
	EDGES(w, fd, IPPROTO_TCP, TCP_KEEPCNT, 0, 1, 127, 128);
	EDGES(w, fd, IPPROTO_TCP, TCP_SYNCNT, 0, 1, 127, 128);
	EDGES(w, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1, 0, 1, INT_MAX);
	EDGES(w, fd, IPPROTO_TCP, TCP_MAXSEG, 87, 88, 1000, 32767, 32768, -1);
	EDGES(w, fd, IPPROTO_IP, IP_TTL, 0, 1, 255, 256, -1, -2);
	EDGES(w, fd, IPPROTO_IP, IP_TOS, 0, 16, 17, 255, 256, -1);
}

TWO_WORLDS(buffer_sizes_are_doubled_and_kept_in_their_limits)
{
	int fd = w_socket(w, AF_INET, SOCK_STREAM);

	EDGES(w, fd, SOL_SOCKET, SO_SNDBUF, 0, 1, 2303, 2304, 2305, 10000, 100000, INT_MAX, -1);
	EDGES(w, fd, SOL_SOCKET, SO_RCVBUF, 0, 1, 1151, 1152, 1153, 10000, 100000, INT_MAX, -1);
}

TWO_WORLDS_V6(v6_numbers_are_taken_up_to_their_edges)
{
	int fd = w_socket(w, AF_INET6, SOCK_STREAM);

	EDGES(w, fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -2, -1, 1, 255, 256);
	EDGES(w, fd, IPPROTO_IPV6, IPV6_TCLASS, -2, -1, 0, 16, 255, 256);
	EDGES(w, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, 3);
}

TWO_WORLDS(lengths_are_looked_at)
{
	int fd = w_socket(w, AF_INET, SOCK_STREAM);
	char room[8] = { 1, 0, 0, 0, 0, 0, 0, 0 };

	for (socklen_t len = 0; len <= 5; len++) {
		socklen_t got = len;

		note_result(w, "reuse", w_set(w, fd, SOL_SOCKET, SO_REUSEADDR, room, len));
		note_result(w, "nodelay", w_set(w, fd, IPPROTO_TCP, TCP_NODELAY, room, len));
		note_result(w, "ttl", w_set(w, fd, IPPROTO_IP, IP_TTL, room, len));
		note_result(w, "linger", w_set(w, fd, SOL_SOCKET, SO_LINGER, room, len));
		note_result(w, "timeout", w_set(w, fd, SOL_SOCKET, SO_RCVTIMEO, room, len));
		note_result(w, "get type",
			    w_get(w, fd, SOL_SOCKET, SO_TYPE, &(char[8]){ 0 }, &got));
		note(w, "%u of %u\n", got, len);
		got = len;
		note_result(w, "get ttl", w_get(w, fd, IPPROTO_IP, IP_TTL, &(char[8]){ 0 }, &got));
		note(w, "%u of %u\n", got, len);
	}
}

TWO_WORLDS(linger_is_two_numbers)
{
	static const struct linger values[] = { { 1, 0 }, { 1, 5 }, { 0, 5 }, { 7, 9 } };
	int fd = w_socket(w, AF_INET, SOCK_STREAM);

	for (size_t i = 0; i < 4; i++) {
		struct linger got = { -1, -1 };
		socklen_t len = sizeof(got);

		note_result(w, "set",
			    w_set(w, fd, SOL_SOCKET, SO_LINGER, &values[i], sizeof(values[i])));
		note_result(w, "get", w_get(w, fd, SOL_SOCKET, SO_LINGER, &got, &len));
		note(w, "%d %d, %u\n", got.l_onoff, got.l_onoff ? got.l_linger : 0, len);
	}
}

TWO_WORLDS(timeouts_are_kept_and_checked)
{
	static const struct timeval values[] = { { 0, 0 },       { 1, 500000 }, { 0, 996000 },
						 { 0, 1000000 }, { 0, -1 },     { 3, 4000 } };
	int fd = w_socket(w, AF_INET, SOCK_STREAM);

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct timeval got = { -1, -1 };
		socklen_t len = sizeof(got);

		note_result(w, "set",
			    w_set(w, fd, SOL_SOCKET, SO_RCVTIMEO, &values[i], sizeof(values[i])));
		note_result(w, "get", w_get(w, fd, SOL_SOCKET, SO_RCVTIMEO, &got, &len));
		/* The kernel counts in its ticks, of 4 ms. */
		note(w, "%ld %ld, %u\n", (long)got.tv_sec, ((long)got.tv_usec + 3999) / 4000, len);
	}
}

TWO_WORLDS(what_does_not_exist_is_said_so)
{
	int fd = w_socket(w, AF_INET, SOCK_STREAM), dgram = w_socket(w, AF_INET, SOCK_DGRAM);

	note_result(w, "name", w_set_int(w, fd, SOL_SOCKET, 9999, 1));
	note_result(w, "get name", w_get_int(w, fd, SOL_SOCKET, 9999));
	note_result(w, "tcp name", w_set_int(w, fd, IPPROTO_TCP, 9999, 1));
	note_result(w, "get tcp name", w_get_int(w, fd, IPPROTO_TCP, 9999));
	note_result(w, "ip name", w_set_int(w, fd, IPPROTO_IP, 9999, 1));
	note_result(w, "get ip name", w_get_int(w, fd, IPPROTO_IP, 9999));
	note_result(w, "level", w_set_int(w, fd, 9999, 1, 1));
	note_result(w, "get level", w_get_int(w, fd, 9999, 1));
	note_result(w, "v6 of v4", w_set_int(w, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	note_result(w, "tcp of udp", w_set_int(w, dgram, IPPROTO_TCP, TCP_NODELAY, 1));
	note_result(w, "get tcp of udp", w_get_int(w, dgram, IPPROTO_TCP, TCP_NODELAY));
	note_result(w, "mtu", w_get_int(w, fd, IPPROTO_IP, IP_MTU));
	note_result(w, "congestion", w_set(w, fd, IPPROTO_TCP, TCP_CONGESTION, "none such", 9));
}

TWO_WORLDS(sockets_that_cannot_be_are_refused)
{
	note_result(w, "family", w_socket(w, 99, SOCK_STREAM));
	note_result(w, "type", w_socket(w, AF_INET, 9));
	note_result(w, "type beyond", w_socket(w, AF_INET, 11));
	if (w->tern) {
		note_result(w, "proto", tern_socket(w->host, AF_INET, SOCK_STREAM, IPPROTO_UDP));
		note_result(w, "dgram", tern_socket(w->host, AF_INET, SOCK_DGRAM, IPPROTO_TCP));
		note_result(w, "beyond", tern_socket(w->host, AF_INET, SOCK_STREAM, 999));
	} else {
		note_result(w, "proto", errno_of(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)));
		note_result(w, "dgram", errno_of(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP)));
		note_result(w, "beyond", errno_of(socket(AF_INET, SOCK_STREAM, 999)));
	}
}

TWO_WORLDS(a_connection_takes_its_listeners_options)
{
	const struct linger linger = { 1, 7 };
	struct linger got = { 0, 0 };
	socklen_t len = sizeof(got);
	struct pair p;

	make_listener(w, AF_INET, &p);
	(void)w_set_int(w, p.listener, SOL_SOCKET, SO_KEEPALIVE, 1);
	(void)w_set_int(w, p.listener, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)w_set_int(w, p.listener, IPPROTO_TCP, TCP_KEEPIDLE, 11);
	(void)w_set_int(w, p.listener, SOL_SOCKET, SO_RCVBUF, 20000);
	(void)w_set_int(w, p.listener, SOL_SOCKET, SO_OOBINLINE, 1);
	(void)w_set_int(w, p.listener, SOL_SOCKET, SO_RCVLOWAT, 3);
	(void)w_set(w, p.listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	p.client = w_socket(w, AF_INET, SOCK_STREAM);
	note_result(w, "connect", w_connect(w, p.client, AF_INET, p.port));
	settle(w);
	p.server = w_accept(w, p.listener);
	note_result(w, "keepalive", w_get_int(w, p.server, SOL_SOCKET, SO_KEEPALIVE));
	note_result(w, "nodelay", w_get_int(w, p.server, IPPROTO_TCP, TCP_NODELAY));
	note_result(w, "keepidle", w_get_int(w, p.server, IPPROTO_TCP, TCP_KEEPIDLE));
	note_result(w, "rcvbuf", w_get_int(w, p.server, SOL_SOCKET, SO_RCVBUF));
	note_result(w, "oobinline", w_get_int(w, p.server, SOL_SOCKET, SO_OOBINLINE));
	note_result(w, "lowat", w_get_int(w, p.server, SOL_SOCKET, SO_RCVLOWAT));
	note_result(w, "linger", w_get(w, p.server, SOL_SOCKET, SO_LINGER, &got, &len));
	note(w, "%d %d\n", got.l_onoff, got.l_linger);
	note_result(w, "send", w_send(w, p.client, "ab", 2, 0));
	settle(w);
	note_poll(w, "below the mark", p.server);
	note_result(w, "send", w_send(w, p.client, "c", 1, 0));
	settle(w);
	note_poll(w, "at the mark", p.server);
	(void)w_set(w, p.server, SOL_SOCKET, SO_LINGER, &(struct linger){ 0, 0 }, sizeof(linger));
}

TWO_WORLDS(options_survive_a_refused_connect)
{
	int bound = w_socket(w, AF_INET, SOCK_STREAM), fd = w_socket(w, AF_INET, SOCK_STREAM);

	note_result(w, "bind", w_bind(w, bound, AF_INET, 0)); /* bound, but nobody listens */
	(void)w_set_int(w, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	(void)w_set_int(w, fd, SOL_SOCKET, SO_SNDBUF, 30000);
	(void)w_set_int(w, fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
	(void)w_set_int(w, fd, IPPROTO_IP, IP_TTL, 33);
	note_result(w, "connect", w_connect(w, fd, AF_INET, w_port(w, bound)));
	settle(w);
	note_result(w, "refused", w_connect(w, fd, AF_INET, w_port(w, bound)));
	note_result(w, "keepalive", w_get_int(w, fd, SOL_SOCKET, SO_KEEPALIVE));
	note_result(w, "sndbuf", w_get_int(w, fd, SOL_SOCKET, SO_SNDBUF));
	note_result(w, "keepcnt", w_get_int(w, fd, IPPROTO_TCP, TCP_KEEPCNT));
	note_result(w, "ttl", w_get_int(w, fd, IPPROTO_IP, IP_TTL));
}

TWO_WORLDS(tcp_info_says_what_it_is_asked_for)
{
	struct tcp_info info;
	struct pair p;

	make_pair(w, &p);
	note_result(w, "send", w_send(w, p.client, "12345", 5, 0));
	settle(w);
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? p.listener : i == 1 ? p.client : p.server;
		socklen_t len = sizeof(info);

		memset(&info, 0, sizeof(info));
		note_result(w, "info", w_get(w, fd, IPPROTO_TCP, TCP_INFO, &info, &len));
		note(w, "state %u options %u mss? %d rto? %d acked in flight %u\n", info.tcpi_state,
		     info.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_WSCALE | TCPI_OPT_SACK),
		     info.tcpi_snd_mss > 0, info.tcpi_rto > 0, i ? info.tcpi_unacked : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_stream_has_the_kernels_defaults),
		cmocka_unit_test(a_fresh_v6_stream_has_the_kernels_defaults),
		cmocka_unit_test(a_fresh_datagram_socket_has_the_kernels_defaults),
		cmocka_unit_test(numbers_are_taken_up_to_their_edges),
		cmocka_unit_test(buffer_sizes_are_doubled_and_kept_in_their_limits),
		cmocka_unit_test(v6_numbers_are_taken_up_to_their_edges),
		cmocka_unit_test(lengths_are_looked_at),
		cmocka_unit_test(linger_is_two_numbers),
		cmocka_unit_test(timeouts_are_kept_and_checked),
		cmocka_unit_test(what_does_not_exist_is_said_so),
		cmocka_unit_test(sockets_that_cannot_be_are_refused),
		cmocka_unit_test(a_connection_takes_its_listeners_options),
		cmocka_unit_test(options_survive_a_refused_connect),
		cmocka_unit_test(tcp_info_says_what_it_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
