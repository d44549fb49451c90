/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Valid conversations, mangled: a third stack (the mark) speaks TCP, UDP and ICMP with the victim
 * over a wire that flips bits, cuts, lies about lengths, forges flags and numbers, repeats, delays,
 * tears into fragments and quotes in ICMP errors, with checksums put right half of the time. The
 * bystander's stream must not notice. The same seed gives the same frames.
 */
#include "harness/hostile.h"

#include <stdlib.h>

#include "base/bytes.h"

enum {
	STEPS = 120,
	KEPT = 8,    /* frames that come again later */
	MARKS = 4,   /* connections of the mark */
	SEEDS = 250, /* for each family */
};

struct kept {
	uint8_t frame[HOSTILE_FRAME];
	uint32_t len;
	bool to_victim;
};

struct wire {
	uint8_t quoted[HOSTILE_FRAME]; /* an ICMP error about the victim's last frame */
	uint32_t quoted_len;
	struct kept kept[KEPT];
	tern_id ids[MARKS];
	tern_id udp;
	bool trusting;   /* the victim's link vouches for checksums */
	uint32_t malice; /* frames of 16 that are mangled, and two */
};

/* Numbers that code trips over. */
static uint32_t extreme(struct world *w)
{
	static const uint32_t numbers[] = { 0,          1,          2,          0x7f,
					    0xff,       0x7fff,     0x8000,     0xffff,
					    0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe,
					    0xffffffff, 48,         1460 };

	return numbers[world_pick(w, TERN_ARRAY_SIZE(numbers))];
}

/* Where the transport header begins; len where there is none. */
static uint32_t transport(const uint8_t *frame, uint32_t len)
{
	struct tern_packet pkt;

	return tern_ip_parse(frame, len, true, &pkt) == TERN_PARSE_OK ? pkt.header_len : len;
}

static uint32_t flip_bits(struct world *w, uint8_t *frame, uint32_t len)
{
	for (uint32_t n = 1 + world_pick(w, 4); n && len; n--)
		frame[world_pick(w, len)] ^= (uint8_t)(1u << world_pick(w, 8));
	return len;
}

static uint32_t set_byte(struct world *w, uint8_t *frame, uint32_t len)
{
	if (len)
		frame[world_pick(w, TERN_MIN(len, 80u))] = (uint8_t)extreme(w);
	return len;
}

static uint32_t cut(struct world *w, uint8_t *frame, uint32_t len)
{
	(void)frame;
	return len ? world_pick(w, len) : 0;
}

static uint32_t grow(struct world *w, uint8_t *frame, uint32_t len)
{
	uint32_t n = TERN_MIN(world_pick(w, 64), HOSTILE_FRAME - len);

	tern_rng_bytes(&w->rng, frame + len, n);
	return len + n;
}

/* The length fields of IP: total length or payload length. */
static uint32_t lie_about_length(struct world *w, uint8_t *frame, uint32_t len)
{
	uint32_t at = len && frame[0] >> 4 == 6 ? 4 : 2;

	if (len >= 20)
		tern_put_u16(frame + at,
			     (uint16_t)(world_once_in(w, 2) ? extreme(w)
							    : len + world_pick(w, 9) - 4));
	return len;
}

static uint32_t set_flags(struct world *w, uint8_t *frame, uint32_t len)
{
	uint32_t at = transport(frame, len);

	if (at + 20 <= len) {
		frame[at + 13] = (uint8_t)world_pick(w, 256);
		frame[at + 12] ^= (uint8_t)(world_pick(w, 8) == 0);
	}
	return len;
}

static uint32_t set_offset(struct world *w, uint8_t *frame, uint32_t len)
{
	uint32_t at = transport(frame, len);

	if (at + 20 <= len)
		frame[at + 12] = (uint8_t)(world_pick(w, 16) << 4);
	return len;
}

