/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/invariants.c: every check is a line that names what must hold; the first that does not is
 * the answer.
 */
#include "harness/invariants.h"

#include "tcp/fastopen.h"
#include "tcp/reass.h"
#include "tcp/window.h"
#include "tcp/recovery.h"

#define SYN_STATES (TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED))

#define MUST(what)                    \
	do {                          \
		if (!(what))          \
			return #what; \
	} while (0)

/* What the connections of a stack have in all. */
struct sums {
	uint64_t bytes;
	uint32_t traffics, reass, timers, orphans, early;
};

/* A chain follows on from first to end, and *ret_size is what it costs. */
static const char *check_chain(const struct tern_bufs *b, const struct tern_chain *chain,
			       tern_seq first, uint32_t bytes, uint64_t *ret_size)
{
	tern_seq at = first;

	*ret_size = 0;
	MUST(!chain->head == !bytes && !chain->tail == !bytes);
	for (uint32_t i = chain->head; i; i = tern_buf_at(b, i)->next) {
		const struct tern_buf *buf = tern_buf_at(b, i);

		MUST(buf->len > 0 && buf->len <= buf->cap);
		MUST(i != chain->head ? buf->seq == at : tern_seq_in(first, buf->seq, buf->len));
		MUST(buf->next || i == chain->tail);
		at = buf->seq + buf->len;
		*ret_size += tern_buf_size(b, i);
	}
	MUST(at == first + bytes);
	return NULL;
}

static const char *check_early(const struct tern_tcp *t, const struct tern_conn *c,
			       const struct tern_traffic *x, uint64_t *size)
{
	const struct tern_reass *r;
	tern_seq before = c->rcv.nxt;
	uint32_t bytes = 0;

	MUST(x->recv.reass || !x->recv.early_bytes);
	if (!x->recv.reass)
		return NULL;
	r = tern_pool_at(&t->reass, x->recv.reass);
	MUST(r->count || r->fin);
	MUST(r->count <= TERN_REASS_RANGES);
	for (unsigned int i = 0; i < r->count; i++) {
		const struct tern_range *range = &r->range[i];
		uint32_t len = range->right - range->left;
		uint64_t cost;
		const char *wrong = check_chain(&t->bufs, &range->chain, range->left, len, &cost);

		if (wrong)
			return wrong;
		MUST(tern_seq_gt(range->left, before));
		/* one that came while nothing waited may have reached beyond the window */
		MUST(len > 0 && tern_seq_lt(range->right, tern_window_edge(c, x) + 65535));
		before = range->right;
		bytes += len;
		*size += cost;
	}
	MUST(bytes == x->recv.early_bytes);
	return NULL;
}

static const char *check_queues(const struct tern_tcp *t, const struct tern_conn *c,
				const struct tern_traffic *x, struct sums *sums)
{
	bool syn = tern_state_in(c->state, SYN_STATES) && c->snd.una == c->snd.iss;
	bool fin = c->flags & TERN_CF_FIN_RCVD;
	uint64_t size;
	const char *wrong;

	wrong = check_chain(&t->bufs, &x->send.chain, c->snd.una + syn, x->send.bytes, &size);
	if (wrong)
		return wrong;
	MUST(size == x->wmem);
	wrong = check_chain(&t->bufs, &x->recv.chain, x->recv.read, x->recv.bytes, &size);
	if (!wrong)
		wrong = check_early(t, c, x, &size);
	if (wrong)
		return wrong;
	MUST(size == x->rmem);
	if (x->recv.bytes)
		MUST(x->recv.read + x->recv.bytes + fin == c->rcv.nxt);
	sums->bytes += x->rmem + x->wmem;
	sums->traffics++;
	sums->reass += x->recv.reass != 0;
	return NULL;
}

static const char *check_numbers(const struct tern_conn *c, const struct tern_traffic *x,
				 struct invariants_past *past)
{
	bool syn = c->snd.una == c->snd.iss, fin = c->flags & TERN_CF_FIN_SENT;
	uint32_t flight = c->snd.nxt - c->snd.una;

