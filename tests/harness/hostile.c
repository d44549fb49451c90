/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/hostile.c: the world of an attack: a victim, a friend, virtual time.
 */
#include "harness/hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cksum.h"

enum {
	ROUNDS_MAX = 100000, /* of settling: more is a war */
};

/* ---- replay ---- */

static const char *current_test;
static uint64_t current_seed;
static struct world *alive; /* all of them: after a failure no leak hides what failed */

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void print_replay(void)
{
	if (current_test)
		print_error("replay: TERN_SEED=%llu %s (%s)\n", (unsigned long long)current_seed,
			    program_invocation_name, current_test);
}

static void on_abort(int sig)
{
	print_replay();
	signal(sig, SIG_DFL);
	raise(sig);
}

void hostile_fail(const char *what, const char *file, int line)
{
	print_error("%s does not hold\n", what);
	print_replay();
	_fail(file, line);
}

void hostile_run(const char *test, uint64_t count, void (*run)(uint64_t seed))
{
	const char *only = getenv("TERN_SEED"), *more = getenv("TERN_SEEDS");

	if (more)
		count = strtoull(more, NULL, 0);
	current_test = test;
	signal(SIGABRT, on_abort);
	signal(SIGTERM, on_abort); /* who waits in vain sends it */
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(print_replay);
	for (uint64_t seed = 1; seed <= count; seed++) {
		current_seed = only ? strtoull(only, NULL, 0) : seed;
		run(current_seed);
		if (only)
			break;
	}
	current_test = NULL;
}

/* ---- set-up ---- */

static struct tern_addr host_addr(uint8_t family, uint8_t host)
{
	uint8_t b[16] = { 0xfd, 0x77, [15] = host };

	return family == TERN_INET6 ? tern_addr_from_bytes(TERN_INET6, b)
				    : tern_addr_v4(10, 77, 0, host);
}

struct tern_addr world_addr(const struct world *w, uint8_t host)
{
	return host_addr(w->family, host);
}

struct tern_endpoint world_at(const struct world *w, uint8_t host, uint16_t port)
{
	return (struct tern_endpoint){ world_addr(w, host), port };
}

uint32_t world_pick(struct world *w, uint32_t n)
{
	return tern_rng_below(&w->rng, n);
}

bool world_once_in(struct world *w, uint32_t n)
{
	return world_pick(w, n) == 0;
}

struct tern_config hostile_config(uint8_t family, uint8_t host, uint64_t seed)
{
	struct tern_config cfg = {
		.addrs = { { host_addr(family, host), family == TERN_INET6 ? 64 : 24 } },
		.addr_count = 1,
		.conns_max = 512,
		.halfopens_max = 256,
		.timewaits_max = 256,
		.listeners_max = 8,
		.udps_max = 8,
		.frags_max = 16,
		.trace_max = 64,
		.memory_max = 32 << 20,
	};

	memcpy(cfg.seed, &seed, sizeof(seed));
	cfg.seed[31] = host;
	return cfg;
}

static tern_id make_server(struct world *w, uint16_t port)
{
	struct tern_endpoint at = world_at(w, VICTIM_HOST, port);
	tern_id id;

	HOLDS(tern_stack_open(w->victim, w->now, TERN_STREAM, (enum tern_family)w->family, &id) ==
	      0);
	HOLDS(tern_stack_bind(w->victim, w->now, id, &at) == 0);
	HOLDS(tern_stack_listen(w->victim, w->now, id, 128) == 0);
	return id;
}

static void make_udp_server(struct world *w)
{
	struct tern_endpoint at = world_at(w, VICTIM_HOST, ECHO_PORT);

	HOLDS(tern_stack_open(w->victim, w->now, TERN_DGRAM, (enum tern_family)w->family,
			      &w->udp) == 0);
	HOLDS(tern_stack_bind(w->victim, w->now, w->udp, &at) == 0);
}

