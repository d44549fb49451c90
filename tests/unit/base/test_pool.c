/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/pool.h"
#include "base/rng.h"

struct item {
	uint32_t generation;
	uint32_t value;
	uint8_t rest[56];
};

static void memory_is_zeroed_charged_and_given_back(void **state)
{
	struct tern_mem mem = { 0 };
	uint8_t *a, *b;

	(void)state;
	a = tern_mem_alloc(&mem, 100);
	b = tern_mem_alloc(&mem, 50);
	for (int i = 0; i < 100; i++)
		assert_int_equal(a[i], 0);
	assert_int_equal(mem.used, 150);
	tern_mem_free(&mem, a, 100);
	assert_int_equal(mem.used, 50);
	assert_int_equal(mem.peak, 150);
	tern_mem_free(&mem, b, 50);
	tern_mem_free(&mem, NULL, 7);
	assert_int_equal(mem.used, 0);
	assert_int_equal(mem.fails, 0);
}

static void the_limit_can_be_reached_and_not_exceeded(void **state)
{
	struct tern_mem mem = { .limit = 100 };
	void *a = tern_mem_alloc(&mem, 60), *b;

	(void)state;
	assert_non_null(a);
	assert_null(tern_mem_alloc(&mem, 41));
	assert_null(tern_mem_alloc(&mem, SIZE_MAX));
	b = tern_mem_alloc(&mem, 40);
	assert_non_null(b);
	assert_null(tern_mem_alloc(&mem, 1));
	assert_int_equal(mem.fails, 3);
	assert_int_equal(mem.used, 100);
	mem.limit = 50;
	assert_null(tern_mem_alloc(&mem, 1));
	tern_mem_free(&mem, a, 60);
	tern_mem_free(&mem, b, 40);
}

static void the_chosen_allocation_fails_and_no_other(void **state)
{
	(void)state;
	for (uint64_t chosen = 1; chosen <= 4; chosen++) {
		struct tern_mem mem = { .fail_in = chosen };

		for (uint64_t i = 1; i <= 4; i++) {
			void *ptr = tern_mem_alloc(&mem, 8);

			assert_int_equal(ptr == NULL, i == chosen);
			tern_mem_free(&mem, ptr, 8);
		}
		assert_int_equal(mem.fails, 1);
		assert_int_equal(mem.fail_in, 0);
	}
}

/* Sizes around the chunk's and the smallest, limits around a chunk of each. */
static void a_pool_gives_exactly_max_distinct_items(void **state)
{
	static const size_t sizes[] = { 1, 4, 12, 48, 64, 100, 1500, 32768, 32772, 65536, 100000 };
	static const uint32_t limits[] = { 1, 2, 3, 10, 255, 256, 257 };

	(void)state;
	for (size_t s = 0; s < TERN_ARRAY_SIZE(sizes); s++) {
		for (size_t k = 0; k < TERN_ARRAY_SIZE(limits); k++) {
			struct tern_mem mem = { 0 };
			struct tern_pool p;

			assert_int_equal(tern_pool_init(&p, &mem, sizes[s], limits[k]), 0);
			for (uint32_t i = 1; i <= limits[k]; i++) {
				assert_int_equal(tern_pool_get(&p), i);
				memset(tern_pool_at(&p, i), (int)i, sizes[s]);
			}
			assert_int_equal(tern_pool_get(&p), 0);
			assert_int_equal(p.used, limits[k]);
			for (uint32_t i = 1; i <= limits[k]; i++) {
				const uint8_t *b = tern_pool_at(&p, i);

				assert_int_equal(b[0], (uint8_t)i);
				assert_int_equal(b[sizes[s] - 1], (uint8_t)i);
			}
			tern_pool_free(&p);
			assert_int_equal(mem.used, 0);
		}
	}
}

static void an_item_comes_zeroed_and_aligned_again_and_again(void **state)
{
	static const struct item zero;
	struct tern_mem mem = { 0 };
	struct tern_pool p;

	(void)state;
	assert_int_equal(tern_pool_init(&p, &mem, sizeof(struct item), 3000), 0);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 3000; i++) {
			struct item *item = tern_pool_at(&p, tern_pool_get(&p));

			assert_int_equal((uintptr_t)item % 64, 0);
			assert_memory_equal(item, &zero, sizeof(zero));
			memset(item, 0xee, sizeof(*item));
		}
		for (uint32_t i = 1; i <= 3000; i++)
			tern_pool_put(&p, i);
	}
	tern_pool_free(&p);
}

