/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl_explain.c: what a knob does, for people.
 *
 *	NAME = VALUE
 *	    what it does
 *
 *	    now         5 → 1+2+4+8+16+32 = 63 s
 *	    default     5
 *	    range       0 to 127 times
 *	    often said  …
 *	    in truth    …
 *	    written in  RFC …
 *
 * Lines are folded at 80 columns. The meaning of a present value is told by the rule of its row:
 * a text for each value or bit, or a sum of waits. Waits are reckoned as the timers reckon them,
 * where no round trip has been measured yet (1 s) or at the shortest timeout (tcp_rto_min_us).
 */
#include "trace/sysctl_explain.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "trace/sysctl_name.h"

enum {
	COLUMNS = 80,
	INDENT = 4,
	LABEL = 16, /* where values begin */
	SHOWN = 12, /* waits that are written out */
	MS_PER_S = 1000,
	ORPHAN_DEFAULT = 8, /* what tcp_orphan_retries = 0 stands for */
};

static void blanks(struct tern_text *out, unsigned int n)
{
	while (n--)
		tern_text_char(out, ' ');
}

/* Words from a column on, folded; each line but the first begins at `indent`. */
static void fold(struct tern_text *out, const char *text, unsigned int column, unsigned int indent)
{
	while (*text) {
		size_t len = strcspn(text, " ");
		unsigned int width = 0;

		for (size_t i = 0; i < len; i++) /* UTF-8: what begins a character */
			width += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (column > indent && column + 1 + width > COLUMNS) {
			tern_text_char(out, '\n');
			blanks(out, indent);
			column = indent;
		} else if (column > indent) {
			tern_text_char(out, ' ');
			column++;
		}
		tern_text_strn(out, text, len);
		column += width;
		text += len;
		while (*text == ' ')
			text++;
	}
	tern_text_char(out, '\n');
}

static void line(struct tern_text *out, const char *label, const char *text)
{
	blanks(out, INDENT);
	tern_text_str(out, label);
	blanks(out, (unsigned int)(LABEL - INDENT - strlen(label)));
	fold(out, text, LABEL, LABEL);
}

/* ---- the meaning of a value ---- */

static uint32_t value_of(const struct tern_knobs *knobs, const struct tern_knob_row *row)
{
	uint32_t value;

	memcpy(&value, (const uint8_t *)knobs + row->offset, sizeof(value));
	return value;
}

static void seconds(struct tern_text *out, uint64_t ms)
{
	if (ms % MS_PER_S == 0)
		tern_text_u64(out, ms / MS_PER_S);
	else
		tern_text_fixed(out, (ms + 50) / 100, 1);
}

/*
 * The waits of n repetitions and of the giving up behind them: the first is first_ms, `linear` more
 * are as long, then each is twice the one before, up to most_ms.
 */
static void waits(struct tern_text *out, uint32_t n, uint32_t linear, uint64_t first_ms,
		  uint64_t most_ms)
{
	uint64_t sum = 0, wait = first_ms;

	for (uint32_t i = 0; i <= n; i++) {
		if (i > linear)
			wait = TERN_MIN(2 * wait, most_ms);
		sum += wait;
		if (n > SHOWN && i >= SHOWN / 2 && i < n) {
			if (i == SHOWN / 2)
				tern_text_str(out, "+…");
			continue;
		}
		if (i)
			tern_text_char(out, '+');
		seconds(out, wait);
	}
	tern_text_str(out, " = ");
	seconds(out, sum);
	tern_text_str(out, " s");
}

static void mean_bits(struct tern_text *out, const struct tern_knob_row *row, uint32_t value)
{
	bool any = false;

	for (const struct tern_knob_value *v = row->values; v->text; v++) {
		if (!(value & v->value))
			continue;
		tern_text_str(out, any ? "; " : "");
		tern_text_str(out, "0x");
		tern_text_hex(out, v->value, 1);
		tern_text_str(out, ": ");
		tern_text_str(out, v->text);
		any = true;
	}
	if (!any)
		tern_text_str(out, value ? "no bit that means anything here" : "off");
}

