/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a stack has its settings from: flags, the namespace's /proc/sys; and the control socket
 * that a flag opens. Each test runs in a child, which may have a namespace of its own or end.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>

#include "pdrill/driver.h"

enum { CHILD_SKIPS = 77 };

static const uint8_t timestamps = 8; /* kind of the option */

static bool has_option(const struct segment *seg, uint8_t kind)
{
	size_t i = 0;

	while (i < seg->options_len && seg->options[i] != 0) {
		if (seg->options[i] == kind)
			return true;
		i += seg->options[i] == 1 ? 1 : seg->options[i + 1];
	}
	return false;
}

/* Runs a test in a child, what it says into text. Returns its status: 0 where it passed. */
static int in_child(CMUnitTestFunction fn, char *text, size_t cap)
{
	const struct CMUnitTest one[] = { { .name = "child", .test_func = fn } };
	int ends[2], status;
	ssize_t n, len = 0;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], 1);
		(void)dup2(ends[1], 2);
		(void)close(ends[0]);
		(void)close(ends[1]);
		status = cmocka_run_group_tests_name("child", one, NULL, NULL);
		(void)fflush(NULL);
		_exit(status ? 1 : 0);
	}
	(void)close(ends[1]);
	while ((n = read(ends[0], text + len, cap - 1 - (size_t)len)) > 0)
		len += n;
	text[len] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void run_child(CMUnitTestFunction fn)
{
	char text[4096];
	int status = in_child(fn, text, sizeof(text));

	if (status == CHILD_SKIPS) {
		(void)printf("SKIP: no network namespace can be made here\n");
		skip();
	}
	if (status)
		fail_msg("%s", text);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		_exit(CHILD_SKIPS);
	assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

static void loads_wrong_flag(void **state)
{
	struct driver d;

	(void)state;
	load(&d, "name=x,tcp_fin_timeout=5,nonsense=1");
}

static void a_wrong_flag_is_said_and_ends_the_program(void **state)
{
	char text[4096];

	(void)state;
	assert_int_equal(in_child(loads_wrong_flag, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "libtern-packetdrill: there is no such flag"));
	assert_non_null(strstr(text, "nonsense"));
}

static struct segment syn_ack(struct driver *d)
{
	struct segment seg;

	d->peer_port++;
	say(d, SYN, NULL, 0);
	assert_true(hear(d, &seg) && seg.flags == (SYN | ACK));
	return seg;
}

/* A SYN with timestamps would be needed to see them: so the option is looked for in our own SYN. */
static struct segment own_syn(struct driver *d)
{
	struct sockaddr_storage addr;
	struct segment seg;
	socklen_t len = address(d, false, &addr);
	int fd = d->t.socket(d->t.ud, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(d->t.connect(d->t.ud, fd, (const struct sockaddr *)&addr, len) == -1);
	assert_true(errno == EINPROGRESS);
	assert_true(hear(d, &seg) && seg.flags == SYN);
	assert_true(d->t.close(d->t.ud, fd) == 0);
	return seg;
}

static void reads_proc(void **state)
{
	struct driver d;
	struct segment seg;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		_exit(CHILD_SKIPS);
	put("/proc/sys/net/ipv4/tcp_timestamps", "0\n");
	load(&d, NULL);
	seg = own_syn(&d);
	assert_true(!has_option(&seg, timestamps));
	put("/proc/sys/net/ipv4/tcp_timestamps", "1\n");
	seg = own_syn(&d);
	assert_true(has_option(&seg, timestamps));
	/* What a flag says holds until the script writes the setting. */
	unload(&d);
	load(&d, "net.ipv4.tcp_timestamps=0,net.ipv4.ip_default_ttl=33");
	seg = own_syn(&d);
	assert_true(!has_option(&seg, timestamps));
	put("/proc/sys/net/ipv4/tcp_timestamps", "2\n");
	seg = own_syn(&d);
	assert_true(has_option(&seg, timestamps));
	unload(&d);
}

static void settings_come_from_the_namespace_and_are_read_again(void **state)
{
	(void)state;
	run_child(reads_proc);
}

static void reads_tun0(void **state)
{
	struct driver d;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		_exit(CHILD_SKIPS);
	if (system("ip tuntap add tun0 mode tun && ip addr add 172.31.5.6/20 dev tun0 && "
		   "ip link set tun0 up") != 0)
		_exit(CHILD_SKIPS);
	load(&d, NULL);
	memcpy(d.local, (const uint8_t[]){ 172, 31, 5, 6 }, 4);
	(void)own_syn(&d); /* its source is checked */
	(void)listen_at(&d);
	(void)syn_ack(&d);
	unload(&d);
}

static void the_address_of_tun0_is_ours(void **state)
{
	(void)state;
	run_child(reads_tun0);
}

/* ethtool -K tun0 gso on or off */
static void set_gso(bool on)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGSO, .data = on };
	struct ifreq request = { .ifr_name = "tun0" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	request.ifr_data = (char *)&value;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		_exit(CHILD_SKIPS);
	(void)close(fd);
}

static void reads_gso(void **state)
{
	static const char block[4000];
	struct segment seg;
	struct driver d;
	int listener, fd;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 || system("ip tuntap add tun0 mode tun") != 0)
		_exit(CHILD_SKIPS);
	load(&d, NULL);
	set_gso(false);
	fd = accepted(&d, &listener);
	assert_true(d.t.write(d.t.ud, fd, block, sizeof(block)) == sizeof(block));
	for (int i = 0; i < 4; i++) {
		assert_true(hear(&d, &seg) && seg.len == 1000);
		assert_true(seg.flags == (i == 3 ? ACK | PSH : ACK));
	}
	set_gso(true);
	assert_true(d.t.socket(d.t.ud, AF_INET, SOCK_STREAM, 0) >= 0);
	assert_true(d.t.write(d.t.ud, fd, block, sizeof(block)) == sizeof(block));
	assert_true(hear(&d, &seg) && seg.len == 4000);
	unload(&d);
}

