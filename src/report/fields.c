/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/fields.c: walks a field table to write a struct as JSON, or to fill one from JSON.
 *
 * A table has at most 128 rows: which keys were seen is a set of bits, so that a key that comes
 * twice is refused instead of the last one winning. Reading looks rows up from behind the last hit:
 * in the order in which we write, each key is found at once.
 */
#include "report/fields.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"
#include "report/json.h"
#include "report/json_read.h"

#define ROWS_MAX  128
#define NAMED_MAX 256 /* values that may have a name */
#define LIST_MAX  128 /* text of all bits of a member */

/* Members of any width, as numbers. */
static uint64_t load(const void *at, size_t size)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (size) {
	case sizeof(u8):
		memcpy(&u8, at, size);
		return u8;
	case sizeof(u16):
		memcpy(&u16, at, size);
		return u16;
	case sizeof(u32):
		memcpy(&u32, at, size);
		return u32;
	default:
		assert(size == sizeof(u64));
		memcpy(&u64, at, size);
		return u64;
	}
}

static int store(void *at, size_t size, uint64_t v)
{
	uint8_t u8 = (uint8_t)v;
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;

	if (size < sizeof(v) && v >> (8 * size))
		return -ERANGE;
	switch (size) {
	case sizeof(u8):
		memcpy(at, &u8, size);
		break;
	case sizeof(u16):
		memcpy(at, &u16, size);
		break;
	case sizeof(u32):
		memcpy(at, &u32, size);
		break;
	default:
		assert(size == sizeof(v));
		memcpy(at, &v, size);
	}
	return 0;
}

static void write_bits(struct tern_json *json, const struct tern_field *row, uint64_t bits)
{
	char buf[LIST_MAX];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	for (unsigned int i = 0; i < 8u * row->size; i++) {
		const char *name = bits >> i & 1 ? row->name(i) : NULL;

		if (!name)
			continue;
		if (text.len && row->kind == TERN_FIELD_BITS)
			tern_text_char(&text, ',');
		tern_text_str(&text, name);
	}
	tern_json_strn(json, row->key, buf, text.len);
}

static void write_addr(struct tern_json *json, const char *key, const struct tern_addr *addr)
{
	char buf[TERN_TEXT_ADDR_MAX];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	tern_text_addr(&text, addr);
	tern_json_str(json, key, addr->family ? buf : NULL);
}

static void write_string(struct tern_json *json, const char *key, const void *at)
{
	const char *s;

	memcpy(&s, at, sizeof(s));
	tern_json_str(json, key, s);
}

static void write_hex(struct tern_json *json, const char *key, uint64_t v)
{
	char buf[24];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	tern_text_hex(&text, v, 1);
	tern_json_str(json, key, buf);
}

static void write_field(struct tern_json *json, const struct tern_field *row, const uint8_t *at)
{
	struct tern_addr addr;

	switch (row->kind) {
	case TERN_FIELD_INT:
		tern_json_u64(json, row->key, load(at, row->size));
		break;
	case TERN_FIELD_BOOL:
		tern_json_bool(json, row->key, *at);
		break;
	case TERN_FIELD_HEX:
		write_hex(json, row->key, load(at, row->size));
		break;
	case TERN_FIELD_STRING:
		write_string(json, row->key, at);
		break;
	case TERN_FIELD_CHARS:
		tern_json_str(json, row->key, (const char *)at);
		break;
	case TERN_FIELD_ADDR:
		memcpy(&addr, at, sizeof(addr));
		write_addr(json, row->key, &addr);
		break;
	case TERN_FIELD_NAMED:
		tern_json_str(json, row->key, row->name((unsigned int)load(at, row->size)));
		break;
	default:
		write_bits(json, row, load(at, row->size));
	}
}

void tern_fields_write_members(struct tern_json *json, const struct tern_fields *fields,
			       const void *base)
{
	const uint8_t *bytes = base;
	const char *group = NULL;
	uint8_t has = fields->has_at < fields->size ? bytes[fields->has_at] : 0;

	for (size_t i = 0; i < fields->count; i++) {
		const struct tern_field *row = &fields->rows[i];
		bool same_group = group && row->group && strcmp(group, row->group) == 0;

		if (row->when && !(has & row->when))
			continue;
		if (group && !same_group)
			tern_json_end(json);
		if (row->group && !same_group)
			tern_json_object(json, row->group);
		group = row->group;
		write_field(json, row, bytes + row->offset);
	}
	if (group)
		tern_json_end(json);
}

