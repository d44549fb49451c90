/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * RFC 6528: ISN = M + F(local, lport, remote, rport, secret), M a clock of 4 µs ticks. Between two
 * connections of one flow the numbers rise with the clock; across flows they tell an outsider
 * nothing. Timestamp offsets are keyed the same way by the two addresses and ports, so that TSval
 * shows neither uptime nor how many hosts stand behind an address. The two are the halves of one
 * 64-bit value: who knows one half of a pseudo-random function's value knows nothing of the other.
 */
#include "tcp/isn.h"

#include "base/siphash.h"

void tern_isn_init(struct tern_isn_keys *keys, struct tern_rng *rng)
{
	keys->key[0] = tern_rng_u64(rng);
	keys->key[1] = tern_rng_u64(rng);
}

/* SipHash-2-4 of the whole flow: low half for the ISN, high half for timestamps. */
static uint64_t flow_prf(const struct tern_isn_keys *keys, const struct tern_flow *flow)
{
	uint32_t ports = (uint32_t)flow->lport << 16 | flow->rport;
	uint64_t words[4];

	if (TERN_LIKELY(flow->local.family == TERN_INET)) {
		words[0] = tern_flow_le32(flow->local.b) | (uint64_t)tern_flow_le32(flow->remote.b)
								   << 32;
		/* RFC9293:MUST-9 RFC6528:3b */
		return tern_siphash24_words_u32(keys->key, words, 1, ports);
	}
	words[0] = tern_flow_le64(flow->local.b);
	words[1] = tern_flow_le64(flow->local.b + 8);
	words[2] = tern_flow_le64(flow->remote.b);
	words[3] = tern_flow_le64(flow->remote.b + 8);
	/* RFC9293:MUST-9 RFC6528:3b */
	return tern_siphash24_words_u32(keys->key, words, 4, ports);
}

void tern_isn_choose(const struct tern_isn_keys *keys, const struct tern_flow *flow, uint64_t now,
		     uint32_t tcp_timestamps, tern_seq *ret_iss, uint32_t *ret_ts_offset)
{
	uint64_t prf = flow_prf(keys, flow);

	/* RFC9293:MUST-8 RFC9293:SHLD-1 RFC6528:3a */
	*ret_iss = (uint32_t)(now / 4000) + (uint32_t)prf;
	*ret_ts_offset = tcp_timestamps == 1 ? (uint32_t)(prf >> 32) : 0;
}

tern_seq tern_isn(const struct tern_isn_keys *keys, const struct tern_flow *flow, uint64_t now)
{
	/* RFC9293:MUST-8 RFC9293:SHLD-1 RFC6528:3a */
	return (uint32_t)(now / 4000) + (uint32_t)flow_prf(keys, flow);
}

uint32_t tern_ts_offset(const struct tern_isn_keys *keys, const struct tern_flow *flow,
			uint32_t tcp_timestamps)
{
	return tcp_timestamps == 1 ? (uint32_t)(flow_prf(keys, flow) >> 32) : 0;
}
