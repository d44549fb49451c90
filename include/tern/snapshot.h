/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tern/snapshot.h: what a stack tells about itself. Plain structs, filled by tern_stack_info()
 * and its kin.
 */
#ifndef TERN_SNAPSHOT_H
#define TERN_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "tern/trace.h"
#include "tern/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which timer a row waits for, in ss' words. */
enum tern_timer_kind {
	TERN_TIMER_NONE,
	TERN_TIMER_ON, /* retransmission */
	TERN_TIMER_KEEPALIVE,
	TERN_TIMER_TIMEWAIT,
	TERN_TIMER_PERSIST, /* zero-window probe */
	TERN_TIMER_DELACK,
};

/* Memory of a socket, the fields of ss -m: skmem:(r,rb,t,tb,f,w,o,bl,d). Bytes; d counts drops. */
struct tern_skmem {
	uint32_t rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog,
		drops;
};

/* Which fields of struct tern_socket_info are filled. */
enum tern_info_bit {
	TERN_INFO_TCP = 1,    /* a TCP connection: rtt … totals */
	TERN_INFO_LISTEN = 2, /* a listener: synq … */
};

/*
 * One row of a socket table. Times are ns, sizes bytes; recv_q and send_q mean what ss means by
 * them.
 */
struct tern_socket_info {
	uint64_t id;     /* the handle, or 0 for half-open and TIME-WAIT rows */
	uint64_t cookie; /* unique among the rows of a stack: what ss prints as sk: */
	struct tern_endpoint local, remote;
	uint8_t proto;   /* enum tern_proto */
	uint8_t state;   /* enum tern_state; UDP: TERN_CLOSED (UNCONN) or TERN_ESTABLISHED */
	uint8_t has;     /* enum tern_info_bit bits */
	uint8_t timer;   /* enum tern_timer_kind */
	uint8_t retrans; /* third field of timer:() */
	bool orphan;     /* closed by its application */
	bool unaccepted; /* in an accept queue */
	bool nodelay, keepalive;
	uint64_t timer_ns; /* until the timer fires */
	uint64_t age_ns;   /* time in this state */
	uint32_t recv_q, send_q;
	struct tern_skmem mem;
	/* TERN_INFO_LISTEN */
	uint32_t synq, synq_max, acceptq, acceptq_max; /* acceptq: those of tern_stack_hold too */
	uint64_t listen_drops, listen_overflows;
	/* TERN_INFO_TCP */
	uint32_t options; /* enum tern_tcp_option bits agreed on */
	bool ecn_seen;    /* the peer's data knew ECN */
	uint8_t snd_wscale, rcv_wscale;
	bool syn_data;         /* Fast Open: data came or went with the SYN and was taken */
	bool fastopen_child;   /* … and a SYN alone made the connection */
	uint8_t fastopen_fail; /* why not, of a client: 1 no cookie, 2 the SYN-ACK left the data
				  out, 3 the SYN was sent again */
	uint32_t rtt_us, rttvar_us, rto_us, min_rtt_us;
	uint32_t mss, pmtu, advmss, cwnd /* bytes */, ssthresh /* bytes */;
	uint32_t unacked /* bytes in flight */, snd_wnd, rcv_wnd;
	uint32_t rcv_mss;      /* of the peer's segments, as far as seen */
	uint32_t rcv_ssthresh; /* what the window may grow to */
	uint8_t ca_state;      /* 0 open, 1 disorder, 2 CWR, 3 recovery, 4 loss, as Linux */
	uint8_t backoff;       /* how often the RTO is doubled */
	/* segments in flight; of these SACKed, lost, sent again; those out of order that are
	   no loss */
	uint32_t packets_out, sacked_out, lost_out, retrans_out, reordering;
	uint32_t reord_seen, dsack_dups, delivered;
	uint64_t bytes_sent, bytes_retrans, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, data_segs_out, data_segs_in, total_retrans;
	/* time with something to send; of it, waiting for the peer's window, for a larger send
	   buffer */
	uint32_t busy_ms, window_limited_ms, buffer_limited_ms;
	uint32_t last_snd_ms, last_rcv_ms; /* ago */
	const char *congestion;
};

/* Totals of a stack: what ss -s and ss -m need beside the rows. */
struct tern_stack_info {
	const char *version;
	uint64_t now_ns;
	uint32_t conns, orphans, halfopens, timewaits, listeners, udps, accept_queued;
	uint32_t conns_max, halfopens_max, timewaits_max;
	uint64_t tcp_buffer_bytes; /* charged to tcp_mem */
	uint64_t tcp_buffer_limit;
	uint64_t udp_buffer_bytes;
	uint64_t memory_bytes, memory_peak_bytes; /* all engine memory */
	bool pressure;
};

#ifdef __cplusplus
}
#endif

#endif
