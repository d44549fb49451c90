/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks, a bad wire between them, two applications that write and read as it suits them: all
 * by a seed, in virtual time. Whatever the wire does, each application reads what the other wrote,
 * the whole of it, then the end; both close; everything comes back; and after each entry into a
 * stack its invariants hold. TERN_SEED=N runs seed N alone; a failing seed says so.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/invariants.h"
#include "link/fault.h"
#include "link/mem.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

#define PATIENCE (300 * S)

enum { SEEDS = 600, CHUNK = 40000 };

/* One application, at one end of the connection. */
struct app {
	tern_id id;
	uint32_t total, written; /* bytes it has to write */
	uint32_t expected, read; /* bytes the other has to write */
	bool shut, ended, closed;
	bool broken;   /* the other aborted */
	bool events;   /* acts when an event says so, not by the clock */
	bool half;     /* half-closes when all is written; else closes at the end */
	uint64_t turn; /* when it acts next */
	uint32_t pause_ms, chunk, gulp; /* between turns; most bytes of a write, of a read */
};

struct world {
	uint64_t seed, now, begun;
	struct tern_rng rng;
	struct tern_link_side side[2];
	struct app app[2];
	tern_id listener;
	struct invariants inv[2];
	uint8_t buf[CHUNK];
	bool small_memory;
	bool crossed;       /* both connect: simultaneous open */
	uint64_t abort_ns;  /* when side 0 aborts; TERN_NEVER: it closes as it should */
	uint64_t narrow_ns; /* when the path becomes narrower … */
	uint32_t pmtu;      /* … and how much may pass then */
};

/* What the stacks saw last, where the ring was on: in a replay. */
static void tell(const struct world *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct tern_trace_record r;
		uint64_t cursor = 0;

		while (tern_stack_trace(w->side[i].stack, &cursor, &r))
			print_error("\n%u %.6f %u %s>%s %x seq %u ack %u len %u win %u %s", i,
				    (double)(r.time_ns - w->begun) / 1e9, r.kind,
				    tern_state_name(r.before), tern_state_name(r.after), r.flags,
				    r.seq, r.ack, r.length, r.window, tern_drop_name(r.reason));
	}
}

#define FAIL(w, ...)                                                        \
	do {                                                                \
		print_error(__VA_ARGS__);                                   \
		tell(w);                                                    \
		print_error("\nreplay: TERN_SEED=%llu test_fsm_transfer\n", \
			    (unsigned long long)(w)->seed);                 \
		fail();                                                     \
	} while (0)

/* What all seeds together must have met, or they do not test what they are for. */
static const enum tern_counter meant[] = {
	TERN_CNT_TcpActiveOpens,
	TERN_CNT_TcpPassiveOpens,
	TERN_CNT_TcpExtTCPFastRetrans,
	TERN_CNT_TcpExtTCPSlowStartRetrans,
	TERN_CNT_TcpExtTCPTimeouts,
	TERN_CNT_TcpExtTCPLossProbes,
	TERN_CNT_TcpExtTCPSynRetrans,
	TERN_CNT_TcpExtTCPRenoRecovery,
	TERN_CNT_TcpExtTCPRenoFailures,
	TERN_CNT_TcpExtTCPOFOQueue,
	TERN_CNT_TcpExtDelayedACKs,
	TERN_CNT_TcpExtTCPWinProbe,
	TERN_CNT_TcpExtTCPToZeroWindowAdv,
	TERN_CNT_TcpExtTCPMemoryPressures,
	TERN_CNT_TcpExtTCPRcvQDrop,
	TERN_CNT_TernPmtuLowered,
	TERN_CNT_TcpEstabResets,
	TERN_CNT_TcpOutRsts,
	TERN_CNT_TcpExtTCPSackRecovery,
	TERN_CNT_TcpExtTCPSACKReorder,
	TERN_CNT_TcpExtTCPLostRetransmit,
	TERN_CNT_TcpExtTCPSpuriousRTOs,
	TERN_CNT_TcpExtTCPFullUndo,
	TERN_CNT_TcpExtTCPLossUndo,
	TERN_CNT_TcpExtTCPLossProbeRecovery,
};
static uint64_t met[TERN_ARRAY_SIZE(meant)];

