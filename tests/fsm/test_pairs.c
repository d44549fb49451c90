/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks and the wire between them: what one end does when the other forgot, when segments of
 * another time arrive, and the two hazards that TIME-WAIT exists for.
 */
#include "harness/pair.h"

#include <errno.h>
#include <stdlib.h>

enum { PORT = 5000 };

/* A connection from PORT; both ends. */
struct ends {
	tern_id id[2];
};

static struct ends join(struct pair *p)
{
	struct ends e;

	assert_int_equal(pair_connect(p, PORT, &e.id[CLIENT]), 0);
	assert_int_equal(pair_state(p, CLIENT, e.id[CLIENT]), TERN_ESTABLISHED);
	assert_int_equal(tern_stack_option(p->st[CLIENT], p->now, e.id[CLIENT], TERN_SO_NODELAY, 1),
			 0);
	e.id[SERVER] = pair_accept(p);
	return e;
}

static struct tern_stack_info info(const struct pair *p, unsigned int side)
{
	struct tern_stack_info i;

	tern_stack_info(p->st[side], p->now, &i);
	return i;
}

/* ---- one side forgot (RFC 9293 §3.5.1, figures 9 to 11) ---- */

/* Figure 9: it opens again from the same port. */
static void a_crashed_client_that_connects_again_finds_out_and_gets_through(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++) {
		struct pair *p = pair_new(8);
		struct ends e;
		tern_id again;

		pair_knob(p, "net.ipv4.tcp_timestamps", ts ? "1" : "0");
		e = join(p);
		pair_wait(p, 5000);
		pair_crash(p, CLIENT);
		pair_knob(p, "net.ipv4.tcp_timestamps", ts ? "1" : "0");
		assert_int_equal(pair_connect(p, PORT, &again), 0);
		assert_int_equal(p->resets, 1); /* the client's answer to the challenge ACK */
		assert_int_equal(pair_state(p, SERVER, e.id[SERVER]), TERN_CLOSED);
		assert_int_equal(pair_error(p, SERVER, e.id[SERVER]), ECONNRESET);
		assert_int_equal(pair_state(p, CLIENT, again), TERN_SYN_SENT);
		pair_wait(p, 1001); /* the SYN goes again */
		assert_int_equal(pair_state(p, CLIENT, again), TERN_ESTABLISHED);
		pair_accept(p);
		pair_free(p);
	}
}

/* Figure 10: the other side speaks first. */
static void a_side_that_speaks_to_one_that_crashed_is_reset(void **state)
{
	struct pair *p = pair_new(8);
	struct ends e = join(p);

	(void)state;
	pair_crash(p, CLIENT);
	pair_write(p, SERVER, e.id[SERVER], 1, 10);
	assert_int_equal(p->resets, 1);
	assert_int_equal(pair_error(p, SERVER, e.id[SERVER]), ECONNRESET);
	assert_int_equal(pair_state(p, SERVER, e.id[SERVER]), TERN_CLOSED);
	pair_free(p);
}

/* Keepalive finds it out where nobody speaks. */
static void keepalive_finds_out_that_the_other_side_crashed(void **state)
{
	struct pair *p = pair_new(8);
	struct ends e = join(p);

	(void)state;
	assert_int_equal(
		tern_stack_option(p->st[SERVER], p->now, e.id[SERVER], TERN_SO_KEEPALIVE, 1), 0);
	pair_crash(p, CLIENT);
	pair_wait(p, 7199 * SECOND);
	assert_int_equal(pair_state(p, SERVER, e.id[SERVER]), TERN_ESTABLISHED);
	pair_wait(p, 2 * SECOND);
	assert_int_equal(pair_error(p, SERVER, e.id[SERVER]), ECONNRESET);
	pair_free(p);
}

