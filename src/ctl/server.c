/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/server.c: the control socket inside of a host.
 *
 * The socket is the lock on the stack's name: bind() fails if it is there, and whether somebody
 * listens on it tells a running stack from a dead one, whose socket is replaced. Looking and
 * replacing happen under a flock on the directory, so that two starters do not take each other's.
 *
 * The host's loop tells which descriptor is ready; each time a client gets a bounded piece of work:
 * one read, or one write of about CHUNK bytes, made just before from the stack as it is now. A slow
 * reader therefore holds up nothing but himself, and a large table never stops the stack.
 *
 *	a client	watched for
 *	idle		IN: a request, at most REQUEST_MAX bytes
 *	being answered	OUT: the next piece; what he sends meanwhile waits in his socket
 *
 * At most CLIENTS_MAX are served. A further one takes the place of one that has not moved for
 * STALE_NS, or is told that there is no room.
 */
#include "ctl/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/pool.h"
#include "ctl/answer.h"
#include "ctl/path.h"
#include "host/host.h"

enum {
	CLIENTS_MAX = 16,
	BACKLOG = 16,
	REQUEST_MAX = 4096,
	CHUNK = 32768,
	OUT_MAX = 4 * CHUNK,
};

#define STALE_NS UINT64_C(10000000000)

/* How to get a place for control sockets. */
#define HOW "; run as root or set XDG_RUNTIME_DIR to a directory of yours"

struct client {
	int fd;       /* -1: free */
	bool leaving; /* close when what is written has gone */
	uint64_t moved_ns;
	struct tern_ctl_answer answer;
	struct tern_sink out;
	size_t sent; /* of out */
	size_t in_len;
	char in[REQUEST_MAX];
};

struct tern_ctl {
	struct tern_host_service service; /* first: the host knows us by it */
	struct tern_host *host;
	struct tern_mem mem;
	tern_holders_fn *holders;
	void *holders_user;
	int fd;
	int spare; /* a number kept for a client when no other is left; -1: a client has it */
	dev_t dev; /* of the socket's file, to remove no other's */
	ino_t ino;
	char path[TERN_CTL_PATH_MAX];
	struct client clients[CLIENTS_MAX];
};

/* Keeps a number in reserve: whoever asks why nothing works must be answered just then. */
static void keep_spare(struct tern_ctl *ctl)
{
	if (ctl->spare < 0)
		ctl->spare = fcntl(ctl->fd, F_DUPFD_CLOEXEC, 0);
}

static void drop(struct tern_ctl *ctl, struct client *c)
{
	tern_loop_forget(ctl->host->loop, c->fd);
	(void)close(c->fd);
	keep_spare(ctl);
	tern_ctl_answer_drop(&c->answer);
	tern_sink_free(&c->out);
	c->fd = -1;
}

static bool is_busy(const struct client *c)
{
	return tern_ctl_answer_open(&c->answer) || c->sent < c->out.len;
}

/* Begins to answer the next request that is there, if the one before is answered. */
static void take_request(struct tern_ctl *ctl, struct client *c)
{
	const struct tern_ctl_source source = { ctl->host->st, ctl->holders, ctl->holders_user };
	char *newline = memchr(c->in, '\n', c->in_len);
	size_t len;

	if (is_busy(c))
		return;
	if (newline) {
		len = (size_t)(newline - c->in);
		tern_ctl_answer_begin(&c->answer, &source, tern_host_time(ctl->host), c->in, len,
				      &c->out);
		c->in_len -= len + 1;
		memmove(c->in, newline + 1, c->in_len);
	} else if (c->in_len == sizeof(c->in)) {
		tern_ctl_answer_error(&c->out, "the request is too long; at most 4095 bytes");
		c->leaving = true;
		c->in_len = 0;
	}
}

