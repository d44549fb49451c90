/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The stack puts the rooms together: it owns memory, knobs, counters, keys and the clock of an
 * entry, and carries records from one room to the next. This file makes and frees it, and holds the
 * verbs that need no packet: tick, deadline, event. input.c and output.c hold the other two.
 *
 * Every entry sets tcp.now once, by tern_tcp_set_now; nobody inside asks a clock. Everything random
 * comes from one generator, seeded by the configuration: the same entries give the same frames.
 */
#include <errno.h>

#include "stack/internal.h"

static int make_rooms(struct tern_stack *st, uint64_t now)
{
	const struct tern_config *cfg = &st->cfg;
	size_t addrs_len = st->ipv6 ? 32 : 8;
	uint64_t buffers = (uint64_t)st->knobs.tcp_mem_high * 4096;
	int err;

	if (cfg->memory_max && cfg->memory_max < buffers)
		buffers = cfg->memory_max;

	st->ports = tern_ports_new(&st->mem);
	st->frags = tern_frags_new(&st->mem, cfg->frags_max, now);
	st->queue = tern_queue_new(&st->mem);
	st->paths = tern_paths_new(&st->mem);
	st->udp = tern_udp_new(st, cfg->udps_max);
	if (!st->ports || !st->frags || !st->queue || !st->paths || !st->udp)
		return -ENOMEM;
	st->tcp = (struct tern_tcp){ .mem = &st->mem,
				     .trace = &st->trace,
				     .knobs = &st->knobs,
				     .rng = &st->rng,
				     .ports = st->ports,
				     .mtu = cfg->mtu,
				     .gso_max = cfg->gso_max };
	err = tern_tcp_init(&st->tcp, cfg->conns_max, buffers, addrs_len, now);
	if (!err)
		err = tern_syn_init(&st->syn, &st->tcp, cfg->listeners_max, cfg->halfopens_max,
				    addrs_len, now);
	if (!err)
		err = tern_timewait_init(&st->tw, &st->tcp, st->ports, cfg->timewaits_max,
					 addrs_len, now);
	if (!err)
		err = tern_trace_init(&st->trace, &st->mem, cfg->trace_max);
	return err;
}

/* The account cannot pay for the stack before the stack is there: it pays from a temporary one. */
int tern_stack_new(const struct tern_config *cfg, uint64_t now, struct tern_stack **ret_st)
{
	struct tern_mem mem = { .limit = cfg->memory_max };
	struct tern_stack *st;
	int err;

	st = tern_mem_alloc(&mem, sizeof(*st));
	if (!st)
		return -ENOMEM;
	st->mem = mem;
	err = tern_config_complete(cfg, &st->cfg);
	if (!err) {
		tern_knobs_init(&st->knobs);
		tern_rng_init(&st->rng, st->cfg.seed);
		tern_rng_bytes(&st->rng, st->port_key, sizeof(st->port_key));
		tern_rng_bytes(&st->rng, st->icmp_key, sizeof(st->icmp_key));
		tern_route_init(st);
		err = make_rooms(st, now);
	}
	if (err) {
		tern_stack_free(st);
		return err;
	}
	*ret_st = st;
	return 0;
}

void tern_stack_free(struct tern_stack *st)
{
	struct tern_mem mem;

	if (!st)
		return;
	if (st->loop)
		tern_mem_free(&st->mem, st->loop, TERN_LOOP_SIZE);
	tern_trace_free(&st->trace, &st->mem);
	tern_timewait_free(&st->tw);
	tern_syn_free(&st->syn);
	tern_tcp_free(&st->tcp);
	tern_udp_free(st->udp);
	tern_paths_free(&st->mem, st->paths);
	tern_queue_free(st->queue);
	tern_frags_free(st->frags);
	tern_ports_free(st->ports);
	mem = st->mem;
	tern_mem_free(&mem, st, sizeof(*st));
}

void tern_stack_tick(struct tern_stack *st, uint64_t now)
{
	tern_tcp_set_now(&st->tcp, now);
	tern_tcp_tick(&st->tcp);
	tern_syn_tick(&st->syn);
	tern_timewait_tick(&st->tw);
	tern_frags_tick(st);
}

uint64_t tern_stack_deadline(const struct tern_stack *st)
{
	uint64_t due = tern_wheel_deadline(&st->tcp.wheel);

	if (st->loop_more)
		return st->tcp.now;
	due = TERN_MIN(due, tern_syn_deadline(&st->syn));
	due = TERN_MIN(due, tern_timewait_deadline(&st->tw));
	return TERN_MIN(due, tern_frags_deadline(st->frags));
}

bool tern_stack_event(struct tern_stack *st, struct tern_event *ev)
{
	const struct tern_conn *c;
	unsigned int bits;
	uint32_t idx = tern_conn_next_event(&st->tcp, &bits);

	if (!idx)
		return tern_udp_event(st, ev);
	c = tern_conn_at(&st->tcp, idx);
	*ev = (struct tern_event){ .id = tern_id_make(TERN_ID_CONN, c->gen, idx),
				   .user = c->user,
				   .bits = bits };
	return true;
}

void tern_stack_set_realtime(struct tern_stack *st, uint64_t now, uint64_t realtime_ns)
{
	tern_tcp_set_now(&st->tcp, now);
	st->realtime_offset_ns = realtime_ns - now;
}

void tern_stack_move(struct tern_stack *st, uint32_t conn, struct tern_conn *c, enum tern_move move,
		     bool ack)
{
	enum tern_state state = move == TERN_MOVE_TIME_WAIT ? TERN_TIME_WAIT : TERN_FIN_WAIT_2;

	if (move == TERN_MOVE_NONE)
		return;
	tern_timewait_add(&st->tw, conn, c, state, ack);
	tern_tcp_retire(&st->tcp, conn, c);
}
