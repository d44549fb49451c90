/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The first probe is due keep_idle after the peer was last heard, each further one keep_intvl after
 * the one before. Any segment starts over, so one lost answer means nothing (MUST-29). Probes go
 * only while nothing is outstanding (MUST-26) and carry no data (SHLD-12).
 */
#include "tcp/keepalive.h"

#include <errno.h>

#include "base/compiler.h"
#include "tcp/reset.h"
#include "tcp/state.h"
#include "tcp/timers.h"

#define NS_PER_MS UINT64_C(1000000)

static uint32_t probes_max(const struct tern_tcp *t, const struct tern_conn *c)
{
	return c->patience.keep_cnt ? c->patience.keep_cnt : t->knobs->tcp_keepalive_probes;
}

/* In FIN-WAIT-2 with a time of its own. */
static bool awaits_fin(const struct tern_conn *c)
{
	return c->state == TERN_FIN_WAIT_2 && (c->flags & TERN_CF_ORPHAN) && c->linger2_s > 0;
}

void tern_keepalive_await_fin(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	c->flags |= TERN_CF_KEEPALIVE;
	c->patience.probe_ms = t->now_ms;
	tern_timers_keepalive_on(t, idx, c);
}

uint64_t tern_keepalive_next(const struct tern_tcp *t, const struct tern_conn *c)
{
	const struct tern_traffic *x;
	uint32_t idle_s, intvl_s, since_ms;
	uint64_t wait_ms;

	/* RFC9293:MUST-26 */
	if (!tern_state_in(c->state, TERN_STATES_SYNCHRONIZED) || c->snd.una != c->snd.nxt)
		return TERN_NEVER;
	if (awaits_fin(c))
		return (t->now / NS_PER_MS - (t->now_ms - c->patience.probe_ms) +
			(uint64_t)c->linger2_s * 1000) *
		       NS_PER_MS;
	x = tern_conn_traffic(t, c);
	if (x && x->send.bytes)
		return TERN_NEVER;
	/* RFC9293:MUST-27 */
	idle_s = c->patience.keep_idle_s ? c->patience.keep_idle_s : t->knobs->tcp_keepalive_time;
	intvl_s = c->patience.keep_intvl_s ? c->patience.keep_intvl_s
					   : t->knobs->tcp_keepalive_intvl;
	/* RFC9293:MUST-26 */
	since_ms = t->now_ms - (c->patience.keep_probes ? c->patience.probe_ms : c->rcv_ms);
	wait_ms = (uint64_t)(c->patience.keep_probes ? intvl_s : idle_s) * 1000;
	return (t->now / NS_PER_MS - since_ms + wait_ms) * NS_PER_MS;
}

void tern_keepalive_timeout(struct tern_tcp *t, uint32_t idx)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	uint32_t heard_ms = t->now_ms - c->rcv_ms;
	uint32_t patience_ms = c->patience.user_timeout_ms;

	if (awaits_fin(c)) {
		tern_conn_finish(t, idx, 0);
		return;
	}
	/* RFC9293:MUST-29 */
	if (patience_ms ? heard_ms >= patience_ms && c->patience.keep_probes
			: c->patience.keep_probes >= probes_max(t, c)) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPAbortOnTimeout);
		tern_conn_reset_peer(t, idx);
		tern_conn_finish(t, idx, c->soft_error ? c->soft_error : ETIMEDOUT);
		return;
	}
	c->patience.keep_probes++;
	c->patience.probe_ms = t->now_ms;
	c->flags |= TERN_CF_PROBE;
	tern_conn_want_output(t, idx, c);
}
