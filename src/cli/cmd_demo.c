/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_demo.c: tern demo: what tern does, shown between two stacks in memory.
 *
 * Client and server are two real stacks joined by the in-memory link. Nobody waits: their clock is
 * a number that jumps to the next deadline, as in the simulator, and their keys come from fixed
 * seeds, so every run prints the same. A wire of one millisecond each way is played by the fault
 * wrapper. Whatever does not come out as it must ends the demo with status 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "link/fault.h"
#include "link/link.h"
#include "link/mem.h"
#include "report/ladder.h"
#include "report/sink.h"
#include "report/ss.h"
#include "tern/stack.h"

enum {
	ECHO_PORT = 7,
	DAYTIME_PORT = 13,
	FILE_BYTES = 1 << 20,
	WORK = 16384,
	TRACE = 4096,
	ROWS_MAX = 16,
	CLIENT = 0,
	SERVER = 1,
};

#define WIRE_NS   UINT64_C(1000000)     /* one way */
#define LIMIT_NS  UINT64_C(10000000000) /* for anything that is awaited */
#define MINUTE_NS UINT64_C(60000000000)

struct demo {
	struct tern_cli_args *args;
	struct tern_link_side sides[2];
	uint64_t now;
	tern_id listeners[2]; /* echo, daytime */
	tern_id client, server;
	struct tern_mem mem;
	struct tern_sink out;
	struct tern_trace_record records[2][TRACE];
	size_t record_count[2];
	bool ascii;
};

static const struct tern_endpoint server_at = { .addr = { TERN_INET, { 10, 77, 0, 2 } } };

/* Moves frames and time on to the next thing that is due. False when nothing is, within limit. */
static bool step(struct demo *d, uint64_t until)
{
	uint64_t next;

	(void)tern_link_pump(d->sides, d->now);
	next = tern_link_pump_deadline(d->sides);
	if (next > until)
		return false;
	if (next > d->now)
		d->now = next;
	for (int i = 0; i < 2; i++)
		tern_stack_tick(d->sides[i].stack, d->now);
	(void)tern_link_pump(d->sides, d->now);
	return true;
}

static void pass(struct demo *d, uint64_t ns)
{
	uint64_t until = d->now + ns;

	while (step(d, until))
		continue;
	d->now = until;
}

static unsigned int state_of(struct demo *d, int side, tern_id id)
{
	int64_t state = 0;

	(void)tern_stack_get_option(d->sides[side].stack, d->now, id, TERN_SO_STATE, &state);
	return (unsigned int)state;
}

/* A wire of some length around an end of the in-memory link. */
static int lengthen(struct tern_link **link)
{
	const struct tern_fault_config cfg = { .in.delay_ns = WIRE_NS, .out.delay_ns = WIRE_NS };

	return tern_fault_new(*link, &cfg, link);
}

static int make(struct demo *d)
{
	struct tern_config cfg[2] = { { .addr_count = 1, .trace_max = TRACE, .seed = "client" },
				      { .addr_count = 1, .trace_max = TRACE, .seed = "server" } };
	const struct tern_mem_link_config wire = { 0 };
	struct tern_link *ends[2];
	int err = tern_mem_link_new(&wire, ends);

	if (err)
		return err;
	err = lengthen(&ends[CLIENT]);
	d->sides[CLIENT].link = ends[CLIENT];
	d->sides[SERVER].link = ends[SERVER];
	for (int i = 0; i < 2 && !err; i++) {
		cfg[i].addrs[0] = (struct tern_prefix){ server_at.addr, 24 };
		cfg[i].addrs[0].addr.b[3] = (uint8_t)(i + 1);
		tern_link_configure(ends[i], &cfg[i]);
		err = tern_stack_new(&cfg[i], d->now, &d->sides[i].stack);
	}
	return err;
}

static int listen_on(struct demo *d, int which, uint16_t port)
{
	struct tern_stack *st = d->sides[SERVER].stack;
	struct tern_endpoint at = { .addr.family = TERN_INET, .port = port };
	int err = tern_stack_open(st, d->now, TERN_STREAM, TERN_INET, &d->listeners[which]);

	if (!err)
		err = tern_stack_bind(st, d->now, d->listeners[which], &at);
	return err ? err : tern_stack_listen(st, d->now, d->listeners[which], 16);
}

