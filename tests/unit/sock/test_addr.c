/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses in Linux' layout, and Linux' numbers: ours are the system's. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/addr.h"
#include "sock/addr.h"
#include "tern/stack.h"

#define ASSERT_SAME(ours, system) assert_int_equal((int)(ours), (int)(system))

static void our_numbers_are_the_systems(void **state)
{
	(void)state;
	ASSERT_SAME(TERN_AF_UNSPEC, AF_UNSPEC);
	ASSERT_SAME(TERN_AF_INET, AF_INET);
	ASSERT_SAME(TERN_AF_INET6, AF_INET6);
	ASSERT_SAME(TERN_SOCK_STREAM, SOCK_STREAM);
	ASSERT_SAME(TERN_SOCK_DGRAM, SOCK_DGRAM);
	ASSERT_SAME(TERN_SOCK_OOB, MSG_OOB);
	ASSERT_SAME(TERN_SOCK_PEEK, MSG_PEEK);
	ASSERT_SAME(TERN_SOCK_TRUNC, MSG_TRUNC);
	ASSERT_SAME(TERN_SOCK_DONTWAIT, MSG_DONTWAIT);
	ASSERT_SAME(TERN_SOCK_WAITALL, MSG_WAITALL);
	ASSERT_SAME(TERN_SOCK_ERRQUEUE, MSG_ERRQUEUE);
	ASSERT_SAME(TERN_SOCK_NOSIGNAL, MSG_NOSIGNAL);
	ASSERT_SAME(TERN_SOCK_MORE, MSG_MORE);
	ASSERT_SAME(TERN_SOCK_IN, POLLIN);
	ASSERT_SAME(TERN_SOCK_PRI, POLLPRI);
	ASSERT_SAME(TERN_SOCK_OUT, POLLOUT);
	ASSERT_SAME(TERN_SOCK_ERR, POLLERR);
	ASSERT_SAME(TERN_SOCK_HUP, POLLHUP);
	ASSERT_SAME(TERN_SOCK_NVAL, POLLNVAL);
	ASSERT_SAME(TERN_SOCK_RDNORM, POLLRDNORM);
	ASSERT_SAME(TERN_SOCK_WRNORM, POLLWRNORM);
	ASSERT_SAME(TERN_SOCK_RDHUP, POLLRDHUP);
	ASSERT_SAME(TERN_SHUT_RD, SHUT_RD);
	ASSERT_SAME(TERN_SHUT_WR, SHUT_WR);
	ASSERT_SAME(TERN_SHUT_RDWR, SHUT_RDWR);
}

