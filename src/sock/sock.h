/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/sock.h: BSD socket semantics over a stack, once.
 *
 * A table of sockets over one struct tern_stack. The verbs answer as Linux' system calls do, errno
 * by errno, but never block: what would block returns -EAGAIN (connect: -EINPROGRESS), and
 * tern_sock_wait() says what to wait for until the same call is to be made again. Whether somebody
 * waits, and how, is the business of those above: the blocking host, the broker of unmodified
 * programs, the packetdrill library. O_NONBLOCK is theirs for the same reason.
 *
 * Addresses are Linux' struct sockaddr_in and sockaddr_in6 as bytes, options and flags Linux'
 * numbers (sock/abi.h). `now` is as in tern/stack.h. The stack's frames, timers and output are
 * the caller's to move; its events belong to this room.
 */
#ifndef TERN_SOCK_SOCK_H
#define TERN_SOCK_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "sock/abi.h"
#include "tern/stack.h"

struct tern_socks;

/*
 * A table of at most max sockets (1 … 2^24) over st, which stays the caller's and must outlive it.
 * -EINVAL, -ENOMEM.
 */
TERN_NODISCARD int tern_socks_new(struct tern_stack *st, uint32_t max, struct tern_socks **ret);

/* Frees the table. The sockets' ids stay as they are in the stack. NULL is allowed. */
void tern_socks_free(struct tern_socks *ss);

/* Descriptors in use, lingering ones included. */
uint32_t tern_socks_count(const struct tern_socks *ss);

/*
 * The verbs: socket, bind, listen, accept, connect, shutdown. They return 0, open and accept a
 * descriptor (the lowest that is free), or negative errno; addr and len of accept may be NULL.
 * accept looks for a free descriptor first: -EMFILE leaves the connection in the queue.
 */
int tern_sock_open(struct tern_socks *ss, uint64_t now, int domain, int type, int protocol);
int tern_sock_bind(struct tern_socks *ss, uint64_t now, int fd, const void *addr, uint32_t len);
int tern_sock_listen(struct tern_socks *ss, uint64_t now, int fd, int backlog);
int tern_sock_accept(struct tern_socks *ss, uint64_t now, int fd, void *addr, uint32_t *len);
int tern_sock_connect(struct tern_socks *ss, uint64_t now, int fd, const void *addr, uint32_t len);
int tern_sock_shutdown(struct tern_socks *ss, uint64_t now, int fd, int how);

/*
 * For those who accept connections on behalf of others: n that were accepted from the listener have
 * not been taken yet. They count in its accept queue (its limit, Recv-Q) as if they were in it, but
 * not for readiness. The last call holds. -EBADF, -EINVAL (does not listen, n negative).
 */
int tern_sock_hold(struct tern_socks *ss, uint64_t now, int fd, int n);

/*
 * close: returns 0 when the descriptor is free again. With SO_LINGER it may return -EINPROGRESS:
 * then *ret_until is when the linger time ends, the descriptor is good for nothing but
 * tern_sock_linger(), and that is to be called after events and at *ret_until until it returns 0;
 * -EAGAIN is "not yet". A caller that will not wait (any longer) sets give_up.
 */
int tern_sock_close(struct tern_socks *ss, uint64_t now, int fd, uint64_t *ret_until);
int tern_sock_linger(struct tern_socks *ss, uint64_t now, int fd, bool give_up);

/*
 * send, sendto, recv, recvfrom with Linux' flags. They return a count or negative errno. addr may
 * be NULL. recvfrom of a datagram returns what was copied, with TERN_SOCK_TRUNC its true length.
 * With TERN_SOCK_FASTOPEN, or the first time after a connect() that left the SYN to it, sendto
 * returns what went with the SYN, or -EINPROGRESS where that was nothing. A caller that blocks then
 * asks tern_sock_opening(): if so, it waits for TERN_SOCK_OP_SEND and goes on with the rest, be it
 * nothing, without the flag.
 * Without TERN_SOCK_DONTWAIT a receive that -EAGAIN ends is one that the caller will repeat.
 */
int64_t tern_sock_sendto(struct tern_socks *ss, uint64_t now, int fd, const void *data, size_t len,
			 int flags, const void *addr, uint32_t addr_len);
int64_t tern_sock_recvfrom(struct tern_socks *ss, uint64_t now, int fd, void *data, size_t len,
			   int flags, void *addr, uint32_t *addr_len);

