/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daytime_events.c: a daytime server (RFC 867), model 4 of 4: a pool of threads, each of which
 * serves many connections over non-blocking sockets, told by epoll which of them are ready.
 *
 *	daytime_events [-p PORT] [-w MILLISECONDS] [-t THREADS] [-m epoll|poll|select]
 *
 * The threads share nothing but the listening socket, on which all of them wait. A connection
 * belongs to the thread that accepted it, and costs a record and a descriptor: this is the model
 * that holds ten thousand at once. -m takes an older call in place of epoll: poll() is handed all
 * descriptors each time, select() moreover none above 1,023. -w makes every client wait, as a
 * service that has work to do would.
 *
 * The server closes first, so TIME_WAIT is on its side. Plain POSIX but for epoll: it runs on the
 * kernel's TCP, and unmodified under `tern run`.
 *
 *	cc -pthread -o daytime_events daytime_events.c
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, BURST = 64, PAUSE_MS = 20 };

struct client {
	TAILQ_ENTRY(client) next;
	int fd;
	bool blocked; /* the answer does not fit now: it waits for room to write */
	long due_ms;
	size_t length, sent;
	char text[64];
};

struct worker {
	TAILQ_HEAD(queue, client) clients; /* in order of due_ms */
	int count;
	long paused_ms; /* no descriptor was left: nobody is accepted until then */
	int epoll;
	struct pollfd *polled;
	struct client **asked; /* to whom polled[1] and those behind it belong */
	int room;
};

static int listener;
static long wait_of_clients_ms;
/* Waits, serves whoever is ready, and says whether the listener is. */
static bool (*wait_for_events)(struct worker *w, int timeout_ms);

static long now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A number from 0 to max, or the end of the program. */
static long number(const char *text, long max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 0 || value > max)
		errx(2, "not a number up to %ld: %s", max, text);
	return value;
}

/* Listens on all addresses of both families. */
static int listen_on(long port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port) };
	int off = 0, on = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		err(1, "socket");
	/* Or nobody could start the server again while TIME_WAIT holds its port. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		err(1, "setsockopt");
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		err(1, "bind");
	if (listen(fd, SOMAXCONN) < 0)
		err(1, "listen");
	return fd;
}

static void listen_with_epoll(struct worker *w, int operation)
{
	/* Of the threads that wait, one is woken for a client, not all. */
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };

	if (w->epoll >= 0 && epoll_ctl(w->epoll, operation, listener, &event) < 0)
		err(1, "epoll_ctl");
}

static void forget(struct worker *w, struct client *c)
{
	TAILQ_REMOVE(&w->clients, c, next);
	w->count--;
	(void)close(c->fd); /* and epoll forgets it as well */
	free(c);
}

/* Says what is still to be said, and closes: unless the socket takes no more for now. */
static void answer(struct worker *w, struct client *c)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };
	time_t now = time(NULL);
	struct tm local;

	if (c->length == 0)
		c->length = strftime(c->text, sizeof(c->text), "%A, %B %d, %Y %H:%M:%S-%Z\r\n",
				     localtime_r(&now, &local));
	while (c->sent < c->length) {
		/* A client that has gone is an error here, not a signal for all threads. */
		ssize_t n = send(c->fd, c->text + c->sent, c->length - c->sent, MSG_NOSIGNAL);

		if (n > 0) {
			c->sent += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			if (!c->blocked && w->epoll >= 0)
				(void)epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &event);
			c->blocked = true;
			return;
		} else if (n < 0 && errno != EINTR) {
			break;
		}
	}
	forget(w, c);
}

/* One of whom wait_for_events() has something to tell: room to write, or that it has gone. */
static void serve(struct worker *w, struct client *c)
{
	if (c->blocked)
		answer(w, c);
	else
		forget(w, c);
}

static bool wait_with_epoll(struct worker *w, int timeout_ms)
{
	struct epoll_event ready[BURST];
	bool acceptable = false;
	int count = epoll_wait(w->epoll, ready, BURST, timeout_ms);

	for (int i = 0; i < count; i++) {
		if (ready[i].data.ptr == NULL)
			acceptable = true;
		else
			serve(w, ready[i].data.ptr);
	}
	return acceptable;
}

/* Makes room for the listener and all clients in what poll() is asked. */
static void make_room(struct worker *w)
{
	if (w->count < w->room)
		return;
	w->room = 2 * w->count + BURST;
	w->polled = realloc(w->polled, (size_t)w->room * sizeof(*w->polled));
	w->asked = realloc(w->asked, (size_t)w->room * sizeof(*w->asked));
	if (w->polled == NULL || w->asked == NULL)
		err(1, "realloc");
}

