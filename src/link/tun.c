/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/tun.c: the TUN device.
 *
 * IFF_NO_PI and IFF_VNET_HDR: each read and each write is one IP frame behind a virtio_net_hdr of
 * 10 bytes (host byte order, as the kernel's legacy default has it). That header is what makes bulk
 * transfer cheap: frames of up to 64 KB go both ways whole, with the checksum left to whoever cuts
 * them. Read: NEEDS_CSUM is a partial checksum from this host's own kernel and is trusted;
 * DATA_VALID is one that somebody verified. Write: csum_start, csum_offset, gso_size and hdr_len
 * as the stack gave them. Where the kernel refuses the offloads, caps say so and every frame is a
 * segment.
 *
 * Receive reads until there is no more, n frames are there, or 256 KB: beyond that the first frames
 * would have left the cache before anyone looks at them. Buffers are touched as they are needed.
 *
 * A TUN write queues nothing: the kernel's receive path runs inside it. What it refuses is lost as
 * on a wire and counted: EIO is a device that is down, EINVAL a frame it does not like, ENOBUFS and
 * ENOMEM a shortage. EBADFD is a device that somebody deleted, and final.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "link/tun.h"

enum {
	TUN_BURST = 32,
	TUN_BURST_BYTES = 256 << 10,
	TUN_FRAME_MAX = 65575, /* an IPv6 header, and a payload length of 65535 */
	TUN_BUFFER = 66 << 10, /* stride of the buffers */
	TUN_BUFFER_AT = 64,    /* where the frame begins: the header stands before it */
	TUN_OUT_FRAME_MAX = 65535,
};

struct tun {
	struct tern_link link;
	int fd;
	uint8_t *buffers; /* TUN_BURST of them */
	char name[IFNAMSIZ];
};

/* What a read gave. False for what no stack can use: it is counted and left. */
static bool to_frame(const uint8_t *buffer, size_t len, struct tern_frame *ret)
{
	struct virtio_net_hdr hdr;

	if (len <= sizeof(hdr) || len > sizeof(hdr) + TUN_FRAME_MAX)
		return false;
	memcpy(&hdr, buffer, sizeof(hdr));
	*ret = (struct tern_frame){ .data = buffer + sizeof(hdr),
				    .len = (uint32_t)(len - sizeof(hdr)) };
	if (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		ret->csum = TERN_CSUM_PARTIAL;
	else if (hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID)
		ret->csum = TERN_CSUM_GOOD;
	else
		ret->csum = TERN_CSUM_FULL;
	switch (hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		ret->gso_size = hdr.gso_size;
		return true;
	default:
		return false; /* UDP offload is never asked for */
	}
}

static int tun_receive(struct tern_link *link, uint64_t now, struct tern_frame *frames,
		       unsigned int n)
{
	struct tun *tun = (struct tun *)link;
	size_t bytes = 0;
	unsigned int got = 0;

	(void)now;
	n = TERN_MIN(n, (unsigned int)TUN_BURST);
	while (got < n && bytes < TUN_BURST_BYTES) {
		uint8_t *buffer = tun->buffers + (size_t)got * TUN_BUFFER + TUN_BUFFER_AT -
				  sizeof(struct virtio_net_hdr);
		ssize_t len = read(tun->fd, buffer, TUN_BUFFER - TUN_BUFFER_AT);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			break;
		if (len < 0)
			return got ? (int)got : -ENODEV;
		bytes += (size_t)len;
		if (!to_frame(buffer, (size_t)len, &frames[got])) {
			link->counts.drops_in++;
			continue;
		}
		link->counts.bytes_in += frames[got].len;
		got++;
	}
	link->counts.frames_in += got;
	return (int)got;
}

static struct virtio_net_hdr to_header(const struct tern_out *out)
{
	struct virtio_net_hdr hdr = { 0 };

	if (out->csum == TERN_CSUM_PARTIAL) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = out->csum_start;
		hdr.csum_offset = out->csum_offset;
	}
	if (out->gso_size) {
		hdr.gso_type = out->family == TERN_INET6 ? VIRTIO_NET_HDR_GSO_TCPV6
							 : VIRTIO_NET_HDR_GSO_TCPV4;
		hdr.gso_size = (uint16_t)out->gso_size;
		hdr.hdr_len = out->header_len;
	}
	return hdr;
}

/* 0: gone or lost, and counted. -EAGAIN, -ENODEV. */
static int send_one(struct tun *tun, const struct tern_out *out)
{
	struct virtio_net_hdr hdr = to_header(out);
	struct iovec iov[1 + TERN_OUT_PIECES];
	struct tern_link_counts *counts = &tun->link.counts;
	unsigned int i;
	ssize_t len;

	if (out->pieces > TERN_OUT_PIECES) {
		counts->drops_out++;
		return 0;
	}
	iov[0] = (struct iovec){ .iov_base = &hdr, .iov_len = sizeof(hdr) };
	for (i = 0; i < out->pieces; i++)
		iov[i + 1] = (struct iovec){ .iov_base = (void *)(uintptr_t)out->piece[i].ptr,
					     .iov_len = out->piece[i].len };
	do {
		len = writev(tun->fd, iov, (int)out->pieces + 1);
	} while (len < 0 && errno == EINTR);
	if (len >= 0) {
		counts->frames_out++;
		counts->bytes_out += out->len;
		return 0;
	}
	if (errno == EAGAIN)
		return -EAGAIN;
	if (errno == EBADFD || errno == ENODEV)
		return -ENODEV;
	counts->drops_out++;
	return 0;
}

static int tun_send(struct tern_link *link, uint64_t now, const struct tern_out *outs,
		    unsigned int n)
{
	struct tun *tun = (struct tun *)link;
	unsigned int i;

	(void)now;
	for (i = 0; i < n; i++) {
		int err = send_one(tun, &outs[i]);

		if (err < 0)
			return i ? (int)i : err;
	}
	return (int)n;
}

static int tun_offload(struct tern_link *link, bool on)
{
	struct tun *tun = (struct tun *)link;
	unsigned long flags = on ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;

	if (ioctl(tun->fd, TUNSETOFFLOAD, flags) < 0)
		return -EOPNOTSUPP;
	link->caps.csum_offload = on;
	link->caps.gso_max = on ? TUN_OUT_FRAME_MAX : 0;
	return 0;
}

static int tun_fd(const struct tern_link *link)
{
	return ((const struct tun *)link)->fd;
}

static uint64_t tun_deadline(const struct tern_link *link)
{
	(void)link;
	return TERN_NEVER;
}

static void tun_close(struct tern_link *link)
{
	struct tun *tun = (struct tun *)link;

	if (tun->fd >= 0)
		(void)close(tun->fd);
	free(tun->buffers);
	free(tun);
}

static const struct tern_link_ops tun_ops = {
	.kind = "tun",
	.receive = tun_receive,
	.send = tun_send,
	.offload = tun_offload,
	.fd = tun_fd,
	.deadline = tun_deadline,
	.close = tun_close,
};

/* As the kernel judges names, but a pattern with % is no name here. */
static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strcspn(name, "/:% \t\n\v\f\r") == len;
}

