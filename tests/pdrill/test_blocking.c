/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that block, as packetdrill makes them: in a second thread, while the first one moves
 * packets. A call has to be found asleep, since packetdrill looks at the state of the thread to
 * learn that it blocks; and it has to return with what the packet brought.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pdrill/driver.h"

enum what { DO_ACCEPT, DO_CONNECT, DO_READ, DO_WRITE, DO_POLL, DO_EPOLL, DO_CLOSE };

struct call {
	struct driver *d;
	enum what what;
	int fd;
	char *buf;
	size_t len;
	pthread_t thread;
	_Atomic(pid_t) tid;
	atomic_bool done;
	long result;
	int error;
	short revents;
};

static long make(struct call *c)
{
	struct table *t = &c->d->t;
	struct sockaddr_storage addr;
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	struct epoll_event ev;
	long result;

	switch (c->what) {
	case DO_ACCEPT:
		return t->accept(t->ud, c->fd, NULL, NULL);
	case DO_CONNECT:
		result = address(c->d, false, &addr);
		return t->connect(t->ud, c->fd, (const struct sockaddr *)&addr, (socklen_t)result);
	case DO_READ:
		return t->read(t->ud, c->fd, c->buf, c->len);
	case DO_WRITE:
		return t->write(t->ud, c->fd, c->buf, c->len);
	case DO_POLL:
		result = t->poll(t->ud, &p, 1, -1);
		c->revents = p.revents;
		return result;
	case DO_EPOLL:
		return t->epoll_wait(t->ud, c->fd, &ev, 1, -1);
	case DO_CLOSE:
		return t->close(t->ud, c->fd);
	}
	return -1;
}

static void *run(void *user)
{
	struct call *c = user;

	atomic_store(&c->tid, (pid_t)syscall(SYS_gettid));
	c->result = make(c);
	c->error = errno;
	atomic_store(&c->done, true);
	return NULL;
}

static void doze(unsigned int ms)
{
	struct timespec ts = { .tv_nsec = (long)ms * 1000000 };

	(void)nanosleep(&ts, NULL);
}

/* The state letter of a thread, as packetdrill reads it. */
static char state_of(pid_t tid)
{
	char path[64], line[512] = "";
	char *paren;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	if (!f)
		return '?';
	(void)!fgets(line, sizeof(line), f);
	(void)fclose(f);
	paren = strrchr(line, ')');
	return paren ? paren[2] : '?';
}

/* Starts a call and waits until it sleeps. */
static void begin(struct call *c)
{
	assert_int_equal(pthread_create(&c->thread, NULL, run, c), 0);
	while (!atomic_load(&c->tid))
		doze(1);
	for (unsigned int i = 0; i < 2000 && state_of(c->tid) != 'S'; i++)
		doze(1);
	assert_int_equal(state_of(c->tid), 'S');
	doze(20);
	assert_false(atomic_load(&c->done));
}

static long end(struct call *c)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	return c->result;
}

static void accept_sleeps_until_the_handshake_is_done(void **state)
{
	struct driver d;
	struct call c = { .d = &d, .what = DO_ACCEPT };

	(void)state;
	load(&d, NULL);
	c.fd = listen_at(&d);
	begin(&c);
	shake(&d);
	assert_true(end(&c) > c.fd);
	unload(&d);
}

static void connect_sends_its_SYN_and_sleeps_until_the_SYN_ACK(void **state)
{
	struct driver d;
	struct call c = { .d = &d, .what = DO_CONNECT };
	struct segment syn;

	(void)state;
	load(&d, NULL);
	c.fd = d.t.socket(d.t.ud, AF_INET, SOCK_STREAM, 0);
	begin(&c);
	syn = expect(&d, SYN);
	assert_int_equal(syn.dest, PEER_PORT);
	d.local_port = syn.source;
	say(&d, SYN | ACK, NULL, 0);
	(void)expect(&d, ACK);
	assert_int_equal(end(&c), 0);
	unload(&d);
}

static void connect_that_is_refused_says_so(void **state)
{
	struct driver d;
	struct call c = { .d = &d, .what = DO_CONNECT };

	(void)state;
	load(&d, NULL);
	c.fd = d.t.socket(d.t.ud, AF_INET, SOCK_STREAM, 0);
	begin(&c);
	d.local_port = expect(&d, SYN).source;
	say(&d, RST | ACK, NULL, 0);
	assert_int_equal(end(&c), -1);
	assert_int_equal(c.error, ECONNREFUSED);
	unload(&d);
}

static void read_sleeps_until_data_come(void **state)
{
	struct driver d;
	char buf[100];
	struct call c = { .d = &d, .what = DO_READ, .buf = buf, .len = sizeof(buf) };
	int listener;

	(void)state;
	load(&d, NULL);
	c.fd = accepted(&d, &listener);
	begin(&c);
	say(&d, ACK | PSH, "hello", 5);
	assert_int_equal(end(&c), 5);
	assert_memory_equal(buf, "hello", 5);
	unload(&d);
}

