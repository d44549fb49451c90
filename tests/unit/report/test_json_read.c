/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/json_read.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Reads a whole text, copied to memory of exactly its size so that a read beyond it is caught, and
 * returns 0 or the first error. What was read is written to `seen`.
 */
static char seen[8192];

static void note(const struct tern_json_token *token)
{
	static const char *const kinds[] = { "{", "[", "end", "str", "num", "bool", "null" };
	size_t len = strlen(seen);
	int n = snprintf(seen + len, sizeof(seen) - len, "%s.%s:%s", token->parent, token->key,
			 kinds[token->kind]);

	len += (size_t)n;
	if (token->kind == TERN_JSON_STRING)
		n = snprintf(seen + len, sizeof(seen) - len, "(%s)", token->str);
	else if (token->kind == TERN_JSON_NUMBER && token->integer)
		n = snprintf(seen + len, sizeof(seen) - len, "(%s%llu)", token->negative ? "-" : "",
			     (unsigned long long)token->number);
	else if (token->kind == TERN_JSON_BOOL)
		n = snprintf(seen + len, sizeof(seen) - len, "(%d)", token->boolean);
	else
		n = 0;
	snprintf(seen + len + n, sizeof(seen) - len - (size_t)n, " ");
}

static int read_bytes(const char *text, size_t len, unsigned int depth)
{
	struct tern_json_reader reader;
	struct tern_json_token token;
	char *copy = malloc(len + !len);
	int got;

	assert_non_null(copy);
	memcpy(copy, text, len);
	seen[0] = '\0';
	tern_json_reader_init(&reader, copy, len, depth);
	while ((got = tern_json_next(&reader, &token)) > 0)
		note(&token);
	if (got < 0)
		assert_int_equal(tern_json_next(&reader, &token), -EINVAL);
	free(copy);
	return got;
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text), TERN_JSON_READ_DEPTH);
}

static void a_flat_object_is_read_token_by_token(void **unused)
{
	(void)unused;
	assert_int_equal(read_text(" { \"what\" : \"ss\" , \"n\":42,\"all\":true,\"x\":null }\r\n"),
			 0);
	assert_string_equal(seen, ".:{ .what:str(ss) .n:num(42) .all:bool(1) .x:null .:end ");
}

static void nested_values_carry_the_key_of_the_object_around_them(void **unused)
{
	(void)unused;
	assert_int_equal(read_text("{\"a\":{\"b\":1,\"c\":[2,{\"d\":3}]},\"e\":4}"), 0);
	assert_string_equal(seen, ".:{ .a:{ a.b:num(1) a.c:[ c.:num(2) c.:{ .d:num(3) c.:end "
				  "a.c:end .a:end .e:num(4) .:end ");
}

static void numbers_are_read_to_the_last_digit(void **unused)
{
	(void)unused;
	assert_int_equal(read_text("[0,-0,18446744073709551615,-1,1.5,1e9,0.0E-7]"), 0);
	assert_string_equal(seen, ".:[ .:num(0) .:num(-0) .:num(18446744073709551615) .:num(-1) "
				  ".:num .:num .:num .:end ");
	assert_int_equal(read_text("18446744073709551616"), -ERANGE);
	assert_int_equal(read_text("18446744073709551616.5"), 0);
}

static void escapes_become_what_they_stand_for(void **unused)
{
	(void)unused;
	assert_int_equal(read_text("\"\\\"\\\\\\/\\n\\u0041\\u00fc\\u20AC\\ud83d\\udc26\""), 0);
	assert_string_equal(seen, ".:str(\"\\/\nAü€🐦) ");
}

