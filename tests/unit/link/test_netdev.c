/* SPDX-License-Identifier: BSD-2-Clause */
/* Setting up the kernel's side of a device, in a namespace of the test's own. */
#include "unit/link/netns.h"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/addr.h"

static const char *stage;

static struct tern_prefix prefix(const char *text, uint8_t length)
{
	struct tern_prefix p = { .length = length };

	assert_int_equal(tern_addr_parse(text, &p.addr), 0);
	return p;
}

static struct ifreq device(const char *name, unsigned long request)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(ifr.ifr_name, name, strlen(name));
	assert_int_equal(ioctl(fd, request, &ifr), 0);
	(void)close(fd);
	return ifr;
}

/* The address that the kernel would send from to reach `text`; none if there is no route. */
static struct tern_addr source_towards(const char *text)
{
	struct tern_addr to = prefix(text, 0).addr;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 9 };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 9 };
	bool v4 = to.family == TERN_INET;
	struct sockaddr *sa = v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
	socklen_t len = v4 ? sizeof(in) : sizeof(in6);
	int fd = socket(sa->sa_family, SOCK_DGRAM, 0);
	struct tern_addr from = { 0 };

	memcpy(v4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr, to.b, v4 ? 4 : 16);
	if (connect(fd, sa, len) == 0 && getsockname(fd, sa, &len) == 0)
		from = tern_addr_from_bytes(to.family,
					    v4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr);
	(void)close(fd);
	return from;
}

static void assert_source(const char *to, const char *from)
{
	struct tern_addr got = source_towards(to);
	struct tern_addr expected = prefix(from, 0).addr;

	assert_true(tern_addr_eq(&got, &expected));
}

static bool has_v6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static void a_device_comes_up_with_its_mtu_and_without_multicast(void **state)
{
	struct tern_link *link = netns_tun(&(struct tern_tun_config){ .name = "t0" });
	struct ifreq ifr;

	(void)state;
	assert_int_equal(tern_netdev_up("t0", 1400, &stage), 0);
	assert_int_equal(device("t0", SIOCGIFMTU).ifr_mtu, 1400);
	ifr = device("t0", SIOCGIFFLAGS);
	assert_int_equal(ifr.ifr_flags & (IFF_UP | IFF_MULTICAST), IFF_UP);
	assert_int_equal(tern_netdev_up("t0", 1400, &stage), 0);
	assert_int_equal(tern_netdev_up("t0", 9000, &stage), 0);
	assert_int_equal(device("t0", SIOCGIFMTU).ifr_mtu, 9000);
	tern_link_close(link);
}

static void the_stacks_address_is_reached_through_the_device(void **state)
{
	struct tern_link *link = netns_tun(&(struct tern_tun_config){ .name = "t0" });
	struct tern_prefix v4 = prefix("10.77.0.1", 24), v6 = prefix("fd77::1", 64);
	char name[TERN_NETDEV_NAME_MAX];

	(void)state;
	assert_int_equal(tern_netdev_up("t0", 1500, &stage), 0);
	assert_int_equal(tern_netdev_find_address(&v4.addr, name), -ENOENT);
	assert_int_equal(tern_netdev_add_address("t0", &v4, NULL, &stage), 0);
	assert_int_equal(tern_netdev_add_address("t0", &v4, NULL, &stage), 0);
	assert_source("10.77.0.2", "10.77.0.1");
	assert_int_equal(tern_netdev_find_address(&v4.addr, name), 0);
	assert_string_equal(name, "t0");
	if (has_v6()) {
		assert_int_equal(tern_netdev_add_address("t0", &v6, NULL, &stage), 0);
		assert_int_equal(tern_netdev_add_address("t0", &v6, NULL, &stage), 0);
		assert_source("fd77::2", "fd77::1");
		assert_int_equal(tern_netdev_find_address(&v6.addr, name), 0);
	}
	tern_link_close(link);
	assert_int_equal(tern_netdev_find_address(&v4.addr, name), -ENOENT);
	assert_int_equal(source_towards("10.77.0.2").family, TERN_UNSPEC);
}

static void a_pair_of_single_addresses_is_reached_as_well(void **state)
{
	struct tern_link *link = netns_tun(&(struct tern_tun_config){ .name = "t0" });
	struct tern_prefix local = prefix("10.78.0.1", 32);
	struct tern_addr remote = prefix("192.0.2.9", 0).addr;

	(void)state;
	assert_int_equal(tern_netdev_up("t0", 1500, &stage), 0);
	assert_int_equal(tern_netdev_add_address("t0", &local, &remote, &stage), 0);
	assert_source("192.0.2.9", "10.78.0.1");
	assert_int_equal(source_towards("192.0.2.8").family, TERN_UNSPEC);
	tern_link_close(link);
}

