/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script_call.c: a system call as strace writes it.
 *
 *	NAME(ARGUMENT, ...) = RESULT [ERRNO] [(TEXT)]
 *
 * An argument is a number, a symbol, an expression of those, a string, "..." (whatever is usual
 * there), a [list], or a {structure} whose members may have names. htons(), htonl(), inet_addr()
 * and inet_pton() are written where C has them: numbers and texts go through unchanged, whoever
 * reads the structure knows the byte order.
 */
#include <ctype.h>
#include <string.h>

#include "sim/reader.h"
#include "sim/symbol.h"

enum { DEPTH_MAX = 32 };

static struct tern_expr *read_expr(struct tern_reader *r, unsigned int depth);

static const struct {
	const char *name;
	uint8_t least, most; /* arguments */
} calls[TERN_CALLS] = {
	[TERN_CALL_ACCEPT] = { "accept", 3, 3 },
	[TERN_CALL_ACCEPT4] = { "accept4", 4, 4 },
	[TERN_CALL_BIND] = { "bind", 3, 3 },
	[TERN_CALL_CLOSE] = { "close", 1, 1 },
	[TERN_CALL_CONNECT] = { "connect", 3, 3 },
	[TERN_CALL_EPOLL_CREATE] = { "epoll_create", 1, 1 },
	[TERN_CALL_EPOLL_CREATE1] = { "epoll_create1", 1, 1 },
	[TERN_CALL_EPOLL_CTL] = { "epoll_ctl", 4, 4 },
	[TERN_CALL_EPOLL_WAIT] = { "epoll_wait", 4, 4 },
	[TERN_CALL_FCNTL] = { "fcntl", 2, 3 },
	[TERN_CALL_GETPEERNAME] = { "getpeername", 3, 3 },
	[TERN_CALL_GETSOCKNAME] = { "getsockname", 3, 3 },
	[TERN_CALL_GETSOCKOPT] = { "getsockopt", 5, 5 },
	[TERN_CALL_IOCTL] = { "ioctl", 2, 3 },
	[TERN_CALL_LISTEN] = { "listen", 2, 2 },
	[TERN_CALL_OPEN] = { "open", 2, 3 },
	[TERN_CALL_PIPE] = { "pipe", 1, 1 },
	[TERN_CALL_POLL] = { "poll", 3, 3 },
	[TERN_CALL_READ] = { "read", 3, 3 },
	[TERN_CALL_READV] = { "readv", 3, 3 },
	[TERN_CALL_RECV] = { "recv", 4, 4 },
	[TERN_CALL_RECVFROM] = { "recvfrom", 6, 6 },
	[TERN_CALL_RECVMSG] = { "recvmsg", 3, 3 },
	[TERN_CALL_SEND] = { "send", 4, 4 },
	[TERN_CALL_SENDFILE] = { "sendfile", 4, 4 },
	[TERN_CALL_SENDMSG] = { "sendmsg", 3, 3 },
	[TERN_CALL_SENDTO] = { "sendto", 6, 6 },
	[TERN_CALL_SETSOCKOPT] = { "setsockopt", 5, 5 },
	[TERN_CALL_SHUTDOWN] = { "shutdown", 2, 2 },
	[TERN_CALL_SOCKET] = { "socket", 3, 3 },
	[TERN_CALL_SPLICE] = { "splice", 6, 6 },
	[TERN_CALL_WRITE] = { "write", 3, 3 },
	[TERN_CALL_WRITEV] = { "writev", 3, 3 },
};

static struct tern_expr *new_expr(struct tern_reader *r, enum tern_expr_kind kind)
{
	struct tern_expr *e;

	tern_reader_skip(r);
	e = tern_reader_alloc(r, sizeof(*e));
	if (!e)
		return NULL;
	e->kind = kind;
	e->place = tern_reader_here(r);
	return e;
}

static struct tern_expr *read_string(struct tern_reader *r)
{
	struct tern_expr *e = new_expr(r, TERN_EXPR_STRING);
	const char *from = r->p;

	if (!e)
		return NULL;
	for (r->p++; r->p < r->end && *r->p != '"' && *r->p != '\n'; r->p++)
		if (*r->p == '\\' && r->p + 1 < r->end)
			r->p++;
	if (r->p == r->end || *r->p != '"') {
		(void)tern_reader_fail(r, from, "this string does not end");
		return NULL;
	}
	e->length = (size_t)(r->p - from) - 1;
	e->text = from + 1;
	r->p++;
	return e;
}

