/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners: what the queues hold, what happens beyond, who is not listened to, how it ends. */
#include <errno.h>

#include "harness/puppet.h"

static struct puppet *listening(enum kind k, int backlog)
{
	struct puppet *p = puppet_new(k);

	open_listener(p, backlog);
	return p;
}

static void connect_one(struct puppet *p)
{
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .ack = IS(p->seq));
	say(p);
	assert_taken(p);
	expect_silence(p);
}

static struct tern_socket_info listener_row(struct puppet *p)
{
	struct tern_socket_info row;

	assert_int_equal(tern_stack_socket(p->st, p->now, p->listener, &row), 0);
	return row;
}

/* ---- the accept queue ---- */

static void the_accept_queue_holds_one_more_than_the_backlog(void **state)
{
	(void)state;
	for (int backlog = 0; backlog <= 2; backlog++) {
		struct puppet *p = listening(PASSIVE4, backlog);

		for (int i = 0; i <= backlog; i++) {
			connect_one(p);
			next_peer(p);
		}
		assert_int_equal(listener_row(p).acceptq, backlog + 1);
		say(p, .flags = IS(TERN_SYN));
		assert_dropped(p, TCP_LISTEN_OVERFLOW);
		expect_silence(p);
		assert_int_equal(COUNT(p, TcpExtListenOverflows), 1);
		assert_int_equal(COUNT(p, TcpExtListenDrops), 1);
		assert_int_equal(listener_row(p).listen_overflows, 1);
		app_accepts(p);
		assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
		ignore(p);
		p->id = 0;
		p->seq = p->iss;
		connect_one(p); /* room again */
		done(p);
	}
}

static void what_was_accepted_and_is_held_counts_as_waiting(void **state)
{
	(void)state;
	for (uint32_t held = 0; held <= 4; held++) {
		struct puppet *p = listening(PASSIVE4, 2); /* holds three */
		uint32_t room = held < 3 ? 3 - held : 0;

		assert_int_equal(tern_stack_hold(p->st, p->now, p->listener, held), 0);
		assert_int_equal(listener_row(p).recv_q, held);
		for (uint32_t i = 0; i < room; i++) {
			connect_one(p);
			next_peer(p);
		}
		assert_int_equal(listener_row(p).recv_q, held + room);
		assert_int_equal(listener_row(p).acceptq, held + room);
		say(p, .flags = IS(TERN_SYN));
		assert_dropped(p, TCP_LISTEN_OVERFLOW);
		if (held) { /* one is taken: room again */
			assert_int_equal(tern_stack_hold(p->st, p->now, p->listener,
							 TERN_MIN(held, 3u) - 1),
					 0);
			p->seq = p->iss;
			connect_one(p);
		}
		done(p);
	}
}

static void only_a_listener_holds(void **state)
{
	struct puppet *p = listening(PASSIVE4, 0);

	(void)state;
	assert_int_equal(tern_stack_hold(p->st, p->now, 7, 1), -EBADF);
	connect_one(p);
	app_accepts(p);
	assert_int_equal(tern_stack_hold(p->st, p->now, p->id, 1), -EINVAL);
	assert_int_equal(tern_stack_hold(p->st, p->now, p->listener, UINT32_MAX), 0);
	assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
	ignore(p);
	p->id = 0;
	p->seq = p->iss;
	say(p, .flags = IS(TERN_SYN));
	assert_dropped(p, TCP_LISTEN_OVERFLOW);

	/* Listening again begins without. */
	assert_int_equal(tern_stack_shutdown(p->st, p->now, p->listener, TERN_SHUT_RD), 0);
	assert_int_equal(tern_stack_hold(p->st, p->now, p->listener, 1), -EINVAL);
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, 0), 0);
	assert_int_equal(listener_row(p).recv_q, 0);
	done(p);
}

static void connections_are_accepted_in_the_order_in_which_they_were_completed(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8), first = *p;
	tern_id ids[2];
	struct tern_endpoint ep;

	(void)state;
	say(&first, .flags = IS(TERN_SYN));
	expect(&first, .flags = IS(TERN_SYN | TERN_ACK));
	next_peer(p);
	p->now = first.now;
	connect_one(p);
	say(&first);
	for (int i = 0; i < 2; i++)
		assert_int_equal(tern_stack_accept(p->st, p->now, p->listener, &ids[i]), 0);
	assert_int_equal(tern_stack_remote(p->st, ids[0], &ep), 0);
	assert_int_equal(ep.port, p->peer.port);
	assert_int_equal(tern_stack_remote(p->st, ids[1], &ep), 0);
	assert_int_equal(ep.port, first.peer.port);
	for (int i = 0; i < 2; i++)
		assert_int_equal(tern_stack_close(p->st, p->now, ids[i]), 0);
	done(p);
}

