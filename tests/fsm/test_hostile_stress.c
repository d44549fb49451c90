/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on what a connection costs: bytes out of order (SegmentSmack), fragments (FragmentSmack),
 * tiny segments, windows that never open (sockstress), accept queues that nobody drains, two ends
 * that disagree, forged ICMP, acknowledgments cut in pieces (attacks A10, B07, B10-B12, C12, C13,
 * D01, D02, D05-D11, F01-F07).
 */
#include "harness/hostile.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "tcp/reass.h"

static struct world *world_of(uint64_t seed)
{
	return world_new(seed % 2 ? TERN_INET : TERN_INET6, seed);
}

static uint64_t counted(const struct world *w, enum tern_counter c)
{
	return tern_stack_counter(w->victim, c);
}

/* A connection from port 5000 + n of the attacker; the victim's end. */
static tern_id attach(struct world *w, unsigned int n, struct shot *s)
{
	struct tern_endpoint from = world_at(w, ATTACKER_HOST, (uint16_t)(5000 + n));
	tern_id id;

	w->idle_server = true;
	world_shake(w, &from, s);
	HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &id) == 0);
	return id;
}

static struct tern_socket_info row_of(struct world *w, tern_id id)
{
	struct tern_socket_info row;

	HOLDS(tern_stack_socket(w->victim, w->now, id, &row) == 0);
	return row;
}

/* ---- bytes out of order ---- */

static void segment_smack(uint64_t seed)
{
	static const uint8_t scale[4] = { 1, 3, 3, 14 };
	struct world *w = world_of(seed);
	struct shot s = { .wnd = 1000, .seq = 0xffffc000, .opt = scale, .opt_len = 4 };
	tern_id id = attach(w, 0, &s);
	tern_seq first = s.seq;
	uint8_t byte, buf[4096];
	int64_t n, got = 0;

	s.data = &byte;
	s.len = 1;
	for (unsigned int i = 0; i < 100000; i++) {
		uint32_t off = 1 + world_pick(w, 60000);
		uint64_t out = w->out;

		byte = (uint8_t)(off * 3);
		s.seq = first + off;
		world_fire(w, &s);
		HOLDS(w->out - out <= 1);
		HOLDS(w->victim->tcp.reass.used == 1);
		HOLDS(row_of(w, id).mem.rmem_alloc <= 2 * 131072 + 65536);
	}
	HOLDS(counted(w, TERN_CNT_TcpExtTCPOFODrop) > 0);
	for (uint32_t off = 0; off <= 60000; off++) { /* honest bytes, in order */
		byte = (uint8_t)(off * 3);
		s.seq = first + off;
		world_fire(w, &s);
		while ((n = tern_stack_recv(w->victim, w->now, id, buf, sizeof(buf), 0)) > 0)
			for (int64_t i = 0; i < n; i++, got++)
				HOLDS(buf[i] == (uint8_t)(got * 3));
	}
	HOLDS(got == 60001);
	world_chat(w, 2000);
	world_free(w);
}

static void early_bytes_cost_a_bounded_list(void **state)
{
	(void)state;
	hostile_run(__func__, 2, segment_smack);
}

/* ---- fragments ---- */

static void fragment_smack(uint64_t seed)
{
	struct world *w = world_of(seed);
	uint8_t frame[HOSTILE_FRAME];
	uint64_t most = 0;

	for (unsigned int i = 0; i < 100000; i++) {
		struct tern_packet pkt = { .src = world_addr(w, ATTACKER_HOST),
					   .dst = world_addr(w, VICTIM_HOST),
					   .proto = TERN_PROTO_UDP,
					   .ttl = 64,
					   .fragment = true,
					   .frag_id = world_pick(w, i % 3 ? 4 : 60000),
					   .frag_offset = world_pick(w, 8190) * 8,
					   .more_fragments = !world_once_in(w, 50),
					   .payload_len = 8 + 8 * world_pick(w, 3) };
		uint32_t ip = tern_ip_emit(frame, sizeof(frame), &pkt);
		uint64_t out = w->out;

		memset(frame + ip, 0, pkt.payload_len);
		world_inject(w, frame, ip + pkt.payload_len);
		HOLDS(w->out == out);
		most = TERN_MAX(most, tern_frags_bytes(w->victim->frags));
		if (i % 5000 == 0)
			world_chat(w, 1000);
	}
	HOLDS(most > 0 && most <= 16 * (65536 + 256));
	world_pass(w, 40 * HOSTILE_S);
	HOLDS(tern_frags_bytes(w->victim->frags) == 0);
	world_free(w);
}

