/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever the short way takes, the long way takes too, and reads the same; what the long way finds
 * unusual or wrong, the short one leaves alone.
 */
#include "frame.h"

#include "wire/ip.h"
#include "wire/plain.h"
#include "wire/tcp.h"

#define FRAME_MAX 200

/* The verdict of the long way, and what it read. */
static bool is_plain(const uint8_t *frame, uint32_t len, bool trusted, struct tern_packet *pkt,
		     struct tern_segment *seg)
{
	return tern_ip_parse(frame, len, trusted, pkt) == TERN_PARSE_OK &&
	       pkt->src.family == TERN_INET && pkt->proto == TERN_PROTO_TCP && !pkt->fragment &&
	       !pkt->options && !(pkt->tos & TERN_ECN_MASK) &&
	       (trusted || tern_tcp_cksum_ok(pkt)) &&
	       tern_tcp_parse(pkt->payload, pkt->payload_len, seg) == TERN_PARSE_OK;
}

static void assert_same_segment(const struct tern_segment *a, const struct tern_segment *b)
{
	assert_int_equal(a->sport, b->sport);
	assert_int_equal(a->dport, b->dport);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->wnd, b->wnd);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->urgent, b->urgent);
	assert_int_equal(a->options_malformed, b->options_malformed);
	assert_int_equal(a->opt.present, b->opt.present);
	assert_int_equal(a->opt.mss, b->opt.mss);
	assert_int_equal(a->opt.wscale, b->opt.wscale);
	assert_int_equal(a->opt.sack_count, b->opt.sack_count);
	assert_int_equal(a->opt.tsval, b->opt.tsval);
	assert_int_equal(a->opt.tsecr, b->opt.tsecr);
	assert_ptr_equal(a->data, b->data);
	assert_int_equal(a->len, b->len);
}

/* Both ways over the same bytes. Returns whether they are a plain segment. */
static bool compare(const uint8_t *bytes, uint32_t len, bool trusted)
{
	const uint8_t *frame = guarded(bytes, len);
	struct tern_segment a, b;
	struct tern_packet pkt;
	bool plain = is_plain(frame, len, trusted, &pkt, &a);
	struct tern_addr src, dst;

	assert_int_equal(tern_plain_parse(frame, len, trusted, &b), plain);
	if (!plain)
		return false;
	assert_same_segment(&a, &b);
	tern_plain_addrs(frame, &src, &dst);
	assert_true(tern_addr_eq(&src, &pkt.src));
	assert_true(tern_addr_eq(&dst, &pkt.dst));
	return true;
}

/* A segment with any flags, options and payload; returns its length. */
static uint32_t write_segment(struct tern_rng *rng, uint8_t *frame)
{
	static const uint16_t options[] = { 0, TERN_OPT_TS, TERN_OPT_TS | TERN_OPT_SACK,
					    TERN_OPT_MSS | TERN_OPT_TS | TERN_OPT_SACKOK };
	struct tern_packet pkt = { .src = random_addr(rng, TERN_INET),
				   .dst = random_addr(rng, TERN_INET),
				   .proto = TERN_PROTO_TCP,
				   .ttl = 64 };
	struct tern_segment seg = { .sport = (uint16_t)tern_rng_u32(rng),
				    .dport = (uint16_t)tern_rng_u32(rng),
				    .seq = tern_rng_u32(rng),
				    .ack = tern_rng_u32(rng),
				    .wnd = (uint16_t)tern_rng_u32(rng),
				    .flags = tern_rng_u32(rng) & TERN_TCP_FLAGS };
	uint8_t *p = frame + TERN_IP4_HEADER;
	struct tern_piece data;
	uint32_t header_len;

	seg.opt.present = options[tern_rng_below(rng, 4)];
	seg.opt.tsval = tern_rng_u32(rng);
	seg.opt.tsecr = tern_rng_u32(rng);
	seg.opt.mss = 1460;
	seg.opt.sack_count = seg.opt.present & TERN_OPT_SACK ? 2 : 0;
	header_len = tern_tcp_emit(p, TERN_TCP_HEADER_MAX, &seg);
	data.len = tern_rng_below(rng, 3) ? 0 : tern_rng_below(rng, 70);
	data.ptr = p + header_len;
	tern_rng_bytes(rng, p + header_len, data.len);
	tern_tcp_cksum_full(&pkt.src, &pkt.dst, p, header_len, &data, 1);
	pkt.payload_len = header_len + data.len;
	assert_int_equal(tern_ip4_emit(frame, FRAME_MAX, &pkt), TERN_IP4_HEADER);
	return TERN_IP4_HEADER + pkt.payload_len;
}

static void every_plain_segment_is_taken(void **state)
{
	struct tern_rng rng;

	(void)state;
	seed(&rng, 1);
	for (uint32_t i = 0; i < 20000; i++) {
		uint8_t frame[FRAME_MAX];
		uint32_t len = write_segment(&rng, frame), padding = i % 3;

		memset(frame + len, 0xee, padding);
		if (!tern_get_u16(frame + 20) || !tern_get_u16(frame + 22))
			continue;
		assert_true(compare(frame, len + padding, false));
		frame[36] ^= 1;
		assert_false(compare(frame, len, false));
		assert_true(compare(frame, len, true));
	}
}

/* RFC9293:MUST-3 */
static void one_byte_changed_is_seen_by_both_ways(void **state)
{
	uint8_t frame[FRAME_MAX];
	struct tern_rng rng;
	uint32_t len;

	(void)state;
	seed(&rng, 2);
	len = write_segment(&rng, frame);
	for (uint32_t at = 0; at < len; at++)
		for (uint32_t value = 0; value < 256; value++) {
			uint8_t was = frame[at];

			frame[at] = (uint8_t)value;
			assert_int_equal(compare(frame, len, false), value == was);
			(void)compare(frame, len, true);
			frame[at] = was;
		}
}

static void a_frame_cut_off_anywhere_is_not_plain(void **state)
{
	uint8_t frame[FRAME_MAX];
	struct tern_rng rng;

	(void)state;
	seed(&rng, 3);
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t len = write_segment(&rng, frame);

		for (uint32_t n = 0; n < len; n++)
			assert_false(compare(frame, n, i % 2 != 0));
	}
}

static void flows_are_told_apart(void **state)
{
	uint8_t frame[FRAME_MAX];
	struct tern_plain_flow a, b;
	struct tern_rng rng;

	(void)state;
	seed(&rng, 5);
	write_segment(&rng, frame);
	a = tern_plain_flow(frame);
	for (uint32_t at = 0; at < TERN_PLAIN_MIN; at++) {
		frame[at] ^= 0x80;
		b = tern_plain_flow(frame);
		assert_int_equal(tern_plain_flow_eq(&a, &b), at < 12 || at >= 24);
		frame[at] ^= 0x80;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_plain_segment_is_taken),
		cmocka_unit_test(one_byte_changed_is_seen_by_both_ways),
		cmocka_unit_test(a_frame_cut_off_anywhere_is_not_plain),
		cmocka_unit_test(flows_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
