/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl_name.h: other names of knobs. Private to the room, but for what sysctl.h declares.
 */
#ifndef TERN_TRACE_SYSCTL_NAME_H
#define TERN_TRACE_SYSCTL_NAME_H

#include "base/text.h"
#include "trace/sysctl.h"

/* How the value of another system's name becomes that of our knob. */
enum tern_alias_rule {
	TERN_ALIAS_SAME,
	TERN_ALIAS_MS,      /* milliseconds there, seconds here; parts of a second count as one */
	TERN_ALIAS_MSL,     /* milliseconds of one MSL there, seconds of two here */
	TERN_ALIAS_RFC1323, /* 0, 1; 2: only window scaling; 3: only timestamps (the field) */
};

struct tern_knob_alias {
	const char *name;
	size_t offset; /* of the field in struct tern_knobs */
	enum tern_alias_rule rule;
};

/* Does the unit say what form the value has ("switch"), rather than what it counts ("bytes")? */
bool tern_knob_unit_is_form(const struct tern_knob_row *row);

/* "0 to 127 times", "0 to 1, a switch" */
void tern_knob_write_range(struct tern_text *out, const struct tern_knob_row *row);

/* The name in text: without /proc/sys/, with dots; empty if it is longer than cap - 1. */
void tern_knob_normalize(const char *name, char *text, size_t cap);

/* The alias of this name, or NULL. */
const struct tern_knob_alias *tern_knob_alias_find(const char *name);

/* Aliases in order; NULL beyond the last. */
const struct tern_knob_alias *tern_knob_alias(unsigned int i);

/* The row of an alias' field. */
const struct tern_knob_row *tern_knob_alias_row(const struct tern_knob_alias *alias);

#endif
