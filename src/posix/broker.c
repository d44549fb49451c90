/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker.c: the broker as a whole: its making and its turn.
 *
 * Two sources tell of pairs: the loop (of the ends that we hold, edge triggered) and the sockets
 * (tern_sock_next_changed). Either sets bits in the pair and puts it into one queue, once. A turn
 * runs what is queued when it begins; what runs out of its budget queues itself again and has its
 * next share in the next turn, which then does not wait (tern_broker_patience).
 *
 * The page is a memfd that can only be grown into a writable mapping by us: it is sealed against
 * further ones before anybody gets its descriptor.
 */
#include "posix/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "posix/internal.h"

enum {
	PAGE_SIZE = 4096,
	LINE_MAX = 256,
	RESETS = 256, /* between two turns of the host, at the end */
};

static void write_hex(char *to, const uint8_t *from, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		to[2 * i] = digits[from[i] >> 4];
		to[2 * i + 1] = digits[from[i] & 15];
	}
}

static int make_names(struct tern_broker *b)
{
	uint8_t run[TERN_POSIX_RUN_LEN / 2], seed[TERN_RNG_SEED_LEN];
	char token[2 * TERN_POSIX_TOKEN_LEN + 1] = "";
	int err = tern_loop_entropy(run, sizeof(run));

	if (!err)
		err = tern_loop_entropy(b->token, sizeof(b->token));
	if (!err)
		err = tern_loop_entropy(seed, sizeof(seed));
	if (err)
		return err;
	tern_rng_init(&b->rng, seed);
	write_hex(b->run, run, sizeof(run));
	write_hex(token, b->token, sizeof(b->token));
	(void)snprintf(b->env, sizeof(b->env), "%s=%s:%s", TERN_POSIX_ENV, b->run, token);
	return 0;
}

static int make_page(struct tern_broker *b)
{
	void *page;

	b->page_fd = memfd_create("tern", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (b->page_fd < 0 || ftruncate(b->page_fd, PAGE_SIZE) < 0)
		return -errno;
	page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, b->page_fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	b->page = page;
	if (fcntl(b->page_fd, F_ADD_SEALS,
		  F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

/* Each socket of a program costs us a descriptor. */
static int raise_limit(struct tern_broker *b)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &b->nofile) < 0)
		return -errno;
	most = b->nofile;
	most.rlim_cur = most.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &most) < 0 ? -errno : 0;
}

static int make(struct tern_broker *b)
{
	int err = make_names(b);

	if (!err)
		err = make_page(b);
	if (!err)
		err = raise_limit(b);
	b->pairs = calloc(b->pairs_max, sizeof(*b->pairs));
	b->deads = calloc(TERN_BROKER_DEADS, sizeof(*b->deads));
	if (!err && (!b->pairs || !b->deads))
		err = -ENOMEM;
	if (!err)
		err = tern_pair_measure(b);
	return err ? err : tern_control_new(b);
}

int tern_broker_new(struct tern_host *host, const struct tern_broker_config *cfg,
		    struct tern_broker **ret_broker, char *error)
{
	struct tern_broker *b = calloc(1, sizeof(*b));
	int err = -ENOMEM;

	if (b) {
		b->host = host;
		b->cfg = *cfg;
		b->pairs_max = host->sockets_max;
		b->page_fd = b->listen_fd = b->spares[0] = b->spares[1] = -1;
		b->retry_at = TERN_NEVER;
		err = make(b);
	}
	if (err) {
		tern_broker_free(b);
		return tern_host_fail(error, err, "cannot make a broker for programs: %s",
				      strerror(-err));
	}
	*ret_broker = b;
	return 0;
}

/* Now and then the host sends: the stack has room for so many resets only. */
static void abandon_all(struct tern_broker *b)
{
	for (uint32_t i = 0; b->pairs && i < b->pairs_top; i++) {
		if (b->pairs[i].kind != TERN_PAIR_FREE)
			tern_pair_abandon(&b->pairs[i]);
		if (i % RESETS == 0)
			tern_host_flush(b->host);
	}
}

void tern_broker_free(struct tern_broker *b)
{
	if (!b)
		return;
	if (b->pairs)
		tern_control_free(b);
	abandon_all(b);
	for (unsigned int i = 0; b->deads && i < TERN_BROKER_DEADS; i++)
		free(b->deads[i].settings);
	free(b->deads);
	free(b->pairs);
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(b->spares); i++)
		if (b->spares[i] >= 0)
			(void)close(b->spares[i]);
	if (b->page)
		(void)munmap(b->page, PAGE_SIZE);
	if (b->page_fd >= 0)
		(void)close(b->page_fd);
	if (b->nofile.rlim_max)
		(void)setrlimit(RLIMIT_NOFILE, &b->nofile);
	free(b);
}

const char *tern_broker_env(const struct tern_broker *b)
{
	return b->env;
}

