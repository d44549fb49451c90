/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/json.c: writes JSON as it comes, without a tree.
 *
 * All there is to remember is what is open (one bit a level: object or array) and whether it holds
 * something already (one bit: the next value needs a comma). Escaped are the quote, the backslash
 * and what is below U+0020; bytes that are no UTF-8 are replaced, one U+FFFD each.
 */
#include "report/json.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "report/sink.h"
#include "report/utf8.h"

#define INDENT     4 /* blanks a level */
#define NUMBER_MAX 48

void tern_json_init(struct tern_json *json, struct tern_sink *out, bool indent)
{
	*json = (struct tern_json){ .out = out, .indent = indent };
}

static uint32_t level_bit(const struct tern_json *json)
{
	return 1u << (json->depth - 1);
}

static void line(struct tern_json *json)
{
	if (!json->indent)
		return;
	tern_sink_char(json->out, '\n');
	tern_sink_fill(json->out, ' ', (size_t)json->depth * INDENT);
}

static void quote_char(struct tern_sink *out, char c)
{
	static const char letters[] = "\b\f\n\r\t", escapes[] = "bfnrt";
	static const char hex[] = "0123456789abcdef";
	const char *letter = c ? strchr(letters, c) : NULL;

	if (c == '"' || c == '\\') {
		tern_sink_char(out, '\\');
		tern_sink_char(out, c);
	} else if (letter) {
		tern_sink_char(out, '\\');
		tern_sink_char(out, escapes[letter - letters]);
	} else {
		tern_sink_str(out, "\\u00");
		tern_sink_char(out, hex[(uint8_t)c >> 4]);
		tern_sink_char(out, hex[(uint8_t)c & 15]);
	}
}

static void quote(struct tern_sink *out, const char *s, size_t n)
{
	tern_sink_char(out, '"');
	while (n) {
		size_t length = tern_utf8_length(s, n);

		if (!length)
			tern_sink_str(out, "\\ufffd");
		else if (length == 1 && ((uint8_t)*s < 0x20 || *s == '"' || *s == '\\'))
			quote_char(out, *s);
		else
			tern_sink_strn(out, s, length);
		length += !length;
		s += length;
		n -= length;
	}
	tern_sink_char(out, '"');
}

/* What stands before a value: comma, line, key. */
static void before(struct tern_json *json, const char *key)
{
	if (!json->depth)
		return;
	if (json->filled & level_bit(json))
		tern_sink_char(json->out, ',');
	json->filled |= level_bit(json);
	line(json);
	if (json->arrays & level_bit(json))
		return;
	assert(key);
	quote(json->out, key, strlen(key));
	tern_sink_str(json->out, json->indent ? ": " : ":");
}

/* What stands behind one: a top-level value has its line to itself. */
static void after(struct tern_json *json)
{
	if (!json->depth)
		tern_sink_char(json->out, '\n');
}

static void open(struct tern_json *json, const char *key, bool array)
{
	before(json, key);
	assert(json->depth < TERN_JSON_DEPTH_MAX);
	tern_sink_char(json->out, array ? '[' : '{');
	json->depth++;
	json->filled &= ~level_bit(json);
	json->arrays &= ~level_bit(json);
	if (array)
		json->arrays |= level_bit(json);
}

void tern_json_object(struct tern_json *json, const char *key)
{
	open(json, key, false);
}

void tern_json_array(struct tern_json *json, const char *key)
{
	open(json, key, true);
}

void tern_json_end(struct tern_json *json)
{
	bool array, filled;

	assert(json->depth);
	array = json->arrays & level_bit(json);
	filled = json->filled & level_bit(json);
	json->depth--;
	if (filled)
		line(json);
	tern_sink_char(json->out, array ? ']' : '}');
	after(json);
}

static void word(struct tern_json *json, const char *key, const char *s)
{
	before(json, key);
	tern_sink_str(json->out, s);
	after(json);
}

void tern_json_strn(struct tern_json *json, const char *key, const char *s, size_t n)
{
	before(json, key);
	quote(json->out, s, n);
	after(json);
}

void tern_json_str(struct tern_json *json, const char *key, const char *s)
{
	if (s)
		tern_json_strn(json, key, s, strlen(s));
	else
		tern_json_null(json, key);
}

void tern_json_u64(struct tern_json *json, const char *key, uint64_t v)
{
	tern_json_fixed(json, key, v, 0);
}

void tern_json_fixed(struct tern_json *json, const char *key, uint64_t v, unsigned int decimals)
{
	char buf[NUMBER_MAX];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	tern_text_fixed(&text, v, decimals);
	word(json, key, buf);
}

void tern_json_bool(struct tern_json *json, const char *key, bool v)
{
	word(json, key, v ? "true" : "false");
}

void tern_json_null(struct tern_json *json, const char *key)
{
	word(json, key, "null");
}
