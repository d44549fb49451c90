/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "base/ring.h"

static void a_ring_gives_back_in_the_order_it_took(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ring ring;

	(void)state;
	for (uint32_t max = 1; max <= 9; max++) {
		uint32_t in = 0, out = 0;

		assert_int_equal(tern_ring_init(&ring, &mem, sizeof(uint32_t), max), 0);
		for (int round = 0; round < 50; round++) {
			for (int i = 0; i < round % 5; i++) {
				uint32_t *slot = tern_ring_push(&ring);

				assert_int_equal(slot != NULL, in - out < max);
				if (slot)
					*slot = in++;
			}
			assert_int_equal(tern_ring_count(&ring), in - out);
			for (int i = 0; i < round % 4; i++) {
				uint32_t *slot = tern_ring_pop(&ring);

				assert_int_equal(slot != NULL, in != out);
				if (slot)
					assert_int_equal(*slot, out++);
			}
		}
		tern_ring_free(&ring);
		assert_int_equal(mem.used, 0);
	}
}

static void the_capacity_is_exact_though_memory_is_a_power_of_two(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ring ring;

	(void)state;
	assert_int_equal(tern_ring_init(&ring, &mem, 24, 5), 0);
	assert_int_equal(mem.used, 8 * 24);
	for (int i = 0; i < 5; i++)
		assert_non_null(tern_ring_push(&ring));
	assert_null(tern_ring_push(&ring));
	assert_int_equal(tern_ring_count(&ring), 5);
	assert_non_null(tern_ring_pop(&ring));
	assert_non_null(tern_ring_push(&ring));
	assert_null(tern_ring_push(&ring));
	tern_ring_free(&ring);
	tern_ring_free(&ring);
	assert_int_equal(mem.used, 0);
}

static void positions_may_wrap(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ring ring;

	(void)state;
	assert_int_equal(tern_ring_init(&ring, &mem, 4, 3), 0);
	ring.head = ring.tail = UINT32_MAX - 1;
	for (uint32_t i = 0; i < 3; i++)
		*(uint32_t *)tern_ring_push(&ring) = i;
	assert_null(tern_ring_push(&ring));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(*(uint32_t *)tern_ring_pop(&ring), i);
	assert_null(tern_ring_pop(&ring));
	tern_ring_free(&ring);
}

static void a_ring_that_cannot_be_is_refused(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ring ring = { 0 };

	(void)state;
	assert_int_equal(tern_ring_init(&ring, &mem, 0, 1), -EINVAL);
	assert_int_equal(tern_ring_init(&ring, &mem, 1, 0), -EINVAL);
	assert_int_equal(tern_ring_init(&ring, &mem, 1, (1u << 30) + 1), -EINVAL);
	mem.fail_in = 1;
	assert_int_equal(tern_ring_init(&ring, &mem, 4, 4), -ENOMEM);
	assert_null(ring.slots);
	assert_int_equal(mem.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_gives_back_in_the_order_it_took),
		cmocka_unit_test(the_capacity_is_exact_though_memory_is_a_power_of_two),
		cmocka_unit_test(positions_may_wrap),
		cmocka_unit_test(a_ring_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
