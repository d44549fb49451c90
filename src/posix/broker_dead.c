/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_dead.c: sockets that failed while the program may still hold them.
 *
 * A reset, a refused or timed out connection ends the pair at once: our end is closed with the tail
 * unread, so that the program, after what was handed to it before, reads ECONNRESET. Nobody will
 * tell us when it closes its end, so the tern socket is closed as well. What the program may yet
 * ask for is kept by serial number in a table in which a later one takes an earlier one's place:
 *
 *	SO_ERROR		the errno, once
 *	TERN_POSIX_LAST_ERROR	the errno, always
 *	getsockname()		as it was
 *	BIND LISTEN CONNECT	-ESTALE: the shim asks for RENEW, which makes a new socket with the
 *				same options and the same bind(), as Linux' sockets live on
 *
 * A connect() in progress that failed tells so once more when it is repeated, by its errno or, if
 * SO_ERROR has told that, ECONNABORTED: what RENEW makes knows that it still has to.
 *
 * Options are zero (TCP_INFO says CLOSE); those that are set are forgotten. What would depend on a
 * connection is -ENOTCONN.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "posix/internal.h"
#include "sock/abi.h"

static struct tern_dead *place_of(struct tern_broker *b, uint64_t id)
{
	return &b->deads[(id >> 24) % TERN_BROKER_DEADS];
}

struct tern_dead *tern_dead_find(struct tern_broker *b, uint64_t id)
{
	struct tern_dead *dead = place_of(b, id);

	return id && dead->id == id ? dead : NULL;
}

/* What is unread at our end would reach the program as ECONNRESET. */
static void swallow(struct tern_pair *p)
{
	while (recv(p->fd, p->broker->scratch, sizeof(p->broker->scratch), MSG_DONTWAIT) > 0)
		continue;
}

void tern_pair_die(struct tern_pair *p, int err)
{
	struct tern_broker *b = p->broker;
	struct tern_dead *dead = place_of(b, p->id);
	uint32_t len = sizeof(dead->local);

	free(dead->settings);
	*dead = (struct tern_dead){
		.id = p->id,
		.error = err,
		.last_error = err,
		.domain = p->domain,
		.type = p->type,
		.settings_len = p->settings_len,
		.bound = p->flags & TERN_PF_BOUND,
		.failed = err && p->kind == TERN_PAIR_CONNECTING && !p->handshakes,
		.settings = p->settings,
	};
	(void)tern_sock_getsockname(tern_broker_socks(b), p->sock, &dead->local, &len);
	p->settings = NULL;
	p->settings_len = 0;
	/* Who has read the end reads it again. */
	if (!err || (p->flags & TERN_PF_FIN_IN))
		swallow(p);
	tern_pair_drop(p);
}

static uint32_t size_of(const union tern_posix_addr *addr)
{
	return addr->any.sa_family == AF_INET6 ? sizeof(addr->in6) : sizeof(addr->in);
}

/* A new socket in the place of the dead one. */
static int renew(struct tern_broker *b, struct tern_dead *dead, struct tern_posix_reply *reply,
		 int *ret_fd)
{
	struct tern_socks *socks = tern_broker_socks(b);
	uint64_t now = tern_broker_now(b), until;
	struct tern_pair *p;
	int sock = tern_sock_open(socks, now, dead->domain, dead->type, 0), err = 0;

	if (sock < 0)
		return sock;
	for (unsigned int i = 0; i < dead->settings_len; i++)
		(void)tern_sock_setsockopt(socks, now, sock, dead->settings[i].level,
					   dead->settings[i].name, dead->settings[i].value,
					   dead->settings[i].len);
	if (dead->bound)
		err = tern_sock_bind(socks, now, sock, &dead->local, size_of(&dead->local));
	if (!err)
		err = tern_pair_new(b, sock, dead->domain, dead->type, NULL, NULL, &p, ret_fd);
	if (err) {
		(void)tern_sock_close(socks, now, sock, &until);
		return err;
	}
	p->flags |= dead->bound ? TERN_PF_BOUND : 0;
	p->flags |= dead->failed ? TERN_PF_FAILED : 0;
	p->error = dead->error;
	p->settings = dead->settings;
	p->settings_len = dead->settings_len;
	tern_pair_count_linger(p);
	tern_settings_put_in_line(p->settings, p->settings_len, *ret_fd);
	reply->id = p->id;
	*dead = (struct tern_dead){ 0 };
	return 0;
}

static int give_name(const union tern_posix_addr *addr, struct tern_posix_reply *reply)
{
	if (addr->any.sa_family == AF_UNSPEC)
		return -ENOTCONN;
	reply->len = size_of(addr);
	memcpy(reply->data, addr, reply->len);
	return 0;
}

static int take_error(struct tern_dead *dead)
{
	int err = dead->error;

	dead->error = 0;
	return err;
}

static int give_option(struct tern_dead *dead, const struct tern_posix_request *req,
		       struct tern_posix_reply *reply)
{
	uint32_t room = (uint32_t)TERN_MIN(TERN_MAX(req->args[2], 0), TERN_POSIX_DATA_MAX);
	int32_t value = 0;

	if (req->args[0] == TERN_ABI_SOL_TCP && req->args[1] == TERN_ABI_TCP_INFO) {
		struct tern_tcp_info info = { .state = TCP_CLOSE };

		reply->len = TERN_MIN(room, (uint32_t)sizeof(info));
		memcpy(reply->data, &info, reply->len);
		return 0;
	}
	if (req->args[0] == TERN_ABI_SOL_SOCKET && req->args[1] == TERN_ABI_SO_ERROR)
		value = take_error(dead);
	reply->len = TERN_MIN(room, (uint32_t)sizeof(value));
	memcpy(reply->data, &value, reply->len);
	return 0;
}

void tern_dead_call(struct tern_broker *b, struct tern_dead *dead,
		    const struct tern_posix_request *req, struct tern_posix_reply *reply,
		    int *ret_fd)
{
	switch ((enum tern_posix_op)req->op) {
	case TERN_POSIX_RENEW:
		reply->result = renew(b, dead, reply, ret_fd);
		break;
	case TERN_POSIX_CONNECT:
	case TERN_POSIX_FASTOPEN:
	case TERN_POSIX_BIND:
	case TERN_POSIX_LISTEN:
		reply->result = -ESTALE;
		break;
	case TERN_POSIX_GETSOCKOPT:
		reply->result = give_option(dead, req, reply);
		break;
	case TERN_POSIX_GETSOCKNAME:
		reply->result = give_name(&dead->local, reply);
		break;
	case TERN_POSIX_SETTINGS:
		tern_settings_give(dead->settings, dead->settings_len, reply);
		reply->result = 0;
		break;
	case TERN_POSIX_LAST_ERROR:
		reply->result = dead->last_error;
		break;
	case TERN_POSIX_SETSOCKOPT:
	case TERN_POSIX_OUTQ:
	case TERN_POSIX_URGENT:
	case TERN_POSIX_MORE:
	case TERN_POSIX_CONNECT_UNWAIT:
	case TERN_POSIX_LINGER_CLOSED:
		reply->result = 0;
		break;
	default:
		reply->result = -ENOTCONN;
		break;
	}
}
