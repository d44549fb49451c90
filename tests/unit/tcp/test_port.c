/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/rng.h"
#include "tcp/port.h"

static const uint8_t seed[TERN_RNG_SEED_LEN] = { 'p', 'o', 'r', 't' };

static struct tern_flow flow_to(uint8_t remote, uint16_t rport, uint16_t lport)
{
	return (struct tern_flow){ .local = tern_addr_v4(10, 0, 0, 1),
				   .remote = tern_addr_v4(10, 0, 0, remote),
				   .lport = lport,
				   .rport = rport };
}

static struct tern_endpoint ep(struct tern_addr addr, uint16_t port)
{
	return (struct tern_endpoint){ .addr = addr, .port = port };
}

/* The gap as anybody would look for it. */
static uint16_t naive_gap(const bool *taken, uint16_t low, uint16_t high, uint16_t from)
{
	for (uint32_t p = from; p <= high; p++)
		if (!taken[p])
			return (uint16_t)p;
	for (uint32_t p = low; p < from; p++)
		if (!taken[p])
			return (uint16_t)p;
	return 0;
}

static void an_empty_set_has_its_gap_where_the_search_begins(void **state)
{
	static struct tern_portset s;

	(void)state;
	assert_int_equal(tern_portset_gap(&s, 1, 65535, 1), 1);
	assert_int_equal(tern_portset_gap(&s, 1, 65535, 65535), 65535);
	assert_int_equal(tern_portset_gap(&s, 32768, 60999, 40000), 40000);
}

static void a_set_with_one_gap_gives_it_from_anywhere(void **state)
{
	static const uint16_t gaps[] = { 1, 63, 64, 65, 4095, 4096, 4097, 32768, 65534, 65535 };
	static struct tern_portset s;

	(void)state;
	for (uint32_t p = 0; p < TERN_PORTS; p++)
		tern_portset_add(&s, (uint16_t)p);
	assert_int_equal(tern_portset_gap(&s, 1, 65535, 7), 0);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(gaps); i++) {
		tern_portset_remove(&s, gaps[i]);
		assert_false(tern_portset_has(&s, gaps[i]));
		assert_int_equal(tern_portset_gap(&s, 1, 65535, 1), gaps[i]);
		assert_int_equal(tern_portset_gap(&s, 1, 65535, gaps[i]), gaps[i]);
		assert_int_equal(tern_portset_gap(&s, 1, 65535, 65535), gaps[i]);
		assert_int_equal(tern_portset_gap(&s, 1, 65535, 33000), gaps[i]);
		tern_portset_add(&s, gaps[i]);
	}
	assert_int_equal(tern_portset_gap(&s, 1, 65535, 7), 0);
}

static void gaps_are_the_naive_ones_under_random_changes(void **state)
{
	static struct tern_portset s;
	static bool taken[TERN_PORTS];
	struct tern_rng rng;

	(void)state;
	tern_rng_init(&rng, seed);
	for (int i = 0; i < 60000; i++) {
		/* Narrow at first, so that words fill up. */
		uint32_t span = i < 30000 ? 700 : 9000, low = 4000;
		uint16_t port = (uint16_t)(low + tern_rng_below(&rng, span));
		uint16_t from = (uint16_t)(low + tern_rng_below(&rng, span));

		taken[port] = tern_rng_below(&rng, 100) < 97;
		if (taken[port])
			tern_portset_add(&s, port);
		else
			tern_portset_remove(&s, port);
		assert_int_equal(tern_portset_gap(&s, 4000, 4699, from < 4700 ? from : 4000),
				 naive_gap(taken, 4000, 4699, from < 4700 ? from : 4000));
	}
}

