/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct tern_holder wanted[] = {
	{ 3, 7, 6, "nginx" }, { 3, 8, 5, "nginx" }, { 3, 8, 6, "nginx" },
	{ 3, 10, 1, "sh" },   { 5, 2, 9, "sshd" },  { UINT64_MAX, 1, 0, "init" },
};

enum { COUNT = sizeof(wanted) / sizeof(wanted[0]) };

static void holders_are_ordered_by_socket_process_and_descriptor(void **unused)
{
	static const int mixed[COUNT] = { 5, 2, 0, 4, 3, 1 };
	struct tern_holder rows[COUNT];

	(void)unused;
	for (int i = 0; i < COUNT; i++)
		rows[i] = wanted[mixed[i]];
	qsort(rows, COUNT, sizeof(rows[0]), tern_holder_order);
	for (int i = 0; i < COUNT; i++) {
		assert_true(rows[i].id == wanted[i].id);
		assert_int_equal(rows[i].pid, wanted[i].pid);
		assert_int_equal(rows[i].fd, wanted[i].fd);
		assert_int_equal(tern_holder_order(&rows[i], &wanted[i]), 0);
	}
}

static void those_of_a_socket_are_found_and_no_others(void **unused)
{
	static const struct {
		uint64_t id;
		size_t first, count;
	} want[] = {
		{ 0, 0, 0 }, { 1, 0, 0 }, { 2, 0, 0 },          { 3, 0, 4 },
		{ 4, 0, 0 }, { 5, 4, 1 }, { UINT64_MAX, 5, 1 },
	};
	const struct tern_holders all = { wanted, COUNT }, none = { 0 };

	(void)unused;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct tern_holders found = tern_holders_of(&all, want[i].id);

		assert_int_equal(found.count, want[i].count);
		if (found.count)
			assert_ptr_equal(found.rows, &wanted[want[i].first]);
		assert_int_equal(tern_holders_of(&none, want[i].id).count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holders_are_ordered_by_socket_process_and_descriptor),
		cmocka_unit_test(those_of_a_socket_are_found_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
