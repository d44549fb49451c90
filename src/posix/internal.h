/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/internal.h: the inside of the broker. Private to the room.
 *
 * A `struct tern_pair` is the broker's side of one socket of a program: a tern socket (sock) and
 * the broker's end (fd) of the socket pair whose other end the program has. Records lie in a table
 * by tern_sock's descriptor. Everything that happens to a pair, at either side, sets bits in it and
 * queues it; tern_broker_turn() runs what is queued, each by the function of its kind:
 *
 *	kind		until			run by
 *	FRESH		connect, listen		broker_stream.c: a hang-up is the only news
 *	CONNECTING	established, failed	broker_connect.c
 *	STREAM		both ends closed	broker_stream.c
 *	LISTENER	close			broker_accept.c (and broker_loopback.c beside it)
 *	DGRAM		close			broker_dgram.c
 *	LINGERING	FIN acknowledged, time	broker_pair.c; fd is closed, the record remains
 *
 * A socket that failed (reset, refused, timed out) is dead: its end and its tern socket are closed
 * at once, since nobody would tell when the program closes its end; what the program may still ask
 * for stays in a table of the last ones (broker_dead.c).
 */
#ifndef TERN_POSIX_INTERNAL_H
#define TERN_POSIX_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/rng.h"
#include "host/host.h"
#include "posix/broker.h"
#include "posix/protocol.h"

enum {
	TERN_BROKER_PROCESSES = 32768, /* control connections */
	TERN_BROKER_DEADS = 4096,
	TERN_BROKER_LOGGED = 256,     /* distinct lines */
	TERN_BROKER_SETTINGS = 48,    /* options set on a socket */
	TERN_BROKER_SCRATCH = 262144, /* bytes: the most that is read or written at once */
	TERN_BROKER_BUDGET = 262144,  /* bytes of one socket in one direction in a turn */
	TERN_BROKER_HELD = 16,        /* connections handed over and not yet taken, at most */
	TERN_BROKER_LINGERS = 256,    /* lingering sockets looked at in a turn */
	TERN_BROKER_REQUESTS = 16,    /* of a process in a turn */
	TERN_OPTION_ROOM = 48,        /* bytes: for the numbers of an option */
};

#define TERN_BROKER_RETRY_NS  UINT64_C(10000000) /* after a lack of descriptors or memory */
#define TERN_BROKER_LINGER_NS UINT64_C(10000000) /* between two looks at the lingering */

struct tern_acceptor; /* broker_accept.c */
struct tern_loopback; /* broker_loopback.c */
struct tern_near;     /* likewise */
struct tern_process;  /* broker_control.c */

enum tern_pair_kind {
	TERN_PAIR_FREE,
	TERN_PAIR_FRESH,
	TERN_PAIR_CONNECTING,
	TERN_PAIR_STREAM,
	TERN_PAIR_LISTENER,
	TERN_PAIR_DGRAM,
	TERN_PAIR_LINGERING,
};

/* What is ready, or has happened, and has not been dealt with. */
enum tern_pair_bit {
	TERN_PB_PAIR_IN = 1 << 0,   /* our end may have something to read */
	TERN_PB_PAIR_FULL = 1 << 1, /* our end takes no more, until an edge says so */
	TERN_PB_READ_END = 1 << 2,  /* the program writes no more */
	TERN_PB_HANGUP = 1 << 3,    /* nor reads; whether it has closed see tern_pair_is_closed() */
	TERN_PB_ERROR = 1 << 4,     /* it closed with unread data */
	TERN_PB_SOCK_IN = 1 << 5,   /* the tern socket may have something to read */
	TERN_PB_SOCK_FULL = 1 << 6, /* the tern socket takes no more, until an event */
	TERN_PB_CHANGED = 1 << 7,   /* something happened to the tern socket since the last run */
};