static void a_port_is_used_until_its_last_claim_is_released(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_flow a = flow_to(2, 80, 40000), b = flow_to(3, 80, 40000);

	(void)state;
	assert_false(tern_ports_used(p, 40000));
	tern_ports_claim(p, &a, 0);
	tern_ports_claim(p, &b, 0);
	tern_ports_claim(p, &a, 0);
	tern_ports_release(p, &a);
	tern_ports_release(p, &b);
	assert_true(tern_ports_used(p, 40000));
	assert_int_equal(tern_ports_unused(p, 40000, 40001, 40000), 40001);
	tern_ports_release(p, &a);
	assert_false(tern_ports_used(p, 40000));
	assert_int_equal(tern_ports_unused(p, 40000, 40001, 40000), 40000);
	tern_ports_free(p);
	assert_int_equal(mem.used, 0);
}

static void a_bound_port_is_used_also_when_its_flows_are_gone(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_flow a = flow_to(2, 80, 40000);
	struct tern_endpoint local = ep(a.local, 40000);

	(void)state;
	assert_int_equal(tern_ports_bind(p, 7, &local, false, true), 0);
	assert_int_equal(tern_ports_bind(p, 8, &local, false, true), 0);
	tern_ports_claim(p, &a, 0);
	tern_ports_release(p, &a);
	assert_true(tern_ports_used(p, 40000));
	tern_ports_unbind(p, 7, 40000);
	assert_true(tern_ports_bound(p, 40000));
	tern_ports_unbind(p, 8, 40000);
	assert_false(tern_ports_bound(p, 40000));
	assert_false(tern_ports_used(p, 40000));
	tern_ports_free(p);
	assert_int_equal(mem.used, 0);
}

static void bindings_conflict_where_addresses_overlap(void **state)
{
	struct tern_addr any4 = tern_addr_any(TERN_INET), any6 = tern_addr_any(TERN_INET6);
	struct tern_addr v4 = tern_addr_v4(10, 0, 0, 1), w4 = tern_addr_v4(10, 0, 0, 2), v6;
	const struct {
		const struct tern_addr *a, *b;
		bool a_v6only, b_v6only, overlap;
	} cases[] = {
		{ &v4, &v4, false, false, true },     { &v4, &w4, false, false, false },
		{ &any4, &v4, false, false, true },   { &any4, &any4, false, false, true },
		{ &any6, &v4, false, false, true },   { &any6, &v4, true, false, false },
		{ &any6, &any4, false, false, true }, { &any6, &any4, true, false, false },
		{ &v6, &any4, false, false, false },  { &v6, &v4, false, false, false },
		{ &any6, &v6, true, false, true },    { &any6, &any6, true, true, true },
	};

	(void)state;
	assert_int_equal(tern_addr_parse("2001:db8::1", &v6), 0);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_mem mem = { 0 };
		struct tern_ports *p = tern_ports_new(&mem);
		struct tern_endpoint a = ep(*cases[i].a, 80), b = ep(*cases[i].b, 80);

		assert_int_equal(tern_ports_bind(p, 1, &a, cases[i].a_v6only, false), 0);
		assert_int_equal(tern_ports_conflict(p, &b, cases[i].b_v6only, false),
				 cases[i].overlap);
		assert_int_equal(tern_ports_conflict(p, &b, cases[i].b_v6only, true),
				 cases[i].overlap);
		b.port = 80 + 4096; /* the same chain, another port */
		assert_false(tern_ports_conflict(p, &b, cases[i].b_v6only, false));
		tern_ports_unbind(p, 1, 80);
		assert_int_equal(tern_ports_bind(p, 1, &b, cases[i].b_v6only, false), 0);
		a.port = b.port;
		assert_int_equal(tern_ports_conflict(p, &a, cases[i].a_v6only, false),
				 cases[i].overlap);
		tern_ports_free(p);
	}
}

static void reuse_counts_as_it_is_when_the_second_socket_binds(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_endpoint any = ep(tern_addr_any(TERN_INET), 80);

	(void)state;
	assert_int_equal(tern_ports_bind(p, 7, &any, false, false), 0);
	assert_true(tern_ports_conflict(p, &any, false, true));
	tern_ports_set_reuse(p, 7, 80, true);
	assert_false(tern_ports_conflict(p, &any, false, true));
	tern_ports_set_reuse(p, 7, 80, false);
	assert_true(tern_ports_conflict(p, &any, false, true));
	tern_ports_unbind(p, 7, 80);
	tern_ports_free(p);
	assert_int_equal(mem.used, 0);
}

