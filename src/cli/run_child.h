/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_child.h: starting programs as the caller of tern would have, and looking after them.
 *
 *	tern_children_take_over(&c);	signals wait in c.signal_fd from here on
 *	tern_child_start(&c, &program, &pid);
 *	while (tern_children_next_signal(&c, &signal)) ...
 *	while (tern_children_next_change(&change)) ...
 */
#ifndef TERN_CLI_RUN_CHILD_H
#define TERN_CLI_RUN_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/compiler.h"

/* What the process was given, and its children get back. */
struct tern_children {
	int signal_fd;
	sigset_t mask;
	sigset_t ignored;
	struct sigaction chld;
	struct rlimit files;
	bool files_known;
};

/*
 * From here on this process takes its signals from signal_fd, adopts orphans among its descendants,
 * and may have as many descriptors as the system allows. A negative errno of signalfd(2).
 */
TERN_NODISCARD int tern_children_take_over(struct tern_children *c);

struct tern_program {
	const char *path;
	char *const *argv;
	char *const *env;
	bool no_input; /* standard input is /dev/null */
};

/*
 * Starts a program with the signals and limits this process had at first. 0, or what fork(2) or
 * execve(2) says; a file that the kernel does not know is given to sh, as execvp(3) does.
 */
TERN_NODISCARD int tern_child_start(const struct tern_children *c,
				    const struct tern_program *program, pid_t *ret_pid);

/*
 * The environment with LD_PRELOAD=preload (before what is there) and `broker` ("NAME=value") in it.
 * NULL without memory. One array of pointers and the LD_PRELOAD string behind it: free() it.
 */
char **tern_child_environment(char *const *env, const char *preload, const char *broker);

/* A signal that has come. */
struct tern_signal {
	int number;
	pid_t sender;  /* 0: the kernel */
	bool terminal; /* the kernel's: a key or hang-up, which went to the whole process group */
	bool ends; /* asks for the end: INT, TERM, HUP or QUIT, unless ignored by who called us */
};

/* Takes the next one. False when there is none. SIGCHLD is among them. */
bool tern_children_next_signal(const struct tern_children *c, struct tern_signal *ret);

/* A child that changed. */
struct tern_child_change {
	pid_t pid;
	int stopped; /* the signal that stopped it */
	bool continued;
	bool ended;
	int status; /* ended: as a shell says it, 128 + n after signal n */
};

bool tern_children_next_change(struct tern_child_change *ret);

/* Stops this process, as the shell expects of a job that was stopped, until it is continued. */
void tern_children_stop_self(void);

/*
 * The children of this process, up to max of them; returns how many there are. -errno: /proc tells
 * nothing.
 */
int tern_children_list(pid_t *pids, int max);

/* Sends a signal to a child and to all below it. */
void tern_children_kill_tree(pid_t child, int number);

/* The ancestor of pid (or itself) that is a child of this process; 0: there is none. */
pid_t tern_children_ancestor(pid_t pid);

#endif
