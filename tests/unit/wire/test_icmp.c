/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <errno.h>

#include "wire/icmp.h"
#include "wire/tcp.h"

/* A packet between host 1 and host 2 around a message. */
static struct tern_packet around(bool v6, const uint8_t *message, uint32_t len)
{
	return (struct tern_packet){
		.src = v6 ? host6(1) : host4(1),
		.dst = v6 ? host6(2) : host4(2),
		.proto = v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP,
		.payload = message,
		.payload_len = len,
	};
}

/* Writes a packet of ours, host 2 to host 1, as an error would quote it; returns its length. */
static uint32_t our_packet(bool v6, uint8_t proto, uint32_t payload_len, uint8_t *buf)
{
	struct tern_packet pkt = {
		.src = v6 ? host6(2) : host4(2),
		.dst = v6 ? host6(1) : host4(1),
		.proto = proto,
		.ttl = 64,
		.payload_len = payload_len,
	};
	struct tern_segment seg = { .sport = 40001, .dport = 80, .seq = 0xdeadbeef };
	uint32_t len = tern_ip_emit(buf, 48, &pkt);

	memset(buf + len, 0x5a, payload_len);
	if (payload_len >= 20)
		tern_tcp_emit(buf + len, 20, &seg);
	return len + payload_len;
}

static void a_message_reads_as_it_was_written(void **state)
{
	struct tern_rng rng;
	uint8_t body[100], buf[108];

	(void)state;
	seed(&rng, 11);
	for (uint32_t i = 0; i < 4000; i++) {
		bool v6 = i % 2 == 0;
		struct tern_icmp in = { .v6 = v6, .body = body, .body_len = i % 101 }, out;
		struct tern_packet pkt = around(v6, buf, 0);
		uint32_t sum;

		in.type = (uint8_t)tern_rng_u32(&rng);
		in.code = (uint8_t)tern_rng_u32(&rng);
		in.rest = tern_rng_u32(&rng);
		tern_rng_bytes(&rng, body, in.body_len);
		pkt.payload_len = tern_icmp_emit(buf, sizeof(buf), &pkt.src, &pkt.dst, &in);
		assert_int_equal(pkt.payload_len, in.body_len + 8);
		pkt.payload = guarded(buf, pkt.payload_len);
		assert_int_equal(tern_icmp_parse(&pkt, &out), TERN_PARSE_OK);
		assert_int_equal(out.v6, v6);
		assert_int_equal(out.type, in.type);
		assert_int_equal(out.code, in.code);
		assert_int_equal(out.rest, in.rest);
		assert_int_equal(out.body_len, in.body_len);
		assert_memory_equal(out.body, body, in.body_len);
		sum = plain_sum(buf, pkt.payload_len) +
		      (v6 ? plain_pseudo(&pkt.src, &pkt.dst, 58, pkt.payload_len) : 0);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		assert_true(tern_icmp_cksum_ok(&pkt));
		buf[i % pkt.payload_len] ^= 4;
		pkt.payload = guarded(buf, pkt.payload_len);
		assert_false(tern_icmp_cksum_ok(&pkt));
	}
}

static void a_cut_message_is_refused_at_every_length(void **state)
{
	static const uint8_t bytes[8] = { 3 };
	struct tern_icmp icmp;

	(void)state;
	for (uint32_t len = 0; len <= 8; len++) {
		struct tern_packet pkt = around(len % 2 == 0, guarded(bytes, len), len);

		assert_int_equal(tern_icmp_parse(&pkt, &icmp),
				 len < 8 ? TERN_PARSE_TRUNCATED : TERN_PARSE_OK);
	}
}

static void each_version_has_its_own_protocol(void **state)
{
	static const uint8_t bytes[8] = { 8 };
	struct tern_packet pkt = around(false, bytes, 8);
	struct tern_icmp icmp;

	(void)state;
	pkt.proto = TERN_PROTO_ICMPV6;
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_WRONG_FAMILY);
	pkt = around(true, bytes, 8);
	pkt.proto = TERN_PROTO_ICMP;
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_WRONG_FAMILY);
}

