/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include "wire/ip.h"

static uint8_t frame[70000];
static uint32_t frame_len;

/* Begins a packet fd77::1 > fd77::2 whose first next-header is `next`. */
static void begin(uint8_t next)
{
	struct tern_packet pkt = {
		.src = host6(1),
		.dst = host6(2),
		.proto = next,
		.ttl = 64,
	};

	frame_len = tern_ip6_emit(frame, 40, &pkt);
	assert_int_equal(frame_len, 40);
}

static void add(const char *bytes, uint32_t len)
{
	memcpy(frame + frame_len, bytes, len);
	frame_len += len;
	tern_put_u16(frame + 4, (uint16_t)(frame_len - 40));
}

static enum tern_parse parse(struct tern_packet *pkt)
{
	return tern_ip_parse(guarded(frame, frame_len), frame_len, false, pkt);
}

/* A destination options header that is followed by `next`. */
static void add_dstopts(uint8_t next)
{
	char header[8] = { (char)next, 0, 1, 4, 0, 0, 0, 0 };

	add(header, 8);
}

static void add_fragment(uint8_t next, uint16_t offset_and_more)
{
	char header[8] = { (char)next, 0, (char)(offset_and_more >> 8), (char)offset_and_more, 0, 0,
			   0,          7 };

	add(header, 8);
}

static void add_zeros(uint32_t len)
{
	memset(frame + frame_len, 0, len);
	frame_len += len;
	tern_put_u16(frame + 4, (uint16_t)(frame_len - 40));
}

static void a_header_reads_as_it_was_written(void **state)
{
	struct tern_rng rng;
	uint8_t buf[2048];

	(void)state;
	seed(&rng, 3);
	for (int i = 0; i < 20000; i++) {
		struct tern_packet in = { .src = random_addr(&rng, TERN_INET6) }, out;
		uint32_t bits = tern_rng_u32(&rng), len;

		in.dst = random_addr(&rng, TERN_INET6);
		in.proto = bits & 1 ? TERN_PROTO_UDP : TERN_PROTO_TCP;
		in.ttl = (uint8_t)(bits >> 8);
		in.tos = (uint8_t)(bits >> 16);
		in.flow_label = tern_rng_below(&rng, 1u << 20);
		in.fragment = (bits & 2) != 0;
		in.df = !in.fragment;
		in.payload_len = (3 + tern_rng_below(&rng, 150)) * 8;
		if (in.fragment) {
			in.frag_offset = (3 + tern_rng_below(&rng, 7000)) * 8;
			in.more_fragments = (bits & 4) != 0;
			in.frag_id = tern_rng_u32(&rng);
		}
		len = tern_ip_emit(buf, 48, &in);
		assert_int_equal(len, tern_ip_header_len(&in));
		len += in.payload_len;
		assert_int_equal(tern_ip_parse(guarded(buf, len), len, false, &out), TERN_PARSE_OK);
		assert_true(tern_addr_eq(&in.src, &out.src) && tern_addr_eq(&in.dst, &out.dst));
		assert_int_equal(in.proto, out.proto);
		assert_int_equal(in.ttl, out.ttl);
		assert_int_equal(in.tos, out.tos);
		assert_int_equal(in.flow_label, out.flow_label);
		assert_int_equal(in.df, out.df);
		assert_int_equal(in.fragment, out.fragment);
		assert_int_equal(in.more_fragments, out.more_fragments);
		assert_int_equal(in.frag_offset, out.frag_offset);
		assert_int_equal(in.frag_id, out.frag_id);
		assert_int_equal(in.payload_len, out.payload_len);
		assert_int_equal(out.header_len, in.fragment ? 48 : 40);
		assert_int_equal(out.pointer, in.fragment ? 40 : 6);
	}
}