static bool wait_with_poll(struct worker *w, int timeout_ms)
{
	struct client *c;
	nfds_t n = 0;

	make_room(w);
	w->polled[n++] =
		(struct pollfd){ .fd = w->paused_ms == 0 ? listener : -1, .events = POLLIN };
	TAILQ_FOREACH(c, &w->clients, next)
	{
		w->asked[n] = c;
		w->polled[n++] = (struct pollfd){ .fd = c->fd, .events = c->blocked ? POLLOUT : 0 };
	}
	if (poll(w->polled, n, timeout_ms) <= 0)
		return false;
	while (--n > 0) {
		if (w->polled[n].revents != 0)
			serve(w, w->asked[n]);
	}
	return w->polled[0].revents != 0;
}

static bool wait_with_select(struct worker *w, int timeout_ms)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct client *c, *next;
	fd_set in, out;
	int max = listener;

	FD_ZERO(&in);
	FD_ZERO(&out);
	if (w->paused_ms == 0)
		FD_SET(listener, &in);
	TAILQ_FOREACH(c, &w->clients, next)
	{
		if (c->blocked)
			FD_SET(c->fd, &out);
		max = c->fd > max ? c->fd : max;
	}
	if (select(max + 1, &in, &out, NULL, timeout_ms < 0 ? NULL : &limit) <= 0)
		return false;
	for (c = TAILQ_FIRST(&w->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, next);
		if (FD_ISSET(c->fd, &out))
			serve(w, c);
	}
	return FD_ISSET(listener, &in);
}

/* Why accept() did not give a client. */
static void not_accepted(struct worker *w)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* The queue keeps clients until there is room again. */
		listen_with_epoll(w, EPOLL_CTL_DEL);
		w->paused_ms = now_ms() + PAUSE_MS;
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		err(1, "accept");
	}
}

/* Takes a few clients in. Others may come first, for all threads are woken by poll(). */
static void welcome(struct worker *w)
{
	for (int i = 0; i < BURST; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct client *c = fd < 0 ? NULL : calloc(1, sizeof(*c));
		struct epoll_event event = { .data.ptr = c }; /* errors come unasked */

		if (fd < 0) {
			not_accepted(w);
			return;
		}
		if (c == NULL) {
			(void)close(fd);
			return;
		}
		c->fd = fd;
		c->due_ms = now_ms() + wait_of_clients_ms;
		TAILQ_INSERT_TAIL(&w->clients, c, next);
		w->count++;
		if (w->epoll >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			forget(w, c);
	}
}

/* Does what is due, and tells in how many milliseconds something will be; -1: nothing. */
static int do_what_is_due(struct worker *w)
{
	struct client *c, *next;
	long now = now_ms(), due = -1;

	if (w->paused_ms != 0 && w->paused_ms <= now) {
		w->paused_ms = 0;
		listen_with_epoll(w, EPOLL_CTL_ADD);
	}
	for (c = TAILQ_FIRST(&w->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, next);
		if (c->due_ms > now) {
			due = c->due_ms;
			break;
		}
		if (!c->blocked)
			answer(w, c);
	}
	if (w->paused_ms != 0 && (due < 0 || w->paused_ms < due))
		due = w->paused_ms;
	return due < 0 ? -1 : (int)(due - now);
}

/* A thread of the pool. */
static void *work(void *unused)
{
	struct worker w = { .epoll = -1 };

	TAILQ_INIT(&w.clients);
	if (wait_for_events == wait_with_epoll) {
		w.epoll = epoll_create1(EPOLL_CLOEXEC);
		if (w.epoll < 0)
			err(1, "epoll_create1");
	}
	listen_with_epoll(&w, EPOLL_CTL_ADD);
	for (;;) {
		int timeout_ms = do_what_is_due(&w);

		if (wait_for_events(&w, timeout_ms))
			welcome(&w);
	}
	return unused;
}

int main(int argc, char **argv)
{
	const char *method = "epoll";
	long port = 13, threads = 4;
	struct rlimit files;
	pthread_t thread;
	int option;

	while ((option = getopt(argc, argv, "m:p:t:w:")) != -1) {
		if (option == 'm')
			method = optarg;
		else if (option == 'p')
			port = number(optarg, 65535);
		else if (option == 't')
			threads = number(optarg, THREADS_MAX);
		else if (option == 'w')
			wait_of_clients_ms = number(optarg, 86400000);
		else
			return 2;
	}
	wait_for_events = strcmp(method, "epoll") == 0  ? wait_with_epoll
			  : strcmp(method, "poll") == 0 ? wait_with_poll
							: wait_with_select;
	if (wait_for_events == wait_with_select && strcmp(method, "select") != 0)
		errx(2, "not a way to wait for events: %s", method);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = wait_for_events == wait_with_select ? FD_SETSIZE : files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	listener = listen_on(port);
	(void)printf("daytime_events: listening on port %ld\n", port);
	(void)fflush(stdout);
	for (long i = 1; i < threads; i++) {
		errno = pthread_create(&thread, NULL, work, NULL);
		if (errno != 0)
			err(1, "pthread_create");
	}
	return work(NULL) != NULL;
}
