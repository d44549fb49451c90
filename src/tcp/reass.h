/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/reass.h: what arrived ahead of RCV.NXT.
 */
#ifndef TERN_TCP_REASS_H
#define TERN_TCP_REASS_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp/conn.h"

enum { TERN_REASS_RANGES = 64 };

/* A run of bytes [left, right) with a hole before it. */
struct tern_range {
	tern_seq left, right;
	struct tern_chain chain;
};

struct tern_reass {
	struct tern_range range[TERN_REASS_RANGES]; /* sorted, disjoint, not touching */
	uint8_t count;
	tern_seq recent[TERN_SACK_BLOCKS_MAX]; /* a byte of each range that a segment went into
						  last, the latest first (RFC 2018 §4) */
	uint8_t recents;
	bool fin;         /* a FIN came early … */
	tern_seq fin_seq; /* … and this is its sequence number */
};

/*
 * Keeps [seq, seq + len) of which nothing is before RCV.NXT. Bytes that are there already win over
 * the new ones. -ENOBUFS when ranges or memory run out: nothing is kept.
 */
int tern_reass_insert(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x, tern_seq seq,
		      const uint8_t *data, uint32_t len);

/* Remembers a FIN whose sequence number is seq. -ENOBUFS. */
int tern_reass_note_fin(struct tern_tcp *t, struct tern_traffic *x, tern_seq seq);

/*
 * Of len bytes at RCV.NXT, how many stand before the first that came early: those are to be kept.
 */
uint32_t tern_reass_room(const struct tern_tcp *t, const struct tern_traffic *x, tern_seq nxt,
			 uint32_t len);

/*
 * RCV.NXT has moved on to `nxt`, never past the first range: what now is in order goes to the
 * receive queue. Returns the new RCV.NXT; *ret_fin tells whether the early FIN stands there.
 */
tern_seq tern_reass_advance(struct tern_tcp *t, struct tern_traffic *x, tern_seq nxt,
			    bool *ret_fin);

/* Forgets everything that came early. */
void tern_reass_clear(struct tern_tcp *t, struct tern_traffic *x);

/* A run of bytes of [seq, seq + len) that is kept already: false if there is none. */
bool tern_reass_finds(const struct tern_tcp *t, const struct tern_traffic *x, tern_seq seq,
		      uint32_t len, struct tern_sack_block *ret);

/* SACK blocks to report, the latest first; returns how many, at most max. */
unsigned int tern_reass_blocks(const struct tern_tcp *t, const struct tern_traffic *x,
			       struct tern_sack_block *blocks, unsigned int max);

#endif
