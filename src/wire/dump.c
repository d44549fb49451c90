/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/dump.c: packets in tcpdump's words: IP, TCP, UDP; dump_icmp.c has ICMP.
 *
 * The text is what people read, grep and have scripts for, so it is tcpdump's to the byte, its
 * odd double blanks included; the golden file of the test was printed by tcpdump 4.99.3. Its
 * printers stop at the first byte that is not there and say which layer that was: " [|tcp]".
 * Therefore nothing here relies on the verdicts of the parsers: a frame is shown although it is
 * wrong, as far as it can be read, through cursors that cannot leave it.
 *
 * Not imitated: application protocols behind ", length N", transport protocols that tern does not
 * speak (printed as ip-proto-N), routing headers beyond their fixed fields, MPTCP's subtypes.
 */
#include "wire/dump.h"

#include <stddef.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/text.h"
#include "wire/dump_icmp.h"
#include "wire/ip.h"
#include "wire/segment.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum {
	KIND_MD5 = 19,
	KIND_SCPS = 20,
	KIND_UTO = 28,
	KIND_TCPAO = 29,
};

/* What the transport printers need of the packet around them. */
struct view {
	const struct tern_addr *src; /* printed before the ports; NULL behind extension headers */
	const struct tern_addr *dst;
	const uint8_t *p; /* transport header */
	uint32_t cap;     /* bytes that are there */
	uint32_t len;     /* bytes that the IP header promises */
	bool more_fragments;
};

/* The options of one TCP header while they are being printed. */
struct option_view {
	struct tern_rd
		rd;    /* to the end of the frame, so that a cut frame is told from a bad option */
	uint32_t left; /* bytes of options not yet printed */
	tern_seq base; /* subtracted from SACK edges */
};

static void put_number(struct tern_text *out, const char *before, uint64_t v)
{
	tern_text_str(out, before);
	tern_text_u64(out, v);
}

static void put_hex_bytes(struct tern_text *out, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		tern_text_hex(out, p[i], 2);
}

static void put_addresses(struct tern_text *out, const struct tern_addr *src,
			  const struct tern_addr *dst)
{
	tern_text_addr(out, src);
	tern_text_str(out, " > ");
	tern_text_addr(out, dst);
	tern_text_str(out, ": ");
}

/* "a.port > b.port: ", or "port > port: " behind extension headers. */
static void put_ports(struct tern_text *out, const struct view *view)
{
	if (view->src) {
		tern_text_addr(out, view->src);
		tern_text_char(out, '.');
	}
	tern_text_u64(out, tern_get_u16(view->p));
	tern_text_str(out, " > ");
	if (view->src) {
		tern_text_addr(out, view->dst);
		tern_text_char(out, '.');
	}
	tern_text_u64(out, tern_get_u16(view->p + 2));
	tern_text_str(out, ": ");
}

/* ---- TCP options ---- */

static void put_option_name(struct tern_text *out, uint8_t kind)
{
	static const char *const names[256] = {
		[TERN_KIND_EOL] = "eol",
		[TERN_KIND_NOP] = "nop",
		[TERN_KIND_MSS] = "mss",
		[TERN_KIND_WSCALE] = "wscale",
		[TERN_KIND_SACKOK] = "sackOK",
		[TERN_KIND_SACK] = "sack",
		[6] = "echo",
		[7] = "echoreply",
		[TERN_KIND_TS] = "TS",
		[11] = "cc",
		[12] = "ccnew",
		[13] = "",
		[KIND_MD5] = "md5",
		[KIND_SCPS] = "scps",
		[KIND_UTO] = "uto",
		[KIND_TCPAO] = "tcp-ao",
		[30] = "mptcp",
		[TERN_KIND_FASTOPEN] = "tfo",
		[TERN_KIND_EXPERIMENT] = "exp",
	};

	if (names[kind])
		tern_text_str(out, names[kind]);
	else
		put_number(out, "unknown-", kind);
}

/* How many bytes of body tcpdump reads for a kind, whatever the length byte says; -1: by that. */
static int fixed_body(uint8_t kind)
{
	switch (kind) {
	case TERN_KIND_EOL:
	case TERN_KIND_NOP:
	case TERN_KIND_SACKOK:
		return 0;
	case TERN_KIND_WSCALE:
		return 1;
	case TERN_KIND_MSS:
	case KIND_SCPS:
	case KIND_UTO:
		return 2;
	case 6:
	case 7:
	case 11:
	case 12:
	case 13:
		return 4;
	case TERN_KIND_TS:
		return 8;
	case KIND_MD5:
		return 16;
	default:
		return -1;
	}
}

