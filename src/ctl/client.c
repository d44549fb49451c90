/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/client.c: finding stacks and asking them.
 *
 * A stack is a file NAME.sock in the directory that answers a connect. One that refuses is what a
 * dead stack left behind: it is removed if it is ours, under the same lock that a starting stack
 * holds from bind() to listen(), so that a new one is never mistaken for a dead one.
 *
 * A client reads through a buffer that holds the longest line there may be; lines are handed out
 * in place. A stack whose program is busy elsewhere does not answer: after 10 s without a byte the
 * client says so.
 */
#include "ctl/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "report/json_read.h"

enum {
	LINE_MAX = 65536,
	PATIENCE_MS = 10000,
};

struct tern_ctl_client {
	int fd;
	char name[TERN_CTL_NAME_MAX];
	char error[TERN_ERROR_MAX];
	size_t at, len; /* what is unread of buf */
	char buf[LINE_MAX];
};

/* The name of a stack out of that of its socket: false for other files. */
static bool name_of(const char *file, char name[TERN_CTL_NAME_MAX])
{
	size_t len = strlen(file);

	if (len < 6 || len - 5 >= TERN_CTL_NAME_MAX || strcmp(file + len - 5, ".sock") != 0)
		return false;
	memcpy(name, file, len - 5);
	name[len - 5] = '\0';
	return tern_ctl_name_ok(name);
}

/* Does somebody listen there? */
static bool lives(const char *path)
{
	int fd = tern_ctl_dial(path);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 || fd == -EAGAIN || fd == -EACCES || fd == -EPERM;
}

