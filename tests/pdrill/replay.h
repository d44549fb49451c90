/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pdrill/replay.h: scripts in real time on libtern-packetdrill.so, played as packetdrill does.
 *
 * The reader of scripts, what is done with packets and what is asked of sockets are room sim's. The
 * rest of that room, and all that it calls of a stack, is another here: this program is linked with
 * definitions of its own in their place.
 *
 *	replay.c	the program: a process and a namespace for each script
 *	replay_world.c	the library instead of a stack: time, packets, sockets, knobs
 *	replay_call.c	system calls, and the second thread for those that block
 *	replay_data.c	those that move bytes or wait for it
 */
#ifndef TERN_TESTS_PDRILL_REPLAY_H
#define TERN_TESTS_PDRILL_REPLAY_H

#include "pdrill/interface.h"
#include "sim/drill_internal.h"

/* What the program was told. */
struct replay_options {
	const char *library, *flags, *program; /* program: tern, for its own knobs */
	char name[64];                         /* of the control socket */
	int64_t tolerance_us;                  /* at least this */
};

extern struct replay_options replay_options;

/* The library's table. */
extern struct packetdrill_interface so;

/*
 * Around every call of the library. The main thread holds a lock while it walks through the script;
 * the second one holds it except between these two. end makes a result or negative errno out of
 * what libc would return.
 */
void replay_begin(void);
int64_t replay_end(int64_t result);

/* The main thread lets the second one go on meanwhile. */
void replay_unlock(void);
void replay_lock(void);

/* d->now becomes the present time. */
void replay_refresh(struct drill *d);
uint64_t replay_now(const struct drill *d);

/* Ends the second thread if its call has returned, or once it has. The lock is not held. */
void replay_join(bool wait);

/* Calls that room sim makes otherwise. */
drill_call_fn replay_socket, replay_connect, replay_accept4, replay_fcntl, replay_ioctl,
	replay_close;
drill_call_fn replay_send, replay_recv, replay_open, replay_sendfile, replay_pipe, replay_splice,
	replay_poll, replay_epoll_create, replay_epoll_ctl, replay_epoll_wait;

#endif
