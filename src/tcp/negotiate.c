/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Each option but MSS is in force only when both SYNs carried it. MSS needs no agreement: each side
 * says what it can take, and a side that says nothing takes 536 (IPv4) or 1220 (IPv6) bytes.
 * An MSS too small to be honest is raised to the floor (tcp_min_snd_mss; CVE-2019-11479).
 */
#include "tcp/negotiate.h"

#include "base/compiler.h"
#include "tern/wire.h"

#define WSCALE_MAX 14

uint16_t tern_advertised_mss(uint8_t family, uint32_t mtu)
{
	uint32_t headers = (family == TERN_INET ? 20 : 40) + 20;
	/* RFC9293:MUST-67 */
	uint32_t mss = mtu > headers ? mtu - headers : 1;

	return (uint16_t)TERN_MIN(mss, 65535u - headers);
}

uint8_t tern_window_scale(const struct tern_knobs *knobs, uint32_t rcvbuf, bool fixed)
{
	uint32_t most = TERN_MAX(knobs->tcp_rmem_max, knobs->rmem_max);
	uint32_t space = TERN_UNLIKELY(fixed) ? rcvbuf / 2 : TERN_MAX(rcvbuf, most);
	uint8_t scale = space > 65535 ? (uint8_t)(16 - __builtin_clz(space)) : 0;

	return scale < WSCALE_MAX ? scale : WSCALE_MAX;
}

uint16_t tern_offered_options(const struct tern_knobs *knobs)
{
	uint16_t options = TERN_OPT_MSS;

	if (knobs->tcp_window_scaling)
		options |= TERN_OPT_WSCALE;
	if (knobs->tcp_timestamps)
		options |= TERN_OPT_TS;
	if (knobs->tcp_sack)
		options |= TERN_OPT_SACKOK;
	return options;
}

void tern_negotiate(const struct tern_knobs *knobs, uint8_t family, uint16_t offered,
		    uint8_t our_wscale, const struct tern_tcp_options *opt, struct tern_terms *ret)
{
	/* RFC9293:MUST-15 */
	uint16_t mss = family == TERN_INET ? 536 : 1220;

	/* RFC9293:MUST-14 */
	if (opt->present & TERN_OPT_MSS)
		mss = (uint16_t)TERN_MAX((uint32_t)opt->mss, knobs->tcp_min_snd_mss);
	ret->peer_mss = mss;
	/* RFC7323:2.2a RFC7323:3.2a */
	ret->options = (uint8_t)(opt->present & offered &
				 (TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS));
	ret->snd_wscale = 0;
	ret->rcv_wscale = 0;
	if (ret->options & TERN_OPT_WSCALE) {
		/* RFC7323:2.3b */
		ret->snd_wscale = opt->wscale > WSCALE_MAX ? WSCALE_MAX : opt->wscale;
		ret->rcv_wscale = our_wscale;
	}
}