static void our_option_names_are_the_systems(void **state)
{
	(void)state;
	ASSERT_SAME(TERN_ABI_SOL_SOCKET, SOL_SOCKET);
	ASSERT_SAME(TERN_ABI_SOL_IP, IPPROTO_IP);
	ASSERT_SAME(TERN_ABI_SOL_TCP, IPPROTO_TCP);
	ASSERT_SAME(TERN_ABI_SOL_IPV6, IPPROTO_IPV6);
	ASSERT_SAME(TERN_ABI_SO_REUSEADDR, SO_REUSEADDR);
	ASSERT_SAME(TERN_ABI_SO_REUSEPORT, SO_REUSEPORT);
	ASSERT_SAME(TERN_ABI_SO_TYPE, SO_TYPE);
	ASSERT_SAME(TERN_ABI_SO_ERROR, SO_ERROR);
	ASSERT_SAME(TERN_ABI_SO_BROADCAST, SO_BROADCAST);
	ASSERT_SAME(TERN_ABI_SO_SNDBUF, SO_SNDBUF);
	ASSERT_SAME(TERN_ABI_SO_RCVBUF, SO_RCVBUF);
	ASSERT_SAME(TERN_ABI_SO_KEEPALIVE, SO_KEEPALIVE);
	ASSERT_SAME(TERN_ABI_SO_OOBINLINE, SO_OOBINLINE);
	ASSERT_SAME(TERN_ABI_SO_LINGER, SO_LINGER);
	ASSERT_SAME(TERN_ABI_SO_RCVLOWAT, SO_RCVLOWAT);
	ASSERT_SAME(TERN_ABI_SO_SNDLOWAT, SO_SNDLOWAT);
	ASSERT_SAME(TERN_ABI_SO_RCVTIMEO, SO_RCVTIMEO);
	ASSERT_SAME(TERN_ABI_SO_SNDTIMEO, SO_SNDTIMEO);
	ASSERT_SAME(TERN_ABI_SO_ACCEPTCONN, SO_ACCEPTCONN);
	ASSERT_SAME(TERN_ABI_SO_SNDBUFFORCE, SO_SNDBUFFORCE);
	ASSERT_SAME(TERN_ABI_SO_RCVBUFFORCE, SO_RCVBUFFORCE);
	ASSERT_SAME(TERN_ABI_SO_PROTOCOL, SO_PROTOCOL);
	ASSERT_SAME(TERN_ABI_SO_DOMAIN, SO_DOMAIN);
	ASSERT_SAME(TERN_ABI_TCP_NODELAY, TCP_NODELAY);
	ASSERT_SAME(TERN_ABI_TCP_MAXSEG, TCP_MAXSEG);
	ASSERT_SAME(TERN_ABI_TCP_CORK, TCP_CORK);
	ASSERT_SAME(TERN_ABI_TCP_KEEPIDLE, TCP_KEEPIDLE);
	ASSERT_SAME(TERN_ABI_TCP_KEEPINTVL, TCP_KEEPINTVL);
	ASSERT_SAME(TERN_ABI_TCP_KEEPCNT, TCP_KEEPCNT);
	ASSERT_SAME(TERN_ABI_TCP_SYNCNT, TCP_SYNCNT);
	ASSERT_SAME(TERN_ABI_TCP_INFO, TCP_INFO);
	ASSERT_SAME(TERN_ABI_TCP_QUICKACK, TCP_QUICKACK);
	ASSERT_SAME(TERN_ABI_TCP_CONGESTION, TCP_CONGESTION);
	ASSERT_SAME(TERN_ABI_TCP_USER_TIMEOUT, TCP_USER_TIMEOUT);
	ASSERT_SAME(TERN_ABI_IP_TOS, IP_TOS);
	ASSERT_SAME(TERN_ABI_IP_TTL, IP_TTL);
	ASSERT_SAME(TERN_ABI_IP_MTU, IP_MTU);
	ASSERT_SAME(TERN_ABI_IPV6_UNICAST_HOPS, IPV6_UNICAST_HOPS);
	ASSERT_SAME(TERN_ABI_IPV6_MTU, IPV6_MTU);
	ASSERT_SAME(TERN_ABI_IPV6_V6ONLY, IPV6_V6ONLY);
	ASSERT_SAME(TERN_ABI_IPV6_TCLASS, IPV6_TCLASS);
}

#define ASSERT_PLACE(ours, our_member, system, system_member)     \
	assert_int_equal(offsetof(struct ours, our_member),       \
			 offsetof(struct system, system_member)); \
	assert_int_equal(sizeof(((struct ours *)0)->our_member),  \
			 sizeof(((struct system *)0)->system_member))

