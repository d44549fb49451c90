/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All 512 combinations of flags in every state, with numbers at, beside and far from where they
 * belong, and initial numbers at the edges of the number space (attacks A16, A17): at most one
 * answer each, none but a challenge ACK to a RST, no connection lost to a RST or SYN that is not
 * exact, no half-open connection but from an honest SYN.
 */
#include "harness/hostile.h"

enum {
	FLAGS = 512,
	TEXT = 10, /* bytes of data in a segment that has some */
	CLOSED_PORT = 81,
	FIRST_PORT = 1024,
};

/* Ways into the states. */
enum place {
	CLOSED,
	LISTEN,
	HALF_OPEN,
	SYN_SENT,
	CROSSED, /* SYN-RECEIVED by simultaneous open */
	ESTABLISHED,
	CLOSE_WAIT,
	LAST_ACK,
	FIN_WAIT_1,
	FIN_WAIT_1_ORPHAN,
	FIN_WAIT_2,
	FIN_WAIT_2_ORPHAN,
	CLOSING,
	TIME_WAIT,
	PLACES,
};

struct cell {
	struct world *w;
	enum place place;
	tern_id id; /* the victim's socket, 0: none */
	struct shot s;
	uint32_t off; /* of the number of what was tried from RCV.NXT */
};

static tern_seq initial(const struct world *w)
{
	static const tern_seq numbers[] = { 0xffffffff, 0x7fffffff, 0xfffffff8, 0x7ffffff8,
					    0,          1,          0x80000000, 0x12345678 };

	return numbers[w->seed % TERN_ARRAY_SIZE(numbers)];
}

static void attacker_says(struct cell *c, uint16_t flags)
{
	c->s.flags = flags;
	world_fire(c->w, &c->s);
	c->s.seq += (flags & TERN_FIN) != 0;
}

/* The victim's FIN leaves; numbers of the attacker do not yet know of it. */
static void victim_closes(struct cell *c, bool whole)
{
	struct world *w = c->w;

	if (whole) {
		HOLDS(tern_stack_close(w->victim, w->now, c->id) == 0);
		c->id = 0;
	} else {
		HOLDS(tern_stack_shutdown(w->victim, w->now, c->id, TERN_SHUT_WR) == 0);
	}
	world_settle(w);
	HOLDS(w->last.flags == (TERN_FIN | TERN_ACK));
}

static void go_active(struct cell *c)
{
	struct world *w = c->w;

	HOLDS(tern_stack_open(w->victim, w->now, TERN_STREAM, (enum tern_family)w->family,
			      &c->id) == 0);
	HOLDS(tern_stack_connect(w->victim, w->now, c->id, &c->s.from) == 0);
	world_settle(w);
	HOLDS(w->last.flags == TERN_SYN);
	c->s.to.port = w->last.sport;
	c->s.ack = w->last.seq + 1;
	if (c->place == CROSSED) {
		attacker_says(c, TERN_SYN);
		c->s.seq++;
		HOLDS(w->last.flags == (TERN_SYN | TERN_ACK));
	}
}

static void go_passive(struct cell *c)
{
	struct world *w = c->w;

	if (c->place == HALF_OPEN) {
		attacker_says(c, TERN_SYN);
		HOLDS(w->last.flags == (TERN_SYN | TERN_ACK));
		c->s.seq++;
		c->s.ack = w->last.seq + 1;
		return;
	}
	world_shake(w, &c->s.from, &c->s);
	HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &c->id) == 0);
}

static void go_on(struct cell *c)
{
	if (c->place == CLOSE_WAIT || c->place == LAST_ACK)
		attacker_says(c, TERN_FIN | TERN_ACK);
	if (c->place >= LAST_ACK)
		victim_closes(c, c->place == LAST_ACK || c->place == FIN_WAIT_1_ORPHAN ||
					 c->place == FIN_WAIT_2_ORPHAN);
	if (c->place == CLOSING)
		attacker_says(c, TERN_FIN | TERN_ACK);
	if (c->place >= LAST_ACK)
		c->s.ack++;
	if (c->place == FIN_WAIT_2 || c->place == FIN_WAIT_2_ORPHAN || c->place == TIME_WAIT)
		attacker_says(c, TERN_ACK);
	if (c->place == TIME_WAIT)
		attacker_says(c, TERN_FIN | TERN_ACK);
}

static void reach(struct cell *c, struct world *w, enum place place, uint16_t port)
{
	*c = (struct cell){ .w = w,
			    .place = place,
			    .s = { .from = world_at(w, ATTACKER_HOST, port),
				   .to = world_at(w, VICTIM_HOST, SERVER_PORT),
				   .seq = initial(w),
				   .wnd = 1000 } };
	if (place == CLOSED)
		c->s.to.port = CLOSED_PORT;
	else if (place == SYN_SENT || place == CROSSED)
		go_active(c);
	else if (place != LISTEN)
		go_passive(c);
	if (place > ESTABLISHED)
		go_on(c);
}

