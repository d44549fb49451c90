/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/host.h: a stack for the length of a command: its options, its beginning, signals, its end.
 *
 *	tern_cli_host_init(&h, &args);
 *	... for each option: tern_cli_host_option(&h, id)
 *	status = tern_cli_host_start(&h, "echo");
 *	... tern_poll(h.host, ...) until it returns -EINTR
 *	status = tern_cli_host_stop(&h);
 */
#ifndef TERN_CLI_HOST_H
#define TERN_CLI_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "tern/socket.h"
#include "tern/stack.h"

enum { TERN_CLI_SYSCTLS_MAX = 64 };

struct tern_ctl;

struct tern_cli_host {
	struct tern_cli_args *args;
	struct tern_host_config cfg;
	const char *addrs[TERN_ADDRS_MAX];
	bool addr_given; /* --addr: the default is not wanted */
	const char *peers[TERN_ADDRS_MAX];
	const char *sysctls[TERN_CLI_SYSCTLS_MAX];
	const char *name; /* in ctl; after the start always set */
	uint64_t drain_ns;
	struct tern_host_left owed; /* what the command itself could not carry through */
	bool own_signals; /* the command takes its signals, and calls tern_cli_host_signal() */
	char link[32];    /* of --dev */
	struct tern_host *host;
	struct tern_ctl *ctl;
};

/* Begins with the defaults. */
void tern_cli_host_init(struct tern_cli_host *h, struct tern_cli_args *args);

/* Takes an option of the stack's group. 0, or negative after a line said what is wrong with it. */
TERN_NODISCARD int tern_cli_host_option(struct tern_cli_host *h, int id);

/*
 * Makes host and control socket, and has INT, TERM and HUP end what blocks (not with own_signals).
 * `command` is the name of a stack without device. Returns a status; only after TERN_CLI_OK is
 * there a host to stop.
 */
int tern_cli_host_start(struct tern_cli_host *h, const char *command);

/* Did a signal ask for the end? */
bool tern_cli_host_ending(void);

/* A signal asks for it: what the handler does, for a command that has own_signals. */
void tern_cli_host_signal(void);

/*
 * Closes all sockets, drains, resets who is still owed something, and removes device and control
 * socket. A further signal ends the drain. Returns TERN_CLI_PROBLEM, after a line about it, if
 * something was still owed.
 */
int tern_cli_host_stop(struct tern_cli_host *h);

#endif
