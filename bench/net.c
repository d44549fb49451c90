/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Who runs where is the same for all that is compared: what is measured on the first CPU, the
 * kernel's end, a process with a socket, on the last. With one CPU both share it.
 */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "link/netdev.h"
#include "pair.h"

enum { CHUNK = 128 << 10 };

static uint8_t chunk[CHUNK];

static void pin(bool last)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(last && cpus > 1 ? (size_t)cpus - 1 : 0, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		fprintf(stderr, "bench: not pinned to a CPU: %s\n", strerror(errno));
}

void net_enter(unsigned int seconds)
{
	alarm(seconds);
	if (unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "bench: no network namespace: %s; it takes root\n",
			strerror(errno));
		exit(3);
	}
	pin(false);
}

int net_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0)
		bench_fail("socket with cubic", -errno);
	return fd;
}

void net_device(const char *name, const char *addr, uint32_t mtu)
{
	struct tern_prefix prefix = { .length = 24 };
	const char *stage = "address";

	if (tern_addr_parse(addr, &prefix.addr) < 0 || tern_netdev_up(name, mtu, &stage) < 0 ||
	    tern_netdev_add_address(name, &prefix, NULL, &stage) < 0)
		bench_fail(stage, -errno);
}

uint64_t net_move(int fd, bool sends, uint64_t until_ns)
{
	uint64_t bytes = 0;

	while (bench_now() < until_ns) {
		ssize_t n = sends ? send(fd, chunk, CHUNK, MSG_NOSIGNAL)
				  : recv(fd, chunk, CHUNK, 0);

		if (n <= 0)
			bench_fail("connection lost", n ? -errno : 0);
		bytes += (uint64_t)n;
	}
	return bytes;
}

static double measure(bool sends, uint32_t ms)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(NET_PORT) };
	uint64_t began, bytes;
	int fd = net_socket();

	inet_pton(AF_INET, NET_SELF, &to.sin_addr);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		bench_fail("connect", -errno);
	(void)net_move(fd, sends, bench_now() + UINT64_C(250000) * ms);
	began = bench_now();
	bytes = net_move(fd, sends, began + UINT64_C(1000000) * ms);
	return (double)bytes * 8 / (double)(bench_now() - began);
}

/* The child. */
static void run_peer(int go, int result, bool sends, uint32_t ms, const char *moves)
{
	double gbps;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(ms / 1000 + 10);
	pin(true);
	if (moves && unshare(CLONE_NEWNET) < 0)
		bench_fail("unshare", -errno);
	if (write(result, "", 1) != 1 || read(go, &byte, 1) != 1)
		exit(1);
	if (moves)
		net_device(moves, NET_OTHER, 1500);
	gbps = measure(sends, ms);
	if (write(result, &gbps, sizeof(gbps)) != sizeof(gbps))
		exit(1);
	exit(0);
}

void net_peer_start(struct net_peer *peer, bool sends, uint32_t ms, const char *moves)
{
	int go[2], result[2];
	char byte;

	if (pipe(go) < 0 || pipe(result) < 0)
		bench_fail("pipe", -errno);
	peer->pid = fork();
	if (peer->pid < 0)
		bench_fail("fork", -errno);
	if (!peer->pid) {
		close(go[1]);
		close(result[0]);
		run_peer(go[0], result[1], sends, ms, moves);
	}
	close(go[0]);
	close(result[1]);
	peer->go = go[1];
	peer->result = result[0];
	if (read(peer->result, &byte, 1) != 1)
		bench_fail("the peer did not start", 0);
}

void net_peer_go(const struct net_peer *peer)
{
	if (write(peer->go, "", 1) != 1)
		bench_fail("the peer is gone", -errno);
}

double net_peer_end(struct net_peer *peer)
{
	double gbps = 0;
	ssize_t n = read(peer->result, &gbps, sizeof(gbps));
	int status;

	if (waitpid(peer->pid, &status, 0) < 0 || status || n != sizeof(gbps))
		bench_fail("the peer failed", status);
	close(peer->result);
	close(peer->go);
	return gbps;
}
