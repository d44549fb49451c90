/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks in one process, joined by hand, without an operating system in between: all that an
 * embedder has to do is to carry frames from one to the other and to say what time it is. A client
 * connects, says something, and hears it back.
 *
 *	cc two_stacks.c $(pkg-config --cflags --libs tern)
 */
#include <stdio.h>
#include <string.h>

#include <tern/stack.h>

static const struct tern_endpoint server_at = { { TERN_INET, { 10, 0, 0, 2 } }, 7 };
static uint64_t now; /* the clock: nanoseconds, and here they only pass when we say so */

static struct tern_stack *make_stack(uint8_t last_byte_of_address)
{
	struct tern_config cfg = { .addr_count = 1, .seed = { last_byte_of_address } };
	struct tern_stack *st = NULL;

	cfg.addrs[0] = (struct tern_prefix){ server_at.addr, 24 };
	cfg.addrs[0].addr.b[3] = last_byte_of_address;
	return tern_stack_new(&cfg, now, &st) == 0 ? st : NULL;
}

/* The wire: what one stack has to send goes into the other. */
static bool carry(struct tern_stack *from, struct tern_stack *to)
{
	struct tern_out out;
	uint8_t frame[1500];
	bool moved = false;

	while (tern_stack_output(from, now, &out, 1)) {
		struct tern_frame in = { .data = frame };

		for (unsigned int i = 0; i < out.pieces; in.len += out.piece[i++].len)
			memcpy(frame + in.len, out.piece[i].ptr, out.piece[i].len);
		tern_stack_input(to, now, &in, 1);
		moved = true;
	}
	return moved;
}

int main(void)
{
	struct tern_stack *client = make_stack(1), *server = make_stack(2);
	tern_id listener, served = 0, asking;
	struct tern_event event;
	char said[64] = "";
	int64_t n = -1;

	if (!client || !server || tern_stack_open(server, now, TERN_STREAM, TERN_INET, &listener) ||
	    tern_stack_bind(server, now, listener, &server_at) ||
	    tern_stack_listen(server, now, listener, 1) ||
	    tern_stack_open(client, now, TERN_STREAM, TERN_INET, &asking) ||
	    tern_stack_connect(client, now, asking, &server_at))
		return 1;
	(void)tern_stack_send(client, now, asking, "hello, stack", 12, 0);
	for (; n <= 0 && now < 1000000000; now += 1000000) {
		while (carry(client, server) || carry(server, client))
			continue;
		tern_stack_tick(client, now);
		tern_stack_tick(server, now);
		while (tern_stack_event(server, &event)) {
			if (event.bits & TERN_EV_ACCEPTABLE)
				(void)tern_stack_accept(server, now, event.id, &served);
			n = tern_stack_recv(server, now, served, said, sizeof(said), 0);
			if (n > 0)
				(void)tern_stack_send(server, now, served, said, (size_t)n, 0);
		}
		n = tern_stack_recv(client, now, asking, said, sizeof(said) - 1, 0);
	}
	if (n > 0)
		printf("the server says: %.*s\n", (int)n, said);
	tern_stack_free(client);
	tern_stack_free(server);
	return n > 0 ? 0 : 1;
}
