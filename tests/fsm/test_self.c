/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections to the stack's own addresses: both ends ours, both in the table, nothing on the link.
 */
#include <errno.h>

#include "harness/puppet.h"

/* A listener and a socket connected to it, both accepted and established. */
struct pair {
	struct puppet *p; /* only its stack and its clock */
	tern_id server, client;
};

static tern_id new_socket(struct puppet *p)
{
	tern_id id;

	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM,
					 (enum tern_family)p->us.addr.family, &id),
			 0);
	return id;
}

static struct pair make_pair(enum kind k)
{
	struct pair v = { .p = in_state(TERN_LISTEN, k) };
	struct puppet *p = v.p;

	v.client = new_socket(p);
	assert_int_equal(tern_stack_connect(p->st, p->now, v.client, &p->us), 0);
	expect_silence(p);
	assert_int_equal(option(p, v.client, TERN_SO_STATE), TERN_ESTABLISHED);
	assert_int_equal(tern_stack_accept(p->st, p->now, p->listener, &v.server), 0);
	assert_int_equal(option(p, v.server, TERN_SO_STATE), TERN_ESTABLISHED);
	return v;
}

static unsigned int rows(const struct puppet *p, enum tern_state state)
{
	struct tern_socket_info row;
	uint64_t cursor = 0;
	unsigned int n = 0;

	while (tern_stack_next_socket(p->st, p->now, &cursor, &row))
		n += row.state == state;
	return n;
}

static void move(struct puppet *p, tern_id from, tern_id to, uint32_t n)
{
	static uint8_t out[100000], in[100000];
	int64_t ret;
	uint32_t sent = 0, got = 0;

	for (uint32_t i = 0; i < n; i++)
		out[i] = (uint8_t)(i * 31);
	while (got < n) {
		ret = tern_stack_send(p->st, p->now, from, out + sent, n - sent, 0);
		if (ret > 0)
			sent += (uint32_t)ret;
		wait_ms(p, 1);
		ret = tern_stack_recv(p->st, p->now, to, in + got, n - got, 0);
		assert_true(ret > 0 || ret == -EAGAIN);
		if (ret > 0)
			got += (uint32_t)ret;
	}
	assert_memory_equal(in, out, n);
}

static void no_address_in_particular_is_our_own(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = in_state(TERN_LISTEN, k);
		struct tern_endpoint any = { tern_addr_any(p->us.addr.family), p->us.port }, got;
		tern_id client = new_socket(p);

		assert_int_equal(tern_stack_connect(p->st, p->now, client, &any), 0);
		expect_silence(p);
		assert_int_equal(option(p, client, TERN_SO_STATE), TERN_ESTABLISHED);
		assert_int_equal(tern_stack_remote(p->st, client, &got), 0);
		assert_true(tern_addr_eq(&got.addr, &p->us.addr));
		assert_int_equal(tern_stack_close(p->st, p->now, client), 0);
		done(p);
	}
}

static void both_ends_are_in_the_table_and_nothing_leaves(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct pair v = make_pair(k);
		struct puppet *p = v.p;

		assert_int_equal(rows(p, TERN_ESTABLISHED), 2);
		move(p, v.client, v.server, 100000);
		move(p, v.server, v.client, 3);
		expect_silence(p);
		assert_int_equal(tern_stack_knob(p->st, p->now, "net.ipv4.tern_fin_delack", "0"),
				 0);
		assert_int_equal(tern_stack_close(p->st, p->now, v.client), 0);
		expect_silence(p);
		assert_int_equal(rows(p, TERN_CLOSE_WAIT), 1);
		assert_int_equal(rows(p, TERN_FIN_WAIT_2), 1);
		assert_int_equal(tern_stack_close(p->st, p->now, v.server), 0);
		expect_silence(p);
		assert_int_equal(rows(p, TERN_TIME_WAIT), 1);
		assert_int_equal(rows(p, TERN_CLOSE_WAIT) + rows(p, TERN_LAST_ACK), 0);
		wait_ms(p, 61 * SECOND);
		assert_int_equal(rows(p, TERN_TIME_WAIT), 0);
		done(p);
	}
}

