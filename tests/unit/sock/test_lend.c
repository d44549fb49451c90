/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes through a socket without a copy. */
#include "unit/sock/two_stacks.h"

enum { ROOMS = 8, PIECES = 20 };

static char big[1 << 20];

static int reserve(struct side *side, int fd, size_t len, struct tern_room *rooms)
{
	return tern_sock_reserve(side->ss, now, fd, len, rooms, ROOMS);
}

static int peek(struct side *side, int fd, struct tern_piece *pieces)
{
	return tern_sock_peek_pieces(side->ss, now, fd, pieces, PIECES);
}

static int64_t consume(struct side *side, int fd, size_t len)
{
	return tern_sock_consume(side->ss, now, fd, len);
}

static int64_t commit(struct side *side, int fd, size_t len)
{
	return tern_sock_commit(side->ss, now, fd, len, 0);
}

/* As send_on(), through lent room. */
static int64_t lend_send(struct side *side, int fd, const char *data, size_t len)
{
	struct tern_room rooms[ROOMS];
	int n = reserve(side, fd, len, rooms);
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		memcpy(rooms[i].ptr, data + done, rooms[i].len);
		done += rooms[i].len;
	}
	return n < 0 ? n : commit(side, fd, done);
}

static void a_megabyte_goes_through_in_place(void **state)
{
	struct tern_piece pieces[PIECES];
	size_t sent = 0, got = 0;
	int client, server;

	(void)state;
	make_pair(&client, &server);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 256 * 3);
	while (got < sizeof(big)) {
		size_t left = sizeof(big) - sent;
		int64_t n = left ? lend_send(&a, client, big + sent, left) : 0;
		size_t before = got;
		int count;

		assert_true(n >= 0 || n == -EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		pass(10 * MS);
		count = peek(&b, server, pieces);
		for (int i = 0; i < count; i++) {
			assert_memory_equal(pieces[i].ptr, big + got, pieces[i].len);
			got += pieces[i].len;
		}
		if (got > before)
			assert_int_equal(consume(&b, server, got - before), got - before);
	}
	assert_int_equal(got, sizeof(big));
	assert_int_equal(peek(&b, server, pieces), -EAGAIN);
	assert_int_equal(consume(&b, server, 1), -EAGAIN);
	assert_int_equal(tern_sock_shutdown(a.ss, now, client, TERN_SHUT_WR), 0);
	exchange();
	assert_int_equal(peek(&b, server, pieces), 0);
	assert_int_equal(consume(&b, server, 1), 0);
}

static void a_short_reserve_makes_unwritable_until_there_is_room(void **state)
{
	int client, server, fit;

	(void)state;
	make_pair(&client, &server);
	fit = (int)lend_send(&a, client, big, sizeof(big));
	assert_true(fit > 0 && fit < (int)sizeof(big));
	assert_int_equal(poll_on(&a, client) & TERN_SOCK_OUT, 0);
	pass(100 * MS);
	assert_int_equal(poll_on(&a, client) & TERN_SOCK_OUT, TERN_SOCK_OUT);
	assert_int_equal(lend_send(&a, client, big, 1), 1);
	assert_int_equal(poll_on(&a, client) & TERN_SOCK_OUT, TERN_SOCK_OUT);
}

static void errors_are_those_of_send_and_recv(void **state)
{
	struct tern_piece pieces[PIECES];
	struct tern_room rooms[ROOMS];
	int client, server, udp, fresh, listener;

	(void)state;
	make_pair(&client, &server);
	udp = tern_sock_open(a.ss, now, TERN_AF_INET, TERN_SOCK_DGRAM, 0);
	assert_int_equal(peek(&a, udp, pieces), -EOPNOTSUPP);
	assert_int_equal(consume(&a, udp, 1), -EOPNOTSUPP);
	assert_int_equal(reserve(&a, udp, 1, rooms), -EOPNOTSUPP);
	assert_int_equal(commit(&a, udp, 1), -EOPNOTSUPP);
	assert_int_equal(peek(&a, 99, pieces), -EBADF);
	assert_int_equal(consume(&a, 99, 1), -EBADF);
	assert_int_equal(reserve(&a, 99, 1, rooms), -EBADF);
	assert_int_equal(commit(&a, 99, 1), -EBADF);

	fresh = stream(&a);
	assert_int_equal(peek(&a, fresh, pieces), -ENOTCONN);
	assert_int_equal(consume(&a, fresh, 1), -ENOTCONN);
	assert_int_equal(reserve(&a, fresh, 1, rooms), -EPIPE);
	assert_int_equal(connect_to(&a, fresh, 9, PORT), -EINPROGRESS);
	assert_int_equal(peek(&a, fresh, pieces), -EAGAIN);
	assert_int_equal(reserve(&a, fresh, 1, rooms), -EAGAIN);
	listener = stream(&a);
	assert_int_equal(bind_at(&a, listener, 1, PORT), 0);
	assert_int_equal(tern_sock_listen(a.ss, now, listener, 1), 0);
	assert_int_equal(peek(&a, listener, pieces), -ENOTCONN);
	assert_int_equal(reserve(&a, listener, 1, rooms), -EPIPE);

	assert_int_equal(reserve(&a, client, 0, rooms), 0);
	assert_int_equal(tern_sock_reserve(a.ss, now, client, 1, rooms, 0), 0);
	assert_int_equal(poll_on(&a, client), TERN_SOCK_OUT);
	assert_int_equal(send_on(&b, server, "xyz", 3), 3);
	exchange();
	assert_int_equal(tern_stack_abort(b.st, now, tern_sock_id(b.ss, server)), 0);
	exchange();
	/* What came before is still there; then the error, once; then the end. */
	assert_int_equal(reserve(&a, client, 1, rooms), -ECONNRESET);
	assert_int_equal(reserve(&a, client, 1, rooms), -EPIPE);
	assert_int_equal(peek(&a, client, pieces), 1);
	assert_int_equal(consume(&a, client, 9), 3);
	assert_int_equal(peek(&a, client, pieces), 0);
}

#define LEND_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEND_TEST(a_megabyte_goes_through_in_place),
		LEND_TEST(a_short_reserve_makes_unwritable_until_there_is_room),
		LEND_TEST(errors_are_those_of_send_and_recv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
