/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls of a script: see replay.h.
 *
 * A call that the script lets block is made by a second thread; the first goes on as soon as the
 * system says that the second one sleeps, or the call has returned. All others are made by the
 * first thread itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/bytes.h"
#include "pdrill/replay.h"
#include "sim/symbol.h"
#include "sock/abi.h"

enum { LATE_MS = 1000 }; /* how much later than it has to a call may return, to tell that it did */

static drill_call_fn *const functions[TERN_CALLS] = {
	[TERN_CALL_ACCEPT] = tern_drill_call_accept,
	[TERN_CALL_ACCEPT4] = replay_accept4,
	[TERN_CALL_BIND] = tern_drill_call_bind,
	[TERN_CALL_CLOSE] = replay_close,
	[TERN_CALL_CONNECT] = replay_connect,
	[TERN_CALL_EPOLL_CREATE] = replay_epoll_create,
	[TERN_CALL_EPOLL_CREATE1] = replay_epoll_create,
	[TERN_CALL_EPOLL_CTL] = replay_epoll_ctl,
	[TERN_CALL_EPOLL_WAIT] = replay_epoll_wait,
	[TERN_CALL_FCNTL] = replay_fcntl,
	[TERN_CALL_GETSOCKOPT] = tern_drill_call_getsockopt,
	[TERN_CALL_IOCTL] = replay_ioctl,
	[TERN_CALL_LISTEN] = tern_drill_call_listen,
	[TERN_CALL_OPEN] = replay_open,
	[TERN_CALL_PIPE] = replay_pipe,
	[TERN_CALL_POLL] = replay_poll,
	[TERN_CALL_READ] = replay_recv,
	[TERN_CALL_READV] = replay_recv,
	[TERN_CALL_RECV] = replay_recv,
	[TERN_CALL_RECVFROM] = replay_recv,
	[TERN_CALL_RECVMSG] = replay_recv,
	[TERN_CALL_SEND] = replay_send,
	[TERN_CALL_SENDFILE] = replay_sendfile,
	[TERN_CALL_SENDMSG] = replay_send,
	[TERN_CALL_SENDTO] = replay_send,
	[TERN_CALL_SETSOCKOPT] = tern_drill_call_setsockopt,
	[TERN_CALL_SHUTDOWN] = tern_drill_call_shutdown,
	[TERN_CALL_SOCKET] = replay_socket,
	[TERN_CALL_SPLICE] = replay_splice,
	[TERN_CALL_WRITE] = replay_send,
	[TERN_CALL_WRITEV] = replay_send,
};

static struct {
	pthread_t thread;
	bool runs;
	struct drill *d;
	uint64_t ended;    /* when its call has returned */
	_Atomic int tid;   /* 0: it has not begun the call */
	_Atomic bool over; /* the call has returned */
} second;

static _Thread_local bool is_second;

/* ---- the second thread ---- */

void replay_begin(void)
{
	if (!is_second)
		return;
	atomic_store(&second.tid, (int)syscall(SYS_gettid));
	replay_unlock();
}

int64_t replay_end(int64_t result)
{
	int error = errno;

	if (is_second) {
		second.ended = replay_now(second.d);
		atomic_store(&second.over, true);
		replay_lock();
	}
	return result < 0 ? -error : result;
}

void replay_join(bool wait)
{
	if (!second.runs || (!wait && !atomic_load(&second.over)))
		return;
	(void)pthread_join(second.thread, NULL);
	second.runs = false;
}

static void step(struct drill *d, struct drill_call *c)
{
	drill_call_fn *function = functions[c->call->name];

	if (function)
		(void)function(d, c);
	else
		tern_drill_broken(d, c->event->place, "the library's table has no such call");
	c->done = true;
}

static void *run(void *user)
{
	struct drill *d = user;

	is_second = true;
	replay_lock();
	second.ended = replay_now(d);
	step(d, &d->blocked);
	d->blocked.ended = second.ended;
	atomic_store(&second.over, true);
	replay_unlock();
	return NULL;
}

