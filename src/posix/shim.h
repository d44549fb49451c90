/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim.h: inside libtern-preload.so, the library that puts unmodified programs on tern.
 *
 * It lives in a stranger's process, so it keeps to rules of its own:
 *
 * - It keeps no table of descriptors. What a descriptor is, getpeername(2) tells each time
 *   (shim_name.c): so dup, fork, exec and SCM_RIGHTS need nothing from us.
 * - Nothing of it is to be seen: no thread, no signal handler, no child, no low descriptor. Its one
 *   descriptor, the connection to the broker, sits high (shim_control.c).
 * - Wrappers can be called from signal handlers, from any thread, and between vfork() and exec():
 *   no malloc, no stdio, no lock that a signal handler could find taken.
 * - errno is written when a wrapper fails, and only then. Inside, functions return 0 or a value, or
 *   a negative errno, and call the kernel by tern_shim_sys() which works the same way.
 * - What a wrapper does not take for its own goes to the next library by tern_shim_next, so that
 *   libc's points of cancellation and other preloaded libraries stay what they are.
 *
 * Without TERN_BROKER in the environment every wrapper is the next library's function.
 */
#ifndef TERN_POSIX_SHIM_H
#define TERN_POSIX_SHIM_H

#include <errno.h>
#include <ifaddrs.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "posix/protocol.h"

/* ---- shim_next.c: what our wrappers hide */

/*
 * X(returns, name, parameters, arguments): all that is wrapped. Until the constructor has found the
 * next library's functions these are plain system calls.
 */
#define TERN_SHIM_CALLS(X)                                                                       \
	X(int, socket, (int domain, int type, int protocol), (domain, type, protocol))           \
	X(int, bind, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))      \
	X(int, listen, (int fd, int backlog), (fd, backlog))                                     \
	X(int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))   \
	X(int, accept, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))         \
	X(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),              \
	  (fd, addr, len, flags))                                                                \
	X(int, shutdown, (int fd, int how), (fd, how))                                           \
	X(int, getsockname, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))    \
	X(int, getpeername, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))    \
	X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),           \
	  (fd, level, name, value, len))                                                         \
	X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),      \
	  (fd, level, name, value, len))                                                         \
	X(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg))            \
	X(int, close, (int fd), (fd))                                                            \
	X(ssize_t, read, (int fd, void *buf, size_t len), (fd, buf, len))                        \
	X(ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count))        \
	X(ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len))                 \
	X(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count))       \
	X(ssize_t, sendfile, (int fd, int from, off_t *offset, size_t len),                      \
	  (fd, from, offset, len))                                                               \
	X(ssize_t, recvfrom,                                                                     \
	  (int fd, void *buf, size_t len, int flags, struct sockaddr *from, socklen_t *fromlen), \
	  (fd, buf, len, flags, from, fromlen))                                                  \
	X(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))           \
	X(int, recvmmsg,                                                                         \
	  (int fd, struct mmsghdr *msgs, unsigned int count, int flags, struct timespec *limit), \
	  (fd, msgs, count, flags, limit))                                                       \
	X(ssize_t, sendto,                                                                       \
	  (int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,            \
	   socklen_t tolen),                                                                     \
	  (fd, buf, len, flags, to, tolen))                                                      \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))     \
	X(int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned int count, int flags),          \
	  (fd, msgs, count, flags))                                                              \
	X(int, execve, (const char *path, char *const argv[], char *const envp[]),               \
	  (path, argv, envp))

/* The same of what is no system call: until then it fails. */
#define TERN_SHIM_EXECS(X)                                                               \
	X(int, execv, (const char *path, char *const argv[]), (path, argv))              \
	X(int, execvp, (const char *name, char *const argv[]), (name, argv))             \
	X(int, execvpe, (const char *name, char *const argv[], char *const envp[]),      \
	  (name, argv, envp))                                                            \
	X(int, posix_spawn,                                                              \
	  (pid_t * ret_pid, const char *path, const posix_spawn_file_actions_t *actions, \
	   const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]), \
	  (ret_pid, path, actions, attributes, argv, envp))                              \
	X(int, posix_spawnp,                                                             \
	  (pid_t * ret_pid, const char *name, const posix_spawn_file_actions_t *actions, \
	   const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]), \
	  (ret_pid, name, actions, attributes, argv, envp))

#define TERN_SHIM_MEMBER(type, name, parameters, arguments) type(*name) parameters;
struct tern_shim_next {
	TERN_SHIM_CALLS(TERN_SHIM_MEMBER)
	TERN_SHIM_EXECS(TERN_SHIM_MEMBER)
	int (*getifaddrs)(struct ifaddrs **ret_list);
	void (*freeifaddrs)(struct ifaddrs *list);
};
#undef TERN_SHIM_MEMBER

extern struct tern_shim_next tern_shim_next;

