/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Fast Open at the server (RFC 7413 §4.2). A SYN whose cookie is ours makes a connection at once,
 * an early child: in SYN-RECEIVED, in the accept queue, with the SYN's data to be read, and it may
 * send before its handshake is complete (TERN_CF_EARLY). The room syn asks tern_fastopen_judge()
 * and makes the child by tern_tcp_adopt().
 *
 * A cookie is a keyed hash of both addresses, so it says one thing: whoever sends it has once
 * received a segment of ours at that address. It keeps forged sources away (attack H01), but a
 * client may give it to others, or lose it to who listens: so early children are counted against
 * the listener's limit until their handshake is complete, and one that is reset, as who never sent
 * the SYN would do, counts for a minute longer (H02; Linux does the same). At the limit there is no
 * Fast Open: the handshake is an ordinary one, and no cookie is checked or made.
 *
 * Keys are those of the socket, of the knob, or drawn when first needed. The first is in use; a
 * cookie of the second is taken and a new one sent.
 *
 * What a listener knows of all this is a record of its own, struct tern_fastopen_queue, to which
 * its early children refer through their traffic record.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/siphash.h"
#include "tcp/input.h"

#define RESET_COUNTS_NS (60 * UINT64_C(1000000000))

int tern_fastopen_init(struct tern_tcp *t, uint32_t queues_max)
{
	return tern_pool_init(&t->fastopen.queues, t->mem, sizeof(struct tern_fastopen_queue),
			      queues_max);
}

static struct tern_fastopen_queue *queue_at(const struct tern_tcp *t, uint32_t idx)
{
	return tern_pool_at(&t->fastopen.queues, idx);
}

struct tern_fastopen_queue *tern_fastopen_queue(const struct tern_tcp *t, const struct tern_conn *c)
{
	return tern_conn_is_passive(c) && c->passive.fastopen ? queue_at(t, c->passive.fastopen)
							      : NULL;
}

/* The same, made if there is none. NULL when the table or the memory is full. */
static struct tern_fastopen_queue *need_queue(struct tern_tcp *t, struct tern_conn *c)
{
	struct tern_fastopen_queue *q = tern_fastopen_queue(t, c);
	uint32_t idx = q || !tern_conn_is_passive(c) ? 0 : tern_pool_get(&t->fastopen.queues);

	if (idx) {
		q = queue_at(t, idx);
		*q = (struct tern_fastopen_queue){ .owned = true };
		c->passive.fastopen = idx;
	}
	if (!q)
		tern_count(t->trace, TERN_CNT_TernAllocFailures);
	return q;
}

/* Frees a record that nobody refers to. */
static void put_queue(struct tern_tcp *t, uint32_t idx)
{
	const struct tern_fastopen_queue *q = queue_at(t, idx);

	if (!q->owned && !q->children)
		tern_pool_put(&t->fastopen.queues, idx);
}

int tern_fastopen_set_max(struct tern_tcp *t, struct tern_conn *c, uint32_t max)
{
	struct tern_fastopen_queue *q = max ? need_queue(t, c) : tern_fastopen_queue(t, c);

	if (!q)
		return max ? -ENOBUFS : 0;
	q->max = TERN_MIN(max, t->knobs->somaxconn);
	return 0;
}

void tern_fastopen_listen(struct tern_tcp *t, struct tern_conn *c, uint32_t backlog)
{
	const uint32_t every = TERN_FASTOPEN_EVERY_LISTENER | TERN_FASTOPEN_SERVER;
	const struct tern_fastopen_queue *q = tern_fastopen_queue(t, c);

	if ((t->knobs->tcp_fastopen & every) == every && !(q && q->max))
		(void)tern_fastopen_set_max(t, c, backlog);
}

void tern_fastopen_forget(struct tern_tcp *t, struct tern_conn *c)
{
	struct tern_fastopen_queue *q = tern_fastopen_queue(t, c);
	uint32_t idx = c->passive.fastopen;

	if (!q)
		return;
	c->passive.fastopen = 0;
	q->owned = false;
	put_queue(t, idx);
}

/* ---- keys ---- */

static void own_key(struct tern_tcp *t)
{
	struct tern_fastopen *f = &t->fastopen;

	if (!f->key_made)
		tern_rng_bytes(t->rng, f->key, sizeof(f->key));
	f->key_made = true;
}

/* Key i of those that are in force, or NULL. */
static const uint32_t *key_at(struct tern_tcp *t, const struct tern_fastopen_queue *q,
			      unsigned int i)
{
	const struct tern_knobs *k = t->knobs;

	if (q && q->keys)
		return i < q->keys ? q->key[i] : NULL;
	if (k->tcp_fastopen_key_count) {
		if (i >= k->tcp_fastopen_key_count)
			return NULL;
		return i ? k->tcp_fastopen_key_backup : k->tcp_fastopen_key;
	}
	own_key(t);
	return i ? NULL : t->fastopen.key;
}