static void our_structs_are_laid_out_as_the_systems(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct tern_sockaddr_in), sizeof(struct sockaddr_in));
	ASSERT_PLACE(tern_sockaddr_in, port, sockaddr_in, sin_port);
	ASSERT_PLACE(tern_sockaddr_in, addr, sockaddr_in, sin_addr);
	assert_int_equal(sizeof(struct tern_sockaddr_in6), sizeof(struct sockaddr_in6));
	ASSERT_PLACE(tern_sockaddr_in6, port, sockaddr_in6, sin6_port);
	ASSERT_PLACE(tern_sockaddr_in6, flowinfo, sockaddr_in6, sin6_flowinfo);
	ASSERT_PLACE(tern_sockaddr_in6, addr, sockaddr_in6, sin6_addr);
	ASSERT_PLACE(tern_sockaddr_in6, scope_id, sockaddr_in6, sin6_scope_id);
	assert_int_equal(sizeof(struct tern_linger), sizeof(struct linger));
	assert_int_equal(sizeof(struct tern_timeval), sizeof(struct timeval));
	/* The system's headers may be older than what is written down here. */
	assert_true(sizeof(struct tern_tcp_info) >= sizeof(struct tcp_info));
	ASSERT_PLACE(tern_tcp_info, state, tcp_info, tcpi_state);
	ASSERT_PLACE(tern_tcp_info, options, tcp_info, tcpi_options);
	ASSERT_PLACE(tern_tcp_info, rto, tcp_info, tcpi_rto);
	ASSERT_PLACE(tern_tcp_info, unacked, tcp_info, tcpi_unacked);
	ASSERT_PLACE(tern_tcp_info, last_ack_recv, tcp_info, tcpi_last_ack_recv);
	ASSERT_PLACE(tern_tcp_info, pmtu, tcp_info, tcpi_pmtu);
	ASSERT_PLACE(tern_tcp_info, rtt, tcp_info, tcpi_rtt);
	ASSERT_PLACE(tern_tcp_info, snd_cwnd, tcp_info, tcpi_snd_cwnd);
	ASSERT_PLACE(tern_tcp_info, total_retrans, tcp_info, tcpi_total_retrans);
	ASSERT_PLACE(tern_tcp_info, bytes_acked, tcp_info, tcpi_bytes_acked);
	ASSERT_PLACE(tern_tcp_info, min_rtt, tcp_info, tcpi_min_rtt);
	ASSERT_PLACE(tern_tcp_info, delivery_rate, tcp_info, tcpi_delivery_rate);
	ASSERT_PLACE(tern_tcp_info, bytes_retrans, tcp_info, tcpi_bytes_retrans);
	ASSERT_PLACE(tern_tcp_info, snd_wnd, tcp_info, tcpi_snd_wnd);
}

static struct sockaddr_in ipv4(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(8080) };

	memcpy(&in.sin_addr, (const uint8_t[]){ 10, 77, 0, 2 }, 4);
	return in;
}

static struct sockaddr_in6 ipv6(const char *bytes)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };

	memcpy(&in6.sin6_addr, bytes, 16);
	return in6;
}

static void an_ipv4_address_is_read_at_its_length_and_above(void **state)
{
	struct sockaddr_in in = ipv4();
	uint8_t room[64] = { 0 };
	struct tern_endpoint ep = { 0 };
	struct tern_addr want = tern_addr_v4(10, 77, 0, 2);

	(void)state;
	memcpy(room, &in, sizeof(in));
	assert_int_equal(tern_sockaddr_read(AF_INET, room, sizeof(in) - 1, &ep), -EINVAL);
	assert_int_equal(ep.port, 0);
	assert_int_equal(tern_sockaddr_read(AF_INET, room, sizeof(in), &ep), 0);
	assert_int_equal(ep.port, 8080);
	assert_true(tern_addr_eq(&ep.addr, &want));
	assert_int_equal(tern_sockaddr_read(AF_INET, room, sizeof(in) + 1, &ep), 0);
}

static void the_family_must_be_the_sockets(void **state)
{
	struct sockaddr_in in = ipv4();
	struct sockaddr_in6 in6 = ipv6("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2");
	struct tern_endpoint ep;

	(void)state;
	assert_int_equal(tern_sockaddr_read(AF_INET, &in6, sizeof(in6), &ep), -EAFNOSUPPORT);
	in.sin_family = AF_UNIX;
	assert_int_equal(tern_sockaddr_read(AF_INET, &in, sizeof(in), &ep), -EAFNOSUPPORT);
	/* AF_UNSPEC passes with the wildcard only. */
	in.sin_family = AF_UNSPEC;
	assert_int_equal(tern_sockaddr_read(AF_INET, &in, sizeof(in), &ep), -EAFNOSUPPORT);
	in.sin_addr.s_addr = 0;
	assert_int_equal(tern_sockaddr_read(AF_INET, &in, sizeof(in), &ep), 0);
	in6.sin6_family = AF_INET;
	assert_int_equal(tern_sockaddr_read(AF_INET6, &in6, sizeof(in6), &ep), -EAFNOSUPPORT);
}

