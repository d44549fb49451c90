/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_internal.h: a script being run. Private to the drill files.
 *
 * Time is d->now, in nanoseconds of the stack's clock; scripts count microseconds from d->start.
 * A script's sequence numbers are, on a SYN, those that it says; on all other segments they count
 * from the SYN, which is 0, whatever it said. Of the peer what it says on the SYN is true ("live");
 * of us the stack says what is, as it does of our timestamps.
 */
#ifndef TERN_SIM_DRILL_INTERNAL_H
#define TERN_SIM_DRILL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/sink.h"
#include "sim/drill.h"
#include "sim/script.h"
#include "sock/sock.h"
#include "tern/stack.h"
#include "trace/counter.h"
#include "wire/ip.h"
#include "wire/segment.h"

enum {
	DRILL_FDS = 256,     /* descriptors of a script */
	DRILL_FRAME = 66000, /* bytes of a frame */
	DRILL_KEPT = 256,    /* bytes that are kept of a frame out */
	DRILL_STAMPS = 512,  /* timestamps remembered of a connection */
	DRILL_TRACE = 1024,  /* records for the ladder */
	DRILL_WATCHED = 64,  /* descriptors of an epoll instance */
	DRILL_PIPE = 65536,  /* bytes that a pipe holds */
};

#define DRILL_US      UINT64_C(1000)
#define DRILL_MS      UINT64_C(1000000)
#define DRILL_S       UINT64_C(1000000000)
#define DRILL_FOREVER (3600 * DRILL_S)

/* A frame that the stack has sent, and the script has not yet asked for. */
struct drill_frame {
	struct drill_frame *next;
	uint64_t time;
	uint32_t len, kept; /* of the frame; of bytes */
	uint8_t bytes[DRILL_KEPT];
};

/* How far a connection of the script has come; packetdrill's socket states. */
enum drill_phase {
	DRILL_NEW,
	DRILL_LISTENING,
	DRILL_PACKET_RECEIVED, /* the first packet to a listener made it */
	DRILL_SYNACK_SENT,
	DRILL_SYNACK_ACKED,
	DRILL_CONNECTING,
	DRILL_SYN_SENT,
	DRILL_SYN_ACKED,
};

struct drill_stamp {
	uint32_t script, live;
};

/* A socket under test: a listener, a connection, a datagram socket. Outlives its descriptor. */
struct drill_flow {
	struct drill_flow *next;
	enum drill_phase phase;
	int fd; /* of the script, -1: none yet */
	bool udp;
	struct tern_endpoint local, remote;  /* live */
	uint16_t script_sport, script_dport; /* ports that the script gives a peer's packet, or 0 */
	uint32_t script_isn, live_isn;       /* ours */
	uint32_t peer_isn;                   /* the peer's */
	bool peer_spoke;                     /* it has sent its SYN */
	bool stamped;                        /* the first timestamp was seen: */
	struct drill_stamp first;
	uint32_t stamp_count;
	struct drill_stamp stamps[DRILL_STAMPS]; /* a ring */
};

struct drill_watch {
	int fd;
	uint32_t events;
	uint64_t data;
	bool used, armed; /* armed: an edge is to be told, or EPOLLONESHOT has not fired */
};

struct drill_epoll {
	struct drill_watch watched[DRILL_WATCHED];
};

struct drill_pipe {
	uint32_t bytes;
	bool closed[2];
};

enum drill_fd_kind {
	DRILL_FD_NONE,
	DRILL_FD_SOCKET,
	DRILL_FD_EPOLL,
	DRILL_FD_PIPE, /* end: 0 reads, 1 writes */
	DRILL_FD_FILE,
};

struct drill_fd {
	enum drill_fd_kind kind;
	int live; /* of a socket */
	bool nonblock, inq;
	int end;
	struct drill_flow *flow;
	struct drill_epoll *epoll;
	struct drill_pipe *pipe;
};

