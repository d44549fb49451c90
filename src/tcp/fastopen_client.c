/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Fast Open at the client (RFC 7413 §4.1, §4.2). What is remembered of a server, its cookie and the
 * segment size it named, stands in a fixed table, one slot for each value of a keyed hash of the
 * address: whoever learns last has the slot. A SYN to a server with a cookie carries the cookie and
 * as much data as fits; one to another asks for a cookie. connect() with TCP_FASTOPEN_CONNECT, and
 * sendto() with MSG_FASTOPEN as well, brings the connection to SYN-SENT without a SYN
 * (TERN_FO_DEFERRED) where it may carry data; the first send() lets it go.
 *
 * The SYN is sent again without option and data. If the SYN-ACK acknowledges no data, it is sent
 * again at once behind it. So a path or server that knows nothing of all this costs a round trip at
 * most, and nothing twice, since the server then has not taken what the SYN carried.
 *
 * There are middleboxes that let such a SYN pass and nothing behind it. Where three timeouts in a
 * row, a reset or a FIN beyond a hole hint at one, Fast Open is off towards all servers for
 * tcp_fastopen_blackhole_timeout_sec, twice as long each time in a row (64 times at most); a
 * connection that receives data afterwards ends the row. 0, Linux' default, never turns it off.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/siphash.h"
#include "tcp/reass.h"
#include "tcp/tcp.h"

enum {
	PEERS = 256,
	OPTIONS_ROOM = 40, /* kept free in a SYN with data for options that others may add */
	DOUBLINGS_MAX = 6,
	TIMEOUTS = 2, /* that came before the one which hints at a black hole */
};

void tern_fastopen_free(struct tern_tcp *t)
{
	tern_pool_free(&t->fastopen.queues);
	if (t->fastopen.peers)
		tern_mem_free(t->mem, t->fastopen.peers, PEERS * sizeof(*t->fastopen.peers));
	t->fastopen.peers = NULL;
}

/* ---- what is remembered ---- */

static struct tern_fastopen_peer *slot_of(const struct tern_tcp *t, const struct tern_addr *addr)
{
	uint64_t w[3] = { 0, 0, addr->family };

	memcpy(w, addr->b, 16);
	return &t->fastopen.peers[tern_siphash13_words(t->map_key, w, 3) % PEERS];
}

/* What is known of a server; NULL if nothing is. */
static const struct tern_fastopen_peer *find_peer(const struct tern_tcp *t,
						  const struct tern_addr *addr)
{
	const struct tern_fastopen_peer *p = t->fastopen.peers ? slot_of(t, addr) : NULL;

	return p && tern_addr_eq(&p->addr, addr) ? p : NULL;
}

/* The same, made if there is nothing yet. NULL when memory is out. */
static struct tern_fastopen_peer *need_peer(struct tern_tcp *t, const struct tern_addr *addr)
{
	struct tern_fastopen *f = &t->fastopen;
	struct tern_fastopen_peer *p;

	if (!f->peers)
		f->peers = tern_mem_alloc(t->mem, PEERS * sizeof(*f->peers));
	if (!f->peers) {
		tern_count(t->trace, TERN_CNT_TernAllocFailures);
		return NULL;
	}
	p = slot_of(t, addr);
	if (!tern_addr_eq(&p->addr, addr))
		*p = (struct tern_fastopen_peer){ .addr = *addr };
	return p;
}

static const struct tern_fastopen_peer *peer_of(const struct tern_tcp *t, const struct tern_conn *c)
{
	struct tern_flow flow;

	tern_conn_flow(c, &flow);
	return find_peer(t, &flow.remote);
}

/* ---- black holes ---- */

