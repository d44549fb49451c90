/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script.c: a script as a whole: head, first shell line, events and their times.
 *
 *	EVENT	TIME ACTION
 *	TIME	+A  A  +A~+B  A~B  *	and before a call that blocks: ...END
 *	ACTION	a packet, a system call, %{ }%, `shell line`
 *
 * A shell line without a time may stand at the head and at the end.
 */
#include "sim/script.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "sim/reader.h"

/* +A, A, a range of either, or *. */
static bool read_time(struct tern_reader *r, struct tern_script_event *event)
{
	bool relative;

	tern_reader_skip(r);
	if (tern_reader_take(r, "*")) {
		event->time = TERN_TIME_ANY;
		return true;
	}
	relative = tern_reader_take(r, "+");
	if (!tern_reader_time(r, &event->at_us))
		return false;
	event->time = relative ? TERN_TIME_RELATIVE : TERN_TIME_ABSOLUTE;
	if (!tern_reader_take(r, "~"))
		return true;
	if (relative != tern_reader_take(r, "+"))
		return tern_reader_expected(r, relative ? "+ as in +0~+.1" : "a time without +");
	if (!tern_reader_time(r, &event->end_us))
		return false;
	event->time = relative ? TERN_TIME_RELATIVE_RANGE : TERN_TIME_ABSOLUTE_RANGE;
	return event->end_us >= event->at_us ||
	       tern_reader_fail(r, r->p, "this range ends before it begins");
}

static bool read_call(struct tern_reader *r, struct tern_script_event *event, int64_t end_us)
{
	event->kind = TERN_EVENT_CALL;
	event->call = tern_reader_alloc(r, sizeof(*event->call));
	if (!event->call)
		return false;
	event->call->end_us = end_us;
	return tern_script_read_call(r, event->call);
}

static bool read_action(struct tern_reader *r, struct tern_script_event *event)
{
	int64_t end_us = -1;
	const char *from;

	tern_reader_skip(r);
	event->text = from = r->p;
	if (tern_reader_take(r, "...")) {
		if (!tern_reader_time(r, &end_us))
			return false;
		if (event->time != TERN_TIME_ABSOLUTE && event->time != TERN_TIME_RELATIVE)
			return tern_reader_fail(r, from, "a call that blocks begins at one time");
		tern_reader_skip(r);
	}
	if (end_us >= 0 && end_us < event->at_us)
		return tern_reader_fail(r, from, "this call ends before it begins");
	if (end_us >= 0 && !tern_reader_at_word(r))
		return tern_reader_expected(r, "a system call");
	if (tern_reader_peek(r, "<") || tern_reader_peek(r, ">")) {
		event->kind = TERN_EVENT_PACKET;
		event->packet = tern_reader_alloc(r, sizeof(*event->packet));
		return event->packet && tern_script_read_packet(r, event->packet);
	}
	if (tern_reader_peek(r, "%{")) {
		event->kind = TERN_EVENT_CHECK;
		return tern_script_read_check(r, &event->asserts);
	}
	if (tern_reader_peek(r, "`")) {
		event->kind = TERN_EVENT_SHELL;
		return tern_script_read_shell(r, &event->settings);
	}
	return read_call(r, event, end_us);
}

/* What one event must not say, whatever kind it is. */
static bool check_event(struct tern_reader *r, const struct tern_script_event *event)
{
	bool out = event->kind == TERN_EVENT_PACKET && event->packet->out;

	if (!out && (event->time == TERN_TIME_ANY || event->time == TERN_TIME_ABSOLUTE_RANGE ||
		     event->time == TERN_TIME_RELATIVE_RANGE))
		return tern_reader_fail(r, event->text, "* and ranges are for packets out");
	return true;
}

static bool read_event(struct tern_reader *r, struct tern_script_event *event)
{
	const char *from = r->p;

	event->place = tern_reader_here(r);
	if (*r->p == '`') { /* at the end, without a time */
		event->time = TERN_TIME_RELATIVE;
	} else if (!(isdigit((unsigned char)*from) || strchr("+.*", *from))) {
		return tern_reader_expected(r, "an event, which begins with its time,");
	} else if (!read_time(r, event)) {
		return false;
	}
	if (!read_action(r, event) || !check_event(r, event))
		return false;
	event->length = (size_t)(r->p - event->text);
	return true;
}

static bool read_events(struct tern_reader *r, struct tern_script *script)
{
	struct tern_script_event **tail = &script->events, *event;
	int64_t last_us = 0;

	for (tern_reader_skip(r); r->p < r->end && !r->failed; tern_reader_skip(r)) {
		event = tern_reader_alloc(r, sizeof(*event));
		if (!event || !read_event(r, event))
			return false;
		if (event->time == TERN_TIME_ABSOLUTE) {
			if (event->at_us < last_us)
				return tern_reader_fail(r, event->text, "time goes back here");
			last_us = event->at_us;
		}
		*tail = event;
		tail = &event->next;
	}
	if (!r->failed && !script->events)
		return tern_reader_fail(r, r->p, "there is no event in this script");
	return !r->failed;
}

static bool read_script(struct tern_reader *r, struct tern_script *script)
{
	if (!tern_script_read_heads(r, &script->options))
		return false;
	if (tern_reader_peek(r, "`") && !tern_script_read_shell(r, &script->settings))
		return false;
	return read_events(r, script);
}

int tern_script_parse(const char *name, const char *text, size_t len,
		      const struct tern_script_define *defines, size_t define_count,
		      struct tern_script *ret_script, struct tern_script_error *ret_error)
{
	struct tern_reader r = { .arena = &ret_script->arena,
				 .name = name,
				 .error = ret_error,
				 .defines = defines,
				 .define_count = define_count,
				 .at = { 1, 1 } };

	memset(ret_script, 0, sizeof(*ret_script));
	memset(ret_error, 0, sizeof(*ret_error));
	ret_script->name = name;
	ret_script->options = (struct tern_script_options){ .bind_port = 8080,
							    .connect_port = 8080,
							    .mtu = 1500,
							    .tolerance_us = 4000,
							    .tolerance_percent = 1 };
	ret_script->text = tern_arena_copy(&ret_script->arena, text, len);
	if (!ret_script->text)
		return -ENOMEM;
	r.text = r.p = r.seen = ret_script->text;
	r.end = r.text + len;
	return read_script(&r, ret_script) ? 0 : -EINVAL;
}

void tern_script_free(struct tern_script *script)
{
	tern_arena_free(&script->arena);
	script->events = NULL;
}
