/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/dump_icmp.c: ICMP and ICMPv6 in tcpdump's words.
 *
 * tcpdump composes the text of an ICMPv4 message before it prints anything, so a message cut short
 * prints as " [|icmp]" alone; ICMPv6 is printed piece by piece and ends in " [|icmp6]" where the
 * bytes end. What it adds as a hexadecimal dump on lines of its own is left out.
 */
#include "wire/dump_icmp.h"

#include "base/addr.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "wire/icmp.h"
#include "wire/ip.h"

enum {
	ICMP4_ROUTER_SOLICITATION = 10,
	ICMP4_INFO_REQUEST = 15,
	ICMP4_INFO_REPLY = 16,
	ICMP4_MASK_REQUEST = 17,
	ICMP6_ROUTER_SOLICITATION = 133,
	ICMP6_ROUTER_ADVERTISEMENT = 134,
	ICMP6_NEIGHBOR_SOLICITATION = 135,
	ICMP6_NEIGHBOR_ADVERTISEMENT = 136,
	ICMP6_MLD2_REPORT = 143,
};

static void put_number(struct tern_text *out, const char *before, uint64_t v)
{
	tern_text_str(out, before);
	tern_text_u64(out, v);
}

static void put_addr(struct tern_text *out, const char *before, const struct tern_addr *addr,
		     const char *after)
{
	tern_text_str(out, before);
	tern_text_addr(out, addr);
	tern_text_str(out, after);
}

/* " tcp port 80", " udp port 53" or " protocol 47 port 13108". */
static void put_port(struct tern_text *out, const struct tern_packet *quoted)
{
	if (quoted->proto == TERN_PROTO_TCP) {
		tern_text_str(out, " tcp");
	} else if (quoted->proto == TERN_PROTO_UDP) {
		tern_text_str(out, " udp");
	} else {
		put_number(out, " protocol ", quoted->proto);
	}
	put_number(out, " port ", tern_get_u16(quoted->payload + 2));
}

/* ---- ICMP ---- */

/* The text around the quoted destination, by code; protocol and port are put in by the caller. */
static const struct {
	const char *before;
	const char *after;
} unreach4[] = {
	{ "net ", " unreachable" },
	{ "host ", " unreachable" },
	{ "", "" },
	{ "", "" },
	{ "", " unreachable - need to frag" },
	{ "", " unreachable - source route failed" },
	{ "net ", " unreachable - unknown" },
	{ "host ", " unreachable - unknown" },
	{ "", " unreachable - source host isolated" },
	{ "net ", " unreachable - admin prohibited" },
	{ "host ", " unreachable - admin prohibited" },
	{ "net ", " unreachable - tos prohibited" },
	{ "host ", " unreachable - tos prohibited" },
	{ "host ", " unreachable - admin prohibited filter" },
	{ "host ", " unreachable - host precedence violation" },
	{ "host ", " unreachable - precedence cutoff" },
};

static void put_unreach4(struct tern_text *out, const struct tern_icmp *icmp,
			 const struct tern_packet *quoted)
{
	if (icmp->code >= TERN_ARRAY_SIZE(unreach4)) {
		put_addr(out, "", &quoted->dst, " unreachable - #");
		tern_text_u64(out, icmp->code);
		return;
	}
	put_addr(out, unreach4[icmp->code].before, &quoted->dst, unreach4[icmp->code].after);
	if (icmp->code == TERN_ICMP4_PROTO) {
		put_number(out, " protocol ", quoted->proto);
		tern_text_str(out, " unreachable");
	} else if (icmp->code == TERN_ICMP4_PORT) {
		put_port(out, quoted);
		tern_text_str(out, " unreachable");
	} else if (icmp->code == TERN_ICMP4_FRAG_NEEDED && (icmp->rest & 0xffff) != 0) {
		put_number(out, " (mtu ", icmp->rest & 0xffff);
		tern_text_char(out, ')');
	}
}

static void put_redirect(struct tern_text *out, const struct tern_icmp *icmp,
			 const struct tern_packet *quoted)
{
	uint8_t bytes[4];
	struct tern_addr gateway;

	if (icmp->code < 4)
		tern_text_str(out, icmp->code < 2 ? "redirect " : "redirect-tos ");
	else
		put_number(out, "redirect-#", icmp->code);
	put_addr(out, icmp->code < 4 ? "" : " ", &quoted->dst, " to ");
	if (icmp->code < 4)
		tern_text_str(out, icmp->code % 2 == 0 ? "net " : "host ");
	tern_put_u32(bytes, icmp->rest);
	gateway = tern_addr_from_bytes(TERN_INET, bytes);
	tern_text_addr(out, &gateway);
}

static void put_coded(struct tern_text *out, const char *const *texts, uint32_t count,
		      const char *other, uint32_t code)
{
	if (code < count)
		tern_text_str(out, texts[code]);
	else
		put_number(out, other, code);
}

