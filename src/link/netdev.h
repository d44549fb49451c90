/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link/netdev.h: setting up the kernel's side of a device, and asking about the host's addresses.
 *
 * A TUN device has two sides: the stack's address (10.77.0.2) is nobody's business but the stack's;
 * the kernel gets an address of its own on the device (10.77.0.1/24), and with it a route to the
 * stack's. Errors name their step as tern_tun_open does, and tern_tun_explain explains them.
 */
#ifndef TERN_LINK_NETDEV_H
#define TERN_LINK_NETDEV_H

#include <stdint.h>

#include "base/compiler.h"
#include "tern/stack.h"

/* Room for the name of a device with its NUL. */
#define TERN_NETDEV_NAME_MAX 16

/*
 * Gives a device its MTU and brings it up, silent: no multicast, and no IPv6 link-local address, so
 * that the kernel sends no router solicitations, reports and probes of its own. What is so already
 * is left alone, and then no right is needed. Returns 0 or
 *
 *	-ENODEV "find device"; -EPERM "set MTU" or "set up"; -EINVAL "set MTU" (not for this device)
 */
TERN_NODISCARD int tern_netdev_up(const char *name, uint32_t mtu, const char **ret_stage);

/*
 * Gives a device an address of the kernel's. With `remote` NULL the whole prefix lies behind the
 * device; else only that address (a point-to-point pair, for an own prefix of /32 or /128). No
 * duplicate address detection. An address that the device has already is success. Waits until the
 * kernel takes packets to it (a moment, with IPv6). Returns 0 or
 *
 *	-ENODEV "find device"; "add address": -EPERM; -EACCES, -EAFNOSUPPORT, -EOPNOTSUPP (IPv6 is
 *	off); -EINVAL (no address of a host, prefix too long, families mixed, IPv6 with an MTU
 *	below 1280); -ETIMEDOUT (not within 1 s)
 */
TERN_NODISCARD int tern_netdev_add_address(const char *name, const struct tern_prefix *local,
					   const struct tern_addr *remote, const char **ret_stage);

/*
 * Does a device of this host (in this network namespace) have the address? 0 and the device's name,
 * -ENOENT if none has, another negative errno if the system does not tell.
 */
TERN_NODISCARD int tern_netdev_find_address(const struct tern_addr *addr,
					    char ret_name[TERN_NETDEV_NAME_MAX]);

/*
 * The kernel's address where the user names none: the first other host address of the stack's own
 * prefix (10.77.0.2/24 gives 10.77.0.1). -EADDRNOTAVAIL: there is none, as in a /32 or /128.
 */
TERN_NODISCARD int tern_netdev_default_peer(const struct tern_prefix *own,
					    struct tern_addr *ret_peer);

#endif