/* One half-open connection, and behind it as many open ones as a backlog of 1 takes. */
static void fill_behind(struct puppet *p, struct puppet *late)
{
	say(late, .flags = IS(TERN_SYN));
	expect(late, .flags = IS(TERN_SYN | TERN_ACK));
	for (int i = 0; i < 2; i++) {
		next_peer(p);
		connect_one(p);
	}
}

/* The half-open connection stays; its SYN-ACK goes again, and data or an ACK tries again. */
static void a_final_ack_that_finds_the_queue_full_is_dropped_and_may_come_again(void **state)
{
	(void)state;
	for (int data = 0; data < 2; data++) {
		struct puppet *p = listening(PASSIVE4, 1), late = *p;

		fill_behind(p, &late);
		say(&late, .len = IS(data ? 10 : 0));
		late.seq = late.iss + 1;
		assert_dropped(&late, TCP_LISTEN_OVERFLOW);
		expect_silence(&late);
		assert_state(&late, TERN_SYN_RECEIVED);
		for (int i = 0; i < 2; i++) {
			app_accepts(p);
			assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
		}
		p->id = 0;
		ignore(p);
		expect_after(&late, SECOND, .flags = IS(TERN_SYN | TERN_ACK));
		p->now = late.now;
		say(&late, .len = IS(data ? 10 : 0));
		assert_taken(&late);
		assert_state(&late, TERN_ESTABLISHED);
		late.listener = p->listener;
		app_accepts(&late);
		if (data)
			app_reads(&late, 10);
		assert_int_equal(tern_stack_close(p->st, p->now, late.id), 0);
		done(p);
	}
}

static void with_tcp_abort_on_overflow_the_final_ack_is_reset(void **state)
{
	struct puppet *p = listening(PASSIVE4, 1), late = *p;

	(void)state;
	knob(p, "tcp_abort_on_overflow", "1");
	fill_behind(p, &late);
	say(&late);
	assert_dropped(&late, TCP_LISTEN_OVERFLOW);
	expect(&late, .flags = IS(TERN_RST), .seq = IS(late.ack));
	assert_state(&late, TERN_LISTEN);
	done(p);
}

static void what_was_reset_before_accept_is_still_given(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);

	(void)state;
	connect_one(p);
	say(p, .len = IS(3));
	expect_ack(p);
	say(p, .flags = IS(TERN_RST));
	assert_dropped(p, TCP_RESET);
	app_accepts(p);
	app_reads(p, 3);
	assert_int_equal(app_recv(p), -ECONNRESET);
	assert_int_equal(app_recv(p), 0);
	done(p);
}

static void what_the_peer_closed_before_accept_can_be_read_and_closed(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);

	(void)state;
	connect_one(p);
	say(p, .flags = IS(TERN_FIN | TERN_ACK), .len = IS(3));
	expect_ack(p);
	app_accepts(p);
	app_reads(p, 3);
	assert_int_equal(app_recv(p), 0);
	app_closes(p);
	expect(p, .flags = IS(TERN_FIN | TERN_ACK));
	assert_state(p, TERN_LAST_ACK);
	done(p);
}

/* ---- the SYN queue ---- */

/* RFC4987:3.2 */
static void the_syn_queue_holds_one_more_than_the_backlog(void **state)
{
	(void)state;
	for (int backlog = 0; backlog <= 2; backlog++) {
		struct puppet *p = listening(PASSIVE4, backlog);

		for (int i = 0; i <= backlog; i++) {
			say(p, .flags = IS(TERN_SYN));
			expect(p, .flags = IS(TERN_SYN | TERN_ACK));
			next_peer(p);
		}
		assert_int_equal(listener_row(p).synq, backlog + 1);
		say(p, .flags = IS(TERN_SYN));
		assert_dropped(p, TCP_REQQFULL_DROP);
		expect_silence(p);
		assert_int_equal(COUNT(p, TcpExtTCPReqQFullDrop), 1);
		ignore(p);
		done(p);
	}
}

