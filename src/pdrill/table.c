/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The table that packetdrill calls through. Nearly all of it are the calls of the other files as
 * they are; here stand the clock, which packetdrill asks thousands of times while it spins and
 * which therefore takes no lock, the sleep, and the pipe, which is the kernel's own.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"
#include "pdrill/pdrill.h"

static void release(void *ud)
{
	tern_pdrill_free(ud);
}

static int tell_time(void *ud, struct timeval *tv, struct timezone *tz)
{
	const struct tern_pdrill *d = ud;
	int64_t now = (int64_t)tern_loop_now() + d->wall_offset;

	tv->tv_sec = (time_t)(now / 1000000000);
	tv->tv_usec = (suseconds_t)(now % 1000000000 / 1000);
	if (tz)
		*tz = (struct timezone){ 0 };
	return 0;
}

static int doze(void *ud, useconds_t usecs)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(usecs / 1000000),
		.tv_nsec = (long)(usecs % 1000000) * 1000,
	};

	(void)ud;
	return nanosleep(&ts, NULL);
}

static int make_pipe(void *ud, int fds[2])
{
	(void)ud;
	return pipe(fds);
}

void tern_pdrill_fill(struct tern_pdrill *d, struct packetdrill_interface *out)
{
	*out = (struct packetdrill_interface){
		.userdata = d,
		.free = release,
		.socket = tern_pdrill_socket,
		.bind = tern_pdrill_bind,
		.listen = tern_pdrill_listen,
		.accept = tern_pdrill_accept,
		.connect = tern_pdrill_connect,
		.read = tern_pdrill_read,
		.readv = tern_pdrill_readv,
		.recv = tern_pdrill_recv,
		.recvfrom = tern_pdrill_recvfrom,
		.recvmsg = tern_pdrill_recvmsg,
		.write = tern_pdrill_write,
		.writev = tern_pdrill_writev,
		.send = tern_pdrill_send,
		.sendto = tern_pdrill_sendto,
		.sendmsg = tern_pdrill_sendmsg,
		.fcntl = tern_pdrill_fcntl,
		.ioctl = tern_pdrill_ioctl,
		.close = tern_pdrill_close,
		.shutdown = tern_pdrill_shutdown,
		.getsockopt = tern_pdrill_getsockopt,
		.setsockopt = tern_pdrill_setsockopt,
		.poll = tern_pdrill_poll,
		.netdev_send = tern_pdrill_netdev_send,
		.netdev_receive = tern_pdrill_netdev_receive,
		.usleep = doze,
		.gettimeofday = tell_time,
		.epoll_create = tern_pdrill_epoll_create,
		.epoll_ctl = tern_pdrill_epoll_ctl,
		.epoll_wait = tern_pdrill_epoll_wait,
		.pipe = make_pipe,
		.splice = tern_pdrill_splice,
	};
}
