/* SPDX-License-Identifier: BSD-2-Clause */
/* The in-memory link: order, limits, and frames that stay where they were given. */
#include "unit/link/frames.h"

#include <errno.h>

#include "link/mem.h"

static struct tern_link *end[2];

static void join(struct tern_mem_link_config cfg)
{
	assert_int_equal(tern_mem_link_new(&cfg, end), 0);
}

static void part(void)
{
	tern_link_close(end[0]);
	tern_link_close(end[1]);
}

static void what_one_end_sends_the_other_receives_in_order(void **state)
{
	uint32_t i;

	(void)state;
	join((struct tern_mem_link_config){ 0 });
	for (i = 0; i < 100; i++) {
		assert_int_equal(frame_send(end[0], 0, i, 4 + i), 1);
		assert_int_equal(frame_send(end[1], 0, 1000 + i, 1500 - i), 1);
	}
	for (i = 0; i < 100; i++) {
		frame_expect(end[1], 0, i, 4 + i);
		frame_expect(end[0], 0, 1000 + i, 1500 - i);
	}
	frame_expect_none(end[0], 0);
	frame_expect_none(end[1], 0);
	assert_int_equal(end[0]->counts.frames_out, 100);
	assert_int_equal(end[1]->counts.frames_in, 100);
	assert_int_equal(end[0]->counts.bytes_out, end[1]->counts.bytes_in);
	part();
}

static void a_queue_holds_as_many_frames_as_it_was_made_for(void **state)
{
	uint32_t max;

	(void)state;
	for (max = 3; max <= 5; max++) {
		uint32_t i;

		join((struct tern_mem_link_config){ .frames = max });
		for (i = 0; i < max; i++)
			assert_int_equal(frame_send(end[0], 0, i, 40), 1);
		assert_int_equal(frame_send(end[0], 0, i, 40), -EAGAIN);
		frame_expect(end[1], 0, 0, 40);
		/* Given, but not yet given back. */
		assert_int_equal(frame_send(end[0], 0, i, 40), -EAGAIN);
		frame_expect(end[1], 0, 1, 40);
		assert_int_equal(frame_send(end[0], 0, i, 40), 1);
		assert_int_equal(frame_send(end[0], 0, i, 40), -EAGAIN);
		part();
	}
}

static void a_burst_that_fits_in_part_is_taken_in_part(void **state)
{
	static uint8_t bytes[5][100];
	struct tern_out outs[5];
	uint32_t i;

	(void)state;
	join((struct tern_mem_link_config){ .frames = 3 });
	for (i = 0; i < 5; i++)
		frame_make(&outs[i], bytes[i], i, 100);
	assert_int_equal(tern_link_send(end[0], 0, outs, 5), 3);
	assert_int_equal(tern_link_send(end[0], 0, outs + 3, 2), -EAGAIN);
	assert_int_equal(tern_link_send(end[0], 0, NULL, 0), 0);
	for (i = 0; i < 3; i++)
		frame_expect(end[1], 0, i, 100);
	part();
}

static void frames_longer_than_the_mtu_are_lost_and_counted(void **state)
{
	(void)state;
	join((struct tern_mem_link_config){ .mtu = 576 });
	assert_int_equal(frame_send(end[0], 0, 1, 575), 1);
	assert_int_equal(frame_send(end[0], 0, 2, 576), 1);
	assert_int_equal(frame_send(end[0], 0, 3, 577), 1);
	frame_expect(end[1], 0, 1, 575);
	frame_expect(end[1], 0, 2, 576);
	frame_expect_none(end[1], 0);
	assert_int_equal(end[0]->counts.drops_out, 1);
	part();
}

static int send_merged(uint32_t number, uint32_t len)
{
	static uint8_t bytes[FRAME_MAX];
	struct tern_out out;

	frame_make(&out, bytes, number, len);
	out.gso_size = 1460;
	out.csum = TERN_CSUM_PARTIAL;
	return tern_link_send(end[0], 0, &out, 1);
}

static void a_merged_frame_arrives_as_one_with_its_segment_size(void **state)
{
	struct tern_frame frame;
	uint32_t len;

	(void)state;
	join((struct tern_mem_link_config){ .gso_max = 65535, .csum_offload = true });
	assert_int_equal(end[1]->caps.gso_max, 65535);
	assert_true(end[1]->caps.csum_offload);
	for (len = 65533; len <= 65535; len++) {
		assert_int_equal(send_merged(len, len), 1);
		assert_int_equal(tern_link_receive(end[1], 0, &frame, 1), 1);
		assert_int_equal(frame.len, len);
		assert_int_equal(frame.gso_size, 1460);
		assert_int_equal(frame.csum, TERN_CSUM_PARTIAL);
		assert_int_equal(frame_errors(&frame, len), 0);
	}
	/* Not merged, it is bound by the MTU. */
	assert_int_equal(frame_send(end[0], 0, 1, 1501), 1);
	frame_expect_none(end[1], 0);
	part();
}