/* Opens a connection from client to server, until both ends have it. */
static int open_connection(struct demo *d, int which, uint16_t port)
{
	struct tern_stack *st = d->sides[CLIENT].stack;
	struct tern_endpoint to = server_at;
	uint64_t until = d->now + LIMIT_NS;
	int err = tern_stack_open(st, d->now, TERN_STREAM, TERN_INET, &d->client);

	to.port = port;
	if (!err)
		err = tern_stack_connect(st, d->now, d->client, &to);
	if (err)
		return err;
	do {
		if (!step(d, until))
			return -ETIMEDOUT;
		err = tern_stack_accept(d->sides[SERVER].stack, d->now, d->listeners[which],
					&d->server);
	} while (err == -EAGAIN);
	return err;
}

/* The server's turn of echo: what comes goes back. */
static void echo(struct demo *d, uint8_t *work)
{
	struct tern_stack *st = d->sides[SERVER].stack;
	int64_t n, sent;

	do {
		n = tern_stack_recv(st, d->now, d->server, work, WORK, TERN_MSG_PEEK);
		sent = n > 0 ? tern_stack_send(st, d->now, d->server, work, (size_t)n, 0) : 0;
		if (sent > 0)
			(void)tern_stack_recv(st, d->now, d->server, work, (size_t)sent, 0);
	} while (sent > 0);
}

