/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/json_read.h: a strict, small JSON reader for what comes over the control socket.
 *
 * It reads one value (RFC 8259) out of one line, token by token, without a tree and without memory
 * of its own. Everything is bounded: depth, length of keys and strings, range of numbers. Whatever
 * is not exactly JSON is refused: trailing commas, leading zeros, bytes that are no UTF-8, control
 * characters, anything behind the value. A string may not hold U+0000, so that every string that is
 * read is also a C string.
 */
#ifndef TERN_REPORT_JSON_READ_H
#define TERN_REPORT_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERN_JSON_READ_DEPTH  4   /* objects and arrays within each other */
#define TERN_JSON_READ_KEY    48  /* bytes of a key, with its NUL */
#define TERN_JSON_READ_STRING 512 /* bytes of a string, with its NUL */

enum tern_json_kind {
	TERN_JSON_OBJECT, /* one begins */
	TERN_JSON_ARRAY,
	TERN_JSON_END, /* what began last ends */
	TERN_JSON_STRING,
	TERN_JSON_NUMBER,
	TERN_JSON_BOOL,
	TERN_JSON_NULL,
};

struct tern_json_token {
	enum tern_json_kind kind;
	const char *parent; /* key of the object around it, "" if that is the outermost */
	const char *key;    /* "" in an array and at the top; valid until the next token */
	const char *str;    /* STRING: unescaped, ended by NUL; valid until the next token */
	size_t len;         /* of str */
	bool boolean;       /* BOOL */
	bool integer;       /* NUMBER: neither fraction nor exponent; only then number is set */
	bool negative;
	uint64_t number; /* its magnitude */
};

struct tern_json_reader {
	const char *start, *p, *end;
	uint32_t arrays; /* bit d: what is open at depth d + 1 is an array */
	uint8_t depth, depth_max;
	uint8_t expect;
	char keys[TERN_JSON_READ_DEPTH + 1][TERN_JSON_READ_KEY];
	char str[TERN_JSON_READ_STRING];
};

/* Begins to read len bytes at text; depth_max (1: a flat object) at most TERN_JSON_READ_DEPTH. */
void tern_json_reader_init(struct tern_json_reader *reader, const char *text, size_t len,
			   unsigned int depth_max);

/*
 * The next token. 1, or 0 when the value is complete and nothing follows it. -EINVAL (not JSON),
 * -E2BIG (too deep, or a key or string too long), -ERANGE (integer beyond 64 bits). After an error
 * reader->p is where it was met, and every further call gives -EINVAL.
 */
int tern_json_next(struct tern_json_reader *reader, struct tern_json_token *ret_token);

#endif
