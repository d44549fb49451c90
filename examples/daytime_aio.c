/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daytime_aio.c: a daytime server (RFC 867), model 3 of 4: a pool of threads, each of which serves
 * many connections by asynchronous I/O; here POSIX aio, in daytime_uring.c Linux' io_uring.
 *
 *	daytime_aio [-p PORT] [-w MILLISECONDS] [-t THREADS]
 *
 * A thread says what is to be read and written and goes on; later it learns what has been done:
 * completions, where model 4 is told of readiness. All that it waits for are requests of its own:
 * the read of the pipe through which the first thread hands clients over, and the writes of
 * answers. -w makes every client wait, as a service that has work to do would; such a client costs
 * a record in a queue, and no thread.
 *
 * The server closes first, so TIME_WAIT is on its side. Plain POSIX: it runs on the kernel's TCP,
 * and unmodified under `tern run`.
 *
 *	cc -pthread -o daytime_aio daytime_aio.c
 */
#include <aio.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* glibc has 20 threads that do what we ask for; each of ours keeps one of them in read(). */
enum { THREADS_MAX = 16, FLYING_MAX = 64 };

/* A client and its answer; or the pipe and what is read from it. */
struct request {
	STAILQ_ENTRY(request) next;
	long due_ms;
	size_t length, done;
	char data[64];
	struct aiocb aio;
};

struct worker {
	int clients_in;                      /* the pipe's end for writing */
	STAILQ_HEAD(queue, request) waiting; /* clients, in order of due_ms */
	struct request pipe;
	struct request *flying[FLYING_MAX]; /* requests that are not done: the pipe and answers */
	int flying_count;
};

static long wait_of_clients_ms;

static struct timespec time_of(long ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

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
	int off = 0, on = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);

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

/* The next client. One for whom there is no descriptor now stays in the queue meanwhile. */
static int next_client(int listener)
{
	const struct timespec a_while = { .tv_nsec = 20000000 };

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			return fd;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			(void)nanosleep(&a_while, NULL);
		else if (errno != EINTR && errno != ECONNABORTED)
			err(1, "accept");
	}
}

/* Begins to read from or write to fd what is left of a request. */
static void start(struct worker *w, struct request *r, int fd)
{
	r->aio = (struct aiocb){ .aio_fildes = fd,
				 .aio_buf = r->data + r->done,
				 .aio_nbytes = r->length - r->done,
				 .aio_sigevent = { .sigev_notify = SIGEV_NONE } };
	w->flying[w->flying_count++] = r;
	while ((r == &w->pipe ? aio_read(&r->aio) : aio_write(&r->aio)) < 0) {
		if (errno != EAGAIN)
			err(1, "aio");
		(void)sched_yield(); /* the system has too many requests at the moment */
	}
}

/* Takes a request out that is done, with its count of bytes or -1; NULL if there is none. */
static struct request *take_done(struct worker *w, ssize_t *ret_count)
{
	for (int i = 0; i < w->flying_count; i++) {
		struct request *r = w->flying[i];

		if (aio_error(&r->aio) != EINPROGRESS) {
			*ret_count = aio_return(&r->aio);
			w->flying[i] = w->flying[--w->flying_count];
			return r;
		}
	}
	return NULL;
}

/* Waits until a request is done, or a client due for whom there is room. */
static void wait_for_something(struct worker *w)
{
	const struct request *next = STAILQ_FIRST(&w->waiting);
	const struct aiocb *list[FLYING_MAX];
	long left = next != NULL ? next->due_ms - now_ms() : 0;
	struct timespec limit = time_of(left > 0 ? left : 0);

	for (int i = 0; i < w->flying_count; i++)
		list[i] = &w->flying[i]->aio;
	(void)aio_suspend(list, w->flying_count,
			  next != NULL && w->flying_count < FLYING_MAX ? &limit : NULL);
}

/* Clients that have come through the pipe queue up. */
static void welcome(struct worker *w, size_t bytes)
{
	int fds[sizeof(w->pipe.data) / sizeof(int)];

	memcpy(fds, w->pipe.data, sizeof(fds));
	for (size_t i = 0; i < bytes / sizeof(int); i++) {
		struct request *r = calloc(1, sizeof(*r));

		if (r == NULL) {
			(void)close(fds[i]);
			continue;
		}
		r->aio.aio_fildes = fds[i];
		r->due_ms = now_ms() + wait_of_clients_ms;
		STAILQ_INSERT_TAIL(&w->waiting, r, next);
	}
}

/* The answers to clients that have waited long enough take off, as many as may fly. */
static void answer(struct worker *w)
{
	struct request *r;

	while (w->flying_count < FLYING_MAX && (r = STAILQ_FIRST(&w->waiting)) != NULL &&
	       r->due_ms <= now_ms()) {
		time_t now = time(NULL);
		struct tm local;

		STAILQ_REMOVE_HEAD(&w->waiting, next);
		r->length = strftime(r->data, sizeof(r->data), "%A, %B %d, %Y %H:%M:%S-%Z\r\n",
				     localtime_r(&now, &local));
		start(w, r, r->aio.aio_fildes);
	}
}

/* A thread of the pool. */
static void *serve(void *argument)
{
	struct worker *w = argument;
	int hand_over = w->pipe.aio.aio_fildes;

	start(w, &w->pipe, hand_over);
	for (;;) {
		struct request *r;
		ssize_t n;

		wait_for_something(w);
		while ((r = take_done(w, &n)) != NULL) {
			if (r == &w->pipe) {
				welcome(w, n > 0 ? (size_t)n : 0);
				start(w, r, hand_over);
			} else if (n > 0 && (r->done += (size_t)n) < r->length) {
				start(w, r, r->aio.aio_fildes);
			} else { /* all is said, or the client has gone */
				(void)close(r->aio.aio_fildes);
				free(r);
			}
		}
		answer(w);
	}
	return NULL;
}

static void start_worker(struct worker *w)
{
	pthread_t thread;
	int ends[2];

	if (pipe(ends) < 0)
		err(1, "pipe");
	STAILQ_INIT(&w->waiting);
	w->clients_in = ends[1];
	w->pipe.aio.aio_fildes = ends[0];
	w->pipe.length = sizeof(w->pipe.data);
	errno = pthread_create(&thread, NULL, serve, w);
	if (errno != 0)
		err(1, "pthread_create");
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS_MAX];
	struct rlimit files;
	long port = 13, threads = 4;
	int option, listener;

	while ((option = getopt(argc, argv, "p:t:w:")) != -1) {
		if (option == 'p')
			port = number(optarg, 65535);
		else if (option == 't')
			threads = number(optarg, THREADS_MAX);
		else if (option == 'w')
			wait_of_clients_ms = number(optarg, 86400000);
		else
			return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)signal(SIGPIPE, SIG_IGN); /* a client that has gone is an error, not a signal */
	threads += threads == 0;
	listener = listen_on(port);
	for (long i = 0; i < threads; i++)
		start_worker(&workers[i]);
	(void)printf("daytime_aio: listening on port %ld\n", port);
	(void)fflush(stdout);
	for (long i = 0;; i = (i + 1) % threads) {
		int fd = next_client(listener);

		/* A full pipe holds us up, and those in the queue behind. */
		while (write(workers[i].clients_in, &fd, sizeof(fd)) < 0 && errno == EINTR)
			;
	}
}
