/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Open cookies, as Linux computes them under the same key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tcp/fastopen.h"

static void assert_cookie(const uint32_t key[4], const struct tern_addr *client,
			  const struct tern_addr *server, const char *expected)
{
	struct tern_flow flow = { .local = *server, .remote = *client };
	uint8_t cookie[TERN_FASTOPEN_COOKIE];

	tern_fastopen_cookie(key, &flow, cookie);
	assert_memory_equal(cookie, expected, TERN_FASTOPEN_COOKIE);
}

/* Two keys, over IPv4 and IPv6, and what Linux makes of them. RFC7413:4.1.2 */
static void cookies_are_those_of_linux(void **state)
{
	static const uint32_t key[4] = { 0xa1a1a1a1, 0xb2b2b2b2, 0xc3c3c3c3, 0xd4d4d4d4 };
	static const uint32_t zero[4];
	static const uint8_t client6[16] = { 0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, [15] = 1 };
	static const uint8_t server6[16] = { 0xfd, 0x3d, 0x0a, 0x0b, 0x17, 0xd6, [15] = 1 };
	struct tern_addr c4 = tern_addr_v4(192, 0, 2, 1), s4 = tern_addr_v4(192, 168, 0, 1);
	struct tern_addr c6 = tern_addr_from_bytes(TERN_INET6, client6);
	struct tern_addr s6 = tern_addr_from_bytes(TERN_INET6, server6);

	(void)state;
	assert_cookie(key, &c4, &s4, "\x30\x21\xb9\xd8\x89\x01\x7e\xeb");
	assert_cookie(zero, &c4, &s4, "\xb7\xc1\x23\x50\xa9\x0d\xc8\xf5");
	assert_cookie(key, &c6, &s6, "\xc1\xd1\xe9\x74\x2a\x47\xa9\xbc");
	assert_cookie(zero, &c6, &s6, "\x82\xaf\x1a\x8f\x9a\x20\x5c\x34");
}

/* The words of a key are those of its text, the first one first. RFC7413:4.1.2 */
static void each_word_of_a_key_counts(void **state)
{
	struct tern_flow flow = { .local = tern_addr_v4(192, 168, 0, 1),
				  .remote = tern_addr_v4(192, 0, 2, 1) };
	uint8_t seen[5][TERN_FASTOPEN_COOKIE];

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		uint32_t key[4] = { 1, 2, 3, 4 };

		if (i < 4)
			key[i] ^= 0x80000000;
		tern_fastopen_cookie(key, &flow, seen[i]);
		for (unsigned int j = 0; j < i; j++)
			assert_memory_not_equal(seen[i], seen[j], TERN_FASTOPEN_COOKIE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookies_are_those_of_linux),
		cmocka_unit_test(each_word_of_a_key_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
