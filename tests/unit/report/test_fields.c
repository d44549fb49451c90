/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/fields.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/text.h"
#include "report/json.h"
#include "report/sink.h"

struct request {
	char what[8];
	const char *note;
	uint64_t id, big;
	uint16_t port;
	uint8_t has, level, colour, bits, letters;
	bool all;
	struct tern_addr addr;
};

static const char *colour_name(unsigned int i)
{
	static const char *const names[] = { "red", "green", "blue" };

	return i < 3 ? names[i] : NULL;
}

static const char *bit_name(unsigned int i)
{
	static const char *const names[] = { "sackok", "sack", "s" };

	return i < 3 ? names[i] : NULL;
}

#define ROW(kind, group, key, when, name) TERN_FIELD(request, kind, group, #key, key, when, name)

static const struct tern_field rows[] = {
	ROW(CHARS, NULL, what, 0, NULL),
	ROW(STRING, NULL, note, 0, NULL),
	ROW(HEX, NULL, id, 0, NULL),
	ROW(INT, "n", big, 0, NULL),
	ROW(INT, "n", port, 0, NULL),
	ROW(INT, NULL, level, 2, NULL),
	ROW(NAMED, NULL, colour, 0, colour_name),
	ROW(BITS, NULL, bits, 0, bit_name),
	ROW(LETTERS, NULL, letters, 0, bit_name),
	ROW(BOOL, NULL, all, 0, NULL),
	ROW(ADDR, NULL, addr, 0, NULL),
};

static const struct tern_fields fields = {
	rows,
	sizeof(rows) / sizeof(rows[0]),
	sizeof(struct request),
	offsetof(struct request, has),
};

static char strings[64];
static struct request request;

static int read_request(const char *text, bool lenient)
{
	struct tern_text kept;

	tern_text_init(&kept, strings, sizeof(strings));
	return tern_fields_read(&fields, text, strlen(text), lenient, &kept, &request);
}

static const char *write_request(const struct request *from)
{
	static char buf[1024];
	struct tern_sink sink;
	struct tern_json json;

	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_json_init(&json, &sink, false);
	tern_fields_write(&json, NULL, &fields, from);
	tern_sink_char(&sink, '\0');
	assert_false(sink.failed);
	return buf;
}

static void a_struct_is_written_in_the_order_of_its_table(void **unused)
{
	struct request from = {
		.what = "ss",
		.note = "n\"",
		.id = 0xfe,
		.big = UINT64_MAX,
		.port = 7,
		.colour = 2,
		.bits = 3,
		.letters = 5,
		.all = true,
		.addr = tern_addr_v4(10, 0, 0, 1),
		.has = 2,
		.level = 255,
	};

	(void)unused;
	assert_string_equal(write_request(&from),
			    "{\"what\":\"ss\",\"note\":\"n\\\"\",\"id\":\"fe\","
			    "\"n\":{\"big\":18446744073709551615,\"port\":7},\"level\":255,"
			    "\"colour\":\"blue\",\"bits\":\"sackok,sack\",\"letters\":\"sackoks\","
			    "\"all\":true,\"addr\":\"10.0.0.1\"}\n");
}

static void members_that_are_not_filled_are_left_out_or_null(void **unused)
{
	struct request from = { .level = 9, .colour = 3 };

	(void)unused;
	assert_string_equal(
		write_request(&from),
		"{\"what\":\"\",\"note\":null,\"id\":\"0\",\"n\":{\"big\":0,\"port\":0},"
		"\"colour\":null,\"bits\":\"\",\"letters\":\"\",\"all\":false,"
		"\"addr\":null}\n");
}

static void what_was_written_is_read_back(void **unused)
{
	struct request from = {
		.what = "seven77",
		.note = "x",
		.id = UINT64_MAX,
		.big = 1,
		.port = 65535,
		.colour = 1,
		.bits = 7,
		.letters = 3,
		.all = true,
		.addr = { .family = TERN_INET6, .b = { 0xfe, 0x80, [15] = 1 } },
		.has = 2,
		.level = 200,
	};

	(void)unused;
	assert_int_equal(read_request(write_request(&from), false), 0);
	assert_string_equal(request.note, "x");
	request.note = from.note;
	assert_string_equal(write_request(&request), write_request(&from));
	assert_int_equal(request.has, 2);
	assert_int_equal(request.level, 200);
	assert_true(tern_addr_eq(&request.addr, &from.addr));
}

