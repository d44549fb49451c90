/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.h: two stacks in one process, joined by the in-memory link, in virtual time.
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
#include "link/mem.h"
#include "tern/stack.h"

enum {
	CLIENT,
	SERVER,
	DESTINATIONS = 16, /* listening ports of the server: one range of ports each */
	FIRST_PORT = 8000,
};

struct pair {
	struct tern_link_side side[2];
	tern_id listener[DESTINATIONS];
	unsigned int turn; /* destination of the next connection */
	uint64_t now;      /* ns, virtual */
	uint64_t step_ns;  /* virtual time between two connections */
};

/* Both stacks have room for conns connections and timewaits TIME-WAIT records. */
void pair_make(struct pair *p, uint32_t conns, uint32_t timewaits,
	       const struct tern_mem_link_config *link);
void pair_free(struct pair *p);

/* Moves frames until it is quiet, then runs what is due. */
void pair_pump(struct pair *p);

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
