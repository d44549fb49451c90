/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_check.c: what %{ }% blocks ask, and what shell lines set.
 *
 * A block is asked at its time, about the socket under test: TCP_INFO and SO_MEMINFO as
 * getsockopt() gives them. Numbers are Python's as far as scripts go: whole ones, and real ones
 * once there is a division or a point.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "sim/drill_internal.h"
#include "sim/symbol.h"
#include "sock/abi.h"
#include "trace/sysctl.h"

enum {
	INFO_MAX = 512,
	OPTION_MEMINFO = 55,
};

struct info {
	struct drill *d;
	uint8_t tcp[INFO_MAX], mem[INFO_MAX];
	uint32_t tcp_len, mem_len;
	bool failed;
};

struct number {
	bool real;
	int64_t i;
	double r;
};

static struct number whole(int64_t i)
{
	return (struct number){ .i = i, .r = (double)i };
}

static struct number real(double r)
{
	return (struct number){ .real = true, .r = r };
}

static bool is_true(const struct number *n)
{
	return n->real ? n->r != 0 : n->i != 0;
}

static struct number evaluate(struct info *info, const struct tern_expr *e);

static struct number field(struct info *info, int number)
{
	bool mem = tern_info_is_meminfo(number);
	int64_t value = 0;

	if (!tern_info_value(number, mem ? info->mem : info->tcp,
			     mem ? info->mem_len : info->tcp_len, &value)) {
		tern_drill_fail(info->d, "the socket does not tell %s",
				tern_info_field_name(number));
		info->failed = true;
	}
	return whole(value);
}

static struct number unary(struct info *info, const struct tern_expr *e)
{
	struct number a = evaluate(info, e->first);

	switch (e->op) {
	case TERN_OP_MINUS:
		return a.real ? real(-a.r) : whole((int64_t)(0 - (uint64_t)a.i));
	case TERN_OP_INVERT:
		return whole(~a.i);
	case TERN_OP_ABS:
		if (a.real)
			return real(a.r < 0 ? -a.r : a.r);
		return whole(a.i < 0 ? (int64_t)(0 - (uint64_t)a.i) : a.i);
	default:
		return whole(!is_true(&a));
	}
}

static struct number compare(enum tern_expr_op op, struct number a, struct number b)
{
	bool reals = a.real || b.real;
	int order = reals ? (a.r > b.r) - (a.r < b.r) : (a.i > b.i) - (a.i < b.i);

	switch (op) {
	case TERN_OP_EQ:
		return whole(order == 0);
	case TERN_OP_NE:
		return whole(order != 0);
	case TERN_OP_LT:
		return whole(order < 0);
	case TERN_OP_LE:
		return whole(order <= 0);
	case TERN_OP_GT:
		return whole(order > 0);
	case TERN_OP_GE:
		return whole(order >= 0);
	case TERN_OP_MIN:
		return order <= 0 ? a : b;
	default:
		return order >= 0 ? a : b;
	}
}

static struct number divide(struct info *info, enum tern_expr_op op, struct number a,
			    struct number b)
{
	int64_t q;

	if (!is_true(&b) || (!b.real && b.i == -1 && a.i == INT64_MIN)) {
		tern_drill_fail(info->d, "division by zero");
		info->failed = true;
		return whole(0);
	}
	if (op == TERN_OP_DIV || a.real || b.real) {
		q = (int64_t)(a.r / b.r);
		q -= (double)q > a.r / b.r;
		return op == TERN_OP_DIV     ? real(a.r / b.r)
		       : op == TERN_OP_FLOOR ? real((double)q)
					     : real(a.r - (double)q * b.r);
	}
	/* Python's division goes towards minus infinity. */
	q = a.i / b.i - (a.i % b.i != 0 && (a.i < 0) != (b.i < 0));
	return whole(op == TERN_OP_FLOOR ? q : a.i - q * b.i);
}

static struct number bits(enum tern_expr_op op, struct number a, struct number b)
{
	uint64_t n = (uint64_t)b.i & 63;

	switch (op) {
	case TERN_OP_AND:
		return whole(a.i & b.i);
	case TERN_OP_OR:
		return whole(a.i | b.i);
	case TERN_OP_XOR:
		return whole(a.i ^ b.i);
	case TERN_OP_SHL:
		return whole((int64_t)((uint64_t)a.i << n));
	default:
		return whole(a.i >> n);
	}
}

static struct number calculate(enum tern_expr_op op, struct number a, struct number b)
{
	bool reals = a.real || b.real;
	uint64_t x = (uint64_t)a.i, y = (uint64_t)b.i;

	if (op == TERN_OP_ADD)
		return reals ? real(a.r + b.r) : whole((int64_t)(x + y));
	if (op == TERN_OP_SUB)
		return reals ? real(a.r - b.r) : whole((int64_t)(x - y));
	return reals ? real(a.r * b.r) : whole((int64_t)(x * y));
}

