/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/reass.c: packets put together from fragments (RFC 791 §3.2, RFC 8200 §4.5).
 *
 * A packet being reassembled is a record with one buffer into which its fragments are copied, and
 * a sorted list of the parts that are there. The buffer grows by doubling, so what a packet costs
 * is what it has shown to be long, at most 64 KiB. Records are found by a keyed hash over source,
 * destination, identification and, in IPv4, protocol; IPv6 leaves the protocol out, because only
 * the first fragment's counts there.
 *
 * Of what may go wrong, nothing is repaired:
 *	overlap		the packet goes, and the record stays, without its buffer, to swallow all
 *			further fragments until its time is over (RFC 5722 §4, RFC 8200 §4.5; the
 *			same for IPv4). An exact duplicate, same place and same bytes, is ignored.
 *	two ends, or parts beyond the end: the same
 *	ECN mixed	CE together with not-ECT: the same (RFC 3168 §5.3)
 *	time		ipfrag_time after the first fragment to come the packet goes; the sender is
 *			told if fragment zero was there (RFC 1122 §3.3.2, RFC 8200 §4.5)
 *
 * Limits: frags_max packets; BYTES_MAX of buffers, or less if frags_max packets of full length
 * need less; PARTS_MAX fragments a packet, which full packets over a link with an MTU of 576 need.
 * When a limit is reached the oldest packet gives way to the newest (FragmentSmack, CVE-2018-5391:
 * the work for a fragment is bounded by PARTS_MAX, not by what others sent).
 *
 * Room for the headers is kept ahead of the payload: a packet that is whole gets an IP header
 * there, so that it stands in memory as if it had come in one piece.
 */
#include <assert.h>
#include <errno.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/siphash.h"
#include "stack/internal.h"
#include "timer/wheel.h"

enum {
	PARTS_MAX = 128,
	HEAD = TERN_IP_HEADER_MAX, /* room ahead of the payload */
	CAP_MIN = 2048,
	CAP_MAX = 65536,
	BYTES_MAX = 4 << 20,
	ECN_CE = 3,
	SECOND_NS = 1000000000,
};

/* Bytes [start, end) are there. */
struct part {
	uint16_t start, end;
};

struct frags_record {
	struct tern_timer timer;
	struct tern_list_link age;
	struct tern_packet first; /* header fields of fragment zero, once it is there */
	struct tern_addr src, dst;
	uint32_t hash, id;
	uint8_t proto; /* of the key: 0 in IPv6 */
	uint8_t ecn;   /* bit n: a fragment had ECN field n */
	bool dead;     /* an error was found: fragments are swallowed */
	bool has_end;
	uint32_t end;   /* of the packet, if has_end */
	uint32_t bytes; /* that are there */
	uint8_t *buf;   /* HEAD + cap bytes, NULL while cap is 0 */
	uint32_t cap;
	uint32_t count; /* parts */
	struct part parts[PARTS_MAX];
};

struct tern_frags {
	struct tern_mem *mem;
	struct tern_pool pool;
	struct tern_map map;
	struct tern_wheel wheel;
	struct tern_list age; /* oldest first */
	uint64_t bytes;       /* of buffers */
	uint64_t bytes_max;
	uint8_t *whole; /* buffer of the packet handed out last */
	uint32_t whole_cap;
};

/* The IPv4 and IPv6 counters of one event. */
struct twin {
	enum tern_counter v4, v6;
};

static const struct twin reqds = { TERN_CNT_IpReasmReqds, TERN_CNT_Ip6ReasmReqds };
static const struct twin oks = { TERN_CNT_IpReasmOKs, TERN_CNT_Ip6ReasmOKs };
static const struct twin fails = { TERN_CNT_IpReasmFails, TERN_CNT_Ip6ReasmFails };
static const struct twin timeouts = { TERN_CNT_IpReasmTimeout, TERN_CNT_Ip6ReasmTimeout };

static void count_twin(struct tern_stack *st, const struct twin *twin, uint8_t family)
{
	tern_count(&st->trace, family == TERN_INET ? twin->v4 : twin->v6);
}

struct tern_frags *tern_frags_new(struct tern_mem *mem, uint32_t max, uint64_t now)
{
	struct tern_frags *f = tern_mem_alloc(mem, sizeof(*f));

