/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A connection's record is taken from a pool, named by its index, and found by its flow in a keyed
 * map. It may stand on three lists: the output list (it may have something to send), the event list
 * (the application has news to hear), a listener's accept queue. Freeing it takes it off all of
 * them.
 *
 * The traffic record comes with the first byte, SYN or FIN that is queued or in flight, and goes
 * when nothing is queued, in flight or owed any more: an idle connection is one record and one map
 * slot. One spare traffic record is kept: connections come to rest as often as they are woken.
 */
#include "tcp/conn.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "tcp/marks.h"
#include "tcp/reass.h"
#include "tcp/tcp.h"
#include "tcp/timers.h"
#include "tcp/window.h"

#define PAGE        4096       /* tcp_mem counts pages */
#define BURSTS_EACH 16         /* records of what is in flight: for each connection … */
#define BURSTS_MAX  (1u << 20) /* … and in all, beside those of one */
#define EVENT_LINK  offsetof(struct tern_conn, event)

static int reserve(struct tern_tcp *t, uint32_t conns_max, uint64_t buffers_max, size_t addrs_len)
{
	uint32_t bursts_max =
		TERN_MIN(conns_max, BURSTS_MAX / BURSTS_EACH) * BURSTS_EACH + TERN_BURSTS_MAX;
	int err = tern_pool_init_gen(&t->conns, t->mem, sizeof(struct tern_conn) + addrs_len,
				     conns_max);

	if (!err)
		err = tern_pool_init(&t->traffics, t->mem, sizeof(struct tern_traffic), conns_max);
	if (!err)
		err = tern_pool_init(&t->reass, t->mem, sizeof(struct tern_reass), conns_max);
	if (!err)
		err = tern_pool_init_bare(&t->bursts, t->mem, sizeof(struct tern_burst),
					  bursts_max);
	if (!err)
		err = tern_map_init(&t->map, t->mem, conns_max);
	if (!err)
		err = tern_bufs_init(&t->bufs, t->mem, buffers_max);
	if (!err)
		err = tern_replies_init(&t->replies, t->mem, t->trace, t->knobs, &t->now);
	if (!err)
		err = tern_fastopen_init(t, conns_max);
	return err;
}

int tern_tcp_init(struct tern_tcp *t, uint32_t conns_max, uint64_t buffers_max, size_t addrs_len,
		  uint64_t now)
{
	int err = reserve(t, conns_max, buffers_max, addrs_len);

	if (err) {
		tern_tcp_free(t);
		return err;
	}
	t->map_key[0] = tern_rng_u64(t->rng);
	t->map_key[1] = tern_rng_u64(t->rng);
	tern_isn_init(&t->isn, t->rng);
	tern_wheel_init(&t->wheel, &t->conns, offsetof(struct tern_conn, timer), now);
	t->bufs.trace = t->trace;
	tern_tcp_set_memory(t);
	tern_tcp_set_now(t, now);
	return 0;
}

void tern_tcp_set_memory(struct tern_tcp *t)
{
	t->bufs.low = (uint64_t)t->knobs->tcp_mem_low * PAGE;
	t->bufs.pressure = (uint64_t)t->knobs->tcp_mem_pressure * PAGE;
	t->bufs.limit = (uint64_t)t->knobs->tcp_mem_high * PAGE;
}

void tern_tcp_free(struct tern_tcp *t)
{
	tern_fastopen_free(t);
	tern_replies_free(&t->replies);
	tern_bufs_free(&t->bufs);
	tern_map_free(&t->map);
	t->spare_traffic = 0;
	tern_pool_free(&t->bursts);
	tern_pool_free(&t->reass);
	tern_pool_free(&t->traffics);
	tern_pool_free(&t->conns);
}

uint32_t tern_conn_new(struct tern_tcp *t, enum tern_state born)
{
	uint32_t idx = tern_pool_get(&t->conns);
	struct tern_conn *c;

	if (!idx) {
		tern_count(t->trace, t->conns.used >= t->conns.max ? TERN_CNT_TernConnLimit
								   : TERN_CNT_TernAllocFailures);
		return 0;
	}
	c = tern_conn_at(t, idx);
	c->state = (uint8_t)born;
	c->state_ms = t->now_ms;
	c->totals.congestion = (uint8_t)t->knobs->tcp_congestion_control;
	c->snd_buf = t->knobs->tcp_wmem_default;
	c->rcv.buf = t->knobs->tcp_rmem_default;
	c->pmtu = (uint16_t)t->mtu;
	return idx;
}

/* No loss, nothing to undo: state and flags. The numbers before them hold while these say so. */
static inline void forget_repair(struct tern_repairs *r)
{
	memset(&r->state, 0, sizeof(*r) - offsetof(struct tern_repairs, state));
}

