/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect PERCENT COUNT: what connect() costs while PERCENT of the range of local ports is held by
 * TIME-WAIT records of connections to the same destination. COUNT calls are made under callgrind,
 * which collects inside measured() only (see bench/run). One call before them is not measured: it
 * is where a nearly full destination gets its set of ports.
 *
 * The SYNs are not sent: each socket is given up at once, so that the range stays as full as it is.
 */
#include <stdio.h>
#include <string.h>

#include "pair.h"

enum { RANGE = 60999 - 32768 + 1 }; /* net.ipv4.ip_local_port_range */

__attribute__((noinline)) static int measured(struct tern_stack *st, uint64_t now, tern_id id,
					      const struct tern_endpoint *to)
{
	return tern_stack_connect(st, now, id, to);
}

static void connect_once(struct pair *p, bool measure)
{
	struct tern_stack *st = p->stack[CLIENT];
	struct tern_endpoint to = { tern_addr_v4(10, 77, 0, 2), FIRST_PORT };
	tern_id id;

	bench_check("open", tern_stack_open(st, p->now, TERN_STREAM, TERN_INET, &id));
	bench_check("connect", measure ? measured(st, p->now, id, &to)
				       : tern_stack_connect(st, p->now, id, &to));
	bench_check("abort", tern_stack_abort(st, p->now, id));
}

int main(int argc, char **argv)
{
	struct pair *p;
	uint64_t percent, count;

	if (argc != 3) {
		fprintf(stderr, "usage: connect PERCENT COUNT\n");
		return 2;
	}
	percent = bench_number(argv[1]);
	count = bench_number(argv[2]);
	if (percent > 99)
		return 2;
	p = pair_make(64, RANGE, 1500);
	for (uint64_t i = 0; i < RANGE * percent / 100; i++) {
		p->turn = 0;
		pair_openclose(p);
	}
	if (pair_info(p, CLIENT).timewaits != RANGE * percent / 100)
		bench_fail("records in TIME-WAIT", pair_info(p, CLIENT).timewaits);
	connect_once(p, false);
	while (count--)
		connect_once(p, true);
	pair_free(p);
	return 0;
}