static void the_same_reuse_has_to_be_allowed_by_both_bindings(void **state)
{
	struct tern_endpoint any = ep(tern_addr_any(TERN_INET), 80);

	(void)state;
	for (unsigned int first = 0; first < 4; first++) {
		for (unsigned int second = 0; second < 4; second++) {
			struct tern_mem mem = { 0 };
			struct tern_ports *p = tern_ports_new(&mem);

			assert_int_equal(tern_ports_bind(p, 1, &any, false, first), 0);
			assert_int_equal(tern_ports_conflict(p, &any, false, second),
					 (first & second) == 0);
			tern_ports_free(p);
		}
	}
}

static void a_flow_forbids_a_bind_to_its_address_unless_both_reuse(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_flow f = flow_to(9, 1000, 80), g = f;
	struct tern_endpoint same = ep(f.local, 80), any = ep(tern_addr_any(TERN_INET), 80);
	struct tern_endpoint other = ep(tern_addr_v4(10, 0, 0, 2), 80);

	(void)state;
	tern_ports_claim(p, &f, 0);
	assert_true(tern_ports_conflict(p, &same, false, false));
	assert_true(tern_ports_conflict(p, &any, false, false));
	assert_false(tern_ports_conflict(p, &other, false, false));
	assert_true(tern_ports_conflict(p, &same, false, TERN_REUSE_ADDR));
	tern_ports_release(p, &f);
	tern_ports_claim(p, &f, TERN_REUSE_ADDR | TERN_REUSE_PORT);
	assert_true(tern_ports_conflict(p, &same, false, 0));
	assert_false(tern_ports_conflict(p, &same, false, TERN_REUSE_ADDR));
	assert_false(tern_ports_conflict(p, &any, false, TERN_REUSE_PORT));
	tern_ports_claim(p, &f, TERN_REUSE_PORT); /* what all of them allow */
	assert_true(tern_ports_conflict(p, &same, false, TERN_REUSE_ADDR));
	assert_false(tern_ports_conflict(p, &same, false, TERN_REUSE_PORT));
	tern_ports_release(p, &f);
	assert_true(tern_ports_conflict(p, &same, false, TERN_REUSE_ADDR));
	g.local = other.addr;
	tern_ports_claim(p, &g, 0);
	assert_true(tern_ports_conflict(p, &other, false, false));
	assert_true(tern_ports_conflict(p, &same, false, false));
	tern_ports_release(p, &f);
	tern_ports_release(p, &g);
	assert_false(tern_ports_conflict(p, &any, false, false));
	tern_ports_claim(p, &g, 0);
	assert_false(tern_ports_conflict(p, &same, false, false));
	tern_ports_release(p, &g);
	tern_ports_free(p);
}

static void a_binding_moves_to_the_address_that_connect_chose(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_endpoint any = ep(tern_addr_any(TERN_INET), 80);
	struct tern_endpoint one = ep(tern_addr_v4(10, 0, 0, 1), 80);
	struct tern_endpoint two = ep(tern_addr_v4(10, 0, 0, 2), 80);

	(void)state;
	assert_int_equal(tern_ports_bind(p, 5, &any, false, false), 0);
	assert_true(tern_ports_conflict(p, &two, false, false));
	tern_ports_move(p, 5, 80, &one.addr);
	assert_false(tern_ports_conflict(p, &two, false, false));
	assert_true(tern_ports_conflict(p, &one, false, false));
	tern_ports_unbind(p, 5, 80);
	assert_false(tern_ports_conflict(p, &one, false, false));
	tern_ports_free(p);
}

