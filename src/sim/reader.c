/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/reader.c: the text of a script under a cursor.
 *
 * The dialect's tokens depend on where they stand ("F." is flags, "0...0.1" two times, "FO 12ab" a
 * cookie), so there is no list of tokens: each parser asks for what it can use, character by
 * character. Comments are //, # where a line begins, and those of C.
 */
#include "sim/reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 40 };

struct tern_script_place tern_reader_place(struct tern_reader *r, const char *p)
{
	if (p < r->seen) {
		r->seen = r->text;
		r->at = (struct tern_script_place){ 1, 1 };
	}
	for (; r->seen < p; r->seen++) {
		if (*r->seen == '\n') {
			r->at.line++;
			r->at.column = 1;
		} else {
			r->at.column++;
		}
	}
	return r->at;
}

struct tern_script_place tern_reader_here(struct tern_reader *r)
{
	return tern_reader_place(r, r->p);
}

/* The line around p, for the message. */
static void copy_line(const struct tern_reader *r, const char *p, char *to, size_t cap)
{
	const char *from = p, *until = p;
	size_t n;

	while (from > r->text && from[-1] != '\n')
		from--;
	while (until < r->end && *until != '\n')
		until++;
	n = TERN_MIN((size_t)(until - from), cap - 1);
	for (size_t i = 0; i < n; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : ' ';
	to[n] = '\0';
}

bool tern_reader_fail(struct tern_reader *r, const char *p, const char *format, ...)
{
	va_list list;

	if (r->failed)
		return false;
	r->failed = true;
	r->error->place = tern_reader_place(r, p);
	va_start(list, format);
	(void)vsnprintf(r->error->message, sizeof(r->error->message), format, list);
	va_end(list);
	/* It quotes the script, and what a script holds is nothing for a terminal to obey. */
	for (char *at = r->error->message; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = ' ';
	copy_line(r, p, r->error->line, sizeof(r->error->line));
	return false;
}

bool tern_reader_expected(struct tern_reader *r, const char *what)
{
	const char *until;

	tern_reader_skip_blanks(r);
	until = r->p;
	while (until < r->end && *until != '\n' && until - r->p < SHOWN_MAX)
		until++;
	if (until == r->p)
		return tern_reader_fail(r, r->p, "%s expected, not the end of the line", what);
	return tern_reader_fail(r, r->p, "%s expected, not '%.*s'", what, (int)(until - r->p),
				r->p);
}

void tern_reader_skip_blanks(struct tern_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

static bool starts(const struct tern_reader *r, const char *token)
{
	size_t len = strlen(token);

	return (size_t)(r->end - r->p) >= len && memcmp(r->p, token, len) == 0;
}

/* Is the cursor the first in its line that is no blank? */
static bool begins_line(const struct tern_reader *r)
{
	const char *p = r->p;

	while (p > r->text && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == r->text || p[-1] == '\n';
}

static void skip_line(struct tern_reader *r)
{
	while (r->p < r->end && *r->p != '\n')
		r->p++;
}

void tern_reader_skip(struct tern_reader *r)
{
	while (r->p < r->end && !r->failed) {
		if (isspace((unsigned char)*r->p)) {
			r->p++;
		} else if (starts(r, "//") || (*r->p == '#' && begins_line(r))) {
			skip_line(r);
		} else if (starts(r, "/*")) {
			const char *begin = r->p;

			for (r->p += 2; r->p < r->end && !starts(r, "*/");)
				r->p++;
			if (r->p == r->end)
				(void)tern_reader_fail(r, begin, "this comment does not end");
			else
				r->p += 2;
		} else {
			return;
		}
	}
}

bool tern_reader_peek(struct tern_reader *r, const char *token)
{
	if (r->failed)
		return false;
	tern_reader_skip_blanks(r);
	return starts(r, token);
}

bool tern_reader_take(struct tern_reader *r, const char *token)
{
	if (!tern_reader_peek(r, token))
		return false;
	r->p += strlen(token);
	return true;
}

bool tern_reader_want(struct tern_reader *r, const char *token)
{
	char what[16];

	if (tern_reader_take(r, token))
		return true;
	(void)snprintf(what, sizeof(what), "'%s'", token);
	return tern_reader_expected(r, what);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

bool tern_reader_at_word(struct tern_reader *r)
{
	if (r->failed)
		return false;
	tern_reader_skip_blanks(r);
	return r->p < r->end && is_word(*r->p) && !isdigit((unsigned char)*r->p);
}

size_t tern_reader_word(struct tern_reader *r, const char **ret)
{
	const char *from;

	if (!tern_reader_at_word(r))
		return 0;
	from = r->p;
	while (r->p < r->end && is_word(*r->p))
		r->p++;
	*ret = from;
	return (size_t)(r->p - from);
}

bool tern_reader_take_word(struct tern_reader *r, const char *word)
{
	size_t len = strlen(word);

	if (!tern_reader_peek(r, word) || ((size_t)(r->end - r->p) > len && is_word(r->p[len])))
		return false;
	r->p += len;
	return true;
}

bool tern_reader_at_number(struct tern_reader *r)
{
	if (r->failed)
		return false;
	tern_reader_skip_blanks(r);
	if (r->p < r->end && isdigit((unsigned char)*r->p))
		return true;
	return r->end - r->p > 1 && *r->p == '-' && isdigit((unsigned char)r->p[1]);
}

static int digit_of(char c, int base)
{
	int d = -1;

	if (isdigit((unsigned char)c))
		d = c - '0';
	else if (isxdigit((unsigned char)c))
		d = tolower((unsigned char)c) - 'a' + 10;
	return d < base ? d : -1;
}

bool tern_reader_number(struct tern_reader *r, int64_t min, int64_t max, int64_t *ret)
{
	const char *from;
	bool negative = false;
	uint64_t n = 0;
	int base = 10, d;

	if (!tern_reader_at_number(r))
		return tern_reader_expected(r, "a number");
	from = r->p;
	if (*r->p == '-') {
		negative = true;
		r->p++;
	}
	if (starts(r, "0x") || starts(r, "0X")) {
		base = 16;
		r->p += 2;
	}
	for (; r->p < r->end && (d = digit_of(*r->p, base)) >= 0; r->p++) {
		if (n > ((uint64_t)INT64_MAX - (uint64_t)d) / (uint64_t)base)
			return tern_reader_fail(r, from, "this number is too large");
		n = n * (uint64_t)base + (uint64_t)d;
	}
	*ret = negative ? -(int64_t)n : (int64_t)n;
	if (*ret < min || *ret > max)
		return tern_reader_fail(r, from, "%.*s is not between %lld and %lld",
					(int)(r->p - from), from, (long long)min, (long long)max);
	return true;
}

bool tern_reader_u32(struct tern_reader *r, uint32_t *ret)
{
	int64_t n;

	if (!tern_reader_number(r, 0, UINT32_MAX, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

bool tern_reader_time(struct tern_reader *r, int64_t *ret_us)
{
	const int64_t second = 1000000;
	const char *from;
	int64_t whole = 0, part = 0, scale = second;

	tern_reader_skip_blanks(r);
	from = r->p;
	for (; r->p < r->end && isdigit((unsigned char)*r->p); r->p++) {
		if (whole > INT32_MAX)
			return tern_reader_fail(r, from, "this time is too far away");
		whole = whole * 10 + (*r->p - '0');
	}
	/* Not the dots of "0...0.1". */
	if (r->p < r->end && *r->p == '.' && !starts(r, "..")) {
		for (r->p++; r->p < r->end && isdigit((unsigned char)*r->p); r->p++) {
			scale /= 10;
			part += scale * (*r->p - '0');
		}
	}
	if (r->p == from || (r->p == from + 1 && *from == '.')) {
		r->p = from;
		return tern_reader_expected(r, "a time in seconds");
	}
	*ret_us = whole * second + part;
	return true;
}

const char *tern_reader_define(const struct tern_reader *r, const char *word, size_t len)
{
	for (size_t i = 0; i < r->define_count; i++)
		if (strlen(r->defines[i].name) == len && memcmp(r->defines[i].name, word, len) == 0)
			return r->defines[i].value;
	return NULL;
}

void *tern_reader_alloc(struct tern_reader *r, size_t size)
{
	void *p = tern_arena_alloc(r->arena, size);

	if (!p)
		(void)tern_reader_fail(r, r->p, "no memory");
	return p;
}
