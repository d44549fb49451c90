/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams of programs: heads, boundaries, errors, back-pressure. */
#include "unit/posix/bed.h"

#include "posix/internal.h"

enum {
	HEAD = sizeof(struct tern_posix_dgram),
	LARGEST = 65507,
};

static uint8_t room[HEAD + LARGEST + 1];
static struct tern_posix_dgram head; /* of what came last */

/* A datagram socket bound to a port; 0: to none. */
static struct sock open_dgram(uint16_t port)
{
	struct sock s = open_as(AF_INET, SOCK_DGRAM);
	struct sockaddr_in addr = at(port);

	if (port)
		assert_int_equal(ask_with(TERN_POSIX_BIND, s.id, 1, 0, 0, &addr, sizeof(addr)), 0);
	return s;
}

/* sendto() as the shim does it; port 0: to the connected peer. */
static void send_to(struct sock s, uint16_t port, const void *data, size_t len)
{
	struct tern_posix_dgram h = { .magic = TERN_POSIX_DGRAM };

	if (port)
		h.remote.in = at(port);
	memcpy(room, &h, HEAD);
	if (len)
		memcpy(room + HEAD, data, len);
	assert_int_equal(send(s.fd, room, HEAD + len, MSG_DONTWAIT), HEAD + len);
}

/* The length of the next datagram, whose payload is in room + HEAD; -1: there is none. */
static int receive(struct sock s)
{
	ssize_t n;

	if (!(look(s.fd, POLLIN) & POLLIN))
		return -1;
	n = recv(s.fd, room, sizeof(room), MSG_DONTWAIT);
	assert_true(n >= HEAD);
	memcpy(&head, room, HEAD);
	assert_int_equal(head.magic, TERN_POSIX_DGRAM);
	return (int)n - HEAD;
}

static void datagrams_keep_their_boundaries_and_tell_where_from(void **state)
{
	static const int lengths[] = { 1, 0, 1472, 3, LARGEST };
	static const uint8_t data[LARGEST];
	struct sock one = open_dgram(7001), two = open_dgram(7002);

	(void)state;
	assert_int_equal(set_int(two, SOL_SOCKET, SO_RCVBUF, 200000), 0);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(lengths); i++) {
		send_to(one, 7002, data, (size_t)lengths[i]);
		settle();
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(lengths); i++) {
		assert_int_equal(receive(two), lengths[i]);
		assert_int_equal(head.error, 0);
		assert_int_equal(head.remote.in.sin_family, AF_INET);
		assert_int_equal(head.remote.in.sin_port, htons(7001));
		assert_int_equal(head.remote.in.sin_addr.s_addr, htonl(0x0a4d0002));
	}
	assert_int_equal(receive(two), -1);
	drop(&one);
	drop(&two);
}

static void a_call_finds_the_socket_as_its_program_left_it(void **state)
{
	struct sock one = open_dgram(0), two = open_dgram(7002);
	struct sockaddr_in name;

	(void)state;
	send_to(one, 7002, "x", 1);
	assert_int_equal(ask(TERN_POSIX_GETSOCKNAME, one.id, 0), 0);
	memcpy(&name, answer.data, sizeof(name));
	assert_int_not_equal(name.sin_port, 0);
	assert_int_equal(receive(two), 1);
	assert_int_equal(head.remote.in.sin_port, name.sin_port);
	drop(&one);
	drop(&two);
}

static void what_has_no_head_goes_to_the_connected_peer(void **state)
{
	static const char data[] =
		"longer than a head, which it has not, and written past the shim";
	struct sock one = open_dgram(0), two = open_dgram(7002);

	(void)state;
	assert_int_equal(ask_connect(one, 7002, 0), 0);
	assert_int_equal(send(one.fd, data, sizeof(data), MSG_DONTWAIT), sizeof(data));
	assert_int_equal(send(one.fd, "short", 5, MSG_DONTWAIT), 5);
	assert_int_equal(receive(two), sizeof(data));
	assert_memory_equal(room + HEAD, data, sizeof(data));
	assert_int_equal(receive(two), 5);
	drop(&one);
	drop(&two);
}

static void a_refusal_is_told_in_the_queue_and_on_the_page(void **state)
{
	struct sock s = open_dgram(0);
	uint32_t before = broker->page->dgram_error;

	(void)state;
	assert_int_equal(ask_connect(s, 7099, 0), 0);
	send_to(s, 0, "x", 1);
	assert_int_equal(receive(s), 0);
	assert_int_equal(head.error, ECONNREFUSED);
	assert_int_equal(broker->page->dgram_error, before + 1);
	assert_int_equal(receive(s), -1);
	drop(&s);
}

static void what_cannot_be_sent_is_told_afterwards(void **state)
{
	struct sock s = open_dgram(0);

	(void)state;
	send_to(s, 0, "x", 1); /* nobody is connected */
	assert_int_equal(receive(s), 0);
	assert_int_equal(head.error, EDESTADDRREQ);
	drop(&s);
}

static void who_does_not_read_loses_the_newest(void **state)
{
	static uint8_t data[1000];
	struct sock one = open_dgram(7001), two = open_dgram(7002);
	unsigned int got = 0, sent = 2000;

	(void)state;
	assert_int_equal(set_int(two, SOL_SOCKET, SO_RCVBUF, 8000), 0);
	for (unsigned int i = 0; i < sent; i++) {
		memcpy(data, &i, sizeof(i));
		send_to(one, 7002, data, sizeof(data));
		turn();
	}
	while (receive(two) == sizeof(data)) {
		unsigned int number;

		memcpy(&number, room + HEAD, sizeof(number));
		assert_true(got > 0 || number == 0);
		got++;
	}
	assert_true(got > 8 && got < sent / 2);
	drop(&one);
	drop(&two);
}