	if (!f)
		return NULL;
	f->mem = mem;
	f->bytes_max = TERN_MIN((uint64_t)BYTES_MAX, (uint64_t)max * (HEAD + CAP_MAX));
	if (tern_pool_init(&f->pool, mem, sizeof(struct frags_record), max) < 0 ||
	    tern_map_init(&f->map, mem, max) < 0) {
		tern_frags_free(f);
		return NULL;
	}
	tern_wheel_init(&f->wheel, &f->pool, offsetof(struct frags_record, timer), now);
	return f;
}

/* Gives a buffer of HEAD + cap bytes back. */
static void buf_free(struct tern_frags *f, uint8_t *buf, uint32_t cap)
{
	if (!buf)
		return;
	tern_mem_free(f->mem, buf, HEAD + (size_t)cap);
	f->bytes -= HEAD + cap;
}

static void record_drop_buf(struct tern_frags *f, struct frags_record *r)
{
	buf_free(f, r->buf, r->cap);
	r->buf = NULL;
	r->cap = 0;
	r->count = 0;
	r->bytes = 0;
}

static void whole_free(struct tern_frags *f)
{
	buf_free(f, f->whole, f->whole_cap);
	f->whole = NULL;
	f->whole_cap = 0;
}

void tern_frags_free(struct tern_frags *f)
{
	if (!f)
		return;
	for (uint32_t idx = f->age.head; idx;
	     idx = tern_list_next(&f->pool, offsetof(struct frags_record, age), idx))
		record_drop_buf(f, tern_pool_at(&f->pool, idx));
	whole_free(f);
	tern_map_free(&f->map);
	tern_pool_free(&f->pool);
	tern_mem_free(f->mem, f, sizeof(*f));
}

uint64_t tern_frags_deadline(const struct tern_frags *f)
{
	return tern_wheel_deadline(&f->wheel);
}

uint64_t tern_frags_bytes(const struct tern_frags *f)
{
	return f->bytes;
}

/* ---- records ---- */

static uint8_t key_proto(const struct tern_packet *pkt)
{
	return pkt->src.family == TERN_INET ? pkt->proto : 0;
}

static uint32_t key_hash(const struct tern_stack *st, const struct tern_packet *pkt)
{
	uint64_t w[5];

	memcpy(w, pkt->src.b, 16);
	memcpy(w + 2, pkt->dst.b, 16);
	w[4] = (uint64_t)pkt->frag_id << 16 | (uint64_t)pkt->src.family << 8 | key_proto(pkt);
	return (uint32_t)tern_siphash13_words(st->icmp_key, w, 5);
}

static uint32_t record_find(const struct tern_frags *f, uint32_t hash,
			    const struct tern_packet *pkt)
{
	for (struct tern_map_it it = tern_map_find(&f->map, hash); it.idx;
	     tern_map_next(&f->map, &it)) {
		const struct frags_record *r = tern_pool_at(&f->pool, it.idx);

		if (r->id == pkt->frag_id && r->proto == key_proto(pkt) &&
		    tern_addr_eq(&r->src, &pkt->src) && tern_addr_eq(&r->dst, &pkt->dst))
			return it.idx;
	}
	return 0;
}

static void record_free(struct tern_frags *f, uint32_t idx)
{
	struct frags_record *r = tern_pool_at(&f->pool, idx);

	record_drop_buf(f, r);
	tern_wheel_cancel(&f->wheel, idx);
	tern_list_remove(&f->age, &f->pool, offsetof(struct frags_record, age), idx);
	tern_map_remove(&f->map, r->hash, idx);
	tern_pool_put(&f->pool, idx);
}

/* The packet cannot be completed: every fragment that was kept is dropped now, for one reason. */
static void record_fail(struct tern_stack *st, struct frags_record *r, enum tern_drop reason)
{
	if (r->dead)
		return;
	count_twin(st, &fails, r->src.family);
	st->trace.drops[reason] += r->count;
	r->dead = true;
	record_drop_buf(st->frags, r);
}

static void evict(struct tern_stack *st, uint32_t idx)
{
	record_fail(st, tern_pool_at(&st->frags->pool, idx), TERN_DROP_FRAG_TOO_FAR);
	record_free(st->frags, idx);
}

