/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/sock.c: the table of sockets, and what events do to them.
 *
 * A descriptor is an index into a table that is reserved at once; the lowest free one is found in
 * a bitmap, from a word before which all are taken. The engine's sockets carry the descriptor + 1
 * as their user number, so an event finds its socket without a search; one whose id is not the
 * socket's (any more) is ignored.
 *
 * A socket is a record of what BSD sockets know and TCP does not: how far connect() has told its
 * story (phase), which halves are shut (shut, Linux' sk_shutdown), the pending error. These follow
 * the engine's events and the program's calls; the engine's state is asked for only where a
 * connection is taken over (accept) or lingers.
 *
 *	event		in the record
 *	CONNECTED	ESTABLISHED
 *	PEER_CLOSED	PEER_FIN, shut |= RCV
 *	WRITABLE	NOSPACE ends
 *	ACCEPTABLE	ACCEPTABLE, until the queue is seen empty
 *	ERROR		the engine's pending error becomes the socket's
 *	CLOSED		CLOSED, shut = BOTH
 *
 * Each of them also puts the socket on the list of what has changed (changed_head), unless it is
 * there. The list is linked through the records: it cannot outgrow the table, and closing takes a
 * socket off it.
 *
 * An engine connection lives once; Linux' sockets live on after connect() has failed, after
 * connect(AF_UNSPEC) and after shutdown(SHUT_RD) of a listener. tern_sock_renew() gives such a
 * socket a new engine socket with the same options and the same bind().
 */
#include "sock/sock.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "sock/kept.h"
#include "trace/state.h"

#define SOCKS_MAX (UINT32_C(1) << 24)

static size_t words_of(uint32_t max)
{
	return (max + 63) / 64;
}

int tern_socks_new(struct tern_stack *st, uint32_t max, struct tern_socks **ret)
{
	struct tern_mem mem = { 0 };
	struct tern_socks *ss;

	if (!st || max < 1 || max > SOCKS_MAX)
		return -EINVAL;
	ss = tern_mem_alloc(&mem, sizeof(*ss));
	if (!ss)
		return -ENOMEM;
	ss->st = st;
	ss->max = max;
	ss->mem = mem;
	ss->table = tern_mem_alloc(&ss->mem, max * sizeof(*ss->table));
	ss->used = tern_mem_alloc(&ss->mem, words_of(max) * sizeof(*ss->used));
	if (!ss->table || !ss->used) {
		tern_socks_free(ss);
		return -ENOMEM;
	}
	*ret = ss;
	return 0;
}

void tern_socks_free(struct tern_socks *ss)
{
	struct tern_mem mem;

	if (!ss)
		return;
	tern_mem_free(&ss->mem, ss->table, ss->max * sizeof(*ss->table));
	tern_mem_free(&ss->mem, ss->used, words_of(ss->max) * sizeof(*ss->used));
	mem = ss->mem;
	tern_mem_free(&mem, ss, sizeof(*ss));
}

uint32_t tern_socks_count(const struct tern_socks *ss)
{
	return ss->count;
}

int tern_sock_alloc(struct tern_socks *ss)
{
	uint32_t word = ss->first_word, words = (uint32_t)words_of(ss->max), fd;
	struct tern_sock *s;

	while (word < words && ss->used[word] == UINT64_MAX)
		word++;
	ss->first_word = word;
	if (word == words)
		return -EMFILE;
	fd = word * 64 + (uint32_t)__builtin_ctzll(~ss->used[word]);
	if (fd >= ss->max)
		return -EMFILE;
	ss->used[word] |= UINT64_C(1) << (fd % 64);
	ss->count++;
	s = &ss->table[fd];
	*s = (struct tern_sock){
		.flags = TERN_SF_OPEN,
		.rcvlowat = 1,
		.linger_s = -1,
		.rcvtimeo_ns = TERN_NEVER,
		.sndtimeo_ns = TERN_NEVER,
	};
	tern_kept_init(s);
	return (int)fd;
}

/* Appends a socket to the list of what has changed. */
static void mark_changed(struct tern_socks *ss, struct tern_sock *s)
{
	uint32_t number = (uint32_t)(s - ss->table) + 1;

	if (s->flags & TERN_SF_CHANGED)
		return;
	s->flags |= TERN_SF_CHANGED;
	s->changed_next = 0;
	s->changed_prev = ss->changed_tail;
	if (ss->changed_tail)
		ss->table[ss->changed_tail - 1].changed_next = number;
	else
		ss->changed_head = number;
	ss->changed_tail = number;
}

static void unmark_changed(struct tern_socks *ss, struct tern_sock *s)
{
	if (!(s->flags & TERN_SF_CHANGED))
		return;
	s->flags &= ~(uint32_t)TERN_SF_CHANGED;
	if (s->changed_next)
		ss->table[s->changed_next - 1].changed_prev = s->changed_prev;
	else
		ss->changed_tail = s->changed_prev;
	if (s->changed_prev)
		ss->table[s->changed_prev - 1].changed_next = s->changed_next;
	else
		ss->changed_head = s->changed_next;
}

int tern_sock_next_changed(struct tern_socks *ss)
{
	int fd = (int)ss->changed_head - 1;

	if (fd >= 0)
		unmark_changed(ss, &ss->table[fd]);
	return fd;
}

void tern_sock_release(struct tern_socks *ss, int fd)
{
	struct tern_sock *s = &ss->table[fd];
	uint32_t word = (uint32_t)fd / 64;

	assert(s->flags & TERN_SF_OPEN);
	unmark_changed(ss, s);
	s->flags = 0;
	s->id = 0;
	ss->used[word] &= ~(UINT64_C(1) << ((uint32_t)fd % 64));
	if (word < ss->first_word)
		ss->first_word = word;
	ss->count--;
}

int64_t tern_sock_engine_option(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
				enum tern_option option)
{
	int64_t value = 0;

	(void)tern_stack_get_option(ss->st, now, s->id, option, &value);
	return value;
}

void tern_sock_fetch_error(struct tern_socks *ss, uint64_t now, struct tern_sock *s)
{
	int64_t error = tern_sock_engine_option(ss, now, s, TERN_SO_ERROR);

	if (error)
		s->error = (int32_t)error;
}

static void take_event(struct tern_socks *ss, uint64_t now, struct tern_sock *s, uint32_t bits)
{
	if (bits & TERN_EV_ACCEPTABLE)
		s->flags |= TERN_SF_ACCEPTABLE;
	if (bits & TERN_EV_CONNECTED)
		s->flags |= TERN_SF_ESTABLISHED;
	if (bits & TERN_EV_WRITABLE)
		s->flags &= ~(uint32_t)TERN_SF_NOSPACE;
	if (bits & TERN_EV_PEER_CLOSED) {
		s->flags |= TERN_SF_PEER_FIN;
		s->shut |= TERN_SHUT_RCV;
	}
	if (bits & TERN_EV_ERROR)
		tern_sock_fetch_error(ss, now, s);
	if (bits & TERN_EV_CLOSED) {
		s->flags |= TERN_SF_CLOSED;
		s->shut |= TERN_SHUT_BOTH;
	}
}

void tern_sock_poll_events(struct tern_socks *ss, uint64_t now)
{
	struct tern_event ev;

	while (tern_stack_event(ss->st, &ev)) {
		struct tern_sock *s;

		if (ev.user == 0 || ev.user > ss->max)
			continue;
		s = &ss->table[ev.user - 1];
		if (!(s->flags & TERN_SF_OPEN) || s->id != ev.id)
			continue;
		take_event(ss, now, s, ev.bits);
		mark_changed(ss, s);
	}
}

void tern_sock_adopt(struct tern_socks *ss, uint64_t now, int fd, tern_id id)
{
	struct tern_sock *s = &ss->table[fd];

	s->id = id;
	(void)tern_stack_set_user(ss->st, id, (uint64_t)fd + 1);
	if (s->phase != TERN_PHASE_CONNECTED)
		return;
	s->flags |= TERN_SF_ESTABLISHED;
	switch (tern_sock_engine_option(ss, now, s, TERN_SO_STATE)) {
	case TERN_CLOSE_WAIT:
	case TERN_LAST_ACK:
	case TERN_CLOSING:
	case TERN_TIME_WAIT:
		take_event(ss, now, s, TERN_EV_PEER_CLOSED);
		break;
	case TERN_CLOSED:
		take_event(ss, now, s, TERN_EV_ERROR | TERN_EV_CLOSED);
		break;
	default:
		break;
	}
}

/* Gives the new engine socket what the program had set on the old one. */
static void carry_options(struct tern_socks *ss, uint64_t now, const struct tern_sock *s,
			  tern_id id)
{
	for (int option = 0; option < 64; option++) {
		int64_t value;

		if (!(s->options & (UINT64_C(1) << option)))
			continue;
		if (option == TERN_SO_MAXSEG)
			value = s->max_seg;
		else if (tern_stack_get_option(ss->st, now, s->id, (enum tern_option)option,
					       &value) < 0)
			continue;
		(void)tern_stack_option(ss->st, now, id, (enum tern_option)option, value);
	}
}

/* Both ends have closed: nobody is reset. */
static bool is_closing(struct tern_socks *ss, uint64_t now, const struct tern_sock *s)
{
	unsigned int state = (unsigned int)tern_sock_engine_option(ss, now, s, TERN_SO_STATE);

	return tern_state_in(state, TERN_STATES(CLOSING) | TERN_STATES(LAST_ACK));
}

int tern_sock_renew(struct tern_socks *ss, uint64_t now, int fd)
{
	struct tern_sock *s = &ss->table[fd];
	tern_id id;
	int err;

	err = tern_stack_open(ss->st, now, tern_sock_is_stream(s) ? TERN_STREAM : TERN_DGRAM,
			      s->domain == TERN_AF_INET ? TERN_INET : TERN_INET6, &id);
	if (err)
		return err;
	carry_options(ss, now, s, id);
	if (s->phase != TERN_PHASE_UNCONNECTED && !(s->flags & TERN_SF_CLOSED) &&
	    !is_closing(ss, now, s))
		s->error = ECONNRESET; /* the program itself reset it, and Linux tells it so */
	if (tern_sock_is_stream(s) && !(s->flags & TERN_SF_LISTENING))
		(void)tern_stack_abort(ss->st, now, s->id);
	else
		(void)tern_stack_close(ss->st, now, s->id);
	s->flags &= ~(uint32_t)(TERN_SF_LISTENING | TERN_SF_ESTABLISHED | TERN_SF_CLOSED |
				TERN_SF_PEER_FIN | TERN_SF_NOSPACE | TERN_SF_ACCEPTABLE |
				TERN_SF_DEFERRED);
	s->phase = TERN_PHASE_UNCONNECTED;
	s->shut = 0;
	s->held = 0;
	tern_sock_adopt(ss, now, fd, id);
	/* A port that bind() was not asked for by number is not kept: Linux' rule. */
	if (s->bound.port == 0 && tern_addr_is_any(&s->bound.addr))
		s->flags &= ~(uint32_t)TERN_SF_BOUND;
	return s->flags & TERN_SF_BOUND ? tern_sock_bind_engine(ss, now, s, &s->bound) : 0;
}

tern_id tern_sock_id(const struct tern_socks *ss, int fd)
{
	const struct tern_sock *s = tern_sock_at(ss, fd);

	return s ? s->id : 0;
}

int tern_sock_type(const struct tern_socks *ss, int fd)
{
	const struct tern_sock *s = tern_sock_at(ss, fd);

	return s ? s->type : -EBADF;
}
