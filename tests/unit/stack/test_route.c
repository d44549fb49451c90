/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

static void own_addresses_are_local_and_no_others(void **state)
{
	static const struct {
		const char *text;
		bool local;
	} cases[] = {
		{ "10.77.0.2", true }, { "10.77.0.1", false },  { "10.77.0.3", false },
		{ "192.0.2.5", true }, { "2001:db8::2", true }, { "2001:db8::3", false },
		{ "fe80::2", true },   { "127.0.0.1", false },  { "::1", false },
		{ "0.0.0.0", false },  { "::", false },         { "a4d:2::", false },
	};
	struct tern_stack *st = usual_stack();

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_addr a = addr(cases[i].text);

		assert_int_equal(tern_route_is_local(st, &a), cases[i].local);
	}
	close_stack(st);
}

static void broadcast_is_the_last_address_of_our_prefixes(void **state)
{
	static const struct {
		const char *text;
		bool broadcast;
	} cases[] = {
		{ "10.77.0.254", false }, { "10.77.0.255", true },      { "10.77.1.0", false },
		{ "10.77.1.255", false }, { "192.0.2.6", false },       { "192.0.2.7", true },
		{ "192.0.2.8", false },   { "255.255.255.254", false }, { "255.255.255.255", true },
		{ "ff02::1", false },     { "2001:db8::ffff", false },
	};
	struct tern_stack *st = usual_stack();

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_addr a = addr(cases[i].text);

		assert_int_equal(tern_route_is_broadcast(st, &a), cases[i].broadcast);
	}
	close_stack(st);
}

static void prefixes_of_31_and_32_bits_have_no_broadcast(void **state)
{
	struct tern_config cfg = usual_config();
	struct tern_addr up = addr("192.0.2.5");

	(void)state;
	for (uint8_t length = 29; length <= 32; length++) {
		struct tern_stack *st;

		cfg.addrs[1] = (struct tern_prefix){ addr("192.0.2.4"), length };
		st = open_stack(&cfg);
		assert_false(tern_route_is_broadcast(st, &up));
		up = addr("192.0.2.7");
		assert_int_equal(tern_route_is_broadcast(st, &up), length <= 30);
		up = addr("192.0.2.5");
		close_stack(st);
	}
}

static void martians_are_no_host_that_could_have_sent_something(void **state)
{
	static const struct {
		const char *text;
		bool martian;
	} cases[] = {
		{ "198.51.100.1", false },
		{ "10.77.0.1", false },
		{ "10.77.0.2", true },
		{ "10.77.0.255", true },
		{ "0.0.0.0", true },
		{ "0.1.2.3", true },
		{ "1.0.0.0", false },
		{ "127.0.0.1", true },
		{ "127.255.255.254", true },
		{ "128.0.0.1", false },
		{ "223.255.255.254", false },
		{ "224.0.0.1", true },
		{ "239.255.255.255", true },
		{ "255.255.255.255", true },
		{ "::", true },
		{ "::1", true },
		{ "ff02::1", true },
		{ "fe80::9", false },
		{ "2001:db8::2", true },
		{ "2001:db8::9", false },
		{ "::ffff:198.51.100.1", true },
	};
	struct tern_stack *st = usual_stack();

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_addr a = addr(cases[i].text);

		assert_int_equal(tern_route_is_martian(st, &a), cases[i].martian);
	}
	close_stack(st);
}

/* source NULL: -ENETUNREACH. */
static void check_source(const struct tern_stack *st, const char *dest, const char *source)
{
	struct tern_addr d = addr(dest), got, want;

	if (!source) {
		assert_int_equal(tern_route_source(st, &d, &got), -ENETUNREACH);
		return;
	}
	want = addr(source);
	assert_int_equal(tern_route_source(st, &d, &got), 0);
	assert_true(tern_addr_eq(&got, &want));
}

static void the_source_is_the_address_nearest_to_the_destination(void **state)
{
	struct tern_config cfg = {
		.addrs = { { addr("10.77.0.2"), 24 },
			   { addr("10.78.0.2"), 16 },
			   { addr("192.0.2.5"), 30 },
			   { addr("2001:db8:1::2"), 64 },
			   { addr("2001:db8:2::2"), 64 },
			   { addr("fe80::2"), 64 } },
		.addr_count = 6,
	};
	struct tern_stack *st = open_stack(&cfg);

	(void)state;
	check_source(st, "10.77.0.9", "10.77.0.2");
	check_source(st, "10.78.9.9", "10.78.0.2");
	check_source(st, "10.78.0.2", "10.78.0.2");
	check_source(st, "192.0.3.1", "192.0.2.5");
	check_source(st, "8.8.8.8", "10.77.0.2");
	check_source(st, "255.255.255.255", "192.0.2.5");
	check_source(st, "2001:db8:2::77", "2001:db8:2::2");
	check_source(st, "2001:db8:1:5::77", "2001:db8:1::2");
	check_source(st, "2002::1", "2001:db8:1::2");
	check_source(st, "fe80::77", "fe80::2");
	check_source(st, "ff02::1", "fe80::2");
	check_source(st, "ff05::1", "2001:db8:1::2");
	check_source(st, "0.0.0.0", NULL);
	check_source(st, "::", NULL);
	check_source(st, "127.0.0.1", NULL);
	check_source(st, "::1", NULL);
	close_stack(st);
}

static void bits_behind_the_own_prefix_do_not_count(void **state)
{
	struct tern_config cfg = {
		.addrs = { { addr("10.0.0.1"), 8 }, { addr("10.128.0.1"), 8 } },
		.addr_count = 2,
	};
	struct tern_stack *st = open_stack(&cfg);

	(void)state;
	check_source(st, "10.129.0.1", "10.0.0.1");
	close_stack(st);
}

static void without_an_address_of_the_family_or_scope_there_is_no_source(void **state)
{
	struct tern_config v4 = { .addrs = { { addr("10.77.0.2"), 24 } }, .addr_count = 1 };
	struct tern_config link = { .addrs = { { addr("fe80::2"), 64 } }, .addr_count = 1 };
	struct tern_config loop = { .addrs = { { addr("127.0.0.1"), 8 } }, .addr_count = 1 };
	struct tern_addr v6 = addr("2001:db8::1"), source;
	struct tern_stack *st;

	(void)state;
	st = open_stack(&v4);
	assert_int_equal(tern_route_source(st, &v6, &source), -EADDRNOTAVAIL); /* Linux' word */
	check_source(st, "10.1.1.1", "10.77.0.2");
	close_stack(st);
	st = open_stack(&link);
	check_source(st, "2001:db8::1", NULL);
	check_source(st, "10.1.1.1", NULL);
	check_source(st, "fe80::1", "fe80::2");
	close_stack(st);
	st = open_stack(&loop);
	check_source(st, "127.0.0.1", "127.0.0.1");
	check_source(st, "127.0.0.2", NULL);
	check_source(st, "10.1.1.1", NULL);
	close_stack(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_addresses_are_local_and_no_others),
		cmocka_unit_test(broadcast_is_the_last_address_of_our_prefixes),
		cmocka_unit_test(prefixes_of_31_and_32_bits_have_no_broadcast),
		cmocka_unit_test(martians_are_no_host_that_could_have_sent_something),
		cmocka_unit_test(the_source_is_the_address_nearest_to_the_destination),
		cmocka_unit_test(bits_behind_the_own_prefix_do_not_count),
		cmocka_unit_test(without_an_address_of_the_family_or_scope_there_is_no_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
