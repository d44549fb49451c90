/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A broker on a host without a link, and a program of it played by hand: control requests as the
 * shim makes them, program's ends of pairs as descriptors of this process. Both ends of every
 * connection are the broker's, over its own address. Everything is one thread: whoever waits turns
 * host and broker meanwhile.
 */
#ifndef TERN_TESTS_UNIT_POSIX_BED_H
#define TERN_TESTS_UNIT_POSIX_BED_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "posix/internal.h"

#define MS   UINT64_C(1000000)
#define S    UINT64_C(1000000000)
#define PORT 7000

static struct tern_host *host;
static struct tern_broker *broker;
static int control = -1;
static struct tern_posix_reply answer;
static int answer_fd = -1;
static char logged[1024];
static unsigned int logged_lines;

static inline void take_line(void *user, const char *line)
{
	(void)user;
	logged_lines++;
	(void)snprintf(logged, sizeof(logged), "%s", line);
}

static inline void turn(void)
{
	int err = tern_host_turn(host, tern_broker_patience(broker, MS));

	assert_true(err == 0 || err == -EINTR);
	tern_broker_turn(broker);
}

/* Turns until all is quiet: what was going to happen has happened. */
static inline void settle(void)
{
	for (int i = 0; i < 8; i++)
		turn();
}

/* What poll(2) says of a descriptor, after it had the time to happen. */
static inline short look(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (int i = 0; i < 200 && poll(&p, 1, 0) == 0; i++)
		turn();
	(void)poll(&p, 1, 0);
	return p.revents;
}

/* A connection to the broker, without HELLO. */
static inline int dial(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const char *run = tern_broker_env(broker) + sizeof(TERN_POSIX_ENV);
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + TERN_POSIX_PREFIX_LEN +
			TERN_POSIX_RUN_LEN;

	memcpy(un.sun_path + 1, TERN_POSIX_PREFIX, TERN_POSIX_PREFIX_LEN);
	memcpy(un.sun_path + 1 + TERN_POSIX_PREFIX_LEN, run, TERN_POSIX_RUN_LEN);
	assert_int_equal(connect(fd, (void *)&un, len), 0);
	return fd;
}

static inline void token(uint8_t *ret)
{
	const char *hex = tern_broker_env(broker) + sizeof(TERN_POSIX_ENV) + TERN_POSIX_RUN_LEN + 1;

	for (int i = 0; i < TERN_POSIX_TOKEN_LEN; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		ret[i] = (uint8_t)byte;
	}
}

static inline void post(int fd, struct tern_posix_request *req, const void *data, size_t len)
{
	req->len = (uint32_t)len;
	if (len)
		memcpy(req->data, data, len);
	assert_int_equal(send(fd, req, TERN_POSIX_REQUEST_HEAD + len, MSG_NOSIGNAL),
			 TERN_POSIX_REQUEST_HEAD + len);
}

/* The reply on fd; in answer and answer_fd. False: the connection was cut. */
static inline bool hear(int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} box;
	struct iovec iov = { &answer, sizeof(answer) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &box,
			      .msg_controllen = sizeof(box) };
	ssize_t n;

	assert_true(look(fd, POLLIN) != 0);
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return false;
	assert_true((size_t)n >= TERN_POSIX_REPLY_HEAD);
	assert_int_equal(n, TERN_POSIX_REPLY_HEAD + answer.len);
	answer_fd = -1;
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&answer_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(answer_fd));
	return true;
}

/* A request and its result. */
static inline int ask_with(uint32_t op, uint64_t id, int a, int b, int c, const void *data,
			   size_t len)
{
	struct tern_posix_request req = { .op = op, .id = id, .args = { a, b, c } };

	post(control, &req, data, len);
	assert_true(hear(control));
	return answer.result;
}

static inline int ask(uint32_t op, uint64_t id, int arg)
{
	return ask_with(op, id, arg, 0, 0, NULL, 0);
}

static inline int hello(int fd)
{
	struct tern_posix_request req = { .op = TERN_POSIX_HELLO };
	uint8_t secret[TERN_POSIX_TOKEN_LEN];

	token(secret);
	post(fd, &req, secret, sizeof(secret));
	assert_true(hear(fd));
	return answer_fd;
}

static inline int bed_set_up(void **state)
{
	static const char *const own[] = { "10.77.0.2/24", "fd00:77::2/64" };
	const struct tern_host_config cfg = { .link = "none",
					      .addrs = own,
					      .addr_count = 2,
					      .sockets_max = 4096 };
	const struct tern_broker_config broker_cfg = { .log = take_line };
	char why[TERN_ERROR_MAX] = "";

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	logged_lines = 0;
	if (tern_host_new(&cfg, &host, why) < 0 ||
	    tern_broker_new(host, &broker_cfg, &broker, why) < 0) {
		print_error("%s\n", why);
		return -1;
	}
	control = dial();
	(void)close(hello(control));
	return 0;
}

