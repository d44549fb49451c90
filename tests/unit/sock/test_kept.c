/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of all levels as Linux 6.18 answers: which are kept, which can only be off, which have a
 * form of their own; urgent data and what ioctl() counts.
 */
#include "two_stacks.h"

static int set(struct side *side, int fd, int level, int name, int v)
{
	return tern_sock_setsockopt(side->ss, now, fd, level, name, &v, sizeof(v));
}

static int get(struct side *side, int fd, int level, int name)
{
	uint32_t len = sizeof(int);
	int v = -12345, err = tern_sock_getsockopt(side->ss, now, fd, level, name, &v, &len);

	return err ? err : v;
}

static void options_that_change_nothing_are_kept_or_refused(void **state)
{
	static const struct {
		int level, name, standard; /* what a new socket says */
		int value, set, get;       /* what is set, what becomes of it, what is read then */
	} cases[] = {
		{ 1, TERN_ABI_SO_MARK, 0, 70000, 0, 70000 },
		{ 1, TERN_ABI_SO_PRIORITY, 0, 6, 0, 6 },
		{ 1, TERN_ABI_SO_DONTROUTE, 0, 7, 0, 1 },
		{ 1, TERN_ABI_SO_BUSY_POLL, 0, -1, -EINVAL, 0 },
		{ 1, TERN_ABI_SO_INCOMING_CPU, -1, 1, 0, 1 },
		{ 1, TERN_ABI_SO_MAX_PACING_RATE, -1, 100, 0, 100 },
		{ 1, TERN_ABI_SO_TXREHASH, 1, 0, 0, 0 },
		{ 1, TERN_ABI_SO_TXREHASH, 1, 2, -EINVAL, 1 },
		{ 1, TERN_ABI_SO_BSDCOMPAT, 0, 1, 0, 0 },
		{ 1, TERN_ABI_SO_TIMESTAMP_OLD, 0, 1, -ENOPROTOOPT, 0 },
		{ 1, TERN_ABI_SO_TIMESTAMP_OLD, 0, 0, 0, 0 },
		{ 1, TERN_ABI_SO_ZEROCOPY, 0, 1, -EOPNOTSUPP, 0 },
		{ 1, TERN_ABI_SO_ZEROCOPY, 0, 2, -EINVAL, 0 },
		{ 1, TERN_ABI_SO_PASSCRED, -EOPNOTSUPP, 1, -EOPNOTSUPP, -EOPNOTSUPP },
		{ 1, TERN_ABI_SO_BPF_EXTENSIONS, 64, 1, -ENOPROTOOPT, 64 },
		{ 1, TERN_ABI_SO_DETACH_FILTER, -ENOPROTOOPT, 1, -ENOENT, -ENOPROTOOPT },
		{ 1, TERN_ABI_SO_PEERGROUPS, -ENODATA, 1, -ENOPROTOOPT, -ENODATA },
		{ 1, TERN_ABI_SO_BUF_LOCK, 0, 0, -ENOPROTOOPT, 0 },
		{ 1, TERN_ABI_SO_CNX_ADVICE, -ENOPROTOOPT, 1, 0, -ENOPROTOOPT },
		{ 6, TERN_ABI_TCP_LINGER2, 60, -5, 0, -1 },
		{ 6, TERN_ABI_TCP_LINGER2, 60, 70000, 0, 120 },
		{ 6, TERN_ABI_TCP_LINGER2, 60, 0, 0, 60 },
		{ 6, TERN_ABI_TCP_WINDOW_CLAMP, 0, 1, 0, 1152 },
		{ 6, TERN_ABI_TCP_WINDOW_CLAMP, 0, 70000, 0, 70000 },
		{ 6, TERN_ABI_TCP_WINDOW_CLAMP, 0, 0, 0, 0 },
		{ 6, TERN_ABI_TCP_NOTSENT_LOWAT, 0, 100, 0, 100 },
		{ 6, TERN_ABI_TCP_THIN_DUPACK, 0, 1, 0, 0 },
		{ 6, TERN_ABI_TCP_THIN_LINEAR_TIMEOUTS, 0, 1, 0, 1 },
		{ 6, TERN_ABI_TCP_THIN_LINEAR_TIMEOUTS, 0, 2, -EINVAL, 0 },
		{ 6, TERN_ABI_TCP_INQ, 0, 1, 0, 1 },
		{ 6, TERN_ABI_TCP_REPAIR, 0, 1, -EPERM, 0 },
		{ 6, TERN_ABI_TCP_MAXSEG, 536, 100, 0, 100 },
		{ 6, TERN_ABI_TCP_MAXSEG, 536, 0, 0, 536 },
		{ 6, TERN_ABI_TCP_MAXSEG, 536, 87, -EINVAL, 536 },
		{ 6, TERN_ABI_TCP_QUICKACK, 1, 0, 0, 0 },
		{ 6, TERN_ABI_TCP_QUICKACK, 1, -1, 0, 1 },
		{ 0, TERN_ABI_IP_MTU_DISCOVER, 1, 2, 0, 2 },
		{ 0, TERN_ABI_IP_MTU_DISCOVER, 1, 6, -EINVAL, 1 },
		{ 0, TERN_ABI_IP_RECVTTL, 0, 1, -ENOPROTOOPT, 0 },
		{ 0, TERN_ABI_IP_RECVTTL, 0, 0, 0, 0 },
		{ 0, TERN_ABI_IP_MINTTL, 0, 256, -EINVAL, 0 },
		{ 0, TERN_ABI_IP_MINTTL, 0, 255, -ENOPROTOOPT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		int fd = stream(&a);

		if (get(&a, fd, cases[i].level, cases[i].name) != cases[i].standard ||
		    set(&a, fd, cases[i].level, cases[i].name, cases[i].value) != cases[i].set ||
		    get(&a, fd, cases[i].level, cases[i].name) != cases[i].get)
			fail_msg("case %zu: level %d option %d value %d: reads %d", i,
				 cases[i].level, cases[i].name, cases[i].value,
				 get(&a, fd, cases[i].level, cases[i].name));
		assert_int_equal(tern_sock_close(a.ss, now, fd, &(uint64_t){ 0 }), 0);
	}
}

static void children_take_what_the_listener_keeps(void **state)
{
	int listener = listen_at_b(), client = stream(&a), server;

	(void)state;
	set(&b, listener, 1, TERN_ABI_SO_MARK, 9);
	set(&b, listener, 6, TERN_ABI_TCP_LINGER2, 7);
	set(&b, listener, 1, TERN_ABI_SO_OOBINLINE, 1);
	assert_int_equal(connect_to(&a, client, 2, PORT), -EINPROGRESS);
	exchange();
	server = tern_sock_accept(b.ss, now, listener, NULL, NULL);
	assert_int_equal(get(&b, server, 1, TERN_ABI_SO_MARK), 9);
	assert_int_equal(get(&b, server, 6, TERN_ABI_TCP_LINGER2), 7);
	assert_int_equal(get(&b, server, 1, TERN_ABI_SO_OOBINLINE), 1);
}

static void a_clamp_bounds_the_window_and_not_what_rcvbuf_shows(void **state)
{
	int client, server, shown;
	struct tern_socket_info row;

	(void)state;
	make_pair(&client, &server);
	shown = get(&b, server, 1, TERN_ABI_SO_RCVBUF);
	assert_int_equal(set(&b, server, 6, TERN_ABI_TCP_WINDOW_CLAMP, 0), -EINVAL);
	assert_int_equal(set(&b, server, 6, TERN_ABI_TCP_WINDOW_CLAMP, 5000), 0);
	assert_int_equal(get(&b, server, 1, TERN_ABI_SO_RCVBUF), shown);
	assert_int_equal(tern_stack_socket(b.st, now, tern_sock_id(b.ss, server), &row), 0);
	assert_int_equal(row.mem.rcvbuf, 10000);
	assert_int_equal(set(&b, server, 6, TERN_ABI_TCP_WINDOW_CLAMP, 1 << 24), 0);
	assert_int_equal(tern_stack_socket(b.st, now, tern_sock_id(b.ss, server), &row), 0);
	assert_int_equal(row.mem.rcvbuf, shown);
}

static void who_a_socket_is_can_be_asked(void **state)
{
	union tern_sockaddr peer;
	uint32_t len = sizeof(peer), mem[9];
	uint64_t cookie, other;
	int client, server;

	(void)state;
	make_pair(&client, &server);
	assert_int_equal(
		tern_sock_getsockopt(b.ss, now, server, 1, TERN_ABI_SO_PEERNAME, &peer, &len), 0);
	assert_int_equal(peer.in.addr[3], 1);
	len = sizeof(cookie);
	assert_int_equal(
		tern_sock_getsockopt(b.ss, now, server, 1, TERN_ABI_SO_COOKIE, &cookie, &len), 0);
	assert_int_equal(
		tern_sock_getsockopt(b.ss, now, server, 1, TERN_ABI_SO_COOKIE, &other, &len), 0);
	assert_int_equal(cookie, other);
	len = 4;
	assert_int_equal(tern_sock_getsockopt(b.ss, now, server, 1, TERN_ABI_SO_COOKIE, &other,
					      &len),
			 -EINVAL);
	len = sizeof(mem);
	assert_int_equal(tern_sock_getsockopt(b.ss, now, server, 1, TERN_ABI_SO_MEMINFO, mem, &len),
			 0);
	assert_int_equal(len, 36);
	assert_int_equal(mem[1], get(&b, server, 1, TERN_ABI_SO_RCVBUF));
	assert_int_equal(set(&b, server, 1, TERN_ABI_SO_BINDTODEVICE, 0), 0);
	assert_int_equal(set(&b, server, 1, TERN_ABI_SO_BINDTODEVICE, 'x'), -ENODEV);
}

static int64_t oob(struct side *side, int fd, char *byte)
{
	return tern_sock_recvfrom(side->ss, now, fd, byte, 1, TERN_SOCK_OOB, NULL, NULL);
}

static void an_urgent_byte_is_read_beside_the_stream(void **state)
{
	int client, server, at = -1, n = -1;
	char data[10];

	(void)state;
	make_pair(&client, &server);
	assert_int_equal(oob(&b, server, data), -EINVAL);
	assert_int_equal(send_on(&a, client, "ab", 2), 2);
	assert_int_equal(tern_sock_sendto(a.ss, now, client, "!", 1, TERN_SOCK_OOB, NULL, 0), 1);
	assert_int_equal(send_on(&a, client, "cd", 2), 2);
	pass(S);
	assert_int_equal(poll_on(&b, server), TERN_SOCK_IN | TERN_SOCK_OUT | TERN_SOCK_PRI);
	assert_int_equal(tern_sock_inq(b.ss, now, server, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(oob(&b, server, data), 1);
	assert_int_equal(data[0], '!');
	assert_int_equal(poll_on(&b, server), TERN_SOCK_IN | TERN_SOCK_OUT);
	assert_int_equal(recv_on(&b, server, data, sizeof(data)), 2);
	assert_int_equal(tern_sock_atmark(b.ss, now, server, &at), 0);
	assert_int_equal(at, 1);
	assert_int_equal(recv_on(&b, server, data, sizeof(data)), 2);
	assert_memory_equal(data, "cd", 2);
	assert_int_equal(tern_sock_atmark(b.ss, now, server, &at), 0);
	assert_int_equal(at, 0);
}

/* At the mark the byte that is out of line makes nothing readable. */
static void a_lone_urgent_byte_is_not_readable(void **state)
{
	int client, server;
	char data[10];

	(void)state;
	make_pair(&client, &server);
	assert_int_equal(tern_sock_sendto(a.ss, now, client, "!", 1, TERN_SOCK_OOB, NULL, 0), 1);
	exchange();
	assert_int_equal(poll_on(&b, server), TERN_SOCK_OUT | TERN_SOCK_PRI);
	assert_int_equal(set(&b, server, 1, TERN_ABI_SO_OOBINLINE, 1), 0);
	assert_int_equal(poll_on(&b, server), TERN_SOCK_IN | TERN_SOCK_OUT | TERN_SOCK_PRI);
	assert_int_equal(oob(&b, server, data), -EINVAL);
	assert_int_equal(recv_on(&b, server, data, sizeof(data)), 1);
	assert_int_equal(data[0], '!');
}

static void peeking_goes_on_where_it_ended(void **state)
{
	int client, server;
	char data[10];

	(void)state;
	make_pair(&client, &server);
	assert_int_equal(send_on(&a, client, "abcdef", 6), 6);
	exchange();
	assert_int_equal(set(&b, server, 1, TERN_ABI_SO_PEEK_OFF, 1), 0);
	assert_int_equal(tern_sock_recvfrom(b.ss, now, server, data, 2, TERN_SOCK_PEEK, NULL, NULL),
			 2);
	assert_memory_equal(data, "bc", 2);
	assert_int_equal(
		tern_sock_recvfrom(b.ss, now, server, data, 10, TERN_SOCK_PEEK, NULL, NULL), 3);
	assert_memory_equal(data, "def", 3);
	assert_int_equal(tern_sock_recvfrom(b.ss, now, server, data, 10, TERN_SOCK_PEEK, NULL,
					    NULL),
			 -EAGAIN);
	assert_int_equal(recv_on(&b, server, data, 4), 4);
	assert_int_equal(get(&b, server, 1, TERN_ABI_SO_PEEK_OFF), 2);
	assert_int_equal(set(&b, server, 1, TERN_ABI_SO_PEEK_OFF, -1), 0);
	assert_int_equal(
		tern_sock_recvfrom(b.ss, now, server, data, 10, TERN_SOCK_PEEK, NULL, NULL), 2);
}

static void what_is_not_sent_and_not_acknowledged_is_counted(void **state)
{
	int client, server, n;

	(void)state;
	make_pair(&client, &server);
	assert_int_equal(send_on(&a, client, "abc", 3), 3);
	assert_int_equal(tern_sock_outqnsd(a.ss, now, client, &n), 0);
	assert_int_equal(n, 3);
	cut = true;
	exchange();
	assert_int_equal(tern_sock_outqnsd(a.ss, now, client, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(tern_sock_outq(a.ss, now, client, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(tern_sock_shutdown(a.ss, now, client, TERN_SHUT_WR), 0);
	assert_int_equal(tern_sock_outq(a.ss, now, client, &n), 0);
	assert_int_equal(n, 4); /* the FIN, too */
}

static void a_socket_with_much_unsent_is_not_writable(void **state)
{
	static char data[5000];
	int client, server;

	(void)state;
	make_pair(&client, &server);
	cut = true;
	exchange();
	assert_int_equal(set(&a, client, 6, TERN_ABI_TCP_NOTSENT_LOWAT, 1000), 0);
	assert_true(poll_on(&a, client) & TERN_SOCK_OUT);
	assert_int_equal(send_on(&a, client, data, sizeof(data)), sizeof(data));
	assert_false(poll_on(&a, client) & TERN_SOCK_OUT);
	assert_int_equal(send_on(&a, client, data, 1), -EAGAIN);
	cut = false;
	pass(5 * S);
	assert_true(poll_on(&a, client) & TERN_SOCK_OUT);
	assert_int_equal(send_on(&a, client, data, 1), 1);
}

static void disconnecting_lets_a_socket_connect_again(void **state)
{
	static const uint16_t unspec[8] = { TERN_AF_UNSPEC };
	int client, server;
	char byte;

	(void)state;
	make_pair(&client, &server);
	assert_int_equal(tern_sock_connect(a.ss, now, client, unspec, sizeof(unspec)), 0);
	exchange();
	assert_int_equal(recv_on(&b, server, &byte, 1), -ECONNRESET);
	assert_int_equal(poll_on(&a, client), TERN_SOCK_OUT | TERN_SOCK_HUP | TERN_SOCK_ERR);
	assert_int_equal(get(&a, client, 1, TERN_ABI_SO_ERROR), ECONNRESET);
	assert_int_equal(connect_to(&a, client, 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect_to(&a, client, 2, PORT), 0);
}

static void a_freely_bound_listener_waits_for_its_address(void **state)
{
	const struct tern_prefix third = { tern_addr_v4(10, 77, 0, 3), 24 };
	int listener = stream(&b), source = stream(&b), client = stream(&a);

	(void)state;
	assert_int_equal(bind_at(&b, listener, 3, PORT), -EADDRNOTAVAIL);
	assert_int_equal(set(&b, listener, 0, TERN_ABI_IP_FREEBIND, 5), 0);
	assert_int_equal(get(&b, listener, 0, TERN_ABI_IP_FREEBIND), 1);
	assert_int_equal(bind_at(&b, listener, 3, PORT), 0);
	assert_int_equal(tern_sock_listen(b.ss, now, listener, 8), 0);
	assert_int_equal(set(&b, source, 0, TERN_ABI_IP_FREEBIND, 1), 0);
	assert_int_equal(bind_at(&b, source, 3, 0), 0);
	assert_int_equal(connect_to(&b, source, 1, PORT), -EINVAL);
	assert_int_equal(tern_stack_add_address(b.st, now, &third), 0);
	assert_int_equal(connect_to(&a, client, 3, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect_to(&a, client, 3, PORT), 0);
	assert_true(tern_sock_accept(b.ss, now, listener, NULL, NULL) >= 0);
}

static void datagrams_do_not_leave_from_a_foreign_address(void **state)
{
	int fd = tern_sock_open(b.ss, now, TERN_AF_INET, TERN_SOCK_DGRAM, 0);
	union tern_sockaddr to = at(1, PORT);

	(void)state;
	assert_int_equal(set(&b, fd, 0, TERN_ABI_IP_FREEBIND, 1), 0);
	assert_int_equal(bind_at(&b, fd, 3, PORT), 0);
	assert_int_equal(tern_sock_sendto(b.ss, now, fd, "x", 1, 0, &to, sizeof(to.in)), -EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(options_that_change_nothing_are_kept_or_refused),
		CASE(children_take_what_the_listener_keeps),
		CASE(a_clamp_bounds_the_window_and_not_what_rcvbuf_shows),
		CASE(who_a_socket_is_can_be_asked),
		CASE(an_urgent_byte_is_read_beside_the_stream),
		CASE(a_lone_urgent_byte_is_not_readable),
		CASE(peeking_goes_on_where_it_ended),
		CASE(what_is_not_sent_and_not_acknowledged_is_counted),
		CASE(a_socket_with_much_unsent_is_not_writable),
		CASE(disconnecting_lets_a_socket_connect_again),
		CASE(a_freely_bound_listener_waits_for_its_address),
		CASE(datagrams_do_not_leave_from_a_foreign_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