static uint32_t record_new(struct tern_stack *st, uint32_t hash, const struct tern_packet *pkt)
{
	struct tern_frags *f = st->frags;
	struct frags_record *r;
	uint32_t idx;

	if (f->pool.used == f->pool.max)
		evict(st, f->age.head);
	idx = tern_pool_get(&f->pool);
	if (!idx || tern_map_insert(&f->map, hash, idx) < 0) {
		if (idx)
			tern_pool_put(&f->pool, idx);
		return 0;
	}
	r = tern_pool_at(&f->pool, idx);
	r->src = pkt->src;
	r->dst = pkt->dst;
	r->hash = hash;
	r->id = pkt->frag_id;
	r->proto = key_proto(pkt);
	tern_list_push_back(&f->age, &f->pool, offsetof(struct frags_record, age), idx);
	tern_wheel_set(&f->wheel, idx, st->tcp.now + (uint64_t)st->knobs.ipfrag_time * SECOND_NS);
	return idx;
}

/* ---- one fragment ---- */

/* Makes the buffer hold `end` bytes of payload. Older packets give way to a limit of bytes. */
static int record_grow(struct tern_stack *st, uint32_t idx, uint32_t end)
{
	struct tern_frags *f = st->frags;
	struct frags_record *r = tern_pool_at(&f->pool, idx);
	uint32_t cap = CAP_MIN;
	uint8_t *buf;

	if (end <= r->cap)
		return 0;
	while (cap < end)
		cap *= 2;
	for (uint32_t old = f->age.head; old && f->bytes + HEAD + cap > f->bytes_max;) {
		uint32_t next = tern_list_next(&f->pool, offsetof(struct frags_record, age), old);

		if (old != idx)
			evict(st, old);
		old = next;
	}
	buf = tern_mem_alloc(f->mem, HEAD + (size_t)cap);
	if (!buf)
		return -ENOMEM;
	f->bytes += HEAD + cap;
	if (r->buf)
		memcpy(buf, r->buf, HEAD + (size_t)r->cap);
	buf_free(f, r->buf, r->cap);
	r->buf = buf;
	r->cap = cap;
	return 0;
}

/* Do the ends that fragments claim fit each other? */
static bool end_fits(const struct frags_record *r, const struct tern_packet *pkt, uint32_t end)
{
	if (r->has_end)
		return pkt->more_fragments ? end <= r->end : end == r->end;
	return pkt->more_fragments || r->count == 0 || r->parts[r->count - 1].end <= end;
}

/* What a fragment is to the parts that are there. */
enum place {
	PLACE_NEW,
	PLACE_DUPLICATE,
	PLACE_OVERLAP,
};

/* Finds where the part belongs in the sorted list: *ret_at is the first one not before it. */
static enum place find_place(const struct frags_record *r, const struct tern_packet *pkt,
			     const struct part *part, uint32_t *ret_at)
{
	uint32_t at = r->count;

	while (at && r->parts[at - 1].start >= part->start)
		at--;
	*ret_at = at;
	if (at < r->count && r->parts[at].start == part->start && r->parts[at].end == part->end &&
	    memcmp(r->buf + HEAD + part->start, pkt->payload, pkt->payload_len) == 0)
		return PLACE_DUPLICATE;
	if ((at < r->count && r->parts[at].start < part->end) ||
	    (at && r->parts[at - 1].end > part->start))
		return PLACE_OVERLAP;
	return PLACE_NEW;
}

/* RFC 3168 §5.3: CE is kept, but not next to fragments that cannot carry it. */
static bool ecn_fits(struct frags_record *r, const struct tern_packet *pkt)
{
	r->ecn |= (uint8_t)(1u << (pkt->tos & 3));
	return (r->ecn & (1u << ECN_CE | 1u)) != (1u << ECN_CE | 1u);
}

/* Copies the fragment in. TERN_DROP_NONE, or why it cannot be. */
static enum tern_drop record_take(struct tern_stack *st, uint32_t idx,
				  const struct tern_packet *pkt)
{
	struct frags_record *r = tern_pool_at(&st->frags->pool, idx);
	uint32_t end = pkt->frag_offset + pkt->payload_len, at;
	struct part part = { .start = (uint16_t)pkt->frag_offset, .end = (uint16_t)end };

	if (r->dead)
		return TERN_DROP_DUP_FRAG;
	if (end > UINT16_MAX || !end_fits(r, pkt, end) || !ecn_fits(r, pkt))
		return TERN_DROP_FRAG_MALFORMED;
	switch (find_place(r, pkt, &part, &at)) {
	case PLACE_DUPLICATE:
		return TERN_DROP_NONE;
	case PLACE_OVERLAP:
		return TERN_DROP_DUP_FRAG;
	case PLACE_NEW:
		break;
	}
	if (r->count == PARTS_MAX)
		return TERN_DROP_FRAG_TOO_FAR;
	if (record_grow(st, idx, end) < 0)
		return TERN_DROP_NOMEM;
	memcpy(r->buf + HEAD + part.start, pkt->payload, pkt->payload_len);
	memmove(&r->parts[at + 1], &r->parts[at], (r->count - at) * sizeof(part));
	r->parts[at] = part;
	r->count++;
	r->bytes += pkt->payload_len;
	if (!part.start)
		r->first = *pkt;
	if (!pkt->more_fragments) {
		r->has_end = true;
		r->end = end;
	}
	return TERN_DROP_NONE;
}

