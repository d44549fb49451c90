/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Want of memory at every single point, once and for good: nothing is lost but time, nothing
 * crashes, nothing leaks (attack D20). done() sees to the last of these.
 */
#include <errno.h>

#include "harness/puppet.h"

enum {
	FIRST = 1000, /* bytes, with the handshake */
	SECONDLY = 1500,
	BACK = 30000,
	TRIES = 6,
};

/* Lets the stack talk for a while; false when it has reset the connection. */
static bool listen_for(struct puppet *p, uint64_t ms)
{
	bool alive = true;

	wait_ms(p, ms);
	while (hear(p))
		alive = alive && !(p->got.seg.flags & TERN_RST);
	return alive;
}

static void open_server(struct puppet *p)
{
	struct tern_endpoint at = { tern_addr_any(p->us.addr.family), p->us.port };
	enum tern_family family = (enum tern_family)p->us.addr.family;
	int err = -1;

	for (int i = 0; err && i < TRIES; i++) {
		err = tern_stack_open(p->st, p->now, TERN_STREAM, family, &p->listener);
		if (err)
			continue;
		err = tern_stack_bind(p->st, p->now, p->listener, &at);
		if (!err)
			err = tern_stack_listen(p->st, p->now, p->listener, 8);
		if (err)
			assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	}
	assert_int_equal(err, 0);
}

static void open_client(struct puppet *p)
{
	enum tern_family family = (enum tern_family)p->us.addr.family;
	struct tern_endpoint local;
	int err = -1;

	for (int i = 0; err && i < TRIES; i++) {
		err = tern_stack_open(p->st, p->now, TERN_STREAM, family, &p->id);
		if (err)
			continue;
		err = tern_stack_connect(p->st, p->now, p->id, &p->peer);
		if (err)
			assert_int_equal(tern_stack_close(p->st, p->now, p->id), 0);
	}
	assert_int_equal(err, 0);
	assert_int_equal(tern_stack_local(p->st, p->id, &local), 0);
	p->us = local;
	assert_true(listen_for(p, 1));
}

/* The handshake, and data on the third segment. */
static void establish(struct puppet *p)
{
	bool active = is_active(p->kind);
	uint16_t syn = active ? TERN_SYN | TERN_ACK : TERN_SYN;

	if (active)
		open_client(p);
	else
		open_server(p);
	for (int i = 0; i < TRIES && (i == 0 || state_of(p) != TERN_ESTABLISHED); i++) {
		p->seq = p->iss;
		say(p, .flags = IS(syn));
		p->seq = p->iss + 1;
		assert_true(listen_for(p, 500));
		if (!p->irs)
			continue;
		say(p, .seq = IS(p->iss + 1), .len = IS(FIRST));
		assert_true(listen_for(p, 500));
	}
	assert_state(p, TERN_ESTABLISHED);
	if (!active)
		app_accepts(p);
}

/* Sends [from, from + SECONDLY) back to front until all of it was acknowledged. */
static void send_early(struct puppet *p)
{
	uint32_t from = p->iss + 1, end = from + FIRST + SECONDLY;

	for (int i = 0; i < TRIES; i++) {
		say(p, .seq = IS(from + FIRST + 1000), .len = IS(SECONDLY - 1000));
		say(p, .seq = IS(from + FIRST), .len = IS(1000));
		say(p, .seq = IS(from), .len = IS(FIRST));
		assert_true(listen_for(p, 500));
	}
	p->seq = end;
	say(p);
	assert_true(listen_for(p, 500));
	app_reads(p, FIRST + SECONDLY);
	assert_int_equal(app_recv(p), -EAGAIN);
}

static void receive(struct puppet *p)
{
	uint32_t end = p->ack + BACK;

	for (int i = 0; i < 200 && p->ack != end; i++) {
		uint32_t left = BACK - p->written, n = TERN_MIN(left, 4000u);
		int64_t ret;

		if (n) {
			uint8_t data[4000];

			for (uint32_t b = 0; b < n; b++)
				data[b] = stream_byte(p->written + b);
			ret = tern_stack_send(p->st, p->now, p->id, data, n, 0);
			assert_true(ret > 0 || ret == -EAGAIN || ret == -ENOBUFS);
			p->written += ret > 0 ? (uint32_t)ret : 0;
		}
		assert_true(listen_for(p, 300));
		say(p);
	}
	assert_int_equal(p->ack, end);
}

static void part(struct puppet *p)
{
	bool alive;

	app_closes(p);
	alive = listen_for(p, 500);
	for (int i = 0; alive && i < TRIES; i++) {
		say(p, .flags = IS(TERN_FIN | TERN_ACK), .seq = IS(p->seq - !!i));
		alive = listen_for(p, 500);
	}
	/* An orphan without a record for TIME-WAIT is simply gone. */
	assert_true(state_of(p) == TERN_TIME_WAIT || state_of(p) == TERN_CLOSED ||
		    state_of(p) == TERN_LISTEN);
}

