/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/host.c: a stack, a link, a loop and a table of sockets, made and unmade together.
 *
 * Everything runs in the caller's thread and only inside of calls. tern_host_turn() is the one
 * place where the loop turns: for a call that waits, and, without waiting, at the end of every
 * call that may have made a frame (a kernel would have sent it, too). Time is
 * read once by each call and once by each turn.
 *
 * The loop's reports carry a pointer: to a service (the control socket), which is told at once, or
 * NULL for the host's own descriptors, which only wake it.
 *
 * Interrupts. tern_host_interrupt() sets a flag and writes an eventfd that the loop watches, so it
 * is neither lost before the wait nor during it. The flag is taken by the first turn that waits.
 */
#include "host/host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	SOCKETS_MAX = 65536,
	SOCKETS_LIMIT = 1 << 24,
};

#define DRAIN_LOOK_NS UINT64_C(10000000) /* between two looks at all connections */

/* A peer that has lost segments asks whether a reset is meant (RFC 5961 §3.2): the time for it. */
#define RESET_NS UINT64_C(20000000)

int tern_host_fail(char *error, int err, const char *format, ...)
{
	va_list args;

	if (error) {
		va_start(args, format);
		(void)vsnprintf(error, TERN_ERROR_MAX, format, args);
		va_end(args);
	}
	return err;
}

/* Peers that wait for something learn that nothing will come. */
static void reset_all(struct tern_host *host)
{
	uint64_t until = tern_host_until(tern_host_enter(host), RESET_NS);
	bool any = false;

	while (!host->down && tern_stack_reset(host->st, host->now)) {
		any = true;
		tern_host_flush(host);
	}
	while (any && !host->down && host->now < until)
		(void)tern_host_turn(host, until - host->now);
}

TERN_API void tern_host_free(struct tern_host *host)
{
	if (!host)
		return;
	if (host->loop)
		reset_all(host);
	tern_socks_free(host->socks);
	tern_loop_free(host->loop);
	tern_stack_free(host->st);
	tern_link_close(host->link);
	if (host->wake_fd >= 0)
		(void)close(host->wake_fd);
	free(host->nonblock);
	free(host);
}

static int make_stack(struct tern_host *host, const struct tern_host_config *cfg, char *error)
{
	struct tern_config stack_cfg = { .conns_max = cfg->conns_max, .trace_max = cfg->trace_max };
	uint64_t now = tern_loop_now();
	int err = tern_host_addresses(cfg, &stack_cfg, error);

	if (err)
		return err;
	tern_link_configure(host->link, &stack_cfg);
	memcpy(host->addrs, stack_cfg.addrs, sizeof(host->addrs));
	host->addr_count = stack_cfg.addr_count;
	host->mtu = stack_cfg.mtu;
	if (cfg->seed)
		memcpy(stack_cfg.seed, cfg->seed, sizeof(stack_cfg.seed));
	else
		err = tern_loop_entropy(stack_cfg.seed, sizeof(stack_cfg.seed));
	if (err)
		return tern_host_fail(error, err, "no entropy: %s", strerror(-err));
	err = tern_stack_new(&stack_cfg, now, &host->st);
	if (err)
		return tern_host_fail(error, err, "cannot make a stack: %s", strerror(-err));
	err = tern_host_sysctls(cfg, host->st, now, error);
	if (err)
		return err;
	return host->device[0] ? tern_host_set_up_device(cfg, &stack_cfg, host->device, error) : 0;
}

static int make_loop(struct tern_host *host)
{
	int err;

	host->nonblock = calloc((host->sockets_max + 63) / 64, sizeof(*host->nonblock));
	if (!host->nonblock)
		return -ENOMEM;
	err = tern_socks_new(host->st, host->sockets_max, &host->socks);
	if (err)
		return err;
	err = tern_loop_new(host->st, host->link, &host->loop);
	if (err)
		return err;
	host->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (host->wake_fd < 0)
		return -errno;
	return tern_host_watch(host, host->wake_fd, TERN_LOOP_IN, NULL);
}

/* A host on link and device (may be ""); takes the link in any case. */
static int new_host(const struct tern_host_config *cfg, struct tern_link *link, const char *device,
		    struct tern_host **ret_host, char *error)
{
	struct tern_host *host = calloc(1, sizeof(*host));
	int err;

	if (!host) {
		tern_link_close(link);
		return tern_host_fail(error, -ENOMEM, "no memory for a host");
	}
	host->wake_fd = -1;
	host->link = link;
	host->sockets_max = cfg->sockets_max ? cfg->sockets_max : SOCKETS_MAX;
	(void)snprintf(host->device, sizeof(host->device), "%s", device);
	if (host->sockets_max > SOCKETS_LIMIT)
		err = tern_host_fail(error, -EINVAL, "%u sockets are too many; at most %d",
				     host->sockets_max, SOCKETS_LIMIT);
	else
		err = make_stack(host, cfg, error);
	if (err == 0) {
		err = make_loop(host);
		if (err)
			(void)tern_host_fail(error, err, "cannot make a loop: %s", strerror(-err));
	}
	if (err) {
		tern_host_free(host);
		return err;
	}
	*ret_host = host;
	return 0;
}

