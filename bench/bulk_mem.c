/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk_mem MTU MS: one connection in memory, both ends in this process, one core: bytes go from a
 * buffer of the sender's application to one of the receiver's, as fast as they can, for MS
 * milliseconds of CPU time. Checksums are computed and verified. Prints Gbit/s of payload.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

enum { CHUNK = 65536, CHUNKS = 4 }; /* written before it is carried */

static uint8_t from[CHUNK], to[CHUNK];

/* Real time, as the stack sees it in the product; never back to before the virtual one. */
static void move_on(struct pair *p)
{
	uint64_t now = bench_now();

	p->now = TERN_MAX(now, p->now);
}

/* One turn: send, carry, receive. Returns the bytes received. */
static uint64_t turn(struct pair *p, const tern_id id[2])
{
	uint64_t received = 0;
	struct tern_event event;
	int64_t n;

	move_on(p);
	for (unsigned int i = 0; i < CHUNKS; i++)
		(void)tern_stack_send(p->stack[CLIENT], p->now, id[CLIENT], from, CHUNK, 0);
	pair_tick(p);
	pair_pump(p, CLIENT);
	while ((n = tern_stack_recv(p->stack[SERVER], p->now, id[SERVER], to, CHUNK, 0)) > 0)
		received += (uint64_t)n;
	for (unsigned int i = 0; i < 2; i++)
		while (tern_stack_event(p->stack[i], &event))
			if (event.bits & (TERN_EV_ERROR | TERN_EV_CLOSED))
				bench_fail("connection lost", event.bits);
	return received;
}

int main(int argc, char **argv)
{
	uint64_t began, took, bytes = 0, limit_ns;
	struct pair *p;
	tern_id id[2];
	uint32_t mtu;

	if (argc != 3) {
		fprintf(stderr, "usage: bulk_mem MTU MS\n");
		return 2;
	}
	mtu = (uint32_t)bench_number(argv[1]);
	limit_ns = bench_number(argv[2]) * 1000000;
	for (unsigned int i = 0; i < CHUNK; i++)
		from[i] = (uint8_t)(i * 7 + i / 256);
	p = pair_make(16, 16, mtu);
	pair_open(p, id);
	began = bench_cpu();
	while (bench_cpu() - began < limit_ns / 4)
		(void)turn(p, id);
	began = bench_cpu();
	do {
		bytes += turn(p, id);
		took = bench_cpu() - began;
	} while (took < limit_ns);
	if (!bytes)
		bench_fail("nothing arrived", 0);
	printf("%s %.1f Gbit/s\n", mtu > 9000 ? "bulk_mem_64k_gbps" : "bulk_mem_1460_gbps",
	       (double)bytes * 8 / (double)took);
	pair_free(p);
	return 0;
}
