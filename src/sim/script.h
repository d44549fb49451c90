/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/script.h: a packetdrill script as a tree: options, then events in the order of the text.
 *
 * Symbols are numbers already, shell lines are settings already; nothing is looked up or read when
 * the script runs. Each item knows where in the text it stands. All memory is the script's arena.
 */
#ifndef TERN_SIM_SCRIPT_H
#define TERN_SIM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "sim/arena.h"
#include "tern/wire.h"

/* Where in the text something stands; both count from 1. */
struct tern_script_place {
	uint32_t line, column;
};

/* Numbers, texts, lists: arguments of calls, results, and what a %{ }% block computes. */
enum tern_expr_kind {
	TERN_EXPR_NUMBER,
	TERN_EXPR_STRING,   /* text, length */
	TERN_EXPR_ELLIPSIS, /* ... */
	TERN_EXPR_LIST,     /* [a, b] */
	TERN_EXPR_STRUCT,   /* {name=a, b}: members carry names */
	TERN_EXPR_UNARY,    /* op: first */
	TERN_EXPR_BINARY,   /* op: first, its next */
	TERN_EXPR_FIELD,    /* value is a number of tern_info_field */
};

enum tern_expr_op {
	TERN_OP_ADD,
	TERN_OP_SUB,
	TERN_OP_MUL,
	TERN_OP_DIV,
	TERN_OP_FLOOR,
	TERN_OP_MOD,
	TERN_OP_SHL,
	TERN_OP_SHR,
	TERN_OP_AND,
	TERN_OP_OR,
	TERN_OP_XOR,
	TERN_OP_INVERT,
	TERN_OP_MINUS,
	TERN_OP_NOT,
	TERN_OP_BOTH,   /* and */
	TERN_OP_EITHER, /* or */
	TERN_OP_EQ,
	TERN_OP_NE,
	TERN_OP_LT,
	TERN_OP_LE,
	TERN_OP_GT,
	TERN_OP_GE,
	TERN_OP_ABS,
	TERN_OP_MIN,
	TERN_OP_MAX,
};

struct tern_expr {
	enum tern_expr_kind kind;
	enum tern_expr_op op;
	struct tern_script_place place;
	const char *name; /* of a member, or NULL */
	double real;      /* of a number in a %{ }% block */
	int64_t value;
	const char *text;
	size_t length;
	struct tern_expr *first, *next;
};

/* What a %{ }% block asks. */
struct tern_script_assert {
	struct tern_script_assert *next;
	struct tern_script_place place;
	const char *text; /* as written */
	struct tern_expr *condition;
	struct tern_expr *shown; /* what is to be shown where it fails, or NULL */
};

enum tern_call_name {
	TERN_CALL_ACCEPT,
	TERN_CALL_ACCEPT4,
	TERN_CALL_BIND,
	TERN_CALL_CLOSE,
	TERN_CALL_CONNECT,
	TERN_CALL_EPOLL_CREATE,
	TERN_CALL_EPOLL_CREATE1,
	TERN_CALL_EPOLL_CTL,
	TERN_CALL_EPOLL_WAIT,
	TERN_CALL_FCNTL,
	TERN_CALL_GETPEERNAME,
	TERN_CALL_GETSOCKNAME,
	TERN_CALL_GETSOCKOPT,
	TERN_CALL_IOCTL,
	TERN_CALL_LISTEN,
	TERN_CALL_OPEN,
	TERN_CALL_PIPE,
	TERN_CALL_POLL,
	TERN_CALL_READ,
	TERN_CALL_READV,
	TERN_CALL_RECV,
	TERN_CALL_RECVFROM,
	TERN_CALL_RECVMSG,
	TERN_CALL_SEND,
	TERN_CALL_SENDFILE,
	TERN_CALL_SENDMSG,
	TERN_CALL_SENDTO,
	TERN_CALL_SETSOCKOPT,
	TERN_CALL_SHUTDOWN,
	TERN_CALL_SOCKET,
	TERN_CALL_SPLICE,
	TERN_CALL_WRITE,
	TERN_CALL_WRITEV,
	TERN_CALLS,
};

struct tern_script_call {
	enum tern_call_name name;
	unsigned int count; /* of arguments */
	struct tern_expr *args;
	struct tern_expr *result; /* number or ellipsis */
	int error;                /* positive errno that is expected, 0: not said */
	int64_t end_us;           /* of a call that blocks, as the event's times; -1: it does not */
};

/* What is asked of the IP header; 0 is nothing. */
enum tern_script_tos {
	TERN_TOS_ANY,
	TERN_TOS_ECN,   /* two bits: value */
	TERN_TOS_ECT01, /* either of two */
	TERN_TOS_ALL,   /* eight bits: value */
};

