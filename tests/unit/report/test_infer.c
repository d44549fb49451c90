/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/infer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trace/drop.h"
#include "unit/report/segments.h"

static struct script script;

static int set_up(void **unused)
{
	(void)unused;
	script_begin(&script);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	script_end(&script);
	return 0;
}

/* Walks the trace; the states expected are the first one and those after each segment, 255 ends. */
static void expect(const uint8_t *states)
{
	struct tern_infer infer;

	assert_int_equal(tern_infer_begin(&infer, script.records, script.count, &script.local,
					  &script.remote),
			 *states++);
	for (size_t i = 0; i < script.count; i++) {
		uint8_t state;

		if (script.records[i].kind == TERN_TRACE_STATE)
			continue;
		state = tern_infer_step(&infer, i);
		assert_int_equal(state, *states++);
	}
	assert_int_equal(*states, 255);
}

#define EXPECT(...) expect((const uint8_t[]){ __VA_ARGS__, 255 })
#define EST         TERN_ESTABLISHED

static void a_client_is_followed_from_syn_sent_to_time_wait(void **unused)
{
	(void)unused;
	passive_open(&script);
	passive_close(&script, 0, 0);
	EXPECT(TERN_SYN_SENT, TERN_SYN_SENT, EST, EST, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2,
	       TERN_TIME_WAIT, TERN_TIME_WAIT);
}

static void a_server_is_followed_from_listen_to_closed(void **unused)
{
	(void)unused;
	active_open(&script);
	active_close(&script, 0, 0);
	EXPECT(TERN_LISTEN, TERN_SYN_RECEIVED, TERN_SYN_RECEIVED, EST, TERN_CLOSE_WAIT,
	       TERN_CLOSE_WAIT, TERN_LAST_ACK, TERN_CLOSED);
}

static void a_server_that_answers_by_a_reset_was_closed(void **unused)
{
	(void)unused;
	out(&script, TERN_SYN, 0, 0, 0, TERN_SYN_SENT, TERN_SYN_SENT);
	in(&script, TERN_RST | TERN_ACK, 0, 1, 0, TERN_SYN_SENT, TERN_CLOSED);
	EXPECT(TERN_CLOSED, TERN_CLOSED, TERN_CLOSED);
}

static void a_server_that_never_answers_is_not_known(void **unused)
{
	(void)unused;
	out(&script, TERN_SYN, 0, 0, 0, TERN_SYN_SENT, TERN_SYN_SENT);
	out(&script, TERN_SYN, 0, 0, 0, TERN_SYN_SENT, TERN_SYN_SENT);
	EXPECT(0, 0, 0);
}

static void simultaneous_opens_meet_in_syn_received(void **unused)
{
	(void)unused;
	out(&script, TERN_SYN, 0, 0, 0, TERN_SYN_SENT, TERN_SYN_SENT);
	in(&script, TERN_SYN, 0, 0, 0, TERN_SYN_SENT, TERN_SYN_RECEIVED);
	out(&script, SA, 0, 1, 0, TERN_SYN_RECEIVED, TERN_SYN_RECEIVED);
	in(&script, SA, 0, 1, 0, TERN_SYN_RECEIVED, EST);
	out(&script, TERN_ACK, 1, 1, 0, EST, EST);
	EXPECT(TERN_SYN_SENT, TERN_SYN_SENT, TERN_SYN_RECEIVED, EST, EST, EST);
}

static void simultaneous_closes_meet_in_closing(void **unused)
{
	(void)unused;
	passive_open(&script);
	out(&script, FA, 1, 1, 0, TERN_FIN_WAIT_1, TERN_FIN_WAIT_1);
	in(&script, FA, 1, 1, 0, TERN_FIN_WAIT_1, TERN_CLOSING);
	out(&script, TERN_ACK, 2, 2, 0, TERN_CLOSING, TERN_CLOSING);
	in(&script, TERN_ACK, 2, 2, 0, TERN_CLOSING, TERN_TIME_WAIT);
	EXPECT(TERN_SYN_SENT, TERN_SYN_SENT, EST, EST, EST, TERN_CLOSING, TERN_TIME_WAIT,
	       TERN_TIME_WAIT);
}

static void a_fin_that_acknowledges_ours_leads_to_time_wait_at_once(void **unused)
{
	(void)unused;
	passive_open(&script);
	in(&script, FA, 1, 1, 0, EST, TERN_CLOSE_WAIT);
	out(&script, FA, 1, 2, 0, TERN_LAST_ACK, TERN_LAST_ACK);
	in(&script, TERN_ACK, 2, 2, 0, TERN_LAST_ACK, TERN_CLOSED);
	EXPECT(TERN_SYN_SENT, TERN_SYN_SENT, EST, EST, TERN_FIN_WAIT_1, TERN_TIME_WAIT,
	       TERN_TIME_WAIT);
}

