/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script_shell.c: `shell lines`, read for the settings that they make. Nothing is executed.
 *
 *	sysctl [-q] [-w] [-e] NAME=VALUE ...	settings
 *	SOMETHING/set_sysctls.py PATH=VALUE ...	settings, by their path below /proc/sys
 *	echo VALUE > /proc/sys/PATH		a setting
 *	nstat [-n] [-s]				growth of counters counts from here (not with -s)
 *	nstat | grep NAME [| grep -q " N "]	has the counter grown (by N)?
 *	FILE.sh					lines like these, in a file beside the script
 *	sysctl_restore_PID.sh			nothing: what a script sets is gone when it ends
 *	ip tcp_metrics, tc, ethtool		nothing: a script has its own stack and link
 *	rm, dd					nothing: what open() gives is zeros without end
 *
 * Commands stand apart by newlines, ; or &&; words have the shell's quotes, $((...)) with numbers;
 * output may go to /dev/null. Everything else is an error.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/reader.h"

enum {
	WORDS_MAX = 64,
	WORD_MAX = 512,
	FILE_MAX = 1 << 20,
	DEPTH_MAX = 4,
};

struct command {
	const char *words[WORDS_MAX];
	const char *places[WORDS_MAX];
	unsigned int count;
};

char *tern_script_load(struct tern_arena *arena, const char *path, size_t *ret_length)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	long size;

	if (!f)
		return NULL;
	size = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
	if (size == LONG_MAX) /* what a directory says */
		errno = EISDIR;
	else if (size > FILE_MAX)
		errno = EFBIG;
	else if (size >= 0 && fseek(f, 0, SEEK_SET) == 0)
		text = tern_arena_alloc(arena, (size_t)size + 1);
	if (text && fread(text, 1, (size_t)size, f) != (size_t)size) {
		errno = EIO;
		text = NULL;
	}
	(void)fclose(f);
	if (text)
		*ret_length = (size_t)size;
	return text;
}

/* ---- $((15*1024*1024)) ---- */

static bool read_sum(struct tern_reader *r, int64_t *ret);

static bool read_factor(struct tern_reader *r, int64_t *ret)
{
	if (tern_reader_take(r, "("))
		return read_sum(r, ret) && tern_reader_want(r, ")");
	return tern_reader_number(r, INT32_MIN, INT64_C(1) << 40, ret);
}

static bool read_product(struct tern_reader *r, int64_t *ret)
{
	const char *op;
	int64_t b;

	if (!read_factor(r, ret))
		return false;
	while (tern_reader_peek(r, "*") || tern_reader_peek(r, "/")) {
		op = r->p++;
		if (!read_factor(r, &b))
			return false;
		if (*op == '/' && b == 0)
			return tern_reader_fail(r, op, "division by zero");
		if (*op == '/')
			*ret /= b;
		else if (__builtin_mul_overflow(*ret, b, ret))
			return tern_reader_fail(r, op, "this is too large");
	}
	return true;
}

static bool read_sum(struct tern_reader *r, int64_t *ret)
{
	const char *op;
	int64_t b;

	if (!read_product(r, ret))
		return false;
	while (tern_reader_peek(r, "+") || tern_reader_peek(r, "-")) {
		op = r->p++;
		if (!read_product(r, &b))
			return false;
		if (*op == '-' ? __builtin_sub_overflow(*ret, b, ret)
			       : __builtin_add_overflow(*ret, b, ret))
			return tern_reader_fail(r, op, "this is too large");
	}
	return true;
}

/* ---- words ---- */

struct word {
	char text[WORD_MAX];
	size_t len;
};

static bool add(struct tern_reader *r, struct word *w, const char *bytes, size_t n)
{
	if (w->len + n >= sizeof(w->text))
		return tern_reader_fail(r, r->p, "this word is too long");
	memcpy(w->text + w->len, bytes, n);
	w->len += n;
	w->text[w->len] = '\0';
	return true;
}

/* $((...)) counts; ${PPID} and the like only appear in names of files and stay as they are. */
static bool add_dollar(struct tern_reader *r, struct word *w)
{
	char digits[24];
	int64_t n;
	int len;

	if (!tern_reader_take(r, "$((")) {
		r->p++;
		return add(r, w, "$", 1);
	}
	if (!read_sum(r, &n) || !tern_reader_want(r, "))"))
		return false;
	len = snprintf(digits, sizeof(digits), "%lld", (long long)n);
	return add(r, w, digits, (size_t)len);
}

