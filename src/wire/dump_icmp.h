/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/dump_icmp.h: the ICMP half of wire/dump.h; only dump.c calls it.
 */
#ifndef TERN_WIRE_DUMP_ICMP_H
#define TERN_WIRE_DUMP_ICMP_H

#include <stdint.h>

#include "base/text.h"

/* Appends an ICMP message: cap bytes at p are there of the len that the IP header promises. */
void tern_dump_icmp4(struct tern_text *out, const uint8_t *p, uint32_t cap, uint32_t len);

/* The same for ICMPv6. */
void tern_dump_icmp6(struct tern_text *out, const uint8_t *p, uint32_t cap, uint32_t len);

#endif