static void a_header_that_does_not_fit_is_not_written(void **state)
{
	struct tern_packet pkt = { .src = host6(1), .dst = host6(2), .payload_len = 65535 };

	(void)state;
	assert_int_equal(tern_ip6_emit(frame, 39, &pkt), 0);
	assert_int_equal(tern_ip6_emit(frame, 40, &pkt), 40);
	pkt.payload_len = 65536;
	assert_int_equal(tern_ip6_emit(frame, 40, &pkt), 0);
	pkt.fragment = true;
	pkt.payload_len = 65527;
	assert_int_equal(tern_ip6_emit(frame, 47, &pkt), 0);
	assert_int_equal(tern_ip6_emit(frame, 48, &pkt), 48);
	pkt.payload_len = 65528;
	assert_int_equal(tern_ip6_emit(frame, 48, &pkt), 0);
	pkt.payload_len = 8;
	pkt.frag_offset = 12;
	assert_int_equal(tern_ip6_emit(frame, 48, &pkt), 0);
	pkt.frag_offset = 65536;
	assert_int_equal(tern_ip6_emit(frame, 48, &pkt), 0);
}

static void a_super_frame_with_65535_bytes_of_payload_is_ordinary(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_PROTO_TCP);
	add_zeros(65535);
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	assert_int_equal(pkt.payload_len, 65535);
}

static void a_packet_cut_anywhere_is_refused(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_HOPOPTS);
	add("\x3c\0\5\2\0\0\1\0", 8);
	add_dstopts(TERN_IP6_FRAGMENT);
	add_fragment(TERN_PROTO_TCP, 0);
	add_zeros(20);
	for (uint32_t len = 0; len < frame_len; len++) {
		/* Cut by the link: the payload length shows it. */
		assert_int_equal(tern_ip_parse(guarded(frame, len), len, false, &pkt),
				 len < 40 ? TERN_PARSE_TRUNCATED : TERN_PARSE_BAD_LENGTH);
		if (len <= 40)
			continue;
		/* Cut by a liar: the chain of headers shows it. */
		tern_put_u16(frame + 4, (uint16_t)(len - 40));
		assert_int_equal(tern_ip_parse(guarded(frame, len), len, false, &pkt),
				 len < 64 ? TERN_PARSE_TRUNCATED : TERN_PARSE_OK);
		tern_put_u16(frame + 4, (uint16_t)(frame_len - 40));
	}
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	assert_int_equal(pkt.header_len, 64);
	assert_int_equal(pkt.payload_len, 20);
	assert_int_equal(pkt.headers, 3);
	assert_true(pkt.options);
}

static void bytes_behind_the_payload_length_are_cut_off(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_PROTO_TCP);
	add_zeros(20);
	for (uint16_t len = 0; len < 24; len++) {
		tern_put_u16(frame + 4, len);
		assert_int_equal(parse(&pkt), len <= 20 ? TERN_PARSE_OK : TERN_PARSE_BAD_LENGTH);
		if (len <= 20)
			assert_int_equal(pkt.payload_len, len);
	}
	tern_put_u16(frame + 4, 0xffff);
	assert_int_equal(parse(&pkt), TERN_PARSE_BAD_LENGTH);
}

static void at_most_eight_extension_headers_are_walked(void **state)
{
	struct tern_packet pkt;

	(void)state;
	for (int n = 1; n <= 12; n++) {
		begin(TERN_IP6_DSTOPTS);
		for (int i = 0; i < n; i++)
			add_dstopts(i == n - 1 ? TERN_PROTO_TCP : TERN_IP6_DSTOPTS);
		add_zeros(20);
		assert_int_equal(parse(&pkt), n <= 8 ? TERN_PARSE_OK : TERN_PARSE_TOO_MANY_HEADERS);
	}
}

static void a_chain_that_points_to_itself_ends(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_DSTOPTS);
	for (int i = 0; i < 1000; i++)
		add_dstopts(TERN_IP6_DSTOPTS);
	assert_int_equal(parse(&pkt), TERN_PARSE_TOO_MANY_HEADERS);
}

