/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cli.h: what the commands of the program tern share: the table of commands and options, its
 * reader, and how a command ends.
 */
#ifndef TERN_CLI_CLI_H
#define TERN_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* What a command ends with, and the program exits with. */
enum tern_cli_status {
	TERN_CLI_OK,
	TERN_CLI_PROBLEM,   /* it did not work */
	TERN_CLI_USAGE,     /* wrong arguments */
	TERN_CLI_PRIVILEGE, /* it may not work for this user */
};

/* What tern_cli_next() returns for an option; positive, so that 0 and below are the ends. */
enum tern_cli_id {
	TERN_OPT_OPERAND = 1, /* no option: args->value is the word */
	TERN_OPT_ADDR,
	TERN_OPT_ADDR6,
	TERN_OPT_ALL,
	TERN_OPT_ASCII,
	TERN_OPT_DEFINE,
	TERN_OPT_DEV,
	TERN_OPT_DNS,
	TERN_OPT_DRAIN,
	TERN_OPT_EXPLAIN,
	TERN_OPT_EXTENDED,
	TERN_OPT_FAULT,
	TERN_OPT_FILE,
	TERN_OPT_FLOW,
	TERN_OPT_HALF_CLOSE,
	TERN_OPT_HELP,
	TERN_OPT_INET,
	TERN_OPT_INET6,
	TERN_OPT_JSON,
	TERN_OPT_LINES,
	TERN_OPT_LINK,
	TERN_OPT_LIST,
	TERN_OPT_LISTENING,
	TERN_OPT_MASQUERADE,
	TERN_OPT_MEMORY,
	TERN_OPT_MTU,
	TERN_OPT_NAME,
	TERN_OPT_NO_HEADER,
	TERN_OPT_NUMERIC,
	TERN_OPT_ONELINE,
	TERN_OPT_PEER,
	TERN_OPT_PERSONA,
	TERN_OPT_PORT,
	TERN_OPT_PRETTY,
	TERN_OPT_PRIVATE,
	TERN_OPT_PROCESSES,
	TERN_OPT_PUBLISH,
	TERN_OPT_SUMMARY,
	TERN_OPT_SYSCTL,
	TERN_OPT_TAP,
	TERN_OPT_TCP,
	TERN_OPT_TIMERS,
	TERN_OPT_TRACE,
	TERN_OPT_UDP,
	TERN_OPT_VALUES,
	TERN_OPT_VERBOSE,
	TERN_OPT_VERSION,
	TERN_OPT_WITH,
	TERN_OPT_WRITE,
	TERN_OPT_ZEROS,
	/* of tern help: what the documents are checked against */
	TERN_OPT_BASH,
	TERN_OPT_MDOC,
};

struct tern_cli_option {
	enum tern_cli_id id;
	char letter;       /* 0: none */
	bool hidden;       /* not in help, manual pages and completion */
	const char *name;  /* without the dashes; NULL: none */
	const char *arg;   /* what its argument is called; NULL: it takes none */
	const char *help;  /* one sentence without full stop */
	const char *words; /* what completion offers for the argument; "@stack": running stacks */
};

struct tern_cli_args;

struct tern_cli_command {
	const char *name;
	const char *operands; /* as the synopsis has them */
	const char *summary;  /* one sentence without full stop */
	const char *words;    /* what completion offers for operands, or NULL */
	const struct tern_cli_option *const *options; /* groups; NULL ends them, id 0 ends each */
	int (*run)(struct tern_cli_args *args);       /* returns an enum tern_cli_status */
};

/* The commands; a row without name ends them. And the options of tern itself. */
extern const struct tern_cli_command tern_cli_commands[];
extern const struct tern_cli_command tern_cli_self;

/* A command line being read. */
struct tern_cli_args {
	const struct tern_cli_command *command;
	char **argv;         /* NULL ends it */
	const char *cluster; /* rest of "-tan", or NULL */
	const char *value;   /* of the option, or the operand itself */
	char shown[32];      /* the option, as the user wrote it: "--port" */
	bool operands_only;  /* after "--" */
	int status;          /* after a negative tern_cli_next(): how to end */
};

/* Begins to read the words of argv (the command's name is not among them). */
void tern_cli_begin(struct tern_cli_args *args, const struct tern_cli_command *command,
		    char **argv);

/*
 * The next option or operand, in any order, as an enum tern_cli_id. 0 at the end. Negative when
 * that was all: help was asked for, or a line said what is wrong; return args->status then.
 */
int tern_cli_next(struct tern_cli_args *args);

/* The option's argument as a number from min to max. 0, or -EINVAL, and then a line said so. */
TERN_NODISCARD int tern_cli_number(struct tern_cli_args *args, uint64_t min, uint64_t max,
				   uint64_t *ret);

/* The option's argument as a time: 10s, 500ms, 2min. 0, or -EINVAL, and then a line said so. */
TERN_NODISCARD int tern_cli_time(struct tern_cli_args *args, uint64_t *ret_ns);

/*
 * Is word the name of a knob, or NAME=VALUE with a value that the knob takes? If not, false, and
 * tern_cli_wrong() has said why.
 */
TERN_NODISCARD bool tern_cli_knob_ok(struct tern_cli_args *args, const char *word);

/*
 * Says "tern CMD: ..." on stderr, one line. wrong: what is wrong with the arguments and what is
 * right; it sets args->status to TERN_CLI_USAGE as well. problem: returns TERN_CLI_PROBLEM.
 */
void tern_cli_wrong(struct tern_cli_args *args, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int tern_cli_problem(const struct tern_cli_args *args, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Says what a library call explained in `why` and returns the status that goes with its error:
 * -EINVAL is wrong usage, -EPERM and -EACCES are missing privilege.
 */
int tern_cli_failed(const struct tern_cli_args *args, int err, const char *why);

/* Ends a command's output: TERN_CLI_OK, or a line and TERN_CLI_PROBLEM where it was not written. */
int tern_cli_flush(const struct tern_cli_args *args);

/* The command of a name, or NULL. */
const struct tern_cli_command *tern_cli_find(const char *name);

/* Says that there is no such command, and which was probably meant; returns TERN_CLI_USAGE. */
int tern_cli_no_command(struct tern_cli_args *args, const char *name);

/* Prints the help of a command (of tern itself: the list of commands). */
void tern_cli_help(const struct tern_cli_command *command);

/* Prints a command's synopsis without the newline: "tern connect [OPTION]... HOST PORT". */
void tern_cli_synopsis(const struct tern_cli_command *command);

/* Prints the options of a command as mdoc, for its manual page; and the bash completion. */
void tern_cli_mdoc(const struct tern_cli_command *command);
void tern_cli_bash(void);

/* Steps through the options that are shown of a command: *cursor begins at 0; NULL at the end. */
const struct tern_cli_option *tern_cli_next_option(const struct tern_cli_command *command,
						   unsigned int *cursor);

/* The commands. */
int tern_cli_run(struct tern_cli_args *args);
int tern_cli_serve(struct tern_cli_args *args);
int tern_cli_connect(struct tern_cli_args *args);
int tern_cli_ss(struct tern_cli_args *args);
int tern_cli_ladder(struct tern_cli_args *args);
int tern_cli_nstat(struct tern_cli_args *args);
int tern_cli_sysctl(struct tern_cli_args *args);
int tern_cli_drill(struct tern_cli_args *args);
int tern_cli_demo(struct tern_cli_args *args);
int tern_cli_help_command(struct tern_cli_args *args);

#endif
