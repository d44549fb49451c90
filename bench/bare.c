/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * The least that a kernel's TCP takes for a peer: one connection, four numbers. It opens no window
 * slowly, keeps no copy, computes no checksum (partial ones both ways, as tern), times nothing
 * but a rewind to the last acknowledged byte after 10 ms of silence or three repeated ACKs. One
 * read or write moves up to 64 KB, and no byte is copied but by the driver. What it reaches is what
 * a stack on this device could reach if it cost nothing.
 */
#include "bare.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "pair.h"
#include "wire/tcp.h"

enum {
	MSS = 1460,
	SUPER = 44 * MSS, /* payload of a super-segment */
	WSCALE = 8,
	WINDOW = 16384, /* 4 MiB */
	READS = 32,     /* frames before it is our turn to send */
};

struct bare {
	int tun;
	bool sends, open;
	uint8_t wscale;    /* the peer's */
	unsigned int same; /* ACKs that acknowledged nothing new */
	tern_seq una, nxt, rcv_nxt;
	uint32_t wnd;
	struct tern_packet pkt; /* header fields of what we send */
	struct tern_segment seg;
};

static uint8_t frame[66 << 10], payload[SUPER];

static void transmit(struct bare *b, tern_seq seq, uint16_t flags, uint32_t len)
{
	struct virtio_net_hdr vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				       .csum_start = TERN_IP4_HEADER,
				       .csum_offset = TERN_TCP_CKSUM_OFFSET };
	uint8_t header[TERN_IP4_HEADER + TERN_TCP_HEADER_MAX], *tcp = header + TERN_IP4_HEADER;
	uint32_t tcp_len;
	struct iovec iov[3];

	b->seg.seq = seq;
	b->seg.ack = b->rcv_nxt;
	b->seg.flags = flags;
	b->seg.wnd = WINDOW;
	b->seg.opt = (struct tern_tcp_options){ .mss = MSS, .wscale = WSCALE };
	if (flags & TERN_SYN)
		b->seg.opt.present = TERN_OPT_MSS | TERN_OPT_WSCALE;
	tcp_len = tern_tcp_emit(tcp, TERN_TCP_HEADER_MAX, &b->seg);
	b->pkt.payload_len = tcp_len + len;
	(void)tern_ip4_emit(header, TERN_IP4_HEADER, &b->pkt);
	tern_tcp_cksum_partial(&b->pkt.src, &b->pkt.dst, tcp, tcp_len, len);
	if (len > MSS) {
		vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		vnet.gso_size = MSS;
		vnet.hdr_len = (uint16_t)(TERN_IP4_HEADER + tcp_len);
	}
	iov[0] = (struct iovec){ &vnet, sizeof(vnet) };
	iov[1] = (struct iovec){ header, TERN_IP4_HEADER + tcp_len };
	iov[2] = (struct iovec){ payload, len };
	(void)writev(b->tun, iov, len ? 3 : 2);
}

static void take_syn(struct bare *b, const struct tern_packet *pkt, const struct tern_segment *seg)
{
	b->pkt = (struct tern_packet){ .src = pkt->dst,
				       .dst = pkt->src,
				       .ttl = 64,
				       .proto = TERN_PROTO_TCP,
				       .df = true };
	b->seg = (struct tern_segment){ .sport = seg->dport, .dport = seg->sport };
	b->wscale = seg->opt.present & TERN_OPT_WSCALE ? seg->opt.wscale : 0;
	b->rcv_nxt = seg->seq + 1;
	b->una = b->nxt = 1;
	b->open = true;
	transmit(b, 0, TERN_SYN | TERN_ACK, 0);
}

static void take(struct bare *b, uint32_t len)
{
	struct tern_packet pkt;
	struct tern_segment seg;

	if (tern_ip_parse(frame + sizeof(struct virtio_net_hdr), len, true, &pkt) ||
	    pkt.proto != TERN_PROTO_TCP || tern_tcp_parse(pkt.payload, pkt.payload_len, &seg))
		return;
	if (seg.flags & TERN_SYN) {
		take_syn(b, &pkt, &seg);
		return;
	}
	if (!b->open)
		return;
	b->wnd = (uint32_t)seg.wnd << b->wscale;
	b->same = seg.ack == b->una && !seg.len ? b->same + 1 : 0;
	if (tern_seq_gt(seg.ack, b->una))
		b->una = seg.ack;
	if (b->same == 3)
		b->nxt = b->una;
	if (!seg.len)
		return;
	if (seg.seq == b->rcv_nxt)
		b->rcv_nxt += seg.len;
	transmit(b, b->nxt, TERN_ACK, 0);
}

/* Takes what waits. False when nothing did. */
static bool receive(struct bare *b)
{
	unsigned int n;

	for (n = 0; n < READS; n++) {
		ssize_t len = read(b->tun, frame, sizeof(frame));

		if (len < 0 && errno == EAGAIN)
			break;
		if (len < (ssize_t)sizeof(struct virtio_net_hdr))
			bench_fail("read of the TUN device", -errno);
		take(b, (uint32_t)len - (uint32_t)sizeof(struct virtio_net_hdr));
	}
	return n > 0;
}

void bare_serve(int tun, int result, bool sends)
{
	struct bare b = { .tun = tun, .sends = sends };
	struct pollfd fds[2] = { { .fd = tun, .events = POLLIN },
				 { .fd = result, .events = POLLIN } };

	memset(payload, 'x', sizeof(payload));
	while (!(fds[1].revents & (POLLIN | POLLHUP))) {
		bool moved = receive(&b);

		for (unsigned int i = 0; i < READS && b.open && b.sends; i++) {
			if (b.nxt + SUPER - b.una > b.wnd)
				break;
			transmit(&b, b.nxt, TERN_ACK | TERN_PSH, SUPER);
			b.nxt += SUPER;
			moved = true;
		}
		if (poll(fds, 2, moved ? 0 : 10) == 0 && !moved && b.open)
			b.nxt = b.una;
	}
}
