/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A half-open record stands in the keyed map of flows, on its listener's SYN queue (oldest first)
 * and in the wheel. Its one timer sends the SYN-ACK again after 1, 2, 4, … s, 120 s at most. After
 * tcp_synack_retries times (TCP_SYNCNT of the socket, if set) the next expiry ends it: 63 s with
 * the standard 5. Only the timer prolongs its life: a peer that repeats its SYN gets the SYN-ACK
 * again, but no new deadline, so that periodic SYNs cannot hold a place in the queue.
 *
 * As in Linux, a queue that is more than half full gives up on old records sooner: each halving of
 * the share of young ones (whose timer has not yet run out) costs the old ones a retransmission,
 * down to two. A queue full of sources that never answer empties within seconds, not a minute.
 *
 * A record whose ACK came while the accept queue was full (TERN_HALF_ACKED) is no different: its
 * SYN-ACK goes out again, and the peer's answer, or its data, completes the handshake when there is
 * room.
 */
#include <assert.h>

#include "syn/internal.h"

#define NS_PER_S        UINT64_C(1000000000)
#define DOUBLINGS       7 /* of one second; 128 s is more than the limit of 120 */
#define TIMEOUT_MAX_S   120u
#define LEAST_RETRIES   2
#define UNHURRIED_QUEUE 8 /* records; a shorter queue is never hurried */

/* Time to the next expiry, by the retransmissions there were. */
static uint64_t timeout_ns(const struct tern_half *h)
{
	return TERN_MIN(1u << TERN_MIN(h->retries, DOUBLINGS), TIMEOUT_MAX_S) * NS_PER_S;
}

void tern_half_enter(struct tern_syn *s, uint32_t half, uint32_t hash)
{
	struct tern_half *h = tern_half_at(s, half);
	struct tern_listener *l = tern_listener_at(s, h->listener);
	int err = tern_map_insert(&s->half_map, hash, half);

	assert(!err); /* it has room for as many as the pool */
	tern_list_push_back(&l->synq, &s->halves, TERN_SYNQ_LINK, half);
	l->young++;
	tern_wheel_set(&s->wheel, half, s->tcp->now + timeout_ns(h));
}

void tern_half_remove(struct tern_syn *s, uint32_t half, uint32_t hash)
{
	struct tern_half *h = tern_half_at(s, half);
	struct tern_listener *l = tern_listener_at(s, h->listener);

	tern_wheel_cancel(&s->wheel, half);
	tern_map_remove(&s->half_map, hash, half);
	tern_list_remove(&l->synq, &s->halves, TERN_SYNQ_LINK, half);
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
static unsigned int retries_max(const struct tern_syn *s, uint32_t listener)
{
	const struct tern_listener *l = tern_listener_at(s, listener);
	unsigned int max = tern_listener_conn(s, listener)->patience.syn_retries;
	uint64_t young = UINT64_C(2) * l->young;

	if (!max)
		max = s->tcp->knobs->tcp_synack_retries;
	if (UINT64_C(2) * l->synq.count <= TERN_MAX(l->backlog, UNHURRIED_QUEUE))
		return max;
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
static void give_up(struct tern_syn *s, uint32_t half, const struct tern_flow *flow)
{
	tern_count(s->tcp->trace, TERN_CNT_TcpAttemptFails);
	trace_end(s, flow);
	tern_half_remove(s, half, tern_tcp_hash(s->tcp, flow));
}

static void expired(struct tern_syn *s, uint32_t half)
{
	struct tern_half *h = tern_half_at(s, half);
	struct tern_flow flow;

	tern_half_flow(h, &flow);
	tern_count(s->tcp->trace, TERN_CNT_TcpExtTCPTimeouts);
	if (h->retries >= retries_max(s, h->listener)) {
		give_up(s, half, &flow);
		return;
	}
	if (!h->retries++)
		tern_listener_at(s, h->listener)->young--;
	tern_half_resend_synack(s, h, &flow);
	tern_wheel_set(&s->wheel, half, s->tcp->now + timeout_ns(h));
}

void tern_syn_tick(struct tern_syn *s)
{
	uint32_t half;

	while ((half = tern_wheel_expire(&s->wheel, s->tcp->now)) != 0)
		expired(s, half);
}

void tern_half_icmp(struct tern_syn *s, uint32_t half, int error, tern_seq quoted_seq)
{
	const struct tern_half *h = tern_half_at(s, half);
	struct tern_flow flow;

	if (quoted_seq != h->iss) {
		tern_count(s->tcp->trace, TERN_CNT_TcpExtOutOfWindowIcmps);
		return;
	}
	if (!error)
		return;
	tern_half_flow(h, &flow);
	tern_listener_count_drop(s, h->listener);
	give_up(s, half, &flow);
}

void tern_half_describe(const struct tern_syn *s, uint32_t half, struct tern_socket_info *ret)
{
	const struct tern_half *h = tern_half_at(s, half);
	uint64_t now = s->tcp->now, due = tern_wheel_when(&s->wheel, half);
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