/* A client that crashed and connects from elsewhere leaves the old connection to the server. */
static void a_new_port_leaves_the_old_connection_alone(void **state)
{
	struct pair *p = pair_new(8);
	struct ends e = join(p);
	tern_id again;

	(void)state;
	pair_crash(p, CLIENT);
	assert_int_equal(pair_connect(p, PORT + 1, &again), 0);
	assert_int_equal(pair_state(p, CLIENT, again), TERN_ESTABLISHED);
	assert_int_equal(pair_state(p, SERVER, e.id[SERVER]), TERN_ESTABLISHED);
	pair_free(p);
}

/* ---- simultaneous open (RFC 9293 §3.5 figure 7, MUST-10) ---- */

/* Of the first frames, which are lost and which come twice. */
struct weather {
	uint32_t lost, twice;
	unsigned int frames;
};

static enum pair_fate fall(void *arg, const struct pair_frame *frame)
{
	struct weather *w = arg;
	uint32_t bit = 1u << TERN_MIN(w->frames++, 31u);

	(void)frame;
	return w->lost & bit ? LOSE : w->twice & bit ? DOUBLE : CARRY;
}

static tern_id cross(struct pair *p, unsigned int side)
{
	struct tern_endpoint end[2] = { { tern_addr_v4(10, 77, 0, 1), 4001 },
					{ tern_addr_v4(10, 77, 0, 2), 4002 } };
	struct tern_stack *st = p->st[side];
	tern_id id;

	assert_int_equal(tern_stack_open(st, p->now, TERN_STREAM, TERN_INET, &id), 0);
	assert_int_equal(tern_stack_bind(st, p->now, id, &end[side]), 0);
	assert_int_equal(tern_stack_connect(st, p->now, id, &end[!side]), 0);
	return id;
}

static void crossing_syns_connect_whatever_is_lost_or_comes_twice(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 * 64; i++) {
		struct pair *p = pair_new(8);
		struct weather w = { .lost = i / 2, .twice = i % 2 ? UINT32_MAX : 0 };
		tern_id id[2];

		p->fate = fall;
		p->arg = &w;
		for (unsigned int side = 0; side < 2; side++)
			id[side] = cross(p, side);
		pair_wait(p, 70 * SECOND);
		for (unsigned int side = 0; side < 2; side++) {
			if (pair_state(p, side, id[side]) != TERN_ESTABLISHED)
				fail_msg("lost 0x%x, twice 0x%x: side %u is in %s", w.lost, w.twice,
					 side, tern_state_name(pair_state(p, side, id[side])));
			assert_int_equal(info(p, side).conns, 1);
			pair_write(p, side, id[side], 7, 100);
		}
		pair_wait(p, 10 * SECOND);
		for (unsigned int side = 0; side < 2; side++)
			pair_expect_bytes(p, side, id[side], 7, 100);
		pair_free(p);
	}
}

/* ---- segments of another time ---- */

/* The client has closed first and is in TIME-WAIT; a segment of the server's was kept. */
static struct pair *in_time_wait(const char *rfc1337)
{
	struct pair *p = pair_new(8);
	struct ends e;

	pair_knob(p, "net.ipv4.tcp_rfc1337", rfc1337);
	e = join(p);
	p->keep = true;
	p->keep_from = SERVER;
	pair_write(p, SERVER, e.id[SERVER], 1, 10);
	p->keep = false;
	pair_expect_bytes(p, CLIENT, e.id[CLIENT], 1, 10);
	pair_close(p, CLIENT, e.id[CLIENT]);
	pair_close(p, SERVER, e.id[SERVER]);
	assert_int_equal(info(p, CLIENT).timewaits, 1);
	assert_int_equal(info(p, SERVER).conns, 0);
	return p;
}

