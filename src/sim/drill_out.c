/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_out.c: a packet that the script expects, against the next one of the stack.
 *
 * Frames are compared in the order in which they were sent, those of the connection that the
 * packet is about; what others say is passed over, as packetdrill does. Every field that the script
 * says is compared, options byte by byte, timestamps within the tolerance or, without
 * --tcp_ts_tick_usecs, not at all.
 *
 * Scripts are written for a kernel that hands large segments to its device; our frames hold one
 * segment each. So where the script expects more bytes than a frame holds, those that follow it
 * without a gap at the same time are added; PSH is then not compared, it belongs to the large one,
 * nor where the script has it and the run goes on: such a kernel may have ended one there.
 *
 * Where nothing comes in time the clock runs on for a while, only to tell what came too late.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/drill_internal.h"
#include "sim/drill_show.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define LATE (120 * DRILL_S) /* how far is looked beyond what was expected */

/* A frame out, taken apart; numbers are carried over to the script's. */
struct seen {
	struct tern_packet pkt;
	struct tern_segment seg;
	struct drill_flow *flow;
	uint32_t len; /* of payload */
	bool merged;
	bool inside; /* more of the same went out at once behind it */
	uint8_t option[TERN_SCRIPT_OPTIONS];
	uint32_t option_len;
};

static bool take_apart(struct drill *d, const struct drill_frame *f, struct seen *s)
{
	uint32_t header;

	memset(s, 0, sizeof(*s));
	if (tern_ip_parse_quoted(f->bytes, f->kept, &s->pkt) != TERN_PARSE_OK)
		return false;
	s->len = f->len - s->pkt.header_len;
	if (s->pkt.proto != TERN_PROTO_TCP)
		return true;
	if (tern_tcp_parse(s->pkt.payload, s->pkt.payload_len, &s->seg) != TERN_PARSE_OK)
		return false;
	header = (uint32_t)(s->seg.data - s->pkt.payload);
	s->len -= header;
	s->option_len = header - TERN_TCP_HEADER;
	memcpy(s->option, s->pkt.payload + TERN_TCP_HEADER, s->option_len);
	s->flow = tern_drill_flow_of_frame(d, &s->pkt, &s->seg);
	return true;
}

/* Could the script mean the frame, in an event about flow (NULL: none is known to it)? */
static bool is_meant(const struct seen *s, const struct drill_flow *flow)
{
	return s->pkt.proto != TERN_PROTO_TCP || (s->flow && s->flow == flow);
}

/*
 * The first frame that is of flow, waiting for it no longer than `until`. Those of connections that
 * have ports in the script stay: another event may be about them.
 */
static struct drill_frame **next_frame(struct drill *d, const struct drill_flow *flow,
				       uint64_t until, struct seen *s)
{
	struct drill_frame **at = &d->frames;

	for (;;) {
		if (!*at)
			tern_drill_pass(d, until, at);
		if (!*at)
			return NULL;
		if (take_apart(d, *at, s) && is_meant(s, flow))
			return at;
		if (s->flow && s->flow->script_sport)
			at = &(*at)->next;
		else
			tern_drill_drop_frame(d, at);
	}
}

/* ---- our numbers, carried over ---- */

static uint8_t *find_stamps(uint8_t *o, uint32_t len)
{
	uint32_t i = 0;

	while (i + 1 < len && o[i] != TERN_KIND_EOL) {
		if (o[i] == TERN_KIND_NOP) {
			i++;
			continue;
		}
		if (o[i] == TERN_KIND_TS && o[i + 1] == 10 && i + 10 <= len)
			return o + i + 2;
		if (o[i + 1] < 2)
			return NULL;
		i += o[i + 1];
	}
	return NULL;
}

