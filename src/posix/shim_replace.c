/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_replace.c: another socket under the same descriptors.
 *
 * Three reasons. An address of the loopback turns up in bind(), connect() or sendto(): this is the
 * kernel's business, and the pair becomes a kernel socket with all options replayed. Or a connect()
 * failed: that ended its pair, and the socket needs a new one for its next attempt. Or the broker
 * is dead: what listens, or receives datagrams, would be ready for ever, and its program would
 * spin; it gets the error once, and then a socket on which nothing ever happens.
 *
 * The socket is open under one number or several (dup), all of which have its inode, and may be
 * registered with epoll, where a registration belongs to the socket and not to the number: dup3()
 * would silently end it. So: look through /proc/self/fd for numbers with that inode; look through
 * /proc/self/fdinfo of epoll descriptors for registrations of them; delete those, dup3() the new
 * socket over each number with that number's FD_CLOEXEC, and register anew with the same events
 * and data. O_NONBLOCK belongs to the socket and is set once.
 *
 * What this cannot reach: the same socket in another process (after fork), and epoll sets of
 * another process. Without /proc only the number that was given is replaced.
 *
 * Limits: MAX_SAME numbers and MAX_SAME registrations of one socket; more are left as they are.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "posix/shim.h"

#define MAX_SAME 32
#define BUFFER   1024

struct registration {
	int epfd;
	struct tern_shim_epoll_line line;
};

/* Everything that is one socket in this process. */
struct same {
	uint64_t dev, ino;
	int fds[MAX_SAME];
	unsigned int count;
	struct registration regs[MAX_SAME];
	unsigned int reg_count;
};

struct dirent64_head {
	uint64_t ino, off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static int open_at(const char *path, int flags)
{
	return (int)TERN_SHIM_SYS4(SYS_openat, AT_FDCWD, path, flags | O_RDONLY | O_CLOEXEC, 0);
}

static void close_fd(int fd)
{
	TERN_SHIM_SYS1(SYS_close, fd);
}

static void add_fd(struct same *same, int fd)
{
	struct stat st;
	unsigned int i;

	if (TERN_SHIM_SYS4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) < 0 ||
	    st.st_ino != same->ino || st.st_dev != same->dev || same->count == MAX_SAME)
		return;
	for (i = 0; i < same->count; i++)
		if (same->fds[i] == fd)
			return;
	same->fds[same->count++] = fd;
}

/* "/proc/self/fd/N", "/proc/self/fdinfo/N" */
static void path_of(char *ret_path, const char *folder, int fd)
{
	char digits[12];
	unsigned int n = 0, number = (unsigned int)fd;
	size_t len = strlen(folder);

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	memcpy(ret_path, folder, len);
	while (n)
		ret_path[len++] = digits[--n];
	ret_path[len] = '\0';
}

static bool is_epoll(int fd)
{
	static const char want[] = "anon_inode:[eventpoll]";
	char path[64], target[sizeof(want)];

	path_of(path, "/proc/self/fd/", fd);
	return TERN_SHIM_SYS4(SYS_readlinkat, AT_FDCWD, path, target, sizeof(target)) ==
		       sizeof(want) - 1 &&
	       memcmp(target, want, sizeof(want) - 1) == 0;
}

static void add_registration(struct same *same, int epfd, const char *text, size_t len)
{
	struct tern_shim_epoll_line line;
	unsigned int i;

	if (!tern_shim_epoll_parse(text, len, &line) || line.ino != same->ino)
		return;
	for (i = 0; i < same->count; i++) {
		if (same->fds[i] != line.tfd || same->reg_count == MAX_SAME)
			continue;
		same->regs[same->reg_count].epfd = epfd;
		same->regs[same->reg_count++].line = line;
	}
}

static void add_epoll(struct same *same, int epfd)
{
	char path[64], text[BUFFER];
	size_t have = 0;
	long got;
	int fd;

	path_of(path, "/proc/self/fdinfo/", epfd);
	fd = open_at(path, 0);
	if (fd < 0)
		return;
	while ((got = TERN_SHIM_SYS3(SYS_read, fd, text + have, sizeof(text) - have)) > 0) {
		char *line = text, *end;

		have += (size_t)got;
		while ((end = memchr(line, '\n', have - (size_t)(line - text)))) {
			add_registration(same, epfd, line, (size_t)(end - line));
			line = end + 1;
		}
		have -= (size_t)(line - text);
		if (have == sizeof(text))
			break;
		memmove(text, line, have);
	}
	close_fd(fd);
}

/* Calls for each open descriptor. */
static void each_fd(struct same *same, void (*found)(struct same *same, int fd))
{
	/* aligned as getdents64 wants it */
	uint64_t buffer[BUFFER / 8];
	int folder = open_at("/proc/self/fd", O_DIRECTORY);
	long got, at;

	if (folder < 0)
		return;
	while ((got = TERN_SHIM_SYS3(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < got;) {
			const struct dirent64_head *entry =
				(const void *)((const char *)buffer + at);
			const char *c = entry->name;
			int fd = 0;

			at += entry->len;
			if (*c < '0' || *c > '9')
				continue;
			for (; *c; c++)
				fd = fd * 10 + (*c - '0');
			if (fd != folder)
				found(same, fd);
		}
	}
	close_fd(folder);
}

static void add_if_epoll(struct same *same, int fd)
{
	if (is_epoll(fd))
		add_epoll(same, fd);
}

static int find_same(int fd, struct same *same)
{
	struct stat st;
	long done = TERN_SHIM_SYS4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH);

	if (done < 0)
		return (int)done;
	memset(same, 0, sizeof(*same));
	same->dev = st.st_dev;
	same->ino = st.st_ino;
	add_fd(same, fd);
	each_fd(same, add_fd);
	each_fd(same, add_if_epoll);
	return 0;
}