static void read_sleeps_until_it_has_as_much_as_SO_RCVLOWAT_says(void **state)
{
	struct driver d;
	char buf[100];
	struct call c = { .d = &d, .what = DO_READ, .buf = buf, .len = sizeof(buf) };
	int listener, low = 8;

	(void)state;
	load(&d, NULL);
	c.fd = accepted(&d, &listener);
	assert_int_equal(d.t.setsockopt(d.t.ud, c.fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)),
			 0);
	begin(&c);
	say(&d, ACK | PSH, "hello", 5);
	doze(20);
	assert_false(atomic_load(&c.done));
	say(&d, ACK | PSH, "world", 5);
	assert_int_equal(end(&c), 10);
	unload(&d);
}

static void read_gives_up_after_SO_RCVTIMEO(void **state)
{
	struct timeval tv = { .tv_usec = 100000 };
	struct driver d;
	char buf[1];
	struct call c = { .d = &d, .what = DO_READ, .buf = buf, .len = 1 };
	int listener;

	(void)state;
	load(&d, NULL);
	c.fd = accepted(&d, &listener);
	assert_int_equal(d.t.setsockopt(d.t.ud, c.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	begin(&c);
	assert_int_equal(end(&c), -1);
	assert_int_equal(c.error, EAGAIN);
	unload(&d);
}

static void write_sleeps_until_all_of_it_has_found_room(void **state)
{
	static char block[400000];
	struct driver d;
	struct call c = { .d = &d, .what = DO_WRITE, .buf = block, .len = sizeof(block) };
	struct segment seg;
	int listener, size = 20000;
	uint32_t first;

	(void)state;
	load(&d, NULL);
	c.fd = accepted(&d, &listener);
	first = d.ack;
	assert_int_equal(d.t.setsockopt(d.t.ud, c.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
			 0);
	begin(&c);
	while (d.ack - first < sizeof(block)) {
		assert_true(hear(&d, &seg));
		say(&d, ACK, NULL, 0);
	}
	assert_int_equal(end(&c), sizeof(block));
	unload(&d);
}

static void poll_and_epoll_sleep_until_something_happens(void **state)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct driver d;
	struct call p = { .d = &d, .what = DO_POLL }, e = { .d = &d, .what = DO_EPOLL };
	int listener;

	(void)state;
	load(&d, NULL);
	p.fd = accepted(&d, &listener);
	e.fd = d.t.epoll_create(d.t.ud, 1);
	assert_int_equal(d.t.epoll_ctl(d.t.ud, e.fd, EPOLL_CTL_ADD, p.fd, &ev), 0);
	begin(&p);
	begin(&e);
	say(&d, ACK | PSH, "x", 1);
	assert_int_equal(end(&p), 1);
	assert_int_equal(p.revents, POLLIN);
	assert_int_equal(end(&e), 1);
	unload(&d);
}

static void close_lingers_until_the_FIN_is_acknowledged(void **state)
{
	struct linger on = { .l_onoff = 1, .l_linger = 30 };
	struct driver d;
	struct call c = { .d = &d, .what = DO_CLOSE };
	int listener;

	(void)state;
	load(&d, NULL);
	c.fd = accepted(&d, &listener);
	assert_int_equal(d.t.setsockopt(d.t.ud, c.fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
	begin(&c);
	(void)expect(&d, FIN | ACK);
	say(&d, ACK, NULL, 0);
	assert_int_equal(end(&c), 0);
	unload(&d);
}

static void calls_that_wait_end_when_the_stack_is_freed(void **state)
{
	struct driver d;
	struct call c = { .d = &d, .what = DO_ACCEPT };

	(void)state;
	load(&d, NULL);
	c.fd = listen_at(&d);
	begin(&c);
	unload(&d);
	assert_int_equal(end(&c), -1);
	assert_int_equal(c.error, EBADF);
}

static void the_thread_that_moves_packets_is_not_left_waiting_for_one(void **state)
{
	struct driver d;
	int listener, fd;
	char byte;

	(void)state;
	load(&d, NULL);
	fd = accepted(&d, &listener);
	assert_int_equal(d.t.read(d.t.ud, fd, &byte, 1), -1);
	assert_int_equal(errno, EDEADLK);
	unload(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accept_sleeps_until_the_handshake_is_done),
		cmocka_unit_test(connect_sends_its_SYN_and_sleeps_until_the_SYN_ACK),
		cmocka_unit_test(connect_that_is_refused_says_so),
		cmocka_unit_test(read_sleeps_until_data_come),
		cmocka_unit_test(read_sleeps_until_it_has_as_much_as_SO_RCVLOWAT_says),
		cmocka_unit_test(read_gives_up_after_SO_RCVTIMEO),
		cmocka_unit_test(write_sleeps_until_all_of_it_has_found_room),
		cmocka_unit_test(poll_and_epoll_sleep_until_something_happens),
		cmocka_unit_test(close_lingers_until_the_FIN_is_acknowledged),
		cmocka_unit_test(calls_that_wait_end_when_the_stack_is_freed),
		cmocka_unit_test(the_thread_that_moves_packets_is_not_left_waiting_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
