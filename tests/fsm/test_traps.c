/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What other stacks fell into.
 */
#include "harness/puppet.h"

#include <errno.h>
#include <stdlib.h>

/* ---- a listener closed over more than any queue of replies holds ---- */

enum { CROWD = 5000, FIRST_PORT = 2000 };

/* The next segment that leaves, without the puppet's queue: false when there is none. */
static bool next_out(struct puppet *p, struct tern_segment *ret)
{
	uint8_t frame[128];
	struct tern_packet pkt;
	struct tern_out out;

	if (!tern_stack_output(p->st, p->now, &out, 1))
		return false;
	assert_int_equal(out.pieces, 1);
	assert_true(out.len <= sizeof(frame));
	memcpy(frame, out.piece[0].ptr, out.len);
	assert_int_equal(tern_ip_parse(frame, out.len, false, &pkt), TERN_PARSE_OK);
	assert_true(tern_tcp_cksum_ok(&pkt));
	assert_int_equal(tern_tcp_parse(pkt.payload, pkt.payload_len, ret), TERN_PARSE_OK);
	return true;
}

/* A listener, CROWD connections that nobody accepts, and CROWD that are half open. */
static struct puppet *crowd(void)
{
	struct tern_config cfg = puppet_config();
	struct puppet *p;

	cfg.conns_max = 3 * CROWD;
	cfg.halfopens_max = 2 * CROWD;
	p = puppet_new_cfg(PASSIVE4, &cfg);
	knob(p, "tcp_max_syn_backlog", "20000");
	assert_int_equal(tern_stack_knob(p->st, p->now, "net.core.somaxconn", "20000"), 0);
	open_listener(p, 20000);
	p->peer.port = FIRST_PORT;
	for (unsigned int i = 0; i < 2 * CROWD; i++) {
		say(p, .flags = IS(TERN_SYN));
		expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq));
		if (i < CROWD)
			say(p);
		next_peer(p);
	}
	return p;
}

static void a_closed_listener_resets_every_one_of_thousands(void **state)
{
	struct puppet *p = crowd();
	bool *told = calloc(65536, sizeof(*told));
	struct tern_stack_info info;
	struct tern_segment seg;
	unsigned int resets = 0;

	(void)state;
	tern_stack_info(p->st, p->now, &info);
	assert_int_equal(info.accept_queued, CROWD);
	assert_int_equal(info.halfopens, CROWD);
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	while (next_out(p, &seg)) {
		assert_int_equal(seg.flags, TERN_RST | TERN_ACK);
		assert_int_equal(seg.ack, p->iss + 1);
		assert_false(told[seg.dport]);
		told[seg.dport] = true;
		resets++;
	}
	assert_int_equal(resets, 2 * CROWD);
	for (unsigned int i = 0; i < 2 * CROWD; i++)
		assert_true(told[FIRST_PORT + i]);
	assert_int_equal(COUNT(p, TcpOutRsts), 2 * CROWD);
	assert_int_equal(COUNT(p, TernReplyDrops), 0);
	free(told);
	done(p);
}

/* Until their resets have left they are no sockets any more: no rows, no flows. */
static void what_waits_for_its_reset_to_leave_is_no_socket(void **state)
{
	struct puppet *p = crowd();
	struct tern_socket_info row;
	struct tern_segment seg;
	uint64_t cursor = 0;
	unsigned int resets = 0;

	(void)state;
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	assert_false(tern_stack_next_socket(p->st, p->now, &cursor, &row));
	assert_false(tern_ports_used(p->st->ports, p->us.port));
	p->peer.port = FIRST_PORT; /* one that was ESTABLISHED, and one that was not */
	say(p);
	assert_dropped(p, NO_SOCKET);
	p->peer.port = FIRST_PORT + 2 * CROWD - 1;
	say(p);
	assert_dropped(p, NO_SOCKET);
	while (next_out(p, &seg))
		resets++;
	assert_int_equal(resets, 2 * CROWD); /* no place for those that answer strays */
	assert_int_equal(COUNT(p, TernReplyDrops), 2);
	done(p);
}

/* The same for those that an application holds: all are aborted in one turn. */
static void thousands_aborted_in_one_turn_are_all_reset(void **state)
{
	struct puppet *p = crowd();
	struct tern_segment seg;
	unsigned int resets = 0;

	(void)state;
	for (unsigned int i = 0; i < CROWD; i++) {
		tern_id id;

		assert_int_equal(tern_stack_accept(p->st, p->now, p->listener, &id), 0);
		assert_int_equal(tern_stack_option(p->st, p->now, id, TERN_SO_LINGER, 0), 0);
		assert_int_equal(tern_stack_close(p->st, p->now, id), 0);
		assert_int_equal(tern_stack_close(p->st, p->now, id), -EBADF);
	}
	while (next_out(p, &seg))
		resets += (seg.flags & TERN_RST) != 0;
	assert_int_equal(resets, CROWD);
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	while (next_out(p, &seg))
		resets += (seg.flags & TERN_RST) != 0;
	assert_int_equal(resets, 2 * CROWD);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_listener_resets_every_one_of_thousands),
		cmocka_unit_test(what_waits_for_its_reset_to_leave_is_no_socket),
		cmocka_unit_test(thousands_aborted_in_one_turn_are_all_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
