/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop/loop.c: the loop around one stack.
 *
 * A turn (tern_loop_step) is: output, wait, input, tick, output. The first output sends what calls
 * between the turns have made; the last one answers what came in. The clock is read before the
 * first output and, if the turn has waited, after the wait; everything of a burst sees that time.
 *
 * Waiting is epoll_pwait2: nanoseconds, and no timerfd to be set before each wait (a system call of
 * its own). Where the kernel has none (before 5.11) epoll_wait does it, rounded up to milliseconds.
 * The wait ends at the first of: the caller's timeout, the stack's deadline, the link's deadline.
 * A link without a descriptor is asked every millisecond.
 *
 * Bulk. At most 64 frames go in before output has its turn, at most 256 come out before watched
 * descriptors have theirs; a turn that stopped there makes the next one not wait. Frames that the
 * link has no room for would become invalid with the next call into the stack: they are copied,
 * one block for all of them, sent first when there is room, and until then output is not asked.
 *
 * Watched descriptors lie in an array by number, so that reports find them at once. A report is
 * pulled, not delivered; it is dropped if its descriptor was forgotten (or closed, and its number
 * watched anew) in between. What was not pulled before the next turn is told again: of a level
 * epoll does so by itself, of an edge when its entry is modified. Regular files, which epoll
 * refuses, are in a list of their own and are ready in every turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"

enum {
	LOOP_BURST = 32,
	LOOP_IN_BUDGET = 64,
	LOOP_OUT_BUDGET = 256,
	LOOP_EVENTS = 64,
	LOOP_FILES_MAX = 16,
	LOOP_WATCHES_MIN = 64,
};

#define LOOP_POLL_NS     UINT64_C(1000000)    /* between two looks at a link without descriptor */
#define LOOP_REALTIME_NS UINT64_C(1000000000) /* between two wall-clock times told to the stack */
#define LOOP_WAIT_MAX_NS UINT64_C(3600000000000)
#define LOOP_LINK_MARK   UINT64_MAX /* epoll's data for the link; watched ones have their number */

struct watch {
	uint64_t user;
	uint64_t turn; /* in which it was added */
	uint8_t events;
	bool known;  /* watched, if only for nothing */
	bool polled; /* epoll has it */
	bool is_file;
};

struct tern_loop {
	struct tern_stack *st;
	struct tern_link *link;
	int epfd;
	uint64_t now, turn, realtime_at;
	bool ms_only; /* no epoll_pwait2 here */
	bool room;    /* the link's descriptor is watched for room */
	bool link_in; /* a frame may be there */
	bool busy;    /* a budget ran out: do not wait */

	struct watch *watches; /* by descriptor */
	size_t watches_len;
	int files[LOOP_FILES_MAX];
	unsigned int files_len;

	struct epoll_event events[LOOP_EVENTS];
	unsigned int events_len, events_at, files_at; /* what is still to be pulled */

	struct tern_out *kept; /* one block with their bytes behind them */
	unsigned int kept_len, kept_at;

	struct tern_frame frames[LOOP_BURST];
	struct tern_out outs[LOOP_BURST];
};

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts); /* cannot fail for these two */
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t tern_loop_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t tern_loop_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

int tern_loop_entropy(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Tells the stack the wall-clock time about once a second, when it is awake. */
static void tell_realtime(struct tern_loop *loop)
{
	if (loop->now < loop->realtime_at)
		return;
	tern_stack_set_realtime(loop->st, loop->now, tern_loop_realtime());
	loop->realtime_at = loop->now + LOOP_REALTIME_NS;
}

int tern_loop_new(struct tern_stack *st, struct tern_link *link, struct tern_loop **ret_loop)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = LOOP_LINK_MARK };
	struct tern_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	loop->st = st;
	loop->link = link;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0 || (tern_link_fd(link) >= 0 &&
			       epoll_ctl(loop->epfd, EPOLL_CTL_ADD, tern_link_fd(link), &ev) < 0)) {
		err = -errno;
		tern_loop_free(loop);
		return err;
	}
	loop->now = tern_loop_now();
	tell_realtime(loop);
	*ret_loop = loop;
	return 0;
}

void tern_loop_free(struct tern_loop *loop)
{
	if (!loop)
		return;
	if (loop->epfd >= 0)
		(void)close(loop->epfd);
	free(loop->watches);
	free(loop->kept);
	free(loop);
}

