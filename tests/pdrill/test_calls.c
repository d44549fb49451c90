/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that return at once, the clock, and the wire. The same program runs once more with the
 * library preloaded (TERN_PRELOADED is set then): for packetdrill's calls past the table.
 */
#undef _FILE_OFFSET_BITS /* packetdrill is built so: it calls sendfile(), not sendfile64() */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "pdrill/driver.h"

static char *const nowhere = (char *)8;

static void a_connection_is_accepted_used_and_closed_from_both_sides(void **state)
{
	struct driver d;
	struct segment seg;
	int listener, fd;
	char buf[10];

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	say(&d, ACK | PSH, "ping", 4);
	assert_int_equal(d.t.recv(d.t.ud, fd, buf, sizeof(buf), 0), 4);
	assert_memory_equal(buf, "ping", 4);
	assert_int_equal(d.t.send(d.t.ud, fd, "pong", 4, 0), 4);
	seg = expect_data(&d, "pong", 4);
	assert_int_equal(seg.ack, d.seq);
	say(&d, ACK | FIN, NULL, 0);
	(void)expect(&d, ACK);
	assert_int_equal(d.t.read(d.t.ud, fd, buf, sizeof(buf)), 0);
	assert_int_equal(d.t.close(d.t.ud, fd), 0);
	(void)expect(&d, ACK | FIN);
	say(&d, ACK, NULL, 0);
	assert_int_equal(d.t.close(d.t.ud, fd), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(d.t.close(d.t.ud, listener), 0);
	unload(&d);
}

static void IPv6_and_mapped_addresses_serve_as_well(void **state)
{
	struct driver d;
	int listener, fd;

	(void)state;
	load(&d, NULL);
	d.family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, "fd3d:0a0b:17d6::1", d.local), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", d.peer), 1);
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.close(d.t.ud, fd), 0);
	(void)expect(&d, ACK | FIN);
	d.local_port = 9090;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.168.0.1", d.local), 1);
	(void)listen_at(&d);
	assert_int_equal(inet_pton(AF_INET, "192.168.0.1", d.local), 1);
	assert_int_equal(inet_pton(AF_INET, "192.0.2.1", d.peer), 1);
	d.family = AF_INET;
	say(&d, SYN, NULL, 0);
	(void)expect(&d, SYN | ACK);
	unload(&d);
}

static void an_address_that_packets_are_sent_to_is_ours(void **state)
{
	struct driver d;

	(void)state;
	load(&d, NULL);
	assert_int_equal(inet_pton(AF_INET, "10.9.8.7", d.local), 1);
	say(&d, SYN, NULL, 0);
	(void)expect(&d, RST | ACK);
	/* And beside one of ours a script may bind. */
	assert_int_equal(inet_pton(AF_INET, "192.168.44.55", d.local), 1);
	(void)listen_at(&d);
	shake(&d);
	unload(&d);
}

static void a_receive_that_nothing_comes_for_ends_by_itself_with_no_bytes(void **state)
{
	struct driver d;
	struct segment seg;
	long long before;

	(void)state;
	load(&d, NULL);
	before = now_usecs(&d);
	assert_false(hear(&d, &seg));
	assert_in_range(now_usecs(&d) - before, 1000000, 5000000);
	unload(&d);
}

