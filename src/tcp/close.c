/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * CLOSE, its halves, and ABORT (RFC 9293 §3.10.4, §3.10.5). Closing queues a FIN behind what is to
 * be sent. A socket that its application gives up becomes an orphan, unless bytes would be lost
 * unseen: unread data, or SO_LINGER with 0, make it a reset (SHLD-3, RFC 2525 §2.17). Orphans are
 * counted and limited; one in FIN-WAIT-2 moves to a small record of the room timewait.
 */
#include <errno.h>

#include "tcp/keepalive.h"
#include "tcp/reset.h"
#include "tcp/state.h"
#include "tcp/tcp.h"
#include "tcp/timers.h"

#define NEEDS_RESET                                                                       \
	(TERN_STATES(SYN_RECEIVED) | TERN_STATES(ESTABLISHED) | TERN_STATES(FIN_WAIT_1) | \
	 TERN_STATES(FIN_WAIT_2) | TERN_STATES(CLOSE_WAIT))

/* Our FIN follows the queued data. In SYN-RECEIVED the state changes when the handshake is done. */
static int queue_fin(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	if (c->flags & TERN_CF_FIN_QUEUED)
		return 0;
	if (!tern_conn_need_traffic(t, c))
		return -ENOBUFS;
	c->flags |= TERN_CF_FIN_QUEUED;
	c->flags &= ~(uint32_t)TERN_CF_MORE;
	if (c->state == TERN_ESTABLISHED)
		tern_conn_set_state(t, c, TERN_FIN_WAIT_1);
	else if (c->state == TERN_CLOSE_WAIT)
		tern_conn_set_state(t, c, TERN_LAST_ACK);
	tern_conn_want_output(t, idx, c);
	return 0;
}

static void shut_reading(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	c->flags |= TERN_CF_RD_SHUT;
	tern_conn_drop_unread(t, c);
	tern_conn_notify(t, idx, c, TERN_EV_READABLE);
}

int tern_tcp_shutdown(struct tern_tcp *t, uint32_t idx, enum tern_how how)
{
	struct tern_conn *c = tern_conn_at(t, idx);

	if (c->state == TERN_CLOSED || c->state == TERN_LISTEN)
		return -ENOTCONN;
	if (how != TERN_SHUT_WR)
		shut_reading(t, idx, c);
	if (how == TERN_SHUT_RD)
		return 0;
	if (c->state == TERN_SYN_SENT) {
		tern_conn_finish(t, idx, 0);
		return 0;
	}
	return queue_fin(t, idx, c);
}

/* The application lets go: no more events, and the record counts as an orphan. */
static void disown(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	c->flags &= ~(uint32_t)(TERN_CF_OWNED | TERN_CF_CORK);
	if (c->flags & TERN_CF_EVENT)
		tern_conn_drop_news(t, idx, c);
}

/* Must closing be a reset, in whatever state, since the peer has to know? Counts why. */
static bool close_resets(struct tern_tcp *t, const struct tern_conn *c)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);

	/* RFC9293:SHLD-3 RFC9293:MAY-1 */
	if (x && (x->recv.bytes || x->recv.reass) && t->knobs->tern_unread_reset) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPAbortOnClose);
		return true;
	}
	if (c->linger_s == 1)
		return false; /* an abort */
	if (t->orphans >= t->knobs->tcp_max_orphans) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPAbortOnMemory);
		return true;
	}
	return false;
}

static TERN_OUTLINE void free_closed(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	tern_fastopen_forget(t, c);
	tern_conn_free(t, idx);
}

/* TCP_LINGER2 below 0: who has no FIN yet is not waited for. Counts it. */
static bool lingers_not(const struct tern_tcp *t, const struct tern_conn *c)
{
	if (c->state != TERN_FIN_WAIT_2 || c->linger2_s >= 0)
		return false;
	tern_count(t->trace, TERN_CNT_TcpExtTCPAbortOnLinger);
	return true;
}

enum tern_move tern_tcp_close(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	bool resets;

	disown(t, idx, c);
	if (t->lent.conn == idx)
		tern_tcp_unlend(t);
	if (c->state == TERN_CLOSED || c->state == TERN_SYN_SENT) {
		if (c->state == TERN_SYN_SENT)
			tern_conn_finish(t, idx, 0);
		else
			free_closed(t, idx, c);
		return TERN_MOVE_NONE;
	}
	resets = close_resets(t, c) || lingers_not(t, c);
	if (!resets && c->linger_s == 1) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPAbortOnData);
		tern_tcp_abort(t, idx, 0);
		return TERN_MOVE_NONE;
	}
	if (resets || (tern_state_in(c->state, NEEDS_RESET) && queue_fin(t, idx, c))) {
		tern_conn_reset_peer(t, idx);
		tern_conn_finish(t, idx, 0);
		return TERN_MOVE_NONE;
	}
	c->flags |= TERN_CF_ORPHAN;
	t->orphans++;
	if (c->state != TERN_FIN_WAIT_2)
		return TERN_MOVE_NONE;
	if (c->linger2_s > 0)
		tern_keepalive_await_fin(t, idx, c);
	return c->linger2_s > 0 ? TERN_MOVE_NONE : TERN_MOVE_FIN_WAIT_2;
}

void tern_tcp_abort(struct tern_tcp *t, uint32_t idx, int error)
{
	const struct tern_conn *c = tern_conn_at(t, idx);

	if (tern_state_in(c->state, NEEDS_RESET))
		tern_conn_reset_peer(t, idx);
	tern_conn_finish(t, idx, error);
}

void tern_tcp_give_up(struct tern_tcp *t, uint32_t idx)
{
	if (t->lent.conn == idx)
		tern_tcp_unlend(t);
	tern_conn_reset_peer(t, idx);
	tern_conn_finish(t, idx, 0);
}

void tern_tcp_retire(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	tern_conn_unhash(t, idx, c);
	tern_conn_finish_at(t, idx, c, 0);
}
