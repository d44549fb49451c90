/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/ladder.h"

#include "base/rng.h"
#include "report/sink.h"
#include "report/utf8.h"
#include "trace/drop.h"
#include "unit/golden.h"
#include "unit/report/segments.h"

static char buf[128 * 1024];
static struct tern_sink sink;
static struct script script;

static int set_up(void **unused)
{
	(void)unused;
	script_begin(&script);
	tern_sink_init_fixed(&sink, buf, sizeof(buf) - 1);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	script_end(&script);
	return 0;
}

static struct tern_ladder_options options(void)
{
	return (struct tern_ladder_options){ .local = script.local, .remote = script.remote };
}

static size_t lines(void)
{
	size_t count = 0;

	for (size_t i = 0; i < sink.len; i++)
		count += buf[i] == '\n';
	return count;
}

/* No line is wider than 100 columns, none ends with a blank. */
static void check_width(void)
{
	char line[512];
	size_t len = 0;

	assert_false(sink.failed);
	for (size_t i = 0; i < sink.len; i++) {
		if (buf[i] != '\n') {
			assert_true(len + 1 < sizeof(line));
			line[len++] = buf[i];
			continue;
		}
		line[len] = '\0';
		assert_true(tern_utf8_columns(line) <= 100);
		assert_true(!len || line[len - 1] != ' ');
		len = 0;
	}
}

static void draw(const struct tern_ladder_options *how)
{
	tern_sink_reset(&sink);
	assert_int_not_equal(tern_ladder_text(&sink, how, script.records, script.count), 0);
	check_width();
}

static void draw_golden(const struct tern_ladder_options *how, const char *golden)
{
	draw(how);
	assert_golden(golden, buf, sink.len);
}

static void a_passive_open_with_echo_and_close_is_drawn(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	passive_open(&script);
	script.now_us += 2000;
	in(&script, PA, 1, 1, 6, TERN_ESTABLISHED, TERN_ESTABLISHED);
	out(&script, PA, 1, 7, 6, TERN_ESTABLISHED, TERN_ESTABLISHED);
	in(&script, TERN_ACK, 7, 7, 0, TERN_ESTABLISHED, TERN_ESTABLISHED);
	script.now_us += 1000000;
	passive_close(&script, 6, 6);
	draw_golden(&how, "ladder-passive.txt");
	how.ascii = true;
	draw_golden(&how, "ladder-passive-ascii.txt");
}

static void an_active_open_and_close_ends_in_time_wait(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	active_open(&script);
	out(&script, PA, 1, 1, 100, TERN_ESTABLISHED, TERN_ESTABLISHED);
	in(&script, TERN_ACK, 1, 101, 0, TERN_ESTABLISHED, TERN_ESTABLISHED);
	active_close(&script, 0, 100);
	script.now_us += 60000000;
	script_add(&script, TERN_TRACE_STATE, TERN_TIME_WAIT, TERN_CLOSED);
	draw_golden(&how, "ladder-active.txt");
}

/* A change of state at the time of the record before. */
static void change(unsigned int before, unsigned int after)
{
	struct tern_trace_record *record = script_add(&script, TERN_TRACE_STATE, before, after);

	record->time_ns = record[-1].time_ns;
}

/* Changes as the engine tells them: behind the segment that made them, before the one they make. */
static void a_change_of_state_that_a_segment_shows_gets_no_line_of_its_own(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	in(&script, TERN_SYN, 0, 0, 0, TERN_LISTEN, TERN_SYN_RECEIVED);
	out(&script, TERN_SYN | TERN_ACK, 0, 1, 0, TERN_SYN_RECEIVED, TERN_SYN_RECEIVED);
	script.now_us += 100;
	in(&script, TERN_ACK, 1, 1, 0, TERN_SYN_RECEIVED, TERN_ESTABLISHED);
	change(TERN_LISTEN, TERN_SYN_RECEIVED);
	change(TERN_SYN_RECEIVED, TERN_ESTABLISHED);
	draw(&how);
	assert_int_equal(lines(), 5);
	/* What the application does at that very time is another matter. */
	change(TERN_ESTABLISHED, TERN_FIN_WAIT_1);
	draw(&how);
	assert_int_equal(lines(), 6);
	script.now_us += 900;
	out(&script, TERN_FIN | TERN_ACK, 1, 1, 0, TERN_FIN_WAIT_1, TERN_FIN_WAIT_1);
	draw(&how);
	assert_int_equal(lines(), 6);
}

