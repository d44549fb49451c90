/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "base/map.h"
#include "base/rng.h"

/* How many entries (hash, idx) a lookup meets. */
static uint32_t times_found(const struct tern_map *m, uint32_t hash, uint32_t idx)
{
	uint32_t n = 0;

	for (struct tern_map_it it = tern_map_find(m, hash); it.idx; tern_map_next(m, &it))
		n += it.idx == idx;
	return n;
}

static void an_empty_map_finds_nothing(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_map m;

	(void)state;
	assert_int_equal(tern_map_init(&m, &mem, 4), 0);
	assert_int_equal(tern_map_find(&m, 0).idx, 0);
	assert_int_equal(tern_map_find(&m, UINT32_MAX).idx, 0);
	assert_int_equal(tern_map_remove(&m, 0, 1), -ENOENT);
	tern_map_free(&m);
	tern_map_free(&m);
	assert_int_equal(mem.used, 0);
}

static void a_full_map_takes_no_more_until_one_is_removed(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_map m;

	(void)state;
	for (uint32_t max = 0; max <= 9; max++) {
		assert_int_equal(tern_map_init(&m, &mem, max), 0);
		for (uint32_t i = 0; i < max; i++)
			assert_int_equal(tern_map_insert(&m, 5, i + 1), 0);
		assert_int_equal(tern_map_insert(&m, 5, 100), -ENOBUFS);
		assert_int_equal(m.count, max);
		for (uint32_t i = 0; i < max; i++)
			assert_int_equal(times_found(&m, 5, i + 1), 1);
		assert_int_equal(tern_map_find(&m, 6).idx, 0);
		if (max) {
			assert_int_equal(tern_map_remove(&m, 5, 1), 0);
			assert_int_equal(tern_map_insert(&m, 5, 100), 0);
			assert_int_equal(times_found(&m, 5, 100), 1);
		}
		tern_map_free(&m);
	}
	assert_int_equal(mem.used, 0);
}

static void the_slots_are_a_power_of_two_at_most_half_full(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_map m;

	(void)state;
	for (uint32_t max = 0; max <= 1025; max++) {
		assert_int_equal(tern_map_init(&m, &mem, max), 0);
		assert_int_equal(m.mask & (m.mask + 1), 0);
		assert_true(m.mask + 1 >= 2 * max && (max < 2 || m.mask + 1 < 4 * max));
		tern_map_free(&m);
	}
}

static void entries_of_one_hash_are_met_oldest_first(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_map m;
	struct tern_map_it it;

	(void)state;
	assert_int_equal(tern_map_init(&m, &mem, 16), 0);
	for (uint32_t i = 1; i <= 6; i++) {
		assert_int_equal(tern_map_insert(&m, 31, i), 0);
		assert_int_equal(tern_map_insert(&m, 63, 10 + i), 0);
	}
	assert_int_equal(tern_map_remove(&m, 31, 3), 0);
	assert_int_equal(tern_map_remove(&m, 63, 12), 0);
	assert_int_equal(tern_map_insert(&m, 31, 7), 0);
	it = tern_map_find(&m, 31);
	for (uint32_t i = 1; i <= 7; i++) {
		if (i == 3)
			continue;
		assert_int_equal(it.idx, i);
		tern_map_next(&m, &it);
	}
	assert_int_equal(it.idx, 0);
	tern_map_free(&m);
}

static void a_map_that_cannot_be_is_refused(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_map m = { 0 };

	(void)state;
	assert_int_equal(tern_map_init(&m, &mem, (1u << 30) + 1), -EINVAL);
	mem.limit = 100;
	assert_int_equal(tern_map_init(&m, &mem, 8), -ENOMEM);
	assert_null(m.slots);
	assert_int_equal(mem.used, 0);
}

#define MODEL_MAX 40

struct model {
	struct {
		uint32_t hash, idx;
	} entry[MODEL_MAX];
	uint32_t count;
};

static void expect_model(const struct tern_map *m, const struct model *model)
{
	uint32_t used = 0;

	assert_int_equal(m->count, model->count);
	for (uint32_t i = 0; i < model->count; i++)
		assert_int_equal(times_found(m, model->entry[i].hash, model->entry[i].idx), 1);
	for (uint32_t i = 0; i <= m->mask; i++)
		used += m->slots[i].idx != 0;
	assert_int_equal(used, model->count);
}

/*
 * Random steps on a map and on a list of pairs. Hashes come from few values around the end of the
 * table, so that clusters are long, overlap and wrap.
 */
static void a_map_behaves_like_a_list_of_pairs(void **state)
{
	static const uint32_t masks[] = { 0x3, 0x3f, 0x7f, 0xffffffff };
	static const uint8_t seed[TERN_RNG_SEED_LEN] = "map";
	struct tern_mem mem = { 0 };
	struct tern_rng rng;

	(void)state;
	tern_rng_init(&rng, seed);
	for (size_t k = 0; k < TERN_ARRAY_SIZE(masks); k++) {
		struct model model = { .count = 0 };
		uint32_t next_idx = 1;
		struct tern_map m;

		assert_int_equal(tern_map_init(&m, &mem, MODEL_MAX), 0);
		for (int step = 0; step < 5000; step++) {
			uint32_t hash = (tern_rng_u32(&rng) & masks[k]) - 2;
			uint32_t n = model.count, pick = tern_rng_below(&rng, MODEL_MAX);

			if (pick < n) {
				assert_int_equal(tern_map_remove(&m, model.entry[pick].hash,
								 model.entry[pick].idx),
						 0);
				model.entry[pick] = model.entry[--model.count];
			} else {
				assert_int_equal(tern_map_insert(&m, hash, next_idx), 0);
				model.entry[model.count].hash = hash;
				model.entry[model.count++].idx = next_idx++;
			}
			expect_model(&m, &model);
		}
		tern_map_free(&m);
	}
	assert_int_equal(mem.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_finds_nothing),
		cmocka_unit_test(a_full_map_takes_no_more_until_one_is_removed),
		cmocka_unit_test(the_slots_are_a_power_of_two_at_most_half_full),
		cmocka_unit_test(entries_of_one_hash_are_met_oldest_first),
		cmocka_unit_test(a_map_that_cannot_be_is_refused),
		cmocka_unit_test(a_map_behaves_like_a_list_of_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
