/* SPDX-License-Identifier: BSD-2-Clause */
/* The fault wrapper: every fault happens, as often as it should, and the same way by the seed. */
#include "unit/link/frames.h"

#include <errno.h>

#include "link/fault.h"
#include "link/mem.h"

#define MS UINT64_C(1000000)

enum { MANY = 20000, LEN = 100 };

/* A wrapped end and the bare far end. */
static struct tern_link *near, *far;

static void wrap(const struct tern_fault_config *cfg, const struct tern_mem_link_config *mem)
{
	struct tern_link *end[2];

	assert_int_equal(tern_mem_link_new(mem, end), 0);
	assert_int_equal(tern_fault_new(end[0], cfg, &near), 0);
	far = end[1];
}

static void unwrap(void)
{
	tern_link_close(near);
	tern_link_close(far);
}

/* What came through of MANY frames, sent one by one and taken at once. */
struct seen {
	uint32_t order[2 * MANY]; /* their numbers */
	uint32_t n, damaged, late;
};

static void note(struct seen *seen, struct tern_link *to, uint64_t now)
{
	struct tern_frame frames[8];
	int i, n;

	while ((n = tern_link_receive(to, now, frames, 8)) > 0) {
		for (i = 0; i < n; i++) {
			uint32_t number = frame_number(&frames[i]) % MANY;
			uint32_t errors = frame_errors(&frames[i], number);

			/* One byte in the number itself changes what the rest should be. */
			if (errors || frame_number(&frames[i]) != number)
				seen->damaged++;
			if (seen->n && number < seen->order[seen->n - 1])
				seen->late++;
			assert_int_equal(frames[i].len, LEN);
			assert_true(seen->n < 2 * MANY);
			seen->order[seen->n++] = number;
		}
	}
}

static void run(struct seen *seen, struct tern_link *from, struct tern_link *to)
{
	uint32_t i;

	memset(seen, 0, sizeof(*seen));
	for (i = 0; i < MANY; i++) {
		assert_int_equal(frame_send(from, i, i, LEN), 1);
		note(seen, to, i);
	}
	(void)tern_link_send(near, MANY + 3 * MS, NULL, 0);
	note(seen, to, MANY + 3 * MS);
}

/* Both directions with one fault in one of them: it strikes there, about as often as it should. */
static void strike(const struct tern_fault_config *cfg, struct seen *in, struct seen *out)
{
	wrap(cfg, &(struct tern_mem_link_config){ 0 });
	run(out, near, far);
	run(in, far, near);
}

static void assert_about(uint64_t count, uint32_t ppm)
{
	uint64_t expected = (uint64_t)MANY * ppm / 1000000;

	assert_in_range(count, expected - expected / 4, expected + expected / 4);
}

static struct seen in, out;

static void a_wire_without_faults_passes_everything_unchanged(void **state)
{
	const struct tern_fault_config cfg = { 0 };

	(void)state;
	strike(&cfg, &in, &out);
	assert_int_equal(in.n, MANY);
	assert_int_equal(out.n, MANY);
	assert_int_equal(in.late + out.late + in.damaged + out.damaged, 0);
	unwrap();
}

static void frames_are_lost_in_the_direction_that_loses(void **state)
{
	const struct tern_fault_config cfg = { .in.loss_ppm = 50000 };
	struct tern_fault_counts c;

	(void)state;
	strike(&cfg, &in, &out);
	assert_int_equal(out.n, MANY);
	assert_about(MANY - in.n, 50000);
	tern_fault_counts(near, &c, NULL);
	assert_int_equal(c.frames, MANY);
	assert_int_equal(c.lost, MANY - in.n);
	unwrap();
}

static void frames_arrive_twice(void **state)
{
	const struct tern_fault_config cfg = { .out.dup_ppm = 50000 };
	struct tern_fault_counts c;
	uint32_t twins = 0, i;

	(void)state;
	strike(&cfg, &in, &out);
	assert_int_equal(in.n, MANY);
	assert_about(out.n - MANY, 50000);
	for (i = 1; i < out.n; i++)
		twins += out.order[i] == out.order[i - 1];
	tern_fault_counts(near, NULL, &c);
	assert_int_equal(twins, out.n - MANY);
	assert_int_equal(c.duplicated, twins);
	unwrap();
}

