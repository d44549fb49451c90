/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An application that does everything wrong: calls in any order with stale, foreign and invented
 * ids, impossible arguments, while frames come in between and memory fails at any point. Every call
 * answers with an error that its header names; the bystander does not notice.
 */
#include "harness/hostile.h"

#include <errno.h>
#include <limits.h>

enum {
	IDS = 24,
	STEPS = 400,
	SEEDS = 300,
	TEXT = 20000,
};

/* Ids that the wrongdoer has heard of, alive or not. */
struct wrongdoer {
	struct world *w;
	struct tern_stack *st;
	tern_id ids[IDS];
};

static uint8_t text[TEXT];

/* Is it one of the errors, which end with 0, or what a connection may die of? */
static bool named(int64_t got, const int *errors)
{
	static const int deaths[] = { ECONNRESET,   ECONNREFUSED, ETIMEDOUT,   EPIPE,
				      EHOSTUNREACH, ENETUNREACH,  EPROTO,      EADDRNOTAVAIL,
				      EACCES,       EMSGSIZE,     ENOPROTOOPT, ECONNABORTED };

	if (got >= 0)
		return true;
	for (; *errors; errors++) {
		if (got == -*errors)
			return true;
		for (unsigned int i = 0; *errors == EIO && i < TERN_ARRAY_SIZE(deaths); i++)
			if (got == -deaths[i])
				return true;
	}
	return false;
}

