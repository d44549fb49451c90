/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/conn.h: the record of a connection, and the room's own state that all connections share.
 *
 * A connection is two records. struct tern_conn is all that survives idleness; struct tern_traffic
 * is there only while something is queued, in flight or owed. Each is made of parts that belong to
 * one file of the room; functions take their part where they can.
 *
 * Half-open connections (room syn) and TIME-WAIT (room timewait) are records of their own.
 */
#ifndef TERN_TCP_CONN_H
#define TERN_TCP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/seq.h"
#include "cc/cc.h"
#include "tcp/buf.h"
#include "tcp/doubt.h"
#include "tcp/fastopen.h"
#include "tcp/flight.h"
#include "tcp/isn.h"
#include "tcp/negotiate.h"
#include "tcp/port.h"
#include "tcp/reply.h"
#include "tern/trace.h"
#include "timer/wheel.h"
#include "trace/ring.h"
#include "trace/state.h"
#include "trace/sysctl.h"

/* What we sent (RFC 9293 §3.3.1). SND.NXT never goes back: what is lost is marked in the flight. */
struct tern_snd {
	tern_seq una, nxt, iss;
	tern_seq wl1, wl2; /* segment that last updated wnd */
	uint32_t wnd;      /* the peer's window, bytes, scaled */
	uint32_t max_wnd;  /* largest it ever was (RFC 5961 §5.2, SWS avoidance) */
};

/* What we received. */
struct tern_rcv {
	tern_seq nxt, irs;
	tern_seq adv;   /* right edge of the window as advertised (SHLD-14: see tcp/window.c) */
	tern_seq acked; /* RCV.NXT in the last segment sent: Last.ACK.sent of RFC 7323 */
	uint32_t buf;   /* receive buffer, bytes at true size; half of it is window */
};

/* By what the receive buffer is tuned: where the application was reading a round trip ago. */
struct tern_tune {
	tern_seq read;
	uint32_t ms; /* when; 0: not begun */
};

/* What a socket has before it is connected, or while it listens. */
struct tern_passive {
	uint32_t fastopen;    /* struct tern_fastopen_queue, 0: none */
	uint8_t defer_accept; /* TCP_DEFER_ACCEPT, in SYN-ACKs; in SYN-SENT, too */
};

/* RFC 7323 timestamps. Values count milliseconds, plus a keyed offset. */
struct tern_ts {
	uint32_t recent;    /* TS.Recent */
	uint32_t recent_ms; /* when it was taken */
	uint32_t offset;    /* TSval = clock + offset */
};

/* RFC 6298; srtt is scaled by 8, rttvar by 4. */
struct tern_rtt {
	uint32_t srtt8_us, rttvar4_us;
	uint32_t rto_us; /* without backoff */
	uint32_t min_us;
};

/* Keepalive and patience, as set by options; 0 means the knob. */
struct tern_patience {
	uint32_t user_timeout_ms; /* RFC 5482 */
	uint16_t keep_idle_s, keep_intvl_s;
	uint8_t keep_cnt;
	uint8_t syn_retries;
	uint8_t keep_probes; /* probes sent and not answered */
	uint8_t retries;     /* timeouts in a row */
	uint32_t probe_ms;   /* when the last keepalive probe was due */
};

/* TCP_INFO totals. Those of bytes have 48 bits, the upper ones in *_high. */
struct tern_totals {
	uint32_t bytes_sent, bytes_retrans, bytes_acked;
	uint16_t sent_high, retrans_high, acked_high;
	uint16_t received_high; /* the lower bits are RCV.NXT's, see tern_conn_received() */
	uint32_t busy_ms[3];    /* by enum tern_busy, less one */
	uint32_t segs_out, segs_in, data_segs_out, data_segs_in;
	uint32_t retrans;    /* segments */
	uint32_t delivered;  /* segments, the SYN too; DSACKed ones twice */
	uint32_t dsack_dups; /* segments that D-SACK called duplicate */
	uint16_t reordering; /* dupthresh as learnt, in segments; 0: the knob */
	uint8_t reord_seen;  /* times that reordering was seen, saturating */
	uint8_t congestion;  /* and here for want of another byte: see tern_conn_cc() */
};

