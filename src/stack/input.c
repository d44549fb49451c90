/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A frame in. The IP header is read and judged, fragments are collected, the packet goes to its
 * protocol. Whatever is not taken is counted under exactly one reason (drop.def), here and nowhere
 * else; a packet can cost a counter, never more.
 *
 * Nearly all frames are plain segments (wire/plain.h), mostly of the flow of the one before: these
 * take a short way to tern_demux(). As soon as anything about a frame is not as usual it leaves
 * that way, not yet counted, for the long one, which alone finds out and says what is wrong.
 *
 * Where packets come from: the link, or ourselves (a connection to one of our own addresses leaves
 * through output and comes in here). Only the second kind may carry one of our addresses as source.
 */
#include "stack/internal.h"
#include "wire/tcp.h"

static const enum tern_drop parse_reasons[TERN_PARSE_COUNT] = {
	[TERN_PARSE_TRUNCATED] = TERN_DROP_PKT_TOO_SMALL,
	[TERN_PARSE_BAD_VERSION] = TERN_DROP_IP_INHDR,
	[TERN_PARSE_BAD_HEADER_LENGTH] = TERN_DROP_IP_INHDR,
	[TERN_PARSE_BAD_LENGTH] = TERN_DROP_IP_INHDR,
	[TERN_PARSE_BAD_CHECKSUM] = TERN_DROP_IP_CSUM,
	[TERN_PARSE_BAD_OPTION] = TERN_DROP_IP_INHDR,
	[TERN_PARSE_UNKNOWN_OPTION] = TERN_DROP_IPV6_BAD_EXTHDR,
	[TERN_PARSE_SOURCE_ROUTE] = TERN_DROP_IP_SOURCE_ROUTE,
	[TERN_PARSE_RH0] = TERN_DROP_IP_SOURCE_ROUTE,
	[TERN_PARSE_UNKNOWN_ROUTING] = TERN_DROP_IPV6_BAD_EXTHDR,
	[TERN_PARSE_TOO_MANY_HEADERS] = TERN_DROP_IPV6_BAD_EXTHDR,
	[TERN_PARSE_MISPLACED_HEADER] = TERN_DROP_IPV6_BAD_EXTHDR,
	[TERN_PARSE_JUMBOGRAM] = TERN_DROP_IP_INHDR,
	[TERN_PARSE_BAD_FRAGMENT] = TERN_DROP_FRAG_MALFORMED,
	[TERN_PARSE_TINY_FRAGMENT] = TERN_DROP_FRAG_MALFORMED,
	[TERN_PARSE_BAD_OFFSET] = TERN_DROP_TCP_BAD_OFFSET,
	[TERN_PARSE_WRONG_FAMILY] = TERN_DROP_INVALID_PROTO,
};

/* Counters that IPv4 and IPv6 have each of their own. */
static void count_ip(struct tern_stack *st, bool v6, enum tern_counter v4_counter,
		     enum tern_counter v6_counter)
{
	tern_count(&st->trace, v6 ? v6_counter : v4_counter);
}

/* The ECN field of a packet that has one; those without are counted by nobody's doing. */
TERN_COLD static void count_ecn(struct tern_stack *st, bool v6, uint8_t tos)
{
	static const enum tern_counter kinds[2][TERN_ECN_MASK + 1] = {
		{ 0, TERN_CNT_IpExtInECT1Pkts, TERN_CNT_IpExtInECT0Pkts, TERN_CNT_IpExtInCEPkts },
		{ 0, TERN_CNT_Ip6InECT1Pkts, TERN_CNT_Ip6InECT0Pkts, TERN_CNT_Ip6InCEPkts },
	};

	tern_count(&st->trace, kinds[v6][tos & TERN_ECN_MASK]);
}

/* May this source speak to this destination? Everything that there is to ask. */
static enum tern_drop judge_closely(struct tern_stack *st, const struct tern_addr *src,
				    const struct tern_addr *dst, bool looped)
{
	if (!tern_route_is_local(st, dst))
		/* RFC9293:MUST-57 */
		return tern_addr_is_multicast(dst) || tern_route_is_broadcast(st, dst)
			       ? TERN_DROP_IP_INVALID_DEST
			       : TERN_DROP_IP_INADDRERRORS;
	if (looped)
		return TERN_DROP_NONE;
	if (tern_route_is_local(st, src))
		return TERN_DROP_IP_RPFILTER;
	/* RFC9293:MUST-63 */
	if (tern_route_is_martian(st, src))
		return TERN_DROP_IP_INVALID_SOURCE;
	st->good_source = *src;
	return TERN_DROP_NONE;
}

