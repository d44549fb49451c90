/* SPDX-License-Identifier: BSD-2-Clause */
/* The TUN device against the kernel, in a namespace of the test's own. */
#include "unit/link/netns.h"
#include "unit/link/tcp_packet.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BULK = 4 << 20, SUPER = 44 * 1460 };

static struct tern_link *tun;
static const char *stage;
static bool has_v6;

/* The device "t0", up, with 10.77.0.1/24 and, if it can, fd77::1/64 on the kernel's side. */
static void open_device(struct tern_tun_config cfg)
{
	struct tern_prefix v4 = { tern_addr_v4(10, 77, 0, 1), 24 };
	struct tern_prefix v6 = { .length = 64 };

	cfg.name = "t0";
	tun = netns_tun(&cfg);
	assert_int_equal(tern_addr_parse("fd77::1", &v6.addr), 0);
	assert_int_equal(tern_netdev_up("t0", tun->caps.mtu, &stage), 0);
	assert_int_equal(tern_netdev_add_address("t0", &v4, NULL, &stage), 0);
	has_v6 = tern_netdev_add_address("t0", &v6, NULL, &stage) == 0;
}

static void await(void)
{
	struct pollfd pfd = { .fd = tern_link_fd(tun), .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, 10000), 1);
}

static void a_device_lives_from_open_to_close(void **state)
{
	const struct tern_tun_config cfg = { .name = "tern-test", .mtu = 1400 };

	(void)state;
	tun = netns_tun(&cfg);
	assert_string_equal(tun->ops->kind, "tun");
	assert_string_equal(tern_tun_name(tun), "tern-test");
	assert_true(if_nametoindex("tern-test") > 0);
	assert_int_equal(tun->caps.mtu, 1400);
	assert_int_equal(tun->caps.gso_max, 65535);
	assert_true(tun->caps.csum_offload);
	assert_true(tern_link_deadline(tun) == TERN_NEVER);
	tern_link_close(tun);
	assert_int_equal(if_nametoindex("tern-test"), 0);

	/* Without a name the kernel finds one. */
	tun = netns_tun(&(struct tern_tun_config){ 0 });
	assert_string_equal(tern_tun_name(tun), "tern0");
	tern_link_close(tun);
}

static void offload_can_be_left_out_and_switched(void **state)
{
	(void)state;
	tun = netns_tun(&(struct tern_tun_config){ .plain = true });
	assert_int_equal(tun->caps.gso_max, 0);
	assert_false(tun->caps.csum_offload);
	assert_int_equal(tern_link_offload(tun, true), 0);
	assert_int_equal(tun->caps.gso_max, 65535);
	assert_true(tun->caps.csum_offload);
	assert_int_equal(tern_link_offload(tun, false), 0);
	assert_int_equal(tun->caps.gso_max, 0);
	tern_link_close(tun);
}

static void assert_refused(const char *name, uint32_t mtu, int err, const char *expected_stage)
{
	struct tern_link *other;

	assert_int_equal(tern_tun_open(&(struct tern_tun_config){ .name = name, .mtu = mtu },
				       &other, &stage),
			 err);
	assert_string_equal(stage, expected_stage);
	assert_non_null(tern_tun_explain(stage, err));
}

static void what_is_wrong_is_named_with_its_step(void **state)
{
	(void)state;
	assert_refused("", 0, -EINVAL, "name");
	assert_refused("sixteen-byte-nam", 0, -EINVAL, "name");
	assert_refused("a b", 0, -EINVAL, "name");
	assert_refused("a/b", 0, -EINVAL, "name");
	assert_refused("tern%d", 0, -EINVAL, "name");
	assert_refused("..", 0, -EINVAL, "name");
	assert_refused("t0", 67, -EINVAL, "mtu");
	assert_refused("t0", 65536, -EINVAL, "mtu");
	tun = netns_tun(&(struct tern_tun_config){ .name = "fifteen-bytes-x", .mtu = 68 });
	assert_refused("fifteen-bytes-x", 0, -EBUSY, "TUNSETIFF");
	assert_refused("lo", 0, -EEXIST, "TUNSETIFF");
	assert_null(tern_tun_explain("TUNSETIFF", EIO));
	tern_link_close(tun);
}

