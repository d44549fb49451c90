/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that change what a descriptor is, with pairs and a broker made by hand: accept() as a
 * message, connect() as a wait, a kernel socket or a new pair in the place of the old one.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <cmocka.h>

#include "unit/posix/fake_broker.h"

static int connect_result, so_error, renewals; /* of the broker's process: set before it starts */

/* TCP_NODELAY was set on every socket. */
static void give_settings(struct tern_posix_reply *reply)
{
	struct tern_posix_setting set = { IPPROTO_TCP, TCP_NODELAY, sizeof(int), { 1 } };

	memcpy(reply->data, &set, sizeof(set));
	reply->len = sizeof(set);
}

static void answer(const struct tern_posix_request *req, struct tern_posix_reply *reply,
		   int *ret_fd)
{
	int ends[2];

	switch ((enum tern_posix_op)req->op) {
	case TERN_POSIX_CONNECT:
		reply->result = connect_result;
		if (connect_result == -ESTALE && renewals)
			reply->result = 0;
		break;
	case TERN_POSIX_RENEW:
		fake_pair(SOCK_STREAM, 2, false, ends);
		*ret_fd = ends[1]; /* the other end stays open here */
		renewals++;
		break;
	case TERN_POSIX_GETSOCKOPT:
		memcpy(reply->data, &so_error, sizeof(so_error));
		reply->len = sizeof(so_error);
		break;
	case TERN_POSIX_GETSOCKNAME:
		reply->result = -EINVAL;
		break;
	case TERN_POSIX_SETTINGS:
		give_settings(reply);
		break;
	default:
		break;
	}
}

static int start(void **state)
{
	connect_result = -EINPROGRESS;
	so_error = renewals = 0;
	return fake_start(state);
}

static int start_refusing(void **state)
{
	connect_result = -EINPROGRESS;
	so_error = ECONNREFUSED;
	return fake_start(state);
}

static int start_stale(void **state)
{
	connect_result = -ESTALE;
	so_error = renewals = 0;
	return fake_start(state);
}

static const struct sockaddr_in far_away = { .sin_family = AF_INET,
					     .sin_port = 0x3500,
					     .sin_addr.s_addr = 0x04030201 };

static void fails(long got, int error)
{
	assert_int_equal(got, -1);
	assert_int_equal(errno, error);
	errno = 0;
}

static int connect_to(int fd, const struct sockaddr_in *addr)
{
	return connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
}

/* A fresh stream: nothing can be written. */
static void fresh_pair(int ret_ends[2])
{
	int least = 0, i;

	fake_pair(SOCK_STREAM, 1, false, ret_ends);
	(void)tern_shim_plain(SYS_setsockopt, ret_ends[1], SOL_SOCKET, SO_SNDBUF, &least,
			      sizeof(least));
	for (i = 0; i < 64; i++)
		if (tern_shim_plain(SYS_sendto, ret_ends[1], "f", 1, MSG_DONTWAIT, NULL, 0) != 1)
			break;
}

