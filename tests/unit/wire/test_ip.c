/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include "wire/ip.h"

/* A good packet of 28 bytes, to be spoiled: 10.77.0.1 > 10.77.0.2, TCP, 8 bytes of payload. */
static void make(uint8_t frame[28])
{
	struct tern_packet pkt = {
		.src = host4(1),
		.dst = host4(2),
		.proto = TERN_PROTO_TCP,
		.ttl = 64,
		.df = true,
		.frag_id = 0x1234,
		.payload_len = 8,
	};

	memset(frame, 0xaa, 28);
	assert_int_equal(tern_ip4_emit(frame, 28, &pkt), 20);
}

/* Makes the header checksum right again. */
static void repair(uint8_t *frame, uint32_t header_len)
{
	tern_put_u16(frame + 10, 0);
	tern_put_u16(frame + 10, (uint16_t)~plain_sum(frame, header_len));
}

static enum tern_parse parse(const uint8_t *frame, uint32_t len, struct tern_packet *pkt)
{
	return tern_ip_parse(guarded(frame, len), len, false, pkt);
}

static void a_header_reads_as_it_was_written(void **state)
{
	struct tern_rng rng;
	uint8_t frame[2048];

	(void)state;
	seed(&rng, 1);
	for (int i = 0; i < 20000; i++) {
		struct tern_packet in = { .src = random_addr(&rng, TERN_INET) }, out;
		uint32_t bits = tern_rng_u32(&rng);

		in.dst = random_addr(&rng, TERN_INET);
		in.proto = bits & 1 ? TERN_PROTO_UDP : (uint8_t)(bits >> 8);
		in.ttl = (uint8_t)(bits >> 16);
		in.tos = (uint8_t)(bits >> 24);
		in.df = (bits & 2) != 0;
		in.more_fragments = (bits & 4) != 0;
		in.frag_offset = bits & 8 ? tern_rng_below(&rng, 7000) * 8 : 0;
		in.frag_id = tern_rng_below(&rng, 65536);
		in.payload_len = (1 + tern_rng_below(&rng, 150)) * 8;
		in.fragment = in.more_fragments || in.frag_offset;
		if (in.fragment && in.frag_offset < 24)
			in.frag_offset = 24;
		assert_int_equal(tern_ip_header_len(&in), 20);
		assert_int_equal(tern_ip_emit(frame, 20, &in), 20);
		assert_int_equal(plain_sum(frame, 20), 0xffff);
		assert_int_equal(parse(frame, 20 + in.payload_len, &out), TERN_PARSE_OK);
		assert_true(tern_addr_eq(&in.src, &out.src) && tern_addr_eq(&in.dst, &out.dst));
		assert_int_equal(in.proto, out.proto);
		assert_int_equal(in.ttl, out.ttl);
		assert_int_equal(in.tos, out.tos);
		assert_int_equal(in.df, out.df);
		assert_int_equal(in.fragment, out.fragment);
		assert_int_equal(in.more_fragments, out.more_fragments);
		assert_int_equal(in.frag_offset, out.frag_offset);
		assert_int_equal(in.frag_id, out.frag_id);
		assert_int_equal(in.payload_len, out.payload_len);
		assert_int_equal(out.header_len, 20);
		assert_int_equal(out.pointer, 9);
		assert_false(out.options);
	}
}

static void a_checksum_of_zero_is_written_as_zero(void **state)
{
	struct tern_packet pkt = { .src = host4(1), .dst = host4(2), .ttl = 64, .proto = 6 };
	uint8_t frame[20];
	uint32_t zeros = 0;

	(void)state;
	for (pkt.frag_id = 0; pkt.frag_id < 65536; pkt.frag_id++) {
		uint16_t cksum;

		assert_int_equal(tern_ip4_emit(frame, 20, &pkt), 20);
		cksum = tern_get_u16(frame + 10);
		tern_put_u16(frame + 10, 0);
		assert_int_equal(cksum, (uint16_t)~plain_sum(frame, 20));
		zeros += cksum == 0;
	}
	assert_int_equal(zeros, 1);
}

