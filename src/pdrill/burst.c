/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Scripts are written for a kernel that hands several segments of a connection to its device in
 * one piece, for the device to cut (TSO), and packetdrill sees the pieces. Our stack is given a
 * device that takes single segments; here those that it sends in one go are joined as a kernel
 * would have joined them:
 *
 *	a piece holds	full segments, and a last one that may be shorter
 *	at most		what 1 ms would carry at the pace of the connection (its window, more in
 *			slow start, over its round trip) and more on short paths, never less than
 *			tcp_min_tso_segs; half of the congestion window
 *	and ends	at PSH and FIN
 *	in a repetition	at borders of what was sent in one piece at first
 *	PSH		is set on whatever holds more than one segment
 *
 * The flag tso=0, or a tun0 whose owner has switched off both TSO and GSO (ethtool -K tun0 tso off
 * gso off), lets the segments of a piece out one by one, as a kernel cuts them for such a device:
 * PSH is then on the last one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/cksum.h"
#include "base/seq.h"
#include "base/text.h"
#include "pdrill/pdrill.h"

enum {
	PIECE_MAX = 65535,     /* bytes of a packet */
	GSO_MAX = 65536 - 321, /* Linux' sk_gso_max_size */
	GSO_WHOLE = 65536,
	PACING_SHIFT = 10, /* 1 ms, nearly */
	TCP_HEADER = 20,
	IP4_HEADER = 20,
	IP6_HEADER = 40,
	FLAG_FIN = 1,
	FLAG_PSH = 8,
	FLAG_ACK = 16,
};

/* A TCP packet without fragments. */
struct view {
	uint8_t *ip, *tcp;
	struct tern_addr src, dst;
	uint32_t header, len; /* of TCP; of payload */
	uint32_t seq, ports;
	uint8_t flags;
};

static bool look(uint8_t *bytes, uint32_t len, struct view *ret)
{
	uint32_t ip;

	ret->ip = bytes;
	if (len >= IP4_HEADER && bytes[0] >> 4 == 4) {
		ip = (bytes[0] & 15u) * 4;
		if (bytes[9] != TERN_PROTO_TCP || tern_get_u16(bytes + 6) & 0x3fff)
			return false;
		ret->src = tern_addr_from_bytes(TERN_INET, bytes + 12);
		ret->dst = tern_addr_from_bytes(TERN_INET, bytes + 16);
	} else if (len >= IP6_HEADER && bytes[0] >> 4 == 6 && bytes[6] == TERN_PROTO_TCP) {
		ip = IP6_HEADER;
		ret->src = tern_addr_from_bytes(TERN_INET6, bytes + 8);
		ret->dst = tern_addr_from_bytes(TERN_INET6, bytes + 24);
	} else {
		return false;
	}
	ret->tcp = bytes + ip;
	if (len < ip + TCP_HEADER)
		return false;
	ret->header = (ret->tcp[12] >> 4) * 4u;
	if (len < ip + ret->header)
		return false;
	ret->len = len - ip - ret->header;
	ret->seq = tern_get_u32(ret->tcp + 4);
	ret->ports = tern_get_u32(ret->tcp);
	ret->flags = ret->tcp[13];
	return true;
}

/* Are both of one flow, and alike but for sequence number, PSH and FIN? */
static bool are_alike(const struct view *a, const struct view *b)
{
	return a->ports == b->ports && tern_addr_eq(&a->src, &b->src) &&
	       tern_addr_eq(&a->dst, &b->dst) && a->header == b->header && a->ip[1] == b->ip[1] &&
	       a->flags == FLAG_ACK && (b->flags & ~(FLAG_PSH | FLAG_FIN)) == FLAG_ACK &&
	       memcmp(a->tcp + 8, b->tcp + 8, 4) == 0 && memcmp(a->tcp + 14, b->tcp + 14, 2) == 0 &&
	       memcmp(a->tcp + TCP_HEADER, b->tcp + TCP_HEADER, a->header - TCP_HEADER) == 0;
}

