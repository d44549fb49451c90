/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_drill.c: tern drill: packetdrill scripts on the engine, in virtual time.
 *
 * Scripts are independent of each other: each has a stack of its own. What there is to say of one
 * is written when it is over; at the end a line counts. The time in it is the machine's, the only
 * one here that is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "loop/loop.h"
#include "report/sink.h"
#include "sim/drill.h"

enum {
	SCRIPTS_MAX = 65536,
	WORDS_MAX = 64,
};

struct request {
	struct tern_cli_args *args;
	struct tern_drill_config cfg;
	struct tern_script_define settings[WORDS_MAX], defines[WORDS_MAX];
	const char **scripts;
	size_t script_count, passed;
	bool tap;
	struct tern_mem mem;
	struct tern_sink out;
};

/* NAME=VALUE into a list of such. The word's equals sign becomes a NUL. */
static bool add_pair(struct request *r, struct tern_script_define *pairs, size_t *count,
		     const char *word, const char *what)
{
	char *equals = strchr(word, '=');

	if (!equals || equals == word) {
		tern_cli_wrong(r->args, "%s wants NAME=VALUE, not '%s'", what, word);
		return false;
	}
	if (*count == WORDS_MAX) {
		tern_cli_wrong(r->args, "at most %d times %s", WORDS_MAX, what);
		return false;
	}
	*equals = '\0';
	pairs[(*count)++] = (struct tern_script_define){ word, equals + 1 };
	return true;
}

static bool read_option(struct request *r, int id)
{
	struct tern_cli_args *args = r->args;

	switch (id) {
	case TERN_OPT_VERBOSE:
		r->cfg.verbose = true;
		return true;
	case TERN_OPT_ASCII:
		r->cfg.ascii = true;
		return true;
	case TERN_OPT_TAP:
		r->tap = true;
		return true;
	case TERN_OPT_PERSONA:
		r->cfg.persona = args->value;
		return true;
	case TERN_OPT_SYSCTL:
		return tern_cli_knob_ok(args, args->value) &&
		       add_pair(r, r->settings, &r->cfg.setting_count, args->value, "--sysctl");
	case TERN_OPT_DEFINE:
		return add_pair(r, r->defines, &r->cfg.define_count, args->value, "-D");
	default:
		break;
	}
	if (r->script_count == SCRIPTS_MAX) {
		tern_cli_wrong(args, "at most %d scripts at a time", SCRIPTS_MAX);
		return false;
	}
	r->scripts[r->script_count++] = args->value;
	return true;
}

/* False when the command ends here, with args->status. */
static bool read_arguments(struct request *r)
{
	char knob[64];
	int id;

	while ((id = tern_cli_next(r->args)) > 0)
		if (!read_option(r, id))
			return false;
	if (id < 0)
		return false;
	if (r->cfg.persona) {
		(void)snprintf(knob, sizeof(knob), "tern_persona=%s", r->cfg.persona);
		if (!tern_cli_knob_ok(r->args, knob))
			return false;
	}
	if (!r->script_count)
		tern_cli_wrong(r->args, "no script; name some");
	return r->script_count > 0;
}

/* tests/scenario/a_sentence.pkt: "a_sentence" */
static void say_tap(const char *path, size_t number, bool passed)
{
	const char *name = strrchr(path, '/');
	size_t len;

	name = name ? name + 1 : path;
	len = strlen(name);
	if (len > 4 && strcmp(name + len - 4, ".pkt") == 0)
		len -= 4;
	printf("%s %zu - %.*s\n", passed ? "ok" : "not ok", number, (int)len, name);
}

static void flush(struct request *r)
{
	if (r->out.len)
		(void)fwrite(r->out.buf, 1, r->out.len, stdout);
	tern_sink_reset(&r->out);
}

static int run(struct request *r)
{
	uint64_t began = tern_loop_now(), took_us;

	if (r->tap)
		printf("1..%zu\n", r->script_count);
	for (size_t i = 0; i < r->script_count; i++) {
		bool passed = tern_drill_file(&r->cfg, r->scripts[i], &r->out) == TERN_DRILL_PASSED;

		flush(r);
		r->passed += passed;
		if (r->tap)
			say_tap(r->scripts[i], i + 1, passed);
	}
	took_us = (tern_loop_now() - began) / 1000 + 1;
	if (!r->tap)
		printf("%zu passed, %zu failed in %.3f s: %.0f scripts/s\n", r->passed,
		       r->script_count - r->passed, (double)took_us / 1e6,
		       (double)r->script_count * 1e6 / (double)took_us);
	if (tern_cli_flush(r->args) != TERN_CLI_OK)
		return TERN_CLI_PROBLEM;
	return r->passed == r->script_count ? TERN_CLI_OK : TERN_CLI_PROBLEM;
}

int tern_cli_drill(struct tern_cli_args *args)
{
	struct request r = { .args = args };
	int status;

	r.cfg.settings = r.settings;
	r.cfg.defines = r.defines;
	r.scripts = calloc(SCRIPTS_MAX, sizeof(*r.scripts));
	if (!r.scripts)
		return tern_cli_problem(args, "no memory");
	tern_sink_init(&r.out, &r.mem, 0);
	status = read_arguments(&r) ? run(&r) : args->status;
	tern_sink_free(&r.out);
	free(r.scripts);
	return status;
}
