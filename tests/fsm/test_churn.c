/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many connections, one after the other or all at once: 20,000 in a minute over 1,000 ports to one
 * server port, from one clock or from two behind one address; more than 65,535 at one listener.
 * What tcp_tw_recycle promised, without what it broke: nobody is refused.
 */
#include "harness/pair.h"

#include <errno.h>
#include <stdlib.h>

enum {
	OPENS = 20000,
	STEP_MS = 3, /* a minute for all of them */
	ROOM = 4096,
	BEHIND_NAT = 10000,
};

static struct pair *churn_new(void)
{
	struct pair *p = pair_new(ROOM);

	pair_knob(p, "net.ipv4.ip_local_port_range", "10000 10999");
	return p;
}

/* Opens, and closes from `first` on; both must come through at once. */
static void open_and_close(struct pair *p, unsigned int first)
{
	tern_id id[2];

	if (pair_connect(p, 0, &id[CLIENT]))
		fail_msg("connect() found no port");
	assert_int_equal(pair_state(p, CLIENT, id[CLIENT]), TERN_ESTABLISHED);
	id[SERVER] = pair_accept(p);
	pair_close(p, first, id[first]);
	pair_close(p, !first, id[!first]);
}

static void expect_nobody_refused(const struct pair *p, unsigned int client)
{
	const struct tern_stack *st = p->st[client];

	assert_int_equal(tern_stack_counter(st, TERN_CNT_TcpAttemptFails), 0);
	assert_int_equal(tern_stack_counter(st, TERN_CNT_TcpExtTCPSynRetrans), 0);
	assert_int_equal(tern_stack_counter(p->st[SERVER], TERN_CNT_TcpExtListenDrops), 0);
	assert_int_equal(tern_stack_counter(p->st[SERVER], TERN_CNT_TcpExtTCPSYNChallenge), 0);
	assert_int_equal(p->resets, 0);
}

/* The client closes first and keeps TIME-WAIT: tcp_tw_reuse lets it take them over (RFC 6191). */
static void a_client_opens_20000_times_in_a_minute_over_1000_ports(void **state)
{
	struct pair *p = churn_new();

	(void)state;
	pair_knob(p, "net.ipv4.tcp_tw_reuse", "1");
	for (int i = 0; i < OPENS; i++) {
		open_and_close(p, CLIENT);
		pair_wait(p, STEP_MS);
	}
	expect_nobody_refused(p, CLIENT);
	pair_free(p);
}

/* The server closes first and keeps TIME-WAIT: each SYN is newer, and opens (RFC 6191, MAY-2). */
static void a_server_is_opened_20000_times_in_a_minute_over_1000_ports(void **state)
{
	struct pair *p = churn_new();

	(void)state;
	for (int i = 0; i < OPENS; i++) {
		open_and_close(p, SERVER);
		pair_wait(p, STEP_MS);
	}
	expect_nobody_refused(p, CLIENT);
	assert_true(tern_stack_counter(p->st[SERVER], TERN_CNT_TernTimeWaitAccepted) > 10000);
	pair_free(p);
}

/* The other client behind the same address: its own clock, its own numbers. */
static struct tern_stack *second_client(struct pair *p, const char *ports)
{
	struct tern_config cfg = p->cfg[CLIENT];
	struct tern_stack *st;

	cfg.seed[2] = 77;
	assert_int_equal(tern_stack_new(&cfg, p->now, &st), 0);
	assert_int_equal(tern_stack_knob(st, p->now, "net.ipv4.ip_local_port_range", ports), 0);
	return st;
}

static void swap(struct pair *p, struct tern_stack **other)
{
	struct tern_stack *now = p->st[CLIENT];

	p->st[CLIENT] = *other;
	*other = now;
	tern_stack_tick(p->st[CLIENT], p->now);
}

/* Per-host timestamps would refuse the client whose clock is behind. */
static void two_clients_of_unlike_clocks_behind_one_address_are_both_served(void **state)
{
	struct pair *p = churn_new();
	struct tern_stack *other = second_client(p, "10500 10999");

	(void)state;
	pair_knob(p, "net.ipv4.ip_local_port_range", "10000 10499");
	for (int i = 0; i < BEHIND_NAT; i++) {
		open_and_close(p, SERVER);
		pair_wait(p, 2 * STEP_MS);
		swap(p, &other);
	}
	expect_nobody_refused(p, CLIENT);
	swap(p, &other);
	expect_nobody_refused(p, CLIENT);
	tern_stack_free(other);
	pair_free(p);
}