static uint32_t knob(const struct tern_pdrill *d, const char *name, uint32_t otherwise)
{
	char text[32];
	uint64_t n;

	if (tern_stack_get_knob(d->st, name, text, sizeof(text)) < 0 ||
	    tern_text_parse_u64(text, &n) < 0)
		return otherwise;
	return (uint32_t)n;
}

/* Segments that a kernel would put into one piece. */
static uint32_t limit_of(const struct tern_pdrill *d, const struct tern_socket_info *row,
			 uint32_t mss)
{
	uint64_t bytes = GSO_MAX, cwnd = row->cwnd / mss, ratio, near;
	uint32_t least = knob(d, "net.ipv4.tcp_min_tso_segs", 2), segs;

	if (row->rtt_us) {
		ratio = row->cwnd < row->ssthresh / 2
				? knob(d, "net.ipv4.tcp_pacing_ss_ratio", 200)
				: knob(d, "net.ipv4.tcp_pacing_ca_ratio", 120);
		bytes = TERN_MAX(cwnd * mss, (uint64_t)row->unacked) * ratio * 10000 / row->rtt_us;
		bytes >>= PACING_SHIFT;
		near = row->min_rtt_us >> knob(d, "net.ipv4.tcp_tso_rtt_log", 9);
		if (near < 32)
			bytes += GSO_WHOLE >> near;
		bytes = TERN_MIN(bytes, (uint64_t)GSO_MAX);
	}
	segs = TERN_MAX((uint32_t)(bytes / mss), least);
	return TERN_MIN(segs, (uint32_t)TERN_MAX(cwnd / 2, (uint64_t)1));
}

/* The same for the connection of a packet; asked for once for what is sent in one go. */
static uint32_t find_limit(struct tern_pdrill *d, const struct view *v)
{
	struct tern_pdrill_burst *b = &d->wire.burst;
	struct tern_socket_info row;
	uint64_t cursor = 0;

	if (b->limit_entry == d->wire.entry && b->limit_ports == v->ports)
		return b->limit;
	b->limit_entry = d->wire.entry;
	b->limit_ports = v->ports;
	b->limit = 1;
	while (tern_stack_next_socket(d->st, d->now, &cursor, &row))
		if ((row.has & TERN_INFO_TCP) && row.local.port == v->ports >> 16 &&
		    row.remote.port == (v->ports & 0xffff) &&
		    tern_addr_eq(&row.remote.addr, &v->dst))
			b->limit = limit_of(d, &row, v->len);
	return b->limit;
}

/* The piece that a sequence number was first sent in, or NULL: it is new. */
static struct tern_pdrill_piece *find_piece(struct tern_pdrill *d, uint32_t ports, uint32_t seq)
{
	struct tern_pdrill_burst *b = &d->wire.burst;

	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(b->pieces); i++) {
		struct tern_pdrill_piece *p =
			&b->pieces[(b->next - 1 - i) % TERN_ARRAY_SIZE(b->pieces)];

		if (p->end != p->start && p->ports == ports && tern_seq_ge(seq, p->start) &&
		    tern_seq_lt(seq, p->end))
			return p;
	}
	return NULL;
}

void tern_pdrill_burst_begin(struct tern_pdrill *d, struct tern_pdrill_frame *frame)
{
	struct tern_pdrill_burst *b = &d->wire.burst;
	struct view v;

	frame->entry = d->wire.entry;
	if (frame->segs || !look(frame->bytes, frame->len, &v) || !v.len)
		return;
	frame->segs = 1;
	frame->seg_len = v.len;
	if (!find_piece(d, v.ports, v.seq))
		b->pieces[b->next++ % TERN_ARRAY_SIZE(b->pieces)] =
			(struct tern_pdrill_piece){ v.ports, v.seq, v.seq + v.len };
}