static const char *const not_json[] = {
	"",
	" ",
	"{",
	"}",
	"[",
	"]",
	"{]",
	"[}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,}",
	"[1,]",
	"[,1]",
	"[1 2]",
	"{\"a\" 1}",
	"{a:1}",
	"{'a':1}",
	"{\"a\":1}}",
	"{}{}",
	"1 2",
	"{\"a\":1 \"b\":2}",
	"01",
	"-",
	"+1",
	"1.",
	".5",
	"1e",
	"1e+",
	"0x1",
	"1a",
	"- 1",
	"tru",
	"truee",
	"True",
	"nul",
	"nan",
	"Infinity",
	"\"",
	"\"a",
	"\"\\\"",
	"\"\\x41\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\ud800\"",
	"\"\\ud800\\u0041\"",
	"\"\\udc00\"",
	"\"\\ud800\\ud800\"",
	"\"\\u0000\"",
	"\"\t\"",
	"\"\n\"",
	"\"\xff\"",
	"\"\xc0\x80\"",
	"/* */ 1",
	"1 // one",
	"{1:2}",
	"{\"a\":1,\"b\"",
	"{\"a\":1,\"b\":",
	"[[]",
	"\xef\xbb\xbf{}",
};

static void what_is_not_json_is_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(not_json) / sizeof(not_json[0]); i++) {
		if (read_text(not_json[i]) != -EINVAL)
			fail_msg("taken: %s", not_json[i]);
	}
	assert_int_equal(read_bytes("{}\0", 3, 1), -EINVAL);
	assert_int_equal(read_bytes("\"a\0b\"", 5, 1), -EINVAL);
}

static void depth_is_limited(void **unused)
{
	(void)unused;
	assert_int_equal(read_bytes("1", 1, 0), 0);
	assert_int_equal(read_bytes("{}", 2, 0), -E2BIG);
	assert_int_equal(read_bytes("{\"a\":1}", 7, 1), 0);
	assert_int_equal(read_bytes("{\"a\":[]}", 8, 1), -E2BIG);
	assert_int_equal(read_text("[[[[]]]]"), 0);
	assert_int_equal(read_text("[[[[[]]]]]"), -E2BIG);
}

/* A string or a key of n letters around the limits. */
static int read_long(size_t n, bool key)
{
	static char text[2048];

	memset(text, 'x', sizeof(text));
	text[0] = key ? '{' : '[';
	text[1] = '"';
	text[n + 2] = '"';
	memcpy(text + n + 3, key ? ":1}" : "]", key ? 4 : 2);
	return read_text(text);
}

static void lengths_are_limited(void **unused)
{
	(void)unused;
	assert_int_equal(read_long(TERN_JSON_READ_STRING - 1, false), 0);
	assert_int_equal(read_long(TERN_JSON_READ_STRING, false), -E2BIG);
	assert_int_equal(read_long(TERN_JSON_READ_STRING + 1, false), -E2BIG);
	assert_int_equal(read_long(TERN_JSON_READ_KEY - 1, true), 0);
	assert_int_equal(read_long(TERN_JSON_READ_KEY, true), -E2BIG);
	assert_int_equal(read_long(TERN_JSON_READ_KEY + 1, true), -E2BIG);
}

static void every_beginning_of_a_text_is_refused(void **unused)
{
	static const char text[] =
		"{\"a\":{\"b\":[1,-2.5e3,\"\\u00fc\\n\"],\"c\":null},\"d\":true}";

	(void)unused;
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(read_bytes(text, len, 4), -EINVAL);
	assert_int_equal(read_bytes(text, strlen(text), 4), 0);
}

static void every_changed_byte_is_read_safely(void **unused)
{
	static const char text[] =
		"{\"a\":{\"b\":[1,-2.5e3,\"\\u00fc\\n\"],\"c\":null},\"d\":true}";
	char changed[sizeof(text)];

	(void)unused;
	for (size_t at = 0; at < strlen(text); at++) {
		for (unsigned int byte = 0; byte < 256; byte++) {
			memcpy(changed, text, sizeof(text));
			changed[at] = (char)byte;
			assert_true(read_bytes(changed, strlen(text), 4) <= 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flat_object_is_read_token_by_token),
		cmocka_unit_test(nested_values_carry_the_key_of_the_object_around_them),
		cmocka_unit_test(numbers_are_read_to_the_last_digit),
		cmocka_unit_test(escapes_become_what_they_stand_for),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(lengths_are_limited),
		cmocka_unit_test(every_beginning_of_a_text_is_refused),
		cmocka_unit_test(every_changed_byte_is_read_safely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
