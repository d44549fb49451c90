/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Options of a socket, set and read one number at a time. Switches are flags of the record; the
 * rest are fields with a range. Where an option changes what may be sent or when a timer is due,
 * output and timers are told.
 */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/marks.h"
#include "tcp/timers.h"

#define MSS_MIN 88 /* the least that TCP_MAXSEG may ask for */

struct range {
	int64_t min, max;
};

static const struct range ranges[] = {
	[TERN_SO_NODELAY] = { 0, 1 },        [TERN_SO_CORK] = { 0, 1 },
	[TERN_SO_QUICKACK] = { 0, 1 },       [TERN_SO_KEEPALIVE] = { 0, 1 },
	[TERN_SO_KEEPIDLE] = { 1, 32767 },   [TERN_SO_KEEPINTVL] = { 1, 32767 },
	[TERN_SO_KEEPCNT] = { 1, 127 },      [TERN_SO_USER_TIMEOUT] = { 0, INT32_MAX },
	[TERN_SO_SYNCNT] = { 1, 127 },       [TERN_SO_LINGER] = { -1, UINT16_MAX - 1 },
	[TERN_SO_SNDBUF] = { 1, INT32_MAX }, [TERN_SO_RCVBUF] = { 1, INT32_MAX },
	[TERN_SO_MAXSEG] = { 0, 32767 },     [TERN_SO_TTL] = { 1, 255 },
	[TERN_SO_TOS] = { 0, 255 },          [TERN_SO_REUSEADDR] = { 0, 1 },
	[TERN_SO_V6ONLY] = { 0, 1 },         [TERN_SO_REUSEPORT] = { 0, 1 },
	[TERN_SO_OOBINLINE] = { 0, 1 },      [TERN_SO_NOTSENT_LOWAT] = { 0, UINT32_MAX },
	[TERN_SO_LINGER2] = { -1, 120 },     [TERN_SO_CONGESTION] = { 0, 1 },
};

/* The same of those that only a socket without connection has. */
static const struct range passive_ranges[] = {
	[TERN_SO_DEFER_ACCEPT - TERN_SO_DEFER_ACCEPT] = { 0, INT32_MAX },
	[TERN_SO_FASTOPEN - TERN_SO_DEFER_ACCEPT] = { 0, INT32_MAX },
	[TERN_SO_FASTOPEN_CONNECT - TERN_SO_DEFER_ACCEPT] = { 0, 1 },
	[TERN_SO_FASTOPEN_NO_COOKIE - TERN_SO_DEFER_ACCEPT] = { 0, 1 },
};

#define SYNACK_TIMEOUT_MAX_S 120

/* TCP_DEFER_ACCEPT is kept in SYN-ACKs: so many timeouts, of 1, 2, 4, … s, are at least as long. */
static uint8_t seconds_to_synacks(int64_t seconds)
{
	int64_t timeout = 1, period = 1;
	uint8_t n = seconds > 0;

	while (seconds > period && n < UINT8_MAX) {
		timeout = TERN_MIN(timeout * 2, (int64_t)SYNACK_TIMEOUT_MAX_S);
		period += timeout;
		n++;
	}
	return n;
}

static int64_t synacks_to_seconds(uint8_t n)
{
	int64_t timeout = 1, period = 0;

	for (; n; n--) {
		period += timeout;
		timeout = TERN_MIN(timeout * 2, (int64_t)SYNACK_TIMEOUT_MAX_S);
	}
	return period;
}

static bool is_passive_option(enum tern_option option)
{
	return option >= TERN_SO_DEFER_ACCEPT && option <= TERN_SO_FASTOPEN_NO_COOKIE;
}

static void set_fastopen_bit(struct tern_conn *c, uint8_t bit, int64_t value)
{
	c->fastopen = (uint8_t)(value ? c->fastopen | bit : c->fastopen & ~bit);
}

/* Linux takes TCP_DEFER_ACCEPT of a connection, too, where it means nothing. */
static int set_passive(struct tern_tcp *t, struct tern_conn *c, enum tern_option option,
		       int64_t value)
{
	const struct range *range = &passive_ranges[option - TERN_SO_DEFER_ACCEPT];
	bool passive = tern_conn_is_passive(c) && !(c->flags & TERN_CF_DEAD);

	if (option == TERN_SO_DEFER_ACCEPT) {
		if (passive)
			c->passive.defer_accept = seconds_to_synacks(value);
		return 0;
	}
	if (value < range->min || value > range->max || !passive ||
	    (option == TERN_SO_FASTOPEN_CONNECT && c->state != TERN_CLOSED))
		return -EINVAL;
	if (option == TERN_SO_FASTOPEN)
		return tern_fastopen_set_max(t, c, (uint32_t)value);
	set_fastopen_bit(
		c, option == TERN_SO_FASTOPEN_CONNECT ? TERN_FO_CONNECT : TERN_FO_NO_COOKIE, value);
	return 0;
}