/* What a send queue with something in it waits for; the more interesting overrides. */
enum tern_busy {
	TERN_BUSY_NOT,
	TERN_BUSY_SENDING, /* for the network */
	TERN_BUSY_WINDOW,  /* for room in the peer's window */
	TERN_BUSY_BUFFER,  /* for a writer whom only the size of the send buffer stops */
};

enum { TERN_CF_REUSE_SHIFT = 16 }; /* where enum tern_reuse stands among the flags */

enum tern_conn_flag {
	TERN_CF_OWNED = 1 << 0,      /* an application holds the id */
	TERN_CF_PASSIVE = 1 << 1,    /* came from a listener (MUST-11) */
	TERN_CF_HASHED = 1 << 2,     /* in the flow map */
	TERN_CF_BOUND = 1 << 3,      /* holds its local port by bind() */
	TERN_CF_FIN_QUEUED = 1 << 4, /* our FIN follows the queued data */
	TERN_CF_FIN_SENT = 1 << 5,   /* … and has a sequence number below SND.NXT */
	TERN_CF_FIN_RCVD = 1 << 6,   /* the peer's FIN is in order: EOF after what is queued */
	TERN_CF_RD_SHUT = 1 << 7,    /* shutdown(SHUT_RD) */
	TERN_CF_NODELAY = 1 << 8,
	TERN_CF_CORK = 1 << 9,
	TERN_CF_OOBINLINE = 1 << 10, /* urgent bytes stay in the stream */
	TERN_CF_KEEPALIVE = 1 << 11,
	TERN_CF_SNDBUF_LOCK = 1 << 12, /* set by option: does not grow */
	TERN_CF_RCVBUF_LOCK = 1 << 13,
	TERN_CF_NOSPACE = 1 << 14, /* a send fell short: tell when there is room */
	TERN_CF_V6ONLY = 1 << 15,
	TERN_CF_REUSEADDR = TERN_REUSE_ADDR << TERN_CF_REUSE_SHIFT,
	TERN_CF_REUSEPORT = TERN_REUSE_PORT << TERN_CF_REUSE_SHIFT,
	TERN_CF_OUT = 1 << 29,         /* on the output list */
	TERN_CF_EVENT = 1 << 18,       /* on the event list */
	TERN_CF_ACK_NOW = 1 << 19,     /* an ACK is owed at once */
	TERN_CF_PROBE = 1 << 20,       /* a window or keepalive probe is owed */
	TERN_CF_DEAD = 1 << 21,        /* CLOSED after having been open: cannot be used again */
	TERN_CF_CONNECTED = 1 << 22,   /* was ESTABLISHED once */
	TERN_CF_MORE = 1 << 23,        /* last send said more follows */
	TERN_CF_IN_ACCEPTQ = 1 << 24,  /* waits in a listener's accept queue */
	TERN_CF_ORPHAN = 1 << 25,      /* counted among the orphans */
	TERN_CF_ZERO_WINDOW = 1 << 27, /* our last advertised window was 0 */
	TERN_CF_NOMEM = 1 << 28,       /* data was refused: the next ACK closes the window */
	TERN_CF_RST_OWED = 1 << 30,    /* dead, but for a RST that still has to leave */
	TERN_CF_PINGPONG = 1 << 26,    /* we answer what comes: ACKs may ride on the answers */
};

/* A child that was born by a SYN and whose handshake is not complete: see tcp/fastopen.h. */
#define TERN_CF_EARLY (UINT32_C(1) << 31)

/* What is rare, and changes every segment while it lasts. */
enum tern_conn_mark {
	TERN_MARK_URGENT = 1,    /* we announce urgent data: traffic's send.urgent */
	TERN_MARK_ECE = 2,       /* congestion was met: echoed until the peer's CWR */
	TERN_MARK_CWR = 4,       /* our next new data says that we have slowed down */
	TERN_MARK_ECT_SEEN = 16, /* the peer's data said ECT or CE */
	TERN_MARK_OOB = 32,      /* the peer announced urgent data: traffic's recv.mark */
	/* ECN was asked for or agreed on: flags and TOS have to be read. */
	TERN_MARK_ECN = TERN_OPT_ECN,
};

