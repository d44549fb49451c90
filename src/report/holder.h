/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/holder.h: which process holds which socket, as `tern ss -p` shows it.
 */
#ifndef TERN_REPORT_HOLDER_H
#define TERN_REPORT_HOLDER_H

#include <stddef.h>
#include <stdint.h>

/* Room for a command's name: the 15 bytes of the kernel's, thrice where JSON has replaced them. */
#define TERN_HOLDER_NAME_MAX 46

/* A descriptor of a process that refers to a socket. */
struct tern_holder {
	uint64_t id; /* the socket's: struct tern_socket_info */
	int32_t pid, fd;
	char name[TERN_HOLDER_NAME_MAX]; /* comm */
};

/* Some of them. */
struct tern_holders {
	const struct tern_holder *rows;
	size_t count;
};

/*
 * Who knows them: gives all there are now, in any order, in memory that the caller gives back by
 * free(). 0 or a negative errno.
 */
typedef int tern_holders_fn(void *user, struct tern_holder **ret_holders, unsigned int *ret_count);

/* Their order, for qsort(): by socket, process and descriptor. */
int tern_holder_order(const void *a, const void *b);

/* Those of one socket out of all in order; none where id is 0. */
struct tern_holders tern_holders_of(const struct tern_holders *all, uint64_t id);

#endif