TERN_NOINLINE static void drop_queues(struct tern_tcp *t, struct tern_traffic *x)
{
	x->wmem -= tern_chain_clear(&t->bufs, &x->send.chain);
	x->rmem -= tern_chain_clear(&t->bufs, &x->recv.chain);
	if (x->recv.reass)
		tern_reass_clear(t, x);
	assert(!x->rmem && !x->wmem);
}

static inline void put_traffic(struct tern_tcp *t, struct tern_conn *c)
{
	if (t->spare_traffic)
		tern_pool_put(&t->traffics, c->traffic);
	else
		t->spare_traffic = c->traffic;
	c->traffic = 0;
}

/* The traffic record goes, with everything that was to be sent or read. */
static void free_traffic(struct tern_tcp *t, struct tern_conn *c)
{
	struct tern_traffic *x = tern_conn_traffic(t, c);

	if (x->wmem | x->rmem | x->recv.reass)
		drop_queues(t, x);
	tern_flight_drop(t, &x->flight);
	put_traffic(t, c);
}

TERN_OUTLINE void tern_conn_drop_news(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	tern_list_remove(&t->events, &t->conns, EVENT_LINK, idx);
	c->flags &= ~(uint32_t)TERN_CF_EVENT;
	c->events = 0;
}

/* All that a record holds, but for its place and the output list. */
static inline void release(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	if (c->timer.next)
		tern_wheel_stop(&t->wheel, &c->timer);
	if (c->traffic)
		free_traffic(t, c);
	if (TERN_UNLIKELY(c->flags & TERN_CF_EVENT))
		tern_conn_drop_news(t, idx, c);
	if (c->flags & TERN_CF_ORPHAN)
		t->orphans--;
}

/* Nothing is left of it but the flow and the numbers of the reset that it owes. */
TERN_COLD static void keep_for_reset(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	release(t, idx, c);
	c->flags &= TERN_CF_RST_OWED | TERN_CF_OUT;
	tern_conn_want_output(t, idx, c);
}

void tern_conn_free_at(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	assert(!(c->flags & TERN_CF_IN_ACCEPTQ));
	tern_conn_unhash(t, idx, c);
	if (TERN_UNLIKELY(c->flags & TERN_CF_RST_OWED)) {
		keep_for_reset(t, idx, c);
		return;
	}
	tern_conn_leave_output(t, c);
	release(t, idx, c);
	tern_pool_put(&t->conns, idx);
}

TERN_NOINLINE void tern_tcp_flow_anew(struct tern_tcp *t, uint8_t family, uint16_t lport,
				      uint16_t rport, const uint8_t *addrs)
{
	tern_flow_unpack(family, lport, rport, addrs, &t->last_flow);
	t->last_hash = tern_flow_hash(t->map_key, &t->last_flow);
}

int tern_conn_hash(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		   const struct tern_flow *flow)
{
	int err = tern_map_insert(&t->map, tern_tcp_hash(t, flow), idx);

	if (err) {
		tern_count(t->trace, TERN_CNT_TernConnLimit);
		return err;
	}
	c->family = flow->local.family;
	c->lport = flow->lport;
	c->rport = flow->rport;
	tern_flow_pack(flow, c->addrs);
	c->flags |= TERN_CF_HASHED;
	tern_ports_claim(t->ports, flow, tern_conn_reuse(c));
	return 0;
}

const struct tern_flow *tern_conn_hand_over(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	const struct tern_flow *flow = tern_tcp_flow(t, c->family, c->lport, c->rport, c->addrs);

	assert(c->flags & TERN_CF_HASHED);
	tern_map_remove(&t->map, t->last_hash, idx);
	if (t->last_conn == idx)
		t->last_conn = 0;
	c->flags &= ~(uint32_t)TERN_CF_HASHED;
	return flow;
}

void tern_conn_unhash(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	if (c->flags & TERN_CF_HASHED)
		tern_ports_release(t->ports, tern_conn_hand_over(t, idx, c));
}

/* Nothing is queued, in flight or owed. Part by part: the whole at once would be a loop. */
static inline void clear_traffic(struct tern_traffic *x, const struct tern_conn *c)
{
	x->send = (struct tern_send_queue){ .push = c->snd.una };
	tern_flight_init(&x->flight);
	x->repair.high = c->snd.una;
	x->repair.usage_end = c->snd.una;
	x->repair.rack = (struct tern_rack){ .rtt_us = 0 };
	forget_repair(&x->repair);
	x->recv = (struct tern_recv_queue){ .read = c->rcv.nxt };
	x->rexmt_ns = TERN_NEVER;
	x->delack_ns = TERN_NEVER;
	memset(&x->credit, 0,
	       offsetof(struct tern_traffic, end) - offsetof(struct tern_traffic, credit));
}

