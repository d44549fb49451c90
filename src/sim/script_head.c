/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script_head.c: the "--name=value" lines at the head of a script.
 *
 * Those with a meaning here are heeded. Those that speak of the machine that packetdrill would run
 * on (a gateway, a TUN device, a wire server) are known and have none. Others are errors.
 */
#include <ctype.h>
#include <string.h>

#include "base/addr.h"
#include "sim/reader.h"

enum { WORD_MAX = 64 };

struct head {
	const char *name;
	bool (*read)(struct tern_reader *r, const char *value, struct tern_script_options *o);
};

static bool parse_number(struct tern_reader *r, int64_t min, int64_t max, int64_t *ret)
{
	if (!tern_reader_number(r, min, max, ret))
		return false;
	return r->p == r->end || isspace((unsigned char)*r->p) ||
	       tern_reader_expected(r, "the end of the number");
}

/* The cursor stays where the value begins for those who read numbers. */
static bool read_tolerance(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	(void)value;
	return parse_number(r, 0, INT64_C(3600000000), &o->tolerance_us);
}

static bool read_percent(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	int64_t n;

	(void)value;
	if (!parse_number(r, 0, 100, &n))
		return false;
	o->tolerance_percent = (uint32_t)n;
	return true;
}

static bool read_tick(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	int64_t n;

	(void)value;
	if (!parse_number(r, 0, 1000000, &n))
		return false;
	o->ts_tick_us = (uint32_t)n;
	return true;
}

static bool read_port(struct tern_reader *r, uint16_t *ret)
{
	int64_t n;

	if (!parse_number(r, 1, UINT16_MAX, &n))
		return false;
	*ret = (uint16_t)n;
	return true;
}

static bool read_bind(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	(void)value;
	return read_port(r, &o->bind_port);
}

static bool read_connect(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	(void)value;
	return read_port(r, &o->connect_port);
}

static bool read_mtu(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	int64_t n;

	(void)value;
	if (!parse_number(r, 576, 65535, &n))
		return false;
	o->mtu = (uint32_t)n;
	return true;
}

/* The largest segment that a script means to see on its wire: ours is 1460 bytes' worth anyway. */
static bool read_mss(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	int64_t n;

	(void)value;
	if (!parse_number(r, 1, UINT16_MAX, &n))
		return false;
	o->mss = (uint16_t)n;
	return true;
}

static bool read_version(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	if (strcmp(value, "ipv4") == 0)
		o->version = TERN_SCRIPT_IPV4;
	else if (strcmp(value, "ipv6") == 0)
		o->version = TERN_SCRIPT_IPV6;
	else if (strcmp(value, "ipv4-mapped-ipv6") == 0)
		o->version = TERN_SCRIPT_MAPPED;
	else
		return tern_reader_expected(r, "ipv4, ipv6 or ipv4-mapped-ipv6");
	return true;
}

static bool read_local(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	return tern_addr_parse(value, &o->local) == 0 || tern_reader_expected(r, "an address");
}

static bool read_remote(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	return tern_addr_parse(value, &o->remote) == 0 || tern_reader_expected(r, "an address");
}

static bool read_nothing(struct tern_reader *r, const char *value, struct tern_script_options *o)
{
	(void)r;
	(void)value;
	(void)o;
	return true;
}

static const struct head heads[] = {
	{ "tolerance_usecs", read_tolerance },
	{ "tolerance_percent", read_percent },
	{ "tcp_ts_tick_usecs", read_tick },
	{ "bind_port", read_bind },
	{ "connect_port", read_connect },
	{ "mtu", read_mtu },
	{ "mss", read_mss },
	{ "ip_version", read_version },
	{ "local_ip", read_local },
	{ "remote_ip", read_remote },
	{ "gateway_ip", read_nothing },
	{ "netmask_ip", read_nothing },
	{ "init_scripts", read_nothing },
	{ "send_omit_free", read_nothing },
	{ "non_fatal", read_nothing },
	{ "dry_run", read_nothing },
	{ "verbose", read_nothing },
	{ "speed", read_nothing },
};

static bool read_head(struct tern_reader *r, struct tern_script_options *o)
{
	const char *name, *from;
	char value[WORD_MAX] = "";
	size_t len, n;

	len = tern_reader_word(r, &name);
	if (!len)
		return tern_reader_expected(r, "the name of an option");
	if (r->p < r->end && *r->p == '=')
		r->p++;
	from = r->p;
	while (r->p < r->end && !isspace((unsigned char)*r->p))
		r->p++;
	n = (size_t)(r->p - from);
	if (n >= sizeof(value))
		return tern_reader_fail(r, from, "this value is too long");
	memcpy(value, from, n);
	value[n] = '\0';
	for (size_t i = 0; i < TERN_ARRAY_SIZE(heads); i++) {
		const char *end = r->p;

		if (strlen(heads[i].name) != len || memcmp(heads[i].name, name, len) != 0)
			continue;
		r->p = from;
		if (!heads[i].read(r, value, o))
			return false;
		r->p = end;
		return true;
	}
	return tern_reader_fail(r, name, "there is no option --%.*s", (int)len, name);
}

bool tern_script_read_heads(struct tern_reader *r, struct tern_script_options *options)
{
	tern_reader_skip(r);
	while (tern_reader_take(r, "--")) {
		if (!read_head(r, options))
			return false;
		tern_reader_skip(r);
	}
	r->version = options->version;
	if ((options->local.family && options->remote.family &&
	     options->local.family != options->remote.family) ||
	    (options->local.family &&
	     (options->local.family == TERN_INET6) != (options->version == TERN_SCRIPT_IPV6)))
		return tern_reader_fail(r, r->text, "addresses and --ip_version do not fit");
	return !r->failed;
}