/* What has been. */
enum tern_pair_flag {
	TERN_PF_QUEUED = 1 << 0,
	TERN_PF_LINGERS = 1 << 1, /* among the lingering */
	TERN_PF_CLOSED = 1 << 2,  /* the program has closed it; what it wrote is still to be sent */
	TERN_PF_FIN_IN = 1 << 3,  /* the peer's FIN was passed on: our end is shut for writing */
	TERN_PF_FIN_OUT = 1 << 4, /* the program's FIN was passed on */
	TERN_PF_DISCARD = 1 << 5, /* the program reads no more: what comes is thrown away */
	TERN_PF_SHUT_OP = 1 << 6, /* the program has called shutdown(): a hang-up may be that */
	TERN_PF_ABORT = 1 << 7,   /* at its close the peer gets a RST */
	TERN_PF_WATCH_OUT = 1 << 8, /* our end is watched for room */
	TERN_PF_BULK = 1 << 9,      /* the last bursts from the program were large */
	TERN_PF_LINGER = 1 << 10,   /* SO_LINGER > 0: counted in page->lingers */
	TERN_PF_NARROW = 1 << 11,   /* counted in page->narrow */
	TERN_PF_BOUND = 1 << 12,    /* by bind() */
	TERN_PF_FAILED = 1 << 13,   /* FRESH: connect() has not been told yet that it failed */
	TERN_PF_URGENT = 1 << 14,   /* the program sends urgent data: there may be marks */
	TERN_PF_MORE = 1 << 15,     /* it sends with MSG_MORE: counted in page->more */
};

struct tern_pair {
	struct tern_host_service service; /* first: the loop knows us by it */
	struct tern_broker *broker;
	uint64_t id;          /* the protocol's: serial << 24 | sock; 0: free */
	ino_t ino;            /* of the program's end */
	int sock;             /* the tern socket, and our index */
	int fd;               /* our end of the pair; -1: none */
	uint32_t next;        /* in the queue, index + 1 */
	uint32_t linger_next; /* among the lingering, index + 1 */
	uint16_t flags;       /* enum tern_pair_flag */
	uint8_t bits;         /* enum tern_pair_bit */
	uint8_t kind;         /* enum tern_pair_kind */
	uint8_t domain, type; /* AF_INET…, SOCK_STREAM… */
	uint8_t handshakes;   /* bytes to come that are the handshake's, not the program's */
	uint8_t settings_len;
	int32_t error; /* positive errno: will end the socket, its data first; SO_ERROR */
	uint32_t tail; /* bytes forwarded but unread at our end: at least one */
	struct tern_posix_setting *settings; /* what was set by setsockopt(), each once */
	union {
		struct tern_acceptor *acceptor; /* of a LISTENER */
		struct tern_near *near;         /* of a DGRAM that speaks to the loopback */
	};
	int linger_fd;         /* closed when lingering is over; -1: nobody waits */
	uint64_t linger_until; /* 0: not closed yet */
};

/* A socket that failed while the program may still hold its end. */
struct tern_dead {
	uint64_t id;
	int32_t error;      /* SO_ERROR, until it is asked for */
	int32_t last_error; /* what ended it */
	uint8_t domain, type;
	uint8_t settings_len;
	bool bound;                  /* by bind(), to local */
	bool failed;                 /* as TERN_PF_FAILED */
	union tern_posix_addr local; /* AF_UNSPEC: there was none */
	struct tern_posix_setting *settings;
};

struct tern_broker {
	struct tern_host *host;
	struct tern_broker_config cfg;
	struct tern_pair *pairs; /* by tern_sock's descriptor */
	uint32_t pairs_max, pairs_count, listeners;
	uint32_t pairs_top; /* none was ever in use from here on */
	uint64_t serial;
	uint32_t queue_head, queue_tail;   /* index + 1 */
	uint32_t linger_head, linger_tail; /* likewise: records with TERN_PF_LINGERS */
	uint64_t retry_at; /* listeners wait for descriptors until then; or TERN_NEVER */
	unsigned int fill; /* one-byte writes that fill a fresh pair, as measured */
	bool narrow;       /* the default SO_SNDBUF is less than TERN_POSIX_SNDBUF */
	bool urgent;       /* pairs of this kernel carry urgent data */
	int spares[2];     /* descriptors given up when there are no others; -1: given up */
	bool called;       /* a request was served since the last turn */
	bool ran;          /* something was done in this turn: what follows from it comes next */

	struct tern_posix_page *page;
	int page_fd;

	struct tern_host_service listen_service;
	int listen_fd;
	struct tern_process *processes; /* list */
	uint32_t processes_count;

	struct tern_dead *deads; /* by serial: a later one takes an earlier one's place */