static uint32_t draw(struct world *w, uint32_t n)
{
	return tern_rng_below(&w->rng, n);
}

static bool one_in(struct world *w, uint32_t n)
{
	return draw(w, n) == 0;
}

/* Byte i of what the application of this side writes. */
static uint8_t pattern(unsigned int side, uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16) * 5 + side * 101);
}

static void check(struct world *w, unsigned int side, bool drained)
{
	uint32_t conn;
	const char *wrong = invariants_check(&w->inv[side], w->side[side].stack, drained, &conn);

	if (wrong)
		FAIL(w, "side %u, connection %u, %.6f s: %s", side, conn,
		     (double)(w->now - w->begun) / 1e9, wrong);
}

static void set(struct world *w, unsigned int side, const char *name, const char *value)
{
	assert_int_equal(tern_stack_knob(w->side[side].stack, w->now, name, value), 0);
}

static uint32_t ppm(struct world *w, uint32_t most)
{
	return one_in(w, 2) ? 0 : draw(w, most);
}

static struct tern_fault_rates rates(struct world *w)
{
	return (struct tern_fault_rates){
		.loss_ppm = ppm(w, 100000),
		.dup_ppm = ppm(w, 50000),
		.corrupt_ppm = ppm(w, 50000),
		.reorder_ppm = ppm(w, 150000),
		.delay_ns = draw(w, 60) * MS,
		.jitter_ns = ppm(w, 20) * MS,
	};
}

/* The wire: faults, or (one in four) a clean one on which frames may be large. */
static void make_wire(struct world *w)
{
	static const uint32_t mtus[] = { 1500, 1280, 9000, 1500, 1492, 40000 };
	struct tern_mem_link_config cfg = { .mtu = mtus[draw(w, TERN_ARRAY_SIZE(mtus))] };
	struct tern_link *ends[2], *bad;

	if (one_in(w, 4)) {
		cfg.gso_max = 65535;
		cfg.csum_offload = one_in(w, 2);
		assert_int_equal(tern_mem_link_new(&cfg, ends), 0);
	} else {
		struct tern_fault_config faults = { .seed = w->seed, .queue_max = 256 };

		faults.in = rates(w);
		faults.out = rates(w);
		assert_int_equal(tern_mem_link_new(&cfg, ends), 0);
		assert_int_equal(tern_fault_new(ends[0], &faults, &bad), 0);
		ends[0] = bad;
	}
	w->side[0].link = ends[0];
	w->side[1].link = ends[1];
}

static void make_stack(struct world *w, unsigned int side, bool inet6)
{
	struct tern_config cfg = { .addr_count = 1, .conns_max = 8, .seed = { (uint8_t)side } };

	memcpy(cfg.seed + 1, &w->seed, sizeof(w->seed));
	cfg.addrs[0].addr = tern_addr_v4(10, 0, 0, (uint8_t)(1 + side));
	cfg.addrs[0].length = 24;
	if (inet6) {
		cfg.addrs[0].addr =
			(struct tern_addr){ .family = TERN_INET6, .b = { 0xfd, [15] = 1 } };
		cfg.addrs[0].addr.b[15] = (uint8_t)(1 + side);
		cfg.addrs[0].length = 64;
	}
	cfg.trace_max = getenv("TERN_SEED") ? 64 : 0;
	tern_link_configure(w->side[0].link, &cfg);
	assert_int_equal(tern_stack_new(&cfg, w->now, &w->side[side].stack), 0);
	if (one_in(w, 4))
		set(w, side, "net.ipv4.tcp_timestamps", "0");
	if (one_in(w, 4))
		set(w, side, "net.ipv4.tcp_window_scaling", "0");
	if (one_in(w, 4))
		set(w, side, "net.ipv4.tcp_sack", "0");
	if (w->small_memory)
		set(w, side, "net.ipv4.tcp_mem", "6 8 11");
}