static void timers_run_at_their_time_while_nobody_calls(void **state)
{
	struct driver d;
	struct sockaddr_storage addr;
	struct segment first, second;
	socklen_t len;
	int fd;

	(void)state;
	load(&d, "net.ipv4.tcp_syn_linear_timeouts=4");
	fd = d.t.socket(d.t.ud, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	len = address(&d, false, &addr);
	assert_int_equal(d.t.connect(d.t.ud, fd, (const struct sockaddr *)&addr, len), -1);
	assert_int_equal(errno, EINPROGRESS);
	first = expect(&d, SYN);
	assert_int_equal(d.t.usleep(d.t.ud, 1200000), 0);
	second = expect(&d, SYN);
	/* The time is the timer's own, however late we look. */
	assert_in_range(second.usecs - first.usecs, 999000, 1005000);
	assert_true(now_usecs(&d) - first.usecs >= 1200000);
	unload(&d);
}

static void poll_tells_levels_and_epoll_edges(void **state)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = 77 }, got[4];
	struct driver d;
	struct pollfd p[2];
	int listener, fd, ep;
	char buf[10];

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	ep = d.t.epoll_create(d.t.ud, 1);
	assert_true(ep > fd);
	assert_int_equal(d.t.epoll_ctl(d.t.ud, ep, EPOLL_CTL_ADD, fd, &ev), 0);
	assert_int_equal(d.t.epoll_ctl(d.t.ud, ep, EPOLL_CTL_ADD, fd, &ev), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(d.t.epoll_wait(d.t.ud, ep, got, 4, 0), 0);
	for (int i = 0; i < 2; i++) {
		say(&d, ACK | PSH, "x", 1);
		assert_int_equal(d.t.epoll_wait(d.t.ud, ep, got, 4, 0), 1);
		assert_int_equal(got[0].events, EPOLLIN);
		assert_int_equal(got[0].data.u64, 77);
		assert_int_equal(d.t.epoll_wait(d.t.ud, ep, got, 4, 0), 0);
	}
	ev.events = EPOLLIN | EPOLLOUT | EPOLLONESHOT;
	assert_int_equal(d.t.epoll_ctl(d.t.ud, ep, EPOLL_CTL_MOD, fd, &ev), 0);
	assert_int_equal(d.t.epoll_wait(d.t.ud, ep, got, 4, 0), 1);
	assert_int_equal(got[0].events, EPOLLIN | EPOLLOUT);
	assert_int_equal(d.t.epoll_wait(d.t.ud, ep, got, 4, 0), 0);
	p[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = fd, .events = POLLIN | POLLOUT };
	for (int i = 0; i < 2; i++)
		assert_int_equal(d.t.poll(d.t.ud, p, 2, 0), 1);
	assert_int_equal(p[1].revents, POLLIN | POLLOUT);
	assert_int_equal(d.t.read(d.t.ud, fd, buf, sizeof(buf)), 2);
	say(&d, ACK | FIN, NULL, 0);
	p[1].events = POLLIN | POLLRDHUP;
	assert_int_equal(d.t.poll(d.t.ud, p, 2, 0), 1);
	assert_int_equal(p[1].revents, POLLIN | POLLRDHUP);
	assert_int_equal(d.t.close(d.t.ud, fd), 0);
	assert_int_equal(d.t.epoll_wait(d.t.ud, ep, got, 4, 0), 0);
	assert_int_equal(d.t.close(d.t.ud, ep), 0);
	assert_int_equal(d.t.epoll_wait(d.t.ud, ep, got, 4, 0), -1);
	assert_int_equal(errno, EBADF);
	unload(&d);
}

static void pieces_are_one_call(void **state)
{
	char a[3], b[10];
	struct iovec out[] = { { "abc", 3 }, { "", 0 }, { "defg", 4 } };
	struct iovec in[] = { { a, sizeof(a) }, { b, sizeof(b) } };
	struct msghdr msg = { .msg_iov = out, .msg_iovlen = 3 };
	struct driver d;
	int listener, fd;

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.writev(d.t.ud, fd, out, 3), 7);
	(void)expect_data(&d, "abcdefg", 7);
	say(&d, ACK | PSH, "1234567", 7);
	assert_int_equal(d.t.sendmsg(d.t.ud, fd, &msg, 0), 7);
	(void)expect_data(&d, "abcdefg", 7);
	assert_int_equal(d.t.readv(d.t.ud, fd, in, 2), 7);
	assert_memory_equal(a, "123", 3);
	assert_memory_equal(b, "4567", 4);
	say(&d, ACK | PSH, "12345", 5);
	msg = (struct msghdr){ .msg_iov = in, .msg_iovlen = 2, .msg_namelen = 99 };
	assert_int_equal(d.t.recvmsg(d.t.ud, fd, &msg, 0), 5);
	assert_memory_equal(b, "45", 2);
	unload(&d);
}