static void live_through(struct puppet *p)
{
	establish(p);
	send_early(p);
	receive(p);
	part(p);
}

static void one_failure_anywhere_costs_time_only(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		uint64_t fails = 1;

		for (uint64_t n = 1; fails; n++) {
			struct puppet *p = puppet_new(k);

			p->st->mem.fail_in = n;
			live_through(p);
			fails = p->st->mem.fails;
			p->st->mem.fail_in = 0;
			done(p);
			assert_true(n < 1000);
			if (!fails)
				assert_true(n > 5); /* there is something to fail */
		}
	}
}

/* Calls and segments, whatever they give. */
static void try_to_live(struct puppet *p)
{
	struct tern_endpoint at = { tern_addr_any(p->us.addr.family), p->us.port };
	enum tern_family family = (enum tern_family)p->us.addr.family;
	uint8_t data[5000];
	tern_id id;

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = stream_byte(i);
	if (!tern_stack_open(p->st, p->now, TERN_STREAM, family, &p->listener)) {
		tern_stack_bind(p->st, p->now, p->listener, &at);
		tern_stack_listen(p->st, p->now, p->listener, 8);
	} else {
		p->listener = 0;
	}
	say(p, .flags = IS(TERN_SYN));
	listen_for(p, 100);
	say(p, .len = IS(FIRST));
	say(p, .seq = IS(p->seq + 100), .len = IS(FIRST));
	listen_for(p, 100);
	if (p->listener && !tern_stack_accept(p->st, p->now, p->listener, &p->id)) {
		tern_stack_send(p->st, p->now, p->id, data, sizeof(data), 0);
		tern_stack_recv(p->st, p->now, p->id, data, sizeof(data), 0);
	}
	if (!tern_stack_open(p->st, p->now, TERN_STREAM, family, &id)) {
		tern_stack_connect(p->st, p->now, id, &p->peer);
		tern_stack_send(p->st, p->now, id, data, sizeof(data), 0);
		listen_for(p, 2000);
		assert_int_equal(tern_stack_close(p->st, p->now, id), 0);
	}
	say(p, .flags = IS(TERN_FIN | TERN_ACK));
	listen_for(p, 100);
	if (p->id)
		app_closes(p);
	say(p);
	listen_for(p, 100);
}

static void no_memory_at_all_is_survived(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		for (uint64_t more = 0; more < 1000000; more += 20000) {
			struct puppet *p = puppet_new(k);

			p->st->mem.limit = p->st->mem.used + more;
			p->ts = false;
			try_to_live(p);
			p->st->mem.limit = 0;
			done(p);
		}
	}
}

static void a_stack_that_cannot_be_made_leaves_nothing(void **state)
{
	struct tern_config cfg = puppet_config();
	struct tern_stack *st = NULL;
	int err = -ENOMEM;

	(void)state;
	for (cfg.memory_max = 1; err; cfg.memory_max += cfg.memory_max / 16 + 512) {
		err = tern_stack_new(&cfg, 0, &st);
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(cfg.memory_max < UINT64_C(1) << 32);
	}
	tern_stack_free(st);
}

/* What one connection leaves behind as spare memory serves the next. */
static void memory_does_not_grow_with_the_number_of_connections(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);
	uint64_t used = 0;

	(void)state;
	open_server(p);
	for (int i = 0; i < 40; i++) {
		next_peer(p);
		say(p, .flags = IS(TERN_SYN));
		assert_true(listen_for(p, 1));
		say(p, .len = IS(FIRST));
		app_accepts(p);
		assert_true(listen_for(p, 500));
		send_early(p);
		receive(p);
		part(p);
		wait_ms(p, 2 * MINUTE);
		if (i == 2)
			used = p->st->mem.used;
		if (i > 2)
			assert_int_equal(p->st->mem.used, used);
	}
	done(p);
}

/* tcp_mem: data that finds no room is dropped, and taken when there is some. */
static void beyond_tcp_mem_data_waits_with_the_peer(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	unsigned int taken = 0;

	(void)state;
	assert_int_equal(tern_stack_knob(p->st, p->now, "net.ipv4.tcp_mem", "1 2 4"), 0);
	while (taken < 60) {
		say(p, .len = IS(1000));
		if (p->reason != TERN_DROP_NONE)
			break;
		taken++;
	}
	assert_in_range(taken, 4, 59);
	assert_dropped(p, PROTO_MEM);
	p->seq -= 1000;
	assert_true(COUNT(p, TcpExtTCPRcvQDrop) > 0);
	ignore(p);
	app_reads(p, taken * 1000);
	expect(p, .flags = IS(TERN_ACK)); /* the window opens again */
	say(p, .len = IS(1000));
	assert_taken(p);
	app_reads(p, 1000);
	ignore(p);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_failure_anywhere_costs_time_only),
		cmocka_unit_test(no_memory_at_all_is_survived),
		cmocka_unit_test(memory_does_not_grow_with_the_number_of_connections),
		cmocka_unit_test(a_stack_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(beyond_tcp_mem_data_waits_with_the_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
