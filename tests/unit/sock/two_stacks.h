/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * two_stacks.h: two stacks with a table of sockets each, a wire between them, and a clock that
 * stands still until it is moved.
 */
#ifndef TERN_TESTS_UNIT_SOCK_TWO_STACKS_H
#define TERN_TESTS_UNIT_SOCK_TWO_STACKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "sock/addr.h"
#include "sock/sock.h"
#include "tern/stack.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

enum { SOCKETS_MAX = 130, PORT = 7000 };

struct side {
	struct tern_stack *st;
	struct tern_socks *ss;
};

static struct side a, b; /* 10.77.0.1 and 10.77.0.2 */
static uint64_t now;
static bool cut; /* nothing arrives */

static inline void make_side(struct side *side, uint8_t last)
{
	struct tern_config cfg = { .addr_count = 1, .seed = { last } };

	cfg.addrs[0] = (struct tern_prefix){ tern_addr_v4(10, 77, 0, last), 24 };
	assert_int_equal(tern_stack_new(&cfg, now, &side->st), 0);
	assert_int_equal(tern_socks_new(side->st, SOCKETS_MAX, &side->ss), 0);
}

static inline int set_up(void **state)
{
	(void)state;
	now = S;
	cut = false;
	make_side(&a, 1);
	make_side(&b, 2);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	tern_socks_free(a.ss);
	tern_socks_free(b.ss);
	tern_stack_free(a.st);
	tern_stack_free(b.st);
	return 0;
}

/* Carries what one has to send to the other. Returns how many frames. */
static inline unsigned int carry(struct side *from, struct side *to)
{
	static struct tern_out out;
	static uint8_t bytes[65536];
	unsigned int n = 0;

	while (tern_stack_output(from->st, now, &out, 1)) {
		struct tern_frame frame = { .data = bytes };

		for (unsigned int i = 0; i < out.pieces; i++) {
			memcpy(bytes + frame.len, out.piece[i].ptr, out.piece[i].len);
			frame.len += (uint32_t)out.piece[i].len;
		}
		if (!cut)
			tern_stack_input(to->st, now, &frame, 1);
		n++;
	}
	return n;
}

static inline void exchange(void)
{
	while (carry(&a, &b) + carry(&b, &a))
		continue;
}

/* Moves the clock, timer by timer. */
static inline void pass(uint64_t ns)
{
	uint64_t until = now + ns, next;

	for (;;) {
		exchange();
		next = TERN_MIN(tern_stack_deadline(a.st), tern_stack_deadline(b.st));
		if (next > until)
			break;
		now = TERN_MAX(now, next);
		tern_stack_tick(a.st, now);
		tern_stack_tick(b.st, now);
	}
	now = until;
}

static inline union tern_sockaddr at(uint8_t last, uint16_t port)
{
	struct tern_endpoint ep = { tern_addr_v4(10, 77, 0, last), port };
	union tern_sockaddr sa;

	(void)tern_sockaddr_write(TERN_AF_INET, &ep, &sa);
	return sa;
}

static inline int stream(struct side *side)
{
	int fd = tern_sock_open(side->ss, now, TERN_AF_INET, TERN_SOCK_STREAM, 0);

	assert_true(fd >= 0);
	return fd;
}

static inline int bind_at(struct side *side, int fd, uint8_t last, uint16_t port)
{
	union tern_sockaddr sa = at(last, port);

	return tern_sock_bind(side->ss, now, fd, &sa, sizeof(sa.in));
}

static inline int connect_to(struct side *side, int fd, uint8_t last, uint16_t port)
{
	union tern_sockaddr sa = at(last, port);

	return tern_sock_connect(side->ss, now, fd, &sa, sizeof(sa.in));
}

/* A listener of b's on PORT. */
static inline int listen_at_b(void)
{
	int fd = stream(&b);

	assert_int_equal(bind_at(&b, fd, 2, PORT), 0);
	assert_int_equal(tern_sock_listen(b.ss, now, fd, 8), 0);
	return fd;
}

/* A connection from a to b. */
static inline void make_pair(int *ret_client, int *ret_server)
{
	int listener = listen_at_b();

	*ret_client = stream(&a);
	assert_int_equal(connect_to(&a, *ret_client, 2, PORT), -EINPROGRESS);
	exchange();
	assert_int_equal(connect_to(&a, *ret_client, 2, PORT), 0);
	*ret_server = tern_sock_accept(b.ss, now, listener, NULL, NULL);
	assert_true(*ret_server >= 0);
}

static inline int64_t send_on(struct side *side, int fd, const void *data, size_t len)
{
	return tern_sock_sendto(side->ss, now, fd, data, len, 0, NULL, 0);
}

static inline int64_t recv_on(struct side *side, int fd, void *data, size_t len)
{
	return tern_sock_recvfrom(side->ss, now, fd, data, len, 0, NULL, NULL);
}

static inline uint32_t poll_on(struct side *side, int fd)
{
	return tern_sock_poll(side->ss, now, fd) & ~(uint32_t)(TERN_SOCK_RDNORM | TERN_SOCK_WRNORM);
}

static inline int state_of(struct side *side, int fd)
{
	int64_t state = 0;

	assert_int_equal(tern_stack_get_option(side->st, now, tern_sock_id(side->ss, fd),
					       TERN_SO_STATE, &state),
			 0);
	return (int)state;
}

#endif