static int64_t get_passive(const struct tern_tcp *t, const struct tern_conn *c,
			   enum tern_option option)
{
	const struct tern_fastopen_queue *q = tern_fastopen_queue(t, c);

	switch (option) {
	case TERN_SO_DEFER_ACCEPT:
		return tern_conn_is_passive(c) ? synacks_to_seconds(c->passive.defer_accept) : 0;
	case TERN_SO_FASTOPEN:
		return q ? q->max : 0;
	case TERN_SO_FASTOPEN_CONNECT:
		return (c->fastopen & TERN_FO_CONNECT) != 0;
	default:
		return (c->fastopen & TERN_FO_NO_COOKIE) != 0;
	}
}

/* The flag of an option that is a switch; 0 for the others. */
static uint32_t switch_flag(enum tern_option option)
{
	static const uint32_t flags[] = {
		/* RFC9293:MUST-17 */
		[TERN_SO_NODELAY] = TERN_CF_NODELAY,     [TERN_SO_CORK] = TERN_CF_CORK,
		[TERN_SO_KEEPALIVE] = TERN_CF_KEEPALIVE, [TERN_SO_REUSEADDR] = TERN_CF_REUSEADDR,
		[TERN_SO_V6ONLY] = TERN_CF_V6ONLY,       [TERN_SO_REUSEPORT] = TERN_CF_REUSEPORT,
		[TERN_SO_OOBINLINE] = TERN_CF_OOBINLINE,
	};

	return option < TERN_ARRAY_SIZE(flags) ? flags[option] : 0;
}

/* Is it in the table, and may it be set? */
static bool is_known(enum tern_option option)
{
	return (unsigned int)option < TERN_ARRAY_SIZE(ranges) &&
	       (ranges[option].min || ranges[option].max);
}

static void set_buffer(struct tern_conn *c, enum tern_option option, uint32_t bytes)
{
	if (option == TERN_SO_SNDBUF) {
		c->snd_buf = TERN_MAX(bytes, 4608u);
		c->flags |= TERN_CF_SNDBUF_LOCK;
	} else {
		c->rcv.buf = TERN_MAX(bytes, 2304u);
		c->flags |= TERN_CF_RCVBUF_LOCK;
	}
}

/* As Linux: 1 sends what is owed, too. */
static void set_quickack(const struct tern_tcp *t, struct tern_conn *c, int64_t value)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);

	if (!value) {
		c->flags |= TERN_CF_PINGPONG;
		return;
	}
	c->flags &= ~(uint32_t)TERN_CF_PINGPONG;
	if (x && x->delack_ns != TERN_NEVER)
		c->flags |= TERN_CF_ACK_NOW;
}

/* Rounded up: 0 means something else. */
static uint16_t in_units(int64_t bytes)
{
	int64_t units = bytes / TERN_LOWAT_UNIT + (bytes % TERN_LOWAT_UNIT != 0);

	return (uint16_t)TERN_MIN(units, (int64_t)UINT16_MAX);
}

static int set_field(struct tern_conn *c, enum tern_option option, int64_t value)
{
	struct tern_patience *p = &c->patience;

	switch (option) {
	case TERN_SO_NOTSENT_LOWAT:
		c->notsent_lowat = in_units(value);
		break;
	case TERN_SO_CONGESTION:
		c->totals.congestion = (uint8_t)value;
		break;
	case TERN_SO_LINGER2:
		c->linger2_s = (int8_t)value;
		break;
	case TERN_SO_KEEPIDLE:
		p->keep_idle_s = (uint16_t)value;
		break;
	case TERN_SO_KEEPINTVL:
		p->keep_intvl_s = (uint16_t)value;
		break;
	case TERN_SO_KEEPCNT:
		p->keep_cnt = (uint8_t)value;
		break;
	case TERN_SO_USER_TIMEOUT:
		p->user_timeout_ms = (uint32_t)value;
		break;
	case TERN_SO_SYNCNT:
		p->syn_retries = (uint8_t)value;
		break;
	case TERN_SO_LINGER:
		c->linger_s = (uint16_t)(value + 1);
		break;
	case TERN_SO_SNDBUF:
	case TERN_SO_RCVBUF:
		set_buffer(c, option, (uint32_t)value);
		break;
	case TERN_SO_MAXSEG:
		c->max_seg = (uint16_t)value;
		break;
	case TERN_SO_TTL:
		c->ttl = (uint8_t)value;
		break;
	case TERN_SO_TOS:
		c->tos = (uint8_t)value;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return 0;
}

int tern_tcp_set_option(struct tern_tcp *t, uint32_t idx, enum tern_option option, int64_t value)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	uint32_t flag = switch_flag(option);
	int err = 0;

	if (is_passive_option(option))
		return set_passive(t, c, option, value);
	if (!is_known(option))
		return -ENOPROTOOPT;
	if (value < ranges[option].min || value > ranges[option].max ||
	    (option == TERN_SO_MAXSEG && value && value < MSS_MIN) ||
	    (option == TERN_SO_V6ONLY && c->lport))
		return -EINVAL;
	/* RFC9293:MUST-24 */
	if (flag)
		c->flags = value ? c->flags | flag : c->flags & ~flag;
	else if (option == TERN_SO_QUICKACK)
		set_quickack(t, c, value);
	else
		err = set_field(c, option, value);
	if (option == TERN_SO_NODELAY && value && c->traffic)
		tern_conn_traffic(t, c)->send.hurry = true;
	if (!err && (c->flags & TERN_CF_HASHED)) {
		tern_timers_keepalive(t, idx, c);
		tern_conn_want_output(t, idx, c);
	}
	return err;
}