void tern_broker_owed(const struct tern_broker *b, struct tern_host_left *left)
{
	for (uint32_t i = 0; i < b->pairs_top; i++) {
		const struct tern_pair *p = &b->pairs[i];
		struct tern_socket_info row;
		uint64_t unsent = p->kind == TERN_PAIR_STREAM ? tern_stream_unsent(p) : 0;

		if (!unsent ||
		    tern_stack_socket(b->host->st, tern_broker_now(b),
				      tern_sock_id(tern_broker_socks(b), p->sock), &row) < 0)
			continue;
		left->conns++;
		left->bytes += unsent + row.send_q;
	}
}

void tern_broker_child(const struct tern_broker *b)
{
	(void)setrlimit(RLIMIT_NOFILE, &b->nofile);
}

uint32_t tern_broker_sockets(const struct tern_broker *b)
{
	return b->pairs_count;
}

uint32_t tern_broker_listeners(const struct tern_broker *b)
{
	return b->listeners;
}

/* FNV-1a; a collision costs a line of the log. */
static uint64_t hash_of(const char *line)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *line; line++)
		hash = (hash ^ (uint8_t)*line) * UINT64_C(0x100000001b3);
	return hash;
}

void tern_broker_log(struct tern_broker *b, const char *format, ...)
{
	char line[LINE_MAX];
	uint64_t hash;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!b->cfg.log || b->logged_len == TERN_BROKER_LOGGED)
		return;
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	hash = hash_of(line);
	for (unsigned int i = 0; i < b->logged_len; i++)
		if (b->logged[i] == hash)
			return;
	b->logged[b->logged_len++] = hash;
	b->cfg.log(b->cfg.log_user, line);
}

void tern_pair_queue(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;
	uint32_t number = (uint32_t)(p - b->pairs) + 1;

	if (p->kind == TERN_PAIR_LINGERING || (p->flags & TERN_PF_QUEUED))
		return;
	p->flags |= TERN_PF_QUEUED;
	p->next = 0;
	if (b->queue_tail)
		b->pairs[b->queue_tail - 1].next = number;
	else
		b->queue_head = number;
	b->queue_tail = number;
}

static void run(struct tern_pair *p)
{
	switch ((enum tern_pair_kind)p->kind) {
	case TERN_PAIR_FRESH:
		tern_fresh_run(p);
		break;
	case TERN_PAIR_CONNECTING:
		tern_connect_run(p);
		break;
	case TERN_PAIR_STREAM:
		tern_stream_run(p);
		break;
	case TERN_PAIR_LISTENER:
		tern_accept_run(p);
		break;
	case TERN_PAIR_DGRAM:
		tern_dgram_run(p);
		break;
	case TERN_PAIR_FREE:
	case TERN_PAIR_LINGERING:
		break;
	}
}

/* Runs what is queued now; a record that was freed meanwhile is passed over when its turn comes. */
static void run_queue(struct tern_broker *b)
{
	uint32_t last = b->queue_tail, number;

	do {
		struct tern_pair *p;

		number = b->queue_head;
		if (!number)
			break;
		p = &b->pairs[number - 1];
		b->queue_head = p->next;
		if (!b->queue_head)
			b->queue_tail = 0;
		p->next = 0;
		p->flags &= (uint16_t)~TERN_PF_QUEUED;
		b->ran = true;
		run(p);
	} while (number != last);
}

static void take_changes(struct tern_broker *b)
{
	int sock;

	while ((sock = tern_sock_next_changed(tern_broker_socks(b))) >= 0) {
		struct tern_pair *p = &b->pairs[sock];

		if (p->kind == TERN_PAIR_FREE)
			continue;
		p->bits |= TERN_PB_CHANGED;
		tern_pair_queue(p);
	}
}

/* Descriptors or memory may be there again. */
static void retry(struct tern_broker *b)
{
	b->retry_at = TERN_NEVER;
	tern_control_retry(b);
	for (uint32_t i = 0; i < b->pairs_top; i++)
		if (b->pairs[i].kind == TERN_PAIR_LISTENER)
			tern_pair_queue(&b->pairs[i]);
}

void tern_broker_turn(struct tern_broker *b)
{
	b->ran = b->called;
	b->called = false;
	if (tern_broker_now(b) >= b->retry_at)
		retry(b);
	take_changes(b);
	if (b->linger_head)
		tern_pair_linger(b);
	run_queue(b);
}

uint64_t tern_broker_patience(const struct tern_broker *b, uint64_t timeout_ns)
{
	uint64_t now = tern_broker_now(b), wait = timeout_ns;

	/* What was done may have led to events at once: own addresses are served without a wait. */
	if (b->ran || b->queue_head)
		return 0;
	if (b->linger_head)
		wait = TERN_MIN(wait, TERN_BROKER_LINGER_NS);
	if (b->retry_at != TERN_NEVER)
		wait = TERN_MIN(wait, b->retry_at > now ? b->retry_at - now : 0);
	return wait;
}