static void put_sack(struct tern_text *out, const uint8_t *body, uint32_t len, tern_seq base)
{
	if (len % 8 != 0) {
		tern_text_str(out, " invalid sack");
		return;
	}
	put_number(out, " ", len / 8);
	tern_text_char(out, ' ');
	for (uint32_t i = 0; i < len; i += 8) {
		put_number(out, "{", tern_get_u32(body + i) - base);
		put_number(out, ":", tern_get_u32(body + i + 4) - base);
		tern_text_char(out, '}');
	}
}

static void put_cookie(struct tern_text *out, const uint8_t *body, uint32_t len)
{
	if (len == 0) {
		tern_text_str(out, " cookiereq");
	} else if (len % 2 != 0 || len < TERN_FASTOPEN_MIN || len > TERN_FASTOPEN_MAX) {
		tern_text_str(out, " (invalid)");
	} else {
		tern_text_str(out, " cookie ");
		put_hex_bytes(out, body, len);
	}
}

/* The bodies of a fixed length. */
static void put_fixed(struct tern_text *out, uint8_t kind, const uint8_t *body)
{
	uint32_t v;

	switch (kind) {
	case TERN_KIND_EOL:
	case TERN_KIND_NOP:
	case TERN_KIND_SACKOK:
		break;
	case TERN_KIND_WSCALE:
		put_number(out, " ", body[0]);
		break;
	case TERN_KIND_MSS:
		put_number(out, " ", tern_get_u16(body));
		break;
	case TERN_KIND_TS:
		put_number(out, " val ", tern_get_u32(body));
		put_number(out, " ecr ", tern_get_u32(body + 4));
		break;
	case KIND_UTO:
		v = tern_get_u16(body);
		tern_text_str(out, " 0x");
		tern_text_hex(out, v, 1);
		put_number(out, " ", v & 1 ? (v >> 1) * 60 : v >> 1);
		break;
	case KIND_SCPS:
		tern_text_str(out, " cap ");
		tern_text_hex(out, body[0], 2);
		put_number(out, " id ", body[1]);
		break;
	case KIND_MD5:
		tern_text_str(out, " shared secret not supplied with -M, can't check - ");
		put_hex_bytes(out, body, 16);
		break;
	default:
		put_number(out, " ", tern_get_u32(body));
		break;
	}
}

/* The bodies as long as their length byte says; false when tcpdump calls it a bad option. */
static bool put_variable(struct tern_text *out, uint8_t kind, const uint8_t *body, uint32_t len,
			 tern_seq base)
{
	switch (kind) {
	case TERN_KIND_SACK:
		put_sack(out, body, len, base);
		return true;
	case TERN_KIND_FASTOPEN:
		tern_text_char(out, ' ');
		put_cookie(out, body, len);
		return true;
	case KIND_TCPAO:
		if (len < 2) {
			tern_text_str(out, " (invalid)");
			return true;
		}
		put_number(out, " keyid ", body[0]);
		put_number(out, " rnextkeyid ", body[1]);
		if (len > 2) {
			tern_text_str(out, " mac 0x");
			put_hex_bytes(out, body + 2, len - 2);
		}
		return true;
	case TERN_KIND_EXPERIMENT:
		if (len < 2)
			return false;
		tern_text_char(out, '-');
		if (tern_get_u16(body) == TERN_TCP_FASTOPEN_MAGIC) {
			tern_text_str(out, "tfo");
			put_cookie(out, body + 2, len - 2);
		} else {
			tern_text_hex(out, tern_get_u16(body), 4);
		}
		return true;
	default:
		if (len)
			tern_text_str(out, " 0x");
		put_hex_bytes(out, body, len);
		return true;
	}
}

enum option_end {
	OPTION_NEXT,
	OPTION_LAST,
	OPTION_BAD,
	OPTION_CUT, /* the frame ends here */
};

static enum option_end put_option(struct tern_text *out, struct option_view *view)
{
	uint8_t kind = tern_rd_u8(&view->rd);
	uint32_t size = 1, body_len;
	const uint8_t *body;
	int fixed = fixed_body(kind);

