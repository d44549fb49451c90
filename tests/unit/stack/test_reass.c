/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

/* What every fragment of these tests holds at an offset: so that a packet can be checked. */
static uint8_t byte_at(uint32_t offset)
{
	return (uint8_t)(offset * 7 + offset / 251);
}

static uint8_t bytes[65536];

/* A fragment [start, end) of packet id; more: not the last one. */
static struct tern_packet fragment(const char *src, uint32_t id, uint32_t start, uint32_t end,
				   bool more)
{
	struct tern_packet pkt = { .src = addr(src),
				   .proto = TERN_PROTO_UDP,
				   .ttl = 60,
				   .fragment = true,
				   .more_fragments = more,
				   .frag_id = id,
				   .frag_offset = start,
				   .payload = bytes + start,
				   .payload_len = end - start };

	for (uint32_t i = start; i < end; i++)
		bytes[i] = byte_at(i);
	pkt.dst = addr(pkt.src.family == TERN_INET ? "10.77.0.2" : "2001:db8::2");
	pkt.header_len = pkt.src.family == TERN_INET ? 20 : 48;
	return pkt;
}

/* Gives it to the stack and checks what it makes of it. */
static void expect(struct tern_stack *st, struct tern_packet *pkt, bool whole,
		   enum tern_drop reason)
{
	enum tern_drop got = TERN_DROPS;
	bool done = tern_frags_input(st, pkt, &got);

	assert_int_equal(got, reason);
	assert_int_equal(done, whole);
}

static void give(struct tern_stack *st, const char *src, uint32_t id, uint32_t start, uint32_t end,
		 bool more, bool whole, enum tern_drop reason)
{
	struct tern_packet pkt = fragment(src, id, start, end, more);

	expect(st, &pkt, whole, reason);
}

static void check_whole(const struct tern_packet *pkt, uint32_t len)
{
	assert_int_equal(pkt->payload_len, len);
	assert_false(pkt->fragment || pkt->more_fragments || pkt->frag_offset);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(pkt->payload[i], byte_at(i));
}

static void nothing_is_left(struct tern_stack *st)
{
	tern_frags_tick(st);
	assert_int_equal(tern_frags_bytes(st->frags), 0);
	assert_int_equal(tern_frags_deadline(st->frags), TERN_NEVER);
}

static void two_fragments_make_a_packet_in_either_order(void **state)
{
	static const char *const sources[] = { "198.51.100.1", "2001:db8:9::1" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		const char *src = sources[i / 2];
		struct tern_stack *st = usual_stack();
		struct tern_packet a = fragment(src, 5, 0, 1480, true);
		struct tern_packet b = fragment(src, 5, 1480, 1500, false);
		struct tern_packet *last = i % 2 ? &a : &b, again;

		expect(st, i % 2 ? &b : &a, false, TERN_DROP_NONE);
		expect(st, last, true, TERN_DROP_NONE);
		check_whole(last, 1500);
		assert_int_equal(last->ttl, 60);
		assert_int_equal(last->proto, TERN_PROTO_UDP);
		/* It stands in memory as if it had come in one piece. */
		assert_int_equal(tern_ip_parse(last->payload - last->header_len,
					       last->header_len + last->payload_len, false, &again),
				 TERN_PARSE_OK);
		assert_true(tern_addr_eq(&again.src, &last->src));
		assert_ptr_equal(again.payload, last->payload);
		assert_int_equal(again.payload_len, 1500);
		nothing_is_left(st);
		assert_int_equal(
			st->trace.counters[i < 2 ? TERN_CNT_IpReasmReqds : TERN_CNT_Ip6ReasmReqds],
			2);
		assert_int_equal(
			st->trace.counters[i < 2 ? TERN_CNT_IpReasmOKs : TERN_CNT_Ip6ReasmOKs], 1);
		close_stack(st);
	}
}

