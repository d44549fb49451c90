/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/udp.h: the UDP header (RFC 768; RFC 8200 8.1 for IPv6).
 */
#ifndef TERN_WIRE_UDP_H
#define TERN_WIRE_UDP_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/ip.h"
#include "wire/segment.h"
#include "wire/verdict.h"

enum {
	TERN_UDP_HEADER = 8,       /* bytes */
	TERN_UDP_CKSUM_OFFSET = 6, /* of the checksum in the header: virtio's csum_offset */
	TERN_UDP_DATA_MAX = 65527, /* bytes of data in one datagram, as far as UDP is concerned */
};

struct tern_datagram {
	uint16_t sport;
	uint16_t dport;
	bool unchecked;      /* the sender computed no checksum (legal in IPv4 only) */
	const uint8_t *data; /* borrowed from the frame */
	uint32_t len;        /* bytes of data, by UDP's own length field */
};

/*
 * Reads the header; p is the IP payload of len bytes. Bytes behind UDP's own length are cut off.
 * Returns TERN_PARSE_OK, _TRUNCATED, or _BAD_LENGTH when the length field is below 8 or beyond len;
 * ret_dgram is written only with TERN_PARSE_OK.
 */
enum tern_parse tern_udp_parse(const uint8_t *p, uint32_t len, struct tern_datagram *ret_dgram);

/*
 * Whether the checksum of a whole packet (not a fragment) that tern_udp_parse() took is right. None
 * at all is right in IPv4 and wrong in IPv6.
 */
bool tern_udp_cksum_ok(const struct tern_packet *pkt);

/*
 * Writes the header for len bytes of data, the checksum field zero. Returns 8; 0 when that does not
 * fit in cap or len is above TERN_UDP_DATA_MAX.
 */
uint32_t tern_udp_emit(uint8_t *buf, uint32_t cap, uint16_t sport, uint16_t dport, uint32_t len);

/* As tern_tcp_cksum_full(), for the 8 bytes at hdr; a sum of zero is stored as 0xffff. */
void tern_udp_cksum_full(const struct tern_addr *src, const struct tern_addr *dst, uint8_t *hdr,
			 const struct tern_piece *pieces, uint32_t count);

#endif