TERN_NOINLINE static uint32_t new_traffic(struct tern_tcp *t)
{
	uint32_t idx = tern_pool_get(&t->traffics);

	if (!idx)
		tern_count(t->trace, TERN_CNT_TernAllocFailures);
	return idx;
}

struct tern_traffic *tern_conn_need_traffic(struct tern_tcp *t, struct tern_conn *c)
{
	struct tern_traffic *x;

	if (c->traffic)
		return tern_conn_traffic(t, c);
	c->traffic = t->spare_traffic ? t->spare_traffic : new_traffic(t);
	t->spare_traffic = 0;
	x = tern_conn_traffic(t, c);
	if (!x)
		return NULL;
	clear_traffic(x, c);
	/* All that was urgent has been acknowledged, or the record would be there still. */
	c->marks &= (uint8_t)~TERN_MARK_URGENT;
	return x;
}

void tern_conn_rest_traffic(struct tern_tcp *t, struct tern_conn *c)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);

	if (x->send.bytes | x->recv.bytes | x->recv.reass | x->recv.oob | x->repair.state |
		    x->dup_acks ||
	    x->repair.undo || x->repair.probing || x->credit.less ||
	    (x->rexmt_ns & x->delack_ns) != TERN_NEVER)
		return;
	assert(!x->rmem && !x->wmem);
	put_traffic(t, c);
}

void tern_conn_notify(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, unsigned int bits)
{
	if (!(c->flags & TERN_CF_OWNED))
		return;
	c->events |= (uint8_t)bits;
	if (c->flags & TERN_CF_EVENT)
		return;
	c->flags |= TERN_CF_EVENT;
	tern_list_append(&t->events, &t->conns, EVENT_LINK, idx, &c->event);
}

uint32_t tern_conn_next_event(struct tern_tcp *t, unsigned int *ret_bits)
{
	uint32_t idx = t->events.head;
	struct tern_conn *c;

	if (!idx)
		return 0;
	c = tern_conn_at(t, idx);
	tern_list_unlink(&t->events, &t->conns, EVENT_LINK, &c->event);
	c->flags &= ~(uint32_t)TERN_CF_EVENT;
	*ret_bits = c->events;
	c->events = 0;
	return idx;
}

void tern_conn_drop_unsent(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_traffic *x = tern_conn_traffic(t, c);

	if (!(c->flags & TERN_CF_RST_OWED))
		tern_conn_leave_output(t, c);
	c->flags &= ~(uint32_t)(TERN_CF_ACK_NOW | TERN_CF_PROBE | TERN_CF_FIN_QUEUED);
	if (c->timer.next)
		tern_wheel_stop(&t->wheel, &c->timer);
	c->snd.una = c->snd.nxt;
	c->marks &= (uint8_t)~TERN_MARK_URGENT;
	if (!x)
		return;
	if (TERN_UNLIKELY(x->send.busy))
		tern_busy_set(t, c, &x->send, TERN_BUSY_NOT);
	tern_chain_clear(&t->bufs, &x->send.chain);
	x->wmem = 0;
	x->send = (struct tern_send_queue){ .bytes = 0 };
	tern_flight_clear(t, &x->flight);
	forget_repair(&x->repair);
	tern_reass_clear(t, x);
	x->rexmt_ns = TERN_NEVER;
	x->delack_ns = TERN_NEVER;
	x->dup_acks = 0;
	tern_conn_rest(t, c);
}

void tern_conn_drop_unread(struct tern_tcp *t, struct tern_conn *c)
{
	struct tern_traffic *x = tern_conn_traffic(t, c);

	if (!x)
		return;
	x->rmem -= tern_chain_clear(&t->bufs, &x->recv.chain);
	tern_window_released(x, x->recv.bytes);
	x->recv.bytes = 0;
	x->recv.read = c->rcv.nxt;
	tern_urgent_forget(c, x);
	tern_conn_rest(t, c);
}

TERN_OUTLINE static uint32_t smallest_mss(const struct tern_conn *c)
{
	uint32_t header = (c->family == TERN_INET ? 20 : 40) + 20;
	uint32_t mss = c->pmtu > header + 8 ? c->pmtu - header : 8;

	/* RFC9293:MUST-16 */
	if (c->peer_mss && c->peer_mss < mss)
		mss = c->peer_mss;
	if (c->max_seg && c->max_seg < mss)
		mss = c->max_seg;
	return mss;
}

uint32_t tern_conn_mss(const struct tern_conn *c)
{
	uint32_t header = 20 + 20;

	/* Most often the path alone sets it. */
	if (TERN_LIKELY(c->family == TERN_INET && c->pmtu >= header + 8 && !c->max_seg &&
			c->peer_mss >= c->pmtu - header))
		return c->pmtu - header;
	return smallest_mss(c);
}
