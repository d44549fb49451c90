/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop, between a stack that only remembers and links that do as they are told. */
#include "unit/link/fake_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "link/fault.h"
#include "link/mem.h"
#include "loop/loop.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static struct tern_stack st;
static struct tern_loop *loop;

/*
 * A link over one end of a socket pair of datagrams: what the test writes to the other end comes
 * in. Its send takes `room` frames and then says -EAGAIN.
 */
struct pair_link {
	struct tern_link link;
	int fd, far;
	unsigned int room;
	unsigned int receives;
	bool gone;
	bool swallows; /* what is sent goes nowhere */
	uint8_t buffer[32][2048];
};

static int pair_receive(struct tern_link *link, uint64_t now, struct tern_frame *frames,
			unsigned int n)
{
	struct pair_link *pair = (struct pair_link *)link;
	unsigned int i;

	(void)now;
	pair->receives++;
	if (pair->gone)
		return -ENODEV;
	for (i = 0; i < n; i++) {
		ssize_t len =
			recv(pair->fd, pair->buffer[i], sizeof(pair->buffer[i]), MSG_DONTWAIT);

		if (len < 0)
			break;
		frames[i] = (struct tern_frame){ .data = pair->buffer[i], .len = (uint32_t)len };
	}
	return (int)i;
}

static int pair_send(struct tern_link *link, uint64_t now, const struct tern_out *outs,
		     unsigned int n)
{
	struct pair_link *pair = (struct pair_link *)link;
	uint8_t bytes[2048];
	unsigned int i;

	(void)now;
	for (i = 0; i < n && pair->room; i++, pair->room--) {
		assert_int_equal(tern_link_gather(bytes, &outs[i]), outs[i].len);
		if (pair->swallows)
			continue;
		assert_int_equal(send(pair->fd, bytes, outs[i].len, MSG_DONTWAIT), outs[i].len);
	}
	return n && !i ? -EAGAIN : (int)i;
}

static int pair_offload(struct tern_link *link, bool on)
{
	(void)link;
	return on ? -EOPNOTSUPP : 0;
}

static int pair_fd(const struct tern_link *link)
{
	return ((const struct pair_link *)link)->fd;
}

static uint64_t pair_deadline(const struct tern_link *link)
{
	(void)link;
	return TERN_NEVER;
}

static void pair_close(struct tern_link *link)
{
	struct pair_link *pair = (struct pair_link *)link;

	if (pair->fd < 0)
		return;
	(void)close(pair->fd);
	(void)close(pair->far);
	pair->fd = -1;
}

static const struct tern_link_ops pair_ops = { "pair",  pair_receive,  pair_send, pair_offload,
					       pair_fd, pair_deadline, pair_close };
static struct pair_link pair;