/* SEQ, ACK, window, urgent pointer, ports. */
static uint32_t set_numbers(struct world *w, uint8_t *frame, uint32_t len)
{
	static const uint8_t words[] = { 4, 8 }, halves[] = { 0, 2, 14, 18 };
	uint32_t at = transport(frame, len);
	uint8_t *field;

	if (at + 20 > len)
		return len;
	field = frame + at + words[world_pick(w, 2)];
	switch (world_pick(w, 4)) {
	case 0:
		tern_put_u32(field, extreme(w));
		break;
	case 1:
		tern_put_u32(field, tern_get_u32(field) + extreme(w));
		break;
	case 2:
		tern_put_u32(field, tern_get_u32(field) + world_pick(w, 5) - 2);
		break;
	default:
		tern_put_u16(frame + at + halves[world_pick(w, 4)], (uint16_t)extreme(w));
		break;
	}
	return len;
}

/* Garbage where options stand, the kinds that mean something among it. */
static uint32_t spoil_options(struct world *w, uint8_t *frame, uint32_t len)
{
	static const uint8_t kinds[] = { 0, 1, 2, 3, 4, 5, 8, 19, 29, 30, 34, 254, 255 };
	uint32_t at = transport(frame, len), head;

	if (at + 20 > len)
		return len;
	head = TERN_MIN((uint32_t)(frame[at + 12] >> 4) * 4, len - at);
	for (uint32_t i = 20; i < head; i++)
		if (world_once_in(w, 3))
			frame[at + i] = world_once_in(w, 2)
						? kinds[world_pick(w, TERN_ARRAY_SIZE(kinds))]
						: (uint8_t)world_pick(w, 41);
	return len;
}

/* Another sender: nobody, everybody, the victim itself, loopback. */
static uint32_t forge_source(struct world *w, uint8_t *frame, uint32_t len)
{
	static const uint8_t v4[][4] = { { 0, 0, 0, 0 },     { 255, 255, 255, 255 },
					 { 10, 77, 0, 255 }, { 224, 0, 0, 1 },
					 { 127, 0, 0, 1 },   { 10, 77, 0, 2 },
					 { 10, 77, 0, 66 },  { 240, 1, 2, 3 } };

	if (len >= 20 && frame[0] >> 4 == 4)
		memcpy(frame + 12, v4[world_pick(w, TERN_ARRAY_SIZE(v4))], 4);
	else if (len >= 40)
		memset(frame + 8, world_once_in(w, 2) ? 0xff : 0, 8 + world_pick(w, 9));
	return len;
}

/* IPv4 options or IPv6 extension headers, good ones and bad ones, up to eleven of them. */
static uint32_t add_headers(struct world *w, uint8_t *frame, uint32_t len)
{
	static const uint8_t kinds4[] = { 0, 1, 7, 68, 130, 131, 137, 148, 255 };
	static const uint8_t kinds6[] = { 0, 43, 44, 51, 59, 60, 135 };
	bool v6 = len && frame[0] >> 4 == 6;
	uint32_t at = v6 ? 40 : 20, n = v6 ? 8 : 4 + 4 * world_pick(w, 10);

	for (uint32_t times = v6 ? 1 + world_pick(w, 11) : 1; times; times--) {
		if (len < at || len + n > HOSTILE_FRAME || (!v6 && (frame[0] & 15) != 5))
			return len;
		memmove(frame + at + n, frame + at, len - at);
		tern_rng_bytes(&w->rng, frame + at, n);
		len += n;
		if (v6) {
			frame[at] = frame[6];
			frame[at + 1] = (uint8_t)world_once_in(w, 8);
			frame[at + 2] = world_once_in(w, 3) ? 0xc2 : 1;
			frame[at + 3] = (uint8_t)(world_once_in(w, 3) ? 0 : 4);
			frame[6] = kinds6[world_pick(w, TERN_ARRAY_SIZE(kinds6))];
			tern_put_u16(frame + 4, (uint16_t)(len - 40));
		} else {
			frame[0] = (uint8_t)(0x45 + n / 4);
			frame[at] = kinds4[world_pick(w, TERN_ARRAY_SIZE(kinds4))];
			frame[at + 1] = (uint8_t)world_pick(w, n + 2);
			tern_put_u16(frame + 2, (uint16_t)len);
		}
	}
	return len;
}

