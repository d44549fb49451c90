/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/stack/fixture.h"

static uint8_t bytes[65536];
static uint8_t packet[65536];

static tern_id open_udp(struct tern_stack *st, enum tern_family family)
{
	tern_id id = 0;

	assert_int_equal(tern_udp_open(st, family, &id), 0);
	assert_int_equal(tern_id_kind(id), TERN_ID_UDP);
	return id;
}

static tern_id bound_udp(struct tern_stack *st, const char *text, uint16_t port)
{
	struct tern_endpoint local = endpoint(text, port);
	tern_id id = open_udp(st, local.addr.family);

	assert_int_equal(tern_udp_bind(st, id, &local, false), 0);
	return id;
}

/* A datagram as it comes in. */
static struct tern_packet datagram(const struct tern_flow *f, const void *data, uint32_t len)
{
	struct tern_packet pkt = { .src = f->remote,
				   .dst = f->local,
				   .proto = TERN_PROTO_UDP,
				   .ttl = 60,
				   .payload = packet,
				   .payload_len = TERN_UDP_HEADER + len };
	struct tern_piece piece = { packet + TERN_UDP_HEADER, len };

	tern_udp_emit(packet, TERN_UDP_HEADER, f->rport, f->lport, len);
	if (len)
		memcpy(packet + TERN_UDP_HEADER, data, len);
	tern_udp_cksum_full(&pkt.src, &pkt.dst, packet, &piece, 1);
	return pkt;
}

static enum tern_drop input(struct tern_stack *st, const struct tern_packet *pkt)
{
	enum tern_drop reason = TERN_DROPS;

	tern_udp_input(st, pkt, pkt->payload, pkt->payload_len, false, &reason);
	return reason;
}

static enum tern_drop receive(struct tern_stack *st, const char *local, uint16_t lport,
			      const char *remote, uint16_t rport, const char *text)
{
	struct tern_flow f = flow(local, lport, remote, rport);
	struct tern_packet pkt = datagram(&f, text, (uint32_t)strlen(text));

	return input(st, &pkt);
}

/* The text that a socket has received, "" if none. */
static const char *read_text(struct tern_stack *st, tern_id id)
{
	static char text[100];
	int64_t n = tern_udp_recvfrom(st, id, text, sizeof(text) - 1, 0, NULL);

	text[n > 0 ? n : 0] = 0;
	return text;
}

/* Takes the next datagram off the queue, fragments put together, and gives it to the same stack. */
static enum tern_drop loop_back(struct tern_stack *st)
{
	struct tern_packet pkt;
	enum tern_drop reason;

	assert_true(tern_queue_pop(st, &pkt));
	assert_false(pkt.fragment);
	tern_udp_input(st, &pkt, pkt.payload, pkt.payload_len, false, &reason);
	tern_queue_reap(st->queue);
	return reason;
}

static void a_datagram_goes_out_as_it_was_given(void **state)
{
	static const char *const pairs[][2] = { { "10.77.0.2", "10.77.0.9" },
						{ "2001:db8::2", "2001:db8::9" } };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tern_stack *st = usual_stack();
		struct tern_endpoint to = endpoint(pairs[v6][1], 53), local;
		tern_id id = open_udp(st, v6 ? TERN_INET6 : TERN_INET);
		struct tern_datagram dgram;
		struct tern_packet pkt;

		assert_int_equal(tern_udp_set_option(st, id, TERN_SO_TTL, 9), 0);
		assert_int_equal(tern_udp_set_option(st, id, TERN_SO_TOS, 0x10), 0);
		assert_int_equal(tern_udp_sendto(st, id, "abc", 3, &to), 3);
		assert_true(tern_queue_pop(st, &pkt));
		assert_true(tern_addr_eq(&pkt.dst, &to.addr));
		to = endpoint(pairs[v6][0], 0);
		assert_true(tern_addr_eq(&pkt.src, &to.addr));
		assert_int_equal(pkt.ttl, 9);
		assert_int_equal(pkt.tos, 0x10);
		assert_int_equal(pkt.flow_label != 0, v6);
		assert_true(tern_udp_cksum_ok(&pkt));
		assert_int_equal(tern_udp_parse(pkt.payload, pkt.payload_len, &dgram), 0);
		assert_int_equal(tern_udp_local(st, id, &local), 0);
		assert_int_equal(dgram.sport, local.port);
		assert_in_range(local.port, 32768, 60999);
		assert_true(tern_addr_is_any(&local.addr));
		assert_int_equal(dgram.dport, 53);
		assert_memory_equal(dgram.data, "abc", 3);
		close_stack(st);
	}
}

