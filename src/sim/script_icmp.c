/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script_icmp.c: ICMP messages as a script writes them.
 *
 *	icmp unreachable frag_needed mtu 1200 [1:1461(1460)]
 *
 * Types and codes have names, those of the script's IP version, or are numbers. What an error
 * quotes may stand before the word icmp as well.
 */
#include <string.h>

#include "sim/reader.h"
#include "wire/icmp.h"

struct word {
	const char *name;
	uint8_t v6, type, code; /* code: of a type's own word, 0 */
};

static const struct word types[] = {
	{ "echo_reply", 0, 0, 0 },         { "unreachable", 0, 3, 0 },
	{ "source_quench", 0, 4, 0 },      { "redirect", 0, 5, 0 },
	{ "echo_request", 0, 8, 0 },       { "time_exceeded", 0, 11, 0 },
	{ "parameter_problem", 0, 12, 0 }, { "unreachable", 1, 1, 0 },
	{ "packet_too_big", 1, 2, 0 },     { "time_exceeded", 1, 3, 0 },
	{ "parameter_problem", 1, 4, 0 },  { "echo_request", 1, 128, 0 },
	{ "echo_reply", 1, 129, 0 },
};

static const struct word codes[] = {
	{ "net_unreachable", 0, 3, 0 },
	{ "host_unreachable", 0, 3, 1 },
	{ "protocol_unreachable", 0, 3, 2 },
	{ "port_unreachable", 0, 3, 3 },
	{ "frag_needed", 0, 3, 4 },
	{ "source_route_failed", 0, 3, 5 },
	{ "net_unknown", 0, 3, 6 },
	{ "host_unknown", 0, 3, 7 },
	{ "source_host_isolated", 0, 3, 8 },
	{ "net_prohibited", 0, 3, 9 },
	{ "host_prohibited", 0, 3, 10 },
	{ "net_unreachable_for_tos", 0, 3, 11 },
	{ "host_unreachable_for_tos", 0, 3, 12 },
	{ "packet_filtered", 0, 3, 13 },
	{ "comm_prohibited", 0, 3, 13 },
	{ "precedence_violation", 0, 3, 14 },
	{ "precedence_cutoff", 0, 3, 15 },
	{ "redirect_net", 0, 5, 0 },
	{ "redirect_host", 0, 5, 1 },
	{ "ttl_exceeded", 0, 11, 0 },
	{ "reassembly_time_exceeded", 0, 11, 1 },
	{ "no_route", 1, 1, 0 },
	{ "admin_prohibited", 1, 1, 1 },
	{ "not_neighbour", 1, 1, 2 },
	{ "address_unreachable", 1, 1, 3 },
	{ "port_unreachable", 1, 1, 4 },
	{ "hop_limit_exceeded", 1, 3, 0 },
	{ "fragment_reassembly_time_exceeded", 1, 3, 1 },
	{ "header_field", 1, 4, 0 },
	{ "next_header", 1, 4, 1 },
	{ "option", 1, 4, 2 },
};

static const struct word *look_up(const struct word *words, size_t n, bool v6, int type,
				  const char *text, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (words[i].v6 == v6 && (type < 0 || words[i].type == type) &&
		    strlen(words[i].name) == len && memcmp(words[i].name, text, len) == 0)
			return &words[i];
	return NULL;
}

static bool read_type(struct tern_reader *r, struct tern_script_packet *packet, bool v6)
{
	const struct word *word;
	const char *text;
	size_t len;
	int64_t n;

	tern_reader_skip_blanks(r);
	if (tern_reader_take_word(r, "type") || tern_reader_at_number(r)) {
		if (!tern_reader_number(r, 0, UINT8_MAX, &n))
			return false;
		packet->type = (uint8_t)n;
		return true;
	}
	len = tern_reader_word(r, &text);
	word = len ? look_up(types, TERN_ARRAY_SIZE(types), v6, -1, text, len) : NULL;
	if (!word)
		return tern_reader_fail(r, len ? text : r->p, "this is no type of ICMP%s",
					v6 ? "v6" : "");
	packet->type = word->type;
	return true;
}

static bool read_code(struct tern_reader *r, struct tern_script_packet *packet, bool v6)
{
	const struct word *word;
	const char *text;
	size_t len;
	int64_t n;

	if (tern_reader_take_word(r, "code") || tern_reader_at_number(r)) {
		if (!tern_reader_number(r, 0, UINT8_MAX, &n))
			return false;
		packet->code = (uint8_t)n;
		return true;
	}
	if (!tern_reader_at_word(r) || tern_reader_peek(r, "mtu"))
		return true;
	len = tern_reader_word(r, &text);
	word = look_up(codes, TERN_ARRAY_SIZE(codes), v6, packet->type, text, len);
	if (!word)
		return tern_reader_fail(r, text, "this is no code of ICMP%s type %u",
					v6 ? "v6" : "", packet->type);
	packet->code = word->code;
	return true;
}

bool tern_script_read_icmp(struct tern_reader *r, struct tern_script_packet *packet)
{
	bool v6 = r->version == TERN_SCRIPT_IPV6;

	packet->protocol = TERN_SCRIPT_ICMP;
	if (!read_type(r, packet, v6) || !read_code(r, packet, v6))
		return false;
	if (tern_reader_take_word(r, "mtu") && !tern_reader_u32(r, &packet->mtu))
		return false;
	if (tern_reader_peek(r, "[") && !packet->quotes)
		return tern_script_read_quote(r, packet);
	return true;
}