static void the_page_counts_datagram_sockets_and_close_frees_them(void **state)
{
	struct sock one = open_dgram(7001), two = open_dgram(7002);

	(void)state;
	assert_int_equal(broker->page->dgrams, 2);
	send_to(one, 7002, "last words", 10);
	drop(&one);
	assert_int_equal(receive(two), 10);
	settle();
	assert_int_equal(broker->page->dgrams, 1);
	drop(&two);
	settle();
	assert_int_equal(broker->page->dgrams, 0);
	assert_int_equal(tern_broker_sockets(broker), 0);
}

/* A socket of the kernel's on its loopback, and its address. */
static int kernel_socket(struct sockaddr_in *ret_addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret_addr);

	*ret_addr = (struct sockaddr_in){ .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (void *)ret_addr, sizeof(*ret_addr)), 0);
	assert_int_equal(getsockname(fd, (void *)ret_addr, &len), 0);
	return fd;
}

static struct sockaddr_in local_name(struct sock s)
{
	struct sockaddr_in name;

	assert_int_equal(ask(TERN_POSIX_GETSOCKNAME, s.id, 0), 0);
	memcpy(&name, answer.data, sizeof(name));
	return name;
}

static void a_wildcard_socket_is_found_on_the_loopback_and_answers_there(void **state)
{
	struct sock s = open_dgram(0);
	struct sockaddr_in any = { .sin_family = AF_INET }, far, from;
	struct tern_posix_dgram h = { .magic = TERN_POSIX_DGRAM };
	socklen_t len = sizeof(from);
	int fd = kernel_socket(&far);

	(void)state;
	assert_int_equal(ask_with(TERN_POSIX_BIND, s.id, 1, 0, 0, &any, sizeof(any)), 0);
	any = local_name(s);
	from = any;
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(sendto(fd, "near", 4, 0, (void *)&from, sizeof(from)), 4);
	assert_int_equal(receive(s), 4);
	assert_memory_equal(&head.remote.in, &far, sizeof(far));
	h.remote.in = far;
	assert_int_equal(send(s.fd, &h, sizeof(h), 0), sizeof(h));
	assert_int_equal(look(fd, POLLIN), POLLIN);
	assert_int_equal(recvfrom(fd, room, sizeof(room), 0, (void *)&from, &len), 0);
	assert_int_equal(from.sin_port, any.sin_port);
	(void)close(fd);
	drop(&s);
}

static void sending_to_the_loopback_binds_and_leaves_the_outside_open(void **state)
{
	struct sock s = open_dgram(0), other = open_dgram(7002);
	struct tern_posix_dgram h = { .magic = TERN_POSIX_DGRAM };
	struct sockaddr_in far, from;
	socklen_t len = sizeof(from);
	int fd = kernel_socket(&far);

	(void)state;
	h.remote.in = far;
	assert_int_equal(send(s.fd, &h, sizeof(h), 0), sizeof(h));
	send_to(s, 7002, "out", 3);
	assert_int_equal(receive(other), 3);
	assert_int_equal(head.remote.in.sin_port, local_name(s).sin_port);
	assert_int_equal(look(fd, POLLIN), POLLIN);
	assert_int_equal(recvfrom(fd, room, sizeof(room), 0, (void *)&from, &len), 0);
	assert_int_equal(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	(void)close(fd);
	drop(&s);
	drop(&other);
}

static void a_socket_of_one_address_does_not_reach_the_loopback(void **state)
{
	struct sock s = open_dgram(7001);
	struct tern_posix_dgram h = { .magic = TERN_POSIX_DGRAM };
	int fd = kernel_socket(&h.remote.in);

	(void)state;
	assert_int_equal(send(s.fd, &h, sizeof(h), 0), sizeof(h));
	assert_int_equal(receive(s), 0);
	assert_int_equal(head.error, EINVAL);
	(void)close(fd);
	drop(&s);
}

static void the_brokers_end_is_an_end_of_the_queue(void **state)
{
	struct sock s = open_dgram(7001);
	uint8_t byte;

	(void)state;
	tern_pair_drop(tern_pair_find(broker, s.id));
	assert_int_equal(recv(s.fd, &byte, 1, MSG_DONTWAIT), 0);
	drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(datagrams_keep_their_boundaries_and_tell_where_from),
		BROKER_TEST(a_call_finds_the_socket_as_its_program_left_it),
		BROKER_TEST(what_has_no_head_goes_to_the_connected_peer),
		BROKER_TEST(a_refusal_is_told_in_the_queue_and_on_the_page),
		BROKER_TEST(what_cannot_be_sent_is_told_afterwards),
		BROKER_TEST(who_does_not_read_loses_the_newest),
		BROKER_TEST(the_page_counts_datagram_sockets_and_close_frees_them),
		BROKER_TEST(a_wildcard_socket_is_found_on_the_loopback_and_answers_there),
		BROKER_TEST(sending_to_the_loopback_binds_and_leaves_the_outside_open),
		BROKER_TEST(a_socket_of_one_address_does_not_reach_the_loopback),
		BROKER_TEST(the_brokers_end_is_an_end_of_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