/* Messages that need nothing behind their eight bytes. */
static void put_simple4(struct tern_text *out, const struct tern_icmp *icmp)
{
	static const char *const exceeded[] = { "time exceeded in-transit",
						"ip reassembly time exceeded" };

	switch (icmp->type) {
	case TERN_ICMP4_ECHO:
	case TERN_ICMP4_ECHO_REPLY:
		tern_text_str(out, icmp->type == TERN_ICMP4_ECHO ? "echo request" : "echo reply");
		put_number(out, ", id ", icmp->rest >> 16);
		put_number(out, ", seq ", icmp->rest & 0xffff);
		break;
	case TERN_ICMP4_SOURCE_QUENCH:
		tern_text_str(out, "source quench");
		break;
	case TERN_ICMP4_TIME_EXCEEDED:
		put_coded(out, exceeded, 2, "time exceeded-#", icmp->code);
		break;
	case TERN_ICMP4_PARAM_PROBLEM:
		if (icmp->code)
			put_number(out, "parameter problem - code ", icmp->code);
		else
			put_number(out, "parameter problem - octet ", icmp->rest >> 24);
		break;
	case ICMP4_ROUTER_SOLICITATION:
		tern_text_str(out, "router solicitation");
		break;
	case ICMP4_INFO_REQUEST:
		tern_text_str(out, "information request");
		break;
	case ICMP4_INFO_REPLY:
		tern_text_str(out, "information reply");
		break;
	case ICMP4_MASK_REQUEST:
		tern_text_str(out, "address mask request");
		break;
	default:
		put_number(out, "type-#", icmp->type);
		break;
	}
}

void tern_dump_icmp4(struct tern_text *out, const uint8_t *p, uint32_t cap, uint32_t len)
{
	struct tern_icmp icmp;
	struct tern_packet quoted;
	bool names_quoted;

	if (cap < TERN_ICMP_HEADER) {
		tern_text_str(out, " [|icmp]");
		return;
	}
	icmp = (struct tern_icmp){ .type = p[0], .code = p[1], .rest = tern_get_u32(p + 4) };
	names_quoted = icmp.type == TERN_ICMP4_UNREACH || icmp.type == TERN_ICMP4_REDIRECT;
	if (names_quoted && (tern_ip_parse_quoted(p + TERN_ICMP_HEADER, cap - TERN_ICMP_HEADER,
						  &quoted) != TERN_PARSE_OK ||
			     (icmp.type == TERN_ICMP4_UNREACH && icmp.code == TERN_ICMP4_PORT &&
			      quoted.payload_len < 4))) {
		tern_text_str(out, " [|icmp]");
		return;
	}
	tern_text_str(out, "ICMP ");
	if (icmp.type == TERN_ICMP4_UNREACH)
		put_unreach4(out, &icmp, &quoted);
	else if (icmp.type == TERN_ICMP4_REDIRECT)
		put_redirect(out, &icmp, &quoted);
	else
		put_simple4(out, &icmp);
	put_number(out, ", length ", len);
}

/* ---- ICMPv6 ---- */

static const char truncated6[] = " [|icmp6]";

/* Of a port that does not answer, which one; false when the line ends here. */
static bool put_port6(struct tern_text *out, const struct tern_icmp *icmp)
{
	struct tern_packet quoted;

	tern_text_str(out, ", unreachable port");
	if (tern_ip_parse_quoted(icmp->body, icmp->body_len, &quoted) != TERN_PARSE_OK ||
	    quoted.payload_len < 4 ||
	    (quoted.proto != TERN_PROTO_TCP && quoted.proto != TERN_PROTO_UDP)) {
		tern_text_str(out, truncated6);
		return false;
	}
	put_addr(out, ", ", &quoted.dst, "");
	put_port(out, &quoted);
	return true;
}

/* Returns false when the line ends here. */
static bool put_unreach6(struct tern_text *out, const struct tern_icmp *icmp)
{
	static const char *const texts[] = { ", unreachable route", ",  unreachable prohibited",
					     ", beyond scope", ", unreachable address" };
	struct tern_addr src, dst;

	if (icmp->code == TERN_ICMP6_PORT)
		return put_port6(out, icmp);
	if (icmp->code > TERN_ICMP6_PORT) {
		put_number(out, ", unknown unreach code (", icmp->code);
		tern_text_char(out, ')');
		return false;
	}
	tern_text_str(out, texts[icmp->code]);
	if (icmp->body_len < TERN_IP6_HEADER) {
		tern_text_str(out, truncated6);
		return false;
	}
	src = tern_addr_from_bytes(TERN_INET6, icmp->body + 8);
	dst = tern_addr_from_bytes(TERN_INET6, icmp->body + 24);
	put_addr(out, " ", &dst, "");
	if (icmp->code == 2)
		put_addr(out, ", source address ", &src, "");
	return true;
}

