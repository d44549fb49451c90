/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/icmp.c: ICMP and ICMPv6.
 *
 * Both versions share the first eight bytes: type, code, checksum, and four bytes whose meaning the
 * type decides. Errors then quote the packet they complain about. What a quotation says is a claim
 * of a stranger: it is read with all the care of a packet from the link, and whether it can be true
 * (a connection of ours, a sequence number in flight, RFC 5927) is judged by the connection.
 *
 * What Linux makes of each unreachable code, its errno and whether it counts as hard, stands in two
 * tables (icmp_err_convert in its icmp.c, tab_unreach in its ipv6/icmp.c).
 */
#include "wire/icmp.h"

#include <errno.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/cksum.h"
#include "base/compiler.h"

struct meaning {
	enum tern_icmp_kind kind;
	int error;
	bool fatal;
};

/* IPv4 destination unreachable, by code. */
static const struct meaning unreach4[] = {
	{ TERN_ICMP_NET_UNREACH, ENETUNREACH, false },
	{ TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, false },
	{ TERN_ICMP_PROTO_UNREACH, ENOPROTOOPT, true },
	{ TERN_ICMP_PORT_UNREACH, ECONNREFUSED, true },
	{ TERN_ICMP_TOO_BIG, EMSGSIZE, false },
	{ TERN_ICMP_NET_UNREACH, EOPNOTSUPP, false },       /* source route failed */
	{ TERN_ICMP_NET_UNREACH, ENETUNREACH, true },       /* network unknown */
	{ TERN_ICMP_HOST_UNREACH, EHOSTDOWN, true },        /* host unknown */
	{ TERN_ICMP_HOST_UNREACH, ENONET, true },           /* source host isolated */
	{ TERN_ICMP_ADMIN_PROHIBITED, ENETUNREACH, true },  /* network */
	{ TERN_ICMP_ADMIN_PROHIBITED, EHOSTUNREACH, true }, /* host */
	{ TERN_ICMP_NET_UNREACH, ENETUNREACH, false },      /* for this type of service */
	{ TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, false },    /* for this type of service */
	{ TERN_ICMP_ADMIN_PROHIBITED, EHOSTUNREACH, true }, /* communication */
	{ TERN_ICMP_ADMIN_PROHIBITED, EHOSTUNREACH, true }, /* precedence violation */
	{ TERN_ICMP_ADMIN_PROHIBITED, EHOSTUNREACH, true }, /* precedence cut-off */
};

/* IPv6 destination unreachable, by code. */
static const struct meaning unreach6[] = {
	{ TERN_ICMP_NET_UNREACH, ENETUNREACH, false },
	{ TERN_ICMP_ADMIN_PROHIBITED, EACCES, true },
	{ TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, false }, /* beyond scope of the source address */
	{ TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, false },
	{ TERN_ICMP_PORT_UNREACH, ECONNREFUSED, true },
	{ TERN_ICMP_ADMIN_PROHIBITED, EACCES, true }, /* source address failed policy */
	{ TERN_ICMP_ADMIN_PROHIBITED, EACCES, true }, /* reject route */
};

static bool is_error(bool v6, uint8_t type)
{
	if (v6)
		return type < 128;
	return type == TERN_ICMP4_UNREACH || type == TERN_ICMP4_SOURCE_QUENCH ||
	       type == TERN_ICMP4_REDIRECT || type == TERN_ICMP4_TIME_EXCEEDED ||
	       type == TERN_ICMP4_PARAM_PROBLEM;
}

static struct meaning meaning4(const struct tern_icmp *icmp)
{
	static const struct meaning none;

	switch (icmp->type) {
	case TERN_ICMP4_UNREACH:
		return icmp->code < TERN_ARRAY_SIZE(unreach4) ? unreach4[icmp->code] : none;
	case TERN_ICMP4_SOURCE_QUENCH:
		return (struct meaning){ TERN_ICMP_SOURCE_QUENCH, 0, false };
	case TERN_ICMP4_TIME_EXCEEDED:
		return (struct meaning){ TERN_ICMP_TIME_EXCEEDED, EHOSTUNREACH, false };
	case TERN_ICMP4_PARAM_PROBLEM:
		return (struct meaning){ TERN_ICMP_PARAM_PROBLEM, EPROTO, true };
	default:
		return none;
	}
}

