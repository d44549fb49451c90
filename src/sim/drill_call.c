/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_call.c: system calls: how they begin, wait and end.
 *
 * A call is a function that is called until it says that its result is there; between, time passes
 * until what it waits for is so. A call that the script lets block (`+0...0.2 accept(...)`) waits
 * beside the following events, as a second thread would, one at a time; its end must lie within
 * what the script says. Any other call has the script wait for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/drill_internal.h"
#include "sim/symbol.h"

static drill_call_fn *const functions[TERN_CALLS] = {
	[TERN_CALL_ACCEPT] = tern_drill_call_accept,
	[TERN_CALL_ACCEPT4] = tern_drill_call_accept,
	[TERN_CALL_BIND] = tern_drill_call_bind,
	[TERN_CALL_CLOSE] = tern_drill_call_close,
	[TERN_CALL_CONNECT] = tern_drill_call_connect,
	[TERN_CALL_EPOLL_CREATE] = tern_drill_call_epoll_create,
	[TERN_CALL_EPOLL_CREATE1] = tern_drill_call_epoll_create,
	[TERN_CALL_EPOLL_CTL] = tern_drill_call_epoll_ctl,
	[TERN_CALL_EPOLL_WAIT] = tern_drill_call_epoll_wait,
	[TERN_CALL_FCNTL] = tern_drill_call_fcntl,
	[TERN_CALL_GETPEERNAME] = tern_drill_call_name,
	[TERN_CALL_GETSOCKNAME] = tern_drill_call_name,
	[TERN_CALL_GETSOCKOPT] = tern_drill_call_getsockopt,
	[TERN_CALL_IOCTL] = tern_drill_call_ioctl,
	[TERN_CALL_LISTEN] = tern_drill_call_listen,
	[TERN_CALL_OPEN] = tern_drill_call_open,
	[TERN_CALL_PIPE] = tern_drill_call_pipe,
	[TERN_CALL_POLL] = tern_drill_call_poll,
	[TERN_CALL_READ] = tern_drill_call_recv,
	[TERN_CALL_READV] = tern_drill_call_recv,
	[TERN_CALL_RECV] = tern_drill_call_recv,
	[TERN_CALL_RECVFROM] = tern_drill_call_recv,
	[TERN_CALL_RECVMSG] = tern_drill_call_recv,
	[TERN_CALL_SEND] = tern_drill_call_send,
	[TERN_CALL_SENDFILE] = tern_drill_call_sendfile,
	[TERN_CALL_SENDMSG] = tern_drill_call_send,
	[TERN_CALL_SENDTO] = tern_drill_call_send,
	[TERN_CALL_SETSOCKOPT] = tern_drill_call_setsockopt,
	[TERN_CALL_SHUTDOWN] = tern_drill_call_shutdown,
	[TERN_CALL_SOCKET] = tern_drill_call_socket,
	[TERN_CALL_SPLICE] = tern_drill_call_splice,
	[TERN_CALL_WRITE] = tern_drill_call_send,
	[TERN_CALL_WRITEV] = tern_drill_call_send,
};

/* ---- waiting ---- */

bool tern_drill_wait(struct drill *d, struct drill_call *c, enum tern_sock_op op)
{
	struct tern_sock_wait wait;

	if (tern_sock_wait(d->ss, c->fd->live, op, &wait) < 0)
		return tern_drill_done(c, -EBADF);
	if (!c->waits) {
		c->waits = true;
		c->deadline = wait.timeout_ns == TERN_NEVER ? TERN_NEVER : d->now + wait.timeout_ns;
	}
	c->wait_fd = c->fd->live;
	c->bits = wait.bits;
	if (d->now >= c->deadline)
		return tern_drill_done(c, c->count                     ? (int64_t)c->count
					  : op == TERN_SOCK_OP_CONNECT ? -EINPROGRESS
								       : -EAGAIN);
	return false;
}