static void fragments_that_never_meet_cost_a_bounded_table(void **state)
{
	(void)state;
	hostile_run(__func__, 2, fragment_smack);
}

/* ---- tiny segments ---- */

static void tiny(uint64_t seed)
{
	static const uint16_t sizes[] = { 0, 1, 7, 8, 47, 48, 49, 88, 536 };
	struct world *w = world_of(seed);
	uint32_t unsaid = w->family == TERN_INET ? 536 : 1220;
	uint8_t text[4000] = { 0 };

	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(sizes); i++) {
		uint8_t opt[4] = { 2, 4 };
		struct shot s = { .wnd = 60000, .seq = 1, .opt = opt };
		uint64_t out;
		tern_id id;

		tern_put_u16(opt + 2, sizes[i]);
		s.opt_len = seed > 2 ? 4 : 0; /* else no option at all: 536, in IPv6 1220 */
		id = attach(w, i, &s);
		out = w->out;
		HOLDS(tern_stack_send(w->victim, w->now, id, text, sizeof(text), 0) ==
		      sizeof(text));
		world_pass(w, HOSTILE_S);
		HOLDS(w->out - out >= 1 && w->out - out <= sizeof(text) / 8);
		HOLDS(w->last.len >= 8 && w->last.len <= TERN_MAX((uint32_t)sizes[i], unsaid));
		HOLDS(tern_stack_abort(w->victim, w->now, id) == 0);
	}
	world_free(w);
}

static void tiny_segment_sizes_have_a_floor(void **state)
{
	(void)state;
	hostile_run(__func__, 4, tiny);
}

/* ---- windows that never open ---- */

static void sockstress(uint64_t seed)
{
	enum { HOLDERS = 200 };
	struct world *w = world_of(seed);
	struct shot s[HOLDERS];
	uint8_t text[8000] = { 1 };
	struct tern_stack_info info;
	tern_id id[HOLDERS];

	for (unsigned int i = 0; i < HOLDERS; i++) {
		s[i] = (struct shot){ .seq = i };
		id[i] = attach(w, i, &s[i]);
		HOLDS(tern_stack_send(w->victim, w->now, id[i], text, sizeof(text), 0) ==
		      sizeof(text));
	}
	world_settle(w);
	for (unsigned int i = 0; i < HOLDERS; i++)
		if (i % 2)
			HOLDS(tern_stack_close(w->victim, w->now, id[i]) == 0);
	for (unsigned int t = 0; t < 60; t++) { /* every probe is answered: "still closed" */
		world_pass(w, 10 * HOSTILE_S);
		for (unsigned int i = 0; i < HOLDERS; i++)
			world_fire(w, &s[i]);
		world_chat(w, 3000);
	}
	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.orphans == 0);             /* nobody holds an orphan that way */
	HOLDS(info.conns == 1 + HOLDERS / 2); /* MUST-37: with an application, for ever */
	HOLDS(counted(w, TERN_CNT_TcpExtTCPWinProbe) < HOLDERS * 40);
	world_free(w);
}

static void closed_windows_hold_no_orphan_and_no_bystander(void **state)
{
	(void)state;
	hostile_run(__func__, 2, sockstress);
}

/* ---- an accept queue that nobody drains ---- */

static void undrained(uint64_t seed)
{
	struct world *w = world_of(seed);
	struct tern_stack_info info;
	tern_id id;

	HOLDS(tern_stack_listen(w->victim, w->now, w->listener, 20) == 0);
	for (unsigned int i = 0; i < 2000; i++) {
		struct shot s = { .from = world_at(w, ATTACKER_HOST, (uint16_t)(5000 + i)),
				  .to = world_at(w, VICTIM_HOST, SERVER_PORT),
				  .flags = TERN_SYN,
				  .wnd = 1000 };
		uint64_t out = w->out;

		if (world_fire(w, &s) == TERN_DROP_NONE) {
			s.seq = 1;
			s.ack = w->last.seq + 1;
			s.flags = TERN_ACK;
			s.len = world_pick(w, 100);
			world_fire(w, &s);
		}
		HOLDS(w->out - out <= 2 && w->out_rsts == 0);
		if (i % 50 == 0)
			world_pass(w, HOSTILE_S);
	}
	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.accept_queued == 21);
	HOLDS(info.halfopens <= 21);
	HOLDS(counted(w, TERN_CNT_TcpExtListenOverflows) > 1000);
	HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &id) == 0);
	HOLDS(tern_stack_close(w->victim, w->now, w->listener) == 0);
	tern_stack_info(w->victim, w->now, &info);
	HOLDS(info.accept_queued == 0 && info.halfopens == 0 && info.conns == 2);
	world_settle(w);
	HOLDS(w->out_rsts >= 20);
	world_free(w);
}

