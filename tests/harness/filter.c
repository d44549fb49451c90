/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/filter.c: linked into every test program; runs before its main().
 *
 * With TERN_TEST=PATTERN in the environment only the cases whose names match run. `*` is any run of
 * characters, `?` any one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void filter_by_environment(void)
{
	const char *pattern = getenv("TERN_TEST");

	if (pattern)
		cmocka_set_test_filter(pattern);
}
