/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl_name.c: what people call knobs, and what to tell them when that is none.
 *
 * A name may be whole (net.ipv4.tcp_sack), short (tcp_sack), a path (/proc/sys/net/ipv4/tcp_sack,
 * net/ipv4/tcp_sack), or FreeBSD's where the knob is the same (net.inet.tcp.sack.enable). Names
 * that Linux once had are known with what became of them; any other is answered with the nearest.
 */
#include "trace/sysctl_name.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/text.h"

#define NEAR_ENOUGH 4 /* slips */

static const struct tern_knob_alias aliases[] = {
#define KNOB_ALIAS(name_, field_, rule_)                 \
	{ .name = name_,                                 \
	  .offset = offsetof(struct tern_knobs, field_), \
	  .rule = TERN_ALIAS_##rule_ },
#include "trace/sysctl.def"
};

/* Names that Linux has dropped. */
static const struct {
	const char *name, *fate, *instead;
} removed[] = {
#define KNOB_REMOVED(name_, fate_, instead_) { name_, fate_, instead_ },
#include "trace/sysctl.def"
};

void tern_knob_normalize(const char *name, char *text, size_t cap)
{
	static const char root[] = "/proc/sys/";
	struct tern_text out;

	if (strncmp(name, root, sizeof(root) - 1) == 0)
		name += sizeof(root) - 1;
	tern_text_init(&out, text, cap);
	for (; *name; name++)
		tern_text_char(&out, *name == '/' ? '.' : *name);
	if (out.cut)
		text[0] = '\0'; /* longer than any name that we know */
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Does a whole name, or its last part alone, say the same? */
static bool is_called(const char *whole, const char *name)
{
	return strcmp(name, whole) == 0 || strcmp(name, last_part(whole)) == 0;
}

const struct tern_knob_row *tern_knob_find(const char *name, unsigned int *ret_count)
{
	const struct tern_knob_row *row, *first = NULL;
	char whole[TERN_KNOB_NAME_MAX];
	unsigned int count = 0;

	tern_knob_normalize(name, whole, sizeof(whole));
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		if (!is_called(row->name, whole))
			continue;
		if (!count++)
			first = row;
	}
	if (first)
		*ret_count = count;
	return first;
}

const struct tern_knob_alias *tern_knob_alias_find(const char *name)
{
	char whole[TERN_KNOB_NAME_MAX];

	tern_knob_normalize(name, whole, sizeof(whole));
	for (size_t i = 0; i < TERN_ARRAY_SIZE(aliases); i++)
		if (strcmp(whole, aliases[i].name) == 0)
			return &aliases[i];
	return NULL;
}

const struct tern_knob_alias *tern_knob_alias(unsigned int i)
{
	return i < TERN_ARRAY_SIZE(aliases) ? &aliases[i] : NULL;
}

/* The known name that has the fewest slips to this one, or NULL if none is near. */
static const char *nearest_name(const char *name)
{
	const struct tern_knob_row *row;
	const char *part = last_part(name), *nearest = NULL;
	unsigned int least = NEAR_ENOUGH + 1;

	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		const char *known = last_part(row->name);
		unsigned int n = tern_text_slips(part, known);

		if (n < least && 3 * n <= strlen(known)) {
			least = n;
			nearest = row->name;
		}
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(aliases); i++) {
		unsigned int n = tern_text_slips(name, aliases[i].name);

		if (n < least) {
			least = n;
			nearest = aliases[i].name;
		}
	}
	return nearest;
}

static void complain_of_name(const char *name, struct tern_text *out)
{
	char whole[TERN_KNOB_NAME_MAX];
	const char *nearest;

	tern_knob_normalize(name, whole, sizeof(whole));
	for (size_t i = 0; i < TERN_ARRAY_SIZE(removed); i++) {
		if (!is_called(removed[i].name, whole))
			continue;
		tern_text_str(out, removed[i].name);
		tern_text_str(out, " was ");
		tern_text_str(out, removed[i].fate);
		tern_text_str(out, "; ");
		tern_text_str(out, removed[i].instead);
		return;
	}
	tern_text_str(out, "there is no knob '");
	tern_text_str(out, whole[0] ? whole : name);
	nearest = nearest_name(whole);
	if (nearest) {
		tern_text_str(out, "'; the nearest is ");
		tern_text_str(out, nearest);
	} else {
		tern_text_str(out, "'; tern sysctl -a lists them");
	}
}

