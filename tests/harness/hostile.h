/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/hostile.h: a stack under attack, and a bystander.
 *
 * The victim is a stack with servers. A friend, another stack, has a connection with it over a
 * clean wire: whatever an attacker does, its bytes must arrive once and in order, both ways. An
 * attacker is the test: it sends frames of its own making, or mangles those of a third stack, the
 * mark. Time is virtual, chance comes from a seed.
 *
 * After every frame in: at most one drop reason was counted, the limits hold. Every frame out: it
 * parses, its checksums are right, its options are legal for its flags. A failure prints the line
 * that replays it.
 */
#ifndef TERN_TESTS_HARNESS_HOSTILE_H
#define TERN_TESTS_HARNESS_HOSTILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/internal.h"
#include "tern/stack.h"
#include "wire/tcp.h"

#define HOSTILE_MS UINT64_C(1000000)
#define HOSTILE_S  UINT64_C(1000000000)

enum {
	FRIEND_HOST = 1, /* last byte of addresses: 10.77.0.x, fd77::x */
	VICTIM_HOST = 2,
	MARK_HOST = 3,
	ATTACKER_HOST = 66,
	SERVER_PORT = 80,   /* whoever comes is served: what it says is said back */
	FRIEND_PORT = 7777, /* the bystander's */
	ECHO_PORT = 53,     /* UDP */
	HOSTILE_FRAME = 2048,
};

struct world {
	struct tern_stack *victim, *friend, *mark; /* mark may be NULL */
	uint64_t now, seed;
	struct tern_rng rng;
	uint8_t family;
	tern_id listener, quiet, udp; /* the victim's servers */
	tern_id near, far;            /* ends of the bystander: the victim's, the friend's */
	uint64_t sent[2], got[2];     /* its bytes: friend to victim, victim to friend */
	bool idle_server;             /* connections are not accepted */
	bool moody_server;            /* it closes, shuts, aborts, stops reading as chance has it */

	/* What the link says of injected frames: nothing, unless the test has it lie. */
	enum tern_csum csum;
	uint32_t gso_size;

	/* What the victim sent to anybody but the friend. */
	uint64_t digest; /* of all of it */
	uint64_t out, out_bytes, out_rsts;
	struct tern_segment last; /* the last TCP segment; data is NULL */
	/* Who takes it; NULL: nobody. The frame is the callee's for the time of the call. */
	void (*outsider)(struct world *w, uint8_t *frame, uint32_t len);
	void *context;
	struct world *older; /* made before this one and not freed yet */
};

/* A TCP segment with everything in the hands of the attacker. */
struct shot {
	struct tern_endpoint from, to;
	tern_seq seq, ack;
	uint16_t flags, wnd, urgent;
	uint32_t opt_len; /* a multiple of 4 */
	const uint8_t *opt;
	uint32_t len;
	const uint8_t *data; /* NULL: zeros */
};

/* Runs `run` with seeds 1..count or 1..$TERN_SEEDS, or with the one in $TERN_SEED only. */
void hostile_run(const char *test, uint64_t count, void (*run)(uint64_t seed));

/* Fails the test and says how to replay it. */
void hostile_fail(const char *what, const char *file, int line);
#define HOLDS(cond)                                              \
	do {                                                     \
		if (!(cond))                                     \
			hostile_fail(#cond, __FILE__, __LINE__); \
	} while (0)

/* A world, its servers up, the bystander connected. The configuration may be changed first. */
struct tern_config hostile_config(uint8_t family, uint8_t host, uint64_t seed);
struct world *world_new(uint8_t family, uint64_t seed);
struct world *world_new_cfg(uint8_t family, uint64_t seed, const struct tern_config *victim);

/* The bystander says the rest and closes; all is over in an hour; everything must be back. */
void world_free(struct world *w);

struct tern_addr world_addr(const struct world *w, uint8_t host);
struct tern_endpoint world_at(const struct world *w, uint8_t host, uint16_t port);

/* Chance: a number below n; true once in n times. */
uint32_t world_pick(struct world *w, uint32_t n);
bool world_once_in(struct world *w, uint32_t n);

/* Carries frames until nobody has any. */
void world_settle(struct world *w);

/* Lets time pass, timers included. */
void world_pass(struct world *w, uint64_t ns);

/* The victim's applications do what is to be done. */
void world_serve(struct world *w);

/* The bystander says up to n bytes each way; what came is compared. */
void world_chat(struct world *w, uint32_t n);

/*
 * A frame into the victim, and its answers out. Returns why it was dropped, if it was. _burst: its
 * answers are left where they are.
 */
enum tern_drop world_inject(struct world *w, const uint8_t *frame, uint32_t len);
enum tern_drop world_inject_burst(struct world *w, const uint8_t *frame, uint32_t len);

/* A segment into the victim. */
enum tern_drop world_fire(struct world *w, const struct shot *s);
uint32_t shot_build(const struct shot *s, uint8_t *frame);

/* Writes the checksums of a frame anew, as far as it can be parsed. */
void hostile_fix_checksums(uint8_t *frame, uint32_t len);

/* The handshake of a client at `from` that no stack stands behind: s is the next segment. */
void world_shake(struct world *w, const struct tern_endpoint *from, struct shot *s);

/* Limits of the victim hold. */
void world_check(struct world *w);

uint64_t world_drops(const struct world *w);

#endif