static void set_options(struct world *w, unsigned int side, tern_id id)
{
	struct tern_stack *st = w->side[side].stack;

	if (one_in(w, 3))
		tern_stack_option(st, w->now, id, TERN_SO_RCVBUF, 2304 + draw(w, 60000));
	if (one_in(w, 3))
		tern_stack_option(st, w->now, id, TERN_SO_SNDBUF, 4608 + draw(w, 60000));
	if (one_in(w, 3))
		tern_stack_option(st, w->now, id, TERN_SO_NODELAY, 1);
	if (one_in(w, 4))
		tern_stack_option(st, w->now, id, TERN_SO_CORK, 1);
	if (one_in(w, 4))
		tern_stack_option(st, w->now, id, TERN_SO_QUICKACK, 1);
	if (one_in(w, 6))
		tern_stack_option(st, w->now, id, TERN_SO_MAXSEG, 88 + draw(w, 1400));
	if (w->abort_ns != TERN_NEVER) { /* should the reset be lost and nobody speak */
		tern_stack_option(st, w->now, id, TERN_SO_KEEPALIVE, 1);
		tern_stack_option(st, w->now, id, TERN_SO_KEEPIDLE, 10);
	}
}

/* Both streams cross 2^32 early on. */
static void wrap_isns(struct world *w)
{
	struct tern_stack *a = w->side[0].stack, *b = w->side[1].stack;
	struct tern_conn *c = tern_conn_at(&a->tcp, (uint32_t)w->app[0].id);
	struct tern_flow flow;
	tern_seq isn;

	tern_conn_flow(c, &flow);
	flow = tern_flow_reverse(&flow);
	isn = tern_isn(&b->tcp.isn, &flow, w->now);
	w->now += (uint64_t)(0u - draw(w, 50000) - isn) * 4000;
	c->snd.iss = 0u - draw(w, 50000);
	c->snd.una = c->snd.iss;
	c->snd.nxt = c->snd.iss;
}

/* Each connects to where the other comes from. */
static void open_crossed(struct world *w, enum tern_family family)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct tern_stack *st = w->side[i].stack;
		struct tern_endpoint us = { .port = (uint16_t)(1000 + i) }, to = us;

		us.addr = st->cfg.addrs[0].addr;
		to.addr = w->side[!i].stack->cfg.addrs[0].addr;
		to.port = (uint16_t)(1000 + !i);
		assert_int_equal(tern_stack_open(st, w->now, TERN_STREAM, family, &w->app[i].id),
				 0);
		set_options(w, i, w->app[i].id);
		assert_int_equal(tern_stack_bind(st, w->now, w->app[i].id, &us), 0);
		assert_int_equal(tern_stack_connect(st, w->now, w->app[i].id, &to), 0);
	}
}

