/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams, fragments and ICMP through the verbs and calls of a whole stack. */
#include "unit/stack/fixture.h"

#define START (1000 * S)

static uint8_t bytes[65536];

static struct tern_stack *new_stack(const char *v4, const char *v6)
{
	struct tern_config cfg = { .addrs = { { addr(v4), 24 }, { addr(v6), 64 } },
				   .addr_count = 2 };
	struct tern_stack *st;

	assert_int_equal(tern_stack_new(&cfg, START, &st), 0);
	return st;
}

/* Carries every frame of one stack to another, in reverse order within a burst if asked to. */
static unsigned int carry(struct tern_stack *from, struct tern_stack *to, uint64_t now,
			  bool reverse)
{
	static struct tern_out outs[64];
	static uint8_t frames[64][2000];
	struct tern_frame in[64];
	unsigned int n, sum = 0;

	while ((n = tern_stack_output(from, now, outs, 64)) > 0) {
		for (unsigned int i = 0; i < n; i++) {
			unsigned int at = reverse ? n - 1 - i : i;
			uint32_t len = 0;

			for (unsigned int p = 0; p < outs[i].pieces; p++) {
				memcpy(frames[at] + len, outs[i].piece[p].ptr,
				       outs[i].piece[p].len);
				len += outs[i].piece[p].len;
			}
			assert_true(len == outs[i].len && len <= 1500);
			in[at] = (struct tern_frame){ .data = frames[at], .len = len };
		}
		tern_stack_input(to, now, in, n);
		sum += n;
	}
	return sum;
}

static tern_id bound(struct tern_stack *st, const char *text, uint16_t port)
{
	struct tern_endpoint local = endpoint(text, port);
	tern_id id;

	assert_int_equal(tern_stack_open(st, START, TERN_DGRAM, local.addr.family, &id), 0);
	assert_int_equal(tern_stack_bind(st, START, id, &local), 0);
	return id;
}

static void large_datagrams_cross_the_link_in_fragments(void **state)
{
	static const char *const ends[][2] = { { "10.0.0.1", "10.0.0.2" },
					       { "2001:db8::1", "2001:db8::2" } };
	static const uint32_t max[] = { 65507, 65527 };
	static uint8_t got[65536];

	(void)state;
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 11 + i / 256);
	for (int i = 0; i < 4; i++) {
		struct tern_stack *a = new_stack("10.0.0.1", "2001:db8::1");
		struct tern_stack *b = new_stack("10.0.0.2", "2001:db8::2");
		tern_id from = bound(a, ends[i / 2][0], 5000), to = bound(b, ends[i / 2][1], 6000);
		struct tern_endpoint dest = endpoint(ends[i / 2][1], 6000), source;
		struct tern_event ev;

		assert_int_equal(tern_stack_sendto(a, START, from, bytes, max[i / 2], &dest),
				 max[i / 2]);
		assert_in_range(carry(a, b, START, i % 2), 45, 46);
		assert_true(tern_stack_event(b, &ev));
		assert_int_equal(ev.id, to);
		assert_int_equal(ev.bits, TERN_EV_READABLE);
		assert_int_equal(tern_stack_recvfrom(b, START, to, got, sizeof(got), 0, &source),
				 max[i / 2]);
		assert_memory_equal(got, bytes, max[i / 2]);
		assert_int_equal(source.port, 5000);
		tern_stack_free(a);
		tern_stack_free(b);
	}
}

static void a_datagram_to_ourselves_stays_inside(void **state)
{
	struct tern_stack *a = new_stack("10.0.0.1", "2001:db8::1");
	tern_id from = bound(a, "10.0.0.1", 5000), to = bound(a, "::", 6000);
	struct tern_endpoint dest = endpoint("10.0.0.1", 6000);
	static uint8_t got[65536];

	(void)state;
	assert_int_equal(tern_stack_sendto(a, START, from, bytes, 60000, &dest), 60000);
	assert_int_equal(carry(a, a, START, false), 0);
	assert_int_equal(tern_stack_recvfrom(a, START, to, got, sizeof(got), 0, NULL), 60000);
	assert_int_equal(tern_stack_counter(a, TERN_CNT_TernLoopback), 1);
	dest.port = 6001;
	assert_int_equal(tern_stack_connect(a, START, from, &dest), 0);
	assert_int_equal(tern_stack_send(a, START, from, "x", 1, 0), 1);
	assert_int_equal(carry(a, a, START, false), 0);
	assert_int_equal(tern_stack_send(a, START, from, "x", 1, 0), -ECONNREFUSED);
	tern_stack_free(a);
}

static void a_closed_port_refuses_across_the_link(void **state)
{
	struct tern_stack *a = new_stack("10.0.0.1", "2001:db8::1");
	struct tern_stack *b = new_stack("10.0.0.2", "2001:db8::2");
	struct tern_endpoint dest = endpoint("2001:db8::2", 7);
	struct tern_event ev;
	tern_id id;

	(void)state;
	assert_int_equal(tern_stack_open(a, START, TERN_DGRAM, TERN_INET6, &id), 0);
	assert_int_equal(tern_stack_connect(a, START, id, &dest), 0);
	/* A datagram in fragments is refused like any other. */
	assert_int_equal(tern_stack_send(a, START, id, bytes, 3000, 0), 3000);
	assert_int_equal(carry(a, b, START, false), 3);
	assert_int_equal(tern_stack_drops(b, TERN_DROP_NO_SOCKET), 1);
	assert_int_equal(carry(b, a, START, false), 1);
	assert_true(tern_stack_event(a, &ev));
	assert_int_equal(ev.bits, TERN_EV_ERROR);
	assert_int_equal(tern_stack_recv(a, START, id, bytes, 1, 0), -ECONNREFUSED);
	tern_stack_free(a);
	tern_stack_free(b);
}

static void missing_fragments_are_told_after_their_time(void **state)
{
	struct tern_stack *a = new_stack("10.0.0.1", "2001:db8::1");
	struct tern_stack *b = new_stack("10.0.0.2", "2001:db8::2");
	tern_id from = bound(a, "10.0.0.1", 5000);
	struct tern_endpoint dest = endpoint("10.0.0.2", 7);
	struct tern_out out;
	uint8_t frame[1500];
	struct tern_frame in = { .data = frame };
	uint64_t due;

	(void)state;
	assert_int_equal(tern_stack_sendto(a, START, from, bytes, 2000, &dest), 2000);
	assert_int_equal(tern_stack_output(a, START, &out, 1), 1);
	memcpy(frame, out.piece[0].ptr, out.piece[0].len);
	memcpy(frame + out.piece[0].len, out.piece[1].ptr, out.piece[1].len);
	in.len = out.len;
	tern_stack_input(b, START, &in, 1);
	due = tern_stack_deadline(b);
	assert_in_range(due, START + 1, START + 31 * S);
	for (int i = 0; i < 10 && due != TERN_NEVER; i++) {
		tern_stack_tick(b, due);
		due = tern_stack_deadline(b);
	}
	assert_int_equal(tern_stack_drops(b, TERN_DROP_FRAG_REASM_TIMEOUT), 1);
	assert_int_equal(carry(b, a, START + 31 * S, false), 1);
	tern_stack_free(a);
	tern_stack_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_datagrams_cross_the_link_in_fragments),
		cmocka_unit_test(a_datagram_to_ourselves_stays_inside),
		cmocka_unit_test(a_closed_port_refuses_across_the_link),
		cmocka_unit_test(missing_fragments_are_told_after_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
