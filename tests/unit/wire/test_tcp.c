/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include "wire/emit.h"
#include "wire/ip.h"
#include "wire/tcp.h"

/* What the header holds; the options have a test of their own. */
static void assert_same_header(const struct tern_segment *a, const struct tern_segment *b)
{
	assert_int_equal(a->sport, b->sport);
	assert_int_equal(a->dport, b->dport);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->wnd, b->wnd);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->urgent, b->urgent);
	assert_int_equal(a->len, b->len);
}

static void a_segment_reads_as_it_was_written(void **state)
{
	struct tern_rng rng;
	uint8_t buf[256];

	(void)state;
	seed(&rng, 7);
	for (uint32_t i = 0; i < 50000; i++) {
		struct tern_segment in = { .flags = i & TERN_TCP_FLAGS }, out;
		uint32_t len;

		in.sport = (uint16_t)tern_rng_u32(&rng);
		in.dport = (uint16_t)tern_rng_u32(&rng);
		in.seq = tern_rng_u32(&rng);
		in.ack = tern_rng_u32(&rng);
		in.wnd = (uint16_t)tern_rng_u32(&rng);
		in.urgent = (uint16_t)tern_rng_u32(&rng);
		in.len = tern_rng_below(&rng, 100);
		if (i & 512) {
			in.opt.present = TERN_OPT_TS;
			in.opt.tsval = tern_rng_u32(&rng);
		}
		len = tern_tcp_emit(buf, TERN_TCP_HEADER_MAX, &in);
		assert_int_equal(len, i & 512 ? 32 : 20);
		assert_int_equal(tern_get_u16(buf + TERN_TCP_CKSUM_OFFSET), 0);
		memset(buf + len, 0x55, in.len);
		assert_int_equal(tern_tcp_parse(guarded(buf, len + in.len), len + in.len, &out),
				 TERN_PARSE_OK);
		assert_same_header(&in, &out);
		assert_int_equal(in.opt.present, out.opt.present);
		assert_int_equal(in.opt.tsval, out.opt.tsval);
		assert_false(out.options_malformed);
		assert_true(out.len == 0 || out.data[0] == 0x55);
	}
}

/* The emitters in line write what the common ones write. RFC9293:MUST-2 */
static void a_segment_written_in_line_is_the_same(void **state)
{
	struct tern_rng rng;

	(void)state;
	seed(&rng, 8);
	for (uint32_t i = 0; i < 20000; i++) {
		struct tern_packet pkt = { .proto = TERN_PROTO_TCP, .df = true };
		struct tern_segment seg = { .flags = i & TERN_TCP_FLAGS };
		uint8_t data[64], want[80], got[80], addrs[8];
		struct tern_piece piece[2] = { { data, tern_rng_below(&rng, 32) },
					       { data + 32, tern_rng_below(&rng, 32) } };
		uint32_t len;

		tern_rng_bytes(&rng, data, sizeof(data));
		tern_rng_bytes(&rng, &seg.opt, sizeof(seg.opt));
		seg.opt.present = (uint16_t)tern_rng_below(&rng, 64);
		seg.opt.fastopen_len = 8;
		seg.opt.fastopen_exp = i & 1;
		seg.seq = tern_rng_u32(&rng);
		seg.wnd = (uint16_t)tern_rng_u32(&rng);
		seg.len = piece[0].len + piece[1].len;
		pkt.src = tern_addr_v4(10, 0, 0, (uint8_t)i);
		pkt.dst = tern_addr_v4(192, 168, (uint8_t)i, 1);
		pkt.ttl = (uint8_t)tern_rng_u32(&rng);
		pkt.tos = (uint8_t)tern_rng_u32(&rng);
		len = tern_tcp_emit(want + 20, 60, &seg);
		tern_tcp_cksum_full(&pkt.src, &pkt.dst, want + 20, len, piece, 2);
		pkt.payload_len = len + seg.len;
		assert_int_equal(tern_ip4_emit(want, 20, &pkt), 20);
		memcpy(addrs, pkt.src.b, 4);
		memcpy(addrs + 4, pkt.dst.b, 4);
		assert_int_equal(tern_tcp4_emit(got, &seg, addrs, pkt.ttl, pkt.tos, piece, 2,
						false),
				 20 + len);
		assert_memory_equal(want, got, 20 + len);
		tern_tcp_cksum_partial(&pkt.src, &pkt.dst, want + 20, len, seg.len);
		tern_tcp4_emit(got, &seg, addrs, pkt.ttl, pkt.tos, piece, 2, true);
		assert_memory_equal(want, got, 20 + len);
		seg.len = 0;
		for (unsigned int syn = 0; syn < 2; syn++) {
			seg.opt.present = syn ? TERN_TCP_SYN_USUAL : TERN_OPT_TS;
			seg.flags |= syn ? TERN_SYN : 0;
			len = tern_tcp4_emit(want, &seg, addrs, pkt.ttl, pkt.tos, NULL, 0, false);
			assert_int_equal(
				tern_tcp4_emit_usual(got, &seg, addrs, pkt.ttl, pkt.tos, syn), len);
			assert_memory_equal(want, got, len);
		}
	}
}

