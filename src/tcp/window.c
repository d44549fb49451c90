/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A receive buffer (SO_RCVBUF, tcp_rmem) is an amount of memory; the window that fits into it
 * depends on what keeping the bytes costs. Each segment that is kept is charged at a cost, which
 * goes again as its bytes are read. That is what it would take to keep the segment as it came, and
 * what Linux charges: 256 bytes to describe it, and its bytes with headers and room around them in
 * a power of two; of a long one whatever exceeds a page in whole pages. Buffer sizes are chosen
 * with that in mind, and the same size is to mean the same window here. We copy bytes together and
 * use less: what guards memory is not the window but the true size (text.c, buf.c).
 *
 * Of the free memory, `ratio` / 256 is room for bytes: half at first, and then as much as the
 * peer's segments have at best shown of their cost to be bytes. The window grows there step by
 * step, as far as the segments that came have earned it (`limit`): a peer of tiny segments is never
 * promised much. What was learnt goes when the connection is idle; the window it has stays.
 *
 * The right edge stands in rcv.adv and moves right by a full segment or a quarter of the buffer at
 * least (MUST-39). It does not move left (SHLD-14), but in two cases: no memory for data inside the
 * window, where it is closed; and the knob tcp_shrink_window. Then credit.max keeps the largest
 * edge that was shown, for the peer may have sent in good faith what is left of it: ACKs and resets
 * from there count, data behind rcv.adv is dropped. Under memory pressure (tcp_mem) the edge moves
 * no further than four segments ahead.
 *
 * The field counts units of the scale. A left-over part of a unit is rounded up while there is room
 * for that, else down: the edge that the peer sees then moves left by less than a unit (RFC 7323
 * §2.4), but what came is taken up to rcv.adv. Rounding up always would let the edge creep with
 * every small segment, and the window would never close. Without scaling the window is a number of
 * whole segments.
 */
#include "tcp/window.h"

#include "base/compiler.h"
#include "tcp/negotiate.h"

enum {
	DESCRIPTOR = 256, /* bytes that describe a segment */
	AROUND = 384,     /* headers, and room around them */
	PAGE = 4096,
	RATIO_FIRST = 128,
	PEER_MSS_FIRST = 536, /* what is guessed of the peer's segments until some come */
	PEER_MSS_MIN = 88,
	WINDOW_FIRST = 10, /* segments that a peer sends at the start */
	TELLING = 128,     /* bytes of a segment that says anything about those to come */
};

static uint32_t advertised_mss(const struct tern_conn *c, uint8_t family, uint32_t mtu)
{
	uint32_t mss = tern_advertised_mss(family, mtu);

	return c->max_seg ? TERN_MIN(mss, (uint32_t)c->max_seg) : mss;
}

uint16_t tern_window_first_small(const struct tern_conn *c, uint8_t family, uint32_t mtu)
{
	uint32_t half = c->rcv.buf / 2, mss = advertised_mss(c, family, mtu);

	return (uint16_t)(half > mss ? half - half % mss : half);
}

uint32_t tern_window_cost(uint32_t len)
{
	uint32_t head = len + AROUND;

	if (head > 2 * PAGE)
		return DESCRIPTOR + PAGE + (head - PAGE + PAGE - 1) / PAGE * PAGE;
	return DESCRIPTOR + (UINT32_C(2) << (31 - __builtin_clz(head - 1)));
}

static uint32_t ratio_of(const struct tern_traffic *x)
{
	return x && x->credit.ratio ? x->credit.ratio : (uint32_t)RATIO_FIRST;
}

/* The window that so much memory makes. */
static uint32_t window_of(const struct tern_traffic *x, uint32_t memory)
{
	return (uint32_t)((uint64_t)memory * ratio_of(x) >> 8);
}

/* What may still come in. */
static uint32_t space_of(const struct tern_conn *c, const struct tern_traffic *x)
{
	uint32_t cost = x ? x->credit.cost : 0;
	/* RFC9293:MAY-8 */
	return c->rcv.buf > cost ? window_of(x, c->rcv.buf - cost) : 0;
}

bool tern_window_is_scarce(const struct tern_conn *c, const struct tern_traffic *x)
{
	return space_of(c, x) < window_of(x, c->rcv.buf) / 2;
}

/* The smallest step of the right edge that is worth telling. */
static uint32_t step_of(const struct tern_conn *c)
{
	return TERN_MIN(c->rcv.buf / 4, c->cc.mss ? c->cc.mss : 536u);
}

static uint32_t peer_mss_first(const struct tern_tcp *t, const struct tern_conn *c)
{
	uint32_t mss = TERN_MIN(advertised_mss(c, c->family, t->mtu), c->cc.mss);

	mss = TERN_MIN(mss, c->rcv.buf / 4);
	return TERN_MAX(TERN_MIN(mss, (uint32_t)PEER_MSS_FIRST), (uint32_t)PEER_MSS_MIN);
}

