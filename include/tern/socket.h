/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tern/socket.h: BSD sockets on a tern stack of your own, in one thread.
 *
 *	struct tern_host_config cfg = { .link = "tun:tern0", .addrs = addrs, .addr_count = 1 };
 *	char why[TERN_ERROR_MAX];
 *	struct tern_host *host;
 *
 *	if (tern_host_new(&cfg, &host, why) < 0)
 *		...
 *	int fd = tern_socket(host, AF_INET, SOCK_STREAM, 0);
 *
 * A host is a stack, the link it sits on and the loop that drives both. The calls mean what their
 * namesakes mean on Linux, down to the errno, but they return it negative and touch no global
 * `errno`. The stack runs only inside of these calls: a call that blocks runs the loop until it is
 * served; between calls nothing is answered. Descriptors are numbers of the host, unrelated to
 * those of the process; tern_poll() waits for both kinds. A host belongs to one thread; only
 * tern_host_interrupt() may be called from elsewhere.
 */
#ifndef TERN_SOCKET_H
#define TERN_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_ERROR_MAX 256 /* room for one line of explanation, in bytes */

struct tern_host;
struct tern_stack;

/* What a host is made with. Zero and NULL mean the default. All strings stay the caller's. */
struct tern_host_config {
	const char *link;  /* "tun:NAME" (default "tun:tern0"), or "none": only own addresses */
	const char *fault; /* what the link does wrong: "loss=1%,dup=1%"; default nothing */
	const char *const *addrs; /* own addresses with prefix length: "10.77.0.2/24" */
	unsigned int addr_count;  /* at least 1 */
	const char *const *peers; /* addresses for the kernel's end of a TUN: "10.77.0.1" */
	unsigned int peer_count;
	const char *const *sysctls; /* "net.ipv4.tcp_fin_timeout=30" */
	unsigned int sysctl_count;
	const uint8_t *seed;  /* 32 bytes, for runs that repeat; default the system's entropy */
	uint32_t mtu;         /* of the link; default 1500 */
	uint32_t sockets_max; /* descriptors; default 65,536 */
	uint32_t conns_max;   /* open connections; default 65,536 */
	uint32_t trace_max;   /* records of the event ring; default 0 */
};

/*
 * Makes a host in *ret_host: opens the link, gives the TUN device its addresses and brings it up.
 * On error one line in `error` (may be NULL) says what is wrong and what is right. -EINVAL: an
 * argument; -EPERM: no privilege (CAP_NET_ADMIN); -ENODEV: no /dev/net/tun; -EBUSY: the device
 * is in use; -EADDRINUSE: the kernel has the address already; -ENOMEM and what the system says.
 */
int tern_host_new(const struct tern_host_config *cfg, struct tern_host **ret_host, char *error);

/*
 * Removes the device and frees all. What sockets still owe is lost, and their peers get a RST: call
 * tern_host_drain() first. NULL is allowed.
 */
void tern_host_free(struct tern_host *host);

/* What tern_host_drain() could not carry through. */
struct tern_host_left {
	uint32_t conns; /* connections that still owe something */
	uint32_t fins;  /* of them in FIN-WAIT-1, CLOSING or LAST-ACK */
	uint64_t bytes; /* not acknowledged */
};

/*
 * Closes every socket, as the end of a process does, and runs the stack until they owe nothing:
 * no unacknowledged data, nobody in FIN-WAIT-1, CLOSING or LAST-ACK. TIME-WAIT and FIN-WAIT-2 are
 * not waited for. Returns 0, -ETIMEDOUT after timeout_ns, or -EINTR; *ret_left (may be NULL) is
 * written in each case.
 */
int tern_host_drain(struct tern_host *host, uint64_t timeout_ns, struct tern_host_left *ret_left);

/*
 * Makes the blocking call that is running, or else the next one that would block, return -EINTR.
 * Async-signal-safe; may be called from a handler and from any thread.
 */
void tern_host_interrupt(struct tern_host *host);

/*
 * Runs the stack for timeout_ns: what a program does that has nothing to wait for. 0, -EINTR,
 * -ENETDOWN (the link is gone).
 */