static void an_error_tells_what_it_quotes(void **state)
{
	uint8_t orig[100], buf[200];

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t len = our_packet(v6 != 0, TERN_PROTO_TCP, 20, orig);
		struct tern_packet pkt = around(v6 != 0, buf, 0);
		struct tern_icmp icmp;

		pkt.payload_len = tern_icmp_emit_error(buf, sizeof(buf), &pkt.src, &pkt.dst,
						       v6 ? 1 : 3, v6 ? 4 : 3, 0, orig, len);
		assert_int_equal(pkt.payload_len, len + 8);
		assert_true(tern_icmp_cksum_ok(&pkt));
		assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
		assert_int_equal(tern_icmp_error(&icmp), TERN_ICMP_PORT_UNREACH);
		assert_true(icmp.quote.valid);
		assert_int_equal(icmp.quote.proto, TERN_PROTO_TCP);
		assert_int_equal(icmp.quote.sport, 40001);
		assert_int_equal(icmp.quote.dport, 80);
		assert_int_equal(icmp.quote.seq, 0xdeadbeef);
		assert_int_equal(icmp.quote.src.b[v6 ? 15 : 3], 2);
		assert_int_equal(icmp.quote.dst.b[v6 ? 15 : 3], 1);
	}
}

static void a_quotation_is_valid_from_its_eighth_transport_byte_on(void **state)
{
	uint8_t bytes[100] = { 0 };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t len = our_packet(v6 != 0, TERN_PROTO_TCP, 20, bytes + 8);

		bytes[0] = v6 ? 1 : 3;
		for (uint32_t cut = 0; cut <= len; cut++) {
			struct tern_packet pkt = around(v6 != 0, guarded(bytes, 8 + cut), 8 + cut);
			struct tern_icmp icmp;

			assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
			assert_int_equal(icmp.quote.valid, cut >= (v6 ? 48u : 28u));
			assert_int_equal(icmp.quote.seq, icmp.quote.valid ? 0xdeadbeef : 0);
		}
	}
}

static void a_later_fragment_or_the_other_version_is_no_quotation(void **state)
{
	uint8_t bytes[100] = { 3 };
	uint32_t len = our_packet(false, TERN_PROTO_TCP, 20, bytes + 8);
	struct tern_packet pkt = around(false, bytes, 8 + len);
	struct tern_icmp icmp;

	(void)state;
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
	assert_true(icmp.quote.valid);
	bytes[8 + 7] = 1;
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
	assert_false(icmp.quote.valid);
	len = our_packet(true, TERN_PROTO_TCP, 20, bytes + 8);
	pkt.payload_len = 8 + len;
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
	assert_false(icmp.quote.valid);
}

static void ports_and_sequence_numbers_are_read_only_where_they_are(void **state)
{
	uint8_t bytes[100] = { 3 };
	struct tern_icmp icmp;
	struct tern_packet pkt;

	(void)state;
	pkt = around(false, bytes, 8 + our_packet(false, TERN_PROTO_UDP, 20, bytes + 8));
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
	assert_int_equal(icmp.quote.dport, 80);
	assert_int_equal(icmp.quote.seq, 0);
	pkt = around(false, bytes, 8 + our_packet(false, TERN_PROTO_ICMP, 20, bytes + 8));
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
	assert_true(icmp.quote.valid);
	assert_int_equal(icmp.quote.dport, 0);
	/* An echo quotes nothing, whatever it carries. */
	bytes[0] = 8;
	assert_int_equal(tern_icmp_parse(&pkt, &icmp), TERN_PARSE_OK);
	assert_false(icmp.quote.valid);
}