int tern_loop_fd(const struct tern_loop *loop)
{
	return loop->epfd;
}

uint64_t tern_loop_time(const struct tern_loop *loop)
{
	return loop->now;
}

/* Copies frames that the link had no room for. Without memory they are lost, as on any wire. */
static void keep(struct tern_loop *loop, const struct tern_out *outs, unsigned int n)
{
	size_t size = n * sizeof(*outs);
	struct tern_out *kept;
	uint8_t *bytes;
	unsigned int i;

	for (i = 0; i < n; i++)
		size += outs[i].len;
	kept = malloc(size);
	if (!kept) {
		loop->link->counts.drops_out += n;
		return;
	}
	memcpy(kept, outs, n * sizeof(*outs));
	bytes = (uint8_t *)&kept[n];
	for (i = 0; i < n; i++) {
		kept[i].piece[0] = (struct tern_piece){ bytes, outs[i].len };
		kept[i].pieces = 1;
		bytes += tern_link_gather(bytes, &outs[i]);
	}
	loop->kept = kept;
	loop->kept_len = n;
	loop->kept_at = 0;
}

/* Sends what was kept. 0 when nothing is left, -EAGAIN, -ENODEV. */
static int send_kept(struct tern_loop *loop)
{
	while (loop->kept_at < loop->kept_len) {
		int took = tern_link_send(loop->link, loop->now, loop->kept + loop->kept_at,
					  loop->kept_len - loop->kept_at);

		if (took <= 0)
			return took;
		loop->kept_at += (unsigned int)took;
	}
	free(loop->kept);
	loop->kept = NULL;
	loop->kept_at = loop->kept_len = 0;
	return 0;
}

/* Sends what the stack has. 0 when that is all or the budget is used up, -EAGAIN, -ENODEV. */
static int send_output(struct tern_loop *loop)
{
	unsigned int budget = LOOP_OUT_BUDGET;
	unsigned int n, sent;

	while (budget) {
		n = tern_stack_output(loop->st, loop->now, loop->outs, LOOP_BURST);
		for (sent = 0; sent < n;) {
			int took =
				tern_link_send(loop->link, loop->now, loop->outs + sent, n - sent);

			if (took == -EAGAIN) {
				keep(loop, loop->outs + sent, n - sent);
				return -EAGAIN;
			}
			if (took < 0)
				return took;
			sent += (unsigned int)took;
		}
		if (n < LOOP_BURST)
			return 0;
		budget -= n;
	}
	loop->busy = true;
	return 0;
}

/* Watches the link's descriptor for room as well, or no more. 0 or a negative errno. */
static int watch_room(struct tern_loop *loop, bool room)
{
	struct epoll_event ev = { .events = EPOLLIN | (room ? EPOLLOUT : 0),
				  .data.u64 = LOOP_LINK_MARK };

	if (room == loop->room || tern_link_fd(loop->link) < 0)
		return 0;
	loop->room = room;
	return epoll_ctl(loop->epfd, EPOLL_CTL_MOD, tern_link_fd(loop->link), &ev) < 0 ? -errno : 0;
}

/* Everything that can leave leaves. 0 or a negative errno that ends the loop. */
static int push(struct tern_loop *loop)
{
	int err = send_kept(loop);

	if (!err)
		err = send_output(loop);
	if (!err)
		err = tern_link_send(loop->link, loop->now, NULL, 0);
	if (err < 0 && err != -EAGAIN)
		return err;
	return watch_room(loop, err == -EAGAIN);
}

/* Frames come in, as many as the budget allows. 0 or -ENODEV. */
static int pull(struct tern_loop *loop)
{
	unsigned int budget = LOOP_IN_BUDGET;
	int n = LOOP_BURST;

	while (budget && n == LOOP_BURST) {
		n = tern_link_receive(loop->link, loop->now, loop->frames, LOOP_BURST);
		if (n < 0)
			return n;
		if (n)
			tern_stack_input(loop->st, loop->now, loop->frames, (unsigned int)n);
		budget -= TERN_MIN(budget, (unsigned int)n);
	}
	if (n == LOOP_BURST)
		loop->busy = true;
	return 0;
}