static void an_item_of_a_bare_pool_comes_as_it_was_left(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_pool p;
	struct item left;

	(void)state;
	memset(&left, 0xee, sizeof(left));
	assert_int_equal(tern_pool_init_bare(&p, &mem, sizeof(struct item), 300), 0);
	for (uint32_t i = 1; i <= 300; i++) {
		assert_int_equal(tern_pool_get(&p), i);
		memcpy(tern_pool_at(&p, i), &left, sizeof(left));
	}
	tern_pool_put(&p, 300);
	assert_null(tern_pool_check(&p, 299, 0xeeeeeeee));
	assert_int_equal(tern_pool_get(&p), 300);
	assert_memory_equal(tern_pool_at(&p, 300), &left, sizeof(left));
	tern_pool_free(&p);
	assert_int_equal(mem.used, 0);
}

static void the_item_put_last_comes_first(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_pool p;

	(void)state;
	assert_int_equal(tern_pool_init(&p, &mem, 16384, 40), 0);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_not_equal(tern_pool_get(&p), 0);
	for (uint32_t i = 1; i <= 40; i++) {
		tern_pool_put(&p, i);
		tern_pool_put(&p, 41 - i);
		assert_int_equal(tern_pool_get(&p), 41 - i);
		assert_int_equal(tern_pool_get(&p), i);
	}
	assert_int_equal(tern_pool_get(&p), 0);
	tern_pool_free(&p);
}

static void the_item_put_last_comes_first_from_a_chunk_with_free_items_too(void **state)
{
	static const uint32_t puts[] = { 5, 9, 6, 10, 7, 13, 11 };
	struct tern_mem mem = { 0 };
	struct tern_pool p;

	(void)state;
	assert_int_equal(tern_pool_init(&p, &mem, 16384, 40), 0);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_not_equal(tern_pool_get(&p), 0);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(puts); i++) {
		tern_pool_put(&p, puts[i]);
		assert_int_equal(tern_pool_get(&p), puts[i]);
		tern_pool_put(&p, puts[i]);
	}
	assert_int_equal(tern_pool_get(&p), 11);
	tern_pool_free(&p);
}

static void free_chunks_are_given_back_but_for_one(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_pool p;
	uint64_t bare, one, all;

	(void)state;
	assert_int_equal(tern_pool_init_gen(&p, &mem, 64, 10239), 0);
	bare = mem.used;
	assert_int_equal(tern_pool_get(&p), 1);
	one = mem.used - bare;
	for (uint32_t i = 2; i <= 10239; i++)
		assert_int_equal(tern_pool_get(&p), i);
	all = mem.used - bare;
	assert_int_equal(all, 40 * one);
	for (uint32_t i = 10239; i > 1; i--)
		tern_pool_put(&p, i);
	assert_int_equal(mem.used, bare + 2 * one);
	tern_pool_put(&p, 1);
	assert_int_equal(mem.used, bare + one);
	for (uint32_t i = 1; i <= 10239; i++)
		assert_int_not_equal(tern_pool_get(&p), 0);
	assert_int_equal(tern_pool_get(&p), 0);
	assert_int_equal(mem.used, bare + all);
	assert_int_equal(mem.peak, bare + all);
	assert_int_equal(p.peak, 10239);
	tern_pool_free(&p);
	tern_pool_free(&p);
	assert_int_equal(mem.used, 0);
}

static void flapping_around_a_chunk_border_does_not_allocate(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_pool p;
	uint64_t used;

	(void)state;
	assert_int_equal(tern_pool_init(&p, &mem, 64, 10000), 0);
	for (uint32_t i = 1; i <= 256; i++)
		assert_int_equal(tern_pool_get(&p), i);
	used = mem.used;
	for (int i = 0; i < 10; i++) {
		tern_pool_put(&p, 256);
		assert_int_equal(mem.used, used);
		mem.fail_in = 1;
		assert_int_equal(tern_pool_get(&p), 256);
	}
	tern_pool_free(&p);
}

static void a_pool_without_memory_says_so_and_recovers(void **state)
{
	struct tern_mem mem = { .fail_in = 1 };
	struct tern_pool p = { 0 };

	(void)state;
	assert_int_equal(tern_pool_init(&p, &mem, 64, 3000), -ENOMEM);
	assert_int_equal(mem.used, 0);
	assert_int_equal(tern_pool_init(&p, &mem, 64, 3000), 0);
	mem.fail_in = 1;
	assert_int_equal(tern_pool_get(&p), 0);
	assert_int_equal(p.used, 0);
	for (uint32_t i = 1; i < 256; i++)
		assert_int_equal(tern_pool_get(&p), i);
	mem.fail_in = 1;
	assert_int_equal(tern_pool_get(&p), 0);
	assert_int_equal(tern_pool_get(&p), 256);
	assert_int_equal(p.used, 256);
	tern_pool_free(&p);
	assert_int_equal(mem.used, 0);
}