	if (kind != TERN_KIND_EOL && kind != TERN_KIND_NOP) {
		size = tern_rd_u8(&view->rd);
		if (!view->rd.failed && (size < 2 || size > view->left))
			return OPTION_BAD;
		view->left--;
	}
	view->left--;
	if (view->rd.failed)
		return OPTION_CUT;
	put_option_name(out, kind);
	body_len = fixed < 0 ? size - 2 : (uint32_t)fixed;
	if (body_len > view->left)
		return OPTION_BAD;
	body = tern_rd_bytes(&view->rd, body_len);
	if (!body)
		return OPTION_CUT;
	view->left -= body_len;
	if (fixed >= 0)
		put_fixed(out, kind, body);
	else if (!put_variable(out, kind, body, body_len, view->base))
		return OPTION_BAD;
	if (size > 1 && body_len + 2 != size) {
		put_number(out, "[len ", size);
		tern_text_char(out, ']');
	}
	return kind == TERN_KIND_EOL ? OPTION_LAST : OPTION_NEXT;
}

/* Returns false when the line ends inside the options. */
static bool put_options(struct tern_text *out, struct option_view *view)
{
	bool first = true;

	tern_text_str(out, ", options [");
	while (view->left > 0) {
		enum option_end end;

		if (!first)
			tern_text_char(out, ',');
		end = put_option(out, view);
		if (end == OPTION_CUT) {
			tern_text_str(out, " [|tcp]");
			return false;
		}
		if (end == OPTION_BAD) {
			tern_text_str(out, first ? "[bad opt]" : "[bad opt]]");
			return false;
		}
		if (end == OPTION_LAST)
			break;
		first = false;
	}
	tern_text_char(out, ']');
	return true;
}

/* ---- TCP ---- */

static void put_flags(struct tern_text *out, uint32_t flags)
{
	static const char letters[] = "FSRP.UEW";

	tern_text_str(out, "Flags [");
	if ((flags & 0xff) == 0)
		tern_text_str(out, "none");
	for (uint32_t i = 0; i < 8; i++) {
		if (flags & 1u << i)
			tern_text_char(out, letters[i]);
	}
	tern_text_char(out, ']');
}

static void put_bad_header(struct tern_text *out, const char *what, uint32_t header_len,
			   uint32_t limit)
{
	put_number(out, " [bad hdr length ", header_len);
	put_number(out, what, limit);
	tern_text_char(out, ']');
}

/* What stands between the flags and the options. */
static void put_numbers(struct tern_text *out, const uint8_t *p, uint32_t len, tern_seq seq,
			tern_seq ack)
{
	uint32_t flags = p[13];

	if (len > 0 || (flags & (TERN_SYN | TERN_FIN | TERN_RST))) {
		put_number(out, ", seq ", seq);
		if (len > 0)
			put_number(out, ":", (tern_seq)(seq + len));
	}
	if (flags & TERN_ACK)
		put_number(out, ", ack ", ack);
	put_number(out, ", win ", tern_get_u16(p + 14));
	if (flags & TERN_URG)
		put_number(out, ", urg ", tern_get_u16(p + 18));
}

static void put_tcp(struct tern_text *out, const struct view *view,
		    const struct tern_dump_base *base)
{
	uint32_t header_len, flags;
	tern_seq seq, ack;
	bool relative;
	struct option_view options = { .left = 0 };

	put_ports(out, view);
	if (view->cap < TERN_TCP_HEADER) {
		tern_text_str(out, " [|tcp]");
		return;
	}
	header_len = (view->p[12] >> 4) * 4u;
	if (header_len < TERN_TCP_HEADER) {
		put_number(out, " tcp ", view->len - header_len);
		put_bad_header(out, " - too short, < ", header_len, TERN_TCP_HEADER);
		return;
	}
	flags = view->p[13];
	put_flags(out, flags);
	if (header_len > view->len) {
		put_bad_header(out, " - too long, > ", header_len, view->len);
		return;
	}
	seq = tern_get_u32(view->p + 4);
	ack = tern_get_u32(view->p + 8);
	relative = base && (flags & (TERN_SYN | TERN_ACK)) == TERN_ACK;
	if (relative) {
		seq -= base->seq;
		ack -= base->ack;
		options.base = base->ack;
	}
	put_numbers(out, view->p, view->len - header_len, seq, ack);
	options.left = header_len - TERN_TCP_HEADER;
	tern_rd_init(&options.rd, view->p + TERN_TCP_HEADER, view->cap - TERN_TCP_HEADER);
	if (options.left > 0 && !put_options(out, &options))
		return;
	put_number(out, ", length ", view->len - header_len);
}

