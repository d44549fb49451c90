/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of brokers' ends: what is read out of them, and which names are not ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "posix/shim.h"

#define RUN_A "\0tern/0123456789abcdef/"
#define RUN_B "\0tern/0123456789abcdee/"

static const size_t whole = offsetof(struct sockaddr_un, sun_path) + sizeof(struct tern_posix_name);

static struct sockaddr_un name_of(const char *prefix)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct tern_posix_name name = {
		.type = SOCK_STREAM,
		.domain = AF_INET6,
		.accepted = 1,
	};
	uint64_t id = 0x1122334455667788;

	memcpy(name.prefix, prefix, sizeof(name.prefix));
	memcpy(name.id, &id, sizeof(id));
	memset(name.local, 1, sizeof(name.local));
	memset(name.remote, 2, sizeof(name.remote));
	memcpy(un.sun_path, &name, sizeof(name));
	return un;
}

static void a_name_tells_everything_about_the_socket(void **state)
{
	struct sockaddr_un un = name_of(RUN_A);
	struct tern_shim_sock got;

	(void)state;
	assert_true(tern_shim_name_parse(&un, whole, RUN_A, &got));
	assert_true(got.id == 0x1122334455667788);
	assert_int_equal(got.type, SOCK_STREAM);
	assert_int_equal(got.domain, AF_INET6);
	assert_true(got.accepted);
	assert_memory_equal(&got.local, "\1\1\1\1\1\1\1\1", 8);
	assert_memory_equal(&got.remote, "\2\2\2\2\2\2\2\2", 8);
}

static void a_name_of_another_run_is_not_ours(void **state)
{
	struct sockaddr_un un = name_of(RUN_B);
	struct tern_shim_sock got;

	(void)state;
	assert_false(tern_shim_name_parse(&un, whole, RUN_A, &got));
	assert_true(tern_shim_name_parse(&un, whole, RUN_B, &got));
}

static void a_name_of_another_length_is_not_ours(void **state)
{
	struct sockaddr_un un = name_of(RUN_A);
	struct tern_shim_sock got;

	(void)state;
	assert_false(tern_shim_name_parse(&un, whole - 1, RUN_A, &got));
	assert_false(tern_shim_name_parse(&un, whole + 1, RUN_A, &got));
	assert_false(tern_shim_name_parse(&un, sizeof(sa_family_t), RUN_A, &got));
	assert_false(tern_shim_name_parse(&un, 0, RUN_A, &got));
}

static void an_address_of_another_family_is_not_ours(void **state)
{
	struct sockaddr_un un = name_of(RUN_A);
	struct tern_shim_sock got;

	(void)state;
	un.sun_family = AF_INET6;
	assert_false(tern_shim_name_parse(&un, whole, RUN_A, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_tells_everything_about_the_socket),
		cmocka_unit_test(a_name_of_another_run_is_not_ours),
		cmocka_unit_test(a_name_of_another_length_is_not_ours),
		cmocka_unit_test(an_address_of_another_family_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
