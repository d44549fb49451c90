/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pdrill/driver.h: what packetdrill is to libtern-packetdrill.so, as little as tests need of it.
 *
 * The library is opened as packetdrill opens it, and called through the table that its interface
 * prescribes, written down here once more: that both agree is what is tested. Packets are made and
 * read by hand, byte by byte, with nothing of tern's own rooms.
 */
#ifndef TERN_TESTS_PDRILL_DRIVER_H
#define TERN_TESTS_PDRILL_DRIVER_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cmocka.h>

struct table {
	void *ud;
	void (*free)(void *);
	int (*socket)(void *, int, int, int);
	int (*bind)(void *, int, const struct sockaddr *, socklen_t);
	int (*listen)(void *, int, int);
	int (*accept)(void *, int, struct sockaddr *, socklen_t *);
	int (*connect)(void *, int, const struct sockaddr *, socklen_t);
	ssize_t (*read)(void *, int, void *, size_t);
	ssize_t (*readv)(void *, int, const struct iovec *, int);
	ssize_t (*recv)(void *, int, void *, size_t, int);
	ssize_t (*recvfrom)(void *, int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(void *, int, struct msghdr *, int);
	ssize_t (*write)(void *, int, const void *, size_t);
	ssize_t (*writev)(void *, int, const struct iovec *, int);
	ssize_t (*send)(void *, int, const void *, size_t, int);
	ssize_t (*sendto)(void *, int, const void *, size_t, int, const struct sockaddr *,
			  socklen_t);
	ssize_t (*sendmsg)(void *, int, const struct msghdr *, int);
	int (*fcntl)(void *, int, int, ...);
	int (*ioctl)(void *, int, unsigned long, ...);
	int (*close)(void *, int);
	int (*shutdown)(void *, int, int);
	int (*getsockopt)(void *, int, int, int, void *, socklen_t *);
	int (*setsockopt)(void *, int, int, int, const void *, socklen_t);
	int (*poll)(void *, struct pollfd *, nfds_t, int);
	int (*netdev_send)(void *, const void *, size_t);
	int (*netdev_receive)(void *, void *, size_t *, long long *);
	int (*usleep)(void *, useconds_t);
	int (*gettimeofday)(void *, struct timeval *, struct timezone *);
	int (*epoll_create)(void *, int);
	int (*epoll_ctl)(void *, int, int, int, struct epoll_event *);
	int (*epoll_wait)(void *, int, struct epoll_event *, int, int);
	int (*pipe)(void *, int[2]);
	ssize_t (*splice)(void *, int, loff_t *, int, loff_t *, size_t, unsigned int);
};

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

enum {
	OUR_PORT = 8080, /* the stack's, when it listens */
	PEER_PORT = 40000,
};

/* A connection as the test's end of it sees it, and the library. */
struct driver {
	struct table t;
	int family; /* AF_INET, AF_INET6 */
	uint8_t local[16], peer[16];
	uint16_t local_port, peer_port;
	uint32_t seq, ack; /* the peer's next number, and what it acknowledges */
	uint16_t window;
};

struct segment {
	unsigned int flags;
	uint32_t seq, ack;
	uint16_t window, source, dest;
	uint8_t options[40];
	size_t options_len;
	uint8_t data[65536];
	size_t len;
	long long usecs;
};

/* Opens the library (once a process) and makes a stack; NULL for no flags. */
void load(struct driver *d, const char *flags);
void unload(struct driver *d);

/* Sends a segment of the peer's with its present numbers. */
void say(struct driver *d, unsigned int flags, const void *data, size_t len);

/* The next segment; false: none came in time. */
bool hear(struct driver *d, struct segment *ret);

/* The next segment has to have these flags. */
struct segment expect(struct driver *d, unsigned int flags);

/* The next segment with data, past ACKs alone. */
struct segment expect_data(struct driver *d, const void *data, size_t len);

/* The address of an end as connect and bind want it; returns its length. */
socklen_t address(const struct driver *d, bool local, struct sockaddr_storage *ret);

/* A listener on OUR_PORT; the handshake of the peer with it; both, and accept. */
int listen_at(struct driver *d);
void shake(struct driver *d);
int accepted(struct driver *d, int *ret_listener);

long long now_usecs(struct driver *d);

#endif