/* RFC 1337: an old segment draws an ACK, whose receiver has forgotten, and answers by a reset. */
static void an_old_segment_assassinates_a_time_wait_unless_tcp_rfc1337_forbids(void **state)
{
	(void)state;
	for (int rfc1337 = 0; rfc1337 < 2; rfc1337++) {
		struct pair *p = in_time_wait(rfc1337 ? "1" : "0");

		pair_wait(p, 1000);
		pair_inject(p, &p->kept);
		pair_run(p);
		assert_int_equal(p->resets, 1);
		assert_int_equal(info(p, CLIENT).timewaits, rfc1337);
		pair_free(p);
	}
}

/* Two ends that both went through TIME-WAIT say nothing to each other. */
static void two_ends_in_time_wait_are_silent(void **state)
{
	struct pair *p = pair_new(8);
	struct ends e = join(p);
	uint64_t frames;

	(void)state;
	assert_int_equal(tern_stack_close(p->st[CLIENT], p->now, e.id[CLIENT]), 0);
	assert_int_equal(tern_stack_close(p->st[SERVER], p->now, e.id[SERVER]), 0);
	pair_run(p); /* FINs cross */
	assert_int_equal(info(p, CLIENT).timewaits, 1);
	assert_int_equal(info(p, SERVER).timewaits, 1);
	frames = p->frames[CLIENT] + p->frames[SERVER];
	pair_wait(p, 61 * SECOND);
	assert_int_equal(p->frames[CLIENT] + p->frames[SERVER], frames);
	assert_int_equal(info(p, CLIENT).timewaits + info(p, SERVER).timewaits, 0);
	pair_free(p);
}

/* ---- hazard 1: a delayed duplicate of the old connection meets the new one ---- */

enum {
	BEFORE = 20000, /* bytes of the old connection before those that come again */
	STALE = 100,
	FRESH = 30000, /* bytes of the new one */
};

/* n bytes of one value from client to server, read as they come. */
static void stream(struct pair *p, const struct ends *e, uint8_t value, uint32_t n)
{
	for (uint32_t left = n, chunk; left; left -= chunk) {
		chunk = TERN_MIN(left, 1000u);
		pair_write(p, CLIENT, e->id[CLIENT], value, chunk);
		pair_wait(p, 0);
		pair_expect_bytes(p, SERVER, e->id[SERVER], value, chunk);
	}
}

/* The old connection, whose last bytes the wire has kept; the client or the server closes first. */
static void old_connection(struct pair *p, unsigned int first)
{
	struct ends e = join(p);

	stream(p, &e, 1, BEFORE);
	p->keep = true;
	p->keep_from = CLIENT;
	stream(p, &e, 1, STALE);
	p->keep = false;
	pair_close(p, first, e.id[first]);
	pair_close(p, !first, e.id[!first]);
	pair_wait(p, 10);
}

/* How many bytes of FRESH that the new connection delivers are of the old one. */
static uint32_t stale_bytes(struct pair *p)
{
	static uint8_t bytes[FRESH];
	struct ends e = join(p);
	uint32_t stale = 0, got = 0;

	pair_inject(p, &p->kept);
	pair_run(p);
	while (got < FRESH) {
		int64_t n;

		pair_write(p, CLIENT, e.id[CLIENT], 2, 500);
		pair_wait(p, 1);
		n = tern_stack_recv(p->st[SERVER], p->now, e.id[SERVER], bytes + got, FRESH - got,
				    0);
		assert_true(n > 0);
		got += (uint32_t)n;
	}
	for (uint32_t i = 0; i < got; i++)
		stale += bytes[i] == 1;
	return stale;
}

static void a_delayed_duplicate_is_taken_for_new_data_without_time_wait(void **state)
{
	struct pair *p = pair_new(8);

	(void)state;
	pair_knob(p, "net.ipv4.tern_timewait_len", "0");
	pair_knob(p, "net.ipv4.tcp_timestamps", "0");
	old_connection(p, CLIENT);
	assert_int_equal(stale_bytes(p), STALE);
	pair_free(p);
}

