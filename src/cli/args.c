/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/args.c: reading a command line by the table of its command.
 *
 * Options and operands may stand in any order; "--" ends the options. Letters may be joined (-tan)
 * and their argument may follow at once (-Nweb); a long option takes its argument as --name=value
 * or as the next word, but never "--". Whatever is wrong is one line on stderr that also says what
 * is right.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

enum {
	WORD_MAX = 32,   /* of an option or a command, where the nearest one is looked for */
	NEAR_ENOUGH = 2, /* slips of the finger */
};

void tern_cli_begin(struct tern_cli_args *args, const struct tern_cli_command *command, char **argv)
{
	*args = (struct tern_cli_args){ .command = command, .argv = argv };
}

static void say(const struct tern_cli_args *args, const char *format, va_list list)
{
	const char *name = args->command->name;

	(void)fprintf(stderr, "tern%s%s: ", name[0] ? " " : "", name);
	(void)vfprintf(stderr, format, list);
	(void)fputc('\n', stderr);
}

void tern_cli_wrong(struct tern_cli_args *args, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(args, format, list);
	va_end(list);
	args->status = TERN_CLI_USAGE;
}

int tern_cli_problem(const struct tern_cli_args *args, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(args, format, list);
	va_end(list);
	return TERN_CLI_PROBLEM;
}

int tern_cli_failed(const struct tern_cli_args *args, int err, const char *why)
{
	(void)tern_cli_problem(args, "%s", why);
	if (err == -EINVAL)
		return TERN_CLI_USAGE;
	return err == -EPERM || err == -EACCES ? TERN_CLI_PRIVILEGE : TERN_CLI_PROBLEM;
}

int tern_cli_flush(const struct tern_cli_args *args)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return TERN_CLI_OK;
	return tern_cli_problem(args, "cannot write the output: %s", strerror(errno));
}

int tern_cli_no_command(struct tern_cli_args *args, const char *name)
{
	const char *nearest = NULL;
	unsigned int least = NEAR_ENOUGH + 1;

	for (const struct tern_cli_command *c = tern_cli_commands; c->name; c++) {
		unsigned int n = tern_text_slips(name, c->name);

		if (n < least && n < strlen(c->name)) {
			least = n;
			nearest = c->name;
		}
	}
	if (nearest)
		tern_cli_wrong(args, "there is no command '%s'; %s is one", name, nearest);
	else
		tern_cli_wrong(args, "there is no command '%s'; tern help lists them", name);
	return args->status;
}

static const char *nearest_option(const struct tern_cli_command *command, const char *name)
{
	const struct tern_cli_option *option;
	const char *nearest = NULL;
	unsigned int least = NEAR_ENOUGH + 1, cursor = 0;

	while ((option = tern_cli_next_option(command, &cursor))) {
		unsigned int n = option->name ? tern_text_slips(name, option->name) : least;

		if (n < least) {
			least = n;
			nearest = option->name;
		}
	}
	return nearest;
}

/* The row of a long name (len bytes), or, without name, of a letter. */
static const struct tern_cli_option *find(const struct tern_cli_command *command, const char *name,
					  size_t len, char letter)
{
	for (size_t g = 0; command->options[g]; g++)
		for (const struct tern_cli_option *o = command->options[g]; o->id; o++)
			if (name ? o->name && strlen(o->name) == len &&
					    memcmp(o->name, name, len) == 0
				 : o->letter == letter)
				return o;
	return NULL;
}

static int unknown(struct tern_cli_args *args, const char *name, size_t len)
{
	const char *command = args->command->name, *near = NULL;
	char word[WORD_MAX + 1];

	(void)snprintf(word, sizeof(word), "%.*s", (int)len, name);
	near = nearest_option(args->command, word);
	if (near)
		tern_cli_wrong(args, "there is no option --%s; --%s is one", word, near);
	else
		tern_cli_wrong(args, "there is no option --%s; tern%s%s -h lists them", word,
			       command[0] ? " " : "", command);
	return -1;
}

