/* SPDX-License-Identifier: BSD-2-Clause */
/* What the window is made of: costs, the ratio, growth, and what is taken back of it. */
#include "fixture.h"

#include "tcp/window.h"

/* n bytes of the peer's stream from byte `at` (from 0) on. */
static struct tern_outcome data(struct room *r, uint32_t at, uint32_t n)
{
	return FEED(r, .seq = 1 + at, .ack = 1, .flags = TERN_ACK, .len = n, .wnd = 65535);
}

static void a_segment_costs_a_descriptor_a_power_of_two_and_whole_pages(void **state)
{
	static const struct {
		uint32_t len, cost;
	} cases[] = {
		{ 1, 768 },       { 128, 768 },     { 129, 1280 },    { 640, 1280 },
		{ 641, 2304 },    { 1460, 2304 },   { 1664, 2304 },   { 1665, 4352 },
		{ 3712, 4352 },   { 3713, 8448 },   { 7808, 8448 },   { 7809, 12544 },
		{ 11904, 12544 }, { 11905, 16640 }, { 65000, 65792 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++)
		assert_int_equal(tern_window_cost(cases[i].len), cases[i].cost);
}

static void costs_come_with_segments_and_go_with_their_bytes(void **state)
{
	struct room *r = room_new((struct setup){ .rmem = 100000 });
	uint32_t cost = 0;

	(void)state;
	for (uint32_t at = 0; at < 10000; at += 1000) {
		data(r, at, 1000);
		cost += tern_window_cost(1000);
		assert_int_equal(traffic(r)->credit.cost, cost);
		drain(r);
	}
	data(r, 11000, 1000); /* early */
	cost += tern_window_cost(1000);
	assert_int_equal(traffic(r)->credit.cost, cost);
	drain(r);
	assert_int_equal(app_recv(r, 0, 5500), 5500);
	assert_int_equal(traffic(r)->credit.cost, cost / 2);
	data(r, 10000, 1000);
	drain(r);
	assert_int_equal(app_recv(r, 5500, 10000), 6500);
	assert_true(!traffic(r) || !traffic(r)->credit.cost);
	room_free(r);
}

/* What a link put together tells less: no more is assumed than the peer takes himself. */
static void the_peers_segment_size_is_learnt(void **state)
{
	static const struct {
		uint32_t len, mss;
	} cases[] = { { 100, 536 },   { 536, 536 },   { 537, 537 },  { 1000, 1000 },
		      { 1460, 1460 }, { 1461, 1200 }, { 9000, 1200 } };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct room *r = room_new((struct setup){ .mss = 1200, .rmem = 200000 });

		assert_int_equal(tern_window_peer_mss(&r->t, r->c), 536);
		data(r, 0, cases[i].len);
		assert_int_equal(tern_window_peer_mss(&r->t, r->c), cases[i].mss);
		room_free(r);
	}
}

/* Large segments make more window of the same memory; small ones do not make less. */
static void the_ratio_is_the_best_that_was_seen(void **state)
{
	struct room *r = room_new((struct setup){ .rmem = 200000, .wscale = 7 });

	(void)state;
	data(r, 0, 1000);
	assert_int_equal(traffic(r)->credit.ratio, 128);
	data(r, 1000, 1460);
	assert_int_equal(traffic(r)->credit.ratio, (1460 << 8) / 2304);
	for (uint32_t at = 2460; at < 2500; at++)
		data(r, at, 1);
	assert_int_equal(traffic(r)->credit.ratio, (1460 << 8) / 2304);
	room_free(r);
}

static void the_window_grows_by_two_segments_for_each_that_tells_something(void **state)
{
	static const uint32_t lens[] = { 127, 128, 1460, 4000 };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(lens); i++) {
		struct room *r = room_new((struct setup){ .rmem = 1 << 20, .wscale = 7 });
		uint32_t before, step = lens[i] < 128 ? 0 : 2 * TERN_MAX(lens[i], 1460u);

		data(r, 0, 8000); /* a good ratio: there is space beyond the limit */
		before = traffic(r)->credit.limit;
		data(r, 8000, lens[i]);
		assert_int_equal(traffic(r)->credit.limit, before + step);
		room_free(r);
	}
}

/* RFC9293:MUST-66 */
static void a_window_closed_for_lack_of_memory_lets_acks_and_resets_in(void **state)
{
	(void)state;
	for (unsigned int reset = 0; reset < 2; reset++) {
		struct room *r = room_new((struct setup){ .rmem = 100000 });
		uint32_t edge;

		data(r, 0, 1000);
		drain(r);
		edge = r->c->rcv.adv - r->irs;
		r->t.bufs.limit = r->t.bufs.used;
		assert_int_equal(data(r, 1000, 30000).reason, TERN_DROP_PROTO_MEM);
		assert_out(r, 1, 0, TERN_ACK);
		assert_int_equal(r->tx.seg.wnd, 0);
		assert_int_equal(tern_window_edge(r->c, traffic(r)) - r->irs, edge);
		assert_int_equal(data(r, 1000, 10).reason, TERN_DROP_TCP_ZEROWINDOW);
		assert_int_equal(data(r, 2000, 10).reason, TERN_DROP_TCP_OVERWINDOW);
		drain(r);
		if (reset) {
			FEED(r, .seq = 1001, .flags = TERN_RST);
			assert_int_equal(r->c->state, TERN_CLOSED);
		} else {
			r->t.bufs.limit = UINT32_MAX;
			app_send(r, 0, 100);
			assert_out(r, 1, 100, TERN_ACK | TERN_PSH);
			FEED(r, .seq = edge - 1, .ack = 101, .flags = TERN_ACK, .wnd = 65535);
			assert_int_equal(r->c->snd.una - r->iss, 101);
			assert_int_equal(app_recv(r, 0, 1000), 1000);
			drain(r);
			assert_int_equal(data(r, 1000, 30000).reason, TERN_DROP_NONE);
		}
		room_free(r);
	}
}

static void a_shrinking_window_is_remembered_at_its_largest(void **state)
{
	struct room *r = room_new((struct setup){ .rmem = 40000, .wscale = 7 });
	uint32_t edge;

	(void)state;
	r->knobs.tcp_shrink_window = 1;
	data(r, 0, 7000);
	pass(r, S);
	drain(r);
	edge = r->c->rcv.adv - r->irs;
	for (uint32_t at = 7000; at < 7010; at++)
		data(r, at, 1);
	pass(r, S);
	drain(r);
	assert_true(r->c->rcv.adv - r->irs < edge);
	assert_int_equal(tern_window_edge(r->c, traffic(r)) - r->irs, edge);
	assert_int_equal(data(r, 7010, edge - 7010).reason, TERN_DROP_TCP_INVALID_END_SEQUENCE);
	assert_int_equal(data(r, 7010, edge - 7011).reason, TERN_DROP_NONE);
	assert_int_equal(r->c->rcv.adv, r->c->rcv.nxt);
	assert_false(traffic(r)->credit.less);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_costs_a_descriptor_a_power_of_two_and_whole_pages),
		cmocka_unit_test(costs_come_with_segments_and_go_with_their_bytes),
		cmocka_unit_test(the_peers_segment_size_is_learnt),
		cmocka_unit_test(the_ratio_is_the_best_that_was_seen),
		cmocka_unit_test(the_window_grows_by_two_segments_for_each_that_tells_something),
		cmocka_unit_test(a_window_closed_for_lack_of_memory_lets_acks_and_resets_in),
		cmocka_unit_test(a_shrinking_window_is_remembered_at_its_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
