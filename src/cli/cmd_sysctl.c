/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_sysctl.c: tern sysctl: knobs of a running stack, by Linux' names, in sysctl's form.
 *
 * Each operand is a request of its own: a name, a pattern of names, or NAME=VALUE. What was done
 * before one that fails is shown. --explain says what knobs do and what their values mean; where
 * no stack runs, it tells of the defaults. A file (-p) has sysctl.conf's form; a line about a knob
 * that is not tern's is passed over, with a word about it.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/view.h"
#include "report/json.h"
#include "trace/sysctl.h"
#include "trace/sysctl_explain.h"

enum {
	KNOB_NAME_MAX = 128,
	REQUEST_MAX = 2048,
	WORDS_MAX = 256,
	LINE_MAX = 2048,
	WHY_MAX = TERN_KNOB_WHY_MAX + REQUEST_MAX,
};

struct request {
	struct tern_view view; /* first: take_knob() is given it */
	bool all, write, values, explain, json, pretty;
	const char *file;    /* -p, or NULL */
	const char *pattern; /* of names to show, or NULL */
	const char *words[WORDS_MAX];
	unsigned int count, shown;
	struct tern_json out;
	struct tern_knobs knobs; /* for --explain: as in the stack */
};

static void write_knob(struct request *r, const char *name, const char *value)
{
	unsigned int count;
	const struct tern_knob_row *row = tern_knob_find(name, &count);

	if (row)
		name = row->name; /* whole, with dots */
	r->shown++;
	if (r->json) {
		tern_json_str(&r->out, name, value);
		return;
	}
	if (!r->values) {
		tern_sink_str(&r->view.out, name);
		tern_sink_str(&r->view.out, " = ");
	}
	tern_sink_str(&r->view.out, value);
	tern_sink_newline(&r->view.out);
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static bool is_wanted(const struct request *r, const char *name)
{
	return !r->pattern || fnmatch(r->pattern, name, 0) == 0 ||
	       fnmatch(r->pattern, last_part(name), 0) == 0;
}

static int take_knob(struct tern_view *view, const char *line, size_t len)
{
	struct request *r = (struct request *)view;
	struct tern_view_member m;
	int err = tern_view_member(line, len, &m);

	if (!err && is_wanted(r, m.name))
		write_knob(r, m.name, m.text);
	return err;
}

/* A knob as it is in the stack, for explanations; what this program does not know is left out. */
static int note_knob(struct tern_view *view, const char *line, size_t len)
{
	struct request *r = (struct request *)view;
	struct tern_view_member m;
	int err = tern_view_member(line, len, &m);

	if (!err)
		err = tern_knob_set(&r->knobs, m.name, m.text);
	return err == -EACCES || err == -ENOENT ? 0 : err;
}

/* Every knob, or those of a pattern. A status. */
static int show(struct request *r, const char *pattern)
{
	unsigned int before = r->shown;
	int status;

	r->pattern = pattern;
	status = tern_view_ask(&r->view, "{\"cmd\":\"knobs\"}", take_knob);
	if (status == TERN_CLI_OK && pattern && r->shown == before)
		return tern_cli_problem(r->view.args, "no knob is called like '%s'", pattern);
	return status;
}

/* Asks for one knob, or sets it. A status. */
static int ask(struct request *r, const char *name, const char *value)
{
	char request[REQUEST_MAX];
	struct tern_sink text;
	struct tern_json json;

	tern_sink_init_fixed(&text, request, sizeof(request));
	tern_json_init(&json, &text, false);
	tern_json_object(&json, NULL);
	tern_json_str(&json, "cmd", value ? "set" : "knobs");
	tern_json_str(&json, "name", name);
	if (value)
		tern_json_str(&json, "value", value);
	tern_json_end(&json);
	if (text.failed)
		return tern_cli_problem(r->view.args, "%s: the value is too long", name);
	request[text.len - 1] = '\0'; /* where the newline was */
	r->pattern = NULL;
	return tern_view_ask(&r->view, request, take_knob);
}

/* One operand, NAME or NAME=VALUE. A status. */
static int one(struct request *r, const char *word)
{
	const char *equals = strchr(word, '=');
	char name[KNOB_NAME_MAX];
	int status;

	if (!equals && strpbrk(word, "*?["))
		return show(r, word);
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	status = ask(r, name, equals ? equals + 1 : NULL);
	if (status == TERN_CLI_OK && equals)
		write_knob(r, name, equals + 1);
	return status;
}

/* ---- -p FILE ---- */

/* The line without blanks at its ends; NULL if nothing is set in it. */
static char *content_of(char *line)
{
	size_t len;

	while (isspace((unsigned char)*line))
		line++;
	len = strlen(line);
	while (len && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	return *line && *line != '#' && *line != ';' ? line : NULL;
}

/* Splits NAME = VALUE; false if there is no '='. */
static bool split(char *text, char **ret_name, char **ret_value)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*equals = '\0';
	*ret_name = content_of(text);
	*ret_value = content_of(equals + 1);
	if (!*ret_value)
		*ret_value = equals + 1 + strlen(equals + 1);
	return *ret_name != NULL;
}

/* One line of the file. A status; what is not tern's passes with a word. */
static int load_line(struct request *r, char *line, unsigned int number)
{
	char *text = content_of(line), *name, *value, why[WHY_MAX];
	bool quiet = text && *text == '-';
	struct tern_knobs knobs;
	int err, status;

	if (!text)
		return TERN_CLI_OK;
	if (!split(text + quiet, &name, &value))
		return tern_cli_problem(r->view.args, "%s:%u: a line is NAME = VALUE", r->file,
					number);
	tern_knobs_init(&knobs);
	err = tern_knob_set(&knobs, name, value);
	if (err) {
		tern_knob_complain(name, value, err, why, sizeof(why));
		if (!quiet)
			(void)tern_cli_problem(r->view.args, "%s:%u: %s%s", r->file, number, why,
					       err == -ENOENT ? "; passed over" : "");
		return quiet || err == -ENOENT ? TERN_CLI_OK : TERN_CLI_PROBLEM;
	}
	status = ask(r, name, value);
	if (status == TERN_CLI_OK)
		write_knob(r, name, value);
	return status;
}

/* The whole file; a bad line does not keep the others back. A status. */
static int load(struct request *r)
{
	FILE *f = strcmp(r->file, "-") ? fopen(r->file, "re") : stdin;
	int status = TERN_CLI_OK;
	unsigned int number = 0;
	char line[LINE_MAX];

	if (!f)
		return tern_cli_problem(r->view.args, "cannot read %s: %s", r->file,
					strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		int result;

		number++;
		if (strlen(line) == sizeof(line) - 1)
			result = tern_cli_problem(r->view.args, "%s:%u: the line is too long",
						  r->file, number);
		else
			result = load_line(r, line, number);
		if (result != TERN_CLI_OK)
			status = result;
	}
	if (f != stdin)
		(void)fclose(f);
	return status;
}

/* ---- --explain ---- */

static void explain_one(struct request *r, const char *name)
{
	char text[TERN_KNOB_EXPLAIN_MAX];
	struct tern_text out;

	tern_text_init(&out, text, sizeof(text));
	if (r->shown++)
		tern_sink_newline(&r->view.out);
	if (tern_knob_explain(&r->knobs, name, &out) < 0)
		return;
	tern_sink_str(&r->view.out, text);
}

/* All names that a pattern means. */
static void explain_like(struct request *r, const char *pattern)
{
	const struct tern_knob_row *row, *before = NULL;

	r->pattern = pattern;
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		bool again = before && strcmp(before->name, row->name) == 0;

		if (!again && is_wanted(r, row->name))
			explain_one(r, row->name);
		before = row;
	}
}

