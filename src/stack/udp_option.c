/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack/udp_option.c: options, names and rows of datagram sockets.
 *
 * Sizes of buffers are true sizes, limited only from below: what net.core.rmem_max allows, and that
 * Linux doubles what it is asked for, is the business of room sock.
 */
#include <errno.h>

#include "stack/udp.h"

enum {
	RCVBUF_MIN = 2304,
	SNDBUF_MIN = 4608,
};

static int set_flag(struct tern_udp_socket *s, uint16_t flag, int64_t value)
{
	s->flags = (uint16_t)(value ? s->flags | flag : s->flags & ~flag);
	return 0;
}

static int set_number(uint8_t *field, int64_t value, int64_t low)
{
	if (value < low || value > 255)
		return -EINVAL;
	*field = (uint8_t)value;
	return 0;
}

static int set_size(uint32_t *field, int64_t value, uint32_t low)
{
	if (value < 0 || value > INT32_MAX)
		return -EINVAL;
	*field = TERN_MAX((uint32_t)value, low);
	return 0;
}

int tern_udp_set_option(struct tern_stack *st, tern_id id, enum tern_option option, int64_t value)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return -EBADF;
	switch (option) {
	case TERN_SO_SNDBUF:
		return set_size(&s->sndbuf, value, SNDBUF_MIN);
	case TERN_SO_RCVBUF:
		return set_size(&s->rcvbuf, value, RCVBUF_MIN);
	case TERN_SO_TTL:
		return set_number(&s->ttl, value, 1);
	case TERN_SO_TOS:
		return set_number(&s->tos, value, 0);
	case TERN_SO_REUSEADDR:
		return set_flag(s, TERN_UDP_REUSE, value);
	case TERN_SO_REUSEPORT:
		return set_flag(s, TERN_UDP_REUSEPORT, value);
	case TERN_SO_V6ONLY:
		if (s->family != TERN_INET6)
			return -ENOPROTOOPT;
		return s->flow.lport ? -EINVAL : set_flag(s, TERN_UDP_V6ONLY, value);
	default:
		return -ENOPROTOOPT;
	}
}

int tern_udp_get_option(struct tern_stack *st, tern_id id, enum tern_option option,
			int64_t *ret_value)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return -EBADF;
	switch (option) {
	case TERN_SO_SNDBUF:
		*ret_value = s->sndbuf;
		return 0;
	case TERN_SO_RCVBUF:
		*ret_value = s->rcvbuf;
		return 0;
	case TERN_SO_TTL:
		*ret_value = s->ttl ? s->ttl : st->knobs.ip_default_ttl;
		return 0;
	case TERN_SO_TOS:
		*ret_value = s->tos;
		return 0;
	case TERN_SO_REUSEADDR:
		*ret_value = (s->flags & TERN_UDP_REUSE) != 0;
		return 0;
	case TERN_SO_REUSEPORT:
		*ret_value = (s->flags & TERN_UDP_REUSEPORT) != 0;
		return 0;
	case TERN_SO_V6ONLY:
		*ret_value = (s->flags & TERN_UDP_V6ONLY) != 0;
		return s->family == TERN_INET6 ? 0 : -ENOPROTOOPT;
	case TERN_SO_ERROR:
		*ret_value = -tern_udp_take_error(s);
		return 0;
	case TERN_SO_SOFT_ERROR:
		*ret_value = s->soft_error;
		s->soft_error = 0;
		return 0;
	case TERN_SO_INQ:
		*ret_value = s->head ? s->head->len : 0;
		return 0;
	case TERN_SO_OUTQ:
		*ret_value = s->wmem;
		return 0;
	case TERN_SO_STATE:
		*ret_value = s->flags & TERN_UDP_CONNECTED ? TERN_ESTABLISHED : TERN_CLOSED;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int tern_udp_set_user(struct tern_stack *st, tern_id id, uint64_t user)
{
	struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return -EBADF;
	s->user = user;
	return 0;
}

int tern_udp_local(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_local)
{
	const struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return -EBADF;
	*ret_local = (struct tern_endpoint){ .addr = s->flow.local, .port = s->flow.lport };
	return 0;
}

int tern_udp_remote(struct tern_stack *st, tern_id id, struct tern_endpoint *ret_remote)
{
	const struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return -EBADF;
	if (!(s->flags & TERN_UDP_CONNECTED))
		return -ENOTCONN;
	*ret_remote = (struct tern_endpoint){ .addr = s->flow.remote, .port = s->flow.rport };
	return 0;
}

/* ---- views ---- */

static void describe(const struct tern_udp_socket *s, uint32_t idx, struct tern_socket_info *ret)
{
	bool connected = (s->flags & TERN_UDP_CONNECTED) != 0;

	*ret = (struct tern_socket_info){
		.id = tern_id_make(TERN_ID_UDP, s->gen, idx),
		.cookie = tern_id_make(TERN_ID_UDP, s->gen, idx),
		.local = { .addr = s->flow.local, .port = s->flow.lport },
		.remote = { .addr = s->flow.remote, .port = s->flow.rport },
		.proto = TERN_PROTO_UDP,
		.state = connected ? TERN_ESTABLISHED : TERN_CLOSED,
		.recv_q = s->rmem,
		.send_q = s->wmem,
		.mem = { .rmem_alloc = s->rmem,
			 .rcvbuf = s->rcvbuf,
			 .wmem_alloc = s->wmem,
			 .sndbuf = s->sndbuf,
			 .drops = s->drops },
	};
	if (!connected && s->family == TERN_INET6 && !(s->flags & TERN_UDP_V6ONLY) &&
	    tern_addr_is_any(&s->flow.local)) /* both families: * */
		ret->local.addr = ret->remote.addr = (struct tern_addr){ 0 };
}

bool tern_udp_next_row(const struct tern_stack *st, uint32_t *cursor,
		       struct tern_socket_info *ret_row)
{
	const struct tern_udp *u = st->udp;

	for (uint32_t idx = *cursor + 1; idx && idx <= u->pool.max; idx++) {
		if (!u->live[idx])
			continue;
		*cursor = idx;
		describe(tern_udp_at(u, idx), idx, ret_row);
		return true;
	}
	return false;
}

int tern_udp_describe(const struct tern_stack *st, tern_id id, struct tern_socket_info *ret_row)
{
	const struct tern_udp_socket *s = tern_udp_of(st, id);

	if (!s)
		return -EBADF;
	describe(s, (uint32_t)id, ret_row);
	return 0;
}

uint64_t tern_udp_bytes(const struct tern_udp *u)
{
	return u->rx_bytes + u->tx_bytes;
}

uint32_t tern_udp_count(const struct tern_udp *u)
{
	return u->pool.used;
}
