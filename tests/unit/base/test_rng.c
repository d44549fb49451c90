/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/rng.h"
#include "base/siphash.h"

static struct tern_rng seeded(uint8_t first)
{
	uint8_t seed[TERN_RNG_SEED_LEN];
	struct tern_rng rng;

	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(first + i);
	tern_rng_init(&rng, seed);
	return rng;
}

static void a_seed_gives_one_sequence_and_another_seed_another(void **state)
{
	struct tern_rng a = seeded(1), b = seeded(1), c = seeded(2);

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint64_t v = tern_rng_u64(&a);

		assert_true(v == tern_rng_u64(&b));
		assert_true(v != tern_rng_u64(&c));
	}
}

static void output_n_is_the_hash_of_n_under_the_seed(void **state)
{
	uint64_t message[3] = { 0x1716151413121110, 0x1f1e1d1c1b1a1918, 0 };
	struct tern_rng rng = seeded(0);
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	(void)state;
	for (; message[2] < 10; message[2]++)
		assert_true(tern_rng_u64(&rng) == tern_siphash24_words(key, message, 3));
}

static void every_byte_of_the_seed_matters(void **state)
{
	uint8_t seed[TERN_RNG_SEED_LEN] = { 0 };
	struct tern_rng plain, other;
	uint64_t first;

	(void)state;
	tern_rng_init(&plain, seed);
	first = tern_rng_u64(&plain);
	for (size_t i = 0; i < sizeof(seed); i++) {
		seed[i] = 1;
		tern_rng_init(&other, seed);
		seed[i] = 0;
		assert_true(tern_rng_u64(&other) != first);
	}
}

static void below_stays_below_and_reaches_every_value_about_equally(void **state)
{
	struct tern_rng rng = seeded(3);

	(void)state;
	for (uint32_t n = 1; n <= 40; n++) {
		uint32_t seen[40] = { 0 };

		for (uint32_t i = 0; i < 1000 * n; i++) {
			uint32_t v = tern_rng_below(&rng, n);

			assert_true(v < n);
			seen[v]++;
		}
		/* 1000 expected; the standard deviation is 31 at most, so this is six of them */
		for (uint32_t v = 0; v < n; v++)
			assert_in_range(seen[v], 810, 1190);
	}
}

/*
 * 3 * 2^30 does not divide 2^32. By modulo, the lower third would come up twice as often as each
 * of the others; by a product without rejection, every third value would.
 */
static void below_is_unbiased_where_a_modulo_or_a_product_would_not_be(void **state)
{
	const uint32_t n = 3u << 30;
	struct tern_rng rng = seeded(4);
	uint32_t third[3] = { 0 }, residue[3] = { 0 };

	(void)state;
	for (int i = 0; i < 30000; i++) {
		uint32_t v = tern_rng_below(&rng, n);

		assert_true(v < n);
		third[v / (n / 3)]++;
		residue[v % 3]++;
	}
	for (int i = 0; i < 3; i++) {
		assert_in_range(third[i], 9500, 10500);
		assert_in_range(residue[i], 9500, 10500);
	}
}

static void below_nothing_and_below_one_are_zero(void **state)
{
	struct tern_rng rng = seeded(5);

	(void)state;
	assert_int_equal(tern_rng_below(&rng, 0), 0);
	assert_int_equal(tern_rng_below(&rng, 1), 0);
	for (int i = 0; i < 100; i++)
		assert_true(tern_rng_below(&rng, UINT32_MAX) < UINT32_MAX);
}

static void bytes_fill_exactly_what_was_asked_for(void **state)
{
	uint8_t buf[40], whole[32];
	struct tern_rng rng = seeded(6);

	(void)state;
	tern_rng_bytes(&rng, whole, sizeof(whole));
	for (size_t len = 0; len <= sizeof(whole); len++) {
		struct tern_rng again = seeded(6);

		memset(buf, 0xee, sizeof(buf));
		tern_rng_bytes(&again, buf, len);
		assert_memory_equal(buf, whole, len);
		assert_int_equal(buf[len], 0xee);
	}
}

static void bits_are_set_half_of_the_time(void **state)
{
	struct tern_rng rng = seeded(7);
	uint32_t set[64] = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t v = tern_rng_u64(&rng);

		for (int bit = 0; bit < 64; bit++)
			set[bit] += (uint32_t)(v >> bit & 1);
	}
	for (int bit = 0; bit < 64; bit++)
		assert_in_range(set[bit], 4700, 5300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_gives_one_sequence_and_another_seed_another),
		cmocka_unit_test(output_n_is_the_hash_of_n_under_the_seed),
		cmocka_unit_test(every_byte_of_the_seed_matters),
		cmocka_unit_test(below_stays_below_and_reaches_every_value_about_equally),
		cmocka_unit_test(below_is_unbiased_where_a_modulo_or_a_product_would_not_be),
		cmocka_unit_test(below_nothing_and_below_one_are_zero),
		cmocka_unit_test(bytes_fill_exactly_what_was_asked_for),
		cmocka_unit_test(bits_are_set_half_of_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
