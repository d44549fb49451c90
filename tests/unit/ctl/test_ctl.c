/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: names, requests, clients that behave badly. One thread plays both sides. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/client.h"
#include "ctl/path.h"
#include "ctl/server.h"
#include "report/record.h"
#include "tern/socket.h"
#include "tern/stack.h"

#define MS UINT64_C(1000000)

static const char *const own[] = { "10.77.0.2/24" };
static char dir[] = "/tmp/test-ctl-XXXXXX";
static char why[TERN_ERROR_MAX];
static struct tern_host *host;
static struct tern_ctl *ctl;

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) && setenv("XDG_RUNTIME_DIR", dir, 1) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tern", dir);
	return rmdir(path) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static int set_up(void **state)
{
	const struct tern_host_config cfg = { .link = "none",
					      .addrs = own,
					      .addr_count = 1,
					      .trace_max = 64 };

	(void)state;
	return tern_ctl_new("web", &ctl, why) || tern_host_new(&cfg, &host, why) ||
	       tern_ctl_attach(ctl, host);
}

static int tear_down(void **state)
{
	(void)state;
	tern_ctl_free(ctl);
	tern_host_free(host);
	ctl = NULL;
	host = NULL;
	return 0;
}

static void run(void)
{
	assert_int_equal(tern_host_run(host, 10 * MS), 0);
}

static struct tern_ctl_client *dial(void)
{
	struct tern_ctl_client *client;

	if (tern_ctl_open("web", &client, why) != 0)
		fail_msg("%s", why);
	return client;
}

/* Asks and lets the stack answer what fits; the answer is then read line by line. */
static void ask(struct tern_ctl_client *client, const char *request)
{
	assert_int_equal(tern_ctl_ask(client, request), 0);
	run();
}

/* The next line, or NULL at the end. */
static const char *line_of(struct tern_ctl_client *client)
{
	const char *line;
	size_t len;
	int r = tern_ctl_next(client, &line, &len);

	if (r < 0)
		fail_msg("%d: %s", r, tern_ctl_error(client));
	assert_true(r == 0 || strlen(line) == len);
	return r ? line : NULL;
}

static void assert_error(struct tern_ctl_client *client, const char *request, const char *text)
{
	const char *line;
	size_t len;

	ask(client, request);
	assert_int_equal(tern_ctl_next(client, &line, &len), -EREMOTEIO);
	if (!strstr(tern_ctl_error(client), text))
		fail_msg("'%s' does not say '%s'", tern_ctl_error(client), text);
}

static void path_of(const char *name, char path[TERN_CTL_PATH_MAX])
{
	assert_int_equal(tern_ctl_path(name, path), 0);
}