static void errors_mean_what_linux_makes_of_them(void **state)
{
	static const struct {
		bool v6;
		uint8_t type, code;
		enum tern_icmp_kind kind;
		int error;
		bool fatal;
	} cases[] = {
		{ false, 3, 0, TERN_ICMP_NET_UNREACH, ENETUNREACH, false },
		{ false, 3, 1, TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, false },
		{ false, 3, 2, TERN_ICMP_PROTO_UNREACH, ENOPROTOOPT, true },
		{ false, 3, 3, TERN_ICMP_PORT_UNREACH, ECONNREFUSED, true },
		{ false, 3, 4, TERN_ICMP_TOO_BIG, EMSGSIZE, false },
		{ false, 3, 5, TERN_ICMP_NET_UNREACH, EOPNOTSUPP, false },
		{ false, 3, 6, TERN_ICMP_NET_UNREACH, ENETUNREACH, true },
		{ false, 3, 7, TERN_ICMP_HOST_UNREACH, EHOSTDOWN, true },
		{ false, 3, 8, TERN_ICMP_HOST_UNREACH, ENONET, true },
		{ false, 3, 9, TERN_ICMP_ADMIN_PROHIBITED, ENETUNREACH, true },
		{ false, 3, 10, TERN_ICMP_ADMIN_PROHIBITED, EHOSTUNREACH, true },
		{ false, 3, 13, TERN_ICMP_ADMIN_PROHIBITED, EHOSTUNREACH, true },
		{ false, 3, 15, TERN_ICMP_ADMIN_PROHIBITED, EHOSTUNREACH, true },
		{ false, 3, 16, TERN_ICMP_NONE, 0, false },
		{ false, 4, 0, TERN_ICMP_SOURCE_QUENCH, 0, false },
		{ false, 5, 1, TERN_ICMP_NONE, 0, false },
		{ false, 8, 0, TERN_ICMP_NONE, 0, false },
		{ false, 11, 0, TERN_ICMP_TIME_EXCEEDED, EHOSTUNREACH, false },
		{ false, 12, 0, TERN_ICMP_PARAM_PROBLEM, EPROTO, true },
		{ true, 1, 0, TERN_ICMP_NET_UNREACH, ENETUNREACH, false },
		{ true, 1, 1, TERN_ICMP_ADMIN_PROHIBITED, EACCES, true },
		{ true, 1, 2, TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, false },
		{ true, 1, 3, TERN_ICMP_HOST_UNREACH, EHOSTUNREACH, false },
		{ true, 1, 4, TERN_ICMP_PORT_UNREACH, ECONNREFUSED, true },
		{ true, 1, 6, TERN_ICMP_ADMIN_PROHIBITED, EACCES, true },
		{ true, 1, 7, TERN_ICMP_NONE, 0, false },
		{ true, 2, 0, TERN_ICMP_TOO_BIG, EMSGSIZE, false },
		{ true, 3, 0, TERN_ICMP_TIME_EXCEEDED, EHOSTUNREACH, false },
		{ true, 4, 0, TERN_ICMP_PARAM_PROBLEM, EPROTO, true },
		{ true, 4, 1, TERN_ICMP_PROTO_UNREACH, EPROTO, true },
		{ true, 128, 0, TERN_ICMP_NONE, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_icmp icmp = { .v6 = cases[i].v6,
					  .type = cases[i].type,
					  .code = cases[i].code,
					  .rest = 0x00011400 };
		bool fatal;

		assert_int_equal(tern_icmp_error(&icmp), cases[i].kind);
		assert_int_equal(tern_icmp_errno(&icmp, &fatal), cases[i].error);
		assert_int_equal(tern_icmp_errno(&icmp, NULL), cases[i].error);
		assert_int_equal(fatal, cases[i].fatal);
		assert_int_equal(tern_icmp_mtu(&icmp), cases[i].kind != TERN_ICMP_TOO_BIG ? 0
						       : cases[i].v6                      ? 0x11400
											  : 0x1400);
	}
}

static void no_error_answers_an_error(void **state)
{
	static const uint8_t quiet4[] = { 3, 4, 5, 11, 12 }, quiet6[] = { 0, 1, 2, 3, 4, 127 };
	uint8_t bytes[8] = { 0 };
	struct tern_packet pkt = around(false, bytes, 8);

	(void)state;
	for (size_t i = 0; i < sizeof(quiet4); i++) {
		bytes[0] = quiet4[i];
		assert_false(tern_icmp_may_answer(&pkt));
	}
	bytes[0] = 8;
	assert_true(tern_icmp_may_answer(&pkt));
	pkt.payload_len = 0;
	assert_false(tern_icmp_may_answer(&pkt));
	pkt = around(true, bytes, 8);
	for (size_t i = 0; i < sizeof(quiet6); i++) {
		bytes[0] = quiet6[i];
		assert_false(tern_icmp_may_answer(&pkt));
	}
	bytes[0] = 128;
	assert_true(tern_icmp_may_answer(&pkt));
}

static void no_error_answers_a_crowd_or_a_later_fragment(void **state)
{
	struct tern_packet good = around(false, NULL, 0), pkt;

	(void)state;
	good.proto = TERN_PROTO_UDP;
	assert_true(tern_icmp_may_answer(&good));
	pkt = good;
	pkt.frag_offset = 8;
	assert_false(tern_icmp_may_answer(&pkt));
	pkt = good;
	pkt.dst = tern_addr_v4(224, 0, 0, 1);
	assert_false(tern_icmp_may_answer(&pkt));
	pkt.dst = tern_addr_v4(255, 255, 255, 255);
	assert_false(tern_icmp_may_answer(&pkt));
	pkt = good;
	pkt.src = tern_addr_v4(0, 0, 0, 0);
	assert_false(tern_icmp_may_answer(&pkt));
	pkt.src = tern_addr_v4(0, 0, 0, 1);
	assert_false(tern_icmp_may_answer(&pkt));
	pkt.src = tern_addr_v4(239, 255, 255, 255);
	assert_false(tern_icmp_may_answer(&pkt));
	pkt.src = tern_addr_v4(240, 0, 0, 0);
	assert_false(tern_icmp_may_answer(&pkt));
	pkt.src = tern_addr_v4(223, 0, 0, 1);
	assert_true(tern_icmp_may_answer(&pkt));
	pkt.src = host6(1);
	pkt.dst = host6(2);
	assert_true(tern_icmp_may_answer(&pkt));
	pkt.dst.b[0] = 0xff;
	assert_false(tern_icmp_may_answer(&pkt));
	pkt.dst = host6(2);
	pkt.src = tern_addr_any(TERN_INET6);
	assert_false(tern_icmp_may_answer(&pkt));
}

static void an_echo_is_returned_to_its_sender(void **state)
{
	uint8_t buf[64], reply[64];

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tern_icmp icmp = { .v6 = v6 != 0,
					  .type = v6 ? 128 : 8,
					  .rest = 0x12340005,
					  .body = (const uint8_t *)"payload",
					  .body_len = 7 };
		struct tern_packet pkt = around(v6 != 0, buf, 0), back;

		pkt.payload_len = tern_icmp_emit(buf, 64, &pkt.src, &pkt.dst, &icmp);
		assert_int_equal(tern_icmp_emit_echo_reply(reply, 14, &pkt), 0);
		back = around(v6 != 0, reply, tern_icmp_emit_echo_reply(reply, 15, &pkt));
		back.src = pkt.dst;
		back.dst = pkt.src;
		assert_int_equal(back.payload_len, 15);
		assert_true(tern_icmp_cksum_ok(&back));
		assert_int_equal(tern_icmp_parse(&back, &icmp), TERN_PARSE_OK);
		assert_int_equal(icmp.type, v6 ? 129 : 0);
		assert_int_equal(icmp.rest, 0x12340005);
		assert_memory_equal(icmp.body, "payload", 7);
		assert_int_equal(tern_icmp_emit_echo_reply(buf, 64, &back), 0); /* not a request */
	}
}

