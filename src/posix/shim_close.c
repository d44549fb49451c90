/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_close.c: close(), which waits if SO_LINGER says so.
 *
 * The broker sees the pair's last close, whoever does it, and closes the connection in the
 * background. With SO_LINGER and a time the closing program waits for that: the broker gives a
 * descriptor that hangs up when lingering is over, and says after the close whether that was the
 * last one. As long as no socket of the run lingers, a word in the shared page says so.
 */
#include <poll.h>
#include <sys/syscall.h>

#include "posix/shim.h"

static void wait_hang_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	/* a signal ends it, as on Linux */
	TERN_SHIM_SYS5(SYS_ppoll, &p, 1, NULL, NULL, 8);
}

int tern_shim_close(int fd)
{
	const volatile struct tern_posix_page *page = tern_shim.page;
	struct tern_shim_call before = { .op = TERN_POSIX_LINGER,
					 .want_fd = true,
					 .cloexec = true };
	struct tern_shim_call after = { .op = TERN_POSIX_LINGER_CLOSED };
	struct tern_shim_sock sock;
	int done;

	if (TERN_LIKELY(!page || page->lingers == 0) || !tern_shim_find(fd, &sock))
		return tern_shim_next.close(fd);
	if (tern_shim_ask(fd, &sock, &before) < 0 || before.ret_fd < 0)
		return tern_shim_next.close(fd);
	done = tern_shim_next.close(fd);
	after.id = sock.id;
	if (tern_shim_call(&after) == 1)
		wait_hang_up(before.ret_fd);
	TERN_SHIM_SYS1(SYS_close, before.ret_fd);
	return done;
}
