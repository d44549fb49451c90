/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pdrill/pdrill.h: a stack as packetdrill drives it, and what the files of the room share.
 *
 *	pdrill.c	made and unmade; the lock, time, waiting; the thread behind
 *	setup.c		flags, packetdrill's command line, addresses
 *	knobs.c		settings out of /proc/sys
 *	wire.c		raw IP in and out
 *	burst.c		segments sent in one go, in one piece
 *	call.c		calls of a socket's life, options
 *	data.c		bytes in and out
 *	move.c		splice, sendfile
 *	poll.c		poll, epoll
 *	fault.c		pointers that lead nowhere
 *	table.c		the table of interface.h
 *	export.c	what the library exports; in no other program
 */
#ifndef TERN_PDRILL_PDRILL_H
#define TERN_PDRILL_PDRILL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "ctl/path.h"
#include "ctl/server.h"
#include "host/host.h"
#include "pdrill/interface.h"
#include "sock/sock.h"

enum {
	TERN_PDRILL_FD = 10000,     /* our first descriptor */
	TERN_PDRILL_FDS = 20000,    /* descriptors of one stack */
	TERN_PDRILL_STACKS = 4,     /* at a time in a process */
	TERN_PDRILL_SOCKETS = 8192, /* of a stack; epoll descriptors stand behind them */
	TERN_PDRILL_EPOLLS = 64,
	TERN_PDRILL_WORD_MAX = 256, /* of a flag */
	TERN_PDRILL_ERROR_MAX = 512,
};

/* What a stack is to be made with. */
struct tern_pdrill_setup {
	struct tern_prefix addrs[TERN_ADDRS_MAX];
	unsigned int addr_count;
	uint32_t mtu; /* 0: the default */
	uint32_t trace_max;
	bool seeded, no_tso;
	uint64_t seed;
	char name[TERN_CTL_NAME_MAX]; /* of the control socket, or "" */
	const char *flags;            /* the whole text, for the knobs in it */
	char error[TERN_PDRILL_ERROR_MAX];
};

/* A frame that waits for netdev_receive. */
struct tern_pdrill_frame {
	struct tern_pdrill_frame *next;
	uint64_t sent_ns;
	uint64_t entry; /* in which it was sent */
	uint32_t len, cap;
	uint32_t segs, seg_len; /* segments joined in it; payload of the first */
	bool pushed;            /* its last segment had PSH by itself */
	bool cut;               /* segs counts those in front of it, in frames of their own */
	uint8_t bytes[];
};

/* What was sent in one piece, by sequence number; empty where start is end. */
struct tern_pdrill_piece {
	uint32_t ports, start, end;
};

/* See burst.c. */
struct tern_pdrill_burst {
	struct tern_pdrill_piece pieces[256];
	uint32_t next;
	uint32_t limit, limit_ports; /* of this entry and connection */
	uint64_t limit_entry;
};

/* A link whose far end is packetdrill. */
struct tern_pdrill_wire {
	struct tern_link link; /* first: the loop knows us by it */
	struct tern_pdrill *d;
	struct tern_pdrill_frame *first, **end, *last; /* end: where the next one is hung */
	uint32_t count;
	uint64_t entry; /* counts what is sent in one go */
	struct tern_pdrill_burst burst;
	bool news; /* frames have come since the waiting were told */
};

struct tern_pdrill_watch {
	int fd; /* of the process, ours */
	uint32_t events;
	epoll_data_t data;
	bool pending; /* something has happened since it was last reported */
	bool spent;   /* EPOLLONESHOT, and reported */
};

struct tern_pdrill_epoll {
	bool open;
	struct tern_pdrill_watch *watches;
	unsigned int len, cap;
};

struct tern_pdrill_knob; /* see knobs.c */

struct tern_pdrill {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something has happened: those that wait look again */
	pthread_t thread;
	uint64_t now;        /* of this entry */
	int64_t wall_offset; /* ns from the monotonic clock to the one that packetdrill sees */
	uint64_t planned;    /* when the thread behind wakes by itself */
	uint32_t waiting;    /* calls that wait */
	uint32_t inside;     /* calls */
	bool stopping, thread_runs;
	bool no_tso;        /* the flag says so, see burst.c */
	bool cut;           /* or the device does */
	bool packets_known; /* packets is set: */
	pthread_t packets;  /* who moves packets, and must not wait for one */
	int first;          /* our first descriptor */

