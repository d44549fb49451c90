/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.h: two stacks in one process, in virtual time: what one puts out goes into the other.
 *
 * Side 0 connects, side 1 listens. Every frame is built, carried and verified with full checksums.
 * Whatever goes wrong ends the program with a line on stderr and exit status 1: a benchmark whose
 * work failed has no figure.
 */
#ifndef TERN_BENCH_PAIR_H
#define TERN_BENCH_PAIR_H

#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "link/link.h"
#include "tern/stack.h"

enum {
	CLIENT,
	SERVER,
	DESTINATIONS = 16, /* listening ports of the server: one range of ports each */
	FIRST_PORT = 8000,
	BURST = 8,
};

struct pair {
	struct tern_stack *stack[2];
	tern_id listener[DESTINATIONS];
	unsigned int turn; /* destination of the next connection */
	uint64_t now;      /* ns, virtual */
	uint64_t step_ns;  /* virtual time between two connections */
	uint64_t frames;   /* carried so far */
	struct tern_out outs[BURST];
	uint8_t gathered[BURST][65536];
};

/*
 * A pair whose stacks have room for conns connections and timewaits TIME-WAIT records. It is large:
 * in memory of its own, freed by pair_free.
 */
struct pair *pair_make(uint32_t conns, uint32_t timewaits, uint32_t mtu);
void pair_free(struct pair *p);

/* Runs the timers that are due. */
void pair_tick(struct pair *p);

/* Carries frames until it is quiet; `first` may have something to send. */
void pair_pump(struct pair *p, unsigned int first);

/* Connects to the next destination and accepts: both ids, ESTABLISHED. */
void pair_open(struct pair *p, tern_id ret_ids[2]);

/*
 * The life of a connection: opened, accepted, closed by the client, read to its end and closed by
 * the server. Seven segments, and every event is pulled. TIME-WAIT remains at the client.
 */
void pair_openclose(struct pair *p);

struct tern_stack_info pair_info(const struct pair *p, unsigned int side);

/* Ends the program: what was expected did not come. */
_Noreturn void bench_fail(const char *what, long long value);

/* value >= 0, or the end of the program. */
static inline int64_t bench_check(const char *what, int64_t value)
{
	if (value < 0)
		bench_fail(what, value);
	return value;
}

/* The monotonic clock and this process's CPU time, ns. */
uint64_t bench_now(void);
uint64_t bench_cpu(void);

/* A whole number from the command line, or exit status 2. */
uint64_t bench_number(const char *text);

#endif
