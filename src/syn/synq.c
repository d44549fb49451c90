/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A half-open record stands in the keyed map of flows, on its listener's SYN queue (oldest first)
 * and in a queue of those that wait as long as it does. Its one timer sends the SYN-ACK again after
 * 1, 2, 4, … s, tcp_rto_max_ms (120 s) at most. After tcp_synack_retries times (TCP_SYNCNT of the
 * socket, if set) the next expiry ends it: 63 s with the standard 5. Only the timer prolongs its
 * life: a peer that repeats its SYN gets the SYN-ACK again, but no new deadline, so that periodic
 * SYNs cannot hold a place in the queue.
 *
 * As in Linux, a queue that is more than half full gives up on old records sooner: each halving of
 * the share of young ones (whose timer has not yet run out) costs the old ones a retransmission,
 * down to two. A queue full of sources that never answer empties within seconds, not a minute.
 *
 * A record whose ACK came while the accept queue was full (TERN_HALF_ACKED) is no different: its
 * SYN-ACK goes out again, and the peer's answer, or its data, completes the handshake when there is
 * room.
 *
 * There are eight lengths to wait, so timers need no wheel: who waits equally long is due in the
 * order in which the waits began. Times are ticks of the wheel's length (timer/wheel.h), rounded as
 * there. The tick before which nothing is due is kept, so that looking in vain is a comparison.
 */
#include <assert.h>

#include "syn/internal.h"

#define NS_PER_S        UINT64_C(1000000000)
#define NS_PER_MS       UINT64_C(1000000)
#define DOUBLINGS       7 /* of one second; 128 s is more than the limit of 120 */
#define TIMEOUT_MAX_S   120u
#define LEAST_RETRIES   2
#define UNHURRIED_QUEUE 8 /* records; a shorter queue is never hurried */

static_assert(DOUBLINGS + 1 == TERN_HALF_WAITS, "a queue for each length");

/* Time to the next expiry, by the retransmissions there were. tcp_rto_max_ms is 1 s at least. */
static inline uint64_t timeout_ns(const struct tern_syn *s, unsigned int retries)
{
	uint64_t ns = NS_PER_S;

	if (TERN_UNLIKELY(retries)) {
		ns = TERN_MIN(1u << TERN_MIN(retries, DOUBLINGS), TIMEOUT_MAX_S) * NS_PER_S;
		ns = TERN_MIN(ns, s->tcp->knobs->tcp_rto_max_ms * NS_PER_MS);
	}
	return ns;
}

static struct tern_half_queue *queue_of(struct tern_syn *s, const struct tern_half *h)
{
	return &s->waits[TERN_MIN(h->retries, DOUBLINGS)];
}

/* The 64-bit tick of the next expiry. */
static uint64_t due_tick(const struct tern_syn *s, const struct tern_half *h)
{
	return s->tick + (h->due - (uint32_t)s->tick);
}

/* Begins to wait for the next expiry. */
static void wait(struct tern_syn *s, uint32_t half, struct tern_half *h)
{
	struct tern_half_queue *q = queue_of(s, h);
	uint64_t end_ns = s->tcp->now + timeout_ns(s, h->retries);
	uint64_t tick = (end_ns + TERN_TICK_NS - 1) >> TERN_TICK_SHIFT;
	uint64_t least = q->list.tail ? q->last : s->tick;

	/* Time that goes back stands still: nobody overtakes. */
	tick = TERN_MIN(TERN_MAX(tick, least), s->tick + TERN_WHEEL_HORIZON);
	q->last = tick;
	s->next = TERN_MIN(s->next, tick);
	h->due = (uint32_t)tick;
	tern_list_append(&q->list, &s->halves, TERN_WAIT_LINK, half, &h->wait);
}

/* Does not wait any more. To be called before retries changes. */
static void unwait(struct tern_syn *s, struct tern_half *h)
{
	tern_list_unlink(&queue_of(s, h)->list, &s->halves, TERN_WAIT_LINK, &h->wait);
}

void tern_half_enter(struct tern_syn *s, uint32_t half, struct tern_half *h,
		     struct tern_listener *l, uint32_t hash)
{
	int err = tern_map_insert(&s->half_map, hash, half);

	assert(!err); /* it has room for as many as the pool */
	tern_list_append(&l->synq, &s->halves, TERN_SYNQ_LINK, half, &h->queue);
	l->young++;
	wait(s, half, h);
}

void tern_half_remove(struct tern_syn *s, uint32_t half, struct tern_half *h,
		      struct tern_listener *l, uint32_t hash)
{
	unwait(s, h);
	tern_map_remove(&s->half_map, hash, half);
	tern_list_unlink(&l->synq, &s->halves, TERN_SYNQ_LINK, &h->queue);
	if (!h->retries)
		l->young--;
	tern_pool_put(&s->halves, half);
}

uint32_t tern_half_find(const struct tern_syn *s, uint32_t hash, const struct tern_flow *flow)
{
	struct tern_map_it it = tern_map_find(&s->half_map, hash);

	for (; it.idx; tern_map_next(&s->half_map, &it)) {
		const struct tern_half *h = tern_half_at(s, it.idx);

		if (tern_flow_matches(flow, tern_half_family(h), h->lport, h->rport, h->addrs))
			break;
	}
	return it.idx;
}

/* How often a SYN-ACK may be sent again now: less when the queue is full of old records. */
static unsigned int retries_max(const struct tern_syn *s, const struct tern_listener *l,
				const struct tern_conn *parent)
{
	unsigned int max = parent->patience.syn_retries;
	uint64_t young = UINT64_C(2) * l->young;

	if (!max)
		max = s->tcp->knobs->tcp_synack_retries;
	if (UINT64_C(2) * l->synq.count <= TERN_MAX(l->backlog, UNHURRIED_QUEUE))
		return max;
	/* RFC4987:3.3 */
	for (; max > LEAST_RETRIES && l->synq.count >= young; young *= 2)
		max--;
	return max;
}

