/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/bytes.h: bounded cursors over packets, and unaligned network-order loads and stores.
 *
 * One cursor reads, one writes, and nobody else does pointer arithmetic on packets. A read or
 * write that does not fit sets `failed`, and from then on every further one fails too (a short
 * read sticks), so that a parser may read a whole header and ask once at the end.
 */
#ifndef TERN_BASE_BYTES_H
#define TERN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Host order <-> network order (the same operation both ways). */
static inline uint16_t tern_swap_u16(uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(v);
#else
	return v;
#endif
}

static inline uint32_t tern_swap_u32(uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(v);
#else
	return v;
#endif
}

static inline uint64_t tern_swap_u64(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(v);
#else
	return v;
#endif
}

/* Load a big-endian integer from 2, 4 or 8 bytes at any alignment. */
static inline uint16_t tern_get_u16(const void *ptr)
{
	uint16_t v;

	memcpy(&v, ptr, sizeof(v));
	return tern_swap_u16(v);
}

static inline uint32_t tern_get_u32(const void *ptr)
{
	uint32_t v;

	memcpy(&v, ptr, sizeof(v));
	return tern_swap_u32(v);
}

static inline uint64_t tern_get_u64(const void *ptr)
{
	uint64_t v;

	memcpy(&v, ptr, sizeof(v));
	return tern_swap_u64(v);
}

/* Store an integer big-endian into 2, 4 or 8 bytes at any alignment. */
static inline void tern_put_u16(void *ptr, uint16_t v)
{
	v = tern_swap_u16(v);
	memcpy(ptr, &v, sizeof(v));
}

static inline void tern_put_u32(void *ptr, uint32_t v)
{
	v = tern_swap_u32(v);
	memcpy(ptr, &v, sizeof(v));
}

static inline void tern_put_u64(void *ptr, uint64_t v)
{
	v = tern_swap_u64(v);
	memcpy(ptr, &v, sizeof(v));
}

/* A read cursor: the bytes from p up to end are still unread. It borrows the memory. */
struct tern_rd {
	const uint8_t *p, *end;
	bool failed;
};

/* Read `len` bytes at `ptr` (NULL is allowed when len is 0). */
static inline void tern_rd_init(struct tern_rd *rd, const void *ptr, size_t len)
{
	rd->p = ptr;
	rd->end = len ? rd->p + len : rd->p;
	rd->failed = false;
}

/* Number of unread bytes; 0 once a read has failed. */
static inline size_t tern_rd_left(const struct tern_rd *rd)
{
	return (size_t)(rd->end - rd->p);
}

/* Take the next n bytes: their address in the packet, or NULL (and failed) if there are fewer. */
static inline const uint8_t *tern_rd_bytes(struct tern_rd *rd, size_t n)
{
	const uint8_t *p = rd->p;

	if (rd->failed || n > tern_rd_left(rd)) {
		rd->failed = true;
		rd->p = rd->end;
		return NULL;
	}
	if (n)
		rd->p += n;
	return p;
}

/* Pass over n bytes. */
static inline void tern_rd_skip(struct tern_rd *rd, size_t n)
{
	(void)tern_rd_bytes(rd, n);
}

/* Read one integer in network order; 0 and failed if the bytes are not there. */
static inline uint8_t tern_rd_u8(struct tern_rd *rd)
{
	const uint8_t *p = tern_rd_bytes(rd, 1);

	return p ? *p : 0;
}

static inline uint16_t tern_rd_u16(struct tern_rd *rd)
{
	const uint8_t *p = tern_rd_bytes(rd, 2);

	return p ? tern_get_u16(p) : 0;
}

static inline uint32_t tern_rd_u32(struct tern_rd *rd)
{
	const uint8_t *p = tern_rd_bytes(rd, 4);

	return p ? tern_get_u32(p) : 0;
}

/* A write cursor: bytes from base up to p are written, from p up to end is room. */
struct tern_wr {
	uint8_t *base, *p, *end;
	bool failed;
};

/* Write into `cap` bytes at `ptr`, which stay the caller's. */
static inline void tern_wr_init(struct tern_wr *wr, void *ptr, size_t cap)
{
	wr->base = ptr;
	wr->p = wr->base;
	wr->end = cap ? wr->base + cap : wr->base;
	wr->failed = false;
}

/* Number of bytes written so far; what did not fit does not count. */
static inline size_t tern_wr_len(const struct tern_wr *wr)
{
	return (size_t)(wr->p - wr->base);
}

/*
 * Reserve the next n bytes for the caller to fill (lengths and checksums that are known later):
 * their address, or NULL (and failed) if they do not fit.
 */
static inline uint8_t *tern_wr_reserve(struct tern_wr *wr, size_t n)
{
	uint8_t *p = wr->p;

	if (wr->failed || n > (size_t)(wr->end - wr->p)) {
		wr->failed = true;
		return NULL;
	}
	if (n)
		wr->p += n;
	return p;
}

/* Write one integer in network order. */
static inline void tern_wr_u8(struct tern_wr *wr, uint8_t v)
{
	uint8_t *p = tern_wr_reserve(wr, 1);

	if (p)
		*p = v;
}

static inline void tern_wr_u16(struct tern_wr *wr, uint16_t v)
{
	uint8_t *p = tern_wr_reserve(wr, 2);

	if (p)
		tern_put_u16(p, v);
}

static inline void tern_wr_u32(struct tern_wr *wr, uint32_t v)
{
	uint8_t *p = tern_wr_reserve(wr, 4);

	if (p)
		tern_put_u32(p, v);
}

/* Write n bytes copied from src: all of them or none. */
static inline void tern_wr_bytes(struct tern_wr *wr, const void *src, size_t n)
{
	uint8_t *p = tern_wr_reserve(wr, n);

	if (p && n)
		memcpy(p, src, n);
}

/* Write n zero bytes. */
static inline void tern_wr_zero(struct tern_wr *wr, size_t n)
{
	uint8_t *p = tern_wr_reserve(wr, n);

	if (p && n)
		memset(p, 0, n);
}

/* The value of a hexadecimal digit of either case, or -1. */
static inline int tern_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

#endif