static void remove_dead(int dir_fd, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return;
	if (flock(dir_fd, LOCK_EX) < 0)
		return;
	if (!lives(path))
		(void)unlink(path);
	(void)flock(dir_fd, LOCK_UN);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int tern_ctl_list(struct tern_ctl_names *ret_names)
{
	char path[TERN_CTL_PATH_MAX];
	struct tern_ctl_names names;
	struct dirent *entry;
	int err = tern_ctl_dir(path);
	DIR *dir;

	if (err)
		return err;
	names.count = 0;
	dir = opendir(path);
	if (!dir && errno != ENOENT)
		return -errno;
	while (dir && names.count < TERN_CTL_STACKS_MAX && (entry = readdir(dir))) {
		char *name = names.name[names.count];

		if (!name_of(entry->d_name, name) || tern_ctl_path(name, path) < 0)
			continue;
		if (lives(path))
			names.count++;
		else
			remove_dead(dirfd(dir), path);
	}
	if (dir)
		(void)closedir(dir);
	qsort(names.name, names.count, sizeof(names.name[0]), by_name);
	*ret_names = names;
	return 0;
}

/* The only stack that runs, or a line that says why there is none or which there are. */
static int only_one(char name[TERN_CTL_NAME_MAX], char *error)
{
	struct tern_ctl_names names;
	char dir[TERN_CTL_PATH_MAX], list[128] = "";
	size_t len = 0;
	int err = tern_ctl_list(&names);

	if (!err)
		err = tern_ctl_dir(dir);
	if (err)
		return tern_host_fail(error, err, "cannot look for stacks: %s", strerror(-err));
	if (names.count == 0)
		return tern_host_fail(error, -ENOENT,
				      "no stack is running: none has its socket in %s; start one "
				      "with tern serve",
				      dir);
	if (names.count == 1) {
		memcpy(name, names.name[0], TERN_CTL_NAME_MAX);
		return 0;
	}
	for (unsigned int i = 0; i < names.count; i++) {
		size_t n = strlen(names.name[i]);

		if (len + n + 6 >= sizeof(list)) {
			memcpy(list + len, " ...", 5);
			break;
		}
		list[len++] = ' ';
		memcpy(list + len, names.name[i], n + 1);
		len += n;
	}
	return tern_host_fail(error, -ENOTUNIQ, "%u stacks are running; say which with -N NAME:%s",
			      names.count, list);
}

/* Connects; the error in words. */
static int dial(const char *name, char *error)
{
	char path[TERN_CTL_PATH_MAX];
	int fd = tern_ctl_path(name, path);

	if (fd == -EINVAL)
		return tern_host_fail(error, fd, "'%.64s' cannot be a stack's name", name);
	if (fd == 0)
		fd = tern_ctl_dial(path);
	if (fd >= 0)
		return fd;
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return tern_host_fail(error, -ENOENT, "no stack named '%s' is running", name);
	if (fd == -EACCES || fd == -EPERM)
		return tern_host_fail(error, fd,
				      "stack '%s' is another user's: run as that user, or as root",
				      name);
	return tern_host_fail(error, fd, "cannot reach stack '%s': %s", name, strerror(-fd));
}

int tern_ctl_open(const char *name, struct tern_ctl_client **ret_client, char *error)
{
	char only[TERN_CTL_NAME_MAX];
	struct tern_ctl_client *client;
	int err = name ? 0 : only_one(only, error), fd;

	if (err)
		return err;
	name = name ? name : only;
	fd = dial(name, error);
	if (fd < 0)
		return fd;
	client = calloc(1, sizeof(*client));
	if (!client) {
		(void)close(fd);
		return tern_host_fail(error, -ENOMEM, "no memory");
	}
	client->fd = fd;
	memcpy(client->name, name, strlen(name) + 1);
	*ret_client = client;
	return 0;
}

void tern_ctl_close(struct tern_ctl_client *client)
{
	if (!client)
		return;
	(void)close(client->fd);
	free(client);
}

const char *tern_ctl_name(const struct tern_ctl_client *client)
{
	return client->name;
}

const char *tern_ctl_error(const struct tern_ctl_client *client)
{
	return client->error;
}

/* Waits until the socket is ready: 0, -ETIMEDOUT, -EINTR. */
static int wait_for(const struct tern_ctl_client *client, short events)
{
	struct pollfd pfd = { .fd = client->fd, .events = events };
	int n = poll(&pfd, 1, PATIENCE_MS);

	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(struct tern_ctl_client *client, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL);
		int err;

		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0) {
			err = wait_for(client, POLLOUT);
			if (err)
				return err;
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int tern_ctl_ask(struct tern_ctl_client *client, const char *request)
{
	int err;

	if (strchr(request, '\n'))
		return -EINVAL;
	client->error[0] = '\0';
	err = send_all(client, request, strlen(request));
	return err ? err : send_all(client, "\n", 1);
}

/* Is it the last line of an answer? 1: the end, -EREMOTEIO: an error, 0: neither. */
static int last_line(struct tern_ctl_client *client, const char *line, size_t len)
{
	struct tern_json_reader reader;
	struct tern_json_token token;
	int result = 0;

	if (strncmp(line, "{\"end\":", 7) != 0 && strncmp(line, "{\"error\":", 9) != 0)
		return 0;
	tern_json_reader_init(&reader, line, len, 1);
	while (tern_json_next(&reader, &token) == 1) {
		if (strcmp(token.key, "end") == 0 && token.kind == TERN_JSON_BOOL)
			result = 1;
		if (strcmp(token.key, "error") == 0 && token.kind == TERN_JSON_STRING)
			result = tern_host_fail(client->error, -EREMOTEIO, "%s", token.str);
	}
	return result;
}

/* More bytes into the buffer: 0, -EPIPE, -ETIMEDOUT, -EMSGSIZE. */
static int fill(struct tern_ctl_client *client)
{
	ssize_t n;
	int err;

	memmove(client->buf, client->buf + client->at, client->len);
	client->at = 0;
	if (client->len == sizeof(client->buf))
		return -EMSGSIZE;
	err = wait_for(client, POLLIN);
	if (err)
		return err;
	n = recv(client->fd, client->buf + client->len, sizeof(client->buf) - client->len, 0);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	client->len += (size_t)n;
	return 0;
}

int tern_ctl_next(struct tern_ctl_client *client, const char **ret_line, size_t *ret_len)
{
	char *line, *newline;
	size_t len;
	int err;

	while (!(newline = memchr(client->buf + client->at, '\n', client->len))) {
		err = fill(client);
		if (err)
			return err;
	}
	line = client->buf + client->at;
	len = (size_t)(newline - line);
	*newline = '\0';
	client->at += len + 1;
	client->len -= len + 1;
	err = last_line(client, line, len);
	if (err)
		return err < 0 ? err : 0;
	*ret_line = line;
	*ret_len = len;
	return 1;
}