/* A number with its unit, in one that is easier to read where it is large. */
static void mean_plain(struct tern_text *out, const struct tern_knob_row *row, uint32_t value)
{
	static const struct {
		const char *unit;
		uint32_t from, per;
		const char *larger;
	} units[] = {
		{ "bytes", 1u << 20, 1u << 20, "MiB" },      { "bytes", 1u << 10, 1u << 10, "KiB" },
		{ "pages", 256, 256, "MiB of 4-KiB pages" }, { "milliseconds", 1000, 1000, "s" },
		{ "microseconds", 1000, 1000, "ms" },        { "seconds", 3600, 3600, "h" },
	};

	if (strcmp(row->unit, "switch") == 0) {
		tern_text_str(out, value ? "on" : "off");
		return;
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(units); i++) {
		if (strcmp(row->unit, units[i].unit) || value < units[i].from ||
		    value % units[i].per)
			continue;
		tern_text_u64(out, value / units[i].per);
		tern_text_char(out, ' ');
		tern_text_str(out, units[i].larger);
		return;
	}
	tern_text_u64(out, value);
	tern_text_char(out, ' ');
	tern_text_str(out, row->unit);
}

static const char *text_of(const struct tern_knob_row *row, uint32_t value)
{
	for (const struct tern_knob_value *v = row->values; v && v->text; v++)
		if (v->value == value)
			return v->text;
	return NULL;
}

static void mean_keepalive(struct tern_text *out, const struct tern_knobs *k)
{
	uint64_t idle = k->tcp_keepalive_time,
		 rest = (uint64_t)k->tcp_keepalive_probes * k->tcp_keepalive_intvl;

	tern_text_str(out, "a dead peer is noticed after ");
	tern_text_u64(out, idle);
	tern_text_str(out, " + ");
	tern_text_u64(out, k->tcp_keepalive_probes);
	tern_text_str(out, " * ");
	tern_text_u64(out, k->tcp_keepalive_intvl);
	tern_text_str(out, " = ");
	tern_text_u64(out, idle + rest);
	tern_text_str(out, " s");
}

static void mean(struct tern_text *out, const struct tern_knobs *k, const struct tern_knob_row *row)
{
	uint32_t value = value_of(k, row), linear = k->tcp_syn_linear_timeouts;
	uint64_t min_ms = k->tcp_rto_min_us / 1000, max_ms = k->tcp_rto_max_ms;
	const char *text = text_of(row, value);

	switch (row->means) {
	case TERN_MEANS_SYN:
		waits(out, k->tcp_syn_retries + linear, linear, MS_PER_S, max_ms);
		break;
	case TERN_MEANS_SYN_ACK:
		waits(out, value, 0, MS_PER_S, max_ms);
		break;
	case TERN_MEANS_ORPHAN:
		value = value ? value : ORPHAN_DEFAULT;
		__attribute__((fallthrough));
	case TERN_MEANS_RTO:
		waits(out, value, 0, min_ms, max_ms);
		tern_text_str(out, " at the shortest timeout");
		break;
	case TERN_MEANS_KEEP:
		mean_keepalive(out, k);
		break;
	case TERN_MEANS_BITS:
		mean_bits(out, row, value);
		break;
	case TERN_MEANS_VALUES:
	case TERN_MEANS_PLAIN:
		if (text)
			tern_text_str(out, text);
		else if (row->kind == TERN_KNOB_NUMBER)
			mean_plain(out, row, value);
		break;
	}
}

/* The number of a port says all. */
static bool says_more_than_its_number(const struct tern_knob_row *row)
{
	return row->means != TERN_MEANS_PLAIN || !tern_knob_unit_is_form(row) ||
	       !strcmp(row->unit, "switch");
}