/* Has a stream sent a SYN that nothing has come of yet? */
bool tern_sock_opening(struct tern_socks *ss, uint64_t now, int fd);

/*
 * The same for streams without a copy, never waiting.
 *
 * peek_pieces lists what may be read, the oldest byte first, in at most n pieces that are valid
 * until the next entry into this room or the stack. It returns how many, 0 at the end of data, or
 * what recv returns. consume takes len bytes and returns how many there were.
 *
 * reserve lists room for len bytes to be sent, in at most n pieces (a piece is 64 KiB at most), and
 * returns how many, or what send returns. Where that is less than len the socket is not writable
 * until the engine has room again, as after a short send. The next entry is to be commit, which
 * sends the first len bytes that were written there (0: none), with send's flags.
 */
int tern_sock_peek_pieces(struct tern_socks *ss, uint64_t now, int fd, struct tern_piece *pieces,
			  unsigned int n);
int64_t tern_sock_consume(struct tern_socks *ss, uint64_t now, int fd, size_t len);
int tern_sock_reserve(struct tern_socks *ss, uint64_t now, int fd, size_t len,
		      struct tern_room *rooms, unsigned int n);
int64_t tern_sock_commit(struct tern_socks *ss, uint64_t now, int fd, size_t len, int flags);

/*
 * FIONREAD (SIOCINQ), SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK. -EINVAL (listener; not SIOCATMARK),
 * -ENOTTY (the last two, of a datagram socket), -EBADF.
 */
int tern_sock_inq(struct tern_socks *ss, uint64_t now, int fd, int *ret_bytes);
int tern_sock_outq(struct tern_socks *ss, uint64_t now, int fd, int *ret_bytes);
int tern_sock_outqnsd(struct tern_socks *ss, uint64_t now, int fd, int *ret_bytes);
int tern_sock_atmark(struct tern_socks *ss, uint64_t now, int fd, int *ret_at);

/* getsockname and getpeername: what fits of the address, and in *len the length it has. */
int tern_sock_getsockname(struct tern_socks *ss, int fd, void *addr, uint32_t *len);
int tern_sock_getpeername(struct tern_socks *ss, int fd, void *addr, uint32_t *len);

/* Options by Linux' level and name. -ENOPROTOOPT, -EINVAL, -EDOM, ... */
int tern_sock_setsockopt(struct tern_socks *ss, uint64_t now, int fd, int level, int name,
			 const void *value, uint32_t len);
int tern_sock_getsockopt(struct tern_socks *ss, uint64_t now, int fd, int level, int name,
			 void *value, uint32_t *len);

/* Readiness now: poll(2)'s bits, level; TERN_SOCK_NVAL where there is no such socket. */
uint32_t tern_sock_poll(struct tern_socks *ss, uint64_t now, int fd);

/* Takes the stack's events into the sockets. The verbs do so themselves; cheap without any. */
void tern_sock_poll_events(struct tern_socks *ss, uint64_t now);

/*
 * The next descriptor to which something has happened (an event of the stack) since it was last
 * given, or -1. Each is given once, in the order in which they first changed; one that was closed
 * meanwhile is not, one that lingers is. Constant time. What a connection went through before
 * accept counts as having happened right after it.
 */
int tern_sock_next_changed(struct tern_socks *ss);

/* A call that would block. */
enum tern_sock_op {
	TERN_SOCK_OP_ACCEPT,
	TERN_SOCK_OP_CONNECT,
	TERN_SOCK_OP_RECV,
	TERN_SOCK_OP_SEND,
};

/* What it waits for: any of these readiness bits, at most so long (TERN_NEVER: for ever). */
struct tern_sock_wait {
	uint32_t bits;
	uint64_t timeout_ns; /* SO_RCVTIMEO or SO_SNDTIMEO */
};

int tern_sock_wait(const struct tern_socks *ss, int fd, enum tern_sock_op op,
		   struct tern_sock_wait *ret_wait);

/* Bytes that a blocking receive of len waits for: SO_RCVLOWAT, at most len, at least 1. */
size_t tern_sock_rcvlowat(const struct tern_socks *ss, int fd, size_t len);

/* The engine's handle; 0 if there is no such socket. */
tern_id tern_sock_id(const struct tern_socks *ss, int fd);

/* The type of a socket, TERN_SOCK_STREAM or TERN_SOCK_DGRAM; -EBADF. */
int tern_sock_type(const struct tern_socks *ss, int fd);

#endif
