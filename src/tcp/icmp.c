/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * An ICMP error is believed only if what it quotes is in flight (RFC 5927 §4.1): SND.UNA <= seq <
 * SND.NXT. While a connection is being opened any error ends it, unreachable nets and hosts too:
 * the user waits for exactly that, perhaps with another address to try, and Linux does so (RFC 5461
 * §4). MUST-56 to the letter has connect() wait for two minutes; tern_soft_errors = 1 wants that.
 * Once it is synchronized every error is soft: it is remembered and told (TERN_EV_REPORT), shown
 * when the connection times out, and ends nothing (MUST-56, RFC 5927 §5). "Too big" lowers the path
 * MTU, never below 552 (IPv4) or 1280 (IPv6), and what was too big is sent again.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/recovery.h"
#include "tcp/state.h"
#include "tcp/tcp.h"

#define PMTU_MIN4 552u
#define PMTU_MIN6 1280u

static void lower_pmtu(struct tern_tcp *t, uint32_t idx, struct tern_conn *c, uint32_t mtu)
{
	struct tern_traffic *x = tern_conn_traffic(t, c);
	uint32_t least = c->family == TERN_INET ? PMTU_MIN4 : PMTU_MIN6;

	mtu = TERN_MAX(mtu, least);
	if (mtu >= c->pmtu)
		return;
	c->pmtu = (uint16_t)mtu;
	tern_count(t->trace, TERN_CNT_TernPmtuLowered);
	if (!c->cc.mss || !x)
		return;
	tern_loss_resize(t, c, x, tern_conn_mss(c) - (c->options & TERN_OPT_TS ? 12 : 0));
	tern_conn_want_output(t, idx, c);
}

/* Does the user still wait for it to stand? Not who has accepted an early child. */
static bool is_opening(const struct tern_conn *c)
{
	if ((c->flags & (TERN_CF_EARLY | TERN_CF_OWNED)) == (TERN_CF_EARLY | TERN_CF_OWNED))
		return false;
	return c->state == TERN_SYN_SENT || c->state == TERN_SYN_RECEIVED;
}

void tern_tcp_icmp(struct tern_tcp *t, uint32_t idx, enum tern_icmp_kind kind, int error,
		   uint32_t mtu, tern_seq quoted_seq)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	bool opening = is_opening(c);

	if (!tern_seq_in(quoted_seq, c->snd.una, c->snd.nxt - c->snd.una)) {
		tern_count(t->trace, TERN_CNT_TcpExtOutOfWindowIcmps);
		return;
	}
	if (kind == TERN_ICMP_TOO_BIG) {
		lower_pmtu(t, idx, c, mtu);
		return;
	}
	if (kind == TERN_ICMP_SOURCE_QUENCH || !error)
		return;
	/* RFC9293:MUST-47 */
	c->soft_error = (uint8_t)error;
	/* RFC9293:MUST-56 RFC9293:SHLD-26 */
	if (!opening ||
	    (t->knobs->tern_soft_errors && tern_icmp_is_soft(kind, c->family == TERN_INET6)))
		/* RFC9293:SHLD-25 RFC9293:U-2 */
		tern_conn_notify(t, idx, c, TERN_EV_REPORT);
	else
		tern_conn_finish(t, idx, error);
}
