/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/fake_broker.h: a broker that a test makes, for the shim that is linked into that test.
 *
 * It is a child process that answers each request as the test's function says. The shim in the
 * test's own process finds it as if TERN_BROKER had been in the environment. `fake` is shared with
 * the child: what it counts, and what it is to answer.
 */
#ifndef TERN_TESTS_UNIT_POSIX_FAKE_BROKER_H
#define TERN_TESTS_UNIT_POSIX_FAKE_BROKER_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix/shim.h"

struct fake {
	int connections; /* accepted so far */
	int requests[32];
	int last_error; /* LAST_ERROR, SO_ERROR */
	int listening, page_fd;
	struct tern_posix_page *page;
};

static struct fake *fake;
static pid_t fake_pid;

/* The test's: fills the reply, whose result is 0; *ret_fd may be set to a descriptor to be sent. */
static void (*fake_answer)(const struct tern_posix_request *req, struct tern_posix_reply *reply,
			   int *ret_fd);

static inline void fake_reply(int fd, const struct tern_posix_reply *reply, int with)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (void *)(uintptr_t)reply, TERN_POSIX_REPLY_HEAD + reply->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (with >= 0) {
		memcpy(CMSG_DATA(&control.head), &with, sizeof(with));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_LEN(sizeof(int));
	}
	(void)sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* False: the connection has ended. */
static inline bool fake_serve(int fd)
{
	struct tern_posix_request req;
	struct tern_posix_reply reply = { 0 };
	int with = -1;

	if (recv(fd, &req, sizeof(req), 0) < (ssize_t)TERN_POSIX_REQUEST_HEAD)
		return false;
	if (req.op == TERN_POSIX_HELLO) {
		with = fake->page_fd;
	} else {
		fake->requests[req.op]++;
		fake_answer(&req, &reply, &with);
	}
	if (!req.noreply)
		fake_reply(fd, &reply, with);
	if (with >= 0 && with != fake->page_fd)
		(void)close(with);
	return true;
}

static inline void fake_run(void)
{
	struct pollfd fds[64] = { { .fd = fake->listening, .events = POLLIN } };
	nfds_t count = 1, i;

	for (;;) {
		(void)poll(fds, count, -1);
		if (fds[0].revents && count < 64) {
			fds[count] = (struct pollfd){ .fd = accept(fake->listening, NULL, NULL),
						      .events = POLLIN };
			fds[count++].revents = 0;
			fake->connections++;
		}
		for (i = 1; i < count; i++) {
			if (!fds[i].revents || fake_serve(fds[i].fd))
				continue;
			(void)close(fds[i].fd);
			fds[i] = fds[--count];
		}
	}
}

/* cmocka's setup of a test. */
static inline int fake_start(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char prefix[sizeof(tern_shim.prefix) + 1];

	(void)state;
	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fake == MAP_FAILED)
		return -1;
	fake->page_fd = memfd_create("page", MFD_CLOEXEC);
	if (ftruncate(fake->page_fd, sizeof(*fake->page)) < 0)
		return -1;
	fake->page = mmap(NULL, sizeof(*fake->page), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fake->page_fd, 0);
	(void)snprintf(prefix + 1, sizeof(prefix) - 1, "%s%016x/", TERN_POSIX_PREFIX,
		       (unsigned int)getpid());
	prefix[0] = '\0';
	memcpy(tern_shim.prefix, prefix, sizeof(tern_shim.prefix));
	memcpy(un.sun_path, prefix, sizeof(tern_shim.prefix) - 1);
	fake->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(fake->listening, (struct sockaddr *)&un,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(tern_shim.prefix) -
			     1)) < 0 ||
	    listen(fake->listening, 64) < 0)
		return -1;
	fake_pid = fork();
	if (fake_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		fake_run();
	}
	(void)close(fake->listening);
	tern_shim_control_start();
	tern_shim.page = NULL;
	tern_shim.on = true;
	errno = 0;
	return fake_pid > 0 ? 0 : -1;
}

static inline void fake_kill(void)
{
	if (fake_pid <= 0)
		return;
	(void)kill(fake_pid, SIGKILL);
	(void)waitpid(fake_pid, NULL, 0);
	fake_pid = 0;
}

/* Any request, to make the connection and to have the page. */
static inline int fake_touch(void)
{
	struct tern_shim_call call = { .op = TERN_POSIX_LAST_ERROR };

	return tern_shim_call(&call);
}

static inline int fake_stop(void **state)
{
	(void)state;
	fake_kill();
	(void)fake_touch(); /* the shim closes its end, too */
	tern_shim.on = false;
	tern_shim.page = NULL;
	(void)close(fake->page_fd);
	return 0;
}

/* A pair as the broker makes it: [0] is the broker's end, named; [1] the program's. */
static inline void fake_pair(int type, uint64_t id, bool accepted, int ret_ends[2])
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct tern_posix_name name = {
		.type = (uint8_t)type,
		.domain = AF_INET,
		.accepted = accepted,
	};
	union tern_posix_addr addr = { .in.sin_family = AF_INET };

	memcpy(name.prefix, tern_shim.prefix, sizeof(name.prefix));
	memcpy(name.id, &id, sizeof(id));
	memcpy(name.local, &addr, sizeof(name.local));
	memcpy(name.remote, &addr, sizeof(name.remote));
	memcpy(un.sun_path, &name, sizeof(name));
	if (socketpair(AF_UNIX, (type == SOCK_STREAM ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC,
		       0, ret_ends) < 0 ||
	    bind(ret_ends[0], (struct sockaddr *)&un,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name))) < 0)
		abort();
}

#endif
