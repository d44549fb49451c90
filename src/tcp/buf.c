/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The bytes of a stream wait in chains of buffers. Every buffer knows the sequence number of its
 * first byte, so that "the bytes from SEQ on" needs no bookkeeping beside the chain.
 *
 * A buffer belongs to one of four pools, by size; the two top bits of its index tell which. A new
 * buffer is at most about twice as large as what it is made for or what already waits, so that the
 * bytes charged stay within a small multiple of the bytes kept: a one-byte segment pins 512
 * bytes at worst, and the next one is copied in behind it.
 *
 * Limits: the pools hold what the caller gave at init; `limit` and `pressure` (tcp_mem) bound what
 * may be in use at one time.
 */
#include "tcp/buf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CLASS_SHIFT 30
#define INDEX_MASK  ((UINT32_C(1) << CLASS_SHIFT) - 1)

static const uint32_t class_size[TERN_BUF_CLASSES] = { 512, 2048, 16384, 65536 };

int tern_bufs_init(struct tern_bufs *b, struct tern_mem *mem, uint64_t max)
{
	for (unsigned int i = 0; i < TERN_BUF_CLASSES; i++) {
		uint64_t items = max / class_size[i];
		int err;

		items = TERN_MIN(TERN_MAX(items, UINT64_C(1)), (uint64_t)INDEX_MASK);
		err = tern_pool_init_raw(&b->pools[i], mem, class_size[i], (uint32_t)items);
		if (err) {
			tern_bufs_free(b);
			return err;
		}
	}
	b->used = 0;
	b->limit = max;
	b->pressure = max;
	b->low = max;
	return 0;
}

void tern_bufs_free(struct tern_bufs *b)
{
	for (unsigned int i = 0; i < TERN_BUF_CLASSES; i++)
		tern_pool_free(&b->pools[i]);
}

struct tern_buf *tern_buf_at(const struct tern_bufs *b, uint32_t idx)
{
	return tern_pool_at_raw(&b->pools[idx >> CLASS_SHIFT], idx & INDEX_MASK);
}

uint32_t tern_buf_size(const struct tern_bufs *b, uint32_t idx)
{
	(void)b;
	return class_size[idx >> CLASS_SHIFT];
}

bool tern_bufs_pressure(const struct tern_bufs *b)
{
	return b->pressed;
}

/* Bytes come into use or go; pressure begins and ends with them. */
static void account(struct tern_bufs *b, int64_t bytes)
{
	b->used += (uint64_t)bytes;
	if (!b->pressed && b->used > b->pressure) {
		b->pressed = true;
		if (b->trace)
			tern_count(b->trace, TERN_CNT_TcpExtTCPMemoryPressures);
	} else if (b->pressed && b->used < b->low) {
		b->pressed = false;
	}
}

/* An empty buffer for `want` bytes, or the nearest size below where that one is not to be had. */
static uint32_t buf_get(struct tern_bufs *b, uint32_t want)
{
	unsigned int class = TERN_BUF_CLASSES;

	while (class -- > 0) {
		struct tern_buf *buf;
		uint32_t idx;

		if (class > 0 && class_size[class] / 2 > want)
			continue;
		if (b->used + class_size[class] > b->limit)
			continue;
		idx = tern_pool_get(&b->pools[class]);
		if (!idx)
			continue;
		account(b, (int64_t)class_size[class]);
		buf = tern_pool_at_raw(&b->pools[class], idx);
		buf->next = 0;
		buf->seq = 0;
		buf->len = 0;
		buf->cap = (class_size[class] - (uint32_t)sizeof(*buf)) & INT32_MAX;
		buf->record = 0;
		return idx | class << CLASS_SHIFT;
	}
	return 0;
}

/* Frees a buffer; returns what it was charged at. */
static uint32_t buf_put(struct tern_bufs *b, uint32_t idx)
{
	uint32_t size = class_size[idx >> CLASS_SHIFT];

	assert(b->used >= size);
	account(b, -(int64_t)size);
	tern_pool_put(&b->pools[idx >> CLASS_SHIFT], idx & INDEX_MASK);
	return size;
}