static void connect_friend(struct world *w)
{
	struct tern_endpoint to = world_at(w, VICTIM_HOST, FRIEND_PORT);

	HOLDS(tern_stack_open(w->friend, w->now, TERN_STREAM, (enum tern_family)w->family,
			      &w->far) == 0);
	HOLDS(tern_stack_connect(w->friend, w->now, w->far, &to) == 0);
	world_settle(w);
	HOLDS(tern_stack_accept(w->victim, w->now, w->quiet, &w->near) == 0);
}

struct world *world_new_cfg(uint8_t family, uint64_t seed, const struct tern_config *victim)
{
	/* Soon clocks of 31 and 32 bits wrap: milliseconds, units of 2^14, 2^30 ns. */
	static const uint64_t starts[] = { 1000 * HOSTILE_S,
					   0,
					   (UINT64_C(1) << 31) * HOSTILE_MS - 20 * HOSTILE_S,
					   (UINT64_C(1) << 32) * HOSTILE_MS - 20 * HOSTILE_S,
					   (UINT64_C(1) << 46) - 20 * HOSTILE_S,
					   (UINT64_C(1) << 62) - 20 * HOSTILE_S,
					   (UINT64_C(1) << 63) - 20 * HOSTILE_S };
	struct world *w = calloc(1, sizeof(*w));
	struct tern_config friend = hostile_config(family, FRIEND_HOST, seed);
	uint8_t entropy[TERN_RNG_SEED_LEN] = { 0x7e };

	HOLDS(w != NULL);
	w->older = alive;
	alive = w;
	memcpy(entropy + 1, &seed, sizeof(seed));
	tern_rng_init(&w->rng, entropy);
	w->family = family;
	w->seed = seed;
	w->now = starts[seed % TERN_ARRAY_SIZE(starts)] + world_pick(w, 1000000000);
	HOLDS(tern_stack_new(victim, w->now, &w->victim) == 0);
	HOLDS(tern_stack_new(&friend, w->now, &w->friend) == 0);
	w->listener = make_server(w, SERVER_PORT);
	w->quiet = make_server(w, FRIEND_PORT);
	make_udp_server(w);
	connect_friend(w);
	return w;
}

struct world *world_new(uint8_t family, uint64_t seed)
{
	struct tern_config cfg = hostile_config(family, VICTIM_HOST, seed);

	return world_new_cfg(family, seed, &cfg);
}

/* ---- frames out ---- */

/* Options that the flags allow (RFC 9293 MUST-65, RFC 2018, RFC 7323), laid out legally. */
static void check_options(const uint8_t *tcp, const struct tern_segment *seg)
{
	uint16_t only_syn = TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_FASTOPEN;
	uint16_t present = seg->opt.present;

	HOLDS(!seg->options_malformed);
	if (seg->flags & TERN_RST)
		HOLDS((present & ~TERN_OPT_TS) == 0 && seg->len == 0 &&
		      !(seg->flags & (TERN_SYN | TERN_FIN)));
	if (seg->flags & TERN_SYN) {
		HOLDS((present & TERN_OPT_MSS) && seg->opt.mss >= 48 && seg->len == 0);
		HOLDS(!(present & TERN_OPT_WSCALE) || seg->opt.wscale <= 14);
		HOLDS(!(seg->flags & TERN_FIN));
	} else {
		HOLDS(!(present & only_syn));
		HOLDS((seg->flags & TERN_ACK) || (seg->flags & TERN_RST));
	}
	for (unsigned int i = 0; i < seg->opt.sack_count; i++)
		HOLDS(tern_seq_lt(seg->opt.sack[i].left, seg->opt.sack[i].right) &&
		      (tern_seq_gt(seg->opt.sack[i].left, seg->ack) ||
		       (!i && tern_seq_le(seg->opt.sack[i].right, seg->ack)))); /* a D-SACK */
	HOLDS((tcp[12] & 0x0e) == 0);                                           /* reserved bits */
}

