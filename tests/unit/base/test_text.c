/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"

/* A text in a buffer of its own, large enough for what the tests write. */
static char buf[256];

static struct tern_text *fresh(struct tern_text *t)
{
	memset(buf, 'x', sizeof(buf));
	tern_text_init(t, buf, sizeof(buf));
	return t;
}

static void an_empty_text_is_an_empty_string(void **state)
{
	struct tern_text t;

	(void)state;
	fresh(&t);
	assert_string_equal(buf, "");
	assert_int_equal(t.len, 0);
	assert_false(t.cut);
}

static void pieces_are_appended(void **state)
{
	struct tern_text t;

	(void)state;
	fresh(&t);
	tern_text_str(&t, "port ");
	tern_text_u64(&t, 80);
	tern_text_char(&t, ',');
	tern_text_strn(&t, " and more", 4);
	assert_string_equal(buf, "port 80, and");
	assert_int_equal(t.len, strlen(buf));
}

static void a_text_is_cut_at_its_capacity_and_never_resumes(void **state)
{
	(void)state;
	for (size_t cap = 1; cap <= 12; cap++) {
		struct tern_text t;

		memset(buf, 'x', sizeof(buf));
		tern_text_init(&t, buf, cap);
		tern_text_str(&t, "01234");
		tern_text_str(&t, "56789");
		assert_int_equal(t.cut, cap < 11);
		assert_int_equal(t.len, cap < 11 ? cap - 1 : 10);
		assert_memory_equal(buf, "0123456789", t.len);
		assert_int_equal(buf[t.len], '\0');
		assert_int_equal(buf[cap], 'x');
		tern_text_char(&t, '!');
		assert_int_equal(t.len, cap < 11 ? cap - 1 : cap == 11 ? 10 : 11);
	}
}

static void a_capacity_of_zero_touches_nothing(void **state)
{
	struct tern_text t;

	(void)state;
	buf[0] = 'x';
	tern_text_init(&t, buf, 0);
	tern_text_str(&t, "a");
	assert_true(t.cut);
	assert_int_equal(t.len, 0);
	assert_int_equal(buf[0], 'x');
}

static void numbers_are_written_to_their_ends(void **state)
{
	struct tern_text t;

	(void)state;
	fresh(&t);
	tern_text_u64(&t, 0);
	tern_text_char(&t, ' ');
	tern_text_u64(&t, UINT64_MAX);
	assert_string_equal(buf, "0 18446744073709551615");
}

static void hexadecimal_has_its_least_digits(void **state)
{
	static const struct {
		uint64_t v;
		unsigned int min_digits;
		const char *want;
	} table[] = {
		{ 0, 0, "0" },
		{ 0, 1, "0" },
		{ 0, 4, "0000" },
		{ 0xabc, 1, "abc" },
		{ 0xabc, 3, "abc" },
		{ 0xabc, 4, "0abc" },
		{ 0xabc, 99, "0000000000000abc" },
		{ UINT64_MAX, 1, "ffffffffffffffff" },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(table); i++) {
		struct tern_text t;

		tern_text_hex(fresh(&t), table[i].v, table[i].min_digits);
		assert_string_equal(buf, table[i].want);
	}
}

static void a_fixed_point_number_keeps_its_zeros(void **state)
{
	static const struct {
		uint64_t v;
		unsigned int decimals;
		const char *want;
	} table[] = {
		{ 1234, 3, "1.234" },
		{ 1234, 0, "1234" },
		{ 0, 0, "0" },
		{ 0, 3, "0.000" },
		{ 7, 3, "0.007" },
		{ 999, 3, "0.999" },
		{ 1000, 3, "1.000" },
		{ 1001, 3, "1.001" },
		{ UINT64_MAX, 9, "18446744073.709551615" },
		{ UINT64_MAX, 19, "1.8446744073709551615" },
		{ UINT64_MAX, 20, "1.8446744073709551615" },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(table); i++) {
		struct tern_text t;

		tern_text_fixed(fresh(&t), table[i].v, table[i].decimals);
		assert_string_equal(buf, table[i].want);
	}
}

