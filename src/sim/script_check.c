/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script_check.c: %{ }% blocks, as far as they ask about TCP_INFO.
 *
 * In packetdrill a block is Python. Here it is what blocks of the field hold: statements apart by
 * newlines or semicolons, each `assert CONDITION [, SHOWN]`, `print` (passed over: it asks nothing)
 * or `pass`. Conditions have Python's operators and their precedence: or, and, not, chains of
 * comparisons, in, | ^ & << >> + - * / // %, unary - + ~, abs() min() max(). Names are fields
 * of TCP_INFO (tcpi_state), of SO_MEMINFO (SK_MEMINFO_RCVBUF), and symbols. Anything else is an
 * error with its place.
 */
#include <ctype.h>
#include <string.h>

#include "sim/reader.h"
#include "sim/symbol.h"

enum { DEPTH_MAX = 64 };

struct check {
	struct tern_reader *r;
	unsigned int parens, depth;
};

static struct tern_expr *read_level(struct check *c, unsigned int level);

/* Blanks, comments, continued lines; inside parentheses newlines, too. */
static void gap(struct check *c)
{
	struct tern_reader *r = c->r;

	for (;;) {
		tern_reader_skip_blanks(r);
		if (r->end - r->p > 1 && r->p[0] == '\\' && r->p[1] == '\n')
			r->p += 2;
		else if (r->p < r->end && *r->p == '\n' && c->parens)
			r->p++;
		else if (r->p < r->end && *r->p == '#')
			while (r->p < r->end && *r->p != '\n')
				r->p++;
		else
			return;
	}
}

static struct tern_expr *new_expr(struct check *c, enum tern_expr_kind kind)
{
	struct tern_expr *e = tern_reader_alloc(c->r, sizeof(*e));

	if (!e)
		return NULL;
	e->kind = kind;
	e->place = tern_reader_here(c->r);
	return e;
}

static struct tern_expr *join(struct check *c, enum tern_expr_op op, struct tern_expr *a,
			      struct tern_expr *b)
{
	struct tern_expr *e = new_expr(c, b ? TERN_EXPR_BINARY : TERN_EXPR_UNARY);

	if (!e)
		return NULL;
	e->op = op;
	e->first = a;
	a->next = b;
	return e;
}

/* The same again: a node has one sibling only. */
static struct tern_expr *again(struct check *c, const struct tern_expr *e)
{
	struct tern_expr *copy = tern_reader_alloc(c->r, sizeof(*copy));

	if (copy) {
		*copy = *e;
		copy->next = NULL;
	}
	return copy;
}

static struct tern_expr *read_number(struct check *c)
{
	struct tern_expr *e = new_expr(c, TERN_EXPR_NUMBER);
	struct tern_reader *r = c->r;
	double scale = 1;

	if (!e || !tern_reader_number(r, 0, INT64_MAX, &e->value))
		return NULL;
	e->real = (double)e->value;
	if (r->p == r->end || *r->p != '.')
		return e;
	e->length = 1; /* a real number */
	for (r->p++; r->p < r->end && isdigit((unsigned char)*r->p); r->p++) {
		scale /= 10;
		e->real += scale * (*r->p - '0');
	}
	return e;
}

/* abs(a), min(a, b), max(a, b); the parenthesis is next. */
static struct tern_expr *read_function(struct check *c, const char *word, size_t len)
{
	static const struct {
		const char *name;
		enum tern_expr_op op;
	} functions[] = { { "abs", TERN_OP_ABS }, { "min", TERN_OP_MIN }, { "max", TERN_OP_MAX } };
	struct tern_expr *a, *b = NULL;

	for (size_t i = 0; i < TERN_ARRAY_SIZE(functions); i++) {
		if (strlen(functions[i].name) != len || memcmp(functions[i].name, word, len) != 0)
			continue;
		c->r->p++;
		c->parens++;
		a = read_level(c, 0);
		gap(c);
		if (a && functions[i].op != TERN_OP_ABS) {
			if (!tern_reader_want(c->r, ","))
				return NULL;
			b = read_level(c, 0);
		}
		gap(c);
		c->parens--;
		if (!a || !tern_reader_want(c->r, ")") || (functions[i].op != TERN_OP_ABS && !b))
			return NULL;
		return join(c, functions[i].op, a, b);
	}
	(void)tern_reader_fail(c->r, word, "'%.*s()' is not known here (abs, min, max are)",
			       (int)len, word);
	return NULL;
}

static struct tern_expr *read_name(struct check *c)
{
	struct tern_expr *e = new_expr(c, TERN_EXPR_NUMBER);
	struct tern_reader *r = c->r;
	const char *word;
	size_t len;
	int field;