/* Sends a file through echo, and has it back in copy. */
static int move_file(struct demo *d, const uint8_t *file, uint8_t *copy)
{
	struct tern_stack *st = d->sides[CLIENT].stack;
	uint64_t until = d->now + LIMIT_NS;
	size_t sent = 0, got = 0;
	uint8_t work[WORK];
	int64_t n;

	while (got < FILE_BYTES) {
		n = tern_stack_send(st, d->now, d->client, file + sent, FILE_BYTES - sent, 0);
		sent += n > 0 ? (size_t)n : 0;
		if (!step(d, until))
			return -ETIMEDOUT;
		echo(d, work);
		n = tern_stack_recv(st, d->now, d->client, copy + got, FILE_BYTES - got, 0);
		got += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Prints the socket table of a side. */
static void table(struct demo *d, int side)
{
	struct tern_socket_info rows[ROWS_MAX];
	struct tern_filter filter;
	struct tern_ss_options options = { .filter = &filter, .timers = true };
	uint64_t cursor = 0;
	size_t n = 0;

	tern_filter_init(&filter, TERN_FILTER_TCP, true, false);
	while (n < ROWS_MAX &&
	       tern_stack_next_socket(d->sides[side].stack, d->now, &cursor, &rows[n]))
		n++;
	printf("%s\n", side == CLIENT ? "client" : "server");
	tern_ss_table(&d->out, &options, rows, n);
	(void)fwrite(d->out.buf, 1, d->out.len, stdout);
	tern_sink_reset(&d->out);
}

static void read_traces(struct demo *d)
{
	for (int i = 0; i < 2; i++) {
		uint64_t cursor = 0;
		size_t n = 0;

		while (n < TRACE && tern_stack_trace(d->sides[i].stack, &cursor, &d->records[i][n]))
			n++;
		d->record_count[i] = n;
	}
}

static int show_file(struct demo *d)
{
	uint8_t *file = malloc(2 * (size_t)FILE_BYTES);
	uint64_t began = d->now, took;
	int err;

	if (!file)
		return -ENOMEM;
	for (uint32_t i = 0; i < FILE_BYTES; i++)
		file[i] = (uint8_t)(i * 2654435761u >> 24);
	err = open_connection(d, 0, ECHO_PORT);
	if (!err)
		err = move_file(d, file, file + FILE_BYTES);
	if (!err && memcmp(file, file + FILE_BYTES, FILE_BYTES) != 0)
		err = -EBADMSG;
	free(file);
	if (err)
		return err;
	took = d->now - began;
	pass(d, 10 * WIRE_NS);
	printf("1  A file of 1 MiB to the echo service and back: every byte equal, "
	       "in %llu ms of virtual time\n\n",
	       (unsigned long long)(took / 1000000));
	table(d, CLIENT);
	table(d, SERVER);
	return 0;
}

/* A connection that the server closes first, drawn with what both ends say of themselves. */
static int show_ladder(struct demo *d)
{
	static const char text[] = "Friday, November 20, 2026 12:00:00-UTC\r\n";
	struct tern_stack *st = d->sides[SERVER].stack;
	struct tern_ladder_options options = { .ascii = d->ascii };
	char answer[sizeof(text)];
	int64_t n;
	int err = open_connection(d, 1, DAYTIME_PORT);

	if (err)
		return err;
	n = tern_stack_send(st, d->now, d->server, text, sizeof(text) - 1, 0);
	err = n == sizeof(text) - 1 ? tern_stack_close(st, d->now, d->server) : -EBADMSG;
	pass(d, 10 * WIRE_NS);
	if (!err)
		err = tern_stack_local(d->sides[CLIENT].stack, d->client, &options.remote);
	n = tern_stack_recv(d->sides[CLIENT].stack, d->now, d->client, answer, sizeof(answer), 0);
	if (err || n != sizeof(text) - 1 || memcmp(answer, text, sizeof(text) - 1) != 0 ||
	    state_of(d, CLIENT, d->client) != TERN_CLOSE_WAIT)
		return err ? err : -EBADMSG;
	err = tern_stack_close(d->sides[CLIENT].stack, d->now, d->client);
	pass(d, 10 * WIRE_NS);
	read_traces(d);
	options.local = server_at;
	options.local.port = DAYTIME_PORT;
	options.peer = d->records[CLIENT];
	options.peer_count = d->record_count[CLIENT];
	printf("\n2  A daytime service that closes first: handshake, data and close, "
	       "both ends' states\n\n");
	if (!tern_ladder_text(&d->out, &options, d->records[SERVER], d->record_count[SERVER]))
		err = -EBADMSG;
	(void)fwrite(d->out.buf, 1, d->out.len, stdout);
	tern_sink_reset(&d->out);
	return err;
}

/* TIME-WAIT stands on the side that closed first, for a minute, and then is gone. */
static int show_timewait(struct demo *d)
{
	struct tern_stack_info info[2];

	tern_stack_info(d->sides[CLIENT].stack, d->now, &info[CLIENT]);
	tern_stack_info(d->sides[SERVER].stack, d->now, &info[SERVER]);
	if (info[CLIENT].timewaits != 0 || info[SERVER].timewaits != 1)
		return -EBADMSG;
	printf("\n3  Afterwards: TIME-WAIT, with its timer, on the side that closed first\n\n");
	table(d, CLIENT);
	table(d, SERVER);
	pass(d, MINUTE_NS);
	tern_stack_info(d->sides[SERVER].stack, d->now, &info[SERVER]);
	if (info[SERVER].timewaits != 0)
		return -EBADMSG;
	printf("\nA minute later (by the stacks' clock) it is gone.\n");
	return 0;
}

static int run(struct demo *d)
{
	int err = make(d);

	if (!err)
		err = listen_on(d, 0, ECHO_PORT);
	if (!err)
		err = listen_on(d, 1, DAYTIME_PORT);
	if (!err)
		err = show_file(d);
	if (!err)
		err = show_ladder(d);
	return err ? err : show_timewait(d);
}

int tern_cli_demo(struct tern_cli_args *args)
{
	struct demo *d;
	bool ascii = false;
	int id, err;

	while ((id = tern_cli_next(args)) > 0) {
		ascii = ascii || id == TERN_OPT_ASCII;
		if (id != TERN_OPT_OPERAND)
			continue;
		tern_cli_wrong(args, "'%s' is one too many; demo takes no operands", args->value);
		return args->status;
	}
	if (id < 0)
		return args->status;
	d = calloc(1, sizeof(*d));
	if (!d)
		return tern_cli_problem(args, "no memory");
	d->args = args;
	d->ascii = ascii;
	tern_sink_init(&d->out, &d->mem, 0);
	err = run(d);
	for (int i = 0; i < 2; i++) {
		tern_stack_free(d->sides[i].stack);
		tern_link_close(d->sides[i].link);
	}
	tern_sink_free(&d->out);
	free(d);
	if (err)
		return tern_cli_problem(args, "what was shown is not what must be: %s",
					strerror(-err));
	return tern_cli_flush(args);
}