/* Text in, the one text of RFC 5952 out. */
static const char *const canonical[][2] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "0:0:0:0:0:0:0:0", "::" },
	{ "0:0:0:0:0:0:0:1", "::1" },
	{ "1:0:0:0:0:0:0:0", "1::" },
	{ "2001:db8:0:0:0:0:2:1", "2001:db8::2:1" },
	{ "2001:DB8::ABCD", "2001:db8::abcd" },
	{ "2001:0db8::0001", "2001:db8::1" },
	/* one zero group is not shortened (§4.2.2) */
	{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
	{ "0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
	{ "1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0" },
	/* the longest run, and of equal ones the first (§4.2.3) */
	{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
	{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
	{ "0:0:1:0:0:0:0:1", "0:0:1::1" },
	{ "0:0:3:4:5:6:7:8", "::3:4:5:6:7:8" },
	{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
	{ "1:0:0:4:5:6:0:0", "1::4:5:6:0:0" },
	/* a mapped address in mixed form (§5) */
	{ "::ffff:c000:201", "::ffff:192.0.2.1" },
	{ "::fffe:c000:201", "::fffe:c000:201" },
	{ "::c000:201", "::c000:201" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

static void an_address_is_written_in_the_form_of_rfc5952(void **state)
{
	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(canonical); i++) {
		struct tern_addr a, again;
		struct tern_text t;

		assert_int_equal(tern_addr_parse(canonical[i][0], &a), 0);
		tern_text_addr(fresh(&t), &a);
		assert_string_equal(buf, canonical[i][1]);
		assert_int_equal(tern_addr_parse(buf, &again), 0);
		assert_true(tern_addr_eq(&a, &again));
	}
}

/* All 256 patterns of zero and non-zero groups. */
static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (unsigned int pattern = 0; pattern < 256; pattern++) {
		struct tern_addr a = { .family = TERN_INET6 }, again;
		struct tern_text t;

		for (unsigned int i = 0; i < 8; i++)
			if (pattern >> i & 1)
				tern_put_u16(a.b + 2 * i, (uint16_t)(0x1111 * (i + 1)));
		tern_text_addr(fresh(&t), &a);
		assert_int_equal(tern_addr_parse(buf, &again), 0);
		assert_true(tern_addr_eq(&a, &again));
	}
}

static void an_endpoint_puts_ipv6_in_brackets(void **state)
{
	struct tern_endpoint v4 = { tern_addr_v4(192, 0, 2, 1), 80 };
	struct tern_endpoint v6 = { tern_addr_any(TERN_INET6), 65535 };
	struct tern_endpoint none = { tern_addr_any(TERN_UNSPEC), 0 };
	struct tern_text t;

	(void)state;
	tern_text_endpoint(fresh(&t), &v4);
	assert_string_equal(buf, "192.0.2.1:80");
	tern_text_endpoint(fresh(&t), &v6);
	assert_string_equal(buf, "[::]:65535");
	tern_text_endpoint(fresh(&t), &none);
	assert_string_equal(buf, "*:0");
}

static void the_longest_address_and_endpoint_fit_their_room(void **state)
{
	char room[TERN_TEXT_ENDPOINT_MAX];
	struct tern_endpoint ep = { { .family = TERN_INET6 }, 65535 };
	struct tern_text t;

	(void)state;
	memset(ep.addr.b, 0xff, 16);
	tern_text_init(&t, room, TERN_TEXT_ADDR_MAX);
	tern_text_addr(&t, &ep.addr);
	assert_false(t.cut);
	tern_text_init(&t, room, TERN_TEXT_ENDPOINT_MAX);
	tern_text_endpoint(&t, &ep);
	assert_false(t.cut);
}

static void a_number_is_read_only_if_all_of_it_is_one(void **state)
{
	static const char *const bad[] = { "", " ", "+1", "-1", " 1", "1 ", "0x10", "1e3", "1.0" };
	uint64_t v = 77;

	(void)state;
	assert_int_equal(tern_text_parse_u64("0", &v), 0);
	assert_true(v == 0);
	assert_int_equal(tern_text_parse_u64("007", &v), 0);
	assert_true(v == 7);
	assert_int_equal(tern_text_parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	v = 77;
	assert_int_equal(tern_text_parse_u64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(tern_text_parse_u64("18446744073709551620", &v), -ERANGE);
	assert_int_equal(tern_text_parse_u64("100000000000000000000", &v), -ERANGE);
	assert_int_equal(tern_text_parse_u64("100000000000000000000x", &v), -EINVAL);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(bad); i++)
		assert_int_equal(tern_text_parse_u64(bad[i], &v), -EINVAL);
	assert_true(v == 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_text_is_an_empty_string),
		cmocka_unit_test(pieces_are_appended),
		cmocka_unit_test(a_text_is_cut_at_its_capacity_and_never_resumes),
		cmocka_unit_test(a_capacity_of_zero_touches_nothing),
		cmocka_unit_test(numbers_are_written_to_their_ends),
		cmocka_unit_test(hexadecimal_has_its_least_digits),
		cmocka_unit_test(a_fixed_point_number_keeps_its_zeros),
		cmocka_unit_test(an_address_is_written_in_the_form_of_rfc5952),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(an_endpoint_puts_ipv6_in_brackets),
		cmocka_unit_test(the_longest_address_and_endpoint_fit_their_room),
		cmocka_unit_test(a_number_is_read_only_if_all_of_it_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