/* The record becomes a packet: pkt. Its buffer lives on as f->whole. */
static void record_finish(struct tern_stack *st, uint32_t idx, struct tern_packet *pkt)
{
	struct tern_frags *f = st->frags;
	struct frags_record *r = tern_pool_at(&f->pool, idx);
	uint32_t header, written;

	*pkt = r->first;
	if (r->ecn & 1u << ECN_CE)
		pkt->tos |= ECN_CE;
	pkt->fragment = false;
	pkt->more_fragments = false;
	pkt->frag_offset = 0;
	pkt->df = pkt->src.family == TERN_INET6;
	header = tern_ip_header_len(pkt);
	pkt->header_len = header;
	pkt->pointer = pkt->src.family == TERN_INET ? 9 : 6;
	pkt->payload = r->buf + HEAD;
	pkt->payload_len = r->end;
	written = tern_ip_emit(r->buf + HEAD - header, header, pkt);
	assert(written == header); /* wire refuses fragments that end beyond the longest packet */
	f->whole = r->buf;
	f->whole_cap = r->cap;
	r->buf = NULL;
	count_twin(st, &oks, pkt->src.family);
	record_free(f, idx);
}

bool tern_frags_input(struct tern_stack *st, struct tern_packet *pkt, enum tern_drop *ret_reason)
{
	struct tern_frags *f = st->frags;
	uint32_t hash = key_hash(st, pkt), idx;
	struct frags_record *r;

	whole_free(f);
	count_twin(st, &reqds, pkt->src.family);
	idx = record_find(f, hash, pkt);
	if (!idx)
		idx = record_new(st, hash, pkt);
	if (!idx) {
		count_twin(st, &fails, pkt->src.family);
		*ret_reason = TERN_DROP_NOMEM;
		return false;
	}
	r = tern_pool_at(&f->pool, idx);
	*ret_reason = record_take(st, idx, pkt);
	if (*ret_reason != TERN_DROP_NONE && *ret_reason != TERN_DROP_NOMEM)
		record_fail(st, r, *ret_reason);
	if (*ret_reason != TERN_DROP_NONE || !r->has_end || r->bytes != r->end)
		return false;
	record_finish(st, idx, pkt);
	return true;
}

/* ---- time ---- */

/* Tells the sender that a packet of which fragment zero came was given up. */
static void answer_timeout(struct tern_stack *st, const struct frags_record *r)
{
	struct tern_packet pkt = r->first;
	uint32_t header = tern_ip_header_len(&pkt);
	uint8_t *frame = r->buf + HEAD - header;

	pkt.payload = r->buf + HEAD;
	pkt.payload_len = r->parts[0].end;
	tern_ip_emit(frame, header, &pkt);
	tern_icmp_send_error(st, &pkt, TERN_ANSWER_REASSEMBLY_TIME, frame,
			     header + pkt.payload_len);
}

/* The record's time is over. */
static void record_expire(struct tern_stack *st, uint32_t idx)
{
	struct frags_record *r = tern_pool_at(&st->frags->pool, idx);

	if (!r->dead) {
		count_twin(st, &timeouts, r->src.family);
		if (r->count && r->parts[0].start == 0)
			answer_timeout(st, r);
		record_fail(st, r, TERN_DROP_FRAG_REASM_TIMEOUT);
	}
	record_free(st->frags, idx);
}

/* The time of a record, and perhaps of others, is over. */
static TERN_COLD void expire(struct tern_stack *st, uint32_t idx)
{
	for (; idx; idx = tern_wheel_expire(&st->frags->wheel, st->tcp.now))
		record_expire(st, idx);
}

void tern_frags_tick(struct tern_stack *st)
{
	struct tern_frags *f = st->frags;
	uint32_t idx = tern_wheel_expire(&f->wheel, st->tcp.now);

	if (TERN_UNLIKELY(f->whole))
		whole_free(f);
	if (TERN_UNLIKELY(idx))
		expire(st, idx);
}
