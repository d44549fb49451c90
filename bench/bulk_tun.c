/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk_tun WHO WAY MS: one connection between the kernel's TCP and WHO, for MS milliseconds:
 *
 *	tern	this stack on a TUN device, driven by the product's loop
 *	bare	a responder without a stack on the same device (bare.c)
 *	kernel	the kernel's own TCP over a veth pair, both ends sockets
 *
 * WAY is out (WHO sends, the kernel receives) or in. Prints payload in Gbit/s under the figure's
 * name. MTU 1500; TUN with virtio headers, segmentation and checksum offloads on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare.h"
#include "base/addr.h"
#include "link/tun.h"
#include "loop/loop.h"
#include "net.h"
#include "pair.h"

enum { CHUNK = 256 << 10 };

extern char **environ;

static uint8_t chunk[CHUNK];

static struct tern_link *open_tun(void)
{
	struct tern_tun_config cfg = { .name = "tern0" };
	struct tern_link *link;
	const char *stage;
	int err = tern_tun_open(&cfg, &link, &stage);

	if (err < 0)
		bench_fail(stage, err);
	if (!link->caps.gso_max)
		bench_fail("the device has no segmentation offload", 0);
	net_device("tern0", NET_OTHER, 1500);
	return link;
}

static double run_bare(bool sends, uint32_t ms)
{
	struct tern_link *link = open_tun();
	struct net_peer peer;
	double gbps;

	net_peer_start(&peer, !sends, ms, NULL);
	net_peer_go(&peer);
	bare_serve(tern_link_fd(link), peer.result, sends);
	gbps = net_peer_end(&peer);
	tern_link_close(link);
	return gbps;
}

static struct tern_stack *make_stack(const struct tern_link *link, tern_id *ret_listener)
{
	struct tern_config cfg = { .addrs = { { { .family = 0 }, 24 } }, .addr_count = 1 };
	struct tern_endpoint at = { { .family = TERN_INET }, NET_PORT };
	uint64_t now = tern_loop_now();
	struct tern_stack *st;

	bench_check("address", tern_addr_parse(NET_SELF, &cfg.addrs[0].addr));
	tern_link_configure(link, &cfg);
	bench_check("tern_stack_new", tern_stack_new(&cfg, now, &st));
	bench_check("open", tern_stack_open(st, now, TERN_STREAM, TERN_INET, ret_listener));
	bench_check("bind", tern_stack_bind(st, now, *ret_listener, &at));
	bench_check("listen", tern_stack_listen(st, now, *ret_listener, 1));
	return st;
}

/* The application: chargen (sends) or discard. */
static void serve(struct tern_stack *st, uint64_t now, tern_id id, bool sends)
{
	int64_t n;

	do {
		n = sends ? tern_stack_send(st, now, id, chunk, CHUNK, 0)
			  : tern_stack_recv(st, now, id, chunk, CHUNK, 0);
	} while (n == CHUNK);
}

static double run_tern(bool sends, uint32_t ms)
{
	struct tern_link *link = open_tun();
	struct tern_loop_ready ready;
	struct tern_event event;
	struct net_peer peer;
	struct tern_loop *loop;
	tern_id listener, id = 0;
	struct tern_stack *st = make_stack(link, &listener);
	double gbps;

	net_peer_start(&peer, !sends, ms, NULL);
	bench_check("tern_loop_new", tern_loop_new(st, link, &loop));
	bench_check("watch", tern_loop_watch(loop, peer.result, TERN_LOOP_IN, 0));
	net_peer_go(&peer);
	do {
		bench_check("loop", tern_loop_step(loop, TERN_NEVER));
		while (tern_stack_event(st, &event))
			if (event.id == listener)
				(void)tern_stack_accept(st, tern_loop_time(loop), listener, &id);
		if (id)
			serve(st, tern_loop_time(loop), id, sends);
	} while (!tern_loop_ready(loop, &ready));
	gbps = net_peer_end(&peer);
	if (link->counts.drops_in || link->counts.drops_out)
		fprintf(stderr, "bulk_tun: %llu frames lost\n",
			(unsigned long long)(link->counts.drops_in + link->counts.drops_out));
	tern_loop_free(loop);
	tern_stack_free(st);
	tern_link_close(link);
	return gbps;
}

/* A veth pair between this namespace and the peer's. */
static void make_veth(pid_t peer)
{
	char pid[16];
	char *const argv[] = { (char *)"ip",
			       (char *)"link",
			       (char *)"add",
			       (char *)"bench0",
			       (char *)"type",
			       (char *)"veth",
			       (char *)"peer",
			       (char *)"name",
			       (char *)"bench1",
			       (char *)"netns",
			       pid,
			       NULL };
	int status, err;
	pid_t child;

	snprintf(pid, sizeof(pid), "%d", (int)peer);
	err = posix_spawnp(&child, "ip", NULL, NULL, argv, environ);
	if (err || waitpid(child, &status, 0) < 0 || status)
		bench_fail("ip link add (package iproute2)", -err);
	net_device("bench0", NET_SELF, 1500);
}

static double run_kernel(bool sends, uint32_t ms)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(NET_PORT) };
	int fd = net_socket(), on;
	struct net_peer peer;

	net_peer_start(&peer, !sends, ms, "bench1");
	make_veth(peer.pid);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1) < 0)
		bench_fail("listen", -errno);
	net_peer_go(&peer);
	on = accept(fd, NULL, NULL);
	if (on < 0)
		bench_fail("accept", -errno);
	for (;;) {
		ssize_t n = sends ? send(on, chunk, CHUNK, MSG_NOSIGNAL)
				  : recv(on, chunk, CHUNK, 0);

		if (n <= 0)
			break; /* the peer has its figure and is gone */
	}
	return net_peer_end(&peer);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *who;
		double (*run)(bool sends, uint32_t ms);
		const char *infix;
	} all[] = { { "tern", run_tern, "tun_" },
		    { "bare", run_bare, "tun_bare_" },
		    { "kernel", run_kernel, "kernel_" } };
	uint32_t ms = argc == 4 ? (uint32_t)bench_number(argv[3]) : 0;

	if (argc != 4 || !ms || (strcmp(argv[2], "out") != 0 && strcmp(argv[2], "in") != 0)) {
		fprintf(stderr, "usage: bulk_tun tern|bare|kernel out|in MS\n");
		return 2;
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(all); i++) {
		if (strcmp(argv[1], all[i].who) != 0)
			continue;
		net_enter(ms / 1000 * 2 + 20);
		printf("bulk_%s%s_gbps %.2f Gbit/s\n", all[i].infix, argv[2],
		       all[i].run(strcmp(argv[2], "out") == 0, ms));
		return 0;
	}
	return 2;
}