static void check_tcp(struct world *w, const struct tern_packet *pkt)
{
	struct tern_segment seg;

	HOLDS(tern_tcp_parse(pkt->payload, pkt->payload_len, &seg) == TERN_PARSE_OK);
	HOLDS(tern_tcp_cksum_ok(pkt));
	HOLDS(seg.sport && seg.dport && pkt->df);
	check_options(pkt->payload, &seg);
	if (!tern_addr_eq(&pkt->dst, &w->friend->cfg.addrs[0].addr)) {
		w->out_rsts += (seg.flags & TERN_RST) != 0;
		w->last = seg;
		w->last.data = NULL;
	}
}

/* A frame that the victim sends. */
static void check_frame(struct world *w, const uint8_t *frame, uint32_t len,
			struct tern_packet *pkt)
{
	struct tern_datagram dgram;
	struct tern_icmp icmp;

	HOLDS(tern_ip_parse(frame, len, false, pkt) == TERN_PARSE_OK);
	HOLDS(pkt->header_len + pkt->payload_len == len && len <= w->victim->cfg.mtu);
	HOLDS(tern_addr_eq(&pkt->src, &w->victim->cfg.addrs[0].addr) && pkt->ttl);
	if (pkt->proto != TERN_PROTO_UDP) /* an application may send a datagram to all */
		HOLDS(!tern_addr_is_multicast(&pkt->dst) &&
		      !tern_route_is_broadcast(w->victim, &pkt->dst));
	HOLDS(!tern_addr_is_any(&pkt->dst) && !tern_addr_is_loopback(&pkt->dst));
	if (pkt->fragment)
		return;
	if (pkt->proto == TERN_PROTO_TCP) {
		check_tcp(w, pkt);
	} else if (pkt->proto == TERN_PROTO_UDP) {
		HOLDS(tern_udp_parse(pkt->payload, pkt->payload_len, &dgram) == TERN_PARSE_OK);
		HOLDS(tern_udp_cksum_ok(pkt) && dgram.sport && dgram.dport);
	} else {
		HOLDS(tern_icmp_parse(pkt, &icmp) == TERN_PARSE_OK && tern_icmp_cksum_ok(pkt));
	}
}

static uint32_t flatten(const struct tern_out *out, uint8_t *frame)
{
	uint32_t len = 0;

	for (unsigned int i = 0; i < out->pieces; i++) {
		HOLDS(len + out->piece[i].len <= HOSTILE_FRAME);
		memcpy(frame + len, out->piece[i].ptr, out->piece[i].len);
		len += out->piece[i].len;
	}
	HOLDS(len == out->len);
	return len;
}

static void digest(struct world *w, const uint8_t *frame, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		w->digest = (w->digest ^ frame[i]) * UINT64_C(0x100000001b3);
}

static void input(struct tern_stack *st, uint64_t now, const uint8_t *frame, uint32_t len)
{
	struct tern_frame f = { .data = frame, .len = len };

	tern_stack_input(st, now, &f, 1);
}

static bool drain_victim(struct world *w)
{
	uint8_t frame[HOSTILE_FRAME];
	struct tern_packet pkt;
	struct tern_out outs[8];
	unsigned int n = tern_stack_output(w->victim, w->now, outs, 8);

	for (unsigned int i = 0; i < n; i++) {
		uint32_t len = flatten(&outs[i], frame);

		check_frame(w, frame, len, &pkt);
		if (tern_addr_eq(&pkt.dst, &w->friend->cfg.addrs[0].addr)) {
			input(w->friend, w->now, frame, len);
			continue;
		}
		digest(w, frame, len);
		w->out++;
		w->out_bytes += len;
		if (w->outsider)
			w->outsider(w, frame, len);
	}
	return n != 0;
}

static bool drain_friend(struct world *w)
{
	uint8_t frame[HOSTILE_FRAME];
	struct tern_out outs[8];
	unsigned int n = tern_stack_output(w->friend, w->now, outs, 8);

	for (unsigned int i = 0; i < n; i++)
		input(w->victim, w->now, frame, flatten(&outs[i], frame));
	return n != 0;
}

void world_settle(struct world *w)
{
	unsigned int rounds = 0;

	while (drain_victim(w) || drain_friend(w))
		HOLDS(++rounds < ROUNDS_MAX);
}

