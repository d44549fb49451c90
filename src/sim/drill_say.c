/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_say.c: what is written: events and frames with -v, and why a script has failed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/text.h"
#include "report/ladder.h"
#include "report/sink.h"
#include "sim/drill_internal.h"
#include "wire/dump.h"
#include "wire/tcp.h"

enum { LINE = 600 };

void tern_drill_say(struct drill *d, const char *format, ...)
{
	char line[LINE];
	va_list list;

	va_start(list, format);
	(void)vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	tern_sink_str(d->out, line);
}

/* The event's text in one line: comments and newlines in it become blanks. */
static void say_event(struct drill *d, const struct tern_script_event *e)
{
	char line[LINE];
	size_t n = 0;
	bool blank = false;

	for (size_t i = 0; i < e->length && n + 2 < sizeof(line); i++) {
		char c = e->text[i];

		if (c == '\n' || c == '\t' || c == '\r' || c == ' ') {
			blank = n > 0;
			continue;
		}
		if (blank)
			line[n++] = ' ';
		blank = false;
		line[n++] = c;
	}
	line[n] = '\0';
	tern_drill_say(d, "%s", line);
}

void tern_drill_fail(struct drill *d, const char *format, ...)
{
	va_list list;

	if (d->verdict != TERN_DRILL_PASSED)
		return;
	d->verdict = TERN_DRILL_FAILED;
	d->failed_at = d->event ? d->event->place : (struct tern_script_place){ 1, 1 };
	va_start(list, format);
	(void)vsnprintf(d->message, sizeof(d->message), format, list);
	va_end(list);
}

void tern_drill_broken(struct drill *d, struct tern_script_place place, const char *format, ...)
{
	va_list list;

	if (d->verdict != TERN_DRILL_PASSED)
		return;
	d->verdict = TERN_DRILL_BROKEN;
	d->failed_at = place;
	va_start(list, format);
	(void)vsnprintf(d->message, sizeof(d->message), format, list);
	va_end(list);
}

void tern_drill_trace_event(struct drill *d)
{
	tern_drill_say(d, "%11.6f  %s:%u: ", (double)tern_drill_us(d, d->now) / 1e6, d->script.name,
		       d->event->place.line);
	say_event(d, d->event);
	tern_drill_say(d, "\n");
}

/* Numbers are the wire's; the connection's state follows the frame. */
void tern_drill_trace_frame(struct drill *d, const uint8_t *bytes, uint32_t len, bool in)
{
	char line[LINE];
	struct tern_text text;

	tern_text_init(&text, line, sizeof(line));
	tern_dump_packet(&text, bytes, len, NULL);
	tern_drill_say(d, "%11.6f  %s %s\n", (double)tern_drill_us(d, d->now) / 1e6, in ? "<" : ">",
		       line);
}

/*
 * States that have changed. A half-open connection has no record of its own that could tell: the
 * SYN does.
 */
void tern_drill_trace_states(struct drill *d)
{
	uint64_t cursor = d->trace_cursor;
	struct tern_trace_record record;

	while (tern_stack_trace(d->st, &cursor, &record)) {
		bool half_open = record.before == TERN_LISTEN && record.after == TERN_SYN_RECEIVED;

		if (record.before == record.after || (record.kind == TERN_TRACE_STATE) == half_open)
			continue;
		tern_drill_say(d, "%11.6f    port %u: %s -> %s\n",
			       (double)tern_drill_us(d, record.time_ns) / 1e6, record.local.port,
			       record.before ? tern_state_name(record.before) : "-",
			       record.after ? tern_state_name(record.after) : "-");
	}
	d->trace_cursor = cursor;
}

/* The local end of the last packet to this peer, where no line of the script has told it yet. */
static struct tern_endpoint local_of(const struct drill_flow *flow,
				     const struct tern_trace_record *records, size_t n)
{
	while (n--)
		if (records[n].remote.port == flow->remote.port &&
		    tern_addr_eq(&records[n].remote.addr, &flow->remote.addr))
			return records[n].local;
	return flow->local;
}

void tern_drill_ladder(struct drill *d)
{
	struct tern_ladder_options options = { .ascii = d->cfg->ascii };
	struct tern_trace_record *records;
	uint64_t cursor = 0;
	size_t n = 0;

	if (!d->st || !d->under_test || d->under_test->udp)
		return;
	records = tern_arena_alloc(&d->script.arena, DRILL_TRACE * sizeof(*records));
	while (records && n < DRILL_TRACE && tern_stack_trace(d->st, &cursor, &records[n]))
		n++;
	options.local = d->under_test->local;
	if (records && d->under_test->phase == DRILL_CONNECTING)
		options.local = local_of(d->under_test, records, n);
	options.remote = d->under_test->remote;
	if (records)
		(void)tern_ladder_text(d->out, &options, records, n);
}

void tern_drill_report(struct drill *d)
{
	tern_drill_say(d, "%s:%u:%u: %s\n", d->script.name, d->failed_at.line, d->failed_at.column,
		       d->message);
	if (d->event) {
		tern_drill_say(d, "    script:  ");
		say_event(d, d->event);
		tern_drill_say(d, "\n");
	}
	if (d->actual[0])
		tern_drill_say(d, "    actual:  %s\n", d->actual);
	if (d->verdict == TERN_DRILL_FAILED)
		tern_drill_ladder(d);
}
