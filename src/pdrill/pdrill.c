/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * packetdrill drives a stack in real time from two threads: one walks through the script, moves
 * packets and makes the calls that return at once; the other makes those that block. Between events
 * the first one spins on the clock or sleeps, and the stack's timers have to run all the same. So
 * there is a third thread, ours, behind the two: it sleeps until the stack's deadline, and serves
 * the control socket meanwhile.
 *
 * Time. Entries into the stack are serialised by one lock. Each reads the monotonic clock; before
 * it does its own work it runs the timers that were due until then, each at the very time that it
 * was due at. Whoever comes first after a deadline does that: our thread, or a call. A frame
 * carries the time of the entry that made it, so what packetdrill sees as time of emission does
 * not depend on how soon the system wakes a thread up. The clock that packetdrill sees is the
 * monotonic one moved to the present day: nobody sets it during a script.
 *
 * Waiting. A call that would block waits for a condition that is signalled when something has
 * happened: frames left, a socket changed, another call was made. packetdrill looks at the state of
 * its second thread to learn that a call blocks; it sleeps for nothing else. If the thread that
 * moves packets itself makes a call that waits for a packet, and no timer is pending, nothing can
 * ever end it: that is -EDEADLK, and the script fails instead of hanging.
 *
 * Descriptors. Those of a stack are a range of numbers that no process has open, sockets first,
 * epoll sets behind them: close() and its kin tell ours from others' by looking at them.
 */
#include "pdrill/pdrill.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"

#define WAIT_MAX_NS UINT64_C(3600000000000)

static _Atomic(struct tern_pdrill *) stacks[TERN_PDRILL_STACKS];

struct tern_pdrill *tern_pdrill_of(int fd)
{
	int place = (fd - TERN_PDRILL_FD) / TERN_PDRILL_FDS;

	if (fd < TERN_PDRILL_FD || place >= TERN_PDRILL_STACKS)
		return NULL;
	return atomic_load(&stacks[place]);
}

/* The clock, which does not go back behind what the stack was told. */
static uint64_t read_clock(const struct tern_pdrill *d)
{
	uint64_t now = tern_loop_now();

	return TERN_MAX(now, d->now);
}

/* Runs what was due until now, each timer at its time, and lets out what they made. */
static void catch_up(struct tern_pdrill *d, uint64_t now)
{
	uint64_t due;

	while ((due = tern_stack_deadline(d->st)) <= now) {
		d->now = TERN_MAX(d->now, due);
		tern_stack_tick(d->st, d->now);
		tern_pdrill_drain(d);
		if (tern_stack_deadline(d->st) <= due)
			break; /* what is still due now runs below */
	}
	d->now = now;
	if (tern_stack_deadline(d->st) <= now)
		tern_stack_tick(d->st, now);
	tern_pdrill_drain(d);
}