static void every_version_but_4_and_6_is_refused(void **state)
{
	uint8_t frame[64] = { 0 };
	struct tern_packet pkt;

	(void)state;
	for (uint8_t v = 0; v < 16; v++) {
		frame[0] = (uint8_t)(v << 4);
		if (v != 4 && v != 6)
			assert_int_equal(parse(frame, 64, &pkt), TERN_PARSE_BAD_VERSION);
		else
			assert_int_not_equal(parse(frame, 64, &pkt), TERN_PARSE_BAD_VERSION);
	}
}

static void a_packet_cut_anywhere_is_refused(void **state)
{
	uint8_t frame[28];
	struct tern_packet pkt;

	(void)state;
	make(frame);
	for (uint32_t len = 0; len < 28; len++)
		assert_int_equal(parse(frame, len, &pkt),
				 len < 20 ? TERN_PARSE_TRUNCATED : TERN_PARSE_BAD_LENGTH);
	assert_int_equal(parse(frame, 28, &pkt), TERN_PARSE_OK);
}

static void a_total_length_between_header_and_frame_is_believed(void **state)
{
	uint8_t frame[28];
	struct tern_packet pkt;

	(void)state;
	for (uint16_t total = 0; total < 40; total++) {
		bool good = total >= 20 && total <= 28;

		make(frame);
		tern_put_u16(frame + 2, total);
		repair(frame, 20);
		assert_int_equal(parse(frame, 28, &pkt),
				 good ? TERN_PARSE_OK : TERN_PARSE_BAD_LENGTH);
		if (good)
			assert_int_equal(pkt.payload_len, total - 20);
	}
}

static void a_header_length_below_five_words_is_refused(void **state)
{
	uint8_t frame[28];
	struct tern_packet pkt;

	(void)state;
	for (uint8_t ihl = 0; ihl < 5; ihl++) {
		make(frame);
		frame[0] = 0x40 | ihl;
		assert_int_equal(parse(frame, 28, &pkt), TERN_PARSE_BAD_HEADER_LENGTH);
	}
	make(frame);
	frame[0] = 0x48; /* 32 bytes of header in a packet of 28 */
	assert_int_equal(parse(frame, 28, &pkt), TERN_PARSE_BAD_LENGTH);
}

static void a_flipped_bit_in_the_header_is_found_unless_the_link_vouches(void **state)
{
	uint8_t frame[28];
	struct tern_packet pkt;

	(void)state;
	for (uint32_t bit = 64; bit < 160; bit++) {
		make(frame);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(parse(frame, 28, &pkt), TERN_PARSE_BAD_CHECKSUM);
		assert_int_equal(tern_ip_parse(frame, 28, true, &pkt), TERN_PARSE_OK);
	}
}

static void a_super_frame_of_65535_bytes_is_ordinary(void **state)
{
	static uint8_t frame[65536];
	struct tern_packet pkt = {
		.src = host4(1),
		.dst = host4(2),
		.proto = TERN_PROTO_TCP,
		.payload_len = 65515,
	};

	(void)state;
	assert_int_equal(tern_ip4_emit(frame, 20, &pkt), 20);
	assert_int_equal(parse(frame, 65535, &pkt), TERN_PARSE_OK);
	assert_int_equal(pkt.payload_len, 65515);
	pkt.payload_len = 65516;
	assert_int_equal(tern_ip4_emit(frame, 20, &pkt), 0);
}

static void a_header_that_does_not_fit_is_not_written(void **state)
{
	uint8_t frame[20];
	struct tern_packet pkt = { .src = host4(1), .dst = host4(2) };

	(void)state;
	assert_int_equal(tern_ip4_emit(frame, 19, &pkt), 0);
	assert_int_equal(tern_ip4_emit(frame, 20, &pkt), 20);
	pkt.frag_offset = 4;
	assert_int_equal(tern_ip4_emit(frame, 20, &pkt), 0);
	pkt.frag_offset = 65536;
	assert_int_equal(tern_ip4_emit(frame, 20, &pkt), 0);
	pkt.frag_offset = 65528;
	assert_int_equal(tern_ip4_emit(frame, 20, &pkt), 20);
}

/* Parses a packet with these 8 bytes of options. */
static enum tern_parse with_options(const char *options, struct tern_packet *pkt)
{
	uint8_t frame[28];