static void a_segment_that_we_send_again_did_not_arrive_the_first_time(void **unused)
{
	(void)unused;
	in(&script, TERN_SYN, 0, 0, 0, TERN_LISTEN, TERN_SYN_RECEIVED);
	out(&script, SA, 0, 1, 0, TERN_SYN_RECEIVED, TERN_SYN_RECEIVED);
	out(&script, SA, 0, 1, 0, TERN_SYN_RECEIVED, TERN_SYN_RECEIVED);
	in(&script, TERN_ACK, 1, 1, 0, TERN_SYN_RECEIVED, EST);
	EXPECT(TERN_SYN_SENT, TERN_SYN_SENT, TERN_SYN_SENT, EST, EST);
}

static void an_acknowledgment_was_lost_if_the_peer_repeats_its_fin(void **unused)
{
	(void)unused;
	active_open(&script);
	in(&script, FA, 1, 1, 0, EST, TERN_CLOSE_WAIT);
	out(&script, TERN_ACK, 1, 2, 0, TERN_CLOSE_WAIT, TERN_CLOSE_WAIT);
	in(&script, FA, 1, 1, 0, TERN_CLOSE_WAIT, TERN_CLOSE_WAIT)->reason =
		TERN_DROP_TCP_OLD_SEQUENCE;
	out(&script, TERN_ACK, 1, 2, 0, TERN_CLOSE_WAIT, TERN_CLOSE_WAIT);
	EXPECT(TERN_LISTEN, TERN_SYN_RECEIVED, TERN_SYN_RECEIVED, EST, TERN_FIN_WAIT_1,
	       TERN_FIN_WAIT_1, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2);
}

static void a_reset_closes_unless_we_dropped_it(void **unused)
{
	(void)unused;
	passive_open(&script);
	in(&script, TERN_RST, 5, 0, 0, EST, EST)->reason = TERN_DROP_TCP_RST_CHALLENGED;
	in(&script, TERN_RST, 1, 0, 0, EST, TERN_CLOSED);
	EXPECT(TERN_SYN_SENT, TERN_SYN_SENT, EST, EST, EST, TERN_CLOSED);
}

static void a_reset_of_ours_closes_the_peer(void **unused)
{
	(void)unused;
	passive_open(&script);
	out(&script, TERN_RST | TERN_ACK, 1, 1, 0, TERN_CLOSED, TERN_CLOSED);
	EXPECT(TERN_SYN_SENT, TERN_SYN_SENT, EST, EST, TERN_CLOSED);
}

static void a_trace_that_begins_in_the_middle_is_taken_for_established(void **unused)
{
	(void)unused;
	out(&script, PA, 100, 100, 10, EST, EST);
	in(&script, TERN_ACK, 100, 110, 0, EST, EST);
	in(&script, FA, 100, 110, 0, EST, TERN_CLOSE_WAIT);
	EXPECT(EST, EST, EST, TERN_FIN_WAIT_1);
}

static void an_empty_trace_tells_nothing(void **unused)
{
	struct tern_infer infer;

	(void)unused;
	assert_int_equal(tern_infer_begin(&infer, NULL, 0, &script.local, &script.remote), 0);
	script_add(&script, TERN_TRACE_STATE, TERN_CLOSED, TERN_SYN_SENT);
	assert_int_equal(tern_infer_begin(&infer, script.records, 1, &script.local, &script.remote),
			 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_is_followed_from_syn_sent_to_time_wait),
		TEST(a_server_is_followed_from_listen_to_closed),
		TEST(a_server_that_answers_by_a_reset_was_closed),
		TEST(a_server_that_never_answers_is_not_known),
		TEST(simultaneous_opens_meet_in_syn_received),
		TEST(simultaneous_closes_meet_in_closing),
		TEST(a_fin_that_acknowledges_ours_leads_to_time_wait_at_once),
		TEST(a_segment_that_we_send_again_did_not_arrive_the_first_time),
		TEST(an_acknowledgment_was_lost_if_the_peer_repeats_its_fin),
		TEST(a_reset_closes_unless_we_dropped_it),
		TEST(a_reset_of_ours_closes_the_peer),
		TEST(a_trace_that_begins_in_the_middle_is_taken_for_established),
		TEST(an_empty_trace_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