/* With the values of the running stack; without one, of the defaults. A status. */
static int explain(struct request *r)
{
	bool runs = r->view.name || tern_view_runs(&r->view);
	int status = r->view.name ? tern_view_open(&r->view) : TERN_CLI_OK;

	tern_knobs_init(&r->knobs);
	if (runs && status == TERN_CLI_OK)
		status = tern_view_ask(&r->view, "{\"cmd\":\"knobs\"}", note_knob);
	if (status != TERN_CLI_OK)
		return status;
	if (r->all)
		explain_like(r, NULL);
	for (unsigned int i = 0; i < r->count; i++)
		if (strpbrk(r->words[i], "*?["))
			explain_like(r, r->words[i]);
		else
			explain_one(r, r->words[i]);
	return tern_view_flush(&r->view);
}

/* ---- the command ---- */

static int run(struct request *r)
{
	int status = tern_view_open(&r->view), flushed;

	if (status != TERN_CLI_OK)
		return status;
	tern_json_init(&r->out, &r->view.out, r->pretty);
	if (r->json) {
		tern_json_object(&r->out, NULL);
		tern_json_str(&r->out, "schema", "tern.sysctl");
		tern_json_u64(&r->out, "version", 1);
		tern_json_object(&r->out, "knobs");
	}
	if (r->all)
		status = show(r, NULL);
	if (r->file && status == TERN_CLI_OK)
		status = load(r);
	for (unsigned int i = 0; i < r->count && status == TERN_CLI_OK; i++)
		status = one(r, r->words[i]);
	if (r->json) {
		tern_json_end(&r->out);
		tern_json_end(&r->out);
	}
	flushed = tern_view_flush(&r->view);
	return status == TERN_CLI_OK ? flushed : status;
}

