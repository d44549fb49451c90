/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_pair.c: the making and unmaking of the socket pairs that programs hold an end of.
 *
 *	STREAM, fresh		the program's end has the least SO_SNDBUF and is full: b->fill
 *				bytes
 *	STREAM, accepted	one byte, the tail; SO_SNDBUF as TERN_POSIX_SNDBUF, if that is not
 *				the system's default anyway
 *	SEQPACKET (datagrams)	empty
 *
 * A pair is never shared by two records, an id never used twice: what an old descriptor's name says
 * leads to nobody. A descriptor of the program's end is not kept, since then nobody would tell of
 * the program's close().
 *
 * Closed or shut down? A hang-up says that both halves are shut. Where the program has never called
 * shutdown() it has closed. Otherwise the shim has bound its end to a name before it shut it down:
 * whoever can bind to that name as well knows that the end is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "posix/internal.h"
#include "sock/abi.h"

enum {
	FILL_MAX = 64,
	SERIAL_SHIFT = 24, /* tern_sock's descriptors have at most 24 bits */
};

#define NS_PER_S UINT64_C(1000000000)

static bool is_stream(const struct tern_pair *p)
{
	return p->type == SOCK_STREAM;
}

/* n writes of one byte. */
static int fill(int fd, unsigned int n)
{
	struct iovec iov = { .iov_base = (char[]){ 0 }, .iov_len = 1 };
	struct mmsghdr msgs[FILL_MAX];
	int done;

	for (unsigned int i = 0; i < n; i++)
		msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	done = sendmmsg(fd, msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done < 0)
		return -errno;
	return (unsigned int)done == n ? 0 : -ENOBUFS;
}

/* The system raises 0 to the least it allows. */
static int least_sndbuf(int fd)
{
	int least = 0;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) < 0 ? -errno : 0;
}

static int set_sndbuf(int fd)
{
	int bytes = TERN_POSIX_SNDBUF;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0 ? -errno : 0;
}

static bool is_wide(int fd)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len) == 0 &&
	       bytes >= 2 * TERN_POSIX_SNDBUF;
}

int tern_pair_measure(struct tern_broker *b)
{
	int ends[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	b->narrow = !is_wide(ends[1]);
	err = set_sndbuf(ends[1]);
	if (!err && !is_wide(ends[1]))
		tern_broker_log(b,
				"net.core.wmem_max is below %d: programs that poll() may wait "
				"for ever",
				TERN_POSIX_SNDBUF);
	if (!err)
		err = least_sndbuf(ends[1]);
	while (!err && b->fill < FILL_MAX && send(ends[1], "", 1, MSG_DONTWAIT) == 1)
		b->fill++;
	b->urgent = send(ends[0], "", 1, MSG_OOB | MSG_DONTWAIT) == 1;
	(void)close(ends[0]);
	(void)close(ends[1]);
	return err ? err : b->fill < 2 || b->fill == FILL_MAX ? -EOPNOTSUPP : 0;
}

static socklen_t write_name(const struct tern_pair *p, const union tern_posix_addr *local,
			    const union tern_posix_addr *remote, struct sockaddr_un *un)
{
	struct tern_posix_name name = { .type = p->type, .domain = p->domain };
	uint64_t salt = tern_rng_u64(&p->broker->rng);

	name.prefix[0] = 0;
	memcpy(name.prefix + 1, TERN_POSIX_PREFIX, TERN_POSIX_PREFIX_LEN);
	memcpy(name.prefix + 1 + TERN_POSIX_PREFIX_LEN, p->broker->run, TERN_POSIX_RUN_LEN);
	name.prefix[sizeof(name.prefix) - 1] = '/';
	memcpy(name.id, &p->id, sizeof(name.id));
	memcpy(name.salt, &salt, sizeof(name.salt));
	if (remote) {
		name.accepted = 1;
		memcpy(name.local, local, sizeof(name.local));
		memcpy(name.remote, remote, sizeof(name.remote));
	}
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, &name, sizeof(name));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name));
}

static void ready(struct tern_host_service *service, int fd, unsigned int events)
{
	struct tern_pair *p = (struct tern_pair *)service;
	unsigned int bits = 0;

	if (fd != p->fd)
		return;
	bits |= events & TERN_LOOP_IN ? TERN_PB_PAIR_IN : 0u;
	bits |= events & TERN_LOOP_READ_END ? TERN_PB_READ_END : 0u;
	bits |= events & TERN_LOOP_HANGUP ? TERN_PB_HANGUP | TERN_PB_READ_END : 0u;
	bits |= events & TERN_LOOP_ERROR ? TERN_PB_ERROR : 0u;
	if (events & TERN_LOOP_OUT)
		p->bits &= (uint8_t)~TERN_PB_PAIR_FULL;
	p->bits |= (uint8_t)bits;
	tern_pair_queue(p);
}

int tern_pair_watch(struct tern_pair *p, bool out)
{
	unsigned int events = TERN_LOOP_IN | TERN_LOOP_READ_END | TERN_LOOP_EDGE;

	if (out)
		p->flags |= TERN_PF_WATCH_OUT;
	else
		p->flags &= (uint16_t)~TERN_PF_WATCH_OUT;
	return tern_host_watch(p->broker->host, p->fd, events | (out ? TERN_LOOP_OUT : 0u),
			       &p->service);
}

