/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/icmp.h: ICMP (RFC 792, 1122 3.2.2, 1191) and ICMPv6 (RFC 4443) as far as a host that speaks
 * TCP and UDP needs them: echo, and errors in both directions.
 */
#ifndef TERN_WIRE_ICMP_H
#define TERN_WIRE_ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"
#include "wire/ip.h"
#include "wire/verdict.h"

enum {
	TERN_ICMP_HEADER = 8,        /* bytes */
	TERN_ICMP4_ERROR_MAX = 576,  /* bytes of a whole IPv4 error packet, RFC 1812 4.3.2.3 */
	TERN_ICMP6_ERROR_MAX = 1280, /* the same in IPv6, RFC 4443 2.4 c */
};

enum tern_icmp4_type {
	TERN_ICMP4_ECHO_REPLY = 0,
	TERN_ICMP4_UNREACH = 3,
	TERN_ICMP4_SOURCE_QUENCH = 4,
	TERN_ICMP4_REDIRECT = 5,
	TERN_ICMP4_ECHO = 8,
	TERN_ICMP4_TIME_EXCEEDED = 11,
	TERN_ICMP4_PARAM_PROBLEM = 12,
};

enum tern_icmp4_unreach {
	TERN_ICMP4_NET = 0,
	TERN_ICMP4_HOST = 1,
	TERN_ICMP4_PROTO = 2,
	TERN_ICMP4_PORT = 3,
	TERN_ICMP4_FRAG_NEEDED = 4,
};

enum tern_icmp6_type {
	TERN_ICMP6_UNREACH = 1,
	TERN_ICMP6_TOO_BIG = 2,
	TERN_ICMP6_TIME_EXCEEDED = 3,
	TERN_ICMP6_PARAM_PROBLEM = 4,
	TERN_ICMP6_ECHO = 128,
	TERN_ICMP6_ECHO_REPLY = 129,
};

enum tern_icmp6_unreach {
	TERN_ICMP6_NO_ROUTE = 0,
	TERN_ICMP6_ADDRESS = 3,
	TERN_ICMP6_PORT = 4,
};

enum tern_icmp6_param {
	TERN_ICMP6_BAD_FIELD = 0,
	TERN_ICMP6_UNKNOWN_NEXT = 1,
	TERN_ICMP6_UNKNOWN_OPTION = 2,
};

/* What an error message quotes of the packet that caused it: one that we (claim to have) sent. */
struct tern_icmp_quote {
	bool valid; /* addresses and 8 bytes of transport header were there, of a first fragment */
	uint8_t proto;
	uint16_t sport; /* TCP and UDP only, else 0 */
	uint16_t dport;
	tern_seq seq; /* TCP only, else 0 */
	struct tern_addr src;
	struct tern_addr dst;
};

struct tern_icmp {
	bool v6;
	uint8_t type;
	uint8_t code;
	uint32_t rest;       /* bytes 4..7: id << 16 | seq of an echo, MTU, pointer */
	const uint8_t *body; /* behind these 8 bytes, borrowed from the frame */
	uint32_t body_len;
	struct tern_icmp_quote quote; /* of error messages; emit ignores it */
};

/* What an ICMP error says, the same names for both versions. */
enum tern_icmp_kind {
	TERN_ICMP_NONE, /* not an error, or one without a meaning to us */
	TERN_ICMP_NET_UNREACH,
	TERN_ICMP_HOST_UNREACH,
	TERN_ICMP_PROTO_UNREACH,
	TERN_ICMP_PORT_UNREACH,
	TERN_ICMP_TOO_BIG,
	TERN_ICMP_ADMIN_PROHIBITED,
	TERN_ICMP_TIME_EXCEEDED,
	TERN_ICMP_PARAM_PROBLEM,
	TERN_ICMP_SOURCE_QUENCH, /* to be ignored, RFC 6633 */
};

/*
 * Reads the message in pkt and, of an error, what it quotes. Returns TERN_PARSE_OK, _TRUNCATED
 * (fewer than 8 bytes) or _WRONG_FAMILY; ret_icmp is written only with TERN_PARSE_OK. A quotation
 * that cannot be read leaves quote.valid false. The checksum is not looked at.
 */
enum tern_parse tern_icmp_parse(const struct tern_packet *pkt, struct tern_icmp *ret_icmp);

/* Whether the checksum of a whole packet (not a fragment) is right; ICMPv6 has a pseudo header. */
bool tern_icmp_cksum_ok(const struct tern_packet *pkt);

/* What the message says. */
enum tern_icmp_kind tern_icmp_error(const struct tern_icmp *icmp);

/*
 * The next-hop MTU of a TERN_ICMP_TOO_BIG in bytes, unclamped as it came: 0 from routers older than
 * RFC 1191, anything from liars. 0 for every other message.
 */
uint32_t tern_icmp_mtu(const struct tern_icmp *icmp);

/* Does it tell of what may pass (RFC 9293 §3.9.2.2, MUST-56)? Then it is no reason to give up. */
bool tern_icmp_is_soft(enum tern_icmp_kind kind, bool v6);

/*
 * The errno (positive) that Linux puts into SO_ERROR for the message, 0 when it has none.
 * *ret_fatal, unless NULL, tells whether Linux calls it a hard error; RFC 5927 wants those to be
 * soft in synchronized states.
 */
int tern_icmp_errno(const struct tern_icmp *icmp, bool *ret_fatal);

/*
 * Whether a host may answer pkt with an ICMP error at all (RFC 1122 3.2.2, RFC 4443 2.4 e): not an
 * ICMP error itself, not a later fragment, sent by one host and to one host.
 * The subnet's directed broadcast is not known here: the caller's.
 */
bool tern_icmp_may_answer(const struct tern_packet *pkt);

/*
 * Writes a message (no IP header): type, code, rest, body, checksum. src and dst are those of the
 * IP header it will get. Returns its length in bytes, 0 when it does not fit in cap.
 */
uint32_t tern_icmp_emit(uint8_t *buf, uint32_t cap, const struct tern_addr *src,
			const struct tern_addr *dst, const struct tern_icmp *icmp);

/*
 * Writes the reply to an echo request, to be sent from request's dst to its src. Returns its
 * length in bytes; 0 when it does not fit in cap or the packet holds no echo request.
 */
uint32_t tern_icmp_emit_echo_reply(uint8_t *buf, uint32_t cap, const struct tern_packet *request);

/*
 * Writes an error message that quotes as much of the offending packet (all of it, from its IP
 * header, orig_len bytes) as a packet of 576 (IPv4) or 1280 (IPv6) bytes holds. Returns its length
 * in bytes, 0 when it does not fit in cap.
 */
uint32_t tern_icmp_emit_error(uint8_t *buf, uint32_t cap, const struct tern_addr *src,
			      const struct tern_addr *dst, uint8_t type, uint8_t code,
			      uint32_t rest, const uint8_t *orig, uint32_t orig_len);

#endif