static void the_header_is_the_one_of_the_standard(void **state)
{
	static const uint8_t want[] = { 0xc4, 0x54, 0x1f, 0x90, 1,    2,    3, 4, 5, 6,
					7,    8,    0x51, 0xff, 0xfa, 0xf0, 0, 0, 0, 0x0a };
	struct tern_segment seg = {
		.sport = 50260,
		.dport = 8080,
		.seq = 0x01020304,
		.ack = 0x05060708,
		.wnd = 64240,
		.flags = TERN_TCP_FLAGS,
		.urgent = 10,
	};
	uint8_t buf[20];

	(void)state;
	assert_int_equal(tern_tcp_emit(buf, 20, &seg), 20);
	assert_memory_equal(buf, want, 20);
	seg.flags |= 0xfe00; /* what is not a flag does not reach the reserved bits */
	assert_int_equal(tern_tcp_emit(buf, 20, &seg), 20);
	assert_memory_equal(buf, want, 20);
}

static void reserved_bits_are_ignored(void **state)
{
	struct tern_segment seg = { .flags = TERN_ACK };
	uint8_t buf[20];

	(void)state;
	assert_int_equal(tern_tcp_emit(buf, 20, &seg), 20);
	buf[12] |= 0x0e;
	assert_int_equal(tern_tcp_parse(guarded(buf, 20), 20, &seg), TERN_PARSE_OK);
	assert_int_equal(seg.flags, TERN_ACK);
}

static void a_header_that_does_not_fit_is_not_written(void **state)
{
	struct tern_segment seg = { .flags = TERN_ACK, .opt.present = TERN_OPT_TS };
	uint8_t buf[32];

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(tern_tcp_emit(buf, 31, &seg), 0);
	assert_int_equal(buf[0], 0xee);
	assert_int_equal(tern_tcp_emit(buf, 32, &seg), 32);
}

static void a_cut_header_is_refused_at_every_length(void **state)
{
	struct tern_segment seg = { .flags = TERN_SYN }, out;
	uint8_t buf[TERN_TCP_HEADER_MAX];
	uint32_t len;

	(void)state;
	seg.opt.present = TERN_OPT_MSS | TERN_OPT_SACKOK | TERN_OPT_TS | TERN_OPT_WSCALE |
			  TERN_OPT_FASTOPEN;
	seg.opt.fastopen_len = 16;
	len = tern_tcp_emit(buf, sizeof(buf), &seg);
	assert_int_equal(len, 60);
	for (uint32_t cut = 0; cut < len; cut++)
		assert_int_equal(tern_tcp_parse(guarded(buf, cut), cut, &out),
				 cut < 20 ? TERN_PARSE_TRUNCATED : TERN_PARSE_BAD_OFFSET);
	assert_int_equal(tern_tcp_parse(guarded(buf, len), len, &out), TERN_PARSE_OK);
	assert_int_equal(out.len, 0);
}

