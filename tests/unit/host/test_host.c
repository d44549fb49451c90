/* SPDX-License-Identifier: BSD-2-Clause */
/* A host by itself: calls that wait, configurations that cannot be, what is left at the end. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "tern/socket.h"
#include "tern/stack.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static const char *const own[] = { "10.77.0.2/24" };
static struct tern_host *host;
static char why[TERN_ERROR_MAX];
static char big[1 << 20], back[1 << 20];

static struct tern_host_config config(void)
{
	return (struct tern_host_config){ .link = "none", .addrs = own, .addr_count = 1 };
}

static int set_up(void **state)
{
	const struct tern_host_config cfg = config();

	(void)state;
	return tern_host_new(&cfg, &host, why);
}

static int tear_down(void **state)
{
	(void)state;
	tern_host_free(host);
	host = NULL;
	return 0;
}

static struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(0x0a4d0002) };
}

/* Two ends of a connection to ourselves; a blocking connect completes in the loop alone. */
static void make_pair(int *ret_listener, int *ret_client, int *ret_server)
{
	struct sockaddr_in addr = at(7000);

	*ret_listener = tern_socket(host, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(tern_bind(host, *ret_listener, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(tern_listen(host, *ret_listener, 8), 0);
	*ret_client = tern_socket(host, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(tern_connect(host, *ret_client, (void *)&addr, sizeof(addr)), 0);
	*ret_server = tern_accept(host, *ret_listener, NULL, NULL, 0);
	assert_true(*ret_server >= 0);
}

static void set_timeout(int fd, int name, long usec)
{
	const struct timeval tv = { .tv_sec = usec / 1000000, .tv_usec = usec % 1000000 };

	assert_int_equal(tern_setsockopt(host, fd, SOL_SOCKET, name, &tv, sizeof(tv)), 0);
}

static void descriptors_are_the_lowest_free_ones(void **state)
{
	(void)state;
	assert_int_equal(tern_socket(host, AF_INET, SOCK_STREAM, 0), 0);
	assert_int_equal(tern_socket(host, AF_INET, SOCK_DGRAM, 0), 1);
	assert_int_equal(tern_socket(host, AF_INET, SOCK_STREAM, 0), 2);
	assert_int_equal(tern_close(host, 1), 0);
	assert_int_equal(tern_close(host, 1), -EBADF);
	assert_int_equal(tern_socket(host, AF_INET, SOCK_STREAM, 0), 1);
	assert_int_equal(tern_socket(host, AF_INET, SOCK_STREAM, 0), 3);
	assert_int_equal(tern_close(host, -1), -EBADF);
	assert_int_equal(tern_close(host, 1 << 30), -EBADF);
}

static void a_full_table_leaves_the_connection_in_the_queue(void **state)
{
	struct tern_host_config cfg = config();
	struct sockaddr_in addr = at(7000);
	int listener, client;

	(void)state;
	tern_host_free(host);
	cfg.sockets_max = 2;
	assert_int_equal(tern_host_new(&cfg, &host, why), 0);
	listener = tern_socket(host, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(tern_bind(host, listener, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(tern_listen(host, listener, 8), 0);
	client = tern_socket(host, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(tern_connect(host, client, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(tern_socket(host, AF_INET, SOCK_STREAM, 0), -EMFILE);
	assert_int_equal(tern_accept(host, listener, NULL, NULL, 0), -EMFILE);
	assert_int_equal(tern_close(host, client), 0);
	assert_int_equal(tern_accept(host, listener, NULL, NULL, 0), client);
}

static void a_blocking_receive_ends_at_its_timeout(void **state)
{
	int listener, client, server;
	uint64_t before;

	(void)state;
	make_pair(&listener, &client, &server);
	set_timeout(client, SO_RCVTIMEO, 30000);
	before = tern_loop_now();
	assert_int_equal(tern_recv(host, client, back, 1, 0), -EAGAIN);
	assert_in_range(tern_loop_now() - before, 30 * MS, 2 * S);
	set_timeout(listener, SO_RCVTIMEO, 30000);
	before = tern_loop_now();
	assert_int_equal(tern_accept(host, listener, NULL, NULL, 0), -EAGAIN);
	assert_in_range(tern_loop_now() - before, 30 * MS, 2 * S);
	/* MSG_DONTWAIT does not wait at all. */
	set_timeout(client, SO_RCVTIMEO, 10000000);
	before = tern_loop_now();
	assert_int_equal(tern_recv(host, client, back, 1, MSG_DONTWAIT), -EAGAIN);
	assert_true(tern_loop_now() - before < 2 * S);
}

static void a_blocking_send_fills_what_fits_until_its_timeout(void **state)
{
	int listener, client, server;
	ssize_t sent, got, total = 0;

	(void)state;
	make_pair(&listener, &client, &server);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	set_timeout(client, SO_SNDTIMEO, 50000);
	sent = tern_send(host, client, big, sizeof(big), 0);
	assert_in_range(sent, 16384, sizeof(big));
	while (total < sent) {
		got = tern_recv(host, server, back + total, sizeof(back) - (size_t)total, 0);
		assert_true(got > 0);
		total += got;
	}
	assert_int_equal(total, sent);
	assert_memory_equal(big, back, (size_t)sent);
}

static void waitall_waits_for_all_or_the_end(void **state)
{
	int listener, client, server;

	(void)state;
	make_pair(&listener, &client, &server);
	assert_int_equal(tern_send(host, client, "abc", 3, 0), 3);
	assert_int_equal(tern_send(host, client, "def", 3, 0), 3);
	assert_int_equal(tern_recv(host, server, back, 6, MSG_WAITALL), 6);
	assert_memory_equal(back, "abcdef", 6);
	assert_int_equal(tern_send(host, client, "gh", 2, 0), 2);
	assert_int_equal(tern_shutdown(host, client, SHUT_WR), 0);
	assert_int_equal(tern_recv(host, server, back, 6, MSG_WAITALL), 2);
	assert_int_equal(tern_recv(host, server, back, 6, MSG_WAITALL), 0);
}

static void a_low_mark_makes_receive_wait(void **state)
{
	int listener, client, server, low = 4;

	(void)state;
	make_pair(&listener, &client, &server);
	assert_int_equal(tern_setsockopt(host, server, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)),
			 0);
	set_timeout(server, SO_RCVTIMEO, 20000);
	assert_int_equal(tern_send(host, client, "abc", 3, 0), 3);
	/* At the timeout it gives what there is, as Linux does. */
	assert_int_equal(tern_recv(host, server, back, 8, 0), 3);
	assert_int_equal(tern_send(host, client, "abcd", 4, 0), 4);
	assert_int_equal(tern_recv(host, server, back, 8, 0), 4);
	/* Less than the mark is enough where less is asked for. */
	assert_int_equal(tern_send(host, client, "xy", 2, 0), 2);
	assert_int_equal(tern_recv(host, server, back, 2, 0), 2);
}

static void on_alarm(int signal)
{
	(void)signal;
	tern_host_interrupt(host);
}

static void alarm_in(long usec)
{
	const struct itimerval timer = { .it_value.tv_usec = usec };

	(void)signal(SIGALRM, on_alarm);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void an_interrupt_ends_each_call_that_waits(void **state)
{
	int listener, client, server;
	struct tern_pollfd pfd;

	(void)state;
	make_pair(&listener, &client, &server);
	alarm_in(20000);
	assert_int_equal(tern_recv(host, client, back, 1, 0), -EINTR);
	alarm_in(20000);
	assert_int_equal(tern_accept(host, listener, NULL, NULL, 0), -EINTR);
	alarm_in(20000);
	pfd = (struct tern_pollfd){ .fd = client, .events = POLLIN };
	assert_int_equal(tern_poll(host, &pfd, 1, TERN_NEVER), -EINTR);
	alarm_in(20000);
	assert_int_equal(tern_host_run(host, 10 * S), -EINTR);
	/* One that comes before the wait is not lost, and taken once. */
	tern_host_interrupt(host);
	assert_int_equal(tern_recv(host, client, back, 1, 0), -EINTR);
	set_timeout(client, SO_RCVTIMEO, 10000);
	assert_int_equal(tern_recv(host, client, back, 1, 0), -EAGAIN);
}

static void poll_waits_for_sockets_and_descriptors_alike(void **state)
{
	int listener, client, server, fds[2];
	struct tern_pollfd set[3];

	(void)state;
	make_pair(&listener, &client, &server);
	assert_int_equal(pipe(fds), 0);
	set[0] = (struct tern_pollfd){ .fd = server, .events = POLLIN };
	set[1] = (struct tern_pollfd){ .fd = fds[0], .kind = TERN_POLL_PROCESS, .events = POLLIN };
	set[2] = (struct tern_pollfd){ .fd = -1, .events = POLLIN, .revents = 7 };
	assert_int_equal(tern_poll(host, set, 3, 10 * MS), 0);
	assert_int_equal(set[2].revents, 0);
	assert_int_equal(tern_send(host, client, "x", 1, 0), 1);
	assert_int_equal(tern_poll(host, set, 3, 10 * S), 1);
	assert_int_equal(set[0].revents, POLLIN);
	assert_int_equal(set[1].revents, 0);
	assert_int_equal(tern_recv(host, server, back, 1, 0), 1);
	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(tern_poll(host, set, 3, 10 * S), 1);
	assert_int_equal(set[0].revents, 0);
	assert_int_equal(set[1].revents, POLLIN);
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(read(fds[0], back, 8), 1);
	assert_int_equal(tern_poll(host, set, 3, 10 * S), 1);
	assert_int_equal(set[1].revents, POLLHUP);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(tern_poll(host, set, 3, 10 * S), 1);
	assert_int_equal(set[1].revents, POLLNVAL);
	set[1].fd = -1;
	set[0].fd = 12345;
	assert_int_equal(tern_poll(host, set, 3, 10 * S), 1);
	assert_int_equal(set[0].revents, POLLNVAL);
	assert_int_equal(tern_poll(host, set, 70000, 0), -EINVAL);
}

static int writer_fd;

static void on_alarm_write(int signal)
{
	(void)signal;
	(void)!write(writer_fd, "z", 1);
}

static void poll_wakes_when_a_descriptor_becomes_ready(void **state)
{
	const struct itimerval timer = { .it_value.tv_usec = 20000 };
	struct tern_pollfd pfd[40];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	writer_fd = fds[1];
	(void)signal(SIGALRM, on_alarm_write);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
	for (int i = 0; i < 40; i++)
		pfd[i] = (struct tern_pollfd){ .fd = i == 39 ? fds[0] : -1,
					       .kind = TERN_POLL_PROCESS,
					       .events = POLLIN };
	assert_int_equal(tern_poll(host, pfd, 40, 10 * S), 1);
	assert_int_equal(pfd[39].revents, POLLIN);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Sends until nothing more goes: both sides' buffers are full, and what is left stays. */
static void fill(int fd)
{
	int idle = 0, queued = 0;

	while (idle < 5) {
		idle = tern_send(host, fd, big, sizeof(big), 0) > 0 ? 0 : idle + 1;
		(void)tern_host_run(host, 10 * MS);
	}
	assert_int_equal(tern_outq(host, fd, &queued), 0);
	assert_true(queued > 0);
}

static void close_with_linger_waits_for_the_peer(void **state)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 1 };
	int listener, client, server;
	uint64_t before;

	(void)state;
	make_pair(&listener, &client, &server);
	assert_int_equal(
		tern_setsockopt(host, client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	/* The stack answers its own FIN at once: there is nothing to wait for. */
	before = tern_loop_now();
	assert_int_equal(tern_send(host, client, "abc", 3, 0), 3);
	assert_int_equal(tern_close(host, client), 0);
	assert_true(tern_loop_now() - before < S);
	assert_int_equal(tern_recv(host, server, back, 8, 0), 3);
	assert_int_equal(tern_recv(host, server, back, 8, 0), 0);
	assert_int_equal(tern_close(host, server), 0);
	assert_int_equal(tern_close(host, listener), 0);
	/* A window that never opens keeps the data, so close() waits its second. */
	make_pair(&listener, &client, &server);
	assert_int_equal(
		tern_setsockopt(host, client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	assert_int_equal(tern_set_nonblock(host, client, true), 0);
	fill(client);
	before = tern_loop_now();
	assert_int_equal(tern_close(host, client), 0);
	assert_in_range(tern_loop_now() - before, S, 5 * S);
	assert_int_equal(tern_close(host, client), -EBADF);
}

static void drain_carries_through_what_is_owed(void **state)
{
	struct tern_host_left left;
	int listener, client, server;

	(void)state;
	make_pair(&listener, &client, &server);
	assert_int_equal(tern_send(host, client, "abc", 3, 0), 3);
	assert_int_equal(tern_close(host, client), 0);
	assert_int_equal(tern_host_drain(host, 2 * S, &left), 0);
	assert_int_equal(left.conns, 0);
	assert_int_equal(left.bytes, 0);
	assert_int_equal(tern_close(host, server), -EBADF);
	assert_int_equal(tern_host_drain(host, 0, NULL), 0);
}

static void drain_says_what_nobody_takes(void **state)
{
	static const uint8_t seed[32] = { 1 };
	struct tern_host_config cfg = config();
	struct sockaddr_in away = at(9);
	struct tern_host_left left;
	uint64_t before;
	int fd;

	(void)state;
	tern_host_free(host);
	cfg.seed = seed;
	cfg.fault = "loss=100%";
	assert_int_equal(tern_host_new(&cfg, &host, why), 0);
	away.sin_addr.s_addr = htonl(0x0a4d0003);
	fd = tern_socket(host, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(tern_connect(host, fd, (void *)&away, sizeof(away)), -EINPROGRESS);
	/* A connection that never stood owes nothing. */
	before = tern_loop_now();
	assert_int_equal(tern_host_drain(host, S, &left), 0);
	assert_true(tern_loop_now() - before < S);
	assert_int_equal(left.conns, 0);
}

static void assert_refused(struct tern_host_config cfg, int err, const char *text)
{
	struct tern_host *none = NULL;

	why[0] = '\0';
	assert_int_equal(tern_host_new(&cfg, &none, why), err);
	assert_null(none);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
	assert_null(strchr(why, '\n'));
	assert_int_equal(tern_host_new(&cfg, &none, NULL), err);
}

static void wrong_words_are_named(void **state)
{
	static const char *const no_length[] = { "10.77.0.2" }, *const too_long[] = {
		"10.0.0.1/33"
	};
	static const char *const zero[] = { "10.0.0.1/0" }, *const nonsense[] = { "10.0.0.256/24" };
	static const char *const any[] = { "0.0.0.0/8" }, *const multicast[] = { "224.0.0.1/4" };
	static const char *const unknown[] = { "net.ipv4.no_such=1" }, *const no_value[] = { "x" };
	static const char *const range[] = { "net.ipv4.tcp_fin_timeout=99999" };
	static const char *const word[] = { "net.ipv4.tcp_fin_timeout=soon" };
	static const char *const backwards[] = { "net.ipv4.ip_local_port_range=2000 1999" };
	static const char *const peer[] = { "10.77.0.1" };
	struct tern_host_config cfg = config();

	(void)state;
	cfg.addr_count = 0;
	assert_refused(cfg, -EINVAL, "10.77.0.2/24");
	cfg.addr_count = 17;
	assert_refused(cfg, -EINVAL, "1 to 16");
	cfg = config();
	cfg.addrs = no_length;
	assert_refused(cfg, -EINVAL, "'10.77.0.2' is not an address with its prefix length");
	cfg.addrs = too_long;
	assert_refused(cfg, -EINVAL, "10.0.0.1/33");
	cfg.addrs = zero;
	assert_refused(cfg, -EINVAL, "10.0.0.1/0");
	cfg.addrs = nonsense;
	assert_refused(cfg, -EINVAL, "10.0.0.256/24");
	cfg.addrs = any;
	assert_refused(cfg, -EINVAL, "unicast");
	cfg.addrs = multicast;
	assert_refused(cfg, -EINVAL, "unicast");
	cfg = config();
	cfg.link = "wire";
	assert_refused(cfg, -EINVAL, "no link 'wire'");
	cfg.link = "tun:much-too-long-a-name";
	assert_refused(cfg, -EINVAL, "1 to 15 characters");
	cfg = config();
	cfg.peers = peer;
	cfg.peer_count = 1;
	assert_refused(cfg, -EINVAL, "no --peer");
	cfg = config();
	cfg.mtu = 67;
	assert_refused(cfg, -EINVAL, "67");
	cfg = config();
	cfg.fault = "loss=1%,sloth=3";
	assert_refused(cfg, -EINVAL, "sloth=3");
	cfg = config();
	cfg.sysctl_count = 1;
	cfg.sysctls = unknown;
	assert_refused(cfg, -EINVAL, "no sysctl 'net.ipv4.no_such'");
	cfg.sysctls = no_value;
	assert_refused(cfg, -EINVAL, "'x' is not a sysctl setting");
	cfg.sysctls = range;
	assert_refused(cfg, -EINVAL, "out of its range");
	cfg.sysctls = word;
	assert_refused(cfg, -EINVAL, "'soon'");
	cfg.sysctls = backwards;
	assert_refused(cfg, -EINVAL, "the lower port first");
	cfg = config();
	cfg.sockets_max = (1 << 24) + 1;
	assert_refused(cfg, -EINVAL, "too many");
}

static void sysctls_are_set_before_anything_runs(void **state)
{
	static const char *const two[] = { "net.ipv4.tcp_fin_timeout=30", "net.core.somaxconn=7" };
	struct tern_host_config cfg = config();
	char value[32];

	(void)state;
	tern_host_free(host);
	cfg.sysctls = two;
	cfg.sysctl_count = 2;
	assert_int_equal(tern_host_new(&cfg, &host, why), 0);
	assert_int_equal(tern_stack_get_knob(tern_host_stack(host), "net.ipv4.tcp_fin_timeout",
					     value, sizeof(value)),
			 0);
	assert_string_equal(value, "30");
	assert_int_equal(tern_stack_get_knob(tern_host_stack(host), "net.core.somaxconn", value,
					     sizeof(value)),
			 0);
	assert_string_equal(value, "7");
	assert_string_equal(tern_host_device(host), "");
}

#define WITH_HOST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOST(descriptors_are_the_lowest_free_ones),
		WITH_HOST(a_full_table_leaves_the_connection_in_the_queue),
		WITH_HOST(a_blocking_receive_ends_at_its_timeout),
		WITH_HOST(a_blocking_send_fills_what_fits_until_its_timeout),
		WITH_HOST(waitall_waits_for_all_or_the_end),
		WITH_HOST(a_low_mark_makes_receive_wait),
		WITH_HOST(an_interrupt_ends_each_call_that_waits),
		WITH_HOST(poll_waits_for_sockets_and_descriptors_alike),
		WITH_HOST(poll_wakes_when_a_descriptor_becomes_ready),
		WITH_HOST(close_with_linger_waits_for_the_peer),
		WITH_HOST(drain_carries_through_what_is_owed),
		WITH_HOST(drain_says_what_nobody_takes),
		WITH_HOST(sysctls_are_set_before_anything_runs),
		cmocka_unit_test(wrong_words_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
