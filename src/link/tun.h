/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/tun.h: a TUN device, IP frames to and from the kernel of this host or namespace.
 *
 * The device is made by opening it and goes with closing it, whatever way the process ends; only a
 * persistent one that an administrator made before (ip tuntap add) stays. netdev.h sets it up.
 */
#ifndef TERN_LINK_TUN_H
#define TERN_LINK_TUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "link/link.h"

struct tern_tun_config {
	const char *name; /* 1 … 15 bytes, or NULL: the kernel finds a free tern0, tern1, … */
	uint32_t mtu;     /* that netdev will set; 0: 1500 */
	bool plain;       /* without offloads: one frame is one segment, every checksum full */
};

/*
 * Opens the device. Returns 0 and the link, or a negative errno and in *ret_stage the step that
 * failed, a constant string; tern_tun_explain knows what it means:
 *
 *	-EINVAL       "name": not a name for a device; or mtu below 68 or above 65535: "mtu"
 *	-ENOENT, -ENODEV, -ENXIO, -EACCES, -EPERM  "open /dev/net/tun": no TUN here, or not for us
 *	-EPERM        "TUNSETIFF": no right to make a device, or not the owner of the one there is
 *	-EBUSY        "TUNSETIFF": another program has the device
 *	-EEXIST       "TUNSETIFF": a device of that name exists and is no TUN device
 *	-ENOMEM       "memory"
 */
TERN_NODISCARD int tern_tun_open(const struct tern_tun_config *cfg, struct tern_link **ret_link,
				 const char **ret_stage);

/* The device's name, valid until the link is closed; NULL of a link that is no TUN device. */
const char *tern_tun_name(const struct tern_link *link);

/*
 * Cause and cure of an error of tern_tun_open or of tern_netdev_* in one line without the name and
 * without a newline; NULL where strerror() says all there is to say. A constant string.
 */
const char *tern_tun_explain(const char *stage, int err);

#endif
