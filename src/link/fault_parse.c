/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/fault_parse.c: the text of a fault configuration, as a command line has it.
 *
 * A list of name=value with commas between. Numbers are decimal, with or without decimals, and
 * carry a unit; they are computed in integers, so that 0.1% is exactly 1000 ppm. What is finer than
 * the resolution (1 ppm, 1 ns) is cut off.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "link/fault.h"

enum { PARSE_WORD_MAX = 64, PARSE_DIGITS_MAX = 9 };

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit rate_units[] = { { "%", 10000 }, { "ppm", 1 }, { NULL, 0 } };
static const struct unit time_units[] = { { "ns", 1 },
					  { "us", 1000 },
					  { "ms", 1000000 },
					  { "s", 1000000000 },
					  { NULL, 0 } };

struct field {
	const char *name;
	size_t offset; /* in struct tern_fault_rates */
	const struct unit *units;
	uint64_t max;
};

static const struct field fields[] = {
	{ "loss", offsetof(struct tern_fault_rates, loss_ppm), rate_units, 1000000 },
	{ "dup", offsetof(struct tern_fault_rates, dup_ppm), rate_units, 1000000 },
	{ "corrupt", offsetof(struct tern_fault_rates, corrupt_ppm), rate_units, 1000000 },
	{ "reorder", offsetof(struct tern_fault_rates, reorder_ppm), rate_units, 1000000 },
	{ "delay", offsetof(struct tern_fault_rates, delay_ns), time_units, 3600000000000 },
	{ "jitter", offsetof(struct tern_fault_rates, jitter_ns), time_units, 3600000000000 },
};

static const char why_name[] = "known are loss, dup, reorder, corrupt, delay, jitter (each also as "
			       "in.NAME or out.NAME), queue and seed, as NAME=VALUE";
static const char why_rate[] = "a rate is 0% to 100%, or 0ppm to 1000000ppm";
static const char why_time[] = "a time is a number and ns, us, ms or s, 3600s at most";
static const char why_queue[] = "a queue holds 1 to 1048576 frames";
static const char why_seed[] = "a seed is a number from 0 to 18446744073709551615";

/* Up to nine digits; false if there is none or one too many. */
static bool digits(const char **p, uint64_t *ret, uint64_t *ret_scale)
{
	unsigned int n = 0;

	*ret = 0;
	*ret_scale = 1;
	while (**p >= '0' && **p <= '9' && n++ < PARSE_DIGITS_MAX) {
		*ret = *ret * 10 + (uint64_t)(*(*p)++ - '0');
		*ret_scale *= 10;
	}
	return n && n <= PARSE_DIGITS_MAX;
}

/* A number with its unit, in the smallest one: "1.5ms" is 1500000. False if it is none. */
static bool quantity(const char *p, const struct unit *units, uint64_t *ret)
{
	uint64_t whole, part = 0, scale;

	if (!digits(&p, &whole, &scale))
		return false;
	scale = 1;
	if (*p == '.') {
		p++;
		if (!digits(&p, &part, &scale))
			return false;
	}
	for (; units->name; units++) {
		if (!strcmp(p, units->name)) {
			*ret = whole * units->factor + part * units->factor / scale;
			return true;
		}
	}
	return false;
}

static void store(struct tern_fault_rates *rates, const struct field *field, uint64_t value)
{
	uint8_t *at = (uint8_t *)rates + field->offset;
	uint32_t narrow = (uint32_t)value;

	if (field->units == rate_units)
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &value, sizeof(value));
}

/* name=value for the rates of one direction or of both. NULL, or why not. */
static const char *set_rate(struct tern_fault_config *cfg, const char *name, const char *value)
{
	bool in = true, out = true;
	uint64_t number;
	size_t i;

	if (!strncmp(name, "in.", 3)) {
		out = false;
		name += 3;
	} else if (!strncmp(name, "out.", 4)) {
		in = false;
		name += 4;
	}
	for (i = 0; i < TERN_ARRAY_SIZE(fields) && strcmp(name, fields[i].name) != 0; i++)
		;
	if (i == TERN_ARRAY_SIZE(fields))
		return why_name;
	if (!quantity(value, fields[i].units, &number) || number > fields[i].max)
		return fields[i].units == rate_units ? why_rate : why_time;
	if (in)
		store(&cfg->in, &fields[i], number);
	if (out)
		store(&cfg->out, &fields[i], number);
	return NULL;
}

/* One word of the list. NULL, or why not. */
static const char *set(struct tern_fault_config *cfg, char *word)
{
	char *equals = strchr(word, '=');
	uint64_t number;

	if (!equals)
		return why_name;
	*equals = '\0';
	if (!strcmp(word, "seed"))
		return tern_text_parse_u64(equals + 1, &cfg->seed) < 0 ? why_seed : NULL;
	if (strcmp(word, "queue") != 0)
		return set_rate(cfg, word, equals + 1);
	if (tern_text_parse_u64(equals + 1, &number) < 0 || !number || number > 1 << 20)
		return why_queue;
	cfg->queue_max = (uint32_t)number;
	return NULL;
}

int tern_fault_parse(const char *spec, struct tern_fault_config *ret_cfg, const char **ret_at,
		     const char **ret_why)
{
	struct tern_fault_config cfg = { 0 };
	char word[PARSE_WORD_MAX];

	while (*spec) {
		size_t len = strcspn(spec, ",");
		const char *why = why_name;

		if (len < sizeof(word)) {
			memcpy(word, spec, len);
			word[len] = '\0';
			why = set(&cfg, word);
		}
		if (why) {
			*ret_at = spec;
			*ret_why = why;
			return -EINVAL;
		}
		spec += len;
		if (*spec == ',')
			spec++;
	}
	*ret_cfg = cfg;
	return 0;
}
