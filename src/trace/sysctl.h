/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl.h: the knobs of a stack, generated from sysctl.def. Code reads
 * knobs->tcp_fin_timeout; names and ranges are for people.
 */
#ifndef TERN_TRACE_SYSCTL_H
#define TERN_TRACE_SYSCTL_H

#include <stddef.h>
#include <stdint.h>

struct tern_knobs {
#define KNOB(field, name, unit, standard, min, max, text) uint32_t field;
#include "trace/sysctl.def"
#undef KNOB
};

struct tern_knob_row {
	const char *name, *unit, *text;
	uint32_t standard, min, max;
	size_t offset; /* of the field in struct tern_knobs */
};

/* Sets every knob to its default. */
void tern_knobs_init(struct tern_knobs *knobs);

/* Rows of sysctl.def in order; NULL beyond the last. */
const struct tern_knob_row *tern_knob_row(unsigned int i);

/*
 * Sets a knob by name ("net.ipv4.tcp_fin_timeout"; without the prefix too) from text; a triple
 * takes all its numbers. -ENOENT, -EINVAL (not a number, too many or too few), -ERANGE, -EDOM (a
 * port range that runs backwards). Nothing changes on error.
 */
int tern_knob_set(struct tern_knobs *knobs, const char *name, const char *value);

/* Writes the value as sysctl prints it: numbers, tabs between. -ENOENT, -ENOSPC. */
int tern_knob_get(const struct tern_knobs *knobs, const char *name, char *text, size_t cap);

#endif
