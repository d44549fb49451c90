/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/info.c: names of a socket, and Linux' TCP_INFO out of the engine's row.
 *
 * The engine counts congestion window, slow start threshold and data in flight in bytes, Linux in
 * segments. What tern has no notion of (pacing, delivery rate) stays zero.
 */
#include <errno.h>

#include "base/addr.h"
#include "sock/record.h"

/* Bits of tern_socket_info.options, as wire names them; this room does not see wire. */
enum {
	ROW_WSCALE = 2,
	ROW_SACKOK = 4,
	ROW_TS = 8,
	ROW_ECN = 64,
};

enum {
	NO_SSTHRESH = 0x7fffffff,
};

static uint8_t info_options(const struct tern_socket_info *row)
{
	unsigned int bits = 0;

	if (row->options & ROW_TS)
		bits |= TERN_TCPI_TIMESTAMPS;
	if (row->options & ROW_SACKOK)
		bits |= TERN_TCPI_SACK;
	if (row->options & ROW_WSCALE)
		bits |= TERN_TCPI_WSCALE;
	if (row->syn_data)
		bits |= TERN_TCPI_SYN_DATA;
	if (row->fastopen_child)
		bits |= TERN_TCPI_TFO_CHILD;
	if (row->options & ROW_ECN)
		bits |= TERN_TCPI_ECN;
	if (row->ecn_seen)
		bits |= TERN_TCPI_ECN_SEEN;
	return (uint8_t)bits;
}

static void info_listener(const struct tern_socket_info *row, struct tern_tcp_info *ret)
{
	ret->unacked = row->acceptq; /* Linux keeps accept queue and backlog here */
	ret->sacked = row->acceptq_max;
}

static void info_connection(const struct tern_socket_info *row, struct tern_tcp_info *ret)
{
	uint32_t mss = row->mss ? row->mss : 536;

	ret->ca_state = row->ca_state;
	ret->retransmits = row->timer == TERN_TIMER_ON ? row->retrans : 0;
	ret->backoff = row->backoff;
	ret->probes = row->timer == TERN_TIMER_PERSIST ? row->retrans : 0;
	ret->options = info_options(row);
	ret->wscales = (uint8_t)((row->snd_wscale & 15) | (row->rcv_wscale & 15) << 4);
	ret->flags = (uint8_t)(row->fastopen_fail << 1);
	ret->rto = row->rto_us;
	ret->snd_mss = mss;
	ret->rcv_mss = row->rcv_mss;
	ret->unacked = row->packets_out;
	ret->sacked = row->sacked_out;
	ret->lost = row->lost_out;
	ret->retrans = row->retrans_out;
	ret->last_data_sent = row->last_snd_ms;
	ret->last_data_recv = row->last_rcv_ms;
	ret->last_ack_recv = row->last_rcv_ms;
	ret->pmtu = row->pmtu;
	ret->rcv_ssthresh = row->rcv_ssthresh;
	ret->rtt = row->rtt_us;
	ret->rttvar = row->rttvar_us;
	ret->snd_ssthresh = row->ssthresh >= NO_SSTHRESH ? NO_SSTHRESH : row->ssthresh / mss;
	ret->snd_cwnd = row->cwnd / mss;
	ret->advmss = row->advmss;
	ret->reordering = row->reordering;
	ret->reord_seen = row->reord_seen;
	ret->dsack_dups = row->dsack_dups;
	ret->delivered = row->delivered;
	ret->rcv_space = row->rcv_ssthresh;
	ret->total_retrans = row->total_retrans;
	ret->max_pacing_rate = UINT64_MAX;
	ret->bytes_acked = row->bytes_acked;
	ret->bytes_received = row->bytes_received;
	ret->segs_out = row->segs_out;
	ret->segs_in = row->segs_in;
	ret->notsent_bytes = row->send_q > row->unacked ? row->send_q - row->unacked : 0;
	ret->min_rtt = row->min_rtt_us;
	ret->data_segs_in = row->data_segs_in;
	ret->data_segs_out = row->data_segs_out;
	ret->bytes_sent = row->bytes_sent;
	ret->bytes_retrans = row->bytes_retrans;
	ret->snd_wnd = row->snd_wnd;
	ret->busy_time = row->busy_ms * UINT64_C(1000);
	ret->rwnd_limited = row->window_limited_ms * UINT64_C(1000);
	ret->sndbuf_limited = row->buffer_limited_ms * UINT64_C(1000);
	ret->rcv_wnd = row->rcv_wnd;
}

int tern_sock_tcp_info(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
		       struct tern_tcp_info *ret_info)
{
	struct tern_socket_info row;
	int err = tern_stack_socket(ss->st, now, s->id, &row);

	if (err)
		return err;
	*ret_info = (struct tern_tcp_info){ .state = row.state };
	if (row.has & TERN_INFO_LISTEN)
		info_listener(&row, ret_info);
	else if (row.has & TERN_INFO_TCP)
		info_connection(&row, ret_info);
	return 0;
}

int tern_sock_getsockname(struct tern_socks *ss, int fd, void *addr, uint32_t *len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	struct tern_endpoint ep;

	if (!s)
		return -EBADF;
	if (tern_stack_local(ss->st, s->id, &ep) < 0 || !ep.addr.family)
		ep = (struct tern_endpoint){
			.addr = tern_addr_any(s->domain == TERN_AF_INET ? TERN_INET : TERN_INET6)
		};
	tern_sockaddr_give(s->domain, &ep, addr, len);
	return 0;
}

int tern_sock_getpeername(struct tern_socks *ss, int fd, void *addr, uint32_t *len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	struct tern_endpoint ep;

	if (!s)
		return -EBADF;
	if (tern_sock_is_stream(s) && (s->flags & TERN_SF_CLOSED))
		return -ENOTCONN;
	if (!(s->flags & TERN_SF_ESTABLISHED) || tern_stack_remote(ss->st, s->id, &ep) < 0)
		return -ENOTCONN;
	tern_sockaddr_give(s->domain, &ep, addr, len);
	return 0;
}
