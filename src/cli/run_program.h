/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_program.h: which file a command is, and whether a preload library gets into it.
 */
#ifndef TERN_CLI_RUN_PROGRAM_H
#define TERN_CLI_RUN_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "base/compiler.h"

enum { TERN_PROGRAM_WHY = 640 }; /* room for one line about a program */

/*
 * Finds the file that execvp(3) executes for a name: the name itself where it has a slash, else
 * looked for in PATH. 0, -ENOENT (there is none), -EACCES (path has it, but it is no file that may
 * be executed).
 */
TERN_NODISCARD int tern_program_find(const char *name, char path[PATH_MAX]);

/*
 * Does the dynamic linker put a preload library of ours into the program at path, and do its system
 * calls come through it? `elevated` asks as well whether it is setuid, setgid or has capabilities
 * that the caller has not (then LD_PRELOAD is ignored). 0; -ENOEXEC, and why (TERN_PROGRAM_WHY
 * bytes) says in one line what it is. What cannot be read or judged is let pass.
 */
TERN_NODISCARD int tern_program_check(const char *path, bool elevated, char *why);

/*
 * The preload library that belongs to this program: beside its file, else where it is installed.
 * -ENOENT; -EINVAL: path has it, but a blank or colon in that name keeps it out of LD_PRELOAD.
 */
TERN_NODISCARD int tern_program_preload(char path[PATH_MAX]);

#endif
