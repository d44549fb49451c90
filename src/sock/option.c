/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/option.c: setsockopt and getsockopt in Linux' numbers.
 *
 * Most options are a number that the engine keeps: a table says which, and the range that Linux
 * takes. Those with a form or a rule of their own have a function. What the program sets is also
 * noted as a bit, so that tern_sock_renew() can set it again.
 *
 * Buffer sizes: Linux doubles what it is asked for, limits it by net.core.{w,r}mem_max before, and
 * shows the doubled value. The engine's sizes are of that kind: true size, half of it for data.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "sock/fastopen.h"
#include "sock/kept.h"
#include "sock/record.h"

enum {
	SNDBUF_MIN = 4608, /* Linux' SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF */
	RCVBUF_MIN = 2304,
	MSS_MIN = 88,
	MSS_DEFAULT = 536,
	MSS_MAX = 32767,
	LINGER2_MAX = 120, /* seconds, TCP_FIN_TIMEOUT_MAX */
	CLAMP_MIN = RCVBUF_MIN / 2,
	CC_NAME_MAX = 16, /* TCP_CA_NAME_MAX */
	NS_PER_S = 1000000000,
};

/* An option that is a number of the engine's. */
struct number_option {
	int level, name;
	enum tern_option option;
	int min, max; /* 0, 1: any number means yes or no */
};

/* clang-format off */
static const struct number_option numbers[] = {
	{ TERN_ABI_SOL_SOCKET, TERN_ABI_SO_REUSEADDR, TERN_SO_REUSEADDR, 0, 1 },
	{ TERN_ABI_SOL_SOCKET, TERN_ABI_SO_REUSEPORT, TERN_SO_REUSEPORT, 0, 1 },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_NODELAY, TERN_SO_NODELAY, 0, 1 },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_CORK, TERN_SO_CORK, 0, 1 },
	{ TERN_ABI_SOL_SOCKET, TERN_ABI_SO_OOBINLINE, TERN_SO_OOBINLINE, 0, 1 },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_QUICKACK, TERN_SO_QUICKACK, INT_MIN, INT_MAX },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_KEEPIDLE, TERN_SO_KEEPIDLE, 1, 32767 },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_KEEPINTVL, TERN_SO_KEEPINTVL, 1, 32767 },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_KEEPCNT, TERN_SO_KEEPCNT, 1, 127 },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_SYNCNT, TERN_SO_SYNCNT, 1, 127 },
	{ TERN_ABI_SOL_TCP, TERN_ABI_TCP_USER_TIMEOUT, TERN_SO_USER_TIMEOUT, 0, INT_MAX },
	{ TERN_ABI_SOL_IP, TERN_ABI_IP_TOS, TERN_SO_TOS, 0, 255 },
	{ TERN_ABI_SOL_IP, TERN_ABI_IP_TTL, TERN_SO_TTL, -1, 255 },
	{ TERN_ABI_SOL_IPV6, TERN_ABI_IPV6_TCLASS, TERN_SO_TOS, -1, 255 },
	{ TERN_ABI_SOL_IPV6, TERN_ABI_IPV6_UNICAST_HOPS, TERN_SO_TTL, -1, 255 },
};

/* Flags that a socket keeps for itself. */
static const struct flag_option {
	int name;
	uint32_t flag;
} flags_of_socket[] = {
	{ TERN_ABI_SO_BROADCAST, TERN_SF_BROADCAST },
	{ TERN_ABI_SO_OOBINLINE, TERN_SF_OOBINLINE },
};
/* clang-format on */

static const struct number_option *find_number(const struct tern_sock *s, int level, int name)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(numbers); i++)
		if (numbers[i].level == level && numbers[i].name == name)
			return numbers[i].option == TERN_SO_OOBINLINE && !tern_sock_is_stream(s)
				       ? NULL
				       : &numbers[i];
	return NULL;
}

static uint32_t find_flag(int level, int name)
{
	if (level != TERN_ABI_SOL_SOCKET)
		return 0;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(flags_of_socket); i++)
		if (flags_of_socket[i].name == name)
			return flags_of_socket[i].flag;
	return 0;
}