/* Is Fast Open off for a while? A connection that is begun when the time is over is marked. */
static bool is_disabled(const struct tern_tcp *t, struct tern_conn *c)
{
	const struct tern_fastopen *f = &t->fastopen;
	uint64_t s = t->knobs->tcp_fastopen_blackhole_timeout_sec;

	if (!s || !f->disabled_times)
		return false;
	s <<= TERN_MIN(f->disabled_times - 1, (uint32_t)DOUBLINGS_MAX);
	if (t->now - f->disabled_ns < s * UINT64_C(1000000000))
		return true;
	c->fastopen |= TERN_FO_CHECK;
	return false;
}

void tern_fastopen_black_hole(struct tern_tcp *t)
{
	if (!t->knobs->tcp_fastopen_blackhole_timeout_sec)
		return;
	t->fastopen.disabled_ns = t->now;
	t->fastopen.disabled_times++;
	tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenBlackhole);
}

void tern_fastopen_timeout(struct tern_tcp *t, const struct tern_conn *c, bool last)
{
	uint32_t before = c->patience.retries;

	if (before != TIMEOUTS && !(before < TIMEOUTS && last))
		return;
	tern_fastopen_black_hole(t);
	tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenActiveFail);
}

/* Did nothing come but a FIN, beyond a hole? */
static bool is_only_fin(const struct tern_tcp *t, const struct tern_conn *c)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);
	const struct tern_reass *r;

	if (!x || !x->recv.reass)
		return false;
	r = tern_pool_at(&t->reass, x->recv.reass);
	return r->fin && !r->count;
}

void tern_fastopen_ended(struct tern_tcp *t, const struct tern_conn *c)
{
	if (!c->totals.data_segs_in && is_only_fin(t, c))
		tern_fastopen_black_hole(t);
	else if (c->totals.data_segs_in && (c->fastopen & TERN_FO_CHECK))
		t->fastopen.disabled_times = 0;
}

/* ---- the SYN ---- */

static void note_failure(struct tern_conn *c, enum tern_fastopen_fail why)
{
	c->fastopen &= (uint8_t)((1 << TERN_FO_FAIL_SHIFT) - 1);
	c->fastopen |= (uint8_t)(why << TERN_FO_FAIL_SHIFT);
}

/* What the SYN to the server of c is to have. */
static enum tern_fastopen_syn choose(struct tern_tcp *t, struct tern_conn *c)
{
	const struct tern_fastopen_peer *p;

	/* RFC7413:4.1.3.1 */
	if (is_disabled(t, c))
		return TERN_FASTOPEN_PLAIN;
	if ((t->knobs->tcp_fastopen & TERN_FASTOPEN_CLIENT_NO_COOKIE) ||
	    (c->fastopen & TERN_FO_NO_COOKIE))
		return TERN_FASTOPEN_BARE;
	p = peer_of(t, c);
	/* RFC7413:4.2c */
	if (p && p->len)
		return TERN_FASTOPEN_WITH_COOKIE;
	note_failure(c, TERN_FASTOPEN_NO_COOKIE);
	return TERN_FASTOPEN_REQUEST;
}

void tern_fastopen_connect(struct tern_tcp *t, struct tern_conn *c)
{
	enum tern_fastopen_syn syn = choose(t, c);

	if (syn == TERN_FASTOPEN_WITH_COOKIE || syn == TERN_FASTOPEN_BARE)
		c->fastopen |= TERN_FO_DEFERRED;
	else
		tern_conn_traffic(t, c)->early.syn = (uint16_t)syn;
}

/* Bytes of data that the SYN has room for: by the server's own segment size, if that is known. */
static uint32_t syn_room(const struct tern_tcp *t, const struct tern_conn *c)
{
	const struct tern_fastopen_peer *p = peer_of(t, c);
	uint32_t mss = tern_conn_mss(c), known = p && p->mss ? p->mss : mss;

	known = TERN_MAX(known, t->knobs->tcp_min_snd_mss);
	/* RFC7413:4.1.3b */
	return TERN_MIN(mss, known) - OPTIONS_ROOM;
}

