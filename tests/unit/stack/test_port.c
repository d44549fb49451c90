/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

enum { LOW = 40000, HIGH = 40999, RANGE = HIGH - LOW + 1 };

/* A stack whose ephemeral range is LOW … HIGH. */
static struct tern_stack *narrow_stack(void)
{
	struct tern_stack *st = usual_stack();

	st->knobs.ip_local_port_low = LOW;
	st->knobs.ip_local_port_high = HIGH;
	return st;
}

static struct tern_flow to_server(uint16_t rport)
{
	return flow("10.77.0.2", 0, "198.51.100.7", rport);
}

/* Every port is taken once; then there is none. Returns how many there were. */
static unsigned int connect_until_exhausted(struct tern_stack *st, const struct tern_flow *dest,
					    bool *taken)
{
	struct tern_flow f = *dest;
	unsigned int n = 0;
	uint32_t tw = 99;
	int ret;

	while ((ret = tern_port_choose(st, &f, &tw)) == 0) {
		assert_int_equal(tw, 0);
		assert_in_range(f.lport, st->knobs.ip_local_port_low, st->knobs.ip_local_port_high);
		assert_false(taken[f.lport]);
		taken[f.lport] = true;
		add_conn(st, &f);
		n++;
	}
	assert_int_equal(ret, -EADDRNOTAVAIL);
	return n;
}