static void datagrams_of_every_size_arrive_whole(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 1471, 1472, 1473, 65506, 65507 };
	static uint8_t got[65536];

	(void)state;
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i ^ i >> 8);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(sizes); i++) {
		struct tern_stack *st = usual_stack();
		tern_id a = bound_udp(st, "10.77.0.2", 5000), b = bound_udp(st, "192.0.2.5", 6000);
		struct tern_endpoint to = endpoint("192.0.2.5", 6000), from;

		assert_int_equal(tern_udp_sendto(st, a, bytes, sizes[i], &to), sizes[i]);
		assert_int_equal(loop_back(st), TERN_DROP_NONE);
		assert_int_equal(tern_udp_recvfrom(st, b, got, sizeof(got), 0, &from), sizes[i]);
		assert_memory_equal(got, bytes, sizes[i]);
		to = endpoint("10.77.0.2", 5000);
		assert_true(tern_addr_eq(&from.addr, &to.addr));
		assert_int_equal(from.port, 5000);
		assert_int_equal(tern_udp_recvfrom(st, b, got, sizeof(got), 0, &from), -EAGAIN);
		assert_int_equal(tern_udp_sendto(st, a, bytes, 65508, &to), -EMSGSIZE);
		assert_int_equal(tern_udp_bytes(st->udp), 0);
		close_stack(st);
	}
}

static void the_most_exact_socket_gets_the_datagram(void **state)
{
	struct tern_stack *st = usual_stack();
	tern_id dual = open_udp(st, TERN_INET6), any = open_udp(st, TERN_INET);
	tern_id exact = open_udp(st, TERN_INET), connected = open_udp(st, TERN_INET);
	tern_id ids[] = { dual, any, exact, connected };
	struct tern_endpoint locals[] = { endpoint("::", 53), endpoint("0.0.0.0", 53),
					  endpoint("10.77.0.2", 53), endpoint("10.77.0.2", 53) };
	struct tern_endpoint peer = endpoint("198.51.100.1", 99);

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(tern_udp_set_option(st, ids[i], TERN_SO_REUSEADDR, 1), 0);
		assert_int_equal(tern_udp_bind(st, ids[i], &locals[i], false), 0);
	}
	assert_int_equal(tern_udp_connect(st, connected, &peer), 0);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "connected"), 0);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 98, "exact"), 0);
	assert_int_equal(receive(st, "192.0.2.5", 53, "198.51.100.1", 99, "any"), 0);
	assert_int_equal(receive(st, "2001:db8::2", 53, "2001:db8::9", 99, "dual6"), 0);
	assert_string_equal(read_text(st, connected), "connected");
	assert_string_equal(read_text(st, exact), "exact");
	assert_string_equal(read_text(st, any), "any");
	assert_string_equal(read_text(st, dual), "dual6");
	assert_int_equal(tern_udp_close(st, any), 0);
	assert_int_equal(receive(st, "192.0.2.5", 53, "198.51.100.1", 99, "dual4"), 0);
	assert_string_equal(read_text(st, dual), "dual4");
	/* Disconnected, it is one of two that are bound to the address: the newer one wins. */
	peer.addr.family = TERN_UNSPEC;
	assert_int_equal(tern_udp_connect(st, connected, &peer), 0);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "newer"), 0);
	assert_string_equal(read_text(st, connected), "newer");
	assert_int_equal(tern_udp_close(st, connected), 0);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "older"), 0);
	assert_string_equal(read_text(st, exact), "older");
	close_stack(st);
}

/* Opens a socket with SO_REUSEPORT on port 53 of an address. */
static tern_id share(struct tern_stack *st, const char *text)
{
	struct tern_endpoint local = endpoint(text, 53);
	tern_id id = open_udp(st, local.addr.family);

	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_REUSEPORT, 1), 0);
	assert_int_equal(tern_udp_bind(st, id, &local, false), 0);
	return id;
}

