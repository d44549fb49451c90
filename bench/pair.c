/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The clock of the two stacks is virtual: it moves by step_ns with each connection, so that as many
 * TIME-WAIT records stand as 60 s hold steps, and in the steady state one is made and one expires
 * for each connection. Applications pull every event, as a program must.
 */
#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_fail(const char *what, long long value)
{
	if (value < 0 && value > -4096)
		fprintf(stderr, "bench: %s: %s\n", what, strerror((int)-value));
	else
		fprintf(stderr, "bench: %s: %lld\n", what, value);
	exit(1);
}

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		bench_fail("clock_gettime", -errno);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_cpu(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t bench_number(const char *text)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9') {
		fprintf(stderr, "bench: not a whole number: %s\n", text);
		exit(2);
	}
	return value;
}

static struct tern_addr side_addr(unsigned int side)
{
	return tern_addr_v4(10, 77, 0, (uint8_t)(1 + side));
}

static void make_side(struct pair *p, unsigned int side, uint32_t conns, uint32_t timewaits,
		      uint32_t mtu)
{
	const struct tern_config cfg = { .addrs = { { side_addr(side), 24 } },
					 .addr_count = 1,
					 .mtu = mtu,
					 .conns_max = conns,
					 .timewaits_max = timewaits,
					 .seed = { 1, (uint8_t)side } };

	bench_check("tern_stack_new", tern_stack_new(&cfg, p->now, &p->stack[side]));
}

struct pair *pair_make(uint32_t conns, uint32_t timewaits, uint32_t mtu)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p)
		bench_fail("memory", -ENOMEM);
	p->now = 1000000000;
	for (unsigned int i = 0; i < 2; i++)
		make_side(p, i, conns + DESTINATIONS, timewaits, mtu);
	for (unsigned int i = 0; i < DESTINATIONS; i++) {
		struct tern_endpoint at = { { .family = TERN_INET }, (uint16_t)(FIRST_PORT + i) };
		struct tern_stack *server = p->stack[SERVER];
		tern_id *id = &p->listener[i];

		bench_check("open", tern_stack_open(server, p->now, TERN_STREAM, TERN_INET, id));
		bench_check("bind", tern_stack_bind(server, p->now, *id, &at));
		bench_check("listen", tern_stack_listen(server, p->now, *id, 128));
	}
	return p;
}

void pair_free(struct pair *p)
{
	tern_stack_free(p->stack[CLIENT]);
	tern_stack_free(p->stack[SERVER]);
	free(p);
}

struct tern_stack_info pair_info(const struct pair *p, unsigned int side)
{
	struct tern_stack_info info;

	tern_stack_info(p->stack[side], p->now, &info);
	return info;
}

void pair_tick(struct pair *p)
{
	tern_stack_tick(p->stack[CLIENT], p->now);
	tern_stack_tick(p->stack[SERVER], p->now);
}

/* A frame of several pieces in one. */
static __attribute__((noinline)) const uint8_t *gather(struct pair *p, unsigned int i)
{
	(void)tern_link_gather(p->gathered[i], &p->outs[i]);
	return p->gathered[i];
}

/*
 * What one side has to send goes into the other. A frame in one piece is handed over where it
 * lies, as on a link that lends its buffers; others are gathered. Returns the number of frames.
 */
static unsigned int carry(struct pair *p, unsigned int from)
{
	struct tern_frame frames[BURST];
	unsigned int n = tern_stack_output(p->stack[from], p->now, p->outs, BURST);

	for (unsigned int i = 0; i < n; i++) {
		const struct tern_out *out = &p->outs[i];

		frames[i] = (struct tern_frame){ .data = out->pieces == 1 ? out->piece[0].ptr
									  : gather(p, i),
						 .len = out->len,
						 .gso_size = out->gso_size,
						 .csum = out->csum };
	}
	if (n)
		tern_stack_input(p->stack[!from], p->now, frames, n);
	p->frames += n;
	return n;
}

void pair_pump(struct pair *p, unsigned int first)
{
	unsigned int idle = 0, from = first;

	while (idle < 2) {
		unsigned int n = carry(p, from);

		if (n < BURST) { /* it has said all it had to say */
			idle = n ? 1 : idle + 1;
			from = !from;
		}
	}
}

/* Pulls all events of a side; bits must be among them. */
static void expect_events(struct pair *p, unsigned int side, uint32_t bits)
{
	struct tern_event event;
	uint32_t seen = 0;

	while (tern_stack_event(p->stack[side], &event))
		seen |= event.bits;
	if ((seen & bits) != bits)
		bench_fail("event missing", bits & ~seen);
}

void pair_open(struct pair *p, tern_id ret_ids[2])
{
	struct tern_stack *client = p->stack[CLIENT], *server = p->stack[SERVER];
	unsigned int at = p->turn++ % DESTINATIONS;
	struct tern_endpoint to = { side_addr(SERVER), (uint16_t)(FIRST_PORT + at) };
	int err = tern_stack_open(client, p->now, TERN_STREAM, TERN_INET, &ret_ids[CLIENT]);

	bench_check("open", err);
	bench_check("connect", tern_stack_connect(client, p->now, ret_ids[CLIENT], &to));
	pair_pump(p, CLIENT);
	expect_events(p, SERVER, TERN_EV_ACCEPTABLE);
	err = tern_stack_accept(server, p->now, p->listener[at], &ret_ids[SERVER]);
	bench_check("accept", err);
	expect_events(p, CLIENT, TERN_EV_CONNECTED);
}

void pair_openclose(struct pair *p)
{
	struct tern_stack *client = p->stack[CLIENT], *server = p->stack[SERVER];
	uint8_t byte;
	tern_id id[2];

	p->now += p->step_ns;
	pair_tick(p);
	pair_open(p, id);
	bench_check("close", tern_stack_close(client, p->now, id[CLIENT]));
	pair_pump(p, CLIENT);
	expect_events(p, SERVER, TERN_EV_PEER_CLOSED);
	if (tern_stack_recv(server, p->now, id[SERVER], &byte, 1, 0) != 0)
		bench_fail("end of data missing", 0);
	bench_check("close", tern_stack_close(server, p->now, id[SERVER]));
	pair_pump(p, SERVER);
}
