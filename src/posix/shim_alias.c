/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_alias.c: other names of what we wrap. send() and recv() are sendto() and recvfrom()
 * without an address. Programs built with _FORTIFY_SOURCE call functions that check the size of the
 * buffer first and abort if it is too small.
 */
#include <stdlib.h>

#include "posix/shim.h"

#define NAMED(type, mine, name, parameters) TERN_API type mine parameters __asm__(name)

NAMED(ssize_t, tern_shim_recv, "recv", (int fd, void *buf, size_t len, int flags));
NAMED(ssize_t, tern_shim_send, "send", (int fd, const void *buf, size_t len, int flags));
NAMED(ssize_t, tern_shim_read_chk, "__read_chk", (int fd, void *buf, size_t len, size_t room));
NAMED(ssize_t, tern_shim_recv_chk, "__recv_chk",
      (int fd, void *buf, size_t len, size_t room, int flags));
NAMED(ssize_t, tern_shim_recvfrom_chk, "__recvfrom_chk",
      (int fd, void *buf, size_t len, size_t room, int flags, struct sockaddr *from,
       socklen_t *fromlen));

NAMED(ssize_t, tern_shim_sendfile64, "sendfile64", (int fd, int from, off64_t *offset, size_t len));

/* libc's, which says so and aborts */
void __chk_fail(void) __attribute__((noreturn));

ssize_t tern_shim_recv(int fd, void *buf, size_t len, int flags)
{
	return tern_shim_recvfrom(fd, buf, len, flags, NULL, NULL);
}

ssize_t tern_shim_send(int fd, const void *buf, size_t len, int flags)
{
	return tern_shim_sendto(fd, buf, len, flags, NULL, 0);
}

ssize_t tern_shim_read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room)
		__chk_fail();
	return tern_shim_read(fd, buf, len);
}

ssize_t tern_shim_recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	if (len > room)
		__chk_fail();
	return tern_shim_recvfrom(fd, buf, len, flags, NULL, NULL);
}

ssize_t tern_shim_recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
			       struct sockaddr *from, socklen_t *fromlen)
{
	if (len > room)
		__chk_fail();
	return tern_shim_recvfrom(fd, buf, len, flags, from, fromlen);
}

ssize_t tern_shim_sendfile64(int fd, int from, off64_t *offset, size_t len)
{
	_Static_assert(sizeof(off64_t) == sizeof(off_t), "else sendfile() is another call");
	return tern_shim_sendfile(fd, from, (off_t *)offset, len);
}
