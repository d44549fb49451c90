/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl_explain.h: what a knob does, what its present value means, and what is wrongly said
 * of it, for people.
 */
#ifndef TERN_TRACE_SYSCTL_EXPLAIN_H
#define TERN_TRACE_SYSCTL_EXPLAIN_H

#include "base/text.h"
#include "trace/sysctl.h"

#define TERN_KNOB_EXPLAIN_MAX 8192 /* room for any explanation */

/*
 * Appends the explanation of a knob, with the values that knobs has: some lines of at most 80
 * columns. Of another system's name it is said what it stands for. -ENOENT, -ENOSPC.
 */
TERN_NODISCARD int tern_knob_explain(const struct tern_knobs *knobs, const char *name,
				     struct tern_text *out);

#endif
