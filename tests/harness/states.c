/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/states.c: a way into each of the eleven states, over calls and segments only.
 */
#include "harness/puppet.h"

void open_listener(struct puppet *p, int backlog)
{
	struct tern_endpoint at = { tern_addr_any(p->us.addr.family), p->us.port };
	enum tern_family family = (enum tern_family)p->us.addr.family;

	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, family, &p->listener), 0);
	assert_int_equal(tern_stack_bind(p->st, p->now, p->listener, &at), 0);
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, backlog), 0);
}

void open_active(struct puppet *p)
{
	struct tern_endpoint local;
	enum tern_family family = (enum tern_family)p->us.addr.family;

	if (!p->id)
		assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, family, &p->id), 0);
	assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &p->peer), 0);
	assert_int_equal(tern_stack_local(p->st, p->id, &local), 0);
	p->us = local;
	expect(p, .flags = IS(TERN_SYN), .ack = IS(0), .len = IS(0));
}

void next_peer(struct puppet *p)
{
	p->peer.port++;
	p->seq = p->iss;
	p->irs = 0;
	p->ack = 0;
	p->room = 0;
	p->edge_known = false;
	p->scaled = false;
	p->stamped = false;
	p->id = 0;
	p->written = 0;
	p->read = 0;
}

/* Both SYNs crossed, or a listener has answered. */
static void to_syn_received(struct puppet *p)
{
	if (is_active(p->kind))
		open_active(p);
	else if (!p->listener)
		open_listener(p, 8);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq), .len = IS(0));
}

static void to_established(struct puppet *p)
{
	if (is_active(p->kind)) {
		open_active(p);
		say(p, .flags = IS(TERN_SYN | TERN_ACK));
		expect_ack(p);
	} else {
		to_syn_received(p);
		say(p);
		app_accepts(p);
	}
	expect_silence(p);
	events(p);
}

static void half_close(struct puppet *p)
{
	assert_int_equal(tern_stack_shutdown(p->st, p->now, p->id, TERN_SHUT_WR), 0);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK), .ack = IS(p->seq), .len = IS(0));
}

static void peer_closes(struct puppet *p)
{
	say(p, .flags = IS(TERN_FIN | TERN_ACK));
	expect_ack(p);
}

static void to_closing_states(struct puppet *p, enum tern_state state)
{
	uint32_t before;

	to_established(p);
	if (state == TERN_CLOSE_WAIT || state == TERN_LAST_ACK) {
		peer_closes(p);
		if (state == TERN_LAST_ACK)
			half_close(p);
		return;
	}
	before = p->ack;
	if (state == TERN_ESTABLISHED)
		return;
	half_close(p);
	if (state == TERN_CLOSING) {
		say(p, .flags = IS(TERN_FIN | TERN_ACK), .ack = IS(before));
		expect_ack(p);
	} else if (state != TERN_FIN_WAIT_1) {
		say(p);
		if (state == TERN_TIME_WAIT)
			peer_closes(p);
	}
}

void bring_to(struct puppet *p, enum tern_state state)
{
	switch (state) {
	case TERN_CLOSED:
		break;
	case TERN_LISTEN:
		open_listener(p, 8);
		break;
	case TERN_SYN_SENT:
		open_active(p);
		break;
	case TERN_SYN_RECEIVED:
		to_syn_received(p);
		break;
	default:
		to_closing_states(p, state);
		break;
	}
	expect_silence(p);
	assert_state(p, state);
}

struct puppet *in_state(enum tern_state state, enum kind kind)
{
	struct puppet *p = puppet_new(kind);

	bring_to(p, state);
	return p;
}