/* Does the system say that the thread sleeps? */
static bool sleeps(int tid)
{
	char path[64], line[256], *state;
	FILE *file;
	bool is = false;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return true;
	if (fgets(line, sizeof(line), file)) {
		state = strrchr(line, ')');
		is = state && state[1] && state[2] == 'S';
	}
	(void)fclose(file);
	return is;
}

static void start_second(struct drill *d)
{
	int tid;

	second.d = d;
	atomic_store(&second.tid, 0);
	atomic_store(&second.over, false);
	if (pthread_create(&second.thread, NULL, run, d)) {
		tern_drill_fail(d, "no thread");
		return;
	}
	second.runs = true;
	replay_unlock();
	while (!atomic_load(&second.over)) {
		tid = atomic_load(&second.tid);
		if (tid && sleeps(tid))
			break;
		(void)usleep(20);
	}
	replay_lock();
}

/* ---- results ---- */

static void check_result(struct drill *d, const struct drill_call *c)
{
	const struct tern_script_call *call = c->call;
	int error = c->result < 0 ? (int)-c->result : 0;

	if (d->verdict != TERN_DRILL_PASSED || call->result->kind == TERN_EXPR_ELLIPSIS)
		return;
	if (error ? call->result->value == -1 && (!call->error || call->error == error)
		  : call->result->value == c->result)
		return;
	tern_drill_fail(d, "the call returned %lld%s%s", error ? -1LL : (long long)c->result,
			error ? " " : "", error ? tern_symbol_errno_name(error) : "");
}

void tern_drill_call_finish(struct drill *d)
{
	struct drill_call *c = &d->blocked;
	const struct tern_script_event *now = d->event;
	uint64_t limit;

	if (!c->active)
		return;
	limit = TERN_MAX(d->now, d->start + (uint64_t)c->end_us * DRILL_US) + LATE_MS * DRILL_MS;
	replay_unlock();
	while (!atomic_load(&second.over) && replay_now(d) < limit)
		(void)usleep(100);
	replay_join(false);
	replay_lock();
	replay_refresh(d);
	d->event = c->event;
	if (c->done) {
		check_result(d, c);
		tern_drill_check_end(d, c);
	} else {
		tern_drill_fail(d, "the call was to return at %.6f s, and still blocks",
				(double)c->end_us / 1e6);
	}
	if (d->verdict == TERN_DRILL_PASSED)
		d->event = now;
	c->active = false;
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
				  .end_us = call->end_us };
	if (call->end_us < 0) {
		step(d, c);
		replay_refresh(d);
		check_result(d, c);
		c->active = false;
		return;
	}
	if (d->event->time == TERN_TIME_RELATIVE)
		c->end_us += d->last_us;
	start_second(d);
	replay_refresh(d);
}

/* sock would have had its caller wait: the library has waited, and this is the result. */
bool tern_drill_wait(struct drill *d, struct drill_call *c, enum tern_sock_op op)
{
	(void)d;
	return tern_drill_done(c, op == TERN_SOCK_OP_CONNECT ? -EINPROGRESS : -EAGAIN);
}

/* The library knows by itself who watches what. */
void tern_drill_epoll_forget(struct drill *d, int script_fd)
{
	(void)d;
	(void)script_fd;
}

/* ---- what the library does otherwise than sock ---- */

static void set_nonblock(struct drill_fd *fd)
{
	if (fd->nonblock)
		(void)so.fcntl(so.userdata, fd->live, F_SETFL, O_RDWR | O_NONBLOCK);
}

bool replay_socket(struct drill *d, struct drill_call *c)
{
	bool done = tern_drill_call_socket(d, c);

	if (done && c->result >= 0)
		set_nonblock(&d->fds[c->result]);
	return done;
}

bool replay_accept4(struct drill *d, struct drill_call *c)
{
	bool done = tern_drill_call_accept(d, c);

	if (done && c->result >= 0)
		set_nonblock(&d->fds[c->result]);
	return done;
}

