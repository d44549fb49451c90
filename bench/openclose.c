/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openclose OTHERS TIMEWAITS COUNT: what one connection costs, opened, accepted and closed, both
 * ends in this process. OTHERS idle connections stand meanwhile, and TIMEWAITS records in
 * TIME-WAIT. COUNT connections are measured, after as many as it takes to be in the steady state.
 *
 * Prints `openclose_ns VALUE ns`, CPU time of one connection. For instructions bench/run runs it
 * under callgrind, which collects inside measured() only.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

#define TIME_WAIT_NS UINT64_C(60000000000)
#define SETTLE_NS    UINT64_C(10000000000)

__attribute__((noinline)) static void measured(struct pair *p, uint64_t count)
{
	while (count--)
		pair_openclose(p);
}

int main(int argc, char **argv)
{
	uint64_t others, timewaits, count, began, frames;
	struct pair *p;
	tern_id ids[2];

	if (argc != 4) {
		fprintf(stderr, "usage: openclose OTHERS TIMEWAITS COUNT\n");
		return 2;
	}
	others = bench_number(argv[1]);
	timewaits = bench_number(argv[2]);
	count = bench_number(argv[3]);
	if (!timewaits || !count)
		return 2;
	p = pair_make((uint32_t)others + 16, (uint32_t)timewaits + 1024, 1500);
	for (uint64_t i = 0; i < others; i++)
		pair_open(p, ids);
	p->now += SETTLE_NS; /* what was armed for the others' handshakes has run out by now */
	pair_tick(p);
	p->step_ns = TIME_WAIT_NS / timewaits;
	measured(p, 0);
	for (uint64_t i = 0; i < timewaits + 100; i++)
		pair_openclose(p);
	frames = p->frames;
	began = bench_cpu();
	measured(p, count);
	printf("openclose_ns %.1f ns\n", (double)(bench_cpu() - began) / (double)count);
	frames = p->frames - frames;
	if (frames != 7 * count)
		bench_fail("segments of all connections", (long long)frames);
	if (pair_info(p, CLIENT).conns != others || pair_info(p, SERVER).conns != others)
		bench_fail("connections left", pair_info(p, SERVER).conns);
	fprintf(stderr, "openclose: %u connections, %u in TIME-WAIT\n", pair_info(p, CLIENT).conns,
		pair_info(p, CLIENT).timewaits);
	pair_free(p);
	return 0;
}
