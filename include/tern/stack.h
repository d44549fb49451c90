/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tern/stack.h: the engine, sans-IO.
 *
 * A stack makes no system call, reads no clock, owns no thread and calls nobody back. Five verbs
 * drive it:
 *
 *	tern_stack_input     frames in
 *	tern_stack_tick      due timers run
 *	tern_stack_output    frames out
 *	tern_stack_deadline  when tick is due
 *	tern_stack_event     what happened to the sockets
 *
 * Beside them stand calls (open bind listen connect accept send recv shutdown close option knob
 * snapshot …). A call returns at once and emits no frame itself: the caller drains
 * tern_stack_output() afterwards. Every entry takes `now`, nanoseconds of a monotonic clock that
 * never goes back. The same entries with the same seed give the same frames, bit for bit. One stack
 * belongs to one thread.
 *
 * Errors are negative errno values. A tern_id names a socket until it is closed; a stale one is
 * refused by -EBADF.
 */
#ifndef TERN_STACK_H
#define TERN_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tern/snapshot.h"
#include "tern/trace.h"
#include "tern/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define TERN_NEVER      UINT64_MAX
#define TERN_ADDRS_MAX  16  /* own addresses of a stack */
#define TERN_OUT_PIECES 20  /* pieces of a frame: headers, then payload */
#define TERN_OUT_HEADER 160 /* room that output needs for the headers of one frame */

struct tern_stack;
typedef uint64_t tern_id;

/* An own address with its prefix length. */
struct tern_prefix {
	struct tern_addr addr;
	uint8_t length;
};

/*
 * What a stack is made with. Zero means the default. All limits are fixed here; tables are reserved
 * at once and their memory is touched as it is used.
 */
struct tern_config {
	struct tern_prefix addrs[TERN_ADDRS_MAX];
	unsigned int addr_count;
	uint32_t mtu;      /* of the link; default 1500; 576 … 65535 */
	uint32_t gso_max;  /* largest frame the link takes with gso_size set; 0: it takes none */
	bool csum_offload; /* the link finishes TCP and UDP checksums: output leaves them partial */
	uint32_t conns_max;     /* default 65,536; open connections, orphans included */
	uint32_t halfopens_max; /* default 16,384 */
	uint32_t timewaits_max; /* default 131,072 */
	uint32_t listeners_max; /* default 1,024 */
	uint32_t udps_max;      /* default 1,024 */
	uint32_t frags_max;     /* default 64; packets being reassembled */
	uint32_t trace_max;     /* default 0; records of the event ring */
	uint64_t memory_max;    /* default none; bytes of engine memory in all */
	uint8_t seed[32];       /* entropy for all keys; all zero is a seed like any other */
};

/* State of the transport checksum of a frame. */
enum tern_csum {
	TERN_CSUM_FULL,    /* in: to be verified; out: complete */
	TERN_CSUM_PARTIAL, /* holds the pseudo-header sum: trusted in, to be finished by the link
			      out (virtio NEEDS_CSUM) */
	TERN_CSUM_GOOD,    /* in only: already verified by the link */
};

/* One frame in: an IP packet. The bytes stay the caller's and are not kept. */
struct tern_frame {
	const void *data;
	uint32_t len;
	uint32_t gso_size; /* segment size of a merged frame, 0 otherwise */
	enum tern_csum csum;
};

/*
 * One frame out. piece[0] is the headers, in the caller's `header`; the others refer to payload
 * inside the stack and are valid until the next entry into it. csum_start and csum_offset count
 * from the start of the frame, as virtio has them.
 */
struct tern_out {
	uint8_t header[TERN_OUT_HEADER];
	struct tern_piece piece[TERN_OUT_PIECES];
	unsigned int pieces;
	uint32_t len;      /* of all pieces */
	uint32_t gso_size; /* payload bytes of each segment where the frame is to be cut, else 0 */
	uint16_t header_len, csum_start, csum_offset;
	uint8_t family;
	enum tern_csum csum;
};

/* Level bits of a socket. An event reports those that hold and are news. */
enum tern_event_bit {
	TERN_EV_ACCEPTABLE = 1,   /* listener: tern_stack_accept will give a connection */
	TERN_EV_CONNECTED = 2,    /* connect() succeeded */
	TERN_EV_READABLE = 4,     /* data, or the end of it */
	TERN_EV_WRITABLE = 8,     /* room again after a short send */
	TERN_EV_PEER_CLOSED = 16, /* the peer's FIN came: no data will follow what is queued */
	TERN_EV_ERROR = 32,   /* reset, refused, timed out or unreachable: TERN_SO_ERROR tells */
	TERN_EV_CLOSED = 64,  /* CLOSED; after both FINs or an error. The id stays until
				tern_stack_close */
	TERN_EV_REPORT = 128, /* ERROR_REPORT of RFC 9293 §3.9.1.8: the peer announced urgent data,
				 or the urgent byte came (TERN_SO_URGENT, TERN_SO_ATMARK); an ICMP
				 error that ends nothing came (TERN_SO_SOFT_ERROR); R1 was reached
				 (TERN_SO_TIMEOUTS) */
};