static void hop_by_hop_options_stand_first_or_nowhere(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_DSTOPTS);
	add_dstopts(TERN_IP6_HOPOPTS);
	add_dstopts(TERN_PROTO_TCP);
	assert_int_equal(parse(&pkt), TERN_PARSE_MISPLACED_HEADER);
	assert_int_equal(pkt.pointer, 40);
	begin(TERN_IP6_HOPOPTS);
	add_dstopts(TERN_IP6_HOPOPTS);
	add_dstopts(TERN_PROTO_TCP);
	assert_int_equal(parse(&pkt), TERN_PARSE_MISPLACED_HEADER);
	begin(TERN_IP6_HOPOPTS);
	add_dstopts(TERN_PROTO_TCP);
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
}

static void unknown_options_are_treated_as_their_number_says(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_DSTOPTS);
	add("\x06\0\x3e\4\0\0\0\0", 8); /* 00: skip */
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	begin(TERN_IP6_DSTOPTS);
	add("\x06\0\x7e\4\0\0\0\0", 8); /* 01: discard */
	assert_int_equal(parse(&pkt), TERN_PARSE_BAD_OPTION);
	begin(TERN_IP6_DSTOPTS);
	add("\x06\0\0\x9e\3\0\0\0", 8); /* 10: discard and answer */
	assert_int_equal(parse(&pkt), TERN_PARSE_UNKNOWN_OPTION);
	assert_int_equal(pkt.pointer, 43);
	assert_int_equal(pkt.src.b[15], 1);
	begin(TERN_IP6_DSTOPTS);
	add("\x06\0\xde\4\0\0\0\0", 8); /* 11: the same for unicast */
	assert_int_equal(parse(&pkt), TERN_PARSE_UNKNOWN_OPTION);
	begin(TERN_IP6_DSTOPTS);
	add("\x06\0\1\5\0\0\0\0", 8); /* one byte too long */
	assert_int_equal(parse(&pkt), TERN_PARSE_BAD_OPTION);
	begin(TERN_IP6_DSTOPTS);
	add("\x06\0\0\0\0\0\0\1", 8); /* kind without length */
	assert_int_equal(parse(&pkt), TERN_PARSE_BAD_OPTION);
}

static void routing_headers_pass_only_with_nothing_left_to_do(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_ROUTING);
	add("\x06\0\4\0\0\0\0\0", 8);
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	begin(TERN_IP6_ROUTING);
	add("\x06\0\4\1\0\0\0\0", 8);
	assert_int_equal(parse(&pkt), TERN_PARSE_UNKNOWN_ROUTING);
	assert_int_equal(pkt.pointer, 42);
	for (char left = 0; left < 3; left++) {
		begin(TERN_IP6_ROUTING);
		add("\x06\0\0", 3);
		add(&left, 1);
		add_zeros(4);
		assert_int_equal(parse(&pkt), TERN_PARSE_RH0);
	}
}

static void jumbograms_are_refused(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_HOPOPTS);
	add("\x06\0\xc2\4\0\1\0\0", 8);
	assert_int_equal(parse(&pkt), TERN_PARSE_JUMBOGRAM);
	tern_put_u16(frame + 4, 0);
	assert_int_equal(parse(&pkt), TERN_PARSE_JUMBOGRAM);
}

static void unknown_protocols_end_the_walk(void **state)
{
	static const uint8_t protos[] = { 4, 41, 50, 51, 59, 135, 253 };
	struct tern_packet pkt;

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(protos); i++) {
		begin(TERN_IP6_DSTOPTS);
		add_dstopts(protos[i]);
		add_zeros(16);
		assert_int_equal(parse(&pkt), TERN_PARSE_OK);
		assert_int_equal(pkt.proto, protos[i]);
		assert_int_equal(pkt.pointer, 40);
		assert_int_equal(pkt.payload_len, 16);
	}
}

