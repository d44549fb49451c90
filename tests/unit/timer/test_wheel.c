/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "timer/wheel.h"

struct item {
	uint64_t other;
	struct tern_timer timer;
};

#define ITEMS   64
#define TICK    TERN_TICK_NS
#define HORIZON ((uint64_t)TERN_WHEEL_HORIZON)

struct fixture {
	struct tern_mem mem;
	struct tern_pool pool;
	struct tern_wheel wheel;
};

static int make(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	if (tern_pool_init(&f.pool, &f.mem, sizeof(struct item), ITEMS) < 0)
		return -1;
	for (int i = 0; i < ITEMS; i++)
		if (!tern_pool_get(&f.pool))
			return -1;
	tern_wheel_init(&f.wheel, &f.pool, offsetof(struct item, timer), 0);
	*state = &f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	tern_pool_free(&f->pool);
	return f->mem.used != 0;
}

static struct tern_wheel *wheel(void **state)
{
	return &((struct fixture *)*state)->wheel;
}

static void a_timer_is_twelve_bytes(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct tern_timer), 12);
}

static void an_empty_wheel_expires_nothing_and_has_no_deadline(void **state)
{
	struct tern_wheel *w = wheel(state);

	assert_int_equal(tern_wheel_expire(w, 1000 * TICK), 0);
	assert_true(tern_wheel_deadline(w) == TERN_NEVER);
	assert_int_equal(w->count, 0);
	assert_false(tern_wheel_armed(w, 1));
	assert_true(tern_wheel_when(w, 1) == TERN_NEVER);
	tern_wheel_cancel(w, 1);
	assert_int_equal(w->count, 0);
}

/* Distances around the borders of every level, from starts on and around such borders. */
static void a_timer_fires_at_its_tick_and_not_before(void **state)
{
	static const uint64_t starts[] = { 0,           1,           63,          64,
					   4095,        4096,        0xfffff,     0xffffffff,
					   0x100000000, 0x3ffffffff, 0xfffffffff, 0x1000000001 };
	struct tern_wheel *w = wheel(state);

	for (size_t s = 0; s < TERN_ARRAY_SIZE(starts); s++) {
		for (unsigned int bit = 0; bit <= 30; bit++) {
			for (uint64_t d = (UINT64_C(1) << bit) - 1; d <= (UINT64_C(1) << bit) + 1;
			     d++) {
				uint64_t at = (starts[s] + d) * TICK;

				if (!d)
					continue;
				tern_wheel_init(w, w->pool, offsetof(struct item, timer),
						starts[s] * TICK);
				tern_wheel_set(w, 7, at);
				assert_true(tern_wheel_when(w, 7) == at);
				assert_true(tern_wheel_deadline(w) <= at);
				assert_int_equal(tern_wheel_expire(w, at - 1), 0);
				assert_true(tern_wheel_armed(w, 7));
				assert_true(tern_wheel_deadline(w) == at);
				assert_int_equal(tern_wheel_expire(w, at), 7);
				assert_false(tern_wheel_armed(w, 7));
				assert_int_equal(tern_wheel_expire(w, at), 0);
				assert_int_equal(w->count, 0);
			}
		}
	}
}

static void a_time_within_a_tick_is_rounded_up(void **state)
{
	struct tern_wheel *w = wheel(state);

	for (uint64_t when = 5 * TICK - 1; when <= 5 * TICK + 1; when++) {
		uint64_t fires = when > 5 * TICK ? 6 * TICK : 5 * TICK;

		tern_wheel_init(w, w->pool, offsetof(struct item, timer), 0);
		tern_wheel_set(w, 1, when);
		assert_true(tern_wheel_when(w, 1) == fires);
		assert_int_equal(tern_wheel_expire(w, fires - 1), 0);
		assert_int_equal(tern_wheel_expire(w, fires), 1);
	}
}

static void a_time_that_has_passed_is_due_at_once(void **state)
{
	struct tern_wheel *w = wheel(state);

	assert_int_equal(tern_wheel_expire(w, 100 * TICK), 0);
	tern_wheel_set(w, 1, 0);
	tern_wheel_set(w, 2, 99 * TICK);
	tern_wheel_set(w, 3, 100 * TICK);
	tern_wheel_set(w, 4, 100 * TICK + 1);
	assert_int_equal(w->count, 4);
	assert_true(tern_wheel_deadline(w) == 100 * TICK);
	assert_true(tern_wheel_when(w, 1) == 100 * TICK);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(tern_wheel_expire(w, 100 * TICK), i);
	assert_int_equal(tern_wheel_expire(w, 100 * TICK), 0);
	assert_true(tern_wheel_deadline(w) == 101 * TICK);
	assert_int_equal(tern_wheel_expire(w, 101 * TICK), 4);
}

