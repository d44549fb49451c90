/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit/golden.h: comparison of a text with a committed file under tests/golden.
 *
 * With TERN_GOLDEN_UPDATE set in the environment the file is written instead; the change then
 * shows in the diff.
 */
#ifndef TERN_TESTS_UNIT_GOLDEN_H
#define TERN_TESTS_UNIT_GOLDEN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN_MAX (256 * 1024)

/* Fails the test unless tests/golden/NAME holds exactly the len bytes at text. */
static inline void assert_golden(const char *name, const char *text, size_t len)
{
	static char want[GOLDEN_MAX];
	const char *source = getenv("TERN_SOURCE");
	char path[512];
	size_t got;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/golden/%s", source ? source : ".", name);
	if (getenv("TERN_GOLDEN_UPDATE")) {
		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(text, 1, len, f), len);
		assert_int_equal(fclose(f), 0);
		return;
	}
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: not there", path);
	got = fread(want, 1, sizeof(want), f);
	fclose(f);
	if (got != len || memcmp(want, text, len) != 0)
		fail_msg("%s differs; now it would be:\n%.*s", path, (int)len, text);
}

#endif