/* Gives an option its argument and itself to the caller. */
static int found(struct tern_cli_args *args, const struct tern_cli_option *option,
		 const char *attached)
{
	args->value = attached;
	if (option->id == TERN_OPT_HELP) {
		tern_cli_help(args->command);
		args->status = tern_cli_flush(args);
		return -1;
	}
	if (!option->arg && attached) {
		tern_cli_wrong(args, "%s takes no argument, but got '%s'", args->shown, attached);
		return -1;
	}
	if (option->arg && !attached) {
		if (!*args->argv) {
			tern_cli_wrong(args, "%s needs an argument: %s %s", args->shown,
				       args->shown, option->arg);
			return -1;
		}
		args->value = *args->argv++;
	}
	if (option->arg && strcmp(args->value, "--") == 0) {
		tern_cli_wrong(args, "%s needs an argument before '--': %s %s", args->shown,
			       args->shown, option->arg);
		return -1;
	}
	return (int)option->id;
}

static int next_long(struct tern_cli_args *args, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct tern_cli_option *option = find(args->command, word, len, 0);

	if (!option)
		return unknown(args, word, len);
	(void)snprintf(args->shown, sizeof(args->shown), "--%s", option->name);
	return found(args, option, equals ? equals + 1 : NULL);
}

static int next_letter(struct tern_cli_args *args)
{
	char letter = *args->cluster++;
	const struct tern_cli_option *option = find(args->command, NULL, 0, letter);
	const char *attached = NULL, *command = args->command->name;

	if (!option) {
		tern_cli_wrong(args, "there is no option -%c; tern%s%s -h lists them", letter,
			       command[0] ? " " : "", command);
		return -1;
	}
	(void)snprintf(args->shown, sizeof(args->shown), "-%c", letter);
	if (option->arg && *args->cluster)
		attached = args->cluster;
	if (attached || !*args->cluster)
		args->cluster = NULL;
	return found(args, option, attached);
}

int tern_cli_next(struct tern_cli_args *args)
{
	const char *word;

	if (args->cluster)
		return next_letter(args);
	word = *args->argv;
	if (!word)
		return 0;
	args->argv++;
	if (!args->operands_only && strcmp(word, "--") == 0) {
		args->operands_only = true;
		return tern_cli_next(args);
	}
	if (!args->operands_only && word[0] == '-' && word[1] == '-')
		return next_long(args, word + 2);
	if (!args->operands_only && word[0] == '-' && word[1]) {
		args->cluster = word + 1;
		return next_letter(args);
	}
	args->value = word;
	return TERN_OPT_OPERAND;
}

int tern_cli_number(struct tern_cli_args *args, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	if (tern_text_parse_u64(args->value, &n) == 0 && n >= min && n <= max) {
		*ret = n;
		return 0;
	}
	tern_cli_wrong(args, "%s wants a number from %llu to %llu, not '%s'", args->shown,
		       (unsigned long long)min, (unsigned long long)max, args->value);
	return -EINVAL;
}

int tern_cli_time(struct tern_cli_args *args, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ms", 1000000 }, { "s", 1000000000 }, { "min", 60000000000 } };
	size_t len = strspn(args->value, "0123456789");
	char digits[8];
	uint64_t n;

	for (size_t i = 0; i < TERN_ARRAY_SIZE(units) && len < sizeof(digits); i++) {
		if (strcmp(args->value + len, units[i].name) != 0)
			continue;
		memcpy(digits, args->value, len);
		digits[len] = '\0';
		if (tern_text_parse_u64(digits, &n) < 0)
			break;
		*ret_ns = n * units[i].ns;
		return 0;
	}
	tern_cli_wrong(args, "%s wants a time as 10s, 500ms or 2min, not '%s'", args->shown,
		       args->value);
	return -EINVAL;
}