static void frames_arrive_with_one_byte_changed(void **state)
{
	const struct tern_fault_config cfg = { .out.corrupt_ppm = 50000 };
	struct tern_fault_counts c;

	(void)state;
	strike(&cfg, &in, &out);
	assert_int_equal(in.damaged, 0);
	assert_int_equal(out.n, MANY);
	assert_about(out.damaged, 50000);
	tern_fault_counts(near, NULL, &c);
	assert_int_equal(c.corrupted, out.damaged);
	unwrap();
}

static void exactly_one_byte_of_a_corrupt_frame_differs(void **state)
{
	const struct tern_fault_config cfg = { .in.corrupt_ppm = 1000000 };
	uint32_t len, places = 0;

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ 0 });
	for (len = 1; len <= 1500; len++) {
		struct tern_frame frame;
		uint32_t errors;

		assert_int_equal(frame_send(far, 0, len, len), 1);
		assert_int_equal(tern_link_receive(near, 0, &frame, 1), 1);
		errors = frame_errors(&frame, len);
		assert_int_equal(errors, 1);
		assert_int_equal(frame.csum, TERN_CSUM_FULL);
		places += ((const uint8_t *)frame.data)[len / 2] != frame_byte(len, len / 2);
	}
	assert_true(places < 100); /* not always the same place */
	unwrap();
}

static void frames_are_overtaken_by_one_to_four(void **state)
{
	const struct tern_fault_config cfg = { .in.reorder_ppm = 20000 };
	struct tern_fault_counts c;
	uint32_t i, j, by[8] = { 0 };

	(void)state;
	strike(&cfg, &in, &out);
	assert_int_equal(out.late, 0);
	assert_int_equal(in.n, MANY);
	tern_fault_counts(near, &c, NULL);
	assert_about(c.reordered, 20000);
	assert_in_range(in.late, c.reordered * 8 / 10, c.reordered);
	for (i = 0; i < in.n; i++) {
		uint32_t larger = 0;

		for (j = i > 16 ? i - 16 : 0; j < i; j++)
			larger += in.order[j] > in.order[i];
		assert_true(larger < 8);
		by[larger]++;
	}
	for (i = 1; i <= 4; i++)
		assert_true(by[i] > 10);
	unwrap();
}

static void a_frame_that_nobody_overtakes_goes_on_after_2_ms(void **state)
{
	const struct tern_fault_config cfg = { .out.reorder_ppm = 1000000 };

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ 0 });
	assert_int_equal(frame_send(near, 5 * MS, 1, LEN), 1);
	assert_true(tern_link_deadline(near) == 7 * MS);
	assert_int_equal(tern_link_send(near, 7 * MS - 1, NULL, 0), 0);
	frame_expect_none(far, 7 * MS - 1);
	assert_int_equal(tern_link_send(near, 7 * MS, NULL, 0), 0);
	frame_expect(far, 7 * MS, 1, LEN);
	assert_true(tern_link_deadline(near) == TERN_NEVER);
	unwrap();
}

static void a_delay_is_kept_to_the_nanosecond(void **state)
{
	const struct tern_fault_config cfg = { .in.delay_ns = 10 * MS, .out.delay_ns = 3 * MS };

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ 0 });
	assert_true(tern_link_deadline(near) == TERN_NEVER);
	assert_int_equal(frame_send(far, 0, 1, LEN), 1);
	frame_expect_none(near, 100);
	assert_true(tern_link_deadline(near) == 10 * MS + 100);
	frame_expect_none(near, 10 * MS + 99);
	frame_expect(near, 10 * MS + 100, 1, LEN);
	assert_true(tern_link_deadline(near) == TERN_NEVER);

	assert_int_equal(frame_send(near, 20 * MS, 2, LEN), 1);
	assert_true(tern_link_deadline(near) == 23 * MS);
	frame_expect_none(far, 20 * MS);
	assert_int_equal(tern_link_send(near, 23 * MS - 1, NULL, 0), 0);
	frame_expect_none(far, 23 * MS - 1);
	assert_int_equal(tern_link_send(near, 23 * MS, NULL, 0), 0);
	frame_expect(far, 23 * MS, 2, LEN);
	unwrap();
}