/* Who gets a datagram from that port: one of the n; it is read. */
static unsigned int getter(struct tern_stack *st, const tern_id *ids, unsigned int n, uint16_t port)
{
	unsigned int found = n;

	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", port, "x"), 0);
	for (unsigned int i = 0; i < n; i++)
		if (read_text(st, ids[i])[0]) {
			assert_int_equal(found, n);
			found = i;
		}
	assert_true(found < n);
	return found;
}

static void sockets_that_share_a_port_each_get_their_peers(void **state)
{
	enum { GROUP = 4, PEERS = 2000 };
	struct tern_stack *st = usual_stack();
	struct tern_endpoint local = endpoint("10.77.0.2", 53), peer = endpoint("198.51.100.1", 7);
	tern_id ids[GROUP + 1], other = open_udp(st, TERN_INET);
	unsigned int got[GROUP] = { 0 };
	uint8_t first[PEERS];

	(void)state;
	for (unsigned int i = 0; i < GROUP; i++)
		ids[i] = share(st, "0.0.0.0");
	assert_int_equal(tern_udp_bind(st, other, &local, false), -EADDRINUSE);
	for (uint16_t i = 0; i < PEERS; i++) {
		first[i] = (uint8_t)getter(st, ids, GROUP, (uint16_t)(1000 + i));
		got[first[i]]++;
	}
	for (unsigned int i = 0; i < GROUP; i++)
		assert_in_range(got[i], PEERS / GROUP * 80 / 100, PEERS / GROUP * 120 / 100);

	/* The same peers find the same sockets, also when the last one is gone. */
	assert_int_equal(tern_udp_close(st, ids[GROUP - 1]), 0);
	for (uint16_t i = 0; i < PEERS; i++) {
		unsigned int now = getter(st, ids, GROUP - 1, (uint16_t)(1000 + i));

		assert_true(now == first[i] || first[i] == GROUP - 1);
	}

	/* One that is bound to the address, or connected to the peer, goes first. */
	ids[GROUP - 1] = share(st, "10.77.0.2");
	assert_int_equal(getter(st, ids, GROUP, 7), GROUP - 1);
	ids[GROUP] = share(st, "10.77.0.2");
	assert_int_equal(tern_udp_connect(st, ids[GROUP], &peer), 0);
	assert_int_equal(getter(st, ids, GROUP + 1, 7), GROUP);
	assert_int_equal(getter(st, ids, GROUP + 1, 8), GROUP - 1);
	close_stack(st);
}

static void an_ipv6_only_socket_gets_no_ipv4(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_endpoint local = endpoint("::", 53), v4 = endpoint("198.51.100.1", 99);
	tern_id id = open_udp(st, TERN_INET6);
	int64_t value;

	(void)state;
	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_V6ONLY, 1), 0);
	assert_int_equal(tern_udp_bind(st, id, &local, false), 0);
	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_V6ONLY, 0), -EINVAL);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_V6ONLY, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "x"),
			 TERN_DROP_NO_SOCKET);
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, &v4), -ENETUNREACH);
	local = endpoint("0.0.0.0", 53);
	bound_udp(st, "0.0.0.0", 53);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "x"), 0);
	close_stack(st);
}

static void bad_datagrams_are_dropped_by_reason(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_flow f = flow("10.77.0.2", 53, "198.51.100.1", 99);
	struct tern_packet pkt;
	tern_id id = bound_udp(st, "10.77.0.2", 53);

	(void)state;
	pkt = datagram(&f, "abcd", 4);
	packet[9] ^= 1;
	assert_int_equal(input(st, &pkt), TERN_DROP_UDP_CSUM);
	assert_int_equal(st->trace.counters[TERN_CNT_UdpInCsumErrors], 1);
	pkt = datagram(&f, "abcd", 4);
	pkt.payload_len = 11;
	assert_int_equal(input(st, &pkt), TERN_DROP_UDP_LENGTH);
	pkt.payload_len = 7;
	assert_int_equal(input(st, &pkt), TERN_DROP_PKT_TOO_SMALL);
	f.rport = 0;
	pkt = datagram(&f, "abcd", 4);
	assert_int_equal(input(st, &pkt), TERN_DROP_TCP_PORT_ZERO);
	f = flow("10.77.0.2", 0, "198.51.100.1", 99);
	pkt = datagram(&f, "abcd", 4);
	assert_int_equal(input(st, &pkt), TERN_DROP_TCP_PORT_ZERO);
	f = flow("10.77.0.255", 53, "198.51.100.1", 99);
	pkt = datagram(&f, "abcd", 4);
	assert_int_equal(input(st, &pkt), TERN_DROP_IP_INVALID_DEST);
	assert_int_equal(st->trace.counters[TERN_CNT_UdpInErrors], 6);
	assert_true(tern_queue_is_empty(st->queue));
	assert_int_equal(tern_udp_recvfrom(st, id, bytes, 1, 0, NULL), -EAGAIN);
	close_stack(st);
}

