/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc/self/fdinfo says about an epoll descriptor: as the kernel writes it now, as it is
 * documented, and lines that are something else.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "posix/shim.h"

static bool parse(const char *line, struct tern_shim_epoll_line *ret_line)
{
	return tern_shim_epoll_parse(line, strlen(line), ret_line);
}

static void a_line_of_the_documentation_is_read(void **state)
{
	struct tern_shim_epoll_line got;

	(void)state;
	assert_true(parse("tfd:        5 events:       1d data: ffffffffffffffff  pos:0 "
			  "ino:61af sdev:7",
			  &got));
	assert_int_equal(got.tfd, 5);
	assert_int_equal(got.events, 0x1d);
	assert_true(got.data == UINT64_MAX);
	assert_int_equal(got.ino, 0x61af);
}

static void the_running_kernel_is_understood(void **state)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789abcdef };
	int ep = epoll_create1(EPOLL_CLOEXEC), ends[2];
	struct tern_shim_epoll_line got;
	char path[64], line[256];
	bool found = false;
	struct stat st;
	FILE *f;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(fstat(ends[0], &st), 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!parse(line, &got))
			continue;
		assert_false(found);
		found = true;
		assert_int_equal(got.tfd, ends[0]);
		assert_int_equal(got.events & (EPOLLIN | EPOLLOUT | EPOLLET), EPOLLIN | EPOLLET);
		assert_true(got.data == 0x123456789abcdef);
		assert_true(got.ino == st.st_ino);
	}
	assert_true(found);
	(void)fclose(f);
	(void)close(ep);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void other_lines_are_passed_over(void **state)
{
	static const char *const lines[] = {
		"",
		"pos:\t0",
		"flags:\t02000002",
		"mnt_id:\t15",
		"tfd:",
		"tfd: x",
		"tfd: 5 events: 1d",
		"tfd: 5 events: 1d data: zz pos:0 ino:1 sdev:1",
		"tfd: 5 events: 1d data: 1 pos:0",
	};
	struct tern_shim_epoll_line got = { .tfd = 77 };
	size_t i;

	(void)state;
	for (i = 0; i < TERN_ARRAY_SIZE(lines); i++)
		assert_false(parse(lines[i], &got));
	assert_int_equal(got.tfd, 77);
}

static void a_line_that_is_cut_is_not_read_beyond(void **state)
{
	static const char line[] = "tfd: 5 events: 1d data: 1 pos:0 ino:1";
	struct tern_shim_epoll_line got;
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(line) - 1; len++)
		assert_false(tern_shim_epoll_parse(line, len, &got));
	assert_true(tern_shim_epoll_parse(line, len, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_the_documentation_is_read),
		cmocka_unit_test(the_running_kernel_is_understood),
		cmocka_unit_test(other_lines_are_passed_over),
		cmocka_unit_test(a_line_that_is_cut_is_not_read_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