/*
 * New buffers that hold len bytes from seq on, still empty. Returns what they are charged at, or
 * -ENOBUFS.
 */
static int64_t chain_reserve(struct tern_bufs *b, struct tern_chain *chain, uint32_t len,
			     uint32_t hint)
{
	int64_t charged = 0;

	while (len > 0) {
		uint32_t idx = buf_get(b, TERN_MAX(len, hint));

		if (!idx) {
			tern_chain_clear(b, chain);
			return -ENOBUFS;
		}
		charged += tern_buf_size(b, idx);
		if (chain->tail)
			tern_buf_at(b, chain->tail)->next = idx;
		else
			chain->head = idx;
		chain->tail = idx;
		len -= TERN_MIN(len, tern_buf_at(b, idx)->cap);
	}
	return charged;
}

int64_t tern_chain_append(struct tern_bufs *b, struct tern_chain *chain, tern_seq seq,
			  const void *data, uint32_t len, uint32_t hint)
{
	struct tern_buf *tail = chain->tail ? tern_buf_at(b, chain->tail) : NULL;
	uint32_t room = tail ? TERN_MIN(tail->cap - tail->len, len) : 0;
	struct tern_chain fresh = { 0, 0 };
	const uint8_t *from = data;
	int64_t charged = 0;

	assert(!tail || tail->seq + tail->len == seq);
	if (len > room) {
		charged = chain_reserve(b, &fresh, len - room, hint);
		if (charged < 0)
			return charged;
	}
	if (room) {
		memcpy(tail->data + tail->len, from, room);
		tail->len += room;
	}
	for (uint32_t idx = fresh.head; idx; idx = tern_buf_at(b, idx)->next) {
		struct tern_buf *buf = tern_buf_at(b, idx);

		buf->seq = seq + room;
		buf->len = TERN_MIN(buf->cap, len - room);
		memcpy(buf->data, from + room, buf->len);
		room += buf->len;
	}
	tern_chain_join(b, chain, &fresh);
	return charged;
}

unsigned int tern_chain_lend(struct tern_bufs *b, const struct tern_chain *chain, uint32_t len,
			     uint32_t hint, struct tern_chain *fresh, struct tern_room *rooms,
			     unsigned int max, uint32_t *ret_len)
{
	struct tern_buf *tail = chain->tail ? tern_buf_at(b, chain->tail) : NULL;
	uint32_t got = tail ? TERN_MIN(tail->cap - tail->len, len) : 0;
	unsigned int n = 0;

	if (got && max)
		rooms[n++] = (struct tern_room){ tail->data + tail->len, got };
	while (got < len && n < max) {
		uint32_t idx = buf_get(b, TERN_MAX(len - got, hint));
		struct tern_buf *buf;

		if (!idx)
			break;
		buf = tern_buf_at(b, idx);
		if (fresh->tail)
			tern_buf_at(b, fresh->tail)->next = idx;
		else
			fresh->head = idx;
		fresh->tail = idx;
		rooms[n++] = (struct tern_room){ buf->data, TERN_MIN(buf->cap, len - got) };
		got += rooms[n - 1].len;
	}
	*ret_len = n ? got : 0;
	return n;
}

uint32_t tern_chain_take(struct tern_bufs *b, struct tern_chain *chain, struct tern_chain *fresh,
			 tern_seq seq, uint32_t len)
{
	struct tern_buf *buf = chain->tail ? tern_buf_at(b, chain->tail) : NULL;
	uint32_t n = buf ? TERN_MIN(buf->cap - buf->len, len) : 0, charged = 0;

	if (n)
		buf->len += n;
	while (n < len) {
		struct tern_chain one = { fresh->head, fresh->head };

		assert(one.head);
		buf = tern_buf_at(b, one.head);
		fresh->head = buf->next;
		buf->next = 0;
		buf->seq = seq + n;
		buf->len = TERN_MIN(buf->cap, len - n);
		n += buf->len;
		charged += tern_buf_size(b, one.head);
		tern_chain_join(b, chain, &one);
	}
	tern_chain_clear(b, fresh);
	fresh->tail = 0;
	return charged;
}