/* Answers an echo request by itself: addresses and type change. */
static void answer_echo(struct tern_out *ret_out, uint8_t *bytes, const struct tern_frame *frame)
{
	const uint8_t *in = frame->data;
	bool v6 = in[0] >> 4 == 6;
	uint32_t at = v6 ? 8 : 12, len = v6 ? 16 : 4, icmp = v6 ? 40 : 20;
	uint8_t change[4];

	assert_int_equal(in[v6 ? 6 : 9], v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP);
	memcpy(bytes, in, frame->len);
	memcpy(bytes + at, in + at + len, len);
	memcpy(bytes + at + len, in + at, len);
	bytes[icmp] = v6 ? 129 : 0;
	/* The sum of the rest has not changed: RFC 1624. */
	tern_put_u16(change, v6 ? 0x0100 : 0xf7ff);
	tern_put_u16(change + 2, (uint16_t)~tern_get_u16(in + icmp + 2));
	tern_put_u16(bytes + icmp + 2,
		     (uint16_t)~tern_cksum_fold(tern_cksum_add(change, sizeof(change), 0)));
	memset(ret_out, 0, sizeof(*ret_out));
	ret_out->piece[0] = (struct tern_piece){ bytes, frame->len };
	ret_out->pieces = 1;
	ret_out->len = frame->len;
}

static void ping(int family, const struct sockaddr *sa, socklen_t sa_len)
{
	bool v6 = family == AF_INET6;
	uint8_t request[64] = { v6 ? 128 : 8, 0, 0, 0, 0x12, 0x34, 0, 1 }, reply[128], bytes[128];
	int fd = socket(family, SOCK_RAW, v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct tern_frame frame;
	struct tern_out out;
	ssize_t len;

	memset(request + 8, 0xa5, sizeof(request) - 8);
	if (!v6)
		tern_put_u16(request + 2, (uint16_t)~tern_cksum_fold(
						  tern_cksum_add(request, sizeof(request), 0)));
	assert_int_equal(sendto(fd, request, sizeof(request), 0, sa, sa_len), sizeof(request));
	await();
	assert_int_equal(tern_link_receive(tun, 0, &frame, 1), 1);
	answer_echo(&out, bytes, &frame);
	assert_int_equal(tern_link_send(tun, 0, &out, 1), 1);
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	len = recv(fd, reply, sizeof(reply), 0);
	assert_int_equal(len, sizeof(request) + (v6 ? 0 : 20));
	assert_int_equal(reply[v6 ? 0 : 20], v6 ? 129 : 0);
	assert_memory_equal(reply + (v6 ? 4 : 24), request + 4, sizeof(request) - 4);
	(void)close(fd);
}

static void a_ping_from_the_kernel_is_answered(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct tern_addr to;

	(void)state;
	open_device((struct tern_tun_config){ 0 });
	memcpy(&in.sin_addr, tern_addr_v4(10, 77, 0, 2).b, 4);
	ping(AF_INET, (struct sockaddr *)&in, sizeof(in));
	assert_int_equal(tern_addr_parse("fd77::2", &to), 0);
	memcpy(&in6.sin6_addr, to.b, 16);
	if (has_v6)
		ping(AF_INET6, (struct sockaddr *)&in6, sizeof(in6));
	assert_int_equal(tun->counts.frames_in, 1 + has_v6);
	assert_int_equal(tun->counts.frames_out, 1 + has_v6);
	assert_int_equal(tun->counts.drops_in + tun->counts.drops_out, 0);
	tern_link_close(tun);
}

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

/* A TCP socket of the kernel's that begins to connect to the stack's address, and its SYN. */
static int connect_to_stack(int family, struct packet *ret_syn)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 9 };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 9 };
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int size = 8 << 20;
	struct tern_frame frame;
	struct tern_addr to;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(tern_addr_parse("fd77::2", &to), 0);
	memcpy(&in6.sin6_addr, to.b, 16);
	memcpy(&in.sin_addr, tern_addr_v4(10, 77, 0, 2).b, 4);
	if (family == AF_INET)
		(void)connect(fd, (struct sockaddr *)&in, sizeof(in));
	else
		(void)connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	assert_int_equal(errno, EINPROGRESS);
	await();
	assert_int_equal(tern_link_receive(tun, 0, &frame, 1), 1);
	assert_true(packet_parse(&frame, ret_syn));
	assert_int_equal(ret_syn->flags & (FLAG_SYN | FLAG_ACK), FLAG_SYN);
	return fd;
}

