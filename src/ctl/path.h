/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/path.h: where control sockets stand: $XDG_RUNTIME_DIR/tern/NAME.sock where that variable is
 * set, else /run/tern/NAME.sock.
 */
#ifndef TERN_CTL_PATH_H
#define TERN_CTL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define TERN_CTL_PATH_MAX 108 /* sizeof(sun_path) */
#define TERN_CTL_NAME_MAX 64  /* with the NUL */

/* May a stack be called so? Letters, digits, - _ and ., not first a dot or -; below NAME_MAX. */
bool tern_ctl_name_ok(const char *name);

/* The directory. -ENAMETOOLONG. */
int tern_ctl_dir(char path[TERN_CTL_PATH_MAX]);

/* The socket of a name. -EINVAL (no name), -ENAMETOOLONG. */
int tern_ctl_path(const char *name, char path[TERN_CTL_PATH_MAX]);

/*
 * Connects to the socket at path. Returns the descriptor; -ECONNREFUSED (nobody listens: the
 * stack is dead), -ENOENT, -EACCES and the like.
 */
int tern_ctl_dial(const char *path);

#endif
