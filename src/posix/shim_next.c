/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_next.c: the functions behind our wrappers.
 *
 * tern_shim_next begins as a table of plain system calls, and the constructor puts the next
 * library's functions there, one pointer at a time. So a wrapper that runs before the constructor,
 * or inside dlsym() (a malloc that reads files at its first use), works at any moment.
 */
#include <dlfcn.h>
#include <sys/syscall.h>

#include "posix/shim.h"

#define PLAIN(type, name, parameters, arguments)                        \
	static type plain_##name parameters                             \
	{                                                               \
		return (type)tern_shim_plain(SYS_##name CAT arguments); \
	}
/* CAT (a, b) gives ", a, b". */
#define CAT(...) , __VA_ARGS__

TERN_SHIM_CALLS(PLAIN)

static int absent(const void *first, ...)
{
	(void)first;
	errno = ENOSYS;
	return -1;
}

#define ABSENT(type, name, parameters, arguments) \
	static type plain_##name parameters       \
	{                                         \
		return absent arguments;          \
	}

TERN_SHIM_EXECS(ABSENT)

static int plain_getifaddrs(struct ifaddrs **ret_list)
{
	(void)ret_list;
	errno = ENOSYS;
	return -1;
}

static void plain_freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

#define INITIAL(type, name, parameters, arguments) .name = plain_##name,

struct tern_shim_next tern_shim_next = {
	TERN_SHIM_CALLS(INITIAL) TERN_SHIM_EXECS(INITIAL).getifaddrs = plain_getifaddrs,
	.freeifaddrs = plain_freeifaddrs,
};

#define FIND(type, name, parameters, arguments)                 \
	do {                                                    \
		void *found = dlsym(RTLD_NEXT, #name);          \
		if (found)                                      \
			*(void **)&tern_shim_next.name = found; \
	} while (0);

void tern_shim_next_find(void)
{
	TERN_SHIM_CALLS(FIND)
	TERN_SHIM_EXECS(FIND)
	FIND(int, getifaddrs, , )
	FIND(void, freeifaddrs, , )
}