static void drops_and_retransmissions_are_shown_with_their_reasons(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	with_options(in(&script, TERN_SYN, 0, 0, 0, TERN_LISTEN, TERN_LISTEN));
	script.records[0].reason = TERN_DROP_TCP_LISTEN_OVERFLOW;
	script.now_us += 1000000;
	passive_open(&script);
	script.records[2].time_ns += 5000;
	out(&script, PA, 1, 1, 1000, TERN_ESTABLISHED, TERN_ESTABLISHED);
	script.now_us += 200000;
	out(&script, PA, 1, 1, 1000, TERN_ESTABLISHED, TERN_ESTABLISHED);
	in(&script, TERN_ACK, 1, 1001, 0, TERN_ESTABLISHED, TERN_ESTABLISHED);
	in(&script, TERN_ACK, 0x7fff0000, 1001, 0, TERN_ESTABLISHED, TERN_ESTABLISHED)->reason =
		TERN_DROP_TCP_INVALID_ACK_SEQUENCE;
	in(&script, TERN_RST, 9999, 0, 0, TERN_ESTABLISHED, TERN_ESTABLISHED)->reason =
		TERN_DROP_TCP_RST_CHALLENGED;
	out(&script, TERN_ACK, 1001, 1, 0, TERN_ESTABLISHED, TERN_ESTABLISHED);
	in(&script, TERN_RST, 1, 0, 0, TERN_ESTABLISHED, TERN_CLOSED);
	draw_golden(&how, "ladder-drops.txt");
}

static void a_closed_port_answers_with_a_reset(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	in(&script, TERN_SYN, 0, 0, 0, 0, 0)->reason = TERN_DROP_NO_SOCKET;
	out(&script, TERN_RST | TERN_ACK, 0, 1, 0, 0, 0)->seq = 0;
	draw_golden(&how, "ladder-closed-port.txt");
}

/* A transfer of `count` segments each way; every `lose`-th of ours is sent twice, 0 for none. */
static void transfer(uint32_t count, uint32_t lose)
{
	passive_open(&script);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = 1 + i * 1448;

		in(&script, TERN_ACK, at, at, 1448, TERN_ESTABLISHED, TERN_ESTABLISHED);
		out(&script, TERN_ACK, at, at + 1448, 1448, TERN_ESTABLISHED, TERN_ESTABLISHED);
		if (lose && i % lose == lose - 1)
			out(&script, TERN_ACK, at, at + 1448, 1448, TERN_ESTABLISHED,
			    TERN_ESTABLISHED);
	}
	in(&script, TERN_ACK, 1 + count * 1448, 1 + count * 1448, 0, TERN_ESTABLISHED,
	   TERN_ESTABLISHED);
	passive_close(&script, count * 1448, count * 1448);
}

static void a_long_transfer_fits_one_screen(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	transfer(741455, 0); /* 1 GiB each way */
	draw_golden(&how, "ladder-long.txt");
	assert_true(lines() <= 24);
}

static void a_long_transfer_with_losses_fits_one_screen_too(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	transfer(20000, 100);
	draw_golden(&how, "ladder-losses.txt");
	assert_true(lines() <= 40);
}

static void what_fits_is_not_summed_up(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	transfer(16, 0);
	assert_int_equal(script.count, 40);
	how.lines = 39;
	draw(&how);
	assert_non_null(strstr(buf, " segments, "));
	assert_true(lines() < 20);
	how.lines = 40;
	draw(&how);
	assert_int_equal(lines(), 42);
	how.lines = 41;
	draw(&how);
	assert_int_equal(lines(), 42);
	how.lines = 0;
	draw(&how);
	assert_int_equal(lines(), 42);
}

/* The other end's trace of the same segments: what we sent it received, and the other way round. */
static void mirror(struct script *from, struct script *to, uint64_t delay_ns)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct tern_trace_record *record = &from->records[i];
		struct tern_trace_record *copy;

		if (record->kind == TERN_TRACE_STATE)
			continue;
		copy = script_add(to, 0, 0, 0);
		*copy = *record;
		copy->local = record->remote;
		copy->remote = record->local;
		if (record->kind == TERN_TRACE_SEGMENT_IN) {
			copy->kind = TERN_TRACE_SEGMENT_OUT;
			copy->time_ns -= delay_ns;
		} else {
			copy->kind = TERN_TRACE_SEGMENT_IN;
			copy->time_ns += delay_ns;
		}
		copy->before = copy->after = 0;
	}
}

