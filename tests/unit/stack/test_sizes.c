/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a connection weighs in each of its three records (IPv4). These are promises of the design:
 * a field more is a decision.
 */
#include "unit/stack/joined.h"

enum {
	ADDRS = 8, /* the packed flow behind each record */
	SLOTS = 4, /* map slots for an entry, at most */
	PORT = 80,
};

/* RFC4987:3.5 */
static void a_half_open_connection_takes_at_most_64_bytes(void **state)
{
	(void)state;
	assert_in_range(sizeof(struct tern_half) + ADDRS, 1, 64);
}

static void a_time_wait_takes_at_most_48_bytes(void **state)
{
	(void)state;
	assert_in_range(sizeof(struct tern_tw) + ADDRS, 1, 48);
}

static void an_idle_connection_takes_at_most_256_bytes_without_its_totals(void **state)
{
	size_t share = SLOTS * sizeof(struct tern_map_slot);
	size_t record = sizeof(struct tern_conn) - sizeof(struct tern_totals) + ADDRS;

	(void)state;
	assert_in_range(record + share, 1, 256);
}

static void an_idle_connection_takes_at_most_320_bytes_with_its_totals(void **state)
{
	size_t share = SLOTS * sizeof(struct tern_map_slot);

	(void)state;
	assert_in_range(sizeof(struct tern_conn) + ADDRS + share, 1, 320);
}

static void a_map_has_at_most_four_slots_for_an_entry(void **state)
{
	struct tern_mem mem = { 0 };
	struct tern_map map;

	(void)state;
	for (uint32_t n = 1; n < 5000; n++) {
		assert_int_equal(tern_map_init(&map, &mem, n), 0);
		assert_in_range(mem.used, 1, n * SLOTS * sizeof(struct tern_map_slot));
		tern_map_free(&map);
	}
}

/* Both ends: no second record, and not a byte of buffers. */
static void assert_nothing_but_the_record(const struct joined *j, const tern_id ids[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct tern_stack *st = j->st[i];
		uint32_t idx = tern_call_conn(st, ids[i]);

		assert_true(idx);
		assert_int_equal(tern_conn_at(&st->tcp, idx)->state, TERN_ESTABLISHED);
		assert_int_equal(tern_conn_at(&st->tcp, idx)->traffic, 0);
		assert_int_equal(tern_tcp_traffics(&st->tcp), 0);
		assert_int_equal(st->tcp.reass.used, 0);
		assert_int_equal(st->tcp.bufs.used, 0);
		assert_int_equal(st->syn.halves.used, 0);
	}
}

static void a_fresh_connection_is_one_record(void **state)
{
	struct joined j;
	tern_id ids[2];

	(void)state;
	joined_open(&j, 8);
	joined_connect(&j, joined_listen(&j, PORT), PORT, ids);
	assert_nothing_but_the_record(&j, ids);
	joined_close(&j);
}

static void a_connection_that_carried_data_is_one_record_again(void **state)
{
	struct joined j;
	char data[5000] = "", got[sizeof(data)];
	tern_id ids[2];

	(void)state;
	joined_open(&j, 8);
	joined_connect(&j, joined_listen(&j, PORT), PORT, ids);
	for (unsigned int i = 0; i < 2; i++) {
		struct tern_stack *from = j.st[i], *to = j.st[!i];
		int64_t n = tern_stack_send(from, j.now, ids[i], data, sizeof(data), 0);

		assert_int_equal(n, sizeof(data));
		assert_int_equal(tern_tcp_traffics(&from->tcp), 1);
		joined_pump(&j);
		n = tern_stack_recv(to, j.now, ids[!i], got, sizeof(got), 0);
		assert_int_equal(n, sizeof(got));
	}
	joined_wait(&j, 2 * S);
	assert_nothing_but_the_record(&j, ids);
	joined_close(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_half_open_connection_takes_at_most_64_bytes),
		cmocka_unit_test(a_time_wait_takes_at_most_48_bytes),
		cmocka_unit_test(an_idle_connection_takes_at_most_256_bytes_without_its_totals),
		cmocka_unit_test(an_idle_connection_takes_at_most_320_bytes_with_its_totals),
		cmocka_unit_test(a_map_has_at_most_four_slots_for_an_entry),
		cmocka_unit_test(a_fresh_connection_is_one_record),
		cmocka_unit_test(a_connection_that_carried_data_is_one_record_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
