/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script_packet.c: a packet as a script writes it.
 *
 *	DIRECTION [IP] [SPORT > DPORT] FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [<OPTIONS>]
 *	DIRECTION [IP] udp (LEN)
 *	DIRECTION [IP] icmp TYPE [CODE] [mtu N] [QUOTE]
 *
 * Flags are letters, '.' is ACK, '-' none; a digit stands for the three ECN bits as one number
 * (RFC 9768). IP, in brackets, is one or several of noecn ect0 ect1 ect01 ce, tos N, ttl N,
 * flowlabel N, port A > B.
 */
#include <ctype.h>
#include <string.h>

#include "sim/reader.h"
#include "wire/segment.h"

static bool read_ecn(struct tern_reader *r, struct tern_script_packet *packet)
{
	static const struct {
		const char *word;
		uint8_t kind, value;
	} words[] = {
		{ "noecn", TERN_TOS_ECN, 0 },   { "ect1", TERN_TOS_ECN, 1 },
		{ "ect0", TERN_TOS_ECN, 2 },    { "ce", TERN_TOS_ECN, 3 },
		{ "ect01", TERN_TOS_ECT01, 2 },
	};

	for (size_t i = 0; i < TERN_ARRAY_SIZE(words); i++) {
		if (!tern_reader_take_word(r, words[i].word))
			continue;
		packet->tos_kind = (enum tern_script_tos)words[i].kind;
		packet->tos = words[i].value;
		return true;
	}
	return false;
}

