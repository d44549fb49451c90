/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl.c: the knobs by name.
 *
 * Rows come from sysctl.def. A name that stands for several values (tcp_rmem: least, default, most)
 * has as many rows behind each other; a value text holds as many numbers, blanks or tabs between.
 * A set is checked as a whole before anything changes. Numbers are unsigned, of 32 bits, within
 * the range of their row; a range of ports must not run backwards, as in Linux.
 */
#include "trace/sysctl.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "trace/sysctl_name.h"
#include "trace/sysctl_value.h"

#define NAMED(...)                                             \
	.kind = TERN_KNOB_NAME, .names = (const char *const[]) \
	{                                                      \
		__VA_ARGS__, NULL                              \
	}
#define VALUES(...) .means = TERN_MEANS_VALUES, .values = LIST(__VA_ARGS__)
#define BITS(...)   .means = TERN_MEANS_BITS, .values = LIST(__VA_ARGS__)
#define LIST(...)                        \
	(const struct tern_knob_value[]) \
	{                                \
		__VA_ARGS__,             \
		{                        \
			0, NULL          \
		}                        \
	}
#define MS_PER_S  1000u
#define AT(field) offsetof(struct tern_knobs, field)

static const struct tern_knob_row rows[] = {
/* The text is the first of what follows the range; the rest is said by name. */
#define KNOB(field_, name_, unit_, standard_, min_, max_, ...) \
	{ .name = name_,                                       \
	  .unit = unit_,                                       \
	  .standard = standard_,                               \
	  .min = min_,                                         \
	  .max = max_,                                         \
	  .offset = AT(field_),                                \
	  .text = __VA_ARGS__ },
#define KNOB_KEY(field_, name_, ...) \
	{ .name = name_,             \
	  .unit = "key",             \
	  .kind = TERN_KNOB_KEY,     \
	  .offset = AT(field_),      \
	  .text = __VA_ARGS__ },
#define KNOB_PORTS(field_, name_, ...) \
	{ .name = name_,               \
	  .unit = "ports",             \
	  .kind = TERN_KNOB_PORTS,     \
	  .offset = AT(field_),        \
	  .text = __VA_ARGS__ },
#define KNOB_FIXED(name_, value_, ...) \
	{ .name = name_,               \
	  .unit = "text",              \
	  .kind = TERN_KNOB_FIXED,     \
	  .fixed = value_,             \
	  .text = __VA_ARGS__ },
#include "trace/sysctl.def"
};

/* A persona is a column. */
static const struct {
	size_t offset;
	uint32_t values[2];
} personas[] = {
#define KNOB_PERSONA(field, linux_, freebsd_) { AT(field), { linux_, freebsd_ } },
#include "trace/sysctl.def"
};

static void *field_of(struct tern_knobs *knobs, unsigned int row)
{
	return (uint8_t *)knobs + rows[row].offset;
}

static const void *value_of(const struct tern_knobs *knobs, unsigned int row)
{
	return (const uint8_t *)knobs + rows[row].offset;
}

void tern_knobs_init(struct tern_knobs *knobs)
{
	memset(knobs, 0, sizeof(*knobs));
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(rows); i++)
		if (rows[i].kind <= TERN_KNOB_NAME)
			memcpy(field_of(knobs, i), &rows[i].standard, sizeof(uint32_t));
}

const struct tern_knob_row *tern_knob_row(unsigned int i)
{
	return i < TERN_ARRAY_SIZE(rows) ? &rows[i] : NULL;
}

/* The place of a name's first row and how many rows it has; 0 if there is no such knob. */
static unsigned int find(const char *name, unsigned int *ret_first)
{
	unsigned int count = 0;
	const struct tern_knob_row *row = tern_knob_find(name, &count);

	if (row)
		*ret_first = (unsigned int)(row - rows);
	return count;
}

const struct tern_knob_row *tern_knob_alias_row(const struct tern_knob_alias *alias)
{
	unsigned int i = 0;

	while (rows[i].offset != alias->offset)
		i++;
	return &rows[i];
}

/* Do the values of a name fit together? */
static bool in_order(const char *name, const uint32_t *values, unsigned int count)
{
	return strcmp(name, "net.ipv4.ip_local_port_range") || count != 2 || values[0] <= values[1];
}

/* Would ports that need a capability be ephemeral ones? */
static bool overlaps(const struct tern_knobs *knobs, unsigned int first, uint32_t value)
{
	if (rows[first].offset == AT(ip_local_port_low))
		return value < knobs->ip_unprivileged_port_start;
	return rows[first].offset == AT(ip_unprivileged_port_start) &&
	       knobs->ip_local_port_low < value;
}

static int set_numbers(struct tern_knobs *knobs, unsigned int first, unsigned int count,
		       const char *text)
{
	uint32_t values[TERN_KNOB_NUMBERS_MAX];
	int err = tern_knob_read_numbers(&rows[first], count, text, values);

	if (err)
		return err;
	if (!in_order(rows[first].name, values, count))
		return -EDOM;
	if (overlaps(knobs, first, values[0]))
		return -EADDRINUSE;
	for (unsigned int i = 0; i < count; i++)
		memcpy(field_of(knobs, first + i), &values[i], sizeof(values[i]));
	return 0;
}

