/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daytime_thread.c: a daytime server (RFC 867), model 2 of 4: a thread for each connection.
 *
 *	daytime_thread [-p PORT] [-w MILLISECONDS]
 *
 * The first thread accepts and starts one thread for each client, which tells the time, closes and
 * ends. Code as plain as with processes, at the price of a stack; and whoever fails, all fail. -w
 * makes every client wait, as a service that has work to do would.
 *
 * The server closes first, so TIME_WAIT is on its side. Plain POSIX: it runs on the kernel's TCP,
 * and unmodified under `tern run`.
 *
 *	cc -pthread -o daytime_thread daytime_thread.c
 */
#include <err.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024 }; /* bytes: enough for strftime() and its time zones */

static long wait_of_clients_ms;

static void wait_ms(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
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
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			return fd;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			wait_ms(20);
		else if (errno != EINTR && errno != ECONNABORTED)
			err(1, "accept");
	}
}

/* A thread's whole life. Its client's descriptor comes as the pointer. */
static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char text[64];
	time_t now;
	struct tm local;
	size_t len, sent = 0;

	wait_ms(wait_of_clients_ms);
	now = time(NULL);
	len = strftime(text, sizeof(text), "%A, %B %d, %Y %H:%M:%S-%Z\r\n",
		       localtime_r(&now, &local));
	while (sent < len) {
		/* A client that has gone is an error here, not a signal for all threads. */
		ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			sent += (size_t)n;
	}
	(void)close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	long port = 13;
	int option, listener;
	pthread_attr_t attributes;
	pthread_t thread;

	while ((option = getopt(argc, argv, "p:w:")) != -1) {
		if (option == 'p')
			port = number(optarg, 65535);
		else if (option == 'w')
			wait_of_clients_ms = number(optarg, 86400000);
		else
			return 2;
	}
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
	listener = listen_on(port);
	(void)printf("daytime_thread: listening on port %ld\n", port);
	(void)fflush(stdout);
	for (;;) {
		void *client = (void *)(intptr_t)next_client(listener);

		/* Without room for one more thread the client waits, and those behind it. */
		while (pthread_create(&thread, &attributes, serve, client) != 0)
			wait_ms(20);
	}
}