static void offload_is_switched_for_both_ends_and_back(void **state)
{
	unsigned int i;

	(void)state;
	join((struct tern_mem_link_config){ .gso_max = 9000, .csum_offload = true });
	assert_int_equal(tern_link_offload(end[1], false), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(end[i]->caps.gso_max, 0);
		assert_false(end[i]->caps.csum_offload);
	}
	assert_int_equal(send_merged(1, 4000), 1);
	frame_expect_none(end[1], 0);
	assert_int_equal(tern_link_offload(end[0], true), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(end[i]->caps.gso_max, 9000);
		assert_true(end[i]->caps.csum_offload);
	}
	part();
}

/*
 * The arena's smallest size, frames of all lengths, and a queue of changing depth: every way in
 * which the circle can wrap. Whatever is in flight must come out whole, while the sender goes on.
 */
static void frames_in_flight_are_never_overwritten(void **state)
{
	struct tern_frame frames[8];
	uint32_t sent = 0, got = 0, refused = 0, round;
	uint32_t lens[16];

	(void)state;
	join((struct tern_mem_link_config){ .bytes = 1, .frames = 16 });
	for (round = 0; round < 20000; round++) {
		uint32_t len = 4 + round * 769 % 1497;
		int n, i;

		if (frame_send(end[0], 0, sent, len) == 1)
			lens[sent++ % 16] = len;
		else
			refused++;
		if (round * 31 % 7 > 2)
			continue;
		n = tern_link_receive(end[1], 0, frames, 1 + round % 8);
		if (frame_send(end[0], 0, sent, 200) == 1)
			lens[sent++ % 16] = 200;
		for (i = 0; i < n; i++, got++) {
			assert_int_equal(frame_number(&frames[i]), got);
			assert_int_equal(frames[i].len, lens[got % 16]);
			assert_int_equal(frame_errors(&frames[i], got), 0);
		}
	}
	assert_true(got > 10000);
	assert_true(refused > 100);
	part();
}

static void what_is_sent_to_a_closed_end_is_lost(void **state)
{
	(void)state;
	join((struct tern_mem_link_config){ 0 });
	assert_int_equal(frame_send(end[1], 0, 5, 40), 1);
	tern_link_close(end[1]);
	assert_int_equal(frame_send(end[0], 0, 1, 40), 1);
	assert_int_equal(end[0]->counts.drops_out, 1);
	frame_expect(end[0], 0, 5, 40);
	tern_link_close(end[0]);
}

static void limits_out_of_range_are_refused(void **state)
{
	const struct tern_mem_link_config wrong[] = {
		{ .mtu = 67 },
		{ .mtu = 65536 },
		{ .gso_max = 65536 },
		{ .frames = (1 << 20) + 1 },
		{ .bytes = (1 << 30) + 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < TERN_ARRAY_SIZE(wrong); i++)
		assert_int_equal(tern_mem_link_new(&wrong[i], end), -EINVAL);
	join((struct tern_mem_link_config){ .mtu = 68, .frames = 1 });
	part();
	join((struct tern_mem_link_config){ .mtu = 65535, .gso_max = 65535 });
	part();
}

static void it_has_no_descriptor_and_no_deadline(void **state)
{
	struct tern_config cfg = { 0 };

	(void)state;
	join((struct tern_mem_link_config){ .mtu = 9000, .gso_max = 30000 });
	assert_int_equal(tern_link_fd(end[0]), -1);
	assert_true(tern_link_deadline(end[0]) == TERN_NEVER);
	tern_link_configure(end[0], &cfg);
	assert_int_equal(cfg.mtu, 9000);
	assert_int_equal(cfg.gso_max, 30000);
	assert_false(cfg.csum_offload);
	part();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_end_sends_the_other_receives_in_order),
		cmocka_unit_test(a_queue_holds_as_many_frames_as_it_was_made_for),
		cmocka_unit_test(a_burst_that_fits_in_part_is_taken_in_part),
		cmocka_unit_test(frames_longer_than_the_mtu_are_lost_and_counted),
		cmocka_unit_test(a_merged_frame_arrives_as_one_with_its_segment_size),
		cmocka_unit_test(offload_is_switched_for_both_ends_and_back),
		cmocka_unit_test(frames_in_flight_are_never_overwritten),
		cmocka_unit_test(what_is_sent_to_a_closed_end_is_lost),
		cmocka_unit_test(limits_out_of_range_are_refused),
		cmocka_unit_test(it_has_no_descriptor_and_no_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