static void make_apps(struct world *w, bool inet6)
{
	struct tern_stack *a = w->side[0].stack, *b = w->side[1].stack;
	enum tern_family family = inet6 ? TERN_INET6 : TERN_INET;
	struct tern_endpoint to = { .addr = b->cfg.addrs[0].addr, .port = 80 };

	for (unsigned int i = 0; i < 2; i++) {
		struct app *app = &w->app[i];

		app->total = one_in(w, 4) ? draw(w, 10) : draw(w, one_in(w, 3) ? 600000 : 60000);
		app->events = !w->small_memory && one_in(w, 2);
		app->half = i == 0 || one_in(w, 2);
		app->pause_ms = one_in(w, 3) ? 1 : 1 + draw(w, 300);
		app->chunk = one_in(w, 3) ? 1 + draw(w, 500) : 1 + draw(w, CHUNK);
		app->gulp = 200 + draw(w, one_in(w, 3) ? 500 : CHUNK - 200);
		app->turn = w->now;
	}
	for (unsigned int i = 0; i < 2; i++)
		if (w->app[i].chunk < 200 || w->app[i].gulp < 700 ||
		    w->app[i].pause_ms > 50) { /* slow */
			w->app[0].total %= 40000;
			w->app[1].total %= 40000;
		}
	w->app[0].expected = w->app[1].total;
	w->app[1].expected = w->app[0].total;
	if (w->crossed) {
		open_crossed(w, family);
		return;
	}
	assert_int_equal(tern_stack_open(b, w->now, TERN_STREAM, family, &w->listener), 0);
	assert_int_equal(tern_stack_bind(b, w->now, w->listener, &to), 0);
	set_options(w, 1, w->listener);
	assert_int_equal(tern_stack_listen(b, w->now, w->listener, 1), 0);
	assert_int_equal(tern_stack_open(a, w->now, TERN_STREAM, family, &w->app[0].id), 0);
	set_options(w, 0, w->app[0].id);
	assert_int_equal(tern_stack_connect(a, w->now, w->app[0].id, &to), 0);
	if (w->abort_ns == TERN_NEVER && w->narrow_ns == TERN_NEVER && one_in(w, 2))
		wrap_isns(w);
}

/* Errors are what the other's abort looks like, and nothing else. */
static bool may_break(const struct world *w, unsigned int side)
{
	return side == 1 && w->now >= w->abort_ns;
}

static void write_some(struct world *w, unsigned int side)
{
	struct tern_stack *st = w->side[side].stack;
	struct app *app = &w->app[side];
	int64_t is;

	while (app->written < app->total) {
		uint32_t n = 1 + draw(w, app->chunk);
		int64_t k;

		n = TERN_MIN(n, app->total - app->written);
		for (uint32_t i = 0; i < n; i++)
			w->buf[i] = pattern(side, app->written + i);
		k = tern_stack_send(st, w->now, app->id, w->buf, n,
				    one_in(w, 5) ? TERN_MSG_MORE : 0);
		check(w, side, false);
		if (k == -EAGAIN || (k == -ENOBUFS && w->small_memory))
			return;
		app->broken = k < 0 && may_break(w, side);
		if (app->broken)
			return;
		if (k <= 0 || k > n)
			FAIL(w, "side %u: send gave %lld", side, (long long)k);
		app->written += (uint32_t)k;
		if (!app->events)
			return;
	}
	assert_int_equal(tern_stack_get_option(st, w->now, app->id, TERN_SO_STATE, &is), 0);
	if (app->half && !app->shut && is != TERN_SYN_SENT) {
		app->shut = true;
		assert_int_equal(tern_stack_shutdown(st, w->now, app->id, TERN_SHUT_WR), 0);
	}
}

static void read_some(struct world *w, unsigned int side)
{
	struct app *app = &w->app[side];

	while (!app->ended && !app->broken) {
		int64_t k = tern_stack_recv(w->side[side].stack, w->now, app->id, w->buf,
					    1 + draw(w, app->gulp), 0);

		check(w, side, false);
		if (k == -EAGAIN)
			return;
		app->broken = k < 0 && may_break(w, side);
		if (app->broken)
			return;
		if (k < 0)
			FAIL(w, "side %u: recv gave %lld", side, (long long)k);
		app->ended = k == 0;
		for (uint32_t i = 0; i < (uint32_t)k; i++)
			if (w->buf[i] != pattern(!side, app->read + i))
				FAIL(w, "side %u: byte %u is wrong", side, app->read + i);
		app->read += (uint32_t)k;
		if (app->read > app->expected || (app->ended && app->read < app->expected))
			FAIL(w, "side %u: %u of %u bytes, end %d", side, app->read, app->expected,
			     app->ended);
		if (!app->events)
			return;
	}
}

