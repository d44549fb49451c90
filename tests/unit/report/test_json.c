/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "report/json_read.h"
#include "report/sink.h"

static char buf[4096];
static struct tern_sink sink;
static struct tern_json json;

static void begin(bool indent)
{
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_json_init(&json, &sink, indent);
}

static void expect(const char *text)
{
	assert_false(sink.failed);
	tern_sink_char(&sink, '\0');
	assert_string_equal(buf, text);
}

static void objects_and_arrays_nest_with_commas_where_they_belong(void **unused)
{
	(void)unused;
	begin(false);
	tern_json_object(&json, NULL);
	tern_json_array(&json, "a");
	tern_json_u64(&json, NULL, 1);
	tern_json_object(&json, NULL);
	tern_json_end(&json);
	tern_json_array(&json, NULL);
	tern_json_end(&json);
	tern_json_end(&json);
	tern_json_bool(&json, "b", true);
	tern_json_bool(&json, "c", false);
	tern_json_null(&json, "d");
	tern_json_end(&json);
	expect("{\"a\":[1,{},[]],\"b\":true,\"c\":false,\"d\":null}\n");
}

static void top_level_values_have_a_line_each(void **unused)
{
	(void)unused;
	begin(false);
	tern_json_u64(&json, NULL, 1);
	tern_json_object(&json, NULL);
	tern_json_end(&json);
	tern_json_str(&json, NULL, "x");
	expect("1\n{}\n\"x\"\n");
}

static void indented_output_has_a_line_for_each_value(void **unused)
{
	(void)unused;
	begin(true);
	tern_json_object(&json, NULL);
	tern_json_str(&json, "a", "b");
	tern_json_array(&json, "c");
	tern_json_u64(&json, NULL, 1);
	tern_json_u64(&json, NULL, 2);
	tern_json_end(&json);
	tern_json_object(&json, "d");
	tern_json_end(&json);
	tern_json_end(&json);
	expect("{\n    \"a\": \"b\",\n"
	       "    \"c\": [\n        1,\n        2\n    ],\n    \"d\": {}\n}\n");
}

static void numbers_are_exact_at_their_ends(void **unused)
{
	(void)unused;
	begin(false);
	tern_json_array(&json, NULL);
	tern_json_u64(&json, NULL, 0);
	tern_json_u64(&json, NULL, UINT64_MAX);
	tern_json_fixed(&json, NULL, 1234, 3);
	tern_json_fixed(&json, NULL, 5, 6);
	tern_json_end(&json);
	expect("[0,18446744073709551615,1.234,0.000005]\n");
}

static void strings_are_escaped(void **unused)
{
	(void)unused;
	begin(false);
	tern_json_strn(&json, NULL, "a\"b\\c\b\f\n\r\t\x01\x1f\x7f\0z", 15);
	expect("\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000z\"\n");
}

static void bytes_that_are_no_utf8_are_replaced_one_by_one(void **unused)
{
	(void)unused;
	begin(false);
	tern_json_str(&json, NULL, "ü\xff\xe2\x82€\xc0\x80");
	expect("\"ü\\ufffd\\ufffd\\ufffd€\\ufffd\\ufffd\"\n");
}

static void keys_are_escaped_like_strings(void **unused)
{
	(void)unused;
	begin(false);
	tern_json_object(&json, NULL);
	tern_json_str(&json, "\"\n", NULL);
	tern_json_end(&json);
	expect("{\"\\\"\\n\":null}\n");
}

static void any_two_bytes_make_a_string_that_our_reader_takes(void **unused)
{
	(void)unused;
	for (unsigned int i = 1; i < 65536; i++) {
		char bytes[2] = { (char)(i >> 8), (char)i };
		struct tern_json_reader reader;
		struct tern_json_token token;

		if (!bytes[0] || !bytes[1])
			continue;
		begin(false);
		tern_json_strn(&json, NULL, bytes, 2);
		tern_json_reader_init(&reader, buf, sink.len, 1);
		assert_int_equal(tern_json_next(&reader, &token), 1);
		assert_int_equal(token.kind, TERN_JSON_STRING);
		if (i < 0x8000 && !(i & 0x80))
			assert_memory_equal(token.str, bytes, 3 - 1);
		assert_int_equal(tern_json_next(&reader, &token), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_and_arrays_nest_with_commas_where_they_belong),
		cmocka_unit_test(top_level_values_have_a_line_each),
		cmocka_unit_test(indented_output_has_a_line_for_each_value),
		cmocka_unit_test(numbers_are_exact_at_their_ends),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced_one_by_one),
		cmocka_unit_test(keys_are_escaped_like_strings),
		cmocka_unit_test(any_two_bytes_make_a_string_that_our_reader_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
