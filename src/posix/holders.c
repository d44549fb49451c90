/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/holders.c: which process holds which socket.
 *
 * Nobody keeps books of that: fork, dup and a hand-over by SCM_RIGHTS pass the broker by. But the
 * inode of a program's end is known since its creation, and /proc/PID/fd shows inodes: so who
 * wants to know reads /proc once, looks each socket's inode up among ours (sorted), and finds every
 * holder. A process that ends meanwhile, or may not be looked into, is passed over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posix/internal.h"

enum {
	LINK_MAX_LEN = 32, /* "socket:[18446744073709551615]" */
	FIRST_ROOM = 64,
};

/* An end that a program has, by its inode. */
struct end {
	ino_t ino;
	tern_id id;
};

struct search {
	struct end *ends;
	size_t ends_count;
	struct tern_holder *found;
	unsigned int found_count, room;
};

static int compare_ends(const void *a, const void *b)
{
	const struct end *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

/* What to look for. 0 or -ENOMEM. */
static int collect_ends(struct tern_broker *b, struct search *s)
{
	s->ends = malloc((b->pairs_count + 1) * sizeof(*s->ends));
	if (!s->ends)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->pairs_max && s->ends_count < b->pairs_count; i++) {
		const struct tern_pair *p = &b->pairs[i];

		if (p->kind == TERN_PAIR_FREE || p->fd < 0)
			continue;
		s->ends[s->ends_count++] =
			(struct end){ .ino = p->ino,
				      .id = tern_sock_id(tern_broker_socks(b), p->sock) };
	}
	qsort(s->ends, s->ends_count, sizeof(*s->ends), compare_ends);
	return 0;
}

/* A decimal number that is all of text up to the character `end`; false if it is not. */
static bool read_number(const char *text, char end, unsigned long long *ret_number)
{
	char *after;
	unsigned long long number;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &after, 10);
	if (errno || *after != end)
		return false;
	*ret_number = number;
	return true;
}

/* The end that an entry of /proc/PID/fd refers to, or NULL. */
static const struct end *end_of(const struct search *s, int dir, const char *name)
{
	static const char prefix[] = "socket:[";
	char text[LINK_MAX_LEN];
	ssize_t len = readlinkat(dir, name, text, sizeof(text) - 1);
	unsigned long long ino;
	struct end key;

	if (len < (ssize_t)sizeof(prefix) || memcmp(text, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	text[len] = '\0';
	if (!read_number(text + sizeof(prefix) - 1, ']', &ino))
		return NULL;
	key.ino = (ino_t)ino;
	return bsearch(&key, s->ends, s->ends_count, sizeof(key), compare_ends);
}

/* A place for one more holder, or NULL. */
static struct tern_holder *more(struct search *s)
{
	unsigned int room = s->room ? 2 * s->room : FIRST_ROOM;
	struct tern_holder *grown;

	if (s->found_count == s->room) {
		grown = realloc(s->found, room * sizeof(*grown));
		if (!grown)
			return NULL;
		s->found = grown;
		s->room = room;
	}
	return &s->found[s->found_count++];
}

static void read_comm(int proc, const char *pid, char name[TERN_HOLDER_NAME_MAX])
{
	char path[32];
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "%.20s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, name, TERN_HOLDER_NAME_MAX - 1);
	if (fd >= 0)
		(void)close(fd);
	name[len > 0 ? len : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

/* What one process holds. 0 or -ENOMEM; one that cannot be read holds nothing. */
static int search_process(struct search *s, int proc, const char *pid, int number)
{
	char path[32], name[TERN_HOLDER_NAME_MAX] = "";
	struct dirent *entry;
	DIR *fds;
	int fd, err = 0;

	(void)snprintf(path, sizeof(path), "%.20s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = fd < 0 ? NULL : fdopendir(fd);
	if (!fds) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while (!err && (entry = readdir(fds)) != NULL) {
		const struct end *end = end_of(s, fd, entry->d_name);
		struct tern_holder *holder = end ? more(s) : NULL;
		unsigned long long n;

		if (end && !holder)
			err = -ENOMEM;
		if (!holder)
			continue;
		*holder = (struct tern_holder){ .id = end->id, .pid = number };
		if (read_number(entry->d_name, '\0', &n))
			holder->fd = (int)n;
		if (!*name)
			read_comm(proc, pid, name);
		memcpy(holder->name, name, sizeof(name));
	}
	(void)closedir(fds);
	return err;
}

static int search_all(struct search *s)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	pid_t own = getpid();
	int err = 0;

	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc)) != NULL) {
		unsigned long long pid;

		if (read_number(entry->d_name, '\0', &pid) && (pid_t)pid != own)
			err = search_process(s, dirfd(proc), entry->d_name, (int)pid);
	}
	(void)closedir(proc);
	return err;
}

int tern_broker_holders(struct tern_broker *b, struct tern_holder **ret_holders,
			unsigned int *ret_count)
{
	struct search s = { 0 };
	int err = collect_ends(b, &s);

	if (!err && s.ends_count)
		err = search_all(&s);
	free(s.ends);
	if (err) {
		free(s.found);
		return err;
	}
	if (s.found_count)
		qsort(s.found, s.found_count, sizeof(*s.found), tern_holder_order);
	*ret_holders = s.found;
	*ret_count = s.found_count;
	return 0;
}
