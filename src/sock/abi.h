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
	TERN_SOCK_EOR = 0x80,
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
	TERN_ABI_SO_DEBUG = 1,
	TERN_ABI_SO_DONTROUTE = 5,
	TERN_ABI_SO_NO_CHECK = 11,
	TERN_ABI_SO_PRIORITY = 12,
	TERN_ABI_SO_BSDCOMPAT = 14,
	TERN_ABI_SO_PASSCRED = 16,
	TERN_ABI_SO_PEERCRED = 17,
	TERN_ABI_SO_BINDTODEVICE = 25,
	TERN_ABI_SO_DETACH_FILTER = 27,
	TERN_ABI_SO_PEERNAME = 28,
	TERN_ABI_SO_TIMESTAMP_OLD = 29,
	TERN_ABI_SO_PASSSEC = 34,
	TERN_ABI_SO_TIMESTAMPNS_OLD = 35,
	TERN_ABI_SO_MARK = 36,
	TERN_ABI_SO_TIMESTAMPING_OLD = 37,
	TERN_ABI_SO_RXQ_OVFL = 40,
	TERN_ABI_SO_WIFI_STATUS = 41,
	TERN_ABI_SO_PEEK_OFF = 42,
	TERN_ABI_SO_NOFCS = 43,
	TERN_ABI_SO_SELECT_ERR_QUEUE = 45,
	TERN_ABI_SO_BUSY_POLL = 46,
	TERN_ABI_SO_MAX_PACING_RATE = 47,
	TERN_ABI_SO_BPF_EXTENSIONS = 48,
	TERN_ABI_SO_INCOMING_CPU = 49,
	TERN_ABI_SO_CNX_ADVICE = 53,
	TERN_ABI_SO_MEMINFO = 55,
	TERN_ABI_SO_INCOMING_NAPI_ID = 56,
	TERN_ABI_SO_COOKIE = 57,
	TERN_ABI_SO_PEERGROUPS = 59,
	TERN_ABI_SO_ZEROCOPY = 60,
	TERN_ABI_SO_BINDTOIFINDEX = 62,
	TERN_ABI_SO_TIMESTAMP_NEW = 63,
	TERN_ABI_SO_TIMESTAMPNS_NEW = 64,
	TERN_ABI_SO_TIMESTAMPING_NEW = 65,
	TERN_ABI_SO_PREFER_BUSY_POLL = 69,
	TERN_ABI_SO_BUSY_POLL_BUDGET = 70,
	TERN_ABI_SO_BUF_LOCK = 72,
	TERN_ABI_SO_RESERVE_MEM = 73,
	TERN_ABI_SO_TXREHASH = 74,
	TERN_ABI_SO_RCVMARK = 75,
	TERN_ABI_SO_PASSPIDFD = 76,
	TERN_ABI_SO_PEERPIDFD = 77,
	TERN_ABI_SO_RCVPRIORITY = 82,
	TERN_ABI_SO_PASSRIGHTS = 83,
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
	TERN_ABI_TCP_LINGER2 = 8,
	TERN_ABI_TCP_WINDOW_CLAMP = 10,
	TERN_ABI_TCP_THIN_LINEAR_TIMEOUTS = 16,
	TERN_ABI_TCP_THIN_DUPACK = 17,
	TERN_ABI_TCP_REPAIR = 19,
	TERN_ABI_TCP_REPAIR_QUEUE = 20,
	TERN_ABI_TCP_TIMESTAMP = 24,
	TERN_ABI_TCP_NOTSENT_LOWAT = 25,
	TERN_ABI_TCP_CC_INFO = 26,
	TERN_ABI_TCP_SAVE_SYN = 27,
	TERN_ABI_TCP_SAVED_SYN = 28,
	TERN_ABI_TCP_REPAIR_WINDOW = 29,
	TERN_ABI_TCP_ULP = 31,
	TERN_ABI_TCP_INQ = 36, /* and the type of its control message */
	TERN_ABI_TCP_FASTOPEN = 23,
	TERN_ABI_TCP_FASTOPEN_CONNECT = 30,
	TERN_ABI_TCP_FASTOPEN_KEY = 33,
	TERN_ABI_TCP_FASTOPEN_NO_COOKIE = 34,
	TERN_ABI_TCP_TX_DELAY = 37,
	TERN_ABI_TCP_IS_MPTCP = 43,
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
	TERN_ABI_IP_RECVOPTS = 6,
	TERN_ABI_IP_RETOPTS = 7,
	TERN_ABI_IP_PKTINFO = 8,
	TERN_ABI_IP_MTU_DISCOVER = 10,
	TERN_ABI_IP_RECVERR = 11,
	TERN_ABI_IP_RECVTTL = 12,
	TERN_ABI_IP_RECVTOS = 13,
	TERN_ABI_IP_FREEBIND = 15,
	TERN_ABI_IP_TRANSPARENT = 19,
	TERN_ABI_IP_RECVORIGDSTADDR = 20,
	TERN_ABI_IP_MINTTL = 21,
	TERN_ABI_IP_BIND_ADDRESS_NO_PORT = 24,
	TERN_ABI_IP_RECVERR_RFC4884 = 26,
	TERN_ABI_IPV6_MTU_DISCOVER = 23,
	TERN_ABI_IPV6_RECVERR = 25,
	TERN_ABI_IPV6_FLOWINFO_SEND = 33,
	TERN_ABI_IPV6_RECVPKTINFO = 49,
	TERN_ABI_IPV6_RECVHOPLIMIT = 51,
	TERN_ABI_IPV6_RECVTCLASS = 66,
	TERN_ABI_IPV6_DONTFRAG = 62,
	TERN_ABI_IPV6_MINHOPCOUNT = 73,
	TERN_ABI_IPV6_TRANSPARENT = 75,
	TERN_ABI_IPV6_FREEBIND = 78,
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
	TERN_TCPI_ECN = 8,
	TERN_TCPI_ECN_SEEN = 16,
};

/*
 * TCP_INFO, all that Linux 6.18 tells. The byte behind `options` holds two 4-bit fields, ours and
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
	uint32_t rcv_wnd, rehash;
	uint16_t total_rto, total_rto_recoveries;
	uint32_t total_rto_time; /* ms */
	uint32_t received_ce, delivered_bytes[3],
		received_bytes[3]; /* of RFC 9768: ECT1, ECT0, CE */
	uint16_t accecn_fail_mode, accecn_opt_seen;
};

_Static_assert(sizeof(struct tern_sockaddr_in) == 16, "Linux' layout");
_Static_assert(sizeof(struct tern_sockaddr_in6) == 28, "Linux' layout");
_Static_assert(sizeof(struct tern_tcp_info) == 280, "Linux' layout");

#endif
