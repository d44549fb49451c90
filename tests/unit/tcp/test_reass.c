/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include "tcp/reass.h"

enum { WINDOW = 3000 };

/* The naive model: for each byte from RCV.NXT on, what was there first. */
struct model {
	bool there[WINDOW];
	uint8_t byte[WINDOW];
};

static struct tern_reass *reass(const struct room *r)
{
	struct tern_traffic *x = traffic(r);

	return x && x->recv.reass ? tern_pool_at(&r->t.reass, x->recv.reass) : NULL;
}

static uint64_t chain_size(const struct room *r, const struct tern_chain *c)
{
	uint64_t sum = 0;

	for (uint32_t i = c->head; i; i = tern_buf_at(&r->t.bufs, i)->next)
		sum += tern_buf_size(&r->t.bufs, i);
	return sum;
}

/* I8, G1: ranges sorted, apart, as the model has them, and charged for what they are. */
static void compare(const struct room *r, const struct model *m, uint32_t nxt)
{
	const struct tern_reass *ra = reass(r);
	uint64_t size = chain_size(r, &traffic(r)->recv.chain), early = 0;
	uint32_t at = 0;

	for (unsigned int i = 0; ra && i < ra->count; i++) {
		const struct tern_range *range = &ra->range[i];
		uint32_t left = range->left - r->irs - 1 - nxt, len = range->right - range->left;
		uint8_t got[WINDOW];

		assert_true(left > at || (i == 0 && left > 0));
		for (; at < left; at++)
			assert_false(m->there[at]);
		assert_true(len > 0 && left + len <= WINDOW);
		tern_chain_copy(&r->t.bufs, &range->chain, range->left, got, len);
		for (uint32_t k = 0; k < len; k++, at++) {
			assert_true(m->there[at]);
			assert_int_equal(got[k], m->byte[at]);
		}
		early += len;
		size += chain_size(r, &range->chain);
	}
	for (; at < WINDOW; at++)
		assert_false(m->there[at]);
	assert_int_equal(traffic(r)->recv.early_bytes, early);
	assert_int_equal(traffic(r)->rmem, size);
}

/* The peer lies: each segment brings other bytes for the same numbers. The first ones stay. */
static void play(uint64_t seed)
{
	static const uint16_t most[] = { 3, 40, 400, 1400 };
	uint8_t key[TERN_RNG_SEED_LEN] = { 0 };
	struct tern_rng rng;
	struct room *r;
	struct model *m = calloc(1, sizeof(*m));
	uint32_t nxt = 0, kind;

	assert_non_null(m);
	memcpy(key, &seed, sizeof(seed));
	tern_rng_init(&rng, key);
	kind = tern_rng_below(&rng, 4);
	r = room_new((struct setup){ .irs = 0u - 1 - tern_rng_below(&rng, 20000), .mss = 1400 });
	for (unsigned int step = 0; step < 300; step++) {
		uint32_t at = tern_rng_below(&rng, WINDOW - 1), n, was = nxt, in_order = 0;
		uint8_t data[1400], got[2 * WINDOW];
		bool took;

		n = 1 + tern_rng_below(&rng, most[kind]);
		n = TERN_MIN(n, WINDOW - at);
		if (tern_rng_below(&rng, 8) == 0)
			at = 0;
		tern_rng_bytes(&rng, data, n);
		took = FEED(r, .seq = nxt + 1 + at, .ack = 1, .flags = TERN_ACK, .len = n,
			    .data = data, .wnd = 65535)
			       .reason == TERN_DROP_NONE;
		if (!took)
			assert_int_equal(reass(r)->count, TERN_REASS_RANGES);
		drain(r);
		for (uint32_t i = 0; took && i < n; i++)
			if (!m->there[at + i]) {
				m->there[at + i] = true;
				m->byte[at + i] = data[i];
			}
		while (in_order < WINDOW && m->there[in_order])
			in_order++;
		nxt = r->c->rcv.nxt - r->irs - 1;
		assert_int_equal(nxt - was, in_order);
		if (in_order) {
			assert_int_equal(tern_tcp_recv(&r->t, r->idx, got, sizeof(got), 0),
					 in_order);
			assert_memory_equal(got, m->byte, in_order);
			memmove(m->there, m->there + in_order, WINDOW - in_order);
			memset(m->there + WINDOW - in_order, 0, in_order);
			memmove(m->byte, m->byte + in_order, WINDOW - in_order);
			drain(r);
		}
		if (traffic(r))
			compare(r, m, nxt);
		else
			assert_null(memchr(m->there, true, WINDOW));
	}
	free(m);
	room_free(r);
}

static void what_comes_first_stays_whatever_follows(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 150; seed++)
		play(seed);
}

/* D01: one byte each at a distance; the table ends at 64 ranges, and so does the work. */
static void there_are_64_ranges_at_most(void **state)
{
	struct room *r = room_new((struct setup){ .irs = 0u - 300 });

	(void)state;
	for (uint32_t i = 1; i <= 100; i++)
		FEED(r, .seq = 1 + 4 * i, .ack = 1, .flags = TERN_ACK, .len = 1, .wnd = 65535);
	assert_int_equal(reass(r)->count, TERN_REASS_RANGES);
	assert_int_equal(traffic(r)->recv.early_bytes, TERN_REASS_RANGES);
	assert_true(traffic(r)->rmem <= TERN_REASS_RANGES * 512);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPOFODrop), 100 - TERN_REASS_RANGES);
	/* what joins ranges still fits */
	FEED(r, .seq = 6, .ack = 1, .flags = TERN_ACK, .len = 3, .wnd = 65535);
	assert_int_equal(reass(r)->count, TERN_REASS_RANGES - 1);
	room_free(r);
}

static void the_latest_range_is_reported_first(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	for (uint32_t i = 1; i <= 5; i++)
		FEED(r, .seq = 1 + 2000 * i, .ack = 1, .flags = TERN_ACK, .len = 10, .wnd = 65535);
	FEED(r, .seq = 4011, .ack = 1, .flags = TERN_ACK, .len = 10, .wnd = 65535);
	drain(r);
	assert_int_equal(r->tx.seg.opt.sack_count, 4);
	assert_int_equal(r->tx.seg.opt.sack[0].left - r->irs, 4001);
	assert_int_equal(r->tx.seg.opt.sack[0].right - r->irs, 4021);
	for (unsigned int i = 0; i < 4; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_int_not_equal(r->tx.seg.opt.sack[i].left,
					     r->tx.seg.opt.sack[j].left);
	room_free(r);
}

static void nothing_is_left_of_what_found_no_memory(void **state)
{
	struct room *r = room_new((struct setup){ .mss = 1000 });

	(void)state;
	r->mem.fail_in = 1;
	FEED(r, .seq = 1001, .ack = 1, .flags = TERN_ACK, .len = 10, .wnd = 65535);
	assert_int_equal(counter(r, TERN_CNT_TcpExtTCPOFODrop), 1);
	assert_int_equal(drain(r), 1);
	assert_null(traffic(r));
	r->t.bufs.limit = 0;
	FEED(r, .seq = 1001, .ack = 1, .flags = TERN_ACK, .len = 10, .wnd = 65535);
	drain(r);
	assert_null(traffic(r));
	assert_int_equal(r->t.reass.used, 0);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_first_stays_whatever_follows),
		cmocka_unit_test(there_are_64_ranges_at_most),
		cmocka_unit_test(the_latest_range_is_reported_first),
		cmocka_unit_test(nothing_is_left_of_what_found_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