int tern_fastopen_set_keys(struct tern_tcp *t, struct tern_conn *c, const uint8_t *keys, size_t len)
{
	struct tern_fastopen_queue *q;

	if (!tern_conn_is_passive(c) ||
	    (len != TERN_FASTOPEN_KEY && len != TERN_FASTOPEN_KEYS * TERN_FASTOPEN_KEY))
		return -EINVAL;
	q = need_queue(t, c);
	if (!q)
		return -ENOBUFS;
	for (size_t i = 0; i < len; i += 4)
		q->key[i / TERN_FASTOPEN_KEY][i / 4 % 4] = tern_flow_le32(keys + i);
	q->keys = (uint8_t)(len / TERN_FASTOPEN_KEY);
	return 0;
}

size_t tern_fastopen_get_keys(struct tern_tcp *t, const struct tern_conn *c, uint8_t *keys,
			      size_t cap)
{
	const struct tern_fastopen_queue *q = tern_fastopen_queue(t, c);
	const uint32_t *key;
	size_t len = 0;

	for (unsigned int i = 0; i < TERN_FASTOPEN_KEYS && (key = key_at(t, q, i)); i++)
		for (unsigned int b = 0; b < TERN_FASTOPEN_KEY && len < cap; b++)
			keys[len++] = (uint8_t)(key[b / 4] >> b % 4 * 8);
	return len;
}

/* ---- cookies ---- */

void tern_fastopen_cookie(const uint32_t key[4], const struct tern_flow *flow,
			  uint8_t ret[TERN_FASTOPEN_COOKIE])
{
	const uint64_t sip[2] = { key[0] | (uint64_t)key[1] << 32,
				  key[2] | (uint64_t)key[3] << 32 };
	const uint8_t *from = flow->remote.b, *to = flow->local.b;
	uint64_t hash;

	/* RFC7413:4.1.2 */
	if (flow->local.family == TERN_INET) {
		uint64_t word = tern_flow_le32(from) | (uint64_t)tern_flow_le32(to) << 32;

		hash = tern_siphash24_words(sip, &word, 1);
	} else {
		uint64_t words[4] = { tern_flow_le64(from), tern_flow_le64(from + 8),
				      tern_flow_le64(to), tern_flow_le64(to + 8) };

		hash = tern_siphash24_words(sip, words, 4);
	}
	for (unsigned int i = 0; i < TERN_FASTOPEN_COOKIE; i++)
		ret[i] = (uint8_t)(hash >> 8 * i);
}

/* The cookie that the client should have, in the form it speaks. */
static void answer(struct tern_tcp *t, const struct tern_fastopen_queue *q,
		   const struct tern_flow *flow, bool experimental, struct tern_tcp_options *ret)
{
	ret->present |= TERN_OPT_FASTOPEN;
	ret->fastopen_exp = experimental;
	ret->fastopen_len = TERN_FASTOPEN_COOKIE;
	tern_fastopen_cookie(key_at(t, q, 0), flow, ret->fastopen);
}

/* Under which key was a cookie made? -1: under none of ours. In constant time for each. */
static int match(struct tern_tcp *t, const struct tern_fastopen_queue *q,
		 const struct tern_flow *flow, const struct tern_tcp_options *opt)
{
	uint8_t cookie[TERN_FASTOPEN_COOKIE], differs;
	const uint32_t *key;

	if (opt->fastopen_len != TERN_FASTOPEN_COOKIE)
		return -1;
	for (unsigned int i = 0; i < TERN_FASTOPEN_KEYS && (key = key_at(t, q, i)); i++) {
		tern_fastopen_cookie(key, flow, cookie);
		differs = 0;
		for (unsigned int b = 0; b < TERN_FASTOPEN_COOKIE; b++)
			differs |= cookie[b] ^ opt->fastopen[b];
		if (!differs)
			return (int)i;
	}
	return -1;
}

/* Is there room for one more early child? A reset one whose minute is over makes some. */
static bool has_room(struct tern_tcp *t, struct tern_fastopen_queue *q)
{
	struct tern_fastopen_reset *oldest = &q->reset[q->first_reset];

	/* RFC7413:4.2b */
	if (q->pending < q->max)
		return true;
	if (!q->resets || oldest->until_ns > t->now) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenListenOverflow);
		return false;
	}
	q->pending--;
	if (!--oldest->count) {
		q->first_reset = (q->first_reset + 1) % TERN_FASTOPEN_RESETS;
		q->resets--;
	}
	return true;
}