/* Writes what there is. 0, -EAGAIN, or another errno: the client is gone. */
static int send_out(struct tern_ctl *ctl, struct client *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.buf + c->sent, c->out.len - c->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EINTR ? 0 : -errno;
		c->sent += (size_t)n;
		c->moved_ns = tern_host_time(ctl->host);
	}
	tern_sink_reset(&c->out);
	c->sent = 0;
	return 0;
}

/* One piece of the answer: makes it, sends it. */
static int send_piece(struct tern_ctl *ctl, struct client *c)
{
	int err = send_out(ctl, c);

	if (err)
		return err;
	while (tern_ctl_answer_open(&c->answer) && c->out.len < CHUNK && !c->out.failed)
		tern_ctl_answer_next(&c->answer, ctl->host->st, tern_host_time(ctl->host), &c->out);
	if (c->out.failed)
		return -ENOMEM;
	return send_out(ctl, c);
}

static int receive(struct tern_ctl *ctl, struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -EPIPE;
	c->in_len += (size_t)n;
	c->moved_ns = tern_host_time(ctl->host);
	return 0;
}

static void serve(struct tern_ctl *ctl, struct client *c, unsigned int events)
{
	int err = 0;

	if (is_busy(c))
		err = send_piece(ctl, c);
	else if (events)
		err = receive(ctl, c);
	take_request(ctl, c);
	if (err == -EAGAIN)
		err = 0;
	if (!err && !is_busy(c) && c->leaving)
		err = -EPIPE;
	if (!err)
		err = tern_host_watch(ctl->host, c->fd, is_busy(c) ? TERN_LOOP_OUT : TERN_LOOP_IN,
				      &ctl->service);
	if (err)
		drop(ctl, c);
}

/* A place for a client: a free one, or that of the one that has not moved for longest. */
static struct client *find_place(struct tern_ctl *ctl)
{
	struct client *oldest = &ctl->clients[0];

	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &ctl->clients[i];

		if (c->fd < 0)
			return c;
		if (c->moved_ns < oldest->moved_ns)
			oldest = c;
	}
	if (tern_host_time(ctl->host) - oldest->moved_ns < STALE_NS)
		return NULL;
	drop(ctl, oldest);
	return oldest;
}

