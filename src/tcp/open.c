/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The ways into a connection: OPEN (active), adoption of a half-open connection (passive), and the
 * entry into ESTABLISHED that all of them share. A passive child is born in LISTEN and
 * moves to SYN-RECEIVED with its SYN and SYN-ACK already behind it; the segment that completes the
 * handshake then walks through input like any other.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/input.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timers.h"

#define QUICK_ACKS 16 /* data segments at the start that are acknowledged at once */

/* Options that a child has from its listener. */
#define INHERITED                                                                           \
	((uint32_t)(TERN_CF_NODELAY | TERN_CF_CORK | TERN_CF_OOBINLINE | TERN_CF_PINGPONG | \
		    TERN_CF_KEEPALIVE | TERN_CF_SNDBUF_LOCK | TERN_CF_RCVBUF_LOCK |         \
		    TERN_CF_REUSEADDR | TERN_CF_REUSEPORT))

int tern_tcp_connect(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		     const struct tern_flow *flow, tern_seq iss, uint32_t ts_offset, uint32_t pmtu)
{
	int err;

	if (!tern_conn_need_traffic(t, c))
		return -ENOBUFS;
	if (TERN_UNLIKELY(c->passive.fastopen))
		tern_fastopen_forget(t, c);
	err = tern_conn_hash(t, idx, c, flow);
	if (err) {
		tern_conn_rest(t, c);
		return err;
	}
	c->snd.iss = iss;
	c->snd.una = iss;
	c->snd.nxt = iss;
	c->ts.offset = ts_offset;
	c->options = (uint8_t)tern_offered_options(t->knobs);
	if (TERN_UNLIKELY(t->knobs->tcp_ecn == 1))
		c->marks |= TERN_MARK_ECN;
	c->rcv_wscale = tern_window_scale(t->knobs, c->rcv.buf, c->flags & TERN_CF_RCVBUF_LOCK);
	c->pmtu = (uint16_t)pmtu;
	c->rcv_ms = t->now_ms;
	tern_conn_set_state(t, c, TERN_SYN_SENT);
	if (TERN_UNLIKELY(c->fastopen & TERN_FO_CONNECT))
		tern_fastopen_connect(t, c);
	tern_conn_want_output(t, idx, c);
	return 0;
}

static void inherit(struct tern_conn *c, const struct tern_conn *listener)
{
	c->flags |= listener->flags & INHERITED;
	c->snd_buf = listener->snd_buf;
	c->rcv.buf = listener->rcv.buf;
	c->max_seg = listener->max_seg;
	c->linger_s = listener->linger_s;
	c->notsent_lowat = listener->notsent_lowat;
	c->ttl = listener->ttl;
	c->tos = listener->tos;
	c->linger2_s = listener->linger2_s;
	c->patience = listener->patience;
	c->open_family = listener->open_family;
	c->totals.congestion = listener->totals.congestion;
}

/* The congestion window, and a send buffer that is no smaller than it can use. */
static void open_window(const struct tern_tcp *t, struct tern_conn *c, bool syn_was_lost)
{
	/* RFC9293:MUST-16 */
	uint32_t mss = tern_conn_mss(c) - ((c->options & TERN_OPT_TS) ? 12 : 0);

	tern_cc_init(&c->cc, mss);
	if (syn_was_lost)
		c->cc.cwnd = mss;
	if (!(c->flags & TERN_CF_SNDBUF_LOCK))
		c->snd_buf = TERN_MIN(TERN_MAX(c->snd_buf, c->cc.cwnd * 4), t->knobs->tcp_wmem_max);
}

/* A child that is born by a SYN: it may send at once, and its SYN-ACK is still to leave. */
TERN_COLD static bool adopt_early(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
				  const struct tern_birth *birth)
{
	if (tern_fastopen_adopt(t, idx, c, birth->fastopen, birth->answer) < 0)
		return false;
	open_window(t, c, false);
	c->rcv_ms = t->now_ms;
	c->snd_ms = t->now_ms;
	return true;
}

uint32_t tern_tcp_adopt(struct tern_tcp *t, const struct tern_birth *birth)
{
	uint32_t idx = tern_conn_new(t, TERN_LISTEN);
	struct tern_conn *c;

	if (!idx)
		return 0;
	c = tern_conn_at(t, idx);
	inherit(c, tern_conn_at(t, birth->settings));
	if (tern_conn_hash(t, idx, c, birth->flow)) {
		tern_conn_free(t, idx);
		return 0;
	}
	c->flags |= TERN_CF_PASSIVE;
	c->snd.iss = birth->iss;
	c->snd.una = birth->iss;
	c->snd.nxt = birth->iss + 1;
	c->snd.wnd = birth->window;
	c->snd.max_wnd = birth->window;
	c->snd.wl1 = birth->irs;
	c->rcv.irs = birth->irs;
	c->rcv.nxt = birth->irs + 1;
	c->rcv.acked = c->rcv.nxt;
	c->rcv.adv = c->rcv.nxt + birth->advertised;
	c->ts.offset = birth->ts_offset;
	c->ts.recent = birth->ts_recent;
	c->ts.recent_ms = t->now_ms;
	c->options = birth->terms.options;
	if (TERN_UNLIKELY(c->options & TERN_OPT_ECN))
		c->marks = TERN_MARK_ECN;
	c->peer_mss = birth->terms.peer_mss;
	c->snd_wscale = birth->terms.snd_wscale;
	c->rcv_wscale = birth->terms.rcv_wscale;
	c->patience.retries = birth->retransmitted;
	if (birth->synack_ns)
		tern_rtt_sample(&c->rtt, (t->now - birth->synack_ns) / 1000,
				t->knobs->tcp_rto_min_us);
	if (TERN_UNLIKELY(birth->fastopen) && !adopt_early(t, idx, c, birth)) {
		tern_conn_free(t, idx);
		return 0;
	}
	tern_conn_set_state(t, c, TERN_SYN_RECEIVED);
	return idx;
}

/* What was done before the handshake was complete: data of an early child, or close(). */
TERN_COLD static void catch_up(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	if (c->flags & TERN_CF_EARLY)
		tern_fastopen_settle(t, c, false);
	if (!(c->flags & TERN_CF_FIN_QUEUED))
		return;
	tern_conn_set_state(t, c, TERN_FIN_WAIT_1);
	tern_conn_want_output(t, idx, c);
}

void tern_conn_establish(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, bool syn_was_lost)
{
	tern_conn_set_state(t, c, TERN_ESTABLISHED);
	c->quick_acks = QUICK_ACKS;
	c->flags |= TERN_CF_CONNECTED;
	c->totals.delivered++; /* our SYN */
	if (!c->rtt.rto_us)
		/* RFC6298:5.7 */
		c->rtt.rto_us = syn_was_lost ? TERN_RTO_FALLBACK_US : TERN_RTO_INITIAL_US;
	c->rcv_ms = c->state_ms;
	c->snd_ms = c->state_ms;
	if (TERN_UNLIKELY(c->flags & (TERN_CF_FIN_QUEUED | TERN_CF_EARLY)))
		catch_up(t, idx, c);
	tern_conn_notify(t, idx, c, TERN_EV_CONNECTED | TERN_EV_WRITABLE);
	open_window(t, c, syn_was_lost);
}
