/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_call.c: what programs ask for, one function for each request.
 *
 * Most of it is a call of tern_sock_*(), whose answer is Linux'. What is added: the pair follows
 * what the call did to the socket (connecting, listening, shut, failed), options are remembered
 * for the kernel socket that may take the socket's place, and what tern does not have gets a line
 * in the log. A process that knows the token may ask about any socket: whoever has it can read the
 * memory of those who got it from the environment as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/text.h"
#include "posix/internal.h"
#include "sock/abi.h"
#include "sock/addr.h"

enum {
	KNOB_TEXT = 64,
	LINE_SHOWN = 200, /* what of a program's line goes to the log */
};

/* A request, as it is served. */
struct call {
	struct tern_broker *b;
	struct tern_socks *socks;
	uint64_t now;
	const struct tern_posix_request *req;
	struct tern_posix_reply *reply;
	int *ret_fd;
};

static int call_open(struct call *c)
{
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC, domain = c->req->args[0];
	int type = c->req->args[1] & ~flags, end, err;
	int sock = tern_sock_open(c->socks, c->now, domain, type, c->req->args[2]);
	struct tern_pair *p;
	uint64_t until;

	/* What is exhausted is the system's, not the program's: its limit is not reached. */
	if (sock < 0)
		return sock == -EMFILE ? -ENFILE : sock;
	err = tern_pair_new(c->b, sock, domain, type, NULL, NULL, &p, &end);
	if (err) {
		(void)tern_sock_close(c->socks, c->now, sock, &until);
		return err == -EMFILE ? -ENFILE : err;
	}
	/* O_NONBLOCK is the open file's, and goes with it. */
	if (c->req->args[1] & SOCK_NONBLOCK)
		(void)fcntl(end, F_SETFL, O_RDWR | O_NONBLOCK);
	c->reply->id = p->id;
	*c->ret_fd = end;
	return 0;
}

/* Ports below this need a capability. */
static uint64_t first_free_port(const struct tern_broker *b)
{
	char text[KNOB_TEXT];
	uint64_t port;

	if (tern_stack_get_knob(b->host->st, "net.ipv4.ip_unprivileged_port_start", text,
				sizeof(text)) < 0 ||
	    tern_text_parse_u64(text, &port) < 0)
		return 1024;
	return port;
}

static int call_bind(struct call *c, struct tern_pair *p)
{
	struct tern_endpoint ep;
	int err = tern_sockaddr_read(p->domain, c->req->data, c->req->len, &ep);

	if (err)
		return err;
	if (!c->req->args[0] && ep.port && ep.port < first_free_port(c->b))
		return -EACCES;
	err = tern_sock_bind(c->socks, c->now, p->sock, c->req->data, c->req->len);
	if (!err)
		p->flags |= TERN_PF_BOUND;
	if (!err && p->kind == TERN_PAIR_DGRAM)
		tern_near_open(p);
	return err;
}

static int call_listen(struct call *c, struct tern_pair *p)
{
	int err = tern_sock_listen(c->socks, c->now, p->sock, c->req->args[0]);

	if (!err)
		err = tern_accept_listen(p, c->req->args[0]);
	if (!err)
		tern_loopback_listen(p, c->req->args[0]);
	return err;
}

/* connect() again after it failed in the background. */
static int tell_failure(struct tern_pair *p)
{
	int err = p->error ? p->error : ECONNABORTED;

	p->error = 0;
	p->flags &= (uint16_t)~TERN_PF_FAILED;
	return -err;
}

static bool is_unspec(const struct tern_posix_request *req)
{
	sa_family_t family;

	if (req->len < sizeof(family))
		return false;
	memcpy(&family, req->data, sizeof(family));
	return family == AF_UNSPEC;
}

/* connect() has told the program how its attempt ended. */
static void end_connecting(struct tern_pair *p, int err)
{
	struct tern_broker *b = p->broker;
	uint64_t id = p->id;
	struct tern_dead *dead;

	if (!err || err == -EISCONN) {
		tern_connect_run(p);
		return;
	}
	tern_pair_die(p, -err);
	dead = tern_dead_find(b, id);
	dead->error = 0;
	dead->failed = false;
}

/* It is under way; where the shim waits, a byte of its own will come. */
static void begin_connecting(struct tern_pair *p, const struct tern_posix_request *req)
{
	p->kind = TERN_PAIR_CONNECTING;
	tern_pair_set_narrow(p, false);
	if (req->args[0] && p->handshakes < UINT8_MAX)
		p->handshakes++;
}

