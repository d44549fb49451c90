/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * R1 of RFC 9293 §3.8.3: a segment was sent again so often that the way to the peer may be at
 * fault, and IP gets to know ("negative advice"). What IP knows of a way is its MTU (stack/path.c);
 * of that, what was learnt before the doubt is forgotten. The last few destinations are kept here
 * for IP to look at: it is advice, and if more are doubted at a time, the oldest are not.
 *
 * The application hears of it too, long before R2 ends the connection: TERN_EV_REPORT, and
 * TERN_SO_TIMEOUTS says how bad it is.
 */
#include "tcp/doubt.h"

#include "tcp/tcp.h"

void tern_doubt_timeout(struct tern_tcp *t, uint32_t idx, struct tern_conn *c)
{
	struct tern_doubts *doubts = &t->doubts;
	struct tern_flow flow;

	/* RFC9293:MUST-20 RFC9293:MUST-22 RFC9293:SHLD-9 RFC9293:U-2 */
	if (c->patience.retries != t->knobs->tcp_retries1)
		return;
	tern_conn_flow(c, &flow);
	/* RFC9293:MUST-20 */
	doubts->last[doubts->next].to = flow.remote;
	doubts->last[doubts->next].at = t->now;
	doubts->next = (doubts->next + 1) % TERN_DOUBTS;
	tern_conn_notify(t, idx, c, TERN_EV_REPORT);
}

bool tern_doubted_since(const struct tern_doubts *doubts, const struct tern_addr *to,
			uint64_t since)
{
	for (unsigned int i = 0; i < TERN_DOUBTS; i++)
		if (doubts->last[i].at > since && tern_addr_eq(&doubts->last[i].to, to))
			return true;
	return false;
}
