/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl.c: the knobs by name.
 *
 * Rows come from sysctl.def. A name that stands for several values (tcp_rmem: least, default, most)
 * has as many rows behind each other; a value text holds as many numbers, blanks or tabs between.
 * A set is checked as a whole before anything changes. Values are unsigned 32-bit numbers within
 * the range of their row; a range of ports must not run backwards, as in Linux.
 */
#include "trace/sysctl.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "base/text.h"

#define VALUES_MAX 3  /* values behind one name */
#define DIGITS_MAX 20 /* of a 64-bit number */

static const struct tern_knob_row rows[] = {
#define KNOB(field, name, unit, standard, min, max, text) \
	{ name, unit, text, standard, min, max, offsetof(struct tern_knobs, field) },
#include "trace/sysctl.def"
#undef KNOB
};

static uint32_t *field_of(struct tern_knobs *knobs, unsigned int row)
{
	return (uint32_t *)(void *)((uint8_t *)knobs + rows[row].offset);
}

void tern_knobs_init(struct tern_knobs *knobs)
{
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(rows); i++)
		*field_of(knobs, i) = rows[i].standard;
}

const struct tern_knob_row *tern_knob_row(unsigned int i)
{
	return i < TERN_ARRAY_SIZE(rows) ? &rows[i] : NULL;
}

/* The last part of a knob's name: tcp_rmem of net.ipv4.tcp_rmem. */
static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* The first row of a name and how many rows it has; 0 if there is no such knob. */
static unsigned int find(const char *name, unsigned int *ret_first)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(rows); i++) {
		if (strcmp(name, rows[i].name) && strcmp(name, last_part(rows[i].name)))
			continue;
		if (!count)
			*ret_first = i;
		count++;
	}
	return count;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * The next number of a text, blanks before it skipped; *text moves behind it.
 * -ENOENT at the end of the text, -EINVAL, -ERANGE.
 */
static int next_number(const char **text, uint64_t *ret)
{
	char digits[DIGITS_MAX + 1];
	size_t len = 0;
	const char *p = *text;

	while (is_blank(*p))
		p++;
	if (!*p || (*p == '\n' && !p[1]))
		return -ENOENT;
	while (p[len] && p[len] != '\n' && !is_blank(p[len]))
		len++;
	if (len > DIGITS_MAX)
		return -EINVAL;
	memcpy(digits, p, len);
	digits[len] = '\0';
	*text = p + len;
	return tern_text_parse_u64(digits, ret);
}

/* Do the values of a name fit together? */
static bool in_order(const char *name, const uint32_t *values, unsigned int count)
{
	return strcmp(name, "net.ipv4.ip_local_port_range") || count != 2 || values[0] <= values[1];
}

int tern_knob_set(struct tern_knobs *knobs, const char *name, const char *value)
{
	uint32_t values[VALUES_MAX];
	unsigned int first = 0, count = find(name, &first);
	uint64_t number;

	if (!count)
		return -ENOENT;
	for (unsigned int i = 0; i < count && i < VALUES_MAX; i++) {
		int err = next_number(&value, &number);

		if (err)
			return err == -ENOENT ? -EINVAL : err;
		if (number < rows[first + i].min || number > rows[first + i].max)
			return -ERANGE;
		values[i] = (uint32_t)number;
	}
	if (next_number(&value, &number) != -ENOENT)
		return -EINVAL;
	if (!in_order(rows[first].name, values, count))
		return -EDOM;
	for (unsigned int i = 0; i < count && i < VALUES_MAX; i++)
		*field_of(knobs, first + i) = values[i];
	return 0;
}

int tern_knob_get(const struct tern_knobs *knobs, const char *name, char *text, size_t cap)
{
	unsigned int first = 0, count = find(name, &first);
	struct tern_text out;

	if (!count)
		return -ENOENT;
	tern_text_init(&out, text, cap);
	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *at = (const uint8_t *)knobs + rows[first + i].offset;
		uint32_t value;

		memcpy(&value, at, sizeof(value));
		if (i)
			tern_text_char(&out, '\t');
		tern_text_u64(&out, value);
	}
	return out.cut ? -ENOSPC : 0;
}
