/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of sockets, and what depends on time: attempts, lingering, room. */
#include "unit/sock/two_stacks.h"

enum {
	IN = TERN_SOCK_IN,
	OUT = TERN_SOCK_OUT,
	ERR = TERN_SOCK_ERR,
	HUP = TERN_SOCK_HUP,
	RDHUP = TERN_SOCK_RDHUP,
};

static char big[1 << 20];

static void a_table_has_its_size(void **state)
{
	struct tern_socks *ss = NULL;

	(void)state;
	assert_int_equal(tern_socks_new(NULL, 1, &ss), -EINVAL);
	assert_int_equal(tern_socks_new(a.st, 0, &ss), -EINVAL);
	assert_int_equal(tern_socks_new(a.st, (1 << 24) + 1, &ss), -EINVAL);
	assert_null(ss);
	tern_socks_free(NULL);
	for (int i = 0; i < SOCKETS_MAX; i++)
		assert_int_equal(stream(&a), i);
	assert_int_equal(tern_sock_open(a.ss, now, TERN_AF_INET, TERN_SOCK_DGRAM, 0), -EMFILE);
	assert_int_equal(tern_socks_count(a.ss), SOCKETS_MAX);
	/* The lowest free one comes first, on either side of a word of the bitmap. */
	for (int fd = 63; fd <= 65; fd++)
		assert_int_equal(tern_sock_close(a.ss, now, fd, NULL), 0);
	assert_int_equal(tern_sock_close(a.ss, now, SOCKETS_MAX - 1, NULL), 0);
	for (int fd = 63; fd <= 65; fd++)
		assert_int_equal(stream(&a), fd);
	assert_int_equal(stream(&a), SOCKETS_MAX - 1);
	assert_int_equal(tern_socks_count(a.ss), SOCKETS_MAX);
}

static void what_is_no_socket_is_said_so_everywhere(void **state)
{
	static const int wrong[] = { -1, 0, SOCKETS_MAX - 1, SOCKETS_MAX, 1 << 30 };
	struct tern_sock_wait wait;
	union tern_sockaddr sa = at(2, PORT);
	uint32_t len = sizeof(sa);
	uint64_t until;
	int n;

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(wrong); i++) {
		int fd = wrong[i];

		assert_int_equal(tern_sock_bind(a.ss, now, fd, &sa, 16), -EBADF);
		assert_int_equal(tern_sock_listen(a.ss, now, fd, 1), -EBADF);
		assert_int_equal(tern_sock_accept(a.ss, now, fd, NULL, NULL), -EBADF);
		assert_int_equal(tern_sock_connect(a.ss, now, fd, &sa, 16), -EBADF);
		assert_int_equal(tern_sock_shutdown(a.ss, now, fd, 1), -EBADF);
		assert_int_equal(tern_sock_close(a.ss, now, fd, &until), -EBADF);
		assert_int_equal(tern_sock_linger(a.ss, now, fd, true), -EBADF);
		assert_int_equal(send_on(&a, fd, "x", 1), -EBADF);
		assert_int_equal(recv_on(&a, fd, &n, 1), -EBADF);
		assert_int_equal(tern_sock_inq(a.ss, now, fd, &n), -EBADF);
		assert_int_equal(tern_sock_outq(a.ss, now, fd, &n), -EBADF);
		assert_int_equal(tern_sock_getsockname(a.ss, fd, &sa, &len), -EBADF);
		assert_int_equal(tern_sock_getpeername(a.ss, fd, &sa, &len), -EBADF);
		assert_int_equal(tern_sock_setsockopt(a.ss, now, fd, 1, 2, &n, 4), -EBADF);
		assert_int_equal(tern_sock_getsockopt(a.ss, now, fd, 1, 2, &n, &len), -EBADF);
		assert_int_equal(tern_sock_poll(a.ss, now, fd), TERN_SOCK_NVAL);
		assert_int_equal(tern_sock_wait(a.ss, fd, TERN_SOCK_OP_RECV, &wait), -EBADF);
		assert_int_equal(tern_sock_id(a.ss, fd), 0);
		assert_int_equal(tern_sock_type(a.ss, fd), -EBADF);
	}
}