static void jitter_stays_within_its_bounds_and_keeps_the_order(void **state)
{
	const struct tern_fault_config cfg = { .out = { .delay_ns = 10 * MS,
							.jitter_ns = 2 * MS } };
	uint64_t earliest = TERN_NEVER, latest = 0;
	uint32_t i;

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ 0 });
	for (i = 0; i < 1000; i++) {
		uint64_t now = i * 100 * MS, due;

		assert_int_equal(frame_send(near, now, 2 * i, LEN), 1);
		due = tern_link_deadline(near) - now;
		assert_in_range(due, 8 * MS, 12 * MS);
		earliest = TERN_MIN(earliest, due);
		latest = TERN_MAX(latest, due);
		assert_int_equal(frame_send(near, now, 2 * i + 1, LEN), 1);
		assert_int_equal(tern_link_send(near, now + 12 * MS, NULL, 0), 0);
		frame_expect(far, now + 12 * MS, 2 * i, LEN);
		frame_expect(far, now + 12 * MS, 2 * i + 1, LEN);
	}
	assert_true(earliest < 8 * MS + MS / 10 && latest > 12 * MS - MS / 10);
	unwrap();
}

static void jitter_without_delay_is_never_in_the_past(void **state)
{
	const struct tern_fault_config cfg = { .out.jitter_ns = 2 * MS };
	uint32_t i, at_once = 0;

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ 0 });
	for (i = 0; i < 1000; i++) {
		struct tern_frame frame;
		uint64_t now = i * 10 * MS;

		assert_int_equal(frame_send(near, now, i, LEN), 1);
		at_once += tern_link_receive(far, now, &frame, 1) == 1;
		(void)tern_link_send(near, now + 2 * MS, NULL, 0);
		(void)tern_link_receive(far, now + 2 * MS, &frame, 1);
		assert_true(tern_link_deadline(near) == TERN_NEVER);
	}
	assert_in_range(at_once, 400, 600);
	unwrap();
}

static const struct tern_fault_config all_faults = {
	.in = { .loss_ppm = 20000, .dup_ppm = 20000, .corrupt_ppm = 20000, .reorder_ppm = 20000 },
	.out = { .loss_ppm = 20000, .dup_ppm = 20000, .corrupt_ppm = 20000, .reorder_ppm = 20000 },
	.seed = 7,
};

static void the_same_seed_gives_the_same_faults_and_another_one_others(void **state)
{
	static struct seen in2, out2;
	struct tern_fault_config other = all_faults;

	(void)state;
	strike(&all_faults, &in, &out);
	unwrap();
	strike(&all_faults, &in2, &out2);
	unwrap();
	assert_memory_equal(&in, &in2, sizeof(in));
	assert_memory_equal(&out, &out2, sizeof(out));
	assert_memory_not_equal(&in, &out, sizeof(in)); /* nor are the two directions alike */
	other.seed = 8;
	strike(&other, &in2, &out2);
	unwrap();
	assert_memory_not_equal(&in, &in2, sizeof(in));
}

static void what_one_direction_carries_does_not_change_the_other(void **state)
{
	static struct seen alone;
	uint32_t i;

	(void)state;
	strike(&all_faults, &in, &out);
	unwrap();
	wrap(&all_faults, &(struct tern_mem_link_config){ 0 });
	run(&alone, far, near);
	assert_int_equal(alone.n, in.n);
	for (i = 0; i < in.n; i++)
		assert_int_equal(alone.order[i], in.order[i]);
	unwrap();
}

static void the_wrapped_link_is_without_offload(void **state)
{
	const struct tern_mem_link_config mem = { .mtu = 9000,
						  .gso_max = 65535,
						  .csum_offload = true };

	(void)state;
	wrap(&(struct tern_fault_config){ 0 }, &mem);
	assert_int_equal(near->caps.mtu, 9000);
	assert_int_equal(near->caps.gso_max, 0);
	assert_false(near->caps.csum_offload);
	assert_int_equal(far->caps.gso_max, 0);
	assert_false(far->caps.csum_offload);
	assert_int_equal(tern_link_offload(near, true), -EOPNOTSUPP);
	assert_int_equal(tern_link_offload(near, false), 0);
	unwrap();
}

static void a_full_queue_loses_what_comes_after(void **state)
{
	const struct tern_fault_config cfg = { .out.delay_ns = MS, .queue_max = 5 };
	struct tern_fault_counts c;
	uint32_t i;

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ 0 });
	for (i = 0; i < 8; i++)
		assert_int_equal(frame_send(near, 0, i, LEN), 1);
	assert_int_equal(tern_link_send(near, MS, NULL, 0), 0);
	for (i = 0; i < 5; i++)
		frame_expect(far, MS, i, LEN);
	frame_expect_none(far, MS);
	tern_fault_counts(near, NULL, &c);
	assert_int_equal(c.frames, 8);
	assert_int_equal(c.overflowed, 3);
	unwrap();
}