/* A system call under way. */
struct drill_call {
	const struct tern_script_event *event;
	const struct tern_script_call *call;
	bool begun, active, done;
	bool waits;  /* it may block, and what it waits for is: */
	int wait_fd; /* live, -1: nothing but time */
	uint32_t bits;
	uint64_t deadline;
	uint64_t ended;
	int64_t end_us; /* latest, of a call that blocks; -1: it does not */
	int64_t result; /* or negative errno */
	uint64_t count; /* bytes moved so far */
	struct drill_fd *fd;
};

struct drill {
	const struct tern_drill_config *cfg;
	struct tern_script script;
	struct tern_sink *out;
	struct tern_stack *st;
	struct tern_socks *ss;
	uint64_t start, now;
	int64_t last_us; /* when the last event was over */
	const struct tern_script_event *event;
	enum tern_drill_verdict verdict;
	struct tern_script_place failed_at;
	char message[300]; /* why it has failed */
	char actual[300];  /* what came, in the script's words */
	uint64_t trace_cursor;
	uint64_t looked[TERN_COUNTERS]; /* counters when a script last looked */
	struct tern_addr local, remote;
	uint16_t next_port; /* the peer's next ephemeral one */
	struct drill_flow *flows, *under_test;
	struct drill_fd fds[DRILL_FDS];
	struct drill_frame *frames, **tail, *spare;
	struct drill_call blocked;
	uint8_t *frame; /* DRILL_FRAME bytes */
	uint8_t *data;  /* payload of calls, zeros where they send */
	size_t data_size;
};

/* ---- drill.c ---- */

/* Microseconds of the script now, and the tolerance of what is expected at expected_us. */
int64_t tern_drill_us(const struct drill *d, uint64_t ns);
int64_t tern_drill_tolerance(const struct drill *d, int64_t expected_us);

/* Fails the script if a call that blocked did not return when it was to. */
void tern_drill_check_end(struct drill *d, const struct drill_call *c);

/* ---- drill_clock.c ---- */

/* Lets time pass until `until`; or until there is a frame at *stop, and then no further. */
void tern_drill_pass(struct drill *d, uint64_t until, struct drill_frame *const *stop);

/* Takes what the stack has to say now: frames to the queue, and blocked calls on their way. */
void tern_drill_settle(struct drill *d);

/* A frame into the stack. */
void tern_drill_input(struct drill *d, const uint8_t *bytes, uint32_t len);

/* The frame of the queue that *at leads to is done with. */
void tern_drill_drop_frame(struct drill *d, struct drill_frame **at);

/* ---- drill_flow.c ---- */

struct drill_flow *tern_drill_flow_new(struct drill *d, enum drill_phase phase);

/* The flow that a packet of the script is about; NULL: there is none, and that was said. */
struct drill_flow *tern_drill_flow_of_script(struct drill *d,
					     const struct tern_script_packet *packet);

/* The flow of a frame out, or NULL. */
struct drill_flow *tern_drill_flow_of_frame(struct drill *d, const struct tern_packet *pkt,
					    const struct tern_segment *seg);

/* What is to be added to a number of ours in a packet of the script, to make it live. */
uint32_t tern_drill_flow_shift(const struct drill_flow *flow, bool syn);

/* Timestamps: live of a script's (itself where it is unknown); remembers a pair. */
uint32_t tern_drill_stamp_live(const struct drill_flow *flow, uint32_t script);
void tern_drill_stamp_note(struct drill_flow *flow, uint32_t script, uint32_t live);

/* ---- drill_in.c, drill_out.c ---- */

void tern_drill_packet_in(struct drill *d, const struct tern_script_packet *packet);
void tern_drill_packet_out(struct drill *d, const struct tern_script_packet *packet);

/* ---- drill_call.c: system calls ---- */

void tern_drill_call(struct drill *d, const struct tern_script_call *call);

/* Goes on with the call that blocks, if there is one. */
void tern_drill_call_retry(struct drill *d);

/* The call that blocks has to end now: time goes on until it has, and its end is looked at. */
void tern_drill_call_finish(struct drill *d);

/* ---- drill_argument.c ---- */