/* Readies the two ends of a fresh pair. */
static int set_up(struct tern_pair *p, const int ends[2], const union tern_posix_addr *local,
		  const union tern_posix_addr *remote)
{
	struct sockaddr_un un;
	socklen_t len = write_name(p, local, remote, &un);
	struct stat st;
	int err = 0;

	if (is_stream(p) && !remote)
		err = least_sndbuf(ends[1]);
	else if (is_stream(p) && p->broker->narrow)
		err = set_sndbuf(ends[1]);
	if (is_stream(p) && !err)
		err = fill(ends[1], remote ? 1 : p->broker->fill);
	if (err)
		return err;
	if (bind(ends[0], (const struct sockaddr *)&un, len) < 0 || fstat(ends[1], &st) < 0)
		return -errno;
	p->ino = st.st_ino;
	return 0;
}

/* Makes the ends of a record that has none. */
static int make_ends(struct tern_pair *p, const union tern_posix_addr *local,
		     const union tern_posix_addr *remote, int *ret_end)
{
	int type = is_stream(p) ? SOCK_STREAM : SOCK_SEQPACKET;
	int ends[2], err;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	p->id = ++p->broker->serial << SERIAL_SHIFT | (uint64_t)p->sock;
	p->fd = ends[0];
	err = set_up(p, ends, local, remote);
	if (!err)
		err = tern_pair_watch(p, false);
	if (err) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		p->fd = -1;
		return err;
	}
	*ret_end = ends[1];
	return 0;
}

static void close_end(struct tern_pair *p)
{
	if (p->fd < 0)
		return;
	tern_loop_forget(p->broker->host->loop, p->fd);
	(void)close(p->fd);
	p->fd = -1;
}

/* The mark is in the pair: the program's end says what becomes of the urgent byte. */
static void keep_in_line(struct tern_broker *b, int sock)
{
	static const int in_line = 1;

	(void)tern_sock_setsockopt(tern_broker_socks(b), tern_broker_now(b), sock,
				   TERN_ABI_SOL_SOCKET, TERN_ABI_SO_OOBINLINE, &in_line,
				   sizeof(in_line));
}

int tern_pair_new(struct tern_broker *b, int sock, int domain, int type,
		  const union tern_posix_addr *local, const union tern_posix_addr *remote,
		  struct tern_pair **ret_pair, int *ret_end)
{
	struct tern_pair *p = &b->pairs[sock];
	int err;

	/* A record that died while it was in a list is still there, and stays. */
	*p = (struct tern_pair){
		.service.ready = ready,
		.broker = b,
		.sock = sock,
		.fd = -1,
		.next = p->next,
		.linger_next = p->linger_next,
		.flags = p->flags & (TERN_PF_QUEUED | TERN_PF_LINGERS),
		.domain = (uint8_t)domain,
		.type = (uint8_t)type,
		.linger_fd = -1,
	};
	err = make_ends(p, local, remote, ret_end);
	if (err)
		return err;
	p->kind = type == SOCK_STREAM ? TERN_PAIR_FRESH : TERN_PAIR_DGRAM;
	if (type == SOCK_DGRAM)
		b->page->dgrams++;
	else
		keep_in_line(b, sock);
	tern_pair_set_narrow(p, type == SOCK_STREAM && !remote);
	b->pairs_count++;
	b->pairs_top = TERN_MAX(b->pairs_top, (uint32_t)sock + 1);
	*ret_pair = p;
	return 0;
}

struct tern_pair *tern_pair_find(struct tern_broker *b, uint64_t id)
{
	uint64_t sock = id & ((UINT64_C(1) << SERIAL_SHIFT) - 1);

	if (!id || sock >= b->pairs_top)
		return NULL;
	return b->pairs[sock].id == id && b->pairs[sock].kind != TERN_PAIR_LINGERING
		       ? &b->pairs[sock]
		       : NULL;
}

void tern_pair_set_narrow(struct tern_pair *p, bool narrow)
{
	if (narrow == ((p->flags & TERN_PF_NARROW) != 0))
		return;
	p->flags ^= TERN_PF_NARROW;
	p->broker->page->narrow += narrow ? 1u : UINT32_MAX;
}

void tern_pair_set_more(struct tern_pair *p, bool more)
{
	if (more == ((p->flags & TERN_PF_MORE) != 0))
		return;
	p->flags ^= TERN_PF_MORE;
	p->broker->page->more += more ? 1u : UINT32_MAX;
}

