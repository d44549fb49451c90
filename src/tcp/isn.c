/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * RFC 6528: ISN = M + F(local, lport, remote, rport, secret), M a clock of 4 µs ticks. Between two
 * connections of one flow the numbers rise with the clock; across flows they tell an outsider
 * nothing. Timestamp offsets are keyed the same way by the two addresses and ports, so that TSval
 * shows neither uptime nor how many hosts stand behind an address.
 */
#include "tcp/isn.h"

#include "base/siphash.h"

void tern_isn_init(struct tern_isn_keys *keys, struct tern_rng *rng)
{
	keys->isn[0] = tern_rng_u64(rng);
	keys->isn[1] = tern_rng_u64(rng);
	keys->ts[0] = tern_rng_u64(rng);
	keys->ts[1] = tern_rng_u64(rng);
}

/* SipHash-2-4 of the whole flow. */
static uint32_t flow_prf(const uint64_t key[2], const struct tern_flow *flow)
{
	uint64_t words[5] = { 0 };
	size_t n = 1;

	if (flow->local.family == TERN_INET6) {
		for (; n <= 4; n++)
			words[n] = tern_flow_le64((n <= 2 ? flow->local.b : flow->remote.b) +
						  8 * ((n - 1) % 2));
	} else {
		words[n++] = tern_flow_le32(flow->local.b) |
			     (uint64_t)tern_flow_le32(flow->remote.b) << 32;
	}
	words[0] = (uint64_t)flow->lport << 16 | flow->rport;
	return (uint32_t)tern_siphash24_words(key, words, n);
}

tern_seq tern_isn(const struct tern_isn_keys *keys, const struct tern_flow *flow, uint64_t now)
{
	return (uint32_t)(now / 4000) + flow_prf(keys->isn, flow);
}

uint32_t tern_ts_offset(const struct tern_isn_keys *keys, const struct tern_flow *flow,
			uint32_t tcp_timestamps)
{
	return tcp_timestamps == 1 ? flow_prf(keys->ts, flow) : 0;
}
