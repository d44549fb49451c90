/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/buf.h: buffers, and chains of them that hold a run of the sequence space.
 *
 * A buffer is one of four sizes. It is charged at that true size to the stack (tcp_mem) and by the
 * owner of the chain to its connection. Bytes are copied together, so that small segments cannot
 * pin large buffers.
 */
#ifndef TERN_TCP_BUF_H
#define TERN_TCP_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/seq.h"
#include "tern/wire.h"
#include "trace/ring.h"

enum { TERN_BUF_CLASSES = 4 };

/* A buffer: bytes [seq, seq + len) of a stream. */
struct tern_buf {
	uint32_t next;
	tern_seq seq;
	uint32_t len;
	uint32_t cap : 31;   /* bytes that data holds */
	uint32_t record : 1; /* a record of the application ends here */
	uint8_t data[];
};

/* The first and the last buffer of a run; both 0 when there is none. */
struct tern_chain {
	uint32_t head, tail;
};

/* All buffers of a stack. */
struct tern_bufs {
	struct tern_pool pools[TERN_BUF_CLASSES];
	struct tern_trace *trace; /* where pressure is counted; may be NULL */
	uint64_t used;            /* bytes at true size */
	uint64_t limit;           /* tcp_mem's third number, in bytes */
	uint64_t pressure;        /* tcp_mem's second: above it there is pressure … */
	uint64_t low;             /* … until there is less in use than this, its first */
	bool pressed;
};

/* Reserves the directories of pools that hold max bytes in all. -ENOMEM. */
int tern_bufs_init(struct tern_bufs *b, struct tern_mem *mem, uint64_t max);
void tern_bufs_free(struct tern_bufs *b);

struct tern_buf *tern_buf_at(const struct tern_bufs *b, uint32_t idx);

/* True size of a buffer in bytes: what it is charged at. */
uint32_t tern_buf_size(const struct tern_bufs *b, uint32_t idx);

/* Is there memory pressure (tcp_mem)? */
bool tern_bufs_pressure(const struct tern_bufs *b);

/*
 * Appends bytes at seq, which is where the chain ends (or begins, if it is empty): first into the
 * last buffer's room, then into new ones, sized for len and for `hint` bytes already there. Returns
 * the bytes charged, or -ENOBUFS with nothing changed.
 */
int64_t tern_chain_append(struct tern_bufs *b, struct tern_chain *chain, tern_seq seq,
			  const void *data, uint32_t len, uint32_t hint);

/*
 * Room for len bytes behind a chain: first in its last buffer, then in new ones, which hang in
 * `fresh` (empty before) until they are taken or freed; sized as by tern_chain_append(). Lists it
 * in at most max pieces; returns how many, and in *ret_len how much it is: less than len where
 * max or memory is.
 */
unsigned int tern_chain_lend(struct tern_bufs *b, const struct tern_chain *chain, uint32_t len,
			     uint32_t hint, struct tern_chain *fresh, struct tern_room *rooms,
			     unsigned int max, uint32_t *ret_len);

/*
 * The first len bytes of that room have been written: they are appended at seq, the rest of `fresh`
 * is freed. Nothing else may have happened to the chain. Returns the bytes charged.
 */
uint32_t tern_chain_take(struct tern_bufs *b, struct tern_chain *chain, struct tern_chain *fresh,
			 tern_seq seq, uint32_t len);

/* A record of the application ends with the chain's last byte: nothing more joins its buffer. */
void tern_chain_end_record(const struct tern_bufs *b, const struct tern_chain *chain);

/*
 * How many of the len bytes from seq on come before the end of a record, the bytes up to the end of
 * the first one counted. cursor: a buffer to look from, 0: the head.
 */
uint32_t tern_chain_record(const struct tern_bufs *b, const struct tern_chain *chain,
			   uint32_t cursor, tern_seq seq, uint32_t len);

/* Frees all buffers that end at or before seq. Returns the bytes uncharged. */
uint32_t tern_chain_trim(struct tern_bufs *b, struct tern_chain *chain, tern_seq seq);

/* Frees all buffers of a chain that has some. Returns the bytes uncharged. */
uint32_t tern_chain_free(struct tern_bufs *b, struct tern_chain *chain);

/* The same for any chain. */
static inline uint32_t tern_chain_clear(struct tern_bufs *b, struct tern_chain *chain)
{
	return chain->head ? tern_chain_free(b, chain) : 0;
}

/*
 * Hangs the chain `more`, which begins where `chain` ends, behind it; `more` is empty afterwards.
 */
void tern_chain_join(struct tern_bufs *b, struct tern_chain *chain, struct tern_chain *more);

/* Copies len bytes from seq on, which the chain holds. */
void tern_chain_copy(const struct tern_bufs *b, const struct tern_chain *chain, tern_seq seq,
		     void *dst, uint32_t len);

/*
 * Lists the pieces that make up [seq, seq + len), at most max of them; returns how many and in
 * *ret_len how many bytes they hold. *cursor is a buffer to look from (0: the head) and becomes the
 * one that holds the end.
 */
unsigned int tern_chain_pieces(const struct tern_bufs *b, const struct tern_chain *chain,
			       uint32_t *cursor, tern_seq seq, uint32_t len,
			       struct tern_piece *pieces, unsigned int max, uint32_t *ret_len);

#endif
