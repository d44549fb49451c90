/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * joined.h: two whole stacks whose frames are handed over directly, without a link.
 */
#ifndef TERN_TESTS_UNIT_STACK_JOINED_H
#define TERN_TESTS_UNIT_STACK_JOINED_H

#include "unit/stack/fixture.h"

enum { CLIENT, SERVER, JOINED_BURST = 8 };

struct joined {
	struct tern_stack *st[2];
	uint64_t now;
};

/* 10.77.0.1 and 10.77.0.2, each with room for conns connections and as many in TIME-WAIT. */
TERN_INLINE void joined_open(struct joined *j, uint32_t conns)
{
	struct tern_config cfg = { .addr_count = 1, .conns_max = conns, .timewaits_max = conns };

	j->now = 1000 * S;
	for (uint8_t i = 0; i < 2; i++) {
		cfg.addrs[0] =
			(struct tern_prefix){ tern_addr_v4(10, 77, 0, (uint8_t)(1 + i)), 24 };
		cfg.seed[0] = i;
		assert_int_equal(tern_stack_new(&cfg, j->now, &j->st[i]), 0);
	}
}

TERN_INLINE void joined_close(struct joined *j)
{
	tern_stack_free(j->st[CLIENT]);
	tern_stack_free(j->st[SERVER]);
}

/* What one has to say goes to the other. Returns the number of frames. */
static inline unsigned int joined_carry(struct joined *j, unsigned int from)
{
	static uint8_t copy[JOINED_BURST][2048];
	struct tern_frame frames[JOINED_BURST];
	struct tern_out outs[JOINED_BURST];
	unsigned int n = tern_stack_output(j->st[from], j->now, outs, JOINED_BURST);

	for (unsigned int i = 0; i < n; i++) {
		uint8_t *to = copy[i];

		assert_true(outs[i].len <= sizeof(copy[i]));
		for (unsigned int k = 0; k < outs[i].pieces; k++) {
			memcpy(to, outs[i].piece[k].ptr, outs[i].piece[k].len);
			to += outs[i].piece[k].len;
		}
		frames[i] = (struct tern_frame){ .data = copy[i], .len = outs[i].len };
	}
	tern_stack_input(j->st[!from], j->now, frames, n);
	return n;
}

static inline void joined_pump(struct joined *j)
{
	while (joined_carry(j, CLIENT) + joined_carry(j, SERVER))
		;
}

/* Lets time pass, timers and what they send included. */
static inline void joined_wait(struct joined *j, uint64_t ns)
{
	uint64_t until = j->now + ns;

	for (;;) {
		uint64_t next = TERN_MIN(tern_stack_deadline(j->st[CLIENT]),
					 tern_stack_deadline(j->st[SERVER]));

		j->now = TERN_MAX(j->now, TERN_MIN(next, until));
		tern_stack_tick(j->st[CLIENT], j->now);
		tern_stack_tick(j->st[SERVER], j->now);
		joined_pump(j);
		if (next > until)
			return;
	}
}

TERN_INLINE tern_id joined_listen(struct joined *j, uint16_t port)
{
	struct tern_endpoint at = { .addr = { .family = TERN_INET }, .port = port };
	tern_id id;

	assert_int_equal(tern_stack_open(j->st[SERVER], j->now, TERN_STREAM, TERN_INET, &id), 0);
	assert_int_equal(tern_stack_bind(j->st[SERVER], j->now, id, &at), 0);
	assert_int_equal(tern_stack_listen(j->st[SERVER], j->now, id, 128), 0);
	return id;
}

/* Both ends of a new connection. */
static inline void joined_connect(struct joined *j, tern_id listener, uint16_t port,
				  tern_id ret_ids[2])
{
	struct tern_endpoint to = { .addr = tern_addr_v4(10, 77, 0, 2), .port = port };
	struct tern_stack *client = j->st[CLIENT], *server = j->st[SERVER];
	tern_id *id = &ret_ids[CLIENT];

	assert_int_equal(tern_stack_open(client, j->now, TERN_STREAM, TERN_INET, id), 0);
	assert_int_equal(tern_stack_connect(client, j->now, *id, &to), 0);
	joined_pump(j);
	assert_int_equal(tern_stack_accept(server, j->now, listener, &ret_ids[SERVER]), 0);
}

#endif