uint32_t tern_chain_trim(struct tern_bufs *b, struct tern_chain *chain, tern_seq seq)
{
	uint32_t uncharged = 0;

	while (chain->head) {
		struct tern_buf *buf = tern_buf_at(b, chain->head);
		uint32_t next = buf->next;

		if (tern_seq_gt(buf->seq + buf->len, seq))
			break;
		uncharged += buf_put(b, chain->head);
		chain->head = next;
	}
	if (!chain->head)
		chain->tail = 0;
	return uncharged;
}

uint32_t tern_chain_free(struct tern_bufs *b, struct tern_chain *chain)
{
	uint32_t uncharged = 0;

	while (chain->head) {
		uint32_t next = tern_buf_at(b, chain->head)->next;

		uncharged += buf_put(b, chain->head);
		chain->head = next;
	}
	chain->tail = 0;
	return uncharged;
}

void tern_chain_join(struct tern_bufs *b, struct tern_chain *chain, struct tern_chain *more)
{
	if (!more->head)
		return;
	if (chain->tail)
		tern_buf_at(b, chain->tail)->next = more->head;
	else
		chain->head = more->head;
	chain->tail = more->tail;
	more->head = 0;
	more->tail = 0;
}

/* The buffer from idx on that holds seq. */
static uint32_t chain_seek(const struct tern_bufs *b, uint32_t idx, tern_seq seq)
{
	while (idx) {
		const struct tern_buf *buf = tern_buf_at(b, idx);

		if (tern_seq_in(seq, buf->seq, buf->len))
			break;
		idx = buf->next;
	}
	return idx;
}

void tern_chain_end_record(const struct tern_bufs *b, const struct tern_chain *chain)
{
	struct tern_buf *buf = tern_buf_at(b, chain->tail);

	buf->cap = buf->len & INT32_MAX;
	buf->record = 1;
}

uint32_t tern_chain_record(const struct tern_bufs *b, const struct tern_chain *chain,
			   uint32_t cursor, tern_seq seq, uint32_t len)
{
	uint32_t idx = chain_seek(b, cursor ? cursor : chain->head, seq);

	while (idx) {
		const struct tern_buf *buf = tern_buf_at(b, idx);
		uint32_t upto = buf->seq + buf->len - seq;

		if (upto >= len)
			break;
		if (buf->record)
			return upto;
		idx = buf->next;
	}
	return len;
}

void tern_chain_copy(const struct tern_bufs *b, const struct tern_chain *chain, tern_seq seq,
		     void *dst, uint32_t len)
{
	uint8_t *to = dst;

	for (uint32_t idx = chain_seek(b, chain->head, seq); len > 0;) {
		const struct tern_buf *buf = tern_buf_at(b, idx);
		uint32_t skip = seq - buf->seq;
		uint32_t n = TERN_MIN(len, buf->len - skip);

		memcpy(to, buf->data + skip, n);
		to += n;
		seq += n;
		len -= n;
		idx = buf->next;
		assert(idx || !len);
	}
}

unsigned int tern_chain_pieces(const struct tern_bufs *b, const struct tern_chain *chain,
			       uint32_t *cursor, tern_seq seq, uint32_t len,
			       struct tern_piece *pieces, unsigned int max, uint32_t *ret_len)
{
	uint32_t idx = chain_seek(b, *cursor ? *cursor : chain->head, seq);
	unsigned int n = 0;
	uint32_t got = 0;

	while (idx && got < len && n < max) {
		const struct tern_buf *buf = tern_buf_at(b, idx);
		uint32_t skip = seq + got - buf->seq;
		uint32_t take = TERN_MIN(len - got, buf->len - skip);

		pieces[n].ptr = buf->data + skip;
		pieces[n].len = take;
		n++;
		got += take;
		*cursor = idx;
		idx = buf->next;
	}
	*ret_len = got;
	return n;
}