struct tern_conn {
	uint32_t gen; /* the pool's */
	uint32_t flags;
	struct tern_timer timer;
	struct tern_list_link out;   /* tern_tcp.out, while TERN_CF_OUT */
	struct tern_list_link event; /* tern_tcp.events, while TERN_CF_EVENT */
	union {
		struct tern_list_link
			queue;         /* the listener's accept queue, while TERN_CF_IN_ACCEPTQ */
		struct tern_tune tune; /* afterwards, when somebody reads */
		struct tern_passive passive; /* before, see tern_conn_is_passive() */
	};
	uint8_t marks;      /* enum tern_conn_mark */
	uint8_t quick_acks; /* data segments still to be acknowledged at once */
	int8_t linger2_s;   /* TCP_LINGER2: 0 the knob, -1 no FIN-WAIT-2 */
	uint8_t fastopen;   /* enum tern_fastopen_bit */
	uint64_t user;
	uint32_t listener; /* whose child it is, until accepted */
	uint32_t traffic;  /* struct tern_traffic, 0 while idle */
	uint16_t lport, rport;
	uint8_t family; /* of the flow in addrs; 0: none yet, or the IPv6 wildcard at lport */
	uint8_t state;
	uint8_t ttl, tos; /* ttl 0: the knob */
	struct tern_snd snd;
	struct tern_rcv rcv;
	struct tern_ts ts;
	struct tern_rtt rtt;
	struct tern_cc cc;
	uint32_t snd_buf; /* send buffer, bytes as charged: see tcp/sndbuf.h */
	uint16_t peer_mss, pmtu;
	uint16_t max_seg;          /* TCP_MAXSEG, 0: none */
	uint16_t linger_s;         /* + 1; 0: off */
	uint16_t notsent_lowat;    /* TCP_NOTSENT_LOWAT, see tern_conn_lowat(); 0: the knob */
	uint8_t events;            /* level bits not yet reported */
	uint8_t options;           /* agreed on: enum tern_tcp_option bits below 256 */
	uint8_t error, soft_error; /* errno values */
	uint8_t open_family;       /* as opened: TERN_INET or TERN_INET6 */
	uint8_t drops;             /* segments refused for lack of room, saturating */
	struct tern_patience patience;
	uint32_t state_ms;       /* when the state was entered */
	uint32_t rcv_ms, snd_ms; /* last segment in, last data out */
	uint8_t snd_wscale, rcv_wscale;
	uint16_t oow_ms; /* last answer to an invalid segment, see tcp/oow.h */
	struct tern_totals totals;
	uint8_t addrs[]; /* packed flow: 8 bytes, 32 where the stack speaks IPv6 */
};

/* The states of congestion control, with Linux' names and numbers (tcpi_ca_state). */
enum tern_ca_state {
	TERN_CA_OPEN,     /* all is well */
	TERN_CA_DISORDER, /* duplicate ACKs or SACKs; nothing is known to be lost */
	TERN_CA_CWR,      /* the window is being reduced: congestion without a loss */
	TERN_CA_RECOVERY, /* fast recovery */
	TERN_CA_LOSS,     /* after a timeout */
};

/* The send buffer's chain holds [SND.UNA, SND.UNA + bytes). */
struct tern_send_queue {
	struct tern_chain chain;
	uint32_t bytes;
	uint32_t at_nxt,
		at_rtx; /* buffers at SND.NXT and of the last repair; 0: look from the head */
	tern_seq small; /* end of the last segment below full size (Minshall) */
	bool small_out; /* … and whether it was sent at all */
	bool hurry;     /* TCP_NODELAY was set: what was queued by then waits for nothing */
	bool records;   /* some end of a record (MSG_EOR) is in the chain */
	tern_seq push;  /* end of the last send that did not say more follows: PSH */
	uint32_t busy_since_ms;
	uint8_t busy;    /* enum tern_busy, since then */
	tern_seq urgent; /* behind the last urgent byte, with TERN_MARK_URGENT */
};

/* Loss detection by time: RFC 8985. The segment sent last of those that arrived is the measure. */
struct tern_rack {
	uint64_t sent_ns;     /* when it left */
	tern_seq end;         /* its end */
	tern_seq again_end;   /* the end of the last retransmission that arrived */
	uint32_t rtt_us;      /* its round trip */
	uint32_t rounds_from; /* `delivered` when the window last grew */
	uint8_t steps;        /* the reordering window, less one, in quarters of the least RTT */
	uint8_t persist;      /* recoveries until it is forgotten */
	bool advanced;        /* something arrived since losses were last looked for */
	bool dsack_seen;      /* the window is to grow */
};