/* ---- time ---- */

static uint64_t deadline(const struct world *w)
{
	uint64_t due = TERN_MIN(tern_stack_deadline(w->victim), tern_stack_deadline(w->friend));

	return w->mark ? TERN_MIN(due, tern_stack_deadline(w->mark)) : due;
}

static void tick(struct world *w)
{
	tern_stack_tick(w->victim, w->now);
	tern_stack_tick(w->friend, w->now);
	if (w->mark)
		tern_stack_tick(w->mark, w->now);
	world_settle(w);
}

void world_pass(struct world *w, uint64_t ns)
{
	uint64_t end = w->now + ns;
	unsigned int rounds = 0;

	while (deadline(w) <= end) {
		w->now = TERN_MAX(w->now, deadline(w));
		tick(w);
		HOLDS(++rounds < 100 * ROUNDS_MAX);
	}
	w->now = end;
	tick(w);
}

/* ---- applications ---- */

/* Says back what comes on a connection. True when it is over. */
static bool echo(struct world *w, tern_id id)
{
	uint8_t buf[4096];
	int64_t n;

	while ((n = tern_stack_recv(w->victim, w->now, id, buf, sizeof(buf), 0)) > 0)
		tern_stack_send(w->victim, w->now, id, buf,
				(size_t)TERN_MIN(n, (int64_t)sizeof(buf)), 0);
	return n != -EAGAIN;
}

/* What an application might do that is none of the peer's doing. True: the id is gone. */
static bool mood(struct world *w, tern_id id)
{
	static const uint8_t words[5000] = "unasked";

	switch (world_pick(w, 12)) {
	case 0:
		tern_stack_close(w->victim, w->now, id);
		return true;
	case 1:
		tern_stack_shutdown(w->victim, w->now, id, (enum tern_how)world_pick(w, 3));
		return false;
	case 2:
		tern_stack_abort(w->victim, w->now, id);
		return true;
	case 3:
		tern_stack_send(w->victim, w->now, id, words, world_pick(w, sizeof(words)), 0);
		return false;
	case 4:
		tern_stack_option(w->victim, w->now, id, TERN_SO_RCVBUF, 4096);
		return false;
	default:
		return false;
	}
}

/* A connection of the server has news. */
static void serve_one(struct world *w, const struct tern_event *ev)
{
	if (w->moody_server && mood(w, ev->id))
		return;
	if (w->moody_server && !(ev->bits & TERN_EV_CLOSED) && world_once_in(w, 4))
		return; /* it reads when it hears of it next, if it does */
	if (echo(w, ev->id))
		tern_stack_close(w->victim, w->now, ev->id);
}

static void echo_datagrams(struct world *w)
{
	struct tern_endpoint from = { .port = 0 };
	uint8_t buf[8192];
	int64_t n;

	/* An error is told once, then come datagrams; shut down, it reads nothing for ever. */
	for (unsigned int i = 0; i < 1000; i++, from.port = 0) {
		n = tern_stack_recvfrom(w->victim, w->now, w->udp, buf, sizeof(buf), 0, &from);
		if (n == -EAGAIN)
			break;
		if (n >= 0 && from.port)
			tern_stack_sendto(w->victim, w->now, w->udp, buf,
					  (size_t)TERN_MIN(n, (int64_t)sizeof(buf)), &from);
	}
}

void world_serve(struct world *w)
{
	struct tern_event ev;
	tern_id id;

	while (tern_stack_event(w->victim, &ev)) {
		if (ev.id == w->udp)
			echo_datagrams(w);
		else if (ev.id == w->listener && !w->idle_server)
			while (tern_stack_accept(w->victim, w->now, w->listener, &id) == 0)
				;
		else if (ev.id != w->near && ev.id != w->quiet && ev.id != w->listener)
			serve_one(w, &ev);
	}
	while (tern_stack_event(w->friend, &ev))
		;
	world_settle(w);
}

/* ---- the bystander ---- */

