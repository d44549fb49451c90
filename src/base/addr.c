/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/addr.c: what is not asked for every packet: prefixes, and reading addresses.
 *
 * The IPv6 reader fills eight groups from the left and remembers at which group "::" stood; at the
 * end the groups behind it are moved to the right edge. An embedded IPv4 address is two groups and
 * must come last.
 */
#include "base/addr.h"

#include <errno.h>

#include "base/bytes.h"

bool tern_addr_in_prefix(const struct tern_addr *a, const struct tern_addr *net, unsigned int plen)
{
	unsigned int whole = plen / 8, bits = plen % 8;

	if (a->family != net->family || plen > 8 * tern_addr_len(a->family))
		return false;
	if (memcmp(a->b, net->b, whole) != 0)
		return false;
	return !bits || (a->b[whole] ^ net->b[whole]) >> (8 - bits) == 0;
}

/* Four numbers of 1 to 3 digits, no leading zero, up to 255; all of the text. */
static bool parse_v4(const char *s, uint8_t b[4])
{
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int v = 0, n = 0;

		if (i && *s++ != '.')
			return false;
		for (; *s >= '0' && *s <= '9'; s++, n++) {
			if (n == 3 || (n && !v))
				return false;
			v = 10 * v + (unsigned int)(*s - '0');
		}
		if (!n || v > 255)
			return false;
		b[i] = (uint8_t)v;
	}
	return *s == '\0';
}

/* One group of 1 to 4 hexadecimal digits; returns how many there are (5: too many). */
static unsigned int parse_group(const char *s, uint16_t *ret)
{
	unsigned int n = 0, v = 0;
	int digit;

	for (; n < 5 && (digit = tern_hex_digit(s[n])) >= 0; n++)
		v = v << 4 | (unsigned int)digit;
	*ret = (uint16_t)v;
	return n;
}

/* Put the groups behind "::" where they belong; without one there must be eight. */
static bool place_groups(uint8_t b[16], size_t n, size_t gap, bool has_gap)
{
	uint8_t tail[16];
	size_t tail_len = has_gap ? 2 * (n - gap) : 0;

	if (!has_gap)
		return n == 8;
	if (n > 7)
		return false;
	memcpy(tail, b + 2 * gap, tail_len);
	memset(b + 2 * gap, 0, 16 - 2 * gap);
	memcpy(b + 16 - tail_len, tail, tail_len);
	return true;
}

static bool parse_v6(const char *s, uint8_t b[16])
{
	size_t n = 0, gap = 0;
	bool has_gap = s[0] == ':' && s[1] == ':';

	if (has_gap)
		s += 2;
	while (*s) {
		uint16_t group;
		unsigned int len = parse_group(s, &group);

		if (!len || n == 8)
			return false;
		if (s[len] == '.') {
			if (n > 6 || !parse_v4(s, b + 2 * n))
				return false;
			return place_groups(b, n + 2, gap, has_gap);
		}
		if (len > 4)
			return false;
		tern_put_u16(b + 2 * n++, group);
		s += len;
		if (!*s)
			break;
		if (*s++ != ':')
			return false;
		if (*s == ':') {
			if (has_gap)
				return false;
			has_gap = true;
			gap = n;
			s++;
		} else if (!*s) {
			return false;
		}
	}
	return place_groups(b, n, gap, has_gap);
}

int tern_addr_parse(const char *text, struct tern_addr *ret)
{
	struct tern_addr a = { .family = TERN_INET };

	if (parse_v4(text, a.b)) {
		*ret = a;
		return 0;
	}
	a = (struct tern_addr){ .family = TERN_INET6 };
	if (!parse_v6(text, a.b))
		return -EINVAL;
	*ret = a;
	return 0;
}
