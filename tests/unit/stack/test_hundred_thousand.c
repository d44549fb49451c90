/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 100,000 connections between two stacks, all open at once; then closed; and after TIME-WAIT every
 * pool is back where it began.
 */
#include "unit/stack/joined.h"

enum { CONNS = 100000, PORTS = 8, FIRST_PORT = 8000 };

static tern_id ids[CONNS][2];

/* What must not grow. */
struct levels {
	uint64_t records[6]; /* in use, of each pool */
	uint64_t buffers, ports, orphans;
	uint64_t mapped[3], timers[3];
};

static struct levels levels_of(const struct tern_stack *st)
{
	uint64_t ports = 0;

	for (uint32_t port = 1; port < 65536; port++)
		ports += tern_ports_used(st->ports, (uint16_t)port);
	return (struct levels){
		.records = { st->tcp.conns.used, tern_tcp_traffics(&st->tcp), st->tcp.reass.used,
			     st->syn.halves.used, st->syn.listeners.used, st->tw.pool.used },
		.buffers = st->tcp.bufs.used,
		.ports = ports,
		.mapped = { st->tcp.map.count, st->syn.half_map.count, st->tw.map.count },
		.timers = { st->tcp.wheel.count, tern_syn_deadline(&st->syn) != TERN_NEVER,
			    tern_timewait_deadline(&st->tw) != TERN_NEVER },
		.orphans = st->tcp.orphans,
	};
}

static void open_all(struct joined *j, const tern_id listeners[PORTS])
{
	for (uint32_t i = 0; i < CONNS; i++)
		joined_connect(j, listeners[i % PORTS], (uint16_t)(FIRST_PORT + i % PORTS), ids[i]);
}

static void expect_counts(const struct joined *j, uint32_t conns, uint32_t timewaits)
{
	struct tern_stack_info info;

	for (unsigned int i = 0; i < 2; i++) {
		tern_stack_info(j->st[i], j->now, &info);
		assert_int_equal(info.conns, conns);
		assert_int_equal(info.halfopens, 0);
		assert_int_equal(info.timewaits, i == CLIENT ? timewaits : 0);
	}
}

/* The client closes first, so that it is the one that keeps TIME-WAIT. */
static void close_all(struct joined *j)
{
	char byte;

	for (uint32_t i = 0; i < CONNS; i++) {
		struct tern_stack *client = j->st[CLIENT], *server = j->st[SERVER];
		tern_id at = ids[i][SERVER];

		assert_int_equal(tern_stack_close(client, j->now, ids[i][CLIENT]), 0);
		joined_pump(j);
		assert_int_equal(tern_stack_recv(server, j->now, at, &byte, 1, 0), 0);
		assert_int_equal(tern_stack_close(server, j->now, at), 0);
		joined_pump(j);
	}
}

static void drain_events(const struct joined *j)
{
	struct tern_event event;

	for (unsigned int i = 0; i < 2; i++)
		while (tern_stack_event(j->st[i], &event))
			;
}

static void a_hundred_thousand_connections_come_and_go_without_a_trace(void **state)
{
	struct levels before[2], after;
	tern_id listeners[PORTS];
	struct joined j;

	(void)state;
	joined_open(&j, CONNS + PORTS);
	for (uint16_t i = 0; i < PORTS; i++)
		listeners[i] = joined_listen(&j, (uint16_t)(FIRST_PORT + i));
	drain_events(&j);
	for (unsigned int i = 0; i < 2; i++)
		before[i] = levels_of(j.st[i]);
	open_all(&j, listeners);
	expect_counts(&j, CONNS, 0);
	close_all(&j);
	expect_counts(&j, 0, CONNS);
	joined_wait(&j, 61 * S);
	expect_counts(&j, 0, 0);
	drain_events(&j);
	for (unsigned int i = 0; i < 2; i++) {
		after = levels_of(j.st[i]);
		assert_memory_equal(&after, &before[i], sizeof(after));
	}
	joined_close(&j);
}

/* Chunks of memory that records stood in are given back, but for one spare a pool. */
static void the_memory_of_closed_connections_is_given_back(void **state)
{
	enum { FEW = 20000, SPARES = 8 * 65536 };
	struct joined j;
	uint64_t empty;
	tern_id listener;

	(void)state;
	joined_open(&j, FEW + 1);
	listener = joined_listen(&j, FIRST_PORT);
	empty = j.st[SERVER]->mem.used;
	for (uint32_t i = 0; i < FEW; i++)
		joined_connect(&j, listener, FIRST_PORT, ids[i]);
	assert_true(j.st[SERVER]->mem.used > empty + FEW * sizeof(struct tern_conn));
	for (uint32_t i = 0; i < FEW; i++) {
		assert_int_equal(tern_stack_abort(j.st[CLIENT], j.now, ids[i][CLIENT]), 0);
		joined_pump(&j);
		assert_int_equal(tern_stack_close(j.st[SERVER], j.now, ids[i][SERVER]), 0);
	}
	assert_in_range(j.st[SERVER]->mem.used, 1, empty + SPARES);
	joined_close(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_thousand_connections_come_and_go_without_a_trace),
		cmocka_unit_test(the_memory_of_closed_connections_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