/* Byte i of the way. */
static uint8_t pattern(unsigned int way, uint64_t i)
{
	return (uint8_t)(i * 11 + (i >> 8) * 5 + way);
}

static void say(struct world *w, unsigned int way, uint32_t n)
{
	struct tern_stack *st = way ? w->victim : w->friend;
	tern_id id = way ? w->near : w->far;
	uint8_t buf[4096];
	int64_t taken;

	n = TERN_MIN(n, (uint32_t)sizeof(buf));
	for (uint32_t i = 0; i < n; i++)
		buf[i] = pattern(way, w->sent[way] + i);
	taken = tern_stack_send(st, w->now, id, buf, n, 0);
	HOLDS(taken > 0 || taken == -EAGAIN || taken == -ENOBUFS);
	w->sent[way] += taken > 0 ? (uint64_t)taken : 0;
}

static void hear(struct world *w, unsigned int way)
{
	struct tern_stack *st = way ? w->friend : w->victim;
	tern_id id = way ? w->far : w->near;
	uint8_t buf[4096];
	int64_t n;

	while ((n = tern_stack_recv(st, w->now, id, buf, sizeof(buf), 0)) > 0)
		for (int64_t i = 0; i < n; i++, w->got[way]++)
			HOLDS(buf[i] == pattern(way, w->got[way]));
	HOLDS(n == -EAGAIN);
	HOLDS(w->got[way] <= w->sent[way]);
}

void world_chat(struct world *w, uint32_t n)
{
	for (unsigned int way = 0; way < 2; way++)
		if (n)
			say(w, way, n);
	world_settle(w);
	for (unsigned int way = 0; way < 2; way++)
		hear(w, way);
	world_settle(w);
}

/* What was said arrives, whatever happened before. */
static void end_bystander(struct world *w)
{
	uint8_t byte;

	for (unsigned int i = 0; i < 200; i++) {
		if (w->sent[0] == w->got[0] && w->sent[1] == w->got[1])
			break;
		world_pass(w, 10 * HOSTILE_S);
		world_chat(w, 0);
	}
	HOLDS(w->sent[0] == w->got[0] && w->sent[1] == w->got[1]);
	HOLDS(tern_stack_close(w->friend, w->now, w->far) == 0);
	world_pass(w, 10 * HOSTILE_S);
	HOLDS(tern_stack_recv(w->victim, w->now, w->near, &byte, 1, 0) == 0);
	HOLDS(tern_stack_close(w->victim, w->now, w->near) == 0);
}

/* ---- the end ---- */

/* Closes every socket that still has an id. */
static void close_all(struct world *w, struct tern_stack *st)
{
	struct tern_socket_info row;
	uint64_t cursor = 0;

	while (tern_stack_next_socket(st, w->now, &cursor, &row))
		if (row.id)
			HOLDS(tern_stack_close(st, w->now, row.id) == 0);
}

/* What is left is shown before the test fails of it. */
static void print_rows(const struct world *w)
{
	struct tern_socket_info row;
	uint64_t cursor = 0;

	while (tern_stack_next_socket(w->victim, w->now, &cursor, &row))
		print_error("left: %s port %u from %u, timer %u in %llu ms, retrans %u, q %u %u, "
			    "orphan %d unacked %u wnd %u\n",
			    tern_state_name(row.state), row.local.port, row.remote.port, row.timer,
			    (unsigned long long)(row.timer_ns / HOSTILE_MS), row.retrans,
			    row.recv_q, row.send_q, row.orphan, row.unacked, row.snd_wnd);
}