struct tern_repairs {
	tern_seq high;       /* SND.NXT when the state was entered: recovery ends there */
	tern_seq undo_una;   /* SND.UNA when the window was reduced, while `undo` */
	int32_t undo_again;  /* retransmissions that D-SACK has not called needless; -1: none yet */
	uint32_t prior_cwnd; /* segments, before the reduction */
	uint32_t prior_ssthresh;         /* bytes; 0: not to be undone */
	uint32_t prr_delivered, prr_out; /* segments since the reduction began (RFC 6937) */
	uint32_t again_ts;               /* TSval of the first retransmission, while `again` */
	tern_seq probe_end;              /* SND.NXT when a loss probe left, while `probing` */
	tern_seq usage_end; /* window in which `packets_max` and `window_full` were seen */
	uint32_t packets_max;
	struct tern_rack rack;
	uint8_t state;    /* enum tern_ca_state */
	uint8_t backoff;  /* the RTO is doubled as often: until a round trip is measured */
	bool undo;        /* the reduction may still prove wrong */
	bool again;       /* something was retransmitted in this recovery */
	bool frto;        /* is the timeout spurious? (RFC 5682) */
	bool new_first;   /* F-RTO: new data before what is lost */
	bool hold;        /* nothing is sent again: what is missing is late, not lost */
	bool probing;     /* a loss probe is out that nothing has answered yet */
	bool probe_again; /* … and it was a retransmission */
	bool reneged;     /* the peer threw away what it had SACKed */
	bool probe_due;   /* … or is to leave */
	bool window_full; /* cwnd was the limit */
	bool growing;     /* the traffic's cubic is this connection's */
};

/* What is known of the urgent byte; values above those of a byte. */
enum tern_oob {
	TERN_OOB_VALID = 0x100,  /* it is here: the low eight bits */
	TERN_OOB_NOTYET = 0x200, /* announced */
	TERN_OOB_READ = 0x400,   /* the application has taken it */
};

/* The receive buffer's chain holds [read, RCV.NXT); what came early is in reass. */
struct tern_recv_queue {
	struct tern_chain chain;
	tern_seq read; /* next byte for the application */
	uint32_t bytes;
	uint32_t early_bytes;
	uint32_t reass;                   /* struct tern_reass, 0: nothing out of order */
	tern_seq twice_left, twice_right; /* what the next ACK reports by D-SACK, if not empty */
	tern_seq mark;                    /* the urgent byte, with TERN_MARK_OOB */
	uint16_t oob;                     /* enum tern_oob, and the byte */
};

/* What the window is computed from while bytes are kept or were: see tcp/window.c. */
struct tern_credit {
	uint32_t cost;  /* charged for the bytes that are kept */
	uint32_t limit; /* the window grows to it (Linux: rcv_ssthresh); 0: nothing came yet */
	tern_seq max;   /* largest right edge that was shown, while `less` */
	uint16_t mss;   /* size of the peer's segments, as far as seen (Linux: rcv_mss) */
	uint8_t ratio;  /* bytes that 256 bytes of cost hold */
	bool less;      /* some of the window was taken back: rcv.adv is left of max */
};

/* Fast Open while a handshake lasts. */
struct tern_early {
	uint32_t queue;    /* struct tern_fastopen_queue of an early child's listener */
	uint16_t syn_data; /* bytes that went with our SYN */
	uint16_t syn;      /* enum tern_fastopen_syn */
};

/* Which of the timers that share a deadline is on. */
enum tern_due {
	TERN_DUE_RTO,
	TERN_DUE_PERSIST,
	TERN_DUE_LOSS_PROBE, /* the RTO comes after it */
	TERN_DUE_REORDER,    /* late segments count as lost then (RFC 8985 §6.3) */
};