static struct number binary(struct info *info, const struct tern_expr *e)
{
	struct number a = evaluate(info, e->first), b;

	if (e->op == TERN_OP_BOTH && !is_true(&a))
		return a;
	if (e->op == TERN_OP_EITHER && is_true(&a))
		return a;
	b = evaluate(info, e->first->next);
	switch (e->op) {
	case TERN_OP_BOTH:
	case TERN_OP_EITHER:
		return b;
	case TERN_OP_ADD:
	case TERN_OP_SUB:
	case TERN_OP_MUL:
		return calculate(e->op, a, b);
	case TERN_OP_DIV:
	case TERN_OP_FLOOR:
	case TERN_OP_MOD:
		return divide(info, e->op, a, b);
	case TERN_OP_AND:
	case TERN_OP_OR:
	case TERN_OP_XOR:
	case TERN_OP_SHL:
	case TERN_OP_SHR:
		return bits(e->op, a, b);
	default:
		return compare(e->op, a, b);
	}
}

static struct number evaluate(struct info *info, const struct tern_expr *e)
{
	switch (e->kind) {
	case TERN_EXPR_FIELD:
		return field(info, (int)e->value);
	case TERN_EXPR_UNARY:
		return unary(info, e);
	case TERN_EXPR_BINARY:
		return binary(info, e);
	default:
		return e->length ? real(e->real) : whole(e->value);
	}
}

static void say_failed(struct drill *d, struct info *info, const struct tern_script_assert *a)
{
	struct number n;

	if (!a->shown) {
		tern_drill_fail(d, "the assertion does not hold: %s", a->text);
		return;
	}
	n = evaluate(info, a->shown);
	if (n.real)
		tern_drill_fail(d, "the assertion does not hold: %s (it is %g)", a->text, n.r);
	else
		tern_drill_fail(d, "the assertion does not hold: %s (it is %lld)", a->text,
				(long long)n.i);
}

void tern_drill_check(struct drill *d, const struct tern_script_assert *asserts)
{
	struct info info = { .d = d, .tcp_len = INFO_MAX, .mem_len = INFO_MAX };
	int fd = d->under_test ? d->under_test->fd : -1, live, err;
	struct number n;

	if (fd < 0 || d->fds[fd].kind != DRILL_FD_SOCKET) {
		tern_drill_broken(d, d->event->place,
				  "no socket to ask: the one under test has no descriptor (yet)");
		return;
	}
	live = d->fds[fd].live;
	err = tern_sock_getsockopt(d->ss, d->now, live, TERN_ABI_SOL_TCP, TERN_ABI_TCP_INFO,
				   info.tcp, &info.tcp_len);
	if (err)
		info.tcp_len = 0;
	if (tern_sock_getsockopt(d->ss, d->now, live, TERN_ABI_SOL_SOCKET, OPTION_MEMINFO, info.mem,
				 &info.mem_len))
		info.mem_len = 0;
	for (const struct tern_script_assert *a = asserts; a; a = a->next) {
		n = evaluate(&info, a->condition);
		if (info.failed)
			return;
		if (!is_true(&n)) {
			say_failed(d, &info, a);
			return;
		}
	}
}

static void set_knob(struct drill *d, const struct tern_script_setting *s)
{
	int err = tern_stack_knob(d->st, d->now, s->name, s->value);
	char why[TERN_KNOB_WHY_MAX];

	if (!err || (err == -ENOENT && s->optional))
		return;
	tern_knob_complain(s->name, s->value, err, why, sizeof(why));
	tern_drill_broken(d, s->place, "%s", why);
}

static void check_counter(struct drill *d, const struct tern_script_setting *s)
{
	const char *name;
	uint64_t grown, wanted = 0;

	for (unsigned int i = 0; (name = tern_counter_name(i)); i++) {
		if (strcmp(name, s->name) != 0)
			continue;
		grown = tern_stack_counter(d->st, i) - d->looked[i];
		if (s->value && tern_text_parse_u64(s->value, &wanted) < 0)
			tern_drill_broken(d, s->place, "'%s' is no number", s->value);
		else if (s->value ? grown != wanted : grown == 0)
			tern_drill_fail(d, "%s has grown by %llu%s%s", name,
					(unsigned long long)grown, s->value ? ", not " : "",
					s->value ? s->value : "");
		return;
	}
	tern_drill_broken(d, s->place, "there is no counter %s", s->name);
}

void tern_drill_settings(struct drill *d, const struct tern_script_setting *settings)
{
	for (const struct tern_script_setting *s = settings; s; s = s->next) {
		if (d->verdict != TERN_DRILL_PASSED)
			return;
		if (s->kind == TERN_SETTING_KNOB)
			set_knob(d, s);
		else if (s->kind == TERN_SETTING_COUNTER)
			check_counter(d, s);
		else
			for (unsigned int i = 0; i < TERN_COUNTERS; i++)
				d->looked[i] = tern_stack_counter(d->st, i);
	}
}