/* The translator gives one client's port to the other: that costs a second, never a refusal. */
static void a_port_that_changes_between_clients_of_unlike_clocks_is_served(void **state)
{
	static const char port[] = "10000 10000";
	struct pair *p = churn_new();
	struct tern_stack *other = second_client(p, port);
	unsigned int late = 0;

	(void)state;
	pair_knob(p, "net.ipv4.ip_local_port_range", port);
	for (int i = 0; i < 40; i++) {
		tern_id id[2];

		assert_int_equal(pair_connect(p, 0, &id[CLIENT]), 0);
		if (pair_state(p, CLIENT, id[CLIENT]) != TERN_ESTABLISHED) {
			late++;
			pair_wait(p, 1001);
		}
		assert_int_equal(pair_state(p, CLIENT, id[CLIENT]), TERN_ESTABLISHED);
		id[SERVER] = pair_accept(p);
		pair_close(p, SERVER, id[SERVER]);
		pair_close(p, CLIENT, id[CLIENT]);
		pair_wait(p, STEP_MS);
		swap(p, &other);
	}
	assert_true(late > 10 && late <= 20); /* the clock that is behind */
	tern_stack_free(other);
	pair_free(p);
}

/* ---- more connections than ports (RFC 9293 MUST-42: told apart by all four) ---- */

enum { HOSTS = 3, EACH = 22000, MANY = HOSTS * EACH };

static tern_id many[MANY][2];

static tern_id connect_from(struct pair *p, unsigned int host, uint16_t port)
{
	struct tern_endpoint from = { tern_addr_v4(10, 77, 1, (uint8_t)(1 + host)), port };
	struct tern_endpoint to = { tern_addr_v4(10, 77, 0, 2), SERVER_PORT };
	struct tern_stack *st = p->st[CLIENT];
	tern_id id;

	assert_int_equal(tern_stack_open(st, p->now, TERN_STREAM, TERN_INET, &id), 0);
	assert_int_equal(tern_stack_option(st, p->now, id, TERN_SO_REUSEADDR, 1), 0);
	assert_int_equal(tern_stack_bind(st, p->now, id, &from), 0);
	assert_int_equal(tern_stack_connect(st, p->now, id, &to), 0);
	pair_run(p);
	return id;
}

static void one_listener_holds_more_connections_than_there_are_ports(void **state)
{
	struct pair *p = pair_new(MANY + 100);
	struct tern_stack_info info;

	(void)state;
	assert_true(MANY > 65535);
	tern_stack_free(p->st[CLIENT]);
	p->cfg[CLIENT].addr_count = HOSTS;
	for (unsigned int h = 0; h < HOSTS; h++)
		p->cfg[CLIENT].addrs[h] =
			(struct tern_prefix){ tern_addr_v4(10, 77, 1, (uint8_t)(1 + h)), 16 };
	assert_int_equal(tern_stack_new(&p->cfg[CLIENT], p->now, &p->st[CLIENT]), 0);
	for (unsigned int i = 0; i < MANY; i++) {
		many[i][CLIENT] = connect_from(p, i % HOSTS, (uint16_t)(2000 + i / HOSTS));
		many[i][SERVER] = pair_accept(p);
	}
	tern_stack_info(p->st[SERVER], p->now, &info);
	assert_int_equal(info.conns, MANY);
	for (unsigned int i = 0; i < MANY; i += 997) { /* each is its own */
		pair_write(p, CLIENT, many[i][CLIENT], (uint8_t)i, 10);
		pair_expect_bytes(p, SERVER, many[i][SERVER], (uint8_t)i, 10);
	}
	pair_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_opens_20000_times_in_a_minute_over_1000_ports),
		cmocka_unit_test(a_server_is_opened_20000_times_in_a_minute_over_1000_ports),
		cmocka_unit_test(two_clients_of_unlike_clocks_behind_one_address_are_both_served),
		cmocka_unit_test(a_port_that_changes_between_clients_of_unlike_clocks_is_served),
		cmocka_unit_test(one_listener_holds_more_connections_than_there_are_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
