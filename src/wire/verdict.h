/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/verdict.h: every way in which reading a header can end.
 *
 * One enum serves all parsers of the room, so that the stack maps it to a drop reason in one place.
 */
#ifndef TERN_WIRE_VERDICT_H
#define TERN_WIRE_VERDICT_H

enum tern_parse {
	TERN_PARSE_OK,
	TERN_PARSE_TRUNCATED,         /* fewer bytes than the header needs */
	TERN_PARSE_BAD_VERSION,       /* the first nibble is neither 4 nor 6 */
	TERN_PARSE_BAD_HEADER_LENGTH, /* IHL < 5 words, or header longer than the packet */
	TERN_PARSE_BAD_LENGTH,   /* a length field lies: less than the header, more than there is */
	TERN_PARSE_BAD_CHECKSUM, /* IPv4 header checksum */
	TERN_PARSE_BAD_OPTION,   /* IP option malformed, or an IPv6 option that says: discard me */
	TERN_PARSE_UNKNOWN_OPTION,   /* IPv6 option that says: discard and answer (RFC 8200 4.2) */
	TERN_PARSE_SOURCE_ROUTE,     /* IPv4 LSRR or SSRR */
	TERN_PARSE_RH0,              /* IPv6 routing header type 0 (RFC 5095) */
	TERN_PARSE_UNKNOWN_ROUTING,  /* IPv6 routing header of another type with segments left */
	TERN_PARSE_TOO_MANY_HEADERS, /* more than TERN_IP6_HEADERS_MAX extension headers */
	TERN_PARSE_MISPLACED_HEADER, /* hop-by-hop header elsewhere than first */
	TERN_PARSE_JUMBOGRAM,        /* RFC 2675: not spoken */
	TERN_PARSE_BAD_FRAGMENT,  /* empty, not a multiple of 8 with more to come, beyond 65,535 */
	TERN_PARSE_TINY_FRAGMENT, /* the TCP header does not lie whole in the first fragment */
	TERN_PARSE_BAD_OFFSET,    /* TCP data offset < 5 words or beyond the segment */
	TERN_PARSE_WRONG_FAMILY,  /* ICMP in IPv6 or ICMPv6 in IPv4 */
	TERN_PARSE_COUNT
};

#endif
