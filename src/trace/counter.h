/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/counter.h: the counters of a stack, generated from counter.def.
 */
#ifndef TERN_TRACE_COUNTER_H
#define TERN_TRACE_COUNTER_H

#include <stdint.h>

enum tern_counter {
#define COUNTER(name, text) TERN_CNT_##name,
#include "trace/counter.def"
#undef COUNTER
	TERN_COUNTERS
};

#endif
