/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A connection as a row of ss: a copy of what the record holds, in ss' words and units. Nothing is
 * kept for the sake of a row.
 */
#include <string.h>

#include "base/compiler.h"
#include "tcp/recovery.h"
#include "tcp/tcp.h"
#include "tcp/timers.h"
#include "tcp/window.h"

/* Queues and memory. */
static void describe_queues(const struct tern_conn *c, const struct tern_traffic *x,
			    struct tern_socket_info *ret)
{
	ret->mem.rcvbuf = c->rcv.buf;
	ret->mem.sndbuf = c->snd_buf;
	ret->mem.drops = c->drops;
	if (!x)
		return;
	ret->recv_q = x->recv.bytes;
	ret->send_q = x->send.bytes;
	ret->mem.rmem_alloc = x->rmem;
	ret->mem.wmem_queued = x->wmem;
}

static void describe_totals(const struct tern_conn *c, struct tern_socket_info *ret)
{
	const struct tern_totals *n = &c->totals;

	ret->bytes_sent = (uint64_t)n->sent_high << 32 | n->bytes_sent;
	ret->bytes_retrans = (uint64_t)n->retrans_high << 32 | n->bytes_retrans;
	ret->bytes_acked = (uint64_t)n->acked_high << 32 | n->bytes_acked;
	ret->bytes_received = tern_conn_received(c);
	ret->segs_out = n->segs_out;
	ret->segs_in = n->segs_in;
	ret->data_segs_out = n->data_segs_out;
	ret->data_segs_in = n->data_segs_in;
	ret->total_retrans = n->retrans;
}

/* What the send queue waited for until now. */
static void describe_busy(const struct tern_conn *c, const struct tern_traffic *x, uint32_t now_ms,
			  struct tern_socket_info *ret)
{
	uint32_t ms[TERN_BUSY_BUFFER] = { 0 };

	memcpy(ms, c->totals.busy_ms, sizeof(ms));
	if (x && x->send.busy)
		ms[x->send.busy - 1] += now_ms - x->send.busy_since_ms;
	ret->window_limited_ms = ms[TERN_BUSY_WINDOW - 1];
	ret->buffer_limited_ms = ms[TERN_BUSY_BUFFER - 1];
	ret->busy_ms = ms[TERN_BUSY_SENDING - 1] + ret->window_limited_ms + ret->buffer_limited_ms;
}

/* What is known of loss. */
static void describe_recovery(const struct tern_tcp *t, const struct tern_conn *c,
			      const struct tern_traffic *x, struct tern_socket_info *ret)
{
	ret->reordering = tern_reordering(t, c);
	ret->reord_seen = c->totals.reord_seen;
	ret->dsack_dups = c->totals.dsack_dups;
	ret->delivered = c->totals.delivered;
	if (!x)
		return;
	ret->ca_state = x->repair.state;
	ret->backoff = x->due == TERN_DUE_PERSIST ? c->patience.retries : x->repair.backoff;
	ret->packets_out = x->flight.packets;
	ret->sacked_out = x->flight.sacked;
	ret->lost_out = x->flight.lost;
	ret->retrans_out = x->flight.again;
}

/* An early child that was shut has sent its FIN, and waits for one ACK of both. */
static uint8_t shown_state(const struct tern_conn *c)
{
	const uint32_t shut = TERN_CF_EARLY | TERN_CF_FIN_QUEUED;

	return (c->flags & shut) == shut ? TERN_FIN_WAIT_1 : c->state;
}

void tern_tcp_describe(const struct tern_tcp *t, uint64_t now, uint32_t idx,
		       struct tern_socket_info *ret)
{
	const struct tern_conn *c = tern_conn_at(t, idx);
	uint32_t now_ms = tern_ms(TERN_MAX(now, t->now));
	struct tern_flow flow;

	tern_conn_flow(c, &flow);
	ret->local = (struct tern_endpoint){ flow.local, flow.lport };
	ret->remote = (struct tern_endpoint){ flow.remote, flow.rport };
	if (!c->family && c->lport) /* the IPv6 wildcard */
		ret->local.addr.family = ret->remote.addr.family = TERN_INET6;
	ret->proto = TERN_PROTO_TCP;
	ret->state = shown_state(c);
	ret->has = TERN_INFO_TCP;
	ret->timer = (uint8_t)tern_timers_describe(t, c, now, &ret->timer_ns);
	ret->retrans = ret->timer == TERN_TIMER_KEEPALIVE ? c->patience.keep_probes
							  : c->patience.retries;
	ret->orphan = (c->flags & TERN_CF_ORPHAN) != 0;
	ret->unaccepted = (c->flags & TERN_CF_IN_ACCEPTQ) != 0;
	ret->nodelay = (c->flags & TERN_CF_NODELAY) != 0;
	ret->keepalive = (c->flags & TERN_CF_KEEPALIVE) != 0;
	ret->age_ns = (uint64_t)(now_ms - c->state_ms) * 1000000;
	describe_queues(c, tern_conn_traffic(t, c), ret);
	ret->options = c->options;
	ret->syn_data = (c->fastopen & TERN_FO_SYN_DATA) != 0;
	ret->fastopen_child = (c->fastopen & TERN_FO_USED) && (c->flags & TERN_CF_PASSIVE);
	ret->fastopen_fail = c->fastopen >> TERN_FO_FAIL_SHIFT;
	ret->ecn_seen = (c->marks & TERN_MARK_ECT_SEEN) != 0;
	ret->snd_wscale = c->snd_wscale;
	ret->rcv_wscale = c->rcv_wscale;
	ret->rtt_us = c->rtt.srtt8_us / 8;
	ret->rttvar_us = c->rtt.rttvar4_us / 4;
	ret->rto_us = c->rtt.rto_us;
	ret->min_rtt_us = c->rtt.min_us;
	ret->mss = c->cc.mss;
	ret->pmtu = c->pmtu;
	ret->advmss = tern_advertised_mss(c->family, t->mtu);
	ret->cwnd = c->cc.cwnd;
	ret->ssthresh = c->cc.ssthresh;
	ret->unacked = c->snd.nxt - c->snd.una;
	ret->snd_wnd = c->snd.wnd;
	ret->rcv_wnd = c->rcv.adv - c->rcv.nxt;
	ret->rcv_mss = tern_window_peer_mss(t, c);
	ret->rcv_ssthresh = tern_window_limit(t, c);
	describe_totals(c, ret);
	describe_busy(c, tern_conn_traffic(t, c), now_ms, ret);
	describe_recovery(t, c, tern_conn_traffic(t, c), ret);
	ret->last_snd_ms = now_ms - c->snd_ms;
	ret->last_rcv_ms = now_ms - c->rcv_ms;
	ret->congestion = tern_conn_cc(c)->name;
}
