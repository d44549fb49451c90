/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/addr.h"

static struct tern_addr addr(const char *text)
{
	struct tern_addr a;

	if (tern_addr_parse(text, &a) != 0)
		fail_msg("cannot read the address %s", text);
	return a;
}

static const char *const samples[] = {
	"0.0.0.0",   "0.0.0.1",         "10.0.0.1", "10.0.0.2",
	"127.0.0.1", "255.255.255.255", "::",       "::1",
	"1::",       "2001:db8::1",     "fe80::1",  "ff02::1",
	"::a00:1",   "::ffff:10.0.0.1",
};

static void a_dotted_quad_is_read_strictly(void **state)
{
	static const char *const bad[] = {
		"",         "1",        "1.2.3",     "1.2.3.",    "1.2.3.4.",  "1.2.3.4.5",
		".1.2.3.4", "1..2.3",   "256.1.1.1", "1.1.1.256", "1.1.1.999", "1.1.1.1000",
		"01.2.3.4", "1.2.3.00", "1.2.3.04",  " 1.2.3.4",  "1.2.3.4 ",  "1.2.3.4\n",
		"+1.2.3.4", "1.2.3.-4", "0x1.2.3.4", "1.2.3.4/8", "1.2.3.a",   "1.2.3.4:80",
	};
	struct tern_addr a = tern_addr_v4(192, 0, 2, 255), got;

	(void)state;
	assert_int_equal(tern_addr_parse("192.0.2.255", &got), 0);
	assert_memory_equal(&got, &a, sizeof(a));
	for (size_t i = 0; i < TERN_ARRAY_SIZE(bad); i++) {
		if (tern_addr_parse(bad[i], &got) != -EINVAL)
			fail_msg("was taken for an address: \"%s\"", bad[i]);
		assert_memory_equal(&got, &a, sizeof(a));
	}
}

static void every_form_of_rfc4291_is_read(void **state)
{
	static const struct {
		const char *text;
		uint8_t b[16];
	} good[] = {
		{ "::", { 0 } },
		{ "::1", { [15] = 1 } },
		{ "1::", { [1] = 1 } },
		{ "0:0:0:0:0:0:0:0", { 0 } },
		{ "0000:0000:0000:0000:0000:0000:0000:0001", { [15] = 1 } },
		{ "1:2:3:4:5:6:7:8", { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8 } },
		{ "1::8", { [1] = 1, [15] = 8 } },
		{ "1:2::7:8", { 0, 1, 0, 2, [13] = 7, [15] = 8 } },
		{ "::2:3:4:5:6:7:8", { 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8 } },
		{ "1:2:3:4:5:6:7::", { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0 } },
		{ "1:2:3::5:6:7:8", { 0, 1, 0, 2, 0, 3, 0, 0, 0, 5, 0, 6, 0, 7, 0, 8 } },
		{ "FE80::aBcD", { 0xfe, 0x80, [14] = 0xab, 0xcd } },
		{ "::13.1.68.3", { [12] = 13, 1, 68, 3 } },
		{ "::ffff:129.144.52.38", { [10] = 0xff, 0xff, 129, 144, 52, 38 } },
		{ "64:ff9b::192.0.2.33", { 0, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 33 } },
		{ "1:2:3:4:5:6:7.8.9.10", { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 7, 8, 9, 10 } },
		{ "1:2:3:4:5::7.8.9.10", { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0, 7, 8, 9, 10 } },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(good); i++) {
		struct tern_addr a = addr(good[i].text);

		assert_int_equal(a.family, TERN_INET6);
		assert_memory_equal(a.b, good[i].b, 16);
	}
}