	if (!e)
		return NULL;
	len = tern_reader_word(r, &word);
	if (tern_reader_peek(r, "("))
		return read_function(c, word, len);
	field = tern_info_field(word, len);
	if (field >= 0) {
		e->kind = TERN_EXPR_FIELD;
		e->value = field;
		return e;
	}
	if ((len == 4 && memcmp(word, "True", len) == 0) ||
	    (len == 5 && memcmp(word, "False", len) == 0))
		e->value = len == 4;
	else if (!tern_symbol_find(word, len, &e->value)) {
		(void)tern_reader_fail(r, word,
				       "'%.*s' is neither a field of TCP_INFO nor a known constant",
				       (int)len, word);
		return NULL;
	}
	e->real = (double)e->value;
	return e;
}

static struct tern_expr *read_primary(struct check *c)
{
	struct tern_reader *r = c->r;
	struct tern_expr *e;

	gap(c);
	if (tern_reader_take(r, "(")) {
		c->parens++;
		e = read_level(c, 0);
		gap(c);
		c->parens--;
		return e && tern_reader_want(r, ")") ? e : NULL;
	}
	if (tern_reader_at_word(r))
		return read_name(c);
	if (r->p < r->end && isdigit((unsigned char)*r->p))
		return read_number(c);
	(void)tern_reader_expected(r, "a field of TCP_INFO or a number");
	return NULL;
}

/* - + ~, then what they are for. */
static struct tern_expr *read_unary(struct check *c)
{
	struct tern_expr *e;

	gap(c);
	if (tern_reader_take(c->r, "+"))
		return read_unary(c);
	if (tern_reader_take(c->r, "-")) {
		e = read_unary(c);
		return e ? join(c, TERN_OP_MINUS, e, NULL) : NULL;
	}
	if (tern_reader_take(c->r, "~")) {
		e = read_unary(c);
		return e ? join(c, TERN_OP_INVERT, e, NULL) : NULL;
	}
	return read_primary(c);
}

struct op {
	const char *text;
	enum tern_expr_op op;
	uint8_t level;
};

enum { LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_BITS, LEVEL_UNARY = 10 };

/* Longer texts first where one begins another. */
static const struct op ops[] = {
	{ "or", TERN_OP_EITHER, LEVEL_OR },
	{ "and", TERN_OP_BOTH, LEVEL_AND },
	{ "==", TERN_OP_EQ, LEVEL_COMPARE },
	{ "!=", TERN_OP_NE, LEVEL_COMPARE },
	{ "<=", TERN_OP_LE, LEVEL_COMPARE },
	{ ">=", TERN_OP_GE, LEVEL_COMPARE },
	{ "<<", TERN_OP_SHL, 7 },
	{ ">>", TERN_OP_SHR, 7 },
	{ "<", TERN_OP_LT, LEVEL_COMPARE },
	{ ">", TERN_OP_GT, LEVEL_COMPARE },
	{ "|", TERN_OP_OR, LEVEL_BITS },
	{ "^", TERN_OP_XOR, 5 },
	{ "&", TERN_OP_AND, 6 },
	{ "+", TERN_OP_ADD, 8 },
	{ "-", TERN_OP_SUB, 8 },
	{ "*", TERN_OP_MUL, 9 },
	{ "//", TERN_OP_FLOOR, 9 },
	{ "/", TERN_OP_DIV, 9 },
	{ "%", TERN_OP_MOD, 9 },
};

/* The operator that is next, if it is one of the level; passed. */
static const struct op *take_op(struct check *c, unsigned int level)
{
	gap(c);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(ops); i++) {
		bool word = isalpha((unsigned char)ops[i].text[0]);

		if (!tern_reader_peek(c->r, ops[i].text))
			continue;
		if (ops[i].level != level)
			return NULL;
		if (word ? tern_reader_take_word(c->r, ops[i].text)
			 : tern_reader_take(c->r, ops[i].text))
			return &ops[i];
	}
	return NULL;
}

/* x in (a, b): x == a or x == b. */
static struct tern_expr *read_in(struct check *c, struct tern_expr *left)
{
	bool list = tern_reader_peek(c->r, "[");
	struct tern_expr *all = NULL, *one;

	if (!tern_reader_take(c->r, list ? "[" : "(")) {
		(void)tern_reader_expected(c->r, "( or [");
		return NULL;
	}
	c->parens++;
	do {
		gap(c);
		if (all && tern_reader_peek(c->r, list ? "]" : ")"))
			break;
		one = read_level(c, 0);
		left = again(c, left);
		one = one && left ? join(c, TERN_OP_EQ, left, one) : NULL;
		all = all && one ? join(c, TERN_OP_EITHER, all, one) : one;
		gap(c);
	} while (all && tern_reader_take(c->r, ","));
	c->parens--;
	return all && tern_reader_want(c->r, list ? "]" : ")") ? all : NULL;
}

/* a < b < c: every neighbour is compared. */
static struct tern_expr *read_comparison(struct check *c)
{
	struct tern_expr *left = read_level(c, LEVEL_BITS), *all = NULL, *right, *one;
	const struct op *op;

