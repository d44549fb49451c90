/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_control.c: the connection to the broker.
 *
 * One SOCK_SEQPACKET connection of each process, made at the first request: connect to the abstract
 * address of the run, HELLO with the token. Abstract and by token, because a path is out of reach
 * after chroot() and setuid(). A request is written and its reply read under one lock.
 *
 * Whose connection. fork() shares descriptors, closefrom() closes them, dup2() puts others over
 * them. So before each use the descriptor's inode must be the one recorded; if not, the connection
 * is made anew. The record lies in a page that the kernel empties at fork() (MADV_WIPEONFORK): a
 * child begins with none, and with a lock that nobody holds. What a child of vfork() sees is its
 * parent's record and another pid than its own: it makes a connection for that one request and
 * touches nothing. What an inherited descriptor was is remembered outside of that page, so that
 * the child can close it.
 *
 * All signals are blocked during a round trip: a handler may call connect(). The broker answers at
 * once, whatever the request, so nobody waits long.
 *
 * Where. The descriptor is moved to the highest free number under min(soft limit, 1024), so that
 * programs that count on low numbers, and select(), are not disturbed.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "posix/shim.h"

#define PAGE 4096
#define GONE INT_MIN /* what no broker replies: the connection is of no use (any more) */

struct connection {
	int lock; /* 0 free, 1 held, 2 held and waited for */
	int pid;  /* 0: a fresh process */
	int fd;   /* of use only if ino is not 0 */
	uint64_t dev, ino;
};

static struct connection spare;         /* where the kernel has no MADV_WIPEONFORK */
static struct connection *own = &spare; /* in a page that fork() empties */
static int inherited_fd = -1;           /* the same descriptor, as a child knows it */
static uint64_t inherited_ino;

static int futex(int *word, int op, int value)
{
	return (int)TERN_SHIM_SYS4(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL);
}

static void lock(int *word)
{
	int seen = 0;

	if (__atomic_compare_exchange_n(word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		futex(word, FUTEX_WAIT, 2);
}

static void unlock(int *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		futex(word, FUTEX_WAKE, 1);
}

/* glibc's own signals too: this is the kernel's call. */
static void block_signals(uint64_t *ret_before)
{
	uint64_t all = UINT64_MAX;

	TERN_SHIM_SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &all, ret_before, sizeof(all));
}

static void restore_signals(const uint64_t *before)
{
	TERN_SHIM_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof(*before));
}

