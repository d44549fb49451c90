/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/server.h: the control socket of a stack, served by its host's loop between bursts.
 *
 * The name is taken first (the socket is the lock on it), the host attached when it exists:
 *
 *	tern_ctl_new("web", &ctl, why);
 *	tern_host_new(&cfg, &host, why);
 *	tern_ctl_attach(ctl, host);
 *	...
 *	tern_ctl_free(ctl);		before the host
 *	tern_host_free(host);
 *
 * The protocol is described in server.c.
 */
#ifndef TERN_CTL_SERVER_H
#define TERN_CTL_SERVER_H

#include "report/holder.h"
#include "tern/socket.h"

struct tern_ctl;

/*
 * Takes the name: makes the directory if there is none, replaces the socket of a stack that is
 * dead, and listens. From here on `tern ss` finds the stack, and waits until the host is attached.
 * error (TERN_ERROR_MAX bytes, may be NULL) gets one line. -EINVAL (no name), -EADDRINUSE (a
 * running stack has it), -ENAMETOOLONG, -EACCES and what the system says.
 */
int tern_ctl_new(const char *name, struct tern_ctl **ret_ctl, char *error);

/* Lets the host's loop serve it. -ENOMEM, or what the system says. */
int tern_ctl_attach(struct tern_ctl *ctl, struct tern_host *host);

/*
 * Who is asked, once for each request, which processes hold which sockets (`tern ss -p`). Without
 * this, or with NULL, there are none. user is passed through.
 */
void tern_ctl_set_holders(struct tern_ctl *ctl, tern_holders_fn *holders, void *user);

/* Removes the socket and frees all; before the host goes. NULL is allowed. */
void tern_ctl_free(struct tern_ctl *ctl);

#endif
