/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may ask for what: HELLO, strangers, nonsense, and processes that end. */
#include "unit/posix/bed.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "posix/internal.h"

static void expect_cut(int fd)
{
	char byte;

	assert_true(look(fd, POLLIN) & (POLLIN | POLLHUP));
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) <= 0);
	(void)close(fd);
}

static void hello_gives_a_page_that_can_only_be_read(void **state)
{
	int fd = dial(), page = hello(fd);
	struct sock s;
	void *at;

	(void)state;
	assert_true(page >= 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0), MAP_FAILED);
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, page, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(((struct tern_posix_page *)at)->dgrams, 0);
	s = open_as(AF_INET, SOCK_DGRAM);
	assert_int_equal(((struct tern_posix_page *)at)->dgrams, 1);
	drop(&s);
	settle();
	assert_int_equal(((struct tern_posix_page *)at)->dgrams, 0);
	assert_true(ftruncate(page, 0) < 0);
	(void)munmap(at, 4096);
	(void)close(page);
	(void)close(fd);
}

static void who_does_not_know_the_token_is_cut_off(void **state)
{
	struct tern_posix_request req = { .op = TERN_POSIX_HELLO };
	uint8_t secret[TERN_POSIX_TOKEN_LEN];
	int fd;

	(void)state;
	token(secret);
	for (unsigned int i = 0; i < TERN_POSIX_TOKEN_LEN; i++) {
		uint8_t wrong[TERN_POSIX_TOKEN_LEN];

		memcpy(wrong, secret, sizeof(wrong));
		wrong[i] ^= 1;
		fd = dial();
		post(fd, &req, wrong, sizeof(wrong));
		expect_cut(fd);
	}
	fd = dial();
	post(fd, &req, secret, sizeof(secret) - 1);
	expect_cut(fd);
	fd = dial();
	req.op = TERN_POSIX_OPEN;
	post(fd, &req, secret, sizeof(secret));
	expect_cut(fd);
}

static void messages_of_a_wrong_length_cost_the_connection(void **state)
{
	struct tern_posix_request req = { .op = TERN_POSIX_OPEN };
	static const size_t lens[] = { 0, 1, TERN_POSIX_REQUEST_HEAD - 1,
				       TERN_POSIX_REQUEST_HEAD + 1, sizeof(req) };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(lens); i++) {
		int fd = dial();

		(void)close(hello(fd));
		assert_int_equal(send(fd, &req, lens[i], 0), lens[i]);
		expect_cut(fd);
	}
	/* The others do not notice. */
	assert_int_equal(ask(TERN_POSIX_ADDRESSES, 0, 0), 0);
}

static void a_message_larger_than_any_request_costs_the_connection(void **state)
{
	static char large[100000];
	int fd = dial();

	(void)state;
	(void)close(hello(fd));
	assert_int_equal(send(fd, large, sizeof(large), 0), sizeof(large));
	expect_cut(fd);
}

static void a_length_that_lies_costs_the_connection(void **state)
{
	struct tern_posix_request req = { .op = TERN_POSIX_LOG, .len = TERN_POSIX_DATA_MAX + 1 };
	int fd = dial();

	(void)state;
	(void)close(hello(fd));
	assert_int_equal(send(fd, &req, sizeof(req), 0), sizeof(req));
	expect_cut(fd);
	req.len = UINT32_MAX;
	fd = dial();
	(void)close(hello(fd));
	assert_int_equal(send(fd, &req, TERN_POSIX_REQUEST_HEAD, 0), TERN_POSIX_REQUEST_HEAD);
	expect_cut(fd);
}

static void ids_that_are_nobodys_are_refused(void **state)
{
	struct sock s = open_stream();

	(void)state;
	for (uint32_t op = TERN_POSIX_RENEW; op <= TERN_POSIX_LAST_ERROR; op++) {
		if (op == TERN_POSIX_LINGER_CLOSED || op == TERN_POSIX_ADDRESSES)
			continue;
		assert_int_equal(ask(op, s.id + 1, 0), -EBADF);
		assert_int_equal(ask(op, 0, 0), -EBADF);
		assert_int_equal(ask(op, UINT64_MAX, 0), -EBADF);
	}
	drop(&s);
}

static void an_id_is_not_used_again(void **state)
{
	struct sock s = open_stream(), again;

	(void)state;
	drop(&s);
	settle();
	again = open_stream();
	assert_true(s.id != again.id);
	assert_int_equal(ask(TERN_POSIX_GETSOCKNAME, s.id, 0), -EBADF);
	assert_int_equal(ask(TERN_POSIX_GETSOCKNAME, again.id, 0), 0);
	drop(&again);
}

