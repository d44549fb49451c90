/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include "wire/pcapng.h"

static void a_section_begins_the_file(void **state)
{
	/* clang-format off */
	static const uint8_t want[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0,		       /* type, length */
		0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,		       /* byte order, version */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,	       /* section length */
		4, 0, 8, 0, 't', 'e', 'r', 'n', ' ', '0', '.', '1',    /* application */
		0, 0, 0, 0, 44, 0, 0, 0,			       /* end, length */
	};
	/* clang-format on */
	uint8_t buf[64];

	(void)state;
	assert_int_equal(tern_pcapng_section(buf, sizeof(buf), "tern 0.1"), 44);
	assert_memory_equal(buf, want, 44);
	assert_int_equal(tern_pcapng_section(buf, sizeof(buf), NULL), 32);
	assert_int_equal(tern_pcapng_section(buf, sizeof(buf), ""), 32);
}

static void an_interface_counts_nanoseconds_on_raw_ip(void **state)
{
	/* clang-format off */
	static const uint8_t want[] = {
		1, 0, 0, 0, 44, 0, 0, 0, 101, 0, 0, 0, 0, 0, 1, 0, /* link type, snap length */
		2, 0, 5, 0, 't', 'e', 'r', 'n', '0', 0, 0, 0,	   /* name, padded */
		9, 0, 1, 0, 9, 0, 0, 0,				   /* 10^-9 s */
		0, 0, 0, 0, 44, 0, 0, 0,
	};
	/* clang-format on */
	uint8_t buf[64];

	(void)state;
	assert_int_equal(tern_pcapng_interface(buf, sizeof(buf), "tern0", 65536), 44);
	assert_memory_equal(buf, want, 44);
}

static void a_packet_is_gathered_stamped_and_commented(void **state)
{
	/* clang-format off */
	static const uint8_t want[] = {
		6, 0, 0, 0, 52, 0, 0, 0, 2, 0, 0, 0,		     /* type, length, interface */
		0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05,	     /* time, high half first */
		5, 0, 0, 0, 9, 0, 0, 0, 'a', 'b', 'c', 'd', 'e', 0, 0, 0, /* lengths, data */
		1, 0, 2, 0, 'o', 'k', 0, 0, 0, 0, 0, 0, 52, 0, 0, 0, /* comment, end, length */
	};
	/* clang-format on */
	const struct tern_piece pieces[] = { { (const uint8_t *)"ab", 2 },
					     { NULL, 0 },
					     { (const uint8_t *)"cde", 3 } };
	uint8_t buf[64];

	(void)state;
	assert_int_equal(tern_pcapng_packet(buf, sizeof(buf), 2, 0x0102030405060708, pieces, 3, 9,
					    "ok"),
			 52);
	assert_memory_equal(buf, want, 52);
	assert_int_equal(tern_pcapng_packet(buf, sizeof(buf), 2, 0, pieces, 3, 0, NULL), 40);
	assert_int_equal(buf[24], 5); /* never shorter on the wire than what was kept */
	assert_int_equal(tern_pcapng_packet(buf, sizeof(buf), 2, 0, pieces, 3, 0, ""), 40);
}

static void a_block_that_does_not_fit_is_told(void **state)
{
	const struct tern_piece piece = { (const uint8_t *)"abcde", 5 };
	uint8_t buf[64];

	(void)state;
	for (uint32_t cap = 0; cap < 60; cap++) {
		uint8_t *at = guarded(buf, cap);

		assert_int_equal(tern_pcapng_section(at, cap, "tern 0.1"), cap < 44 ? 0 : 44);
		assert_int_equal(tern_pcapng_interface(at, cap, "tern0", 0), cap < 44 ? 0 : 44);
		assert_int_equal(tern_pcapng_packet(at, cap, 0, 0, &piece, 1, 5, "ok"),
				 cap < 52 ? 0 : 52);
	}
}

static void a_long_comment_is_cut_between_characters(void **state)
{
	static char comment[TERN_PCAPNG_COMMENT_MAX + 10];
	static uint8_t buf[TERN_PCAPNG_COMMENT_MAX + 100];

	(void)state;
	memset(comment, 'x', sizeof(comment) - 1);
	assert_int_equal(tern_pcapng_packet(buf, sizeof(buf), 0, 0, NULL, 0, 0, comment),
			 32 + 4 + TERN_PCAPNG_COMMENT_MAX + 4);
	memcpy(comment + TERN_PCAPNG_COMMENT_MAX - 1, "\xc3\xa9", 2); /* e acute across the limit */
	assert_int_equal(tern_pcapng_packet(buf, sizeof(buf), 0, 0, NULL, 0, 0, comment),
			 32 + 4 + TERN_PCAPNG_COMMENT_MAX + 4);
	assert_int_equal(buf[30] | buf[31] << 8, TERN_PCAPNG_COMMENT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_begins_the_file),
		cmocka_unit_test(an_interface_counts_nanoseconds_on_raw_ip),
		cmocka_unit_test(a_packet_is_gathered_stamped_and_commented),
		cmocka_unit_test(a_block_that_does_not_fit_is_told),
		cmocka_unit_test(a_long_comment_is_cut_between_characters),
	};
	/* clang-format on */

	return cmocka_run_group_tests(tests, NULL, NULL);
}
