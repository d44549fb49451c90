/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void well_formed_characters_have_their_length(void **unused)
{
	(void)unused;
	assert_int_equal(tern_utf8_length("a", 1), 1);
	assert_int_equal(tern_utf8_length("\0", 1), 1);
	assert_int_equal(tern_utf8_length("\x7f", 1), 1);
	assert_int_equal(tern_utf8_length("\xc2\x80", 2), 2);
	assert_int_equal(tern_utf8_length("\xe0\xa0\x80", 3), 3);
	assert_int_equal(tern_utf8_length("\xed\x9f\xbf", 3), 3);
	assert_int_equal(tern_utf8_length("\xee\x80\x80", 3), 3);
	assert_int_equal(tern_utf8_length("\xf4\x8f\xbf\xbf", 4), 4);
}

static void overlong_surrogate_and_too_high_forms_are_refused(void **unused)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xc2\x7f",
		"\xc2\xc0",
		"\xe1\x80\x7f",
		"\xf1\x80\x80\xc0",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tern_utf8_length(bad[i], strlen(bad[i])), 0);
}

static void a_cut_character_is_none(void **unused)
{
	(void)unused;
	for (size_t n = 0; n < 4; n++)
		assert_int_equal(tern_utf8_length("\xf0\x9f\x90\xa6", n), 0);
	assert_int_equal(tern_utf8_length("\xf0\x9f\x90\xa6", 4), 4);
}

static void every_code_point_is_encoded_well_formed(void **unused)
{
	char out[4];

	(void)unused;
	for (uint32_t code = 0; code < 0x110000; code++) {
		size_t len;

		if (code >= 0xd800 && code < 0xe000)
			continue;
		len = tern_utf8_encode(code, out);
		assert_int_equal(tern_utf8_length(out, len), len);
	}
}

static void columns_count_characters_not_bytes(void **unused)
{
	(void)unused;
	assert_int_equal(tern_utf8_columns(""), 0);
	assert_int_equal(tern_utf8_columns("abc"), 3);
	assert_int_equal(tern_utf8_columns("◄─ ✗"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_characters_have_their_length),
		cmocka_unit_test(overlong_surrogate_and_too_high_forms_are_refused),
		cmocka_unit_test(a_cut_character_is_none),
		cmocka_unit_test(every_code_point_is_encoded_well_formed),
		cmocka_unit_test(columns_count_characters_not_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