static void the_peers_own_trace_tells_its_states_its_drops_and_its_losses(void **unused)
{
	static const uint8_t states[] = {
		TERN_SYN_SENT,    TERN_ESTABLISHED, TERN_ESTABLISHED, TERN_ESTABLISHED,
		TERN_ESTABLISHED, TERN_ESTABLISHED, TERN_FIN_WAIT_1,  TERN_FIN_WAIT_2,
		TERN_TIME_WAIT,   TERN_TIME_WAIT,
	};
	struct tern_ladder_options how = options();
	struct script peer;

	(void)unused;
	passive_open(&script);
	out(&script, PA, 1, 1, 10, TERN_ESTABLISHED, TERN_ESTABLISHED);
	out(&script, PA, 1, 1, 10, TERN_ESTABLISHED, TERN_ESTABLISHED);
	in(&script, TERN_ACK, 1, 11, 0, TERN_ESTABLISHED, TERN_ESTABLISHED);
	passive_close(&script, 0, 10);
	script_begin(&peer);
	mirror(&script, &peer, 4000);
	assert_int_equal(peer.count, sizeof(states));
	for (size_t i = 0; i < sizeof(states); i++)
		peer.records[i].after = states[i];
	peer.records[0].before = TERN_SYN_SENT;
	peer.records[7].reason = TERN_DROP_TCP_TOO_OLD_ACK;
	/* The first copy of the data was lost on the way. */
	memmove(&peer.records[3], &peer.records[4], 6 * sizeof(peer.records[0]));
	how.peer = peer.records;
	how.peer_count = peer.count - 1;
	draw_golden(&how, "ladder-both.txt");
	script_end(&peer);
}

static void long_addresses_take_two_lines_at_the_head(void **unused)
{
	struct tern_ladder_options how;

	(void)unused;
	assert_int_equal(
		tern_addr_parse("2001:db8:1111:2222:3333:4444:5555:6666", &script.local.addr), 0);
	script.remote.addr = script.local.addr;
	how = options();
	passive_open(&script);
	draw_golden(&how, "ladder-ipv6.txt");
}

static void another_connections_records_are_left_out(void **unused)
{
	struct tern_ladder_options how = options();
	size_t len;

	(void)unused;
	passive_open(&script);
	draw(&how);
	len = sink.len;
	script.remote.port++;
	passive_open(&script);
	draw(&how);
	assert_int_equal(sink.len, len);
	how.remote.port += 2;
	tern_sink_reset(&sink);
	assert_int_equal(tern_ladder_text(&sink, &how, script.records, script.count), 0);
	assert_int_equal(sink.len, 0);
}

static void a_tuple_used_again_counts_from_zero_again(void **unused)
{
	struct tern_ladder_options how = options();

	(void)unused;
	passive_open(&script);
	passive_close(&script, 0, 0);
	in(&script, TERN_SYN, 777, 0, 0, TERN_LISTEN, TERN_SYN_RECEIVED);
	draw(&how);
	buf[sink.len] = '\0';
	assert_null(strstr(buf, "seq=777"));
	assert_null(strstr(buf, "again"));
}

static void any_trace_is_drawn_without_harm(void **unused)
{
	const uint8_t seed[TERN_RNG_SEED_LEN] = { 1 };
	struct tern_ladder_options how = options();
	struct tern_rng rng;

	(void)unused;
	tern_rng_init(&rng, seed);
	for (unsigned int round = 0; round < 300; round++) {
		script.count = 0;
		for (unsigned int i = tern_rng_below(&rng, 80) + 1; i > 0; i--) {
			struct tern_trace_record *record = script_add(&script, 0, 0, 0);

			tern_rng_bytes(&rng, record, sizeof(*record));
			record->local = script.local;
			record->remote = script.remote;
			record->kind = (uint8_t)tern_rng_below(&rng, 3);
			record->seq = tern_rng_below(&rng, 4);
			record->ack = tern_rng_below(&rng, 4);
			record->length = tern_rng_below(&rng, 2);
			record->flags &= (uint16_t)tern_rng_u32(&rng);
			record->time_ns = i % 7 ? script.now_us * 1000 : record->time_ns;
		}
		how.peer = round & 1 ? script.records : NULL;
		how.peer_count = round & 1 ? script.count : 0;
		how.lines = tern_rng_below(&rng, 60);
		how.ascii = round & 2;
		tern_sink_reset(&sink);
		(void)tern_ladder_text(&sink, &how, script.records, script.count);
		assert_false(sink.failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_passive_open_with_echo_and_close_is_drawn, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_active_open_and_close_ends_in_time_wait, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_change_of_state_that_a_segment_shows_gets_no_line_of_its_own, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			drops_and_retransmissions_are_shown_with_their_reasons, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_closed_port_answers_with_a_reset, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_long_transfer_fits_one_screen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_long_transfer_with_losses_fits_one_screen_too,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_fits_is_not_summed_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_peers_own_trace_tells_its_states_its_drops_and_its_losses, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(long_addresses_take_two_lines_at_the_head, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(another_connections_records_are_left_out, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_tuple_used_again_counts_from_zero_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(any_trace_is_drawn_without_harm, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