/* What the SYN could show; or what there is, if that was earned before the connection was idle. */
static uint32_t limit_first(const struct tern_tcp *t, const struct tern_conn *c)
{
	uint32_t half = c->rcv.buf / 2, mss = advertised_mss(c, c->family, t->mtu);
	uint32_t left = c->rcv.adv - c->rcv.nxt;

	if (half > mss)
		half -= half % mss;
	return left > 65535 ? left : TERN_MIN(half, 65535u);
}

uint32_t tern_window_peer_mss(const struct tern_tcp *t, const struct tern_conn *c)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);

	return x && x->credit.mss ? x->credit.mss : peer_mss_first(t, c);
}

uint32_t tern_window_limit(const struct tern_tcp *t, const struct tern_conn *c)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);

	return x && x->credit.limit ? x->credit.limit : limit_first(t, c);
}

/*
 * What the peer's segments are like. One that is longer than we allow is several that a link has
 * put together: of what size is not known, but probably no larger than the peer takes himself.
 */
static void measure(const struct tern_tcp *t, const struct tern_conn *c, struct tern_credit *k,
		    uint32_t len)
{
	uint32_t most, mss, ratio;

	if (len <= k->mss)
		return;
	most = advertised_mss(c, c->family, t->mtu);
	mss = len > most ? TERN_MIN(most, c->cc.mss) : len;
	if (mss <= k->mss)
		return;
	k->mss = (uint16_t)mss;
	ratio = TERN_MIN((len << 8) / tern_window_cost(len), 255u);
	if (ratio > k->ratio)
		k->ratio = (uint8_t)ratio;
}

/* The window may grow by two segments for each that comes, by two of what a link put together. */
static void grow(const struct tern_tcp *t, const struct tern_conn *c, struct tern_traffic *x,
		 uint32_t len)
{
	struct tern_credit *k = &x->credit;
	uint32_t space = space_of(c, x);

	if (space <= k->limit || len < TELLING || tern_bufs_pressure(&t->bufs))
		return;
	len = TERN_MAX(len, advertised_mss(c, c->family, t->mtu));
	k->limit += TERN_MIN(space - k->limit, 2 * len);
}

void tern_window_took(const struct tern_tcp *t, const struct tern_conn *c, struct tern_traffic *x,
		      uint32_t len)
{
	struct tern_credit *k = &x->credit;

	if (!k->limit) {
		k->limit = limit_first(t, c);
		k->mss = (uint16_t)peer_mss_first(t, c);
		k->ratio = RATIO_FIRST;
	}
	measure(t, c, k, len);
	k->cost += tern_window_cost(len);
	grow(t, c, x, len);
}

void tern_window_make_room(const struct tern_tcp *t, struct tern_conn *c,
			   const struct tern_traffic *x, uint32_t window)
{
	uint64_t want = ((uint64_t)window << 8) / ratio_of(x);

	if ((c->flags & TERN_CF_RCVBUF_LOCK) || !t->knobs->tcp_moderate_rcvbuf ||
	    want <= c->rcv.buf || tern_bufs_pressure(&t->bufs))
		return;
	want = TERN_MIN(want, (uint64_t)t->knobs->tcp_rmem_max);
	c->rcv.buf = TERN_MAX(c->rcv.buf, (uint32_t)want);
}

void tern_window_took_early(const struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
			    uint32_t len, tern_seq end)
{
	uint32_t round = 2 * WINDOW_FIRST * advertised_mss(c, c->family, t->mtu);

	tern_window_took(t, c, x, len);
	if ((c->flags & (TERN_CF_OWNED | TERN_CF_IN_ACCEPTQ)) == TERN_CF_OWNED)
		tern_window_make_room(t, c, x, round + (end - c->rcv.nxt));
}

void tern_window_released(struct tern_traffic *x, uint32_t n)
{
	uint32_t kept = x->recv.bytes + x->recv.early_bytes;

	if (n == kept)
		x->credit.cost = 0;
	else
		x->credit.cost -= (uint32_t)((uint64_t)x->credit.cost * n / kept);
}

/* Where the window should end now, as a size: rounded as it will be shown. */
static uint32_t target_of(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x)
{
	uint32_t space = space_of(c, x), full = window_of(x, c->rcv.buf);
	uint32_t unit = UINT32_C(1) << c->rcv_wscale, mss = tern_window_peer_mss(t, c);
	bool limited = x && x->credit.limit && c->rcv_wscale && space > x->credit.limit;

	if (space < full / 2 && (space < full / 16 || space < TERN_MIN(mss, full)))
		return 0;
	if (limited)
		space = x->credit.limit;
	if (c->rcv_wscale)
		/* by less than a unit more than there is, unless it could not be taken back */
		return t->knobs->tcp_shrink_window && !limited ? space & ~(unit - 1)
							       : (space + unit - 1) & ~(unit - 1);
	if (space >= 65535)
		return 65535;
	return space > mss ? space - space % mss : space;
}

