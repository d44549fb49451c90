/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixture.h: the parts of a stack that routes, ports, fragments, ICMP and datagrams need, put
 * together by hand, so that tests can look inside and set the clock.
 */
#ifndef TERN_TESTS_UNIT_STACK_FIXTURE_H
#define TERN_TESTS_UNIT_STACK_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "stack/internal.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

/* Reads an address; the test ends if it is none. */
TERN_INLINE struct tern_addr addr(const char *text)
{
	struct tern_addr a;

	assert_int_equal(tern_addr_parse(text, &a), 0);
	return a;
}

TERN_INLINE struct tern_endpoint endpoint(const char *text, uint16_t port)
{
	return (struct tern_endpoint){ .addr = addr(text), .port = port };
}

TERN_INLINE struct tern_flow flow(const char *local, uint16_t lport, const char *remote,
				  uint16_t rport)
{
	return (struct tern_flow){ .local = addr(local),
				   .remote = addr(remote),
				   .lport = lport,
				   .rport = rport };
}

/* 10.77.0.2/24, 192.0.2.5/30, fe80::2/64 and 2001:db8::2/64. */
TERN_INLINE struct tern_config usual_config(void)
{
	return (struct tern_config){
		.addrs = { { addr("10.77.0.2"), 24 },
			   { addr("192.0.2.5"), 30 },
			   { addr("fe80::2"), 64 },
			   { addr("2001:db8::2"), 64 } },
		.addr_count = 4,
		.seed = { 1, 2, 3 },
	};
}

TERN_INLINE void close_stack(struct tern_stack *st)
{
	tern_udp_free(st->udp);
	tern_frags_free(st->frags);
	tern_queue_free(st->queue);
	tern_paths_free(&st->mem, st->paths);
	tern_timewait_free(&st->tw);
	tern_syn_free(&st->syn);
	tern_tcp_free(&st->tcp);
	tern_ports_free(st->ports);
	assert_int_equal(st->mem.used, 0);
	free(st);
}

TERN_INLINE struct tern_stack *open_stack(const struct tern_config *cfg)
{
	struct tern_stack *st = calloc(1, sizeof(*st));
	uint64_t now = 1000 * S;

	assert_non_null(st);
	assert_int_equal(tern_config_complete(cfg, &st->cfg), 0);
	tern_knobs_init(&st->knobs);
	tern_route_init(st);
	tern_rng_init(&st->rng, st->cfg.seed);
	for (unsigned int i = 0; i < 2; i++) {
		st->port_key[i] = tern_rng_u64(&st->rng);
		st->icmp_key[i] = tern_rng_u64(&st->rng);
	}
	st->ports = tern_ports_new(&st->mem);
	st->tcp = (struct tern_tcp){ .mem = &st->mem,
				     .trace = &st->trace,
				     .knobs = &st->knobs,
				     .rng = &st->rng,
				     .ports = st->ports,
				     .mtu = st->cfg.mtu };
	assert_int_equal(
		tern_tcp_init(&st->tcp, st->cfg.conns_max, 1 << 24, TERN_FLOW_ADDRS_MAX, now), 0);
	assert_int_equal(tern_syn_init(&st->syn, &st->tcp, st->cfg.listeners_max,
				       st->cfg.halfopens_max, TERN_FLOW_ADDRS_MAX, now),
			 0);
	assert_int_equal(tern_timewait_init(&st->tw, &st->tcp, st->ports, st->cfg.timewaits_max,
					    TERN_FLOW_ADDRS_MAX, now),
			 0);
	st->udp = tern_udp_new(st, st->cfg.udps_max);
	st->frags = tern_frags_new(&st->mem, st->cfg.frags_max, now);
	st->queue = tern_queue_new(&st->mem);
	st->paths = tern_paths_new(&st->mem);
	assert_true(st->ports && st->udp && st->frags && st->queue && st->paths);
	return st;
}

TERN_INLINE struct tern_stack *usual_stack(void)
{
	struct tern_config cfg = usual_config();

	return open_stack(&cfg);
}

/* A connection of the flow; returns its record. */
TERN_INLINE uint32_t add_conn(struct tern_stack *st, const struct tern_flow *f)
{
	uint32_t idx = tern_conn_new(&st->tcp, TERN_ESTABLISHED);

	assert_true(idx);
	assert_int_equal(tern_conn_hash(&st->tcp, idx, tern_conn_at(&st->tcp, idx), f), 0);
	return idx;
}

/* A TIME-WAIT record of the flow. */
TERN_INLINE uint32_t add_timewait(struct tern_stack *st, const struct tern_flow *f)
{
	uint32_t idx = add_conn(st, f), tw;
	struct tern_conn *c = tern_conn_at(&st->tcp, idx);

	c->options = TERN_OPT_TS;
	tw = tern_timewait_add(&st->tw, idx, c, TERN_TIME_WAIT, false);
	assert_true(tw);
	tern_conn_free(&st->tcp, idx);
	return tw;
}

#endif