static void a_time_beyond_the_horizon_is_brought_down_to_it(void **state)
{
	static const uint64_t starts[] = { 0, 12345, 0xffffffff, 0xfffffffff };
	struct tern_wheel *w = wheel(state);

	for (size_t s = 0; s < TERN_ARRAY_SIZE(starts); s++) {
		uint64_t last = (starts[s] + HORIZON) * TICK;

		tern_wheel_init(w, w->pool, offsetof(struct item, timer), starts[s] * TICK);
		tern_wheel_set(w, 1, last);
		tern_wheel_set(w, 2, last + 1);
		tern_wheel_set(w, 3, UINT64_MAX);
		tern_wheel_set(w, 4, last - TICK);
		for (uint32_t i = 1; i <= 3; i++)
			assert_true(tern_wheel_when(w, i) == last);
		assert_true(tern_wheel_when(w, 4) == last - TICK);
		assert_int_equal(tern_wheel_expire(w, last - TICK - 1), 0);
		assert_int_equal(tern_wheel_expire(w, last - 1), 4);
		assert_int_equal(tern_wheel_expire(w, last - 1), 0);
		for (uint32_t i = 1; i <= 3; i++)
			assert_int_equal(tern_wheel_expire(w, last), i);
	}
}

static void timers_of_one_tick_fire_in_the_order_they_were_set(void **state)
{
	struct tern_wheel *w = wheel(state);
	uint64_t at = 300000 * TICK;

	/* from ever nearer, so that they start out in different levels */
	tern_wheel_set(w, 9, at);
	assert_int_equal(tern_wheel_expire(w, at - 5000 * TICK), 0);
	tern_wheel_set(w, 3, at - 1);
	assert_int_equal(tern_wheel_expire(w, at - 70 * TICK), 0);
	tern_wheel_set(w, 5, at - TICK + 1);
	assert_int_equal(tern_wheel_expire(w, at - 2 * TICK), 0);
	tern_wheel_set(w, 1, at);
	assert_int_equal(tern_wheel_expire(w, at + TICK), 9);
	assert_int_equal(tern_wheel_expire(w, at + TICK), 3);
	assert_int_equal(tern_wheel_expire(w, at + TICK), 5);
	assert_int_equal(tern_wheel_expire(w, at + TICK), 1);
	assert_int_equal(tern_wheel_expire(w, at + TICK), 0);
}

static void setting_again_moves_a_timer_behind_the_others(void **state)
{
	struct tern_wheel *w = wheel(state);

	for (uint32_t i = 1; i <= 3; i++)
		tern_wheel_set(w, i, 10 * TICK);
	tern_wheel_set(w, 1, 10 * TICK);
	assert_int_equal(w->count, 3);
	assert_int_equal(tern_wheel_expire(w, 10 * TICK), 2);
	assert_int_equal(tern_wheel_expire(w, 10 * TICK), 3);
	assert_int_equal(tern_wheel_expire(w, 10 * TICK), 1);
}

static void a_cancelled_timer_does_not_fire_even_when_it_was_due(void **state)
{
	struct tern_wheel *w = wheel(state);

	for (uint32_t i = 1; i <= 5; i++)
		tern_wheel_set(w, i, 10 * TICK);
	tern_wheel_set(w, 6, 20 * TICK);
	tern_wheel_cancel(w, 2);
	assert_int_equal(tern_wheel_expire(w, 15 * TICK), 1);
	tern_wheel_cancel(w, 3);
	tern_wheel_set(w, 4, 30 * TICK);
	assert_int_equal(w->count, 3);
	assert_int_equal(tern_wheel_expire(w, 15 * TICK), 5);
	assert_int_equal(tern_wheel_expire(w, 15 * TICK), 0);
	tern_wheel_cancel(w, 6);
	assert_true(tern_wheel_deadline(w) == 30 * TICK);
	tern_wheel_cancel(w, 4);
	assert_true(tern_wheel_deadline(w) == TERN_NEVER);
	assert_int_equal(w->count, 0);
	for (unsigned int level = 0; level < TERN_WHEEL_LEVELS; level++)
		assert_true(w->occupied[level] == 0);
}

