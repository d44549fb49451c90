/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_option.c: socket options: setsockopt() writes what the script says as bytes,
 * getsockopt() compares what comes.
 *
 *	[1]  {onoff=1, linger=2}  {tv_sec=1, tv_usec=0}  "cubic"  {tcpi_state=TCP_ESTABLISHED}  ...
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "sim/drill_internal.h"
#include "sim/symbol.h"
#include "sock/abi.h"

enum {
	VALUE_MAX = 1024,
	OPTION_INQ = 36, /* TCP_INQ */
	OPTION_MEMINFO = 55,
};

/* "\x01\n" and the like. */
static uint32_t put_string(const struct tern_expr *e, uint8_t *to, uint32_t cap)
{
	uint32_t n = 0;

	for (size_t i = 0; i < e->length && n < cap; i++) {
		unsigned int byte = (unsigned char)e->text[i];

		if (byte == '\\' && i + 1 < e->length) {
			byte = (unsigned char)e->text[++i];
			if (byte == 'n')
				byte = '\n';
			else if (byte == '0')
				byte = 0;
			else if (byte == 'x' && i + 2 < e->length) {
				byte = 0;
				for (int j = 0; j < 2; j++) {
					unsigned int c = (unsigned char)e->text[++i] | 0x20u;

					byte = byte << 4 |
					       ((c <= '9' ? c - '0' : c - 'a' + 10) & 15);
				}
			}
		}
		to[n++] = (uint8_t)byte;
	}
	return n;
}

static bool put_int(struct drill *d, const struct tern_expr *e, uint8_t *to, uint32_t *n)
{
	int64_t value;
	int32_t word;

	if (!tern_drill_number(d, e, &value))
		return false;
	word = (int32_t)value;
	memcpy(to + *n, &word, sizeof(word));
	*n += sizeof(word);
	return true;
}

/* {onoff=1, linger=2}: ints; {tv_sec=1, tv_usec=0}: 64 bits each. */
static bool put_struct(struct drill *d, const struct tern_expr *e, uint8_t *to, uint32_t *n)
{
	for (e = e->first; e; e = e->next) {
		bool wide = e->name && strncmp(e->name, "tv_", 3) == 0;
		int64_t value;

		if (*n + 8 > VALUE_MAX)
			return false;
		if (!wide) {
			if (!put_int(d, e, to, n))
				return false;
			continue;
		}
		if (!tern_drill_number(d, e, &value))
			return false;
		memcpy(to + *n, &value, sizeof(value));
		*n += sizeof(value);
	}
	return true;
}

/* The value as bytes. */
static bool put_value(struct drill *d, const struct tern_expr *e, uint8_t *to, uint32_t *ret_n)
{
	*ret_n = 0;
	if (e->kind == TERN_EXPR_STRING) {
		*ret_n = put_string(e, to, VALUE_MAX - 1);
		return true;
	}
	if (e->kind == TERN_EXPR_STRUCT)
		return put_struct(d, e, to, ret_n);
	if (e->kind != TERN_EXPR_LIST) {
		tern_drill_broken(d, e->place, "the value of an option expected here, as [1]");
		return false;
	}
	for (e = e->first; e && *ret_n + 8 <= VALUE_MAX; e = e->next)
		if (e->kind == TERN_EXPR_STRUCT ? !put_struct(d, e, to, ret_n)
						: !put_int(d, e, to, ret_n))
			return false;
	return true;
}

static bool read_option(struct drill *d, const struct drill_call *c, int *level, int *name)
{
	int64_t l, n;

	if (!tern_drill_number(d, tern_drill_arg(c, 1), &l) ||
	    !tern_drill_number(d, tern_drill_arg(c, 2), &n))
		return false;
	*level = (int)l;
	*name = (int)n;
	return true;
}