static void a_pool_that_cannot_be_is_refused(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_pool p;

	(void)state;
	assert_int_equal(tern_pool_init(&p, &mem, 0, 1), -EINVAL);
	assert_int_equal(tern_pool_init(&p, &mem, SIZE_MAX, 1), -EINVAL);
	assert_int_equal(tern_pool_init(&p, &mem, 64, 0), -EINVAL);
	assert_int_equal(tern_pool_init(&p, &mem, 64, 1u << 31), -EINVAL);
	assert_int_equal(mem.used, 0);
}

static void a_handle_is_good_until_its_item_is_put(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_pool p;
	struct item *item;
	uint32_t idx, gen;

	(void)state;
	assert_int_equal(tern_pool_init_gen(&p, &mem, sizeof(*item), 100), 0);
	for (uint32_t life = 1; life <= 5; life++) {
		idx = tern_pool_get(&p);
		item = tern_pool_at(&p, idx);
		gen = item->generation;
		assert_int_equal(idx, 1);
		assert_int_equal(gen, life);
		assert_ptr_equal(tern_pool_check(&p, idx, gen), item);
		assert_null(tern_pool_check(&p, idx, gen - 1));
		assert_null(tern_pool_check(&p, idx, gen + 1));
		tern_pool_put(&p, idx);
		assert_null(tern_pool_check(&p, idx, gen));
		/* nor is the handle of the next life good before it begins */
		assert_null(tern_pool_check(&p, idx, gen + 1));
	}
	tern_pool_free(&p);
}

static void wild_handles_are_refused(void **state)
{
	static const uint32_t indices[] = { 0, 2, 99, 100, 101, 1024, 1u << 20, UINT32_MAX };
	static const uint32_t generations[] = { 0, 2, 1u << 24, 1u << 31, 0x80000001, UINT32_MAX };
	struct tern_mem mem = { 0 };
	struct tern_pool p, plain;

	(void)state;
	assert_int_equal(tern_pool_init_gen(&p, &mem, sizeof(struct item), 100), 0);
	assert_null(tern_pool_check(&p, 1, 1));
	assert_int_equal(tern_pool_get(&p), 1);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(indices); i++)
		for (uint32_t gen = 0; gen < 3; gen++)
			assert_null(tern_pool_check(&p, indices[i], gen));
	for (size_t i = 0; i < TERN_ARRAY_SIZE(generations); i++)
		assert_null(tern_pool_check(&p, 1, generations[i]));
	tern_pool_free(&p);
	assert_int_equal(tern_pool_init(&plain, &mem, sizeof(struct item), 100), 0);
	assert_int_equal(tern_pool_get(&plain), 1);
	((struct item *)tern_pool_at(&plain, 1))->generation = 1;
	assert_null(tern_pool_check(&plain, 1, 1));
	tern_pool_free(&plain);
}

/* The generation after 2^24 - 1 is 1, and the chunk's memory of it wraps too. */
static void generations_wrap_and_are_never_zero(void **state)
{
	const uint32_t last = (1u << 24) - 1;
	struct tern_mem mem = { 0 };
	struct tern_pool p;
	struct item *item;

	(void)state;
	assert_int_equal(tern_pool_init_gen(&p, &mem, sizeof(*item), 2), 0);
	for (uint32_t life = 1; life <= last; life++) {
		uint32_t idx = tern_pool_get(&p);

		item = tern_pool_at(&p, idx);
		if (item->generation != life)
			fail_msg("life %u has generation %u", life, item->generation);
		tern_pool_put(&p, idx);
	}
	assert_int_equal(tern_pool_get(&p), 1);
	item = tern_pool_at(&p, 1);
	assert_int_equal(item->generation, 1);
	assert_int_equal(tern_pool_get(&p), 2);
	item = tern_pool_at(&p, 2);
	assert_int_equal(item->generation, 1);
	tern_pool_free(&p);
}