static bool read_port(struct tern_reader *r, uint16_t *ret)
{
	int64_t port;

	if (!tern_reader_number(r, 1, UINT16_MAX, &port))
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool read_ports(struct tern_reader *r, struct tern_script_packet *packet)
{
	return read_port(r, &packet->sport) && tern_reader_want(r, ">") &&
	       read_port(r, &packet->dport);
}

static bool read_ip_item(struct tern_reader *r, struct tern_script_packet *packet)
{
	int64_t n;

	if (read_ecn(r, packet))
		return true;
	if (tern_reader_take_word(r, "tos")) {
		if (!tern_reader_number(r, 0, UINT8_MAX, &n))
			return false;
		packet->tos_kind = TERN_TOS_ALL;
		packet->tos = (uint8_t)n;
		return true;
	}
	if (tern_reader_take_word(r, "ttl")) {
		if (!tern_reader_number(r, 1, UINT8_MAX, &n))
			return false;
		packet->ttl = (int)n;
		return true;
	}
	if (tern_reader_take_word(r, "flowlabel"))
		return tern_reader_number(r, 0, 0xfffff, &packet->flow_label);
	if (tern_reader_take_word(r, "port"))
		return read_ports(r, packet);
	return tern_reader_expected(r, "noecn, ect0, ect1, ect01, ce, tos, ttl, flowlabel or port");
}

/* What stands in brackets before the packet: of its IP header, or what an ICMP error quotes. */
static bool read_brackets(struct tern_reader *r, struct tern_script_packet *packet)
{
	const char *open = r->p;

	if (!tern_reader_take(r, "["))
		return true;
	tern_reader_skip_blanks(r);
	if (tern_reader_at_number(r) || tern_reader_peek(r, "udp")) {
		r->p = open;
		return tern_script_read_quote(r, packet);
	}
	do {
		if (!read_ip_item(r, packet))
			return false;
	} while (tern_reader_take(r, ",") || !tern_reader_peek(r, "]"));
	return tern_reader_want(r, "]");
}

static bool read_flag(struct tern_reader *r, struct tern_script_packet *packet)
{
	static const char letters[] = "FSRP.UEWA";
	const char *at;
	char c = *r->p;

	if (c >= '0' && c <= '7') {
		unsigned int ace = (unsigned int)(c - '0');

		packet->flags |= (uint16_t)(ace << 6);
		r->p++;
		return true;
	}
	at = c ? strchr(letters, c == 'C' ? 'W' : c) : NULL;
	if (!at)
		return tern_reader_expected(r, "flags (letters of FSRP.UEWA, or -)");
	if (packet->flags & (1u << (at - letters)))
		return tern_reader_fail(r, r->p, "the flag '%c' stands there twice", c);
	packet->flags |= (uint16_t)(1u << (at - letters));
	r->p++;
	return true;
}

static bool read_flags(struct tern_reader *r, struct tern_script_packet *packet)
{
	if (tern_reader_take(r, "-"))
		return true;
	tern_reader_skip_blanks(r);
	do {
		if (r->p == r->end || !read_flag(r, packet))
			return tern_reader_expected(r, "flags");
	} while (r->p < r->end && !isspace((unsigned char)*r->p));
	return true;
}

/* SEQ:END(LEN) */
static bool read_range(struct tern_reader *r, uint32_t *ret_seq, uint32_t *ret_len)
{
	const char *from;
	uint32_t end;

	tern_reader_skip_blanks(r);
	from = r->p;
	if (!tern_reader_u32(r, ret_seq) || !tern_reader_want(r, ":") ||
	    !tern_reader_u32(r, &end) || !tern_reader_want(r, "(") ||
	    !tern_reader_u32(r, ret_len) || !tern_reader_want(r, ")"))
		return false;
	if (*ret_len > TERN_SCRIPT_LENGTH_MAX)
		return tern_reader_fail(r, from, "%u bytes are more than a packet holds", *ret_len);
	if (*ret_seq + *ret_len != end)
		return tern_reader_fail(r, from, "%u and %u bytes make %u, not %u", *ret_seq,
					*ret_len, *ret_seq + *ret_len, end);
	return true;
}

bool tern_script_read_quote(struct tern_reader *r, struct tern_script_packet *packet)
{
	if (!tern_reader_want(r, "["))
		return false;
	packet->quotes = true;
	packet->quoted = TERN_SCRIPT_TCP;
	if (tern_reader_take_word(r, "udp")) {
		packet->quoted = TERN_SCRIPT_UDP;
		return tern_reader_want(r, "(") && tern_reader_u32(r, &packet->quoted_len) &&
		       tern_reader_want(r, ")") && tern_reader_want(r, "]");
	}
	return read_range(r, &packet->quoted_seq, &packet->quoted_len) && tern_reader_want(r, "]");
}

static bool read_tail(struct tern_reader *r, struct tern_script_packet *packet)
{
	const char *from = r->p;
	int64_t n;

	if (tern_reader_take_word(r, "ack") && !tern_reader_u32(r, &packet->ack))
		return false;
	if (tern_reader_take_word(r, "win") &&
	    !tern_reader_number(r, 0, UINT16_MAX, &packet->window))
		return false;
	if (tern_reader_take_word(r, "urg")) {
		if (!tern_reader_number(r, 0, UINT16_MAX, &n))
			return false;
		packet->urgent = (uint16_t)n;
	}
	if (tern_reader_peek(r, "<") && !tern_script_read_options(r, packet))
		return false;
	if (packet->out && packet->any_options)
		return true;
	if (packet->any_options)
		return tern_reader_fail(r, from, "<...> is for packets out");
	if (!packet->out && packet->window < 0)
		return tern_reader_fail(r, from, "a packet in wants a window: win N");
	return true;
}

static bool read_udp(struct tern_reader *r, struct tern_script_packet *packet)
{
	packet->protocol = TERN_SCRIPT_UDP;
	return tern_reader_want(r, "(") && tern_reader_u32(r, &packet->len) &&
	       tern_reader_want(r, ")");
}

static bool is_foreign(struct tern_reader *r)
{
	static const char *const words[] = {
		"sctp", "udplite", "gre", "mpls", "ipv4", "ipv6", "eth"
	};

	for (size_t i = 0; i < TERN_ARRAY_SIZE(words); i++)
		if (tern_reader_peek(r, words[i]))
			return true;
	return false;
}

bool tern_script_read_packet(struct tern_reader *r, struct tern_script_packet *packet)
{
	packet->ttl = -1;
	packet->flow_label = -1;
	packet->window = -1;
	packet->out = *r->p == '>';
	r->p++;
	if (!read_brackets(r, packet))
		return false;
	if (tern_reader_take_word(r, "udp"))
		return read_udp(r, packet);
	if (tern_reader_take_word(r, "icmp") || tern_reader_take_word(r, "icmpv6"))
		return tern_script_read_icmp(r, packet);
	if (packet->quotes)
		return tern_reader_expected(r, "icmp");
	if (is_foreign(r))
		return tern_reader_expected(r, "TCP, udp or icmp (others are not spoken)");
	if (tern_reader_at_number(r) && !read_ports(r, packet))
		return false;
	return read_flags(r, packet) && read_range(r, &packet->seq, &packet->len) &&
	       read_tail(r, packet);
}
