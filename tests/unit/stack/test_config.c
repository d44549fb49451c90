/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

static int complete(struct tern_config cfg)
{
	struct tern_config got;

	return tern_config_complete(&cfg, &got);
}

static void zero_means_the_default(void **state)
{
	struct tern_config cfg = usual_config(), got;

	(void)state;
	assert_int_equal(tern_config_complete(&cfg, &got), 0);
	assert_int_equal(got.mtu, 1500);
	assert_int_equal(got.gso_max, 0);
	assert_int_equal(got.conns_max, 65536);
	assert_int_equal(got.halfopens_max, 16384);
	assert_int_equal(got.timewaits_max, 131072);
	assert_int_equal(got.listeners_max, 1024);
	assert_int_equal(got.udps_max, 1024);
	assert_int_equal(got.frags_max, 64);
	assert_int_equal(got.trace_max, 0);
	assert_int_equal(got.memory_max, 0);
}

static void what_is_given_is_kept(void **state)
{
	struct tern_config cfg = usual_config(), got;

	(void)state;
	cfg.mtu = 9000;
	cfg.gso_max = 65535;
	cfg.conns_max = 1;
	cfg.halfopens_max = 2;
	cfg.timewaits_max = 3;
	cfg.listeners_max = 4;
	cfg.udps_max = 5;
	cfg.frags_max = 6;
	cfg.trace_max = 7;
	cfg.memory_max = 8;
	cfg.csum_offload = true;
	assert_int_equal(tern_config_complete(&cfg, &got), 0);
	assert_memory_equal(&got, &cfg, sizeof(cfg));
}

static void numbers_are_checked_at_their_edges(void **state)
{
	struct tern_config cfg = usual_config(), v4 = usual_config();
	static const size_t limits[] = {
		offsetof(struct tern_config, conns_max),
		offsetof(struct tern_config, halfopens_max),
		offsetof(struct tern_config, timewaits_max),
		offsetof(struct tern_config, listeners_max),
		offsetof(struct tern_config, udps_max),
		offsetof(struct tern_config, trace_max),
	};

	(void)state;
	v4.addr_count = 2;
	for (int d = -1; d <= 1; d++) {
		v4.mtu = (uint32_t)(576 + d);
		assert_int_equal(complete(v4), d < 0 ? -EINVAL : 0);
		v4.mtu = (uint32_t)(65535 + d);
		assert_int_equal(complete(v4), d > 0 ? -EINVAL : 0);
		cfg.mtu = (uint32_t)(1280 + d);
		assert_int_equal(complete(cfg), d < 0 ? -EINVAL : 0);
	}
	cfg = usual_config();
	for (int d = -1; d <= 1; d++) {
		cfg.gso_max = (uint32_t)(65575 + d);
		assert_int_equal(complete(cfg), d > 0 ? -EINVAL : 0);
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(limits); i++) {
		for (int d = -1; d <= 1; d++) {
			uint32_t value = (uint32_t)((1 << 24) + d);

			cfg = usual_config();
			memcpy((uint8_t *)&cfg + limits[i], &value, sizeof(value));
			assert_int_equal(complete(cfg), d > 0 ? -EINVAL : 0);
		}
	}
	cfg = usual_config();
	for (int d = -1; d <= 1; d++) {
		cfg.frags_max = (uint32_t)(65536 + d);
		assert_int_equal(complete(cfg), d > 0 ? -EINVAL : 0);
	}
}

static void gso_that_is_no_larger_than_the_mtu_is_none(void **state)
{
	struct tern_config cfg = usual_config(), got;

	(void)state;
	for (uint32_t gso = 1499; gso <= 1501; gso++) {
		cfg.gso_max = gso;
		assert_int_equal(tern_config_complete(&cfg, &got), 0);
		assert_int_equal(got.gso_max, gso == 1501 ? gso : 0);
	}
}

static void own_addresses_must_be_addresses_of_hosts(void **state)
{
	static const struct {
		const char *text;
		uint8_t length;
		int ret;
	} cases[] = {
		{ "10.77.0.9", 24, 0 },
		{ "10.77.0.0", 24, 0 },
		{ "10.77.0.255", 24, -EINVAL },
		{ "10.77.0.255", 31, 0 },
		{ "10.77.0.255", 32, 0 },
		{ "10.77.0.255", 0, 0 },
		{ "10.77.0.9", 33, -EINVAL },
		{ "0.0.0.0", 0, -EINVAL },
		{ "0.1.2.3", 8, -EINVAL },
		{ "224.0.0.1", 24, -EINVAL },
		{ "255.255.255.255", 32, -EINVAL },
		{ "239.255.0.1", 8, -EINVAL },
		{ "223.255.0.1", 8, 0 },
		{ "127.0.0.1", 8, 0 },
		{ "::1", 128, 0 },
		{ "::", 0, -EINVAL },
		{ "2001:db8::9", 128, 0 },
		{ "2001:db8::9", 129, -EINVAL },
		{ "ff02::1", 64, -EINVAL },
		{ "::ffff:10.0.0.1", 128, -EINVAL },
		{ "10.77.0.2", 16, -EINVAL }, /* twice */
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_config cfg = usual_config();

		cfg.addrs[cfg.addr_count++] =
			(struct tern_prefix){ addr(cases[i].text), cases[i].length };
		assert_int_equal(complete(cfg), cases[i].ret);
	}
}

static void the_number_of_addresses_has_limits(void **state)
{
	struct tern_config cfg = usual_config();

	(void)state;
	for (uint8_t i = 0; i < TERN_ADDRS_MAX; i++)
		cfg.addrs[i] = (struct tern_prefix){ tern_addr_v4(10, 0, 1, (uint8_t)(i + 1)), 24 };
	cfg.addr_count = TERN_ADDRS_MAX;
	assert_int_equal(complete(cfg), 0);
	cfg.addr_count++;
	assert_int_equal(complete(cfg), -EINVAL);
	cfg.addr_count = 0;
	assert_int_equal(complete(cfg), -EINVAL);
	cfg.addr_count = 1;
	cfg.addrs[0].addr.family = 0;
	assert_int_equal(complete(cfg), -EINVAL);
	cfg.addrs[0].addr.family = 5;
	assert_int_equal(complete(cfg), -EINVAL);
}

static void bytes_behind_an_ipv4_address_become_zero(void **state)
{
	struct tern_config cfg = usual_config(), got;

	(void)state;
	cfg.addrs[0].addr.b[15] = 77;
	assert_int_equal(tern_config_complete(&cfg, &got), 0);
	cfg.addrs[0].addr.b[15] = 0;
	assert_true(tern_addr_eq(&got.addrs[0].addr, &cfg.addrs[0].addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_means_the_default),
		cmocka_unit_test(what_is_given_is_kept),
		cmocka_unit_test(numbers_are_checked_at_their_edges),
		cmocka_unit_test(gso_that_is_no_larger_than_the_mtu_is_none),
		cmocka_unit_test(own_addresses_must_be_addresses_of_hosts),
		cmocka_unit_test(the_number_of_addresses_has_limits),
		cmocka_unit_test(bytes_behind_an_ipv4_address_become_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
