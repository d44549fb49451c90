/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

static uint8_t frame[2048];

/* An ICMP message as it comes in; body is what stands behind the first 8 bytes. */
static struct tern_packet message(const char *src, const char *dst, uint8_t type, uint8_t code,
				  uint32_t rest, const uint8_t *body, uint32_t len)
{
	struct tern_packet pkt = { .src = addr(src), .dst = addr(dst), .payload = frame };
	struct tern_icmp icmp = { .v6 = pkt.src.family == TERN_INET6,
				  .type = type,
				  .code = code,
				  .rest = rest,
				  .body = body,
				  .body_len = len };

	pkt.proto = icmp.v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP;
	pkt.payload_len = tern_icmp_emit(frame, sizeof(frame), &pkt.src, &pkt.dst, &icmp);
	assert_int_not_equal(pkt.payload_len, 0);
	return pkt;
}

static enum tern_drop input(struct tern_stack *st, const struct tern_packet *pkt)
{
	enum tern_drop reason = TERN_DROPS;

	tern_icmp_input(st, pkt, false, &reason);
	return reason;
}

/* A packet of ours with this flow, as a router quotes it: IP header and 8 bytes. */
static uint32_t quote(uint8_t *buf, const struct tern_flow *f, enum tern_proto proto, tern_seq seq)
{
	struct tern_packet pkt = { .src = f->local,
				   .dst = f->remote,
				   .proto = (uint8_t)proto,
				   .ttl = 60,
				   .payload_len = 8 };
	uint32_t hl = tern_ip_emit(buf, 60, &pkt);

	tern_put_u16(buf + hl, f->lport);
	tern_put_u16(buf + hl + 2, f->rport);
	tern_put_u32(buf + hl + 4, seq);
	return hl + 8;
}

static void an_echo_request_is_answered_with_its_own_bytes(void **state)
{
	static const char *const pairs[][2] = { { "198.51.100.1", "10.77.0.2" },
						{ "2001:db8:9::1", "2001:db8::2" } };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tern_stack *st = usual_stack();
		struct tern_packet pkt = message(pairs[v6][0], pairs[v6][1],
						 v6 ? TERN_ICMP6_ECHO : TERN_ICMP4_ECHO, 0,
						 0x12340001, (const uint8_t *)"hello", 5);
		struct tern_packet out;
		struct tern_icmp icmp;

		pkt.tos = 0x23;
		assert_int_equal(input(st, &pkt), TERN_DROP_NONE);
		assert_true(tern_queue_pop(st, &out));
		assert_true(tern_addr_eq(&out.src, &pkt.dst) && tern_addr_eq(&out.dst, &pkt.src));
		assert_int_equal(out.ttl, 64);
		assert_int_equal(out.tos, 0x20);
		assert_true(tern_icmp_cksum_ok(&out));
		assert_int_equal(tern_icmp_parse(&out, &icmp), TERN_PARSE_OK);
		assert_int_equal(icmp.type, v6 ? TERN_ICMP6_ECHO_REPLY : TERN_ICMP4_ECHO_REPLY);
		assert_int_equal(icmp.rest, 0x12340001);
		assert_int_equal(icmp.body_len, 5);
		assert_memory_equal(icmp.body, "hello", 5);
		assert_int_equal(
			st->trace.counters[v6 ? TERN_CNT_Icmp6InEchos : TERN_CNT_IcmpInEchos], 1);
		assert_int_equal(st->trace.counters[v6 ? TERN_CNT_Icmp6OutEchoReplies
						       : TERN_CNT_IcmpOutEchoReps],
				 1);
		close_stack(st);
	}
}

static void an_echo_request_to_a_group_is_not_answered(void **state)
{
	static const char *const groups[] = { "10.77.0.255", "255.255.255.255", "224.0.0.1" };
	struct tern_stack *st = usual_stack();
	struct tern_packet pkt;

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(groups); i++) {
		pkt = message("198.51.100.1", groups[i], TERN_ICMP4_ECHO, 0, 0, NULL, 0);
		assert_int_equal(input(st, &pkt), TERN_DROP_IP_INVALID_DEST);
	}
	pkt = message("2001:db8:9::1", "ff02::1", TERN_ICMP6_ECHO, 0, 0, NULL, 0);
	assert_int_equal(input(st, &pkt), TERN_DROP_IP_INVALID_DEST);
	assert_true(tern_queue_is_empty(st->queue));
	close_stack(st);
}

static void broken_messages_are_dropped_and_counted(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_packet pkt =
		message("198.51.100.1", "10.77.0.2", TERN_ICMP4_ECHO, 0, 0, NULL, 0);
	enum tern_drop reason;

	(void)state;
	frame[4] ^= 1;
	assert_int_equal(input(st, &pkt), TERN_DROP_ICMP_CSUM);
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpInCsumErrors], 1);
	tern_icmp_input(st, &pkt, true, &reason); /* the link vouches for it */
	assert_int_equal(reason, TERN_DROP_NONE);
	pkt.payload_len = 7;
	assert_int_equal(input(st, &pkt), TERN_DROP_INVALID_PROTO);
	pkt = message("198.51.100.1", "10.77.0.2", TERN_ICMP4_UNREACH, 3, 0, NULL, 0);
	assert_int_equal(input(st, &pkt), TERN_DROP_INVALID_PROTO);
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpInErrors], 3);
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpInMsgs], 4);
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpInDestUnreachs], 1);
	close_stack(st);
}