static int set_up(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	memset(&pair, 0, sizeof(pair));
	pair.link.ops = &pair_ops;
	pair.link.caps.mtu = 1500;
	pair.fd = fds[0];
	pair.far = fds[1];
	pair.room = 1 << 20;
	fake_init(&st, 100);
	assert_int_equal(tern_loop_new(&st, &pair.link, &loop), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tern_loop_free(loop);
	tern_link_close(&pair.link);
	return 0;
}

/* Writes frame `number` to the far end. */
static void far_send(uint32_t number)
{
	uint8_t bytes[100];
	struct tern_out out;

	frame_make(&out, bytes, number, sizeof(bytes));
	assert_int_equal(send(pair.far, bytes, sizeof(bytes), MSG_DONTWAIT), sizeof(bytes));
}

/* Reads what has left and asserts that it is frames from … to - 1. */
static void far_expect(uint32_t from, uint32_t to)
{
	uint8_t bytes[2048];

	for (; from < to; from++) {
		ssize_t len = recv(pair.far, bytes, sizeof(bytes), MSG_DONTWAIT);
		struct tern_frame frame = { .data = bytes, .len = (uint32_t)len };

		assert_int_equal(len, 100);
		assert_int_equal(frame_number(&frame), from);
		assert_int_equal(frame_errors(&frame, from), 0);
	}
	assert_int_equal(recv(pair.far, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
}

static void a_frame_goes_in_and_its_answer_leaves_in_the_same_turn(void **state)
{
	uint64_t before = tern_loop_now();

	(void)state;
	st.answer_with = 1;
	far_send(0);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 0);
	fake_expect(&st, 1);
	far_expect(0, 1);
	assert_true(st.now == tern_loop_time(loop));
	assert_in_range(st.now, before, tern_loop_now());
}

static void what_calls_have_queued_leaves_before_the_wait(void **state)
{
	(void)state;
	st.to_send = 3;
	assert_int_equal(tern_loop_step(loop, 0), 0);
	far_expect(0, 3);
	assert_int_equal(pair.receives, 0);
}

static void a_turn_waits_for_the_stacks_deadline_and_ticks_then(void **state)
{
	uint64_t due = tern_loop_now() + 5 * MS;

	(void)state;
	st.deadline = due;
	assert_int_equal(tern_loop_step(loop, 10 * S), 0);
	assert_int_equal(st.ticks, 1);
	assert_in_range(st.tick_at, due, due + S);
	assert_int_equal(pair.receives, 0);
}

static void a_deadline_in_the_past_ticks_at_once(void **state)
{
	uint64_t before = tern_loop_now();

	(void)state;
	st.deadline = 1;
	assert_int_equal(tern_loop_step(loop, 10 * S), 0);
	assert_int_equal(st.ticks, 1);
	assert_true(tern_loop_now() - before < S);
}

static void a_turn_ends_at_the_callers_timeout(void **state)
{
	uint64_t before = tern_loop_now();

	(void)state;
	assert_int_equal(tern_loop_step(loop, 3 * MS), 0);
	assert_in_range(tern_loop_now() - before, 3 * MS, S);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_int_equal(st.ticks, 0);
}

static void the_wall_clock_is_told_at_the_start_and_then_once_a_second(void **state)
{
	uint64_t real = tern_loop_realtime();
	unsigned int i;

	(void)state;
	assert_int_equal(st.realtimes, 1);
	assert_in_range(st.realtime, real - 10 * S, real);
	for (i = 0; i < 20; i++)
		assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_int_equal(st.realtimes, 1);
	assert_int_equal(tern_loop_step(loop, S), 0);
	assert_int_equal(st.realtimes, 2);
	assert_in_range(st.realtime, real + S, real + 10 * S);
}

static void a_flood_of_frames_leaves_turns_for_output(void **state)
{
	uint32_t i;

	(void)state;
	st.answer_with = 1;
	pair.swallows = true;
	for (i = 0; i < 100; i++)
		far_send(i);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 0);
	fake_expect(&st, 64);
	assert_int_equal(st.sent, 64);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 0);
	fake_expect(&st, 100);
	assert_int_equal(st.sent, 100);
}

static void a_flood_of_output_leaves_turns_for_others(void **state)
{
	uint64_t before = tern_loop_now();
	struct tern_loop_ready ready;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[1], TERN_LOOP_OUT, 1), 0);
	pair.swallows = true;
	st.to_send = 1000;
	assert_int_equal(tern_loop_step(loop, 10 * S), 1);
	assert_true(tern_loop_ready(loop, &ready));
	assert_in_range(st.sent, 256, 999);
	tern_loop_forget(loop, fds[1]);
	/* Not done: there is no wait before it is. */
	assert_int_equal(tern_loop_step(loop, 10 * S), 0);
	assert_int_equal(st.sent, 1000);
	assert_true(tern_loop_now() - before < 9 * S);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void frames_without_room_are_kept_and_leave_first(void **state)
{
	uint64_t before = tern_loop_now();
	uint32_t sent_before;

	(void)state;
	pair.room = 5;
	st.to_send = 50;
	assert_int_equal(tern_loop_step(loop, 0), 0);
	far_expect(0, 5);
	sent_before = st.sent;
	assert_in_range(sent_before, 6, 49);

	/* The stack may be entered now: what was given out earlier must survive it. */
	fake_enter(&st, st.now);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_int_equal(st.sent, sent_before);
	pair.room = 7;
	assert_int_equal(tern_loop_step(loop, 10 * S), 0);
	far_expect(5, 12);
	pair.room = 1000;
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	far_expect(12, 50);
	assert_true(tern_loop_now() - before < 9 * S);
}

