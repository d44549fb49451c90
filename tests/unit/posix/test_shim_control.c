/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shim's connection to the broker, with a broker made by hand: one of each process, out of the
 * way, and made again after all that programs do to descriptors.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <cmocka.h>

#include "unit/posix/fake_broker.h"

/* Gives back what was sent. */
static void answer(const struct tern_posix_request *req, struct tern_posix_reply *reply,
		   int *ret_fd)
{
	if (req->op == TERN_POSIX_LAST_ERROR) {
		reply->result = fake->last_error;
		return;
	}
	if (req->op == TERN_POSIX_OPEN)
		*ret_fd = dup(fake->page_fd);
	memcpy(reply->data, req->data, req->len);
	reply->len = req->len;
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* The descriptor of the connection, the highest one if there are several; -1: there is none. */
static int connection(void)
{
	struct sockaddr_un un;
	int fd;

	for (fd = 1023; fd >= 0; fd--) {
		socklen_t len = sizeof(un);

		if (getpeername(fd, (struct sockaddr *)&un, &len) == 0 &&
		    un.sun_family == AF_UNIX &&
		    memcmp(un.sun_path, tern_shim.prefix, sizeof(tern_shim.prefix) - 1) == 0)
			break;
	}
	return fd;
}

static void a_process_has_one_connection_high_up(void **state)
{
	int low = dup(0);

	(void)state;
	(void)close(low);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(fake->connections, 1);
	assert_int_equal(connection(), 1023);
	assert_int_equal(fcntl(connection(), F_GETFD), FD_CLOEXEC);
	assert_int_equal(dup(0), low);
	(void)close(low);
}

static void a_connection_stays_below_a_lower_limit(void **state)
{
	struct rlimit was, few;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(connection(), 99);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void a_connection_that_was_closed_is_made_again(void **state)
{
	(void)state;
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(close_range(3, ~0U, 0), 0);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(fake->connections, 2);
}

static void what_was_put_over_the_connection_is_left_alone(void **state)
{
	int other, top;

	(void)state;
	assert_int_equal(fake_touch(), 0);
	top = connection();
	other = open("/dev/null", O_RDWR);
	assert_int_equal(dup2(other, top), top);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(write(top, "x", 1), 1);
	assert_true(is_open(top - 1));
	(void)close(top);
	(void)close(other);
}

static void a_child_has_a_connection_of_its_own(void **state)
{
	int status, top;
	pid_t pid;

	(void)state;
	assert_int_equal(fake_touch(), 0);
	top = connection();
	pid = fork();
	if (pid == 0) {
		int done = fake_touch();

		/* what it inherited is closed, and its number used again */
		_exit(done == 0 && connection() == top && !is_open(top - 1) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fake->connections, 2);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(fake->connections, 2);
}

static void a_child_of_vfork_leaves_no_trace(void **state)
{
	volatile int done = -1;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(fake_touch(), 0);
	pid = vfork();
	if (pid == 0) {
		done = fake_touch();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(done, 0);
	assert_int_equal(fake->connections, 2);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(fake->connections, 2);
}

static void a_dead_broker_is_a_network_that_is_down(void **state)
{
	(void)state;
	assert_int_equal(fake_touch(), 0);
	fake_kill();
	errno = 77;
	assert_int_equal(fake_touch(), -ENETDOWN);
	assert_int_equal(errno, 77);
	assert_int_equal(socket(AF_INET, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, ENETDOWN);
	assert_int_equal(connection(), -1);
}

static void without_a_broker_everything_is_libcs(void **state)
{
	int fd, domain = 0;
	socklen_t len = sizeof(domain);

	(void)state;
	tern_shim.on = false;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len), 0);
	assert_int_equal(domain, AF_INET);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(fake->connections, 0);
	assert_int_equal(close(fd), 0);
}

static void a_reply_is_told_apart_from_a_lost_connection(void **state)
{
	(void)state;
	fake->last_error = -EPIPE;
	assert_int_equal(fake_touch(), -EPIPE);
	assert_int_equal(fake->requests[TERN_POSIX_LAST_ERROR], 1);
}

static void a_descriptor_comes_as_it_was_asked_for(void **state)
{
	int plain = socket(AF_INET, SOCK_STREAM, 0);
	int cloexec = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(fcntl(plain, F_GETFD), 0);
	assert_int_equal(fcntl(cloexec, F_GETFD), FD_CLOEXEC);
	(void)close(plain);
	(void)close(cloexec);
}

static void a_process_at_its_limit_gets_emfile(void **state)
{
	struct rlimit was, few;
	int low = dup(0);

	(void)state;
	(void)close(low);
	assert_int_equal(fake_touch(), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = (rlim_t)low;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(socket(AF_INET, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void *many_calls(void *argument)
{
	unsigned int i;

	for (i = 0; i < 500; i++) {
		unsigned int said[2] = { i, (unsigned int)(uintptr_t)argument }, heard[2] = { 0 };
		struct tern_shim_call call = {
			.op = TERN_POSIX_BIND,
			.data = said,
			.len = sizeof(said),
			.ret = heard,
			.ret_max = sizeof(heard),
		};

		if (tern_shim_call(&call) != 0 || memcmp(said, heard, sizeof(said)) != 0)
			return argument;
	}
	return NULL;
}

static void threads_do_not_get_each_others_replies(void **state)
{
	pthread_t threads[4];
	void *wrong;
	uintptr_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_calls, (void *)(i + 1)), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(fake->connections, 1);
}

static void on_alarm(int number)
{
	(void)number;
	(void)fake_touch();
}

static void a_signal_handler_may_make_requests(void **state)
{
	struct sigaction action = { .sa_handler = on_alarm }, was;
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, &was), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_null(many_calls((void *)1));
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &was, NULL), 0);
	assert_true(fake->requests[TERN_POSIX_LAST_ERROR] > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fake_start, fake_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_process_has_one_connection_high_up),
		CASE(a_connection_stays_below_a_lower_limit),
		CASE(what_was_put_over_the_connection_is_left_alone),
		CASE(a_child_has_a_connection_of_its_own),
		CASE(a_child_of_vfork_leaves_no_trace),
		CASE(a_dead_broker_is_a_network_that_is_down),
		CASE(without_a_broker_everything_is_libcs),
		CASE(a_reply_is_told_apart_from_a_lost_connection),
		CASE(a_descriptor_comes_as_it_was_asked_for),
		CASE(a_process_at_its_limit_gets_emfile),
		CASE(threads_do_not_get_each_others_replies),
		CASE(a_signal_handler_may_make_requests),
		CASE(a_connection_that_was_closed_is_made_again),
	};

	fake_answer = answer;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