static void an_ipv6_address_may_lack_its_scope(void **state)
{
	struct sockaddr_in6 in6 = ipv6("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2");
	struct tern_endpoint ep;

	(void)state;
	assert_int_equal(tern_sockaddr_read(AF_INET6, &in6, 23, &ep), -EINVAL);
	assert_int_equal(tern_sockaddr_read(AF_INET6, &in6, 24, &ep), 0);
	assert_int_equal(ep.addr.family, TERN_INET6);
	assert_memory_equal(ep.addr.b, &in6.sin6_addr, 16);
	assert_int_equal(ep.port, 443);
}

static void a_mapped_address_is_an_ipv4_one_inside(void **state)
{
	struct sockaddr_in6 in6 = ipv6("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\0\2"), back;
	struct tern_endpoint ep;
	union tern_sockaddr sa;
	struct tern_addr want = tern_addr_v4(10, 77, 0, 2);

	(void)state;
	assert_int_equal(tern_sockaddr_read(AF_INET6, &in6, sizeof(in6), &ep), 0);
	assert_true(tern_addr_eq(&ep.addr, &want));
	assert_int_equal(tern_sockaddr_write(AF_INET6, &ep, &sa), sizeof(back));
	memcpy(&back, &sa, sizeof(back));
	assert_memory_equal(&back, &in6, sizeof(back));
}

static void what_was_read_is_written_back(void **state)
{
	struct sockaddr_in in = ipv4();
	struct sockaddr_in6 in6 = ipv6("\xfd\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf");
	struct tern_endpoint ep;
	union tern_sockaddr sa;

	(void)state;
	assert_int_equal(tern_sockaddr_read(AF_INET, &in, sizeof(in), &ep), 0);
	assert_int_equal(tern_sockaddr_write(AF_INET, &ep, &sa), sizeof(in));
	assert_memory_equal(&sa, &in, sizeof(in));
	assert_int_equal(tern_sockaddr_read(AF_INET6, &in6, sizeof(in6), &ep), 0);
	assert_int_equal(tern_sockaddr_write(AF_INET6, &ep, &sa), sizeof(in6));
	assert_memory_equal(&sa, &in6, sizeof(in6));
}

static void a_short_buffer_gets_a_beginning_and_the_true_length(void **state)
{
	struct tern_endpoint ep = { tern_addr_v4(10, 77, 0, 2), 8080 };
	struct sockaddr_in in = ipv4();
	uint8_t room[20];
	uint32_t len;

	(void)state;
	for (uint32_t given = 15; given <= 17; given++) {
		memset(room, 0xee, sizeof(room));
		len = given;
		tern_sockaddr_give(AF_INET, &ep, room, &len);
		assert_int_equal(len, 16);
		assert_memory_equal(room, &in, given < 16 ? given : 16);
		assert_int_equal(room[given < 16 ? given : 16], 0xee);
	}
	len = 0;
	tern_sockaddr_give(AF_INET, &ep, NULL, &len);
	assert_int_equal(len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_numbers_are_the_systems),
		cmocka_unit_test(our_option_names_are_the_systems),
		cmocka_unit_test(our_structs_are_laid_out_as_the_systems),
		cmocka_unit_test(an_ipv4_address_is_read_at_its_length_and_above),
		cmocka_unit_test(the_family_must_be_the_sockets),
		cmocka_unit_test(an_ipv6_address_may_lack_its_scope),
		cmocka_unit_test(a_mapped_address_is_an_ipv4_one_inside),
		cmocka_unit_test(what_was_read_is_written_back),
		cmocka_unit_test(a_short_buffer_gets_a_beginning_and_the_true_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
