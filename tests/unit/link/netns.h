/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns.h: a network namespace for each case, gone with the process. Where there is no right to
 * make one, or no TUN device, the cases that need it skip and say why.
 */
#ifndef TERN_TESTS_UNIT_LINK_NETNS_H
#define TERN_TESTS_UNIT_LINK_NETNS_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "link/netdev.h"
#include "link/tun.h"

/* Moves the process into a new namespace. False: `why` says why not. */
static inline bool netns_enter(const char **why)
{
	if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
		return true;
	*why = strerror(errno);
	return false;
}

/* A device in a new namespace, or the case is skipped. */
static inline struct tern_link *netns_tun(const struct tern_tun_config *cfg)
{
	struct tern_link *link = NULL;
	const char *stage, *why;
	int err;

	if (!netns_enter(&why)) {
		printf("SKIP: no right to make a network namespace (%s); run as root\n", why);
		skip();
	}
	err = tern_tun_open(cfg, &link, &stage);
	if (err < 0 && !strcmp(stage, "open /dev/net/tun")) {
		printf("SKIP: %s: %s\n", stage, strerror(-err));
		skip();
	}
	assert_int_equal(err, 0);
	return link;
}

#endif