bool tern_drill_call_setsockopt(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	const struct tern_expr *e = tern_drill_arg(c, 3);
	uint8_t value[VALUE_MAX] = { 0 };
	int level, name, err;
	int64_t len;
	uint32_t n;

	if (!fd || !read_option(d, c, &level, &name) ||
	    !tern_drill_number(d, tern_drill_arg(c, 4), &len))
		return false;
	if (e->kind == TERN_EXPR_NUMBER && e->value == 0 && len > 0)
		return tern_drill_done(c, -EFAULT);
	if (!(e->kind == TERN_EXPR_NUMBER && len == 0) && !put_value(d, e, value, &n))
		return false;
	if (len < 0 || len > VALUE_MAX)
		return tern_drill_done(c, -EINVAL);
	err = tern_sock_setsockopt(d->ss, d->now, fd->live, level, name, value, (uint32_t)len);
	if (!err && level == TERN_ABI_SOL_TCP && name == OPTION_INQ)
		fd->inq = value[0] != 0;
	return tern_drill_done(c, err);
}

/* {tcpi_state=1, tcpi_options=7}: fields by name. */
static bool compare_fields(struct drill *d, const struct tern_expr *e, const uint8_t *got,
			   uint32_t len)
{
	for (e = e->first; e; e = e->next) {
		int field = e->name ? tern_info_field(e->name, strlen(e->name)) : -1;
		int64_t wanted, value;

		if (field < 0) {
			tern_drill_broken(d, e->place, "this is no field of TCP_INFO");
			return false;
		}
		if (e->kind == TERN_EXPR_ELLIPSIS)
			continue;
		if (!tern_drill_number(d, e, &wanted))
			return false;
		if (!tern_info_value(field, got, len, &value)) {
			tern_drill_fail(d, "%s is not among what came", e->name);
			return false;
		}
		if (value != wanted) {
			tern_drill_fail(d, "%s is %lld, not %lld", e->name, (long long)value,
					(long long)wanted);
			return false;
		}
	}
	return true;
}

static bool is_fields(const struct tern_expr *e)
{
	return e->kind == TERN_EXPR_STRUCT && e->first && e->first->name &&
	       (strncmp(e->first->name, "tcpi_", 5) == 0 || strncmp(e->first->name, "SK_", 3) == 0);
}

/* Compares what came with what the script says. */
static bool compare(struct drill *d, const struct tern_expr *e, const uint8_t *got, uint32_t len)
{
	uint8_t wanted[VALUE_MAX] = { 0 };
	uint32_t n;
	int32_t a, b;

	if (e->kind == TERN_EXPR_ELLIPSIS)
		return true;
	if (is_fields(e))
		return compare_fields(d, e, got, len);
	if (!put_value(d, e, wanted, &n))
		return false;
	if (e->kind != TERN_EXPR_STRING)
		n = TERN_MIN(n, len);
	if (memcmp(wanted, got, n) == 0)
		return true;
	if (n == sizeof(a)) {
		memcpy(&a, got, sizeof(a));
		memcpy(&b, wanted, sizeof(b));
		tern_drill_fail(d, "the option is %d, not %d", a, b);
	} else {
		tern_drill_fail(d, "the option has another value");
	}
	return false;
}

bool tern_drill_call_getsockopt(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	const struct tern_expr *length = tern_drill_arg(c, 4);
	uint8_t value[VALUE_MAX] = { 0 };
	uint32_t len = VALUE_MAX;
	int64_t wanted = VALUE_MAX;
	int level, name, err;

	if (!fd || !read_option(d, c, &level, &name))
		return false;
	if (length->kind != TERN_EXPR_ELLIPSIS && !tern_drill_number(d, length, &wanted))
		return false;
	if (wanted >= 0 && wanted < VALUE_MAX)
		len = (uint32_t)wanted;
	err = tern_sock_getsockopt(d->ss, d->now, fd->live, level, name, value, &len);
	if (err)
		return tern_drill_done(c, err);
	if (!compare(d, tern_drill_arg(c, 3), value, len))
		return false;
	if (length->kind == TERN_EXPR_LIST && len != wanted)
		tern_drill_fail(d, "the length is %u, not %lld", len, (long long)wanted);
	return tern_drill_done(c, 0);
}
