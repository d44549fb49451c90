/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/sink.c: a byte buffer that doubles.
 *
 * A table of 100,000 sockets is some 10 MB of text; doubling copies each byte about once. A sink
 * without an account (mem NULL) is a fixed buffer and fails when it is full, as a growing one does
 * at its limit or when memory ends. Failing sticks until the sink is reset.
 */
#include "report/sink.h"

#include <string.h>

#include "base/pool.h"
#include "base/text.h"

#define FIRST_CAP 4096

void tern_sink_init(struct tern_sink *sink, struct tern_mem *mem, size_t limit)
{
	*sink = (struct tern_sink){ .mem = mem, .limit = limit ? limit : SIZE_MAX / 4 };
}

void tern_sink_init_fixed(struct tern_sink *sink, char *buf, size_t cap)
{
	*sink = (struct tern_sink){ .buf = buf, .cap = cap, .limit = cap };
}

void tern_sink_free(struct tern_sink *sink)
{
	if (sink->mem && sink->buf)
		tern_mem_free(sink->mem, sink->buf, sink->cap);
	*sink = (struct tern_sink){ .limit = sink->limit, .mem = sink->mem };
}

void tern_sink_reset(struct tern_sink *sink)
{
	sink->len = 0;
	sink->failed = false;
}

/* Room for n more bytes; false (and failed) if there is none. */
static bool reserve(struct tern_sink *sink, size_t n)
{
	size_t cap = sink->cap ? sink->cap : FIRST_CAP;
	char *buf;

	if (sink->failed || n > sink->limit - sink->len) {
		sink->failed = true;
		return false;
	}
	if (n <= sink->cap - sink->len)
		return true;
	while (cap - sink->len < n)
		cap *= 2;
	if (cap > sink->limit)
		cap = sink->limit;
	buf = tern_mem_alloc(sink->mem, cap);
	if (!buf) {
		sink->failed = true;
		return false;
	}
	if (sink->len)
		memcpy(buf, sink->buf, sink->len);
	if (sink->buf)
		tern_mem_free(sink->mem, sink->buf, sink->cap);
	sink->buf = buf;
	sink->cap = cap;
	return true;
}

void tern_sink_strn(struct tern_sink *sink, const char *s, size_t n)
{
	if (!n || !reserve(sink, n))
		return;
	memcpy(sink->buf + sink->len, s, n);
	sink->len += n;
}

void tern_sink_char(struct tern_sink *sink, char c)
{
	tern_sink_strn(sink, &c, 1);
}

void tern_sink_fill(struct tern_sink *sink, char c, size_t n)
{
	if (!n || !reserve(sink, n))
		return;
	memset(sink->buf + sink->len, c, n);
	sink->len += n;
}

void tern_sink_str(struct tern_sink *sink, const char *s)
{
	tern_sink_strn(sink, s, strlen(s));
}

void tern_sink_text(struct tern_sink *sink, const struct tern_text *text)
{
	tern_sink_strn(sink, text->buf, text->len);
}

void tern_sink_u64(struct tern_sink *sink, uint64_t v)
{
	char digits[24];
	struct tern_text text;

	tern_text_init(&text, digits, sizeof(digits));
	tern_text_u64(&text, v);
	tern_sink_text(sink, &text);
}

void tern_sink_newline(struct tern_sink *sink)
{
	while (!sink->failed && sink->len && sink->buf[sink->len - 1] == ' ')
		sink->len--;
	tern_sink_char(sink, '\n');
}
