/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/names.c: what the numbers of counters, drop reasons and events are called.
 *
 * Each .def file is the only place where its names stand; here they become tables that are indexed
 * by the enum made from the same file. Every function takes any number and answers NULL beyond the
 * end of its table, which is how callers find the end.
 */
#include "trace/event.h"

#include <stddef.h>

#include "base/compiler.h"
#include "tern/trace.h"
#include "trace/counter.h"
#include "trace/drop.h"

struct name {
	const char *name, *text;
};

static const struct name counters[] = {
#define COUNTER(name, text) { #name, text },
#include "trace/counter.def"
#undef COUNTER
};

static const struct name drops[] = {
#define DROP(name, text) { #name, text },
#include "trace/drop.def"
#undef DROP
};

static const char *const events[] = {
#define EVENT(name) #name,
#include "trace/event.def"
#undef EVENT
};

/* event.def and enum tern_trace_kind, which users see, must say the same in the same order. */
enum {
#define EVENT(name) EVENT_##name,
#include "trace/event.def"
#undef EVENT
};

#define EVENT(name) \
	_Static_assert((int)EVENT_##name == (int)TERN_TRACE_##name, "order of event.def");
#include "trace/event.def"
#undef EVENT

TERN_API const char *tern_counter_name(unsigned int counter)
{
	return counter < TERN_ARRAY_SIZE(counters) ? counters[counter].name : NULL;
}

TERN_API const char *tern_counter_text(unsigned int counter)
{
	return counter < TERN_ARRAY_SIZE(counters) ? counters[counter].text : NULL;
}

TERN_API const char *tern_drop_name(unsigned int reason)
{
	return reason < TERN_ARRAY_SIZE(drops) ? drops[reason].name : NULL;
}

TERN_API const char *tern_drop_text(unsigned int reason)
{
	return reason < TERN_ARRAY_SIZE(drops) ? drops[reason].text : NULL;
}

const char *tern_event_name(unsigned int kind)
{
	return kind < TERN_ARRAY_SIZE(events) ? events[kind] : NULL;
}