int tern_host_run(struct tern_host *host, uint64_t timeout_ns);

/*
 * The host's stack, for snapshots, counters and knobs; the time its entries want; the name of its
 * TUN device, or "".
 */
struct tern_stack *tern_host_stack(struct tern_host *host);
uint64_t tern_host_now(const struct tern_host *host);
const char *tern_host_device(const struct tern_host *host);

/*
 * The calls. Addresses are struct sockaddr_in and sockaddr_in6; flags are the system's MSG_PEEK,
 * MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC, MSG_MORE, MSG_OOB, MSG_EOR and MSG_NOSIGNAL (there is never
 * a signal).
 * tern_socket takes AF_INET and AF_INET6, SOCK_STREAM and SOCK_DGRAM, with SOCK_NONBLOCK;
 * SOCK_CLOEXEC means nothing here. They return 0, a count or a descriptor, or negative errno.
 */
int tern_socket(struct tern_host *host, int domain, int type, int protocol);
int tern_bind(struct tern_host *host, int fd, const struct sockaddr *addr, socklen_t len);
int tern_listen(struct tern_host *host, int fd, int backlog);
int tern_accept(struct tern_host *host, int fd, struct sockaddr *addr, socklen_t *len, int flags);
int tern_connect(struct tern_host *host, int fd, const struct sockaddr *addr, socklen_t len);
ssize_t tern_send(struct tern_host *host, int fd, const void *data, size_t len, int flags);
ssize_t tern_recv(struct tern_host *host, int fd, void *data, size_t len, int flags);
ssize_t tern_sendto(struct tern_host *host, int fd, const void *data, size_t len, int flags,
		    const struct sockaddr *addr, socklen_t addr_len);
ssize_t tern_recvfrom(struct tern_host *host, int fd, void *data, size_t len, int flags,
		      struct sockaddr *addr, socklen_t *addr_len);
int tern_shutdown(struct tern_host *host, int fd, int how);
int tern_close(struct tern_host *host, int fd);
int tern_setsockopt(struct tern_host *host, int fd, int level, int name, const void *value,
		    socklen_t len);
int tern_getsockopt(struct tern_host *host, int fd, int level, int name, void *value,
		    socklen_t *len);
int tern_getsockname(struct tern_host *host, int fd, struct sockaddr *addr, socklen_t *len);
int tern_getpeername(struct tern_host *host, int fd, struct sockaddr *addr, socklen_t *len);

/* O_NONBLOCK of a socket. -EBADF. */
int tern_set_nonblock(struct tern_host *host, int fd, bool nonblock);

/* What FIONREAD (bytes to be read) and SIOCOUTQ (bytes not acknowledged) answer. */
int tern_inq(struct tern_host *host, int fd, int *ret_bytes);
int tern_outq(struct tern_host *host, int fd, int *ret_bytes);

/*
 * SIOCOUTQNSD, bytes of a stream that were never sent; SIOCATMARK, *ret_at 1 where the next byte to
 * be read is the one behind urgent data (with SO_OOBINLINE: is it). -ENOTTY of a datagram socket.
 */
int tern_outqnsd(struct tern_host *host, int fd, int *ret_bytes);
int tern_atmark(struct tern_host *host, int fd, int *ret_at);

/* Whose descriptor it is. */
enum tern_poll_kind {
	TERN_POLL_SOCKET,  /* the host's */
	TERN_POLL_PROCESS, /* the process's: a terminal, a pipe, a file */
};

/* struct pollfd with a kind. Events are poll(2)'s bits; a negative fd is skipped. */
struct tern_pollfd {
	int fd;
	enum tern_poll_kind kind;
	short events;
	short revents;
};

/*
 * poll(2) over both kinds; timeout_ns UINT64_MAX waits for ever. Returns how many entries have
 * revents, 0 after the time, -EINTR, -EINVAL (n too large), -ENOMEM.
 */
int tern_poll(struct tern_host *host, struct tern_pollfd *fds, unsigned int n, uint64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#endif
