/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/path.c: names and paths of control sockets.
 *
 * Connecting never waits: a socket whose queue is full belongs to a stack that lives (-EAGAIN),
 * one that nobody listens on to a stack that is dead (-ECONNREFUSED).
 */
#include "ctl/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(TERN_CTL_PATH_MAX == sizeof(((struct sockaddr_un *)0)->sun_path),
	       "the system's longest path of a socket");

bool tern_ctl_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < TERN_CTL_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       len;
}

int tern_ctl_dir(char path[TERN_CTL_PATH_MAX])
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	int len;

	if (!base || base[0] != '/')
		base = "/run";
	len = snprintf(path, TERN_CTL_PATH_MAX, "%s/tern", base);
	return len < TERN_CTL_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int tern_ctl_path(const char *name, char path[TERN_CTL_PATH_MAX])
{
	char dir[TERN_CTL_PATH_MAX];
	int err, len;

	if (!tern_ctl_name_ok(name))
		return -EINVAL;
	err = tern_ctl_dir(dir);
	if (err)
		return err;
	len = snprintf(path, TERN_CTL_PATH_MAX, "%s/%s.sock", dir, name);
	return len < TERN_CTL_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int tern_ctl_dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err, fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}
