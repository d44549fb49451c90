/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daytime_uring.c: a daytime server (RFC 867), model 3 of 4 once more: a pool of threads, each of
 * which serves many connections by asynchronous I/O, here Linux' io_uring.
 *
 *	daytime_uring [-p PORT] [-w MILLISECONDS] [-t THREADS]
 *
 * What a client gets is said to the kernel in advance, as a chain: wait so long (-w, as a service
 * that has work to do would), then send the answer, then close. The thread learns of the end of it
 * only, and gives the memory back. Clients come through a pipe, read by io_uring as well.
 *
 * The first thread calls accept() itself: that is a call the preload shim of `tern run` sees, and
 * IORING_OP_ACCEPT is not. The server closes first, so TIME_WAIT is on its side. It runs on the
 * kernel's TCP, and unmodified under `tern run`.
 *
 *	cc -pthread -o daytime_uring daytime_uring.c -luring
 */
#include <err.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, RING = 256, CHAIN = 3, HANDED_MAX = 16 };

struct client {
	int fd, left; /* requests of the chain that are not done */
	size_t length;
	char text[64];
};

struct worker {
	int pipe[2];
	int handed[HANDED_MAX]; /* what is read from it */
	struct io_uring ring;
};

static struct __kernel_timespec wait_of_clients;

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

/* A place for one more request; those that fill the ring go to the kernel first. */
static struct io_uring_sqe *request(struct worker *w, struct client *client)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);

	if (sqe == NULL) {
		(void)io_uring_submit(&w->ring);
		sqe = io_uring_get_sqe(&w->ring);
		if (sqe == NULL)
			errx(1, "io_uring: no room");
	}
	io_uring_sqe_set_data(sqe, client);
	return sqe;
}

static void read_pipe(struct worker *w)
{
	struct io_uring_sqe *sqe = request(w, NULL);

	io_uring_prep_read(sqe, w->pipe[0], w->handed, sizeof(w->handed), 0);
	io_uring_sqe_set_data(sqe, NULL);
}

/*
 * The chain of a client. Its links are hard ones: the end of a wait counts as an error (ETIME),
 * and who has gone is to be closed, too.
 */
static void welcome(struct worker *w, int fd)
{
	struct client *c = malloc(sizeof(*c));
	struct io_uring_sqe *sqe;
	time_t then = time(NULL) + wait_of_clients.tv_sec;
	struct tm local;

	if (c == NULL) {
		(void)close(fd);
		return;
	}
	if (io_uring_sq_space_left(&w->ring) < CHAIN)
		(void)io_uring_submit(&w->ring); /* a chain is not to be torn */
	*c = (struct client){ .fd = fd, .left = CHAIN };
	c->length = strftime(c->text, sizeof(c->text), "%A, %B %d, %Y %H:%M:%S-%Z\r\n",
			     localtime_r(&then, &local));
	sqe = request(w, c);
	io_uring_prep_timeout(sqe, &wait_of_clients, 0, 0);
	sqe->flags |= IOSQE_IO_HARDLINK;
	io_uring_sqe_set_data(sqe, c);
	sqe = request(w, c);
	io_uring_prep_send(sqe, fd, c->text, c->length, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->flags |= IOSQE_IO_HARDLINK;
	io_uring_sqe_set_data(sqe, c);
	sqe = request(w, c);
	io_uring_prep_close(sqe, fd);
	io_uring_sqe_set_data(sqe, c);
}

/* A thread of the pool. */
static void *serve(void *argument)
{
	struct worker *w = argument;

	read_pipe(w);
	for (;;) {
		struct io_uring_cqe *cqe;
		struct client *c;
		int n;

		(void)io_uring_submit_and_wait(&w->ring, 1);
		while (io_uring_peek_cqe(&w->ring, &cqe) == 0) {
			c = io_uring_cqe_get_data(cqe);
			n = cqe->res;
			io_uring_cqe_seen(&w->ring, cqe);
			if (c == NULL) {
				for (int i = 0; i < n / (int)sizeof(int); i++)
					welcome(w, w->handed[i]);
				read_pipe(w);
			} else if (--c->left == 0) {
				free(c);
			}
		}
	}
	return NULL;
}

static void start_worker(struct worker *w)
{
	pthread_t thread;

	if (pipe(w->pipe) < 0)
		err(1, "pipe");
	errno = -io_uring_queue_init(RING, &w->ring, 0);
	if (errno != 0)
		err(1, "io_uring");
	errno = pthread_create(&thread, NULL, serve, w);
	if (errno != 0)
		err(1, "pthread_create");
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS_MAX];
	struct rlimit files;
	long port = 13, threads = 4, ms = 0;
	int option, listener;

	while ((option = getopt(argc, argv, "p:t:w:")) != -1) {
		if (option == 'p')
			port = number(optarg, 65535);
		else if (option == 't')
			threads = number(optarg, THREADS_MAX);
		else if (option == 'w')
			ms = number(optarg, 86400000);
		else
			return 2;
	}
	wait_of_clients.tv_sec = ms / 1000;
	wait_of_clients.tv_nsec = ms % 1000 * 1000000;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	threads += threads == 0;
	listener = listen_on(port);
	for (long i = 0; i < threads; i++)
		start_worker(&workers[i]);
	(void)printf("daytime_uring: listening on port %ld\n", port);
	(void)fflush(stdout);
	for (long i = 0;; i = (i + 1) % threads) {
		int fd = next_client(listener);

		/* A full pipe holds us up, and those in the queue behind. */
		while (write(workers[i].pipe[1], &fd, sizeof(fd)) < 0 && errno == EINTR)
			;
	}
}