/* ---- UDP ---- */

static void put_udp(struct tern_text *out, const struct view *view)
{
	uint32_t size;

	put_ports(out, view);
	if (view->len < TERN_UDP_HEADER) {
		put_number(out, "truncated-udp ", view->len);
		return;
	}
	if (view->cap < 6) {
		tern_text_str(out, " [|udp]");
		return;
	}
	size = tern_get_u16(view->p + 4);
	if (size < TERN_UDP_HEADER) {
		put_number(out, "truncated-udplength ", size);
		return;
	}
	if (view->cap < TERN_UDP_HEADER) {
		tern_text_str(out, " [|udp]");
		return;
	}
	if (size > view->len && !view->more_fragments) {
		put_number(out, "UDP, bad length ", size - TERN_UDP_HEADER);
		put_number(out, " > ", view->len - TERN_UDP_HEADER);
		return;
	}
	put_number(out, "UDP, length ", size - TERN_UDP_HEADER);
}

/* ---- IP ---- */

/* TCP and UDP, when at least their ports are there. */
static void put_transport(struct tern_text *out, const struct tern_packet *pkt,
			  const struct view *view, const struct tern_dump_base *base)
{
	bool tcp = pkt->proto == TERN_PROTO_TCP;

	if (view->cap < 4) {
		if (view->src)
			put_addresses(out, &pkt->src, &pkt->dst);
		tern_text_str(out, tcp ? "[|tcp]" : " [|udp]");
	} else if (tcp) {
		put_tcp(out, view, base);
	} else {
		put_udp(out, view);
	}
}

static bool has_ports(uint8_t proto)
{
	return proto == TERN_PROTO_TCP || proto == TERN_PROTO_UDP;
}

/* total and what is left of it have been checked: cap >= header_len. */
static void put_ip4_payload(struct tern_text *out, const uint8_t *frame, uint32_t cap,
			    uint32_t header_len, uint32_t total, const struct tern_dump_base *base)
{
	struct tern_packet pkt = {
		.src = tern_addr_from_bytes(TERN_INET, frame + 12),
		.dst = tern_addr_from_bytes(TERN_INET, frame + 16),
		.proto = frame[9],
	};
	uint16_t frag = tern_get_u16(frame + 6);
	struct view view = {
		.src = &pkt.src,
		.dst = &pkt.dst,
		.p = frame + header_len,
		.cap = cap - header_len,
		.len = total - header_len,
		.more_fragments = (frag & 0x2000) != 0,
	};

	if ((frag & 0x1fff) == 0 && has_ports(pkt.proto)) {
		put_transport(out, &pkt, &view, base);
		return;
	}
	put_addresses(out, &pkt.src, &pkt.dst);
	if ((frag & 0x1fff) != 0) {
		put_number(out, "ip-proto-", pkt.proto);
	} else if (pkt.proto == TERN_PROTO_ICMP) {
		tern_dump_icmp4(out, view.p, view.cap, view.len);
	} else {
		put_number(out, " ip-proto-", pkt.proto);
		put_number(out, " ", view.len);
	}
}

static void put_ip4(struct tern_text *out, const uint8_t *frame, uint32_t cap,
		    const struct tern_dump_base *base)
{
	uint32_t header_len, total;

	tern_text_str(out, "IP ");
	if (cap < TERN_IP4_HEADER) {
		tern_text_str(out, " [|ip]");
		return;
	}
	header_len = (frame[0] & 15u) * 4u;
	total = tern_get_u16(frame + 2);
	if (header_len < TERN_IP4_HEADER) {
		put_number(out, "bad-hlen ", header_len);
		return;
	}
	if (total < header_len) {
		put_number(out, "bad-len ", total);
		return;
	}
	if (total > cap) {
		put_number(out, "truncated-ip - ", total - cap);
		tern_text_str(out, " bytes missing! ");
	}
	cap = TERN_MIN(cap, total);
	if (cap < header_len)
		tern_text_str(out, " [|ip]");
	else
		put_ip4_payload(out, frame, cap, header_len, total, base);
}

