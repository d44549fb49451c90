/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/ip.h: IPv4 (RFC 791) and IPv6 (RFC 8200) headers, read and written.
 */
#ifndef TERN_WIRE_IP_H
#define TERN_WIRE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "tern/wire.h"
#include "wire/verdict.h"

enum {
	TERN_IP4_HEADER = 20,         /* bytes, without options */
	TERN_IP6_HEADER = 40,         /* bytes, without extension headers */
	TERN_IP6_FRAGMENT_HEADER = 8, /* bytes */
	TERN_IP6_HEADERS_MAX = 8,     /* extension headers walked */
	TERN_IP_HEADER_MAX = 48,      /* the most tern_ip_emit writes */
	TERN_IP_PACKET_MAX = 65535,   /* bytes of a whole IPv4 packet; payload of an IPv6 one */
};

/* Next-header numbers with a meaning of their own. */
enum tern_ip6_next {
	TERN_IP6_HOPOPTS = 0,
	TERN_IP6_ROUTING = 43,
	TERN_IP6_FRAGMENT = 44,
	TERN_IP6_NONE = 59,
	TERN_IP6_DSTOPTS = 60,
};

/*
 * An IP packet in host order. Of a fragment (`fragment` set), payload is the fragment's own part
 * and proto the protocol of what the fragments make together; in IPv6 that may be another
 * extension header, and tern_ip_resume() walks on when the packet is whole.
 */
struct tern_packet {
	struct tern_addr src;
	struct tern_addr dst;
	uint8_t proto; /* the protocol of payload, behind all extension headers */
	uint8_t ttl;   /* hop limit */
	uint8_t tos;   /* traffic class: DSCP and ECN */
	bool df;       /* IPv4 don't fragment; true for IPv6 unless `fragment` */
	bool fragment; /* a part of a packet; an atomic fragment (RFC 6946) is not */
	bool more_fragments;
	bool options;         /* IPv4 options or IPv6 extension headers were there */
	uint32_t flow_label;  /* IPv6, 20 bits */
	uint32_t frag_id;     /* 16 bits in IPv4, set there also without fragmentation */
	uint32_t frag_offset; /* bytes */
	uint32_t header_len;  /* bytes ahead of payload, extension headers counted */
	uint32_t pointer;     /* offset of the byte that named proto, for ICMP "unknown protocol" */
	uint32_t headers;     /* IPv6 extension headers walked so far */
	const uint8_t *payload; /* borrowed from the frame */
	uint32_t payload_len;   /* bytes; what the link padded behind the packet is cut off */
};

/*
 * Reads the IP header(s) of a frame of `len` bytes that begins with the version nibble. Up to
 * 65,535 bytes (+ 40 in IPv6) are ordinary: that is what GRO hands over. `trusted`: the link
 * vouches for the bytes, so the IPv4 header checksum is not computed.
 *
 * Returns TERN_PARSE_OK and fills pkt, or what is wrong. With TERN_PARSE_UNKNOWN_OPTION,
 * _UNKNOWN_ROUTING and _MISPLACED_HEADER, which an IPv6 host answers with Parameter Problem, src,
 * dst and pointer (the offending byte) are filled too; with all others pkt is undefined.
 * Addresses are not judged: martians, multicast and LAND are the caller's.
 */
enum tern_parse tern_ip_parse(const uint8_t *frame, uint32_t len, bool trusted,
			      struct tern_packet *pkt);

/*
 * Reads a packet as an ICMP error quotes it: cut off anywhere behind the fixed header, its length
 * field larger than what is there, its checksum perhaps rewritten on the way. payload_len is what
 * is there. Same verdicts.
 */
enum tern_parse tern_ip_parse_quoted(const uint8_t *frame, uint32_t len, struct tern_packet *pkt);

/*
 * Walks on through the IPv6 extension headers that stand inside a reassembled packet: the caller
 * has set payload and payload_len to the whole and cleared `fragment`. Advances payload and
 * proto. Does nothing to an IPv4 packet. A fragment header inside is TERN_PARSE_BAD_FRAGMENT.
 */
enum tern_parse tern_ip_resume(struct tern_packet *pkt);

/* Bytes the emitters below write for pkt: 20; 40, or 48 with `fragment`. */
uint32_t tern_ip_header_len(const struct tern_packet *pkt);

/*
 * Writes the header for pkt->payload_len bytes of payload, the checksum included, without options.
 * Reads src, dst, proto, ttl, tos, df, more_fragments, frag_id, frag_offset, payload_len, and in
 * IPv6 flow_label and `fragment`. frag_offset must be a multiple of 8.
 * Returns the bytes written; 0 when they do not fit in cap or the packet would be too long.
 */
uint32_t tern_ip4_emit(uint8_t *buf, uint32_t cap, const struct tern_packet *pkt);
uint32_t tern_ip6_emit(uint8_t *buf, uint32_t cap, const struct tern_packet *pkt);

/* One of the two, by the family of pkt->dst. */
uint32_t tern_ip_emit(uint8_t *buf, uint32_t cap, const struct tern_packet *pkt);

#endif
