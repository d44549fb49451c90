/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/list.h"
#include "base/rng.h"

struct item {
	uint32_t value;
	struct tern_list_link first, second;
};

#define FIRST  offsetof(struct item, first)
#define SECOND offsetof(struct item, second)
#define ITEMS  12

static struct tern_mem mem;
static struct tern_pool pool;

static int make_pool(void **state)
{
	(void)state;
	mem = (struct tern_mem){ 0 };
	if (tern_pool_init(&pool, &mem, sizeof(struct item), ITEMS) < 0)
		return -1;
	for (int i = 0; i < ITEMS; i++)
		if (!tern_pool_get(&pool))
			return -1;
	return 0;
}

static int free_pool(void **state)
{
	(void)state;
	tern_pool_free(&pool);
	return mem.used != 0;
}

/* The list is exactly these, read forward and backward. */
static void expect(const struct tern_list *list, size_t link, const uint32_t *want, uint32_t n)
{
	uint32_t idx = list->head;

	assert_int_equal(list->count, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(idx, want[i]);
		idx = tern_list_next(&pool, link, idx);
	}
	assert_int_equal(idx, 0);
	idx = list->tail;
	for (uint32_t i = n; i-- > 0;) {
		assert_int_equal(idx, want[i]);
		idx = tern_list_link(&pool, link, idx)->prev;
	}
	assert_int_equal(idx, 0);
}

static void an_empty_list_gives_nothing(void **state)
{
	struct tern_list list = { 0 };

	(void)state;
	assert_int_equal(tern_list_pop_front(&list, &pool, FIRST), 0);
	expect(&list, FIRST, NULL, 0);
}

static void items_come_off_in_the_order_they_went_on(void **state)
{
	struct tern_list list = { 0 };

	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		tern_list_push_back(&list, &pool, FIRST, i);
	expect(&list, FIRST, (const uint32_t[]){ 1, 2, 3 }, 3);
	assert_int_equal(tern_list_pop_front(&list, &pool, FIRST), 1);
	expect(&list, FIRST, (const uint32_t[]){ 2, 3 }, 2);
}

static void the_links_of_an_item_taken_off_are_zero(void **state)
{
	struct tern_list list = { 0 };
	struct item *item = tern_pool_at(&pool, 2);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		tern_list_push_back(&list, &pool, FIRST, i);
	assert_int_equal(item->first.next, 3);
	tern_list_remove(&list, &pool, FIRST, 2);
	assert_int_equal(item->first.next, 0);
	assert_int_equal(item->first.prev, 0);
	expect(&list, FIRST, (const uint32_t[]){ 1, 3 }, 2);
}

static void an_item_may_be_on_two_lists(void **state)
{
	struct tern_list a = { 0 }, b = { 0 };

	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		tern_list_push_back(&a, &pool, FIRST, i);
		tern_list_push_back(&b, &pool, SECOND, 4 - i);
	}
	tern_list_remove(&a, &pool, FIRST, 1);
	expect(&a, FIRST, (const uint32_t[]){ 2, 3 }, 2);
	expect(&b, SECOND, (const uint32_t[]){ 3, 2, 1 }, 3);
	tern_list_remove(&b, &pool, SECOND, 2);
	expect(&a, FIRST, (const uint32_t[]){ 2, 3 }, 2);
	expect(&b, SECOND, (const uint32_t[]){ 3, 1 }, 2);
}

/* Random steps on a list and on an array; they must stay equal. */
static void a_list_behaves_like_an_array(void **state)
{
	static const uint8_t seed[TERN_RNG_SEED_LEN] = "list";
	struct tern_list list = { 0 };
	uint32_t model[ITEMS], n = 0;
	bool on[ITEMS + 1] = { false };
	struct tern_rng rng;

	(void)state;
	tern_rng_init(&rng, seed);
	for (int step = 0; step < 20000; step++) {
		uint32_t idx = 1 + tern_rng_below(&rng, ITEMS), i = 0;

		if (on[idx]) {
			while (model[i] != idx)
				i++;
			if (i == 0 && step % 2)
				assert_int_equal(tern_list_pop_front(&list, &pool, FIRST), idx);
			else
				tern_list_remove(&list, &pool, FIRST, idx);
			memmove(model + i, model + i + 1, (--n - i) * sizeof(*model));
		} else {
			tern_list_push_back(&list, &pool, FIRST, idx);
			model[n++] = idx;
		}
		on[idx] = !on[idx];
		expect(&list, FIRST, model, n);
	}
}

#define with_pool(test) cmocka_unit_test_setup_teardown(test, make_pool, free_pool)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pool(an_empty_list_gives_nothing),
		with_pool(items_come_off_in_the_order_they_went_on),
		with_pool(the_links_of_an_item_taken_off_are_zero),
		with_pool(an_item_may_be_on_two_lists),
		with_pool(a_list_behaves_like_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