/* Between full and empty, where chunks come and go. */
static void no_handle_is_given_twice_though_chunks_come_and_go(void **state)
{
	enum { MAX = 1000 };
	static uint8_t given[MAX + 1][4096];
	static const uint8_t seed[TERN_RNG_SEED_LEN] = "pool";
	uint32_t held[MAX], n = 0, gone = 0;
	struct tern_mem mem = { 0 };
	struct tern_rng rng;
	struct tern_pool p;

	(void)state;
	tern_rng_init(&rng, seed);
	assert_int_equal(tern_pool_init_gen(&p, &mem, 64, MAX), 0);
	for (int step = 0; step < 120000; step++) {
		uint32_t want = step % 4000 < 2000 ? MAX * 9 / 10 : MAX / 10, idx, gen;

		if (tern_rng_below(&rng, MAX) < want && n < MAX) {
			idx = tern_pool_get(&p);
			gen = ((struct item *)tern_pool_at(&p, idx))->generation;
			assert_in_range(gen, 1, sizeof(given[0]) - 1);
			assert_int_equal(given[idx][gen], 0);
			given[idx][gen] = 1;
			held[n++] = idx;
		} else if (n) {
			uint32_t pick = tern_rng_below(&rng, n);
			uint64_t before = mem.used;

			idx = held[pick];
			gen = ((struct item *)tern_pool_at(&p, idx))->generation;
			assert_non_null(tern_pool_check(&p, idx, gen));
			tern_pool_put(&p, idx);
			gone += mem.used < before;
			assert_null(tern_pool_check(&p, idx, gen));
			held[pick] = held[--n];
		}
		assert_int_equal(p.used, n);
	}
	assert_in_range(gone, 30, 120000);
	tern_pool_free(&p);
	assert_int_equal(mem.used, 0);
}

/* Random gets and puts with random failures, against a table of what each item holds. */
static void a_pool_behaves_like_a_table(void **state)
{
	enum { MAX = 3000 };
	static uint32_t model[MAX + 1];
	static const uint8_t seed[TERN_RNG_SEED_LEN] = "table";
	struct tern_mem mem = { 0 };
	struct tern_rng rng;
	struct tern_pool p;
	uint32_t used = 0;

	(void)state;
	memset(model, 0, sizeof(model));
	tern_rng_init(&rng, seed);
	assert_int_equal(tern_pool_init(&p, &mem, 200, MAX), 0);
	for (uint32_t step = 1; step <= 200000; step++) {
		uint32_t idx = 1 + tern_rng_below(&rng, MAX);
		uint32_t bias = step / 20000 % 2 ? 1 : 9;

		if (step % 1000 == 0)
			mem.fail_in = 1;
		if (model[idx] && tern_rng_below(&rng, 10) >= bias) {
			assert_int_equal(*(uint32_t *)tern_pool_at(&p, idx), model[idx]);
			tern_pool_put(&p, idx);
			model[idx] = 0;
			used--;
		} else if (tern_rng_below(&rng, 10) < bias) {
			idx = tern_pool_get(&p);
			if (!idx)
				continue;
			assert_in_range(idx, 1, MAX);
			assert_int_equal(model[idx], 0);
			assert_int_equal(*(uint32_t *)tern_pool_at(&p, idx), 0);
			*(uint32_t *)tern_pool_at(&p, idx) = step;
			model[idx] = step;
			used++;
		}
		assert_int_equal(p.used, used);
	}
	for (uint32_t idx = 1; idx <= MAX; idx++)
		if (model[idx])
			assert_int_equal(*(uint32_t *)tern_pool_at(&p, idx), model[idx]);
	tern_pool_free(&p);
	assert_int_equal(mem.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_charged_and_given_back),
		cmocka_unit_test(the_limit_can_be_reached_and_not_exceeded),
		cmocka_unit_test(the_chosen_allocation_fails_and_no_other),
		cmocka_unit_test(a_pool_gives_exactly_max_distinct_items),
		cmocka_unit_test(an_item_comes_zeroed_and_aligned_again_and_again),
		cmocka_unit_test(an_item_of_a_bare_pool_comes_as_it_was_left),
		cmocka_unit_test(the_item_put_last_comes_first),
		cmocka_unit_test(the_item_put_last_comes_first_from_a_chunk_with_free_items_too),
		cmocka_unit_test(free_chunks_are_given_back_but_for_one),
		cmocka_unit_test(flapping_around_a_chunk_border_does_not_allocate),
		cmocka_unit_test(a_pool_without_memory_says_so_and_recovers),
		cmocka_unit_test(a_pool_that_cannot_be_is_refused),
		cmocka_unit_test(a_handle_is_good_until_its_item_is_put),
		cmocka_unit_test(wild_handles_are_refused),
		cmocka_unit_test(generations_wrap_and_are_never_zero),
		cmocka_unit_test(no_handle_is_given_twice_though_chunks_come_and_go),
		cmocka_unit_test(a_pool_behaves_like_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
