/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/help.c: what is made of the option tables: help for the screen, lists for the manual pages,
 * the completion for bash.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum {
	COLUMNS = 79,
	HELP_COLUMN = 26, /* where the explanation of an option begins */
};

const struct tern_cli_option *tern_cli_next_option(const struct tern_cli_command *command,
						   unsigned int *cursor)
{
	unsigned int i = 0;

	for (size_t g = 0; command->options[g]; g++)
		for (const struct tern_cli_option *o = command->options[g]; o->id; o++)
			if (!o->hidden && i++ == *cursor) {
				(*cursor)++;
				return o;
			}
	return NULL;
}

const struct tern_cli_command *tern_cli_find(const char *name)
{
	for (const struct tern_cli_command *c = tern_cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* Prints words from column `at` on, in lines that begin at `indent`; the line is left open. */
static void wrap_open(const char *text, int at, int indent)
{
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > indent && at + 1 + len > COLUMNS) {
			printf("\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		} else {
			printf("%*s", indent - at, "");
			at = indent;
		}
		printf("%.*s", len, text);
		at += len;
		text += len;
		text += *text == ' ';
	}
}

static void wrap(const char *text, int at, int indent)
{
	wrap_open(text, at, indent);
	putchar('\n');
}

static void show_option(const struct tern_cli_option *o)
{
	char head[64];
	int len = 0;

	if (o->letter)
		len = snprintf(head, sizeof(head), "  -%c%s", o->letter, o->name ? ", " : "");
	else
		len = snprintf(head, sizeof(head), "      ");
	if (o->name)
		len += snprintf(head + len, sizeof(head) - (size_t)len, "--%s", o->name);
	if (o->arg)
		len += snprintf(head + len, sizeof(head) - (size_t)len, " %s", o->arg);
	printf("%s", head);
	if (len + 2 > HELP_COLUMN) {
		putchar('\n');
		len = 0;
	}
	wrap(o->help, len, HELP_COLUMN);
}

void tern_cli_synopsis(const struct tern_cli_command *command)
{
	printf("tern%s%s [OPTION]...%s%s", command->name[0] ? " " : "", command->name,
	       command->operands[0] ? " " : "", command->operands);
}

void tern_cli_help(const struct tern_cli_command *command)
{
	const struct tern_cli_option *o;
	unsigned int cursor = 0;

	printf("usage: ");
	tern_cli_synopsis(command);
	printf("\n%s%s\n\n", command->name[0] ? "" : "tern: ", command->summary);
	if (!command->name[0]) {
		for (const struct tern_cli_command *c = tern_cli_commands; c->name; c++) {
			printf("  %s", c->name);
			wrap(c->summary, 2 + (int)strlen(c->name), 12);
		}
		putchar('\n');
	}
	while ((o = tern_cli_next_option(command, &cursor)))
		show_option(o);
	printf("\nExit status: %s 1 a problem, 2 wrong arguments, 3 no privilege.\n",
	       command->run == tern_cli_run
		       ? "that of COMMAND; 126 it is not executable, 127 not found,\n"
			 "            "
		       : "0 it worked,");
	if (command->name[0])
		printf("See tern-%s(1).\n", command->name);
	else
		printf("See tern COMMAND -h, tern(1) and tern-COMMAND(1).\n");
}

void tern_cli_mdoc(const struct tern_cli_command *command)
{
	const struct tern_cli_option *o;
	unsigned int cursor = 0;

	printf(".Bl -tag -width Ds\n");
	while ((o = tern_cli_next_option(command, &cursor))) {
		printf(".It");
		if (o->letter)
			printf(" Fl %c", o->letter);
		if (o->letter && o->arg && o->name)
			printf(" Ar %s ,", o->arg);
		else if (o->letter && o->name)
			printf(" ,");
		if (o->name)
			printf(" Fl -%s", o->name);
		if (o->arg)
			printf(" Ar %s", o->arg);
		putchar('\n');
		putchar(o->help[0] >= 'a' && o->help[0] <= 'z' ? o->help[0] - 'a' + 'A'
							       : o->help[0]);
		if (o->help[1] == ' ') /* a word of one letter */
			putchar(' ');
		wrap_open(o->help + 1, 0, 0);
		printf(".\n");
	}
	printf(".El\n");
}

/* The options of a command as completion offers them, with blanks between. */
static void bash_options(const struct tern_cli_command *command)
{
	const struct tern_cli_option *o;
	unsigned int cursor = 0;

	while ((o = tern_cli_next_option(command, &cursor))) {
		if (o->name)
			printf("%s--%s", cursor > 1 ? " " : "", o->name);
		else
			printf("%s-%c", cursor > 1 ? " " : "", o->letter);
	}
}

/* Arms of a case over "COMMAND OPTION": what may follow options that take an argument. */
static void bash_arguments(const struct tern_cli_command *command)
{
	const struct tern_cli_option *o;
	unsigned int cursor = 0;

	while ((o = tern_cli_next_option(command, &cursor))) {
		if (!o->arg)
			continue;
		printf("\t");
		if (o->letter)
			printf("\"%s -%c\"%s", command->name, o->letter, o->name ? " | " : "");
		if (o->name)
			printf("\"%s --%s\"", command->name, o->name);
		if (o->words && strcmp(o->words, "@stack") == 0)
			printf(") words=$(_tern_stacks) ;;\n");
		else
			printf(") words='%s' ;;\n", o->words ? o->words : "");
	}
}

void tern_cli_bash(void)
{
	const struct tern_cli_command *c;

	printf("# bash completion for tern. Made by tern help --bash; not to be edited.\n\n"
	       "_tern_stacks() {\n"
	       "\tlocal path\n"
	       "\tfor path in \"${XDG_RUNTIME_DIR:-/run}\"/tern/*.sock; do\n"
	       "\t\tpath=${path##*/}\n"
	       "\t\t[ \"$path\" = '*.sock' ] || echo \"${path%%.sock}\"\n"
	       "\tdone\n"
	       "}\n\n"
	       "_tern() {\n"
	       "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
	       "\tlocal command=${COMP_WORDS[1]-} words=\n"
	       "\tif [ \"$COMP_CWORD\" -le 1 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W '");
	for (c = tern_cli_commands; c->name; c++)
		printf("%s ", c->name);
	bash_options(&tern_cli_self);
	printf("' -- \"$current\"))\n"
	       "\t\treturn\n"
	       "\tfi\n"
	       "\tcase $command in\n");
	for (c = tern_cli_commands; c->name; c++) {
		printf("\t%s) words='", c->name);
		bash_options(c);
		printf("%s%s' ;;\n", c->words ? " " : "", c->words ? c->words : "");
	}
	printf("\tesac\n"
	       "\tcase \"$command $before\" in\n");
	for (c = tern_cli_commands; c->name; c++)
		bash_arguments(c);
	printf("\tesac\n"
	       "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
	       "}\n\n"
	       "complete -F _tern tern\n");
}

int tern_cli_help_command(struct tern_cli_args *args)
{
	const struct tern_cli_command *command = &tern_cli_self;
	bool mdoc = false, bash = false;
	int id;

	while ((id = tern_cli_next(args)) > 0) {
		mdoc = mdoc || id == TERN_OPT_MDOC;
		bash = bash || id == TERN_OPT_BASH;
		if (id != TERN_OPT_OPERAND)
			continue;
		command = tern_cli_find(args->value);
		if (!command)
			return tern_cli_no_command(args, args->value);
	}
	if (id < 0)
		return args->status;
	if (bash)
		tern_cli_bash();
	else if (mdoc)
		tern_cli_mdoc(command);
	else
		tern_cli_help(command);
	return tern_cli_flush(args);
}