/* The same: whoever could speak last can speak now. */
static inline enum tern_drop judge_addresses(struct tern_stack *st, const struct tern_addr *src,
					     const struct tern_addr *dst, bool looped)
{
	if (TERN_LIKELY(tern_addr_eq(&st->good_source, src) && tern_route_is_local(st, dst)))
		return TERN_DROP_NONE;
	return judge_closely(st, src, dst, looped);
}

/* To whom it belongs; the event ring is told, where it is on. */
static inline enum tern_drop demux(struct tern_stack *st, const struct tern_flow *flow,
				   uint32_t hash, const struct tern_segment *seg)
{
	if (TERN_UNLIKELY(tern_trace_is_on(&st->trace)))
		return tern_demux_traced(st, flow, hash, seg);
	return tern_demux(st, flow, hash, seg);
}

/* The next segment may be of any flow. */
static void end_run(struct tern_stack *st)
{
	st->run.wire.ports = 0;
	st->tcp.last_conn = 0;
}

static enum tern_drop tcp_input(struct tern_stack *st, const struct tern_packet *pkt, bool trusted)
{
	struct tern_segment seg;
	struct tern_flow flow;
	enum tern_parse verdict;

	tern_count(&st->trace, TERN_CNT_TcpInSegs);
	verdict = tern_tcp_parse(pkt->payload, pkt->payload_len, &seg);
	seg.ecn = pkt->tos & TERN_ECN_MASK;
	if (verdict != TERN_PARSE_OK) {
		tern_count(&st->trace, TERN_CNT_TcpInErrs);
		return parse_reasons[verdict];
	}
	/* RFC9293:MUST-3 */
	if (!trusted && !tern_tcp_cksum_ok(pkt)) {
		tern_count(&st->trace, TERN_CNT_TcpInErrs);
		tern_count(&st->trace, TERN_CNT_TcpInCsumErrors);
		return TERN_DROP_TCP_CSUM;
	}
	/* RFC9293:MUST-63 */
	if (!seg.sport || !seg.dport) {
		tern_count(&st->trace, TERN_CNT_TcpInErrs);
		return TERN_DROP_TCP_PORT_ZERO;
	}
	end_run(st);
	flow.local = pkt->dst;
	flow.remote = pkt->src;
	flow.lport = seg.dport;
	flow.rport = seg.sport;
	return demux(st, &flow, tern_tcp_hash(&st->tcp, &flow), &seg);
}

static enum tern_drop deliver(struct tern_stack *st, const struct tern_packet *pkt,
			      const uint8_t *whole, uint32_t len, bool trusted)
{
	enum tern_drop reason = TERN_DROP_NONE;
	bool v6 = pkt->dst.family == TERN_INET6;

	switch (pkt->proto) {
	case TERN_PROTO_TCP:
		count_ip(st, v6, TERN_CNT_IpInDelivers, TERN_CNT_Ip6InDelivers);
		return tcp_input(st, pkt, trusted);
	case TERN_PROTO_UDP:
		count_ip(st, v6, TERN_CNT_IpInDelivers, TERN_CNT_Ip6InDelivers);
		tern_udp_input(st, pkt, whole, len, trusted, &reason);
		return reason;
	case TERN_PROTO_ICMP:
	case TERN_PROTO_ICMPV6:
		count_ip(st, v6, TERN_CNT_IpInDelivers, TERN_CNT_Ip6InDelivers);
		tern_icmp_input(st, pkt, trusted, &reason);
		return reason;
	default:
		count_ip(st, v6, TERN_CNT_IpInUnknownProtos, TERN_CNT_Ip6InUnknownProtos);
		if (!v6 || pkt->proto != TERN_IP6_NONE) /* RFC 8200 §4.7 */
			tern_icmp_send_error(st, pkt, TERN_ANSWER_PROTO, whole, len);
		return TERN_DROP_IP_NOPROTO;
	}
}

/* IPv6 wants to be told which header it was that nobody here knows (RFC 8200 §4, RFC 4443 §3.4). */
static void answer_bad_header(struct tern_stack *st, enum tern_parse verdict,
			      const struct tern_packet *pkt, const uint8_t *frame, uint32_t len,
			      bool looped)
{
	if (verdict != TERN_PARSE_UNKNOWN_OPTION && verdict != TERN_PARSE_UNKNOWN_ROUTING)
		return;
	if (judge_addresses(st, &pkt->src, &pkt->dst, looped) == TERN_DROP_NONE)
		tern_icmp_send_error(st, pkt,
				     verdict == TERN_PARSE_UNKNOWN_OPTION ? TERN_ANSWER_OPTION
									  : TERN_ANSWER_HEADER,
				     frame, len);
}

/*
 * A fragment, and perhaps the packet that it makes whole: its checksum is then still to be
 * verified.
 */