#define NAMED(got, ...)                                                                     \
	do {                                                                                \
		int64_t got_ = (got);                                                       \
		if (!named(got_, (const int[]){ __VA_ARGS__, 0 })) {                        \
			print_error("%s = %lld\n", #got, (long long)got_);                  \
			hostile_fail("an error that the header names", __FILE__, __LINE__); \
		}                                                                           \
	} while (0)
#define DEATH EIO /* stands for all pending errors */

/* An id: known, stale, of another kind or generation, or invented. Never the bystander's. */
static tern_id any_id(struct wrongdoer *m)
{
	struct world *w = m->w;
	tern_id id = m->ids[world_pick(w, IDS)];

	switch (world_pick(w, 16)) {
	case 0:
		id ^= UINT64_C(1) << world_pick(w, 64);
		break;
	case 1:
		id = tern_rng_u64(&w->rng);
		break;
	case 2:
		id = tern_id_make((enum tern_id_kind)world_pick(w, 4), world_pick(w, 3),
				  world_pick(w, 600));
		break;
	default:
		break;
	}
	return m->st == w->victim && (id == w->near || id == w->quiet) ? 0 : id;
}

static void remember(struct wrongdoer *m, tern_id id)
{
	m->ids[world_pick(m->w, IDS)] = id;
}

static struct tern_endpoint any_endpoint(struct wrongdoer *m)
{
	static const char *const texts[] = { "0.0.0.0",   "255.255.255.255", "10.77.0.255",
					     "224.0.0.1", "127.0.0.1",       "::",
					     "::1",       "ff02::1",         "::ffff:10.77.0.2" };
	static const uint16_t ports[] = { 0, 1, 53, 80, 81, 7777, 65535, 40000 };
	struct world *w = m->w;
	uint8_t hosts[] = { FRIEND_HOST, VICTIM_HOST, MARK_HOST, MARK_HOST, VICTIM_HOST, 99 };
	struct tern_endpoint e = world_at(w, hosts[world_pick(w, sizeof(hosts))],
					  ports[world_pick(w, TERN_ARRAY_SIZE(ports))]);

	if (world_once_in(w, 5))
		HOLDS(tern_addr_parse(texts[world_pick(w, TERN_ARRAY_SIZE(texts))], &e.addr) == 0);
	if (world_once_in(w, 20))
		e.addr.family = (uint8_t)world_pick(w, 256);
	return e;
}

static int64_t extreme(struct world *w)
{
	static const int64_t numbers[] = { 0,         1,         -1,        2,       127,
					   128,       255,       256,       4096,    32767,
					   32768,     65536,     INT_MAX,   INT_MIN, 1 << 20,
					   INT64_MAX, INT64_MIN, UINT32_MAX };

	return numbers[world_pick(w, TERN_ARRAY_SIZE(numbers))];
}

/* ---- the calls ---- */

static void open_one(struct wrongdoer *m)
{
	static const enum tern_type types[] = { TERN_STREAM, TERN_STREAM, TERN_DGRAM, 0, 77 };
	struct world *w = m->w;
	tern_id id = 0;
	int family = world_once_in(w, 6) ? (int)world_pick(w, 8) : w->family;
	int err = tern_stack_open(m->st, w->now, types[world_pick(w, 5)], (enum tern_family)family,
				  &id);

	NAMED(err, EAFNOSUPPORT, EPROTONOSUPPORT, ENOBUFS);
	if (!err)
		remember(m, id);
}

static void bind_one(struct wrongdoer *m)
{
	struct tern_endpoint e = any_endpoint(m);

	NAMED(tern_stack_bind(m->st, m->w->now, any_id(m), &e), EBADF, EINVAL, EADDRNOTAVAIL,
	      EADDRINUSE, EAFNOSUPPORT, ENOBUFS);
}

static void listen_one(struct wrongdoer *m)
{
	NAMED(tern_stack_listen(m->st, m->w->now, any_id(m), (int)extreme(m->w)), EBADF, EINVAL,
	      EADDRINUSE, EOPNOTSUPP, ENOBUFS);
}

static void connect_one(struct wrongdoer *m)
{
	struct tern_endpoint e = any_endpoint(m);

	NAMED(tern_stack_connect(m->st, m->w->now, any_id(m), &e), EBADF, EISCONN, EALREADY,
	      EADDRNOTAVAIL, EAGAIN, ENETUNREACH, EACCES, ECONNREFUSED, EAFNOSUPPORT, EOPNOTSUPP,
	      ENOBUFS);
}

static void accept_one(struct wrongdoer *m)
{
	tern_id id = 0;
	int err = tern_stack_accept(m->st, m->w->now, any_id(m), &id);

	NAMED(err, EBADF, EAGAIN, EINVAL, EOPNOTSUPP);
	if (!err)
		remember(m, id);
}

static void send_one(struct wrongdoer *m)
{
	uint32_t len = world_pick(m->w, TEXT);

	NAMED(tern_stack_send(m->st, m->w->now, any_id(m), text, len, world_pick(m->w, 2)), EBADF,
	      EAGAIN, EPIPE, ENOTCONN, ENOBUFS, EDESTADDRREQ, EMSGSIZE, EINVAL, DEATH);
}

static void recv_one(struct wrongdoer *m)
{
	uint8_t buf[3000];

	NAMED(tern_stack_recv(m->st, m->w->now, any_id(m), buf, world_pick(m->w, sizeof(buf)),
			      world_pick(m->w, 2)),
	      EBADF, EAGAIN, ENOTCONN, DEATH);
}

static void peek_one(struct wrongdoer *m)
{
	struct tern_piece pieces[5];
	int n = tern_stack_peek(m->st, m->w->now, any_id(m), pieces, world_pick(m->w, 6));
	unsigned int sum = 0;

	NAMED(n, EBADF, EAGAIN, ENOTCONN, EOPNOTSUPP, DEATH);
	for (int i = 0; i < n; i++)
		for (uint32_t at = 0; at < pieces[i].len; at++)
			sum += pieces[i].ptr[at];
	HOLDS(n <= 5 && sum < UINT32_MAX);
}

static void commit_one(struct wrongdoer *m)
{
	NAMED(tern_stack_commit(m->st, m->w->now, any_id(m), world_pick(m->w, TEXT),
				world_pick(m->w, 2)),
	      EBADF, EPIPE, ENOTCONN, EOPNOTSUPP, EINVAL, DEATH);
}

/* Room that is filled and sent, or left alone. */
static void reserve_one(struct wrongdoer *m)
{
	uint32_t len = 1 + world_pick(m->w, TEXT - 1);
	tern_id id = any_id(m);
	struct tern_room rooms[5];
	int n = tern_stack_reserve(m->st, m->w->now, id, len, rooms, world_pick(m->w, 6));
	size_t got = 0;

	NAMED(n, EBADF, EAGAIN, EPIPE, ENOTCONN, EOPNOTSUPP, ENOBUFS, DEATH);
	for (int i = 0; i < n; got += rooms[i++].len)
		memset(rooms[i].ptr, 'r', rooms[i].len);
	HOLDS(n <= 5 && got <= len);
	if (n <= 0 || world_once_in(m->w, 4))
		return;
	got = world_pick(m->w, (uint32_t)got + 1);
	HOLDS(tern_stack_commit(m->st, m->w->now, id, got, 0) == (int64_t)got);
}

static void hold_one(struct wrongdoer *m)
{
	uint32_t count = world_once_in(m->w, 2) ? 0 : (uint32_t)extreme(m->w);

	NAMED(tern_stack_hold(m->st, m->w->now, any_id(m), count), EBADF, EINVAL);
}

static void sendto_one(struct wrongdoer *m)
{
	struct tern_endpoint e = any_endpoint(m);

	NAMED(tern_stack_sendto(m->st, m->w->now, any_id(m), text, world_pick(m->w, 4000),
				world_once_in(m->w, 3) ? NULL : &e),
	      EBADF, EDESTADDRREQ, EMSGSIZE, EAGAIN, ENETUNREACH, EISCONN, EPIPE, ENOTCONN, ENOBUFS,
	      EAFNOSUPPORT, EINVAL, EADDRNOTAVAIL, EADDRINUSE, EACCES, DEATH);
}

static void recvfrom_one(struct wrongdoer *m)
{
	struct tern_endpoint from;
	uint8_t buf[3000];

	NAMED(tern_stack_recvfrom(m->st, m->w->now, any_id(m), buf, world_pick(m->w, 3000),
				  world_pick(m->w, 2), world_once_in(m->w, 2) ? &from : NULL),
	      EBADF, EAGAIN, ENOTCONN, DEATH);
}

static void shutdown_one(struct wrongdoer *m)
{
	NAMED(tern_stack_shutdown(m->st, m->w->now, any_id(m), (enum tern_how)world_pick(m->w, 3)),
	      EBADF, ENOTCONN, ENOBUFS);
}

static void close_one(struct wrongdoer *m)
{
	tern_id id = any_id(m);
	int err = world_once_in(m->w, 3) ? tern_stack_abort(m->st, m->w->now, id)
					 : tern_stack_close(m->st, m->w->now, id);

	NAMED(err, EBADF);
	HOLDS(err || tern_stack_close(m->st, m->w->now, id) == -EBADF); /* dead at once */
}

static void option_one(struct wrongdoer *m)
{
	tern_id id = any_id(m);
	enum tern_option option = (enum tern_option)world_pick(m->w, TERN_SO_STATE + 3);
	int64_t value;

	NAMED(tern_stack_option(m->st, m->w->now, id, option, extreme(m->w)), EBADF, ENOPROTOOPT,
	      EINVAL);
	NAMED(tern_stack_get_option(m->st, m->w->now, id, option, &value), EBADF, ENOPROTOOPT,
	      EINVAL);
}

static void look(struct wrongdoer *m)
{
	struct tern_trace_record record;
	struct tern_socket_info row;
	struct tern_endpoint e;
	uint64_t cursor = world_once_in(m->w, 4) ? tern_rng_u64(&m->w->rng) >> 8 : 0;
	unsigned int rows = 0;

	NAMED(tern_stack_local(m->st, any_id(m), &e), EBADF);
	NAMED(tern_stack_remote(m->st, any_id(m), &e), EBADF, ENOTCONN);
	NAMED(tern_stack_set_user(m->st, any_id(m), 7), EBADF);
	NAMED(tern_stack_socket(m->st, m->w->now, any_id(m), &row), EBADF);
	while (cursor < UINT64_C(4) << 56 &&
	       tern_stack_next_socket(m->st, m->w->now, &cursor, &row))
		HOLDS(++rows < 2000 && row.state >= TERN_ESTABLISHED && row.state <= TERN_CLOSING);
	cursor = 0;
	while (tern_stack_trace(m->st, &cursor, &record))
		HOLDS(record.kind <= TERN_TRACE_STATE);
}

static void knob_one(struct wrongdoer *m)
{
	static const char *const names[] = { "net.ipv4.tcp_syn_retries",
					     "net.ipv4.tcp_rmem",
					     "net.ipv4.tcp_fin_timeout",
					     "net.ipv4.tcp_max_orphans",
					     "net.ipv4.tcp_timestamps",
					     "net.ipv4.nothing",
					     "",
					     "net.ipv4.tcp_tw_reuse" };
	static const char *const values[] = { "0", "1",    "-1",  "4096 8192 16384",      "x",
					      "",  "  7 ", "1 2", "99999999999999999999", "2",
					      "3x" };
	char old[64];
	const char *name = names[world_pick(m->w, TERN_ARRAY_SIZE(names))];
	int err = tern_stack_get_knob(m->st, name, old, sizeof(old));

	NAMED(err, ENOENT, ENOSPC);
	NAMED(tern_stack_knob(m->st, m->w->now, name,
			      values[world_pick(m->w, TERN_ARRAY_SIZE(values))]),
	      ENOENT, EINVAL, ERANGE);
	if (!err && world_once_in(m->w, 2))
		HOLDS(tern_stack_knob(m->st, m->w->now, name, old) == 0);
}

static void (*const calls[])(struct wrongdoer *) = {
	open_one,     open_one,     open_one,   bind_one,   listen_one,  connect_one,
	connect_one,  accept_one,   send_one,   send_one,   recv_one,    sendto_one,
	recvfrom_one, shutdown_one, close_one,  option_one, option_one,  look,
	knob_one,     peek_one,     commit_one, hold_one,   reserve_one,
};

/* ---- frames in between ---- */

static void to_mark(struct world *w, uint8_t *frame, uint32_t len)
{
	struct tern_frame f = { .data = frame, .len = len };

	if (!world_once_in(w, 20))
		tern_stack_input(w->mark, w->now, &f, 1);
}

static void carry_mark(struct world *w)
{
	uint8_t frame[HOSTILE_FRAME];
	struct tern_out out;

	for (unsigned int n = 0; n < 200 && tern_stack_output(w->mark, w->now, &out, 1); n++) {
		uint32_t len = 0;

		for (unsigned int i = 0; i < out.pieces; i++) {
			memcpy(frame + len, out.piece[i].ptr, out.piece[i].len);
			len += out.piece[i].len;
		}
		if (!world_once_in(w, 20))
			world_inject(w, frame, len);
	}
	world_settle(w);
}

static void any_frame(struct world *w)
{
	static const uint16_t ports[] = { 80, 81, 53, 7777, 40000 };
	struct shot s = { .from = world_at(w, ATTACKER_HOST, (uint16_t)(1 + world_pick(w, 20))),
			  .to = world_at(w, VICTIM_HOST, ports[world_pick(w, 5)]),
			  .seq = world_pick(w, 3),
			  .ack = w->last.seq + 1,
			  .flags = (uint16_t)world_pick(w, 64),
			  .wnd = (uint16_t)world_pick(w, 3000),
			  .len = world_pick(w, 20) };

	world_fire(w, &s);
}

static void misuse(uint64_t seed, bool poor)
{
	struct world *w = world_new(seed % 2 ? TERN_INET : TERN_INET6, seed);
	struct tern_config cfg = hostile_config(w->family, MARK_HOST, seed);
	struct wrongdoer m[2] = { { .w = w, .st = w->victim }, { .w = w } };

	HOLDS(tern_stack_new(&cfg, w->now, &w->mark) == 0);
	m[1].st = w->mark;
	w->outsider = to_mark;
	w->idle_server = world_once_in(w, 2);
	w->moody_server = world_once_in(w, 2);
	for (unsigned int i = 0; i < STEPS; i++) {
		if (poor && world_once_in(w, 3))
			w->victim->mem.fail_in = 1 + world_pick(w, 4);
		calls[world_pick(w, TERN_ARRAY_SIZE(calls))](&m[world_once_in(w, 3)]);
		if (world_once_in(w, 4))
			any_frame(w);
		carry_mark(w);
		if (world_once_in(w, 3))
			world_serve(w);
		if (world_once_in(w, 8))
			world_chat(w, world_pick(w, 3000));
		world_pass(w, world_once_in(w, 30) ? world_pick(w, 100) * HOSTILE_S
						   : world_pick(w, 50) * HOSTILE_MS);
		world_check(w);
	}
	w->victim->mem.fail_in = 0;
	world_free(w);
}

static void misuse_rich(uint64_t seed)
{
	misuse(seed, false);
}

static void misuse_poor(uint64_t seed)
{
	misuse(seed, true);
}

static void misuse_is_answered_by_named_errors(void **state)
{
	(void)state;
	hostile_run(__func__, SEEDS, misuse_rich);
}

static void misuse_with_failing_memory_is_answered_by_named_errors(void **state)
{
	(void)state;
	hostile_run(__func__, SEEDS, misuse_poor);
}

/* ---- what the misuse above has shown ---- */

static int connect_to(struct world *w, const char *host, uint16_t port, bool bound)
{
	struct tern_endpoint at = world_at(w, VICTIM_HOST, 0), to = { .port = port };
	uint64_t out = w->out;
	tern_id id;
	int err;

	HOLDS(tern_addr_parse(host, &to.addr) == 0);
	HOLDS(tern_stack_open(w->victim, w->now, TERN_STREAM, (enum tern_family)w->family, &id) ==
	      0);
	if (bound)
		HOLDS(tern_stack_bind(w->victim, w->now, id, &at) == 0);
	err = tern_stack_connect(w->victim, w->now, id, &to);
	world_settle(w);
	HOLDS(err == 0 || w->out == out);
	HOLDS(tern_stack_close(w->victim, w->now, id) == 0);
	return err;
}

static void a_bound_socket_needs_a_route_as_well(void **state)
{
	struct world *w = world_new(TERN_INET, 1), *w6 = world_new(TERN_INET6, 1);

	(void)state;
	for (int bound = 0; bound < 2; bound++) {
		HOLDS(connect_to(w, "127.0.0.1", 80, bound) == -ENETUNREACH);
		HOLDS(connect_to(w, "10.77.0.9", 80, bound) == 0);
		HOLDS(connect_to(w6, "::1", 80, bound) == -ENETUNREACH);
		HOLDS(connect_to(w6, "fe80::1", 80, bound) == -ENETUNREACH);
		HOLDS(connect_to(w6, "fd77::9", 80, bound) == 0);
	}
	world_free(w6);
	world_free(w);
}

static void nothing_is_sent_to_port_0(void **state)
{
	struct world *w = world_new(TERN_INET, 1);

	(void)state;
	HOLDS(connect_to(w, "10.77.0.9", 0, false) == -ECONNREFUSED);
	HOLDS(connect_to(w, "10.77.0.2", 0, false) == -ECONNREFUSED);
	HOLDS(connect_to(w, "10.77.0.9", 1, false) == 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bound_socket_needs_a_route_as_well),
		cmocka_unit_test(nothing_is_sent_to_port_0),
		cmocka_unit_test(misuse_is_answered_by_named_errors),
		cmocka_unit_test(misuse_with_failing_memory_is_answered_by_named_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