static void a_datagram_for_nobody_is_answered_by_port_unreachable(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_endpoint nobody = endpoint("192.0.2.5", 7);
	tern_id id = open_udp(st, TERN_INET), other = open_udp(st, TERN_INET);
	struct tern_packet out, pkt;
	uint8_t frame[1500];
	enum tern_drop reason;
	struct tern_event ev;
	uint32_t hl;

	(void)state;
	assert_int_equal(tern_udp_set_user(st, id, 77), 0);
	assert_int_equal(tern_udp_connect(st, id, &nobody), 0);
	assert_int_equal(tern_udp_sendto(st, id, "abc", 3, NULL), 3);
	assert_int_equal(tern_udp_sendto(st, other, "abc", 3, &nobody), 3);
	for (int i = 0; i < 2; i++) {
		assert_true(tern_queue_pop(st, &out));
		hl = tern_ip_emit(frame, sizeof(frame), &out);
		memcpy(frame + hl, out.payload, out.payload_len);
		assert_int_equal(tern_ip_parse(frame, hl + out.payload_len, false, &pkt), 0);
		tern_udp_input(st, &pkt, frame, hl + out.payload_len, false, &reason);
		assert_int_equal(reason, TERN_DROP_NO_SOCKET);
	}
	assert_int_equal(st->trace.counters[TERN_CNT_UdpNoPorts], 2);
	for (int i = 0; i < 2; i++) {
		assert_true(tern_queue_pop(st, &pkt));
		tern_icmp_input(st, &pkt, false, &reason);
		assert_int_equal(reason, TERN_DROP_NONE);
	}
	/* The connected socket hears of it, once; the other one could not know what it is about. */
	assert_true(tern_udp_event(st, &ev));
	assert_int_equal(ev.id, id);
	assert_int_equal(ev.user, 77);
	assert_int_equal(ev.bits, TERN_EV_ERROR);
	assert_false(tern_udp_event(st, &ev));
	assert_int_equal(tern_udp_sendto(st, id, "abc", 3, NULL), -ECONNREFUSED);
	assert_int_equal(tern_udp_sendto(st, id, "abc", 3, NULL), 3);
	assert_int_equal(tern_udp_sendto(st, other, "abc", 3, &nobody), 3);
	close_stack(st);
}

static void soft_errors_are_kept_apart(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_endpoint peer = endpoint("198.51.100.1", 7);
	tern_id id = bound_udp(st, "10.77.0.2", 5000);
	struct tern_flow f = flow("10.77.0.2", 5000, "198.51.100.1", 7);
	int64_t value;

	(void)state;
	assert_int_equal(tern_udp_connect(st, id, &peer), 0);
	assert_true(tern_udp_icmp(st, &f, TERN_ICMP_HOST_UNREACH, EHOSTUNREACH));
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_ERROR, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_SOFT_ERROR, &value), 0);
	assert_int_equal(value, EHOSTUNREACH);
	assert_true(tern_udp_icmp(st, &f, TERN_ICMP_PORT_UNREACH, ECONNREFUSED));
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_ERROR, &value), 0);
	assert_int_equal(value, ECONNREFUSED);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_ERROR, &value), 0);
	assert_int_equal(value, 0);
	assert_true(tern_udp_icmp(st, &f, TERN_ICMP_PORT_UNREACH, ECONNREFUSED));
	assert_int_equal(tern_udp_recvfrom(st, id, bytes, 1, 0, NULL), -ECONNREFUSED);
	assert_int_equal(tern_udp_recvfrom(st, id, bytes, 1, 0, NULL), -EAGAIN);
	f.lport++;
	assert_false(tern_udp_icmp(st, &f, TERN_ICMP_PORT_UNREACH, ECONNREFUSED));
	close_stack(st);
}