static void timestamps_keep_a_delayed_duplicate_out(void **state)
{
	struct pair *p = pair_new(8);

	(void)state;
	pair_knob(p, "net.ipv4.tern_timewait_len", "0");
	old_connection(p, CLIENT);
	assert_int_equal(stale_bytes(p), 0);
	assert_int_equal(tern_stack_drops(p->st[SERVER], TERN_DROP_TCP_RFC7323_PAWS), 1);
	pair_free(p);
}

/* The client's TIME-WAIT does not let it begin anew on the same ports. */
static void time_wait_at_the_client_keeps_a_delayed_duplicate_out(void **state)
{
	struct pair *p = pair_new(8);
	tern_id id;

	(void)state;
	pair_knob(p, "net.ipv4.tcp_timestamps", "0");
	old_connection(p, CLIENT);
	assert_int_equal(pair_connect(p, PORT, &id), -EADDRNOTAVAIL);
	pair_inject(p, &p->kept); /* nobody is there */
	pair_run(p);
	pair_wait(p, 61 * SECOND);
	join(p);
	pair_free(p);
}

/* The server's refuses a SYN whose number lies in what the old connection has used. */
static void time_wait_at_the_server_keeps_a_delayed_duplicate_out(void **state)
{
	struct pair *p = pair_new(8);
	tern_id id;

	(void)state;
	pair_knob(p, "net.ipv4.tcp_timestamps", "0");
	pair_knob(p, "net.ipv4.tcp_rfc1337", "1");
	old_connection(p, SERVER);
	assert_int_equal(pair_connect(p, PORT, &id), 0);
	pair_inject(p, &p->kept);
	pair_wait(p, 50 * SECOND);
	assert_int_equal(pair_state(p, CLIENT, id), TERN_SYN_SENT);
	pair_wait(p, 30 * SECOND);
	assert_int_equal(pair_state(p, CLIENT, id), TERN_ESTABLISHED);
	pair_free(p);
}

/* ---- hazard 2: the last ACK was lost, and a new SYN meets LAST-ACK ---- */

/* The server is in LAST-ACK; the client, if its TIME-WAIT has no length, remembers nothing. */
static struct pair *in_last_ack(const char *timestamps, const char *timewait_len)
{
	struct pair *p = pair_new(8);
	struct ends e;

	pair_knob(p, "net.ipv4.tcp_timestamps", timestamps);
	pair_knob(p, "net.ipv4.tern_timewait_len", timewait_len);
	e = join(p);
	pair_wait(p, 20);
	pair_close(p, CLIENT, e.id[CLIENT]);
	p->lose = 1;
	p->lose_from = CLIENT;
	pair_close(p, SERVER, e.id[SERVER]);
	assert_int_equal(p->lose, 0);
	assert_int_equal(info(p, SERVER).orphans, 1);
	return p;
}

/* (a) and (b): challenge ACK, the client's reset, SYN again after a second. */
static void a_syn_that_meets_last_ack_gets_through_after_a_second(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++) {
		struct pair *p = in_last_ack(ts ? "1" : "0", "0");
		tern_id id;

		pair_wait(p, 10);
		assert_int_equal(pair_connect(p, PORT, &id), 0);
		assert_int_equal(p->resets, 1);
		assert_int_equal(info(p, SERVER).orphans, 0);
		assert_int_equal(pair_state(p, CLIENT, id), TERN_SYN_SENT);
		pair_wait(p, 998);
		assert_int_equal(pair_state(p, CLIENT, id), TERN_SYN_SENT);
		pair_wait(p, 3);
		assert_int_equal(pair_state(p, CLIENT, id), TERN_ESTABLISHED);
		pair_accept(p);
		pair_free(p);
	}
}