static void a_link_that_is_gone_ends_the_loop(void **state)
{
	(void)state;
	pair.gone = true;
	far_send(0);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), -ENODEV);
}

static void a_watched_descriptor_is_told_with_its_number(void **state)
{
	struct tern_loop_ready ready;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[0], TERN_LOOP_IN, 4711), 0);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_false(tern_loop_ready(loop, &ready));
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 1);
	assert_true(tern_loop_ready(loop, &ready));
	assert_int_equal(ready.fd, fds[0]);
	assert_int_equal(ready.events, TERN_LOOP_IN);
	assert_true(ready.user == 4711);
	assert_false(tern_loop_ready(loop, &ready));

	/* What holds is told again; with other wishes, with those. */
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 1);
	assert_int_equal(tern_loop_watch(loop, fds[0], 0, 1), 0);
	assert_false(tern_loop_ready(loop, &ready));
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_int_equal(tern_loop_watch(loop, fds[0], TERN_LOOP_IN, 2), 0);
	assert_int_equal(tern_loop_watch(loop, fds[1], TERN_LOOP_OUT, 3), 0);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 2);
	while (tern_loop_ready(loop, &ready)) {
		assert_int_equal(ready.user, ready.fd == fds[0] ? 2 : 3);
		assert_int_equal(ready.events, ready.fd == fds[0] ? TERN_LOOP_IN : TERN_LOOP_OUT);
	}
	tern_loop_forget(loop, fds[0]);
	tern_loop_forget(loop, fds[1]);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void a_hang_up_is_told_unless_nothing_was_asked(void **state)
{
	struct tern_loop_ready ready;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[0], TERN_LOOP_IN, 0), 0);
	(void)close(fds[1]);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 1);
	assert_true(tern_loop_ready(loop, &ready));
	assert_true(ready.events & TERN_LOOP_HANGUP);
	assert_int_equal(tern_loop_watch(loop, fds[0], 0, 0), 0);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_false(tern_loop_ready(loop, &ready));
	tern_loop_forget(loop, fds[0]);
	(void)close(fds[0]);
}

static void a_report_of_a_forgotten_descriptor_is_dropped(void **state)
{
	struct tern_loop_ready ready;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[1], TERN_LOOP_OUT, 1), 0);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 1);
	tern_loop_forget(loop, fds[1]);
	assert_int_equal(tern_loop_watch(loop, fds[1], TERN_LOOP_OUT, 2), 0);
	assert_false(tern_loop_ready(loop, &ready));
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 1);
	assert_true(tern_loop_ready(loop, &ready));
	assert_int_equal(ready.user, 2);
	tern_loop_forget(loop, fds[1]);
	tern_loop_forget(loop, fds[1]);
	tern_loop_forget(loop, -1);
	tern_loop_forget(loop, 100000);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* One report and no other; 0 where there is none. */
static unsigned int only_report(int fd)
{
	struct tern_loop_ready ready, more;

	assert_in_range(tern_loop_step(loop, 0), 0, 1);
	if (!tern_loop_ready(loop, &ready))
		return 0;
	assert_int_equal(ready.fd, fd);
	assert_false(tern_loop_ready(loop, &more));
	return ready.events;
}

