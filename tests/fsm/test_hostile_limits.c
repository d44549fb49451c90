/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every limit, reached: the call fails as its header says, a counter moves, nothing dies, and there
 * is room again when something has gone. Memory that fails at each allocation in turn.
 */
#include "harness/hostile.h"

#include <errno.h>

enum { MANY = 64 };

static struct tern_config small(void)
{
	struct tern_config cfg = hostile_config(TERN_INET, VICTIM_HOST, 1);

	cfg.conns_max = 12;
	cfg.halfopens_max = 3;
	cfg.timewaits_max = 2;
	cfg.listeners_max = 4;
	cfg.udps_max = 3;
	cfg.frags_max = 2;
	return cfg;
}

static struct world *small_world(void)
{
	struct tern_config cfg = small();

	return world_new_cfg(TERN_INET, 1, &cfg);
}

static uint64_t counted(const struct world *w, enum tern_counter c)
{
	return tern_stack_counter(w->victim, c);
}

static struct tern_stack_info info_of(const struct world *w)
{
	struct tern_stack_info info;

	tern_stack_info(w->victim, w->now, &info);
	return info;
}

static void knob(struct world *w, const char *name, const char *value)
{
	HOLDS(tern_stack_knob(w->victim, w->now, name, value) == 0);
}

static int open_stream(struct world *w, tern_id *ret_id)
{
	return tern_stack_open(w->victim, w->now, TERN_STREAM, TERN_INET, ret_id);
}

/* The SYN of client n; s is its next segment if it is answered. */
static enum tern_drop knock(struct world *w, unsigned int n, struct shot *s)
{
	enum tern_drop reason;

	*s = (struct shot){ .from = world_at(w, ATTACKER_HOST, (uint16_t)(5000 + n)),
			    .to = world_at(w, VICTIM_HOST, SERVER_PORT),
			    .flags = TERN_SYN,
			    .wnd = 1000 };
	reason = world_fire(w, s);
	s->seq = 1;
	s->ack = w->last.seq + 1;
	s->flags = TERN_ACK;
	return reason;
}

/* ---- records ---- */

static void a_full_table_of_connections_refuses_opens_and_handshakes(void **state)
{
	struct world *w = small_world();
	tern_id ids[MANY], id;
	struct shot s;
	unsigned int n = 0;
	uint64_t before;

	(void)state;
	w->idle_server = true;
	while (n < MANY && open_stream(w, &ids[n]) == 0)
		n++;
	HOLDS(n == 9); /* beside two listeners and the bystander */
	HOLDS(open_stream(w, &id) == -ENOBUFS);
	HOLDS(counted(w, TERN_CNT_TernConnLimit) == 2);
	HOLDS(knock(w, 0, &s) == TERN_DROP_NONE);
	before = counted(w, TERN_CNT_TcpExtListenDrops);
	HOLDS(world_fire(w, &s) == TERN_DROP_NOMEM);
	HOLDS(counted(w, TERN_CNT_TcpExtListenDrops) == before + 1);
	HOLDS(counted(w, TERN_CNT_TernConnLimit) == 3 && info_of(w).halfopens == 1);
	HOLDS(tern_stack_close(w->victim, w->now, ids[0]) == 0);
	HOLDS(world_fire(w, &s) == TERN_DROP_NONE); /* there is room now */
	HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &id) == 0);
	world_chat(w, 1000);
	world_free(w);
}

static void a_full_table_of_listeners_refuses_listen(void **state)
{
	struct world *w = small_world();
	tern_id ids[3];

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		HOLDS(open_stream(w, &ids[i]) == 0);
		HOLDS(tern_stack_listen(w->victim, w->now, ids[i], 1) == (i < 2 ? 0 : -ENOBUFS));
	}
	HOLDS(counted(w, TERN_CNT_TernAllocFailures) == 1);
	HOLDS(tern_stack_close(w->victim, w->now, ids[0]) == 0);
	HOLDS(tern_stack_listen(w->victim, w->now, ids[2], 1) == 0);
	world_free(w);
}

static void a_full_table_of_half_open_connections_drops_syns(void **state)
{
	struct world *w = small_world();
	struct shot s, first;

	(void)state;
	HOLDS(knock(w, 0, &first) == TERN_DROP_NONE);
	HOLDS(knock(w, 1, &s) == TERN_DROP_NONE);
	HOLDS(knock(w, 2, &s) == TERN_DROP_NONE);
	HOLDS(knock(w, 3, &s) == TERN_DROP_TCP_HALFOPEN_LIMIT);
	HOLDS(counted(w, TERN_CNT_TernHalfOpenLimit) == 1 && w->out == 3);
	HOLDS(world_fire(w, &first) == TERN_DROP_NONE);
	HOLDS(knock(w, 3, &s) == TERN_DROP_NONE);
	world_free(w);
}