static void take_client(struct tern_ctl *ctl)
{
	static const char full[] = "{\"error\":\"16 clients are connected already\"}\n";
	int fd = accept4(ctl->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && ctl->spare >= 0) {
		(void)close(ctl->spare);
		ctl->spare = -1;
		fd = accept4(ctl->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	if (fd < 0)
		return;
	c = find_place(ctl);
	if (!c) {
		(void)send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)close(fd);
		keep_spare(ctl);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->moved_ns = tern_host_time(ctl->host);
	tern_sink_init(&c->out, &ctl->mem, OUT_MAX);
	if (tern_host_watch(ctl->host, fd, TERN_LOOP_IN, &ctl->service) < 0)
		drop(ctl, c);
}

static void ready(struct tern_host_service *service, int fd, unsigned int events)
{
	struct tern_ctl *ctl = (struct tern_ctl *)service;

	if (fd == ctl->fd) {
		take_client(ctl);
		return;
	}
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (ctl->clients[i].fd == fd)
			serve(ctl, &ctl->clients[i], events);
}

/* The directory, made if it is not there, locked. Returns its descriptor. */
static int lock_dir(char *error)
{
	char dir[TERN_CTL_PATH_MAX];
	int err = tern_ctl_dir(dir), fd;

	if (err)
		return tern_host_fail(error, err, "XDG_RUNTIME_DIR is too long for a socket");
	if (mkdir(dir, strncmp(dir, "/run/tern", 10) == 0 ? 0755 : 0700) < 0 && errno != EEXIST) {
		err = -errno;
		return tern_host_fail(error, err, "cannot make %s for the control socket: %s" HOW,
				      dir, strerror(-err));
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0) {
		err = -errno;
		if (fd >= 0)
			(void)close(fd);
		return tern_host_fail(error, err, "cannot use %s for the control socket: %s%s", dir,
				      strerror(-err), err == -EACCES ? HOW : "");
	}
	return fd;
}

static int bind_path(struct tern_ctl *ctl)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;

	memcpy(addr.sun_path, ctl->path, sizeof(addr.sun_path));
	/* The mode of an unbound socket is that of the file it will have: never open to others. */
	if (fchmod(ctl->fd, 0600) < 0 ||
	    bind(ctl->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	if (lstat(ctl->path, &st) < 0)
		return -errno;
	ctl->dev = st.st_dev;
	ctl->ino = st.st_ino;
	return listen(ctl->fd, BACKLOG) < 0 ? -errno : 0;
}

/*
 * Binds; the socket of a dead stack is replaced. -EADDRINUSE: it lives; -EEXIST: something else
 * has the name, and stays.
 */
static int take_path(struct tern_ctl *ctl)
{
	int err = bind_path(ctl), fd;
	struct stat st;

	if (err != -EADDRINUSE)
		return err;
	if (lstat(ctl->path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = tern_ctl_dial(ctl->path);
	if (fd >= 0)
		(void)close(fd);
	if (fd != -ECONNREFUSED)
		return -EADDRINUSE;
	if (unlink(ctl->path) < 0)
		return -errno;
	return bind_path(ctl);
}

static int set_up(struct tern_ctl *ctl, const char *name, char *error)
{
	int err, lock = lock_dir(error);

	if (lock < 0)
		return lock;
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = ctl->fd < 0 ? -errno : take_path(ctl);
	(void)close(lock);
	if (err == -EADDRINUSE)
		return tern_host_fail(error, err,
				      "the name '%s' is taken by a running stack; choose another",
				      name);
	if (err)
		return tern_host_fail(error, err, "cannot make the control socket %s: %s%s",
				      ctl->path, strerror(-err), err == -EACCES ? HOW : "");
	return 0;
}

int tern_ctl_new(const char *name, struct tern_ctl **ret_ctl, char *error)
{
	struct tern_ctl *ctl;
	int err;

	if (!tern_ctl_name_ok(name))
		return tern_host_fail(
			error, -EINVAL,
			"'%.64s' cannot be a stack's name; it has 1 to %d letters, "
			"digits, '-', '_' and '.', and begins with none of '-' and '.'",
			name, TERN_CTL_NAME_MAX - 1);
	ctl = calloc(1, sizeof(*ctl));
	if (!ctl)
		return tern_host_fail(error, -ENOMEM, "no memory for a control socket");
	ctl->fd = -1;
	ctl->spare = -1;
	ctl->service.ready = ready;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		ctl->clients[i].fd = -1;
	err = tern_ctl_path(name, ctl->path);
	if (err)
		(void)tern_host_fail(error, err, "the path of the control socket is too long");
	else
		err = set_up(ctl, name, error);
	if (err) {
		tern_ctl_free(ctl);
		return err;
	}
	*ret_ctl = ctl;
	return 0;
}

int tern_ctl_attach(struct tern_ctl *ctl, struct tern_host *host)
{
	ctl->host = host;
	keep_spare(ctl);
	return tern_host_watch(host, ctl->fd, TERN_LOOP_IN, &ctl->service);
}

void tern_ctl_set_holders(struct tern_ctl *ctl, tern_holders_fn *holders, void *user)
{
	ctl->holders = holders;
	ctl->holders_user = user;
}

void tern_ctl_free(struct tern_ctl *ctl)
{
	struct stat st;

	if (!ctl)
		return;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (ctl->clients[i].fd >= 0)
			drop(ctl, &ctl->clients[i]);
	if (ctl->ino && lstat(ctl->path, &st) == 0 && st.st_dev == ctl->dev &&
	    st.st_ino == ctl->ino)
		(void)unlink(ctl->path);
	if (ctl->host)
		tern_loop_forget(ctl->host->loop, ctl->fd);
	if (ctl->spare >= 0)
		(void)close(ctl->spare);
	if (ctl->fd >= 0)
		(void)close(ctl->fd);
	free(ctl);
}