/* What a killed stack leaves behind. */
static void leave_socket(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	path_of(name, addr.sun_path);
	assert_int_equal(bind(fd, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(close(fd), 0);
}

static void names_are_words(void **state)
{
	char name[80];

	(void)state;
	assert_true(tern_ctl_name_ok("a"));
	assert_true(tern_ctl_name_ok("Web-1_2.x"));
	assert_false(tern_ctl_name_ok(""));
	assert_false(tern_ctl_name_ok(".hidden"));
	assert_false(tern_ctl_name_ok("-N"));
	assert_false(tern_ctl_name_ok("a/b"));
	assert_false(tern_ctl_name_ok("a b"));
	memset(name, 'n', sizeof(name));
	name[63] = '\0';
	assert_true(tern_ctl_name_ok(name));
	name[63] = 'n';
	name[64] = '\0';
	assert_false(tern_ctl_name_ok(name));
	assert_int_equal(tern_ctl_new(name, &ctl, why), -EINVAL);
	assert_non_null(strstr(why, "cannot be a stack's name"));
}

static void the_directory_is_the_users_or_the_systems(void **state)
{
	char path[TERN_CTL_PATH_MAX], longest[TERN_CTL_PATH_MAX];

	(void)state;
	path_of("web", path);
	assert_memory_equal(path, dir, strlen(dir));
	assert_string_equal(path + strlen(dir), "/tern/web.sock");
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	path_of("web", path);
	assert_string_equal(path, "/run/tern/web.sock");
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
	path_of("web", path);
	assert_string_equal(path, "/run/tern/web.sock");
	/* 107 bytes and the NUL fit, one more does not. */
	memset(longest, 'd', sizeof(longest));
	longest[0] = '/';
	longest[107 - strlen("/tern/web.sock")] = '\0';
	assert_int_equal(setenv("XDG_RUNTIME_DIR", longest, 1), 0);
	path_of("web", path);
	assert_int_equal(strlen(path), 107);
	assert_int_equal(tern_ctl_path("web2", path), -ENAMETOOLONG);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
}

static void the_socket_is_for_its_user_only(void **state)
{
	char path[TERN_CTL_PATH_MAX];
	struct stat st;

	(void)state;
	path_of("web", path);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	*strrchr(path, '/') = '\0';
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

static void a_name_is_taken_while_its_stack_lives(void **state)
{
	struct tern_ctl *other = NULL;

	(void)state;
	assert_int_equal(tern_ctl_new("web", &other, why), -EADDRINUSE);
	assert_non_null(strstr(why, "the name 'web' is taken"));
	assert_null(other);
	assert_int_equal(tern_ctl_new("web2", &other, why), 0);
	tern_ctl_free(other);
}

static void the_socket_of_a_dead_stack_is_replaced(void **state)
{
	struct tern_ctl *other = NULL;
	char path[TERN_CTL_PATH_MAX];

	(void)state;
	leave_socket("dead");
	assert_int_equal(tern_ctl_new("dead", &other, why), 0);
	tern_ctl_free(other);
	path_of("dead", path);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_socket_that_is_not_ours_is_left_alone(void **state)
{
	char path[TERN_CTL_PATH_MAX];
	struct tern_ctl *other = NULL;

	(void)state;
	assert_int_equal(tern_ctl_new("other", &other, why), 0);
	path_of("other", path);
	assert_int_equal(unlink(path), 0);
	leave_socket("other"); /* somebody else's by now */
	tern_ctl_free(other);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
}

static void the_list_holds_the_living_and_buries_the_dead(void **state)
{
	static struct tern_ctl_names names;
	char dead[TERN_CTL_PATH_MAX], file[TERN_CTL_PATH_MAX];
	struct tern_ctl *a = NULL;
	FILE *f;

	(void)state;
	leave_socket("dead");
	path_of("dead", dead);
	path_of("file", file);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(tern_ctl_new("a", &a, why), 0);
	assert_int_equal(tern_ctl_list(&names), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.name[0], "a");
	assert_string_equal(names.name[1], "web");
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(file, F_OK), 0); /* no socket: nobody's business */
	tern_ctl_free(a);
	assert_int_equal(unlink(file), 0);
}

static void the_only_stack_needs_no_name(void **state)
{
	char path[TERN_CTL_PATH_MAX];
	struct tern_ctl_client *client = NULL;
	struct tern_ctl *a = NULL;

	(void)state;
	assert_int_equal(tern_ctl_open(NULL, &client, why), 0);
	assert_string_equal(tern_ctl_name(client), "web");
	tern_ctl_close(client);
	assert_int_equal(tern_ctl_open("nobody", &client, why), -ENOENT);
	assert_string_equal(why, "no stack named 'nobody' is running");
	assert_int_equal(tern_ctl_open("no/body", &client, why), -EINVAL);
	assert_int_equal(tern_ctl_new("a", &a, why), 0);
	assert_int_equal(tern_ctl_open(NULL, &client, why), -ENOTUNIQ);
	assert_string_equal(why, "2 stacks are running; say which with -N NAME: a web");
	tern_ctl_free(a);
	(void)tear_down(NULL);
	assert_int_equal(tern_ctl_open(NULL, &client, why), -ENOENT);
	assert_non_null(strstr(why, "no stack is running"));
	assert_int_equal(tern_ctl_dir(path), 0);
	assert_non_null(strstr(why, path));
}

static void sockets_are_told_as_records(void **state)
{
	struct tern_ctl_client *client = dial();
	struct tern_socket_info row;
	char strings[TERN_RECORD_STRINGS];
	const char *line;
	int fd = tern_socket(host, AF_INET, SOCK_STREAM, 0), n = 0;

	(void)state;
	assert_int_equal(tern_listen(host, fd, 3), 0);
	ask(client, "{\"cmd\":\"sockets\"}");
	while ((line = line_of(client))) {
		assert_int_equal(tern_record_read_socket(line, strlen(line), strings, &row), 0);
		assert_int_equal(row.state, TERN_LISTEN);
		n++;
	}
	assert_int_equal(n, 1);
	tern_ctl_close(client);
}

static struct {
	int asked, err;
	unsigned int count;
} provider;

static int provide(void *user, struct tern_holder **ret_holders, unsigned int *ret_count)
{
	struct tern_holder *rows = calloc(provider.count, sizeof(*rows));

	assert_ptr_equal(user, &provider);
	provider.asked++;
	if (provider.err) {
		free(rows);
		return provider.err;
	}
	for (unsigned int i = 0; i < provider.count; i++)
		rows[i] = (struct tern_holder){ 77, (int32_t)i, 6, "nginx" };
	*ret_holders = rows;
	*ret_count = provider.count;
	return 0;
}

static void users_are_asked_for_once_a_request(void **state)
{
	struct tern_ctl_client *client = dial();
	struct tern_holder row;
	const char *line;

	(void)state;
	ask(client, "{\"cmd\":\"users\"}");
	assert_null(line_of(client)); /* nobody knows */
	memset(&provider, 0, sizeof(provider));
	tern_ctl_set_holders(ctl, provide, &provider);
	ask(client, "{\"cmd\":\"sockets\"}");
	while (line_of(client))
		continue;
	assert_int_equal(provider.asked, 0);
	ask(client, "{\"cmd\":\"users\"}");
	assert_null(line_of(client));
	assert_int_equal(provider.asked, 1);
	provider.count = 3;
	ask(client, "{\"cmd\":\"users\"}");
	for (int i = 0; i < 3; i++) {
		line = line_of(client);
		assert_non_null(line);
		assert_int_equal(tern_record_read_holder(line, strlen(line), &row), 0);
		assert_int_equal(row.id, 77);
		assert_int_equal(row.pid, i);
		assert_int_equal(row.fd, 6);
		assert_string_equal(row.name, "nginx");
	}
	assert_null(line_of(client));
	assert_int_equal(provider.asked, 2);

	/* One who leaves in the middle leaves nothing behind; a failure is said. */
	provider.count = 100000;
	ask(client, "{\"cmd\":\"users\"}");
	tern_ctl_close(client);
	client = dial();
	provider.err = -ENOMEM;
	assert_error(client, "{\"cmd\":\"users\"}",
		     "cannot find the processes: Cannot allocate memory");
	tern_ctl_set_holders(ctl, NULL, NULL);
	ask(client, "{\"cmd\":\"users\"}");
	assert_null(line_of(client));
	tern_ctl_close(client);
}

static void totals_are_one_record(void **state)
{
	struct tern_ctl_client *client = dial();
	char strings[TERN_RECORD_STRINGS];
	struct tern_stack_info info;
	const char *line;

	(void)state;
	ask(client, "{\"cmd\":\"info\"}");
	line = line_of(client);
	assert_non_null(line);
	assert_int_equal(tern_record_read_stack(line, strlen(line), strings, &info), 0);
	assert_int_equal(info.conns_max, 65536);
	assert_null(line_of(client));
	tern_ctl_close(client);
}

static void counters_and_drops_have_their_names(void **state)
{
	struct tern_ctl_client *client = dial();
	unsigned int counters = 0, drops = 0;
	const char *line;
	char want[96];

	(void)state;
	ask(client, "{\"cmd\":\"counters\"}");
	while ((line = line_of(client))) {
		bool drop = strncmp(line, "{\"drop\"", 7) == 0;

		(void)snprintf(want, sizeof(want),
			       "{\"%s\":\"%s\",\"value\":", drop ? "drop" : "counter",
			       drop ? tern_drop_name(drops) : tern_counter_name(counters));
		assert_memory_equal(line, want, strlen(want));
		*(drop ? &drops : &counters) += 1;
	}
	assert_null(tern_counter_name(counters));
	assert_null(tern_drop_name(drops));
	assert_true(counters > 0 && drops > 0);
	tern_ctl_close(client);
}

static void knobs_are_told_and_set(void **state)
{
	struct tern_ctl_client *client = dial();
	const char *line;
	int triples = 0, n = 0;

	(void)state;
	ask(client, "{\"cmd\":\"knobs\"}");
	while ((line = line_of(client))) {
		n++;
		triples += strstr(line, "net.ipv4.tcp_rmem") != NULL;
	}
	assert_true(n > 20);
	assert_int_equal(triples, 1);
	ask(client, "{\"cmd\":\"set\",\"name\":\"net.ipv4.tcp_fin_timeout\",\"value\":\"17\"}");
	assert_null(line_of(client));
	ask(client, "{\"cmd\":\"knobs\",\"name\":\"net.ipv4.tcp_fin_timeout\"}");
	assert_string_equal(line_of(client),
			    "{\"knob\":\"net.ipv4.tcp_fin_timeout\",\"value\":\"17\"}");
	assert_null(line_of(client));
	tern_ctl_close(client);
}

/* The answer to the request, which is only its last line: where to go on from. */
static void assert_nothing_but_the_end(const char *request, int cursor)
{
	char path[TERN_CTL_PATH_MAX], end[64], answer[256];
	ssize_t len;
	int fd;

	assert_int_equal(tern_ctl_path("web", path), 0);
	fd = tern_ctl_dial(path);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	assert_int_equal(send(fd, "\n", 1, 0), 1);
	run();
	len = recv(fd, answer, sizeof(answer) - 1, 0);
	assert_true(len > 0);
	answer[len] = '\0';
	(void)snprintf(end, sizeof(end), "{\"end\":true,\"cursor\":%d}\n", cursor);
	assert_string_equal(answer, end);
	(void)close(fd);
}

static void a_trace_goes_on_where_it_ended(void **state)
{
	struct tern_ctl_client *client = dial();
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(9),
				    .sin_addr.s_addr = htonl(0x0a4d0002) };
	struct tern_trace_record record;
	char request[64];
	const char *line;
	int fd = tern_socket(host, AF_INET, SOCK_STREAM, 0), n = 0;

	(void)state;
	assert_int_equal(tern_connect(host, fd, (void *)&addr, sizeof(addr)), -ECONNREFUSED);
	ask(client, "{\"cmd\":\"trace\"}");
	while ((line = line_of(client))) {
		assert_int_equal(tern_record_read_trace(line, strlen(line), &record), 0);
		n++;
	}
	assert_true(n >= 2); /* the SYN and its RST at least */
	(void)snprintf(request, sizeof(request), "{\"cmd\":\"trace\",\"from\":%d}", n);
	assert_nothing_but_the_end(request, n);
	assert_int_equal(tern_connect(host, fd, (void *)&addr, sizeof(addr)), -ECONNREFUSED);
	ask(client, request);
	assert_non_null(line_of(client));
	tern_ctl_close(client);
}

static void nonsense_is_answered_with_what_is_right(void **state)
{
	struct tern_ctl_client *client = dial();

	(void)state;
	assert_error(client, "", "not a request");
	assert_error(client, "[]", "not a request");
	assert_error(client, "{\"cmd\":\"sockets\"", "not a request");
	assert_error(client, "{\"cmd\":{}}", "not a request");
	assert_error(client, "{\"cmd\":\"sockets\",\"x\":1}", "not a request");
	assert_error(client, "{\"cmd\":\"trace\",\"from\":-1}", "not a request");
	assert_error(client, "{\"cmd\":\"dance\"}", "no such cmd; there are sockets");
	assert_error(client, "{}", "no such cmd");
	assert_error(client, "{\"cmd\":\"knobs\",\"name\":\"net.nothing\"}",
		     "there is no knob 'net.nothing'");
	assert_error(client, "{\"cmd\":\"set\",\"name\":\"net.nothing\",\"value\":\"1\"}",
		     "there is no knob 'net.nothing'");
	assert_error(client,
		     "{\"cmd\":\"set\",\"name\":\"net.ipv4.tcp_fin_timeout\",\"value\":\"9999\"}",
		     "does not take '9999'; it takes 0 to 3600 seconds");
	assert_error(
		client,
		"{\"cmd\":\"set\",\"name\":\"net.ipv4.ip_local_port_range\",\"value\":\"9 8\"}",
		"the lower port first");
	assert_error(client,
		     "{\"cmd\":\"set\",\"name\":\"net.ipv4.tcp_fin_timeout\",\"value\":\"x\"}",
		     "does not take 'x'");
	assert_error(client, "{\"cmd\":\"set\",\"name\":\"tcp_tw_recycle\",\"value\":\"1\"}",
		     "removed in Linux 4.12");
	assert_int_equal(tern_ctl_ask(client, "{}\n{}"), -EINVAL);
	/* It still listens. */
	ask(client, "{\"cmd\":\"info\"}");
	assert_non_null(line_of(client));
	tern_ctl_close(client);
}

static int raw_dial(void)
{
	char path[TERN_CTL_PATH_MAX];
	int fd;

	path_of("web", path);
	fd = tern_ctl_dial(path);
	assert_true(fd >= 0);
	return fd;
}

static void a_request_has_a_longest_length(void **state)
{
	char request[4096 + 1], answer[256];
	ssize_t n;
	int fd = raw_dial();

	(void)state;
	memset(request, ' ', sizeof(request));
	memcpy(request, "{\"cmd\":\"info\"}", 14);
	request[4095] = '\n';
	assert_int_equal(send(fd, request, 4096, 0), 4096);
	run();
	n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	assert_true(n > 9 && memcmp(answer, "{\"error\":", 9) != 0);
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		continue;
	request[4095] = ' ';
	assert_int_equal(send(fd, request, 4096, 0), 4096);
	run();
	n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	assert_true(n > 0);
	assert_memory_equal(answer, "{\"error\":\"the request is too long", 33);
	assert_int_equal(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), 0);
	assert_int_equal(close(fd), 0);
}

static void requests_in_one_piece_are_answered_in_order(void **state)
{
	static const char two[] = "{\"cmd\":\"dance\"}\n{\"cmd\":\"info\"}\n{\"cmd\"";
	char answer[4096];
	int fd = raw_dial();
	ssize_t n;

	(void)state;
	assert_int_equal(send(fd, two, sizeof(two) - 1, 0), sizeof(two) - 1);
	run();
	n = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	answer[n] = '\0';
	assert_memory_equal(answer, "{\"error\":", 9);
	assert_non_null(strstr(answer, "\"conns\""));
	assert_string_equal(answer + n - 13, "{\"end\":true}\n");
	assert_int_equal(send(fd, ":\"dance\"}\n", 10, 0), 10);
	run();
	assert_true(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0);
	assert_int_equal(close(fd), 0);
}

static void sixteen_clients_are_served_at_once(void **state)
{
	char answer[128];
	int fds[17];

	(void)state;
	for (int i = 0; i < 17; i++) {
		fds[i] = raw_dial();
		run();
	}
	assert_true(recv(fds[16], answer, sizeof(answer), MSG_DONTWAIT) > 0);
	assert_memory_equal(answer, "{\"error\":\"16 clients", 20);
	assert_int_equal(recv(fds[16], answer, sizeof(answer), MSG_DONTWAIT), 0);
	assert_int_equal(close(fds[16]), 0);
	/* A place that becomes free is taken. */
	assert_int_equal(close(fds[3]), 0);
	run();
	fds[3] = raw_dial();
	assert_int_equal(send(fds[3], "{}\n", 3, 0), 3);
	run();
	assert_true(recv(fds[3], answer, sizeof(answer), MSG_DONTWAIT) > 0);
	assert_memory_equal(answer, "{\"error\":\"no such cmd", 21);
	for (int i = 0; i < 16; i++)
		assert_int_equal(close(fds[i]), 0);
	run();
}

/* Sockets enough for a table that no buffer holds. */
static void fill_table(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int fd = tern_socket(host, AF_INET, SOCK_STREAM, 0);

		assert_true(fd >= 0);
		assert_int_equal(tern_listen(host, fd, 1), 0);
	}
}

