/* SPDX-License-Identifier: BSD-2-Clause */
/* Who holds which socket, as /proc tells: children, copies, many. */
#include "unit/posix/bed.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "posix/internal.h"

enum { MANY = 2000, COPY = 700 };

static struct tern_holder *found;
static unsigned int count;

static void search(void)
{
	free(found);
	found = NULL;
	assert_int_equal(tern_broker_holders(broker, &found, &count), 0);
}

/* A child that has what this process has now, and waits until it is killed. */
static pid_t child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void nobody_holds_anything_at_first(void **state)
{
	(void)state;
	search();
	assert_int_equal(count, 0);
	assert_null(found);
}

static void the_broker_itself_is_no_holder(void **state)
{
	struct sock s = open_stream();

	(void)state;
	search();
	assert_int_equal(count, 0);
	drop(&s);
}

static void each_descriptor_of_each_process_is_found(void **state)
{
	struct sock s = open_stream(), listener = open_listener(PORT, 5);
	tern_id id = tern_sock_id(tern_broker_socks(broker), tern_pair_find(broker, s.id)->sock);
	pid_t one, two;

	(void)state;
	assert_int_equal(dup2(s.fd, COPY), COPY);
	one = child();
	(void)close(COPY);
	two = child();
	search();
	assert_int_equal(count, 5);
	for (unsigned int i = 0; i < count; i++) {
		const struct tern_holder *h = &found[i];

		assert_true(h->pid == one || h->pid == two);
		assert_string_equal(h->name, "test_posix_hold"); /* a comm has 15 characters */
		if (h->id == id)
			assert_true(h->fd == s.fd || (h->fd == COPY && h->pid == one));
		else
			assert_int_equal(h->fd, listener.fd);
		assert_true(i == 0 || tern_holder_order(h - 1, h) < 0);
	}
	end(one);
	search();
	assert_int_equal(count, 2);
	end(two);
	search();
	assert_int_equal(count, 0);
	drop(&s);
	drop(&listener);
}

static void two_thousand_are_found_in_no_time(void **state)
{
	static struct sock all[MANY];
	uint64_t begun, took;
	pid_t pid;

	(void)state;
	for (int i = 0; i < MANY; i++)
		all[i] = open_stream();
	pid = child();
	begun = tern_loop_now();
	search();
	took = tern_loop_now() - begun;
	assert_int_equal(count, MANY);
	assert_true(took < S / 2);
	end(pid);
	for (int i = 0; i < MANY; i++)
		drop(&all[i]);
}

static int tear_down(void **state)
{
	free(found);
	found = NULL;
	return bed_tear_down(state);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bed_set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nobody_holds_anything_at_first),
		CASE(the_broker_itself_is_no_holder),
		CASE(each_descriptor_of_each_process_is_found),
		CASE(two_thousand_are_found_in_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