/* An ICMP error of any type that quotes the frame as if the victim had sent it. */
static uint32_t quote(struct world *w, uint8_t *frame, uint32_t len)
{
	uint8_t quoted[HOSTILE_FRAME];
	uint32_t n = TERN_MIN(len, 8 + world_pick(w, 120));
	bool v6 = w->family == TERN_INET6;
	struct tern_packet pkt = { .src = world_addr(w, ATTACKER_HOST),
				   .dst = world_addr(w, VICTIM_HOST),
				   .proto = v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP,
				   .ttl = 64,
				   .payload_len = 8 + n };
	uint32_t ip;

	memcpy(quoted, frame, n);
	ip = tern_ip_emit(frame, HOSTILE_FRAME, &pkt);
	frame[ip] = (uint8_t)world_pick(w, v6 ? 5 : 20);
	frame[ip + 1] = (uint8_t)world_pick(w, 16);
	tern_put_u32(frame + ip + 4, extreme(w));
	memcpy(frame + ip + 8, quoted, n);
	return ip + 8 + n;
}

static uint32_t (*const manglers[])(struct world *, uint8_t *, uint32_t) = {
	flip_bits,    set_byte,   cut,         grow,        lie_about_length,
	set_flags,    set_offset, set_numbers, add_headers, spoil_options,
	forge_source, quote,      set_numbers,
};

static void to_mark(struct world *w, const uint8_t *frame, uint32_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct tern_frame f = { .data = exact, .len = len };

	HOLDS(exact != NULL);
	memcpy(exact, frame, len);
	tern_stack_input(w->mark, w->now, &f, 1);
	free(exact);
}

static void carry(struct world *w, const uint8_t *frame, uint32_t len, bool to_victim)
{
	const struct wire *wire = w->context;

	if (to_victim) {
		if (wire->trusting) { /* a link that vouches for what it has not seen */
			w->csum = (enum tern_csum)world_pick(w, 3);
			w->gso_size = world_once_in(w, 3) ? extreme(w) : 0;
		}
		world_inject_burst(w, frame, len);
		w->csum = TERN_CSUM_FULL;
		w->gso_size = 0;
	} else {
		to_mark(w, frame, len);
	}
}

/* In two or three parts, which may overlap, in any order. */
static void tear(struct world *w, const uint8_t *frame, uint32_t len, bool to_victim)
{
	struct tern_packet pkt;
	uint8_t part[HOSTILE_FRAME];
	uint32_t cutting, from, head;

	if (tern_ip_parse(frame, len, true, &pkt) != TERN_PARSE_OK || pkt.fragment ||
	    pkt.payload_len < 32)
		return;
	cutting = (8 + world_pick(w, pkt.payload_len - 16)) & ~7u;
	for (unsigned int i = world_pick(w, 2), n = 0; n < 2 + (unsigned int)world_once_in(w, 4);
	     n++, i = !i) {
		struct tern_packet f = pkt;

		from = i ? cutting : 0;
		if (i && world_once_in(w, 6))
			from = (from + world_pick(w, 3) * 8 - 8) & 0xfff8;
		f.fragment = true;
		f.df = false;
		f.frag_id = 77;
		f.frag_offset = from;
		f.more_fragments = !i;
		f.payload_len = i ? pkt.payload_len - TERN_MIN(cutting, pkt.payload_len) : cutting;
		head = tern_ip_emit(part, sizeof(part), &f);
		if (!head || head + f.payload_len > sizeof(part) ||
		    from + f.payload_len > pkt.payload_len)
			continue;
		memcpy(part + head, pkt.payload + from, f.payload_len);
		carry(w, part, head + f.payload_len, to_victim);
	}
}