static bool add_quoted(struct tern_reader *r, struct word *w)
{
	const char *open = r->p++;

	while (r->p < r->end && *r->p != *open) {
		if (*r->p == '$' && *open == '"') {
			if (!add_dollar(r, w))
				return false;
		} else {
			if (!add(r, w, r->p, 1))
				return false;
			r->p++;
		}
	}
	if (r->p == r->end)
		return tern_reader_fail(r, open, "this quotation mark has no second one");
	r->p++;
	return true;
}

static bool ends_word(char c)
{
	return isspace((unsigned char)c) || c == ';' || c == '|' || c == '&' || c == '>';
}

static bool read_word(struct tern_reader *r, struct command *c)
{
	struct word w = { .len = 0 };
	const char *from = r->p;

	if (c->count == WORDS_MAX)
		return tern_reader_fail(r, from, "this command has too many words");
	while (r->p < r->end && !ends_word(*r->p)) {
		bool good;

		if (*r->p == '"' || *r->p == '\'') {
			good = add_quoted(r, &w);
		} else if (*r->p == '$') {
			good = add_dollar(r, &w);
		} else {
			good = add(r, &w, r->p, 1);
			r->p++;
		}
		if (!good)
			return false;
	}
	c->places[c->count] = from;
	c->words[c->count] = tern_arena_copy(r->arena, w.text, w.len);
	return c->words[c->count++] || tern_reader_fail(r, from, "no memory");
}

/* > FILE, 2>&1, >/dev/null: true where there is one; only /proc/sys/ is of interest. */
static bool read_redirection(struct tern_reader *r, struct command *c, const char **target)
{
	const char *from = r->p;

	if (!tern_reader_take(r, "2>") && !tern_reader_take(r, "&>") &&
	    !tern_reader_take(r, ">>") && !tern_reader_take(r, ">"))
		return false;
	if (tern_reader_take(r, "&1") || tern_reader_take(r, "&2"))
		return true;
	tern_reader_skip_blanks(r);
	if (!read_word(r, c))
		return false;
	c->count--;
	if (strncmp(c->words[c->count], "/proc/sys/", 10) == 0)
		*target = c->words[c->count];
	else if (strcmp(c->words[c->count], "/dev/null") != 0)
		return tern_reader_fail(r, from, "output may go to /dev/null or /proc/sys/ only");
	return true;
}

/* ---- commands ---- */

static bool add_setting(struct tern_reader *r, const char *place, const char *name,
			const char *value, bool optional, struct tern_script_setting ***tail)
{
	struct tern_script_setting *s = tern_reader_alloc(r, sizeof(*s));
	char *copy = tern_arena_copy(r->arena, name, strlen(name));

	if (!s || !copy)
		return tern_reader_fail(r, place, "no memory");
	if (strncmp(copy, "/proc/sys/", 10) == 0)
		copy += 10;
	for (char *p = copy; *p; p++)
		if (*p == '/')
			*p = '.';
	s->name = copy;
	s->value = value;
	s->optional = optional;
	s->place = tern_reader_place(r, place);
	**tail = s;
	*tail = &s->next;
	return true;
}

/* NAME=VALUE */
static bool read_assignment(struct tern_reader *r, const struct command *c, unsigned int i,
			    bool optional, struct tern_script_setting ***tail)
{
	const char *word = c->words[i], *equals = strchr(word, '=');
	const char *name;

	if (!equals || equals == word)
		return tern_reader_fail(r, c->places[i], "NAME=VALUE expected, not '%s'", word);
	name = tern_arena_copy(r->arena, word, (size_t)(equals - word));
	if (!name)
		return tern_reader_fail(r, c->places[i], "no memory");
	return add_setting(r, c->places[i], name, equals + 1, optional, tail);
}

static bool do_sysctl(struct tern_reader *r, const struct command *c,
		      struct tern_script_setting ***tail)
{
	bool optional = false;
	unsigned int i = 1;