bool tern_cli_knob_ok(struct tern_cli_args *args, const char *word)
{
	char name[KNOB_NAME_MAX], value[TERN_KNOB_VALUE_MAX], why[WHY_MAX];
	const char *equals = strchr(word, '=');
	struct tern_knobs knobs;
	int err;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	tern_knobs_init(&knobs);
	err = equals ? tern_knob_set(&knobs, name, equals + 1)
		     : tern_knob_get(&knobs, name, value, sizeof(value));
	if (!err)
		return true;
	tern_knob_complain(name, equals ? equals + 1 : "", err, why, sizeof(why));
	tern_cli_wrong(args, "%s", why);
	return false;
}

static void read_option(struct request *r, int id)
{
	r->all = r->all || id == TERN_OPT_ALL;
	r->write = r->write || id == TERN_OPT_WRITE;
	r->values = r->values || id == TERN_OPT_VALUES;
	r->explain = r->explain || id == TERN_OPT_EXPLAIN;
	r->pretty = r->pretty || id == TERN_OPT_PRETTY;
	r->json = r->json || r->pretty || id == TERN_OPT_JSON;
	if (id == TERN_OPT_NAME)
		r->view.name = r->view.args->value;
	if (id == TERN_OPT_FILE)
		r->file = r->view.args->value;
}

/* An operand; false when the command ends here, with args->status. */
static bool read_word(struct request *r)
{
	struct tern_cli_args *args = r->view.args;
	bool pattern = !strchr(args->value, '=') && strpbrk(args->value, "*?[");

	if (r->count == WORDS_MAX) {
		tern_cli_wrong(args, "at most %d knobs at a time", WORDS_MAX);
		return false;
	}
	if (!pattern && !tern_cli_knob_ok(args, args->value))
		return false;
	r->words[r->count++] = args->value;
	return true;
}

/* False when the command ends here, with args->status. */
static bool read_arguments(struct request *r)
{
	struct tern_cli_args *args = r->view.args;
	int id;

	while ((id = tern_cli_next(args)) > 0) {
		read_option(r, id);
		if (id == TERN_OPT_OPERAND && !read_word(r))
			return false;
	}
	if (id < 0)
		return false;
	for (unsigned int i = 0; i < r->count; i++) {
		bool sets = strchr(r->words[i], '=') != NULL;

		if (r->write && !sets)
			tern_cli_wrong(args, "-w wants NAME=VALUE, not '%s'", r->words[i]);
		else if (r->explain && sets)
			tern_cli_wrong(args, "--explain wants NAME, not '%s'", r->words[i]);
		else
			continue;
		return false;
	}
	if (r->all || r->file || r->count > 0)
		return true;
	tern_cli_wrong(args, "no knob; name some, or take -a for all");
	return false;
}

int tern_cli_sysctl(struct tern_cli_args *args)
{
	struct request r = { 0 };
	int status = TERN_CLI_OK;

	tern_view_init(&r.view, args);
	if (!read_arguments(&r))
		status = args->status;
	else
		status = r.explain ? explain(&r) : run(&r);
	tern_view_close(&r.view);
	return status;
}