static void send_packet(const struct packet *pkt, uint32_t gso_size, bool partial)
{
	struct tern_out out;

	packet_build(&out, pkt, gso_size, partial);
	assert_int_equal(tern_link_send(tun, 0, &out, 1), 1);
}

/* What the far side of the kernel's socket has seen. */
struct bulk {
	uint32_t bytes, largest, gso_frames, partial_frames, frames;
};

/* Takes the kernel's data in and acknowledges it until there is no more. */
static void take_bulk(struct bulk *bulk, uint32_t first_seq, bool full_csum)
{
	struct tern_frame frames[4];
	struct packet in = { 0 }, ack;
	int i, n;
	uint32_t k;

	while ((n = tern_link_receive(tun, 0, frames, 4)) > 0) {
		for (i = 0; i < n; i++) {
			assert_true(packet_parse(&frames[i], &in));
			bulk->frames++;
			bulk->gso_frames += frames[i].gso_size != 0;
			bulk->partial_frames += frames[i].csum == TERN_CSUM_PARTIAL;
			bulk->largest = TERN_MAX(bulk->largest, frames[i].len);
			if (full_csum)
				assert_int_equal(packet_sum(&in), 0xffff);
			if (frames[i].gso_size)
				assert_in_range(frames[i].gso_size, 1000, 1460);
			assert_int_equal(in.seq - first_seq, bulk->bytes);
			for (k = 0; k < in.len; k++)
				assert_int_equal(in.payload[k], pattern(bulk->bytes + k));
			bulk->bytes += in.len;
		}
		ack = packet_answer(&in, 1001, FLAG_ACK);
		send_packet(&ack, 0, false);
	}
}

/* The kernel sends BULK bytes through a connection that the test plays the other end of. */
static struct bulk kernel_sends(int family, bool full_csum)
{
	static uint8_t data[BULK];
	struct bulk bulk = { 0 };
	struct packet syn, answer;
	size_t written = 0;
	uint32_t i;
	int fd;

	for (i = 0; i < BULK; i++)
		data[i] = pattern(i);
	fd = connect_to_stack(family, &syn);
	answer = packet_answer(&syn, 1000, FLAG_SYN | FLAG_ACK);
	send_packet(&answer, 0, !full_csum);
	while (bulk.bytes < BULK) {
		ssize_t n = write(fd, data + written, BULK - written);

		if (n > 0)
			written += (size_t)n;
		await();
		take_bulk(&bulk, syn.seq + 1, full_csum);
	}
	(void)close(fd);
	return bulk;
}

static void the_kernels_64_KB_frames_come_in_whole(void **state)
{
	const int families[] = { AF_INET, AF_INET6 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bulk bulk;

		open_device((struct tern_tun_config){ 0 });
		if (families[i] == AF_INET6 && !has_v6) {
			tern_link_close(tun);
			return;
		}
		bulk = kernel_sends(families[i], false);
		assert_true(bulk.largest > 60000);
		assert_true(bulk.gso_frames > 10);
		assert_true(bulk.partial_frames >= bulk.gso_frames);
		assert_true(bulk.frames < BULK / 1460);
		tern_link_close(tun);
	}
}

static void without_offload_frames_are_segments_with_full_checksums(void **state)
{
	struct bulk bulk;

	(void)state;
	open_device((struct tern_tun_config){ .plain = true });
	bulk = kernel_sends(AF_INET, true);
	assert_true(bulk.largest <= 1500);
	assert_int_equal(bulk.gso_frames, 0);
	assert_int_equal(bulk.partial_frames, 0);
	tern_link_close(tun);
}

