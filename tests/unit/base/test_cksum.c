/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/cksum.h"
#include "base/rng.h"

#define DATA_LEN 400

static uint8_t data[DATA_LEN];

static int fill(void **state)
{
	static const uint8_t seed[TERN_RNG_SEED_LEN] = "checksum";
	struct tern_rng rng;

	(void)state;
	tern_rng_init(&rng, seed);
	tern_rng_bytes(&rng, data, sizeof(data));
	return 0;
}

/* RFC 1071 as it is written: 16-bit words in network order, carries added back at once. */
static uint32_t naive(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void the_example_of_rfc1071_comes_out(void **state)
{
	static const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(tern_cksum_fold(tern_cksum_add(example, sizeof(example), 0)), 0xddf2);
}

static void every_length_and_alignment_equals_the_naive_sum(void **state)
{
	(void)state;
	for (size_t at = 0; at < 64; at++)
		for (size_t len = 0; len <= 300; len++)
			assert_int_equal(tern_cksum_fold(tern_cksum_add(data + at, len, 0)),
					 naive(data + at, len, 0));
}

static void all_ones_carry_everywhere(void **state)
{
	uint8_t ones[300];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(tern_cksum_fold(0), 0);
	for (size_t len = 1; len <= sizeof(ones); len++)
		assert_int_equal(tern_cksum_fold(tern_cksum_add(ones, len, 0)),
				 len % 2 ? 0xff00 : 0xffff);
}

static void even_pieces_add_up_in_any_order(void **state)
{
	uint16_t whole = tern_cksum_fold(tern_cksum_add(data, 300, 0));

	(void)state;
	for (size_t cut = 0; cut <= 300; cut += 2) {
		uint64_t front = tern_cksum_add(data, cut, 0);
		uint64_t back = tern_cksum_add(data + cut, 300 - cut, 0);

		assert_int_equal(tern_cksum_fold(front + back), whole);
		assert_int_equal(tern_cksum_fold(tern_cksum_add(data, cut, back)), whole);
	}
}

static void pieces_may_be_cut_at_odd_offsets(void **state)
{
	(void)state;
	for (size_t a = 0; a <= 140; a += 3) {
		for (size_t b = a; b <= 140; b++) {
			uint64_t sum = tern_cksum_piece(0, data, a, false);

			sum = tern_cksum_piece(sum, data + a, b - a, a % 2);
			sum = tern_cksum_piece(sum, data + b, 141 - b, b % 2);
			assert_int_equal(tern_cksum_fold(sum), naive(data, 141, 0));
		}
	}
}

static void sixty_four_kilobytes_of_ones_do_not_overflow(void **state)
{
	size_t len = 65536;
	uint8_t *ones = malloc(len);
	uint64_t sum = 0;

	(void)state;
	assert_non_null(ones);
	memset(ones, 0xff, len);
	for (int i = 0; i < 1000; i++)
		sum = tern_cksum_add(ones, len, sum);
	assert_int_equal(tern_cksum_fold(sum), 0xffff);
	assert_int_equal(tern_cksum_fold(UINT64_MAX), 0xffff);
	free(ones);
}

static uint32_t swapped(uint32_t sum)
{
	return (sum & 0xff) << 8 | sum >> 8;
}

static void a_partial_sum_of_any_size_may_be_added_to(void **state)
{
	static const uint64_t sums[] = { 0xffff, 0x10000, 0xffffffff, 0x100000000, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(sums); i++) {
		uint32_t start = tern_cksum_fold(sums[i]);

		for (size_t len = 0; len <= 300; len++) {
			uint32_t want = naive(data, len, start);
			uint64_t piece = tern_cksum_piece(sums[i], data, len, true);

			assert_int_equal(tern_cksum_fold(tern_cksum_add(data, len, sums[i])), want);
			assert_int_equal(tern_cksum_fold(piece),
					 swapped(naive(data, len, swapped(start))));
		}
	}
}

static void the_pseudo_header_counts_like_its_bytes(void **state)
{
	static const uint32_t lens[] = { 0, 1, 20, 255, 256, 65535, 65536, 0x12345678, UINT32_MAX };
	static const uint8_t families[] = { TERN_INET, TERN_INET6 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(lens); i++) {
		for (size_t k = 0; k < 2; k++) {
			struct tern_addr src = tern_addr_from_bytes(families[k], data);
			struct tern_addr dst = tern_addr_from_bytes(families[k], data + 50);
			uint8_t pseudo[40];
			struct tern_wr wr;

			tern_wr_init(&wr, pseudo, sizeof(pseudo));
			tern_wr_bytes(&wr, src.b, tern_addr_len(families[k]));
			tern_wr_bytes(&wr, dst.b, tern_addr_len(families[k]));
			tern_wr_u32(&wr, lens[i]);
			tern_wr_u32(&wr, TERN_PROTO_TCP);
			assert_int_equal(tern_cksum_fold(tern_cksum_pseudo(
						 &src, &dst, TERN_PROTO_TCP, lens[i])),
					 naive(pseudo, tern_wr_len(&wr), 0));
		}
	}
}

static void a_checksum_that_was_stored_makes_the_sum_all_ones(void **state)
{
	struct tern_addr src = tern_addr_v4(192, 0, 2, 1), dst = tern_addr_v4(198, 51, 100, 2);

	(void)state;
	for (size_t len = 20; len <= 141; len++) {
		uint8_t segment[141];
		uint64_t pseudo = tern_cksum_pseudo(&src, &dst, TERN_PROTO_TCP, (uint32_t)len);

		memcpy(segment, data, len);
		tern_put_u16(segment + 16, 0);
		tern_put_u16(segment + 16,
			     (uint16_t)~tern_cksum_fold(tern_cksum_add(segment, len, pseudo)));
		assert_int_equal(tern_cksum_fold(tern_cksum_add(segment, len, pseudo)), 0xffff);
		segment[len - 1] ^= 1;
		assert_int_not_equal(tern_cksum_fold(tern_cksum_add(segment, len, pseudo)), 0xffff);
	}
}

/* The header of Wikipedia's and many a textbook's example. */
static void a_known_ipv4_header_has_its_known_checksum(void **state)
{
	static const uint8_t header[20] = { 0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40,
					    0x00, 0x40, 0x11, 0x00, 0x00, 0xc0, 0xa8,
					    0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7 };

	(void)state;
	assert_int_equal((uint16_t)~tern_cksum_fold(tern_cksum_add(header, 20, 0)), 0xb861);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc1071_comes_out),
		cmocka_unit_test(every_length_and_alignment_equals_the_naive_sum),
		cmocka_unit_test(all_ones_carry_everywhere),
		cmocka_unit_test(even_pieces_add_up_in_any_order),
		cmocka_unit_test(pieces_may_be_cut_at_odd_offsets),
		cmocka_unit_test(sixty_four_kilobytes_of_ones_do_not_overflow),
		cmocka_unit_test(a_partial_sum_of_any_size_may_be_added_to),
		cmocka_unit_test(the_pseudo_header_counts_like_its_bytes),
		cmocka_unit_test(a_checksum_that_was_stored_makes_the_sum_all_ones),
		cmocka_unit_test(a_known_ipv4_header_has_its_known_checksum),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
