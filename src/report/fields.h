/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/fields.h: plain structs to JSON objects and back, by a table.
 *
 * A table names each member once: its key, the group (a nested object) it stands in, its kind and
 * its place. One walk of the table writes, another reads, so the two cannot disagree.
 */
#ifndef TERN_REPORT_FIELDS_H
#define TERN_REPORT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tern_json;
struct tern_text;

enum tern_field_kind {
	TERN_FIELD_INT,    /* unsigned integer of 1, 2, 4 or 8 bytes: a number */
	TERN_FIELD_BOOL,   /* bool: true or false */
	TERN_FIELD_HEX,    /* uint64_t identifier: a string of hexadecimal digits */
	TERN_FIELD_STRING, /* const char *: a string, or null */
	TERN_FIELD_CHARS,  /* char array: a string that fits with its NUL */
	TERN_FIELD_ADDR,   /* struct tern_addr: its text, null for none */
	TERN_FIELD_NAMED,  /* unsigned integer: its name by `name`, null where it has none */
	TERN_FIELD_BITS,   /* unsigned integer: the names of its bits, "," between */
	TERN_FIELD_LETTERS /* the same without commas: tcpdump's flags */
};

struct tern_field {
	const char *group; /* NULL: the outermost object; members of a group stand together */
	const char *key;
	enum tern_field_kind kind;
	uint16_t offset, size;
	uint8_t when;                        /* written only if `has` holds this bit; 0: always */
	const char *(*name)(unsigned int i); /* NAMED: of a value; BITS, LETTERS: of bit i */
};

struct tern_fields {
	const struct tern_field *rows;
	size_t count;
	size_t size;   /* of the struct */
	size_t has_at; /* offset of its uint8_t `has`, SIZE_MAX if there is none */
};

/* A row for member of struct type. */
#define TERN_FIELD(type, kind, group, key, member, when, name)                \
	{                                                                     \
		group, key, TERN_FIELD_##kind, offsetof(struct type, member), \
			sizeof(((struct type *)0)->member), when, name        \
	}

/* Writes the struct at base as one object under key. */
void tern_fields_write(struct tern_json *json, const char *key, const struct tern_fields *fields,
		       const void *base);

/* The same into an object that is open already, and stays so. */
void tern_fields_write_members(struct tern_json *json, const struct tern_fields *fields,
			       const void *base);

/*
 * Reads one object of len bytes at text into the struct at ret_base, which is zeroed first; members
 * that are not there stay zero, and `has` collects the bits of those that are. Unknown keys are
 * passed over if `lenient` (a newer writer), else refused. Strings are kept in strings, which may
 * be NULL where no member needs it. 0; -EINVAL (not JSON, a value of the wrong kind, a name or an
 * address that is none, a key twice, an unknown key), -ERANGE (a number too large for its member),
 * -E2BIG (too deep or too long), -ENOSPC (strings is full). On error *ret_base is not to be used.
 */
int tern_fields_read(const struct tern_fields *fields, const char *text, size_t len, bool lenient,
		     struct tern_text *strings, void *ret_base);

#endif
