/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses as the shim sees them: which mean this host itself, at the edges of their ranges, and
 * as programs may give them: too short, of another family, not there at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "posix/shim.h"

static union tern_posix_addr in(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	union tern_posix_addr addr = { .in.sin_family = AF_INET };
	uint8_t bytes[4] = { a, b, c, d };

	memcpy(&addr.in.sin_addr, bytes, sizeof(bytes));
	return addr;
}

/* The first bytes are zero, or those of an IPv4 address in IPv6. */
static union tern_posix_addr in6(bool mapped, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	union tern_posix_addr addr = { .in6.sin6_family = AF_INET6 };
	uint8_t bytes[16] = { [12] = a, b, c, d };

	if (mapped)
		bytes[10] = bytes[11] = 0xff;
	memcpy(&addr.in6.sin6_addr, bytes, sizeof(bytes));
	return addr;
}

static bool loopback(union tern_posix_addr addr)
{
	return tern_shim_is_loopback(&addr.any, tern_shim_addr_len(addr.any.sa_family));
}

static bool any(union tern_posix_addr addr)
{
	return tern_shim_is_any(&addr.any, tern_shim_addr_len(addr.any.sa_family));
}

static void the_loopback_of_ipv4_is_one_eighth(void **state)
{
	(void)state;
	assert_false(loopback(in(126, 255, 255, 255)));
	assert_true(loopback(in(127, 0, 0, 0)));
	assert_true(loopback(in(127, 0, 0, 1)));
	assert_true(loopback(in(127, 255, 255, 255)));
	assert_false(loopback(in(128, 0, 0, 0)));
	assert_false(loopback(in(0, 0, 0, 0)));
}

static void the_loopback_of_ipv6_is_one_address(void **state)
{
	(void)state;
	assert_false(loopback(in6(false, 0, 0, 0, 0)));
	assert_true(loopback(in6(false, 0, 0, 0, 1)));
	assert_false(loopback(in6(false, 0, 0, 0, 2)));
	assert_false(loopback(in6(false, 127, 0, 0, 1)));
}

static void a_loopback_of_ipv4_may_be_written_as_ipv6(void **state)
{
	(void)state;
	assert_false(loopback(in6(true, 126, 255, 255, 255)));
	assert_true(loopback(in6(true, 127, 0, 0, 0)));
	assert_true(loopback(in6(true, 127, 255, 255, 255)));
	assert_false(loopback(in6(true, 128, 0, 0, 0)));
	assert_false(loopback(in6(true, 0, 0, 0, 1)));
}

static void any_address_is_all_zero(void **state)
{
	(void)state;
	assert_true(any(in(0, 0, 0, 0)));
	assert_false(any(in(0, 0, 0, 1)));
	assert_true(any(in6(false, 0, 0, 0, 0)));
	assert_false(any(in6(false, 0, 0, 0, 1)));
	assert_true(any(in6(true, 0, 0, 0, 0)));
	assert_false(any(in6(true, 0, 0, 0, 1)));
}

static void an_address_cut_short_is_none(void **state)
{
	union tern_posix_addr four = in(127, 0, 0, 1), six = in6(false, 0, 0, 0, 1);

	(void)state;
	assert_false(tern_shim_is_loopback(&four.any, sizeof(four.in) - 1));
	assert_true(tern_shim_is_loopback(&four.any, sizeof(four.in)));
	assert_true(tern_shim_is_loopback(&four.any, sizeof(four.in) + 1));
	assert_false(tern_shim_is_loopback(&six.any, sizeof(six.in6) - 1));
	assert_true(tern_shim_is_loopback(&six.any, sizeof(six.in6)));
	assert_false(tern_shim_is_loopback(&four.any, 1));
	assert_false(tern_shim_is_loopback(&four.any, 0));
	assert_false(tern_shim_is_loopback(NULL, sizeof(four.in)));
}

static void another_family_has_no_loopback(void **state)
{
	union tern_posix_addr addr = in(127, 0, 0, 1);

	(void)state;
	addr.any.sa_family = AF_UNIX;
	assert_false(tern_shim_is_loopback(&addr.any, sizeof(addr)));
	assert_false(tern_shim_is_any(&addr.any, sizeof(addr)));
	assert_int_equal(tern_shim_port(&addr.any, sizeof(addr)), 0);
}

static void a_port_is_told_in_host_order(void **state)
{
	union tern_posix_addr four = in(1, 2, 3, 4), six = in6(false, 1, 2, 3, 4);
	uint8_t port[2] = { 0x12, 0x34 };

	(void)state;
	memcpy(&four.in.sin_port, port, 2);
	memcpy(&six.in6.sin6_port, port, 2);
	assert_int_equal(tern_shim_port(&four.any, sizeof(four.in)), 0x1234);
	assert_int_equal(tern_shim_port(&six.any, sizeof(six.in6)), 0x1234);
}

static void a_caller_gets_as_much_of_an_address_as_he_has_room_for(void **state)
{
	union tern_posix_addr addr = in(1, 2, 3, 4);
	socklen_t room;

	(void)state;
	for (room = sizeof(addr.in) - 1; room <= sizeof(addr.in) + 1; room++) {
		char got[sizeof(addr.in) + 1], want[sizeof(addr.in) + 1];
		socklen_t len = room, copied = room < sizeof(addr.in) ? room : sizeof(addr.in);

		memset(got, 0x55, sizeof(got));
		memset(want, 0x55, sizeof(want));
		memcpy(want, &addr, copied);
		assert_int_equal(tern_shim_give_addr(&addr, (struct sockaddr *)got, &len), 0);
		assert_int_equal(len, sizeof(addr.in));
		assert_memory_equal(got, want, sizeof(got));
	}
}

static void a_caller_without_room_gets_an_error(void **state)
{
	union tern_posix_addr addr = in(1, 2, 3, 4), got;
	socklen_t len = (socklen_t)-1;

	(void)state;
	assert_int_equal(tern_shim_give_addr(&addr, &got.any, &len), -EINVAL);
	assert_int_equal(tern_shim_give_addr(&addr, &got.any, NULL), -EFAULT);
	assert_int_equal(tern_shim_give_addr(&addr, NULL, &len), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loopback_of_ipv4_is_one_eighth),
		cmocka_unit_test(the_loopback_of_ipv6_is_one_address),
		cmocka_unit_test(a_loopback_of_ipv4_may_be_written_as_ipv6),
		cmocka_unit_test(any_address_is_all_zero),
		cmocka_unit_test(an_address_cut_short_is_none),
		cmocka_unit_test(another_family_has_no_loopback),
		cmocka_unit_test(a_port_is_told_in_host_order),
		cmocka_unit_test(a_caller_gets_as_much_of_an_address_as_he_has_room_for),
		cmocka_unit_test(a_caller_without_room_gets_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