/* One step of a call; when it ends, that is noted. */
static void step(struct drill *d, struct drill_call *c)
{
	if (!functions[c->call->name](d, c) && !c->done && d->verdict == TERN_DRILL_PASSED)
		return;
	c->done = true;
	c->ended = d->now;
}

void tern_drill_call_retry(struct drill *d)
{
	struct drill_call *c = &d->blocked;

	if (!c->active || c->done)
		return;
	if (c->wait_fd >= 0 && d->now < c->deadline &&
	    !(tern_sock_poll(d->ss, d->now, c->wait_fd) & c->bits))
		return;
	step(d, c);
}

/* ---- results ---- */

static void show_result(int64_t result, char *text, size_t cap)
{
	if (result < 0)
		(void)snprintf(text, cap, "-1 %s (%s)", tern_symbol_errno_name((int)-result),
			       strerror((int)-result));
	else
		(void)snprintf(text, cap, "%lld", (long long)result);
}

static void check_result(struct drill *d, const struct drill_call *c)
{
	const struct tern_script_call *call = c->call;
	int64_t wanted = call->result->value;
	char got[96];

	if (d->verdict != TERN_DRILL_PASSED || call->result->kind == TERN_EXPR_ELLIPSIS)
		return;
	/* Descriptors of a script are its own: any good one will do. */
	if (c->result >= 0 ? c->result == wanted
			   : wanted == -1 && (!call->error || call->error == -c->result))
		return;
	show_result(c->result, got, sizeof(got));
	tern_drill_fail(d, "the call returned %s", got);
}

void tern_drill_call_finish(struct drill *d)
{
	struct drill_call *c = &d->blocked;
	const struct tern_script_event *now = d->event;
	uint64_t limit;

	if (!c->active)
		return;
	limit = d->start + (uint64_t)(c->end_us + tern_drill_tolerance(d, c->end_us)) * DRILL_US;
	if (!c->done)
		tern_drill_pass(d, TERN_MAX(limit, d->now), NULL);
	d->event = c->event;
	if (d->verdict == TERN_DRILL_PASSED && !c->done)
		tern_drill_fail(d, "the call was to return at %.6f s, and still blocks",
				(double)c->end_us / 1e6);
	check_result(d, c);
	tern_drill_check_end(d, c);
	if (d->verdict == TERN_DRILL_PASSED)
		d->event = now;
	c->active = false;
}

/* The script waits for a call that is not said to block. */
static void wait_for(struct drill *d)
{
	struct drill_call *c = &d->blocked;
	uint64_t limit = d->now + DRILL_FOREVER;

	while (!c->done && d->verdict == TERN_DRILL_PASSED && d->now < limit) {
		uint64_t next = TERN_MIN(tern_stack_deadline(d->st), c->deadline);

		if (next == TERN_NEVER)
			break;
		tern_drill_pass(d, TERN_MIN(TERN_MAX(next, d->now), limit), NULL);
	}
	if (!c->done && d->verdict == TERN_DRILL_PASSED)
		tern_drill_fail(d, "the call blocks for ever");
}

void tern_drill_call(struct drill *d, const struct tern_script_call *call)
{
	struct drill_call *c = &d->blocked;

	tern_drill_call_finish(d);
	if (d->verdict != TERN_DRILL_PASSED)
		return;
	*c = (struct drill_call){ .event = d->event,
				  .call = call,
				  .active = true,
				  .wait_fd = -1,
				  .end_us = call->end_us,
				  .deadline = TERN_NEVER };
	if (call->end_us >= 0 && d->event->time == TERN_TIME_RELATIVE)
		c->end_us = d->last_us + call->end_us;
	step(d, c);
	tern_drill_settle(d);
	if (call->end_us >= 0 || d->verdict != TERN_DRILL_PASSED)
		return;
	if (!c->done)
		wait_for(d);
	check_result(d, c);
	c->active = false;
}
