/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/dump.h: a packet as a line of text, byte for byte as `tcpdump -n` 4.99 prints it.
 */
#ifndef TERN_WIRE_DUMP_H
#define TERN_WIRE_DUMP_H

#include <stdint.h>

#include "base/seq.h"

struct tern_text;

/*
 * The initial sequence numbers of a connection, seen from the sender of the packet: numbers are
 * printed relative to them, as tcpdump does after the handshake. SYNs always print absolute ones.
 */
struct tern_dump_base {
	tern_seq seq; /* of the sender */
	tern_seq ack; /* of the receiver: its ISN, so that acknowledging the SYN prints as 1 */
};

/*
 * Appends e.g. "IP 10.77.0.1.50260 > 10.77.0.2.8080: Flags [S], seq 1, win 64240, options [mss
 * 1460,sackOK,TS val 5 ecr 0,nop,wscale 10], length 0" to out, without time stamp and newline.
 * TCP, UDP, ICMP and fragments of IPv4 and IPv6 have tcpdump's form; application protocols are not
 * decoded. A frame that cannot be read prints what is wrong in brackets. base may be NULL: absolute
 * sequence numbers, as with tcpdump -S.
 */
void tern_dump_packet(struct tern_text *out, const uint8_t *frame, uint32_t len,
		      const struct tern_dump_base *base);

#endif
