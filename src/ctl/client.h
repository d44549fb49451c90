/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/client.h: the tools' side of a control socket: find a running stack, ask, read the answer.
 *
 *	tern_ctl_open(name, &client, why);
 *	tern_ctl_ask(client, "{\"cmd\":\"sockets\"}");
 *	while ((r = tern_ctl_next(client, &line, &len)) > 0)
 *		...
 *	if (r < 0)
 *		... tern_ctl_error(client)
 *	tern_ctl_close(client);
 */
#ifndef TERN_CTL_CLIENT_H
#define TERN_CTL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "ctl/path.h"
#include "tern/socket.h"

#define TERN_CTL_STACKS_MAX 256 /* names that tern_ctl_list gives at most */

struct tern_ctl_client;

struct tern_ctl_names {
	unsigned int count;
	char name[TERN_CTL_STACKS_MAX][TERN_CTL_NAME_MAX];
};

/*
 * The running stacks, sorted by name. Sockets of dead stacks are removed where they are ours.
 * No directory is no stack. -ENAMETOOLONG or what the system says.
 */
int tern_ctl_list(struct tern_ctl_names *ret_names);

/*
 * Connects to the stack of that name, or, NULL, to the only one that runs. error (TERN_ERROR_MAX
 * bytes, may be NULL) gets one line. -EINVAL (no name), -ENOENT (none runs, or not this one),
 * -ENOTUNIQ (several run: the line lists them), -EACCES and what the system says.
 */
int tern_ctl_open(const char *name, struct tern_ctl_client **ret_client, char *error);
void tern_ctl_close(struct tern_ctl_client *client);

/* The name of the stack at the other end. */
const char *tern_ctl_name(const struct tern_ctl_client *client);

/* Sends one request: a JSON object without newline. -EMSGSIZE, -EPIPE, ... */
int tern_ctl_ask(struct tern_ctl_client *client, const char *request);

/*
 * Waits for the next line of the answer. Returns 1 and the line (NUL-terminated, without newline,
 * valid until the next call); 0 after the last one; -EREMOTEIO if the stack answered with an
 * error, which tern_ctl_error() tells; -EPIPE if it went away; -EMSGSIZE, -ENOMEM, -ETIMEDOUT
 * (10 s without a byte).
 */
int tern_ctl_next(struct tern_ctl_client *client, const char **ret_line, size_t *ret_len);

/* The text of the last error answer, "" if there was none. */
const char *tern_ctl_error(const struct tern_ctl_client *client);

#endif
