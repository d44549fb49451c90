/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shim makes of reading and writing, with pairs and a broker made by hand: errors that
 * TCP has and AF_UNIX has not, flags and arguments that mean something else to AF_UNIX, datagrams.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "unit/posix/fake_broker.h"

static volatile sig_atomic_t pipes;

static void answer(const struct tern_posix_request *req, struct tern_posix_reply *reply,
		   int *ret_fd)
{
	(void)ret_fd;
	if (req->op == TERN_POSIX_FASTOPEN || req->op == TERN_POSIX_URGENT)
		reply->result = fake->last_error;
	if (req->op != TERN_POSIX_LAST_ERROR)
		return;
	reply->result = fake->last_error;
	if (fake->page->narrow && fake->last_error == 0)
		reply->flags = TERN_POSIX_ESTABLISHED;
}

static void on_pipe(int number)
{
	(void)number;
	pipes++;
}

static int start(void **state)
{
	struct sigaction action = { .sa_handler = on_pipe };

	pipes = 0;
	if (sigaction(SIGPIPE, &action, NULL) < 0 || fake_start(state) < 0)
		return -1;
	return fake_touch() < 0 ? -1 : 0;
}

static void fails(ssize_t got, int error)
{
	assert_int_equal(got, -1);
	assert_int_equal(errno, error);
	errno = 0;
}

/* A stream that is reset: the broker's end is closed while a byte of the program's is unread. */
static int reset_stream(void)
{
	int ends[2];

	fake_pair(SOCK_STREAM, 1, true, ends);
	assert_int_equal(write(ends[1], "t", 1), 1);
	(void)close(ends[0]);
	return ends[1];
}

static void a_reset_reads_as_what_the_broker_knows(void **state)
{
	char c;
	int fd = reset_stream();

	(void)state;
	fake->last_error = ETIMEDOUT;
	fails(read(fd, &c, 1), ETIMEDOUT);
	assert_int_equal(read(fd, &c, 1), 0);
	(void)close(fd);
	fd = reset_stream();
	fake->last_error = 0;
	fails(recv(fd, &c, 1, 0), ECONNRESET);
	(void)close(fd);
}

static void a_dead_brokers_connection_reads_as_reset(void **state)
{
	int fd = reset_stream();
	char c;

	(void)state;
	fake_kill();
	fails(read(fd, &c, 1), ECONNRESET);
	(void)close(fd);
}

