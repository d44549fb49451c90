/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes and ends of established connections, both ways. */
#include "unit/posix/bed.h"

#include <stdlib.h>

#include "posix/internal.h"

static void bytes_go_both_ways(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(send(x.client.fd, "there", 5, MSG_DONTWAIT), 5);
	expect_data(x.server.fd, "there", 5);
	assert_int_equal(send(x.server.fd, "back", 4, MSG_DONTWAIT), 4);
	expect_data(x.client.fd, "back", 4);
	assert_int_equal(send(x.client.fd, "1", 1, MSG_DONTWAIT), 1);
	expect_data(x.server.fd, "1", 1);
	part(&x);
	assert_int_equal(tern_broker_sockets(broker), 0);
	assert_int_equal(tern_broker_listeners(broker), 0);
}

static void raise_sndbuf(int fd)
{
	int bytes = TERN_POSIX_SNDBUF;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
}

/* A byte of a stream that does not repeat soon. */
static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* Carries len bytes in writes of `piece` bytes at most. */
static void carry(int from, int to, size_t len, size_t piece)
{
	static uint8_t out[1 << 20], in[1 << 20];
	size_t sent = 0, got = 0;

	while (got < len) {
		size_t n = TERN_MIN(TERN_MIN(piece, sizeof(out)), len - sent);
		ssize_t done;

		for (size_t i = 0; i < n; i++)
			out[i] = byte_at(sent + i);
		done = n ? send(from, out, n, MSG_DONTWAIT) : 0;
		sent += done > 0 ? (size_t)done : 0;
		turn();
		done = recv(to, in, sizeof(in), MSG_DONTWAIT);
		for (ssize_t i = 0; i < done; i++)
			if (in[i] != byte_at(got + (size_t)i))
				fail_msg("byte %zu is wrong", got + (size_t)i);
		got += done > 0 ? (size_t)done : 0;
	}
	assert_int_equal(got, len);
}

static void much_data_arrives_whole_in_pieces_of_any_size(void **state)
{
	static const size_t pieces[] = { 100, 16383, 16384, 16385, 70000, 1 << 20 };
	struct both x = join();

	(void)state;
	raise_sndbuf(x.client.fd);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(pieces); i++) {
		carry(x.client.fd, x.server.fd, 3000000 + i, pieces[i]);
		carry(x.server.fd, x.client.fd, 3000000 + i, pieces[i]);
	}
	part(&x);
}

static void who_does_not_read_stops_who_writes(void **state)
{
	static char data[1 << 16];
	struct both x = join();
	size_t sent = 0, got = 0;
	int idle = 0;

	(void)state;
	raise_sndbuf(x.client.fd);
	while (idle < 50) {
		ssize_t n = send(x.client.fd, data, sizeof(data), MSG_DONTWAIT);

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_true(sent < 32 << 20);
	assert_int_equal(look(x.client.fd, 0), 0);
	while (got < sent) {
		ssize_t n = recv(x.server.fd, data, sizeof(data), MSG_DONTWAIT);

		got += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_int_equal(look(x.client.fd, POLLOUT), POLLOUT);
	part(&x);
}

static void a_half_close_passes_and_the_other_half_goes_on(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(send(x.client.fd, "last", 4, MSG_DONTWAIT), 4);
	assert_int_equal(ask_shutdown(x.client, SHUT_WR), 0);
	expect_data(x.server.fd, "last", 4);
	expect_end(x.server.fd);
	assert_int_equal(send(x.server.fd, "answer", 6, MSG_DONTWAIT), 6);
	expect_data(x.client.fd, "answer", 6);
	drop(&x.server);
	expect_end(x.client.fd);
	part(&x);
	assert_int_equal(tern_broker_sockets(broker), 0);
}

static void a_close_sends_what_was_written_and_then_the_end(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(send(x.server.fd, "all of it", 9, MSG_DONTWAIT), 9);
	drop(&x.server);
	expect_data(x.client.fd, "all of it", 9);
	expect_end(x.client.fd);
	assert_int_equal(look(x.client.fd, POLLOUT), POLLOUT);
	part(&x);
}

static void a_close_with_unread_data_resets_the_peer(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(send(x.client.fd, "unread", 6, MSG_DONTWAIT), 6);
	assert_true(look(x.server.fd, POLLIN) & POLLIN);
	drop(&x.server);
	expect_reset(x.client.fd);
	assert_int_equal(ask(TERN_POSIX_LAST_ERROR, x.client.id, 0), ECONNRESET);
	part(&x);
	assert_int_equal(tern_broker_sockets(broker), 0);
}

static void so_linger_of_zero_resets_the_peer(void **state)
{
	const struct linger now = { 1, 0 };
	struct both x = join();

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, x.server.id, SOL_SOCKET, SO_LINGER, 0,
				  &now, sizeof(now)),
			 0);
	assert_int_equal(broker->page->lingers, 0);
	drop(&x.server);
	expect_reset(x.client.fd);
	part(&x);
}