static void fragments_of_other_packets_are_kept_apart(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet pkt;

	(void)state;
	give(st, "198.51.100.1", 5, 0, 80, true, false, TERN_DROP_NONE);
	give(st, "198.51.100.1", 6, 80, 90, false, false, TERN_DROP_NONE);
	give(st, "198.51.100.2", 5, 80, 91, false, false, TERN_DROP_NONE);
	pkt = fragment("198.51.100.1", 5, 80, 92, false);
	pkt.proto = 253;
	expect(st, &pkt, false, TERN_DROP_NONE);
	pkt = fragment("198.51.100.1", 5, 80, 93, false);
	pkt.dst = addr("192.0.2.5");
	expect(st, &pkt, false, TERN_DROP_NONE);
	pkt = fragment("198.51.100.1", 5, 80, 94, false);
	expect(st, &pkt, true, TERN_DROP_NONE);
	check_whole(&pkt, 94);
	close_stack(st);
}

static void in_ipv6_the_first_fragment_alone_says_the_protocol(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet pkt = fragment("2001:db8:9::1", 5, 80, 90, false);

	(void)state;
	pkt.proto = 60;
	expect(st, &pkt, false, TERN_DROP_NONE);
	pkt = fragment("2001:db8:9::1", 5, 0, 80, true);
	expect(st, &pkt, true, TERN_DROP_NONE);
	assert_int_equal(pkt.proto, TERN_PROTO_UDP);
	close_stack(st);
}

static void an_exact_duplicate_is_ignored(void **state)
{
	struct tern_stack *st = usual_stack();

	(void)state;
	give(st, "198.51.100.1", 5, 0, 80, true, false, TERN_DROP_NONE);
	give(st, "198.51.100.1", 5, 0, 80, true, false, TERN_DROP_NONE);
	give(st, "198.51.100.1", 5, 160, 200, false, false, TERN_DROP_NONE);
	give(st, "198.51.100.1", 5, 160, 200, false, false, TERN_DROP_NONE);
	give(st, "198.51.100.1", 5, 80, 160, true, true, TERN_DROP_NONE);
	close_stack(st);
}

static void a_duplicate_with_other_bytes_loses_the_packet(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet pkt;

	(void)state;
	give(st, "198.51.100.1", 5, 0, 80, true, false, TERN_DROP_NONE);
	pkt = fragment("198.51.100.1", 5, 0, 80, true);
	bytes[79] ^= 1;
	expect(st, &pkt, false, TERN_DROP_DUP_FRAG);
	close_stack(st);
}

/* Every overlap of a fragment with [80, 160), by one unit and whole, from both sides. */
static void an_overlap_loses_the_packet_and_all_its_later_fragments(void **state)
{
	static const struct {
		uint32_t start, end;
		bool overlap;
	} cases[] = {
		{ 0, 80, false },   { 0, 88, true },    { 0, 160, true },    { 0, 240, true },
		{ 72, 88, true },   { 80, 88, true },   { 88, 152, true },   { 80, 240, true },
		{ 152, 160, true }, { 152, 240, true }, { 160, 240, false },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_stack *st = usual_stack();

		give(st, "198.51.100.1", 5, 80, 160, true, false, TERN_DROP_NONE);
		give(st, "198.51.100.1", 5, cases[i].start, cases[i].end, true, false,
		     cases[i].overlap ? TERN_DROP_DUP_FRAG : TERN_DROP_NONE);
		assert_int_equal(st->trace.drops[TERN_DROP_DUP_FRAG], cases[i].overlap);
		if (cases[i].overlap) {
			assert_int_equal(tern_frags_bytes(st->frags), 0);
			give(st, "198.51.100.1", 5, 400, 480, true, false, TERN_DROP_DUP_FRAG);
			give(st, "198.51.100.1", 5, 480, 490, false, false, TERN_DROP_DUP_FRAG);
			assert_int_equal(st->trace.counters[TERN_CNT_IpReasmFails], 1);
			/* After the time it may be tried again. */
			tern_tcp_set_now(&st->tcp, st->tcp.now + 31 * S);
			tern_frags_tick(st);
			give(st, "198.51.100.1", 5, 0, 80, true, false, TERN_DROP_NONE);
			give(st, "198.51.100.1", 5, 80, 90, false, true, TERN_DROP_NONE);
		}
		close_stack(st);
	}
}