static void the_kernel_says_nothing_of_its_own(void **state)
{
	struct tern_link *link = netns_tun(&(struct tern_tun_config){ .name = "t0" });
	struct tern_prefix v4 = prefix("10.77.0.1", 24), v6 = prefix("fd77::1", 64);
	struct pollfd poll_fd = { .fd = tern_link_fd(link), .events = POLLIN };
	struct tern_frame frame;

	(void)state;
	assert_int_equal(tern_netdev_up("t0", 1500, &stage), 0);
	assert_int_equal(tern_netdev_add_address("t0", &v4, NULL, &stage), 0);
	if (has_v6())
		assert_int_equal(tern_netdev_add_address("t0", &v6, NULL, &stage), 0);
	assert_int_equal(poll(&poll_fd, 1, 1500), 0);
	assert_int_equal(tern_link_receive(link, 0, &frame, 1), 0);
	tern_link_close(link);
}

static void what_is_wrong_is_named_with_its_step(void **state)
{
	struct tern_link *link = netns_tun(&(struct tern_tun_config){ .name = "t0" });
	struct tern_prefix v4 = prefix("10.77.0.1", 33), none = { 0 };
	struct tern_addr v6 = prefix("fd77::1", 64).addr;

	(void)state;
	assert_int_equal(tern_netdev_up("no-such-device", 1500, &stage), -ENODEV);
	assert_string_equal(stage, "find device");
	assert_int_equal(tern_netdev_up("a-name-that-is-much-too-long", 1500, &stage), -ENODEV);
	assert_int_equal(tern_netdev_up("t0", 70000, &stage), -EINVAL);
	assert_string_equal(stage, "set MTU");
	assert_int_equal(tern_netdev_add_address("nope", &v4, NULL, &stage), -ENODEV);
	assert_string_equal(stage, "find device");
	assert_int_equal(tern_netdev_add_address("t0", &v4, NULL, &stage), -EINVAL);
	assert_string_equal(stage, "add address");
	assert_int_equal(tern_netdev_add_address("t0", &none, NULL, &stage), -EINVAL);
	v4.length = 32;
	assert_int_equal(tern_netdev_add_address("t0", &v4, &v6, &stage), -EINVAL);
	v4 = prefix("224.0.0.1", 24);
	assert_int_equal(tern_netdev_add_address("t0", &v4, NULL, &stage), -EINVAL);
	v4 = prefix("fd77::1", 64);
	assert_int_equal(tern_netdev_up("t0", 1279, &stage), 0);
	if (has_v6())
		assert_int_equal(tern_netdev_add_address("t0", &v4, NULL, &stage), -EINVAL);
	assert_non_null(tern_tun_explain(stage, -EINVAL));
	tern_link_close(link);
}

static void the_default_peer_is_the_first_other_host(void **state)
{
	const struct {
		const char *own;
		uint8_t length;
		const char *peer;
	} cases[] = {
		{ "10.77.0.2", 24, "10.77.0.1" },   { "10.77.0.1", 24, "10.77.0.2" },
		{ "10.77.5.200", 16, "10.77.0.1" }, { "10.77.0.1", 16, "10.77.0.2" },
		{ "10.0.0.5", 30, "10.0.0.6" },     { "10.0.0.6", 30, "10.0.0.5" },
		{ "10.0.0.6", 31, "10.0.0.7" },     { "10.0.0.7", 31, "10.0.0.6" },
		{ "10.0.0.9", 0, "0.0.0.1" },       { "fd77::2", 64, "fd77::1" },
		{ "fd77::1", 64, "fd77::2" },       { "fd77::1:2:3:4", 64, "fd77::1" },
		{ "fd77::ab", 126, "fd77::a9" },    { "fd77::aa", 127, "fd77::ab" },
	};
	struct tern_prefix own;
	struct tern_addr peer;
	size_t i;

	(void)state;
	for (i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_addr expected = prefix(cases[i].peer, 0).addr;

		own = prefix(cases[i].own, cases[i].length);
		assert_int_equal(tern_netdev_default_peer(&own, &peer), 0);
		assert_true(tern_addr_eq(&peer, &expected));
	}
	own = prefix("10.77.0.2", 32);
	assert_int_equal(tern_netdev_default_peer(&own, &peer), -EADDRNOTAVAIL);
	own = prefix("fd77::2", 128);
	assert_int_equal(tern_netdev_default_peer(&own, &peer), -EADDRNOTAVAIL);
	own = (struct tern_prefix){ 0 };
	assert_int_equal(tern_netdev_default_peer(&own, &peer), -EADDRNOTAVAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_comes_up_with_its_mtu_and_without_multicast),
		cmocka_unit_test(the_stacks_address_is_reached_through_the_device),
		cmocka_unit_test(a_pair_of_single_addresses_is_reached_as_well),
		cmocka_unit_test(the_kernel_says_nothing_of_its_own),
		cmocka_unit_test(what_is_wrong_is_named_with_its_step),
		cmocka_unit_test(the_default_peer_is_the_first_other_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