/* Packets are about this socket from now on, even while the call blocks. */
static bool begin_connect(struct drill *d, struct drill_fd *fd, const uint8_t *addr)
{
	struct drill_flow *flow = fd->flow;
	uint16_t family;

	memcpy(&family, addr, sizeof(family));
	if (family == AF_UNSPEC)
		return true;
	if (!flow->udp && flow->phase != DRILL_NEW && flow->phase != DRILL_CONNECTING) {
		flow = tern_drill_flow_new(d, DRILL_NEW);
		if (!flow)
			return false;
		flow->fd = fd->flow->fd;
		fd->flow = flow;
	}
	flow->remote = (struct tern_endpoint){ d->remote, tern_get_u16(addr + 2) };
	if (!flow->udp)
		flow->phase = DRILL_CONNECTING;
	d->under_test = flow;
	return true;
}

bool replay_connect(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	uint8_t addr[sizeof(struct tern_sockaddr_in6)];
	const struct tern_expr *length = tern_drill_arg(c, 2);
	struct drill_flow *flow;
	int len, err;
	int64_t n;

	if (!fd)
		return false;
	len = tern_drill_sockaddr(d, tern_drill_arg(c, 1), true, addr);
	n = len;
	if (len < 0 || (length->kind != TERN_EXPR_ELLIPSIS && !tern_drill_number(d, length, &n)))
		return false;
	flow = fd->flow;
	/* A second connect() asks how the first one goes. */
	if (!(flow->phase >= DRILL_CONNECTING && c->call->error && c->call->error != EINPROGRESS) &&
	    !(flow->phase >= DRILL_CONNECTING && !c->call->error && c->end_us < 0) &&
	    !begin_connect(d, fd, addr))
		return false;
	replay_begin();
	err = (int)replay_end(
		so.connect(so.userdata, fd->live, (const struct sockaddr *)(const void *)addr,
			   n < 0 || n > (int64_t)sizeof(addr) ? (socklen_t)len : (socklen_t)n));
	return tern_drill_done(c, err);
}

bool replay_close(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
	int err;

	if (!fd)
		return false;
	if (fd->kind == DRILL_FD_SOCKET)
		return tern_drill_call_close(d, c);
	err = fd->kind == DRILL_FD_EPOLL ? so.close(so.userdata, fd->live) : close(fd->live);
	fd->kind = DRILL_FD_NONE;
	return tern_drill_done(c, err ? -errno : 0);
}

bool replay_fcntl(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_fd_at(d, c, tern_drill_arg(c, 0));
	const struct tern_expr *e = tern_drill_arg(c, 2);
	int64_t cmd, flags = 0;
	int got;

	if (!fd || !tern_drill_number(d, tern_drill_arg(c, 1), &cmd) ||
	    (e && !tern_drill_number(d, e, &flags)))
		return false;
	if (fd->kind != DRILL_FD_SOCKET)
		got = fcntl(fd->live, (int)cmd, (int)flags);
	else if (e)
		got = so.fcntl(so.userdata, fd->live, (int)cmd, (int)flags);
	else
		got = so.fcntl(so.userdata, fd->live, (int)cmd);
	if (got >= 0 && cmd == F_SETFL)
		fd->nonblock = flags & O_NONBLOCK;
	return tern_drill_done(c, got < 0 ? -errno : got);
}

bool replay_ioctl(struct drill *d, struct drill_call *c)
{
	struct drill_fd *fd = tern_drill_socket_at(d, c);
	const struct tern_expr *e = tern_drill_arg(c, 2);
	int64_t cmd, wanted;
	int n, got;

	if (!fd || !tern_drill_number(d, tern_drill_arg(c, 1), &cmd) ||
	    !tern_drill_number(d, e, &wanted))
		return false;
	n = (int)wanted;
	got = so.ioctl(so.userdata, fd->live, (unsigned long)cmd, &n);
	if (got >= 0 && cmd == FIONBIO)
		fd->nonblock = n != 0;
	if (got >= 0 && n != wanted)
		tern_drill_fail(d, "the call gave %d, not %lld", n, (long long)wanted);
	return tern_drill_done(c, got < 0 ? -errno : got);
}