static void what_is_no_ipv6_address_is_refused(void **state)
{
	static const char *const bad[] = {
		":",
		":::",
		"1:",
		":1",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:",
		":2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8:",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8",
		"1::2::3",
		"1:::2",
		"::12345",
		"::00001",
		"::g",
		"::1%eth0",
		"::1/64",
		"[::1]",
		"::1 ",
		" ::1",
		"::1.2.3",
		"::1.2.3.4.5",
		"::1.2.3.4:5",
		"::256.1.1.1",
		"::01.1.1.1",
		"1:2:3:4:5:6:7:1.2.3.4",
		"1:2:3:4:5:6::1.2.3.4",
		"1:2:3:4:5:1.2.3.4",
		"12345.1.1.1",
		"::12345.1.1.1",
		"::f.1.1.1",
	};
	struct tern_addr got;

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(bad); i++)
		if (tern_addr_parse(bad[i], &got) != -EINVAL)
			fail_msg("was taken for an address: \"%s\"", bad[i]);
}

static void an_address_equals_itself_and_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(samples); i++) {
		for (size_t k = 0; k < TERN_ARRAY_SIZE(samples); k++) {
			struct tern_addr a = addr(samples[i]), b = addr(samples[k]);

			assert_int_equal(tern_addr_eq(&a, &b), i == k);
		}
	}
}

static void one_bit_makes_two_addresses_differ(void **state)
{
	struct tern_addr a = addr("2001:db8::1");

	(void)state;
	for (unsigned int bit = 0; bit < 128; bit++) {
		struct tern_addr b = a;

		b.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(tern_addr_eq(&a, &b));
		assert_int_equal(tern_addr_in_prefix(&b, &a, bit / 8 * 8), 1);
		assert_int_equal(tern_addr_in_prefix(&b, &a, bit / 8 * 8 + 8), 0);
	}
}

static void bytes_make_an_address_whose_rest_is_zero(void **state)
{
	uint8_t bytes[16], zero[16] = { 0 };
	struct tern_addr a;

	(void)state;
	memset(bytes, 0xab, sizeof(bytes));
	a = tern_addr_from_bytes(TERN_INET, bytes);
	assert_int_equal(a.family, TERN_INET);
	assert_memory_equal(a.b, bytes, 4);
	assert_memory_equal(a.b + 4, zero, 12);
	a = tern_addr_from_bytes(TERN_INET6, bytes);
	assert_int_equal(a.family, TERN_INET6);
	assert_memory_equal(a.b, bytes, 16);
	a = tern_addr_from_bytes(5, bytes);
	assert_int_equal(a.family, TERN_UNSPEC);
	assert_memory_equal(a.b, zero, 16);
	assert_int_equal(tern_addr_len(TERN_INET), 4);
	assert_int_equal(tern_addr_len(TERN_INET6), 16);
	assert_int_equal(tern_addr_len(TERN_UNSPEC), 0);
}

static void kinds_of_addresses_end_where_their_prefix_ends(void **state)
{
	static const struct {
		const char *text;
		const char *kinds; /* Any Multicast Loopback Broadcast linkLocal */
	} table[] = {
		{ "0.0.0.0", "A" },
		{ "0.0.0.1", "" },
		{ "126.255.255.255", "" },
		{ "127.0.0.0", "L" },
		{ "127.255.255.255", "L" },
		{ "128.0.0.0", "" },
		{ "223.255.255.255", "" },
		{ "224.0.0.0", "M" },
		{ "239.255.255.255", "M" },
		{ "240.0.0.0", "" },
		{ "255.255.255.254", "" },
		{ "255.255.255.255", "B" },
		{ "::", "A" },
		{ "::1", "L" },
		{ "::2", "" },
		{ "::7f00:1", "" },
		{ "7f00::", "" },
		{ "e000::", "" },
		{ "fe7f:ffff::", "" },
		{ "fe80::", "l" },
		{ "febf:ffff::", "l" },
		{ "fec0::", "" },
		{ "feff::", "" },
		{ "ff00::", "M" },
		{ "ffff:ffff::", "M" },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(table); i++) {
		struct tern_addr a = addr(table[i].text);
		const char *kinds = table[i].kinds;

		assert_int_equal(tern_addr_is_any(&a), strchr(kinds, 'A') != NULL);
		assert_int_equal(tern_addr_is_multicast(&a), strchr(kinds, 'M') != NULL);
		assert_int_equal(tern_addr_is_loopback(&a), strchr(kinds, 'L') != NULL);
		assert_int_equal(tern_addr_is_v4_broadcast(&a), strchr(kinds, 'B') != NULL);
		assert_int_equal(tern_addr_is_linklocal6(&a), strchr(kinds, 'l') != NULL);
	}
}