static void time_that_goes_back_stands_still(void **state)
{
	struct tern_wheel *w = wheel(state);

	assert_int_equal(tern_wheel_expire(w, 1000 * TICK), 0);
	tern_wheel_set(w, 1, 1001 * TICK);
	assert_int_equal(tern_wheel_expire(w, 0), 0);
	assert_true(w->tick == 1000);
	assert_int_equal(tern_wheel_expire(w, 1001 * TICK), 1);
}

static void a_handler_may_set_the_timer_that_has_just_fired(void **state)
{
	struct tern_wheel *w = wheel(state);
	uint32_t fired = 0, idx;

	tern_wheel_set(w, 1, TICK);
	while ((idx = tern_wheel_expire(w, 100 * TICK)) != 0) {
		fired++;
		tern_wheel_set(w, idx, (fired + 1) * 10 * TICK);
	}
	/* at 1, 20, 30 ... 100 ticks, all in one go */
	assert_int_equal(fired, 10);
	assert_true(tern_wheel_when(w, 1) == 110 * TICK);
}

static void a_long_silence_costs_a_few_steps_only(void **state)
{
	struct tern_wheel *w = wheel(state);
	uint64_t now = 0;
	unsigned int wakeups = 0;

	tern_wheel_set(w, 1, HORIZON * TICK);
	while (tern_wheel_armed(w, 1)) {
		assert_true(tern_wheel_deadline(w) > now);
		now = tern_wheel_deadline(w);
		wakeups++;
		if (tern_wheel_expire(w, now))
			assert_true(now == HORIZON * TICK);
	}
	assert_in_range(wakeups, 1, TERN_WHEEL_LEVELS);
}

static void two_wheels_may_share_a_pool(void **state)
{
	struct fixture *f = *state;
	static struct tern_wheel second;
	struct {
		struct tern_timer a, b;
	} * pair;
	struct tern_pool pool;
	uint32_t idx;

	assert_int_equal(tern_pool_init(&pool, &f->mem, sizeof(*pair), 4), 0);
	idx = tern_pool_get(&pool);
	tern_wheel_init(&f->wheel, &pool, 0, 0);
	tern_wheel_init(&second, &pool, sizeof(struct tern_timer), 0);
	tern_wheel_set(&f->wheel, idx, 5 * TICK);
	tern_wheel_set(&second, idx, 3 * TICK);
	assert_int_equal(tern_wheel_expire(&f->wheel, 4 * TICK), 0);
	assert_int_equal(tern_wheel_expire(&second, 4 * TICK), idx);
	assert_true(tern_wheel_armed(&f->wheel, idx));
	assert_false(tern_wheel_armed(&second, idx));
	assert_int_equal(tern_wheel_expire(&f->wheel, 5 * TICK), idx);
	tern_pool_free(&pool);
}

/* What a wheel should do, by looking at every timer each time. */
struct model {
	uint64_t tick[ITEMS + 1]; /* 0: unset */
	uint64_t order[ITEMS + 1];
	uint64_t now, next_order;
	uint32_t count;
};

static uint32_t model_next(const struct model *m, uint64_t target)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i <= ITEMS; i++) {
		if (!m->tick[i] || m->tick[i] > target)
			continue;
		if (!best || m->tick[i] < m->tick[best] ||
		    (m->tick[i] == m->tick[best] && m->order[i] < m->order[best]))
			best = i;
	}
	return best;
}

static void model_set(struct model *m, uint32_t idx, uint64_t when_ns)
{
	uint64_t tick = (when_ns + TICK - 1) / TICK;

	m->count += m->tick[idx] == 0;
	m->tick[idx] = tick > m->now ? tick : m->now;
	m->order[idx] = m->next_order++;
}

static void model_cancel(struct model *m, uint32_t idx)
{
	m->count -= m->tick[idx] != 0;
	m->tick[idx] = 0;
}