static void two_ends_or_parts_beyond_the_end_lose_the_packet(void **state)
{
	static const struct {
		uint32_t start, end;
		bool more;
	} second[] = { { 160, 168, false },
		       { 160, 240, true },
		       { 0, 72, false },
		       { 240, 248, false } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(second); i++) {
		struct tern_stack *st = usual_stack();

		give(st, "198.51.100.1", 5, 80, 160, false, false, TERN_DROP_NONE);
		give(st, "198.51.100.1", 5, second[i].start, second[i].end, second[i].more, false,
		     TERN_DROP_FRAG_MALFORMED);
		close_stack(st);
	}
	{
		struct tern_stack *st = usual_stack();

		give(st, "198.51.100.1", 5, 80, 160, true, false, TERN_DROP_NONE);
		give(st, "198.51.100.1", 5, 0, 80, false, false, TERN_DROP_FRAG_MALFORMED);
		close_stack(st);
	}
}

static void the_longest_packets_are_put_together(void **state)
{
	static const struct {
		const char *src;
		uint32_t len;
	} cases[] = { { "198.51.100.1", 65515 }, { "2001:db8:9::1", 65535 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_stack *st = usual_stack();
		struct tern_packet pkt;

		/* 552 bytes of payload: a link with an MTU of 576. */
		for (uint32_t start = 0; start < cases[i].len; start += 552) {
			uint32_t end = TERN_MIN(start + 552, cases[i].len);

			pkt = fragment(cases[i].src, 5, start, end, end < cases[i].len);
			expect(st, &pkt, end == cases[i].len, TERN_DROP_NONE);
		}
		check_whole(&pkt, cases[i].len);
		close_stack(st);
	}
}

static void a_packet_of_too_many_fragments_is_given_up(void **state)
{
	struct tern_stack *st = usual_stack();

	(void)state;
	for (uint32_t i = 0; i < 128; i++)
		give(st, "198.51.100.1", 5, i * 16, i * 16 + 8, true, false, TERN_DROP_NONE);
	give(st, "198.51.100.1", 5, 4000, 4008, true, false, TERN_DROP_FRAG_TOO_FAR);
	assert_int_equal(st->trace.drops[TERN_DROP_FRAG_TOO_FAR], 128);
	close_stack(st);
}

static void ce_survives_and_ce_beside_not_ect_loses_the_packet(void **state)
{
	/* ECN of the first and second fragment; what comes of it, -1: nothing. */
	static const int cases[][3] = { { 0, 0, 0 }, { 2, 2, 2 },  { 2, 3, 3 },  { 3, 2, 3 },
					{ 3, 3, 3 }, { 0, 3, -1 }, { 3, 0, -1 }, { 1, 3, 3 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_stack *st = usual_stack();
		struct tern_packet a = fragment("198.51.100.1", 5, 0, 80, true);
		struct tern_packet b = fragment("198.51.100.1", 5, 80, 90, false);
		bool whole = cases[i][2] >= 0;

		a.tos = (uint8_t)(0x20 | cases[i][0]);
		b.tos = (uint8_t)cases[i][1];
		expect(st, &a, false, TERN_DROP_NONE);
		expect(st, &b, whole, whole ? TERN_DROP_NONE : TERN_DROP_FRAG_MALFORMED);
		if (whole)
			assert_int_equal(b.tos, 0x20 | cases[i][2]);
		close_stack(st);
	}
}

static void the_time_runs_from_the_first_fragment_to_come(void **state)
{
	struct tern_stack *st = usual_stack();
	uint64_t start = st->tcp.now;

	(void)state;
	give(st, "198.51.100.1", 5, 80, 160, true, false, TERN_DROP_NONE);
	tern_tcp_set_now(&st->tcp, start + 29 * S);
	give(st, "198.51.100.1", 5, 160, 240, true, false, TERN_DROP_NONE);
	assert_in_range(tern_frags_deadline(st->frags), start + 1, start + 30 * S + MS);
	tern_tcp_set_now(&st->tcp, start + 30 * S - MS);
	tern_frags_tick(st);
	assert_int_equal(st->trace.counters[TERN_CNT_IpReasmTimeout], 0);
	tern_tcp_set_now(&st->tcp, start + 30 * S + MS);
	tern_frags_tick(st);
	assert_int_equal(st->trace.counters[TERN_CNT_IpReasmTimeout], 1);
	assert_int_equal(st->trace.counters[TERN_CNT_IpReasmFails], 1);
	assert_int_equal(st->trace.drops[TERN_DROP_FRAG_REASM_TIMEOUT], 2);
	assert_true(tern_queue_is_empty(st->queue)); /* fragment zero had not come */
	nothing_is_left(st);
	close_stack(st);
}

static void a_timeout_is_told_when_fragment_zero_had_come(void **state)
{
	static const char *const sources[] = { "198.51.100.1", "2001:db8:9::1" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tern_stack *st = usual_stack();
		struct tern_packet pkt;
		struct tern_icmp icmp;

		give(st, sources[i], 5, 80, 160, true, false, TERN_DROP_NONE);
		give(st, sources[i], 5, 0, 80, true, false, TERN_DROP_NONE);
		tern_tcp_set_now(&st->tcp, st->tcp.now + 31 * S);
		tern_frags_tick(st);
		assert_true(tern_queue_pop(st, &pkt));
		assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
		assert_int_equal(icmp.type,
				 i ? TERN_ICMP6_TIME_EXCEEDED : TERN_ICMP4_TIME_EXCEEDED);
		assert_int_equal(icmp.code, 1);
		assert_true(icmp.quote.valid);
		assert_int_equal(icmp.body_len, (i ? 48 : 20) + 80);
		assert_int_equal(icmp.body[icmp.body_len - 1], byte_at(79));
		close_stack(st);
	}
}

static void the_oldest_packet_makes_room_for_a_new_one(void **state)
{
	struct tern_config cfg = usual_config();
	struct tern_stack *st;

	(void)state;
	cfg.frags_max = 3;
	st = open_stack(&cfg);
	for (uint32_t id = 1; id <= 4; id++)
		give(st, "198.51.100.1", id, 0, 80, true, false, TERN_DROP_NONE);
	assert_int_equal(st->trace.drops[TERN_DROP_FRAG_TOO_FAR], 1);
	for (uint32_t id = 2; id <= 4; id++)
		give(st, "198.51.100.1", id, 80, 90, false, true, TERN_DROP_NONE);
	give(st, "198.51.100.1", 1, 80, 90, false, false, TERN_DROP_NONE);
	close_stack(st);
}

static void buffers_are_limited_in_all(void **state)
{
	struct tern_config cfg = usual_config();
	struct tern_stack *st;
	uint64_t most = 0;

	(void)state;
	cfg.frags_max = 1000;
	st = open_stack(&cfg);
	for (uint32_t id = 1; id <= 200; id++) {
		give(st, "198.51.100.1", id, 0, 8, true, false, TERN_DROP_NONE);
		give(st, "198.51.100.1", id, 65496, 65504, true, false, TERN_DROP_NONE);
		most = TERN_MAX(most, tern_frags_bytes(st->frags));
	}
	assert_in_range(most, 3 << 20, 4 << 20);
	assert_true(st->trace.drops[TERN_DROP_FRAG_TOO_FAR] > 200);
	give(st, "198.51.100.1", 200, 8, 65496, true, false, TERN_DROP_NONE);
	give(st, "198.51.100.1", 200, 65504, 65510, false, true, TERN_DROP_NONE);
	close_stack(st);
}

static void every_allocation_that_fails_loses_one_fragment_only(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth <= 4; nth++) {
		struct tern_stack *st = usual_stack();
		static const uint32_t edges[] = { 0, 1480, 2960, 4440, 4500 };
		enum tern_drop reason;
		bool whole = false;

		st->mem.fail_in = nth;
		for (int round = 0; round < 2 && !whole; round++) {
			for (int i = 0; i < 4 && !whole; i++) {
				struct tern_packet pkt =
					fragment("198.51.100.1", 5, edges[i], edges[i + 1], i < 3);

				whole = tern_frags_input(st, &pkt, &reason);
				assert_true(reason == TERN_DROP_NONE || reason == TERN_DROP_NOMEM);
			}
		}
		assert_true(whole);
		close_stack(st);
	}
	{
		struct tern_mem mem = { 0 };

		for (uint64_t nth = 1; nth <= 3; nth++) {
			mem.fail_in = nth;
			assert_null(tern_frags_new(&mem, 8, 0));
			assert_int_equal(mem.used, 0);
		}
		tern_frags_free(NULL);
	}
}

/* A packet as a naive receiver would keep it. */
struct model {
	uint32_t starts[128], ends[128], count;
	uint32_t end; /* 0: not known */
	bool dead;
};

/* What should become of fragment [start, end): 1 whole, 0 kept, -1 the packet goes. */
static int model_take(struct model *m, uint32_t start, uint32_t end, bool more)
{
	uint32_t top = 0, sum = 0;

	for (uint32_t i = 0; i < m->count; i++)
		top = TERN_MAX(top, m->ends[i]);
	if (m->dead || (!more && ((m->end && m->end != end) || top > end)) ||
	    (more && m->end && end > m->end)) {
		m->dead = true;
		return -1;
	}
	for (uint32_t i = 0; i < m->count; i++) {
		if (m->starts[i] == start && m->ends[i] == end)
			return 0;
		if (m->starts[i] < end && start < m->ends[i]) {
			m->dead = true;
			return -1;
		}
	}
	m->starts[m->count] = start;
	m->ends[m->count++] = end;
	if (!more)
		m->end = end;
	for (uint32_t i = 0; i < m->count; i++)
		sum += m->ends[i] - m->starts[i];
	return m->end && sum == m->end;
}

static void reassembly_agrees_with_a_naive_one(void **state)
{
	enum { IDS = 8, UNITS = 12 };
	struct model models[IDS] = { 0 };
	struct tern_stack *st = usual_stack();
	unsigned int wholes = 0, lost = 0;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		uint32_t id = tern_rng_below(&st->rng, IDS);
		/* Mostly cut at multiples of three units, so that packets come about. */
		uint32_t grid = tern_rng_below(&st->rng, 20) ? 3 : 1;
		uint32_t from = tern_rng_below(&st->rng, UNITS / grid) * grid;
		bool more = from + grid < UNITS;
		struct tern_packet pkt;
		enum tern_drop reason;
		bool whole;
		int want;

		pkt = fragment("198.51.100.1", id, from * 8, (from + grid) * 8, more);
		want = model_take(&models[id], from * 8, (from + grid) * 8, more);
		whole = tern_frags_input(st, &pkt, &reason);
		assert_int_equal(whole, want == 1);
		assert_int_equal(reason != TERN_DROP_NONE, want == -1);
		if (whole)
			check_whole(&pkt, models[id].end);
		wholes += whole;
		lost += want == -1;
		if (whole)
			models[id] = (struct model){ .end = 0 };
		if (i % 100 == 99) {
			tern_tcp_set_now(&st->tcp, st->tcp.now + 31 * S);
			tern_frags_tick(st);
			memset(models, 0, sizeof(models));
			assert_int_equal(tern_frags_bytes(st->frags), 0);
		}
	}
	assert_true(wholes > 2000 && lost > 2000);
	close_stack(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_fragments_make_a_packet_in_either_order),
		cmocka_unit_test(fragments_of_other_packets_are_kept_apart),
		cmocka_unit_test(in_ipv6_the_first_fragment_alone_says_the_protocol),
		cmocka_unit_test(an_exact_duplicate_is_ignored),
		cmocka_unit_test(a_duplicate_with_other_bytes_loses_the_packet),
		cmocka_unit_test(an_overlap_loses_the_packet_and_all_its_later_fragments),
		cmocka_unit_test(two_ends_or_parts_beyond_the_end_lose_the_packet),
		cmocka_unit_test(the_longest_packets_are_put_together),
		cmocka_unit_test(a_packet_of_too_many_fragments_is_given_up),
		cmocka_unit_test(ce_survives_and_ce_beside_not_ect_loses_the_packet),
		cmocka_unit_test(the_time_runs_from_the_first_fragment_to_come),
		cmocka_unit_test(a_timeout_is_told_when_fragment_zero_had_come),
		cmocka_unit_test(the_oldest_packet_makes_room_for_a_new_one),
		cmocka_unit_test(buffers_are_limited_in_all),
		cmocka_unit_test(every_allocation_that_fails_loses_one_fragment_only),
		cmocka_unit_test(reassembly_agrees_with_a_naive_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