/* Does the level exist for this socket at all? */
static bool level_ok(const struct tern_sock *s, int level)
{
	switch (level) {
	case TERN_ABI_SOL_SOCKET:
	case TERN_ABI_SOL_IP:
		return true;
	case TERN_ABI_SOL_TCP:
		return tern_sock_is_stream(s);
	case TERN_ABI_SOL_IPV6:
		return s->domain == TERN_AF_INET6;
	default:
		return false;
	}
}

/* The number a program passes; level IP takes a single byte too. */
static int read_int(int level, const void *value, uint32_t len, int *ret)
{
	uint8_t byte;

	if (len >= sizeof(int)) {
		memcpy(ret, value, sizeof(int));
		return 0;
	}
	if (level != TERN_ABI_SOL_IP || len == 0)
		return -EINVAL;
	memcpy(&byte, value, 1);
	*ret = byte;
	return 0;
}

/* The first number of a knob, or 0. */
static uint32_t knob(const struct tern_socks *ss, const char *name)
{
	char text[64];
	uint64_t v = 0;

	if (tern_stack_get_knob(ss->st, name, text, sizeof(text)) < 0 ||
	    tern_text_parse_u64(text, &v) < 0)
		return 0;
	return (uint32_t)TERN_MIN(v, (uint64_t)INT_MAX);
}

static int set_engine(struct tern_socks *ss, uint64_t now, struct tern_sock *s,
		      enum tern_option option, int64_t value)
{
	int err = tern_stack_option(ss->st, now, s->id, option, value);

	if (!err)
		s->options |= UINT64_C(1) << option;
	return err;
}

/* Even numbers other than 0: what is owed leaves, later ACKs may wait. */
static int set_quickack(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int v)
{
	int err = set_engine(ss, now, s, TERN_SO_QUICKACK, v != 0);

	return err || v % 2 ? err : set_engine(ss, now, s, TERN_SO_QUICKACK, 0);
}

static int set_number(struct tern_socks *ss, uint64_t now, struct tern_sock *s,
		      const struct number_option *row, int v)
{
	bool ttl = row->option == TERN_SO_TTL;

	if (row->option == TERN_SO_QUICKACK)
		return set_quickack(ss, now, s, v);
	if (row->min == 0 && row->max == 1)
		v = v != 0;
	if (row->level == TERN_ABI_SOL_IP && row->option == TERN_SO_TOS)
		v &= 0xff;
	if (v < row->min || v > row->max || (ttl && v == 0))
		return -EINVAL;
	if (v < 0)
		v = ttl ? (int)knob(ss, "net.ipv4.ip_default_ttl") : 0;
	/* The ECN bits of a stream are TCP's, not the program's. */
	if (row->option == TERN_SO_TOS && tern_sock_is_stream(s))
		v &= ~3;
	return set_engine(ss, now, s, row->option, v);
}

/* What SO_RCVBUF shows. */
static int64_t rcvbuf(struct tern_socks *ss, uint64_t now, const struct tern_sock *s)
{
	return s->rcvbuf ? s->rcvbuf : tern_sock_engine_option(ss, now, s, TERN_SO_RCVBUF);
}

static int set_rcvbuf(struct tern_socks *ss, uint64_t now, struct tern_sock *s, uint32_t bytes)
{
	uint32_t most = s->window_clamp ? 2 * TERN_MIN(s->window_clamp, (uint32_t)INT_MAX / 2)
					: UINT32_MAX;

	s->rcvbuf = bytes > most ? bytes : 0;
	return set_engine(ss, now, s, TERN_SO_RCVBUF, TERN_MIN(bytes, most));
}

static int set_buffer(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name, int v)
{
	bool send = name == TERN_ABI_SO_SNDBUF || name == TERN_ABI_SO_SNDBUFFORCE;
	bool force = name == TERN_ABI_SO_SNDBUFFORCE || name == TERN_ABI_SO_RCVBUFFORCE;
	uint32_t want = (uint32_t)v, least = send ? SNDBUF_MIN : RCVBUF_MIN;

	/* A negative number is a very large one to Linux, but not with FORCE: there it is 0. */
	if (force)
		want = v < 0 ? 0 : TERN_MIN(want, (uint32_t)INT_MAX / 2);
	else
		want = TERN_MIN(want, knob(ss, send ? "net.core.wmem_max" : "net.core.rmem_max"));
	want = TERN_MAX(want * 2, least);
	return send ? set_engine(ss, now, s, TERN_SO_SNDBUF, want) : set_rcvbuf(ss, now, s, want);
}