static bool inode_of(int fd, uint64_t *ret_dev, uint64_t *ret_ino)
{
	struct stat st;

	if (TERN_SHIM_SYS4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
	return true;
}

static bool is_address(long result)
{
	return result >= 0 || result < -4095;
}

static void close_fd(int fd)
{
	TERN_SHIM_SYS1(SYS_close, fd);
}

/* Takes the descriptor out of a message; others that came with it are closed. -1: none. */
static int fd_of(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len >= CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int receive(int fd, struct tern_shim_call *call)
{
	struct tern_posix_reply head; /* its data goes to where it belongs */
	struct iovec iov[2] = { { &head, TERN_POSIX_REPLY_HEAD }, { call->ret, call->ret_max } };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int flags = call->cloexec || !call->want_fd ? MSG_CMSG_CLOEXEC : 0;
	long got;

	do {
		got = TERN_SHIM_SYS3(SYS_recvmsg, fd, &msg, flags);
	} while (got == -EINTR);
	call->ret_fd = got >= 0 ? fd_of(&msg) : -1;
	if (call->ret_fd >= 0 && !call->want_fd) {
		close_fd(call->ret_fd);
		call->ret_fd = -1;
	}
	if (got < (long)TERN_POSIX_REPLY_HEAD)
		return GONE;
	call->ret_len = (uint32_t)((size_t)got - TERN_POSIX_REPLY_HEAD);
	call->ret_flags = head.flags;
	if (head.result >= 0 && call->want_fd && call->ret_fd < 0 && (msg.msg_flags & MSG_CTRUNC))
		return -EMFILE;
	return head.result;
}

/* One request and its reply on a connection, or GONE. */
static int transact(int fd, struct tern_shim_call *call)
{
	struct tern_posix_request head;
	struct iovec iov[2] = { { &head, TERN_POSIX_REQUEST_HEAD },
				{ (void *)(uintptr_t)call->data, call->len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	long sent;

	head.op = call->op;
	head.noreply = call->noreply;
	head.id = call->id;
	memcpy(head.args, call->args, sizeof(head.args));
	head.len = call->len;
	do {
		sent = TERN_SHIM_SYS3(SYS_sendmsg, fd, &msg, MSG_NOSIGNAL);
	} while (sent == -EINTR);
	if (sent < 0)
		return GONE;
	return call->noreply ? 0 : receive(fd, call);
}

/* The highest free number below 1024 and the limit; where there is none, it stays where it is. */
static int move_up(int fd)
{
	struct rlimit limit = { 1024, 1024 };
	int top, i;
	long moved;

	TERN_SHIM_SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	top = limit.rlim_cur < 1024 ? (int)limit.rlim_cur : 1024;
	for (i = 1; i <= 64 && top - i > fd; i++) {
		/* the lowest free one from there on */
		moved = TERN_SHIM_SYS3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, top - i);
		if (moved < 0)
			continue;
		if (moved < top || i == 64) {
			close_fd(fd);
			return (int)moved;
		}
		close_fd((int)moved);
	}
	return fd;
}

static void map_page(int memory)
{
	long page = TERN_SHIM_SYS6(SYS_mmap, NULL, sizeof(struct tern_posix_page), PROT_READ,
				   MAP_SHARED, memory, 0);

	if (is_address(page))
		tern_shim.page = (const volatile struct tern_posix_page *)page;
}

/* A connection that has said HELLO: its descriptor, or a negative errno. */
static int open_connection(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t name = sizeof(tern_shim.prefix) - 1; /* without the last '/' */
	struct tern_shim_call hello = {
		.op = TERN_POSIX_HELLO,
		.data = tern_shim.token,
		.len = sizeof(tern_shim.token),
		.want_fd = !tern_shim.page, /* else no number has to be free for it */
		.cloexec = true,
	};
	long fd, done;

	fd = TERN_SHIM_SYS3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return (int)fd;
	memcpy(addr.sun_path, tern_shim.prefix, name);
	do {
		done = TERN_SHIM_SYS3(SYS_connect, fd, &addr,
				      offsetof(struct sockaddr_un, sun_path) + name);
	} while (done == -EINTR);
	if (done >= 0)
		done = transact((int)fd, &hello);
	if (done < 0) {
		close_fd((int)fd);
		return done == -EMFILE ? -EMFILE : -ENETDOWN;
	}
	if (hello.ret_fd >= 0) {
		map_page(hello.ret_fd);
		close_fd(hello.ret_fd);
	}
	return (int)fd;
}

/* For a child of vfork(), which shares the parent's memory but not its descriptors. */
static int call_once(struct tern_shim_call *call)
{
	int fd = open_connection(), result;

	if (fd < 0)
		return fd;
	result = transact(fd, call);
	close_fd(fd);
	return result == GONE ? -ENETDOWN : result;
}

/* The connection of this process, made if need be; under the lock. */
static int connection(void)
{
	uint64_t dev, ino;
	int fd;

	if (own->ino != 0 && inode_of(own->fd, &dev, &ino) && dev == own->dev && ino == own->ino)
		return own->fd;
	own->ino = 0;
	if (inherited_fd >= 0 && inode_of(inherited_fd, &dev, &ino) && ino == inherited_ino)
		close_fd(inherited_fd);
	inherited_fd = -1;
	fd = open_connection();
	if (fd < 0)
		return fd;
	fd = move_up(fd);
	if (!inode_of(fd, &own->dev, &own->ino))
		return -ENETDOWN;
	own->fd = fd;
	inherited_ino = own->ino;
	inherited_fd = fd;
	return fd;
}

static int call_locked(struct tern_shim_call *call)
{
	int fd = connection(), result;

	if (fd < 0)
		return fd;
	result = transact(fd, call);
	if (result != GONE)
		return result;
	/* the broker closed it, or is gone: one more try tells */
	close_fd(fd);
	own->ino = 0;
	inherited_fd = -1;
	fd = connection();
	if (fd < 0)
		return fd;
	result = transact(fd, call);
	return result == GONE ? -ENETDOWN : result;
}

void tern_shim_control_start(void)
{
	long page = TERN_SHIM_SYS6(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (is_address(page) && TERN_SHIM_SYS3(SYS_madvise, page, PAGE, MADV_WIPEONFORK) >= 0)
		own = (struct connection *)page;
	own->pid = (int)TERN_SHIM_SYS0(SYS_getpid);
}

int tern_shim_call(struct tern_shim_call *call)
{
	int pid = (int)TERN_SHIM_SYS0(SYS_getpid), fresh = 0, result;
	uint64_t before;

	call->ret_fd = -1;
	call->ret_len = call->ret_flags = 0;
	block_signals(&before);
	if (!__atomic_compare_exchange_n(&own->pid, &fresh, pid, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE) &&
	    fresh != pid) {
		result = call_once(call);
	} else {
		lock(&own->lock);
		result = call_locked(call);
		unlock(&own->lock);
	}
	restore_signals(&before);
	return result;
}

void tern_shim_raise(int fd)
{
	int bytes = TERN_POSIX_SNDBUF;

	TERN_SHIM_SYS5(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int tern_shim_ask(int fd, const struct tern_shim_sock *sock, struct tern_shim_call *call)
{
	int result;

	call->id = sock->id;
	result = tern_shim_call(call);
	if (call->ret_flags & TERN_POSIX_ESTABLISHED)
		tern_shim_raise(fd);
	return result == -EBADF ? -ENOTCONN : result;
}

void tern_shim_log(const char *line)
{
	struct tern_shim_call call = {
		.op = TERN_POSIX_LOG,
		.data = line,
		.len = (uint32_t)strlen(line),
		.noreply = true,
	};

	tern_shim_call(&call);
}

/* Any request maps the page; this one is made only when there is a reason. */
void tern_shim_inherit(void)
{
	struct tern_shim_sock sock;
	struct tern_shim_call call = { .op = TERN_POSIX_LAST_ERROR };
	int fd;

	for (fd = 0; fd < 64; fd++) {
		if (tern_shim_find(fd, &sock)) {
			tern_shim_ask(fd, &sock, &call);
			return;
		}
	}
}
