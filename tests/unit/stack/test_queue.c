/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

static uint8_t bytes[65536];

static struct tern_packet header(const char *src, const char *dst)
{
	return (struct tern_packet){ .src = addr(src),
				     .dst = addr(dst),
				     .proto = 200,
				     .ttl = 64,
				     .tos = 8 };
}

static int put(struct tern_stack *st, const struct tern_packet *pkt, uint32_t len)
{
	uint8_t *payload;
	int err = tern_queue_room(st, pkt, len, 0, &payload);

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 3 + i / 256);
	if (!err)
		memcpy(payload, bytes, len);
	return err;
}

/* Pops everything; how many frames, how long the longest is with its header. */
static unsigned int drain(struct tern_stack *st, uint32_t *ret_longest, uint32_t *ret_bytes)
{
	struct tern_packet pkt;
	unsigned int n = 0;

	*ret_longest = 0;
	*ret_bytes = 0;
	while (tern_queue_pop(st, &pkt)) {
		uint8_t ip[TERN_IP_HEADER_MAX];
		uint32_t hl = tern_ip_emit(ip, sizeof(ip), &pkt);

		assert_int_not_equal(hl, 0);
		assert_memory_equal(pkt.payload, bytes + pkt.frag_offset, pkt.payload_len);
		*ret_longest = TERN_MAX(*ret_longest, hl + pkt.payload_len);
		*ret_bytes += pkt.payload_len;
		n++;
	}
	return n;
}

static void packets_leave_in_order_with_what_was_put(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet in = header("10.77.0.2", "198.51.100.1"), out;

	(void)state;
	assert_true(tern_queue_is_empty(st->queue));
	assert_int_equal(put(st, &in, 5), 0);
	in.proto = 201;
	assert_int_equal(put(st, &in, 0), 0);
	assert_false(tern_queue_is_empty(st->queue));
	assert_true(tern_queue_pop(st, &out));
	assert_int_equal(out.proto, 200);
	assert_int_equal(out.tos, 8);
	assert_int_equal(out.payload_len, 5);
	assert_memory_equal(out.payload, bytes, 5);
	assert_true(out.df);
	assert_int_equal(out.frag_id, 0);
	assert_true(tern_queue_pop(st, &out));
	assert_int_equal(out.proto, 201);
	assert_int_equal(out.payload_len, 0);
	assert_false(tern_queue_pop(st, &out));
	assert_true(tern_queue_bytes(st->queue) > 0);
	tern_queue_reap(st->queue);
	assert_int_equal(tern_queue_bytes(st->queue), 0);
	close_stack(st);
}