static void a_reset_reaches_the_other_end(void **state)
{
	struct pair v = make_pair(PASSIVE4);

	(void)state;
	assert_int_equal(tern_stack_abort(v.p->st, v.p->now, v.client), 0);
	expect_silence(v.p);
	assert_int_equal(option(v.p, v.server, TERN_SO_ERROR), ECONNRESET);
	assert_int_equal(tern_stack_close(v.p->st, v.p->now, v.server), 0);
	done(v.p);
}

static void a_port_where_nobody_listens_refuses(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = puppet_new(k);

		p->id = new_socket(p);
		assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->us), 0);
		expect_silence(p);
		assert_int_equal(so_error(p), ECONNREFUSED);
		done(p);
	}
}

/* RFC 9293 §3.5: a socket whose SYN comes back to itself is a simultaneous open. */
static void a_socket_can_be_connected_to_itself(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = puppet_new(k);
		uint8_t data[4] = { 0 };

		p->id = new_socket(p);
		assert_int_equal(tern_stack_bind(p->st, p->now, p->id, &p->us), 0);
		assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->us), 0);
		expect_silence(p);
		assert_int_equal(option(p, p->id, TERN_SO_STATE), TERN_ESTABLISHED);
		assert_int_equal(rows(p, TERN_ESTABLISHED), 1);
		assert_int_equal(tern_stack_send(p->st, p->now, p->id, "self", 4, 0), 4);
		wait_ms(p, 50);
		assert_int_equal(tern_stack_recv(p->st, p->now, p->id, data, 4, 0), 4);
		assert_memory_equal(data, "self", 4);
		expect_silence(p);
		app_shuts(p, TERN_SHUT_WR);
		wait_ms(p, 50);
		assert_int_equal(rows(p, TERN_TIME_WAIT), 1);
		done(p);
	}
}

static void both_ends_may_close_at_once(void **state)
{
	struct pair v = make_pair(PASSIVE4);
	struct puppet *p = v.p;

	(void)state;
	assert_int_equal(tern_stack_close(p->st, p->now, v.client), 0);
	assert_int_equal(tern_stack_close(p->st, p->now, v.server), 0);
	expect_silence(p);
	assert_true(rows(p, TERN_TIME_WAIT) >= 1);
	done(p);
}

static void our_address_as_source_is_refused_from_outside(void **state)
{
	struct puppet *p = in_state(TERN_LISTEN, PASSIVE4);

	(void)state;
	p->peer.addr = p->us.addr;
	say(p, .flags = IS(TERN_SYN));
	assert_dropped(p, IP_RPFILTER);
	expect_silence(p);
	done(p);
}

static void a_connect_that_finds_the_queue_full_goes_on_trying(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);
	tern_id client;

	(void)state;
	open_listener(p, 0);
	client = new_socket(p);
	assert_int_equal(tern_stack_connect(p->st, p->now, client, &p->us), 0);
	expect_silence(p);
	p->id = new_socket(p);
	assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->us), 0);
	expect_silence(p); /* the accept queue is full: its SYN is lost */
	assert_int_equal(rows(p, TERN_SYN_SENT), 1);
	assert_int_equal(COUNT(p, TcpExtListenOverflows), 1);
	wait_ms(p, 1100);
	assert_int_equal(COUNT(p, TcpExtListenOverflows), 2);
	assert_int_equal(tern_stack_close(p->st, p->now, client), 0);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_address_in_particular_is_our_own),
		cmocka_unit_test(both_ends_are_in_the_table_and_nothing_leaves),
		cmocka_unit_test(a_reset_reaches_the_other_end),
		cmocka_unit_test(a_port_where_nobody_listens_refuses),
		cmocka_unit_test(a_socket_can_be_connected_to_itself),
		cmocka_unit_test(both_ends_may_close_at_once),
		cmocka_unit_test(our_address_as_source_is_refused_from_outside),
		cmocka_unit_test(a_connect_that_finds_the_queue_full_goes_on_trying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