	struct tern_stack *st;
	struct tern_socks *socks;
	struct tern_host host; /* on whose loop the control socket lives */
	struct tern_ctl *ctl;
	struct tern_pdrill_wire wire;
	struct tern_pdrill_knob *knobs;
	unsigned int knob_count;
	uint64_t knobs_read_ns;      /* when they were read */
	int fl[TERN_PDRILL_SOCKETS]; /* O_NONBLOCK and what else F_SETFL has set */
	int fdfl[TERN_PDRILL_SOCKETS];
	struct tern_pdrill_epoll epolls[TERN_PDRILL_EPOLLS];
};

/* ---- pdrill.c ---- */

/* Makes a stack out of flags. 0, or negative errno and a line in error. */
TERN_NODISCARD int tern_pdrill_new(const char *flags, struct tern_pdrill **ret,
				   char error[TERN_PDRILL_ERROR_MAX]);

/* Ends calls that wait (-EBADF), the thread, the control socket, and frees all. */
void tern_pdrill_free(struct tern_pdrill *d);

/* Whose descriptor it is; NULL: not ours. */
struct tern_pdrill *tern_pdrill_of(int fd);

/*
 * Every call begins with enter and ends with leave. enter takes the lock, reads the clock and runs
 * the timers that were due until then, each at its very time; it returns the present time. leave
 * lets out what the call has made, tells those that wait, gives the lock back, and makes of a
 * result or negative errno what libc returns.
 */
uint64_t tern_pdrill_enter(struct tern_pdrill *d);
int64_t tern_pdrill_leave(struct tern_pdrill *d, int64_t result);

/*
 * Waits, with the lock given up meanwhile, until something has happened or the clock is at until.
 * 0; -EBADF (the stack goes away); -EDEADLK (the thread that moves packets would wait for one for
 * ever).
 */
TERN_NODISCARD int tern_pdrill_wait(struct tern_pdrill *d, uint64_t until);

/* Waits until a call of this kind on a socket is worth repeating; -EAGAIN at until, or as wait. */
TERN_NODISCARD int tern_pdrill_wait_for(struct tern_pdrill *d, int sock, enum tern_sock_op op,
					uint64_t until);

/* When a call of this kind that begins now gives up: SO_RCVTIMEO, SO_SNDTIMEO. */
uint64_t tern_pdrill_until(struct tern_pdrill *d, int sock, enum tern_sock_op op);

/* now + ns, or TERN_NEVER where that is beyond all time. */
static inline uint64_t tern_pdrill_later(const struct tern_pdrill *d, uint64_t ns)
{
	return ns < TERN_NEVER - d->now ? d->now + ns : TERN_NEVER;
}

/* Is it a number that sockets of this stack can have? */
static inline bool tern_pdrill_is_socket(const struct tern_pdrill *d, int fd)
{
	return fd >= d->first && fd < d->first + TERN_PDRILL_SOCKETS;
}

/* The epoll set of a descriptor, or NULL. */
struct tern_pdrill_epoll *tern_pdrill_epoll_at(struct tern_pdrill *d, int fd);

/* ---- setup.c ---- */

/*
 * Reads flags and, for what they leave open, packetdrill's command line and the system. 0, or
 * negative errno with a line in ret->error.
 */
TERN_NODISCARD int tern_pdrill_setup(const char *flags, struct tern_pdrill_setup *ret);

/* The same of the words of a command line alone: each ends with a NUL, len bytes in all. */
void tern_pdrill_read_command(struct tern_pdrill_setup *setup, const char *words, size_t len);

/* Sets the knobs that stand in the flags. 0 or -EINVAL with a line in setup->error. */
TERN_NODISCARD int tern_pdrill_flag_knobs(struct tern_pdrill_setup *setup, struct tern_stack *st,
					  uint64_t now);

/* ---- knobs.c ---- */

/* Opens the settings of this namespace that we know. -ENOMEM. */
TERN_NODISCARD int tern_pdrill_knobs_open(struct tern_pdrill *d);
void tern_pdrill_knobs_close(struct tern_pdrill *d);

/* Takes over what has changed in them since they were last read. */
void tern_pdrill_knobs_read(struct tern_pdrill *d);

/* Asks tun0 whether segments are to be single. */
void tern_pdrill_device_read(struct tern_pdrill *d);

/* Reads settings, unless that is so short ago that no shell can have changed any. */
void tern_pdrill_knobs_look(struct tern_pdrill *d);

/* ---- wire.c ---- */

void tern_pdrill_wire_init(struct tern_pdrill *d, uint32_t mtu);
void tern_pdrill_wire_free(struct tern_pdrill *d);