static void a_slow_reader_stops_nobody_and_gets_all(void **state)
{
	enum { LISTENERS = 1000 };
	struct tern_ctl_client *slow = dial(), *quick = dial();
	unsigned int n = 0;
	const char *line;
	size_t len;
	int r = 1;

	(void)state;
	fill_table(LISTENERS);
	ask(slow, "{\"cmd\":\"sockets\"}");
	run();
	/* It does not read; another is answered all the same. */
	ask(quick, "{\"cmd\":\"info\"}");
	assert_non_null(line_of(quick));
	assert_null(line_of(quick));
	while (r > 0) {
		r = tern_ctl_next(slow, &line, &len);
		n += r > 0;
		for (int turn = 0; turn < 3; turn++)
			assert_int_equal(tern_host_run(host, 0), 0);
	}
	assert_int_equal(r, 0);
	assert_int_equal(n, LISTENERS);
	tern_ctl_close(slow);
	tern_ctl_close(quick);
}

static void a_client_may_leave_in_the_middle(void **state)
{
	struct tern_ctl_client *client;

	(void)state;
	fill_table(1000);
	for (int i = 0; i < 40; i++) {
		client = dial();
		ask(client, "{\"cmd\":\"sockets\"}");
		tern_ctl_close(client);
		run();
	}
	client = dial();
	ask(client, "{\"cmd\":\"info\"}");
	assert_non_null(line_of(client));
	tern_ctl_close(client);
}

