/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/protocol.h: what the preload shim and the broker say to each other.
 *
 * The shim lives in every process of an unmodified program; the broker is a service on the loop of
 * the host that owns the stack. A tern socket of a program is one end of an AF_UNIX socket pair
 * whose other end the broker holds. Three ways lead from the one to the other:
 *
 * Names. The broker binds its end of each pair to an abstract address (struct tern_posix_name), so
 * that getpeername(2) on any descriptor tells, in one system call and without asking anybody,
 * whether it is a tern socket and which; also after fork, exec and a hand-over by SCM_RIGHTS. Of
 * an accepted connection the name tells both endpoints as well.
 *
 * Requests. One SOCK_SEQPACKET connection of each process to the broker's abstract address: a
 * request, at once its reply, never blocking. The first request is TERN_POSIX_HELLO with the token
 * of the environment. A process makes its connection anew when its pid or the descriptor's inode
 * are not those it knows. Requests without a reply are marked below.
 *
 * The pair itself. A stream carries the program's bytes, and two things more:
 *
 *	fill	Before the program has its end, the broker writes as many single bytes into it as
 *		there is room for, as if the program had, with SO_SNDBUF at its least: nothing is
 *		writable. When the connection is established the broker takes all but one of them:
 *		the edge that poll and epoll wait for. The shim raises SO_SNDBUF when it next has
 *		to do with the socket.
 *	tail	One byte of the program's stays unread always (the fill's last, then the last one
 *		forwarded): so a reset, a timeout and the broker's death read as ECONNRESET, never
 *		as a clean end.
 *
 * Urgent bytes are AF_UNIX' own, both ways: the mark, SIOCATMARK, SIGURG, POLLPRI and SO_OOBINLINE
 * of the program's end are the kernel's doing. MSG_MORE, which a pair does not carry, is told.
 *
 * A listening socket's pair (the stream that it was made as, still full) carries struct
 * tern_posix_accepted towards the program, each with one descriptor by SCM_RIGHTS: a recvmsg() of
 * that size gets exactly one. A datagram pair is SOCK_SEQPACKET (of one of SOCK_DGRAM neither end
 * learns that the other is closed) and carries struct tern_posix_dgram and the payload behind it,
 * both ways. A message of no bytes at all is the end; an empty datagram has its head.
 *
 * Closed or shut? Once both halves are shut the broker's end cannot tell a close() from a
 * shutdown(). So the shim binds its end before it shuts it down (see TERN_POSIX_SHUTDOWN): as long
 * as that name is taken, somebody has the socket. It does the same with what it has accepted: an
 * end that got no name is one that nobody took before the listener was closed.
 *
 * Both sides are built together: no versions, host byte order, but addresses and ports as in
 * struct sockaddr.
 */
#ifndef TERN_POSIX_PROTOCOL_H
#define TERN_POSIX_PROTOCOL_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/siphash.h"

/* In the environment: "RUN:TOKEN" in hexadecimal, 16 and 32 digits. */
#define TERN_POSIX_ENV "TERN_BROKER"

/* Abstract addresses, behind the zero byte: "tern/RUN" of the broker, "tern/RUN/…" of pairs. */
#define TERN_POSIX_PREFIX     "tern/"
#define TERN_POSIX_PREFIX_LEN 5
#define TERN_POSIX_RUN_LEN    16
#define TERN_POSIX_TOKEN_LEN  16 /* bytes */
#define TERN_POSIX_ALIVE      0x80

