/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * A SYN whose Fast Open cookie is ours (RFC 7413 §4.2) is a connection at once: the half-open
 * record that was filled in for it is adopted by tern_tcp_adopt like any other, only that no ACK
 * has come yet. The early child waits in the accept queue in SYN-RECEIVED with the data of its SYN,
 * and sends its SYN-ACK itself. What does not qualify goes on as an ordinary handshake, whose
 * SYN-ACK tells the client the cookie it should have had. tcp/fastopen_server.c judges and counts.
 */
#include <string.h>

#include "syn/internal.h"
#include "tcp/fastopen.h"

static enum tern_fastopen_syn form_of_answer(enum tern_fastopen_verdict verdict,
					     const struct tern_segment *seg)
{
	if (verdict != TERN_FASTOPEN_TAKE_RENEW)
		return TERN_FASTOPEN_PLAIN;
	return seg->opt.fastopen_exp ? TERN_FASTOPEN_RENEW_EXP : TERN_FASTOPEN_RENEW;
}

bool tern_half_open_early(struct tern_syn *s, const struct tern_half *h, struct tern_listener *l,
			  const struct tern_flow *flow, const struct tern_segment *seg,
			  struct tern_tcp_options *ret_cookie)
{
	struct tern_tcp *t = s->tcp;
	const struct tern_conn *parent = tern_conn_at(t, l->conn);
	enum tern_fastopen_verdict verdict = tern_fastopen_judge(t, parent, flow, seg, ret_cookie);
	struct tern_birth birth;
	uint32_t conn;

	if (verdict == TERN_FASTOPEN_NONE)
		return false;
	tern_half_birth(s, h, l->conn, flow, seg, &birth);
	birth.synack_ns = 0; /* it has not left yet */
	birth.fastopen = parent->passive.fastopen;
	birth.answer = form_of_answer(verdict, seg);
	conn = tern_tcp_adopt(t, &birth);
	if (!conn) {
		tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenPassiveFail);
		return false;
	}
	if (verdict == TERN_FASTOPEN_TAKE_RENEW)
		tern_count(t->trace, TERN_CNT_TcpExtTCPFastOpenPassiveAltKey);
	tern_fastopen_take(t, conn, seg);
	tern_acceptq_push(s, h->listener, l, conn);
	return true;
}

void tern_half_add_cookie(struct tern_reply *synack, const struct tern_tcp_options *cookie)
{
	synack->options |= TERN_OPT_FASTOPEN;
	synack->fastopen_len = sizeof(synack->fastopen);
	synack->fastopen_exp = cookie->fastopen_exp;
	memcpy(synack->fastopen, cookie->fastopen, sizeof(synack->fastopen));
}
