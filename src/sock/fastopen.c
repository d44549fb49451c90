/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/fastopen.c: TCP_FASTOPEN and its kin, MSG_FASTOPEN, TCP_DEFER_ACCEPT.
 *
 * sendto() with MSG_FASTOPEN is connect() and send() in one (Linux' tcp_sendmsg_fastopen()). It
 * returns how much of the data went with the SYN, or -EINPROGRESS where none did because there is
 * no cookie yet. connect() with TCP_FASTOPEN_CONNECT returns 0 without a SYN, if there is a cookie:
 * the socket is writable at once (TERN_SF_DEFERRED), and the first send does the same.
 */
#include "sock/fastopen.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"

enum {
	KEYS_MAX = 32, /* two keys */
	KNOB_CLIENT = 1,
};

/* The number that an option of the engine's is; TCP_FASTOPEN_KEY is none. */
static const struct {
	int name;
	enum tern_option option;
} numbers[] = {
	{ TERN_ABI_TCP_DEFER_ACCEPT, TERN_SO_DEFER_ACCEPT },
	{ TERN_ABI_TCP_FASTOPEN, TERN_SO_FASTOPEN },
	{ TERN_ABI_TCP_FASTOPEN_CONNECT, TERN_SO_FASTOPEN_CONNECT },
	{ TERN_ABI_TCP_FASTOPEN_NO_COOKIE, TERN_SO_FASTOPEN_NO_COOKIE },
};

static bool find(int name, enum tern_option *ret)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(numbers); i++)
		if (numbers[i].name == name) {
			*ret = numbers[i].option;
			return true;
		}
	return false;
}

bool tern_fastopen_has_option(int name)
{
	enum tern_option option;

	return name == TERN_ABI_TCP_FASTOPEN_KEY || find(name, &option);
}

/* Does the knob let clients use it? */
static bool client_may(const struct tern_socks *ss)
{
	char text[64];
	uint64_t mask = 0;

	if (tern_stack_get_knob(ss->st, "net.ipv4.tcp_fastopen", text, sizeof(text)) < 0 ||
	    tern_text_parse_u64(text, &mask) < 0)
		return false;
	return mask & KNOB_CLIENT;
}

int tern_fastopen_setsockopt(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name,
			     const void *value, uint32_t len)
{
	enum tern_option option;
	int v, err;

	if (len < sizeof(v))
		return -EINVAL;
	if (!find(name, &option))
		return tern_stack_fastopen_key(ss->st, now, s->id, value, len);
	memcpy(&v, value, sizeof(v));
	if (name == TERN_ABI_TCP_DEFER_ACCEPT && v < 0)
		v = 0;
	if (name == TERN_ABI_TCP_FASTOPEN_CONNECT && (v == 0 || v == 1) && !client_may(ss))
		return -EOPNOTSUPP;
	err = tern_stack_option(ss->st, now, s->id, option, v);
	if (!err)
		s->options |= UINT64_C(1) << option;
	return err;
}

int tern_fastopen_getsockopt(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name,
			     void *value, uint32_t *len)
{
	enum tern_option option;
	uint8_t keys[KEYS_MAX];
	int v;

	if (find(name, &option)) {
		v = (int)tern_sock_engine_option(ss, now, s, option);
		*len = TERN_MIN(*len, (uint32_t)sizeof(v));
		memcpy(value, &v, *len);
		return 0;
	}
	v = tern_stack_get_fastopen_key(ss->st, now, s->id, keys, sizeof(keys));
	if (v < 0)
		return v;
	*len = TERN_MIN(*len, (uint32_t)v);
	memcpy(value, keys, *len);
	return 0;
}

/* Begins the open; 0, or why it cannot. */
static int begin(struct tern_socks *ss, uint64_t now, struct tern_sock *s, const void *addr,
		 uint32_t addr_len)
{
	struct tern_endpoint ep;
	int err;

	if (!addr)
		return -EINVAL;
	err = tern_sockaddr_read(s->domain, addr, addr_len, &ep);
	if (err)
		return err;
	if ((s->flags & TERN_SF_V6ONLY) && ep.addr.family == TERN_INET)
		return -ENETUNREACH;
	err = tern_stack_connect_fastopen(ss->st, now, s->id, &ep);
	if (err)
		return err;
	s->phase = TERN_PHASE_CONNECTING;
	s->error = 0;
	if (tern_sock_engine_option(ss, now, s, TERN_SO_FASTOPEN_DEFERRED))
		s->flags |= TERN_SF_DEFERRED;
	return 0;
}

static bool is_unspecified(const void *addr, uint32_t len)
{
	uint16_t family;

	if (!addr || len < sizeof(family))
		return false;
	memcpy(&family, addr, sizeof(family));
	return family == TERN_AF_UNSPEC;
}

/* The first send of a connection that is deferred. */
static int64_t send_first(struct tern_socks *ss, uint64_t now, struct tern_sock *s,
			  const void *data, size_t len)
{
	int64_t n;

	s->flags &= ~(uint32_t)TERN_SF_DEFERRED;
	n = tern_stack_send(ss->st, now, s->id, data, len, 0);
	if (n < 0 || (size_t)n < len)
		s->flags |= TERN_SF_NOSPACE;
	return n;
}

int64_t tern_fastopen_sendto(struct tern_socks *ss, uint64_t now, int fd, const void *data,
			     size_t len, int flags, const void *addr, uint32_t addr_len,
			     bool *ret_done)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	int err;

	*ret_done = true;
	if (!client_may(ss) || is_unspecified(addr, addr_len))
		return -EOPNOTSUPP;
	if (s->flags & TERN_SF_DEFERRED)
		return send_first(ss, now, s, data, len);
	if (!(flags & TERN_SOCK_FASTOPEN)) {
		*ret_done = false;
		return 0;
	}
	if (s->phase == TERN_PHASE_CONNECTED || (s->flags & TERN_SF_LISTENING))
		return -EISCONN;
	if (s->phase == TERN_PHASE_CONNECTING) {
		err = tern_sock_connect_end(ss, now, fd);
		*ret_done = err != 0;
		return err;
	}
	err = begin(ss, now, s, addr, addr_len);
	if (err)
		return err;
	return s->flags & TERN_SF_DEFERRED ? send_first(ss, now, s, data, len) : -EINPROGRESS;
}

bool tern_sock_opening(struct tern_socks *ss, uint64_t now, int fd)
{
	const struct tern_sock *s = tern_sock_at(ss, fd);

	tern_sock_poll_events(ss, now);
	return s && tern_sock_is_stream(s) && s->phase == TERN_PHASE_CONNECTING &&
	       !(s->flags & (TERN_SF_ESTABLISHED | TERN_SF_CLOSED | TERN_SF_DEFERRED));
}