/* A new field is a new line of clear_traffic() in conn.c, but between credit and `end`. */
struct tern_traffic {
	struct tern_send_queue send;
	struct tern_flight flight;
	struct tern_repairs repair;
	struct tern_cubic cubic;
	struct tern_recv_queue recv;
	uint64_t rexmt_ns;  /* retransmission or persist deadline, TERN_NEVER: none */
	uint64_t delack_ns; /* delayed ACK deadline */
	/* What begins as 0. */
	struct tern_credit credit;
	uint64_t first_ns;   /* when the oldest unanswered segment first left: R2 by user timeout */
	uint32_t unacked;    /* bytes received since the last ACK */
	uint32_t rmem, wmem; /* charged, true size */
	struct tern_early early; /* begins as TERN_FASTOPEN_PLAIN */
	uint8_t due;             /* what rexmt_ns is: enum tern_due */
	bool challenge;          /* tern_fin_again: the ACK that is owed is a challenge */
	uint8_t dup_acks;        /* duplicate ACKs owed, one for each segment that came early */
	uint8_t end;
};

/* Room that an application writes bytes into; one connection at a time has some. */
struct tern_lent {
	struct tern_chain
		fresh; /* new buffers; what stands before them is in the send queue's last */
	uint32_t conn, len, tail_room;
	tern_seq seq; /* of the first byte */
};

/* What all connections of a stack share. */
struct tern_tcp {
	struct tern_mem *mem;
	struct tern_trace *trace;
	const struct tern_knobs *knobs;
	struct tern_rng *rng;
	struct tern_pool conns, traffics, reass, bursts;
	struct tern_bufs bufs;
	struct tern_lent lent;
	struct tern_map map; /* flows of conns */
	uint64_t map_key[2];
	struct tern_flow last_flow; /* whose hash was asked for last, and its hash */
	uint32_t last_hash;
	uint32_t spare_traffic; /* given back last, in no connection's hands; or 0 */
	uint32_t last_conn;     /* whom the last segment was for; 0: none, or it has left the map */
	struct tern_conn *last_conn_at; /* … and its record */
	struct tern_isn_keys isn;
	struct tern_wheel wheel;
	struct tern_list out;    /* connections that may have something to send */
	struct tern_list events; /* connections with news for the application */
	struct tern_replies replies;
	struct tern_fastopen fastopen;
	struct tern_ports *ports; /* conn_hash claims, conn_unhash releases */
	uint32_t orphans;
	uint32_t gso_max; /* 0: none */
	uint32_t mtu;
	uint64_t now;    /* of this entry; written by tern_tcp_set_now */
	uint32_t now_ms; /* tern_ms(now) */
	struct tern_doubts doubts;
};

static inline struct tern_conn *tern_conn_at(const struct tern_tcp *t, uint32_t idx)
{
	return tern_pool_at(&t->conns, idx);
}

/* How many connections have a traffic record. */
static inline uint32_t tern_tcp_traffics(const struct tern_tcp *t)
{
	return t->traffics.used - (t->spare_traffic != 0);
}

/* The traffic record, or NULL while the connection is idle. */
static inline struct tern_traffic *tern_conn_traffic(const struct tern_tcp *t,
						     const struct tern_conn *c)
{
	return c->traffic ? tern_pool_at(&t->traffics, c->traffic) : NULL;
}

/* Is it a socket that was never connected, so that c->passive is in force? */
static inline bool tern_conn_is_passive(const struct tern_conn *c)
{
	return !c->rport;
}

/* The algorithm of its congestion control. */
static inline const struct tern_cc_ops *tern_conn_cc(const struct tern_conn *c)
{
	return tern_cc_by_number(c->totals.congestion);
}

/* What that keeps while there is traffic; nobody clears it who does not need it. */
static inline struct tern_cubic *tern_traffic_cubic(struct tern_traffic *x)
{
	if (!x->repair.growing) {
		x->repair.growing = true;
		x->cubic = (struct tern_cubic){ .epoch = false };
	}
	return &x->cubic;
}

/* What a bound socket allows others on its port: enum tern_reuse bits. */
static inline unsigned int tern_conn_reuse(const struct tern_conn *c)
{
	return c->flags >> TERN_CF_REUSE_SHIFT & (TERN_REUSE_ADDR | TERN_REUSE_PORT);
}

/* TCP_NOTSENT_LOWAT in bytes, as far as 16 bits tell; otherwise: what it is where it is not set. */
#define TERN_LOWAT_UNIT 64
static inline uint32_t tern_conn_lowat(const struct tern_conn *c, uint32_t otherwise)
{
	if (!c->notsent_lowat)
		return otherwise;
	return c->notsent_lowat == UINT16_MAX ? UINT32_MAX
					      : (uint32_t)c->notsent_lowat * TERN_LOWAT_UNIT;
}

