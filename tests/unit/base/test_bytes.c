/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"

static void integers_are_read_and_stored_big_endian_at_any_alignment(void **state)
{
	uint8_t buf[16];

	(void)state;
	for (size_t at = 0; at < 8; at++) {
		memset(buf, 0xee, sizeof(buf));
		tern_put_u16(buf + at, 0x0102);
		assert_int_equal(buf[at], 1);
		assert_int_equal(buf[at + 1], 2);
		assert_int_equal(buf[at + 2], 0xee);
		assert_int_equal(tern_get_u16(buf + at), 0x0102);
		tern_put_u32(buf + at, 0x89abcdef);
		assert_int_equal(buf[at], 0x89);
		assert_int_equal(buf[at + 3], 0xef);
		assert_int_equal(buf[at + 4], 0xee);
		assert_int_equal(tern_get_u32(buf + at), 0x89abcdef);
	}
}

static void a_read_takes_fields_in_order(void **state)
{
	static const uint8_t in[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	struct tern_rd rd;

	(void)state;
	tern_rd_init(&rd, in, sizeof(in));
	assert_int_equal(tern_rd_u8(&rd), 1);
	assert_int_equal(tern_rd_u16(&rd), 0x0203);
	assert_int_equal(tern_rd_u32(&rd), 0x04050607);
	assert_int_equal(tern_rd_left(&rd), 4);
	tern_rd_skip(&rd, 1);
	assert_ptr_equal(tern_rd_bytes(&rd, 3), in + 8);
	assert_int_equal(tern_rd_left(&rd), 0);
	assert_false(rd.failed);
}

static void a_read_of_what_is_left_works_and_of_one_more_fails(void **state)
{
	static const uint8_t in[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

	(void)state;
	for (size_t len = 0; len <= sizeof(in); len++) {
		for (size_t n = 0; n <= len + 1; n++) {
			struct tern_rd rd;
			const uint8_t *p;

			tern_rd_init(&rd, in, len);
			p = tern_rd_bytes(&rd, n);
			assert_int_equal(rd.failed, n > len);
			assert_ptr_equal(p, n > len ? NULL : in);
			assert_int_equal(tern_rd_left(&rd), n > len ? 0 : len - n);
		}
	}
}

static void a_short_integer_reads_as_zero(void **state)
{
	static const uint8_t in[4] = { 0xff, 0xff, 0xff, 0xff };
	struct tern_rd rd;

	(void)state;
	tern_rd_init(&rd, in, 0);
	assert_int_equal(tern_rd_u8(&rd), 0);
	assert_true(rd.failed);
	tern_rd_init(&rd, in, 1);
	assert_int_equal(tern_rd_u16(&rd), 0);
	assert_true(rd.failed);
	tern_rd_init(&rd, in, 3);
	assert_int_equal(tern_rd_u32(&rd), 0);
	assert_true(rd.failed);
}

static void a_short_read_sticks(void **state)
{
	static const uint8_t in[4] = { 1, 2, 3, 4 };
	struct tern_rd rd;

	(void)state;
	tern_rd_init(&rd, in, sizeof(in));
	tern_rd_skip(&rd, 5);
	assert_true(rd.failed);
	assert_int_equal(tern_rd_left(&rd), 0);
	assert_int_equal(tern_rd_u8(&rd), 0);
	assert_null(tern_rd_bytes(&rd, 0));
	assert_true(rd.failed);
}

static void a_length_near_the_end_of_the_address_space_does_not_wrap(void **state)
{
	uint8_t buf[4] = { 0 };
	struct tern_rd rd;
	struct tern_wr wr;

	(void)state;
	tern_rd_init(&rd, buf, sizeof(buf));
	assert_null(tern_rd_bytes(&rd, SIZE_MAX));
	tern_wr_init(&wr, buf, sizeof(buf));
	assert_null(tern_wr_reserve(&wr, SIZE_MAX));
	assert_true(wr.failed);
}

static void an_empty_cursor_may_stand_on_null(void **state)
{
	struct tern_rd rd;
	struct tern_wr wr;

	(void)state;
	tern_rd_init(&rd, NULL, 0);
	tern_rd_skip(&rd, 0);
	assert_false(rd.failed);
	assert_int_equal(tern_rd_left(&rd), 0);
	tern_wr_init(&wr, NULL, 0);
	tern_wr_bytes(&wr, NULL, 0);
	tern_wr_zero(&wr, 0);
	assert_false(wr.failed);
	assert_int_equal(tern_wr_len(&wr), 0);
	tern_wr_u8(&wr, 1);
	assert_true(wr.failed);
}

static void a_writer_writes_what_a_reader_reads(void **state)
{
	static const uint8_t want[] = { 7, 1, 2, 3, 4, 5, 6, 0, 0, 'a', 'b' };
	uint8_t buf[sizeof(want) + 1];
	struct tern_wr wr;

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	tern_wr_init(&wr, buf, sizeof(want));
	tern_wr_u8(&wr, 7);
	tern_wr_u16(&wr, 0x0102);
	tern_wr_u32(&wr, 0x03040506);
	tern_wr_zero(&wr, 2);
	assert_int_equal(tern_wr_len(&wr), 9);
	tern_wr_bytes(&wr, "ab", 2);
	assert_false(wr.failed);
	assert_int_equal(tern_wr_len(&wr), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(buf[sizeof(want)], 0xee);
}

static void a_write_that_does_not_fit_writes_nothing_and_sticks(void **state)
{
	uint8_t buf[4];
	struct tern_wr wr;

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	tern_wr_init(&wr, buf, 3);
	tern_wr_u32(&wr, 1);
	assert_true(wr.failed);
	tern_wr_u8(&wr, 1);
	tern_wr_u16(&wr, 1);
	tern_wr_bytes(&wr, "x", 1);
	tern_wr_zero(&wr, 1);
	assert_int_equal(tern_wr_len(&wr), 0);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xee);
}

static void a_writer_fills_its_room_to_the_last_byte(void **state)
{
	uint8_t buf[8];

	(void)state;
	for (size_t cap = 0; cap <= 7; cap++) {
		struct tern_wr wr;

		memset(buf, 0xee, sizeof(buf));
		tern_wr_init(&wr, buf, cap);
		tern_wr_zero(&wr, cap);
		assert_false(wr.failed);
		assert_int_equal(tern_wr_len(&wr), cap);
		tern_wr_zero(&wr, 1);
		assert_true(wr.failed);
		assert_int_equal(buf[cap], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_read_and_stored_big_endian_at_any_alignment),
		cmocka_unit_test(a_read_takes_fields_in_order),
		cmocka_unit_test(a_read_of_what_is_left_works_and_of_one_more_fails),
		cmocka_unit_test(a_short_integer_reads_as_zero),
		cmocka_unit_test(a_short_read_sticks),
		cmocka_unit_test(a_length_near_the_end_of_the_address_space_does_not_wrap),
		cmocka_unit_test(an_empty_cursor_may_stand_on_null),
		cmocka_unit_test(a_writer_writes_what_a_reader_reads),
		cmocka_unit_test(a_write_that_does_not_fit_writes_nothing_and_sticks),
		cmocka_unit_test(a_writer_fills_its_room_to_the_last_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
