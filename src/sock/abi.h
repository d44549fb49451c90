/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/abi.h: numbers and structures of Linux' socket interface, as programs pass them.
 *
 * The room is pure and may not read the system's headers, and a program's words must mean the same
 * wherever tern itself was built; so they are written down here. Values are those of x86-64 and
 * every other architecture with the generic numbering. A test compares them with the system's.
 */
#ifndef TERN_SOCK_ABI_H
#define TERN_SOCK_ABI_H

#include <stdint.h>

/* Address families and socket types. */
enum {
	TERN_AF_UNSPEC = 0,
	TERN_AF_INET = 2,
	TERN_AF_INET6 = 10,
	TERN_SOCK_STREAM = 1,
	TERN_SOCK_DGRAM = 2,
};

/* Flags of send and recv. */
enum {
	TERN_SOCK_OOB = 0x1,
	TERN_SOCK_PEEK = 0x2,
	TERN_SOCK_TRUNC = 0x20,
	TERN_SOCK_DONTWAIT = 0x40,
	TERN_SOCK_WAITALL = 0x100,
	TERN_SOCK_ERRQUEUE = 0x2000,
	TERN_SOCK_NOSIGNAL = 0x4000,
	TERN_SOCK_MORE = 0x8000,
	TERN_SOCK_FASTOPEN = 0x20000000,
};

/* Readiness, poll(2)'s bits. */
enum {
	TERN_SOCK_IN = 0x1,
	TERN_SOCK_PRI = 0x2,
	TERN_SOCK_OUT = 0x4,
	TERN_SOCK_ERR = 0x8,
	TERN_SOCK_HUP = 0x10,
	TERN_SOCK_NVAL = 0x20,
	TERN_SOCK_RDNORM = 0x40,
	TERN_SOCK_WRNORM = 0x100,
	TERN_SOCK_RDHUP = 0x2000,
};

/* Option levels. */
enum {
	TERN_ABI_SOL_IP = 0,
	TERN_ABI_SOL_SOCKET = 1,
	TERN_ABI_SOL_TCP = 6,
	TERN_ABI_SOL_IPV6 = 41,
};

/* Options of TERN_ABI_SOL_SOCKET. */
enum {
	TERN_ABI_SO_REUSEADDR = 2,
	TERN_ABI_SO_TYPE = 3,
	TERN_ABI_SO_ERROR = 4,
	TERN_ABI_SO_BROADCAST = 6,
	TERN_ABI_SO_SNDBUF = 7,
	TERN_ABI_SO_RCVBUF = 8,
	TERN_ABI_SO_KEEPALIVE = 9,
	TERN_ABI_SO_OOBINLINE = 10,
	TERN_ABI_SO_LINGER = 13,
	TERN_ABI_SO_REUSEPORT = 15,
	TERN_ABI_SO_RCVLOWAT = 18,
	TERN_ABI_SO_SNDLOWAT = 19,
	TERN_ABI_SO_RCVTIMEO = 20,
	TERN_ABI_SO_SNDTIMEO = 21,
	TERN_ABI_SO_ACCEPTCONN = 30,
	TERN_ABI_SO_SNDBUFFORCE = 32,
	TERN_ABI_SO_RCVBUFFORCE = 33,
	TERN_ABI_SO_PROTOCOL = 38,
	TERN_ABI_SO_DOMAIN = 39,
};

/* Options of TERN_ABI_SOL_TCP. */
enum {
	TERN_ABI_TCP_NODELAY = 1,
	TERN_ABI_TCP_MAXSEG = 2,
	TERN_ABI_TCP_CORK = 3,
	TERN_ABI_TCP_KEEPIDLE = 4,
	TERN_ABI_TCP_KEEPINTVL = 5,
	TERN_ABI_TCP_KEEPCNT = 6,
	TERN_ABI_TCP_SYNCNT = 7,
	TERN_ABI_TCP_DEFER_ACCEPT = 9,
	TERN_ABI_TCP_INFO = 11,
	TERN_ABI_TCP_QUICKACK = 12,
	TERN_ABI_TCP_CONGESTION = 13,
	TERN_ABI_TCP_USER_TIMEOUT = 18,
	TERN_ABI_TCP_INQ = 36, /* and the type of its control message */
	TERN_ABI_TCP_FASTOPEN = 23,
	TERN_ABI_TCP_FASTOPEN_CONNECT = 30,
	TERN_ABI_TCP_FASTOPEN_KEY = 33,
	TERN_ABI_TCP_FASTOPEN_NO_COOKIE = 34,
};

/* Options of TERN_ABI_SOL_IP and TERN_ABI_SOL_IPV6. */
enum {
	TERN_ABI_IP_TOS = 1,
	TERN_ABI_IP_TTL = 2,
	TERN_ABI_IP_MTU = 14,
	TERN_ABI_IPV6_UNICAST_HOPS = 16,
	TERN_ABI_IPV6_MTU = 24,
	TERN_ABI_IPV6_V6ONLY = 26,
	TERN_ABI_IPV6_TCLASS = 67,
};

/* Arguments of shutdown are enum tern_how of tern/stack.h. */

/* struct sockaddr_in and sockaddr_in6: family in host order, port and address as on the wire. */
struct tern_sockaddr_in {
	uint16_t family;
	uint8_t port[2];
	uint8_t addr[4];
	uint8_t zero[8];
};

struct tern_sockaddr_in6 {
	uint16_t family;
	uint8_t port[2];
	uint32_t flowinfo;
	uint8_t addr[16];
	uint32_t scope_id;
};

/* Length of a sockaddr_in6 before RFC 2553 gave it a scope; Linux still takes it. */
#define TERN_SOCKADDR_IN6_MIN 24

/* SO_LINGER. */
struct tern_linger {
	int32_t onoff;
	int32_t seconds;
};

/* SO_RCVTIMEO and SO_SNDTIMEO. */
struct tern_timeval {
	int64_t seconds;
	int64_t microseconds;
};

/* Bits of tern_tcp_info.options. */
enum {
	TERN_TCPI_TIMESTAMPS = 1,
	TERN_TCPI_SACK = 2,
	TERN_TCPI_WSCALE = 4,
	TERN_TCPI_SYN_DATA = 32,   /* data came or went with the SYN */
	TERN_TCPI_TFO_CHILD = 128, /* … and made the connection */
};

/*
 * TCP_INFO, up to what Linux 6.1 tells. The byte behind `options` holds two 4-bit fields, ours and
 * the peer's window scale, the peer's (snd) in the low one; the next byte holds two flags.
 */
struct tern_tcp_info {
	uint8_t state, ca_state, retransmits, probes, backoff, options, wscales, flags;
	uint32_t rto, ato, snd_mss, rcv_mss;                                   /* µs, bytes */
	uint32_t unacked, sacked, lost, retrans, fackets;                      /* segments */
	uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv; /* ms ago */
	uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	uint32_t rcv_rtt, rcv_space, total_retrans;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};

_Static_assert(sizeof(struct tern_sockaddr_in) == 16, "Linux' layout");
_Static_assert(sizeof(struct tern_sockaddr_in6) == 28, "Linux' layout");
_Static_assert(sizeof(struct tern_tcp_info) == 232, "Linux' layout");

#endif