static void connect_chooses_an_address_and_its_undoing_gives_it_back(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_endpoint peer = endpoint("192.0.2.6", 7), other = endpoint("10.77.0.9", 7);
	struct tern_endpoint none = { .port = 0 }, local, want = endpoint("192.0.2.5", 0);
	tern_id id = open_udp(st, TERN_INET);
	uint16_t port;

	(void)state;
	assert_int_equal(tern_udp_connect(st, id, &peer), 0);
	assert_int_equal(tern_udp_local(st, id, &local), 0);
	assert_true(tern_addr_eq(&local.addr, &want.addr));
	port = local.port;
	assert_int_equal(tern_udp_connect(st, id, &other), 0);
	assert_int_equal(tern_udp_local(st, id, &local), 0);
	want = endpoint("10.77.0.2", 0);
	assert_true(tern_addr_eq(&local.addr, &want.addr));
	assert_int_equal(tern_udp_remote(st, id, &local), 0);
	assert_true(tern_addr_eq(&local.addr, &other.addr));
	assert_int_equal(tern_udp_connect(st, id, &none), 0);
	assert_int_equal(tern_udp_local(st, id, &local), 0);
	assert_true(tern_addr_is_any(&local.addr));
	assert_int_equal(local.port, port);
	close_stack(st);
}

static void binds_conflict_as_in_linux(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_endpoint local = endpoint("10.77.0.2", 53), any = endpoint("0.0.0.0", 53);
	struct tern_endpoint foreign = endpoint("198.51.100.1", 53), v6 = endpoint("::", 54);
	tern_id a = bound_udp(st, "10.77.0.2", 53), b = open_udp(st, TERN_INET);

	(void)state;
	assert_int_equal(tern_udp_bind(st, a, &local, false), -EINVAL);
	assert_int_equal(tern_udp_bind(st, b, &local, false), -EADDRINUSE);
	assert_int_equal(tern_udp_bind(st, b, &any, false), -EADDRINUSE);
	assert_int_equal(tern_udp_bind(st, b, &foreign, false), -EADDRNOTAVAIL);
	assert_int_equal(tern_udp_bind(st, b, &v6, false), -EAFNOSUPPORT);
	assert_int_equal(tern_udp_set_option(st, b, TERN_SO_REUSEADDR, 1), 0);
	assert_int_equal(tern_udp_bind(st, b, &local, false),
			 -EADDRINUSE); /* only one of them allows it */
	assert_int_equal(tern_udp_set_option(st, a, TERN_SO_REUSEADDR, 1), 0);
	assert_int_equal(tern_udp_bind(st, b, &local, false), 0);
	bound_udp(st, "192.0.2.5", 53);
	bound_udp(st, "10.77.0.2", 54);
	b = open_udp(st, TERN_INET6);
	assert_int_equal(tern_udp_bind(st, b, &v6, false), -EADDRINUSE);
	assert_int_equal(tern_udp_set_option(st, b, TERN_SO_V6ONLY, 1), 0);
	assert_int_equal(tern_udp_bind(st, b, &v6, false), 0);
	assert_int_equal(tern_udp_close(st, a), 0);
	assert_int_equal(tern_udp_close(st, a), -EBADF);
	close_stack(st);
}

static void every_port_of_the_range_can_be_had_and_then_none(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_endpoint any = endpoint("0.0.0.0", 0), local;
	struct tern_endpoint to = endpoint("198.51.100.1", 7);
	static bool taken[TERN_PORTS];
	tern_id id;

	(void)state;
	st->knobs.ip_local_port_low = 40000;
	st->knobs.ip_local_port_high = 40099;
	for (int i = 0; i < 100; i++) {
		id = open_udp(st, TERN_INET);
		assert_int_equal(tern_udp_bind(st, id, &any, false), 0);
		assert_int_equal(tern_udp_local(st, id, &local), 0);
		assert_in_range(local.port, 40000, 40099);
		assert_false(taken[local.port]);
		taken[local.port] = true;
	}
	id = open_udp(st, TERN_INET);
	assert_int_equal(tern_udp_bind(st, id, &any, false), -EADDRINUSE);
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, &to), -EAGAIN);
	assert_int_equal(st->trace.counters[TERN_CNT_TernEphemeralExhausted], 2);
	close_stack(st);
}