/* The row of the connection: its state, CLOSED if there is none. */
static enum tern_state state_of(const struct cell *c)
{
	struct tern_socket_info row;
	uint64_t cursor = 0;

	while (tern_stack_next_socket(c->w->victim, c->w->now, &cursor, &row))
		if (row.remote.port == c->s.from.port && row.local.port == c->s.to.port)
			return (enum tern_state)row.state;
	return TERN_CLOSED;
}

/* Nobody waits for what is left of the cell. */
static void clear(struct cell *c)
{
	struct world *w = c->w;
	tern_seq seq = c->s.seq;

	if (c->id)
		HOLDS(tern_stack_close(w->victim, w->now, c->id) == 0);
	while (tern_stack_accept(w->victim, w->now, w->listener, &c->id) == 0)
		tern_stack_abort(w->victim, w->now, c->id);
	c->s.len = 0;
	c->s.flags = TERN_RST;
	for (unsigned int i = 0; i < 5; i++) {
		c->s.seq = i == 4 ? seq + c->off + 1 : seq + i % 2 + i / 2 * TEXT;
		world_fire(w, &c->s);
	}
}

static const int32_t distances[] = { 0, 0, 0, -1, 1, -TEXT, TEXT, 1 << 30, -(1 << 30), INT32_MIN };

/* What a combination may do. s is what was said, exact whether its number is RCV.NXT. */
static void judge(struct cell *c, enum tern_state before, uint64_t out, uint64_t rsts, bool exact)
{
	struct world *w = c->w;
	enum tern_state after = state_of(c);
	uint16_t flags = c->s.flags;
	struct tern_stack_info info;

	HOLDS(w->out - out <= 1);
	HOLDS(w->out_rsts - rsts <= 1);
	if (flags & TERN_RST) { /* a challenge ACK, in the window of a live connection */
		bool may = c->off > 0 && c->off < 1u << 17 && c->place >= HALF_OPEN &&
			   c->place != SYN_SENT && c->place != TIME_WAIT;

		/* The SYN that crossed ours once more, with data: part of it is in the window. */
		may = may || (c->place == CROSSED && c->off == UINT32_MAX);
		HOLDS(w->out_rsts == rsts && (may || w->out == out));
	}
	if (c->place >= HALF_OPEN && c->place != SYN_SENT && (flags & (TERN_RST | TERN_SYN)) &&
	    !(exact && (flags & TERN_RST)) && c->place != TIME_WAIT && c->place != CROSSED)
		HOLDS(after == before);
	if (c->place == CLOSED)
		HOLDS(after == TERN_CLOSED);
	if (c->place == LISTEN) {
		uint16_t judged = flags & (TERN_SYN | TERN_ACK | TERN_RST | TERN_FIN);

		tern_stack_info(w->victim, w->now, &info);
		HOLDS((info.halfopens != 0) == (judged == TERN_SYN));
	}
}

static void try_flags(struct world *w, enum place place, uint16_t flags, uint16_t port)
{
	struct cell c;
	enum tern_state before;
	uint64_t out, rsts;

	reach(&c, w, place, port);
	before = state_of(&c);
	out = w->out;
	rsts = w->out_rsts;
	c.s.flags = flags;
	c.off = (uint32_t)distances[world_pick(w, TERN_ARRAY_SIZE(distances))];
	c.s.seq += c.off;
	c.s.ack += (uint32_t)distances[world_pick(w, TERN_ARRAY_SIZE(distances))];
	c.s.len = world_once_in(w, 2) ? TEXT : 0;
	c.s.urgent = (uint16_t)world_pick(w, 3);
	world_fire(w, &c.s);
	judge(&c, before, out, rsts, c.off == 0);
	c.s.seq -= c.off;
	clear(&c);
}

static void all_flags(uint64_t seed)
{
	struct world *w = world_new(seed % 2 ? TERN_INET : TERN_INET6, seed);

	w->idle_server = true;
	for (enum place place = CLOSED; place < PLACES; place++) {
		for (uint16_t flags = 0; flags < FLAGS; flags++) {
			try_flags(w, place, flags, (uint16_t)(FIRST_PORT + flags));
			if (flags % 64 == 63) {
				world_pass(w, 200 * HOSTILE_S);
				world_chat(w, 500);
			}
		}
	}
	world_free(w);
}

static void no_combination_of_flags_does_harm_in_any_state(void **state)
{
	(void)state;
	hostile_run(__func__, 8, all_flags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_combination_of_flags_does_harm_in_any_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