/* Headers and sums of a packet whose payload has become len bytes. */
static void finish(struct view *v, uint32_t len)
{
	uint32_t tcp = v->header + len, ip = (uint32_t)(v->tcp - v->ip);

	if (v->src.family == TERN_INET) {
		tern_put_u16(v->ip + 2, (uint16_t)(ip + tcp));
		tern_put_u16(v->ip + 10, 0);
		tern_put_u16(v->ip + 10, (uint16_t)~tern_cksum_fold(tern_cksum_add(v->ip, ip, 0)));
	} else {
		tern_put_u16(v->ip + 4, (uint16_t)tcp);
	}
	tern_put_u16(v->tcp + 16, 0);
	tern_put_u16(
		v->tcp + 16,
		(uint16_t)~tern_cksum_fold(tern_cksum_add(
			v->tcp, tcp, tern_cksum_pseudo(&v->src, &v->dst, TERN_PROTO_TCP, tcp))));
}

/* Does b go on where the piece a ends, which has room for it? */
static bool goes_on(const struct tern_pdrill_frame *last, const struct view *a,
		    const struct view *b)
{
	uint32_t whole = last->segs * last->seg_len; /* of the piece, as far as it goes */

	return b->len && are_alike(a, b) && b->seq == a->seq + a->len &&
	       a->len == (last->cut ? last->seg_len : whole) && b->len <= last->seg_len &&
	       last->len - a->len + whole + b->len <= PIECE_MAX &&
	       (last->cut || last->len + b->len <= last->cap);
}

/* The piece that b belongs to as well as a: one that is being sent, or was once; or NULL. */
static struct tern_pdrill_piece *common_piece(struct tern_pdrill *d, const struct view *a,
					      const struct view *b)
{
	struct tern_pdrill_piece *piece = find_piece(d, a->ports, a->seq);
	struct tern_pdrill_piece *other = find_piece(d, b->ports, b->seq);

	if (!piece)
		return NULL;
	if (!other)
		return piece->end == b->seq ? piece : NULL;
	return other == piece && tern_seq_le(b->seq + b->len, piece->end) ? piece : NULL;
}

static void set_push(struct view *v, bool on)
{
	v->tcp[13] = (uint8_t)(on ? v->tcp[13] | FLAG_PSH : v->tcp[13] & ~FLAG_PSH);
	finish(v, v->len);
}

/* The frame of b is the next of the piece whose last one is a's, and stays by itself. */
static void follow(struct tern_pdrill_frame *last, struct view *a, struct tern_pdrill_frame *frame,
		   struct view *b)
{
	frame->segs = last->segs + 1;
	frame->seg_len = last->seg_len;
	frame->pushed = (b->flags & (FLAG_PSH | FLAG_FIN)) != 0;
	if (!last->pushed)
		set_push(a, false);
	set_push(b, true);
}

bool tern_pdrill_burst_join(struct tern_pdrill *d, struct tern_pdrill_frame *last,
			    struct tern_pdrill_frame *frame)
{
	struct tern_pdrill_piece *piece;
	struct view a, b;

	if (!last->segs || last->entry != d->wire.entry || !look(last->bytes, last->len, &a) ||
	    !look(frame->bytes, frame->len, &b))
		return false;
	/* PSH of a piece that holds more than one segment is ours. */
	if (last->segs > 1 && !last->pushed)
		a.flags &= (uint8_t)~FLAG_PSH;
	if (!goes_on(last, &a, &b))
		return false;
	piece = common_piece(d, &a, &b);
	if (!piece || last->segs >= find_limit(d, &a))
		return false;
	if (tern_seq_lt(piece->end, b.seq + b.len))
		piece->end = b.seq + b.len;
	if (last->cut) {
		follow(last, &a, frame, &b);
		return false;
	}
	memcpy(last->bytes + last->len, b.tcp + b.header, b.len);
	last->len += b.len;
	last->segs++;
	last->pushed = (b.flags & (FLAG_PSH | FLAG_FIN)) != 0;
	a.tcp[13] = (uint8_t)(a.tcp[13] | b.flags | FLAG_PSH);
	finish(&a, a.len + b.len);
	return true;
}