/* What a SYN tells of our side. */
static void follow(struct drill *d, struct drill_flow *flow, const struct seen *s,
		   const struct tern_script_packet *packet)
{
	bool syn = packet->flags & TERN_SYN, ack = packet->flags & TERN_ACK;

	if (!syn || !(s->seg.flags & TERN_SYN))
		return;
	if (!ack && (flow->phase == DRILL_CONNECTING || flow->phase == DRILL_SYN_SENT)) {
		flow->local = (struct tern_endpoint){ s->pkt.src, s->seg.sport };
		flow->phase = DRILL_SYN_SENT;
	} else if (ack && flow->phase == DRILL_PACKET_RECEIVED) {
		flow->phase = DRILL_SYNACK_SENT;
	} else {
		return;
	}
	flow->script_isn = packet->seq;
	flow->live_isn = s->seg.seq;
	d->under_test = d->under_test ? d->under_test : flow;
}

/* SACK blocks are about the peer's numbers. */
static void carry_blocks(struct seen *s, uint32_t shift)
{
	uint8_t *o = s->option;
	uint32_t i = 0;

	while (i + 1 < s->option_len && o[i] != TERN_KIND_EOL) {
		uint32_t n = o[i] == TERN_KIND_NOP ? 1 : o[i + 1];

		if (n == 0 || i + n > s->option_len)
			return;
		for (uint32_t at = 2; o[i] == TERN_KIND_SACK && at + 4 <= n; at += 4)
			tern_put_u32(o + i + at, tern_get_u32(o + i + at) - shift);
		i += n;
	}
}

static void carry_over(struct seen *s, const struct tern_script_packet *packet)
{
	struct drill_flow *flow = s->flow;
	bool syn = packet->flags & TERN_SYN;
	uint8_t *stamps = find_stamps(s->option, s->option_len), *wanted;
	uint8_t option[TERN_SCRIPT_OPTIONS];
	uint32_t live;

	s->seg.seq -= tern_drill_flow_shift(flow, syn);
	if (!syn && (s->seg.flags & TERN_ACK))
		s->seg.ack -= flow->peer_isn;
	if (!syn)
		carry_blocks(s, flow->peer_isn);
	if (!stamps)
		return;
	live = tern_get_u32(stamps);
	memcpy(option, packet->option, sizeof(option));
	wanted = find_stamps(option, packet->option_len);
	if (wanted)
		tern_drill_stamp_note(flow, tern_get_u32(wanted), live);
	if (flow->stamped)
		tern_put_u32(stamps, flow->first.script + (live - flow->first.live));
}

/* ---- comparison; each says what differs and returns false ---- */

static bool differs(struct drill *d, const char *field, uint64_t wanted, uint64_t got)
{
	tern_drill_fail(d, "%s is %llu, not %llu", field, (unsigned long long)got,
			(unsigned long long)wanted);
	return false;
}

static bool same_ip(struct drill *d, const struct seen *s, const struct tern_script_packet *p)
{
	static const char *const ecn[] = { "noecn", "ect1", "ect0", "ce" };
	unsigned int bits = s->pkt.tos & 3u;

	if (p->tos_kind == TERN_TOS_ALL && s->pkt.tos != p->tos)
		return differs(d, "tos", p->tos, s->pkt.tos);
	if ((p->tos_kind == TERN_TOS_ECN && bits != p->tos) ||
	    (p->tos_kind == TERN_TOS_ECT01 && bits != 1 && bits != 2)) {
		tern_drill_fail(d, "the ECN field is %s", ecn[bits]);
		return false;
	}
	if (p->ttl >= 0 && s->pkt.ttl != p->ttl)
		return differs(d, "ttl", (uint64_t)p->ttl, s->pkt.ttl);
	if (p->flow_label >= 0 && s->pkt.flow_label != (uint64_t)p->flow_label)
		return differs(d, "flow label", (uint64_t)p->flow_label, s->pkt.flow_label);
	return true;
}

static bool same_stamps(struct drill *d, const uint8_t *got, const uint8_t *wanted)
{
	uint32_t tick = d->script.options.ts_tick_us, val = tern_get_u32(got);
	int64_t apart = (int32_t)(val - tern_get_u32(wanted));

	if (!tick || (apart < 0 ? -apart : apart) * tick <= d->script.options.tolerance_us)
		return true;
	tern_drill_fail(d, "TS val is %u, not %u", val, tern_get_u32(wanted));
	return false;
}

