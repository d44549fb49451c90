/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>

#include "tcp/isn.h"

#define S UINT64_C(1000000000)

static struct tern_isn_keys keys_of(uint8_t seed)
{
	uint8_t bytes[TERN_RNG_SEED_LEN] = { seed };
	struct tern_isn_keys keys;
	struct tern_rng rng;

	tern_rng_init(&rng, bytes);
	tern_isn_init(&keys, &rng);
	return keys;
}

static struct tern_flow flow_of(uint8_t family)
{
	struct tern_flow flow = { .local = tern_addr_v4(10, 0, 0, 1),
				  .remote = tern_addr_v4(10, 0, 0, 2),
				  .lport = 40000,
				  .rport = 80 };

	if (family == TERN_INET6) {
		flow.local = (struct tern_addr){ .family = TERN_INET6, .b = { 0x20, 1 } };
		flow.remote = (struct tern_addr){ .family = TERN_INET6, .b = { 0x20, 2 } };
	}
	return flow;
}

/* RFC9293:MUST-8 RFC9293:SHLD-1 RFC6528:3a */
static void the_isn_of_a_flow_rises_every_4_microseconds(void **state)
{
	struct tern_isn_keys keys = keys_of(1);
	struct tern_flow flow = flow_of(TERN_INET);
	tern_seq start = tern_isn(&keys, &flow, 5 * S), chosen;
	uint32_t ts;

	(void)state;
	assert_int_equal(tern_isn(&keys, &flow, 5 * S + 3999), start);
	tern_isn_choose(&keys, &flow, 5 * S + 3999, 1, &chosen, &ts);
	assert_int_equal(chosen, start);
	tern_isn_choose(&keys, &flow, 5 * S + 4000, 1, &chosen, &ts);
	assert_int_equal(chosen, start + 1);
	assert_int_equal(tern_isn(&keys, &flow, 5 * S + 4000), start + 1);
	assert_int_equal((tern_seq)(tern_isn(&keys, &flow, 6 * S) - start), 250000);
	/* once around in 4.77 hours, and on without a jump */
	assert_int_equal(tern_isn(&keys, &flow, 5 * S + 4000 * (UINT64_C(1) << 32)), start);
}

/*
 * Each byte of the flow and the key changes both numbers.
 * RFC9293:MUST-9 RFC9293:SHLD-1 RFC6528:3b
 */
static void every_part_of_the_flow_and_the_key_counts(void **state)
{
	(void)state;
	for (uint8_t family = TERN_INET; family <= TERN_INET6; family += 2) {
		struct tern_isn_keys keys = keys_of(1), other = keys_of(2);
		struct tern_flow flow = flow_of(family);
		uint32_t isn = tern_isn(&keys, &flow, 0), ts = tern_ts_offset(&keys, &flow, 1);
		unsigned int len = family == TERN_INET ? 4 : 16, differ = 0;

		for (unsigned int i = 0; i < 2 * len + 4; i++) {
			struct tern_flow f = flow;
			uint8_t *part = i < len           ? &f.local.b[i]
					: i < 2 * len     ? &f.remote.b[i - len]
					: i < 2 * len + 2 ? (uint8_t *)&f.lport + (i - 2 * len)
							  : (uint8_t *)&f.rport + (i - 2 * len - 2);

			*part ^= 1;
			differ += tern_isn(&keys, &f, 0) != isn;
			differ += tern_ts_offset(&keys, &f, 1) != ts;
		}
		assert_int_equal(differ, 2 * (2 * len + 4));
		assert_int_not_equal(tern_isn(&other, &flow, 0), isn);
		assert_int_not_equal(tern_ts_offset(&other, &flow, 1), ts);
		assert_int_not_equal(isn, ts);
	}
}

static void without_offsets_timestamps_are_the_clock(void **state)
{
	struct tern_isn_keys keys = keys_of(1);
	struct tern_flow flow = flow_of(TERN_INET);

	(void)state;
	assert_int_equal(tern_ts_offset(&keys, &flow, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_isn_of_a_flow_rises_every_4_microseconds),
		cmocka_unit_test(every_part_of_the_flow_and_the_key_counts),
		cmocka_unit_test(without_offsets_timestamps_are_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