/* Argument i, or NULL; a number of it (says so where it is none). */
const struct tern_expr *tern_drill_arg(const struct drill_call *c, unsigned int i);
bool tern_drill_number(struct drill *d, const struct tern_expr *e, int64_t *ret);

/* The member of a structure, or NULL. */
const struct tern_expr *tern_drill_member(const struct tern_expr *e, const char *name);

/* The descriptor of the script that an argument names; NULL: EBADF is the result. */
struct drill_fd *tern_drill_fd_at(struct drill *d, struct drill_call *c, const struct tern_expr *e);

/* A socket that is still open loses its descriptor: the script's next accept() has the same. */
void tern_drill_fd_give_up(struct drill *d, int64_t script_fd);

/* Gives a script's descriptor a meaning; the script says which, in its result. */
struct drill_fd *tern_drill_fd_new(struct drill *d, int64_t script_fd, enum drill_fd_kind kind);

/* The socket of argument 0; NULL: EBADF or ENOTSOCK is the result. */
struct drill_fd *tern_drill_socket_at(struct drill *d, struct drill_call *c);

/* The end of a call: always true. */
bool tern_drill_done(struct drill_call *c, int64_t result);

/* It waits: always false. In drill_call.c. */
bool tern_drill_wait(struct drill *d, struct drill_call *c, enum tern_sock_op op);

/* n bytes of room for what a call moves; NULL: no memory, and that was said. */
uint8_t *tern_drill_data(struct drill *d, uint64_t n);

/* What a call is: true once its result is there. */
typedef bool drill_call_fn(struct drill *d, struct drill_call *c);

drill_call_fn tern_drill_call_socket, tern_drill_call_bind, tern_drill_call_listen,
	tern_drill_call_accept, tern_drill_call_connect, tern_drill_call_close,
	tern_drill_call_shutdown, tern_drill_call_fcntl, tern_drill_call_ioctl,
	tern_drill_call_name;
drill_call_fn tern_drill_call_send, tern_drill_call_recv, tern_drill_call_sendfile,
	tern_drill_call_splice, tern_drill_call_pipe, tern_drill_call_open;
drill_call_fn tern_drill_call_setsockopt, tern_drill_call_getsockopt;
drill_call_fn tern_drill_call_poll, tern_drill_call_epoll_create, tern_drill_call_epoll_ctl,
	tern_drill_call_epoll_wait;

/* What a call says of its data. */
struct drill_transfer {
	uint64_t len;
	int flags;
	bool fault; /* the buffer is NULL */
	const struct tern_expr *message, *address;
};

/* Reads that out of its arguments; false: they are wrong, and that was said. */
bool tern_drill_transfer(struct drill *d, const struct drill_call *c, struct drill_transfer *t);

/* An address argument as Linux' sockaddr: its length; -1: it cannot be, and was said. */
int tern_drill_sockaddr(struct drill *d, const struct tern_expr *e, bool remote, uint8_t *to);

/* An edge for those who watch the live descriptor; the descriptor goes. */
void tern_drill_epoll_edge(struct drill *d, int live);
void tern_drill_epoll_forget(struct drill *d, int script_fd);

/* ---- drill_check.c ---- */

void tern_drill_check(struct drill *d, const struct tern_script_assert *asserts);

/* Sets the knobs of a shell line. */
void tern_drill_settings(struct drill *d, const struct tern_script_setting *settings);

/* ---- drill_say.c ---- */

void tern_drill_say(struct drill *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The script has failed at the event (broken: at the place): one line, then what was expected. */
void tern_drill_fail(struct drill *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void tern_drill_broken(struct drill *d, struct tern_script_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* -v: an event, a frame. */
void tern_drill_trace_event(struct drill *d);
void tern_drill_trace_frame(struct drill *d, const uint8_t *bytes, uint32_t len, bool in);

void tern_drill_trace_states(struct drill *d);

/* Why the script has failed, at length; and the connection under test, drawn. */
void tern_drill_report(struct drill *d);
void tern_drill_ladder(struct drill *d);

#endif
