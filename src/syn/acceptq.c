/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Connections whose handshake is complete wait here, in the order in which it was completed, until
 * accept() takes them. A child is appended by its promotion, in SYN-RECEIVED, and becomes
 * ESTABLISHED by the same segment; accept() hands out none before that, but for early children of
 * Fast Open, which may be read and written in SYN-RECEIVED.
 *
 * accept() may be called by one who hands connections on to others. What was handed on and not yet
 * taken is only a number here (held), but counts: the slowness of those others must fill this
 * queue, not another behind it that nobody sees.
 *
 * A child that is reset while it waits keeps its place, as in Linux: accept() gives it, and the
 * first recv() tells ECONNRESET. So an application that was told of a connection finds one.
 */
#include "syn/internal.h"

void tern_acceptq_push(struct tern_syn *s, uint32_t listener, struct tern_listener *l,
		       uint32_t conn)
{
	struct tern_conn *c = tern_conn_at(s->tcp, conn);

	c->listener = listener;
	c->flags |= TERN_CF_IN_ACCEPTQ;
	tern_list_append(&l->acceptq, &s->tcp->conns, TERN_ACCEPTQ_LINK, conn, &c->queue);
	s->accept_queued++;
	tern_conn_notify(s->tcp, l->conn, tern_conn_at(s->tcp, l->conn), TERN_EV_ACCEPTABLE);
}

static void take_off(struct tern_syn *s, struct tern_listener *l, struct tern_conn *c)
{
	tern_list_unlink(&l->acceptq, &s->tcp->conns, TERN_ACCEPTQ_LINK, &c->queue);
	c->flags &= ~(uint32_t)TERN_CF_IN_ACCEPTQ;
	c->listener = 0;
	s->accept_queued--;
}

uint32_t tern_listener_accept(struct tern_syn *s, uint32_t listener)
{
	struct tern_listener *l = tern_listener_at(s, listener);
	uint32_t idx = l->acceptq.head;

	while (idx) {
		struct tern_conn *c = tern_conn_at(s->tcp, idx);

		if (c->state != TERN_SYN_RECEIVED || (c->flags & TERN_CF_EARLY)) {
			take_off(s, l, c);
			break;
		}
		idx = c->queue.next;
	}
	return idx;
}

void tern_listener_forget(struct tern_syn *s, uint32_t conn)
{
	struct tern_conn *c = tern_conn_at(s->tcp, conn);

	if (c->flags & TERN_CF_IN_ACCEPTQ)
		take_off(s, tern_listener_at(s, c->listener), c);
}
