/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/host.h: the inside of a host, for this room and for services that live on its loop.
 */
#ifndef TERN_HOST_HOST_H
#define TERN_HOST_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "link/link.h"
#include "loop/loop.h"
#include "sock/sock.h"
#include "tern/socket.h"

struct tern_host {
	struct tern_stack *st;
	struct tern_link *link;
	struct tern_loop *loop;
	struct tern_socks *socks;
	uint64_t now;       /* of this call, or of the last turn in it */
	uint64_t *nonblock; /* bit per descriptor: O_NONBLOCK */
	uint32_t sockets_max;
	size_t taken;           /* bytes received since the last turn */
	int wake_fd;            /* eventfd: tern_host_interrupt() wakes the loop by it */
	atomic_int interrupted; /* the next call that would block returns -EINTR */
	int down;               /* negative errno once the link is gone */
	char device[16];        /* of the TUN device, or "" */
	struct tern_prefix addrs[TERN_ADDRS_MAX]; /* own addresses */
	unsigned int addr_count;
	uint32_t mtu;
};

/*
 * A service of the host's loop: told of its descriptors between two bursts. It must not call
 * anything of tern/socket.h that runs the loop.
 */
struct tern_host_service {
	void (*ready)(struct tern_host_service *service, int fd, unsigned int events);
};

/*
 * Watches a descriptor for a service, as tern_loop_watch() does: TERN_LOOP_EDGE alone is "only a
 * hang-up", 0 is nothing. tern_loop_forget() ends it.
 */
TERN_NODISCARD int tern_host_watch(struct tern_host *host, int fd, unsigned int events,
				   struct tern_host_service *service);

/*
 * One turn of the loop, at most timeout_ns long, and the services' share of it. 0; -EINTR when
 * tern_host_interrupt() was called and timeout_ns is not 0; -ENETDOWN when the link is gone.
 */
int tern_host_turn(struct tern_host *host, uint64_t timeout_ns);

/* A turn that does not wait: what a call has made leaves, what has come is taken in. */
void tern_host_flush(struct tern_host *host);

/*
 * The time for entries into stack and sockets: read at the beginning of each call of the program
 * by tern_host_enter(), since it may have been busy elsewhere for long, and then by each turn.
 */
static inline uint64_t tern_host_time(const struct tern_host *host)
{
	return host->now;
}

static inline uint64_t tern_host_enter(struct tern_host *host)
{
	host->now = tern_loop_now();
	return host->now;
}

/* now + ns, or TERN_NEVER where that is beyond all time. */
static inline uint64_t tern_host_until(uint64_t now, uint64_t ns)
{
	return ns < TERN_NEVER - now ? now + ns : TERN_NEVER;
}

/* Writes one line into error (TERN_ERROR_MAX bytes, may be NULL), as printf does; returns err. */
int tern_host_fail(char *error, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* setup.c: the link that cfg asks for, with its device's name in device. */
int tern_host_open_link(const struct tern_host_config *cfg, struct tern_link **ret_link,
			char device[16], char *error);

/* setup.c: cfg's addresses; and the kernel's end of the TUN device. */
int tern_host_addresses(const struct tern_host_config *cfg, struct tern_config *stack_cfg,
			char *error);
int tern_host_set_up_device(const struct tern_host_config *cfg, const struct tern_config *stack_cfg,
			    const char *device, char *error);

/* setup.c: cfg's sysctls. */
int tern_host_sysctls(const struct tern_host_config *cfg, struct tern_stack *st, uint64_t now,
		      char *error);

#endif