static void a_full_table_of_timewaits_skips_the_state(void **state)
{
	struct world *w = small_world();
	tern_id id;

	(void)state;
	w->idle_server = true;
	for (unsigned int i = 0; i < 4; i++) {
		struct shot s;

		HOLDS(knock(w, i, &s) == TERN_DROP_NONE);
		HOLDS(world_fire(w, &s) == TERN_DROP_NONE);
		HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &id) == 0);
		HOLDS(tern_stack_close(w->victim, w->now, id) == 0);
		world_settle(w);
		s.ack++;
		s.flags = TERN_FIN | TERN_ACK;
		HOLDS(world_fire(w, &s) == TERN_DROP_NONE);
		HOLDS(w->last.flags == TERN_ACK && w->last.ack == s.seq + 1);
	}
	HOLDS(info_of(w).timewaits == 2 && info_of(w).conns == 1);
	HOLDS(counted(w, TERN_CNT_TcpExtTCPTimeWaitOverflow) == 2);
	world_free(w);
}

static void a_full_table_of_datagram_sockets_refuses_opens(void **state)
{
	struct world *w = small_world();
	tern_id ids[3];
	uint64_t before = counted(w, TERN_CNT_TernAllocFailures);

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		HOLDS(tern_stack_open(w->victim, w->now, TERN_DGRAM, TERN_INET, &ids[i]) ==
		      (i < 2 ? 0 : -ENOBUFS));
	HOLDS(counted(w, TERN_CNT_TernAllocFailures) == before + 1);
	HOLDS(tern_stack_close(w->victim, w->now, ids[0]) == 0);
	HOLDS(tern_stack_open(w->victim, w->now, TERN_DGRAM, TERN_INET, &ids[0]) == 0);
	world_free(w);
}

static void no_free_port_refuses_connect_and_bind(void **state)
{
	struct world *w = small_world();
	struct tern_endpoint to = world_at(w, ATTACKER_HOST, 9);
	tern_id ids[5];

	(void)state;
	knob(w, "net.ipv4.ip_local_port_range", "40000 40003");
	for (unsigned int i = 0; i < 5; i++) {
		HOLDS(open_stream(w, &ids[i]) == 0);
		HOLDS(tern_stack_connect(w->victim, w->now, ids[i], &to) ==
		      (i < 4 ? 0 : -EADDRNOTAVAIL));
	}
	HOLDS(counted(w, TERN_CNT_TernEphemeralExhausted) == 1);
	HOLDS(tern_stack_listen(w->victim, w->now, ids[4], 1) == -EADDRINUSE);
	HOLDS(counted(w, TERN_CNT_TernEphemeralExhausted) == 2);
	HOLDS(tern_stack_abort(w->victim, w->now, ids[1]) == 0);
	HOLDS(tern_stack_connect(w->victim, w->now, ids[4], &to) == 0);
	world_free(w);
}

static void too_many_orphans_are_reset(void **state)
{
	struct world *w = small_world();
	struct shot s;
	tern_id id;

	(void)state;
	w->idle_server = true;
	knob(w, "net.ipv4.tcp_max_orphans", "0");
	knock(w, 0, &s);
	world_fire(w, &s);
	HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &id) == 0);
	HOLDS(tern_stack_close(w->victim, w->now, id) == 0);
	world_settle(w);
	HOLDS(w->out_rsts == 1 && info_of(w).orphans == 0 && info_of(w).conns == 1);
	HOLDS(counted(w, TERN_CNT_TcpExtTCPAbortOnMemory) == 1);
	knob(w, "net.ipv4.tcp_max_orphans", "100");
	world_free(w);
}

/* ---- buffers ---- */

/* Clients say as much as they may, nobody reads; then the server says as much as it may. */
static void buffers_end_at_tcp_mem_and_the_bystander_goes_on(void **state)
{
	static const uint8_t text[20000];
	struct tern_config cfg = hostile_config(TERN_INET, VICTIM_HOST, 1);
	struct world *w = world_new_cfg(TERN_INET, 1, &cfg);
	struct shot s[MANY];
	tern_id ids[MANY];
	bool refused = false;

	(void)state;
	w->idle_server = true;
	knob(w, "net.ipv4.tcp_mem", "64 96 128");
	for (unsigned int i = 0; i < MANY; i++) {
		HOLDS(knock(w, i, &s[i]) == TERN_DROP_NONE);
		HOLDS(world_fire(w, &s[i]) == TERN_DROP_NONE);
		HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &ids[i]) == 0);
	}
	for (unsigned int round = 0; round < 60; round++) {
		for (unsigned int i = 0; i < MANY; i++) {
			s[i].len = 1000;
			if (world_fire(w, &s[i]) == TERN_DROP_NONE &&
			    w->last.ack == s[i].seq + 1000)
				s[i].seq += 1000;
			HOLDS(info_of(w).tcp_buffer_bytes <= 128 * 4096);
		}
	}
	HOLDS(info_of(w).pressure && counted(w, TERN_CNT_TcpExtTCPMemoryPressures) > 0);
	for (unsigned int i = 0; i < MANY; i++) {
		int64_t n = tern_stack_send(w->victim, w->now, ids[i], text, sizeof(text), 0);

		HOLDS(n > 0 || n == -ENOBUFS || n == -EAGAIN);
		refused = refused || n == -ENOBUFS;
		HOLDS(info_of(w).tcp_buffer_bytes <= 128 * 4096);
	}
	HOLDS(refused);
	world_chat(w, 1000); /* it may have to wait, but not for ever */
	for (unsigned int i = 0; i < MANY; i++)
		HOLDS(tern_stack_abort(w->victim, w->now, ids[i]) == 0);
	world_chat(w, 1000);
	HOLDS(info_of(w).tcp_buffer_bytes < 20000);
	world_free(w);
}