/* What the wire makes of a frame. */
static void transmit(struct world *w, uint8_t *frame, uint32_t len, bool to_victim)
{
	struct wire *wire = w->context;
	struct kept *k = &wire->kept[world_pick(w, KEPT)];
	uint8_t copy[HOSTILE_FRAME];
	uint32_t fate = world_pick(w, 16);

	if (world_once_in(w, 4)) {
		memcpy(k->frame, frame, len);
		k->len = len;
		k->to_victim = to_victim;
	}
	if (fate == 0)
		return; /* lost */
	if (fate == 1) {
		tear(w, frame, len, to_victim);
		return;
	}
	if (fate < wire->malice) { /* something else comes before it, or in its place */
		uint32_t n = len;

		memcpy(copy, frame, len);
		for (uint32_t times = 1 + world_pick(w, 2); times; times--)
			n = manglers[world_pick(w, TERN_ARRAY_SIZE(manglers))](w, copy, n);
		if (world_once_in(w, 2))
			hostile_fix_checksums(copy, n);
		carry(w, copy, n, to_victim);
	}
	if (fate != 2)
		carry(w, frame, len, to_victim);
}

/* The victim's frames reach the mark over the same wire; everybody else's vanish. */
static void from_victim(struct world *w, uint8_t *frame, uint32_t len)
{
	struct wire *wire = w->context;
	struct tern_packet pkt;

	if (tern_ip_parse(frame, len, true, &pkt) == TERN_PARSE_OK &&
	    tern_addr_eq(&pkt.dst, &w->mark->cfg.addrs[0].addr)) {
		transmit(w, frame, len, false);
		wire->quoted_len = quote(w, frame, len);
		memcpy(wire->quoted, frame, wire->quoted_len);
	}
}

static void drain_mark(struct world *w)
{
	struct tern_out out;

	for (unsigned int n = 0; n < 64 && tern_stack_output(w->mark, w->now, &out, 1); n++) {
		uint8_t frame[HOSTILE_FRAME];
		uint32_t len = 0;

		for (unsigned int i = 0; i < out.pieces; i++) {
			memcpy(frame + len, out.piece[i].ptr, out.piece[i].len);
			len += out.piece[i].len;
		}
		transmit(w, frame, len, true);
	}
	world_settle(w);
}

/* ---- what the mark does ---- */

static void mark_connects(struct world *w, tern_id *id)
{
	struct tern_endpoint to = world_at(w, VICTIM_HOST, SERVER_PORT);

	if (tern_stack_open(w->mark, w->now, TERN_STREAM, (enum tern_family)w->family, id) < 0)
		return;
	if (w->seed % 2) /* Fast Open: the SYN goes with the first bytes, if there is a cookie */
		tern_stack_connect_fastopen(w->mark, w->now, *id, &to);
	else
		tern_stack_connect(w->mark, w->now, *id, &to);
}

static void mark_pings(struct world *w)
{
	bool v6 = w->family == TERN_INET6;
	struct tern_packet pkt = { .src = world_addr(w, MARK_HOST),
				   .dst = world_addr(w, VICTIM_HOST),
				   .proto = v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP,
				   .ttl = 64,
				   .payload_len = 8 + world_pick(w, 100) };
	uint8_t frame[HOSTILE_FRAME] = { 0 };
	uint32_t ip = tern_ip_emit(frame, sizeof(frame), &pkt);

	frame[ip] = v6 ? TERN_ICMP6_ECHO : TERN_ICMP4_ECHO;
	hostile_fix_checksums(frame, ip + pkt.payload_len);
	transmit(w, frame, ip + pkt.payload_len, true);
}