	for (; i < c->count && c->words[i][0] == '-'; i++) {
		if (c->words[i][strspn(c->words[i], "-qwen")] != '\0')
			return tern_reader_fail(r, c->places[i], "sysctl %s is not known here",
						c->words[i]);
		optional = optional || strchr(c->words[i], 'e');
	}
	for (; i < c->count; i++)
		if (!read_assignment(r, c, i, optional, tail))
			return false;
	return true;
}

static bool do_assignments(struct tern_reader *r, const struct command *c,
			   struct tern_script_setting ***tail)
{
	for (unsigned int i = 1; i < c->count; i++)
		if (!read_assignment(r, c, i, false, tail))
			return false;
	return true;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool ends_in(const char *word, const char *end)
{
	size_t n = strlen(word), m = strlen(end);

	return n >= m && strcmp(word + n - m, end) == 0;
}

/* A file of commands, beside the script that names it or where its name says. */
static bool do_file(struct tern_reader *r, const struct command *c,
		    struct tern_script_setting ***tail)
{
	struct tern_script_error inner = { 0 };
	struct tern_reader sub = { .arena = r->arena, .error = &inner, .depth = r->depth + 1 };
	const char *word = c->words[0];
	char path[1024];
	size_t len;

	if (strncmp(last_part(word), "sysctl_restore", 14) == 0)
		return true;
	if (sub.depth > DEPTH_MAX)
		return tern_reader_fail(r, c->places[0], "files name each other too deeply");
	(void)snprintf(path, sizeof(path), "%.*s%s",
		       word[0] == '/' ? 0 : (int)(last_part(r->name) - r->name), r->name, word);
	sub.text = tern_script_load(r->arena, path, &len);
	if (!sub.text)
		return tern_reader_fail(r, c->places[0], "%s: %s", path, strerror(errno));
	sub.name = tern_arena_copy(r->arena, path, strlen(path));
	sub.p = sub.seen = sub.text;
	sub.at = (struct tern_script_place){ 1, 1 };
	sub.end = sub.text + len;
	if (!sub.name || tern_script_read_commands(&sub, tail))
		return sub.name || tern_reader_fail(r, c->places[0], "no memory");
	return tern_reader_fail(r, c->places[0], "%s:%u:%u: %s", path, inner.place.line,
				inner.place.column, inner.message);
}

static struct tern_script_setting *add_look(struct tern_reader *r, const char *place,
					    enum tern_setting_kind kind,
					    struct tern_script_setting ***tail)
{
	struct tern_script_setting *s = tern_reader_alloc(r, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = kind;
	s->place = tern_reader_place(r, place);
	**tail = s;
	*tail = &s->next;
	return s;
}

/* The words of a command in a pipeline. */
static bool read_piped(struct tern_reader *r, struct command *c)
{
	const char *target = NULL;

	for (;;) {
		tern_reader_skip_blanks(r);
		if (r->p == r->end || strchr("\n;|", *r->p))
			return true;
		if (!read_redirection(r, c, &target) && (r->failed || !read_word(r, c)))
			return false;
	}
}

/* | grep [-q] PATTERN: the pattern without the blanks around it, or NULL. */
static const char *read_grep(struct tern_reader *r)
{
	struct command c = { .count = 0 };
	const char *word;
	size_t n;

	if (!tern_reader_want(r, "|") || !read_piped(r, &c))
		return NULL;
	if (c.count < 2 || c.count > 3 || strcmp(c.words[0], "grep") != 0 ||
	    (c.count == 3 && strcmp(c.words[1], "-q") != 0)) {
		(void)tern_reader_fail(r, c.count ? c.places[0] : r->p,
				       "grep [-q] PATTERN expected behind nstat");
		return NULL;
	}
	word = c.words[c.count - 1];
	word += strspn(word, " \t");
	for (n = strlen(word); n && isspace((unsigned char)word[n - 1]);)
		n--;
	return tern_arena_copy(r->arena, word, n);
}

/* nstat, and what its output is searched for. */
static bool do_nstat(struct tern_reader *r, const struct command *c,
		     struct tern_script_setting ***tail)
{
	struct tern_script_setting *s;
	bool keep = true;