static void a_jammed_inner_link_is_waited_for_without_loss(void **state)
{
	const struct tern_fault_config cfg = { .queue_max = 4 };
	uint32_t i;

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ .frames = 2 });
	for (i = 0; i < 6; i++)
		assert_int_equal(frame_send(near, 0, i, LEN), 1);
	assert_int_equal(frame_send(near, 0, 6, LEN), -EAGAIN);
	assert_int_equal(tern_link_send(near, 0, NULL, 0), -EAGAIN);
	assert_true(tern_link_deadline(near) == TERN_NEVER);
	for (i = 0; i < 6; i++) {
		frame_expect(far, 0, i, LEN);
		(void)tern_link_send(near, 0, NULL, 0);
	}
	frame_expect_none(far, 0);
	assert_int_equal(tern_link_send(near, 0, NULL, 0), 0);
	unwrap();
}

static void a_flood_that_is_all_lost_does_not_hold_the_receiver(void **state)
{
	const struct tern_fault_config cfg = { .in.loss_ppm = 1000000, .queue_max = 32 };
	struct tern_fault_counts c;
	uint32_t i;

	(void)state;
	wrap(&cfg, &(struct tern_mem_link_config){ 0 });
	for (i = 0; i < 40; i++)
		assert_int_equal(frame_send(far, 0, i, LEN), 1);
	frame_expect_none(near, 0);
	assert_true(tern_link_deadline(near) == 0); /* there may be more */
	tern_fault_counts(near, &c, NULL);
	assert_in_range(c.lost, 32, 39);
	frame_expect_none(near, 0);
	assert_true(tern_link_deadline(near) == TERN_NEVER);
	tern_fault_counts(near, &c, NULL);
	assert_int_equal(c.lost, 40);
	unwrap();
}

static void values_out_of_range_are_refused(void **state)
{
	const struct tern_fault_config wrong[] = {
		{ .in.loss_ppm = 1000001 },       { .out.dup_ppm = 1000001 },
		{ .in.corrupt_ppm = 1000001 },    { .out.reorder_ppm = 1000001 },
		{ .in.delay_ns = 3600000000001 }, { .out.jitter_ns = 3600000000001 },
		{ .queue_max = (1 << 20) + 1 },
	};
	struct tern_link *end[2], *link;
	size_t i;

	(void)state;
	assert_int_equal(tern_mem_link_new(&(struct tern_mem_link_config){ .gso_max = 9000 }, end),
			 0);
	for (i = 0; i < TERN_ARRAY_SIZE(wrong); i++)
		assert_int_equal(tern_fault_new(end[0], &wrong[i], &link), -EINVAL);
	assert_int_equal(end[0]->caps.gso_max, 9000);
	tern_link_close(end[0]);
	tern_link_close(end[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wire_without_faults_passes_everything_unchanged),
		cmocka_unit_test(frames_are_lost_in_the_direction_that_loses),
		cmocka_unit_test(frames_arrive_twice),
		cmocka_unit_test(frames_arrive_with_one_byte_changed),
		cmocka_unit_test(exactly_one_byte_of_a_corrupt_frame_differs),
		cmocka_unit_test(frames_are_overtaken_by_one_to_four),
		cmocka_unit_test(a_frame_that_nobody_overtakes_goes_on_after_2_ms),
		cmocka_unit_test(a_delay_is_kept_to_the_nanosecond),
		cmocka_unit_test(jitter_stays_within_its_bounds_and_keeps_the_order),
		cmocka_unit_test(jitter_without_delay_is_never_in_the_past),
		cmocka_unit_test(the_same_seed_gives_the_same_faults_and_another_one_others),
		cmocka_unit_test(what_one_direction_carries_does_not_change_the_other),
		cmocka_unit_test(the_wrapped_link_is_without_offload),
		cmocka_unit_test(a_full_queue_loses_what_comes_after),
		cmocka_unit_test(a_jammed_inner_link_is_waited_for_without_loss),
		cmocka_unit_test(a_flood_that_is_all_lost_does_not_hold_the_receiver),
		cmocka_unit_test(values_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