static void epoll(int op, const struct registration *reg)
{
	struct epoll_event event = { .events = reg->line.events, .data.u64 = reg->line.data };

	TERN_SHIM_SYS4(SYS_epoll_ctl, reg->epfd, op, reg->line.tfd, &event);
}

/* Puts the new socket under all numbers of the old one, and closes the number it came with. */
static int put_over(int fd, int with)
{
	struct same same;
	unsigned int i;
	int done = find_same(fd, &same);
	long flags = TERN_SHIM_SYS2(SYS_fcntl, fd, F_GETFL);

	if (done < 0 || flags < 0) {
		close_fd(with);
		return done < 0 ? done : (int)flags;
	}
	TERN_SHIM_SYS3(SYS_fcntl, with, F_SETFL, flags & (O_NONBLOCK | O_ASYNC));
	for (i = 0; i < same.reg_count; i++)
		epoll(EPOLL_CTL_DEL, &same.regs[i]);
	for (i = 0; i < same.count; i++) {
		long cloexec = TERN_SHIM_SYS2(SYS_fcntl, same.fds[i], F_GETFD);

		TERN_SHIM_SYS3(SYS_dup3, with, same.fds[i],
			       cloexec > 0 && (cloexec & FD_CLOEXEC) ? O_CLOEXEC : 0);
	}
	for (i = 0; i < same.reg_count; i++)
		epoll(EPOLL_CTL_ADD, &same.regs[i]);
	close_fd(with);
	return 0;
}

static int renew(int fd, const struct tern_shim_sock *sock)
{
	long flags = TERN_SHIM_SYS2(SYS_fcntl, fd, F_GETFL);
	struct tern_shim_call call = {
		.op = TERN_POSIX_RENEW,
		.want_fd = true,
		.cloexec = true,
		.args = { flags > 0 && (flags & O_NONBLOCK) ? SOCK_NONBLOCK : 0 },
	};
	int done = tern_shim_ask(fd, sock, &call);

	if (done < 0)
		return done;
	return call.ret_fd < 0 ? -ENETDOWN : put_over(fd, call.ret_fd);
}

int tern_shim_ask_fresh(int fd, struct tern_shim_sock *sock, struct tern_shim_call *call)
{
	int result = tern_shim_ask(fd, sock, call);

	if (result != -ESTALE)
		return result;
	result = renew(fd, sock);
	if (result < 0)
		return result;
	if (!tern_shim_find(fd, sock))
		return -EBADF; /* another thread closed it */
	return tern_shim_ask(fd, sock, call);
}

/* All options that were set on the pair's socket; what the kernel refuses now it refuses. */
static int replay(int fd, const struct tern_shim_sock *sock, int with)
{
	uint8_t data[TERN_POSIX_DATA_MAX];
	struct tern_shim_call call = {
		.op = TERN_POSIX_SETTINGS,
		.ret = data,
		.ret_max = sizeof(data),
	};
	int done = tern_shim_ask(fd, sock, &call);
	uint32_t at;

	for (at = 0; done >= 0 && at + sizeof(struct tern_posix_setting) <= call.ret_len;
	     at += (uint32_t)sizeof(struct tern_posix_setting)) {
		struct tern_posix_setting s;

		memcpy(&s, data + at, sizeof(s));
		TERN_SHIM_SYS5(SYS_setsockopt, with, s.level, s.name, s.value, s.len);
	}
	return done;
}

/* A port that bind() got at the wildcard address goes along. */
static void rebind(int fd, const struct tern_shim_sock *sock, int with)
{
	union tern_posix_addr addr;
	struct tern_shim_call call = {
		.op = TERN_POSIX_GETSOCKNAME,
		.ret = &addr,
		.ret_max = sizeof(addr),
	};

	if (tern_shim_ask(fd, sock, &call) < 0 || call.ret_len < sizeof(struct sockaddr_in))
		return;
	if (tern_shim_port(&addr.any, call.ret_len) != 0 &&
	    tern_shim_is_any(&addr.any, call.ret_len))
		TERN_SHIM_SYS3(SYS_bind, with, &addr, call.ret_len);
}

int tern_shim_to_kernel(int fd, const struct tern_shim_sock *sock)
{
	long with = TERN_SHIM_SYS3(SYS_socket, sock->domain, sock->type | SOCK_CLOEXEC, 0);
	int done;

	if (with < 0)
		return (int)with;
	done = replay(fd, sock, (int)with);
	if (done < 0) {
		close_fd((int)with);
		return done;
	}
	rebind(fd, sock, (int)with);
	return put_over(fd, (int)with);
}

int tern_shim_to_idle(int fd, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	long with = TERN_SHIM_SYS3(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (with < 0)
		return (int)with;
	/* A datagram socket without a name is out of reach. A stream waits if it listens. */
	if (type == SOCK_STREAM) {
		TERN_SHIM_SYS3(SYS_bind, with, &un, sizeof(sa_family_t));
		TERN_SHIM_SYS2(SYS_listen, with, 0);
	}
	return put_over(fd, (int)with);
}
