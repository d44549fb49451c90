/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/ring.h: counters, drops and the event ring of one stack, in one place that every room may
 * write to.
 */
#ifndef TERN_TRACE_RING_H
#define TERN_TRACE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "tern/trace.h"
#include "trace/counter.h"
#include "trace/drop.h"

struct tern_trace {
	uint64_t counters[TERN_COUNTERS];
	uint64_t drops[TERN_DROPS];
	struct tern_trace_record *records; /* capacity a power of two; NULL where tracing is off */
	uint32_t mask;
	uint64_t written;
};

/* Reserves the ring; max 0 leaves it off. -ENOMEM. */
int tern_trace_init(struct tern_trace *trace, struct tern_mem *mem, uint32_t max);
void tern_trace_free(struct tern_trace *trace, struct tern_mem *mem);

static inline void tern_count(struct tern_trace *trace, enum tern_counter counter)
{
	trace->counters[counter]++;
}

static inline void tern_count_n(struct tern_trace *trace, enum tern_counter counter, uint64_t n)
{
	trace->counters[counter] += n;
}

/*
 * The next record of the ring to be filled in (zeroed), or NULL where tracing is off: then
 * tern_trace_take is not called.
 */
struct tern_trace_record *tern_trace_take(struct tern_trace *trace);

static inline bool tern_trace_is_on(const struct tern_trace *trace)
{
	return trace->records != NULL;
}

static inline struct tern_trace_record *tern_trace_next(struct tern_trace *trace)
{
	return TERN_UNLIKELY(tern_trace_is_on(trace)) ? tern_trace_take(trace) : NULL;
}

/* Reads on from *cursor; see tern_stack_trace(). */
bool tern_trace_read(const struct tern_trace *trace, uint64_t *cursor,
		     struct tern_trace_record *ret_record);

#endif