/* Side 0 aborts, side 1 gives up waiting for a connection: when it is time for that. */
static bool end_early(struct world *w, unsigned int side)
{
	struct app *app = &w->app[side];
	uint64_t due = w->abort_ns == TERN_NEVER ? TERN_NEVER : w->abort_ns + side * PATIENCE;

	if (w->now < due) {
		app->turn = TERN_MIN(app->turn, due);
		return false;
	}
	if (side == 1 && app->id)
		return false;
	if (side == 0)
		assert_int_equal(tern_stack_abort(w->side[0].stack, w->now, app->id), 0);
	app->closed = true;
	return true;
}

/* The application's turn. */
static void act(struct world *w, unsigned int side)
{
	struct app *app = &w->app[side];
	struct tern_stack *st = w->side[side].stack;

	app->turn = TERN_NEVER;
	if (app->closed)
		return;
	if (!app->events)
		app->turn = w->now + (1 + draw(w, app->pause_ms)) * MS;
	if (end_early(w, side))
		return;
	if (!app->id && tern_stack_accept(st, w->now, w->listener, &app->id) < 0)
		return;
	write_some(w, side);
	read_some(w, side);
	if (app->broken || (app->ended && app->written == app->total)) {
		app->closed = true;
		assert_int_equal(tern_stack_close(st, w->now, app->id), 0);
	}
	check(w, side, false);
}

/* How many of n frames the path lets pass before one that is too long for it. */
static unsigned int passing(const struct world *w, const struct tern_out *outs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && w->now >= w->narrow_ns; i++)
		if ((outs[i].gso_size ? outs[i].header_len + outs[i].gso_size : outs[i].len) >
		    w->pmtu)
			return i;
	return n;
}

/* A router says so. */
static void too_big(struct world *w, unsigned int side, const struct tern_out *out)
{
	struct tern_tcp *t = &w->side[side].stack->tcp;
	tern_seq seq = tern_get_u32(out->header + (out->family == TERN_INET ? 20 : 40) + 4);

	if (tern_pool_is_used(&t->conns, (uint32_t)w->app[side].id))
		tern_tcp_icmp(t, (uint32_t)w->app[side].id, TERN_ICMP_TOO_BIG, EMSGSIZE, w->pmtu,
			      seq);
	check(w, side, false);
}

/* Frames of one side leave, a few at a time. Returns how many. */
static unsigned int leave(struct world *w, unsigned int side)
{
	struct tern_link_side *s = &w->side[side];
	struct tern_out outs[8];
	unsigned int n, k, sum = 0;

	while ((n = tern_stack_output(s->stack, w->now, outs, 1 + draw(w, 8)))) {
		check(w, side, false);
		for (unsigned int i = 0; i < n; i++)
			assert_true(outs[i].len <=
				    TERN_MAX(s->link->caps.mtu, s->link->caps.gso_max));
		k = passing(w, outs, n);
		(void)tern_link_send(s->link, w->now, outs, k); /* no room: lost */
		if (k < n)
			too_big(w, side, &outs[k]);
		sum += n;
	}
	(void)tern_link_send(s->link, w->now, NULL, 0);
	check(w, side, true);
	return sum;
}

static unsigned int arrive(struct world *w, unsigned int side)
{
	struct tern_link_side *s = &w->side[side];
	struct tern_frame frames[8];
	unsigned int sum = 0;
	int n;

	while ((n = tern_link_receive(s->link, w->now, frames, 1 + draw(w, 8))) > 0) {
		tern_stack_input(s->stack, w->now, frames, (unsigned int)n);
		check(w, side, false);
		sum += (unsigned int)n;
		if (one_in(w, 4))
			sum += leave(w, side);
	}
	return sum;
}