union tern_posix_addr {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* sun_path of the broker's end, sun_path[0] included; the length is that of the structure. */
struct tern_posix_name {
	char prefix[1 + TERN_POSIX_PREFIX_LEN + TERN_POSIX_RUN_LEN + 1]; /* "\0tern/RUN/" */
	uint8_t type;                  /* SOCK_STREAM or SOCK_DGRAM */
	uint8_t domain;                /* AF_INET or AF_INET6 */
	uint8_t id[8];                 /* uint64_t: the socket, never used twice in a run */
	uint8_t salt[8];               /* chance: nobody else can have taken the name before */
	uint8_t accepted;              /* 1: the endpoints below are there */
	uint8_t local[28], remote[28]; /* struct sockaddr_in or _in6 of domain */
} __attribute__((packed));

_Static_assert(sizeof(struct tern_posix_name) <= sizeof(((struct sockaddr_un *)0)->sun_path),
	       "fits");

/*
 * Makes the name of a broker's end the one that the program's end gets to say that somebody has it.
 * Its salt is hashed with the token: nobody else can take the name in its place, and those who see
 * both names (everybody) learn nothing of the token.
 */
static inline void tern_posix_say_alive(struct sockaddr_un *name, const uint8_t *token)
{
	char *place = name->sun_path + offsetof(struct tern_posix_name, salt);
	uint64_t key[2], salt;

	name->sun_path[offsetof(struct tern_posix_name, type)] |= (char)TERN_POSIX_ALIVE;
	memcpy(key, token, sizeof(key));
	memcpy(&salt, place, sizeof(salt));
	salt = tern_siphash24_words(key, &salt, 1);
	memcpy(place, &salt, sizeof(salt));
}

enum tern_posix_op {
	/* data: the token. Reply: descriptor of struct tern_posix_page, to be mapped read only. */
	TERN_POSIX_HELLO = 1,
	/*
	 * args: domain, type (with SOCK_NONBLOCK and SOCK_CLOEXEC), protocol. Reply: id, and the
	 * program's end as descriptor. Errors of socket(2).
	 */
	TERN_POSIX_OPEN,
	/*
	 * A new pair for a socket whose old one is used up (args[0]: SOCK_NONBLOCK): asked for when
	 * BIND, LISTEN, CONNECT or FASTOPEN said -ESTALE. As OPEN; the id may be a new one.
	 */
	TERN_POSIX_RENEW,
	/* data: address. args[0]: 1 if the caller has CAP_NET_BIND_SERVICE. Errors of bind(2). */
	TERN_POSIX_BIND,
	/* args[0]: backlog. */
	TERN_POSIX_LISTEN,
	/*
	 * data: address. args[0]: 1 if the shim is going to wait by send()ing one byte on the fd
	 * itself: after -EINPROGRESS and -EALREADY that byte belongs to the handshake and is not
	 * the program's. -EINPROGRESS, -EALREADY, -EISCONN, errors of connect(2); 0: it is
	 * connected now, or (TCP_FASTOPEN_CONNECT) will be by what is written into the pair.
	 */
	TERN_POSIX_CONNECT,
	/*
	 * sendto() with MSG_FASTOPEN. data: address, of args[1] bytes, and what fits of the
	 * program's bytes behind it. args[0] as in CONNECT, where the result is above 0, too. The
	 * bytes that were taken, and the connection is being opened; 0: it stands, and they are to
	 * be written into the pair; errors of connect(2).
	 */
	TERN_POSIX_FASTOPEN,
	/* The shim waits no longer (EINTR, time): its byte will not come. */
	TERN_POSIX_CONNECT_UNWAIT,
	/*
	 * args[0]: how. 0: the shim shuts its end down as well, after it has bound it to the name
	 * that tern_posix_say_alive() makes of the broker's end's (EINVAL: done before). Errors of
	 * shutdown(2).
	 */
	TERN_POSIX_SHUTDOWN,
	/* args: level, name; data: value. Of values that cannot fail no reply is awaited. */
	TERN_POSIX_SETSOCKOPT,
	/* args: level, name, length. Reply data: value. SO_ERROR too. */
	TERN_POSIX_GETSOCKOPT,
	/* Reply data: struct sockaddr. */
	TERN_POSIX_GETSOCKNAME,
	TERN_POSIX_GETPEERNAME,
	/* args[0]: 1 to count only what was never sent. Reply result: bytes. */
	TERN_POSIX_OUTQ,
	/*
	 * MSG_OOB comes next on this pair: from now on the broker looks for marks in it.
	 * -EOPNOTSUPP: pairs of this kernel have none, and the program's end gets none either.
	 */
	TERN_POSIX_URGENT,
	/*
	 * args[0]: what is written from now on is not all, and a segment that is not full waits
	 * (MSG_MORE); 0: what comes next is the last. Of streams; what was written before counts as
	 * it was.
	 */
	TERN_POSIX_MORE,
	/*
	 * Before close() of a socket with SO_LINGER > 0, and after it. Before: reply descriptor of
	 * which a hang-up tells that lingering is over. After: result 1 if that was the last close
	 * and the caller is to wait, else 0.
	 */
	TERN_POSIX_LINGER,
	TERN_POSIX_LINGER_CLOSED,
	/*
	 * The socket becomes a kernel socket (loopback). Reply data: struct tern_posix_setting of
	 * all that has been set on it. The broker forgets it when its pair is closed.
	 */
	TERN_POSIX_SETTINGS,
	/* Reply data: struct tern_posix_ifaddr, one for each address of the stack. */
	TERN_POSIX_ADDRESSES,
	/*
	 * The error that ended the socket, kept: what read() maps ECONNRESET to. Result: errno;
	 * -ENOTCONN of a stream that is neither connected, nor was, nor listens.
	 */
	TERN_POSIX_LAST_ERROR,
	/* No reply. data: one line for the log, about something that is not supported. */
	TERN_POSIX_LOG,
};

#define TERN_POSIX_DATA_MAX 2048

struct tern_posix_request {
	uint32_t op;
	uint32_t noreply; /* 1: the broker sends none */
	uint64_t id;
	int32_t args[3];
	uint32_t len; /* of data */
	uint8_t data[TERN_POSIX_DATA_MAX];
};

struct tern_posix_reply {
	int32_t result; /* 0, a value, or a negative errno */
	uint32_t flags; /* enum tern_posix_flag */
	uint64_t id;
	uint32_t len;
	uint32_t reserved;
	uint8_t data[TERN_POSIX_DATA_MAX];
};

/* What is sent of them: the part before data, and len bytes. */
#define TERN_POSIX_REQUEST_HEAD offsetof(struct tern_posix_request, data)
#define TERN_POSIX_REPLY_HEAD   offsetof(struct tern_posix_reply, data)

enum tern_posix_flag {
	TERN_POSIX_ESTABLISHED = 1, /* SO_SNDBUF of the program's end may be raised now */
};

/*
 * SO_SNDBUF of the program's end of an established stream, as for setsockopt() (Linux doubles it).
 * It must not be less: the tail keeps the whole message that it is the end of in the pair (of
 * send() up to 40 KiB, of sendfile() 64 KiB), and poll() says "writable", and a writer that waits
 * is woken, while less than a quarter is in use. net.core.wmem_max allows more by default.
 */
#define TERN_POSIX_SNDBUF 147456

struct tern_posix_setting {
	int32_t level, name;
	uint32_t len;
	uint8_t value[16];
};

struct tern_posix_ifaddr {
	union tern_posix_addr addr, netmask, broadcast; /* broadcast: AF_UNSPEC for IPv6 */
	uint32_t mtu;
	uint8_t length; /* of the prefix, bits */
};

/* Shared by the broker with all its programs; written by the broker only. */
struct tern_posix_page {
	uint32_t dgrams;      /* datagram sockets open: 0 lets read() and its kin pass at once */
	uint32_t lingers;     /* sockets with SO_LINGER > 0: 0 lets close() pass at once */
	uint32_t more;        /* streams with MSG_MORE: 0 lets write() and its kin pass at once */
	uint32_t dgram_error; /* counts errors told in struct tern_posix_dgram */
	/*
	 * Streams on which read() and write() would not do what they should: 0 lets them pass at
	 * once. All have the least SO_SNDBUF; LAST_ERROR tells which it is. Those that are neither
	 * connected nor listening: -ENOTCONN. Those that connect() made, and of which the shim has
	 * not seen a reply with TERN_POSIX_ESTABLISHED: this is one. Who writes to such a one and
	 * then waits for POLLOUT would wait for ever (see TERN_POSIX_SNDBUF).
	 */
	uint32_t narrow;
};

/* One connection for accept(). With kernel = 1 the descriptor is a kernel socket (loopback). */
struct tern_posix_accepted {
	uint32_t kernel;
	uint32_t nonblock; /* O_NONBLOCK is set on the descriptor */
	union tern_posix_addr remote;
};

/*
 * Head of a datagram. To the broker: remote is where to, AF_UNSPEC for the connected peer; what has
 * no head (no magic) was written past the shim, and goes to the connected peer as it is. To the
 * program: where from; or error != 0, a positive errno that the next call returns, without payload.
 */
#define TERN_POSIX_DGRAM 0x6d677264

struct tern_posix_dgram {
	int32_t error;
	uint32_t magic; /* TERN_POSIX_DGRAM */
	union tern_posix_addr remote;
};

#endif
