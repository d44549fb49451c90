/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/link.h: what carries IP frames between a stack and somewhere else.
 *
 * A link is a const table of operations and what it can do. It knows no stack: a caller (the loop,
 * the pump below, a test) moves frames between the two. Like the engine, a link is told the time.
 * A link belongs to one thread, and to whoever closes it.
 *
 * A link is a wire: what it cannot deliver for reasons that pass (device down, no memory, frame
 * refused) is lost and counted, as on any wire. Only a link that is gone for good is an error.
 */
#ifndef TERN_LINK_LINK_H
#define TERN_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "tern/stack.h"

struct tern_link;

struct tern_link_ops {
	const char *kind; /* "tun", "mem", "fault" */
	int (*receive)(struct tern_link *link, uint64_t now, struct tern_frame *frames,
		       unsigned int n);
	int (*send)(struct tern_link *link, uint64_t now, const struct tern_out *outs,
		    unsigned int n);
	int (*offload)(struct tern_link *link, bool on);
	int (*fd)(const struct tern_link *link);
	uint64_t (*deadline)(const struct tern_link *link);
	void (*close)(struct tern_link *link);
};

/* What a link can do; the fields of struct tern_config of the same names. */
struct tern_link_caps {
	uint32_t mtu;      /* bytes of an IP frame */
	uint32_t gso_max;  /* largest frame with gso_size set; 0: none is taken or given */
	bool csum_offload; /* partial checksums are taken, and may be given */
};

/* What a link has moved and lost. A merged frame counts once. */
struct tern_link_counts {
	uint64_t frames_in, bytes_in;
	uint64_t frames_out, bytes_out;
	uint64_t drops_in, drops_out;
};

/* The common beginning of every link. */
struct tern_link {
	const struct tern_link_ops *ops;
	struct tern_link_caps caps;
	struct tern_link_counts counts;
};

/*
 * Takes up to n frames that have arrived into frames. Returns how many, 0 when none waits, -ENODEV
 * when the link is gone. Their bytes stay the link's and are valid until the next receive.
 */
static inline int tern_link_receive(struct tern_link *link, uint64_t now, struct tern_frame *frames,
				    unsigned int n)
{
	return link->ops->receive(link, now, frames, n);
}

/*
 * Sends n frames, in order. Returns how many were taken (a frame that is lost on the way was
 * taken), -EAGAIN when there is no room for the first one, -ENODEV when the link is gone. Nothing
 * is kept of outs or of what they refer to. n may be 0 (outs is not looked at): the link moves on
 * what it holds itself, and -EAGAIN says that some of it is due and could not go.
 */
static inline int tern_link_send(struct tern_link *link, uint64_t now, const struct tern_out *outs,
				 unsigned int n)
{
	return link->ops->send(link, now, outs, n);
}

/*
 * Switches checksum and segmentation offload, both directions, where the link has them; caps tells
 * what holds afterwards. To be called before a stack is made for the link. 0 or -EOPNOTSUPP.
 */
TERN_NODISCARD static inline int tern_link_offload(struct tern_link *link, bool on)
{
	return link->ops->offload(link, on);
}

/* What to poll for arriving frames and for room; -1: there is nothing to poll, ask receive. */
static inline int tern_link_fd(const struct tern_link *link)
{
	return link->ops->fd(link);
}

/* When receive or send(n = 0) has something to do although no frame comes; 0 is at once. */
static inline uint64_t tern_link_deadline(const struct tern_link *link)
{
	return link->ops->deadline(link);
}

/* Ends the link and frees it. NULL is allowed. */
static inline void tern_link_close(struct tern_link *link)
{
	if (link)
		link->ops->close(link);
}

/* Copies what the link can do into the configuration of the stack that will use it. */
static inline void tern_link_configure(const struct tern_link *link, struct tern_config *cfg)
{
	cfg->mtu = link->caps.mtu;
	cfg->gso_max = link->caps.gso_max;
	cfg->csum_offload = link->caps.csum_offload;
}

/* Copies the pieces of a frame to dst, which has room for out->len bytes; returns their length. */
uint32_t tern_link_gather(void *dst, const struct tern_out *out);

/* A stack and the end of a link that it stands at. */
struct tern_link_side {
	struct tern_stack *stack;
	struct tern_link *link;
};

/*
 * One round between two (different) stacks at the two ends of a link, without a loop: what each has
 * to send is sent, what has arrived goes in. Returns how many frames were sent or went in; 0 is
 * quiet. Timers do not run: tick is the caller's.
 */
unsigned int tern_link_pump_round(const struct tern_link_side sides[2], uint64_t now);

/* Rounds until it is quiet at this time. Returns how many frames were sent or went in. */
uint64_t tern_link_pump(const struct tern_link_side sides[2], uint64_t now);

/* When the two have something to do next: stacks' timers or frames under way; or TERN_NEVER. */
uint64_t tern_link_pump_deadline(const struct tern_link_side sides[2]);

#endif