void tern_pair_free(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;

	if (p->kind == TERN_PAIR_LISTENER)
		tern_accept_free(p);
	else if (p->kind == TERN_PAIR_DGRAM)
		tern_near_close(p);
	close_end(p);
	if (p->linger_fd >= 0)
		(void)close(p->linger_fd);
	if (p->flags & TERN_PF_LINGER)
		b->page->lingers--;
	tern_pair_set_narrow(p, false);
	tern_pair_set_more(p, false);
	if (p->type == SOCK_DGRAM)
		b->page->dgrams--;
	free(p->settings);
	p->settings = NULL;
	p->linger_fd = -1;
	p->id = 0;
	p->bits = 0;
	p->flags &= TERN_PF_QUEUED | TERN_PF_LINGERS;
	p->kind = TERN_PAIR_FREE;
	b->pairs_count--;
}

bool tern_pair_is_closed(struct tern_pair *p)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	bool taken;
	int fd;

	if ((p->bits & TERN_PB_ERROR) || !(p->flags & TERN_PF_SHUT_OP))
		return true;
	fd = socket(AF_UNIX, (is_stream(p) ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	(void)getsockname(p->fd, (struct sockaddr *)&un, &len);
	tern_posix_say_alive(&un, p->broker->token);
	taken = bind(fd, (const struct sockaddr *)&un, len) < 0 && errno == EADDRINUSE;
	(void)close(fd);
	return !taken;
}

/* Puts a record at the end of those that linger. */
static void append(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	uint32_t number = (uint32_t)p->sock + 1;

	p->flags |= TERN_PF_LINGERS;
	p->linger_next = 0;
	if (b->linger_tail)
		b->pairs[b->linger_tail - 1].linger_next = number;
	else
		b->linger_head = number;
	b->linger_tail = number;
}

void tern_pair_begin_linger(struct tern_pair *p)
{
	struct tern_linger linger = { 0 };
	uint32_t len = sizeof(linger);

	if (p->linger_fd < 0 || p->linger_until)
		return;
	(void)tern_sock_getsockopt(tern_broker_socks(p->broker), tern_broker_now(p->broker),
				   p->sock, TERN_ABI_SOL_SOCKET, TERN_ABI_SO_LINGER, &linger, &len);
	p->linger_until = tern_host_until(tern_broker_now(p->broker),
					  (uint64_t)TERN_MAX(linger.seconds, 0) * NS_PER_S);
	if (!(p->flags & TERN_PF_LINGERS))
		append(p);
}

static void reset_at_close(struct tern_pair *p)
{
	struct tern_linger none = { .onoff = 1, .seconds = 0 };

	(void)tern_sock_setsockopt(tern_broker_socks(p->broker), tern_broker_now(p->broker),
				   p->sock, TERN_ABI_SOL_SOCKET, TERN_ABI_SO_LINGER, &none,
				   sizeof(none));
}

void tern_pair_close(struct tern_pair *p)
{
	struct tern_socks *socks = tern_broker_socks(p->broker);
	uint64_t now = tern_broker_now(p->broker), until;

	tern_pair_begin_linger(p);
	if (is_stream(p) && ((p->bits & TERN_PB_ERROR) || (p->flags & TERN_PF_ABORT)))
		reset_at_close(p);
	if (tern_sock_close(socks, now, p->sock, &until) == -EINPROGRESS) {
		if (p->linger_fd >= 0) {
			close_end(p);
			p->kind = TERN_PAIR_LINGERING;
			return;
		}
		(void)tern_sock_linger(socks, now, p->sock, true);
	}
	tern_pair_free(p);
}

void tern_pair_drop(struct tern_pair *p)
{
	struct tern_socks *socks = tern_broker_socks(p->broker);
	uint64_t now = tern_broker_now(p->broker), until;

	if (p->kind == TERN_PAIR_FREE)
		return;
	if (p->kind == TERN_PAIR_LINGERING ||
	    tern_sock_close(socks, now, p->sock, &until) == -EINPROGRESS)
		(void)tern_sock_linger(socks, now, p->sock, true);
	tern_pair_free(p);
}

void tern_pair_abandon(struct tern_pair *p)
{
	if (p->kind == TERN_PAIR_STREAM)
		reset_at_close(p);
	tern_pair_drop(p);
}

/* Does it go on lingering? If not, nobody waits for it any more. */
static bool lingers_on(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	uint64_t now = tern_broker_now(b);
	bool over = now >= p->linger_until;

	if (p->kind == TERN_PAIR_LINGERING) {
		if (tern_sock_linger(tern_broker_socks(b), now, p->sock, over) == -EAGAIN)
			return true;
		tern_pair_free(p);
		return false;
	}
	/* What was written before the close is still in the pair. */
	if (p->linger_fd >= 0 && !over)
		return true;
	if (p->linger_fd >= 0)
		(void)close(p->linger_fd);
	p->linger_fd = -1;
	return false;
}

void tern_pair_linger(struct tern_broker *b)
{
	unsigned int budget = TERN_BROKER_LINGERS;
	uint32_t last = b->linger_tail, number;

	do {
		struct tern_pair *p;

		number = b->linger_head;
		p = &b->pairs[number - 1];
		b->linger_head = p->linger_next;
		if (!b->linger_head)
			b->linger_tail = 0;
		p->flags &= (uint16_t)~TERN_PF_LINGERS;
		if (p->kind != TERN_PAIR_FREE && lingers_on(p))
			append(p);
	} while (number != last && --budget);
}