/* RFC4987:3.2 */
static void tcp_max_syn_backlog_limits_the_syn_queue(void **state)
{
	struct puppet *p = puppet_new(PASSIVE4);

	(void)state;
	knob(p, "tcp_max_syn_backlog", "2");
	open_listener(p, 100);
	for (int i = 0; i < 3; i++) {
		say(p, .flags = IS(TERN_SYN));
		if (i == 2)
			assert_dropped(p, TCP_REQQFULL_DROP);
		else
			expect(p, .flags = IS(TERN_SYN | TERN_ACK));
		next_peer(p);
	}
	done(p);
}

static void the_half_open_table_of_the_stack_is_a_limit_too(void **state)
{
	struct tern_config cfg = puppet_config();
	struct puppet *p;

	(void)state;
	cfg.halfopens_max = 2;
	p = puppet_new_cfg(PASSIVE4, &cfg);
	open_listener(p, 100);
	for (int i = 0; i < 3; i++) {
		say(p, .flags = IS(TERN_SYN));
		if (i == 2)
			assert_dropped(p, TCP_HALFOPEN_LIMIT);
		else
			expect(p, .flags = IS(TERN_SYN | TERN_ACK));
		next_peer(p);
	}
	assert_int_equal(COUNT(p, TernHalfOpenLimit), 1);
	done(p);
}

static void without_room_for_a_connection_the_final_ack_may_come_again(void **state)
{
	struct tern_config cfg = puppet_config();
	struct puppet *p, late;

	(void)state;
	cfg.conns_max = 2; /* the listener and one more */
	p = puppet_new_cfg(PASSIVE4, &cfg);
	open_listener(p, 8);
	late = *p;
	say(&late, .flags = IS(TERN_SYN));
	expect(&late, .flags = IS(TERN_SYN | TERN_ACK));
	next_peer(p);
	connect_one(p);
	say(&late);
	assert_dropped(&late, NOMEM);
	assert_int_equal(COUNT(p, TernConnLimit), 1);
	app_accepts(p);
	assert_int_equal(tern_stack_abort(p->st, p->now, p->id), 0);
	p->id = 0;
	ignore(p);
	say(&late);
	assert_state(&late, TERN_ESTABLISHED);
	done(p);
}

static void listening_again_changes_the_backlog_only(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);

	(void)state;
	connect_one(p);
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, 0), 0);
	assert_int_equal(listener_row(p).acceptq, 1);
	assert_int_equal(listener_row(p).acceptq_max, 0);
	next_peer(p);
	say(p, .flags = IS(TERN_SYN));
	assert_dropped(p, TCP_LISTEN_OVERFLOW);
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, -1), 0);
	assert_int_equal(listener_row(p).acceptq_max, 4096); /* somaxconn */
	p->seq = p->iss;
	connect_one(p);
	done(p);
}

/* ---- who is not listened to (MUST-57, MUST-63) ---- */

static void say_syn(struct puppet *p, struct tern_addr src, struct tern_addr dst)
{
	struct tern_endpoint peer = p->peer, us = p->us;

	p->peer.addr = src;
	p->us.addr = dst;
	p->seq = p->iss;
	say(p, .flags = IS(TERN_SYN));
	p->peer = peer;
	p->us = us;
}

static struct tern_addr v6(const char *text)
{
	struct tern_addr a;

	assert_int_equal(tern_addr_parse(text, &a), 0);
	return a;
}

/* RFC9293:MUST-57 */
static void syns_to_many_are_ignored(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);
	const struct tern_addr to[] = { tern_addr_v4(224, 0, 0, 1), tern_addr_v4(10, 77, 0, 255),
					tern_addr_v4(255, 255, 255, 255) };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(to); i++) {
		say_syn(p, p->peer.addr, to[i]);
		assert_dropped(p, IP_INVALID_DEST);
	}
	expect_silence(p);
	assert_int_equal(listener_row(p).synq, 0);
	done(p);

	p = listening(PASSIVE6, 8);
	say_syn(p, p->peer.addr, v6("ff02::1"));
	assert_dropped(p, IP_INVALID_DEST);
	expect_silence(p);
	done(p);
}

/* RFC9293:MUST-63 */
static void syns_from_addresses_that_cannot_be_are_ignored(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);
	const struct tern_addr from[] = {
		tern_addr_v4(224, 0, 0, 1),       tern_addr_v4(10, 77, 0, 255),
		tern_addr_v4(255, 255, 255, 255), tern_addr_v4(127, 0, 0, 1),
		tern_addr_v4(0, 0, 0, 0),
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(from); i++) {
		say_syn(p, from[i], p->us.addr);
		assert_dropped(p, IP_INVALID_SOURCE);
	}
	say_syn(p, p->us.addr, p->us.addr); /* LAND */
	assert_dropped(p, IP_RPFILTER);
	expect_silence(p);
	done(p);

	p = listening(PASSIVE6, 8);
	say_syn(p, v6("ff02::1"), p->us.addr);
	assert_dropped(p, IP_INVALID_SOURCE);
	say_syn(p, v6("::"), p->us.addr);
	assert_dropped(p, IP_INVALID_SOURCE);
	say_syn(p, v6("::1"), p->us.addr);
	assert_dropped(p, IP_INVALID_SOURCE);
	expect_silence(p);
	done(p);
}