static void the_wildcards_are_wild(void **state)
{
	struct tern_addr v4 = tern_addr_any(TERN_INET), v6 = tern_addr_any(TERN_INET6);
	struct tern_addr zero4 = addr("0.0.0.0"), zero6 = addr("::");

	(void)state;
	assert_true(tern_addr_eq(&v4, &zero4));
	assert_true(tern_addr_eq(&v6, &zero6));
	assert_false(tern_addr_eq(&v4, &v6));
}

static void a_prefix_holds_its_first_and_last_address_only(void **state)
{
	static const struct {
		const char *net;
		unsigned int plen;
		const char *below, *first, *last, *above;
	} table[] = {
		{ "10.0.0.0", 8, "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0" },
		{ "172.16.0.0", 12, "172.15.255.255", "172.16.0.0", "172.31.255.255",
		  "172.32.0.0" },
		{ "192.0.2.4", 31, "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6" },
		{ "192.0.2.4", 32, "192.0.2.3", "192.0.2.4", "192.0.2.4", "192.0.2.5" },
		{ "fe80::", 10, "fe7f::", "fe80::", "febf:ffff::", "fec0::" },
		{ "2001:db8::", 127, "2001:db7::", "2001:db8::", "2001:db8::1", "2001:db8::2" },
		{ "2001:db8::1", 128, "2001:db8::", "2001:db8::1", "2001:db8::1", "2001:db8::2" },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(table); i++) {
		struct tern_addr net = addr(table[i].net), a;

		a = addr(table[i].below);
		assert_false(tern_addr_in_prefix(&a, &net, table[i].plen));
		a = addr(table[i].first);
		assert_true(tern_addr_in_prefix(&a, &net, table[i].plen));
		a = addr(table[i].last);
		assert_true(tern_addr_in_prefix(&a, &net, table[i].plen));
		a = addr(table[i].above);
		assert_false(tern_addr_in_prefix(&a, &net, table[i].plen));
	}
}

static void a_prefix_of_no_bits_holds_its_family_and_one_too_long_holds_nothing(void **state)
{
	struct tern_addr v4 = addr("10.1.2.3"), v6 = addr("2001::"), any4 = addr("0.0.0.0"),
			 any6 = addr("::");

	(void)state;
	assert_true(tern_addr_in_prefix(&v4, &any4, 0));
	assert_true(tern_addr_in_prefix(&v6, &any6, 0));
	assert_false(tern_addr_in_prefix(&v4, &any6, 0));
	assert_false(tern_addr_in_prefix(&v4, &v4, 33));
	assert_false(tern_addr_in_prefix(&v6, &v6, 129));
}

static struct tern_flow flow(const char *local, uint16_t lport, const char *remote, uint16_t rport)
{
	return (struct tern_flow){ .local = addr(local),
				   .remote = addr(remote),
				   .lport = lport,
				   .rport = rport };
}

static void a_flow_survives_packing_and_reversing(void **state)
{
	struct tern_flow flows[] = { flow("192.0.2.1", 80, "198.51.100.7", 40000),
				     flow("2001:db8::1", 443, "2001:db8::2", 1) };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tern_flow f = flows[i], back, twice;
		uint8_t addrs[TERN_FLOW_ADDRS_MAX + 1];
		uint8_t family = f.local.family;

		memset(addrs, 0xee, sizeof(addrs));
		assert_int_equal(tern_flow_pack(&f, addrs), i ? 32 : 8);
		assert_int_equal(addrs[i ? 32 : 8], 0xee);
		assert_memory_equal(addrs, f.local.b, tern_addr_len(family));
		tern_flow_unpack(family, f.lport, f.rport, addrs, &back);
		assert_true(tern_flow_eq(&f, &back));
		assert_memory_equal(&f, &back, sizeof(f));
		twice = tern_flow_reverse(&back);
		assert_false(tern_flow_eq(&f, &twice));
		assert_int_equal(twice.lport, f.rport);
		assert_true(tern_addr_eq(&twice.local, &f.remote));
		twice = tern_flow_reverse(&twice);
		assert_true(tern_flow_eq(&f, &twice));
	}
}

