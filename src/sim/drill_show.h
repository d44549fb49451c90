/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_show.h: a segment in the script's own words.
 */
#ifndef TERN_SIM_DRILL_SHOW_H
#define TERN_SIM_DRILL_SHOW_H

#include <stddef.h>
#include <stdint.h>

#include "wire/segment.h"

/* Writes "> S. 0:0(0) ack 1 win 65535 <mss 1460>" into cap bytes; len is of the payload. */
void tern_drill_show_segment(const struct tern_segment *seg, uint32_t len, const uint8_t *option,
			     uint32_t option_len, char *text, size_t cap);

#endif