static int call_connect(struct call *c, struct tern_pair *p)
{
	int err;

	if (c->req->len < sizeof(sa_family_t))
		return -EINVAL;
	if (p->flags & TERN_PF_FAILED)
		return tell_failure(p);
	err = tern_sock_connect(c->socks, c->now, p->sock, c->req->data, c->req->len);
	if (p->kind == TERN_PAIR_DGRAM)
		return err;
	if (!err && is_unspec(c->req)) {
		if (p->kind != TERN_PAIR_FRESH)
			tern_pair_die(p, 0);
		return 0;
	}
	if (err == -EINPROGRESS || err == -EALREADY)
		begin_connecting(p, c->req);
	else if (p->kind == TERN_PAIR_CONNECTING)
		end_connecting(p, err);
	else if (!err && p->kind == TERN_PAIR_FRESH)
		tern_connect_defer(p);
	return err;
}

/* Has connect() left the SYN to the first bytes, and were there none yet? */
static bool is_deferred(struct call *c, const struct tern_pair *p)
{
	uint8_t state = 0; /* what TCP_INFO begins with */
	uint32_t len = sizeof(state);

	(void)tern_sock_getsockopt(c->socks, c->now, p->sock, TERN_ABI_SOL_TCP, TERN_ABI_TCP_INFO,
				   &state, &len);
	return state == TCP_SYN_SENT && !tern_sock_opening(c->socks, c->now, p->sock);
}

/* MSG_FASTOPEN: connect() and send() in one. */
static int call_fastopen(struct call *c, struct tern_pair *p)
{
	const struct tern_posix_request *req = c->req;
	uint32_t addr_len = (uint32_t)req->args[1];
	int64_t n;

	if (p->kind == TERN_PAIR_DGRAM || addr_len > req->len)
		return -EINVAL;
	if (p->flags & TERN_PF_FAILED)
		return tell_failure(p);
	/* What was written into the pair comes first. */
	if (p->kind == TERN_PAIR_STREAM)
		return is_deferred(c, p)
			       ? 0
			       : tern_sock_connect(c->socks, c->now, p->sock, req->data, addr_len);
	n = tern_sock_sendto(c->socks, c->now, p->sock, req->data + addr_len, req->len - addr_len,
			     TERN_SOCK_FASTOPEN, addr_len ? req->data : NULL, addr_len);
	if (n >= 0 || n == -EINPROGRESS || n == -EALREADY) {
		begin_connecting(p, req);
		tern_pair_queue(p);
	} else if (p->kind == TERN_PAIR_CONNECTING) {
		end_connecting(p, (int)n);
	}
	return (int)n;
}

static int call_unwait(struct tern_pair *p)
{
	if (p->handshakes)
		p->handshakes--;
	/* The shim would have raised it when its byte was taken. */
	if (p->kind == TERN_PAIR_STREAM && !p->handshakes)
		tern_pair_set_narrow(p, true);
	return 0;
}

static int call_shutdown(struct call *c, struct tern_pair *p)
{
	int how = c->req->args[0], err;
	bool stream = p->kind == TERN_PAIR_STREAM;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (p->kind == TERN_PAIR_LISTENER && how == SHUT_WR)
		return 0;
	/* What was written before it comes first: the FIN is sent when the pair says so. */
	if (stream && how == SHUT_WR)
		err = p->flags & TERN_PF_FIN_OUT ? 0 : tern_stream_is_open(p) ? 0 : -ENOTCONN;
	else
		err = tern_sock_shutdown(c->socks, c->now, p->sock, stream ? SHUT_RD : how);
	if (err)
		return err;
	p->flags |= TERN_PF_SHUT_OP;
	if (p->kind == TERN_PAIR_LISTENER)
		tern_pair_die(p, 0);
	else if (p->kind == TERN_PAIR_CONNECTING)
		tern_pair_die(p, ECONNRESET);
	return 0;
}

