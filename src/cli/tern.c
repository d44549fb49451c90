/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/tern.c: the program tern: which command, and off it goes.
 *
 * Called by another name, tern-ss or ss, it is that command.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "tern/version.h"

/* The command that the program's own name says, or NULL. */
static const struct tern_cli_command *called_as(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;
	const char *base = slash ? slash + 1 : program;

	if (!base)
		return NULL;
	return tern_cli_find(strncmp(base, "tern-", 5) == 0 ? base + 5 : base);
}

/*
 * A standard descriptor that the caller closed must not become the TUN device or a socket: it is
 * held by one that fails the way the closed one would, opened for the other direction. A program
 * that is started (tern run) finds it closed again.
 */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/dev/null",
				   (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	const struct tern_cli_command *command = called_as(argv[0]);
	struct tern_cli_args args;
	char **rest = argc > 0 ? argv + 1 : argv;
	int id;

	hold_standard_descriptors();
	if (command) {
		tern_cli_begin(&args, command, rest);
		return command->run(&args);
	}
	tern_cli_begin(&args, &tern_cli_self, rest);
	id = tern_cli_next(&args);
	if (id < 0)
		return args.status;
	if (id == TERN_OPT_VERSION) {
		(void)puts("tern " TERN_VERSION);
		return tern_cli_flush(&args);
	}
	if (id == 0) {
		tern_cli_wrong(&args, "no command; tern help lists them");
		return args.status;
	}
	command = tern_cli_find(args.value);
	if (!command)
		return tern_cli_no_command(&args, args.value);
	tern_cli_begin(&args, command, args.argv);
	return command->run(&args);
}