struct tern_event {
	tern_id id;
	uint64_t user; /* as set by tern_stack_set_user */
	uint32_t bits;
};

enum tern_type {
	TERN_STREAM = 1, /* TCP */
	TERN_DGRAM = 2,  /* UDP */
};

/* Half of a connection, for tern_stack_shutdown; Linux' values. */
enum tern_how {
	TERN_SHUT_RD,
	TERN_SHUT_WR,
	TERN_SHUT_RDWR,
};

/*
 * Options of a socket for tern_stack_option and tern_stack_get_option. Values are 64-bit integers.
 */
enum tern_option {
	TERN_SO_NODELAY,      /* 0 or 1: Nagle off (RFC 9293 MUST-17) */
	TERN_SO_CORK,         /* 0 or 1: send full segments only, 200 ms at most */
	TERN_SO_QUICKACK,     /* 1: what is owed is sent, ACKs wait for no answer; 0: they do. For
				 the moment: either state is left again as traffic says */
	TERN_SO_KEEPALIVE,    /* 0 or 1 */
	TERN_SO_KEEPIDLE,     /* seconds, 1 … 32767 */
	TERN_SO_KEEPINTVL,    /* seconds, 1 … 32767 */
	TERN_SO_KEEPCNT,      /* 1 … 127 */
	TERN_SO_USER_TIMEOUT, /* ms, 0: R2 by tcp_retries2 (RFC 5482) */
	TERN_SO_SYNCNT,       /* SYN retransmissions, 1 … 127 */
	TERN_SO_LINGER,    /* -1: off; 0: close resets; n: seconds, what the caller waits for is its
			      own business */
	TERN_SO_SNDBUF,    /* bytes; fixes the size */
	TERN_SO_RCVBUF,    /* bytes; fixes the size */
	TERN_SO_MAXSEG,    /* bytes, 88 … 32767 */
	TERN_SO_TTL,       /* 1 … 255 */
	TERN_SO_TOS,       /* 0 … 255 */
	TERN_SO_REUSEADDR, /* 0 or 1 */
	TERN_SO_V6ONLY,    /* 0 or 1; before bind */
	TERN_SO_REUSEPORT, /* 0 or 1: sockets that all have it share an endpoint, and each flow
			      or datagram goes to one of them, chosen by its addresses */
	TERN_SO_ERROR,     /* read only: the pending error as a positive errno; reading clears it */
	TERN_SO_SOFT_ERROR, /* read only: last soft error (RFC 9293 MUST-47); reading clears it */
	TERN_SO_INQ,        /* read only: bytes that recv would give: up to the urgent byte */
	TERN_SO_OUTQ,       /* read only: bytes not yet acknowledged */
	TERN_SO_STATE,      /* read only: enum tern_state */
	TERN_SO_OOBINLINE,  /* 0 or 1: the urgent byte stays in the stream (RFC 6093 §3.2) */
	TERN_SO_ATMARK,     /* read only: reading stands at the urgent byte (sockatmark) */
	TERN_SO_URGENT,     /* read only: recv with TERN_MSG_OOB has a byte to give */
	TERN_SO_UNREAD,     /* read only: bytes queued, those behind the urgent byte too */
	TERN_SO_OUTQNSD,    /* read only: bytes not yet sent */
	TERN_SO_TIMESTAMP,  /* read only: what our timestamps say now */
	TERN_SO_NOTSENT_LOWAT, /* bytes not yet sent from which on send takes none, kept in units of
				  64; 0: the knob tcp_notsent_lowat */
	TERN_SO_LINGER2, /* seconds in FIN-WAIT-2 once closed; 0: knob tcp_fin_timeout; -1: none */
	TERN_SO_DEFER_ACCEPT, /* seconds for which the final ACK alone makes no connection, data
				 must come; 0: off. Read in whole SYN-ACK timeouts */
	TERN_SO_FASTOPEN,     /* of a listener: early connections at a time; 0: off (RFC 7413) */
	TERN_SO_FASTOPEN_CONNECT,   /* 0 or 1: connect() leaves the SYN to the first send, if a
				       cookie is known, and else asks for one */
	TERN_SO_FASTOPEN_NO_COOKIE, /* 0 or 1: none is sent, or asked for */
	TERN_SO_FASTOPEN_DEFERRED,  /* read only: 1 while the SYN waits for the first send */
	TERN_SO_TIMEOUTS, /* read only: timeouts in a row; from tcp_retries1 on the way is in doubt,
			     at R2 the connection is given up (RFC 9293 §3.8.3) */
	TERN_SO_CONGESTION, /* congestion control, as in the knob: 0 cubic, 1 reno */
};

