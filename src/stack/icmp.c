/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/icmp.c: ICMP and ICMPv6 (RFC 792, RFC 1122 §3.2.2, RFC 4443).
 *
 * In: an echo request to one of our addresses is answered; to a group, it is not, so that nobody
 * can make an amplifier of us (RFC 1122 §3.2.2.6). An error goes to the record whose packet it
 * quotes, found as that packet's answer would be: connection, SYN queue, datagram socket. It must
 * quote one of our own addresses as source; whether the quoted sequence number can be true is the
 * judgement of the connection (RFC 5927), and so is what it makes of an MTU. Everything else
 * (redirects, source quench, router and neighbour discovery, timestamps) is dropped: no use to a
 * host with one link.
 *
 * Out: errors about packets that we drop, none where RFC 1122 §3.2.2 and RFC 4443 §2.4 e forbid it,
 * and limited per destination and in all: see path.c.
 */
#include "stack/internal.h"

enum {
	TOS_INTERNET_CONTROL = 0xc0, /* RFC 1812 §4.3.2.5; Linux, too */
	REASSEMBLY_TIME = 1,         /* code of time exceeded */
};

/* ---- out ---- */

/* The header fields of a message from one of our addresses. */
static struct tern_packet message(const struct tern_stack *st, const struct tern_addr *src,
				  const struct tern_addr *dst, uint8_t tos)
{
	return (struct tern_packet){
		.src = *src,
		.dst = *dst,
		.proto = src->family == TERN_INET ? TERN_PROTO_ICMP : TERN_PROTO_ICMPV6,
		.ttl = (uint8_t)st->knobs.ip_default_ttl,
		.tos = tos,
	};
}

/* Type, code and the four bytes behind them of an answer; false where the version has none. */
static bool describe(enum tern_answer answer, const struct tern_packet *pkt, uint8_t *type,
		     uint8_t *code, uint32_t *rest)
{
	static const struct {
		uint8_t type, code;
		bool pointer;
	} v6[] = {
		[TERN_ANSWER_PORT] = { TERN_ICMP6_UNREACH, TERN_ICMP6_PORT, false },
		[TERN_ANSWER_PROTO] = { TERN_ICMP6_PARAM_PROBLEM, TERN_ICMP6_UNKNOWN_NEXT, true },
		[TERN_ANSWER_HEADER] = { TERN_ICMP6_PARAM_PROBLEM, TERN_ICMP6_BAD_FIELD, true },
		[TERN_ANSWER_OPTION] = { TERN_ICMP6_PARAM_PROBLEM, TERN_ICMP6_UNKNOWN_OPTION,
					 true },
		[TERN_ANSWER_REASSEMBLY_TIME] = { TERN_ICMP6_TIME_EXCEEDED, REASSEMBLY_TIME,
						  false },
	};

	*rest = 0;
	if (pkt->src.family == TERN_INET6) {
		*type = v6[answer].type;
		*code = v6[answer].code;
		if (v6[answer].pointer)
			*rest = pkt->pointer;
		return true;
	}
	*type = TERN_ICMP4_UNREACH;
	*code = TERN_ICMP4_PORT;
	if (answer == TERN_ANSWER_PROTO)
		*code = TERN_ICMP4_PROTO;
	if (answer == TERN_ANSWER_REASSEMBLY_TIME) {
		*type = TERN_ICMP4_TIME_EXCEEDED;
		*code = REASSEMBLY_TIME;
	}
	return answer != TERN_ANSWER_HEADER && answer != TERN_ANSWER_OPTION;
}