enum tern_fastopen_verdict tern_fastopen_judge(struct tern_tcp *t, const struct tern_conn *listener,
					       const struct tern_flow *flow,
					       const struct tern_segment *seg,
					       struct tern_tcp_options *ret)
{
	bool asked = seg->opt.present & TERN_OPT_FASTOPEN;
	struct tern_fastopen_queue *q = tern_fastopen_queue(t, listener);
	uint32_t knob = t->knobs->tcp_fastopen;
	int key;

	ret->present = 0;
	if (asked && !seg->opt.fastopen_len)
		tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenCookieReqd);
	/* RFC7413:2.1 */
	if (!(knob & TERN_FASTOPEN_SERVER) || !q || !q->max || !has_room(t, q))
		return TERN_FASTOPEN_NONE;
	if ((knob & TERN_FASTOPEN_SERVER_NO_COOKIE) || (listener->fastopen & TERN_FO_NO_COOKIE))
		return TERN_FASTOPEN_TAKE;
	if (!asked)
		return TERN_FASTOPEN_NONE;
	answer(t, q, flow, seg->opt.fastopen_exp, ret);
	if (!seg->opt.fastopen_len)
		return TERN_FASTOPEN_NONE;
	key = match(t, q, flow, &seg->opt);
	/* RFC7413:4.2a */
	if (key >= 0)
		return key ? TERN_FASTOPEN_TAKE_RENEW : TERN_FASTOPEN_TAKE;
	tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenPassiveFail);
	return TERN_FASTOPEN_NONE;
}

/* ---- early children ---- */

int tern_fastopen_adopt(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, uint32_t queue,
			enum tern_fastopen_syn syn)
{
	struct tern_traffic *x = tern_conn_need_traffic(t, c);
	struct tern_fastopen_queue *q = queue_at(t, queue);

	if (!x)
		return -ENOBUFS;
	c->flags |= TERN_CF_EARLY;
	c->fastopen = TERN_FO_USED;
	c->snd.nxt = c->snd.iss; /* the SYN-ACK is still to be sent */
	x->early.queue = queue;
	x->early.syn = (uint16_t)syn;
	q->children++;
	q->pending++;
	tern_conn_want_output(t, idx, c);
	tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenPassive);
	return 0;
}

void tern_fastopen_take(struct tern_tcp *t, uint32_t idx, const struct tern_segment *seg)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	struct tern_input in = { .t = t,
				 .c = c,
				 .seg = seg,
				 .idx = idx,
				 .seq = seg->seq + 1,
				 .len = TERN_MIN(seg->len, c->rcv.adv - c->rcv.nxt),
				 .data = seg->data };
	struct tern_traffic *x;

	c->totals.segs_in = 1;
	if (!in.len)
		return;
	c->totals.data_segs_in = 1;
	tern_input_early_text(&in);
	/* The data of a SYN earns no more window than the SYN-ACK shows. */
	x = tern_conn_traffic(t, c);
	if (x)
		x->credit.limit = TERN_MIN(x->credit.limit, 65535u);
	if (tern_conn_received(c))
		c->fastopen |= TERN_FO_SYN_DATA;
}

/* A reset early child goes on counting. Where there are too many to be told apart, as one. */
static void remember_reset(struct tern_tcp *t, struct tern_fastopen_queue *q)
{
	uint32_t last = (q->first_reset + q->resets - 1) % TERN_FASTOPEN_RESETS;

	if (q->resets < TERN_FASTOPEN_RESETS) {
		last = (q->first_reset + q->resets++) % TERN_FASTOPEN_RESETS;
		q->reset[last].count = 0;
	}
	q->reset[last].until_ns = t->now + RESET_COUNTS_NS;
	q->reset[last].count++;
	q->pending++;
}

void tern_fastopen_settle(struct tern_tcp *t, struct tern_conn *c, bool reset)
{
	struct tern_traffic *x = tern_conn_traffic(t, c);
	struct tern_fastopen_queue *q = queue_at(t, x->early.queue);

	c->flags &= ~TERN_CF_EARLY;
	q->children--;
	q->pending--;
	/*
	 * Where nobody has accepted it yet it counts in the accept queue, too: that is enough.
	 * RFC7413:5.1
	 */
	if (reset && q->owned && !(c->flags & TERN_CF_IN_ACCEPTQ))
		remember_reset(t, q);
	put_queue(t, x->early.queue);
	x->early.queue = 0;
}

void tern_fastopen_renew(struct tern_tcp *t, const struct tern_conn *c,
			 const struct tern_traffic *x, struct tern_tcp_options *opt)
{
	struct tern_flow flow;

	tern_conn_flow(c, &flow);
	answer(t, queue_at(t, x->early.queue), &flow, x->early.syn == TERN_FASTOPEN_RENEW_EXP, opt);
}