static void a_client_is_told_when_the_stack_goes(void **state)
{
	struct tern_ctl_client *client = dial();
	const char *line;
	size_t len;

	(void)state;
	run();
	(void)tear_down(NULL);
	(void)tern_ctl_ask(client, "{\"cmd\":\"info\"}");
	assert_true(tern_ctl_next(client, &line, &len) < 0);
	tern_ctl_close(client);
}

#define WITH_STACK(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_words),
		cmocka_unit_test(the_directory_is_the_users_or_the_systems),
		WITH_STACK(the_socket_is_for_its_user_only),
		WITH_STACK(a_name_is_taken_while_its_stack_lives),
		WITH_STACK(the_socket_of_a_dead_stack_is_replaced),
		WITH_STACK(a_socket_that_is_not_ours_is_left_alone),
		WITH_STACK(the_list_holds_the_living_and_buries_the_dead),
		WITH_STACK(the_only_stack_needs_no_name),
		WITH_STACK(sockets_are_told_as_records),
		WITH_STACK(users_are_asked_for_once_a_request),
		WITH_STACK(totals_are_one_record),
		WITH_STACK(counters_and_drops_have_their_names),
		WITH_STACK(knobs_are_told_and_set),
		WITH_STACK(a_trace_goes_on_where_it_ended),
		WITH_STACK(nonsense_is_answered_with_what_is_right),
		WITH_STACK(a_request_has_a_longest_length),
		WITH_STACK(requests_in_one_piece_are_answered_in_order),
		WITH_STACK(sixteen_clients_are_served_at_once),
		WITH_STACK(a_slow_reader_stops_nobody_and_gets_all),
		WITH_STACK(a_client_may_leave_in_the_middle),
		WITH_STACK(a_client_is_told_when_the_stack_goes),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
