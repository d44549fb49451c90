/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop/loop.h: one stack, one link and the system: the only clock and the only source of entropy.
 *
 * A program calls tern_loop_step() for ever. Between two steps it pulls what happened, acts, and
 * steps again; nobody is called back:
 *
 *	while (running) {
 *		err = tern_loop_step(loop, TERN_NEVER);
 *		while (tern_loop_ready(loop, &ready)) ...      descriptors of its own
 *		while (tern_stack_event(st, &event)) ...       its sockets
 *	}
 *
 * Calls into the stack between steps take tern_loop_time(), or tern_loop_now() where what was done
 * since the step took long. Their output leaves at the beginning of the next step.
 */
#ifndef TERN_LOOP_LOOP_H
#define TERN_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "link/link.h"

struct tern_loop;

enum tern_loop_bit {
	TERN_LOOP_IN = 1,       /* something to read, or the end of it */
	TERN_LOOP_OUT = 2,      /* room to write */
	TERN_LOOP_HANGUP = 4,   /* the other side is gone, or an error: told unasked */
	TERN_LOOP_READ_END = 8, /* the other side writes no more (EPOLLRDHUP) */
	TERN_LOOP_ERROR = 16,   /* with HANGUP: an error, as SO_ERROR has it: told unasked */
	TERN_LOOP_EDGE = 32,    /* only watched for: tell of each change once (EPOLLET) */
};

/* A watched descriptor that is ready. */
struct tern_loop_ready {
	uint64_t user; /* as given to tern_loop_watch */
	int fd;
	unsigned int events; /* enum tern_loop_bit, without EDGE */
};

/* Nanoseconds of the monotonic clock: the `now` of every entry into a stack. Reads the clock. */
uint64_t tern_loop_now(void);

/* Nanoseconds since 1970. Reads the clock. */
uint64_t tern_loop_realtime(void);

/* Fills len bytes with entropy of the system, as the seed of a stack needs it. 0 or -errno. */
TERN_NODISCARD int tern_loop_entropy(void *buf, size_t len);

/*
 * Makes a loop for a stack and the link it uses; both stay the caller's and must outlive it. Tells
 * the stack the wall-clock time. 0, -ENOMEM, -EMFILE, or what epoll says of the link's descriptor.
 */
TERN_NODISCARD int tern_loop_new(struct tern_stack *st, struct tern_link *link,
				 struct tern_loop **ret_loop);

/* Frees the loop; watched descriptors stay open. NULL is allowed. */
void tern_loop_free(struct tern_loop *loop);

/*
 * One turn: sends what the stack has to send, waits until a frame comes, a timer is due, a watched
 * descriptor is ready or timeout_ns have passed (0: does not wait; TERN_NEVER: no limit), takes a
 * burst of frames in, runs due timers, sends again. Turns of a busy loop do not wait.
 *
 * Returns how many watched descriptors are ready (those of the turn before that were not pulled are
 * forgotten; what still holds is told again), or -ENODEV when the link is gone. A signal ends the
 * wait with 0.
 */
int tern_loop_step(struct tern_loop *loop, uint64_t timeout_ns);

/*
 * A descriptor to wait on elsewhere, readable while something is ready for tern_loop_step(loop, 0):
 * for a caller that has more to wait for. The stack's deadline is not in it.
 */
int tern_loop_fd(const struct tern_loop *loop);

/* The time of the last turn, as it was given to the stack; it costs no clock read. */
uint64_t tern_loop_time(const struct tern_loop *loop);

/*
 * Watches a descriptor for TERN_LOOP_IN, OUT and READ_END, or changes what it is watched for; with
 * 0 nothing is told of it, not even a hang-up. `user` comes back with each report. To be forgotten
 * before the descriptor is closed. 0, -EBADF, -ENOMEM, -ENOSPC (a 17th regular file) or another of
 * epoll's.
 *
 * With TERN_LOOP_EDGE a report says what holds when something has changed, and comes once: read and
 * write until -EAGAIN. Calling this again tells at once what holds. EDGE alone is "only a hang-up".
 * A regular file is always ready, EDGE or not.
 */
TERN_NODISCARD int tern_loop_watch(struct tern_loop *loop, int fd, unsigned int events,
				   uint64_t user);

/* Watches a descriptor no more. One that is not watched is allowed. */
void tern_loop_forget(struct tern_loop *loop, int fd);

/* Pulls the next ready descriptor of the last turn. False when there is none. */
bool tern_loop_ready(struct tern_loop *loop, struct tern_loop_ready *ret_ready);

#endif
