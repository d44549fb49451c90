/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/ip6.h: the IPv6 half of wire/ip.h; only ip.c calls it.
 */
#ifndef TERN_WIRE_IP6_H
#define TERN_WIRE_IP6_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/ip.h"

/* As tern_ip_parse() for a frame of at least one byte whose version nibble is 6. */
enum tern_parse tern_ip6_parse(const uint8_t *frame, uint32_t len, bool quoted,
			       struct tern_packet *pkt);

/*
 * What must hold for every fragment, IPv4 and IPv6: some payload, whole units of 8 bytes but for
 * the last one, an end that a packet can have, no TCP header cut in two (RFC 791, 8200 4.5, 3128).
 */
enum tern_parse tern_ip_check_fragment(const struct tern_packet *pkt);

#endif