/* Reading these clears them. */
static int64_t take(uint8_t *error)
{
	uint8_t value = *error;

	*error = 0;
	return value;
}

/* What is queued and not acknowledged, the FIN counted. */
static uint32_t outq(const struct tern_conn *c, const struct tern_traffic *x)
{
	bool fin = (c->flags & TERN_CF_FIN_QUEUED) &&
		   !((c->flags & TERN_CF_FIN_SENT) && c->snd.una == c->snd.nxt);

	return (x ? x->send.bytes : 0) + fin;
}

/* What can only be read: errors, queues, the state. */
static int get_status(const struct tern_tcp *t, struct tern_conn *c, enum tern_option option,
		      int64_t *ret_value)
{
	const struct tern_traffic *x = tern_conn_traffic(t, c);

	switch (option) {
	case TERN_SO_ERROR:
		*ret_value = take(&c->error);
		return 0;
	case TERN_SO_SOFT_ERROR:
		*ret_value = take(&c->soft_error);
		return 0;
	case TERN_SO_INQ:
	case TERN_SO_UNREAD:
	case TERN_SO_ATMARK:
	case TERN_SO_URGENT:
		*ret_value = tern_urgent_option(c, x, option);
		return 0;
	case TERN_SO_TIMEOUTS:
		*ret_value = c->patience.retries;
		return 0;
	case TERN_SO_OUTQ:
		*ret_value = outq(c, x);
		return 0;
	case TERN_SO_OUTQNSD:
		*ret_value = c->state == TERN_SYN_SENT ? outq(c, x)
						       : outq(c, x) - (c->snd.nxt - c->snd.una);
		return 0;
	case TERN_SO_TIMESTAMP:
		*ret_value = (uint32_t)(t->now_ms + c->ts.offset);
		return 0;
	case TERN_SO_STATE:
		*ret_value = c->state;
		return 0;
	case TERN_SO_FASTOPEN_DEFERRED:
		*ret_value = (c->fastopen & TERN_FO_DEFERRED) != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int tern_tcp_get_option(struct tern_tcp *t, uint32_t idx, enum tern_option option,
			int64_t *ret_value)
{
	struct tern_conn *c = tern_conn_at(t, idx);
	const struct tern_patience *p = &c->patience;
	const struct tern_knobs *k = t->knobs;
	const int64_t values[] = {
		[TERN_SO_KEEPIDLE] = p->keep_idle_s ? p->keep_idle_s : k->tcp_keepalive_time,
		[TERN_SO_KEEPINTVL] = p->keep_intvl_s ? p->keep_intvl_s : k->tcp_keepalive_intvl,
		[TERN_SO_KEEPCNT] = p->keep_cnt ? p->keep_cnt : k->tcp_keepalive_probes,
		[TERN_SO_USER_TIMEOUT] = p->user_timeout_ms,
		[TERN_SO_SYNCNT] = p->syn_retries ? p->syn_retries : k->tcp_syn_retries,
		[TERN_SO_LINGER] = (int64_t)c->linger_s - 1,
		[TERN_SO_SNDBUF] = c->snd_buf,
		[TERN_SO_RCVBUF] = c->rcv.buf,
		[TERN_SO_MAXSEG] = c->cc.mss    ? c->cc.mss
				   : c->max_seg ? c->max_seg
						: 536,
		[TERN_SO_TTL] = c->ttl ? c->ttl : k->ip_default_ttl,
		[TERN_SO_TOS] = c->tos,
		[TERN_SO_QUICKACK] = !(c->flags & TERN_CF_PINGPONG),
		[TERN_SO_NOTSENT_LOWAT] = tern_conn_lowat(c, 0),
		[TERN_SO_LINGER2] = c->linger2_s,
		[TERN_SO_CONGESTION] = c->totals.congestion,
	};

	if (is_passive_option(option)) {
		*ret_value = get_passive(t, c, option);
		return 0;
	}
	if (switch_flag(option)) {
		*ret_value = (c->flags & switch_flag(option)) != 0;
		return 0;
	}
	if (!is_known(option))
		return get_status(t, c, option, ret_value);
	*ret_value = values[option];
	return 0;
}
