/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The next segment of a connection is decided when it is asked for, in this order: SYN; a loss
 * probe; what is lost; new data and FIN; a probe of the window; an ACK alone. So acknowledgments
 * ride on data, and what many segments of a burst asked for leaves in one (MUST-58, MUST-59).
 *
 * How much new data may leave is what SND.WND and cwnd have room for; a segment below full
 * size waits for Nagle (Minshall's form: for the last small one), for a cork, or for half the
 * largest window (SWS, MUST-38). Where the link cuts segments, one super-segment stands for many.
 *
 * Connections with something to send wait in a list and take turns, a segment each.
 */
#include "base/compiler.h"
#include "tcp/allow.h"
#include "tcp/marks.h"
#include "tcp/reass.h"
#include "tcp/recovery.h"
#include "tcp/tcp.h"
#include "tcp/timers.h"
#include "tcp/window.h"

#define OUT_LINK    offsetof(struct tern_conn, out)
#define PINGPONG_MS 40
#define MSS_UNKNOWN 536
#define SYN_STATES  (TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED))
/* Our FIN is out and not acknowledged. */
#define FIN_STATES (TERN_STATES(FIN_WAIT_1) | TERN_STATES(CLOSING) | TERN_STATES(LAST_ACK))

/* One connection's turn; in registers, where functions are inlined. */
struct turn {
	struct tern_tcp *t;
	uint32_t idx;
	struct tern_conn *c;
	struct tern_traffic *x; /* may be NULL */
	struct tern_tx *tx;
};

/*
 * The same, for a function that is not inlined: what is handed to such a one lies in memory, and
 * with it all that it was copied from.
 */
TERN_INLINE struct turn apart(struct turn u)
{
	return (struct turn){ u.t, u.idx, u.c, u.x, u.tx };
}

/* A segment where ECN is spoken, or while there is urgent data. */
static TERN_COLD void mark(struct turn u)
{
	if ((u.c->marks & TERN_MARK_ECN) && (u.tx->seg.flags & TERN_SYN))
		u.tx->seg.flags |= tern_ecn_syn_flags(u.t, u.c);
	if (u.c->marks & TERN_MARK_ECE)
		u.tx->seg.flags |= TERN_ECE;
	if (u.c->marks & TERN_MARK_URGENT)
		tern_urgent_announce(u.c, u.x, &u.tx->seg);
}

/* The header fields that every segment of a connection has; those of options only if present. */
TERN_INLINE void start(struct turn u, tern_seq seq, uint16_t flags)
{
	struct tern_conn *c = u.c;
	struct tern_tx *tx = u.tx;
	/* Neighbours here and there: what is read before it is written is copied in one. */
	uint16_t lport = c->lport, rport = c->rport;
	uint8_t family = c->family, state = c->state, ttl = c->ttl, tos = c->tos;

	/* RFC9293:MUST-45 */
	tx->addrs = c->addrs;
	tx->pieces = 0;
	tx->gso_size = 0;
	tx->family = family;
	tx->state = state;
	/* RFC9293:MUST-49 */
	tx->ttl = ttl;
	/* RFC9293:MUST-48 RFC9293:SHLD-21 RFC9293:SHLD-22 */
	tx->tos = tos;
	tx->seg.sport = lport;
	tx->seg.dport = rport;
	tx->seg.seq = seq;
	tx->seg.ack = flags & TERN_ACK ? c->rcv.nxt : 0;
	tx->seg.flags = flags;
	tx->seg.urgent = 0;
	tx->seg.len = 0;
	/* RFC7323:3.2b */
	tx->seg.opt.present = c->options & TERN_OPT_TS;
	if (c->options & TERN_OPT_TS) {
		tx->seg.opt.tsval = u.t->now_ms + c->ts.offset;
		tx->seg.opt.tsecr = flags & TERN_ACK ? c->ts.recent : 0;
	}
	c->totals.segs_out++;
	if (TERN_UNLIKELY(c->marks))
		mark(apart(u));
}

/* A segment that acknowledges: the window, and nothing is owed any more. */
TERN_INLINE void acknowledge(struct turn u)
{
	u.tx->seg.wnd = tern_window_advertise(u.t, u.c, u.x);
	tern_timers_ack_sent(u.c, u.x);
}

/* Takes n bytes off the end of the payload. */
static void shorten(struct tern_tx *tx, uint32_t n)
{
	tx->seg.len -= n;
	while (n >= tx->piece[tx->pieces - 1].len)
		n -= tx->piece[--tx->pieces].len;
	tx->piece[tx->pieces - 1].len -= n;
}

/*
 * The payload of a segment, by reference. Returns how many bytes found place: where the pieces run
 * out, those of whole segments.
 */
static TERN_OUTLINE uint32_t attach(struct turn u, uint32_t *cursor, tern_seq seq, uint32_t len)
{
	struct tern_tx *tx = u.tx;
	uint32_t mss = u.c->cc.mss;

	tx->pieces = tern_chain_pieces(&u.t->bufs, &u.x->send.chain, cursor, seq, len, tx->piece,
				       TERN_OUT_PIECES - 1, &tx->seg.len);
	if (TERN_UNLIKELY(tx->seg.len < len && tx->seg.len > mss)) {
		shorten(tx, tx->seg.len % mss);
		*cursor = 0;
	}
	if (tx->seg.len > mss)
		tx->gso_size = mss;
	return tx->seg.len;
}

/* How many segments of the wire a (super-)segment is. */
static uint32_t segments(struct turn u)
{
	return u.tx->gso_size ? (u.tx->seg.len + u.tx->gso_size - 1) / u.tx->gso_size : 1;
}

static TERN_OUTLINE void count_retransmission(struct turn u, enum tern_counter kind)
{
	tern_count_n(u.t->trace, TERN_CNT_TcpRetransSegs, segments(u));
	tern_count_n(u.t->trace, kind, segments(u));
	u.c->totals.retrans += segments(u);
	tern_total_add(&u.c->totals.bytes_retrans, &u.c->totals.retrans_high, u.tx->seg.len);
	tern_total_add(&u.c->totals.bytes_sent, &u.c->totals.sent_high, u.tx->seg.len);
}

/* What is known of n new sequence numbers that leave in some segments. */
TERN_INLINE void describe(struct turn u, tern_seq seq, uint32_t n, uint32_t count,
			  unsigned int flags, struct tern_burst *ret)
{
	uint32_t mss = u.c->cc.mss;

	ret->next = 0;
	ret->prev = 0;
	ret->seq = seq;
	ret->end = seq + n;
	ret->sent_ns = u.t->now;
	ret->count = count;
	ret->delivered = u.c->totals.delivered;
	ret->size = (uint16_t)(mss ? mss : MSS_UNKNOWN);
	ret->flags = (uint8_t)flags;
}

/* They are in flight. */
TERN_INLINE void fly(struct turn u, tern_seq seq, uint32_t n, uint32_t count, unsigned int flags)
{
	struct tern_flight *f = &u.x->flight;
	struct tern_burst burst;

	if (f->head) {
		describe(u, seq, n, count, flags, &burst);
		tern_flight_sent_more(u.t, f, &burst);
	} else {
		describe(u, seq, n, count, flags, &f->own);
		tern_flight_sent_first(f);
	}
}

/* Fast Open: what the first SYN or SYN-ACK has beyond an ordinary one. */
TERN_COLD static void extend_syn(struct turn u)
{
	struct tern_conn *c = u.c;
	struct tern_traffic *x = u.x;
	uint32_t cursor = 0;

	if (c->state == TERN_SYN_RECEIVED) {
		tern_fastopen_renew(u.t, c, x, &u.tx->seg.opt);
		return;
	}
	tern_fastopen_option(u.t, c, x, &u.tx->seg.opt);
	if (!x->early.syn_data)
		return;
	u.tx->pieces = tern_chain_pieces(&u.t->bufs, &x->send.chain, &cursor, c->snd.nxt,
					 x->early.syn_data, u.tx->piece, TERN_OUT_PIECES - 1,
					 &u.tx->seg.len);
	fly(u, c->snd.nxt, u.tx->seg.len, 1, TERN_BURST_PSH);
	c->snd.nxt += u.tx->seg.len;
	tern_total_add(&c->totals.bytes_sent, &c->totals.sent_high, u.tx->seg.len);
	c->totals.data_segs_out++;
	c->snd_ms = u.t->now_ms;
	tern_count(u.t->trace, TERN_CNT_TcpExtTCPOrigDataSent);
}

static inline bool syn_is_lost(const struct tern_burst *burst)
{
	return (burst->flags & (TERN_BURST_SYN | TERN_BURST_LOST | TERN_BURST_AGAIN)) ==
	       (TERN_BURST_SYN | TERN_BURST_LOST);
}

/* SYN, or SYN-ACK in SYN-RECEIVED: the first one and its repetitions. */
TERN_INLINE bool build_syn(struct turn u)
{
	struct tern_conn *c = u.c;
	struct tern_flight *f = &u.x->flight;
	struct tern_tcp_options *opt = &u.tx->seg.opt;
	bool first = c->snd.nxt == c->snd.iss;
	bool again = !first && f->head && syn_is_lost(tern_burst_at(u.t, u.x, f->head));
	uint32_t window = tern_window_first(c, c->family, c->pmtu);

	if (!first && !again)
		return false;
	start(u, c->snd.iss, c->state == TERN_SYN_SENT ? TERN_SYN : TERN_SYN | TERN_ACK);
	/* RFC9293:MUST-14 RFC9293:SHLD-5 RFC9293:MAY-3 */
	opt->present |= TERN_OPT_MSS | (c->options & (TERN_OPT_WSCALE | TERN_OPT_SACKOK));
	opt->mss = tern_advertised_mss(c->family, c->pmtu);
	if (c->max_seg && c->max_seg < opt->mss)
		opt->mss = c->max_seg;
	opt->wscale = c->rcv_wscale;
	u.tx->seg.wnd = (uint16_t)window;
	c->rcv.adv = c->state == TERN_SYN_SENT ? window : c->rcv.nxt + window;
	if (first) {
		c->snd.nxt = c->snd.iss + 1;
		fly(u, c->snd.iss, 1, 1, TERN_BURST_SYN);
		tern_count(u.t->trace, TERN_CNT_TcpOutSegs);
		if (TERN_UNLIKELY(u.x->early.syn))
			extend_syn(apart(u));
		tern_timers_syn_sent(u.t, u.idx, c, u.x);
	} else {
		tern_flight_sent_again(f, tern_burst_at(u.t, u.x, f->head), u.t->now, 0);
		count_retransmission(apart(u), TERN_CNT_TcpExtTCPSynRetrans);
		tern_timers_sent(u.t, u.idx, c, u.x);
	}
	if (c->state == TERN_SYN_RECEIVED)
		tern_timers_ack_sent(c, u.x);
	return true;
}

/* Is something lost that was not sent again, and may it be? */
static inline bool repair_waits(const struct tern_traffic *x)
{
	const struct tern_repairs *r = &x->repair;

	return x->flight.lost > x->flight.again && !r->hold && !r->new_first;
}

/* The first burst that is lost and was not sent again; 0 if there is none. */
static uint32_t first_lost(struct turn u)
{
	struct tern_flight *f = &u.x->flight;
	uint32_t idx = f->cursor ? f->cursor : f->head;

	for (; idx; idx = tern_burst_at(u.t, u.x, idx)->next) {
		const struct tern_burst *burst = tern_burst_at(u.t, u.x, idx);

		if ((burst->flags & (TERN_BURST_LOST | TERN_BURST_SACKED | TERN_BURST_AGAIN)) ==
		    TERN_BURST_LOST)
			break;
	}
	f->cursor = idx;
	return idx;
}

/*
 * How many bytes of a burst the peer's window takes. What is first in flight is sent whatever the
 * window is: it serves as a probe.
 */
static uint32_t bytes_in_window(const struct tern_conn *c, const struct tern_burst *burst,
				uint32_t bytes)
{
	uint32_t mss = c->cc.mss, ahead = burst->seq - c->snd.una;
	uint32_t room = c->snd.wnd > ahead ? c->snd.wnd - ahead : 0;

	/* RFC9293:SHLD-16 */
	if (!room)
		return burst->seq == c->snd.una ? TERN_MIN(bytes, mss) : 0;
	if (bytes <= room)
		return bytes;
	return room > mss ? room / mss * mss : room;
}

/* Does a record of the application end with the first of two bursts? */
static bool ends_record(struct turn u, const struct tern_burst *first,
			const struct tern_burst *second)
{
	uint32_t len = second->end - first->seq;

	return u.x->send.records &&
	       tern_chain_record(&u.t->bufs, &u.x->send.chain, 0, first->seq, len) < len;
}

/* Small segments behind a small one go with it. */
static void collapse(struct turn u, uint32_t idx)
{
	struct tern_flight *f = &u.x->flight;
	const struct tern_burst *burst = tern_burst_at(u.t, u.x, idx), *next;

	while (burst->next && burst->count == 1) {
		next = tern_burst_at(u.t, u.x, burst->next);
		if (next->count > 1 || (next->flags & TERN_BURST_SACKED) ||
		    tern_burst_bytes(burst) + tern_burst_bytes(next) > u.c->cc.mss ||
		    next->end - u.c->snd.una > u.c->snd.wnd || ends_record(u, burst, next))
			return;
		tern_flight_join(u.t, f, idx);
		if (!tern_conn_sacks(u.c) && f->sacked) /* one that a duplicate stood for */
			f->sacked--;
	}
}

/* What has to be known once a burst goes again. */
static void sent_again(struct turn u, uint32_t idx, struct tern_burst *burst)
{
	struct tern_conn *c = u.c;
	struct tern_repairs *r = &u.x->repair;

	tern_flight_sent_again(&u.x->flight, burst, u.t->now, c->totals.delivered);
	if (!r->again) {
		r->again = true;
		r->again_ts = u.t->now_ms + c->ts.offset;
	}
	r->undo_again = TERN_MAX(r->undo_again, 0) + (int32_t)burst->count;
	if (tern_recovery_reduces(r))
		r->prr_out += burst->count;
	count_retransmission(u, r->state == TERN_CA_LOSS ? TERN_CNT_TcpExtTCPSlowStartRetrans
							 : TERN_CNT_TcpExtTCPFastRetrans);
	if (idx == u.x->flight.head && u.x->due != TERN_DUE_REORDER)
		tern_timers_timeout_in(u.t, u.idx, c, u.x, tern_rto_ns(u.t, c, u.x));
}

/* The segment of a burst: its first `len` bytes, which are all of it unless it is cut there. */
static struct tern_burst *build_burst(struct turn u, uint32_t idx, uint32_t len)
{
	struct tern_burst *burst = tern_burst_at(u.t, u.x, idx);
	uint32_t bytes = tern_burst_bytes(burst);

	start(u, burst->seq, TERN_ACK);
	if (len)
		len = attach(u, &u.x->send.at_rtx, burst->seq, len);
	if (len < bytes)
		tern_flight_split(u.t, &u.x->flight, idx, burst->seq + len);
	if (len == bytes && (burst->flags & TERN_BURST_FIN))
		u.tx->seg.flags |= TERN_FIN;
	if (u.tx->gso_size || (len && len == bytes && (burst->flags & TERN_BURST_PSH)))
		u.tx->seg.flags |= TERN_PSH;
	u.c->totals.data_segs_out += len ? segments(u) : 0;
	acknowledge(u);
	return burst;
}

/* What is lost goes again, as far as both windows have room for it. */
static TERN_OUTLINE bool build_repair(struct turn u)
{
	struct tern_conn *c = u.c;
	uint32_t idx = first_lost(u), room = tern_allowed_segments(u.t, u.c, u.x), bytes, len;
	struct tern_burst *burst;

	if (!idx || !room)
		return false;
	collapse(u, idx);
	burst = tern_burst_at(u.t, u.x, idx);
	bytes = tern_burst_bytes(burst);
	len = bytes_in_window(c, burst, bytes);
	if (!len && bytes)
		return false;
	len = TERN_MIN(len, TERN_MIN(room * c->cc.mss, tern_allowed_payload(u.t, c)));
	u.x->send.at_rtx = 0;
	burst = build_burst(u, idx, len);
	sent_again(u, idx, burst);
	return true;
}

/* Bookkeeping of new data that has left. */
static void sent_data(struct turn u, uint32_t len)
{
	struct tern_conn *c = u.c;

	if (len % c->cc.mss) {
		u.x->send.small = c->snd.nxt;
		u.x->send.small_out = true;
	}
	if (c->snd_ms - c->rcv_ms < PINGPONG_MS && c->totals.data_segs_in)
		c->flags |= TERN_CF_PINGPONG;
	tern_total_add(&c->totals.bytes_sent, &c->totals.sent_high, len);
	c->totals.data_segs_out += segments(u);
	tern_count_n(u.t->trace, TERN_CNT_TcpExtTCPOrigDataSent, segments(u));
}

/* Bookkeeping of n new sequence numbers that leave in some segments. */
TERN_INLINE void sent_new(struct turn u, uint32_t n, uint32_t count, unsigned int flags)
{
	struct tern_conn *c = u.c;
	struct tern_repairs *r = &u.x->repair;

	fly(u, c->snd.nxt, n, count, flags);
	c->snd.nxt += n;
	c->snd_ms = u.t->now_ms;
	if (TERN_UNLIKELY(r->state))
		r->prr_out += count;
	tern_count_n(u.t->trace, TERN_CNT_TcpOutSegs, count);
	tern_timers_sent(u.t, u.idx, c, u.x);
}

/* Does the peer's window have room for a FIN behind len bytes of new data? */
static inline bool fin_fits(const struct tern_conn *c, uint32_t len)
{
	return c->snd.nxt + len + 1 - c->snd.una <= c->snd.wnd;
}

/* New data, of which some is available, and the FIN behind the last of it. */
TERN_INLINE void send_data(struct turn u, struct tern_allowed allowed, uint32_t available)
{
	struct tern_conn *c = u.c;
	unsigned int flags = 0;
	uint32_t len;
	bool fin = false;

	start(u, c->snd.nxt, TERN_ACK);
	len = attach(u, &u.x->send.at_nxt, c->snd.nxt, allowed.len);
	if (TERN_UNLIKELY(c->marks & TERN_MARK_ECN))
		tern_ecn_mark_data(c, u.tx);
	if (u.tx->gso_size || c->snd.nxt + len == u.x->send.push ||
	    (allowed.push && len == allowed.len)) {
		/* RFC9293:MUST-61 */
		u.tx->seg.flags |= TERN_PSH;
		flags |= TERN_BURST_PSH;
	}
	if (len == available)
		fin = (c->flags & TERN_CF_FIN_QUEUED) && fin_fits(c, len);
	if (fin) {
		u.tx->seg.flags |= TERN_FIN;
		flags |= TERN_BURST_FIN;
		c->flags |= TERN_CF_FIN_SENT;
	}
	/* RFC9293:U-4 */
	acknowledge(u);
	sent_new(u, len + fin, segments(u), flags);
	tern_allowed_used(c, u.x, tern_flight_pipe(&u.x->flight) >= tern_cc_segments(&c->cc));
	if (TERN_UNLIKELY(c->flags & TERN_CF_NOSPACE) && len == available &&
	    !tern_allowed_is_used(c, u.x))
		tern_busy_begin(u.t, c, &u.x->send, TERN_BUSY_BUFFER);
	sent_data(u, len);
}

/* New data, as much as may leave now; more, if the persist timer has waited long enough. */
static TERN_OUTLINE bool build_data(struct turn u, uint32_t available)
{
	bool force = (u.c->flags & TERN_CF_PROBE) && u.x->due == TERN_DUE_PERSIST;
	struct tern_allowed allowed = tern_allowed_new(u.t, u.c, u.x, available, force);

	if (!allowed.len)
		return false;
	u.c->flags &= ~(uint32_t)TERN_CF_PROBE;
	send_data(u, allowed, available);
	return true;
}

/* New data, or a FIN alone. */
TERN_INLINE bool build_new(struct turn u)
{
	struct tern_conn *c = u.c;
	tern_seq data_end = c->snd.una + u.x->send.bytes;

	if ((c->flags & TERN_CF_FIN_SENT) || tern_seq_gt(c->snd.nxt, data_end))
		return false;
	if (c->snd.nxt != data_end)
		return build_data(apart(u), data_end - c->snd.nxt);
	if (!(c->flags & TERN_CF_FIN_QUEUED) || !fin_fits(c, 0))
		return false;
	start(u, c->snd.nxt, TERN_ACK | TERN_FIN);
	c->flags |= TERN_CF_FIN_SENT;
	acknowledge(u);
	sent_new(u, 1, 1, TERN_BURST_FIN);
	return true;
}

/* The last segment in flight, once more: it draws an ACK that tells what is missing. */
static bool build_tail(struct turn u)
{
	struct tern_flight *f = &u.x->flight;
	struct tern_burst *burst = tern_burst_at(u.t, u.x, f->tail);
	uint32_t bytes = tern_burst_bytes(burst), before = (burst->count - 1) * burst->size;

	if (burst->count > 1 && bytes > before)
		tern_flight_split(u.t, f, f->tail, burst->seq + before);
	u.x->send.at_rtx = 0;
	burst = tern_burst_at(u.t, u.x, f->tail);
	burst = build_burst(u, f->tail, TERN_MIN(tern_burst_bytes(burst), u.c->cc.mss));
	burst->flags |= TERN_BURST_EVER_AGAIN;
	burst->sent_ns = u.t->now;
	burst->delivered = u.c->totals.delivered;
	count_retransmission(u, TERN_CNT_TcpExtTCPLossProbes);
	return true;
}

/* A loss probe: a segment of new data on top of the window, or the last one again. */
static TERN_OUTLINE bool build_loss_probe(struct turn u)
{
	struct tern_conn *c = u.c;
	struct tern_repairs *r = &u.x->repair;
	tern_seq data_end = c->snd.una + u.x->send.bytes;
	uint32_t unsent = tern_seq_gt(data_end, c->snd.nxt) ? data_end - c->snd.nxt : 0;
	struct tern_allowed allowed =
		tern_allowed_record(u.t, u.x, c->snd.nxt, TERN_MIN(unsent, c->cc.mss));

	r->probe_due = false;
	if (!u.x->flight.tail)
		return false;
	r->probe_again = !allowed.len || c->snd.nxt + allowed.len - c->snd.una > c->snd.wnd;
	if (r->probe_again) {
		build_tail(u);
	} else {
		tern_count(u.t->trace, TERN_CNT_TcpExtTCPLossProbes);
		send_data(u, allowed, unsent);
	}
	r->probing = true;
	r->probe_end = c->snd.nxt;
	tern_timers_timeout_in(u.t, u.idx, c, u.x, tern_rto_ns(u.t, c, u.x));
	return true;
}

/* A probe of the window or of the peer's life: an old sequence number, no data. */
static TERN_OUTLINE bool build_probe(struct turn u)
{
	struct tern_conn *c = u.c;
	struct tern_traffic *x = u.x;
	bool persist = x && x->due == TERN_DUE_PERSIST;

	c->flags &= ~(uint32_t)TERN_CF_PROBE;
	if (c->snd.una != c->snd.nxt) /* what left meanwhile asks as much */
		return false;
	/* RFC9293:MUST-36 RFC9293:SHLD-12 RFC9293:MAY-5 */
	start(u, c->snd.una - 1, TERN_ACK);
	acknowledge(u);
	if (c->marks & TERN_MARK_URGENT) /* of the probe itself the peer takes nothing */
		c->flags |= TERN_CF_ACK_NOW;
	tern_count(u.t->trace, TERN_CNT_TcpOutSegs);
	if (!persist) {
		tern_count(u.t->trace, TERN_CNT_TcpExtTCPKeepAlive);
		return true;
	}
	tern_count(u.t->trace, TERN_CNT_TcpExtTCPWinProbe);
	if (c->patience.retries < UINT8_MAX)
		c->patience.retries++;
	if (c->patience.keep_probes < UINT8_MAX)
		c->patience.keep_probes++;
	tern_timers_blocked(u.t, u.idx, c, x);
	return true;
}

/* BSD's way: until our FIN is acknowledged it goes along with every ACK but challenges. */
TERN_COLD static void repeat_fin(struct turn u)
{
	bool challenge = u.x && u.x->challenge;

	if (u.x)
		u.x->challenge = false;
	if (challenge || !tern_state_in(u.c->state, FIN_STATES))
		return;
	u.tx->seg.seq--;
	u.tx->seg.flags |= TERN_FIN;
	if (u.x)
		/* Karn: which of them will be acknowledged? */
		tern_burst_at(u.t, u.x, u.x->flight.tail)->flags |= TERN_BURST_EVER_AGAIN;
}

/* SACK blocks: what came twice, and what came early, latest first (RFC 2018 §4, RFC 2883 §4). */
static TERN_OUTLINE void report(struct turn u)
{
	struct tern_recv_queue *q = &u.x->recv;
	struct tern_tcp_options *opt = &u.tx->seg.opt;
	unsigned int max = u.c->options & TERN_OPT_TS ? 3 : 4, blocks = 0;

	if (q->twice_left != q->twice_right) {
		opt->sack[blocks++] = (struct tern_sack_block){ q->twice_left, q->twice_right };
		q->twice_left = q->twice_right;
	}
	blocks += tern_reass_blocks(u.t, u.x, opt->sack + blocks, max - blocks);
	if (!blocks)
		return;
	opt->present |= TERN_OPT_SACK;
	opt->sack_count = (uint8_t)blocks;
}

/* An ACK alone, with what came early if the peer wants to know. */
TERN_INLINE bool build_ack(struct turn u)
{
	struct tern_conn *c = u.c;

	start(u, c->snd.nxt, TERN_ACK);
	if (TERN_UNLIKELY(c->flags & TERN_CF_FIN_SENT) && u.t->knobs->tern_fin_again)
		repeat_fin(apart(u));
	if (u.x && (c->options & TERN_OPT_SACKOK) &&
	    TERN_UNLIKELY(u.x->recv.reass || u.x->recv.twice_left != u.x->recv.twice_right))
		report(apart(u));
	acknowledge(u);
	if (u.x && u.x->dup_acks)
		u.x->dup_acks--;
	tern_count(u.t->trace, TERN_CNT_TcpOutSegs);
	return true;
}

/*
 * New data and FIN of an early child, before its handshake is complete. They stand behind the SYN,
 * which is still to be acknowledged.
 */
TERN_COLD static bool build_early(struct turn u)
{
	struct tern_flight *f = &u.x->flight;
	struct tern_burst *syn = tern_burst_at(u.t, u.x, f->head);
	bool built;

	/* The SYN-ACK takes no room of the congestion window. */
	if (syn->count && !(syn->flags & TERN_BURST_LOST)) {
		f->packets -= syn->count;
		syn->count = 0;
	}
	u.c->snd.una++;
	built = build_new(u);
	u.c->snd.una--;
	return built;
}

/* Where something is lost, or silence calls for a probe: that, and new data. */
static TERN_OUTLINE bool build_repairing(struct turn u)
{
	struct tern_repairs *r = &u.x->repair;

	if (r->probe_due && build_loss_probe(u))
		return true;
	if ((repair_waits(u.x) && build_repair(u)) || build_new(u))
		return true;
	if (!r->new_first || tern_seq_gt(u.c->snd.nxt, r->high))
		return false;
	r->frto = false; /* it asked for new data, and none could leave */
	r->new_first = false;
	return repair_waits(u.x) && build_repair(u);
}

TERN_INLINE bool build(struct turn u)
{
	struct tern_conn *c = u.c;

	if (tern_state_in(c->state, SYN_STATES)) {
		if (TERN_UNLIKELY(c->fastopen & TERN_FO_DEFERRED))
			return false;
		if (u.x && build_syn(u))
			return true;
		if (TERN_UNLIKELY(c->flags & TERN_CF_EARLY) && build_early(apart(u)))
			return true;
		return c->state == TERN_SYN_RECEIVED && (c->flags & TERN_CF_ACK_NOW) &&
		       build_ack(u);
	}
	if (u.x && TERN_UNLIKELY(u.x->flight.lost | u.x->repair.probe_due)) {
		if (build_repairing(apart(u)))
			return true;
	} else if (u.x && build_new(u)) {
		return true;
	}
	if ((c->flags & TERN_CF_PROBE) && build_probe(apart(u)))
		return true;
	if ((c->flags & TERN_CF_ACK_NOW) || (u.x && u.x->dup_acks))
		return build_ack(u);
	return false;
}

/*
 * The reset of a dead record that found no place among the replies. A record that nobody holds is
 * given back with it: tx goes on pointing to its addresses, which are there until the next one is.
 */
TERN_COLD static void build_reset(struct turn u)
{
	struct tern_conn *c = u.c;

	start(u, c->snd.nxt, TERN_RST | TERN_ACK);
	u.tx->seg.wnd = (uint16_t)TERN_MIN((c->rcv.adv - c->rcv.nxt) >> c->rcv_wscale, 65535u);
	tern_count(u.t->trace, TERN_CNT_TcpOutRsts);
	c->flags &= ~(uint32_t)TERN_CF_RST_OWED;
	if (!(c->flags & (TERN_CF_OWNED | TERN_CF_IN_ACCEPTQ)))
		tern_conn_free_at(u.t, u.idx, c);
}

/* Nothing (more) to send now: does something wait for the peer's window or for a cork? */
static TERN_OUTLINE void wait_for_room(struct turn u)
{
	struct tern_conn *c = u.c;

	c->flags &= ~(uint32_t)TERN_CF_MORE; /* the send that said so is over */
	if (u.x && c->snd.una == c->snd.nxt && tern_state_in(c->state, TERN_STATES_SYNCHRONIZED) &&
	    !(c->flags & TERN_CF_FIN_SENT) && (u.x->send.bytes || (c->flags & TERN_CF_FIN_QUEUED)))
		/* RFC9293:MUST-35 RFC9293:MUST-36 */
		tern_timers_blocked(u.t, u.idx, c, u.x);
	tern_conn_rest(u.t, c);
}

/*
 * Is it plain, without asking build() once more, that nothing is left to send? To say no is never
 * wrong.
 */
TERN_INLINE bool is_done(struct turn u)
{
	const struct tern_conn *c = u.c;
	const struct tern_traffic *x = u.x;

	if (c->flags & (TERN_CF_ACK_NOW | TERN_CF_PROBE | TERN_CF_EARLY))
		return false;
	if (!x)
		return true;
	if (x->dup_acks | x->flight.lost | x->repair.probe_due)
		return false;
	if (c->flags & TERN_CF_FIN_QUEUED)
		return (c->flags & TERN_CF_FIN_SENT) != 0;
	return tern_seq_ge(c->snd.nxt, c->snd.una + x->send.bytes);
}

bool tern_tcp_output(struct tern_tcp *t, struct tern_tx *tx)
{
	uint32_t idx;

	while ((idx = t->out.head)) {
		struct tern_conn *c = tern_conn_at(t, idx);
		struct turn u = { t, idx, c, tern_conn_traffic(t, c), tx };

		if (build(u)) {
			if (is_done(u)) {
				tern_conn_end_output(t, c);
				if (c->traffic && c->snd.una == c->snd.nxt)
					tern_conn_rest_traffic(t, c);
			} else if (t->out.tail != idx) {
				tern_list_remove(&t->out, &t->conns, OUT_LINK, idx);
				tern_list_push_back(&t->out, &t->conns, OUT_LINK, idx);
			}
			return true;
		}
		tern_conn_end_output(t, c);
		if (TERN_UNLIKELY(c->flags & TERN_CF_RST_OWED)) {
			build_reset(apart(u));
			return true;
		}
		wait_for_room(apart(u));
	}
	return false;
}