static void a_flow_matches_its_own_record_and_none_that_differs_in_a_bit(void **state)
{
	struct tern_flow flows[] = { flow("192.0.2.1", 80, "198.51.100.7", 40000),
				     flow("2001:db8::1", 443, "2001:db8::2", 1) };
	static const uint64_t key[2] = { 1, 2 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tern_flow f = flows[i], other;
		uint8_t addrs[TERN_FLOW_ADDRS_MAX], family = f.local.family;
		size_t len = tern_flow_pack(&f, addrs);

		assert_true(tern_flow_matches(&f, family, f.lport, f.rport, addrs));
		assert_false(tern_flow_matches(&f, family ^ 2, f.lport, f.rport, addrs));
		for (unsigned int bit = 0; bit < 16; bit++) {
			uint16_t flip = (uint16_t)(1u << bit);

			assert_false(tern_flow_matches(&f, family, f.lport ^ flip, f.rport, addrs));
			assert_false(tern_flow_matches(&f, family, f.lport, f.rport ^ flip, addrs));
		}
		for (unsigned int bit = 0; bit < 8 * len; bit++) {
			addrs[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_false(tern_flow_matches(&f, family, f.lport, f.rport, addrs));
			tern_flow_unpack(family, f.lport, f.rport, addrs, &other);
			assert_false(tern_flow_eq(&f, &other));
			assert_true(tern_flow_hash(key, &f) != tern_flow_hash(key, &other));
			addrs[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* SipHash-1-3 of bytes. */
static uint64_t siphash13(const uint64_t key[2], const uint8_t *p, size_t len)
{
	uint64_t words[5] = { 0 };

	for (size_t i = 0; i < len; i++)
		words[i / 8] |= (uint64_t)p[i] << (8 * (i % 8));
	return tern_sip_words(key, words, len / 8, words[len / 8], len % 8, 1, 3);
}

static void the_hash_of_a_flow_is_siphash_over_its_packed_form(void **state)
{
	struct tern_flow flows[] = { flow("192.0.2.1", 80, "198.51.100.7", 40000),
				     flow("2001:db8::1", 443, "2001:db8::2", 1) };
	static const uint64_t key[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t packed[TERN_FLOW_ADDRS_MAX + 4];
		size_t len = tern_flow_pack(&flows[i], packed);
		uint32_t hash;

		tern_put_u16(packed + len, flows[i].lport);
		tern_put_u16(packed + len + 2, flows[i].rport);
		hash = (uint32_t)siphash13(key, packed, len + 4);
		assert_int_equal(tern_flow_hash(key, &flows[i]), hash);
		assert_int_equal(tern_flow_hash_packed(key, flows[i].local.family, flows[i].lport,
						       flows[i].rport, packed),
				 hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dotted_quad_is_read_strictly),
		cmocka_unit_test(every_form_of_rfc4291_is_read),
		cmocka_unit_test(what_is_no_ipv6_address_is_refused),
		cmocka_unit_test(an_address_equals_itself_and_no_other),
		cmocka_unit_test(one_bit_makes_two_addresses_differ),
		cmocka_unit_test(bytes_make_an_address_whose_rest_is_zero),
		cmocka_unit_test(kinds_of_addresses_end_where_their_prefix_ends),
		cmocka_unit_test(the_wildcards_are_wild),
		cmocka_unit_test(a_prefix_holds_its_first_and_last_address_only),
		cmocka_unit_test(
			a_prefix_of_no_bits_holds_its_family_and_one_too_long_holds_nothing),
		cmocka_unit_test(a_flow_survives_packing_and_reversing),
		cmocka_unit_test(a_flow_matches_its_own_record_and_none_that_differs_in_a_bit),
		cmocka_unit_test(the_hash_of_a_flow_is_siphash_over_its_packed_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