/* As a Linux host answers while its SYN is on the way to nobody. */
static void an_attempt_under_way_waits_for_everything(void **state)
{
	union tern_sockaddr sa;
	uint32_t len = sizeof(sa);
	int fd = stream(&a), n = -1;
	char byte;

	(void)state;
	assert_int_equal(connect_to(&a, fd, 9, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(state_of(&a, fd), TERN_SYN_SENT);
	assert_int_equal(poll_on(&a, fd), 0);
	assert_int_equal(send_on(&a, fd, "x", 1), -EAGAIN);
	assert_int_equal(recv_on(&a, fd, &byte, 1), -EAGAIN);
	assert_int_equal(tern_sock_getpeername(a.ss, fd, &sa, &len), -ENOTCONN);
	assert_int_equal(tern_sock_getsockname(a.ss, fd, &sa, &len), 0);
	assert_true(tern_get_u16(sa.in.port) != 0);
	assert_int_equal(connect_to(&a, fd, 9, PORT), -EALREADY);
	assert_int_equal(tern_sock_listen(a.ss, now, fd, 1), -EINVAL);
	assert_int_equal(bind_at(&a, fd, 1, 0), -EINVAL);
	assert_int_equal(tern_sock_inq(a.ss, now, fd, &n), 0);
	assert_int_equal(n, 0);
}

static void an_attempt_that_nobody_answers_times_out(void **state)
{
	int fd = stream(&a), value = 0;
	uint32_t len = sizeof(value);

	(void)state;
	cut = true;
	assert_int_equal(connect_to(&a, fd, 2, PORT), -EINPROGRESS);
	pass(600 * S);
	assert_int_equal(poll_on(&a, fd), IN | OUT | ERR | HUP | RDHUP);
	assert_int_equal(tern_sock_getsockopt(a.ss, now, fd, 1, TERN_ABI_SO_ERROR, &value, &len),
			 0);
	assert_int_equal(value, ETIMEDOUT);
	assert_int_equal(connect_to(&a, fd, 2, PORT), -ECONNABORTED);
	cut = false;
	(void)listen_at_b();
	assert_int_equal(connect_to(&a, fd, 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect_to(&a, fd, 2, PORT), 0);
}

static void what_is_held_counts_but_is_not_ready(void **state)
{
	int listener = listen_at_b(), client, server;
	struct tern_socket_info row;

	(void)state;
	assert_int_equal(tern_sock_hold(b.ss, now, -1, 1), -EBADF);
	assert_int_equal(tern_sock_hold(b.ss, now, listener, -1), -EINVAL);
	client = stream(&b);
	assert_int_equal(tern_sock_hold(b.ss, now, client, 1), -EINVAL);
	for (int i = 0; i < 2; i++) {
		client = stream(&a);
		assert_int_equal(connect_to(&a, client, 2, PORT), -EINPROGRESS);
		exchange();
		assert_int_equal(poll_on(&b, listener), IN);
		server = tern_sock_accept(b.ss, now, listener, NULL, NULL);
		assert_true(server >= 0);
		assert_int_equal(tern_sock_hold(b.ss, now, listener, i + 1), 0);
		assert_int_equal(poll_on(&b, listener), 0);
		assert_int_equal(tern_sock_accept(b.ss, now, listener, NULL, NULL), -EAGAIN);
		assert_int_equal(tern_stack_socket(b.st, now, tern_sock_id(b.ss, listener), &row),
				 0);
		assert_int_equal(row.recv_q, i + 1);
	}
	/* Eight and one are the limit, two of them are held. */
	for (int i = 0; i < 8; i++)
		assert_int_equal(connect_to(&a, stream(&a), 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(tern_stack_socket(b.st, now, tern_sock_id(b.ss, listener), &row), 0);
	assert_int_equal(row.recv_q, 9);
	for (int i = 0; i < 7; i++)
		assert_true(tern_sock_accept(b.ss, now, listener, NULL, NULL) >= 0);
	assert_int_equal(tern_sock_accept(b.ss, now, listener, NULL, NULL), -EAGAIN);

	/* Listening again, nothing is held. */
	assert_int_equal(tern_sock_shutdown(b.ss, now, listener, TERN_SHUT_RD), 0);
	assert_int_equal(tern_sock_hold(b.ss, now, listener, 1), -EINVAL);
	assert_int_equal(tern_sock_listen(b.ss, now, listener, 8), 0);
	assert_int_equal(connect_to(&a, stream(&a), 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(poll_on(&b, listener), IN);
}

static void shutdown_ends_an_attempt_and_the_socket_lives_on(void **state)
{
	(void)state;
	for (int how = TERN_SHUT_RD; how <= TERN_SHUT_RDWR; how++) {
		int fd = stream(&a), value = 0;
		uint32_t len = sizeof(value);
		char byte;

		assert_int_equal(connect_to(&a, fd, 9, PORT), -EINPROGRESS);
		assert_int_equal(tern_sock_shutdown(a.ss, now, fd, how), 0);
		assert_int_equal(poll_on(&a, fd), OUT | ERR | HUP);
		assert_int_equal(
			tern_sock_getsockopt(a.ss, now, fd, 1, TERN_ABI_SO_ERROR, &value, &len), 0);
		assert_int_equal(value, ECONNRESET);
		assert_int_equal(poll_on(&a, fd), OUT | HUP);
		assert_int_equal(send_on(&a, fd, "x", 1), -EPIPE);
		assert_int_equal(recv_on(&a, fd, &byte, 1), -ENOTCONN);
		assert_int_equal(connect_to(&a, fd, 9, PORT), -EINPROGRESS);
	}
}

static void a_socket_keeps_its_port_over_attempts(void **state)
{
	union tern_sockaddr sa;
	uint32_t len = sizeof(sa);
	int fd = stream(&a);

	(void)state;
	assert_int_equal(bind_at(&a, fd, 1, 5555), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(connect_to(&a, fd, 2, PORT), -EINPROGRESS);
		exchange();
		assert_int_equal(connect_to(&a, fd, 2, PORT), -ECONNREFUSED);
		assert_int_equal(tern_sock_getsockname(a.ss, fd, &sa, &len), 0);
		assert_int_equal(tern_get_u16(sa.in.port), 5555);
		assert_int_equal(bind_at(&a, fd, 1, 0), -EINVAL);
	}
	assert_int_equal(tern_sock_listen(a.ss, now, fd, 1), 0);
}

static void attempts_leave_nothing_behind(void **state)
{
	struct tern_stack_info before, after;
	int fd = stream(&a);

	(void)state;
	tern_stack_info(a.st, now, &before);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(connect_to(&a, fd, 2, PORT), -EINPROGRESS);
		exchange();
		assert_int_equal(connect_to(&a, fd, 2, PORT), -ECONNREFUSED);
	}
	tern_stack_info(a.st, now, &after);
	assert_int_equal(after.conns, before.conns);
	assert_int_equal(after.orphans, 0);
}

static void writable_comes_back_when_a_good_part_is_free(void **state)
{
	int client, server;
	int64_t n, total = 0, got = 0;

	(void)state;
	make_pair(&client, &server);
	assert_int_equal(poll_on(&a, client), OUT);
	/* Until the buffers of both sides are full and have stopped growing. */
	while ((n = send_on(&a, client, big, sizeof(big))) > 0 || (poll_on(&a, client) & OUT)) {
		total += n > 0 ? n : 0;
		pass(S);
	}
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(poll_on(&b, server), IN | OUT);
	while (got < total) {
		n = recv_on(&b, server, big, sizeof(big));
		assert_true(n != 0);
		got += n > 0 ? n : 0;
		pass(10 * MS);
	}
	assert_int_equal(poll_on(&a, client), OUT);
	assert_int_equal(poll_on(&b, server), OUT);
}

/* Of room the engine tells after a short send only; a later one in full ends the wait for it. */
static void a_full_send_into_little_room_does_not_leave_the_socket_unwritable(void **state)
{
	int client, server;
	int64_t n;

	(void)state;
	make_pair(&client, &server);
	while (send_on(&a, client, big, sizeof(big)) > 0 || (poll_on(&a, client) & OUT))
		pass(S);
	for (;;) {
		assert_int_equal(poll_on(&a, client), 0);
		n = send_on(&a, client, big, 1);
		if (n != -EAGAIN)
			break;
		assert_true(recv_on(&b, server, big, 3000) > 0);
		pass(S);
	}
	assert_int_equal(n, 1);
	assert_int_equal(poll_on(&a, client), OUT);
}

static void set_linger(struct side *side, int fd, int seconds)
{
	const struct tern_linger linger = { .onoff = 1, .seconds = seconds };

	assert_int_equal(tern_sock_setsockopt(side->ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_LINGER, &linger, sizeof(linger)),
			 0);
}

static void a_lingering_close_is_over_when_the_peer_has_all(void **state)
{
	int client, server;
	uint64_t until = 0;
	char buf[8];

	(void)state;
	make_pair(&client, &server);
	set_linger(&a, client, 5);
	assert_int_equal(send_on(&a, client, "last", 4), 4);
	assert_int_equal(tern_sock_close(a.ss, now, client, &until), -EINPROGRESS);
	assert_int_equal(until, now + 5 * S);
	/* It is no socket any more, but its descriptor is not free. */
	assert_int_equal(send_on(&a, client, "x", 1), -EBADF);
	assert_int_equal(tern_sock_close(a.ss, now, client, &until), -EBADF);
	assert_true(stream(&a) != client);
	assert_int_equal(tern_sock_linger(a.ss, now, client, false), -EAGAIN);
	exchange();
	assert_int_equal(tern_sock_linger(a.ss, now, client, false), 0);
	assert_int_equal(tern_sock_linger(a.ss, now, client, false), -EBADF);
	assert_int_equal(stream(&a), client);
	assert_int_equal(recv_on(&b, server, buf, sizeof(buf)), 4);
	assert_int_equal(recv_on(&b, server, buf, sizeof(buf)), 0);
}

static void a_lingering_close_ends_with_its_time(void **state)
{
	int client, server;
	uint64_t until = 0;

	(void)state;
	make_pair(&client, &server);
	set_linger(&a, client, 2);
	cut = true;
	assert_int_equal(tern_sock_close(a.ss, now, client, &until), -EINPROGRESS);
	pass(2 * S - 1);
	assert_int_equal(tern_sock_linger(a.ss, now, client, false), -EAGAIN);
	pass(1);
	assert_int_equal(tern_sock_linger(a.ss, now, client, false), 0);
	/* The connection goes on as an orphan: the FIN arrives when the wire is back. */
	cut = false;
	pass(60 * S);
	assert_int_equal(poll_on(&b, server), IN | OUT | RDHUP);
}

static void a_caller_may_give_up_lingering(void **state)
{
	int client, server;
	uint64_t until = 0;

	(void)state;
	make_pair(&client, &server);
	set_linger(&a, client, 2);
	assert_int_equal(tern_sock_close(a.ss, now, client, &until), -EINPROGRESS);
	assert_int_equal(tern_sock_linger(a.ss, now, client, true), 0);
	assert_int_equal(stream(&a), client);
}

static void unread_data_makes_a_lingering_close_a_reset(void **state)
{
	int client, server;
	uint64_t until = 0;
	char byte;

	(void)state;
	make_pair(&client, &server);
	set_linger(&b, server, 5);
	assert_int_equal(send_on(&a, client, "unread", 6), 6);
	exchange();
	assert_int_equal(tern_sock_close(b.ss, now, server, &until), 0);
	exchange();
	assert_int_equal(recv_on(&a, client, &byte, 1), -ECONNRESET);
}

static void what_would_block_says_what_it_waits_for(void **state)
{
	const struct tern_timeval tv = { .seconds = 3, .microseconds = 500000 };
	struct tern_sock_wait wait;
	int fd = stream(&a);

	(void)state;
	assert_int_equal(tern_sock_setsockopt(a.ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_RCVTIMEO, &tv, sizeof(tv)),
			 0);
	assert_int_equal(tern_sock_wait(a.ss, fd, TERN_SOCK_OP_RECV, &wait), 0);
	assert_int_equal(wait.bits, IN | ERR | HUP);
	assert_int_equal(wait.timeout_ns, 3500 * MS);
	assert_int_equal(tern_sock_wait(a.ss, fd, TERN_SOCK_OP_ACCEPT, &wait), 0);
	assert_int_equal(wait.bits, IN | ERR | HUP);
	assert_int_equal(tern_sock_wait(a.ss, fd, TERN_SOCK_OP_SEND, &wait), 0);
	assert_int_equal(wait.bits, OUT | ERR | HUP);
	assert_true(wait.timeout_ns == TERN_NEVER);
	assert_int_equal(tern_sock_wait(a.ss, fd, TERN_SOCK_OP_CONNECT, &wait), 0);
	assert_int_equal(wait.bits, OUT | ERR | HUP);
}

static void a_buffer_is_no_larger_than_the_knob_allows(void **state)
{
	int fd = stream(&a), value = 1 << 30, got = 0;
	uint32_t len = sizeof(got);

	(void)state;
	assert_int_equal(tern_stack_knob(a.st, now, "net.core.rmem_max", "50000"), 0);
	assert_int_equal(tern_sock_setsockopt(a.ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_RCVBUF, &value, sizeof(value)),
			 0);
	assert_int_equal(tern_sock_getsockopt(a.ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_RCVBUF, &got, &len),
			 0);
	assert_int_equal(got, 100000);
	assert_int_equal(tern_sock_setsockopt(a.ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_RCVBUFFORCE, &(int){ 60000 }, 4),
			 0);
	assert_int_equal(tern_sock_getsockopt(a.ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_RCVBUF, &got, &len),
			 0);
	assert_int_equal(got, 120000);
	/* A low mark fits the window. */
	assert_int_equal(tern_sock_setsockopt(a.ss, now, fd, TERN_ABI_SOL_SOCKET,
					      TERN_ABI_SO_RCVLOWAT, &value, sizeof(value)),
			 0);
	assert_int_equal(tern_sock_rcvlowat(a.ss, fd, SIZE_MAX), 60000);
	assert_int_equal(tern_sock_rcvlowat(a.ss, fd, 10), 10);
	assert_int_equal(tern_sock_rcvlowat(a.ss, fd, 0), 1);
}

static void a_stack_without_room_says_so_and_keeps_the_table_whole(void **state)
{
	struct tern_config cfg = { .addr_count = 1, .conns_max = 2 };
	struct tern_stack *st;
	struct tern_socks *ss;

	(void)state;
	cfg.addrs[0] = (struct tern_prefix){ tern_addr_v4(10, 77, 0, 3), 24 };
	assert_int_equal(tern_stack_new(&cfg, now, &st), 0);
	assert_int_equal(tern_socks_new(st, 8, &ss), 0);
	assert_int_equal(tern_sock_open(ss, now, TERN_AF_INET, TERN_SOCK_STREAM, 0), 0);
	assert_int_equal(tern_sock_open(ss, now, TERN_AF_INET, TERN_SOCK_STREAM, 0), 1);
	assert_int_equal(tern_sock_open(ss, now, TERN_AF_INET, TERN_SOCK_STREAM, 0), -ENOBUFS);
	assert_int_equal(tern_socks_count(ss), 2);
	assert_int_equal(tern_sock_close(ss, now, 0, NULL), 0);
	assert_int_equal(tern_sock_open(ss, now, TERN_AF_INET, TERN_SOCK_STREAM, 0), 0);
	tern_socks_free(ss);
	tern_stack_free(st);
}

#define TWO_STACKS(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_STACKS(a_table_has_its_size),
		TWO_STACKS(what_is_no_socket_is_said_so_everywhere),
		TWO_STACKS(an_attempt_under_way_waits_for_everything),
		TWO_STACKS(an_attempt_that_nobody_answers_times_out),
		TWO_STACKS(what_is_held_counts_but_is_not_ready),
		TWO_STACKS(shutdown_ends_an_attempt_and_the_socket_lives_on),
		TWO_STACKS(a_socket_keeps_its_port_over_attempts),
		TWO_STACKS(attempts_leave_nothing_behind),
		TWO_STACKS(writable_comes_back_when_a_good_part_is_free),
		TWO_STACKS(a_full_send_into_little_room_does_not_leave_the_socket_unwritable),
		TWO_STACKS(a_lingering_close_is_over_when_the_peer_has_all),
		TWO_STACKS(a_lingering_close_ends_with_its_time),
		TWO_STACKS(a_caller_may_give_up_lingering),
		TWO_STACKS(unread_data_makes_a_lingering_close_a_reset),
		TWO_STACKS(what_would_block_says_what_it_waits_for),
		TWO_STACKS(a_buffer_is_no_larger_than_the_knob_allows),
		TWO_STACKS(a_stack_without_room_says_so_and_keeps_the_table_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
