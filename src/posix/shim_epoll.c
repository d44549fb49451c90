/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_epoll.c: reads what /proc/self/fdinfo/N says about an epoll descriptor. One line for
 * each registration, as the kernel's ep_show_fdinfo() writes it:
 *
 *	tfd:        8 events:       19 data:               2a  pos:0 ino:1d4 sdev:9
 *
 * tfd is decimal, the rest hexadecimal. No system call here.
 */
#include <string.h>

#include "posix/shim.h"

struct cursor {
	const char *at, *end;
	bool bad;
};

/* "key:", and a number of that base behind spaces. */
static uint64_t field(struct cursor *c, const char *key, unsigned int base)
{
	size_t len = strlen(key);
	uint64_t value = 0;
	bool any = false;

	while (c->at < c->end && *c->at == ' ')
		c->at++;
	if ((size_t)(c->end - c->at) < len || memcmp(c->at, key, len) != 0) {
		c->bad = true;
		return 0;
	}
	c->at += len;
	while (c->at < c->end && *c->at == ' ')
		c->at++;
	for (; c->at < c->end; c->at++, any = true) {
		unsigned int digit = (unsigned int)*c->at - '0';

		if (digit > 9)
			digit = (unsigned int)*c->at - 'a' + 10 > 9
					? (unsigned int)*c->at - 'a' + 10
					: base;
		if (digit >= base)
			break;
		value = value * base + digit;
	}
	c->bad |= !any;
	return value;
}

bool tern_shim_epoll_parse(const char *line, size_t len, struct tern_shim_epoll_line *ret_line)
{
	struct cursor c = { line, line + len, false };
	struct tern_shim_epoll_line got;

	got.tfd = (int)field(&c, "tfd:", 10);
	got.events = (uint32_t)field(&c, "events:", 16);
	got.data = field(&c, "data:", 16);
	field(&c, "pos:", 10);
	got.ino = field(&c, "ino:", 16);
	if (c.bad)
		return false;
	*ret_line = got;
	return true;
}