/* Remembers what was set, the last value of each. */
static void remember(struct tern_pair *p, const struct tern_posix_request *req)
{
	struct tern_posix_setting *s = p->settings, *grown;
	unsigned int i;

	if (req->len > sizeof(s->value))
		return;
	for (i = 0; i < p->settings_len; i++)
		if (s[i].level == req->args[0] && s[i].name == req->args[1])
			break;
	if (i == p->settings_len) {
		if (i == TERN_BROKER_SETTINGS)
			return;
		grown = realloc(s, (i + 1) * sizeof(*s));
		if (!grown)
			return;
		p->settings = s = grown;
		p->settings_len++;
	}
	s[i] = (struct tern_posix_setting){ .level = req->args[0],
					    .name = req->args[1],
					    .len = req->len };
	memcpy(s[i].value, req->data, req->len);
}

void tern_settings_give(const struct tern_posix_setting *settings, unsigned int n,
			struct tern_posix_reply *reply)
{
	_Static_assert(TERN_BROKER_SETTINGS * sizeof(*settings) <= TERN_POSIX_DATA_MAX, "fits");
	reply->len = (uint32_t)(n * sizeof(*settings));
	if (n)
		memcpy(reply->data, settings, reply->len);
}

void tern_settings_put_in_line(const struct tern_posix_setting *settings, unsigned int n, int end)
{
	for (unsigned int i = 0; i < n; i++)
		if (settings[i].level == SOL_SOCKET && settings[i].name == SO_OOBINLINE)
			(void)setsockopt(end, SOL_SOCKET, SO_OOBINLINE, settings[i].value,
					 settings[i].len);
}

void tern_pair_count_linger(struct tern_pair *p)
{
	struct tern_linger linger = { 0 };
	uint32_t len = sizeof(linger);
	struct tern_posix_page *page = p->broker->page;
	bool was = p->flags & TERN_PF_LINGER, is;

	(void)tern_sock_getsockopt(tern_broker_socks(p->broker), tern_broker_now(p->broker),
				   p->sock, TERN_ABI_SOL_SOCKET, TERN_ABI_SO_LINGER, &linger, &len);
	is = p->type == SOCK_STREAM && linger.onoff && linger.seconds > 0;
	if (is && !was)
		page->lingers++;
	else if (was && !is)
		page->lingers--;
	p->flags = (uint16_t)(is ? p->flags | TERN_PF_LINGER : p->flags & ~TERN_PF_LINGER);
}

/* A line about an option, if it is a lack of ours: Linux takes options of that level. */
static void say_unsupported(const struct tern_pair *p, const char *call, int level, int name)
{
	char room[TERN_OPTION_ROOM];

	if ((level == IPPROTO_IPV6 && p->domain != AF_INET6) ||
	    (level == IPPROTO_TCP && p->type != SOCK_STREAM))
		return;
	tern_broker_log(p->broker, "%s: %s is not supported", call,
			tern_option_name(level, name, room));
}

static int call_setsockopt(struct call *c, struct tern_pair *p)
{
	int level = c->req->args[0], name = c->req->args[1];
	int err;

	/* Of a stream it is the pair's; the stack leaves all bytes in line. */
	if (level == SOL_SOCKET && name == SO_OOBINLINE && p->type == SOCK_STREAM) {
		remember(p, c->req);
		return 0;
	}
	if (level == IPPROTO_TCP && name == TERN_ABI_TCP_CORK)
		tern_stream_catch_up(p);
	err = tern_sock_setsockopt(c->socks, c->now, p->sock, level, name, c->req->data,
				   c->req->len);
	if (err == -ENOPROTOOPT)
		say_unsupported(p, "setsockopt()", level, name);
	if (err)
		return err;
	remember(p, c->req);
	if (level == TERN_ABI_SOL_SOCKET && name == TERN_ABI_SO_LINGER)
		tern_pair_count_linger(p);
	return 0;
}

static int call_getsockopt(struct call *c, struct tern_pair *p)
{
	int level = c->req->args[0], name = c->req->args[1], err;
	uint32_t len = (uint32_t)TERN_MIN(c->req->args[2], TERN_POSIX_DATA_MAX);

	if (c->req->args[2] < 0)
		return -EINVAL;
	if (p->error && level == TERN_ABI_SOL_SOCKET && name == TERN_ABI_SO_ERROR) {
		c->reply->len = TERN_MIN(len, (uint32_t)sizeof(p->error));
		memcpy(c->reply->data, &p->error, c->reply->len);
		if (p->kind == TERN_PAIR_FRESH)
			p->error = 0;
		return 0;
	}
	err = tern_sock_getsockopt(c->socks, c->now, p->sock, level, name, c->reply->data, &len);
	if (err == -ENOPROTOOPT || err == -EOPNOTSUPP)
		say_unsupported(p, "getsockopt()", level, name);
	if (!err)
		c->reply->len = len;
	return err;
}