static void messages_of_no_use_are_dropped_without_an_error(void **state)
{
	static const uint8_t types4[] = { 0, 4, 5, 9, 10, 13, 17, 255 };
	static const uint8_t types6[] = { 129, 130, 133, 134, 135, 136, 137, 143, 255 };
	struct tern_stack *st = usual_stack();
	struct tern_flow f = flow("10.77.0.2", 5000, "198.51.100.1", 80);
	uint8_t q[60];
	uint32_t len = quote(q, &f, TERN_PROTO_TCP, 1);

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(types4); i++) {
		struct tern_packet pkt =
			message("198.51.100.1", "10.77.0.2", types4[i], 0, 0, q, len);

		assert_int_equal(input(st, &pkt), TERN_DROP_INVALID_PROTO);
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(types6); i++) {
		struct tern_packet pkt =
			message("2001:db8:9::1", "2001:db8::2", types6[i], 0, 0, q, len);

		assert_int_equal(input(st, &pkt), TERN_DROP_INVALID_PROTO);
	}
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpInErrors], 0);
	assert_int_equal(st->trace.counters[TERN_CNT_Icmp6InErrors], 0);
	assert_true(tern_queue_is_empty(st->queue));
	close_stack(st);
}

/* RFC9293:MUST-54 */
static void an_error_reaches_the_connection_it_quotes(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_flow f = flow("10.77.0.2", 5000, "198.51.100.1", 80);
	uint32_t idx = add_conn(st, &f);
	struct tern_conn *c = tern_conn_at(&st->tcp, idx);
	struct tern_packet pkt;
	uint8_t q[60];
	uint32_t len;

	(void)state;
	c->snd.una = 1000;
	c->snd.nxt = 2000;
	len = quote(q, &f, TERN_PROTO_TCP, 1500);
	pkt = message("192.0.2.6", "10.77.0.2", TERN_ICMP4_UNREACH, TERN_ICMP4_HOST, 0, q, len);
	assert_int_equal(input(st, &pkt), TERN_DROP_NONE);
	assert_int_equal(c->soft_error, EHOSTUNREACH);
	/* Another port: nobody's. Another source: not our packet. */
	f.lport++;
	len = quote(q, &f, TERN_PROTO_TCP, 1500);
	pkt = message("192.0.2.6", "10.77.0.2", TERN_ICMP4_UNREACH, TERN_ICMP4_HOST, 0, q, len);
	assert_int_equal(input(st, &pkt), TERN_DROP_NO_SOCKET);
	f.local = addr("10.77.0.9");
	len = quote(q, &f, TERN_PROTO_TCP, 1500);
	pkt = message("192.0.2.6", "10.77.0.2", TERN_ICMP4_UNREACH, TERN_ICMP4_HOST, 0, q, len);
	assert_int_equal(input(st, &pkt), TERN_DROP_INVALID_PROTO);
	f.local = addr("10.77.0.2");
	len = quote(q, &f, 200, 0);
	pkt = message("192.0.2.6", "10.77.0.2", TERN_ICMP4_UNREACH, TERN_ICMP4_HOST, 0, q, len);
	assert_int_equal(input(st, &pkt), TERN_DROP_NO_SOCKET);
	close_stack(st);
}

static void a_datagram_too_big_lowers_the_path_of_its_socket_only(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_flow f = flow("10.77.0.2", 5000, "198.51.100.1", 80);
	struct tern_endpoint local = { .addr = f.local, .port = 5000 };
	struct tern_packet pkt;
	uint8_t q[60];
	uint32_t len = quote(q, &f, TERN_PROTO_UDP, 0);
	tern_id id;

	(void)state;
	pkt = message("192.0.2.6", "10.77.0.2", TERN_ICMP4_UNREACH, TERN_ICMP4_FRAG_NEEDED, 1000, q,
		      len);
	assert_int_equal(input(st, &pkt), TERN_DROP_NO_SOCKET);
	assert_int_equal(tern_path_mtu(st, &f.remote), 1500);
	assert_int_equal(tern_udp_open(st, TERN_INET, &id), 0);
	assert_int_equal(tern_udp_bind(st, id, &local, false), 0);
	assert_int_equal(input(st, &pkt), TERN_DROP_NONE);
	assert_int_equal(tern_path_mtu(st, &f.remote), 1000);
	close_stack(st);
}

/* What we answer to a packet of this protocol, or nothing. */
static bool answer(struct tern_stack *st, const char *src, const char *dst, enum tern_answer what,
		   struct tern_icmp *ret)
{
	struct tern_packet pkt = { .src = addr(src),
				   .dst = addr(dst),
				   .proto = TERN_PROTO_UDP,
				   .ttl = 60 };
	static uint8_t orig[1400];
	struct tern_packet out;
	uint32_t hl;