/*
 * TCP_WINDOW_CLAMP. The window is half of the receive buffer: the engine gets one that is small
 * enough, SO_RCVBUF shows what it would be.
 */
static int set_window_clamp(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int v)
{
	int64_t shown = rcvbuf(ss, now, s);

	if (v == 0 && s->phase != TERN_PHASE_UNCONNECTED)
		return -EINVAL;
	s->window_clamp = v ? (uint32_t)TERN_MAX(v, (int)CLAMP_MIN) : 0;
	return v || s->rcvbuf ? set_rcvbuf(ss, now, s, (uint32_t)shown) : 0;
}

static int set_keepalive(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int v)
{
	if (tern_sock_is_stream(s))
		return set_engine(ss, now, s, TERN_SO_KEEPALIVE, v != 0);
	if (v)
		s->flags |= TERN_SF_KEEPALIVE;
	else
		s->flags &= ~(uint32_t)TERN_SF_KEEPALIVE;
	return 0;
}

static int set_linger(struct tern_socks *ss, uint64_t now, struct tern_sock *s, const void *value,
		      uint32_t len)
{
	struct tern_linger linger;

	if (len < sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	s->linger_s = linger.onoff ? TERN_MAX(linger.seconds, 0) : -1;
	if (linger.onoff && linger.seconds < 0)
		s->linger_s = INT_MAX;
	if (!tern_sock_is_stream(s))
		return 0;
	/* Only "0: reset" is the engine's business; how long close() waits is ours. */
	return set_engine(ss, now, s, TERN_SO_LINGER, s->linger_s == 0 ? 0 : -1);
}

static int set_timeout(struct tern_sock *s, int name, const void *value, uint32_t len)
{
	struct tern_timeval tv;
	uint64_t ns;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, value, sizeof(tv));
	if (tv.microseconds < 0 || tv.microseconds >= 1000000)
		return -EDOM;
	if (tv.seconds < 0)
		ns = 0;
	else if ((tv.seconds == 0 && tv.microseconds == 0) || tv.seconds > INT_MAX)
		ns = TERN_NEVER;
	else
		ns = (uint64_t)tv.seconds * NS_PER_S + (uint64_t)tv.microseconds * 1000;
	if (name == TERN_ABI_SO_RCVTIMEO)
		s->rcvtimeo_ns = ns;
	else
		s->sndtimeo_ns = ns;
	return 0;
}

/* More than the window would never be there at once. */
static int set_rcvlowat(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int v)
{
	int64_t window = tern_sock_engine_option(ss, now, s, TERN_SO_RCVBUF) / 2;
	int64_t low = v < 0 ? INT_MAX : TERN_MAX(v, 1);

	s->rcvlowat = (uint32_t)TERN_MAX(TERN_MIN(low, window), (int64_t)1);
	return 0;
}

static int set_maxseg(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int v)
{
	int err;

	if (v != 0 && (v < MSS_MIN || v > MSS_MAX))
		return -EINVAL;
	err = set_engine(ss, now, s, TERN_SO_MAXSEG, v);
	if (!err)
		s->max_seg = (uint16_t)v;
	return err;
}

static int set_v6only(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int v)
{
	int err;

	if ((s->flags & (TERN_SF_BOUND | TERN_SF_LISTENING | TERN_SF_ESTABLISHED)) ||
	    s->phase != TERN_PHASE_UNCONNECTED)
		return -EINVAL;
	err = set_engine(ss, now, s, TERN_SO_V6ONLY, v != 0);
	if (err)
		return err;
	if (v)
		s->flags |= TERN_SF_V6ONLY;
	else
		s->flags &= ~(uint32_t)TERN_SF_V6ONLY;
	return 0;
}