static bool put_exceeded6(struct tern_text *out, const struct tern_icmp *icmp)
{
	struct tern_addr dst;

	if (icmp->code == 1) {
		tern_text_str(out, " in-transit (reassembly)");
		return true;
	}
	if (icmp->code > 1) {
		put_number(out, " in-transit, unknown code (", icmp->code);
		tern_text_char(out, ')');
		return true;
	}
	tern_text_str(out, " in-transit");
	if (icmp->body_len < TERN_IP6_HEADER) {
		tern_text_str(out, truncated6);
		return false;
	}
	dst = tern_addr_from_bytes(TERN_INET6, icmp->body + 24);
	put_addr(out, " for ", &dst, "");
	return true;
}

static bool put_parameter6(struct tern_text *out, const struct tern_icmp *icmp)
{
	static const char *const texts[] = { ", erroneous", ", next header", ", option",
					     ", incomplete header chain" };

	if (icmp->code < TERN_ARRAY_SIZE(texts)) {
		tern_text_str(out, texts[icmp->code]);
		put_number(out, " - octet ", icmp->rest);
	} else {
		put_number(out, ", code-#", icmp->code);
	}
	return true;
}

static bool put_neighbor(struct tern_text *out, const char *before, const struct tern_icmp *icmp)
{
	struct tern_addr target;

	tern_text_str(out, before);
	if (icmp->body_len < 16) {
		tern_text_str(out, truncated6);
		return false;
	}
	target = tern_addr_from_bytes(TERN_INET6, icmp->body);
	tern_text_addr(out, &target);
	return true;
}

/* What follows the name of the type; false when the line ends here. */
static bool put_details6(struct tern_text *out, const struct tern_icmp *icmp)
{
	switch (icmp->type) {
	case TERN_ICMP6_UNREACH:
		return put_unreach6(out, icmp);
	case TERN_ICMP6_TOO_BIG:
		put_number(out, ", mtu ", icmp->rest);
		return true;
	case TERN_ICMP6_TIME_EXCEEDED:
		return put_exceeded6(out, icmp);
	case TERN_ICMP6_PARAM_PROBLEM:
		return put_parameter6(out, icmp);
	case TERN_ICMP6_ECHO:
	case TERN_ICMP6_ECHO_REPLY:
		put_number(out, ", id ", icmp->rest >> 16);
		put_number(out, ", seq ", icmp->rest & 0xffff);
		return true;
	case ICMP6_NEIGHBOR_SOLICITATION:
		return put_neighbor(out, ", who has ", icmp);
	case ICMP6_NEIGHBOR_ADVERTISEMENT:
		return put_neighbor(out, ", tgt is ", icmp);
	case ICMP6_MLD2_REPORT:
		put_number(out, ", ", icmp->rest & 0xffff);
		tern_text_str(out, " group record(s)");
		return true;
	default:
		return true;
	}
}

static void put_type6(struct tern_text *out, uint8_t type)
{
	static const struct {
		uint8_t type;
		const char *name;
	} names[] = {
		{ TERN_ICMP6_UNREACH, "destination unreachable" },
		{ TERN_ICMP6_TOO_BIG, "packet too big" },
		{ TERN_ICMP6_TIME_EXCEEDED, "time exceeded" },
		{ TERN_ICMP6_PARAM_PROBLEM, "parameter problem" },
		{ TERN_ICMP6_ECHO, "echo request" },
		{ TERN_ICMP6_ECHO_REPLY, "echo reply" },
		{ ICMP6_ROUTER_SOLICITATION, "router solicitation" },
		{ ICMP6_ROUTER_ADVERTISEMENT, "router advertisement" },
		{ ICMP6_NEIGHBOR_SOLICITATION, "neighbor solicitation" },
		{ ICMP6_NEIGHBOR_ADVERTISEMENT, "neighbor advertisement" },
		{ ICMP6_MLD2_REPORT, "multicast listener report v2" },
	};

	for (uint32_t i = 0; i < TERN_ARRAY_SIZE(names); i++) {
		if (names[i].type == type) {
			tern_text_str(out, names[i].name);
			return;
		}
	}
	put_number(out, "unknown icmp6 type (", type);
	tern_text_char(out, ')');
}

void tern_dump_icmp6(struct tern_text *out, const uint8_t *p, uint32_t cap, uint32_t len)
{
	struct tern_icmp icmp = { .v6 = true };

	tern_text_str(out, "ICMP6, ");
	if (cap == 0) {
		tern_text_str(out, "length 0 (invalid)");
		return;
	}
	icmp.type = p[0];
	put_type6(out, icmp.type);
	if (cap < TERN_ICMP_HEADER) {
		if (icmp.type == TERN_ICMP6_UNREACH && cap > 1 && p[1] == TERN_ICMP6_PORT)
			tern_text_str(out, ", unreachable port");
		tern_text_str(out, truncated6);
		return;
	}
	icmp.code = p[1];
	icmp.rest = tern_get_u32(p + 4);
	icmp.body = p + TERN_ICMP_HEADER;
	icmp.body_len = cap - TERN_ICMP_HEADER;
	if (put_details6(out, &icmp))
		put_number(out, ", length ", len);
}