static void explain_value(struct tern_text *out, const struct tern_knobs *knobs,
			  const struct tern_knob_row *row, const char *present)
{
	char text[512];
	struct tern_text t;
	uint32_t value;

	tern_text_init(&t, text, sizeof(text));
	if (row->kind > TERN_KNOB_NAME) {
		if (!present[0])
			present = "none";
		if (row->kind == TERN_KNOB_KEY && !knobs->tcp_fastopen_key_count)
			present = "none was set: one is drawn";
		line(out, "now", present);
		return;
	}
	value = value_of(knobs, row);
	if (row->kind == TERN_KNOB_NAME)
		tern_text_str(&t, row->names[value]);
	else
		tern_text_u64(&t, value);
	if (row->values || (row->kind == TERN_KNOB_NUMBER && says_more_than_its_number(row))) {
		tern_text_str(&t, " → ");
		mean(&t, knobs, row);
	}
	line(out, "now", text);
}

/* ---- the rest ---- */

static void explain_range(struct tern_text *out, const struct tern_knob_row *row)
{
	char text[256];
	struct tern_text t;

	tern_text_init(&t, text, sizeof(text));
	if (row->kind == TERN_KNOB_NAME) {
		line(out, "default", row->names[row->standard]);
		for (unsigned int i = 0; row->names[i]; i++) {
			if (i)
				tern_text_str(&t, row->names[i + 1] ? ", " : " or ");
			tern_text_str(&t, row->names[i]);
		}
		line(out, "range", text);
	}
	if (row->kind != TERN_KNOB_NUMBER)
		return;
	tern_text_u64(&t, row->standard);
	line(out, "default", text);
	tern_text_init(&t, text, sizeof(text));
	tern_knob_write_range(&t, row);
	line(out, "range", text);
}

/* Each value of a mode, each bit of a mask; not where there are no texts. */
static void explain_values(struct tern_text *out, const struct tern_knob_row *row)
{
	const char *label = "values";

	for (const struct tern_knob_value *v = row->values; v && v->text; v++) {
		char text[256];
		struct tern_text t;

		tern_text_init(&t, text, sizeof(text));
		if (row->kind == TERN_KNOB_NAME) {
			tern_text_str(&t, row->names[v->value]);
		} else if (row->means == TERN_MEANS_BITS) {
			tern_text_str(&t, "0x");
			tern_text_hex(&t, v->value, 1);
		} else {
			tern_text_u64(&t, v->value);
		}
		tern_text_str(&t, ": ");
		tern_text_str(&t, v->text);
		line(out, label, text);
		label = "";
	}
}

int tern_knob_explain(const struct tern_knobs *knobs, const char *name, struct tern_text *out)
{
	char value[TERN_KNOB_VALUE_MAX];
	unsigned int count = 0;
	const struct tern_knob_row *row = tern_knob_find(name, &count);
	const struct tern_knob_alias *alias = row ? NULL : tern_knob_alias_find(name);
	int err;

	if (alias) {
		row = tern_knob_alias_row(alias);
		err = tern_knob_get(knobs, alias->name, value, sizeof(value));
		if (err)
			return err;
		tern_text_str(out, alias->name);
		tern_text_str(out, " = ");
		tern_text_str(out, value);
		tern_text_str(out, "\n    FreeBSD's name; here it stands for ");
		tern_text_str(out, row->name);
		tern_text_char(out, '\n');
		return out->cut ? -ENOSPC : 0;
	}
	if (!row)
		return -ENOENT;
	err = tern_knob_get(knobs, row->name, value, sizeof(value));
	if (err)
		return err;
	tern_text_str(out, row->name);
	tern_text_str(out, value[0] ? " = " : " =");
	tern_text_str(out, value);
	tern_text_char(out, '\n');
	for (; count; count--, row++) {
		blanks(out, INDENT);
		fold(out, row->text, INDENT, INDENT);
		explain_value(out, knobs, row, value);
		explain_range(out, row);
		explain_values(out, row);
		if (row->myth) {
			line(out, "often said", row->myth);
			line(out, "in truth", row->fact);
		}
		if (row->rfc)
			line(out, "written in", row->rfc);
	}
	return out->cut ? -ENOSPC : 0;
}