	MUST(flight < 1u << 30);
	MUST(tern_seq_ge(c->snd.una, c->snd.iss));
	MUST(flight <= (x ? x->send.bytes : 0) + syn + fin);
	MUST(tern_seq_ge(c->rcv.adv, c->rcv.nxt) || c->state == TERN_SYN_SENT);
	MUST(!(c->state == TERN_SYN_SENT) || flight <= 1u + (x ? x->early.syn_data : 0));
	MUST(!(c->flags & TERN_CF_EARLY) || (c->state == TERN_SYN_RECEIVED && x && x->early.queue));
	if (!tern_state_in(c->state, TERN_STATES_SYNCHRONIZED))
		return NULL;
	MUST(tern_seq_le(c->rcv.acked, c->rcv.nxt));
	MUST(c->cc.mss > 0 && c->cc.cwnd >= c->cc.mss && c->cc.ssthresh >= 2 * c->cc.mss);
	if (past->stood) {
		MUST(tern_seq_ge(c->snd.una, past->una));
		MUST(tern_seq_ge(c->snd.nxt, past->nxt));
		MUST(tern_seq_ge(c->rcv.nxt, past->rcv_nxt));
		MUST(tern_seq_ge(tern_window_edge(c, x), past->adv));
		MUST(c->snd.nxt == past->nxt || tern_seq_le(c->snd.nxt, past->edge));
	}
	past->edge = past->stood ? tern_seq_max(past->edge, c->snd.una + c->snd.wnd)
				 : c->snd.una + c->snd.wnd;
	past->una = c->snd.una;
	past->nxt = c->snd.nxt;
	past->rcv_nxt = c->rcv.nxt;
	past->adv = tern_window_edge(c, x);
	past->stood = true;
	return NULL;
}

/* The bursts are what is in flight, in order, and the sums are theirs. */
static const char *check_flight(const struct tern_tcp *t, const struct tern_conn *c,
				const struct tern_traffic *x)
{
	const struct tern_flight *f = &x->flight;
	uint32_t packets = 0, sacked = 0, lost = 0, again = 0, bursts = 0;
	tern_seq at = c->snd.una;

	for (uint32_t idx = f->head; idx; idx = tern_burst_of(t, f, idx)->next) {
		const struct tern_burst *b = tern_burst_of(t, f, idx);

		MUST(b->seq == at && tern_seq_gt(b->end, b->seq));
		/* The SYN-ACK of an early child is none of its segments. */
		MUST((b->count || (b->flags & TERN_BURST_SYN)) && b->sent_ns <= t->now);
		MUST(b->next || idx == f->tail);
		MUST(!(b->flags & TERN_BURST_SACKED) || !(b->flags & TERN_BURST_LOST));
		at = b->end;
		bursts++;
		packets += b->count;
		sacked += b->flags & TERN_BURST_SACKED ? b->count : 0;
		lost += b->flags & TERN_BURST_LOST ? b->count : 0;
		again += b->flags & TERN_BURST_AGAIN ? b->count : 0;
	}
	MUST(!f->head || at == c->snd.nxt);
	MUST(bursts == f->bursts && bursts <= TERN_BURSTS_MAX);
	MUST(packets == f->packets && lost == f->lost && again == f->again);
	if (tern_conn_sacks(c))
		MUST(sacked == f->sacked);
	MUST(f->sacked + f->lost <= f->packets + f->again);
	return NULL;
}

static const char *check_repair(const struct tern_tcp *t, const struct tern_conn *c,
				const struct tern_traffic *x)
{
	const struct tern_repairs *r = &x->repair;
	uint32_t head = x->flight.head;
	/* All that was to be repaired has arrived, what is next was SACKed, and the ACK stops short
	   of it: whether the peer threw it away is about to show. */
	bool may_be_reneged = head &&
			      (tern_burst_of(t, &x->flight, head)->flags & TERN_BURST_SACKED);

	MUST(r->state <= TERN_CA_LOSS);
	if (!tern_state_in(c->state, TERN_STATES_SYNCHRONIZED))
		return NULL;
	MUST(tern_seq_le(r->high, c->snd.nxt));
	if (r->state >= TERN_CA_RECOVERY && tern_conn_sacks(c) && !may_be_reneged)
		MUST(tern_seq_gt(r->high, c->snd.una));
	return NULL;
}

/* Is there, beside what is in flight or waits, what a traffic record is kept for? */
static bool is_of_use(const struct tern_traffic *x)
{
	return x->repair.state || x->repair.undo || x->repair.probing || x->recv.bytes ||
	       x->recv.reass || x->credit.less || x->delack_ns != TERN_NEVER;
}