/* RFC9293:MUST-46 */
static void connect_to_many_is_refused(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);
	struct tern_endpoint to = p->peer;

	(void)state;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	to.addr = tern_addr_v4(224, 0, 0, 1);
	assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &to), -ENETUNREACH);
	to.addr = tern_addr_v4(10, 77, 0, 255);
	assert_int_equal(tern_stack_connect(p->st, p->now, p->id, &to), -EACCES);
	expect_silence(p);
	open_active(p); /* and may be tried again */
	done(p);
}

/* ---- the end of a listener ---- */

static void a_listener_takes_with_it_what_was_not_accepted(void **state)
{
	(void)state;
	FOR_EACH_FAMILY(k)
	{
		struct puppet *p = listening(k, 8), half = *p;

		say(&half, .flags = IS(TERN_SYN));
		expect(&half, .flags = IS(TERN_SYN | TERN_ACK));
		next_peer(p);
		connect_one(p);
		say(p, .len = IS(100)); /* unread */
		ignore(p);
		assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
		expect(&half, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(half.ack),
		       .ack = IS(half.seq));
		assert_int_equal(half.got.flow.rport, half.peer.port);
		expect(&half, .flags = IS(TERN_RST | TERN_ACK), .seq = IS(p->ack),
		       .ack = IS(p->seq));
		assert_int_equal(half.got.flow.rport, p->peer.port);
		expect_silence(&half);
		p->listener = 0;
		assert_all_back(p);
		done(p);
	}
}

static void a_listener_takes_with_it_what_was_reset_before_accept(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);

	(void)state;
	connect_one(p);
	say(p, .len = IS(10));
	ignore(p);
	say(p, .flags = IS(TERN_RST));
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	expect_silence(p);
	assert_all_back(p);
	done(p);
}

static void accepted_connections_outlive_their_listener(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	assert_int_equal(tern_stack_close(p->st, p->now, p->listener), 0);
	p->listener = 0;
	expect_silence(p);
	say(p, .len = IS(10));
	app_reads(p, 10);
	assert_state(p, TERN_ESTABLISHED);
	done(p);
}

static void shutdown_ends_listening_and_listen_begins_it_again(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);

	(void)state;
	connect_one(p);
	assert_int_equal(tern_stack_shutdown(p->st, p->now, p->listener, TERN_SHUT_RD), 0);
	expect_reset(p);
	assert_int_equal(tern_stack_accept(p->st, p->now, p->listener, &p->id), -EINVAL);
	next_peer(p);
	say(p, .flags = IS(TERN_SYN));
	assert_dropped(p, NO_SOCKET);
	expect(p, .flags = IS(TERN_RST | TERN_ACK));
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, 8), 0);
	p->seq = p->iss;
	connect_one(p);
	done(p);
}

/* RFC9293:MUST-41 */
static void a_port_can_be_listened_on_once(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);
	struct tern_endpoint at = { tern_addr_any(TERN_INET), p->us.port };
	tern_id other;

	(void)state;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &other), 0);
	assert_int_equal(tern_stack_bind(p->st, p->now, other, &at), -EADDRINUSE);
	at.addr = p->us.addr;
	assert_int_equal(tern_stack_bind(p->st, p->now, other, &at), -EADDRINUSE);
	assert_int_equal(tern_stack_listen(p->st, p->now, other, 1), 0); /* takes a port */
	assert_int_equal(tern_stack_connect(p->st, p->now, other, &p->peer), -EOPNOTSUPP);
	assert_int_equal(tern_stack_close(p->st, p->now, other), 0);
	done(p);
}