/* ---- memory ---- */

/* A life of sockets; whatever fails, fails by name. */
static void live(struct world *w)
{
	struct tern_endpoint self = world_at(w, VICTIM_HOST, SERVER_PORT);
	struct tern_endpoint out = world_at(w, ATTACKER_HOST, 9);
	static const uint8_t text[30000];
	struct shot s;
	tern_id id = 0, udp = 0;
	int err;

	err = open_stream(w, &id);
	HOLDS(err == 0 || err == -ENOBUFS);
	err = tern_stack_connect(w->victim, w->now, id, &self);
	HOLDS(err == 0 || err == -ENOBUFS || (err == -EBADF && !id));
	world_settle(w);
	world_serve(w);
	tern_stack_send(w->victim, w->now, id, text, sizeof(text), 0);
	world_settle(w);
	world_serve(w);
	tern_stack_close(w->victim, w->now, id);
	err = tern_stack_open(w->victim, w->now, TERN_DGRAM, TERN_INET, &udp);
	HOLDS(err == 0 || err == -ENOBUFS);
	tern_stack_sendto(w->victim, w->now, udp, text, 5000, &out);
	tern_stack_close(w->victim, w->now, udp);
	if (knock(w, 0, &s) == TERN_DROP_NONE && w->last.flags == (TERN_SYN | TERN_ACK)) {
		s.len = 100;
		world_fire(w, &s);
		s.seq += 500;
		world_fire(w, &s); /* early */
		world_serve(w);
	}
	world_chat(w, 3000);
	world_pass(w, HOSTILE_S);
	world_serve(w);
}

static void fail_nth(uint64_t nth)
{
	struct world *w = world_new(TERN_INET, 1);
	uint64_t fails;

	w->victim->mem.fail_in = nth;
	fails = w->victim->mem.fails;
	live(w);
	HOLDS(w->victim->mem.fail_in || w->victim->mem.fails > fails);
	w->victim->mem.fail_in = 0;
	world_free(w);
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	hostile_run(__func__, 60, fail_nth);
}

/* A stack that may not have more memory than it begins with. */
static void a_stack_without_memory_refuses_and_lives(void **state)
{
	struct tern_config cfg = hostile_config(TERN_INET, VICTIM_HOST, 1);
	struct world *w = world_new_cfg(TERN_INET, 1, &cfg);
	struct tern_mem *mem = &w->victim->mem;

	(void)state;
	w->victim->cfg.memory_max = mem->used;
	mem->limit = mem->used;
	for (unsigned int i = 0; i < 5; i++)
		live(w);
	HOLDS(mem->fails > 0);
	w->victim->cfg.memory_max = mem->limit = 32 << 20;
	live(w);
	world_free(w);
}

static void a_stack_is_made_whole_or_not_at_all(void **state)
{
	struct tern_config cfg = small();
	struct tern_stack *st = NULL;
	unsigned int refused = 0;
	int err = -ENOMEM;

	(void)state;
	for (cfg.memory_max = 1; err; cfg.memory_max += 1 + cfg.memory_max / 50) {
		err = tern_stack_new(&cfg, 1, &st);
		HOLDS(err == 0 || (err == -ENOMEM && !st));
		refused += err != 0;
	}
	HOLDS(refused > 100);
	tern_stack_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_table_of_connections_refuses_opens_and_handshakes),
		cmocka_unit_test(a_full_table_of_listeners_refuses_listen),
		cmocka_unit_test(a_full_table_of_half_open_connections_drops_syns),
		cmocka_unit_test(a_full_table_of_timewaits_skips_the_state),
		cmocka_unit_test(a_full_table_of_datagram_sockets_refuses_opens),
		cmocka_unit_test(no_free_port_refuses_connect_and_bind),
		cmocka_unit_test(too_many_orphans_are_reset),
		cmocka_unit_test(buffers_end_at_tcp_mem_and_the_bystander_goes_on),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(a_stack_without_memory_refuses_and_lives),
		cmocka_unit_test(a_stack_is_made_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