/* The test sends one frame of SUPER bytes, to be cut by the kernel, and reads what arrived. */
static void kernel_takes_super_frame(int family)
{
	static uint8_t data[SUPER], got[SUPER + 1];
	struct packet syn, packet;
	struct pollfd pfd = { .events = POLLIN };
	size_t read_so_far = 0;
	uint32_t i;

	for (i = 0; i < SUPER; i++)
		data[i] = pattern(i);
	pfd.fd = connect_to_stack(family, &syn);
	packet = packet_answer(&syn, 1000, FLAG_SYN | FLAG_ACK);
	send_packet(&packet, 0, true);
	packet = packet_answer(&syn, 1001, FLAG_ACK);
	packet.payload = data;
	packet.len = SUPER;
	send_packet(&packet, 1460, true);
	while (read_so_far < SUPER) {
		ssize_t n;

		assert_int_equal(poll(&pfd, 1, 10000), 1);
		n = read(pfd.fd, got + read_so_far, sizeof(got) - read_so_far);
		assert_true(n > 0);
		read_so_far += (size_t)n;
	}
	assert_int_equal(read_so_far, SUPER);
	assert_memory_equal(got, data, SUPER);
	(void)close(pfd.fd);
}

static void the_kernel_takes_our_64_KB_frames_whole(void **state)
{
	(void)state;
	open_device((struct tern_tun_config){ 0 });
	kernel_takes_super_frame(AF_INET);
	tern_link_close(tun);
	open_device((struct tern_tun_config){ 0 });
	if (has_v6)
		kernel_takes_super_frame(AF_INET6);
	assert_int_equal(tun->counts.drops_out, 0);
	tern_link_close(tun);
}

static void frames_to_a_device_that_is_down_are_lost_and_counted(void **state)
{
	struct packet packet = { .src = tern_addr_v4(10, 77, 0, 2),
				 .dst = tern_addr_v4(10, 77, 0, 1),
				 .sport = 1,
				 .dport = 2,
				 .flags = FLAG_RST };
	struct tern_frame frame;

	(void)state;
	tun = netns_tun(&(struct tern_tun_config){ .name = "t0" });
	send_packet(&packet, 0, false);
	assert_int_equal(tun->counts.drops_out, 1);
	assert_int_equal(tern_link_receive(tun, 0, &frame, 1), 0);
	assert_int_equal(tern_netdev_up("t0", 1500, &stage), 0);
	send_packet(&packet, 0, false);
	assert_int_equal(tun->counts.drops_out, 1);
	assert_int_equal(tun->counts.frames_out, 1);
	tern_link_close(tun);
}

/* What `ip link del` does. */
static void delete_device(const char *name)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
	} request = { .nlh = { .nlmsg_len = sizeof(request),
			       .nlmsg_type = RTM_DELLINK,
			       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		      .ifi.ifi_index = (int)if_nametoindex(name) };
	uint8_t reply[256];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	assert_true(recv(fd, reply, sizeof(reply), 0) > 0);
	assert_int_equal(if_nametoindex(name), 0);
	(void)close(fd);
}

static void a_device_that_was_deleted_is_gone(void **state)
{
	struct tern_frame frame;
	struct tern_out out;
	struct packet packet = { .src.family = TERN_INET, .dst.family = TERN_INET };

	(void)state;
	open_device((struct tern_tun_config){ 0 });
	delete_device("t0");
	assert_int_equal(tern_link_receive(tun, 0, &frame, 1), -ENODEV);
	packet_build(&out, &packet, 0, false);
	assert_int_equal(tern_link_send(tun, 0, &out, 1), -ENODEV);
	tern_link_close(tun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_lives_from_open_to_close),
		cmocka_unit_test(offload_can_be_left_out_and_switched),
		cmocka_unit_test(what_is_wrong_is_named_with_its_step),
		cmocka_unit_test(a_ping_from_the_kernel_is_answered),
		cmocka_unit_test(the_kernels_64_KB_frames_come_in_whole),
		cmocka_unit_test(without_offload_frames_are_segments_with_full_checksums),
		cmocka_unit_test(the_kernel_takes_our_64_KB_frames_whole),
		cmocka_unit_test(frames_to_a_device_that_is_down_are_lost_and_counted),
		cmocka_unit_test(a_device_that_was_deleted_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