enum tern_send_flag {
	TERN_MSG_MORE = 1, /* more follows at once: hold back a partial segment */
	TERN_MSG_EOR = 2,  /* a record ends: no segment has its last byte and bytes behind it */
	TERN_MSG_OOB = 4, /* the last byte is urgent (RFC 9293 §3.8.5); of recv: that byte alone */
};

enum tern_recv_flag {
	TERN_MSG_PEEK = 1,
	TERN_MSG_TRUNC = 2, /* of a stream: the bytes are taken and go nowhere; data may be NULL */
};

/*
 * Makes a stack in *ret_st. Returns 0, -EINVAL for a configuration that cannot be, or -ENOMEM.
 * The stack is the caller's and goes by tern_stack_free().
 */
int tern_stack_new(const struct tern_config *cfg, uint64_t now, struct tern_stack **ret_st);

/* Frees a stack and all it holds. Nothing is sent; peers learn nothing. NULL is allowed. */
void tern_stack_free(struct tern_stack *st);

/*
 * One more own address while the stack runs; one that is its own already is 0, too. A stack that
 * was made without IPv6 stays so: -EAFNOSUPPORT. -ENOSPC (TERN_ADDRS_MAX are there), -EINVAL (no
 * host has such an address).
 */
int tern_stack_add_address(struct tern_stack *st, uint64_t now, const struct tern_prefix *own);

/* Takes n frames in order. Whatever they hold costs a counter at most. */
void tern_stack_input(struct tern_stack *st, uint64_t now, const struct tern_frame *frames,
		      unsigned int n);

/* Runs the timers that are due at now. */
void tern_stack_tick(struct tern_stack *st, uint64_t now);

/*
 * Fills up to n frames to be sent, in order, and returns how many; 0 when there is nothing to send.
 * What they refer to is valid until the next entry into the stack, except that events may be
 * pulled.
 */
unsigned int tern_stack_output(struct tern_stack *st, uint64_t now, struct tern_out *outs,
			       unsigned int n);

/*
 * When tern_stack_tick() is due, absolute, or TERN_NEVER. May be earlier than the first timer,
 * never later.
 */
uint64_t tern_stack_deadline(const struct tern_stack *st);

/* Pulls the next event into *ret_ev. False when there is none. */
bool tern_stack_event(struct tern_stack *st, struct tern_event *ret_ev);

/*
 * Makes a socket. family TERN_INET or TERN_INET6 (dual stack unless TERN_SO_V6ONLY).
 * -EAFNOSUPPORT, -EPROTONOSUPPORT, -ENOBUFS (limit reached).
 */
int tern_stack_open(struct tern_stack *st, uint64_t now, enum tern_type type,
		    enum tern_family family, tern_id *ret_id);

/*
 * Binds to an own address or to the unspecified one (family's); port 0 takes a free one (RFC 6056).
 * -EINVAL (already bound), -EADDRNOTAVAIL (not an own address; no port free), -EADDRINUSE,
 * -EAFNOSUPPORT, -ENOBUFS.
 */
int tern_stack_bind(struct tern_stack *st, uint64_t now, tern_id id,
		    const struct tern_endpoint *local);

/*
 * The same, but the address need not be an own one yet (Linux' IP_FREEBIND): what is bound waits
 * for tern_stack_add_address(). A connect() from there is -EINVAL until then.
 */
int tern_stack_bind_foreign(struct tern_stack *st, uint64_t now, tern_id id,
			    const struct tern_endpoint *local);

/*
 * Turns an unconnected stream socket into a listener (RFC 9293 §3.10.1, passive). On a listener it
 * only changes the backlog. The accept queue holds min(backlog, net.core.somaxconn) + 1, as Linux'
 * does. An unbound socket takes a port.
 * -EINVAL (not CLOSED), -EADDRINUSE, -EOPNOTSUPP (datagram), -ENOBUFS.
 */