static void a_data_offset_outside_the_segment_is_refused(void **state)
{
	uint8_t buf[40] = { 0 };
	struct tern_segment seg;

	(void)state;
	for (uint32_t offset = 0; offset < 16; offset++) {
		for (uint32_t len = 20; len <= 40; len += 4) {
			bool good = offset >= 5 && offset * 4 <= len;

			buf[12] = (uint8_t)(offset << 4);
			assert_int_equal(tern_tcp_parse(guarded(buf, len), len, &seg),
					 good ? TERN_PARSE_OK : TERN_PARSE_BAD_OFFSET);
			if (good)
				assert_int_equal(seg.len, len - offset * 4);
		}
	}
}

static void malformed_options_are_told_and_those_before_them_kept(void **state)
{
	uint8_t buf[28] = { [12] = 0x70, [13] = TERN_SYN, [20] = 2, 4, 5, 0xb4, 254, 0, 1, 1 };
	struct tern_segment seg;

	(void)state;
	assert_int_equal(tern_tcp_parse(guarded(buf, 28), 28, &seg), TERN_PARSE_OK);
	assert_true(seg.options_malformed);
	assert_int_equal(seg.opt.present, TERN_OPT_MSS);
	assert_int_equal(seg.opt.mss, 1460);
	buf[25] = 2;
	assert_int_equal(tern_tcp_parse(guarded(buf, 28), 28, &seg), TERN_PARSE_OK);
	assert_false(seg.options_malformed);
}

static void every_combination_of_flags_is_a_segment(void **state)
{
	(void)state;
	for (uint16_t flags = 0; flags <= TERN_TCP_FLAGS; flags++) {
		struct tern_segment seg = { .flags = flags }, out;
		uint8_t buf[20];

		assert_int_equal(tern_tcp_emit(buf, 20, &seg), 20);
		assert_int_equal(tern_tcp_parse(guarded(buf, 20), 20, &out), TERN_PARSE_OK);
		assert_int_equal(out.flags, flags);
		assert_int_equal(tern_segment_len(&out),
				 !!(flags & TERN_SYN) + !!(flags & TERN_FIN));
		out.len = 10;
		assert_int_equal(tern_segment_len(&out),
				 10 + !!(flags & TERN_SYN) + !!(flags & TERN_FIN));
	}
}

/* A packet of either family around a TCP header of 20 bytes and len bytes of payload. */
static struct tern_packet packet(bool v6, uint8_t *transport, uint32_t len)
{
	return (struct tern_packet){
		.src = v6 ? host6(1) : host4(1),
		.dst = v6 ? host6(2) : host4(2),
		.proto = TERN_PROTO_TCP,
		.payload = transport,
		.payload_len = 20 + len,
	};
}

/* RFC9293:MUST-2 */
static void checksums_are_right_for_every_length_and_any_pieces(void **state)
{
	struct tern_rng rng;
	uint8_t bytes[220];

	(void)state;
	seed(&rng, 8);
	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t len = i % 200, a = tern_rng_below(&rng, len + 1);
		uint32_t b = tern_rng_below(&rng, len - a + 1);
		struct tern_segment seg = { .seq = tern_rng_u32(&rng), .flags = TERN_ACK };
		struct tern_packet pkt = packet(i % 2 == 0, bytes, len);
		struct tern_piece pieces[] = { { bytes + 20, a },
					       { bytes + 20 + a, b },
					       { bytes + 20 + a + b, len - a - b } };
		uint32_t sum;

		assert_int_equal(tern_tcp_emit(bytes, 20, &seg), 20);
		tern_rng_bytes(&rng, bytes + 20, len);
		tern_put_u16(bytes + 16, 0x5555); /* garbage in the field does no harm */
		tern_tcp_cksum_full(&pkt.src, &pkt.dst, bytes, 20, pieces, 3);
		sum = plain_pseudo(&pkt.src, &pkt.dst, 6, 20 + len) + plain_sum(bytes, 20 + len);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		assert_true(tern_tcp_cksum_ok(&pkt));
		bytes[tern_rng_below(&rng, 20 + len)] ^= (uint8_t)(1u << i % 8);
		assert_false(tern_tcp_cksum_ok(&pkt));
	}
}