/* Makes the device and learns its name. 0 or a negative errno as tern_tun_open describes it. */
static int attach(struct tun *tun, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };

	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (ioctl(tun->fd, TUNSETIFF, &ifr) < 0) {
		int err = errno;

		return err == EINVAL && if_nametoindex(name) ? -EEXIST : -err;
	}
	memcpy(tun->name, ifr.ifr_name, IFNAMSIZ);
	tun->name[IFNAMSIZ - 1] = '\0';
	return 0;
}

/* The steps in order; what was begun is undone by tun_close. */
static int set_up(struct tun *tun, const struct tern_tun_config *cfg, const char **ret_stage)
{
	int header = (int)sizeof(struct virtio_net_hdr);
	int err;

	*ret_stage = "memory";
	tun->buffers = malloc((size_t)TUN_BURST * TUN_BUFFER);
	if (!tun->buffers)
		return -ENOMEM;
	*ret_stage = "open /dev/net/tun";
	tun->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun->fd < 0)
		return -errno;
	*ret_stage = "TUNSETIFF";
	err = attach(tun, cfg->name ? cfg->name : "tern%d");
	if (err < 0)
		return err;
	*ret_stage = "TUNSETVNETHDRSZ";
	if (ioctl(tun->fd, TUNSETVNETHDRSZ, &header) < 0)
		return -errno;
	/* A persistent device may have offloads on from its last user. */
	*ret_stage = "TUNSETOFFLOAD";
	if (cfg->plain || tern_link_offload(&tun->link, true) < 0)
		return tern_link_offload(&tun->link, false);
	return 0;
}

