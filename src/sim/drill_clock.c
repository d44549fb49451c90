/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_clock.c: virtual time, and frames out of the stack.
 *
 * Time jumps from one deadline to the next. Whenever something may have changed, the stack is
 * settled: what it has to send goes to the queue with the time at which it was sent, the call that
 * blocks tries again, until neither yields anything.
 */
#include <string.h>

#include "sim/drill_internal.h"
#include "wire/tcp.h"

enum { BURST = 32 };

static struct drill_frame *new_frame(struct drill *d)
{
	struct drill_frame *f = d->spare;

	if (f)
		d->spare = f->next;
	else
		f = tern_arena_alloc(&d->script.arena, sizeof(*f));
	return f;
}

/* Our own sums have to be right as well. */
static void check_sums(struct drill *d, uint32_t len)
{
	struct tern_packet pkt;

	if (tern_ip_parse(d->frame, len, false, &pkt) != TERN_PARSE_OK)
		tern_drill_fail(d, "the stack has sent a packet that cannot be read");
	else if (pkt.proto == TERN_PROTO_TCP && !pkt.fragment && !tern_tcp_cksum_ok(&pkt))
		tern_drill_fail(d, "the stack has sent a segment with a wrong checksum");
}

static void keep(struct drill *d, const struct tern_out *out)
{
	struct drill_frame *f = new_frame(d);
	uint32_t len = 0;

	if (!f || out->len > DRILL_FRAME)
		return;
	for (unsigned int i = 0; i < out->pieces; i++) {
		memcpy(d->frame + len, out->piece[i].ptr, out->piece[i].len);
		len += out->piece[i].len;
	}
	f->next = NULL;
	f->time = d->now;
	f->len = len;
	f->kept = TERN_MIN(len, (uint32_t)DRILL_KEPT);
	memcpy(f->bytes, d->frame, f->kept);
	*d->tail = f;
	d->tail = &f->next;
	check_sums(d, len);
	if (d->cfg->verbose)
		tern_drill_trace_frame(d, d->frame, len, false);
}

static bool drain(struct drill *d)
{
	struct tern_out outs[BURST];
	unsigned int n, total = 0;

	while ((n = tern_stack_output(d->st, d->now, outs, BURST)) > 0) {
		for (unsigned int i = 0; i < n; i++)
			keep(d, &outs[i]);
		total += n;
	}
	return total > 0;
}

static void take_edges(struct drill *d)
{
	int live;

	tern_sock_poll_events(d->ss, d->now);
	while ((live = tern_sock_next_changed(d->ss)) >= 0)
		tern_drill_epoll_edge(d, live);
}

void tern_drill_settle(struct drill *d)
{
	do {
		(void)drain(d);
		take_edges(d);
		tern_drill_call_retry(d);
	} while (drain(d));
	take_edges(d);
}

static uint64_t next_deadline(const struct drill *d)
{
	uint64_t next = tern_stack_deadline(d->st);

	if (d->blocked.active && !d->blocked.done)
		next = TERN_MIN(next, d->blocked.deadline);
	return next;
}

void tern_drill_pass(struct drill *d, uint64_t until, struct drill_frame *const *stop)
{
	tern_drill_settle(d);
	while (d->verdict == TERN_DRILL_PASSED && !(stop && *stop)) {
		uint64_t next = next_deadline(d);

		if (next > until) {
			if (until > d->now && !stop)
				d->now = until;
			return;
		}
		if (next <= d->now && tern_stack_deadline(d->st) > d->now)
			return; /* a call's own time is over, and it was told */
		d->now = TERN_MAX(next, d->now);
		tern_stack_tick(d->st, d->now);
		tern_drill_settle(d);
	}
}

void tern_drill_input(struct drill *d, const uint8_t *bytes, uint32_t len)
{
	struct tern_frame frame = { .data = bytes, .len = len };

	if (d->cfg->verbose)
		tern_drill_trace_frame(d, bytes, len, true);
	tern_stack_input(d->st, d->now, &frame, 1);
	tern_drill_settle(d);
}

void tern_drill_drop_frame(struct drill *d, struct drill_frame **at)
{
	struct drill_frame *f = *at;

	*at = f->next;
	if (d->tail == &f->next)
		d->tail = at;
	f->next = d->spare;
	d->spare = f;
}