static void carries_out_of_every_word_are_counted(void **state)
{
	uint8_t bytes[60];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	for (uint32_t hdr_len = 20; hdr_len <= 60; hdr_len += 4) {
		struct tern_packet pkt = packet(false, bytes, hdr_len - 20);

		tern_tcp_cksum_full(&pkt.src, &pkt.dst, bytes, hdr_len, NULL, 0);
		assert_int_equal(
			(plain_pseudo(&pkt.src, &pkt.dst, 6, hdr_len) + plain_sum(bytes, hdr_len)) %
				0xffff,
			0);
		assert_true(tern_tcp_cksum_ok(&pkt));
	}
}

static void a_zero_checksum_is_wrong_unless_it_is_right(void **state)
{
	uint8_t bytes[20];
	struct tern_segment seg = { .flags = TERN_SYN, .seq = 77 };
	struct tern_packet pkt = packet(false, bytes, 0);

	(void)state;
	assert_int_equal(tern_tcp_emit(bytes, 20, &seg), 20);
	assert_false(tern_tcp_cksum_ok(&pkt));
}

/* RFC9293:MUST-2 */
static void a_partial_checksum_is_the_pseudo_header_alone(void **state)
{
	uint8_t bytes[120];
	struct tern_segment seg = { .flags = TERN_ACK, .seq = 77 };

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	for (int v6 = 0; v6 < 2; v6++) {
		struct tern_packet pkt = packet(v6 != 0, bytes, 100);

		assert_int_equal(tern_tcp_emit(bytes, 20, &seg), 20);
		tern_tcp_cksum_partial(&pkt.src, &pkt.dst, bytes, 20, 100);
		assert_int_equal(tern_get_u16(bytes + 16),
				 plain_pseudo(&pkt.src, &pkt.dst, 6, 120));
		assert_false(tern_tcp_cksum_ok(&pkt));
		/* What the card then does: sum from csum_start to the end, complement, store. */
		tern_put_u16(bytes + 16, (uint16_t)~plain_sum(bytes, 120));
		assert_true(tern_tcp_cksum_ok(&pkt));
	}
}

static void random_segments_never_lead_outside(void **state)
{
	struct tern_rng rng;
	uint8_t bytes[80];

	(void)state;
	seed(&rng, 9);
	for (int i = 0; i < 200000; i++) {
		uint32_t len = tern_rng_below(&rng, sizeof(bytes) + 1);
		struct tern_segment seg;
		const uint8_t *at;

		tern_rng_bytes(&rng, bytes, len);
		at = guarded(bytes, len);
		if (tern_tcp_parse(at, len, &seg) == TERN_PARSE_OK)
			assert_ptr_equal(seg.data + seg.len, at + len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_reads_as_it_was_written),
		cmocka_unit_test(a_segment_written_in_line_is_the_same),
		cmocka_unit_test(the_header_is_the_one_of_the_standard),
		cmocka_unit_test(reserved_bits_are_ignored),
		cmocka_unit_test(a_header_that_does_not_fit_is_not_written),
		cmocka_unit_test(a_cut_header_is_refused_at_every_length),
		cmocka_unit_test(a_data_offset_outside_the_segment_is_refused),
		cmocka_unit_test(malformed_options_are_told_and_those_before_them_kept),
		cmocka_unit_test(every_combination_of_flags_is_a_segment),
		cmocka_unit_test(checksums_are_right_for_every_length_and_any_pieces),
		cmocka_unit_test(carries_out_of_every_word_are_counted),
		cmocka_unit_test(a_zero_checksum_is_wrong_unless_it_is_right),
		cmocka_unit_test(a_partial_checksum_is_the_pseudo_header_alone),
		cmocka_unit_test(random_segments_never_lead_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