static void tun0_without_gso_gets_single_segments(void **state)
{
	(void)state;
	run_child(reads_gso);
}

static void flag_addr(void **state)
{
	struct driver d;

	(void)state;
	load(&d, "addr=10.1.2.3/8,seed=5,mtu=1300");
	memcpy(d.local, (const uint8_t[]){ 10, 1, 2, 3 }, 4);
	(void)own_syn(&d);
	unload(&d);
}

static void the_address_of_a_flag_comes_before_all_others(void **state)
{
	(void)state;
	run_child(flag_addr);
}

static void asks_tern(void **state)
{
	char dir[] = "/tmp/tern-pdrill-XXXXXX", command[512], path[256], line[1024];
	const char *build = getenv("TERN_BUILD");
	bool seen = false;
	struct driver d;
	int listener;
	FILE *f;

	(void)state;
	assert_true(mkdtemp(dir));
	(void)setenv("XDG_RUNTIME_DIR", dir, 1);
	load(&d, "name=shown");
	(void)accepted(&d, &listener);
	(void)snprintf(command, sizeof(command), "%s/tern ss -tan -N shown", build);
	f = popen(command, "r");
	assert_true(f);
	while (fgets(line, sizeof(line), f))
		seen = seen ||
		       (strncmp(line, "ESTAB", 5) == 0 && strstr(line, "192.168.0.1:8080") &&
			strstr(line, "192.0.2.1:40000"));
	assert_true(pclose(f) == 0);
	assert_true(seen);
	(void)snprintf(path, sizeof(path), "%s/tern/shown.sock", dir);
	assert_true(access(path, F_OK) == 0);
	unload(&d);
	assert_true(access(path, F_OK) < 0);
	(void)snprintf(path, sizeof(path), "%s/tern", dir);
	assert_true(rmdir(path) == 0 && rmdir(dir) == 0);
}

static void tern_ss_tells_of_the_sockets_in_the_middle_of_a_script(void **state)
{
	(void)state;
	run_child(asks_tern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_flag_is_said_and_ends_the_program),
		cmocka_unit_test(settings_come_from_the_namespace_and_are_read_again),
		cmocka_unit_test(the_address_of_tun0_is_ours),
		cmocka_unit_test(tun0_without_gso_gets_single_segments),
		cmocka_unit_test(the_address_of_a_flag_comes_before_all_others),
		cmocka_unit_test(tern_ss_tells_of_the_sockets_in_the_middle_of_a_script),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