static void check_all_back(const struct world *w)
{
	const struct tern_stack *st = w->victim;
	struct tern_stack_info info;

	tern_stack_info(st, w->now, &info);
	print_rows(w);
	HOLDS(info.tcp_buffer_bytes == 0 && info.udp_buffer_bytes == 0);
	HOLDS(info.conns == 0 && info.orphans == 0 && info.halfopens == 0 && info.timewaits == 0);
	HOLDS(info.listeners == 0 && info.udps == 0 && info.accept_queued == 0);
	HOLDS(tern_tcp_traffics(&st->tcp) == 0 && st->tcp.reass.used == 0);
	HOLDS(st->tcp.map.count == 0 && st->tcp.out.count == 0 && st->tcp.events.count == 0);
	HOLDS(tern_frags_bytes(st->frags) == 0 && tern_queue_bytes(st->queue) == 0);
	HOLDS(tern_stack_deadline(st) == TERN_NEVER);
	for (unsigned int port = 1; port < TERN_PORTS; port++)
		HOLDS(!tern_ports_used(st->ports, (uint16_t)port));
}

void world_free(struct world *w)
{
	struct tern_event ev;

	w->outsider = NULL;
	world_check(w);
	end_bystander(w);
	close_all(w, w->victim);
	world_settle(w);
	for (unsigned int i = 0; i < 60 && tern_stack_deadline(w->victim) != TERN_NEVER; i++)
		world_pass(w, 60 * HOSTILE_S);
	while (tern_stack_event(w->victim, &ev))
		;
	check_all_back(w);
	tern_stack_free(w->victim);
	tern_stack_free(w->friend);
	tern_stack_free(w->mark);
	alive = w->older;
	free(w);
}

/* ---- frames in ---- */

uint64_t world_drops(const struct world *w)
{
	uint64_t sum = 0;

	for (unsigned int r = 1; r < TERN_DROPS; r++)
		sum += tern_stack_drops(w->victim, r);
	return sum;
}

/* Fragments that were given up to make room are counted with the frame that took it. */
static bool may_drop_others(const uint8_t *frame, uint32_t len)
{
	if (len >= 20 && frame[0] >> 4 == 4)
		return (tern_get_u16(frame + 6) & 0x3fff) != 0;
	return len && frame[0] >> 4 == 6;
}

enum tern_drop world_inject_burst(struct world *w, const uint8_t *frame, uint32_t len)
{
	enum tern_drop reason = TERN_DROP_NONE;
	uint64_t before[TERN_DROPS], sum = 0;
	uint8_t *exact = malloc(len ? len : 1); /* so that the sanitizer sees the end */

	HOLDS(exact != NULL);
	for (unsigned int r = 1; r < TERN_DROPS; r++)
		before[r] = tern_stack_drops(w->victim, r);
	memcpy(exact, frame, len);
	tern_stack_input(w->victim, w->now,
			 &(struct tern_frame){ exact, len, w->gso_size, w->csum }, 1);
	free(exact);
	for (unsigned int r = 1; r < TERN_DROPS; r++) {
		if (tern_stack_drops(w->victim, r) != before[r])
			reason = (enum tern_drop)r;
		sum += tern_stack_drops(w->victim, r) - before[r];
	}
	HOLDS(sum <= 1 || may_drop_others(frame, len));
	return reason;
}

enum tern_drop world_inject(struct world *w, const uint8_t *frame, uint32_t len)
{
	enum tern_drop reason = world_inject_burst(w, frame, len);

	world_settle(w);
	world_check(w);
	return reason;
}

void world_check(struct world *w)
{
	const struct tern_config *cfg = &w->victim->cfg;
	struct tern_stack_info info;

	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.memory_bytes <= cfg->memory_max || !cfg->memory_max);
	HOLDS(info.conns + info.listeners <= cfg->conns_max);
	HOLDS(info.halfopens <= cfg->halfopens_max && info.timewaits <= cfg->timewaits_max);
	HOLDS(info.listeners <= cfg->listeners_max && info.udps <= cfg->udps_max);
	HOLDS(info.tcp_buffer_bytes <= info.tcp_buffer_limit);
	HOLDS(tern_stack_deadline(w->victim) > 0);
}

/* ---- frames made by hand ---- */

