/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A segment for a port in LISTEN (RFC 9293 §3.10.7.2). RST: ignored. ACK: there is nothing to
 * acknowledge, reset. SYN: a new half-open connection, if there is room:
 *
 *	SYN queue      full with more than backlog in it, or with tcp_max_syn_backlog
 *	accept queue   full with more than backlog in it: who is let in could not be served
 *	stack          the table of halves is fixed (halfopens_max)
 *
 * Whoever finds no room is dropped, never reset: a client that hears nothing tries again. A SYN
 * that takes over a TIME-WAIT tuple comes from a peer that is proven: the SYN queue's limit
 * does not hold for it. Room is judged in one place, with a verdict for each outcome.
 *
 * Data on a SYN is not taken, it is left unacknowledged and comes again after the handshake, unless
 * Fast Open vouches for it: then the half-open record is promoted at once (fastopen.c). Nothing
 * honest sends SYN+FIN, and it is dropped; with tern_drop_synfin=0 its FIN is left to come again,
 * too.
 */
#include "syn/internal.h"
#include "tcp/marks.h"

/* What a SYN finds. */
enum admission {
	ADMITTED,
	SYNQ_FULL,
	ACCEPTQ_FULL,
};

static enum admission admit(const struct tern_syn *s, const struct tern_listener *l, bool proven)
{
	if (!proven &&
	    /* RFC4987:3.2 */
	    (l->synq.count > l->backlog || l->synq.count >= s->tcp->knobs->tcp_max_syn_backlog))
		return SYNQ_FULL;
	if (tern_acceptq_full(l))
		return ACCEPTQ_FULL;
	return ADMITTED;
}

/* Takes a record; 0 and the reason when the table or the memory is full. */
static uint32_t half_new(struct tern_syn *s, uint32_t listener, enum tern_drop *ret_reason)
{
	uint32_t idx = tern_pool_get(&s->halves);

	if (idx)
		return idx;
	if (s->halves.used >= s->halves.max) {
		tern_count(s->tcp->trace, TERN_CNT_TernHalfOpenLimit);
		*ret_reason = TERN_DROP_TCP_HALFOPEN_LIMIT;
	} else {
		tern_count(s->tcp->trace, TERN_CNT_TernAllocFailures);
		*ret_reason = TERN_DROP_NOMEM;
	}
	tern_listener_count_drop(s, listener);
	return 0;
}

/* Fills in a record: what the SYN says, what we answer. */
static void half_fill(const struct tern_tcp *t, struct tern_half *h, const struct tern_conn *parent,
		      const struct tern_flow *flow, const struct tern_segment *seg,
		      const struct tern_reopen *reopen)
{
	struct tern_terms terms;

	tern_negotiate(t->knobs, flow->local.family, tern_offered_options(t->knobs),
		       tern_window_scale(t->knobs, parent->rcv.buf,
					 parent->flags & TERN_CF_RCVBUF_LOCK),
		       &seg->opt, &terms);
	h->peer_mss = terms.peer_mss;
	h->options = terms.options;
	if (TERN_UNLIKELY(seg->flags & TERN_CWR) && tern_ecn_accepts(t->knobs, seg))
		h->options |= TERN_OPT_ECN;
	h->wscales = (uint8_t)(terms.snd_wscale << 4 | terms.rcv_wscale);
	h->irs = seg->seq;
	h->ts_recent = terms.options & TERN_OPT_TS ? seg->opt.tsval : 0;
	h->lport = flow->lport;
	h->rport = flow->rport;
	h->oow_ms = 0;
	h->retries = 0;
	h->born = (uint32_t)(t->now >> TERN_HALF_CLOCK_SHIFT);
	h->flags = flow->local.family == TERN_INET6 ? TERN_HALF_INET6 : 0;
	tern_flow_pack(flow, h->addrs);
	if (reopen) {
		h->flags |= TERN_HALF_REOPEN;
		h->iss = reopen->iss;
		h->ts_offset = reopen->ts_offset;
	} else {
		tern_isn_choose(&t->isn, flow, t->now, t->knobs->tcp_timestamps, &h->iss,
				&h->ts_offset);
	}
}

