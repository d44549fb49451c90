/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl_value.h: the values of knobs between text and struct tern_knobs. Private to the
 * room. A text may end in a newline, as what is written to a file of /proc/sys does.
 */
#ifndef TERN_TRACE_SYSCTL_VALUE_H
#define TERN_TRACE_SYSCTL_VALUE_H

#include "base/text.h"
#include "trace/sysctl.h"

#define TERN_KNOB_NUMBERS_MAX 3 /* of one name */

/*
 * count numbers, blanks between, each in the range of its row. 0 or -EINVAL, -ERANGE; values are
 * written as they are read.
 */
TERN_NODISCARD int tern_knob_read_numbers(const struct tern_knob_row *rows, unsigned int count,
					  const char *text, uint32_t *values);

/* The place of a name in a list that ends with NULL. -EINVAL. */
TERN_NODISCARD int tern_knob_read_name(const char *const *names, const char *text, uint32_t *ret);

/*
 * x-x-x-x or x-x-x-x,x-x-x-x in hexadecimal, at most eight digits a word. words has room for two
 * keys, *ret_count says how many there are; a key that is not given is zero. -EINVAL.
 */
TERN_NODISCARD int tern_knob_read_key(const char *text, uint32_t *words, uint32_t *ret_count);

/* The same text; zeros where no key is set, as in Linux. */
void tern_knob_write_key(struct tern_text *out, const uint32_t *words, uint32_t count);

/* "8080,9000-9010", in any order; an empty text is the empty set. -EINVAL, -ERANGE, -E2BIG. */
TERN_NODISCARD int tern_knob_read_ports(const char *text, struct tern_knob_ports *ret);

/* The same form, in order, with ranges joined that overlap or touch. */
void tern_knob_write_ports(struct tern_text *out, const struct tern_knob_ports *ports);

#endif