static void an_atomic_fragment_is_a_whole_packet(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_FRAGMENT);
	add_fragment(TERN_IP6_DSTOPTS, 0);
	add_dstopts(TERN_PROTO_TCP);
	add_zeros(20);
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	assert_false(pkt.fragment);
	assert_int_equal(pkt.frag_id, 7);
	assert_int_equal(pkt.proto, TERN_PROTO_TCP);
	assert_int_equal(pkt.payload_len, 20);
}

static void fragments_hold_whole_units_and_end_within_a_packet(void **state)
{
	static const struct {
		uint16_t word;
		uint32_t len;
		enum tern_parse verdict;
	} cases[] = {
		{ 0x0001, 16, TERN_PARSE_OK },          { 0x0001, 15, TERN_PARSE_BAD_FRAGMENT },
		{ 0x0001, 0, TERN_PARSE_BAD_FRAGMENT }, { 0x0011, 17, TERN_PARSE_BAD_FRAGMENT },
		{ 0x0010, 17, TERN_PARSE_OK },          { 0x0010, 0, TERN_PARSE_BAD_FRAGMENT },
		{ 0xfff8, 7, TERN_PARSE_OK },           { 0xfff8, 8, TERN_PARSE_BAD_FRAGMENT },
	};
	struct tern_packet pkt;

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		begin(TERN_IP6_FRAGMENT);
		add_fragment(TERN_PROTO_UDP, cases[i].word);
		add_zeros(cases[i].len);
		assert_int_equal(parse(&pkt), cases[i].verdict);
	}
	/* What stands ahead of the fragment header counts as well. */
	begin(TERN_IP6_DSTOPTS);
	add_dstopts(TERN_IP6_FRAGMENT);
	add_fragment(TERN_PROTO_UDP, 0xfff0);
	add_zeros(7);
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	add_zeros(1);
	assert_int_equal(parse(&pkt), TERN_PARSE_BAD_FRAGMENT);
}

static void a_first_fragment_holds_all_headers(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_FRAGMENT);
	add_fragment(TERN_IP6_DSTOPTS, 1);
	add_dstopts(TERN_PROTO_TCP);
	add_zeros(16);
	assert_int_equal(parse(&pkt), TERN_PARSE_TINY_FRAGMENT);
	add_zeros(8);
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	assert_true(pkt.fragment);
	assert_int_equal(pkt.proto, TERN_IP6_DSTOPTS); /* the walk goes on when it is whole */
	begin(TERN_IP6_FRAGMENT);
	add_fragment(TERN_IP6_DSTOPTS, 1);
	add("\x06\1\1\4\0\0\0\0", 8); /* says 16 bytes */
	assert_int_equal(parse(&pkt), TERN_PARSE_TINY_FRAGMENT);
	begin(TERN_IP6_FRAGMENT);
	add_fragment(TERN_PROTO_TCP, 8); /* a second part that begins inside the TCP header */
	add_zeros(24);
	assert_int_equal(parse(&pkt), TERN_PARSE_TINY_FRAGMENT);
}

static void a_reassembled_packet_is_walked_to_its_end(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_FRAGMENT);
	add_fragment(TERN_IP6_DSTOPTS, 1);
	add_dstopts(TERN_PROTO_TCP);
	add_zeros(24);
	assert_int_equal(parse(&pkt), TERN_PARSE_OK);
	pkt.fragment = false;
	assert_int_equal(tern_ip_resume(&pkt), TERN_PARSE_OK);
	assert_int_equal(pkt.proto, TERN_PROTO_TCP);
	assert_int_equal(pkt.payload_len, 24);

	begin(TERN_IP6_FRAGMENT);
	add_fragment(TERN_IP6_FRAGMENT, 1);
	add_fragment(TERN_PROTO_UDP, 1);
	add_zeros(24);
	assert_int_equal(parse(&pkt), TERN_PARSE_BAD_FRAGMENT); /* fragments of fragments */
	pkt = (struct tern_packet){ .src = host4(1), .proto = TERN_IP6_DSTOPTS };
	assert_int_equal(tern_ip_resume(&pkt), TERN_PARSE_OK);
	assert_int_equal(pkt.proto, TERN_IP6_DSTOPTS);
}