	pkt.payload_len = 1000;
	hl = tern_ip_emit(orig, sizeof(orig), &pkt);
	pkt.payload = orig + hl;
	pkt.pointer = 6;
	tern_icmp_send_error(st, &pkt, what, orig, hl + pkt.payload_len);
	if (!tern_queue_pop(st, &out))
		return false;
	assert_true(tern_addr_eq(&out.src, &pkt.dst) && tern_addr_eq(&out.dst, &pkt.src));
	assert_true(tern_icmp_cksum_ok(&out));
	assert_int_equal(tern_icmp_parse(&out, ret), TERN_PARSE_OK);
	assert_true(ret->quote.valid);
	assert_true(tern_addr_eq(&ret->quote.src, &pkt.src));
	return true;
}

static void answers_have_the_types_of_their_version(void **state)
{
	static const struct {
		enum tern_answer what;
		bool v4;
		uint8_t type4, code4, type6, code6;
		uint32_t rest6;
	} cases[] = {
		{ TERN_ANSWER_PORT, true, 3, 3, 1, 4, 0 },
		{ TERN_ANSWER_PROTO, true, 3, 2, 4, 1, 6 },
		{ TERN_ANSWER_HEADER, false, 0, 0, 4, 0, 6 },
		{ TERN_ANSWER_OPTION, false, 0, 0, 4, 2, 6 },
		{ TERN_ANSWER_REASSEMBLY_TIME, true, 11, 1, 3, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_stack *st = usual_stack();
		struct tern_icmp icmp;

		assert_int_equal(answer(st, "198.51.100.1", "10.77.0.2", cases[i].what, &icmp),
				 cases[i].v4);
		if (cases[i].v4) {
			assert_int_equal(icmp.type, cases[i].type4);
			assert_int_equal(icmp.code, cases[i].code4);
			assert_int_equal(icmp.rest, 0);
			assert_int_equal(icmp.body_len, 576 - 28);
		}
		assert_true(answer(st, "2001:db8:9::1", "2001:db8::2", cases[i].what, &icmp));
		assert_int_equal(icmp.type, cases[i].type6);
		assert_int_equal(icmp.code, cases[i].code6);
		assert_int_equal(icmp.rest, cases[i].rest6);
		assert_int_equal(icmp.body_len, 1040);
		close_stack(st);
	}
}

static void nothing_is_answered_to_groups_or_from_groups(void **state)
{
	static const char *const pairs[][2] = {
		{ "198.51.100.1", "10.77.0.255" }, { "198.51.100.1", "224.0.0.1" },
		{ "10.77.0.255", "10.77.0.2" },    { "224.0.0.1", "10.77.0.2" },
		{ "0.0.0.0", "10.77.0.2" },        { "::", "2001:db8::2" },
		{ "2001:db8:9::1", "ff02::1" },
	};
	struct tern_stack *st = usual_stack();
	struct tern_icmp icmp;

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(pairs); i++)
		assert_false(answer(st, pairs[i][0], pairs[i][1], TERN_ANSWER_PORT, &icmp));
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpOutMsgs], 0);
	close_stack(st);
}

static void answers_to_one_destination_are_limited(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_icmp icmp;
	unsigned int n = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		n += answer(st, "198.51.100.1", "10.77.0.2", TERN_ANSWER_PORT, &icmp);
	assert_int_equal(n, 6);
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpOutDestUnreachs], 6);
	assert_int_equal(st->trace.counters[TERN_CNT_IcmpOutRateLimitHost], 94);
	assert_true(answer(st, "2001:db8:9::1", "2001:db8::2", TERN_ANSWER_PORT, &icmp));
	close_stack(st);
}

static void an_answer_without_memory_is_no_answer(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_icmp icmp;
	struct tern_packet pkt;

	(void)state;
	st->mem.limit = st->mem.used;
	assert_false(answer(st, "198.51.100.1", "10.77.0.2", TERN_ANSWER_PORT, &icmp));
	pkt = message("198.51.100.1", "10.77.0.2", TERN_ICMP4_ECHO, 0, 0, NULL, 0);
	assert_int_equal(input(st, &pkt), TERN_DROP_NOMEM);
	st->mem.limit = 0;
	assert_true(answer(st, "198.51.100.1", "10.77.0.2", TERN_ANSWER_PORT, &icmp));
	close_stack(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_request_is_answered_with_its_own_bytes),
		cmocka_unit_test(an_echo_request_to_a_group_is_not_answered),
		cmocka_unit_test(broken_messages_are_dropped_and_counted),
		cmocka_unit_test(messages_of_no_use_are_dropped_without_an_error),
		cmocka_unit_test(an_error_reaches_the_connection_it_quotes),
		cmocka_unit_test(a_datagram_too_big_lowers_the_path_of_its_socket_only),
		cmocka_unit_test(answers_have_the_types_of_their_version),
		cmocka_unit_test(nothing_is_answered_to_groups_or_from_groups),
		cmocka_unit_test(answers_to_one_destination_are_limited),
		cmocka_unit_test(an_answer_without_memory_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
