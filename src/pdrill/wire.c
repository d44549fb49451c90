/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The wire. A packet from packetdrill goes into the stack at once. What the stack sends is taken
 * from it right after the entry that made it, with the time of that entry, and waits here for
 * netdev_receive.
 *
 * netdev_receive is called when the script expects a packet, which may be the next retransmission
 * in a minute, or one that will never come; the caller does not say. So it waits as long as a timer
 * that sends something is pending (PATIENCE_NS at most), and GRACE_NS beyond that or where there is
 * none: timers of connections that show no time (delayed ACKs, pacing) are shorter than that.
 *
 * packetdrill may speak to an address that nobody has told us: the stack takes it for its own when
 * the first packet to it comes, as its device would have it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "pdrill/pdrill.h"

#define GRACE_NS    UINT64_C(2000000000)
#define PATIENCE_NS UINT64_C(150000000000)

enum {
	BURST = 16,
	FRAMES_MAX = 8192,
	FRAME_ROOM = 65535 + 40, /* for the largest packet */
	IP4_HEADER = 20,
	IP6_HEADER = 40,
};

static int wire_receive(struct tern_link *link, uint64_t now, struct tern_frame *frames,
			unsigned int n)
{
	(void)link;
	(void)now;
	(void)frames;
	(void)n;
	return 0; /* packets come by netdev_send */
}

static void hang(struct tern_pdrill_wire *wire, struct tern_pdrill_frame *frame)
{
	*wire->end = frame;
	wire->end = &frame->next;
	wire->last = frame;
	wire->count++;
}

static int wire_send(struct tern_link *link, uint64_t now, const struct tern_out *outs,
		     unsigned int n)
{
	struct tern_pdrill_wire *wire = (struct tern_pdrill_wire *)link;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t cap = wire->d->cut ? outs[i].len : FRAME_ROOM;
		struct tern_pdrill_frame *frame = NULL;

		if (wire->count < FRAMES_MAX)
			frame = malloc(sizeof(*frame) + cap);
		if (!frame) {
			link->counts.drops_out++;
			continue;
		}
		frame->next = NULL;
		frame->sent_ns = now;
		frame->cap = cap;
		frame->pushed = false;
		frame->segs = 0;
		frame->cut = wire->d->cut;
		frame->len = tern_link_gather(frame->bytes, &outs[i]);
		link->counts.frames_out++;
		link->counts.bytes_out += frame->len;
		wire->news = true;
		if (wire->last && tern_pdrill_burst_join(wire->d, wire->last, frame)) {
			free(frame);
			continue;
		}
		tern_pdrill_burst_begin(wire->d, frame);
		hang(wire, frame);
	}
	return (int)n;
}

static int wire_offload(struct tern_link *link, bool on)
{
	(void)link;
	return on ? -EOPNOTSUPP : 0;
}

static int wire_fd(const struct tern_link *link)
{
	(void)link;
	return -1;
}

static uint64_t wire_deadline(const struct tern_link *link)
{
	(void)link;
	return TERN_NEVER;
}

static void wire_close(struct tern_link *link)
{
	(void)link; /* it is part of a struct tern_pdrill */
}

static const struct tern_link_ops ops = {
	.kind = "packetdrill",
	.receive = wire_receive,
	.send = wire_send,
	.offload = wire_offload,
	.fd = wire_fd,
	.deadline = wire_deadline,
	.close = wire_close,
};

void tern_pdrill_wire_init(struct tern_pdrill *d, uint32_t mtu)
{
	d->wire.link.ops = &ops;
	d->wire.link.caps.mtu = mtu;
	d->wire.end = &d->wire.first;
	d->wire.d = d;
}

/* Takes the oldest frame out; it is the caller's. NULL: there is none. */
static struct tern_pdrill_frame *take(struct tern_pdrill_wire *wire)
{
	struct tern_pdrill_frame *frame = wire->first;

	if (!frame)
		return NULL;
	wire->first = frame->next;
	if (!wire->first) {
		wire->end = &wire->first;
		wire->last = NULL;
	}
	wire->count--;
	return frame;
}

