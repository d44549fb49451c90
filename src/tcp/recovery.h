/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/recovery.h: what an ACK says about loss, and what is done about it.
 *
 *	sack.c		SACK blocks: what arrived beyond SND.UNA
 *	rack.c		which of the rest is lost, by time (RFC 8985)
 *	recovery.c	fast recovery: in, out, how the window shrinks (RFC 6937)
 *	loss.c		after a timeout; was it one? (RFC 5682)
 *	undo.c		a reduction that proves wrong is taken back (RFC 3522, RFC 4015, RFC 3708)
 *	probe.c		the loss probe (RFC 8985 §7)
 */
#ifndef TERN_TCP_RECOVERY_H
#define TERN_TCP_RECOVERY_H

#include "tcp/conn.h"
#include "wire/segment.h"

/* What is known of an ACK. */
enum tern_news_flag {
	TERN_NEWS_DATA = 1 << 0,         /* it came with data, SYN or FIN */
	TERN_NEWS_WINDOW = 1 << 1,       /* it told of a new window */
	TERN_NEWS_ACKED = 1 << 2,        /* segments were acknowledged */
	TERN_NEWS_AGAIN_ACKED = 1 << 3,  /* … that had been sent again */
	TERN_NEWS_SACKED = 1 << 4,       /* segments were SACKed */
	TERN_NEWS_ECE = 1 << 5,          /* congestion was experienced (RFC 3168) */
	TERN_NEWS_LOST_AGAIN = 1 << 6,   /* a retransmission was found lost */
	TERN_NEWS_ORIGINAL = 1 << 7,     /* what was sent once, before recovery began, arrived */
	TERN_NEWS_ADVANCED = 1 << 8,     /* SND.UNA moved */
	TERN_NEWS_DSACK = 1 << 9,        /* a D-SACK told of a duplicate */
	TERN_NEWS_DSACK_PROBE = 1 << 10, /* … which may be the loss probe */
	TERN_NEWS_TIMER = 1 << 11,       /* the timer is to start anew */
	TERN_NEWS_RENEGED = 1 << 12,     /* the first in flight had been SACKed */
	TERN_NEWS_NO_DUP = TERN_NEWS_DATA | TERN_NEWS_WINDOW | TERN_NEWS_ACKED,
	TERN_NEWS_ALERT = TERN_NEWS_SACKED | TERN_NEWS_ECE | TERN_NEWS_DSACK,
};

/* One ACK on its way through the files above. */
struct tern_news {
	struct tern_tcp *t;
	struct tern_conn *c;
	struct tern_traffic *x;
	const struct tern_segment *seg;
	uint32_t idx;
	uint32_t flags;           /* enum tern_news_flag */
	tern_seq prior_una;       /* SND.UNA before */
	tern_seq prior_high;      /* end of what was SACKed before; SND.UNA if nothing */
	uint32_t prior_delivered; /* total when what arrived last had left; 0: nothing did */
	uint32_t dupacks;         /* 1: it is a duplicate */
	uint32_t delivered;       /* segments that arrived */
	uint32_t lost;            /* segments found lost */
	tern_seq reorder;         /* lowest that arrived late though sent once */
	uint64_t first_sacked_ns, last_sacked_ns; /* when what was SACKed had left; 0: none */
	uint64_t rtt_us; /* of what was acknowledged last; TERN_NEVER: none */
};

static inline bool tern_conn_sacks(const struct tern_conn *c)
{
	return (c->options & TERN_OPT_SACKOK) != 0;
}

/* With ECN, the peer is told that the window was reduced. */
static inline void tern_recovery_tell(struct tern_conn *c)
{
	if (c->options & TERN_OPT_ECN)
		c->marks |= TERN_MARK_CWR;
}

/* Is the window being reduced, segment by segment? */
static inline bool tern_recovery_reduces(const struct tern_repairs *r)
{
	return r->state == TERN_CA_CWR || r->state == TERN_CA_RECOVERY;
}

static inline struct tern_burst *tern_burst_at(const struct tern_tcp *t,
					       const struct tern_traffic *x, uint32_t idx)
{
	return tern_burst_of(t, &x->flight, idx);
}

/* How many segments out of order are no loss. */
static inline uint32_t tern_reordering(const struct tern_tcp *t, const struct tern_conn *c)
{
	return c->totals.reordering ? c->totals.reordering : t->knobs->tcp_reordering;
}