static struct meaning meaning6(const struct tern_icmp *icmp)
{
	static const struct meaning none;

	switch (icmp->type) {
	case TERN_ICMP6_UNREACH:
		return icmp->code < TERN_ARRAY_SIZE(unreach6) ? unreach6[icmp->code] : none;
	case TERN_ICMP6_TOO_BIG:
		return (struct meaning){ TERN_ICMP_TOO_BIG, EMSGSIZE, false };
	case TERN_ICMP6_TIME_EXCEEDED:
		return (struct meaning){ TERN_ICMP_TIME_EXCEEDED, EHOSTUNREACH, false };
	case TERN_ICMP6_PARAM_PROBLEM:
		if (icmp->code == TERN_ICMP6_UNKNOWN_NEXT)
			return (struct meaning){ TERN_ICMP_PROTO_UNREACH, EPROTO, true };
		return (struct meaning){ TERN_ICMP_PARAM_PROBLEM, EPROTO, true };
	default:
		return none;
	}
}

static struct meaning meaning_of(const struct tern_icmp *icmp)
{
	return icmp->v6 ? meaning6(icmp) : meaning4(icmp);
}

/* RFC 792, RFC 4443: at least eight bytes of the transport header are quoted. */
static void read_quote(const struct tern_icmp *icmp, struct tern_icmp_quote *quote)
{
	struct tern_packet pkt;

	*quote = (struct tern_icmp_quote){ .valid = false };
	if (tern_ip_parse_quoted(icmp->body, icmp->body_len, &pkt) != TERN_PARSE_OK ||
	    (pkt.src.family == TERN_INET6) != icmp->v6 || pkt.frag_offset != 0 ||
	    pkt.payload_len < 8)
		return;
	quote->valid = true;
	quote->proto = pkt.proto;
	quote->src = pkt.src;
	quote->dst = pkt.dst;
	if (pkt.proto == TERN_PROTO_TCP || pkt.proto == TERN_PROTO_UDP) {
		quote->sport = tern_get_u16(pkt.payload);
		quote->dport = tern_get_u16(pkt.payload + 2);
	}
	if (pkt.proto == TERN_PROTO_TCP)
		quote->seq = tern_get_u32(pkt.payload + 4);
}

enum tern_parse tern_icmp_parse(const struct tern_packet *pkt, struct tern_icmp *ret_icmp)
{
	bool v6 = pkt->src.family == TERN_INET6;

	if (pkt->proto != (v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP))
		return TERN_PARSE_WRONG_FAMILY;
	if (pkt->payload_len < TERN_ICMP_HEADER)
		return TERN_PARSE_TRUNCATED;
	*ret_icmp = (struct tern_icmp){
		.v6 = v6,
		.type = pkt->payload[0],
		.code = pkt->payload[1],
		.rest = tern_get_u32(pkt->payload + 4),
		.body = pkt->payload + TERN_ICMP_HEADER,
		.body_len = pkt->payload_len - TERN_ICMP_HEADER,
	};
	if (is_error(v6, ret_icmp->type))
		read_quote(ret_icmp, &ret_icmp->quote);
	return TERN_PARSE_OK;
}

bool tern_icmp_cksum_ok(const struct tern_packet *pkt)
{
	uint64_t sum = 0;

	if (pkt->src.family == TERN_INET6)
		sum = tern_cksum_pseudo(&pkt->src, &pkt->dst, TERN_PROTO_ICMPV6, pkt->payload_len);
	return tern_cksum_fold(tern_cksum_add(pkt->payload, pkt->payload_len, sum)) == 0xffff;
}

enum tern_icmp_kind tern_icmp_error(const struct tern_icmp *icmp)
{
	return meaning_of(icmp).kind;
}