static enum tern_drop collect(struct tern_stack *st, struct tern_packet *pkt, const uint8_t **whole,
			      uint32_t *len, bool *ret_complete)
{
	enum tern_drop reason = TERN_DROP_NONE;
	enum tern_parse verdict;

	*ret_complete = tern_frags_input(st, pkt, &reason);
	if (!*ret_complete)
		return reason;
	*whole = pkt->payload - pkt->header_len;
	*len = pkt->header_len + pkt->payload_len;
	verdict = tern_ip_resume(pkt);
	*ret_complete = verdict == TERN_PARSE_OK;
	return parse_reasons[verdict];
}

static enum tern_drop take(struct tern_stack *st, const struct tern_frame *frame, bool looped)
{
	const uint8_t *whole = frame->data;
	uint32_t len = frame->len;
	bool v6 = len && whole[0] >> 4 == 6;
	bool trusted = frame->csum != TERN_CSUM_FULL;
	struct tern_packet pkt;
	enum tern_parse verdict;
	enum tern_drop reason;

	count_ip(st, v6, TERN_CNT_IpInReceives, TERN_CNT_Ip6InReceives);
	verdict = tern_ip_parse(whole, len, trusted, &pkt);
	if (verdict != TERN_PARSE_OK) {
		count_ip(st, v6, TERN_CNT_IpInHdrErrors, TERN_CNT_Ip6InHdrErrors);
		answer_bad_header(st, verdict, &pkt, whole, len, looped);
		return parse_reasons[verdict];
	}
	if (TERN_UNLIKELY(pkt.tos & TERN_ECN_MASK))
		count_ecn(st, v6, pkt.tos);
	reason = judge_addresses(st, &pkt.src, &pkt.dst, looped);
	if (reason != TERN_DROP_NONE) {
		count_ip(st, v6, TERN_CNT_IpInAddrErrors, TERN_CNT_Ip6InAddrErrors);
		return reason;
	}
	if (TERN_UNLIKELY(pkt.fragment)) {
		bool complete;

		reason = collect(st, &pkt, &whole, &len, &complete);
		if (!complete)
			return reason;
		trusted = false;
	}
	return deliver(st, &pkt, whole, len, trusted);
}

/* The addresses of a plain segment become those of the run, if they are good. */
static bool judge_run(struct tern_stack *st, const uint8_t *frame)
{
	struct tern_run *run = &st->run;

	run->wire.addrs = 0;
	tern_plain_addrs(frame, &run->flow.remote, &run->flow.local);
	return judge_addresses(st, &run->flow.remote, &run->flow.local, false) == TERN_DROP_NONE;
}

/*
 * The flow of a plain segment becomes the run, if its addresses and ports are good; else there is
 * none. A peer that was heard just now is not judged again.
 */
static bool begin_run(struct tern_stack *st, const uint8_t *frame,
		      const struct tern_plain_flow *wire, const struct tern_segment *seg)
{
	struct tern_run *run = &st->run;

	end_run(st);
	if (!seg->sport || !seg->dport)
		return false;
	if ((!wire->addrs || run->wire.addrs != wire->addrs) && !judge_run(st, frame))
		return false;
	run->flow.lport = seg->dport;
	run->flow.rport = seg->sport;
	run->hash = tern_tcp_hash(&st->tcp, &run->flow);
	run->wire = *wire;
	return true;
}

/* The short way, for plain segments of the link. False: the frame has to go the long one. */
static bool take_plain(struct tern_stack *st, const struct tern_frame *frame,
		       enum tern_drop *ret_reason)
{
	struct tern_plain_flow wire;
	struct tern_segment seg;

	if (!tern_plain_parse(frame->data, frame->len, frame->csum != TERN_CSUM_FULL, &seg))
		return false;
	wire = tern_plain_flow(frame->data);
	if (!tern_plain_flow_eq(&wire, &st->run.wire) && !begin_run(st, frame->data, &wire, &seg))
		return false;
	tern_count(&st->trace, TERN_CNT_IpInReceives);
	tern_count(&st->trace, TERN_CNT_IpInDelivers);
	tern_count(&st->trace, TERN_CNT_TcpInSegs);
	*ret_reason = demux(st, &st->run.flow, st->run.hash, &seg);
	return true;
}

static void count_drop(struct tern_stack *st, enum tern_drop reason)
{
	if (TERN_UNLIKELY(reason != TERN_DROP_NONE))
		st->trace.drops[reason]++;
}

void tern_input_looped(struct tern_stack *st, const struct tern_frame *frame)
{
	count_drop(st, take(st, frame, true));
}

void tern_stack_input(struct tern_stack *st, uint64_t now, const struct tern_frame *frames,
		      unsigned int n)
{
	tern_tcp_set_now(&st->tcp, now);
	/* RFC9293:MUST-59 */
	for (unsigned int i = 0; i < n; i++) {
		enum tern_drop reason;

		if (!take_plain(st, &frames[i], &reason))
			reason = take(st, &frames[i], false);
		count_drop(st, reason);
	}
}
