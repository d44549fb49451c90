/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/text.c: every piece is made in a small array on the stack, or already exists, and then goes
 * through tern_text_strn, the only place that knows the bounds: it copies what fits, ends the text
 * with NUL and, if something did not fit, marks the text as cut, after which nothing is added.
 */
#include "base/text.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define DIGITS_MAX 20

void tern_text_init(struct tern_text *t, char *buf, size_t cap)
{
	*t = (struct tern_text){ .buf = buf, .cap = cap, .cut = cap == 0 };
	if (cap)
		buf[0] = '\0';
}

void tern_text_strn(struct tern_text *t, const char *s, size_t n)
{
	size_t room = t->cap ? t->cap - 1 - t->len : 0;

	if (t->cut || n == 0)
		return;
	if (n > room) {
		n = room;
		t->cut = true;
	}
	memcpy(t->buf + t->len, s, n);
	t->len += n;
	t->buf[t->len] = '\0';
}

void tern_text_char(struct tern_text *t, char c)
{
	tern_text_strn(t, &c, 1);
}

void tern_text_str(struct tern_text *t, const char *s)
{
	tern_text_strn(t, s, strlen(s));
}

/* The decimal digits of v, at least min_digits (<= DIGITS_MAX) of them, at the end of buf. */
static size_t digits(char buf[DIGITS_MAX], uint64_t v, unsigned int min_digits)
{
	size_t n = 0;

	while (v || n < min_digits) {
		buf[DIGITS_MAX - ++n] = (char)('0' + v % 10);
		v /= 10;
	}
	return n;
}

void tern_text_u64(struct tern_text *t, uint64_t v)
{
	char buf[DIGITS_MAX];
	size_t n = digits(buf, v, 1);

	tern_text_strn(t, buf + DIGITS_MAX - n, n);
}

void tern_text_hex(struct tern_text *t, uint64_t v, unsigned int min_digits)
{
	char buf[16];
	size_t n = 0;

	min_digits = TERN_MIN(TERN_MAX(min_digits, 1u), 16u);
	while (v || n < min_digits) {
		buf[16 - ++n] = "0123456789abcdef"[v & 0xf];
		v >>= 4;
	}
	tern_text_strn(t, buf + 16 - n, n);
}

void tern_text_fixed(struct tern_text *t, uint64_t value, unsigned int decimals)
{
	char buf[DIGITS_MAX];
	size_t n;

	decimals = TERN_MIN(decimals, DIGITS_MAX - 1u);
	n = digits(buf, value, decimals + 1);
	tern_text_strn(t, buf + DIGITS_MAX - n, n - decimals);
	if (!decimals)
		return;
	tern_text_char(t, '.');
	tern_text_strn(t, buf + DIGITS_MAX - decimals, decimals);
}

static void text_v4(struct tern_text *t, const uint8_t *b)
{
	for (unsigned int i = 0; i < 4; i++) {
		if (i)
			tern_text_char(t, '.');
		tern_text_u64(t, b[i]);
	}
}

/* The first longest run of at least two zero groups: where it begins, and its length or 0. */
static unsigned int zero_run(const uint8_t *b, unsigned int *ret_len)
{
	unsigned int best = 0, best_len = 1;

	for (unsigned int i = 0; i < 8; i++) {
		unsigned int len = 0;

		while (i + len < 8 && tern_get_u16(b + 2 * (i + len)) == 0)
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
	}
	*ret_len = best_len > 1 ? best_len : 0;
	return best;
}

static void text_v6(struct tern_text *t, const uint8_t *b)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned int run_len, run = zero_run(b, &run_len);

	if (memcmp(b, mapped, sizeof(mapped)) == 0) {
		tern_text_str(t, "::ffff:");
		text_v4(t, b + 12);
		return;
	}
	for (unsigned int i = 0; i < 8; i++) {
		if (run_len && i == run) {
			tern_text_str(t, "::");
			i += run_len - 1;
			continue;
		}
		if (i && !(run_len && i == run + run_len))
			tern_text_char(t, ':');
		tern_text_hex(t, tern_get_u16(b + 2 * i), 1);
	}
}

void tern_text_addr(struct tern_text *t, const struct tern_addr *addr)
{
	if (addr->family == TERN_INET)
		text_v4(t, addr->b);
	else if (addr->family == TERN_INET6)
		text_v6(t, addr->b);
	else
		tern_text_char(t, '*');
}

void tern_text_endpoint(struct tern_text *t, const struct tern_endpoint *ep)
{
	bool v6 = ep->addr.family == TERN_INET6;

	if (v6)
		tern_text_char(t, '[');
	tern_text_addr(t, &ep->addr);
	if (v6)
		tern_text_char(t, ']');
	tern_text_char(t, ':');
	tern_text_u64(t, ep->port);
}

int tern_text_parse_u64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (const char *p = s; *p; p++)
		if (*p < '0' || *p > '9')
			return -EINVAL;
	for (; *s; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = 10 * v + digit;
	}
	*ret = v;
	return 0;
}

unsigned int tern_text_slips(const char *a, const char *b)
{
	unsigned int row[TERN_TEXT_WORD_MAX + 1], width = (unsigned int)strlen(b);

	if (strlen(a) > TERN_TEXT_WORD_MAX || width > TERN_TEXT_WORD_MAX)
		return TERN_TEXT_WORD_MAX;
	for (unsigned int j = 0; j <= width; j++)
		row[j] = j;
	for (unsigned int i = 0; a[i]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i + 1;
		for (unsigned int j = 1; j <= width; j++) {
			unsigned int replaced = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			row[j] = TERN_MIN(replaced, TERN_MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[width];
}