static void put_cut_extension(struct tern_text *out, uint8_t proto)
{
	if (proto == TERN_IP6_HOPOPTS)
		tern_text_str(out, " [|hbhopt]");
	else if (proto == TERN_IP6_DSTOPTS)
		tern_text_str(out, " [|dstopt]");
	else if (proto == TERN_IP6_ROUTING)
		tern_text_str(out, " [|srcrt]");
	else
		tern_text_str(out, " [|frag]");
}

/* One extension header; false when the line ends with it. */
static bool put_extension(struct tern_text *out, struct tern_packet *pkt, struct view *view)
{
	const uint8_t *p = view->p;
	uint32_t size = 8;

	if (view->cap >= 8 && pkt->proto != TERN_IP6_FRAGMENT)
		size = (p[1] + 1u) * 8u;
	if (view->cap < size) {
		put_cut_extension(out, pkt->proto);
		return false;
	}
	if (pkt->proto == TERN_IP6_HOPOPTS) {
		tern_text_str(out, "HBH ");
	} else if (pkt->proto == TERN_IP6_DSTOPTS) {
		tern_text_str(out, "DSTOPT ");
	} else if (pkt->proto == TERN_IP6_ROUTING) {
		put_number(out, "RT6 (len=", p[1]);
		put_number(out, ", type=", p[2]);
		put_number(out, ", segleft=", p[3]);
		tern_text_str(out, ") ");
	} else {
		pkt->frag_offset = tern_get_u16(p + 2) & 0xfff8u;
		view->more_fragments = (p[3] & 1) != 0;
		put_number(out, "frag (", pkt->frag_offset);
		put_number(out, "|", view->len - size);
		tern_text_str(out, ")");
		if (pkt->frag_offset != 0)
			return false;
		tern_text_char(out, ' ');
	}
	pkt->proto = p[0];
	view->p += size;
	view->cap -= size;
	view->len -= size;
	return true;
}

static bool is_extension(uint8_t proto)
{
	return proto == TERN_IP6_HOPOPTS || proto == TERN_IP6_ROUTING ||
	       proto == TERN_IP6_FRAGMENT || proto == TERN_IP6_DSTOPTS;
}

static void put_ip6(struct tern_text *out, const uint8_t *frame, uint32_t cap,
		    const struct tern_dump_base *base)
{
	struct tern_packet pkt = { .proto = 0 };
	struct view view = { .src = NULL };

	if (cap < TERN_IP6_HEADER) {
		tern_text_str(out, " [|ip6]");
		return;
	}
	tern_text_str(out, "IP6 ");
	pkt.src = tern_addr_from_bytes(TERN_INET6, frame + 8);
	pkt.dst = tern_addr_from_bytes(TERN_INET6, frame + 24);
	pkt.proto = frame[6];
	view.p = frame + TERN_IP6_HEADER;
	view.len = tern_get_u16(frame + 4);
	view.cap = TERN_MIN(cap - TERN_IP6_HEADER, view.len);
	if (view.len > view.cap) {
		put_number(out, "truncated-ip6 - ", view.len - view.cap);
		tern_text_str(out, " bytes missing!");
	}
	if (has_ports(pkt.proto)) {
		view.src = &pkt.src;
		view.dst = &pkt.dst;
	} else {
		put_addresses(out, &pkt.src, &pkt.dst);
	}
	while (is_extension(pkt.proto)) {
		if (!put_extension(out, &pkt, &view))
			return;
	}
	if (has_ports(pkt.proto)) {
		put_transport(out, &pkt, &view, base);
	} else if (pkt.proto == TERN_PROTO_ICMPV6) {
		tern_dump_icmp6(out, view.p, view.cap, view.len);
	} else if (pkt.proto == TERN_IP6_NONE) {
		tern_text_str(out, "no next header");
	} else {
		put_number(out, "ip-proto-", pkt.proto);
		put_number(out, " ", view.len);
	}
}

void tern_dump_packet(struct tern_text *out, const uint8_t *frame, uint32_t len,
		      const struct tern_dump_base *base)
{
	uint32_t version = len ? frame[0] >> 4 : 0;

	if (version == TERN_INET)
		put_ip4(out, frame, len, base);
	else if (version == TERN_INET6)
		put_ip6(out, frame, len, base);
	else
		put_number(out, "unknown ip ", version);
}