/* Everything that happens at this time. */
static void settle(struct world *w)
{
	unsigned int moved;

	do {
		moved = 0;
		for (unsigned int i = 0; i < 2; i++) {
			struct tern_event ev;

			moved += leave(w, i);
			moved += arrive(w, !i);
			while (tern_stack_event(w->side[i].stack, &ev))
				if (w->app[i].events && w->now < w->app[i].turn)
					w->app[i].turn = w->now;
		}
		for (unsigned int i = 0; i < 2; i++)
			if (w->app[i].turn <= w->now) {
				act(w, i);
				moved++;
			}
	} while (moved);
}

/* On to when something happens next. False: never. */
static bool advance(struct world *w)
{
	uint64_t next = tern_link_pump_deadline(w->side);

	for (unsigned int i = 0; i < 2; i++)
		if (!w->app[i].closed)
			next = TERN_MIN(next, w->app[i].turn);
	if (next == TERN_NEVER)
		return false;
	w->now = TERN_MAX(w->now, next);
	for (unsigned int i = 0; i < 2; i++) {
		tern_stack_tick(w->side[i].stack, w->now);
		check(w, i, false);
	}
	return true;
}

/* Nothing is left of the connection. */
static void check_end(struct world *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct tern_stack_info info;

		tern_stack_info(w->side[i].stack, w->now, &info);
		if (info.conns || info.timewaits || info.halfopens || info.tcp_buffer_bytes)
			FAIL(w,
			     "side %u: %u connections, %u TIME-WAIT, %u half-open, %llu bytes left",
			     i, info.conns, info.timewaits, info.halfopens,
			     (unsigned long long)info.tcp_buffer_bytes);
	}
}

static void play(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	uint8_t key[TERN_RNG_SEED_LEN] = { 't' };
	uint64_t end;
	bool inet6;

	assert_non_null(w);
	w->seed = seed;
	memcpy(key + 1, &seed, sizeof(seed));
	tern_rng_init(&w->rng, key);
	w->now = 1000 * S;
	w->small_memory = one_in(w, 6);
	w->crossed = one_in(w, 8);
	w->abort_ns = one_in(w, 8) ? w->now + draw(w, 3000) * MS : TERN_NEVER;
	w->narrow_ns = one_in(w, 4) ? w->now + draw(w, 1000) * MS : TERN_NEVER;
	make_wire(w);
	inet6 = one_in(w, 3);
	w->pmtu = inet6 ? 1280 : 576 + draw(w, 800);
	make_stack(w, 0, inet6);
	make_stack(w, 1, inet6);
	make_apps(w, inet6);
	w->begun = w->now;
	for (unsigned int i = 0; i < 2; i++)
		w->app[i].turn = w->now;
	end = w->now + 3600 * S;
	do
		settle(w);
	while ((!w->app[0].closed || !w->app[1].closed) && w->now < end && advance(w));
	for (unsigned int i = 0; i < 2; i++)
		if (!w->app[i].closed)
			FAIL(w, "side %u: wrote %u of %u, read %u of %u, end %d, after %llu s", i,
			     w->app[i].written, w->app[i].total, w->app[i].read, w->app[i].expected,
			     w->app[i].ended, (unsigned long long)((w->now - w->begun) / S));
	end = w->now + 600 * S; /* LAST-ACK, TIME-WAIT */
	while (w->now < end && advance(w))
		settle(w);
	if (w->now >= end)
		FAIL(w, "no rest after the end");
	check_end(w);
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < TERN_ARRAY_SIZE(meant); k++)
			met[k] += tern_stack_counter(w->side[i].stack, meant[k]);
		tern_stack_free(w->side[i].stack);
		tern_link_close(w->side[i].link);
	}
	free(w);
}

static void streams_arrive_whole_whatever_the_wire_does(void **state)
{
	const char *only = getenv("TERN_SEED");

	(void)state;
	if (only) {
		play(strtoull(only, NULL, 10));
		return;
	}
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		play(seed);
	for (unsigned int k = 0; k < TERN_ARRAY_SIZE(meant); k++)
		if (!met[k])
			fail_msg("no seed met %s", tern_counter_name(meant[k]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_arrive_whole_whatever_the_wire_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