static void every_port_of_the_range_is_used_before_there_is_none(void **state)
{
	static bool taken[TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow dest = to_server(80);

	(void)state;
	assert_int_equal(connect_until_exhausted(st, &dest, taken), RANGE);
	assert_int_equal(st->trace.counters[TERN_CNT_TernEphemeralExhausted], 1);
	assert_int_equal(tern_port_choose(st, &dest, &(uint32_t){ 0 }), -EADDRNOTAVAIL);
	assert_int_equal(st->trace.counters[TERN_CNT_TernEphemeralExhausted], 2);
	close_stack(st);
}

static void destinations_share_the_ports(void **state)
{
	static bool taken[3][TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow a = to_server(80), b = to_server(81);
	struct tern_flow c = flow("2001:db8::2", 0, "2001:db8:1::1", 80);

	(void)state;
	assert_int_equal(connect_until_exhausted(st, &a, taken[0]), RANGE);
	assert_int_equal(connect_until_exhausted(st, &b, taken[1]), RANGE);
	assert_int_equal(connect_until_exhausted(st, &c, taken[2]), RANGE);
	close_stack(st);
}

static void a_range_of_one_port_works(void **state)
{
	struct tern_stack *st = narrow_stack();
	struct tern_flow f = to_server(80);
	uint32_t tw;

	(void)state;
	st->knobs.ip_local_port_high = LOW;
	for (uint16_t rport = 80; rport < 90; rport++) {
		f.rport = rport;
		assert_int_equal(tern_port_choose(st, &f, &tw), 0);
		assert_int_equal(f.lport, LOW);
		add_conn(st, &f);
		assert_int_equal(tern_port_choose(st, &f, &tw), -EADDRNOTAVAIL);
	}
	/* Set the wrong way round, it is the same range. */
	st->knobs.ip_local_port_low = HIGH;
	f = to_server(80);
	assert_int_equal(tern_port_choose(st, &f, &tw), 0);
	assert_in_range(f.lport, LOW + 1, HIGH);
	close_stack(st);
}

static void ports_given_back_are_found_again(void **state)
{
	static bool taken[TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow f = to_server(80);
	uint32_t tw, hash;

	(void)state;
	connect_until_exhausted(st, &f, taken);
	for (uint16_t port = HIGH; port >= LOW; port = (uint16_t)(port - 37)) {
		f.lport = port;
		hash = tern_flow_hash(st->tcp.map_key, &f);
		tern_conn_free(&st->tcp, tern_conn_find(&st->tcp, hash, &f));
		f.lport = 0;
		assert_int_equal(tern_port_choose(st, &f, &tw), 0);
		assert_int_equal(f.lport, port);
		add_conn(st, &f);
	}
	close_stack(st);
}

static void a_crowded_destination_is_known_only_while_it_is_crowded(void **state)
{
	static bool taken[2][TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow a = to_server(80), b = to_server(81);
	uint32_t hash;

	(void)state;
	connect_until_exhausted(st, &a, taken[0]);
	assert_int_equal(tern_ports_crowds(st->ports), 1);
	connect_until_exhausted(st, &b, taken[1]);
	assert_int_equal(tern_ports_crowds(st->ports), 2);
	for (uint32_t port = LOW; port <= HIGH; port++) {
		a.lport = (uint16_t)port;
		hash = tern_flow_hash(st->tcp.map_key, &a);
		tern_conn_free(&st->tcp, tern_conn_find(&st->tcp, hash, &a));
	}
	assert_int_equal(tern_ports_crowds(st->ports), 1);
	close_stack(st);
}

static void a_destination_a_fifth_full_is_not_crowded_however_long_it_goes_on(void **state)
{
	enum { HELD = RANGE / 5, CHANGES = 10000 };
	static bool taken[TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow a = to_server(80), b = to_server(81);
	uint32_t held[HELD], tw;

	(void)state;
	connect_until_exhausted(st, &a, taken);
	for (unsigned int i = 0; i < HELD + CHANGES; i++) {
		if (i >= HELD)
			tern_conn_free(&st->tcp, held[i % HELD]);
		assert_int_equal(tern_port_choose(st, &b, &tw), 0);
		held[i % HELD] = add_conn(st, &b);
		assert_int_equal(tern_ports_crowds(st->ports), 1); /* a's */
	}
	close_stack(st);
}

static void bound_ports_are_left_out_whatever_their_address(void **state)
{
	static bool taken[TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow dest = to_server(80);
	struct tern_endpoint mine = endpoint("10.77.0.2", LOW + 3);
	struct tern_endpoint other = endpoint("192.0.2.5", HIGH);

	(void)state;
	assert_int_equal(tern_ports_bind(st->ports, 1, &mine, false, true), 0);
	assert_int_equal(tern_ports_bind(st->ports, 2, &other, false, true), 0);
	assert_int_equal(connect_until_exhausted(st, &dest, taken), RANGE - 2);
	assert_false(taken[LOW + 3]);
	assert_false(taken[HIGH]);
	tern_ports_unbind(st->ports, 1, LOW + 3);
	assert_int_equal(connect_until_exhausted(st, &dest, taken), 1);
	assert_true(taken[LOW + 3]);
	tern_ports_unbind(st->ports, 2, HIGH);
	close_stack(st);
}

static void bound_ports_are_left_out_also_when_every_port_is_in_use(void **state)
{
	struct tern_stack *st = narrow_stack();
	struct tern_endpoint mine = endpoint("10.77.0.2", LOW + 5);
	uint32_t tw;

	(void)state;
	st->knobs.ip_local_port_high = LOW + 7; /* as many as are probed */
	assert_int_equal(tern_ports_bind(st->ports, 1, &mine, false, true), 0);
	for (int n = 0; n < 50; n++) {
		struct tern_flow f = to_server(80);

		for (f.lport = LOW; n == 0 && f.lport <= LOW + 7; f.lport++)
			add_conn(st, &f);
		f = to_server(81);
		assert_int_equal(tern_port_choose(st, &f, &tw), 0);
		assert_int_not_equal(f.lport, LOW + 5);
	}
	tern_ports_unbind(st->ports, 1, LOW + 5);
	close_stack(st);
}

static void a_socket_is_never_connected_to_itself(void **state)
{
	static bool taken[2][TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow self = flow("10.77.0.2", 0, "10.77.0.2", LOW + 500);

	(void)state;
	assert_int_equal(connect_until_exhausted(st, &self, taken[0]), RANGE - 1);
	assert_false(taken[0][LOW + 500]);
	self.rport = HIGH; /* now that nothing is unused any more */
	assert_int_equal(connect_until_exhausted(st, &self, taken[1]), RANGE - 1);
	assert_false(taken[1][HIGH]);
	close_stack(st);
}

static void a_time_wait_holds_its_port_unless_it_may_be_taken_over(void **state)
{
	struct tern_stack *st = narrow_stack();
	struct tern_flow f = to_server(80);
	uint32_t held = 0, tw = 99;

	(void)state;
	for (f.lport = LOW; f.lport <= HIGH; f.lport++) {
		uint32_t idx = add_timewait(st, &f);

		if (f.lport == LOW + 77)
			held = idx;
	}
	tern_tcp_set_now(&st->tcp, st->tcp.now + 10 * S);
	f = to_server(80);
	st->knobs.tcp_tw_reuse = 0;
	assert_int_equal(tern_port_choose(st, &f, &tw), -EADDRNOTAVAIL);
	st->knobs.tcp_tw_reuse = 2; /* between our own addresses only */
	assert_int_equal(tern_port_choose(st, &f, &tw), -EADDRNOTAVAIL);
	assert_int_equal(tw, 99);
	st->knobs.tcp_tw_reuse = 1;
	assert_int_equal(tern_port_choose(st, &f, &tw), 0);
	assert_int_equal(tw, tern_timewait_find(&st->tw, tern_flow_hash(st->tcp.map_key, &f), &f));
	/* A port without any record is better. */
	tern_timewait_remove(&st->tw, held);
	assert_int_equal(tern_port_choose(st, &f, &tw), 0);
	assert_int_equal(tw, 0);
	assert_int_equal(f.lport, LOW + 77);
	close_stack(st);
}

static void the_only_time_wait_that_may_be_taken_over_is_found(void **state)
{
	struct tern_stack *st = narrow_stack();
	struct tern_flow f = to_server(80);
	uint32_t tw = 0, last;

	(void)state;
	st->knobs.tcp_tw_reuse = 1;
	for (f.lport = LOW; f.lport < HIGH; f.lport++)
		add_conn(st, &f);
	last = add_timewait(st, &f);
	f.lport = 0;
	assert_int_equal(tern_port_choose(st, &f, &tw), -EADDRNOTAVAIL);
	tern_tcp_set_now(&st->tcp, st->tcp.now + 10 * S);
	assert_int_equal(tern_port_choose(st, &f, &tw), 0);
	assert_int_equal(f.lport, HIGH);
	assert_int_equal(tw, last);
	close_stack(st);
}

static void after_a_vain_search_only_some_time_waits_are_looked_at_for_a_while(void **state)
{
	struct tern_stack *st = narrow_stack();
	struct tern_flow f = to_server(80);
	uint64_t start = st->tcp.now;
	unsigned int vain = 0;
	uint32_t tw = 0;

	(void)state;
	st->knobs.tcp_tw_reuse = 1;
	for (f.lport = LOW; f.lport < HIGH; f.lport++)
		add_conn(st, &f);
	add_timewait(st, &f);
	tern_tcp_set_now(&st->tcp, start + 1000 * MS); /* not old enough yet */
	assert_int_equal(tern_port_choose(st, &f, &tw), -EADDRNOTAVAIL);
	tern_tcp_set_now(&st->tcp, start + 1050 * MS);
	while (tern_port_choose(st, &f, &tw) < 0)
		assert_true(++vain < 300);
	assert_true(vain > 0);
	tern_tcp_set_now(&st->tcp, start + 1150 * MS);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(tern_port_choose(st, &f, &tw), 0);
		assert_int_equal(f.lport, HIGH);
	}
	close_stack(st);
}

/* Chi-squared over ten parts of the range: 9 degrees of freedom, 27.9 is exceeded once in 1,000. */
static void first_choices_are_spread_over_the_range(void **state)
{
	struct tern_stack *st = narrow_stack();
	uint32_t seen[10] = { 0 }, tw, near = 0, edges = 0;
	uint16_t last = 0;
	double chi = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct tern_flow f = to_server(80);

		assert_int_equal(tern_port_choose(st, &f, &tw), 0);
		seen[(f.lport - LOW) / (RANGE / 10)]++;
		near += abs(f.lport - last) <= 1;
		edges |= f.lport == LOW ? 1 : f.lport == HIGH ? 2 : 0;
		last = f.lport;
	}
	for (int i = 0; i < 10; i++)
		chi += (seen[i] - 1000.0) * (seen[i] - 1000.0) / 1000.0;
	assert_true(chi < 27.9);
	assert_int_equal(edges, 3);
	assert_true(near < 100); /* 30 expected; a counter would give all of them */
	close_stack(st);
}

static void the_same_seed_gives_the_same_ports(void **state)
{
	struct tern_config cfg = usual_config();
	uint32_t tw, other = 0;
	uint16_t ports[2][100];

	(void)state;
	for (int run = 0; run < 3; run++) {
		struct tern_stack *st = open_stack(&cfg);

		for (int i = 0; i < 100; i++) {
			struct tern_flow f = to_server(80);

			assert_int_equal(tern_port_choose(st, &f, &tw), 0);
			if (run < 2)
				ports[run][i] = f.lport;
			else
				other += (uint32_t)(f.lport != ports[0][i]);
		}
		close_stack(st);
		cfg.seed[31] = run == 1;
	}
	assert_memory_equal(ports[0], ports[1], sizeof(ports[0]));
	assert_true(other > 90);
}

/* Random opens and closes towards a few destinations, against flows kept in a plain table. */
static void choices_are_free_flows_and_fail_only_when_there_is_none(void **state)
{
	enum { DESTS = 4, PORTS = 64 };
	static uint8_t held[DESTS][PORTS]; /* 1: connection, 2: TIME-WAIT */
	struct tern_stack *st = narrow_stack();
	uint32_t tw, exhausted = 0;

	(void)state;
	st->knobs.ip_local_port_high = LOW + PORTS - 1;
	for (unsigned int i = 0; i < 60000; i++) {
		unsigned int d = tern_rng_below(&st->rng, DESTS);
		unsigned int closing = 30 + 30 * (i / 10000 % 2);
		struct tern_flow f = to_server((uint16_t)(80 + d));
		uint8_t *h;

		if (tern_rng_below(&st->rng, 100) >= closing) {
			int ret = tern_port_choose(st, &f, &tw);

			if (ret < 0) {
				assert_null(memchr(held[d], 0, PORTS));
				exhausted++;
				continue;
			}
			assert_int_equal(held[d][f.lport - LOW], 0);
			held[d][f.lport - LOW] = 1;
			add_conn(st, &f);
			continue;
		}
		f.lport = (uint16_t)(LOW + tern_rng_below(&st->rng, PORTS));
		h = &held[d][f.lport - LOW];
		if (*h == 1) {
			uint32_t hash = tern_flow_hash(st->tcp.map_key, &f);
			uint32_t idx = tern_conn_find(&st->tcp, hash, &f);

			assert_true(idx);
			*h = tern_rng_below(&st->rng, 2) ? 2 : 0;
			if (*h)
				assert_true(tern_timewait_add(&st->tw, idx,
							      tern_conn_at(&st->tcp, idx),
							      TERN_TIME_WAIT, false));
			tern_conn_free(&st->tcp, idx);
		} else if (*h == 2) {
			uint32_t hash = tern_flow_hash(st->tcp.map_key, &f);

			tern_timewait_remove(&st->tw, tern_timewait_find(&st->tw, hash, &f));
			*h = 0;
		}
	}
	assert_true(exhausted > 100);
	close_stack(st);
}

static void without_memory_for_a_crowd_the_choice_is_the_same(void **state)
{
	static bool taken[TERN_PORTS];
	struct tern_stack *st = narrow_stack();
	struct tern_flow f = to_server(80);
	uint32_t tw, hash;

	(void)state;
	connect_until_exhausted(st, &f, taken);
	for (f.lport = LOW; f.lport <= HIGH; f.lport++) {
		struct tern_flow g = f;

		g.rport = 81;
		if (f.lport != LOW + 9)
			add_conn(st, &g);
	}
	f = to_server(81);
	st->mem.limit = st->mem.used;
	assert_int_equal(tern_port_choose(st, &f, &tw), 0);
	assert_int_equal(f.lport, LOW + 9);
	st->mem.limit = 0;
	hash = tern_flow_hash(st->tcp.map_key, &f);
	assert_int_equal(tern_conn_find(&st->tcp, hash, &f), 0);
	close_stack(st);
}

static void bind_finds_a_port_without_a_conflict(void **state)
{
	struct tern_stack *st = narrow_stack();
	struct tern_addr mine = addr("10.77.0.2"), other = addr("192.0.2.5");
	uint16_t port;

	(void)state;
	for (uint32_t i = 1; i <= RANGE; i++) {
		struct tern_endpoint local = { .addr = mine };

		assert_int_equal(tern_port_choose_bind(st, TERN_PROTO_TCP, &mine, &port), 0);
		local.port = port;
		assert_false(tern_port_bind_conflict(st, TERN_PROTO_TCP, &local, false, false));
		assert_int_equal(tern_ports_bind(st->ports, i, &local, false, false), 0);
		assert_true(tern_port_bind_conflict(st, TERN_PROTO_TCP, &local, false, true));
	}
	assert_int_equal(tern_port_choose_bind(st, TERN_PROTO_TCP, &mine, &port), -EADDRINUSE);
	assert_int_equal(st->trace.counters[TERN_CNT_TernEphemeralExhausted], 1);
	/* Nothing is unused any more, but another address has room on each port. */
	assert_int_equal(tern_port_choose_bind(st, TERN_PROTO_TCP, &other, &port), 0);
	close_stack(st);
}

static void a_listener_forbids_binds_where_it_listens(void **state)
{
	static const struct {
		const char *listener, *local;
		bool v6only, conflict;
	} cases[] = {
		{ "10.77.0.2", "10.77.0.2", false, true },
		{ "10.77.0.2", "192.0.2.5", false, false },
		{ "0.0.0.0", "192.0.2.5", false, true },
		{ "10.77.0.2", "0.0.0.0", false, true },
		{ "10.77.0.2", "::", false, true },
		{ "10.77.0.2", "::", true, false },
		{ "::", "0.0.0.0", false, true },
		{ "::", "10.77.0.2", false, true },
		{ "::", "2001:db8::2", true, true },
		{ "0.0.0.0", "2001:db8::2", false, false },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_stack *st = usual_stack();
		struct tern_endpoint at = endpoint(cases[i].listener, 80);
		struct tern_endpoint local = endpoint(cases[i].local, 80);
		uint32_t conn = tern_conn_new(&st->tcp, TERN_CLOSED);

		assert_int_equal(tern_ports_bind(st->ports, conn, &at, false, true), 0);
		assert_int_equal(tern_listener_open(&st->syn, conn, &at, false, 5), 0);
		assert_int_equal(tern_port_bind_conflict(st, TERN_PROTO_TCP, &local,
							 cases[i].v6only, true),
				 cases[i].conflict);
		local.port = 81;
		assert_false(tern_port_bind_conflict(st, TERN_PROTO_TCP, &local, cases[i].v6only,
						     false));
		tern_listener_close(&st->syn, tern_conn_at(&st->tcp, conn)->listener);
		tern_ports_unbind(st->ports, conn, 80);
		close_stack(st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_port_of_the_range_is_used_before_there_is_none),
		cmocka_unit_test(destinations_share_the_ports),
		cmocka_unit_test(a_range_of_one_port_works),
		cmocka_unit_test(ports_given_back_are_found_again),
		cmocka_unit_test(a_crowded_destination_is_known_only_while_it_is_crowded),
		cmocka_unit_test(a_destination_a_fifth_full_is_not_crowded_however_long_it_goes_on),
		cmocka_unit_test(bound_ports_are_left_out_whatever_their_address),
		cmocka_unit_test(bound_ports_are_left_out_also_when_every_port_is_in_use),
		cmocka_unit_test(a_socket_is_never_connected_to_itself),
		cmocka_unit_test(a_time_wait_holds_its_port_unless_it_may_be_taken_over),
		cmocka_unit_test(the_only_time_wait_that_may_be_taken_over_is_found),
		cmocka_unit_test(
			after_a_vain_search_only_some_time_waits_are_looked_at_for_a_while),
		cmocka_unit_test(first_choices_are_spread_over_the_range),
		cmocka_unit_test(the_same_seed_gives_the_same_ports),
		cmocka_unit_test(choices_are_free_flows_and_fail_only_when_there_is_none),
		cmocka_unit_test(without_memory_for_a_crowd_the_choice_is_the_same),
		cmocka_unit_test(bind_finds_a_port_without_a_conflict),
		cmocka_unit_test(a_listener_forbids_binds_where_it_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
