/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floods from sources that need no answer to go on: SYN, ACK, RST, FIN and nothing at all, at open,
 * closed and impossible ports, from impossible sources, blindly at a connection, and datagrams. A
 * flood may cost a full table, and one small answer for each segment (attacks C01, C03, C04,
 * A18-A20, B01-B04, D19, G02).
 */
#include "harness/hostile.h"

#include "base/bytes.h"

enum {
	FLOOD = 100000,
	CLOSED_PORT = 81,
};

/* Somebody, anywhere. */
static struct tern_endpoint anybody(struct world *w)
{
	struct tern_endpoint from =
		world_at(w, ATTACKER_HOST, (uint16_t)(1 + world_pick(w, 65535)));

	if (w->family == TERN_INET)
		from.addr = tern_addr_v4((uint8_t)(11 + world_pick(w, 80)),
					 (uint8_t)world_pick(w, 256), (uint8_t)world_pick(w, 256),
					 (uint8_t)(1 + world_pick(w, 254)));
	else
		tern_rng_bytes(&w->rng, from.addr.b + 8, 8);
	return from;
}

static struct shot anything(struct world *w, uint16_t port, uint16_t flags)
{
	return (struct shot){ .from = anybody(w),
			      .to = world_at(w, VICTIM_HOST, port),
			      .seq = tern_rng_u32(&w->rng),
			      .ack = tern_rng_u32(&w->rng),
			      .wnd = (uint16_t)world_pick(w, 65536),
			      .flags = flags };
}

static struct world *world_of(uint64_t seed)
{
	return world_new(seed % 2 ? TERN_INET : TERN_INET6, seed);
}

static uint64_t counted(const struct world *w, enum tern_counter c)
{
	return tern_stack_counter(w->victim, c);
}

/* ---- SYN ---- */

static void syn_flood(uint64_t seed)
{
	static const uint8_t opt[] = {
		2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7
	};
	struct world *w = world_of(seed);
	struct shot client = { .wnd = 1000, .seq = 77 };
	struct tern_endpoint from = world_at(w, ATTACKER_HOST, 5000);
	struct tern_stack_info info;
	uint64_t before = w->victim->mem.used, in_bytes = 0, sent;

	HOLDS(tern_stack_listen(w->victim, w->now, w->listener, 4096) == 0);
	for (unsigned int i = 0; i < FLOOD; i++) {
		struct shot s = anything(w, SERVER_PORT, TERN_SYN);

		s.opt = opt;
		s.opt_len = sizeof(opt);
		sent = w->out;
		world_fire(w, &s);
		in_bytes += (w->family == TERN_INET ? 20u : 40u) + 20 + sizeof(opt);
		HOLDS(w->out - sent <= 1);
		if (i % 1000 == 0)
			world_chat(w, 1000);
		if (i % 100 == 0)
			world_pass(w, HOSTILE_MS);
	}
	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.halfopens == w->victim->cfg.halfopens_max);
	HOLDS(counted(w, TERN_CNT_TernHalfOpenLimit) >= FLOOD - 2 * info.halfopens);
	HOLDS(w->victim->mem.used - before < 200000);
	HOLDS(w->out_bytes <= in_bytes * 3 / 2);
	world_pass(w, 200 * HOSTILE_S);
	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.halfopens == 0);
	world_shake(w, &from, &client); /* who comes now is served */
	world_free(w);
}

static void a_syn_flood_fills_one_table_and_nothing_else(void **state)
{
	(void)state;
	hostile_run(__func__, 2, syn_flood);
}

/* ---- anything but SYN ---- */

static const uint16_t stray_flags[] = {
	0,
	TERN_ACK,
	TERN_RST,
	TERN_FIN,
	TERN_RST | TERN_ACK,
	TERN_SYN | TERN_ACK,
	TERN_FIN | TERN_ACK,
	TERN_SYN | TERN_RST,
	TERN_TCP_FLAGS,
	TERN_PSH | TERN_URG | TERN_FIN,
	TERN_ACK | TERN_PSH,
};