static bool same_options(struct drill *d, const struct seen *s, const struct tern_script_packet *p)
{
	uint8_t got[TERN_SCRIPT_OPTIONS], wanted[TERN_SCRIPT_OPTIONS];
	uint8_t *got_ts, *wanted_ts;

	if (p->any_options)
		return true;
	memcpy(got, s->option, sizeof(got));
	memcpy(wanted, p->option, sizeof(wanted));
	got_ts = find_stamps(got, s->option_len);
	wanted_ts = find_stamps(wanted, p->option_len);
	if (got_ts && wanted_ts) {
		if (!same_stamps(d, got_ts, wanted_ts))
			return false;
		memcpy(got_ts, wanted_ts, 4);
	}
	if (s->option_len == p->option_len && memcmp(got, wanted, p->option_len) == 0)
		return true;
	tern_drill_fail(d, "the TCP options differ");
	return false;
}

static bool same_tcp(struct drill *d, const struct seen *s, const struct tern_script_packet *p)
{
	uint16_t ignored = s->merged && !d->cfg->tso ? TERN_PSH : 0;

	if (s->inside) /* a kernel may have ended a piece here */
		ignored = p->flags & TERN_PSH;
	if ((s->seg.flags | ignored) != (p->flags | ignored)) {
		tern_drill_fail(d, "the flags differ");
		return false;
	}
	if (s->seg.seq != p->seq)
		return differs(d, "the sequence number", p->seq, s->seg.seq);
	if (s->len != p->len)
		return differs(d, "the length", p->len, s->len);
	if (s->seg.ack != p->ack)
		return differs(d, "ack", p->ack, s->seg.ack);
	if (p->window >= 0 && s->seg.wnd != p->window)
		return differs(d, "win", (uint64_t)p->window, s->seg.wnd);
	if (s->seg.urgent != p->urgent)
		return differs(d, "urg", p->urgent, s->seg.urgent);
	return same_options(d, s, p);
}

/* The frame behind one, if it goes on where s ends, at the same time. */
static bool goes_on(struct drill *d, struct drill_frame **at, const struct seen *s,
		    struct seen *more)
{
	if (!s->len)
		return false;
	tern_drill_pass(d, d->now, &(*at)->next);
	return (*at)->next && (*at)->next->time == (*at)->time &&
	       take_apart(d, (*at)->next, more) && more->flow == s->flow && more->len &&
	       more->seg.seq == s->seg.seq + s->len && more->seg.ack == s->seg.ack;
}

/* Frames that go on where s ends, at the same time, as far as the script's packet reaches. */
static void merge(struct drill *d, struct drill_frame **at, struct seen *s,
		  const struct tern_script_packet *p)
{
	struct seen more;

	while (s->len < p->len && goes_on(d, at, s, &more)) {
		if (s->len + more.len > p->len || ((s->seg.flags ^ more.seg.flags) & TERN_SYN))
			return;
		s->len += more.len;
		s->merged = true;
		s->seg.flags = (uint16_t)((s->seg.flags & ~TERN_PSH) | more.seg.flags);
		tern_drill_drop_frame(d, at);
	}
}

static void expect_tcp(struct drill *d, struct drill_frame **at, struct seen *s,
		       const struct tern_script_packet *p)
{
	struct seen more;

	if (s->pkt.proto != TERN_PROTO_TCP) {
		tern_drill_fail(d, "this is no TCP segment");
		return;
	}
	follow(d, s->flow, s, p);
	merge(d, at, s, p);
	s->inside = !d->cfg->tso && goes_on(d, at, s, &more);
	carry_over(s, p);
	if (!same_ip(d, s, p) || !same_tcp(d, s, p))
		tern_drill_show_segment(&s->seg, s->len, s->option, s->option_len, d->actual,
					sizeof(d->actual));
}

static void expect_udp(struct drill *d, const struct seen *s, const struct tern_script_packet *p)
{
	if (s->pkt.proto != TERN_PROTO_UDP)
		tern_drill_fail(d, "this is no UDP datagram");
	else if (s->len - TERN_UDP_HEADER != p->len)
		(void)differs(d, "the length", p->len, s->len - TERN_UDP_HEADER);
	else
		(void)same_ip(d, s, p);
}