/* How long this turn may wait, ns. */
static uint64_t patience(const struct tern_loop *loop, uint64_t timeout_ns)
{
	uint64_t until = TERN_MIN(tern_stack_deadline(loop->st), tern_link_deadline(loop->link));
	uint64_t wait = TERN_MIN(timeout_ns, LOOP_WAIT_MAX_NS);
	unsigned int i;

	if (loop->busy || until <= loop->now)
		return 0;
	for (i = 0; i < loop->files_len; i++)
		if (loop->watches[loop->files[i]].events)
			return 0;
	if (tern_link_fd(loop->link) < 0)
		wait = TERN_MIN(wait, LOOP_POLL_NS);
	return TERN_MIN(wait, until - loop->now);
}

/* epoll, by the best means there is. Number of events; 0 also after a signal; negative errno. */
static int poll_for(struct tern_loop *loop, uint64_t wait_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(wait_ns / 1000000000),
			       .tv_nsec = (long)(wait_ns % 1000000000) };
	int n = -1;

	if (!loop->ms_only && wait_ns) {
		n = epoll_pwait2(loop->epfd, loop->events, LOOP_EVENTS, &ts, NULL);
		loop->ms_only = n < 0 && (errno == ENOSYS || errno == EPERM);
	}
	if (loop->ms_only || !wait_ns)
		n = epoll_wait(loop->epfd, loop->events, LOOP_EVENTS,
			       (int)((wait_ns + 999999) / 1000000));
	return n >= 0 ? n : errno == EINTR ? 0 : -errno;
}

/* Takes the link's own event out of the list; what is left is for the user to pull. */
static void sort_events(struct tern_loop *loop, unsigned int n)
{
	unsigned int i, left = 0;

	for (i = 0; i < n; i++) {
		if (loop->events[i].data.u64 != LOOP_LINK_MARK)
			loop->events[left++] = loop->events[i];
		else if (loop->events[i].events & ~(uint32_t)EPOLLOUT)
			loop->link_in = true;
	}
	loop->events_len = left;
}

/* Brings epoll's view of a descriptor in line. 0, 1 for a file that epoll refuses, or -errno. */
static int tell_epoll(const struct tern_loop *loop, int fd, bool polled, unsigned int events)
{
	struct epoll_event ev = { .data.u64 = (uint64_t)fd };
	int op = polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (!events && !polled)
		return 0;
	if (!events)
		op = EPOLL_CTL_DEL;
	ev.events |= events & TERN_LOOP_IN ? (uint32_t)EPOLLIN : 0;
	ev.events |= events & TERN_LOOP_OUT ? (uint32_t)EPOLLOUT : 0;
	ev.events |= events & TERN_LOOP_READ_END ? (uint32_t)EPOLLRDHUP : 0;
	ev.events |= events & TERN_LOOP_EDGE ? (uint32_t)EPOLLET : 0;
	if (epoll_ctl(loop->epfd, op, fd, &ev) == 0)
		return 0;
	return errno == EPERM ? 1 : -errno;
}

/* Reports that nobody pulled: an edge must not be lost. */
static void put_back(struct tern_loop *loop)
{
	for (; loop->events_at < loop->events_len; loop->events_at++) {
		int fd = (int)loop->events[loop->events_at].data.u64;

		if (loop->watches[fd].events & TERN_LOOP_EDGE)
			(void)tell_epoll(loop, fd, true, loop->watches[fd].events);
	}
}

/* Waits. Afterwards `now` is fresh and the events are there. 0 or a negative errno. */
static int wait_turn(struct tern_loop *loop, uint64_t timeout_ns)
{
	uint64_t wait = patience(loop, timeout_ns);
	int n;

	put_back(loop);
	loop->events_len = loop->events_at = loop->files_at = 0;
	loop->turn++;
	loop->busy = false;
	n = poll_for(loop, wait);
	if (n < 0)
		return n;
	if (wait)
		loop->now = tern_loop_now();
	loop->link_in = tern_link_fd(loop->link) < 0 || tern_link_deadline(loop->link) <= loop->now;
	sort_events(loop, (unsigned int)n);
	return 0;
}