static void sends_that_cannot_be_say_why(void **state)
{
	struct tern_config cfg = { .addrs = { { addr("10.77.0.2"), 24 } }, .addr_count = 1 };
	struct tern_stack *st = open_stack(&cfg);
	struct tern_endpoint to = endpoint("198.51.100.1", 7), v6 = endpoint("2001:db8::9", 7);
	struct tern_endpoint all = endpoint("255.255.255.255", 7),
			     ours = endpoint("10.77.0.255", 7);
	tern_id id = open_udp(st, TERN_INET), id6 = open_udp(st, TERN_INET6);

	(void)state;
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, NULL), -EDESTADDRREQ);
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, &v6), -EAFNOSUPPORT);
	assert_int_equal(tern_udp_sendto(st, id6, "x", 1, &v6), -EADDRNOTAVAIL);
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, &all), -EACCES);
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, &ours), -EACCES);
	assert_int_equal(tern_udp_connect(st, id, &ours), -EACCES);
	assert_int_equal(tern_udp_connect(st, id6, &v6), -EADDRNOTAVAIL);
	assert_int_equal(tern_udp_sendto(st, id6, "x", 1, &to), 1); /* dual stack */
	to.port = 0;
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, &to), -EINVAL);
	to.port = 7;
	assert_int_equal(tern_udp_shutdown(st, id, TERN_SHUT_WR), -ENOTCONN);
	assert_int_equal(tern_udp_sendto(st, id, "x", 1, &to), -EPIPE);
	assert_int_equal(tern_udp_remote(st, id, &to), -ENOTCONN);
	assert_int_equal(tern_udp_sendto(st, id + (1ull << 32), "x", 1, &to), -EBADF);
	close_stack(st);
}

static void the_receive_buffer_is_charged_at_true_size(void **state)
{
	struct tern_stack *st = usual_stack();
	tern_id id = bound_udp(st, "10.77.0.2", 53);
	struct tern_socket_info row;
	unsigned int n = 0;
	int64_t value;

	(void)state;
	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_RCVBUF, 1), 0);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_RCVBUF, &value), 0);
	assert_int_equal(value, 2304);
	while (receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "abc") == TERN_DROP_NONE)
		n++;
	assert_in_range(n, 20, 70);
	assert_int_equal(tern_udp_describe(st, id, &row), 0);
	assert_in_range(row.recv_q, 2200, 2304);
	assert_int_equal(row.mem.rmem_alloc, tern_udp_bytes(st->udp));
	assert_int_equal(row.mem.drops, 1);
	assert_int_equal(st->trace.counters[TERN_CNT_UdpRcvbufErrors], 1);
	assert_int_equal(st->trace.counters[TERN_CNT_UdpInErrors], 1);
	assert_int_equal(st->trace.counters[TERN_CNT_UdpInDatagrams], n);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_INQ, &value), 0);
	assert_int_equal(value, 3);
	while (n--)
		assert_string_equal(read_text(st, id), "abc");
	assert_int_equal(tern_udp_bytes(st->udp), 0);
	/* One is always taken. */
	memset(bytes, 'x', 3000);
	bytes[3000] = 0;
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, (char *)bytes), 0);
	assert_int_equal(tern_udp_close(st, id), 0);
	assert_int_equal(tern_udp_bytes(st->udp), 0);
	close_stack(st);
}

static void the_send_buffer_is_charged_until_the_packet_has_left(void **state)
{
	struct tern_stack *st = usual_stack();
	struct tern_endpoint to = endpoint("198.51.100.1", 7);
	tern_id id = open_udp(st, TERN_INET);
	struct tern_packet pkt;
	struct tern_event ev;
	int64_t value;
	int n = 0;

	(void)state;
	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_SNDBUF, 10000), 0);
	while (tern_udp_sendto(st, id, bytes, 1000, &to) == 1000)
		n++;
	assert_in_range(n, 8, 9);
	assert_int_equal(tern_udp_sendto(st, id, bytes, 1000, &to), -EAGAIN);
	assert_int_equal(st->trace.counters[TERN_CNT_UdpSndbufErrors], 2);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_OUTQ, &value), 0);
	assert_int_equal(value, tern_udp_bytes(st->udp));
	assert_true(value > 1000 * n);
	assert_false(tern_udp_event(st, &ev));
	assert_true(tern_queue_pop(st, &pkt));
	assert_false(tern_udp_event(st, &ev)); /* half of it must be free */
	while (tern_queue_pop(st, &pkt))
		;
	assert_true(tern_udp_event(st, &ev));
	assert_int_equal(ev.bits, TERN_EV_WRITABLE);
	assert_false(tern_udp_event(st, &ev));
	assert_int_equal(tern_udp_bytes(st->udp), 0);
	/* One may always be queued; a socket that is gone meanwhile is no trouble. */
	assert_int_equal(tern_udp_sendto(st, id, bytes, 60000, &to), 60000);
	assert_int_equal(tern_udp_close(st, id), 0);
	assert_int_equal(tern_udp_bytes(st->udp), 0);
	while (tern_queue_pop(st, &pkt))
		;
	assert_int_equal(tern_udp_bytes(st->udp), 0);
	close_stack(st);
}