void tern_pdrill_wire_free(struct tern_pdrill *d)
{
	struct tern_pdrill_frame *frame;

	while ((frame = take(&d->wire)))
		free(frame);
}

void tern_pdrill_drain(struct tern_pdrill *d)
{
	struct tern_out outs[BURST];
	unsigned int n;

	d->wire.entry++;
	while ((n = tern_stack_output(d->st, d->now, outs, BURST)) > 0)
		(void)tern_link_send(&d->wire.link, d->now, outs, n);
}

void tern_pdrill_learn(struct tern_pdrill *d, const struct tern_addr *addr)
{
	struct tern_prefix own = {
		.addr = *addr,
		.length = (uint8_t)(8 * tern_addr_len(addr->family)),
	};

	/* Loopback and link-local addresses, and more than there is room for, stay foreign. */
	if (tern_addr_is_any(addr) || tern_addr_is_loopback(addr) || tern_addr_is_multicast(addr) ||
	    tern_addr_is_linklocal6(addr) || tern_addr_is_v4_broadcast(addr))
		return;
	(void)tern_stack_add_address(d->st, d->now, &own);
}

/* Where a packet goes. False: it is none. */
static bool read_destination(const uint8_t *bytes, size_t n, struct tern_addr *ret)
{
	if (n >= IP4_HEADER && bytes[0] >> 4 == 4)
		*ret = tern_addr_from_bytes(TERN_INET, bytes + 16);
	else if (n >= IP6_HEADER && bytes[0] >> 4 == 6)
		*ret = tern_addr_from_bytes(TERN_INET6, bytes + 24);
	else
		return false;
	return true;
}

static void note_thread(struct tern_pdrill *d)
{
	d->packets = pthread_self();
	d->packets_known = true;
}

int tern_pdrill_netdev_send(void *ud, const void *buf, size_t n)
{
	struct tern_pdrill *d = ud;
	struct tern_frame frame = { .data = buf, .len = (uint32_t)n, .csum = TERN_CSUM_FULL };
	struct tern_addr dest;

	if (n > UINT16_MAX + IP6_HEADER) {
		errno = EMSGSIZE;
		return -1;
	}
	(void)tern_pdrill_enter(d);
	note_thread(d);
	if (read_destination(buf, n, &dest))
		tern_pdrill_learn(d, &dest);
	d->wire.link.counts.frames_in++;
	d->wire.link.counts.bytes_in += n;
	tern_stack_input(d->st, d->now, &frame, 1);
	return (int)tern_pdrill_leave(d, 0);
}

/* When a timer that sends something runs out next, as far as sockets show it. */
static uint64_t next_emission(const struct tern_pdrill *d)
{
	uint64_t cursor = 0, next = TERN_NEVER;
	struct tern_socket_info row;

	while (tern_stack_next_socket(d->st, d->now, &cursor, &row))
		if (row.timer != TERN_TIMER_NONE && row.timer != TERN_TIMER_TIMEWAIT)
			next = TERN_MIN(next, tern_pdrill_later(d, row.timer_ns));
	return next;
}

int tern_pdrill_netdev_receive(void *ud, void *buf, size_t *n, long long *time_usecs)
{
	struct tern_pdrill *d = ud;
	uint64_t began = tern_pdrill_enter(d), sent = began;
	struct tern_pdrill_frame *frame;
	int err = 0;

	note_thread(d);
	while (!(frame = take(&d->wire)) && !err) {
		uint64_t until = next_emission(d);

		if (until > began + PATIENCE_NS)
			until = began;
		until += GRACE_NS;
		if (d->now >= until)
			break;
		err = tern_pdrill_wait(d, until);
	}
	if (frame) {
		*n = TERN_MIN(*n, (size_t)frame->len);
		memcpy(buf, frame->bytes, *n);
		sent = frame->sent_ns;
		free(frame);
	} else {
		*n = 0;
		sent = d->now;
	}
	*time_usecs = ((int64_t)sent + d->wall_offset) / 1000;
	return (int)tern_pdrill_leave(d, 0);
}