int tern_loop_step(struct tern_loop *loop, uint64_t timeout_ns)
{
	unsigned int i, ready;
	int err;

	loop->now = tern_loop_now();
	err = push(loop);
	if (!err)
		err = wait_turn(loop, timeout_ns);
	if (err < 0)
		return err;
	tell_realtime(loop);
	if (loop->link_in)
		err = pull(loop);
	if (!err && tern_stack_deadline(loop->st) <= loop->now)
		tern_stack_tick(loop->st, loop->now);
	if (!err)
		err = push(loop);
	if (err < 0)
		return err;
	ready = loop->events_len;
	for (i = 0; i < loop->files_len; i++)
		ready += loop->watches[loop->files[i]].events != 0;
	return (int)ready;
}

/* Room in the array for this descriptor. 0 or -ENOMEM. */
static int reserve(struct tern_loop *loop, int fd)
{
	size_t len = loop->watches_len ? loop->watches_len : LOOP_WATCHES_MIN;
	struct watch *grown;

	while (len <= (size_t)fd)
		len *= 2;
	if (len == loop->watches_len)
		return 0;
	grown = realloc(loop->watches, len * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + loop->watches_len, 0, (len - loop->watches_len) * sizeof(*grown));
	loop->watches = grown;
	loop->watches_len = len;
	return 0;
}

static void leave_files(struct tern_loop *loop, int fd)
{
	unsigned int i, left = 0;

	for (i = 0; i < loop->files_len; i++)
		if (loop->files[i] != fd)
			loop->files[left++] = loop->files[i];
	loop->files_len = left;
}

int tern_loop_watch(struct tern_loop *loop, int fd, unsigned int events, uint64_t user)
{
	struct watch *watch;
	int err;

	if (fd < 0)
		return -EBADF;
	err = reserve(loop, fd);
	if (err < 0)
		return err;
	watch = &loop->watches[fd];
	events &= TERN_LOOP_IN | TERN_LOOP_OUT | TERN_LOOP_READ_END | TERN_LOOP_EDGE;
	err = watch->is_file ? 0 : tell_epoll(loop, fd, watch->polled, events);
	if (err < 0)
		return err;
	if (err > 0) {
		if (loop->files_len == LOOP_FILES_MAX)
			return -ENOSPC;
		loop->files[loop->files_len++] = fd;
		watch->is_file = true;
	}
	if (watch->is_file)
		events &= TERN_LOOP_IN | TERN_LOOP_OUT;
	if (!watch->known)
		watch->turn = loop->turn;
	watch->known = true;
	watch->polled = !watch->is_file && events;
	watch->events = (uint8_t)events;
	watch->user = user;
	return 0;
}

void tern_loop_forget(struct tern_loop *loop, int fd)
{
	struct watch *watch;

	if (fd < 0 || (size_t)fd >= loop->watches_len)
		return;
	watch = &loop->watches[fd];
	if (watch->polled)
		(void)tell_epoll(loop, fd, true, 0);
	if (watch->is_file)
		leave_files(loop, fd);
	*watch = (struct watch){ 0 };
}

bool tern_loop_ready(struct tern_loop *loop, struct tern_loop_ready *ret_ready)
{
	while (loop->events_at < loop->events_len) {
		const struct epoll_event *ev = &loop->events[loop->events_at++];
		const struct watch *watch = &loop->watches[ev->data.u64];
		unsigned int events = 0;

		if (!watch->events || watch->turn == loop->turn)
			continue;
		events |= ev->events & EPOLLIN ? TERN_LOOP_IN : 0;
		events |= ev->events & EPOLLOUT ? TERN_LOOP_OUT : 0;
		events |= ev->events & EPOLLRDHUP ? TERN_LOOP_READ_END : 0;
		events &= watch->events;
		events |= ev->events & (EPOLLHUP | EPOLLERR) ? TERN_LOOP_HANGUP : 0;
		events |= ev->events & EPOLLERR ? TERN_LOOP_ERROR : 0;
		if (!events)
			continue;
		*ret_ready = (struct tern_loop_ready){ watch->user, (int)ev->data.u64, events };
		return true;
	}
	while (loop->files_at < loop->files_len) {
		int fd = loop->files[loop->files_at++];
		const struct watch *watch = &loop->watches[fd];

		if (!watch->events)
			continue;
		*ret_ready = (struct tern_loop_ready){ watch->user, fd, watch->events };
		return true;
	}
	return false;
}