static void the_first_send_after_a_reset_tells_it_and_the_second_is_epipe(void **state)
{
	int fd = reset_stream();

	(void)state;
	fails(send(fd, "x", 1, 0), ECONNRESET);
	assert_int_equal(pipes, 0);
	fails(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	assert_int_equal(pipes, 0);
	fails(send(fd, "x", 1, 0), EPIPE);
	assert_int_equal(pipes, 1);
	(void)close(fd);
}

static void a_pair_of_the_programs_own_is_left_alone(void **state)
{
	int ends[2];
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fake->last_error = ETIMEDOUT;
	assert_int_equal(write(ends[1], "t", 1), 1);
	(void)close(ends[0]);
	fails(send(ends[1], "x", 1, 0), EPIPE);
	assert_int_equal(pipes, 1);
	fails(read(ends[1], &c, 1), ECONNRESET);
	(void)close(ends[1]);
}

static void a_stream_tells_no_senders_address(void **state)
{
	struct sockaddr_storage from;
	struct iovec iov = { &(char[8]){ 0 }, 8 };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	socklen_t len = sizeof(from);
	int ends[2];
	char c;

	(void)state;
	fake_pair(SOCK_STREAM, 1, true, ends);
	assert_int_equal(write(ends[0], "xyz", 3), 3);
	assert_int_equal(recvfrom(ends[1], &c, 1, 0, (struct sockaddr *)&from, &len), 1);
	assert_int_equal(len, 0);
	assert_int_equal(recvmsg(ends[1], &msg, 0), 2);
	assert_int_equal(msg.msg_namelen, 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void a_stream_sends_neither_addresses_nor_descriptors(void **state)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct iovec iov = { &(char[8]){ 0 }, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int ends[2];

	(void)state;
	fake_pair(SOCK_STREAM, 1, true, ends);
	assert_int_equal(sendmsg(ends[1], &msg, 0), 1);
	assert_int_equal(recvmsg(ends[0], &msg, 0), 1);
	assert_int_equal(msg.msg_controllen, 0);
	assert_int_equal(sendto(ends[1], "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void flags_of_tcp_are_not_those_of_af_unix(void **state)
{
	int ends[2];
	char c, two[4];

	(void)state;
	fake_pair(SOCK_STREAM, 1, true, ends);
	assert_int_equal(write(ends[0], "0123456789", 10), 10);
	fails(recv(ends[1], &c, 1, MSG_OOB), EINVAL);
	fails(recv(ends[1], &c, 1, MSG_ERRQUEUE), EAGAIN);
	assert_int_equal(recv(ends[1], NULL, 4, MSG_TRUNC), 4);
	assert_int_equal(read(ends[1], &c, 1), 1);
	assert_int_equal(c, '4');
	fake->last_error = -EISCONN;
	fails(send(ends[1], &c, 1, MSG_FASTOPEN), EISCONN);
	fake->last_error = 0; /* it stands: bytes go through the pair */
	assert_int_equal(send(ends[1], "fo", 2, MSG_FASTOPEN), 2);
	assert_int_equal(recv(ends[0], two, sizeof(two), MSG_DONTWAIT), 2);
	assert_int_equal(fake->requests[TERN_POSIX_FASTOPEN], 2);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void an_urgent_byte_is_one_of_the_pairs_if_the_broker_says_so(void **state)
{
	int ends[2];
	char c;

	(void)state;
	fake_pair(SOCK_STREAM, 1, true, ends);
	fake->last_error = -EOPNOTSUPP;
	assert_int_equal(send(ends[1], "u", 1, MSG_OOB), 1);
	assert_int_equal(read(ends[0], &c, 1), 1);
	assert_int_equal(c, 'u');
	fake->last_error = 0;
	assert_int_equal(send(ends[1], "", 0, MSG_OOB), 0);
	if (send(ends[1], "ab", 2, MSG_OOB) == 2) { /* not before Linux 5.15 */
		assert_int_equal(recv(ends[0], &c, 1, MSG_OOB), 1);
		assert_int_equal(c, 'b');
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void msg_more_is_told_once_and_its_end_too(void **state)
{
	int ends[2];

	(void)state;
	fake_pair(SOCK_STREAM, 1, true, ends);
	assert_int_equal(send(ends[1], "a", 1, 0), 1);
	assert_int_equal(fake->requests[TERN_POSIX_MORE], 0);
	assert_int_equal(send(ends[1], "b", 1, MSG_MORE), 1);
	assert_int_equal(send(ends[1], "c", 1, MSG_MORE), 1);
	assert_int_equal(fake->requests[TERN_POSIX_MORE], 1);
	fake->page->more = 1;
	assert_int_equal(write(ends[1], "d", 1), 1);
	assert_int_equal(fake->requests[TERN_POSIX_MORE], 2);
	assert_int_equal(send(ends[1], "e", 1, 0), 1);
	assert_int_equal(fake->requests[TERN_POSIX_MORE], 2);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void a_stream_never_connected_says_so_and_one_connected_is_widened(void **state)
{
	int ends[2], bytes = 0;
	socklen_t len = sizeof(bytes);
	char c = 'c';

	(void)state;
	fake_pair(SOCK_STREAM, 1, false, ends);
	(void)tern_shim_plain(SYS_setsockopt, ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, len);
	fake->page->narrow = 1;
	fake->last_error = -ENOTCONN;
	fails(read(ends[1], &c, 1), ENOTCONN);
	fails(write(ends[1], &c, 1), EPIPE);
	assert_int_equal(pipes, 1);
	fails(send(ends[1], &c, 1, MSG_NOSIGNAL), EPIPE);
	assert_int_equal(pipes, 1);
	fake->last_error = 0;
	assert_int_equal(send(ends[1], &c, 1, 0), 1);
	assert_int_equal(
		tern_shim_plain(SYS_getsockopt, ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, &len), 0);
	assert_int_equal(bytes, 2 * TERN_POSIX_SNDBUF);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* ---- datagrams */

struct dgram {
	struct tern_posix_dgram head;
	char data[100];
};

static void a_datagram_has_a_head_that_nobody_sees(void **state)
{
	struct sockaddr_in from, to = { .sin_family = AF_INET, .sin_port = 0x3500 };
	struct dgram d = { .head.remote.in = { .sin_family = AF_INET, .sin_port = 0x1234 } };
	socklen_t len = sizeof(from);
	char got[100] = "";
	int ends[2];

	(void)state;
	to.sin_addr.s_addr = 0x01020304;
	fake->page->dgrams = 1;
	fake_pair(SOCK_DGRAM, 1, false, ends);
	memcpy(d.data, "hello", 5);
	assert_int_equal(tern_shim_plain(SYS_write, ends[0], &d, sizeof(d.head) + 5),
			 sizeof(d.head) + 5);
	assert_int_equal(recvfrom(ends[1], got, sizeof(got), 0, (struct sockaddr *)&from, &len), 5);
	assert_string_equal(got, "hello");
	assert_int_equal(len, sizeof(from));
	assert_int_equal(from.sin_port, 0x1234);
	assert_int_equal(sendto(ends[1], "abc", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
	assert_int_equal(tern_shim_plain(SYS_read, ends[0], &d, sizeof(d)), sizeof(d.head) + 3);
	assert_memory_equal(&d.head.remote.in, &to, sizeof(to));
	assert_memory_equal(d.data, "abc", 3);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void an_empty_datagram_is_not_the_end_of_the_broker(void **state)
{
	struct dgram d = { .head.error = 0 };
	char got[4];
	int ends[2];

	(void)state;
	fake->page->dgrams = 1;
	fake_pair(SOCK_DGRAM, 1, false, ends);
	assert_int_equal(tern_shim_plain(SYS_write, ends[0], &d, sizeof(d.head)), sizeof(d.head));
	assert_int_equal(read(ends[1], got, sizeof(got)), 0);
	fake_kill();
	(void)close(ends[0]);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	fails(read(ends[1], got, sizeof(got)), ECONNRESET);
	fails(read(ends[1], got, sizeof(got)), EAGAIN);
	(void)close(ends[1]);
}

static void an_error_comes_in_its_place_in_the_queue(void **state)
{
	struct dgram d = { .head.error = ECONNREFUSED };
	char got[4];
	int ends[2];

	(void)state;
	fake->page->dgrams = 1;
	fake_pair(SOCK_DGRAM, 1, false, ends);
	assert_int_equal(tern_shim_plain(SYS_write, ends[0], &d, sizeof(d.head)), sizeof(d.head));
	d.head.error = 0;
	assert_int_equal(tern_shim_plain(SYS_write, ends[0], &d, sizeof(d.head) + 1),
			 sizeof(d.head) + 1);
	fails(recv(ends[1], got, sizeof(got), MSG_PEEK), ECONNREFUSED);
	assert_int_equal(recv(ends[1], got, sizeof(got), MSG_PEEK), 1);
	assert_int_equal(recv(ends[1], got, sizeof(got), 0), 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void who_sends_meets_an_error_that_waits(void **state)
{
	struct dgram d = { .head.error = ECONNREFUSED };
	int ends[2];

	(void)state;
	fake->page->dgrams = fake->page->dgram_error = 1;
	fake_pair(SOCK_DGRAM, 1, false, ends);
	tern_shim_mark(ends[1], TERN_SHIM_MARK_CONNECTED);
	assert_int_equal(tern_shim_plain(SYS_write, ends[0], &d, sizeof(d.head)), sizeof(d.head));
	fails(send(ends[1], "x", 1, 0), ECONNREFUSED);
	assert_int_equal(send(ends[1], "x", 1, 0), 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void what_linux_says_at_once_about_a_datagram(void **state)
{
	static char much[65508];
	struct sockaddr_in to = { .sin_family = AF_INET };
	int ends[2];

	(void)state;
	fake->page->dgrams = 1;
	fake_pair(SOCK_DGRAM, 1, false, ends);
	fails(send(ends[1], "x", 1, 0), EDESTADDRREQ);
	fails(write(ends[1], "x", 1), EDESTADDRREQ);
	to.sin_addr.s_addr = 0x01020304;
	fails(sendto(ends[1], "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
	to.sin_port = 1;
	fails(sendto(ends[1], "x", 1, 0, (struct sockaddr *)&to, sizeof(to) - 1), EINVAL);
	fails(sendto(ends[1], much, 65508, 0, (struct sockaddr *)&to, sizeof(to)), EMSGSIZE);
	assert_int_equal(sendto(ends[1], much, 65507, 0, (struct sockaddr *)&to, sizeof(to)),
			 65507);
	to.sin_family = AF_INET6;
	fails(sendto(ends[1], "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), EAFNOSUPPORT);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void many_pieces_are_one_datagram(void **state)
{
	static struct iovec pieces[1023];
	static char text[] = "xy";
	struct dgram d;
	unsigned int i;
	int ends[2];

	(void)state;
	fake->page->dgrams = 1;
	fake_pair(SOCK_DGRAM, 1, false, ends);
	tern_shim_mark(ends[1], TERN_SHIM_MARK_CONNECTED);
	for (i = 0; i < 1023; i++)
		pieces[i] = (struct iovec){ text, i % 16 == 0 };
	assert_int_equal(writev(ends[1], pieces, 1023), 64);
	assert_int_equal(tern_shim_plain(SYS_read, ends[0], &d, sizeof(d)), sizeof(d.head) + 64);
	assert_int_equal(writev(ends[1], pieces, 14), 1);
	assert_int_equal(writev(ends[1], pieces, 15), 1);
	assert_int_equal(writev(ends[1], pieces, 16), 1);
	assert_int_equal(writev(ends[1], pieces, 17), 2);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, fake_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_reset_reads_as_what_the_broker_knows),
		CASE(a_dead_brokers_connection_reads_as_reset),
		CASE(the_first_send_after_a_reset_tells_it_and_the_second_is_epipe),
		CASE(a_pair_of_the_programs_own_is_left_alone),
		CASE(a_stream_tells_no_senders_address),
		CASE(a_stream_sends_neither_addresses_nor_descriptors),
		CASE(flags_of_tcp_are_not_those_of_af_unix),
		CASE(an_urgent_byte_is_one_of_the_pairs_if_the_broker_says_so),
		CASE(msg_more_is_told_once_and_its_end_too),
		CASE(a_stream_never_connected_says_so_and_one_connected_is_widened),
		CASE(a_datagram_has_a_head_that_nobody_sees),
		CASE(an_empty_datagram_is_not_the_end_of_the_broker),
		CASE(an_error_comes_in_its_place_in_the_queue),
		CASE(who_sends_meets_an_error_that_waits),
		CASE(what_linux_says_at_once_about_a_datagram),
		CASE(many_pieces_are_one_datagram),
	};

	fake_answer = answer;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