	make(frame);
	frame[0] = 0x47;
	memcpy(frame + 20, options, 8);
	repair(frame, 28);
	return parse(frame, 28, pkt);
}

/* RFC9293:MUST-50 */
static void options_are_passed_over_and_source_routes_refused(void **state)
{
	struct tern_packet pkt;

	(void)state;
	assert_int_equal(with_options("\1\1\1\1\1\1\1\1", &pkt), TERN_PARSE_OK);
	assert_true(pkt.options);
	assert_int_equal(pkt.header_len, 28);
	assert_int_equal(pkt.payload_len, 0);
	assert_int_equal(with_options("\x44\x08zzzzzz", &pkt), TERN_PARSE_OK);
	assert_int_equal(with_options("\x94\x04\0\0\0zzz", &pkt), TERN_PARSE_OK);
	assert_int_equal(with_options("\x83\x07\x04\x0a\0\0\1\0", &pkt), TERN_PARSE_SOURCE_ROUTE);
	assert_int_equal(with_options("\x89\x07\x04\x0a\0\0\1\0", &pkt), TERN_PARSE_SOURCE_ROUTE);
	assert_int_equal(with_options("\1\1\1\1\1\1\1\x83", &pkt), TERN_PARSE_SOURCE_ROUTE);
	assert_int_equal(with_options("\0\x83\7\4zzzz", &pkt), TERN_PARSE_OK);
}

static void an_option_of_illegal_length_is_refused(void **state)
{
	struct tern_packet pkt;

	(void)state;
	assert_int_equal(with_options("\x44\0zzzzzz", &pkt), TERN_PARSE_BAD_OPTION);
	assert_int_equal(with_options("\x44\1zzzzzz", &pkt), TERN_PARSE_BAD_OPTION);
	assert_int_equal(with_options("\x44\x09zzzzzz", &pkt), TERN_PARSE_BAD_OPTION);
	assert_int_equal(with_options("\x44\xffzzzzzz", &pkt), TERN_PARSE_BAD_OPTION);
	assert_int_equal(with_options("\1\1\1\1\1\1\1\x44", &pkt), TERN_PARSE_BAD_OPTION);
}

/* Parses a fragment with the word of flags and offset as given. */
static enum tern_parse with_fragment(uint16_t word, uint8_t proto, uint32_t payload_len,
				     struct tern_packet *pkt)
{
	static uint8_t frame[65535];

	make(frame);
	tern_put_u16(frame + 2, (uint16_t)(20 + payload_len));
	tern_put_u16(frame + 6, word);
	frame[9] = proto;
	repair(frame, 20);
	return parse(frame, 20 + payload_len, pkt);
}

static void fragments_hold_whole_units_and_end_within_a_packet(void **state)
{
	struct tern_packet pkt;

	(void)state;
	assert_int_equal(with_fragment(0x2000, 17, 16, &pkt), TERN_PARSE_OK);
	assert_true(pkt.fragment && pkt.more_fragments && pkt.frag_offset == 0);
	assert_int_equal(with_fragment(0x2000, 17, 15, &pkt), TERN_PARSE_BAD_FRAGMENT);
	assert_int_equal(with_fragment(0x2000, 17, 17, &pkt), TERN_PARSE_BAD_FRAGMENT);
	assert_int_equal(with_fragment(0x2000, 17, 20, &pkt), TERN_PARSE_BAD_FRAGMENT);
	assert_int_equal(with_fragment(0x2000, 17, 0, &pkt), TERN_PARSE_BAD_FRAGMENT);
	assert_int_equal(with_fragment(0x0004, 17, 15, &pkt), TERN_PARSE_OK);
	assert_true(pkt.fragment && !pkt.more_fragments && pkt.frag_offset == 32);
	assert_int_equal(with_fragment(0x0004, 17, 0, &pkt), TERN_PARSE_BAD_FRAGMENT);
	/* The ping of death: 65,528 + 20 of header + 8 is too much; 65,504 + 20 + 11 is all. */
	assert_int_equal(with_fragment(0x1fff, 17, 8, &pkt), TERN_PARSE_BAD_FRAGMENT);
	assert_int_equal(with_fragment(0x1ffc, 17, 11, &pkt), TERN_PARSE_OK);
	assert_int_equal(with_fragment(0x1ffc, 17, 12, &pkt), TERN_PARSE_BAD_FRAGMENT);
}