/* The clock of timestamps and ages: milliseconds. */
static inline uint32_t tern_ms(uint64_t now_ns)
{
	return (uint32_t)(now_ns / 1000000);
}

/* The time of an entry into the stack; often that of the entry before. */
static inline void tern_tcp_set_now(struct tern_tcp *t, uint64_t now)
{
	if (t->now == now)
		return;
	t->now = now;
	t->now_ms = tern_ms(now);
}

/*
 * The hash of a flow in all tables of flows: tern_flow_hash(t->map_key, flow). Segments of a flow
 * come in runs, and each may move its record from one table to another: the last one is kept.
 */
static inline uint32_t tern_tcp_hash(struct tern_tcp *t, const struct tern_flow *flow)
{
	if (flow != &t->last_flow && !tern_flow_eq(&t->last_flow, flow)) {
		t->last_flow = *flow;
		t->last_hash = tern_flow_hash(t->map_key, flow);
	}
	return t->last_hash;
}

/* Makes the flow of a record the last one. */
void tern_tcp_flow_anew(struct tern_tcp *t, uint8_t family, uint16_t lport, uint16_t rport,
			const uint8_t *addrs);

/*
 * The flow of a record that keeps it packed. Most often it is the last one: then nothing is copied
 * or hashed. Valid until the hash of another flow is asked for.
 */
static inline const struct tern_flow *tern_tcp_flow(struct tern_tcp *t, uint8_t family,
						    uint16_t lport, uint16_t rport,
						    const uint8_t *addrs)
{
	if (!tern_flow_matches(&t->last_flow, family, lport, rport, addrs))
		tern_tcp_flow_anew(t, family, lport, rport, addrs);
	return &t->last_flow;
}

/* Adds to a total of bytes. */
static inline void tern_total_add(uint32_t *low, uint16_t *high, uint32_t n)
{
	*low += n;
	*high = (uint16_t)(*high + (*low < n));
}

/* Bytes received in order. */
static inline uint64_t tern_conn_received(const struct tern_conn *c)
{
	uint32_t low = c->rcv.nxt - c->rcv.irs;

	if (low)
		low -= c->flags & TERN_CF_FIN_RCVD ? 2 : 1;
	return (uint64_t)c->totals.received_high << 32 | low;
}

/* From now on the send queue waits for something else. */
static inline void tern_busy_set(const struct tern_tcp *t, struct tern_conn *c,
				 struct tern_send_queue *q, enum tern_busy busy)
{
	if (q->busy)
		c->totals.busy_ms[q->busy - 1] += t->now_ms - q->busy_since_ms;
	q->busy = (uint8_t)busy;
	q->busy_since_ms = t->now_ms;
}

/* It waits for this, too, or not any more. */
static inline void tern_busy_begin(const struct tern_tcp *t, struct tern_conn *c,
				   struct tern_send_queue *q, enum tern_busy busy)
{
	if (busy > q->busy)
		tern_busy_set(t, c, q, busy);
}

static inline void tern_busy_end(const struct tern_tcp *t, struct tern_conn *c,
				 struct tern_send_queue *q, enum tern_busy busy)
{
	if (busy == q->busy)
		tern_busy_set(t, c, q, q->bytes ? TERN_BUSY_SENDING : TERN_BUSY_NOT);
}

static inline void tern_conn_flow(const struct tern_conn *c, struct tern_flow *ret)
{
	tern_flow_unpack(c->family, c->lport, c->rport, c->addrs, ret);
}

/*
 * Where it is bound or connected from. A stack without an IPv6 address has IPv6 sockets, too, but
 * no room for such addresses in a record: of the wildcard, the only one that these may be bound to
 * there, the port alone is kept.
 */
static inline struct tern_endpoint tern_conn_local(const struct tern_conn *c)
{
	struct tern_flow flow;

	if (!c->family)
		return (struct tern_endpoint){ tern_addr_any(c->open_family), c->lport };
	tern_conn_flow(c, &flow);
	return (struct tern_endpoint){ flow.local, flow.lport };
}

/*
 * Reserves pools, map, wheel and ring. addrs_len is 8, or 32 for a stack that speaks IPv6;
 * buffers_max is in bytes. mem, trace, knobs, rng, ports, mtu and gso_max are set by the caller
 * before. -ENOMEM; what was reserved is freed.
 */
