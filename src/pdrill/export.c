/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * What libtern-packetdrill.so exports: the entry that packetdrill looks for, and three functions of
 * libc that it calls past the table: close() when it cleans up, getsockopt() for `%{ }%` blocks,
 * sendfile(). Preloaded, the library gets those calls too; what is not a descriptor of a stack of
 * ours goes on to whoever has the function next, libc as a rule. Children that packetdrill starts
 * inherit the preload and never have a stack: for them all goes on.
 *
 * A file of its own, in no other program: a static library with a close() in it would take over
 * everybody's.
 */
#undef _FILE_OFFSET_BITS /* else sendfile() is called sendfile64() */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pdrill/pdrill.h"

typedef int close_fn(int fd);
typedef int getsockopt_fn(int fd, int level, int name, void *value, socklen_t *len);
typedef ssize_t sendfile_fn(int out, int in, off_t *off, size_t n);

/* The next function of this name, looked up once; errno stays. */
static void *next(_Atomic(void *) *known, const char *name)
{
	void *found = atomic_load_explicit(known, memory_order_acquire);
	int saved = errno;

	if (!found) {
		found = dlsym(RTLD_NEXT, name);
		atomic_store_explicit(known, found, memory_order_release);
		errno = saved;
	}
	return found;
}

TERN_API int close(int fd)
{
	static _Atomic(void *) known;
	struct tern_pdrill *d = tern_pdrill_of(fd);
	close_fn *fn;

	if (d)
		return tern_pdrill_close(d, fd);
	fn = (close_fn *)next(&known, "close");
	return fn ? fn(fd) : (int)syscall(SYS_close, fd);
}

TERN_API int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	static _Atomic(void *) known;
	struct tern_pdrill *d = tern_pdrill_of(fd);
	getsockopt_fn *fn;

	if (d)
		return tern_pdrill_getsockopt(d, fd, level, name, value, len);
	fn = (getsockopt_fn *)next(&known, "getsockopt");
	return fn ? fn(fd, level, name, value, len)
		  : (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

TERN_API ssize_t sendfile(int out, int in, off_t *off, size_t n)
{
	static _Atomic(void *) known;
	struct tern_pdrill *d = tern_pdrill_of(out);
	sendfile_fn *fn;

	if (d)
		return tern_pdrill_sendfile(d, out, in, off, n);
	fn = (sendfile_fn *)next(&known, "sendfile");
	return fn ? fn(out, in, off, n) : (ssize_t)syscall(SYS_sendfile, out, in, off, n);
}

/* packetdrill asks nobody whether this worked. */
__attribute__((noreturn)) static void give_up(const char *why)
{
	static const char prefix[] = "libtern-packetdrill: ";
	struct iovec parts[] = {
		{ .iov_base = (void *)(uintptr_t)prefix, .iov_len = sizeof(prefix) - 1 },
		{ .iov_base = (void *)(uintptr_t)why, .iov_len = strlen(why) },
		{ .iov_base = (void *)(uintptr_t) "\n", .iov_len = 1 },
	};

	if (writev(STDERR_FILENO, parts, TERN_ARRAY_SIZE(parts)) < 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_FAILURE);
}

TERN_API void packetdrill_interface_init(const char *flags, struct packetdrill_interface *out)
{
	char error[TERN_PDRILL_ERROR_MAX] = "";
	struct tern_pdrill *d;

	if (tern_pdrill_new(flags, &d, error) < 0)
		give_up(error);
	tern_pdrill_fill(d, out);
}