/* The members of a list or a structure up to `close`, which is passed. */
static bool read_members(struct tern_reader *r, struct tern_expr *parent, const char *close,
			 unsigned int depth)
{
	struct tern_expr **tail = &parent->first;

	tern_reader_skip(r);
	if (tern_reader_take(r, close))
		return true;
	do {
		*tail = read_expr(r, depth + 1);
		if (!*tail)
			return false;
		tail = &(*tail)->next;
		tern_reader_skip(r);
	} while (tern_reader_take(r, ","));
	return tern_reader_want(r, close);
}

/* The value of a -D: a number or a symbol. */
static bool defined(struct tern_reader *r, const char *word, const char *value, int64_t *ret)
{
	struct tern_script_error ignored;
	struct tern_reader sub = { .arena = r->arena,
				   .text = value,
				   .p = value,
				   .seen = value,
				   .end = value + strlen(value),
				   .error = &ignored };

	if (tern_symbol_find(value, strlen(value), ret))
		return true;
	if (tern_reader_number(&sub, INT64_MIN, INT64_MAX, ret) && sub.p == sub.end)
		return true;
	return tern_reader_fail(r, word, "this is defined as '%s', which is no number here", value);
}

static bool look_up(struct tern_reader *r, const char *word, size_t len, int64_t *ret)
{
	const char *value = tern_reader_define(r, word, len), *near;

	if (value)
		return defined(r, word, value, ret);
	if (tern_symbol_find(word, len, ret))
		return true;
	near = tern_symbol_nearest(word, len);
	if (near)
		return tern_reader_fail(r, word, "'%.*s' is not known; did you mean %s?", (int)len,
					word, near);
	return tern_reader_fail(r, word, "'%.*s' is not known", (int)len, word);
}

/* htons(8080), inet_addr("192.0.2.1"), inet_pton(AF_INET6, "::1"): what is in them. */
static struct tern_expr *read_conversion(struct tern_reader *r, unsigned int depth)
{
	struct tern_expr *e;

	if (!tern_reader_want(r, "("))
		return NULL;
	e = read_expr(r, depth + 1);
	if (e && tern_reader_take(r, ","))
		e = read_expr(r, depth + 1);
	return e && tern_reader_want(r, ")") ? e : NULL;
}

static bool is_conversion(const char *word, size_t len)
{
	static const char *const names[] = { "htons", "htonl", "inet_addr", "inet_pton" };

	for (size_t i = 0; i < TERN_ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0)
			return true;
	return false;
}

/* name = value, or msg_iov(1) = value. The name is read. */
static struct tern_expr *read_member(struct tern_reader *r, const char *word, size_t len,
				     unsigned int depth)
{
	struct tern_expr *e;
	char *name = tern_arena_copy(r->arena, word, len);

	if (!name)
		return NULL;
	if (tern_reader_take(r, "(")) {
		if (!read_expr(r, depth + 1) || !tern_reader_want(r, ")"))
			return NULL;
	}
	if (!tern_reader_want(r, "="))
		return NULL;
	e = read_expr(r, depth + 1);
	if (e)
		e->name = name;
	return e;
}

static struct tern_expr *read_word(struct tern_reader *r, unsigned int depth)
{
	struct tern_expr *e = new_expr(r, TERN_EXPR_NUMBER);
	const char *word;
	size_t len;

	if (!e)
		return NULL;
	len = tern_reader_word(r, &word);
	tern_reader_skip_blanks(r);
	if (is_conversion(word, len))
		return read_conversion(r, depth);
	if (tern_reader_peek(r, "(") || (tern_reader_peek(r, "=") && !tern_reader_peek(r, "==")))
		return read_member(r, word, len, depth);
	return look_up(r, word, len, &e->value) ? e : NULL;
}

static struct tern_expr *read_primary(struct tern_reader *r, unsigned int depth)
{
	struct tern_expr *e;

	tern_reader_skip(r);
	if (depth > DEPTH_MAX) {
		(void)tern_reader_fail(r, r->p, "this is nested too deeply");
		return NULL;
	}
	if (tern_reader_peek(r, "...")) {
		e = new_expr(r, TERN_EXPR_ELLIPSIS);
		r->p += 3;
		return e;
	}
	if (tern_reader_peek(r, "\""))
		return read_string(r);
	if (tern_reader_peek(r, "[") || tern_reader_peek(r, "{")) {
		bool list = *r->p == '[';

		e = new_expr(r, list ? TERN_EXPR_LIST : TERN_EXPR_STRUCT);
		r->p++;
		return e && read_members(r, e, list ? "]" : "}", depth) ? e : NULL;
	}
	if (tern_reader_take(r, "(")) {
		e = read_expr(r, depth + 1);
		return e && tern_reader_want(r, ")") ? e : NULL;
	}
	if (tern_reader_at_word(r))
		return read_word(r, depth);
	if (!tern_reader_at_number(r)) {
		(void)tern_reader_expected(r, "an argument");
		return NULL;
	}
	e = new_expr(r, TERN_EXPR_NUMBER);
	return e && tern_reader_number(r, INT64_MIN, INT64_MAX, &e->value) ? e : NULL;
}

