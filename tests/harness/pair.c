/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/pair.c: two stacks, and the wire between them.
 */
#include "harness/pair.h"

#include <errno.h>
#include <stdlib.h>

static struct tern_endpoint address(unsigned int side, uint16_t port)
{
	return (struct tern_endpoint){ tern_addr_v4(10, 77, 0, (uint8_t)(1 + side)), port };
}

void pair_listen(struct pair *p, int backlog)
{
	struct tern_endpoint at = address(SERVER, SERVER_PORT);
	struct tern_stack *st = p->st[SERVER];

	assert_int_equal(tern_stack_open(st, p->now, TERN_STREAM, TERN_INET, &p->listener), 0);
	assert_int_equal(tern_stack_bind(st, p->now, p->listener, &at), 0);
	assert_int_equal(tern_stack_listen(st, p->now, p->listener, backlog), 0);
}

struct pair *pair_new(uint32_t conns)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->now = UINT64_C(1000) * 1000 * NS_PER_MS;
	for (unsigned int i = 0; i < 2; i++) {
		p->cfg[i] = (struct tern_config){ .addr_count = 1,
						  .conns_max = conns,
						  .halfopens_max = conns,
						  .timewaits_max = conns,
						  .listeners_max = 4,
						  .udps_max = 4,
						  .seed = { (uint8_t)(1 + i) } };
		p->cfg[i].addrs[0] = (struct tern_prefix){ address(i, 0).addr, 24 };
		assert_int_equal(tern_stack_new(&p->cfg[i], p->now, &p->st[i]), 0);
	}
	pair_listen(p, 128);
	return p;
}

void pair_free(struct pair *p)
{
	tern_stack_free(p->st[CLIENT]);
	tern_stack_free(p->st[SERVER]);
	free(p);
}

void pair_knob(struct pair *p, const char *name, const char *value)
{
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(tern_stack_knob(p->st[i], p->now, name, value), 0);
}

void pair_crash(struct pair *p, unsigned int side)
{
	tern_stack_free(p->st[side]);
	p->cfg[side].seed[1]++;
	assert_int_equal(tern_stack_new(&p->cfg[side], p->now, &p->st[side]), 0);
}

/* ---- the wire ---- */

static bool take(struct pair *p, unsigned int from, struct pair_frame *ret)
{
	struct tern_packet pkt;
	struct tern_out out;

	if (!tern_stack_output(p->st[from], p->now, &out, 1))
		return false;
	assert_true(out.len <= sizeof(ret->bytes));
	ret->len = 0;
	ret->from = from;
	for (unsigned int i = 0; i < out.pieces; i++) {
		memcpy(ret->bytes + ret->len, out.piece[i].ptr, out.piece[i].len);
		ret->len += out.piece[i].len;
	}
	assert_int_equal(tern_ip_parse(ret->bytes, ret->len, false, &pkt), TERN_PARSE_OK);
	assert_int_equal(pkt.proto, TERN_PROTO_TCP);
	assert_int_equal(tern_tcp_parse(pkt.payload, pkt.payload_len, &ret->seg), TERN_PARSE_OK);
	p->frames[from]++;
	p->resets += (ret->seg.flags & TERN_RST) != 0;
	return true;
}

static enum pair_fate judge(struct pair *p, const struct pair_frame *frame)
{
	if (p->keep && frame->from == p->keep_from && frame->seg.len)
		p->kept = *frame;
	if (p->lose && frame->from == p->lose_from &&
	    (frame->seg.flags & p->lose_flags) == p->lose_flags) {
		p->lose--;
		return LOSE;
	}
	return p->fate ? p->fate(p->arg, frame) : CARRY;
}

void pair_inject(struct pair *p, const struct pair_frame *frame)
{
	struct tern_frame in = { .data = frame->bytes, .len = frame->len };

	tern_stack_input(p->st[!frame->from], p->now, &in, 1);
}

/* One frame of one side; false if it has none. */
static bool carry(struct pair *p, unsigned int from)
{
	struct pair_frame frame;
	enum pair_fate fate;

	if (!take(p, from, &frame))
		return false;
	fate = judge(p, &frame);
	if (fate != LOSE)
		pair_inject(p, &frame);
	if (fate == DOUBLE)
		pair_inject(p, &frame);
	return true;
}

void pair_run(struct pair *p)
{
	unsigned int idle = 0, turns = 0;

	while (idle < 2) {
		idle = carry(p, turns % 2) ? 0 : idle + 1;
		if (++turns > 100000)
			fail_msg("they never fall silent");
	}
}

void pair_wait(struct pair *p, uint64_t ms)
{
	uint64_t end = p->now + ms * NS_PER_MS;

	for (;;) {
		uint64_t due;

		pair_run(p);
		due = TERN_MIN(tern_stack_deadline(p->st[CLIENT]),
			       tern_stack_deadline(p->st[SERVER]));
		p->now = TERN_MAX(p->now, TERN_MIN(due, end));
		tern_stack_tick(p->st[CLIENT], p->now);
		tern_stack_tick(p->st[SERVER], p->now);
		if (due > end)
			break;
	}
	pair_run(p);
}

/* ---- applications ---- */

int pair_connect(struct pair *p, uint16_t port, tern_id *ret_id)
{
	struct tern_endpoint from = address(CLIENT, port), to = address(SERVER, SERVER_PORT);
	struct tern_stack *st = p->st[CLIENT];
	int err;

	assert_int_equal(tern_stack_open(st, p->now, TERN_STREAM, TERN_INET, ret_id), 0);
	if (port) {
		assert_int_equal(tern_stack_option(st, p->now, *ret_id, TERN_SO_REUSEADDR, 1), 0);
		assert_int_equal(tern_stack_bind(st, p->now, *ret_id, &from), 0);
	}
	err = tern_stack_connect(st, p->now, *ret_id, &to);
	if (err) {
		assert_int_equal(tern_stack_close(st, p->now, *ret_id), 0);
		return err;
	}
	pair_run(p);
	return 0;
}

tern_id pair_accept(struct pair *p)
{
	tern_id id;

	assert_int_equal(tern_stack_accept(p->st[SERVER], p->now, p->listener, &id), 0);
	return id;
}

enum tern_state pair_state(const struct pair *p, unsigned int side, tern_id id)
{
	struct tern_socket_info row;

	return tern_stack_socket(p->st[side], p->now, id, &row) ? TERN_CLOSED
								: (enum tern_state)row.state;
}

int pair_error(const struct pair *p, unsigned int side, tern_id id)
{
	int64_t v = 0;

	assert_int_equal(tern_stack_get_option(p->st[side], p->now, id, TERN_SO_ERROR, &v), 0);
	return (int)v;
}

void pair_write(struct pair *p, unsigned int side, tern_id id, uint8_t value, uint32_t n)
{
	uint8_t *bytes = malloc(n);

	assert_non_null(bytes);
	memset(bytes, value, n);
	assert_int_equal(tern_stack_send(p->st[side], p->now, id, bytes, n, 0), n);
	free(bytes);
	pair_run(p);
}

void pair_expect_bytes(struct pair *p, unsigned int side, tern_id id, uint8_t value, uint32_t n)
{
	uint8_t *bytes = malloc(n);

	assert_non_null(bytes);
	assert_int_equal(tern_stack_recv(p->st[side], p->now, id, bytes, n, 0), n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(bytes[i], value);
	free(bytes);
	pair_run(p);
}

void pair_close(struct pair *p, unsigned int side, tern_id id)
{
	assert_int_equal(tern_stack_close(p->st[side], p->now, id), 0);
	pair_run(p);
}