static void a_packet_is_cut_when_it_is_larger_than_the_mtu(void **state)
{
	static const struct {
		const char *src, *dst;
		uint32_t len, frames;
	} cases[] = {
		{ "10.77.0.2", "198.51.100.1", 1479, 1 },
		{ "10.77.0.2", "198.51.100.1", 1480, 1 },
		{ "10.77.0.2", "198.51.100.1", 1481, 2 },
		{ "10.77.0.2", "198.51.100.1", 2960, 2 },
		{ "10.77.0.2", "198.51.100.1", 2961, 3 },
		{ "10.77.0.2", "198.51.100.1", 65515, 45 },
		{ "2001:db8::2", "2001:db8:9::1", 1460, 1 },
		{ "2001:db8::2", "2001:db8:9::1", 1461, 2 },
		{ "2001:db8::2", "2001:db8:9::1", 65535, 46 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_stack *st = usual_stack();
		struct tern_packet in = header(cases[i].src, cases[i].dst);
		uint32_t longest, sum;

		assert_int_equal(put(st, &in, cases[i].len), 0);
		assert_int_equal(drain(st, &longest, &sum), cases[i].frames);
		assert_int_equal(sum, cases[i].len);
		assert_true(longest <= 1500);
		close_stack(st);
	}
}

static void what_is_cut_can_be_put_together_again(void **state)
{
	static const char *const pairs[][2] = { { "10.77.0.2", "198.51.100.1" },
						{ "2001:db8::2", "2001:db8:9::1" } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tern_stack *st = usual_stack(), *peer = usual_stack();
		struct tern_packet in = header(pairs[i][0], pairs[i][1]), out;
		enum tern_drop reason;
		bool whole = false;

		assert_int_equal(put(st, &in, 20000), 0);
		while (!whole) {
			uint8_t frame[1500];
			uint32_t hl;

			assert_true(tern_queue_pop(st, &out));
			hl = tern_ip_emit(frame, sizeof(frame), &out);
			memcpy(frame + hl, out.payload, out.payload_len);
			assert_int_equal(tern_ip_parse(frame, hl + out.payload_len, false, &out),
					 TERN_PARSE_OK);
			assert_true(out.fragment);
			whole = tern_frags_input(peer, &out, &reason);
			assert_int_equal(reason, TERN_DROP_NONE);
		}
		assert_int_equal(out.payload_len, 20000);
		assert_memory_equal(out.payload, bytes, 20000);
		assert_true(tern_queue_is_empty(st->queue));
		close_stack(st);
		close_stack(peer);
	}
}

static void the_mtu_of_the_path_counts(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet in = header("10.77.0.2", "198.51.100.1");
	uint32_t longest, sum;

	(void)state;
	tern_path_lower(st, &in.dst, 1000);
	assert_int_equal(put(st, &in, 980), 0);
	assert_int_equal(put(st, &in, 981), 0);
	assert_int_equal(drain(st, &longest, &sum), 3);
	assert_int_equal(longest, 1000);
	close_stack(st);
}

static void a_packet_that_must_not_be_cut_is_refused(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet in = header("10.77.0.2", "198.51.100.1");

	(void)state;
	in.df = true;
	assert_int_equal(put(st, &in, 1480), 0);
	assert_int_equal(put(st, &in, 1481), -EMSGSIZE);
	in.dst = addr("10.77.0.2"); /* never sees the link */
	assert_int_equal(put(st, &in, 1481), 0);
	close_stack(st);
}

static void a_packet_to_ourselves_is_never_cut(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet v4 = header("10.77.0.2", "192.0.2.5");
	struct tern_packet v6 = header("2001:db8::2", "2001:db8::2");
	uint32_t longest, sum;

	(void)state;
	assert_int_equal(put(st, &v4, 65515), 0);
	assert_int_equal(put(st, &v6, 65535), 0);
	assert_int_equal(drain(st, &longest, &sum), 2);
	assert_int_equal(longest, 65575);
	assert_int_equal(put(st, &v4, 65516), -EMSGSIZE);
	close_stack(st);
}

static uint32_t id_towards(struct tern_stack *st, const char *dst)
{
	struct tern_packet in = header("10.77.0.2", dst), out;
	uint32_t id;

	assert_int_equal(put(st, &in, 2000), 0);
	assert_true(tern_queue_pop(st, &out));
	id = out.frag_id;
	assert_true(tern_queue_pop(st, &out));
	assert_int_equal(out.frag_id, id);
	tern_queue_reap(st->queue);
	return id;
}

static void identifications_repeat_late_and_tell_nothing_across_destinations(void **state)
{
	struct tern_stack *st = usual_stack();
	uint32_t last = id_towards(st, "198.51.100.1");

	(void)state;
	/* No packet to another one in between can be seen in the difference. */
	for (int i = 0; i < 1000; i++) {
		uint32_t id;

		id_towards(st, "198.51.100.2");
		id = id_towards(st, "198.51.100.1");
		assert_in_range((id - last) & 0xffff, 1, 8);
		last = id;
	}
	close_stack(st);
}

static void the_number_and_the_bytes_of_packets_are_limited(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet in = header("10.77.0.2", "198.51.100.1"), out;
	unsigned int n = 0;

	(void)state;
	while (put(st, &in, 10) == 0)
		n++;
	assert_int_equal(n, 1024);
	assert_true(tern_queue_pop(st, &out));
	assert_int_equal(put(st, &in, 10), -ENOBUFS); /* the link still reads it */
	tern_queue_reap(st->queue);
	assert_int_equal(put(st, &in, 10), 0);
	close_stack(st);

	st = usual_stack();
	for (n = 0; put(st, &in, 60000) == 0; n++)
		;
	assert_in_range(n, 65, 69);
	assert_true(tern_queue_bytes(st->queue) <= 4 << 20);
	close_stack(st);
}

static void running_out_of_memory_loses_one_packet_only(void **state)
{
	struct tern_packet in = header("10.77.0.2", "198.51.100.1"), out;
	struct tern_mem mem = { 0 };

	(void)state;
	for (uint64_t nth = 1; nth <= 2; nth++) {
		struct tern_stack *st = usual_stack();

		st->mem.fail_in = nth;
		assert_int_equal(put(st, &in, 10), -ENOBUFS);
		assert_int_equal(st->trace.counters[TERN_CNT_TernAllocFailures], 1);
		assert_int_equal(put(st, &in, 10), 0);
		assert_true(tern_queue_pop(st, &out));
		assert_false(tern_queue_pop(st, &out));
		close_stack(st);

		mem.fail_in = nth;
		assert_null(tern_queue_new(&mem));
		assert_int_equal(mem.used, 0);
	}
	tern_queue_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_leave_in_order_with_what_was_put),
		cmocka_unit_test(a_packet_is_cut_when_it_is_larger_than_the_mtu),
		cmocka_unit_test(what_is_cut_can_be_put_together_again),
		cmocka_unit_test(the_mtu_of_the_path_counts),
		cmocka_unit_test(a_packet_that_must_not_be_cut_is_refused),
		cmocka_unit_test(a_packet_to_ourselves_is_never_cut),
		cmocka_unit_test(identifications_repeat_late_and_tell_nothing_across_destinations),
		cmocka_unit_test(the_number_and_the_bytes_of_packets_are_limited),
		cmocka_unit_test(running_out_of_memory_loses_one_packet_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