/* Called when nothing is left to send: then each timer runs that has to, and no other. */
static const char *check_timers(const struct tern_stack *st, uint32_t idx,
				const struct tern_conn *c, const struct tern_traffic *x)
{
	const struct tern_wheel *w = &st->tcp.wheel;
	bool flight = c->snd.una != c->snd.nxt;
	bool waits = x && (x->send.bytes || (c->flags & TERN_CF_FIN_QUEUED)) &&
		     !(c->flags & TERN_CF_FIN_SENT);
	uint64_t now = st->tcp.now, due;

	MUST(!(c->flags & TERN_CF_OUT));
	MUST(c->rtt.rto_us <= 120000000);
	if (!x) {
		MUST(!flight);
		return NULL;
	}
	if (flight)
		MUST(x->rexmt_ns != TERN_NEVER && x->due != TERN_DUE_PERSIST);
	else if (waits)
		MUST(x->rexmt_ns != TERN_NEVER && x->due == TERN_DUE_PERSIST);
	else
		MUST(x->rexmt_ns == TERN_NEVER);
	MUST(x->delack_ns == TERN_NEVER || x->delack_ns <= now + 500000000);
	MUST(!x->dup_acks && !(c->flags & (TERN_CF_ACK_NOW | TERN_CF_PROBE)));
	MUST(flight || waits || is_of_use(x));
	due = TERN_MIN(x->rexmt_ns, x->delack_ns);
	if (due != TERN_NEVER)
		MUST(tern_wheel_armed(w, idx) && tern_wheel_when(w, idx) < due + 2 * TERN_TICK_NS);
	return NULL;
}

static const char *check_conn(struct invariants *inv, const struct tern_stack *st, uint32_t idx,
			      bool drained, struct sums *sums)
{
	const struct tern_tcp *t = &st->tcp;
	const struct tern_conn *c = tern_conn_at(t, idx);
	const struct tern_traffic *x = tern_conn_traffic(t, c);
	struct invariants_past *past = &inv->past[idx % INVARIANTS_CONNS];
	struct tern_flow flow;
	const char *wrong;

	sums->timers += tern_wheel_armed(&t->wheel, idx);
	sums->orphans += (c->flags & TERN_CF_ORPHAN) != 0;
	sums->early += (c->flags & TERN_CF_EARLY) != 0;
	if (past->gen != c->gen)
		*past = (struct invariants_past){ .gen = c->gen };
	wrong = x ? check_queues(t, c, x, sums) : NULL;
	if (wrong || !(c->flags & TERN_CF_HASHED))
		return wrong;
	tern_conn_flow(c, &flow);
	MUST(tern_conn_find(t, tern_flow_hash(t->map_key, &flow), &flow) == idx);
	wrong = check_numbers(c, x, past);
	if (!wrong && x)
		wrong = check_flight(t, c, x);
	if (!wrong && x)
		wrong = check_repair(t, c, x);
	if (!wrong && drained)
		wrong = check_timers(st, idx, c, x);
	return wrong;
}

/* Fast Open: a listener counts its early children, and resets for a minute. */
static const char *check_fastopen(const struct tern_tcp *t, uint32_t early)
{
	uint32_t idx = 0, children = 0;

	while ((idx = tern_pool_next(&t->fastopen.queues, idx))) {
		const struct tern_fastopen_queue *q = tern_pool_at(&t->fastopen.queues, idx);
		uint32_t resets = 0;

		MUST(q->owned || q->children);
		MUST(q->resets <= TERN_FASTOPEN_RESETS);
		for (uint32_t i = 0; i < q->resets; i++)
			resets += q->reset[(q->first_reset + i) % TERN_FASTOPEN_RESETS].count;
		MUST(q->pending == q->children + resets);
		MUST(q->pending <= q->max);
		children += q->children;
	}
	MUST(children == early);
	return NULL;
}

const char *invariants_check(struct invariants *inv, const struct tern_stack *st, bool drained,
			     uint32_t *ret_conn)
{
	const struct tern_tcp *t = &st->tcp;
	struct sums sums = { 0 };
	uint32_t idx = 0;

	while ((idx = tern_pool_next(&t->conns, idx))) {
		const char *wrong = check_conn(inv, st, idx, drained, &sums);

		*ret_conn = idx;
		if (wrong)
			return wrong;
	}
	*ret_conn = 0;
	MUST(sums.bytes == t->bufs.used);
	MUST(sums.traffics == tern_tcp_traffics(t));
	MUST(sums.reass == t->reass.used);
	MUST(sums.timers == t->wheel.count);
	MUST(sums.orphans == t->orphans);
	MUST(t->bufs.used <= t->bufs.limit);
	return check_fastopen(t, sums.early);
}