static void a_quoted_first_fragment_is_looked_through(void **state)
{
	struct tern_packet pkt;

	(void)state;
	begin(TERN_IP6_FRAGMENT);
	add_fragment(TERN_IP6_DSTOPTS, 1);
	add_dstopts(TERN_PROTO_TCP);
	add_zeros(24);
	for (uint32_t len = 0; len <= frame_len; len++) {
		assert_int_equal(tern_ip_parse_quoted(guarded(frame, len), len, &pkt),
				 len < 56 ? TERN_PARSE_TRUNCATED : TERN_PARSE_OK);
		if (len < 56)
			continue;
		assert_int_equal(pkt.proto, TERN_PROTO_TCP);
		assert_int_equal(pkt.payload_len, len - 56);
	}
}

static void random_chains_never_lead_outside_the_frame(void **state)
{
	static const uint8_t nexts[] = { 0, 6, 17, 43, 44, 58, 59, 60 };
	struct tern_rng rng;

	(void)state;
	seed(&rng, 4);
	for (int i = 0; i < 200000; i++) {
		struct tern_packet pkt;
		const uint8_t *at;

		begin(nexts[tern_rng_below(&rng, 8)]);
		while (tern_rng_below(&rng, 6) != 0 && frame_len < 400) {
			uint8_t h[8];

			tern_rng_bytes(&rng, h, 8);
			h[0] = nexts[h[0] % 8];
			h[1] = h[1] % 16 == 0 ? h[1] : h[1] % 2;
			if (h[2] % 2)
				memcpy(h + 2, "\1\4\0\0\0\0", 6);
			add((const char *)h, 8);
		}
		if (tern_rng_below(&rng, 4) == 0)
			frame_len -= tern_rng_below(&rng, frame_len);
		if (frame_len >= 40)
			tern_put_u16(frame + 4, (uint16_t)(frame_len - 40));
		at = guarded(frame, frame_len);
		(void)tern_ip_parse_quoted(at, frame_len, &pkt);
		if (tern_ip_parse(at, frame_len, false, &pkt) != TERN_PARSE_OK)
			continue;
		assert_true(pkt.payload >= at + 40);
		assert_ptr_equal(pkt.payload + pkt.payload_len, at + frame_len);
		assert_true(pkt.headers <= 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_reads_as_it_was_written),
		cmocka_unit_test(a_header_that_does_not_fit_is_not_written),
		cmocka_unit_test(a_super_frame_with_65535_bytes_of_payload_is_ordinary),
		cmocka_unit_test(a_packet_cut_anywhere_is_refused),
		cmocka_unit_test(bytes_behind_the_payload_length_are_cut_off),
		cmocka_unit_test(at_most_eight_extension_headers_are_walked),
		cmocka_unit_test(a_chain_that_points_to_itself_ends),
		cmocka_unit_test(hop_by_hop_options_stand_first_or_nowhere),
		cmocka_unit_test(unknown_options_are_treated_as_their_number_says),
		cmocka_unit_test(routing_headers_pass_only_with_nothing_left_to_do),
		cmocka_unit_test(jumbograms_are_refused),
		cmocka_unit_test(unknown_protocols_end_the_walk),
		cmocka_unit_test(an_atomic_fragment_is_a_whole_packet),
		cmocka_unit_test(fragments_hold_whole_units_and_end_within_a_packet),
		cmocka_unit_test(a_first_fragment_holds_all_headers),
		cmocka_unit_test(a_reassembled_packet_is_walked_to_its_end),
		cmocka_unit_test(a_quoted_first_fragment_is_looked_through),
		cmocka_unit_test(random_chains_never_lead_outside_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
