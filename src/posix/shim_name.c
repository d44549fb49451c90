/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_name.c: is this descriptor a socket of tern's?
 *
 * The broker binds its end of every pair to an abstract address that says which socket it is
 * (struct tern_posix_name), and getpeername(2) on the program's end shows it: one system call,
 * about 100 ns, right whatever dup(), fork(), exec() or another process did, and after the broker's
 * death. Nothing is remembered, so nothing can be stale.
 *
 * The mark is a second thing that sticks to the socket itself.
 */
#include <string.h>
#include <sys/syscall.h>

#include "posix/shim.h"

bool tern_shim_name_parse(const struct sockaddr_un *addr, size_t len, const char *prefix,
			  struct tern_shim_sock *ret_sock)
{
	struct tern_posix_name name;

	if (len != offsetof(struct sockaddr_un, sun_path) + sizeof(name) ||
	    addr->sun_family != AF_UNIX || memcmp(addr->sun_path, prefix, sizeof(name.prefix)) != 0)
		return false;
	memcpy(&name, addr->sun_path, sizeof(name));
	memcpy(&ret_sock->id, name.id, sizeof(ret_sock->id));
	ret_sock->type = name.type;
	ret_sock->domain = name.domain;
	ret_sock->accepted = name.accepted != 0;
	memcpy(&ret_sock->local, name.local, sizeof(name.local));
	memcpy(&ret_sock->remote, name.remote, sizeof(name.remote));
	return true;
}

bool tern_shim_find(int fd, struct tern_shim_sock *ret_sock)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	if (!tern_shim_on())
		return false;
	if (TERN_SHIM_SYS3(SYS_getpeername, fd, &addr, &len) < 0 || len > sizeof(addr))
		return false;
	return tern_shim_name_parse(&addr, len, tern_shim.prefix, ret_sock);
}

void tern_shim_mark(int fd, enum tern_shim_mark mark)
{
	int value = (int)mark;

	TERN_SHIM_SYS5(SYS_setsockopt, fd, SOL_SOCKET, SO_PRIORITY, &value, sizeof(value));
}

bool tern_shim_marked(int fd, enum tern_shim_mark mark)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (TERN_SHIM_SYS5(SYS_getsockopt, fd, SOL_SOCKET, SO_PRIORITY, &value, &len) < 0)
		return false;
	return value == (int)mark;
}

void tern_shim_say_alive(int fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	if (TERN_SHIM_SYS3(SYS_getpeername, fd, &un, &len) < 0)
		return;
	tern_posix_say_alive(&un, tern_shim.token);
	TERN_SHIM_SYS3(SYS_bind, fd, &un, len);
}