void tern_fastopen_start(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	struct tern_traffic *x = tern_conn_need_traffic(t, c);

	if (!x)
		return;
	c->fastopen &= (uint8_t)~TERN_FO_DEFERRED;
	x->early.syn = (uint16_t)choose(t, c);
	if (x->early.syn == TERN_FASTOPEN_WITH_COOKIE || x->early.syn == TERN_FASTOPEN_BARE)
		x->early.syn_data = (uint16_t)TERN_MIN(x->send.bytes, syn_room(t, c));
	tern_conn_want_output(t, idx, c);
}

int64_t tern_fastopen_send(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, const void *data,
			   size_t len)
{
	struct tern_traffic *x = tern_conn_need_traffic(t, c);
	enum tern_fastopen_syn syn = choose(t, c);
	uint32_t n = 0;
	int64_t charged;

	if (!x)
		return -ENOBUFS;
	if (syn == TERN_FASTOPEN_WITH_COOKIE || syn == TERN_FASTOPEN_BARE)
		n = (uint32_t)TERN_MIN(len, (size_t)syn_room(t, c));
	if (n) {
		charged = tern_chain_append(&t->bufs, &x->send.chain, c->snd.iss + 1, data, n, 0);
		n = charged < 0 ? 0 : n;
		x->wmem += charged < 0 ? 0 : (uint32_t)charged;
		x->send.bytes += n;
	}
	tern_fastopen_start(t, idx, c);
	return n ? (int64_t)n : -EINPROGRESS;
}

void tern_fastopen_option(struct tern_tcp *t, struct tern_conn *c, const struct tern_traffic *x,
			  struct tern_tcp_options *opt)
{
	const struct tern_fastopen_peer *p = peer_of(t, c);

	c->fastopen |= TERN_FO_USED;
	if (x->early.syn == TERN_FASTOPEN_BARE)
		return;
	opt->present |= TERN_OPT_FASTOPEN;
	opt->fastopen_len = 0;
	opt->fastopen_exp = p && (p->len ? p->exp : p->try_exp == 1);
	if (x->early.syn != TERN_FASTOPEN_WITH_COOKIE || !p)
		return;
	opt->fastopen_len = p->len;
	memcpy(opt->fastopen, p->cookie, sizeof(opt->fastopen));
}

/* ---- the SYN-ACK ---- */

/* What a SYN-ACK tells of the server, for the next time. */
static void learn(struct tern_tcp *t, const struct tern_conn *c, const struct tern_traffic *x,
		  const struct tern_tcp_options *opt)
{
	bool asked = x->early.syn == TERN_FASTOPEN_REQUEST ||
		     x->early.syn == TERN_FASTOPEN_WITH_COOKIE;
	bool answered = asked && (opt->present & TERN_OPT_FASTOPEN);
	struct tern_fastopen_peer *p;
	struct tern_flow flow;

	tern_conn_flow(c, &flow);
	p = need_peer(t, &flow.remote);
	if (!p)
		return;
	if (opt->present & TERN_OPT_MSS)
		p->mss = opt->mss;
	/* RFC7413:4.1.3 */
	if (answered && opt->fastopen_len) {
		p->len = opt->fastopen_len;
		p->exp = opt->fastopen_exp;
		memcpy(p->cookie, opt->fastopen, sizeof(p->cookie));
	} else if (asked && !answered && !x->early.syn_data && !c->patience.retries && !p->len) {
		/* Perhaps it knows the older form; if not, never mind. */
		p->try_exp = p->try_exp ? 2 : 1;
	}
}

bool tern_fastopen_synack(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
			  const struct tern_segment *seg)
{
	bool repeated = c->totals.retrans != 0;

	learn(t, c, x, &seg->opt);
	if (!x->early.syn_data)
		return false;
	/* RFC7413:4.2d */
	if (c->snd.una == c->snd.nxt) {
		c->fastopen |= TERN_FO_SYN_DATA;
		tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenActive);
		return false;
	}
	note_failure(c, repeated ? TERN_FASTOPEN_SYN_REPEATED : TERN_FASTOPEN_NOT_ACKED);
	tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenActiveFail);
	return true;
}