/* The state of a half-open connection ends outside of a segment. */
static void trace_end(struct tern_syn *s, const struct tern_flow *flow)
{
	struct tern_trace_record *record = tern_trace_next(s->tcp->trace);

	if (!record)
		return;
	record->time_ns = s->tcp->now;
	record->kind = TERN_TRACE_STATE;
	record->local = (struct tern_endpoint){ flow->local, flow->lport };
	record->remote = (struct tern_endpoint){ flow->remote, flow->rport };
	record->before = TERN_SYN_RECEIVED;
	record->after = TERN_CLOSED;
}

/* A half-open connection that comes to nothing. */
static void give_up(struct tern_syn *s, uint32_t half, struct tern_half *h,
		    const struct tern_flow *flow)
{
	tern_count(s->tcp->trace, TERN_CNT_TcpAttemptFails);
	trace_end(s, flow);
	tern_half_remove(s, half, h, tern_listener_at(s, h->listener), tern_tcp_hash(s->tcp, flow));
}

/*
 * Has it answered, and does TCP_DEFER_ACCEPT wait for its data? Then it is left in peace until the
 * last timeout of that time, whose SYN-ACK asks for an ACK that will do.
 */
static bool is_deferred(const struct tern_half *h, const struct tern_conn *parent)
{
	return (h->flags & TERN_HALF_ACKED) && h->retries < parent->passive.defer_accept;
}

static void expired(struct tern_syn *s, uint32_t half)
{
	struct tern_half *h = tern_half_at(s, half);
	struct tern_listener *l = tern_listener_at(s, h->listener);
	const struct tern_conn *parent = tern_conn_at(s->tcp, l->conn);
	struct tern_flow flow;
	bool resend;

	tern_half_flow(h, &flow);
	tern_count(s->tcp->trace, TERN_CNT_TcpExtTCPTimeouts);
	if (h->retries >= retries_max(s, l, parent) && !is_deferred(h, parent)) {
		give_up(s, half, h, &flow);
		return;
	}
	resend = !is_deferred(h, parent) || h->retries + 1 >= parent->passive.defer_accept;
	unwait(s, h);
	if (resend)
		tern_half_resend_synack(s, h, parent, &flow);
	if (!h->retries++)
		l->young--;
	wait(s, half, h);
}

/* The tick at which the first of a queue is due; UINT64_MAX if there is none. */
static uint64_t head_tick(const struct tern_syn *s, const struct tern_half_queue *q)
{
	return q->list.head ? due_tick(s, tern_half_at(s, q->list.head)) : UINT64_MAX;
}

/* Serves what is due by this tick, earlier ticks first. */
static __attribute__((noinline)) void serve(struct tern_syn *s, uint64_t tick)
{
	for (;;) {
		uint32_t first = 0;

		s->next = UINT64_MAX;
		for (unsigned int i = 0; i < TERN_HALF_WAITS; i++) {
			uint64_t due = head_tick(s, &s->waits[i]);

			if (due < s->next) {
				s->next = due;
				first = s->waits[i].list.head;
			}
		}
		if (!first || s->next > tick)
			return;
		expired(s, first);
	}
}

void tern_syn_tick(struct tern_syn *s)
{
	uint64_t tick = s->tcp->now >> TERN_TICK_SHIFT;

	if (tick >= s->next)
		serve(s, tick);
	s->tick = TERN_MAX(s->tick, tick);
}

uint64_t tern_syn_deadline(const struct tern_syn *s)
{
	uint64_t tick = UINT64_MAX;

	for (unsigned int i = 0; i < TERN_HALF_WAITS; i++)
		tick = TERN_MIN(tick, head_tick(s, &s->waits[i]));
	return tick == UINT64_MAX ? TERN_NEVER : tick << TERN_TICK_SHIFT;
}

uint64_t tern_half_when(const struct tern_syn *s, uint32_t half)
{
	return due_tick(s, tern_half_at(s, half)) << TERN_TICK_SHIFT;
}

void tern_half_icmp(struct tern_syn *s, uint32_t half, int error, tern_seq quoted_seq)
{
	struct tern_half *h = tern_half_at(s, half);
	struct tern_flow flow;

	if (quoted_seq != h->iss) {
		tern_count(s->tcp->trace, TERN_CNT_TcpExtOutOfWindowIcmps);
		return;
	}
	if (!error)
		return;
	tern_half_flow(h, &flow);
	tern_listener_count_drop(s, h->listener);
	give_up(s, half, h, &flow);
}

void tern_half_describe(const struct tern_syn *s, uint32_t half, struct tern_socket_info *ret)
{
	const struct tern_half *h = tern_half_at(s, half);
	uint64_t now = s->tcp->now, due = tern_half_when(s, half);
	uint32_t age = (uint32_t)(now >> TERN_HALF_CLOCK_SHIFT) - h->born;
	struct tern_flow flow;

	tern_half_flow(h, &flow);
	*ret = (struct tern_socket_info){
		.local = { flow.local, flow.lport },
		.remote = { flow.remote, flow.rport },
		.proto = TERN_PROTO_TCP,
		.state = TERN_SYN_RECEIVED,
		.timer = TERN_TIMER_ON,
		.timer_ns = due > now ? due - now : 0,
		.retrans = h->retries,
		.age_ns = (uint64_t)age << TERN_HALF_CLOCK_SHIFT,
		.options = h->options,
		.snd_wscale = h->wscales >> 4,
		.rcv_wscale = h->wscales & 15,
	};
}
