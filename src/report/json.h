/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/json.h: a streaming JSON writer (RFC 8259).
 *
 * Every value takes the key it has in the object around it, NULL in an array and at the top.
 * Compact output is one line per top-level value (JSON lines); indented output has tabs of four
 * blanks. Strings may hold any bytes: what is not UTF-8 becomes U+FFFD, so output is always valid.
 */
#ifndef TERN_REPORT_JSON_H
#define TERN_REPORT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tern_sink;

#define TERN_JSON_DEPTH_MAX 16

struct tern_json {
	struct tern_sink *out;
	uint32_t arrays; /* bit d: what is open at depth d + 1 is an array */
	uint32_t filled; /* bit d: and has a value already */
	uint8_t depth;
	bool indent;
};

/* Begins to write to out; indent makes it readable. */
void tern_json_init(struct tern_json *json, struct tern_sink *out, bool indent);

/* Opens an object or an array; at most TERN_JSON_DEPTH_MAX may be open. */
void tern_json_object(struct tern_json *json, const char *key);
void tern_json_array(struct tern_json *json, const char *key);

/* Closes what was opened last. */
void tern_json_end(struct tern_json *json);

/* Values. A fixed value is v / 10^decimals. NULL as a string is null. */
void tern_json_str(struct tern_json *json, const char *key, const char *s);
void tern_json_strn(struct tern_json *json, const char *key, const char *s, size_t n);
void tern_json_u64(struct tern_json *json, const char *key, uint64_t v);
void tern_json_fixed(struct tern_json *json, const char *key, uint64_t v, unsigned int decimals);
void tern_json_bool(struct tern_json *json, const char *key, bool v);
void tern_json_null(struct tern_json *json, const char *key);

#endif