int tern_stack_listen(struct tern_stack *st, uint64_t now, tern_id id, int backlog);

/*
 * Starts the active open (RFC 9293 §3.10.1); TERN_EV_CONNECTED or TERN_EV_ERROR tells the end. Of a
 * datagram socket: sets the peer. -EISCONN, -EALREADY, -EADDRNOTAVAIL (no port or source),
 * -EAGAIN (no port for a datagram socket), -ENETUNREACH, -EACCES (broadcast), -ECONNREFUSED (port 0
 * of a stream), -EAFNOSUPPORT, -EOPNOTSUPP (listener), -ENOBUFS.
 */
int tern_stack_connect(struct tern_stack *st, uint64_t now, tern_id id,
		       const struct tern_endpoint *remote);

/*
 * tern_stack_connect() as if TERN_SO_FASTOPEN_CONNECT were set: where TERN_SO_FASTOPEN_DEFERRED
 * holds afterwards, the next tern_stack_send() goes with the SYN. It returns how much of it did, or
 * -EINPROGRESS: nothing, to be sent again when connected. -EOPNOTSUPP (a datagram socket, or
 * tcp_fastopen says no).
 */
int tern_stack_connect_fastopen(struct tern_stack *st, uint64_t now, tern_id id,
				const struct tern_endpoint *remote);

/*
 * TCP_FASTOPEN_KEY of a socket that listens, or will: one key of 16 bytes, or two, the second one
 * only to be still taken. -EINVAL (length, or a connected socket), -EBADF, -ENOBUFS. Reading gives
 * what is in force there, and returns how many bytes of cap that is.
 */
int tern_stack_fastopen_key(struct tern_stack *st, uint64_t now, tern_id id, const void *keys,
			    size_t len);
int tern_stack_get_fastopen_key(struct tern_stack *st, uint64_t now, tern_id id, void *keys,
				size_t cap);

/* Takes the oldest connection of a listener's accept queue. -EAGAIN, -EINVAL (not a listener). */
int tern_stack_accept(struct tern_stack *st, uint64_t now, tern_id listener, tern_id *ret_id);

/*
 * Of a listener: count connections that were accepted, but wait to be taken elsewhere. They count
 * as waiting in its accept queue: for the limit, and in what is shown of it. The last call holds.
 * -EINVAL (not a listener), -EBADF.
 */
int tern_stack_hold(struct tern_stack *st, uint64_t now, tern_id listener, uint32_t count);

/*
 * Queues bytes; returns how many were taken (RFC 9293 §3.10.2; SYN-SENT and SYN-RECEIVED queue
 * too). -EAGAIN (no room: TERN_EV_WRITABLE follows), -EPIPE (closed for sending), -ENOTCONN,
 * -ENOBUFS (tcp_mem), or the pending error.
 */
int64_t tern_stack_send(struct tern_stack *st, uint64_t now, tern_id id, const void *data,
			size_t len, unsigned int flags);

/*
 * Takes received bytes; 0 is the peer's FIN (RFC 9293 §3.10.3). -EAGAIN, -ENOTCONN, or the pending
 * error (once). Of a datagram socket it is tern_stack_recvfrom(): the result may exceed len.
 */
int64_t tern_stack_recv(struct tern_stack *st, uint64_t now, tern_id id, void *data, size_t len,
			unsigned int flags);

/*
 * Bytes without a copy, of streams (-EOPNOTSUPP else).
 *
 * peek lists what may be read, from the oldest byte on, in at most n pieces; they are valid until
 * the next entry into the stack. Returns how many, 0 for the peer's FIN, or errors of
 * tern_stack_recv(), which takes the bytes by TERN_MSG_TRUNC.
 *
 * reserve lists room for len bytes to be sent, in at most n pieces (a piece is 64 KiB at most); it
 * may be less than len, as a send may be short. Returns how many pieces, or errors of
 * tern_stack_send(). The next entry is to be commit: it sends the first len bytes of that room
 * (0: none) and returns len. -EINVAL (more than there was room, or not what was reserved).
 */
int tern_stack_peek(struct tern_stack *st, uint64_t now, tern_id id, struct tern_piece *pieces,
		    unsigned int n);
int tern_stack_reserve(struct tern_stack *st, uint64_t now, tern_id id, size_t len,
		       struct tern_room *rooms, unsigned int n);
int64_t tern_stack_commit(struct tern_stack *st, uint64_t now, tern_id id, size_t len,
			  unsigned int flags);