static void close_both(int ends[2])
{
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* ---- accept() */

static void listening_pair(int ret_ends[2])
{
	fake_pair(SOCK_STREAM, 1, false, ret_ends);
	assert_int_equal(listen(ret_ends[1], 5), 0);
}

static void hand_over(int to, int fd, bool nonblock)
{
	struct tern_posix_accepted got = {
		.nonblock = nonblock,
		.remote.in = { .sin_family = AF_INET, .sin_port = 0x1234 },
	};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { &got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_LEN(sizeof(int)) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	assert_int_equal(tern_shim_plain(SYS_sendmsg, to, &msg, 0), sizeof(got));
}

static void accept_takes_one_connection_with_its_address(void **state)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int ends[2], conn[2], got;

	(void)state;
	listening_pair(ends);
	fake_pair(SOCK_STREAM, 7, true, conn);
	hand_over(ends[0], conn[1], false);
	hand_over(ends[0], conn[1], false);
	got = accept(ends[1], (struct sockaddr *)&from, &len);
	assert_true(got >= 0);
	assert_int_equal(from.sin_port, 0x1234);
	assert_int_equal(len, sizeof(from));
	assert_int_equal(fcntl(got, F_GETFD), 0);
	assert_int_equal(fcntl(got, F_GETFL) & O_NONBLOCK, 0);
	(void)close(got);
	got = accept4(ends[1], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(got, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	(void)close(got);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	fails(accept(ends[1], NULL, NULL), EAGAIN);
	close_both(conn);
	close_both(ends);
}

static void accept_at_the_limit_leaves_the_connection_in_the_queue(void **state)
{
	struct rlimit was, few;
	int ends[2], conn[2], lowest, got;

	(void)state;
	listening_pair(ends);
	fake_pair(SOCK_STREAM, 7, true, conn);
	hand_over(ends[0], conn[1], false);
	lowest = dup(0);
	(void)close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	got = accept(ends[1], NULL, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	fails(got, EMFILE);
	got = accept(ends[1], NULL, NULL);
	assert_int_equal(got, lowest);
	(void)close(got);
	close_both(conn);
	close_both(ends);
}

static void accept_ends_when_the_listener_is_shut_down(void **state)
{
	int ends[2];

	(void)state;
	listening_pair(ends);
	assert_int_equal(shutdown(ends[1], SHUT_RD), 0);
	fails(accept(ends[1], NULL, NULL), EINVAL);
	close_both(ends);
}

static void a_listener_whose_broker_died_says_so_once_and_is_silent(void **state)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ends[2], ep = epoll_create1(EPOLL_CLOEXEC), copy;

	(void)state;
	listening_pair(ends);
	copy = dup(ends[1]);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, copy, &event), 0);
	fake_kill();
	(void)close(ends[0]);
	assert_int_equal(epoll_wait(ep, &event, 1, 0), 1);
	fails(accept(ends[1], NULL, NULL), ENETDOWN);
	assert_int_equal(epoll_wait(ep, &event, 1, 20), 0);
	fails(accept(copy, NULL, NULL), EAGAIN);
	(void)close(ep);
	(void)close(copy);
	(void)close(ends[1]);
}

static void accept_wants_a_listener(void **state)
{
	int ends[2];

	(void)state;
	fake_pair(SOCK_STREAM, 1, false, ends);
	fails(accept(ends[1], NULL, NULL), EINVAL);
	close_both(ends);
	fake_pair(SOCK_DGRAM, 1, false, ends);
	fails(accept(ends[1], NULL, NULL), EOPNOTSUPP);
	close_both(ends);
}

static void accept_times_out(void **state)
{
	struct timeval soon = { 0, 20000 };
	int ends[2];

	(void)state;
	listening_pair(ends);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	fails(accept(ends[1], NULL, NULL), EAGAIN);
	close_both(ends);
}

/* ---- connect() */

static void connect_returns_at_once_if_it_must_not_wait(void **state)
{
	int ends[2];

	(void)state;
	fresh_pair(ends);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	fails(connect_to(ends[1], &far_away), EINPROGRESS);
	close_both(ends);
}

/* Drains the pair after a while, as the broker does when the connection is established. */
static pid_t drain_later(int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		char some[64];

		(void)usleep(50000);
		_exit(tern_shim_plain(SYS_read, fd, some, sizeof(some)) > 0 ? 0 : 1);
	}
	return pid;
}

static void connect_waits_for_room_and_leaves_its_byte(void **state)
{
	int ends[2], bytes = 0, status;
	socklen_t len = sizeof(bytes);
	pid_t pid;
	char c;

	(void)state;
	fresh_pair(ends);
	pid = drain_later(ends[0]);
	assert_int_equal(connect_to(ends[1], &far_away), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(tern_shim_plain(SYS_read, ends[0], &c, 1), 1);
	assert_int_equal(
		tern_shim_plain(SYS_getsockopt, ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, &len), 0);
	assert_int_equal(bytes, 2 * TERN_POSIX_SNDBUF);
	close_both(ends);
}

static void connect_tells_why_it_failed(void **state)
{
	int ends[2];

	(void)state;
	fresh_pair(ends);
	(void)close(ends[0]);
	fails(connect_to(ends[1], &far_away), ECONNREFUSED);
	(void)close(ends[1]);
}

static void on_alarm(int number)
{
	(void)number;
}

static void connect_is_interrupted_or_timed_out_and_says_so_to_the_broker(void **state)
{
	struct sigaction action = { .sa_handler = on_alarm }, was;
	struct itimerval once = { { 0, 0 }, { 0, 20000 } };
	struct timeval soon = { 0, 20000 };
	int ends[2];

	(void)state;
	fresh_pair(ends);
	assert_int_equal(sigaction(SIGALRM, &action, &was), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &once, NULL), 0);
	fails(connect_to(ends[1], &far_away), EINTR);
	assert_int_equal(sigaction(SIGALRM, &was, NULL), 0);
	assert_int_equal(fake->requests[TERN_POSIX_CONNECT_UNWAIT], 1);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)), 0);
	fails(connect_to(ends[1], &far_away), EINPROGRESS);
	assert_int_equal(fake->requests[TERN_POSIX_CONNECT_UNWAIT], 2);
	close_both(ends);
}

/* ---- another socket in the place of a pair */

struct places {
	int fds[3];    /* one socket */
	int epolls[2]; /* fds[0] in both, fds[1] in the first */
	struct stat before;
};