	for (unsigned int i = 1; i < c->count; i++) {
		if (strcmp(c->words[i], "-n") != 0 && strcmp(c->words[i], "-s") != 0)
			return tern_reader_fail(r, c->places[i], "nstat %s is not known here",
						c->words[i]);
		keep = keep && strcmp(c->words[i], "-s") != 0;
	}
	if (tern_reader_peek(r, "|")) {
		s = add_look(r, c->places[0], TERN_SETTING_COUNTER, tail);
		if (!s)
			return false;
		s->name = read_grep(r);
		if (tern_reader_peek(r, "|"))
			s->value = read_grep(r);
	}
	return !r->failed && (!keep || add_look(r, c->places[0], TERN_SETTING_LOOK, tail));
}

/* What is about the machine that packetdrill runs on, and has no meaning here. */
static bool is_of_the_host(const struct command *c)
{
	static const char *const words[][2] = {
		{ "ip", "tcp_metrics" }, { "tc", "qdisc" },   { "ethtool", "-K" }, { "true", NULL },
		{ ":", NULL },           { "set", NULL },     { "rm", NULL },      { "dd", NULL },
		{ "/bin/rm", NULL },     { "/bin/dd", NULL },
	};

	for (size_t i = 0; i < TERN_ARRAY_SIZE(words); i++)
		if (strcmp(c->words[0], words[i][0]) == 0 &&
		    (!words[i][1] || (c->count > 1 && strcmp(c->words[1], words[i][1]) == 0)))
			return true;
	return false;
}

static bool run_command(struct tern_reader *r, struct command *c, const char *target,
			struct tern_script_setting ***tail)
{
	const char *name = last_part(c->words[0]);

	if (strcmp(name, "echo") == 0 && target && c->count == 2)
		return add_setting(r, c->places[0], target, c->words[1], false, tail);
	if (strcmp(name, "sysctl") == 0)
		return do_sysctl(r, c, tail);
	if (ends_in(name, "set_sysctls.py"))
		return do_assignments(r, c, tail);
	if (strcmp(name, "nstat") == 0)
		return do_nstat(r, c, tail);
	if (ends_in(name, ".sh") && c->count == 1)
		return do_file(r, c, tail);
	if (is_of_the_host(c))
		return true;
	return tern_reader_fail(r, c->places[0],
				"'%s' is not understood here: sysctl is, and nothing is executed",
				c->words[0]);
}

/* A command up to its end; the cursor is then at what ends it. */
static bool read_command(struct tern_reader *r, struct tern_script_setting ***tail)
{
	struct command c = { .count = 0 };
	const char *target = NULL;

	for (;;) {
		tern_reader_skip_blanks(r);
		if (r->failed)
			return false;
		if (tern_reader_take(r, "\\\n"))
			continue;
		if (r->p == r->end || *r->p == '\n' || *r->p == ';' || *r->p == '#' ||
		    tern_reader_peek(r, "&&"))
			break;
		if (read_redirection(r, &c, &target))
			continue;
		if (r->failed)
			return false;
		if (*r->p == '|' && c.count && strcmp(c.words[0], "nstat") == 0)
			break;
		if (*r->p == '|' || *r->p == '&')
			return tern_reader_expected(r, "a plain command");
		if (!read_word(r, &c))
			return false;
	}
	return c.count == 0 || run_command(r, &c, target, tail);
}

bool tern_script_read_commands(struct tern_reader *r, struct tern_script_setting ***tail)
{
	while (r->p < r->end) {
		if (!read_command(r, tail))
			return false;
		if (r->p < r->end && *r->p == '#')
			while (r->p < r->end && *r->p != '\n')
				r->p++;
		if (!tern_reader_take(r, "&&") && r->p < r->end)
			r->p++;
	}
	return true;
}

bool tern_script_read_shell(struct tern_reader *r, struct tern_script_setting **ret)
{
	struct tern_reader sub;
	const char *open = r->p;

	if (!tern_reader_want(r, "`"))
		return false;
	sub = *r;
	while (r->p < r->end && *r->p != '`')
		r->p++;
	if (r->p == r->end)
		return tern_reader_fail(r, open, "this ` has no second one");
	sub.end = r->p++;
	if (tern_script_read_commands(&sub, &ret))
		return true;
	r->failed = true;
	return false;
}