static void events_are_queued_once_and_carry_all_bits(void **state)
{
	struct tern_stack *st = usual_stack();
	tern_id a = bound_udp(st, "10.77.0.2", 53), b = bound_udp(st, "10.77.0.2", 54);
	struct tern_endpoint peer = endpoint("198.51.100.1", 99);
	struct tern_flow f = flow("10.77.0.2", 53, "198.51.100.1", 99);
	struct tern_event ev;

	(void)state;
	assert_int_equal(tern_udp_connect(st, a, &peer), 0);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "1"), 0);
	assert_int_equal(receive(st, "10.77.0.2", 54, "198.51.100.1", 99, "2"), 0);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "3"), 0);
	assert_true(tern_udp_icmp(st, &f, TERN_ICMP_PORT_UNREACH, ECONNREFUSED));
	assert_true(tern_udp_event(st, &ev));
	assert_int_equal(ev.id, a);
	assert_int_equal(ev.bits, TERN_EV_READABLE | TERN_EV_ERROR);
	assert_int_equal(tern_udp_close(st, b), 0); /* its event goes with it */
	assert_false(tern_udp_event(st, &ev));
	close_stack(st);
}

static void peeking_leaves_the_datagram_and_short_reads_tell_its_length(void **state)
{
	struct tern_stack *st = usual_stack();
	tern_id id = bound_udp(st, "10.77.0.2", 53);
	struct tern_endpoint from;
	char text[4] = "...";

	(void)state;
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "abcdef"), 0);
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 98, "gh"), 0);
	assert_int_equal(tern_udp_recvfrom(st, id, text, 2, TERN_MSG_PEEK, &from), 6);
	assert_string_equal(text, "ab.");
	assert_int_equal(tern_udp_recvfrom(st, id, text, 3, 0, &from), 6);
	assert_string_equal(text, "abc");
	assert_int_equal(from.port, 99);
	assert_int_equal(tern_udp_recvfrom(st, id, NULL, 0, 0, &from), 2);
	assert_int_equal(from.port, 98);
	assert_int_equal(tern_udp_shutdown(st, id, TERN_SHUT_RD), -ENOTCONN);
	assert_int_equal(tern_udp_recvfrom(st, id, text, 3, 0, NULL), 0);
	close_stack(st);
}

static void rows_come_in_table_order(void **state)
{
	struct tern_stack *st = usual_stack();
	tern_id ids[3] = { bound_udp(st, "10.77.0.2", 1), bound_udp(st, "10.77.0.2", 2),
			   bound_udp(st, "10.77.0.2", 3) };
	struct tern_endpoint peer = endpoint("198.51.100.1", 99);
	struct tern_socket_info row;
	uint32_t cursor = 0;

	(void)state;
	assert_int_equal(tern_udp_connect(st, ids[2], &peer), 0);
	assert_int_equal(tern_udp_close(st, ids[1]), 0);
	assert_int_equal(tern_udp_count(st->udp), 2);
	assert_true(tern_udp_next_row(st, &cursor, &row));
	assert_int_equal(row.local.port, 1);
	assert_int_equal(row.state, TERN_CLOSED);
	assert_int_equal(row.proto, TERN_PROTO_UDP);
	assert_int_equal(row.id, ids[0]);
	assert_true(tern_udp_next_row(st, &cursor, &row));
	assert_int_equal(row.local.port, 3);
	assert_int_equal(row.state, TERN_ESTABLISHED);
	assert_int_equal(row.remote.port, 99);
	assert_false(tern_udp_next_row(st, &cursor, &row));
	assert_int_equal(tern_udp_describe(st, ids[1], &row), -EBADF);
	close_stack(st);
}

