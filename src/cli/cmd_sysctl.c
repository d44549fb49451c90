/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_sysctl.c: tern sysctl: knobs of a running stack, by Linux' names, in sysctl's form.
 *
 * Each operand is a request of its own. What was done before one that fails is shown.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/view.h"
#include "report/json.h"
#include "trace/sysctl.h"

enum {
	KNOB_NAME_MAX = 128,
	REQUEST_MAX = 1024,
	WORDS_MAX = 256,
	WHY_MAX = TERN_KNOB_WHY_MAX + REQUEST_MAX,
};

struct request {
	struct tern_view view; /* first: take_knob() is given it */
	bool all, write, values;
	const char *words[WORDS_MAX];
	unsigned int count;
};

static void write_knob(struct request *r, const char *name, const char *value)
{
	if (!r->values) {
		tern_sink_str(&r->view.out, name);
		tern_sink_str(&r->view.out, " = ");
	}
	tern_sink_str(&r->view.out, value);
	tern_sink_newline(&r->view.out);
}

static int take_knob(struct tern_view *view, const char *line, size_t len)
{
	struct tern_view_member m;
	int err = tern_view_member(line, len, &m);

	if (!err)
		write_knob((struct request *)view, m.name, m.text);
	return err;
}

/* One operand, NAME or NAME=VALUE. A status. */
static int one(struct request *r, const char *word)
{
	const char *equals = strchr(word, '=');
	char name[KNOB_NAME_MAX], request[REQUEST_MAX];
	struct tern_sink text;
	struct tern_json json;
	int status;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	tern_sink_init_fixed(&text, request, sizeof(request));
	tern_json_init(&json, &text, false);
	tern_json_object(&json, NULL);
	tern_json_str(&json, "cmd", equals ? "set" : "knobs");
	tern_json_str(&json, "name", name);
	if (equals)
		tern_json_str(&json, "value", equals + 1);
	tern_json_end(&json);
	if (text.failed)
		return tern_cli_problem(r->view.args, "%s: the value is too long", name);
	request[text.len - 1] = '\0'; /* where the newline was */
	status = tern_view_ask(&r->view, request, take_knob);
	if (status == TERN_CLI_OK && equals)
		write_knob(r, name, equals + 1);
	return status;
}

static int run(struct request *r)
{
	int status = tern_view_open(&r->view), flushed;

	if (status != TERN_CLI_OK)
		return status;
	if (r->all)
		status = tern_view_ask(&r->view, "{\"cmd\":\"knobs\"}", take_knob);
	for (unsigned int i = 0; i < r->count && status == TERN_CLI_OK; i++)
		status = one(r, r->words[i]);
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

/* False when the command ends here, with args->status. */
static bool read_arguments(struct request *r)
{
	struct tern_cli_args *args = r->view.args;
	int id;

	while ((id = tern_cli_next(args)) > 0) {
		r->all = r->all || id == TERN_OPT_ALL;
		r->write = r->write || id == TERN_OPT_WRITE;
		r->values = r->values || id == TERN_OPT_VALUES;
		if (id == TERN_OPT_NAME)
			r->view.name = args->value;
		if (id != TERN_OPT_OPERAND)
			continue;
		if (r->count == WORDS_MAX) {
			tern_cli_wrong(args, "at most %d knobs at a time", WORDS_MAX);
			return false;
		}
		if (!tern_cli_knob_ok(args, args->value))
			return false;
		r->words[r->count++] = args->value;
	}
	if (id < 0)
		return false;
	for (unsigned int i = 0; r->write && i < r->count; i++)
		if (!strchr(r->words[i], '=')) {
			tern_cli_wrong(args, "-w wants NAME=VALUE, not '%s'", r->words[i]);
			return false;
		}
	if (!r->all && r->count == 0)
		tern_cli_wrong(args, "no knob; name some, or take -a for all");
	return r->all || r->count > 0;
}

int tern_cli_sysctl(struct tern_cli_args *args)
{
	struct request r = { 0 };
	int status;

	tern_view_init(&r.view, args);
	status = read_arguments(&r) ? run(&r) : args->status;
	tern_view_close(&r.view);
	return status;
}
