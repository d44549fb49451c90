/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/filter.h: ss' filter language.
 *
 *	FILTER := [ state STATE | exclude STATE ]... [ EXPR ]
 *	EXPR   := EXPR or EXPR | EXPR [and] EXPR | not EXPR | ( EXPR ) | TEST
 *	TEST   := { sport | dport } [OP] [:]PORT | { src | dst } [= | !=] [HOST[/PREFIX]][:PORT]
 *	OP     := = == eq != ne neq < lt > gt <= le leq >= ge geq
 *
 * STATE is any spelling of a state or one of all, connected, synchronized, bucket, big, half-open,
 * closing-family, unaccepted. & && | || ! are taken for their words.
 */
#ifndef TERN_REPORT_FILTER_H
#define TERN_REPORT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "report/service.h"
#include "tern/snapshot.h"
#include "tern/wire.h"

struct tern_text;

#define TERN_FILTER_NODES 64 /* tests and connectives of an expression */

enum tern_filter_op {
	TERN_FILTER_AND,
	TERN_FILTER_OR,
	TERN_FILTER_NOT,
	TERN_FILTER_SPORT,
	TERN_FILTER_DPORT,
	TERN_FILTER_SRC,
	TERN_FILTER_DST,
};

struct tern_filter_node {
	uint8_t op;          /* enum tern_filter_op */
	uint8_t order;       /* ports: which of below (1), equal (2), above (4) hold */
	uint8_t left, right; /* operands: nodes */
	uint8_t plen;        /* SRC, DST: bits of addr, 0 for any address */
	uint16_t port;       /* SRC, DST: 0 for any */
	struct tern_addr addr;
};

struct tern_filter {
	uint32_t states;        /* TERN_STATES() bits */
	uint8_t protos, family; /* TERN_FILTER_* bits; enum tern_family, 0 for any */
	bool unaccepted;        /* only connections in an accept queue */
	uint8_t count, root;    /* of nodes; count 0: no expression, all rows match */
	struct tern_filter_node nodes[TERN_FILTER_NODES];
};

enum {
	TERN_FILTER_TCP = 1,
	TERN_FILTER_UDP = 2,
};

/*
 * Begins a filter as ss' options say it: protos are TERN_FILTER_TCP | TERN_FILTER_UDP; listening
 * (-l) shows only listeners and unconnected sockets, all (-a) everything; neither leaves those,
 * half-open connections and TIME-WAIT out.
 */
void tern_filter_init(struct tern_filter *filter, unsigned int protos, bool all, bool listening);

/*
 * Adds the words of a command line, joined by blanks, to a filter. Returns 0, or -EINVAL, and then
 * error holds what is wrong and what is right, without newline.
 */
int tern_filter_parse(struct tern_filter *filter, const char *text,
		      const struct tern_services *services, struct tern_text *error);

/* Does a row match? */
bool tern_filter_match(const struct tern_filter *filter, const struct tern_socket_info *row);

/* Is it about one state only? Then ss drops the State column. */
bool tern_filter_one_state(const struct tern_filter *filter);

#endif