/* End of the highest segment that was SACKed; SND.UNA if none was. */
static inline tern_seq tern_high_sacked(const struct tern_conn *c, const struct tern_traffic *x)
{
	if (!x->flight.sacked)
		return c->snd.una;
	return tern_conn_sacks(c) ? x->flight.high : c->snd.nxt;
}

/* n segments have arrived that were not known to have. */
static inline void tern_news_deliver(struct tern_news *n, uint32_t segments)
{
	n->delivered += segments;
	n->c->totals.delivered += segments;
}

/* Looks up the SACK blocks of a segment in the flight. */
void tern_sack_take(struct tern_news *n);

/* What arrived shows that what had left after `low` overtook it. by_stamp: timestamps show it. */
void tern_sack_reordered(struct tern_news *n, tern_seq low, bool by_stamp);

/* A segment has arrived: perhaps the one sent last of all that did. */
void tern_rack_advance(struct tern_news *n, const struct tern_burst *burst);

/* Marks as lost what is overdue; sets the timer for what will be. */
void tern_rack_mark_lost(struct tern_news *n);

/* Adapts the reordering window to D-SACKs. */
void tern_rack_update(struct tern_news *n);

/* That timer ran out. */
void tern_rack_timeout(struct tern_tcp *t, uint32_t idx);

/* How long until a segment is overdue by `slack_us`; negative when it is. */
int64_t tern_rack_remaining_us(const struct tern_tcp *t, const struct tern_traffic *x,
			       const struct tern_burst *burst, uint32_t slack_us);

/* Is the ACK more than the expected next? */
static inline bool tern_news_dubious(const struct tern_news *n)
{
	return !(n->flags & TERN_NEWS_NO_DUP) || (n->flags & TERN_NEWS_ALERT) ||
	       n->x->repair.state != TERN_CA_OPEN;
}

/* What follows from an ACK that is dubious: states are left and entered, losses marked. */
void tern_recovery_alert(struct tern_news *n);

/* How the window follows from what the ACK delivered. */
void tern_recovery_window(struct tern_news *n);

/* Without SACK, duplicate ACKs are counted as segments SACKed; all are forgotten. */
void tern_recovery_forget_dupacks(struct tern_traffic *x);
void tern_recovery_count_dupacks(struct tern_news *n);

/*
 * No more duplicates than segments behind what is lost: what is on its way cannot be less than
 * none. True if there were more.
 */
bool tern_recovery_limit_dupacks(struct tern_flight *f);

/* Without SACK, `acked` segments were acknowledged, of which duplicates had told of some. */
void tern_recovery_uncount_dupacks(struct tern_news *n, uint32_t acked);

/* Enters fast recovery. */
void tern_recovery_enter(struct tern_news *n);

/* Begins a reduction of the window, and ends it. */
void tern_recovery_reduce(struct tern_conn *c, struct tern_traffic *x);
void tern_recovery_reduced(struct tern_conn *c, struct tern_traffic *x);

/* Back to OPEN, or DISORDER while something is missing. */
void tern_recovery_keep_open(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x);

/* Has what is first in flight been sent again, or anything that is still under way? */
bool tern_recovery_any_again(const struct tern_tcp *t, const struct tern_traffic *x);

/*
 * Congestion was experienced (an ECE, RFC 3168 §6.1.2): the window is reduced, once a round trip,
 * and nothing is sent again.
 */
void tern_recovery_congestion(struct tern_tcp *t, struct tern_conn *c);

/* ssthresh as it would be had recovery not begun, in bytes. */
uint32_t tern_recovery_current_ssthresh(const struct tern_conn *c, const struct tern_traffic *x);

/* A timeout: all is lost but what was sent just now. */
void tern_loss_enter(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x);

/*
 * The path takes only segments of mss bytes: larger ones in flight are lost, which is no sign of
 * congestion.
 */
void tern_loss_resize(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
		      uint32_t mss);

/* An ACK after a timeout. */
void tern_loss_process(struct tern_news *n);

/* Remembers the window before it is reduced. */
void tern_undo_init(struct tern_conn *c, struct tern_traffic *x);

/* What was reduced is taken back, if the ACK shows that it was wrong; each says whether it was. */
bool tern_undo_recovery(struct tern_news *n); /* true: the state has to be kept */
bool tern_undo_by_dsack(struct tern_news *n);
bool tern_undo_partial(struct tern_news *n); /* true: nothing is to be sent again */
bool tern_undo_loss(struct tern_news *n, bool frto);

/* An ACK while a loss probe is out. */
void tern_probe_acked(struct tern_news *n);

#endif
