/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/reader.h: the text of a script under a cursor, and what its parsers share. Private to them.
 *
 * The first thing that is wrong is remembered with its place; from then on every function does
 * nothing and says so, so a parser may go on until it next looks at `failed`.
 */
#ifndef TERN_SIM_READER_H
#define TERN_SIM_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/script.h"

struct tern_reader {
	struct tern_arena *arena;
	const char *name; /* of the file */
	const char *text, *p, *end;
	const char *seen;            /* up to here lines are counted */
	struct tern_script_place at; /* of seen */
	bool failed;
	struct tern_script_error *error;
	const struct tern_script_define *defines;
	size_t define_count;
	enum tern_script_version version;
	unsigned int depth; /* of files that name files */
};

/* Where the character at p, or the cursor, stands. */
struct tern_script_place tern_reader_place(struct tern_reader *r, const char *p);
struct tern_script_place tern_reader_here(struct tern_reader *r);

/* Notes what is wrong with the text at p. Always false. */
bool tern_reader_fail(struct tern_reader *r, const char *p, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, "... , not 'what stands at the cursor'". */
bool tern_reader_expected(struct tern_reader *r, const char *what);

/* Passes blanks, newlines and comments; without lines: only blanks within the line. */
void tern_reader_skip(struct tern_reader *r);
void tern_reader_skip_blanks(struct tern_reader *r);

/* Blanks, then: is it next? `take` passes it, `want` fails where it is not. */
bool tern_reader_peek(struct tern_reader *r, const char *token);
bool tern_reader_take(struct tern_reader *r, const char *token);
bool tern_reader_want(struct tern_reader *r, const char *token);

/* Is a word (letters, digits, _; begins with a letter) next? word: passes it; its length or 0. */
bool tern_reader_at_word(struct tern_reader *r);
size_t tern_reader_word(struct tern_reader *r, const char **ret);
bool tern_reader_take_word(struct tern_reader *r, const char *word);

/* Is the cursor at a digit, or a sign before one? */
bool tern_reader_at_number(struct tern_reader *r);

/* A number, decimal, 0x or octal, with sign, in a range; false where there is none. */
bool tern_reader_number(struct tern_reader *r, int64_t min, int64_t max, int64_t *ret);
bool tern_reader_u32(struct tern_reader *r, uint32_t *ret);

/* A time in seconds, as microseconds: 1, .1, 0.000001. */
bool tern_reader_time(struct tern_reader *r, int64_t *ret_us);

/* What -D says of a word, or NULL. */
const char *tern_reader_define(const struct tern_reader *r, const char *word, size_t len);

/* Memory; fails where there is none. */
void *tern_reader_alloc(struct tern_reader *r, size_t size);

/* ---- the parsers, each in a file of its own ---- */

/* < or > and what follows; the cursor is at it. */
bool tern_script_read_packet(struct tern_reader *r, struct tern_script_packet *packet);

/* Between < and >, both included. */
bool tern_script_read_options(struct tern_reader *r, struct tern_script_packet *packet);

/* "icmp ..." of a packet whose direction is read. quote: [...] before or behind it. */
bool tern_script_read_icmp(struct tern_reader *r, struct tern_script_packet *packet);
bool tern_script_read_quote(struct tern_reader *r, struct tern_script_packet *packet);

/* NAME(ARGUMENTS) = RESULT. */
bool tern_script_read_call(struct tern_reader *r, struct tern_script_call *call);

/* %{ ... }% and `...`; the cursor is at them. */
bool tern_script_read_check(struct tern_reader *r, struct tern_script_assert **ret);
bool tern_script_read_shell(struct tern_reader *r, struct tern_script_setting **ret);

/* The lines of a shell script between p and the reader's end. */
bool tern_script_read_commands(struct tern_reader *r, struct tern_script_setting ***tail);

/* "--name=value" lines. */
bool tern_script_read_heads(struct tern_reader *r, struct tern_script_options *options);

#endif