static void nonsense_in_valid_frames_is_answered_with_errors(void **state)
{
	struct sock s = open_stream();
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct tern_posix_request req = { 0 };
		uint32_t *word = (uint32_t *)(void *)&req;

		for (size_t k = 0; k < 64; k++)
			word[k] = seed = seed * 1664525u + 1013904223u;
		req.op = (seed >> 16) % 24;
		req.noreply = 0;
		req.id = seed >> 31 ? s.id : req.id;
		req.args[0] = (int32_t)(seed >> 8) % 70;
		req.args[1] = (int32_t)(seed >> 4) % 70;
		post(control, &req, req.data, (seed >> 9) % 200);
		assert_true(hear(control));
		if (answer_fd >= 0)
			(void)close(answer_fd);
	}
	drop(&s);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 0);
	assert_int_equal(broker->page->lingers, 0);
	assert_int_equal(broker->page->dgrams, 0);
	assert_int_equal(broker->page->narrow, 0);
}

static void who_does_not_read_his_replies_is_cut_off(void **state)
{
	struct tern_posix_request req = { .op = TERN_POSIX_ADDRESSES };
	int fd = dial(), sent = 0, idle = 0;

	(void)state;
	(void)close(hello(fd));
	while (idle < 100 && sent >= 0) {
		sent = (int)send(fd, &req, TERN_POSIX_REQUEST_HEAD, MSG_DONTWAIT | MSG_NOSIGNAL);
		idle = sent > 0 ? 0 : idle + 1;
		if (sent < 0 && errno == EAGAIN)
			sent = 0;
		turn();
	}
	assert_true(sent < 0);
	assert_int_equal(errno, EPIPE);
	(void)close(fd);
	assert_int_equal(ask(TERN_POSIX_ADDRESSES, 0, 0), 0);
}

static void requests_without_reply_get_none(void **state)
{
	struct sock s = open_stream();
	struct tern_posix_request req = { .op = TERN_POSIX_SETSOCKOPT,
					  .noreply = 1,
					  .id = s.id,
					  .args = { SOL_TCP, TCP_NODELAY } };
	int one = 1;

	(void)state;
	for (int i = 0; i < 40; i++)
		post(control, &req, &one, sizeof(one));
	assert_int_equal(get_int(s, SOL_TCP, TCP_NODELAY), 1);
	assert_int_equal(look(control, POLLIN), 0);
	drop(&s);
}

static void a_crowd_that_says_nothing_does_not_keep_programs_out(void **state)
{
	enum { CROWD = 200 };
	int crowd[CROWD], fd;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = dial();
		turn();
	}
	fd = dial();
	(void)close(hello(fd));
	for (int i = 0; i < CROWD; i++)
		(void)close(crowd[i]);
	settle();
	assert_int_equal(broker->processes_count, 2);
	(void)close(fd);
	settle();
	assert_int_equal(broker->processes_count, 1);
}

static void a_program_that_is_killed_frees_all_it_held(void **state)
{
	struct both x = join();
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		/* The child holds all; only the client is somebody else's. */
		(void)close(x.client.fd);
		(void)!write(ready[1], "", 1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	drop(&x.server);
	drop(&x.listener);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 3);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	expect_end(x.client.fd);
	assert_int_equal(tern_broker_sockets(broker), 1);
	assert_int_equal(tern_broker_listeners(broker), 0);
	drop(&x.client);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void a_line_is_logged_once_and_without_control_characters(void **state)
{
	static const char line[] = "this is\nnot supported\033[2J";
	struct tern_posix_request req = { .op = TERN_POSIX_LOG, .noreply = 1 };

	(void)state;
	for (int i = 0; i < 3; i++)
		post(control, &req, line, sizeof(line) - 1);
	assert_int_equal(ask(TERN_POSIX_ADDRESSES, 0, 0), 0);
	assert_int_equal(logged_lines, 1);
	assert_string_equal(logged, "this is?not supported?[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(hello_gives_a_page_that_can_only_be_read),
		BROKER_TEST(who_does_not_know_the_token_is_cut_off),
		BROKER_TEST(messages_of_a_wrong_length_cost_the_connection),
		BROKER_TEST(a_message_larger_than_any_request_costs_the_connection),
		BROKER_TEST(a_length_that_lies_costs_the_connection),
		BROKER_TEST(ids_that_are_nobodys_are_refused),
		BROKER_TEST(an_id_is_not_used_again),
		BROKER_TEST(nonsense_in_valid_frames_is_answered_with_errors),
		BROKER_TEST(who_does_not_read_his_replies_is_cut_off),
		BROKER_TEST(requests_without_reply_get_none),
		BROKER_TEST(a_crowd_that_says_nothing_does_not_keep_programs_out),
		BROKER_TEST(a_program_that_is_killed_frees_all_it_held),
		BROKER_TEST(a_line_is_logged_once_and_without_control_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