static void a_reset_in_mid_body_is_no_clean_end(void **state)
{
	const struct linger now = { 1, 0 };
	struct both x = join();

	(void)state;
	assert_int_equal(send(x.server.fd, "half of", 7, MSG_DONTWAIT), 7);
	settle();
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, x.server.id, SOL_SOCKET, SO_LINGER, 0,
				  &now, sizeof(now)),
			 0);
	drop(&x.server);
	settle();
	expect_data(x.client.fd, "half of", 7);
	expect_reset(x.client.fd);
	assert_int_equal(get_int(x.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
	part(&x);
}

static void the_brokers_death_in_mid_body_is_no_clean_end(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(send(x.server.fd, "half of", 7, MSG_DONTWAIT), 7);
	assert_true(look(x.client.fd, POLLIN) & POLLIN);
	/* The kernel closes what a process that dies had open, in no particular order. */
	tern_loop_forget(host->loop, broker->pairs[x.client.id & 0xffffff].fd);
	(void)close(broker->pairs[x.client.id & 0xffffff].fd);
	broker->pairs[x.client.id & 0xffffff].fd = -1;
	expect_data(x.client.fd, "half of", 7);
	expect_reset(x.client.fd);
	part(&x);
}

static void a_writer_that_was_never_read_meets_a_reset(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(send(x.client.fd, "a", 1, MSG_DONTWAIT), 1);
	expect_data(x.server.fd, "a", 1);
	drop(&x.server);
	expect_end(x.client.fd);
	assert_int_equal(send(x.client.fd, "b", 1, MSG_DONTWAIT), 1);
	assert_true(look(x.client.fd, POLLERR) & POLLHUP);
	assert_int_equal(send(x.client.fd, "c", 1, MSG_DONTWAIT | MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	part(&x);
	assert_int_equal(tern_broker_sockets(broker), 0);
}

static void shut_down_for_reading_discards_and_acknowledges(void **state)
{
	static char data[65536];
	struct both x = join();
	size_t sent = 0;

	(void)state;
	assert_int_equal(ask_shutdown(x.client, SHUT_RD), 0);
	expect_end(x.client.fd);
	while (sent < 8 << 20) {
		ssize_t n = send(x.server.fd, data, sizeof(data), MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_int_equal(send(x.client.fd, "still here", 10, MSG_DONTWAIT), 10);
	expect_data(x.server.fd, "still here", 10);
	part(&x);
}

static void both_halves_shut_is_not_closed(void **state)
{
	struct both x = join();

	(void)state;
	assert_int_equal(ask_shutdown(x.client, SHUT_RDWR), 0);
	expect_end(x.server.fd);
	assert_int_equal(ask_shutdown(x.server, SHUT_WR), 0);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 3);
	assert_int_equal(ask(TERN_POSIX_GETSOCKNAME, x.client.id, 0), 0);
	drop(&x.client);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 2);
	drop(&x.server);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 1);
	part(&x);
}

static void a_stranger_cannot_say_that_a_socket_lives(void **state)
{
	struct both x = join();
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	int stranger = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(getpeername(x.client.fd, (void *)&un, &len), 0);
	un.sun_path[offsetof(struct tern_posix_name, type)] |= (char)TERN_POSIX_ALIVE;
	assert_int_equal(bind(stranger, (void *)&un, len), 0);
	assert_int_equal(ask_shutdown(x.client, SHUT_RDWR), 0);
	drop(&x.client);
	expect_end(x.server.fd);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 2);
	(void)close(stranger);
	part(&x);
}

static void duplicates_keep_a_socket_open(void **state)
{
	struct both x = join();
	int copy = dup(x.client.fd);

	(void)state;
	drop(&x.client);
	settle();
	assert_int_equal(tern_broker_sockets(broker), 3);
	assert_int_equal(send(copy, "copy", 4, MSG_DONTWAIT), 4);
	expect_data(x.server.fd, "copy", 4);
	(void)close(copy);
	expect_end(x.server.fd);
	part(&x);
}

static void an_idle_program_costs_no_turns(void **state)
{
	struct both x = join();

	(void)state;
	settle();
	assert_int_equal(tern_broker_patience(broker, S), S);
	part(&x);
	settle();
	assert_int_equal(tern_broker_patience(broker, S), S);
}

static void close_waits_for_lingering_data(void **state)
{
	static char data[1 << 16];
	const struct linger some = { 1, 30 };
	struct both x = join();
	struct pollfd p = { .events = POLLIN };
	size_t sent = 0, got = 0;
	int idle = 0;

	(void)state;
	raise_sndbuf(x.client.fd);
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, x.client.id, SOL_SOCKET, SO_LINGER, 0,
				  &some, sizeof(some)),
			 0);
	assert_int_equal(broker->page->lingers, 1);
	while (idle < 50) {
		ssize_t n = send(x.client.fd, data, sizeof(data), MSG_DONTWAIT);

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_int_equal(ask(TERN_POSIX_LINGER, x.client.id, 0), 0);
	p.fd = answer_fd;
	drop(&x.client);
	assert_int_equal(ask(TERN_POSIX_LINGER_CLOSED, x.client.id, 0), 1);
	settle();
	assert_int_equal(poll(&p, 1, 0), 0);
	while (got < sent) {
		ssize_t n = recv(x.server.fd, data, sizeof(data), MSG_DONTWAIT);

		assert_true(n != 0);
		got += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_true(look(p.fd, POLLIN) & POLLHUP);
	assert_int_equal(broker->page->lingers, 0);
	(void)close(p.fd);
	expect_end(x.server.fd);
	part(&x);
	assert_int_equal(tern_socks_count(host->socks), 0);
}

static void a_peer_that_does_not_read_is_waited_for_as_long_as_so_linger_says(void **state)
{
	static char data[1 << 16];
	const struct linger some = { 1, 1 };
	struct both x = join();
	struct pollfd p = { .events = POLLIN };
	uint64_t begun;
	int idle = 0;

	(void)state;
	raise_sndbuf(x.client.fd);
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, x.client.id, SOL_SOCKET, SO_LINGER, 0,
				  &some, sizeof(some)),
			 0);
	while (idle < 50) {
		idle = send(x.client.fd, data, sizeof(data), MSG_DONTWAIT) > 0 ? 0 : idle + 1;
		turn();
	}
	assert_int_equal(ask(TERN_POSIX_LINGER, x.client.id, 0), 0);
	p.fd = answer_fd;
	drop(&x.client);
	assert_int_equal(ask(TERN_POSIX_LINGER_CLOSED, x.client.id, 0), 1);
	for (begun = tern_loop_now(); poll(&p, 1, 0) == 0;)
		turn();
	assert_in_range(tern_loop_now() - begun, 900 * MS, 3 * S);
	(void)close(p.fd);
	part(&x);
}