static inline int bed_tear_down(void **state)
{
	(void)state;
	(void)close(control);
	tern_broker_free(broker);
	tern_host_free(host);
	return 0;
}

/* A socket of the program's. */
struct sock {
	int fd;
	uint64_t id;
};

static inline struct sock open_as(int domain, int type)
{
	assert_int_equal(ask_with(TERN_POSIX_OPEN, 0, domain, type, 0, NULL, 0), 0);
	assert_true(answer_fd >= 0);
	return (struct sock){ answer_fd, answer.id };
}

static inline struct sock open_stream(void)
{
	return open_as(AF_INET, SOCK_STREAM);
}

static inline struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(0x0a4d0002) };
}

static inline int ask_connect(struct sock s, uint16_t port, int waits)
{
	struct sockaddr_in addr = at(port);

	return ask_with(TERN_POSIX_CONNECT, s.id, waits, 0, 0, &addr, sizeof(addr));
}

static inline struct sock open_listener(uint16_t port, int backlog)
{
	struct sockaddr_in addr = at(port);
	struct sock s = open_stream();

	assert_int_equal(ask_with(TERN_POSIX_BIND, s.id, 1, 0, 0, &addr, sizeof(addr)), 0);
	assert_int_equal(ask(TERN_POSIX_LISTEN, s.id, backlog), 0);
	return s;
}

static inline struct sock name_of(int fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	struct tern_posix_name name;
	struct sock s = { .fd = fd };

	assert_int_equal(getpeername(fd, (void *)&un, &len), 0);
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + sizeof(name));
	memcpy(&name, un.sun_path, sizeof(name));
	memcpy(&s.id, name.id, sizeof(s.id));
	return s;
}

static struct tern_posix_accepted accepted;

/* The program's end gets a name, as the shim gives it to tell that somebody has the socket. */
static inline void say_alive(int fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	assert_int_equal(getpeername(fd, (void *)&un, &len), 0);
	tern_posix_say_alive(&un, broker->token);
	(void)bind(fd, (void *)&un, len);
}

/* accept(): a descriptor, or -1 if there is none now. */
static inline int take(int listener)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} box;
	struct iovec iov = { &accepted, sizeof(accepted) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &box,
			      .msg_controllen = sizeof(box) };
	ssize_t n = recvmsg(listener, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1;

	if (n <= 0)
		return -1;
	assert_int_equal(n, sizeof(accepted));
	assert_non_null(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	if (!accepted.kernel)
		say_alive(fd);
	return fd;
}

static inline struct sock accept_from(struct sock listener)
{
	int fd;

	assert_true(look(listener.fd, POLLIN) & POLLIN);
	fd = take(listener.fd);
	assert_true(fd >= 0);
	return name_of(fd);
}

/* shutdown() as the shim does it. */
static inline int ask_shutdown(struct sock s, int how)
{
	int err = ask(TERN_POSIX_SHUTDOWN, s.id, how);

	if (err)
		return err;
	say_alive(s.fd);
	return shutdown(s.fd, how) < 0 ? -errno : 0;
}

/* Two ends of a connection. */
struct both {
	struct sock listener, client, server;
};

static inline struct both join(void)
{
	struct both x = { .listener = open_listener(PORT, 128), .client = open_stream() };

	assert_int_equal(ask_connect(x.client, PORT, 0), -EINPROGRESS);
	assert_int_equal(look(x.client.fd, POLLOUT), POLLOUT);
	x.server = accept_from(x.listener);
	return x;
}

static inline void drop(struct sock *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

static inline void part(struct both *x)
{
	drop(&x->client);
	drop(&x->server);
	drop(&x->listener);
	settle();
}

/* Exactly this is to be read. */
static inline void expect_data(int fd, const void *data, size_t len)
{
	char got[4096];

	assert_true(len <= sizeof(got));
	for (size_t done = 0; done < len;) {
		ssize_t n;

		assert_true(look(fd, POLLIN) & POLLIN);
		n = recv(fd, got + done, len - done, MSG_DONTWAIT);
		assert_true(n > 0);
		done += (size_t)n;
	}
	assert_memory_equal(got, data, len);
}

static inline void expect_end(int fd)
{
	char byte;

	assert_true(look(fd, POLLIN) & POLLIN);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

static inline void expect_reset(int fd)
{
	char byte;

	assert_true(look(fd, POLLIN) & POLLERR);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
}

static inline int get_int(struct sock s, int level, int name)
{
	int value;

	assert_int_equal(ask_with(TERN_POSIX_GETSOCKOPT, s.id, level, name, sizeof(value), NULL, 0),
			 0);
	assert_int_equal(answer.len, sizeof(value));
	memcpy(&value, answer.data, sizeof(value));
	return value;
}

static inline int set_int(struct sock s, int level, int name, int value)
{
	return ask_with(TERN_POSIX_SETSOCKOPT, s.id, level, name, 0, &value, sizeof(value));
}

#define BROKER_TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

#endif
