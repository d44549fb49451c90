/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Connections whose handshake is complete wait here, in the order in which it was completed, until
 * accept() takes them. A child is appended by its promotion, in SYN-RECEIVED, and becomes
 * ESTABLISHED by the same segment; accept() hands out none before that.
 *
 * accept() may be called by one who hands connections on to others. What was handed on and not yet
 * taken is only a number here (held), but counts: the slowness of those others must fill this
 * queue, not another behind it that nobody sees.
 *
 * A child that is reset while it waits keeps its place, as in Linux: accept() gives it, and the
 * first recv() tells ECONNRESET. So an application that was told of a connection finds one.
 */
#include "syn/internal.h"

void tern_acceptq_push(struct tern_syn *s, uint32_t listener, uint32_t conn)
{
	struct tern_listener *l = tern_listener_at(s, listener);
	struct tern_conn *c = tern_conn_at(s->tcp, conn);

	c->listener = listener;
	c->flags |= TERN_CF_IN_ACCEPTQ;
	tern_list_push_back(&l->acceptq, &s->tcp->conns, TERN_ACCEPTQ_LINK, conn);
	s->accept_queued++;
	tern_conn_notify(s->tcp, l->conn, tern_conn_at(s->tcp, l->conn), TERN_EV_ACCEPTABLE);
}

uint32_t tern_listener_accept(struct tern_syn *s, uint32_t listener)
{
	uint32_t idx = tern_listener_at(s, listener)->acceptq.head;

	while (idx && tern_conn_at(s->tcp, idx)->state == TERN_SYN_RECEIVED)
		idx = tern_list_next(&s->tcp->conns, TERN_ACCEPTQ_LINK, idx);
	if (idx)
		tern_listener_forget(s, idx);
	return idx;
}

void tern_listener_forget(struct tern_syn *s, uint32_t conn)
{
	struct tern_conn *c = tern_conn_at(s->tcp, conn);

	if (!(c->flags & TERN_CF_IN_ACCEPTQ))
		return;
	tern_list_remove(&tern_listener_at(s, c->listener)->acceptq, &s->tcp->conns,
			 TERN_ACCEPTQ_LINK, conn);
	c->flags &= ~(uint32_t)TERN_CF_IN_ACCEPTQ;
	c->listener = 0;
	s->accept_queued--;
}
