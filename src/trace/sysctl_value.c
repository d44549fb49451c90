/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl_value.c: the values of knobs, read from text and written.
 *
 * All readers take what Linux' files of /proc/sys take: numbers in decimal or, behind 0x, in
 * hexadecimal; keys as four words of hexadecimal; ports as numbers and ranges behind commas, in
 * any order. Ports are kept as few ranges, in order: that is what Linux prints, too.
 */
#include "trace/sysctl_value.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define DIGITS_MAX 20 /* of a 64-bit number */
#define PORT_MAX   65535

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool at_end(const char *text)
{
	while (is_blank(*text))
		text++;
	return !*text || (*text == '\n' && !text[1]);
}

/* Hexadecimal digits, at most max of them; *text moves behind them. -EINVAL without any. */
static int read_hex(const char **text, unsigned int max, uint64_t *ret)
{
	unsigned int n = 0;
	uint64_t value = 0;

	for (; tern_hex_digit((*text)[n]) >= 0; n++) {
		if (n == max)
			return -EINVAL;
		value = value << 4 | (unsigned int)tern_hex_digit((*text)[n]);
	}
	if (!n)
		return -EINVAL;
	*text += n;
	*ret = value;
	return 0;
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

	if (at_end(p))
		return -ENOENT;
	while (is_blank(*p))
		p++;
	while (p[len] && p[len] != '\n' && !is_blank(p[len]))
		len++;
	*text = p + len;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		p += 2;
		return read_hex(&p, 16, ret) < 0 || p != *text ? -EINVAL : 0;
	}
	if (len > DIGITS_MAX)
		return -EINVAL;
	memcpy(digits, p, len);
	digits[len] = '\0';
	return tern_text_parse_u64(digits, ret);
}

int tern_knob_read_numbers(const struct tern_knob_row *rows, unsigned int count, const char *text,
			   uint32_t *values)
{
	uint64_t number;

	for (unsigned int i = 0; i < count; i++) {
		int err = next_number(&text, &number);

		if (err)
			return err == -ENOENT ? -EINVAL : err;
		if (number < rows[i].min || number > rows[i].max)
			return -ERANGE;
		values[i] = (uint32_t)number;
	}
	return at_end(text) ? 0 : -EINVAL;
}

int tern_knob_read_name(const char *const *names, const char *text, uint32_t *ret)
{
	while (is_blank(*text))
		text++;
	for (uint32_t i = 0; names[i]; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(text, names[i], len) == 0 && at_end(text + len)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

int tern_knob_read_key(const char *text, uint32_t *words, uint32_t *ret_count)
{
	uint32_t read[2 * TERN_KNOB_KEY_WORDS] = { 0 };
	unsigned int n = 0;
	uint64_t word;

	while (is_blank(*text))
		text++;
	for (;;) {
		if (read_hex(&text, 8, &word) < 0)
			return -EINVAL;
		read[n++] = (uint32_t)word;
		if (n == 2 * TERN_KNOB_KEY_WORDS || (n == TERN_KNOB_KEY_WORDS && *text != ','))
			break;
		if (*text++ != (n == TERN_KNOB_KEY_WORDS ? ',' : '-'))
			return -EINVAL;
	}
	if (!at_end(text))
		return -EINVAL;
	memcpy(words, read, sizeof(read));
	*ret_count = n / TERN_KNOB_KEY_WORDS;
	return 0;
}

void tern_knob_write_key(struct tern_text *out, const uint32_t *words, uint32_t count)
{
	unsigned int n = TERN_KNOB_KEY_WORDS * (count == 2 ? 2 : 1);

	for (unsigned int i = 0; i < n; i++) {
		if (i)
			tern_text_char(out, i == TERN_KNOB_KEY_WORDS ? ',' : '-');
		tern_text_hex(out, words[i], 8);
	}
}

/* A port in decimal; *text moves behind it. */
static int read_port(const char **text, uint16_t *ret)
{
	uint32_t value = 0;
	unsigned int n = 0;

	for (; (*text)[n] >= '0' && (*text)[n] <= '9'; n++) {
		value = value * 10 + (uint32_t)((*text)[n] - '0');
		if (value > PORT_MAX)
			return -ERANGE;
	}
	if (!n)
		return -EINVAL;
	*text += n;
	*ret = (uint16_t)value;
	return 0;
}

/* Adds a range: those that overlap or touch it become one with it. */
static int add_range(struct tern_knob_ports *ports, uint16_t low, uint16_t high)
{
	uint32_t i = 0, end;

	while (i < ports->count && ports->range[i].high + 1 < low)
		i++;
	for (end = i; end < ports->count && ports->range[end].low <= high + 1; end++)
		;
	if (end > i) {
		if (ports->range[i].low < low)
			low = ports->range[i].low;
		if (ports->range[end - 1].high > high)
			high = ports->range[end - 1].high;
	} else if (ports->count == TERN_KNOB_RANGES_MAX) {
		return -E2BIG;
	}
	memmove(&ports->range[i + 1], &ports->range[end],
		(ports->count - end) * sizeof(ports->range[0]));
	ports->count = ports->count - (end - i) + 1;
	ports->range[i].low = low;
	ports->range[i].high = high;
	return 0;
}

int tern_knob_read_ports(const char *text, struct tern_knob_ports *ret)
{
	struct tern_knob_ports ports = { 0 };
	uint16_t low, high;
	int err;

	while (is_blank(*text))
		text++;
	while (!at_end(text)) {
		err = read_port(&text, &low);
		high = low;
		if (!err && *text == '-') {
			text++;
			err = read_port(&text, &high);
		}
		if (!err && high < low)
			err = -EINVAL;
		if (!err)
			err = add_range(&ports, low, high);
		if (err)
			return err;
		if (!at_end(text) && *text++ != ',')
			return -EINVAL;
	}
	*ret = ports;
	return 0;
}

void tern_knob_write_ports(struct tern_text *out, const struct tern_knob_ports *ports)
{
	for (uint32_t i = 0; i < ports->count; i++) {
		if (i)
			tern_text_char(out, ',');
		tern_text_u64(out, ports->range[i].low);
		if (ports->range[i].high == ports->range[i].low)
			continue;
		tern_text_char(out, '-');
		tern_text_u64(out, ports->range[i].high);
	}
}