uint32_t shot_build(const struct shot *s, uint8_t *frame)
{
	uint32_t head = TERN_TCP_HEADER + s->opt_len;
	struct tern_packet pkt = { .src = s->from.addr,
				   .dst = s->to.addr,
				   .proto = TERN_PROTO_TCP,
				   .ttl = 64,
				   .df = true,
				   .payload_len = head + s->len };
	uint32_t ip = tern_ip_emit(frame, HOSTILE_FRAME, &pkt);
	uint8_t *tcp = frame + ip;

	HOLDS(ip && ip + head + s->len <= HOSTILE_FRAME);
	memset(tcp, 0, head + s->len);
	tern_put_u16(tcp, s->from.port);
	tern_put_u16(tcp + 2, s->to.port);
	tern_put_u32(tcp + 4, s->seq);
	tern_put_u32(tcp + 8, s->ack);
	tern_put_u16(tcp + 12, (uint16_t)(head / 4 << 12 | (s->flags & TERN_TCP_FLAGS)));
	tern_put_u16(tcp + 14, s->wnd);
	tern_put_u16(tcp + 18, s->urgent);
	if (s->opt_len)
		memcpy(tcp + TERN_TCP_HEADER, s->opt, s->opt_len);
	if (s->data)
		memcpy(tcp + head, s->data, s->len);
	hostile_fix_checksums(frame, ip + head + s->len);
	return ip + head + s->len;
}

enum tern_drop world_fire(struct world *w, const struct shot *s)
{
	uint8_t frame[HOSTILE_FRAME];

	return world_inject(w, frame, shot_build(s, frame));
}

/* Where the transport checksum of a packet stands; NULL if there is none. */
static uint8_t *checksum_of(uint8_t *payload, const struct tern_packet *pkt)
{
	static const struct {
		uint8_t proto, offset, least;
	} sums[] = {
		{ TERN_PROTO_TCP, 16, 20 },
		{ TERN_PROTO_UDP, 6, 8 },
		{ TERN_PROTO_ICMP, 2, 8 },
		{ TERN_PROTO_ICMPV6, 2, 8 },
	};

	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(sums); i++)
		if (pkt->proto == sums[i].proto && pkt->payload_len >= sums[i].least)
			return payload + sums[i].offset;
	return NULL;
}

void hostile_fix_checksums(uint8_t *frame, uint32_t len)
{
	struct tern_packet pkt;
	uint64_t sum = 0;
	uint16_t value;
	uint8_t *field;

	if (len >= 20 && frame[0] >> 4 == 4) {
		uint32_t head = TERN_MIN((uint32_t)(frame[0] & 15) * 4, len);

		tern_put_u16(frame + 10, 0);
		tern_put_u16(frame + 10,
			     (uint16_t)~tern_cksum_fold(tern_cksum_add(frame, head, 0)));
	}
	if (tern_ip_parse(frame, len, true, &pkt) != TERN_PARSE_OK || pkt.fragment)
		return;
	field = checksum_of(frame + (pkt.payload - frame), &pkt);
	if (!field)
		return;
	if (pkt.proto != TERN_PROTO_ICMP)
		sum = tern_cksum_pseudo(&pkt.src, &pkt.dst, pkt.proto, pkt.payload_len);
	tern_put_u16(field, 0);
	value = (uint16_t)~tern_cksum_fold(tern_cksum_add(pkt.payload, pkt.payload_len, sum));
	tern_put_u16(field, value || pkt.proto != TERN_PROTO_UDP ? value : 0xffff);
}

void world_shake(struct world *w, const struct tern_endpoint *from, struct shot *s)
{
	*s = (struct shot){ .from = *from,
			    .to = world_at(w, VICTIM_HOST, SERVER_PORT),
			    .seq = s->seq,
			    .flags = TERN_SYN,
			    .wnd = s->wnd,
			    .opt = s->opt,
			    .opt_len = s->opt_len };
	HOLDS(world_fire(w, s) == TERN_DROP_NONE);
	HOLDS(w->last.flags == (TERN_SYN | TERN_ACK) && w->last.ack == s->seq + 1);
	s->seq++;
	s->ack = w->last.seq + 1;
	s->flags = TERN_ACK;
	s->opt_len = 0;
	HOLDS(world_fire(w, s) == TERN_DROP_NONE);
	world_serve(w);
}
