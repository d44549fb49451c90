/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include "wire/ip.h"
#include "wire/udp.h"

static struct tern_packet packet(bool v6, const uint8_t *transport, uint32_t len)
{
	return (struct tern_packet){
		.src = v6 ? host6(1) : host4(1),
		.dst = v6 ? host6(2) : host4(2),
		.proto = TERN_PROTO_UDP,
		.payload = transport,
		.payload_len = len,
	};
}

static void a_datagram_reads_as_it_was_written(void **state)
{
	struct tern_rng rng;
	uint8_t bytes[208];

	(void)state;
	seed(&rng, 10);
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t len = i % 200, cut = tern_rng_below(&rng, len + 1);
		uint16_t sport = (uint16_t)tern_rng_u32(&rng), dport = (uint16_t)tern_rng_u32(&rng);
		struct tern_packet pkt = packet(i % 2 == 0, bytes, len + 8);
		struct tern_piece pieces[] = { { bytes + 8, cut }, { bytes + 8 + cut, len - cut } };
		struct tern_datagram dgram;
		uint32_t sum;

		assert_int_equal(tern_udp_emit(bytes, 8, sport, dport, len), 8);
		tern_rng_bytes(&rng, bytes + 8, len);
		tern_udp_cksum_full(&pkt.src, &pkt.dst, bytes, pieces, 2);
		pkt.payload = guarded(bytes, len + 8);
		assert_int_equal(tern_udp_parse(pkt.payload, len + 8, &dgram), TERN_PARSE_OK);
		assert_int_equal(dgram.sport, sport);
		assert_int_equal(dgram.dport, dport);
		assert_int_equal(dgram.len, len);
		assert_ptr_equal(dgram.data, pkt.payload + 8);
		assert_false(dgram.unchecked);
		sum = plain_pseudo(&pkt.src, &pkt.dst, 17, len + 8) + plain_sum(bytes, len + 8);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		assert_true(tern_udp_cksum_ok(&pkt));
		bytes[len ? 8 : 0] ^= 1;
		pkt.payload = guarded(bytes, len + 8);
		assert_false(tern_udp_cksum_ok(&pkt));
	}
}

static void a_cut_header_is_refused_at_every_length(void **state)
{
	uint8_t bytes[8];
	struct tern_datagram dgram;

	(void)state;
	assert_int_equal(tern_udp_emit(bytes, 8, 1, 2, 0), 8);
	for (uint32_t len = 0; len < 8; len++) {
		struct tern_packet pkt = packet(false, guarded(bytes, len), len);

		assert_int_equal(tern_udp_parse(pkt.payload, len, &dgram), TERN_PARSE_TRUNCATED);
		assert_false(tern_udp_cksum_ok(&pkt));
	}
}

static void a_length_between_header_and_packet_is_believed(void **state)
{
	uint8_t bytes[20] = { 0 };
	struct tern_datagram dgram;

	(void)state;
	for (uint32_t size = 0; size < 30; size++) {
		bool good = size >= 8 && size <= 20;

		tern_put_u16(bytes + 4, (uint16_t)size);
		assert_int_equal(tern_udp_parse(guarded(bytes, 20), 20, &dgram),
				 good ? TERN_PARSE_OK : TERN_PARSE_BAD_LENGTH);
		if (good)
			assert_int_equal(dgram.len, size - 8);
	}
}

static void bytes_behind_the_datagram_do_not_count_in_its_checksum(void **state)
{
	uint8_t bytes[16] = { 0 };
	struct tern_packet pkt = packet(false, bytes, 16);
	struct tern_piece piece = { bytes + 8, 4 };

	(void)state;
	assert_int_equal(tern_udp_emit(bytes, 8, 1, 2, 4), 8);
	tern_udp_cksum_full(&pkt.src, &pkt.dst, bytes, &piece, 1);
	memset(bytes + 12, 0xff, 4);
	bytes[15] = 1;
	assert_true(tern_udp_cksum_ok(&pkt));
}

static void no_checksum_is_right_in_ipv4_only(void **state)
{
	uint8_t bytes[12] = { 0 };
	struct tern_packet v4 = packet(false, bytes, 12), v6 = packet(true, bytes, 12);
	struct tern_datagram dgram;

	(void)state;
	assert_int_equal(tern_udp_emit(bytes, 8, 1, 2, 4), 8);
	assert_int_equal(tern_udp_parse(bytes, 12, &dgram), TERN_PARSE_OK);
	assert_true(dgram.unchecked);
	assert_true(tern_udp_cksum_ok(&v4));
	assert_false(tern_udp_cksum_ok(&v6));
}

static void a_computed_zero_is_sent_as_all_ones(void **state)
{
	uint8_t bytes[10] = { 0 };
	struct tern_packet pkt = packet(false, bytes, 10);
	struct tern_piece piece = { bytes + 8, 2 };

	(void)state;
	assert_int_equal(tern_udp_emit(bytes, 8, 1, 2, 2), 8);
	/* Data that brings the sum to 0xffff, whose complement is zero. */
	tern_put_u16(bytes + 8, 0);
	tern_udp_cksum_full(&pkt.src, &pkt.dst, bytes, &piece, 1);
	tern_put_u16(bytes + 8, tern_get_u16(bytes + 6));
	tern_udp_cksum_full(&pkt.src, &pkt.dst, bytes, &piece, 1);
	assert_int_equal(tern_get_u16(bytes + 6), 0xffff);
	assert_true(tern_udp_cksum_ok(&pkt));
}

static void a_header_that_does_not_fit_is_not_written(void **state)
{
	uint8_t bytes[8];

	(void)state;
	assert_int_equal(tern_udp_emit(bytes, 7, 1, 2, 0), 0);
	assert_int_equal(tern_udp_emit(bytes, 8, 1, 2, TERN_UDP_DATA_MAX), 8);
	assert_int_equal(tern_get_u16(bytes + 4), 65535);
	assert_int_equal(tern_udp_emit(bytes, 8, 1, 2, TERN_UDP_DATA_MAX + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_reads_as_it_was_written),
		cmocka_unit_test(a_cut_header_is_refused_at_every_length),
		cmocka_unit_test(a_length_between_header_and_packet_is_believed),
		cmocka_unit_test(bytes_behind_the_datagram_do_not_count_in_its_checksum),
		cmocka_unit_test(no_checksum_is_right_in_ipv4_only),
		cmocka_unit_test(a_computed_zero_is_sent_as_all_ones),
		cmocka_unit_test(a_header_that_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