static void an_error_quotes_as_much_as_its_packet_may_hold(void **state)
{
	static uint8_t orig[2000], buf[2000];

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tern_packet pkt = around(v6 != 0, buf, 0);
		uint32_t most = v6 ? 1280 - 40 : 576 - 20;

		for (uint32_t len = most - 8 - 1; len <= most - 8 + 1; len++)
			assert_int_equal(tern_icmp_emit_error(buf, sizeof(buf), &pkt.src, &pkt.dst,
							      3, 0, 0, orig, len),
					 TERN_MIN(len + 8, most));
		assert_int_equal(tern_icmp_emit_error(buf, most, &pkt.src, &pkt.dst, 3, 0, 0, orig,
						      2000),
				 most);
		assert_int_equal(tern_icmp_emit_error(buf, most - 1, &pkt.src, &pkt.dst, 3, 0, 0,
						      orig, 2000),
				 0);
	}
}

static void random_messages_never_lead_outside(void **state)
{
	struct tern_rng rng;
	uint8_t bytes[120];

	(void)state;
	seed(&rng, 12);
	for (int i = 0; i < 100000; i++) {
		uint32_t len = tern_rng_below(&rng, sizeof(bytes) + 1);
		bool v6 = i % 2 == 0;
		struct tern_packet pkt;
		struct tern_icmp icmp;

		tern_rng_bytes(&rng, bytes, len);
		bytes[0] = v6 ? 1 : 3;
		if (len > 8)
			bytes[8] = (uint8_t)(v6 ? 0x60 : 0x40 | (bytes[8] & 15));
		if (len > 14 && v6)
			bytes[14] = i % 4 ? 60 : 44;
		pkt = around(v6, guarded(bytes, len), len);
		if (tern_icmp_parse(&pkt, &icmp) == TERN_PARSE_OK)
			assert_ptr_equal(icmp.body + icmp.body_len, pkt.payload + len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_reads_as_it_was_written),
		cmocka_unit_test(a_cut_message_is_refused_at_every_length),
		cmocka_unit_test(each_version_has_its_own_protocol),
		cmocka_unit_test(an_error_tells_what_it_quotes),
		cmocka_unit_test(a_quotation_is_valid_from_its_eighth_transport_byte_on),
		cmocka_unit_test(a_later_fragment_or_the_other_version_is_no_quotation),
		cmocka_unit_test(ports_and_sequence_numbers_are_read_only_where_they_are),
		cmocka_unit_test(errors_mean_what_linux_makes_of_them),
		cmocka_unit_test(no_error_answers_an_error),
		cmocka_unit_test(no_error_answers_a_crowd_or_a_later_fragment),
		cmocka_unit_test(an_echo_is_returned_to_its_sender),
		cmocka_unit_test(an_error_quotes_as_much_as_its_packet_may_hold),
		cmocka_unit_test(random_messages_never_lead_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