void tern_fields_write(struct tern_json *json, const char *key, const struct tern_fields *fields,
		       const void *base)
{
	tern_json_object(json, key);
	tern_fields_write_members(json, fields, base);
	tern_json_end(json);
}

/* The value that has this name. */
static int named_value(const struct tern_field *row, const char *name, uint64_t *ret)
{
	for (unsigned int i = 0; i < NAMED_MAX; i++) {
		const char *known = row->name(i);

		if (known && strcmp(known, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The bit whose name begins s, a comma or the end behind it (BITS), or anything (LETTERS). */
static int find_bit(const struct tern_field *row, const char *s, size_t *ret_len)
{
	for (unsigned int i = 0; i < 8u * row->size; i++) {
		const char *name = row->name(i);
		size_t len = name ? strlen(name) : 0;

		if (!len || strncmp(s, name, len) != 0)
			continue;
		if (row->kind == TERN_FIELD_BITS && s[len] && s[len] != ',')
			continue;
		*ret_len = len;
		return (int)i;
	}
	return -EINVAL;
}

static int read_bits(const struct tern_field *row, const char *s, uint64_t *ret)
{
	uint64_t bits = 0;
	size_t len;

	while (*s) {
		int bit = find_bit(row, s, &len);

		if (bit < 0 || bits >> bit & 1)
			return -EINVAL;
		bits |= UINT64_C(1) << bit;
		s += len;
		if (row->kind == TERN_FIELD_BITS && *s == ',' && !*++s)
			return -EINVAL;
	}
	*ret = bits;
	return 0;
}

static int read_hex(const char *s, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t v = 0;

	if (!*s || strlen(s) > 16)
		return -EINVAL;
	for (; *s; s++) {
		const char *digit = strchr(digits, *s);

		if (!digit)
			return -EINVAL;
		v = v << 4 | (uint64_t)(digit - digits);
	}
	*ret = v;
	return 0;
}

/* Keeps a string behind those that are kept already. */
static int read_string(const char *s, struct tern_text *strings, void *at)
{
	const char *kept;

	if (!strings)
		return -ENOSPC;
	kept = strings->buf + strings->len;
	tern_text_str(strings, s);
	tern_text_char(strings, '\0');
	if (strings->cut)
		return -ENOSPC;
	memcpy(at, &kept, sizeof(kept));
	return 0;
}

/* A member whose JSON form is a string. */
static int read_str_field(const struct tern_field *row, const struct tern_json_token *token,
			  struct tern_text *strings, uint8_t *at)
{
	struct tern_addr addr = { 0 };
	uint64_t v = 0;
	int err;

	if (token->kind != TERN_JSON_STRING)
		return -EINVAL;
	switch (row->kind) {
	case TERN_FIELD_STRING:
		return read_string(token->str, strings, at);
	case TERN_FIELD_CHARS:
		if (token->len >= row->size)
			return -E2BIG;
		memcpy(at, token->str, token->len + 1);
		return 0;
	case TERN_FIELD_ADDR:
		err = tern_addr_parse(token->str, &addr);
		if (!err)
			memcpy(at, &addr, sizeof(addr));
		return err;
	case TERN_FIELD_HEX:
		err = read_hex(token->str, &v);
		break;
	case TERN_FIELD_NAMED:
		err = named_value(row, token->str, &v);
		break;
	default:
		err = read_bits(row, token->str, &v);
	}
	return err ? err : store(at, row->size, v);
}

static int read_field(const struct tern_field *row, const struct tern_json_token *token,
		      struct tern_text *strings, uint8_t *at)
{
	bool yes = token->boolean;

	if (row->kind == TERN_FIELD_INT) {
		if (token->kind != TERN_JSON_NUMBER || !token->integer || token->negative)
			return -EINVAL;
		return store(at, row->size, token->number);
	}
	if (row->kind == TERN_FIELD_BOOL) {
		if (token->kind != TERN_JSON_BOOL)
			return -EINVAL;
		memcpy(at, &yes, sizeof(yes));
		return 0;
	}
	if (token->kind == TERN_JSON_NULL &&
	    (row->kind == TERN_FIELD_STRING || row->kind == TERN_FIELD_ADDR ||
	     row->kind == TERN_FIELD_NAMED))
		return 0;
	return read_str_field(row, token, strings, at);
}

/* The row of a key, looked for from row `from` on and round; the count of rows if there is none. */
static size_t find_row(const struct tern_fields *fields, const char *group, const char *key,
		       size_t from)
{
	for (size_t i = 0; i < fields->count; i++) {
		size_t at = (from + i) % fields->count;
		const struct tern_field *row = &fields->rows[at];

		if (strcmp(row->key, key) == 0 && strcmp(row->group ? row->group : "", group) == 0)
			return at;
	}
	return fields->count;
}

/* Is it one of the groups of the table? */
static bool is_group(const struct tern_fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (fields->rows[i].group && strcmp(fields->rows[i].group, key) == 0)
			return true;
	}
	return false;
}

/* What a reader of one object remembers between tokens. */
struct progress {
	uint64_t seen[ROWS_MAX / 64];
	size_t next;          /* row that comes next if the order is ours */
	unsigned int in;      /* depth of the object we are in */
	unsigned int unknown; /* depth within a value that nobody knows, 0 outside */
};

static int read_scalar(const struct tern_fields *fields, struct progress *progress, bool lenient,
		       const struct tern_json_token *token, struct tern_text *strings,
		       uint8_t *bytes)
{
	const char *group = progress->in > 1 ? token->parent : "";
	size_t at = find_row(fields, group, token->key, progress->next);
	int err;

	if (at == fields->count)
		return lenient ? 0 : -EINVAL;
	if (progress->seen[at / 64] >> (at % 64) & 1)
		return -EINVAL;
	progress->seen[at / 64] |= UINT64_C(1) << (at % 64);
	progress->next = at + 1;
	err = read_field(&fields->rows[at], token, strings, bytes + fields->rows[at].offset);
	if (!err && fields->has_at < fields->size)
		bytes[fields->has_at] |= fields->rows[at].when;
	return err;
}

static int open_group(const struct tern_fields *fields, struct progress *progress, bool lenient,
		      const struct tern_json_token *token)
{
	bool known = token->kind == TERN_JSON_OBJECT &&
		     (progress->in == 0 || (progress->in == 1 && is_group(fields, token->key)));

	if (progress->unknown || (!known && lenient && progress->in))
		progress->unknown++;
	else if (known)
		progress->in++;
	else
		return -EINVAL;
	return 0;
}

static int read_token(const struct tern_fields *fields, struct progress *progress, bool lenient,
		      const struct tern_json_token *token, struct tern_text *strings,
		      uint8_t *bytes)
{
	switch (token->kind) {
	case TERN_JSON_OBJECT:
	case TERN_JSON_ARRAY:
		return open_group(fields, progress, lenient, token);
	case TERN_JSON_END:
		if (progress->unknown)
			progress->unknown--;
		else
			progress->in--;
		return 0;
	default:
		if (progress->unknown)
			return 0;
		if (!progress->in)
			return -EINVAL;
		return read_scalar(fields, progress, lenient, token, strings, bytes);
	}
}

int tern_fields_read(const struct tern_fields *fields, const char *text, size_t len, bool lenient,
		     struct tern_text *strings, void *ret_base)
{
	struct tern_json_reader reader;
	struct tern_json_token token;
	struct progress progress = { .in = 0 };
	int got;

	assert(fields->count && fields->count <= ROWS_MAX);
	memset(ret_base, 0, fields->size);
	tern_json_reader_init(&reader, text, len, TERN_JSON_READ_DEPTH);
	while ((got = tern_json_next(&reader, &token)) > 0) {
		int err = read_token(fields, &progress, lenient, &token, strings, ret_base);

		if (err)
			return err;
	}
	return got;
}