static void an_undrained_accept_queue_stays_short_and_ends_in_resets(void **state)
{
	(void)state;
	hostile_run(__func__, 2, undrained);
}

/* ---- two ends that disagree ---- */

static uint64_t to_mark_count;

static void to_mark(struct world *w, uint8_t *frame, uint32_t len)
{
	struct tern_frame f = { .data = frame, .len = len };

	to_mark_count++;
	tern_stack_input(w->mark, w->now, &f, 1);
}

/* Carries between victim and mark until silence or `max` frames of the mark. */
static uint64_t converse(struct world *w, uint64_t max)
{
	uint8_t frame[HOSTILE_FRAME];
	struct tern_out out;
	uint64_t n = 0;

	world_settle(w);
	while (n < max && tern_stack_output(w->mark, w->now, &out, 1)) {
		uint32_t len = 0;

		for (unsigned int i = 0; i < out.pieces; i++) {
			memcpy(frame + len, out.piece[i].ptr, out.piece[i].len);
			len += out.piece[i].len;
		}
		n++;
		world_inject(w, frame, len);
	}
	return n;
}

/* seed 3, 4: with data under way on both sides, too. */
static void disagreement(uint64_t seed)
{
	struct world *w = world_of(seed);
	struct tern_config cfg = hostile_config(w->family, MARK_HOST, seed);
	struct tern_endpoint to = world_at(w, VICTIM_HOST, SERVER_PORT);
	uint64_t frames = 0;
	struct tern_conn *c;
	tern_id id, near;

	HOLDS(tern_stack_new(&cfg, w->now, &w->mark) == 0);
	w->outsider = to_mark;
	w->idle_server = true;
	HOLDS(tern_stack_open(w->mark, w->now, TERN_STREAM, (enum tern_family)w->family, &id) == 0);
	HOLDS(tern_stack_connect(w->mark, w->now, id, &to) == 0);
	converse(w, 10);
	HOLDS(tern_stack_accept(w->victim, w->now, w->listener, &near) == 0);
	world_pass(w, 10 * HOSTILE_S);
	c = tern_conn_at(&w->mark->tcp, (uint32_t)id);
	c->rcv.nxt += 1 << 24; /* as after a desynchronisation attack */
	c->rcv.adv += 1 << 24;
	c->snd.nxt += 1 << 24;
	c->snd.una += 1 << 24;
	if (seed > 2) {
		HOLDS(tern_stack_send(w->victim, w->now, near, "abc", 3, 0) == 3);
		HOLDS(tern_stack_send(w->mark, w->now, id, "abc", 3, 0) == 3);
	}
	HOLDS(tern_stack_option(w->victim, w->now, near, TERN_SO_KEEPIDLE, 1) == 0);
	HOLDS(tern_stack_option(w->victim, w->now, near, TERN_SO_KEEPINTVL, 1) == 0);
	HOLDS(tern_stack_option(w->victim, w->now, near, TERN_SO_KEEPALIVE, 1) == 0);
	to_mark_count = 0;
	for (unsigned int i = 0; i < 600; i++) { /* a minute */
		world_pass(w, 100 * HOSTILE_MS);
		frames += converse(w, 1000);
	}
	HOLDS(frames + to_mark_count > 2);
	HOLDS(frames <= 2 * 60 + 2);
	HOLDS(to_mark_count <= 2 * 60 + 30); /* with retransmissions and keepalive probes */
	w->outsider = NULL;
	world_free(w);
}

static void ends_that_disagree_do_not_storm(void **state)
{
	(void)state;
	hostile_run(__func__, 4, disagreement);
}

/* ---- forged ICMP ---- */

