/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/event.h: the kinds of trace records, named by event.def.
 */
#ifndef TERN_TRACE_EVENT_H
#define TERN_TRACE_EVENT_H

/* The name ("SEGMENT_IN") of an enum tern_trace_kind; NULL beyond the last. */
const char *tern_event_name(unsigned int kind);

#endif