int tern_tcp_init(struct tern_tcp *t, uint32_t conns_max, uint64_t buffers_max, size_t addrs_len,
		  uint64_t now);
void tern_tcp_free(struct tern_tcp *t);

/* The knob tcp_mem was set. */
void tern_tcp_set_memory(struct tern_tcp *t);

/*
 * A new record with the knobs' defaults, born CLOSED (a socket) or LISTEN (the child of a
 * listener); 0 (counted) when the table or the memory is full.
 */
uint32_t tern_conn_new(struct tern_tcp *t, enum tern_state born);

/*
 * Frees a record and everything it holds: buffers, timer, lists, map entry. One that owes a reset
 * keeps its place on the output list until that has left.
 */
void tern_conn_free_at(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

static inline void tern_conn_free(struct tern_tcp *t, uint32_t idx)
{
	tern_conn_free_at(t, idx, tern_conn_at(t, idx));
}

/* Writes the flow into the record and enters it in the map. -ENOBUFS (map full). */
int tern_conn_hash(struct tern_tcp *t, uint32_t idx, struct tern_conn *c,
		   const struct tern_flow *flow);
void tern_conn_unhash(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/*
 * Takes a record that is in the map out of it, for one that takes its flow over, and with it the
 * claim on the port. Returns the flow, valid as tern_tcp_flow() has it; its hash is t->last_hash.
 */
const struct tern_flow *tern_conn_hand_over(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/* The connection of a flow, or 0. hash is tern_tcp_hash(t, flow). */
TERN_INLINE uint32_t tern_conn_find(const struct tern_tcp *t, uint32_t hash,
				    const struct tern_flow *flow)
{
	struct tern_map_it it = tern_map_find(&t->map, hash);

	for (; it.idx; tern_map_next(&t->map, &it)) {
		const struct tern_conn *c = tern_conn_at(t, it.idx);

		if (tern_flow_matches(flow, c->family, c->lport, c->rport, c->addrs))
			break;
	}
	return it.idx;
}

/* The traffic record, made if there is none; NULL when memory is out (counted). */
struct tern_traffic *tern_conn_need_traffic(struct tern_tcp *t, struct tern_conn *c);

/* Gives the traffic record back if nothing is queued, in flight or owed. */
void tern_conn_rest_traffic(struct tern_tcp *t, struct tern_conn *c);

static inline void tern_conn_rest(struct tern_tcp *t, struct tern_conn *c)
{
	if (c->traffic && !(c->flags & TERN_CF_OUT) && c->snd.una == c->snd.nxt)
		tern_conn_rest_traffic(t, c);
}

/* Puts the connection on the output list, takes it off, takes it off if it is there. */
static inline void tern_conn_want_output(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	if (c->flags & TERN_CF_OUT)
		return;
	c->flags |= TERN_CF_OUT;
	tern_list_append(&t->out, &t->conns, offsetof(struct tern_conn, out), idx, &c->out);
}

static inline void tern_conn_end_output(struct tern_tcp *t, struct tern_conn *c)
{
	c->flags &= ~(uint32_t)TERN_CF_OUT;
	tern_list_unlink(&t->out, &t->conns, offsetof(struct tern_conn, out), &c->out);
}

static inline void tern_conn_leave_output(struct tern_tcp *t, struct tern_conn *c)
{
	if (c->flags & TERN_CF_OUT)
		tern_conn_end_output(t, c);
}

/* Forgets what was to be sent, with the timers; and what was to be read. */
void tern_conn_drop_unsent(struct tern_tcp *t, uint32_t idx);
void tern_conn_drop_unread(struct tern_tcp *t, struct tern_conn *c);

/* Reports level bits (enum tern_event_bit) to the application, if there is one. */
void tern_conn_notify(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, unsigned int bits);

/* Takes a connection with news off the event list: nobody will ask. */
void tern_conn_drop_news(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/* The next connection with news, or 0; *ret_bits is what is new. */
uint32_t tern_conn_next_event(struct tern_tcp *t, unsigned int *ret_bits);

/*
 * The segment size that fits the peer, the path and the option TCP_MAXSEG, options not yet taken
 * off.
 */
uint32_t tern_conn_mss(const struct tern_conn *c);

#endif