static void strays(uint64_t seed)
{
	struct world *w = world_of(seed);
	struct tern_stack_info info;
	uint64_t before = w->victim->mem.used;

	for (unsigned int i = 0; i < FLOOD; i++) {
		uint16_t flags = stray_flags[world_pick(w, TERN_ARRAY_SIZE(stray_flags))];
		struct shot s = anything(w, i % 2 ? SERVER_PORT : CLOSED_PORT, flags);
		uint64_t out = w->out, bytes = w->out_bytes;

		s.len = world_pick(w, 30);
		HOLDS(world_fire(w, &s) != TERN_DROP_NONE);
		HOLDS(w->out - out <= ((flags & TERN_RST) ? 0 : 1));
		HOLDS(w->out_bytes - bytes <= 60);
	}
	HOLDS(w->out == w->out_rsts && w->out > 5000);
	HOLDS(w->out <= w->victim->knobs.tern_rst_per_sec); /* all of it came in one moment */
	HOLDS(counted(w, TERN_CNT_TernRstLimited) > 0);
	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.halfopens == 0 && info.conns == 1);
	HOLDS(w->victim->mem.used == before);
	world_chat(w, 1000);
	world_free(w);
}

static void strays_get_one_reset_at_most_and_leave_nothing(void **state)
{
	(void)state;
	hostile_run(__func__, 2, strays);
}

/* The victim's replies are not drained: the ring holds what it holds. */
static void burst(uint64_t seed)
{
	struct world *w = world_of(seed);
	uint8_t frame[HOSTILE_FRAME];

	for (unsigned int i = 0; i < 5000; i++) {
		struct shot s = anything(w, CLOSED_PORT, TERN_ACK);

		world_inject_burst(w, frame, shot_build(&s, frame));
	}
	HOLDS(counted(w, TERN_CNT_TernReplyDrops) == 5000 - TERN_REPLIES_MAX);
	world_settle(w);
	HOLDS(w->out == TERN_REPLIES_MAX);
	world_free(w);
}

static void a_burst_is_answered_as_far_as_the_ring_goes(void **state)
{
	(void)state;
	hostile_run(__func__, 2, burst);
}

/* ---- what is never answered ---- */

static void expect_silence(struct world *w, const struct shot *s)
{
	struct tern_stack_info info;
	uint64_t out = w->out;

	HOLDS(world_fire(w, s) != TERN_DROP_NONE);
	HOLDS(w->out == out);
	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.halfopens == 0 && info.conns == 1);
}

static void impossible_ends(struct world *w, uint16_t port, uint16_t flags)
{
	static const char *const ends[2][8] = {
		{ "0.0.0.0", "255.255.255.255", "10.77.0.255", "224.0.0.1", "127.0.0.1",
		  "10.77.0.2", "239.255.255.250", "127.8.9.10" },
		{ "::", "::1", "ff02::1", "ff0e::5", "fd77::2", "::ffff:10.77.0.2",
		  "::ffff:127.0.0.1", "ff01::1" },
	};
	const char *const *texts = ends[w->family == TERN_INET6];

	for (unsigned int i = 0; i < 8; i++) {
		struct shot s = anything(w, port, flags);

		HOLDS(tern_addr_parse(texts[i], &s.from.addr) == 0);
		if (s.from.addr.family != w->family) /* the text of a mapped address */
			continue;
		expect_silence(w, &s);
		s.from.port = s.to.port; /* LAND */
		expect_silence(w, &s);
		if (tern_addr_eq(&s.from.addr, &s.to.addr))
			continue;
		s.to.addr = s.from.addr;
		s.from = anybody(w);
		expect_silence(w, &s);
	}
}

static void never_answered_at(struct world *w, uint16_t port, uint16_t flags)
{
	struct shot s = anything(w, port, flags);
	uint8_t frame[HOSTILE_FRAME];
	uint64_t out = w->out;
	uint32_t len = shot_build(&s, frame);

	impossible_ends(w, port, flags);
	frame[len - 1] ^= 1; /* the urgent pointer: the checksum is wrong now */
	HOLDS(world_inject(w, frame, len) == TERN_DROP_TCP_CSUM && w->out == out);
	s.from.port = 0;
	expect_silence(w, &s);
	s.from.port = 1;
	s.to.port = 0;
	expect_silence(w, &s);
}

static void never_answered(uint64_t seed)
{
	struct world *w = world_of(seed);

	for (uint16_t flags = 0; flags < 256; flags++) {
		never_answered_at(w, SERVER_PORT, flags);
		never_answered_at(w, CLOSED_PORT, flags);
	}
	world_free(w);
}

static void nobody_impossible_is_answered(void **state)
{
	(void)state;
	hostile_run(__func__, 2, never_answered);
}

/* ---- blindly at a connection ---- */