static void lay_out(struct places *p, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 100 };

	p->fds[0] = fd;
	assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
	p->fds[1] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	p->fds[2] = dup(fd);
	p->epolls[0] = epoll_create1(EPOLL_CLOEXEC);
	p->epolls[1] = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(epoll_ctl(p->epolls[0], EPOLL_CTL_ADD, p->fds[0], &event), 0);
	event.data.u64 = 200;
	assert_int_equal(epoll_ctl(p->epolls[1], EPOLL_CTL_ADD, p->fds[0], &event), 0);
	event.data.u64 = 300;
	event.events = EPOLLIN | EPOLLONESHOT;
	assert_int_equal(epoll_ctl(p->epolls[0], EPOLL_CTL_ADD, p->fds[1], &event), 0);
	assert_int_equal(fstat(fd, &p->before), 0);
}

/* One event of one registration. */
static void expect_event(int ep, uint64_t data)
{
	struct epoll_event got[4];
	int n = epoll_wait(ep, got, 4, 1000), i;
	bool found = false;

	for (i = 0; i < n; i++)
		found |= got[i].data.u64 == data && (got[i].events & EPOLLIN);
	assert_true(found);
}

static void check_places(struct places *p)
{
	struct stat now[3];
	int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(fstat(p->fds[i], &now[i]), 0);
	assert_true(now[0].st_ino != p->before.st_ino);
	assert_true(now[0].st_ino == now[1].st_ino && now[1].st_ino == now[2].st_ino);
	assert_int_equal(fcntl(p->fds[0], F_GETFD), 0);
	assert_int_equal(fcntl(p->fds[1], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(p->fds[2], F_GETFD), 0);
}

static void leave(struct places *p)
{
	int i;

	for (i = 0; i < 3; i++)
		(void)close(p->fds[i]);
	(void)close(p->epolls[0]);
	(void)close(p->epolls[1]);
}

static void the_loopback_takes_the_place_of_a_pair_everywhere(void **state)
{
	struct sockaddr_in lo = { .sin_family = AF_INET };
	socklen_t len = sizeof(lo);
	int listener = (int)tern_shim_plain(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ends[2], conn, value = 0;
	struct places p;

	(void)state;
	memcpy(&lo.sin_addr, (uint8_t[]){ 127, 0, 0, 1 }, 4);
	assert_int_equal(bind(listener, (struct sockaddr *)&lo, sizeof(lo)), 0);
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&lo, &len), 0);
	fresh_pair(ends);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	lay_out(&p, ends[1]);
	if (connect_to(ends[1], &lo) < 0)
		fails(-1, EINPROGRESS);
	conn = accept(listener, NULL, NULL);
	assert_true(conn >= 0);
	check_places(&p);
	assert_int_equal(fcntl(p.fds[2], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	len = sizeof(value);
	assert_int_equal(getsockopt(p.fds[0], SOL_SOCKET, SO_DOMAIN, &value, &len), 0);
	assert_int_equal(value, AF_INET);
	assert_int_equal(getsockopt(p.fds[0], IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	assert_int_equal(value, 1);
	assert_int_equal(write(conn, "x", 1), 1);
	expect_event(p.epolls[0], 100);
	expect_event(p.epolls[1], 200);
	leave(&p);
	(void)close(ends[0]);
	(void)close(conn);
	(void)close(listener);
}

static void a_used_up_pair_is_renewed_everywhere(void **state)
{
	struct tern_shim_sock sock;
	struct places p;
	int ends[2];

	(void)state;
	fresh_pair(ends);
	lay_out(&p, ends[1]);
	(void)close(ends[0]);
	assert_int_equal(connect_to(ends[1], &far_away), 0);
	assert_int_equal(fake->requests[TERN_POSIX_CONNECT], 2);
	assert_int_equal(fake->requests[TERN_POSIX_RENEW], 1);
	check_places(&p);
	assert_true(tern_shim_find(p.fds[1], &sock));
	assert_true(sock.id == 2);
	leave(&p);
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, start, fake_stop)
#define CASE_OF(name, st) cmocka_unit_test_setup_teardown(name, st, fake_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(accept_takes_one_connection_with_its_address),
		CASE(accept_at_the_limit_leaves_the_connection_in_the_queue),
		CASE(accept_ends_when_the_listener_is_shut_down),
		CASE(a_listener_whose_broker_died_says_so_once_and_is_silent),
		CASE(accept_wants_a_listener),
		CASE(accept_times_out),
		CASE(connect_returns_at_once_if_it_must_not_wait),
		CASE(connect_waits_for_room_and_leaves_its_byte),
		CASE_OF(connect_tells_why_it_failed, start_refusing),
		CASE(connect_is_interrupted_or_timed_out_and_says_so_to_the_broker),
		CASE(the_loopback_takes_the_place_of_a_pair_everywhere),
		CASE_OF(a_used_up_pair_is_renewed_everywhere, start_stale),
	};

	fake_answer = answer;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
