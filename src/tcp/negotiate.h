/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/negotiate.h: what SYN and SYN-ACK agree on: segment size, window scale, timestamps, SACK.
 */
#ifndef TERN_TCP_NEGOTIATE_H
#define TERN_TCP_NEGOTIATE_H

#include <stdint.h>

#include "trace/sysctl.h"
#include "wire/segment.h"

/* Outcome of a handshake from our side. */
struct tern_terms {
	uint16_t peer_mss;  /* from its MSS option, floored; 536 or 1220 without (MUST-15) */
	uint8_t options;    /* enum tern_tcp_option bits that both sides sent: WSCALE, SACKOK, TS */
	uint8_t snd_wscale; /* shift of the windows we receive; 14 at most (RFC 7323 §2.3) */
	uint8_t rcv_wscale; /* shift of the windows we send; 0 unless agreed */
};

/* MSS option that we send over a path of mtu bytes: MMS_R - 20 (MUST-67), options not counted. */
uint16_t tern_advertised_mss(uint8_t family, uint32_t mtu);

/*
 * Our window shift, as Linux computes it from tcp_rmem's largest and rcvbuf, or from a receive
 * buffer that the application has fixed: half of that is window.
 */
uint8_t tern_window_scale(const struct tern_knobs *knobs, uint32_t rcvbuf, bool fixed);

/* Options that our SYN offers: MSS always, the others by knob. */
uint16_t tern_offered_options(const struct tern_knobs *knobs);

/*
 * Judges the options of the peer's SYN or SYN-ACK against what we offered (active open) or may
 * offer (passive open: `offered` from tern_offered_options()). our_wscale is the shift we sent or
 * shall send.
 */
void tern_negotiate(const struct tern_knobs *knobs, uint8_t family, uint16_t offered,
		    uint8_t our_wscale, const struct tern_tcp_options *opt, struct tern_terms *ret);

#endif