static void an_edge_is_told_once_and_again_when_asked_anew(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[0], TERN_LOOP_IN | TERN_LOOP_EDGE, 0), 0);
	assert_int_equal(only_report(fds[0]), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(only_report(fds[0]), TERN_LOOP_IN);
	assert_int_equal(only_report(fds[0]), 0);
	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(only_report(fds[0]), TERN_LOOP_IN);
	assert_int_equal(only_report(fds[0]), 0);
	assert_int_equal(
		tern_loop_watch(loop, fds[0], TERN_LOOP_IN | TERN_LOOP_OUT | TERN_LOOP_EDGE, 0), 0);
	assert_int_equal(only_report(fds[0]), TERN_LOOP_IN | TERN_LOOP_OUT);
	assert_int_equal(only_report(fds[0]), 0);
	tern_loop_forget(loop, fds[0]);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void an_edge_that_was_not_pulled_is_told_in_the_next_turn(void **state)
{
	struct tern_loop_ready ready;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[0], TERN_LOOP_IN | TERN_LOOP_EDGE, 1), 0);
	assert_int_equal(tern_loop_watch(loop, fds[1], TERN_LOOP_IN | TERN_LOOP_EDGE, 2), 0);
	assert_int_equal(write(fds[0], "x", 1), 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 2);
	assert_true(tern_loop_ready(loop, &ready));
	assert_int_equal(only_report(ready.fd == fds[0] ? fds[1] : fds[0]), TERN_LOOP_IN);
	assert_int_equal(only_report(0), 0);
	tern_loop_forget(loop, fds[0]);
	tern_loop_forget(loop, fds[1]);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void the_end_of_reading_a_hang_up_and_an_error_are_told_apart(void **state)
{
	const unsigned int all = TERN_LOOP_IN | TERN_LOOP_READ_END | TERN_LOOP_EDGE;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[0], all, 0), 0);
	assert_int_equal(only_report(fds[0]), 0);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	assert_int_equal(only_report(fds[0]), TERN_LOOP_IN | TERN_LOOP_READ_END);
	assert_int_equal(only_report(fds[0]), 0);
	(void)close(fds[1]);
	assert_int_equal(only_report(fds[0]), TERN_LOOP_IN | TERN_LOOP_READ_END | TERN_LOOP_HANGUP);
	tern_loop_forget(loop, fds[0]);
	(void)close(fds[0]);

	/* Closed with bytes unread, and watched for nothing but that. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(tern_loop_watch(loop, fds[0], TERN_LOOP_EDGE, 0), 0);
	assert_int_equal(write(fds[0], "x", 1), 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(only_report(fds[0]), 0);
	(void)close(fds[1]);
	assert_int_equal(only_report(fds[0]), TERN_LOOP_HANGUP | TERN_LOOP_ERROR);
	tern_loop_forget(loop, fds[0]);
	(void)close(fds[0]);
}

static void a_regular_file_is_always_ready(void **state)
{
	char path[] = "/tmp/test-loop-XXXXXX";
	struct tern_loop_ready ready;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)unlink(path);
	assert_int_equal(tern_loop_watch(loop, fd, TERN_LOOP_IN, 9), 0);
	assert_int_equal(tern_loop_step(loop, TERN_NEVER), 1);
	assert_true(tern_loop_ready(loop, &ready));
	assert_int_equal(ready.fd, fd);
	assert_int_equal(ready.events, TERN_LOOP_IN);
	assert_int_equal(ready.user, 9);
	assert_false(tern_loop_ready(loop, &ready));
	assert_int_equal(tern_loop_watch(loop, fd, 0, 9), 0);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_int_equal(tern_loop_watch(loop, fd, TERN_LOOP_EDGE, 9), 0);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	assert_int_equal(tern_loop_watch(loop, fd, TERN_LOOP_IN | TERN_LOOP_EDGE, 9), 0);
	assert_int_equal(only_report(fd), TERN_LOOP_IN);
	assert_int_equal(only_report(fd), TERN_LOOP_IN);
	tern_loop_forget(loop, fd);
	assert_int_equal(tern_loop_step(loop, 0), 0);
	(void)close(fd);
}

static void wrong_descriptors_are_refused(void **state)
{
	(void)state;
	assert_int_equal(tern_loop_watch(loop, -1, TERN_LOOP_IN, 0), -EBADF);
	assert_int_equal(tern_loop_watch(loop, 900, TERN_LOOP_IN, 0), -EBADF);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void a_signal_ends_the_wait(void **state)
{
	const struct itimerval timer = { .it_value.tv_usec = 2000 };
	const struct sigaction action = { .sa_handler = on_alarm };
	uint64_t before = tern_loop_now();

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
	assert_int_equal(tern_loop_step(loop, 100 * S), 0);
	assert_true(tern_loop_now() - before < 50 * S);
}

static void a_link_with_a_deadline_is_asked_then(void **state)
{
	const struct tern_fault_config cfg = { .in.delay_ns = 5 * MS, .out.delay_ns = 3 * MS };
	struct tern_link *faulty;
	struct tern_loop *own;
	uint64_t before;

	(void)state;
	assert_int_equal(tern_fault_new(&pair.link, &cfg, &faulty), 0);
	assert_int_equal(tern_loop_new(&st, faulty, &own), 0);
	st.answer_with = 1;
	before = tern_loop_now();
	far_send(0);
	while (!st.gots)
		assert_int_equal(tern_loop_step(own, 10 * S), 0);
	assert_in_range(st.got_at, before + 5 * MS, before + S);
	far_expect(0, 0);
	assert_int_equal(tern_loop_step(own, 10 * S), 0);
	assert_true(tern_loop_now() >= st.got_at + 3 * MS);
	far_expect(0, 1);
	tern_loop_free(own);
	tern_link_close(faulty);
}

static void a_link_without_a_descriptor_is_asked_every_turn(void **state)
{
	struct tern_link *end[2];
	struct tern_loop *own;

	(void)state;
	assert_int_equal(tern_mem_link_new(&(struct tern_mem_link_config){ 0 }, end), 0);
	assert_int_equal(tern_loop_new(&st, end[0], &own), 0);
	st.answer_with = 1;
	assert_int_equal(frame_send(end[1], 0, 0, 100), 1);
	assert_int_equal(tern_loop_step(own, TERN_NEVER), 0);
	frame_expect(end[1], 0, 0, 100);
	fake_expect(&st, 1);
	tern_loop_free(own);
	tern_link_close(end[0]);
	tern_link_close(end[1]);
}

static void entropy_does_not_repeat(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_int_equal(tern_loop_entropy(a, sizeof(a)), 0);
	assert_int_equal(tern_loop_entropy(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(tern_loop_entropy(a, 0), 0);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(a_frame_goes_in_and_its_answer_leaves_in_the_same_turn),
		LOOP_TEST(what_calls_have_queued_leaves_before_the_wait),
		LOOP_TEST(a_turn_waits_for_the_stacks_deadline_and_ticks_then),
		LOOP_TEST(a_deadline_in_the_past_ticks_at_once),
		LOOP_TEST(a_turn_ends_at_the_callers_timeout),
		LOOP_TEST(the_wall_clock_is_told_at_the_start_and_then_once_a_second),
		LOOP_TEST(a_flood_of_frames_leaves_turns_for_output),
		LOOP_TEST(a_flood_of_output_leaves_turns_for_others),
		LOOP_TEST(frames_without_room_are_kept_and_leave_first),
		LOOP_TEST(a_link_that_is_gone_ends_the_loop),
		LOOP_TEST(a_watched_descriptor_is_told_with_its_number),
		LOOP_TEST(a_hang_up_is_told_unless_nothing_was_asked),
		LOOP_TEST(a_report_of_a_forgotten_descriptor_is_dropped),
		LOOP_TEST(an_edge_is_told_once_and_again_when_asked_anew),
		LOOP_TEST(an_edge_that_was_not_pulled_is_told_in_the_next_turn),
		LOOP_TEST(the_end_of_reading_a_hang_up_and_an_error_are_told_apart),
		LOOP_TEST(a_regular_file_is_always_ready),
		LOOP_TEST(wrong_descriptors_are_refused),
		LOOP_TEST(a_signal_ends_the_wait),
		LOOP_TEST(a_link_with_a_deadline_is_asked_then),
		LOOP_TEST(a_link_without_a_descriptor_is_asked_every_turn),
		LOOP_TEST(entropy_does_not_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
