/* SPDX-License-Identifier: BSD-2-Clause */
/* CUBIC: RFC 9438, its constants and its curve. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cc/cc.h"

#define MSS    1000u
#define RTT_MS 100u

struct flow {
	struct tern_cc cc;
	struct tern_cubic q;
	struct tern_cc_now now;
};

static uint32_t cwnd(const struct flow *f)
{
	return tern_cc_segments(&f->cc);
}

static struct flow begin(uint32_t window)
{
	struct flow f = { .now = { .us = 5000000, .ms = 5000 } };

	tern_cc_init(&f.cc, MSS);
	tern_cc_set_window(&f.cc, window);
	return f;
}

static void lose(struct flow *f)
{
	tern_cc_set_ssthresh(&f->cc, tern_cc_cubic.ssthresh(&f->cc, &f->q));
	tern_cc_set_window(&f->cc, f->cc.ssthresh / MSS);
}

/* ACKs of ms milliseconds, a window in each round trip. */
static void run(struct flow *f, uint32_t ms, uint32_t rtt_ms)
{
	uint32_t owed = 0;

	for (uint32_t i = 0; i < ms; i++) {
		f->now.ms++;
		f->now.us += 1000;
		for (owed += cwnd(f); owed >= rtt_ms; owed -= rtt_ms)
			tern_cc_cubic.grow(&f->cc, &f->q, 1, &f->now);
	}
}

/* §4.6: beta is 0.7. */
static void a_loss_leaves_seven_tenths(void **state)
{
	static const uint32_t windows[] = { 1, 2, 3, 10, 100, 1000, 100000 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(windows); i++) {
		struct flow f = begin(windows[i]);
		uint32_t left;

		lose(&f);
		left = cwnd(&f);
		assert_in_range(left, TERN_MAX(windows[i] * 7 / 10, 2u),
				TERN_MAX(windows[i] * 7 / 10 + 20, 2u));
		assert_int_equal(f.q.max, windows[i]);
	}
}

/* §4.7: who loses before he was back leaves room for others: W_max = cwnd * (1 + beta) / 2. */
static void a_loss_below_the_last_one_gives_way(void **state)
{
	struct flow f = begin(1000);

	(void)state;
	lose(&f);
	lose(&f);
	assert_in_range(f.q.max, 700 * 85 / 100 - 1, 700 * 85 / 100 + 1);
}

/* §4.2: K = cbrt((W_max - cwnd) / C): for W_max = 1000 cbrt(300 / 0.4) = 9.09 s. RFC9293:MAY-18 */
static void the_window_is_back_where_it_was_after_k(void **state)
{
	struct flow f = begin(1000);

	(void)state;
	lose(&f);
	run(&f, 1, RTT_MS);
	assert_in_range(f.q.k, 9060 * 1024 / 1000, 9120 * 1024 / 1000);
	run(&f, 4500, RTT_MS); /* W(4.5) = 0.4 * (4.5 - 9.09)^3 + 1000 = 961 */
	assert_in_range(cwnd(&f), 945, 970);
	run(&f, 4600, RTT_MS);
	assert_in_range(cwnd(&f), 990, 1003);
	run(&f, 4500, RTT_MS); /* and beyond: W(13.6) = 1037 */
	assert_in_range(cwnd(&f), 1020, 1045);
}

/* §4.3: on short paths it is no slower than Reno, whose window it would be with beta = 0.7. */
static void on_a_short_path_it_grows_as_reno(void **state)
{
	struct flow f = begin(20);

	(void)state;
	lose(&f);
	run(&f, 500, 5); /* 100 round trips at 3 * 0.3 / 1.7 = 0.53 segments each */
	assert_in_range(cwnd(&f), 14 + 45, 14 + 60);
}

static void a_timeout_forgets_the_path(void **state)
{
	struct flow f = begin(100);

	(void)state;
	lose(&f);
	tern_cc_cubic.lost(&f.q);
	assert_int_equal(f.q.max, 0);
	assert_false(f.q.epoch);
}

static void slow_start_doubles_each_round_trip(void **state)
{
	struct flow f = begin(10);

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		tern_cc_cubic.grow(&f.cc, &f.q, 1, &f.now);
	assert_int_equal(cwnd(&f), 20);
}

static void sample(struct flow *f, uint32_t rtt_us, uint32_t later_us)
{
	f->now.us += later_us;
	f->now.ms = f->now.us / 1000;
	tern_cc_cubic.sample(&f->cc, &f->q, rtt_us, &f->now);
}

/* HyStart: eight round trips of a round, all longer than the least by an eighth. */
static void slow_start_ends_when_round_trips_grow(void **state)
{
	for (unsigned int n = 8; n <= 9; n++) {
		struct flow f = begin(20);

		(void)state;
		sample(&f, 80000, 0);
		f.now.una += 1;
		f.now.nxt += 100;
		for (unsigned int i = 0; i < n; i++)
			sample(&f, 90001, 3000);
		assert_int_equal(f.cc.ssthresh, n > 8 ? 20 * MSS : TERN_CC_SSTHRESH_NONE);
	}
}

/* … or when ACKs of a round, each close upon the other, take half of the least round trip. */
static void slow_start_ends_with_a_long_train(void **state)
{
	struct flow f = begin(20);

	(void)state;
	f.now.nxt = 100;
	for (unsigned int i = 0; i <= 20; i++) {
		assert_int_equal(f.cc.ssthresh, TERN_CC_SSTHRESH_NONE);
		sample(&f, 39000, 1000);
	}
	sample(&f, 39000, 1000);
	assert_int_equal(f.cc.ssthresh, 20 * MSS);
}

static void a_small_window_does_not_leave_slow_start_early(void **state)
{
	struct flow f = begin(15);

	(void)state;
	f.now.nxt = 100;
	for (unsigned int i = 0; i < 100; i++)
		sample(&f, 39000 + 1000 * i, 1000);
	assert_int_equal(f.cc.ssthresh, TERN_CC_SSTHRESH_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_leaves_seven_tenths),
		cmocka_unit_test(a_loss_below_the_last_one_gives_way),
		cmocka_unit_test(the_window_is_back_where_it_was_after_k),
		cmocka_unit_test(on_a_short_path_it_grows_as_reno),
		cmocka_unit_test(a_timeout_forgets_the_path),
		cmocka_unit_test(slow_start_doubles_each_round_trip),
		cmocka_unit_test(slow_start_ends_when_round_trips_grow),
		cmocka_unit_test(slow_start_ends_with_a_long_train),
		cmocka_unit_test(a_small_window_does_not_leave_slow_start_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