enum tern_script_protocol {
	TERN_SCRIPT_TCP,
	TERN_SCRIPT_UDP,
	TERN_SCRIPT_ICMP,
};

#define TERN_SCRIPT_OPTIONS    40    /* bytes of TCP options */
#define TERN_SCRIPT_LENGTH_MAX 65500 /* of payload */

struct tern_script_packet {
	bool out;
	enum tern_script_protocol protocol;
	enum tern_script_tos tos_kind;
	uint8_t tos;
	int ttl;               /* -1: not said */
	int64_t flow_label;    /* -1: not said */
	uint16_t sport, dport; /* 0: not said */

	uint16_t flags; /* enum tern_tcp_flag */
	uint32_t seq, len, ack;
	int64_t window; /* -1: not said */
	uint16_t urgent;
	bool any_options; /* <...> */
	uint8_t option[TERN_SCRIPT_OPTIONS];
	uint32_t option_len;

	uint8_t type, code; /* ICMP, of the script's IP version */
	uint32_t mtu;
	bool quotes;                      /* [seq:end(len)] or [udp (len)] */
	enum tern_script_protocol quoted; /* TCP or UDP */
	uint32_t quoted_seq, quoted_len;
};

enum tern_setting_kind {
	TERN_SETTING_KNOB,    /* name = value */
	TERN_SETTING_COUNTER, /* has counter `name` grown since the last look; by value, if said */
	TERN_SETTING_LOOK,    /* counters are looked at: growth counts from here */
};

/* One thing that a shell line does. */
struct tern_script_setting {
	struct tern_script_setting *next;
	enum tern_setting_kind kind;
	struct tern_script_place place;
	const char *name, *value;
	bool optional; /* sysctl -e: no error where there is no such knob */
};

enum tern_time_kind {
	TERN_TIME_ABSOLUTE,
	TERN_TIME_RELATIVE,
	TERN_TIME_ABSOLUTE_RANGE,
	TERN_TIME_RELATIVE_RANGE,
	TERN_TIME_ANY,
};

enum tern_event_kind {
	TERN_EVENT_PACKET,
	TERN_EVENT_CALL,
	TERN_EVENT_SHELL,
	TERN_EVENT_CHECK,
};

struct tern_script_event {
	struct tern_script_event *next;
	struct tern_script_place place;
	const char *text; /* the event as written, without the time; not NUL-terminated */
	size_t length;
	enum tern_time_kind time;
	int64_t at_us, end_us; /* end: of a range */
	enum tern_event_kind kind;
	union {
		struct tern_script_packet *packet;
		struct tern_script_call *call;
		struct tern_script_setting *settings; /* of a shell line, may be none */
		struct tern_script_assert *asserts;   /* of a %{ }% block, may be none */
	};
};

enum tern_script_version {
	TERN_SCRIPT_IPV4,
	TERN_SCRIPT_IPV6,
	TERN_SCRIPT_MAPPED, /* AF_INET6 sockets, IPv4 packets */
};

/* NAME=VALUE of the command line (-D). */
struct tern_script_define {
	const char *name, *value;
};

struct tern_script_options {
	enum tern_script_version version;
	struct tern_addr local, remote; /* family 0: the default of the version */
	uint16_t bind_port, connect_port;
	uint32_t mtu;
	uint16_t mss; /* 0: not said */
	int64_t tolerance_us;
	uint32_t tolerance_percent;
	uint32_t ts_tick_us; /* 0: timestamps are not compared */
};

struct tern_script {
	struct tern_arena arena;
	const char *name; /* as given to the parser, which keeps the pointer */
	struct tern_script_options options;
	struct tern_script_setting *settings; /* of the first shell line */
	struct tern_script_event *events;
	const char *text; /* the arena's own copy */
};

#define TERN_SCRIPT_MESSAGE 240

struct tern_script_error {
	struct tern_script_place place;
	char message[TERN_SCRIPT_MESSAGE];
	char line[TERN_SCRIPT_MESSAGE]; /* the line it is about */
};

/* Reads a whole file into the arena, with a NUL behind it. NULL and errno where it cannot. */
char *tern_script_load(struct tern_arena *arena, const char *path, size_t *ret_length);

/*
 * Parses len bytes. ret_script is filled in either case and is to be freed by tern_script_free().
 * Shell lines may name files of settings beside the script: they are read, and nothing is
 * executed. -EINVAL: ret_error says what and where; -ENOMEM.
 */
TERN_NODISCARD int tern_script_parse(const char *name, const char *text, size_t len,
				     const struct tern_script_define *defines, size_t define_count,
				     struct tern_script *ret_script,
				     struct tern_script_error *ret_error);

void tern_script_free(struct tern_script *script);

#endif