static void blind(uint64_t seed)
{
	struct world *w = world_of(seed);
	struct tern_endpoint from = world_at(w, ATTACKER_HOST, 6000);
	struct shot client = { .wnd = 1000, .seq = 0xfffff000 }, s;
	struct tern_socket_info row;
	uint64_t challenges, out;
	tern_id id;

	w->idle_server = true;
	world_shake(w, &from, &client);
	HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &id) == 0);
	challenges = counted(w, TERN_CNT_TcpExtTCPChallengeACK);
	out = w->out;
	for (unsigned int i = 0; i < FLOOD; i++) {
		s = client;
		s.flags = stray_flags[world_pick(w, TERN_ARRAY_SIZE(stray_flags))];
		if (world_once_in(w, 3))
			s.flags = TERN_SYN;
		s.seq += world_once_in(w, 2) ? tern_rng_u32(&w->rng) : 1 + world_pick(w, 60000);
		s.ack += tern_rng_u32(&w->rng) | 0x40000000;
		s.flags &= (uint16_t)~TERN_FIN; /* a FIN waits for an answer, as in Linux */
		if (s.seq != client.seq)
			world_fire(w, &s);
		if (i % 100 == 0)
			world_pass(w, 3 * HOSTILE_MS); /* 3 s in all */
	}
	HOLDS(tern_stack_socket(w->victim, w->now, id, &row) == 0);
	HOLDS(row.state == TERN_ESTABLISHED && row.recv_q == 0);
	HOLDS(counted(w, TERN_CNT_TcpExtTCPChallengeACK) - challenges <= 8);
	HOLDS(w->out - out <= 8);
	world_free(w);
}

static void a_connection_outlives_blind_floods_and_answers_twice_a_second(void **state)
{
	(void)state;
	hostile_run(__func__, 2, blind);
}

/* ---- datagrams and ICMP ---- */

static uint32_t datagram(struct world *w, struct tern_endpoint from, uint16_t port, uint32_t len,
			 uint8_t *frame)
{
	struct tern_packet pkt = { .src = from.addr,
				   .dst = world_addr(w, VICTIM_HOST),
				   .proto = TERN_PROTO_UDP,
				   .ttl = 64,
				   .payload_len = TERN_UDP_HEADER + len };
	uint32_t ip = tern_ip_emit(frame, HOSTILE_FRAME, &pkt);

	memset(frame + ip, 0, TERN_UDP_HEADER + len);
	tern_udp_emit(frame + ip, TERN_UDP_HEADER, from.port, port, len);
	hostile_fix_checksums(frame, ip + pkt.payload_len);
	return ip + pkt.payload_len;
}

static void datagrams(uint64_t seed)
{
	struct world *w = world_of(seed);
	uint8_t frame[HOSTILE_FRAME];
	uint64_t out;

	for (unsigned int i = 0; i < FLOOD; i++)
		world_inject(w, frame, datagram(w, anybody(w), 1000, 100, frame));
	HOLDS(w->out > 0 && w->out <= 100); /* of one moment: icmp_msgs_burst */
	HOLDS(counted(w, TERN_CNT_UdpNoPorts) == FLOOD);
	world_pass(w, 60 * HOSTILE_S);
	out = w->out;
	for (unsigned int i = 0; i < 1000; i++) /* of one sender */
		world_inject(w, frame, datagram(w, world_at(w, ATTACKER_HOST, 9), 1000, 1, frame));
	HOLDS(w->out - out == 6);
	out = w->out;
	for (unsigned int i = 0; i < 1000; i++) /* the server reads none of them */
		world_inject(w, frame, datagram(w, anybody(w), ECHO_PORT, 1000, frame));
	HOLDS(counted(w, TERN_CNT_UdpRcvbufErrors) > 500);
	HOLDS(tern_udp_bytes(w->victim->udp) <= 2 * w->victim->knobs.rmem_default);
	HOLDS(w->out == out);
	world_serve(w);
	HOLDS(w->out > out);
	world_free(w);
}

static void datagrams_are_answered_and_kept_within_limits(void **state)
{
	(void)state;
	hostile_run(__func__, 2, datagrams);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_flood_fills_one_table_and_nothing_else),
		cmocka_unit_test(strays_get_one_reset_at_most_and_leave_nothing),
		cmocka_unit_test(a_burst_is_answered_as_far_as_the_ring_goes),
		cmocka_unit_test(nobody_impossible_is_answered),
		cmocka_unit_test(a_connection_outlives_blind_floods_and_answers_twice_a_second),
		cmocka_unit_test(datagrams_are_answered_and_kept_within_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