/* (c): RFC 793 resets, and connect() fails. */
static void with_tern_insecure_syn_a_syn_that_meets_last_ack_is_refused(void **state)
{
	struct pair *p = in_last_ack("0", "0");
	tern_id id;

	(void)state;
	pair_knob(p, "net.ipv4.tern_insecure_syn", "1");
	pair_wait(p, 10);
	assert_int_equal(pair_connect(p, PORT, &id), 0);
	assert_int_equal(pair_state(p, CLIENT, id), TERN_CLOSED);
	assert_int_equal(pair_error(p, CLIENT, id), ECONNREFUSED);
	pair_free(p);
}

/* (d): TIME-WAIT answers the FIN that comes again, and lets no SYN out meanwhile. */
static void time_wait_answers_the_fin_and_lets_no_syn_meet_last_ack(void **state)
{
	struct pair *p = in_last_ack("0", "60");
	tern_id id;

	(void)state;
	pair_knob(p, "net.ipv4.tern_insecure_syn", "1");
	assert_int_equal(pair_connect(p, PORT, &id), -EADDRNOTAVAIL);
	pair_wait(p, 2000);
	assert_int_equal(info(p, SERVER).orphans, 0); /* its FIN came again and was acknowledged */
	assert_int_equal(info(p, SERVER).conns, 0);
	assert_int_equal(p->resets, 0);
	pair_free(p);
}

/* ---- ends that disagree (trap) ---- */

/* Both have moved on, each by bytes that the other never sent and will not send again. */
static void ends_that_disagree_send_two_challenge_acks_a_second_at_most(void **state)
{
	struct pair *p = pair_new(8);
	struct ends e = join(p);
	uint64_t frames;

	(void)state;
	for (unsigned int side = 0; side < 2; side++) {
		struct tern_conn *c = tern_conn_at(&p->st[side]->tcp, (uint32_t)e.id[side]);

		c->rcv.nxt += 500000;
		c->rcv.adv += 500000;
		c->rcv.acked += 500000;
	}
	frames = p->frames[CLIENT] + p->frames[SERVER];
	for (unsigned int i = 0; i < 1000; i++) { /* 10 s; each time somebody begins */
		struct tern_conn *c = tern_conn_at(&p->st[i % 2]->tcp, (uint32_t)e.id[i % 2]);

		c->flags |= TERN_CF_ACK_NOW;
		tern_conn_want_output(&p->st[i % 2]->tcp, (uint32_t)e.id[i % 2], c);
		pair_wait(p, 10);
	}
	frames = p->frames[CLIENT] + p->frames[SERVER] - frames;
	if (frames < 1000 + 20 || frames > 1000 + 2 * (2 * 10 + 1))
		fail_msg("%u answers in 10 s", (unsigned int)frames - 1000);
	pair_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crashed_client_that_connects_again_finds_out_and_gets_through),
		cmocka_unit_test(a_side_that_speaks_to_one_that_crashed_is_reset),
		cmocka_unit_test(keepalive_finds_out_that_the_other_side_crashed),
		cmocka_unit_test(a_new_port_leaves_the_old_connection_alone),
		cmocka_unit_test(crossing_syns_connect_whatever_is_lost_or_comes_twice),
		cmocka_unit_test(
			an_old_segment_assassinates_a_time_wait_unless_tcp_rfc1337_forbids),
		cmocka_unit_test(two_ends_in_time_wait_are_silent),
		cmocka_unit_test(a_delayed_duplicate_is_taken_for_new_data_without_time_wait),
		cmocka_unit_test(timestamps_keep_a_delayed_duplicate_out),
		cmocka_unit_test(time_wait_at_the_client_keeps_a_delayed_duplicate_out),
		cmocka_unit_test(time_wait_at_the_server_keeps_a_delayed_duplicate_out),
		cmocka_unit_test(a_syn_that_meets_last_ack_gets_through_after_a_second),
		cmocka_unit_test(with_tern_insecure_syn_a_syn_that_meets_last_ack_is_refused),
		cmocka_unit_test(time_wait_answers_the_fin_and_lets_no_syn_meet_last_ack),
		cmocka_unit_test(ends_that_disagree_send_two_challenge_acks_a_second_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