static void expect_icmp(struct drill *d, const struct seen *s, const struct tern_script_packet *p)
{
	struct tern_icmp icmp;

	if ((s->pkt.proto != TERN_PROTO_ICMP && s->pkt.proto != TERN_PROTO_ICMPV6) ||
	    tern_icmp_parse(&s->pkt, &icmp) != TERN_PARSE_OK)
		tern_drill_fail(d, "this is no ICMP message");
	else if (icmp.type != p->type)
		(void)differs(d, "the type", p->type, icmp.type);
	else if (icmp.code != p->code)
		(void)differs(d, "the code", p->code, icmp.code);
	else if (p->mtu && icmp.rest != p->mtu)
		(void)differs(d, "the MTU", p->mtu, icmp.rest);
	else
		(void)same_ip(d, s, p);
}

/* Was the frame sent when it was to be? */
static bool in_time(struct drill *d, int64_t at_us)
{
	const struct tern_script_event *e = d->event;
	bool range = e->time == TERN_TIME_ABSOLUTE_RANGE || e->time == TERN_TIME_RELATIVE_RANGE;
	bool relative = e->time == TERN_TIME_RELATIVE || e->time == TERN_TIME_RELATIVE_RANGE;
	int64_t base = relative ? d->last_us : 0, from = base + e->at_us, to = from;
	int64_t tolerance = tern_drill_tolerance(d, from);

	if (e->time == TERN_TIME_ANY)
		return true;
	if (range)
		to = base + e->end_us;
	if (at_us >= from - tolerance && at_us <= to + tolerance)
		return true;
	if (range)
		tern_drill_fail(d, "timing: expected between %.6f and %.6f s, sent at %.6f s",
				(double)from / 1e6, (double)to / 1e6, (double)at_us / 1e6);
	else
		tern_drill_fail(d, "timing: expected at %.6f s, sent at %.6f s (tolerance %.6f s)",
				(double)from / 1e6, (double)at_us / 1e6, (double)tolerance / 1e6);
	return false;
}

/* The latest time at which the frame would be in time. */
static uint64_t latest(const struct drill *d)
{
	const struct tern_script_event *e = d->event;
	bool range = e->time == TERN_TIME_ABSOLUTE_RANGE || e->time == TERN_TIME_RELATIVE_RANGE;
	bool relative = e->time == TERN_TIME_RELATIVE || e->time == TERN_TIME_RELATIVE_RANGE;
	int64_t base = relative ? d->last_us : 0;

	if (e->time == TERN_TIME_ANY)
		return d->now + DRILL_FOREVER;
	return d->start + (uint64_t)(base + (range ? e->end_us : e->at_us) +
				     tern_drill_tolerance(d, base + e->at_us)) *
				  DRILL_US;
}

void tern_drill_packet_out(struct drill *d, const struct tern_script_packet *packet)
{
	const struct drill_flow *flow = tern_drill_flow_of_script(d, packet);
	struct drill_frame **at;
	struct seen seen;
	uint64_t sent;

	if (!flow)
		return;
	at = next_frame(d, flow, TERN_MAX(latest(d), d->now), &seen);
	if (!at && d->verdict == TERN_DRILL_PASSED)
		at = next_frame(d, flow, d->now + LATE, &seen);
	if (d->verdict != TERN_DRILL_PASSED)
		return;
	if (!at) {
		tern_drill_fail(d, "no packet was sent");
		return;
	}
	sent = (*at)->time;
	if (packet->protocol == TERN_SCRIPT_TCP)
		expect_tcp(d, at, &seen, packet);
	else if (packet->protocol == TERN_SCRIPT_UDP)
		expect_udp(d, &seen, packet);
	else
		expect_icmp(d, &seen, packet);
	if (d->verdict == TERN_DRILL_PASSED && in_time(d, tern_drill_us(d, sent)))
		tern_drill_drop_frame(d, at);
}
