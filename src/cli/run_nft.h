/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_nft.h: how packets of other hosts reach a stack behind this one: a table of nftables.
 */
#ifndef TERN_CLI_RUN_NFT_H
#define TERN_CLI_RUN_NFT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "tern/stack.h"

enum { TERN_PUBLISH_MAX = 64 };

/* A port of this host that becomes the stack's, for TCP and UDP. */
struct tern_publish {
	struct tern_addr addr; /* of this host; of no family: all of them */
	uint16_t port;
};

struct tern_nft_config {
	const char *name;        /* of the stack: the table is tern_NAME */
	const char *device;      /* the stack's TUN device, which exists */
	struct tern_addr own[2]; /* the stack's IPv4 and IPv6 address; of no family: none */
	const struct tern_publish *publish;
	unsigned int publish_count;
	bool masquerade; /* connections of the stack leave with this host's address */
};

/* The process that takes it all back. */
struct tern_nft {
	pid_t pid; /* 0: none */
	int fd;    /* it waits for the end of this pipe */
};

/* Reads "[ADDR:]PORT", IPv6 as "[2001:db8::1]:80". 0 or -EINVAL. */
TERN_NODISCARD int tern_publish_parse(const char *text, struct tern_publish *ret);

/*
 * Sets up table and forwarding, and leaves a process that removes them when tern_nft_stop() is
 * called or this process ends in whatever way. On error why (TERN_ERROR_MAX bytes) gets one line:
 * -EPERM, -ENOENT (no nft), -EIO (nft refused), what the system says.
 */
TERN_NODISCARD int tern_nft_start(const struct tern_nft_config *cfg, struct tern_nft *ret,
				  char *why);

/* Has everything taken back and waits for that. Once; after none was started it is allowed. */
void tern_nft_stop(struct tern_nft *nft);

#endif
