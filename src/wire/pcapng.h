/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire/pcapng.h: capture files (draft-ietf-opsawg-pcapng), written block by block into memory.
 *
 * Little-endian on every machine. A file is: one section, one or more interfaces, packets.
 */
#ifndef TERN_WIRE_PCAPNG_H
#define TERN_WIRE_PCAPNG_H

#include <stdint.h>

#include "wire/segment.h"

enum {
	TERN_PCAPNG_LINKTYPE_RAW = 101, /* packets begin with the IP header */
	TERN_PCAPNG_COMMENT_MAX = 4096, /* bytes of a comment; what is longer is cut */
};

/*
 * Section header block. `application` names the writer ("tern 0.1"), NULL for none.
 * Returns the bytes written, 0 when they do not fit in cap.
 */
uint32_t tern_pcapng_section(uint8_t *buf, uint32_t cap, const char *application);

/*
 * Interface description block: raw IP, time stamps in ns, frames kept up to snaplen bytes (0: no
 * limit). `name` may be NULL. Interfaces count from 0 in the order written. Returns as above.
 */
uint32_t tern_pcapng_interface(uint8_t *buf, uint32_t cap, const char *name, uint32_t snaplen);

/*
 * Enhanced packet block: one frame, given as `count` pieces, taken at realtime_ns since 1970 on
 * interface `iface`. orig_len is the frame's length on the wire, not below what the pieces hold.
 * `comment` is UTF-8 or NULL. Returns as above.
 */
uint32_t tern_pcapng_packet(uint8_t *buf, uint32_t cap, uint32_t iface, uint64_t realtime_ns,
			    const struct tern_piece *pieces, uint32_t count, uint32_t orig_len,
			    const char *comment);

#endif