static void missing_members_are_zero_and_order_does_not_matter(void **unused)
{
	(void)unused;
	memset(&request, 0xff, sizeof(request));
	assert_int_equal(read_request("{\"all\":true,\"n\":{\"port\":5},\"what\":\"a\"}", false),
			 0);
	assert_string_equal(request.what, "a");
	assert_int_equal(request.port, 5);
	assert_true(request.all);
	assert_int_equal(request.has, 0);
	assert_int_equal(request.id, 0);
}

static void unknown_keys_are_passed_over_only_if_lenient(void **unused)
{
	static const char *const texts[] = {
		"{\"new\":1}",
		"{\"new\":{\"what\":\"no\"}}",
		"{\"new\":[1,[2]],\"all\":false}",
		"{\"n\":{\"new\":{\"port\":9}}}",
		"{\"port\":3}",
		"{\"n\":{\"what\":\"no\"}}",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(read_request(texts[i], false), -EINVAL);
		assert_int_equal(read_request(texts[i], true), 0);
		assert_string_equal(request.what, "");
		assert_int_equal(request.port, 0);
	}
}

static void values_of_the_wrong_kind_are_refused(void **unused)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "{\"what\":1}", -EINVAL },
		{ "{\"what\":\"eight888\"}", -E2BIG },
		{ "{\"what\":null}", -EINVAL },
		{ "{\"all\":1}", -EINVAL },
		{ "{\"n\":{\"port\":65536}}", -ERANGE },
		{ "{\"n\":{\"port\":-1}}", -EINVAL },
		{ "{\"n\":{\"port\":1.0}}", -EINVAL },
		{ "{\"n\":{\"port\":\"1\"}}", -EINVAL },
		{ "{\"n\":{\"port\":1,\"port\":1}}", -EINVAL },
		{ "{\"n\":5}", -EINVAL },
		{ "{\"id\":\"\"}", -EINVAL },
		{ "{\"id\":\"g\"}", -EINVAL },
		{ "{\"id\":\"12345678901234567\"}", -EINVAL },
		{ "{\"colour\":\"pink\"}", -EINVAL },
		{ "{\"bits\":\"sackok,\"}", -EINVAL },
		{ "{\"bits\":\"sacko\"}", -EINVAL },
		{ "{\"bits\":\"sack,sack\"}", -EINVAL },
		{ "{\"letters\":\"x\"}", -EINVAL },
		{ "{\"addr\":\"10.0.0.256\"}", -EINVAL },
		{ "{\"all\":true,\"all\":true}", -EINVAL },
		{ "[]", -EINVAL },
		{ "1", -EINVAL },
		{ "null", -EINVAL },
		{ "", -EINVAL },
		{ "{} {}", -EINVAL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (read_request(bad[i].text, false) != bad[i].err)
			fail_msg("%s", bad[i].text);
	}
}

static void strings_without_room_are_refused(void **unused)
{
	struct tern_text kept;
	char four[4];

	(void)unused;
	tern_text_init(&kept, four, sizeof(four));
	assert_int_equal(tern_fields_read(&fields, "{\"note\":\"ab\"}", 13, false, &kept, &request),
			 0);
	assert_string_equal(request.note, "ab");
	tern_text_init(&kept, four, sizeof(four));
	assert_int_equal(tern_fields_read(&fields, "{\"note\":\"abcd\"}", 15, false, &kept,
					  &request),
			 -ENOSPC);
	assert_int_equal(tern_fields_read(&fields, "{\"note\":\"a\"}", 12, false, NULL, &request),
			 -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_struct_is_written_in_the_order_of_its_table),
		cmocka_unit_test(members_that_are_not_filled_are_left_out_or_null),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(missing_members_are_zero_and_order_does_not_matter),
		cmocka_unit_test(unknown_keys_are_passed_over_only_if_lenient),
		cmocka_unit_test(values_of_the_wrong_kind_are_refused),
		cmocka_unit_test(strings_without_room_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