/* Counts a message that leaves. */
static void count_out(struct tern_stack *st, bool v6, uint8_t type)
{
	tern_count(&st->trace, v6 ? TERN_CNT_Icmp6OutMsgs : TERN_CNT_IcmpOutMsgs);
	if (v6 && type == TERN_ICMP6_UNREACH)
		tern_count(&st->trace, TERN_CNT_Icmp6OutDestUnreachs);
	if (v6 && type == TERN_ICMP6_ECHO_REPLY)
		tern_count(&st->trace, TERN_CNT_Icmp6OutEchoReplies);
	if (!v6 && type == TERN_ICMP4_UNREACH)
		tern_count(&st->trace, TERN_CNT_IcmpOutDestUnreachs);
	if (!v6 && type == TERN_ICMP4_ECHO_REPLY)
		tern_count(&st->trace, TERN_CNT_IcmpOutEchoReps);
}

void tern_icmp_send_error(struct tern_stack *st, const struct tern_packet *pkt,
			  enum tern_answer answer, const uint8_t *frame, uint32_t len)
{
	bool v6 = pkt->src.family == TERN_INET6;
	struct tern_packet out = message(st, &pkt->dst, &pkt->src, v6 ? 0 : TOS_INTERNET_CONTROL);
	uint8_t buf[TERN_ICMP6_ERROR_MAX], type, code, *payload;
	uint32_t rest, size;

	if (!describe(answer, pkt, &type, &code, &rest) || !tern_icmp_may_answer(pkt) ||
	    tern_route_is_broadcast(st, &pkt->dst) || tern_route_is_broadcast(st, &pkt->src))
		return;
	if (!tern_path_may_answer(st, &pkt->src)) {
		tern_count(&st->trace,
			   v6 ? TERN_CNT_Icmp6OutRateLimitHost : TERN_CNT_IcmpOutRateLimitHost);
		return;
	}
	size = tern_icmp_emit_error(buf, sizeof(buf), &out.src, &out.dst, type, code, rest, frame,
				    len);
	if (!size || tern_queue_room(st, &out, size, 0, &payload) < 0)
		return;
	memcpy(payload, buf, size);
	count_out(st, v6, type);
}

void tern_icmp_send_unreachable(struct tern_stack *st, const struct tern_packet *pkt,
				const uint8_t *frame, uint32_t len)
{
	tern_icmp_send_error(st, pkt, TERN_ANSWER_PORT, frame, len);
}

/* ---- in ---- */

static enum tern_drop input_echo(struct tern_stack *st, const struct tern_packet *pkt)
{
	bool v6 = pkt->src.family == TERN_INET6;
	struct tern_packet out = message(st, &pkt->dst, &pkt->src, pkt->tos & 0xfc);
	uint8_t *payload;

	tern_count(&st->trace, v6 ? TERN_CNT_Icmp6InEchos : TERN_CNT_IcmpInEchos);
	if (!tern_route_is_local(st, &pkt->dst))
		return TERN_DROP_IP_INVALID_DEST;
	if (tern_queue_room(st, &out, pkt->payload_len, 0, &payload) < 0)
		return TERN_DROP_NOMEM;
	tern_icmp_emit_echo_reply(payload, pkt->payload_len, pkt);
	count_out(st, v6, v6 ? TERN_ICMP6_ECHO_REPLY : TERN_ICMP4_ECHO_REPLY);
	return TERN_DROP_NONE;
}

/* Gives an error about a TCP segment to its record. */
static enum tern_drop input_tcp_error(struct tern_stack *st, const struct tern_icmp *icmp,
				      const struct tern_flow *flow)
{
	uint32_t hash = tern_flow_hash(st->tcp.map_key, flow);
	uint32_t idx = tern_conn_find(&st->tcp, hash, flow);
	enum tern_icmp_kind kind = tern_icmp_error(icmp);
	bool fatal;
	int error = tern_icmp_errno(icmp, &fatal);

	if (idx) {
		tern_tcp_icmp(&st->tcp, idx, kind, error, tern_icmp_mtu(icmp), icmp->quote.seq);
		return TERN_DROP_NONE;
	}
	idx = tern_half_find(&st->syn, hash, flow);
	if (!idx)
		return TERN_DROP_NO_SOCKET;
	/* RFC9293:MUST-56 RFC9293:SHLD-26 */
	if (fatal && !(st->knobs.tern_soft_errors && tern_icmp_is_soft(kind, icmp->v6)))
		tern_half_icmp(&st->syn, idx, error, icmp->quote.seq);
	return TERN_DROP_NONE;
}

