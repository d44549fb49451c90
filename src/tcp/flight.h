/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/flight.h: what is in flight: the scoreboard of a sender.
 */
#ifndef TERN_TCP_FLIGHT_H
#define TERN_TCP_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/pool.h"
#include "base/seq.h"

struct tern_tcp;
struct tern_traffic;

enum {
	TERN_BURSTS_MAX = 4096,   /* of a connection (CVE-2019-11477, CVE-2019-11478) */
	TERN_BURST_OWN = 1 << 30, /* index of the burst that stands in the traffic record itself */
};

enum tern_burst_flag {
	TERN_BURST_SACKED = 1,     /* the peer has it */
	TERN_BURST_LOST = 2,       /* the first transmission is not under way any more */
	TERN_BURST_AGAIN = 4,      /* a retransmission is */
	TERN_BURST_EVER_AGAIN = 8, /* was retransmitted: an ACK of it is no round trip (Karn) */
	TERN_BURST_PSH = 16,       /* the flags of its last segment */
	TERN_BURST_FIN = 32,
	TERN_BURST_SYN = 64,
	TERN_BURST_PART = 128, /* one segment, of which a part is acknowledged */
};

/*
 * Segments [seq, end) that left in one frame, FIN and SYN counted; where the link does not cut
 * frames, all that left at one time.
 */
struct tern_burst {
	uint32_t next, prev;
	tern_seq seq, end;
	uint64_t sent_ns;   /* when it left last */
	uint32_t count;     /* segments */
	uint32_t delivered; /* the connection's total when it left last */
	uint16_t size;      /* payload of each segment but the last */
	uint8_t flags;      /* enum tern_burst_flag bits */
};

/*
 * The bursts of a connection, in order of sequence, and sums over them in segments. All before
 * `own` is zero when nothing is in flight.
 */
struct tern_flight {
	uint32_t head, tail;
	uint32_t bursts;
	uint32_t cursor; /* nothing before it is lost and not sent again; 0: look from the head */
	uint32_t packets, sacked, lost, again;
	tern_seq high; /* end of the highest that is sacked; holds while something is */
	struct tern_burst own;
};

struct tern_burst *tern_burst_of(const struct tern_tcp *t, const struct tern_flight *f,
				 uint32_t idx);

/* Segments that are on their way: neither arrived nor lost. RFC 6675's pipe, as Linux counts it. */
static inline uint32_t tern_flight_pipe(const struct tern_flight *f)
{
	return f->packets + f->again - f->sacked - f->lost;
}

/* Payload bytes of a burst. */
static inline uint32_t tern_burst_bytes(const struct tern_burst *burst)
{
	return burst->end - burst->seq - ((burst->flags & TERN_BURST_FIN) != 0) -
	       ((burst->flags & TERN_BURST_SYN) != 0);
}

/*
 * A frame has left with new sequence numbers. Where no record is to be had they become part of the
 * burst before.
 */
void tern_flight_sent_more(struct tern_tcp *t, struct tern_flight *f,
			   const struct tern_burst *burst);

/* The same with nothing in flight: it is written in f->own. */
static inline void tern_flight_sent_first(struct tern_flight *f)
{
	f->head = TERN_BURST_OWN;
	f->tail = TERN_BURST_OWN;
	f->bursts = 1;
	f->packets = f->own.count;
}

/* A burst has left once more, now. */
void tern_flight_sent_again(struct tern_flight *f, struct tern_burst *burst, uint64_t now,
			    uint32_t delivered);

/*
 * Cuts a burst in two at seq, which must be inside it and whole segments behind its beginning.
 * False where no record is to be had.
 */
bool tern_flight_split(struct tern_tcp *t, struct tern_flight *f, uint32_t idx, tern_seq seq);

/* The burst behind this one becomes part of it. Both are single segments. */
void tern_flight_join(struct tern_tcp *t, struct tern_flight *f, uint32_t idx);

/* Takes `una` - seq bytes off the front of the first burst. Returns the segments they were. */
uint32_t tern_flight_trim(struct tern_flight *f, struct tern_burst *burst, tern_seq una);

/* tern_flight_pop() with more than one. */
void tern_flight_pop_first(struct tern_tcp *t, struct tern_flight *f);

/* Takes the first burst off the flight. */
static inline void tern_flight_pop(struct tern_tcp *t, struct tern_flight *f)
{
	if (f->bursts > 1 || f->head != TERN_BURST_OWN) {
		tern_flight_pop_first(t, f);
		return;
	}
	f->head = f->tail = f->bursts = f->cursor = 0;
	f->packets = f->lost = f->again = f->own.count = 0;
	if (f->own.flags & TERN_BURST_SACKED)
		f->sacked = 0;
}

/* Nothing is in flight. */
static inline void tern_flight_init(struct tern_flight *f)
{
	memset(f, 0, offsetof(struct tern_flight, own));
}

/* Forgets all. */
static inline void tern_flight_clear(struct tern_tcp *t, struct tern_flight *f)
{
	while (f->head)
		tern_flight_pop(t, f);
	f->sacked = 0;
}

/* Gives back what it holds; to be initialised before it is used again. */
static inline void tern_flight_drop(struct tern_tcp *t, struct tern_flight *f)
{
	if (TERN_UNLIKELY(f->tail & ~(uint32_t)TERN_BURST_OWN) || f->bursts > 1)
		tern_flight_clear(t, f);
}

/* The segment size is another now: what is in flight is counted anew. */
void tern_flight_resize(struct tern_tcp *t, struct tern_flight *f, uint32_t mss);

/* Changes of mind about a burst, with the sums. */
void tern_flight_mark_sacked(struct tern_flight *f, struct tern_burst *burst);
void tern_flight_unmark(struct tern_flight *f, struct tern_burst *burst, uint8_t flags);

/*
 * It is lost: the first transmission, or the retransmission if there is one. Returns the segments
 * that were not known to be.
 */
uint32_t tern_flight_mark_lost(struct tern_tcp *t, struct tern_flight *f, struct tern_burst *burst);

/* The first burst, if there is one, is lost: a SYN that is to go again, without what it carried. */
void tern_flight_repeat_first(struct tern_tcp *t, struct tern_flight *f);

#endif