TERN_API int tern_host_new(const struct tern_host_config *cfg, struct tern_host **ret_host,
			   char *error)
{
	struct tern_config judged = { 0 }; /* wrong words are named before any privilege is */
	char device[16] = "";
	struct tern_link *link;
	int err = tern_host_addresses(cfg, &judged, error);

	if (!err)
		err = tern_host_open_link(cfg, &link, device, error);
	return err ? err : new_host(cfg, link, device, ret_host, error);
}

TERN_API void tern_host_interrupt(struct tern_host *host)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_store(&host->interrupted, 1);
	/* A full eventfd wakes as well as this write would have. */
	if (write(host->wake_fd, &one, sizeof(one)) < 0)
		errno = saved;
}

TERN_API struct tern_stack *tern_host_stack(struct tern_host *host)
{
	return host->st;
}

TERN_API uint64_t tern_host_now(const struct tern_host *host)
{
	(void)host;
	return tern_loop_now();
}

TERN_API const char *tern_host_device(const struct tern_host *host)
{
	return host->device;
}

int tern_host_watch(struct tern_host *host, int fd, unsigned int events,
		    struct tern_host_service *service)
{
	return tern_loop_watch(host->loop, fd, events, (uint64_t)(uintptr_t)service);
}

static void dispatch(struct tern_host *host)
{
	struct tern_loop_ready ready;
	uint64_t count;

	while (tern_loop_ready(host->loop, &ready)) {
		struct tern_host_service *service =
			(struct tern_host_service *)(uintptr_t)ready.user;

		if (service)
			service->ready(service, ready.fd, ready.events);
		else if (ready.fd == host->wake_fd)
			while (read(host->wake_fd, &count, sizeof(count)) > 0)
				continue;
	}
}

int tern_host_turn(struct tern_host *host, uint64_t timeout_ns)
{
	int ready;

	if (host->down)
		return host->down;
	if (timeout_ns && atomic_exchange(&host->interrupted, 0))
		return -EINTR;
	host->taken = 0;
	ready = tern_loop_step(host->loop, timeout_ns);
	host->now = tern_loop_time(host->loop);
	if (ready < 0) {
		host->down = ready == -ENODEV ? -ENETDOWN : ready;
		return host->down;
	}
	if (ready)
		dispatch(host);
	tern_sock_poll_events(host->socks, tern_host_time(host));
	return 0;
}

void tern_host_flush(struct tern_host *host)
{
	(void)tern_host_turn(host, 0);
}

TERN_API int tern_host_run(struct tern_host *host, uint64_t timeout_ns)
{
	uint64_t until = tern_host_until(tern_host_enter(host), timeout_ns);
	int err;

	do {
		err = tern_host_turn(host, until == TERN_NEVER ? TERN_NEVER : until - host->now);
	} while (!err && host->now < until);
	return err;
}

static bool owes_fin(unsigned int state)
{
	return state == TERN_FIN_WAIT_1 || state == TERN_CLOSING || state == TERN_LAST_ACK;
}

/* Counts the connections that still owe something: data, or a FIN that was not acknowledged. */
static void look(struct tern_host *host, struct tern_host_left *ret)
{
	struct tern_socket_info row;
	uint64_t cursor = 0;

	*ret = (struct tern_host_left){ 0 };
	while (tern_stack_next_socket(host->st, tern_host_time(host), &cursor, &row)) {
		bool fin = owes_fin(row.state);
		bool data = row.orphan && (row.has & TERN_INFO_TCP) && row.send_q > 0;

		if (!fin && !data)
			continue;
		ret->conns++;
		ret->fins += fin;
		ret->bytes += row.send_q;
	}
}

static void close_all(struct tern_host *host)
{
	uint64_t now = tern_host_time(host), until;

	for (uint32_t fd = 0; fd < host->sockets_max && tern_socks_count(host->socks); fd++) {
		int err = tern_sock_close(host->socks, now, (int)fd, &until);

		if (err == -EINPROGRESS)
			(void)tern_sock_linger(host->socks, now, (int)fd, true);
	}
}

TERN_API int tern_host_drain(struct tern_host *host, uint64_t timeout_ns,
			     struct tern_host_left *ret_left)
{
	uint64_t until = tern_host_until(tern_host_enter(host), timeout_ns), look_at = 0;
	struct tern_host_left left = { 0 };
	int err = 0;

	close_all(host);
	tern_host_flush(host); /* resets are owed nothing, and would not be waited for */
	while (!err) {
		if (host->now >= look_at) {
			look(host, &left);
			look_at = host->now + DRAIN_LOOK_NS;
			if (!left.conns)
				break;
		}
		if (host->now >= until)
			err = -ETIMEDOUT;
		else
			err = tern_host_turn(host, TERN_MIN(until, look_at) - host->now);
	}
	if (err)
		look(host, &left);
	if (ret_left)
		*ret_left = left;
	return err;
}
