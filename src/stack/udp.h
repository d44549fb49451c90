/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/udp.h: the record of a datagram socket, for udp.c and udp_option.c; see udp.c for the
 * theory.
 */
#ifndef TERN_STACK_UDP_H
#define TERN_STACK_UDP_H

#include "base/list.h"
#include "stack/internal.h"

enum {
	TERN_UDP_PORT_HEADS = 1024,
};

enum tern_udp_flag {
	TERN_UDP_CONNECTED = 1,
	TERN_UDP_ADDR_CHOSEN = 2, /* the local address was given to bind() */
	TERN_UDP_V6ONLY = 4,
	TERN_UDP_REUSE = 8,
	TERN_UDP_RD_SHUT = 16,
	TERN_UDP_WR_SHUT = 32,
	TERN_UDP_NOSPACE = 64, /* a send fell short */
	TERN_UDP_EVENT = 128,  /* on the event list */
	TERN_UDP_REUSEPORT = 256,
};

/* A datagram received. */
struct tern_dgram {
	struct tern_dgram *next;
	struct tern_endpoint from;
	uint32_t len;
	uint8_t data[];
};

struct tern_udp_socket {
	uint32_t gen;  /* the pool's */
	uint32_t same; /* next in the chain of its port */
	struct tern_list_link event;
	uint64_t user;
	struct tern_flow flow; /* lport 0: in no map yet */
	struct tern_dgram *head, *tail;
	uint32_t rmem, wmem, rcvbuf, sndbuf, drops;
	uint16_t flags;
	uint8_t family; /* as opened */
	uint8_t events; /* level bits not yet reported */
	uint8_t error, soft_error;
	uint8_t ttl, tos; /* ttl 0: the knob */
};

struct tern_udp {
	struct tern_mem *mem;
	struct tern_pool pool;
	struct tern_map map;
	struct tern_list events;
	uint64_t rx_bytes, tx_bytes;
	uint8_t *live; /* which indices are in use */
	uint32_t heads[TERN_UDP_PORT_HEADS];
};

static inline struct tern_udp_socket *tern_udp_at(const struct tern_udp *u, uint32_t idx)
{
	return tern_pool_at(&u->pool, idx);
}

/* The socket of a handle, or NULL. */
static inline struct tern_udp_socket *tern_udp_of(const struct tern_stack *st, tern_id id)
{
	return tern_pool_check(&st->udp->pool, (uint32_t)id, tern_id_gen(id));
}

/* Takes the pending error: 0 or a negative errno. */
static inline int tern_udp_take_error(struct tern_udp_socket *s)
{
	int error = s->error;

	s->error = 0;
	return -error;
}

#endif