/*
 * Our wrappers. In C they have a name of ours, since libc's headers give theirs types and
 * attributes (transparent unions, nonnull) that a definition cannot live with; the linker sees
 * libc's name.
 */
#define TERN_SHIM_WRAPPER(type, name, parameters, arguments) \
	TERN_API type tern_shim_##name parameters __asm__(#name);
TERN_SHIM_CALLS(TERN_SHIM_WRAPPER)
TERN_SHIM_EXECS(TERN_SHIM_WRAPPER)
#undef TERN_SHIM_WRAPPER

/* Finds the next library's functions. */
void tern_shim_next_find(void);

/* ---- shim_syscall.c */

/*
 * A system call as the kernel gives it: a value, or a negative errno; errno itself is untouched,
 * and no point of cancellation is passed.
 */
long tern_shim_sys(long number, long a, long b, long c, long d, long e, long f);

#define TERN_SHIM_SYS0(n)          tern_shim_sys((n), 0, 0, 0, 0, 0, 0)
#define TERN_SHIM_SYS1(n, a)       tern_shim_sys((n), (long)(a), 0, 0, 0, 0, 0)
#define TERN_SHIM_SYS2(n, a, b)    tern_shim_sys((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define TERN_SHIM_SYS3(n, a, b, c) tern_shim_sys((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define TERN_SHIM_SYS4(n, a, b, c, d) \
	tern_shim_sys((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define TERN_SHIM_SYS5(n, a, b, c, d, e) \
	tern_shim_sys((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define TERN_SHIM_SYS6(n, a, b, c, d, e, f) \
	tern_shim_sys((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* The same as libc's syscall() has it: -1 and errno. */
long tern_shim_plain(long number, ...);

/* What a wrapper returns: the value, or -1 with errno. */
static inline int tern_shim_result(long result)
{
	if (TERN_LIKELY(result >= 0))
		return (int)result;
	errno = (int)-result;
	return -1;
}

static inline ssize_t tern_shim_size(ssize_t result)
{
	if (TERN_LIKELY(result >= 0))
		return result;
	errno = (int)-result;
	return -1;
}

/* ---- shim_start.c: is there a broker */

struct tern_shim {
	int started; /* 2: everything below is there */
	bool on;     /* TERN_BROKER was in the environment */
	char prefix[sizeof(((struct tern_posix_name *)0)->prefix)];
	uint8_t token[TERN_POSIX_TOKEN_LEN];
	const volatile struct tern_posix_page *page; /* NULL until the first talk with the broker */
};

extern struct tern_shim tern_shim;

/* What the constructor does, for those who are called before it. */
void tern_shim_start(void);

/* Is there a broker whose sockets are to be looked for? */
static inline bool tern_shim_on(void)
{
	if (TERN_UNLIKELY(__atomic_load_n(&tern_shim.started, __ATOMIC_ACQUIRE) != 2))
		tern_shim_start();
	return tern_shim.on;
}

/* ---- shim_name.c: is this descriptor ours */

struct tern_shim_sock {
	uint64_t id;
	uint8_t type, domain; /* SOCK_STREAM or SOCK_DGRAM; AF_INET or AF_INET6 */
	bool accepted;        /* local and remote are known */
	union tern_posix_addr local, remote;
};

/*
 * Reads the address that getpeername() gave, len bytes with the family, and says whether it is that
 * of a broker's end in the run of prefix (as in struct tern_posix_name).
 */
bool tern_shim_name_parse(const struct sockaddr_un *addr, size_t len, const char *prefix,
			  struct tern_shim_sock *ret_sock);

/* Is fd one of tern's sockets, and which? Any descriptor may be asked about. */
bool tern_shim_find(int fd, struct tern_shim_sock *ret_sock);

/*
 * Binds our end of a pair to the name that says that it is alive (struct tern_posix_name with
 * TERN_POSIX_ALIVE): before it is shut down, and when it has been accepted. It may have it already.
 */
void tern_shim_say_alive(int fd);

/*
 * A small number that stays with the socket whoever holds it: the priority of the program's end
 * of the pair, which means nothing to AF_UNIX.
 */
enum tern_shim_mark {
	TERN_SHIM_MARK_NONE = 0,
	TERN_SHIM_MARK_LISTENING = 1,
	TERN_SHIM_MARK_CONNECTED = 2, /* a datagram socket with a peer */
	TERN_SHIM_MARK_MORE = 3,      /* a stream that the broker holds MSG_MORE of */
};

void tern_shim_mark(int fd, enum tern_shim_mark mark);
bool tern_shim_marked(int fd, enum tern_shim_mark mark);

/* ---- shim_address.c */

/* 127.0.0.0/8, ::1, and the former written as IPv6. */
bool tern_shim_is_loopback(const struct sockaddr *addr, socklen_t len);

/* 0.0.0.0 and ::, and the former written as IPv6: as a destination, this host. */
bool tern_shim_is_any(const struct sockaddr *addr, socklen_t len);

/* Port, host byte order; 0 if there is none. */
unsigned int tern_shim_port(const struct sockaddr *addr, socklen_t len);

/* The length of an address of that family; 0 of others. */
socklen_t tern_shim_addr_len(sa_family_t family);

/*
 * Fills in an address as the kernel does: as much of it as the caller has room for, *len becomes
 * the whole length. 0, -EFAULT, -EINVAL.
 */
int tern_shim_give_addr(const union tern_posix_addr *from, struct sockaddr *addr, socklen_t *len);

/* ---- shim_control.c: talking to the broker */

struct tern_shim_call {
	uint32_t op; /* enum tern_posix_op */
	uint64_t id;
	int32_t args[3];
	const void *data;
	uint32_t len;
	bool noreply;
	bool want_fd; /* a descriptor comes with the reply; else one that comes is closed */
	bool cloexec; /* of that descriptor */
	void *ret;    /* where the reply's data goes */
	uint32_t ret_max, ret_len;
	uint32_t ret_flags; /* enum tern_posix_flag */
	int ret_fd;         /* -1 if none came */
};

/*
 * One request and its reply. The reply's result; -ENETDOWN if there is no broker any more, -EMFILE
 * if there was no room for the descriptor.
 */
int tern_shim_call(struct tern_shim_call *call);

/*
 * The same about a socket, whose send buffer is raised when the reply says so. -ENOTCONN if the
 * broker has forgotten it.
 */
int tern_shim_ask(int fd, const struct tern_shim_sock *sock, struct tern_shim_call *call);

/* The program's end is the socket's own now: no more the narrow one of a connect in progress. */
void tern_shim_raise(int fd);

/* A line for the log about something that is not supported. */
void tern_shim_log(const char *line);

/* Before the first call, in the constructor. */
void tern_shim_control_start(void);

/* Maps the page that the broker shares, if a socket of tern's was inherited. */
void tern_shim_inherit(void);

/* ---- shim_replace.c, shim_epoll.c */

/*
 * tern_shim_ask() for requests that need a pair which is not used up (a failed connect(), a
 * listener's shutdown()): when the reply is -ESTALE, a new pair takes its place under all local
 * numbers, *sock becomes that, and the request is made again.
 */
int tern_shim_ask_fresh(int fd, struct tern_shim_sock *sock, struct tern_shim_call *call);

/*
 * A send of a stream with MSG_FASTOPEN to an address that is not the kernel's: how many bytes went
 * with the SYN, or a negative errno; *ret_more: the connection stands, and the rest can be sent.
 */
ssize_t tern_shim_fastopen(int fd, struct tern_shim_sock *sock, const struct msghdr *msg, int flags,
			   bool *ret_more);

/* A kernel socket in the place of the pair: loopback. 0, negative errno. */
int tern_shim_to_kernel(int fd, const struct tern_shim_sock *sock);

/*
 * The broker is dead: a socket on which nothing happens in the place of one that listened, type
 * SOCK_STREAM, or of datagrams. 0, negative errno.
 */
int tern_shim_to_idle(int fd, int type);

/* A line of /proc/self/fdinfo/N of an epoll descriptor. */
struct tern_shim_epoll_line {
	int tfd;
	uint32_t events;
	uint64_t data, ino;
};

/* Reads "tfd: … events: … data: … pos:… ino:… sdev:…". False if it is another line. */
bool tern_shim_epoll_parse(const char *line, size_t len, struct tern_shim_epoll_line *ret_line);

/* ---- shim_data.c, shim_dgram.c */

/* Is there any datagram socket in this run? If not, read() and its kin need not look. */
static inline bool tern_shim_dgrams(void)
{
	const volatile struct tern_posix_page *page = tern_shim.page;

	return page && page->dgrams != 0;
}

/* recvmsg() and sendmsg() of a datagram socket: bytes, or a negative errno. */
ssize_t tern_shim_dgram_recv(int fd, struct msghdr *msg, int flags);
ssize_t tern_shim_dgram_send(int fd, const struct tern_shim_sock *sock, const struct msghdr *msg,
			     int flags);

/* Takes an error out of the queue of a datagram socket, if one is at its head: 0 or the errno. */
int tern_shim_dgram_error(int fd);

/* Bytes of the datagram at the head of the queue, as FIONREAD tells. */
int tern_shim_dgram_size(int fd);

/* ---- shim_ioctl.c */

#define TERN_SHIM_IFNAME  "tern0"
#define TERN_SHIM_IFADDRS 32

/* The addresses of the stack; how many, or a negative errno. */
int tern_shim_addresses(struct tern_posix_ifaddr *ret_addrs);

/* As much of it as the IFNAMSIZ bytes there have room for. */
void tern_shim_copy_ifname(char *ret_name, const char *name);

#endif