static void a_crowd_follows_the_flows_of_its_destination_only(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_flow dest = flow_to(2, 80, 0), other_port = flow_to(2, 81, 102);
	struct tern_flow other_addr = flow_to(3, 80, 103), f = flow_to(2, 80, 101);
	struct tern_endpoint local = ep(dest.local, 104);
	struct tern_crowd *c;

	(void)state;
	assert_null(tern_ports_crowd(p, &dest, 100, 107));
	c = tern_ports_crowd_new(p, &dest, 100, 107);
	assert_non_null(c);
	tern_crowd_mark(c, 100);
	tern_crowd_mark(c, 99); /* outside of the range: ignored */
	tern_ports_claim(p, &f, 0);
	tern_ports_claim(p, &f, 0);
	tern_ports_claim(p, &other_port, 0);
	tern_ports_claim(p, &other_addr, 0);
	assert_int_equal(tern_ports_bind(p, 1, &local, false, false), 0);
	assert_ptr_equal(tern_ports_crowd(p, &dest, 100, 107), c);
	assert_null(tern_ports_crowd(p, &dest, 100, 108));
	assert_int_equal(tern_crowd_gap(c, 100), 102);
	assert_int_equal(tern_crowd_gap(c, 104), 105);
	tern_ports_release(p, &f);
	assert_int_equal(tern_crowd_gap(c, 101), 102);
	tern_ports_release(p, &f);
	assert_int_equal(tern_crowd_gap(c, 101), 101);
	tern_ports_unbind(p, 1, 104);
	assert_int_equal(tern_crowd_gap(c, 104), 104);
	tern_ports_free(p);
	assert_int_equal(mem.used, 0);
}

static void a_crowd_goes_when_less_than_a_quarter_of_its_range_is_left(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_flow f = flow_to(2, 80, 0);

	(void)state;
	assert_non_null(tern_ports_crowd_new(p, &f, 100, 107));
	for (f.lport = 100; f.lport < 108; f.lport++)
		tern_ports_claim(p, &f, 0);
	for (f.lport = 107; f.lport > 101; f.lport--) {
		tern_ports_release(p, &f);
		assert_int_equal(tern_ports_crowds(p), 1);
	}
	f.lport = 101;
	tern_ports_release(p, &f);
	assert_int_equal(tern_ports_crowds(p), 0);
	assert_null(tern_ports_crowd(p, &f, 100, 107));
	tern_ports_free(p);
}

static void the_crowd_asked_for_longest_ago_makes_room(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_flow f;

	(void)state;
	for (uint16_t i = 0; i < TERN_CROWDS_MAX; i++) {
		f = flow_to(2, (uint16_t)(i + 1), 0);
		assert_non_null(tern_ports_crowd_new(p, &f, 100, 107));
	}
	f = flow_to(2, 1, 0);
	assert_non_null(tern_ports_crowd(p, &f, 100, 107));
	f = flow_to(2, 1000, 0);
	assert_non_null(tern_ports_crowd_new(p, &f, 100, 107));
	assert_int_equal(tern_ports_crowds(p), TERN_CROWDS_MAX);
	f = flow_to(2, 2, 0);
	assert_null(tern_ports_crowd(p, &f, 100, 107));
	f = flow_to(2, 1, 0);
	assert_non_null(tern_ports_crowd(p, &f, 100, 107));
	/* Another range: the record is made anew, and there is still one of it. */
	assert_non_null(tern_ports_crowd_new(p, &f, 200, 207));
	assert_int_equal(tern_ports_crowds(p), TERN_CROWDS_MAX);
	assert_null(tern_ports_crowd(p, &f, 100, 107));
	tern_ports_free(p);
	assert_int_equal(mem.used, 0);
}

static void running_out_of_memory_is_an_answer(void **state)
{
	struct tern_endpoint local = ep(tern_addr_any(TERN_INET), 80);
	struct tern_flow f = flow_to(2, 80, 0);
	struct tern_mem mem = { 0 };
	struct tern_ports *p;

	(void)state;
	for (uint64_t nth = 1; nth <= 2; nth++) {
		mem.fail_in = nth;
		assert_null(tern_ports_new(&mem));
		assert_int_equal(mem.used, 0);
	}
	mem.fail_in = 0;
	p = tern_ports_new(&mem);
	mem.fail_in = 1;
	assert_int_equal(tern_ports_bind(p, 1, &local, false, false), -ENOBUFS);
	assert_false(tern_ports_used(p, 80));
	mem.fail_in = 1;
	assert_null(tern_ports_crowd_new(p, &f, 100, 107));
	assert_int_equal(tern_ports_crowds(p), 0);
	tern_ports_free(p);
	tern_ports_free(NULL);
	assert_int_equal(mem.used, 0);
}