static void flags_and_queues_of_a_socket_can_be_asked(void **state)
{
	struct driver d;
	int listener, fd, n = -1, on = 1;
	char byte;

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.fcntl(d.t.ud, fd, F_GETFL, 0), O_RDWR);
	assert_int_equal(d.t.fcntl(d.t.ud, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	assert_int_equal(d.t.fcntl(d.t.ud, fd, F_GETFL, 0), O_RDWR | O_NONBLOCK);
	assert_int_equal(d.t.read(d.t.ud, fd, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(d.t.accept(d.t.ud, fd, NULL, NULL), -1);
	assert_int_equal(errno, EINVAL);
	say(&d, ACK | PSH, "12345", 5);
	assert_int_equal(d.t.ioctl(d.t.ud, fd, SIOCINQ, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(d.t.write(d.t.ud, fd, "123", 3), 3);
	assert_int_equal(d.t.ioctl(d.t.ud, fd, SIOCOUTQ, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(d.t.ioctl(d.t.ud, listener, FIONBIO, &on), 0);
	assert_int_equal(d.t.accept(d.t.ud, listener, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	unload(&d);
}

static void pointers_that_lead_nowhere_are_EFAULT(void **state)
{
	struct driver d;
	int listener, fd, on = 1;
	socklen_t len = sizeof(on);
	char byte;

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.write(d.t.ud, fd, nowhere, 10), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(d.t.write(d.t.ud, fd, NULL, 0), 0);
	assert_int_equal(d.t.recv(d.t.ud, fd, nowhere, 10, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	say(&d, ACK | PSH, "x", 1);
	assert_int_equal(d.t.read(d.t.ud, fd, nowhere, 10), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(d.t.read(d.t.ud, fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(d.t.setsockopt(d.t.ud, fd, SOL_SOCKET, SO_KEEPALIVE, nowhere, 4), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(d.t.getsockopt(d.t.ud, fd, SOL_SOCKET, SO_KEEPALIVE, nowhere, &len), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(d.t.connect(d.t.ud, fd, (struct sockaddr *)(void *)nowhere, 16), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(d.t.sendmsg(d.t.ud, fd, (struct msghdr *)(void *)nowhere, 0), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(d.t.shutdown(d.t.ud, fd, SHUT_WR), 0);
	assert_int_equal(d.t.write(d.t.ud, fd, nowhere, 10), -1);
	assert_int_equal(errno, EPIPE);
	unload(&d);
}

static void splice_moves_bytes_both_ways(void **state)
{
	struct driver d;
	int listener, fd, ends[2];
	char buf[10];

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.pipe(d.t.ud, ends), 0);
	say(&d, ACK | PSH, "hello", 5);
	assert_int_equal(d.t.splice(d.t.ud, fd, NULL, ends[1], NULL, 100, 0), 5);
	assert_int_equal(d.t.read(d.t.ud, ends[0], buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(d.t.write(d.t.ud, ends[1], "world!", 6), 6);
	assert_int_equal(d.t.splice(d.t.ud, ends[0], NULL, fd, NULL, 100, 0), 6);
	(void)expect_data(&d, "world!", 6);
	assert_int_equal(d.t.splice(d.t.ud, fd, NULL, fd, NULL, 100, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(d.t.close(d.t.ud, ends[0]), 0);
	assert_int_equal(d.t.close(d.t.ud, ends[1]), 0);
	unload(&d);
}

static void a_burst_leaves_in_pieces_of_half_the_window(void **state)
{
	static const char block[10000];
	struct driver d;
	struct segment seg;
	int listener, fd;

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.write(d.t.ud, fd, block, sizeof(block)), sizeof(block));
	for (int i = 0; i < 2; i++) {
		seg = expect(&d, ACK | PSH);
		assert_int_equal(seg.len, 5000);
	}
	unload(&d);
	load(&d, "tso=0");
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.write(d.t.ud, fd, block, sizeof(block)), sizeof(block));
	for (int i = 0; i < 10; i++) {
		assert_true(hear(&d, &seg));
		assert_int_equal(seg.len, 1000);
		assert_int_equal(seg.flags, i % 5 == 4 ? ACK | PSH : ACK);
	}
	unload(&d);
}

static void two_stacks_have_descriptors_of_their_own(void **state)
{
	struct driver a, b;
	int listener, fd, other;

	(void)state;
	load(&a, NULL);
	load(&b, NULL);
	fd = accepted(&a, &listener);
	other = accepted(&b, &listener);
	assert_int_not_equal(fd, other);
	unload(&a);
	assert_int_equal(b.t.write(b.t.ud, other, "x", 1), 1);
	unload(&b);
	load(&a, NULL);
	assert_int_equal(accepted(&a, &listener), fd);
	unload(&a);
}

/* What packetdrill calls past the table. */
static void preloaded_close_getsockopt_and_sendfile_know_our_descriptors(void **state)
{
	struct driver d;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int listener, fd, file = memfd_create("file", 0);
	off_t off = 1;
	char byte;

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(write(file, "0123456789", 10), 10);
	assert_int_equal(sendfile(fd, file, &off, 100), 9);
	assert_int_equal(off, 10);
	(void)expect_data(&d, "123456789", 9);
	assert_int_equal(close(fd), 0);
	(void)expect(&d, ACK | FIN);
	assert_int_equal(close(fd), -1);
	assert_int_equal(errno, EBADF);
	unload(&d);
	assert_int_equal(close(fd), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(read(file, &byte, 1), 1);
	assert_int_equal(close(file), 0);
}

/* With or without the preload. */
static void descriptors_of_the_process_are_left_to_libc(void **state)
{
	struct driver d;
	int pair[2], type = 0, ends[2];
	socklen_t len = sizeof(type);

	(void)state;
	load(&d, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &type, &len), 0);
	assert_int_equal(type, SOCK_SEQPACKET);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sendfile(ends[1], ends[0], NULL, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(close(ends[0]) | close(ends[1]) | close(pair[0]) | close(pair[1]), 0);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	assert_int_equal(close(pair[0]), -1);
	assert_int_equal(errno, EBADF);
	unload(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_accepted_used_and_closed_from_both_sides),
		cmocka_unit_test(IPv6_and_mapped_addresses_serve_as_well),
		cmocka_unit_test(an_address_that_packets_are_sent_to_is_ours),
		cmocka_unit_test(a_receive_that_nothing_comes_for_ends_by_itself_with_no_bytes),
		cmocka_unit_test(timers_run_at_their_time_while_nobody_calls),
		cmocka_unit_test(poll_tells_levels_and_epoll_edges),
		cmocka_unit_test(pieces_are_one_call),
		cmocka_unit_test(flags_and_queues_of_a_socket_can_be_asked),
		cmocka_unit_test(pointers_that_lead_nowhere_are_EFAULT),
		cmocka_unit_test(splice_moves_bytes_both_ways),
		cmocka_unit_test(a_burst_leaves_in_pieces_of_half_the_window),
		cmocka_unit_test(two_stacks_have_descriptors_of_their_own),
		cmocka_unit_test(descriptors_of_the_process_are_left_to_libc),
	};

	const struct CMUnitTest preloaded[] = {
		cmocka_unit_test(preloaded_close_getsockopt_and_sendfile_know_our_descriptors),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (getenv("TERN_PRELOADED"))
		failed += cmocka_run_group_tests(preloaded, NULL, NULL);
	return failed;
}
