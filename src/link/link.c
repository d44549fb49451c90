/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/link.c: what links share. Each kind of link has a file of its own; the operations stand in
 * its table, and link.h calls through it.
 */
#include <string.h>

#include "link/link.h"

uint32_t tern_link_gather(void *dst, const struct tern_out *out)
{
	uint8_t *p = dst;
	unsigned int i;

	for (i = 0; i < out->pieces; i++) {
		memcpy(p, out->piece[i].ptr, out->piece[i].len);
		p += out->piece[i].len;
	}
	return (uint32_t)(p - (uint8_t *)dst);
}