static void forge(struct world *w, const struct shot *s, uint8_t type, uint8_t code, uint32_t rest,
		  tern_seq quoted)
{
	bool v6 = w->family == TERN_INET6;
	struct shot mine = { .from = s->to, .to = s->from, .seq = quoted, .flags = TERN_ACK };
	struct tern_packet pkt = { .src = world_addr(w, ATTACKER_HOST + 1),
				   .dst = world_addr(w, VICTIM_HOST),
				   .proto = v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP,
				   .ttl = 64,
				   .payload_len = 8 + (v6 ? 48 : 28) };
	uint8_t frame[HOSTILE_FRAME], inner[HOSTILE_FRAME];
	uint32_t ip = tern_ip_emit(frame, sizeof(frame), &pkt);

	shot_build(&mine, inner);
	frame[ip] = type;
	frame[ip + 1] = code;
	tern_put_u32(frame + ip + 4, rest);
	memcpy(frame + ip + 8, inner, pkt.payload_len - 8);
	hostile_fix_checksums(frame, ip + pkt.payload_len);
	world_inject(w, frame, ip + pkt.payload_len);
}

static void forged(uint64_t seed)
{
	struct world *w = world_of(seed);
	bool v6 = w->family == TERN_INET6;
	struct shot s = { .wnd = 60000, .seq = 5 };
	uint8_t text[3000] = { 0 };
	tern_id id = attach(w, 0, &s);
	tern_seq una = s.ack;
	uint64_t out;

	HOLDS(tern_stack_send(w->victim, w->now, id, text, sizeof(text), 0) == sizeof(text));
	world_settle(w);
	out = w->out;
	for (uint32_t type = 0; type < 256; type++) {
		for (uint8_t code = 0; code < 16; code++) {
			if (v6 ? type == 2 : type == 3 && code == 4)
				continue; /* too big: below */
			forge(w, &s, (uint8_t)type, code, 68, una + world_pick(w, 2900));
			forge(w, &s, (uint8_t)type, code, 68, tern_rng_u32(&w->rng));
		}
	}
	HOLDS(row_of(w, id).state == TERN_ESTABLISHED && row_of(w, id).pmtu == 1500);
	HOLDS(w->out - out <= 2 * 16);          /* echo requests */
	for (unsigned int i = 0; i < 1000; i++) /* blind: beyond what is in flight */
		forge(w, &s, v6 ? 2 : 3, v6 ? 0 : 4, 68,
		      una + (uint32_t)sizeof(text) + world_pick(w, 1u << 31));
	HOLDS(row_of(w, id).pmtu == 1500);
	for (uint32_t mtu = 0; mtu < 2000; mtu += 17)
		forge(w, &s, v6 ? 2 : 3, v6 ? 0 : 4, mtu, una);
	HOLDS(row_of(w, id).pmtu == (v6 ? 1280 : 552));
	world_chat(w, 4000);
	world_free(w);
}

static void forged_errors_end_nothing_and_shrink_nothing_below_the_floor(void **state)
{
	(void)state;
	hostile_run(__func__, 2, forged);
}

/* ---- acknowledgments cut in pieces (D08) ---- */

static void ack_division(uint64_t seed)
{
	struct world *w = world_of(seed);
	struct shot s = { .wnd = 60000, .seq = 5 };
	uint8_t text[8000] = { 0 };
	tern_id id = attach(w, 0, &s);
	uint32_t cwnd = row_of(w, id).cwnd, flight;

	HOLDS(tern_stack_send(w->victim, w->now, id, text, sizeof(text), 0) > 0);
	world_settle(w);
	flight = row_of(w, id).unacked;
	HOLDS(flight > 1000);
	for (uint32_t i = 1; i <= flight; i++) {
		s.ack++;
		world_fire(w, &s);
		if (i % 50 == 0) { /* an optimistic one: never sent */
			s.ack += 1 << 20;
			HOLDS(world_fire(w, &s) == TERN_DROP_TCP_ACK_UNSENT_DATA);
			s.ack -= 1 << 20;
		}
	}
	HOLDS(row_of(w, id).cwnd <= cwnd + flight);
	world_free(w);
}

static void acknowledgments_in_pieces_gain_nothing(void **state)
{
	(void)state;
	hostile_run(__func__, 2, ack_division);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(early_bytes_cost_a_bounded_list),
		cmocka_unit_test(fragments_that_never_meet_cost_a_bounded_table),
		cmocka_unit_test(tiny_segment_sizes_have_a_floor),
		cmocka_unit_test(closed_windows_hold_no_orphan_and_no_bystander),
		cmocka_unit_test(an_undrained_accept_queue_stays_short_and_ends_in_resets),
		cmocka_unit_test(ends_that_disagree_do_not_storm),
		cmocka_unit_test(forged_errors_end_nothing_and_shrink_nothing_below_the_floor),
		cmocka_unit_test(acknowledgments_in_pieces_gain_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
