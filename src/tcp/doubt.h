/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/doubt.h: destinations that IP should think again about (RFC 9293 §3.8.3).
 */
#ifndef TERN_TCP_DOUBT_H
#define TERN_TCP_DOUBT_H

#include <stdbool.h>
#include <stdint.h>

#include "tern/wire.h"

enum { TERN_DOUBTS = 8 };

/* The destinations doubted last; the oldest gives way. */
struct tern_doubts {
	struct {
		struct tern_addr to; /* family 0: nobody */
		uint64_t at;         /* ns */
	} last[TERN_DOUBTS];
	unsigned int next;
};

struct tern_tcp;
struct tern_conn;

/*
 * A timeout of the connection, or of its SYN, was counted. At R1 (tcp_retries1) its destination is
 * doubted and the application is told (TERN_EV_REPORT).
 */
void tern_doubt_timeout(struct tern_tcp *t, uint32_t idx, struct tern_conn *c);

/* Was the destination doubted after a time? */
bool tern_doubted_since(const struct tern_doubts *doubts, const struct tern_addr *to,
			uint64_t since);

#endif
