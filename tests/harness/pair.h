/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/pair.h: two stacks and the wire between them, in virtual time. The test says which
 * frames the wire loses, doubles or keeps for later; all others arrive at once, in order.
 */
#ifndef TERN_TESTS_HARNESS_PAIR_H
#define TERN_TESTS_HARNESS_PAIR_H

#include "harness/puppet.h"

enum { CLIENT, SERVER };

enum {
	PAIR_FRAME = 2048,
	SERVER_PORT = 80,
};

struct pair_frame {
	uint8_t bytes[PAIR_FRAME];
	uint32_t len;
	unsigned int from;
	struct tern_segment seg; /* its data points into bytes */
};

/* What the wire does with a frame. */
enum pair_fate {
	CARRY,
	LOSE,
	DOUBLE,
};

struct pair {
	struct tern_stack *st[2];
	uint64_t now;
	struct tern_config cfg[2];
	tern_id listener;

	/* Asked about each frame, if set; arg is the test's. */
	enum pair_fate (*fate)(void *arg, const struct pair_frame *frame);
	void *arg;

	/* Of the next frames from `lose_from` with all these flags so many are lost. */
	unsigned int lose, lose_from;
	uint16_t lose_flags;

	/* The last frame from `keep_from` with payload is copied here. */
	bool keep;
	unsigned int keep_from;
	struct pair_frame kept;

	uint64_t frames[2]; /* sent by each */
	uint64_t resets;    /* of these, RST */
};

/* 10.77.0.1 connects, 10.77.0.2 listens at SERVER_PORT; each has room for so many connections. */
struct pair *pair_new(uint32_t conns);
void pair_free(struct pair *p);

/* Sets a knob on both. */
void pair_knob(struct pair *p, const char *name, const char *value);

/* One side crashes: a new stack without a memory, at the same address, on the same link. */
void pair_crash(struct pair *p, unsigned int side);
void pair_listen(struct pair *p, int backlog);

/* Carries frames until both are silent; lets time pass. */
void pair_run(struct pair *p);
void pair_wait(struct pair *p, uint64_t ms);

/* A frame arrives (again). */
void pair_inject(struct pair *p, const struct pair_frame *frame);

/* connect() from a port (0: any), and what came of it when both were silent. */
int pair_connect(struct pair *p, uint16_t port, tern_id *ret_id);
tern_id pair_accept(struct pair *p);

/* State of a held socket; CLOSED if the id is dead. */
enum tern_state pair_state(const struct pair *p, unsigned int side, tern_id id);

/* n bytes of one value are written, and carried; n bytes of it are there to be read. */
void pair_write(struct pair *p, unsigned int side, tern_id id, uint8_t value, uint32_t n);
void pair_expect_bytes(struct pair *p, unsigned int side, tern_id id, uint8_t value, uint32_t n);
void pair_close(struct pair *p, unsigned int side, tern_id id);
int pair_error(const struct pair *p, unsigned int side, tern_id id);

#endif