/*
 * One datagram out, to `remote` or, NULL, to the connected peer; -EDESTADDRREQ, -EINVAL (port 0),
 * -EMSGSIZE, -EAGAIN (send buffer full, no port free), -ENETUNREACH, -EACCES (broadcast), -EPIPE
 * (shut down), -ENOBUFS, or the pending error (-ECONNREFUSED after a port unreachable).
 */
int64_t tern_stack_sendto(struct tern_stack *st, uint64_t now, tern_id id, const void *data,
			  size_t len, const struct tern_endpoint *remote);

/*
 * One datagram in: as much as fits is copied; returns the length the datagram had. *ret_remote (may
 * be NULL) is where it came from. -EAGAIN, or the pending error.
 */
int64_t tern_stack_recvfrom(struct tern_stack *st, uint64_t now, tern_id id, void *data, size_t len,
			    unsigned int flags, struct tern_endpoint *ret_remote);

/* Half-close (RFC 9293 §3.6). -ENOTCONN. */
int tern_stack_shutdown(struct tern_stack *st, uint64_t now, tern_id id, enum tern_how how);

/*
 * Gives the socket up; the id is dead at once. The connection goes on closing as an orphan; unread
 * data or linger 0 makes it a reset (RFC 2525 §2.17, RFC 9293 SHLD-3). A listener resets what it
 * had not handed out.
 */
int tern_stack_close(struct tern_stack *st, uint64_t now, tern_id id);

/* ABORT (RFC 9293 §3.10.5): RST to the peer; the id is dead at once. */
int tern_stack_abort(struct tern_stack *st, uint64_t now, tern_id id);

/*
 * Resets the connections that a peer still waits for, orphans included, before a stack goes away:
 * all but half-open ones, those in TIME-WAIT, and orphans in FIN-WAIT-2. As many at a time as there
 * is room for resets: output() and again, until it returns 0. Returns how many it has reset.
 */
uint32_t tern_stack_reset(struct tern_stack *st, uint64_t now);

/*
 * Sets and reads options. -ENOPROTOOPT, -EINVAL (range or state). A listener's options are its
 * children's.
 */
int tern_stack_option(struct tern_stack *st, uint64_t now, tern_id id, enum tern_option option,
		      int64_t value);
int tern_stack_get_option(struct tern_stack *st, uint64_t now, tern_id id, enum tern_option option,
			  int64_t *ret_value);

/* Attaches a number of the caller's to a socket; events carry it. -EBADF. */
int tern_stack_set_user(struct tern_stack *st, tern_id id, uint64_t user);

/* Local and remote endpoint. -ENOTCONN where there is no remote one. */
int tern_stack_local(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_local);
int tern_stack_remote(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_remote);

/*
 * Knobs by Linux name, values as sysctl writes them; a triple is numbers with blanks or tabs
 * between. Set: -ENOENT (no such knob), -EINVAL (not such a value), -ERANGE, -EDOM (a port range
 * that runs backwards), -E2BIG (too many ranges of ports), -EACCES (it can only be read). Get fills
 * text of cap bytes: -ENOENT, -ENOSPC.
 */
int tern_stack_knob(struct tern_stack *st, uint64_t now, const char *name, const char *value);
int tern_stack_get_knob(const struct tern_stack *st, const char *name, char *text, size_t cap);

/*
 * Wall-clock time, ns since 1970, belonging to now. Nothing but cookie epochs and captures needs
 * it.
 */
void tern_stack_set_realtime(struct tern_stack *st, uint64_t now, uint64_t realtime_ns);

/*
 * Snapshots: totals, one row by id, and all rows: *cursor starts at 0; false at the end. Rows come
 * in table order.
 */
void tern_stack_info(const struct tern_stack *st, uint64_t now, struct tern_stack_info *ret_info);
int tern_stack_socket(const struct tern_stack *st, uint64_t now, tern_id id,
		      struct tern_socket_info *ret_row);
bool tern_stack_next_socket(const struct tern_stack *st, uint64_t now, uint64_t *cursor,
			    struct tern_socket_info *ret_row);

/*
 * Value of a counter (see tern_counter_name) and of a drop reason (see tern_drop_name). 0 beyond
 * the last.
 */
uint64_t tern_stack_counter(const struct tern_stack *st, unsigned int counter);
uint64_t tern_stack_drops(const struct tern_stack *st, unsigned int reason);

/*
 * Reads the event ring: *cursor starts at 0 and moves on; false when nothing newer is there.
 * Records that were overwritten before they were read are skipped.
 */
bool tern_stack_trace(const struct tern_stack *st, uint64_t *cursor,
		      struct tern_trace_record *ret_record);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