/* Takes what the stack has to send at d->now. */
void tern_pdrill_drain(struct tern_pdrill *d);

/* An address becomes ours unless it cannot be a host's. */
void tern_pdrill_learn(struct tern_pdrill *d, const struct tern_addr *addr);

int tern_pdrill_netdev_send(void *ud, const void *buf, size_t n);
int tern_pdrill_netdev_receive(void *ud, void *buf, size_t *n, long long *time_usecs);

/* ---- burst.c ---- */

/* A frame that was sent begins a piece. */
void tern_pdrill_burst_begin(struct tern_pdrill *d, struct tern_pdrill_frame *frame);

/*
 * Adds a frame to the one sent before it; false: they do not belong together, or are of one piece
 * that is cut.
 */
bool tern_pdrill_burst_join(struct tern_pdrill *d, struct tern_pdrill_frame *last,
			    struct tern_pdrill_frame *frame);

/* ---- fault.c ---- */

/* Could the system read, or write, all of these bytes? No bytes are always good. */
bool tern_pdrill_readable(const void *ptr, size_t len);
bool tern_pdrill_writable(void *ptr, size_t len);

/* ---- call.c, data.c, move.c, poll.c: the calls, as libc's ---- */

int tern_pdrill_socket(void *ud, int domain, int type, int protocol);
int tern_pdrill_bind(void *ud, int fd, const struct sockaddr *addr, socklen_t len);
int tern_pdrill_listen(void *ud, int fd, int backlog);
int tern_pdrill_accept(void *ud, int fd, struct sockaddr *addr, socklen_t *len);
int tern_pdrill_connect(void *ud, int fd, const struct sockaddr *addr, socklen_t len);
int tern_pdrill_fcntl(void *ud, int fd, int cmd, ...);
int tern_pdrill_ioctl(void *ud, int fd, unsigned long request, ...);
int tern_pdrill_close(void *ud, int fd);
int tern_pdrill_shutdown(void *ud, int fd, int how);
int tern_pdrill_getsockopt(void *ud, int fd, int level, int name, void *value, socklen_t *len);
int tern_pdrill_setsockopt(void *ud, int fd, int level, int name, const void *value, socklen_t len);

ssize_t tern_pdrill_read(void *ud, int fd, void *buf, size_t n);
ssize_t tern_pdrill_readv(void *ud, int fd, const struct iovec *iov, int n);
ssize_t tern_pdrill_recv(void *ud, int fd, void *buf, size_t n, int flags);
ssize_t tern_pdrill_recvfrom(void *ud, int fd, void *buf, size_t n, int flags,
			     struct sockaddr *addr, socklen_t *len);
ssize_t tern_pdrill_recvmsg(void *ud, int fd, struct msghdr *msg, int flags);
ssize_t tern_pdrill_write(void *ud, int fd, const void *buf, size_t n);
ssize_t tern_pdrill_writev(void *ud, int fd, const struct iovec *iov, int n);
ssize_t tern_pdrill_send(void *ud, int fd, const void *buf, size_t n, int flags);
ssize_t tern_pdrill_sendto(void *ud, int fd, const void *buf, size_t n, int flags,
			   const struct sockaddr *addr, socklen_t len);
ssize_t tern_pdrill_sendmsg(void *ud, int fd, const struct msghdr *msg, int flags);

ssize_t tern_pdrill_splice(void *ud, int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t n,
			   unsigned int flags);
ssize_t tern_pdrill_sendfile(void *ud, int fd_out, int fd_in, off_t *off, size_t n);

int tern_pdrill_poll(void *ud, struct pollfd *fds, nfds_t n, int timeout_ms);
int tern_pdrill_epoll_create(void *ud, int size);
int tern_pdrill_epoll_ctl(void *ud, int epfd, int op, int fd, struct epoll_event *event);
int tern_pdrill_epoll_wait(void *ud, int epfd, struct epoll_event *events, int max, int timeout_ms);

/* Something has happened to a socket: edges. The lock is held. */
void tern_pdrill_epoll_mark(struct tern_pdrill *d, int fd);

/* A socket is closed: no set knows it any more. The lock is held. */
void tern_pdrill_epoll_forget(struct tern_pdrill *d, int fd);
void tern_pdrill_epoll_free(struct tern_pdrill_epoll *set);

/* ---- table.c ---- */

/* The table of a stack, complete. */
void tern_pdrill_fill(struct tern_pdrill *d, struct packetdrill_interface *out);

#endif