static void a_tcp_header_cut_in_two_by_fragments_is_refused(void **state)
{
	struct tern_packet pkt;

	(void)state;
	assert_int_equal(with_fragment(0x2000, 6, 16, &pkt), TERN_PARSE_TINY_FRAGMENT);
	assert_int_equal(with_fragment(0x2000, 6, 24, &pkt), TERN_PARSE_OK);
	assert_int_equal(with_fragment(0x0001, 6, 24, &pkt), TERN_PARSE_TINY_FRAGMENT);
	assert_int_equal(with_fragment(0x0002, 6, 24, &pkt), TERN_PARSE_TINY_FRAGMENT);
	assert_int_equal(with_fragment(0x0003, 6, 24, &pkt), TERN_PARSE_OK);
}

static void a_quoted_packet_may_be_cut_and_lie_about_its_length(void **state)
{
	uint8_t frame[28];
	struct tern_packet pkt;

	(void)state;
	for (uint32_t len = 0; len <= 28; len++) {
		make(frame);
		tern_put_u16(frame + 2, 9000);
		assert_int_equal(tern_ip_parse_quoted(guarded(frame, len), len, &pkt),
				 len < 20 ? TERN_PARSE_TRUNCATED : TERN_PARSE_OK);
		if (len >= 20)
			assert_int_equal(pkt.payload_len, len - 20);
	}
	frame[0] = 0x48;
	assert_int_equal(tern_ip_parse_quoted(guarded(frame, 28), 28, &pkt), TERN_PARSE_TRUNCATED);
	frame[0] = 0x44;
	assert_int_equal(tern_ip_parse_quoted(guarded(frame, 28), 28, &pkt),
			 TERN_PARSE_BAD_HEADER_LENGTH);
	frame[0] = 0x55;
	assert_int_equal(tern_ip_parse_quoted(guarded(frame, 28), 28, &pkt),
			 TERN_PARSE_BAD_VERSION);
}

static void random_bytes_never_lead_outside_the_frame(void **state)
{
	struct tern_rng rng;
	uint8_t frame[96];

	(void)state;
	seed(&rng, 2);
	for (int i = 0; i < 200000; i++) {
		uint32_t len = tern_rng_below(&rng, sizeof(frame) + 1);
		struct tern_packet pkt;
		const uint8_t *at;

		tern_rng_bytes(&rng, frame, len);
		if (len > 3) {
			frame[0] = (uint8_t)(0x40 | (frame[0] & 7) | 4);
			tern_put_u16(frame + 2, (uint16_t)tern_rng_below(&rng, len + 2));
		}
		at = guarded(frame, len);
		if (tern_ip_parse(at, len, true, &pkt) != TERN_PARSE_OK)
			continue;
		assert_true(pkt.payload >= at && pkt.payload_len <= len);
		assert_true(pkt.payload + pkt.payload_len <= at + len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_reads_as_it_was_written),
		cmocka_unit_test(a_checksum_of_zero_is_written_as_zero),
		cmocka_unit_test(every_version_but_4_and_6_is_refused),
		cmocka_unit_test(a_packet_cut_anywhere_is_refused),
		cmocka_unit_test(a_total_length_between_header_and_frame_is_believed),
		cmocka_unit_test(a_header_length_below_five_words_is_refused),
		cmocka_unit_test(a_flipped_bit_in_the_header_is_found_unless_the_link_vouches),
		cmocka_unit_test(a_super_frame_of_65535_bytes_is_ordinary),
		cmocka_unit_test(a_header_that_does_not_fit_is_not_written),
		cmocka_unit_test(options_are_passed_over_and_source_routes_refused),
		cmocka_unit_test(an_option_of_illegal_length_is_refused),
		cmocka_unit_test(fragments_hold_whole_units_and_end_within_a_packet),
		cmocka_unit_test(a_tcp_header_cut_in_two_by_fragments_is_refused),
		cmocka_unit_test(a_quoted_packet_may_be_cut_and_lie_about_its_length),
		cmocka_unit_test(random_bytes_never_lead_outside_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