/* Wakes the thread behind. */
static void kick(struct tern_pdrill *d)
{
	uint64_t one = 1;

	/* A full eventfd wakes as well as this write would have. */
	if (write(d->host.wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* After an entry: output, edges, and whoever has to know. */
static void settle(struct tern_pdrill *d, bool news)
{
	int sock;

	tern_pdrill_drain(d);
	tern_sock_poll_events(d->socks, d->now);
	while ((sock = tern_sock_next_changed(d->socks)) >= 0) {
		tern_pdrill_epoll_mark(d, d->first + sock);
		news = true;
	}
	news = news || d->wire.news;
	d->wire.news = false;
	if (news && d->waiting)
		(void)pthread_cond_broadcast(&d->changed);
	if (tern_stack_deadline(d->st) < d->planned)
		kick(d);
}

uint64_t tern_pdrill_enter(struct tern_pdrill *d)
{
	(void)pthread_mutex_lock(&d->lock);
	d->inside++;
	catch_up(d, read_clock(d));
	tern_pdrill_knobs_look(d);
	return d->now;
}

int64_t tern_pdrill_leave(struct tern_pdrill *d, int64_t result)
{
	settle(d, true);
	d->inside--;
	if (d->stopping)
		(void)pthread_cond_broadcast(&d->changed);
	(void)pthread_mutex_unlock(&d->lock);
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

/* Is there nothing that could ever end this wait? */
static bool is_for_ever(const struct tern_pdrill *d, uint64_t until)
{
	return until == TERN_NEVER && d->packets_known &&
	       pthread_equal(d->packets, pthread_self()) &&
	       tern_stack_deadline(d->st) == TERN_NEVER;
}

int tern_pdrill_wait(struct tern_pdrill *d, uint64_t until)
{
	uint64_t end = TERN_MIN(until, tern_pdrill_later(d, WAIT_MAX_NS));
	struct timespec ts = {
		.tv_sec = (time_t)(end / 1000000000),
		.tv_nsec = (long)(end % 1000000000),
	};

	settle(d, false);
	if (d->stopping)
		return -EBADF;
	if (is_for_ever(d, until))
		return -EDEADLK;
	d->waiting++;
	(void)pthread_cond_timedwait(&d->changed, &d->lock, &ts);
	d->waiting--;
	if (d->stopping)
		return -EBADF;
	catch_up(d, read_clock(d));
	return 0;
}

uint64_t tern_pdrill_until(struct tern_pdrill *d, int sock, enum tern_sock_op op)
{
	struct tern_sock_wait wait;

	if (tern_sock_wait(d->socks, sock, op, &wait) < 0)
		return 0;
	return tern_pdrill_later(d, wait.timeout_ns);
}

int tern_pdrill_wait_for(struct tern_pdrill *d, int sock, enum tern_sock_op op, uint64_t until)
{
	struct tern_sock_wait wait;
	int err = tern_sock_wait(d->socks, sock, op, &wait);

	while (!err && !(tern_sock_poll(d->socks, d->now, sock) & (wait.bits | TERN_SOCK_NVAL))) {
		if (d->now >= until)
			return -EAGAIN;
		err = tern_pdrill_wait(d, until);
	}
	return err;
}

/* The thread behind: timers at their time, and whoever asks by the control socket. */
static void *run(void *user)
{
	struct tern_pdrill *d = user;
	struct pollfd loop = { .fd = tern_loop_fd(d->host.loop), .events = POLLIN };
	struct timespec ts;
	uint64_t wait;
	bool ready;

	(void)pthread_mutex_lock(&d->lock);
	while (!d->stopping) {
		catch_up(d, read_clock(d));
		settle(d, false);
		d->planned = TERN_MIN(tern_stack_deadline(d->st), d->now + WAIT_MAX_NS);
		wait = d->planned > d->now ? d->planned - d->now : 0;
		ts.tv_sec = (time_t)(wait / 1000000000);
		ts.tv_nsec = (long)(wait % 1000000000);
		(void)pthread_mutex_unlock(&d->lock);
		ready = ppoll(&loop, 1, &ts, NULL) > 0;
		(void)pthread_mutex_lock(&d->lock);
		d->planned = 0;
		catch_up(d, read_clock(d));
		if (!ready || d->stopping)
			continue;
		(void)tern_host_turn(&d->host, 0);
		d->now = TERN_MAX(d->now, tern_host_time(&d->host));
	}
	(void)pthread_mutex_unlock(&d->lock);
	return NULL;
}

static int make_stack(struct tern_pdrill *d, struct tern_pdrill_setup *setup)
{
	struct tern_config cfg = {
		.addr_count = setup->addr_count,
		.mtu = setup->mtu,
		.trace_max = setup->trace_max,
		.conns_max = TERN_PDRILL_SOCKETS,
	};
	int err = 0;

	memcpy(cfg.addrs, setup->addrs, sizeof(cfg.addrs));
	if (setup->seeded)
		memcpy(cfg.seed, &setup->seed, sizeof(setup->seed));
	else
		err = tern_loop_entropy(cfg.seed, sizeof(cfg.seed));
	if (!err)
		err = tern_stack_new(&cfg, d->now, &d->st);
	if (!err)
		err = tern_socks_new(d->st, TERN_PDRILL_SOCKETS, &d->socks);
	if (!err)
		err = tern_pdrill_knobs_open(d);
	if (err)
		return tern_host_fail(setup->error, err, "cannot make a stack: %s", strerror(-err));
	tern_pdrill_knobs_read(d);
	return tern_pdrill_flag_knobs(setup, d->st, d->now);
}

/* A host made by hand: the control socket wants one, and its loop is turned by our thread. */
static int make_host(struct tern_pdrill *d, struct tern_pdrill_setup *setup)
{
	struct tern_host *host = &d->host;
	int err;

	tern_pdrill_wire_init(d, setup->mtu);
	host->st = d->st;
	host->link = &d->wire.link;
	host->socks = d->socks;
	host->sockets_max = TERN_PDRILL_SOCKETS;
	host->mtu = setup->mtu;
	memcpy(host->addrs, setup->addrs, sizeof(host->addrs));
	host->addr_count = setup->addr_count;
	host->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = host->wake_fd < 0 ? -errno : tern_loop_new(d->st, host->link, &host->loop);
	if (!err)
		err = tern_host_watch(host, host->wake_fd, TERN_LOOP_IN, NULL);
	if (err)
		return tern_host_fail(setup->error, err, "cannot make a loop: %s", strerror(-err));
	if (!setup->name[0])
		return 0;
	err = tern_ctl_new(setup->name, &d->ctl, setup->error);
	return err ? err : tern_ctl_attach(d->ctl, host);
}

static int make_thread(struct tern_pdrill *d, struct tern_pdrill_setup *setup)
{
	pthread_condattr_t attr;
	int err;

	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&d->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	err = pthread_create(&d->thread, NULL, run, d);
	if (err)
		return tern_host_fail(setup->error, -err, "cannot make a thread: %s",
				      strerror(err));
	d->thread_runs = true;
	return 0;
}

/* A range of descriptors that no other stack of this process has. */
static int take_place(struct tern_pdrill *d, struct tern_pdrill_setup *setup)
{
	for (int i = 0; i < TERN_PDRILL_STACKS; i++) {
		struct tern_pdrill *none = NULL;

		d->first = TERN_PDRILL_FD + i * TERN_PDRILL_FDS;
		if (atomic_compare_exchange_strong(&stacks[i], &none, d))
			return 0;
	}
	return tern_host_fail(setup->error, -EMFILE, "%d stacks in a process are the most",
			      TERN_PDRILL_STACKS);
}

int tern_pdrill_new(const char *flags, struct tern_pdrill **ret, char error[TERN_PDRILL_ERROR_MAX])
{
	struct tern_pdrill_setup *setup = calloc(1, sizeof(*setup));
	struct tern_pdrill *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (!setup || !d) {
		(void)snprintf(error, TERN_PDRILL_ERROR_MAX, "no memory");
		free(setup);
		free(d);
		return err;
	}
	d->host.wake_fd = -1;
	d->now = tern_loop_now();
	d->wall_offset = (int64_t)(tern_loop_realtime() - d->now);
	err = tern_pdrill_setup(flags, setup);
	d->no_tso = d->cut = setup->no_tso;
	if (!err)
		err = make_stack(d, setup);
	if (!err)
		err = make_host(d, setup);
	if (!err)
		err = make_thread(d, setup);
	if (!err)
		err = take_place(d, setup);
	if (err)
		(void)snprintf(error, TERN_PDRILL_ERROR_MAX, "%s", setup->error);
	free(setup);
	if (err) {
		tern_pdrill_free(d);
		return err;
	}
	*ret = d;
	return 0;
}

/* Calls that wait return, the thread behind ends. */
static void stop(struct tern_pdrill *d)
{
	(void)pthread_mutex_lock(&d->lock);
	d->stopping = true;
	kick(d);
	(void)pthread_cond_broadcast(&d->changed);
	while (d->inside)
		(void)pthread_cond_wait(&d->changed, &d->lock);
	(void)pthread_mutex_unlock(&d->lock);
	(void)pthread_join(d->thread, NULL);
	(void)pthread_cond_destroy(&d->changed);
	(void)pthread_mutex_destroy(&d->lock);
}

void tern_pdrill_free(struct tern_pdrill *d)
{
	int place = (d->first - TERN_PDRILL_FD) / TERN_PDRILL_FDS;
	struct tern_pdrill *self = d;

	if (d->first)
		(void)atomic_compare_exchange_strong(&stacks[place], &self, NULL);
	if (d->thread_runs)
		stop(d);
	tern_ctl_free(d->ctl);
	tern_loop_free(d->host.loop);
	if (d->host.wake_fd >= 0)
		(void)close(d->host.wake_fd);
	for (int i = 0; i < TERN_PDRILL_EPOLLS; i++)
		tern_pdrill_epoll_free(&d->epolls[i]);
	tern_socks_free(d->socks);
	tern_stack_free(d->st);
	tern_pdrill_knobs_close(d);
	tern_pdrill_wire_free(d);
	free(d);
}