static enum tern_drop input_udp_error(struct tern_stack *st, const struct tern_icmp *icmp,
				      const struct tern_flow *flow)
{
	enum tern_icmp_kind kind = tern_icmp_error(icmp);

	if (!tern_udp_icmp(st, flow, kind, tern_icmp_errno(icmp, NULL)))
		return TERN_DROP_NO_SOCKET;
	if (kind == TERN_ICMP_TOO_BIG)
		tern_path_lower(st, &flow->remote, tern_icmp_mtu(icmp));
	return TERN_DROP_NONE;
}

/* A message that cannot be right. */
static enum tern_drop malformed(struct tern_stack *st, bool v6)
{
	tern_count(&st->trace, v6 ? TERN_CNT_Icmp6InErrors : TERN_CNT_IcmpInErrors);
	return TERN_DROP_INVALID_PROTO;
}

static enum tern_drop input_error(struct tern_stack *st, const struct tern_icmp *icmp)
{
	const struct tern_icmp_quote *q = &icmp->quote;
	struct tern_flow flow = { .local = q->src,
				  .remote = q->dst,
				  .lport = q->sport,
				  .rport = q->dport };

	if (!q->valid || !tern_route_is_local(st, &q->src))
		return malformed(st, icmp->v6);
	/* RFC9293:MUST-54 */
	if (q->proto == TERN_PROTO_TCP)
		return input_tcp_error(st, icmp, &flow);
	if (q->proto == TERN_PROTO_UDP)
		return input_udp_error(st, icmp, &flow);
	return TERN_DROP_NO_SOCKET;
}

static void count_in(struct tern_stack *st, const struct tern_icmp *icmp)
{
	if (icmp->v6 && icmp->type == TERN_ICMP6_UNREACH)
		tern_count(&st->trace, TERN_CNT_Icmp6InDestUnreachs);
	if (icmp->v6 && icmp->type == TERN_ICMP6_TOO_BIG)
		tern_count(&st->trace, TERN_CNT_Icmp6InPktTooBigs);
	if (!icmp->v6 && icmp->type == TERN_ICMP4_UNREACH)
		tern_count(&st->trace, TERN_CNT_IcmpInDestUnreachs);
}

static enum tern_drop input(struct tern_stack *st, const struct tern_packet *pkt, bool trusted)
{
	bool v6 = pkt->src.family == TERN_INET6;
	enum tern_icmp_kind kind;
	struct tern_icmp icmp;

	tern_count(&st->trace, v6 ? TERN_CNT_Icmp6InMsgs : TERN_CNT_IcmpInMsgs);
	if (tern_icmp_parse(pkt, &icmp) != TERN_PARSE_OK)
		return malformed(st, v6);
	if (!trusted && !tern_icmp_cksum_ok(pkt)) {
		tern_count(&st->trace, v6 ? TERN_CNT_Icmp6InCsumErrors : TERN_CNT_IcmpInCsumErrors);
		malformed(st, v6);
		return TERN_DROP_ICMP_CSUM;
	}
	count_in(st, &icmp);
	if (icmp.type == (icmp.v6 ? TERN_ICMP6_ECHO : TERN_ICMP4_ECHO))
		return input_echo(st, pkt);
	kind = tern_icmp_error(&icmp);
	/* RFC9293:MUST-55 */
	if (kind == TERN_ICMP_NONE || kind == TERN_ICMP_SOURCE_QUENCH)
		return TERN_DROP_INVALID_PROTO;
	return input_error(st, &icmp);
}

void tern_icmp_input(struct tern_stack *st, const struct tern_packet *pkt, bool trusted,
		     enum tern_drop *ret_reason)
{
	*ret_reason = input(st, pkt, trusted);
}
