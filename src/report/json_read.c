/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/json_read.c: a pull reader, one state and a bit for each open object or array.
 *
 * `expect` says what may come next. The path to a value is kept in keys[depth]; a token carries its
 * own key and that of the object around it, which is all that flat records in groups need.
 * No recursion, no allocation; each byte is looked at once or twice.
 */
#include "report/json_read.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "report/utf8.h"

enum expect {
	VALUE,        /* a value and nothing else */
	FIRST_VALUE,  /* or the end of the array that began just now */
	KEY,          /* a key and nothing else */
	FIRST_KEY,    /* or the end of the object that began just now */
	COMMA_OR_END, /* after a value */
	NOTHING,      /* after the outermost value */
	BROKEN,       /* after an error */
};

void tern_json_reader_init(struct tern_json_reader *reader, const char *text, size_t len,
			   unsigned int depth_max)
{
	assert(depth_max <= TERN_JSON_READ_DEPTH);
	reader->start = text;
	reader->p = text;
	reader->end = text + len;
	reader->arrays = 0;
	reader->depth = 0;
	reader->depth_max = (uint8_t)depth_max;
	reader->expect = VALUE;
	memset(reader->keys, 0, sizeof(reader->keys));
	reader->str[0] = '\0';
}

static bool in_array(const struct tern_json_reader *r)
{
	return r->depth && (r->arrays >> (r->depth - 1)) & 1;
}

static void skip_blanks(struct tern_json_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

/* The byte at the cursor, or 0 at the end (a NUL in the text is refused like any stray byte). */
static char peek(const struct tern_json_reader *r)
{
	return r->p < r->end ? *r->p : '\0';
}

static bool take(struct tern_json_reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* Four hexadecimal digits. */
static int read_hex4(struct tern_json_reader *r, uint32_t *ret)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < 4; i++) {
		char c = peek(r);
		char low = (char)(c | 0x20);

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (uint32_t)(low - 'a' + 10);
		else
			return -EINVAL;
		r->p++;
	}
	*ret = v;
	return 0;
}

