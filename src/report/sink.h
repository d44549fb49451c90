/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/sink.h: where reports are written to. Bytes in memory that grow as they come, up to a
 * limit.
 *
 * What does not fit is left out and `failed` is set; nothing is taken after that, so that a failed
 * sink holds a true beginning. The caller writes the bytes out whenever he likes and resets.
 */
#ifndef TERN_REPORT_SINK_H
#define TERN_REPORT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tern_mem;
struct tern_text;

struct tern_sink {
	char *buf;
	size_t len, cap, limit;
	struct tern_mem *mem; /* NULL: buf is the caller's and does not grow */
	bool failed;
};

/* Begins an empty sink that grows to at most limit bytes, charged to mem; 0 is no limit. */
void tern_sink_init(struct tern_sink *sink, struct tern_mem *mem, size_t limit);

/* Begins an empty sink in cap bytes at buf, which stay the caller's. */
void tern_sink_init_fixed(struct tern_sink *sink, char *buf, size_t cap);

/* Gives the memory back. A zeroed or freed sink is allowed. */
void tern_sink_free(struct tern_sink *sink);

/* Empties the sink and forgives a failure; the memory is kept for what comes next. */
void tern_sink_reset(struct tern_sink *sink);

/* Append one character, n of it, a string, n bytes, a decimal number, or what a text holds. */
void tern_sink_char(struct tern_sink *sink, char c);
void tern_sink_fill(struct tern_sink *sink, char c, size_t n);
void tern_sink_str(struct tern_sink *sink, const char *s);
void tern_sink_strn(struct tern_sink *sink, const char *s, size_t n);
void tern_sink_u64(struct tern_sink *sink, uint64_t v);
void tern_sink_text(struct tern_sink *sink, const struct tern_text *text);

/* Ends the line: blanks at its end go, a newline comes. */
void tern_sink_newline(struct tern_sink *sink);

#endif
