/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_nstat.c: tern nstat: the counters of a running stack, by Linux' names, in nstat's form.
 *
 * Values are absolute; nothing is remembered from call to call. Drop reasons stand behind the
 * counters as TernDrop and their name.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/view.h"
#include "report/json.h"

enum {
	PATTERNS_MAX = 256,
	LINE_MAX = 320,
	COUNTER_MAX = 280,
};

struct request {
	struct tern_view view; /* first: take_counter() is given it */
	bool zeros, json, pretty;
	const char *patterns[PATTERNS_MAX];
	unsigned int count;
	struct tern_json out;
};

static bool is_wanted(const struct request *r, const char *name)
{
	for (unsigned int i = 0; i < r->count; i++)
		if (fnmatch(r->patterns[i], name, 0) == 0)
			return true;
	return r->count == 0;
}

static int take_counter(struct tern_view *view, const char *line, size_t len)
{
	struct request *r = (struct request *)view;
	char name[COUNTER_MAX], text[LINE_MAX];
	struct tern_view_member m;
	int err = tern_view_member(line, len, &m);

	if (err)
		return err;
	(void)snprintf(name, sizeof(name), "%s%s", strcmp(m.what, "drop") == 0 ? "TernDrop" : "",
		       m.name);
	if ((!m.number && !r->zeros) || !is_wanted(r, name))
		return 0;
	if (r->json) {
		tern_json_u64(&r->out, name, m.number);
		return 0;
	}
	(void)snprintf(text, sizeof(text), "%-31s %-18" PRIu64 " 0.0", name, m.number);
	tern_sink_str(&view->out, text);
	tern_sink_newline(&view->out);
	return 0;
}

static int run(struct request *r)
{
	int status = tern_view_open(&r->view);

	if (status != TERN_CLI_OK)
		return status;
	tern_json_init(&r->out, &r->view.out, r->pretty);
	if (r->json) {
		tern_json_object(&r->out, NULL);
		tern_json_str(&r->out, "schema", "tern.nstat");
		tern_json_u64(&r->out, "version", 1);
		tern_json_object(&r->out, "counters");
	} else {
		tern_sink_str(&r->view.out, "#tern");
		tern_sink_newline(&r->view.out);
	}
	status = tern_view_ask(&r->view, "{\"cmd\":\"counters\"}", take_counter);
	if (status != TERN_CLI_OK)
		return status;
	if (r->json) {
		tern_json_end(&r->out);
		tern_json_end(&r->out);
	}
	return tern_view_flush(&r->view);
}

/* False when the command ends here, with args->status. */
static bool read_arguments(struct request *r)
{
	struct tern_cli_args *args = r->view.args;
	int id;

	while ((id = tern_cli_next(args)) > 0) {
		r->zeros = r->zeros || id == TERN_OPT_ZEROS;
		r->pretty = r->pretty || id == TERN_OPT_PRETTY;
		r->json = r->json || r->pretty || id == TERN_OPT_JSON;
		if (id == TERN_OPT_NAME)
			r->view.name = args->value;
		if (id != TERN_OPT_OPERAND)
			continue;
		if (r->count == PATTERNS_MAX) {
			tern_cli_wrong(args, "at most %d patterns at a time", PATTERNS_MAX);
			return false;
		}
		r->patterns[r->count++] = args->value;
	}
	return id == 0;
}

int tern_cli_nstat(struct tern_cli_args *args)
{
	struct request r = { 0 };
	int status;

	tern_view_init(&r.view, args);
	status = read_arguments(&r) ? run(&r) : args->status;
	tern_view_close(&r.view);
	return status;
}