static void mark_acts(struct world *w)
{
	static const uint8_t words[3000] = "to be or not to be";
	struct wire *wire = w->context;
	struct tern_endpoint echo = world_at(w, VICTIM_HOST, ECHO_PORT);
	tern_id *id = &wire->ids[world_pick(w, MARKS)];
	uint8_t buf[4096];

	switch (world_pick(w, 10)) {
	case 0:
		tern_stack_close(w->mark, w->now, *id);
		*id = 0;
		break;
	case 1:
		tern_stack_abort(w->mark, w->now, *id);
		*id = 0;
		break;
	case 2:
		tern_stack_shutdown(w->mark, w->now, *id, TERN_SHUT_WR);
		break;
	case 3:
		mark_pings(w);
		break;
	case 4:
		tern_stack_sendto(w->mark, w->now, wire->udp, words, world_pick(w, 2600), &echo);
		break;
	default:
		tern_stack_send(w->mark, w->now, *id, words, world_pick(w, 3000), 0);
		while (tern_stack_recv(w->mark, w->now, *id, buf, sizeof(buf), 0) > 0)
			;
		break;
	}
	if (!*id)
		mark_connects(w, id);
}

static void replay_kept(struct world *w)
{
	struct wire *wire = w->context;
	struct kept *k = &wire->kept[world_pick(w, KEPT)];

	if (k->len)
		carry(w, k->frame, k->len, k->to_victim);
	hostile_fix_checksums(wire->quoted, wire->quoted_len);
	carry(w, wire->quoted, wire->quoted_len, true);
}

static void step(struct world *w)
{
	struct tern_event ev;

	if (world_once_in(w, 2))
		mark_acts(w);
	if (world_once_in(w, 3))
		replay_kept(w);
	drain_mark(w);
	world_serve(w);
	drain_mark(w);
	while (tern_stack_event(w->mark, &ev))
		;
	if (world_once_in(w, 4))
		world_chat(w, world_pick(w, 2000));
	world_pass(w, world_once_in(w, 20) ? world_pick(w, 5000) * HOSTILE_MS
					   : world_pick(w, 100) * HOSTILE_MS);
	world_check(w);
}

/* Returns the digest of all that the victim sent to the mark. */
static uint64_t converse(uint8_t family, uint64_t seed)
{
	struct world *w = world_new(family, seed);
	struct tern_config mark = hostile_config(family, MARK_HOST, seed);
	struct wire *wire = calloc(1, sizeof(*wire));
	uint64_t digest;

	HOLDS(wire && tern_stack_new(&mark, w->now, &w->mark) == 0);
	HOLDS(tern_stack_open(w->mark, w->now, TERN_DGRAM, (enum tern_family)family, &wire->udp) ==
	      0);
	if (seed % 2) {
		HOLDS(tern_stack_knob(w->victim, w->now, "net.ipv4.tcp_fastopen", "3") == 0);
		HOLDS(tern_stack_option(w->victim, w->now, w->listener, TERN_SO_FASTOPEN, 8) == 0);
	}
	w->context = wire;
	w->outsider = from_victim;
	w->moody_server = world_once_in(w, 2);
	wire->trusting = world_once_in(w, 4);
	wire->malice = 2 + world_pick(w, 10);
	for (unsigned int i = 0; i < STEPS; i++)
		step(w);
	digest = w->digest;
	world_free(w);
	free(wire);
	return digest;
}

static void twice(uint64_t seed)
{
	uint8_t family = seed % 2 ? TERN_INET : TERN_INET6;
	uint64_t digest = converse(family, seed);

	if (seed % 8 == 1)
		HOLDS(converse(family, seed) == digest);
}

static void mangled_conversations_harm_nobody_and_can_be_replayed(void **state)
{
	(void)state;
	hostile_run(__func__, (uint64_t)SEEDS * 2, twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mangled_conversations_harm_nobody_and_can_be_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
