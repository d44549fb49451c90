/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Snapshots: rows and totals, read without changing anything, so that looking never stops the
 * stack. The cursor of tern_stack_next_socket is the table in its top byte and the last index
 * visited below; a record that appears or goes between two calls may be missed, one that stays is
 * seen once.
 */
#include <errno.h>

#include "stack/internal.h"
#include "tern/version.h"

enum table {
	TABLE_CONNS,
	TABLE_HALVES,
	TABLE_TIMEWAITS,
	TABLE_UDPS,
	TABLES,
};

void tern_stack_info(const struct tern_stack *st, uint64_t now, struct tern_stack_info *ret_info)
{
	const struct tern_tcp *t = &st->tcp;

	*ret_info = (struct tern_stack_info){
		.version = TERN_VERSION,
		.now_ns = now,
		.conns = t->conns.used - st->syn.listeners.used,
		.orphans = t->orphans,
		.halfopens = st->syn.halves.used,
		.timewaits = st->tw.pool.used,
		.listeners = st->syn.listeners.used,
		.udps = tern_udp_count(st->udp),
		.accept_queued = st->syn.accept_queued,
		.conns_max = t->conns.max,
		.halfopens_max = st->syn.halves.max,
		.timewaits_max = st->tw.pool.max,
		.tcp_buffer_bytes = t->bufs.used,
		.tcp_buffer_limit = t->bufs.limit,
		.udp_buffer_bytes = tern_udp_bytes(st->udp),
		.memory_bytes = st->mem.used,
		.memory_peak_bytes = st->mem.peak,
		.pressure = tern_bufs_pressure(&t->bufs),
	};
}

static void describe_conn(const struct tern_stack *st, uint64_t now, uint32_t idx,
			  struct tern_socket_info *row)
{
	const struct tern_conn *c = tern_conn_at(&st->tcp, idx);

	*row = (struct tern_socket_info){ .proto = TERN_PROTO_TCP };
	tern_tcp_describe(&st->tcp, now, idx, row);
	if (c->state == TERN_LISTEN)
		tern_listener_describe(&st->syn, c->listener, row);
	if (c->state == TERN_LISTEN && row->local.addr.family == TERN_INET6 &&
	    !(c->flags & TERN_CF_V6ONLY) && tern_addr_is_any(&row->local.addr))
		row->local.addr = row->remote.addr = (struct tern_addr){ 0 }; /* both families: * */
	if (c->flags & TERN_CF_OWNED)
		row->id = tern_id_make(TERN_ID_CONN, c->gen, idx);
	row->cookie = (uint64_t)(TABLE_CONNS + 1) << 56 | (uint64_t)c->gen << 32 | idx;
}

int tern_stack_socket(const struct tern_stack *st, uint64_t now, tern_id id,
		      struct tern_socket_info *ret_row)
{
	uint32_t idx;

	if (tern_id_kind(id) == TERN_ID_UDP)
		return tern_udp_describe(st, id, ret_row);
	idx = tern_call_conn(st, id);
	if (!idx)
		return -EBADF;
	describe_conn(st, now, idx, ret_row);
	return 0;
}

/* The pool behind a table. */
static const struct tern_pool *table_pool(const struct tern_stack *st, enum table table)
{
	switch (table) {
	case TABLE_HALVES:
		return &st->syn.halves;
	case TABLE_TIMEWAITS:
		return &st->tw.pool;
	default:
		return &st->tcp.conns;
	}
}

static void describe(const struct tern_stack *st, uint64_t now, enum table table, uint32_t idx,
		     struct tern_socket_info *row)
{
	if (table == TABLE_CONNS) {
		describe_conn(st, now, idx, row);
		return;
	}
	*row = (struct tern_socket_info){ .proto = TERN_PROTO_TCP };
	if (table == TABLE_HALVES)
		tern_half_describe(&st->syn, idx, row);
	else
		tern_timewait_describe(&st->tw, idx, row);
	row->id = 0;
	row->cookie = (uint64_t)(table + 1) << 56 | idx;
}

/* Is it a socket? Not if nobody holds it and it only waits for its reset to leave. */
static bool is_shown(const struct tern_stack *st, enum table table, uint32_t idx)
{
	const struct tern_conn *c;

	if (table != TABLE_CONNS)
		return true;
	c = tern_conn_at(&st->tcp, idx);
	return !(c->flags & TERN_CF_RST_OWED) || (c->flags & (TERN_CF_OWNED | TERN_CF_IN_ACCEPTQ));
}

bool tern_stack_next_socket(const struct tern_stack *st, uint64_t now, uint64_t *cursor,
			    struct tern_socket_info *ret_row)
{
	enum table table = (enum table)(*cursor >> 56);
	uint32_t idx = (uint32_t)*cursor;

	for (; table < TABLE_UDPS; table++, idx = 0) {
		do
			idx = tern_pool_next(table_pool(st, table), idx);
		while (idx && !is_shown(st, table, idx));
		if (!idx)
			continue;
		describe(st, now, table, idx, ret_row);
		*cursor = (uint64_t)table << 56 | idx;
		return true;
	}
	if (!tern_udp_next_row(st, &idx, ret_row))
		return false;
	*cursor = (uint64_t)TABLE_UDPS << 56 | idx;
	return true;
}

/* Packets without ECN are all but those with: nearly all packets are, and count once less so. */
static uint64_t without_ecn(const uint64_t *n, unsigned int counter)
{
	if (counter == TERN_CNT_IpExtInNoECTPkts)
		return n[TERN_CNT_IpInReceives] - n[TERN_CNT_IpInHdrErrors] -
		       n[TERN_CNT_IpExtInECT1Pkts] - n[TERN_CNT_IpExtInECT0Pkts] -
		       n[TERN_CNT_IpExtInCEPkts];
	return n[TERN_CNT_Ip6InReceives] - n[TERN_CNT_Ip6InHdrErrors] - n[TERN_CNT_Ip6InECT1Pkts] -
	       n[TERN_CNT_Ip6InECT0Pkts] - n[TERN_CNT_Ip6InCEPkts];
}

uint64_t tern_stack_counter(const struct tern_stack *st, unsigned int counter)
{
	if (counter == TERN_CNT_IpExtInNoECTPkts || counter == TERN_CNT_Ip6InNoECTPkts)
		return without_ecn(st->trace.counters, counter);
	return counter < TERN_COUNTERS ? st->trace.counters[counter] : 0;
}

uint64_t tern_stack_drops(const struct tern_stack *st, unsigned int reason)
{
	return reason < TERN_DROPS ? st->trace.drops[reason] : 0;
}

bool tern_stack_trace(const struct tern_stack *st, uint64_t *cursor,
		      struct tern_trace_record *ret_record)
{
	return tern_trace_read(&st->trace, cursor, ret_record);
}

int tern_stack_knob(struct tern_stack *st, uint64_t now, const char *name, const char *value)
{
	int err = tern_knob_set(&st->knobs, name, value);

	tern_tcp_set_now(&st->tcp, now);
	tern_tcp_set_memory(&st->tcp);
	return err;
}

int tern_stack_get_knob(const struct tern_stack *st, const char *name, char *text, size_t cap)
{
	return tern_knob_get(&st->knobs, name, text, cap);
}
