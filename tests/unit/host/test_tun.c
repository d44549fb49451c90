/* SPDX-License-Identifier: BSD-2-Clause */
/* A host on a TUN device, with the kernel's sockets at the other end. */
#include "unit/link/netns.h"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "loop/loop.h"
#include "tern/socket.h"
#include "tern/stack.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

enum { BULK = 8 << 20, PORT = 7000 };

static const char *const own[] = { "10.77.0.2/24", "fd77::2/64" };
static const char *const peers[] = { "10.77.0.1", "fd77::1" };
static struct tern_host *host;
static char why[TERN_ERROR_MAX];

static struct tern_host_config config(void)
{
	return (struct tern_host_config){ .link = "tun:t0",
					  .addrs = own,
					  .addr_count = 1,
					  .peers = peers,
					  .peer_count = 1 };
}

/* A namespace of its own with a TUN device in it, or the case is skipped. */
static void enter(void)
{
	struct tern_link *probe = netns_tun(&(struct tern_tun_config){ .name = "probe" });

	tern_link_close(probe);
}

static void start(const struct tern_host_config *cfg)
{
	enter();
	if (tern_host_new(cfg, &host, why) != 0)
		fail_msg("%s", why);
}

static struct sockaddr_in at(uint32_t addr)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(PORT),
				     .sin_addr.s_addr = htonl(addr) };
}

/* The i-th byte of the stream that either side sends. */
static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16));
}

/* Runs the kernel's side in a child: 0 if all went well there. */
static pid_t in_child(int (*side)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(side());
	return pid;
}