static bool apply(struct tern_reader *r, const char *op, struct tern_expr *a, int64_t b)
{
	switch (*op) {
	case '|':
		a->value |= b;
		return true;
	case '+':
		return !__builtin_add_overflow(a->value, b, &a->value) ||
		       tern_reader_fail(r, op, "this is too large");
	case '*':
		return !__builtin_mul_overflow(a->value, b, &a->value) ||
		       tern_reader_fail(r, op, "this is too large");
	case '-':
		return !__builtin_sub_overflow(a->value, b, &a->value) ||
		       tern_reader_fail(r, op, "this is too large");
	default:
		if (b < 0 || b > 62 || a->value < 0 || a->value > INT64_MAX >> b)
			return tern_reader_fail(r, op, "this is too large");
		a->value <<= b;
		return true;
	}
}

/* Numbers joined by | + - * <<, from left to right. */
static struct tern_expr *read_expr(struct tern_reader *r, unsigned int depth)
{
	struct tern_expr *a = read_primary(r, depth), *b;
	const char *op;

	while (a && a->kind == TERN_EXPR_NUMBER) {
		tern_reader_skip(r);
		if (!(tern_reader_peek(r, "|") || tern_reader_peek(r, "+") ||
		      tern_reader_peek(r, "-") || tern_reader_peek(r, "*") ||
		      tern_reader_peek(r, "<<")))
			break;
		op = r->p;
		r->p += *op == '<' ? 2 : 1;
		b = read_primary(r, depth + 1);
		if (!b)
			return NULL;
		if (b->kind != TERN_EXPR_NUMBER) {
			(void)tern_reader_fail(r, op, "this joins numbers only");
			return NULL;
		}
		if (!apply(r, op, a, b->value))
			return NULL;
	}
	return a;
}

static bool read_name(struct tern_reader *r, struct tern_script_call *call)
{
	const char *word;
	size_t len = tern_reader_word(r, &word);

	if (!len)
		return tern_reader_expected(r, "a packet (< or >), a system call, %{ or `");
	for (unsigned int i = 0; i < TERN_CALLS; i++) {
		if (strlen(calls[i].name) == len && memcmp(calls[i].name, word, len) == 0) {
			call->name = (enum tern_call_name)i;
			return true;
		}
	}
	return tern_reader_fail(r, word, "there is no system call '%.*s' here", (int)len, word);
}

static bool read_arguments(struct tern_reader *r, struct tern_script_call *call, const char *from)
{
	struct tern_expr list = { 0 };

	if (!tern_reader_want(r, "(") || !read_members(r, &list, ")", 0))
		return false;
	call->args = list.first;
	for (const struct tern_expr *e = list.first; e; e = e->next)
		call->count++;
	if (call->count >= calls[call->name].least && call->count <= calls[call->name].most)
		return true;
	return tern_reader_fail(r, from, "%s() has %u arguments, not %u", calls[call->name].name,
				calls[call->name].most, call->count);
}

/* EINPROGRESS (Operation now in progress): both may be left out. */
static bool read_errno(struct tern_reader *r, struct tern_script_call *call)
{
	const char *word;
	size_t len = tern_reader_word(r, &word);

	if (len) {
		call->error = tern_symbol_errno(word, len);
		if (!call->error)
			return tern_reader_fail(r, word, "'%.*s' is no errno", (int)len, word);
	}
	if (!tern_reader_take(r, "("))
		return true;
	while (r->p < r->end && *r->p != ')' && *r->p != '\n')
		r->p++;
	return tern_reader_want(r, ")");
}

bool tern_script_read_call(struct tern_reader *r, struct tern_script_call *call)
{
	const char *from;

	tern_reader_skip_blanks(r);
	from = r->p;
	if (!read_name(r, call) || !read_arguments(r, call, from) || !tern_reader_want(r, "="))
		return false;
	call->result = read_primary(r, 0);
	if (!call->result)
		return false;
	if (call->result->kind != TERN_EXPR_NUMBER && call->result->kind != TERN_EXPR_ELLIPSIS)
		return tern_reader_fail(r, from, "a result is a number or ...");
	return read_errno(r, call);
}