bool tern_knob_unit_is_form(const struct tern_knob_row *row)
{
	return !strcmp(row->unit, "switch") || !strcmp(row->unit, "mode") ||
	       !strcmp(row->unit, "mask") || !strcmp(row->unit, "port");
}

void tern_knob_write_range(struct tern_text *out, const struct tern_knob_row *row)
{
	tern_text_u64(out, row->min);
	tern_text_str(out, " to ");
	tern_text_u64(out, row->max);
	tern_text_str(out, tern_knob_unit_is_form(row) ? ", a " : " ");
	tern_text_str(out, row->unit);
}

/* What a knob takes. */
static void say_what_it_takes(const struct tern_knob_row *row, unsigned int count,
			      struct tern_text *out)
{
	tern_text_str(out, "; it takes ");
	switch (row->kind) {
	case TERN_KNOB_NUMBER:
		if (count > 1) {
			tern_text_u64(out, count);
			tern_text_str(out, " numbers, each ");
		}
		tern_knob_write_range(out, row);
		break;
	case TERN_KNOB_NAME:
		for (unsigned int i = 0; row->names[i]; i++) {
			if (i)
				tern_text_str(out, row->names[i + 1] ? ", " : " or ");
			tern_text_str(out, row->names[i]);
		}
		break;
	case TERN_KNOB_KEY:
		tern_text_str(out, "a key as 01234567-89abcdef-01234567-89abcdef, or two with a "
				   "comma between");
		break;
	case TERN_KNOB_PORTS:
		tern_text_str(out, "ports and ranges of them as 8080,9000-9010");
		break;
	case TERN_KNOB_FIXED:
		break;
	}
}

static void complain_of_value(const struct tern_knob_row *row, unsigned int count,
			      const char *value, int err, struct tern_text *out)
{
	if (err == -EDOM) {
		tern_text_str(out, "the range '");
		tern_text_str(out, value);
		tern_text_str(out, "' of ");
		tern_text_str(out, row->name);
		tern_text_str(out, " runs backwards; write the lower port first");
		return;
	}
	if (err == -EADDRINUSE) {
		tern_text_str(out, row->name);
		tern_text_str(out, " does not take '");
		tern_text_str(out, value);
		tern_text_str(out, "': ip_local_port_range must begin at or above "
				   "ip_unprivileged_port_start");
		return;
	}
	tern_text_str(out, row->name);
	if (err == -EACCES) {
		tern_text_str(out, " can only be read");
		return;
	}
	if (err == -E2BIG) {
		tern_text_str(out, " takes at most ");
		tern_text_u64(out, TERN_KNOB_RANGES_MAX);
		tern_text_str(out, " ranges of ports");
		return;
	}
	tern_text_str(out, " does not take '");
	tern_text_str(out, value);
	tern_text_char(out, '\'');
	say_what_it_takes(row, count, out);
}

void tern_knob_complain(const char *name, const char *value, int err, char *text, size_t cap)
{
	const struct tern_knob_alias *alias = tern_knob_alias_find(name);
	const struct tern_knob_row *row;
	struct tern_text out;
	unsigned int count;

	tern_text_init(&out, text, cap);
	row = tern_knob_find(name, &count);
	if (alias) {
		tern_text_str(&out, alias->name);
		tern_text_str(&out, " does not take '");
		tern_text_str(&out, value);
		tern_text_str(&out, "'; here it stands for ");
		tern_text_str(&out, tern_knob_alias_row(alias)->name);
	} else if (row) {
		complain_of_value(row, count, value, err, &out);
	} else {
		complain_of_name(name, &out);
	}
}