/* Expire both up to now_ns; handlers sometimes set or cancel timers in between. */
static void expire_both(struct tern_wheel *w, struct model *m, struct tern_rng *rng,
			uint64_t now_ns)
{
	uint64_t target = now_ns / TICK;
	uint32_t idx;

	for (;;) {
		uint32_t want = model_next(m, target), other;

		idx = tern_wheel_expire(w, now_ns);
		assert_int_equal(idx, want);
		if (!idx)
			break;
		m->now = m->tick[idx] > m->now ? m->tick[idx] : m->now;
		model_cancel(m, idx);
		other = 1 + tern_rng_below(rng, ITEMS);
		switch (tern_rng_below(rng, 8)) {
		case 0:
			tern_wheel_cancel(w, other);
			model_cancel(m, other);
			break;
		case 1:
			tern_wheel_set(w, other, (m->now + 1) * TICK);
			model_set(m, other, (m->now + 1) * TICK);
			break;
		}
	}
	m->now = target;
}

static void check_both(const struct tern_wheel *w, const struct model *m)
{
	uint64_t soonest = TERN_NEVER;

	for (uint32_t i = 1; i <= ITEMS; i++) {
		uint64_t when = m->tick[i] ? m->tick[i] * TICK : TERN_NEVER;

		assert_int_equal(tern_wheel_armed(w, i), m->tick[i] != 0);
		assert_true(tern_wheel_when(w, i) == when);
		soonest = when < soonest ? when : soonest;
	}
	assert_int_equal(w->count, m->count);
	if (soonest == TERN_NEVER)
		assert_true(tern_wheel_deadline(w) == TERN_NEVER);
	else
		assert_true(tern_wheel_deadline(w) <= soonest &&
			    tern_wheel_deadline(w) >= w->tick * TICK);
}

static void a_wheel_behaves_like_a_sorted_list(void **state)
{
	/* starts before the wraps of 6, 12, 32 and 36 bits of ticks */
	static const uint64_t starts[] = { 1, 4000, 0xfffff000, 0xffffff000 };
	static const uint8_t seed[TERN_RNG_SEED_LEN] = "wheel";
	struct tern_wheel *w = wheel(state);
	static struct model m;
	struct tern_rng rng;

	tern_rng_init(&rng, seed);
	for (size_t s = 0; s < TERN_ARRAY_SIZE(starts); s++) {
		uint64_t now_ns = starts[s] * TICK;

		memset(&m, 0, sizeof(m));
		m.now = starts[s];
		for (uint32_t i = 1; i <= ITEMS; i++)
			*tern_wheel_timer(w, i) = (struct tern_timer){ 0 };
		tern_wheel_init(w, w->pool, offsetof(struct item, timer), now_ns);
		for (int step = 0; step < 20000; step++) {
			uint32_t idx = 1 + tern_rng_below(&rng, ITEMS);
			/* spans of all sizes, short ones most often */
			uint64_t span = tern_rng_u64(&rng) >> (17 + tern_rng_below(&rng, 47));

			switch (tern_rng_below(&rng, 4)) {
			case 0:
				tern_wheel_cancel(w, idx);
				model_cancel(&m, idx);
				break;
			case 1:
				now_ns += span >> tern_rng_below(&rng, 20);
				expire_both(w, &m, &rng, now_ns);
				break;
			default:
				tern_wheel_set(w, idx, now_ns + span);
				model_set(&m, idx, now_ns + span);
				break;
			}
			check_both(w, &m);
		}
	}
}

#define with_wheel(test) cmocka_unit_test_setup_teardown(test, make, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_is_twelve_bytes),
		with_wheel(an_empty_wheel_expires_nothing_and_has_no_deadline),
		with_wheel(a_timer_fires_at_its_tick_and_not_before),
		with_wheel(a_time_within_a_tick_is_rounded_up),
		with_wheel(a_time_that_has_passed_is_due_at_once),
		with_wheel(a_time_beyond_the_horizon_is_brought_down_to_it),
		with_wheel(timers_of_one_tick_fire_in_the_order_they_were_set),
		with_wheel(setting_again_moves_a_timer_behind_the_others),
		with_wheel(a_cancelled_timer_does_not_fire_even_when_it_was_due),
		with_wheel(time_that_goes_back_stands_still),
		with_wheel(a_handler_may_set_the_timer_that_has_just_fired),
		with_wheel(a_long_silence_costs_a_few_steps_only),
		with_wheel(two_wheels_may_share_a_pool),
		with_wheel(a_wheel_behaves_like_a_sorted_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