/* By its name; the numbers are those of the knob tcp_congestion_control. */
static int set_congestion(struct tern_socks *ss, uint64_t now, struct tern_sock *s,
			  const void *value, uint32_t len)
{
	static const char *const names[] = { "cubic", "reno" };
	char name[CC_NAME_MAX] = { 0 };

	if (len < 1)
		return -EINVAL;
	memcpy(name, value, TERN_MIN(len, (uint32_t)sizeof(name) - 1));
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return set_engine(ss, now, s, TERN_SO_CONGESTION, (int)i);
	return -ENOENT;
}

static int set_socket(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name, int v)
{
	switch (name) {
	case TERN_ABI_SO_SNDBUF:
	case TERN_ABI_SO_RCVBUF:
	case TERN_ABI_SO_SNDBUFFORCE:
	case TERN_ABI_SO_RCVBUFFORCE:
		return set_buffer(ss, now, s, name, v);
	case TERN_ABI_SO_KEEPALIVE:
		return set_keepalive(ss, now, s, v);
	case TERN_ABI_SO_RCVLOWAT:
		return set_rcvlowat(ss, now, s, v);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_tcp(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name, int v)
{
	switch (name) {
	case TERN_ABI_TCP_MAXSEG:
		return set_maxseg(ss, now, s, v);
	case TERN_ABI_TCP_WINDOW_CLAMP:
		return set_window_clamp(ss, now, s, v);
	case TERN_ABI_TCP_LINGER2:
		return set_engine(ss, now, s, TERN_SO_LINGER2,
				  TERN_MIN(TERN_MAX(v, -1), (int)LINGER2_MAX));
	case TERN_ABI_TCP_NOTSENT_LOWAT:
		s->notsent_lowat = (uint32_t)v;
		return set_engine(ss, now, s, TERN_SO_NOTSENT_LOWAT, s->notsent_lowat);
	case TERN_ABI_TCP_TIMESTAMP:
		return -EPERM; /* only with TCP_REPAIR */
	default:
		return -ENOPROTOOPT;
	}
}

/* SO_BINDTODEVICE: there is one way out, and it has no name here. */
static int set_device(const void *value, uint32_t len)
{
	const char *name = value;

	return len && name[0] ? -ENODEV : 0;
}

/* Options that are numbers and in neither table of this file. */
static int set_other(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int level, int name,
		     int v)
{
	int err = -ENOPROTOOPT;

	if (level == TERN_ABI_SOL_TCP)
		err = set_tcp(ss, now, s, name, v);
	else if (level == TERN_ABI_SOL_IPV6 && name == TERN_ABI_IPV6_V6ONLY)
		err = set_v6only(ss, now, s, v);
	else if (level == TERN_ABI_SOL_SOCKET && name == TERN_ABI_SO_DETACH_FILTER)
		err = -ENOENT;
	else if (level == TERN_ABI_SOL_SOCKET)
		err = set_socket(ss, now, s, name, v);
	return err == -ENOPROTOOPT ? tern_kept_set(s, level, name, v) : err;
}

/* Options whose value is not a number. */
static int set_special(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int level,
		       int name, const void *value, uint32_t len, bool *ret_done)
{
	*ret_done = true;
	if (level == TERN_ABI_SOL_SOCKET && name == TERN_ABI_SO_LINGER)
		return len < sizeof(int) ? -EINVAL : set_linger(ss, now, s, value, len);
	if (level == TERN_ABI_SOL_SOCKET &&
	    (name == TERN_ABI_SO_RCVTIMEO || name == TERN_ABI_SO_SNDTIMEO))
		return set_timeout(s, name, value, len);
	if (level == TERN_ABI_SOL_TCP && name == TERN_ABI_TCP_CONGESTION)
		return set_congestion(ss, now, s, value, len);
	if (level == TERN_ABI_SOL_SOCKET && name == TERN_ABI_SO_BINDTODEVICE)
		return set_device(value, len);
	*ret_done = false;
	return 0;
}

int tern_sock_setsockopt(struct tern_socks *ss, uint64_t now, int fd, int level, int name,
			 const void *value, uint32_t len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	const struct number_option *row;
	uint32_t flag;
	bool done;
	int err, v;

	if (!s)
		return -EBADF;
	if (!level_ok(s, level))
		return -ENOPROTOOPT;
	if (level == TERN_ABI_SOL_TCP && tern_fastopen_has_option(name))
		return tern_fastopen_setsockopt(ss, now, s, name, value, len);
	err = set_special(ss, now, s, level, name, value, len, &done);
	if (done)
		return err;
	err = read_int(level, value, len, &v);
	if (err)
		return err;
	row = find_number(s, level, name);
	if (row)
		return set_number(ss, now, s, row, v);
	flag = find_flag(level, name);
	if (flag) {
		s->flags = v ? s->flags | flag : s->flags & ~flag;
		return 0;
	}
	return set_other(ss, now, s, level, name, v);
}

/* Gives what fits of size bytes. */
static int give(const void *from, size_t size, void *value, uint32_t *len)
{
	uint32_t n = TERN_MIN(*len, (uint32_t)size);

	memcpy(value, from, n);
	*len = n;
	return 0;
}

/* Gives a number; level IP gives a byte where that is all there is room for. */
static int give_int(int level, int64_t wide, void *value, uint32_t *len)
{
	int v = (int)TERN_MIN(wide, (int64_t)INT_MAX);
	uint8_t byte = (uint8_t)v;

	if (level == TERN_ABI_SOL_IP && *len > 0 && *len < sizeof(v) && v >= 0 && v <= 255)
		return give(&byte, sizeof(byte), value, len);
	return give(&v, sizeof(v), value, len);
}

static int64_t so_error(struct tern_socks *ss, uint64_t now, struct tern_sock *s)
{
	int err;

	tern_sock_poll_events(ss, now);
	tern_sock_fetch_error(ss, now, s);
	err = -tern_sock_take_error(s);
	return err ? err : tern_sock_engine_option(ss, now, s, TERN_SO_SOFT_ERROR);
}

static int get_timeout(const struct tern_sock *s, int name, void *value, uint32_t *len)
{
	uint64_t ns = name == TERN_ABI_SO_RCVTIMEO ? s->rcvtimeo_ns : s->sndtimeo_ns;
	struct tern_timeval tv = { 0 };

	if (ns != TERN_NEVER) {
		tv.seconds = (int64_t)(ns / NS_PER_S);
		tv.microseconds = (int64_t)(ns % NS_PER_S / 1000);
	}
	return give(&tv, sizeof(tv), value, len);
}

static int get_linger(const struct tern_sock *s, void *value, uint32_t *len)
{
	struct tern_linger linger = { .onoff = s->linger_s >= 0,
				      .seconds = TERN_MAX(s->linger_s, 0) };

	return give(&linger, sizeof(linger), value, len);
}

/* What SOL_SOCKET options with a number say; false for those that do not exist. */
static bool socket_number(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name,
			  int64_t *ret)
{
	bool stream = tern_sock_is_stream(s);

	switch (name) {
	case TERN_ABI_SO_ERROR:
		*ret = so_error(ss, now, s);
		return true;
	case TERN_ABI_SO_TYPE:
		*ret = s->type;
		return true;
	case TERN_ABI_SO_DOMAIN:
		*ret = s->domain;
		return true;
	case TERN_ABI_SO_PROTOCOL:
		*ret = stream ? TERN_PROTO_TCP : TERN_PROTO_UDP;
		return true;
	case TERN_ABI_SO_ACCEPTCONN:
		*ret = (s->flags & TERN_SF_LISTENING) != 0;
		return true;
	case TERN_ABI_SO_SNDBUF:
		*ret = tern_sock_engine_option(ss, now, s, TERN_SO_SNDBUF);
		return true;
	case TERN_ABI_SO_RCVBUF:
		*ret = rcvbuf(ss, now, s);
		return true;
	case TERN_ABI_SO_KEEPALIVE:
		*ret = stream ? tern_sock_engine_option(ss, now, s, TERN_SO_KEEPALIVE)
			      : (s->flags & TERN_SF_KEEPALIVE) != 0;
		return true;
	case TERN_ABI_SO_RCVLOWAT:
		*ret = s->rcvlowat;
		return true;
	case TERN_ABI_SO_SNDLOWAT:
		*ret = 1;
		return true;
	case TERN_ABI_SO_BUF_LOCK:
		*ret = (s->options & 1ull << TERN_SO_SNDBUF ? 1 : 0) |
		       (s->options & 1ull << TERN_SO_RCVBUF ? 2 : 0);
		return true;
	default:
		return false;
	}
}

/* Memory as SO_MEMINFO lists it. */
static int get_meminfo(const struct tern_socket_info *row, void *value, uint32_t *len)
{
	const uint32_t mem[] = { row->mem.rmem_alloc,
				 row->mem.rcvbuf,
				 0,
				 row->mem.sndbuf,
				 0,
				 row->mem.wmem_queued,
				 0,
				 0,
				 row->mem.drops };

	return give(mem, sizeof(mem), value, len);
}

/* Who the socket is, and who the peer, as far as there is an answer. */
static int get_identity(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name,
			void *value, uint32_t *len)
{
	static const int32_t nobody[] = { 0, -1, -1 }; /* struct ucred */
	struct tern_socket_info row;
	int err;

	switch (name) {
	case TERN_ABI_SO_COOKIE:
	case TERN_ABI_SO_MEMINFO:
		err = tern_stack_socket(ss->st, now, s->id, &row);
		if (err)
			return err;
		if (name == TERN_ABI_SO_MEMINFO)
			return get_meminfo(&row, value, len);
		return *len < sizeof(row.cookie)
			       ? -EINVAL
			       : give(&row.cookie, sizeof(row.cookie), value, len);
	case TERN_ABI_SO_PEERNAME:
		return tern_sock_getpeername(ss, (int)(s - ss->table), value, len);
	case TERN_ABI_SO_PEERCRED:
		return give(nobody, sizeof(nobody), value, len);
	case TERN_ABI_SO_PEERGROUPS:
	case TERN_ABI_SO_PEERPIDFD:
		return -ENODATA;
	case TERN_ABI_SO_BINDTODEVICE:
		*len = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_socket(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name,
		      void *value, uint32_t *len)
{
	uint32_t flag = find_flag(TERN_ABI_SOL_SOCKET, name);
	int64_t v;

	if (name == TERN_ABI_SO_LINGER)
		return get_linger(s, value, len);
	if (name == TERN_ABI_SO_RCVTIMEO || name == TERN_ABI_SO_SNDTIMEO)
		return get_timeout(s, name, value, len);
	if (flag)
		return give_int(TERN_ABI_SOL_SOCKET, (s->flags & flag) != 0, value, len);
	if (socket_number(ss, now, s, name, &v))
		return give_int(TERN_ABI_SOL_SOCKET, v, value, len);
	return get_identity(ss, now, s, name, value, len);
}

/* The segment size in use; of a socket without connection what the program set, or Linux' 536. */
static uint32_t maxseg(const struct tern_sock *s, const struct tern_socket_info *row)
{
	if ((s->flags & TERN_SF_ESTABLISHED) && (row->has & TERN_INFO_TCP) && row->mss)
		return row->mss;
	return s->max_seg ? s->max_seg : MSS_DEFAULT;
}

/* Options of TCP that are neither in a table nor in the engine's row. */
static int get_tcp(struct tern_socks *ss, uint64_t now, const struct tern_sock *s, int name,
		   void *value, uint32_t *len)
{
	int64_t v;

	switch (name) {
	case TERN_ABI_TCP_LINGER2:
		v = tern_sock_engine_option(ss, now, s, TERN_SO_LINGER2);
		v = v ? v : knob(ss, "net.ipv4.tcp_fin_timeout");
		break;
	case TERN_ABI_TCP_NOTSENT_LOWAT:
		v = (int32_t)s->notsent_lowat;
		break;
	case TERN_ABI_TCP_WINDOW_CLAMP:
		v = s->window_clamp;
		if (!v && s->phase != TERN_PHASE_UNCONNECTED)
			v = rcvbuf(ss, now, s) / 2;
		break;
	case TERN_ABI_TCP_TIMESTAMP:
		v = tern_sock_engine_option(ss, now, s, TERN_SO_TIMESTAMP);
		break;
	case TERN_ABI_TCP_CC_INFO:
	case TERN_ABI_TCP_SAVED_SYN:
	case TERN_ABI_TCP_ULP:
		*len = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
	return give_int(TERN_ABI_SOL_TCP, v, value, len);
}

/* Options that are read off the engine's row. */
static int get_from_row(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int level,
			int name, void *value, uint32_t *len)
{
	char cc[CC_NAME_MAX] = "reno";
	struct tern_socket_info row;
	struct tern_tcp_info info;
	int err = tern_stack_socket(ss->st, now, s->id, &row);

	if (err)
		return err;
	if (level == TERN_ABI_SOL_TCP && name == TERN_ABI_TCP_MAXSEG)
		return give_int(level, maxseg(s, &row), value, len);
	if (level == TERN_ABI_SOL_TCP && name == TERN_ABI_TCP_INFO) {
		err = tern_sock_tcp_info(ss, now, s, &info);
		return err ? err : give(&info, sizeof(info), value, len);
	}
	if (level == TERN_ABI_SOL_TCP && name == TERN_ABI_TCP_CONGESTION) {
		for (size_t i = 0; row.congestion && row.congestion[i] && i < sizeof(cc) - 1; i++) {
			cc[i] = row.congestion[i];
			cc[i + 1] = 0;
		}
		return give(cc, sizeof(cc), value, len);
	}
	if ((level == TERN_ABI_SOL_IP && name == TERN_ABI_IP_MTU) ||
	    (level == TERN_ABI_SOL_IPV6 && name == TERN_ABI_IPV6_MTU))
		return s->flags & TERN_SF_ESTABLISHED ? give_int(level, row.pmtu, value, len)
						      : -ENOTCONN;
	return -ENOPROTOOPT;
}

/* SO_MAX_PACING_RATE, 64 bits where there is room for them. */
static int give_pacing(int v, void *value, uint32_t *len)
{
	uint64_t wide = v == -1 ? UINT64_MAX : (uint32_t)v;

	return *len >= sizeof(wide) ? give(&wide, sizeof(wide), value, len)
				    : give(&v, sizeof(v), value, len);
}

static int get_other(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int level, int name,
		     void *value, uint32_t *len)
{
	int err = -ENOPROTOOPT, v;

	if (level == TERN_ABI_SOL_SOCKET)
		err = get_socket(ss, now, s, name, value, len);
	else if (level == TERN_ABI_SOL_IPV6 && name == TERN_ABI_IPV6_V6ONLY)
		err = give_int(level, (s->flags & TERN_SF_V6ONLY) != 0, value, len);
	else if (level == TERN_ABI_SOL_TCP)
		err = get_tcp(ss, now, s, name, value, len);
	if (err == -ENOPROTOOPT)
		err = get_from_row(ss, now, s, level, name, value, len);
	if (err != -ENOPROTOOPT)
		return err;
	err = tern_kept_get(s, level, name, &v);
	if (err)
		return err;
	if (level == TERN_ABI_SOL_SOCKET && name == TERN_ABI_SO_MAX_PACING_RATE)
		return give_pacing(v, value, len);
	return give_int(level, v, value, len);
}

int tern_sock_getsockopt(struct tern_socks *ss, uint64_t now, int fd, int level, int name,
			 void *value, uint32_t *len)
{
	struct tern_sock *s = tern_sock_at(ss, fd);
	const struct number_option *row;

	if (!s)
		return -EBADF;
	if (*len > INT_MAX)
		return -EINVAL;
	if (!level_ok(s, level))
		return -EOPNOTSUPP;
	if (level == TERN_ABI_SOL_TCP && tern_fastopen_has_option(name))
		return tern_fastopen_getsockopt(ss, now, s, name, value, len);
	row = find_number(s, level, name);
	if (row)
		return give_int(level, tern_sock_engine_option(ss, now, s, row->option), value,
				len);
	return get_other(ss, now, s, level, name, value, len);
}