/* What the ledger should know, kept the slow way, under random claims, releases, binds. */
static void the_ledger_agrees_with_a_naive_one(void **state)
{
	enum { LOW = 500, HIGH = 563, DESTS = 3 };
	static uint8_t refs[DESTS][HIGH + 1];
	static uint8_t binds[HIGH + 1];
	struct tern_mem mem = { 0 };
	struct tern_ports *p = tern_ports_new(&mem);
	struct tern_rng rng;
	struct tern_crowd *c;

	(void)state;
	tern_rng_init(&rng, seed);
	for (int i = 0; i < 100000; i++) {
		uint16_t port = (uint16_t)(LOW + tern_rng_below(&rng, HIGH - LOW + 1));
		unsigned int d = tern_rng_below(&rng, DESTS), what = tern_rng_below(&rng, 9);
		struct tern_flow f = flow_to((uint8_t)(d + 2), 80, port);
		struct tern_endpoint local = ep(f.local, port);

		if (what < 5 && refs[d][port] < 2) {
			tern_ports_claim(p, &f, 0);
			refs[d][port]++;
		} else if (what < 7 && refs[d][port]) {
			tern_ports_release(p, &f);
			refs[d][port]--;
		} else if (what == 7 && !binds[port] && tern_rng_below(&rng, 8) == 0) {
			assert_int_equal(tern_ports_bind(p, port, &local, false, false), 0);
			binds[port] = 1;
		} else if (what == 8 && binds[port]) {
			tern_ports_unbind(p, port, port);
			binds[port] = 0;
		}
		c = tern_ports_crowd(p, &f, LOW, HIGH);
		if (!c) {
			c = tern_ports_crowd_new(p, &f, LOW, HIGH);
			for (uint16_t q = LOW; q <= HIGH; q++)
				for (int n = refs[d][q] + binds[q]; n; n--)
					tern_crowd_mark(c, q);
		}
		{
			bool taken[HIGH + 1], used[HIGH + 1];

			for (uint16_t q = LOW; q <= HIGH; q++) {
				taken[q] = refs[d][q] || binds[q];
				used[q] = refs[0][q] || refs[1][q] || refs[2][q] || binds[q];
			}
			assert_int_equal(tern_crowd_gap(c, port),
					 naive_gap(taken, LOW, HIGH, port));
			assert_int_equal(tern_ports_unused(p, LOW, HIGH, port),
					 naive_gap(used, LOW, HIGH, port));
		}
	}
	tern_ports_free(p);
	assert_int_equal(mem.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_has_its_gap_where_the_search_begins),
		cmocka_unit_test(a_set_with_one_gap_gives_it_from_anywhere),
		cmocka_unit_test(gaps_are_the_naive_ones_under_random_changes),
		cmocka_unit_test(a_port_is_used_until_its_last_claim_is_released),
		cmocka_unit_test(a_bound_port_is_used_also_when_its_flows_are_gone),
		cmocka_unit_test(bindings_conflict_where_addresses_overlap),
		cmocka_unit_test(the_same_reuse_has_to_be_allowed_by_both_bindings),
		cmocka_unit_test(a_flow_forbids_a_bind_to_its_address_unless_both_reuse),
		cmocka_unit_test(a_binding_moves_to_the_address_that_connect_chose),
		cmocka_unit_test(a_crowd_follows_the_flows_of_its_destination_only),
		cmocka_unit_test(a_crowd_goes_when_less_than_a_quarter_of_its_range_is_left),
		cmocka_unit_test(reuse_counts_as_it_is_when_the_second_socket_binds),
		cmocka_unit_test(the_crowd_asked_for_longest_ago_makes_room),
		cmocka_unit_test(running_out_of_memory_is_an_answer),
		cmocka_unit_test(the_ledger_agrees_with_a_naive_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
