/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <linux/sockios.h>

#include "base/compiler.h"
#include "sock/abi.h"

#define ROW(name)                      \
	{                              \
#name, (int64_t)(name) \
	}

static const struct {
	const char *name;
	int64_t value;
} known[] = {
	ROW(AF_UNSPEC),     ROW(AF_INET),         ROW(AF_INET6),         ROW(SOCK_STREAM),
	ROW(SOCK_DGRAM),    ROW(SOCK_NONBLOCK),   ROW(SOCK_CLOEXEC),     ROW(IPPROTO_TCP),
	ROW(IPPROTO_UDP),   ROW(SOL_SOCKET),      ROW(SOL_IP),           ROW(SOL_IPV6),
	ROW(SO_REUSEADDR),  ROW(SO_ERROR),        ROW(SO_SNDBUF),        ROW(SO_RCVBUF),
	ROW(SO_KEEPALIVE),  ROW(SO_LINGER),       ROW(SO_REUSEPORT),     ROW(SO_RCVLOWAT),
	ROW(SO_RCVTIMEO),   ROW(SO_SNDTIMEO),     ROW(SO_MEMINFO),       ROW(SO_ZEROCOPY),
	ROW(TCP_NODELAY),   ROW(TCP_MAXSEG),      ROW(TCP_CORK),         ROW(TCP_KEEPIDLE),
	ROW(TCP_SYNCNT),    ROW(TCP_LINGER2),     ROW(TCP_DEFER_ACCEPT), ROW(TCP_INFO),
	ROW(TCP_QUICKACK),  ROW(TCP_CONGESTION),  ROW(TCP_USER_TIMEOUT), ROW(TCP_FASTOPEN),
	ROW(IP_TOS),        ROW(IP_TTL),          ROW(IP_MTU_DISCOVER),  ROW(IP_FREEBIND),
	ROW(IPV6_V6ONLY),   ROW(IPV6_TCLASS),     ROW(MSG_OOB),          ROW(MSG_PEEK),
	ROW(MSG_DONTWAIT),  ROW(MSG_EOR),         ROW(MSG_WAITALL),      ROW(MSG_MORE),
	ROW(MSG_FASTOPEN),  ROW(SHUT_RDWR),       ROW(F_GETFL),          ROW(F_SETFL),
	ROW(O_RDWR),        ROW(O_NONBLOCK),      ROW(FIONREAD),         ROW(SIOCINQ),
	ROW(SIOCOUTQ),      ROW(SIOCATMARK),      ROW(POLLIN),           ROW(POLLRDHUP),
	ROW(EPOLLIN),       ROW(EPOLLRDHUP),      ROW(EPOLLONESHOT),     ROW(EPOLL_CTL_ADD),
	ROW(EPOLL_CTL_MOD), ROW(TCP_ESTABLISHED), ROW(TCP_CLOSING),      ROW(TCP_CA_Recovery),
	ROW(TCPI_OPT_SACK), ROW(EINPROGRESS),
};

static void the_numbers_are_the_systems(void **unused)
{
	int64_t value;

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(known); i++) {
		assert_true(tern_symbol_find(known[i].name, strlen(known[i].name), &value));
		if (value != known[i].value)
			fail_msg("%s is %lld", known[i].name, (long long)value);
	}
	assert_true(tern_symbol_find("NULL", 4, &value));
	assert_int_equal(value, 0);
}

static void a_part_of_a_name_is_no_name(void **unused)
{
	int64_t value;

	(void)unused;
	assert_false(tern_symbol_find("AF_INET6", 6, &value));
	assert_true(tern_symbol_find("AF_INET6", 7, &value));
	assert_int_equal(value, AF_INET);
	assert_false(tern_symbol_find("AF_INET66", 9, &value));
}

static void errors_have_their_names_both_ways(void **unused)
{
	(void)unused;
	assert_int_equal(tern_symbol_errno("ECONNRESET", 10), ECONNRESET);
	assert_string_equal(tern_symbol_errno_name(ECONNRESET), "ECONNRESET");
	assert_int_equal(tern_symbol_errno("EWHAT", 5), 0);
	assert_string_equal(tern_symbol_errno_name(100000), "?");
}

static void a_slip_of_the_pen_has_a_neighbour(void **unused)
{
	(void)unused;
	assert_string_equal(tern_symbol_nearest("TCP_NODLAY", 10), "TCP_NODELAY");
	assert_null(tern_symbol_nearest("NOTHING_LIKE_IT", 15));
}

static void fields_are_read_where_linux_has_them(void **unused)
{
	struct tern_tcp_info info = { .state = 4, .wscales = 0x97, .rtt = 77, .bytes_acked = 5 };
	int64_t value;

	(void)unused;
	assert_int_equal(tern_info_field("tcpi_nothing", 12), -1);
	assert_true(tern_info_value(tern_info_field("tcpi_state", 10), &info, 232, &value));
	assert_int_equal(value, 4);
	assert_true(tern_info_value(tern_info_field("tcpi_snd_wscale", 15), &info, 232, &value));
	assert_int_equal(value, 7);
	assert_true(tern_info_value(tern_info_field("tcpi_rcv_wscale", 15), &info, 232, &value));
	assert_int_equal(value, 9);
	assert_true(tern_info_value(tern_info_field("tcpi_bytes_acked", 16), &info, 232, &value));
	assert_int_equal(value, 5);
	/* 68 ... 71: there, and not there. */
	assert_true(tern_info_value(tern_info_field("tcpi_rtt", 8), &info, 72, &value));
	assert_int_equal(value, 77);
	assert_false(tern_info_value(tern_info_field("tcpi_rtt", 8), &info, 71, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_numbers_are_the_systems),
		cmocka_unit_test(a_part_of_a_name_is_no_name),
		cmocka_unit_test(errors_have_their_names_both_ways),
		cmocka_unit_test(a_slip_of_the_pen_has_a_neighbour),
		cmocka_unit_test(fields_are_read_where_linux_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