static void a_close_that_is_not_the_last_does_not_linger(void **state)
{
	const struct linger some = { 1, 30 };
	struct both x = join();
	struct pollfd p = { .events = POLLIN };
	int copy = dup(x.client.fd);

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_SETSOCKOPT, x.client.id, SOL_SOCKET, SO_LINGER, 0,
				  &some, sizeof(some)),
			 0);
	assert_int_equal(ask(TERN_POSIX_LINGER, x.client.id, 0), 0);
	p.fd = answer_fd;
	drop(&x.client);
	assert_int_equal(ask(TERN_POSIX_LINGER_CLOSED, x.client.id, 0), 0);
	(void)close(p.fd);
	(void)close(copy);
	expect_end(x.server.fd);
	part(&x);
}

static void the_send_queue_counts_what_is_still_in_the_pair(void **state)
{
	static char data[1 << 16];
	struct both x = join();
	int idle = 0, queued;
	size_t sent = 0;

	(void)state;
	raise_sndbuf(x.client.fd);
	assert_int_equal(ask(TERN_POSIX_OUTQ, x.client.id, 0), 0);
	while (idle < 50) {
		ssize_t n = send(x.client.fd, data, sizeof(data), MSG_DONTWAIT);

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	queued = ask(TERN_POSIX_OUTQ, x.client.id, 0);
	assert_in_range(queued, 100000, sent);
	part(&x);
}

static void what_lies_in_the_pair_at_the_brokers_end_is_owed_and_its_peer_reset(void **state)
{
	static char data[1 << 16];
	struct tern_host_left left = { .conns = 1, .bytes = 1 };
	struct both x = join();
	size_t sent = 0, got = 0;
	ssize_t n;

	(void)state;
	raise_sndbuf(x.client.fd);
	for (int idle = 0; idle < 50; turn()) {
		n = send(x.client.fd, data, sizeof(data), MSG_DONTWAIT);
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
	}
	drop(&x.client);
	settle();
	tern_broker_owed(broker, &left);
	tern_broker_free(broker);
	broker = NULL;
	while ((n = recv(x.server.fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(left.conns, 2);
	/* What the peer's stack has acknowledged, and its program does not have, is not owed. */
	assert_in_range(left.bytes - 1, TERN_POSIX_SNDBUF / 2, sent - got);
	drop(&x.server);
	drop(&x.listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(bytes_go_both_ways),
		BROKER_TEST(much_data_arrives_whole_in_pieces_of_any_size),
		BROKER_TEST(who_does_not_read_stops_who_writes),
		BROKER_TEST(a_half_close_passes_and_the_other_half_goes_on),
		BROKER_TEST(a_close_sends_what_was_written_and_then_the_end),
		BROKER_TEST(a_close_with_unread_data_resets_the_peer),
		BROKER_TEST(so_linger_of_zero_resets_the_peer),
		BROKER_TEST(a_reset_in_mid_body_is_no_clean_end),
		BROKER_TEST(the_brokers_death_in_mid_body_is_no_clean_end),
		BROKER_TEST(a_writer_that_was_never_read_meets_a_reset),
		BROKER_TEST(shut_down_for_reading_discards_and_acknowledges),
		BROKER_TEST(both_halves_shut_is_not_closed),
		BROKER_TEST(a_stranger_cannot_say_that_a_socket_lives),
		BROKER_TEST(duplicates_keep_a_socket_open),
		BROKER_TEST(an_idle_program_costs_no_turns),
		BROKER_TEST(close_waits_for_lingering_data),
		BROKER_TEST(a_peer_that_does_not_read_is_waited_for_as_long_as_so_linger_says),
		BROKER_TEST(a_close_that_is_not_the_last_does_not_linger),
		BROKER_TEST(the_send_queue_counts_what_is_still_in_the_pair),
		BROKER_TEST(what_lies_in_the_pair_at_the_brokers_end_is_owed_and_its_peer_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