/* The child's exit status, while the stack goes on. */
static int reap(pid_t pid)
{
	uint64_t until = tern_loop_now() + 20 * S;
	int status = -1;

	while (waitpid(pid, &status, WNOHANG) == 0 && tern_loop_now() < until)
		(void)tern_host_run(host, MS);
	(void)kill(pid, SIGKILL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The same without a stack. */
static int wait_for(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int kernel_connect(void)
{
	struct sockaddr_in addr = at(0x0a4d0002);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (void *)&addr, sizeof(addr)) == 0 ? fd : -1;
}

static int kernel_send(int fd)
{
	static uint8_t bytes[65536];

	for (size_t i = 0; i < BULK; i += sizeof(bytes)) {
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = pattern(i + j);
		for (size_t done = 0; done < sizeof(bytes);) {
			ssize_t n = send(fd, bytes + done, sizeof(bytes) - done, MSG_NOSIGNAL);

			if (n <= 0)
				return 1;
			done += (size_t)n;
		}
	}
	return 0;
}

static int kernel_receive(int fd)
{
	static uint8_t bytes[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != pattern(total++))
				return 2;
	return n == 0 && total == BULK ? 0 : 3;
}

/* Client of the kernel's: sends all, half-closes, receives all. */
static int kernel_client(void)
{
	int fd = kernel_connect();

	if (fd < 0)
		return 10;
	return kernel_send(fd) || shutdown(fd, SHUT_WR) ? 11 : kernel_receive(fd);
}

static int kernel_server(void)
{
	struct sockaddr_in addr = at(0x0a4d0001);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	if (bind(listener, (void *)&addr, sizeof(addr)) || listen(listener, 8))
		return 10;
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || kernel_receive(fd))
		return 11;
	return kernel_send(fd) || shutdown(fd, SHUT_WR);
}

static void tern_send_all(int fd)
{
	static uint8_t bytes[1 << 20];

	for (size_t i = 0; i < BULK; i += sizeof(bytes)) {
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = pattern(i + j);
		assert_int_equal(tern_send(host, fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	}
	assert_int_equal(tern_shutdown(host, fd, SHUT_WR), 0);
}

static void tern_receive_all(int fd)
{
	static uint8_t bytes[1 << 18];
	size_t total = 0;
	ssize_t n;

	while ((n = tern_recv(host, fd, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], pattern(total++));
	assert_int_equal(n, 0);
	assert_int_equal(total, BULK);
}

static int tern_listener(void)
{
	struct sockaddr_in addr = at(0x0a4d0002);
	int fd = tern_socket(host, AF_INET, SOCK_STREAM, 0);

	assert_int_equal(tern_bind(host, fd, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(tern_listen(host, fd, 8), 0);
	return fd;
}

/* The kernel connects to tern, and everything goes there and back. */
static void serve_the_kernel(const struct tern_host_config *cfg)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int listener, fd;
	pid_t pid;

	start(cfg);
	listener = tern_listener();
	pid = in_child(kernel_client);
	fd = tern_accept(host, listener, (void *)&peer, &len, 0);
	assert_true(fd >= 0);
	assert_int_equal(len, sizeof(peer));
	assert_int_equal(ntohl(peer.sin_addr.s_addr), 0x0a4d0001);
	tern_receive_all(fd);
	tern_send_all(fd);
	assert_int_equal(tern_close(host, fd), 0);
	assert_int_equal(reap(pid), 0);
	assert_int_equal(tern_host_drain(host, 5 * S, NULL), 0);
	tern_host_free(host);
}

static void a_kernel_client_is_served(void **state)
{
	const struct tern_host_config cfg = config();

	(void)state;
	serve_the_kernel(&cfg);
	assert_int_equal(if_nametoindex("t0"), 0);
}

static void a_bad_wire_changes_nothing_but_the_time(void **state)
{
	struct tern_host_config cfg = config();

	(void)state;
	cfg.fault = "loss=1%,dup=1%,reorder=1%,seed=7";
	serve_the_kernel(&cfg);
}

static void a_kernel_server_is_reached(void **state)
{
	const struct tern_host_config cfg = config();
	struct sockaddr_in addr = at(0x0a4d0001);
	int fd, err;
	pid_t pid;

	(void)state;
	start(&cfg);
	fd = tern_socket(host, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(tern_connect(host, fd, (void *)&addr, sizeof(addr)), -ECONNREFUSED);
	pid = in_child(kernel_server);
	do { /* until it listens */
		(void)tern_host_run(host, 5 * MS);
		err = tern_connect(host, fd, (void *)&addr, sizeof(addr));
	} while (err == -ECONNREFUSED);
	assert_int_equal(err, 0);
	tern_send_all(fd);
	tern_receive_all(fd);
	assert_int_equal(tern_close(host, fd), 0);
	assert_int_equal(reap(pid), 0);
	tern_host_free(host);
}

static int begin[2]; /* a pipe: what is written there lets the slow reader read */

static int slow_reader(void)
{
	int small = 4096, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in addr = at(0x0a4d0002);
	char bytes[8192];
	size_t total = 0;
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (connect(fd, (void *)&addr, sizeof(addr)))
		return 10;
	if (read(begin[0], bytes, 1) != 1)
		return 12;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		total += (size_t)n;
	return n == 0 && total == 60000 ? 0 : 11;
}

static void drain_waits_for_a_slow_reader(void **state)
{
	const struct tern_host_config cfg = config();
	static const char bytes[60000];
	struct tern_host_left left;
	int fd, buffer = 200000;
	pid_t pid;

	(void)state;
	start(&cfg);
	fd = tern_listener();
	assert_int_equal(tern_setsockopt(host, fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)),
			 0);
	assert_int_equal(pipe(begin), 0);
	pid = in_child(slow_reader);
	fd = tern_accept(host, fd, NULL, NULL, 0);
	assert_int_equal(tern_send(host, fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(tern_close(host, fd), 0);
	assert_int_equal(tern_host_drain(host, 10 * MS, &left), -ETIMEDOUT);
	assert_int_equal(left.conns, 1);
	assert_true(left.bytes > 0);
	tern_host_interrupt(host);
	assert_int_equal(tern_host_drain(host, 10 * S, &left), -EINTR);
	assert_int_equal(write(begin[1], "", 1), 1);
	assert_int_equal(tern_host_drain(host, 10 * S, &left), 0);
	assert_int_equal(left.conns, 0);
	(void)close(begin[0]);
	(void)close(begin[1]);
	assert_int_equal(reap(pid), 0);
	tern_host_free(host);
}

static int who_is_not_listened_to(void)
{
	const struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in addr = at(0x0a4d0002);
	char byte;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (void *)&addr, sizeof(addr)) || send(fd, "unread", 6, 0) != 6)
		return 10;
	return recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET ? 0 : 11;
}

static void a_reset_that_the_end_makes_leaves_before_it(void **state)
{
	const struct tern_host_config cfg = config();
	char byte;
	pid_t pid;
	int fd;

	(void)state;
	start(&cfg);
	fd = tern_listener();
	pid = in_child(who_is_not_listened_to);
	fd = tern_accept(host, fd, NULL, NULL, 0);
	assert_int_equal(tern_recv(host, fd, &byte, 1, MSG_PEEK), 1);
	assert_int_equal(tern_host_drain(host, 0, NULL), 0);
	tern_host_free(host);
	assert_int_equal(wait_for(pid), 0);
}

/* Has little room and does not read: what tern sends it will not all be acknowledged. */
static int who_does_not_read(void)
{
	struct sockaddr_in addr = at(0x0a4d0002);
	int fd = socket(AF_INET, SOCK_STREAM, 0), little = 4096;
	struct pollfd reset = { .fd = fd };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)))
		return 10;
	/* On a busy machine the reset is there before connect() has woken. */
	if (connect(fd, (void *)&addr, sizeof(addr)))
		return errno == ECONNRESET ? 0 : 12;
	return poll(&reset, 1, 10000) == 1 && (reset.revents & POLLERR) ? 0 : 11;
}

static void who_is_still_owed_something_at_the_end_gets_a_reset(void **state)
{
	static uint8_t bytes[65536];
	const struct tern_host_config cfg = config();
	struct tern_host_left left;
	pid_t pid;
	int fd;

	(void)state;
	for (int drained = 0; drained < 2; drained++) {
		start(&cfg);
		fd = tern_listener();
		pid = in_child(who_does_not_read);
		fd = tern_accept(host, fd, NULL, NULL, 0);
		while (tern_send(host, fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			continue;
		if (drained) {
			assert_int_equal(tern_host_drain(host, 100 * MS, &left), -ETIMEDOUT);
			assert_int_equal(left.conns, 1);
		}
		tern_host_free(host);
		assert_int_equal(wait_for(pid), 0);
	}
}

static void two_families_have_both_their_ends(void **state)
{
	struct tern_host_config cfg = config();
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	char buf[8];
	int fd, k;

	(void)state;
	cfg.addr_count = 2;
	cfg.peer_count = 2;
	enter();
	if (tern_host_new(&cfg, &host, why) != 0) {
		printf("SKIP: %s\n", why);
		skip();
	}
	in6.sin6_addr.s6_addr[0] = 0xfd;
	in6.sin6_addr.s6_addr[1] = 0x77;
	in6.sin6_addr.s6_addr[15] = 2;
	fd = tern_socket(host, AF_INET6, SOCK_DGRAM, 0);
	assert_int_equal(tern_bind(host, fd, (void *)&in6, sizeof(in6)), 0);
	k = socket(AF_INET6, SOCK_DGRAM, 0);
	assert_int_equal(sendto(k, "six", 3, 0, (void *)&in6, sizeof(in6)), 3);
	assert_int_equal(tern_recv(host, fd, buf, sizeof(buf), 0), 3);
	(void)close(k);
	tern_host_free(host);
}

static void a_taken_address_or_device_is_named(void **state)
{
	static const char *const same[] = { "10.77.0.2" }, *const alone[] = { "10.99.0.2/32" };
	struct tern_host_config cfg = config();
	struct tern_host *other = NULL;

	(void)state;
	start(&cfg);
	assert_int_equal(tern_host_new(&cfg, &other, why), -EBUSY);
	assert_non_null(strstr(why, "'t0'"));
	assert_non_null(strstr(why, "another"));
	/* The kernel's end of t0 cannot be the stack's address on another device. */
	cfg.link = "tun:t1";
	cfg.addrs = (const char *const[]){ "10.77.0.1/24" };
	assert_int_equal(tern_host_new(&cfg, &other, why), -EADDRINUSE);
	assert_non_null(strstr(why, "address 10.77.0.1 is taken"));
	assert_non_null(strstr(why, "t0"));
	/* Nor can both ends be one. */
	cfg = config();
	cfg.link = "tun:t1";
	cfg.peers = same;
	cfg.addrs = (const char *const[]){ "10.77.0.2/24" };
	assert_int_equal(tern_host_new(&cfg, &other, why), -EINVAL);
	assert_non_null(strstr(why, "same address"));
	/* A single address has no room for a peer, unless it is named. */
	cfg.addrs = alone;
	cfg.peer_count = 0;
	assert_int_equal(tern_host_new(&cfg, &other, why), -EINVAL);
	assert_non_null(strstr(why, "--peer"));
	cfg.peers = (const char *const[]){ "10.99.0.1" };
	cfg.peer_count = 1;
	assert_int_equal(tern_host_new(&cfg, &other, why), 0);
	assert_string_equal(tern_host_device(other), "t1");
	tern_host_free(other);
	tern_host_free(host);
	assert_int_equal(if_nametoindex("t1"), 0);
}

static int unprivileged(void)
{
	struct tern_host_config cfg = config();
	int err;

	if (setuid(65534) != 0)
		return 77;
	err = tern_host_new(&cfg, &host, why);
	return err == -EPERM && (strstr(why, "CAP_NET_ADMIN") || strstr(why, "root")) ? 0 : 1;
}

static void a_lack_of_privilege_is_named(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	enter();
	pid = in_child(unprivileged);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		printf("SKIP: cannot become another user; run as root\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_device_that_goes_away_ends_the_waiting(void **state)
{
	const struct tern_host_config cfg = config();
	int fd;

	(void)state;
	start(&cfg);
	fd = tern_listener();
	assert_int_equal(system("ip link del t0"), 0);
	assert_int_equal(tern_accept(host, fd, NULL, NULL, 0), -ENETDOWN);
	tern_host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_client_is_served),
		cmocka_unit_test(a_bad_wire_changes_nothing_but_the_time),
		cmocka_unit_test(a_kernel_server_is_reached),
		cmocka_unit_test(drain_waits_for_a_slow_reader),
		cmocka_unit_test(a_reset_that_the_end_makes_leaves_before_it),
		cmocka_unit_test(who_is_still_owed_something_at_the_end_gets_a_reset),
		cmocka_unit_test(two_families_have_both_their_ends),
		cmocka_unit_test(a_taken_address_or_device_is_named),
		cmocka_unit_test(a_lack_of_privilege_is_named),
		cmocka_unit_test(a_device_that_goes_away_ends_the_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