static int call_name(struct call *c, struct tern_pair *p)
{
	bool peer = c->req->op == TERN_POSIX_GETPEERNAME;
	uint32_t len = sizeof(union tern_posix_addr);
	int err = peer ? tern_sock_getpeername(c->socks, p->sock, c->reply->data, &len)
		       : tern_sock_getsockname(c->socks, p->sock, c->reply->data, &len);

	if (!err)
		c->reply->len = len;
	return err;
}

/* Bytes on their way, those between the program and us included. */
static int call_outq(struct call *c, struct tern_pair *p)
{
	int bytes = 0, waiting = 0, err;

	if (c->req->args[0])
		err = tern_sock_outqnsd(c->socks, c->now, p->sock, &bytes);
	else
		err = tern_sock_outq(c->socks, c->now, p->sock, &bytes);
	if (err)
		return err;
	if (p->kind == TERN_PAIR_STREAM && ioctl(p->fd, FIONREAD, &waiting) == 0)
		bytes += TERN_MAX(waiting - (int)p->tail, 0);
	return bytes;
}

/* Looks do not go past marks from now on, and the bytes at them stay in line. */
static int call_urgent(struct tern_pair *p)
{
	int on = 1;

	if (p->type != SOCK_STREAM || !p->broker->urgent)
		return -EOPNOTSUPP;
	if (setsockopt(p->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0)
		return -errno;
	p->flags |= TERN_PF_URGENT;
	return 0;
}

static int call_more(struct call *c, struct tern_pair *p)
{
	if (p->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	tern_stream_catch_up(p);
	tern_pair_set_more(p, c->req->args[0] != 0);
	return 0;
}

static int call_linger(struct call *c, struct tern_pair *p)
{
	int ends[2];

	if (!(p->flags & TERN_PF_LINGER))
		return -EINVAL;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	if (p->linger_fd >= 0)
		(void)close(p->linger_fd);
	p->linger_fd = ends[1];
	*c->ret_fd = ends[0];
	return 0;
}

/* Was that the last close()? Then what it left behind is taken in at once. */
static int call_linger_closed(struct tern_pair *p)
{
	struct pollfd end = { .fd = p->fd, .events = POLLIN };

	if (poll(&end, 1, 0) == 1 && (end.revents & POLLHUP)) {
		p->bits |= TERN_PB_HANGUP | TERN_PB_READ_END | TERN_PB_PAIR_IN;
		p->bits |= end.revents & POLLERR ? TERN_PB_ERROR : 0;
		if (tern_pair_is_closed(p)) {
			tern_pair_queue(p);
			return 1;
		}
	}
	if (p->linger_fd >= 0)
		(void)close(p->linger_fd);
	p->linger_fd = -1;
	return 0;
}

static void write_prefix(struct tern_addr *addr, unsigned int length)
{
	for (unsigned int i = 0; i < sizeof(addr->b); i++) {
		unsigned int bits = length > 8 * i ? TERN_MIN(length - 8 * i, 8u) : 0;

		addr->b[i] = (uint8_t)(0xff00 >> bits);
	}
}

static void write_addr(const struct tern_addr *addr, union tern_posix_addr *ret)
{
	struct tern_endpoint ep = { .addr = *addr };
	union tern_sockaddr sa;
	uint32_t len =
		tern_sockaddr_write(addr->family == TERN_INET ? AF_INET : AF_INET6, &ep, &sa);

	memcpy(ret, &sa, len);
}

static int call_addresses(struct call *c)
{
	const struct tern_host *host = c->b->host;

	_Static_assert(TERN_ADDRS_MAX * sizeof(struct tern_posix_ifaddr) <= TERN_POSIX_DATA_MAX,
		       "fits");
	for (unsigned int i = 0; i < host->addr_count; i++) {
		const struct tern_prefix *own = &host->addrs[i];
		struct tern_posix_ifaddr row = { .mtu = host->mtu, .length = own->length };
		struct tern_addr mask = own->addr, broadcast = own->addr;

		write_prefix(&mask, own->length);
		for (unsigned int n = 0; n < 4; n++)
			broadcast.b[n] |= (uint8_t)~mask.b[n];
		write_addr(&own->addr, &row.addr);
		write_addr(&mask, &row.netmask);
		if (own->addr.family == TERN_INET)
			write_addr(&broadcast, &row.broadcast);
		memcpy(c->reply->data + c->reply->len, &row, sizeof(row));
		c->reply->len += (uint32_t)sizeof(row);
	}
	return 0;
}

/* What libc has no call of the same name for. */
static int call_aside(struct call *c, struct tern_pair *p)
{
	switch ((enum tern_posix_op)c->req->op) {
	case TERN_POSIX_CONNECT_UNWAIT:
		return call_unwait(p);
	case TERN_POSIX_OUTQ:
		return call_outq(c, p);
	case TERN_POSIX_URGENT:
		return call_urgent(p);
	case TERN_POSIX_MORE:
		return call_more(c, p);
	case TERN_POSIX_LINGER:
		return call_linger(c, p);
	case TERN_POSIX_LINGER_CLOSED:
		return call_linger_closed(p);
	case TERN_POSIX_SETTINGS:
		if (p->kind == TERN_PAIR_DGRAM)
			tern_near_close(p);
		tern_settings_give(p->settings, p->settings_len, c->reply);
		return 0;
	case TERN_POSIX_LAST_ERROR:
		return p->kind == TERN_PAIR_FRESH ? -ENOTCONN : p->error;
	case TERN_POSIX_RENEW: /* it is not used up */
		return p->kind == TERN_PAIR_STREAM ? -EISCONN : -EINVAL;
	default:
		return -EOPNOTSUPP;
	}
}

/* A request about a socket that lives. */
static int call_socket(struct call *c, struct tern_pair *p)
{
	switch ((enum tern_posix_op)c->req->op) {
	case TERN_POSIX_BIND:
		return call_bind(c, p);
	case TERN_POSIX_LISTEN:
		return call_listen(c, p);
	case TERN_POSIX_CONNECT:
		return call_connect(c, p);
	case TERN_POSIX_FASTOPEN:
		return call_fastopen(c, p);
	case TERN_POSIX_SHUTDOWN:
		return call_shutdown(c, p);
	case TERN_POSIX_SETSOCKOPT:
		return call_setsockopt(c, p);
	case TERN_POSIX_GETSOCKOPT:
		return call_getsockopt(c, p);
	case TERN_POSIX_GETSOCKNAME:
	case TERN_POSIX_GETPEERNAME:
		return call_name(c, p);
	default:
		return call_aside(c, p);
	}
}

/* The shim is told once that the program's end may have its full size. */
static void tell_established(struct tern_broker *b, const struct tern_posix_request *req,
			     struct tern_posix_reply *reply)
{
	struct tern_pair *p = req->noreply ? NULL : tern_pair_find(b, req->id);

	if (!p || p->kind != TERN_PAIR_STREAM || !(p->flags & TERN_PF_NARROW))
		return;
	tern_pair_set_narrow(p, false);
	reply->flags |= TERN_POSIX_ESTABLISHED;
}

void tern_call(struct tern_broker *b, const struct tern_posix_request *req,
	       struct tern_posix_reply *reply, int *ret_fd)
{
	struct call c = { b, tern_broker_socks(b), tern_broker_now(b), req, reply, ret_fd };
	struct tern_pair *p;
	struct tern_dead *dead;

	if (req->op == TERN_POSIX_OPEN) {
		reply->result = call_open(&c);
		return;
	}
	if (req->op == TERN_POSIX_ADDRESSES) {
		reply->result = call_addresses(&c);
		return;
	}
	if (req->op == TERN_POSIX_LOG) {
		tern_broker_log(b, "%.*s", (int)TERN_MIN(req->len, (uint32_t)LINE_SHOWN),
				(const char *)req->data);
		return;
	}
	p = tern_pair_find(b, req->id);
	if (p && p->kind == TERN_PAIR_DGRAM)
		tern_dgram_catch_up(p);
	dead = p ? NULL : tern_dead_find(b, req->id);
	if (p)
		reply->result = call_socket(&c, p);
	else if (dead)
		tern_dead_call(b, dead, req, reply, ret_fd);
	else
		reply->result = req->op == TERN_POSIX_LINGER_CLOSED ? 1 : -EBADF;
	tell_established(b, req, reply);
}
