/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/ring.c: the event ring.
 *
 * The ring is a power of two of records, allocated once. `written` counts all records that ever
 * were; record number i lies at i & mask, until number i + capacity overwrites it. A reader keeps
 * the number of the record it wants next: it needs no place in the ring, any number of readers may
 * be about, and one that is too slow finds itself moved on to the oldest record there still is.
 */
#include "trace/ring.h"

#include <errno.h>
#include <string.h>

/* One record more than 32 bits can mask does not fit; 2^31 is beyond any machine's use. */
#define RECORDS_MAX (1u << 31)

static size_t ring_size(const struct tern_trace *trace)
{
	return ((size_t)trace->mask + 1) * sizeof(*trace->records);
}

int tern_trace_init(struct tern_trace *trace, struct tern_mem *mem, uint32_t max)
{
	uint32_t capacity = 1;

	memset(trace, 0, sizeof(*trace));
	if (!max)
		return 0;
	if (max > RECORDS_MAX)
		return -ENOMEM;
	while (capacity < max)
		capacity *= 2;
	trace->mask = capacity - 1;
	trace->records = tern_mem_alloc(mem, ring_size(trace));
	return trace->records ? 0 : -ENOMEM;
}

void tern_trace_free(struct tern_trace *trace, struct tern_mem *mem)
{
	if (trace->records)
		tern_mem_free(mem, trace->records, ring_size(trace));
	trace->records = NULL;
}

struct tern_trace_record *tern_trace_take(struct tern_trace *trace)
{
	struct tern_trace_record *record = &trace->records[trace->written++ & trace->mask];

	memset(record, 0, sizeof(*record));
	return record;
}

bool tern_trace_read(const struct tern_trace *trace, uint64_t *cursor,
		     struct tern_trace_record *ret_record)
{
	uint64_t capacity = (uint64_t)trace->mask + 1;

	if (!trace->records || *cursor >= trace->written)
		return false;
	if (trace->written - *cursor > capacity)
		*cursor = trace->written - capacity;
	*ret_record = trace->records[(*cursor)++ & trace->mask];
	return true;
}