static void options_are_checked_at_their_edges(void **state)
{
	struct tern_stack *st = usual_stack();
	tern_id id = open_udp(st, TERN_INET);
	int64_t value;

	(void)state;
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_TTL, &value), 0);
	assert_int_equal(value, 64);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_SNDBUF, &value), 0);
	assert_int_equal(value, 212992);
	for (int d = -1; d <= 1; d++) {
		assert_int_equal(tern_udp_set_option(st, id, TERN_SO_TTL, 1 + d),
				 d < 0 ? -EINVAL : 0);
		assert_int_equal(tern_udp_set_option(st, id, TERN_SO_TTL, 255 + d),
				 d > 0 ? -EINVAL : 0);
		assert_int_equal(tern_udp_set_option(st, id, TERN_SO_TOS, d), d < 0 ? -EINVAL : 0);
		assert_int_equal(tern_udp_set_option(st, id, TERN_SO_RCVBUF,
						     INT32_MAX + (int64_t)d),
				 d > 0 ? -EINVAL : 0);
	}
	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_NODELAY, 1), -ENOPROTOOPT);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_NODELAY, &value), -ENOPROTOOPT);
	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_V6ONLY, 1), -ENOPROTOOPT);
	assert_int_equal(tern_udp_set_option(st, id, TERN_SO_STATE, 1), -ENOPROTOOPT);
	assert_int_equal(tern_udp_get_option(st, id, TERN_SO_STATE, &value), 0);
	assert_int_equal(value, TERN_CLOSED);
	close_stack(st);
}

static void sockets_and_memory_are_limited(void **state)
{
	struct tern_config cfg = usual_config();
	struct tern_stack *st;
	uint64_t failures;
	tern_id id, first;

	(void)state;
	cfg.udps_max = 2;
	st = open_stack(&cfg);
	first = bound_udp(st, "10.77.0.2", 53);
	open_udp(st, TERN_INET);
	assert_int_equal(tern_udp_open(st, TERN_INET, &id), -ENOBUFS);
	assert_int_equal(tern_udp_open(st, TERN_UNSPEC, &id), -EAFNOSUPPORT);
	failures = st->trace.counters[TERN_CNT_TernAllocFailures];
	st->mem.limit = st->mem.used;
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "x"), TERN_DROP_NOMEM);
	assert_int_equal(st->trace.counters[TERN_CNT_TernAllocFailures], failures + 1);
	st->mem.limit = 0;
	assert_int_equal(receive(st, "10.77.0.2", 53, "198.51.100.1", 99, "x"), 0);
	assert_string_equal(read_text(st, first), "x");
	close_stack(st);
	st = usual_stack();
	tern_udp_free(st->udp);
	for (uint64_t nth = 1; nth <= 4; nth++) {
		uint64_t used = st->mem.used;

		st->mem.fail_in = nth;
		assert_null(tern_udp_new(st, 8));
		assert_int_equal(st->mem.used, used);
	}
	st->udp = NULL;
	close_stack(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_goes_out_as_it_was_given),
		cmocka_unit_test(datagrams_of_every_size_arrive_whole),
		cmocka_unit_test(the_most_exact_socket_gets_the_datagram),
		cmocka_unit_test(sockets_that_share_a_port_each_get_their_peers),
		cmocka_unit_test(an_ipv6_only_socket_gets_no_ipv4),
		cmocka_unit_test(bad_datagrams_are_dropped_by_reason),
		cmocka_unit_test(a_datagram_for_nobody_is_answered_by_port_unreachable),
		cmocka_unit_test(soft_errors_are_kept_apart),
		cmocka_unit_test(connect_chooses_an_address_and_its_undoing_gives_it_back),
		cmocka_unit_test(binds_conflict_as_in_linux),
		cmocka_unit_test(every_port_of_the_range_can_be_had_and_then_none),
		cmocka_unit_test(sends_that_cannot_be_say_why),
		cmocka_unit_test(the_receive_buffer_is_charged_at_true_size),
		cmocka_unit_test(the_send_buffer_is_charged_until_the_packet_has_left),
		cmocka_unit_test(events_are_queued_once_and_carry_all_bits),
		cmocka_unit_test(peeking_leaves_the_datagram_and_short_reads_tell_its_length),
		cmocka_unit_test(rows_come_in_table_order),
		cmocka_unit_test(options_are_checked_at_their_edges),
		cmocka_unit_test(sockets_and_memory_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
