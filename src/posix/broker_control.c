/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_control.c: the control connections of programs.
 *
 * An abstract SOCK_SEQPACKET address takes them: it has no mode, survives chroot() and needs no
 * cleaning up. Anybody on the machine may connect, so nobody is served before HELLO with the token
 * of the environment; whoever says anything else, or anything of a wrong length, is cut off. At
 * most TERN_BROKER_PROCESSES are connected; when there are more, the ones that have not said HELLO
 * go first, and if there are none the new one goes.
 *
 * A connection is watched by level: one request is read for each report, and after a request
 * without reply another, since then more may be there; at most TERN_BROKER_REQUESTS. A reply never
 * blocks: who does not read his replies is cut off too.
 *
 * Without a descriptor for a connection none are accepted for a while.
 *
 * A process that ends closes its connection and the ends of its pairs; only the latter matters.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "posix/internal.h"

enum {
	BACKLOG = 1024,
	ACCEPTS = 16, /* in a turn */
};

struct tern_process {
	struct tern_host_service service; /* first */
	struct tern_broker *broker;
	struct tern_process *next, *prev; /* the newest first */
	int fd;
	bool known; /* has said HELLO */
};

static void cut(struct tern_process *proc)
{
	struct tern_broker *b = proc->broker;

	if (proc->next)
		proc->next->prev = proc->prev;
	if (proc->prev)
		proc->prev->next = proc->next;
	else
		b->processes = proc->next;
	b->processes_count--;
	tern_loop_forget(b->host->loop, proc->fd);
	(void)close(proc->fd);
	free(proc);
}

/* All bytes are looked at, wherever the first wrong one is. */
static bool is_token(const struct tern_broker *b, const struct tern_posix_request *req)
{
	unsigned int differ = 0;

	if (req->op != TERN_POSIX_HELLO || req->len != TERN_POSIX_TOKEN_LEN)
		return false;
	for (unsigned int i = 0; i < TERN_POSIX_TOKEN_LEN; i++)
		differ |= req->data[i] ^ b->token[i];
	return differ == 0;
}

/* Sends a reply, with a descriptor if fd >= 0. 0 or a negative errno. */
static int send_reply(struct tern_process *proc, struct tern_posix_reply *reply, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = reply, .iov_len = TERN_POSIX_REPLY_HEAD + reply->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_LEN(sizeof(int));
	}
	return sendmsg(proc->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Serves one request. False: the connection is to be cut. */
static bool serve(struct tern_process *proc, const struct tern_posix_request *req)
{
	struct tern_broker *b = proc->broker;
	struct tern_posix_reply reply;
	int fd = -1, err;

	memset(&reply, 0, TERN_POSIX_REPLY_HEAD);
	reply.id = req->id;
	if (!proc->known) {
		if (!is_token(b, req))
			return false;
		proc->known = true;
		return send_reply(proc, &reply, b->page_fd) == 0;
	}
	b->called = true;
	tern_call(b, req, &reply, &fd);
	err = req->noreply ? 0 : send_reply(proc, &reply, fd);
	if (fd >= 0)
		(void)close(fd);
	return err == 0;
}

/* Reads a request. 1, 0: none is there, or a negative errno: the connection is to be cut. */
static int receive(struct tern_process *proc, struct tern_posix_request *req)
{
	ssize_t n = recv(proc->fd, req, sizeof(*req), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if ((size_t)n < TERN_POSIX_REQUEST_HEAD || (size_t)n > sizeof(*req) ||
	    (size_t)n != TERN_POSIX_REQUEST_HEAD + req->len)
		return -EPROTO;
	return 1;
}

static void process_ready(struct tern_host_service *service, int fd, unsigned int events)
{
	struct tern_process *proc = (struct tern_process *)service;
	struct tern_posix_request req;
	unsigned int budget = TERN_BROKER_REQUESTS;
	int got;

	(void)fd;
	(void)events;
	do {
		got = receive(proc, &req);
		if (got < 0 || (got > 0 && !serve(proc, &req))) {
			cut(proc);
			return;
		}
	} while (got && req.noreply && --budget);
}

/* Room for one more. */
static bool make_room(struct tern_broker *b)
{
	struct tern_process *oldest = NULL;

	if (b->processes_count < TERN_BROKER_PROCESSES)
		return true;
	for (struct tern_process *proc = b->processes; proc; proc = proc->next)
		if (!proc->known)
			oldest = proc;
	if (!oldest)
		return false;
	cut(oldest);
	return true;
}

static void take_process(struct tern_broker *b, int fd)
{
	struct tern_process *proc = make_room(b) ? calloc(1, sizeof(*proc)) : NULL;

	if (!proc) {
		(void)close(fd);
		return;
	}
	proc->service.ready = process_ready;
	proc->broker = b;
	proc->fd = fd;
	proc->next = b->processes;
	if (proc->next)
		proc->next->prev = proc;
	b->processes = proc;
	b->processes_count++;
	if (tern_host_watch(b->host, fd, TERN_LOOP_IN, &proc->service) < 0)
		cut(proc);
}

static void listener_ready(struct tern_host_service *service, int fd, unsigned int events)
{
	struct tern_broker *b =
		(struct tern_broker *)((char *)service -
				       offsetof(struct tern_broker, listen_service));

	(void)events;
	for (unsigned int i = 0; i < ACCEPTS; i++) {
		int child = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (child >= 0) {
			take_process(b, child);
			continue;
		}
		if (errno != EAGAIN && errno != ECONNABORTED) {
			tern_loop_forget(b->host->loop, fd);
			b->retry_at = tern_broker_now(b) + TERN_BROKER_RETRY_NS;
		}
		return;
	}
}

void tern_control_retry(struct tern_broker *b)
{
	if (tern_host_watch(b->host, b->listen_fd, TERN_LOOP_IN, &b->listen_service) < 0)
		b->retry_at = tern_broker_now(b) + TERN_BROKER_RETRY_NS;
}

int tern_control_new(struct tern_broker *b)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + TERN_POSIX_PREFIX_LEN +
			TERN_POSIX_RUN_LEN;

	memcpy(un.sun_path + 1, TERN_POSIX_PREFIX, TERN_POSIX_PREFIX_LEN);
	memcpy(un.sun_path + 1 + TERN_POSIX_PREFIX_LEN, b->run, TERN_POSIX_RUN_LEN);
	b->listen_service.ready = listener_ready;
	b->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (b->listen_fd < 0 || bind(b->listen_fd, (const struct sockaddr *)&un, len) < 0 ||
	    listen(b->listen_fd, BACKLOG) < 0)
		return -errno;
	return tern_host_watch(b->host, b->listen_fd, TERN_LOOP_IN, &b->listen_service);
}

void tern_control_free(struct tern_broker *b)
{
	while (b->processes)
		cut(b->processes);
	if (b->listen_fd < 0)
		return;
	tern_loop_forget(b->host->loop, b->listen_fd);
	(void)close(b->listen_fd);
}
