/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/queue.c: packets that are whole when they are queued: datagrams and ICMP messages.
 *
 * Each packet is a record and a copy of its payload. They leave in order. Popping gives header
 * fields and the payload by reference; what was popped is kept, off the queue, until
 * tern_queue_reap, since the link still reads it. PACKETS_MAX and BYTES_MAX limit both together.
 *
 * A packet larger than the MTU of its path is cut into fragments as it is popped, one a pop, none
 * of which is copied. To our own addresses nothing is cut: such packets never see the link. IPv4
 * packets that fit leave with DF set and identification 0 (RFC 6864 §4.1), so that the
 * identification says nothing about our traffic; fragments take theirs from a counter that is one
 * of 256 by keyed hash of the addresses, begins at a keyed place for each pair of them, and
 * moves by chance (RFC 7739 §5.3; attack F08: nobody can count what we sent to others).
 *
 * The sender's socket is charged for the record and the copy until the packet is popped.
 */
#include <errno.h>

#include "base/siphash.h"
#include "stack/internal.h"

enum {
	PACKETS_MAX = 1024,
	BYTES_MAX = 4 << 20,
	ID_STEP = 8,
};

struct queued {
	struct tern_list_link link;
	struct tern_packet pkt; /* payload is the copy */
	uint8_t *copy;
	tern_id owner; /* socket that is charged, 0: none */
	uint32_t cut;  /* bytes that have left as fragments */
};

struct tern_queue *tern_queue_new(struct tern_mem *mem)
{
	struct tern_queue *q = tern_mem_alloc(mem, sizeof(*q));

	if (!q)
		return NULL;
	q->mem = mem;
	if (tern_pool_init(&q->pool, mem, sizeof(struct queued), PACKETS_MAX) < 0) {
		tern_mem_free(mem, q, sizeof(*q));
		return NULL;
	}
	return q;
}

uint32_t tern_queue_charge(uint32_t len)
{
	return (uint32_t)sizeof(struct queued) + len;
}

static void list_clear(struct tern_queue *q, struct tern_list *list)
{
	uint32_t idx;

	while ((idx = tern_list_pop_front(list, &q->pool, offsetof(struct queued, link)))) {
		struct queued *p = tern_pool_at(&q->pool, idx);

		q->bytes -= tern_queue_charge(p->pkt.payload_len);
		tern_mem_free(q->mem, p->copy, p->pkt.payload_len);
		tern_pool_put(&q->pool, idx);
	}
}

void tern_queue_free_spent(struct tern_queue *q)
{
	list_clear(q, &q->spent);
}

void tern_queue_free(struct tern_queue *q)
{
	if (!q)
		return;
	list_clear(q, &q->ready);
	list_clear(q, &q->spent);
	tern_pool_free(&q->pool);
	tern_mem_free(q->mem, q, sizeof(*q));
}

uint64_t tern_queue_bytes(const struct tern_queue *q)
{
	return q->bytes;
}

/* Bytes that one packet to the destination may have, headers included. */
static uint32_t mtu_towards(const struct tern_stack *st, const struct tern_addr *dest)
{
	if (tern_route_is_local(st, dest))
		return TERN_IP_PACKET_MAX + (dest->family == TERN_INET6 ? TERN_IP6_HEADER : 0u);
	return tern_path_mtu(st, dest);
}

int tern_queue_room(struct tern_stack *st, const struct tern_packet *pkt, uint32_t len,
		    tern_id owner, uint8_t **ret_payload)
{
	struct tern_queue *q = st->queue;
	struct queued *p;
	uint8_t *payload;
	uint32_t idx;

	if (len > TERN_IP_PACKET_MAX - (pkt->dst.family == TERN_INET ? TERN_IP4_HEADER : 0u) ||
	    (pkt->df && tern_ip_header_len(pkt) + len > mtu_towards(st, &pkt->dst)))
		return -EMSGSIZE;
	if (q->bytes + tern_queue_charge(len) > BYTES_MAX)
		return -ENOBUFS;
	idx = tern_pool_get(&q->pool);
	payload = idx ? tern_mem_alloc(q->mem, len) : NULL;
	if (!payload) {
		if (idx)
			tern_pool_put(&q->pool, idx);
		tern_count(&st->trace, TERN_CNT_TernAllocFailures);
		return -ENOBUFS;
	}
	p = tern_pool_at(&q->pool, idx);
	p->pkt = *pkt;
	p->copy = payload;
	p->pkt.payload = payload;
	p->pkt.payload_len = len;
	p->owner = owner;
	tern_list_push_back(&q->ready, &q->pool, offsetof(struct queued, link), idx);
	q->bytes += tern_queue_charge(len);
	*ret_payload = payload;
	return 0;
}

/* The identification of a packet that is about to be cut. */
static uint32_t next_id(struct tern_stack *st, const struct tern_packet *pkt)
{
	uint64_t w[5], hash;
	uint32_t *slot;

	memcpy(w, pkt->src.b, 16);
	memcpy(w + 2, pkt->dst.b, 16);
	w[4] = pkt->proto;
	hash = tern_siphash24_words(st->icmp_key, w, 5);
	slot = &st->queue->ids[hash % TERN_QUEUE_ID_SLOTS];
	*slot += 1 + tern_rng_below(&st->rng, ID_STEP);
	return (uint32_t)(hash >> 32) + *slot;
}

/* The next fragment of a packet, none of them longer than mtu. */
static void cut(struct tern_stack *st, struct queued *p, uint32_t mtu, struct tern_packet *ret)
{
	bool v6 = p->pkt.dst.family == TERN_INET6;
	uint32_t header = v6 ? TERN_IP6_HEADER + TERN_IP6_FRAGMENT_HEADER : TERN_IP4_HEADER;
	uint32_t left = p->pkt.payload_len - p->cut, len = (mtu - header) & ~7u;

	if (!p->cut)
		p->pkt.frag_id = v6 ? next_id(st, &p->pkt) : next_id(st, &p->pkt) & 0xffff;
	*ret = p->pkt;
	ret->fragment = true;
	ret->frag_offset = p->cut;
	ret->more_fragments = left > len;
	ret->payload = p->pkt.payload + p->cut;
	ret->payload_len = TERN_MIN(left, len);
	p->cut += ret->payload_len;
}

bool tern_queue_pop(struct tern_stack *st, struct tern_packet *ret_pkt)
{
	struct tern_queue *q = st->queue;
	uint32_t idx = q->ready.head, mtu;
	struct queued *p;

	if (!idx)
		return false;
	p = tern_pool_at(&q->pool, idx);
	mtu = p->pkt.df ? st->cfg.mtu : mtu_towards(st, &p->pkt.dst);
	if (p->cut || tern_ip_header_len(&p->pkt) + p->pkt.payload_len > mtu) {
		cut(st, p, mtu, ret_pkt);
		if (ret_pkt->more_fragments)
			return true;
	} else {
		*ret_pkt = p->pkt;
		ret_pkt->df = true;
	}
	tern_list_remove(&q->ready, &q->pool, offsetof(struct queued, link), idx);
	tern_list_push_back(&q->spent, &q->pool, offsetof(struct queued, link), idx);
	if (p->owner)
		tern_udp_sent(st, p->owner, tern_queue_charge(p->pkt.payload_len));
	return true;
}