int tern_tun_open(const struct tern_tun_config *cfg, struct tern_link **ret_link,
		  const char **ret_stage)
{
	uint32_t mtu = cfg->mtu ? cfg->mtu : 1500;
	struct tun *tun;
	int err;

	*ret_stage = "name";
	if (cfg->name && !name_is_valid(cfg->name))
		return -EINVAL;
	*ret_stage = "mtu";
	if (mtu < 68 || mtu > 65535)
		return -EINVAL;
	*ret_stage = "memory";
	tun = calloc(1, sizeof(*tun));
	if (!tun)
		return -ENOMEM;
	tun->link.ops = &tun_ops;
	tun->link.caps.mtu = mtu;
	tun->fd = -1;
	err = set_up(tun, cfg, ret_stage);
	if (err < 0) {
		tun_close(&tun->link);
		return err;
	}
	*ret_link = &tun->link;
	return 0;
}

const char *tern_tun_name(const struct tern_link *link)
{
	return link->ops == &tun_ops ? ((const struct tun *)link)->name : NULL;
}

struct explanation {
	const char *stage;
	int err;
	const char *text;
};

static const struct explanation explanations[] = {
	{ "name", EINVAL,
	  "a device name has 1 to 15 characters, without blanks, '/', ':' and '%'" },
	{ "mtu", EINVAL, "the MTU of a TUN device is 68 to 65535" },
	{ "open /dev/net/tun", ENOENT,
	  "this system has no /dev/net/tun: modprobe tun, or give the container the device" },
	{ "open /dev/net/tun", ENODEV, "the kernel has no TUN driver: modprobe tun" },
	{ "open /dev/net/tun", ENXIO, "the kernel has no TUN driver: modprobe tun" },
	{ "open /dev/net/tun", EACCES, "no right to open it: run as root, or chmod 0666 it" },
	{ "open /dev/net/tun", EPERM, "the container forbids the device: allow it (c 10:200 rwm)" },
	{ "TUNSETIFF", EPERM,
	  "making a device needs CAP_NET_ADMIN: run as root, or let root make it for this user "
	  "(ip tuntap add mode tun user USER name NAME)" },
	{ "TUNSETIFF", EBUSY, "another program has this device: take another name" },
	{ "TUNSETIFF", EEXIST, "a device of this name exists and is no TUN device: take another" },
	{ "TUNSETIFF", EINVAL, "a TUN device of this name exists and is of another mode" },
	{ "set MTU", EPERM, "setting a device up needs CAP_NET_ADMIN: run as root" },
	{ "set up", EPERM, "setting a device up needs CAP_NET_ADMIN: run as root" },
	{ "add address", EPERM, "giving a device an address needs CAP_NET_ADMIN: run as root" },
	{ "add address", EINVAL,
	  "no device can have this address (IPv6 needs an MTU of 1280 or more)" },
	{ "add address", EACCES,
	  "IPv6 is switched off here: sysctl net.ipv6.conf.all.disable_ipv6" },
	{ "add address", EAFNOSUPPORT, "this kernel has no IPv6" },
	{ "add address", EOPNOTSUPP, "this kernel has no IPv6" },
};

const char *tern_tun_explain(const char *stage, int err)
{
	size_t i;

	for (i = 0; i < TERN_ARRAY_SIZE(explanations); i++)
		if (explanations[i].err == (err < 0 ? -err : err) &&
		    !strcmp(explanations[i].stage, stage))
			return explanations[i].text;
	return NULL;
}
