/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net.h: a network namespace of the benchmark's own, and the kernel's end of a connection in it.
 *
 * The namespace has no name: it goes with the processes in it, whatever way they end. The peer is a
 * child process that dies with its parent, and both are bounded in time.
 */
#ifndef TERN_BENCH_NET_H
#define TERN_BENCH_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_SELF  "10.77.0.2" /* the end that is measured */
#define NET_OTHER "10.77.0.1" /* the kernel's end */
#define NET_PORT  7001

struct net_peer {
	pid_t pid;
	int result; /* readable when the measurement is over */
	int go;     /* write end: a byte starts the peer */
};

/*
 * Moves this process into a namespace of its own and onto the first CPU, and bounds its life to
 * `seconds`. Ends the program with exit status 3 and a line that says why where it has no right to.
 */
void net_enter(unsigned int seconds);

/*
 * Makes a child on another CPU that waits for net_peer_go, connects to NET_SELF and then sends
 * (sends) or receives by ordinary socket calls as fast as it can: first for a quarter of ms, then
 * for ms milliseconds, which is what it measures. With `moves` it first goes to a namespace of its
 * own, in which a device of that name will appear.
 */
void net_peer_start(struct net_peer *peer, bool sends, uint32_t ms, const char *moves);
void net_peer_go(const struct net_peer *peer);

/* Waits for the peer, which has reported. Returns payload in Gbit/s. */
double net_peer_end(struct net_peer *peer);

/* A socket with what all kernel sockets here have in common: cubic. */
int net_socket(void);

/* Gives a device the kernel's address and brings it up. */
void net_device(const char *name, const char *addr, uint32_t mtu);

/* Sends or receives on a connected kernel socket until the time is over; bytes moved. */
uint64_t net_move(int fd, bool sends, uint64_t until_ns);

#endif