	char run[TERN_POSIX_RUN_LEN + 1]; /* hexadecimal */
	uint8_t token[TERN_POSIX_TOKEN_LEN];
	struct tern_rng rng; /* of the salt in names */
	char env[sizeof(TERN_POSIX_ENV) + 1 + TERN_POSIX_RUN_LEN + 2 * TERN_POSIX_TOKEN_LEN + 1];
	struct rlimit nofile; /* as it was */

	uint64_t logged[TERN_BROKER_LOGGED]; /* hashes of lines */
	unsigned int logged_len;

	uint8_t scratch[TERN_BROKER_SCRATCH];
};

static inline uint64_t tern_broker_now(const struct tern_broker *b)
{
	return tern_host_time(b->host);
}

static inline struct tern_socks *tern_broker_socks(const struct tern_broker *b)
{
	return b->host->socks;
}

/* ---- broker.c ---- */

/* Runs the pair in this turn, or, called from a run, in the next: what a budget has cut short. */
void tern_pair_queue(struct tern_pair *p);

/* Changes what our end is watched for: TERN_LOOP_IN | READ_END and, with out, TERN_LOOP_OUT. */
int tern_pair_watch(struct tern_pair *p, bool out);

/* One line for the log, each distinct one once; printf's format. */
void tern_broker_log(struct tern_broker *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- broker_pair.c: making and unmaking of pairs ---- */

/* How many one-byte writes fill a pair on this kernel. */
int tern_pair_measure(struct tern_broker *b);

/*
 * Makes the pair of ends for a tern socket and its record: our end is named, watched and, of a
 * stream, filled. *ret_end is the program's end, the caller's to send and close. remote is NULL
 * but for accepted connections, which are not filled but given their tail, and then local too.
 * Negative errno: the tern socket is still the caller's.
 */
int tern_pair_new(struct tern_broker *b, int sock, int domain, int type,
		  const union tern_posix_addr *local, const union tern_posix_addr *remote,
		  struct tern_pair **ret_pair, int *ret_end);

/* The record of an id, or NULL. */
struct tern_pair *tern_pair_find(struct tern_broker *b, uint64_t id);

/* Closes our end, and the record; the tern socket is closed already or lives in another record. */
void tern_pair_free(struct tern_pair *p);

/* Has the program's end been closed by all who had it? To be asked at a hang-up only. */
bool tern_pair_is_closed(struct tern_pair *p);

/* Is the program's end of a connection still the one of a connect() in progress? */
void tern_pair_set_narrow(struct tern_pair *p, bool narrow);

/* Does the program say that more comes (TERN_POSIX_MORE)? */
void tern_pair_set_more(struct tern_pair *p, bool more);

/* The program has closed the socket: the tern socket is closed (reset with ABORT), or lingers. */
void tern_pair_close(struct tern_pair *p);

/* The same at the end of all, whatever the kind: nobody lingers. */
void tern_pair_drop(struct tern_pair *p);

/* The broker's end: as tern_pair_drop(), but the peer of a connection gets a RST. */
void tern_pair_abandon(struct tern_pair *p);

/*
 * The program has closed a socket with SO_LINGER and waits: its time runs, whatever there is still
 * to be sent.
 */
void tern_pair_begin_linger(struct tern_pair *p);

/* Looks at those that linger: have their FINs been acknowledged, is their time over? */
void tern_pair_linger(struct tern_broker *b);

/* ---- broker_dead.c ---- */

/*
 * The socket has failed with a positive errno: the program reads ECONNRESET, SO_ERROR is err. 0: it
 * is used up without an error, the program reads the end.
 */
void tern_pair_die(struct tern_pair *p, int err);

/* A dead socket, or NULL. */
struct tern_dead *tern_dead_find(struct tern_broker *b, uint64_t id);

/* Serves a request about a dead socket. */
void tern_dead_call(struct tern_broker *b, struct tern_dead *dead,
		    const struct tern_posix_request *req, struct tern_posix_reply *reply,
		    int *ret_fd);

/* ---- broker_control.c ---- */

int tern_control_new(struct tern_broker *b);
void tern_control_free(struct tern_broker *b);

/* There may be descriptors again. */
void tern_control_retry(struct tern_broker *b);

/* ---- broker_call.c ---- */

/*
 * Serves a request of a process that has said HELLO. Fills the reply but for id and result's
 * default; *ret_fd is a descriptor to be sent and closed, -1 if there is none.
 */
void tern_call(struct tern_broker *b, const struct tern_posix_request *req,
	       struct tern_posix_reply *reply, int *ret_fd);

/* The settings of a socket, for the kernel socket that takes its place. */
void tern_settings_give(const struct tern_posix_setting *settings, unsigned int n,
			struct tern_posix_reply *reply);

/* A new end of a pair gets SO_OOBINLINE if that is among the settings. */
void tern_settings_put_in_line(const struct tern_posix_setting *settings, unsigned int n, int end);

/* Keeps page->lingers right after SO_LINGER of the tern socket may have changed. */
void tern_pair_count_linger(struct tern_pair *p);

/* ---- broker_option.c ---- */

/* What an option of setsockopt() is called; its numbers, in room, if nobody knows. */
const char *tern_option_name(int level, int name, char room[TERN_OPTION_ROOM]);

/* ---- broker_connect.c, broker_stream.c ---- */

/* SO_ERROR of the tern socket, taken. */
int tern_connect_error(struct tern_pair *p);

void tern_connect_run(struct tern_pair *p);

/* A fresh pair becomes writable: what the program writes goes with the SYN (Fast Open). */
void tern_connect_defer(struct tern_pair *p);

/* The handshake is done, of whichever side: bytes flow. The record may be free afterwards. */
void tern_stream_begin(struct tern_pair *p);
void tern_stream_run(struct tern_pair *p);
void tern_fresh_run(struct tern_pair *p);

/* Takes what the program has written, so that what it asks for now does not concern it. */
void tern_stream_catch_up(struct tern_pair *p);

/* Bytes of the program's that lie in the pair, and that the stack has not taken. */
uint64_t tern_stream_unsent(const struct tern_pair *p);

/* Can the program still shut it down, or is the connection gone? */
bool tern_stream_is_open(struct tern_pair *p);

/* ---- broker_accept.c ---- */

/* After a successful listen(): kind becomes LISTENER. Again after each further listen(). */
int tern_accept_listen(struct tern_pair *p, int backlog);
void tern_accept_run(struct tern_pair *p);
void tern_accept_free(struct tern_pair *p);

/* How many more connections may be handed over now; 0: tern_loopback_room() will be called. */
unsigned int tern_accept_room(struct tern_pair *p);

/*
 * Hands a descriptor over in the queue of a listener; the descriptor stays the caller's, who closes
 * it. Negative errno: it could not be.
 */
int tern_accept_hand(struct tern_pair *p, int fd, bool kernel, bool nonblock,
		     const union tern_posix_addr *remote);

/* The place of the loopback room's record of a listener: NULL until it puts something there. */
struct tern_loopback **tern_accept_loopback(struct tern_pair *p);

/* ---- broker_dgram.c ---- */

/* Moves datagrams both ways as p->bits allow; clears them as they are used up; HANGUP too. */
void tern_dgram_run(struct tern_pair *p);

/* Sends what the program has written: a call of its finds the socket as it was left. */
void tern_dgram_catch_up(struct tern_pair *p);

/* ---- broker_loopback.c ---- */

/* After each successful listen(): on the kernel's loopback too if the address is a wildcard. */
void tern_loopback_listen(struct tern_pair *p, int backlog);

/* There is room in the queue again: what waits at the kernel's listeners goes on. */
void tern_loopback_room(struct tern_pair *p);

/* The listener ends. */
void tern_loopback_close(struct tern_pair *p);

/* After bind() of a datagram socket: it is found on the loopback if its address is a wildcard. */
void tern_near_open(struct tern_pair *p);

/* The socket ends, or becomes the kernel's altogether. */
void tern_near_close(struct tern_pair *p);

/* Is it an address of the loopback, or the wildcard, which means the same? */
bool tern_near_is(const union tern_posix_addr *addr);

/* Sends a datagram there. 0, or a negative errno of sendto(). */
int tern_near_send(struct tern_pair *p, const union tern_posix_addr *addr, const void *data,
		   size_t len);

/*
 * Shows the next datagram that came over the loopback, in b->scratch; tern_near_drop() takes it
 * away. Its length, or -EAGAIN: there is none.
 */
ssize_t tern_near_look(struct tern_pair *p, union tern_posix_addr *ret_from);
void tern_near_drop(struct tern_pair *p);

#endif