bool tern_icmp_is_soft(enum tern_icmp_kind kind, bool v6)
{
	switch (kind) {
	case TERN_ICMP_NET_UNREACH:
	case TERN_ICMP_HOST_UNREACH:
	case TERN_ICMP_TIME_EXCEEDED:
	case TERN_ICMP_PARAM_PROBLEM:
		return true;
	case TERN_ICMP_PROTO_UNREACH:
		return v6; /* there it is a parameter problem, code 1 */
	default:
		return false;
	}
}

uint32_t tern_icmp_mtu(const struct tern_icmp *icmp)
{
	if (tern_icmp_error(icmp) != TERN_ICMP_TOO_BIG)
		return 0;
	return icmp->v6 ? icmp->rest : icmp->rest & 0xffff;
}

int tern_icmp_errno(const struct tern_icmp *icmp, bool *ret_fatal)
{
	struct meaning meaning = meaning_of(icmp);

	if (ret_fatal)
		*ret_fatal = meaning.fatal;
	return meaning.error;
}

/* 0.0.0.0/8 and 240.0.0.0/4 (broadcast among them) name no host, multicast names many. */
static bool is_unicast(const struct tern_addr *addr)
{
	if (tern_addr_is_any(addr) || tern_addr_is_multicast(addr))
		return false;
	return addr->family != TERN_INET || (addr->b[0] != 0 && addr->b[0] < 240);
}

bool tern_icmp_may_answer(const struct tern_packet *pkt)
{
	bool v6 = pkt->src.family == TERN_INET6;

	if (pkt->frag_offset != 0 || !is_unicast(&pkt->src) || !is_unicast(&pkt->dst))
		return false;
	if (pkt->proto != (v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP))
		return true;
	return pkt->payload_len > 0 && !is_error(v6, pkt->payload[0]);
}

uint32_t tern_icmp_emit(uint8_t *buf, uint32_t cap, const struct tern_addr *src,
			const struct tern_addr *dst, const struct tern_icmp *icmp)
{
	uint32_t len = TERN_ICMP_HEADER + icmp->body_len;
	uint64_t sum = 0;

	if (icmp->body_len > TERN_IP_PACKET_MAX || len > cap)
		return 0;
	tern_put_u32(buf, (uint32_t)icmp->type << 24 | (uint32_t)icmp->code << 16);
	tern_put_u32(buf + 4, icmp->rest);
	if (icmp->body_len)
		memcpy(buf + TERN_ICMP_HEADER, icmp->body, icmp->body_len);
	if (icmp->v6)
		sum = tern_cksum_pseudo(src, dst, TERN_PROTO_ICMPV6, len);
	tern_put_u16(buf + 2, (uint16_t)~tern_cksum_fold(tern_cksum_add(buf, len, sum)));
	return len;
}

uint32_t tern_icmp_emit_echo_reply(uint8_t *buf, uint32_t cap, const struct tern_packet *request)
{
	struct tern_icmp icmp;

	if (tern_icmp_parse(request, &icmp) != TERN_PARSE_OK ||
	    icmp.type != (icmp.v6 ? TERN_ICMP6_ECHO : TERN_ICMP4_ECHO))
		return 0;
	icmp.type = icmp.v6 ? TERN_ICMP6_ECHO_REPLY : TERN_ICMP4_ECHO_REPLY;
	icmp.code = 0;
	return tern_icmp_emit(buf, cap, &request->dst, &request->src, &icmp);
}

uint32_t tern_icmp_emit_error(uint8_t *buf, uint32_t cap, const struct tern_addr *src,
			      const struct tern_addr *dst, uint8_t type, uint8_t code,
			      uint32_t rest, const uint8_t *orig, uint32_t orig_len)
{
	bool v6 = dst->family == TERN_INET6;
	uint32_t room = v6 ? TERN_ICMP6_ERROR_MAX - TERN_IP6_HEADER - TERN_ICMP_HEADER
			   : TERN_ICMP4_ERROR_MAX - TERN_IP4_HEADER - TERN_ICMP_HEADER;
	struct tern_icmp icmp = {
		.v6 = v6,
		.type = type,
		.code = code,
		.rest = rest,
		.body = orig,
		.body_len = TERN_MIN(orig_len, room),
	};

	return tern_icmp_emit(buf, cap, src, dst, &icmp);
}