/*
 * How far the edge moves right: a step at least. The unscaled window that answers a step's bytes is
 * filled up to a whole number of segments instead, so that it has no rest that tempts a sender.
 */
static uint32_t gain(const struct tern_tcp *t, const struct tern_conn *c, uint32_t target)
{
	uint32_t left = c->rcv.adv - c->rcv.nxt, step = step_of(c), pressed = 4 * step;

	if (!c->rcv_wscale && c->rcv.nxt - c->rcv.acked >= step)
		step = 1;
	/* RFC9293:MUST-39 */
	if (target < left + step)
		return 0;
	if (tern_bufs_pressure(&t->bufs))
		target = TERN_MIN(target, TERN_MAX(left, pressed));
	return target >= left + step ? target - left : 0;
}

uint32_t tern_window_gain(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x)
{
	return gain(t, c, target_of(t, c, x));
}

bool tern_window_doubles(const struct tern_tcp *t, const struct tern_conn *c,
			 const struct tern_traffic *x)
{
	uint32_t left = c->rcv.adv - c->rcv.nxt, more = tern_window_gain(t, c, x);

	return more && more >= left && left < window_of(x, c->rcv.buf) / 2;
}

void tern_window_passed(struct tern_conn *c, struct tern_traffic *x)
{
	if (tern_seq_gt(c->rcv.nxt, c->rcv.adv))
		c->rcv.adv = c->rcv.nxt;
	if (x->credit.less && tern_seq_ge(c->rcv.adv, x->credit.max))
		x->credit.less = false;
}

/* The edge goes back to where so much is left. */
TERN_COLD static void take_back(struct tern_conn *c, struct tern_traffic *x, uint32_t left)
{
	if (c->rcv.adv - c->rcv.nxt <= left)
		return;
	if (!x->credit.less) {
		x->credit.less = true;
		x->credit.max = c->rcv.adv;
	}
	c->rcv.adv = c->rcv.nxt + left;
}

/* The window closes, or opens again, or is to be shown closed; returns the units to show. */
static uint32_t turn(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x,
		     uint32_t units)
{
	if (c->flags & TERN_CF_NOMEM) {
		c->flags &= ~(uint32_t)TERN_CF_NOMEM;
		units = 0;
		if (x)
			take_back(c, x, 0);
	}
	if (!units != !!(c->flags & TERN_CF_ZERO_WINDOW)) {
		tern_count(t->trace, units ? TERN_CNT_TcpExtTCPFromZeroWindowAdv
					   : TERN_CNT_TcpExtTCPToZeroWindowAdv);
		c->flags ^= TERN_CF_ZERO_WINDOW;
	}
	return units;
}

TERN_OUTLINE static uint16_t compute(struct tern_tcp *t, struct tern_conn *c,
				     struct tern_traffic *x)
{
	uint32_t half = c->rcv.buf / 2, scale = c->rcv_wscale, target = half, space = half;
	uint32_t left, window, units;

	if (TERN_UNLIKELY(half < 65535) || (x && TERN_UNLIKELY(x->credit.limit))) {
		target = target_of(t, c, x);
		space = space_of(c, x);
		if (t->knobs->tcp_shrink_window && x && scale)
			take_back(c, x, target);
	}
	left = c->rcv.adv - c->rcv.nxt;
	window = left + gain(t, c, target);
	units = TERN_MIN(window >> scale, 65535u);
	if (units << scale < left && units < 65535 && (units + 1) << scale <= space)
		units++;
	if (TERN_UNLIKELY(!units || (c->flags & (TERN_CF_NOMEM | TERN_CF_ZERO_WINDOW))))
		units = turn(t, c, x, units);
	/* RFC9293:SHLD-14 RFC7323:2.4 */
	if (tern_seq_gt(units << scale, left)) {
		c->rcv.adv = c->rcv.nxt + (units << scale);
		if (x && TERN_UNLIKELY(x->credit.less))
			tern_window_passed(c, x);
	}
	return (uint16_t)units;
}

/* Where nothing came yet, and nothing is to be gained, a part of a unit is filled up. */
uint16_t tern_window_move(struct tern_tcp *t, struct tern_conn *c, struct tern_traffic *x)
{
	uint32_t half = c->rcv.buf / 2, scale = c->rcv_wscale, left = c->rcv.adv - c->rcv.nxt;
	uint32_t units = (left + (UINT32_C(1) << scale) - 1) >> scale;

	if (half < 65535 || !scale || units - 1 >= 65535 || units << scale > half ||
	    half >= left + step_of(c) || (x && (x->credit.limit | x->credit.less)) ||
	    (c->flags & (TERN_CF_NOMEM | TERN_CF_ZERO_WINDOW)))
		return compute(t, c, x);
	c->rcv.adv = c->rcv.nxt + (units << scale);
	return (uint16_t)units;
}