/* RFC9293:MUST-42. */
static void a_port_can_be_listened_on_while_a_connection_opens_from_it(void **state)
{
	struct puppet *p = puppet_new(ACTIVE4);
	struct puppet other;

	(void)state;
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->id), 0);
	set_option(p, p->id, TERN_SO_REUSEADDR, 1);
	open_active(p);
	assert_int_equal(tern_stack_open(p->st, p->now, TERN_STREAM, TERN_INET, &p->listener), 0);
	assert_int_equal(tern_stack_bind(p->st, p->now, p->listener, &p->us), -EADDRINUSE);
	set_option(p, p->listener, TERN_SO_REUSEADDR, 1);
	assert_int_equal(tern_stack_bind(p->st, p->now, p->listener, &p->us), 0);
	assert_int_equal(tern_stack_listen(p->st, p->now, p->listener, 8), 0);
	other = *p;
	next_peer(&other);
	connect_one(&other);
	say(p, .flags = IS(TERN_SYN | TERN_ACK));
	expect_ack(p);
	assert_state(p, TERN_ESTABLISHED);
	app_accepts(&other);
	assert_int_equal(tern_stack_close(p->st, p->now, other.id), 0);
	done(p);
}

static void children_take_after_their_listener(void **state)
{
	struct puppet *p = listening(PASSIVE4, 8);

	(void)state;
	set_option(p, p->listener, TERN_SO_NODELAY, 1);
	set_option(p, p->listener, TERN_SO_KEEPALIVE, 1);
	set_option(p, p->listener, TERN_SO_KEEPIDLE, 77);
	set_option(p, p->listener, TERN_SO_TTL, 33);
	set_option(p, p->listener, TERN_SO_TOS, 0x10);
	set_option(p, p->listener, TERN_SO_LINGER, 9);
	set_option(p, p->listener, TERN_SO_MAXSEG, 500);
	set_option(p, p->listener, TERN_SO_SNDBUF, 30000);
	set_option(p, p->listener, TERN_SO_USER_TIMEOUT, 12345);
	say(p, .flags = IS(TERN_SYN));
	expect(p, .flags = IS(TERN_SYN | TERN_ACK), .mss = IS(500));
	assert_int_equal(p->got.ttl, 33);
	assert_int_equal(p->got.tos, 0x10);
	say(p);
	app_accepts(p);
	assert_int_equal(option(p, p->id, TERN_SO_NODELAY), 1);
	assert_int_equal(option(p, p->id, TERN_SO_KEEPALIVE), 1);
	assert_int_equal(option(p, p->id, TERN_SO_KEEPIDLE), 77);
	assert_int_equal(option(p, p->id, TERN_SO_LINGER), 9);
	assert_int_equal(option(p, p->id, TERN_SO_SNDBUF), 30000);
	assert_int_equal(option(p, p->id, TERN_SO_USER_TIMEOUT), 12345);
	app_writes(p, 489);
	expect(p, .len = IS(488));
	expect(p, .len = IS(1));
	assert_int_equal(p->got.ttl, 33);
	assert_int_equal(p->got.tos, 0x10);
	say(p);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_accept_queue_holds_one_more_than_the_backlog),
		cmocka_unit_test(what_was_accepted_and_is_held_counts_as_waiting),
		cmocka_unit_test(only_a_listener_holds),
		cmocka_unit_test(
			connections_are_accepted_in_the_order_in_which_they_were_completed),
		cmocka_unit_test(
			a_final_ack_that_finds_the_queue_full_is_dropped_and_may_come_again),
		cmocka_unit_test(with_tcp_abort_on_overflow_the_final_ack_is_reset),
		cmocka_unit_test(what_was_reset_before_accept_is_still_given),
		cmocka_unit_test(what_the_peer_closed_before_accept_can_be_read_and_closed),
		cmocka_unit_test(the_syn_queue_holds_one_more_than_the_backlog),
		cmocka_unit_test(tcp_max_syn_backlog_limits_the_syn_queue),
		cmocka_unit_test(the_half_open_table_of_the_stack_is_a_limit_too),
		cmocka_unit_test(without_room_for_a_connection_the_final_ack_may_come_again),
		cmocka_unit_test(listening_again_changes_the_backlog_only),
		cmocka_unit_test(syns_to_many_are_ignored),
		cmocka_unit_test(syns_from_addresses_that_cannot_be_are_ignored),
		cmocka_unit_test(connect_to_many_is_refused),
		cmocka_unit_test(a_listener_takes_with_it_what_was_not_accepted),
		cmocka_unit_test(a_listener_takes_with_it_what_was_reset_before_accept),
		cmocka_unit_test(accepted_connections_outlive_their_listener),
		cmocka_unit_test(shutdown_ends_listening_and_listen_begins_it_again),
		cmocka_unit_test(a_port_can_be_listened_on_once),
		cmocka_unit_test(a_port_can_be_listened_on_while_a_connection_opens_from_it),
		cmocka_unit_test(children_take_after_their_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