	if (!left)
		return NULL;
	gap(c);
	if (tern_reader_take_word(c->r, "in"))
		return read_in(c, left);
	while ((op = take_op(c, LEVEL_COMPARE))) {
		right = read_level(c, LEVEL_BITS);
		if (!right)
			return NULL;
		one = join(c, op->op, left, right);
		all = all && one ? join(c, TERN_OP_BOTH, all, one) : one;
		left = again(c, right);
		if (!all || !left)
			return NULL;
	}
	return all ? all : left;
}

static struct tern_expr *read_level(struct check *c, unsigned int level)
{
	struct tern_expr *left, *right;
	const struct op *op;

	if (c->depth > DEPTH_MAX) {
		(void)tern_reader_fail(c->r, c->r->p, "this is nested too deeply");
		return NULL;
	}
	c->depth++;
	gap(c);
	if (level == LEVEL_NOT && tern_reader_take_word(c->r, "not")) {
		left = read_level(c, LEVEL_NOT);
		c->depth--;
		return left ? join(c, TERN_OP_NOT, left, NULL) : NULL;
	}
	if (level == LEVEL_COMPARE)
		left = read_comparison(c);
	else
		left = level == LEVEL_UNARY ? read_unary(c) : read_level(c, level + 1);
	while (left && level != LEVEL_COMPARE && level != LEVEL_NOT && (op = take_op(c, level))) {
		right = read_level(c, level + 1);
		left = right ? join(c, op->op, left, right) : NULL;
	}
	c->depth--;
	return left;
}

static bool at_quote(const struct tern_reader *r)
{
	return r->p < r->end && (*r->p == '\'' || *r->p == '"');
}

static bool skip_string(struct tern_reader *r)
{
	const char *from = r->p;

	for (r->p++; r->p < r->end && *r->p != *from && *r->p != '\n'; r->p++)
		continue;
	if (r->p == r->end || *r->p != *from)
		return tern_reader_fail(r, from, "this string does not end");
	r->p++;
	return true;
}

/* What stands behind the comma of an assert: a value, a text, or a text % value. */
static bool read_shown(struct check *c, struct tern_script_assert *a)
{
	struct tern_reader *r = c->r;

	gap(c);
	if (!at_quote(r)) {
		a->shown = read_level(c, 0);
		return a->shown != NULL;
	}
	if (!skip_string(r))
		return false;
	gap(c);
	if (!tern_reader_take(r, "%"))
		return true;
	gap(c);
	if (!tern_reader_take(r, "(")) {
		a->shown = read_level(c, LEVEL_UNARY);
		return a->shown != NULL;
	}
	c->parens++;
	do {
		gap(c);
		if (!tern_reader_peek(r, ")"))
			a->shown = read_level(c, 0);
		gap(c);
	} while (!r->failed && tern_reader_take(r, ","));
	c->parens--;
	return tern_reader_want(r, ")");
}

static bool read_assert(struct check *c, struct tern_script_assert *a)
{
	struct tern_reader *r = c->r;
	const char *from;

	gap(c);
	from = r->p;
	a->place = tern_reader_here(r);
	a->condition = read_level(c, 0);
	if (!a->condition)
		return false;
	a->text = tern_arena_copy(r->arena, from, (size_t)(r->p - from));
	if (!a->text)
		return tern_reader_fail(r, from, "no memory");
	gap(c);
	return !tern_reader_take(r, ",") || read_shown(c, a);
}

/* print asks nothing: passed up to the end of the statement. */
static void skip_statement(struct tern_reader *r)
{
	while (r->p < r->end && *r->p != '\n' && *r->p != ';' && !tern_reader_peek(r, "}%")) {
		if (at_quote(r) && !skip_string(r))
			return;
		if (r->p < r->end && *r->p != '\n')
			r->p++;
	}
}

static bool read_statement(struct check *c, struct tern_script_assert ***tail)
{
	struct tern_reader *r = c->r;
	struct tern_script_assert *a;

	if (tern_reader_take_word(r, "pass"))
		return true;
	if (tern_reader_take_word(r, "print")) {
		skip_statement(r);
		return !r->failed;
	}
	if (!tern_reader_take_word(r, "assert"))
		return tern_reader_expected(r, "assert or print (no other Python is understood)");
	a = tern_reader_alloc(r, sizeof(*a));
	if (!a || !read_assert(c, a))
		return false;
	**tail = a;
	*tail = &a->next;
	return true;
}

bool tern_script_read_check(struct tern_reader *r, struct tern_script_assert **ret)
{
	struct check c = { .r = r };
	const char *from = r->p;

	if (!tern_reader_want(r, "%{"))
		return false;
	for (;;) {
		gap(&c);
		while (r->p < r->end && (*r->p == '\n' || *r->p == ';')) {
			r->p++;
			gap(&c);
		}
		if (tern_reader_take(r, "}%"))
			return true;
		if (r->p == r->end)
			return tern_reader_fail(r, from, "this %%{ has no }%%");
		if (!read_statement(&c, &ret))
			return false;
		gap(&c);
		if (r->p < r->end && *r->p != '\n' && *r->p != ';' && !tern_reader_peek(r, "}%"))
			return tern_reader_expected(r, "the end of the statement");
	}
}
