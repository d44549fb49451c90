/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idle COUNT: all engine memory of a stack with COUNT idle connections (the larger of the two
 * stacks), divided by COUNT.
 */
#include <stdio.h>

#include "pair.h"

int main(int argc, char **argv)
{
	uint64_t count, most = 0;
	struct pair *p;
	tern_id ids[2];

	if (argc != 2) {
		fprintf(stderr, "usage: idle COUNT\n");
		return 2;
	}
	count = bench_number(argv[1]);
	if (!count)
		return 2;
	p = pair_make((uint32_t)count, 1024, 1500);
	for (uint64_t i = 0; i < count; i++)
		pair_open(p, ids);
	for (unsigned int i = 0; i < 2; i++) {
		struct tern_stack_info info = pair_info(p, i);

		if (info.conns != count || info.halfopens || info.tcp_buffer_bytes)
			bench_fail("connections", info.conns);
		most = TERN_MAX(most, info.memory_bytes);
	}
	printf("mem_idle_conn_total %.1f bytes\n", (double)most / (double)count);
	pair_free(p);
	return 0;
}