/* A code point behind \u, a pair of surrogates included. */
static int read_code(struct tern_json_reader *r, uint32_t *ret)
{
	uint32_t high, low;
	int err = read_hex4(r, &high);

	if (err)
		return err;
	if (high >= 0xdc00 && high <= 0xdfff)
		return -EINVAL;
	if (high >= 0xd800 && high <= 0xdbff) {
		if (!take(r, '\\') || !take(r, 'u') || read_hex4(r, &low))
			return -EINVAL;
		if (low < 0xdc00 || low > 0xdfff)
			return -EINVAL;
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	*ret = high;
	return high ? 0 : -EINVAL;
}

/* What follows a backslash; writes 1 to 4 bytes to out. */
static int read_escape(struct tern_json_reader *r, char out[4], size_t *ret_len)
{
	static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	char c = peek(r);
	const char *letter = c ? strchr(letters, c) : NULL;
	uint32_t code;
	int err;

	if (letter) {
		r->p++;
		out[0] = values[letter - letters];
		*ret_len = 1;
		return 0;
	}
	if (!take(r, 'u'))
		return -EINVAL;
	err = read_code(r, &code);
	if (!err)
		*ret_len = tern_utf8_encode(code, out);
	return err;
}

/* A string, its opening quote at the cursor, into cap bytes. */
static int read_string(struct tern_json_reader *r, char *buf, size_t cap, size_t *ret_len)
{
	size_t len = 0;

	if (!take(r, '"'))
		return -EINVAL;
	while (!take(r, '"')) {
		char escaped[4];
		const char *from = r->p;
		size_t n = tern_utf8_length(r->p, (size_t)(r->end - r->p));

		if (!n || (uint8_t)*r->p < 0x20)
			return -EINVAL;
		r->p += n;
		if (*from == '\\') {
			int err = read_escape(r, escaped, &n);

			if (err)
				return err;
			from = escaped;
		}
		if (n >= cap - len)
			return -E2BIG;
		memcpy(buf + len, from, n);
		len += n;
	}
	buf[len] = '\0';
	*ret_len = len;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int skip_digits(struct tern_json_reader *r)
{
	if (!is_digit(peek(r)))
		return -EINVAL;
	while (is_digit(peek(r)))
		r->p++;
	return 0;
}

/* The part of a number behind the integer: fraction and exponent. */
static int skip_fraction(struct tern_json_reader *r, bool *ret_integer)
{
	int err = 0;

	if (take(r, '.')) {
		*ret_integer = false;
		err = skip_digits(r);
	}
	if (!err && (take(r, 'e') || take(r, 'E'))) {
		*ret_integer = false;
		if (!take(r, '+'))
			take(r, '-');
		err = skip_digits(r);
	}
	return err;
}

static int read_number(struct tern_json_reader *r, struct tern_json_token *token)
{
	const char *digits;
	uint64_t v = 0;
	bool over = false;
	int err;

	token->kind = TERN_JSON_NUMBER;
	token->integer = true;
	token->negative = take(r, '-');
	digits = r->p;
	if (skip_digits(r) || (*digits == '0' && r->p - digits > 1))
		return -EINVAL;
	for (const char *p = digits; p < r->p; p++) {
		over = over || v > (UINT64_MAX - (uint64_t)(*p - '0')) / 10;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	err = skip_fraction(r, &token->integer);
	if (err)
		return err;
	if (over && token->integer)
		return -ERANGE;
	token->number = token->integer ? v : 0;
	return 0;
}

static int read_word(struct tern_json_reader *r, struct tern_json_token *token)
{
	static const struct {
		const char *word;
		size_t len;
		enum tern_json_kind kind;
	} words[] = {
		{ "true", 4, TERN_JSON_BOOL },
		{ "false", 5, TERN_JSON_BOOL },
		{ "null", 4, TERN_JSON_NULL },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((size_t)(r->end - r->p) < words[i].len ||
		    memcmp(r->p, words[i].word, words[i].len) != 0)
			continue;
		r->p += words[i].len;
		token->kind = words[i].kind;
		token->boolean = words[i].word[0] == 't';
		return 0;
	}
	return -EINVAL;
}

static int open_value(struct tern_json_reader *r, struct tern_json_token *token, bool array)
{
	if (r->depth == r->depth_max)
		return -E2BIG;
	r->p++;
	token->kind = array ? TERN_JSON_ARRAY : TERN_JSON_OBJECT;
	r->arrays &= ~(1u << r->depth);
	r->arrays |= (uint32_t)array << r->depth;
	r->depth++;
	r->keys[r->depth][0] = '\0';
	r->expect = array ? FIRST_VALUE : FIRST_KEY;
	return 0;
}

static int close_value(struct tern_json_reader *r, struct tern_json_token *token)
{
	if (!take(r, in_array(r) ? ']' : '}'))
		return -EINVAL;
	r->depth--;
	r->expect = r->depth ? COMMA_OR_END : NOTHING;
	token->kind = TERN_JSON_END;
	return 0;
}

static int read_value(struct tern_json_reader *r, struct tern_json_token *token)
{
	char c = peek(r);
	int err;

	if (c == '{' || c == '[')
		return open_value(r, token, c == '[');
	if (c == '"') {
		token->kind = TERN_JSON_STRING;
		token->str = r->str;
		err = read_string(r, r->str, sizeof(r->str), &token->len);
	} else if (c == '-' || is_digit(c)) {
		err = read_number(r, token);
	} else {
		err = read_word(r, token);
	}
	r->expect = r->depth ? COMMA_OR_END : NOTHING;
	return err;
}

/* A key and the colon behind it. */
static int read_key(struct tern_json_reader *r)
{
	size_t len;
	int err = read_string(r, r->keys[r->depth], TERN_JSON_READ_KEY, &len);

	if (err)
		return err;
	skip_blanks(r);
	r->expect = VALUE;
	return take(r, ':') ? 0 : -EINVAL;
}

/* One step: a token (1), or something between two tokens was passed over (0). */
static int step(struct tern_json_reader *r, struct tern_json_token *token)
{
	int err;

	switch ((enum expect)r->expect) {
	case COMMA_OR_END:
		if (take(r, ',')) {
			r->expect = in_array(r) ? VALUE : KEY;
			return 0;
		}
		err = close_value(r, token);
		break;
	case FIRST_KEY:
	case KEY:
		if (r->expect == FIRST_KEY && peek(r) == '}') {
			err = close_value(r, token);
			break;
		}
		return read_key(r);
	case FIRST_VALUE:
		if (peek(r) == ']') {
			err = close_value(r, token);
			break;
		}
		err = read_value(r, token);
		break;
	case VALUE:
		err = read_value(r, token);
		break;
	default:
		err = -EINVAL;
	}
	return err ? err : 1;
}

int tern_json_next(struct tern_json_reader *reader, struct tern_json_token *ret_token)
{
	struct tern_json_token token = { .str = "" };
	/* Seen from the value: an object that opens or closes belongs to the level around it. */
	int got = 0;

	do {
		skip_blanks(reader);
		if (reader->expect == NOTHING && reader->p == reader->end)
			return 0;
		got = step(reader, &token);
	} while (got == 0);
	if (got < 0) {
		reader->expect = BROKEN;
		return got;
	}
	token.key = reader->keys[reader->depth];
	token.parent = reader->depth ? reader->keys[reader->depth - 1] : "";
	if (token.kind == TERN_JSON_OBJECT || token.kind == TERN_JSON_ARRAY) {
		token.key = token.parent;
		token.parent = reader->depth > 1 ? reader->keys[reader->depth - 2] : "";
	}
	*ret_token = token;
	return 1;
}