/*
 * The same of a SYN with data, or with the option of Fast Open. Who takes a TIME-WAIT over has to
 * prove first that the SYN is no old duplicate.
 */
TERN_COLD static void open_early(struct tern_syn *s, uint32_t idx, struct tern_listener *l,
				 const struct tern_flow *flow, uint32_t hash,
				 const struct tern_segment *seg, bool reopens)
{
	struct tern_half *h = tern_half_at(s, idx);
	struct tern_tcp_options cookie = { .present = 0 };
	struct tern_reply *synack;

	if (!reopens && tern_half_open_early(s, h, l, flow, seg, &cookie)) {
		tern_pool_put(&s->halves, idx);
		return;
	}
	tern_half_enter(s, idx, h, l, hash);
	synack = tern_half_send_synack(s, h, tern_conn_at(s->tcp, l->conn), flow);
	if (cookie.present && synack)
		tern_half_add_cookie(synack, &cookie);
}

/* A SYN: the half-open connection, or why there is none. */
static enum tern_drop take_syn(struct tern_syn *s, uint32_t listener, const struct tern_flow *flow,
			       uint32_t hash, const struct tern_segment *seg,
			       const struct tern_reopen *reopen)
{
	struct tern_listener *l = tern_listener_at(s, listener);
	const struct tern_conn *parent = tern_conn_at(s->tcp, l->conn);
	enum tern_drop reason = TERN_DROP_NONE;
	struct tern_half *h;
	uint32_t idx;

	switch (admit(s, l, reopen != NULL)) {
	case ADMITTED:
		break;
	case SYNQ_FULL:
		tern_count(s->tcp->trace, TERN_CNT_TcpExtTCPReqQFullDrop);
		tern_listener_count_drop(s, listener);
		return TERN_DROP_TCP_REQQFULL_DROP;
	case ACCEPTQ_FULL:
		tern_listener_count_overflow(s, listener);
		return TERN_DROP_TCP_LISTEN_OVERFLOW;
	}
	idx = half_new(s, listener, &reason);
	if (!idx)
		return reason;
	h = tern_half_at(s, idx);
	h->listener = listener;
	half_fill(s->tcp, h, parent, flow, seg, reopen);
	if (TERN_UNLIKELY(seg->len || (seg->opt.present & TERN_OPT_FASTOPEN))) {
		open_early(s, idx, l, flow, hash, seg, reopen != NULL);
		return TERN_DROP_NONE;
	}
	tern_half_enter(s, idx, h, l, hash);
	/* a full ring has dropped it: the timer sends it again */
	tern_half_send_synack(s, h, parent, flow);
	return TERN_DROP_NONE;
}

/* What is no SYN, or one that cannot be taken. */
TERN_COLD static enum tern_drop refuse(struct tern_syn *s, const struct tern_flow *flow,
				       const struct tern_segment *seg)
{
	if (seg->flags & TERN_RST)
		return seg->flags & TERN_SYN ? TERN_DROP_TCP_FLAGS : TERN_DROP_TCP_INVALID_RST;
	if (seg->flags & TERN_ACK) {
		tern_reply_reset(&s->tcp->replies, flow, seg);
		return TERN_DROP_TCP_INVALID_ACK_SEQUENCE;
	}
	if (!(seg->flags & TERN_SYN))
		return TERN_DROP_TCP_FLAGS;
	return seg->flags & TERN_FIN ? TERN_DROP_TCP_SYN_FIN : TERN_DROP_TCP_OPTIONS;
}

void tern_listener_input(struct tern_syn *s, uint32_t listener, const struct tern_flow *flow,
			 uint32_t hash, const struct tern_segment *seg,
			 const struct tern_reopen *reopen, enum tern_drop *ret_reason)
{
	uint16_t meant = seg->flags & (TERN_SYN | TERN_ACK | TERN_RST | TERN_FIN);

	if (TERN_UNLIKELY(meant == (TERN_SYN | TERN_FIN)) && !s->tcp->knobs->tern_drop_synfin)
		meant = TERN_SYN;
	if (meant == TERN_SYN && !seg->options_malformed)
		*ret_reason = take_syn(s, listener, flow, hash, seg, reopen);
	else
		*ret_reason = refuse(s, flow, seg);
}