static int set_name(struct tern_knobs *knobs, unsigned int row, const char *text)
{
	uint32_t place;
	int err = tern_knob_read_name(rows[row].names, text, &place);

	if (err)
		return err;
	memcpy(field_of(knobs, row), &place, sizeof(place));
	if (rows[row].offset == AT(tern_persona))
		for (size_t i = 0; i < TERN_ARRAY_SIZE(personas); i++)
			memcpy((uint8_t *)knobs + personas[i].offset, &personas[i].values[place],
			       sizeof(place));
	return 0;
}

/* The words of both keys and their number stand behind each other. */
static int set_key(uint32_t *field, const char *text)
{
	return tern_knob_read_key(text, field, &field[2 * TERN_KNOB_KEY_WORDS]);
}

/* Sets what another system's name stands for. */
static int set_alias(struct tern_knobs *knobs, const struct tern_knob_alias *alias,
		     const char *text)
{
	const struct tern_knob_row *row = tern_knob_alias_row(alias);
	const struct tern_knob_row any = { .max = UINT32_MAX };
	uint32_t number;
	uint64_t value;
	int err = tern_knob_read_numbers(&any, 1, text, &number);

	if (err)
		return err;
	value = number;
	if (alias->rule == TERN_ALIAS_MS)
		value = (value + MS_PER_S - 1) / MS_PER_S;
	if (alias->rule == TERN_ALIAS_MSL)
		value = (2 * value + MS_PER_S - 1) / MS_PER_S;
	if (alias->rule == TERN_ALIAS_RFC1323) {
		if (value > 3)
			return -ERANGE;
		knobs->tcp_window_scaling = value == 1 || value == 2;
		value = value == 1 || value == 3;
	}
	if (value < row->min || value > row->max)
		return -ERANGE;
	number = (uint32_t)value;
	memcpy((uint8_t *)knobs + alias->offset, &number, sizeof(number));
	return 0;
}

int tern_knob_set(struct tern_knobs *knobs, const char *name, const char *value)
{
	unsigned int first = 0, count = find(name, &first);

	if (!count) {
		const struct tern_knob_alias *alias = tern_knob_alias_find(name);

		return alias ? set_alias(knobs, alias, value) : -ENOENT;
	}
	switch (rows[first].kind) {
	case TERN_KNOB_NUMBER:
		return set_numbers(knobs, first, count, value);
	case TERN_KNOB_NAME:
		return set_name(knobs, first, value);
	case TERN_KNOB_KEY:
		return set_key(field_of(knobs, first), value);
	case TERN_KNOB_PORTS:
		return tern_knob_read_ports(value, field_of(knobs, first));
	case TERN_KNOB_FIXED:
		break;
	}
	return -EACCES;
}

static void write_numbers(struct tern_text *out, const uint32_t *values, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (i)
			tern_text_char(out, '\t');
		tern_text_u64(out, values[i]);
	}
}

static void write_alias(struct tern_text *out, const struct tern_knobs *knobs,
			const struct tern_knob_alias *alias)
{
	uint32_t number;
	uint64_t value;

	memcpy(&number, (const uint8_t *)knobs + alias->offset, sizeof(number));
	value = number;
	if (alias->rule == TERN_ALIAS_MS)
		value *= MS_PER_S;
	if (alias->rule == TERN_ALIAS_MSL)
		value = value * MS_PER_S / 2;
	if (alias->rule == TERN_ALIAS_RFC1323)
		value = knobs->tcp_window_scaling ? (number ? 1 : 2) : (number ? 3 : 0);
	tern_text_u64(out, value);
}

int tern_knob_get(const struct tern_knobs *knobs, const char *name, char *text, size_t cap)
{
	unsigned int first = 0, count = find(name, &first);
	const struct tern_knob_row *row = &rows[first];
	const struct tern_knob_alias *alias = count ? NULL : tern_knob_alias_find(name);
	const uint32_t *field = value_of(knobs, first);
	struct tern_text out;

	if (!count && !alias)
		return -ENOENT;
	tern_text_init(&out, text, cap);
	if (alias) {
		write_alias(&out, knobs, alias);
		return out.cut ? -ENOSPC : 0;
	}
	switch (row->kind) {
	case TERN_KNOB_NUMBER:
		write_numbers(&out, field, count);
		break;
	case TERN_KNOB_NAME:
		tern_text_str(&out, row->names[*field]);
		break;
	case TERN_KNOB_KEY:
		tern_knob_write_key(&out, field, field[2 * TERN_KNOB_KEY_WORDS]);
		break;
	case TERN_KNOB_PORTS:
		tern_knob_write_ports(&out, value_of(knobs, first));
		break;
	case TERN_KNOB_FIXED:
		tern_text_str(&out, row->fixed);
		break;
	}
	return out.cut ? -ENOSPC : 0;
}

uint16_t tern_knob_port_reserved(const struct tern_knobs *knobs, uint16_t port)
{
	const struct tern_knob_ports *p = &knobs->ip_local_reserved_ports;

	for (uint32_t i = 0; i < p->count && p->range[i].low <= port; i++)
		if (port <= p->range[i].high)
			return p->range[i].high;
	return 0;
}
