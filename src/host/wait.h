/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/wait.h: how calls of a host wait.
 */
#ifndef TERN_HOST_WAIT_H
#define TERN_HOST_WAIT_H

#include "host/host.h"

/* Does a call on this socket with these MSG_ flags not wait? */
bool tern_host_is_nonblock(const struct tern_host *host, int fd, int flags);

/* When a call of this kind that begins now gives up: SO_RCVTIMEO, SO_SNDTIMEO. */
uint64_t tern_host_deadline(const struct tern_host *host, int fd, enum tern_sock_op op);

/*
 * Turns the loop until a call of this kind is worth repeating. 0; -EAGAIN at the deadline;
 * -EINTR, -ENETDOWN, -EBADF.
 */
int tern_host_wait(struct tern_host *host, int fd, enum tern_sock_op op, uint64_t deadline);

#endif
