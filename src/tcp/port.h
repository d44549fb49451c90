/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp/port.h: the ledger of local ports: which are in use, and by how many records.
 *
 * Everything that holds a flow (connections, TIME-WAIT records) claims and releases it here; the choice of a
 * port (stack/port.c, RFC 6056) reads it. A claim is an increment. Only for a crowded destination, one that
 * the choice found nearly full, a bitmap of its free ports is kept too, so that the choice stays O(1) when 99 %
 * of the range is taken.
 */
#ifndef TERN_TCP_PORT_H
#define TERN_TCP_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/pool.h"

struct tern_ports;

/* A ledger, or NULL when memory is out. Freed by tern_ports_free. */
struct tern_ports *tern_ports_new(struct tern_mem *mem);
void tern_ports_free(struct tern_ports *p);

/* A record of this flow appears and goes. Every claim is released once. */
void tern_ports_claim(struct tern_ports *p, const struct tern_flow *flow);
void tern_ports_release(struct tern_ports *p, const struct tern_flow *flow);

#endif
